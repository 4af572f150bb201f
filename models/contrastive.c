/* contrastive.c: restores pictures, and tells them apart by their codes. Each picture is spoiled
 * twice; the two codes must be more alike than those of different pictures of the batch:
 *
 *     a = encode(corrupt(x)),  b = encode(corrupt(x)),  s(u, v) = cos(u, v) / temperature
 *     InfoNCE = -mean_i ln (e^s(a_i, b_i) / sum_j e^s(a_i, b_j))       (van den Oord et al. 2018,
 * eq. 4) minimise 1/2 (d(x, decode(a)) + d(x, decode(b))) + weight InfoNCE
 *
 * InfoNCE is at most ln N better than chance, N pictures in a batch, so larger batches teach more;
 * it is taken in both directions, a to b and b to a. Network and noise as in denoising.c. */
#include "models/zoo.h"

static const tr_option options[] = {
    TRI_OPTION_NOISE("mask", "how the two inputs are spoiled"),
    TRI_OPTION_LEVEL("0.3"),
    { "weight", TR_OPTION_FLOAT, "0.02", 0, 1e6, NULL, "weight of InfoNCE" },
    { "temperature", TR_OPTION_FLOAT, "0.2", 1e-3, 1e3, NULL,
      "what similarities are divided by; lower looks at the closest strangers only" },
    TRI_OPTION_HIDDEN("256,128"),
    TRI_OPTION_LATENT("32"),
    TRI_OPTION_LOSS("bce"),
    { 0 },
};

/* The code may have any sign: cosines of ReLU codes would never be negative. */
static tr_status build(tr_model *m)
{
    if (tri_check_noise(m) != TR_OK) return tr_status_get();
    return tri_plain_mlp(m, TR_IDENTITY, TR_SIGMOID);
}

static tr_terms loss(tr_model *m, tr_tensor *x, tr_tensor *labels, tr_rng *rng)
{
    (void)labels;
    const double temperature = tr_settings_float(m->settings, "temperature");
    const double weight = tr_settings_float(m->settings, "weight");
    tr_tensor   *first = tri_corrupt(m, x, rng), *second = tri_corrupt(m, x, rng);
    tr_tensor   *both = tri_rows(tr_concat((tr_tensor *[]){ first, second }, 2, 0));
    tr_tensor   *clean = tri_rows(tr_concat((tr_tensor *[]){ x, x }, 2, 0)); /* [2 N, pixels] */
    tr_tensor   *code = tri_encode(m, both), *of[2] = { NULL, NULL };        /* [2 N, D] */
    tr_terms     terms = { 0 };
    tr_tensor   *distance = tri_plain_term(m, &terms, code, clean);
    if (tr_chunk(code, 0, 2, of) != TR_OK) return terms;
    tr_tensor *there = tr_info_nce(of[0], of[1], temperature, TR_MEAN);
    tr_tensor *back = tr_info_nce(of[1], of[0], temperature, TR_MEAN);
    tr_tensor *contrast = tri_add_term(&terms, "info_nce", tr_scale(tr_add(there, back), 0.5));
    terms.loss = tr_add(distance, tr_scale(contrast, weight));
    return terms;
}

const tr_model_type tri_model_contrastive = {
    .name = "contrastive",
    .summary = "restores pictures, and tells them apart by their codes",
    .source = "lecture notes, contrastive autoencoder; van den Oord et al. 2018, eq. 4",
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
