/* test_gemm.c: the matrix product against the three obvious loops. Inputs are small integers, so
 * that every order of summation gives exactly the same result, and any difference is an error of
 * indexing. The target check-exact runs more cases. */
#include "numeric.h"
#include "tests/suite.h"

#include <math.h>

static double activate(double x, tri_epilogue e)
{
    switch (e) {
    case TRI_E_RELU: return x > 0 ? x : 0;
    case TRI_E_SIGMOID: return 1 / (1 + exp(-x));
    case TRI_E_TANH: return tanh(x);
    default: return x;
    }
}

/* y, contiguous, of any rank. */
static void slow_matmul(tr_tensor *y, const tr_tensor *a, const tr_tensor *b, const tr_tensor *bias,
                        tri_epilogue e)
{
    int rank = y->rank;
    int64_t m = y->shape[rank - 2], n = y->shape[rank - 1], inner = a->shape[rank - 1];
    for (int64_t at = 0; at < tr_numel(y); at++) {
        int64_t j = at % n, i = at / n % m, rest = at / n / m, ao = 0, bo = 0;
        for (int axis = rank - 3; axis >= 0; axis--) {
            ao += rest % y->shape[axis] * a->stride[axis];
            bo += rest % y->shape[axis] * b->stride[axis];
            rest /= y->shape[axis];
        }
        double sum = bias ? get(bias, j * bias->stride[0]) : 0;
        for (int64_t p = 0; p < inner; p++)
            sum += get(a, ao + i * a->stride[rank - 2] + p * a->stride[rank - 1]) *
                   get(b, bo + p * b->stride[rank - 2] + j * b->stride[rank - 1]);
        set(y, at, activate(sum, e));
    }
}

/* Every instruction set, with one thread and with two, must give the expected values. */
static void compare(tr_dtype dtype, tr_shape shape, const tr_tensor *a, const tr_tensor *b,
                    const tr_tensor *bias, tri_epilogue e, int number)
{
    tr_tensor *expected = tr_empty(dtype, shape);
    slow_matmul(expected, a, b, bias, e);
    for (int place = 0; next_isa(&place);) {
        for (int threads = 1; threads <= 2; threads++) {
            ck_assert_int_eq(tr_set_threads(threads), TR_OK);
            tr_tensor *y = unset(dtype, shape);
            ck_assert_int_eq(tri_matmul(y, a, b, bias, e), TR_OK);
            expect_equal(y, expected, "matmul", number);
        }
    }
}

static int64_t draw_size(void)
{
    switch (draw(8)) {
    case 0: return draw(3);
    case 1: return draw_between(60, 200);
    default: return draw_between(1, 40);
    }
}

START_TEST(equals_the_obvious_loops_on_random_cases)
{
    draw_state = 20;
    for (int number = 0; number < case_count(1000); number++) {
        tr_scope *scope = tr_scope_push();
        tr_dtype dtype = draw(3) ? TR_F32 : TR_F64;
        int64_t m = draw_size(), n = draw_size(), k = draw_size();
        int batch = draw(3) ? 0 : (int)draw_between(1, 3);
        tr_shape sa = { .rank = batch + 2 }, sb = sa, sy = sa;
        for (int i = 0; i < batch; i++) sa.dim[i] = sb.dim[i] = sy.dim[i] = draw_between(0, 3);
        sa.dim[batch] = sy.dim[batch] = m;
        sa.dim[batch + 1] = sb.dim[batch] = k;
        sb.dim[batch + 1] = sy.dim[batch + 1] = n;
        tr_tensor *a = draw_tensor(dtype, sa), *b = draw_tensor(dtype, sb), *bias = NULL;
        for (int i = 0; i < batch; i++) { /* repeated matrices */
            if (draw(3) == 0) a->stride[i] = 0;
            if (draw(2)) b->stride[i] = 0;
        }
        if (draw(10) == 0) a->stride[batch] = 0;
        if (draw(10) == 0) b->stride[batch + 1] = 0;
        if (draw(2)) bias = draw_tensor(dtype, TR_SHAPE(n));
        compare(dtype, sy, a, b, bias, draw(2) ? TRI_E_RELU : TRI_E_IDENTITY, number);
        tr_scope_pop(scope);
    }
}
END_TEST

