/* test_schedule.c: what can be asked of a training beyond its length: learning rates over time,
 * clipping, the moving average, accumulated gradients, rows of steps, the best epoch. Each does
 * what it says, measured against the update rule by hand; and a training with any of them,
 * interrupted and gone on with, ends with the same bits. */
#include "train/run.h"
#include "tests/files.h"
#include "tests/small.h"
#include "tests/suite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LIMIT = 100, BATCH = 20, EPOCHS = 3, STEPS = LIMIT / BATCH };

static void setup(void)
{
    enter_folder();
    tr_set_threads(1);
}

static const tr_train_options small = {
    .epochs = EPOCHS, .batch = BATCH, .limit = LIMIT, .val_limit = 40, .seed = 7
};

static tr_tensor *first_weight(const tr_run *run)
{
    return run->training->parameters.items[0].tensor;
}

/* --- A model whose gradient is known: loss = slope of the step times w ------------------------ */

static tr_status plain_build(tr_model *m)
{
    static const tr_module_type type = { .name = "plain" };
    m->net = tr_module_new(&type, 0);
    tr_module_add_parameter(m->net, "weight", TR_SHAPE(2));
    return tr_status_get();
}

/* d loss / dw = (3, -4) in training: a norm of 5. The validation loss is what a test wants. */
static double validation_loss;

static tr_terms plain_loss(tr_model *m, tr_tensor *x, tr_tensor *labels, tr_rng *rng)
{
    static const float slope[2] = { 3, -4 };
    tr_tensor         *w = m->net->parameters.items[0].tensor;
    tr_tensor *value = tr_sum(tr_mul(w, tr_from(TR_F32, TR_SHAPE(2), slope)), TR_ALL_AXES, false);
    (void)x;
    (void)labels;
    (void)rng;
    if (!m->net->training) value = tr_add_scalar(tr_scale(value, 0), validation_loss);
    return (tr_terms){ .loss = value };
}

static tr_tensor *plain_map(tr_model *m, tr_tensor *x)
{
    (void)m;
    return x;
}

static const tr_option     plain_options[] = { { 0 } };
static const tr_model_type plain_type = { .name = "plain",
                                          .summary = "a model for a test",
                                          .source = "none",
                                          .options = plain_options,
                                          .batch = BATCH,
                                          .epochs = EPOCHS,
                                          .lr = 0.01,
                                          .build = plain_build,
                                          .loss = plain_loss,
                                          .encode = plain_map,
                                          .decode = plain_map };

static tr_run *plain_run(const char *dir, const tr_train_options *o)
{
    tr_model *model = tr_model_new(&plain_type, NULL, TR_SHAPE(28, 28, 1), 10, 1);
    return tr_run_new(dir, model, tr_dataset_open("digits", NULL), o);
}

/* --- Interrupted and gone on with ---------------------------------------------------------------
 */

typedef struct stopper {
    int64_t steps, seen;
} stopper;

static void count_step(void *context, const tr_progress *p)
{
    (void)p;
    ((stopper *)context)->seen++;
}

static bool stop(void *context)
{
    const stopper *s = context;
    return s->seen == s->steps;
}

static void train_until(tr_run *run, int64_t steps)
{
    stopper s = { .steps = steps };
    tr_run_train(run, &(tr_callbacks){ .context = &s, .step = count_step, .stop = stop });
    expect_ok();
    ck_assert_int_eq(run->state, TR_RUN_INTERRUPTED);
}

static const tr_train_options asked[] = {
    { .schedule = TR_RATE_STEP, .lr_every = 1, .lr_factor = 0.5 },
    { .schedule = TR_RATE_EXPONENTIAL, .warmup = 3, .lr_min = 1e-4 },
    { .schedule = TR_RATE_COSINE, .warmup = 2, .lr_min = 1e-5 },
    { .schedule = TR_RATE_PLATEAU, .lr_every = 1, .lr_factor = 0.3, .lr = 0.1 },
    { .clip_norm = 0.01, .clip_value = 0.001 },
    { .ema = 0.8 },
    { .ema = 0.8, .keep_best = true, .lr = 0.05 },
    { .accumulate = 2 },
    { .accumulate = 3, .log_every = 1, .clip_norm = 0.1, .ema = 0.5 },
    { .log_every = 3 },
    { .early_stop = 1, .lr = 0.2, .schedule = TR_RATE_COSINE },
    { .checkpoint_every = 2, .log_every = 2 },
    { .checkpoint_minutes = 1e-9 },
    { .watch = true, .ema = 0.7 },
};
enum { ASKED = (int)(sizeof asked / sizeof *asked) };

