/* test_structure.c: what test_ops.c and the golden cases do not reach in reductions, order, parts,
 * arrangements and indices: second derivatives of composed functions, ties, NaN, zeros in products,
 * empty tensors, views, and the exact text of every error. */
#include "autograd/autograd.h"
#include "tests/numeric.h"
#include "tests/suite.h"

#include <math.h>

#define F64(shape, ...) tr_from(TR_F64, shape, (const double[]){ __VA_ARGS__ })
#define I64(shape, ...) tr_from(TR_I64, shape, (const int64_t[]){ __VA_ARGS__ })
#define V(n)            TR_SHAPE(n)

/* Fails unless t holds exactly these values, row-major; NaN equals NaN. */
static void expect(tr_tensor *t, int64_t n, const double *values)
{
    ck_assert_msg(t != NULL, "%s", tr_error());
    ck_assert_int_eq(tr_numel(t), n);
    tr_tensor *plain = tr_empty(t->dtype, tr_shape_of(t));
    ck_assert_int_eq(tr_assign(plain, t), TR_OK);
    for (int64_t i = 0; i < n; i++) {
        const double a = get(plain, i), b = values[i];
        ck_assert_msg(a == b || (isnan(a) && isnan(b)), "[%d] is %.17g, not %.17g", (int)i, a, b);
    }
}
#define EXPECT(t, ...) \
    expect(t, sizeof((double[]){ __VA_ARGS__ }) / sizeof(double), (const double[]){ __VA_ARGS__ })

/* The gradient of the sum of y by x. */
static tr_tensor *gradient(tr_tensor *y, tr_tensor *x)
{
    tr_tensor            *g = NULL;
    const tr_grad_options o = { .cotangents =
                                    (tr_tensor *[]){ tr_ones(y->dtype, tr_shape_of(y)) } };
    ck_assert_msg(tr_grad(&y, 1, &x, 1, &g, &o) == TR_OK, "%s", tr_error());
    return g;
}

static tr_tensor *numbers(tr_shape shape, uint64_t seed)
{
    tr_rng rng = tr_rng_seed(seed);
    return tr_normal(TR_F64, shape, &rng);
}

/* --- Values at the edges ---------------------------------------------------------------------- */

START_TEST(equals_share_in_amax_and_the_first_wins_in_max)
{
    tr_tensor *x = tr_variable(F64(V(4), 1, 3, 3, 3)), *index;
    EXPECT(gradient(tr_amax(x, TR_ALL_AXES, false), x), 0, 1.0 / 3, 1.0 / 3, 1.0 / 3);
    EXPECT(gradient(tr_max(x, 0, false, &index), x), 0, 1, 0, 0);
    EXPECT(index, 1);
    x = tr_variable(F64(V(4), 2, 0, 0, 5));
    EXPECT(gradient(tr_amin(x, TR_ALL_AXES, false), x), 0, 0.5, 0.5, 0);
    EXPECT(gradient(tr_min(x, 0, true, &index), x), 0, 1, 0, 0);
    EXPECT(index, 1);
    EXPECT(tr_argsort(x, 0, false), 1, 2, 0, 3);
    EXPECT(tr_argsort(x, 0, true), 3, 0, 1, 2);
}
END_TEST

START_TEST(nan_wins_extremes_and_sorts_last)
{
    const double nan = (double)NAN, inf = (double)INFINITY;
    tr_tensor   *x = F64(V(4), 1, nan, inf, -inf);
    EXPECT(tr_amax(x, TR_ALL_AXES, false), nan);
    EXPECT(tr_amin(x, TR_ALL_AXES, false), nan);
    EXPECT(tr_argmax(x, 0, false), 1);
    EXPECT(tr_argmin(x, 0, false), 1);
    EXPECT(tr_argsort(x, 0, false), 3, 0, 2, 1);
    EXPECT(tr_logsumexp(F64(V(2), -inf, -inf), TR_ALL_AXES, false), -inf);
    EXPECT(tr_logsumexp(F64(V(2), inf, 1), TR_ALL_AXES, false), inf);
    EXPECT(tr_logsumexp(x, TR_ALL_AXES, false), nan);
    EXPECT(tr_any(x, TR_ALL_AXES, false), 1);
}
END_TEST

