/* reduction.c: sums and their kin over any set of axes. The adjoint of a sum is `expand`: each
 * element of the result passes its cotangent to all that were added up in it. Means, variances
 * and norms are composed of sums; products of pairwise multiplications, whose gradients are
 * right at zeros too. Read next: order.c (extremes with their positions), probability.c
 * (softmax). */
#include "autograd/compose.h"
#include "autograd/registry.h"

#include <float.h>
#include <math.h>

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

/* The result, whose reduced axes may be dropped, in keepdim form: what the driver expects. No
 * graph. */
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

/* A tensor of the result's shape, with size-1 axes where axes were dropped, repeated over x's
 * shape. */
static tr_tensor *spread(const tr_call *c, tr_tensor *t)
{
    const axes_attributes *a = c->attributes;
    bool                   reduced[TR_MAX_RANK];
    tri_axes_flags(a->axes, c->in[0]->rank, reduced, c->op->name);
    const tr_shape shape = tr_shape_of(c->in[0]);
    return tr_expand(tr_reshape(t, keepdim_shape(shape, reduced)), shape);
}

/* --- Sum -------------------------------------------------------------------------------------- */

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

/* False and an error where results would be made of no values at all. */
static bool has_values(const tr_tensor *x, tr_shape axes, const char *name)
{
    bool    reduced[TR_MAX_RANK];
    int64_t results = 1;
    if (!tri_usable(x, name) || !tri_axes_flags(axes, x->rank, reduced, name)) return false;
    for (int i = 0; i < x->rank; i++) results *= reduced[i] ? 1 : x->shape[i];
    if (results > 0 && tr_numel(x) == 0) tri_refuse(TR_ERR_SHAPE, name, x, "of no values");
    return !tri_failed();
}

/* How many values go into each result: at least 1, so that it can be divided by. */
static double count_reduced(const tr_tensor *x, const tr_tensor *y)
{
    return tr_numel(y) > 0 ? (double)(tr_numel(x) / tr_numel(y)) : 1;
}

tr_tensor *tr_mean(tr_tensor *x, tr_shape axes, bool keepdim)
{
    TRI_FUNCTION("mean", x);
    if (!has_values(x, axes, "mean")) return NULL;
    tr_tensor *total = tr_sum(x, axes, keepdim);
    return tr_scale(total, 1 / count_reduced(x, total));
}

/* --- Extremes --------------------------------------------------------------------------------- */

/* y = the largest (smallest) x over the axes; NaN wins      gx = g, shared evenly among equals */
static bool extreme_shape(tr_call *c)
{
    const axes_attributes *a = c->attributes;
    return has_values(c->in[0], a->axes, c->op->name) && axes_shape(c);
}

static tr_status amax_forward(tr_call *c)
{
    return reduce(c, TRI_R_MAX);
}

static tr_status amin_forward(tr_call *c)
{
    return reduce(c, TRI_R_MIN);
}

static void extreme_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    const axes_attributes *a = c->attributes;
    tr_tensor             *chosen = tr_cast(tr_equal(c->in[0], spread(c, c->out)), g->dtype);
    gin[0] = tr_mul(spread(c, g), tr_div(chosen, tr_sum(chosen, a->axes, true)));
}

static const tr_example extreme_examples[] = {
    { "d[2,3]", TRI_ATTRIBUTES(axes_attributes, { 1, { 0 } }, true) },
    { "d[2,3]", TRI_ATTRIBUTES(axes_attributes, { 1, { -1 } }, false) },
    { "d[2,3,4]", TRI_ATTRIBUTES(axes_attributes, { 2, { 0, 2 } }, false) },
    { "d[3,2,2]", TRI_ATTRIBUTES(axes_attributes, { -1, { 0 } }, false) },
    { "d[]", TRI_ATTRIBUTES(axes_attributes, { -1, { 0 } }, false) },
    { "d[0,3]", TRI_ATTRIBUTES(axes_attributes, { 1, { 1 } }, false) },
    { 0 },
};

