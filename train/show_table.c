/* show_table.c: the cards of a report on a table: how well each column is restored, beside its mean
 * or most common category, and some rows of the test split, as they are and as they were decoded.
 * Read next: columns.c, show.c. */
#include "train/report.h"

#include "nn/nn.h"

#include <math.h>

enum { TESTED = 2000, EXAMPLES = 6, MOST_COLUMNS = 100, MOST_SHOWN = 12 };

/* Test rows, what is known of them, and what the model and the column's mean make of them. */
typedef struct restored {
    tr_batch   batch;
    tr_tensor *known, *decoded, *mean;
    int64_t    rows;
} restored;

static tr_status restore(const tr_run *run, restored *r)
{
    const tr_dataset *d = run->dataset;
    r->rows = d->count[TR_TEST] < TESTED ? d->count[TR_TEST] : TESTED;
    if (tr_dataset_read(d, TR_TEST, 0, r->rows, &r->batch) != TR_OK) return tr_status_get();
    const tr_shape shape = tr_shape_of(r->batch.x);
    r->known = r->batch.known != NULL ? r->batch.known : tr_ones(TR_F32, shape);
    r->mean = tr_empty(TR_F32, shape);
    tr_assign(r->mean, tr_expand(d->blank, shape));
    r->decoded = tr_empty(TR_F32, shape);
    return tr_assign(r->decoded, tr_model_reconstruct(run->model, r->batch.x));
}

/* --- Errors ------------------------------------------------------------------------------- */

static void write_error(tri_writer *w, const tr_column *column, double error)
{
    if (isnan(error))
        tri_writer_printf(w, "<td>-</td>");
    else if (column->kind == TR_COLUMN_CATEGORY)
        tri_writer_printf(w, "<td>%.1f %%</td>", 100 * error);
    else
        tri_writer_printf(w, "<td>%.4g</td>", error);
}

static void write_columns(tri_writer *w, const tr_table *t, const restored *r)
{
    double *model = tr_scope_alloc((uint64_t)t->columns * sizeof *model), overall[2];
    double *mean = tr_scope_alloc((uint64_t)t->columns * sizeof *mean);
    if (model == NULL || mean == NULL ||
        tr_table_errors(t, r->decoded, r->batch.x, r->known, model, overall) != TR_OK ||
        tr_table_errors(t, r->mean, r->batch.x, r->known, mean, overall) != TR_OK)
        return;
    tri_writer_printf(w, "<div class=\"card scroll\"><h3>Error of each column</h3>"
                         "<table class=\"numbers\">\n<tr><td></td><td>missing</td>"
                         "<td>decoded</td><td>mean</td></tr>\n");
    for (int64_t c = 0, shown = 0; c < t->columns && shown < MOST_COLUMNS; c++) {
        const tr_column *column = &t->column[c];
        if (column->kind > TR_COLUMN_CATEGORY) continue;
        shown++;
        tri_writer_printf(w, "<tr><td>");
        tri_write_html(w, column->name);
        tri_writer_printf(w, "</td><td>%.1f %%</td>", 100 * column->missing);
        write_error(w, column, model[c]);
        write_error(w, column, mean[c]);
        tri_writer_printf(w, "</tr>\n");
    }
    tri_writer_printf(
        w,
        "</table><p class=\"soft\">Over known cells of %lld test rows. Numbers: root mean square "
        "in the column's own unit. Categories: the share of rows that get another one.</p></div>\n",
        (long long)r->rows);
}

/* --- Rows --------------------------------------------------------------------------------- */

static void write_cells(tri_writer *w, const tr_table *t, const float *x, const float *known)
{
    char text[32];
    for (int64_t c = 0, shown = 0; c < t->columns && shown < MOST_SHOWN; c++) {
        const tr_column *column = &t->column[c];
        if (column->kind > TR_COLUMN_CATEGORY) continue;
        shown++;
        tri_writer_printf(w, "<td>");
        tri_write_html(w, known == NULL || known[column->first] > 0
                              ? tr_column_text(column, x, text)
                              : "missing");
        tri_writer_printf(w, "</td>");
    }
}

static void write_examples(tri_writer *w, const tr_table *t, const restored *r)
{
    tri_writer_printf(w, "<div class=\"card scroll\"><h3>Rows of the test split, and decoded</h3>"
                         "<table class=\"numbers\">\n<tr><td></td>");
    for (int64_t c = 0, shown = 0; c < t->columns && shown < MOST_SHOWN; c++) {
        if (t->column[c].kind > TR_COLUMN_CATEGORY) continue;
        shown++;
        tri_writer_printf(w, "<td>");
        tri_write_html(w, t->column[c].name);
        tri_writer_printf(w, "</td>");
    }
    for (int64_t i = 0; i < r->rows && i < EXAMPLES; i++) {
        const int64_t at = i * t->values;
        tri_writer_printf(w, "</tr>\n<tr><td>row %lld</td>", (long long)i + 1);
        write_cells(w, t, (const float *)r->batch.x->data + at, (const float *)r->known->data + at);
        tri_writer_printf(w, "</tr>\n<tr class=\"soft\"><td>decoded</td>");
        write_cells(w, t, (const float *)r->decoded->data + at, NULL);
    }
    tri_writer_printf(w, "</tr>\n</table></div>\n");
}

/* --- Ratings ------------------------------------------------------------------------------ */

static tr_status show_ratings(tri_writer *w, const tr_run *run)
{
    tr_rating_errors e;
    if (tr_rate(run->model, run->dataset, &e) != TR_OK) return tr_status_get();
    tri_writer_printf(
        w,
        "<h2>Ratings</h2>\n<div class=\"cards two\">\n<div class=\"card\"><h3>Error of "
        "ratings held out</h3><table class=\"numbers\">\n"
        "<tr><td>model</td><td>%.4f</td></tr>\n<tr><td>mean of the item</td>"
        "<td>%.4f</td></tr>\n<tr><td>mean of the user</td><td>%.4f</td></tr>\n",
        e.model, e.item_mean, e.user_mean);
    tri_writer_printf(w,
                      "</table><p class=\"soft\">Root mean square over %lld ratings of %lld users "
                      "for %lld items, which the model never saw.</p></div>\n</div>\n",
                      (long long)e.ratings, (long long)run->dataset->count[TR_TEST],
                      (long long)run->dataset->width);
    return tr_status_get();
}

tr_status tri_show_table(tri_writer *w, const tr_run *run)
{
    restored r = { 0 };
    if (run->dataset->row_names != NULL) return show_ratings(w, run);
    if (restore(run, &r) != TR_OK) return tr_status_get();
    tri_writer_printf(w, "<h2>The table</h2>\n<div class=\"cards two\">\n");
    write_columns(w, run->dataset->table, &r);
    write_examples(w, run->dataset->table, &r);
    tri_writer_printf(w, "</div>\n");
    return tr_status_get();
}