START_TEST(products_differentiate_at_zeros)
{
    tr_tensor *x = tr_variable(F64(V(3), 2, 0, 5));
    EXPECT(gradient(tr_prod(x, TR_ALL_AXES, false), x), 0, 10, 0);
    x = tr_variable(F64(V(3), 0, 0, 5));
    EXPECT(gradient(tr_prod(x, TR_ALL_AXES, false), x), 0, 0, 0);
    EXPECT(gradient(tr_cumprod(x, 0), x), 1, 0, 0);
    x = tr_variable(F64(V(5), 1, 2, 0, 4, 5));
    EXPECT(tr_cumprod(x, 0), 1, 2, 0, 0, 0);
    EXPECT(gradient(tr_cumprod(x, 0), x), 3, 1, 2 + 8 + 40, 0, 0);
}
END_TEST

START_TEST(roots_have_derivative_zero_at_zero)
{
    tr_tensor *x = tr_variable(tr_full(TR_F64, V(3), 0));
    EXPECT(gradient(tr_norm(x, 2, TR_ALL_AXES, false), x), 0, 0, 0);
    EXPECT(gradient(tr_norm(x, 3, TR_ALL_AXES, false), x), 0, 0, 0);
    EXPECT(gradient(tr_norm(x, 1, TR_ALL_AXES, false), x), 0, 0, 0);
    x = tr_variable(tr_full(TR_F64, V(3), 7));
    EXPECT(tr_std(x, TR_ALL_AXES, 1, false), 0);
    EXPECT(gradient(tr_std(x, TR_ALL_AXES, 1, false), x), 0, 0, 0);
    EXPECT(tr_var(F64(V(1), 3), TR_ALL_AXES, 1, false), (double)NAN);
}
END_TEST

START_TEST(empty_tensors)
{
    tr_tensor *x = tr_empty(TR_F64, TR_SHAPE(2, 0));
    EXPECT(tr_prod(x, TR_AXES(1), false), 1, 1);
    EXPECT(tr_any(x, TR_AXES(1), false), 0, 0);
    EXPECT(tr_all(x, TR_AXES(1), false), 1, 1);
    EXPECT(tr_logsumexp(x, TR_AXES(1), false), (double)-INFINITY, (double)-INFINITY);
    ck_assert_int_eq(tr_numel(tr_mean(x, TR_AXES(0), false)), 0);
    ck_assert_int_eq(tr_numel(tr_amax(x, TR_AXES(0), false)), 0);
    ck_assert_int_eq(tr_numel(tr_softmax(x, 1)), 0);
    ck_assert_int_eq(tr_numel(tr_sort(x, 1, false, NULL)), 0);
    ck_assert_int_eq(tr_numel(tr_roll(x, 3, 1)), 0);
    ck_assert_int_eq(tr_dim(tr_repeat(x, TR_SHAPE(2, 3)), 0), 4);
    ck_assert_int_eq(tr_dim(tr_repeat(tr_zeros(TR_F64, TR_SHAPE(2, 3)), TR_SHAPE(0, 2)), 1), 6);
    ck_assert_int_eq(tr_numel(tr_flip(x, TR_AXES(1))), 0);
    ck_assert_int_eq(tr_numel(tr_index_select(x, 0, tr_empty(TR_I64, V(0)))), 0);
    ck_assert_int_eq(tr_numel(tr_masked_select(x, tr_zeros(TR_U8, TR_SHAPE(2, 1)))), 0);
    ck_assert_int_eq(tr_numel(tr_slice(x, 1, 0, TR_END, -1)), 0);
    ck_assert_msg(tr_error() == NULL, "%s", tr_error());
}
END_TEST

