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
    TRI_OPTION_CHANNELS("16,32"),
    TRI_OPTION_LOSS("bce"),
    { 0 },
};

static tr_status build(tr_model *m)
{
    int64_t   channels[TR_MAX_SIZES];
    const int count = tri_channels_setting(m, channels);
    if (count < 1 || tri_check_halving(m, count) != TR_OK) return tr_status_get();
    return tri_plain_build(m, tri_conv_down(m, channels, count), tri_conv_up(m, channels, count),
                           TR_SIGMOID);
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
    .loss = tri_pictures_loss,
    .encode = tri_encode,
    .decode = tri_pictures_decode,
};
