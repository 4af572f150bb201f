/* norm.c: normalisation and dropout. All of the former are tr_standardize over one set of axes or
 * another, then a scale and a shift. */
#include "nn/norm.h"

#include "tensor/core.h"

static tr_tensor *scale_and_shift(tr_tensor *y, tr_tensor *scale, tr_tensor *shift)
{
    if (scale != NULL) y = tr_mul(y, scale);
    return shift != NULL ? tr_add(y, shift) : y;
}

/* False and an error where x has fewer axes than needed, or scale or shift is not [C]. */
static bool check(const tr_tensor *x, int axes, const tr_tensor *scale, const tr_tensor *shift,
                  const char *name)
{
    if (tri_failed() || !tri_check_alive(x, name)) return false;
    char given[240], other[240];
    if (x->rank < axes) {
        tr_fail(TR_ERR_SHAPE, "%s: %d or more axes are needed: x is %s", name, axes,
                tr_describe(x, given, sizeof given));
        return false;
    }
    const tr_tensor *const vectors[2] = { scale, shift };
    for (int i = 0; i < 2; i++) {
        const tr_tensor *v = vectors[i];
        if (v == NULL) continue;
        if (!tri_check_alive(v, name)) return false;
        if (v->rank == 1 && v->shape[0] == tr_dim(x, -1)) continue;
        tr_fail(TR_ERR_SHAPE, "%s: one value per channel is needed: x is %s, %s is %s", name,
                tr_describe(x, given, sizeof given), i == 0 ? "scale" : "shift",
                tr_describe(v, other, sizeof other));
        return false;
    }
    return true;
}

/* Axes first .. last - 1. */
static tr_shape axis_range(int first, int last)
{
    tr_shape axes = { 0 };
    for (int i = first; i < last; i++) axes.dim[axes.rank++] = i;
    return axes;
}

tr_tensor *tr_layer_norm(tr_tensor *x, tr_tensor *scale, tr_tensor *shift, double epsilon)
{
    TRI_FUNCTION("layer_norm", x, scale, shift);
    const int axes = tri_alive(scale) && scale->rank > 1 ? scale->rank : 1;
    if (!check(x, axes, NULL, NULL, "layer_norm")) return NULL;
    if (scale != NULL && !tri_check_alive(scale, "layer_norm")) return NULL;
    bool fits = true;
    for (int i = 1; scale != NULL && i <= axes; i++)
        fits = fits && tr_dim(x, -i) == tr_dim(scale, -i);
    if (!fits) {
        char given[240], other[240];
        tr_fail(TR_ERR_SHAPE, "layer_norm: the last sizes differ: x is %s, scale is %s",
                tr_describe(x, given, sizeof given), tr_describe(scale, other, sizeof other));
        return NULL;
    }
    tr_tensor *y = tr_standardize(x, axis_range(x->rank - axes, x->rank), epsilon, NULL, NULL);
    return scale_and_shift(y, scale, shift);
}

tr_tensor *tr_rms_norm(tr_tensor *x, tr_tensor *scale, double epsilon)
{
    TRI_FUNCTION("rms_norm", x, scale);
    if (!check(x, 1, scale, NULL, "rms_norm")) return NULL;
    tr_tensor *r = tr_rsqrt(tr_add_scalar(tr_mean(tr_square(x), TR_AXES(-1), true), epsilon));
    return scale_and_shift(tr_mul(x, r), scale, NULL);
}

tr_tensor *tr_group_norm(tr_tensor *x, int64_t groups, tr_tensor *scale, tr_tensor *shift,
                         double epsilon)
{
    TRI_FUNCTION("group_norm", x, scale, shift);
    if (!check(x, 2, scale, shift, "group_norm")) return NULL;
    const int64_t channels = tr_dim(x, -1), images = tr_dim(x, 0);
    if (groups < 1 || channels % groups != 0) {
        tr_fail(TR_ERR_VALUE, "group_norm: %lld groups do not divide %lld channels",
                (long long)groups, (long long)channels);
        return NULL;
    }
    int64_t positions = 1;
    for (int i = 1; i < x->rank - 1; i++) positions *= x->shape[i];
    tr_tensor *parts = tr_reshape(x, TR_SHAPE(images, positions, groups, channels / groups));
    tr_tensor *y = tr_standardize(parts, TR_AXES(1, 3), epsilon, NULL, NULL);
    return scale_and_shift(tr_reshape(y, tr_shape_of(x)), scale, shift);
}