/* Long enough for several blocks, several tasks and pieces of k, in all four orientations. */
START_TEST(equals_the_obvious_loops_on_large_cases)
{
    static const int64_t sizes[][3] = {
        {90,   130,  1100 },
        { 500, 70,   60   },
        { 3,   700,  500  },
        { 33,  20,   9000 },
        { 1,   1,    20000},
        { 1,   300,  784  },
        { 1,   4000, 20   },
        { 784, 1,    300  },
        { 30,  1500, 80   },
        { 33,  300,  1024 }
    };
    draw_state = 21;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        int64_t m = sizes[i][0], n = sizes[i][1], k = sizes[i][2];
        for (int turn = 0; turn < 4; turn++) {
            tr_scope *scope = tr_scope_push();
            int64_t a_turned[] = { 1, m }, b_turned[] = { 1, k };
            tr_dtype dtype = turn % 2 ? TR_F64 : TR_F32;
            tr_tensor *a = draw_plain(dtype, TR_SHAPE(m, k)),
                      *b = draw_plain(dtype, TR_SHAPE(k, n));
            if (turn & 1) a = tri_view(a, TR_SHAPE(m, k), a_turned, 0);
            if (turn & 2) b = tri_view(b, TR_SHAPE(k, n), b_turned, 0);
            tr_tensor *bias = draw_plain(dtype, TR_SHAPE(n));
            compare(dtype, TR_SHAPE(m, n), a, b, bias, TRI_E_RELU, (int)i * 4 + turn);
            compare(dtype, TR_SHAPE(m, n), a, b, NULL, TRI_E_IDENTITY, (int)i * 4 + turn);
            tr_scope_pop(scope);
        }
    }
}
END_TEST

/* Fractions, where order matters: one and two threads must still agree to the bit. */
static void same_bits(void)
{
    static const int64_t sizes[][3] = {
        {256, 200, 784  },
        { 32, 500, 784  },
        { 60, 300, 1024 },
        { 40, 70,  12000},
        { 5,  400, 300  }
    };
    tr_rng rng = tr_rng_seed(3);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        tr_scope *scope = tr_scope_push();
        int64_t m = sizes[i][0], n = sizes[i][1], k = sizes[i][2];
        tr_tensor *a = tr_normal(TR_F32, TR_SHAPE(m, k), &rng);
        tr_tensor *b = tr_normal(TR_F32, TR_SHAPE(k, n), &rng);
        tr_tensor *y[2];
        for (int t = 0; t < 2; t++) {
            tr_set_threads(t + 1);
            y[t] = unset(TR_F32, TR_SHAPE(m, n));
            ck_assert_int_eq(tri_matmul(y[t], a, b, NULL, TRI_E_TANH), TR_OK);
        }
        ck_assert(memcmp(y[0]->data, y[1]->data, (size_t)(m * n) * sizeof(float)) == 0);
        tr_scope_pop(scope);
    }
}

/* Activations other than relu, against libm. */
static void activations(void)
{
    draw_state = 22;
    for (int number = 0; number < 8; number++) {
        tr_scope *scope = tr_scope_push();
        tr_dtype dtype = number % 2 ? TR_F64 : TR_F32;
        tri_epilogue e = number / 2 % 2 ? TRI_E_SIGMOID : TRI_E_TANH;
        tr_shape shape = TR_SHAPE(37, 45);
        tr_tensor *a = draw_plain(dtype, TR_SHAPE(37, 19)),
                  *b = draw_plain(dtype, TR_SHAPE(19, 45));
        tr_tensor *bias = number < 4 ? draw_plain(dtype, TR_SHAPE(45)) : NULL;
        tr_tensor *expected = tr_empty(dtype, shape), *y = unset(dtype, shape);
        slow_matmul(expected, a, b, bias, e);
        ck_assert_int_eq(tri_matmul(y, a, b, bias, e), TR_OK);
        expect_near(y, expected, dtype == TR_F32 ? 1e-6 : 1e-14, "matmul", number);
        tr_scope_pop(scope);
    }
}

START_TEST(gives_the_same_bits_on_any_number_of_threads)
{
    on_every_isa(same_bits);
}
END_TEST

START_TEST(applies_bias_and_activation)
{
    on_every_isa(activations);
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { equals_the_obvious_loops_on_random_cases },
        { equals_the_obvious_loops_on_large_cases },
        { gives_the_same_bits_on_any_number_of_threads },
        { applies_bias_and_activation },
        { 0 },
    };
    return run_tests("gemm", NULL, NULL, tests);
}