const tr_op tri_op_amax = {
    .name = "amax", .arguments = { "x" }, TR_OP_PLACE,
    .formula = "y = the largest x over axes", .gradient = "gx = g, shared evenly among equals",
    .shape = extreme_shape, .forward = amax_forward, .vjp = extreme_vjp,
    .examples = extreme_examples,
};

tr_tensor *tr_amax(tr_tensor *x, tr_shape axes, bool keepdim)
{
    const axes_attributes a = { axes, keepdim };
    return tr_apply(&tri_op_amax, &x, 1, &a, sizeof a);
}

const tr_op tri_op_amin = {
    .name = "amin", .arguments = { "x" }, TR_OP_PLACE,
    .formula = "y = the smallest x over axes", .gradient = "gx = g, shared evenly among equals",
    .shape = extreme_shape, .forward = amin_forward, .vjp = extreme_vjp,
    .examples = extreme_examples,
};

tr_tensor *tr_amin(tr_tensor *x, tr_shape axes, bool keepdim)
{
    const axes_attributes a = { axes, keepdim };
    return tr_apply(&tri_op_amin, &x, 1, &a, sizeof a);
}

/* --- Log of a sum of exponentials ------------------------------------------------------------- */

/* y = ln sum of e^x = m + ln sum of e^(x - m), m the largest x, clamped to finite values so that
 * infinite x give infinite y, not NaN      gx = g e^(x - y) */
static tr_status logsumexp_forward(tr_call *c)
{
    const axes_attributes *a = c->attributes;
    const tr_tensor       *x = c->in[0];
    bool                   reduced[TR_MAX_RANK];
    int64_t                stride[TR_MAX_RANK] = { 0 };
    const double           most = c->out->dtype == TR_F32 ? (double)FLT_MAX : DBL_MAX;
    tri_axes_flags(a->axes, x->rank, reduced, "logsumexp");
    if (tr_numel(x) == 0) return tri_fill(c->out, (double)-INFINITY);
    tr_scope  *scope = tr_scope_push();
    tr_tensor *y = keepdim_view(c, c->out);
    tr_tensor *e = tri_new(x->dtype, tr_shape_of(x));
    tr_tensor *m = y != NULL ? tri_new(y->dtype, tr_shape_of(y)) : NULL;
    if (e != NULL && m != NULL && tri_reduce(TRI_R_MAX, m, x, reduced) == TR_OK) {
        for (int i = 0; i < x->rank; i++) stride[i] = reduced[i] ? 0 : m->stride[i];
        tr_tensor *repeated = tri_view(m, tr_shape_of(x), stride, 0);
        if (repeated != NULL &&
            tri_unary(TRI_U_clamp, m, m, (const double[]){ -most, most }) == TR_OK &&
            tri_binary(TRI_B_sub, e, x, repeated) == TR_OK &&
            tri_unary(TRI_U_exp, e, e, NULL) == TR_OK &&
            tri_reduce(TRI_R_SUM, y, e, reduced) == TR_OK &&
            tri_unary(TRI_U_log, y, y, NULL) == TR_OK)
            tri_binary(TRI_B_add, y, y, m);
    }
    tr_scope_pop(scope);
    return tr_status_get();
}

static void logsumexp_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_mul(spread(c, g), tr_exp(tr_sub(c->in[0], spread(c, c->out))));
}

const tr_op tri_op_logsumexp = {
    .name = "logsumexp", .arguments = { "x" }, TR_OP_PLACE,
    .formula = "y = ln sum of e^x over axes", .gradient = "gx = g e^(x - y)",
    .shape = axes_shape, .forward = logsumexp_forward, .vjp = logsumexp_vjp,
    .examples = (const tr_example[]){
        { "x[2,3]", TRI_ATTRIBUTES(axes_attributes, { 1, { 0 } }, true) },
        { "x[2,3]", TRI_ATTRIBUTES(axes_attributes, { 1, { -1 } }, false) },
        { "x[2,3,4]", TRI_ATTRIBUTES(axes_attributes, { 2, { 0, 2 } }, false) },
        { "x[3,2,2]", TRI_ATTRIBUTES(axes_attributes, { -1, { 0 } }, false) },
        { "x[]", TRI_ATTRIBUTES(axes_attributes, { -1, { 0 } }, false) },
        { "x[0,3]", TRI_ATTRIBUTES(axes_attributes, { 1, { 1 } }, false) },
        { 0 } },
};

