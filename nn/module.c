/* module.c: a tree of named parameters. Modules are plain structs in their scope's memory; the tree
 * is walked depth first, in the order in which parts were added, which is also the order of
 * parameters.
 *
 * Read next: layer.c (what modules do), initializer.c (how parameters start). */
#include "nn/module.h"

#include <stdarg.h>
#include <string.h>

/* --- Building the tree ------------------------------------------------------------------------ */

tr_module *tr_module_new(const tr_module_type *type, size_t self_bytes)
{
    if (!tri_given(type, "module_new: the type")) return NULL;
    tr_module *m = tr_scope_alloc(sizeof *m);
    if (m == NULL) return NULL;
    m->type = type;
    m->name = m->path = "";
    m->training = true;
    m->self = self_bytes > 0 ? tr_scope_alloc(self_bytes) : NULL;
    return self_bytes > 0 && m->self == NULL ? NULL : m;
}

static char *copy_text(const char *text)
{
    const size_t length = strlen(text);
    char        *copy = tr_scope_alloc(length + 1);
    if (copy != NULL) memcpy(copy, text, length);
    return copy;
}

tr_module *tr_module_add(tr_module *m, const char *name, tr_module *part)
{
    if (!tri_given(m, "module_add: the module") || !tri_given(name, "module_add: the name") ||
        !tri_given(part, "module_add: the part"))
        return NULL;
    if (tri_failed()) return NULL;
    if (part->parent != NULL) {
        tr_fail(TR_ERR_STATE, "module_add: \"%s\" is already a part of another module", name);
        return NULL;
    }
    for (const tr_module *k = m; k != NULL; k = k->parent) {
        if (k != part) continue;
        tr_fail(TR_ERR_STATE, "module_add: \"%s\" would be a part of itself", name);
        return NULL;
    }
    tr_module **end = &m->first_child;
    for (; *end != NULL; end = &(*end)->next) {
        if (strcmp((*end)->name, name) != 0) continue;
        tr_fail(TR_ERR_VALUE, "module_add: there is already a part named \"%s\"", name);
        return NULL;
    }
    part->name = copy_text(name);
    if (part->name == NULL) return NULL;
    part->parent = m;
    *end = part;
    return part;
}

tr_tensor *tr_module_add_parameter(tr_module *m, const char *name, tr_shape shape)
{
    if (!tri_given(m, "module_add_parameter: the module")) return NULL;
    tr_tensor *p = tr_variable(tr_zeros(TR_F32, shape));
    return p != NULL && tr_named_push(&m->parameters, name, p) == TR_OK ? p : NULL;
}

tr_tensor *tr_module_add_buffer(tr_module *m, const char *name, tr_dtype dtype, tr_shape shape)
{
    if (!tri_given(m, "module_add_buffer: the module")) return NULL;
    tr_tensor *b = tr_zeros(dtype, shape);
    return b != NULL && tr_named_push(&m->buffers, name, b) == TR_OK ? b : NULL;
}

tr_status tr_module_tie(tr_module *m, const char *name, tr_tensor *parameter)
{
    if (!tri_given(m, "module_tie: the module") || !tri_given(name, "module_tie: the name") ||
        !tri_check_alive(parameter, "module_tie"))
        return tr_status_get();
    if (tri_failed()) return tr_status_get();
    for (int64_t i = 0; i < m->parameters.count; i++) {
        tr_named *own = &m->parameters.items[i];
        if (strcmp(own->name, name) != 0) continue;
        if (!tr_same_shape(own->tensor, parameter)) {
            char a[240], b[240];
            return tr_fail(TR_ERR_SHAPE, "module_tie: \"%s\" is %s, the other parameter is %s",
                           name, tr_describe(own->tensor, a, sizeof a),
                           tr_describe(parameter, b, sizeof b));
        }
        own->tensor = parameter;
        return TR_OK;
    }
    return tr_fail(TR_ERR_VALUE, "module_tie: there is no parameter \"%s\"", name);
}

/* --- Walking the tree ------------------------------------------------------------------------- */

tr_module *tri_module_next(const tr_module *root, tr_module *m)
{
    if (m->first_child != NULL) return m->first_child;
    while (m != root && m->next == NULL) m = m->parent;
    return m == root ? NULL : m->next;
}

void tr_module_set_training(tr_module *m, bool training)
{
    if (!tri_given(m, "module_set_training: the module")) return;
    for (tr_module *k = m; k != NULL; k = tri_module_next(m, k)) k->training = training;
}

/* "parent.name"; "name" for a part of the root. */
static char *join_path(const char *parent, const char *name)
{
    const size_t length = strlen(parent) + strlen(name) + 2;
    char        *path = tr_scope_alloc(length);
    if (path != NULL) snprintf(path, length, "%s%s%s", parent, parent[0] != '\0' ? "." : "", name);
    return path;
}

