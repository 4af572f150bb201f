/* fit.c: the training loop: epochs of steps, and what is written between them.
 *
 * A place in the training is two numbers, epoch and batch, and everything that decides about it is
 * a function of options, place and log. So a training that goes on from a checkpoint takes the very
 * steps that it would have taken. Checkpoints, reports and hooks come between steps, never within
 * one. Read next: step.c, checkpoint.c, evaluate.c. */
#include "train/run.h"

#include <math.h>
#include <string.h>
#include <time.h>

double tri_now(void)
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

/* --- Hooks -------------------------------------------------------------------------------- */

static void call_step(const tri_loop *l)
{
    const tr_run       *run = l->run;
    const tri_training *t = run->training;
    if (l->calls->step == NULL) return;
    const int64_t steps = tri_steps_per_epoch(l);
    const double  done = (double)l->images, seconds = tri_now() - l->start;
    const double  left = (double)((run->options.epochs - t->epoch) * tr_loader_images(l->loader)) -
                        (double)t->position * (double)run->options.batch;
    l->calls->step(l->calls->context,
                   &(tr_progress){ .epoch = t->epoch + 1,
                                   .epochs = run->options.epochs,
                                   .step = tri_steps_taken(l) - t->epoch * steps,
                                   .steps = steps,
                                   .images = l->images,
                                   .loss = t->meter.sums.value[0] / t->meter.images,
                                   .images_per_second = done / l->step_seconds,
                                   .seconds = seconds,
                                   .seconds_left = left > 0 ? seconds / done * left : 0 });
}

static bool asked_to_stop(const tri_loop *l)
{
    return l->calls->stop != NULL && l->calls->stop(l->calls->context);
}

/* Every log_every steps: a row of steps.csv. */
static void log_steps(tri_loop *l)
{
    tr_run       *run = l->run;
    tri_training *t = run->training;
    const int64_t step = tri_steps_taken(l), every = run->options.log_every;
    if (every == 0 || step % every != 0) return;
    const tr_step row = { .step = step,
                          .epoch = (double)step / (double)tri_steps_per_epoch(l),
                          .train = tri_meter_average(&t->window),
                          .lr = tr_optimizer_lr(t->optimizer) };
    t->window = (tri_meter){ 0 };
    if (tri_steps_push(run, &row) == TR_OK && l->calls->log != NULL)
        l->calls->log(l->calls->context, run, &run->steps[run->steps_logged - 1]);
}

/* --- What is written ---------------------------------------------------------------------- */

static void save(tri_loop *l)
{
    tri_log_write(l->run);
    tri_checkpoint_write(l->run);
    l->saved = tri_now();
}

static bool is_time_to_save(const tri_loop *l)
{
    const tr_train_options *o = &l->run->options;
    if (o->checkpoint_every > 0 && tri_steps_taken(l) % o->checkpoint_every == 0) return true;
    return o->checkpoint_minutes > 0 && tri_now() - l->saved >= 60 * o->checkpoint_minutes;
}

/* Between the two calls the model has the weights that are validated and shown: the average. */
static void begin_showing(tri_loop *l)
{
    if (l->run->training->ema != NULL) tr_ema_swap(l->run->training->ema);
    tr_module_set_training(l->run->model->net, false);
}

static void end_showing(tri_loop *l)
{
    if (l->run->training->ema != NULL) tr_ema_swap(l->run->training->ema);
    tr_module_set_training(l->run->model->net, true);
}

/* The report of a training under way: not more often than every two seconds, nor for more than a
 * tenth of the time. */
static void watch(tri_loop *l)
{
    const double from = tri_now();
    if (!l->run->options.watch || l->run->dir == NULL) return;
    if (from - l->watched < fmax(2, 9 * l->watch_cost)) return;
    begin_showing(l);
    tr_run_report(l->run);
    end_showing(l);
    l->watched = tri_now();
    l->watch_cost = l->watched - from;
}

/* --- An epoch ----------------------------------------------------------------------------- */

