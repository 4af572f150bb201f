/* test_pool.c: pooling and its adjoints against loops over every window, coordinates compared with
 * the shape one by one. Inputs are small integers, so ties abound and sums are exact. */
#include "numeric.h"
#include "tests/suite.h"

#include <math.h>

static void draw_axis(tri_pool *p, int axis, int64_t *in, int64_t *out)
{
    p->window[axis] = draw_between(1, 4);
    p->stride[axis] = draw_between(1, 3);
    p->dilation[axis] = draw_between(1, 2);
    p->pad[axis][0] = draw(p->window[axis] / 2 + 1);
    p->pad[axis][1] = draw(p->window[axis] / 2 + 1);
    const int64_t reach = (p->window[axis] - 1) * p->dilation[axis] + 1;
    *in = draw_between(reach, reach + 8);
    *out = (*in + p->pad[axis][0] + p->pad[axis][1] - reach) / p->stride[axis] + 1;
}

static int64_t offset(const tr_tensor *t, int64_t n, int64_t h, int64_t w, int64_t c)
{
    return n * t->stride[0] + h * t->stride[1] + w * t->stride[2] + c * t->stride[3];
}

typedef struct window_result {
    double max, sum;
    int64_t index, count;
} window_result;

static window_result look(const tr_tensor *x, const tri_pool *p, int64_t n, int64_t i, int64_t j,
                          int64_t c)
{
    window_result z = { -INFINITY, 0, -1, 0 };
    for (int64_t r = 0; r < p->window[0]; r++)
        for (int64_t s = 0; s < p->window[1]; s++) {
            int64_t h = i * p->stride[0] + r * p->dilation[0] - p->pad[0][0];
            int64_t w = j * p->stride[1] + s * p->dilation[1] - p->pad[1][0];
            if (h < 0 || h >= x->shape[1] || w < 0 || w >= x->shape[2]) continue;
            double value = get(x, offset(x, n, h, w, c));
            if (z.index < 0 || value > z.max || (value != value && z.max == z.max)) {
                z.max = value;
                z.index = h * x->shape[2] + w;
            }
            z.sum += value;
            z.count++;
        }
    return z;
}

static void check_maximum(const tr_tensor *x, tr_shape shape, const tri_pool *p, int number)
{
    tr_tensor *y = unset(x->dtype, shape), *expected = tr_empty(x->dtype, shape);
    tr_tensor *index = unset(TR_I64, shape), *where = tr_empty(TR_I64, shape);
    tr_tensor *alone = unset(x->dtype, shape);
    for (int64_t at = 0; at < tr_numel(y); at++) {
        int64_t c = at % shape.dim[3], j = at / shape.dim[3] % shape.dim[2];
        int64_t i = at / shape.dim[3] / shape.dim[2] % shape.dim[1];
        int64_t n = at / shape.dim[3] / shape.dim[2] / shape.dim[1];
        window_result z = look(x, p, n, i, j, c);
        set(expected, at, z.max);
        set(where, at, (double)z.index);
    }
    ck_assert_int_eq(tri_max_pool2d(y, index, x, p), TR_OK);
    ck_assert_int_eq(tri_max_pool2d(alone, NULL, x, p), TR_OK);
    expect_equal(y, expected, "max_pool2d", number);
    expect_equal(alone, expected, "max_pool2d without index", number);
    expect_equal(index, where, "index of max_pool2d", number);

    tr_tensor *gathered = unset(x->dtype, shape);
    ck_assert_int_eq(tri_pool_gather(gathered, x, index), TR_OK);
    expect_equal(gathered, expected, "pool_gather", number);

    tr_tensor *g = draw_tensor(x->dtype, shape), *dx = unset(x->dtype, tr_shape_of(x));
    tr_tensor *sum = tr_zeros(x->dtype, tr_shape_of(x));
    for (int64_t at = 0; at < tr_numel(y); at++) {
        int64_t c = at % shape.dim[3], j = at / shape.dim[3] % shape.dim[2];
        int64_t i = at / shape.dim[3] / shape.dim[2] % shape.dim[1];
        int64_t n = at / shape.dim[3] / shape.dim[2] / shape.dim[1], to = (int64_t)get(where, at);
        to = offset(sum, n, to / x->shape[2], to % x->shape[2], c);
        set(sum, to, get(sum, to) + get(g, offset(g, n, i, j, c)));
    }
    ck_assert_int_eq(tri_max_unpool2d(dx, g, index), TR_OK);
    expect_equal(dx, sum, "max_unpool2d", number);
    dx = unset(x->dtype, tr_shape_of(x));
    ck_assert_int_eq(tri_max_pool2d_dx(dx, g, x, p), TR_OK);
    expect_equal(dx, sum, "max_pool2d_dx", number);
}

