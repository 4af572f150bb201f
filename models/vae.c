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

/* Where the bound comes from. For any q(z|x), with p(x, z) = p(z) p(x|z),
 *
 *     ln p(x) = E_q ln p(x, z) / q(z|x)  +  KL(q(z|x) || p(z|x))  >=  ELBO
 *
 * since the last term, how far the encoder's guess is from the true posterior, is never negative.
 * The first one is what variational.c computes; the reconstruction takes one code for each picture,
 * the KL of two normal distributions has a closed form. A code drawn by z = mu + sigma e has a
 * derivative by mu and sigma; one drawn in any other way would need the score function and its
 * variance.
 *
 * Seen on MNIST, `--epochs 5`: 83.8 nats of reconstruction and 25.0 of KL. With beta = 4 the KL
 * falls to 8.6 and the reconstruction rises to 119.0: less is said of each picture. Whether what is
 * left lies in separate numbers is a question to pictures with known factors, `tenrec train vae
 * --data shapes` and `tenrec eval --factors`. */
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
