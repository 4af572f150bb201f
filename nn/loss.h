/* loss.h: losses. Each compares what a network gave with a target and reduces to one number, or
 * keeps the values apart, as the last argument says. Included by nn.h.
 *
 * Arguments of an elementwise loss broadcast. Classes lie on the last axis (channels last).
 * "logits" are values before a sigmoid or softmax: losses of logits stay exact where
 * probabilities would round to 0 or 1. On bad arguments: NULL and an error, as for every
 * operation. */
#ifndef TENREC_LOSS_H
#define TENREC_LOSS_H

#include "autograd/autograd.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The mean of no values is an error, as in tr_mean. */
typedef enum tr_reduction { TR_NONE, TR_MEAN, TR_SUM } tr_reduction;

/* loss itself, its mean over all elements, or its sum. */
TR_API tr_tensor *tr_reduce_loss(tr_tensor *loss, tr_reduction reduction);

/* --- Values, elementwise: x given, t wanted --------------------------------------------------- */

TR_API tr_tensor *tr_mse(tr_tensor *x, tr_tensor *t, tr_reduction r); /* (x - t)^2 */
TR_API tr_tensor *tr_l1(tr_tensor *x, tr_tensor *t, tr_reduction r);  /* |x - t| */
/* With d = |x - t|: d^2 / 2 where d < delta, else delta (d - delta / 2); delta > 0. */
TR_API tr_tensor *tr_huber(tr_tensor *x, tr_tensor *t, double delta, tr_reduction r);
/* huber / beta; beta = 0: l1. */
TR_API tr_tensor *tr_smooth_l1(tr_tensor *x, tr_tensor *t, double beta, tr_reduction r);
/* max(0, 1 - x t), t -1 or 1. */
TR_API tr_tensor *tr_hinge(tr_tensor *x, tr_tensor *t, tr_reduction r);

/* --- Probabilities, elementwise --------------------------------------------------------------- */

/* -t ln p - (1 - t) ln(1 - p), logarithms not below -100 (PyTorch); p in [0, 1]. */
TR_API tr_tensor *tr_bce(tr_tensor *p, tr_tensor *t, tr_reduction r);
/* The same with p = sigmoid(x), exact for any x. */
TR_API tr_tensor *tr_bce_with_logits(tr_tensor *x, tr_tensor *t, tr_reduction r);
/* Terms with t multiplied by `positive` (PyTorch's pos_weight), which broadcasts:
 * -positive t ln p - (1 - t) ln(1 - p). */
TR_API tr_tensor *tr_bce_with_logits_weighted(tr_tensor *x, tr_tensor *t, tr_tensor *positive,
                                              tr_reduction r);
/* t (ln t - log_q), 0 where t is 0. TR_MEAN is over all elements. */
TR_API tr_tensor *tr_kl_div(tr_tensor *log_q, tr_tensor *t, tr_reduction r);

typedef struct tr_nll_options {
    double epsilon; /* gaussian: the least variance, 0: 1e-6; poisson: added to a rate, 0: 1e-8 */
    bool   full;    /* with the terms of t only (poisson: Stirling's formula, for t > 1) */
    bool   rate;    /* poisson: x is the rate, not its logarithm */
} tr_nll_options;

/* (ln v + (x - t)^2 / v) / 2, v the variance: elementwise. options may be NULL. */
TR_API tr_tensor *tr_gaussian_nll(tr_tensor *x, tr_tensor *t, tr_tensor *variance,
                                  const tr_nll_options *options, tr_reduction r);
/* e^x - t x, x the logarithm of the rate; or x - t ln(x + epsilon). */
TR_API tr_tensor *tr_poisson_nll(tr_tensor *x, tr_tensor *t, const tr_nll_options *options,
                                 tr_reduction r);

/* --- Classes: logits or log-probabilities [..., C], t i64 [...] ------------------------------- */

typedef struct tr_class_options {
    tr_tensor *weight;          /* [C], of each class; NULL: 1 */
    double     label_smoothing; /* s in [0, 1]: the target is (1 - s) one-hot + s / C */
    bool       ignore;          /* targets equal to ignore_index count nothing */
    int64_t    ignore_index;
} tr_class_options;

/* -weight[t] log_p[..., t]. TR_MEAN divides by the sum of the weights that count (NaN if there
 * is none). */
TR_API tr_tensor *tr_nll(tr_tensor *log_p, tr_tensor *t, const tr_class_options *options,
                         tr_reduction r);
/* tr_nll of log_softmax(logits), with label smoothing. */
TR_API tr_tensor *tr_cross_entropy(tr_tensor *logits, tr_tensor *t, const tr_class_options *options,
                                   tr_reduction r);

/* --- Vectors ---------------------------------------------------------------------------------- */

/* a . b / (max(|a|, 1e-8) max(|b|, 1e-8)) along the axis, which is dropped; broadcasts. */
TR_API tr_tensor *tr_cosine_similarity(tr_tensor *a, tr_tensor *b, int axis);
/* max(0, |anchor - positive| - |anchor - negative| + margin) over the last axis [..., D] ->
 * [...]; as in PyTorch 1e-6 is added to each difference. */
TR_API tr_tensor *tr_triplet(tr_tensor *anchor, tr_tensor *positive, tr_tensor *negative,
                             double margin, tr_reduction r);
/* InfoNCE (van den Oord et al. 2018): row i of `query` [N, D] belongs to row i of `key` [N, D],
 * all other rows are its negatives. Cross entropy of the cosine similarities / temperature. */
TR_API tr_tensor *tr_info_nce(tr_tensor *query, tr_tensor *key, double temperature, tr_reduction r);

#ifdef __cplusplus
}
#endif
#endif
