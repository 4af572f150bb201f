/* reduction.c: sums and their kin over any set of axes. The adjoint of a sum is `expand`: each element
 * of the result passes its cotangent to all that were added up in it.                                */
#include "autograd/registry.h"

typedef struct axes_attributes {
    tr_shape axes;
    bool     keepdim;
} axes_attributes;

/* The result's shape with the reduced axes kept as size 1. */
static tr_shape keepdim_shape(tr_shape shape, const bool *reduced)
{
    for (int i = 0; i < shape.rank; i++)
        if (reduced[i]) shape.dim[i] = 1;
    return shape;
}

static tr_shape dropped_shape(tr_shape shape, const bool *reduced)
{
    tr_shape result = { 0 };
    for (int i = 0; i < shape.rank; i++)
        if (!reduced[i]) result.dim[result.rank++] = shape.dim[i];
    return result;
}

static bool axes_shape(tr_call *c)
{
    const axes_attributes *a = c->attributes;
    bool                   reduced[TR_MAX_RANK];
    if (!tri_axes_flags(a->axes, c->in[0]->rank, reduced, c->op->name)) return false;
    const tr_shape shape = tr_shape_of(c->in[0]);
    c->out_shape = a->keepdim ? keepdim_shape(shape, reduced) : dropped_shape(shape, reduced);
    return true;
}

/* The result, whose reduced axes may be dropped, in keepdim form: what the driver expects. No graph. */
static tr_tensor *keepdim_view(const tr_call *c, tr_tensor *t)
{
    const axes_attributes *a = c->attributes;
    bool                   reduced[TR_MAX_RANK];
    int64_t                stride[TR_MAX_RANK];
    tri_axes_flags(a->axes, c->in[0]->rank, reduced, c->op->name);
    const tr_shape shape = keepdim_shape(tr_shape_of(c->in[0]), reduced);
    tri_contiguous_strides(shape, stride);
    return tri_view(t, shape, stride, 0);
}

static tr_status reduce(tr_call *c, tri_reduce_id id)
{
    const axes_attributes *a = c->attributes;
    bool                   reduced[TR_MAX_RANK];
    tri_axes_flags(a->axes, c->in[0]->rank, reduced, c->op->name);
    tr_tensor *y = keepdim_view(c, c->out);
    return y != NULL ? tri_reduce(id, y, c->in[0], reduced) : tr_status_get();
}

/* A tensor of the result's shape, with size-1 axes where axes were dropped, repeated over x's shape. */
static tr_tensor *spread(const tr_call *c, tr_tensor *t)
{
    const axes_attributes *a = c->attributes;
    bool                   reduced[TR_MAX_RANK];
    tri_axes_flags(a->axes, c->in[0]->rank, reduced, c->op->name);
    const tr_shape shape = tr_shape_of(c->in[0]);
    return tr_expand(tr_reshape(t, keepdim_shape(shape, reduced)), shape);
}

/* --- Sum --------------------------------------------------------------------------------------------- */

/* y = sum of x over the axes      gx = g, repeated along the axes */
static tr_status sum_forward(tr_call *c)
{
    return reduce(c, TRI_R_SUM);
}

static void sum_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = spread(c, g);
}

const tr_op tri_op_sum = {
    .name = "sum", .arguments = { "x" }, TR_OP_PLACE,
    .formula = "y = sum of x over axes", .gradient = "gx = expand(g)",
    .shape = axes_shape, .forward = sum_forward, .vjp = sum_vjp,
    .examples = (const tr_example[]){
        { "x[2,3]", TRI_ATTRIBUTES(axes_attributes, { 1, { 0 } }, true) },
        { "x[2,3]", TRI_ATTRIBUTES(axes_attributes, { 1, { -1 } }, false) },
        { "x[2,3,4]", TRI_ATTRIBUTES(axes_attributes, { 2, { 0, 2 } }, false) },
        { "x[2,3,4]", TRI_ATTRIBUTES(axes_attributes, { 1, { 1 } }, true) },
        { "x[3,2,2]", TRI_ATTRIBUTES(axes_attributes, { -1, { 0 } }, false) },
        { "x[]", TRI_ATTRIBUTES(axes_attributes, { -1, { 0 } }, false) },
        { "x[0,3]", TRI_ATTRIBUTES(axes_attributes, { 1, { 0 } }, false) },
        { 0 } },
};

tr_tensor *tr_sum(tr_tensor *x, tr_shape axes, bool keepdim)
{
    const axes_attributes a = { axes, keepdim };
    return tr_apply(&tri_op_sum, &x, 1, &a, sizeof a);
}

tr_tensor *tr_mean(tr_tensor *x, tr_shape axes, bool keepdim)
{
    tr_tensor *total = tr_sum(x, axes, keepdim);
    if (total == NULL) return NULL;
    if (tr_numel(total) > 0 && tr_numel(x) == 0) {
        char text[240];
        tr_fail(TR_ERR_SHAPE, "mean: of no values: x is %s", tr_describe(x, text, sizeof text));
        return NULL;
    }
    const int64_t kept = tr_numel(total) > 0 ? tr_numel(total) : 1;
    return tr_scale(total, (double)kept / (double)(tr_numel(x) > 0 ? tr_numel(x) : 1));
}
