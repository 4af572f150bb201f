/* schedule.c: learning rates over time. A schedule is a pure function of time; only the plateau,
 * which listens to a metric, has state. */
#include "optim/rule.h"

#include <math.h>

static const double pi = 3.14159265358979323846;

enum { MILESTONES = 8 };

static const char *const names[] = { "constant", "step", "milestones", "exponential", "cosine" };

enum { KINDS = sizeof names / sizeof *names };

const char *tr_schedule_name(tr_schedule_kind kind)
{
    return (unsigned)kind < KINDS ? names[kind] : NULL;
}

/* --- Functions of time ------------------------------------------------------------------------ */

static double factor_of(const tr_schedule *s)
{
    if (s->factor != 0) return s->factor;
    return s->kind == TR_SCHEDULE_EXPONENTIAL ? 0.95 : 0.1;
}

static bool check_milestones(const tr_schedule *s)
{
    int64_t before = 0;
    for (int i = 0; i < MILESTONES && s->milestones[i] != 0; i++) {
        if (s->milestones[i] <= before) {
            tr_fail(TR_ERR_VALUE,
                    "schedule: milestone %lld after %lld; they must ascend from above 0",
                    (long long)s->milestones[i], (long long)before);
            return false;
        }
        before = s->milestones[i];
    }
    return true;
}

static bool check_count(const char *name, int64_t value, int64_t least)
{
    if (value >= least) return true;
    tr_fail(TR_ERR_VALUE, "schedule: %s is %lld; it must be at least %lld", name, (long long)value,
            (long long)least);
    return false;
}

static bool check_schedule(const tr_schedule *s, int64_t t)
{
    if (s == NULL || tr_schedule_name(s->kind) == NULL) {
        tr_fail(TR_ERR_VALUE, "schedule: it is NULL or of no known kind");
        return false;
    }
    if (!(s->lr > 0) || !isfinite(s->lr)) {
        tr_fail(TR_ERR_VALUE, "schedule: lr is %g; it must be a finite number above 0", s->lr);
        return false;
    }
    return tri_check_rate("schedule", "min", s->min) &&
           tri_check_rate("schedule", "factor", s->factor) && check_count("warmup", s->warmup, 0) &&
           check_count("the time", t, 0) &&
           (s->kind != TR_SCHEDULE_STEP || check_count("every", s->every, 1)) &&
           (s->kind != TR_SCHEDULE_COSINE || check_count("length", s->length, 1)) &&
           check_milestones(s);
}

static double cosine(const tr_schedule *s, int64_t t)
{
    if (t >= s->length) return s->min;
    return s->min + (s->lr - s->min) * (1 + cos(pi * (double)t / (double)s->length)) / 2;
}

static int milestones_passed(const tr_schedule *s, int64_t t)
{
    int passed = 0;
    while (passed < MILESTONES && s->milestones[passed] != 0 && s->milestones[passed] <= t)
        passed++;
    return passed;
}

double tr_schedule_at(const tr_schedule *s, int64_t t)
{
    if (tri_failed() || !check_schedule(s, t)) return (double)NAN;
    if (t < s->warmup) return s->lr * (double)(t + 1) / (double)(s->warmup + 1);
    t -= s->warmup;
    const double factor = factor_of(s);
    double lr = s->lr;
    switch (s->kind) {
    case TR_SCHEDULE_CONSTANT: break;
    case TR_SCHEDULE_STEP: lr *= pow(factor, (double)(t / s->every)); break;
    case TR_SCHEDULE_MILESTONES: lr *= pow(factor, milestones_passed(s, t)); break;
    case TR_SCHEDULE_EXPONENTIAL: lr *= pow(factor, (double)t); break;
    case TR_SCHEDULE_COSINE: lr = cosine(s, t); break;
    }
    return lr < s->min ? s->min : lr;
}

/* --- Plateau ---------------------------------------------------------------------------------- */

static bool improved(const tr_plateau *p, double threshold, double metric)
{
    if (isnan(metric)) return false;
    if (!p->started) return true;
    return p->maximize ? metric > p->best * (1 + threshold) : metric < p->best * (1 - threshold);
}

double tr_plateau_step(tr_plateau *p, double lr, double metric)
{
    if (!tri_given(p, "plateau_step: the plateau")) return (double)NAN;
    const double factor = p->factor == 0 ? 0.1 : p->factor;
    const double threshold = tri_option(p->threshold, 1e-4);
    const int64_t patience = p->patience == 0 ? 10 : p->patience;
    if (tri_failed() || !tri_check_option("plateau", "factor", factor, 0, 1, false) ||
        !tri_check_option("plateau", "threshold", threshold, 0, 1, false) ||
        !tri_check_rate("plateau", "min", p->min))
        return (double)NAN;
    if (patience < 0 || p->cooldown < 0) {
        tr_fail(TR_ERR_VALUE,
                "plateau: patience is %lld and cooldown %lld; neither may be negative",
                (long long)patience, (long long)p->cooldown);
        return (double)NAN;
    }
    if (improved(p, threshold, metric)) {
        p->started = true;
        p->best = metric;
        p->bad = 0;
    } else {
        p->bad++;
    }
    if (p->cooling > 0) {
        p->cooling--;
        p->bad = 0;
    }
    if (p->bad < patience) return lr;
    p->bad = 0;
    p->cooling = p->cooldown;
    const double reduced = lr * factor;
    return reduced > p->min ? reduced : lr < p->min ? lr : p->min;
}

tr_status tr_plateau_state(const tr_plateau *p, tr_named_list *list)
{
    if (!tri_given(p, "plateau_state: the plateau") || !tri_given(list, "plateau_state: the list"))
        return tr_status_get();
    const double state[] = { p->started, p->best, (double)p->bad, (double)p->cooling };
    tr_tensor *t = tr_from(TR_F64, TR_SHAPE(4), state);
    return t != NULL ? tr_named_push(list, "plateau", t) : tr_status_get();
}

tr_status tr_plateau_load(tr_plateau *p, const tr_named_list *list)
{
    if (!tri_given(p, "plateau_load: the plateau") || !tri_given(list, "plateau_load: the list"))
        return tr_status_get();
    if (tri_failed()) return tr_status_get();
    const tr_tensor like = { .alive = TRI_ALIVE, .dtype = TR_F64, .rank = 1, .shape = { 4 } };
    const tr_tensor *t = tri_find_state(list, "plateau", &like, "plateau");
    double state[4];
    if (t == NULL || tr_copy_out(t, state) != TR_OK) return tr_status_get();
    p->started = state[0] != 0;
    p->best = state[1];
    p->bad = (int64_t)state[2];
    p->cooling = (int64_t)state[3];
    return TR_OK;
}
