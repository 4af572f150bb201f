/* dataset.c: opening a dataset by its specification, and reading its images.
 *
 * The table of kinds is the only place that knows all readers. An image leaves this file as f32,
 * whatever it was stored as. Procedural images are drawn when first read and kept; each has its own
 * byte in `drawn`, so several threads may read different images of a split at once.
 * Read next: idx.c (a reader), digits.c (a procedural set), loader.c (batches). */
#include "datasets/source.h"

#include "tensor/core.h"

#include <math.h>
#include <string.h>

/* clang-format off */
static const tri_kind kinds[] = {
    { { "digits", "digits",
        "drawn handwritten digits, 28 x 28, 10 classes, no file needed" }, tri_open_digits },
    { { "shapes", "shapes",
        "drawn squares, ellipses, hearts, 32 x 32, with true factors, no file needed" },
      tri_open_shapes },
    { { "mnist", "mnist[:DIR]",
        "MNIST's handwritten digits, 28 x 28, 10 classes" }, tri_open_mnist },
    { { "fashion-mnist", "fashion-mnist[:DIR]",
        "Fashion-MNIST's clothes, 28 x 28, 10 classes" }, tri_open_mnist },
    { { "cifar10", "cifar10[:DIR]",
        "CIFAR-10's colour photographs, 32 x 32 x 3, 10 classes" }, tri_open_cifar10 },
    { { "idx", "idx:IMAGES[,LABELS]",
        "IDX files of bytes, plain or .gz" }, tri_open_idx },
    { { "npy", "npy:FILE",
        "a NumPy array, one row or image for each index of its first axis" }, tri_open_npy },
    { { "csv", "csv:FILE[,label=COLUMN]",
        "a table of numbers and names, with missing values; numbers are scaled to [0, 1]" },
      tri_open_csv },
    { { "ratings", "ratings:FILE",
        "users' ratings of items, a row for each user, most of them missing" }, tri_open_ratings },
    { { "images", "images:DIR",
        "PNG, PGM and PPM pictures; the class is the folder's name" }, tri_open_images },
};
/* clang-format on */

enum { KINDS = (int)(sizeof kinds / sizeof kinds[0]) };

const tr_dataset_kind *tr_dataset_kind_at(int i)
{
    return i >= 0 && i < KINDS ? &kinds[i].face : NULL;
}

char *tri_copy_text(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = tr_scope_alloc(size);
    if (copy) memcpy(copy, text, size);
    return copy;
}

/* --- Open ------------------------------------------------------------------------------ */

static const tri_kind *find_kind(const char *spec, const char **argument)
{
    const char *colon = strchr(spec, ':');
    size_t length = colon ? (size_t)(colon - spec) : strlen(spec);
    char known[400];
    size_t used = 0;
    for (int i = 0; i < KINDS; i++) {
        const char *name = kinds[i].face.name;
        if (strlen(name) == length && memcmp(name, spec, length) == 0) {
            *argument = colon && colon[1] ? colon + 1 : NULL;
            return &kinds[i];
        }
        int n =
            snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", kinds[i].face.usage);
        used += (size_t)n < sizeof known - used ? (size_t)n : sizeof known - used - 1;
    }
    tr_fail(TR_ERR_VALUE, "dataset: there is no kind \"%.*s\"; known are %s", (int)length, spec,
            known);
    return NULL;
}

/* Only idx takes two paths; what follows the path of another kind stays as it is. */
tr_status tri_set_place(tr_dataset *d, const char *argument)
{
    char *first = tri_copy_text(argument);
    if (!first) return tr_status_get();
    char *comma = strcmp(d->name, "idx") == 0 ? strchr(first, ',') : NULL;
    if (comma) *comma = 0;
    const char *path = tri_absolute_path(first);
    const char *second = comma ? tri_absolute_path(comma + 1) : "";
    if (!path || !second) return tr_status_get();
    const size_t size = strlen(d->name) + strlen(path) + strlen(second) + 3;
    char *place = tr_scope_alloc(size);
    if (place) snprintf(place, size, "%s:%s%s%s", d->name, path, comma ? "," : "", second);
    d->place = place;
    return tr_status_get();
}

