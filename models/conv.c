/* conv.c: a convolutional autoencoder. Each layer sees a neighbourhood, the same everywhere:
 *
 *     encoder  conv 3x3 x32, max-pool 2, conv x64, max-pool 2, conv x128      28x28x1 -> 7x7x128
 *     decoder  conv x64, upsample 2, conv x32, upsample 2, conv x1, sigmoid   7x7x128 -> 28x28x1
 *
 * 'same' padding and ReLU throughout, binary cross-entropy, as in the source material; weights
 * start with He et al.'s spread. The code is larger than the picture: it is the structure that
 * limits it, not the size. */
#include "models/zoo.h"

static const tr_option options[] = {
    { "channels", TR_OPTION_SIZES, "32,64,128", 1, 4096, NULL,
      "channels of the encoder's convolutions; each but the last halves the picture" },
    TRI_OPTION_LOSS("bce"),
    { 0 },
};

/* He et al.'s spread keeps the signal's size through layers of ReLU. */
static const tr_layer_options layer = { .init = TR_INIT_HE_UNIFORM,
                                        .conv = { .padding = TR_PAD_SAME } };

static tr_module *conv(int64_t in, int64_t out, tr_activation act)
{
    return tr_nn_conv2d(in, out, 3, act, &layer);
}

static tr_status build(tr_model *m)
{
    int64_t   channels[TR_MAX_SIZES];
    const int count = tri_channels_setting(m, channels);
    if (count < 1 || tri_check_halving(m, count - 1) != TR_OK) return tr_status_get();
    tr_module *encoder = tr_nn_sequence(NULL, 0), *decoder = tr_nn_sequence(NULL, 0);
    for (int i = 0; i < count; i++) {
        const int64_t in = i > 0 ? channels[i - 1] : m->input.dim[2];
        tr_nn_append(encoder, i < count - 1
                                  ? tr_nn_conv2d_pool(in, channels[i], 3, 2, TR_RELU, &layer)
                                  : conv(in, channels[i], TR_RELU));
    }
    for (int i = count - 1; i >= 0; i--) {
        const int64_t       out = i > 0 ? channels[i - 1] : m->input.dim[2];
        const tr_activation act = i > 0 ? TR_RELU : TR_IDENTITY;
        tr_nn_append(decoder, i == count - 1
                                  ? conv(channels[i], out, act)
                                  : tr_nn_upsample_conv2d(channels[i], out, 3, 2, act, &layer));
    }
    return tri_plain_build(m, encoder, decoder, TR_SIGMOID);
}

const tr_model_type tri_model_conv = {
    .name = "conv",
    .summary = "convolutions and max-pooling down, upsampling and convolutions up",
    .source = "lecture notes, convolutional autoencoder; Masci et al. 2011",
    .unit = TR_PER_PIXEL,
    .options = options,
    .batch = 256,
    .epochs = 20,
    .lr = 1e-3,
    .build = build,
    .loss = tri_pictures_loss,
    .encode = tri_encode,
    .decode = tri_pictures_decode,
};
