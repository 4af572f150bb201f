/* anomaly.c: how badly a model explains an image: what it was not trained on it restores worse, or
 * finds less likely. Read next: score.c, which judges the scores. */
#include "train/uses.h"

#include "tensor/core.h"

/* Mean over pixels of (x - reconstruction)^2: [N]. */
static tr_tensor *errors(tr_model *model, tr_tensor *x)
{
    tr_tensor *away = tr_sub(tr_model_reconstruct(model, x), x);
    return tr_mean(tr_square(tr_flatten(away, 1)), TR_AXES(1), false);
}

/* -ELBO = -E[ln p(x, z) - ln q(z|x)], z from q(z|x), as an average over samples: [N]. */
static tr_tensor *negative_elbos(tr_model *model, tr_tensor *x, tr_tensor *labels, int64_t samples,
                                 tr_rng rng)
{
    tr_tensor *weights = model->type->log_weights(model, x, labels, samples, &rng);
    return tr_neg(tr_mean(weights, TR_AXES(0), false));
}

tr_status tr_anomaly_scores(tr_model *model, const tr_dataset *data, tr_data_split split,
                            int64_t begin, int64_t end, const tr_anomaly_options *options,
                            double *score)
{
    if (!tri_given(model, "anomaly_scores: the model") ||
        !tri_given(data, "anomaly_scores: the dataset") ||
        !tri_given(score, "anomaly_scores: the place for scores"))
        return tr_status_get();
    enum { BATCH = 200, SAMPLES = 8 };
    if (tri_failed()) return tr_status_get();
    tr_anomaly_options o = options != NULL ? *options : (tr_anomaly_options){ 0 };
    const bool         likelihood = model->type->log_weights != NULL;
    if (o.samples == 0) o.samples = SAMPLES;
    if (o.kind == TR_SCORE_AUTO) o.kind = likelihood ? TR_SCORE_ELBO : TR_SCORE_ERROR;
    if (o.kind == TR_SCORE_ELBO && !likelihood)
        return tr_fail(TR_ERR_VALUE, "anomaly: %s has no likelihood; score by the error instead",
                       model->type->name);
    const bool recording = tr_set_recording(false);
    for (int64_t i = begin; i < end && !tri_failed(); i += BATCH) {
        const int64_t last = end - i < BATCH ? end : i + BATCH;
        tr_scope     *scope = tr_scope_push();
        tr_tensor    *x = tr_dataset_images(data, split, i, last);
        tr_tensor    *labels = data->classes > 0 ? tr_dataset_labels(data, split, i, last) : NULL;
        tr_tensor    *batch =
            o.kind == TR_SCORE_ERROR
                   ? errors(model, x)
                   : negative_elbos(model, x, labels, o.samples,
                                    tr_rng_stream(o.seed, (uint64_t)i));
        if (batch != NULL) tr_copy_out(tr_cast(batch, TR_F64), score + (i - begin));
        tr_scope_pop(scope);
    }
    tr_set_recording(recording);
    return tr_status_get();
}
