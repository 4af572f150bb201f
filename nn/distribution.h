/* distribution.h: log-densities, samples and Kullback-Leibler divergences. Included by nn.h.
 *
 * All values are elementwise (nats) unless a line says otherwise; arguments broadcast. Scales
 * are given by their logarithm, so that a network may give any number: logvar = ln sigma^2,
 * log_scale = ln b. Samples are functions of their parameters and of noise from `rng`
 * (reparameterised), so gradients flow through them, unless a line says "no gradient". kl(p, q)
 * = E_p[ln p - ln q] >= 0. */
#ifndef TENREC_DISTRIBUTION_H
#define TENREC_DISTRIBUTION_H

#include "autograd/autograd.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- Normal: mean mu, variance e^logvar ------------------------------------------------------- */

TR_API tr_tensor *tr_normal_log_density(tr_tensor *x, tr_tensor *mu, tr_tensor *logvar);
/* mu + e^(logvar / 2) noise */
TR_API tr_tensor *tr_normal_sample(tr_tensor *mu, tr_tensor *logvar, tr_rng *rng);
TR_API tr_tensor *tr_normal_kl(tr_tensor *mu_p, tr_tensor *logvar_p, tr_tensor *mu_q,
                               tr_tensor *logvar_q);
/* To the standard normal, summed over the last axis: sum (mu^2 + e^logvar - logvar - 1) / 2,
 * [N, D] -> [N]. Kingma & Welling 2014, appendix B. */
TR_API tr_tensor *tr_kl_standard_normal(tr_tensor *mu, tr_tensor *logvar);

/* --- Bernoulli: logits, p = sigmoid(logits) --------------------------------------------------- */

TR_API tr_tensor *tr_bernoulli_log_density(tr_tensor *x, tr_tensor *logits);  /* x in [0, 1] */
TR_API tr_tensor *tr_bernoulli_sample(const tr_tensor *logits, tr_rng *rng); /* no gradient */
TR_API tr_tensor *tr_bernoulli_kl(tr_tensor *logits_p, tr_tensor *logits_q);

/* --- Categorical: logits [..., K], p = softmax(logits) ---------------------------------------- */

/* The class is i64 [...], the log-density [...]; samples carry no gradient. */
TR_API tr_tensor *tr_categorical_log_density(tr_tensor *index, tr_tensor *logits);
TR_API tr_tensor *tr_categorical_sample(tr_tensor *logits, tr_rng *rng);
TR_API tr_tensor *tr_categorical_kl(tr_tensor *logits_p, tr_tensor *logits_q);      /* [...] */
/* softmax((logits + Gumbel noise) / temperature) [..., K]; `hard`: one-hot at its largest value,
 * with the gradient of the soft sample (straight-through). Jang et al. 2017, Maddison et al.
 * 2017. */
TR_API tr_tensor *tr_gumbel_softmax(tr_tensor *logits, double temperature, bool hard, tr_rng *rng);

/* The value of `hard` with the gradient of `soft`: the straight-through estimator, Bengio et al.
 * 2013. */
TR_API tr_tensor *tr_straight_through(tr_tensor *hard, tr_tensor *soft);

/* --- Laplace: density e^(-|x - mu| / b) / (2 b), b = e^log_scale ------------------------------ */

TR_API tr_tensor *tr_laplace_log_density(tr_tensor *x, tr_tensor *mu, tr_tensor *log_scale);
TR_API tr_tensor *tr_laplace_sample(tr_tensor *mu, tr_tensor *log_scale, tr_rng *rng);
TR_API tr_tensor *tr_laplace_kl(tr_tensor *mu_p, tr_tensor *log_scale_p, tr_tensor *mu_q,
                                tr_tensor *log_scale_q);

/* --- Logistic: distribution function sigmoid((x - mu) / s), s = e^log_scale ------------------- */

TR_API tr_tensor *tr_logistic_log_density(tr_tensor *x, tr_tensor *mu, tr_tensor *log_scale);
TR_API tr_tensor *tr_logistic_sample(tr_tensor *mu, tr_tensor *log_scale, tr_rng *rng);
/* Has no closed form: the trapezoidal rule with 241 points, error below 1e-6 where s_p <= 4 s_q. */
TR_API tr_tensor *tr_logistic_kl(tr_tensor *mu_p, tr_tensor *log_scale_p, tr_tensor *mu_q,
                                 tr_tensor *log_scale_q);

#ifdef __cplusplus
}
#endif
#endif
