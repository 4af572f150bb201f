/* Reductions, argmax, running sums and softmax against slow loops in f64; the accuracy of long
 * sums; the same bits with one thread and with two. */
#include "cases.h"
#include "tests/suite.h"

static void reductions(void)
{
    draw_state = 21;
    for (int i = 0; i < 300; i++) {
        tr_scope *scope = tr_scope_push();
        const tr_dtype dtype = draw(2) ? TR_F32 : TR_F64;
        const tr_shape shape = draw_shape();
        tr_shape kept = shape;
        bool axes[TR_MAX_RANK] = { false };
        for (int a = 0; a < shape.rank; a++) {
            axes[a] = draw(2);
            if (axes[a]) kept.dim[a] = 1;
        }
        tr_tensor *x = draw_any(dtype, shape), *y = unset(dtype, kept), *want = unset(TR_F64, kept);
        if (draw(8) == 0 && tr_numel(x) > 0) set(x, 0, NAN);
        const tri_reduce_id id = (tri_reduce_id)draw(4);
        if (id >= TRI_R_MAX && tr_numel(x) == 0) continue;
        const double start[] = { 0, 1, -INFINITY, INFINITY };
        for (int64_t n = 0; n < tr_numel(want); n++) set(want, n, start[id]);
        for (int64_t n = 0; n < tr_numel(x); n++) {
            int64_t at[TR_MAX_RANK];
            split_place(shape, n, at);
            for (int a = 0; a < shape.rank; a++) at[a] = axes[a] ? 0 : at[a];
            const int64_t to = join_place(want, at);
            const double v = value_at(x, n), w = get(want, to);
            const double next[] = { w + v, w * v, v > w || v != v ? v : w,
                                    v < w || v != v ? v : w };
            set(want, to, w != w ? w : next[id]);
        }
        ck_assert_int_eq(tri_reduce(id, y, x, axes), TR_OK);
        if (id == TRI_R_PROD && dtype == TR_F32) { /* what overflows f32 does so in the result */
            for (int64_t n = 0; n < tr_numel(want); n++) set(want, n, (float)get(want, n));
        }
        for (int64_t n = 0; n < tr_numel(want); n++) {
            const double got = get(y, n), w = get(want, n);
            const bool close = fabs(got - w) <= 1e-6 * fabs(w) + 1e-300;
            const bool lost = id == TRI_R_PROD && (isinf(got) || got == 0 || got != got);
            ck_assert_msg(got == w || (got != got && w != w) || (id == TRI_R_PROD && close) || lost,
                          "reduction %d, case %d, %s: [%ld] %g, not %g", id, i, tr_isa(), (long)n,
                          got, w);
        }
        tr_scope_pop(scope);
    }
    ck_assert_ptr_null(tr_error());
}

START_TEST(test_reductions)
{
    on_every_machine(reductions);
}
END_TEST

/* 5,000,000 values near 1 in f32: one running sum would be wrong in the third digit. */
static void long_sums(void)
{
    enum { ROWS = 1250, COLUMNS = 4000 };
    tr_scope *scope = tr_scope_push();
    tr_rng rng = tr_rng_seed(5);
    tr_tensor *x = tr_uniform(TR_F32, TR_SHAPE(ROWS, COLUMNS), &rng);
    float *values = x->data;
    double total = 0, first = 0;
    for (int64_t n = 0; n < ROWS * COLUMNS; n++) {
        total += (double)(values[n] += 0.5f);
        if (n % 8 == 0) first += (double)values[n];
    }
    tr_tensor *y = unset(TR_F32, TR_SHAPE(1, 1));
    tri_reduce(TRI_R_SUM, y, x, (const bool[TR_MAX_RANK]){ true, true });
    ck_assert_double_eq_tol(get(y, 0) / total, 1, 2e-7);
    tr_tensor *tall = tri_view(x, TR_SHAPE(ROWS * COLUMNS / 8, 8), (const int64_t[]){ 8, 1 }, 0);
    tr_tensor *columns = unset(TR_F32, TR_SHAPE(1, 8));
    tri_reduce(TRI_R_SUM, columns, tall, (const bool[TR_MAX_RANK]){ true, false });
    ck_assert_double_eq_tol(get(columns, 0) / first, 1, 1e-6);
    tr_scope_pop(scope);
}

START_TEST(test_long_sums)
{
    on_every_isa(long_sums);
}
END_TEST

