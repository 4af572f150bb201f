/* test_train.c: the trainer. What is promised: a training is a function of its options alone, to
 * the bit, interrupted or not; steps after the first take no memory; whatever goes wrong is an
 * error that leaves the last checkpoint. */
#include "train/run.h"
#include "tests/files.h"
#include "tests/small.h"
#include "tests/suite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LIMIT = 96, BATCH = 32, EPOCHS = 3, STEPS = LIMIT / BATCH };

static void setup(void)
{
    enter_folder();
    tr_set_threads(1);
}

/* --- A run in short
 * --------------------------------------------------------------------------------- */

static const tr_train_options small = {
    .epochs = EPOCHS, .batch = BATCH, .limit = LIMIT, .val_limit = 40, .seed = 7
};

/* Stops after so many steps. */
typedef struct stopper {
    int64_t steps, seen;
} stopper;

static void count_step(void *context, const tr_progress *p)
{
    ((stopper *)context)->seen++;
    ck_assert(p->loss > 0 && p->seconds_left >= 0 && p->images_per_second > 0);
}

static bool stop(void *context)
{
    const stopper *s = context;
    return s->seen == s->steps;
}

static tr_status train_until(tr_run *run, int64_t steps)
{
    stopper s = { .steps = steps };
    return tr_run_train(run, &(tr_callbacks){ .context = &s, .step = count_step, .stop = stop });
}

/* --- Learning and measuring
 * -------------------------------------------------------------------------- */

START_TEST(the_loss_falls_and_the_log_says_so)
{
    tr_run *run = small_run(tr_model_find("undercomplete"), "run", &small);
    ck_assert_int_eq(tr_run_train(run, NULL), TR_OK);
    ck_assert_int_eq(run->state, TR_RUN_FINISHED);
    ck_assert_int_eq(run->epochs_done, EPOCHS);
    for (int i = 1; i < EPOCHS; i++)
        ck_assert(run->history[i].train.value[0] < run->history[i - 1].train.value[0]);
    int64_t     count = 0;
    const char *log = read_bytes(run->dir, "log.csv", &count);
    const char *head =
        "epoch,train_loss,train_reconstruction,val_loss,val_reconstruction,lr,seconds,"
        "images_per_second\n1,";
    ck_assert_int_eq(strncmp(log, head, strlen(head)), 0);
    int lines = 0;
    for (const char *c = log; *c != '\0'; c++) lines += *c == '\n';
    ck_assert_int_eq(lines, EPOCHS + 1);
}
END_TEST

/* The average over images does not depend on how they are cut into batches, nor the model on being
 * measured. */
START_TEST(evaluation_weighs_images)
{
    tr_run    *run = small_run(tr_model_find("undercomplete"), NULL, &small);
    tr_metrics all, cut;
    run->model->net->training = true;
    tr_evaluate(run->model, run->dataset,
                &(tr_evaluate_options){ .split = TR_TEST, .batch = 50, .limit = 50 }, &all);
    tr_evaluate(run->model, run->dataset,
                &(tr_evaluate_options){ .split = TR_TEST, .batch = 7, .limit = 50 }, &cut);
    expect_ok();
    ck_assert(run->model->net->training);
    ck_assert_double_eq_tol(all.value[0], cut.value[0], 1e-6 * all.value[0]);
    ck_assert(isnan(tr_metric(&all, "nothing")));
    ck_assert_double_eq(tr_metric(&all, "loss"), all.value[0]);
}
END_TEST

START_TEST(a_share_of_the_train_split_is_held_out)
{
    tr_train_options o = small;
    o.val_split = 0.25;
    o.limit = 0;
    tr_run *run = small_run(tr_model_find("undercomplete"), NULL, &o);
    int64_t begin, end;
    tri_train_range(run, &begin, &end);
    const tr_evaluate_options part = tri_val_part(run);
    ck_assert_int_eq(begin, 0);
    ck_assert_int_eq(end, 45000);
    ck_assert_int_eq(part.split, TR_TRAIN);
    ck_assert_int_eq(part.begin, 45000);
    ck_assert_int_eq(part.end, 60000);
}
END_TEST

/* --- The same bits
 * ---------------------------------------------------------------------------------- */

/* A model with noise in its loss, one with noise on its input; stopped after 1 step, within the
 * second epoch, at the end of an epoch; then gone on with in a fresh scope, on another number of
 * threads. */
