/* function.c: exponentials and logarithms, circular and hyperbolic functions, error and gamma
 * functions.
 *
 * The pattern is arithmetic.c's. Derivatives are taken from the result y where that is cheaper or
 * more exact than from the argument. */
#include "autograd/registry.h"

#include <math.h>

#define LN_2             0.69314718055994530942
#define TWO_OVER_SQRT_PI 1.12837916709551257390

/* --- Exponentials and logarithms -------------------------------------------------------------- */

/* y = e^x        gx = g y */
static tr_status exp_forward(tr_call *c)
{
    return tri_unary(TRI_U_exp, c->out, c->in[0], NULL);
}

static void exp_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_mul(g, c->out);
}

const tr_op tri_op_exp = {
    .name = "exp", .arguments = { "x" }, TR_OP_PLACE, .formula = "y = e^x", .gradient = "gx = g y",
    .forward = exp_forward, .vjp = exp_vjp, .examples = tri_examples_any,
};

tr_tensor *tr_exp(tr_tensor *x)
{
    return tri_apply_unary(&tri_op_exp, x);
}

/* y = e^x - 1      gx = g (y + 1) */
static tr_status expm1_forward(tr_call *c)
{
    return tri_unary(TRI_U_expm1, c->out, c->in[0], NULL);
}

static void expm1_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_mul(g, tr_add_scalar(c->out, 1));
}

const tr_op tri_op_expm1 = {
    .name = "expm1", .arguments = { "x" }, TR_OP_PLACE,
    .formula = "y = e^x - 1", .gradient = "gx = g (y + 1)",
    .forward = expm1_forward, .vjp = expm1_vjp, .examples = tri_examples_any,
};

tr_tensor *tr_expm1(tr_tensor *x)
{
    return tri_apply_unary(&tri_op_expm1, x);
}

/* y = 2^x      gx = g y ln 2 */
static tr_status exp2_forward(tr_call *c)
{
    return tri_unary(TRI_U_exp2, c->out, c->in[0], NULL);
}

static void exp2_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_scale(tr_mul(g, c->out), LN_2);
}

const tr_op tri_op_exp2 = {
    .name = "exp2", .arguments = { "x" }, TR_OP_PLACE,
    .formula = "y = 2^x", .gradient = "gx = g y ln 2",
    .forward = exp2_forward, .vjp = exp2_vjp, .examples = tri_examples_any,
};

tr_tensor *tr_exp2(tr_tensor *x)
{
    return tri_apply_unary(&tri_op_exp2, x);
}

/* y = ln x       gx = g / x */
static tr_status log_forward(tr_call *c)
{
    return tri_unary(TRI_U_log, c->out, c->in[0], NULL);
}

static void log_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_div(g, c->in[0]);
}

const tr_op tri_op_log = {
    .name = "log", .arguments = { "x" }, TR_OP_PLACE,
    .formula = "y = ln x", .gradient = "gx = g / x",
    .forward = log_forward, .vjp = log_vjp, .examples = tri_examples_positive,
};

tr_tensor *tr_log(tr_tensor *x)
{
    return tri_apply_unary(&tri_op_log, x);
}

/* y = ln(1 + x)      gx = g / (1 + x) */
static tr_status log1p_forward(tr_call *c)
{
    return tri_unary(TRI_U_log1p, c->out, c->in[0], NULL);
}

static void log1p_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_div(g, tr_add_scalar(c->in[0], 1));
}

const tr_op tri_op_log1p = {
    .name = "log1p", .arguments = { "x" }, TR_OP_PLACE,
    .formula = "y = ln(1 + x)", .gradient = "gx = g / (1 + x)",
    .forward = log1p_forward, .vjp = log1p_vjp, .examples = tri_examples_positive,
};

tr_tensor *tr_log1p(tr_tensor *x)
{
    return tri_apply_unary(&tri_op_log1p, x);
}

/* y = log2 x      gx = g / (x ln 2) */
static tr_status log2_forward(tr_call *c)
{
    return tri_unary(TRI_U_log2, c->out, c->in[0], NULL);
}

static void log2_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_div(g, tr_scale(c->in[0], LN_2));
}

const tr_op tri_op_log2 = {
    .name = "log2", .arguments = { "x" }, TR_OP_PLACE,
    .formula = "y = log2 x", .gradient = "gx = g / (x ln 2)",
    .forward = log2_forward, .vjp = log2_vjp, .examples = tri_examples_positive,
};

tr_tensor *tr_log2(tr_tensor *x)
{
    return tri_apply_unary(&tri_op_log2, x);
}

