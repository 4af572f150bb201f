/* likelihood.c: ln p(x) of a model that knows a likelihood, by importance sampling: the logarithm
 * of the mean of p(x, z) / q(z|x) over codes drawn from q(z|x). Weights are kept as logarithms and
 * added up in parts, so that memory does not grow with their number. Read next: variational.c,
 * which gives the weights. */
#include "models/zoo.h"

#include <math.h>

/* Sums of exponentials, kept as their logarithm, over parts that fit in memory: the size of a part
 * follows from the shape of x alone. */
static void add_log_weights(tr_model *m, tr_tensor *x, tr_tensor *labels, int64_t samples,
                            tr_rng *rng, tr_tensor *total)
{
    const int64_t part = 1 + 2048 / (tr_dim(x, 0) + 1);
    for (int64_t done = 0; done < samples && !tri_failed(); done += part) {
        tr_scope     *scope = tr_scope_push();
        const int64_t k = samples - done < part ? samples - done : part;
        tr_tensor    *log_w = m->type->log_weights(m, x, labels, k, rng);
        tr_tensor    *sum = tr_logsumexp(log_w, TR_AXES(0), false);
        if (done > 0)
            sum = tr_logsumexp(tr_stack((tr_tensor *[]){ total, sum }, 2, 0), TR_AXES(0), false);
        tr_assign(total, sum);
        tr_scope_pop(scope);
    }
}

tr_tensor *tr_model_log_likelihood(tr_model *m, tr_tensor *x, tr_tensor *labels, int64_t samples,
                                   tr_rng *rng)
{
    if (!tri_check_batch(m, x, labels)) return NULL;
    if (m->type->log_weights == NULL || samples < 1) {
        if (samples < 1)
            tr_fail(TR_ERR_VALUE, "log_likelihood: samples is %lld; at least 1 is needed",
                    (long long)samples);
        else
            tr_fail(TR_ERR_STATE, "%s: gives pictures no likelihood; vae does", m->type->name);
        return NULL;
    }
    const bool recording = tr_set_recording(false);
    tr_tensor *total = tr_zeros(x->dtype, TR_SHAPE(tr_dim(x, 0)));
    add_log_weights(m, x, labels, samples, rng, total);
    tr_tensor *result = tr_add_scalar(total, -log((double)samples));
    tr_set_recording(recording);
    return result;
}
