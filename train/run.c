/* run.c: runs and their directories. One process at a time trains into a directory: it holds a lock
 * (flock) on the file `.lock`, which the system drops with the process, however it ends.
 * Read next: config.c (config.json), fit.c (the loop). */
#include "train/run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

char *tri_run_path(const tr_run *run, const char *name)
{
    const size_t size = strlen(run->dir) + strlen(name) + 2;
    char        *path = tr_scope_alloc(size);
    if (path != NULL) snprintf(path, size, "%s/%s", run->dir, name);
    return path;
}

char *tri_run_text(const char *text)
{
    char *copy = text != NULL ? tr_scope_alloc(strlen(text) + 1) : NULL;
    return copy != NULL ? strcpy(copy, text) : NULL;
}

/* --- Directories -------------------------------------------------------------------------- */

tr_status tri_make_folders(const char *path)
{
    tr_scope *scope = tr_scope_push();
    char     *part = tr_scope_alloc(strlen(path) + 1);
    for (size_t i = 1; part != NULL && path[0] != '\0'; i++) {
        if (path[i] != '/' && path[i] != '\0') continue;
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, 0777) != 0 && errno != EEXIST) {
            tr_fail(TR_ERR_FILE, "%s: cannot make the folder: %s", part, strerror(errno));
            break;
        }
        if (path[i] == '\0') break;
    }
    tr_scope_pop(scope);
    return tr_status_get();
}

static DIR *open_folder(const char *path)
{
    DIR *folder = opendir(path);
    if (folder == NULL)
        tr_fail(TR_ERR_FILE, "%s: cannot open the folder: %s", path, strerror(errno));
    return folder;
}

/* The next name but ".", ".." and ".lock"; NULL after the last one, and on error. */
static const char *next_name(DIR *folder, const char *path)
{
    for (;;) {
        errno = 0;
        const struct dirent *e = readdir(folder);
        if (e == NULL && errno != 0)
            tr_fail(TR_ERR_FILE, "%s: cannot read the folder: %s", path, strerror(errno));
        if (e == NULL) return NULL;
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
            strcmp(e->d_name, ".lock") != 0)
            return e->d_name;
    }
}

/* A table.json alone is no run: a process that was killed before it wrote config.json left it. */
tr_status tri_check_empty(const char *path)
{
    DIR *folder = open_folder(path);
    if (folder == NULL) return tr_status_get();
    for (const char *name; !tri_failed() && (name = next_name(folder, path)) != NULL;)
        if (strcmp(name, "table.json") != 0)
            tr_fail(TR_ERR_FILE, "%s: is not empty; resume that run, or choose another folder",
                    path);
    closedir(folder);
    return tr_status_get();
}

void tri_remove_temporary(const char *path)
{
    static const char *const written[] = { "config.json.tmp-",
                                           "log.csv.tmp-",
                                           "steps.csv.tmp-",
                                           "model.safetensors.tmp-",
                                           "checkpoint.safetensors.tmp-",
                                           "table.json.tmp-",
                                           "sweep.json.tmp-",
                                           NULL };
    if (path == NULL || tri_file_missing(path)) return;
    DIR *folder = open_folder(path);
    for (const char *name; folder != NULL && (name = next_name(folder, path)) != NULL;)
        for (int i = 0; written[i] != NULL; i++)
            if (strncmp(name, written[i], strlen(written[i])) == 0)
                (void)unlinkat(dirfd(folder), name, 0);
    if (folder != NULL) closedir(folder);
}

/* Files of runs only, so a wrong path costs nothing else. The checkpoint goes first: a process that
 * dies on the way leaves a run at its beginning, not a mixture. config.json is written over. */
static void remove_run(const tr_run *run)
{
    static const char *const files[] = {
        TRI_CHECKPOINT, "model.safetensors", "log.csv", "steps.csv",
        "report.html",  "table.json",        NULL
    };
    tr_scope *scope = tr_scope_push();
    for (int i = 0; files[i] != NULL; i++) {
        const char *path = tri_run_path(run, files[i]);
        if (path != NULL && remove(path) != 0 && errno != ENOENT && errno != ENOTDIR)
            tr_fail(TR_ERR_FILE, "%s: cannot remove the file: %s", path, strerror(errno));
    }
    tr_scope_pop(scope);
}

