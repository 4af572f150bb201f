/* test_winograd.c: 3x3 convolutions that are large enough for Winograd's transforms, against the
 * direct sum in f64, on every instruction set: within a bound on the error, relative to the size
 * of a sum of random signs, sqrt(terms) max|a| max|b|; the same bits with one and two threads; and
 * exactly the direct result where the shape does not allow the transforms. */
#include "numeric.h"

#include "tensor/winograd.h"
#include "tests/suite.h"

#include <math.h>

/* The bound of winograd.c. */
static const double bound = 1.2e-6;

typedef struct sizes {
    int64_t  n, h, w, c, k, oh, ow;
    tri_conv conv;
} sizes;

/* Any padding, any rest of the division by the tile; at least 16 tiles, and more than are one block. */
static sizes draw_sizes(void)
{
    sizes z = { .h = draw_between(3, 15), .w = draw_between(3, 15) };
    z.conv = (tri_conv){ .stride = { 1, 1 }, .dilation = { 1, 1 }, .groups = 1 };
    for (int axis = 0; axis < 2; axis++)
        for (int side = 0; side < 2; side++) z.conv.pad[axis][side] = draw(4);
    z.oh = z.h + z.conv.pad[0][0] + z.conv.pad[0][1] - 2;
    z.ow = z.w + z.conv.pad[1][0] + z.conv.pad[1][1] - 2;
    const int64_t smaller_h = z.oh < z.h ? z.oh : z.h, smaller_w = z.ow < z.w ? z.ow : z.w;
    const int64_t tiles = (smaller_h + 3) / 4 * ((smaller_w + 3) / 4);
    z.n = (16 + tiles - 1) / tiles + draw(2) * draw_between(0, 64 / tiles + 3);
    z.c = draw(2) ? draw_between(16, 50) : 16 * draw_between(1, 3);
    z.k = draw(2) ? draw_between(16, 50) : 16 * draw_between(1, 3);
    return z;
}

static double largest(const tr_tensor *t)
{
    double most = 0;
    for (int64_t i = 0; i < tr_numel(t); i++) most = fmax(most, fabs(get(t, i)));
    return most;
}

static tr_tensor *widened(const tr_tensor *t)
{
    tr_tensor *wide = tr_empty(TR_F64, tr_shape_of(t));
    ck_assert_int_eq(tr_assign(wide, t), TR_OK);
    return wide;
}

static tr_tensor *truth(const tr_tensor *like)
{
    return unset(TR_F64, tr_shape_of(like));
}

static void check_forward(const sizes *z, const tr_tensor *x, const tr_tensor *w, int number)
{
    static const tri_epilogue all[] = { TRI_E_IDENTITY, TRI_E_RELU, TRI_E_SIGMOID, TRI_E_TANH };
    const tri_epilogue        epilogue = all[number % 4];
    tr_rng                    rng = tr_rng_seed((uint64_t)number);
    tr_tensor                *bias = draw(2) ? tr_normal(TR_F32, TR_SHAPE(z->k), &rng) : NULL;
    tr_tensor *y = unset(TR_F32, TR_SHAPE(z->n, z->oh, z->ow, z->k)), *expected = truth(y);
    ck_assert(tri_winograd_pays(w, y, &z->conv));
    ck_assert_int_eq(tri_conv2d(y, x, w, bias, &z->conv, epilogue), TR_OK);
    ck_assert_int_eq(tri_conv2d_direct(expected, widened(x), widened(w),
                                       bias ? widened(bias) : NULL, &z->conv, epilogue),
                     TR_OK);
    const double scale = sqrt(9.0 * (double)z->c) * largest(x) * largest(w);
    expect_near(y, expected, bound * scale, "conv2d", number);
}

static void check_gradients(const sizes *z, const tr_tensor *x, const tr_tensor *w,
                            const tr_tensor *g, int number)
{
    tr_tensor *dx = unset(TR_F32, tr_shape_of(x)), *dw = unset(TR_F32, tr_shape_of(w));
    tr_tensor *true_dx = truth(x), *true_dw = truth(w);
    ck_assert_int_eq(tri_conv2d_dx(dx, g, w, NULL, &z->conv, TRI_E_IDENTITY), TR_OK);
    ck_assert_int_eq(tri_conv2d_dw(dw, x, g, &z->conv), TR_OK);
    ck_assert_int_eq(
        tri_conv2d_dx_direct(true_dx, widened(g), widened(w), NULL, &z->conv, TRI_E_IDENTITY),
        TR_OK);
    ck_assert_int_eq(tri_conv2d_dw_direct(true_dw, widened(x), widened(g), &z->conv), TR_OK);
    double scale = sqrt(9.0 * (double)z->k) * largest(g) * largest(w);
    expect_near(dx, true_dx, bound * scale, "conv2d_dx", number);
    scale = sqrt((double)(z->n * z->oh * z->ow)) * largest(x) * largest(g);
    expect_near(dw, true_dw, bound * scale, "conv2d_dw", number);
}

