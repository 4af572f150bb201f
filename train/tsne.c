/* tsne.c: t-SNE (van der Maaten & Hinton 2008): places in a plane for rows, such that neighbours
 * stay neighbours. Exact: every pair counts in every step, so time grows with the square of N.
 *
 *     p_j|i = exp(-b_i |x_i - x_j|^2) / sum_k ...     b_i so that the entropy is ln perplexity
 *     p_ij  = (p_j|i + p_i|j) / 2N,   q_ij = (1 + |y_i - y_j|^2)^-1 / sum ...
 *     minimise KL(p || q);   d/dy_i = 4 sum_j (p_ij - q_ij) (y_i - y_j) (1 + |y_i - y_j|^2)^-1
 *
 * It starts from the principal plane, so nothing is drawn at random. A row's sums are one thread's,
 * and sums over rows are in order: the same bits for any number of threads.
 * Read next: cli/embed.c. */
#include "train/uses.h"

#include "autograd/autograd.h"
#include "tensor/core.h"
#include "train/train.h"

#include <math.h>

enum { GRAIN = 16 }; /* rows in a piece of a parallel loop */

/* --- Affinities --------------------------------------------------------------------------- */

typedef struct affinities {
    double  entropy; /* ln perplexity */
    int64_t n;
    float  *p; /* [n, n]: squared distances first, then p_j|i */
} affinities;

/* exp(-b d) / sum for the row, without i itself; its entropy. The least distance is taken off, so
 * that the nearest neighbour weighs 1. */
static double weigh(const float *distance, int64_t n, int64_t i, double least, double b, float *p)
{
    double sum = 0, mean = 0;
    for (int64_t j = 0; j < n; j++) {
        const double off = (double)distance[j] - least;
        const double w = j != i ? exp(-b * off) : 0;
        p[j] = (float)w;
        sum += w;
        mean += w * off;
    }
    for (int64_t j = 0; j < n; j++) p[j] = (float)((double)p[j] / sum);
    return log(sum) + b * mean / sum;
}

/* Bisection for b: the entropy falls as b grows. `row` holds the distances meanwhile. */
static void fit_row(const affinities *a, int64_t i, float *row)
{
    enum { STEPS = 60 };
    float *p = a->p + i * a->n;
    double least = (double)INFINITY, low = 0, high = (double)INFINITY, b = 1, mean = 0;
    for (int64_t j = 0; j < a->n; j++) {
        row[j] = p[j];
        if (j != i) least = fmin(least, (double)row[j]);
        mean += (double)row[j] / (double)a->n;
    }
    if (mean > 0) b = 1 / mean;
    for (int step = 0; step < STEPS; step++) {
        const double off = weigh(row, a->n, i, least, b, p) - a->entropy;
        if (fabs(off) < 1e-6) break;
        if (off > 0)
            low = b;
        else
            high = b;
        b = isinf(high) ? 2 * b : 0.5 * (low + high);
    }
}

typedef struct rows_of {
    const affinities *a;
    float            *scratch; /* [n, n] would be too much: a row for each piece */
} rows_of;

static void fit_rows(void *context, int64_t begin, int64_t end)
{
    const rows_of *r = context;
    for (int64_t i = begin; i < end; i++) fit_row(r->a, i, r->scratch + i / GRAIN * r->a->n);
}

/* Squared distances between rows, f32 [N, N]. */
static tr_tensor *squared_distances(tr_tensor *x)
{
    tr_tensor *centred = tr_sub(x, tr_mean(x, TR_AXES(0), true));
    tr_tensor *square = tr_sum(tr_square(centred), TR_AXES(1), true); /* [N, 1] */
    tr_tensor *product = tr_matmul(centred, tr_transpose(centred, 0, 1));
    tr_tensor *sum = tr_add(square, tr_transpose(square, 0, 1));
    return tr_relu(tr_sub(sum, tr_scale(product, 2)));
}

