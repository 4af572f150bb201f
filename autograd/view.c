/* view.c: operations that move no numbers, or only copy them: cast, reshape, expand, permute.
 * Their rules are their inverses; expand's is a sum, the one place where broadcasting is undone.
 *
 * A view operation gives a new handle even where nothing changes: each recorded call has a
 * result of its own. */
#include "autograd/compose.h"
#include "autograd/registry.h"

typedef struct shape_attributes {
    tr_shape shape;
} shape_attributes;

/* --- Cast ------------------------------------------------------------------------------------- */

typedef struct cast_attributes {
    tr_dtype dtype;
} cast_attributes;

static bool is_float(tr_dtype dtype)
{
    return dtype == TR_F32 || dtype == TR_F64;
}

/* y = x in another dtype      gx = g in x's dtype */
static bool cast_shape(tr_call *c)
{
    const cast_attributes *a = c->attributes;
    c->out_dtype = a->dtype;
    return true;
}

static tr_status cast_forward(tr_call *c)
{
    return tri_copy(c->out, c->in[0]);
}

static void cast_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_cast(g, c->in[0]->dtype);
}

const tr_op tri_op_cast = {
    .name = "cast", .arguments = { "x" }, .flags = TR_OP_ANY_DTYPE, TR_OP_PLACE,
    .formula = "y = x in another dtype", .gradient = "gx = cast(g)",
    .shape = cast_shape, .forward = cast_forward, .vjp = cast_vjp,
    .examples = (const tr_example[]){ { "x[2,3]", TRI_ATTRIBUTES(cast_attributes, TR_F64) },
                                      { "x[0]", TRI_ATTRIBUTES(cast_attributes, TR_F64) },
                                      { "x[]", TRI_ATTRIBUTES(cast_attributes, TR_F64) },
                                      { "x[1]", TRI_ATTRIBUTES(cast_attributes, TR_F64) },
                                      { "x[5,1,2]", TRI_ATTRIBUTES(cast_attributes, TR_F64) },
                                      { 0 } },
};

tr_tensor *tr_cast(tr_tensor *x, tr_dtype dtype)
{
    const cast_attributes a = { dtype };
    if (tri_alive(x) && x->requires_grad && !is_float(dtype)) x = tr_detach(x);
    return tr_apply(&tri_op_cast, &x, 1, &a, sizeof a);
}

/* --- Reshape ---------------------------------------------------------------------------------- */

/* y = x's values in row-major order under another shape      gx = g under x's shape */
static bool reshape_shape(tr_call *c)
{
    const shape_attributes *a = c->attributes;
    char                    problem[240], text[200];
    tr_shape                shape = a->shape;
    int                     unknown = -1;
    int64_t                 known = 1;
    for (int i = 0; i < shape.rank; i++) {
        if (shape.dim[i] == -1 && unknown < 0)
            unknown = i;
        else if (shape.dim[i] < 0 || !tri_mul_size(known, shape.dim[i], &known))
            known = -1;
    }
    const int64_t n = tr_numel(c->in[0]);
    if (unknown >= 0) shape.dim[unknown] = known > 0 ? n / known : 0;
    if (known < 0 || tri_shape_numel(shape) != n || (unknown >= 0 && known == 0)) {
        snprintf(problem, sizeof problem, "%s does not hold as many values",
                 tri_describe_shape(a->shape, text, sizeof text));
        tr_fail_call(c, TR_ERR_SHAPE, problem, NULL);
        return false;
    }
    c->out_shape = shape;
    return true;
}

/* Strides that show x under another shape of as many values, where its memory allows; false
 * where only a copy would do. Axes are matched in runs of equal size; a run of x must be one
 * evenly spaced stretch. */
