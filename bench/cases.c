/* cases.c: the list of cases, and how one is set up, warmed up and timed.
 *
 * Data is in memory and the same in every step; a training step is what train/fit.c does: loss
 * (noise included), backward, Adam. Steps are timed in five stretches, of which the median counts;
 * between them the peak of arithmetic is measured, which on a shared machine is not always the
 * same. Peak memory is the kernel's high-water mark, set back before the case begins. */
#include "bench/bench.h"

#include "optim/optim.h"
#include "tensor/core.h"

#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { SIDE = 28, STRETCHES = 5 };

/* --- Names -------------------------------------------------------------------------------------
 */

static const int64_t batches[] = { 1, 8, 32, 256 };

/* Squares, then shapes that the dense models use: forward "x w", and "x^T g", "g w^T" of backward.
 */
static const bench_case products[] = {
    { "gemm/512", BENCH_GEMM, .m = 512, .n = 512, .k = 512 },
    { "gemm/1024", BENCH_GEMM, .m = 1024, .n = 1024, .k = 1024 },
    { "gemm/2048", BENCH_GEMM, .m = 2048, .n = 2048, .k = 2048 },
    { "gemm/32x500x784", BENCH_GEMM, .m = 32, .n = 500, .k = 784 },
    { "gemm-tn/784x500x32", BENCH_GEMM, .m = 784, .n = 500, .k = 32, .a_turned = true },
    { "gemm-nt/32x784x500", BENCH_GEMM, .m = 32, .n = 784, .k = 500, .b_turned = true },
    { "gemm/256x500x784", BENCH_GEMM, .m = 256, .n = 500, .k = 784 },
    { "gemm-tn/784x500x256", BENCH_GEMM, .m = 784, .n = 500, .k = 256, .a_turned = true },
    { "gemm-nt/256x784x500", BENCH_GEMM, .m = 256, .n = 784, .k = 500, .b_turned = true },
};

static const bench_model models[] = {
    { "deep", "deep", { NULL } },
    { "stacked", "stacked", { "pretrain", "false", NULL } },
    { "denoising", "denoising", { NULL } },
    { "sparse-kl", "sparse", { "penalty", "kl", NULL } },
    { "vae", "vae", { NULL } },
    { "conv", "conv", { NULL } },
    { "conv-transpose", "conv-transpose", { NULL } },
    { 0 },
};

enum { PRODUCTS = sizeof products / sizeof products[0], BATCHES = 4, OF_MODEL = BATCHES + 1 };

bool bench_case_at(int i, bench_case *c)
{
    if (i < PRODUCTS) {
        *c = products[i];
        return true;
    }
    i -= PRODUCTS;
    const bench_model *model = models;
    for (; model->name != NULL && i >= OF_MODEL; model++) i -= OF_MODEL;
    if (model->name == NULL && i > 0) return false;
    *c = (bench_case){ .model = model };
    if (model->name == NULL) {
        c->kind = BENCH_STARTUP;
        c->model = models;
        snprintf(c->name, sizeof c->name, "startup");
    } else if (i < BATCHES) {
        c->kind = BENCH_TRAIN;
        c->batch = batches[i];
        snprintf(c->name, sizeof c->name, "train/%s/%lld", model->name, (long long)c->batch);
    } else {
        c->kind = BENCH_INFER;
        c->batch = 1;
        snprintf(c->name, sizeof c->name, "infer/%s/1", model->name);
    }
    return true;
}

bool bench_case_named(const char *name, bench_case *c)
{
    for (int i = 0; bench_case_at(i, c); i++)
        if (strcmp(c->name, name) == 0) return true;
    return false;
}

/* --- Work: what is done again and again ----------------------------------------------------------
 */

typedef struct work {
    const bench_case *c;
    tr_model         *model;
    tr_optimizer     *optimizer;
    tr_rng            rng;
    tr_tensor        *a, *b; /* the images, or the factors of a product */
} work;

static tr_model *make_model(const bench_model *b)
{
    const tr_model_type *type = tr_model_find(b->zoo);
    if (type == NULL) return NULL;
    tr_settings *settings = tr_settings_new(type->options);
    for (int i = 0; b->settings[i] != NULL; i += 2)
        tr_settings_set(settings, b->settings[i], b->settings[i + 1]);
    return tr_model_new(type, settings, TR_SHAPE(SIDE, SIDE, 1), 0, 7);
}

static tr_tensor *factor(int64_t rows, int64_t cols, bool turned, tr_rng *rng)
{
    if (!turned) return tr_uniform(TR_F32, TR_SHAPE(rows, cols), rng);
    return tr_transpose(tr_uniform(TR_F32, TR_SHAPE(cols, rows), rng), 0, 1);
}

static tr_status set_up(work *w, const bench_case *c)
{
    *w = (work){ .c = c, .rng = tr_rng_seed(7) };
    if (c->kind == BENCH_GEMM) {
        w->a = factor(c->m, c->k, c->a_turned, &w->rng);
        w->b = factor(c->k, c->n, c->b_turned, &w->rng);
    } else if (c->kind != BENCH_STARTUP) {
        w->a = tr_uniform(TR_F32, TR_SHAPE(c->batch, SIDE, SIDE, 1), &w->rng);
        w->model = make_model(c->model);
        if (w->model != NULL) w->optimizer = tr_adam(tr_module_parameters(w->model->net), NULL);
    }
    return tr_status_get();
}

