/* ops.h: the operations on any tensors; ops_image.h has those of images and matrices. Each takes
 * and gives tensors, checks its arguments, and can be differentiated to any order unless a line
 * says "no gradient". On bad arguments: NULL and an error that names the operation and the shape
 * and dtype of each argument. Included by autograd.h.
 *
 * Elementwise operations of several arguments broadcast: axes are matched from the last one, and a
 * size of 1 is repeated (the NumPy rule). Arguments share one dtype, f32 or f64, unless said
 * otherwise. `docs/ops.md`, made from the descriptors, lists formula and gradient of each. */
#ifndef TENREC_OPS_H
#define TENREC_OPS_H

#include "tensor/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- Arithmetic (arithmetic.c) ---------------------------------------------------------------- */

TR_API tr_tensor *tr_add(tr_tensor *a, tr_tensor *b);                  /* a + b */
TR_API tr_tensor *tr_sub(tr_tensor *a, tr_tensor *b);                  /* a - b */
TR_API tr_tensor *tr_mul(tr_tensor *a, tr_tensor *b);                  /* a b, elementwise */
TR_API tr_tensor *tr_div(tr_tensor *a, tr_tensor *b);                  /* a / b */
TR_API tr_tensor *tr_neg(tr_tensor *x);                                /* -x */
TR_API tr_tensor *tr_scale(tr_tensor *x, double factor);               /* factor x */
TR_API tr_tensor *tr_add_scalar(tr_tensor *x, double term);            /* x + term */
TR_API tr_tensor *tr_affine(tr_tensor *x, double factor, double term); /* factor x + term */
TR_API tr_tensor *tr_lerp(tr_tensor *a, tr_tensor *b, tr_tensor *t);   /* a + t (b - a) */
TR_API tr_tensor *tr_square(tr_tensor *x);                             /* x x */
TR_API tr_tensor *tr_sqrt(tr_tensor *x);
TR_API tr_tensor *tr_rsqrt(tr_tensor *x);                /* 1 / sqrt(x) */
TR_API tr_tensor *tr_reciprocal(tr_tensor *x);           /* 1 / x */
TR_API tr_tensor *tr_pow_scalar(tr_tensor *x, double p); /* x^p */
/* a^b; gradient to a negative base's exponent is NaN */
TR_API tr_tensor *tr_pow(tr_tensor *a, tr_tensor *b);
TR_API tr_tensor *tr_hypot(tr_tensor *a, tr_tensor *b); /* sqrt(a a + b b) */
TR_API tr_tensor *tr_abs(tr_tensor *x);                 /* |x|; derivative 0 at 0 */
TR_API tr_tensor *tr_sign(tr_tensor *x);                /* -1, 0, 1; NaN stays. No gradient */
/* NaN wins; of equals each gets half the gradient */
TR_API tr_tensor *tr_maximum(tr_tensor *a, tr_tensor *b);
TR_API tr_tensor *tr_minimum(tr_tensor *a, tr_tensor *b);
/* gradient passes at the bounds; low <= high */
TR_API tr_tensor *tr_clamp(tr_tensor *x, double low, double high);
TR_API tr_tensor *tr_floor(tr_tensor *x); /* this and the next three: no gradient */
TR_API tr_tensor *tr_ceil(tr_tensor *x);
TR_API tr_tensor *tr_round(tr_tensor *x); /* ties to even */
TR_API tr_tensor *tr_trunc(tr_tensor *x);

/* --- Functions (function.c) ------------------------------------------------------------------- */

