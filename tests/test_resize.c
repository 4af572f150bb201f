/* test_resize.c: upsampling against the formulas of compute.h, one output at a time, values of
 * PyTorch 1.13 (torch.nn.functional.interpolate), and the adjoint identity. */
#include "numeric.h"
#include "tests/suite.h"

#include <math.h>

typedef enum method { NEAREST, BILINEAR, ALIGNED } method;

static tr_status forward(tr_tensor *y, const tr_tensor *x, method how)
{
    if (how == NEAREST) return tri_upsample_nearest(y, x);
    return tri_upsample_bilinear(y, x, how == ALIGNED);
}

static tr_status adjoint(tr_tensor *dx, const tr_tensor *g, method how)
{
    if (how == NEAREST) return tri_upsample_nearest_dx(dx, g);
    return tri_upsample_bilinear_dx(dx, g, how == ALIGNED);
}

/* The weight of source position h in output position i: a hat function around the coordinate. */
static double weight(int64_t h, int64_t i, int64_t in, int64_t out, method how)
{
    if (how == NEAREST) return h * out <= i * in && i * in < (h + 1) * out;
    double at = how == ALIGNED ? (out > 1 ? (double)(i * (in - 1)) / (double)(out - 1) : 0)
                               : ((double)i + 0.5) * (double)in / (double)out - 0.5;
    at = fmin(fmax(at, 0), (double)(in - 1));
    return fmax(0, 1 - fabs(at - (double)h));
}

static double mixed(const tr_tensor *x, tr_shape out, int64_t at, method how)
{
    int64_t c = at % out.dim[3], j = at / out.dim[3] % out.dim[2];
    int64_t i = at / out.dim[3] / out.dim[2] % out.dim[1],
            n = at / out.dim[3] / out.dim[2] / out.dim[1];
    double sum = 0;
    for (int64_t h = 0; h < x->shape[1]; h++)
        for (int64_t w = 0; w < x->shape[2]; w++)
            sum +=
                weight(h, i, x->shape[1], out.dim[1], how) *
                weight(w, j, x->shape[2], out.dim[2], how) *
                get(x, n * x->stride[0] + h * x->stride[1] + w * x->stride[2] + c * x->stride[3]);
    return sum;
}

START_TEST(equals_the_formula_and_its_adjoint)
{
    draw_state = 50;
    for (int number = 0; number < 900; number++) {
        tr_scope *scope = tr_scope_push();
        method how = (method)(number % 3);
        tr_dtype dtype = draw(2) ? TR_F32 : TR_F64;
        int64_t n = draw(30) ? draw_between(1, 3) : 0, c = draw_between(1, 6);
        int64_t h = draw_between(1, 7), w = draw_between(1, 7);
        tr_shape in = TR_SHAPE(n, h, w, c);
        tr_shape out = TR_SHAPE(n, draw(2) ? 2 * h : draw_between(1, 15), draw_between(1, 15), c);
        tr_tensor *x = draw_tensor(dtype, in), *g = draw_plain(dtype, out);
        tr_tensor *y = unset(dtype, out), *expected = tr_empty(dtype, out), *dx = unset(dtype, in);
        ck_assert_int_eq(tr_set_threads(1 + number % 2), TR_OK);
        ck_assert_int_eq(forward(y, x, how), TR_OK);
        for (int64_t at = 0; at < tr_numel(y); at++) set(expected, at, mixed(x, out, at, how));
        expect_near(y, expected, dtype == TR_F32 ? 2e-6 : 1e-13, "upsample", number);
        ck_assert_int_eq(adjoint(dx, g, how), TR_OK);
        tr_tensor *plain = tr_empty(dtype, in);
        ck_assert_int_eq(tr_assign(plain, x), TR_OK);
        ck_assert_double_eq_tol(dot(plain, dx), dot(y, g), dtype == TR_F32 ? 1e-3 : 1e-10);
        tr_scope_pop(scope);
    }
}
END_TEST

/* interpolate(tensor([[1., 2.], [4., 8.]])[None, None], size=(3, 5), mode=...) */
START_TEST(equals_pytorch)
{
    static const float source[] = { 1, 2, 4, 8 };
    static const double expected[3][15] = {
        {1,  1,    1,   2,    2, 1,   1,     1,    2,     2, 4, 4,   4, 8,   8},
        { 1, 1.1,  1.5, 1.9,  2, 2.5, 2.75,  3.75, 4.75,  5, 4, 4.4, 6, 7.6, 8},
        { 1, 1.25, 1.5, 1.75, 2, 2.5, 3.125, 3.75, 4.375, 5, 4, 5,   6, 7,   8}
    };
    tr_scope *scope = tr_scope_push();
    tr_tensor *x = tr_from(TR_F32, TR_SHAPE(1, 2, 2, 1), source),
              *y = unset(TR_F32, TR_SHAPE(1, 3, 5, 1));
    for (int how = NEAREST; how <= ALIGNED; how++) {
        ck_assert_int_eq(forward(y, x, (method)how), TR_OK);
        for (int64_t i = 0; i < 15; i++) ck_assert_double_eq_tol(get(y, i), expected[how][i], 1e-6);
    }
    tr_scope_pop(scope);
}
END_TEST

START_TEST(is_the_same_on_any_number_of_threads)
{
    tr_scope *scope = tr_scope_push();
    tr_rng rng = tr_rng_seed(6);
    for (int how = NEAREST; how <= ALIGNED; how++) {
        tr_tensor *x = tr_normal(TR_F32, TR_SHAPE(8, 14, 14, 32), &rng), *y[2], *dx[2];
        tr_tensor *g = tr_normal(TR_F32, TR_SHAPE(8, 28, 28, 32), &rng);
        for (int t = 0; t < 2; t++) {
            tr_set_threads(t + 1);
            y[t] = unset(TR_F32, tr_shape_of(g));
            dx[t] = unset(TR_F32, tr_shape_of(x));
            ck_assert_int_eq(forward(y[t], x, (method)how), TR_OK);
            ck_assert_int_eq(adjoint(dx[t], g, (method)how), TR_OK);
        }
        expect_equal(y[0], y[1], "upsample", how);
        expect_equal(dx[0], dx[1], "upsample_dx", how);
    }
    tr_scope_pop(scope);
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { equals_the_formula_and_its_adjoint },
        { equals_pytorch },
        { is_the_same_on_any_number_of_threads },
        { 0 },
    };
    return run_tests("resize", NULL, NULL, tests);
}
