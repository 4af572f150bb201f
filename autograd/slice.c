/* slice.c: parts of tensors and tensors from parts. slice and place are each other's gradient:
 * slice views a strided part of a whole, place puts a part into a whole of one value. Both carry
 * the same attributes. concat, whose gradient is slices, is the third operation; all else is
 * composed of them. Read next: arrange.c (padding by reflection, repeat, roll, triangles),
 * index.c (parts by index). */
#include "autograd/compose.h"
#include "autograd/registry.h"

#include <stdarg.h>

tr_tensor *tri_refuse(tr_status kind, const char *name, const tr_tensor *x, const char *problem,
                      ...)
{
    char    text[240], tensor[240];
    va_list arguments;
    va_start(arguments, problem);
    vsnprintf(text, sizeof text, problem, arguments);
    va_end(arguments);
    int         length = 1;
    const char *given = tri_function_argument(x, 0, &length);
    tr_fail(kind, "%s: %s: %.*s is %s", name, text, length, given != NULL ? given : "x",
            tr_describe(x, tensor, sizeof tensor));
    return NULL;
}

bool tri_usable(const tr_tensor *x, const char *name)
{
    return !tri_failed() && tri_check_alive(x, name);
}

tr_shape tri_with_size(const tr_tensor *x, int axis, int64_t size)
{
    tr_shape shape = tr_shape_of(x);
    shape.dim[axis] = size;
    return shape;
}

/* Element i of the part is element start + i step of the whole, axis by axis. */
typedef struct slice_attributes {
    tr_shape whole, part;
    int64_t  start[TR_MAX_RANK], step[TR_MAX_RANK];
    double   value; /* of the rest of the whole, when placed */
} slice_attributes;

/* The part, seen in a tensor of the whole's shape. */
static tr_tensor *part_view(const tr_tensor *whole, const slice_attributes *a)
{
    int64_t stride[TR_MAX_RANK], offset = 0;
    for (int i = 0; i < whole->rank; i++) {
        stride[i] = whole->stride[i] * a->step[i];
        offset += whole->stride[i] * a->start[i];
    }
    return tri_view(whole, a->part, stride, tri_shape_numel(a->part) > 0 ? offset : 0);
}

/* --- Slice ------------------------------------------------------------------------------------ */

/* y[i] = x[start + i step], axis by axis      gx = g placed among zeros */
static bool slice_shape(tr_call *c)
{
    const slice_attributes *a = c->attributes;
    c->out_shape = a->part;
    return true;
}

static tr_status slice_forward(tr_call *c)
{
    c->out = part_view(c->in[0], c->attributes);
    return tr_status_get();
}

static void slice_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    slice_attributes a = *(const slice_attributes *)c->attributes;
    a.value = 0;
    gin[0] = tr_apply(&tri_op_place, &g, 1, &a, sizeof a);
}

const tr_op tri_op_slice = {
    .name = "slice", .arguments = { "x" }, .flags = TR_OP_VIEW | TR_OP_ANY_DTYPE, TR_OP_PLACE,
    .formula = "y[i] = x[start + i step], axis by axis", .gradient = "gx = place(g) among zeros",
    .shape = slice_shape, .forward = slice_forward, .vjp = slice_vjp,
    .examples = (const tr_example[]){
        { "x[5]", TRI_ATTRIBUTES(slice_attributes, { 1, { 5 } }, { 1, { 2 } }, { 1 }, { 2 }, 0) },
        { "x[4,5]", TRI_ATTRIBUTES(slice_attributes, { 2, { 4, 5 } }, { 2, { 2, 5 } }, { 1, 4 },
                                   { 1, -1 }, 0) },
        { "x[4,3]", TRI_ATTRIBUTES(slice_attributes, { 2, { 4, 3 } }, { 2, { 0, 3 } }, { 0, 0 },
                                   { 1, 1 }, 0) },
        { "x[1,1]", TRI_ATTRIBUTES(slice_attributes, { 2, { 1, 1 } }, { 2, { 1, 1 } }, { 0, 0 },
                                   { 1, 1 }, 0) },
        { "x[]", TRI_ATTRIBUTES(slice_attributes, { 0, { 0 } }, { 0, { 0 } }, { 0 }, { 0 }, 0) },
        { "x[0,2]", TRI_ATTRIBUTES(slice_attributes, { 2, { 0, 2 } }, { 2, { 0, 1 } }, { 0, 1 },
                                   { 1, 1 }, 0) },
        { 0 } },
};

/* --- Place ------------------------------------------------------------------------------------ */

/* y[start + i step] = x[i], value elsewhere      gx = slice(g) */
static bool place_shape(tr_call *c)
{
    const slice_attributes *a = c->attributes;
    c->out_shape = a->whole;
    return true;
}