static tr_status release_caches_later(tri_source *source);

tr_dataset *tr_dataset_open(const char *spec, const tr_dataset_options *options)
{
    if (tri_failed()) return NULL;
    if (!spec) {
        tr_fail(TR_ERR_VALUE, "dataset: the specification is NULL");
        return NULL;
    }
    tr_dataset_options o = options ? *options : (tr_dataset_options){ 0 };
    if (o.test_fraction == 0) o.test_fraction = 0.1;
    if (!(o.test_fraction > 0 && o.test_fraction <= 1)) {
        tr_fail(TR_ERR_VALUE, "dataset: test_fraction is %g, expected more than 0 and at most 1",
                o.test_fraction);
        return NULL;
    }
    const char *argument = NULL;
    const tri_kind *kind = find_kind(spec, &argument);
    if (!kind) return NULL;
    tr_dataset *d = tr_scope_alloc(sizeof *d);
    tri_source *source = tr_scope_alloc(sizeof *source);
    char *copy = tri_copy_text(spec);
    if (!copy || release_caches_later(source) != TR_OK) return NULL;
    d->name = kind->face.name;
    d->spec = d->place = copy;
    d->source = source;
    if (argument) tri_set_place(d, argument);
    if (tri_failed() || kind->open(d, argument, &o) != TR_OK) return NULL;
    if (o.classes && tri_keep_classes(d, o.classes) != TR_OK) return NULL;
    if (source->settle) source->settle(d, &o);
    return tri_failed() ? NULL : d;
}

tr_status tri_split_rows(tr_dataset *d, tri_rows rows, int64_t count, double test_fraction)
{
    int64_t *row = tr_scope_alloc(sizeof(int64_t) * (uint64_t)(count > 0 ? count : 1));
    if (!row) return tr_status_get();
    /* Row i is a test row where i * fraction passes a whole number; unless all rows are, the first
     * never is, so a set of one row can be trained on. */
    int64_t *test = row + count, tests = 0, trains = 0;
    for (int64_t i = count - 1; i >= 0; i--) {
        if ((int64_t)((double)(i + 1) * test_fraction) > (int64_t)((double)i * test_fraction)) {
            *--test = i;
            tests++;
        }
    }
    int64_t next = 0;
    for (int64_t i = 0; i < count; i++) {
        bool is_test = next < tests && test[next] == i;
        if (is_test)
            next++;
        else
            row[trains++] = i;
    }
    d->source->split[TR_TRAIN] = d->source->split[TR_TEST] = rows;
    d->source->split[TR_TRAIN].row = row;
    d->source->split[TR_TEST].row = test;
    d->count[TR_TRAIN] = trains;
    d->count[TR_TEST] = tests;
    return TR_OK;
}

/* --- Read ------------------------------------------------------------------------------ */

static void release_caches(void *object)
{
    tri_source *source = object;
    for (int s = 0; s < 2; s++) {
        if (source->cache[s]) tri_block_free(source->cache[s], source->cache_bytes[s]);
        if (source->drawn[s]) tri_block_free(source->drawn[s], source->drawn_bytes[s]);
    }
}

static tr_status release_caches_later(tri_source *source)
{
    return tr_scope_own(source, release_caches);
}

static int64_t image_size(const tr_dataset *d)
{
    return d->height * d->width * d->channels;
}

tr_status tri_source_prepare(const tr_dataset *d, tr_data_split split)
{
    tri_source *source = d->source;
    if (!source->draw || source->drawn[split]) return tr_status_get();
    size_t count = (size_t)d->count[split];
    source->cache_bytes[split] = count * (size_t)image_size(d);
    source->drawn_bytes[split] = count;
    if (!source->cache[split]) source->cache[split] = tri_block_new(source->cache_bytes[split]);
    if (!source->cache[split]) return tr_status_get();
    source->drawn[split] = tri_block_new(count);
    if (source->drawn[split]) memset(source->drawn[split], 0, count);
    return tr_status_get();
}

