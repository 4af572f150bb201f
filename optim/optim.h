/* optim.h: how parameters change: update rules, clipping, learning rates over time, averages.
 *
 *   tr_optimizer *adam = tr_adam(tr_module_parameters(net), &(tr_adam_options){ .lr = 1e-3 });
 *   for each batch: build the loss; tr_backward(loss); tr_optimizer_step(adam);
 *
 * The update rules have exactly PyTorch's arithmetic; the tests compare whole trajectories. All
 * state is made when an optimiser is, in the innermost scope: a step asks for no memory. Resuming
 * is exact: state is a list of named tensors, and a learning rate is a function of time.
 *
 * In option structs 0 stands for the default. Where 0 is also a value that makes sense, the line
 * says "TR_OFF: 0", and TR_OFF asks for it.
 *
 * Read next: models/models.h (the zoo), train/train.h (the loop around all this). */
#ifndef TENREC_OPTIM_H
#define TENREC_OPTIM_H

#include "tensor/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TR_OFF (-1.0)

/* --- Update rules ----------------------------------------------------------------------------- */

typedef struct tr_optimizer tr_optimizer;

/* Below: w parameter, g its gradient, lambda weight_decay, t = 1, 2, ... the number of the step,
 * counted for each parameter (one without gradient is left alone and its count stays).
 *
 * Parameters are contiguous f32 or f64 leaves with different names; the list may be freed
 * afterwards, the tensors must live as long as the optimiser. Errors: an option out of range, a
 * parameter that is no such tensor, a name used twice. */

typedef struct tr_sgd_options {
    double lr;           /* 0: 0.01 */
    double momentum;     /* mu in [0, 1); 0: none */
    double dampening;    /* d in [0, 1]; 0: none */
    double weight_decay; /* 0: none */
    bool nesterov;       /* needs momentum and no dampening */
} tr_sgd_options;

/* Stochastic gradient descent:
 *   g' = g + lambda w;  b = mu b + (1 - d) g'  (b = g' at t = 1);  w -= lr b
 * and with nesterov  w -= lr (g' + mu b). */
TR_API tr_optimizer *tr_sgd(tr_named_list parameters, const tr_sgd_options *o);

typedef struct tr_adam_options {
    double lr;           /* 0: 1e-3 */
    double beta1;        /* in [0, 1); 0: 0.9; TR_OFF: 0 */
    double beta2;        /* in [0, 1); 0: 0.999; TR_OFF: 0 */
    double epsilon;      /* 0: 1e-8; TR_OFF: 0 */
    double weight_decay; /* tr_adam: 0: none. tr_adamw: 0: 0.01; TR_OFF: 0 */
} tr_adam_options;

/* Adam (Kingma & Ba 2015, "Adam: a method for stochastic optimization"):
 *   g' = g + lambda w;  m = beta1 m + (1 - beta1) g';  v = beta2 v + (1 - beta2) g'^2
 *   w -= lr / (1 - beta1^t) m / (sqrt(v / (1 - beta2^t)) + epsilon) */
TR_API tr_optimizer *tr_adam(tr_named_list parameters, const tr_adam_options *o);

/* AdamW (Loshchilov & Hutter 2019, "Decoupled weight decay regularization"): w -= lr lambda w
 * first, then Adam with lambda = 0. */
TR_API tr_optimizer *tr_adamw(tr_named_list parameters, const tr_adam_options *o);

typedef struct tr_rmsprop_options {
    double lr;           /* 0: 0.01 */
    double alpha;        /* in [0, 1); 0: 0.99; TR_OFF: 0 */
    double epsilon;      /* 0: 1e-8; TR_OFF: 0 */
    double momentum;     /* mu in [0, 1); 0: none */
    double weight_decay; /* 0: none */
    bool centered;       /* divide by the standard deviation, not the root mean square */
} tr_rmsprop_options;

/* RMSprop (Hinton 2012, lecture 6e):
 *   g' = g + lambda w;  v = alpha v + (1 - alpha) g'^2
 *   r = sqrt(v) + epsilon;  centered: a = alpha a + (1 - alpha) g',  r = sqrt(v - a^2) + epsilon
 *   w -= lr g' / r;  with momentum: b = mu b + g' / r,  w -= lr b */
TR_API tr_optimizer *tr_rmsprop(tr_named_list parameters, const tr_rmsprop_options *o);

/* Updates every parameter that has a gradient and forgets the gradient (tr_clear_grad). A tensor
 * listed under two names is updated once. Either all parameters are updated or, after an error,
 * none. Error: no parameter has a gradient, as when the loss is of another model. */
TR_API tr_status tr_optimizer_step(tr_optimizer *o);

/* Forgets all gradients without a step. */
TR_API void tr_optimizer_clear(tr_optimizer *o);

/* The learning rate of the coming steps: finite, 0 or more. */
TR_API double tr_optimizer_lr(const tr_optimizer *o);
TR_API tr_status tr_optimizer_set_lr(tr_optimizer *o, double lr);

/* Steps taken: the most that any parameter has seen. */
TR_API int64_t tr_optimizer_steps(const tr_optimizer *o);

typedef struct tr_group_options {
    double lr_factor;    /* times the optimiser's lr; 0: 1 */
    double weight_decay; /* 0: the optimiser's; TR_OFF: 0, as is usual for biases and norms */
} tr_group_options;

