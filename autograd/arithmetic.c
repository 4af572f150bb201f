/* arithmetic.c: sums, products, powers, extremes and rounding. The simplest blocks: formula and
 * gradient as a comment, forward (one call of a kernel driver), rule, descriptor, public function.
 *
 * Rules never mention shapes: operations of two arguments carry TR_OP_BROADCAST, so tr_apply
 * expands their inputs first, and the rule of `expand` does the summing.
 * Read next: function.c, compare.c and activation.c, which follow the same pattern. */
#include "autograd/registry.h"

#include <math.h>

tr_tensor *tri_apply_unary(const tr_op *op, tr_tensor *x)
{
    return tr_apply(op, &x, 1, NULL, 0);
}

tr_tensor *tri_apply_binary(const tr_op *op, tr_tensor *a, tr_tensor *b)
{
    return tr_apply(op, (tr_tensor *[]){ a, b }, 2, NULL, 0);
}

tr_tensor *tri_constant(const tr_tensor *like, double value)
{
    return tri_check_alive(like, "constant") ? tr_scalar(like->dtype, value) : NULL;
}

/* --- The four operations ---------------------------------------------------------------------- */

/* y = a + b      ga = g, gb = g */
static tr_status add_forward(tr_call *c)
{
    return tri_binary(TRI_B_add, c->out, c->in[0], c->in[1]);
}

static void add_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    (void)c;
    gin[0] = g;
    gin[1] = g;
}

const tr_op tri_op_add = {
    .name = "add", .arguments = { "a", "b" }, .flags = TR_OP_BROADCAST, TR_OP_PLACE,
    .formula = "y = a + b", .gradient = "ga = g, gb = g",
    .forward = add_forward, .vjp = add_vjp, .examples = tri_examples_pair,
};

tr_tensor *tr_add(tr_tensor *a, tr_tensor *b)
{
    return tri_apply_binary(&tri_op_add, a, b);
}

/* y = a - b      ga = g, gb = -g */
static tr_status sub_forward(tr_call *c)
{
    return tri_binary(TRI_B_sub, c->out, c->in[0], c->in[1]);
}

static void sub_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = g;
    if (tr_wants(c, 1)) gin[1] = tr_neg(g);
}

const tr_op tri_op_sub = {
    .name = "sub", .arguments = { "a", "b" }, .flags = TR_OP_BROADCAST, TR_OP_PLACE,
    .formula = "y = a - b", .gradient = "ga = g, gb = -g",
    .forward = sub_forward, .vjp = sub_vjp, .examples = tri_examples_pair,
};

tr_tensor *tr_sub(tr_tensor *a, tr_tensor *b)
{
    return tri_apply_binary(&tri_op_sub, a, b);
}

/* y = a b        ga = g b, gb = g a */
static tr_status mul_forward(tr_call *c)
{
    return tri_binary(TRI_B_mul, c->out, c->in[0], c->in[1]);
}

static void mul_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    if (tr_wants(c, 0)) gin[0] = tr_mul(g, c->in[1]);
    if (tr_wants(c, 1)) gin[1] = tr_mul(g, c->in[0]);
}

const tr_op tri_op_mul = {
    .name = "mul", .arguments = { "a", "b" }, .flags = TR_OP_BROADCAST, TR_OP_PLACE,
    .formula = "y = a b", .gradient = "ga = g b, gb = g a",
    .forward = mul_forward, .vjp = mul_vjp, .examples = tri_examples_pair,
};

tr_tensor *tr_mul(tr_tensor *a, tr_tensor *b)
{
    return tri_apply_binary(&tri_op_mul, a, b);
}

/* y = a / b      ga = g / b, gb = -g y / b */
static tr_status div_forward(tr_call *c)
{
    return tri_binary(TRI_B_div, c->out, c->in[0], c->in[1]);
}

static void div_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    tr_tensor *ga = tr_div(g, c->in[1]);
    gin[0] = ga;
    if (tr_wants(c, 1)) gin[1] = tr_neg(tr_mul(ga, c->out));
}

