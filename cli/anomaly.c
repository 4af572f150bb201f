/* anomaly.c: `anomaly`: scores the images of the test split, or of a file, by how badly the model
 * explains them; tells how well that finds the classes it was not trained on.
 * Read next: train/anomaly.c. */
#include "cli/uses.h"

#include "tensor/core.h"

#include <math.h>
#include <string.h>

const arg_option anomaly_options[] = {
    ARG_DATA,
    ARG_OUT("scores as CSV [RUN/anomaly.csv]"),
    { "picture", 0, ARG_TEXT, "FILE", 0, 0,
      "the most and the least anomalous images [RUN/anomaly.png]" },
    { "normal", 0, ARG_TEXT, "A,B,..", 0, 0, "the classes that are normal [the run's]" },
    { "exclude", 0, ARG_TEXT, "A,B,..", 0, 0, "all classes but these are normal" },
    { "score", 0, ARG_TEXT, "KIND", 0, 0,
      "error, or elbo for models with a likelihood [elbo where there is one]" },
    { "samples", 0, ARG_INT, "N", 1, 10000, "codes for each image's ELBO [8]" },
    { "quantile", 0, ARG_NUMBER, "Q", 0, 1,
      "the threshold is this quantile of normal validation scores [0.95]" },
    { "limit", 0, ARG_INT, "N", 1, 1e12, "score the first N images only [all]" },
    { "count", 'n', ARG_INT, "N", 1, 100, "images in a row of the picture [12]" },
    { "seed", 0, ARG_INT, "N", 0, 0x1p53, "of random numbers [0]" },
    { 0 },
};

typedef struct findings {
    int64_t    count;
    double    *score;     /* [count] */
    bool      *anomalous; /* [count], or NULL where nobody knows */
    tr_tensor *labels;    /* i64 [count], or NULL */
    double     threshold;
} findings;

/* --- Scores ------------------------------------------------------------------------------- */

static bool score_options(const args *a, tr_anomaly_options *o)
{
    const char *kind = text_of(a, "score", "auto");
    *o = (tr_anomaly_options){ .samples = int_of(a, "samples", 0),
                               .seed = (uint64_t)int_of(a, "seed", 0) };
    if (strcmp(kind, "error") == 0) {
        o->kind = TR_SCORE_ERROR;
    } else if (strcmp(kind, "elbo") == 0) {
        o->kind = TR_SCORE_ELBO;
    } else if (strcmp(kind, "auto") != 0) {
        usage_error(a, "--score is %s; it must be error or elbo", kind);
        return false;
    }
    return true;
}

/* A quantile of the scores of validation images: the end of the train split, which is not trained
 * on in a run with --val-split or --classes. */
static double find_threshold(const args *a, const tr_run *run, const char *normal,
                             const tr_anomaly_options *o)
{
    enum { MOST = 2000 };
    const tr_dataset *d = tr_dataset_open(run->data, &(tr_dataset_options){ .classes = normal });
    if (d == NULL) return (double)NAN;
    const double  share = run->options.val_split > 0 ? run->options.val_split : 0.1;
    const int64_t n = d->count[TR_TRAIN], wanted = (int64_t)(share * (double)n) + 1;
    const int64_t count = at_most(at_most(n, wanted), MOST);
    double       *score = tr_scope_alloc((uint64_t)count * sizeof *score);
    if (score == NULL) return (double)NAN;
    tr_anomaly_scores(run->model, d, TR_TRAIN, n - count, n, o, score);
    return tr_quantile(score, count, number_of(a, "quantile", 0.95));
}

static tr_status find(const args *a, const tr_run *run, const tr_anomaly_options *o, findings *f)
{
    const char       *normal = chosen_classes(a, "normal");
    const tr_dataset *d = run->dataset, *known = d;
    if (normal == NULL) normal = run->classes;
    f->count = at_most(d->count[TR_TEST], int_of(a, "limit", 0));
    f->score = tr_scope_alloc((uint64_t)f->count * sizeof *f->score);
    f->labels = d->classes > 0 ? tr_dataset_labels(d, TR_TEST, 0, f->count) : NULL;
    if (normal != NULL && f->labels != NULL) {
        f->anomalous = tr_scope_alloc((uint64_t)f->count * sizeof *f->anomalous);
        known = tr_dataset_open(d->spec, &(tr_dataset_options){ .classes = normal });
    }
    f->threshold = find_threshold(a, run, normal, o);
    if (tr_status_get() != TR_OK) return tr_status_get();
    for (int64_t i = 0; i < f->count && f->anomalous != NULL; i++)
        f->anomalous[i] = !tr_dataset_has_class(known, ((int64_t *)f->labels->data)[i]);
    return tr_anomaly_scores(run->model, d, TR_TEST, 0, f->count, o, f->score);
}

