/* latent.c: `traverse`, `manifold`, `arithmetic`: pictures of the space of codes.
 * Read next: train/latent.c, where the codes are made. */
#include "cli/uses.h"

#include <math.h>
#include <string.h>

enum { LOOK_AT = 2000 }; /* images whose codes tell ranges and means */

#define PICTURE(name) ARG_OUT("picture: .png, .pgm or .ppm [RUN/" name ".png]")
#define ZOOM                                                                                       \
    {                                                                                              \
        "zoom", 0, ARG_INT, "N", 1, 64, "draw each pixel N x N"                                    \
    }

const arg_option traverse_options[] = {
    ARG_DATA,
    PICTURE("traverse"),
    { "latents", 0, ARG_TEXT, "I,J,..", 0, 0, "which ones [the ten that vary most]" },
    { "count", 'n', ARG_INT, "N", 1, 256, "how many, those that vary most [10]" },
    { "steps", 0, ARG_INT, "N", 2, 100, "images in a row [9]" },
    { "image", 0, ARG_INT, "I", 0, 1e12, "start from this test image's code [0]" },
    ZOOM,
    { 0 },
};
const arg_option manifold_options[] = {
    ARG_DATA,
    PICTURE("manifold"),
    { "size", 'n', ARG_INT, "N", 2, 200, "images in a row and in a column [20]" },
    ZOOM,
    { 0 },
};
const arg_option arithmetic_options[] = {
    ARG_DATA,
    PICTURE("arithmetic"),
    { "a", 0, ARG_TEXT, "CLASS", 0, 0, "the class that is added; a number or a name [0]" },
    { "b", 0, ARG_TEXT, "CLASS", 0, 0, "the class that is taken away [1]" },
    { "c", 0, ARG_TEXT, "CLASS", 0, 0, "the class that is changed [2]" },
    { "count", 'n', ARG_INT, "N", 1, 100, "images of each class to show [8]" },
    ZOOM,
    { 0 },
};

/* --- traverse ----------------------------------------------------------------------------- */

/* Standard deviation of each column of rows [N, D]. */
static const double *deviations(tr_tensor *codes)
{
    const tr_tensor *v = tr_cast(tr_var(codes, TR_AXES(0), 0, false), TR_F64);
    double          *spread = tr_scope_alloc((uint64_t)tr_dim(codes, 1) * sizeof *spread);
    if (v == NULL || spread == NULL || tr_copy_out(v, spread) != TR_OK) return NULL;
    for (int64_t j = 0; j < tr_dim(codes, 1); j++) spread[j] = sqrt(spread[j]);
    return spread;
}

/* The `count` largest values' places, largest first. */
static int choose_largest(const double *values, int64_t size, int64_t count,
                          int64_t chosen[MAX_LIST])
{
    int made = 0;
    while (made < count && made < size && made < MAX_LIST) {
        int64_t best = -1;
        for (int64_t j = 0; j < size; j++) {
            bool used = false;
            for (int k = 0; k < made; k++) used |= chosen[k] == j;
            if (!used && (best < 0 || values[j] > values[best])) best = j;
        }
        chosen[made++] = best;
    }
    return made;
}

/* Root of the mean squared change of a pixel from the first to the last image of a row. */
static double effect(const tr_tensor *images, int64_t row, int64_t steps)
{
    const int64_t pixels = tr_numel(images) / tr_dim(images, 0);
    const float  *first = (const float *)images->data + row * steps * pixels;
    const float  *last = first + (steps - 1) * pixels;
    double        sum = 0;
    for (int64_t i = 0; i < pixels; i++)
        sum += ((double)last[i] - (double)first[i]) * ((double)last[i] - (double)first[i]);
    return sqrt(sum / (double)pixels);
}

