/* table_file.c: what is kept of a table and what is written of it: its columns as JSON, so that
 * another file can be read as it was; and its rows as CSV, with missing values filled in.
 * Read next: table.c. */
#include "datasets/csv.h"
#include "datasets/source.h"

#include "tensor/core.h"
#include "tensor/json.h"

#include <math.h>
#include <string.h>

static const char *const kind_names[] = { "number", "category", "label", "left out" };

enum { FORMAT = 1, MOST_BYTES = 1 << 28, MOST_VALUES = TRI_CSV_COLUMNS };

const char *tr_column_kind_name(tr_column_kind kind)
{
    return (unsigned)kind < sizeof kind_names / sizeof kind_names[0] ? kind_names[kind] : NULL;
}

/* --- Columns as JSON ------------------------------------------------------------------------ */

static void add_column(tri_text *t, const tr_column *column)
{
    tri_text_add(t, "{\"name\": ");
    tri_text_string(t, column->name);
    tri_text_add(t, ", \"kind\": \"%s\"", kind_names[column->kind]);
    if (column->kind == TR_COLUMN_NUMBER) {
        tri_text_add(t, ", \"low\": ");
        tri_text_number(t, column->low);
        tri_text_add(t, ", \"high\": ");
        tri_text_number(t, column->high);
        tri_text_add(t, ", \"mean\": ");
        tri_text_number(t, column->mean);
    }
    if (column->kind == TR_COLUMN_CATEGORY || column->kind == TR_COLUMN_LABEL) {
        tri_text_add(t, ", \"categories\": [");
        for (int64_t k = 0; k < column->categories; k++) {
            tri_text_add(t, k > 0 ? ", " : "");
            tri_text_string(t, column->category[k]);
        }
        tri_text_add(t, "]");
    }
    if (column->kind == TR_COLUMN_CATEGORY) {
        tri_text_add(t, ", \"shares\": [");
        for (int64_t k = 0; k < column->categories; k++) {
            tri_text_add(t, k > 0 ? ", " : "");
            tri_text_number(t, column->share[k]);
        }
        tri_text_add(t, "]");
    }
    tri_text_add(t, "}");
}

tr_status tr_table_save(const tr_table *table, const char *path)
{
    if (!tri_given(table, "table_save: the table") || !tri_given(path, "table_save: the path") ||
        tri_failed())
        return tr_status_get();
    tr_scope  *scope = tr_scope_push();
    tri_writer w;
    tri_text   t = { 0 };
    tri_text_add(&t, "{\n  \"format\": %d,\n  \"columns\": [", FORMAT);
    for (int64_t c = 0; c < table->columns; c++) {
        tri_text_add(&t, c > 0 ? ",\n    " : "\n    ");
        add_column(&t, &table->column[c]);
    }
    tri_text_add(&t, "\n  ]\n}\n");
    if (tri_writer_open(&w, path) == TR_OK) {
        tri_writer_write(&w, t.bytes, t.count);
        tri_writer_close(&w);
    }
    tr_scope_pop(scope);
    return tr_status_get();
}

static void read_categories(tr_column *column, const tri_json *json, const char *path)
{
    const bool      label = column->kind == TR_COLUMN_LABEL;
    const tri_json *names = tri_json_member(json, path, "categories", TRI_JSON_ARRAY);
    const tri_json *shares = label ? names : tri_json_member(json, path, "shares", TRI_JSON_ARRAY);
    if (tri_failed()) return;
    const char **category = tr_scope_alloc((uint64_t)(names->count + 1) * sizeof *category);
    double      *share = tr_scope_alloc((uint64_t)(names->count + 1) * sizeof *share);
    if (category == NULL || share == NULL) return;
    const tri_json *s = shares->first;
    for (const tri_json *n = names->first; n != NULL && s != NULL; n = n->next, s = s->next) {
        if (n->kind == TRI_JSON_STRING && (label || s->kind == TRI_JSON_NUMBER)) {
            share[column->categories] = label ? 0 : s->number;
            category[column->categories++] = n->string;
        }
    }
    if (column->categories != names->count || column->categories != shares->count ||
        column->categories == 0)
        tr_fail(TR_ERR_FILE, "%s: categories of \"%s\" are not texts with a share each", path,
                column->name);
    column->category = category;
    column->share = share;
}

static void read_column(tr_column *column, const tri_json *json, const char *path)
{
    if (json->kind != TRI_JSON_OBJECT) {
        tr_fail(TR_ERR_FILE, "%s: a column is no object", path);
        return;
    }
    const char *kind = tri_json_string(json, path, "kind");
    column->name = tri_json_string(json, path, "name");
    int k = 0;
    while (kind != NULL && k < 4 && strcmp(kind, kind_names[k]) != 0) k++;
    if (k == 4) tr_fail(TR_ERR_FILE, "%s: \"%s\" is no kind of column", path, kind);
    if (tri_failed()) return;
    column->kind = (tr_column_kind)k;
    if (column->kind == TR_COLUMN_NUMBER) {
        column->low = tri_json_number(json, path, "low");
        column->high = tri_json_number(json, path, "high");
        column->mean = tri_json_number(json, path, "mean");
        if (!(fabs(column->low) <= 1e300 && fabs(column->high) <= 1e300 &&
              column->low <= column->mean && column->mean <= column->high))
            tr_fail(TR_ERR_FILE, "%s: low, mean and high of \"%s\" are not in order", path,
                    column->name);
    }
    if (column->kind == TR_COLUMN_CATEGORY || column->kind == TR_COLUMN_LABEL)
        read_categories(column, json, path);
}

