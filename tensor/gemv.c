/* gemv.c: products with a single row: a batch of one picture, or its gradient.
 *
 * Nothing is used twice, so nothing is packed or blocked; the time is that of reading b. Threads
 * take columns of the result, whose sums do not depend on how these are shared. Read next: gemm.c,
 * kernels_gemv.inc. */
#include "tensor/gemm.h"

enum {
    INLINE_WORK = 1 << 15, /* multiply-adds below which threads do not pay */
    COLUMNS = 64 /* a multiple of so many for each thread: whole vectors and cache lines */
};

bool tri_is_row_product(const tri_product *p)
{
    return p->m == 1 && p->batch_rank == 0 &&
           (p->b.outer == 1 || (p->b.inner == 1 && p->a.inner == 1));
}

static void multiply_columns(void *context, int64_t begin, int64_t end)
{
    const tri_product *p = context;
    const tri_block    block = tri_block_of(p->dtype);
    const tri_kernels *table = block.table;
    const int64_t      n = end - begin, k = p->k;
    const char        *b = (const char *)p->b.data + begin * p->b.outer * block.size;
    const char        *bias = p->bias ? (const char *)p->bias + begin * block.size : NULL;
    void              *c = (char *)p->c + begin * block.size;
    const void        *a = p->a.data;
    if (p->dtype == TR_F32 && p->b.outer == 1)
        table->f32.gemv(n, k, a, p->a.inner, (const void *)b, p->b.inner, c);
    else if (p->dtype == TR_F32)
        table->f32.gemv_turned(n, k, a, (const void *)b, p->b.outer, c);
    else if (p->b.outer == 1)
        table->f64.gemv(n, k, a, p->a.inner, (const void *)b, p->b.inner, c);
    else
        table->f64.gemv_turned(n, k, a, (const void *)b, p->b.outer, c);
    tri_finish(&block, p->epilogue, bias, c, n, 1, n);
}

void tri_row_product(const tri_product *p)
{
    int64_t share = p->n;
    if (p->n * p->k > INLINE_WORK)
        share = tri_ceil_div(tri_ceil_div(p->n, tr_threads()), COLUMNS) * COLUMNS;
    tri_product q = *p;
    tri_parallel_for(p->n, share, multiply_columns, &q);
}
