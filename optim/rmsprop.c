/* rmsprop.c: the gradient divided by a running root mean square (or standard deviation) of itself.
 * The arithmetic of one element is written once, in double; f32 state is rounded when it is stored.
 */
#include "optim/rule.h"

#include <math.h>

/* The three numbers kept for an element; those that the options do not ask for stay 0. */
typedef struct moments {
    double square, mean, momentum;
} moments;

typedef struct rmsprop_pass {
    tr_rmsprop_options o;
    double lr, weight_decay;
    void *w, *square, *mean, *momentum;
    const void *g;
} rmsprop_pass;

static inline double rmsprop_element(const rmsprop_pass *p, double w, double g, moments *s)
{
    const tr_rmsprop_options *o = &p->o;
    g += p->weight_decay * w;
    s->square = o->alpha * s->square + (1 - o->alpha) * g * g;
    s->mean = o->centered ? o->alpha * s->mean + (1 - o->alpha) * g : 0;
    const double variance = s->square - s->mean * s->mean; /* below 0 only by rounding */
    const double root = sqrt(variance < 0 ? 0 : variance);
    s->momentum = o->momentum * s->momentum + g / (root + o->epsilon);
    return w - p->lr * s->momentum;
}

static void rmsprop_f32(void *context, int64_t begin, int64_t end)
{
    const rmsprop_pass p = *(const rmsprop_pass *)context; /* a copy: no store can change it */
    float *w = p.w, *square = p.square, *mean = p.mean, *momentum = p.momentum;
    const float *g = p.g;
    for (int64_t i = begin; i < end; i++) {
        moments s = { .square = (double)square[i],
                      .mean = mean != NULL ? (double)mean[i] : 0,
                      .momentum = momentum != NULL ? (double)momentum[i] : 0 };
        w[i] = (float)rmsprop_element(&p, (double)w[i], (double)g[i], &s);
        square[i] = (float)s.square;
        if (mean != NULL) mean[i] = (float)s.mean;
        if (momentum != NULL) momentum[i] = (float)s.momentum;
    }
}

static void rmsprop_f64(void *context, int64_t begin, int64_t end)
{
    const rmsprop_pass p = *(const rmsprop_pass *)context;
    double *w = p.w, *square = p.square, *mean = p.mean, *momentum = p.momentum;
    const double *g = p.g;
    for (int64_t i = begin; i < end; i++) {
        moments s = { .square = square[i],
                      .mean = mean != NULL ? mean[i] : 0,
                      .momentum = momentum != NULL ? momentum[i] : 0 };
        w[i] = rmsprop_element(&p, w[i], g[i], &s);
        square[i] = s.square;
        if (mean != NULL) mean[i] = s.mean;
        if (momentum != NULL) momentum[i] = s.momentum;
    }
}

static void *data_or_null(const tr_tensor *t)
{
    return t != NULL ? t->data : NULL;
}

static void rmsprop_update(const void *options, const tri_update *u)
{
    rmsprop_pass pass = { .o = *(const tr_rmsprop_options *)options,
                          .lr = u->lr,
                          .weight_decay = u->weight_decay,
                          .w = u->w->data,
                          .square = u->state[0]->data,
                          .mean = data_or_null(u->state[1]),
                          .momentum = data_or_null(u->state[2]),
                          .g = u->g->data };
    tri_parallel_for(tr_numel(u->w), TRI_RULE_GRAIN,
                     u->w->dtype == TR_F32 ? rmsprop_f32 : rmsprop_f64, &pass);
}

tr_optimizer *tr_rmsprop(tr_named_list parameters, const tr_rmsprop_options *given)
{
    tr_rmsprop_options o = given != NULL ? *given : (tr_rmsprop_options){ 0 };
    o.alpha = tri_option(o.alpha, 0.99);
    o.epsilon = tri_option(o.epsilon, 1e-8);
    if (tri_failed() || !tri_check_option("rmsprop", "alpha", o.alpha, 0, 1, false) ||
        !tri_check_option("rmsprop", "momentum", o.momentum, 0, 1, false) ||
        !tri_check_rate("rmsprop", "epsilon", o.epsilon))
        return NULL;
    const tri_rule rule = {
        .name = "rmsprop",
        .state = {"square", o.centered ? "mean" : NULL, o.momentum != 0 ? "momentum" : NULL},
        .lr = o.lr == 0 ? 0.01 : o.lr,
        .weight_decay = o.weight_decay,
        .update = rmsprop_update,
        .options = &o,
        .option_bytes = sizeof o
    };
    return tri_optimizer_new(parameters, &rule);
}