const tr_op tri_op_div = {
    .name = "div", .arguments = { "a", "b" }, .flags = TR_OP_BROADCAST, TR_OP_PLACE,
    .formula = "y = a / b", .gradient = "ga = g / b, gb = -g y / b",
    .forward = div_forward, .vjp = div_vjp, .examples = tri_examples_pair_positive,
};

tr_tensor *tr_div(tr_tensor *a, tr_tensor *b)
{
    return tri_apply_binary(&tri_op_div, a, b);
}

/* y = -x         gx = -g */
static tr_status neg_forward(tr_call *c)
{
    return tri_unary(TRI_U_neg, c->out, c->in[0], NULL);
}

static void neg_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    (void)c;
    gin[0] = tr_neg(g);
}

const tr_op tri_op_neg = {
    .name = "neg", .arguments = { "x" }, TR_OP_PLACE, .formula = "y = -x", .gradient = "gx = -g",
    .forward = neg_forward, .vjp = neg_vjp, .examples = tri_examples_any,
};

tr_tensor *tr_neg(tr_tensor *x)
{
    return tri_apply_unary(&tri_op_neg, x);
}

/* y = p x + q with numbers p, q      gx = p g */
typedef struct affine_attributes {
    double pq[2];
} affine_attributes;

static tr_status affine_forward(tr_call *c)
{
    const affine_attributes *a = c->attributes;
    return tri_unary(TRI_U_affine, c->out, c->in[0], a->pq);
}

static void affine_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    const affine_attributes *a = c->attributes;
    gin[0] = tr_scale(g, a->pq[0]);
}

const tr_op tri_op_affine = {
    .name = "affine", .arguments = { "x" }, TR_OP_PLACE,
    .formula = "y = p x + q, for numbers p and q (scale, add_scalar)", .gradient = "gx = p g",
    .forward = affine_forward, .vjp = affine_vjp,
    .examples = (const tr_example[]){
        { "x[2,3]", TRI_ATTRIBUTES(affine_attributes, { -1.5, 0.25 }) },
        { "x[]", TRI_ATTRIBUTES(affine_attributes, { 0, 2 }) },
        { "x[0,2]", TRI_ATTRIBUTES(affine_attributes, { 3, 0 }) },
        { "x[5,1,2]", TRI_ATTRIBUTES(affine_attributes, { 0.5, -1 }) },
        { "x[1]", TRI_ATTRIBUTES(affine_attributes, { 2, 2 }) },
        { 0 } },
};

tr_tensor *tr_affine(tr_tensor *x, double factor, double term)
{
    const affine_attributes a = { { factor, term } };
    return tr_apply(&tri_op_affine, &x, 1, &a, sizeof a);
}

tr_tensor *tr_scale(tr_tensor *x, double factor)
{
    TRI_FUNCTION("scale", x);
    return tr_affine(x, factor, 0);
}

tr_tensor *tr_add_scalar(tr_tensor *x, double term)
{
    TRI_FUNCTION("add_scalar", x);
    return tr_affine(x, 1, term);
}

tr_tensor *tr_lerp(tr_tensor *a, tr_tensor *b, tr_tensor *t)
{
    TRI_FUNCTION("lerp", a, b, t);
    return tr_add(a, tr_mul(t, tr_sub(b, a)));
}

/* --- Powers ----------------------------------------------------------------------------------- */

/* y = x x        gx = 2 g x */
static tr_status square_forward(tr_call *c)
{
    return tri_unary(TRI_U_square, c->out, c->in[0], NULL);
}

static void square_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_scale(tr_mul(g, c->in[0]), 2);
}

const tr_op tri_op_square = {
    .name = "square", .arguments = { "x" }, TR_OP_PLACE,
    .formula = "y = x x", .gradient = "gx = 2 g x",
    .forward = square_forward, .vjp = square_vjp, .examples = tri_examples_any,
};

tr_tensor *tr_square(tr_tensor *x)
{
    return tri_apply_unary(&tri_op_square, x);
}

