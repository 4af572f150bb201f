/* checkpoint.c: weights and checkpoints, as safetensors files.
 *
 * A checkpoint is one file, so it is whole or not there: weights and buffers ("model." before their
 * names; those of the best epoch, "best.", where they are kept), the optimiser's state ("adam."),
 * the moving average ("ema."), and the place in the training: the next batch, the sums of the epoch
 * so far, the rows of the log ("training."). Random streams, learning rates and patience need no
 * state of their own: they follow from seed, step and log. Read next: fit.c. */
#include "train/run.h"

#include <string.h>

static const char MODEL_PREFIX[] = "model.", BEST_PREFIX[] = "best.";

enum {
    PLACE = 3,
    METER = 3 + TR_MAX_METRICS,
    ROW = 4 + 2 * TR_MAX_METRICS,
    WINDOW = 1 + TR_MAX_METRICS,
    STEP_ROW = 3 + TR_MAX_METRICS
};

/* --- Write -------------------------------------------------------------------------------- */

tr_status tri_weights_write(const tr_run *run)
{
    if (run->dir == NULL || tri_failed()) return tr_status_get();
    tr_scope   *scope = tr_scope_push();
    const char *metadata[] = { "format", "tenrec weights 1", "model", run->model->type->name,
                               NULL };
    tr_module_save(run->model->net, tri_run_path(run, "model.safetensors"), metadata);
    tr_scope_pop(scope);
    return tr_status_get();
}

static void push_state(tr_named_list *list, const char *prefix, const tr_named_list *state)
{
    char name[512];
    for (int64_t i = 0; i < state->count; i++) {
        snprintf(name, sizeof name, "%s%s", prefix, state->items[i].name);
        tr_named_push(list, name, state->items[i].tensor);
    }
}

static void push_training(tr_named_list *list, const tr_run *run)
{
    const tri_training *t = run->training;
    const int64_t       place[PLACE] = { t->epoch, t->position, run->best_epoch };
    double              meter[METER] = { t->meter.images, t->seconds, t->train_seconds };
    memcpy(meter + 3, t->meter.sums.value, sizeof t->meter.sums.value);
    tr_named_push(list, "training.place", tr_from(TR_I64, TR_SHAPE(PLACE), place));
    tr_named_push(list, "training.meter", tr_from(TR_F64, TR_SHAPE(METER), meter));
    const tr_metrics *m = run->epochs_done > 0 ? &run->history[0].train : &t->meter.sums;
    tr_named_push(list, "training.metrics",
                  tr_from(TR_U8, TR_SHAPE(m->count, TR_METRIC_NAME), m->name));
    tr_tensor *rows = tr_zeros(TR_F64, TR_SHAPE(run->epochs_done, ROW));
    for (int64_t i = 0; rows != NULL && i < run->epochs_done; i++) {
        const tr_epoch *e = &run->history[i];
        double         *row = (double *)rows->data + i * ROW;
        row[0] = e->lr;
        row[1] = e->seconds;
        row[2] = e->images_per_second;
        row[3] = e->val.count;
        memcpy(row + 4, e->train.value, sizeof e->train.value);
        memcpy(row + 4 + TR_MAX_METRICS, e->val.value, sizeof e->val.value);
    }
    tr_named_push(list, "training.log", rows);
}

/* With log_every: the sums since the last row, and the rows. */
static void push_steps(tr_named_list *list, const tr_run *run)
{
    const tri_meter *m = &run->training->window;
    double           window[WINDOW] = { m->images };
    if (run->options.log_every == 0) return;
    memcpy(window + 1, m->sums.value, sizeof m->sums.value);
    tr_named_push(list, "training.window", tr_from(TR_F64, TR_SHAPE(WINDOW), window));
    tr_tensor *rows = tr_zeros(TR_F64, TR_SHAPE(run->steps_logged, STEP_ROW));
    for (int64_t i = 0; rows != NULL && i < run->steps_logged; i++) {
        const tr_step *s = &run->steps[i];
        double        *row = (double *)rows->data + i * STEP_ROW;
        row[0] = (double)s->step;
        row[1] = s->epoch;
        row[2] = s->lr;
        memcpy(row + 3, s->train.value, sizeof s->train.value);
    }
    tr_named_push(list, "training.steps", rows);
}

