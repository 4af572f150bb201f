/* anomaly.c: `anomaly`: scores the images of the test split, or the rows of a table, by how badly
 * the model explains them; tells how well that finds the classes it was not trained on.
 * Read next: train/anomaly.c. */
#include "cli/uses.h"

#include "datasets/csv.h"

#include <math.h>
#include <string.h>

const arg_option anomaly_options[] = {
    ARG_DATA,
    ARG_OUT("scores as CSV [RUN/anomaly.csv]"),
    { "picture", 0, ARG_TEXT, "FILE", 0, 0,
      "the most and the least anomalous images; of tables what each column adds to the scores "
      "[RUN/anomaly.png]" },
    { "normal", 0, ARG_TEXT, "A,B,..", 0, 0,
      "the classes that are normal [the run's; of two classes the more frequent]" },
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
    float     *column; /* of tables, [count, columns]: what each column adds to the score */
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
    const tr_dataset *d =
        tr_dataset_open(run->data, &(tr_dataset_options){ .classes = normal, .table = run->table });
    if (d == NULL) return (double)NAN;
    const double  share = run->options.val_split > 0 ? run->options.val_split : 0.1;
    const int64_t n = d->count[TR_TRAIN], wanted = (int64_t)(share * (double)n) + 1;
    const int64_t count = at_most(at_most(n, wanted), MOST);
    double       *score = tr_scope_alloc((uint64_t)count * sizeof *score);
    if (score == NULL) return (double)NAN;
    tr_anomaly_scores(run->model, d, TR_TRAIN, n - count, n, o, score);
    return tr_quantile(score, count, number_of(a, "quantile", 0.95));
}

/* The classes that are normal; NULL where nothing says which. */
static const char *normal_classes(const args *a, const tr_run *run, const findings *f)
{
    const char *chosen = chosen_classes(a, "normal");
    int64_t     second = 0;
    if (chosen != NULL || run->classes != NULL) return chosen != NULL ? chosen : run->classes;
    if (f->labels == NULL || run->dataset->classes != 2) return NULL;
    for (int64_t i = 0; i < f->count; i++) second += ((int64_t *)f->labels->data)[i];
    return class_name(run->dataset, 2 * second > f->count);
}

/* Squared errors over the values of each column; the error of the row is their mean over values. */
static tr_status find_columns(const tr_run *run, findings *f)
{
    enum { BATCH = 200 };
    const tr_table *t = run->dataset->table;
    if (t == NULL) return tr_status_get();
    f->column = tr_scope_alloc((uint64_t)(f->count * t->columns) * sizeof *f->column);
    for (int64_t i = 0; i < f->count && f->column != NULL; i += BATCH) {
        const int64_t n = f->count - i < BATCH ? f->count - i : BATCH;
        tr_batch      b;
        tr_scope     *scope = tr_scope_push();
        tr_dataset_read(run->dataset, TR_TEST, i, i + n, &b);
        tr_tensor *target = b.target != NULL ? b.target : b.x;
        tr_tensor *away = tr_square(tr_sub(tr_model_reconstruct(run->model, b.x), target));
        if (tr_status_get() == TR_OK && b.known != NULL) away = tr_mul(away, b.known);
        const float *v = away != NULL ? away->data : NULL;
        for (int64_t c = 0; c < n * t->columns && v != NULL; c++) {
            const tr_column *column = &t->column[c % t->columns];
            const int64_t    width = column->kind == TR_COLUMN_NUMBER     ? 1
                                     : column->kind == TR_COLUMN_CATEGORY ? column->categories
                                                                          : 0;
            for (int64_t k = 0; k < width; k++)
                f->column[i * t->columns + c] += v[c / t->columns * t->values + column->first + k];
        }
        tr_scope_pop(scope);
    }
    return tr_status_get();
}