/* Sums along a middle axis that is taken in pieces: y[o, i] = sum over r of o + 3 r + 7 i. */
static void middle_sums(void)
{
    enum { OUTER = 3, ROWS = 1000 };
    const bool middle[TR_MAX_RANK] = { false, true };
    for (int64_t inner = 1; inner <= 300; inner += 13) {
        tr_scope *scope = tr_scope_push();
        tr_tensor *x = tr_empty(TR_F64, TR_SHAPE(OUTER, ROWS, inner));
        for (int64_t at = 0; at < tr_numel(x); at++)
            set(x, at, (double)(at / inner / ROWS + 3 * (at / inner % ROWS) + 7 * (at % inner)));
        tr_tensor *y = unset(TR_F64, TR_SHAPE(OUTER, 1, inner));
        ck_assert_int_eq(tri_reduce(TRI_R_SUM, y, x, middle), TR_OK);
        for (int64_t at = 0; at < tr_numel(y); at++)
            ck_assert_double_eq(get(y, at), (double)(ROWS * (at / inner + 7 * (at % inner)) +
                                                     3 * (ROWS * (ROWS - 1) / 2)));
        tr_scope_pop(scope);
    }
}

START_TEST(test_middle_sums)
{
    on_every_isa(middle_sums);
}
END_TEST

/* Sums and softmax of real numbers, rows and columns, bit for bit. */
static void same_bits(void)
{
    tr_scope *scope = tr_scope_push();
    tr_rng rng = tr_rng_seed(6);
    tr_tensor *x = tr_normal(TR_F32, TR_SHAPE(300, 20000), &rng);
    const bool row[TR_MAX_RANK] = { false, true }, column[TR_MAX_RANK] = { true, false };
    tr_tensor *r[2], *c[2], *s[2];
    for (int k = 0; k < 2; k++) {
        ck_assert_int_eq(tr_set_threads(k + 1), TR_OK);
        r[k] = unset(TR_F32, TR_SHAPE(300, 1));
        c[k] = unset(TR_F32, TR_SHAPE(1, 20000));
        s[k] = unset(TR_F32, TR_SHAPE(300, 20000));
        tri_reduce(TRI_R_SUM, r[k], x, row);
        tri_reduce(TRI_R_SUM, c[k], x, column);
        tri_softmax(s[k], x, 0, false);
    }
    ck_assert_mem_eq(r[0]->data, r[1]->data, 300 * sizeof(float));
    ck_assert_mem_eq(c[0]->data, c[1]->data, 20000 * sizeof(float));
    ck_assert_mem_eq(s[0]->data, s[1]->data, 300 * 20000 * sizeof(float));
    tr_scope_pop(scope);
}

START_TEST(test_same_bits)
{
    on_every_isa(same_bits);
}
END_TEST

static void scans(void)
{
    draw_state = 22;
    for (int i = 0; i < 200; i++) {
        tr_scope *scope = tr_scope_push();
        tr_shape shape = draw_shape();
        if (shape.rank == 0) shape = TR_SHAPE(draw_between(1, 5));
        const tr_dtype dtype = draw(2) ? TR_F32 : TR_F64;
        const int axis = (int)draw(shape.rank);
        const bool flag = draw(2), reverse = draw(2);
        tr_tensor *x = draw_any(dtype, shape), *y = unset(dtype, shape);
        tr_shape one = shape;
        one.dim[axis] = 1;
        tr_tensor *best = unset(TR_I64, one);
        if (tr_numel(x) > 0) {
            if (draw(5) == 0) set(x, 0, NAN);
            ck_assert_int_eq(tri_argmax(best, x, axis, flag), TR_OK);
        }
        if (shape.dim[axis] < 100) ck_assert_int_eq(tri_cumulate(y, x, axis, flag, reverse), TR_OK);
        for (int64_t line = 0; line < tr_numel(best); line++) {
            int64_t at[TR_MAX_RANK], want = 0;
            split_place(one, line, at);
            const int64_t length = tr_numel(x) > 0 ? shape.dim[axis] : 0;
            double top = NAN, running = flag ? 1 : 0;
            for (int64_t k = 0; k < length; k++) {
                at[axis] = k;
                const double v = get(x, join_place(x, at));
                const bool beats = flag ? v < top : v > top;
                if (k == 0 || (top == top && (beats || v != v))) want = k, top = v;
            }
            if (length > 0) ck_assert_int_eq((int64_t)get(best, line), want);
            for (int64_t k = 0; k < length && length < 100; k++) {
                at[axis] = reverse ? length - 1 - k : k;
                const double v = get(x, join_place(x, at)), got = get(y, join_place(y, at));
                running = flag ? running * v : running + v;
                const double r = dtype == TR_F32 ? (float)running : running;
                ck_assert_msg(got == r || (got != got && r != r), "case %d: %g, not %g", i, got, r);
            }
        }
        tr_scope_pop(scope);
    }
}

