/* ops_image.h: matrix products, convolutions, pooling, resizing, dense algebra. Checks, errors and
 * derivatives are as ops.h says. Images are [N, H, W, C], channels last. Included by autograd.h.
 * Layers made of these are in nn/nn.h. */
#ifndef TENREC_OPS_IMAGE_H
#define TENREC_OPS_IMAGE_H

#include "autograd/ops.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- Products (linear.c) ---------------------------------------------------------------------- */

/* Matrix product over the last two axes, a [..., M, K], b [..., K, N] -> [..., M, N]; leading axes
 * broadcast; a vector [K] stands for [1, K] on the left, [K, 1] on the right, and its axis is
 * dropped. */
TR_API tr_tensor *tr_matmul(tr_tensor *a, tr_tensor *b);

/* y = act(x w + bias): x [..., in], w [in, out], bias [out] or NULL, y [..., out]; in one pass for
 * the first four activations. */
TR_API tr_tensor *tr_affine_map(tr_tensor *x, tr_tensor *w, tr_tensor *bias, tr_activation act);

/* --- Convolution (convolution.c): images [N, H, W, C], kernels [KH, KW, C / groups, K] -------- */

/* TR_PAD_VALID: only the cells that `pad` says. TR_PAD_SAME: what makes the result ceil(size /
 * stride) large; an odd cell goes after (Keras). */
typedef enum tr_padding { TR_PAD_VALID, TR_PAD_SAME } tr_padding;

/* Pairs are { rows, columns }; zeros stand for the defaults. */
typedef struct tr_conv_options {
    int64_t       stride[2]; /* default 1 */
    int64_t       pad[2][2]; /* zeros around the image: [axis][before, after] */
    tr_padding    padding;
    int64_t       dilation[2]; /* distance of the kernel's cells; default 1 */
    int64_t       groups; /* channels in as many parts that do not mix; C: depthwise; default 1 */
    tr_activation act;    /* applied to the result */
    int64_t output_padding[2]; /* transposed only: so many more rows, columns; below the stride */
} tr_conv_options;

/* y[n,i,j,k] = act(bias[k] + sum_rsc x[n, i stride + r dilation - pad, ..., c] w[r,s,c,k]) [N, OH,
 * OW, K], OH = floor((H + pads - dilation (KH - 1) - 1) / stride) + 1. bias [K] or NULL; options
 * NULL: defaults. */
TR_API tr_tensor *tr_conv2d(tr_tensor *x, tr_tensor *w, tr_tensor *bias,
                            const tr_conv_options *options);
/* The gradients of <conv2d(x, w), g>: by x [N, height, width, C], by w [kh, kw, C / groups, K]. */
TR_API tr_tensor *tr_conv2d_dx(tr_tensor *g, tr_tensor *w, int64_t height, int64_t width,
                               const tr_conv_options *options);
TR_API tr_tensor *tr_conv2d_dw(tr_tensor *x, tr_tensor *g, int64_t kh, int64_t kw,
                               const tr_conv_options *options);
/* Transposed convolution, x [N, H, W, in], w [KH, KW, out / groups, in] (Keras's layout; PyTorch's
 * is [in, out / groups, KH, KW]) -> [N, OH, OW, out]: the gradient by its images of the convolution
 * with these options. OH = (H - 1) stride - pads + dilation (KH - 1) + 1 + output_padding
 * (PyTorch); with TR_PAD_SAME OH = H stride (Keras). */
TR_API tr_tensor *tr_conv2d_transpose(tr_tensor *x, tr_tensor *w, tr_tensor *bias,
                                      const tr_conv_options *options);
/* The same along one axis: x [N, L, C], w [KW, C / groups, K]; the first number of each pair
 * counts. */
TR_API tr_tensor *tr_conv1d(tr_tensor *x, tr_tensor *w, tr_tensor *bias,
                            const tr_conv_options *options);
TR_API tr_tensor *tr_conv1d_transpose(tr_tensor *x, tr_tensor *w, tr_tensor *bias,
                                      const tr_conv_options *options);

/* --- Pooling (pooling.c): pictures [N, H, W, C] ----------------------------------------------- */

typedef struct tr_pool_options {
    int64_t    window[2]; /* required */
    int64_t    stride[2]; /* default: the window */
    int64_t    pad[2][2]; /* [axis][before, after]; no window may lie in it wholly */
    tr_padding padding;
    int64_t    dilation[2]; /* default 1 */
    bool       ceil; /* round the number of windows up: the last may reach past the padding */
    bool       skip_padding; /* average: divide by the cells inside only; always so with TR_PAD_SAME
                                (Keras) */
} tr_pool_options;

/* gradient to the first of equals */
TR_API tr_tensor *tr_max_pool2d(tr_tensor *x, const tr_pool_options *options);
/* i64: h W + w; no gradient */
TR_API tr_tensor *tr_max_pool2d_index(tr_tensor *x, const tr_pool_options *options);
/* x[n, index[n,i,j,c], c]: pooling again */
TR_API tr_tensor *tr_pool_gather(tr_tensor *x, tr_tensor *index);
/* [N, height, width, C]: x[n,i,j,c] at position index[n,i,j,c], 0 elsewhere; values at one place
 * add up. */
