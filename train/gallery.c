/* gallery.c: what a model makes of images: chosen examples, pictures between two, codes of many.
 *
 * The model works in the mode that it is in, without recording; a run that was opened or has
 * trained is in evaluation mode. Read next: report.c, plane.c. */
#include "train/run.h"

#include <math.h>
#include <string.h>

/* --- Chosen images ------------------------------------------------------------------------ */

/* Positions in the test split of images of class 0, 1, ..., 0, 1, ...; just the first ones where a
 * class has no image left among those that are looked at. */
static void choose(const tr_dataset *d, int64_t count, int64_t *chosen)
{
    enum { LOOK_AT = 4000 };
    const int64_t  n = d->count[TR_TEST] < LOOK_AT ? d->count[TR_TEST] : LOOK_AT;
    tr_tensor     *labels = d->classes > 0 ? tr_dataset_labels(d, TR_TEST, 0, n) : NULL;
    bool          *used = tr_scope_alloc((uint64_t)n);
    const int64_t *label = labels != NULL ? labels->data : NULL;
    for (int64_t k = 0; used != NULL && k < count; k++) {
        int64_t at = -1;
        for (int64_t i = n - 1; i >= 0; i--)
            if (!used[i] && (label == NULL || label[i] == k % d->classes)) at = i;
        for (int64_t i = n - 1; at < 0 && i >= 0; i--)
            if (!used[i]) at = i;
        chosen[k] = at < 0 ? 0 : at;
        used[chosen[k]] = true;
    }
}

tr_tensor *tr_show_images(const tr_dataset *data, int64_t count)
{
    if (!tri_given(data, "show_images: the dataset")) return NULL;
    if (tri_failed()) return NULL;
    if (count > data->count[TR_TEST]) count = data->count[TR_TEST];
    const size_t bytes = (size_t)(data->height * data->width * data->channels) * sizeof(float);
    tr_tensor   *images =
        tr_empty(TR_F32, TR_SHAPE(count, data->height, data->width, data->channels));
    tr_scope *scope = tr_scope_push();
    int64_t  *chosen = tr_scope_alloc((uint64_t)(count + 1) * sizeof *chosen);
    if (chosen != NULL) choose(data, count, chosen);
    for (int64_t k = 0; k < count && !tri_failed(); k++) {
        const tr_tensor *one = tr_dataset_images(data, TR_TEST, chosen[k], chosen[k] + 1);
        if (one != NULL) memcpy((char *)images->data + (size_t)k * bytes, one->data, bytes);
    }
    tr_scope_pop(scope);
    return tri_failed() ? NULL : images;
}

/* --- Codes -------------------------------------------------------------------------------- */

tr_tensor *tr_encode_images(tr_model *model, const tr_dataset *data, tr_data_split split,
                            int64_t count)
{
    if (!tri_given(model, "encode_images: the model")) return NULL;
    enum { BATCH = 200 };
    if (tri_failed()) return NULL;
    if (count < 1) {
        tr_fail(TR_ERR_VALUE, "encode_images: count is %lld, expected 1 or more", (long long)count);
        return NULL;
    }
    const bool recording = tr_set_recording(false);
    tr_tensor *codes = NULL;
    tr_scope  *outer = tr_scope_push();
    for (int64_t i = 0; i < count && !tri_failed(); i += BATCH) {
        const int64_t n = i + BATCH < count ? BATCH : count - i;
        tr_scope     *scope = tr_scope_push();
        tr_tensor *z = tr_flatten(tr_model_encode(model, tr_dataset_images(data, split, i, i + n)),
                                  1); /* [n, D] */
        const tr_tensor *rows = z != NULL ? tri_contiguous(z) : NULL;
        if (rows != NULL && codes == NULL) {
            codes = tr_empty(TR_F32, TR_SHAPE(count, tr_dim(z, 1)));
            if (codes != NULL) codes = tr_scope_keep(codes);
        }
        const size_t row = (size_t)tr_dim(z, 1) * sizeof(float);
        if (codes != NULL && rows != NULL)
            memcpy((char *)codes->data + (size_t)i * row, rows->data, (size_t)n * row);
        tr_scope_pop(scope);
    }
    if (codes != NULL) codes = tr_scope_keep(codes);
    tr_scope_pop(outer);
    tr_set_recording(recording);
    return tri_failed() ? NULL : codes;
}

