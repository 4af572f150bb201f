/* loss.c: losses, composed of operations; their gradients need nothing of their own. What is
 * computed often, the logistic loss, is an operation itself (autograd/probability.c).
 *
 * Each is written so that logits of +-100 and tiny variances give neither Inf nor NaN. */
#include "nn/loss.h"

#include "tensor/core.h"

#include <math.h>

tr_tensor *tr_reduce_loss(tr_tensor *loss, tr_reduction reduction)
{
    if (!tri_check_alive(loss, "reduce_loss")) return NULL;
    switch (reduction) {
    case TR_NONE: return loss;
    case TR_MEAN: return tr_mean(loss, TR_ALL_AXES, false);
    case TR_SUM: return tr_sum(loss, TR_ALL_AXES, false);
    }
    tr_fail(TR_ERR_VALUE, "reduce_loss: %d is not a reduction", (int)reduction);
    return NULL;
}

/* True where all are alive and no error is recorded: their fields may be read. */
static bool usable(const tr_tensor *a, const tr_tensor *b, const char *name)
{
    return !tri_failed() && tri_check_alive(a, name) && tri_check_alive(b, name);
}

static tr_tensor *constant(const tr_tensor *like, double value)
{
    return tri_failed() ? NULL : tr_scalar(like->dtype, value);
}

/* --- Values ----------------------------------------------------------------------------------- */

tr_tensor *tr_mse(tr_tensor *x, tr_tensor *t, tr_reduction r)
{
    TRI_FUNCTION("mse", x, t);
    return tr_reduce_loss(tr_square(tr_sub(x, t)), r);
}

tr_tensor *tr_l1(tr_tensor *x, tr_tensor *t, tr_reduction r)
{
    TRI_FUNCTION("l1", x, t);
    return tr_reduce_loss(tr_abs(tr_sub(x, t)), r);
}

/* With c = min(d, delta): c (d - c / 2) is d^2 / 2 below delta and delta (d - delta / 2) above. */
tr_tensor *tr_huber(tr_tensor *x, tr_tensor *t, double delta, tr_reduction r)
{
    TRI_FUNCTION("huber", x, t);
    if (!tri_failed() && !(delta > 0))
        tr_fail(TR_ERR_VALUE, "huber: delta is %g, above 0 is needed", delta);
    tr_tensor *d = tr_abs(tr_sub(x, t));
    if (d == NULL) return NULL;
    tr_tensor *c = tr_minimum(d, constant(d, delta));
    return tr_reduce_loss(tr_mul(c, tr_sub(d, tr_scale(c, 0.5))), r);
}

tr_tensor *tr_smooth_l1(tr_tensor *x, tr_tensor *t, double beta, tr_reduction r)
{
    TRI_FUNCTION("smooth_l1", x, t);
    if (!tri_failed() && !(beta >= 0))
        tr_fail(TR_ERR_VALUE, "smooth_l1: beta is %g, 0 or more is needed", beta);
    return beta > 0 ? tr_scale(tr_huber(x, t, beta, r), 1 / beta) : tr_l1(x, t, r);
}

tr_tensor *tr_hinge(tr_tensor *x, tr_tensor *t, tr_reduction r)
{
    TRI_FUNCTION("hinge", x, t);
    return tr_reduce_loss(tr_relu(tr_affine(tr_mul(x, t), -1, 1)), r);
}

/* --- Probabilities ---------------------------------------------------------------------------- */

tr_tensor *tr_bce(tr_tensor *p, tr_tensor *t, tr_reduction r)
{
    TRI_FUNCTION("bce", p, t);
    return tr_reduce_loss(tr_binary_loss(p, t), r);
}

tr_tensor *tr_bce_with_logits(tr_tensor *x, tr_tensor *t, tr_reduction r)
{
    TRI_FUNCTION("bce_with_logits", x, t);
    return tr_reduce_loss(tr_logistic_loss(x, t), r);
}

/* positive t softplus(-x) + (1 - t) softplus(x), and softplus(x) = softplus(-x) + x:
 * (1 - t) x + (1 + (positive - 1) t) softplus(-x). */
tr_tensor *tr_bce_with_logits_weighted(tr_tensor *x, tr_tensor *t, tr_tensor *positive,
                                       tr_reduction r)
{
    TRI_FUNCTION("bce_with_logits_weighted", x, t, positive);
    tr_tensor *factor = tr_add_scalar(tr_mul(tr_add_scalar(positive, -1), t), 1);
    tr_tensor *no = tr_mul(tr_affine(t, -1, 1), x);
    return tr_reduce_loss(tr_add(no, tr_mul(factor, tr_softplus(tr_neg(x)))), r);
}

/* Where t is 0, value and derivatives are 0, as in PyTorch. */
tr_tensor *tr_kl_div(tr_tensor *log_q, tr_tensor *t, tr_reduction r)
{
    TRI_FUNCTION("kl_div", log_q, t);
    if (!usable(log_q, t, "kl_div")) return NULL;
    tr_tensor *zero = tr_equal(t, constant(t, 0));
    tr_tensor *log_t = tr_log(tr_masked_fill(t, zero, 1));
    return tr_reduce_loss(tr_mul(tr_masked_fill(t, zero, 0), tr_sub(log_t, log_q)), r);
}