static tr_status find(const args *a, const tr_run *run, const tr_anomaly_options *o, findings *f)
{
    const tr_dataset *d = run->dataset, *known = d;
    f->count = at_most(d->count[TR_TEST], int_of(a, "limit", 0));
    f->score = tr_scope_alloc((uint64_t)f->count * sizeof *f->score);
    f->labels = d->classes > 0 ? tr_dataset_labels(d, TR_TEST, 0, f->count) : NULL;
    const char *normal = normal_classes(a, run, f);
    if (normal != NULL && f->labels != NULL) {
        f->anomalous = tr_scope_alloc((uint64_t)f->count * sizeof *f->anomalous);
        known =
            tr_dataset_open(run->table != NULL ? run->data : d->spec, /* with the same numbers */
                            &(tr_dataset_options){ .classes = normal, .table = run->table });
    }
    f->threshold = find_threshold(a, run, normal, o);
    if (tr_status_get() != TR_OK) return tr_status_get();
    for (int64_t i = 0; i < f->count && f->anomalous != NULL; i++)
        f->anomalous[i] = !tr_dataset_has_class(known, ((int64_t *)f->labels->data)[i]);
    tr_anomaly_scores(run->model, d, TR_TEST, 0, f->count, o, f->score);
    return find_columns(run, f);
}

/* The column of a table that adds most to the score of row i. */
static const char *worst_column(const tr_table *t, const findings *f, int64_t i)
{
    const float *part = f->column + i * t->columns;
    int64_t      worst = 0;
    for (int64_t c = 1; c < t->columns; c++)
        if (part[c] > part[worst]) worst = c;
    return t->column[worst].name;
}

/* Rows of a table are counted from 1, as a reader of the file would. */
static tr_status write_scores(const char *path, const tr_dataset *d, const findings *f)
{
    const tr_table *t = d->table;
    tri_writer      w;
    if (path == NULL || tri_writer_open(&w, path) != TR_OK) return tr_status_get();
    tri_writer_printf(&w, "%s,%sscore,flagged%s%s\n", t != NULL ? "row" : "index",
                      f->labels != NULL ? "label," : "", f->anomalous != NULL ? ",anomalous" : "",
                      t != NULL ? ",worst_column" : "");
    for (int64_t i = 0; i < f->count; i++) {
        const int64_t label = f->labels != NULL ? ((int64_t *)f->labels->data)[i] : -1;
        tri_writer_printf(&w, "%lld,",
                          (long long)(t != NULL ? tr_dataset_row(d, TR_TEST, i) + 1 : i));
        if (label >= 0) {
            tri_csv_write_cell(&w, class_name(d, label), ',');
            tri_writer_printf(&w, ",");
        }
        tri_writer_printf(&w, "%.9g,%d", f->score[i], f->score[i] > f->threshold);
        if (f->anomalous != NULL) tri_writer_printf(&w, ",%d", f->anomalous[i]);
        if (t != NULL) tri_writer_printf(&w, ",");
        if (t != NULL) tri_csv_write_cell(&w, worst_column(t, f, i), ',');
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

/* What each column adds to the score on average, of the rows above the threshold and of others. */
static tr_status draw_columns(const tr_run *run, const findings *f, const char *path)
{
    enum { MOST = 40 };
    static const char *const names[] = { "flagged", "others" };
    const tr_table          *t = run->dataset->table;
    const char              *labels[MOST];
    double                   bars[2 * MOST], count[2] = { 0, 0 };
    int                      rows = 0;
    for (int64_t i = 0; i < f->count; i++) count[f->score[i] > f->threshold ? 0 : 1]++;
    for (int64_t c = 0; c < t->columns && rows < MOST; c++) {
        double sum[2] = { 0, 0 };
        if (t->column[c].kind > TR_COLUMN_CATEGORY) continue;
        for (int64_t i = 0; i < f->count; i++)
            sum[f->score[i] > f->threshold ? 0 : 1] += (double)f->column[i * t->columns + c];
        for (int k = 0; k < 2; k++) bars[2 * rows + k] = sum[k] / count[k];
        labels[rows++] = t->column[c].name;
    }
    const tr_tensor *picture =
        tri_plot_bars(&(tri_bar_plot){ .title = "Squared error of each column, mean over rows",
                                       .labels = labels,
                                       .names = names,
                                       .values = bars,
                                       .rows = rows,
                                       .bars = 2 });
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
    tr_run *run = open_rows(a);
    if (run == NULL || find(a, run, &options, &f) != TR_OK) return end_setup();
    const char *path = out_path(a, run, "anomaly.csv");
    write_scores(path, run->dataset, &f);
    const char *picture = text_of(a, "picture", text_from("%s/anomaly.png", run->dir));
    if (draws(run->dataset))
        draw(a, run, &f, picture);
    else if (f.column != NULL)
        draw_columns(run, &f, picture);
    if (tr_status_get() == TR_OK) tell(a, path, figures, judge(&f, figures), NULL);
    return end_run();
}
