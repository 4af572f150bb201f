/* kernels.h: the innermost loops, one table per instruction set. Not installed.
 *
 * Kernels know nothing: raw pointers and counts; no tensors, allocation, errors or threads. One
 * source (the *.inc files, in GNU vector types) is compiled once per instruction set by
 * kernels_portable.c, kernels_avx2.c, kernels_avx512.c and kernels_neon.c; each of these exports
 * its table and nothing else. cpu.c picks the best table that processor and operating system
 * support, or TENREC_ISA's.
 *
 * Unless a line says otherwise arrays are unit-stride, need no alignment, and an output may be the
 * very same array as an input. The portable table is the specification. */
#ifndef TENREC_KERNELS_H
#define TENREC_KERNELS_H

#include "tensor/compute.h"

/* A tile, the rows of a that a register block takes, where it was copied: how far apart they are, and how
 * many at most. Rows begin at different places of a cache line: when they do not, the block takes 3 % more. */
enum { TRI_TILE_ROW_BYTES = 1608, TRI_TILE_ROWS = 14 };

/* Entries for one floating type; `real` is float or double. The two tables of an instruction set
 * come from the same source, included twice. */
#define TRI_KERNEL_ENTRIES(real)                                                                   \
    void (*unary[TRI_UNARY_COUNT])(int64_t n, real *y, const real *x, const double *p);            \
    void (*binary[TRI_BINARY_COUNT])(int64_t n, real *z, const real *a, const real *b);            \
    void (*compare[TRI_COMPARE_COUNT])(int64_t n, uint8_t *z, const real *a, const real *b);       \
    /* one piece of a reduction: fixed lanes, fixed tree */                                        \
    real (*sum)(int64_t n, const real *x);                                                         \
    real (*max)(int64_t n, const real *x); /* n > 0; NaN wins */                                   \
    real (*min)(int64_t n, const real *x);                                                         \
    /* y = exp(x - shift), returns the sum of y: the two steps of softmax in one pass */           \
    real (*exp_sum)(int64_t n, real *y, const real *x, real shift);                                \
    /* y[i y_step + j] = sum_{t < count} x[i x_step + at[t] + j], i < rows, j < n: no overlap */   \
    void (*sum_at)(int64_t rows, int64_t n, real *y, int64_t y_step, const real *x, int64_t x_step, \
                   const int64_t *at, int64_t count);                                              \
    /* The same with the largest x in place of the sum, NaN being largest; and back: each g[i g_step + j] to \
     * where the first largest of its window stood in x, zero to the others'. 1 <= count <= 16. */ \
    void (*max_at)(int64_t rows, int64_t n, real *y, int64_t y_step, const real *x, int64_t x_step, \
                   const int64_t *at, int64_t count);                                              \
    void (*max_back_at)(int64_t rows, int64_t n, const real *g, int64_t g_step, real *dx, const real *x, \
                        int64_t x_step, const int64_t *at, int64_t count);                         \
    /* max_at with y_step n, that also notes t, the place of the first largest; and back: where t is the \
     * place, dx[i x_step + at[t] + j] = g[i n + j], else zero. 1 <= count <= 256. */              \
    void (*max_place_at)(int64_t rows, int64_t n, real *y, uint8_t *place, const real *x,          \
                         int64_t x_step, const int64_t *at, int64_t count);                        \
    void (*put_place_at)(int64_t rows, int64_t n, const real *g, const uint8_t *place, real *dx,   \
                         int64_t x_step, const int64_t *at, int64_t count);                        \
    /* u = y > 0 ? g : 0, rows of n; sum[j] = the sum of column j of u */                          \
    void (*step_mul_sum)(int64_t rows, int64_t n, real *u, const real *g, const real *y, real *sum); \
    /* Philox: fills n values from block `block` on (see tr_rng) */                                \
    void (*uniform)(int64_t n, real *y, uint64_t seed, uint64_t stream, uint64_t block);           \
    void (*normal)(int64_t n, real *y, uint64_t seed, uint64_t stream, uint64_t block);            \
    void (*adam)(int64_t n, real *w, real *m, real *v, const real *g, const tri_adam *a);          \
    /* Register block of the matrix product, rows <= gemm_mr, cols <= gemm_nr:                     \
     *   c[i c_row + j] = or += sum_{p < k} a[i a_row + p a_step] b[p b_step + j],                 \
     * and the same with offsets a_at[p], b_at[p] from tables, for windows of a picture. Of each   \
     * row of b gemm_nr numbers are read, or gemm_nr / 2 where cols is no more. Fastest where      \
     * a_row is 1 or TRI_TILE_ROW_BYTES / sizeof(real). */                                         \
    int gemm_mr, gemm_nr;                                                                          \
    void (*gemm)(int rows, int cols, int64_t k, const real *a, int64_t a_row, int64_t a_step,      \
                 const real *b, int64_t b_step, real *c, int64_t c_row, bool accumulate);          \
    void (*gemm_at)(int rows, int cols, int64_t k, const real *a, int64_t a_row,                   \
                    const int64_t *a_at, const real *b, const int64_t *b_at, real *c,              \
                    int64_t c_row, bool accumulate);                                               \
    /* out[k width + i] = x[i outer + k inner], i < count, k < length */                           \
    void (*pack)(const real *x, int64_t outer, int64_t inner, int64_t count, int64_t length,       \
                 int64_t width, real *out);                                                        \
    /* A row times a matrix: y[j] = sum_{p < k} x[p x_step] b[p b_row + j], j < n; and times a     \
     * transposed one: y[j] = sum_{p < k} x[p] b[j b_row + p] */                                   \
    void (*gemv)(int64_t n, int64_t k, const real *x, int64_t x_step, const real *b, int64_t b_row, \
                 real *y);                                                                         \
    void (*gemv_turned)(int64_t n, int64_t k, const real *x, const real *b, int64_t b_row, real *y);

