/* idx.c: MNIST's file format, and the sets that come in it.
 *
 * An IDX file is: two zero bytes, a type byte (8: unsigned byte), the number of dimensions, each
 * dimension as a big-endian u32, then the values, row-major, and nothing after them. The header is
 * checked against the size of the file before memory is taken for the values.
 * Read next: input.c (plain and gzip files), places.c (where they are looked for). */
#include "datasets/input.h"
#include "datasets/source.h"

#include "tensor/core.h"

#include <string.h>

enum { IDX_U8 = 8, IDX_MAX_RANK = 4 };

/* --- The format ------------------------------------------------------------------------ */

typedef struct idx_array {
    int rank;
    int64_t dim[IDX_MAX_RANK];
    int64_t count;   /* product of dim */
    uint8_t *values; /* in the innermost scope */
} idx_array;

static tr_status read_header(tri_input *in, idx_array *a, int min_rank, int max_rank)
{
    uint8_t b[4];
    if (tri_input_read(in, b, 4, "the magic number") != TR_OK) return tr_status_get();
    if (b[0] == 0x1f && b[1] == 0x8b)
        return tr_fail(TR_ERR_FILE, "%s: is gzip-compressed: rename it to end in .gz", in->path);
    if (b[0] != 0 || b[1] != 0)
        return tr_fail(TR_ERR_FILE,
                       "%s: is no IDX file: begins with %02x%02x%02x%02x, expected 0000", in->path,
                       b[0], b[1], b[2], b[3]);
    if (b[2] != IDX_U8)
        return tr_fail(TR_ERR_FILE,
                       "%s: holds values of type 0x%02x, expected 0x08 (unsigned bytes)", in->path,
                       b[2]);
    if (b[3] < min_rank || b[3] > max_rank)
        return tr_fail(TR_ERR_FILE, "%s: has %d dimensions, expected %s", in->path, b[3],
                       max_rank == 1 ? "1 (labels)" : "3 or 4 (images)");
    a->rank = b[3];
    a->count = 1;
    for (int i = 0; i < a->rank; i++) {
        if (tri_input_read(in, b, 4, "the sizes") != TR_OK) return tr_status_get();
        a->dim[i] = (int64_t)b[0] << 24 | (int64_t)b[1] << 16 | (int64_t)b[2] << 8 | b[3];
        if (a->dim[i] == 0)
            return tr_fail(TR_ERR_FILE, "%s: dimension %d is 0: there are no values", in->path, i);
        if (!tri_mul_size(a->count, a->dim[i], &a->count)) a->count = INT64_MAX;
    }
    if (a->count > in->at_most - in->at)
        return tr_fail(TR_ERR_FILE, "%s: its header promises %lld values, at most %lld can follow",
                       in->path, (long long)a->count, (long long)(in->at_most - in->at));
    return TR_OK;
}

static tr_status read_idx(const char *path, idx_array *a, int min_rank, int max_rank)
{
    tri_input in;
    if (tri_input_open(&in, path) != TR_OK) return tr_status_get();
    if (read_header(&in, a, min_rank, max_rank) == TR_OK) {
        a->values =
            tri_scratch((uint64_t)a->count); /* not zeroed: costs nothing before it is read */
        if (a->values && tri_input_read(&in, a->values, a->count, "the values") == TR_OK)
            tri_input_expect_end(&in);
    }
    tri_input_close(&in);
    return tr_status_get();
}

static tr_status read_images(tr_dataset *d, const char *path, tri_rows *rows, int64_t *count)
{
    idx_array a;
    if (read_idx(path, &a, 3, 4) != TR_OK) return tr_status_get();
    d->height = a.dim[1];
    d->width = a.dim[2];
    d->channels = a.rank == 4 ? a.dim[3] : 1;
    rows->bytes = a.values;
    *count = a.dim[0];
    return TR_OK;
}