tr_tensor *tr_tsne_affinities(tr_tensor *x, double perplexity)
{
    if (tri_failed() || !tri_check_alive(x, "tsne")) return NULL;
    if (x->rank != 2 || x->dtype != TR_F32 || tr_dim(x, 0) < 4) {
        char text[240];
        tr_fail(TR_ERR_SHAPE, "tsne: x is %s, expected f32 [N, D], N at least 4",
                tr_describe(x, text, sizeof text));
        return NULL;
    }
    const int64_t n = tr_dim(x, 0);
    if (!(perplexity >= 1 && perplexity < (double)(n - 1))) {
        tr_fail(TR_ERR_VALUE, "tsne: perplexity is %g; of %lld points it must be in [1, %lld)",
                perplexity, (long long)n, (long long)(n - 1));
        return NULL;
    }
    const bool    recording = tr_set_recording(false);
    tr_scope     *scope = tr_scope_push();
    tr_tensor    *p = squared_distances(x);
    const int64_t pieces = (n + GRAIN - 1) / GRAIN;
    rows_of       r = { .scratch = tr_scope_alloc((uint64_t)(pieces * n) * sizeof *r.scratch) };
    if (p != NULL) p = (tr_tensor *)(uintptr_t)tri_contiguous(p);
    if (p != NULL && r.scratch != NULL) {
        const affinities a = { .entropy = log(perplexity), .n = n, .p = p->data };
        r.a = &a;
        tri_parallel_for(n, GRAIN, fit_rows, &r);
        p = tr_scope_keep(p);
    }
    tr_scope_pop(scope);
    tr_set_recording(recording);
    return tri_failed() ? NULL : p;
}

/* --- Descent ------------------------------------------------------------------------------ */

typedef struct descent {
    int64_t      n;
    const float *p;                  /* [n, n], symmetric, sum 1 */
    float       *x, *y;              /* [n] each: the places */
    float       *pull[2], *push[2];  /* [n]: sums over j of each row */
    double      *mass;               /* [n]: sum_j (1 + |y_i - y_j|^2)^-1, i itself included */
    float       *speed[2], *gain[2]; /* [n] */
    double       exaggeration;
} descent;

/* Sums of a row in f32 lanes that do not depend on threads; the loop is written to be vectorised.
 */
static void row_forces(const descent *s, int64_t i)
{
    enum { LANES = 16 };
    const float *p = s->p + i * s->n, xi = s->x[i], yi = s->y[i];
    float        pull_x[LANES] = { 0 }, pull_y[LANES] = { 0 }, push_x[LANES] = { 0 },
          push_y[LANES] = { 0 }, mass[LANES] = { 0 };
    for (int64_t at = 0; at < s->n; at += LANES) {
        const int64_t count = s->n - at < LANES ? s->n - at : LANES;
        for (int64_t l = 0; l < count; l++) {
            const float dx = xi - s->x[at + l], dy = yi - s->y[at + l];
            const float q = 1 / (1 + dx * dx + dy * dy), pq = p[at + l] * q, qq = q * q;
            pull_x[l] += pq * dx;
            pull_y[l] += pq * dy;
            push_x[l] += qq * dx;
            push_y[l] += qq * dy;
            mass[l] += q;
        }
    }
    s->mass[i] = 0;
    s->pull[0][i] = s->pull[1][i] = s->push[0][i] = s->push[1][i] = 0;
    for (int l = 0; l < LANES; l++) {
        s->pull[0][i] += pull_x[l];
        s->pull[1][i] += pull_y[l];
        s->push[0][i] += push_x[l];
        s->push[1][i] += push_y[l];
        s->mass[i] += (double)mass[l];
    }
}

static void forces(void *context, int64_t begin, int64_t end)
{
    for (int64_t i = begin; i < end; i++) row_forces(context, i);
}

/* sum_ij (1 + |y_i - y_j|^2)^-1 over i != j. */
static double total_mass(const descent *s)
{
    double sum = 0;
    for (int64_t i = 0; i < s->n; i++) sum += s->mass[i] - 1;
    return sum;
}