static tr_status place_forward(tr_call *c)
{
    const slice_attributes *a = c->attributes;
    tr_tensor              *part = part_view(c->out, a);
    if (part == NULL ||
        (!tri_shape_equal(a->whole, a->part) && tri_fill(c->out, a->value) != TR_OK))
        return tr_status_get();
    return tri_copy(part, c->in[0]);
}

static void place_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_apply(&tri_op_slice, &g, 1, c->attributes, sizeof(slice_attributes));
}

const tr_op tri_op_place = {
    .name = "place", .arguments = { "x" }, .flags = TR_OP_ANY_DTYPE, TR_OP_PLACE,
    .formula = "y[start + i step] = x[i], a constant elsewhere", .gradient = "gx = slice(g)",
    .shape = place_shape, .forward = place_forward, .vjp = place_vjp,
    .examples = (const tr_example[]){
        { "x[2]", TRI_ATTRIBUTES(slice_attributes, { 1, { 5 } }, { 1, { 2 } }, { 1 }, { 2 }, 0) },
        { "x[2,5]", TRI_ATTRIBUTES(slice_attributes, { 2, { 4, 5 } }, { 2, { 2, 5 } }, { 1, 4 },
                                   { 1, -1 }, 0.5) },
        { "x[0,3]", TRI_ATTRIBUTES(slice_attributes, { 2, { 4, 3 } }, { 2, { 0, 3 } }, { 0, 0 },
                                   { 1, 1 }, 2) },
        { "x[1,1]", TRI_ATTRIBUTES(slice_attributes, { 2, { 3, 1 } }, { 2, { 1, 1 } }, { 1, 0 },
                                   { 1, 1 }, 0) },
        { "x[]", TRI_ATTRIBUTES(slice_attributes, { 0, { 0 } }, { 0, { 0 } }, { 0 }, { 0 }, 0) },
        { 0 } },
};

/* --- Concat ----------------------------------------------------------------------------------- */

typedef struct concat_attributes {
    int axis;
} concat_attributes;

/* y = x0, x1, ... one after the other along the axis      gxi = the slice of g where xi stands */
static bool concat_shape(tr_call *c)
{
    const concat_attributes *a = c->attributes;
    const tr_tensor         *first = c->in[0];
    const int                axis = tri_axis(a->axis, first->rank, "concat");
    if (axis < 0) return false;
    int64_t total = 0;
    for (int i = 0; i < c->input_count; i++) {
        const tr_tensor *x = c->in[i];
        if (x->dtype != first->dtype) {
            tr_fail_call(c, TR_ERR_DTYPE, "dtypes differ", "convert one with tr_cast");
            return false;
        }
        bool fits = x->rank == first->rank;
        for (int k = 0; fits && k < x->rank; k++)
            fits = k == axis || x->shape[k] == first->shape[k];
        if (!fits) {
            tr_fail_call(c, TR_ERR_SHAPE, "sizes may differ along the axis only", NULL);
            return false;
        }
        total += x->shape[axis];
    }
    c->out_shape.dim[axis] = total;
    return true;
}

static tr_status concat_forward(tr_call *c)
{
    const concat_attributes *a = c->attributes;
    const int                axis = tri_axis(a->axis, c->out->rank, "concat");
    int64_t                  start = 0;
    for (int i = 0; i < c->input_count; i++) {
        const tr_tensor *x = c->in[i];
        tr_tensor *part =
            tri_view(c->out, tr_shape_of(x), c->out->stride, start * c->out->stride[axis]);
        if (part == NULL || tri_copy(part, x) != TR_OK) break;
        start += x->shape[axis];
    }
    return tr_status_get();
}

static void concat_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    const concat_attributes *a = c->attributes;
    int64_t                  start = 0;
    for (int i = 0; i < c->input_count; i++) {
        const int64_t size = tr_dim(c->in[i], a->axis);
        if (tr_wants(c, i)) gin[i] = tr_narrow(g, a->axis, start, size);
        start += size;
    }
}

const tr_op tri_op_concat = {
    .name = "concat", .arguments = { "x" }, .required = -1, .flags = TR_OP_ANY_DTYPE, TR_OP_PLACE,
    .formula = "y = x0, x1, ... joined along an axis", .gradient = "gxi = slice(g)",
    .shape = concat_shape, .forward = concat_forward, .vjp = concat_vjp,
    .examples = (const tr_example[]){
        { "x[2,3] x[1,3]", TRI_ATTRIBUTES(concat_attributes, 0) },
        { "x[2,3] x[2,1] x[2,2]", TRI_ATTRIBUTES(concat_attributes, -1) },
        { "x[2,3] x[0,3]", TRI_ATTRIBUTES(concat_attributes, 0) },
        { "x[1]", TRI_ATTRIBUTES(concat_attributes, 0) },
        { "x[1] x[1] x[1] x[1] x[1] x[1] x[2]", TRI_ATTRIBUTES(concat_attributes, 0) },
        { "x[0,2] x[0,3]", TRI_ATTRIBUTES(concat_attributes, 1) },
        { 0 } },
};

