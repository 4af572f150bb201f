/* deep.c: several layers on each side of the code, trained all at once (Hinton & Salakhutdinov 2006
 * had to train them layer by layer; with ReLU and Adam it is not needed).
 *
 *     784-500-300-150-100-64-100-150-300-500-784
 *
 * Each layer is relu(x W + b) with a matrix of its own; what goes in and comes out is a picture as
 * a row of pixels.
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

/* What depth is for: each layer bends the space once, so a deep encoder can unroll what a single
 * layer can only cut. It costs conditioning: the derivative by the first weights is a product of
 * one matrix for each layer, and with a spread of weights other than about 1 / sqrt(fan_in) it
 * vanishes or explodes with their number. Glorot & Bengio (2010) choose the spread so that signals
 * keep their size both ways; that and Adam's scale for each weight are why nothing is pretrained
 * here. stacked.c shows the older way, layer by layer, and pretrain=false there the comparison.
 *
 * ReLU as the output with squared error is the source's choice and its weak point: pixels that are
 * black in nearly every picture have a negative input soon, and then derivative 0 for good. On
 * MNIST those are border pixels, where 0 is right anyway.
 *
 * The code is the result of a ReLU too, so its numbers are never negative, and a picture is told by
 * those of them that are not 0 (`tenrec embed` writes them). With a last layer without ReLU it
 * would have signed numbers; the source has it so, and so it stays.
 *
 * What to compare with: hidden= (nothing) is undercomplete.c with 64 numbers and squared error;
 * output=sigmoid shows what the ReLU output costs; loss=bce is the distance of the other models. A
 * network this deep needs more epochs than a shallow one before it is better: after 3 epochs on
 * MNIST it has a squared error of 0.0175 a pixel, above the 0.0158 of undercomplete.c after 5. */
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
