/* test_tensor.c: creation, views, inspection, scopes, sticky errors, memory: the tensor layer
 * without its kernels. Messages are part of the interface and compared to the letter. */
#include "tensor/compute.h"

#include "tests/limited.h"
#include "tests/suite.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

START_TEST(creates)
{
    tr_tensor *t = tr_full(TR_F32, TR_SHAPE(2, 3), 1.5);
    ck_assert_int_eq(tr_numel(t), 6);
    ck_assert_int_eq(tr_dim(t, -1), 3);
    ck_assert_int_eq(tr_dim(t, 2), 0);
    ck_assert(tr_at(t, TR_SHAPE(1, -1)) == 1.5);
    ck_assert(tr_item(tr_scalar(TR_I64, -7)) == -7);
    ck_assert(tr_at(tr_arange(TR_U8, 9), TR_SHAPE(8)) == 8);
    ck_assert(tr_at(tr_eye(TR_F64, 3), TR_SHAPE(2, 2)) == 1);
    ck_assert(tr_at(tr_eye(TR_F64, 3), TR_SHAPE(2, 1)) == 0);
    tr_tensor *line = tr_linspace(TR_F64, -1, 1, 5);
    for (int64_t i = 0; i < 5; i++) ck_assert(tr_at(line, TR_SHAPE(i)) == -1 + 0.5 * (double)i);
    line = tr_linspace(TR_F64, 0.3, 0.9, 50); /* 0.3 + (0.9 - 0.3) is not 0.9 */
    ck_assert(0.3 + (0.9 - 0.3) != 0.9 && tr_at(line, TR_SHAPE(49)) == 0.9);
    ck_assert(tr_at(tr_linspace(TR_F64, 3, 9, 1), TR_SHAPE(0)) == 3);
    ck_assert_int_eq(tr_numel(tr_zeros(TR_F32, TR_SHAPE(4, 0))), 0);
    ck_assert_ptr_null(tr_error());
}
END_TEST

START_TEST(describes)
{
    char text[240];
    ck_assert_str_eq(tr_describe(tr_zeros(TR_F32, TR_SHAPE(256, 784)), text, sizeof text),
                     "f32[256, 784]");
    ck_assert_str_eq(tr_describe(tr_scalar(TR_U8, 0), text, sizeof text), "u8[]");
    ck_assert_str_eq(tr_describe(NULL, text, sizeof text), "NULL");
    ck_assert_str_eq(tr_describe(tr_zeros(TR_F32, TR_SHAPE(256, 784)), text, 8), "f32[256");
}
END_TEST

START_TEST(prints)
{
    char  *text = NULL;
    size_t size = 0;
    FILE  *out = open_memstream(&text, &size);
    tr_print(tr_arange(TR_I64, 10), out);
    const float values[4] = { 1, 2.5f, -3, 0 };
    tr_print(tr_from(TR_F32, TR_SHAPE(2, 2), values), out);
    fclose(out);
    ck_assert_str_eq(text, "i64[10]\n[0, 1, 2, ..., 7, 8, 9]\nf32[2, 2]\n[[1, 2.5],\n [-3, 0]]\n");
    free(text);
}
END_TEST

START_TEST(refuses_bad_shapes)
{
    ck_assert_ptr_null(tr_zeros(TR_F32, TR_SHAPE(2, -1)));
    expect_error(TR_ERR_SHAPE, "new tensor: shape [2, -1] has a negative size");
    ck_assert_ptr_null(tr_zeros(TR_F32, TR_SHAPE(4194305, 4194305, 211106198978564)));
    expect_error(TR_ERR_SHAPE,
                 "new tensor: shape [4194305, 4194305, 211106198978564] has too many elements");
    ck_assert_ptr_null(tr_zeros(TR_F32, TR_SHAPE(0, INT64_MAX, 4)));
    expect_error(TR_ERR_SHAPE,
                 "new tensor: shape [0, 9223372036854775807, 4] has too many elements");
    tr_shape nine = { 9, { 0 } };
    ck_assert_ptr_null(tr_zeros(TR_F32, nine));
    expect_error(TR_ERR_SHAPE, "new tensor: rank 9 is not in 0 .. 8");
    ck_assert_ptr_null(tr_zeros(TR_F64, TR_SHAPE((int64_t)1 << 52)));
    ck_assert_int_eq(tr_status_get(), TR_ERR_MEMORY);
    tr_error_clear();
}
END_TEST

