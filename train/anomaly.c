/* anomaly.c: how badly a model explains an image: what it was not trained on it restores worse.
 *
 * A model gives its loss as an average over a batch. The ELBO of one image is had from a batch that
 * repeats it: an average over as many codes. Read next: score.c, which judges the scores. */
#include "train/run.h"

#include <math.h>

/* score[i] = mean over pixels of (x - reconstruction)^2, for a batch of images. */
static void score_errors(tr_model *model, tr_tensor *x, double *score)
{
    tr_tensor *away = tr_sub(tr_model_reconstruct(model, x), x);
    tr_copy_out(tr_cast(tr_mean(tr_square(tr_flatten(away, 1)), TR_AXES(1), false), TR_F64), score);
}

/* reconstruction + kl; the whole loss where a model names its terms otherwise. */
static double negative_elbo(const tr_terms *terms)
{
    tri_meter meter = { 0 };
    if (tri_failed() || tri_meter_add(&meter, terms, 1) != TR_OK) return (double)NAN;
    const double both = tr_metric(&meter.sums, "reconstruction") + tr_metric(&meter.sums, "kl");
    return isfinite(both) ? both : tr_metric(&meter.sums, "loss");
}

static double score_elbo(tr_model *model, tr_tensor *x, tr_tensor *label, int64_t samples,
                         tr_rng rng)
{
    tr_tensor *many = tr_repeat(x, TR_SHAPE(samples, 1, 1, 1));
    tr_tensor *labels = label != NULL ? tr_repeat(label, TR_SHAPE(samples)) : NULL;
    const tr_terms terms = tr_model_loss(model, many, labels, &rng);
    return negative_elbo(&terms);
}

static void score_batch(tr_model *model, const tr_dataset *data, tr_data_split split, int64_t begin,
                        int64_t end, const tr_anomaly_options *o, double *score)
{
    tr_tensor *x = tr_dataset_images(data, split, begin, end);
    tr_tensor *labels =
        data->classes > 0 ? tr_dataset_labels(data, split, begin, end) : NULL;
    if (o->kind == TR_SCORE_ERROR) {
        score_errors(model, x, score);
        return;
    }
    for (int64_t i = 0; i < end - begin && !tri_failed(); i++) {
        tr_scope *scope = tr_scope_push();
        score[i] = score_elbo(model, tr_narrow(x, 0, i, 1),
                              labels != NULL ? tr_narrow(labels, 0, i, 1) : NULL, o->samples,
                              tr_rng_stream(o->seed, (uint64_t)(begin + i)));
        tr_scope_pop(scope);
    }
}

tr_status tr_anomaly_scores(tr_model *model, const tr_dataset *data, tr_data_split split,
                            int64_t begin, int64_t end, const tr_anomaly_options *options,
                            double *score)
{
    enum { BATCH = 200, SAMPLES = 8 };
    if (tri_failed() || model == NULL) return tr_status_get();
    tr_anomaly_options o = options != NULL ? *options : (tr_anomaly_options){ 0 };
    const bool likelihood = model->type->unit == TR_PER_IMAGE;
    if (o.samples == 0) o.samples = SAMPLES;
    if (o.kind == TR_SCORE_AUTO) o.kind = likelihood ? TR_SCORE_ELBO : TR_SCORE_ERROR;
    if (o.kind == TR_SCORE_ELBO && !likelihood)
        return tr_fail(TR_ERR_VALUE, "anomaly: %s has no likelihood; score by the error instead",
                       model->type->name);
    const bool recording = tr_set_recording(false);
    for (int64_t i = begin; i < end && !tri_failed(); i += BATCH) {
        tr_scope *scope = tr_scope_push();
        score_batch(model, data, split, i, end - i < BATCH ? end : i + BATCH, &o,
                    score + (i - begin));
        tr_scope_pop(scope);
    }
    tr_set_recording(recording);
    return tr_status_get();
}