/* y = sqrt(x)    gx = g / (2 y) */
static tr_status sqrt_forward(tr_call *c)
{
    return tri_unary(TRI_U_sqrt, c->out, c->in[0], NULL);
}

static void sqrt_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_scale(tr_div(g, c->out), 0.5);
}

const tr_op tri_op_sqrt = {
    .name = "sqrt", .arguments = { "x" }, TR_OP_PLACE,
    .formula = "y = sqrt(x)", .gradient = "gx = g / (2 y)",
    .forward = sqrt_forward, .vjp = sqrt_vjp, .examples = tri_examples_positive,
};

tr_tensor *tr_sqrt(tr_tensor *x)
{
    return tri_apply_unary(&tri_op_sqrt, x);
}

/* y = 1 / sqrt(x)      gx = -g y^3 / 2 */
static tr_status rsqrt_forward(tr_call *c)
{
    return tri_unary(TRI_U_rsqrt, c->out, c->in[0], NULL);
}

static void rsqrt_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_scale(tr_mul(g, tr_mul(c->out, tr_square(c->out))), -0.5);
}

const tr_op tri_op_rsqrt = {
    .name = "rsqrt", .arguments = { "x" }, TR_OP_PLACE,
    .formula = "y = 1 / sqrt(x)", .gradient = "gx = -g y^3 / 2",
    .forward = rsqrt_forward, .vjp = rsqrt_vjp, .examples = tri_examples_positive,
};

tr_tensor *tr_rsqrt(tr_tensor *x)
{
    return tri_apply_unary(&tri_op_rsqrt, x);
}

/* y = 1 / x      gx = -g y^2 */
static tr_status reciprocal_forward(tr_call *c)
{
    return tri_unary(TRI_U_reciprocal, c->out, c->in[0], NULL);
}

static void reciprocal_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_neg(tr_mul(g, tr_square(c->out)));
}

const tr_op tri_op_reciprocal = {
    .name = "reciprocal", .arguments = { "x" }, TR_OP_PLACE,
    .formula = "y = 1 / x", .gradient = "gx = -g y^2",
    .forward = reciprocal_forward, .vjp = reciprocal_vjp, .examples = tri_examples_positive,
};

tr_tensor *tr_reciprocal(tr_tensor *x)
{
    return tri_apply_unary(&tri_op_reciprocal, x);
}

/* y = x^p for a number p      gx = p g x^(p - 1), 0 where p = 0 */
typedef struct power_attributes {
    double p[2]; /* as the kernel wants it; p[1] is not used */
} power_attributes;

static tr_status pow_scalar_forward(tr_call *c)
{
    const power_attributes *a = c->attributes;
    return tri_unary(TRI_U_power, c->out, c->in[0], a->p);
}

static void pow_scalar_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    const power_attributes *a = c->attributes;
    const double            p = a->p[0];
    if (p != 0) gin[0] = tr_scale(tr_mul(g, tr_pow_scalar(c->in[0], p - 1)), p);
}

const tr_op tri_op_pow_scalar = {
    .name = "pow_scalar", .arguments = { "x" }, TR_OP_PLACE,
    .formula = "y = x^p, for a number p", .gradient = "gx = p g x^(p - 1)",
    .forward = pow_scalar_forward, .vjp = pow_scalar_vjp,
    .examples = (const tr_example[]){ { "p[2,3]", TRI_ATTRIBUTES(power_attributes, { 2.5 }) },
                                      { "x[2,3]", TRI_ATTRIBUTES(power_attributes, { 3 }) },
                                      { "x[7]", TRI_ATTRIBUTES(power_attributes, { 1 }) },
                                      { "x[3]", TRI_ATTRIBUTES(power_attributes, { 0 }) },
                                      { "p[5,1,2]", TRI_ATTRIBUTES(power_attributes, { -1.5 }) },
                                      { "p[]", TRI_ATTRIBUTES(power_attributes, { 0.5 }) },
                                      { "p[0,2]", TRI_ATTRIBUTES(power_attributes, { 2 }) },
                                      { 0 } },
};

