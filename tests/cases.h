/* cases.h: random shapes and strides for the tests of the elementwise, reducing and indexing
 * drivers, on top of numeric.h. Elements are named by their place n in row-major order. */
#ifndef TENREC_TESTS_CASES_H
#define TENREC_TESTS_CASES_H

#include "numeric.h"

#include <math.h>

/* Rank 0 .. 4 and sizes 0 .. 5 mostly; now and then an axis long enough for several pieces of work.
 */
static inline tr_shape draw_shape(void)
{
    tr_shape shape = { .rank = (int)draw(5) };
    for (int a = 0; a < shape.rank; a++) shape.dim[a] = draw(25) == 0 ? 0 : draw_between(1, 5);
    if (shape.rank > 0 && shape.rank < 3 && draw(4) == 0) {
        shape.dim[draw(shape.rank)] = draw_between(100, draw(3) ? 900 : 17000);
    }
    return shape;
}

/* Gaps, any order of axes, and sometimes axes along which one value repeats. */
static inline tr_tensor *draw_any(tr_dtype dtype, tr_shape shape)
{
    if (draw(3) == 0) return draw_plain(dtype, shape);
    tr_tensor *t = draw_tensor(dtype, shape);
    for (int a = 0; a < t->rank; a++) {
        if (draw(4) == 0) t->stride[a] = 0;
    }
    return t;
}

static inline void split_place(tr_shape shape, int64_t n, int64_t at[TR_MAX_RANK])
{
    for (int a = shape.rank - 1; a >= 0; a--) {
        at[a] = n % shape.dim[a];
        n /= shape.dim[a];
    }
}

static inline int64_t join_place(const tr_tensor *t, const int64_t at[TR_MAX_RANK])
{
    int64_t offset = 0;
    for (int a = 0; a < t->rank; a++) offset += at[a] * t->stride[a];
    return offset;
}

static inline double value_at(const tr_tensor *t, int64_t n)
{
    int64_t at[TR_MAX_RANK];
    split_place(tr_shape_of(t), n, at);
    return get(t, join_place(t, at));
}

/* Calls body with every instruction set, with one thread and with two; the results that body leaves
 * must not depend on the threads: body itself compares. */
static inline void on_every_machine(void (*body)(void))
{
    for (int threads = 1; threads <= 2; threads++) {
        ck_assert_int_eq(tr_set_threads(threads), TR_OK);
        on_every_isa(body);
    }
}

#endif