static bool reshape_strides(const tr_tensor *x, tr_shape shape, int64_t *stride)
{
    tri_contiguous_strides(shape, stride);
    if (tr_is_contiguous(x) || tri_shape_numel(shape) == 0) return true;
    int from = 0, to = 0;
    while (from < x->rank || to < shape.rank) {
        const int first_from = from, first_to = to;
        int64_t   have = from < x->rank ? x->shape[from++] : 1;
        int64_t   want = to < shape.rank ? shape.dim[to++] : 1;
        while (have != want) {
            if (have < want)
                have *= x->shape[from++];
            else
                want *= shape.dim[to++];
        }
        int64_t pace = 0, span = 1; /* distance of neighbours in the run, values seen of it */
        for (int i = from - 1; i >= first_from; i--) {
            if (x->shape[i] == 1) continue;
            if (span > 1 && x->stride[i] != pace * span) return false;
            if (span == 1) pace = x->stride[i];
            span *= x->shape[i];
        }
        for (int i = to - 1; i >= first_to; i--) {
            stride[i] = pace;
            pace *= shape.dim[i];
        }
    }
    return true;
}

static tr_status reshape_forward(tr_call *c)
{
    int64_t          stride[TR_MAX_RANK];
    const tr_tensor *x = c->in[0];
    if (!reshape_strides(x, c->out_shape, stride)) {
        x = tri_contiguous(x);
        tri_contiguous_strides(c->out_shape, stride);
    }
    c->out = x != NULL ? tri_view(x, c->out_shape, stride, 0) : NULL;
    return tr_status_get();
}

static void reshape_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_reshape(g, tr_shape_of(c->in[0]));
}

const tr_op tri_op_reshape = {
    .name = "reshape", .arguments = { "x" }, .flags = TR_OP_VIEW | TR_OP_ANY_DTYPE, TR_OP_PLACE,
    .formula = "y = x's values, row-major, under another shape", .gradient = "gx = reshape(g)",
    .shape = reshape_shape, .forward = reshape_forward, .vjp = reshape_vjp,
    .examples = (const tr_example[]){
        { "x[2,6]", TRI_ATTRIBUTES(shape_attributes, { 2, { 3, 4 } }) },
        { "x[2,6]", TRI_ATTRIBUTES(shape_attributes, { 3, { 2, -1, 3 } }) },
        { "x[]", TRI_ATTRIBUTES(shape_attributes, { 2, { 1, 1 } }) },
        { "x[0,3]", TRI_ATTRIBUTES(shape_attributes, { 2, { 5, 0 } }) },
        { 0 } },
};

tr_tensor *tr_reshape(tr_tensor *x, tr_shape shape)
{
    if (!tri_failed() && shape.rank > TR_MAX_RANK) tri_check_shape(shape, "reshape");
    const shape_attributes a = { shape };
    return tr_apply(&tri_op_reshape, &x, 1, &a, sizeof a);
}

tr_tensor *tr_flatten(tr_tensor *x, int first_axis)
{
    TRI_FUNCTION("flatten", x);
    if (tri_failed() || !tri_check_alive(x, "flatten")) return NULL;
    const int axis = x->rank == 0 && first_axis == 0 ? 0 : tri_axis(first_axis, x->rank, "flatten");
    if (axis < 0) return NULL;
    tr_shape shape = { .rank = axis + 1 };
    int64_t  merged = 1;
    for (int i = 0; i < x->rank; i++) {
        if (i < axis)
            shape.dim[i] = x->shape[i];
        else
            merged *= x->shape[i];
    }
    shape.dim[axis] = merged;
    return tr_reshape(x, shape);
}

tr_tensor *tr_squeeze(tr_tensor *x, tr_shape axes)
{
    TRI_FUNCTION("squeeze", x);
    bool     dropped[TR_MAX_RANK];
    tr_shape shape = { 0 };
    if (!tri_usable(x, "squeeze") || !tri_axes_flags(axes, x->rank, dropped, "squeeze"))
        return NULL;
    for (int i = 0; i < x->rank; i++) {
        if (dropped[i] && x->shape[i] == 1) continue;
        if (dropped[i] && axes.rank >= 0)
            return tri_refuse(TR_ERR_SHAPE, "squeeze", x, "the size of axis %d is not 1", i);
        shape.dim[shape.rank++] = x->shape[i];
    }
    return tr_reshape(x, shape);
}

