/* targets.c: one function a format, the table of them, and the checks that all share.
 *
 * Readers take paths, so an input lies in a file of a folder in memory (/dev/shm, or /tmp) that is
 * made once and is the current folder. Where there is a writer too, what was read is written and
 * read again: both must agree. */
#include "fuzz/targets.h"

#include "tensor/json.h"
#include "train/run.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- What must hold --------------------------------------------------------------------------- */

_Noreturn void fuzz_broken(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "broken promise: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    abort();
}

/* Two tensors of the same kind, shape and bits. */
static void same_tensors(const tr_tensor *a, const tr_tensor *b, const char *what)
{
    if (a == NULL || b == NULL || a->dtype != b->dtype || !tr_same_shape(a, b))
        fuzz_broken("%s: read back as something else: %s", what, tr_error() ? tr_error() : "");
    const size_t bytes = (size_t)tr_numel(a) * tr_dtype_size(a->dtype);
    if (bytes > 0 && memcmp(a->data, b->data, bytes) != 0)
        fuzz_broken("%s: read back with other values", what);
}

/* --- Data sets -------------------------------------------------------------------------------- */

static void use_dataset(const char *spec, const tr_dataset_options *options)
{
    const tr_dataset *d = tr_dataset_open(spec, options);
    for (int split = 0; d != NULL && split < 2; split++) {
        const int64_t    count = d->count[split] < 64 ? d->count[split] : 64;
        const tr_tensor *x = tr_dataset_images(d, (tr_data_split)split, 0, count);
        if (d->classes > 0) tr_dataset_labels(d, (tr_data_split)split, 0, count);
        if (x == NULL) fuzz_broken("an open dataset gives no images: %s", tr_error());
    }
}

static void read_idx(const char *path)
{
    char spec[64];
    snprintf(spec, sizeof spec, "idx:%s", path);
    use_dataset(spec, NULL);
}

/* Labels of four images. */
static void read_idx_labels(const char *path)
{
    static const char images[] = "\0\0\10\3\0\0\0\4\0\0\0\1\0\0\0\1abcd";
    FILE             *f = fopen("images", "wb");
    if (f == NULL || fwrite(images, 1, 20, f) != 20 || fclose(f) != 0) abort();
    char spec[64];
    snprintf(spec, sizeof spec, "idx:images,%s", path);
    use_dataset(spec, NULL);
}

static void read_cifar(const char *path)
{
    (void)path;
    use_dataset("cifar10:.", &(tr_dataset_options){ .allow_partial = true });
}

static void read_csv(const char *path)
{
    char spec[64];
    snprintf(spec, sizeof spec, "csv:%s", path);
    use_dataset(spec, NULL);
    const tr_dataset *d = tr_status_get() == TR_OK ? tr_dataset_open(spec, NULL) : NULL;
    if (d == NULL) return;
    tr_table_save(d->table, "table.json");
    const tr_dataset_options as = { .table = tr_table_load("table.json"), .test_fraction = 1 };
    const tr_dataset        *whole = tr_dataset_open(spec, &as);
    if (whole == NULL) fuzz_broken("csv: not read by its own table: %s", tr_error());
    tr_table_write(whole, tr_dataset_images(whole, TR_TEST, 0, whole->count[TR_TEST]), "again.csv");
    if (tr_status_get() != TR_OK) fuzz_broken("csv: not written: %s", tr_error());
}

static void read_ratings(const char *path)
{
    char     spec[64];
    tr_batch b;
    snprintf(spec, sizeof spec, "ratings:%s", path);
    use_dataset(spec, NULL);
    const tr_dataset *d = tr_status_get() == TR_OK ? tr_dataset_open(spec, NULL) : NULL;
    if (d == NULL) return;
    tr_dataset_read(d, TR_TEST, 0, d->count[TR_TEST], &b);
    tr_table_save(d->table, "table.json");
    const tr_dataset_options as = { .table = tr_table_load("table.json") };
    if (tr_dataset_open(spec, &as) == NULL)
        fuzz_broken("ratings: not read by their own table: %s", tr_error());
}

static void read_table(const char *path)
{
    const tr_table *t = tr_table_load(path);
    if (t == NULL) return;
    tr_table_save(t, "again.json");
    if (tr_table_load("again.json") == NULL) fuzz_broken("table: not read back: %s", tr_error());
}