/* --- Circular and hyperbolic functions -------------------------------------------------------- */

/* y = sin(x)      gx = g cos(x) */
static tr_status sin_forward(tr_call *c)
{
    return tri_unary(TRI_U_sin, c->out, c->in[0], NULL);
}

static void sin_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_mul(g, tr_cos(c->in[0]));
}

const tr_op tri_op_sin = {
    .name = "sin", .arguments = { "x" }, TR_OP_PLACE,
    .formula = "y = sin(x)", .gradient = "gx = g cos(x)",
    .forward = sin_forward, .vjp = sin_vjp, .examples = tri_examples_any,
};

tr_tensor *tr_sin(tr_tensor *x)
{
    return tri_apply_unary(&tri_op_sin, x);
}

/* y = cos(x)      gx = -g sin(x) */
static tr_status cos_forward(tr_call *c)
{
    return tri_unary(TRI_U_cos, c->out, c->in[0], NULL);
}

static void cos_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_neg(tr_mul(g, tr_sin(c->in[0])));
}

const tr_op tri_op_cos = {
    .name = "cos", .arguments = { "x" }, TR_OP_PLACE,
    .formula = "y = cos(x)", .gradient = "gx = -g sin(x)",
    .forward = cos_forward, .vjp = cos_vjp, .examples = tri_examples_any,
};

tr_tensor *tr_cos(tr_tensor *x)
{
    return tri_apply_unary(&tri_op_cos, x);
}

/* y = tan(x)      gx = g (1 + y y) */
static tr_status tan_forward(tr_call *c)
{
    return tri_unary(TRI_U_tan, c->out, c->in[0], NULL);
}

static void tan_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_mul(g, tr_add_scalar(tr_square(c->out), 1));
}

const tr_op tri_op_tan = {
    .name = "tan", .arguments = { "x" }, TR_OP_PLACE,
    .formula = "y = tan(x)", .gradient = "gx = g (1 + y y)",
    .forward = tan_forward, .vjp = tan_vjp, .examples = tri_examples_unit,
};

tr_tensor *tr_tan(tr_tensor *x)
{
    return tri_apply_unary(&tri_op_tan, x);
}

/* y = asin(x)      gx = g / sqrt(1 - x x) */
static tr_status asin_forward(tr_call *c)
{
    return tri_unary(TRI_U_asin, c->out, c->in[0], NULL);
}

static void asin_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_mul(g, tr_rsqrt(tr_affine(tr_square(c->in[0]), -1, 1)));
}

const tr_op tri_op_asin = {
    .name = "asin", .arguments = { "x" }, TR_OP_PLACE,
    .formula = "y = asin(x)", .gradient = "gx = g / sqrt(1 - x x)",
    .forward = asin_forward, .vjp = asin_vjp, .examples = tri_examples_unit,
};

tr_tensor *tr_asin(tr_tensor *x)
{
    return tri_apply_unary(&tri_op_asin, x);
}

/* y = acos(x)      gx = -g / sqrt(1 - x x) */
static tr_status acos_forward(tr_call *c)
{
    return tri_unary(TRI_U_acos, c->out, c->in[0], NULL);
}

static void acos_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_neg(tr_mul(g, tr_rsqrt(tr_affine(tr_square(c->in[0]), -1, 1))));
}

const tr_op tri_op_acos = {
    .name = "acos", .arguments = { "x" }, TR_OP_PLACE,
    .formula = "y = acos(x)", .gradient = "gx = -g / sqrt(1 - x x)",
    .forward = acos_forward, .vjp = acos_vjp, .examples = tri_examples_unit,
};

tr_tensor *tr_acos(tr_tensor *x)
{
    return tri_apply_unary(&tri_op_acos, x);
}

/* y = atan(x)      gx = g / (1 + x x) */
static tr_status atan_forward(tr_call *c)
{
    return tri_unary(TRI_U_atan, c->out, c->in[0], NULL);
}

static void atan_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_div(g, tr_add_scalar(tr_square(c->in[0]), 1));
}

const tr_op tri_op_atan = {
    .name = "atan", .arguments = { "x" }, TR_OP_PLACE,
    .formula = "y = atan(x)", .gradient = "gx = g / (1 + x x)",
    .forward = atan_forward, .vjp = atan_vjp, .examples = tri_examples_any,
};

tr_tensor *tr_atan(tr_tensor *x)
{
    return tri_apply_unary(&tri_op_atan, x);
}

