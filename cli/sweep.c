/* sweep.c: `tenrec train MODEL --sweep KEY=V1,V2,...`: a training for each value, or, given several
 * times, for each combination: a run each in a folder of its own, and a page that compares them.
 *
 * DIR/sweep.json keeps the words of the command and is written before anything else, so that a
 * sweep goes on from what is in its folder alone: runs that are complete are left as they are, one
 * that was interrupted goes on, those that are missing begin. A training that diverges is a result;
 * the sweep goes on with the next. Read next: train.c. */
#include "cli/uses.h"

#include "train/run.h"

#include <string.h>
#include <unistd.h>

enum { MAX_KEYS = 4, MAX_VALUES = 64, MAX_RUNS = 256, FORMAT = 1, MAX_FILE = 1 << 20 };

/* One --sweep. */
typedef struct key {
    const char *name;
    const char *values[MAX_VALUES];
    int         count;
} key;

typedef struct sweep {
    const args *a; /* of the command that began it */
    const char *dir;
    key         keys[MAX_KEYS];
    int         key_count, run_count;
    int         failed;  /* runs that diverged */
    const char *failure; /* of the first of them */
} sweep;

/* --- What is swept over ------------------------------------------------------------------- */

/* "beta=0.5,1,4"; values that hold commas themselves stand between semicolons. False after a
 * message. */
static bool read_key(const args *a, const char *text, key *k)
{
    char       *copy = text_from("%s", text);
    char       *equals = copy != NULL ? strchr(copy, '=') : NULL;
    const char *separator = copy != NULL && strchr(copy, ';') != NULL ? ";" : ",";
    if (equals == NULL || equals == copy || equals[1] == '\0') {
        usage_error(a,
                    "--sweep is %s; it must be KEY=VALUE,VALUE,..., such as --sweep lr=0.001,0.01",
                    text);
        return false;
    }
    *equals = '\0';
    *k = (key){ .name = copy };
    for (char *at = strtok(equals + 1, separator); at != NULL; at = strtok(NULL, separator)) {
        if (k->count == MAX_VALUES || strchr(at, '/') != NULL) {
            usage_error(a, "--sweep %s: at most %d values, which give names to folders: no /",
                        k->name, MAX_VALUES);
            return false;
        }
        k->values[k->count++] = at;
    }
    if (k->count == 0) usage_error(a, "--sweep %s: has no values", k->name);
    return k->count > 0;
}

static bool read_keys(sweep *s)
{
    const args *a = s->a;
    s->run_count = 1;
    for (int i = 0; i < a->given; i++) {
        if (strcmp(a->names[i], "sweep") != 0) continue;
        if (s->key_count == MAX_KEYS) {
            usage_error(a, "--sweep is given more than %d times", MAX_KEYS);
            return false;
        }
        if (!read_key(a, a->values[i], &s->keys[s->key_count])) return false;
        s->run_count *= s->keys[s->key_count++].count;
        if (s->run_count > MAX_RUNS) {
            usage_error(a, "--sweep asks for %d runs or more; at most %d are possible",
                        s->run_count, MAX_RUNS);
            return false;
        }
    }
    return true;
}

/* The value that a key has in a run; the last key changes fastest. */
static const char *value_of(const sweep *s, int run, int which)
{
    for (int i = s->key_count - 1; i > which; i--) run /= s->keys[i].count;
    return s->keys[which].values[run % s->keys[which].count];
}

/* "beta=0.5,latent=2": what sets a run apart, and its folder. */
static const char *name_of(const sweep *s, int run)
{
    tri_text t = { 0 };
    for (int i = 0; i < s->key_count; i++)
        tri_text_add(&t, "%s%s=%s", i > 0 ? "," : "", s->keys[i].name, value_of(s, run, i));
    return t.bytes;
}

static bool is_of_model(const tr_model_type *type, const char *name)
{
    for (const tr_option *o = type->options; o->name != NULL; o++)
        if (strcmp(o->name, name) == 0) return true;
    return false;
}

