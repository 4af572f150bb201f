/* optimizer.c: keeps the parameters of a rule in groups, their state and their step counts, and
 * takes steps. Everything is a named tensor that lives in the optimiser's scope, so that a
 * checkpoint is a list of what is there.
 *
 * A step checks all parameters first and changes them only then: after an error none has moved.
 * Read next: sgd.c, the simplest rule. */
#include "optim/rule.h"

#include "autograd/autograd.h"

#include <float.h>
#include <math.h>
#include <string.h>

typedef struct slot {
    const char *name;
    tr_tensor *w;
    tr_tensor *step; /* i64 []: updates so far */
    const char *step_name;
    tr_tensor *state[TRI_RULE_STATES];
    const char *state_name[TRI_RULE_STATES];
} slot;

typedef struct group {
    struct group *next;
    double lr_factor, weight_decay;
    slot *slots;
    int64_t count;
} group;

struct tr_optimizer {
    tri_rule rule;
    tr_scope *scope;
    tr_tensor *lr; /* f64 [] */
    const char *lr_name;
    group *first, *last;
};

/* --- Options and checks ----------------------------------------------------------------------- */

double tri_option(double value, double standard)
{
    if (value == TR_OFF) return 0;
    return value == 0 ? standard : value;
}

bool tri_check_option(const char *rule, const char *name, double value, double low, double high,
                      bool closed)
{
    if (value >= low && (value < high || (closed && value == high))) return true;
    tr_fail(TR_ERR_VALUE, "%s: %s is %g; it must be at least %g and %s %g", rule, name, value, low,
            closed ? "at most" : "below", high);
    return false;
}

bool tri_check_rate(const char *rule, const char *name, double value)
{
    if (value >= 0 && isfinite(value)) return true;
    tr_fail(TR_ERR_VALUE, "%s: %s is %g; it must be a finite number, 0 or more", rule, name, value);
    return false;
}

/* NULL, or what is wrong with a parameter. */
static const char *parameter_problem(const tr_tensor *w)
{
    if (w == NULL) return "is NULL";
    if (!tri_alive(w)) return "belongs to a closed scope";
    if (w->dtype != TR_F32 && w->dtype != TR_F64) return "is neither f32 nor f64";
    if (w->node != NULL) return "was computed by an operation; a leaf was expected";
    if (!tr_is_contiguous(w)) return "is not contiguous";
    return NULL;
}

static bool check_parameter(const tr_tensor *w, const char *name, const char *what)
{
    const char *problem = parameter_problem(w);
    if (problem != NULL) tr_fail(TR_ERR_VALUE, "%s: parameter %s %s", what, name, problem);
    return problem == NULL;
}

bool tri_check_parameters(tr_named_list parameters, const char *what)
{
    for (int64_t i = 0; i < parameters.count; i++) {
        const tr_named *p = &parameters.items[i];
        if (!check_parameter(p->tensor, p->name, what)) return false;
        for (int64_t k = 0; k < i; k++) {
            if (strcmp(parameters.items[k].name, p->name) != 0) continue;
            tr_fail(TR_ERR_VALUE, "%s: two parameters have the name %s", what, p->name);
            return false;
        }
    }
    return true;
}

/* --- Creation --------------------------------------------------------------------------------- */

const char *tri_state_name(const char *prefix, const char *kind, const char *name)
{
    const size_t size = strlen(prefix) + (kind != NULL ? strlen(kind) + 1 : 0) + strlen(name) + 2;
    char *text = tr_scope_alloc(size);
    if (text == NULL) return NULL;
    if (kind != NULL)
        snprintf(text, size, "%s.%s.%s", prefix, kind, name);
    else
        snprintf(text, size, "%s.%s", prefix, name);
    return text;
}

static bool fill_slot(slot *s, const tri_rule *rule, const tr_named *parameter)
{
    s->w = parameter->tensor;
    s->step = tr_scalar(TR_I64, 0);
    s->step_name = tri_state_name(rule->name, "step", parameter->name);
    if (s->step_name != NULL) s->name = s->step_name + strlen(rule->name) + strlen(".step.");
    for (int k = 0; k < TRI_RULE_STATES; k++) {
        if (rule->state[k] == NULL) continue;
        s->state[k] = tr_zeros(s->w->dtype, tr_shape_of(s->w));
        s->state_name[k] = tri_state_name(rule->name, rule->state[k], parameter->name);
    }
    return !tri_failed();
}

static bool check_new_names(const tr_optimizer *o, tr_named_list parameters)
{
    for (const group *g = o->first; g != NULL; g = g->next) {
        for (int64_t i = 0; i < g->count; i++) {
            if (tr_named_find(&parameters, g->slots[i].name) == NULL) continue;
            tr_fail(TR_ERR_VALUE, "%s: two parameters have the name %s", o->rule.name,
                    g->slots[i].name);
            return false;
        }
    }
    return true;
}

