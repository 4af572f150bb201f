/* contractive.c: a code that moves little when the picture does (Rifai et al. 2011). The penalty is
 * the squared Frobenius norm of the encoder's Jacobian, averaged over pictures:
 *
 *     minimise d(x, y) + lambda |dh/dx|_F^2
 *
 *     penalty=closed  of one sigmoid layer, their eq. 4: sum_j (h_j (1 - h_j))^2 sum_i W_ij^2
 *     penalty=exact   of any encoder: sum_j |dh_j/dx|^2, one walk through the graph for each unit
 *     penalty=random  its unbiased estimate |d(v h)/dx|^2 with v ~ N(0, 1)^D, one walk (Hutchinson
 * 1990)
 *
 * The last two are gradients of a gradient: the walk is itself recorded and then differentiated by
 * the weights. Reconstruction alone wants the opposite of contraction, so what stays sensitive is
 * the few directions in which pictures really vary. */
#include "models/zoo.h"

static const tr_option options[] = {
    TRI_OPTION_LATENT("64"),
    TRI_OPTION_HIDDEN(""),
    { "penalty", TR_OPTION_CHOICE, "closed", 0, 0, "closed|exact|random",
      "how the Jacobian's norm is found: closed needs hidden to be empty" },
    { "lambda", TR_OPTION_FLOAT, "0.1", 0, 1e6, NULL, "weight of the Jacobian's squared norm" },
    TRI_OPTION_LOSS("bce"),
    { 0 },
};

static tr_status build(tr_model *m)
{
    int64_t hidden[TR_MAX_SIZES];
    if (tr_settings_is(m->settings, "penalty", "closed") &&
        tr_settings_sizes(m->settings, "hidden", hidden) > 0)
        return tr_fail(TR_ERR_VALUE, "option penalty: closed is a formula for an encoder of one "
                                     "layer; with hidden set penalty=exact or random");
    return tri_plain_mlp(m, TR_SIGMOID, TR_SIGMOID);
}

/* sum_nj (h_nj (1 - h_nj))^2 sum_i W_ij^2 */
static tr_tensor *closed_norm(const tr_model *m, tr_tensor *h)
{
    const tr_module *layer = m->net->first_child->first_child;
    tr_tensor       *w = layer->parameters.items[0].tensor;             /* [pixels, D] */
    tr_tensor       *columns = tr_sum(tr_square(w), TR_AXES(0), false); /* [D] */
    tr_tensor       *slope = tr_mul(h, tr_affine(h, -1, 1));            /* [N, D] */
    return tr_sum(tr_mul(tr_square(slope), columns), TR_ALL_AXES, false);
}

/* The inner gradient needs a recorded encoder, in evaluation too; there it is not differentiated.
 */
static tr_tensor *walked_norm(tr_model *m, tr_tensor *rows, tr_rng *rng)
{
    const bool recording = tr_set_recording(true);
    tr_tensor *x = tr_variable(tr_detach(rows));
    tr_tensor *h = tri_encode(m, x), *squares = NULL; /* [N, D], [N] */
    if (h != NULL && tr_settings_is(m->settings, "penalty", "random"))
        squares = tri_squared_slope(tr_mul(h, tr_normal_like(h, rng)), x, recording);
    else
        squares = tri_jacobian_squares(h, x, recording);
    tr_tensor *sum = tr_sum(squares, TR_ALL_AXES, false);
    tr_set_recording(recording);
    return sum;
}

static tr_terms loss(tr_model *m, tr_tensor *x, tr_tensor *labels, tr_rng *rng)
{
    (void)labels;
    const bool   closed = tr_settings_is(m->settings, "penalty", "closed");
    const double lambda = tr_settings_float(m->settings, "lambda");
    tr_tensor   *rows = tri_rows(x), *h = tri_encode(m, rows);
    tr_terms     terms = { 0 };
    tr_tensor   *distance = tri_plain_term(m, &terms, h, rows);
    tr_tensor   *norm = closed ? closed_norm(m, h) : walked_norm(m, rows, rng);
    if (norm == NULL) return (tr_terms){ 0 };
    tri_add_term(&terms, "jacobian", tr_scale(norm, 1 / (double)tr_dim(x, 0)));
    terms.loss = tr_add(distance, tr_scale(terms.value[1], lambda));
    return terms;
}

const tr_model_type tri_model_contractive = {
    .name = "contractive",
    .summary = "a code that moves little when the picture does",
    .source = "lecture notes, contractive autoencoder; Rifai et al. 2011, eq. 4",
    .unit = TR_PER_PIXEL,
    .options = options,
    .batch = 128,
    .epochs = 10,
    .lr = 1e-3,
    .build = build,
    .loss = loss,
    .encode = tri_rows_encode,
    .decode = tri_rows_decode,
};
