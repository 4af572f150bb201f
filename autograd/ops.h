/* ops.h: the operations. Each takes and gives tensors, checks its arguments, and can be differentiated
 * to any order unless a line says "no gradient". On bad arguments: NULL and an error that names the
 * operation and the shape and dtype of each argument.
 *
 * Elementwise operations of several arguments broadcast: axes are matched from the last one, and a
 * size of 1 is repeated (the NumPy rule). Arguments share one dtype, f32 or f64, unless said otherwise.
 * `docs/ops.md`, made from the descriptors, lists formula and gradient of each.                       */
#ifndef TENREC_OPS_H
#define TENREC_OPS_H

#include "tensor/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- Arithmetic (elementwise.c) ------------------------------------------------------------------------ */

TR_API tr_tensor *tr_add(tr_tensor *a, tr_tensor *b);              /* a + b */
TR_API tr_tensor *tr_sub(tr_tensor *a, tr_tensor *b);              /* a - b */
TR_API tr_tensor *tr_mul(tr_tensor *a, tr_tensor *b);              /* a b, elementwise */
TR_API tr_tensor *tr_div(tr_tensor *a, tr_tensor *b);              /* a / b */
TR_API tr_tensor *tr_neg(tr_tensor *x);                            /* -x */
TR_API tr_tensor *tr_scale(tr_tensor *x, double factor);           /* factor x */
TR_API tr_tensor *tr_add_scalar(tr_tensor *x, double term);        /* x + term */
TR_API tr_tensor *tr_affine(tr_tensor *x, double factor, double term); /* factor x + term */
TR_API tr_tensor *tr_square(tr_tensor *x);                         /* x x */
TR_API tr_tensor *tr_sqrt(tr_tensor *x);
TR_API tr_tensor *tr_exp(tr_tensor *x);
TR_API tr_tensor *tr_log(tr_tensor *x);                            /* natural */

/* --- Activations (elementwise.c) ----------------------------------------------------------------------- */

TR_API tr_tensor *tr_sigmoid(tr_tensor *x);                        /* 1 / (1 + e^-x) */
TR_API tr_tensor *tr_softplus(tr_tensor *x);                       /* ln(1 + e^x) */
TR_API tr_tensor *tr_tanh(tr_tensor *x);
TR_API tr_tensor *tr_relu(tr_tensor *x);                           /* max(x, 0); derivative 0 at 0 */
TR_API tr_tensor *tr_relu_mask(tr_tensor *g, tr_tensor *x);        /* x > 0 ? g : 0; no gradient to x */

/* --- Reductions (reduction.c) -------------------------------------------------------------------------- */

/* Over the given axes (TR_AXES(0, -1), TR_ALL_AXES); with keepdim they stay as size 1. */
TR_API tr_tensor *tr_sum(tr_tensor *x, tr_shape axes, bool keepdim);
TR_API tr_tensor *tr_mean(tr_tensor *x, tr_shape axes, bool keepdim);

/* --- Shape (view.c) -------------------------------------------------------------------------------------- */

TR_API tr_tensor *tr_cast(tr_tensor *x, tr_dtype dtype);           /* any dtypes; differentiable between f32 and f64 */
TR_API tr_tensor *tr_reshape(tr_tensor *x, tr_shape shape);        /* row-major order kept; one size may be -1 */
TR_API tr_tensor *tr_flatten(tr_tensor *x, int first_axis);        /* merges first_axis and all that follow */
TR_API tr_tensor *tr_expand(tr_tensor *x, tr_shape shape);         /* broadcast to a shape; a view */
TR_API tr_tensor *tr_sum_to(tr_tensor *x, tr_shape shape);         /* adjoint of expand: sums what was repeated */
TR_API tr_tensor *tr_permute(tr_tensor *x, tr_shape axes);         /* axis i of the result is axes[i] of x; a view */
TR_API tr_tensor *tr_transpose(tr_tensor *x, int axis_a, int axis_b);

/* --- Products (linear.c) -------------------------------------------------------------------------------- */

/* Matrix product over the last two axes, a [..., M, K], b [..., K, N] -> [..., M, N]; leading axes
 * broadcast; a vector [K] stands for [1, K] on the left, [K, 1] on the right, and its axis is dropped. */
TR_API tr_tensor *tr_matmul(tr_tensor *a, tr_tensor *b);

/* Activations that a product applies to its own result: those whose derivative follows from the result. */
typedef enum tr_activation { TR_IDENTITY, TR_RELU, TR_SIGMOID, TR_TANH } tr_activation;

/* y = act(x w + bias): x [..., in], w [in, out], bias [out] or NULL, y [..., out], in one pass. */
TR_API tr_tensor *tr_affine_map(tr_tensor *x, tr_tensor *w, tr_tensor *bias, tr_activation act);

#ifdef __cplusplus
}
#endif
#endif