typedef struct tri_kernels_f32 {
    TRI_KERNEL_ENTRIES(float)
} tri_kernels_f32;

typedef struct tri_kernels_f64 {
    TRI_KERNEL_ENTRIES(double)
} tri_kernels_f64;

/* Transforms of tiles for Winograd's convolution, f32 (winograd.c). A transformed tile has 36
 * values per channel, `point` elements apart; pixels are pointers to channel vectors, those of a
 * tile row by row. */
typedef struct tri_kernels_winograd {
    void (*source)(int64_t channels, const float *const *pixels /* [36] */, float *out,
                   int64_t point);
    void (*cotangent)(int64_t channels, const float *const *pixels /* [16] */, float *out,
                      int64_t point);
    void (*result)(int64_t channels, const float *in, int64_t point,
                   const float *bias /* or NULL */, bool relu, float *const *pixels /* [16] */);
    /* The nine weights of a channel lie `element` apart, before and after. */
    void (*weights)(int64_t channels, const float *w, int64_t element, float *out, int64_t point);
    void (*gradient)(int64_t channels, const float *in, int64_t point, float *dw, int64_t element);
} tri_kernels_winograd;

typedef struct tri_kernels {
    const char          *isa;
    tri_kernels_f32      f32;
    tri_kernels_f64      f64;
    tri_kernels_winograd winograd;
} tri_kernels;

extern const tri_kernels tri_kernels_portable;
extern const tri_kernels tri_kernels_avx2;   /* only on x86-64 */
extern const tri_kernels tri_kernels_avx512; /* only on x86-64 */
extern const tri_kernels tri_kernels_neon;   /* only on AArch64 */

/* The table in use. */
const tri_kernels *tri_kernel_table(void);

/* The table of that name where this machine can run it, else NULL. */
const tri_kernels *tri_kernel_table_named(const char *isa);

/* NULL, or what is wrong with TENREC_ISA (the best table is then in use). */
const char *tri_isa_environment_error(void);

#endif
