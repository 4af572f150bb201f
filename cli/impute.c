/* impute.c: `impute`: hides values of test images, fills them in, and tells how far they are from
 * the truth, beside what the mean and PCA fill in. Read next: train/impute.c. */
#include "cli/uses.h"

#include "tensor/core.h"

#include <math.h>
#include <string.h>

const arg_option impute_options[] = {
    ARG_DATA,
    ARG_OUT("picture, or the filled values as .npy or .csv; of a table the whole table as CSV "
            "[RUN/impute.png, for tables .csv]"),
    { "picture", 0, ARG_TEXT, "FILE", 0, 0,
      "of tables: the error of each column [RUN/impute.png]" },
    { "rate", 0, ARG_NUMBER, "X", 0, 1,
      "hide each value with this probability [0.5, of tables 0.2]" },
    { "block", 0, ARG_INT, "N", 1, 65536, "hide a square of N x N pixels, anywhere" },
    { "columns", 0, ARG_TEXT, "I,J,..", 0, 0, "hide these columns; of a table by name or number" },
    { "mask", 0, ARG_TEXT, "FILE", 0, 0,
      "hide what is not 0 in this .npy, or not black in this picture" },
    { "steps", 0, ARG_INT, "N", 1, 10000, "rounds of filling in [20, of tables 3]" },
    { "components", 0, ARG_INT, "N", 1, 4096, "of PCA [as many as the code has, at most 32]" },
    { "limit", 0, ARG_INT, "N", 1, 1e12, "measure on the first N test images [1000]" },
    { "count", 'n', ARG_INT, "N", 1, 100, "images to draw [10]" },
    { "seed", 0, ARG_INT, "N", 0, 0x1p53, "of random numbers [0]" },
    { 0 },
};

enum { PCA_IMAGES = 10000, METHODS = 3 };

/* --- What is hidden ----------------------------------------------------------------------- */

/* u8 of x's shape, or broadcast to it. */
static tr_tensor *random_block(tr_tensor *x, int64_t size, tr_rng *rng)
{
    const int64_t    n = tr_dim(x, 0), h = tr_dim(x, 1), w = tr_dim(x, 2);
    const int64_t    tall = size < h ? size : h, wide = size < w ? size : w;
    tr_tensor       *mask = tr_zeros(TR_U8, TR_SHAPE(n, h, w, 1));
    const tr_tensor *top = tr_randint(TR_SHAPE(n), h - tall + 1, rng);
    const tr_tensor *left = tr_randint(TR_SHAPE(n), w - wide + 1, rng);
    if (mask == NULL || top == NULL || left == NULL) return NULL;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < tall; j++)
            memset((uint8_t *)mask->data + (i * h + ((int64_t *)top->data)[i] + j) * w +
                       ((int64_t *)left->data)[i],
                   1, (size_t)wide);
    return mask;
}

static tr_tensor *column_mask(const args *a, tr_tensor *x)
{
    int64_t    columns[MAX_LIST];
    tr_tensor *mask = tr_zeros(TR_U8, TR_SHAPE(1, 1, tr_dim(x, 2), 1));
    const int  count = read_list(a, "columns", 0, tr_dim(x, 2) - 1, columns);
    for (int i = 0; i < count && mask != NULL; i++) ((uint8_t *)mask->data)[columns[i]] = 1;
    return count < 0 ? NULL : mask;
}

static tr_tensor *file_mask(const char *path, tr_tensor *x)
{
    tr_tensor *mask = ends_with(path, ".npy") ? tr_load_npy(path) : tr_load_image(path);
    if (mask == NULL) return NULL;
    mask = tr_cast(tr_not_equal(tr_cast(mask, TR_F64), tr_zeros(TR_F64, TR_SCALAR)), TR_U8);
    while (mask != NULL && mask->rank < 3 && mask->rank > 0) mask = tr_unsqueeze(mask, mask->rank);
    if (mask == NULL) return NULL;
    const tr_shape wanted = tr_shape_of(x);
    bool           fits = mask->rank == 3 || mask->rank == 4;
    for (int i = 1; i <= mask->rank && fits; i++) {
        const int64_t size = tr_dim(mask, -i);
        fits = size == 1 || size == wanted.dim[4 - i];
    }
    if (fits) return mask;
    char text[200];
    tr_fail(TR_ERR_SHAPE, "%s: the mask is %s; it must fit images %lld x %lld x %lld", path,
            tr_describe(mask, text, sizeof text), (long long)wanted.dim[1],
            (long long)wanted.dim[2], (long long)wanted.dim[3]);
    return NULL;
}

