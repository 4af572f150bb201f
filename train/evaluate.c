/* evaluate.c: averages of a model's loss terms over images.
 *
 * Values are averages over their batch; batches may differ in size, so sums are weighted by it, in
 * double precision and in order: the same bits each time.
 * Read next: fit.c. */
#include "train/run.h"

#include <math.h>
#include <string.h>

/* Streams of a seed: the loader uses 0 .. epochs for its orders, training steps those from 2^62 on.
 */
static const uint64_t EVALUATION_STREAM = (uint64_t)1 << 61;

tr_terms tri_batch_loss(tr_model *model, const tr_batch *b, tr_rng *rng)
{
    tr_model_set_target(model, b->target, b->known);
    const tr_terms terms = tr_model_loss(model, b->x, b->labels, rng);
    tr_model_set_target(model, NULL, NULL);
    return terms;
}

tr_status tri_meter_add(tri_meter *m, const tr_terms *terms, int64_t images)
{
    const double weight = (double)images;
    m->sums.count = terms->count + 1;
    for (int i = 0; i <= terms->count; i++) {
        const char *name = i == 0 ? "loss" : terms->name[i - 1];
        snprintf(m->sums.name[i], TR_METRIC_NAME, "%s", name);
        m->sums.value[i] += weight * tr_item(i == 0 ? terms->loss : terms->value[i - 1]);
    }
    m->images += weight;
    return tr_status_get();
}

tr_metrics tri_meter_average(const tri_meter *m)
{
    tr_metrics average = m->sums;
    for (int i = 0; i < average.count; i++) average.value[i] /= m->images;
    return average;
}

double tr_metric(const tr_metrics *metrics, const char *name)
{
    if (!tri_given(metrics, "metric: the metrics") || !tri_given(name, "metric: the name"))
        return (double)NAN;
    for (int i = 0; i < metrics->count; i++)
        if (strcmp(metrics->name[i], name) == 0) return metrics->value[i];
    return (double)NAN;
}

static void measure(tr_model *model, tr_loader *loader, uint64_t seed, tri_meter *meter)
{
    tr_batch b;
    for (uint64_t i = 0; tr_loader_next(loader, &b); i++) {
        tr_scope *scope = tr_scope_push();
        tr_rng    rng = tr_rng_stream(seed, EVALUATION_STREAM + i);
        tr_terms  terms = tri_batch_loss(model, &b, &rng);
        if (!tri_failed()) tri_meter_add(meter, &terms, tr_dim(b.x, 0));
        tr_scope_pop(scope);
    }
}

tr_status tr_evaluate(tr_model *model, const tr_dataset *data, const tr_evaluate_options *options,
                      tr_metrics *metrics)
{
    if (!tri_given(model, "evaluate: the model") || !tri_given(data, "evaluate: the dataset") ||
        !tri_given(metrics, "evaluate: the result"))
        return tr_status_get();
    *metrics = (tr_metrics){ 0 };
    if (tri_failed()) return tr_status_get();
    const tr_evaluate_options o = options != NULL ? *options : (tr_evaluate_options){ 0 };
    const bool                training = model->net->training;
    const bool                recording = tr_set_recording(false);
    tr_scope                 *scope = tr_scope_push();
    tr_module_set_training(model->net, false);
    tr_loader *loader = tr_loader_new(
        data, &(tr_loader_options){ .split = o.split,
                                    .batch = o.batch > 0 ? o.batch : model->type->batch,
                                    .begin = o.begin,
                                    .end = o.end,
                                    .limit = o.limit });
    tri_meter meter = { 0 };
    if (loader != NULL) measure(model, loader, o.seed, &meter);
    if (!tri_failed()) *metrics = tri_meter_average(&meter);
    tr_scope_pop(scope);
    tr_module_set_training(model->net, training);
    tr_set_recording(recording);
    return tr_status_get();
}