static void random_cases(void)
{
    draw_state = 77;
    for (int number = 0; number < 20; number++) {
        tr_scope      *scope = tr_scope_push();
        const sizes    z = draw_sizes();
        tr_rng         rng = tr_rng_seed((uint64_t)number);
        const tr_shape image = TR_SHAPE(z.n, z.h, z.w, z.c);
        tr_tensor     *x = number % 3 ? tr_normal(TR_F32, image, &rng) : draw_tensor(TR_F32, image);
        tr_tensor     *w = tr_normal(TR_F32, TR_SHAPE(3, 3, z.c, z.k), &rng);
        tr_tensor     *g = tr_normal(TR_F32, TR_SHAPE(z.n, z.oh, z.ow, z.k), &rng);
        ck_assert_int_eq(tr_set_threads(1 + number % 2), TR_OK);
        check_forward(&z, x, w, number);
        check_gradients(&z, x, w, g, number);
        tr_scope_pop(scope);
    }
}

static void threads_case(int64_t n, int64_t side, int64_t c, int64_t k)
{
    tr_scope      *scope = tr_scope_push();
    const tri_conv conv = { { 1, 1 }, { { 1, 1 }, { 1, 1 } }, { 1, 1 }, 1 };
    tr_rng         rng = tr_rng_seed(5);
    tr_tensor     *x = tr_normal(TR_F32, TR_SHAPE(n, side, side, c), &rng);
    tr_tensor     *w = tr_normal(TR_F32, TR_SHAPE(3, 3, c, k), &rng);
    tr_tensor     *g = tr_normal(TR_F32, TR_SHAPE(n, side, side, k), &rng);
    tr_tensor     *y[3], *dx[3], *dw[3];
    for (int t = 0; t < 3; t++) {
        tr_set_threads(t + 1);
        y[t] = unset(TR_F32, tr_shape_of(g));
        dx[t] = unset(TR_F32, tr_shape_of(x));
        dw[t] = unset(TR_F32, tr_shape_of(w));
        ck_assert_int_eq(tri_conv2d(y[t], x, w, NULL, &conv, TRI_E_RELU), TR_OK);
        ck_assert_int_eq(tri_conv2d_dx(dx[t], g, w, NULL, &conv, TRI_E_IDENTITY), TR_OK);
        ck_assert_int_eq(tri_conv2d_dw(dw[t], x, g, &conv), TR_OK);
        expect_equal(y[t], y[0], "conv2d", t);
        expect_equal(dx[t], dx[0], "conv2d_dx", t);
        expect_equal(dw[t], dw[0], "conv2d_dw", t);
    }
    tr_scope_pop(scope);
}

static void threads_cases(void)
{
    threads_case(40, 7, 64, 48);
    threads_case(8, 14, 32, 64);
    threads_case(3, 30, 17, 33);
}

START_TEST(stays_within_its_bound_of_the_direct_sum)
{
    on_every_isa(random_cases);
}
END_TEST

START_TEST(gives_the_same_bits_on_any_number_of_threads)
{
    on_every_isa(threads_cases);
}
END_TEST

START_TEST(is_not_used_where_it_does_not_apply)
{
    tr_scope      *scope = tr_scope_push();
    const tri_conv plain = { { 1, 1 }, { { 1, 1 }, { 1, 1 } }, { 1, 1 }, 1 };
    tri_conv       stepped = plain, spread = plain, grouped = plain;
    stepped.stride[1] = 2;
    spread.dilation[0] = 2;
    grouped.groups = 2;
    const tr_tensor *w = tr_zeros(TR_F32, TR_SHAPE(3, 3, 16, 16));
    const tr_tensor *y = tr_zeros(TR_F32, TR_SHAPE(16, 4, 4, 16));
    ck_assert(tri_winograd_pays(w, y, &plain));
    ck_assert(!tri_winograd_pays(w, y, &stepped));
    ck_assert(!tri_winograd_pays(w, y, &spread));
    ck_assert(!tri_winograd_pays(w, y, &grouped));
    ck_assert(!tri_winograd_pays(w, tr_zeros(TR_F32, TR_SHAPE(15, 4, 4, 16)), &plain));
    ck_assert(!tri_winograd_pays(tr_zeros(TR_F64, TR_SHAPE(3, 3, 16, 16)), y, &plain));
    ck_assert(!tri_winograd_pays(tr_zeros(TR_F32, TR_SHAPE(3, 3, 15, 16)), y, &plain));
    ck_assert(!tri_winograd_pays(tr_zeros(TR_F32, TR_SHAPE(3, 2, 16, 16)), y, &plain));
    tr_scope_pop(scope);
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { stays_within_its_bound_of_the_direct_sum },
        { gives_the_same_bits_on_any_number_of_threads },
        { is_not_used_where_it_does_not_apply },
        { 0 },
    };
    return run_tests("winograd", NULL, NULL, tests);
}