static void bytes_to_floats(const uint8_t *bytes, float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++) x[i] = (float)bytes[i] / 255.0f;
}

/* The place of an image among the rows of its split's storage. */
static int64_t row_of(const tr_dataset *d, tr_data_split split, int64_t index)
{
    const int64_t *row = d->source->split[split].row;
    return row ? row[index] : index;
}

/* Image `index` of a split as f32, row-major; NaN where a value is missing. */
static void read_values(const tr_dataset *d, tr_data_split split, int64_t index, float *x)
{
    const tri_source *source = d->source;
    const tri_rows *rows = &source->split[split];
    int64_t size = image_size(d);
    if (source->draw) {
        uint8_t *pixels = source->cache[split] + index * size;
        if (!source->drawn[split][index]) {
            source->draw(source->seed, split, row_of(d, split, index), pixels);
            source->drawn[split][index] = 1;
        }
        bytes_to_floats(pixels, x, size);
        return;
    }
    int64_t row = row_of(d, split, index);
    if (rows->bytes)
        bytes_to_floats(rows->bytes + row * size, x, size);
    else
        memcpy(x, rows->values + row * size, sizeof(float) * (size_t)size);
}

/* Puts the stand-ins where values are missing, and tells where, if `known` is not NULL. */
static void fill_missing(const float *fill, float *x, float *known, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const bool there = !isnan(x[i]);
        if (known) known[i] = there ? 1 : 0;
        if (!there) x[i] = fill[i];
    }
}

static void read_image(const tr_dataset *d, tr_data_split split, int64_t index, float *x,
                       float *known)
{
    if (d->source->ratings)
        tri_ratings_read(d->source->ratings, index, false, x);
    else
        read_values(d, split, index, x);
    if (d->has_missing) fill_missing(d->blank->data, x, known, image_size(d));
}

int64_t tri_source_label(const tr_dataset *d, tr_data_split split, int64_t index)
{
    const tri_source *source = d->source;
    const tri_rows *rows = &source->split[split];
    int64_t row = row_of(d, split, index);
    return source->label ? source->label(source->seed, split, row) : rows->labels[row];
}

tr_status tri_batch_make(const tr_dataset *d, tr_data_split split, int64_t n, tr_batch *batch)
{
    const tr_shape shape = TR_SHAPE(n, d->height, d->width, d->channels);
    *batch = (tr_batch){ .x = tr_empty(TR_F32, shape), .index = tr_empty(TR_I64, TR_SHAPE(n)) };
    if (d->has_missing) batch->known = tr_empty(TR_F32, shape);
    if (d->has_target && split == TR_TEST) batch->target = tr_empty(TR_F32, shape);
    if (d->classes > 0) batch->labels = tr_empty(TR_I64, TR_SHAPE(n));
    return tr_status_get();
}

void tri_batch_read(const tr_dataset *d, tr_data_split split, int64_t index, const tr_batch *batch,
                    int64_t i)
{
    const int64_t size = image_size(d);
    ((int64_t *)batch->index->data)[i] = index;
    if (batch->labels) ((int64_t *)batch->labels->data)[i] = tri_source_label(d, split, index);
    read_image(d, split, index, (float *)batch->x->data + i * size,
               batch->known ? (float *)batch->known->data + i * size : NULL);
    if (!batch->target) return;
    float *target = (float *)batch->target->data + i * size;
    tri_ratings_read(d->source->ratings, index, true, target);
    fill_missing(d->blank->data, target, (float *)batch->known->data + i * size, size);
}

int64_t tri_source_grain(const tr_dataset *d)
{
    return d->source->draw ? 16 : (1 << 18) / image_size(d) + 1;
}

/* --- Whole stretches ------------------------------------------------------------------- */

