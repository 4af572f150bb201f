/* undercomplete.c: the plain autoencoder. The code is smaller than the picture, so the network has
 * to learn what pictures have in common:
 *
 *     h = relu(x W1 + b1),  y = sigmoid(h W2 + b2),  minimise d(x, y)
 *
 * With linear layers and squared error it would span the same space as PCA (Bourlard & Kamp 1988);
 * the ReLU code is what lets it do better. Settings: the source material's first model, 784-32-784.
 * Read next: deep.c, the same idea with more layers. */
#include "models/zoo.h"

static const tr_option options[] = {
    TRI_OPTION_LATENT("32"),
    TRI_OPTION_HIDDEN(""),
    { "code", TR_OPTION_CHOICE, "relu", 0, 0, "relu|identity|sigmoid|tanh",
      "activation of the code" },
    TRI_OPTION_LOSS("bce"),
    { 0 },
};

static tr_status build(tr_model *m)
{
    return tri_plain_mlp(m, tri_activation_setting(m, "code"), TR_SIGMOID);
}

const tr_model_type tri_model_undercomplete = {
    .name = "undercomplete",
    .summary = "one hidden layer, smaller than the picture",
    .source = "lecture notes, undercomplete autoencoder; Bourlard & Kamp 1988",
    .unit = TR_PER_PIXEL,
    .options = options,
    .batch = 256,
    .epochs = 10,
    .lr = 1e-3,
    .build = build,
    .loss = tri_rows_loss,
    .encode = tri_rows_encode,
    .decode = tri_rows_decode,
};