START_TEST(slices_are_those_of_python)
{
    const int64_t starts[] = { -7, -5, -2, 0, 1, 3, 4, 5, 9 },
                  stops[] = { -7, -5, -1, 0, 2, 4, 5, 9, TR_END };
    const int64_t steps[] = { 1, 2, 3, 8, INT64_MAX, -1, -2, -8, INT64_MIN };
    tr_tensor    *x = tr_arange(TR_I64, 5);
    for (int a = 0; a < 9; a++)
        for (int b = 0; b < 9; b++)
            for (int c = 0; c < 9; c++) {
                tr_scope     *scope = tr_scope_push();
                const int64_t step = steps[c],
                              end = stops[b] == TR_END ? (step > 0 ? 5 : -1) : stops[b];
                int64_t       i = starts[a] < 0 ? starts[a] + 5 : starts[a], count = 0;
                int64_t       stop = end < 0 && stops[b] != TR_END ? end + 5 : end;
                double        values[5];
                if (step > 0 && i < 0) i = 0;
                if (step < 0 && i > 4) i = 4;
                if (step < 0 && stop < -1) stop = -1;
                for (; step > 0 ? i < stop && i < 5 : i > stop && i >= 0; i += step) {
                    values[count++] = (double)i;
                    if (step > 5 || step < -5) break;
                }
                expect(tr_slice(x, 0, starts[a], stops[b], step), count, values);
                tr_scope_pop(scope);
            }
}
END_TEST

START_TEST(the_last_of_several_scattered_stays)
{
    tr_tensor *x = F64(V(4), 1, 2, 3, 4), *v = tr_variable(F64(V(3), 10, 20, 30));
    tr_tensor *y = tr_scatter(x, 0, I64(V(3), 2, 0, 2), v);
    EXPECT(y, 20, 2, 30, 4);
    EXPECT(gradient(y, v), 0, 1, 1);
    EXPECT(tr_scatter_add(x, 0, I64(V(3), 2, 0, 2), v), 21, 2, 43, 4);
    EXPECT(tr_scatter(x, 0, I64(V(2), 3, 1), v), 1, 20, 3, 10); /* more values than places */
}
END_TEST

START_TEST(nan_is_put_and_covered_by_masks)
{
    const double nan = (double)NAN;
    tr_tensor   *x = F64(TR_SHAPE(2, 2), nan, nan, 1, nan);
    EXPECT(tr_tril(x, -1), 0, 0, 1, 0);
    EXPECT(tr_triu(x, 1), 0, nan, 0, 0);
    EXPECT(tr_scatter(F64(V(2), nan, 1), 0, I64(V(1), 0), F64(V(1), 5)), 5, 1);
}
END_TEST

START_TEST(reshape_views_what_it_can)
{
    tr_tensor *x = tr_reshape(tr_arange(TR_F64, 24), TR_SHAPE(2, 3, 4));
    tr_tensor *columns = tr_slice(x, 2, 0, TR_END, 2); /* [2, 3, 2], evenly spaced: 2 apart */
    ck_assert_ptr_eq(tr_reshape(columns, TR_SHAPE(2, 6))->data, x->data);
    EXPECT(tr_reshape(columns, TR_SHAPE(12)), 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22);
    tr_tensor *turned = tr_permute(x, TR_AXES(2, 0, 1));
    ck_assert_ptr_eq(tr_unsqueeze(turned, 1)->data, x->data);
    ck_assert_ptr_eq(tr_reshape(turned, TR_SHAPE(2, 2, 6))->data, x->data);
    ck_assert_ptr_ne(tr_reshape(turned, TR_SHAPE(24))->data, x->data);
    tr_tensor *odd = tr_reshape(tr_narrow(turned, 0, 0, 3), TR_SHAPE(3, 6));
    EXPECT(odd, 0, 4, 8, 12, 16, 20, 1, 5, 9, 13, 17, 21, 2, 6, 10, 14, 18, 22);
    tr_tensor *same =
        tr_reshape(tr_expand(F64(TR_SHAPE(2, 1), 1, 2), TR_SHAPE(2, 6)), TR_SHAPE(2, 2, 3));
    EXPECT(same, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2);
    EXPECT(tr_reshape(tr_expand(F64(TR_SHAPE(2, 1), 1, 2), TR_SHAPE(2, 2)), V(4)), 1, 1, 2, 2);
}
END_TEST

