/* test_conv.c: conv2d and its partial gradients against loops that follow the formula of compute.h
 * letter by letter, over random shapes, strides, paddings, dilations and groups. Inputs are small
 * integers: results must be exact. The bounds of x are tested by comparing coordinates with the
 * shape here, never by the arithmetic that the library uses. */
#include "numeric.h"
#include "tests/suite.h"

#include <math.h>

/* Calls visit for every term x[xi] w[wi] of y[yi], indices counting elements row-major. */
typedef void (*visitor)(void *context, int64_t yi, int64_t xi, int64_t wi);

typedef struct sizes {
    int64_t n, h, w, c, kh, kw, k, oh, ow;
} sizes;

static void every_term(const sizes *z, const tri_conv *o, visitor visit, void *context)
{
    const int64_t cg = z->c / o->groups, kg = z->k / o->groups;
    for (int64_t n = 0; n < z->n; n++)
        for (int64_t i = 0; i < z->oh; i++)
            for (int64_t j = 0; j < z->ow; j++)
                for (int64_t r = 0; r < z->kh; r++)
                    for (int64_t s = 0; s < z->kw; s++) {
                        int64_t row = i * o->stride[0] + r * o->dilation[0] - o->pad[0][0];
                        int64_t col = j * o->stride[1] + s * o->dilation[1] - o->pad[1][0];
                        if (row < 0 || row >= z->h || col < 0 || col >= z->w) continue;
                        for (int64_t k = 0; k < z->k; k++)
                            for (int64_t c = 0; c < cg; c++)
                                visit(context, ((n * z->oh + i) * z->ow + j) * z->k + k,
                                      ((n * z->h + row) * z->w + col) * z->c + k / kg * cg + c,
                                      ((r * z->kw + s) * cg + c) * z->k + k);
                    }
}

typedef struct factors {
    double *y, *x, *w;
} factors;

static void add_y(void *context, int64_t yi, int64_t xi, int64_t wi)
{
    factors *f = context;
    f->y[yi] += f->x[xi] * f->w[wi];
}

static void add_x(void *context, int64_t yi, int64_t xi, int64_t wi)
{
    factors *f = context;
    f->x[xi] += f->y[yi] * f->w[wi];
}

static void add_w(void *context, int64_t yi, int64_t xi, int64_t wi)
{
    factors *f = context;
    f->w[wi] += f->y[yi] * f->x[xi];
}

/* f64, contiguous. */
static tr_tensor *plain(const tr_tensor *t)
{
    tr_tensor *copy = tr_empty(TR_F64, tr_shape_of(t));
    ck_assert_int_eq(tr_assign(copy, t), TR_OK);
    return copy;
}

static tr_tensor *zero_like(const tr_tensor *t)
{
    return tr_zeros(TR_F64, tr_shape_of(t));
}

static int64_t draw_axis(tri_conv *o, int axis, int64_t window, int64_t least, int64_t *in)
{
    o->stride[axis] = draw_between(1, 3);
    o->dilation[axis] = draw_between(1, 3);
    o->pad[axis][0] = draw(4);
    o->pad[axis][1] = draw(4);
    const int64_t reach = (window - 1) * o->dilation[axis] + 1;
    *in = draw_between(least, least + 8);
    while (*in + o->pad[axis][0] + o->pad[axis][1] < reach) (*in)++;
    return (*in + o->pad[axis][0] + o->pad[axis][1] - reach) / o->stride[axis] + 1;
}

/* One in ten is large enough to be cut into tasks. */
static sizes draw_sizes(tri_conv *o)
{
    const bool large = draw(10) == 0;
    sizes z = { .n = draw(30) ? draw_between(1, 3) : 0,
                .kh = draw_between(1, 4),
                .kw = draw_between(1, 4) };
    z.oh = draw_axis(o, 0, z.kh, large ? 14 : 1, &z.h);
    z.ow = draw_axis(o, 1, z.kw, large ? 14 : 1, &z.w);
    o->groups = draw(3) ? 1 : draw_between(2, 4);
    z.c = o->groups * (draw(5) && !large ? draw_between(1, 5) : draw_between(14, 40));
    z.k = o->groups * (draw(5) && !large ? draw_between(1, 5) : draw_between(14, 40));
    if (draw(8) == 0) { /* depthwise */
        z.c = o->groups = draw_between(1, 40);
        z.k = z.c * draw_between(1, 2);
    }
    return z;
}

static void check_forward(const sizes *z, const tri_conv *o, const tr_tensor *x, const tr_tensor *w,
                          int number)
{
    tr_tensor *bias = draw(2) ? draw_tensor(x->dtype, TR_SHAPE(z->k)) : NULL;
    tr_tensor *expected = tr_zeros(TR_F64, TR_SHAPE(z->n, z->oh, z->ow, z->k));
    factors f = { expected->data, plain(x)->data, plain(w)->data };
    every_term(z, o, add_y, &f);
    const bool relu = draw(2);
    for (int64_t i = 0; i < tr_numel(expected); i++) {
        double value = f.y[i] + (bias ? get(bias, i % z->k * bias->stride[0]) : 0);
        f.y[i] = relu && value < 0 ? 0 : value;
    }
    tr_tensor *y = unset(x->dtype, tr_shape_of(expected));
    ck_assert_int_eq(tri_conv2d(y, x, w, bias, o, relu ? TRI_E_RELU : TRI_E_IDENTITY), TR_OK);
    expect_equal(y, expected, "conv2d", number);
}

