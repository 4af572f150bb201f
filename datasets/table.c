/* table.c: csv:FILE as a dataset: what the columns mean, learned from the training rows, or taken
 * from a table that was read before; then all cells as numbers.
 *
 * It happens in two steps, for the training rows depend on the labels: tri_open_csv reads cells and
 * labels and cuts the rows into splits; `settle` runs when it is known which of them are left to
 * train on. Read next: csv.c (from text to cells), table_file.c (what is kept of a table). */
#include "datasets/csv.h"
#include "datasets/source.h"

#include "tensor/core.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_CATEGORIES = 100, MOST_CLASSES = 1000, MOST_VALUES = TRI_CSV_COLUMNS };

/* --- Names -------------------------------------------------------------------------------- */

/* Numbers by value and before texts; "1" and "1.0" are two names. */
static int by_value(const void *a, const void *b)
{
    double     x = 0, y = 0;
    const bool first = tri_csv_number(*(const char *const *)a, &x);
    const bool second = tri_csv_number(*(const char *const *)b, &y);
    if (first != second) return first ? -1 : 1;
    return first && x != y ? (x < y ? -1 : 1)
                           : strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const tr_column *const *)a)->name, (*(const tr_column *const *)b)->name);
}

/* The columns sorted by name. NULL and an error. */
static const tr_column **sort_columns(const tr_column *column, int64_t count)
{
    const tr_column **sorted = tr_scope_alloc((uint64_t)count * sizeof *sorted);
    for (int64_t c = 0; c < count && sorted != NULL; c++) sorted[c] = &column[c];
    if (sorted != NULL) qsort(sorted, (size_t)count, sizeof *sorted, by_name);
    return sorted;
}

static const tr_column *find_column(const tr_column **sorted, int64_t count, const char *name)
{
    const tr_column   wanted = { .name = name }, *key = &wanted;
    const tr_column **found = bsearch(&key, sorted, (size_t)count, sizeof *sorted, by_name);
    return found != NULL ? *found : NULL;
}

/* --- What the specification says ------------------------------------------------------------ */

/* Cuts the last ",KEY=NAME" with one of the keys off; which one, or -1. */
static int cut_option(char *argument, const char **name)
{
    static const char *const keys[] = { "label=", "category=", "drop=" };
    char                    *comma = strrchr(argument, ',');
    for (int k = 0; k < 3 && comma != NULL; k++) {
        if (strncmp(comma + 1, keys[k], strlen(keys[k])) != 0) continue;
        *name = comma + 1 + strlen(keys[k]);
        *comma = '\0';
        return k;
    }
    return -1;
}

/* Marks a column with the kind that the specification gives it. */
static tr_status mark(const tri_table *t, const char *name, tr_column_kind kind)
{
    for (int64_t c = 0; c < t->face.columns; c++) {
        if (strcmp(t->column[c].name, name) != 0) continue;
        t->column[c].kind = kind;
        return TR_OK;
    }
    return tr_fail(TR_ERR_VALUE, "%s: has no column \"%s\"", t->csv.path, name);
}

/* Reads the file that the argument names and marks columns as it says. */
static tr_status read_cells(tri_table *t, char *argument)
{
    static const tr_column_kind kinds[] = { TR_COLUMN_LABEL, TR_COLUMN_CATEGORY,
                                            TR_COLUMN_LEFT_OUT };
    enum { MOST = 64 };
    const char *name[MOST];
    int         kind[MOST], count = 0;
    while (count < MOST && (kind[count] = cut_option(argument, &name[count])) >= 0) count++;
    if (tri_csv_read(&t->csv, argument) != TR_OK) return tr_status_get();
    t->face.path = argument;
    t->face.columns = t->csv.columns;
    t->face.column = t->column = tr_scope_alloc((uint64_t)t->csv.columns * sizeof *t->column);
    for (int64_t c = 0; c < t->csv.columns && t->column != NULL; c++)
        t->column[c].name = t->csv.name[c];
    for (int i = 0; i < count && t->column != NULL; i++) mark(t, name[i], kinds[kind[i]]);
    return tr_status_get();
}

