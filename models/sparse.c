/* sparse.c: a large code of which few units are active for any one picture. With code h [N, D], one
 * of
 *
 *     penalty=l1    d + weight mean_n sum_j |h_nj|                              ReLU code
 *     penalty=kl    d + beta sum_j KL(rate || r_j),  r_j = mean_n h_nj          sigmoid code
 *                   KL = rate ln(rate / r) + (1 - rate) ln((1 - rate) / (1 - r))
 *     penalty=topk  h keeps the k largest units of each picture                 ReLU code
 *     penalty=wta   h_j keeps its largest values over the batch, the share      ReLU code
 *                   `rate` of the pictures; not in encoding
 *
 * (Ng 2011 for l1 and kl; Makhzani & Frey 2014 for topk; Makhzani & Frey 2015 for wta.) Besides the
 * loss it reports the mean activation, the units that no picture of the batch makes active, and L0,
 * the number of active units of a picture. A ReLU unit is active above 0, a sigmoid above 0.1. */
#include "models/zoo.h"

#include <math.h>

static const tr_option options[] = {
    { "penalty", TR_OPTION_CHOICE, "kl", 0, 0, "l1|kl|topk|wta", "what makes the code sparse" },
    TRI_OPTION_LATENT("1024"),
    TRI_OPTION_HIDDEN(""),
    { "weight", TR_OPTION_FLOAT, "0.5", 0, 1e6, NULL, "l1: weight of the sum of activations" },
    { "beta", TR_OPTION_FLOAT, "5", 0, 1e6, NULL, "kl: weight of the divergence" },
    { "rate", TR_OPTION_FLOAT, "0.05", 1e-4, 0.9999, NULL,
      "kl: mean activation to reach; wta: share of the batch that a unit may serve" },
    { "k", TR_OPTION_INT, "32", 1, 65536, NULL, "topk: units that stay" },
    TRI_OPTION_LOSS("bce"),
    { 0 },
};

static bool is(const tr_model *m, const char *penalty)
{
    return tr_settings_is(m->settings, "penalty", penalty);
}

static tr_status build(tr_model *m)
{
    const int64_t k = tr_settings_int(m->settings, "k"), d = tr_settings_int(m->settings, "latent");
    if (is(m, "topk") && k > d)
        return tr_fail(TR_ERR_VALUE, "option k: %lld units of %lld cannot stay; set k or latent",
                       (long long)k, (long long)d);
    return tri_plain_mlp(m, is(m, "kl") ? TR_SIGMOID : TR_RELU, TR_SIGMOID);
}

/* --- The code --------------------------------------------------------------------------------- */

/* The k largest values along the axis in their places, 0 elsewhere. */
static tr_tensor *keep_largest(tr_tensor *h, int64_t k, int axis)
{
    tr_tensor *place;
    tr_tensor *largest = tr_topk(h, k, axis, true, &place);
    return largest != NULL ? tr_scatter_sum(largest, axis, place, tr_dim(h, axis)) : NULL;
}

/* [N, D] of pictures as rows; whole_batch: they are many enough to choose among for wta. */
static tr_tensor *code_of(tr_model *m, tr_tensor *rows, bool whole_batch)
{
    tr_tensor *h = tri_encode(m, rows);
    if (is(m, "topk")) return keep_largest(h, tr_settings_int(m->settings, "k"), 1);
    if (h == NULL || !is(m, "wta") || !whole_batch) return h;
    const double served = tr_settings_float(m->settings, "rate") * (double)tr_dim(h, 0);
    return keep_largest(h, (int64_t)ceil(served), 0);
}

static tr_tensor *encode(tr_model *m, tr_tensor *x)
{
    return code_of(m, tri_rows(x), m->net->training);
}

/* --- The loss --------------------------------------------------------------------------------- */

/* sum_j KL(rate || r_j): the cross entropy of the two less the rate's own entropy. */
static tr_tensor *divergence(tr_tensor *h, double rate)
{
    tr_tensor   *r = tr_mean(h, TR_AXES(0), false); /* [D] */
    tr_tensor   *cross = tr_bce(r, tr_scalar(h->dtype, rate), TR_SUM);
    const double entropy = -rate * log(rate) - (1 - rate) * log1p(-rate);
    return tr_add_scalar(cross, -entropy * (double)tr_dim(h, 1));
}

static void add_statistics(const tr_model *m, tr_terms *terms, tr_tensor *h)
{
    h = tr_detach(h);
    if (h == NULL) return;
    tr_tensor *zero = tr_scalar(h->dtype, 0);
    tr_tensor *above = is(m, "kl") ? tr_scalar(h->dtype, 0.1) : zero;
    tr_tensor *active = tr_cast(tr_greater(h, above), h->dtype);         /* [N, D] */
    tr_tensor *dead = tr_equal(tr_sum(active, TR_AXES(0), false), zero); /* [D] */
    tr_tensor *per_picture = tr_sum(active, TR_AXES(1), false);          /* [N] */
    tri_add_term(terms, "mean_activation", tr_mean(h, TR_ALL_AXES, false));
    tri_add_term(terms, "dead", tr_mean(tr_cast(dead, h->dtype), TR_ALL_AXES, false));
    tri_add_term(terms, "l0", tr_mean(per_picture, TR_ALL_AXES, false));
}

static tr_terms loss(tr_model *m, tr_tensor *x, tr_tensor *labels, tr_rng *rng)
{
    (void)labels;
    (void)rng;
    tr_tensor *rows = tri_rows(x), *h = code_of(m, rows, true);
    tr_terms   terms = { 0 };
    if (h == NULL) return terms;
    terms.loss = tri_plain_term(m, &terms, h, rows);
    if (is(m, "l1")) {
        tr_tensor   *sum = tr_mean(tr_sum(tr_abs(h), TR_AXES(1), false), TR_ALL_AXES, false);
        const double weight = tr_settings_float(m->settings, "weight");
        terms.loss = tr_add(terms.loss, tr_scale(tri_add_term(&terms, "l1", sum), weight));
    } else if (is(m, "kl")) {
        tr_tensor   *kl = divergence(h, tr_settings_float(m->settings, "rate"));
        const double beta = tr_settings_float(m->settings, "beta");
        terms.loss = tr_add(terms.loss, tr_scale(tri_add_term(&terms, "kl", kl), beta));
    }
    add_statistics(m, &terms, h);
    return terms;
}

const tr_model_type tri_model_sparse = {
    .name = "sparse",
    .summary = "a large code of which few units are active at a time",
    .source = "lecture notes, sparse autoencoder; Ng 2011; Makhzani & Frey 2014, 2015",
    .unit = TR_PER_IMAGE,
    .options = options,
    .batch = 256,
    .epochs = 20,
    .lr = 1e-3,
    .build = build,
    .loss = loss,
    .encode = encode,
    .decode = tri_rows_decode,
};