tr_status tri_checkpoint_write(const tr_run *run)
{
    if (run->dir == NULL || tri_failed()) return tr_status_get();
    tr_scope           *scope = tr_scope_push();
    tr_named_list       list = { 0 };
    const tr_named_list state = tr_module_state(run->model->net);
    push_state(&list, MODEL_PREFIX, &state);
    push_state(&list, BEST_PREFIX, &run->training->best);
    tr_optimizer_state(run->training->optimizer, &list);
    if (run->training->ema != NULL) tr_ema_state(run->training->ema, &list);
    push_training(&list, run);
    push_steps(&list, run);
    const char *metadata[] = { "format", "tenrec checkpoint 1", "model", run->model->type->name,
                               NULL };
    tr_save_safetensors(tri_run_path(run, TRI_CHECKPOINT), &list, metadata);
    tr_scope_pop(scope);
    return tr_status_get();
}

/* --- The best epoch ----------------------------------------------------------------------- */

void tri_best_make(tr_run *run)
{
    const tr_named_list state = tr_module_state(run->model->net);
    for (int64_t i = 0; i < state.count && !tri_failed(); i++) {
        const tr_tensor *t = state.items[i].tensor;
        tr_named_push(&run->training->best, state.items[i].name,
                      tr_zeros(t->dtype, tr_shape_of(t)));
    }
}

void tri_best_keep(tr_run *run)
{
    tr_scope           *scope = tr_scope_push();
    const tr_named_list state = tr_module_state(run->model->net);
    for (int64_t i = 0; i < run->training->best.count && !tri_failed(); i++)
        tr_assign(run->training->best.items[i].tensor, state.items[i].tensor);
    tr_scope_pop(scope);
}

static void swap_best(tr_run *run)
{
    tr_scope           *scope = tr_scope_push();
    const tr_named_list state = tr_module_state(run->model->net);
    for (int64_t i = 0; i < run->training->best.count && !tri_failed(); i++) {
        tr_tensor *shown = state.items[i].tensor, *other = run->training->best.items[i].tensor;
        tr_tensor *copy = tr_zeros(shown->dtype, tr_shape_of(shown));
        tr_assign(copy, shown);
        tr_assign(shown, other);
        tr_assign(other, copy);
    }
    tr_scope_pop(scope);
}

void tri_result_swap(tr_run *run)
{
    tri_training *t = run->training;
    if (t->best.count > 0 && run->best_epoch > 0)
        swap_best(run);
    else if (t->ema != NULL)
        tr_ema_swap(t->ema);
    t->shown = !t->shown;
}

/* --- Read --------------------------------------------------------------------------------- */

/* The tensor of this name if it has this dtype and sizes (-1: any); else an error that says how to
 * go on. */
static const tr_tensor *get(const tr_named_list *list, const char *name, tr_dtype dtype,
                            tr_shape shape, const char *path)
{
    tr_tensor *t = tr_named_find(list, name);
    bool       fits = t != NULL && t->dtype == dtype && t->rank == shape.rank;
    for (int i = 0; fits && i < shape.rank; i++)
        fits = shape.dim[i] < 0 || shape.dim[i] == t->shape[i];
    if (fits) return t;
    tr_fail(TR_ERR_FILE, "%s: %s is %s; it is no checkpoint of this version: train again", path,
            name, t == NULL ? "missing" : "of another kind or size");
    return NULL;
}

static void read_row(tr_run *run, const double *row, const tr_metrics *names)
{
    tr_epoch e = { .epoch = run->epochs_done + 1, .train = *names, .val = *names };
    e.lr = row[0];
    e.seconds = row[1];
    e.images_per_second = row[2];
    memcpy(e.train.value, row + 4, sizeof e.train.value);
    memcpy(e.val.value, row + 4 + TR_MAX_METRICS, sizeof e.val.value);
    if (!(row[3] > 0)) e.val = (tr_metrics){ 0 };
    tri_history_push(run, &e);
}