TR_API tr_tensor *tr_exp(tr_tensor *x);
TR_API tr_tensor *tr_expm1(tr_tensor *x); /* e^x - 1 */
TR_API tr_tensor *tr_exp2(tr_tensor *x);  /* 2^x */
TR_API tr_tensor *tr_log(tr_tensor *x);   /* natural */
TR_API tr_tensor *tr_log1p(tr_tensor *x); /* ln(1 + x) */
TR_API tr_tensor *tr_log2(tr_tensor *x);
TR_API tr_tensor *tr_sin(tr_tensor *x);
TR_API tr_tensor *tr_cos(tr_tensor *x);
TR_API tr_tensor *tr_tan(tr_tensor *x);
TR_API tr_tensor *tr_asin(tr_tensor *x);
TR_API tr_tensor *tr_acos(tr_tensor *x);
TR_API tr_tensor *tr_atan(tr_tensor *x);
TR_API tr_tensor *tr_atan2(tr_tensor *a, tr_tensor *b); /* angle of the point (b, a) */
TR_API tr_tensor *tr_sinh(tr_tensor *x);
TR_API tr_tensor *tr_cosh(tr_tensor *x);
TR_API tr_tensor *tr_tanh(tr_tensor *x);
TR_API tr_tensor *tr_erf(tr_tensor *x);
TR_API tr_tensor *tr_erfc(tr_tensor *x);             /* 1 - erf(x) */
TR_API tr_tensor *tr_lgamma(tr_tensor *x);           /* ln |gamma(x)| */
TR_API tr_tensor *tr_digamma(tr_tensor *x);          /* derivative of lgamma */
TR_API tr_tensor *tr_polygamma(int n, tr_tensor *x); /* n-th derivative of digamma, 0 <= n <= 100 */

/* --- Comparisons, logic, selection (compare.c) ------------------------------------------------ */

/* Of two arguments of one dtype, any; the results are u8, 0 or 1, and carry no gradient. */
TR_API tr_tensor *tr_equal(tr_tensor *a, tr_tensor *b);
TR_API tr_tensor *tr_not_equal(tr_tensor *a, tr_tensor *b);
TR_API tr_tensor *tr_less(tr_tensor *a, tr_tensor *b);
TR_API tr_tensor *tr_less_equal(tr_tensor *a, tr_tensor *b);
TR_API tr_tensor *tr_greater(tr_tensor *a, tr_tensor *b);
TR_API tr_tensor *tr_greater_equal(tr_tensor *a, tr_tensor *b);
/* What is not 0 is true. Any dtype, u8 results, no gradient. */
TR_API tr_tensor *tr_logical_not(tr_tensor *x);
TR_API tr_tensor *tr_logical_and(tr_tensor *a, tr_tensor *b);
TR_API tr_tensor *tr_logical_or(tr_tensor *a, tr_tensor *b);
TR_API tr_tensor *tr_logical_xor(tr_tensor *a, tr_tensor *b);
/* condition ? a : b; the condition is u8, a and b of one dtype, any. */
TR_API tr_tensor *tr_where(tr_tensor *condition, tr_tensor *a, tr_tensor *b);

/* --- Activations (activation.c) --------------------------------------------------------------- */

