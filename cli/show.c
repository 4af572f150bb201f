/* show.c: `datasets --show`: what a dataset holds: images as a grid with a row for each class, the
 * columns of a table, the size of a list of ratings. Read next: datasets/datasets.h. */
#include "cli/uses.h"

#include "tensor/core.h"

#include <math.h>
#include <string.h>

enum { MOST_ROWS = 20, LOOK_AT = 20000 };

/* --- Images ------------------------------------------------------------------------------- */

/* The first `wanted` train images of a class, gray where it has fewer; of any for class -1. */
static tr_tensor *images_of(const tr_dataset *d, const tr_tensor *labels, int64_t class,
                            int64_t from, int64_t wanted)
{
    const int64_t n = at_most(d->count[TR_TRAIN], LOOK_AT);
    tr_tensor    *row = tr_full(TR_F32, TR_SHAPE(wanted, d->height, d->width, d->channels), 0.5);
    int64_t       found = 0;
    for (int64_t i = from; i < n && found < wanted && row != NULL; i++) {
        if (class >= 0 && ((const int64_t *)labels->data)[i] != class) continue;
        tr_assign(tr_narrow(row, 0, found++, 1), tr_dataset_images(d, TR_TRAIN, i, i + 1));
    }
    return row;
}

static int show_images(const args *a, const tr_dataset *d)
{
    const int64_t    columns = int_of(a, "count", 10), n = d->count[TR_TRAIN];
    const tr_tensor *labels =
        d->classes > 0 ? tr_dataset_labels(d, TR_TRAIN, 0, at_most(n, LOOK_AT)) : NULL;
    const int64_t rows = d->classes > 0 ? at_most(d->classes, MOST_ROWS)
                                        : at_most(MOST_ROWS / 2, (n + columns - 1) / columns);
    tr_tensor    *parts[MOST_ROWS];
    const char   *names[MOST_ROWS], *path = text_of(a, "out", text_from("%s.png", d->name));
    for (int64_t k = 0; k < rows; k++) {
        names[k] = d->classes > 0 ? class_name(d, k) : NULL;
        parts[k] = images_of(d, labels, d->classes > 0 ? k : -1, d->classes > 0 ? 0 : k * columns,
                             columns);
    }
    const tr_tensor *picture = tri_plot_rows(&(tri_rows_plot){
        .images = tr_concat(parts, (int)rows, 0), .columns = columns, .row_labels = names });
    if (picture != NULL && path != NULL && tr_save_image(path, picture) == TR_OK)
        tell(a, path,
             (figure[]){ { "train", "images", (double)n },
                         { "test", "images", (double)d->count[TR_TEST] },
                         { "classes", "", (double)d->classes } },
             3, NULL);
    return end_run();
}

/* --- Tables ------------------------------------------------------------------------------- */

static void write_column_json(const tr_column *c)
{
    tri_text t = { 0 };
    tri_text_add(&t, "{\"name\":");
    tri_text_string(&t, c->name);
    tri_text_add(&t, ",\"kind\":\"%s\",\"missing\":", tr_column_kind_name(c->kind));
    tri_text_number(&t, c->missing);
    if (c->kind == TR_COLUMN_NUMBER) {
        tri_text_add(&t, ",\"low\":");
        tri_text_number(&t, c->low);
        tri_text_add(&t, ",\"mean\":");
        tri_text_number(&t, c->mean);
        tri_text_add(&t, ",\"high\":");
        tri_text_number(&t, c->high);
    } else if (c->kind != TR_COLUMN_LEFT_OUT) {
        tri_text_add(&t, ",\"categories\":%lld", (long long)c->categories);
    }
    tri_text_add(&t, "}");
    print_json(&t);
}

static void print_column(const tr_column *c, int width)
{
    printf("%-*s  %-8s  %6.1f %%", width, c->name, tr_column_kind_name(c->kind), 100 * c->missing);
    if (c->kind == TR_COLUMN_NUMBER) printf("  %12.6g %12.6g %12.6g", c->low, c->mean, c->high);
    for (int64_t k = 0; k < c->categories && k < 6; k++)
        printf("%s%s", k > 0 ? ", " : "  ", c->category[k]);
    printf("%s\n", c->categories > 6 ? ", ..." : "");
}

static int show_table(const args *a, const tr_dataset *d)
{
    const tr_table *t = d->table;
    int             width = 6;
    for (int64_t c = 0; c < t->columns; c++) {
        const int length = (int)strlen(t->column[c].name);
        if (length > width && length < 40) width = length;
    }
    if (!has(a, "json") && !has(a, "quiet")) {
        printf("%lld rows to train on, %lld to test; %lld values in a row\n",
               (long long)d->count[TR_TRAIN], (long long)d->count[TR_TEST], (long long)t->values);
        printf("%s%-*s  %-8s  %8s  %12s %12s %12s%s\n", faint(), width, "column", "kind", "missing",
               "low", "mean", "high", plain());
    }
    for (int64_t c = 0; c < t->columns; c++) {
        if (has(a, "json"))
            write_column_json(&t->column[c]);
        else if (!has(a, "quiet"))
            print_column(&t->column[c], width);
    }
    return end_run();
}

static int show_ratings(const args *a, const tr_dataset *d)
{
    const tr_table *t = d->table;
    double          shown = 0;
    for (int64_t c = 0; c < t->columns; c++)
        shown += (1 - t->column[c].missing) * (double)d->count[TR_TRAIN];
    tell(a, t->path,
         (figure[]){ { "users", "", (double)d->count[TR_TRAIN] },
                     { "items", "", (double)t->columns },
                     { "ratings", "shown, the others are held out", round(shown) },
                     { "low", "", t->column[0].low },
                     { "high", "", t->column[0].high } },
         5, NULL);
    return end_run();
}

int show_dataset(const args *a)
{
    const tr_dataset *d = tr_dataset_open(text_of(a, "show", NULL), NULL);
    if (d == NULL) return end_setup();
    if (d->row_names != NULL) return show_ratings(a, d);
    if (d->table != NULL) return show_table(a, d);
    if (draws(d)) return show_images(a, d);
    tr_fail(TR_ERR_VALUE, "datasets: %s holds rows of %lld x %lld x %lld values, no pictures",
            d->spec, (long long)d->height, (long long)d->width, (long long)d->channels);
    return end_setup();
}
