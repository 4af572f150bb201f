/* shape.c: arithmetic of shapes, strides and axes, and how they are written in messages.
 * Sizes are checked here once, so that products of sizes cannot overflow anywhere else.     */
#include "tensor/core.h"

#include <string.h>

bool tri_mul_size(int64_t a, int64_t b, int64_t *product)
{
    return a >= 0 && b >= 0 && !__builtin_mul_overflow(a, b, product);
}

int64_t tri_shape_numel(tr_shape shape)
{
    int64_t n = 1;
    for (int i = 0; i < shape.rank; i++) n *= shape.dim[i];
    return n;
}

bool tri_shape_equal(tr_shape a, tr_shape b)
{
    if (a.rank != b.rank) return false;
    for (int i = 0; i < a.rank; i++)
        if (a.dim[i] != b.dim[i]) return false;
    return true;
}

void tri_contiguous_strides(tr_shape shape, int64_t *stride)
{
    int64_t step = 1;
    for (int i = shape.rank - 1; i >= 0; i--) {
        stride[i] = step;
        step *= shape.dim[i];
    }
}

/* Largest number of elements: leaves room for a factor of eight bytes and a header in int64_t. */
static const int64_t max_numel = INT64_MAX / 32;

bool tri_check_shape(tr_shape shape, const char *what)
{
    if (shape.rank < 0 || shape.rank > TR_MAX_RANK) {
        tr_fail(TR_ERR_SHAPE, "%s: rank %d is not in 0 .. %d", what, shape.rank, TR_MAX_RANK);
        return false;
    }
    char text[128];
    /* Sizes of 0 are skipped: the others must not overflow either, or strides would. */
    int64_t n = 1;
    for (int i = 0; i < shape.rank; i++) {
        if (shape.dim[i] < 0) {
            tr_fail(TR_ERR_SHAPE, "%s: shape %s has a negative size", what,
                    tri_describe_shape(shape, text, sizeof text));
            return false;
        }
        if (shape.dim[i] == 0) continue;
        if (!tri_mul_size(n, shape.dim[i], &n) || n > max_numel) {
            tr_fail(TR_ERR_SHAPE, "%s: shape %s has too many elements", what,
                    tri_describe_shape(shape, text, sizeof text));
            return false;
        }
    }
    return true;
}

char *tri_describe_shape(tr_shape shape, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "[");
    for (int i = 0; i < shape.rank && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%lld", i > 0 ? ", " : "",
                                 (long long)shape.dim[i]);
    if (used < size) snprintf(text + used, size - used, "]");
    return text;
}

int tri_axis(int axis, int rank, const char *what)
{
    const int resolved = axis < 0 ? axis + rank : axis;
    if (resolved >= 0 && resolved < rank) return resolved;
    if (rank == 0)
        tr_fail(TR_ERR_VALUE, "%s: axis %d of a tensor without axes", what, axis);
    else
        tr_fail(TR_ERR_VALUE, "%s: axis %d is not in %d .. %d", what, axis, -rank, rank - 1);
    return -1;
}

bool tri_axes_flags(tr_shape axes, int rank, bool flags[TR_MAX_RANK], const char *what)
{
    for (int i = 0; i < TR_MAX_RANK; i++) flags[i] = axes.rank < 0 && i < rank;
    for (int i = 0; i < axes.rank; i++) {
        const int64_t named = axes.dim[i];
        const int     axis = tri_axis(
                named > TR_MAX_RANK || named < -TR_MAX_RANK ? TR_MAX_RANK : (int)named, rank, what);
        if (axis < 0) return false;
        if (flags[axis]) {
            tr_fail(TR_ERR_VALUE, "%s: axis %lld is named twice", what, (long long)named);
            return false;
        }
        flags[axis] = true;
    }
    return true;
}