START_TEST(refuses_bad_inspection)
{
    tr_tensor *t = tr_zeros(TR_F32, TR_SHAPE(2, 3));
    ck_assert(isnan(tr_item(t)));
    expect_error(TR_ERR_SHAPE, "item: f32[2, 3] does not hold one value");
    ck_assert(isnan(tr_at(t, TR_SHAPE(1))));
    expect_error(TR_ERR_SHAPE, "at: index [1] does not have one number per axis of f32[2, 3]");
    ck_assert(isnan(tr_at(t, TR_SHAPE(1, -4))));
    expect_error(TR_ERR_VALUE, "at: index [1, -4] is outside f32[2, 3]");
    ck_assert_int_eq(tr_assign(t, tr_zeros(TR_F32, TR_SHAPE(3, 2))), TR_ERR_SHAPE);
    expect_error(TR_ERR_SHAPE,
                 "assign: shapes differ: destination is f32[2, 3], source is f32[3, 2]");
    ck_assert(isnan(tr_item(NULL)));
    expect_error(TR_ERR_VALUE, "item: the tensor is NULL");
}
END_TEST

START_TEST(first_error_sticks)
{
    tr_fail(TR_ERR_VALUE, "first %d", 1);
    tr_fail(TR_ERR_SHAPE, "second");
    ck_assert_str_eq(tr_error(), "first 1");
    ck_assert_ptr_null(tr_zeros(TR_F32, TR_SHAPE(1)));
    ck_assert_ptr_null(tr_scope_alloc(8));
    tr_error_clear();
    ck_assert_ptr_null(tr_error());
    ck_assert_ptr_nonnull(tr_zeros(TR_F32, TR_SHAPE(1)));
}
END_TEST

START_TEST(closed_scope_is_told)
{
    tr_scope  *scope = tr_scope_push();
    tr_tensor *inner = tr_ones(TR_F32, TR_SHAPE(2));
    tr_tensor *kept = tr_scope_keep(inner);
    tr_scope_pop(scope);
    ck_assert(tr_at(kept, TR_SHAPE(1)) == 1);
    ck_assert(isnan(tr_item(inner)));
    expect_error(TR_ERR_STATE, "item: tensor from a closed scope; hand it out with tr_scope_keep");
    tr_scope_pop(NULL);
    ck_assert_ptr_null(tr_scope_keep(kept));
    expect_error(TR_ERR_STATE,
                 "scope_keep: no scope encloses the outermost one; push a scope first");
}
END_TEST

static int released;

static void count_release(void *object)
{
    ck_assert_int_eq(*(int *)object, released);
    released++;
}

START_TEST(scopes_nest_and_release)
{
    static int order[3] = { 2, 1, 0 };
    tr_scope  *outer = tr_scope_push();
    tr_scope_own(&order[0], count_release);
    tr_scope_push();
    tr_scope_own(&order[1], count_release);
    tr_scope_push();
    tr_scope_own(&order[2], count_release);
    released = 0;
    tr_scope_pop(outer); /* closes the two inside it first */
    ck_assert_int_eq(released, 3);
    tr_scope *again = tr_scope_push();
    tr_scope_pop(again);
    ck_assert_ptr_null(tr_error());
}
END_TEST

