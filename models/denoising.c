/* denoising.c: the input is spoiled, the target is not, so copying is no solution and the network
 * must learn where clean pictures lie (Vincent et al. 2008):
 *
 *     x~ = corrupt(x),  minimise d(x, decode(encode(x~)))
 *
 * Noise: gaussian  x~ = clip(x + level N(0, 1), 0, 1)     the source's, with level 0.5
 *        mask      x~ = 0 with probability level, else x; of tables not 0 but what stands for a
 *                  missing value, so that the network learns to fill in (Gondara & Wang 2018)
 *        salt-pepper  x~ = 0 or 1 with probability level, else x
 * Network: 784-128-64-32-64-128-784, ReLU, sigmoid output. */
#include "models/zoo.h"

static const tr_option options[] = {
    TRI_OPTION_NOISE("gaussian", "how the input is spoiled"),
    TRI_OPTION_LEVEL("0.5"),
    TRI_OPTION_HIDDEN("128,64"),
    TRI_OPTION_LATENT("32"),
    TRI_OPTION_LOSS("bce"),
    { 0 },
};

/* Why this is more than a filter. With squared error the best restoration is the mean of all clean
 * pictures that could have given the noisy one, E(x | x~): the network learns that mean. For small
 * Gaussian noise it moves x~ uphill in the density of pictures,
 *
 *     E(x | x~) - x~ = level^2 d ln p(x~) / dx~                       (Miyasawa 1961; Alain &
 * Bengio 2014, theorem 1)
 *
 * so a denoising autoencoder knows the slope of ln p without ever computing p. Seen from the code:
 * what noise changes must not change the code, as in contractive.c, where the same is demanded of
 * the derivative. At levels far from the one it was trained at the mean is another one, and the
 * network does not know; `tenrec denoise` measures how much that costs.
 *
 * Seen on MNIST, `--epochs 5`: 15.5 dB from 9.4 dB at the level it knows; salt and pepper of 0.25,
 * which it never saw, 14.8 dB from 9.2. Little noise it makes worse, 14.4 dB from 20.7 at 0.125:
 * what 32 numbers cannot hold is lost, noise or not. */
static tr_status build(tr_model *m)
{
    return tri_check_noise(m) == TR_OK ? tri_plain_mlp(m, TR_RELU, TR_SIGMOID) : tr_status_get();
}

static tr_terms loss(tr_model *m, tr_tensor *x, tr_tensor *labels, tr_rng *rng)
{
    (void)labels;
    return tri_plain_loss(m, tri_rows(tri_corrupt(m, x, rng)), tri_rows(x));
}

const tr_model_type tri_model_denoising = {
    .name = "denoising",
    .summary = "restores a picture from a spoiled copy",
    .source = "lecture notes, denoising autoencoder; Vincent et al. 2008",
    .unit = TR_PER_PIXEL,
    .options = options,
    .batch = 256,
    .epochs = 10,
    .lr = 1e-3,
    .build = build,
    .loss = loss,
    .encode = tri_rows_encode,
    .decode = tri_rows_decode,
    .corrupt = tri_corrupt,
};