/* y = angle of the point (b, a)      ga = g b / (a a + b b), gb = -g a / (a a + b b) */
static tr_status atan2_forward(tr_call *c)
{
    return tri_binary(TRI_B_atan2, c->out, c->in[0], c->in[1]);
}

static void atan2_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    tr_tensor *a = c->in[0], *b = c->in[1];
    tr_tensor *ratio = tr_div(g, tr_add(tr_square(a), tr_square(b)));
    if (tr_wants(c, 0)) gin[0] = tr_mul(ratio, b);
    if (tr_wants(c, 1)) gin[1] = tr_neg(tr_mul(ratio, a));
}

const tr_op tri_op_atan2 = {
    .name = "atan2", .arguments = { "a", "b" }, .flags = TR_OP_BROADCAST, TR_OP_PLACE,
    .formula = "y = angle of the point (b, a)",
    .gradient = "ga = g b / (a a + b b), gb = -g a / (a a + b b)",
    .forward = atan2_forward, .vjp = atan2_vjp, .examples = tri_examples_pair_distinct,
};

tr_tensor *tr_atan2(tr_tensor *a, tr_tensor *b)
{
    return tri_apply_binary(&tri_op_atan2, a, b);
}

/* y = sinh(x)      gx = g cosh(x) */
static tr_status sinh_forward(tr_call *c)
{
    return tri_unary(TRI_U_sinh, c->out, c->in[0], NULL);
}

static void sinh_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_mul(g, tr_cosh(c->in[0]));
}

const tr_op tri_op_sinh = {
    .name = "sinh", .arguments = { "x" }, TR_OP_PLACE,
    .formula = "y = sinh(x)", .gradient = "gx = g cosh(x)",
    .forward = sinh_forward, .vjp = sinh_vjp, .examples = tri_examples_any,
};

tr_tensor *tr_sinh(tr_tensor *x)
{
    return tri_apply_unary(&tri_op_sinh, x);
}

/* y = cosh(x)      gx = g sinh(x) */
static tr_status cosh_forward(tr_call *c)
{
    return tri_unary(TRI_U_cosh, c->out, c->in[0], NULL);
}

static void cosh_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_mul(g, tr_sinh(c->in[0]));
}

const tr_op tri_op_cosh = {
    .name = "cosh", .arguments = { "x" }, TR_OP_PLACE,
    .formula = "y = cosh(x)", .gradient = "gx = g sinh(x)",
    .forward = cosh_forward, .vjp = cosh_vjp, .examples = tri_examples_any,
};

tr_tensor *tr_cosh(tr_tensor *x)
{
    return tri_apply_unary(&tri_op_cosh, x);
}

/* y = tanh(x)             gx = g (1 - y y) */
static tr_status tanh_forward(tr_call *c)
{
    return tri_unary(TRI_U_tanh, c->out, c->in[0], NULL);
}

static void tanh_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_mul(g, tr_affine(tr_square(c->out), -1, 1));
}

static void tanh_fast_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tri_new(g->dtype, tr_shape_of(g));
    if (gin[0] != NULL) tri_binary(TRI_B_tanh_mul, gin[0], g, c->out);
}

const tr_op tri_op_tanh = {
    .name = "tanh", .arguments = { "x" }, TR_OP_PLACE,
    .formula = "y = tanh(x)", .gradient = "gx = g (1 - y y)",
    .forward = tanh_forward, .vjp = tanh_vjp, .fast_vjp = tanh_fast_vjp,
    .examples = tri_examples_any,
};

tr_tensor *tr_tanh(tr_tensor *x)
{
    return tri_apply_unary(&tri_op_tanh, x);
}

/* --- Error and gamma functions ---------------------------------------------------------------- */

/* 2 / sqrt(pi) e^(-x x), the derivative of erf. */
static tr_tensor *bell(tr_tensor *x)
{
    return tr_scale(tr_exp(tr_neg(tr_square(x))), TWO_OVER_SQRT_PI);
}

/* y = erf(x)      gx = 2 / sqrt(pi) g e^(-x x) */
static tr_status erf_forward(tr_call *c)
{
    return tri_unary(TRI_U_erf, c->out, c->in[0], NULL);
}

static void erf_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_mul(g, bell(c->in[0]));
}

const tr_op tri_op_erf = {
    .name = "erf", .arguments = { "x" }, TR_OP_PLACE,
    .formula = "y = 2 / sqrt(pi) times the integral of e^(-t t) from 0 to x",
    .gradient = "gx = 2 / sqrt(pi) g e^(-x x)",
    .forward = erf_forward, .vjp = erf_vjp, .examples = tri_examples_any,
};