static bool check_range(const char *what, const tr_dataset *d, tr_data_split split, int64_t begin,
                        int64_t end)
{
    if (tri_failed()) return false;
    if (!d) {
        tr_fail(TR_ERR_VALUE, "%s: the dataset is NULL", what);
        return false;
    }
    if (split != TR_TRAIN && split != TR_TEST) {
        tr_fail(TR_ERR_VALUE, "%s: there is no split %d", what, (int)split);
        return false;
    }
    if (begin < 0 || end < begin || end > d->count[split]) {
        tr_fail(TR_ERR_VALUE, "%s: images %lld to %lld of %s's %s split, which has %lld", what,
                (long long)begin, (long long)end, d->name, split == TR_TEST ? "test" : "train",
                (long long)d->count[split]);
        return false;
    }
    return true;
}

typedef struct read_job {
    const tr_dataset *dataset;
    tr_data_split split;
    int64_t begin;
    const tr_batch *batch; /* or the images alone: */
    float *x;
} read_job;

static void read_piece(void *context, int64_t begin, int64_t end)
{
    const read_job *job = context;
    const tr_dataset *d = job->dataset;
    for (int64_t i = begin; i < end; i++) {
        if (job->batch)
            tri_batch_read(d, job->split, job->begin + i, job->batch, i);
        else
            read_image(d, job->split, job->begin + i, job->x + i * image_size(d), NULL);
    }
}

tr_tensor *tr_dataset_images(const tr_dataset *dataset, tr_data_split split, int64_t begin,
                             int64_t end)
{
    if (!check_range("dataset_images", dataset, split, begin, end)) return NULL;
    if (tri_source_prepare(dataset, split) != TR_OK) return NULL;
    tr_tensor *x =
        tr_empty(TR_F32, TR_SHAPE(end - begin, dataset->height, dataset->width, dataset->channels));
    if (!x) return NULL;
    read_job job = { dataset, split, begin, NULL, x->data };
    tri_parallel_for(end - begin, tri_source_grain(dataset), read_piece, &job);
    return x;
}

tr_status tr_dataset_read(const tr_dataset *dataset, tr_data_split split, int64_t begin,
                          int64_t end, tr_batch *batch)
{
    if (!check_range("dataset_read", dataset, split, begin, end) ||
        !tri_given(batch, "dataset_read: the batch"))
        return tr_status_get();
    if (tri_source_prepare(dataset, split) != TR_OK) return tr_status_get();
    if (tri_batch_make(dataset, split, end - begin, batch) != TR_OK) return tr_status_get();
    read_job job = { dataset, split, begin, batch, NULL };
    tri_parallel_for(end - begin, tri_source_grain(dataset), read_piece, &job);
    return TR_OK;
}

int64_t tr_dataset_row(const tr_dataset *dataset, tr_data_split split, int64_t index)
{
    if (!dataset || (split != TR_TRAIN && split != TR_TEST)) return index;
    if (index < 0 || index >= dataset->count[split]) return index;
    return row_of(dataset, split, index);
}

tr_tensor *tr_dataset_labels(const tr_dataset *dataset, tr_data_split split, int64_t begin,
                             int64_t end)
{
    if (!check_range("dataset_labels", dataset, split, begin, end)) return NULL;
    if (dataset->classes == 0) {
        tr_fail(TR_ERR_VALUE, "dataset_labels: %s has no labels", dataset->spec);
        return NULL;
    }
    tr_tensor *labels = tr_empty(TR_I64, TR_SHAPE(end - begin));
    if (!labels) return NULL;
    int64_t *value = labels->data;
    for (int64_t i = begin; i < end; i++) value[i - begin] = tri_source_label(dataset, split, i);
    return labels;
}

int tr_dataset_factors(const tr_dataset *dataset, tr_data_split split, int64_t index,
                       double factors[8])
{
    if (!dataset || (split != TR_TRAIN && split != TR_TEST) || !dataset->source->factors || index < 0 || index >= dataset->count[split])
        return 0;
    return dataset->source->factors(dataset->source->seed, split, row_of(dataset, split, index),
                                    factors);
}
