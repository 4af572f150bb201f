/* impute_table.c: `impute` on the run of a table: writes the table with its missing cells filled
 * in; and hides known cells of test rows to tell how good that is, beside what the column's mean,
 * or its most common category, and PCA fill in. Read next: train/impute.c, datasets/table.h. */
#include "cli/uses.h"

#include "tensor/core.h"

#include <math.h>
#include <string.h>

enum { PCA_ROWS = 10000, PCA_STEPS = 20, METHODS = 3, MOST_SHOWN = 100 };

static const char *const methods[METHODS] = { "mean", "PCA", "model" };

/* What fills cells in. */
typedef struct filler {
    tr_model  *model;
    tr_pca     pca;
    tr_tensor *mean;
    int64_t    steps;
} filler;

static tr_tensor *fill(const filler *f, int method, tr_tensor *x, tr_tensor *missing)
{
    if (method == 1) return tr_impute_pca(&f->pca, x, missing, f->mean, PCA_STEPS);
    return tr_impute(f->model, x, missing, f->mean, method == 0 ? 0 : f->steps);
}

/* --- How good it is ------------------------------------------------------------------------- */

/* Columns by their names or numbers, from 0, as --columns lists them. */
static tr_status choose_columns(const args *a, const tr_table *t, bool *chosen)
{
    for (const char *at = text_of(a, "columns", "");; at++) {
        const size_t length = strcspn(at, ",");
        bool         found = false;
        for (int64_t c = 0; c < t->columns && !found; c++) {
            const char *name = t->column[c].name, *number = text_from("%lld", (long long)c);
            found =
                (strlen(name) == length && strncmp(name, at, length) == 0) ||
                (number != NULL && strlen(number) == length && strncmp(number, at, length) == 0);
            if (found) chosen[c] = true;
        }
        if (!found)
            return tr_fail(TR_ERR_VALUE, "impute: \"%.*s\" of --columns is no column of %s",
                           (int)length, at, t->path);
        at += length;
        if (*at == '\0') return tr_status_get();
    }
}

/* Which known cells to hide, all values of a cell together: f32 of known's shape. */
static tr_tensor *hide(const args *a, const tr_table *t, const tr_tensor *known)
{
    const int64_t    n = tr_dim(known, 0);
    const double     rate = has(a, "columns") ? 1 : number_of(a, "rate", 0.2);
    tr_rng           rng = tr_rng_seed((uint64_t)int_of(a, "seed", 0));
    const tr_tensor *draw = tr_uniform(TR_F64, TR_SHAPE(n, t->columns), &rng);
    tr_tensor       *hidden = tr_zeros(TR_F32, tr_shape_of(known));
    bool            *chosen = tr_scope_alloc((uint64_t)t->columns);
    if (draw == NULL || hidden == NULL || chosen == NULL) return NULL;
    memset(chosen, !has(a, "columns"), (size_t)t->columns);
    if (has(a, "columns") && choose_columns(a, t, chosen) != TR_OK) return NULL;
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = 0; c < t->columns; c++) {
            const tr_column *column = &t->column[c];
            const int64_t    at = i * t->values + column->first;
            const int64_t    width = column->kind == TR_COLUMN_CATEGORY ? column->categories : 1;
            if (!chosen[c] || column->kind > TR_COLUMN_CATEGORY ||
                !(((const double *)draw->data)[i * t->columns + c] < rate))
                continue;
            for (int64_t k = 0; k < width; k++)
                ((float *)hidden->data)[at + k] = ((const float *)known->data)[at + k];
        }
    return hidden;
}

/* Rows of the result: all numbers, all categories, each column. */
typedef struct verdict {
    const char **labels;
    double      *cells, hidden;
    int64_t      rows;
    int          shown;
} verdict;

static tr_status name_rows(const tr_table *t, verdict *v)
{
    v->labels = tr_scope_alloc((uint64_t)(t->columns + 2) * sizeof *v->labels);
    v->cells = tr_scope_alloc((uint64_t)(t->columns + 2) * METHODS * sizeof *v->cells);
    if (v->labels == NULL || v->cells == NULL) return tr_status_get();
    v->labels[v->shown++] = "all numbers, of their range";
    v->labels[v->shown++] = "all categories, share wrong";
    for (int64_t c = 0; c < t->columns && v->shown < MOST_SHOWN + 2; c++)
        if (t->column[c].kind <= TR_COLUMN_CATEGORY)
            v->labels[v->shown++] =
                text_from("%s%s", t->column[c].name,
                          t->column[c].kind == TR_COLUMN_CATEGORY ? ", share wrong" : "");
    return tr_status_get();
}

