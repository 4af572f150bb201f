/* gemv.c: products with a single row: a batch of one picture, or its gradient.
 *
 * Nothing is used twice, so nothing is packed or blocked; the time is that of reading b. Threads
 * take rows of b as they lie in memory: those that the optimiser handed to the same thread, which
 * are in its cache. Where b is transposed, a row gives a number of the result. Otherwise it gives a
 * term of all of them: the sums over some pieces of the rows are added in order. Few rows are cut
 * into columns. Read next: gemm.c, kernels_gemv.inc. */
#include "tensor/gemm.h"

enum {
    INLINE_WORK = 1 << 15, /* multiply-adds below which threads do not pay */
    PIECE_ROWS = 64,       /* at least */
    PIECES = 8,            /* at most: enough for a desktop's memory */
    COLUMNS = 64 /* a multiple of so many for each thread: whole vectors and cache lines */
};

bool tri_is_row_product(const tri_product *p)
{
    return p->m == 1 && p->batch_rank == 0 &&
           (p->b.outer == 1 || (p->b.inner == 1 && p->a.inner == 1));
}

typedef struct row_product {
    const tri_product *p;
    tri_block          block;
    int64_t            piece, pieces; /* rows of b */
    int64_t            share, shares; /* columns of b */
    char              *sums;          /* [pieces][n] */
} row_product;

/* sums[piece][j] = sum_p a[p] b[p, j] over some rows p, for some columns j. */
static void add_rows(void *context, int64_t begin, int64_t end)
{
    const row_product *s = context;
    const tri_product *p = s->p;
    const int64_t      size = s->block.size;
    for (int64_t task = begin; task < end; task++) {
        const int64_t piece = task / s->shares, row = piece * s->piece,
                      j = task % s->shares * s->share;
        const int64_t k = p->k - row < s->piece ? p->k - row : s->piece;
        const int64_t n = p->n - j < s->share ? p->n - j : s->share;
        const void   *a = (const char *)p->a.data + row * p->a.inner * size;
        const void   *b = (const char *)p->b.data + (row * p->b.inner + j) * size;
        void         *c = s->sums + (piece * p->n + j) * size;
        if (p->dtype == TR_F32)
            s->block.table->f32.gemv(n, k, a, p->a.inner, b, p->b.inner, c);
        else
            s->block.table->f64.gemv(n, k, a, p->a.inner, b, p->b.inner, c);
    }
}

static tr_status multiply_rows(row_product *s)
{
    const tri_product *p = s->p;
    const int64_t      bytes = p->n * s->block.size;
    s->piece = p->k;
    s->share = p->n;
    if (p->n * p->k > INLINE_WORK && p->k >= 2 * PIECE_ROWS)
        s->piece = tri_even_part(p->k, p->k > PIECES * PIECE_ROWS ? tri_ceil_div(p->k, PIECES)
                                                                  : PIECE_ROWS);
    else if (p->n * p->k > INLINE_WORK)
        s->share = tri_ceil_div(INLINE_WORK / p->k, COLUMNS) * COLUMNS;
    s->pieces = p->k > 0 ? tri_ceil_div(p->k, s->piece) : 1;
    s->shares = tri_ceil_div(p->n, s->share);
    s->sums = s->pieces > 1 ? tri_scratch((uint64_t)(s->pieces * bytes)) : p->c;
    if (s->sums == NULL) return tr_status_get();
    tri_parallel_for(s->pieces * s->shares, 1, add_rows, s);
    if (s->pieces > 1)
        tri_combine(&s->block, p->epilogue, p->bias, p->c, s->sums, s->pieces, bytes, p->n);
    else
        tri_finish(&s->block, p->epilogue, p->bias, p->c, p->n, 1, p->n);
    return TR_OK;
}

/* c[j] = sum_p a[p] b[j, p] for some j. */
static void multiply_turned(void *context, int64_t begin, int64_t end)
{
    const row_product *s = context;
    const tri_product *p = s->p;
    const int64_t      n = end - begin, size = s->block.size;
    const char        *b = (const char *)p->b.data + begin * p->b.outer * size;
    const char        *bias = p->bias ? (const char *)p->bias + begin * size : NULL;
    void              *c = (char *)p->c + begin * size;
    if (p->dtype == TR_F32)
        s->block.table->f32.gemv_turned(n, p->k, p->a.data, (const void *)b, p->b.outer, c);
    else
        s->block.table->f64.gemv_turned(n, p->k, p->a.data, (const void *)b, p->b.outer, c);
    tri_finish(&s->block, p->epilogue, bias, c, n, 1, n);
}

tr_status tri_row_product(const tri_product *p)
{
    row_product s = { .p = p, .block = tri_block_of(p->dtype) };
    if (p->b.outer == 1) {
        tr_scope       *scope = tr_scope_push();
        const tr_status status = scope ? multiply_rows(&s) : tr_status_get();
        tr_scope_pop(scope);
        return status;
    }
    int64_t share = p->n;
    if (p->n * p->k > INLINE_WORK)
        share = tri_ceil_div(tri_ceil_div(p->n, tr_threads()), COLUMNS) * COLUMNS;
    tri_parallel_for(p->n, share, multiply_turned, &s);
    return TR_OK;
}