static void read_steps(tr_run *run, const tr_named_list *list, const tr_metrics *names,
                       const char *path)
{
    tri_meter       *m = &run->training->window;
    const tr_tensor *window = get(list, "training.window", TR_F64, TR_SHAPE(WINDOW), path);
    const tr_tensor *rows = get(list, "training.steps", TR_F64, TR_SHAPE(-1, STEP_ROW), path);
    if (tri_failed()) return;
    const double *sums = window->data;
    *m = (tri_meter){ .images = sums[0] };
    if (m->images > 0) m->sums = *names;
    memcpy(m->sums.value, sums + 1, sizeof m->sums.value);
    for (int64_t i = 0; i < rows->shape[0]; i++) {
        const double *row = (const double *)rows->data + i * STEP_ROW;
        tr_step s = { .step = (int64_t)row[0], .epoch = row[1], .lr = row[2], .train = *names };
        memcpy(s.train.value, row + 3, sizeof s.train.value);
        tri_steps_push(run, &s);
    }
}

static void read_training(tr_run *run, const tr_named_list *list, const char *path)
{
    tri_training    *t = run->training;
    const tr_tensor *place = get(list, "training.place", TR_I64, TR_SHAPE(PLACE), path);
    const tr_tensor *meter = get(list, "training.meter", TR_F64, TR_SHAPE(METER), path);
    const tr_tensor *log = get(list, "training.log", TR_F64, TR_SHAPE(-1, ROW), path);
    const tr_tensor *names =
        get(list, "training.metrics", TR_U8, TR_SHAPE(-1, TR_METRIC_NAME), path);
    if (tri_failed()) return;
    const int64_t *at = place->data;
    const double  *sums = meter->data;
    if (names->shape[0] > TR_MAX_METRICS || at[0] != log->shape[0] || at[1] < 0) {
        tr_fail(TR_ERR_FILE, "%s: the place in the training does not fit the log: train again",
                path);
        return;
    }
    tr_metrics metrics = { .count = (int)names->shape[0] };
    for (int i = 0; i < metrics.count; i++) {
        memcpy(metrics.name[i], (const char *)names->data + i * TR_METRIC_NAME, TR_METRIC_NAME);
        metrics.name[i][TR_METRIC_NAME - 1] = '\0';
    }
    for (int64_t i = 0; i < log->shape[0]; i++)
        read_row(run, (const double *)log->data + i * ROW, &metrics);
    t->epoch = at[0];
    t->position = at[1];
    t->meter = (tri_meter){ .images = sums[0] };
    t->seconds = sums[1];
    t->train_seconds = sums[2];
    if (t->position > 0) t->meter.sums = metrics;
    memcpy(t->meter.sums.value, sums + 3, sizeof t->meter.sums.value);
    if (run->options.log_every > 0) read_steps(run, list, &metrics, path);
}

static tr_named_list take_state(const tr_named_list *list, const char *prefix)
{
    tr_named_list state = { 0 };
    const size_t  length = strlen(prefix);
    for (int64_t i = 0; i < list->count; i++)
        if (strncmp(list->items[i].name, prefix, length) == 0)
            tr_named_push(&state, list->items[i].name + length, list->items[i].tensor);
    return state;
}

/* The best epoch's weights go through the model, which checks them, before its own are read. */
static void read_best(tr_run *run, const tr_named_list *list, const char *path)
{
    const tr_named_list best = take_state(list, BEST_PREFIX);
    if (run->training->best.count == 0) return;
    if (tr_module_load_state(run->model->net, &best, path) == TR_OK) tri_best_keep(run);
}

tr_status tri_checkpoint_read(tr_run *run, const char *path)
{
    tr_scope     *scope = tr_scope_push();
    tr_named_list list = { 0 };
    if (tr_load_safetensors(path, &list) == TR_OK) {
        read_best(run, &list, path);
        const tr_named_list state = take_state(&list, MODEL_PREFIX);
        tr_module_load_state(run->model->net, &state, path);
        if (run->training->optimizer != NULL) tr_optimizer_load(run->training->optimizer, &list);
        if (run->training->ema != NULL) tr_ema_load(run->training->ema, &list);
        read_training(run, &list, path);
    }
    tri_error_in(path);
    tr_scope_pop(scope);
    return tr_status_get();
}
