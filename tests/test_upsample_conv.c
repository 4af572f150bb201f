/* test_upsample_conv.c: upsampling and convolution in one, and its gradients, against upsampling,
 * then convolution, then the adjoints of both, each tested elsewhere: small integers, so results
 * must be exactly equal, on every instruction set, for any factor, kernel and number of channels.
 */
#include "numeric.h"
#include "tests/suite.h"

static void one_case(int number)
{
    tr_scope *scope = tr_scope_push();
    const int64_t f = draw_between(1, 3), kh = draw_between(1, 4), kw = draw_between(1, 4);
    const int64_t n = draw_between(1, 3), h = draw_between(1, 9), w = draw_between(1, 7);
    const int64_t c = draw(3) ? draw_between(1, 9) : draw_between(14, 40);
    const int64_t k = draw(3) ? draw_between(1, 9) : draw_between(14, 40);
    const tr_dtype dtype = draw(2) ? TR_F32 : TR_F64;
    const tr_shape large = TR_SHAPE(n, f * h, f * w, k), middle = TR_SHAPE(n, f * h, f * w, c);
    const tri_conv same = { { 1, 1 },
                            { { (kh - 1) / 2, kh / 2 }, { (kw - 1) / 2, kw / 2 } },
                            { 1, 1 },
                            1 };
    tr_tensor *x = draw_tensor(dtype, TR_SHAPE(n, h, w, c)), *g = draw_tensor(dtype, large);
    tr_tensor *weights = draw_tensor(dtype, TR_SHAPE(kh, kw, c, k));
    tr_tensor *bias = draw(2) ? draw_tensor(dtype, TR_SHAPE(k)) : NULL;
    const tri_epilogue epilogue = draw(2) ? TRI_E_RELU : TRI_E_IDENTITY;
    ck_assert_int_eq(tr_set_threads(1 + number % 2), TR_OK);

    tr_tensor *up = unset(dtype, middle), *expected = unset(dtype, large),
              *got = unset(dtype, large);
    ck_assert_int_eq(tri_upsample_nearest(up, x), TR_OK);
    ck_assert_int_eq(tri_conv2d_direct(expected, up, weights, bias, &same, epilogue), TR_OK);
    ck_assert_int_eq(tri_upsample_conv2d(got, x, weights, bias, epilogue), TR_OK);
    expect_equal(got, expected, "upsample_conv2d", number);

    tr_tensor *dup = unset(dtype, middle);
    expected = unset(dtype, tr_shape_of(x));
    got = unset(dtype, tr_shape_of(x));
    ck_assert_int_eq(tri_conv2d_dx_direct(dup, g, weights, NULL, &same, TRI_E_IDENTITY), TR_OK);
    ck_assert_int_eq(tri_upsample_nearest_dx(expected, dup), TR_OK);
    ck_assert_int_eq(tri_upsample_conv2d_dx(got, g, weights), TR_OK);
    expect_equal(got, expected, "upsample_conv2d_dx", number);

    expected = unset(dtype, tr_shape_of(weights));
    got = unset(dtype, tr_shape_of(weights));
    ck_assert_int_eq(tri_conv2d_dw_direct(expected, up, g, &same), TR_OK);
    ck_assert_int_eq(tri_upsample_conv2d_dw(got, x, g), TR_OK);
    expect_equal(got, expected, "upsample_conv2d_dw", number);
    tr_scope_pop(scope);
}

static void random_cases(void)
{
    draw_state = 41;
    for (int number = 0; number < 120; number++) one_case(number);
}

/* Large enough for several blocks of rows and pieces of the sum. */
static void threads_case(int64_t n, int64_t side, int64_t c, int64_t k)
{
    tr_scope *scope = tr_scope_push();
    tr_rng rng = tr_rng_seed(6);
    tr_tensor *x = tr_normal(TR_F32, TR_SHAPE(n, side, side, c), &rng);
    tr_tensor *w = tr_normal(TR_F32, TR_SHAPE(3, 3, c, k), &rng);
    tr_tensor *g = tr_normal(TR_F32, TR_SHAPE(n, 2 * side, 2 * side, k), &rng);
    tr_tensor *y[3], *dx[3], *dw[3];
    for (int t = 0; t < 3; t++) {
        tr_set_threads(t + 1);
        y[t] = unset(TR_F32, tr_shape_of(g));
        dx[t] = unset(TR_F32, tr_shape_of(x));
        dw[t] = unset(TR_F32, tr_shape_of(w));
        ck_assert_int_eq(tri_upsample_conv2d(y[t], x, w, NULL, TRI_E_IDENTITY), TR_OK);
        ck_assert_int_eq(tri_upsample_conv2d_dx(dx[t], g, w), TR_OK);
        ck_assert_int_eq(tri_upsample_conv2d_dw(dw[t], x, g), TR_OK);
        expect_equal(y[t], y[0], "upsample_conv2d", t);
        expect_equal(dx[t], dx[0], "upsample_conv2d_dx", t);
        expect_equal(dw[t], dw[0], "upsample_conv2d_dw", t);
    }
    const double form = dot(y[0], g), scale = 1e-5 * (dot(y[0], y[0]) + dot(g, g));
    ck_assert_double_eq_tol(dot(x, dx[0]), form, scale);
    ck_assert_double_eq_tol(dot(w, dw[0]), form, scale);
    tr_scope_pop(scope);
}

static void threads_cases(void)
{
    threads_case(9, 7, 64, 32);
    threads_case(2, 40, 24, 20);
    threads_case(20, 14, 32, 1);
}

START_TEST(equals_its_two_steps)
{
    on_every_isa(random_cases);
}
END_TEST

START_TEST(is_adjoint_and_the_same_on_any_number_of_threads)
{
    on_every_isa(threads_cases);
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { equals_its_two_steps },
        { is_adjoint_and_the_same_on_any_number_of_threads },
        { 0 },
    };
    return run_tests("upsample_conv", NULL, NULL, tests);
}
