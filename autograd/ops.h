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
/* [..., classes]; no gradient */
TR_API tr_tensor *tr_one_hot(tr_tensor *index, int64_t classes, tr_dtype dtype);

#ifdef __cplusplus
}
#endif
#endif
