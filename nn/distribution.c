/* distribution.c: densities, samples and divergences, composed of operations in forms that stay
 * exact for logits of +-100 and tiny scales.
 *
 * Read next: loss.c (the same quantities as training losses). */
#include "nn/distribution.h"

#include "tensor/core.h"

#include <math.h>

static const double log_2 = 0.693147180559945309417, log_2_pi = 1.837877066409345483561;

static bool usable(const tr_tensor *t, const char *name)
{
    return !tri_failed() && tri_check_alive(t, name);
}

/* Noise for parameters that broadcast: a tensor of their common shape and dtype. */
static tr_tensor *noise_like(tr_tensor *a, tr_tensor *b, bool normal, tr_rng *rng, const char *name)
{
    if (!usable(a, name) || !usable(b, name)) return NULL;
    const bool recording = tr_set_recording(false);
    tr_tensor *common = tr_add(a, b);
    tr_set_recording(recording);
    if (common == NULL) return NULL;
    return normal ? tr_normal_like(common, rng) : tr_uniform_like(common, rng);
}

/* ln(1 + e^x) of both signs added: ln(e^(x/2) + e^(-x/2)) 2. */
static tr_tensor *softplus_both(tr_tensor *x)
{
    return tr_add(tr_softplus(x), tr_softplus(tr_neg(x)));
}

/* Uniform noise, moved off 0 by less than half its own step so that its logarithm is finite. */
static tr_tensor *open_uniform(tr_tensor *u)
{
    return u == NULL ? NULL : tr_clamp(u, u->dtype == TR_F32 ? 0x1p-26 : 0x1p-55, 1);
}

/* --- Normal ----------------------------------------------------------------------------------- */

tr_tensor *tr_normal_log_density(tr_tensor *x, tr_tensor *mu, tr_tensor *logvar)
{
    TRI_FUNCTION("normal_log_density", x, mu, logvar);
    tr_tensor *squared = tr_mul(tr_square(tr_sub(x, mu)), tr_exp(tr_neg(logvar)));
    return tr_affine(tr_add(squared, logvar), -0.5, -0.5 * log_2_pi);
}

tr_tensor *tr_normal_sample(tr_tensor *mu, tr_tensor *logvar, tr_rng *rng)
{
    TRI_FUNCTION("normal_sample", mu, logvar);
    tr_tensor *noise = noise_like(mu, logvar, true, rng, "normal_sample");
    return tr_add(mu, tr_mul(tr_exp(tr_scale(logvar, 0.5)), noise));
}

/* (e^(lp - lq) + (mp - mq)^2 e^-lq - (lp - lq) - 1) / 2 */
tr_tensor *tr_normal_kl(tr_tensor *mu_p, tr_tensor *logvar_p, tr_tensor *mu_q, tr_tensor *logvar_q)
{
    TRI_FUNCTION("normal_kl", mu_p, logvar_p, mu_q, logvar_q);
    tr_tensor *ratio = tr_sub(logvar_p, logvar_q);
    tr_tensor *shift = tr_mul(tr_square(tr_sub(mu_p, mu_q)), tr_exp(tr_neg(logvar_q)));
    return tr_affine(tr_add(tr_sub(tr_exp(ratio), ratio), shift), 0.5, -0.5);
}

tr_tensor *tr_kl_standard_normal(tr_tensor *mu, tr_tensor *logvar)
{
    TRI_FUNCTION("kl_standard_normal", mu, logvar);
    tr_tensor *terms = tr_add(tr_square(mu), tr_sub(tr_exp(logvar), logvar));
    return tr_sum(tr_affine(terms, 0.5, -0.5), TR_AXES(-1), false);
}

/* --- Bernoulli -------------------------------------------------------------------------------- */

tr_tensor *tr_bernoulli_log_density(tr_tensor *x, tr_tensor *logits)
{
    TRI_FUNCTION("bernoulli_log_density", x, logits);
    return tr_neg(tr_logistic_loss(logits, x));
}

tr_tensor *tr_bernoulli_sample(const tr_tensor *logits, tr_rng *rng)
{
    TRI_FUNCTION("bernoulli_sample", logits);
    if (!usable(logits, "bernoulli_sample")) return NULL;
    tr_tensor *u = tr_uniform_like(logits, rng);
    return tr_cast(tr_less(u, tr_sigmoid(tr_detach((tr_tensor *)(uintptr_t)logits))),
                   logits->dtype);
}

