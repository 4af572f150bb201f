/* apply.c: the one door through which every operation goes: check, expand, compute, record.
 *
 * A recorded call becomes a tr_node in the innermost scope's memory, linked to the one before it:
 * the tape is that chain. When a scope closes, the tape is cut back to where it was at its opening.
 * Read next: engine.c, which walks the tape. */
#include "autograd/tape.h"

#include <math.h>
#include <string.h>

/* By the running composed function, or else by the operation. */
static const char *argument_name(const tr_call *c, int i, int *length)
{
    int         same = 0; /* arguments before it that are the same tensor */
    for (int k = 0; k < i; k++) same += c->in[k] == c->in[i];
    const char *given = tri_function_argument(c->in[i], same, length);
    const bool  list = c->op->required < 0;
    const int   named = list ? 0 : i < TR_OP_MAX_ARGUMENTS ? i : TR_OP_MAX_ARGUMENTS - 1;
    if (given != NULL) return given;
    given = c->op->arguments[named] != NULL ? c->op->arguments[named] : "argument";
    *length = (int)strlen(given);
    return given;
}

tr_status tr_fail_call(const tr_call *c, tr_status kind, const char *problem, const char *hint)
{
    char   text[400];
    size_t used = 0;
    for (int i = 0; i < c->input_count && used < sizeof text; i++) {
        char        tensor[240];
        int         length;
        const char *name = argument_name(c, i, &length);
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%.*s is %s", i > 0 ? ", " : "",
                                 length, name, tr_describe(c->in[i], tensor, sizeof tensor));
    }
    return tr_fail(kind, "%s: %s: %s%s%s", c->op->name, problem, text, hint != NULL ? "; " : "",
                   hint != NULL ? hint : "");
}

bool tri_bad_shape(const tr_call *c, const char *problem, const char *hint)
{
    tr_fail_call(c, TR_ERR_SHAPE, problem, hint);
    return false;
}

static bool check_inputs(tr_call *c)
{
    const tr_op *op = c->op;
    int          most = 0;
    while (most < TR_OP_MAX_ARGUMENTS && op->arguments[most] != NULL) most++;
    const int least = op->required == 0 ? most : op->required < 0 ? 1 : op->required;
    if (c->input_count < least || (op->required >= 0 && c->input_count > most)) {
        tr_fail(TR_ERR_VALUE, "%s: %d inputs were given, %d are needed", op->name, c->input_count,
                least);
        return false;
    }
    for (int i = 0; i < c->input_count; i++) {
        const tr_tensor *t = c->in[i];
        if (t == NULL) {
            int         length;
            const char *name = argument_name(c, i, &length);
            tr_fail(TR_ERR_VALUE, "%s: %.*s is NULL", op->name, length, name);
            return false;
        }
        if (!tri_check_alive(t, op->name)) return false;
        if ((op->flags & TR_OP_ANY_DTYPE) != 0) continue;
        if (t->dtype != TR_F32 && t->dtype != TR_F64) {
            tr_fail_call(c, TR_ERR_DTYPE, "f32 or f64 is needed", "convert with tr_cast");
            return false;
        }
        if (t->dtype != c->in[0]->dtype) {
            tr_fail_call(c, TR_ERR_DTYPE, "dtypes differ", "convert one with tr_cast");
            return false;
        }
    }
    return true;
}

bool tri_broadcast_shape(const tr_shape *shapes, int count, tr_shape *result)
{
    *result = (tr_shape){ 0 };
    for (int k = 0; k < count; k++)
        if (shapes[k].rank > result->rank) result->rank = shapes[k].rank;
    for (int axis = 0; axis < result->rank; axis++) {
        int64_t size = 1;
        for (int k = 0; k < count; k++) {
            const int own = axis - (result->rank - shapes[k].rank);
            if (own < 0 || shapes[k].dim[own] == 1) continue;
            if (size != 1 && size != shapes[k].dim[own]) return false;
            size = shapes[k].dim[own];
        }
        result->dim[axis] = size;
    }
    return true;
}

/* The shape rule runs before the inputs are expanded: its messages show what was given. */
static bool find_shape(tr_call *c)
{
    const bool broadcast = (c->op->flags & TR_OP_BROADCAST) != 0;
    tr_shape   shapes[TR_OP_MAX_ARGUMENTS] = { 0 }, common;
    c->out_dtype = c->in[0]->dtype;
    c->out_shape = tr_shape_of(c->in[0]);
    for (int i = 0; broadcast && i < c->input_count; i++) shapes[i] = tr_shape_of(c->in[i]);
    if (broadcast && !tri_broadcast_shape(shapes, c->input_count, &c->out_shape)) {
        tr_fail_call(c, TR_ERR_SHAPE, "shapes do not broadcast",
                     "sizes must be equal or 1, counted from the last axis");
        return false;
    }
    common = c->out_shape;
    if (c->op->shape != NULL && !c->op->shape(c)) return false;
    for (int i = 0; broadcast && i < c->input_count; i++)
        if (!tri_shape_equal(shapes[i], common) && (c->in[i] = tr_expand(c->in[i], common)) == NULL)
            return false;
    return true;
}

/* --- Recording -------------------------------------------------------------------------------- */

static bool wants_record(const tr_call *c)
{
    if ((c->op->flags & TR_OP_NO_GRADIENT) != 0 || tri_this_thread()->no_record) return false;
    for (int i = 0; i < c->input_count; i++)
        if (c->in[i]->requires_grad) return true;
    return false;
}

