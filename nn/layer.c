/* layer.c: the layers without windows: sequential, linear, activation, shape, dropout. A layer is a
 * tr_module_type (what it does) and a constructor (its parameters). See convolution.c for pictures
 * and normalisation.c for batch and layer norm. */
#include "nn/module.h"

#include <stdarg.h>

/* --- Sequential ------------------------------------------------------------------------------- */

static tr_tensor *sequential_forward(tr_module *m, tr_tensor *x)
{
    for (tr_module *part = m->first_child; part != NULL; part = part->next) x = tr_forward(part, x);
    return x;
}

static const tr_module_type sequential_type = { .name = "sequential",
                                                .forward = sequential_forward };

bool tri_check_activation(tr_activation act, const char *what)
{
    if (tr_activation_name(act) != NULL) return true;
    tr_fail(TR_ERR_VALUE, "%s: %d is not an activation", what, (int)act);
    return false;
}

tr_status tr_nn_append(tr_module *sequential, tr_module *part)
{
    if (!tri_given(sequential, "nn_append: the module") || !tri_given(part, "nn_append: the part"))
        return tr_status_get();
    if (tri_failed()) return tr_status_get();
    int count = 0;
    for (const tr_module *k = sequential->first_child; k != NULL; k = k->next) count++;
    char name[16];
    snprintf(name, sizeof name, "%d", count);
    tr_module_add(sequential, name, part);
    return tr_status_get();
}

tr_module *tr_nn_sequence(tr_module *const *parts, int count)
{
    if (count > 0 && !tri_given(parts, "nn_sequence: the list of parts")) return NULL;
    tr_module *m = tr_module_new(&sequential_type, 0);
    for (int i = 0; i < count; i++) tr_nn_append(m, parts[i]);
    return tri_failed() ? NULL : m;
}

tr_module *tr_nn_sequential(tr_module *first, ...)
{
    tr_module *m = tr_module_new(&sequential_type, 0);
    va_list    parts;
    va_start(parts, first);
    for (tr_module *part = first; part != NULL; part = va_arg(parts, tr_module *))
        tr_nn_append(m, part);
    va_end(parts);
    return tri_failed() ? NULL : m;
}

/* --- Linear ----------------------------------------------------------------------------------- */

typedef struct linear {
    tr_tensor     *weight, *bias; /* [in, out], [out] or NULL */
    tr_activation  act;
    tr_initializer how;
} linear;

/* The tensors are looked up at each call, because tr_module_tie may replace them. */
static tr_tensor *linear_forward(tr_module *m, tr_tensor *x)
{
    const linear *l = m->self;
    tr_tensor    *bias = m->parameters.count > 1 ? m->parameters.items[1].tensor : NULL;
    return tr_affine_map(x, m->parameters.items[0].tensor, bias, l->act);
}

static void linear_init(tr_module *m, tr_rng *rng)
{
    const linear *l = m->self;
    tr_initialize(m->parameters.items[0].tensor, l->how, rng);
    if (m->parameters.count > 1) tr_fill(m->parameters.items[1].tensor, 0);
}

static void linear_describe(const tr_module *m, char *text, size_t size)
{
    const linear *l = m->self;
    snprintf(text, size, "%lld -> %lld, %s", (long long)tr_dim(l->weight, 0),
             (long long)tr_dim(l->weight, 1), tr_activation_name(l->act));
}

static int64_t linear_multiply_adds(const tr_module *m)
{
    const linear *l = m->self;
    return tri_shape_numel(m->in_shape) * tr_dim(l->weight, 1);
}

static const tr_module_type linear_type = { .name = "linear",
                                            .forward = linear_forward,
                                            .init = linear_init,
                                            .describe = linear_describe,
                                            .multiply_adds = linear_multiply_adds };

