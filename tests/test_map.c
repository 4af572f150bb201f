/* Elementwise drivers against loops over single elements: any shapes, strides and dtypes, on every
 * instruction set, with one and two threads. */
#include "cases.h"
#include "tests/suite.h"

static double halve(double x)
{
    return 0.5 * x + 1;
}

static void elementwise(void)
{
    draw_state = 11;
    for (int i = 0; i < 80; i++) {
        tr_scope *scope = tr_scope_push();
        const tr_dtype dtype = draw(2) ? TR_F32 : TR_F64;
        const tr_shape shape = draw_shape();
        tr_tensor *a = draw_any(dtype, shape), *b = draw_any(dtype, shape);
        tr_tensor *y = unset(dtype, shape), *want = unset(dtype, shape);
        ck_assert_int_eq(tri_unary(TRI_U_affine, y, a, (const double[]){ 0.5, 1 }), TR_OK);
        for (int64_t n = 0; n < tr_numel(y); n++) set(want, n, halve(value_at(a, n)));
        expect_equal(y, want, "affine", i);
        ck_assert_int_eq(tri_binary(TRI_B_sub, y, a, b), TR_OK);
        for (int64_t n = 0; n < tr_numel(y); n++) set(want, n, value_at(a, n) - value_at(b, n));
        expect_equal(y, want, "sub", i);
        ck_assert_int_eq(tri_unary(TRI_U_neg, y, y, NULL), TR_OK); /* in place */
        for (int64_t n = 0; n < tr_numel(y); n++) set(want, n, value_at(b, n) - value_at(a, n));
        expect_equal(y, want, "neg in place", i);
        tr_scope_pop(scope);
    }
    ck_assert_ptr_null(tr_error());
}

START_TEST(test_elementwise)
{
    on_every_machine(elementwise);
}
END_TEST

static bool compares(tri_compare_id id, double a, double b)
{
    const bool results[TRI_COMPARE_COUNT] = { a == b, a != b, a < b, a <= b };
    return results[id];
}

static void compare_and_where(void)
{
    draw_state = 12;
    for (int i = 0; i < 80; i++) {
        tr_scope *scope = tr_scope_push();
        const tr_dtype dtype = (tr_dtype)draw(4);
        const tr_shape shape = draw_shape();
        tr_tensor *a = draw_any(dtype, shape), *b = draw_any(dtype, shape);
        tr_tensor *mask = unset(TR_U8, shape), *want_mask = unset(TR_U8, shape);
        tr_tensor *y = unset(dtype, shape), *want = unset(dtype, shape);
        const tri_compare_id id = (tri_compare_id)draw(TRI_COMPARE_COUNT);
        ck_assert_int_eq(tri_compare(id, mask, a, b), TR_OK);
        for (int64_t n = 0; n < tr_numel(y); n++) {
            set(want_mask, n, compares(id, value_at(a, n), value_at(b, n)));
        }
        expect_equal(mask, want_mask, "compare", i);
        tr_tensor *condition = draw_any(TR_U8, shape);
        ck_assert_int_eq(tri_where(y, condition, a, b), TR_OK);
        for (int64_t n = 0; n < tr_numel(y); n++) {
            set(want, n, value_at(condition, n) != 0 ? value_at(a, n) : value_at(b, n));
        }
        expect_equal(y, want, "where", i);
        tr_scope_pop(scope);
    }
    ck_assert_ptr_null(tr_error());
}

START_TEST(test_compare_and_where)
{
    on_every_machine(compare_and_where);
}
END_TEST

static double converted(double x, tr_dtype to)
{
    return to == TR_U8 ? (double)(uint8_t)(x < 0 ? 0 : x) : x;
}

static void copies(void)
{
    draw_state = 13;
    for (int i = 0; i < 150; i++) {
        tr_scope *scope = tr_scope_push();
        const tr_dtype from = (tr_dtype)draw(4), to = draw(2) ? from : (tr_dtype)draw(4);
        const tr_shape shape =
            draw(6) ? draw_shape() : TR_SHAPE(draw(3) + 1, draw(100) + 1, draw(100) + 1);
        tr_tensor *x = draw_any(from, shape), *y = draw_tensor(to, shape);
        if (from == TR_I64 && to == TR_U8) continue; /* wraps: below */
        ck_assert_int_eq(tri_copy(y, x), TR_OK);
        for (int64_t n = 0; n < tr_numel(y); n++) {
            const double want = from == to ? value_at(x, n) : converted(value_at(x, n), to);
            ck_assert_msg(value_at(y, n) == want, "case %d: [%ld] %g, not %g", i, (long)n,
                          value_at(y, n), want);
        }
        ck_assert_int_eq(tri_fill(y, 2), TR_OK);
        for (int64_t n = 0; n < tr_numel(y); n++) ck_assert_double_eq(value_at(y, n), 2);
        tr_scope_pop(scope);
    }
}

START_TEST(test_copies)
{
    on_every_machine(copies);
}
END_TEST

/* A copy touches its own elements only: the gaps between them stay. */
START_TEST(test_gaps_stay)
{
    tr_tensor *base = tr_empty(TR_F32, TR_SHAPE(100));
    for (int i = 0; i < 100; i++) set(base, i, 7);
    tr_tensor *view = tri_view(base, TR_SHAPE(5, 8), (const int64_t[]){ 20, 2 }, 1);
    ck_assert_int_eq(tri_fill(view, 0), TR_OK);
    for (int i = 0; i < 100; i++) {
        ck_assert_double_eq(get(base, i), i % 2 == 1 && i % 20 < 16 ? 0 : 7);
    }
}
END_TEST

START_TEST(test_conversion_edges)
{
    const double wild[] = { -1, 300, 255.9, NAN, -INFINITY, INFINITY, 1e30, -1e30, -1.9, 1.9 };
    const double u8[] = { 0, 255, 255, 0, 0, 255, 255, 0, 0, 1 };
    const double big = 0x1p63;
    const double i64[] = { -1, 300, 255, 0, -big, big, big, -big, -1, 1 };
    tr_tensor *x = tr_from(TR_F64, TR_SHAPE(10), wild);
    tr_tensor *y8 = unset(TR_U8, TR_SHAPE(10)), *y64 = unset(TR_I64, TR_SHAPE(10));
    tri_copy(y8, x);
    tri_copy(y64, x);
    for (int i = 0; i < 10; i++) {
        ck_assert_double_eq(get(y8, i), u8[i]);
        ck_assert_double_eq(get(y64, i), i64[i]);
    }
    tr_tensor *one = tr_full(TR_I64, TR_SHAPE(1), 513), *byte = unset(TR_U8, TR_SHAPE(1));
    tri_copy(byte, one);
    ck_assert_double_eq(get(byte, 0), 1); /* a C cast: modulo 256 */
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { test_elementwise },
        { test_compare_and_where },
        { test_copies },
        { test_gaps_stay },
        { test_conversion_edges },
        { 0 },
    };
    return run_tests("map", NULL, NULL, tests);
}
