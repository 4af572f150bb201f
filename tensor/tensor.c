/* tensor.c: makes tensors and views, and tells about them. A tensor is a handle in a scope's
 * memory; its values lie in reference-counted storage that views share.
 *
 * Read next: scope.c (who frees what), map.c (the loops behind tr_assign and tr_fill). */
#include "tensor/core.h"
#include "tensor/compute.h"

#include <math.h>
#include <string.h>

/* --- Dtypes ----------------------------------------------------------------------------------- */

size_t tr_dtype_size(tr_dtype dtype)
{
    switch (dtype) {
    case TR_F32: return 4;
    case TR_F64: return 8;
    case TR_I64: return 8;
    case TR_U8: return 1;
    }
    return 0;
}

const char *tr_dtype_name(tr_dtype dtype)
{
    switch (dtype) {
    case TR_F32: return "f32";
    case TR_F64: return "f64";
    case TR_I64: return "i64";
    case TR_U8: return "u8";
    }
    return "?";
}

/* --- Handles, views --------------------------------------------------------------------------- */

/* The handle may lie in memory that a scope gave back, where the address sanitizer would see an
 * error before it can be told as one. */
__attribute__((no_sanitize("address"))) bool tri_alive(const tr_tensor *t)
{
    return t != NULL && t->alive == TRI_ALIVE;
}

bool tri_check_alive(const tr_tensor *t, const char *what)
{
    if (t == NULL) {
        int         length = 0;
        const char *name = tri_function_argument(t, 0, &length);
        tr_fail(TR_ERR_VALUE, "%s: %.*s is NULL", what, name != NULL ? length : 10,
                name != NULL ? name : "the tensor");
        return false;
    }
    if (!tri_alive(t)) {
        tr_fail(TR_ERR_STATE, "%s: tensor from a closed scope; hand it out with tr_scope_keep",
                what);
        return false;
    }
    return true;
}

static void set_shape(tr_tensor *t, tr_shape shape)
{
    t->rank = shape.rank;
    memcpy(t->shape, shape.dim, sizeof(int64_t) * (size_t)shape.rank);
}

tr_tensor *tri_new(tr_dtype dtype, tr_shape shape)
{
    if (tri_failed() || !tri_check_shape(shape, "new tensor")) return NULL;
    if (tr_dtype_size(dtype) == 0) {
        tr_fail(TR_ERR_DTYPE, "new tensor: %d is no dtype", (int)dtype);
        return NULL;
    }
    tr_tensor *t = tri_handle_new();
    if (t == NULL) return NULL;
    t->dtype = dtype;
    set_shape(t, shape);
    tri_contiguous_strides(shape, t->stride);
    t->storage = tri_storage_new((uint64_t)tri_shape_numel(shape) * tr_dtype_size(dtype));
    if (t->storage == NULL) return NULL;
    t->data = t->storage->data;
    return t;
}

tr_tensor *tri_view(const tr_tensor *base, tr_shape shape, const int64_t *stride, int64_t offset)
{
    tr_tensor *t = tri_handle_new();
    if (t == NULL) return NULL;
    t->dtype = base->dtype;
    set_shape(t, shape);
    memcpy(t->stride, stride, sizeof(int64_t) * (size_t)shape.rank);
    t->storage = base->storage;
    tri_storage_ref(t->storage);
    t->data = (char *)base->data + offset * (int64_t)tr_dtype_size(base->dtype);
    return t;
}

const tr_tensor *tri_contiguous(const tr_tensor *x)
{
    if (tr_is_contiguous(x)) return x;
    tr_tensor *copy = tri_new(x->dtype, tr_shape_of(x));
    if (copy == NULL || tri_copy(copy, x) != TR_OK) return NULL;
    return copy;
}

/* --- Create ----------------------------------------------------------------------------------- */

tr_tensor *tr_empty(tr_dtype dtype, tr_shape shape)
{
    return tri_new(dtype, shape);
}

tr_tensor *tr_full(tr_dtype dtype, tr_shape shape, double value)
{
    tr_tensor *t = tri_new(dtype, shape);
    return t != NULL && tri_fill(t, value) == TR_OK ? t : NULL;
}

tr_tensor *tr_zeros(tr_dtype dtype, tr_shape shape)
{
    return tr_full(dtype, shape, 0);
}

tr_tensor *tr_ones(tr_dtype dtype, tr_shape shape)
{
    return tr_full(dtype, shape, 1);
}

tr_tensor *tr_scalar(tr_dtype dtype, double value)
{
    return tr_full(dtype, TR_SCALAR, value);
}

