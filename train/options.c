/* options.c: the options of a training as one table. Ranges, config.json, the command that repeats
 * a run and the command line read it: a new option is a field in tr_train_options, a line here, and
 * a line in the help of cli/train.c. Names are those of the fields; on the command line "-" stands
 * for "_". Read next: config.c, rate.c. */
#include "train/run.h"

#include <stddef.h>
#include <string.h>

#define AT(field) offsetof(tr_train_options, field)

/* clang-format off */
const tri_train_option tri_train_options_table[] = {
    { "epochs", TRI_COUNT, AT(epochs), 1, 1e9, false },
    { "batch", TRI_COUNT, AT(batch), 1, 1e6, false },
    { "lr", TRI_NUMBER, AT(lr), 1e-12, 1e6, false },
    { "seed", TRI_COUNT, AT(seed), 0, 0x1p53, false },
    { "limit", TRI_COUNT, AT(limit), 0, 1e12, false },
    { "val_limit", TRI_COUNT, AT(val_limit), 0, 1e12, false },
    { "val_split", TRI_NUMBER, AT(val_split), 0, 0.9, false },
    { "schedule", TRI_SCHEDULE, AT(schedule), 0, TR_RATE_PLATEAU, true },
    { "warmup", TRI_COUNT, AT(warmup), 0, 1e12, true },
    { "lr_every", TRI_COUNT, AT(lr_every), 0, 1e9, true },
    { "lr_factor", TRI_NUMBER, AT(lr_factor), 0, 0.999999, true },
    { "lr_min", TRI_NUMBER, AT(lr_min), 0, 1e6, true },
    { "clip_norm", TRI_NUMBER, AT(clip_norm), 0, 1e12, true },
    { "clip_value", TRI_NUMBER, AT(clip_value), 0, 1e12, true },
    { "ema", TRI_NUMBER, AT(ema), 0, 0.999999, true },
    { "accumulate", TRI_COUNT, AT(accumulate), 0, 1e6, true },
    { "early_stop", TRI_COUNT, AT(early_stop), 0, 1e9, false },
    { "keep_best", TRI_FLAG, AT(keep_best), 0, 1, false },
    { "checkpoint_every", TRI_COUNT, AT(checkpoint_every), 0, 1e12, false },
    { "checkpoint_minutes", TRI_NUMBER, AT(checkpoint_minutes), 0, 1e6, false },
    { "log_every", TRI_COUNT, AT(log_every), 0, 1e12, true },
    { "watch", TRI_FLAG, AT(watch), 0, 1, false },
    { 0 },
};
/* clang-format on */

static const char *const schedules[] = { "constant", "step", "exponential", "cosine", "plateau" };

enum { SCHEDULES = (int)(sizeof schedules / sizeof *schedules) };

const char *tr_rate_schedule_name(tr_rate_schedule schedule)
{
    return (unsigned)schedule < SCHEDULES ? schedules[schedule] : NULL;
}

tr_status tr_rate_schedule_find(const char *name, tr_rate_schedule *schedule)
{
    if (!tri_given(name, "rate_schedule_find: the name") ||
        !tri_given(schedule, "rate_schedule_find: the result"))
        return tr_status_get();
    for (int i = 0; i < SCHEDULES; i++)
        if (strcmp(schedules[i], name) == 0) {
            *schedule = (tr_rate_schedule)i;
            return tr_status_get();
        }
    return tr_fail(TR_ERR_VALUE,
                   "schedule is \"%s\"; it must be constant, step, exponential, cosine or plateau",
                   name);
}

/* --- Values ------------------------------------------------------------------------------- */