START_TEST(reshape_equals_a_copy_for_any_strides)
{
    draw_state = 20240607;
    for (int number = 0; number < 3000; number++) {
        tr_scope *scope = tr_scope_push();
        tr_shape  from = { .rank = (int)draw_between(1, 5) }, to = { 0 };
        int64_t   factors[24], count = 0;
        for (int i = 0; i < from.rank; i++) from.dim[i] = draw_between(1, 4);
        for (int i = 0; i < from.rank; i++)
            for (int64_t rest = from.dim[i]; rest > 1;) {
                const int64_t f = rest % 2 == 0 ? 2 : 3;
                factors[count++] = f;
                rest /= f;
            }
        for (int64_t i = 0;
             i < count;) { /* neighbouring factors joined at random, with ones between */
            int64_t size = 1;
            if (to.rank < 7 && draw(4) > 0)
                for (int64_t more = draw(4); more > 0 && i < count; more--) size *= factors[i++];
            else
                while (i < count) size *= factors[i++];
            to.dim[to.rank++] = size;
        }
        tr_tensor *x = draw_tensor(TR_F64, from), *plain = tr_empty(TR_F64, from);
        tr_assign(plain, x);
        tr_tensor *got = tr_empty(TR_F64, to);
        ck_assert_int_eq(tr_assign(got, tr_reshape(x, to)), TR_OK);
        for (int64_t i = 0; i < tr_numel(x); i++) ck_assert(get(got, i) == get(plain, i));
        tr_scope_pop(scope);
    }
}
END_TEST

/* --- Derivatives of composed functions -------------------------------------------------------- */

static tr_tensor *composed_prod(tr_tensor *x) { return tr_prod(x, TR_AXES(1), false); }
static tr_tensor *composed_cumprod(tr_tensor *x) { return tr_cumprod(x, 1); }
static tr_tensor *composed_var(tr_tensor *x) { return tr_var(x, TR_AXES(0), 1, true); }
static tr_tensor *composed_std(tr_tensor *x) { return tr_std(x, TR_AXES(1), 0, false); }
static tr_tensor *composed_norm2(tr_tensor *x) { return tr_norm(x, 2, TR_AXES(1), false); }
static tr_tensor *composed_norm3(tr_tensor *x) { return tr_norm(x, 3, TR_AXES(0), false); }
static tr_tensor *composed_max(tr_tensor *x) { return tr_max(tr_square(x), 1, false, NULL); }
static tr_tensor *composed_topk(tr_tensor *x) { return tr_topk(tr_square(x), 2, 1, true, NULL); }
static tr_tensor *composed_repeat(tr_tensor *x) { return tr_repeat(tr_square(x), TR_SHAPE(2, 3)); }
static tr_tensor *composed_roll(tr_tensor *x) { return tr_mul(tr_roll(x, 1, 1), x); }
static tr_tensor *composed_tril(tr_tensor *x) { return tr_tril(tr_square(x), 0); }
static tr_tensor *composed_diagonal(tr_tensor *x) { return tr_square(tr_diagonal(x, 1)); }
static tr_tensor *composed_flip(tr_tensor *x) { return tr_mul(tr_flip(x, TR_AXES(0, 1)), x); }
static tr_tensor *composed_pad(tr_tensor *x)
{
    return tr_square(tr_pad(x, TR_SHAPE(1, -1), TR_SHAPE(0, 2), 3));
}
static tr_tensor *composed_reflect(tr_tensor *x)
{
    return tr_square(tr_pad_with(x, TR_SHAPE(0, 2), TR_SHAPE(1, 1), TR_PAD_REFLECT));
}
static tr_tensor *composed_scatter(tr_tensor *x)
{
    return tr_mul(tr_scatter(x, 1, I64(TR_SHAPE(1, 2), 1, 1), tr_narrow(tr_square(x), 1, 0, 2)), x);
}
static tr_tensor *composed_embedding(tr_tensor *x)
{
    return tr_square(tr_embedding(x, I64(TR_SHAPE(2, 2), 1, 0, 1, 1)));
}
static tr_tensor *composed_select(tr_tensor *x)
{
    return tr_square(tr_masked_select(x, tr_less(tr_scalar(TR_F64, 0), x)));
}