static tr_table *read_table(const tri_json *json, const char *path)
{
    tri_json_integer(json, path, "format", FORMAT, FORMAT);
    const tri_json *list = tri_json_member(json, path, "columns", TRI_JSON_ARRAY);
    tr_table       *table = tr_scope_alloc(sizeof *table);
    if (tri_failed()) return NULL;
    tr_column *column = tr_scope_alloc((uint64_t)(list->count + 1) * sizeof *column);
    if (column == NULL) return NULL;
    for (const tri_json *v = list->first; v != NULL && !tri_failed(); v = v->next) {
        tr_column *c = &column[table->columns++];
        read_column(c, v, path);
        c->first = table->values;
        table->values += c->kind == TR_COLUMN_NUMBER     ? 1
                         : c->kind == TR_COLUMN_CATEGORY ? c->categories
                                                         : 0;
    }
    if (table->values < 1 || table->values > MOST_VALUES)
        tr_fail(TR_ERR_FILE, "%s: a row has %lld values; it must be 1 to %d", path,
                (long long)table->values, MOST_VALUES);
    table->path = path;
    table->column = column;
    return tri_failed() ? NULL : table;
}

tr_table *tr_table_load(const char *path)
{
    if (!tri_given(path, "table_load: the path") || tri_failed()) return NULL;
    int64_t         count = 0;
    const char     *text = tri_read_file(path, MOST_BYTES, &count);
    const tri_json *json = text != NULL ? tri_json_parse(path, text, count, 0) : NULL;
    if (json != NULL && json->kind != TRI_JSON_OBJECT)
        tr_fail(TR_ERR_FILE, "%s: is no JSON object", path);
    return tri_failed() ? NULL : read_table(json, path);
}

/* --- Rows as CSV ---------------------------------------------------------------------------- */

const char *tr_column_text(const tr_column *column, const float *x, char text[32])
{
    if (!tri_given(column, "column_text: the column") || !tri_given(x, "column_text: the row") ||
        !tri_given(text, "column_text: the place for text"))
        return "";
    const double range = column->high - column->low;
    text[0] = '\0';
    if (column->kind == TR_COLUMN_NUMBER)
        snprintf(text, 32, "%.6g",
                 column->low + (double)x[column->first] * (range > 0 ? range : 1));
    if (column->kind != TR_COLUMN_CATEGORY) return text;
    int64_t best = 0;
    for (int64_t k = 1; k < column->categories; k++)
        if (x[column->first + k] > x[column->first + best]) best = k;
    return column->category[best];
}

tr_status tr_table_write(const struct tr_dataset *dataset, const tr_tensor *x, const char *path)
{
    if (!tri_given(dataset, "table_write: the dataset") ||
        !tri_given(path, "table_write: the path") || !tri_check_alive(x, "table_write") ||
        tri_failed())
        return tr_status_get();
    const tri_table *t = dataset->source->table;
    const tri_csv   *csv = t != NULL ? &t->csv : NULL;
    tri_writer       w;
    char             text[32];
    if (csv == NULL) return tr_fail(TR_ERR_VALUE, "table_write: %s is no table", dataset->spec);
    if (tr_dim(x, 0) != csv->rows || tr_numel(x) != csv->rows * t->face.values ||
        x->dtype != TR_F32 || !tr_is_contiguous(x))
        return tr_fail(TR_ERR_SHAPE, "table_write: %lld rows of %lld values are needed",
                       (long long)csv->rows, (long long)t->face.values);
    if (tri_writer_open(&w, path) != TR_OK) return tr_status_get();
    for (int64_t i = csv->header ? -1 : 0; i < csv->rows; i++) {
        const float *row = (const float *)x->data + (i < 0 ? 0 : i) * t->face.values;
        for (int64_t c = 0; c < csv->columns; c++) {
            const char *cell = i < 0 ? csv->name[c] : csv->cell[i * csv->columns + c];
            if (i >= 0 && tri_csv_missing(cell) && t->column[c].kind <= TR_COLUMN_CATEGORY)
                cell = tr_column_text(&t->column[c], row, text);
            if (c > 0) tri_writer_printf(&w, "%c", csv->separator);
            tri_csv_write_cell(&w, cell, csv->separator);
        }
        tri_writer_printf(&w, "\n");
    }
    return tri_writer_close(&w);
}