static int draw_traverse(const args *a, const tr_run *run, tr_tensor *images, const int64_t *latent,
                         int count, const double *spread)
{
    static const char *const columns[] = { "deviation", "effect" };
    const int64_t            steps = int_of(a, "steps", 9);
    const char             **labels = tr_scope_alloc((uint64_t)count * sizeof *labels);
    const char             **above = tr_scope_alloc((uint64_t)steps * sizeof *above);
    double                  *cells = tr_scope_alloc((uint64_t)count * 2 * sizeof *cells);
    if (images == NULL || labels == NULL || above == NULL || cells == NULL) return end_run();
    for (int i = 0; i < count; i++) {
        labels[i] = text_from("z%lld", (long long)latent[i]);
        cells[2 * i] = spread[latent[i]];
        cells[2 * i + 1] = effect(images, i, steps);
    }
    for (int64_t i = 0; i < steps && run->model->type->sample != NULL; i++)
        above[i] = text_from("%.2g", -3 + 6 * (double)i / (double)(steps - 1));
    const tr_tensor *picture = tri_plot_rows(&(tri_rows_plot){ .images = images,
                                                               .columns = steps,
                                                               .zoom = int_of(a, "zoom", 0),
                                                               .row_labels = labels,
                                                               .column_labels = above });
    return finish_picture(a, run, "traverse.png", picture, NULL, 0,
                          &(table){ .name = "latents",
                                    .key = "latent",
                                    .labels = labels,
                                    .columns = columns,
                                    .cells = cells,
                                    .rows = count,
                                    .column_count = 2 });
}

int run_traverse(const args *a)
{
    tr_run *run = open_use(a);
    if (run == NULL) return end_setup();
    const int64_t tests = run->dataset->count[TR_TEST], image = int_of(a, "image", 0);
    if (image >= tests)
        return usage_error(a, "--image is %lld; the test split has 0 .. %lld", (long long)image,
                           (long long)tests - 1);
    tr_tensor *codes = tr_encode_images(run->model, run->dataset, TR_TEST, at_most(tests, LOOK_AT));
    tr_tensor *code = tr_flatten(
        tr_model_encode(run->model, tr_dataset_images(run->dataset, TR_TEST, image, image + 1)), 0);
    if (code == NULL || codes == NULL) return end_run();
    const int64_t size = tr_dim(codes, 1);
    const double *spread = deviations(codes);
    double       *range = tr_scope_alloc((uint64_t)size * 2 * sizeof *range);
    int64_t       latent[MAX_LIST];
    if (spread == NULL || range == NULL) return end_run();
    const int count = has(a, "latents")
                          ? read_list(a, "latents", 0, size - 1, latent)
                          : choose_largest(spread, size, int_of(a, "count", 10), latent);
    if (count < 0) return EXIT_USAGE;
    tr_code_range(run->model, codes, range, range + size);
    tr_tensor *images =
        tr_traverse(run->model, code, latent, count, int_of(a, "steps", 9), range, range + size);
    return draw_traverse(a, run, images, latent, count, spread);
}

/* --- manifold ----------------------------------------------------------------------------- */

int run_manifold(const args *a)
{
    tr_run *run = open_use(a);
    if (run == NULL) return end_setup();
    double         low[2] = { 0 }, high[2] = { 0 };
    const int64_t  size = int_of(a, "size", 20), tests = run->dataset->count[TR_TEST];
    const char   **labels = tr_scope_alloc((uint64_t)size * 2 * sizeof *labels);
    const tr_shape shape = tr_code_shape(run->model);
    if (labels == NULL || shape.rank == 0) return end_run();
    if (tr_numel(tr_zeros(TR_U8, shape)) == 2)
        tr_code_range(run->model,
                      tr_encode_images(run->model, run->dataset, TR_TEST, at_most(tests, LOOK_AT)),
                      low, high);
    tr_tensor *images = tr_manifold(run->model, size, low, high);
    if (images == NULL) return end_run();
    const bool prior = run->model->type->sample != NULL;
    for (int k = 0; k < 2; k++)
        for (int64_t i = 0; i < size; i++) {
            const int64_t place = k == 0 ? size - 1 - i : i; /* rows go down, columns right */
            const double  t = (double)place / (double)(size - 1);
            const double  z = prior ? tr_normal_quantile(((double)place + 0.5) / (double)size)
                                    : low[1 - k] + t * (high[1 - k] - low[1 - k]);
            labels[k * size + i] = i % 3 == 0 || i + 1 == size ? text_from("%.2f", z) : "";
        }
    const tr_tensor *picture =
        tri_plot_rows(&(tri_rows_plot){ .images = images,
                                        .columns = size,
                                        .zoom = int_of(a, "zoom", 1),
                                        .row_labels = labels,
                                        .column_labels = size <= 40 ? labels + size : NULL });
    const double images_drawn = (double)(size * size);
    return finish_picture(
        a, run, "manifold.png", picture,
        &(figure){ "images", prior ? "at normal quantiles" : "evenly spaced", images_drawn }, 1,
        NULL);
}

