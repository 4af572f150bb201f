/* report.c: the page about a run, one file that needs no other: style sheet, charts and pictures
 * are in it. What it says: what was trained and how well, the loss over epochs, what the model
 * does, how to do it again. Read next: show.c (pictures), chart.c, style.c. */
#include "train/report.h"

#include "tensor/json.h"

#include <math.h>
#include <string.h>

char *tri_group_digits(int64_t n, char text[32])
{
    char      plain[24];
    const int length = snprintf(plain, sizeof plain, "%lld", (long long)n);
    int       out = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0 && plain[i - 1] != '-') text[out++] = ',';
        text[out++] = plain[i];
    }
    text[out] = '\0';
    return text;
}

char *tri_describe_time(double seconds, char text[32])
{
    const int64_t s = (int64_t)llround(seconds);
    if (seconds < 60)
        snprintf(text, 32, "%.1f s", seconds);
    else if (s < 3600)
        snprintf(text, 32, "%lld min %02lld s", (long long)(s / 60), (long long)(s % 60));
    else
        snprintf(text, 32, "%lld h %02lld min", (long long)(s / 3600), (long long)(s / 60 % 60));
    return text;
}

/* --- Key figures -------------------------------------------------------------------------- */

static void write_figure(tri_writer *w, const char *value, const char *meaning)
{
    tri_writer_printf(w, "<div><b>%s</b><span>%s</span></div>\n", value, meaning);
}

const tr_epoch *tri_shown_row(const tr_run *run)
{
    if (tri_keeps_best(&run->options) && run->best_epoch > 0)
        return &run->history[run->best_epoch - 1];
    return tr_run_last(run);
}

/* What losses are averages over. */
static const char *unit_of(const tr_run *run)
{
    if (run->dataset->table == NULL) return tr_unit_name(run->model->type->unit);
    return run->model->type->unit == TR_PER_IMAGE ? "nats per row" : "average per value";
}

static void write_figures(tri_writer *w, const tr_run *run)
{
    const tr_epoch *row = tri_shown_row(run);
    char            text[32], more[96];
    tri_writer_printf(w, "<div class=\"figures\">\n");
    if (row != NULL) {
        const bool        val = row->val.count > 0;
        const tr_metrics *m = val ? &row->val : &row->train;
        snprintf(text, sizeof text, "%.5g", m->value[0]);
        snprintf(more, sizeof more, "%s loss, %s, after epoch %lld",
                 val ? "validation" : "training", unit_of(run), (long long)row->epoch);
        write_figure(w, text, more);
        double seconds = 0, speed = 0;
        for (int64_t i = 0; i < run->epochs_done; i++) {
            seconds += run->history[i].seconds;
            speed = fmax(speed, run->history[i].images_per_second);
        }
        snprintf(more, sizeof more, "training time, %lld of %lld epochs",
                 (long long)run->epochs_done, (long long)run->options.epochs);
        write_figure(w, tri_describe_time(seconds, text), more);
        snprintf(more, sizeof more, "%ss per second, best epoch", tri_show_noun(run));
        write_figure(w, tri_group_digits(llround(speed), text), more);
    }
    write_figure(w, tri_group_digits(tr_module_parameter_count(run->model->net), text),
                 "parameters");
    const int64_t size = tr_dim(tr_encode_images(run->model, run->dataset, TR_TEST, 1), 1);
    snprintf(more, sizeof more, "numbers in the code, for %lld in the %s",
             (long long)run->model->pixels, tri_show_noun(run));
    write_figure(w, tri_group_digits(size, text), more);
    tri_writer_printf(w, "</div>\n");
}

/* --- Loss curves -------------------------------------------------------------------------- */

static void write_chart(tri_writer *w, const tr_run *run, int metric)
{
    const tr_epoch *first = &run->history[0];
    const int64_t   n = run->epochs_done;
    double         *train = tr_scope_alloc((uint64_t)n * sizeof *train);
    double         *val = tr_scope_alloc((uint64_t)n * sizeof *val);
    if (train == NULL || val == NULL) return;
    for (int64_t i = 0; i < n; i++) {
        train[i] = run->history[i].train.value[metric];
        val[i] = run->history[i].val.value[metric];
    }
    tri_writer_printf(w, "<figure class=\"card\"><h3>");
    tri_write_html(w, first->train.name[metric]);
    tri_writer_printf(w, "</h3>\n");
    tri_chart_write(w, &(tri_chart){ .title = first->train.name[metric],
                                     .x_label = "epoch",
                                     .y_label = unit_of(run),
                                     .series = { { "training", "train", train, NULL },
                                                 { "validation", "val", val, NULL } },
                                     .series_count = metric < first->val.count ? 2 : 1,
                                     .count = n });
    tri_writer_printf(w, "</figure>\n");
}

