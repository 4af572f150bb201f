/* fit.c: the training loop. One step is: loss of a batch, backward, Adam.
 *
 * A step is a function of weights, optimiser state, batch and step number: the batch follows from
 * (seed, epoch, position), the noise from (seed, step). So a training that goes on from a
 * checkpoint takes the very steps that it would have taken, and after the first step no step asks
 * for memory. A loss that is not finite stops the training before it reaches the weights' file; the
 * step is done again with every result searched, which names the operation. Read next:
 * checkpoint.c, evaluate.c. */
#include "train/run.h"

#include <math.h>
#include <string.h>
#include <time.h>

static const uint64_t STEP_STREAM = (uint64_t)1 << 62;

typedef struct loop {
    tr_run             *run;
    tr_loader          *loader;
    const tr_callbacks *calls;
    int64_t images, first_images; /* trained in this call; those before speed is measured */
    double  start, step_seconds;
    bool    searching; /* steps are taken again to find an operation */
} loop;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* --- Parts -------------------------------------------------------------------------------- */

static int64_t held_out(const tr_run *run)
{
    const double share = run->options.val_split;
    return share > 0 ? (int64_t)ceil(share * (double)run->dataset->count[TR_TRAIN]) : 0;
}

void tri_train_range(const tr_run *run, int64_t *begin, int64_t *end)
{
    *begin = 0;
    *end = run->dataset->count[TR_TRAIN] - held_out(run);
    if (run->options.limit > 0 && run->options.limit < *end) *end = run->options.limit;
}

tr_evaluate_options tri_val_part(const tr_run *run)
{
    const bool    own = run->options.val_split > 0;
    const int64_t n = run->dataset->count[TR_TRAIN];
    return (tr_evaluate_options){ .split = own ? TR_TRAIN : TR_TEST,
                                  .batch = run->options.batch,
                                  .begin = own ? n - held_out(run) : 0,
                                  .end = own ? n : 0,
                                  .limit = run->options.val_limit,
                                  .seed = run->options.seed };
}

/* --- A step ------------------------------------------------------------------------------- */

static tr_terms step_loss(const loop *l, const tr_batch *b)
{
    const tri_training *t = l->run->training;
    const int64_t       step = t->epoch * tr_loader_batches(l->loader) + t->position;
    tr_rng              rng = tr_rng_stream(l->run->options.seed, STEP_STREAM + (uint64_t)step);
    l->run->model->epoch = (double)step / (double)tr_loader_batches(l->loader);
    return tri_batch_loss(l->run->model, b, &rng);
}

static tr_status train_step(loop *l, const tr_batch *b);

static bool weights_are_finite(const tr_run *run)
{
    tr_scope           *scope = tr_scope_push();
    const tr_named_list list = tr_module_parameters(run->model->net);
    bool                finite = true;
    for (int64_t i = 0; i < list.count && finite; i++) {
        const tr_tensor *t = list.items[i].tensor;
        for (int64_t k = 0; k < tr_numel(t) && finite; k++)
            finite = isfinite(t->dtype == TR_F64 ? ((double *)t->data)[k]
                                                 : (double)((float *)t->data)[k]);
    }
    tr_scope_pop(scope);
    return finite;
}

/* Takes the steps since the last checkpoint again, until one fails. */
static void repeat_from_checkpoint(loop *l)
{
    tr_run   *run = l->run;
    tr_batch  b;
    tr_scope *scope = tr_scope_push();
    run->epochs_done = run->best_epoch = 0;
    tri_checkpoint_read(run, tri_run_path(run, TRI_CHECKPOINT));
    tr_loader_seek(l->loader, run->training->epoch, run->training->position);
    while (tr_loader_next(l->loader, &b) && train_step(l, &b) == TR_OK) run->training->position++;
    tr_scope_pop(scope);
}

/* The step again, with every result searched. Where the weights are spoiled already, a gradient
 * was: the steps that led here are taken again. Leaves its finding as the error. */
