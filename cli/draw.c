/* draw.c: pictures from a trained model: `reconstruct`, `sample`, `interpolate`. Each
 * writes one picture, a grid, and says where, with what it measured on the way. */
#include "cli/cli.h"

#include <math.h>
#include <string.h>

/* clang-format off */
#define COUNT(standard) \
    { "count", 'n', ARG_INT, "N", 1, 10000, "how many images [" #standard "]" }
#define SEED { "seed", 0, ARG_INT, "N", 0, 0x1p53, "of random numbers [0]" }
#define ZOOM { "zoom", 0, ARG_INT, "N", 1, 64, "draw each pixel N x N [1]" }
#define OUT { "out", 0, ARG_TEXT, "FILE", 0, 0, "where to; .png, .pgm or .ppm [RUN/COMMAND.png]" }

const arg_option reconstruct_options[] = { ARG_DATA, OUT, COUNT(20), ZOOM, { 0 } };
const arg_option sample_options[] = { OUT, COUNT(64), SEED, ZOOM, { 0 } };
const arg_option interpolate_options[] = {
    ARG_DATA, OUT, ZOOM,
    { "count", 'n', ARG_INT, "N", 1, 1000, "how many pairs of images [8]" },
    { "steps", 0, ARG_INT, "N", 2, 1000, "images in a row, both ends included [9]" },
    { "spherical", 0, ARG_FLAG, NULL, 0, 0, "go along the great circle, not the straight line" },
    { 0 },
};
/* clang-format on */

/* What was measured, beside the picture: name, value, unit. */
typedef struct figure {
    const char *name, *unit;
    double      value;
} figure;

static void say(const args *a, const char *path, const figure *figures, int count)
{
    if (has(a, "json")) {
        tri_text t = { 0 };
        tri_text_add(&t, "{\"event\":\"%s\"", a->command->name);
        for (int i = 0; i < count; i++) {
            tri_text_add(&t, ",\"%s\":", figures[i].name);
            tri_text_number(&t, figures[i].value);
        }
        tri_text_add(&t, ",\"out\":");
        tri_text_string(&t, path);
        tri_text_add(&t, "}");
        print_json(&t);
    } else if (!has(a, "quiet")) {
        for (int i = 0; i < count; i++)
            printf("%-12s %.5g %s\n", figures[i].name, figures[i].value, figures[i].unit);
        printf("%s\n", path);
    }
}

/* Draws the grid and says so; the last step of each command. */
static int finish(const args *a, const tr_run *run, tr_tensor *images, int64_t columns,
                  const figure *figures, int count)
{
    char standard[32];
    snprintf(standard, sizeof standard, "/%s.png", a->command->name);
    const char *path = text_of(a, "out", NULL);
    char       *made = tr_scope_alloc(strlen(run->dir) + sizeof standard);
    if (images == NULL || made == NULL) return end_run();
    if (path == NULL) path = strcat(strcpy(made, run->dir), standard);
    const tr_tensor *picture = tr_image_grid(
        images, &(tr_image_grid_options){
                    .columns = columns, .background = 128, .zoom = int_of(a, "zoom", 1) });
    if (picture != NULL) tr_save_image(path, picture);
    if (tr_status_get() == TR_OK) say(a, path, figures, count);
    return end_run();
}

static double psnr(tr_tensor *a, tr_tensor *b)
{
    return -10 * log10(tr_item(tr_mse(a, b, TR_MEAN)));
}

/* Lists of n images, shown in blocks of rows: `columns` of each list in turn. */
static tr_tensor *interleave(tr_tensor *const *lists, int count, int64_t columns)
{
    tr_shape      shape = tr_shape_of(lists[0]);
    const int64_t n = shape.dim[0];
    int64_t       out = 0;
    const size_t  bytes = (size_t)(tr_numel(lists[0]) / (n > 0 ? n : 1)) * sizeof(float);
    shape.dim[0] = (n + columns - 1) / columns * columns * count;
    tr_tensor *all = tr_zeros(TR_F32, shape);
    for (int64_t first = 0; all != NULL && first < n; first += columns)
        for (int k = 0; k < count; k++, out += columns) {
            const tr_tensor *list = lists[k] != NULL ? tri_contiguous(lists[k]) : NULL;
            const int64_t    row = n - first < columns ? n - first : columns;
            if (list == NULL) return NULL;
            memcpy((char *)all->data + (size_t)out * bytes,
                   (const char *)list->data + (size_t)first * bytes, (size_t)row * bytes);
        }
    return all;
}

int run_reconstruct(const args *a)
{
    enum { COLUMNS = 10 };
    tr_run *run = open_run(a, TR_OPEN_WEIGHTS, true);
    if (run == NULL) return end_setup();
    tr_set_recording(false);
    tr_tensor *x = tr_show_images(run->dataset, int_of(a, "count", 20));
    tr_tensor *y = tr_model_reconstruct(run->model, x);
    if (y == NULL) return end_run();
    const figure figures[] = { { "mse", "average per value", tr_item(tr_mse(y, x, TR_MEAN)) },
                               { "psnr", "dB", psnr(y, x) } };
    return finish(a, run, interleave((tr_tensor *[]){ x, y }, 2, COLUMNS), COLUMNS, figures, 2);
}

int run_sample(const args *a)
{
    tr_run *run = open_run(a, TR_OPEN_WEIGHTS, false);
    if (run == NULL) return end_setup();
    tr_set_recording(false);
    tr_rng rng = tr_rng_seed((uint64_t)int_of(a, "seed", 0));
    return finish(a, run, tr_model_sample(run->model, int_of(a, "count", 64), &rng), 0, NULL, 0);
}

int run_interpolate(const args *a)
{
    tr_run *run = open_run(a, TR_OPEN_WEIGHTS, true);
    if (run == NULL) return end_setup();
    tr_set_recording(false);
    const int64_t    steps = int_of(a, "steps", 9);
    const tr_tensor *x = tr_show_images(run->dataset, 2 * int_of(a, "count", 8));
    if (x == NULL) return end_run();
    const int64_t pairs = tr_dim(x, 0) / 2;
    tr_shape      shape = tr_shape_of(x);
    shape.dim[0] = pairs;
    tr_tensor *from = tri_view(x, shape, x->stride, 0);
    tr_tensor *to = tri_view(x, shape, x->stride, pairs * x->stride[0]);
    return finish(a, run, tr_interpolate(run->model, from, to, steps, has(a, "spherical")), steps,
                  NULL, 0);
}
