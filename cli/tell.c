/* tell.c: what the commands on a run share: reading lists and classes, telling results. */
#include "cli/uses.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

char *text_from(const char *format, ...)
{
    char    text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    char *copy = tr_scope_alloc(strlen(text) + 1);
    return copy != NULL ? strcpy(copy, text) : NULL;
}

bool ends_with(const char *path, const char *ending)
{
    const size_t length = strlen(path), own = strlen(ending);
    return length >= own && strcmp(path + length - own, ending) == 0;
}

int64_t at_most(int64_t count, int64_t limit)
{
    return limit > 0 && limit < count ? limit : count;
}

bool draws(const tr_dataset *d)
{
    return d->height > 1 && (d->channels == 1 || d->channels == 3);
}

static tr_run *with_test_rows(tr_run *run)
{
    tr_set_recording(false);
    if (run == NULL || tr_status_get() != TR_OK) return NULL;
    if (run->dataset->count[TR_TEST] > 0) return run;
    tr_fail(TR_ERR_VALUE, "%s has no test split", run->dataset->spec);
    return NULL;
}

tr_run *open_use(const args *a)
{
    return with_test_rows(open_run(a, TR_OPEN_WEIGHTS, true));
}

tr_run *open_rows(const args *a)
{
    tr_run *run = open_run(a, TR_OPEN_WEIGHTS, false);
    if (run != NULL) tr_run_use_rows(run, text_of(a, "data", NULL));
    return with_test_rows(run);
}

tr_tensor *image_rows(const tr_dataset *d, tr_data_split split, int64_t limit)
{
    return tr_flatten(tr_dataset_images(d, split, 0, at_most(d->count[split], limit)), 1);
}

/* --- Reading ------------------------------------------------------------------------------ */

int read_list(const args *a, const char *option, int64_t least, int64_t most,
              int64_t values[MAX_LIST])
{
    const char *at = text_of(a, option, "");
    for (int count = 0;;) {
        char           *end;
        const long long value = strtoll(at, &end, 10);
        if (end == at || value < least || value > most || (*end != '\0' && *end != ',') ||
            count == MAX_LIST) {
            usage_error(a,
                        "--%s is %s; it must be whole numbers from %lld to %lld with commas "
                        "between, at most %d",
                        option, text_of(a, option, ""), (long long)least, (long long)most,
                        MAX_LIST);
            return -1;
        }
        values[count++] = value;
        if (*end == '\0') return count;
        at = end + 1;
    }
}

int64_t find_class(const tr_dataset *d, const char *text)
{
    char           *end;
    const long long number = strtoll(text, &end, 10);
    for (int64_t k = 0; k < d->classes && d->class_names != NULL; k++)
        if (strcmp(d->class_names[k], text) == 0) return k;
    if (end != text && *end == '\0' && number >= 0 && number < d->classes) return number;
    if (d->classes == 0)
        tr_fail(TR_ERR_VALUE, "%s has no labels", d->spec);
    else
        tr_fail(TR_ERR_VALUE, "%s is no class of %s; they are 0 .. %lld, or their names", text,
                d->spec, (long long)d->classes - 1);
    return -1;
}

const char *class_name(const tr_dataset *d, int64_t label)
{
    return d->class_names != NULL ? d->class_names[label] : text_from("%lld", (long long)label);
}

/* --- Telling ------------------------------------------------------------------------------ */

static void tell_json(const args *a, const char *path, const figure *figures, int count,
                      const table *rows)
{
    tri_text t = { 0 };
    tri_text_add(&t, "{\"event\":\"%s\"", a->command->name);
    for (int i = 0; i < count; i++) {
        tri_text_add(&t, ",\"%s\":", figures[i].name);
        tri_text_number(&t, figures[i].value);
    }
    if (rows != NULL) tri_text_add(&t, ",\"%s\":[", rows->name);
    for (int i = 0; rows != NULL && i < rows->rows; i++) {
        tri_text_add(&t, "%s{\"%s\":", i > 0 ? "," : "", rows->key);
        tri_text_string(&t, rows->labels[i]);
        for (int k = 0; k < rows->column_count; k++) {
            tri_text_add(&t, ",\"%s\":", rows->columns[k]);
            tri_text_number(&t, rows->cells[i * rows->column_count + k]);
        }
        tri_text_add(&t, "}");
    }
    if (rows != NULL) tri_text_add(&t, "]");
    tri_text_add(&t, ",\"out\":");
    tri_text_string(&t, path);
    tri_text_add(&t, "}");
    print_json(&t);
}

static void print_table(const table *t)
{
    size_t width = strlen(t->key);
    for (int i = 0; i < t->rows; i++)
        if (strlen(t->labels[i]) > width) width = strlen(t->labels[i]);
    printf("%s%-*s", faint(), (int)width, t->key);
    for (int k = 0; k < t->column_count; k++) printf("  %12s", t->columns[k]);
    printf("%s\n", plain());
    for (int i = 0; i < t->rows; i++) {
        printf("%-*s", (int)width, t->labels[i]);
        for (int k = 0; k < t->column_count; k++) {
            const double value = t->cells[i * t->column_count + k];
            if (isnan(value))
                printf("  %12s", "-");
            else
                printf("  %12.5g", value);
        }
        printf("\n");
    }
}

void tell(const args *a, const char *path, const figure *figures, int count, const table *rows)
{
    if (has(a, "json")) {
        tell_json(a, path, figures, count, rows);
    } else if (!has(a, "quiet")) {
        for (int i = 0; i < count; i++)
            printf("%-18s %.5g %s\n", figures[i].name, figures[i].value, figures[i].unit);
        if (rows != NULL) print_table(rows);
        printf("%s\n", path);
    }
}

const char *out_path(const args *a, const tr_run *run, const char *name)
{
    const char *path = text_of(a, "out", NULL);
    return path != NULL ? path : text_from("%s/%s", run->dir, name);
}

int finish_picture(const args *a, const tr_run *run, const char *name, const tr_tensor *picture,
                   const figure *figures, int count, const table *rows)
{
    const char *path = out_path(a, run, name);
    if (picture == NULL || path == NULL) return end_run();
    if (tr_save_image(path, picture) == TR_OK) tell(a, path, figures, count, rows);
    return end_run();
}
