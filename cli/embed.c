/* embed.c: `embed` and `probe`: the codes as data, as a map, and as features of a classifier.
 * Read next: train/probe.c. */
#include "cli/uses.h"

#include "tensor/core.h"

#include <math.h>
#include <string.h>

const arg_option embed_options[] = {
    ARG_DATA,
    ARG_OUT("codes as .npy or .csv (labels in its first column) [RUN/codes.npy]"),
    { "picture", 0, ARG_TEXT, "FILE", 0, 0, "the map of the codes [RUN/embed.png]" },
    { "train", 0, ARG_FLAG, NULL, 0, 0, "of the train split, not of the test split" },
    { "limit", 0, ARG_INT, "N", 1, 1e12, "of the first N images only [all]" },
    { "map", 0, ARG_TEXT, "KIND", 0, 0,
      "plane: the principal one; tsne: neighbours together [plane]" },
    { "points", 0, ARG_INT, "N", 2, 1e6, "draw at most N points [5000; tsne: 2000]" },
    { "perplexity", 0, ARG_NUMBER, "X", 1, 1e6, "tsne: neighbours of a point, in effect [30]" },
    { "iterations", 0, ARG_INT, "N", 1, 1e6, "tsne: steps of descent [500]" },
    { 0 },
};
const arg_option probe_options[] = {
    ARG_DATA,
    ARG_OUT("chart: .png, .pgm or .ppm [RUN/probe.png]"),
    { "limit", 0, ARG_INT, "N", 1, 1e12, "train on the first N images at most [20000]" },
    { "test-limit", 0, ARG_INT, "N", 1, 1e12, "test on the first N test images [5000]" },
    { "neighbours", 'k', ARG_INT, "K", 0, 1000,
      "of the nearest-neighbour classifier; 0: leave it out, which saves time [5]" },
    { "seed", 0, ARG_INT, "N", 0, 0x1p53, "of random numbers [0]" },
    { 0 },
};

/* --- embed -------------------------------------------------------------------------------- */

static tr_status write_codes(const char *path, const tr_tensor *codes, const tr_tensor *labels)
{
    tri_writer    w;
    const int64_t n = tr_dim(codes, 0), d = tr_dim(codes, 1);
    const float  *value = codes->data;
    if (ends_with(path, ".npy")) return tr_save_npy(path, codes);
    if (tri_writer_open(&w, path) != TR_OK) return tr_status_get();
    if (labels != NULL) tri_writer_printf(&w, "label,");
    for (int64_t j = 0; j < d; j++)
        tri_writer_printf(&w, "z%lld%c", (long long)j, j + 1 == d ? '\n' : ',');
    for (int64_t i = 0; i < n; i++) {
        if (labels != NULL)
            tri_writer_printf(&w, "%lld,", (long long)((const int64_t *)labels->data)[i]);
        for (int64_t j = 0; j < d; j++)
            tri_writer_printf(&w, "%.9g%c", (double)value[i * d + j], j + 1 == d ? '\n' : ',');
    }
    return tri_writer_close(&w);
}

/* The map of the first codes, with its axes' names; *last is what it says of itself. */
static tr_tensor *place_points(const args *a, tr_tensor *codes, bool tsne, const char **axis,
                               figure *last)
{
    const tr_tsne_options o = { .perplexity = number_of(a, "perplexity", 30),
                                .iterations = int_of(a, "iterations", 500) };
    *axis = tsne ? "t-SNE axis" : tr_dim(codes, 1) <= 2 ? "code" : "component";
    *last = tsne ? (figure){ "kl", "nats, of neighbours here from neighbours there", 0 }
                 : (figure){ "plane_share", "of the variance is in the map", 0 };
    return tsne ? tr_tsne(codes, &o, &last->value) : tr_project_plane(codes, &last->value);
}

int run_embed(const args *a)
{
    const char *kind = text_of(a, "map", "plane");
    const bool  tsne = strcmp(kind, "tsne") == 0;
    if (!tsne && strcmp(kind, "plane") != 0)
        return usage_error(a, "--map is %s; it must be plane or tsne", kind);
    tr_run *run = has(a, "train") ? open_use(a) : open_rows(a);
    if (run == NULL) return end_setup();
    const tr_dataset   *d = run->dataset;
    const tr_data_split split = has(a, "train") ? TR_TRAIN : TR_TEST;
    const int64_t       n = at_most(d->count[split], int_of(a, "limit", 0));
    tr_tensor          *codes = tr_encode_images(run->model, d, split, n);
    tr_tensor          *labels = d->classes > 0 ? tr_dataset_labels(d, split, 0, n) : NULL;
    const char         *path = out_path(a, run, "codes.npy"), *axis;
    const char         *picture = text_of(a, "picture", text_from("%s/embed.png", run->dir));
    if (codes == NULL || path == NULL || write_codes(path, codes, labels) != TR_OK)
        return end_run();
    const int64_t    drawn = at_most(n, int_of(a, "points", tsne ? 2000 : 5000));
    figure           last;
    const tr_tensor *points = place_points(a, tr_narrow(codes, 0, 0, drawn), tsne, &axis, &last);
    if (points == NULL) return end_run();
    const tr_tensor *map = tri_plot_points(
        &(tri_point_plot){ .title = text_from("Codes of %lld images", (long long)drawn),
                           .x_label = text_from("first %s", axis),
                           .y_label = text_from("second %s", axis),
                           .points = points,
                           .labels = labels,
                           .classes = d->classes,
                           .class_names = d->class_names });
    if (map != NULL) tr_save_image(picture, map);
    if (tr_status_get() == TR_OK)
        tell(a, path,
             (figure[]){ { "codes", "", (double)n },
                         { "numbers", "in a code", (double)tr_dim(codes, 1) },
                         last },
             3, NULL);
    return end_run();
}

