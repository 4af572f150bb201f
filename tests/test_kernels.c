/* Kernels: every elementwise function against long double, on every instruction set of the machine.
 * Arguments are sampled over all bit patterns, with the edges that have caught others: zeros of
 * both signs, denormals, the largest values, infinities, NaN. */
#include "tensor/kernels.h"
#include "tests/suite.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = { "portable", "avx2", "avx512", "neon" };
enum { NAMES = 4, SAMPLES = 40000, EDGES = 40 };

/* --- References
 * --------------------------------------------------------------------------------------- */

typedef struct function {
    tri_unary_id id;
    long double (*value)(long double x, const double *p);
    double f32_ulps, f64_ulps, p[2];
} function;

#define REFERENCE(name, expression)                                                                \
    static long double reference_##name(long double x, const double *p)                            \
    {                                                                                              \
        (void)p;                                                                                   \
        return expression;                                                                         \
    }
REFERENCE(copy, x)
REFERENCE(neg, -x)
REFERENCE(abs, fabsl(x))
REFERENCE(sign, x > 0 ? 1 : x < 0 ? -1 : x)
REFERENCE(square, x *x)
REFERENCE(sqrt, sqrtl(x))
REFERENCE(rsqrt, 1 / sqrtl(x))
REFERENCE(reciprocal, 1 / x)
REFERENCE(affine, p[0] * x + p[1])
REFERENCE(power, powl(x, p[0]))
REFERENCE(exp, expl(x))
REFERENCE(expm1, expm1l(x))
REFERENCE(exp2, exp2l(x))
REFERENCE(log, logl(x))
REFERENCE(log1p, log1pl(x))
REFERENCE(log2, log2l(x))
REFERENCE(sin, sinl(x))
REFERENCE(cos, cosl(x))
REFERENCE(tan, tanl(x))
REFERENCE(asin, asinl(x))
REFERENCE(acos, acosl(x))
REFERENCE(atan, atanl(x))
REFERENCE(sinh, sinhl(x))
REFERENCE(cosh, coshl(x))
REFERENCE(tanh, tanhl(x))
REFERENCE(erf, erfl(x))
REFERENCE(erfc, erfcl(x))
REFERENCE(lgamma, lgammal(x))
REFERENCE(sigmoid, x < 0 ? expl(x) / (1 + expl(x)) : 1 / (1 + expl(-x)))
REFERENCE(softplus, x != x ? x : (x > 0 ? x : 0) + log1pl(expl(-fabsl(x))))
REFERENCE(relu, x < 0 ? 0 : x)
REFERENCE(leaky_relu, x > 0 ? x : p[0] * x)
REFERENCE(clamp, x<p[0] ? p[0] : x> p[1] ? p[1] : x)
REFERENCE(floor, floorl(x))
REFERENCE(ceil, ceill(x))
REFERENCE(round, rintl(x))
REFERENCE(trunc, truncl(x))

/* By another road than the kernels: the recurrence up to 30 and five terms of the series. */
static long double reference_digamma(long double x, const double *p)
{
    const long double pi = acosl(-1);
    if (x == 0) return copysignl(INFINITY, -x);
    if (x < 0 && x == floorl(x)) return NAN;
    if (x < 0) return reference_digamma(1 - x, p) - pi / tanl(pi * (x - rintl(x)));
    long double sum = 0;
    for (; x < 40; x += 1) sum -= 1 / x;
    const long double z = 1 / (x * x);
    return sum + logl(x) - 1 / (2 * x) -
           z * (1.0L / 12 - z * (1.0L / 120 - z * (1.0L / 252 - z * (1.0L / 240 - z / 132))));
}

static long double reference_trigamma(long double x, const double *p)
{
    const long double pi = acosl(-1);
    if (x == -INFINITY) return NAN;
    if (x <= 0 && x == floorl(x)) return INFINITY;
    if (x < 0) {
        const long double s = sinl(pi * fabsl(x - rintl(x)));
        return pi * pi / (s * s) - reference_trigamma(1 - x, p);
    }
    long double sum = 0;
    for (; x < 40; x += 1) sum += 1 / (x * x);
    const long double z = 1 / (x * x);
    return sum + 1 / x + z / 2 +
           z / x * (1.0L / 6 - z * (1.0L / 30 - z * (1.0L / 42 - z * (1.0L / 30 - z * 5 / 66))));
}

