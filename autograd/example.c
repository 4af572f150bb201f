/* example.c: makes the inputs that an operation's examples describe, and checks its gradients on
 * them.
 *
 * Values are drawn in f64, rounded to f32 so that both dtypes hold the same numbers, then laid out
 * contiguously or strided. Nothing here knows a single operation: descriptors say it all.
 * Read next: gradcheck.c for the check itself, tests/test_ops.c for what else runs over the
 * examples. */
#include "autograd/example.h"
#include "autograd/tape.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* One word of a description. */
typedef struct spec {
    char     kind;  /* x p u d i b w s */
    int64_t  bound; /* of indices */
    tr_shape shape;
} spec;

/* --- Descriptions ----------------------------------------------------------------------------- */

static bool parse_sizes(const char **text, tr_shape *shape)
{
    const char *at = *text;
    if (*at++ != '[') return false;
    while (*at != ']') {
        char *end;
        if (shape->rank == TR_MAX_RANK || !isdigit((unsigned char)*at)) return false;
        shape->dim[shape->rank++] = strtoll(at, &end, 10);
        at = *end == ',' ? end + 1 : end;
        if (*end != ',' && *end != ']') return false;
    }
    *text = at + 1;
    return true;
}

/* Reads the next word; false at the end, or with an error where there is no word but something
 * else. */
static bool next_spec(const char **text, spec *s)
{
    while (**text == ' ') ++*text;
    if (**text == '\0') return false;
    const char *word = *text;
    *s = (spec){ .kind = *(*text)++ };
    if (s->kind == 'i') {
        char *end;
        s->bound = strtoll(*text, &end, 10);
        *text = end;
    }
    if (strchr("xpudibws", s->kind) != NULL && parse_sizes(text, &s->shape)) return true;
    tr_fail(TR_ERR_VALUE, "example: \"%s\" does not start with a tensor like x[2,3]", word);
    return false;
}

static bool same_spec(const spec *a, const spec *b)
{
    return a->kind == b->kind && a->bound == b->bound && tri_shape_equal(a->shape, b->shape);
}

static int read_specs(const tr_example *e, spec specs[TRI_MAX_EXAMPLE_INPUTS])
{
    const char *text = e->inputs;
    int         count = 0;
    while (count < TRI_MAX_EXAMPLE_INPUTS && next_spec(&text, &specs[count])) count++;
    return tri_failed() ? 0 : count;
}

/* --- Values ----------------------------------------------------------------------------------- */

/* Steps of 1/4 in random order, about 0, and no closer than 0.03 to a multiple of 1/2, where kinks
 * lie; those of different inputs are 0.04 apart. */
static tr_tensor *distinct(tr_shape shape, int position, tr_rng *rng)
{
    const int64_t    n = tri_shape_numel(shape);
    const tr_tensor *order = tr_permutation(n, rng);
    tr_tensor       *t = tri_new(TR_F64, shape);
    if (order == NULL || t == NULL) return NULL;
    for (int64_t i = 0; i < n; i++)
        ((double *)t->data)[i] = 0.25 * (double)(((int64_t *)order->data)[i] - n / 2) + 0.1 +
                                 0.04 * (double)(position % 4);
    return t;
}

/* Turns the last two axes of normal values into A / (n + 2) + 1.5 I, or A A^T / n + I. */
static void condition(tr_tensor *t, bool symmetric)
{
    const int64_t n = tr_dim(t, -1), matrices = n > 0 ? tr_numel(t) / (n * n) : 0;
    double       *copy = tri_scratch((uint64_t)(n * n) * sizeof *copy);
    for (int64_t m = 0; copy != NULL && m < matrices; m++) {
        double *a = (double *)t->data + m * n * n;
        memcpy(copy, a, (size_t)(n * n) * sizeof *copy);
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < n; j++) {
                double product = 0;
                for (int64_t k = 0; k < n; k++) product += copy[i * n + k] * copy[j * n + k];
                const double one = i == j ? 1 : 0;
                a[i * n + j] = symmetric ? product / (double)n + one
                                         : copy[i * n + j] / (2 + (double)n) + 1.5 * one;
            }
    }
}

static tr_tensor *floating_values(const spec *s, int position, tr_rng *rng)
{
    tr_tensor *t = s->kind == 'd'   ? distinct(s->shape, position, rng)
                   : s->kind == 'p' ? tr_affine(tr_uniform(TR_F64, s->shape, rng), 1.5, 0.5)
                   : s->kind == 'u' ? tr_affine(tr_uniform(TR_F64, s->shape, rng), 0.9, 0.05)
                                    : tr_normal(TR_F64, s->shape, rng);
    if (t == NULL) return NULL;
    if (s->kind == 'w' || s->kind == 's') condition(t, s->kind == 's');
    const int64_t n = tr_numel(t);
    double       *values = t->data;
    for (int64_t i = 0; i < n; i++) values[i] = (double)(float)values[i];
    return t;
}

static tr_tensor *values_of(const spec *s, int position, tr_rng *rng)
{
    if (s->kind == 'i') return tr_randint(s->shape, s->bound, rng);
    if (s->kind == 'b') return tr_cast(tr_randint(s->shape, 2, rng), TR_U8);
    return floating_values(s, position, rng);
}

/* --- Layouts ---------------------------------------------------------------------------------- */

const char *tri_layout_name(tri_layout layout)
{
    switch (layout) {
    case TRI_CONTIGUOUS: return "contiguous";
    case TRI_PERMUTED: return "permuted";
    case TRI_STEPPED: return "stepped";
    case TRI_REPEATED: return "repeated";
    case TRI_LAYOUT_COUNT: break;
    }
    return "?";
}

