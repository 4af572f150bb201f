/* Gather, scatter-add, sorting and the range of indices against loops over single elements. */
#include "cases.h"
#include "tests/suite.h"

static double modulo(int64_t value, int64_t bound)
{
    return (double)(((value % bound) + bound) % bound);
}

/* Indices in [0, bound) of the given shape; sometimes one per row, repeated along the later axes.
 */
static tr_tensor *draw_index(tr_shape shape, int axis, int64_t bound)
{
    tr_tensor *t = draw_plain(TR_I64, shape);
    for (int64_t n = 0; n < tr_numel(t); n++) set(t, n, modulo(draw(1000), bound));
    if (draw(2)) {
        for (int a = axis + 1; a < t->rank; a++) t->stride[a] = 0;
    }
    return t;
}

static void indexing(void)
{
    draw_state = 31;
    for (int i = 0; i < 150; i++) {
        tr_scope *scope = tr_scope_push();
        tr_shape shape = draw_shape();
        if (shape.rank == 0) shape = TR_SHAPE(draw_between(1, 5));
        const tr_dtype dtype = (tr_dtype)draw(3);
        const int axis = (int)draw(shape.rank);
        tr_shape table = shape;
        table.dim[axis] = draw_between(1, 9);
        tr_tensor *index = draw_index(shape, axis, table.dim[axis]);
        tr_tensor *x = draw_any(dtype, table), *y = unset(dtype, shape),
                  *want = unset(dtype, shape);
        ck_assert_int_eq(tri_gather(y, x, index, axis), TR_OK);
        for (int64_t n = 0; n < tr_numel(y); n++) {
            int64_t at[TR_MAX_RANK];
            split_place(shape, n, at);
            at[axis] = (int64_t)get(index, join_place(index, at));
            set(want, n, get(x, join_place(x, at)));
        }
        expect_equal(y, want, "gather", i);
        tr_tensor *from = draw_any(dtype, shape);
        tr_tensor *sums = tr_ones(dtype, table), *want_sums = tr_ones(dtype, table);
        ck_assert_int_eq(tri_scatter_add(sums, from, index, axis), TR_OK);
        for (int64_t n = 0; n < tr_numel(from); n++) {
            int64_t at[TR_MAX_RANK];
            split_place(shape, n, at);
            const double v = get(from, join_place(from, at));
            at[axis] = (int64_t)get(index, join_place(index, at));
            const int64_t to = join_place(want_sums, at);
            set(want_sums, to, get(want_sums, to) + v);
        }
        expect_equal(sums, want_sums, "scatter_add", i);
        tr_scope_pop(scope);
    }
    ck_assert_ptr_null(tr_error());
}

START_TEST(test_indexing)
{
    on_every_machine(indexing);
}
END_TEST

/* Does b, later in the line, rightly stand after a? */
static bool in_order(double a, double b, int64_t at_a, int64_t at_b, bool descending)
{
    if (a != a) return b != b && at_a < at_b;
    if (b != b) return true;
    return a == b ? at_a < at_b : descending ? a > b : a < b;
}

static void sorting(void)
{
    draw_state = 32;
    for (int i = 0; i < 150; i++) {
        tr_scope *scope = tr_scope_push();
        tr_shape shape = draw_shape();
        if (shape.rank == 0) shape = TR_SHAPE(draw_between(1, 5));
        const tr_dtype dtype = (tr_dtype)draw(4);
        const int axis = (int)draw(shape.rank);
        const bool descending = draw(2);
        tr_tensor *x = draw_any(dtype, shape), *index = unset(TR_I64, shape);
        if (tr_numel(x) > 0 && dtype <= TR_F64) set(x, 0, draw(2) ? NAN : -0.0);
        ck_assert_int_eq(tri_argsort(index, x, axis, descending), TR_OK);
        for (int64_t n = 0; n < tr_numel(x); n++) {
            int64_t at[TR_MAX_RANK], next[TR_MAX_RANK];
            split_place(shape, n, at);
            if (at[axis] + 1 == shape.dim[axis]) continue;
            memcpy(next, at, sizeof at);
            next[axis]++;
            const int64_t a = (int64_t)get(index, join_place(index, at));
            const int64_t b = (int64_t)get(index, join_place(index, next));
            ck_assert(a >= 0 && b >= 0 && a < shape.dim[axis] && b < shape.dim[axis]);
            at[axis] = a;
            next[axis] = b;
            ck_assert_msg(
                in_order(get(x, join_place(x, at)), get(x, join_place(x, next)), a, b, descending),
                "case %d: element %ld before %ld", i, (long)a, (long)b);
        }
        tr_scope_pop(scope);
    }
}

START_TEST(test_sorting)
{
    on_every_machine(sorting);
}
END_TEST

START_TEST(test_range)
{
    const int64_t values[] = { 0, 4, 2, 1, 5, -1 };
    tr_tensor *t = tr_from(TR_I64, TR_SHAPE(2, 3), values);
    int64_t bad = 0;
    ck_assert(
        tri_index_in_range(tri_view(t, TR_SHAPE(2, 2), (const int64_t[]){ 1, 2 }, 0), 6, &bad));
    ck_assert(!tri_index_in_range(t, 6, &bad));
    ck_assert_int_eq(bad, -1);
    ck_assert(!tri_index_in_range(t, 5, &bad));
    ck_assert_int_eq(bad, 5);
    ck_assert(tri_index_in_range(tr_empty(TR_I64, TR_SHAPE(0, 3)), 0, &bad));
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { test_indexing },
        { test_sorting },
        { test_range },
        { 0 },
    };
    return run_tests("index", NULL, NULL, tests);
}
