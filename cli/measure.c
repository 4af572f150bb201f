/* measure.c: `eval` and `report`: how good a trained model is. */
#include "cli/cli.h"

#include <math.h>
#include <string.h>

/* clang-format off */
const arg_option eval_options[] = {
    ARG_DATA,
    { "limit", 0, ARG_INT, "N", 1, 1e12, "measure on the first N images only [all]" },
    { "nll", 0, ARG_INT, "N", 1, 1e6,
      "also -ln p(x) by importance sampling with N codes; 5000 are usual" },
    { "jacobian", 0, ARG_INT, "N", 1, 1e12,
      "also how much codes move with the images, over the first N of them" },
    { "factors", 0, ARG_FLAG, NULL, 0, 0, "also how well codes tell the factors of shapes apart" },
    { "seed", 0, ARG_INT, "N", 0, 0x1p53, "of the model's own noise [the run's]" },
    { 0 },
};
/* clang-format on */

/* A number beside the model's own metrics: its key in JSON, its name and unit in text. */
typedef struct extra {
    const char *key, *name, *unit;
    double      value;
} extra;

enum { MOST_EXTRAS = 8 };

/* Mean squared error of reconstructions per known pixel, over the first `count` images of the test
 * split. */
static double reconstruction_error(const tr_run *run, int64_t count)
{
    enum { BATCH = 200 };
    double     sum = 0, all = 0;
    const bool recording = tr_set_recording(false);
    for (int64_t i = 0; i < count && tr_status_get() == TR_OK; i += BATCH) {
        const int64_t n = i + BATCH < count ? BATCH : count - i;
        tr_batch      b;
        tr_scope     *scope = tr_scope_push();
        tr_dataset_read(run->dataset, TR_TEST, i, i + n, &b);
        tr_tensor *y = tr_status_get() == TR_OK ? tr_model_reconstruct(run->model, b.x) : NULL;
        if (y != NULL) {
            tr_tensor   *x = b.target != NULL ? b.target : b.x;
            tr_tensor   *known = b.known != NULL ? b.known : tr_ones(TR_F32, TR_SHAPE(1));
            const double share = tr_item(tr_mean(known, TR_ALL_AXES, false));
            const double weight = (double)n * share;
            if (weight > 0) sum += weight * tr_masked_mse(y, x, known);
            all += weight;
        }
        tr_scope_pop(scope);
    }
    tr_set_recording(recording);
    return sum / all;
}

/* -ln p(x), averaged over the same images. */
static double negative_log_likelihood(const args *a, const tr_run *run, int64_t count)
{
    enum { BATCH = 50 };
    const tr_dataset *d = run->dataset;
    tr_rng            rng = tr_rng_seed((uint64_t)int_of(a, "seed", (int64_t)run->options.seed));
    double            sum = 0;
    for (int64_t i = 0; i < count && tr_status_get() == TR_OK; i += BATCH) {
        const int64_t end = i + BATCH < count ? i + BATCH : count;
        tr_scope     *scope = tr_scope_push();
        tr_batch      b = { 0 };
        tr_dataset_read(d, TR_TEST, i, end, &b);
        tr_model_set_target(run->model, b.target, b.known);
        tr_tensor *one =
            tr_model_log_likelihood(run->model, b.x, b.labels, int_of(a, "nll", 1), &rng);
        tr_model_set_target(run->model, NULL, NULL);
        if (one != NULL) sum -= tr_item(tr_sum(one, TR_ALL_AXES, false));
        tr_scope_pop(scope);
    }
    return sum / (double)count;
}

/* The mean norm of the encoder's Jacobian, over the first `count` images. */
static double jacobian_norm(const tr_run *run, int64_t count)
{
    enum { BATCH = 100 };
    double sum = 0;
    for (int64_t i = 0; i < count && tr_status_get() == TR_OK; i += BATCH) {
        const int64_t end = i + BATCH < count ? i + BATCH : count;
        tr_scope     *scope = tr_scope_push();
        tr_tensor    *x = tr_dataset_images(run->dataset, TR_TEST, i, end);
        tr_tensor    *norms = tr_model_jacobian(run->model, x);
        if (norms != NULL) sum += tr_item(tr_sum(norms, TR_ALL_AXES, false));
        tr_scope_pop(scope);
    }
    return sum / (double)count;
}

/* How well the codes of the first `count` images tell the factors apart that they were made from.
 */