tr_tensor *tr_concat(tr_tensor *const *parts, int count, int axis)
{
    if (!tri_given(parts, "concat: the list of parts")) return NULL;
    const concat_attributes a = { axis };
    return tr_apply(&tri_op_concat, parts, count, &a, sizeof a);
}

tr_tensor *tr_stack(tr_tensor *const *parts, int count, int axis)
{
    if (!tri_given(parts, "stack: the list of parts")) return NULL;
    if (tri_failed()) return NULL;
    if (count < 1) {
        tr_fail(TR_ERR_VALUE, "stack: %d parts were given, 1 is needed", count);
        return NULL;
    }
    tr_tensor **raised = tr_scope_alloc((uint64_t)count * sizeof *raised);
    if (raised == NULL) return NULL;
    for (int i = 0; i < count; i++) {
        if (!tri_usable(parts[i], "stack")) return NULL;
        if (i == 0 && tri_axis(axis, parts[0]->rank + 1, "stack") < 0) return NULL;
        if (i > 0 && !tr_same_shape(parts[i], parts[0])) {
            char first[200];
            return tri_refuse(TR_ERR_SHAPE, "stack", parts[i], "shapes differ: the first is %s",
                              tr_describe(parts[0], first, sizeof first));
        }
        raised[i] = tr_unsqueeze(parts[i], axis);
    }
    return tr_concat(raised, count, axis);
}

/* --- Composed of slices ----------------------------------------------------------------------- */

/* Attributes of the slice that takes everything. */
static slice_attributes whole_of(const tr_tensor *x)
{
    slice_attributes a = { .whole = tr_shape_of(x), .part = tr_shape_of(x) };
    for (int i = 0; i < x->rank; i++) a.step[i] = 1;
    return a;
}

static tr_tensor *apply_slice(tr_tensor *x, const slice_attributes *a)
{
    return tr_apply(&tri_op_slice, &x, 1, a, sizeof *a);
}