static tr_status write_scores(const char *path, const findings *f)
{
    tri_writer w;
    if (path == NULL || tri_writer_open(&w, path) != TR_OK) return tr_status_get();
    tri_writer_printf(&w, "index,%sscore,flagged%s\n", f->labels != NULL ? "label," : "",
                      f->anomalous != NULL ? ",anomalous" : "");
    for (int64_t i = 0; i < f->count; i++) {
        tri_writer_printf(&w, "%lld,", (long long)i);
        if (f->labels != NULL)
            tri_writer_printf(&w, "%lld,", (long long)((int64_t *)f->labels->data)[i]);
        tri_writer_printf(&w, "%.9g,%d", f->score[i], f->score[i] > f->threshold);
        if (f->anomalous != NULL) tri_writer_printf(&w, ",%d", f->anomalous[i]);
        tri_writer_printf(&w, "\n");
    }
    return tri_writer_close(&w);
}

/* --- Picture ------------------------------------------------------------------------------ */

/* The `count` images with the highest scores, or the lowest. */
static tr_tensor *extremes(const tr_run *run, const findings *f, int64_t count, bool least)
{
    tr_tensor       *scores = tr_from(TR_F64, TR_SHAPE(f->count), f->score), *parts[100];
    const tr_tensor *order = tr_argsort(scores, 0, !least);
    for (int64_t k = 0; k < count && order != NULL; k++) {
        const int64_t i = ((const int64_t *)order->data)[k];
        parts[k] = tr_dataset_images(run->dataset, TR_TEST, i, i + 1);
    }
    return order != NULL ? tr_concat(parts, (int)count, 0) : NULL;
}

static tr_status draw(const args *a, const tr_run *run, const findings *f, const char *path)
{
    static const char *const labels[] = { "most anomalous", "reconstructed", "least anomalous",
                                          "reconstructed" };
    const int64_t            count = at_most(f->count, int_of(a, "count", 12));
    tr_tensor *rows[4] = { extremes(run, f, count, false), NULL, extremes(run, f, count, true) };
    rows[1] = tr_model_reconstruct(run->model, rows[0]);
    rows[3] = tr_model_reconstruct(run->model, rows[2]);
    const tr_tensor *picture = tri_plot_rows(&(tri_rows_plot){
        .images = tr_concat(rows, 4, 0), .columns = count, .row_labels = labels });
    return picture != NULL ? tr_save_image(path, picture) : tr_status_get();
}

/* --- The command -------------------------------------------------------------------------- */

/* Figures of the scores, more of them where the truth is known; returns how many. */
static int judge(const findings *f, figure figures[8])
{
    double flagged = 0, hits = 0, anomalies = 0;
    for (int64_t i = 0; i < f->count; i++) {
        const bool above = f->score[i] > f->threshold;
        const bool is = f->anomalous != NULL && f->anomalous[i];
        flagged += above;
        anomalies += is;
        hits += above && is;
    }
    const double normals = (double)f->count - anomalies;
    int          count = 0;
    figures[count++] = (figure){ "images", "", (double)f->count };
    figures[count++] = (figure){ "threshold", "", f->threshold };
    figures[count++] = (figure){ "flagged", "above the threshold", flagged };
    if (f->anomalous == NULL) return count;
    figures[count++] = (figure){ "anomalies", "of classes that are not normal", anomalies };
    figures[count++] = (figure){ "roc_auc", "", tr_roc_auc(f->score, f->anomalous, f->count) };
    figures[count++] =
        (figure){ "average_precision", "", tr_average_precision(f->score, f->anomalous, f->count) };
    figures[count++] = (figure){ "recall", "of anomalies, at the threshold", hits / anomalies };
    figures[count++] = (figure){ "false_alarms", "of normal images, at the threshold",
                                 (flagged - hits) / normals };
    return count;
}

int run_anomaly(const args *a)
{
    tr_anomaly_options options;
    findings           f = { 0 };
    figure             figures[8];
    if (has(a, "normal") && has(a, "exclude"))
        return usage_error(a, "give --normal or --exclude, not both");
    if (!score_options(a, &options)) return EXIT_USAGE;
    tr_run *run = open_use(a);
    if (run == NULL || find(a, run, &options, &f) != TR_OK) return end_setup();
    const char *path = out_path(a, run, "anomaly.csv");
    write_scores(path, &f);
    if (draws(run->dataset))
        draw(a, run, &f, text_of(a, "picture", text_from("%s/anomaly.png", run->dir)));
    if (tr_status_get() == TR_OK) tell(a, path, figures, judge(&f, figures), NULL);
    return end_run();
}