/* max(v, epsilon) whose gradient goes to v also where it is below, as in PyTorch. */
static tr_tensor *at_least(tr_tensor *v, double epsilon)
{
    tr_tensor *bounded = tr_clamp(tr_detach(v), epsilon, (double)INFINITY);
    return tr_add(v, tr_sub(bounded, tr_detach(v)));
}

tr_tensor *tr_gaussian_nll(tr_tensor *x, tr_tensor *t, tr_tensor *variance,
                           const tr_nll_options *options, tr_reduction r)
{
    TRI_FUNCTION("gaussian_nll", x, t, variance);
    const tr_nll_options o = options != NULL ? *options : (tr_nll_options){ 0 };
    if (!usable(x, variance, "gaussian_nll")) return NULL;
    tr_tensor   *v = at_least(variance, o.epsilon > 0 ? o.epsilon : 1e-6);
    tr_tensor   *twice = tr_add(tr_log(v), tr_div(tr_square(tr_sub(x, t)), v));
    const double rest = o.full ? 0.5 * log(2 * acos(-1.0)) : 0;
    return tr_reduce_loss(tr_affine(twice, 0.5, rest), r);
}

/* ln t! by Stirling's formula, t ln t - t + ln(2 pi t) / 2, where t > 1, else 0. */
static tr_tensor *stirling(tr_tensor *t)
{
    tr_tensor *large = tr_less(constant(t, 1), t);
    tr_tensor *safe = tr_where(large, t, constant(t, 1));
    tr_tensor *log_t = tr_log(safe);
    tr_tensor *value = tr_add(tr_sub(tr_mul(safe, log_t), safe),
                              tr_affine(log_t, 0.5, 0.5 * log(2 * acos(-1.0))));
    return tr_where(large, value, constant(t, 0));
}

tr_tensor *tr_poisson_nll(tr_tensor *x, tr_tensor *t, const tr_nll_options *options, tr_reduction r)
{
    TRI_FUNCTION("poisson_nll", x, t);
    const tr_nll_options o = options != NULL ? *options : (tr_nll_options){ 0 };
    if (!usable(x, t, "poisson_nll")) return NULL;
    /* One after the other: of two arguments either may be computed first, and its error be told. */
    tr_tensor *rate = o.rate ? x : tr_exp(x);
    tr_tensor *log_rate = o.rate ? tr_log(tr_add_scalar(x, o.epsilon > 0 ? o.epsilon : 1e-8)) : x;
    tr_tensor *loss = tr_sub(rate, tr_mul(t, log_rate));
    return tr_reduce_loss(o.full ? tr_add(loss, stirling(t)) : loss, r);
}

/* --- Classes ---------------------------------------------------------------------------------- */

/* What the losses of classes have in common: targets that count, and what each counts. */
typedef struct class_terms {
    tr_tensor *index; /* i64 [..., 1], 0 where ignored */
    tr_tensor *count; /* [...]: weight of the target's class, 0 where ignored */
} class_terms;

static bool check_classes(const tr_tensor *x, const tr_tensor *t, const tr_class_options *o,
                          const char *name)
{
    if (!usable(x, t, name)) return false;
    bool fits = x->rank == t->rank + 1 && t->dtype == TR_I64;
    for (int i = 0; fits && i < t->rank; i++) fits = t->shape[i] == x->shape[i];
    char given[240], target[240];
    if (!fits) {
        tr_fail(TR_ERR_SHAPE, "%s: x is %s, t is %s; x [..., C] and t i64 [...] are needed", name,
                tr_describe(x, given, sizeof given), tr_describe(t, target, sizeof target));
        return false;
    }
    if (o->weight != NULL && (!tri_check_alive(o->weight, name) || o->weight->rank != 1 ||
                              o->weight->shape[0] != tr_dim(x, -1))) {
        tr_fail(TR_ERR_SHAPE, "%s: x is %s, weight is %s; one weight per class is needed", name,
                tr_describe(x, given, sizeof given), tr_describe(o->weight, target, sizeof target));
        return false;
    }
    if (!(o->label_smoothing >= 0 && o->label_smoothing <= 1))
        tr_fail(TR_ERR_VALUE, "%s: label_smoothing is %g, it lies in [0, 1]", name,
                o->label_smoothing);
    return !tri_failed();
}

static class_terms prepare_classes(tr_tensor *x, tr_tensor *t, const tr_class_options *o)
{
    class_terms terms = { .index = t };
    tr_tensor  *ignored = NULL;
    if (o->ignore) {
        ignored = tr_equal(t, tr_scalar(TR_I64, (double)o->ignore_index));
        terms.index = tr_masked_fill(t, ignored, 0);
    }
    terms.count = o->weight != NULL ? tr_embedding(tr_unsqueeze(o->weight, -1), terms.index)
                                    : tr_ones(x->dtype, tr_shape_of(tr_unsqueeze(t, -1)));
    terms.count = tr_squeeze(terms.count, TR_AXES(-1));
    if (ignored != NULL) terms.count = tr_masked_fill(terms.count, ignored, 0);
    terms.index = tr_unsqueeze(terms.index, -1);
    return terms;
}