static tr_status check_names(const tri_table *t)
{
    const tr_column **sorted = sort_columns(t->column, t->face.columns);
    for (int64_t c = 1; c < t->face.columns && sorted != NULL; c++)
        if (strcmp(sorted[c]->name, sorted[c - 1]->name) == 0)
            return tr_fail(TR_ERR_FILE, "%s: two columns have the name \"%.*s\"", t->csv.path,
                           tri_csv_shown(sorted[c]->name), sorted[c]->name);
    return tr_status_get();
}

/* Gives the columns the meaning that they have in another table. */
static tr_status adopt(tri_table *t, const tr_table *given)
{
    const tr_column **known = sort_columns(given->column, given->columns);
    const tr_column **own = sort_columns(t->column, t->face.columns);
    if (known == NULL || own == NULL) return tr_status_get();
    for (int64_t c = 0; c < given->columns; c++) {
        const tr_column *column = &given->column[c];
        const tr_column *here = find_column(own, t->face.columns, column->name);
        const bool       needed = column->kind <= TR_COLUMN_CATEGORY;
        if (needed && (here == NULL || here->kind > TR_COLUMN_CATEGORY))
            return tr_fail(TR_ERR_FILE,
                           "%s: has no column \"%s\", which the table that was trained on has",
                           t->csv.path, column->name);
    }
    for (int64_t c = 0; c < t->face.columns; c++) {
        tr_column       *column = &t->column[c];
        const tr_column *there = find_column(known, given->columns, column->name);
        if (column->kind > TR_COLUMN_CATEGORY) continue;
        if (there == NULL)
            return tr_fail(TR_ERR_FILE,
                           "%s: column \"%.*s\" is not in the table that was trained on; "
                           ",drop=NAME behind the file's name leaves it out",
                           t->csv.path, tri_csv_shown(column->name), column->name);
        *column = *there;
        column->name = t->csv.name[c];
    }
    t->face.values = given->values;
    return TR_OK;
}

/* --- Labels ------------------------------------------------------------------------------- */

static char *cell_of(const tri_table *t, int64_t row, int64_t column)
{
    return t->csv.cell[row * t->csv.columns + column];
}

/* The names of the classes: those that are known already, then all others of the file. */
static const char **class_names(const tri_table *t, const tr_column *label, int64_t c,
                                int64_t *count)
{
    const int64_t rows = t->csv.rows;
    const char  **name = tr_scope_alloc((uint64_t)(label->categories + rows) * sizeof *name);
    const char  **fresh = tri_scratch((uint64_t)rows * sizeof *fresh);
    if (name == NULL || fresh == NULL) return NULL;
    for (int64_t i = 0; i < rows; i++) {
        fresh[i] = cell_of(t, i, c);
        if (!tri_csv_missing(fresh[i])) continue;
        tr_fail(TR_ERR_FILE, "%s: line %lld has no label in column \"%s\"", t->csv.path,
                (long long)t->csv.line[i], label->name);
        return NULL;
    }
    const int64_t found = tri_csv_sort(fresh, rows);
    if (found > MOST_CLASSES) {
        tr_fail(TR_ERR_FILE, "%s: column \"%s\" has %lld different labels; at most %d are taken",
                t->csv.path, label->name, (long long)found, MOST_CLASSES);
        return NULL;
    }
    qsort(fresh, (size_t)found, sizeof *fresh, by_value);
    for (*count = 0; *count < label->categories; ++*count) name[*count] = label->category[*count];
    for (int64_t i = 0; i < found; i++) {
        int64_t k = 0;
        while (k < label->categories && strcmp(label->category[k], fresh[i]) != 0) k++;
        if (k == label->categories) name[(*count)++] = fresh[i];
    }
    return name;
}

static tr_status read_labels(tr_dataset *d, tri_table *t, int64_t c, tri_rows *rows)
{
    tr_column   *label = &t->column[c];
    const char **name = class_names(t, label, c, &d->classes);
    int64_t *class = tr_scope_alloc((uint64_t)t->csv.rows * sizeof *class);
    if (name == NULL || class == NULL) return tr_status_get();
    for (int64_t i = 0; i < t->csv.rows; i++)
        while (strcmp(name[class[i]], cell_of(t, i, c)) != 0) class[i]++;
    rows->labels = class;
    label->categories = d->classes;
    label->category = d->class_names = name;
    return TR_OK;
}

