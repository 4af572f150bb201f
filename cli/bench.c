/* bench.c: `bench`: how fast the machine trains, case by case. Read next: bench/cases.c. */
#include "cli/cli.h"

#include "bench/bench.h"

#include <string.h>

const arg_option bench_options[] = {
    { "list", 0, ARG_FLAG, NULL, 0, 0, "write the names of the cases" },
    { "seconds", 0, ARG_NUMBER, "S", 0.01, 3600, "measure each case for about S seconds [1]" },
    { "steps", 0, ARG_INT, "N", 1, 1e9, "take N steps and measure nothing: for profilers" },
    { 0 },
};

static int list_cases(const args *a)
{
    bench_case c;
    for (int i = 0; bench_case_at(i, &c); i++) {
        if (has(a, "json"))
            printf("{\"case\":\"%s\"}\n", c.name);
        else
            printf("%s\n", c.name);
    }
    return EXIT_OK;
}

/* No word: all cases. "train" or "train/vae": those that begin so. */
static bool is_wanted(const args *a, const bench_case *c)
{
    for (int i = 0; i < a->word_count; i++) {
        const size_t length = strlen(a->words[i]);
        const bool   begins = strncmp(c->name, a->words[i], length) == 0;
        if (begins && (c->name[length] == '/' || c->name[length] == '\0')) return true;
    }
    return a->word_count == 0;
}

static void add_number(tri_text *t, const char *key, double number)
{
    tri_text_add(t, ",\"%s\":", key);
    tri_text_number(t, number);
}

/* `reading`: bytes a second, from memory. */
static void write_json(const bench_case *c, const bench_result *r, double reading)
{
    tri_text t = { 0 };
    tri_text_add(&t, "{\"case\":");
    tri_text_string(&t, c->name);
    if (r->images > 0) add_number(&t, "images_per_second", r->images / r->seconds);
    add_number(&t, "microseconds", 1e6 * r->seconds);
    if (r->flops > 0) {
        add_number(&t, "gflops", 1e-9 * r->flops / r->seconds);
        add_number(&t, "percent_of_peak", 100 * r->share);
        add_number(&t, "peak_gflops", 1e-9 * r->peak);
        add_number(&t, "read_gbytes", 1e-9 * reading);
    }
    if (r->peak_bytes > 0) tri_text_add(&t, ",\"peak_bytes\":%lld", (long long)r->peak_bytes);
    tri_text_add(&t, ",\"threads\":%d,\"isa\":\"%s\"}", tr_threads(), tr_isa());
    print_json(&t);
}

static void write_row(const bench_case *c, const bench_result *r)
{
    char images[32] = "", rate[32] = "", percent[32] = "";
    if (r->images > 0) show_count(r->images / r->seconds, images);
    if (r->flops > 0) {
        snprintf(rate, sizeof rate, "%.1f", 1e-9 * r->flops / r->seconds);
        snprintf(percent, sizeof percent, "%.1f %%", 100 * r->share);
    }
    printf("%-24s %12s %14.1f %9s %9s %9.1f\n", c->name, images, 1e6 * r->seconds, rate, percent,
           (double)r->peak_bytes / (1 << 20));
    fflush(stdout);
}

static int run_case(const args *a, const bench_case *c, double reading)
{
    bench_result r = { 0 };
    if (has(a, "steps")) {
        bench_steps(c, int_of(a, "steps", 1));
        return end_run();
    }
    tr_scope *scope = tr_scope_push();
    if (bench_run(c, number_of(a, "seconds", 1), &r) == TR_OK) {
        if (has(a, "json"))
            write_json(c, &r, reading);
        else
            write_row(c, &r);
    }
    tr_scope_pop(scope);
    return end_run();
}

int run_bench(const args *a)
{
    bench_case c;
    int        cases = 0;
    double     reading = 0;
    if (has(a, "list")) return list_cases(a);
    for (int i = 0; bench_case_at(i, &c); i++) cases += is_wanted(a, &c);
    if (cases == 0)
        return usage_error(a, "there is no case %s; tenrec bench --list names them", a->words[0]);
    if (!has(a, "steps")) reading = bench_reading(tr_threads(), 0.1);
    if (!has(a, "steps") && !has(a, "json"))
        printf(
            "%s, %d threads, peak %.1f GFLOP/s, reads %.1f GB/s\n%s%-24s %12s %14s %9s %9s %9s%s\n",
            tr_isa(), tr_threads(), 1e-9 * bench_peak(tr_threads(), 0.2), 1e-9 * reading, bold(),
            "case", "images/s", "us a step", "GFLOP/s", "of peak", "MiB", plain());
    for (int i = 0; bench_case_at(i, &c); i++) {
        if (!is_wanted(a, &c)) continue;
        const int status = run_case(a, &c, reading);
        if (status != EXIT_OK) return status;
    }
    return EXIT_OK;
}
