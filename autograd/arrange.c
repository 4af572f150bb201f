/* arrange.c: the values of a tensor in another arrangement: padding by its own values, repeat,
 * roll, triangles, diagonal. All are composed of slices, gathers and masks, and so differentiate by
 * themselves. Read next: slice.c and index.c, the operations beneath. */
#include "autograd/compose.h"

/* --- Padding by the tensor's own values ------------------------------------------------------- */

/* Where position i of a padded axis of n values takes its value from; i counts from the first
 * value, so it is negative before it. */
static int64_t pad_source(int64_t i, int64_t n, tr_pad_mode mode)
{
    switch (mode) {
    case TR_PAD_REFLECT: return i < 0 ? -i : i >= n ? 2 * (n - 1) - i : i;
    case TR_PAD_REPLICATE: return i < 0 ? 0 : i >= n ? n - 1 : i;
    case TR_PAD_CIRCULAR: return i < 0 ? i + n : i >= n ? i - n : i;
    }
    return i;
}

static tr_tensor *pad_axis(tr_tensor *x, int axis, int64_t before, int64_t after, tr_pad_mode mode)
{
    const int64_t n = x->shape[axis];
    const int64_t most = mode == TR_PAD_REFLECT    ? n - 1
                         : mode == TR_PAD_CIRCULAR ? n
                                                   : INT64_MAX / 64;
    if (before < 0 || after < 0 || n == 0 || before > most || after > most)
        return tri_refuse(TR_ERR_VALUE, "pad_with", x, "axis %d cannot be padded by %lld and %lld",
                          axis, (long long)before, (long long)after);
    tr_tensor *index = tr_empty(TR_I64, TR_SHAPE(before + n + after));
    if (index == NULL) return NULL;
    int64_t *source = index->data;
    for (int64_t i = 0; i < before + n + after; i++) source[i] = pad_source(i - before, n, mode);
    return tr_index_select(x, axis, index);
}

tr_tensor *tr_pad_with(tr_tensor *x, tr_shape before, tr_shape after, tr_pad_mode mode)
{
    TRI_FUNCTION("pad_with", x);
    if (!tri_usable(x, "pad_with")) return NULL;
    if (before.rank != x->rank || after.rank != x->rank)
        return tri_refuse(TR_ERR_SHAPE, "pad_with", x,
                          "%d sizes before and %d after were given, one per axis is needed",
                          before.rank, after.rank);
    const int rank = x->rank;
    for (int i = 0; i < rank && x != NULL; i++)
        if (before.dim[i] != 0 || after.dim[i] != 0)
            x = pad_axis(x, i, before.dim[i], after.dim[i], mode);
    return x;
}

/* --- Repeat and roll -------------------------------------------------------------------------- */

tr_tensor *tr_repeat(tr_tensor *x, tr_shape times)
{
    TRI_FUNCTION("repeat", x);
    if (!tri_usable(x, "repeat")) return NULL;
    if (times.rank != x->rank)
        return tri_refuse(TR_ERR_SHAPE, "repeat", x, "%d counts were given, one per axis is needed",
                          times.rank);
    const int rank = x->rank;
    int64_t   before = 1, after = tr_numel(x);
    for (int i = 0; i < rank && x != NULL; i++) {
        const int64_t n = x->shape[i], t = times.dim[i];
        if (t < 0)
            return tri_refuse(TR_ERR_VALUE, "repeat", x, "axis %d cannot be repeated %lld times", i,
                              (long long)t);
        if (t != 1) {
            int64_t size;
            if (!tri_mul_size(n, t, &size)) size = INT64_MAX;
            const tr_shape result = tri_with_size(x, i, size);
            if (!tri_check_shape(result, "repeat")) return NULL;
            x = tr_reshape(tr_expand(tr_reshape(x, TR_SHAPE(before, 1, after)),
                                     TR_SHAPE(before, t, after)), result);
        }
        before *= n * t;
        after = n > 0 ? after / n : after;
    }
    return x;
}

tr_tensor *tr_roll(tr_tensor *x, int64_t shift, int axis)
{
    TRI_FUNCTION("roll", x);
    if (!tri_usable(x, "roll")) return NULL;
    const int k = tri_axis(axis, x->rank, "roll");
    if (k < 0) return NULL;
    const int64_t n = x->shape[k];
    if (n == 0) return tr_slice(x, k, 0, TR_END, 1);
    const int64_t head = ((-shift) % n + n) % n; /* so many move from the front to the back */
    tr_tensor    *parts[2] = { tr_narrow(x, k, head, n - head), tr_narrow(x, k, 0, head) };
    return tr_concat(parts, 2, k);
}

/* --- Matrices --------------------------------------------------------------------------------- */

/* u8 [R, C]: 1 where the element lies above (below) the diagonal: column - row > (<) offset. */
static tr_tensor *off_diagonal(int64_t rows, int64_t columns, int64_t offset, bool above)
{
    tr_tensor *mask = tr_empty(TR_U8, TR_SHAPE(rows, columns));
    if (mask == NULL) return NULL;
    uint8_t *value = mask->data;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            *value++ = above ? j - i > offset : j - i < offset;
    return mask;
}

static tr_tensor *triangle(tr_tensor *x, int64_t diagonal, bool lower, const char *name)
{
    if (!tri_usable(x, name)) return NULL;
    if (x->rank < 2) return tri_refuse(TR_ERR_SHAPE, name, x, "two axes are needed");
    return tr_masked_fill(x, off_diagonal(tr_dim(x, -2), tr_dim(x, -1), diagonal, lower), 0);
}

tr_tensor *tr_tril(tr_tensor *x, int64_t diagonal)
{
    TRI_FUNCTION("tril", x);
    return triangle(x, diagonal, true, "tril");
}

tr_tensor *tr_triu(tr_tensor *x, int64_t diagonal)
{
    TRI_FUNCTION("triu", x);
    return triangle(x, diagonal, false, "triu");
}

/* The elements of a diagonal are evenly spaced in a flattened matrix: C + 1 apart. */
tr_tensor *tr_diagonal(tr_tensor *x, int64_t offset)
{
    TRI_FUNCTION("diagonal", x);
    if (!tri_usable(x, "diagonal")) return NULL;
    if (x->rank < 2) return tri_refuse(TR_ERR_SHAPE, "diagonal", x, "two axes are needed");
    const int64_t rows = tr_dim(x, -2), columns = tr_dim(x, -1);
    if (offset < -rows || offset > columns)
        return tri_refuse(TR_ERR_VALUE, "diagonal", x, "offset %lld is not in %lld .. %lld",
                          (long long)offset, (long long)-rows, (long long)columns);
    const int64_t row = offset < 0 ? -offset : 0, column = offset > 0 ? offset : 0;
    const int64_t down = rows - row, right = columns - column, length = down < right ? down : right;
    const int64_t start = row * columns + column;
    tr_tensor    *flat = tr_flatten(x, -2);
    return tr_slice(flat, -1, start, length > 0 ? start + (length - 1) * (columns + 1) + 1 : start,
                    columns + 1);
}
