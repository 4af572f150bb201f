/* show.c: the cards of a report that show what the model does: originals above reconstructions,
 * samples, pictures between two, the map of the codes. Each picture is also written as a file.
 *
 * Data that are no pictures (one row, or neither 1 nor 3 channels) have the map only, and of tables
 * the cards of show_table.c.
 * Read next: chart.c (the map), gallery.c (where the pictures come from). */
#include "train/report.h"

#include <string.h>

enum { COLUMNS = 10, SAMPLES = 64, PAIRS = 6, STEPS = 9, MAP_POINTS = 2000, MAP_VALUES = 4000000 };

/* --- Pictures in a page ------------------------------------------------------------------- */

static void write_base64(tri_writer *w, const uint8_t *bytes, int64_t count)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (int64_t i = 0; i < count; i += 3) {
        const int      left = count - i < 3 ? (int)(count - i) : 3;
        const uint32_t group = (uint32_t)bytes[i] << 16 |
                               (uint32_t)(left > 1 ? bytes[i + 1] : 0) << 8 |
                               (uint32_t)(left > 2 ? bytes[i + 2] : 0);
        char text[4];
        for (int k = 0; k < 4; k++) text[k] = k <= left ? digits[group >> (18 - 6 * k) & 63] : '=';
        tri_writer_write(w, text, sizeof text);
    }
}

void tri_write_image(tri_writer *w, const char *description, const tr_tensor *picture)
{
    int64_t     count = 0;
    const char *type = NULL;
    const void *bytes = tr_encode_image(picture, &count, &type);
    if (bytes == NULL) return;
    tri_writer_printf(w, "<img alt=\"%s\" src=\"data:%s;base64,", description, type);
    write_base64(w, bytes, count);
    tri_writer_printf(w, "\">\n");
}

/* Into the page, and as a file into the run's directory. */
static void write_picture(tri_writer *w, const tr_run *run, const char *name,
                          const char *description, const tr_tensor *picture)
{
    char file[64];
    snprintf(file, sizeof file, "%s" TRI_PICTURE_SUFFIX, name);
    if (picture != NULL) tr_save_image(tri_run_path(run, file), picture);
    tri_write_image(w, description, picture);
}

static tr_tensor *grid(tr_tensor *images, int64_t columns)
{
    return images == NULL
               ? NULL
               : tr_image_grid(images, &(tr_image_grid_options){
                                           .columns = columns, .gap = 2, .background = 128 });
}

/* Images [N, ...] below each other as one list: rows of a picture. */
static tr_tensor *stack(tr_tensor *const *parts, int count)
{
    tr_shape shape = tr_shape_of(parts[0]);
    shape.dim[0] *= count;
    tr_tensor *all = tr_empty(TR_F32, shape);
    for (int i = 0; all != NULL && i < count; i++) {
        const tr_tensor *part = parts[i] != NULL ? tri_contiguous(parts[i]) : NULL;
        const size_t     bytes = (size_t)tr_numel(part) * sizeof(float);
        if (part != NULL) memcpy((char *)all->data + (size_t)i * bytes, part->data, bytes);
    }
    return tri_failed() ? NULL : all;
}

/* --- Rows --------------------------------------------------------------------------------- */

static void add_row(tri_rows *r, tr_tensor **parts, const char *name, tr_tensor *images)
{
    r->name[r->count] = name;
    parts[r->count++] = images;
}

tri_rows tri_show_rows(const tr_run *run, tr_tensor *images, bool samples)
{
    tr_model     *model = run->model;
    const bool    noisy = model->type->corrupt != NULL;
    const int64_t columns = images != NULL ? tr_dim(images, 0) : 0;
    tr_rng        rng = tr_rng_stream(run->options.seed, 3);
    tr_tensor    *parts[TRI_MAX_ROWS];
    tri_rows      rows = { 0 };
    add_row(&rows, parts, "original", images);
    if (noisy) add_row(&rows, parts, "noisy", tr_model_corrupt(model, images, &rng));
    add_row(&rows, parts, noisy ? "restored" : "decoded",
            tr_model_reconstruct(model, parts[rows.count - 1]));
    if (samples && model->type->sample != NULL)
        add_row(&rows, parts, "sampled", tr_model_sample(model, columns, &rng));
    rows.images = tri_failed() ? NULL : stack(parts, rows.count);
    return rows;
}

void tri_write_rows(tri_writer *w, const tri_rows *rows, const tr_tensor *picture)
{
    tri_writer_printf(w, "<div class=\"rows\"><ul>");
    for (int i = 0; i < rows->count; i++) tri_writer_printf(w, "<li>%s</li>", rows->name[i]);
    tri_writer_printf(w, "</ul>\n");
    tri_write_image(w, "Originals above reconstructions", picture);
    tri_writer_printf(w, "</div>\n");
}

tr_tensor *tri_draw_rows(const tri_rows *rows)
{
    return rows->images == NULL ? NULL : grid(rows->images, tr_dim(rows->images, 0) / rows->count);
}

/* --- Cards -------------------------------------------------------------------------------- */