START_TEST(resuming_gives_the_same_bits)
{
    static const char *const models[] = { "vae", "denoising", "stacked", "cvae" };
    static const int64_t     stops[] = { 1, STEPS + 1, STEPS, 2 * STEPS + 2 };
    const char              *model = models[_i % 4];
    const char              *whole = "whole", *parts = "parts";
    ck_assert_int_eq(tr_run_train(small_run(tr_model_find(model), whole, &small), NULL), TR_OK);
    tr_scope *scope = tr_scope_push();
    tr_run   *first = small_run(tr_model_find(model), parts, &small);
    ck_assert_int_eq(train_until(first, stops[_i / 4]), TR_OK);
    ck_assert_int_eq(first->state, TR_RUN_INTERRUPTED);
    tr_scope_pop(scope);
    tr_set_threads(2);
    tr_run *second = tr_run_open(parts, NULL, TR_OPEN_RESUME);
    expect_ok();
    ck_assert_int_eq(second->state, TR_RUN_INTERRUPTED);
    tr_run_use_data(second, NULL);
    ck_assert_int_eq(tr_run_train(second, NULL), TR_OK);
    ck_assert_int_eq(second->epochs_done, EPOCHS);
    assert_same_file(whole, parts, "model.safetensors");
}
END_TEST

/* A model that fits itself takes no steps, and leaves a run like any other. */
START_TEST(a_fit_is_a_run)
{
    const tr_train_options o = { .epochs = 1, .batch = 25, .limit = 60, .val_limit = 40 };
    tr_run                *run = small_run(tr_model_find("pca"), "fitted", &o);
    ck_assert_int_eq(tr_run_train(run, NULL), TR_OK);
    ck_assert_int_eq(run->state, TR_RUN_FINISHED);
    const double train = tr_metric(&tr_run_last(run)->train, "reconstruction");
    ck_assert_double_gt(train, 0);
    ck_assert_double_gt(tr_metric(&tr_run_last(run)->val, "reconstruction"), train);
    tr_run *again = tr_run_open("fitted", NULL, TR_OPEN_WEIGHTS);
    expect_ok();
    tr_tensor *x = tr_dataset_images(run->dataset, TR_TEST, 0, 3);
    tr_tensor *a = tr_model_reconstruct(run->model, x), *b = tr_model_reconstruct(again->model, x);
    ck_assert_int_eq(memcmp(a->data, b->data, 3 * 784 * sizeof(float)), 0);
}
END_TEST

START_TEST(more_epochs_later_are_the_same_as_at_once)
{
    tr_train_options o = small;
    ck_assert_int_eq(tr_run_train(small_run(tr_model_find("vae"), "once", &o), NULL), TR_OK);
    o.epochs = 1;
    tr_scope *scope = tr_scope_push();
    ck_assert_int_eq(tr_run_train(small_run(tr_model_find("vae"), "later", &o), NULL), TR_OK);
    tr_scope_pop(scope);
    tr_run *run = tr_run_open("later", NULL, TR_OPEN_RESUME);
    ck_assert_int_eq(run->state, TR_RUN_FINISHED);
    tr_run_use_data(run, NULL);
    tr_run_set_epochs(run, EPOCHS);
    ck_assert_int_eq(tr_run_train(run, NULL), TR_OK);
    assert_same_file("once", "later", "model.safetensors");
    ck_assert_int_eq(tr_run_set_epochs(run, 1), TR_ERR_VALUE);
    expect_error_with(TR_ERR_VALUE, "train: epochs is 1, but epoch 3 of this run was begun");
}
END_TEST

START_TEST(the_number_of_threads_does_not_matter)
{
    for (int threads = 1; threads <= 3; threads++) {
        char name[16];
        snprintf(name, sizeof name, "t%d", threads);
        tr_set_threads(threads);
        ck_assert_int_eq(tr_run_train(small_run(tr_model_find("vae"), name, &small), NULL), TR_OK);
        assert_same_file("t1", name, "model.safetensors");
    }
}
END_TEST

/* --- Memory
 * ------------------------------------------------------------------------------------------ */

typedef struct counter {
    int64_t steps, allocations;
} counter;

static void count_allocations(void *context, const tr_progress *p)
{
    counter      *c = context;
    const int64_t now = tr_memory().allocations;
    (void)p;
    if (++c->steps > 1) ck_assert_int_eq(now, c->allocations);
    c->allocations = now;
}

