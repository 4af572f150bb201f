/* gemm.h: the blocked matrix product behind tri_matmul and the convolutions. Not installed.
 *
 * A product c = a b sees each factor as an "operand": a matrix whose outer index counts rows of a
 * (or columns of b) and whose inner index is the summed one, k. A dense operand is a pointer and
 * two strides, so a transposed matrix costs nothing; an implicit one (image patches) is a function
 * that writes any rectangle of it in packed form, so that the matrix never exists as a whole. Read
 * next: gemm.c (blocking, threads), gemm_pack.c (packing), conv.c (implicit operands).        */
#ifndef TENREC_GEMM_H
#define TENREC_GEMM_H

#include "tensor/core.h"
#include "tensor/compute.h"

typedef struct tri_operand tri_operand;

/* Writes elements (o, k), o0 <= o < o0 + count, k0 <= k < k1, to out[(k - k0) width + o - o0]. */
typedef void (*tri_pack)(const tri_operand *x, int64_t o0, int64_t count, int64_t k0, int64_t k1,
                         int64_t width, void *out);

struct tri_operand {
    const void *data;
    size_t size;          /* bytes of an element: 4 or 8 */
    int64_t outer, inner; /* strides in elements, of a dense operand */
    tri_pack pack;        /* NULL: dense */
    const void *context;  /* for pack */
};

/* One axis over which products are repeated: a stack of matrices, the groups of a convolution. */
typedef struct tri_batch_axis {
    int64_t size, a, b, c, bias; /* count, and what one step adds to each pointer, in elements */
} tri_batch_axis;

typedef struct tri_product {
    tr_dtype dtype;
    int64_t m, n, k;
    tri_operand a, b;
    void *c;
    int64_t c_row;    /* stride of c's rows; its columns are adjacent */
    const void *bias; /* [n] or NULL */
    tri_epilogue epilogue;
    int batch_rank;
    tri_batch_axis batch[TR_MAX_RANK];
} tri_product;

/* Computes c; same bits on any number of threads. Fails only for want of scratch memory. */
tr_status tri_gemm(const tri_product *p);

/* The packer of dense operands. */
void tri_pack_dense(const tri_operand *x, int64_t o0, int64_t count, int64_t k0, int64_t k1,
                    int64_t width, void *out);

/* out[k width + i] = rows[i][k] for i < count, k < length: the transposition inside packing, from
 * rows that lie anywhere. */
void tri_pack_rows(size_t size, int64_t count, const char *const *rows, int64_t length,
                   int64_t width, void *out);

/* Copies a short run; both sides are readable and writable for exactly `bytes`. */
void tri_copy_run(char *out, const char *in, int64_t bytes);

/* The most rows that tri_pack_rows takes at a time: no register block is wider. */
enum { TRI_PACK_MAX = 64 };

#endif
