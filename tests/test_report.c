/* test_report.c: what the page about a run says of its options and its time, the command that
 * repeats it, and what a run that is opened for another purpose refuses. test_train.c and
 * test_uses.c have the rest of the page. */
#include "tests/files.h"
#include "tests/small.h"
#include "tests/suite.h"

#include <math.h>

static void setup(void)
{
    enter_folder();
    tr_set_threads(1);
}

static tr_run *trained(const char *name, const tr_train_options *options)
{
    tr_run *run = small_run(tr_model_find("undercomplete"), name, options);
    ck_assert_msg(tr_run_train(run, NULL) == TR_OK, "%s", tr_error());
    return run;
}

static char *page_of(tr_run *run)
{
    int64_t count;
    ck_assert_msg(tr_run_report(run) == TR_OK, "%s", tr_error());
    char *page = tri_read_file(tri_run_path(run, "report.html"), 1 << 24, &count);
    ck_assert_msg(page != NULL, "%s", tr_error());
    return page;
}

static void says(const char *page, const char *text)
{
    ck_assert_msg(strstr(page, text) != NULL, "the page does not say: %s", text);
}

START_TEST(each_schedule_in_words)
{
    static const struct {
        tr_train_options options;
        const char      *words, *command;
    } cases[] = {
        { { .schedule = TR_RATE_STEP, .lr_every = 2, .lr_factor = 0.5, .lr = 0.01 },
          "<td>0.01, step: times 0.5 every 2 epochs</td>",
          "--schedule step --lr-every 2 --lr-factor 0.5" },
        { { .schedule = TR_RATE_EXPONENTIAL, .lr = 0.01 },
          "<td>0.01, exponential: times 0.95 an epoch</td>",
          "--schedule exponential" },
        { { .schedule = TR_RATE_COSINE, .lr = 0.01, .lr_min = 0.001, .warmup = 3 },
          "<td>0.01, cosine, to 0.001, warm-up of 3 steps</td>",
          "--schedule cosine --warmup 3 --lr-min 0.001" },
        { { .schedule = TR_RATE_PLATEAU, .lr = 0.01 },
          "<td>0.01, plateau: times 0.1 after 3 epochs without a lower loss</td>",
          "--schedule plateau" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char             name[16];
        tr_train_options o = cases[i].options;
        o.epochs = 2, o.batch = 16, o.limit = 32, o.val_limit = 10;
        snprintf(name, sizeof name, "run%d", (int)i);
        tr_run     *run = trained(name, &o);
        const char *page = page_of(run);
        says(page, cases[i].words);
        says(page, "<h3>learning rate</h3>");
        says(page, "at the end of the epoch");
        ck_assert_msg(strstr(tr_run_command(run), cases[i].command) != NULL, "%s",
                      tr_run_command(run));
    }
}
END_TEST

START_TEST(what_is_done_to_steps)
{
    tr_run     *run = trained("run", &(tr_train_options){ .epochs = 2,
                                                          .batch = 16,
                                                          .limit = 64,
                                                          .val_split = 0.25,
                                                          .early_stop = 4,
                                                          .accumulate = 2,
                                                          .clip_value = 0.5,
                                                          .clip_norm = 2,
                                                          .ema = 0.9 });
    const char *page = page_of(run);
    says(page, "<td>early stop</td><td>after 4 epochs without a lower loss</td>");
    says(page, "<td>epoch kept</td><td>the best</td>");
    says(page, "<td>accumulate</td><td>2 batches in a step</td>");
    says(page, "<td>gradients clipped</td><td>each element to 0.5</td>");
    says(page, "<td>gradients clipped</td><td>norm to 2</td>");
    says(page, "<td>weights used</td><td>moving average, decay 0.9</td>");
    says(page, ", end of the train split</td>");
    ck_assert_ptr_null(strstr(page, "<h3>learning rate</h3>")); /* which does not change */
}
END_TEST

/* The page adds up the seconds of the epochs. */
START_TEST(time_in_words)
{
    static const struct {
        double      seconds;
        const char *words;
    } cases[] = { { 12.34, "<b>24.7 s</b>" },
                  { 100.2, "<b>3 min 20 s</b>" },
                  { 3690, "<b>2 h 03 min</b>" } };
    tr_run *run = trained(
        "run", &(tr_train_options){ .epochs = 2, .batch = 16, .limit = 32, .val_limit = 10 });
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int e = 0; e < 2; e++) run->history[e].seconds = cases[i].seconds;
        says(page_of(run), cases[i].words);
    }
}
END_TEST

START_TEST(the_command_quotes_what_a_shell_would_change)
{
    const char *dir = "it's here";
    ck_assert_int_eq(mkdir(dir, 0777), 0);
    tr_rng rng = tr_rng_seed(1);
    char   path[600], spec[700], expected[700];
    snprintf(path, sizeof path, "%s/x.npy", dir);
    snprintf(spec, sizeof spec, "npy:%s", path);
    snprintf(expected, sizeof expected, "--data 'npy:%s/it'\\''s here/x.npy' --epochs 1", folder);
    tr_save_npy(path, tr_uniform(TR_F32, TR_SHAPE(20, 6), &rng));
    tr_dataset *d = tr_dataset_open(spec, NULL);
    ck_assert_msg(d != NULL, "%s", tr_error());
    tr_model *m = tr_model_new(tr_model_find("undercomplete"), NULL,
                               TR_SHAPE(d->height, d->width, d->channels), 0, 1);
    tr_run   *run = tr_run_new(NULL, m, d, &(tr_train_options){ .epochs = 1, .batch = 10 });
    ck_assert_msg(run != NULL, "%s", tr_error());
    ck_assert_msg(strstr(tr_run_command(run), expected) != NULL, "%s", tr_run_command(run));
}
END_TEST

