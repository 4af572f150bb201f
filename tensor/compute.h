/* compute.h: the numeric drivers. They take tensors, cut the work into pieces for threads, and call
 * the kernels of kernels.h on raw pointers. Not installed.
 *
 * Conventions: the result comes first and exists already, with the right shape and dtype; it is
 * contiguous and shares no memory with the arguments unless a line says otherwise. Arguments may
 * have any strides. Shapes and dtypes were checked by the caller (autograd/): here they are
 * asserted. Floating arguments are f32 or f64, all of one dtype. Where a driver needs scratch
 * memory it can fail with TR_ERR_MEMORY. How work and sums are split depends on shapes only: same
 * bits on any number of threads. */
#ifndef TENREC_COMPUTE_H
#define TENREC_COMPUTE_H

#include "tensor/core.h"

/* --- Elementwise (map.c). Arguments have the shape of the result; x may be y itself. ---------- */

typedef enum tri_unary_id {
#define TRI_UNARY(name, meaning) TRI_U_##name,
#include "tensor/elementwise.def"
    TRI_UNARY_COUNT
} tri_unary_id;

typedef enum tri_binary_id {
#define TRI_BINARY(name, meaning) TRI_B_##name,
#include "tensor/elementwise.def"
    TRI_BINARY_COUNT
} tri_binary_id;

typedef enum tri_compare_id {
#define TRI_COMPARE(name, meaning) TRI_C_##name,
#include "tensor/elementwise.def"
    TRI_COMPARE_COUNT
} tri_compare_id;

tr_status tri_unary(tri_unary_id id, tr_tensor *y, const tr_tensor *x,
                    const double p[2]); /* p may be NULL */
tr_status tri_binary(tri_binary_id id, tr_tensor *z, const tr_tensor *a, const tr_tensor *b);
tr_status tri_compare(tri_compare_id id, tr_tensor *z /* u8 */, const tr_tensor *a,
                      const tr_tensor *b); /* any dtype */
tr_status tri_where(tr_tensor *z, const tr_tensor *condition /* u8 */, const tr_tensor *a,
                    const tr_tensor *b); /* any dtype */
tr_status tri_copy(tr_tensor       *dst,
                   const tr_tensor *src); /* any dtypes (converts), any strides on both sides */
tr_status tri_fill(tr_tensor *dst, double value);         /* any dtype, any strides */

/* u = y > 0 ? g : 0 and sum [n], the sums of its columns, n being the last axis (relu_gradient.c).
 */
tr_status tri_relu_gradient(tr_tensor *u, tr_tensor *sum, const tr_tensor *g, const tr_tensor *y);

/* --- Reductions (reduce.c). y has x's rank, with 1 along the reduced axes. -------------------- */

typedef enum tri_reduce_id { TRI_R_SUM, TRI_R_PROD, TRI_R_MAX, TRI_R_MIN } tri_reduce_id;

/* Empty: sum 0, prod 1; max and min of nothing are the caller's error. NaN wins in max and min.
 * Sums use a fixed tree over fixed pieces: relative error grows with the logarithm of the count. */
tr_status tri_reduce(tri_reduce_id id, tr_tensor *y, const tr_tensor *x,
                     const bool axes[TR_MAX_RANK]);

/* Index along the axis of the first largest (smallest) element; y is i64. NaN counts as largest
 * (smallest). */
tr_status tri_argmax(tr_tensor *y, const tr_tensor *x, int axis, bool smallest);

/* Running sum or product along an axis, inclusive; from the end when `reverse`. */
tr_status tri_cumulate(tr_tensor *y, const tr_tensor *x, int axis, bool product, bool reverse);

/* y = x - logsumexp(x) along the axis (log), or its exponential. */
tr_status tri_softmax(tr_tensor *y, const tr_tensor *x, int axis, bool log);

/* --- Index (index.c): any dtype of x; indices are i64 and already checked to be in range ------ */

/* Indices that sort along the axis, stable; NaN last. */
tr_status tri_argsort(tr_tensor *index, const tr_tensor *x, int axis, bool descending);

/* y[.., i, ..] = x[.., index[.., i, ..], ..] along the axis; index has y's shape. */
tr_status tri_gather(tr_tensor *y, const tr_tensor *x, const tr_tensor *index, int axis);

/* y (already filled) [.., index[.., i, ..], ..] += x[.., i, ..]; index has x's shape. In order of
 * i: the result is the same for any number of threads. */
tr_status tri_scatter_add(tr_tensor *y, const tr_tensor *x, const tr_tensor *index, int axis);

