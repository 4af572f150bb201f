/* disentangle.c: whether each number of a code stands for one of the factors that the images were
 * made from: the mutual information gap (Chen et al. 2018), and disentanglement, completeness and
 * informativeness (Eastwood & Williams 2018).
 *
 * The first counts how often values occur together, so it sees dependence of any form but one pair
 * at a time. The others ask a sparse linear model which numbers it needs to tell a factor; angles
 * are told as cosine and sine, classes as indicators. Everything is f64 and in order of the rows.
 * Read next: cli/measure.c, which takes the factors of `shapes`. */
#include "train/uses.h"

#include "autograd/autograd.h"
#include "tensor/core.h"

#include <math.h>

enum { BINS = 20, MOST_CODES = 4096, MOST_FACTORS = 8, MOST_TARGETS = 64 };

/* --- Mutual information gap --------------------------------------------------------------- */

/* The values, `stride` apart, as bins of equal width between the smallest and the largest. */
static void fill_bins(const double *value, int64_t stride, int64_t n, int64_t *bin)
{
    double low = value[0], high = value[0];
    for (int64_t i = 0; i < n; i++) {
        low = fmin(low, value[i * stride]);
        high = fmax(high, value[i * stride]);
    }
    const double per_unit = high > low ? BINS / (high - low) : 0;
    for (int64_t i = 0; i < n; i++) {
        const int64_t k = (int64_t)((value[i * stride] - low) * per_unit);
        bin[i] = k < BINS ? k : BINS - 1;
    }
}

static double entropy(const double *count, int64_t cells, double n)
{
    double sum = 0;
    for (int64_t i = 0; i < cells; i++)
        if (count[i] > 0) sum -= count[i] / n * log(count[i] / n);
    return sum;
}

/* I(a, b) = H(a) + H(b) - H(a, b) in nats; *own is H(b). */
static double information(const int64_t *a, const int64_t *b, int64_t n, double *own)
{
    double both[BINS * BINS] = { 0 }, only_a[BINS] = { 0 }, only_b[BINS] = { 0 };
    for (int64_t i = 0; i < n; i++) {
        both[a[i] * BINS + b[i]]++;
        only_a[a[i]]++;
        only_b[b[i]]++;
    }
    *own = entropy(only_b, BINS, (double)n);
    return entropy(only_a, BINS, (double)n) + *own - entropy(both, BINS * BINS, (double)n);
}

/* How much more the best code knows about a factor than the second best, as a share of all there is
 * to know; averaged over factors. */
static double information_gap(const double *codes, int64_t n, int64_t d, const double *values,
                              int factors)
{
    int64_t *a = tr_scope_alloc((uint64_t)n * sizeof *a);
    int64_t *b = tr_scope_alloc((uint64_t)n * sizeof *b);
    double   gap = 0;
    for (int k = 0; k < factors && !tri_failed(); k++) {
        double best = 0, second = 0, own = 0;
        fill_bins(values + k, factors, n, b);
        for (int64_t j = 0; j < d; j++) {
            fill_bins(codes + j, d, n, a);
            const double shared = information(a, b, n, &own);
            second = fmax(second, fmin(best, shared));
            best = fmax(best, shared);
        }
        if (own > 0) gap += (best - second) / own / factors;
    }
    return gap;
}

/* --- A sparse linear model ---------------------------------------------------------------- */

/* The columns brought to mean 0 and deviation 1; those that do not vary are 0. */
static tr_tensor *standardised(tr_tensor *x)
{
    tr_tensor *centred = tr_sub(x, tr_mean(x, TR_AXES(0), true));
    tr_tensor *deviation = tr_sqrt(tr_mean(tr_square(centred), TR_AXES(0), true));
    return tr_div(centred, tr_maximum(deviation, tr_scalar(TR_F64, 1e-9)));
}

/* What is to be told of the factors, [N, T]; owner[t] is the factor of column t. */
static tr_tensor *make_targets(const double *values, int64_t n, const tr_factor *factors, int count,
                               int *owner, int *targets)
{
    tr_tensor *all = tr_zeros(TR_F64, TR_SHAPE(n, MOST_TARGETS));
    int        t = 0;
    for (int k = 0; k < count && all != NULL; k++) {
        const int64_t columns = factors[k].classes > 0  ? factors[k].classes
                                : factors[k].period > 0 ? 2
                                                        : 1;
        for (int64_t c = 0; c < columns && t < MOST_TARGETS; c++, t++) {
            owner[t] = k;
            for (int64_t i = 0; i < n; i++) {
                const double v = values[i * count + k];
                const double turn = 2 * acos(-1) * v / fmax(factors[k].period, 1e-300);
                ((double *)all->data)[i * MOST_TARGETS + t] =
                    factors[k].classes > 0  ? (int64_t)v == c
                    : factors[k].period > 0 ? (c == 0 ? cos(turn) : sin(turn))
                                            : v;
            }
        }
    }
    *targets = t;
    return standardised(tr_narrow(all, 1, 0, t));
}

/* Coordinate descent (Friedman et al. 2010) on 1/2 w G w - c w + penalty |w|, where G [D, D] and
 * c [D] are the products of codes and target averaged over rows. */