static void write_reconstruction(tri_writer *w, const tr_run *run, tr_tensor *images, int part)
{
    const tri_rows   rows = tri_show_rows(run, images, false);
    const tr_tensor *picture = tri_draw_rows(&rows);
    char             file[40];
    if (picture == NULL) return;
    snprintf(file, sizeof file,
             part == 0 ? "reconstructions" TRI_PICTURE_SUFFIX
                       : "reconstructions-%d" TRI_PICTURE_SUFFIX,
             part + 1);
    tr_save_image(tri_run_path(run, file), picture);
    tri_writer_printf(w, "<figure class=\"card\">");
    tri_write_rows(w, &rows, picture);
    tri_writer_printf(w, "</figure>\n");
}

static tr_tensor *slice_rows(const tr_tensor *images, int64_t begin, int64_t count)
{
    tr_shape shape = tr_shape_of(images);
    shape.dim[0] = count;
    return tri_view(images, shape, images->stride, begin * images->stride[0]);
}

static void write_reconstructions(tri_writer *w, const tr_run *run)
{
    tr_tensor *images = tr_show_images(run->dataset, 2 * COLUMNS);
    if (images == NULL) return;
    tri_writer_printf(
        w,
        "<h2>%s</h2>\n<p class=\"soft\">Images of the test split, which the model was "
        "not trained on.</p>\n<div class=\"cards two\">\n",
        run->model->type->corrupt != NULL ? "Noise taken away" : "Reconstructions");
    for (int part = 0; part < 2; part++) {
        const int64_t left = tr_dim(images, 0) - part * COLUMNS;
        if (left > 0)
            write_reconstruction(
                w, run, slice_rows(images, part * COLUMNS, left < COLUMNS ? left : COLUMNS), part);
    }
    tri_writer_printf(w, "</div>\n");
}

static void write_samples(tri_writer *w, const tr_run *run)
{
    if (run->model->type->sample == NULL) return;
    tr_rng     rng = tr_rng_stream(run->options.seed, 4);
    tr_tensor *picture = grid(tr_model_sample(run->model, SAMPLES, &rng), 8);
    if (picture == NULL) return;
    tri_writer_printf(w, "<figure class=\"card\"><h3>Samples</h3>\n");
    write_picture(w, run, "samples", "Samples", picture);
    tri_writer_printf(w, "<figcaption>Decoded from random codes; no image went in.</figcaption>"
                         "</figure>\n");
}

static void write_between(tri_writer *w, const tr_run *run)
{
    tr_tensor    *images = tr_show_images(run->dataset, 2 * PAIRS);
    const int64_t pairs = tr_dim(images, 0) / 2;
    if (pairs < 1) return;
    tr_tensor *between = tr_interpolate(run->model, slice_rows(images, 0, pairs),
                                        slice_rows(images, pairs, pairs), STEPS, false);
    tr_tensor *picture = grid(between, STEPS);
    if (picture == NULL) return;
    tri_writer_printf(w, "<figure class=\"card\"><h3>Between two images</h3>\n");
    write_picture(w, run, "interpolations", "Interpolations", picture);
    tri_writer_printf(
        w, "<figcaption>Each row decodes codes on the straight line from one test image's "
           "code to another's.</figcaption></figure>\n");
}

static void write_map(tri_writer *w, const tr_run *run)
{
    const tr_dataset *d = run->dataset;
    const int64_t     size = tr_dim(tr_encode_images(run->model, d, TR_TEST, 1), 1);
    if (size < 1) return;
    int64_t count = MAP_VALUES / size < MAP_POINTS ? MAP_VALUES / size : MAP_POINTS;
    if (count > d->count[TR_TEST]) count = d->count[TR_TEST];
    double     share = 1;
    tr_tensor *points = tr_project_plane(tr_encode_images(run->model, d, TR_TEST, count), &share);
    tr_tensor *labels = d->classes > 0 ? tr_dataset_labels(d, TR_TEST, 0, count) : NULL;
    if (tri_failed()) return;
    const bool direct = size <= 2;
    tri_writer_printf(w, "<figure class=\"card\"><h3>Map of the codes</h3>\n");
    tri_scatter_write(w, &(tri_scatter){ .x_label = direct ? "first code" : "first component",
                                         .y_label = direct ? "second code" : "second component",
                                         .description = "Codes of test images as points of a plane",
                                         .points = points,
                                         .labels = labels,
                                         .classes = d->classes,
                                         .class_names = d->class_names });
    tri_writer_printf(w, "<figcaption>%lld test %ss", (long long)count, tri_show_noun(run));
    if (!direct)
        tri_writer_printf(w,
                          "; the first two principal components hold %.0f %% of the variance of "
                          "the %lld-dimensional code",
                          100 * share, (long long)size);
    tri_writer_printf(w, ".</figcaption></figure>\n");
}

const char *tri_show_noun(const tr_run *run)
{
    return run->dataset->table != NULL ? "row" : "image";
}

tr_status tri_show_write(tri_writer *w, const tr_run *run)
{
    const tr_dataset *d = run->dataset;
    const bool        pictures = d->height > 1 && (d->channels == 1 || d->channels == 3);
    if (d->count[TR_TEST] == 0) return tr_status_get();
    if (pictures) write_reconstructions(w, run);
    if (d->table != NULL && tri_show_table(w, run) != TR_OK) return tr_status_get();
    tri_writer_printf(w, "<h2>The code</h2>\n<div class=\"cards\">\n");
    if (pictures) {
        write_samples(w, run);
        write_between(w, run);
    }
    write_map(w, run);
    tri_writer_printf(w, "</div>\n");
    return tr_status_get();
}
