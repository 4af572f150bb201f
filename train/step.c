/* step.c: one step of training: the gradient of some batches, clipped; Adam; the moving average.
 *
 * A step is a function of weights, optimiser state, batches and its number: the batches follow from
 * (seed, epoch, position), the noise from (seed, batch), the learning rate from the number. After
 * the first, no step asks for memory. A loss that is not finite stops the training; what led to it
 * is done again with every result searched, which names the operation. Read next: rate.c, fit.c. */
#include "train/run.h"

#include "autograd/autograd.h"

#include <math.h>

static const uint64_t STEP_STREAM = (uint64_t)1 << 62;

int64_t tri_steps_per_epoch(const tri_loop *l)
{
    const int64_t batches = tr_loader_batches(l->loader), k = l->run->options.accumulate;
    return k > 1 ? (batches + k - 1) / k : batches;
}

/* Steps begin at multiples of `accumulate`, so the place is that of a step. */
static int64_t step_in_epoch(const tri_loop *l)
{
    const int64_t position = l->run->training->position, k = l->run->options.accumulate;
    return k > 1 ? (position + k - 1) / k : position;
}

int64_t tri_steps_taken(const tri_loop *l)
{
    return l->run->training->epoch * tri_steps_per_epoch(l) + step_in_epoch(l);
}

tr_terms tri_step_loss(const tri_loop *l, const tr_batch *b)
{
    const tri_training *t = l->run->training;
    const int64_t       batch = t->epoch * tr_loader_batches(l->loader) + t->position;
    tr_rng              rng = tr_rng_stream(l->run->options.seed, STEP_STREAM + (uint64_t)batch);
    l->run->model->epoch = (double)batch / (double)tr_loader_batches(l->loader);
    return tri_batch_loss(l->run->model, b, &rng);
}

/* --- A loss that is not finite ------------------------------------------------------------ */

static bool weights_are_finite(const tr_run *run)
{
    const tr_named_list list = run->training->parameters;
    bool                finite = true;
    for (int64_t i = 0; i < list.count && finite; i++) {
        const tr_tensor *t = list.items[i].tensor;
        for (int64_t k = 0; k < tr_numel(t) && finite; k++)
            finite = isfinite(t->dtype == TR_F64 ? ((double *)t->data)[k]
                                                 : (double)((float *)t->data)[k]);
    }
    return finite;
}

/* Takes the steps since the last checkpoint again, until one fails. */
static void repeat_from_checkpoint(tri_loop *l)
{
    tr_run       *run = l->run;
    tri_training *t = run->training;
    tr_scope     *scope = tr_scope_push();
    tr_optimizer_clear(t->optimizer);
    run->epochs_done = run->best_epoch = run->steps_logged = 0;
    tri_checkpoint_read(run, tri_run_path(run, TRI_CHECKPOINT));
    tr_loader_seek(l->loader, t->epoch, t->position);
    while (!tri_failed() && t->position < tr_loader_batches(l->loader)) tri_train_step(l);
    tr_scope_pop(scope);
}

/* The step again, with every result searched. Where the weights are spoiled already, a gradient
 * was: the steps that led here are taken again. Leaves its finding as the error. */
static void search(tri_loop *l, const tr_batch *b)
{
    const bool before = tr_set_anomaly_detection(true);
    l->searching = true;
    if (weights_are_finite(l->run)) {
        tr_scope      *scope = tr_scope_push();
        const tr_terms terms = tri_step_loss(l, b);
        if (!tri_failed()) tr_backward(terms.loss);
        tr_scope_pop(scope);
    } else if (l->run->dir != NULL) {
        repeat_from_checkpoint(l);
    } else {
        tr_fail(TR_ERR_VALUE, "a gradient of the step before, which made weights not finite");
    }
    l->searching = false;
    tr_set_anomaly_detection(before);
}

/* An error that names the operation that first gave NaN or Inf. */
static tr_status fail_not_finite(tri_loop *l, const tr_batch *b, double loss)
{
    const int64_t k = l->run->options.accumulate, epoch = l->run->training->epoch + 1;
    const int64_t step = l->run->training->position / (k > 1 ? k : 1) + 1;
    char          origin[320] = "no operation that could be found again";
    search(l, b);
    if (tr_error() != NULL) snprintf(origin, sizeof origin, "%s", tr_error());
    tr_error_clear();
    return tr_fail(TR_ERR_VALUE,
                   "train: the loss is %s in epoch %lld, step %lld; it began with %s; try a lower "
                   "learning rate than %g",
                   isnan(loss) ? "NaN" : "infinite", (long long)epoch, (long long)step, origin,
                   tr_optimizer_lr(l->run->training->optimizer));
}

/* --- The step ----------------------------------------------------------------------------- */

/* Adds `share` times the gradient of a batch to what the parameters have. */
static tr_status add_gradient(tri_loop *l, const tr_batch *b, double share)
{
    tri_training  *t = l->run->training;
    tr_scope      *scope = tr_scope_push();
    const tr_terms terms = tri_step_loss(l, b);
    if (!tri_failed()) {
        const double loss = tr_item(terms.loss);
        if (!isfinite(loss) && !l->searching)
            fail_not_finite(l, b, loss);
        else if (tr_backward(share == 1 ? terms.loss : tr_scale(terms.loss, share)) == TR_OK) {
            tri_meter_add(&t->meter, &terms, tr_dim(b->x, 0));
            if (l->run->options.log_every > 0) tri_meter_add(&t->window, &terms, tr_dim(b->x, 0));
        }
    }
    tr_scope_pop(scope);
    return tr_status_get();
}

static tr_status update_weights(tri_loop *l, int64_t step)
{
    const tr_train_options *o = &l->run->options;
    tri_training           *t = l->run->training;
    if (o->clip_value > 0) tr_clip_grad_value(t->parameters, o->clip_value);
    if (o->clip_norm > 0) tr_clip_grad_norm(t->parameters, o->clip_norm);
    tr_optimizer_set_lr(t->optimizer, tri_rate(o, l->base_lr, step, tri_steps_per_epoch(l)));
    tr_optimizer_step(t->optimizer);
    if (t->ema != NULL) tr_ema_update(t->ema);
    return tr_status_get();
}

/* Each batch counts by its share of the step's images, so that the sum is the gradient of the mean
 * over all of them. */
tr_status tri_train_step(tri_loop *l)
{
    const tr_train_options *o = &l->run->options;
    tri_training           *t = l->run->training;
    const int64_t           step = tri_steps_taken(l), most = o->accumulate * o->batch;
    const int64_t           left = tr_loader_images(l->loader) - t->position * o->batch;
    const double            images = (double)(left < most ? left : most);
    tr_batch                b;
    for (int64_t i = 0; i < o->accumulate && t->position < tr_loader_batches(l->loader); i++) {
        if (!tr_loader_next(l->loader, &b)) return tr_status_get();
        const int64_t count = tr_dim(b.x, 0);
        if (add_gradient(l, &b, (double)count / images) != TR_OK) return tr_status_get();
        t->position++;
        l->images += count;
    }
    return update_weights(l, step);
}