/* --- Learning ------------------------------------------------------------------------------- */

/* The categories of texts, sorted, with their shares. */
static tr_status learn_categories(tr_column *column, const char **text, int64_t known)
{
    const char **all = text + known; /* room for a copy */
    memcpy(all, text, (size_t)known * sizeof *text);
    const int64_t count = tri_csv_sort(all, known);
    column->kind = count > MOST_CATEGORIES ? TR_COLUMN_LEFT_OUT : TR_COLUMN_CATEGORY;
    if (count > MOST_CATEGORIES) return TR_OK;
    const char **category = tr_scope_alloc((uint64_t)count * sizeof *category);
    double      *share = tr_scope_alloc((uint64_t)count * sizeof *share);
    if (category == NULL || share == NULL) return tr_status_get();
    memcpy(category, all, (size_t)count * sizeof *category);
    qsort(category, (size_t)count, sizeof *category, by_value);
    for (int64_t i = 0; i < known; i++) {
        const char **found = bsearch(&text[i], category, (size_t)count, sizeof *category, by_value);
        share[found - category] += 1 / (double)known;
    }
    column->categories = count;
    column->category = category;
    column->share = share;
    return TR_OK;
}

/* A column from its training cells; text has room for twice as many. */
static tr_status learn_column(tri_table *t, const tr_dataset *d, int64_t c, const char **text)
{
    tr_column     *column = &t->column[c];
    const int64_t *row = d->source->split[TR_TRAIN].row;
    int64_t        known = 0, numbers = 0, odd = 0;
    for (int64_t i = 0; i < d->count[TR_TRAIN]; i++) {
        const char *cell = cell_of(t, row[i], c);
        double      v;
        if (tri_csv_missing(cell)) continue;
        text[known++] = cell;
        if (!tri_csv_number(cell, &v)) {
            odd = row[i];
            continue;
        }
        column->low = numbers == 0 || v < column->low ? v : column->low;
        column->high = numbers == 0 || v > column->high ? v : column->high;
        column->mean += (v - column->mean) / (double)++numbers;
    }
    if (known == 0) {
        column->kind = TR_COLUMN_LEFT_OUT;
    } else if (column->kind == TR_COLUMN_CATEGORY || 2 * numbers <= known) {
        return learn_categories(column, text, known);
    } else if (numbers < known) {
        const char *cell = cell_of(t, odd, c);
        return tr_fail(TR_ERR_FILE,
                       "%s: line %lld, column \"%s\": \"%.*s\" is not a number, as most of the "
                       "column are; ,category=%s behind the file's name takes all as names",
                       t->csv.path, (long long)t->csv.line[odd], column->name, tri_csv_shown(cell),
                       cell, column->name);
    }
    return TR_OK;
}

static int64_t width_of(const tr_column *column)
{
    return column->kind == TR_COLUMN_NUMBER     ? 1
           : column->kind == TR_COLUMN_CATEGORY ? column->categories
                                                : 0;
}

static tr_status learn(tri_table *t, const tr_dataset *d)
{
    const int64_t trains = d->count[TR_TRAIN];
    const char  **text = tri_scratch((uint64_t)(2 * trains + 1) * sizeof *text);
    if (trains == 0)
        return tr_fail(TR_ERR_VALUE, "%s: has no training row to learn its columns from",
                       t->csv.path);
    for (int64_t c = 0; c < t->face.columns && text != NULL; c++) {
        tr_column *column = &t->column[c];
        if (column->kind <= TR_COLUMN_CATEGORY && learn_column(t, d, c, text) != TR_OK)
            return tr_status_get();
        column->first = t->face.values;
        t->face.values += width_of(column);
    }
    if (t->face.values >= 1 && t->face.values <= MOST_VALUES) return tr_status_get();
    return tr_fail(TR_ERR_FILE,
                   "%s: its columns make %lld values for a row; 1 to %d can be learned from",
                   t->csv.path, (long long)t->face.values, MOST_VALUES);
}

/* --- Values ------------------------------------------------------------------------------- */

