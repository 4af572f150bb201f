/* engine.c: reverse-mode differentiation. Three passes over the part of the tape that matters, each
 * a plain loop, so a graph a million operations deep needs no stack:
 *
 *   1. from the outputs back: collect the calls that the outputs depend on (newest first);
 *   2. forward again:         mark those that depend on a wanted input;
 *   3. back once more:        ask each marked call's rule for its inputs' cotangents and sum them.
 *
 * Every use of a tensor comes later on the tape than the tensor, so when pass 3 reaches a call, the
 * cotangent of its result is complete. Rules return values; only this file accumulates.
 * Read next: arithmetic.c for the simplest rules, convolution.c for the gradient of conv2d. */
#include "autograd/tape.h"

#include <string.h>

/* What the walk knows about one tensor. */
typedef struct entry {
    const tr_tensor *tensor;
    tr_tensor       *cotangent;
    bool             needed; /* a wanted input, or depends on one */
    bool             wanted; /* its cotangent is a result: keep it */
} entry;

typedef struct walk {
    entry    *table; /* open addressing, capacity a power of two */
    int64_t   capacity, count;
    tr_node **nodes; /* newest first */
    int64_t   node_count, node_capacity;
    int64_t   pending; /* entries with a node that pass 1 has not met yet */
    bool      create_graph;
} walk;

/* --- The table: tensor -> entry --------------------------------------------------------------- */

static entry *slot_of(entry *table, int64_t capacity, const tr_tensor *t)
{
    uint64_t hash = (uint64_t)(uintptr_t)t * 0x9E3779B97F4A7C15u;
    for (uint64_t i = hash >> 20;; i++) {
        entry *e = &table[i & (uint64_t)(capacity - 1)];
        if (e->tensor == t || e->tensor == NULL) return e;
    }
}

static entry *find(const walk *w, const tr_tensor *t)
{
    entry *e = slot_of(w->table, w->capacity, t);
    return e->tensor != NULL ? e : NULL;
}

static bool grow_table(walk *w)
{
    const int64_t capacity = w->capacity > 0 ? 4 * w->capacity : 256;
    entry        *table = tr_scope_alloc((uint64_t)capacity * sizeof *table);
    if (table == NULL) return false;
    for (int64_t i = 0; i < w->capacity; i++)
        if (w->table[i].tensor != NULL) *slot_of(table, capacity, w->table[i].tensor) = w->table[i];
    w->table = table;
    w->capacity = capacity;
    return true;
}

static entry *find_or_add(walk *w, const tr_tensor *t)
{
    if (2 * w->count >= w->capacity && !grow_table(w)) return NULL;
    entry *e = slot_of(w->table, w->capacity, t);
    if (e->tensor != NULL) return e;
    e->tensor = t;
    w->count++;
    if (t->node != NULL) w->pending++;
    return e;
}

/* --- Passes 1 and 2 --------------------------------------------------------------------------- */

static bool push_node(walk *w, tr_node *node)
{
    if (w->node_count == w->node_capacity) {
        const int64_t capacity = w->node_capacity > 0 ? 2 * w->node_capacity : 256;
        tr_node     **nodes = tri_scratch((uint64_t)capacity * sizeof *nodes);
        if (nodes == NULL) return false;
        if (w->node_count > 0) memcpy(nodes, w->nodes, (size_t)w->node_count * sizeof *nodes);
        w->nodes = nodes;
        w->node_capacity = capacity;
    }
    w->nodes[w->node_count++] = node;
    return true;
}

static bool collect(walk *w)
{
    for (tr_node *node = tri_this_thread()->tape; w->pending > 0; node = node->previous) {
        if (node == NULL) {
            tr_fail(TR_ERR_STATE,
                    "backward: the graph was recorded in another thread or a closed scope");
            return false;
        }
        if (find(w, node->call.out) == NULL) continue;
        w->pending--;
        if (!push_node(w, node)) return false;
        for (int i = 0; i < node->call.input_count; i++) {
            const tr_tensor *in = node->call.in[i];
            if (in->requires_grad && find_or_add(w, in) == NULL) return false;
        }
    }
    return true;
}

static bool input_needed(const walk *w, const tr_call *c, int i)
{
    return c->in[i]->requires_grad && find(w, c->in[i])->needed;
}

