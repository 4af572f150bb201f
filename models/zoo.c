/* zoo.c: the list of models, and the checked entrances to what a model can do. */
#include "models/zoo.h"

#include <string.h>

static const tr_model_type *const types[] = {
    &tri_model_undercomplete, &tri_model_overcomplete,
    &tri_model_deep,          &tri_model_stacked,
    &tri_model_sparse,        &tri_model_denoising,
    &tri_model_contractive,   &tri_model_contrastive,
    &tri_model_conv,          &tri_model_conv_transpose,
    &tri_model_stochastic,    &tri_model_vae,
    &tri_model_conv_vae,      &tri_model_cvae,
    &tri_model_iwae,          &tri_model_pca,
};

const tr_model_type *const *tr_model_types(int *count)
{
    if (count != NULL) *count = (int)(sizeof types / sizeof types[0]);
    return types;
}

const tr_model_type *tr_model_find(const char *name)
{
    if (!tri_given(name, "model_find: the name")) return NULL;
    if (tri_failed()) return NULL;
    int    count;
    char   known[360] = "";
    size_t used = 0;
    tr_model_types(&count);
    for (int i = 0; i < count; i++) {
        if (strcmp(types[i]->name, name) == 0) return types[i];
        if (used < sizeof known)
            used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i > 0 ? ", " : "",
                                     types[i]->name);
    }
    tr_fail(TR_ERR_VALUE, "unknown model \"%s\"; there are %s", name, known);
    return NULL;
}

tr_model *tr_model_new(const tr_model_type *type, tr_settings *settings, tr_shape input,
                       int64_t classes, uint64_t seed)
{
    if (!tri_given(type, "model_new: the type")) return NULL;
    if (tri_failed()) return NULL;
    if (input.rank != 3 || tri_shape_numel(input) < 1 || !tri_check_shape(input, type->name)) {
        char text[200];
        tr_fail(TR_ERR_SHAPE, "%s: pictures must be [height, width, channels]; got %s", type->name,
                tri_describe_shape(input, text, sizeof text));
        return NULL;
    }
    tr_model *m = tr_scope_alloc(sizeof *m);
    if (m == NULL) return NULL;
    m->type = type;
    m->settings = settings != NULL ? settings : tr_settings_new(type->options);
    m->input = input;
    m->pixels = tri_shape_numel(input);
    m->classes = classes;
    if (m->settings == NULL || type->build(m) != TR_OK) return NULL;
    return tr_module_init(m->net, seed) == TR_OK ? m : NULL;
}

/* --- Entrances
 * ------------------------------------------------------------------------------------------- */

static bool check_pictures(const tr_model *m, const tr_tensor *x)
{
    if (tri_failed()) return false;
    if (m == NULL) {
        tr_fail(TR_ERR_VALUE, "model: the model is NULL");
        return false;
    }
    if (!tri_check_alive(x, m->type->name)) return false;
    tr_shape one = tr_shape_of(x);
    for (int i = 0; i + 1 < one.rank; i++) one.dim[i] = one.dim[i + 1];
    one.rank--;
    if (x->rank == 4 && tri_shape_equal(one, m->input)) return true;
    char text[240], expected[200];
    tr_fail(TR_ERR_SHAPE, "%s: built for pictures %s, got a batch %s", m->type->name,
            tri_describe_shape(m->input, expected, sizeof expected),
            tr_describe(x, text, sizeof text));
    return false;
}

void tr_model_set_target(tr_model *m, tr_tensor *target, tr_tensor *known)
{
    if (!tri_given(m, "model_set_target: the model")) return;
    m->target = target;
    m->known = known;
}

/* What was set as the target must be for this batch. */
static bool check_target(const tr_model *m, const tr_tensor *x)
{
    const tr_tensor *parts[] = { m->target, m->known };
    for (int i = 0; i < 2; i++) {
        char text[240], expected[240];
        if (parts[i] == NULL) continue;
        if (!tri_check_alive(parts[i], m->type->name)) return false;
        if (tr_same_shape(parts[i], x) && parts[i]->dtype == x->dtype) continue;
        tr_fail(TR_ERR_SHAPE, "%s: the %s is %s, the batch %s", m->type->name,
                i == 0 ? "target" : "mask of known values",
                tr_describe(parts[i], text, sizeof text),
                tr_describe(x, expected, sizeof expected));
        return false;
    }
    return true;
}

/* Labels may be absent; those that are there must be a class for each picture. */
static bool check_labels(const tr_model *m, const tr_tensor *x, const tr_tensor *labels)
{
    if (labels == NULL) return true;
    if (!tri_check_alive(labels, m->type->name)) return false;
    if (labels->dtype == TR_I64 && labels->rank == 1 && labels->shape[0] == x->shape[0])
        return true;
    char text[240];
    tr_fail(TR_ERR_SHAPE, "%s: labels are %s, expected i64[%lld]", m->type->name,
            tr_describe(labels, text, sizeof text), (long long)x->shape[0]);
    return false;
}

bool tri_check_batch(const tr_model *m, const tr_tensor *x, const tr_tensor *labels)
{
    return check_pictures(m, x) && check_labels(m, x, labels) && check_target(m, x);
}

tr_terms tr_model_loss(tr_model *m, tr_tensor *x, tr_tensor *labels, tr_rng *rng)
{
    tr_terms none = { 0 };
    return tri_check_batch(m, x, labels) ? m->type->loss(m, x, labels, rng) : none;
}

tr_tensor *tr_model_encode(tr_model *m, tr_tensor *x)
{
    return check_pictures(m, x) ? m->type->encode(m, x) : NULL;
}

tr_tensor *tr_model_decode(tr_model *m, tr_tensor *z)
{
    if (!tri_given(m, "model_decode: the model") || !tri_check_alive(z, "model_decode"))
        return NULL;
    return tri_failed() ? NULL : m->type->decode(m, z);
}

tr_tensor *tr_model_reconstruct(tr_model *m, tr_tensor *x)
{
    return tr_model_decode(m, tr_model_encode(m, x));
}

tr_tensor *tr_model_corrupt(tr_model *m, tr_tensor *x, tr_rng *rng)
{
    if (!check_pictures(m, x)) return NULL;
    if (m->type->corrupt != NULL) return m->type->corrupt(m, x, rng);
    tr_fail(TR_ERR_STATE, "%s: the model adds no noise of its own; denoising does", m->type->name);
    return NULL;
}

tr_tensor *tr_model_sample(tr_model *m, int64_t count, tr_rng *rng)
{
    if (!tri_given(m, "model_sample: the model")) return NULL;
    if (tri_failed()) return NULL;
    if (count < 1) {
        tr_fail(TR_ERR_VALUE, "sample: %lld pictures were asked for; at least 1 is needed",
                (long long)count);
        return NULL;
    }
    if (m->type->sample != NULL) return m->type->sample(m, count, rng);
    tr_fail(TR_ERR_STATE, "%s: not a generative model; vae is", m->type->name);
    return NULL;
}

tr_status tr_model_fit(tr_model *m, tr_next_batch next, void *context)
{
    if (!tri_given(m, "model_fit: the model") ||
        (next == NULL && !tri_given(NULL, "model_fit: the function that gives batches")))
        return tr_status_get();
    if (tri_failed()) return tr_status_get();
    if (m->type->fit != NULL) return m->type->fit(m, next, context);
    return tr_fail(TR_ERR_STATE, "%s: is trained in steps, by its gradient; pca is fitted",
                   m->type->name);
}