tr_tensor *tr_logsumexp(tr_tensor *x, tr_shape axes, bool keepdim)
{
    const axes_attributes a = { axes, keepdim };
    return tr_apply(&tri_op_logsumexp, &x, 1, &a, sizeof a);
}

/* --- Variance and norms ----------------------------------------------------------------------- */

/* f(x) = x^p where x is not 0, else 0 with derivative 0 (of any order), for x >= 0 and p > 0. */
static tr_tensor *power_from_zero(tr_tensor *x, double p)
{
    if (x == NULL) return NULL;
    tr_tensor *zero = tr_equal(x, tr_scalar(x->dtype, 0));
    tr_tensor *inside = tr_masked_fill(x, zero, 1);
    return tr_masked_fill(p == 0.5 ? tr_sqrt(inside) : tr_pow_scalar(inside, p), zero, 0);
}

tr_tensor *tr_var(tr_tensor *x, tr_shape axes, int correction, bool keepdim)
{
    TRI_FUNCTION("var", x);
    tr_tensor *deviation = tr_sub(x, tr_mean(x, axes, true));
    tr_tensor *total = tr_sum(tr_square(deviation), axes, keepdim);
    const double count = count_reduced(x, total) - correction;
    return tr_scale(total, 1 / (count > 0 ? count : 0));
}

tr_tensor *tr_std(tr_tensor *x, tr_shape axes, int correction, bool keepdim)
{
    TRI_FUNCTION("std", x);
    return power_from_zero(tr_var(x, axes, correction, keepdim), 0.5);
}

tr_tensor *tr_norm(tr_tensor *x, double p, tr_shape axes, bool keepdim)
{
    TRI_FUNCTION("norm", x);
    if (!tri_usable(x, "norm")) return NULL;
    if (!(p > 0))
        return tri_refuse(TR_ERR_VALUE, "norm", x, "the exponent is %g, above 0 is needed", p);
    if (p == 2) return power_from_zero(tr_sum(tr_square(x), axes, keepdim), 0.5);
    tr_tensor *size = tr_abs(x);
    if (isinf(p)) return tr_amax(size, axes, keepdim);
    if (p == 1) return tr_sum(size, axes, keepdim);
    return power_from_zero(tr_sum(power_from_zero(size, p), axes, keepdim), 1 / p);
}

/* --- Products --------------------------------------------------------------------------------- */

/* y [K, n] -> [K, 1]: halves are multiplied until one column is left. A division by x would be
 * faster to differentiate and wrong at zeros. */
static tr_tensor *multiply_columns(tr_tensor *y, int64_t n)
{
    while (n > 1 && y != NULL) {
        const int64_t half = n / 2;
        tr_tensor    *pairs = tr_mul(tr_narrow(y, 1, 0, half), tr_narrow(y, 1, half, half));
        tr_tensor    *parts[2] = { pairs, n % 2 != 0 ? tr_narrow(y, 1, n - 1, 1) : NULL };
        y = n % 2 != 0 ? tr_concat(parts, 2, 1) : pairs;
        n -= half;
    }
    return y;
}

tr_tensor *tr_prod(tr_tensor *x, tr_shape axes, bool keepdim)
{
    TRI_FUNCTION("prod", x);
    bool reduced[TR_MAX_RANK];
    if (!tri_usable(x, "prod") || !tri_axes_flags(axes, x->rank, reduced, "prod")) return NULL;
    const tr_shape shape = tr_shape_of(x);
    tr_shape       order = { .rank = x->rank };
    int64_t        kept = 1, n = 1;
    int            k = 0;
    for (int i = 0; i < x->rank; i++) {
        if (reduced[i]) continue;
        order.dim[k++] = i;
        kept *= x->shape[i];
    }
    for (int i = 0; i < x->rank; i++) {
        if (!reduced[i]) continue;
        order.dim[k++] = i;
        n *= x->shape[i];
    }
    tr_tensor *columns = n == 0 ? tr_ones(x->dtype, TR_SHAPE(kept, 1))
                                : tr_reshape(tr_permute(x, order), TR_SHAPE(kept, n));
    return tr_reshape(multiply_columns(columns, n),
                      keepdim ? keepdim_shape(shape, reduced) : dropped_shape(shape, reduced));
}

