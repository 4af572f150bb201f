/* impute.c: missing values. A model fills them with what it would reconstruct, given the known
 * ones: start from the mean, then repeat x <- known values, and decode(encode(x)) elsewhere, which
 * climbs to pictures that the model finds plausible (Rezende, Mohamed & Wierstra 2014, appendix F,
 * without the noise). PCA fills in the same way. Read next: pca.c. */
#include "train/uses.h"

#include "nn/nn.h"
#include "tensor/core.h"

#include <math.h>

tr_tensor *tr_dataset_mean(const tr_dataset *data, int64_t limit)
{
    if (!tri_given(data, "dataset_mean: the dataset")) return NULL;
    enum { BATCH = 1000 };
    if (tri_failed()) return NULL;
    const int64_t all = data->count[TR_TRAIN], n = limit > 0 && limit < all ? limit : all;
    const bool    recording = tr_set_recording(false);
    tr_tensor    *sum = tr_zeros(TR_F64, TR_SHAPE(data->height, data->width, data->channels));
    for (int64_t i = 0; i < n && !tri_failed(); i += BATCH) {
        tr_scope  *scope = tr_scope_push();
        tr_tensor *x = tr_dataset_images(data, TR_TRAIN, i, n - i < BATCH ? n : i + BATCH);
        tr_assign(sum, tr_add(sum, tr_sum(tr_cast(x, TR_F64), TR_AXES(0), false)));
        tr_scope_pop(scope);
    }
    tr_tensor *mean = tr_cast(tr_scale(sum, n > 0 ? 1 / (double)n : 0), TR_F32);
    tr_set_recording(recording);
    return mean;
}

/* A step of filling: what the method makes of images without gaps. */
typedef tr_tensor *(*restorer)(void *self, tr_tensor *x);

static tr_tensor *restore_model(void *self, tr_tensor *x)
{
    return tr_model_reconstruct(self, x);
}

static tr_tensor *restore_pca(void *self, tr_tensor *x)
{
    tr_tensor *rows = tr_pca_decode(self, tr_pca_encode(self, tr_flatten(x, 1)));
    return tr_reshape(rows, tr_shape_of(x));
}

static tr_tensor *fill(restorer restore, void *self, tr_tensor *x, tr_tensor *missing,
                       tr_tensor *start, int64_t steps)
{
    if (tri_failed() || x == NULL || self == NULL) return NULL;
    const bool recording = tr_set_recording(false);
    tr_tensor *filled = tr_empty(TR_F32, tr_shape_of(x));
    tr_scope  *outer = tr_scope_push();
    if (filled != NULL) tr_assign(filled, tr_where(missing, tr_expand(start, tr_shape_of(x)), x));
    for (int64_t i = 0; i < steps && !tri_failed(); i++) {
        tr_scope *scope = tr_scope_push();
        tr_assign(filled, tr_where(missing, restore(self, filled), x));
        tr_scope_pop(scope);
    }
    tr_scope_pop(outer);
    tr_set_recording(recording);
    return tri_failed() ? NULL : filled;
}

tr_tensor *tr_impute(tr_model *model, tr_tensor *x, tr_tensor *missing, tr_tensor *start,
                     int64_t steps)
{
    if (!tri_given(model, "impute: the model") || !tri_check_alive(x, "impute") ||
        !tri_check_alive(missing, "impute") || !tri_check_alive(start, "impute"))
        return NULL;
    return fill(restore_model, model, x, missing, start, steps);
}

tr_tensor *tr_impute_pca(const tr_pca *pca, tr_tensor *x, tr_tensor *missing, tr_tensor *start,
                         int64_t steps)
{
    if (!tri_given(pca, "impute_pca: the components") || !tri_check_alive(x, "impute_pca") ||
        !tri_check_alive(missing, "impute_pca") || !tri_check_alive(start, "impute_pca"))
        return NULL;
    tr_pca own = *pca;
    return fill(restore_pca, &own, x, missing, start, steps);
}

double tr_masked_mse(tr_tensor *a, tr_tensor *b, tr_tensor *mask)
{
    if (!tri_check_alive(a, "masked_mse") || !tri_check_alive(b, "masked_mse") ||
        !tri_check_alive(mask, "masked_mse"))
        return (double)NAN;
    const bool   recording = tr_set_recording(false);
    tr_scope    *scope = tr_scope_push();
    tr_tensor   *weight = tr_expand(tr_cast(mask, TR_F64), tr_shape_of(a));
    tr_tensor   *away = tr_square(tr_sub(tr_cast(a, TR_F64), tr_cast(b, TR_F64)));
    const double count = tr_item(tr_sum(weight, TR_ALL_AXES, false));
    const double sum = tr_item(tr_sum(tr_mul(away, weight), TR_ALL_AXES, false));
    tr_scope_pop(scope);
    tr_set_recording(recording);
    return sum / count;
}
