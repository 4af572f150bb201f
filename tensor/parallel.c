/* parallel.c: the one place where threads are used. Work is cut into pieces that depend on its size
 * only, so results are the same bits for any number of threads.                                  */
#include "tensor/core.h"

#ifdef _OPENMP
#include <omp.h>
#endif

enum { MAX_THREADS = 256 };

tr_status tr_set_threads(int threads)
{
    if (threads < 1 || threads > MAX_THREADS)
        return tr_fail(TR_ERR_VALUE, "set_threads: %d is not in 1 .. %d", threads, MAX_THREADS);
    tri_this_thread()->threads = threads;
    return TR_OK;
}

int tr_threads(void)
{
#ifdef _OPENMP
    const int chosen = tri_this_thread()->threads;
    return chosen > 0 ? chosen : omp_get_max_threads();
#else
    return 1;
#endif
}

void tri_parallel_for(int64_t n, int64_t                                             grain,
                      void (*body)(void *context, int64_t begin, int64_t end), void *context)
{
    if (n <= 0) return;
    const int64_t pieces = (n - 1) / grain + 1;
#ifdef _OPENMP
    int threads = tr_threads();
    if (threads > pieces) threads = (int)pieces;
    if (threads > 1 && !omp_in_parallel()) {
#pragma omp parallel for num_threads(threads) schedule(static)
        for (int64_t piece = 0; piece < pieces; piece++) {
            const int64_t begin = piece * grain;
            body(context, begin, begin + grain < n ? begin + grain : n);
        }
        return;
    }
#endif
    for (int64_t piece = 0; piece < pieces; piece++) {
        const int64_t begin = piece * grain;
        body(context, begin, begin + grain < n ? begin + grain : n);
    }
}

bool tri_slots_make(tri_slots *s, uint64_t bytes)
{
    s->count = tr_threads();
    bytes = (bytes + 63) / 64 * 64;
    s->memory = tri_scratch((uint64_t)s->count * bytes);
    s->bytes = (size_t)bytes;
    s->taken = tri_scratch((uint64_t)s->count * sizeof *s->taken);
    if (!s->memory || !s->taken) return false;
    for (int i = 0; i < s->count; i++) atomic_init(&s->taken[i], false);
    return true;
}

void *tri_slot_take(tri_slots *s)
{
    for (int i = 0;; i = (i + 1) % s->count)
        if (!atomic_exchange(&s->taken[i], true)) return s->memory + (size_t)i * s->bytes;
}

void tri_slot_give(tri_slots *s, void *slot)
{
    atomic_store(&s->taken[(size_t)((char *)slot - s->memory) / s->bytes], false);
}