tr_tensor *tr_pow_scalar(tr_tensor *x, double p)
{
    const power_attributes a = { { p } };
    return tr_apply(&tri_op_pow_scalar, &x, 1, &a, sizeof a);
}

/* y = a^b      ga = g b a^(b - 1), gb = g y ln a; where a = 0 both are 0 if the power's limit
 * allows: ga where b = 0 (the power is constant), gb where b >= 0 (the power stays 0 or 1) */
static tr_status pow_forward(tr_call *c)
{
    return tri_binary(TRI_B_pow, c->out, c->in[0], c->in[1]);
}

static void pow_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    tr_tensor *a = c->in[0], *b = c->in[1];
    tr_tensor *zero = tri_constant(g, 0), *one = tri_constant(g, 1);
    tr_tensor *base_zero = tr_equal(a, zero);
    if (tr_wants(c, 0)) {
        tr_tensor *constant = tr_logical_and(base_zero, tr_equal(b, zero));
        tr_tensor *exponent = tr_where(constant, zero, tr_add_scalar(b, -1));
        gin[0] = tr_mul(g, tr_mul(b, tr_pow(a, exponent)));
    }
    if (tr_wants(c, 1)) {
        tr_tensor *stays = tr_logical_and(base_zero, tr_greater_equal(b, zero));
        gin[1] = tr_mul(g, tr_mul(c->out, tr_log(tr_where(stays, one, a))));
    }
}

const tr_op tri_op_pow = {
    .name = "pow", .arguments = { "a", "b" }, .flags = TR_OP_BROADCAST, TR_OP_PLACE,
    .formula = "y = a^b", .gradient = "ga = g b a^(b - 1), gb = g y ln a",
    .forward = pow_forward, .vjp = pow_vjp, .examples = tri_examples_pair_positive,
};

tr_tensor *tr_pow(tr_tensor *a, tr_tensor *b)
{
    return tri_apply_binary(&tri_op_pow, a, b);
}

/* y = sqrt(a a + b b)      ga = g a / y, gb = g b / y */
static tr_status hypot_forward(tr_call *c)
{
    return tri_binary(TRI_B_hypot, c->out, c->in[0], c->in[1]);
}

static void hypot_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    tr_tensor *ratio = tr_div(g, c->out);
    if (tr_wants(c, 0)) gin[0] = tr_mul(ratio, c->in[0]);
    if (tr_wants(c, 1)) gin[1] = tr_mul(ratio, c->in[1]);
}

const tr_op tri_op_hypot = {
    .name = "hypot", .arguments = { "a", "b" }, .flags = TR_OP_BROADCAST, TR_OP_PLACE,
    .formula = "y = sqrt(a a + b b)",
    .gradient = "ga = g a / y, gb = g b / y",
    .forward = hypot_forward, .vjp = hypot_vjp, .examples = tri_examples_pair_distinct,
};

tr_tensor *tr_hypot(tr_tensor *a, tr_tensor *b)
{
    return tri_apply_binary(&tri_op_hypot, a, b);
}

/* --- Sign, extremes, rounding ----------------------------------------------------------------- */

/* y = |x|, derivative 0 at 0      gx = g sign(x) */
static tr_status abs_forward(tr_call *c)
{
    return tri_unary(TRI_U_abs, c->out, c->in[0], NULL);
}

static void abs_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_mul(g, tr_sign(c->in[0]));
}

const tr_op tri_op_abs = {
    .name = "abs", .arguments = { "x" }, TR_OP_PLACE,
    .formula = "y = |x|", .gradient = "gx = g sign(x)",
    .forward = abs_forward, .vjp = abs_vjp, .examples = tri_examples_smooth,
};

tr_tensor *tr_abs(tr_tensor *x)
{
    return tri_apply_unary(&tri_op_abs, x);
}

/* y = -1, 0 or 1      no gradient */
static tr_status sign_forward(tr_call *c)
{
    return tri_unary(TRI_U_sign, c->out, c->in[0], NULL);
}