#define EXACT(name)                                                                                \
    {                                                                                              \
        TRI_U_##name, reference_##name, 0.5001, 0.5001,                                            \
        {                                                                                          \
            0, 0                                                                                   \
        }                                                                                          \
    }
#define WITHIN(name, f32, f64)                                                                     \
    {                                                                                              \
        TRI_U_##name, reference_##name, f32, f64,                                                  \
        {                                                                                          \
            0, 0                                                                                   \
        }                                                                                          \
    }
static const function functions[] = {
    EXACT(copy),
    EXACT(neg),
    EXACT(abs),
    EXACT(sign),
    EXACT(square),
    EXACT(sqrt),
    WITHIN(rsqrt, 2, 2),
    EXACT(reciprocal),
    {TRI_U_affine,      reference_affine,     2,      2,      { 1.5, 0 }  },
    { TRI_U_power,      reference_power,      0.51,   2,      { 2.5, 0 }  },
    { TRI_U_power,      reference_power,      0.51,   2,      { -3, 0 }   },
    WITHIN(exp, 2, 2),
    WITHIN(expm1, 2, 2),
    WITHIN(exp2, 0.51, 2),
    WITHIN(log, 2, 2),
    WITHIN(log1p, 2, 2),
    WITHIN(log2, 0.51, 2),
    WITHIN(sin, 0.51, 2),
    WITHIN(cos, 0.51, 2),
    WITHIN(tan, 0.51, 2),
    WITHIN(asin, 0.51, 2),
    WITHIN(acos, 0.51, 2),
    WITHIN(atan, 0.51, 2),
    WITHIN(sinh, 0.51, 2),
    WITHIN(cosh, 0.51, 2),
    WITHIN(tanh, 2, 2),
    WITHIN(erf, 0.51, 2),
    WITHIN(erfc, 0.51, 2),
    WITHIN(lgamma, 0.51, 2),
    WITHIN(sigmoid, 2, 2),
    WITHIN(softplus, 2, 2),
    EXACT(relu),
    { TRI_U_leaky_relu, reference_leaky_relu, 0.51,   0.51,   { 0.125, 0 }},
    { TRI_U_clamp,      reference_clamp,      0.5001, 0.5001, { -0.5, 2 } },
    EXACT(floor),
    EXACT(ceil),
    EXACT(round),
    EXACT(trunc),
};
enum { FUNCTIONS = sizeof functions / sizeof functions[0] };

static const char *const unary_names[] = {
#define TRI_UNARY(name, meaning) #name,
#include "tensor/elementwise.def"
};

/* --- Arguments
 * -------------------------------------------------------------------------------------------- */