/* --- probe -------------------------------------------------------------------------------- */

enum { FEATURES = 3, MOST_SIZES = 3, PCA_ROWS = 10000 };

/* Code, pixels and principal components, as many as the code has numbers, of both splits. */
static tr_status make_features(const tr_run *run, const int64_t count[2],
                               tr_features features[FEATURES][2])
{
    const tr_dataset *d = run->dataset;
    tr_pca            pca = { 0 };
    for (int s = 0; s < 2; s++) {
        tr_tensor *labels = tr_dataset_labels(d, s == 0 ? TR_TRAIN : TR_TEST, 0, count[s]);
        tr_tensor *pixels = image_rows(d, s == 0 ? TR_TRAIN : TR_TEST, count[s]);
        tr_tensor *codes = tr_encode_images(run->model, d, s == 0 ? TR_TRAIN : TR_TEST, count[s]);
        if (tr_status_get() != TR_OK) return tr_status_get();
        if (s == 0)
            tr_pca_fit(tr_slice(pixels, 0, 0, PCA_ROWS, 1),
                       at_most(tr_dim(pixels, 1), tr_dim(codes, 1)), &pca);
        features[0][s] = (tr_features){ codes, labels };
        features[1][s] = (tr_features){ pixels, labels };
        features[2][s] = (tr_features){ tr_pca_encode(&pca, pixels), labels };
    }
    return tr_status_get();
}

static tr_features first_rows(const tr_features *f, int64_t count)
{
    return (tr_features){ tr_narrow(f->x, 0, 0, count), tr_narrow(f->labels, 0, 0, count) };
}

static int draw_probe(const args *a, const tr_run *run, const double *sizes, int size_count,
                      const double *cells, const char **labels)
{
    static const char *const name[2] = { "linear", "knn" };
    double                   y[2 * FEATURES][MOST_SIZES];
    const char              *columns[MOST_SIZES];
    tri_line_plot            plot = { .title = "Accuracy of classifiers on few labels",
                                      .x_label = "labels",
                                      .y_label = "accuracy",
                                      .count = 2 * FEATURES,
                                      .log_x = true };
    for (int i = 0; i < 2 * FEATURES; i++) {
        for (int k = 0; k < size_count; k++) y[i][k] = cells[i * size_count + k];
        plot.line[i] = (tri_line){ .name = labels[i],
                                   .x = sizes,
                                   .y = y[i],
                                   .count = size_count,
                                   .thin = strstr(labels[i], name[1]) != NULL };
    }
    for (int k = 0; k < size_count; k++) columns[k] = text_from("labels_%.0f", sizes[k]);
    return finish_picture(
        a, run, "probe.png", tri_plot_lines(&plot),
        &(figure){ "linear_accuracy", "of the code, all labels", cells[size_count - 1] }, 1,
        &(table){ .name = "classifiers",
                  .key = "classifier",
                  .labels = labels,
                  .columns = columns,
                  .cells = cells,
                  .rows = 2 * FEATURES,
                  .column_count = size_count });
}

int run_probe(const args *a)
{
    static const char *labels[2 * FEATURES] = { "code linear", "pixels linear", "pca linear",
                                                "code knn",    "pixels knn",    "pca knn" };
    tr_run            *run = open_use(a);
    if (run == NULL) return end_setup();
    const tr_dataset *d = run->dataset;
    const int64_t     count[2] = { at_most(d->count[TR_TRAIN], int_of(a, "limit", 20000)),
                                   at_most(d->count[TR_TEST], int_of(a, "test-limit", 5000)) };
    tr_features       features[FEATURES][2];
    double            sizes[MOST_SIZES], cells[2 * FEATURES * MOST_SIZES];
    const int64_t     neighbours = int_of(a, "neighbours", 5);
    int               size_count = 0;
    if (make_features(run, count, features) != TR_OK) return end_setup();
    if (count[0] > 100) sizes[size_count++] = 100;
    if (count[0] > 1000) sizes[size_count++] = 1000;
    sizes[size_count++] = (double)count[0];
    for (int i = 0; i < FEATURES; i++)
        for (int k = 0; k < size_count; k++) {
            tr_scope         *scope = tr_scope_push();
            const tr_features train = first_rows(&features[i][0], (int64_t)sizes[k]);
            cells[i * size_count + k] = tr_linear_accuracy(&train, &features[i][1], d->classes,
                                                           (uint64_t)int_of(a, "seed", 0));
            cells[(FEATURES + i) * size_count + k] =
                neighbours > 0 ? tr_knn_accuracy(&train, &features[i][1], neighbours) : (double)NAN;
            tr_scope_pop(scope);
        }
    return draw_probe(a, run, sizes, size_count, cells, labels);
}