static void write_value(tri_writer *w, const tr_metrics *m, int metric)
{
    if (metric < m->count)
        tri_writer_printf(w, "<td>%.5g</td>", m->value[metric]);
    else
        tri_writer_printf(w, "<td>-</td>");
}

/* Each term at the end and, of the loss, at its best. */
static void write_results(tri_writer *w, const tr_run *run)
{
    const tr_epoch *last = tr_run_last(run);
    tri_writer_printf(w,
                      "<div class=\"card\"><h3>after epoch %lld</h3><table class=\"numbers\">\n"
                      "<tr><td></td><td>training</td><td>validation</td></tr>\n",
                      (long long)last->epoch);
    for (int i = 0; i < last->train.count; i++) {
        if (i > 0 && last->train.count == 2) break; /* one term is the loss itself */
        tri_writer_printf(w, "<tr><td>");
        tri_write_html(w, last->train.name[i]);
        tri_writer_printf(w, "</td>");
        write_value(w, &last->train, i);
        write_value(w, &last->val, i);
        tri_writer_printf(w, "</tr>\n");
    }
    if (run->best_epoch > 0 && run->best_epoch < last->epoch) {
        const tr_epoch *best = &run->history[run->best_epoch - 1];
        tri_writer_printf(w, "<tr><td>loss at its best, epoch %lld</td>", (long long)best->epoch);
        write_value(w, &best->train, 0);
        write_value(w, &best->val, 0);
        tri_writer_printf(w, "</tr>\n");
    }
    tri_writer_printf(w, "</table></div>\n");
}

/* Means of at most this many rows, so that a page stays small. */
enum { STEP_POINTS = 250 };

static void write_step_chart(tri_writer *w, const tr_run *run, bool rate)
{
    const int64_t rows = run->steps_logged, each = (rows + STEP_POINTS - 1) / STEP_POINTS;
    const int64_t n = (rows + each - 1) / each;
    const char   *title = rate ? "learning rate, step by step" : "training loss, step by step";
    double *x = tr_scope_alloc((uint64_t)n * sizeof *x), *y = tr_scope_alloc((uint64_t)n * sizeof *y);
    if (x == NULL || y == NULL) return;
    for (int64_t i = 0; i < n; i++) {
        const int64_t end = (i + 1) * each < rows ? (i + 1) * each : rows;
        for (int64_t k = i * each; k < end; k++)
            y[i] +=
                (rate ? run->steps[k].lr : run->steps[k].train.value[0]) / (double)(end - i * each);
        x[i] = (double)run->steps[end - 1].step;
    }
    tri_writer_printf(w, "<figure class=\"card\"><h3>%s</h3>\n", title);
    tri_chart_write(
        w, &(tri_chart){ .title = title,
                         .x_label = "step",
                         .y_label = rate ? "learning rate" : unit_of(run),
                         .series = { { rate ? "learning rate" : "training", "train", y, x } },
                         .series_count = 1,
                         .count = n });
    tri_writer_printf(w, "</figure>\n");
}

/* Of the last step of each epoch. */
static void write_rate_chart(tri_writer *w, const tr_run *run)
{
    double *lr = tr_scope_alloc((uint64_t)run->epochs_done * sizeof *lr);
    if (lr == NULL) return;
    for (int64_t i = 0; i < run->epochs_done; i++) lr[i] = run->history[i].lr;
    tri_writer_printf(w, "<figure class=\"card\"><h3>learning rate</h3>\n");
    tri_chart_write(w, &(tri_chart){ .title = "Learning rate",
                                     .x_label = "epoch",
                                     .y_label = "at the end of the epoch",
                                     .series = { { "learning rate", "train", lr, NULL } },
                                     .series_count = 1,
                                     .count = run->epochs_done });
    tri_writer_printf(w, "</figure>\n");
}

static void write_steps_and_rate(tri_writer *w, const tr_run *run)
{
    const bool changes = run->options.schedule != TR_RATE_CONSTANT || run->options.warmup > 0;
    if (run->steps_logged > 0) write_step_chart(w, run, false);
    if (changes && run->steps_logged > 0) write_step_chart(w, run, true);
    if (changes && run->steps_logged == 0 && run->epochs_done > 0) write_rate_chart(w, run);
}

