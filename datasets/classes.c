/* classes.c: a train split of some classes only, for models of what is normal: what they have never
 * seen is what they find anomalous. The images of the chosen classes stay in their order.
 * Read next: dataset.c. */
#include "datasets/source.h"

#include "tensor/core.h"

#include <stdlib.h>
#include <string.h>

/* The class that `length` letters name; -1 for none. */
static int64_t find(const tr_dataset *d, const char *text, size_t length)
{
    for (int64_t k = 0; k < d->classes; k++) {
        char number[24];
        snprintf(number, sizeof number, "%lld", (long long)k);
        const char *name = d->class_names ? d->class_names[k] : number;
        if (strlen(name) == length && memcmp(name, text, length) == 0) return k;
        if (strlen(number) == length && memcmp(number, text, length) == 0) return k;
    }
    return -1;
}

static tr_status mark(const tr_dataset *d, const char *classes, bool *kept)
{
    const bool without = classes[0] == '!';
    for (int64_t k = 0; k < d->classes; k++) kept[k] = without;
    for (const char *at = classes + without;; at++) {
        const size_t  length = strcspn(at, ",");
        const int64_t k = find(d, at, length);
        if (k < 0)
            return tr_fail(
                TR_ERR_VALUE,
                "dataset: \"%.*s\" is no class of %s; they are 0 .. %lld, or their names",
                (int)length, at, d->spec, (long long)d->classes - 1);
        kept[k] = !without;
        at += length;
        if (*at == '\0') return TR_OK;
    }
}

tr_status tri_keep_classes(tr_dataset *d, const char *classes)
{
    if (d->classes == 0)
        return tr_fail(TR_ERR_VALUE, "dataset: classes cannot be chosen: %s has no labels",
                       d->spec);
    tri_rows     *rows = &d->source->split[TR_TRAIN];
    const int64_t count = d->count[TR_TRAIN];
    bool         *kept = tr_scope_alloc((uint64_t)d->classes * sizeof *kept);
    int64_t      *row = tr_scope_alloc((uint64_t)(count + 1) * sizeof *row), left = 0;
    d->classes_kept = tri_copy_text(classes);
    if (!kept || !row || !d->classes_kept || mark(d, classes, kept) != TR_OK)
        return tr_status_get();
    for (int64_t i = 0; i < count; i++)
        if (kept[tri_source_label(d, TR_TRAIN, i)]) row[left++] = rows->row ? rows->row[i] : i;
    if (left == 0)
        return tr_fail(TR_ERR_VALUE, "dataset: no train image of %s is of the classes %s", d->spec,
                       classes);
    rows->row = row;
    d->count[TR_TRAIN] = left;
    d->source->kept = kept;
    return TR_OK;
}

bool tr_dataset_has_class(const tr_dataset *dataset, int64_t label)
{
    if (!tri_given(dataset, "dataset_has_class: the dataset")) return false;
    if (label < 0 || label >= dataset->classes) return false;
    return !dataset->source->kept || dataset->source->kept[label];
}
