/* normalisation.c: batch norm and layer norm as layers: the functions of norm.h with parameters,
 * and for batch norm with running averages, which are buffers: saved, not trained. */
#include "nn/module.h"

static const double epsilon = 1e-5;

static tr_module *normalisation_new(const tr_module_type *type, int64_t features)
{
    if (tri_failed()) return NULL;
    if (features < 1) {
        tr_fail(TR_ERR_VALUE, "%s: %lld features; at least 1 is needed", type->name,
                (long long)features);
        return NULL;
    }
    tr_module *m = tr_module_new(type, 0);
    if (m == NULL) return NULL;
    tr_module_add_parameter(m, "weight", TR_SHAPE(features));
    tr_module_add_parameter(m, "bias", TR_SHAPE(features));
    return tri_failed() ? NULL : m;
}

static void normalisation_init(tr_module *m, tr_rng *rng)
{
    (void)rng;
    tr_fill(m->parameters.items[0].tensor, 1);
    tr_fill(m->parameters.items[1].tensor, 0);
    if (m->buffers.count == 0) return;
    tr_fill(m->buffers.items[0].tensor, 0);
    tr_fill(m->buffers.items[1].tensor, 1);
}

static void normalisation_describe(const tr_module *m, char *text, size_t size)
{
    snprintf(text, size, "%lld", (long long)tr_numel(m->parameters.items[0].tensor));
}

/* --- Batch norm ------------------------------------------------------------------------------- */

static tr_tensor *batch_norm_forward(tr_module *m, tr_tensor *x)
{
    const tr_batch_norm_state state = { .scale = m->parameters.items[0].tensor,
                                        .shift = m->parameters.items[1].tensor,
                                        .running_mean = m->buffers.items[0].tensor,
                                        .running_var = m->buffers.items[1].tensor,
                                        .momentum = 0.1,
                                        .epsilon = epsilon };
    return tr_batch_norm(x, &state, m->training);
}

static const tr_module_type batch_norm_type = { .name = "batch_norm",
                                                .forward = batch_norm_forward,
                                                .init = normalisation_init,
                                                .describe = normalisation_describe };

tr_module *tr_nn_batch_norm(int64_t channels)
{
    tr_module *m = normalisation_new(&batch_norm_type, channels);
    if (m == NULL) return NULL;
    tr_module_add_buffer(m, "running_mean", TR_F32, TR_SHAPE(channels));
    tr_module_add_buffer(m, "running_var", TR_F32, TR_SHAPE(channels));
    return tri_failed() ? NULL : m;
}

/* --- Layer norm ------------------------------------------------------------------------------- */

static tr_tensor *layer_norm_forward(tr_module *m, tr_tensor *x)
{
    return tr_layer_norm(x, m->parameters.items[0].tensor, m->parameters.items[1].tensor, epsilon);
}

static const tr_module_type layer_norm_type = { .name = "layer_norm",
                                                .forward = layer_norm_forward,
                                                .init = normalisation_init,
                                                .describe = normalisation_describe };

tr_module *tr_nn_layer_norm(int64_t features)
{
    return normalisation_new(&layer_norm_type, features);
}
