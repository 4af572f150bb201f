/* rate.c: the learning rate of a step: a function of the options, of how many steps were taken,
 * and, for plateau, of the validation losses in the log. Nothing of it is kept: a run that goes on
 * finds the same rate again. Read next: optim/schedule.c, which has the formulas. */
#include "train/run.h"

#include <math.h>

static tr_schedule_kind kind_of(tr_rate_schedule schedule)
{
    switch (schedule) {
    case TR_RATE_STEP: return TR_SCHEDULE_STEP;
    case TR_RATE_EXPONENTIAL: return TR_SCHEDULE_EXPONENTIAL;
    case TR_RATE_COSINE: return TR_SCHEDULE_COSINE;
    case TR_RATE_CONSTANT:
    case TR_RATE_PLATEAU: break; /* plateau changes what the others start from */
    }
    return TR_SCHEDULE_CONSTANT;
}

double tri_rate_base(const tr_run *run)
{
    const tr_train_options *o = &run->options;
    if (o->schedule != TR_RATE_PLATEAU) return o->lr;
    tr_plateau p = { .factor = o->lr_factor, .patience = o->lr_every, .min = o->lr_min };
    double     lr = o->lr;
    for (int64_t i = 0; i < run->epochs_done; i++) {
        const tr_epoch *e = &run->history[i];
        lr = tr_plateau_step(&p, lr, e->val.count > 0 ? e->val.value[0] : e->train.value[0]);
    }
    return lr;
}

double tri_rate(const tr_train_options *o, double base, int64_t step, int64_t steps_per_epoch)
{
    const int64_t after_warmup = o->epochs * steps_per_epoch - o->warmup;
    tr_schedule   s = { .kind = kind_of(o->schedule),
                        .lr = base,
                        .min = o->lr_min,
                        .factor = o->lr_factor,
                        .every = o->lr_every * steps_per_epoch,
                        .length = after_warmup > 1 ? after_warmup : 1,
                        .warmup = o->warmup };
    if (o->schedule == TR_RATE_EXPONENTIAL)
        s.factor = pow(o->lr_factor, 1 / (double)steps_per_epoch);
    return tr_schedule_at(&s, step);
}