/* A descriptor that holds the lock, or an error and -1. */
static int take_lock(const char *dir, const char *path)
{
    int file, result;
    do file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    while (file < 0 && errno == EINTR);
    if (file < 0) {
        tr_fail(TR_ERR_FILE, "%s: cannot create the file: %s", path, strerror(errno));
        return -1;
    }
    do result = flock(file, LOCK_EX | LOCK_NB);
    while (result != 0 && errno == EINTR);
    if (result == 0) return file;
    if (errno == EWOULDBLOCK)
        tr_fail(TR_ERR_STATE, "%s: another process is training in this folder", dir);
    else
        tr_fail(TR_ERR_FILE, "%s: cannot lock the file: %s", path, strerror(errno));
    close(file);
    return -1;
}

static tr_status lock(tr_run *run)
{
    tr_scope   *scope = tr_scope_push();
    const char *path = tri_run_path(run, ".lock");
    if (path != NULL) run->training->lock = take_lock(run->dir, path);
    if (!tri_failed()) tri_remove_temporary(run->dir);
    if (!tri_failed()) tri_remove_temporary(tri_run_path(run, "checkpoint"));
    tr_scope_pop(scope);
    return tr_status_get();
}

static void make_checkpoint_folder(const tr_run *run)
{
    tr_scope   *scope = tr_scope_push();
    const char *path = tri_run_path(run, "checkpoint");
    if (path != NULL) tri_make_folders(path);
    tr_scope_pop(scope);
}

static bool has_config(const tr_run *run)
{
    tr_scope   *scope = tr_scope_push();
    const char *path = tri_run_path(run, "config.json");
    const bool  there = path != NULL && !tri_file_missing(path);
    tr_scope_pop(scope);
    return there;
}

/* --- Make and open ------------------------------------------------------------------------ */

static void unlock(tr_run *run)
{
    if (run->training->lock >= 0) close(run->training->lock);
    run->training->lock = -1;
}

static void release(void *object)
{
    tr_run *run = object;
    tri_block_free(run->history, (size_t)run->training->capacity * sizeof *run->history);
    tri_block_free(run->steps, (size_t)run->training->step_capacity * sizeof *run->steps);
    unlock(run);
}

/* The run, or NULL on error: then the directory is free for the next attempt at once. */
static tr_run *made(tr_run *run)
{
    if (!tri_failed()) return run;
    unlock(run);
    return NULL;
}

static tr_run *new_run(const char *dir)
{
    tr_run *run = tr_scope_alloc(sizeof *run);
    if (run == NULL) return NULL;
    run->training = tr_scope_alloc(sizeof *run->training);
    if (run->training == NULL) return NULL;
    run->training->lock = -1;
    if (dir != NULL) run->dir = tri_run_text(dir);
    return tr_scope_own(run, release) == TR_OK ? run : NULL;
}

/* All that training needs beside the model. */
static void make_training(tr_run *run)
{
    tri_training *t = run->training;
    t->parameters = tr_module_parameters(run->model->net);
    t->optimizer = tr_adam(t->parameters, &(tr_adam_options){ .lr = run->options.lr });
    if (run->options.ema > 0) t->ema = tr_ema_new(t->parameters, run->options.ema);
    if (tri_keeps_best(&run->options)) tri_best_make(run);
}

tr_run *tr_run_new(const char *dir, tr_model *model, const tr_dataset *data,
                   const tr_train_options *options)
{
    if (!tri_given(model, "run_new: the model") || !tri_given(data, "run_new: the dataset"))
        return NULL;
    if (tri_failed()) return NULL;
    tr_run *run = new_run(dir);
    if (run == NULL) return NULL;
    if (options != NULL) run->options = *options;
    run->model = model;
    run->dataset = data;
    run->data = tri_run_text(data->place);
    run->classes = tri_run_text(data->classes_kept);
    run->table = data->table;
    model->blank = data->blank;
    tri_options_resolve(&run->options, model->type);
    make_training(run);
    if (tri_failed()) return NULL;
    if (dir == NULL || tri_make_folders(dir) != TR_OK || lock(run) != TR_OK) return made(run);
    if (run->options.overwrite && has_config(run))
        remove_run(run);
    else
        tri_check_empty(dir);
    if (!tri_failed() && run->table != NULL)
        tr_table_save(run->table, tri_run_path(run, "table.json"));
    if (tri_config_write(run) == TR_OK) make_checkpoint_folder(run);
    return made(run);
}