static tr_tensor *reduce_classes(tr_tensor *loss, tr_tensor *count, tr_reduction r)
{
    if (r != TR_MEAN) return tr_reduce_loss(loss, r);
    return tr_div(tr_sum(loss, TR_ALL_AXES, false), tr_sum(count, TR_ALL_AXES, false));
}

/* -count log_p[..., t] */
static tr_tensor *picked_loss(tr_tensor *log_p, const class_terms *terms)
{
    tr_tensor *picked = tr_squeeze(tr_gather(log_p, -1, terms->index), TR_AXES(-1));
    return tr_neg(tr_mul(picked, terms->count));
}

tr_tensor *tr_nll(tr_tensor *log_p, tr_tensor *t, const tr_class_options *options, tr_reduction r)
{
    TRI_FUNCTION("nll", log_p, t);
    const tr_class_options o = options != NULL ? *options : (tr_class_options){ 0 };
    if (!check_classes(log_p, t, &o, "nll")) return NULL;
    const class_terms terms = prepare_classes(log_p, t, &o);
    return reduce_classes(picked_loss(log_p, &terms), terms.count, r);
}

tr_tensor *tr_cross_entropy(tr_tensor *logits, tr_tensor *t, const tr_class_options *options,
                            tr_reduction r)
{
    TRI_FUNCTION("cross_entropy", logits, t);
    const tr_class_options o = options != NULL ? *options : (tr_class_options){ 0 };
    if (!check_classes(logits, t, &o, "cross_entropy")) return NULL;
    const class_terms terms = prepare_classes(logits, t, &o);
    const double      s = o.label_smoothing;
    tr_tensor        *log_p = tr_log_softmax(logits, -1);
    tr_tensor        *loss = picked_loss(log_p, &terms);
    if (s > 0) { /* the smoothed part is spread over all classes, each with its own weight */
        tr_tensor *all =
            tr_sum(o.weight != NULL ? tr_mul(log_p, o.weight) : log_p, TR_AXES(-1), false);
        if (o.ignore)
            all = tr_masked_fill(all, tr_equal(t, tr_scalar(TR_I64, (double)o.ignore_index)), 0);
        loss = tr_sub(tr_scale(loss, 1 - s), tr_scale(all, s / (double)tr_dim(logits, -1)));
    }
    return reduce_classes(loss, terms.count, r);
}

/* --- Vectors ---------------------------------------------------------------------------------- */

static tr_tensor *bounded_norm(tr_tensor *x, int axis)
{
    return tr_clamp(tr_norm(x, 2, TR_AXES(axis), true), 1e-8, (double)INFINITY);
}

tr_tensor *tr_cosine_similarity(tr_tensor *a, tr_tensor *b, int axis)
{
    TRI_FUNCTION("cosine_similarity", a, b);
    return tr_sum(tr_mul(tr_div(a, bounded_norm(a, axis)), tr_div(b, bounded_norm(b, axis))),
                  TR_AXES(axis), false);
}

static tr_tensor *distance(tr_tensor *a, tr_tensor *b)
{
    return tr_norm(tr_add_scalar(tr_sub(a, b), 1e-6), 2, TR_AXES(-1), false);
}

tr_tensor *tr_triplet(tr_tensor *anchor, tr_tensor *positive, tr_tensor *negative, double margin,
                      tr_reduction r)
{
    TRI_FUNCTION("triplet", anchor, positive, negative);
    tr_tensor *excess = tr_sub(distance(anchor, positive), distance(anchor, negative));
    return tr_reduce_loss(tr_clamp(tr_add_scalar(excess, margin), 0, (double)INFINITY), r);
}

tr_tensor *tr_info_nce(tr_tensor *query, tr_tensor *key, double temperature, tr_reduction r)
{
    TRI_FUNCTION("info_nce", query, key);
    if (!usable(query, key, "info_nce")) return NULL;
    char given[240], other[240];
    if (query->rank != 2 || !tr_same_shape(query, key) || !(temperature > 0)) {
        tr_fail(TR_ERR_SHAPE,
                "info_nce: query is %s, key is %s, temperature is %g; both [N, D] and above 0 are "
                "needed",
                tr_describe(query, given, sizeof given), tr_describe(key, other, sizeof other),
                temperature);
        return NULL;
    }
    tr_tensor *q = tr_div(query, bounded_norm(query, -1)), *k = tr_div(key, bounded_norm(key, -1));
    tr_tensor *logits =
        k == NULL ? NULL : tr_scale(tr_matmul(q, tr_transpose(k, 0, 1)), 1 / temperature);
    return tr_cross_entropy(logits, tr_arange(TR_I64, tr_dim(query, 0)), NULL, r);
}
