/* iwae.c: the importance-weighted autoencoder (Burda, Grosse & Salakhutdinov 2016): the network of
 * vae.c with a tighter bound. k codes are drawn for each picture, and
 *
 *     L_k = E ln 1/k sum_i w_i,   w_i = p(x, z_i) / q(z_i|x)                          (their eq. 8)
 *
 * grows with k from the ELBO, L_1, towards ln p(x): a code that explains the picture badly costs
 * little as long as another one explains it well. Its gradient needs no new rule: that of logsumexp
 * weighs the samples by w_i / sum w (their eq. 14). Reported: -L_k, and -L_1 of the same samples.
 */
#include "models/variational.h"

#include <math.h>

static const tr_option options[] = {
    { "samples", TR_OPTION_INT, "5", 1, 10000, NULL, "codes drawn for each picture: k" },
    TRI_OPTION_LATENT("20"),
    TRI_OPTION_HIDDEN("400"),
    TRI_OPTIONS_LIKELIHOOD,
    { 0 },
};

static tr_terms loss(tr_model *m, tr_tensor *x, tr_tensor *labels, tr_rng *rng)
{
    const int64_t k = tr_settings_int(m->settings, "samples");
    tr_tensor    *log_w = tri_rows_log_weights(m, x, labels, k, rng); /* [k, N] */
    tr_tensor    *sum = tr_mean(tr_logsumexp(log_w, TR_AXES(0), false), TR_ALL_AXES, false);
    tr_tensor    *elbo = tr_mean(tr_detach(log_w), TR_ALL_AXES, false);
    tr_terms      terms = { 0 };
    terms.loss = tri_add_term(&terms, "bound", tr_affine(sum, -1, log((double)k)));
    tri_add_term(&terms, "negative_elbo", tr_neg(elbo));
    return terms;
}

const tr_model_type tri_model_iwae = {
    .name = "iwae",
    .summary = "a variational autoencoder with a tighter bound from several codes",
    .source = "Burda, Grosse & Salakhutdinov 2016, eq. 8",
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