static void read_npy(const char *path)
{
    char             spec[64];
    const tr_tensor *t = tr_load_npy(path);
    if (t == NULL) return;
    tr_save_npy("again.npy", t);
    same_tensors(t, tr_load_npy("again.npy"), "npy");
    snprintf(spec, sizeof spec, "npy:%s", path);
    use_dataset(spec, NULL);
}

static void read_picture(const char *path)
{
    const tr_tensor *t = tr_load_image(path);
    if (t == NULL) return;
    tr_save_image("again.ppm", t);
    const tr_tensor *again = tr_load_image("again.ppm");
    if (t->shape[2] == 3) same_tensors(t, again, "picture");
}

/* --- Tensors and JSON ------------------------------------------------------------------------- */

static void read_safetensors(const char *path)
{
    tr_named_list      list = { 0 }, again = { 0 };
    const char *const *metadata;
    if (tr_load_safetensors(path, &list) != TR_OK) return;
    tr_load_safetensors_metadata(path, &metadata);
    tr_save_safetensors("again.safetensors", &list, metadata);
    tr_load_safetensors("again.safetensors", &again);
    if (again.count != list.count) fuzz_broken("safetensors: %s", tr_error());
    for (int64_t i = 0; i < list.count; i++) {
        if (strcmp(list.items[i].name, again.items[i].name) != 0)
            fuzz_broken("safetensors: names in another order");
        same_tensors(list.items[i].tensor, again.items[i].tensor, "safetensors");
    }
}

static void write_json(tri_text *t, const tri_json *v)
{
    const char *separator = "";
    switch (v->kind) {
    case TRI_JSON_NULL: tri_text_add(t, "null"); return;
    case TRI_JSON_BOOL: tri_text_add(t, v->boolean ? "true" : "false"); return;
    case TRI_JSON_STRING: tri_text_string(t, v->string); return;
    case TRI_JSON_NUMBER:
        if (v->is_integer && v->integer != 0) /* -0 is one, and keeps its sign as a number */
            tri_text_add(t, "%lld", (long long)v->integer);
        else
            tri_text_number(t, v->number);
        return;
    case TRI_JSON_ARRAY:
    case TRI_JSON_OBJECT: break;
    }
    tri_text_add(t, v->kind == TRI_JSON_ARRAY ? "[" : "{");
    for (const tri_json *m = v->first; m != NULL; m = m->next) {
        tri_text_add(t, "%s", separator);
        separator = ",";
        if (v->kind == TRI_JSON_OBJECT) {
            if (tri_json_find(v, m->key) != m) fuzz_broken("json: a member is not found");
            tri_text_string(t, m->key);
            tri_text_add(t, ":");
        }
        write_json(t, m);
    }
    tri_text_add(t, v->kind == TRI_JSON_ARRAY ? "]" : "}");
}

/* Written and read and written again, the text must be the same. */
static void read_json(const char *path)
{
    int64_t         count = 0;
    const char     *text = tri_read_file(path, 1 << 24, &count);
    const tri_json *v = text != NULL ? tri_json_parse(path, text, count, 0) : NULL;
    if (v == NULL) return;
    tri_text once = { 0 }, twice = { 0 };
    write_json(&once, v);
    v = tri_json_parse("again", once.bytes, (int64_t)once.count, 0);
    if (v == NULL) fuzz_broken("json: %s", tr_error());
    write_json(&twice, v);
    if (strcmp(once.bytes, twice.bytes) != 0) fuzz_broken("json: another text comes back");
}

/* --- Runs ------------------------------------------------------------------------------------- */

/* A model of the zoo with its weights, for pictures of one pixel. */
static tr_model *small_model(void)
{
    tr_settings *s = tr_settings_new(tr_model_find("undercomplete")->options);
    tr_settings_set(s, "latent", "1");
    return tr_model_new(tr_model_find("undercomplete"), s, TR_SHAPE(1, 1, 1), 0, 7);
}

static void read_checkpoint(const char *path)
{
    static const tr_dataset data = { .spec = "none" };
    tr_run                 *run =
        tr_run_new(NULL, small_model(), &data, &(tr_train_options){ .epochs = 3, .early_stop = 2 });
    if (run == NULL) fuzz_broken("checkpoint: %s", tr_error());
    tri_checkpoint_read(run, path);
}

