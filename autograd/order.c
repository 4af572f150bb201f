/* order.c: the largest, the smallest, and all in order, along an axis. Positions come from
 * operations without gradient; values are then gathered at those positions, so a gradient goes
 * to the one element that was chosen: the first of equals. */
#include "autograd/compose.h"
#include "autograd/registry.h"

typedef struct order_attributes {
    int  axis;
    bool keepdim, descending;
} order_attributes;

/* --- Position of the largest and the smallest ------------------------------------------------- */

/* y = index along the axis of the first largest (smallest) element; NaN counts as such      no
 * gradient */
static bool argmax_shape(tr_call *c)
{
    const order_attributes *a = c->attributes;
    const tr_tensor        *x = c->in[0];
    const int               axis = tri_axis(a->axis, x->rank, c->op->name);
    if (axis < 0) return false;
    const tr_shape kept = tri_with_size(x, axis, 1);
    if (x->shape[axis] == 0 && tri_shape_numel(kept) > 0) {
        tr_fail_call(c, TR_ERR_SHAPE, "of no values", NULL);
        return false;
    }
    c->out_dtype = TR_I64;
    c->out_shape = kept;
    if (a->keepdim) return true;
    c->out_shape.rank--;
    for (int i = axis; i < x->rank - 1; i++) c->out_shape.dim[i] = x->shape[i + 1];
    return true;
}

static tr_status find_extreme(tr_call *c, bool smallest)
{
    const order_attributes *a = c->attributes;
    const tr_tensor        *x = c->in[0];
    const int               axis = tri_axis(a->axis, x->rank, c->op->name);
    const tr_shape          kept = tri_with_size(x, axis, 1);
    int64_t                 stride[TR_MAX_RANK];
    tri_contiguous_strides(kept, stride);
    tr_tensor *y = tri_view(c->out, kept, stride, 0);
    return y != NULL ? tri_argmax(y, x, axis, smallest) : tr_status_get();
}

static tr_status argmax_forward(tr_call *c)
{
    return find_extreme(c, false);
}

static tr_status argmin_forward(tr_call *c)
{
    return find_extreme(c, true);
}

static const tr_example argmax_examples[] = {
    { "d[2,3]", TRI_ATTRIBUTES(order_attributes, 0, true, false) },
    { "d[2,3]", TRI_ATTRIBUTES(order_attributes, -1, false, false) },
    { "x[1]", TRI_ATTRIBUTES(order_attributes, 0, false, false) },
    { "x[0,3]", TRI_ATTRIBUTES(order_attributes, 1, false, false) },
    { 0 },
};

const tr_op tri_op_argmax = {
    .name = "argmax", .arguments = { "x" }, .flags = TR_OP_NO_GRADIENT, TR_OP_PLACE,
    .formula = "y = index of the first largest x along an axis", .gradient = "none",
    .shape = argmax_shape, .forward = argmax_forward, .examples = argmax_examples,
};

const tr_op tri_op_argmin = {
    .name = "argmin", .arguments = { "x" }, .flags = TR_OP_NO_GRADIENT, TR_OP_PLACE,
    .formula = "y = index of the first smallest x along an axis", .gradient = "none",
    .shape = argmax_shape, .forward = argmin_forward, .examples = argmax_examples,
};

tr_tensor *tr_argmax(tr_tensor *x, int axis, bool keepdim)
{
    const order_attributes a = { axis, keepdim, false };
    return tr_apply(&tri_op_argmax, &x, 1, &a, sizeof a);
}

tr_tensor *tr_argmin(tr_tensor *x, int axis, bool keepdim)
{
    const order_attributes a = { axis, keepdim, false };
    return tr_apply(&tri_op_argmin, &x, 1, &a, sizeof a);
}

/* The values that x has at positions (keepdim form) along the axis; both are returned in final
 * form. */
static tr_tensor *values_at(tr_tensor *x, int axis, bool keepdim, tr_tensor *positions,
                            tr_tensor **index)
{
    tr_tensor *values = tr_gather(x, axis, positions);
    if (!keepdim) {
        const tr_shape axes = TR_AXES(axis);
        values = tr_squeeze(values, axes);
        positions = tr_squeeze(positions, axes);
    }
    if (index != NULL) *index = positions;
    return values;
}

tr_tensor *tr_max(tr_tensor *x, int axis, bool keepdim, tr_tensor **index)
{
    TRI_FUNCTION("max", x);
    return values_at(x, axis, keepdim, tr_argmax(x, axis, true), index);
}

tr_tensor *tr_min(tr_tensor *x, int axis, bool keepdim, tr_tensor **index)
{
    TRI_FUNCTION("min", x);
    return values_at(x, axis, keepdim, tr_argmin(x, axis, true), index);
}

/* --- Sorting ---------------------------------------------------------------------------------- */

/* y = indices that put x in order along the axis; equals stay in order, NaN comes last      no
 * gradient */
static bool argsort_shape(tr_call *c)
{
    const order_attributes *a = c->attributes;
    c->out_dtype = TR_I64;
    return tri_axis(a->axis, c->in[0]->rank, "argsort") >= 0;
}

static tr_status argsort_forward(tr_call *c)
{
    const order_attributes *a = c->attributes;
    const int               axis = tri_axis(a->axis, c->in[0]->rank, "argsort");
    return tri_argsort(c->out, c->in[0], axis, a->descending);
}

const tr_op tri_op_argsort = {
    .name = "argsort", .arguments = { "x" }, .flags = TR_OP_NO_GRADIENT, TR_OP_PLACE,
    .formula = "y = indices that sort x along an axis, stable", .gradient = "none",
    .shape = argsort_shape, .forward = argsort_forward,
    .examples = (const tr_example[]){
        { "d[2,3]", TRI_ATTRIBUTES(order_attributes, 0, false, false) },
        { "d[2,3]", TRI_ATTRIBUTES(order_attributes, -1, false, true) },
        { "x[1]", TRI_ATTRIBUTES(order_attributes, 0, false, false) },
        { "x[0,3]", TRI_ATTRIBUTES(order_attributes, 1, false, false) },
        { 0 } },
};

tr_tensor *tr_argsort(tr_tensor *x, int axis, bool descending)
{
    const order_attributes a = { axis, true, descending };
    return tr_apply(&tri_op_argsort, &x, 1, &a, sizeof a);
}

tr_tensor *tr_sort(tr_tensor *x, int axis, bool descending, tr_tensor **index)
{
    TRI_FUNCTION("sort", x);
    return values_at(x, axis, true, tr_argsort(x, axis, descending), index);
}

tr_tensor *tr_topk(tr_tensor *x, int64_t k, int axis, bool largest, tr_tensor **index)
{
    TRI_FUNCTION("topk", x);
    if (!tri_usable(x, "topk")) return NULL;
    const int at = tri_axis(axis, x->rank, "topk");
    if (at < 0) return NULL;
    if (k < 0 || k > x->shape[at])
        return tri_refuse(TR_ERR_VALUE, "topk", x, "%lld of the %lld values of axis %d",
                          (long long)k, (long long)x->shape[at], axis);
    return values_at(x, at, true, tr_narrow(tr_argsort(x, at, largest), at, 0, k), index);
}