START_TEST(test_scans)
{
    on_every_machine(scans);
}
END_TEST

static void softmaxes(void)
{
    draw_state = 23;
    for (int i = 0; i < 100; i++) {
        tr_scope *scope = tr_scope_push();
        tr_shape shape = draw_shape();
        if (shape.rank == 0) shape = TR_SHAPE(draw_between(1, 5));
        const tr_dtype dtype = draw(2) ? TR_F32 : TR_F64;
        const int axis = (int)draw(shape.rank);
        tr_tensor *x = draw_any(dtype, shape), *y = unset(dtype, shape), *z = unset(dtype, shape);
        if (draw(2)) { /* far from zero: no overflow */
            tr_tensor *far = unset(dtype, shape);
            tri_unary(TRI_U_affine, far, x, (const double[]){ 1, draw(2) ? 1000 : -1000 });
            x = far;
        }
        ck_assert_int_eq(tri_softmax(y, x, axis, false), TR_OK);
        ck_assert_int_eq(tri_softmax(z, x, axis, true), TR_OK);
        tr_shape one = shape;
        one.dim[axis] = tr_numel(x) > 0 ? 1 : 0;
        for (int64_t line = 0; line < tri_shape_numel(one); line++) {
            int64_t at[TR_MAX_RANK];
            double sum = 0;
            split_place(one, line, at);
            const double shift = get(x, join_place(x, at));
            for (at[axis] = 0; at[axis] < shape.dim[axis]; at[axis]++) {
                sum += exp(get(x, join_place(x, at)) - shift);
            }
            for (at[axis] = 0; at[axis] < shape.dim[axis]; at[axis]++) {
                const double v = get(x, join_place(x, at)) - shift - log(sum);
                const double tolerance = dtype == TR_F32 ? 2e-6 : 1e-13;
                ck_assert_double_eq_tol(get(z, join_place(z, at)), v, tolerance * 10);
                ck_assert_double_eq_tol(get(y, join_place(y, at)), exp(v), tolerance * exp(v));
            }
        }
        tr_scope_pop(scope);
    }
}

START_TEST(test_softmax)
{
    on_every_machine(softmaxes);
}
END_TEST

/* Masked cotangents and their column sums; integers, so exactly; a few columns to several vectors.
 */
static void relu_gradients(void)
{
    draw_state = 21;
    for (int number = 0; number < 60; number++) {
        tr_scope *scope = tr_scope_push();
        const tr_dtype dtype = draw(2) ? TR_F32 : TR_F64;
        const tr_shape shape = TR_SHAPE(draw(12), draw_between(1, 70), draw_between(1, 150));
        const int64_t n = shape.dim[2];
        tr_tensor *g = draw_tensor(dtype, shape), *y = draw_tensor(dtype, shape);
        tr_tensor *u = unset(dtype, shape), *sum = unset(dtype, TR_SHAPE(n));
        tr_tensor *masked = tr_zeros(dtype, shape), *columns = tr_zeros(dtype, TR_SHAPE(n));
        for (int64_t i = 0; i < tr_numel(u); i++) {
            if (!(value_at(y, i) > 0)) continue;
            set(masked, i, value_at(g, i));
            set(columns, i % n, get(columns, i % n) + value_at(g, i));
        }
        ck_assert_int_eq(tri_relu_gradient(u, sum, g, y), TR_OK);
        expect_equal(u, masked, "relu_gradient", number);
        expect_equal(sum, columns, "sums of relu_gradient", number);
        tr_scope_pop(scope);
    }
}

START_TEST(test_relu_gradient)
{
    on_every_machine(relu_gradients);
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { test_reductions },
        { test_long_sums },
        { test_middle_sums },
        { test_same_bits },
        { test_scans },
        { test_softmax },
        { test_relu_gradient },
        { 0 },
    };
    return run_tests("reduce", NULL, NULL, tests);
}
