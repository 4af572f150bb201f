/* vae.c: the variational autoencoder (Kingma & Welling 2014). The encoder gives a distribution over
 * codes, and what is minimised is the negative evidence lower bound, in nats per picture:
 *
 *     q(z|x) = N(mu, sigma^2),  mu and ln sigma^2 two linear heads of one encoder
 *     z = mu + exp(1/2 ln sigma^2) e,  e ~ N(0, 1)                  (reparameterisation, their eq.
 * 4) -ELBO = -ln p(x|z) + beta KL(q(z|x) || N(0, 1)) KL = 1/2 sum_j (mu_j^2 + sigma_j^2 - ln
 * sigma_j^2 - 1)        (their appendix B, sign as here)
 *
 * p(x|z) is one of the laws in variational.h; learn_scale learns its scale (Rybkin et al. 2021).
 * beta = 1 is the bound; above 1 it favours independent codes (Higgins et al. 2017). warmup raises
 * the weight slowly (Sonderby et al. 2016), free_bits pays for the KL of z_j, averaged over the
 * batch, only above that many nats (Kingma et al. 2016): both keep units from being switched off
 * early. Default: 784-400-20. */
#include "models/variational.h"

static const tr_option options[] = {
    TRI_OPTION_LATENT("20"),
    TRI_OPTION_HIDDEN("400"),
    TRI_OPTIONS_BOUND,
    TRI_OPTIONS_LIKELIHOOD,
    { 0 },
};

static tr_terms loss(tr_model *m, tr_tensor *x, tr_tensor *labels, tr_rng *rng)
{
    (void)labels;
    tr_tensor *rows = tri_rows(x);
    return tri_variational_loss(m, rows, NULL, rows, rng);
}

const tr_model_type tri_model_vae = {
    .name = "vae",
    .summary = "a distribution over codes; can draw new pictures",
    .source = "lecture notes, variational autoencoder; Kingma & Welling 2014",
    .unit = TR_PER_IMAGE,
    .options = options,
    .batch = 128,
    .epochs = 10,
    .lr = 1e-3,
    .build = tri_variational_mlp,
    .loss = loss,
    .encode = tri_mean_code,
    .decode = tri_mean_pictures,
    .sample = tri_prior_pictures,
    .log_weights = tri_rows_log_weights,
};
