/* deep.c: several layers on each side of the code, trained all at once (Hinton & Salakhutdinov 2006 had
 * to train them layer by layer; with ReLU and Adam it is not needed).
 *
 *     784-500-300-150-100-64-100-150-300-500-784
 *
 * ReLU everywhere, the output too, and squared error, as in the source material. A ReLU output cannot
 * recover a pixel that is negative for every picture: its derivative is zero there. output=sigmoid
 * avoids that.                                                                                        */
#include "models/zoo.h"

static const tr_option options[] = {
    { "hidden", TR_OPTION_SIZES, "500,300,150,100", 1, 65536, NULL,
      "hidden layers of the encoder, separated by commas; the decoder mirrors them" },
    { "latent", TR_OPTION_INT, "64", 1, 65536, NULL, "size of the code" },
    { "output", TR_OPTION_CHOICE, "relu", 0, 0, "relu|sigmoid|identity",
      "activation of the output; with loss=bce it is sigmoid" },
    TRI_OPTION_LOSS("mse"),
    { 0 },
};

static tr_status build(tr_model *m)
{
    int64_t             hidden[TR_MAX_SIZES];
    const int           count = tr_settings_sizes(m->settings, "hidden", hidden);
    const int64_t       latent = tr_settings_int(m->settings, "latent");
    const bool          bce = tr_settings_is(m->settings, "loss", "bce");
    const tr_activation output = bce ? TR_SIGMOID : tri_activation_setting(m, "output");
    return tri_plain_build(m, tri_mlp(m->pixels, hidden, count, latent, TR_RELU, TR_RELU),
                           tri_mlp_mirror(latent, hidden, count, m->pixels, TR_RELU, TR_IDENTITY), output);
}

const tr_model_type tri_model_deep = {
    .name = "deep",
    .summary = "five layers down to the code, five up",
    .source = "lecture notes, deep autoencoder; Hinton & Salakhutdinov 2006",
    .unit = TR_PER_PIXEL,
    .options = options,
    .batch = 32, .epochs = 10, .lr = 1e-3,
    .build = build, .loss = tri_rows_loss, .encode = tri_rows_encode, .decode = tri_rows_decode,
};
