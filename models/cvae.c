/* cvae.c: the variational autoencoder given the label (Sohn, Lee & Yan 2015). Encoder and decoder
 * both see the class y as a one-hot row c(y), so the code need not hold it, only what the class
 * leaves open:
 *
 *     q(z|x, y) from [x, c(y)],   p(x|z, y) from [z, c(y)],   p(z|y) = N(0, 1)
 *     -ELBO = -ln p(x|z, y) + beta KL(q(z|x, y) || N(0, 1))  >=  -ln p(x|y)
 *
 * What is given as a code is the row [mu, c(y)]: it can be decoded, and its last part says the
 * class. Where the label is not known, in encoding, it is the class whose bound is best: Bayes'
 * rule with equal priors. Samples take the classes in turn. Network and options as in vae.c. */
#include "models/variational.h"

static const tr_option options[] = {
    TRI_OPTION_LATENT("20"),
    TRI_OPTION_HIDDEN("400"),
    TRI_OPTIONS_BOUND,
    TRI_OPTIONS_LIKELIHOOD,
    { 0 },
};

static tr_status build(tr_model *m)
{
    int64_t       hidden[TR_MAX_SIZES];
    const int     count = tr_settings_sizes(m->settings, "hidden", hidden);
    const int64_t latent = tr_settings_int(m->settings, "latent");
    if (m->classes < 1)
        return tr_fail(TR_ERR_VALUE,
                       "cvae: the pictures have no labels; take data that has, or vae");
    if (count < 1)
        return tr_fail(TR_ERR_VALUE, "option hidden: the cvae needs at least one hidden layer");
    const int64_t features = hidden[count - 1];
    return tri_variational_build(
        m, tri_mlp(m->pixels + m->classes, hidden, count - 1, features, TR_RELU, TR_RELU), features,
        tri_mlp_mirror(latent + m->classes, hidden, count, m->pixels, TR_RELU, TR_IDENTITY));
}

/* c(y), [N, classes]; an error where labels are missing or no class. */
static tr_tensor *condition(const tr_model *m, tr_tensor *labels, tr_dtype dtype)
{
    if (labels != NULL) return tr_one_hot(labels, m->classes, dtype);
    tr_fail(TR_ERR_VALUE, "cvae: the loss needs the pictures' labels; got none");
    return NULL;
}

static tr_tensor *beside(tr_tensor *a, tr_tensor *b)
{
    return tr_concat((tr_tensor *[]){ a, b }, 2, 1);
}

static tr_terms loss(tr_model *m, tr_tensor *x, tr_tensor *labels, tr_rng *rng)
{
    tr_tensor *rows = tri_rows(x), *c = condition(m, labels, x->dtype);
    if (c == NULL) return (tr_terms){ 0 };
    return tri_variational_loss(m, beside(rows, c), c, rows, rng);
}

static tr_tensor *log_weights(tr_model *m, tr_tensor *x, tr_tensor *labels, int64_t samples,
                              tr_rng *rng)
{
    tr_tensor *rows = tri_rows(x), *c = condition(m, labels, x->dtype);
    return c != NULL ? tri_log_weights(m, beside(rows, c), c, rows, samples, rng) : NULL;
}

/* --- Codes: [mu, c(y)] ------------------------------------------------------------------------ */

/* The class k for n pictures. */
static tr_tensor *same_class(const tr_model *m, int64_t n, int64_t k, tr_dtype dtype)
{
    tr_tensor *labels = tr_zeros(TR_I64, TR_SHAPE(n));
    tr_fill(labels, (double)k);
    return condition(m, labels, dtype);
}

/* The class with the best bound, taken at z = mu: i64 [N]. */
static tr_tensor *likely_class(const tr_model *m, tr_tensor *rows)
{
    tr_tensor *best = NULL, *label = NULL;
    for (int64_t k = 0; k < m->classes && !tri_failed(); k++) {
        tr_tensor          *c = same_class(m, tr_dim(rows, 0), k, rows->dtype);
        const tri_posterior q = tri_posterior_of(m, beside(rows, c));
        tr_tensor          *log_p = tri_log_pixels(m, tri_decode_rows(m, q.mu, c), rows); /* [N] */
        tr_tensor          *bound = tr_sub(log_p, tr_sum(tri_posterior_kl(q), TR_AXES(1), false));
        tr_tensor          *index = tr_zeros(TR_I64, TR_SHAPE(tr_dim(rows, 0)));
        tr_fill(index, (double)k);
        tr_tensor *better = k > 0 ? tr_greater(bound, best) : NULL;
        label = k > 0 ? tr_where(better, index, label) : index;
        best = k > 0 ? tr_where(better, bound, best) : bound;
    }
    return tri_failed() ? NULL : label;
}

static tr_tensor *encode(tr_model *m, tr_tensor *x)
{
    tr_tensor *rows = tri_rows(x), *label = likely_class(m, rows);
    tr_tensor *c = label != NULL ? condition(m, label, x->dtype) : NULL;
    return c != NULL ? beside(tri_posterior_of(m, beside(rows, c)).mu, c) : NULL;
}

static tr_tensor *sample(tr_model *m, int64_t count, tr_rng *rng)
{
    const tri_variational *v = m->self;
    tr_tensor             *labels = tr_zeros(TR_I64, TR_SHAPE(count));
    for (int64_t i = 0; labels != NULL && i < count; i++)
        ((int64_t *)labels->data)[i] = i % m->classes;
    tr_tensor *z = tr_normal(TR_F32, TR_SHAPE(count, v->latent), rng);
    return labels != NULL ? tri_mean_pictures(m, beside(z, condition(m, labels, TR_F32))) : NULL;
}

static const char *torch(const tr_model *m, bool decoding)
{
    const tri_variational *v = m->self;
    if (v->law != TRI_BERNOULLI) return NULL;
    if (decoding) return "        x = torch.sigmoid(self.decoder(x))\n";
    return "        classes = self.encoder_0.in_features - x.shape[1]\n"
           "        costs, codes = [], []\n"
           "        for label in range(classes):\n"
           "            c = F.one_hot(torch.full((len(x),), label), classes).to(x)\n"
           "            h = self.encoder(torch.cat((x, c), 1))\n"
           "            mean, log_variance = self.mean(h), self.log_variance(h)\n"
           "            code = torch.cat((mean, c), 1)\n"
           "            cost = F.binary_cross_entropy_with_logits(\n"
           "                self.decoder(code), x, reduction='none').sum(1)\n"
           "            kl = 0.5 * (mean ** 2 + log_variance.exp() - log_variance - 1).sum(1)\n"
           "            costs.append(cost + kl)\n"
           "            codes.append(code)\n"
           "        best = torch.stack(costs).argmin(0)\n"
           "        x = torch.stack(codes)[best, torch.arange(len(x))]\n";
}

const tr_model_type tri_model_cvae = {
    .name = "cvae",
    .summary = "a variational autoencoder given the label",
    .source = "Sohn, Lee & Yan 2015, eq. 4",
    .unit = TR_PER_IMAGE,
    .options = options,
    .batch = 128,
    .epochs = 10,
    .lr = 1e-3,
    .build = build,
    .loss = loss,
    .encode = encode,
    .decode = tri_mean_pictures,
    .sample = sample,
    .log_weights = log_weights,
    .torch = torch,
};
