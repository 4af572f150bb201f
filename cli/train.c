/* train.c: `tenrec train`: the library's trainer with a face: a bar on a terminal, a line an epoch
 * in a pipe, or JSON. SIGINT and SIGTERM end it after the step at hand, with a checkpoint; a second
 * one ends it at once. Read next: train/fit.c. */
#include "cli/cli.h"

#include "train/run.h"

#include <math.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* clang-format off */
const arg_option train_options[] = {
    { "What is trained, and where", 0, ARG_GROUP, NULL, 0, 0, NULL },
    { "data", 0, ARG_TEXT, "D", 0, 0, "what to train on (tenrec datasets) [digits]" },
    { "set", 0, ARG_TEXT, "KEY=VALUE", 0, 0, "an option of the model; may be given several times" },
    { "classes", 0, ARG_TEXT, "A,B,..", 0, 0,
      "train on these classes only; validates on a tenth of their images" },
    { "exclude", 0, ARG_TEXT, "A,B,..", 0, 0, "train on all classes but these" },
    { "limit", 0, ARG_INT, "N", 1, 1e12, "train on the first N images only [all]" },
    { "val-limit", 0, ARG_INT, "N", 1, 1e12, "validate on the first N images only [all]" },
    { "val-split", 0, ARG_NUMBER, "X", 0, 0.9,
      "validate on this share of the train split [the test split]" },
    { "out", 0, ARG_TEXT, "DIR", 0, 0, "run directory; must be new or empty [runs/MODEL-DATA]" },
    { "overwrite", 0, ARG_FLAG, NULL, 0, 0, "replace a run that is in DIR" },
    { "resume", 0, ARG_TEXT, "RUN", 0, 0, "go on with the training, or sweep, in this directory" },
    { "sweep", 0, ARG_TEXT, "KEY=A,B,..", 0, 0,
      "a run for each value of an option of the model or the training" },

    { "Steps", 0, ARG_GROUP, NULL, 0, 0, NULL },
    { "epochs", 0, ARG_INT, "N", 1, 1e9, "passes over the images [the model's]" },
    { "batch", 0, ARG_INT, "N", 1, 1e6, "images in a batch [the model's]" },
    { "accumulate", 0, ARG_INT, "K", 1, 1e6, "batches in a step: the gradient of K as one [1]" },
    { "seed", 0, ARG_INT, "N", 0, 0x1p53, "of weights, order of images, and noise [0]" },
    { "clip-norm", 0, ARG_NUMBER, "X", 1e-12, 1e12, "norm of all gradients to X at most" },
    { "clip-value", 0, ARG_NUMBER, "X", 1e-12, 1e12, "each element of a gradient into -X .. X" },
    { "ema", 0, ARG_NUMBER, "X", 1e-6, 0.999999,
      "validate and keep a moving average of the weights, decay X" },

    { "Learning rate", 0, ARG_GROUP, NULL, 0, 0, NULL },
    { "lr", 0, ARG_NUMBER, "X", 1e-12, 1e6, "learning rate of Adam [the model's]" },
    { "schedule", 0, ARG_TEXT, "NAME", 0, 0,
      "constant, step, exponential, cosine or plateau [constant]" },
    { "warmup", 0, ARG_INT, "N", 1, 1e12, "rise to it over the first N steps" },
    { "lr-every", 0, ARG_INT, "N", 1, 1e9,
      "fall every N epochs [a third]; plateau: after N without a lower loss [3]" },
    { "lr-factor", 0, ARG_NUMBER, "X", 1e-6, 0.999999,
      "to X times as much [0.1; exponential, at each epoch: 0.95]" },
    { "lr-min", 0, ARG_NUMBER, "X", 1e-12, 1e6, "and never below X [0]" },

    { "End, and what is kept", 0, ARG_GROUP, NULL, 0, 0, NULL },
    { "early-stop", 0, ARG_INT, "N", 1, 1e9,
      "stop after N epochs without a lower validation loss; keeps the best" },
    { "keep-best", 0, ARG_FLAG, NULL, 0, 0, "keep the weights of the best epoch, not the last" },
    { "checkpoint-every", 0, ARG_INT, "N", 1, 1e12, "a checkpoint every N steps too [each epoch]" },
    { "checkpoint-minutes", 0, ARG_NUMBER, "X", 1e-3, 1e6,
      "and after X minutes without one" },

    { "What is told", 0, ARG_GROUP, NULL, 0, 0, NULL },
    { "log-every", 0, ARG_INT, "N", 1, 1e12, "metrics every N steps too, in steps.csv" },
    { "watch", 0, ARG_FLAG, NULL, 0, 0, "keep report.html up to date while it trains" },
    { "no-report", 0, ARG_FLAG, NULL, 0, 0, "do not write report.html at the end" },
    { 0 },
};
/* clang-format on */

