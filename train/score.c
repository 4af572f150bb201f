/* score.c: figures of merit of scores and pictures. Sums are in double precision and in order of
 * the scores, so they do not depend on threads. Read next: anomaly.c. */
#include "train/uses.h"

#include "nn/nn.h"
#include "tensor/core.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct scored {
    double score;
    bool   positive;
} scored;

static int by_falling_score(const void *a, const void *b)
{
    const double x = ((const scored *)a)->score, y = ((const scored *)b)->score;
    return (x < y) - (x > y);
}

/* What a group of equal scores adds: how many positives and negatives came before it, with higher
 * scores, and how many lie in it. */
typedef double (*group_rule)(double positives, double negatives, double in_positives,
                             double in_negatives);

static double sum_groups(const double *score, const bool *positive, int64_t count, group_rule rule,
                         double totals[2])
{
    double    sum = 0, before[2] = { 0, 0 };
    tr_scope *scope = tr_scope_push();
    scored   *sorted = tr_scope_alloc((uint64_t)(count + 1) * sizeof *sorted);
    for (int64_t i = 0; sorted != NULL && i < count; i++)
        sorted[i] = (scored){ score[i], positive[i] };
    if (sorted != NULL) qsort(sorted, (size_t)count, sizeof *sorted, by_falling_score);
    for (int64_t i = 0; sorted != NULL && i < count;) {
        double  in[2] = { 0, 0 };
        int64_t j = i;
        for (; j < count && !(sorted[j].score < sorted[i].score); j++)
            in[sorted[j].positive ? 0 : 1]++;
        sum += rule(before[0], before[1], in[0], in[1]);
        before[0] += in[0];
        before[1] += in[1];
        i = j;
    }
    tr_scope_pop(scope);
    totals[0] = before[0];
    totals[1] = before[1];
    return sum;
}

/* Each negative of the group counts the positives above it, and half of those beside it. */
static double pairs_won(double positives, double negatives, double in_positives,
                        double in_negatives)
{
    (void)negatives;
    return in_negatives * (positives + 0.5 * in_positives);
}

double tr_roc_auc(const double *score, const bool *positive, int64_t count)
{
    if (!tri_given(score, "roc_auc: the list of scores") ||
        !tri_given(positive, "roc_auc: the list of positives"))
        return (double)NAN;
    double       totals[2];
    const double won = sum_groups(score, positive, count, pairs_won, totals);
    return totals[0] > 0 && totals[1] > 0 ? won / (totals[0] * totals[1]) : (double)NAN;
}

static double precise_hits(double positives, double negatives, double in_positives,
                           double in_negatives)
{
    const double hits = positives + in_positives;
    return in_positives * hits / (hits + negatives + in_negatives);
}

double tr_average_precision(const double *score, const bool *positive, int64_t count)
{
    if (!tri_given(score, "average_precision: the list of scores") ||
        !tri_given(positive, "average_precision: the list of positives"))
        return (double)NAN;
    double       totals[2];
    const double sum = sum_groups(score, positive, count, precise_hits, totals);
    return totals[0] > 0 ? sum / totals[0] : (double)NAN;
}

static int rising(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double tr_quantile(const double *values, int64_t count, double q)
{
    if (count > 0 && !tri_given(values, "quantile: the list of values")) return (double)NAN;
    double    result = (double)NAN;
    tr_scope *scope = tr_scope_push();
    double   *sorted = count > 0 ? tr_scope_alloc((uint64_t)count * sizeof *sorted) : NULL;
    if (sorted != NULL) {
        memcpy(sorted, values, (size_t)count * sizeof *sorted);
        qsort(sorted, (size_t)count, sizeof *sorted, rising);
        const double  place = fmin(1, fmax(0, q)) * (double)(count - 1);
        const int64_t i = (int64_t)place;
        result = sorted[i];
        if (i + 1 < count) result += (place - (double)i) * (sorted[i + 1] - sorted[i]);
    }
    tr_scope_pop(scope);
    return result;
}

double tr_psnr(tr_tensor *a, tr_tensor *b)
{
    const bool       recording = tr_set_recording(false);
    tr_scope        *scope = tr_scope_push();
    const tr_tensor *mse = tr_mse(a, b, TR_MEAN);
    const double     value = mse != NULL ? -10 * log10(tr_item(mse)) : (double)NAN;
    tr_scope_pop(scope);
    tr_set_recording(recording);
    return value;
}

/* Bisection of the distribution function: 60 halvings of [-40, 40] leave 1e-16. */
double tr_normal_quantile(double p)
{
    if (!(p > 0)) return (double)-INFINITY;
    if (!(p < 1)) return (double)INFINITY;
    double low = -40, high = 40;
    for (int i = 0; i < 60; i++) {
        const double middle = 0.5 * (low + high);
        if (0.5 * erfc(-middle / sqrt(2)) < p)
            low = middle;
        else
            high = middle;
    }
    return 0.5 * (low + high);
}
