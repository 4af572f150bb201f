/* vae.c: the variational autoencoder (Kingma & Welling 2014). The encoder gives a distribution over
 * codes, and what is minimised is the negative evidence lower bound, in nats per picture:
 *
 *     q(z|x) = N(mu, sigma^2),  mu and log sigma^2 two linear heads of one encoder
 *     z = mu + exp(1/2 log sigma^2) e,  e ~ N(0, 1)                 (reparameterisation, their eq.
 * 4) -ELBO = -log p(x|z) + beta KL(q(z|x) || N(0, 1)) KL = 1/2 sum (mu^2 + sigma^2 - log sigma^2 -
 * 1)               (their appendix B, sign as here)
 *
 * p(x|z) is Bernoulli with logits from the decoder, or N(sigmoid(decoder), scale^2). beta = 1 is
 * the bound; above 1 it favours independent codes (Higgins et al. 2017). Default network:
 * 784-400-20.      */
#include "models/zoo.h"

#include <math.h>

static const tr_option options[] = {
    { "latent", TR_OPTION_INT, "20", 1, 65536, NULL, "size of the code" },
    { "hidden", TR_OPTION_SIZES, "400", 1, 65536, NULL,
      "hidden layers of the encoder, separated by commas; the decoder mirrors them" },
    { "beta", TR_OPTION_FLOAT, "1", 0, 1e6, NULL, "weight of the KL term" },
    { "likelihood", TR_OPTION_CHOICE, "bernoulli", 0, 0, "bernoulli|gaussian",
      "distribution of pixels" },
    { "scale", TR_OPTION_FLOAT, "0.1", 1e-6, 1e3, NULL,
      "standard deviation of the gaussian likelihood" },
    { 0 },
};

typedef struct vae {
    tr_module *body, *mean, *log_variance; /* the encoder's parts */
    tr_module *decoder;
    double     beta, scale;
    bool       gaussian;
} vae;

static tr_status build(tr_model *m)
{
    int64_t       hidden[TR_MAX_SIZES];
    const int     count = tr_settings_sizes(m->settings, "hidden", hidden);
    const int64_t latent = tr_settings_int(m->settings, "latent");
    vae          *v = m->self = tr_scope_alloc(sizeof *v);
    if (v == NULL) return tr_status_get();
    if (count < 1)
        return tr_fail(TR_ERR_VALUE, "option hidden: the vae needs at least one hidden layer");
    const int64_t features = hidden[count - 1];
    v->beta = tr_settings_float(m->settings, "beta");
    v->scale = tr_settings_float(m->settings, "scale");
    v->gaussian = tr_settings_is(m->settings, "likelihood", "gaussian");
    v->body = tri_mlp(m->pixels, hidden, count - 1, features, TR_RELU, TR_RELU);
    v->mean = tr_nn_linear(features, latent, TR_IDENTITY);
    v->log_variance = tr_nn_linear(features, latent, TR_IDENTITY);
    v->decoder = tri_mlp_mirror(latent, hidden, count, m->pixels, TR_RELU, TR_IDENTITY);
    m->net = tri_parts();
    tr_module_add(m->net, "encoder", v->body);
    tr_module_add(m->net, "mean", v->mean);
    tr_module_add(m->net, "log_variance", v->log_variance);
    tr_module_add(m->net, "decoder", v->decoder);
    return tr_status_get();
}

/* -log p(x|z), summed over pixels, averaged over pictures. */
static tr_tensor *reconstruction(const tr_model *m, tr_tensor *raw, tr_tensor *target)
{
    const vae    *v = m->self;
    const int64_t n = tr_dim(target, 0) > 0 ? tr_dim(target, 0) : 1;
    if (!v->gaussian)
        return tri_reconstruction_loss(TRI_BCE, TR_SIGMOID, raw, target, TR_PER_IMAGE);
    tr_tensor   *square = tr_mse(tr_sigmoid(raw), target, TR_SUM);
    const double constant =
        (double)m->pixels * (log(v->scale) + 0.918938533204672742); /* ln sqrt(2 pi) */
    return tr_affine(square, 0.5 / (v->scale * v->scale * (double)n), constant);
}

static tr_terms loss(tr_model *m, tr_tensor *x, tr_tensor *labels, tr_rng *rng)
{
    (void)labels;
    const vae *v = m->self;
    tr_tensor *rows = tri_rows(x);                                     /* [N, pixels] */
    tr_tensor *features = tr_forward(v->body, rows);                   /* [N, F] */
    tr_tensor *mu = tr_forward(v->mean, features);                     /* [N, D] */
    tr_tensor *log_variance = tr_forward(v->log_variance, features);   /* [N, D] */
    tr_tensor *sigma = tr_exp(tr_scale(log_variance, 0.5));            /* [N, D] */
    tr_tensor *z = tr_add(mu, tr_mul(sigma, tr_normal_like(mu, rng))); /* [N, D] */
    tr_tensor *raw = tr_forward(v->decoder, z);                        /* [N, pixels] */
    tr_terms   terms = { 0 };
    tr_tensor *distance = tri_add_term(&terms, "reconstruction", reconstruction(m, raw, rows));
    tr_tensor *kl = tr_mean(tr_kl_standard_normal(mu, log_variance), TR_ALL_AXES, false);
    tri_add_term(&terms, "kl", kl);
    terms.loss = tr_add(distance, tr_scale(kl, v->beta));
    return terms;
}

static tr_tensor *encode(tr_model *m, tr_tensor *x)
{
    const vae *v = m->self;
    return tr_forward(v->mean, tr_forward(v->body, tri_rows(x)));
}

static tr_tensor *decode(tr_model *m, tr_tensor *z)
{
    const vae *v = m->self;
    return tri_pictures(m, tr_sigmoid(tr_forward(v->decoder, z)));
}

static tr_tensor *sample(tr_model *m, int64_t count, tr_rng *rng)
{
    return decode(m,
                  tr_normal(TR_F32, TR_SHAPE(count, tr_settings_int(m->settings, "latent")), rng));
}

const tr_model_type tri_model_vae = {
    .name = "vae",
    .summary = "a distribution over codes; can draw new pictures",
    .source = "lecture notes, variational autoencoder; Kingma & Welling 2014",
    .unit = TR_PER_IMAGE,
    .options = options,
    .batch = 128,
    .epochs = 10,
    .lr = 1e-3,
    .build = build,
    .loss = loss,
    .encode = encode,
    .decode = decode,
    .sample = sample,
};