TR_API tr_tensor *tr_sigmoid(tr_tensor *x);                 /* 1 / (1 + e^-x) */
TR_API tr_tensor *tr_softplus(tr_tensor *x);                /* ln(1 + e^x) */
TR_API tr_tensor *tr_relu(tr_tensor *x);                    /* max(x, 0); derivative 0 at 0 */
TR_API tr_tensor *tr_relu_mask(tr_tensor *g, tr_tensor *x); /* x > 0 ? g : 0; no gradient to x */
/* x > 0 ? x : slope x; derivative slope at 0 */
TR_API tr_tensor *tr_leaky_relu(tr_tensor *x, double slope);
/* the same with a slope to learn, which broadcasts */
TR_API tr_tensor *tr_prelu(tr_tensor *x, tr_tensor *slope);
/* x > 0 ? x : alpha (e^x - 1); derivative alpha at 0 */
TR_API tr_tensor *tr_elu(tr_tensor *x, double alpha);
/* x > 0 ? x : alpha (e^(x / alpha) - 1); alpha > 0 */
TR_API tr_tensor *tr_celu(tr_tensor *x, double alpha);
TR_API tr_tensor *tr_selu(tr_tensor *x);       /* 1.0507 elu(x, 1.6733) (Klambauer et al. 2017) */
TR_API tr_tensor *tr_gelu(tr_tensor *x);       /* x Phi(x), Phi the normal distribution */
TR_API tr_tensor *tr_gelu_tanh(tr_tensor *x);  /* its approximation by tanh */
TR_API tr_tensor *tr_silu(tr_tensor *x);       /* x sigmoid(x) */
TR_API tr_tensor *tr_mish(tr_tensor *x);       /* x tanh(softplus(x)) */
TR_API tr_tensor *tr_logsigmoid(tr_tensor *x); /* ln sigmoid(x) */
TR_API tr_tensor *tr_softsign(tr_tensor *x);   /* x / (1 + |x|) */
/* clamp with derivative 0 at the bounds */
TR_API tr_tensor *tr_hardtanh(tr_tensor *x, double low, double high);
TR_API tr_tensor *tr_relu6(tr_tensor *x);       /* hardtanh(x, 0, 6) */
TR_API tr_tensor *tr_hardsigmoid(tr_tensor *x); /* relu6(x + 3) / 6 */
TR_API tr_tensor *tr_hardswish(tr_tensor *x);   /* x hardsigmoid(x); derivative 3/2 at 3 */

/* Activations by name. The first four are those that a product can apply to its own result: their
 * derivative follows from the result. Where a number is to choose it is the usual one: leaky_relu
 * 0.01, elu 1, hardtanh -1 and 1. */
typedef enum tr_activation {
    TR_IDENTITY,
    TR_RELU,
    TR_SIGMOID,
    TR_TANH,
    TR_LEAKY_RELU,
    TR_ELU,
    TR_SELU,
    TR_GELU,
    TR_GELU_TANH,
    TR_SILU,
    TR_MISH,
    TR_SOFTPLUS,
    TR_SOFTSIGN,
    TR_LOGSIGMOID,
    TR_RELU6,
    TR_HARDTANH,
    TR_HARDSIGMOID,
    TR_HARDSWISH
} tr_activation;

TR_API tr_tensor  *tr_activate(tr_tensor *x, tr_activation act); /* x itself for TR_IDENTITY */
TR_API const char *tr_activation_name(tr_activation act); /* "leaky_relu"; NULL if there is none */
/* The activation of that name; the error for an unknown one lists those there are. */
TR_API tr_status tr_activation_find(const char *name, tr_activation *act);

/* --- Reductions (reduction.c) ----------------------------------------------------------------- */

/* Over the given axes (TR_AXES(0, -1), TR_ALL_AXES); with keepdim they stay as size 1. The mean and
 * the largest of no values are errors; their sum is 0, their product 1, their logsumexp -inf. */
TR_API tr_tensor *tr_sum(tr_tensor *x, tr_shape axes, bool keepdim);
TR_API tr_tensor *tr_mean(tr_tensor *x, tr_shape axes, bool keepdim);
/* gradients are right at zeros too */
TR_API tr_tensor *tr_prod(tr_tensor *x, tr_shape axes, bool keepdim);
/* equals share the gradient evenly */
TR_API tr_tensor *tr_amax(tr_tensor *x, tr_shape axes, bool keepdim);
TR_API tr_tensor *tr_amin(tr_tensor *x, tr_shape axes, bool keepdim);
TR_API tr_tensor *tr_logsumexp(tr_tensor *x, tr_shape axes, bool keepdim); /* ln sum e^x */
/* sum (x - mean)^2 / (n - correction), 1 being the unbiased estimate; NaN where n <= correction.
 * std is its root, with derivative 0 at 0. */