static void write_losses(tri_writer *w, const tr_run *run)
{
    if (run->epochs_done == 0 && run->steps_logged == 0) return;
    const int metrics = run->epochs_done > 0 ? run->history[0].train.count : 0;
    tri_writer_printf(
        w,
        "<h2>Loss</h2>\n<p class=\"soft\">%s Training values are averages over an epoch, while the "
        "weights change; validation values are taken after it.</p>\n<div class=\"cards two\">\n",
        run->model->type->unit == TR_PER_IMAGE
            ? "In nats: summed over pixels and latent dimensions, averaged over images."
        : run->dataset->table != NULL ? "Averaged over known values."
                                      : "Averaged over pixels and images.");
    for (int i = 0; i < metrics; i++)
        if (metrics > 2 || i == 0) write_chart(w, run, i); /* one term is the loss itself */
    write_steps_and_rate(w, run);
    if (run->epochs_done > 0) write_results(w, run);
    tri_writer_printf(w, "</div>\n");
}

/* --- Configuration ------------------------------------------------------------------------ */

static void write_row(tri_writer *w, const char *name, const char *value)
{
    tri_writer_printf(w, "<tr><td>");
    tri_write_html(w, name);
    tri_writer_printf(w, "</td><td>");
    tri_write_html(w, value[0] != '\0' ? value : "none");
    tri_writer_printf(w, "</td></tr>\n");
}

/* "cosine, to 1e-05, after a warm-up of 100 steps" */
static void describe_rate(const tr_train_options *o, tri_text *t)
{
    const char *name = tr_rate_schedule_name(o->schedule);
    tri_text_add(t, "%g", o->lr);
    if (o->schedule != TR_RATE_CONSTANT) tri_text_add(t, ", %s", name);
    if (o->schedule == TR_RATE_STEP)
        tri_text_add(t, ": times %g every %lld epochs", o->lr_factor, (long long)o->lr_every);
    if (o->schedule == TR_RATE_EXPONENTIAL) tri_text_add(t, ": times %g an epoch", o->lr_factor);
    if (o->schedule == TR_RATE_PLATEAU)
        tri_text_add(t, ": times %g after %lld epochs without a lower loss", o->lr_factor,
                     (long long)o->lr_every);
    if (o->schedule != TR_RATE_CONSTANT && o->lr_min > 0) tri_text_add(t, ", to %g", o->lr_min);
    if (o->warmup > 0) tri_text_add(t, ", warm-up of %lld steps", (long long)o->warmup);
}

/* What is done to gradients and weights, where anything is. */
static void write_steps(tri_writer *w, const tr_train_options *o)
{
    char text[64];
    if (o->accumulate > 1) {
        snprintf(text, sizeof text, "%lld batches in a step", (long long)o->accumulate);
        write_row(w, "accumulate", text);
    }
    if (o->clip_value > 0) {
        snprintf(text, sizeof text, "each element to %g", o->clip_value);
        write_row(w, "gradients clipped", text);
    }
    if (o->clip_norm > 0) {
        snprintf(text, sizeof text, "norm to %g", o->clip_norm);
        write_row(w, "gradients clipped", text);
    }
    if (o->ema > 0) {
        snprintf(text, sizeof text, "moving average, decay %g", o->ema);
        write_row(w, "weights used", text);
    }
}

/* "images trained on", or rows. */
static const char *text_with(const tr_run *run, const char *end, char name[48])
{
    snprintf(name, 48, "%s%s", tri_show_noun(run), end);
    return name;
}

static void write_training(tri_writer *w, const tr_run *run)
{
    const tr_train_options   *o = &run->options;
    const tr_evaluate_options part = tri_val_part(run);
    char                      text[96], name[48];
    int64_t                   begin, end;
    tri_train_range(run, &begin, &end);
    int64_t val = part.end > 0 ? part.end - part.begin : run->dataset->count[TR_TEST];
    if (o->val_limit > 0 && o->val_limit < val) val = o->val_limit;
    write_row(w, "data", run->data);
    snprintf(text, sizeof text, "%lld x %lld x %lld", (long long)run->model->input.dim[0],
             (long long)run->model->input.dim[1], (long long)run->model->input.dim[2]);
    write_row(w, text_with(run, " size", name), text);
    write_row(w, text_with(run, "s trained on", name), tri_group_digits(end - begin, text));
    tri_group_digits(val, text);
    strcat(text, o->val_split > 0 ? ", end of the train split" : ", test split");
    write_row(w, text_with(run, "s validated on", name), text);
    write_row(w, "optimiser", "Adam");
    tri_text rate = { 0 };
    describe_rate(o, &rate);
    write_row(w, "learning rate", rate.bytes != NULL ? rate.bytes : "");
    snprintf(text, sizeof text, "%lld", (long long)o->batch);
    write_row(w, "batch", text);
    write_steps(w, o);
    snprintf(text, sizeof text, "%lld", (long long)o->epochs);
    write_row(w, "epochs", text);
    if (o->early_stop > 0) {
        snprintf(text, sizeof text, "after %lld epochs without a lower loss",
                 (long long)o->early_stop);
        write_row(w, "early stop", text);
    }
    if (tri_keeps_best(o)) write_row(w, "epoch kept", "the best");
    snprintf(text, sizeof text, "%llu", (unsigned long long)o->seed);
    write_row(w, "seed", text);
}