tr_tensor *tr_erf(tr_tensor *x)
{
    return tri_apply_unary(&tri_op_erf, x);
}

/* y = 1 - erf(x)      gx = -2 / sqrt(pi) g e^(-x x) */
static tr_status erfc_forward(tr_call *c)
{
    return tri_unary(TRI_U_erfc, c->out, c->in[0], NULL);
}

static void erfc_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_neg(tr_mul(g, bell(c->in[0])));
}

const tr_op tri_op_erfc = {
    .name = "erfc", .arguments = { "x" }, TR_OP_PLACE,
    .formula = "y = 1 - erf(x)", .gradient = "gx = -2 / sqrt(pi) g e^(-x x)",
    .forward = erfc_forward, .vjp = erfc_vjp, .examples = tri_examples_any,
};

tr_tensor *tr_erfc(tr_tensor *x)
{
    return tri_apply_unary(&tri_op_erfc, x);
}

/* y = ln |gamma(x)|      gx = g digamma(x) */
static tr_status lgamma_forward(tr_call *c)
{
    return tri_unary(TRI_U_lgamma, c->out, c->in[0], NULL);
}

static void lgamma_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_mul(g, tr_digamma(c->in[0]));
}

const tr_op tri_op_lgamma = {
    .name = "lgamma", .arguments = { "x" }, TR_OP_PLACE,
    .formula = "y = ln |gamma(x)|", .gradient = "gx = g digamma(x)",
    .forward = lgamma_forward, .vjp = lgamma_vjp, .examples = tri_examples_positive,
};

tr_tensor *tr_lgamma(tr_tensor *x)
{
    return tri_apply_unary(&tri_op_lgamma, x);
}

/* y = gamma'(x) / gamma(x)      gx = g polygamma(1, x) */
static tr_status digamma_forward(tr_call *c)
{
    return tri_unary(TRI_U_digamma, c->out, c->in[0], NULL);
}

static void digamma_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_mul(g, tr_polygamma(1, c->in[0]));
}

const tr_op tri_op_digamma = {
    .name = "digamma", .arguments = { "x" }, TR_OP_PLACE,
    .formula = "y = gamma'(x) / gamma(x)", .gradient = "gx = g polygamma(1, x)",
    .forward = digamma_forward, .vjp = digamma_vjp, .examples = tri_examples_positive,
};

tr_tensor *tr_digamma(tr_tensor *x)
{
    return tri_apply_unary(&tri_op_digamma, x);
}

/* y = n-th derivative of digamma, n >= 1      gx = g polygamma(n + 1, x) */
typedef struct polygamma_attributes {
    int n;
} polygamma_attributes;

static bool polygamma_shape(tr_call *c)
{
    const polygamma_attributes *a = c->attributes;
    if (a->n >= 1 && a->n <= 100) return true;
    tr_fail(TR_ERR_VALUE, "polygamma: order %d is not in 0 .. 100", a->n);
    return false;
}

static tr_status polygamma_forward(tr_call *c)
{
    const polygamma_attributes *a = c->attributes;
    const double                p[2] = { a->n };
    return tri_unary(a->n == 1 ? TRI_U_trigamma : TRI_U_polygamma, c->out, c->in[0], p);
}

static void polygamma_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    const polygamma_attributes *a = c->attributes;
    gin[0] = tr_mul(g, tr_polygamma(a->n + 1, c->in[0]));
}

const tr_op tri_op_polygamma = {
    .name = "polygamma", .arguments = { "x" }, TR_OP_PLACE,
    .formula = "y = the n-th derivative of digamma(x)", .gradient = "gx = g polygamma(n + 1, x)",
    .shape = polygamma_shape, .forward = polygamma_forward, .vjp = polygamma_vjp,
    .examples = (const tr_example[]){ { "p[2,3]", TRI_ATTRIBUTES(polygamma_attributes, 1) },
                                      { "p[37]", TRI_ATTRIBUTES(polygamma_attributes, 2) },
                                      { "p[]", TRI_ATTRIBUTES(polygamma_attributes, 3) },
                                      { "p[0,2]", TRI_ATTRIBUTES(polygamma_attributes, 1) },
                                      { "p[2,1,3]", TRI_ATTRIBUTES(polygamma_attributes, 2) },
                                      { 0 } },
};

tr_tensor *tr_polygamma(int n, tr_tensor *x)
{
    if (n == 0) return tr_digamma(x);
    const polygamma_attributes a = { n };
    return tr_apply(&tri_op_polygamma, &x, 1, &a, sizeof a);
}
