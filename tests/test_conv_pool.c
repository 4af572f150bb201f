/* test_conv_pool.c: convolution and max-pooling in one, and its gradients, against convolution,
 * bias, activation, then pooling, and back through each, all tested elsewhere: small integers, so
 * results must be exactly equal, on every instruction set, for any window, kernel and number of
 * channels; and the same bits on one, two and three threads. */
#include "numeric.h"
#include "tests/suite.h"

typedef struct sizes {
    int64_t  n, h, w, c, k, kh, kw, window;
    tri_conv same;
    tri_pool pool;
} sizes;

static sizes draw_sizes(void)
{
    sizes z = { .n = draw_between(1, 3), .window = draw_between(1, 3) };
    z.h = z.window + draw_between(0, 9);
    z.w = z.window + draw_between(0, 9);
    z.kh = draw_between(1, 4);
    z.kw = draw_between(1, 4);
    z.c = draw(3) ? draw_between(1, 9) : draw_between(14, 40);
    z.k = draw(3) ? draw_between(1, 9) : draw_between(14, 40);
    z.same = (tri_conv){
        { 1, 1 }, { { (z.kh - 1) / 2, z.kh / 2 }, { (z.kw - 1) / 2, z.kw / 2 } }, { 1, 1 }, 1
    };
    z.pool = (tri_pool){ .window = { z.window, z.window },
                         .stride = { z.window, z.window },
                         .dilation = { 1, 1 } };
    return z;
}

/* Zero where y is: what relu does to the gradient of its result. */
static void mask(tr_tensor *g, const tr_tensor *y)
{
    for (int64_t i = 0; i < tr_numel(g); i++)
        if (get(y, i) <= 0) set(g, i, 0);
}

static void one_case(int number)
{
    tr_scope      *scope = tr_scope_push();
    const sizes    z = draw_sizes();
    const tr_dtype dtype = draw(2) ? TR_F32 : TR_F64;
    const tr_shape large = TR_SHAPE(z.n, z.h, z.w, z.k);
    const tr_shape small = TR_SHAPE(z.n, z.h / z.window, z.w / z.window, z.k);
    tr_tensor     *x = draw_tensor(dtype, TR_SHAPE(z.n, z.h, z.w, z.c));
    tr_tensor     *w = draw_tensor(dtype, TR_SHAPE(z.kh, z.kw, z.c, z.k));
    tr_tensor     *bias = draw(2) ? draw_tensor(dtype, TR_SHAPE(z.k)) : NULL;
    const bool     relu = draw(2);
    tr_set_threads(1 + number % 2);

    tr_tensor *results = unset(dtype, large), *expected = unset(dtype, small);
    tr_tensor *y = unset(dtype, small), *place = tr_empty(TR_U8, small);
    ck_assert_int_eq(
        tri_conv2d_direct(results, x, w, bias, &z.same, relu ? TRI_E_RELU : TRI_E_IDENTITY), TR_OK);
    ck_assert_int_eq(tri_max_pool2d(expected, NULL, results, &z.pool), TR_OK);
    ck_assert_int_eq(
        tri_conv2d_pool(y, place, x, w, bias, z.window, relu ? TRI_E_RELU : TRI_E_IDENTITY), TR_OK);
    expect_equal(y, expected, "conv2d_pool", number);

    tr_tensor *g = relu ? draw_plain(dtype, small) : draw_tensor(dtype, small),
              *u = unset(dtype, large);
    if (relu) mask(g, y);
    ck_assert_int_eq(tri_max_pool2d_dx(u, g, results, &z.pool), TR_OK);
    tr_tensor *dx = unset(dtype, tr_shape_of(x)), *dw = unset(dtype, tr_shape_of(w));
    tr_tensor *got_dx = unset(dtype, tr_shape_of(x)), *got_dw = unset(dtype, tr_shape_of(w));
    ck_assert_int_eq(tri_conv2d_dx_direct(dx, u, w, NULL, &z.same, TRI_E_IDENTITY), TR_OK);
    ck_assert_int_eq(tri_conv2d_dw_direct(dw, x, u, &z.same), TR_OK);
    ck_assert_int_eq(tri_conv2d_pool_gradients(got_dx, got_dw, x, w, g, place, z.window), TR_OK);
    expect_equal(got_dx, dx, "gradient for x", number);
    expect_equal(got_dw, dw, "gradient for w", number);
    tr_scope_pop(scope);
}

static void random_cases(void)
{
    draw_state = 43;
    for (int number = 0; number < 120; number++) one_case(number);
}

/* Large enough for several parts of pictures, and, with 32 channels, for Winograd's transforms. */
static void threads_case(int64_t n, int64_t side, int64_t c, int64_t k)
{
    tr_scope  *scope = tr_scope_push();
    tr_rng     rng = tr_rng_seed(6);
    tr_tensor *x = tr_normal(TR_F32, TR_SHAPE(n, side, side, c), &rng);
    tr_tensor *w = tr_normal(TR_F32, TR_SHAPE(3, 3, c, k), &rng);
    tr_tensor *g = tr_normal(TR_F32, TR_SHAPE(n, side / 2, side / 2, k), &rng);
    tr_tensor *y[3], *dx[3], *dw[3];
    for (int t = 0; t < 3; t++) {
        tr_tensor *place = tr_empty(TR_U8, tr_shape_of(g));
        tr_set_threads(t + 1);
        y[t] = unset(TR_F32, tr_shape_of(g));
        dx[t] = unset(TR_F32, tr_shape_of(x));
        dw[t] = unset(TR_F32, tr_shape_of(w));
        ck_assert_int_eq(tri_conv2d_pool(y[t], place, x, w, NULL, 2, TRI_E_RELU), TR_OK);
        ck_assert_int_eq(tri_conv2d_pool_gradients(dx[t], dw[t], x, w, g, place, 2), TR_OK);
        expect_equal(y[t], y[0], "conv2d_pool", t);
        expect_equal(dx[t], dx[0], "gradient for x", t);
        expect_equal(dw[t], dw[0], "gradient for w", t);
    }
    tr_set_threads(1);
    tr_scope_pop(scope);
}

static void threads_cases(void)
{
    threads_case(23, 28, 1, 32);
    threads_case(37, 14, 32, 48);
}

START_TEST(equals_its_parts)
{
    on_every_isa(random_cases);
}
END_TEST

START_TEST(same_bits_on_any_number_of_threads)
{
    on_every_isa(threads_cases);
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { equals_its_parts },
        { same_bits_on_any_number_of_threads },
        { 0 },
    };
    return run_tests("conv_pool", NULL, NULL, tests);
}