static uint64_t random_bits(uint64_t i)
{
    uint64_t z = i * UINT64_C(0x9E3779B97F4A7C15) + 1;
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static const double edges[] = { 0.0,      -0.0,     1,         -1,         0.5,        -0.5,
                                2,        -2,       3,         88.72,      88.73,      -87.3,
                                -103.9,   -103.98,  -104.1,    709.78,     709.79,     -745.1,
                                -745.2,   0.625,    -0.625,    0.6249,     0x1p-25,    0x1p-24,
                                0x1p-126, 0x1p-149, -0x1p-149, 0x1p-1022,  0x1p-1074,  FLT_MAX,
                                -FLT_MAX, DBL_MAX,  -DBL_MAX,  0.70710678, 1.41421356, -0.99999994,
                                16777216, 1e10 };

/* The i-th argument: edges first, then moderate numbers and random bit patterns in turn. */
static double argument(int i)
{
    const int count = (int)(sizeof edges / sizeof edges[0]);
    if (i < count) return edges[i];
    if (i == count) return INFINITY;
    if (i == count + 1) return -INFINITY;
    if (i == count + 2) return NAN;
    const uint64_t bits = random_bits((uint64_t)i);
    const double unit = (double)(bits >> 11) * 0x1p-53;
    if (i % 4 == 0) return (unit - 0.5) * 8;
    if (i % 4 == 1) return (unit - 0.5) * 250;
    if (i % 4 == 2) return (unit - 0.5) * 2;
    float f;
    uint32_t word = (uint32_t)(bits >> 32);
    memcpy(&f, &word, sizeof f);
    return f;
}

/* Distance in units of the last place of the exact value, which may be denormal. What is past the
 * largest number counts as the next power of two. */
static double ulps(long double exact, long double got, int digits, int min_exponent,
                   int max_exponent)
{
    const long double end = ldexpl(1, max_exponent);
    if (exact != exact) return got != got ? 0 : INFINITY;
    if (got != got) return INFINITY;
    exact = fmaxl(-end, fminl(end, exact));
    got = fmaxl(-end, fminl(end, got));
    if (exact == got) return 0;
    int exponent;
    frexpl(exact, &exponent);
    exponent = exponent > max_exponent ? max_exponent - digits : exponent - digits;
    const long double unit = ldexpl(1, exponent < min_exponent ? min_exponent : exponent);
    return (double)(fabsl(got - exact) / unit);
}

static double ulps_f32(long double exact, float got)
{
    return ulps(exact, got, 24, -149, 128);
}

static double ulps_f64(long double exact, double got)
{
    return ulps(exact, got, 53, -1074, 1024);
}

/* --- Tests ------------------------------------------------------------------------------------ */

START_TEST(unary_f32)
{
    const tri_kernels *table = tri_kernel_table_named(names[_i]);
    if (table == NULL) return;
    static float x[SAMPLES], y[SAMPLES];
    for (int i = 0; i < SAMPLES; i++) x[i] = (float)argument(i);
    for (int k = 0; k < FUNCTIONS; k++) {
        const function *f = &functions[k];
        double worst = 0, at = 0;
        table->f32.unary[f->id](SAMPLES, y, x, f->p);
        for (int i = 0; i < SAMPLES; i++) {
            const double e = ulps_f32(f->value(x[i], f->p), y[i]);
            if (!(e <= worst)) worst = e, at = x[i];
        }
        if (getenv("TENREC_TEST_VERBOSE"))
            printf("%s %s f32 %.3f at %a\n", table->isa, unary_names[f->id], worst, at);
        ck_assert_msg(worst <= f->f32_ulps, "%s %s f32: %.3f ulp at %a (%.9g)", table->isa,
                      unary_names[f->id], worst, at, at);
    }
}
END_TEST

START_TEST(unary_f64)
{
    const tri_kernels *table = tri_kernel_table_named(names[_i]);
    if (table == NULL) return;
    static double x[SAMPLES / 8], y[SAMPLES / 8];
    for (int i = 0; i < SAMPLES / 8; i++) x[i] = argument(i);
    for (int k = 0; k < FUNCTIONS; k++) {
        const function *f = &functions[k];
        double worst = 0, at = 0;
        table->f64.unary[f->id](SAMPLES / 8, y, x, f->p);
        for (int i = 0; i < SAMPLES / 8; i++) {
            const double e = ulps_f64(f->value(x[i], f->p), y[i]);
            if (!(e <= worst)) worst = e, at = x[i];
        }
        if (getenv("TENREC_TEST_VERBOSE"))
            printf("%s %s f64 %.3f at %a\n", table->isa, unary_names[f->id], worst, at);
        ck_assert_msg(worst <= f->f64_ulps, "%s %s f64: %.3f ulp at %a (%.17g)", table->isa,
                      unary_names[f->id], worst, at, at);
    }
}
END_TEST

/* A kernel that is added needs a line in the list above, or is one of those of the next test. */
START_TEST(every_function_has_a_reference)
{
    for (int id = 0; id < TRI_UNARY_COUNT; id++) {
        int k = 0;
        while (k < FUNCTIONS && (int)functions[k].id != id) k++;
        ck_assert_msg(k < FUNCTIONS || id == TRI_U_digamma || id == TRI_U_trigamma ||
                          id == TRI_U_polygamma,
                      "%s has no reference", unary_names[id]);
    }
}
END_TEST

/* Where the exact value is 0 its sign is libm's: -0 for -0 in odd functions, and for what rounds to
 * it. relu and clamp take -0 and 0 for equal. */
START_TEST(zeros_have_the_sign_of_libm)
{
    static const double x[] = { 0.0, -0.0, -0.25, 0.25, -0x1p-1074, 1 };
    enum { COUNT = sizeof x / sizeof x[0] };
    const tri_kernels *table = tri_kernel_table_named(names[_i]);
    if (table == NULL) return;
    for (int k = 0; k < FUNCTIONS; k++) {
        const function *f = &functions[k];
        float           xf[COUNT], yf[COUNT];
        double          y[COUNT];
        if (f->id == TRI_U_relu || f->id == TRI_U_clamp || f->id == TRI_U_affine) continue;
        for (int i = 0; i < COUNT; i++) xf[i] = (float)x[i];
        table->f64.unary[f->id](COUNT, y, x, f->p);
        table->f32.unary[f->id](COUNT, yf, xf, f->p);
        for (int i = 0; i < COUNT; i++) {
            const long double exact = f->value(x[i], f->p), rough = f->value(xf[i], f->p);
            const bool wrong = exact == 0 && !signbit(exact) != !signbit(y[i]);
            const bool wrong_f32 = rough == 0 && !signbit(rough) != !signbit(yf[i]);
            ck_assert_msg(!wrong && !wrong_f32, "%s %s(%a): %a in f64, %a in f32", table->isa,
                          unary_names[f->id], x[i], y[i], (double)yf[i]);
        }
    }
}
END_TEST

/* Relative to the larger of the value and 1: digamma has zeros, where only the absolute error is
 * small. */
START_TEST(polygamma)
{
    const tri_kernels *table = tri_kernel_table_named(names[_i]);
    if (table == NULL) return;
    for (int i = 0; i < 4000; i++) {
        double x = argument(i), y[2];
        if (fabs(x) > 1e6 && x < 0) continue; /* a pole between any two numbers */
        table->f64.unary[TRI_U_digamma](1, &y[0], &x, NULL);
        table->f64.unary[TRI_U_trigamma](1, &y[1], &x, NULL);
        const long double exact[2] = { reference_digamma(x, NULL), reference_trigamma(x, NULL) };
        for (int k = 0; k < 2; k++) {
            const double want = (double)exact[k], scale = fmax(1, fabs(want));
            const bool same = want == y[k] || (want != want && y[k] != y[k]);
            /* near a pole the argument's own rounding is magnified */
            const double slope = x < 0 ? fabs(want) * fabs(x) * 1e-16 * (1 + fabs(want)) : 0;
            ck_assert_msg(same || fabs(y[k] - want) <= 2e-14 * scale + slope,
                          "%s %s(%.17g) = %.17g, not %.17g", table->isa, k ? "trigamma" : "digamma",
                          x, y[k], want);
        }
    }
    for (int i = 0; i < 4000; i++) {
        const float x = fabsf((float)argument(i));
        float y[2];
        table->f32.unary[TRI_U_digamma](1, &y[0], &x, NULL);
        table->f32.unary[TRI_U_trigamma](1, &y[1], &x, NULL);
        const long double exact[2] = { reference_digamma(x, NULL), reference_trigamma(x, NULL) };
        for (int k = 0; k < 2; k++)
            ck_assert_msg(ulps_f32(exact[k], y[k]) <= 2, "%s %s(%.9g) = %.9g in f32, not %.9g",
                          table->isa, k ? "trigamma" : "digamma", x, y[k], (double)exact[k]);
    }
    const double x[] = { 1, 0.5 };
    double y[2];
    table->f64.unary[TRI_U_digamma](2, y, x, NULL); /* -gamma, -gamma - 2 ln 2 */
    ck_assert_double_eq_tol(y[0], -0.57721566490153286, 1e-15);
    ck_assert_double_eq_tol(y[1], -1.9635100260214235, 1e-15);
    table->f64.unary[TRI_U_trigamma](2, y, x, NULL); /* pi^2 / 6, pi^2 / 2 */
    ck_assert_double_eq_tol(y[0], 1.6449340668482264, 1e-15);
    ck_assert_double_eq_tol(y[1], 4.9348022005446793, 3e-15);
    table->f64.unary[TRI_U_polygamma](1, y, x, (const double[]){ 2, 0 }); /* -2 zeta(3) */
    ck_assert_double_eq_tol(y[0], -2.4041138063191886, 1e-14);
}
END_TEST

static double reference_binary(tri_binary_id id, double a, double b)
{
    switch (id) {
    case TRI_B_add: return a + b;
    case TRI_B_sub: return a - b;
    case TRI_B_mul: return a * b;
    case TRI_B_div: return a / b;
    case TRI_B_pow: return pow(a, b);
    case TRI_B_maximum: return a != a || b != b ? NAN : a > b ? a : b;
    case TRI_B_minimum: return a != a || b != b ? NAN : a < b ? a : b;
    case TRI_B_atan2: return atan2(a, b);
    case TRI_B_hypot: return hypot(a, b);
    case TRI_B_step_mul: return b > 0 ? a : 0;
    case TRI_B_sigmoid_mul: return a * b * (1 - b);
    case TRI_B_tanh_mul: return a * (1 - b * b);
    case TRI_B_logistic_loss: return fmax(a, 0) - a * b + log1p(exp(-fabs(a)));
    case TRI_B_sigmoid_sub: return 1 / (1 + exp(-a)) - b;
    default: ck_abort_msg("no reference for binary kernel %d", (int)id);
    }
    return NAN;
}

/* Every pair of a set of arguments. The forms made of several operations, last in the
 * list, cancel: their error is absolute. */
START_TEST(binary)
{
    const tri_kernels *table = tri_kernel_table_named(names[_i]);
    if (table == NULL) return;
    enum { SIDE = 60 };
    static float af[SIDE * SIDE], bf[SIDE * SIDE], zf[SIDE * SIDE];
    static double ad[SIDE * SIDE], bd[SIDE * SIDE], zd[SIDE * SIDE];
    for (int i = 0; i < SIDE * SIDE; i++) {
        ad[i] = af[i] = (float)argument(i / SIDE);
        bd[i] = bf[i] = (float)argument(i % SIDE);
    }
    for (int id = 0; id < TRI_BINARY_COUNT; id++) {
        const bool gradient = id >= TRI_B_sigmoid_mul;
        table->f32.binary[id](SIDE * SIDE, zf, af, bf);
        table->f64.binary[id](SIDE * SIDE, zd, ad, bd);
        for (int i = 0; i < SIDE * SIDE; i++) {
            const double want = reference_binary((tri_binary_id)id, ad[i], bd[i]);
            if (gradient && !(fabs(ad[i]) < 1e3 && fabs(bd[i]) <= 1)) continue;
            const double scale = fabs(ad[i]) + (id >= TRI_B_logistic_loss ? 1 : 0);
            const double tolerance = gradient ? 2e-7 * scale : 0;
            const double e = ulps_f32(want, zf[i]), d = ulps_f64(want, zd[i]);
            ck_assert_msg(e <= 0.51 || fabs(zf[i] - want) <= tolerance + (gradient ? 0x1p-149 : 0),
                          "%s binary %d f32 (%a, %a): %a, not %a", table->isa, id, ad[i], bd[i],
                          zf[i], want);
            ck_assert_msg(
                d <= 1 || fabs(zd[i] - want) <= 1e-9 * tolerance + (gradient ? 0x1p-1074 : 0),
                "%s binary %d f64 (%a, %a): %a, not %a", table->isa, id, ad[i], bd[i], zd[i], want);
        }
    }
}
END_TEST

/* Every length up to a few vectors: nothing is written past the end, and an element's value does
 * not depend on where it stands. */
START_TEST(lengths)
{
    const tri_kernels *table = tri_kernel_table_named(names[_i]);
    if (table == NULL) return;
    float x[100], whole[100], y[101];
    for (int i = 0; i < 100; i++) x[i] = (float)argument(1000 + i);
    for (int id = 0; id < TRI_UNARY_COUNT; id++) {
        const double p[2] = { 0.25, 0.75 };
        table->f32.unary[id](100, whole, x, p);
        for (int n = 0; n <= 100; n++) {
            for (int i = 0; i <= 100; i++) y[i] = 12345;
            table->f32.unary[id](n, y + 100 - n, x + 100 - n, p);
            ck_assert_mem_eq(y + 100 - n, whole + 100 - n, sizeof(float) * (size_t)n);
            if (n < 100) ck_assert_float_eq(y[99 - n], 12345);
            ck_assert_float_eq(y[100], 12345);
        }
    }
}
END_TEST

START_TEST(compare)
{
    const tri_kernels *table = tri_kernel_table_named(names[_i]);
    if (table == NULL) return;
    const double a[] = { 1, 2, 2, NAN, 0.0, -INFINITY, 3 }, b[] = { 2, 1, 2, NAN, -0.0, 5, NAN };
    const uint8_t want[TRI_COMPARE_COUNT][7] = {
        {0,  0, 1, 0, 1, 0, 0},
        { 1, 1, 0, 1, 0, 1, 1},
        { 1, 0, 0, 0, 0, 1, 0},
        { 1, 0, 1, 0, 1, 1, 0}
    };
    for (int id = 0; id < TRI_COMPARE_COUNT; id++) {
        uint8_t z[40];
        float af[35], bf[35];
        for (int i = 0; i < 35; i++) af[i] = (float)a[i % 7], bf[i] = (float)b[i % 7];
        table->f64.compare[id](7, z, a, b);
        ck_assert_mem_eq(z, want[id], 7);
        table->f32.compare[id](35, z, af, bf);
        for (int i = 0; i < 5; i++) ck_assert_mem_eq(z + 7 * i, want[id], 7);
    }
}
END_TEST

START_TEST(reductions)
{
    const tri_kernels *table = tri_kernel_table_named(names[_i]);
    if (table == NULL) return;
    static float x[4099], y[4099];
    for (int n = 1; n <= 4099; n += n < 140 ? 1 : 97) {
        double sum = 0, exp_sum = 0, max = -INFINITY, min = INFINITY;
        for (int i = 0; i < n; i++) {
            x[i] = (float)((double)(random_bits((uint64_t)i) >> 11) * 0x1p-53 - 0.3);
            sum += x[i];
            exp_sum += exp(x[i] - 0.7f);
            max = fmax(max, x[i]);
            min = fmin(min, x[i]);
        }
        ck_assert_double_eq_tol(table->f32.sum(n, x), sum, 3e-7 * n);
        ck_assert_double_eq(table->f32.max(n, x), max);
        ck_assert_double_eq(table->f32.min(n, x), min);
        ck_assert_double_eq_tol(table->f32.exp_sum(n, y, x, 0.7f), exp_sum, 3e-7 * n);
        ck_assert_double_eq_tol(y[n - 1], exp(x[n - 1] - 0.7f), 3e-7);
        x[n / 2] = NAN;
        ck_assert_float_nan(table->f32.max(n, x));
        ck_assert_float_nan(table->f32.min(n, x));
    }
}
END_TEST

/* The formula of compute.h, step by step in double. */
START_TEST(adam)
{
    const tri_kernels *table = tri_kernel_table_named(names[_i]);
    if (table == NULL) return;
    const tri_adam a = { .lr = 1e-2,
                         .beta1 = 0.9,
                         .beta2 = 0.999,
                         .epsilon = 1e-8,
                         .l2 = 0.01,
                         .decay = 0.1,
                         .c1 = 0.271,
                         .c2 = 0.002997001,
                         .grad_scale = 0.5 };
    enum { N = 37 };
    double w[N], m[N], v[N], g[N];
    float wf[N], mf[N], vf[N], gf[N];
    for (int i = 0; i < N; i++) {
        wf[i] = (float)(w[i] = sin(i));
        mf[i] = (float)(m[i] = 0.1 * cos(i));
        vf[i] = (float)(v[i] = 0.01 * (1 + sin(3 * i)));
        gf[i] = (float)(g[i] = cos(5 * i));
    }
    double want[N], want_m[N], want_v[N];
    for (int i = 0; i < N; i++) {
        const double gradient = g[i] * a.grad_scale + a.l2 * w[i];
        want_m[i] = a.beta1 * m[i] + (1 - a.beta1) * gradient;
        want_v[i] = a.beta2 * v[i] + (1 - a.beta2) * gradient * gradient;
        want[i] = w[i] - a.lr * a.decay * w[i] -
                  a.lr * (want_m[i] / a.c1) / (sqrt(want_v[i] / a.c2) + a.epsilon);
    }
    table->f64.adam(N, w, m, v, g, &a);
    table->f32.adam(N, wf, mf, vf, gf, &a);
    for (int i = 0; i < N; i++) {
        ck_assert_double_eq_tol(w[i], want[i], 1e-15);
        ck_assert_double_eq_tol(m[i], want_m[i], 1e-16);
        ck_assert_double_eq_tol(v[i], want_v[i], 1e-16);
        ck_assert_double_eq_tol(wf[i], want[i], 2e-7);
        ck_assert_double_eq_tol(mf[i], want_m[i], 2e-8);
        ck_assert_double_eq_tol(vf[i], want_v[i], 1e-8);
    }
}
END_TEST

/* One call of pack, from a block that is as large as it must be to a place with a margin. */
#define CHECK_PACK(type, field, outer, inner, count, length, width)                                \
    do {                                                                                           \
        const int64_t cells = (count - 1) * (outer) + (length - 1) * (inner) + 1;                  \
        const int64_t places = length * width + 20;                                                \
        type *x = malloc((size_t)cells * sizeof *x), *y = malloc((size_t)places * sizeof *y);      \
        for (int64_t i = 0; i < cells; i++) x[i] = (type)i;                                        \
        for (int64_t i = 0; i < places; i++) y[i] = -1;                                            \
        table->field.pack(x, outer, inner, count, length, width, y);                               \
        for (int64_t i = 0; i < places; i++) {                                                     \
            const int64_t k = i / width, o = i % width;                                            \
            const type    want = k < length && o < count ? x[o * (outer) + k * (inner)] : -1;      \
            ck_assert_msg(y[i] == want, "%s: %d by %d, %d apart: place %d", table->isa, (int)count,\
                          (int)length, (int)width, (int)i);                                        \
        }                                                                                          \
        free(x);                                                                                   \
        free(y);                                                                                   \
    } while (0)

/* Every number of rows and length up to two vectors and a bit, adjacent along i, along k, and along
 * neither: each number at its place, nothing else read or written. */
START_TEST(pack)
{
    const tri_kernels *table = tri_kernel_table_named(names[_i]);
    if (table == NULL) return;
    for (int64_t count = 1; count <= 35; count++)
        for (int64_t length = 1; length <= 35; length++) {
            const int64_t width = count + length % 3;
            CHECK_PACK(float, f32, 1, count + 1, count, length, width);
            CHECK_PACK(float, f32, length + 2, 1, count, length, width);
            CHECK_PACK(float, f32, 2, 2 * count, count, length, width);
            CHECK_PACK(double, f64, 1, count + 1, count, length, width);
            CHECK_PACK(double, f64, length + 2, 1, count, length, width);
            CHECK_PACK(double, f64, 2, 2 * count, count, length, width);
        }
}
END_TEST

START_TEST(choice)
{
    ck_assert_int_eq(tr_set_isa("portable"), TR_OK);
    ck_assert_str_eq(tr_isa(), "portable");
    ck_assert_int_eq(tr_set_isa("foo"), TR_ERR_VALUE);
    const char *start = "TENREC_ISA: unknown instruction set \"foo\"; this machine has portable";
    ck_assert_int_eq(strncmp(tr_error(), start, strlen(start)), 0);
    ck_assert_str_eq(tr_isa(), "portable");
    ck_assert_int_eq(tr_set_isa("portable"), TR_ERR_VALUE); /* the first error sticks */
    tr_error_clear();
}
END_TEST

/* Each test runs in a process of its own, so the environment is read afresh. */
START_TEST(environment)
{
    setenv("TENREC_ISA", "mmx", 1);
    const char *start = "TENREC_ISA: unknown instruction set \"mmx\"; this machine has portable";
    ck_assert_ptr_nonnull(tri_isa_environment_error());
    ck_assert_int_eq(strncmp(tri_isa_environment_error(), start, strlen(start)), 0);
    ck_assert_ptr_nonnull(tri_kernel_table());
}
END_TEST

START_TEST(environment_named)
{
    setenv("TENREC_ISA", "portable", 1);
    ck_assert_ptr_null(tri_isa_environment_error());
    ck_assert_str_eq(tr_isa(), "portable");
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { unary_f32, NAMES },
        { unary_f64, NAMES },
        { every_function_has_a_reference },
        { zeros_have_the_sign_of_libm, NAMES },
        { polygamma, NAMES },
        { binary, NAMES },
        { lengths, NAMES },
        { compare, NAMES },
        { reductions, NAMES },
        { adam, NAMES },
        { pack, NAMES },
        { choice },
        { environment },
        { environment_named },
        { 0 },
    };
    return run_tests("kernels", NULL, NULL, tests);
}
