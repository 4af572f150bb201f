/* plane.c: codes as points of a plane: principal components by subspace iteration.
 *
 * The covariance of D-dimensional codes is never formed: with X the centred codes [N, D] and V [D,
 * K], one round is V <- orthonormalise(X^T (X V)), two thin products. K is a few more than two,
 * which makes the first two converge fast (Halko, Martinsson & Tropp 2011, "Finding structure with
 * randomness", section 4.5); their small covariance is then turned to its axes. Read next:
 * report.c. */
#include "train/run.h"

#include <math.h>

enum { COMPONENTS = 6, ROUNDS = 24 };

/* Gram-Schmidt, twice over for accuracy, on the columns of v [D, K] f64. */
static void orthonormalise(double *v, int64_t rows, int64_t columns)
{
    for (int64_t j = 0; j < columns; j++)
        for (int pass = 0; pass < 2; pass++) {
            for (int64_t k = 0; k < j; k++) {
                double dot = 0;
                for (int64_t i = 0; i < rows; i++) dot += v[i * columns + k] * v[i * columns + j];
                for (int64_t i = 0; i < rows; i++) v[i * columns + j] -= dot * v[i * columns + k];
            }
            double square = 0;
            for (int64_t i = 0; i < rows; i++) square += v[i * columns + j] * v[i * columns + j];
            const double scale = square > 1e-300 ? 1 / sqrt(square) : 0;
            for (int64_t i = 0; i < rows; i++) v[i * columns + j] *= scale;
        }
}

/* Largest eigenvector of a symmetric K x K matrix, made orthogonal to `other` (or NULL). */
static void top_vector(const double *matrix, int64_t n, const double *other, double *v)
{
    for (int64_t i = 0; i < n; i++) v[i] = 1 + 0.1 * (double)i;
    for (int round = 0; round < 500; round++) {
        double next[COMPONENTS] = { 0 }, dot = 0, square = 0;
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < n; j++) next[i] += matrix[i * n + j] * v[j];
        for (int64_t i = 0; other != NULL && i < n; i++) dot += next[i] * other[i];
        for (int64_t i = 0; other != NULL && i < n; i++) next[i] -= dot * other[i];
        for (int64_t i = 0; i < n; i++) square += next[i] * next[i];
        const double scale = square > 1e-300 ? 1 / sqrt(square) : 0;
        for (int64_t i = 0; i < n; i++) v[i] = next[i] * scale;
    }
}

/* The coordinates y [N, K] turned so that the first two columns are the principal ones. */
static tr_tensor *turn(const double *y, int64_t n, int64_t k)
{
    double     gram[COMPONENTS * COMPONENTS] = { 0 }, axes[2][COMPONENTS] = { { 0 } };
    tr_tensor *points = tr_zeros(TR_F32, TR_SHAPE(n, 2));
    if (points == NULL) return NULL;
    for (int64_t r = 0; r < n; r++)
        for (int64_t i = 0; i < k; i++)
            for (int64_t j = 0; j < k; j++) gram[i * k + j] += y[r * k + i] * y[r * k + j];
    top_vector(gram, k, NULL, axes[0]);
    if (k > 1) top_vector(gram, k, axes[0], axes[1]);
    float *p = points->data;
    for (int64_t r = 0; r < n; r++)
        for (int a = 0; a < 2; a++) {
            double sum = 0;
            for (int64_t i = 0; i < k; i++) sum += axes[a][i] * y[r * k + i];
            p[2 * r + a] = (float)sum;
        }
    return points;
}

static double squares(const tr_tensor *t)
{
    double sum = 0;
    for (int64_t i = 0; t != NULL && i < tr_numel(t); i++)
        sum += t->dtype == TR_F32 ? (double)((float *)t->data)[i] * (double)((float *)t->data)[i]
                                  : ((double *)t->data)[i] * ((double *)t->data)[i];
    return sum;
}

static tr_tensor *principal_plane(tr_tensor *x, double *share)
{
    const int64_t n = tr_dim(x, 0), d = tr_dim(x, 1), k = d < COMPONENTS ? d : COMPONENTS;
    tr_rng        rng = tr_rng_seed(1);
    tr_tensor    *centred = tr_sub(x, tr_mean(x, TR_AXES(0), true)); /* [N, D] */
    tr_tensor    *turned = tr_transpose(centred, 0, 1);
    tr_tensor    *v = tr_normal(TR_F64, TR_SHAPE(d, k), &rng); /* [D, K] */
    for (int i = 0; i < ROUNDS && v != NULL; i++) {
        orthonormalise(v->data, d, k);
        v = tr_matmul(turned, tr_matmul(centred, v));
    }
    if (v == NULL) return NULL;
    orthonormalise(v->data, d, k);
    const tr_tensor *y = tr_matmul(centred, v); /* [N, K] */
    tr_tensor       *points = y != NULL ? turn(y->data, n, k) : NULL;
    const double     all = squares(centred);
    *share = all > 0 ? squares(points) / all : 1;
    return points;
}

tr_tensor *tr_project_plane(tr_tensor *x, double *share)
{
    if (!tri_given(share, "project_plane: the place for the share") ||
        !tri_check_alive(x, "project_plane"))
        return NULL;
    *share = 1;
    if (tri_failed()) return NULL;
    if (x->rank != 2 || (x->dtype != TR_F32 && x->dtype != TR_F64) || tr_numel(x) == 0) {
        char text[240];
        tr_fail(TR_ERR_SHAPE, "project_plane: x is %s, expected f32 or f64 [N, D], not empty",
                tr_describe(x, text, sizeof text));
        return NULL;
    }
    const bool recording = tr_set_recording(false);
    tr_scope  *scope = tr_scope_push();
    tr_tensor *points = tr_dim(x, 1) == 2 ? tr_reshape(tr_cast(x, TR_F32), tr_shape_of(x))
                                          : principal_plane(tr_cast(x, TR_F64), share);
    if (points != NULL) points = tr_scope_keep((tr_tensor *)(uintptr_t)tri_contiguous(points));
    tr_scope_pop(scope);
    tr_set_recording(recording);
    return points;
}