static void write_configuration(tri_writer *w, const tr_run *run)
{
    const tr_settings *s = run->model->settings;
    char               text[32];
    tri_writer_printf(w, "<h2>Configuration</h2>\n<div class=\"cards\">\n"
                         "<div class=\"card\"><h3>Model</h3><table>\n");
    write_row(w, "model", run->model->type->name);
    for (const tr_option *o = tr_settings_options(s); o->name != NULL; o++)
        write_row(w, o->name, tr_settings_text(s, o->name));
    tri_writer_printf(w, "</table></div>\n<div class=\"card\"><h3>Training</h3><table>\n");
    write_training(w, run);
    tri_writer_printf(w, "</table></div>\n<div class=\"card\"><h3>Machine</h3><table>\n");
    write_row(w, "tenrec", tr_version());
    write_row(w, "instruction set", tr_isa());
    snprintf(text, sizeof text, "%d", tr_threads());
    write_row(w, "threads", text);
    tri_writer_printf(
        w, "</table>\n<p class=\"soft\">The result is the same to the bit for any number "
           "of threads.</p></div>\n</div>\n");
}

/* --- The page ----------------------------------------------------------------------------- */

void tri_write_head(tri_writer *w, const char *title, int refresh)
{
    tri_writer_printf(w,
                      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n");
    if (refresh > 0)
        tri_writer_printf(w, "<meta http-equiv=\"refresh\" content=\"%d\">\n", refresh);
    tri_writer_printf(w, "<title>");
    tri_write_html(w, title);
    tri_writer_printf(w, "</title>\n<style>\n%s</style>\n</head>\n<body>\n<main>\n", tri_style);
}

enum { REFRESH = 5 }; /* seconds */

/* Of a training under way. */
static void write_place(tri_writer *w, const tr_run *run)
{
    const int64_t epoch = run->training->epoch + (run->training->position > 0);
    tri_writer_printf(
        w,
        "<p class=\"card now\">Training: %s %lld of %lld. This page follows; it loads "
        "itself again every %d seconds.</p>\n",
        run->training->position > 0 ? "in epoch" : "done with epoch", (long long)epoch,
        (long long)run->options.epochs, REFRESH);
}

static void write_page(tri_writer *w, const tr_run *run)
{
    const tr_model_type *type = run->model->type;
    char                 title[128];
    snprintf(title, sizeof title, "%s on %s", type->name, run->dataset->name);
    tri_write_head(w, title, run->training->running ? REFRESH : 0);
    tri_writer_printf(w, "<h1>%s <small>on %s</small></h1>\n<p class=\"soft\">", type->name,
                      run->dataset->name);
    tri_write_html(w, type->summary);
    tri_writer_printf(w, "</p>\n");
    if (run->training->running) write_place(w, run);
    write_figures(w, run);
    write_losses(w, run);
    tri_show_write(w, run);
    write_configuration(w, run);
    tri_writer_printf(
        w, "<h2>Do it again</h2>\n<p class=\"soft\">This command gives the same weights, "
           "to the bit on the same instruction set.</p>\n<pre>tenrec ");
    const char *command = tr_run_command(run);
    if (command != NULL) tri_write_html(w, command);
    tri_writer_printf(w, "</pre>\n<footer>Source of the model: ");
    tri_write_html(w, type->source);
    tri_writer_printf(w, "</footer>\n</main>\n</body>\n</html>\n");
}

tr_status tr_run_report(tr_run *run)
{
    if (!tri_given(run, "run_report: the run")) return tr_status_get();
    if (tri_failed()) return tr_status_get();
    if (run->dir == NULL || run->dataset == NULL)
        return tr_fail(TR_ERR_STATE, "report: the run has no %s",
                       run->dir == NULL ? "directory" : "data; call tr_run_use_data first");
    const bool recording = tr_set_recording(false);
    tr_scope  *scope = tr_scope_push();
    tr_module_set_training(run->model->net, false);
    tri_writer w;
    if (tri_writer_open(&w, tri_run_path(run, "report.html")) == TR_OK) {
        write_page(&w, run);
        tri_writer_close(&w);
    }
    tr_scope_pop(scope);
    tr_set_recording(recording);
    return tr_status_get();
}
