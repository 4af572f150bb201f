/* adam.c: Adam and AdamW. One pass over memory for each parameter (tri_adam_update); here are the
 * options and the bias corrections. The two differ in where weight decay enters: in the gradient,
 * or directly.  */
#include "optim/rule.h"

#include <math.h>

static void update(const void *options, const tri_update *u, bool decoupled)
{
    const tr_adam_options *o = options;
    const tri_adam a = {
        .lr = u->lr,
        .beta1 = o->beta1,
        .beta2 = o->beta2,
        .epsilon = o->epsilon,
        .l2 = decoupled ? 0 : u->weight_decay,
        .decay = decoupled ? u->weight_decay : 0,
        .c1 = 1 - pow(o->beta1, (double)u->t),
        .c2 = 1 - pow(o->beta2, (double)u->t),
        .grad_scale = 1,
    };
    tri_adam_update(u->w, u->state[0], u->state[1], u->g, &a);
}

static void adam_update(const void *options, const tri_update *u)
{
    update(options, u, false);
}

static void adamw_update(const void *options, const tri_update *u)
{
    update(options, u, true);
}

static tr_optimizer *new_adam(tr_named_list parameters, const tr_adam_options *given, tri_rule rule,
                              double weight_decay)
{
    tr_adam_options o = given != NULL ? *given : (tr_adam_options){ 0 };
    o.beta1 = tri_option(o.beta1, 0.9);
    o.beta2 = tri_option(o.beta2, 0.999);
    o.epsilon = tri_option(o.epsilon, 1e-8);
    if (tri_failed() || !tri_check_option(rule.name, "beta1", o.beta1, 0, 1, false) ||
        !tri_check_option(rule.name, "beta2", o.beta2, 0, 1, false) ||
        !tri_check_rate(rule.name, "epsilon", o.epsilon))
        return NULL;
    rule.state[0] = "m";
    rule.state[1] = "v";
    rule.lr = o.lr == 0 ? 1e-3 : o.lr;
    rule.weight_decay = tri_option(o.weight_decay, weight_decay);
    rule.options = &o;
    rule.option_bytes = sizeof o;
    return tri_optimizer_new(parameters, &rule);
}

tr_optimizer *tr_adam(tr_named_list parameters, const tr_adam_options *o)
{
    return new_adam(parameters, o, (tri_rule){ .name = "adam", .update = adam_update }, 0);
}

tr_optimizer *tr_adamw(tr_named_list parameters, const tr_adam_options *o)
{
    return new_adam(parameters, o, (tri_rule){ .name = "adamw", .update = adamw_update }, 0.01);
}
