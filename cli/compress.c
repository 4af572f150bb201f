/* compress.c: `compress`: how many bits an image needs as a rounded code and how well it comes
 * back, beside principal components, rounded in the same way, and PNG files. Read next:
 * train/compress.c. */
#include "cli/uses.h"

#include "tensor/core.h"

#include <math.h>
#include <string.h>

const arg_option compress_options[] = {
    ARG_DATA,
    ARG_OUT("chart: .png, .pgm or .ppm [RUN/compress.png]"),
    { "csv", 0, ARG_TEXT, "FILE", 0, 0, "the table as CSV [RUN/compress.csv]" },
    { "bits", 0, ARG_INT, "N", 1, 16, "steps from 2^-1 to 2^-N of the range of the codes [8]" },
    { "limit", 0, ARG_INT, "N", 1, 1e12, "measure on the first N test images [2000]" },
    { 0 },
};

enum { MOST_BITS = 16, RANGE_IMAGES = 5000, PNG_IMAGES = 200 };
static const char *const columns[] = { "bits", "bits_per_pixel", "mse", "psnr" };
enum { COLUMNS = 4 };

/* A way to compress: codes of the test images, the range of each number, and the way back. */
typedef struct coder {
    const char *name;
    tr_tensor  *codes;
    double     *range; /* [D] */
    tr_model   *model; /* decodes, or */
    tr_pca      pca;
} coder;

/* Largest minus smallest value of each column. */
static double *ranges(tr_tensor *codes)
{
    tr_tensor *range = tr_sub(tr_max(codes, 0, false, NULL), tr_min(codes, 0, false, NULL));
    double    *values = tr_scope_alloc((uint64_t)tr_dim(codes, 1) * sizeof *values);
    if (range == NULL || values == NULL) return NULL;
    return tr_copy_out(tr_cast(range, TR_F64), values) == TR_OK ? values : NULL;
}

/* Components are orthonormal, so that one step for all is best: that of the widest. */
static coder pca_coder(const tr_dataset *d, tr_tensor *x, int64_t size)
{
    coder      c = { .name = "pca" };
    tr_tensor *rows = image_rows(d, TR_TRAIN, RANGE_IMAGES);
    if (tr_pca_fit(rows, at_most(tr_dim(rows, 1), size), &c.pca) != TR_OK) return c;
    c.codes = tr_pca_encode(&c.pca, tr_flatten(x, 1));
    c.range = ranges(tr_pca_encode(&c.pca, rows));
    double most = 0;
    for (int64_t j = 0; c.range != NULL && j < tr_dim(c.codes, 1); j++)
        most = fmax(most, c.range[j]);
    for (int64_t j = 0; c.range != NULL && j < tr_dim(c.codes, 1); j++) c.range[j] = most;
    return c;
}

static coder model_coder(const tr_run *run, tr_tensor *x)
{
    const tr_dataset *d = run->dataset;
    coder             c = { .name = "code", .model = run->model };
    c.codes = tr_encode_images(run->model, d, TR_TEST, tr_dim(x, 0));
    c.range = ranges(
        tr_encode_images(run->model, d, TR_TRAIN, at_most(d->count[TR_TRAIN], RANGE_IMAGES)));
    return c;
}

/* A row of the table for steps of range / 2^bits. */
static void measure(const coder *c, tr_tensor *x, int bits, double *cells)
{
    const int64_t d = tr_dim(c->codes, 1), n = tr_dim(x, 0);
    double       *step = tr_scope_alloc((uint64_t)d * sizeof *step);
    for (int64_t j = 0; step != NULL && j < d; j++) step[j] = ldexp(c->range[j], -bits);
    tr_tensor   *z = step != NULL ? tr_quantise(c->codes, step, &cells[0]) : NULL;
    tr_tensor   *y = c->model != NULL ? tr_decode_rows(c->model, z)
                                      : tr_reshape(tr_pca_decode(&c->pca, z), tr_shape_of(x));
    const double mse = y != NULL ? tr_item(tr_mse(y, x, TR_MEAN)) : (double)NAN;
    cells[1] = cells[0] * (double)n / (double)tr_numel(x);
    cells[2] = mse;
    cells[3] = -10 * log10(mse);
}

