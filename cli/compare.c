/* compare.c: `compare`: runs side by side, as lines, as a page and as a table in Markdown.
 * Read next: train/compare.h. */
#include "cli/uses.h"

#include <math.h>

/* clang-format off */
const arg_option compare_options[] = {
    { "out", 0, ARG_TEXT, "FILE", 0, 0, "the page [comparison.html]" },
    { "markdown", 0, ARG_TEXT, "FILE.md", 0, 0,
      "also a table, with its pictures in a folder FILE beside it" },
    { "title", 0, ARG_TEXT, "TEXT", 0, 0, "of page and table [Comparison]" },
    { "limit", 0, ARG_INT, "N", 1, 1e12, "measure on the first N test images only [all]" },
    { "probe", 0, ARG_INT, "N", 1, 1e12,
      "classify by the codes of the first N train images too" },
    { 0 },
};
/* clang-format on */

static void print_run(const args *a, const tr_compared *c)
{
    if (has(a, "json")) {
        tri_text t = { 0 };
        tri_text_add(&t, "{\"event\":\"compare\",\"run\":");
        tri_text_string(&t, c->name);
        tri_text_add(&t, ",\"model\":");
        tri_text_string(&t, c->type->name);
        tri_text_add(&t, ",\"options\":");
        tri_text_string(&t, c->options);
        tri_text_add(&t, ",\"parameters\":%lld,\"code\":%lld,\"epochs\":%lld,\"seconds\":%.3f",
                     (long long)c->parameters, (long long)c->code_size, (long long)c->epochs,
                     c->seconds);
        const double      value[] = { c->mse, c->bce, c->psnr, c->accuracy };
        const char *const name[] = { "mse", "bce", "psnr", "accuracy" };
        for (int i = 0; i < 4; i++) {
            tri_text_add(&t, ",\"%s\":", name[i]);
            tri_text_number(&t, value[i]);
        }
        tri_text_add(&t, ",");
        add_metrics(&t, "val", &c->metrics);
        tri_text_add(&t, "}");
        print_json(&t);
    } else if (!has(a, "quiet")) {
        printf("%-22s  MSE %.5f  BCE %.5f  PSNR %.2f dB", c->name, c->mse, c->bce, c->psnr);
        if (isfinite(c->accuracy)) printf("  probe %.1f %%", 100 * c->accuracy);
        printf("\n");
    }
    fflush(stdout);
}

int run_compare(const args *a)
{
    const char *page = text_of(a, "out", "comparison.html"),
               *markdown = text_of(a, "markdown", NULL);
    const char              *title = text_of(a, "title", "Comparison");
    const tr_compare_options o = { .limit = int_of(a, "limit", 0), .probe = int_of(a, "probe", 0) };
    tr_compared             *runs = tr_scope_alloc((uint64_t)a->word_count * sizeof *runs);
    if (runs == NULL) return end_run();
    if (markdown != NULL && !ends_with(markdown, ".md"))
        return usage_error(a, "--markdown is %s; it must end in .md", markdown);
    for (int i = 0; i < a->word_count; i++) {
        if (tr_compare_run(a->words[i], &o, &runs[i]) != TR_OK) return end_run();
        print_run(a, &runs[i]);
    }
    tr_compare_page(page, title, runs, a->word_count);
    if (markdown != NULL) tr_compare_markdown(markdown, title, runs, a->word_count);
    if (tr_status_get() == TR_OK && !has(a, "json") && !has(a, "quiet")) {
        printf("%s\n", page);
        if (markdown != NULL) printf("%s\n", markdown);
    }
    return end_run();
}