tr_tensor *tr_from(tr_dtype dtype, tr_shape shape, const void *values)
{
    tr_tensor *t = tri_new(dtype, shape);
    if (t == NULL) return NULL;
    const size_t bytes = (size_t)tr_numel(t) * tr_dtype_size(dtype);
    if (bytes > 0 && !tri_given(values, "from: the list of values")) return NULL;
    if (bytes > 0) memcpy(t->data, values, bytes);
    return t;
}

/* Converts one double to the dtype and stores it at element i. */
static void store(tr_tensor *t, int64_t i, double value)
{
    switch (t->dtype) {
    case TR_F32: ((float *)t->data)[i] = (float)value; break;
    case TR_F64: ((double *)t->data)[i] = value; break;
    case TR_I64: ((int64_t *)t->data)[i] = (int64_t)value; break;
    case TR_U8: ((uint8_t *)t->data)[i] = (uint8_t)value; break;
    }
}

static double load(const tr_tensor *t, int64_t i)
{
    switch (t->dtype) {
    case TR_F32: return (double)((const float *)t->data)[i];
    case TR_F64: return ((const double *)t->data)[i];
    case TR_I64: return (double)((const int64_t *)t->data)[i];
    case TR_U8: return (double)((const uint8_t *)t->data)[i];
    }
    return 0;
}

tr_tensor *tr_arange(tr_dtype dtype, int64_t count)
{
    tr_tensor *t = tri_new(dtype, TR_SHAPE(count));
    for (int64_t i = 0; t != NULL && i < count; i++) store(t, i, (double)i);
    return t;
}

tr_tensor *tr_linspace(tr_dtype dtype, double from, double to, int64_t count)
{
    tr_tensor   *t = tri_new(dtype, TR_SHAPE(count));
    const double steps = count > 1 ? (double)(count - 1) : 1;
    for (int64_t i = 0; t != NULL && i < count; i++)
        store(t, i, i == count - 1 && count > 1 ? to : from + (to - from) * ((double)i / steps));
    return t;
}

tr_tensor *tr_eye(tr_dtype dtype, int64_t n)
{
    tr_tensor *t = tr_zeros(dtype, TR_SHAPE(n, n));
    for (int64_t i = 0; t != NULL && i < n; i++) store(t, i * n + i, 1);
    return t;
}

/* --- Inspect ---------------------------------------------------------------------------------- */

tr_shape tr_shape_of(const tr_tensor *t)
{
    tr_shape shape = { 0 };
    if (!tri_alive(t)) return shape;
    shape.rank = t->rank;
    memcpy(shape.dim, t->shape, sizeof(int64_t) * (size_t)t->rank);
    return shape;
}

int64_t tr_numel(const tr_tensor *t)
{
    return !tri_alive(t) ? 0 : tri_shape_numel(tr_shape_of(t));
}

int64_t tr_dim(const tr_tensor *t, int axis)
{
    if (!tri_alive(t)) return 0;
    const int resolved = axis < 0 ? axis + t->rank : axis;
    return resolved >= 0 && resolved < t->rank ? t->shape[resolved] : 0;
}

bool tr_is_contiguous(const tr_tensor *t)
{
    int64_t step = 1;
    if (!tri_alive(t)) return false;
    for (int i = t->rank - 1; i >= 0; i--) {
        if (t->shape[i] == 0) return true;
        if (t->shape[i] != 1 && t->stride[i] != step) return false;
        step *= t->shape[i];
    }
    return true;
}

bool tr_same_shape(const tr_tensor *a, const tr_tensor *b)
{
    return tri_alive(a) && tri_alive(b) && tri_shape_equal(tr_shape_of(a), tr_shape_of(b));
}

char *tr_describe(const tr_tensor *t, char *text, size_t size)
{
    if (!tri_alive(t)) {
        snprintf(text, size, t == NULL ? "NULL" : "from a closed scope");
        return text;
    }
    char shape[200];
    snprintf(text, size, "%s%s", tr_dtype_name(t->dtype),
             tri_describe_shape(tr_shape_of(t), shape, sizeof shape));
    return text;
}

double tr_item(const tr_tensor *t)
{
    if (tri_failed() || !tri_check_alive(t, "item")) return (double)NAN;
    if (tr_numel(t) != 1) {
        char text[240];
        tr_fail(TR_ERR_SHAPE, "item: %s does not hold one value",
                tr_describe(t, text, sizeof text));
        return (double)NAN;
    }
    return load(t, 0);
}

