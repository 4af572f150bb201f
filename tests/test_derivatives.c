/* test_derivatives.c: Jacobians, Hessians and products against formulas, hooks, checkpoints. */
#include "nn/nn.h"
#include "tensor/core.h"
#include "tests/suite.h"

#include <math.h>
#include <string.h>

static double largest_difference(tr_tensor *a, tr_tensor *b)
{
    ck_assert_msg(a != NULL && b != NULL, "%s", tr_error());
    ck_assert(tr_same_shape(a, b));
    return tr_item(tr_amax(tr_abs(tr_sub(a, b)), TR_ALL_AXES, false));
}

static tr_tensor *normal(tr_shape shape, uint64_t seed)
{
    tr_rng rng = tr_rng_seed(seed);
    return tr_normal(TR_F64, shape, &rng);
}

/* y = tanh(A x): dy_i/dx_j = (1 - y_i^2) A_ij */
static tr_tensor *layer(void *a, tr_tensor *const *in)
{
    return tr_tanh(tr_matmul(a, in[0]));
}

/* y = sum_i exp(x_i) x_(i+1 mod n) */
static tr_tensor *coupled(void *unused, tr_tensor *const *in)
{
    (void)unused;
    return tr_sum(tr_mul(tr_exp(in[0]), tr_roll(in[0], -1, 0)), TR_ALL_AXES, false);
}

static tr_tensor *constant(void *value, tr_tensor *const *in)
{
    (void)in;
    return value;
}

START_TEST(jacobian_is_the_formula)
{
    tr_tensor *a = normal(TR_SHAPE(4, 3), 1), *x = normal(TR_SHAPE(3), 2);
    tr_tensor *y = layer(a, &x), *slope = tr_affine(tr_square(y), -1, 1);
    tr_tensor *expected = tr_mul(tr_reshape(slope, TR_SHAPE(4, 1)), a);
    ck_assert_double_lt(largest_difference(tr_jacobian(layer, a, x), expected), 1e-14);
    tr_tensor *v = normal(TR_SHAPE(3), 3);
    ck_assert_double_lt(largest_difference(tr_jvp(layer, a, x, v), tr_matmul(expected, v)), 1e-14);
    ck_assert(!x->requires_grad); /* the caller's tensor is left as it was */
}
END_TEST

START_TEST(hessian_is_the_formula)
{
    const int64_t n = 4;
    tr_tensor    *x = normal(TR_SHAPE(n), 5), *v = normal(TR_SHAPE(n), 6);
    tr_tensor    *h = tr_hessian(coupled, NULL, x);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
            const double xi = tr_at(x, TR_SHAPE(i)), xj = tr_at(x, TR_SHAPE(j));
            double       expected = 0;
            if (i == j) expected += exp(xi) * tr_at(x, TR_SHAPE((i + 1) % n));
            if (j == (i + 1) % n) expected += exp(xi);
            if (i == (j + 1) % n) expected += exp(xj);
            ck_assert_double_lt(fabs(tr_at(h, TR_SHAPE(i, j)) - expected), 1e-13);
        }
    ck_assert_double_lt(largest_difference(tr_hvp(coupled, NULL, x, v), tr_matmul(h, v)), 1e-13);
}
END_TEST

START_TEST(constants_have_zero_derivatives)
{
    tr_tensor *c = tr_ones(TR_F64, TR_SCALAR), *x = normal(TR_SHAPE(2), 1),
              *v = normal(TR_SHAPE(2), 2);
    ck_assert(tr_item(tr_sum(tr_jacobian(constant, c, x), TR_ALL_AXES, false)) == 0);
    ck_assert(tr_item(tr_sum(tr_hessian(constant, c, x), TR_ALL_AXES, false)) == 0);
    ck_assert(tr_item(tr_sum(tr_hvp(constant, c, x, v), TR_ALL_AXES, false)) == 0);
    ck_assert(tr_item(tr_jvp(constant, c, x, v)) == 0);
    ck_assert_ptr_null(tr_error());
}
END_TEST

START_TEST(wrong_directions_are_refused)
{
    tr_tensor *x = normal(TR_SHAPE(3), 1), *a = normal(TR_SHAPE(2, 3), 1);
    ck_assert_ptr_null(tr_jvp(layer, a, x, normal(TR_SHAPE(2), 1)));
    expect_error(TR_ERR_SHAPE, "jvp: the direction is f64[2], x is f64[3]");
    ck_assert_ptr_null(tr_hvp(coupled, NULL, x, tr_zeros(TR_F32, TR_SHAPE(3))));
    expect_error(TR_ERR_SHAPE, "hvp: the direction is f32[3], x is f64[3]");
    ck_assert_ptr_null(tr_jacobian(layer, a, NULL));
    expect_error(TR_ERR_VALUE, "jacobian: the tensor is NULL");
    tr_tensor *wide = tr_zeros(TR_F64, TR_SHAPE(1, 1, 1, 1, 1));
    ck_assert_ptr_null(tr_jacobian(layer, normal(TR_SHAPE(1, 1, 1, 1, 1), 1), wide));
    expect_error(TR_ERR_SHAPE, "jacobian: the result would have 10 axes; at most 8 fit");
}
END_TEST

/* --- Hooks ------------------------------------------------------------------------------------ */

static int    calls;
static double seen;

static tr_tensor *watch(void *context, tr_tensor *g)
{
    (void)context;
    calls++;
    seen = tr_item(tr_sum(g, TR_ALL_AXES, false));
    return NULL;
}

static tr_tensor *halve(void *context, tr_tensor *g)
{
    (void)context;
    return tr_scale(g, 0.5);
}

static tr_tensor *spoil(void *context, tr_tensor *g)
{
    (void)context;
    return tr_reshape(g, TR_SHAPE(1, 2));
}