/* p (a - b) + softplus(b) - softplus(a), p = sigmoid(a) */
tr_tensor *tr_bernoulli_kl(tr_tensor *logits_p, tr_tensor *logits_q)
{
    TRI_FUNCTION("bernoulli_kl", logits_p, logits_q);
    tr_tensor *cross = tr_logistic_loss(logits_q, tr_sigmoid(logits_p));
    return tr_sub(cross, tr_logistic_loss(logits_p, tr_sigmoid(logits_p)));
}

/* --- Categorical ------------------------------------------------------------------------------ */

tr_tensor *tr_categorical_log_density(tr_tensor *index, tr_tensor *logits)
{
    TRI_FUNCTION("categorical_log_density", index, logits);
    tr_tensor *picked = tr_gather(tr_log_softmax(logits, -1), -1, tr_unsqueeze(index, -1));
    return tr_squeeze(picked, TR_AXES(-1));
}

/* logits - ln(-ln u): the largest is at k with probability softmax(logits)_k (Gumbel 1954). */
static tr_tensor *perturbed(tr_tensor *logits, tr_rng *rng)
{
    tr_tensor *u = open_uniform(tr_uniform_like(logits, rng));
    return tr_sub(logits, tr_log(tr_neg(tr_log(u))));
}

tr_tensor *tr_categorical_sample(tr_tensor *logits, tr_rng *rng)
{
    TRI_FUNCTION("categorical_sample", logits);
    if (!usable(logits, "categorical_sample")) return NULL;
    return tr_argmax(perturbed(tr_detach(logits), rng), -1, false);
}

tr_tensor *tr_categorical_kl(tr_tensor *logits_p, tr_tensor *logits_q)
{
    TRI_FUNCTION("categorical_kl", logits_p, logits_q);
    tr_tensor *log_p = tr_log_softmax(logits_p, -1), *log_q = tr_log_softmax(logits_q, -1);
    return tr_sum(tr_mul(tr_exp(log_p), tr_sub(log_p, log_q)), TR_AXES(-1), false);
}

tr_tensor *tr_straight_through(tr_tensor *hard, tr_tensor *soft)
{
    TRI_FUNCTION("straight_through", hard, soft);
    if (!usable(hard, "straight_through") || !usable(soft, "straight_through")) return NULL;
    /* soft - soft is exactly 0, so the value is exactly that of `hard`. */
    return tr_add(tr_detach(hard), tr_sub(soft, tr_detach(soft)));
}

tr_tensor *tr_gumbel_softmax(tr_tensor *logits, double temperature, bool hard, tr_rng *rng)
{
    TRI_FUNCTION("gumbel_softmax", logits);
    if (!usable(logits, "gumbel_softmax")) return NULL;
    if (!(temperature > 0)) {
        tr_fail(TR_ERR_VALUE, "gumbel_softmax: temperature is %g, above 0 is needed", temperature);
        return NULL;
    }
    tr_tensor *soft = tr_softmax(tr_scale(perturbed(logits, rng), 1 / temperature), -1);
    if (!hard || soft == NULL) return soft;
    return tr_straight_through(
        tr_one_hot(tr_argmax(soft, -1, false), tr_dim(soft, -1), soft->dtype), soft);
}

/* --- Laplace ---------------------------------------------------------------------------------- */

tr_tensor *tr_laplace_log_density(tr_tensor *x, tr_tensor *mu, tr_tensor *log_scale)
{
    TRI_FUNCTION("laplace_log_density", x, mu, log_scale);
    tr_tensor *distance = tr_mul(tr_abs(tr_sub(x, mu)), tr_exp(tr_neg(log_scale)));
    return tr_affine(tr_add(distance, log_scale), -1, -log_2);
}

/* The quantile function at u: with v = 2 u - 1, -sign(v) ln(1 - |v|). */
tr_tensor *tr_laplace_sample(tr_tensor *mu, tr_tensor *log_scale, tr_rng *rng)
{
    TRI_FUNCTION("laplace_sample", mu, log_scale);
    tr_tensor *u = open_uniform(noise_like(mu, log_scale, false, rng, "laplace_sample"));
    if (u == NULL) return NULL;
    tr_tensor *upper = tr_less(tr_scalar(u->dtype, 0.5), u);
    tr_tensor *tail = tr_where(upper, tr_affine(u, -1, 1), u); /* in (0, 1/2] */
    tr_tensor *depth = tr_log(tr_scale(tail, 2));
    return tr_add(mu, tr_mul(tr_exp(log_scale), tr_where(upper, tr_neg(depth), depth)));
}

