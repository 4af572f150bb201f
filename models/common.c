/* common.c: what the models are composed of beside their networks: parts, distances, terms. Nothing
 * here is a model. Read next: plain.c. */
#include "models/zoo.h"

/* A holder of parts: the model's file says in which order they are applied. */
static tr_tensor *parts_forward(tr_module *m, tr_tensor *x)
{
    for (tr_module *part = m->first_child; part != NULL; part = part->next) x = tr_forward(part, x);
    return x;
}

static const tr_module_type parts_type = { .name = "model", .forward = parts_forward };

tr_module *tri_parts(void)
{
    return tr_module_new(&parts_type, 0);
}

tr_status tri_autoencoder(tr_model *m, tr_module *encoder, tr_module *decoder)
{
    m->net = tri_parts();
    tr_module_add(m->net, "encoder", encoder);
    tr_module_add(m->net, "decoder", decoder);
    return tr_status_get();
}

tr_tensor *tri_rows(tr_tensor *x)
{
    return tr_flatten(x, 1);
}

tr_tensor *tri_pictures(const tr_model *m, tr_tensor *rows)
{
    return tr_reshape(rows,
                      TR_SHAPE(tr_dim(rows, 0), m->input.dim[0], m->input.dim[1], m->input.dim[2]));
}

tr_tensor *tri_encode(tr_model *m, tr_tensor *x)
{
    return tr_forward(m->net->first_child, x);
}

tr_tensor *tri_decode(tr_model *m, tr_tensor *z)
{
    tr_module *decoder = m->net->first_child;
    while (decoder->next != NULL) decoder = decoder->next;
    return tr_forward(decoder, z);
}

/* t in the shape of x, whose batch may be several times as large. */
static tr_tensor *fit_to(tr_tensor *t, const tr_tensor *x)
{
    const int64_t n = tr_dim(t, 0), times = n > 0 ? tr_dim(x, 0) / n : 1;
    tr_shape      shape = tr_shape_of(t);
    if (times > 1) {
        for (int i = shape.rank++; i > 0; i--) shape.dim[i] = shape.dim[i - 1];
        shape.dim[0] = times;
        t = tr_expand(t, shape);
    }
    return tr_reshape(t, tr_shape_of(x));
}

tr_tensor *tri_target(const tr_model *m, tr_tensor *x)
{
    return m->target != NULL && x != NULL ? fit_to(m->target, x) : x;
}

tr_tensor *tri_counted(const tr_model *m, tr_tensor *values)
{
    if (m->known == NULL || values == NULL) return values;
    return tr_mul(values, fit_to(m->known, values));
}

/* Of distances apart: their average over those that count, which may be none. */
static tr_tensor *counted_mean(const tr_model *m, tr_tensor *distance)
{
    tr_tensor   *one = tr_scalar(m->known->dtype, 1);
    tr_tensor   *count = tr_maximum(tr_sum(m->known, TR_ALL_AXES, false), one);
    const double times = (double)tr_numel(distance) / (double)tr_numel(m->known);
    tr_tensor   *sum = tr_sum(tri_counted(m, distance), TR_ALL_AXES, false);
    return tr_scale(tr_div(sum, count), 1 / times);
}

tr_tensor *tri_reconstruction_loss(const tr_model *m, tri_distance kind, tr_activation output,
                                   tr_tensor *raw, tr_tensor *x)
{
    const bool         mean = m->type->unit == TR_PER_PIXEL, all = m->known == NULL;
    const tr_reduction reduction = !all ? TR_NONE : mean ? TR_MEAN : TR_SUM;
    const int64_t      n = tr_dim(x, 0);
    tr_tensor         *target = tri_target(m, x), *distance;
    if (kind == TRI_BCE)
        distance = tr_bce_with_logits(raw, target, reduction);
    else
        distance = tr_mse(tr_activate(raw, output), target, reduction);
    if (distance == NULL || n == 0 || (all && mean)) return distance;
    if (mean) return counted_mean(m, distance);
    return tr_scale(tr_sum(tri_counted(m, distance), TR_ALL_AXES, false), 1 / (double)n);
}

/* --- Options and terms
 * ---------------------------------------------------------------------------- */

tr_activation tri_activation_setting(const tr_model *m, const char *name)
{
    tr_activation act = TR_IDENTITY;
    tr_activation_find(tr_settings_text(m->settings, name), &act);
    return act;
}

tr_tensor *tri_add_term(tr_terms *terms, const char *name, tr_tensor *value)
{
    terms->name[terms->count] = name;
    terms->value[terms->count++] = value;
    return value;
}