double tri_train_option_get(const tr_train_options *o, const tri_train_option *f)
{
    const char      *at = (const char *)o + f->offset;
    int64_t          count;
    double           number;
    bool             flag;
    tr_rate_schedule schedule;
    switch (f->kind) {
    case TRI_COUNT: return memcpy(&count, at, sizeof count), (double)count;
    case TRI_NUMBER: return memcpy(&number, at, sizeof number), number;
    case TRI_FLAG: return memcpy(&flag, at, sizeof flag), flag;
    case TRI_SCHEDULE: return memcpy(&schedule, at, sizeof schedule), (double)schedule;
    }
    return 0;
}

void tri_train_option_set(tr_train_options *o, const tri_train_option *f, double value)
{
    char                  *at = (char *)o + f->offset;
    const int64_t          count = f->kind == TRI_COUNT ? (int64_t)value : 0;
    const bool             flag = value != 0;
    const tr_rate_schedule schedule = f->kind == TRI_SCHEDULE ? (tr_rate_schedule)value : 0;
    switch (f->kind) {
    case TRI_COUNT: memcpy(at, &count, sizeof count); break;
    case TRI_NUMBER: memcpy(at, &value, sizeof value); break;
    case TRI_FLAG: memcpy(at, &flag, sizeof flag); break;
    case TRI_SCHEDULE: memcpy(at, &schedule, sizeof schedule); break;
    }
}

/* --- Defaults and ranges ------------------------------------------------------------------ */

static void fill_defaults(tr_train_options *o, const tr_model_type *type)
{
    if (o->epochs == 0) o->epochs = type->epochs;
    if (o->batch == 0) o->batch = type->batch;
    if (o->lr == 0) o->lr = type->lr;
    if (o->accumulate == 0 && type->fit == NULL) o->accumulate = 1;
    if (o->lr_every == 0 && o->schedule == TR_RATE_STEP) o->lr_every = (o->epochs + 2) / 3;
    if (o->lr_every == 0 && o->schedule == TR_RATE_PLATEAU) o->lr_every = 3;
    if (o->lr_factor == 0 && o->schedule == TR_RATE_EXPONENTIAL) o->lr_factor = 0.95;
    if (o->lr_factor == 0 && (o->schedule == TR_RATE_STEP || o->schedule == TR_RATE_PLATEAU))
        o->lr_factor = 0.1;
}

/* Options that this schedule does not look at are a mistake, not a wish. */
static tr_status check_schedule(const tr_train_options *o)
{
    const char *name = tr_rate_schedule_name(o->schedule);
    const bool  falls = o->schedule == TR_RATE_STEP || o->schedule == TR_RATE_PLATEAU;
    if (tri_failed()) return tr_status_get();
    if (o->lr_every > 0 && !falls)
        return tr_fail(TR_ERR_VALUE,
                       "train: lr_every is %lld, but a schedule that is %s has no use for it; step "
                       "and plateau have",
                       (long long)o->lr_every, name);
    if (o->lr_factor > 0 && !falls && o->schedule != TR_RATE_EXPONENTIAL)
        return tr_fail(TR_ERR_VALUE,
                       "train: lr_factor is %g, but a schedule that is %s has no use for it; step, "
                       "exponential and plateau have",
                       o->lr_factor, name);
    if (o->lr_min > o->lr)
        return tr_fail(TR_ERR_VALUE, "train: lr_min is %g, above the learning rate, %g", o->lr_min,
                       o->lr);
    return TR_OK;
}

tr_status tri_options_resolve(tr_train_options *o, const tr_model_type *type)
{
    fill_defaults(o, type);
    for (const tri_train_option *f = tri_train_options_table; f->name != NULL; f++) {
        const double value = tri_train_option_get(o, f);
        if (!(value >= f->least && value <= f->most))
            tr_fail(TR_ERR_VALUE, "train: %s is %.12g, expected %.12g .. %.12g", f->name, value,
                    f->least, f->most);
        if (f->of_steps && type->fit != NULL && value != 0)
            tr_fail(TR_ERR_VALUE,
                    "train: %s finds its weights in one pass and takes no steps: leave %s out",
                    type->name, f->name);
    }
    return check_schedule(o);
}