/* The arguments of one run: those of the sweep, with its values. An option of the model goes before
 * one of the training with the same name. False after a message. */
static bool arguments_of(const sweep *s, int run, args *a)
{
    const tr_model_type *type = tr_model_find(s->a->words[0]);
    *a = *s->a;
    for (int i = 0; type != NULL && i < s->key_count; i++) {
        const char *name = s->keys[i].name, *value = value_of(s, run, i);
        const bool  own = is_of_model(type, name);
        if (!own && !is_training_option(name)) {
            usage_error(s->a, "--sweep: %s is no option of %s, nor a number of the training", name,
                        type->name);
            return false;
        }
        const char *setting = own ? text_from("%s=%s", name, value) : value;
        if (setting == NULL || !give_option(a, own ? "set" : name, setting)) return false;
    }
    return type != NULL;
}

/* Every value is looked at before the first run begins. */
static int check_runs(const sweep *s)
{
    for (int i = 0; i < s->run_count; i++) {
        tr_scope  *scope = tr_scope_push();
        args       a;
        const bool read = arguments_of(s, i, &a);
        if (read) check_training(&a);
        tr_scope_pop(scope);
        if (tr_status_get() != TR_OK) return end_setup();
        if (!read) return EXIT_USAGE;
    }
    return EXIT_OK;
}

/* --- sweep.json --------------------------------------------------------------------------- */

static bool is_one_of(const char *name, const char *const *names)
{
    for (; *names != NULL; names++)
        if (strcmp(*names, name) == 0) return true;
    return false;
}

/* What is told each time anew, and what the file does not keep as it was given. */
static const char *const anew[] = { "json", "quiet", "threads", NULL };
static const char *const elsewhere[] = { "out", "data", NULL };

static tr_status write_file(const sweep *s, const char *place)
{
    const args *a = s->a;
    tri_text    t = { 0 };
    tri_writer  w;
    tri_text_add(&t, "{\n  \"format\": %d,\n  \"tenrec\": ", FORMAT);
    tri_text_string(&t, tr_version());
    tri_text_add(&t, ",\n  \"train\": [\n    ");
    tri_text_string(&t, a->words[0]);
    tri_text_add(&t, ",\n    ");
    tri_text_string(&t, text_from("--data=%s", place));
    for (int i = 0; i < a->given; i++) {
        if (is_one_of(a->names[i], anew) || is_one_of(a->names[i], elsewhere)) continue;
        tri_text_add(&t, ",\n    ");
        tri_text_string(&t, a->values[i][0] != '\0'
                                ? text_from("--%s=%s", a->names[i], a->values[i])
                                : text_from("--%s", a->names[i]));
    }
    tri_text_add(&t, "\n  ]\n}\n");
    if (tri_writer_open(&w, text_from("%s/sweep.json", s->dir)) == TR_OK) {
        tri_writer_write(&w, t.bytes, t.count);
        tri_writer_close(&w);
    }
    return tr_status_get();
}

/* The arguments that began the sweep, then those given now. False after a message or an error. */
static bool read_file(const args *now, const char *dir, args *a)
{
    int64_t         count = 0;
    char           *words[MAX_GIVEN];
    const char     *path = text_from("%s/sweep.json", dir);
    const char     *text = path != NULL ? tri_read_file(path, MAX_FILE, &count) : NULL;
    const tri_json *json = text != NULL ? tri_json_parse(path, text, count, 0) : NULL;
    if (json != NULL && json->kind != TRI_JSON_OBJECT)
        tr_fail(TR_ERR_FILE, "%s: is no JSON object", path);
    if (tr_status_get() == TR_OK) tri_json_integer(json, path, "format", FORMAT, FORMAT);
    const tri_json *list =
        tr_status_get() == TR_OK ? tri_json_member(json, path, "train", TRI_JSON_ARRAY) : NULL;
    if (list == NULL) return false;
    int n = 0;
    for (const tri_json *v = list->first; v != NULL; v = v->next) {
        if (v->kind != TRI_JSON_STRING || n == MAX_GIVEN / 2) {
            tr_fail(TR_ERR_FILE, "%s: train must be a list of words, at most %d", path,
                    MAX_GIVEN / 2);
            return false;
        }
        words[n++] = text_from("%s", v->string);
    }
    if (tr_status_get() != TR_OK || !read_args(a, now->command, n, words)) return false;
    if (a->word_count != 1 || !has(a, "sweep")) {
        tr_fail(TR_ERR_FILE, "%s: has no model, or nothing to sweep over", path);
        return false;
    }
    for (int i = 0; i < now->given; i++)
        if (is_one_of(now->names[i], anew) && !give_option(a, now->names[i], now->values[i]))
            return false;
    return true;
}

