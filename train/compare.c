/* compare.c: one run among several, measured in the same way as each other.
 *
 * The run and its data live in a scope of their own; what remains are texts inside the result and
 * a few small tensors. Read next: compare_page.c (how it is shown). */
#include "train/report.h"

#include "tensor/json.h"

#include <math.h>
#include <string.h>

enum { COLUMNS = 8, BATCH = 200 };

/* --- Texts -------------------------------------------------------------------------------- */

/* The last part of a path, without slashes at its end. */
static void base_name(const char *path, char *name, size_t room)
{
    size_t end = strlen(path);
    while (end > 0 && path[end - 1] == '/') end--;
    size_t begin = end;
    while (begin > 0 && path[begin - 1] != '/') begin--;
    snprintf(name, room, "%.*s", (int)(end - begin), path + begin);
}

static void describe(const tr_run *run, tr_compared *c)
{
    const tr_settings *s = run->model->settings;
    tri_text           t = { 0 };
    for (const tr_option *o = tr_settings_options(s); o->name != NULL; o++)
        if (strcmp(tr_settings_text(s, o->name), o->standard) != 0)
            tri_text_add(&t, "%s%s=%s", t.count > 0 ? " " : "", o->name,
                         tr_settings_text(s, o->name));
    const char *command = tr_run_command(run);
    snprintf(c->options, sizeof c->options, "%s", t.bytes != NULL ? t.bytes : "");
    snprintf(c->command, sizeof c->command, "%s", command != NULL ? command : "");
}

/* --- Measures ----------------------------------------------------------------------------- */

static tr_tensor *curve(const tr_run *run, bool val)
{
    tr_tensor *values = tr_empty(TR_F64, TR_SHAPE(run->epochs_done));
    for (int64_t i = 0; values != NULL && i < run->epochs_done; i++) {
        const tr_metrics *m = val ? &run->history[i].val : &run->history[i].train;
        ((double *)values->data)[i] = m->count > 0 ? m->value[0] : (double)NAN;
    }
    return values != NULL ? tr_scope_keep(values) : NULL;
}

static void read_history(const tr_run *run, tr_compared *c)
{
    const tr_epoch *row = tri_shown_row(run);
    c->epochs = run->epochs_done;
    c->train = curve(run, false);
    if (row == NULL) return;
    c->metrics = row->val;
    if (row->val.count > 0) c->val = curve(run, true);
    for (int64_t i = 0; i < run->epochs_done; i++) c->seconds += run->history[i].seconds;
}

static void measure_errors(const tr_run *run, int64_t count, tr_compared *c)
{
    double sums[2] = { 0, 0 };
    for (int64_t i = 0; i < count && !tri_failed(); i += BATCH) {
        const int64_t n = i + BATCH < count ? BATCH : count - i;
        tr_scope     *scope = tr_scope_push();
        tr_tensor    *x = tr_dataset_images(run->dataset, TR_TEST, i, i + n);
        tr_tensor    *y = tr_model_reconstruct(run->model, x);
        tr_tensor    *p = tr_clamp(y, 1e-7, 1 - 1e-7);
        if (p != NULL) {
            sums[0] += (double)n * tr_item(tr_mse(y, x, TR_MEAN));
            sums[1] += (double)n * tr_item(tr_bce(p, x, TR_MEAN));
        }
        tr_scope_pop(scope);
    }
    c->mse = sums[0] / (double)count;
    c->bce = sums[1] / (double)count;
    c->psnr = -10 * log10(c->mse);
}

static tr_features features(const tr_run *run, tr_data_split split, int64_t count)
{
    return (tr_features){ .x = tr_encode_images(run->model, run->dataset, split, count),
                          .labels = tr_dataset_labels(run->dataset, split, 0, count) };
}

static int64_t at_most(int64_t count, int64_t limit)
{
    return limit > 0 && limit < count ? limit : count;
}

/* NaN where there is nothing to tell apart. */
static double probe(const tr_run *run, int64_t train_count, int64_t test_count)
{
    const tr_dataset *d = run->dataset;
    if (train_count == 0 || d->classes < 2 || run->classes != NULL) return (double)NAN;
    const tr_features train = features(run, TR_TRAIN, at_most(d->count[TR_TRAIN], train_count));
    const tr_features test = features(run, TR_TEST, test_count);
    return tr_linear_accuracy(&train, &test, d->classes, 0);
}

static void draw(const tr_run *run, tr_compared *c)
{
    const tr_dataset *d = run->dataset;
    if (d->height < 2 || (d->channels != 1 && d->channels != 3)) return;
    const tri_rows rows = tri_show_rows(run, tr_show_images(d, COLUMNS), true);
    c->row_count = rows.count;
    for (int i = 0; i < rows.count; i++) c->row_names[i] = rows.name[i];
    c->images = rows.images != NULL ? tr_scope_keep(rows.images) : NULL;
}

/* --- A run -------------------------------------------------------------------------------- */

tr_status tr_compare_run(const char *dir, const tr_compare_options *options, tr_compared *c)
{
    const tr_compare_options o = options != NULL ? *options : (tr_compare_options){ 0 };
    if (!tri_given(dir, "compare: the run's directory") ||
        !tri_given(c, "compare: the place for the result"))
        return tr_status_get();
    *c = (tr_compared){ 0 };
    if (tri_failed()) return tr_status_get();
    const bool recording = tr_set_recording(false);
    tr_scope  *scope = tr_scope_push();
    tr_run    *run = tr_run_open(dir, NULL, TR_OPEN_HISTORY);
    if (run != NULL && tr_run_use_data(run, NULL) == TR_OK && run->dataset->count[TR_TEST] == 0)
        tr_fail(TR_ERR_VALUE, "%s has no test split", run->dataset->spec);
    if (!tri_failed()) {
        const int64_t count = at_most(run->dataset->count[TR_TEST], o.limit);
        base_name(dir, c->name, sizeof c->name);
        c->type = run->model->type;
        c->parameters = tr_module_parameter_count(run->model->net);
        c->code_size = tr_dim(tr_encode_images(run->model, run->dataset, TR_TEST, 1), 1);
        describe(run, c);
        read_history(run, c);
        measure_errors(run, count, c);
        c->accuracy = probe(run, o.probe, count);
        draw(run, c);
    }
    tr_scope_pop(scope);
    tr_set_recording(recording);
    return tr_status_get();
}
