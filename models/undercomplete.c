/* undercomplete.c: the plain autoencoder. The code is smaller than the picture, so the network has to
 * learn what pictures have in common:
 *
 *     h = relu(x W1 + b1),  y = sigmoid(h W2 + b2),  minimise d(x, y)
 *
 * With linear layers and squared error it would span the same space as PCA (Bourlard & Kamp 1988); the
 * ReLU code is what lets it do better. Settings: the source material's first model, 784-32-784.
 * Read next: deep.c, the same idea with more layers.                                                 */
#include "models/zoo.h"

static const tr_option options[] = {
    { "latent", TR_OPTION_INT, "32", 1, 65536, NULL, "size of the code" },
    { "hidden", TR_OPTION_SIZES, "", 1, 65536, NULL,
      "hidden layers of the encoder, separated by commas; the decoder mirrors them" },
    { "code", TR_OPTION_CHOICE, "relu", 0, 0, "relu|identity|sigmoid|tanh", "activation of the code" },
    TRI_OPTION_LOSS("bce"),
    { 0 },
};

static tr_status build(tr_model *m)
{
    int64_t             hidden[TR_MAX_SIZES];
    const int           count = tr_settings_sizes(m->settings, "hidden", hidden);
    const int64_t       latent = tr_settings_int(m->settings, "latent");
    const tr_activation code = tri_activation_setting(m, "code");
    return tri_plain_build(m, tri_mlp(m->pixels, hidden, count, latent, TR_RELU, code),
                           tri_mlp_mirror(latent, hidden, count, m->pixels, TR_RELU, TR_IDENTITY),
                           TR_SIGMOID);
}

const tr_model_type tri_model_undercomplete = {
    .name = "undercomplete",
    .summary = "one hidden layer, smaller than the picture",
    .source = "lecture notes, undercomplete autoencoder; Bourlard & Kamp 1988",
    .unit = TR_PER_PIXEL,
    .options = options,
    .batch = 256, .epochs = 10, .lr = 1e-3,
    .build = build, .loss = tri_rows_loss, .encode = tri_rows_encode, .decode = tri_rows_decode,
};