/* Trains from the present place to the end of the epoch; false where it has to end before. */
static bool train_part(tri_loop *l)
{
    tr_run       *run = l->run;
    tri_training *t = run->training;
    while (!tri_failed() && t->position < tr_loader_batches(l->loader)) {
        const double from = tri_now();
        if (tri_train_step(l) != TR_OK) break;
        const double seconds = tri_now() - from;
        t->seconds += seconds;
        t->train_seconds += seconds;
        l->step_seconds += seconds;
        log_steps(l);
        call_step(l);
        if (asked_to_stop(l)) {
            save(l);
            run->state = TR_RUN_INTERRUPTED;
            return false;
        }
        if (is_time_to_save(l)) save(l);
        watch(l);
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
static bool fit_part(tri_loop *l)
{
    tr_run       *run = l->run;
    tri_training *t = run->training;
    tr_batch      b;
    const double  from = tri_now();
    const bool    recording = tr_set_recording(false);
    tr_model_fit(run->model, next_images, l->loader);
    tr_loader_seek(l->loader, t->epoch, 0);
    while (!tri_failed() && tr_loader_next(l->loader, &b)) {
        tr_scope      *scope = tr_scope_push();
        const tr_terms terms = tri_step_loss(l, &b);
        if (!tri_failed()) tri_meter_add(&t->meter, &terms, tr_dim(b.x, 0));
        tr_scope_pop(scope);
        t->position++;
        l->images += tr_dim(b.x, 0);
    }
    tr_set_recording(recording);
    t->seconds = t->train_seconds = tri_now() - from;
    l->step_seconds += t->seconds;
    return !tri_failed();
}

/* Validates the weights to use and keeps them, adds the row, begins the next epoch. Weights go
 * before the checkpoint: if the machine stops in between, the epoch is done again and gives the
 * same. */
static tr_status finish_epoch(tri_loop *l)
{
    tr_run                   *run = l->run;
    tri_training             *t = run->training;
    const double              from = tri_now();
    const tr_evaluate_options part = tri_val_part(run);
    tr_epoch                  row = { .epoch = t->epoch + 1,
                                      .train = tri_meter_average(&t->meter),
                                      .lr = tr_optimizer_lr(t->optimizer) };
    begin_showing(l);
    if (run->dataset->count[part.split] > 0) tr_evaluate(run->model, run->dataset, &part, &row.val);
    row.seconds = t->seconds + tri_now() - from;
    row.images_per_second = t->meter.images / t->train_seconds;
    if (tri_history_push(run, &row) != TR_OK) return tr_status_get();
    t->epoch++;
    t->position = 0;
    t->meter = (tri_meter){ 0 };
    t->seconds = t->train_seconds = 0;
    const bool best = run->best_epoch == row.epoch;
    if (best) tri_best_keep(run);
    if (best || !tri_keeps_best(&run->options)) tri_weights_write(run);
    end_showing(l);
    save(l);
    if (tri_failed() || l->calls->epoch == NULL) return tr_status_get();
    begin_showing(l);
    l->calls->epoch(l->calls->context, run, tr_run_last(run));
    end_showing(l);
    return tr_status_get();
}

static tr_status train_epochs(tri_loop *l)
{
    tr_run       *run = l->run;
    tri_training *t = run->training;
    while (!tri_failed() && t->epoch < run->options.epochs && !tri_patience_spent(run)) {
        l->base_lr = tri_rate_base(run);
        tr_loader_seek(l->loader, t->epoch, t->position);
        const bool fitted = run->model->type->fit != NULL ? fit_part(l) : train_part(l);
        if (!fitted || finish_epoch(l) != TR_OK) return tr_status_get();
        watch(l);
    }
    if (tri_failed()) return tr_status_get();
    run->state = t->epoch < run->options.epochs ? TR_RUN_STOPPED_EARLY : TR_RUN_FINISHED;
    return tr_status_get();
}

static tr_loader *make_loader(const tr_run *run)
{
    int64_t begin, end;
    tri_train_range(run, &begin, &end);
    return tr_loader_new(run->dataset, &(tr_loader_options){ .split = TR_TRAIN,
                                                             .batch = run->options.batch,
                                                             .shuffle = true,
                                                             .seed = run->options.seed,
                                                             .begin = begin,
                                                             .end = end });
}

/* From here to the end the model has the weights to use; a later call takes those to go on from. */
static void finish(tri_loop *l)
{
    tr_run *run = l->run;
    run->training->running = false;
    tr_module_set_training(run->model->net, false);
    if (tri_failed()) return;
    if (run->training->epoch > 0 || run->training->position > 0) tri_result_swap(run);
    if (run->options.watch && run->dir != NULL) tr_run_report(run);
}

tr_status tr_run_train(tr_run *run, const tr_callbacks *callbacks)
{
    if (!tri_given(run, "run_train: the run")) return tr_status_get();
    static const tr_callbacks none = { 0 };
    if (tri_failed()) return tr_status_get();
    if (run->training->optimizer == NULL || run->dataset == NULL)
        return tr_fail(TR_ERR_STATE, "train: the run was opened %s",
                       run->dataset == NULL ? "without data; call tr_run_use_data first"
                                            : "for its weights only; open it with TR_OPEN_RESUME");
    tr_scope    *scope = tr_scope_push();
    const double start = tri_now();
    tri_loop     l = { .run = run,
                       .loader = make_loader(run),
                       .calls = callbacks != NULL ? callbacks : &none,
                       .start = start,
                       .saved = start };
    tr_optimizer_clear(run->training->optimizer);
    if (run->training->shown) tri_result_swap(run);
    tr_module_set_training(run->model->net, true);
    run->training->running = true;
    if (l.loader != NULL && tri_config_write(run) == TR_OK &&
        (run->state != TR_RUN_NEW || tri_checkpoint_write(run) == TR_OK))
        train_epochs(&l);
    finish(&l);
    tr_scope_pop(scope);
    return tr_status_get();
}