/* In the innermost scope; NULL on error. */
static const char *path_below(const tr_module *root, const tr_module *m)
{
    if (m == root) return "";
    const char *parent = path_below(root, m->parent);
    return parent != NULL ? join_path(parent, m->name) : NULL;
}

tr_status tr_module_init(tr_module *root, uint64_t seed)
{
    if (tri_failed()) return tr_status_get();
    if (root == NULL) return tr_fail(TR_ERR_VALUE, "module_init: the module is NULL");
    uint64_t stream = 0;
    for (tr_module *m = root; m != NULL && !tri_failed(); m = tri_module_next(root, m)) {
        const char *path = path_below(root, m);
        if (path == NULL) break;
        m->path = path;
        tr_rng rng = tr_rng_stream(seed, stream++);
        if (m->type->init != NULL) m->type->init(m, &rng);
    }
    return tr_status_get();
}

static bool lists(const tr_named_list *list, const tr_tensor *t)
{
    for (int64_t i = 0; i < list->count; i++)
        if (list->items[i].tensor == t) return true;
    return false;
}

static bool push_all(tr_named_list *to, const char *path, const tr_named_list *own)
{
    for (int64_t i = 0; i < own->count; i++) {
        if (lists(to, own->items[i].tensor)) continue; /* tied: listed under its first name */
        const char *name = join_path(path, own->items[i].name);
        if (name == NULL || tr_named_push(to, name, own->items[i].tensor) != TR_OK) return false;
    }
    return true;
}

static tr_named_list list_tensors(tr_module *root, bool with_buffers)
{
    tr_named_list list = { 0 };
    if (tri_failed()) return list;
    for (tr_module *m = root; m != NULL; m = tri_module_next(root, m)) {
        const char *path = path_below(root, m);
        if (path == NULL || !push_all(&list, path, &m->parameters)) break;
        if (with_buffers && !push_all(&list, path, &m->buffers)) break;
    }
    return list;
}

tr_named_list tr_module_parameters(tr_module *m)
{
    if (!tri_given(m, "module_parameters: the module")) return (tr_named_list){ 0 };
    return list_tensors(m, false);
}

tr_named_list tr_module_state(tr_module *m)
{
    if (!tri_given(m, "module_state: the module")) return (tr_named_list){ 0 };
    return list_tensors(m, true);
}

int64_t tr_module_parameter_count(tr_module *m)
{
    if (!tri_given(m, "module_parameter_count: the module")) return 0;
    tr_scope           *scratch = tr_scope_push();
    const tr_named_list list = tr_module_parameters(m);
    int64_t             count = 0;
    for (int64_t i = 0; i < list.count; i++) count += tr_numel(list.items[i].tensor);
    tr_scope_pop(scratch);
    return count;
}

/* Gives a leaf storage of another dtype; the handle, which modules and lists hold, stays. */
static tr_status cast_in_place(tr_tensor *t, tr_dtype dtype)
{
    if (t->dtype == dtype || (t->dtype != TR_F32 && t->dtype != TR_F64)) return TR_OK;
    tr_scope  *scratch = tr_scope_push();
    tr_tensor *cast = tr_cast(tr_detach(t), dtype);
    if (cast != NULL) {
        tri_storage *before = t->storage;
        tri_storage_ref(cast->storage);
        t->storage = cast->storage;
        t->data = cast->data;
        t->dtype = dtype;
        memcpy(t->stride, cast->stride, sizeof t->stride);
        tri_storage_unref(before);
        tr_clear_grad(t);
    }
    tr_scope_pop(scratch);
    return tr_status_get();
}

tr_status tr_module_cast(tr_module *root, tr_dtype dtype)
{
    if (!tri_given(root, "module_cast: the module")) return tr_status_get();
    if (tri_failed()) return tr_status_get();
    if (dtype != TR_F32 && dtype != TR_F64)
        return tr_fail(TR_ERR_DTYPE, "module_cast: %s has no derivative; f32 or f64 is needed",
                       tr_dtype_name(dtype));
    tr_scope           *scratch = tr_scope_push();
    const tr_named_list state = tr_module_state(root);
    for (int64_t i = 0; i < state.count; i++) cast_in_place(state.items[i].tensor, dtype);
    tr_scope_pop(scratch);
    return tr_status_get();
}

/* --- Applying --------------------------------------------------------------------------------- */

