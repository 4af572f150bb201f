/* test_memory.c: what is kept for reuse. Sizes take turns in a training step, so the cache needs
 * more than was ever in use at once; sizes that come once must not pile up. */
#include "tensor/core.h"
#include "tests/suite.h"

#include <stdlib.h>

static void use(int64_t bytes)
{
    tr_scope *scope = tr_scope_push();
    ck_assert_ptr_nonnull(tr_empty(TR_U8, TR_SHAPE(bytes)));
    tr_scope_pop(scope);
}

/* Three sizes, one after the other in each round: together two and a half times the largest. */
START_TEST(sizes_that_take_turns_are_all_kept)
{
    int64_t before = 0;
    for (int round = 0; round < 4; round++) {
        for (int64_t size = 4; size <= 6; size++) use(size << 18);
        if (round == 0) before = tr_memory().allocations;
    }
    ck_assert_int_eq(tr_memory().allocations, before);
}
END_TEST

START_TEST(sizes_that_come_once_do_not_pile_up)
{
    for (int64_t size = 64; size <= 128; size++) use(size << 14);
    const tr_memory_stats memory = tr_memory();
    ck_assert_int_le(memory.cache_bytes, 3 * memory.peak_bytes);
}
END_TEST

/* More than any machine has, in every way to ask: an error, also where 64 bits are cut to 32 (2^32
 * + 64 bytes) or rounding up passes 2^64. */
START_TEST(sizes_too_large_are_refused)
{
    const uint64_t sizes[] = { UINT64_MAX, UINT64_MAX - 62, (uint64_t)1 << 63, (uint64_t)1 << 62 };
    void *(*const ask[])(uint64_t bytes) = { tr_scope_alloc, tri_scratch, tri_block_new };
    for (int i = 0; i < 4 * 3; i++) {
        ck_assert_ptr_null(ask[i / 4](sizes[i % 4]));
        ck_assert_int_eq(tr_status_get(), TR_ERR_MEMORY);
        tr_error_clear();
    }
    if (sizeof(size_t) == 4) {
        ck_assert_ptr_null(tri_scratch(((uint64_t)1 << 32) + 64));
        ck_assert_int_eq(tr_status_get(), TR_ERR_MEMORY);
        tr_error_clear();
        ck_assert_ptr_null(tr_empty(TR_F64, TR_SHAPE(((int64_t)1 << 29) + 8)));
        ck_assert_str_eq(tr_error(), "out of memory: 4294967424 bytes were asked for");
        tr_error_clear();
    }
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { sizes_that_take_turns_are_all_kept },
        { sizes_too_large_are_refused },
        { sizes_that_come_once_do_not_pile_up },
        { 0 },
    };
    return run_tests("memory", NULL, NULL, tests);
}