/* A step of gradient descent with momentum and a gain for each number (Jacobs 1988). */
static void take_step(descent *s, double rate, double momentum)
{
    float *const place[2] = { s->x, s->y };
    tri_parallel_for(s->n, GRAIN, forces, s);
    const float z = (float)(1 / total_mass(s)), more = (float)s->exaggeration;
    for (int axis = 0; axis < 2; axis++) {
        double mean = 0;
        for (int64_t i = 0; i < s->n; i++) {
            const float g = 4 * (more * s->pull[axis][i] - z * s->push[axis][i]);
            float      *gain = &s->gain[axis][i], *speed = &s->speed[axis][i];
            *gain = (g > 0) != (*speed > 0) ? *gain + 0.2F : fmaxf(*gain * 0.8F, 0.01F);
            *speed = (float)momentum * *speed - (float)rate * *gain * g;
            place[axis][i] += *speed;
            mean += (double)place[axis][i] / (double)s->n;
        }
        for (int64_t i = 0; i < s->n; i++) place[axis][i] -= (float)mean;
    }
}

/* KL(p || q) in nats. */
static double divergence(descent *s)
{
    double sum = 0;
    tri_parallel_for(s->n, GRAIN, forces, s);
    const double z = total_mass(s);
    for (int64_t i = 0; i < s->n; i++)
        for (int64_t j = 0; j < s->n; j++) {
            const double p = (double)s->p[i * s->n + j];
            const double dx = (double)(s->x[i] - s->x[j]), dy = (double)(s->y[i] - s->y[j]);
            if (i != j && p > 0) sum += p * log(p * z * (1 + dx * dx + dy * dy));
        }
    return sum;
}

/* From the principal plane, scaled to a deviation of 1e-4 along its first axis. */
static bool prepare(descent *s, tr_tensor *x)
{
    double           share, square = 0;
    float           *memory = tr_scope_alloc((uint64_t)(10 * s->n) * sizeof *memory);
    const tr_tensor *plane = tr_project_plane(x, &share);
    s->mass = tr_scope_alloc((uint64_t)s->n * sizeof *s->mass);
    if (plane == NULL || memory == NULL || s->mass == NULL) return false;
    float **const part[] = { &s->x,       &s->y,        &s->pull[0],  &s->pull[1], &s->push[0],
                             &s->push[1], &s->speed[0], &s->speed[1], &s->gain[0], &s->gain[1] };
    for (int i = 0; i < 10; i++) *part[i] = memory + i * s->n;
    const float *v = plane->data;
    for (int64_t i = 0; i < s->n; i++) square += (double)v[2 * i] * (double)v[2 * i];
    const double scale = 1e-4 / fmax(sqrt(square / (double)s->n), 1e-30);
    for (int64_t i = 0; i < s->n; i++) {
        s->x[i] = (float)(scale * (double)v[2 * i]);
        s->y[i] = (float)(scale * (double)v[2 * i + 1]);
        s->gain[0][i] = s->gain[1][i] = 1;
    }
    return true;
}

tr_tensor *tr_tsne(tr_tensor *x, const tr_tsne_options *options, double *divergence_left)
{
    const tr_tsne_options o = options != NULL ? *options : (tr_tsne_options){ 0 };
    const int64_t         steps = o.iterations > 0 ? o.iterations : 500;
    const bool            recording = tr_set_recording(false);
    tr_scope             *scope = tr_scope_push();
    tr_tensor *p = tr_tsne_affinities(x, o.perplexity > 0 ? o.perplexity : 30), *places = NULL;
    descent    s = { .n = tr_dim(x, 0), .exaggeration = 12 };
    p = tr_scale(tr_add(p, tr_transpose(p, 0, 1)), 0.5 / (double)(s.n > 0 ? s.n : 1));
    if (p != NULL && prepare(&s, x)) {
        s.p = tri_contiguous(p)->data;
        const double rate = fmax(50, (double)s.n / s.exaggeration / 4); /* Belkina et al. 2019 */
        for (int64_t i = 0; i < steps; i++) {
            const bool early = i < steps / 4; /* clusters form while attraction is exaggerated */
            s.exaggeration = early ? 12 : 1;
            take_step(&s, rate, early ? 0.5 : 0.8);
        }
        if (divergence_left != NULL) *divergence_left = divergence(&s);
        places = tr_empty(TR_F32, TR_SHAPE(s.n, 2));
        for (int64_t i = 0; i < s.n && places != NULL; i++) {
            ((float *)places->data)[2 * i] = s.x[i];
            ((float *)places->data)[2 * i + 1] = s.y[i];
        }
        places = tr_scope_keep(places);
    }
    tr_scope_pop(scope);
    tr_set_recording(recording);
    return tri_failed() ? NULL : places;
}