const tr_op tri_op_sign = {
    .name = "sign", .arguments = { "x" }, .flags = TR_OP_NO_GRADIENT, TR_OP_PLACE,
    .formula = "y = -1, 0 or 1", .gradient = "none: piecewise constant",
    .forward = sign_forward, .examples = tri_examples_smooth,
};

tr_tensor *tr_sign(tr_tensor *x)
{
    return tri_apply_unary(&tri_op_sign, x);
}

/* g, of which a loser gets nothing and each of two equals half. */
static tr_tensor *share(tr_tensor *g, tr_tensor *not_won, tr_tensor *equal)
{
    return tr_where(not_won, tr_where(equal, tr_scale(g, 0.5), tri_constant(g, 0)), g);
}

/* y = the larger of a and b      ga = g where a > b, g / 2 where equal; gb likewise */
static tr_status maximum_forward(tr_call *c)
{
    return tri_binary(TRI_B_maximum, c->out, c->in[0], c->in[1]);
}

static void maximum_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    tr_tensor *a = c->in[0], *b = c->in[1], *equal = tr_equal(a, b);
    if (tr_wants(c, 0)) gin[0] = share(g, tr_less_equal(a, b), equal);
    if (tr_wants(c, 1)) gin[1] = share(g, tr_less_equal(b, a), equal);
}

const tr_op tri_op_maximum = {
    .name = "maximum", .arguments = { "a", "b" }, .flags = TR_OP_BROADCAST, TR_OP_PLACE,
    .formula = "y = the larger of a and b",
    .gradient = "ga = g where a > b, g / 2 where equal; gb likewise",
    .forward = maximum_forward, .vjp = maximum_vjp, .examples = tri_examples_pair_distinct,
};

tr_tensor *tr_maximum(tr_tensor *a, tr_tensor *b)
{
    return tri_apply_binary(&tri_op_maximum, a, b);
}

/* y = the smaller of a and b      ga = g where a < b, g / 2 where equal; gb likewise */
static tr_status minimum_forward(tr_call *c)
{
    return tri_binary(TRI_B_minimum, c->out, c->in[0], c->in[1]);
}

static void minimum_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    tr_tensor *a = c->in[0], *b = c->in[1], *equal = tr_equal(a, b);
    if (tr_wants(c, 0)) gin[0] = share(g, tr_less_equal(b, a), equal);
    if (tr_wants(c, 1)) gin[1] = share(g, tr_less_equal(a, b), equal);
}

const tr_op tri_op_minimum = {
    .name = "minimum", .arguments = { "a", "b" }, .flags = TR_OP_BROADCAST, TR_OP_PLACE,
    .formula = "y = the smaller of a and b",
    .gradient = "ga = g where a < b, g / 2 where equal; gb likewise",
    .forward = minimum_forward, .vjp = minimum_vjp, .examples = tri_examples_pair_distinct,
};

tr_tensor *tr_minimum(tr_tensor *a, tr_tensor *b)
{
    return tri_apply_binary(&tri_op_minimum, a, b);
}

/* y = min(max(x, low), high)      gx = g inside, 0 outside; at the bounds 0 if they are `open`,
 * else g */
typedef struct clamp_attributes {
    double bounds[2];
    bool   open;
} clamp_attributes;

static bool clamp_shape(tr_call *c)
{
    const clamp_attributes *a = c->attributes;
    if (a->bounds[0] <= a->bounds[1]) return true;
    tr_fail(TR_ERR_VALUE, "clamp: the bounds are %g and %g; the first must not be above the second",
            a->bounds[0], a->bounds[1]);
    return false;
}

static tr_status clamp_forward(tr_call *c)
{
    const clamp_attributes *a = c->attributes;
    return tri_unary(TRI_U_clamp, c->out, c->in[0], a->bounds);
}

static void clamp_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    const clamp_attributes *a = c->attributes;
    tr_tensor *x = c->in[0], *low = tri_constant(x, a->bounds[0]),
              *high = tri_constant(x, a->bounds[1]);
    tr_tensor *inside = a->open ? tr_logical_and(tr_less(low, x), tr_less(x, high))
                                : tr_logical_and(tr_less_equal(low, x), tr_less_equal(x, high));
    gin[0] = tr_where(inside, g, tri_constant(g, 0));
}