static void mark_needed(walk *w)
{
    for (int64_t k = w->node_count - 1; k >= 0; k--) {
        const tr_call *c = &w->nodes[k]->call;
        entry         *e = find(w, c->out);
        for (int i = 0; i < c->input_count && !e->needed; i++) e->needed = input_needed(w, c, i);
    }
}

/* --- Pass 3 ----------------------------------------------------------------------------------- */

/* A rule reads its call's inputs and its result: they must hold what they held at the call. */
static bool check_versions(const tr_node *node)
{
    const tr_call *c = &node->call;
    const int      inputs = c->input_count;
    for (int i = 0; i <= inputs; i++) {
        const tr_tensor *t = i < inputs ? c->in[i] : c->out;
        if (t->storage->version == node->versions[i]) continue;
        char what[40] = "the result";
        if (i < inputs) snprintf(what, sizeof what, "input %d", i);
        tr_fail(TR_ERR_STATE,
                "backward: %s of %s was changed in place after it was used; assign to a copy", what,
                c->op->name);
        return false;
    }
    return true;
}

static bool check_gradient(const tr_call *c, int i, const tr_tensor *gradient)
{
    const tr_tensor *in = c->in[i];
    if (gradient->dtype == in->dtype && tr_same_shape(gradient, in)) return true;
    char got[240], expected[240];
    tr_fail(TR_ERR_SHAPE, "backward of %s: the rule gave %s for input %d, which is %s", c->op->name,
            tr_describe(gradient, got, sizeof got), i, tr_describe(in, expected, sizeof expected));
    return false;
}

/* A cotangent that nobody will read again: its memory goes back before its scope closes. */
static void release(tr_tensor *t)
{
    tri_storage_unref(t->storage);
    t->storage = NULL;
    t->alive = TRI_CLOSED;
}

static bool accumulate(const walk *w, entry *e, tr_tensor *contribution)
{
    if (e->cotangent == NULL) {
        e->cotangent = contribution;
        return true;
    }
    tr_tensor *sum = tr_add(e->cotangent, contribution);
    if (sum == NULL) return false;
    if (!w->create_graph) {
        release(e->cotangent);
        release(contribution);
    }
    e->cotangent = sum;
    return true;
}

/* Runs the rule. Without a graph to keep, in a scope of its own: what the rule computed on the way
 * is freed at once, and only the results are handed out. An anomaly is told of the call whose rule
 * it is, not of an operation inside the rule. */
static bool apply_rule(const walk *w, tr_node *node, tr_tensor *g, tr_tensor **gin)
{
    tr_call *c = &node->call;
    tr_scope *scope = w->create_graph ? NULL : tr_scope_push();
    const bool anomaly = tr_set_anomaly_detection(false);
    if (c->op->fast_vjp != NULL && !w->create_graph)
        c->op->fast_vjp(c, g, gin);
    else
        c->op->vjp(c, g, gin);
    tr_set_anomaly_detection(anomaly);
    for (int i = 0; i < c->input_count && !tri_failed(); i++) {
        if (!c->wants[i]) gin[i] = NULL;
        if (gin[i] == NULL || !check_gradient(c, i, gin[i])) continue;
        if (anomaly && !tri_check_finite(c, gin[i], "gradient", node->serial, node->module)) break;
        if (scope != NULL) gin[i] = tr_scope_keep(gin[i]);
    }
    tr_scope_pop(scope);
    return !tri_failed();
}

/* Lets the tensor's hooks see and replace its complete cotangent. */
static bool run_hooks(const walk *w, entry *e)
{
    for (const tri_hook *h = e->tensor->hooks; h != NULL && e->cotangent != NULL; h = h->next) {
        tr_tensor *g = h->hook(h->context, e->cotangent);
        if (tri_failed()) return false;
        if (g == NULL || g == e->cotangent) continue;
        if (g->dtype != e->tensor->dtype || !tr_same_shape(g, e->tensor)) {
            char got[240], expected[240];
            tr_fail(TR_ERR_SHAPE, "hook: it returned %s as the gradient of %s",
                    tr_describe(g, got, sizeof got),
                    tr_describe(e->tensor, expected, sizeof expected));
            return false;
        }
        e->cotangent = w->create_graph ? g : tri_alias(g);
    }
    return !tri_failed();
}