/* From the place and the history alone; tr_run_train comes to the same. */
static void set_state(tr_run *run)
{
    const tri_training *t = run->training;
    if (t->epoch >= run->options.epochs)
        run->state = TR_RUN_FINISHED;
    else if (tri_patience_spent(run))
        run->state = TR_RUN_STOPPED_EARLY;
    else
        run->state = t->epoch + t->position > 0 ? TR_RUN_INTERRUPTED : TR_RUN_NEW;
}

static void read_weights(tr_run *run)
{
    tr_scope   *scope = tr_scope_push();
    const char *path = tri_run_path(run, "model.safetensors");
    if (path != NULL && tri_file_missing(path))
        tr_fail(TR_ERR_FILE, "%s: there are no weights yet: no epoch was completed", path);
    else
        tr_module_load(run->model->net, path);
    tr_scope_pop(scope);
}

/* There is none where the process ended before its first step. */
static void read_checkpoint(tr_run *run)
{
    tr_scope   *scope = tr_scope_push();
    const char *path = tri_run_path(run, TRI_CHECKPOINT);
    if (!tri_failed() && !tri_file_missing(path)) tri_checkpoint_read(run, path);
    tr_scope_pop(scope);
}

static void read_table(tr_run *run)
{
    const char *path = tri_run_path(run, "table.json");
    if (path != NULL && !tri_file_missing(path)) run->table = tr_table_load(path);
}

tr_run *tr_run_open(const char *dir, const tr_model_type *type, tr_open_mode mode)
{
    if (!tri_given(dir, "run_open: the directory")) return NULL;
    tr_run *run = tri_failed() ? NULL : new_run(dir);
    if (run == NULL || tri_config_read(run, type) != TR_OK) return NULL;
    read_table(run);
    if (mode == TR_OPEN_RESUME) {
        if (lock(run) != TR_OK) return NULL;
        make_checkpoint_folder(run);
        make_training(run);
    }
    if (mode != TR_OPEN_WEIGHTS) read_checkpoint(run);
    if (mode != TR_OPEN_RESUME) read_weights(run);
    set_state(run);
    tr_module_set_training(run->model->net, mode == TR_OPEN_RESUME);
    return made(run);
}

static tr_status use(tr_run *run, const char *spec, bool whole_table)
{
    if (!tri_given(run, "run_use_data: the run")) return tr_status_get();
    if (tri_failed()) return tr_status_get();
    const bool        whole = whole_table && run->table != NULL && spec != NULL;
    const tr_dataset *d =
        tr_dataset_open(spec != NULL ? spec : run->data,
                        &(tr_dataset_options){ .classes = spec != NULL ? NULL : run->classes,
                                               .table = run->table,
                                               .test_fraction = whole ? 1 : 0 });
    if (d == NULL) return tr_status_get();
    const int64_t *size = run->model->input.dim;
    if (d->height != size[0] || d->width != size[1] || d->channels != size[2])
        return tr_fail(
            TR_ERR_SHAPE,
            "%s: images are %lld x %lld x %lld, the model of %s takes %lld x %lld x %lld", d->spec,
            (long long)d->height, (long long)d->width, (long long)d->channels,
            run->dir != NULL ? run->dir : "this run", (long long)size[0], (long long)size[1],
            (long long)size[2]);
    run->dataset = d;
    run->model->blank = d->blank;
    return TR_OK;
}

tr_status tr_run_use_data(tr_run *run, const char *spec)
{
    return use(run, spec, false);
}

tr_status tr_run_use_rows(tr_run *run, const char *spec)
{
    if (!tri_given(run, "run_use_rows: the run")) return tr_status_get();
    return use(run, spec, true);
}

tr_status tr_run_set_epochs(tr_run *run, int64_t epochs)
{
    if (!tri_given(run, "run_set_epochs: the run")) return tr_status_get();
    if (tri_failed()) return tr_status_get();
    const int64_t done = run->training->epoch + (run->training->position > 0);
    if (epochs < 1)
        return tr_fail(TR_ERR_VALUE, "train: epochs is %lld, expected at least 1",
                       (long long)epochs);
    if (epochs < done)
        return tr_fail(TR_ERR_VALUE, "train: epochs is %lld, but epoch %lld of this run was begun",
                       (long long)epochs, (long long)done);
    run->options.epochs = epochs;
    set_state(run);
    return TR_OK;
}

const char *tr_unit_name(tr_loss_unit unit)
{
    return unit == TR_PER_IMAGE ? "nats per image" : "average per value";
}