tr_tensor *tr_instance_norm(tr_tensor *x, tr_tensor *scale, tr_tensor *shift, double epsilon)
{
    TRI_FUNCTION("instance_norm", x, scale, shift);
    if (!check(x, 3, scale, shift, "instance_norm")) return NULL;
    tr_tensor *y = tr_standardize(x, axis_range(1, x->rank - 1), epsilon, NULL, NULL);
    return scale_and_shift(y, scale, shift);
}

/* running += momentum (value - running), value in keepdim form. */
static void move_towards(tr_tensor *running, tr_tensor *value, double momentum)
{
    value = tr_reshape(value, tr_shape_of(running));
    tr_tensor *moved = tr_add(tr_scale(running, 1 - momentum), tr_scale(value, momentum));
    if (moved != NULL) tr_assign(running, moved);
}

static tr_tensor *standardize_batch(tr_tensor *x, const tr_batch_norm_state *s)
{
    const double count = (double)tr_numel(x) / (double)(tr_dim(x, -1) > 0 ? tr_dim(x, -1) : 1);
    if (count < 2) {
        char given[240];
        tr_fail(TR_ERR_SHAPE, "batch_norm: training needs more than one value per channel: x is %s",
                tr_describe(x, given, sizeof given));
        return NULL;
    }
    tr_tensor *mean, *variance;
    tr_tensor *y = tr_standardize(x, axis_range(0, x->rank - 1), s->epsilon, &mean, &variance);
    if (y == NULL) return NULL;
    const bool recording = tr_set_recording(false);
    move_towards(s->running_mean, mean, s->momentum);
    move_towards(s->running_var, tr_scale(variance, count / (count - 1)), s->momentum);
    tr_set_recording(recording);
    return y;
}

tr_tensor *tr_batch_norm(tr_tensor *x, const tr_batch_norm_state *s, bool training)
{
    if (!tri_given(s, "batch_norm: the state")) return NULL;
    TRI_FUNCTION("batch_norm", x);
    if (!check(x, 2, s->scale, s->shift, "batch_norm") ||
        !check(x, 2, s->running_mean, s->running_var, "batch_norm"))
        return NULL;
    if (training) return scale_and_shift(standardize_batch(x, s), s->scale, s->shift);
    /* one multiplication and one addition over x; the rest is of size [C] */
    tr_tensor *factor = tr_rsqrt(tr_add_scalar(s->running_var, s->epsilon));
    if (s->scale != NULL) factor = tr_mul(factor, s->scale);
    tr_tensor *term = tr_neg(tr_mul(s->running_mean, factor));
    if (s->shift != NULL) term = tr_add(term, s->shift);
    return tr_add(tr_mul(x, factor), term);
}

/* x times a mask of the given shape: 0 with probability `rate`, else 1 / (1 - rate). */
static tr_tensor *drop(tr_tensor *x, tr_shape shape, double rate, tr_rng *rng, const char *name)
{
    if (!(rate >= 0 && rate <= 1)) {
        tr_fail(TR_ERR_VALUE, "%s: the rate is %g, it lies in [0, 1]", name, rate);
        return NULL;
    }
    tr_tensor *u = tr_uniform(x->dtype, shape, rng);
    tr_tensor *kept =
        u == NULL ? NULL : tr_cast(tr_less_equal(tr_scalar(x->dtype, rate), u), x->dtype);
    return tr_mul(x, tr_scale(kept, rate < 1 ? 1 / (1 - rate) : 0));
}

tr_tensor *tr_dropout(tr_tensor *x, double rate, tr_rng *rng)
{
    TRI_FUNCTION("dropout", x);
    return check(x, 0, NULL, NULL, "dropout") ? drop(x, tr_shape_of(x), rate, rng, "dropout")
                                              : NULL;
}

tr_tensor *tr_channel_dropout(tr_tensor *x, double rate, tr_rng *rng)
{
    TRI_FUNCTION("channel_dropout", x);
    if (!check(x, 2, NULL, NULL, "channel_dropout")) return NULL;
    tr_shape shape = tr_shape_of(x);
    for (int i = 1; i < shape.rank - 1; i++) shape.dim[i] = 1;
    return drop(x, shape, rate, rng, "channel_dropout");
}