static bool step_back(walk *w, tr_node *node, bool *wants, tr_tensor **gin)
{
    tr_call *c = &node->call;
    entry   *e = find(w, c->out);
    if (!e->needed || e->cotangent == NULL) return true;
    if (!run_hooks(w, e)) return false;
    for (int i = 0; i < c->input_count; i++) {
        wants[i] = input_needed(w, c, i);
        gin[i] = NULL;
    }
    c->wants = wants;
    const bool ok = check_versions(node) && apply_rule(w, node, e->cotangent, gin);
    c->wants = NULL;
    if (!ok) return false;
    for (int i = 0; i < c->input_count; i++)
        if (gin[i] != NULL && !accumulate(w, find(w, c->in[i]), gin[i])) return false;
    if (!w->create_graph && !e->wanted) {
        release(e->cotangent);
        e->cotangent = NULL;
    }
    return true;
}

static bool propagate(walk *w)
{
    int most = 0;
    for (int64_t k = 0; k < w->node_count; k++)
        if (w->nodes[k]->call.input_count > most) most = w->nodes[k]->call.input_count;
    bool       *wants = tri_scratch((uint64_t)most * sizeof *wants);
    tr_tensor **gin = tri_scratch((uint64_t)most * sizeof *gin);
    if (wants == NULL || gin == NULL) return false;
    for (int64_t k = 0; k < w->node_count; k++)
        if (!step_back(w, w->nodes[k], wants, gin)) return false;
    for (int64_t i = 0; i < w->capacity; i++) /* variables: complete only now */
        if (w->table[i].tensor != NULL && w->table[i].tensor->node == NULL &&
            !run_hooks(w, &w->table[i]))
            return false;
    return true;
}

tr_status tr_add_hook(tr_tensor *t, tr_hook hook, void *context)
{
    if (hook == NULL && !tri_given(NULL, "add_hook: the hook")) return tr_status_get();
    if (tri_failed() || !tri_check_alive(t, "add_hook")) return tr_status_get();
    tri_hook *h = tr_scope_alloc(sizeof *h);
    if (h == NULL) return tr_status_get();
    *h = (tri_hook){ hook, context, NULL };
    tri_hook **end = &t->hooks;
    while (*end != NULL) end = &(*end)->next;
    *end = h;
    return TR_OK;
}

/* --- Results ---------------------------------------------------------------------------------- */

static bool check_output(const tr_tensor *t, const char *what)
{
    if (!tri_check_alive(t, what)) return false;
    if (t->requires_grad) return true;
    char text[240];
    tr_fail(
        TR_ERR_STATE,
        "%s: %s carries no graph: no variable is involved, recording was off, or it is a gradient "
        "computed without create_graph",
        what, tr_describe(t, text, sizeof text));
    return false;
}

/* A cotangent of the walk's own, so that releasing it frees nobody else's tensor. */
static tr_tensor *start_cotangent(const walk *w, const tr_tensor *output, tr_tensor *given,
                                  const char *what)
{
    if (given == NULL && tr_numel(output) != 1) {
        char text[240];
        tr_fail(TR_ERR_SHAPE, "%s: %s does not hold one value; reduce it (tr_mean, tr_sum)%s", what,
                tr_describe(output, text, sizeof text),
                strcmp(what, "grad") == 0 ? " or give a cotangent" : "");
        return NULL;
    }
    if (given == NULL) return tr_full(output->dtype, tr_shape_of(output), 1);
    if (!tri_check_alive(given, what)) return NULL;
    if (given->dtype != output->dtype || !tr_same_shape(given, output)) {
        char out[240], cotangent[240];
        tr_fail(TR_ERR_SHAPE, "%s: the cotangent is %s, its output is %s", what,
                tr_describe(given, cotangent, sizeof cotangent),
                tr_describe(output, out, sizeof out));
        return NULL;
    }
    return w->create_graph ? given : tri_alias(given);
}

static bool start_walk(walk *w, tr_tensor *const *outputs, int count, const tr_grad_options *o,
                       const char *what)
{
    for (int i = 0; i < count; i++) {
        if (!check_output(outputs[i], what)) return false;
        tr_tensor *given = o != NULL && o->cotangents != NULL ? o->cotangents[i] : NULL;
        tr_tensor *g = start_cotangent(w, outputs[i], given, what);
        entry     *e = g != NULL ? find_or_add(w, outputs[i]) : NULL;
        if (e == NULL || !accumulate(w, e, g)) return false;
    }
    return collect(w);
}