static tr_status judge(const args *a, const filler *f, const tr_dataset *d, verdict *v)
{
    tr_batch        b;
    const tr_table *t = d->table;
    v->rows = at_most(d->count[TR_TEST], int_of(a, "limit", 1000));
    if (name_rows(t, v) != TR_OK) return tr_status_get();
    if (tr_dataset_read(d, TR_TEST, 0, v->rows, &b) != TR_OK) return tr_status_get();
    tr_tensor *known = b.known != NULL ? b.known : tr_ones(TR_F32, tr_shape_of(b.x));
    tr_tensor *hidden = known != NULL ? hide(a, t, known) : NULL;
    tr_tensor *missing = tr_cast(tr_add(tr_affine(known, -1, 1), hidden), TR_U8);
    double    *column = tr_scope_alloc((uint64_t)t->columns * sizeof *column), overall[2];
    if (missing == NULL || column == NULL) return tr_status_get();
    v->hidden = tr_item(tr_mean(hidden, TR_ALL_AXES, false));
    for (int m = 0; m < METHODS; m++) {
        tr_scope  *scope = tr_scope_push();
        tr_tensor *y = fill(f, m, b.x, missing);
        tr_table_errors(t, y, b.x, hidden, column, overall);
        tr_scope_pop(scope);
        v->cells[m] = overall[0];
        v->cells[METHODS + m] = overall[1];
        for (int64_t c = 0, row = 2; c < t->columns && row < v->shown; c++)
            if (t->column[c].kind <= TR_COLUMN_CATEGORY) v->cells[METHODS * row++ + m] = column[c];
    }
    return tr_status_get();
}

/* --- The whole table -------------------------------------------------------------------------- */

static tr_status write_filled(const filler *f, const tr_dataset *whole, const char *path)
{
    enum { BATCH = 1000 };
    const int64_t n = whole->count[TR_TEST], width = whole->table->values;
    tr_tensor    *all = tr_empty(TR_F32, TR_SHAPE(n, 1, width, 1));
    for (int64_t i = 0; i < n && all != NULL; i += BATCH) {
        const int64_t end = n - i < BATCH ? n : i + BATCH;
        tr_batch      b;
        tr_scope     *scope = tr_scope_push();
        if (tr_dataset_read(whole, TR_TEST, i, end, &b) == TR_OK) {
            tr_tensor *missing = b.known != NULL ? tr_cast(tr_affine(b.known, -1, 1), TR_U8) : NULL;
            tr_assign(tr_narrow(all, 0, i, end - i),
                      missing != NULL ? fill(f, METHODS - 1, b.x, missing) : b.x);
        }
        tr_scope_pop(scope);
    }
    return tr_table_write(whole, all, path);
}

static int64_t missing_cells(const tr_dataset *d)
{
    double count = 0;
    for (int64_t c = 0; c < d->table->columns; c++)
        if (d->table->column[c].kind <= TR_COLUMN_CATEGORY)
            count += d->table->column[c].missing * (double)d->count[TR_TEST];
    return (int64_t)llround(count);
}

/* The error of the mean is 1 in the picture, so that columns can stand side by side. */
static tr_status draw(const args *a, const tr_run *run, const verdict *v)
{
    const int rows = v->shown - 2 < 40 ? v->shown - 2 : 40;
    double    bars[40 * METHODS];
    for (int i = 0; i < METHODS * rows; i++)
        bars[i] = v->cells[2 * METHODS + i] / v->cells[2 * METHODS + i / METHODS * METHODS];
    const tr_tensor *picture =
        tri_plot_bars(&(tri_bar_plot){ .title = "Error of cells that were hidden; the mean's is 1",
                                       .labels = v->labels + 2,
                                       .names = methods,
                                       .values = bars,
                                       .rows = rows,
                                       .bars = METHODS });
    const char *path = text_of(a, "picture", text_from("%s/impute.png", run->dir));
    return picture != NULL && path != NULL ? tr_save_image(path, picture) : tr_status_get();
}

/* What was hidden comes from the table of --data, or from the run's test rows; what fills it in
 * knows the run's training rows only. */
int run_impute_table(const args *a, tr_run *run)
{
    if (has(a, "block") || has(a, "mask"))
        return usage_error(a, "cells of a table are hidden by --rate or --columns");
    filler            f = { .model = run->model, .steps = int_of(a, "steps", 3) };
    verdict           v = { 0 };
    const tr_dataset *tested = run->dataset, *own = run->dataset;
    if (has(a, "data"))
        own = tr_dataset_open(
            run->data, &(tr_dataset_options){ .classes = run->classes, .table = run->table });
    const char *path = out_path(a, run, "impute.csv");
    if (own == NULL || path == NULL) return end_setup();
    const int64_t standard = at_most(tri_shape_numel(tr_code_shape(run->model)),
                                     own->width / 2 < 32 ? own->width / 2 + 1 : 32);
    f.mean = own->blank;
    tr_pca_fit(image_rows(own, TR_TRAIN, PCA_ROWS),
               at_most(int_of(a, "components", standard), own->width), &f.pca);
    if (judge(a, &f, tested, &v) != TR_OK) return end_setup();
    tr_run_use_rows(run, text_of(a, "data", run->data));
    if (tr_status_get() == TR_OK) write_filled(&f, run->dataset, path);
    if (tr_status_get() == TR_OK) draw(a, run, &v);
    if (tr_status_get() == TR_OK)
        tell(a, path,
             (figure[]){ { "rows", "", (double)run->dataset->count[TR_TEST] },
                         { "filled", "missing cells", (double)missing_cells(run->dataset) },
                         { "tested_rows", "with known cells hidden", (double)v.rows },
                         { "hidden", "of their values", v.hidden } },
             4,
             &(table){ .name = "errors",
                       .key = "error",
                       .labels = v.labels,
                       .columns = methods,
                       .cells = v.cells,
                       .rows = v.shown,
                       .column_count = METHODS });
    return end_run();
}