static void check_average(const tr_tensor *x, tr_shape shape, const tri_pool *p, int number)
{
    const double tolerance = x->dtype == TR_F32 ? 2e-6 : 1e-14;
    tr_tensor *y = unset(x->dtype, shape), *expected = tr_empty(x->dtype, shape);
    tr_tensor *g = draw_tensor(x->dtype, shape), *dx = unset(x->dtype, tr_shape_of(x));
    tr_tensor *gradient = tr_zeros(TR_F64, tr_shape_of(x));
    for (int64_t at = 0; at < tr_numel(y); at++) {
        int64_t c = at % shape.dim[3], j = at / shape.dim[3] % shape.dim[2];
        int64_t i = at / shape.dim[3] / shape.dim[2] % shape.dim[1];
        int64_t n = at / shape.dim[3] / shape.dim[2] / shape.dim[1];
        window_result z = look(x, p, n, i, j, c);
        double by = (double)(p->count_padding ? p->window[0] * p->window[1] : z.count);
        set(expected, at, z.sum / by);
        for (int64_t h = 0; h < x->shape[1]; h++) /* every pixel that the window covers */
            for (int64_t w = 0; w < x->shape[2]; w++) {
                int64_t r = h + p->pad[0][0] - i * p->stride[0];
                int64_t s = w + p->pad[1][0] - j * p->stride[1];
                if (r < 0 || s < 0 || r % p->dilation[0] || s % p->dilation[1]) continue;
                if (r / p->dilation[0] >= p->window[0] || s / p->dilation[1] >= p->window[1])
                    continue;
                int64_t to = offset(gradient, n, h, w, c);
                set(gradient, to, get(gradient, to) + get(g, offset(g, n, i, j, c)) / by);
            }
    }
    ck_assert_int_eq(tri_avg_pool2d(y, x, p), TR_OK);
    expect_near(y, expected, tolerance, "avg_pool2d", number);
    ck_assert_int_eq(tri_avg_pool2d_dx(dx, g, p), TR_OK);
    expect_near(dx, gradient, tolerance, "avg_pool2d_dx", number);
}

/* Windows side by side, as most networks have them, perhaps with pixels left over, or with one of
 * padding. */
static void draw_side_by_side(tri_pool *p, int axis, int64_t *in, int64_t *out)
{
    p->window[axis] = p->stride[axis] = draw_between(1, 3);
    p->dilation[axis] = 1;
    p->pad[axis][0] = p->pad[axis][1] = 0;
    *out = draw_between(1, 6);
    *in = *out * p->window[axis] + draw(p->window[axis]);
    if (p->window[axis] == 1 || draw(2)) return;
    p->pad[axis][draw(2)] = 1;
    --*in;
}

START_TEST(equals_a_loop_over_windows)
{
    draw_state = 40;
    for (int number = 0; number < 700; number++) {
        tr_scope *scope = tr_scope_push();
        tri_pool p = { .count_padding = draw(2) };
        int64_t h, w, oh, ow, n = draw(40) ? draw_between(1, 3) : 0;
        int64_t c = draw(12) ? draw_between(1, 9) : draw_between(100, 300);
        const bool side_by_side = number % 3 == 0;
        (side_by_side ? draw_side_by_side : draw_axis)(&p, 0, &h, &oh);
        (side_by_side ? draw_side_by_side : draw_axis)(&p, 1, &w, &ow);
        ck_assert_int_eq(tr_set_threads(1 + number % 2), TR_OK);
        tr_tensor *x = draw_tensor(draw(2) ? TR_F32 : TR_F64, TR_SHAPE(n, h, w, c));
        check_maximum(x, TR_SHAPE(n, oh, ow, c), &p, number);
        check_average(x, TR_SHAPE(n, oh, ow, c), &p, number);
        tr_scope_pop(scope);
    }
}
END_TEST

