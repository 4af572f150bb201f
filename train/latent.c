/* latent.c: walks through the space of codes: along one latent, over a plane, by differences of
 * classes. Codes are handled as rows [N, D], whatever shape the model gives them.
 * Read next: gallery.c, which goes from image to image. */
#include "train/run.h"

#include <string.h>

bool tri_check_codes(const tr_tensor *codes, const char *what)
{
    if (tri_failed() || !tri_check_alive(codes, what)) return false;
    if (codes->dtype == TR_F32 && codes->rank == 2) return true;
    char text[240];
    tr_fail(TR_ERR_SHAPE, "%s: codes are %s, expected f32 [N, D]", what,
            tr_describe(codes, text, sizeof text));
    return false;
}

tr_shape tr_code_shape(tr_model *model)
{
    if (!tri_given(model, "code_shape: the model")) return TR_SCALAR;
    tr_shape shape = TR_SCALAR;
    if (tri_failed()) return shape;
    const bool       recording = tr_set_recording(false);
    tr_scope        *scope = tr_scope_push();
    const int64_t   *size = model->input.dim;
    const tr_tensor *z =
        tr_model_encode(model, tr_zeros(TR_F32, TR_SHAPE(1, size[0], size[1], size[2])));
    if (z != NULL) shape = tr_shape_of(z);
    tr_scope_pop(scope);
    tr_set_recording(recording);
    return shape;
}

tr_tensor *tr_decode_rows(tr_model *model, tr_tensor *codes)
{
    if (!tri_check_codes(codes, "decode_rows")) return NULL;
    enum { BATCH = 200 };
    tr_shape shape = tr_code_shape(model);
    if (shape.rank == 0 || codes == NULL) return NULL;
    const int64_t n = tr_dim(codes, 0), *size = model->input.dim;
    const bool    recording = tr_set_recording(false);
    tr_tensor    *images = tr_empty(TR_F32, TR_SHAPE(n, size[0], size[1], size[2]));
    for (int64_t i = 0; i < n && !tri_failed(); i += BATCH) {
        tr_scope *scope = tr_scope_push();
        shape.dim[0] = n - i < BATCH ? n - i : BATCH;
        tr_tensor       *z = tr_reshape(tr_slice(codes, 0, i, i + BATCH, 1), shape);
        const tr_tensor *x = tr_model_decode(model, z);
        if (x != NULL && x->dtype != TR_F32)
            tr_fail(TR_ERR_DTYPE, "decode_rows: the model gives %s, expected f32",
                    tr_dtype_name(x->dtype));
        if (x != NULL) x = tri_contiguous(x);
        if (x != NULL)
            memcpy((float *)images->data + i * model->pixels, x->data,
                   (size_t)(shape.dim[0] * model->pixels) * sizeof(float));
        tr_scope_pop(scope);
    }
    tr_set_recording(recording);
    return tri_failed() ? NULL : images;
}

tr_status tr_code_range(const tr_model *model, tr_tensor *codes, double *low, double *high)
{
    if (!tri_given(model, "code_range: the model") ||
        !tri_given(low, "code_range: the place for low") ||
        !tri_given(high, "code_range: the place for high") || !tri_check_codes(codes, "code_range"))
        return tr_status_get();
    const int64_t    n = tr_dim(codes, 0), d = tr_dim(codes, 1);
    const bool       prior = model->type->sample != NULL;
    tr_scope        *scope = tr_scope_push();
    const tr_tensor *rows = tri_contiguous(codes);
    double          *column = tr_scope_alloc((uint64_t)(n + 1) * sizeof *column);
    for (int64_t j = 0; j < d && !tri_failed(); j++) {
        for (int64_t i = 0; i < n && !prior; i++)
            column[i] = (double)((const float *)rows->data)[i * d + j];
        low[j] = prior ? -3 : tr_quantile(column, n, 0.01);
        high[j] = prior ? 3 : tr_quantile(column, n, 0.99);
    }
    tr_scope_pop(scope);
    return tr_status_get();
}

