/* conv_vae.c: the variational autoencoder of vae.c with convolutions: the same distributions and
 * the same bound, other networks.
 *
 *     encoder  conv 3x3 x32 stride 2, conv x64 stride 2, flatten, two linear heads     28x28x1 ->
 * 20 decoder  linear to 7x7x64, transposed conv x32 stride 2, x1 stride 2             20 -> 28x28x1
 *
 * ReLU, 'same' padding. See vae.c for beta, free_bits, warmup and the likelihoods. */
#include "models/variational.h"

static const tr_option options[] = {
    TRI_OPTION_LATENT("20"),
    TRI_OPTION_CHANNELS("32,64"),
    TRI_OPTIONS_BOUND,
    TRI_OPTIONS_LIKELIHOOD,
    { 0 },
};

static tr_status build(tr_model *m)
{
    int64_t   channels[TR_MAX_SIZES];
    const int count = tri_channels_setting(m, channels);
    if (count < 1 || tri_check_halving(m, count) != TR_OK) return tr_status_get();
    const int64_t latent = tr_settings_int(m->settings, "latent");
    const int64_t h = m->input.dim[0] >> count, w = m->input.dim[1] >> count;
    const int64_t features = h * w * channels[count - 1];
    tr_module    *body = tri_conv_down(m, channels, count), *decoder = tr_nn_sequence(NULL, 0);
    tr_nn_append(body, tr_nn_flatten());
    tr_nn_append(decoder, tr_nn_linear(latent, features, TR_RELU));
    tr_nn_append(decoder, tr_nn_reshape(TR_SHAPE(h, w, channels[count - 1])));
    tr_nn_append(decoder, tri_conv_up(m, channels, count));
    return tri_variational_build(m, body, features, decoder);
}

static tr_terms loss(tr_model *m, tr_tensor *x, tr_tensor *labels, tr_rng *rng)
{
    (void)labels;
    return tri_variational_loss(m, x, NULL, tri_rows(x), rng);
}

static tr_tensor *encode(tr_model *m, tr_tensor *x)
{
    const tri_variational *v = m->self;
    return tr_forward(v->mean, tr_forward(v->body, x));
}

static tr_tensor *log_weights(tr_model *m, tr_tensor *x, tr_tensor *labels, int64_t samples,
                              tr_rng *rng)
{
    (void)labels;
    return tri_log_weights(m, x, NULL, tri_rows(x), samples, rng);
}

const tr_model_type tri_model_conv_vae = {
    .name = "conv-vae",
    .summary = "a variational autoencoder with convolutions",
    .source = "lecture notes, variational autoencoder; Kingma & Welling 2014; Radford et al. 2016",
    .unit = TR_PER_IMAGE,
    .options = options,
    .batch = 128,
    .epochs = 10,
    .lr = 1e-3,
    .build = build,
    .loss = loss,
    .encode = encode,
    .decode = tri_mean_pictures,
    .sample = tri_prior_pictures,
    .log_weights = log_weights,
};
