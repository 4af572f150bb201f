/* plain.c: the plain autoencoder: a code, a reconstruction, the distance between picture and
 * reconstruction as the loss. Most models are this with something added: noise before the code, a
 * penalty on it, other networks. Pictures go in as rows for linear layers, as they are for
 * convolutions. Read next: undercomplete.c, which adds nothing. */
#include "models/zoo.h"

tr_status tri_plain_build(tr_model *m, tr_module *encoder, tr_module *decoder, tr_activation output)
{
    tri_plain *p = tr_scope_alloc(sizeof *p);
    if (p == NULL) return tr_status_get();
    m->self = p;
    p->distance = tr_settings_is(m->settings, "loss", "bce") ? TRI_BCE : TRI_MSE;
    p->output = output;
    return tri_autoencoder(m, encoder, decoder);
}

tr_status tri_plain_mlp(tr_model *m, tr_activation code, tr_activation output)
{
    int64_t       hidden[TR_MAX_SIZES];
    const int     count = tr_settings_sizes(m->settings, "hidden", hidden);
    const int64_t latent = tr_settings_int(m->settings, "latent");
    return tri_plain_build(m, tri_mlp(m->pixels, hidden, count, latent, TR_RELU, code),
                           tri_mlp_mirror(latent, hidden, count, m->pixels, TR_RELU, TR_IDENTITY),
                           output);
}

tr_tensor *tri_plain_term(tr_model *m, tr_terms *terms, tr_tensor *code, tr_tensor *target)
{
    const tri_plain *p = m->self;
    return tri_add_term(
        terms, "reconstruction",
        tri_reconstruction_loss(m, p->distance, p->output, tri_decode(m, code), target));
}

tr_terms tri_plain_loss(tr_model *m, tr_tensor *input, tr_tensor *target)
{
    tr_terms terms = { 0 };
    terms.loss = tri_plain_term(m, &terms, tri_encode(m, input), target);
    return terms;
}

tr_terms tri_rows_loss(tr_model *m, tr_tensor *x, tr_tensor *labels, tr_rng *rng)
{
    (void)labels;
    (void)rng;
    tr_tensor *rows = tri_rows(x);
    return tri_plain_loss(m, rows, rows);
}

tr_terms tri_pictures_loss(tr_model *m, tr_tensor *x, tr_tensor *labels, tr_rng *rng)
{
    (void)labels;
    (void)rng;
    return tri_plain_loss(m, x, x);
}

tr_tensor *tri_pictures_decode(tr_model *m, tr_tensor *z)
{
    return tr_sigmoid(tri_decode(m, z));
}

tr_tensor *tri_rows_encode(tr_model *m, tr_tensor *x)
{
    return tri_encode(m, tri_rows(x));
}

tr_tensor *tri_rows_decode(tr_model *m, tr_tensor *z)
{
    const tri_plain *p = m->self;
    return tr_clamp(tri_pictures(m, tr_activate(tri_decode(m, z), p->output)), 0, 1);
}