START_TEST(hooks_see_and_replace)
{
    tr_tensor *x = tr_variable(tr_full(TR_F64, TR_SHAPE(2), 3));
    tr_tensor *h = tr_square(x); /* used twice: the hook sees the sum, once */
    tr_add_hook(h, halve, NULL);
    tr_add_hook(h, watch, NULL);
    calls = 0;
    tr_backward(tr_sum(tr_add(h, tr_scale(h, 3)), TR_ALL_AXES, false));
    ck_assert_int_eq(calls, 1);
    ck_assert(seen == 4);                              /* (1 + 3) / 2, twice */
    ck_assert(tr_at(x->grad, TR_SHAPE(0)) == 2 * 6);   /* half of 4 times 2 x */

    tr_tensor *leaf = tr_variable(tr_full(TR_F64, TR_SHAPE(2), 3));
    tr_add_hook(leaf, halve, NULL);
    tr_backward(tr_sum(tr_add(tr_square(leaf), leaf), TR_ALL_AXES, false));
    ck_assert(tr_at(leaf->grad, TR_SHAPE(1)) == 3.5);
    tr_add_hook(leaf, spoil, NULL);
    ck_assert_int_eq(tr_backward(tr_sum(tr_square(leaf), TR_ALL_AXES, false)), TR_ERR_SHAPE);
    expect_error(TR_ERR_SHAPE, "hook: it returned f64[1, 2] as the gradient of f64[2]");
}
END_TEST

/* --- Checkpoints ------------------------------------------------------------------------------ */

/* in: x, w1, w2, and noise from a copied generator */
static tr_tensor *segment(void *rng, tr_tensor *const *in)
{
    tr_rng     copy = *(const tr_rng *)rng;
    tr_tensor *h = tr_dropout(tr_tanh(tr_matmul(in[0], in[1])), 0.5, &copy);
    return tr_matmul(h, in[2]);
}

static void gradients(bool checkpoint, tr_tensor **in, tr_tensor **g, bool again)
{
    const tr_grad_options options = { .create_graph = again };
    tr_rng                rng = tr_rng_seed(3);
    tr_tensor            *x = tr_square(in[0]), *inputs[3] = { x, in[1], in[2] };
    tr_tensor *y = checkpoint ? tr_checkpoint(segment, &rng, inputs, 3) : segment(&rng, inputs);
    tr_tensor            *loss = tr_sum(tr_square(y), TR_ALL_AXES, false);
    ck_assert_int_eq(tr_grad(&loss, 1, in, 3, g, &options), TR_OK);
    if (!again) return;
    tr_tensor *penalty = tr_sum(tr_square(g[0]), TR_ALL_AXES, false);
    ck_assert_int_eq(tr_grad(&penalty, 1, in, 3, g, NULL), TR_OK);
}

START_TEST(checkpoint_gives_the_same_bits)
{
    const tr_shape shapes[3] = { TR_SHAPE(5, 4), TR_SHAPE(4, 6), TR_SHAPE(6, 2) };
    tr_tensor     *in[3], *plain[3], *kept[3];
    for (int i = 0; i < 3; i++) {
        tr_rng rng = tr_rng_stream(1, (uint64_t)i);
        in[i] = tr_variable(tr_normal(TR_F32, shapes[i], &rng));
    }
    for (int order = 1; order <= 2; order++) {
        gradients(false, in, plain, order == 2);
        gradients(true, in, kept, order == 2);
        for (int i = 0; i < 3; i++)
            ck_assert_msg(
                order == 1
                    ? memcmp(plain[i]->data, kept[i]->data, 4 * (size_t)tr_numel(plain[i])) == 0
                    : largest_difference(plain[i], kept[i]) <
                          1e-5 * largest_difference(plain[i], tr_scale(plain[i], 0)),
                "order %d, input %d", order, i); /* order 2 sums in another order */
    }
}
END_TEST

static tr_tensor *tower(void *unused, tr_tensor *const *in)
{
    (void)unused;
    tr_tensor *x = in[0];
    for (int i = 0; i < 50; i++) x = tr_tanh(x);
    return x;
}

static int64_t live_after(bool checkpoint)
{
    tr_scope  *scope = tr_scope_push();
    tr_tensor *x = tr_variable(tr_full(TR_F32, TR_SHAPE(10000), 0.5));
    const int64_t before = tr_memory().live_bytes;
    tr_tensor *y = checkpoint ? tr_checkpoint(tower, NULL, &x, 1) : tower(NULL, &x);
    const int64_t held = tr_memory().live_bytes - before;
    ck_assert_ptr_nonnull(y);
    tr_scope_pop(scope);
    return held;
}

START_TEST(checkpoint_keeps_little)
{
    ck_assert_int_gt(live_after(false), 50 * 40000);
    ck_assert_int_lt(live_after(true), 3 * 40000);
}
END_TEST

static tr_tensor *nothing(void *context, tr_tensor *const *in)
{
    (void)context, (void)in;
    return NULL;
}

START_TEST(a_checkpoint_of_nothing_is_refused)
{
    tr_tensor *x = tr_variable(normal(TR_SHAPE(2), 1));
    ck_assert_ptr_null(tr_checkpoint(nothing, NULL, &x, 1));
    expect_error(TR_ERR_STATE, "checkpoint: the segment returned NULL without an error");
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { jacobian_is_the_formula },
        { hessian_is_the_formula },
        { constants_have_zero_derivatives },
        { wrong_directions_are_refused },
        { hooks_see_and_replace },
        { checkpoint_gives_the_same_bits },
        { checkpoint_keeps_little },
        { a_checkpoint_of_nothing_is_refused },
        { 0 },
    };
    return run_tests("derivatives", NULL, NULL, tests);
}