START_TEST(steps_after_the_first_allocate_nothing)
{
    static const char *const models[] = { "undercomplete", "vae", "denoising", "deep" };
    tr_train_options         o = small;
    counter                  c = { 0 };
    o.epochs = 1;
    o.limit = 8 * BATCH;
    tr_run *run = small_run(tr_model_find(models[_i]), NULL, &o);
    tr_run_train(run, &(tr_callbacks){ .context = &c, .step = count_allocations });
    expect_ok();
    ck_assert_int_eq(c.steps, 8);
}
END_TEST

static int64_t allocations_left;

static void *scarce_alloc(void *context, size_t alignment, size_t bytes)
{
    (void)context;
    return allocations_left-- > 0 ? aligned_alloc(alignment, bytes) : NULL;
}

static void scarce_release(void *context, void *block, size_t bytes)
{
    (void)context;
    (void)bytes;
    free(block);
}

/* Every allocation of a short training fails in turn, from then on all of them; then it succeeds.
 */
START_TEST(any_allocation_may_fail)
{
    tr_memory_trim();
    const tr_allocator scarce = { scarce_alloc, scarce_release, NULL };
    tr_train_options   o = small;
    o.epochs = 1;
    o.limit = 2 * BATCH;
    bool done = false;
    for (int64_t n = 0; !done && n < 5000; n++) {
        const int64_t before = tr_memory().live_bytes;
        tr_set_allocator(&scarce);
        allocations_left = n;
        tr_scope *scope = tr_scope_push();
        tr_run   *run = scope != NULL ? small_run(tr_model_find("vae"), NULL, &o) : NULL;
        if (run != NULL) tr_run_train(run, NULL);
        done = tr_status_get() == TR_OK;
        if (!done) ck_assert_int_eq(tr_status_get(), TR_ERR_MEMORY);
        tr_error_clear();
        tr_scope_pop(scope);
        tr_memory_trim();
        tr_set_allocator(NULL);
        ck_assert_int_eq(tr_memory().live_bytes, before);
    }
    ck_assert(done);
}
END_TEST

/* --- What goes wrong
 * ------------------------------------------------------------------------------------ */

/* Learns one number; its loss is the logarithm of something that turns negative in step 5. */
static tr_status doomed_build(tr_model *m)
{
    static const tr_module_type type = { .name = "doomed" };
    m->net = tr_module_new(&type, 0);
    tr_module_add_parameter(m->net, "weight", TR_SHAPE(1));
    return tr_status_get();
}

static int doomed_calls;

static tr_terms doomed_loss(tr_model *m, tr_tensor *x, tr_tensor *labels, tr_rng *rng)
{
    (void)labels;
    (void)rng;
    tr_tensor *w = m->net->parameters.items[0].tensor;
    const bool bad = x != NULL && m->net->training && doomed_calls++ >= 4;
    tr_tensor *inner = tr_add_scalar(tr_square(w), bad ? -2 : 2);
    return (tr_terms){ .loss = tr_mean(tr_log(inner), TR_ALL_AXES, false) };
}

static tr_tensor *doomed_map(tr_model *m, tr_tensor *x)
{
    (void)m;
    return x;
}

static const tr_option     doomed_options[] = { { 0 } };
static const tr_model_type doomed = { .name = "doomed",
                                      .summary = "a model for a test",
                                      .source = "none",
                                      .options = doomed_options,
                                      .batch = 32,
                                      .epochs = 1,
                                      .lr = 0.1,
                                      .build = doomed_build,
                                      .loss = doomed_loss,
                                      .encode = doomed_map,
                                      .decode = doomed_map };

START_TEST(nan_stops_and_names_the_operation)
{
    tr_train_options o = small;
    o.epochs = 4;
    doomed_calls = 0;
    tr_model *model = tr_model_new(&doomed, NULL, TR_SHAPE(28, 28, 1), 0, 1);
    tr_run   *run = tr_run_new("run", model, tr_dataset_open("digits", NULL), &o);
    expect_ok();
    ck_assert_int_ne(tr_run_train(run, NULL), TR_OK);
    ck_assert_msg(
        strstr(tr_error(), "train: the loss is NaN in epoch 2, step 2; it began with log: ") ==
            tr_error(),
        "%s", tr_error());
    expect_error_with(TR_ERR_VALUE, "try a lower learning rate than 0.1");
    doomed_calls = -1000;
    tr_scope_pop(tr_scope_push());
    ck_assert_int_eq(run->training->epoch, 1); /* the checkpoint of epoch 1 stays */
    close(run->training->lock);
    run->training->lock = -1;
    tr_run *again = tr_run_open("run", &doomed, TR_OPEN_RESUME);
    expect_ok();
    ck_assert_int_eq(again->training->epoch, 1);
    ck_assert_int_eq(again->training->position, 0);
    tr_run_use_data(again, NULL);
    ck_assert_int_eq(tr_run_train(again, NULL), TR_OK);
}
END_TEST