/* Labels below `classes`, or any where classes is 0: then *largest becomes the largest one. */
static tr_status read_labels(const char *path, int64_t count, int64_t classes, tri_rows *rows,
                             int64_t *largest)
{
    idx_array a;
    if (read_idx(path, &a, 1, 1) != TR_OK) return tr_status_get();
    if (a.count != count)
        return tr_fail(TR_ERR_FILE, "%s: has %lld labels, but there are %lld images", path,
                       (long long)a.count, (long long)count);
    int64_t *labels = tr_scope_alloc(sizeof(int64_t) * (uint64_t)count);
    if (!labels) return tr_status_get();
    for (int64_t i = 0; i < count; i++) {
        labels[i] = a.values[i];
        if (classes > 0 && labels[i] >= classes)
            return tr_fail(TR_ERR_FILE, "%s: label %lld is %lld, expected 0 to %lld", path,
                           (long long)i, (long long)labels[i], (long long)classes - 1);
        *largest = labels[i] > *largest ? labels[i] : *largest;
    }
    rows->labels = labels;
    return TR_OK;
}

/* --- MNIST and Fashion-MNIST ----------------------------------------------------------- */

static const char *const fashion_names[] = { "T-shirt", "trouser", "pullover", "dress", "coat",
                                             "sandal",  "shirt",   "sneaker",  "bag",   "boot" };
static const char *const image_files[] = { "train-images-idx3-ubyte", "t10k-images-idx3-ubyte" };
static const char *const label_files[] = { "train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte" };

static tr_status open_split(tr_dataset *d, const char *folder, int split)
{
    char path[TRI_PATH_SIZE];
    tri_rows *rows = &d->source->split[split];
    int64_t largest = 0;
    if (tri_find_file(d->name, folder, image_files[split], true, path) != TR_OK)
        return tr_status_get();
    if (read_images(d, path, rows, &d->count[split]) != TR_OK) return tr_status_get();
    if (d->height != 28 || d->width != 28 || d->channels != 1)
        return tr_fail(TR_ERR_FILE, "%s: holds images %lld x %lld x %lld, expected 28 x 28 x 1",
                       path, (long long)d->height, (long long)d->width, (long long)d->channels);
    if (tri_find_file(d->name, folder, label_files[split], true, path) != TR_OK)
        return tr_status_get();
    return read_labels(path, d->count[split], d->classes, rows, &largest);
}

tr_status tri_open_mnist(tr_dataset *d, const char *argument, const tr_dataset_options *options)
{
    (void)options;
    bool fashion = strcmp(d->name, "fashion-mnist") == 0;
    const char *const mnist_places[] = { "mnist", "", NULL };
    const char *const fashion_places[] = { "fashion-mnist", NULL };
    char folder[TRI_PATH_SIZE];
    if (tri_find_folder(d->name, argument, fashion ? fashion_places : mnist_places, image_files[0],
                        true, folder) != TR_OK)
        return tr_status_get();
    if (folder[0] != '/') tri_set_place(d, folder);
    d->classes = 10;
    d->class_names = fashion ? fashion_names : NULL;
    if (open_split(d, folder, TR_TRAIN) != TR_OK) return tr_status_get();
    return open_split(d, folder, TR_TEST);
}

/* --- Any IDX files --------------------------------------------------------------------- */

tr_status tri_open_idx(tr_dataset *d, const char *argument, const tr_dataset_options *options)
{
    if (!argument)
        return tr_fail(TR_ERR_VALUE, "idx: which file? expected idx:IMAGES or idx:IMAGES,LABELS");
    char *images = tri_copy_text(argument);
    if (!images) return tr_status_get();
    char *comma = strchr(images, ',');
    if (comma) *comma = 0;
    tri_rows rows = { 0 };
    int64_t count = 0, largest = 0;
    if (read_images(d, images, &rows, &count) != TR_OK) return tr_status_get();
    if (comma) {
        if (read_labels(comma + 1, count, 0, &rows, &largest) != TR_OK) return tr_status_get();
        d->classes = largest + 1;
    }
    return tri_split_rows(d, rows, count, options->test_fraction);
}