tr_tensor *tr_cumprod(tr_tensor *x, int axis)
{
    TRI_FUNCTION("cumprod", x);
    if (!tri_usable(x, "cumprod")) return NULL;
    const int k = tri_axis(axis, x->rank, "cumprod");
    if (k < 0) return NULL;
    const int64_t n = x->shape[k];
    /* before each round x holds the products of the last `step` factors, or of all there are */
    for (int64_t step = 1; step < n && x != NULL; step *= 2) {
        tr_tensor *later = tr_mul(tr_narrow(x, k, step, n - step), tr_narrow(x, k, 0, n - step));
        x = tr_concat((tr_tensor *[]){ tr_narrow(x, k, 0, step), later }, 2, k);
    }
    return x;
}

/* --- Running sums ----------------------------------------------------------------------------- */

typedef struct cumsum_attributes {
    int  axis;
    bool reverse;
} cumsum_attributes;

/* y_i = x_0 + ... + x_i along the axis; from the other end when reverse      gx = cumsum(g), the
 * other way */
static bool cumsum_shape(tr_call *c)
{
    const cumsum_attributes *a = c->attributes;
    return tri_axis(a->axis, c->in[0]->rank, "cumsum") >= 0;
}

static tr_status cumsum_forward(tr_call *c)
{
    const cumsum_attributes *a = c->attributes;
    const int                axis = tri_axis(a->axis, c->in[0]->rank, "cumsum");
    return tri_cumulate(c->out, c->in[0], axis, false, a->reverse);
}

static void cumsum_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    const cumsum_attributes *a = c->attributes;
    gin[0] = tr_cumsum(g, a->axis, !a->reverse);
}

const tr_op tri_op_cumsum = {
    .name = "cumsum", .arguments = { "x" }, TR_OP_PLACE,
    .formula = "y_i = x_0 + ... + x_i along an axis",
    .gradient = "gx = cumsum(g) from the other end",
    .shape = cumsum_shape, .forward = cumsum_forward, .vjp = cumsum_vjp,
    .examples = (const tr_example[]){
        { "x[5]", TRI_ATTRIBUTES(cumsum_attributes, 0, false) },
        { "x[2,3]", TRI_ATTRIBUTES(cumsum_attributes, 0, true) },
        { "x[2,3,2]", TRI_ATTRIBUTES(cumsum_attributes, 1, false) },
        { "x[3,1]", TRI_ATTRIBUTES(cumsum_attributes, -1, true) },
        { "x[0,3]", TRI_ATTRIBUTES(cumsum_attributes, 1, false) },
        { "x[2,0]", TRI_ATTRIBUTES(cumsum_attributes, 1, false) },
        { 0 } },
};

tr_tensor *tr_cumsum(tr_tensor *x, int axis, bool reverse)
{
    const cumsum_attributes a = { axis, reverse };
    return tr_apply(&tri_op_cumsum, &x, 1, &a, sizeof a);
}

/* --- Truth ------------------------------------------------------------------------------------ */

static tr_tensor *is_zero(tr_tensor *x)
{
    return tri_check_alive(x, "equal") ? tr_equal(x, tr_scalar(x->dtype, 0)) : NULL;
}

tr_tensor *tr_all(tr_tensor *x, tr_shape axes, bool keepdim)
{
    TRI_FUNCTION("all", x);
    return is_zero(tr_sum(tr_cast(is_zero(x), TR_F32), axes, keepdim));
}

tr_tensor *tr_any(tr_tensor *x, tr_shape axes, bool keepdim)
{
    TRI_FUNCTION("any", x);
    return is_zero(tr_cast(tr_all(is_zero(x), axes, keepdim), TR_F32));
}