/* With r = b_p / b_q and d = |mu_p - mu_q|: -ln r + r e^(-d / b_p) + d / b_q - 1. */
tr_tensor *tr_laplace_kl(tr_tensor *mu_p, tr_tensor *log_scale_p, tr_tensor *mu_q,
                         tr_tensor *log_scale_q)
{
    TRI_FUNCTION("laplace_kl", mu_p, log_scale_p, mu_q, log_scale_q);
    tr_tensor *log_ratio = tr_sub(log_scale_p, log_scale_q);
    tr_tensor *d = tr_abs(tr_sub(mu_p, mu_q));
    tr_tensor *near = tr_exp(tr_sub(log_ratio, tr_mul(d, tr_exp(tr_neg(log_scale_p)))));
    tr_tensor *far = tr_mul(d, tr_exp(tr_neg(log_scale_q)));
    return tr_add_scalar(tr_add(tr_sub(near, log_ratio), far), -1);
}

/* --- Logistic --------------------------------------------------------------------------------- */

/* With z = (x - mu) / s: -softplus(z) - softplus(-z) - ln s. */
tr_tensor *tr_logistic_log_density(tr_tensor *x, tr_tensor *mu, tr_tensor *log_scale)
{
    TRI_FUNCTION("logistic_log_density", x, mu, log_scale);
    tr_tensor *z = tr_mul(tr_sub(x, mu), tr_exp(tr_neg(log_scale)));
    return tr_neg(tr_add(softplus_both(z), log_scale));
}

tr_tensor *tr_logistic_sample(tr_tensor *mu, tr_tensor *log_scale, tr_rng *rng)
{
    TRI_FUNCTION("logistic_sample", mu, log_scale);
    tr_tensor *u = open_uniform(noise_like(mu, log_scale, false, rng, "logistic_sample"));
    tr_tensor *z = tr_sub(tr_log(u), tr_log(tr_affine(u, -1, 1)));
    return tr_add(mu, tr_mul(tr_exp(log_scale), z));
}

enum { LOGISTIC_POINTS = 241 };

/* Weights of the trapezoidal rule for E f(t), t standard logistic: density times step, on [-30,
 * 30]. The density falls off like e^-|t| and is analytic, so the rule's error falls
 * exponentially with the step. */
static tr_tensor *logistic_points(tr_dtype dtype, tr_tensor **weights)
{
    double       t[LOGISTIC_POINTS], w[LOGISTIC_POINTS];
    const double step = 60.0 / (LOGISTIC_POINTS - 1);
    for (int i = 0; i < LOGISTIC_POINTS; i++) {
        const double e = exp(-fabs(step * i - 30));
        t[i] = step * i - 30;
        w[i] = step * e / ((1 + e) * (1 + e));
    }
    *weights = tr_cast(tr_from(TR_F64, TR_SHAPE(LOGISTIC_POINTS), w), dtype);
    return tr_cast(tr_from(TR_F64, TR_SHAPE(LOGISTIC_POINTS), t), dtype);
}

/* E_p ln p = -ln s_p - 2; E_p ln q by integration over t = (x - mu_p) / s_p. */
tr_tensor *tr_logistic_kl(tr_tensor *mu_p, tr_tensor *log_scale_p, tr_tensor *mu_q,
                          tr_tensor *log_scale_q)
{
    TRI_FUNCTION("logistic_kl", mu_p, log_scale_p, mu_q, log_scale_q);
    if (!usable(mu_p, "logistic_kl")) return NULL;
    tr_tensor *weights, *t = logistic_points(mu_p->dtype, &weights);
    tr_tensor *shift = tr_mul(tr_sub(mu_p, mu_q), tr_exp(tr_neg(log_scale_q)));
    tr_tensor *log_ratio = tr_sub(log_scale_p, log_scale_q);
    tr_tensor *z = tr_add(tr_unsqueeze(shift, -1), tr_mul(tr_unsqueeze(tr_exp(log_ratio), -1), t));
    tr_tensor *cross = tr_sum(tr_mul(softplus_both(z), weights), TR_AXES(-1), false);
    return tr_add_scalar(tr_sub(cross, log_ratio), -2);
}
