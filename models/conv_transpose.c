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

/* Sizes: a convolution of kernel k, stride s and padding p makes floor((n + 2p - k) / s) + 1 pixels
 * of n. Several n give the same size, so its transpose has a choice; here it is always s times its
 * input, the inverse of 'same' padding, and pictures must be divisible by s for each layer.
 *
 * As matrices: the convolution is y = C x with a sparse C, its gradient by x is C^T g, and the
 * transposed convolution is x -> C^T x with a kernel of its own. So the forward pass of one is the
 * backward pass of the other, and neither inverts it. With kernel 3 and stride 2, output pixels get
 * 1, 2 or 4 contributions by the parity of their place: the checkerboard (Odena et al. 2016).
 *
 * What stride saves: a layer that halves the picture computes a quarter of the outputs, and no
 * layer works at full size with many channels. On 28 x 28 pictures that is 0.5 million
 * multiply-adds against 15 million of conv.c (`tenrec summary` counts them), and a code of 1,568
 * numbers, twice the picture's, as in conv.c a structure and not a bottleneck. channels=16,32,8
 * would make one, but 28 can be halved only twice; images of 32 x 32 can be halved five times.
 *
 * The ways up compared: repeating pixels and convolving (conv.c) gives every output the same number
 * of contributions, so no checkerboard, but computes with four equal inputs; a transposed
 * convolution learns how to fill in, with a kernel of its own for each of the four parities of a
 * place. upsample_conv2d in nn.h folds the former into four small kernels as well, so the two
 * differ in which kernels they can say, not in how they are computed. */
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