/* True when all indices lie in [0, bound); else the first offender in *bad. */
bool tri_index_in_range(const tr_tensor *index, int64_t bound, int64_t *bad);

/* --- Matrix product (gemm.c) ------------------------------------------------------------------ */

/* The activations that a product can apply to its result before writing it: those whose derivative
 * is a function of the result. Same values as tr_activation. */
typedef enum tri_epilogue { TRI_E_IDENTITY, TRI_E_RELU, TRI_E_SIGMOID, TRI_E_TANH } tri_epilogue;

/* y = epilogue(a b + bias), batched: a [..., M, K], b [..., K, N], y [..., M, N] with equal leading
 * sizes (stride 0 repeats a matrix), bias [N] or NULL. Any strides of a and b: transposed operands
 * are packed, not copied. K = 0 gives epilogue(bias). */
tr_status tri_matmul(tr_tensor *y, const tr_tensor *a, const tr_tensor *b, const tr_tensor *bias,
                     tri_epilogue epilogue);

/* --- Convolution (conv.c): implicit matrix products, no column buffer
 * --------------------------------- Large 3x3 convolutions in f32 with step 1 take fewer
 * multiplications (winograd.c says which, and what that costs in accuracy); the functions named
 * _direct never do. */

typedef struct tri_conv {
    int64_t stride[2], pad[2][2] /* [axis][before, after] */, dilation[2], groups;
} tri_conv;

/* x [N, H, W, C], w [KH, KW, C/groups, K], bias [K] or NULL, y [N, OH, OW, K];
 * y[n,i,j,k] = epilogue(bias[k] + sum_{r,s,c} x[n, i st + r di - p, j st + s di - p, c]
 * w[r,s,c,k]). */
tr_status tri_conv2d(tr_tensor *y, const tr_tensor *x, const tr_tensor *w, const tr_tensor *bias,
                     const tri_conv *c, tri_epilogue epilogue);
/* The partial gradients of T(x, w, g) = <conv2d(x, w), g>: dx [N, H, W, C] from g [N, OH, OW, K]
 * and w, of which y = epilogue(dx + bias); dw [KH, KW, C/groups, K] from x and g. */
tr_status tri_conv2d_dx(tr_tensor *y, const tr_tensor *g, const tr_tensor *w, const tr_tensor *bias,
                        const tri_conv *c, tri_epilogue epilogue);
tr_status tri_conv2d_dw(tr_tensor *dw, const tr_tensor *x, const tr_tensor *g, const tri_conv *c);
tr_status tri_conv2d_direct(tr_tensor *y, const tr_tensor *x, const tr_tensor *w,
                            const tr_tensor *bias, const tri_conv *c, tri_epilogue epilogue);
tr_status tri_conv2d_dx_direct(tr_tensor *y, const tr_tensor *g, const tr_tensor *w,
                               const tr_tensor *bias, const tri_conv *c, tri_epilogue epilogue);
tr_status tri_conv2d_dw_direct(tr_tensor *dw, const tr_tensor *x, const tr_tensor *g,
                               const tri_conv *c);

/* y = epilogue(p + bias), p the largest of each window x window results of conv2d(x, w), step 1,
 * 'same' padding, windows side by side (conv_pool.c): x [N, H, W, C], y [N, H / window, W / window,
 * K]; place (u8, y's shape): where in its window the first largest stood. NaN is largest. And the
 * gradients from g, the gradient of p; dx and dw may be NULL. window^2 <= 256. */
enum { TRI_POOL_PLACES = 256 };
tr_status tri_conv2d_pool(tr_tensor *y, tr_tensor *place, const tr_tensor *x, const tr_tensor *w,
                          const tr_tensor *bias, int64_t window, tri_epilogue epilogue);
tr_status tri_conv2d_pool_gradients(tr_tensor *dx, tr_tensor *dw, const tr_tensor *x,
                                    const tr_tensor *w, const tr_tensor *g, const tr_tensor *place,
                                    int64_t window);

/* conv2d(upsample_nearest(x, f), w), step 1, 'same' padding (upsample_conv.c): x [N, H, W, C], w
 * [KH, KW, C, K], y [N, f H, f W, K] for any f; and the gradients by x and w. */
tr_status tri_upsample_conv2d(tr_tensor *y, const tr_tensor *x, const tr_tensor *w,
                              const tr_tensor *bias, tri_epilogue epilogue);
tr_status tri_upsample_conv2d_dx(tr_tensor *dx, const tr_tensor *g, const tr_tensor *w);
tr_status tri_upsample_conv2d_dw(tr_tensor *dw, const tr_tensor *x, const tr_tensor *g);

/* --- Windows and pictures (pool.c, resize.c), channels last ----------------------------------- */