/* --- arithmetic --------------------------------------------------------------------------- */

static bool has_class(const tr_tensor *labels, int64_t label)
{
    for (int64_t i = 0; i < tr_dim(labels, 0); i++)
        if (((const int64_t *)labels->data)[i] == label) return true;
    return false;
}

/* The class whose mean code is nearest to a code. */
static int64_t nearest_class(tr_tensor *codes, const tr_tensor *labels, int64_t classes,
                             tr_tensor *code)
{
    int64_t best = -1;
    double  least = (double)INFINITY;
    for (int64_t k = 0; k < classes; k++) {
        if (!has_class(labels, k)) continue;
        tr_tensor   *away = tr_sub(tr_mean_code(codes, labels, k), code);
        const double distance = tr_item(tr_sum(tr_square(away), TR_ALL_AXES, false));
        if (distance < least) {
            least = distance;
            best = k;
        }
    }
    return best;
}

/* The codes of the first `count` images of a class, the mean of all above them: [count + 1, D]. */
static tr_tensor *class_rows(tr_tensor *codes, const tr_tensor *labels, int64_t label,
                             int64_t count)
{
    tr_tensor *rows[101];
    int        made = 1;
    tr_tensor *mean = tr_mean_code(codes, labels, label);
    rows[0] = tr_unsqueeze(mean, 0);
    for (int64_t i = 0; i < tr_dim(codes, 0) && made <= count; i++)
        if (((const int64_t *)labels->data)[i] == label) rows[made++] = tr_narrow(codes, 0, i, 1);
    while (made <= count) rows[made++] = rows[0];
    return mean != NULL ? tr_concat(rows, made, 0) : NULL;
}

int run_arithmetic(const args *a)
{
    static const char *const option[] = { "a", "b", "c" }, *const standard[] = { "0", "1", "2" };
    tr_run *run = open_use(a);
    if (run == NULL) return end_setup();
    const tr_dataset *d = run->dataset;
    const int64_t     n = at_most(d->count[TR_TEST], 5 * LOOK_AT), count = int_of(a, "count", 8);
    int64_t           label[3];
    for (int i = 0; i < 3; i++) label[i] = find_class(d, text_of(a, option[i], standard[i]));
    if (tr_status_get() != TR_OK) return end_setup();
    tr_tensor       *codes = tr_encode_images(run->model, d, TR_TEST, n), *rows[4];
    const tr_tensor *labels = tr_dataset_labels(d, TR_TEST, 0, n);
    if (codes == NULL || labels == NULL) return end_run();
    for (int i = 0; i < 3; i++) rows[i] = class_rows(codes, labels, label[i], count);
    tr_tensor *shift = tr_sub(tr_narrow(rows[0], 0, 0, 1), tr_narrow(rows[1], 0, 0, 1));
    rows[3] = tr_add(rows[2], shift);
    tr_tensor *images = tr_decode_rows(run->model, tr_concat(rows, 4, 0));
    if (images == NULL) return end_run();
    const int64_t nearest =
        nearest_class(codes, labels, d->classes, tr_flatten(tr_narrow(rows[3], 0, 0, 1), 0));
    const char *names[4], **above = tr_scope_alloc((uint64_t)(count + 1) * sizeof *above);
    if (above == NULL) return end_run();
    above[0] = "mean";
    for (int i = 0; i < 3; i++)
        names[i] = text_from("%s  %s", i == 0 ? "A" : i == 1 ? "B" : "C", class_name(d, label[i]));
    names[3] = "C+A-B";
    const tr_tensor *picture = tri_plot_rows(&(tri_rows_plot){ .images = images,
                                                               .columns = count + 1,
                                                               .zoom = int_of(a, "zoom", 0),
                                                               .row_labels = names,
                                                               .column_labels = above });
    const figure     figures[] = {
            { "shift", "length of mean A - mean B",
              sqrt(tr_item(tr_sum(tr_square(shift), TR_ALL_AXES, false))) },
            { "nearest_class", "whose mean code is nearest to C + A - B", (double)nearest },
    };
    return finish_picture(a, run, "arithmetic.png", picture, figures, 2, NULL);
}