START_TEST(hundred_thousand_scopes)
{
    tr_scope *first = tr_scope_push();
    for (int i = 0; i < 100000; i++) tr_scope_push();
    ck_assert_ptr_null(tr_error());
    tr_scope_pop(first);
    ck_assert_int_eq(tr_memory().live_bytes < 1 << 20, 1);
}
END_TEST

START_TEST(memory_is_recycled)
{
    int64_t before = 0;
    for (int round = 0; round < 5; round++) {
        tr_scope *scope = tr_scope_push();
        for (int64_t i = 0; i < 200; i++) tr_zeros(TR_F32, TR_SHAPE(1 + i * i));
        tr_scope_pop(scope);
        if (round == 1) before = tr_memory().allocations;
    }
    ck_assert_int_eq(tr_memory().allocations, before);
}
END_TEST

/* --- An allocator that fails ------------------------------------------------------------------ */

START_TEST(every_allocation_may_fail)
{
    const tr_allocator limited = { limited_alloc, limited_release, NULL };
    tr_set_allocator(&limited);
    int64_t n = 0;
    for (bool failed = true; failed; n++) {
        allowed = n;
        tr_scope *scope = tr_scope_push();
        for (int64_t i = 1; i < 20; i++) {
            tr_tensor *kept = tr_scope_keep(tr_eye(TR_F64, 10 * i));
            if (kept == NULL) break;
        }
        tr_copy_out(tr_eye(TR_F32, 2), (float[4]){ 0 });
        failed = tr_error() != NULL;
        if (failed) ck_assert_int_eq(tr_status_get(), TR_ERR_MEMORY);
        tr_error_clear();
        tr_scope_pop(scope);
        tr_scope_pop(tri_this_thread()->scope); /* the outermost: closes and stays usable */
        tr_memory_trim();
        ck_assert_int_eq(held, 0);
    }
    ck_assert_int_gt(n, 10);
    tr_set_allocator(NULL);
}
END_TEST

static void *use_in_thread(void *unused)
{
    (void)unused;
    tr_fail(TR_ERR_VALUE, "of this thread only");
    tr_error_clear();
    return tr_zeros(TR_F32, TR_SHAPE(1000)) != NULL ? &allowed : NULL;
}

START_TEST(threads_are_apart)
{
    pthread_t thread;
    void     *result;
    tr_fail(TR_ERR_VALUE, "of the main thread");
    ck_assert_int_eq(pthread_create(&thread, NULL, use_in_thread, NULL), 0);
    pthread_join(thread, &result);
    ck_assert_ptr_nonnull(result);
    expect_error(TR_ERR_VALUE, "of the main thread");
    ck_assert_int_eq(tr_set_threads(0), TR_ERR_VALUE);
    expect_error(TR_ERR_VALUE, "set_threads: 0 is not in 1 .. 256");
}
END_TEST

/* --- parallel_for ----------------------------------------------------------------------------- */

static void mark(void *context, int64_t begin, int64_t end)
{
    for (int64_t i = begin; i < end; i++) ((int *)context)[i] += begin % 10 == 0 ? 2 : 1;
}

START_TEST(parallel_for_covers_all)
{
    for (int threads = 1; threads <= 4; threads++) {
        tr_set_threads(threads);
        int seen[1003] = { 0 };
        tri_parallel_for(1003, 10, mark, seen);
        for (int i = 0; i < 1003; i++) ck_assert_int_eq(seen[i], 2);
    }
    tri_parallel_for(0, 10, mark, NULL);
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { creates },
        { describes },
        { prints },
        { refuses_bad_shapes },
        { refuses_bad_inspection },
        { first_error_sticks },
        { closed_scope_is_told },
        { scopes_nest_and_release },
        { hundred_thousand_scopes },
        { memory_is_recycled },
        { every_allocation_may_fail },
        { threads_are_apart },
        { parallel_for_covers_all },
        { 0 },
    };
    return run_tests("tensor", NULL, NULL, tests);
}