static tr_tensor *apply_composed(void *context, tr_tensor *const *inputs)
{
    return (*(tr_tensor * (**)(tr_tensor *)) context)(inputs[0]);
}

START_TEST(composed_functions_differentiate_to_order_3)
{
    tr_tensor *(*const functions[])(tr_tensor *) = {
        composed_prod,  composed_cumprod, composed_var,      composed_std,     composed_norm2,
        composed_norm3, composed_max,     composed_topk,     composed_repeat,  composed_roll,
        composed_tril,  composed_diagonal, composed_flip,    composed_pad,     composed_reflect,
        composed_scatter, composed_embedding, composed_select,
    };
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        tr_scope            *scope = tr_scope_push();
        tr_tensor           *x = tr_variable(numbers(TR_SHAPE(3, 4), 5));
        tr_gradcheck_result  result;
        tr_gradcheck_options options = { .order = 3, .tolerance = 1e-5, .table = stderr };
        tr_tensor *(*function)(tr_tensor *) = functions[i];
        ck_assert_msg(tr_gradcheck(apply_composed, &function, &x, 1, &options, &result) == TR_OK,
                      "%d: %s", (int)i, tr_error());
        ck_assert_msg(result.passed, "function %d, order %d: error %g", (int)i, result.order,
                      result.worst_error);
        tr_scope_pop(scope);
    }
}
END_TEST

START_TEST(second_derivative_of_a_product_at_a_zero)
{
    tr_tensor *x = tr_variable(F64(V(3), 0, 3, 5)), *y = tr_prod(x, TR_ALL_AXES, false), *g, *h;
    ck_assert_int_eq(tr_grad(&y, 1, &x, 1, &g, &(tr_grad_options){ .create_graph = true }), TR_OK);
    EXPECT(g, 15, 0, 0);
    tr_tensor *second = tr_select(g, 0, 1); /* d / dx1 = x0 x2 */
    ck_assert_int_eq(tr_grad(&second, 1, &x, 1, &h, NULL), TR_OK);
    EXPECT(h, 5, 0, 0);
}
END_TEST

/* --- Errors ----------------------------------------------------------------------------------- */

START_TEST(errors_of_reductions)
{
    tr_tensor *x = tr_zeros(TR_F32, TR_SHAPE(2, 3)), *none = tr_zeros(TR_F32, TR_SHAPE(2, 0));
    tr_tensor *whole = tr_zeros(TR_I64, TR_SHAPE(2));
    expect_null(tr_mean(none, TR_AXES(1), false), "mean: of no values: x is f32[2, 0]");
    expect_null(tr_amax(none, TR_ALL_AXES, false), "amax: of no values: x is f32[2, 0]");
    expect_null(tr_argmin(none, 1, false), "argmin: of no values: x is f32[2, 0]");
    expect_null(tr_max(none, 1, false, NULL), "max: of no values: x is f32[2, 0]");
    expect_null(tr_mean(tr_arange(TR_I64, 2), TR_ALL_AXES, false),
                "mean: f32 or f64 is needed: x is i64[2]; convert with tr_cast");
    expect_null(tr_var(NULL, TR_ALL_AXES, 1, false), "var: x is NULL");
    expect_null(tr_std(x, TR_AXES(2), 1, false), "std: axis 2 is not in -2 .. 1");
    expect_null(tr_sum(x, TR_AXES(2), false), "sum: axis 2 is not in -2 .. 1");
    expect_null(tr_prod(x, TR_AXES(0, 0), false), "prod: axis 0 is named twice");
    expect_null(tr_softmax(x, -3), "softmax: axis -3 is not in -2 .. 1");
    expect_null(tr_cumsum(x, 5, false), "cumsum: axis 5 is not in -2 .. 1");
    expect_null(tr_norm(x, 0, TR_ALL_AXES, false),
                "norm: the exponent is 0, above 0 is needed: x is f32[2, 3]");
    expect_null(tr_topk(x, 4, 1, true, NULL), "topk: 4 of the 3 values of axis 1: x is f32[2, 3]");
    expect_null(tr_amin(whole, TR_ALL_AXES, false),
                "amin: f32 or f64 is needed: x is i64[2]; convert with tr_cast");
    expect_null(tr_standardize(x, TR_AXES(4), 1, NULL, NULL),
                "standardize: axis 4 is not in -2 .. 1");
}
END_TEST

