/* conv_transpose.c: a convolutional autoencoder that learns how to shrink and to grow. Where conv.c
 * pools and repeats pixels, here the convolutions themselves have stride 2, and their transposes,
 * each the adjoint map of such a convolution, go back up (Dumoulin & Visin 2016, chapter 4):
 *
 *     encoder  conv 3x3 x16 stride 2, conv x32 stride 2                    28x28x1 -> 7x7x32
 *     decoder  transposed conv 3x3 x16 stride 2, x1 stride 2, sigmoid      7x7x32 -> 28x28x1
 *
 * 'same' padding and ReLU; the transposed kernels overlap unevenly, which shows as a faint
 * checkerboard in early epochs. */
#include "models/zoo.h"

static const tr_option options[] = {
    { "channels", TR_OPTION_SIZES, "16,32", 1, 4096, NULL,
      "channels of the encoder's convolutions; each halves the picture" },
    TRI_OPTION_LOSS("bce"),
    { 0 },
};

static const tr_layer_options by_two = { .conv = { .stride = { 2, 2 }, .padding = TR_PAD_SAME } };

static tr_status build(tr_model *m)
{
    int64_t   channels[TR_MAX_SIZES];
    const int count = tr_settings_sizes(m->settings, "channels", channels);
    if (count < 1 || count > 12)
        return tr_fail(TR_ERR_VALUE, "option channels: %d sizes; 1 .. 12 are needed", count);
    if (tri_check_halving(m, count) != TR_OK) return tr_status_get();
    tr_module *encoder = tr_nn_sequence(NULL, 0), *decoder = tr_nn_sequence(NULL, 0);
    for (int i = 0; i < count; i++) {
        const int64_t in = i > 0 ? channels[i - 1] : m->input.dim[2];
        tr_nn_append(encoder, tr_nn_conv2d(in, channels[i], 3, TR_RELU, &by_two));
    }
    for (int i = count - 1; i >= 0; i--) {
        const int64_t       out = i > 0 ? channels[i - 1] : m->input.dim[2];
        const tr_activation act = i > 0 ? TR_RELU : TR_IDENTITY;
        tr_nn_append(decoder, tr_nn_conv2d_transpose(channels[i], out, 3, act, &by_two));
    }
    return tri_plain_build(m, encoder, decoder, TR_SIGMOID);
}

static tr_terms loss(tr_model *m, tr_tensor *x, tr_tensor *labels, tr_rng *rng)
{
    (void)labels;
    (void)rng;
    return tri_plain_loss(m, x, x);
}

static tr_tensor *decode(tr_model *m, tr_tensor *z)
{
    return tr_sigmoid(tri_decode(m, z));
}

const tr_model_type tri_model_conv_transpose = {
    .name = "conv-transpose",
    .summary = "strided convolutions down, transposed convolutions up",
    .source = "lecture notes, transposed convolutions; Dumoulin & Visin 2016, chapter 4",
    .unit = TR_PER_PIXEL,
    .options = options,
    .batch = 128,
    .epochs = 10,
    .lr = 1e-3,
    .build = build,
    .loss = loss,
    .encode = tri_encode,
    .decode = decode,
};