tr_tensor *tr_unsqueeze(tr_tensor *x, int axis)
{
    TRI_FUNCTION("unsqueeze", x);
    if (!tri_usable(x, "unsqueeze")) return NULL;
    const int at = tri_axis(axis, x->rank + 1, "unsqueeze");
    if (at < 0) return NULL;
    tr_shape shape = { .rank = x->rank + 1 };
    if (shape.rank > TR_MAX_RANK)
        return tri_refuse(TR_ERR_SHAPE, "unsqueeze", x, "more than %d axes", TR_MAX_RANK);
    for (int i = 0; i < shape.rank; i++)
        shape.dim[i] = i < at ? x->shape[i] : i == at ? 1 : x->shape[i - 1];
    return tr_reshape(x, shape);
}

/* --- Expand ----------------------------------------------------------------------------------- */

/* y = x repeated along new axes and axes of size 1      gx = g summed over those */
static bool expand_shape(tr_call *c)
{
    const shape_attributes *a = c->attributes;
    const tr_shape          own = tr_shape_of(c->in[0]);
    if (!tri_check_shape(a->shape, "expand")) return false;
    bool fits = own.rank <= a->shape.rank;
    for (int i = 0; fits && i < own.rank; i++) {
        const int64_t to = a->shape.dim[i + a->shape.rank - own.rank];
        fits = own.dim[i] == to || own.dim[i] == 1;
    }
    if (!fits) {
        char problem[240], text[200];
        snprintf(problem, sizeof problem, "cannot repeat to %s",
                 tri_describe_shape(a->shape, text, sizeof text));
        tr_fail_call(c, TR_ERR_SHAPE, problem, NULL);
        return false;
    }
    c->out_shape = a->shape;
    return true;
}

static tr_status expand_forward(tr_call *c)
{
    const tr_tensor *x = c->in[0];
    int64_t          stride[TR_MAX_RANK] = { 0 };
    const int        added = c->out_shape.rank - x->rank;
    for (int i = 0; i < x->rank; i++)
        if (x->shape[i] == c->out_shape.dim[i + added]) stride[i + added] = x->stride[i];
    c->out = tri_view(x, c->out_shape, stride, 0);
    return tr_status_get();
}

static void expand_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_sum_to(g, tr_shape_of(c->in[0]));
}

const tr_op tri_op_expand = {
    .name = "expand", .arguments = { "x" }, .flags = TR_OP_VIEW | TR_OP_ANY_DTYPE, TR_OP_PLACE,
    .formula = "y = x repeated to a shape (broadcasting)",
    .gradient = "gx = sum of g over repeated axes",
    .shape = expand_shape, .forward = expand_forward, .vjp = expand_vjp,
    .examples = (const tr_example[]){
        { "x[3]", TRI_ATTRIBUTES(shape_attributes, { 2, { 2, 3 } }) },
        { "x[2,1]", TRI_ATTRIBUTES(shape_attributes, { 2, { 2, 3 } }) },
        { "x[]", TRI_ATTRIBUTES(shape_attributes, { 2, { 2, 2 } }) },
        { "x[1,2]", TRI_ATTRIBUTES(shape_attributes, { 2, { 0, 2 } }) },
        { "x[2,1,3]", TRI_ATTRIBUTES(shape_attributes, { 4, { 2, 2, 4, 3 } }) },
        { 0 } },
};

tr_tensor *tr_expand(tr_tensor *x, tr_shape shape)
{
    const shape_attributes a = { shape };
    return tr_apply(&tri_op_expand, &x, 1, &a, sizeof a);
}

