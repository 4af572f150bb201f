/* deep.c: several layers on each side of the code, trained all at once (Hinton & Salakhutdinov 2006
 * had to train them layer by layer; with ReLU and Adam it is not needed).
 *
 *     784-500-300-150-100-64-100-150-300-500-784
 *
 * ReLU everywhere, the output too, and squared error, as in the source material. A ReLU output
 * cannot recover a pixel that is negative for every picture: its derivative is zero there.
 * output=sigmoid avoids that. */
#include "models/zoo.h"

static const tr_option options[] = {
    TRI_OPTION_HIDDEN("500,300,150,100"),
    TRI_OPTION_LATENT("64"),
    { "output", TR_OPTION_CHOICE, "relu", 0, 0, "relu|sigmoid|identity",
      "activation of the output; with loss=bce it is sigmoid" },
    TRI_OPTION_LOSS("mse"),
    { 0 },
};

static tr_status build(tr_model *m)
{
    const bool bce = tr_settings_is(m->settings, "loss", "bce");
    return tri_plain_mlp(m, TR_RELU, bce ? TR_SIGMOID : tri_activation_setting(m, "output"));
}

const tr_model_type tri_model_deep = {
    .name = "deep",
    .summary = "five layers down to the code, five up",
    .source = "lecture notes, deep autoencoder; Hinton & Salakhutdinov 2006",
    .unit = TR_PER_PIXEL,
    .options = options,
    .batch = 32,
    .epochs = 10,
    .lr = 1e-3,
    .build = build,
    .loss = tri_rows_loss,
    .encode = tri_rows_encode,
    .decode = tri_rows_decode,
};
