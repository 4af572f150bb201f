/* numeric.h: what the tests of the numeric drivers share: random cases from a seed, tensors of
 * small integers (whose products and sums are exact in any order) with awkward strides, and running
 * one case on every instruction set of the machine with one and with two threads. */
#ifndef TENREC_TESTS_NUMERIC_H
#define TENREC_TESTS_NUMERIC_H

#include "tensor/compute.h"
#include "tensor/core.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* The same cases on every machine: xorshift, in [0, bound). */
static uint64_t draw_state;

static inline int64_t draw(int64_t bound)
{
    draw_state ^= draw_state << 13;
    draw_state ^= draw_state >> 7;
    draw_state ^= draw_state << 17;
    return (int64_t)((draw_state >> 11) % (uint64_t)bound);
}

static inline int64_t draw_between(int64_t low, int64_t high)
{
    return low + draw(high - low + 1);
}

static inline double get(const tr_tensor *t, int64_t offset)
{
    switch (t->dtype) {
    case TR_F32: return ((const float *)t->data)[offset];
    case TR_F64: return ((const double *)t->data)[offset];
    case TR_I64: return (double)((const int64_t *)t->data)[offset];
    default: return ((const uint8_t *)t->data)[offset];
    }
}

static inline void set(tr_tensor *t, int64_t offset, double value)
{
    switch (t->dtype) {
    case TR_F32: ((float *)t->data)[offset] = (float)value; break;
    case TR_F64: ((double *)t->data)[offset] = value; break;
    case TR_I64: ((int64_t *)t->data)[offset] = (int64_t)value; break;
    default: ((uint8_t *)t->data)[offset] = (uint8_t)value; break;
    }
}

/* A tensor whose axes lie in memory in random order, with gaps, filled with integers -3 .. 3. */
static inline tr_tensor *draw_tensor(tr_dtype dtype, tr_shape shape)
{
    int order[TR_MAX_RANK];
    for (int i = 0; i < shape.rank; i++) order[i] = i;
    for (int i = shape.rank - 1; i > 0 && draw(2); i--) {
        int j = (int)draw(i + 1), t = order[i];
        order[i] = order[j];
        order[j] = t;
    }
    int64_t stride[TR_MAX_RANK], step = draw(4) ? 1 : 2;
    for (int i = shape.rank - 1; i >= 0; i--) {
        stride[order[i]] = step;
        step *= shape.dim[order[i]];
        if (draw(4) == 0) step += draw(3);
    }
    tr_tensor *base = tr_empty(dtype, TR_SHAPE(step));
    ck_assert_ptr_nonnull(base);
    for (int64_t i = 0; i < step; i++) set(base, i, (double)draw_between(-3, 3));
    return tri_view(base, shape, stride, 0);
}

/* The same, contiguous. */
static inline tr_tensor *draw_plain(tr_dtype dtype, tr_shape shape)
{
    tr_tensor *t = tr_empty(dtype, shape);
    ck_assert_ptr_nonnull(t);
    for (int64_t i = 0; i < tr_numel(t); i++) set(t, i, (double)draw_between(-3, 3));
    return t;
}

/* What a driver must overwrite. */
static inline tr_tensor *unset(tr_dtype dtype, tr_shape shape)
{
    tr_tensor *t = tr_empty(dtype, shape);
    ck_assert_ptr_nonnull(t);
    memset(t->data, 0xff, (size_t)tr_numel(t) * tr_dtype_size(dtype));
    return t;
}

/* Fails unless both hold the same values; `what` and `number` name the case. */
static inline void expect_equal(const tr_tensor *got, const tr_tensor *expected, const char *what,
                                int number)
{
    ck_assert(tr_same_shape(got, expected));
    for (int64_t i = 0; i < tr_numel(got); i++) {
        double a = get(got, i), b = get(expected, i);
        if (a == b || (a != a && b != b))
            continue; /* a check assertion per element would be slow */
        ck_abort_msg("%s, case %d, %s, %d threads: [%ld] is %g, not %g", what, number, tr_isa(),
                     tr_threads(), (long)i, a, b);
    }
}

/* The same for values that rounding may change: within `tolerance`. */
static inline void expect_near(const tr_tensor *got, const tr_tensor *expected, double tolerance,
                               const char *what, int number)
{
    ck_assert(tr_same_shape(got, expected));
    for (int64_t i = 0; i < tr_numel(got); i++) {
        double a = get(got, i), b = get(expected, i);
        if (a - b <= tolerance && b - a <= tolerance) continue;
        ck_abort_msg("%s, case %d, %s: [%ld] is %g, not %g", what, number, tr_isa(), (long)i, a, b);
    }
}

static inline double dot(const tr_tensor *a, const tr_tensor *b)
{
    double sum = 0;
    for (int64_t i = 0; i < tr_numel(a); i++) sum += get(a, i) * get(b, i);
    return sum;
}

/* How many random cases to run: `usual`, or TENREC_TEST_CASES in a long run (docs/testing.md). */
static inline int case_count(int usual)
{
    const char *wanted = getenv("TENREC_TEST_CASES");
    return wanted != NULL ? atoi(wanted) : usual;
}

/* for (int place = 0; next_isa(&place);) visits every instruction set that this machine has. */
static inline bool next_isa(int *place)
{
    static const char *const names[] = { "portable", "avx2", "avx512", "neon" };
    static const char       *before;
    if (*place == 0) before = tr_isa();
    while (*place < (int)(sizeof names / sizeof names[0])) {
        if (tr_set_isa(names[(*place)++]) == TR_OK) return true;
        tr_error_clear();
    }
    ck_assert_int_eq(tr_set_isa(before), TR_OK);
    return false;
}

static inline void on_every_isa(void (*body)(void))
{
    for (int place = 0; next_isa(&place);) body();
}

#endif