/* More parameters, with settings of their own. Call it in the scope in which the optimiser was
 * made. */
TR_API tr_status tr_optimizer_add_group(tr_optimizer *o, tr_named_list parameters,
                                        const tr_group_options *options);

/* Appends the state to a list, for a checkpoint: the live tensors, by the names "adam.lr",
 * "adam.step.encoder.0.weight", "adam.m.encoder.0.weight", "adam.v. ...". */
TR_API tr_status tr_optimizer_state(const tr_optimizer *o, tr_named_list *list);

/* Takes the state over from such a list, which may hold other tensors too. Errors: a tensor missing
 * or of another shape or dtype is named; nothing is changed then. */
TR_API tr_status tr_optimizer_load(tr_optimizer *o, const tr_named_list *list);

/* --- Clipping --------------------------------------------------------------------------------- */

/* Call these between tr_backward and tr_optimizer_step. Parameters without gradient are skipped.
 * Gradients that are changed get new memory: nothing else that shares the old is affected.
 *
 * Norm: the 2-norm of all gradients as one vector; where it is above max_norm, gradients are
 * multiplied by max_norm / (norm + 1e-6). Returns the norm before. One that is not finite is
 * returned and changes nothing: look at it before the step. NaN and an error where max_norm is not
 * above 0. */
TR_API double tr_clip_grad_norm(tr_named_list parameters, double max_norm);

/* Each element into [-limit, limit]; NaN stays. Error where limit is not above 0. */
TR_API tr_status tr_clip_grad_value(tr_named_list parameters, double limit);

/* --- Learning rates over time ----------------------------------------------------------------- */

typedef enum tr_schedule_kind {
    TR_SCHEDULE_CONSTANT,    /* lr */
    TR_SCHEDULE_STEP,        /* lr factor^floor(t / every) */
    TR_SCHEDULE_MILESTONES,  /* lr factor^(how many milestones are <= t) */
    TR_SCHEDULE_EXPONENTIAL, /* lr factor^t */
    TR_SCHEDULE_COSINE /* min + (lr - min) (1 + cos(pi t / length)) / 2; min from t = length on */
} tr_schedule_kind;

/* Time t counts what the caller counts, steps or epochs, from 0. */
typedef struct tr_schedule {
    tr_schedule_kind kind;
    double lr;             /* at the start, above 0 */
    double min;            /* not below this, warm-up apart; 0 or more */
    double factor;         /* above 0; 0: 0.1, for exponential 0.95 */
    int64_t every;         /* step: above 0 */
    int64_t length;        /* cosine: above 0 */
    int64_t milestones[8]; /* ascending, above 0; a 0 ends them */
    int64_t warmup;        /* first, for t < warmup, lr (t + 1) / (warmup + 1); then the above
                              with t - warmup in place of t */
} tr_schedule;

/* The learning rate at time t >= 0: a pure function, so that resuming needs nothing but t. NaN and
 * an error where a field is out of range. */
TR_API double tr_schedule_at(const tr_schedule *s, int64_t t);

/* "constant", "step", "milestones", "exponential", "cosine"; NULL for a kind that there is not. */
TR_API const char *tr_schedule_name(tr_schedule_kind kind);

/* Reduces the learning rate when a metric no longer improves. */
typedef struct tr_plateau {
    double factor;    /* in (0, 1); 0: 0.1 */
    int64_t patience; /* after so many epochs without improvement; 0: 10 */
    int64_t cooldown; /* epochs after a reduction that do not count as bad; 0: none */
    double threshold; /* improved: metric < best (1 - threshold); 0: 1e-4; TR_OFF: 0 */
    double min;       /* never below this */
    bool maximize;    /* improved: metric > best (1 + threshold) */

    /* State; zero-initialise. */
    bool started;
    double best;
    int64_t bad, cooling;
} tr_plateau;

/* Takes the metric of an epoch (NaN counts as no improvement); returns lr, or the reduced lr. NaN
 * and an error where an option is out of range. */
TR_API double tr_plateau_step(tr_plateau *p, double lr, double metric);

/* The state as one tensor, "plateau" f64[4], for a checkpoint, and back. */
TR_API tr_status tr_plateau_state(const tr_plateau *p, tr_named_list *list);
TR_API tr_status tr_plateau_load(tr_plateau *p, const tr_named_list *list);

/* --- Average of parameters -------------------------------------------------------------------- */

/* An exponential moving average, often a better model than the last step's: a = decay a + (1 -
 * decay) w, a = w at the start. */
typedef struct tr_ema tr_ema;

TR_API tr_ema *tr_ema_new(tr_named_list parameters, double decay); /* decay in [0, 1) */
TR_API tr_status tr_ema_update(tr_ema *e);                         /* after each step */

/* Exchanges the values of parameters and averages: swap, evaluate or save, swap back. */
TR_API tr_status tr_ema_swap(tr_ema *e);

/* As tr_optimizer_state and tr_optimizer_load; names "ema.encoder.0.weight". */
TR_API tr_status tr_ema_state(const tr_ema *e, tr_named_list *list);
TR_API tr_status tr_ema_load(tr_ema *e, const tr_named_list *list);

#ifdef __cplusplus
}
#endif
#endif