static bool record(const tr_call *c, size_t attribute_bytes)
{
    tri_thread  *thread = tri_this_thread();
    const size_t inputs = (size_t)c->input_count;
    tr_node     *node = tr_scope_alloc(
            sizeof *node + inputs * (sizeof(tr_tensor *) + sizeof(uint32_t)) + sizeof(uint32_t));
    if (node == NULL) return false;
    node->call = *c;
    node->call.in = (tr_tensor **)(node + 1);
    node->versions = (uint32_t *)(node->call.in + inputs);
    for (size_t i = 0; i < inputs; i++) {
        node->call.in[i] = c->in[i];
        node->versions[i] = c->in[i]->storage->version;
    }
    node->versions[inputs] = c->out->storage->version;
    if (attribute_bytes > 0) {
        void *copy = tr_scope_alloc(attribute_bytes);
        if (copy == NULL) return false;
        memcpy(copy, c->attributes, attribute_bytes);
        node->call.attributes = copy;
    }
    node->module = thread->module_path;
    node->serial = ++thread->counter;
    node->previous = thread->tape;
    thread->tape = node;
    c->out->node = node;
    c->out->requires_grad = true;
    return true;
}

tr_tensor *tr_apply(const tr_op *op, tr_tensor *const *inputs, int input_count,
                    const void *attributes, size_t attribute_bytes)
{
    if (!tri_given(op, "apply: the operation") || !tri_given(inputs, "apply: the list of inputs"))
        return NULL;
    if (tri_failed()) return NULL;
    tr_tensor *local[TR_OP_MAX_ARGUMENTS];
    tr_call    c = { .op = op, .input_count = input_count, .attributes = attributes };
    if (input_count <= TR_OP_MAX_ARGUMENTS) {
        for (int i = 0; i < input_count; i++) local[i] = inputs[i];
        c.in = local;
    } else {
        c.in = (tr_tensor **)inputs; /* a list; only broadcasting writes, and that takes few */
    }
    if (!check_inputs(&c) || !find_shape(&c)) return NULL;
    if ((op->flags & TR_OP_VIEW) == 0) {
        c.out = tri_new(c.out_dtype, c.out_shape);
        if (c.out == NULL) return NULL;
    }
    if (op->forward(&c) != TR_OK || c.out == NULL) return NULL;
    if (wants_record(&c) && !record(&c, attribute_bytes)) return NULL;
    const tri_thread *thread = tri_this_thread();
    if (thread->anomaly &&
        !tri_check_finite(&c, c.out, "result", thread->counter, thread->module_path))
        return NULL;
    return c.out;
}

bool tr_wants(const tr_call *c, int i)
{
    return c != NULL && i >= 0 && i < c->input_count && c->wants[i];
}

/* --- Variables -------------------------------------------------------------------------------- */

tr_tensor *tr_variable(tr_tensor *t)
{
    if (tri_failed() || !tri_check_alive(t, "variable")) return NULL;
    if (t->node != NULL || (t->dtype != TR_F32 && t->dtype != TR_F64)) {
        char text[240];
        tr_fail(TR_ERR_STATE, "variable: %s %s; only f32 and f64 leaves can be variables",
                tr_describe(t, text, sizeof text),
                t->node != NULL ? "was computed by a recorded operation" : "has no derivative");
        return NULL;
    }
    if (t->grad_slot == NULL && (t->grad_slot = tri_handle_new()) == NULL) return NULL;
    t->requires_grad = true;
    return t;
}

tr_tensor *tr_detach(tr_tensor *t)
{
    return tri_alias(t);
}

bool tr_set_recording(bool on)
{
    tri_thread *thread = tri_this_thread();
    const bool  before = !thread->no_record;
    thread->no_record = !on;
    return before;
}

bool tr_set_anomaly_detection(bool on)
{
    tri_thread *thread = tri_this_thread();
    const bool  before = thread->anomaly;
    thread->anomaly = on;
    return before;
}

bool tri_check_finite(const tr_call *c, const tr_tensor *t, const char *what, uint64_t serial,
                      const char *module)
{
    if (t->dtype != TR_F32 && t->dtype != TR_F64) return true;
    tr_scope        *scratch = tr_scope_push();
    const tr_tensor *values = tri_contiguous(t);
    const int64_t    n = values != NULL ? tr_numel(values) : 0;
    int64_t          bad = -1;
    double           value = 0;
    for (int64_t i = 0; i < n && bad < 0; i++) {
        value = t->dtype == TR_F32 ? (double)((const float *)values->data)[i]
                                   : ((const double *)values->data)[i];
        if (!isfinite(value)) bad = i;
    }
    tr_scope_pop(scratch);
    if (bad < 0) return !tri_failed();
    char problem[120];
    tri_this_thread()->function = NULL; /* the operation on the tape is looked for */
    snprintf(problem, sizeof problem, "the %s has %s at element %lld, operation %llu of the tape",
             what, isnan(value) ? "NaN" : "Inf", (long long)bad, (unsigned long long)serial);
    char place[160];
    snprintf(place, sizeof place, "in module %s", module != NULL ? module : "");
    tr_fail_call(c, TR_ERR_VALUE, problem, module != NULL ? place : NULL);
    return false;
}
