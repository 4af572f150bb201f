/* stochastic.c: encoder and decoder are distributions instead of functions (Goodfellow et al. 2016,
 * section 14.4). A code is drawn, and what is minimised is how surprising the picture is given it,
 * in nats per picture:
 *
 *     q(h|x) = N(c, noise^2),  c = f(x) / rms f(x)        h = c + noise e,  e ~ N(0, 1)
 *     minimise -E ln p(x|h)
 *
 *     likelihood=bernoulli  p(x|h): pixels on with probability sigmoid(g(h))
 *     likelihood=gaussian   N(sigmoid(g(h)), v(h)), v = 1e-4 + softplus(g'(h)) for each pixel
 *
 * The mean c has mean square 1 and the noise is given, so a code carries at most
 * 1/2 ln(1 + 1 / noise^2) nats a unit (the Gaussian channel, Shannon 1948): were the noise learned
 * too, it would vanish, for nothing here pays for it. The floor of v keeps the density of pixels
 * that never change finite. Read next: vae.c, where a prior pays. */
#include "models/zoo.h"

static const tr_option options[] = {
    TRI_OPTION_LATENT("32"),
    TRI_OPTION_HIDDEN("400"),
    { "noise", TR_OPTION_FLOAT, "0.2", 0, 10, NULL, "standard deviation of the code" },
    { "likelihood", TR_OPTION_CHOICE, "bernoulli", 0, 0, "bernoulli|gaussian",
      "distribution of pixels" },
    { 0 },
};

static bool gaussian(const tr_model *m)
{
    return tr_settings_is(m->settings, "likelihood", "gaussian");
}

/* The gaussian decoder gives two numbers for each pixel: first all means, then all variances. */
static tr_status build(tr_model *m)
{
    int64_t       hidden[TR_MAX_SIZES];
    const int     count = tr_settings_sizes(m->settings, "hidden", hidden);
    const int64_t latent = tr_settings_int(m->settings, "latent");
    const int64_t out = gaussian(m) ? 2 * m->pixels : m->pixels;
    return tri_autoencoder(m, tri_mlp(m->pixels, hidden, count, latent, TR_RELU, TR_IDENTITY),
                           tri_mlp_mirror(latent, hidden, count, out, TR_RELU, TR_IDENTITY));
}

/* The mean of q(h|x), [N, D]. */
static tr_tensor *encode(tr_model *m, tr_tensor *x)
{
    return tr_rms_norm(tri_rows_encode(m, x), NULL, 1e-6);
}

/* -ln p(x|h), summed over pixels, averaged over pictures. */
static tr_tensor *surprise(const tr_model *m, tr_tensor *raw, tr_tensor *rows)
{
    tr_tensor *part[2] = { NULL, NULL };
    if (!gaussian(m)) return tri_reconstruction_loss(m, TRI_BCE, TR_SIGMOID, raw, rows);
    if (tr_chunk(raw, 1, 2, part) != TR_OK) return NULL;
    tr_tensor *variance = tr_add_scalar(tr_softplus(part[1]), 1e-4);
    tr_tensor *density =
        tr_normal_log_density(tri_target(m, rows), tr_sigmoid(part[0]), tr_log(variance));
    tr_tensor *sum = tr_sum(tri_counted(m, density), TR_AXES(1), false);
    return tr_neg(tr_mean(sum, TR_ALL_AXES, false));
}

static tr_terms loss(tr_model *m, tr_tensor *x, tr_tensor *labels, tr_rng *rng)
{
    (void)labels;
    const double noise = tr_settings_float(m->settings, "noise");
    tr_tensor   *rows = tri_rows(x), *mean = encode(m, x); /* [N, pixels], [N, D] */
    if (mean == NULL) return (tr_terms){ 0 };
    tr_tensor *h = tr_add(mean, tr_scale(tr_normal_like(mean, rng), noise));
    tr_terms   terms = { 0 };
    terms.loss = tri_add_term(&terms, "reconstruction", surprise(m, tri_decode(m, h), rows));
    return terms;
}

static tr_tensor *decode(tr_model *m, tr_tensor *z)
{
    tr_tensor *mean = tr_narrow(tri_decode(m, z), 1, 0, m->pixels);
    return tri_pictures(m, tr_sigmoid(mean));
}

static const char *torch(const tr_model *m, bool decoding)
{
    if (!decoding)
        return "        x = self.encoder(x)\n"
               "        x = x / torch.sqrt((x ** 2).mean(1, keepdim=True) + 1e-6)\n";
    return gaussian(m) ? "        x = torch.sigmoid(self.decoder(x).chunk(2, 1)[0])\n"
                       : "        x = torch.sigmoid(self.decoder(x))\n";
}

const tr_model_type tri_model_stochastic = {
    .name = "stochastic",
    .summary = "encoder and decoder are distributions",
    .source = "lecture notes, stochastic autoencoder; Goodfellow et al. 2016, section 14.4",
    .unit = TR_PER_IMAGE,
    .options = options,
    .batch = 128,
    .epochs = 10,
    .lr = 1e-3,
    .build = build,
    .loss = loss,
    .encode = encode,
    .decode = decode,
    .torch = torch,
};