static tr_train_options with(const tr_train_options *more)
{
    tr_train_options o = *more;
    o.epochs = EPOCHS;
    o.batch = BATCH;
    o.limit = LIMIT - 7; /* the last batch and the last step of an epoch are not full */
    o.val_limit = 40;
    o.seed = 7;
    return o;
}

/* Stopped in the first epoch, within the second, and once more; each time opened afresh. */
START_TEST(resuming_gives_the_same_bits)
{
    static const int64_t   stops[] = { 1, 3, 2 };
    const tr_train_options o = with(&asked[_i]);
    const char            *whole = "whole", *parts = "parts";
    tr_run_train(small_run(tr_model_find("vae"), whole, &o), NULL);
    expect_ok();
    for (int i = 0; i < 3; i++) {
        tr_scope *scope = tr_scope_push();
        tr_run   *run = i == 0 ? small_run(tr_model_find("vae"), parts, &o)
                               : tr_run_open(parts, NULL, TR_OPEN_RESUME);
        expect_ok();
        if (i > 0) tr_run_use_data(run, NULL);
        train_until(run, stops[i]);
        tr_scope_pop(scope);
    }
    tr_run *last = tr_run_open(parts, NULL, TR_OPEN_RESUME);
    tr_run_use_data(last, NULL);
    tr_run_train(last, NULL);
    expect_ok();
    assert_same_file(whole, parts, "model.safetensors");
    if (o.log_every > 0) assert_same_file(whole, parts, "steps.csv");
    assert_same_file(whole, parts, "config.json");
}
END_TEST

/* What only watches, logs or saves does not change what is trained. */
START_TEST(looking_changes_nothing)
{
    static const tr_train_options looks[] = { { .log_every = 1 },
                                              { .watch = true },
                                              { .checkpoint_every = 1 } };
    const tr_train_options        none = with(&(tr_train_options){ 0 }), look = with(&looks[_i]);
    tr_run_train(small_run(tr_model_find("vae"), "plain", &none), NULL);
    stopper s = { .steps = -1 };
    tr_run_train(small_run(tr_model_find("vae"), "look", &look),
                 &(tr_callbacks){ .context = &s, .step = count_step, .stop = stop });
    expect_ok();
    assert_same_file("plain", "look", "model.safetensors");
}
END_TEST

/* --- What is asked for is done ------------------------------------------------------------------
 */

/* Adam's first step is lr wherever the gradient is not 0, and so is each with a constant one. */
START_TEST(warmup_and_cosine_set_the_steps)
{
    tr_train_options o = small;
    o.epochs = 2;
    o.lr = 0.01;
    o.schedule = TR_RATE_COSINE;
    o.warmup = 2;
    o.log_every = 1;
    tr_run      *run = plain_run(NULL, &o);
    const double before = (double)((float *)first_weight(run)->data)[0];
    tr_run_train(run, NULL);
    expect_ok();
    double sum = 0;
    ck_assert_int_eq(run->steps_logged, 2 * STEPS);
    for (int t = 0; t < 2 * STEPS; t++) {
        const double lr = t < 2
                              ? 0.01 * (t + 1) / 3
                              : 0.01 * (1 + cos(3.14159265358979 * (t - 2) / (2 * STEPS - 2))) / 2;
        ck_assert_double_eq_tol(run->steps[t].lr, lr, 1e-12);
        ck_assert_int_eq(run->steps[t].step, t + 1);
        ck_assert_double_eq_tol(run->steps[t].epoch, (t + 1) / (double)STEPS, 1e-12);
        sum += lr;
    }
    ck_assert_double_eq_tol((double)((float *)first_weight(run)->data)[0], before - sum, 1e-6);
    ck_assert_double_eq(run->history[1].lr, run->steps[2 * STEPS - 1].lr);
}
END_TEST