/* A whole process: this program, told to take one step of the first model with batch 32. */
static void start_process(const work *w)
{
    char name[64], *words[] = { "tenrec", "bench", name, "--steps", "1", NULL };
    snprintf(name, sizeof name, "train/%s/32", w->c->model->name);
    pid_t child;
    int   status = -1;
    if (posix_spawn(&child, "/proc/self/exe", NULL, NULL, words, environ) == 0)
        waitpid(child, &status, 0);
    if (status != 0) tr_fail(TR_ERR_STATE, "startup: the started process failed");
}

static void step(work *w)
{
    tr_scope *scope = tr_scope_push();
    switch (w->c->kind) {
    case BENCH_GEMM: (void)tr_matmul(w->a, w->b); break;
    case BENCH_TRAIN:
        tr_backward(tr_model_loss(w->model, w->a, NULL, &w->rng).loss);
        tr_optimizer_step(w->optimizer);
        break;
    case BENCH_INFER: (void)tr_model_decode(w->model, tr_model_encode(w->model, w->a)); break;
    case BENCH_STARTUP: start_process(w); break;
    }
    tr_scope_pop(scope);
}

/* The layers' counts are of their last call, so of a whole batch. In a training step a layer does
 * them three times: y, dw, and dx, which the first layer does without. */
static double count_flops(const work *w)
{
    const bench_case *c = w->c;
    if (c->kind == BENCH_GEMM) return 2.0 * (double)(c->m * c->n) * (double)c->k;
    if (c->kind == BENCH_STARTUP) return 0;
    int64_t               count = 0, total = 0;
    const tr_summary_row *rows = tr_module_summary(w->model->net, &count);
    for (int64_t i = 0; i < count; i++) total += rows[i].multiply_adds;
    if (count == 0) return 0;
    if (c->kind == BENCH_TRAIN) total = 3 * total - rows[0].multiply_adds;
    return 2.0 * (double)total;
}

/* --- Measuring
 * ------------------------------------------------------------------------------------ */

static void reset_peak_memory(void)
{
    tr_memory_trim();
    FILE *f = fopen("/proc/self/clear_refs", "w");
    if (f == NULL) return;
    fputs("5", f);
    fclose(f);
}

static int64_t peak_memory(void)
{
    long long kib = 0;
    char      line[200];
    FILE     *f = fopen("/proc/self/status", "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL)
        if (sscanf(line, "VmHWM: %lld", &kib) == 1) break;
    if (f != NULL) fclose(f);
    return kib * 1024;
}

/* Enough to find the peak of the moment. */
static const double PEAK_SECONDS = 0.006;

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values)
{
    qsort(values, STRETCHES, sizeof *values, compare_doubles);
    return values[STRETCHES / 2];
}

static double time_steps(work *w, int64_t count)
{
    const double start = bench_now();
    for (int64_t i = 0; i < count && !tri_failed(); i++) step(w);
    return bench_now() - start;
}

static void measure(work *w, double seconds, bench_result *result)
{
    double times[STRETCHES], peaks[STRETCHES], shares[STRETCHES];
    time_steps(w, 3); /* memory, caches, clock */
    int64_t count = 1;
    double  taken = time_steps(w, count);
    for (; taken < seconds / 10 && !tri_failed(); count *= 2) taken = time_steps(w, 2 * count);
    const double per_step = taken / (double)count;
    count = (int64_t)(seconds / STRETCHES / per_step);
    if (count < 1) count = 1;
    const double flops = count_flops(w);
    double       before = bench_peak(tr_threads(), PEAK_SECONDS);
    for (int i = 0; i < STRETCHES; i++) {
        times[i] = time_steps(w, count) / (double)count;
        const double after = bench_peak(tr_threads(), PEAK_SECONDS);
        peaks[i] = before > after ? before : after;
        shares[i] = flops / times[i] / peaks[i];
        before = after;
    }
    *result = (bench_result){ .seconds = median(times),
                              .images = (double)w->c->batch,
                              .flops = flops,
                              .peak = median(peaks),
                              .share = median(shares),
                              .peak_bytes = peak_memory() };
}

tr_status bench_run(const bench_case *c, double seconds, bench_result *result)
{
    work w;
    reset_peak_memory();
    tr_scope  *scope = tr_scope_push();
    const bool before = tr_set_recording(c->kind == BENCH_TRAIN);
    if (set_up(&w, c) == TR_OK) measure(&w, seconds, result);
    tr_set_recording(before);
    tr_scope_pop(scope);
    return tr_status_get();
}

tr_status bench_steps(const bench_case *c, int64_t steps)
{
    work       w;
    tr_scope  *scope = tr_scope_push();
    const bool before = tr_set_recording(c->kind == BENCH_TRAIN);
    if (set_up(&w, c) == TR_OK) time_steps(&w, steps);
    tr_set_recording(before);
    tr_scope_pop(scope);
    return tr_status_get();
}