tr_tensor *tr_sum_to(tr_tensor *x, tr_shape shape)
{
    if (tri_failed() || !tri_check_alive(x, "sum_to")) return NULL;
    tr_shape  axes = { 0 };
    const int added = x->rank - shape.rank;
    for (int i = 0; i < x->rank; i++)
        if (i < added || shape.dim[i - added] != x->shape[i]) axes.dim[axes.rank++] = i;
    return tr_reshape(axes.rank > 0 ? tr_sum(x, axes, true) : x, shape);
}

/* --- Permute ---------------------------------------------------------------------------------- */

/* y[i_0, i_1, ...] = x with axis axes[k] of x as axis k of y      gx = g, axes put back */
static bool permute_shape(tr_call *c)
{
    const shape_attributes *a = c->attributes;
    const tr_tensor        *x = c->in[0];
    bool                    seen[TR_MAX_RANK];
    if (a->shape.rank != x->rank) {
        tr_fail_call(c, TR_ERR_SHAPE, "one axis per axis of x is needed", NULL);
        return false;
    }
    if (!tri_axes_flags(a->shape, x->rank, seen, "permute")) return false;
    for (int i = 0; i < x->rank; i++) c->out_shape.dim[i] = tr_dim(x, (int)a->shape.dim[i]);
    return true;
}

static tr_status permute_forward(tr_call *c)
{
    const shape_attributes *a = c->attributes;
    const tr_tensor        *x = c->in[0];
    int64_t                 stride[TR_MAX_RANK];
    for (int i = 0; i < x->rank; i++)
        stride[i] = x->stride[tri_axis((int)a->shape.dim[i], x->rank, "permute")];
    c->out = tri_view(x, c->out_shape, stride, 0);
    return tr_status_get();
}

static void permute_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    const shape_attributes *a = c->attributes;
    tr_shape                inverse = { .rank = a->shape.rank };
    for (int i = 0; i < inverse.rank; i++)
        inverse.dim[tri_axis((int)a->shape.dim[i], inverse.rank, "permute")] = i;
    gin[0] = tr_permute(g, inverse);
}

const tr_op tri_op_permute = {
    .name = "permute", .arguments = { "x" }, .flags = TR_OP_VIEW | TR_OP_ANY_DTYPE, TR_OP_PLACE,
    .formula = "y = x with its axes in another order", .gradient = "gx = permute(g), inverse order",
    .shape = permute_shape, .forward = permute_forward, .vjp = permute_vjp,
    .examples = (const tr_example[]){
        { "x[2,3]", TRI_ATTRIBUTES(shape_attributes, { 2, { 1, 0 } }) },
        { "x[2,3,4]", TRI_ATTRIBUTES(shape_attributes, { 3, { 2, 0, -2 } }) },
        { "x[0,2]", TRI_ATTRIBUTES(shape_attributes, { 2, { 1, 0 } }) },
        { "x[2,1,3,2]", TRI_ATTRIBUTES(shape_attributes, { 4, { 3, 1, 0, 2 } }) },
        { 0 } },
};

tr_tensor *tr_permute(tr_tensor *x, tr_shape axes)
{
    const shape_attributes a = { axes };
    return tr_apply(&tri_op_permute, &x, 1, &a, sizeof a);
}

tr_tensor *tr_transpose(tr_tensor *x, int axis_a, int axis_b)
{
    TRI_FUNCTION("transpose", x);
    if (tri_failed() || !tri_check_alive(x, "transpose")) return NULL;
    const int a = tri_axis(axis_a, x->rank, "transpose");
    const int b = tri_axis(axis_b, x->rank, "transpose");
    if (a < 0 || b < 0) return NULL;
    tr_shape axes = { .rank = x->rank };
    for (int i = 0; i < x->rank; i++) axes.dim[i] = i == a ? b : i == b ? a : i;
    return tr_permute(x, axes);
}