void tr_clear_grad(tr_tensor *t)
{
    if (!tri_alive(t) || t->grad == NULL) return;
    tri_storage_unref(t->grad->storage);
    t->grad->storage = NULL;
    t->grad = NULL;
}

/* t->grad += g. The handle lives in t's scope and shares g's storage, so the gradient outlives the
 * step's scope without a copy. */
static bool store_gradient(tr_tensor *t, tr_tensor *g)
{
    tr_tensor *sum = t->grad != NULL ? tr_add(t->grad, g) : g;
    sum = (tr_tensor *)(uintptr_t)(sum != NULL ? tri_contiguous(sum) : NULL);
    if (sum == NULL) return false;
    tr_tensor *slot = t->grad_slot, *next = slot->next_in_scope;
    tri_storage_ref(sum->storage);
    tr_clear_grad(t);
    *slot = (tr_tensor){ .alive = TRI_ALIVE, .dtype = sum->dtype, .rank = sum->rank,
                         .data = sum->data, .storage = sum->storage, .next_in_scope = next };
    memcpy(slot->shape, sum->shape, sizeof sum->shape);
    memcpy(slot->stride, sum->stride, sizeof sum->stride);
    t->grad = slot;
    return true;
}

tr_status tr_backward(tr_tensor *loss)
{
    if (tri_failed()) return tr_status_get();
    const bool recording = tr_set_recording(false);
    tr_scope  *scope = tr_scope_push();
    walk       w = { 0 };
    if (start_walk(&w, &loss, 1, NULL, "backward")) {
        for (int64_t i = 0; i < w.capacity; i++) {
            entry *e = &w.table[i];
            if (e->tensor != NULL && e->tensor->node == NULL) e->needed = e->wanted = true;
        }
        mark_needed(&w);
        if (propagate(&w))
            for (int64_t i = 0; i < w.capacity; i++)
                if (w.table[i].wanted && w.table[i].cotangent != NULL &&
                    !store_gradient((tr_tensor *)(uintptr_t)w.table[i].tensor,
                                    w.table[i].cotangent))
                    break;
    }
    tr_scope_pop(scope);
    tr_set_recording(recording);
    return tr_status_get();
}

static bool want_inputs(walk *w, tr_tensor *const *inputs, int count)
{
    for (int i = 0; i < count; i++) {
        if (!tri_check_alive(inputs[i], "grad")) return false;
        entry *e = find(w, inputs[i]);
        if (e != NULL) e->needed = e->wanted = true;
    }
    return true;
}

static void take_gradients(walk *w, tr_tensor *const *inputs, int count, tr_tensor **gradients,
                           bool keep)
{
    for (int i = 0; i < count && !tri_failed(); i++) {
        const entry *e = find(w, inputs[i]);
        tr_tensor   *g = e != NULL ? e->cotangent : NULL;
        if (g == NULL) g = tr_zeros(inputs[i]->dtype, tr_shape_of(inputs[i]));
        gradients[i] = keep && g != NULL ? tr_scope_keep(g) : g;
    }
    if (tri_failed()) memset(gradients, 0, (size_t)count * sizeof *gradients);
}

tr_status tr_grad(tr_tensor *const *outputs, int output_count, tr_tensor *const *inputs,
                  int input_count, tr_tensor **gradients, const tr_grad_options *options)
{
    if (!tri_given(outputs, "grad: the list of outputs") ||
        !tri_given(inputs, "grad: the list of inputs") ||
        !tri_given(gradients, "grad: the place for gradients"))
        return tr_status_get();
    if (output_count < 1 || input_count < 0)
        return tr_fail(TR_ERR_VALUE, "grad: %d outputs and %d inputs; at least 1 and 0 are needed",
                       output_count, input_count);
    memset(gradients, 0, (size_t)input_count * sizeof *gradients);
    if (tri_failed()) return tr_status_get();
    walk       w = { .create_graph = options != NULL && options->create_graph };
    const bool recording = tr_set_recording(w.create_graph);
    tr_scope  *scope = w.create_graph ? NULL : tr_scope_push();
    if (start_walk(&w, outputs, output_count, options, "grad") &&
        want_inputs(&w, inputs, input_count)) {
        mark_needed(&w);
        if (propagate(&w)) take_gradients(&w, inputs, input_count, gradients, !w.create_graph);
    }
    tr_scope_pop(scope);
    tr_set_recording(recording);
    return tr_status_get();
}