static void lasso(const double *gram, const double *c, int64_t c_stride, int64_t d, double *w)
{
    enum { SWEEPS = 300 };
    const double penalty = 0.01;
    double       largest = 1;
    for (int64_t j = 0; j < d; j++) w[j] = 0;
    for (int sweep = 0; sweep < SWEEPS && largest > 1e-7; sweep++) {
        largest = 0;
        for (int64_t j = 0; j < d; j++) {
            const double own = gram[j * d + j];
            double       rest = c[j * c_stride];
            for (int64_t i = 0; i < d; i++) rest -= i != j ? gram[j * d + i] * w[i] : 0;
            const double moved = fmax(fabs(rest) - penalty, 0) / fmax(own, 1e-9);
            const double next = rest < 0 ? -moved : moved;
            largest = fmax(largest, fabs(next - w[j]));
            w[j] = next;
        }
    }
}

/* --- Disentanglement, completeness, informativeness ----------------------------------------- */

/* 1 - H / ln count of `count` shares that lie `stride` apart: 1 where one has all. */
static double concentration(const double *value, int64_t count, int64_t stride, double sum)
{
    double entropy_sum = 0;
    for (int64_t i = 0; i < count && sum > 0; i++) {
        const double share = value[i * stride] / sum;
        if (share > 0) entropy_sum -= share * log(share);
    }
    return sum > 0 ? 1 - entropy_sum / log(count > 1 ? (double)count : 2) : 0;
}

/* importance is [D, K]. */
static void score_importance(const double *importance, int64_t d, int factors,
                             tr_disentanglement *s)
{
    double all = 0;
    for (int64_t i = 0; i < d * factors; i++) all += importance[i];
    for (int64_t j = 0; j < d && all > 0; j++) {
        double own = 0;
        for (int k = 0; k < factors; k++) own += importance[j * factors + k];
        s->disentanglement += own / all * concentration(importance + j * factors, factors, 1, own);
    }
    for (int k = 0; k < factors; k++) {
        double own = 0;
        for (int64_t j = 0; j < d; j++) own += importance[j * factors + k];
        s->completeness += concentration(importance + k, d, factors, own) / factors;
    }
}

/* Fits on the first half of the rows; what is told is measured on the second. */
static void fit_and_score(tr_tensor *codes, const double *values, const tr_factor *factors,
                          int count, tr_disentanglement *s)
{
    const int64_t n = tr_dim(codes, 0), d = tr_dim(codes, 1), half = n / 2;
    int           owner[MOST_TARGETS], targets = 0;
    tr_tensor    *z = standardised(codes);
    tr_tensor    *y = make_targets(values, n, factors, count, owner, &targets);
    tr_tensor    *first = tr_transpose(tr_narrow(z, 0, 0, half), 0, 1);
    const double  average = 1 / (double)half;
    tr_tensor    *gram = tr_scale(tr_matmul(first, tr_narrow(z, 0, 0, half)), average);
    tr_tensor    *cross = tr_scale(tr_matmul(first, tr_narrow(y, 0, 0, half)), average);
    tr_tensor    *w = tr_zeros(TR_F64, TR_SHAPE(targets, d));
    double       *importance = tr_scope_alloc((uint64_t)(d * count) * sizeof *importance);
    if (tri_failed()) return;
    for (int t = 0; t < targets; t++) {
        double *row = (double *)w->data + t * d;
        lasso(gram->data, (const double *)cross->data + t, targets, d, row);
        for (int64_t j = 0; j < d; j++) importance[j * count + owner[t]] += fabs(row[j]);
    }
    score_importance(importance, d, count, s);
    tr_tensor *rest = tr_narrow(y, 0, half, n - half);
    tr_tensor *told = tr_matmul(tr_narrow(z, 0, half, n - half), tr_transpose(w, 0, 1));
    tr_tensor *error = tr_mean(tr_square(tr_sub(told, rest)), TR_AXES(0), false); /* [T] */
    tr_tensor *spread = tr_mean(tr_square(rest), TR_AXES(0), false);
    tr_tensor *share = tr_clamp(tr_affine(tr_div(error, spread), -1, 1), 0, 1);
    for (int t = 0; t < targets && share != NULL; t++) {
        int same = 0;
        for (int i = 0; i < targets; i++) same += owner[i] == owner[t];
        s->informativeness += ((const double *)share->data)[t] / same / count;
    }
}

tr_status tr_disentanglement_scores(tr_tensor *codes, const double *values,
                                    const tr_factor *factors, int count, tr_disentanglement *scores)
{
    if (!tri_given(values, "disentanglement: the list of values") ||
        !tri_given(factors, "disentanglement: the list of factors") ||
        !tri_given(scores, "disentanglement: the result"))
        return tr_status_get();
    *scores = (tr_disentanglement){ 0 };
    if (tri_failed() || !tri_check_alive(codes, "disentanglement")) return tr_status_get();
    if (codes->rank != 2 || tr_dim(codes, 0) < 2 || tr_dim(codes, 1) < 1 ||
        tr_dim(codes, 1) > MOST_CODES || count < 1 || count > MOST_FACTORS) {
        char text[240];
        return tr_fail(TR_ERR_SHAPE,
                       "disentanglement: codes are %s of %d factors; expected [N, D], N >= 2, "
                       "D at most %d, of 1 .. %d factors",
                       tr_describe(codes, text, sizeof text), count, MOST_CODES, MOST_FACTORS);
    }
    const bool recording = tr_set_recording(false);
    tr_scope  *scope = tr_scope_push();
    codes = tr_cast(codes, TR_F64);
    const tr_tensor *rows = codes != NULL ? tri_contiguous(codes) : NULL;
    if (rows != NULL) {
        scores->mig = information_gap(rows->data, tr_dim(rows, 0), tr_dim(rows, 1), values, count);
        fit_and_score(codes, values, factors, count, scores);
    }
    tr_scope_pop(scope);
    tr_set_recording(recording);
    return tr_status_get();
}