tr_status tr_optimizer_add_group(tr_optimizer *o, tr_named_list parameters,
                                 const tr_group_options *options)
{
    static const tr_group_options standard = { 0 };
    if (options == NULL) options = &standard;
    if (tri_failed()) return tr_status_get();
    if (o == NULL) return tr_fail(TR_ERR_VALUE, "optimizer_add_group: the optimiser is NULL");
    const double factor = tri_option(options->lr_factor, 1);
    const double decay = tri_option(options->weight_decay, o->rule.weight_decay);
    if (tri_this_thread()->scope != o->scope)
        return tr_fail(TR_ERR_STATE, "%s: a group is added in another scope than the optimiser's",
                       o->rule.name);
    if (!tri_check_rate(o->rule.name, "the group's lr_factor", factor) ||
        !tri_check_rate(o->rule.name, "the group's weight_decay", decay) ||
        !tri_check_parameters(parameters, o->rule.name) || !check_new_names(o, parameters))
        return tr_status_get();

    group *g = tr_scope_alloc(sizeof *g);
    slot  *slots = tr_scope_alloc((uint64_t)parameters.count * sizeof *slots);
    if (g == NULL || slots == NULL) return tr_status_get();
    for (int64_t i = 0; i < parameters.count; i++)
        if (!fill_slot(&slots[i], &o->rule, &parameters.items[i])) return tr_status_get();
    *g = (group){
        .lr_factor = factor, .weight_decay = decay, .slots = slots, .count = parameters.count
    };
    if (o->last != NULL)
        o->last->next = g;
    else
        o->first = g;
    o->last = g;
    return TR_OK;
}

tr_optimizer *tri_optimizer_new(tr_named_list parameters, const tri_rule *rule)
{
    if (tri_failed() || !tri_check_rate(rule->name, "lr", rule->lr) ||
        !tri_check_rate(rule->name, "weight_decay", rule->weight_decay))
        return NULL;
    tr_optimizer *o = tr_scope_alloc(sizeof *o);
    void *options = tr_scope_alloc(rule->option_bytes);
    tr_tensor *lr = tr_scalar(TR_F64, rule->lr);
    const char *lr_name = tri_state_name(rule->name, NULL, "lr");
    if (o == NULL || options == NULL || lr == NULL || lr_name == NULL) return NULL;
    memcpy(options, rule->options, rule->option_bytes);
    *o = (tr_optimizer){
        .rule = *rule, .scope = tri_this_thread()->scope, .lr = lr, .lr_name = lr_name
    };
    o->rule.options = options;
    return tr_optimizer_add_group(o, parameters, NULL) == TR_OK ? o : NULL;
}

/* --- Steps ------------------------------------------------------------------------------------ */

static bool check_slot(const tr_optimizer *o, const slot *s)
{
    if (!check_parameter(s->w, s->name, o->rule.name)) return false;
    const tr_tensor *g = s->w->grad;
    if (g == NULL || (g->dtype == s->w->dtype && tr_same_shape(g, s->w) && tr_is_contiguous(g)))
        return true;
    char grad[240], parameter[240];
    tr_fail(TR_ERR_SHAPE, "%s: the gradient of %s is %s, the parameter is %s", o->rule.name,
            s->name, tr_describe(g, grad, sizeof grad),
            tr_describe(s->w, parameter, sizeof parameter));
    return false;
}

static void update_slot(const tr_optimizer *o, const group *g, slot *s)
{
    if (s->w->grad == NULL) return;
    int64_t *step = s->step->data;
    const tri_update u = { .w = s->w,
                           .g = s->w->grad,
                           .state = s->state,
                           .lr = tr_optimizer_lr(o) * g->lr_factor,
                           .weight_decay = g->weight_decay,
                           .t = ++*step };
    o->rule.update(o->rule.options, &u);
    s->w->storage->version++;
    tr_clear_grad(s->w);
}

tr_status tr_optimizer_step(tr_optimizer *o)
{
    if (tri_failed()) return tr_status_get();
    if (o == NULL) return tr_fail(TR_ERR_VALUE, "optimizer_step: the optimiser is NULL");
    int64_t parameters = 0, moved = 0;
    for (const group *g = o->first; g != NULL; g = g->next) {
        for (int64_t i = 0; i < g->count; i++) {
            if (!check_slot(o, &g->slots[i])) return tr_status_get();
            moved += g->slots[i].w->grad != NULL;
        }
        parameters += g->count;
    }
    if (parameters > 0 && moved == 0)
        return tr_fail(TR_ERR_STATE,
                       "optimizer_step: none of the %lld parameters has a gradient; are they those "
                       "of the model whose loss went through tr_backward?",
                       (long long)parameters);
    for (const group *g = o->first; g != NULL; g = g->next)
        for (int64_t i = 0; i < g->count; i++) update_slot(o, g, &g->slots[i]);
    return TR_OK;
}