TR_API tr_tensor *tr_var(tr_tensor *x, tr_shape axes, int correction, bool keepdim);
TR_API tr_tensor *tr_std(tr_tensor *x, tr_shape axes, int correction, bool keepdim);
/* (sum |x|^p)^(1/p), p > 0; INFINITY: the largest |x|. Derivative 0 at 0. */
TR_API tr_tensor *tr_norm(tr_tensor *x, double p, tr_shape axes, bool keepdim);
/* u8: x != 0 somewhere; any dtype; no gradient */
TR_API tr_tensor *tr_any(tr_tensor *x, tr_shape axes, bool keepdim);
TR_API tr_tensor *tr_all(tr_tensor *x, tr_shape axes, bool keepdim); /* u8: x != 0 everywhere */
/* x_0 + ... + x_i; reverse: x_i + ... + x_last */
TR_API tr_tensor *tr_cumsum(tr_tensor *x, int axis, bool reverse);
TR_API tr_tensor *tr_cumprod(tr_tensor *x, int axis); /* x_0 ... x_i */

/* --- Order (order.c): along one axis; NaN counts as larger than all --------------------------- */

/* Indices are i64, without gradient. The gradient of a value goes to the element that index names:
 * the first of equals. `index` receives the indices, of the result's shape; or is NULL. */
TR_API tr_tensor *tr_argmax(tr_tensor *x, int axis, bool keepdim);
TR_API tr_tensor *tr_argmin(tr_tensor *x, int axis, bool keepdim); /* here NaN counts as smallest */
TR_API tr_tensor *tr_argsort(tr_tensor *x, int axis, bool descending); /* stable, NaN last */
TR_API tr_tensor *tr_max(tr_tensor *x, int axis, bool keepdim, tr_tensor **index);
TR_API tr_tensor *tr_min(tr_tensor *x, int axis, bool keepdim, tr_tensor **index);
TR_API tr_tensor *tr_sort(tr_tensor *x, int axis, bool descending, tr_tensor **index);
/* best first */
TR_API tr_tensor *tr_topk(tr_tensor *x, int64_t k, int axis, bool largest, tr_tensor **index);

/* --- Probability (probability.c) -------------------------------------------------------------- */

TR_API tr_tensor *tr_softmax(tr_tensor *x, int axis);     /* e^x / sum e^x */
TR_API tr_tensor *tr_log_softmax(tr_tensor *x, int axis); /* x - ln sum e^x */
/* Cross entropy of a target t in [0, 1] and a logit x, max(x, 0) - x t + ln(1 + e^-|x|), or a
 * probability p, -t ln p - (1 - t) ln(1 - p) with logarithms bounded by -100. Elementwise;
 * nn/loss.h reduces them. */
TR_API tr_tensor *tr_logistic_loss(tr_tensor *x, tr_tensor *t);
TR_API tr_tensor *tr_binary_loss(tr_tensor *p, tr_tensor *t);
/* (x - mean) / sqrt(var + epsilon) over the axes (normalize.c). `mean` and `variance` receive what
 * was found, in keepdim form, without gradient; or are NULL. */
TR_API tr_tensor *tr_standardize(tr_tensor *x, tr_shape axes, double epsilon, tr_tensor **mean,
                                 tr_tensor **variance);

/* --- Shape (view.c) --------------------------------------------------------------------------- */

/* any dtypes; differentiable between f32 and f64 */
TR_API tr_tensor *tr_cast(tr_tensor *x, tr_dtype dtype);
/* row-major order kept; one size may be -1 */
TR_API tr_tensor *tr_reshape(tr_tensor *x, tr_shape shape);
/* merges first_axis and all that follow */
TR_API tr_tensor *tr_flatten(tr_tensor *x, int first_axis);
TR_API tr_tensor *tr_expand(tr_tensor *x, tr_shape shape); /* broadcast to a shape; a view */
/* adjoint of expand: sums what was repeated */
TR_API tr_tensor *tr_sum_to(tr_tensor *x, tr_shape shape);
/* axis i of the result is axes[i] of x; a view */
TR_API tr_tensor *tr_permute(tr_tensor *x, tr_shape axes);
TR_API tr_tensor *tr_transpose(tr_tensor *x, int axis_a, int axis_b);