typedef struct tri_pool {
    int64_t window[2], stride[2], pad[2][2], dilation[2];
    bool    count_padding; /* average: count the window's cells in the padding too */
} tri_pool;

/* y [N, OH, OW, C] and index (i64, same shape): the largest of each window and where it stood, as
 * h W + w in x's plane; the first of equals; padding never wins; NaN wins. index may be NULL. */
tr_status tri_max_pool2d(tr_tensor *y, tr_tensor *index, const tr_tensor *x, const tri_pool *p);
/* dx[n, index, c] += g[n, i, j, c] (dx is overwritten: zero elsewhere), and the reverse y[n,i,j,c]
 * = x[n, index, c]. */
tr_status tri_max_unpool2d(tr_tensor *dx, const tr_tensor *g, const tr_tensor *index);
tr_status tri_pool_gather(tr_tensor *y, const tr_tensor *x, const tr_tensor *index);
/* dx of max_pool2d(x): g where each window's first largest stood, 0 elsewhere. */
tr_status tri_max_pool2d_dx(tr_tensor *dx, const tr_tensor *g, const tr_tensor *x,
                            const tri_pool *p);
tr_status tri_avg_pool2d(tr_tensor *y, const tr_tensor *x, const tri_pool *p);
tr_status tri_avg_pool2d_dx(tr_tensor *dx, const tr_tensor *g, const tri_pool *p); /* the adjoint */

/* x [N, H, W, C] -> y [N, OH, OW, C]. Nearest: source row floor(i H / OH). Bilinear: source
 * coordinate (i + 1/2) H / OH - 1/2, clamped at 0, or i (H - 1) / (OH - 1) with align_corners. _dx
 * are the adjoints. */
tr_status tri_upsample_nearest(tr_tensor *y, const tr_tensor *x);
tr_status tri_upsample_nearest_dx(tr_tensor *dx, const tr_tensor *g);
tr_status tri_upsample_bilinear(tr_tensor *y, const tr_tensor *x, bool align_corners);
tr_status tri_upsample_bilinear_dx(tr_tensor *dx, const tr_tensor *g, bool align_corners);

/* Patches (columns.c): y [N, OH, OW, KH KW C] from x [N, H, W, C]; groups do not count. col2im is
 * the adjoint. */
tr_status tri_im2col(tr_tensor *y, const tr_tensor *x, const int64_t kernel[2], const tri_conv *c);
tr_status tri_col2im(tr_tensor *dx, const tr_tensor *g, const int64_t kernel[2], const tri_conv *c);

/* --- Dense algebra (linalg.c): [..., n, n], a stack of square matrices; computed in f64 ------- */

/* *bad is the first matrix of the stack that has no such factorisation (not positive definite,
 * singular, NaN), or -1; then the result is indeterminate. Cholesky, lower, of a's symmetric part.
 */
tr_status tri_cholesky(tr_tensor *l, const tr_tensor *a, int64_t *bad);
tr_status tri_inverse(tr_tensor *y, const tr_tensor *a, int64_t *bad);
tr_status tri_log_determinant(tr_tensor       *y /* [...] */,
                              const tr_tensor *a); /* ln |det a|; -Inf if singular */
/* a y = b with y, b [..., n, m]; reads one triangle of a. A zero on the diagonal gives Inf or NaN.
 */
tr_status tri_solve_triangular(tr_tensor *y, const tr_tensor *a, const tr_tensor *b, bool upper);
/* a's symmetric part = vectors diag(values) vectors^T: values [..., n] ascending, vectors in
 * columns, each with its largest component positive. */
tr_status tri_eigh(tr_tensor *values, tr_tensor *vectors, const tr_tensor *a, int64_t *bad);

/* --- One pass of an optimiser (update.c) ------------------------------------------------------ */

/* Adam (Kingma & Ba 2015) on one parameter, contiguous, f32 or f64, with PyTorch's arithmetic:
 *   g' = g + l2 w;  w -= lr decay w;  m += (1 - beta1)(g' - m);  v = beta2 v + (1 - beta2) g' g'
 *   w -= lr m / (c1 (sqrt(v / c2) + epsilon)), c1 = 1 - beta1^t, c2 = 1 - beta2^t.  One pass over
 * memory. */
typedef struct tri_adam {
    double lr, beta1, beta2, epsilon, l2, decay, c1, c2;
    double grad_scale; /* gradients are multiplied by this first: clipping by norm */
} tri_adam;
void tri_adam_update(tr_tensor *w, tr_tensor *m, tr_tensor *v, const tr_tensor *g,
                     const tri_adam *a);

#endif