static tr_tensor *hide(const args *a, tr_tensor *x)
{
    tr_rng rng = tr_rng_seed((uint64_t)int_of(a, "seed", 0));
    if (has(a, "mask")) return file_mask(text_of(a, "mask", NULL), x);
    if (has(a, "columns")) return column_mask(a, x);
    if (has(a, "block")) return random_block(x, int_of(a, "block", 1), &rng);
    return tr_less(tr_uniform_like(x, &rng), tr_full(TR_F32, TR_SCALAR, number_of(a, "rate", 0.5)));
}

/* --- Results ------------------------------------------------------------------------------ */

static tr_status write_csv(const char *path, const tr_tensor *x)
{
    tri_writer    w;
    const int64_t n = tr_dim(x, 0), d = tr_numel(x) / n;
    const float  *value = x->data;
    if (tri_writer_open(&w, path) != TR_OK) return tr_status_get();
    for (int64_t i = 0; i < n * d; i++)
        tri_writer_printf(&w, "%.9g%c", (double)value[i], (i + 1) % d == 0 ? '\n' : ',');
    return tri_writer_close(&w);
}

static tr_status draw(const char *path, tr_tensor *x, tr_tensor *missing, tr_tensor *const *filled,
                      int64_t count)
{
    static const char *const labels[] = { "original", "known", "mean", "PCA", "filled in" };
    tr_tensor               *known = tr_masked_fill(x, missing, 0.5), *rows[METHODS + 2];
    for (int i = 0; i < METHODS + 2; i++)
        rows[i] = tr_narrow(i == 0 ? x : i == 1 ? known : filled[i - 2], 0, 0, count);
    const tr_tensor *picture = tri_plot_rows(&(tri_rows_plot){
        .images = tr_concat(rows, METHODS + 2, 0), .columns = count, .row_labels = labels });
    return picture != NULL ? tr_save_image(path, picture) : tr_status_get();
}

static int finish(const args *a, const tr_run *run, tr_tensor *x, tr_tensor *missing,
                  tr_tensor *const *filled)
{
    static const char       *labels[METHODS] = { "mean", "pca", "model" };
    static const char *const columns[] = { "mse", "rmse", "psnr" };
    double                   cells[METHODS * 3];
    for (int i = 0; i < METHODS; i++) {
        const double mse = tr_masked_mse(filled[i], x, missing);
        cells[3 * i] = mse;
        cells[3 * i + 1] = sqrt(mse);
        cells[3 * i + 2] = -10 * log10(mse);
    }
    const bool  pictures = draws(run->dataset);
    const char *path = out_path(a, run, pictures ? "impute.png" : "impute.csv");
    if (path == NULL) return end_run();
    if (ends_with(path, ".npy"))
        tr_save_npy(path, filled[2]);
    else if (ends_with(path, ".csv"))
        write_csv(path, filled[2]);
    else
        draw(path, x, missing, filled, at_most(tr_dim(x, 0), int_of(a, "count", 10)));
    const double hidden =
        tr_item(tr_mean(tr_expand(tr_cast(missing, TR_F32), tr_shape_of(x)), TR_ALL_AXES, false));
    if (tr_status_get() == TR_OK)
        tell(a, path,
             (figure[]){ { "images", "", (double)tr_dim(x, 0) },
                         { "hidden", "of all values", hidden } },
             2,
             &(table){ .name = "methods",
                       .key = "method",
                       .labels = labels,
                       .columns = columns,
                       .cells = cells,
                       .rows = METHODS,
                       .column_count = 3 });
    return end_run();
}

int run_impute(const args *a)
{
    tr_run *run = open_rows(a);
    if (run == NULL) return end_setup();
    if (run->dataset->row_names != NULL)
        return usage_error(a, "ratings that are missing are what tenrec recommend tells");
    if (run->dataset->table != NULL) return run_impute_table(a, run);
    const tr_dataset *d = run->dataset;
    const int64_t     steps = int_of(a, "steps", 20), pixels = d->height * d->width * d->channels;
    const tr_shape    code = tr_code_shape(run->model);
    tr_tensor        *x =
        tr_dataset_images(d, TR_TEST, 0, at_most(d->count[TR_TEST], int_of(a, "limit", 1000)));
    tr_tensor *missing = hide(a, x), *start = tr_dataset_mean(d, 0), *filled[METHODS];
    if (missing == NULL && tr_status_get() == TR_OK) return EXIT_USAGE;
    int64_t components = at_most(tri_shape_numel(code), pixels / 2 < 32 ? pixels / 2 + 1 : 32);
    components = int_of(a, "components", components);
    tr_pca pca = { 0 };
    if (tr_pca_fit(image_rows(d, TR_TRAIN, PCA_IMAGES), components, &pca) != TR_OK)
        return end_run();
    filled[0] = tr_impute(run->model, x, missing, start, 0);
    filled[1] = tr_impute_pca(&pca, x, missing, start, steps);
    filled[2] = tr_impute(run->model, x, missing, start, steps);
    return tr_status_get() == TR_OK ? finish(a, run, x, missing, filled) : end_run();
}