START_TEST(step_and_exponential_fall_with_epochs)
{
    tr_train_options o = small;
    o.lr = 0.01;
    o.schedule = TR_RATE_STEP;
    tr_run *run = plain_run(NULL, &o);
    ck_assert_int_eq(run->options.lr_every, 1);
    tr_run_train(run, NULL);
    for (int e = 0; e < EPOCHS; e++)
        ck_assert_double_eq_tol(run->history[e].lr, 0.01 * pow(0.1, e), 1e-12);
    o.schedule = TR_RATE_EXPONENTIAL;
    o.lr_factor = 0.5;
    o.log_every = STEPS;
    run = plain_run(NULL, &o);
    tr_run_train(run, NULL);
    expect_ok();
    for (int e = 0; e < EPOCHS; e++) /* of the last step of the epoch */
        ck_assert_double_eq_tol(run->steps[e].lr, 0.01 * pow(0.5, e + 1 - 1.0 / STEPS), 1e-12);
}
END_TEST

static void worsen(void *context, const tr_run *run, const tr_epoch *row)
{
    (void)context;
    (void)run;
    validation_loss = row->epoch < 2 ? 1 : 2;
}

/* Validation losses 3, 1, 2, 2, 2, 2: two bad epochs after the second, and two more. */
START_TEST(plateau_waits_for_the_loss)
{
    static const double rates[] = { 1, 1, 1, 1, 0.5, 0.5, 0.25 };
    tr_train_options    o = small;
    o.epochs = 7;
    o.lr = 0.01;
    o.schedule = TR_RATE_PLATEAU;
    o.lr_every = 2;
    o.lr_factor = 0.5;
    validation_loss = 3;
    tr_run *run = plain_run(NULL, &o);
    tr_run_train(run, &(tr_callbacks){ .epoch = worsen });
    expect_ok();
    for (int e = 0; e < 7; e++) ck_assert_double_eq_tol(run->history[e].lr, 0.01 * rates[e], 1e-12);
}
END_TEST

/* The gradient is (3, -4); Adam's first moment after one step is a tenth of it. */
START_TEST(gradients_are_clipped)
{
    static const double norms[] = { 0, 1, 0, 2 }, values[] = { 0, 0, 3.5, 3.5 };
    double              g[2] = { 3, -4 };
    if (values[_i] > 0) g[1] = -values[_i];
    if (norms[_i] > 0) {
        const double norm = hypot(g[0], g[1]);
        for (int k = 0; k < 2; k++) g[k] *= norms[_i] / norm;
    }
    tr_train_options o = small;
    o.clip_norm = norms[_i];
    o.clip_value = values[_i];
    tr_run *run = plain_run(NULL, &o);
    train_until(run, 1);
    tr_named_list state = { 0 };
    tr_optimizer_state(run->training->optimizer, &state);
    const float *m = tr_named_find(&state, "adam.m.weight")->data;
    for (int k = 0; k < 2; k++) ck_assert_double_eq_tol((double)m[k], 0.1 * g[k], 1e-6);
}
END_TEST

/* Weights fall by lr a step, so the average after t steps is known. It is what is saved and used;
 * the checkpoint has both. */
START_TEST(the_average_is_what_is_used)
{
    tr_train_options o = small;
    o.epochs = 1;
    o.lr = 0.01;
    o.ema = 0.6;
    tr_run      *run = plain_run("run", &o);
    const double start = (double)((float *)first_weight(run)->data)[0];
    double       mean = start;
    tr_run_train(run, NULL);
    expect_ok();
    for (int t = 1; t <= STEPS; t++) mean = 0.6 * mean + 0.4 * (start - 0.01 * t);
    tr_named_list saved = { 0 }, checkpoint = { 0 };
    tr_load_safetensors("run/model.safetensors", &saved);
    tr_load_safetensors("run/" TRI_CHECKPOINT, &checkpoint);
    expect_ok();
    const float *used = tr_named_find(&saved, "weight")->data, *shown = first_weight(run)->data;
    const float *last = tr_named_find(&checkpoint, "model.weight")->data;
    const float *average = tr_named_find(&checkpoint, "ema.weight")->data;
    ck_assert_double_eq_tol((double)used[0], mean, 1e-6);
    ck_assert_double_eq((double)used[0], (double)shown[0]);
    ck_assert_double_eq((double)used[0], (double)average[0]);
    ck_assert_double_eq_tol((double)last[0], start - 0.01 * STEPS, 1e-6);
}
END_TEST