TR_API tr_tensor *tr_max_unpool2d(tr_tensor *x, tr_tensor *index, int64_t height, int64_t width);
TR_API tr_tensor *tr_avg_pool2d(tr_tensor *x, const tr_pool_options *options);
/* Averages of rows floor(i H / height) .. ceil((i + 1) H / height) - 1, columns alike (PyTorch). */
TR_API tr_tensor *tr_adaptive_avg_pool2d(tr_tensor *x, int64_t height, int64_t width);
TR_API tr_tensor *tr_global_avg_pool2d(tr_tensor *x); /* [N, C] */
TR_API tr_tensor *tr_global_max_pool2d(tr_tensor *x); /* [N, C]; gradient to the first of equals */

/* --- Other sizes (resizing.c): pictures [N, H, W, C] ------------------------------------------ */

/* To any size. Nearest: y[i] = x[floor(i H / height)]. Bilinear: between the pixels around
 * (i + 1/2) H / height - 1/2, at least 0; with align_corners around i (H - 1) / (height - 1)
 * (PyTorch). */
TR_API tr_tensor *tr_upsample_nearest(tr_tensor *x, int64_t height, int64_t width);
TR_API tr_tensor *tr_upsample_bilinear(tr_tensor *x, int64_t height, int64_t width,
                                       bool align_corners);
/* act(conv2d(upsample_nearest(x, f H, f W), w) + bias), padding 'same', f f times faster;
 * w [KH, KW, C, K], f = factor. */
TR_API tr_tensor *tr_upsample_conv2d(tr_tensor *x, tr_tensor *w, tr_tensor *bias, int64_t factor,
                                     tr_activation act);
/* act(max_pool2d(conv2d(x, w), window) + bias), padding 'same', windows side by side: what act(...)
 * pooled is, for an activation that grows, in fewer passes over memory. window: 1 .. 16. */
TR_API tr_tensor *tr_conv2d_pool(tr_tensor *x, tr_tensor *w, tr_tensor *bias, int64_t window,
                                 tr_activation act);
/* [N, H, W, C r r] -> [N, H r, W r, C]: y[n, h r + i, w r + j, c] = x[n, h, w, (c r + i) r + j],
 * PyTorch's order of channels; unshuffle is its inverse. */
TR_API tr_tensor *tr_pixel_shuffle(tr_tensor *x, int64_t r);
TR_API tr_tensor *tr_pixel_unshuffle(tr_tensor *x, int64_t r);
/* [N, OH, OW, KH KW C]: the patches that a convolution of that window sees, so that conv2d(x, w) =
 * matmul(im2col(x), w as [KH KW C, K]); of the options, stride, pad, padding and dilation count.
 * col2im adds patches up where they came from: the gradient of im2col. */
TR_API tr_tensor *tr_im2col(tr_tensor *x, int64_t kh, int64_t kw, const tr_conv_options *options);
TR_API tr_tensor *tr_col2im(tr_tensor *columns, int64_t height, int64_t width, int64_t kh,
                            int64_t kw, const tr_conv_options *options);

/* --- Dense algebra (linalg.c): square matrices [..., n, n]; computed in f64 ------------------- */

TR_API tr_tensor *tr_cholesky(tr_tensor *a); /* y y^T = (a + a^T) / 2; lower triangular */
/* a y = b [..., n, m]; one triangle is read */
TR_API tr_tensor *tr_solve_triangular(tr_tensor *a, tr_tensor *b, bool upper);
TR_API tr_tensor *tr_inverse(tr_tensor *a); /* an error where singular */
TR_API tr_tensor *tr_logdet(tr_tensor *a);  /* [...]: ln |det a|; -Inf where singular */
/* a's symmetric part = vectors diag(values) vectors^T: values [..., n] ascending, vectors in
 * columns, the largest component of each positive. No gradient. */
TR_API tr_status  tr_eigh(const tr_tensor *a, tr_tensor **values, tr_tensor **vectors);
TR_API tr_tensor *tr_outer(tr_tensor *a, tr_tensor *b); /* vectors: y[i,j] = a[i] b[j] */
/* y[..., k] = bias[k] + sum_ij x1[..., i] x2[..., j] w[i,j,k]; bias may be NULL. */
TR_API tr_tensor *tr_bilinear(tr_tensor *x1, tr_tensor *x2, tr_tensor *w, tr_tensor *bias);
/* Einstein's notation, "nij,njk->nik": a letter per axis; letters that are not in the result are
 * summed over. Without "->" the result has the letters that occur once, in alphabetical order. A
 * letter occurs once in each operand. b is NULL for one operand, "ij->ji". */
TR_API tr_tensor *tr_einsum(const char *equation, tr_tensor *a, tr_tensor *b);

#ifdef __cplusplus
}
#endif
#endif