/* The loss stays finite while its gradient does not: sqrt(w) at w = 0 in step 2 of epoch 2. The
 * weights are lost, so the steps since the checkpoint are taken again to find out why. */
static tr_terms spoiled_loss(tr_model *m, tr_tensor *x, tr_tensor *labels, tr_rng *rng)
{
    (void)labels;
    (void)rng;
    tr_tensor *w = m->net->parameters.items[0].tensor;
    const bool bad = m->net->training && w->data != NULL && fabsf(*(float *)w->data) > 0.35f;
    tr_tensor *inner =
        bad ? tr_mul(w, tr_zeros(TR_F32, TR_SHAPE(1))) : tr_add_scalar(tr_square(w), 1);
    tr_tensor *loss =
        tr_add(tr_mean(tr_sqrt(inner), TR_ALL_AXES, false), tr_mean(w, TR_ALL_AXES, false));
    (void)x;
    return (tr_terms){ .loss = loss };
}

START_TEST(spoiled_weights_are_traced_to_the_gradient)
{
    tr_model_type spoiled = doomed;
    spoiled.loss = spoiled_loss;
    tr_train_options o = small;
    o.epochs = 4;
    tr_model *model = tr_model_new(&spoiled, NULL, TR_SHAPE(28, 28, 1), 10, 1);
    tr_run   *run = tr_run_new("run", model, tr_dataset_open("digits", NULL), &o);
    expect_ok();
    ck_assert_int_ne(tr_run_train(run, NULL), TR_OK);
    ck_assert_msg(strstr(tr_error(), "it began with sqrt: the gradient has Inf") != NULL, "%s",
                  tr_error());
    expect_error_with(TR_ERR_VALUE, "train: the loss is NaN in epoch 2, step 3;");
}
END_TEST

START_TEST(a_directory_takes_one_process_and_one_run)
{
    tr_run *run = small_run(tr_model_find("vae"), "run", &small);
    expect_ok();
    ck_assert_ptr_null(tr_run_open("run", NULL, TR_OPEN_RESUME));
    expect_error_with(TR_ERR_STATE, "run: another process is training in this folder");
    ck_assert_ptr_null(small_run(tr_model_find("vae"), "run", &small));
    expect_error_with(TR_ERR_STATE, "another process");
    close(run->training->lock);
    run->training->lock = -1;
    ck_assert_ptr_null(small_run(tr_model_find("vae"), "run", &small));
    expect_error_with(TR_ERR_FILE, "is not empty; resume that run, or choose another folder");
    tr_train_options o = small;
    o.overwrite = true;
    ck_assert_ptr_nonnull(small_run(tr_model_find("denoising"), "run", &o));
    expect_ok();
}
END_TEST

START_TEST(options_are_checked)
{
    tr_train_options o = small;
    o.epochs = -1;
    ck_assert_ptr_null(small_run(tr_model_find("vae"), NULL, &o));
    expect_error_with(TR_ERR_VALUE, "train: epochs is -1, expected 1 .. 1000000000");
    o = small;
    o.val_split = 1.5;
    ck_assert_ptr_null(small_run(tr_model_find("vae"), NULL, &o));
    expect_error_with(TR_ERR_VALUE, "train: val_split is 1.5, expected 0 .. 0.9");
    o = small;
    o.lr = (double)NAN;
    ck_assert_ptr_null(small_run(tr_model_find("vae"), NULL, &o));
    expect_error_with(TR_ERR_VALUE, "train: lr is nan, expected");
}
END_TEST

static void cut(const char *dir, const char *name, int64_t keep)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    ck_assert_int_eq(truncate(path, keep), 0);
}