double tr_at(const tr_tensor *t, tr_shape index)
{
    if (tri_failed() || !tri_check_alive(t, "at")) return (double)NAN;
    char text[240], place[200];
    if (index.rank != t->rank) {
        tr_fail(TR_ERR_SHAPE, "at: index %s does not have one number per axis of %s",
                tri_describe_shape(index, place, sizeof place), tr_describe(t, text, sizeof text));
        return (double)NAN;
    }
    int64_t offset = 0;
    for (int i = 0; i < t->rank; i++) {
        const int64_t k = index.dim[i] < 0 ? index.dim[i] + t->shape[i] : index.dim[i];
        if (k < 0 || k >= t->shape[i]) {
            tr_fail(TR_ERR_VALUE, "at: index %s is outside %s",
                    tri_describe_shape(index, place, sizeof place),
                    tr_describe(t, text, sizeof text));
            return (double)NAN;
        }
        offset += k * t->stride[i];
    }
    return load(t, offset);
}

tr_status tr_copy_out(const tr_tensor *t, void *values)
{
    if (!tri_given(values, "copy_out: the place for the values")) return tr_status_get();
    if (tri_failed() || !tri_check_alive(t, "copy_out")) return tr_status_get();
    tr_scope        *scratch = tr_scope_push();
    const tr_tensor *c = tri_contiguous(t);
    const size_t     bytes = (size_t)tr_numel(c) * (c != NULL ? tr_dtype_size(c->dtype) : 0);
    if (bytes > 0) memcpy(values, c->data, bytes);
    tr_scope_pop(scratch);
    return tr_status_get();
}

/* --- Change in place -------------------------------------------------------------------------- */

static bool check_in_place(const tr_tensor *dst, const char *what)
{
    if (!tri_check_alive(dst, what)) return false;
    if (dst->node == NULL) return true;
    tr_fail(TR_ERR_STATE, "%s: the tensor is part of a graph; change a copy of it (tr_detach)",
            what);
    return false;
}

tr_status tr_assign(tr_tensor *dst, const tr_tensor *src)
{
    if (tri_failed() || !check_in_place(dst, "assign") || !tri_check_alive(src, "assign"))
        return tr_status_get();
    if (!tr_same_shape(dst, src)) {
        char to[240], from[240];
        return tr_fail(TR_ERR_SHAPE, "assign: shapes differ: destination is %s, source is %s",
                       tr_describe(dst, to, sizeof to), tr_describe(src, from, sizeof from));
    }
    dst->storage->version++;
    if (dst->storage != src->storage) return tri_copy(dst, src);
    tr_scope  *scratch = tr_scope_push(); /* the views may overlap: go through a copy */
    tr_tensor *copy = tri_new(src->dtype, tr_shape_of(src));
    if (copy != NULL && tri_copy(copy, src) == TR_OK) tri_copy(dst, copy);
    tr_scope_pop(scratch);
    return tr_status_get();
}

tr_status tr_fill(tr_tensor *dst, double value)
{
    if (tri_failed() || !check_in_place(dst, "fill")) return tr_status_get();
    dst->storage->version++;
    return tri_fill(dst, value);
}

/* --- Named lists ------------------------------------------------------------------------------ */

tr_status tr_named_push(tr_named_list *list, const char *name, tr_tensor *t)
{
    if (!tri_given(list, "named_push: the list") || !tri_given(name, "named_push: the name"))
        return tr_status_get();
    if (tri_failed()) return tr_status_get();
    if (list->count == list->capacity) {
        const int64_t capacity = list->capacity > 0 ? 2 * list->capacity : 16;
        tr_named     *items = tr_scope_alloc((uint64_t)capacity * sizeof *items);
        if (items == NULL) return tr_status_get();
        if (list->count > 0) memcpy(items, list->items, (size_t)list->count * sizeof *items);
        list->items = items;
        list->capacity = capacity;
    }
    const size_t length = strlen(name);
    char        *copy = tr_scope_alloc(length + 1);
    if (copy == NULL) return tr_status_get();
    memcpy(copy, name, length);
    list->items[list->count++] = (tr_named){ copy, t };
    return TR_OK;
}

tr_tensor *tr_named_find(const tr_named_list *list, const char *name)
{
    for (int64_t i = 0; list != NULL && name != NULL && i < list->count; i++)
        if (strcmp(list->items[i].name, name) == 0) return list->items[i].tensor;
    return NULL;
}

const char *tr_version(void)
{
    return TENREC_VERSION;
}