START_TEST(a_run_is_asked_for_what_it_has)
{
    const tr_train_options o = { .epochs = 1, .batch = 16, .limit = 32, .val_limit = 10 };
    tr_run                *run = small_run(tr_model_find("undercomplete"), NULL, &o);
    ck_assert_int_eq(tr_run_report(run), TR_ERR_STATE);
    expect_error_with(TR_ERR_STATE, "report: the run has no directory");

    tr_scope *scope = tr_scope_push(); /* the lock goes with it */
    small_run(tr_model_find("undercomplete"), "fresh", &o);
    ck_assert_msg(tr_status_get() == TR_OK, "%s", tr_error());
    tr_scope_pop(scope);
    ck_assert_ptr_null(tr_run_open("fresh", NULL, TR_OPEN_WEIGHTS));
    expect_error_with(TR_ERR_FILE,
                      "fresh/model.safetensors: there are no weights yet: no epoch was completed");

    scope = tr_scope_push();
    trained("run", &o);
    tr_scope_pop(scope);
    run = tr_run_open("run", NULL, TR_OPEN_HISTORY);
    ck_assert_int_eq(tr_run_report(run), TR_ERR_STATE);
    expect_error_with(TR_ERR_STATE, "report: the run has no data; call tr_run_use_data first");
    ck_assert_int_eq(tr_run_train(run, NULL), TR_ERR_STATE);
    expect_error_with(TR_ERR_STATE,
                      "train: the run was opened without data; call tr_run_use_data first");
    tr_run_use_data(run, NULL);
    ck_assert_int_eq(tr_run_train(run, NULL), TR_ERR_STATE);
    expect_error_with(
        TR_ERR_STATE,
        "train: the run was opened for its weights only; open it with TR_OPEN_RESUME");
    ck_assert_ptr_null(tr_run_open("run", tr_model_find("vae"), TR_OPEN_WEIGHTS));
    expect_error_with(TR_ERR_VALUE, "run/config.json: is a run of undercomplete, not of vae");
}
END_TEST

/* Every change of one value in config.json, with what it is told. */
START_TEST(a_config_that_is_none)
{
    static const struct {
        const char *sed, *message;
    } cases[] = {
        { "1s/.*/[/; $s/.*/]/; 2,$s/^  .*//", "config.json: is no JSON object" },
        { "s/\"input\": \\[28, 28, 1\\]/\"input\": [28, 28]/",
          "input must be three sizes, height, width and channels, in 1 .. 65536" },
        { "s/\"input\": \\[28, 28, 1\\]/\"input\": [28, 28, 1, 1]/", "input must be three sizes" },
        { "s/\"input\": \\[28, 28, 1\\]/\"input\": [28, 0, 1]/", "input must be three sizes" },
        { "s/\"input\": \\[28, 28, 1\\]/\"input\": [28, 65537, 1]/", "input must be three sizes" },
        { "s/\"input\": \\[28, 28, 1\\]/\"input\": [28, 2.5, 1]/", "input must be three sizes" },
    };
    const tr_train_options o = { .epochs = 1, .batch = 16, .limit = 32, .val_limit = 10 };
    tr_scope              *scope = tr_scope_push();
    trained("run", &o);
    tr_scope_pop(scope);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char command[400];
        snprintf(command, sizeof command,
                 "rm -rf bad && cp -r run bad && sed -i '%s' bad/config.json && "
                 "! cmp -s run/config.json bad/config.json",
                 cases[i].sed);
        ck_assert_msg(system(command) == 0, "%s", cases[i].sed);
        ck_assert_ptr_null(tr_run_open("bad", NULL, TR_OPEN_WEIGHTS));
        expect_error_with(TR_ERR_FILE, cases[i].message);
    }
}
END_TEST

START_TEST(a_run_that_stopped_early_is_opened_as_such)
{
    tr_scope *scope = tr_scope_push();
    tr_run   *run = trained(
          "run",
          &(tr_train_options){
              .epochs = 30, .batch = 16, .limit = 32, .val_limit = 10, .lr = 1, .early_stop = 2 });
    ck_assert_int_eq(run->state, TR_RUN_STOPPED_EARLY);
    const int64_t done = run->epochs_done;
    tr_scope_pop(scope);
    run = tr_run_open("run", NULL, TR_OPEN_HISTORY);
    ck_assert_int_eq(run->state, TR_RUN_STOPPED_EARLY);
    ck_assert_int_eq(run->epochs_done, done);
    ck_assert_int_eq(run->best_epoch, done - 2);
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { each_schedule_in_words },
        { what_is_done_to_steps },
        { time_in_words },
        { the_command_quotes_what_a_shell_would_change },
        { a_run_is_asked_for_what_it_has },
        { a_config_that_is_none },
        { a_run_that_stopped_early_is_opened_as_such },
        { 0 },
    };
    return run_tests("report", setup, leave_folder, tests);
}