START_TEST(errors_of_parts)
{
    tr_tensor *x = tr_zeros(TR_F32, TR_SHAPE(2, 3)), *y = tr_zeros(TR_F64, TR_SHAPE(2, 3));
    tr_tensor *z = tr_zeros(TR_F32, TR_SHAPE(3, 4)), *parts[2];
    expect_null(tr_slice(x, 0, 0, 1, 0), "slice: the step is 0: x is f32[2, 3]");
    expect_null(tr_narrow(x, 1, 2, 2),
                "narrow: 2 values from 2 on do not lie within the 3 of axis 1: x is f32[2, 3]");
    expect_null(tr_select(x, 0, 2), "select: index 2 is not in -2 .. 1: x is f32[2, 3]");
    expect_null(tr_concat((tr_tensor *[]){ x, y }, 2, 0),
                "concat: dtypes differ: x is f32[2, 3], x is f64[2, 3]; convert one with tr_cast");
    expect_null(tr_concat((tr_tensor *[]){ x, z }, 2, 0),
                "concat: sizes may differ along the axis only: x is f32[2, 3], x is f32[3, 4]");
    expect_null(tr_stack((tr_tensor *[]){ x, z }, 2, 0),
                "stack: shapes differ: the first is f32[2, 3]: x is f32[3, 4]");
    ck_assert_int_eq(tr_split(x, 1, (const int64_t[]){ 1, 1 }, 2, parts), TR_ERR_VALUE);
    expect_null(parts[0], "split: the sizes do not add up to the 3 of axis 1: x is f32[2, 3]");
    ck_assert_int_eq(tr_chunk(x, 1, 0, parts), TR_ERR_VALUE);
    expect_null(parts[0], "chunk: into 0 parts; 1 or more are needed: x is f32[2, 3]");
    expect_null(
        tr_pad(x, TR_SHAPE(1), TR_SHAPE(1), 0),
        "pad: 1 sizes before and 1 after were given, one per axis is needed: x is f32[2, 3]");
    expect_null(tr_pad(x, TR_SHAPE(-1, 0), TR_SHAPE(-2, 0), 0),
                "pad: -1 and -2 do not fit axis 0: x is f32[2, 3]");
    expect_null(tr_pad_with(x, TR_SHAPE(0, 3), TR_SHAPE(0, 0), TR_PAD_REFLECT),
                "pad_with: axis 1 cannot be padded by 3 and 0: x is f32[2, 3]");
    expect_null(tr_repeat(x, TR_SHAPE(2)),
                "repeat: 1 counts were given, one per axis is needed: x is f32[2, 3]");
    expect_null(tr_repeat(x, TR_SHAPE(1, -1)),
                "repeat: axis 1 cannot be repeated -1 times: x is f32[2, 3]");
    expect_null(tr_squeeze(x, TR_AXES(1)), "squeeze: the size of axis 1 is not 1: x is f32[2, 3]");
    expect_null(tr_unsqueeze(x, 3), "unsqueeze: axis 3 is not in -3 .. 2");
    expect_null(tr_tril(tr_zeros(TR_F32, V(2)), 0), "tril: two axes are needed: x is f32[2]");
    expect_null(tr_diagonal(x, 4), "diagonal: offset 4 is not in -2 .. 3: x is f32[2, 3]");
}
END_TEST

