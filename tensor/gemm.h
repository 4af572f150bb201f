/* gemm.h: the blocked matrix product behind tri_matmul, and its packing. Not installed.
 *
 * A product c = a b sees each factor as an "operand": a matrix whose outer index counts rows of a
 * (or columns of b) and whose inner index is the summed one, k. It is a pointer and two strides, so
 * that a transposed matrix costs nothing. Read next: gemm.c (blocking, threads),
 * kernels_pack.inc (packing). */
#ifndef TENREC_GEMM_H
#define TENREC_GEMM_H

#include "tensor/core.h"
#include "tensor/kernels.h"

/* Element (outer o, inner k) lies at data + o outer + k inner, in elements. */
typedef struct tri_operand {
    const void *data;
    size_t size; /* bytes of an element: 4 or 8 */
    int64_t outer, inner;
} tri_operand;

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

/* The same for products of a single row, where tri_is_row_product says so (gemv.c). */
bool tri_is_row_product(const tri_product *p);
tr_status tri_row_product(const tri_product *p);

/* Writes elements (o, k), o0 <= o < o0 + count, k0 <= k < k1, to out[(k - k0) width + o - o0]. */
void tri_pack(const tri_operand *x, int64_t o0, int64_t count, int64_t k0, int64_t k1,
              int64_t width, void *out);

/* The register block of a type, from the kernel table in use. */
typedef struct tri_block {
    const tri_kernels *table;
    tr_dtype dtype;
    int64_t size;       /* bytes of an element */
    int64_t rows, cols; /* the most it takes */
} tri_block;

tri_block tri_block_of(tr_dtype dtype);

/* The kernel `gemm` (kernels.h) of the block's type. */
void tri_multiply(const tri_block *block, int64_t rows, int64_t cols, int64_t k, const void *a,
                  int64_t a_row, const int64_t *a_at, const void *b, const int64_t *b_at, void *c,
                  int64_t c_row, bool accumulate);

/* c = epilogue(c + bias) on a rectangle of c; bias may be NULL. */
void tri_finish(const tri_block *block, tri_epilogue epilogue, const void *bias, void *c,
                int64_t c_row, int64_t rows, int64_t cols);

/* c = epilogue(the sum of the pieces, added in order, + bias): a row of n numbers, whose pieces lie
 * `step` bytes apart. */
void tri_combine(const tri_block *block, tri_epilogue epilogue, const void *bias, void *c,
                 const char *parts, int64_t pieces, int64_t step, int64_t n);

/* Whole-number helpers of the blocking: a / b rounded up, and the size of equal parts of `total` of
 * at most `limit` each. */
int64_t tri_ceil_div(int64_t a, int64_t b);
int64_t tri_even_part(int64_t total, int64_t limit);

/* Into how many tasks so many multiply-adds of a convolution are cut: 1 where a second thread would
 * not repay, at most `most`. */
int64_t tri_tasks_for(double work, int64_t most);

/* The most rows that tri_pack takes at a time: no register block is wider. */
enum { TRI_PACK_MAX = 64 };

#endif