/* --- Help --------------------------------------------------------------------------------- */

void help_train(const args *a)
{
    int                         count;
    const tr_model_type *const *types = tr_model_types(&count);
    const tr_model_type        *type = NULL;
    for (int i = 0; i < count && a->word_count > 0; i++)
        if (strcmp(types[i]->name, a->words[0]) == 0) type = types[i];
    if (type == NULL) {
        printf("\nModels: ");
        for (int i = 0; i < count; i++) printf("%s%s", i > 0 ? ", " : "", types[i]->name);
        printf(".\ntenrec train MODEL --help lists the options of a model.\n");
        return;
    }
    printf(
        "\n%s: %s\nIts epochs are %d, its batch %d, its learning rate %g.\nOptions for --set, with "
        "their defaults:\n",
        type->name, type->summary, type->epochs, type->batch, type->lr);
    write_settings(type->options);
}

/* --- Signals ------------------------------------------------------------------------------ */

static volatile sig_atomic_t caught;

static void catch_signal(int number)
{
    caught = number;
}

/* SA_RESETHAND: the second signal has its usual effect. */
static void watch_signals(void)
{
    struct sigaction action = { .sa_handler = catch_signal,
                                .sa_flags = (int)SA_RESETHAND | SA_RESTART };
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static bool asked_to_stop(void *context)
{
    (void)context;
    return caught != 0;
}

/* --- Progress ----------------------------------------------------------------------------- */

typedef struct face {
    bool   json, quiet, bar;
    double drawn; /* when the bar was drawn last */
    double images_per_second, seconds;
} face;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void clear_bar(const face *f)
{
    if (f->bar) printf("\r\033[K");
}

/* "epoch 2/10 ━━━━━━━━─────── loss 0.1213  23,410 images/s  1 min 05 s left", as much as fits. */
static void draw_bar(const tr_progress *p)
{
    char      head[48], tail[3][64], speed[32], left[32];
    const int width = terminal_width() - 1;
    int       used =
        snprintf(head, sizeof head, "epoch %lld/%lld ", (long long)p->epoch, (long long)p->epochs);
    snprintf(tail[0], sizeof tail[0], " loss %.4g", p->loss);
    snprintf(tail[1], sizeof tail[1], "  %s images/s", show_count(p->images_per_second, speed));
    snprintf(tail[2], sizeof tail[2], "  %s left", show_time(p->seconds_left, left));
    int parts = 0;
    for (; parts < 3 && used + (int)strlen(tail[parts]) + 8 <= width; parts++)
        used += (int)strlen(tail[parts]);
    int       cells = width - used < 40 ? width - used : 40;
    const int full = (int)((double)cells * (double)p->step / (double)p->steps);
    printf("\r%s", head);
    for (int i = 0; i < cells; i++) {
        if (i == full) printf("%s", faint());
        printf("%s", i < full ? "━" : "─");
    }
    printf("%s", plain());
    for (int i = 0; i < parts; i++) printf("%s", tail[i]);
    printf("\033[K");
    fflush(stdout);
}

static void on_step(void *context, const tr_progress *p)
{
    face *f = context;
    f->images_per_second = p->images_per_second;
    f->seconds = p->seconds;
    if (!f->bar || now() - f->drawn < 0.1) return;
    f->drawn = now();
    draw_bar(p);
}

static void write_terms(const char *split, const tr_metrics *m)
{
    if (m->count == 0) return;
    printf("  %s %.5g", split, m->value[0]);
    for (int i = 1; i < m->count && m->count > 2; i++)
        printf("%s%s %.5g%s", i == 1 ? " (" : ", ", m->name[i], m->value[i],
               i + 1 == m->count ? ")" : "");
}

static void on_log(void *context, const tr_run *run, const tr_step *row)
{
    const face *f = context;
    (void)run;
    if (f->json) {
        tri_text t = { 0 };
        tri_text_add(&t, "{\"event\":\"step\",\"step\":%lld,\"epoch\":", (long long)row->step);
        tri_text_number(&t, row->epoch);
        tri_text_add(&t, ",");
        add_metrics(&t, "train", &row->train);
        tri_text_add(&t, ",\"lr\":");
        tri_text_number(&t, row->lr);
        tri_text_add(&t, "}");
        print_json(&t);
        return;
    }
    if (f->quiet) return;
    clear_bar(f);
    printf("step %lld, epoch %.2f", (long long)row->step, row->epoch);
    write_terms("train", &row->train);
    printf("  %slr %.3g%s\n", faint(), row->lr, plain());
    fflush(stdout);
}

static void on_epoch(void *context, const tr_run *run, const tr_epoch *row)
{
    const face *f = context;
    if (f->json) {
        tri_text t = { 0 };
        tri_text_add(&t, "{\"event\":\"epoch\",\"epoch\":%lld,\"epochs\":%lld,",
                     (long long)row->epoch, (long long)run->options.epochs);
        add_metrics(&t, "train", &row->train);
        tri_text_add(&t, ",");
        add_metrics(&t, "val", &row->val);
        tri_text_add(&t, ",\"images_per_second\":%.1f,\"seconds\":%.3f}", row->images_per_second,
                     row->seconds);
        print_json(&t);
        return;
    }
    if (f->quiet) return;
    char speed[32], seconds[32];
    clear_bar(f);
    printf("epoch %lld/%lld", (long long)row->epoch, (long long)run->options.epochs);
    write_terms("train", &row->train);
    write_terms("val", &row->val);
    printf("  %s%s images/s  %s%s\n", faint(), show_count(row->images_per_second, speed),
           show_time(row->seconds, seconds), plain());
    fflush(stdout);
}

/* --- Begin
 * ----------------------------------------------------------------------------------------- */

/* "runs/vae-digits", or "runs/vae-digits-2" where that is taken. */
const char *free_directory(const char *model, const char *data, const char *ending)
{
    char *path = tr_scope_alloc(256);
    if (path == NULL) return NULL;
    snprintf(path, 256, "runs/%s-%s%s", model, data, ending);
    for (int i = 2; access(path, F_OK) == 0 && i < 100000; i++)
        snprintf(path, 256, "runs/%s-%s%s-%d", model, data, ending, i);
    return path;
}

/* "lr-min" for the field lr_min. */
static const char *option_name(const tri_train_option *f, char text[32])
{
    snprintf(text, 32, "%s", f->name);
    for (char *c = text; *c != '\0'; c++)
        if (*c == '_') *c = '-';
    return text;
}

static tr_train_options read_options(const args *a)
{
    tr_train_options o = { .overwrite = has(a, "overwrite") };
    char             name[32];
    if (has(a, "classes") || has(a, "exclude")) o.val_split = 0.1;
    for (const tri_train_option *f = tri_train_options_table; f->name != NULL; f++) {
        const char *text = text_of(a, option_name(f, name), NULL);
        if (text == NULL) continue;
        if (f->kind == TRI_SCHEDULE)
            tr_rate_schedule_find(text, &o.schedule);
        else
            tri_train_option_set(&o, f, f->kind == TRI_FLAG ? 1 : number_of(a, name, 0));
    }
    return o;
}

bool is_training_option(const char *name)
{
    char text[32];
    for (const tri_train_option *f = tri_train_options_table; f->name != NULL; f++)
        if (f->kind != TRI_FLAG && strcmp(option_name(f, text), name) == 0) return true;
    return false;
}

void check_training(const args *a)
{
    const tr_model_type *type = tr_model_find(a->words[0]);
    tr_train_options     o = read_options(a);
    if (type != NULL && make_settings(a, type) != NULL) tri_options_resolve(&o, type);
}

tr_run *begin_training(const args *a, const char *out)
{
    check_training(a);
    if (tr_status_get() != TR_OK) return NULL;
    const tr_train_options o = read_options(a);
    const tr_dataset      *data =
        tr_dataset_open(text_of(a, "data", "digits"),
                        &(tr_dataset_options){ .classes = chosen_classes(a, "classes") });
    if (data == NULL) return NULL;
    tr_model *model = make_model(
        a, a->words[0], TR_SHAPE(data->height, data->width, data->channels), data->classes, o.seed);
    if (out == NULL) out = free_directory(a->words[0], data->name, "");
    return model != NULL && out != NULL ? tr_run_new(out, model, data, &o) : NULL;
}

static tr_run *go_on(const args *a)
{
    tr_run *run = tr_run_open(text_of(a, "resume", NULL), NULL, TR_OPEN_RESUME);
    if (run == NULL || tr_run_use_data(run, text_of(a, "data", NULL)) != TR_OK) return NULL;
    if (has(a, "epochs")) tr_run_set_epochs(run, int_of(a, "epochs", 0));
    return tr_status_get() == TR_OK ? run : NULL;
}

static int fixed_error(const args *a, const char *name)
{
    return usage_error(a, "--%s is fixed by the run that --resume goes on with", name);
}

/* What is fixed by the run cannot be given again. */
static int check_words(const args *a)
{
    static const char *const fixed[] = { "set",     "out",   "overwrite", "classes",
                                         "exclude", "sweep", NULL };
    char                     name[32];
    if (has(a, "classes") && has(a, "exclude"))
        return usage_error(a, "give --classes or --exclude, not both");
    if (has(a, "watch") && has(a, "no-report"))
        return usage_error(a, "give --watch or --no-report, not both");
    if (!has(a, "resume"))
        return a->word_count == 1
                   ? EXIT_OK
                   : usage_error(a, "name a model (tenrec models lists them), or go on "
                                    "with --resume RUN");
    if (a->word_count > 0)
        return usage_error(a, "--resume goes on with the run's own model; leave %s out",
                           a->words[0]);
    for (int i = 0; fixed[i] != NULL; i++)
        if (has(a, fixed[i])) return fixed_error(a, fixed[i]);
    for (const tri_train_option *f = tri_train_options_table; f->name != NULL; f++)
        if (strcmp(f->name, "epochs") != 0 && has(a, option_name(f, name)))
            return fixed_error(a, name);
    return EXIT_OK;
}

/* --- End
 * ------------------------------------------------------------------------------------------- */

static void write_event(const face *f, const tr_run *run, const char *event)
{
    const tr_epoch *row = tr_run_last(run);
    tri_text        t = { 0 };
    tri_text_add(&t, "{\"event\":\"%s\",\"model\":", event);
    tri_text_string(&t, run->model->type->name);
    tri_text_add(&t, ",\"data\":");
    tri_text_string(&t, run->data);
    tri_text_add(&t, ",\"epochs\":%lld,\"parameters\":%lld,",
                 (long long)(row != NULL ? row->epoch : 0),
                 (long long)tr_module_parameter_count(run->model->net));
    if (row != NULL) {
        add_metrics(&t, "train", &row->train);
        tri_text_add(&t, ",");
        add_metrics(&t, "val", &row->val);
        tri_text_add(&t, ",");
    }
    tri_text_add(&t, "\"images_per_second\":%.1f,\"seconds\":%.3f,\"out\":", f->images_per_second,
                 f->seconds);
    tri_text_string(&t, run->dir);
    tri_text_add(&t, "}");
    print_json(&t);
}

static void write_begin(const face *f, const tr_run *run)
{
    char    count[32], images[32];
    int64_t begin, end;
    if (f->json || f->quiet) return;
    tri_train_range(run, &begin, &end);
    printf("%s%s%s on %s: %s parameters, %s images, into %s\n", bold(), run->model->type->name,
           plain(), run->dataset->name,
           show_count((double)tr_module_parameter_count(run->model->net), count),
           show_count((double)(end - begin), images), run->dir);
    if (run->state == TR_RUN_INTERRUPTED)
        printf("going on after %lld finished epochs\n", (long long)run->epochs_done);
    if (run->state == TR_RUN_FINISHED)
        printf("all %lld epochs are done; --epochs N adds more\n", (long long)run->epochs_done);
    fflush(stdout);
}

static int end_interrupted(const face *f, const tr_run *run, const char *dir)
{
    clear_bar(f);
    if (f->json) write_event(f, run, "interrupted");
    fflush(stdout);
    fprintf(stderr, "interrupted; go on with: tenrec train --resume %s\n", dir);
    return 128 + caught;
}

static int end_training(const args *a, const face *f, tr_run *run)
{
    if (!has(a, "no-report") && !run->options.watch) tr_run_report(run);
    if (tr_status_get() != TR_OK) return EXIT_FAILED;
    if (f->json) {
        write_event(f, run, "done");
    } else if (!f->quiet) {
        if (run->state == TR_RUN_STOPPED_EARLY)
            printf("stopped early: epoch %lld was the best\n", (long long)run->best_epoch);
        printf("weights  %s/model.safetensors\n", run->dir);
        if (!has(a, "no-report")) printf("report   %s/report.html\n", run->dir);
    }
    return EXIT_OK;
}

int train(const args *a, tr_run *run, const char *dir)
{
    face f = { .json = has(a, "json"), .quiet = has(a, "quiet") };
    f.bar = !f.json && !f.quiet && is_terminal();
    write_begin(&f, run);
    watch_signals();
    tr_run_train(run, &(tr_callbacks){ .context = &f,
                                       .step = on_step,
                                       .log = on_log,
                                       .epoch = on_epoch,
                                       .stop = asked_to_stop });
    if (tr_status_get() != TR_OK) {
        clear_bar(&f);
        fflush(stdout);
        return EXIT_FAILED;
    }
    if (run->state == TR_RUN_INTERRUPTED) return end_interrupted(&f, run, dir);
    return end_training(a, &f, run);
}

int run_train(const args *a)
{
    if (check_words(a) != EXIT_OK) return EXIT_USAGE;
    if (has(a, "sweep") || (has(a, "resume") && is_sweep(text_of(a, "resume", NULL))))
        return run_sweep(a);
    tr_run *run = has(a, "resume") ? go_on(a) : begin_training(a, text_of(a, "out", NULL));
    if (run == NULL) return end_setup();
    const int status = train(a, run, run->dir);
    return tr_status_get() != TR_OK ? end_run() : status;
}