/* drops axes of size 1; TR_ALL_AXES: every such */
TR_API tr_tensor *tr_squeeze(tr_tensor *x, tr_shape axes);
TR_API tr_tensor *tr_unsqueeze(tr_tensor *x, int axis); /* a new axis of size 1 at that place */

/* --- Parts (slice.c); any dtype --------------------------------------------------------------- */

#define TR_END INT64_MAX /* as stop: as far as the axis goes */
/* x[start:stop:step] of Python: negative positions count from the end, those outside are moved to
 * the end of the axis, a negative step walks backwards. A view, as are all below. */
TR_API tr_tensor *tr_slice(tr_tensor *x, int axis, int64_t start, int64_t stop, int64_t step);
/* must lie inside */
TR_API tr_tensor *tr_narrow(tr_tensor *x, int axis, int64_t start, int64_t length);
TR_API tr_tensor *tr_select(tr_tensor *x, int axis, int64_t index); /* one index; drops the axis */
TR_API tr_tensor *tr_flip(tr_tensor *x, tr_shape axes);
/* of the last two axes; [..., length] */
TR_API tr_tensor *tr_diagonal(tr_tensor *x, int64_t offset);
/* Parts of the given sizes, which add up to the axis; `count` parts of ceil(size / count), the last
 * ones smaller or empty. `parts` has room for count. */
TR_API tr_status tr_split(tr_tensor *x, int axis, const int64_t *sizes, int count,
                          tr_tensor **parts);
TR_API tr_status tr_chunk(tr_tensor *x, int axis, int count, tr_tensor **parts);
/* sizes may differ along the axis */
TR_API tr_tensor *tr_concat(tr_tensor *const *parts, int count, int axis);
/* equal shapes, along a new axis */
TR_API tr_tensor *tr_stack(tr_tensor *const *parts, int count, int axis);
/* `before` and `after` give one size per axis; negative ones cut. */
TR_API tr_tensor *tr_pad(tr_tensor *x, tr_shape before, tr_shape after, double value);

/* --- Arrangement (arrange.c); any dtype ------------------------------------------------------- */

/* REFLECT: c b | a b c | b a, by at most size - 1; REPLICATE: a a | a b c | c c; CIRCULAR: b c | a
 * b c | a b. */
typedef enum tr_pad_mode { TR_PAD_REFLECT, TR_PAD_REPLICATE, TR_PAD_CIRCULAR } tr_pad_mode;
TR_API tr_tensor *tr_pad_with(tr_tensor *x, tr_shape before, tr_shape after, tr_pad_mode mode);
/* one count per axis; the whole again and again */
TR_API tr_tensor *tr_repeat(tr_tensor *x, tr_shape times);
/* towards the end; what leaves comes in in front */
TR_API tr_tensor *tr_roll(tr_tensor *x, int64_t shift, int axis);
TR_API tr_tensor *tr_tril(tr_tensor *x, int64_t diagonal); /* zero where column - row > diagonal */
TR_API tr_tensor *tr_triu(tr_tensor *x, int64_t diagonal); /* zero where column - row < diagonal */

/* --- Index (index.c): x of any dtype, index i64 in 0 .. size - 1 of the axis, which is checked  */

/* y[.., i, ..] = x[.., index[.., i, ..], ..]; index has x's axes and may be smaller beside the
 * axis. */
TR_API tr_tensor *tr_gather(tr_tensor *x, int axis, tr_tensor *index);
/* y[.., index[.., i, ..], ..] += x[.., i, ..], from 0, `size` long along the axis: adjoint of
 * gather. */
TR_API tr_tensor *tr_scatter_sum(tr_tensor *x, int axis, tr_tensor *index, int64_t size);
/* x with values[.., i, ..] added to, or put at, place index[.., i, ..]; of several put, the last
 * stays. */