bool tri_layout_applies(const tr_example *e, tri_layout layout)
{
    spec      specs[TRI_MAX_EXAMPLE_INPUTS];
    const int count = read_specs(e, specs);
    int       most = 0;
    bool      repeated = false;
    for (int i = 0; i < count; i++) {
        if (specs[i].shape.rank > most) most = specs[i].shape.rank;
        for (int j = 0; j < i; j++) repeated = repeated || same_spec(&specs[i], &specs[j]);
    }
    switch (layout) {
    case TRI_PERMUTED: return most > 1;
    case TRI_STEPPED: return most > 0;
    case TRI_REPEATED: return repeated;
    default: return true;
    }
}

/* An uninitialised tensor with the strides of the layout. */
static tr_tensor *new_in_layout(tr_dtype dtype, tr_shape shape, tri_layout layout)
{
    if (layout != TRI_PERMUTED && layout != TRI_STEPPED) return tri_new(dtype, shape);
    tr_shape parent = shape;
    int64_t  stride[TR_MAX_RANK], own[TR_MAX_RANK];
    for (int i = 0; i < shape.rank; i++)
        parent.dim[i] = layout == TRI_PERMUTED ? shape.dim[shape.rank - 1 - i] : 2 * shape.dim[i];
    tri_contiguous_strides(parent, stride);
    int64_t offset = 0;
    for (int i = 0; i < shape.rank; i++) {
        own[i] = layout == TRI_PERMUTED ? stride[shape.rank - 1 - i] : 2 * stride[i];
        if (layout == TRI_STEPPED && shape.dim[i] > 0) offset += stride[i];
    }
    tr_tensor *base = tri_new(dtype, parent);
    return base != NULL ? tri_view(base, shape, own, offset) : NULL;
}

int tri_example_inputs(const tr_example *e, tr_dtype dtype, tri_layout layout, uint64_t seed,
                       tr_tensor *inputs[TRI_MAX_EXAMPLE_INPUTS])
{
    spec      specs[TRI_MAX_EXAMPLE_INPUTS];
    const int count = read_specs(e, specs);
    for (int i = 0; i < count; i++) {
        int first = layout == TRI_REPEATED ? 0 : i;
        while (!same_spec(&specs[first], &specs[i])) first++;
        if (first < i) {
            inputs[i] = inputs[first];
            continue;
        }
        tr_rng     rng = tr_rng_stream(seed, (uint64_t)i);
        tr_tensor *values = values_of(&specs[i], i, &rng);
        if (values == NULL) return 0;
        const tr_dtype own = values->dtype == TR_F64 ? dtype : values->dtype;
        inputs[i] = new_in_layout(own, specs[i].shape, layout);
        if (inputs[i] == NULL || tr_assign(inputs[i], values) != TR_OK) return 0;
    }
    return count;
}

/* --- Checks ----------------------------------------------------------------------------------- */

typedef struct application {
    const tr_op      *op;
    const tr_example *example;
    int               input_count;
} application;

static tr_tensor *apply_example(void *context, tr_tensor *const *inputs)
{
    const application *a = context;
    return tr_apply(a->op, inputs, a->input_count, a->example->attributes,
                    a->example->attribute_bytes);
}

static void check_example(const tr_op *op, int order, void *table, tri_example_check *check)
{
    tr_tensor  *inputs[TRI_MAX_EXAMPLE_INPUTS];
    application a = { .op = op, .example = &op->examples[check->example] };
    tr_scope   *scope = tr_scope_push();
    a.input_count = tri_example_inputs(a.example, TR_F64, check->layout, 1, inputs);
    int variables = 0;
    for (int i = 0; i < a.input_count && (op->flags & TR_OP_NO_GRADIENT) == 0; i++)
        if (inputs[i]->dtype == TR_F64) variables += tr_variable(inputs[i]) != NULL;
    if (variables == 0) {
        check->result.passed = a.input_count > 0 && apply_example(&a, inputs) != NULL;
    } else {
        tr_gradcheck_options options = { .order = order };
        tr_gradcheck(apply_example, &a, inputs, a.input_count, &options, &check->result);
        if (table != NULL && !check->result.passed && !tri_failed()) { /* again, for the table */
            options.table = table;
            fprintf(table, "%s of %s, %s:\n", op->name, a.example->inputs,
                    tri_layout_name(check->layout));
            tr_gradcheck(apply_example, &a, inputs, a.input_count, &options, &check->result);
        }
    }
    tr_scope_pop(scope);
}

tr_status tri_check_op(const tr_op *op, int order, void *table, tri_op_check *result)
{
    *result = (tri_op_check){ 0 };
    int examples = 0;
    while (op->examples != NULL && op->examples[examples].inputs != NULL) examples++;
    result->checks =
        tr_scope_alloc((uint64_t)(examples * TRI_LAYOUT_COUNT) * sizeof *result->checks);
    if (result->checks == NULL) return tr_status_get();
    for (int e = 0; e < examples; e++)
        for (int layout = 0; layout < TRI_LAYOUT_COUNT && !tri_failed(); layout++) {
            if (!tri_layout_applies(&op->examples[e], (tri_layout)layout)) continue;
            tri_example_check *check = &result->checks[result->count];
            *check = (tri_example_check){ .example = e, .layout = (tri_layout)layout };
            check_example(op, order, table, check);
            const tr_gradcheck_result *worst = &result->checks[result->worst].result;
            if (check->result.passed
                    ? worst->passed && check->result.worst_error > worst->worst_error
                    : worst->passed || check->result.worst_error > worst->worst_error)
                result->worst = result->count;
            result->failed += !check->result.passed;
            result->count++;
        }
    return tr_status_get();
}