tr_module *tr_nn_linear_with(int64_t in, int64_t out, tr_activation act, const tr_layer_options *o)
{
    if (tri_failed()) return NULL;
    if (!tri_check_activation(act, "linear")) return NULL;
    if (in < 1 || out < 1) {
        tr_fail(TR_ERR_VALUE, "linear: sizes must be at least 1: in is %lld, out is %lld",
                (long long)in, (long long)out);
        return NULL;
    }
    tr_module *m = tr_module_new(&linear_type, sizeof(linear));
    if (m == NULL) return NULL;
    linear *l = m->self;
    l->act = act;
    l->how = o != NULL ? o->init : TR_INIT_GLOROT_UNIFORM;
    l->weight = tr_module_add_parameter(m, "weight", TR_SHAPE(in, out));
    if (o == NULL || !o->no_bias) l->bias = tr_module_add_parameter(m, "bias", TR_SHAPE(out));
    return tri_failed() ? NULL : m;
}

tr_module *tr_nn_linear(int64_t in, int64_t out, tr_activation act)
{
    return tr_nn_linear_with(in, out, act, NULL);
}

/* --- Linear with another layer's weight ------------------------------------------------------- */

typedef struct transposed {
    tr_module    *owner; /* of the weight */
    tr_activation act;
} transposed;

static tr_tensor *transposed_forward(tr_module *m, tr_tensor *x)
{
    const transposed *t = m->self;
    tr_tensor        *weight = t->owner->parameters.items[0].tensor;
    return tr_affine_map(x, tr_transpose(weight, 0, 1), m->parameters.items[0].tensor, t->act);
}

static void transposed_init(tr_module *m, tr_rng *rng)
{
    (void)rng;
    tr_fill(m->parameters.items[0].tensor, 0);
}

static void transposed_describe(const tr_module *m, char *text, size_t size)
{
    const transposed *t = m->self;
    const tr_tensor  *weight = t->owner->parameters.items[0].tensor;
    snprintf(text, size, "%lld -> %lld, %s, tied", (long long)tr_dim(weight, 1),
             (long long)tr_dim(weight, 0), tr_activation_name(t->act));
}

static int64_t transposed_multiply_adds(const tr_module *m)
{
    const transposed *t = m->self;
    return tri_shape_numel(m->in_shape) * tr_dim(t->owner->parameters.items[0].tensor, 0);
}

static const tr_module_type transposed_type = { .name = "linear",
                                                .forward = transposed_forward,
                                                .init = transposed_init,
                                                .describe = transposed_describe,
                                                .multiply_adds = transposed_multiply_adds };

tr_module *tr_nn_linear_transposed(tr_module *linear_layer, tr_activation act)
{
    if (tri_failed()) return NULL;
    if (linear_layer == NULL || linear_layer->type != &linear_type) {
        tr_fail(TR_ERR_VALUE, "linear_transposed: %s is no linear layer",
                linear_layer == NULL ? "NULL" : linear_layer->type->name);
        return NULL;
    }
    if (!tri_check_activation(act, "linear_transposed")) return NULL;
    tr_module *m = tr_module_new(&transposed_type, sizeof(transposed));
    if (m == NULL) return NULL;
    *(transposed *)m->self = (transposed){ linear_layer, act };
    const int64_t out = tr_dim(linear_layer->parameters.items[0].tensor, 0);
    return tr_module_add_parameter(m, "bias", TR_SHAPE(out)) != NULL ? m : NULL;
}

const tr_module *tri_tied_to(const tr_module *m)
{
    return m->type == &transposed_type ? ((const transposed *)m->self)->owner : NULL;
}

/* --- Activation, flatten, reshape ------------------------------------------------------------- */

typedef struct activation {
    tr_activation act;
} activation;

static tr_tensor *activation_forward(tr_module *m, tr_tensor *x)
{
    const activation *a = m->self;
    return tr_activate(x, a->act);
}

static void activation_describe(const tr_module *m, char *text, size_t size)
{
    const activation *a = m->self;
    snprintf(text, size, "%s", tr_activation_name(a->act));
}