static float scaled(const tr_column *column, double v)
{
    const double range = column->high - column->low;
    const double x = (v - column->low) / (range > 0 ? range : 1);
    return (float)fmax(-1e6, fmin(1e6, x));
}

/* A known cell as values x of the row. */
static tr_status convert(const tri_table *t, const tr_column *column, const char *cell,
                         int64_t line, float *x)
{
    double v;
    if (column->kind == TR_COLUMN_CATEGORY) {
        const char *const *found = bsearch(&cell, column->category, (size_t)column->categories,
                                           sizeof *column->category, by_value);
        for (int64_t k = 0; k < column->categories; k++)
            x[k] = found == &column->category[k] ? 1 : 0;
        return TR_OK;
    }
    if (!tri_csv_number(cell, &v))
        return tr_fail(TR_ERR_FILE,
                       "%s: line %lld, column \"%s\": \"%.*s\" is not a number, as in training",
                       t->csv.path, (long long)line, column->name, tri_csv_shown(cell), cell);
    *x = scaled(column, v);
    return TR_OK;
}

static tr_status convert_column(tr_dataset *d, const tri_table *t, int64_t c, float *values)
{
    tr_column    *column = &t->column[c];
    const int64_t width = width_of(column), rows = t->csv.rows;
    int64_t       missing = 0;
    for (int64_t i = 0; i < rows; i++) {
        const char *cell = cell_of(t, i, c);
        float      *x = values + i * t->face.values + column->first;
        const bool  lacks = tri_csv_missing(cell);
        missing += lacks;
        for (int64_t k = 0; k < width && lacks; k++) x[k] = NAN;
        if (width > 0 && !lacks && convert(t, column, cell, t->csv.line[i], x) != TR_OK)
            return tr_status_get();
    }
    column->missing = (double)missing / (double)rows;
    if (width > 0 && missing > 0) d->has_missing = true;
    return TR_OK;
}

/* Means and shares of the training rows. */
static tr_tensor *make_blank(const tri_table *t)
{
    tr_tensor *blank = tr_empty(TR_F32, TR_SHAPE(1, t->face.values, 1));
    for (int64_t c = 0; c < t->face.columns && blank != NULL; c++) {
        const tr_column *column = &t->column[c];
        float           *x = (float *)blank->data + column->first;
        if (column->kind == TR_COLUMN_NUMBER) *x = scaled(column, column->mean);
        for (int64_t k = 0; k < column->categories && column->kind == TR_COLUMN_CATEGORY; k++)
            x[k] = (float)column->share[k];
    }
    return blank;
}

static tr_status settle(tr_dataset *d, const tr_dataset_options *options)
{
    tri_table *t = d->source->table;
    if (options->table == NULL && learn(t, d) != TR_OK) return tr_status_get();
    float *values = tr_scope_alloc((uint64_t)(t->csv.rows * t->face.values) * sizeof *values);
    for (int64_t c = 0; c < t->face.columns && values != NULL; c++)
        if (convert_column(d, t, c, values) != TR_OK) return tr_status_get();
    d->table = &t->face;
    d->height = d->channels = 1;
    d->width = t->face.values;
    d->source->split[TR_TRAIN].values = d->source->split[TR_TEST].values = values;
    d->blank = make_blank(t);
    return tr_status_get();
}

tr_status tri_open_csv(tr_dataset *d, const char *argument, const tr_dataset_options *options)
{
    if (argument == NULL) return tr_fail(TR_ERR_VALUE, "csv: which file? expected csv:FILE");
    tri_table *t = tr_scope_alloc(sizeof *t);
    char      *copy = tri_copy_text(argument);
    tri_rows   rows = { 0 };
    if (t == NULL || copy == NULL || read_cells(t, copy) != TR_OK || check_names(t) != TR_OK)
        return tr_status_get();
    if (options->table != NULL && adopt(t, options->table) != TR_OK) return tr_status_get();
    for (int64_t c = 0; c < t->face.columns; c++)
        if (t->column[c].kind == TR_COLUMN_LABEL && read_labels(d, t, c, &rows) != TR_OK)
            return tr_status_get();
    d->source->table = t;
    d->source->settle = settle;
    return tri_split_rows(d, rows, t->csv.rows, options->test_fraction);
}