/* --- Between two -------------------------------------------------------------------------- */

/* Weights of the two ends at t, for codes p, q of d numbers. The great circle goes around the
 * origin; where the codes point the same way, or one is zero, it is the straight line. */
static void end_weights(const float *p, const float *q, int64_t d, double t, bool spherical,
                        double weight[2])
{
    weight[0] = 1 - t;
    weight[1] = t;
    if (!spherical) return;
    double pp = 0, qq = 0, pq = 0;
    for (int64_t i = 0; i < d; i++) {
        pp += (double)p[i] * (double)p[i];
        qq += (double)q[i] * (double)q[i];
        pq += (double)p[i] * (double)q[i];
    }
    if (!(pp > 0 && qq > 0)) return;
    const double angle = acos(fmax(-1, fmin(1, pq / sqrt(pp * qq))));
    if (sin(angle) < 1e-6) return;
    weight[0] = sin((1 - t) * angle) / sin(angle);
    weight[1] = sin(t * angle) / sin(angle);
}

static tr_tensor *codes_between(const tr_tensor *a, const tr_tensor *b, int64_t steps,
                                bool spherical)
{
    tr_shape      shape = tr_shape_of(a);
    const int64_t n = shape.dim[0], d = n > 0 ? tr_numel(a) / n : 0;
    shape.dim[0] = n * steps;
    tr_tensor *z = tr_empty(TR_F32, shape);
    for (int64_t row = 0; z != NULL && row < n * steps; row++) {
        const float *p = (const float *)a->data + row / steps * d;
        const float *q = (const float *)b->data + row / steps * d;
        float       *r = (float *)z->data + row * d;
        double       weight[2];
        end_weights(p, q, d, (double)(row % steps) / (double)(steps - 1), spherical, weight);
        for (int64_t i = 0; i < d; i++)
            r[i] = (float)(weight[0] * (double)p[i] + weight[1] * (double)q[i]);
    }
    return z;
}

tr_tensor *tr_interpolate(tr_model *model, tr_tensor *a, tr_tensor *b, int64_t steps,
                          bool spherical)
{
    if (!tri_given(model, "interpolate: the model")) return NULL;
    if (tri_failed()) return NULL;
    if (steps < 2) {
        tr_fail(TR_ERR_VALUE, "interpolate: steps is %lld, expected 2 or more", (long long)steps);
        return NULL;
    }
    if (!tri_check_alive(a, "interpolate") || !tri_check_alive(b, "interpolate")) return NULL;
    if (!tr_same_shape(a, b)) {
        tr_fail(TR_ERR_SHAPE, "interpolate: a and b must have the same shape");
        return NULL;
    }
    const bool recording = tr_set_recording(false);
    tr_scope  *scope = tr_scope_push();
    tr_tensor *p = tr_model_encode(model, a), *q = tr_model_encode(model, b);
    tr_tensor *pictures = NULL;
    if (p != NULL && q != NULL && (p->dtype != TR_F32 || q->dtype != TR_F32))
        tr_fail(TR_ERR_DTYPE, "interpolate: the codes are %s, expected f32",
                tr_dtype_name(p->dtype));
    if (!tri_failed())
        pictures = tr_model_decode(
            model, codes_between(tri_contiguous(p), tri_contiguous(q), steps, spherical));
    if (pictures != NULL) pictures = tr_scope_keep(pictures);
    tr_scope_pop(scope);
    tr_set_recording(recording);
    return pictures;
}
