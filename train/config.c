/* config.c: config.json, from which a run can be repeated or gone on with.
 *
 * The number of threads is not in it: it does not change the result. Values are checked on reading
 * as if they came from a stranger: kinds, ranges, names of settings. Read next: fit.c. */
#include "train/run.h"

#include "tensor/json.h"

#include <string.h>

enum { FORMAT = 1, MAX_CONFIG = 1 << 20 };

/* --- Write -------------------------------------------------------------------------------- */

static void add_string(tri_text *t, const char *key, const char *value)
{
    tri_text_add(t, "  \"%s\": ", key);
    tri_text_string(t, value);
    tri_text_add(t, ",\n");
}

/* Each begins with a comma. */
static void add_options(tri_text *t, const tr_train_options *o)
{
    for (const tri_train_option *f = tri_train_options_table; f->name != NULL; f++) {
        const double value = tri_train_option_get(o, f);
        tri_text_add(t, ",\n  \"%s\": ", f->name);
        switch (f->kind) {
        case TRI_COUNT: tri_text_add(t, "%lld", (long long)value); break;
        case TRI_NUMBER: tri_text_number(t, value); break;
        case TRI_FLAG: tri_text_add(t, value != 0 ? "true" : "false"); break;
        case TRI_SCHEDULE: tri_text_string(t, tr_rate_schedule_name(o->schedule)); break;
        }
    }
}

static void add_settings(tri_text *t, const tr_settings *s)
{
    const char *separator = "\n";
    tri_text_add(t, "  \"settings\": {");
    for (const tr_option *o = tr_settings_options(s); o->name != NULL; o++) {
        tri_text_add(t, "%s    ", separator);
        tri_text_string(t, o->name);
        tri_text_add(t, ": ");
        tri_text_string(t, tr_settings_text(s, o->name));
        separator = ",\n";
    }
    tri_text_add(t, "\n  },\n");
}

tr_status tri_config_write(const tr_run *run)
{
    if (run->dir == NULL || tri_failed()) return tr_status_get();
    const int64_t *size = run->model->input.dim;
    tr_scope      *scope = tr_scope_push();
    tri_text       t = { 0 };
    tri_text_add(&t, "{\n  \"format\": %d,\n", FORMAT);
    add_string(&t, "tenrec", tr_version());
    add_string(&t, "model", run->model->type->name);
    add_settings(&t, run->model->settings);
    add_string(&t, "data", run->data);
    if (run->classes != NULL) add_string(&t, "train_classes", run->classes);
    tri_text_add(&t, "  \"input\": [%lld, %lld, %lld],\n", (long long)size[0], (long long)size[1],
                 (long long)size[2]);
    tri_text_add(&t, "  \"classes\": %lld", (long long)run->model->classes);
    add_options(&t, &run->options);
    tri_text_add(&t, "\n}\n");
    tri_writer w;
    if (tri_writer_open(&w, tri_run_path(run, "config.json")) == TR_OK) {
        tri_writer_write(&w, t.bytes, t.count);
        tri_writer_close(&w);
    }
    tr_scope_pop(scope);
    return tr_status_get();
}

/* --- Read --------------------------------------------------------------------------------- */

/* An option that is not there has its default, if 0 stands for one: it is younger than the run.
 * Ranges are checked when defaults are filled in. */
static void read_options(tr_train_options *o, const tri_json *json, const char *path)
{
    for (const tri_train_option *f = tri_train_options_table; f->name != NULL; f++) {
        if (f->least <= 0 && tri_json_find(json, f->name) == NULL) continue;
        switch (f->kind) {
        case TRI_COUNT:
            tri_train_option_set(
                o, f, (double)tri_json_integer(json, path, f->name, 0, (int64_t)1 << 53));
            break;
        case TRI_NUMBER: tri_train_option_set(o, f, tri_json_number(json, path, f->name)); break;
        case TRI_FLAG: tri_train_option_set(o, f, tri_json_bool(json, path, f->name)); break;
        case TRI_SCHEDULE:
            if (tri_json_string(json, path, f->name) != NULL)
                tr_rate_schedule_find(tri_json_string(json, path, f->name), &o->schedule);
            break;
        }
    }
}

static tr_settings *read_settings(const tri_json *json, const char *path, const tr_model_type *type)
{
    const tri_json *given = tri_json_member(json, path, "settings", TRI_JSON_OBJECT);
    tr_settings    *settings = tr_settings_new(type->options);
    for (const tri_json *v = given != NULL ? given->first : NULL; v != NULL; v = v->next) {
        if (tri_failed()) return NULL;
        tr_settings_set(settings, v->key, tri_json_string(given, path, v->key));
    }
    return settings;
}

static tr_shape read_input(const tri_json *json, const char *path)
{
    tr_shape        input = { .rank = 3 };
    const tri_json *sizes = tri_json_member(json, path, "input", TRI_JSON_ARRAY);
    const tri_json *v = sizes != NULL ? sizes->first : NULL;
    int             i = 0;
    for (; v != NULL && i < 3 && v->is_integer && v->integer > 0 && v->integer <= 65536;
         v = v->next)
        input.dim[i++] = v->integer;
    if (i < 3 || v != NULL)
        tr_fail(TR_ERR_FILE,
                "%s: input must be three sizes, height, width and channels, in 1 .. 65536", path);
    return input;
}

