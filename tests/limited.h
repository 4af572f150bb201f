/* limited.h: an allocator that succeeds `allowed` times, then fails, and counts the bytes it holds:
 * for tests that let every allocation fail in turn. One program includes it once.             */
#ifndef TENREC_TESTS_LIMITED_H
#define TENREC_TESTS_LIMITED_H

#include "tensor/tensor.h"

#include <stdlib.h>

static int64_t allowed, held;

static void *limited_alloc(void *context, size_t alignment, size_t bytes)
{
    (void)context;
    if (allowed-- <= 0) return NULL;
    held += (int64_t)bytes;
    return aligned_alloc(alignment, bytes);
}

static void limited_release(void *context, void *block, size_t bytes)
{
    (void)context;
    held -= (int64_t)bytes;
    free(block);
}

#endif
