/* update.c: one pass of an optimiser over a parameter, in pieces for threads.
 *
 * The arithmetic is in kernels_simple.inc; pieces are elementwise, so their size does not matter to
 * the result. Read next: optim/, which calls this. */
#include "tensor/kernels.h"

#include <assert.h>

enum { GRAIN = 4096, SHARED = 4 * GRAIN /* parameters that repay a second thread */ };

typedef struct adam_call {
    const tri_kernels *table;
    tr_dtype dtype;
    void *w, *m, *v;
    const void *g;
    const tri_adam *options;
} adam_call;

/* The averages of a parameter without gradient (a dead unit's) decay into the denormal numbers, on
 * which processors are a hundred times slower, and stay there. While an optimiser runs, these are
 * zero. Returns the processor's control word as it was; a call through a pointer follows, across
 * which no compiler moves arithmetic. */
static uint64_t flush_denormals(void)
{
#if defined(__SSE__)
    const unsigned before = __builtin_ia32_stmxcsr();
    __builtin_ia32_ldmxcsr(before | 0x8040); /* flush to zero, denormals are zeros */
    return before;
#elif defined(__aarch64__)
    uint64_t before;
    __asm__ volatile("mrs %0, fpcr" : "=r"(before));
    __asm__ volatile("msr fpcr, %0" ::"r"(before | 1u << 24));
    return before;
#else
    return 0;
#endif
}

static void restore_denormals(uint64_t before)
{
#if defined(__SSE__)
    __builtin_ia32_ldmxcsr((unsigned)before);
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" ::"r"(before));
#else
    (void)before;
#endif
}

static void adam_piece(void *context, int64_t begin, int64_t end)
{
    const adam_call *c = context;
    const int64_t n = end - begin;
    const uint64_t before = flush_denormals();
    if (c->dtype == TR_F32) {
        c->table->f32.adam(n, (float *)c->w + begin, (float *)c->m + begin, (float *)c->v + begin,
                           (const float *)c->g + begin, c->options);
    } else {
        c->table->f64.adam(n, (double *)c->w + begin, (double *)c->m + begin,
                           (double *)c->v + begin, (const double *)c->g + begin, c->options);
    }
    restore_denormals(before);
}

void tri_adam_update(tr_tensor *w, tr_tensor *m, tr_tensor *v, const tr_tensor *g,
                     const tri_adam *a)
{
    assert(tr_is_contiguous(w) && tr_is_contiguous(m) && tr_is_contiguous(v) &&
           tr_is_contiguous(g));
    assert(w->dtype == m->dtype && w->dtype == v->dtype && w->dtype == g->dtype);
    adam_call call = { tri_kernel_table(), w->dtype, w->data, m->data, v->data, g->data, a };
    const int64_t n = tr_numel(w);
    tri_parallel_for(n, n < SHARED ? SHARED : GRAIN, adam_piece, &call);
}