/* Damage is an error, whatever it is; nothing is read beyond the end. */
START_TEST(damaged_files_are_errors)
{
    tr_scope *scope = tr_scope_push();
    tr_run_train(small_run(tr_model_find("vae"), "run", &small), NULL);
    tr_scope_pop(scope);
    expect_ok();
    int64_t size = 0;
    (void)read_bytes("run", "checkpoint/checkpoint.safetensors", &size);
    for (int64_t keep = size - 1; keep > 0; keep = keep > 64 ? keep * 2 / 3 : keep - 1) {
        cut("run", "checkpoint/checkpoint.safetensors", keep);
        scope = tr_scope_push();
        ck_assert_ptr_null(tr_run_open("run", NULL, TR_OPEN_RESUME));
        expect_error_with(TR_ERR_FILE, "checkpoint.safetensors");
        tr_scope_pop(scope);
    }
    cut("run", "model.safetensors", 1000);
    ck_assert_ptr_null(tr_run_open("run", NULL, TR_OPEN_WEIGHTS));
    expect_error_with(TR_ERR_FILE, "model.safetensors");
    (void)read_bytes("run", "config.json", &size);
    for (int64_t keep = size - 3; keep >= 0; keep -= 7) {
        cut("run", "config.json", keep);
        scope = tr_scope_push();
        ck_assert_ptr_null(tr_run_open("run", NULL, TR_OPEN_WEIGHTS));
        expect_error_with(TR_ERR_FILE, "config.json");
        tr_scope_pop(scope);
    }
    ck_assert_ptr_null(tr_run_open("nowhere", NULL, TR_OPEN_WEIGHTS));
    expect_error_with(TR_ERR_FILE, "nowhere: is no run directory: it has no config.json");
}
END_TEST

/* --- Early stopping
 * ------------------------------------------------------------------------------------- */

/* A loss that falls for three epochs, then rises: the weights of epoch 3 are kept. */
static int rising_epoch;

static tr_terms rising_loss(tr_model *m, tr_tensor *x, tr_tensor *labels, tr_rng *rng)
{
    (void)x;
    (void)labels;
    (void)rng;
    tr_tensor *w = m->net->parameters.items[0].tensor;
    const int  e = rising_epoch;
    return (tr_terms){ .loss = tr_add_scalar(tr_mean(w, TR_ALL_AXES, false),
                                             m->net->training ? 1 : 100 + fabs(e - 3.0)) };
}

static void next_epoch(void *context, const tr_run *run, const tr_epoch *row)
{
    (void)context;
    (void)run;
    rising_epoch = (int)row->epoch + 1;
}

START_TEST(early_stopping_keeps_the_best)
{
    tr_model_type rising = doomed;
    rising.loss = rising_loss;
    rising.lr = 1e-3;
    rising_epoch = 1;
    tr_train_options o = small;
    o.epochs = 50;
    o.early_stop = 2;
    tr_model *model = tr_model_new(&rising, NULL, TR_SHAPE(28, 28, 1), 0, 1);
    tr_run   *run = tr_run_new("run", model, tr_dataset_open("digits", NULL), &o);
    tr_run_train(run, &(tr_callbacks){ .epoch = next_epoch });
    expect_ok();
    ck_assert_int_eq(run->state, TR_RUN_STOPPED_EARLY);
    ck_assert_int_eq(run->epochs_done, 5);
    ck_assert_int_eq(run->best_epoch, 3);
    tr_named_list list = { 0 };
    ck_assert_int_eq(tr_load_safetensors("run/model.safetensors", &list), TR_OK);
    /* Adam's steps are lr each here: the gradient is constant. */
    ck_assert_double_eq_tol(tr_item(list.items[0].tensor), -1e-3 * 3 * STEPS, 1e-6);
    ck_assert_double_eq_tol(tr_item(model->net->parameters.items[0].tensor), -1e-3 * 3 * STEPS,
                            1e-6);
}
END_TEST

/* --- The report
 * ------------------------------------------------------------------------------------------ */

START_TEST(the_report_stands_alone)
{
    tr_run *run = small_run(tr_model_find("vae"), "run", &small);
    tr_run_train(run, NULL);
    ck_assert_int_eq(tr_run_report(run), TR_OK);
    int64_t     count = 0;
    const char *page = read_bytes(run->dir, "report.html", &count);
    ck_assert_ptr_null(strstr(page, "http"));
    ck_assert_ptr_nonnull(strstr(page, "</html>"));
    ck_assert_ptr_nonnull(strstr(page, "data:image/"));
    ck_assert_ptr_nonnull(strstr(page, "nats per image"));
    ck_assert_ptr_nonnull(strstr(page, tr_run_command(run)));
    ck_assert_ptr_null(strstr(page, "\"nan"));
    ck_assert_ptr_null(strstr(page, ">nan"));
    ck_assert_str_eq(tr_run_command(run),
                     "train vae --data digits --epochs 3 --batch 32 --lr 0.001 "
                     "--seed 7 --limit 96 --val-limit 40 --set latent=4 "
                     "--set hidden=12");
}
END_TEST

