/* table.h: what the columns of a table mean: which values of a row x they become, and how to get
 * back to the table's own units and names. Included by datasets.h.
 *
 * A table is read from csv:FILE[,label=COLUMN][,category=COLUMN][,drop=COLUMN], the last two as
 * often as needed. Its first line names the columns where none of its cells is a number. Cells that
 * are empty, NA, NaN or ? are missing. A column whose training values are all numbers is one value
 * of x,
 *
 *     x = (v - low) / (high - low)        low, high: least and largest training value
 *
 * so training values lie in [0, 1]; others may lie outside, at most 1e6 away; where high = low,
 * x = v - low. Any other column (or one called a category) is a value for each of its training
 * categories: 1 for the row's own, 0 elsewhere; all 0 for a category that training has not seen,
 * which a model of what is normal restores badly. In place of a missing value x has the mean of the
 * training values, for categories their shares.
 *
 * Left out, and only written again as they are: columns that were dropped, that have no training
 * value at all, and those with more than 100 categories, as names and comments have. */
#ifndef TENREC_TABLE_H
#define TENREC_TABLE_H

#include "tensor/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tr_column_kind {
    TR_COLUMN_NUMBER,
    TR_COLUMN_CATEGORY,
    TR_COLUMN_LABEL, /* the class of a row */
    TR_COLUMN_LEFT_OUT
} tr_column_kind;

typedef struct tr_column {
    const char        *name;
    tr_column_kind     kind;
    double             low, high, mean; /* of a number's training values */
    int64_t            categories;      /* also of a label: its classes */
    const char *const *category;        /* [categories]: their names */
    const double      *share;           /* [categories]: of the training values */
    int64_t            first;           /* its first value in a row of x */
    double             missing;         /* the share of this file's rows that lack it */
} tr_column;

/* Read-only for users. */
typedef struct tr_table {
    const char      *path;
    int64_t          columns, values; /* in a row of the file, in a row of x */
    const tr_column *column;          /* [columns], in the file's order */
} tr_table;

struct tr_dataset;

/* "number", "category", "label" or "left out"; NULL for what there is not. */
TR_API const char *tr_column_kind_name(tr_column_kind kind);

/* All that is needed to read other files as this one was read, as JSON; and back, into the
 * innermost scope. */
TR_API tr_status tr_table_save(const tr_table *table, const char *path);
TR_API tr_table *tr_table_load(const char *path);

/* What values x [values] mean in a column, "37.5" or "red": the value in its own unit, or the
 * category with the largest value; "" for labels and what is left out. */
TR_API const char *tr_column_text(const tr_column *column, const float *x, char text[32]);

/* Writes all rows of a dataset that was read from a table, in the file's order and form: known
 * cells as they stand there, missing ones from x: f32 [rows, ...], row i for row i of the file. */
TR_API tr_status tr_table_write(const struct tr_dataset *dataset, const tr_tensor *x,
                                const char *path);

#ifdef __cplusplus
}
#endif
#endif
