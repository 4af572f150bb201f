/* denoising.c: the input is spoiled, the target is not, so copying is no solution and the network must
 * learn where clean pictures lie (Vincent et al. 2008):
 *
 *     x~ = corrupt(x),  minimise d(x, decode(encode(x~)))
 *
 * Noise: gaussian  x~ = clip(x + level N(0, 1), 0, 1)     the source's, with level 0.5
 *        mask      x~ = 0 with probability level, else x
 *        salt-pepper  x~ = 0 or 1 with probability level, else x
 * Network: 784-128-64-32-64-128-784, ReLU, sigmoid output.                                           */
#include "models/zoo.h"

static const tr_option options[] = {
    { "noise", TR_OPTION_CHOICE, "gaussian", 0, 0, "gaussian|mask|salt-pepper", "how the input is spoiled" },
    { "level", TR_OPTION_FLOAT, "0.5", 0, 10, NULL,
      "standard deviation of gaussian noise; probability of the others, at most 1" },
    { "hidden", TR_OPTION_SIZES, "128,64", 1, 65536, NULL,
      "hidden layers of the encoder, separated by commas; the decoder mirrors them" },
    { "latent", TR_OPTION_INT, "32", 1, 65536, NULL, "size of the code" },
    TRI_OPTION_LOSS("bce"),
    { 0 },
};

static tr_status build(tr_model *m)
{
    int64_t       hidden[TR_MAX_SIZES];
    const int     count = tr_settings_sizes(m->settings, "hidden", hidden);
    const int64_t latent = tr_settings_int(m->settings, "latent");
    const double  level = tr_settings_float(m->settings, "level");
    if (level > 1 && !tr_settings_is(m->settings, "noise", "gaussian"))
        return tr_fail(TR_ERR_VALUE, "option level: %g is no probability; noise=%s needs 0 .. 1", level,
                       tr_settings_text(m->settings, "noise"));
    return tri_plain_build(m, tri_mlp(m->pixels, hidden, count, latent, TR_RELU, TR_RELU),
                           tri_mlp_mirror(latent, hidden, count, m->pixels, TR_RELU, TR_IDENTITY),
                           TR_SIGMOID);
}

static tr_tensor *corrupt(tr_model *m, tr_tensor *x, tr_rng *rng)
{
    const double level = tr_settings_float(m->settings, "level");
    if (tr_settings_is(m->settings, "noise", "gaussian"))
        return tr_clamp(tr_add(x, tr_scale(tr_normal_like(x, rng), level)), 0, 1);
    tr_tensor *hit = tr_less(tr_uniform_like(x, rng), tr_scalar(x->dtype, level));
    tr_tensor *noise = tr_scalar(x->dtype, 0);
    if (tr_settings_is(m->settings, "noise", "salt-pepper"))
        noise = tr_cast(tr_less(tr_uniform_like(x, rng), tr_scalar(x->dtype, 0.5)), x->dtype);
    return tr_where(hit, noise, x);
}

static tr_terms loss(tr_model *m, tr_tensor *x, tr_tensor *labels, tr_rng *rng)
{
    (void)labels;
    return tri_plain_loss(m, tri_rows(corrupt(m, x, rng)), tri_rows(x));
}

const tr_model_type tri_model_denoising = {
    .name = "denoising",
    .summary = "restores a picture from a spoiled copy",
    .source = "lecture notes, denoising autoencoder; Vincent et al. 2008",
    .unit = TR_PER_PIXEL,
    .options = options,
    .batch = 256, .epochs = 10, .lr = 1e-3,
    .build = build, .loss = loss, .encode = tri_rows_encode, .decode = tri_rows_decode, .corrupt = corrupt,
};