static void search(loop *l, const tr_batch *b)
{
    const bool before = tr_set_anomaly_detection(true);
    l->searching = true;
    if (weights_are_finite(l->run)) {
        tr_scope      *scope = tr_scope_push();
        const tr_terms terms = step_loss(l, b);
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
static tr_status fail_not_finite(loop *l, const tr_batch *b, double loss)
{
    const int64_t epoch = l->run->training->epoch + 1, step = l->run->training->position + 1;
    char          origin[320] = "no operation that could be found again";
    search(l, b);
    if (tr_error() != NULL) snprintf(origin, sizeof origin, "%s", tr_error());
    tr_error_clear();
    return tr_fail(TR_ERR_VALUE,
                   "train: the loss is %s in epoch %lld, step %lld; it began with %s; try a lower "
                   "learning rate than %g",
                   isnan(loss) ? "NaN" : "infinite", (long long)epoch, (long long)step, origin,
                   l->run->options.lr);
}

static tr_status train_step(loop *l, const tr_batch *b)
{
    tri_training  *t = l->run->training;
    tr_scope      *scope = tr_scope_push();
    const tr_terms terms = step_loss(l, b);
    if (!tri_failed()) {
        const double loss = tr_item(terms.loss);
        if (!isfinite(loss) && !l->searching) {
            fail_not_finite(l, b, loss);
        } else if (tr_backward(terms.loss) == TR_OK && tr_optimizer_step(t->optimizer) == TR_OK) {
            tri_meter_add(&t->meter, &terms, tr_dim(b->x, 0));
        }
    }
    tr_scope_pop(scope);
    return tr_status_get();
}

/* --- Progress ----------------------------------------------------------------------------- */

static void report_step(const loop *l)
{
    const tr_run       *run = l->run;
    const tri_training *t = run->training;
    if (l->calls->step == NULL) return;
    const int64_t steps = tr_loader_batches(l->loader);
    const double  done = (double)l->images, seconds = now() - l->start;
    const double  left = (double)((run->options.epochs - t->epoch) * tr_loader_images(l->loader)) -
                        (double)t->position * (double)run->options.batch;
    l->calls->step(l->calls->context,
                   &(tr_progress){ .epoch = t->epoch + 1,
                                   .epochs = run->options.epochs,
                                   .step = t->position,
                                   .steps = steps,
                                   .images = l->images,
                                   .loss = t->meter.sums.value[0] / t->meter.images,
                                   .images_per_second = done / l->step_seconds,
                                   .seconds = seconds,
                                   .seconds_left = left > 0 ? seconds / done * left : 0 });
}

static bool asked_to_stop(const loop *l)
{
    return l->calls->stop != NULL && l->calls->stop(l->calls->context);
}

/* --- An epoch ----------------------------------------------------------------------------- */

/* Trains from the present place to the end of the epoch; false where it has to end before. */
static bool train_part(loop *l)
{
    tr_run       *run = l->run;
    tri_training *t = run->training;
    tr_batch      b;
    for (;;) {
        const double from = now();
        if (!tr_loader_next(l->loader, &b) || train_step(l, &b) != TR_OK) break;
        const double seconds = now() - from;
        t->position++;
        t->seconds += seconds;
        t->train_seconds += seconds;
        l->step_seconds += seconds;
        l->images += tr_dim(b.x, 0);
        report_step(l);
        const int64_t every = run->options.checkpoint_every;
        const int64_t step = t->epoch * tr_loader_batches(l->loader) + t->position;
        if (asked_to_stop(l)) {
            tri_checkpoint_write(run);
            run->state = TR_RUN_INTERRUPTED;
            return false;
        }
        if (every > 0 && step % every == 0) tri_checkpoint_write(run);
    }
    return !tri_failed();
}

static tr_tensor *next_images(void *context)
{
    tr_batch b;
    return tr_loader_next(context, &b) ? b.x : NULL;
}

/* The same of a model that fits itself: a pass for its weights, another one for the row of the log.
 */
static bool fit_part(loop *l)
{
    tr_run       *run = l->run;
    tri_training *t = run->training;
    tr_batch      b;
    const double  from = now();
    const bool    recording = tr_set_recording(false);
    tr_model_fit(run->model, next_images, l->loader);
    tr_loader_seek(l->loader, t->epoch, 0);
    while (!tri_failed() && tr_loader_next(l->loader, &b)) {
        tr_scope      *scope = tr_scope_push();
        const tr_terms terms = step_loss(l, &b);
        if (!tri_failed()) tri_meter_add(&t->meter, &terms, tr_dim(b.x, 0));
        tr_scope_pop(scope);
        t->position++;
        l->images += tr_dim(b.x, 0);
    }
    tr_set_recording(recording);
    t->seconds = t->train_seconds = now() - from;
    l->step_seconds += t->seconds;
    return !tri_failed();
}

/* Validates, adds the row, begins the next epoch. Weights go before the checkpoint: if the machine
 * stops in between, the epoch is done again and gives the same weights. */
static tr_status finish_epoch(loop *l)
{
    tr_run                   *run = l->run;
    tri_training             *t = run->training;
    const double              from = now();
    const tr_evaluate_options part = tri_val_part(run);
    tr_epoch                  row = { .epoch = t->epoch + 1,
                                      .train = tri_meter_average(&t->meter),
                                      .lr = run->options.lr };
    if (run->dataset->count[part.split] > 0) tr_evaluate(run->model, run->dataset, &part, &row.val);
    row.seconds = t->seconds + now() - from;
    row.images_per_second = t->meter.images / t->train_seconds;
    if (tri_history_push(run, &row) != TR_OK) return tr_status_get();
    t->epoch++;
    t->position = 0;
    t->meter = (tri_meter){ 0 };
    t->seconds = t->train_seconds = 0;
    if (run->best_epoch == row.epoch) tri_best_keep(run);
    if (run->options.early_stop == 0 || run->best_epoch == row.epoch) tri_weights_write(run);
    tri_log_write(run);
    tri_checkpoint_write(run);
    if (!tri_failed() && l->calls->epoch != NULL)
        l->calls->epoch(l->calls->context, run, tr_run_last(run));
    return tr_status_get();
}

static tr_status train_epochs(loop *l)
{
    tr_run       *run = l->run;
    tri_training *t = run->training;
    while (!tri_failed() && t->epoch < run->options.epochs && !tri_patience_spent(run)) {
        tr_loader_seek(l->loader, t->epoch, t->position);
        const bool fitted = run->model->type->fit != NULL ? fit_part(l) : train_part(l);
        if (!fitted || finish_epoch(l) != TR_OK) return tr_status_get();
    }
    if (tri_failed()) return tr_status_get();
    run->state = t->epoch < run->options.epochs ? TR_RUN_STOPPED_EARLY : TR_RUN_FINISHED;
    if (run->best_epoch > 0) tri_best_swap(run);
    return tr_status_get();
}

tr_status tr_run_train(tr_run *run, const tr_callbacks *callbacks)
{
    static const tr_callbacks none = { 0 };
    if (tri_failed()) return tr_status_get();
    if (run->training->optimizer == NULL || run->dataset == NULL)
        return tr_fail(TR_ERR_STATE, "train: the run was opened %s",
                       run->dataset == NULL ? "without data; call tr_run_use_data first"
                                            : "for its weights only; open it with TR_OPEN_RESUME");
    tr_scope *scope = tr_scope_push();
    int64_t   begin, end;
    tri_train_range(run, &begin, &end);
    loop l = { .run = run, .calls = callbacks != NULL ? callbacks : &none, .start = now() };
    l.loader = tr_loader_new(run->dataset, &(tr_loader_options){ .split = TR_TRAIN,
                                                                 .batch = run->options.batch,
                                                                 .shuffle = true,
                                                                 .seed = run->options.seed,
                                                                 .begin = begin,
                                                                 .end = end });
    tr_module_set_training(run->model->net, true);
    if (run->training->best_shown) tri_best_swap(run);
    if (l.loader != NULL && tri_config_write(run) == TR_OK &&
        (run->state != TR_RUN_NEW || tri_checkpoint_write(run) == TR_OK))
        train_epochs(&l);
    tr_module_set_training(run->model->net, false);
    tr_scope_pop(scope);
    return tr_status_get();
}
