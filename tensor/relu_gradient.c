/* relu_gradient.c: the gradient of relu and, from the same pass over memory, the sums of its
 * columns: what a layer y = relu(x w + bias) needs of g before its products.
 *
 * Rows are cut into pieces that depend on the shape only. A piece's column sums start from zero,
 * and neighbouring pieces are added in pairs, again and again: the sums are the same for any number
 * of threads, and their error grows with the logarithm of the number of pieces. */
#include "tensor/kernels.h"

#include <assert.h>
#include <string.h>

enum { PIECE_ELEMENTS = 1 << 13, PIECE_ROWS = 256 };

typedef struct job {
    tr_dtype    dtype;
    int64_t     size, n, rows, piece; /* columns; rows of all, of a piece */
    char       *u, *sums;             /* [pieces][n] */
    const char *g, *y;
} job;

static void mask_body(void *context, int64_t begin, int64_t end)
{
    const job         *s = context;
    const tri_kernels *table = tri_kernel_table();
    const int64_t      from = begin * s->n * s->size, rows = end - begin;
    void              *sum = s->sums + begin / s->piece * s->n * s->size;
    const void        *g = s->g + from, *y = s->y + from;
    if (s->dtype == TR_F32)
        table->f32.step_mul_sum(rows, s->n, (void *)(s->u + from), g, y, sum);
    else
        table->f64.step_mul_sum(rows, s->n, (void *)(s->u + from), g, y, sum);
}

/* sums[i] += sums[i + step] for every other piece, until one is left. */
static void add_pieces(const job *s, int64_t pieces)
{
    const tri_kernels *table = tri_kernel_table();
    for (int64_t step = 1; step < pieces; step *= 2)
        for (int64_t i = 0; i + step < pieces; i += 2 * step) {
            void *to = s->sums + i * s->n * s->size, *from = s->sums + (i + step) * s->n * s->size;
            if (s->dtype == TR_F32)
                table->f32.binary[TRI_B_add](s->n, to, to, from);
            else
                table->f64.binary[TRI_B_add](s->n, to, to, from);
        }
}

tr_status tri_relu_gradient(tr_tensor *u, tr_tensor *sum, const tr_tensor *g, const tr_tensor *y)
{
    if (tri_failed()) return tr_status_get();
    tr_scope *scope = tr_scope_push();
    if (!scope) return tr_status_get();
    g = tri_contiguous(g);
    y = tri_contiguous(y);
    job s = { .dtype = u->dtype, .size = (int64_t)tr_dtype_size(u->dtype), .n = tr_numel(sum) };
    assert(u->rank > 0 && s.n == u->shape[u->rank - 1]);
    const int64_t total = tr_numel(u), bytes = s.n * s.size;
    if (total == 0)
        memset(sum->data, 0, (size_t)bytes);
    else if (g && y) {
        s.rows = total / s.n;
        s.piece = PIECE_ELEMENTS / s.n < PIECE_ROWS ? PIECE_ELEMENTS / s.n + 1 : PIECE_ROWS;
        const int64_t pieces = (s.rows - 1) / s.piece + 1;
        s.u = u->data;
        s.g = g->data;
        s.y = y->data;
        s.sums = tri_scratch((uint64_t)(pieces * bytes));
        if (s.sums) {
            tri_parallel_for(s.rows, s.piece, mask_body, &s);
            add_pieces(&s, pieces);
            memcpy(sum->data, s.sums, (size_t)bytes);
        }
    }
    tr_scope_pop(scope);
    return tr_status_get();
}
