/* networks.c: the encoders and decoders that models share: linear layers down to a code and up
 * again, convolutions that halve a picture and their transposes that double it. A decoder mirrors
 * its encoder, so one list of sizes describes both. Read next: common.c. */
#include "models/zoo.h"

tr_module *tri_mlp(int64_t in, const int64_t *hidden, int count, int64_t out, tr_activation act,
                   tr_activation last)
{
    tr_module *net = tr_nn_sequence(NULL, 0);
    for (int i = 0; i < count; i++) {
        tr_nn_append(net, tr_nn_linear(in, hidden[i], act));
        in = hidden[i];
    }
    tr_nn_append(net, tr_nn_linear(in, out, last));
    return tri_failed() ? NULL : net;
}

tr_module *tri_mlp_mirror(int64_t in, const int64_t *hidden, int count, int64_t out,
                          tr_activation act, tr_activation last)
{
    int64_t reversed[TR_MAX_SIZES];
    for (int i = 0; i < count; i++) reversed[i] = hidden[count - 1 - i];
    return tri_mlp(in, reversed, count, out, act, last);
}

int tri_channels_setting(const tr_model *m, int64_t channels[TR_MAX_SIZES])
{
    const int count = tr_settings_sizes(m->settings, "channels", channels);
    if (count >= 1 && count <= 12) return count;
    tr_fail(TR_ERR_VALUE, "option channels: %d sizes; 1 .. 12 are needed", count);
    return 0;
}

static const tr_layer_options by_two = { .conv = { .stride = { 2, 2 }, .padding = TR_PAD_SAME } };

tr_module *tri_conv_down(const tr_model *m, const int64_t *channels, int count)
{
    tr_module *net = tr_nn_sequence(NULL, 0);
    for (int i = 0; i < count; i++) {
        const int64_t in = i > 0 ? channels[i - 1] : m->input.dim[2];
        tr_nn_append(net, tr_nn_conv2d(in, channels[i], 3, TR_RELU, &by_two));
    }
    return net;
}

tr_module *tri_conv_up(const tr_model *m, const int64_t *channels, int count)
{
    tr_module *net = tr_nn_sequence(NULL, 0);
    for (int i = count - 1; i >= 0; i--) {
        const int64_t       out = i > 0 ? channels[i - 1] : m->input.dim[2];
        const tr_activation act = i > 0 ? TR_RELU : TR_IDENTITY;
        tr_nn_append(net, tr_nn_conv2d_transpose(channels[i], out, 3, act, &by_two));
    }
    return net;
}

tr_status tri_check_halving(const tr_model *m, int times)
{
    const int64_t factor = (int64_t)1 << times, h = m->input.dim[0], w = m->input.dim[1];
    if (h % factor == 0 && w % factor == 0) return tr_status_get();
    return tr_fail(TR_ERR_SHAPE,
                   "%s: pictures of %lld x %lld cannot be halved %d times; the sides must be "
                   "divisible by %lld",
                   m->type->name, (long long)h, (long long)w, times, (long long)factor);
}