/* --- Runs --------------------------------------------------------------------------------- */

static void tell_begin(const sweep *s, int run, const char *name, const char *dir)
{
    if (has(s->a, "json")) {
        tri_text t = { 0 };
        tri_text_add(&t, "{\"event\":\"run\",\"run\":%d,\"runs\":%d,\"name\":", run + 1,
                     s->run_count);
        tri_text_string(&t, name);
        tri_text_add(&t, ",\"out\":");
        tri_text_string(&t, dir);
        tri_text_add(&t, "}");
        print_json(&t);
    } else if (!has(s->a, "quiet")) {
        printf("%srun %d/%d: %s%s\n", bold(), run + 1, s->run_count, name, plain());
        fflush(stdout);
    }
}

/* A loss that is not finite is told, and the error taken back; others stay. True if it was one. */
static bool keep_failure(sweep *s, const char *name)
{
    if (tr_status_get() != TR_ERR_VALUE) return false;
    char text[400];
    snprintf(text, sizeof text, "%s: %s", name, tr_error());
    tr_error_clear();
    if (s->failed++ == 0) s->failure = text_from("%s", text);
    if (!has(s->a, "json") && !has(s->a, "quiet")) printf("failed: %s\n", text);
    return true;
}

/* Trained to its end, and shown. */
static bool is_complete(const args *a, const tr_run *run)
{
    return run->state >= TR_RUN_FINISHED &&
           (has(a, "no-report") || access(text_from("%s/report.html", run->dir), F_OK) == 0);
}

/* Exit status of one run; an error that ends the sweep is left as the library's. */
static int train_one(sweep *s, int number)
{
    args        a;
    const char *name = name_of(s, number), *dir = text_from("%s/%s", s->dir, name);
    if (!arguments_of(s, number, &a) || dir == NULL) return EXIT_USAGE;
    const bool there = access(text_from("%s/config.json", dir), F_OK) == 0;
    tell_begin(s, number, name, dir);
    tr_scope *scope = tr_scope_push();
    tr_run   *run = there ? tr_run_open(dir, NULL, TR_OPEN_RESUME) : begin_training(&a, dir);
    int       status = EXIT_OK;
    if (run != NULL && there && is_complete(&a, run)) {
        if (!has(s->a, "json") && !has(s->a, "quiet")) printf("is complete\n");
    } else {
        if (run != NULL && there) tr_run_use_data(run, NULL);
        if (tr_status_get() == TR_OK) status = train(&a, run, s->dir);
    }
    tr_scope_pop(scope);
    return keep_failure(s, name) ? EXIT_OK : status;
}

/* --- Comparison --------------------------------------------------------------------------- */

/* Those that have weights; a run that failed at once has none. */
static int measure(const sweep *s, tr_compared *compared, const char **names)
{
    int count = 0;
    for (int i = 0; i < s->run_count && tr_status_get() == TR_OK; i++) {
        const char *name = name_of(s, i);
        if (access(text_from("%s/%s/model.safetensors", s->dir, name), F_OK) != 0) continue;
        names[count] = name;
        if (tr_compare_run(text_from("%s/%s", s->dir, name), &(tr_compare_options){ .limit = 2000 },
                           &compared[count]) == TR_OK)
            count++;
    }
    return count;
}

