/* columns.c: how far values of a table are from the truth, column by column, in the table's own
 * terms. Read next: datasets/table.h. */
#include "train/uses.h"

#include "nn/nn.h"
#include "tensor/core.h"

#include <math.h>

/* Of one cell: the squared difference in units of the range, or whether the category is another. */
static double cell_error(const tr_column *column, const float *y, const float *x)
{
    if (column->kind == TR_COLUMN_NUMBER) {
        const double away = (double)y[column->first] - (double)x[column->first];
        return away * away;
    }
    int64_t given = 0, wanted = 0;
    for (int64_t k = 1; k < column->categories; k++) {
        if (y[column->first + k] > y[column->first + given]) given = k;
        if (x[column->first + k] > x[column->first + wanted]) wanted = k;
    }
    return given != wanted || !(x[column->first + wanted] > 0); /* an unknown one is never right */
}

tr_status tr_table_errors(const tr_table *table, const tr_tensor *y, const tr_tensor *x,
                          const tr_tensor *mask, double *column, double overall[2])
{
    const tr_tensor *parts[] = { y, x, mask };
    if (!tri_given(table, "table_errors: the table") ||
        !tri_given(column, "table_errors: the place for columns") ||
        !tri_given(overall, "table_errors: the place for overall"))
        return tr_status_get();
    if (tri_failed()) return tr_status_get();
    for (int i = 0; i < 3; i++)
        if (parts[i] == NULL || parts[i]->dtype != TR_F32 || !tr_is_contiguous(parts[i]) ||
            tr_numel(parts[i]) != tr_dim(x, 0) * table->values)
            return tr_fail(TR_ERR_SHAPE, "table_errors: f32 rows of %lld values are needed",
                           (long long)table->values);
    const float *there = mask->data, *given = y->data, *wanted = x->data;
    double       total[2] = { 0, 0 }, cells[2] = { 0, 0 };
    for (int64_t c = 0; c < table->columns; c++) {
        const tr_column *one = &table->column[c];
        const bool       number = one->kind == TR_COLUMN_NUMBER;
        double           sum = 0, count = 0;
        for (int64_t i = 0; i < tr_dim(x, 0) && one->kind <= TR_COLUMN_CATEGORY; i++) {
            const int64_t at = i * table->values;
            if (!(there[at + one->first] > 0)) continue;
            sum += cell_error(one, given + at, wanted + at);
            count++;
        }
        total[number ? 0 : 1] += sum;
        cells[number ? 0 : 1] += count;
        const double range = one->high > one->low ? one->high - one->low : 1;
        column[c] = number ? range * sqrt(sum / count) : sum / count;
    }
    overall[0] = sqrt(total[0] / cells[0]);
    overall[1] = total[1] / cells[1];
    return TR_OK;
}