START_TEST(lets_nan_win_and_takes_the_first_of_equals)
{
    const float values[] = { 1, NAN, 3, NAN, 5, 5, -INFINITY, 2, -INFINITY, -INFINITY, 5, 5 };
    const tri_pool p = {
        {1,         4       },
        { 1,        4       },
        { { 0, 0 }, { 0, 0 }},
        { 1,        1       },
        false
    };
    tr_scope *scope = tr_scope_push();
    tr_tensor *x = tr_from(TR_F32, TR_SHAPE(1, 1, 12, 1), values);
    tr_tensor *y = tr_empty(TR_F32, TR_SHAPE(1, 1, 3, 1)),
              *index = tr_empty(TR_I64, TR_SHAPE(1, 1, 3, 1));
    ck_assert_int_eq(tri_max_pool2d(y, index, x, &p), TR_OK);
    ck_assert(isnan(get(y, 0)));
    ck_assert_int_eq((int)get(index, 0), 1);
    ck_assert_double_eq(get(y, 1), 5);
    ck_assert_int_eq((int)get(index, 1), 4);
    ck_assert_int_eq((int)get(index, 2), 10);
    tr_tensor *g = tr_ones(TR_F32, tr_shape_of(y)), *dx = unset(TR_F32, tr_shape_of(x));
    ck_assert_int_eq(tri_max_pool2d_dx(dx, g, x, &p), TR_OK);
    for (int64_t at = 0; at < 12; at++)
        ck_assert_double_eq(get(dx, at), at == 1 || at == 4 || at == 10);
    tr_scope_pop(scope);
}
END_TEST

START_TEST(is_the_same_on_any_number_of_threads)
{
    const tri_pool p = {
        {3,         3       },
        { 2,        2       },
        { { 1, 1 }, { 1, 1 }},
        { 1,        1       },
        false
    };
    tr_scope *scope = tr_scope_push();
    tr_rng rng = tr_rng_seed(5);
    tr_tensor *x = tr_normal(TR_F32, TR_SHAPE(9, 28, 28, 33), &rng), *dx[2], *up[2], *index;
    tr_tensor *g = tr_normal(TR_F32, TR_SHAPE(9, 14, 14, 33), &rng), *y[2], *mean[2];
    for (int t = 0; t < 2; t++) {
        tr_set_threads(t + 1);
        y[t] = unset(TR_F32, tr_shape_of(g));
        mean[t] = unset(TR_F32, tr_shape_of(g));
        index = unset(TR_I64, tr_shape_of(g));
        dx[t] = unset(TR_F32, tr_shape_of(x));
        up[t] = unset(TR_F32, tr_shape_of(x));
        ck_assert_int_eq(tri_max_pool2d(y[t], index, x, &p), TR_OK);
        ck_assert_int_eq(tri_max_unpool2d(up[t], g, index), TR_OK);
        ck_assert_int_eq(tri_avg_pool2d(mean[t], x, &p), TR_OK);
        ck_assert_int_eq(tri_avg_pool2d_dx(dx[t], g, &p), TR_OK);
    }
    expect_equal(y[0], y[1], "max_pool2d", 0);
    expect_equal(up[0], up[1], "max_unpool2d", 0);
    expect_equal(mean[0], mean[1], "avg_pool2d", 0);
    expect_equal(dx[0], dx[1], "avg_pool2d_dx", 0);
    ck_assert_double_eq_tol(dot(mean[0], g), dot(x, dx[0]), 1e-2);
    ck_assert_double_eq_tol(dot(y[0], g), dot(x, up[0]), 1e-2);
    tr_scope_pop(scope);
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { equals_a_loop_over_windows },
        { lets_nan_win_and_takes_the_first_of_equals },
        { is_the_same_on_any_number_of_threads },
        { 0 },
    };
    return run_tests("pool", NULL, NULL, tests);
}
