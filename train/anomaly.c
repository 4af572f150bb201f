/* anomaly.c: how badly a model explains an image: what it was not trained on it restores worse, or
 * finds less likely. Read next: score.c, which judges the scores. */
#include "train/uses.h"

#include "tensor/core.h"

/* Mean over known pixels of (x - reconstruction)^2: [N]; 0 where none is known. */
static tr_tensor *errors(tr_model *model, const tr_batch *b)
{
    tr_tensor *away =
        tr_sub(tr_model_reconstruct(model, b->x), b->target != NULL ? b->target : b->x);
    tr_tensor *square = tr_square(tr_flatten(away, 1));
    if (b->known == NULL) return tr_mean(square, TR_AXES(1), false);
    tr_tensor *known = tr_flatten(b->known, 1);
    tr_tensor *count = tr_maximum(tr_sum(known, TR_AXES(1), false), tr_scalar(TR_F32, 1));
    return tr_div(tr_sum(tr_mul(square, known), TR_AXES(1), false), count);
}

/* -ELBO = -E[ln p(x, z) - ln q(z|x)], z from q(z|x), as an average over samples: [N]. */
static tr_tensor *negative_elbos(tr_model *model, const tr_batch *b, int64_t samples, tr_rng rng)
{
    tr_model_set_target(model, b->target, b->known);
    tr_tensor *weights = model->type->log_weights(model, b->x, b->labels, samples, &rng);
    tr_model_set_target(model, NULL, NULL);
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
        tr_batch      b;
        if (tr_dataset_read(data, split, i, last, &b) == TR_OK) {
            const tr_rng rng = tr_rng_stream(o.seed, (uint64_t)i);
            const bool   by_error = o.kind == TR_SCORE_ERROR;
            tr_tensor   *batch =
                by_error ? errors(model, &b) : negative_elbos(model, &b, o.samples, rng);
            if (batch != NULL) tr_copy_out(tr_cast(batch, TR_F64), score + (i - begin));
        }
        tr_scope_pop(scope);
    }
    tr_set_recording(recording);
    return tr_status_get();
}
