/* test_ops_elementwise.c: values of the elementwise operations against libm, one number at a time,
 * in f64 and f32, edge values included; derivatives at kinks and ties; comparisons of every dtype;
 * activations by name; error messages. */
#include "tests/numeric.h"
#include "autograd/autograd.h"
#include "tests/suite.h"

#include <math.h>

/* --- References ------------------------------------------------------------------------------- */

static double ref_neg(double x) { return -x; }
static double ref_square(double x) { return x * x; }
static double ref_rsqrt(double x) { return 1 / sqrt(x); }
static double ref_reciprocal(double x) { return 1 / x; }
static double ref_sign(double x) { return isnan(x) ? x : (x > 0) - (x < 0); }
static double ref_sigmoid(double x) { return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x)); }
static double ref_softplus(double x) { return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)); }
static double ref_logsigmoid(double x) { return -ref_softplus(-x); }
static double ref_relu(double x) { return x > 0 || isnan(x) ? x : 0; }
static double ref_softsign(double x) { return x / (1 + fabs(x)); }
static double ref_relu6(double x) { return isnan(x) ? x : fmin(fmax(x, 0), 6); }
static double ref_hardsigmoid(double x) { return ref_relu6(x + 3) / 6; }
static double ref_hardswish(double x) { return x * ref_relu6(x + 3) / 6; }
static double ref_selu(double x)
{
    const double scale = 1.0507009873554805, alpha = 1.6732632423543772;
    return x > 0 ? scale * x : scale * alpha * expm1(x);
}
static double ref_gelu(double x) { return 0.5 * x * erfc(-x * sqrt(0.5)); }
static double ref_gelu_tanh(double x)
{
    return 0.5 * x * (1 + tanh(sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
}
static double ref_silu(double x) { return x * ref_sigmoid(x); }
static double ref_mish(double x) { return x * tanh(ref_softplus(x)); }
static double ref_leaky_relu(double x) { return x > 0 ? x : 0.1 * x; }
static double ref_elu(double x) { return x > 0 ? x : 0.7 * expm1(x); }
static double ref_celu(double x) { return x > 0 ? x : 0.7 * expm1(x / 0.7); }
static double ref_hardtanh(double x) { return isnan(x) ? x : fmin(fmax(x, -1), 2); }
static double ref_affine(double x) { return 3 * x - 2; }
static double ref_power(double x) { return pow(x, 2.5); }
static double ref_cube(double x) { return pow(x, 3); }

/* Sums of (x + k)^-(n + 1) to k = 400, and the rest from the Euler-Maclaurin formula. */
static double ref_polygamma(int n, double x)
{
    long double sum = 0, factorial = 1, end = (long double)x + 400;
    for (int k = 0; k < 400; k++) sum += powl((long double)x + k, -(n + 1));
    sum += powl(end, -n) / n + powl(end, -n - 1) / 2 + (n + 1) * powl(end, -n - 2) / 12;
    sum -= (n + 1) * (n + 2) * (n + 3) * powl(end, -n - 4) / 720;
    for (int k = 2; k <= n; k++) factorial *= k;
    return (double)((n % 2 ? 1 : -1) * factorial * sum);
}
static double ref_trigamma(double x) { return ref_polygamma(1, x); }
static double ref_polygamma2(double x) { return ref_polygamma(2, x); }
static double ref_polygamma3(double x) { return ref_polygamma(3, x); }
static double ref_digamma(double x) /* by a difference of lgamma */
{
    const long double h = 1e-5L;
    return (double)((lgammal((long double)x + h) - lgammal((long double)x - h)) / (2 * h));
}

static tr_tensor *leaky_relu(tr_tensor *x) { return tr_leaky_relu(x, 0.1); }
static tr_tensor *elu(tr_tensor *x) { return tr_elu(x, 0.7); }
static tr_tensor *celu(tr_tensor *x) { return tr_celu(x, 0.7); }
static tr_tensor *hardtanh(tr_tensor *x) { return tr_hardtanh(x, -1, 2); }
static tr_tensor *clamped(tr_tensor *x) { return tr_clamp(x, -1, 2); }
static tr_tensor *affine(tr_tensor *x) { return tr_affine(x, 3, -2); }
static tr_tensor *power(tr_tensor *x) { return tr_pow_scalar(x, 2.5); }
static tr_tensor *cube(tr_tensor *x) { return tr_pow_scalar(x, 3); }
static tr_tensor *trigamma(tr_tensor *x) { return tr_polygamma(1, x); }
static tr_tensor *polygamma2(tr_tensor *x) { return tr_polygamma(2, x); }
static tr_tensor *polygamma3(tr_tensor *x) { return tr_polygamma(3, x); }

/* --- One argument ----------------------------------------------------------------------------- */

typedef struct unary_case {
    const char *name;
    tr_tensor *(*op)(tr_tensor *x);
    double (*reference)(double x);
    double low, high;  /* where values are compared */
    bool   edges;      /* compared too: 0, -0, inf, -inf, NaN, tiny, huge */
    double tolerance;  /* relative, in f64; 0: 1e-15 */
} unary_case;

static const unary_case unary_cases[] = {
    { "neg", tr_neg, ref_neg, -9, 9, true, 0 },
    { "abs", tr_abs, fabs, -9, 9, true, 0 },
    { "sign", tr_sign, ref_sign, -9, 9, true, 0 },
    { "square", tr_square, ref_square, -9, 9, true, 0 },
    { "sqrt", tr_sqrt, sqrt, 0, 9, true, 0 },
    { "rsqrt", tr_rsqrt, ref_rsqrt, 0, 9, true, 0 },
    { "reciprocal", tr_reciprocal, ref_reciprocal, -9, 9, true, 0 },
    { "affine", affine, ref_affine, -9, 9, true, 1e-14 },
    { "pow_scalar 2.5", power, ref_power, 0, 9, true, 0 },
    { "pow_scalar 3", cube, ref_cube, -9, 9, true, 0 },
    { "exp", tr_exp, exp, -30, 30, true, 0 },
    { "expm1", tr_expm1, expm1, -30, 30, true, 0 },
    { "exp2", tr_exp2, exp2, -30, 30, true, 0 },
    { "log", tr_log, log, 0, 30, true, 0 },
    { "log1p", tr_log1p, log1p, -1, 30, true, 0 },
    { "log2", tr_log2, log2, 0, 30, true, 0 },
    { "sin", tr_sin, sin, -30, 30, true, 0 },
    { "cos", tr_cos, cos, -30, 30, true, 0 },
    { "tan", tr_tan, tan, -30, 30, true, 0 },
    { "asin", tr_asin, asin, -1, 1, true, 0 },
    { "acos", tr_acos, acos, -1, 1, true, 0 },
    { "atan", tr_atan, atan, -30, 30, true, 0 },
    { "sinh", tr_sinh, sinh, -9, 9, true, 0 },
    { "cosh", tr_cosh, cosh, -9, 9, true, 0 },
    { "tanh", tr_tanh, tanh, -9, 9, true, 0 },
    { "erf", tr_erf, erf, -5, 5, true, 0 },
    { "erfc", tr_erfc, erfc, -5, 9, true, 0 },
    { "lgamma", tr_lgamma, lgamma, -5, 30, true, 1e-14 },
    { "digamma", tr_digamma, ref_digamma, 0.5, 30, false, 1e-9 },
    { "trigamma", trigamma, ref_trigamma, 0.1, 30, false, 1e-14 },
    { "polygamma 2", polygamma2, ref_polygamma2, -3, 30, false, 1e-12 },
    { "polygamma 3", polygamma3, ref_polygamma3, -3, 30, false, 1e-12 },
    { "floor", tr_floor, floor, -9, 9, true, 0 },
    { "ceil", tr_ceil, ceil, -9, 9, true, 0 },
    { "round", tr_round, rint, -9, 9, true, 0 },
    { "trunc", tr_trunc, trunc, -9, 9, true, 0 },
    { "clamp", clamped, ref_hardtanh, -9, 9, true, 0 },
    { "hardtanh", hardtanh, ref_hardtanh, -9, 9, true, 0 },
    { "sigmoid", tr_sigmoid, ref_sigmoid, -30, 30, false, 0 },
    { "softplus", tr_softplus, ref_softplus, -30, 30, false, 0 },
    { "logsigmoid", tr_logsigmoid, ref_logsigmoid, -30, 30, false, 0 },
    { "relu", tr_relu, ref_relu, -9, 9, true, 0 },
    { "relu6", tr_relu6, ref_relu6, -9, 9, true, 0 },
    { "leaky_relu", leaky_relu, ref_leaky_relu, -9, 9, true, 0 },
    { "elu", elu, ref_elu, -9, 9, true, 0 },
    { "celu", celu, ref_celu, -9, 9, true, 0 },
    { "selu", tr_selu, ref_selu, -9, 9, true, 0 },
    { "gelu", tr_gelu, ref_gelu, -5, 9, true, 1e-13 },
    { "gelu_tanh", tr_gelu_tanh, ref_gelu_tanh, -2, 9, false, 1e-13 },
    { "silu", tr_silu, ref_silu, -9, 9, false, 0 },
    { "mish", tr_mish, ref_mish, -9, 9, false, 0 },
    { "softsign", tr_softsign, ref_softsign, -9, 9, true, 0 },
    { "hardsigmoid", tr_hardsigmoid, ref_hardsigmoid, -9, 9, true, 0 },
    { "hardswish", tr_hardswish, ref_hardswish, -9, 9, true, 0 },
};

static void expect_number(const char *name, double x, double got, double expected, double tolerance)
{
    const bool same = got == expected || (isnan(got) && isnan(expected));
    ck_assert_msg(same || fabs(got - expected) <= tolerance * fabs(expected) + 1e-300,
                  "%s of %.17g: %.17g, not %.17g", name, x, got, expected);
}

enum { VALUES = 203 };

static void fill_arguments(const unary_case *c, double *x)
{
    static const double edges[] = { 0.0,   -0.0,  (double)INFINITY, -(double)INFINITY, (double)NAN,
                                    1e-30, -1e-30 };
    enum { EDGES = sizeof edges / sizeof edges[0] };
    for (int i = 0; i < VALUES; i++)
        x[i] = c->edges && i < EDGES ? edges[i]
                                     : c->low + (c->high - c->low) * ((double)i + 0.37) / VALUES;
}

/* In f32 the reference is rounded: some units in the last place are left to compositions. */
static void compare_unary(const unary_case *c, tr_dtype dtype)
{
    double x[VALUES], y[VALUES];
    fill_arguments(c, x);
    tr_tensor *in = tr_cast(tr_from(TR_F64, TR_SHAPE(VALUES), x), dtype);
    tr_tensor *out = c->op(in);
    ck_assert_msg(out != NULL, "%s: %s", c->name, tr_error());
    ck_assert_int_eq(out->dtype, dtype);
    ck_assert_int_eq(tr_copy_out(tr_cast(out, TR_F64), y), TR_OK);
    const double tolerance = c->tolerance > 0 ? c->tolerance : 2e-15;
    for (int i = 0; i < VALUES; i++) {
        const double argument = get(in, i), expected = c->reference(argument);
        if (dtype == TR_F32)
            expect_number(c->name, argument, y[i], (double)(float)expected, 2e-6);
        else
            expect_number(c->name, argument, y[i], expected, tolerance);
    }
}

static void unary_values(void)
{
    for (size_t i = 0; i < sizeof unary_cases / sizeof unary_cases[0]; i++) {
        compare_unary(&unary_cases[i], TR_F64);
        compare_unary(&unary_cases[i], TR_F32);
    }
}

START_TEST(functions_of_one_argument_equal_libm)
{
    on_every_isa(unary_values);
}
END_TEST

/* --- Two arguments ---------------------------------------------------------------------------- */

static double ref_add(double a, double b) { return a + b; }
static double ref_sub(double a, double b) { return a - b; }
static double ref_mul(double a, double b) { return a * b; }
static double ref_div(double a, double b) { return a / b; }
static double ref_maximum(double a, double b)
{
    return isnan(a) || isnan(b) ? (double)NAN : a > b ? a : b;
}
static double ref_minimum(double a, double b)
{
    return isnan(a) || isnan(b) ? (double)NAN : a < b ? a : b;
}
static double ref_prelu(double a, double b) { return a > 0 ? a : b * a; }
static double ref_relu_mask(double a, double b) { return b > 0 ? a : 0; }

static const struct {
    const char *name;
    tr_tensor *(*op)(tr_tensor *a, tr_tensor *b);
    double (*reference)(double a, double b);
} binary_cases[] = {
    { "add", tr_add, ref_add },       { "sub", tr_sub, ref_sub },
    { "mul", tr_mul, ref_mul },       { "div", tr_div, ref_div },
    { "pow", tr_pow, pow },           { "maximum", tr_maximum, ref_maximum },
    { "minimum", tr_minimum, ref_minimum }, { "atan2", tr_atan2, atan2 },
    { "hypot", tr_hypot, hypot },     { "prelu", tr_prelu, ref_prelu },
    { "relu_mask", tr_relu_mask, ref_relu_mask },
};

static const double grid[] = { 0.0, -0.0, 1, -1, 0.5, -2.5, 3, 7.25, 1e10, -1e-10,
                               (double)INFINITY, -(double)INFINITY, (double)NAN };
enum { GRID = sizeof grid / sizeof grid[0] };

/* All pairs, by broadcasting [GRID, 1] against [GRID]. */
static void binary_values(void)
{
    for (size_t k = 0; k < sizeof binary_cases / sizeof binary_cases[0]; k++)
        for (tr_dtype dtype = TR_F32; dtype <= TR_F64; dtype++) {
            tr_tensor *a = tr_cast(tr_from(TR_F64, TR_SHAPE(GRID, 1), grid), dtype);
            tr_tensor *b = tr_cast(tr_from(TR_F64, TR_SHAPE(GRID), grid), dtype);
            tr_tensor *y = binary_cases[k].op(a, b);
            ck_assert_msg(y != NULL, "%s: %s", binary_cases[k].name, tr_error());
            for (int i = 0; i < GRID; i++)
                for (int j = 0; j < GRID; j++) {
                    double expected = binary_cases[k].reference(get(a, i), get(b, j));
                    if (dtype == TR_F32) expected = (double)(float)expected;
                    expect_number(binary_cases[k].name, grid[i], get(y, i * GRID + j), expected,
                                dtype == TR_F32 ? 2e-7 : 1e-15);
                }
        }
}

START_TEST(functions_of_two_arguments_equal_libm)
{
    on_every_isa(binary_values);
}
END_TEST

START_TEST(interpolates)
{
    tr_tensor *a = tr_from(TR_F64, TR_SHAPE(2), (double[]){ 1, -4 });
    tr_tensor *b = tr_from(TR_F64, TR_SHAPE(2), (double[]){ 3, 0 });
    tr_tensor *y = tr_lerp(a, b, tr_scalar(TR_F64, 0.25));
    ck_assert_double_eq(get(y, 0), 1.5);
    ck_assert_double_eq(get(y, 1), -3);
}
END_TEST

/* --- Comparisons, logic, selection ------------------------------------------------------------ */

static void compare_values(tr_dtype dtype)
{
    double x[GRID];
    for (int i = 0; i < GRID; i++) x[i] = dtype == TR_F32 || dtype == TR_F64 ? grid[i] : i % 5;
    tr_tensor *a = tr_cast(tr_from(TR_F64, TR_SHAPE(GRID, 1), x), dtype);
    tr_tensor *b = tr_cast(tr_from(TR_F64, TR_SHAPE(GRID), x), dtype);
    tr_tensor *y[] = { tr_equal(a, b),         tr_not_equal(a, b),   tr_less(a, b),
                       tr_less_equal(a, b),    tr_greater(a, b),     tr_greater_equal(a, b),
                       tr_logical_and(a, b),   tr_logical_or(a, b),  tr_logical_xor(a, b),
                       tr_logical_not(b) };
    for (int i = 0; i < GRID; i++)
        for (int j = 0; j < GRID; j++) {
            const double p = get(a, i), q = get(b, j);
            const bool expected[] = {
                p == q,           p != q,           p<q, p <= q, p> q,    p >= q,
                p != 0 && q != 0, p != 0 || q != 0, (p != 0) != (q != 0), q == 0
            };
            for (int k = 0; k < 10; k++) {
                ck_assert_msg(y[k] != NULL && y[k]->dtype == TR_U8, "%s", tr_error());
                const double got = get(y[k], k == 9 ? j : i * GRID + j);
                ck_assert_msg(got == expected[k], "%d of %s: %g, %g", k, tr_dtype_name(dtype), p,
                              q);
            }
        }
}

START_TEST(compares_and_combines_every_dtype)
{
    for (tr_dtype dtype = TR_F32; dtype <= TR_U8; dtype++) compare_values(dtype);
}
END_TEST

START_TEST(selects)
{
    tr_tensor *condition = tr_from(TR_U8, TR_SHAPE(2, 1), (uint8_t[]){ 1, 0 });
    tr_tensor *y = tr_where(condition, tr_arange(TR_I64, 3), tr_full(TR_I64, TR_SCALAR, 9));
    const double expected[] = { 0, 1, 2, 9, 9, 9 };
    ck_assert_int_eq(y->dtype, TR_I64);
    for (int i = 0; i < 6; i++) ck_assert_double_eq(get(y, i), expected[i]);
}
END_TEST

/* --- Kinks and ties --------------------------------------------------------------------------- */

static double slope_at(tr_tensor *(*op)(tr_tensor *x), double x)
{
    tr_tensor *t = tr_variable(tr_scalar(TR_F64, x));
    ck_assert_msg(tr_backward(op(t)) == TR_OK, "%s", tr_error());
    return tr_item(t->grad);
}

START_TEST(derivatives_at_kinks_are_those_of_pytorch)
{
    ck_assert_double_eq(slope_at(tr_abs, 0), 0);
    ck_assert_double_eq(slope_at(tr_relu, 0), 0);
    ck_assert_double_eq(slope_at(leaky_relu, 0), 0.1);
    ck_assert_double_eq(slope_at(elu, 0), 0.7);
    ck_assert_double_eq(slope_at(celu, 0), 1);
    ck_assert_double_eq(slope_at(clamped, -1), 1);
    ck_assert_double_eq(slope_at(clamped, 2), 1);
    ck_assert_double_eq(slope_at(hardtanh, -1), 0);
    ck_assert_double_eq(slope_at(hardtanh, 2), 0);
    ck_assert_double_eq(slope_at(tr_relu6, 0), 0);
    ck_assert_double_eq(slope_at(tr_relu6, 6), 0);
    ck_assert_double_eq(slope_at(tr_hardsigmoid, -3), 0);
    ck_assert_double_eq(slope_at(tr_hardsigmoid, 3), 0);
    ck_assert_double_eq_tol(slope_at(tr_hardswish, -3), -0.5, 1e-15);
    ck_assert_double_eq_tol(slope_at(tr_hardswish, 3), 1.5, 1e-15);
    ck_assert_double_eq(slope_at(tr_softsign, 0), 1);
}
END_TEST

static void expect_slopes(tr_tensor *(*op)(tr_tensor *, tr_tensor *), double a, double b, double ga,
                          double gb)
{
    tr_tensor *in[2] = { tr_variable(tr_scalar(TR_F64, a)), tr_variable(tr_scalar(TR_F64, b)) },
              *g[2];
    tr_tensor *y = op(in[0], in[1]);
    ck_assert_msg(tr_grad(&y, 1, in, 2, g, NULL) == TR_OK, "%s", tr_error());
    expect_number("ga", a, tr_item(g[0]), ga, 1e-15);
    expect_number("gb", b, tr_item(g[1]), gb, 1e-15);
}

START_TEST(ties_are_shared_and_powers_of_zero_have_finite_derivatives)
{
    expect_slopes(tr_maximum, 2, 2, 0.5, 0.5);
    expect_slopes(tr_minimum, 2, 2, 0.5, 0.5);
    expect_slopes(tr_maximum, 3, 2, 1, 0);
    expect_slopes(tr_minimum, 3, 2, 0, 1);
    expect_slopes(tr_pow, 0, 0, 0, 0);
    expect_slopes(tr_pow, 0, 2, 0, 0);
    expect_slopes(tr_pow, 0, 1, 1, 0);
    expect_slopes(tr_pow, 2, 0, 0, log(2));
    expect_slopes(tr_pow, -2, 3, 12, (double)NAN);
    expect_slopes(tr_prelu, 0, 0.25, 0.25, 0);
    tr_tensor *x = tr_variable(tr_zeros(TR_F64, TR_SHAPE(2)));
    ck_assert_int_eq(
        tr_backward(tr_sum(tr_add(tr_pow_scalar(x, 0), tr_pow_scalar(x, 1)), TR_ALL_AXES, false)),
        TR_OK);
    ck_assert_double_eq(get(x->grad, 0), 1);
}
END_TEST

/* --- Activations by name ---------------------------------------------------------------------- */

START_TEST(activations_have_names)
{
    tr_tensor *x = tr_linspace(TR_F64, -4, 4, 33);
    int        count = 0;
    for (; tr_activation_name((tr_activation)count) != NULL; count++) {
        tr_activation found = TR_IDENTITY;
        const char   *name = tr_activation_name((tr_activation)count);
        ck_assert_int_eq(tr_activation_find(name, &found), TR_OK);
        ck_assert_int_eq((int)found, count);
        for (size_t k = 0; k < sizeof unary_cases / sizeof unary_cases[0]; k++) {
            const unary_case *c = &unary_cases[k];
            const bool usual =
                c->op == leaky_relu || c->op == elu || c->op == hardtanh; /* other numbers */
            if (strcmp(c->name, name) == 0 && !usual)
                expect_equal(tr_activate(x, found), c->op(x), name, 0);
        }
    }
    ck_assert_int_eq(count, 18);
    ck_assert_ptr_eq(tr_activate(x, TR_IDENTITY), x);
    ck_assert_double_eq(get(tr_activate(x, TR_LEAKY_RELU), 0), -0.04);
    ck_assert_double_eq_tol(get(tr_activate(x, TR_ELU), 0), expm1(-4), 1e-15);
    ck_assert_double_eq(get(tr_activate(x, TR_HARDTANH), 32), 1);
}
END_TEST

START_TEST(a_product_applies_any_activation)
{
    tr_rng     rng = tr_rng_seed(3);
    tr_tensor *x = tr_normal(TR_F64, TR_SHAPE(4, 3), &rng),
              *w = tr_normal(TR_F64, TR_SHAPE(3, 5), &rng);
    tr_tensor *bias = tr_normal(TR_F64, TR_SHAPE(5), &rng), *z = tr_add(tr_matmul(x, w), bias);
    for (int act = 0; tr_activation_name((tr_activation)act) != NULL; act++) {
        tr_tensor *y = tr_affine_map(x, w, bias, (tr_activation)act);
        tr_tensor *expected = tr_activate(z, (tr_activation)act);
        for (int64_t i = 0; i < 20; i++)
            ck_assert_double_eq_tol(get(y, i), get(expected, i), 1e-14);
    }
}
END_TEST

START_TEST(says_what_is_wrong)
{
    tr_tensor    *x = tr_ones(TR_F64, TR_SHAPE(2, 3)), *i = tr_arange(TR_I64, 3);
    tr_activation act;
    tr_activation_find("gelu2", &act);
    expect_error(TR_ERR_VALUE,
                 "activation: \"gelu2\" is not known; there are identity, relu, sigmoid, tanh, "
                 "leaky_relu, elu, selu, gelu, gelu_tanh, silu, mish, softplus, softsign, "
                 "logsigmoid, relu6, hardtanh, hardsigmoid, hardswish");
    ck_assert_ptr_null(tr_activate(x, (tr_activation)99));
    expect_error(TR_ERR_VALUE, "activate: 99 is not an activation");
    ck_assert_ptr_null(tr_clamp(x, 2, 1));
    expect_error(TR_ERR_VALUE,
                 "clamp: the bounds are 2 and 1; the first must not be above the second");
    tr_polygamma(-1, x);
    expect_error(TR_ERR_VALUE, "polygamma: order -1 is not in 0 .. 100");
    tr_celu(x, 0);
    expect_error(TR_ERR_VALUE, "celu: alpha is 0, not above 0");
    tr_less(x, i);
    expect_error(TR_ERR_DTYPE,
                 "less: dtypes differ: a is f64[2, 3], b is i64[3]; convert one with tr_cast");
    tr_where(x, x, x);
    expect_error(TR_ERR_DTYPE,
                 "where: the condition must be u8: condition is f64[2, 3], a is f64[2, 3], b is "
                 "f64[2, 3]; compare first, as in tr_not_equal");
    tr_where(tr_equal(i, i), x, i);
    expect_error(TR_ERR_DTYPE,
                 "where: dtypes differ: condition is u8[3], a is f64[2, 3], b is i64[3]; "
                 "convert one with tr_cast");
    tr_maximum(x, tr_ones(TR_F64, TR_SHAPE(2)));
    expect_error(TR_ERR_SHAPE,
                 "maximum: shapes do not broadcast: a is f64[2, 3], b is f64[2]; sizes must be "
                 "equal or 1, counted from the last axis");
    tr_silu(NULL);
    expect_error(TR_ERR_VALUE, "silu: x is NULL");
    tr_elu(NULL, 1);
    expect_error(TR_ERR_VALUE, "elu: x is NULL");
}
END_TEST

/* Functions made of others speak for themselves, in their own names for their arguments. */
START_TEST(composed_functions_say_what_is_wrong)
{
    tr_tensor *x = tr_ones(TR_F64, TR_SHAPE(2, 3)), *i = tr_arange(TR_I64, 3);
    tr_tensor *(*const of_one[])(tr_tensor *) = {
        tr_gelu, tr_gelu_tanh, tr_selu, tr_silu, tr_mish, tr_logsigmoid, tr_softsign, tr_relu6,
        tr_hardsigmoid, tr_hardswish
    };
    const char *const names[] = { "gelu",       "gelu_tanh", "selu",  "silu",        "mish",
                                  "logsigmoid", "softsign",  "relu6", "hardsigmoid", "hardswish" };
    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
        char text[200];
        ck_assert_ptr_null(of_one[k](NULL));
        snprintf(text, sizeof text, "%s: x is NULL", names[k]);
        expect_error(TR_ERR_VALUE, text);
        ck_assert_ptr_null(of_one[k](i));
        snprintf(text, sizeof text, "%s: f32 or f64 is needed: x is i64[3]; convert with tr_cast",
                 names[k]);
        expect_error(TR_ERR_DTYPE, text);
    }
    tr_greater(i, x);
    expect_error(TR_ERR_DTYPE,
                 "greater: dtypes differ: b is f64[2, 3], a is i64[3]; convert one with tr_cast");
    tr_prelu(x, tr_ones(TR_F64, TR_SHAPE(2)));
    expect_error(TR_ERR_SHAPE,
                 "prelu: shapes do not broadcast: slope is f64[2], x is f64[2, 3]; sizes must be "
                 "equal or 1, counted from the last axis");
    tr_lerp(x, x, NULL);
    expect_error(TR_ERR_VALUE, "lerp: t is NULL");
    tr_softsign(x); /* no name is left behind */
    tr_sub(x, NULL);
    expect_error(TR_ERR_VALUE, "sub: b is NULL");
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { functions_of_one_argument_equal_libm },
        { functions_of_two_arguments_equal_libm },
        { interpolates },
        { compares_and_combines_every_dtype },
        { selects },
        { derivatives_at_kinks_are_those_of_pytorch },
        { ties_are_shared_and_powers_of_zero_have_finite_derivatives },
        { activations_have_names },
        { a_product_applies_any_activation },
        { says_what_is_wrong },
        { composed_functions_say_what_is_wrong },
        { 0 },
    };
    return run_tests("ops_elementwise", NULL, NULL, tests);
}