static int64_t clamped(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

tr_tensor *tr_slice(tr_tensor *x, int axis, int64_t start, int64_t stop, int64_t step)
{
    if (!tri_usable(x, "slice")) return NULL;
    const int k = tri_axis(axis, x->rank, "slice");
    if (k < 0) return NULL;
    if (step == 0) return tri_refuse(TR_ERR_VALUE, "slice", x, "the step is 0");
    const int64_t n = x->shape[k], last = step > 0 ? n : n - 1, first = step > 0 ? 0 : -1;
    /* longer steps take one element all the same */
    step = clamped(step, n > 0 ? -n : -1, n > 0 ? n : 1);
    if (stop == TR_END)
        stop = step > 0 ? last : first;
    else
        stop = clamped(stop < 0 ? stop + n : stop, first, last);
    start = clamped(start < 0 ? start + n : start, first, last);
    const int64_t    length = step > 0 ? stop - start : start - stop;
    const int64_t    pace = step > 0 ? step : -step;
    slice_attributes a = whole_of(x);
    a.part.dim[k] = length > 0 ? (length + pace - 1) / pace : 0;
    a.start[k] = length > 0 ? start : 0;
    a.step[k] = step;
    return apply_slice(x, &a);
}

tr_tensor *tr_narrow(tr_tensor *x, int axis, int64_t start, int64_t length)
{
    TRI_FUNCTION("narrow", x);
    if (!tri_usable(x, "narrow")) return NULL;
    const int k = tri_axis(axis, x->rank, "narrow");
    if (k < 0) return NULL;
    const int64_t n = x->shape[k], from = start < 0 ? start + n : start;
    if (from < 0 || from > n || length < 0 || length > n - from)
        return tri_refuse(TR_ERR_VALUE, "narrow", x,
                          "%lld values from %lld on do not lie within the %lld of axis %d",
                          (long long)length, (long long)start, (long long)n, axis);
    slice_attributes a = whole_of(x);
    a.start[k] = from;
    a.part.dim[k] = length;
    return apply_slice(x, &a);
}

tr_tensor *tr_select(tr_tensor *x, int axis, int64_t index)
{
    TRI_FUNCTION("select", x);
    if (!tri_usable(x, "select")) return NULL;
    const int k = tri_axis(axis, x->rank, "select");
    if (k < 0) return NULL;
    const int64_t n = x->shape[k];
    if (index < -n || index >= n)
        return tri_refuse(TR_ERR_VALUE, "select", x, "index %lld is not in %lld .. %lld",
                          (long long)index, (long long)-n, (long long)n - 1);
    return tr_squeeze(tr_narrow(x, k, index, 1), TR_AXES(k));
}

tr_status tr_split(tr_tensor *x, int axis, const int64_t *sizes, int count, tr_tensor **parts)
{
    if (!tri_given(sizes, "split: the list of sizes") ||
        !tri_given(parts, "split: the place for parts") || !tri_check_alive(x, "split"))
        return tr_status_get();
    TRI_FUNCTION("split", x);
    for (int i = 0; i < count; i++) parts[i] = NULL;
    if (!tri_usable(x, "split")) return tr_status_get();
    const int k = tri_axis(axis, x->rank, "split");
    if (k < 0) return tr_status_get();
    int64_t total = 0;
    for (int i = 0; i < count && total >= 0; i++)
        if (sizes[i] < 0 || __builtin_add_overflow(total, sizes[i], &total)) total = -1;
    if (total != x->shape[k]) {
        tri_refuse(TR_ERR_VALUE, "split", x, "the sizes do not add up to the %lld of axis %d",
                   (long long)x->shape[k], axis);
        return tr_status_get();
    }
    int64_t start = 0;
    for (int i = 0; i < count; i++) {
        parts[i] = tr_narrow(x, k, start, sizes[i]);
        start += sizes[i];
    }
    return tr_status_get();
}

tr_status tr_chunk(tr_tensor *x, int axis, int count, tr_tensor **parts)
{
    if (!tri_given(parts, "chunk: the place for parts") || !tri_check_alive(x, "chunk"))
        return tr_status_get();
    TRI_FUNCTION("chunk", x);
    for (int i = 0; i < count; i++) parts[i] = NULL;
    if (!tri_usable(x, "chunk")) return tr_status_get();
    const int k = tri_axis(axis, x->rank, "chunk");
    if (k >= 0 && count < 1)
        tri_refuse(TR_ERR_VALUE, "chunk", x, "into %d parts; 1 or more are needed", count);
    if (tri_failed()) return tr_status_get();
    const int64_t n = x->shape[k], size = (n + count - 1) / count;
    for (int i = 0; i < count; i++) {
        const int64_t start = clamped(i * size, 0, n);
        parts[i] = tr_narrow(x, k, start, clamped(n - start, 0, size));
    }
    return tr_status_get();
}

tr_tensor *tr_flip(tr_tensor *x, tr_shape axes)
{
    TRI_FUNCTION("flip", x);
    bool flipped[TR_MAX_RANK];
    if (!tri_usable(x, "flip") || !tri_axes_flags(axes, x->rank, flipped, "flip")) return NULL;
    slice_attributes a = whole_of(x);
    for (int i = 0; i < x->rank; i++) {
        if (!flipped[i]) continue;
        a.start[i] = x->shape[i] - 1;
        a.step[i] = -1;
    }
    return apply_slice(x, &a);
}

tr_tensor *tr_pad(tr_tensor *x, tr_shape before, tr_shape after, double value)
{
    TRI_FUNCTION("pad", x);
    if (!tri_usable(x, "pad")) return NULL;
    if (before.rank != x->rank || after.rank != x->rank)
        return tri_refuse(TR_ERR_SHAPE, "pad", x,
                          "%d sizes before and %d after were given, one per axis is needed",
                          before.rank, after.rank);
    slice_attributes cut = whole_of(x), put = cut;
    bool             cuts = false;
    for (int i = 0; i < x->rank; i++) {
        const int64_t n = x->shape[i], b = before.dim[i], e = after.dim[i];
        const int64_t most = INT64_MAX / 32;
        if (b > most || e > most || b < -n || e < -n || n + b + e < 0)
            return tri_refuse(TR_ERR_VALUE, "pad", x, "%lld and %lld do not fit axis %d",
                              (long long)b, (long long)e, i);
        cut.start[i] = b < 0 ? -b : 0;
        cut.part.dim[i] = n + (b < 0 ? b : 0) + (e < 0 ? e : 0);
        cuts = cuts || b < 0 || e < 0;
        put.part.dim[i] = cut.part.dim[i];
        put.start[i] = b > 0 ? b : 0;
        put.whole.dim[i] = n + b + e;
    }
    if (!tri_check_shape(put.whole, "pad")) return NULL;
    put.value = value;
    if (cuts) x = apply_slice(x, &cut);
    return tr_apply(&tri_op_place, &x, 1, &put, sizeof put);
}
