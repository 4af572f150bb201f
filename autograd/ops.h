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

/* --- Convolution (convolution.c): images [N, H, W, C], kernels [KH, KW, C / groups, K] ------------------------- */

/* TR_PAD_VALID: only the cells that `pad` says. TR_PAD_SAME: what makes the result ceil(size / stride)
 * large; an odd cell goes after (Keras). */
typedef enum tr_padding { TR_PAD_VALID, TR_PAD_SAME } tr_padding;

/* Pairs are { rows, columns }; zeros stand for the defaults. */
typedef struct tr_conv_options {
    int64_t       stride[2];         /* default 1 */
    int64_t       pad[2][2];         /* zeros around the image: [axis][before, after] */
    tr_padding    padding;
    int64_t       dilation[2];       /* distance of the kernel's cells; default 1 */
    int64_t       groups;            /* channels in as many parts that do not mix; C: depthwise; default 1 */
    tr_activation act;               /* applied to the result */
    int64_t       output_padding[2]; /* transposed only: so many more rows, columns; below the stride */
} tr_conv_options;

/* y[n,i,j,k] = act(bias[k] + sum_rsc x[n, i stride + r dilation - pad, ..., c] w[r,s,c,k]) [N, OH, OW, K],
 * OH = floor((H + pads - dilation (KH - 1) - 1) / stride) + 1. bias [K] or NULL; options NULL: defaults. */
TR_API tr_tensor *tr_conv2d(tr_tensor *x, tr_tensor *w, tr_tensor *bias, const tr_conv_options *options);
/* The gradients of <conv2d(x, w), g>: by x [N, height, width, C], by w [kh, kw, C / groups, K]. */
TR_API tr_tensor *tr_conv2d_dx(tr_tensor *g, tr_tensor *w, int64_t height, int64_t width,
                               const tr_conv_options *options);
TR_API tr_tensor *tr_conv2d_dw(tr_tensor *x, tr_tensor *g, int64_t kh, int64_t kw,
                               const tr_conv_options *options);
/* Transposed convolution, x [N, H, W, in], w [KH, KW, out / groups, in] (Keras's layout; PyTorch's is
 * [in, out / groups, KH, KW]) -> [N, OH, OW, out]: the gradient by its images of the convolution with
 * these options. OH = (H - 1) stride - pads + dilation (KH - 1) + 1 + output_padding (PyTorch); with
 * TR_PAD_SAME OH = H stride (Keras). */
TR_API tr_tensor *tr_conv2d_transpose(tr_tensor *x, tr_tensor *w, tr_tensor *bias,
                                      const tr_conv_options *options);
/* The same along one axis: x [N, L, C], w [KW, C / groups, K]; the first number of each pair counts. */
TR_API tr_tensor *tr_conv1d(tr_tensor *x, tr_tensor *w, tr_tensor *bias, const tr_conv_options *options);
TR_API tr_tensor *tr_conv1d_transpose(tr_tensor *x, tr_tensor *w, tr_tensor *bias,
                                      const tr_conv_options *options);

/* --- Pooling (pooling.c): pictures [N, H, W, C] ------------------------------------------------------------------ */

typedef struct tr_pool_options {
    int64_t    window[2];    /* required */
    int64_t    stride[2];    /* default: the window */
    int64_t    pad[2][2];    /* [axis][before, after]; no window may lie in it wholly */
    tr_padding padding;
    int64_t    dilation[2];  /* default 1 */
    bool       ceil;         /* round the number of windows up: the last may reach past the padding */
    bool       skip_padding; /* average: divide by the cells inside only; always so with TR_PAD_SAME (Keras) */
} tr_pool_options;

TR_API tr_tensor *tr_max_pool2d(tr_tensor *x, const tr_pool_options *options); /* gradient to the first of equals */
TR_API tr_tensor *tr_max_pool2d_index(tr_tensor *x, const tr_pool_options *options); /* i64: h W + w; no gradient */
TR_API tr_tensor *tr_pool_gather(tr_tensor *x, tr_tensor *index);  /* x[n, index[n,i,j,c], c]: pooling again */
/* [N, height, width, C]: x[n,i,j,c] at position index[n,i,j,c], 0 elsewhere; values at one place add up. */
TR_API tr_tensor *tr_max_unpool2d(tr_tensor *x, tr_tensor *index, int64_t height, int64_t width);
TR_API tr_tensor *tr_avg_pool2d(tr_tensor *x, const tr_pool_options *options);
/* Averages of rows floor(i H / height) .. ceil((i + 1) H / height) - 1, columns alike (PyTorch). */
TR_API tr_tensor *tr_adaptive_avg_pool2d(tr_tensor *x, int64_t height, int64_t width);
TR_API tr_tensor *tr_global_avg_pool2d(tr_tensor *x);              /* [N, C] */
TR_API tr_tensor *tr_global_max_pool2d(tr_tensor *x);              /* [N, C]; gradient to the first of equals */

/* --- Other sizes (resizing.c): pictures [N, H, W, C] --------------------------------------------------------------- */

/* To any size. Nearest: y[i] = x[floor(i H / height)]. Bilinear: between the pixels around
 * (i + 1/2) H / height - 1/2, at least 0; with align_corners around i (H - 1) / (height - 1) (PyTorch). */
TR_API tr_tensor *tr_upsample_nearest(tr_tensor *x, int64_t height, int64_t width);
TR_API tr_tensor *tr_upsample_bilinear(tr_tensor *x, int64_t height, int64_t width, bool align_corners);
/* [N, H, W, C r r] -> [N, H r, W r, C]: y[n, h r + i, w r + j, c] = x[n, h, w, (c r + i) r + j], PyTorch's
 * order of channels; unshuffle is its inverse. */
TR_API tr_tensor *tr_pixel_shuffle(tr_tensor *x, int64_t r);
TR_API tr_tensor *tr_pixel_unshuffle(tr_tensor *x, int64_t r);
/* [N, OH, OW, KH KW C]: the patches that a convolution of that window sees, so that conv2d(x, w) =
 * matmul(im2col(x), w as [KH KW C, K]); of the options, stride, pad, padding and dilation count. col2im
 * adds patches up where they came from: the gradient of im2col. */
TR_API tr_tensor *tr_im2col(tr_tensor *x, int64_t kh, int64_t kw, const tr_conv_options *options);
TR_API tr_tensor *tr_col2im(tr_tensor *columns, int64_t height, int64_t width, int64_t kh, int64_t kw,
                            const tr_conv_options *options);

#ifdef __cplusplus
}
#endif
#endif
