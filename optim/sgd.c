/* sgd.c: stochastic gradient descent with momentum. The arithmetic of one element is written once,
 * in double; f32 parameters are rounded when they are stored. */
#include "optim/rule.h"

typedef struct sgd_pass {
    bool nesterov;
    double lr, weight_decay, momentum, keep, take; /* b = keep b + take g' */
    void *w, *b;
    const void *g;
} sgd_pass;

static inline double sgd_element(const sgd_pass *p, double w, double g, double *b)
{
    g += p->weight_decay * w;
    *b = p->keep * *b + p->take * g;
    return w - p->lr * (p->nesterov ? g + p->momentum * *b : *b);
}

static void sgd_f32(void *context, int64_t begin, int64_t end)
{
    const sgd_pass p = *(const sgd_pass *)context; /* a copy: no store can change it */
    float *w = p.w, *b = p.b;
    const float *g = p.g;
    for (int64_t i = begin; i < end; i++) {
        double momentum = b != NULL ? (double)b[i] : 0;
        w[i] = (float)sgd_element(&p, (double)w[i], (double)g[i], &momentum);
        if (b != NULL) b[i] = (float)momentum;
    }
}

static void sgd_f64(void *context, int64_t begin, int64_t end)
{
    const sgd_pass p = *(const sgd_pass *)context;
    double *w = p.w, *b = p.b;
    const double *g = p.g;
    for (int64_t i = begin; i < end; i++) {
        double momentum = b != NULL ? b[i] : 0;
        w[i] = sgd_element(&p, w[i], g[i], &momentum);
        if (b != NULL) b[i] = momentum;
    }
}

static void sgd_update(const void *options, const tri_update *u)
{
    const tr_sgd_options *o = options;
    const bool first = u->t == 1;
    sgd_pass pass = { .nesterov = o->nesterov,
                      .momentum = o->momentum,
                      .lr = u->lr,
                      .weight_decay = u->weight_decay,
                      .keep = first ? 0 : o->momentum,
                      .take = first || o->momentum == 0 ? 1 : 1 - o->dampening,
                      .w = u->w->data,
                      .b = u->state[0] != NULL ? u->state[0]->data : NULL,
                      .g = u->g->data };
    tri_parallel_for(tr_numel(u->w), TRI_RULE_GRAIN, u->w->dtype == TR_F32 ? sgd_f32 : sgd_f64,
                     &pass);
}

tr_optimizer *tr_sgd(tr_named_list parameters, const tr_sgd_options *given)
{
    const tr_sgd_options o = given != NULL ? *given : (tr_sgd_options){ 0 };
    if (tri_failed() || !tri_check_option("sgd", "momentum", o.momentum, 0, 1, false) ||
        !tri_check_option("sgd", "dampening", o.dampening, 0, 1, true))
        return NULL;
    if (o.nesterov && (o.momentum == 0 || o.dampening != 0)) {
        tr_fail(TR_ERR_VALUE,
                "sgd: nesterov needs momentum above 0 and no dampening; they are %g and %g",
                o.momentum, o.dampening);
        return NULL;
    }
    const tri_rule rule = { .name = "sgd",
                            .state = { o.momentum != 0 ? "momentum" : NULL },
                            .lr = o.lr == 0 ? 0.01 : o.lr,
                            .weight_decay = o.weight_decay,
                            .update = sgd_update,
                            .options = &o,
                            .option_bytes = sizeof o };
    return tri_optimizer_new(parameters, &rule);
}