/* Points of a plane in 10 dimensions, plus a little noise: the plane is found, lengths are kept. */
START_TEST(the_plane_is_found)
{
    enum { N = 300, D = 10 };
    tr_rng     rng = tr_rng_seed(3);
    tr_tensor *flat = tr_normal(TR_F64, TR_SHAPE(N, 2), &rng);
    flat = tr_mul(flat, tr_from(TR_F64, TR_SHAPE(2), (double[]){ 5, 2 }));
    tr_tensor *x = tr_matmul(flat, tr_normal(TR_F64, TR_SHAPE(2, D), &rng));
    x = tr_add_scalar(tr_add(x, tr_scale(tr_normal(TR_F64, TR_SHAPE(N, D), &rng), 1e-4)), 3);
    double           share = 0;
    const tr_tensor *p = tr_project_plane(x, &share);
    expect_ok();
    ck_assert_double_ge(share, 1 - 1e-6);
    double expected = 0, got = 0;
    for (int64_t j = 0; j < D; j++) {
        const double d = tr_at(x, TR_SHAPE(0, j)) - tr_at(x, TR_SHAPE(1, j));
        expected += d * d;
    }
    for (int64_t j = 0; j < 2; j++) {
        const double d = tr_at(p, TR_SHAPE(0, j)) - tr_at(p, TR_SHAPE(1, j));
        got += d * d;
    }
    ck_assert_double_eq_tol(sqrt(got), sqrt(expected), 1e-2);
    double variance[2] = { 0 }, covariance = 0;
    for (int64_t i = 0; i < N; i++) {
        const double a = tr_at(p, TR_SHAPE(i, 0)), b = tr_at(p, TR_SHAPE(i, 1));
        variance[0] += a * a;
        variance[1] += b * b;
        covariance += a * b;
    }
    ck_assert(variance[0] > variance[1]);
    ck_assert(fabs(covariance) < 1e-4 * variance[0]);
}
END_TEST

START_TEST(interpolation_ends_at_reconstructions)
{
    tr_run *run = small_run(tr_model_find("undercomplete"), NULL, &small);
    tr_set_recording(false);
    tr_tensor *a = tr_dataset_images(run->dataset, TR_TEST, 0, 3);
    tr_tensor *b = tr_dataset_images(run->dataset, TR_TEST, 3, 6);
    for (int spherical = 0; spherical < 2; spherical++) {
        const tr_tensor *between = tr_interpolate(run->model, a, b, 5, spherical);
        const tr_tensor *from = tr_model_reconstruct(run->model, a);
        const tr_tensor *to = tr_model_reconstruct(run->model, b);
        expect_ok();
        ck_assert_int_eq(tr_dim(between, 0), 15);
        ck_assert_double_eq_tol(tr_at(between, TR_SHAPE(5, 9, 9, 0)),
                                tr_at(from, TR_SHAPE(1, 9, 9, 0)), 1e-6);
        ck_assert_double_eq_tol(tr_at(between, TR_SHAPE(9, 9, 9, 0)),
                                tr_at(to, TR_SHAPE(1, 9, 9, 0)), 1e-6);
    }
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { the_loss_falls_and_the_log_says_so },
        { evaluation_weighs_images },
        { a_share_of_the_train_split_is_held_out },
        { resuming_gives_the_same_bits, 16 },
        { a_fit_is_a_run },
        { more_epochs_later_are_the_same_as_at_once },
        { the_number_of_threads_does_not_matter },
        { steps_after_the_first_allocate_nothing, 4 },
        { any_allocation_may_fail },
        { nan_stops_and_names_the_operation },
        { spoiled_weights_are_traced_to_the_gradient },
        { a_directory_takes_one_process_and_one_run },
        { options_are_checked },
        { damaged_files_are_errors },
        { early_stopping_keeps_the_best },
        { the_report_stands_alone },
        { the_plane_is_found },
        { interpolation_ends_at_reconstructions },
        { 0 },
    };
    return run_tests("train", setup, leave_folder, tests);
}