tr_tensor *tr_forward(tr_module *m, tr_tensor *x)
{
    if (tri_failed()) return NULL;
    if (m == NULL) {
        tr_fail(TR_ERR_VALUE, "forward: the module is NULL");
        return NULL;
    }
    if (!tri_check_alive(x, "forward")) return NULL;
    tri_thread *thread = tri_this_thread();
    const char *outer = thread->module_path;
    if (m->path[0] != '\0') thread->module_path = m->path;
    m->in_shape = tr_shape_of(x);
    tr_tensor *y = m->type->forward(m, x);
    thread->module_path = outer;
    if (y != NULL) m->out_shape = tr_shape_of(y);
    return y;
}

/* --- Saving and loading ----------------------------------------------------------------------- */

tr_status tr_module_save(tr_module *m, const char *path, const char *const *metadata)
{
    if (!tri_given(m, "module_save: the module")) return tr_status_get();
    if (tri_failed()) return tr_status_get();
    tr_scope           *scratch = tr_scope_push();
    const tr_named_list state = tr_module_state(m);
    if (!tri_failed()) tr_save_safetensors(path, &state, metadata);
    tr_scope_pop(scratch);
    return tr_status_get();
}

static tr_status check_state(const tr_named_list *own, const tr_named_list *given,
                             const char *origin)
{
    for (int64_t i = 0; i < own->count; i++) {
        const tr_tensor *mine = own->items[i].tensor;
        const tr_tensor *other = tr_named_find(given, own->items[i].name);
        char             a[240], b[240];
        if (other == NULL)
            return tr_fail(TR_ERR_FILE, "%s: tensor \"%s\" is missing; the model needs %s", origin,
                           own->items[i].name, tr_describe(mine, a, sizeof a));
        if (other->dtype != mine->dtype || !tr_same_shape(other, mine))
            return tr_fail(TR_ERR_FILE, "%s: tensor \"%s\" is %s, the model needs %s", origin,
                           own->items[i].name, tr_describe(other, b, sizeof b),
                           tr_describe(mine, a, sizeof a));
    }
    for (int64_t i = 0; i < given->count; i++)
        if (tr_named_find(own, given->items[i].name) == NULL)
            return tr_fail(TR_ERR_FILE, "%s: tensor \"%s\" is unknown to the model", origin,
                           given->items[i].name);
    return TR_OK;
}

tr_status tr_module_load_state(tr_module *m, const tr_named_list *state, const char *origin)
{
    if (!tri_given(m, "module_load_state: the module") ||
        !tri_given(state, "module_load_state: the list") ||
        !tri_given(origin, "module_load_state: the origin"))
        return tr_status_get();
    if (tri_failed()) return tr_status_get();
    tr_scope           *scratch = tr_scope_push();
    const tr_named_list own = tr_module_state(m);
    if (!tri_failed() && check_state(&own, state, origin) == TR_OK)
        for (int64_t i = 0; i < own.count; i++)
            tr_assign(own.items[i].tensor, tr_named_find(state, own.items[i].name));
    tr_scope_pop(scratch);
    return tr_status_get();
}

tr_status tr_module_load(tr_module *m, const char *path)
{
    if (!tri_given(m, "module_load: the module")) return tr_status_get();
    if (tri_failed()) return tr_status_get();
    tr_scope     *scratch = tr_scope_push();
    tr_named_list state = { 0 };
    if (tr_load_safetensors(path, &state) == TR_OK) tr_module_load_state(m, &state, path);
    tr_scope_pop(scratch);
    return tr_status_get();
}

/* --- Summary ---------------------------------------------------------------------------------- */

static int64_t own_parameters(const tr_module *m)
{
    int64_t n = 0;
    for (int64_t i = 0; i < m->parameters.count; i++) n += tr_numel(m->parameters.items[i].tensor);
    return n;
}

tr_summary_row *tr_module_summary(tr_module *root, int64_t *count)
{
    if (!tri_given(root, "module_summary: the module") ||
        !tri_given(count, "module_summary: the place for the count"))
        return NULL;
    *count = 0;
    if (tri_failed()) return NULL;
    int64_t leaves = 0;
    for (tr_module *m = root; m != NULL; m = tri_module_next(root, m))
        leaves += m->first_child == NULL;
    tr_summary_row *rows = tr_scope_alloc((uint64_t)leaves * sizeof *rows);
    if (rows == NULL) return NULL;
    for (tr_module *m = root; m != NULL; m = tri_module_next(root, m)) {
        if (m->first_child != NULL) continue;
        tr_summary_row *row = &rows[(*count)++];
        *row = (tr_summary_row){ .path = path_below(root, m),
                                 .kind = m->type->name,
                                 .out_shape = m->out_shape,
                                 .parameters = own_parameters(m) };
        if (m->type->describe != NULL) m->type->describe(m, row->settings, sizeof row->settings);
        if (m->type->multiply_adds != NULL) row->multiply_adds = m->type->multiply_adds(m);
    }
    return rows;
}