/* Five batches of 20 give the gradient of one of 100, and so the same step; the last one of an
 * epoch takes the three that are left. In f32 sums differ in their last bits. */
START_TEST(accumulated_batches_are_one)
{
    tr_train_options o = small;
    o.epochs = 1;
    o.limit = 160;
    o.batch = 100;
    tr_run *large = small_run(tr_model_find("undercomplete"), NULL, &o);
    o.batch = 20;
    o.accumulate = 5;
    tr_run *small_batches = small_run(tr_model_find("undercomplete"), NULL, &o);
    for (int i = 0; i < 2; i++) {
        tr_run *run = i == 0 ? large : small_batches;
        stopper s = { .steps = -1 };
        tr_run_train(run, &(tr_callbacks){ .context = &s, .step = count_step });
        expect_ok();
        ck_assert_int_eq(s.seen, 2);
        ck_assert_int_eq(tr_optimizer_steps(run->training->optimizer), 2);
    }
    tr_named_list a = { 0 }, b = { 0 };
    tr_optimizer_state(large->training->optimizer, &a);
    tr_optimizer_state(small_batches->training->optimizer, &b);
    int moments = 0;
    for (int64_t i = 0; i < a.count; i++) {
        if (strncmp(a.items[i].name, "adam.m.", 7) != 0) continue;
        const float *x = a.items[i].tensor->data, *y = b.items[i].tensor->data;
        double       difference = 0, size = 0;
        for (int64_t k = 0; k < tr_numel(a.items[i].tensor); k++) {
            difference += (double)(x[k] - y[k]) * (double)(x[k] - y[k]);
            size += (double)x[k] * (double)x[k];
        }
        ck_assert_double_lt(difference, 1e-10 * size);
        moments++;
    }
    ck_assert_int_gt(moments, 0);
    ck_assert_double_eq_tol(large->history[0].train.value[0],
                            small_batches->history[0].train.value[0], 1e-5);
}
END_TEST

START_TEST(the_best_epoch_is_kept_without_stopping)
{
    tr_train_options o = small;
    o.lr = 0.01;
    o.keep_best = true;
    validation_loss = 3;
    tr_run      *run = plain_run("run", &o);
    const double start = (double)((float *)first_weight(run)->data)[0];
    tr_run_train(run, &(tr_callbacks){ .epoch = worsen });
    expect_ok();
    ck_assert_int_eq(run->state, TR_RUN_FINISHED);
    ck_assert_int_eq(run->best_epoch, 2);
    tr_named_list saved = { 0 };
    tr_load_safetensors("run/model.safetensors", &saved);
    const float *w = tr_named_find(&saved, "weight")->data;
    ck_assert_double_eq_tol((double)w[0], start - 0.01 * 2 * STEPS, 1e-6);
}
END_TEST

static int64_t logged;

static void on_log(void *context, const tr_run *run, const tr_step *row)
{
    (void)context;
    logged++;
    ck_assert_int_eq(run->steps_logged, logged);
    ck_assert_int_eq(row->step, 2 * logged);
}

/* Rows are averages over the images of their steps: those of an epoch average to its own. */
START_TEST(rows_of_steps_average_to_the_epoch)
{
    tr_train_options o = small;
    o.epochs = 1;
    o.limit = 4 * BATCH;
    o.log_every = 2;
    logged = 0;
    tr_run *run = small_run(tr_model_find("undercomplete"), "run", &o);
    tr_run_train(run, &(tr_callbacks){ .log = on_log });
    expect_ok();
    ck_assert_int_eq(logged, 2);
    const double mean = (run->steps[0].train.value[0] + run->steps[1].train.value[0]) / 2;
    ck_assert_double_eq_tol(mean, run->history[0].train.value[0], 1e-9);
    int64_t     count = 0;
    const char *csv = tri_read_file("run/steps.csv", 1 << 20, &count);
    const char *head = "step,epoch,train_loss,train_reconstruction,lr\n2,0.5,";
    ck_assert_int_eq(strncmp(csv, head, strlen(head)), 0);
}
END_TEST