static const tr_module_type activation_type = { .name = "activation",
                                                .forward = activation_forward,
                                                .describe = activation_describe };

tr_module *tr_nn_activation(tr_activation act)
{
    if (!tri_check_activation(act, "activation")) return NULL;
    tr_module *m = tr_module_new(&activation_type, sizeof(activation));
    if (m != NULL) ((activation *)m->self)->act = act;
    return m;
}

static tr_tensor *flatten_forward(tr_module *m, tr_tensor *x)
{
    (void)m;
    return tr_flatten(x, 1);
}

static const tr_module_type flatten_type = { .name = "flatten", .forward = flatten_forward };

tr_module *tr_nn_flatten(void)
{
    return tr_module_new(&flatten_type, 0);
}

typedef struct reshape {
    tr_shape shape;
} reshape;

static tr_tensor *reshape_forward(tr_module *m, tr_tensor *x)
{
    const reshape *r = m->self;
    tr_shape       shape = { .rank = r->shape.rank + 1, .dim = { tr_dim(x, 0) } };
    for (int i = 0; i < r->shape.rank; i++) shape.dim[i + 1] = r->shape.dim[i];
    return tr_reshape(x, shape);
}

static void reshape_describe(const tr_module *m, char *text, size_t size)
{
    const reshape *r = m->self;
    tri_describe_shape(r->shape, text, size);
}

static const tr_module_type reshape_type = { .name = "reshape",
                                             .forward = reshape_forward,
                                             .describe = reshape_describe };

tr_module *tr_nn_reshape(tr_shape shape)
{
    if (tri_failed()) return NULL;
    if (shape.rank >= TR_MAX_RANK) {
        tr_fail(TR_ERR_SHAPE, "reshape: rank %d leaves no room for the batch axis; at most %d fit",
                shape.rank, TR_MAX_RANK - 1);
        return NULL;
    }
    tr_module *m = tr_module_new(&reshape_type, sizeof(reshape));
    if (m != NULL) ((reshape *)m->self)->shape = shape;
    return m;
}

/* --- Dropout ---------------------------------------------------------------------------------- */

typedef struct dropout {
    double     rate;
    tr_tensor *state; /* i64 [3]: seed, stream, block of its generator; checkpoints hold it */
} dropout;

static tr_tensor *dropout_forward(tr_module *m, tr_tensor *x)
{
    const dropout *d = m->self;
    if (!m->training) return x;
    int64_t *state = d->state->data;
    tr_rng   rng = { (uint64_t)state[0], (uint64_t)state[1], (uint64_t)state[2] };
    x = tr_dropout(x, d->rate, &rng);
    state[2] = (int64_t)rng.block;
    return x;
}

static void dropout_init(tr_module *m, tr_rng *rng)
{
    const dropout *d = m->self;
    int64_t       *state = d->state->data;
    state[0] = (int64_t)rng->seed;
    state[1] = (int64_t)rng->stream;
    state[2] = (int64_t)rng->block;
}

static void dropout_describe(const tr_module *m, char *text, size_t size)
{
    const dropout *d = m->self;
    snprintf(text, size, "rate %g", d->rate);
}

static const tr_module_type dropout_type = { .name = "dropout",
                                             .forward = dropout_forward,
                                             .init = dropout_init,
                                             .describe = dropout_describe };

tr_module *tr_nn_dropout(double rate)
{
    if (tri_failed()) return NULL;
    if (!(rate >= 0 && rate < 1)) {
        tr_fail(TR_ERR_VALUE, "dropout: rate %g is not in [0, 1)", rate);
        return NULL;
    }
    tr_module *m = tr_module_new(&dropout_type, sizeof(dropout));
    if (m == NULL) return NULL;
    dropout *d = m->self;
    d->rate = rate;
    d->state = tr_module_add_buffer(m, "generator", TR_I64, TR_SHAPE(3));
    return tri_failed() ? NULL : m;
}