const tr_op tri_op_clamp = {
    .name = "clamp", .arguments = { "x" }, TR_OP_PLACE,
    .formula = "y = min(max(x, low), high)", .gradient = "gx = g inside the bounds, 0 outside",
    .shape = clamp_shape, .forward = clamp_forward, .vjp = clamp_vjp,
    .examples = (const tr_example[]){
        { "d[2,3]", TRI_ATTRIBUTES(clamp_attributes, { -0.5, 0.5 }, false) },
        { "d[37]", TRI_ATTRIBUTES(clamp_attributes, { 0, 1 }, true) },
        { "d[5,1,2]", TRI_ATTRIBUTES(clamp_attributes, { -(double)INFINITY, 0 }, false) },
        { "d[]", TRI_ATTRIBUTES(clamp_attributes, { 0, 6 }, true) },
        { "d[0,3]", TRI_ATTRIBUTES(clamp_attributes, { 0, 0 }, false) },
        { 0 } },
};

tr_tensor *tr_clamp(tr_tensor *x, double low, double high)
{
    const clamp_attributes a = { { low, high }, false };
    return tr_apply(&tri_op_clamp, &x, 1, &a, sizeof a);
}

tr_tensor *tri_clamp_open(tr_tensor *x, double low, double high)
{
    const clamp_attributes a = { { low, high }, true };
    return tr_apply(&tri_op_clamp, &x, 1, &a, sizeof a);
}

/* y = the largest integer <= x      no gradient */
static tr_status floor_forward(tr_call *c)
{
    return tri_unary(TRI_U_floor, c->out, c->in[0], NULL);
}

const tr_op tri_op_floor = {
    .name = "floor", .arguments = { "x" }, .flags = TR_OP_NO_GRADIENT, TR_OP_PLACE,
    .formula = "y = the largest integer <= x", .gradient = "none: piecewise constant",
    .forward = floor_forward, .examples = tri_examples_smooth,
};

tr_tensor *tr_floor(tr_tensor *x)
{
    return tri_apply_unary(&tri_op_floor, x);
}

/* y = the smallest integer >= x      no gradient */
static tr_status ceil_forward(tr_call *c)
{
    return tri_unary(TRI_U_ceil, c->out, c->in[0], NULL);
}

const tr_op tri_op_ceil = {
    .name = "ceil", .arguments = { "x" }, .flags = TR_OP_NO_GRADIENT, TR_OP_PLACE,
    .formula = "y = the smallest integer >= x", .gradient = "none: piecewise constant",
    .forward = ceil_forward, .examples = tri_examples_smooth,
};

tr_tensor *tr_ceil(tr_tensor *x)
{
    return tri_apply_unary(&tri_op_ceil, x);
}

/* y = the nearest integer, ties to even      no gradient */
static tr_status round_forward(tr_call *c)
{
    return tri_unary(TRI_U_round, c->out, c->in[0], NULL);
}

const tr_op tri_op_round = {
    .name = "round", .arguments = { "x" }, .flags = TR_OP_NO_GRADIENT, TR_OP_PLACE,
    .formula = "y = the nearest integer, ties to even", .gradient = "none: piecewise constant",
    .forward = round_forward, .examples = tri_examples_smooth,
};

tr_tensor *tr_round(tr_tensor *x)
{
    return tri_apply_unary(&tri_op_round, x);
}

/* y = x without its fraction      no gradient */
static tr_status trunc_forward(tr_call *c)
{
    return tri_unary(TRI_U_trunc, c->out, c->in[0], NULL);
}

const tr_op tri_op_trunc = {
    .name = "trunc", .arguments = { "x" }, .flags = TR_OP_NO_GRADIENT, TR_OP_PLACE,
    .formula = "y = x without its fraction", .gradient = "none: piecewise constant",
    .forward = trunc_forward, .examples = tri_examples_smooth,
};

tr_tensor *tr_trunc(tr_tensor *x)
{
    return tri_apply_unary(&tri_op_trunc, x);
}