static void count_allocations(void *context, const tr_progress *p)
{
    int64_t      *seen = context; /* steps, allocations */
    const int64_t now = tr_memory().allocations;
    (void)p;
    if (++seen[0] > 1) ck_assert_int_eq(now, seen[1]);
    seen[1] = now;
}

START_TEST(steps_allocate_nothing)
{
    tr_train_options o = small;
    int64_t          seen[2] = { 0 };
    o.epochs = 1;
    o.accumulate = 2;
    o.limit = 16 * BATCH;
    o.clip_norm = 0.01;
    o.clip_value = 0.1;
    o.ema = 0.9;
    o.schedule = TR_RATE_COSINE;
    tr_run_train(small_run(tr_model_find("vae"), NULL, &o),
                 &(tr_callbacks){ .context = seen, .step = count_allocations });
    expect_ok();
    ck_assert_int_eq(seen[0], 8);
}
END_TEST

/* --- What goes wrong ----------------------------------------------------------------------------
 */

START_TEST(what_makes_no_sense_is_an_error)
{
    static const struct {
        const char      *model;
        tr_train_options o;
        const char      *message;
    } cases[] = {
        { "vae", { .ema = 1 }, "train: ema is 1, expected 0 .. 0.999999" },
        { "vae", { .clip_norm = -1 }, "train: clip_norm is -1, expected 0 .. 1e+12" },
        { "vae", { .accumulate = -2 }, "train: accumulate is -2, expected 0 .. 1000000" },
        { "vae", { .schedule = (tr_rate_schedule)9 }, "train: schedule is 9, expected 0 .. 4" },
        { "vae",
          { .lr = 0.1, .lr_min = 0.2 },
          "train: lr_min is 0.2, above the learning rate, 0.1" },
        { "vae",
          { .lr_every = 2 },
          "train: lr_every is 2, but a schedule that is constant has no use for it; step and "
          "plateau "
          "have" },
        { "vae",
          { .schedule = TR_RATE_COSINE, .lr_factor = 0.5 },
          "train: lr_factor is 0.5, but a schedule that is cosine has no use for it" },
        { "pca",
          { .ema = 0.9 },
          "train: pca finds its weights in one pass and takes no steps: leave ema out" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tr_train_options o = cases[i].o;
        ck_assert_ptr_null(small_run(tr_model_find(cases[i].model), NULL, &o));
        expect_error_with(TR_ERR_VALUE, cases[i].message);
    }
    tr_rate_schedule schedule;
    tr_rate_schedule_find("linear", &schedule);
    expect_error_with(TR_ERR_VALUE,
                      "schedule is \"linear\"; it must be constant, step, exponential, "
                      "cosine or plateau");
    for (int i = 0; tr_rate_schedule_name((tr_rate_schedule)i) != NULL; i++) {
        tr_rate_schedule_find(tr_rate_schedule_name((tr_rate_schedule)i), &schedule);
        ck_assert_int_eq((int)schedule, i);
    }
}
END_TEST

/* A run from before an option was there has its default. */
START_TEST(older_runs_open)
{
    tr_run_train(small_run(tr_model_find("vae"), "run", &small), NULL);
    const int status =
        system("sed -i '/schedule\\|warmup\\|lr_\\|clip\\|ema\\|accum\\|keep\\|minutes\\|log_\\|"
               "watch/d; s/\\(\"checkpoint_every.*\\),/\\1/' run/config.json");
    ck_assert_int_eq(status, 0);
    tr_run *run = tr_run_open("run", NULL, TR_OPEN_WEIGHTS);
    expect_ok();
    ck_assert_int_eq(run->options.accumulate, 1);
    ck_assert_uint_eq(run->options.seed, 7);
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { resuming_gives_the_same_bits, ASKED },
        { looking_changes_nothing, 3 },
        { warmup_and_cosine_set_the_steps },
        { step_and_exponential_fall_with_epochs },
        { plateau_waits_for_the_loss },
        { gradients_are_clipped, 4 },
        { the_average_is_what_is_used },
        { accumulated_batches_are_one },
        { the_best_epoch_is_kept_without_stopping },
        { rows_of_steps_average_to_the_epoch },
        { steps_allocate_nothing },
        { what_makes_no_sense_is_an_error },
        { older_runs_open },
        { 0 },
    };
    return run_tests("schedule", setup, leave_folder, tests);
}