static void check_gradients(const sizes *z, const tri_conv *o, const tr_tensor *x,
                            const tr_tensor *w, const tr_tensor *g, int number)
{
    tr_tensor *dx = zero_like(x), *dw = zero_like(w);
    factors for_x = { plain(g)->data, dx->data, plain(w)->data };
    factors for_w = { plain(g)->data, plain(x)->data, dw->data };
    every_term(z, o, add_x, &for_x);
    every_term(z, o, add_w, &for_w);
    tr_tensor *got = unset(x->dtype, tr_shape_of(x));
    ck_assert_int_eq(tri_conv2d_dx(got, g, w, NULL, o, TRI_E_IDENTITY), TR_OK);
    expect_equal(got, dx, "conv2d_dx", number);
    got = unset(x->dtype, tr_shape_of(w));
    ck_assert_int_eq(tri_conv2d_dw(got, x, g, o), TR_OK);
    expect_equal(got, dw, "conv2d_dw", number);
}

static void random_cases(void)
{
    draw_state = 30;
    for (int number = 0; number < case_count(500); number++) {
        tr_scope *scope = tr_scope_push();
        tri_conv o;
        sizes z = draw_sizes(&o);
        tr_dtype dtype = draw(2) ? TR_F32 : TR_F64;
        tr_tensor *x = draw_tensor(dtype, TR_SHAPE(z.n, z.h, z.w, z.c));
        tr_tensor *w = draw_tensor(dtype, TR_SHAPE(z.kh, z.kw, z.c / o.groups, z.k));
        tr_tensor *g = draw_tensor(dtype, TR_SHAPE(z.n, z.oh, z.ow, z.k));
        for (int threads = 1; threads <= 2; threads++) {
            ck_assert_int_eq(tr_set_threads(threads), TR_OK);
            check_forward(&z, &o, x, w, number);
            check_gradients(&z, &o, x, w, g, number);
        }
        tr_scope_pop(scope);
    }
}

/* Large enough for many tasks, blocks and pieces of the sum; 1 and 2 threads agree to the bit on
 * fractions, and <conv(x, w), g> = <x, dx(g, w)> = <w, dw(x, g)>. */
static void large_case(int64_t n, int64_t side, int64_t c, int64_t k, int64_t stride)
{
    tr_scope *scope = tr_scope_push();
    const tri_conv o = {
        {stride,    stride  },
        { { 1, 1 }, { 1, 1 }},
        { 1,        1       },
        1
    };
    const int64_t out = (side - 1) / stride + 1;
    tr_rng rng = tr_rng_seed(4);
    tr_tensor *x = tr_normal(TR_F32, TR_SHAPE(n, side, side, c), &rng);
    tr_tensor *w = tr_normal(TR_F32, TR_SHAPE(3, 3, c, k), &rng);
    tr_tensor *g = tr_normal(TR_F32, TR_SHAPE(n, out, out, k), &rng);
    tr_tensor *y[2], *dx[2], *dw[2];
    for (int t = 0; t < 2; t++) {
        tr_set_threads(t + 1);
        y[t] = unset(TR_F32, tr_shape_of(g));
        dx[t] = unset(TR_F32, tr_shape_of(x));
        dw[t] = unset(TR_F32, tr_shape_of(w));
        ck_assert_int_eq(tri_conv2d(y[t], x, w, NULL, &o, TRI_E_IDENTITY), TR_OK);
        ck_assert_int_eq(tri_conv2d_dx(dx[t], g, w, NULL, &o, TRI_E_IDENTITY), TR_OK);
        ck_assert_int_eq(tri_conv2d_dw(dw[t], x, g, &o), TR_OK);
    }
    expect_equal(y[0], y[1], "conv2d", 0);
    expect_equal(dx[0], dx[1], "conv2d_dx", 0);
    expect_equal(dw[0], dw[1], "conv2d_dw", 0);
    const double form = dot(y[0], g), scale = 1e-5 * sqrt(dot(y[0], y[0]) * dot(g, g));
    ck_assert_double_eq_tol(dot(x, dx[0]), form, scale);
    ck_assert_double_eq_tol(dot(w, dw[0]), form, scale);
    tr_scope_pop(scope);
}

static void large_cases(void)
{
    large_case(8, 14, 32, 64, 1);
    large_case(8, 14, 32, 48, 2);
    large_case(16, 28, 1, 32, 1);
    large_case(8, 28, 32, 1, 1);
    large_case(5, 9, 3, 5, 2);
}

START_TEST(equals_the_formula_on_random_cases)
{
    on_every_isa(random_cases);
}
END_TEST

START_TEST(is_adjoint_and_the_same_on_any_number_of_threads)
{
    on_every_isa(large_cases);
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { equals_the_formula_on_random_cases },
        { is_adjoint_and_the_same_on_any_number_of_threads },
        { 0 },
    };
    return run_tests("conv", NULL, NULL, tests);
}