void tr_optimizer_clear(tr_optimizer *o)
{
    if (!tri_given(o, "optimizer_clear: the optimiser")) return;
    for (const group *g = o->first; g != NULL; g = g->next)
        for (int64_t i = 0; i < g->count; i++)
            if (tri_alive(g->slots[i].w)) tr_clear_grad(g->slots[i].w);
}

double tr_optimizer_lr(const tr_optimizer *o)
{
    if (!tri_given(o, "optimizer_lr: the optimiser")) return (double)NAN;
    return *(const double *)o->lr->data;
}

tr_status tr_optimizer_set_lr(tr_optimizer *o, double lr)
{
    if (tri_failed()) return tr_status_get();
    if (o == NULL) return tr_fail(TR_ERR_VALUE, "optimizer_set_lr: the optimiser is NULL");
    if (tri_check_rate(o->rule.name, "lr", lr)) *(double *)o->lr->data = lr;
    return tr_status_get();
}

int64_t tr_optimizer_steps(const tr_optimizer *o)
{
    if (!tri_given(o, "optimizer_steps: the optimiser")) return 0;
    int64_t most = 0;
    for (const group *g = o->first; g != NULL; g = g->next) {
        for (int64_t i = 0; i < g->count; i++) {
            const int64_t steps = *(const int64_t *)g->slots[i].step->data;
            if (steps > most) most = steps;
        }
    }
    return most;
}

/* --- Checkpoints ------------------------------------------------------------------------------ */

const tr_tensor *tri_find_state(const tr_named_list *list, const char *name, const tr_tensor *like,
                                const char *what)
{
    const tr_tensor *found = tr_named_find(list, name);
    if (found == NULL) {
        tr_fail(TR_ERR_VALUE, "%s: the saved state has no %s", what, name);
        return NULL;
    }
    if (found->dtype == like->dtype && tr_same_shape(found, like)) return found;
    char saved[240], wanted[240];
    tr_fail(TR_ERR_SHAPE, "%s: the saved %s is %s; %s was expected", what, name,
            tr_describe(found, saved, sizeof saved), tr_describe(like, wanted, sizeof wanted));
    return NULL;
}

/* Calls visit on every state tensor until it returns false. */
static void each_state(const tr_optimizer *o,
                       bool (*visit)(const tr_optimizer *o, const char *name, tr_tensor *t,
                                     void *context),
                       void *context)
{
    if (!visit(o, o->lr_name, o->lr, context)) return;
    for (const group *g = o->first; g != NULL; g = g->next) {
        for (const slot *s = g->slots; s < g->slots + g->count; s++) {
            if (!visit(o, s->step_name, s->step, context)) return;
            for (int k = 0; k < TRI_RULE_STATES; k++)
                if (s->state[k] != NULL && !visit(o, s->state_name[k], s->state[k], context))
                    return;
        }
    }
}

static bool push_state(const tr_optimizer *o, const char *name, tr_tensor *t, void *list)
{
    (void)o;
    return tr_named_push(list, name, t) == TR_OK;
}

/* The learning rate and the numbers of steps are read by arithmetic that takes them on trust. */
static bool check_state(const tr_optimizer *o, const char *name, tr_tensor *t, void *list)
{
    const tr_tensor *found = tri_find_state(list, name, t, o->rule.name);
    if (found == NULL || (t != o->lr && t->dtype != TR_I64)) return found != NULL;
    const double value = tr_item(found);
    if (value >= 0 && value <= DBL_MAX) return true;
    tr_fail(TR_ERR_VALUE, "%s: the saved %s is %g", o->rule.name, name, value);
    return false;
}

static bool load_state(const tr_optimizer *o, const char *name, tr_tensor *t, void *list)
{
    return tr_assign(t, tri_find_state(list, name, t, o->rule.name)) == TR_OK;
}

tr_status tr_optimizer_state(const tr_optimizer *o, tr_named_list *list)
{
    if (!tri_given(list, "optimizer_state: the list")) return tr_status_get();
    if (tri_failed()) return tr_status_get();
    if (o == NULL) return tr_fail(TR_ERR_VALUE, "optimizer_state: the optimiser is NULL");
    each_state(o, push_state, list);
    return tr_status_get();
}

tr_status tr_optimizer_load(tr_optimizer *o, const tr_named_list *list)
{
    if (!tri_given(list, "optimizer_load: the list")) return tr_status_get();
    if (tri_failed()) return tr_status_get();
    if (o == NULL) return tr_fail(TR_ERR_VALUE, "optimizer_load: the optimiser is NULL");
    tr_named_list saved = *list;
    each_state(o, check_state, &saved);
    if (!tri_failed()) each_state(o, load_state, &saved);
    return tr_status_get();
}