/* What is built belongs to the scope of the caller, as the run does; so does the text, which is
 * small. */
static void read_run(tr_run *run, const tr_model_type *type, const tri_json *json, const char *path)
{
    tri_json_integer(json, path, "format", FORMAT, FORMAT);
    const char *name = tri_json_string(json, path, "model");
    if (tri_failed()) return;
    if (type == NULL) type = tr_model_find(name);
    if (type != NULL && strcmp(type->name, name) != 0)
        tr_fail(TR_ERR_VALUE, "%s: is a run of %s, not of %s", path, name, type->name);
    if (tri_failed()) return;
    run->data = tri_run_text(tri_json_string(json, path, "data"));
    if (tri_json_find(json, "train_classes") != NULL)
        run->classes = tri_run_text(tri_json_string(json, path, "train_classes"));
    read_options(&run->options, json, path);
    tr_settings   *settings = read_settings(json, path, type);
    const tr_shape input = read_input(json, path);
    const int64_t  classes = tri_json_integer(json, path, "classes", 0, 1000000);
    if (tri_failed() || tri_options_resolve(&run->options, type) != TR_OK) return;
    run->model = tr_model_new(type, settings, input, classes, run->options.seed);
}

tr_status tri_config_read(tr_run *run, const tr_model_type *type)
{
    const char *path = tri_run_path(run, "config.json");
    int64_t     count = 0;
    if (path == NULL) return tr_status_get();
    if (tri_file_missing(path))
        return tr_fail(TR_ERR_FILE, "%s: is no run directory: it has no config.json", run->dir);
    const char     *text = tri_read_file(path, MAX_CONFIG, &count);
    const tri_json *json = text != NULL ? tri_json_parse(path, text, count, 0) : NULL;
    if (json != NULL && json->kind != TRI_JSON_OBJECT)
        tr_fail(TR_ERR_FILE, "%s: is no JSON object", path);
    if (!tri_failed()) read_run(run, type, json, path);
    tri_error_in(path);
    return tr_status_get();
}

/* --- The command -------------------------------------------------------------------------- */

static bool is_plain(const char *text)
{
    return text[0] != '\0' &&
           text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                             "._-/:=,+@%")] == '\0';
}

/* A word of a shell command, quoted where it has to be. */
static void add_word(tri_text *t, const char *word)
{
    if (is_plain(word)) {
        tri_text_add(t, "%s", word);
        return;
    }
    tri_text_add(t, "'");
    for (; *word != '\0'; word++)
        if (*word == '\'')
            tri_text_add(t, "'\\''");
        else
            tri_text_add(t, "%c", *word);
    tri_text_add(t, "'");
}

/* " --lr-min 0.001" for an option that is not at its default. The first four are always told. */
static void add_given(tri_text *t, const tr_train_options *o, const tr_model_type *type)
{
    enum { ALWAYS = 4 };
    tr_train_options standard = { .epochs = o->epochs, .schedule = o->schedule };
    tri_options_resolve(&standard, type);
    for (const tri_train_option *f = tri_train_options_table; f->name != NULL; f++) {
        const double value = tri_train_option_get(o, f);
        const bool   same = f->kind == TRI_SCHEDULE ? value == 0 /* constant */
                                                    : value == tri_train_option_get(&standard, f);
        if (same && f - tri_train_options_table >= ALWAYS) continue;
        tri_text_add(t, " --");
        for (const char *c = f->name; *c != '\0'; c++) tri_text_add(t, "%c", *c == '_' ? '-' : *c);
        if (f->kind == TRI_SCHEDULE) tri_text_add(t, " %s", tr_rate_schedule_name(o->schedule));
        if (f->kind == TRI_COUNT) tri_text_add(t, " %lld", (long long)value);
        if (f->kind == TRI_NUMBER) {
            tri_text_add(t, " ");
            tri_text_number(t, value);
        }
    }
}

char *tr_run_command(const tr_run *run)
{
    if (!tri_given(run, "run_command: the run")) return NULL;
    const tr_settings *s = run->model->settings;
    tri_text           t = { 0 };
    tri_text_add(&t, "train %s --data ", run->model->type->name);
    add_word(&t, run->data);
    if (run->classes != NULL) {
        tri_text_add(&t, run->classes[0] == '!' ? " --exclude " : " --classes ");
        add_word(&t, run->classes + (run->classes[0] == '!'));
    }
    add_given(&t, &run->options, run->model->type);
    for (const tr_option *option = tr_settings_options(s); option->name != NULL; option++) {
        const char *value = tr_settings_text(s, option->name);
        if (strcmp(value, option->standard) == 0) continue;
        tri_text_add(&t, " --set %s=", option->name);
        if (value[0] != '\0') add_word(&t, value);
    }
    return t.bytes;
}