TR_API tr_tensor *tr_scatter_add(tr_tensor *x, int axis, tr_tensor *index, tr_tensor *values);
TR_API tr_tensor *tr_scatter(tr_tensor *x, int axis, tr_tensor *index, tr_tensor *values);
TR_API tr_tensor *tr_index_select(tr_tensor *x, int axis, tr_tensor *index); /* index [n] */
/* gather; both broadcast beside the axis */
TR_API tr_tensor *tr_take_along_axis(tr_tensor *x, tr_tensor *index, int axis);
/* table [V, D], index [...] -> [..., D] */
TR_API tr_tensor *tr_embedding(tr_tensor *table, tr_tensor *index);
/* mask (u8) ? value : x; broadcasts */
TR_API tr_tensor *tr_masked_fill(tr_tensor *x, tr_tensor *mask, double value);
TR_API tr_tensor *tr_nonzero(tr_tensor *mask); /* u8 -> i64 [count], row-major; no gradient */
TR_API tr_tensor *tr_masked_select(tr_tensor *x, tr_tensor *mask); /* [count], row-major */
<<<<<<< HEAD
TR_API tr_tensor *tr_one_hot(tr_tensor *index, int64_t classes, tr_dtype dtype); /* [..., classes]; no gradient */

/* --- Products (linear.c) -------------------------------------------------------------------------------- */

/* Matrix product over the last two axes, a [..., M, K], b [..., K, N] -> [..., M, N]; leading axes
 * broadcast; a vector [K] stands for [1, K] on the left, [K, 1] on the right, and its axis is dropped. */
TR_API tr_tensor *tr_matmul(tr_tensor *a, tr_tensor *b);

/* y = act(x w + bias): x [..., in], w [in, out], bias [out] or NULL, y [..., out]; in one pass for the first
 * four activations. */
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
/* act(conv2d(upsample_nearest(x, f H, f W), w) + bias), padding 'same', f f times faster; w [KH, KW, C, K], f = factor. */
TR_API tr_tensor *tr_upsample_conv2d(tr_tensor *x, tr_tensor *w, tr_tensor *bias, int64_t factor, tr_activation act);
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

/* --- Dense algebra (linalg.c): square matrices [..., n, n]; computed in f64 ----------------------------------------- */

TR_API tr_tensor *tr_cholesky(tr_tensor *a);                       /* y y^T = (a + a^T) / 2; lower triangular */
TR_API tr_tensor *tr_solve_triangular(tr_tensor *a, tr_tensor *b, bool upper); /* a y = b [..., n, m]; one triangle is read */
TR_API tr_tensor *tr_inverse(tr_tensor *a);                        /* an error where singular */
TR_API tr_tensor *tr_logdet(tr_tensor *a);                         /* [...]: ln |det a|; -Inf where singular */
/* a's symmetric part = vectors diag(values) vectors^T: values [..., n] ascending, vectors in columns, the
 * largest component of each positive. No gradient. */
TR_API tr_status  tr_eigh(const tr_tensor *a, tr_tensor **values, tr_tensor **vectors);
TR_API tr_tensor *tr_outer(tr_tensor *a, tr_tensor *b);            /* vectors: y[i,j] = a[i] b[j] */
/* y[..., k] = bias[k] + sum_ij x1[..., i] x2[..., j] w[i,j,k]; bias may be NULL. */
TR_API tr_tensor *tr_bilinear(tr_tensor *x1, tr_tensor *x2, tr_tensor *w, tr_tensor *bias);
/* Einstein's notation, "nij,njk->nik": a letter per axis; letters that are not in the result are summed
 * over. Without "->" the result has the letters that occur once, in alphabetical order. A letter occurs
 * once in each operand. b is NULL for one operand, "ij->ji". */
TR_API tr_tensor *tr_einsum(const char *equation, tr_tensor *a, tr_tensor *b);
=======
/* [..., classes]; no gradient */
TR_API tr_tensor *tr_one_hot(tr_tensor *index, int64_t classes, tr_dtype dtype);
>>>>>>> opsd

#ifdef __cplusplus
}
#endif
#endif