START_TEST(errors_of_indices)
{
    tr_tensor *x = tr_zeros(TR_F32, TR_SHAPE(2, 3)), *v = tr_zeros(TR_F32, V(2));
    expect_null(
        tr_gather(x, 0, I64(TR_SHAPE(1, 3), 0, 2, 0)),
        "gather: index 2 is not below 2, the size of axis 0: x is f32[2, 3], index is i64[1, 3]");
    expect_null(tr_gather(x, 0, I64(TR_SHAPE(1, 3), 0, 1, -1)),
                "gather: index -1 is negative: x is f32[2, 3], index is i64[1, 3]");
    expect_null(
        tr_gather(x, 0, v),
        "gather: the index must be i64: x is f32[2, 3], index is f32[2]; convert it with tr_cast");
    expect_null(
        tr_gather(x, 0, I64(V(1), 0)),
        "gather: the sizes of x and index differ beside axis 0: x is f32[2, 3], index is i64[1]");
    expect_null(tr_gather(x, 1, tr_zeros(TR_I64, TR_SHAPE(3, 3))),
                "gather: the sizes of x and index differ beside axis 1: x is f32[2, 3], index is "
                "i64[3, 3]");
    expect_null(
        tr_index_select(x, 1, I64(V(1), 3)),
        "index_select: index 3 is not below 3, the size of axis 1: x is f32[2, 3], index is "
        "i64[2, 1]");
    expect_null(tr_index_select(x, 1, tr_zeros(TR_I64, TR_SHAPE(1, 1))),
                "index_select: the index has 2 axes, 1 is needed: x is f32[2, 3]");
    expect_null(tr_embedding(v, I64(V(1), 0)),
                "embedding: the table needs two axes, [entries, size]: table is f32[2]");
    expect_null(
        tr_scatter(v, 0, I64(V(1), 7), v),
        "scatter: index 7 is not below 2, the size of axis 0: x is f32[1], index is i64[1]");
    expect_null(
        tr_scatter_add(x, 0, tr_zeros(TR_I64, TR_SHAPE(1, 4)), tr_zeros(TR_F32, TR_SHAPE(1, 4))),
        "scatter_add: the index is larger along axis 1: x is f32[2, 3]");
    expect_null(tr_one_hot(I64(V(2), 0, 4), 4, TR_F32),
                "one_hot: 4 is not one of 4 classes: index is i64[2]");
    expect_null(tr_nonzero(x), "nonzero: a mask must be u8: x is f32[2, 3]");
    expect_null(tr_take_along_axis(x, I64(V(1), 0), 0),
                "take_along_axis: the index has 1 axes, 2 are needed: x is f32[2, 3]");
    expect_null(tr_masked_select(x, tr_zeros(TR_U8, V(2))),
                "masked_select: the mask does not broadcast: x is f32[2, 3]");
    expect_null(tr_gather(NULL, 0, NULL), "gather: the tensor is NULL");
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { equals_share_in_amax_and_the_first_wins_in_max },
        { nan_wins_extremes_and_sorts_last },
        { products_differentiate_at_zeros },
        { roots_have_derivative_zero_at_zero },
        { empty_tensors },
        { slices_are_those_of_python },
        { the_last_of_several_scattered_stays },
        { nan_is_put_and_covered_by_masks },
        { reshape_views_what_it_can },
        { reshape_equals_a_copy_for_any_strides },
        { composed_functions_differentiate_to_order_3 },
        { second_derivative_of_a_product_at_a_zero },
        { errors_of_reductions },
        { errors_of_parts },
        { errors_of_indices },
        { 0 },
    };
    return run_tests("structure", NULL, NULL, tests);
}