tr_tensor *tr_traverse(tr_model *model, tr_tensor *code, const int64_t *latent, int64_t count,
                       int64_t steps, const double *low, const double *high)
{
    if (!tri_given(model, "traverse: the model") ||
        !tri_given(latent, "traverse: the list of latents") || !tri_given(low, "traverse: low") ||
        !tri_given(high, "traverse: high") || !tri_check_alive(code, "traverse"))
        return NULL;
    if (tri_failed()) return NULL;
    const int64_t d = tr_numel(code);
    if (steps < 2 || count < 1) {
        tr_fail(TR_ERR_VALUE, "traverse: %lld latents in %lld steps; at least 1 and 2 are needed",
                (long long)count, (long long)steps);
        return NULL;
    }
    if (code->dtype != TR_F32) {
        tr_fail(TR_ERR_DTYPE, "traverse: the code is %s, expected f32", tr_dtype_name(code->dtype));
        return NULL;
    }
    const tr_shape shape = tr_code_shape(model);
    if (shape.rank == 0) return NULL;
    if (d != tri_shape_numel(shape)) {
        tr_fail(TR_ERR_SHAPE, "traverse: the code has %lld numbers, the model's have %lld",
                (long long)d, (long long)tri_shape_numel(shape));
        return NULL;
    }
    tr_tensor *z = tr_empty(TR_F32, TR_SHAPE(count * steps, d));
    for (int64_t i = 0; i < count * steps && z != NULL; i++) {
        const int64_t k = latent[i / steps];
        const double  t = (double)(i % steps) / (double)(steps - 1);
        float        *row = (float *)z->data + i * d;
        if (k < 0 || k >= d) {
            tr_fail(TR_ERR_VALUE, "traverse: latent %lld; the code has 0 .. %lld", (long long)k,
                    (long long)d - 1);
            return NULL;
        }
        if (tr_copy_out(code, row) != TR_OK) return NULL;
        row[k] = (float)(low[k] + t * (high[k] - low[k]));
    }
    return tr_decode_rows(model, z);
}

tr_tensor *tr_manifold(tr_model *model, int64_t size, const double *low, const double *high)
{
    if (!tri_given(model, "manifold: the model")) return NULL;
    const tr_shape shape = tr_code_shape(model);
    if (shape.rank == 0) return NULL;
    if (tri_shape_numel(shape) != 2) {
        tr_fail(
            TR_ERR_SHAPE,
            "manifold: the code of this model has %lld numbers; a map needs 2, such as those of "
            "a model trained with --set latent=2",
            (long long)tri_shape_numel(shape));
        return NULL;
    }
    if (size < 2) {
        tr_fail(TR_ERR_VALUE, "manifold: size is %lld, expected at least 2", (long long)size);
        return NULL;
    }
    if (model->type->sample == NULL &&
        (!tri_given(low, "manifold: low") || !tri_given(high, "manifold: high")))
        return NULL;
    tr_tensor *z = tr_empty(TR_F32, TR_SHAPE(size * size, 2));
    for (int64_t i = 0; i < size * size && z != NULL; i++) {
        const int64_t place[2] = { i % size, size - 1 - i / size };
        for (int k = 0; k < 2; k++) {
            const double t = (double)place[k] / (double)(size - 1);
            ((float *)z->data)[2 * i + k] =
                (float)(model->type->sample != NULL
                            ? tr_normal_quantile(((double)place[k] + 0.5) / (double)size)
                            : low[k] + t * (high[k] - low[k]));
        }
    }
    return tr_decode_rows(model, z);
}

tr_tensor *tr_mean_code(tr_tensor *codes, const tr_tensor *labels, int64_t label)
{
    if (!tri_check_codes(codes, "mean_code") || !tri_check_alive(labels, "mean_code")) return NULL;
    if (labels->dtype != TR_I64 || tr_numel(labels) != codes->shape[0]) {
        char text[240];
        tr_fail(TR_ERR_SHAPE, "mean_code: labels are %s, expected i64[%lld]",
                tr_describe(labels, text, sizeof text), (long long)codes->shape[0]);
        return NULL;
    }
    labels = tri_contiguous(labels);
    if (tri_failed() || codes == NULL || labels == NULL) return NULL;
    const int64_t    n = tr_dim(codes, 0), d = tr_dim(codes, 1);
    tr_tensor       *mean = tr_empty(TR_F32, TR_SHAPE(d));
    tr_scope        *scope = tr_scope_push();
    const tr_tensor *rows = tri_contiguous(codes);
    double          *sum = tr_scope_alloc((uint64_t)(d + 1) * sizeof *sum);
    int64_t          count = 0;
    for (int64_t i = 0; i < n && !tri_failed(); i++) {
        if (((const int64_t *)labels->data)[i] != label) continue;
        for (int64_t j = 0; j < d; j++) sum[j] += (double)((const float *)rows->data)[i * d + j];
        count++;
    }
    if (count == 0)
        tr_fail(TR_ERR_VALUE, "mean_code: no image of class %lld is there", (long long)label);
    for (int64_t j = 0; j < d && !tri_failed(); j++)
        ((float *)mean->data)[j] = (float)(sum[j] / (double)count);
    tr_scope_pop(scope);
    return tri_failed() ? NULL : mean;
}