/* Average size of an image's file in bits. */
static double file_bits(tr_tensor *x)
{
    const int64_t n = at_most(tr_dim(x, 0), PNG_IMAGES);
    double        sum = 0;
    for (int64_t i = 0; i < n && tr_status_get() == TR_OK; i++) {
        tr_scope   *scope = tr_scope_push();
        int64_t     bytes = 0;
        const char *type;
        tr_encode_image(tr_select(x, 0, i), &bytes, &type);
        sum += 8 * (double)bytes;
        tr_scope_pop(scope);
    }
    return sum / (double)n;
}

static tr_status write_csv(const char *path, const table *t)
{
    tri_writer w;
    if (path == NULL || tri_writer_open(&w, path) != TR_OK) return tr_status_get();
    tri_writer_printf(&w, "coder");
    for (int k = 0; k < COLUMNS; k++) tri_writer_printf(&w, ",%s", columns[k]);
    for (int i = 0; i < t->rows; i++) {
        tri_writer_printf(&w, "\n%s", t->labels[i]);
        for (int k = 0; k < COLUMNS; k++) tri_writer_printf(&w, ",%.9g", t->cells[i * COLUMNS + k]);
    }
    tri_writer_printf(&w, "\n");
    return tri_writer_close(&w);
}

static int finish(const args *a, const tr_run *run, const table *t, int most, double png)
{
    double line[2][2][MOST_BITS];
    for (int i = 0; i < 2 * most; i++) {
        line[i / most][0][i % most] = t->cells[i * COLUMNS];
        line[i / most][1][i % most] = t->cells[i * COLUMNS + 3];
    }
    write_csv(text_of(a, "csv", text_from("%s/compress.csv", run->dir)), t);
    const tri_line_plot plot = {
        .title = png > 0 ? text_from("Rate and distortion; a PNG file has %.0f bits", png)
                         : "Rate and distortion",
        .x_label = "bits per image",
        .y_label = "PSNR in dB",
        .line = { { .name = "code", .x = line[0][0], .y = line[0][1], .count = most },
                  { .name = "PCA", .x = line[1][0], .y = line[1][1], .count = most } },
        .count = 2,
    };
    return finish_picture(a, run, "compress.png", tri_plot_lines(&plot),
                          &(figure){ "png_bits", "of an image's own file, without loss", png },
                          png > 0, t);
}

int run_compress(const args *a)
{
    tr_run *run = open_use(a);
    if (run == NULL) return end_setup();
    const tr_dataset *d = run->dataset;
    const int         most = (int)int_of(a, "bits", 8);
    tr_tensor        *x =
        tr_dataset_images(d, TR_TEST, 0, at_most(d->count[TR_TEST], int_of(a, "limit", 2000)));
    const coder model = model_coder(run, x);
    if (model.range == NULL) return end_run();
    const coder pca = pca_coder(d, x, tr_dim(model.codes, 1));
    if (pca.range == NULL) return end_run();
    double      cells[2 * MOST_BITS * COLUMNS];
    const char *labels[2 * MOST_BITS];
    for (int i = 0; i < 2 * most; i++) {
        const coder *c = i < most ? &model : &pca;
        labels[i] = text_from("%s 2^-%d", c->name, i % most + 1);
        tr_scope *scope = tr_scope_push();
        measure(c, x, i % most + 1, cells + i * COLUMNS);
        tr_scope_pop(scope);
    }
    const double png = draws(d) ? file_bits(x) : 0;
    if (tr_status_get() != TR_OK) return end_run();
    return finish(a, run,
                  &(table){ .name = "rates",
                            .key = "coder",
                            .labels = labels,
                            .columns = columns,
                            .cells = cells,
                            .rows = 2 * most,
                            .column_count = COLUMNS },
                  most, png);
}