static tr_disentanglement factor_scores(const tr_run *run, int64_t count)
{
    enum { FACTORS = 5 };
    const double    circle = 2 * acos(-1);
    const tr_factor factors[FACTORS] = {
        { "shape", 3, 0 }, { "scale", 0, 0 }, { "angle", 0, circle }, { "x", 0, 0 }, { "y", 0, 0 }
    };
    const tr_dataset  *d = run->dataset;
    tr_disentanglement scores = { 0 };
    double             one[8];
    double            *values = tr_scope_alloc((uint64_t)(count * FACTORS) * sizeof *values);
    if (tr_dataset_factors(d, TR_TEST, 0, one) != FACTORS)
        tr_fail(TR_ERR_VALUE, "%s: the factors of its images are not known; those of shapes are",
                d->spec);
    for (int64_t i = 0; i < count && values != NULL; i++) {
        tr_dataset_factors(d, TR_TEST, i, one);
        memcpy(values + i * FACTORS, one, FACTORS * sizeof *values);
    }
    tr_tensor *codes = tr_encode_images(run->model, d, TR_TEST, count);
    if (codes != NULL) tr_disentanglement_scores(codes, values, factors, FACTORS, &scores);
    return scores;
}

/* What is measured beside the model's terms; how many there are. */
static int measure_extras(const args *a, const tr_run *run, int64_t count, extra *e)
{
    int          n = 0;
    const double mse = reconstruction_error(run, count);
    e[n++] = (extra){ "reconstruction_mse", "reconstruction MSE", "average per value", mse };
    e[n++] = (extra){ "reconstruction_psnr", "reconstruction PSNR", "dB", -10 * log10(mse) };
    if (has(a, "nll"))
        e[n++] =
            (extra){ "nll", "-ln p(x)", "nats per image", negative_log_likelihood(a, run, count) };
    if (has(a, "jacobian")) {
        const int64_t first = int_of(a, "jacobian", count);
        e[n++] = (extra){ "jacobian_norm", "|dz/dx|", "Frobenius norm, average per image",
                          jacobian_norm(run, first < count ? first : count) };
    }
    if (has(a, "factors")) {
        const tr_disentanglement s = factor_scores(run, count);
        e[n++] = (extra){ "mig", "MIG", "mutual information gap", s.mig };
        e[n++] = (extra){ "disentanglement", "disentanglement", "one factor for each number",
                          s.disentanglement };
        e[n++] =
            (extra){ "completeness", "completeness", "one number for each factor", s.completeness };
        e[n++] = (extra){ "informativeness", "informativeness", "R^2 of the factors",
                          s.informativeness };
    }
    return n;
}

static void print_eval(const args *a, const tr_run *run, int64_t count, const tr_metrics *metrics,
                       const extra *e, int extras)
{
    if (has(a, "json")) {
        tri_text t = { 0 };
        tri_text_add(&t, "{\"event\":\"eval\",\"model\":");
        tri_text_string(&t, run->model->type->name);
        tri_text_add(&t, ",\"data\":");
        tri_text_string(&t, run->dataset->spec);
        tri_text_add(&t, ",\"images\":%lld,", (long long)count);
        add_metrics(&t, "test", metrics);
        for (int i = 0; i < extras; i++) {
            tri_text_add(&t, ",\"%s\":", e[i].key);
            tri_text_number(&t, e[i].value);
        }
        tri_text_add(&t, "}");
        print_json(&t);
    } else if (!has(a, "quiet")) {
        printf("%s on %lld test images of %s\n", run->model->type->name, (long long)count,
               run->dataset->name);
        for (int i = 0; i < metrics->count; i++)
            printf("  %-22s %-12.6g %s\n", metrics->name[i], metrics->value[i],
                   tr_unit_name(run->model->type->unit));
        for (int i = 0; i < extras; i++)
            printf("  %-22s %-12.6g %s\n", e[i].name, e[i].value, e[i].unit);
    }
}

int run_eval(const args *a)
{
    tr_run *run = open_run(a, TR_OPEN_WEIGHTS, true);
    if (run == NULL) return end_setup();
    tr_metrics metrics;
    extra      extras[MOST_EXTRAS];
    int64_t    count = run->dataset->count[TR_TEST];
    if (int_of(a, "limit", count) < count) count = int_of(a, "limit", count);
    if (count == 0) tr_fail(TR_ERR_VALUE, "%s has no test split", run->dataset->spec);
    tr_evaluate(
        run->model, run->dataset,
        &(tr_evaluate_options){ .split = TR_TEST,
                                .batch = run->options.batch,
                                .limit = count,
                                .seed = (uint64_t)int_of(a, "seed", (int64_t)run->options.seed) },
        &metrics);
    const int n = measure_extras(a, run, count, extras);
    if (tr_status_get() != TR_OK) return end_run();
    print_eval(a, run, count, &metrics, extras, n);
    return EXIT_OK;
}

const arg_option report_options[] = { ARG_DATA, { 0 } };

int run_report(const args *a)
{
    tr_run *run = open_run(a, TR_OPEN_HISTORY, true);
    if (run == NULL) return end_setup();
    tr_run_report(run);
    if (tr_status_get() != TR_OK) return end_run();
    if (has(a, "json")) {
        tri_text t = { 0 };
        tri_text_add(&t, "{\"event\":\"report\",\"out\":");
        tri_text_string(&t, run->dir);
        tri_text_add(&t, "}");
        print_json(&t);
    } else if (!has(a, "quiet")) {
        printf("%s/report.html\n", run->dir);
    }
    return EXIT_OK;
}
