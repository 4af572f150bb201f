/* npy.c: a NumPy array as a dataset: one row, or one image, for each index of its first axis.
 *
 * Bytes are shown as value / 255, floating numbers as they are; those must be finite, since one NaN
 * would spread through a model and be found far from its origin.
 * Read next: dataset.c (tri_split_rows). */
#include "datasets/source.h"

#include "tensor/core.h"

#include <math.h>

/* f32 or f64 values as f32; an error names the first that is not finite. */
static const float *finite_floats(const char *path, const tr_tensor *t)
{
    int64_t n = tr_numel(t), row = n / t->shape[0];
    float  *out = t->dtype == TR_F32 ? t->data : tri_scratch((uint64_t)n * sizeof(float));
    for (int64_t i = 0; out && i < n; i++) {
        float value = t->dtype == TR_F32 ? out[i] : (float)((const double *)t->data)[i];
        if (!isfinite(value)) {
            tr_fail(TR_ERR_FILE, "%s: value %lld of row %lld is %g, expected finite numbers", path,
                    (long long)(i % row), (long long)(i / row), (double)value);
            return NULL;
        }
        out[i] = value;
    }
    return out;
}

tr_status tri_open_npy(tr_dataset *d, const char *argument, const tr_dataset_options *options)
{
    char text[128];
    if (!argument) return tr_fail(TR_ERR_VALUE, "npy: which file? expected npy:FILE");
    const tr_tensor *t = tr_load_npy(argument);
    if (!t) return tr_status_get();
    if (t->rank < 2 || t->rank > 4 || tr_numel(t) == 0)
        return tr_fail(TR_ERR_SHAPE,
                       "%s: holds %s, expected [N, D], [N, H, W] or [N, H, W, C] and no "
                       "size 0",
                       argument, tr_describe(t, text, sizeof text));
    if (t->dtype == TR_I64)
        return tr_fail(TR_ERR_DTYPE, "%s: holds %s, expected u8, f32 or f64", argument,
                       tr_describe(t, text, sizeof text));
    d->height = t->rank == 2 ? 1 : t->shape[1];
    d->width = t->rank == 2 ? t->shape[1] : t->shape[2];
    d->channels = t->rank == 4 ? t->shape[3] : 1;
    t = tri_contiguous(t);
    if (!t) return tr_status_get();
    tri_rows rows = { 0 };
    if (t->dtype == TR_U8)
        rows.bytes = t->data;
    else
        rows.values = finite_floats(argument, t);
    if (tri_failed()) return tr_status_get();
    return tri_split_rows(d, rows, t->shape[0], options->test_fraction);
}
