/* models.c: the networks that are timed: those of the zoo with the settings of DESIGN's table, and
 * two that are only a combination of layers and a loss, so that their timing does not move when the
 * zoo does. pytorch.py builds the same ones. */
#include "bench/bench.h"

#include "models/zoo.h"

#include <math.h>

static const tr_option options[] = { TRI_OPTION_LOSS("bce"), { 0 } };

/* --- sparse-kl: 784-1024-784, sigmoid code, KL(rho || average activity) ------------------------
 */

static const double rho = 0.05, weight = 1e-3;

static tr_status sparse_build(tr_model *m)
{
    enum { CODE = 1024 };
    return tri_plain_build(m, tr_nn_linear(m->pixels, CODE, TR_SIGMOID),
                           tr_nn_linear(CODE, m->pixels, TR_IDENTITY), TR_SIGMOID);
}

/* KL = sum_j rho log(rho / r_j) + (1 - rho) log((1 - rho) / (1 - r_j)), r_j the mean activity: the
 * cross-entropy of r_j less the entropy of rho. */
static tr_terms sparse_loss(tr_model *m, tr_tensor *x, tr_tensor *labels, tr_rng *rng)
{
    (void)labels;
    (void)rng;
    tr_tensor   *rows = tri_rows(x);
    tr_tensor   *code = tri_encode(m, rows);
    tr_tensor   *activity = tr_mean(code, TR_AXES(0), false);
    tr_tensor   *cross = tr_bce(activity, tr_scalar(TR_F32, rho), TR_SUM);
    const double entropy = -rho * log(rho) - (1 - rho) * log(1 - rho);
    tr_tensor   *kl = tr_add_scalar(cross, -entropy * (double)tr_numel(activity));
    tr_terms     terms = { 0 };
    tr_tensor   *distance = tr_bce_with_logits(tri_decode(m, code), rows, TR_MEAN);
    terms.loss = tr_add(tri_add_term(&terms, "reconstruction", distance),
                        tr_scale(tri_add_term(&terms, "sparsity", kl), weight));
    return terms;
}

static const tr_model_type sparse = {
    .name = "sparse-kl",
    .options = options,
    .build = sparse_build,
    .loss = sparse_loss,
    .encode = tri_rows_encode,
    .decode = tri_rows_decode,
};

/* --- conv-transpose: two strided convolutions down, two transposed ones up ----------------------
 */

static tr_status transpose_build(tr_model *m)
{
    const tr_layer_options half = { .conv = { .stride = { 2, 2 }, .padding = TR_PAD_SAME } };
    const int64_t          channels = m->input.dim[2];
    tr_module             *encoder = tr_nn_sequential(tr_nn_conv2d(channels, 16, 3, TR_RELU, &half),
                                                      tr_nn_conv2d(16, 32, 3, TR_RELU, &half), NULL);
    tr_module             *decoder =
        tr_nn_sequential(tr_nn_conv2d_transpose(32, 16, 3, TR_RELU, &half),
                         tr_nn_conv2d_transpose(16, channels, 3, TR_IDENTITY, &half), NULL);
    return tri_plain_build(m, encoder, decoder, TR_SIGMOID);
}

static tr_terms transpose_loss(tr_model *m, tr_tensor *x, tr_tensor *labels, tr_rng *rng)
{
    (void)labels;
    (void)rng;
    tr_terms   terms = { 0 };
    tr_tensor *raw = tri_decode(m, tri_encode(m, x));
    terms.loss = tri_add_term(&terms, "reconstruction", tr_bce_with_logits(raw, x, TR_MEAN));
    return terms;
}

static tr_tensor *transpose_decode(tr_model *m, tr_tensor *z)
{
    return tr_sigmoid(tri_decode(m, z));
}

static const tr_model_type conv_transpose = {
    .name = "conv-transpose",
    .options = options,
    .build = transpose_build,
    .loss = transpose_loss,
    .encode = tri_encode,
    .decode = transpose_decode,
};

/* --- The list ------------------------------------------------------------------------------------
 */

const bench_model bench_models[] = {
    { "deep", NULL, "deep", { NULL } },
    { "stacked", NULL, "undercomplete", { "latent", "64", "hidden", "256,128", NULL } },
    { "denoising", NULL, "denoising", { NULL } },
    { "sparse-kl", &sparse, NULL, { NULL } },
    { "vae", NULL, "vae", { NULL } },
    { "conv", NULL, "conv", { NULL } },
    { "conv-transpose", &conv_transpose, NULL, { NULL } },
    { 0 },
};