/* Nothing is built from the options, so that any size is cheap. */
static tr_status build_nothing(tr_model *m)
{
    m->net = tr_nn_sequential(tr_nn_linear(1, 1, TR_IDENTITY), NULL);
    return tr_status_get();
}

static void read_config(const char *path)
{
    static const tr_option     options[] = { { "latent", TR_OPTION_INT, "2", 1, 4096, NULL, "" },
                                             { "beta", TR_OPTION_FLOAT, "1", 0, 1e6, NULL, "" },
                                             { "tied", TR_OPTION_BOOL, "false", 0, 0, NULL, "" },
                                             { "loss", TR_OPTION_CHOICE, "bce", 0, 0, "bce|mse", "" },
                                             { "hidden", TR_OPTION_SIZES, "64,32", 1, 4096, NULL, "" },
                                             { 0 } };
    static const tr_model_type type = { .name = "fuzz",
                                        .options = options,
                                        .batch = 8,
                                        .epochs = 2,
                                        .lr = 1e-3,
                                        .build = build_nothing };
    tr_run                     run = { .dir = path[0] == 'c' ? "." : NULL };
    tri_config_read(&run, &type);
    if (!tri_failed()) tr_run_command(&run);
}

/* --- The table -------------------------------------------------------------------------------- */

/* clang-format off */
const fuzz_target fuzz_targets[] = {
    { "idx",         "input.idx",         read_idx,         2048 },
    { "idx-labels",  "input.idx",         read_idx_labels,  256 },
    { "gz",          "input.gz",          read_idx,         2048 },
    { "cifar",       "data_batch_1.bin",  read_cifar,       9300 },
    { "npy",         "input.npy",         read_npy,         2048 },
    { "csv",         "input.csv",         read_csv,         2048 },
    { "ratings",     "input.dat",         read_ratings,     2048 },
    { "table",       "input.json",        read_table,       2048 },
    { "png",         "input.png",         read_picture,     2048 },
    { "pnm",         "input.ppm",         read_picture,     2048 },
    { "safetensors", "input.safetensors", read_safetensors, 4096 },
    { "checkpoint",  "input.safetensors", read_checkpoint,  8192 },
    { "config",      "config.json",       read_config,      2048 },
    { "json",        "input.json",        read_json,        2048 },
    { 0 }
};
/* clang-format on */

const fuzz_target *fuzz_target_find(const char *name)
{
    for (const fuzz_target *t = fuzz_targets; t->name != NULL; t++)
        if (strcmp(t->name, name) == 0) return t;
    return NULL;
}

/* --- One input -------------------------------------------------------------------------------- */

static char folder[64];

static void remove_folder(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (chdir("/") != 0 || system(command) != 0) fprintf(stderr, "cannot remove %s\n", folder);
}

static void enter_folder(void)
{
    if (folder[0] != '\0') return;
    snprintf(folder, sizeof folder, "%s/tenrec-fuzz-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (mkdtemp(folder) == NULL || chdir(folder) != 0) abort();
    atexit(remove_folder);
}

static void write_input(const char *path, const void *bytes, size_t count)
{
    const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0 || write(file, bytes, count) != (ssize_t)count || close(file) != 0) abort();
}

static void check_message(const char *path)
{
    const char *message = tr_error();
    if (message == NULL) return;
    if (strncmp(message, "./", 2) == 0) message += 2;
    if (strncmp(message, path, strlen(path)) != 0)
        fuzz_broken("the message does not begin with the file: %s", message);
    if (tr_status_get() == TR_ERR_MEMORY) fuzz_broken("%s", message);
    for (const char *c = message; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f) fuzz_broken("a control character: %s", message);
}

void fuzz_run(const fuzz_target *target, const void *bytes, size_t count)
{
    enter_folder();
    write_input(target->file, bytes, count);
    const int64_t live = tr_memory().live_bytes;
    fuzz_memory_begin();
    tr_scope *scope = tr_scope_push();
    target->read(target->file);
    check_message(target->file);
    tr_error_clear();
    tr_scope_pop(scope);
    tr_memory_trim();
    const int64_t most = 4 * (int64_t)count + (16 << 20);
    if (fuzz_memory_peak() > most)
        fuzz_broken("%lld bytes of memory for a file of %zu; %lld are allowed",
                    (long long)fuzz_memory_peak(), count, (long long)most);
    if (tr_memory().live_bytes != live) fuzz_broken("memory is not given back");
}