/* The table of the validation metrics: those of the first run, which all have. */
static int end_sweep(sweep *s)
{
    enum { TIME = TR_MAX_METRICS, COLUMNS };
    static const command event = { .name = "sweep" };
    const char          *path = text_from("%s/report.html", s->dir);
    tr_compared         *compared = tr_scope_alloc((uint64_t)s->run_count * sizeof *compared);
    const char         **names = tr_scope_alloc((uint64_t)s->run_count * sizeof *names);
    double              *cells = tr_scope_alloc((uint64_t)s->run_count * COLUMNS * sizeof *cells);
    const char          *columns[COLUMNS];
    if (path == NULL || compared == NULL || names == NULL || cells == NULL) return end_run();
    const int count = measure(s, compared, names);
    const int metrics = count > 0 ? compared[0].metrics.count : 0;
    tr_compare_page(path, text_from("Sweep of %s", s->a->words[0]), compared, count);
    for (int m = 0; m < metrics; m++) columns[m] = compared[0].metrics.name[m];
    columns[metrics] = "seconds";
    for (int i = 0; i < count; i++) {
        double *row = cells + i * (metrics + 1);
        for (int m = 0; m < metrics; m++) row[m] = tr_metric(&compared[i].metrics, columns[m]);
        row[metrics] = compared[i].seconds;
    }
    args a = *s->a;
    a.command = &event;
    if (tr_status_get() != TR_OK) return end_run();
    tell(&a, path, NULL, 0,
         &(table){ .name = "runs",
                   .key = "run",
                   .labels = names,
                   .columns = columns,
                   .cells = cells,
                   .rows = count,
                   .column_count = metrics + 1 });
    if (s->failed == 0) return EXIT_OK;
    tr_fail(TR_ERR_VALUE, "sweep: %d of %d runs failed; the first: %s", s->failed, s->run_count,
            s->failure);
    return end_run();
}

static int train_all(sweep *s)
{
    for (int i = 0; i < s->run_count; i++) {
        const int status = train_one(s, i);
        if (tr_status_get() != TR_OK) return end_run();
        if (status != EXIT_OK) return status;
    }
    return end_sweep(s);
}

/* --- Begin and go on ---------------------------------------------------------------------- */

static int begin_sweep(sweep *s)
{
    const args *a = s->a;
    if (has(a, "overwrite"))
        return usage_error(a, "--sweep does not overwrite; choose another --out");
    const int status = check_runs(s);
    if (status != EXIT_OK) return status;
    tr_dataset *data = tr_dataset_open(text_of(a, "data", "digits"), NULL);
    if (data == NULL) return end_setup();
    s->dir = text_of(a, "out", NULL);
    if (s->dir == NULL) s->dir = free_directory(a->words[0], data->name, "-sweep");
    if (s->dir == NULL || tri_make_folders(s->dir) != TR_OK) return end_setup();
    tri_remove_temporary(s->dir);
    if (tri_check_empty(s->dir) != TR_OK || write_file(s, data->place) != TR_OK) return end_setup();
    return train_all(s);
}

bool is_sweep(const char *dir)
{
    const char *path = text_from("%s/sweep.json", dir);
    return path != NULL && access(path, F_OK) == 0;
}

int run_sweep(const args *now)
{
    args        a;
    const char *dir = text_of(now, "resume", NULL);
    sweep      *s = tr_scope_alloc(sizeof *s);
    if (s == NULL) return end_run();
    for (int i = 0; i < now->given && dir != NULL; i++)
        if (!is_one_of(now->names[i], anew) && strcmp(now->names[i], "resume") != 0)
            return usage_error(now, "--%s is fixed by the sweep that --resume goes on with",
                               now->names[i]);
    if (dir == NULL) {
        s->a = now;
        return read_keys(s) ? begin_sweep(s) : EXIT_USAGE;
    }
    if (!read_file(now, dir, &a)) return tr_status_get() != TR_OK ? end_run() : EXIT_USAGE;
    s->a = &a;
    s->dir = dir;
    if (!read_keys(s)) return EXIT_USAGE;
    const int status = check_runs(s);
    return status == EXIT_OK ? train_all(s) : status;
}
