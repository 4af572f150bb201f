/* initializer.c: how parameters start. Fans are read off the shape: a kernel [KH, KW, in, out]
 * connects KH KW in inputs to each output, as in Keras. */
#include "nn/module.h"

#include <math.h>
#include <string.h>

static void fans(const tr_tensor *p, double *fan_in, double *fan_out)
{
    double window = 1;
    for (int i = 0; i < p->rank - 2; i++) window *= (double)p->shape[i];
    *fan_in = p->rank >= 2 ? window * (double)tr_dim(p, -2) : (double)tr_numel(p);
    *fan_out = p->rank >= 2 ? window * (double)tr_dim(p, -1) : (double)tr_numel(p);
}

static tr_status assign_uniform(tr_tensor *p, double limit, tr_rng *rng)
{
    return tr_assign(p, tr_affine(tr_uniform(p->dtype, tr_shape_of(p), rng), 2 * limit, -limit));
}

static tr_status assign_normal(tr_tensor *p, double deviation, tr_rng *rng)
{
    return tr_assign(p, tr_scale(tr_normal(p->dtype, tr_shape_of(p), rng), deviation));
}

/* Makes the rows of a [rows, columns], rows <= columns, orthonormal: Gram-Schmidt, applied twice,
 * which is enough for full accuracy (Giraud et al. 2005). */
static void orthonormalise(double *a, int64_t rows, int64_t columns)
{
    for (int64_t i = 0; i < rows; i++) {
        double *row = a + i * columns;
        for (int64_t k = 0; k < 2 * i; k++) {
            const double *other = a + (k % i) * columns;
            double        dot = 0;
            for (int64_t j = 0; j < columns; j++) dot += row[j] * other[j];
            for (int64_t j = 0; j < columns; j++) row[j] -= dot * other[j];
        }
        double square = 0;
        for (int64_t j = 0; j < columns; j++) square += row[j] * row[j];
        const double scale = 1 / sqrt(square);
        for (int64_t j = 0; j < columns; j++) row[j] *= scale;
    }
}

static tr_status assign_orthogonal(tr_tensor *p, tr_rng *rng)
{
    const int64_t columns = p->rank >= 1 && tr_dim(p, -1) > 0 ? tr_dim(p, -1) : 1;
    const int64_t rows = tr_numel(p) / columns;
    const bool    wide = rows <= columns;
    tr_tensor *a = tr_normal(TR_F64, wide ? TR_SHAPE(rows, columns) : TR_SHAPE(columns, rows), rng);
    if (a == NULL) return tr_status_get();
    orthonormalise(a->data, a->shape[0], a->shape[1]);
    return tr_assign(p, tr_reshape(wide ? a : tr_transpose(a, 0, 1), tr_shape_of(p)));
}

tr_status tr_initialize(tr_tensor *p, tr_initializer how, tr_rng *rng)
{
    if (tri_failed() || !tri_check_alive(p, "initialize")) return tr_status_get();
    double     in, out;
    tr_scope  *scratch = tr_scope_push();
    const bool recording = tr_set_recording(false);
    fans(p, &in, &out);
    switch (how) {
    case TR_INIT_GLOROT_UNIFORM: assign_uniform(p, sqrt(6 / (in + out)), rng); break;
    case TR_INIT_GLOROT_NORMAL: assign_normal(p, sqrt(2 / (in + out)), rng); break;
    case TR_INIT_HE_UNIFORM: assign_uniform(p, sqrt(6 / in), rng); break;
    case TR_INIT_HE_NORMAL: assign_normal(p, sqrt(2 / in), rng); break;
    case TR_INIT_ORTHOGONAL: assign_orthogonal(p, rng); break;
    case TR_INIT_ZEROS: tr_fill(p, 0); break;
    case TR_INIT_ONES: tr_fill(p, 1); break;
    default: tr_fail(TR_ERR_VALUE, "initialize: %d is no initialiser", (int)how);
    }
    tr_set_recording(recording);
    tr_scope_pop(scratch);
    return tr_status_get();
}
