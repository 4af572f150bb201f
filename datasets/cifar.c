/* cifar.c: CIFAR-10 in its binary version: records of a label byte and 32 x 32 red, then green,
 * then blue values, 10,000 to a file, five files for training and one for testing.
 *
 * The planes become channels-last pixels while reading. A file may hold fewer records (as cut
 * copies do), but only whole ones. Read next: idx.c. */
#include "datasets/input.h"
#include "datasets/source.h"

#include "tensor/core.h"

enum { SIDE = 32, PLANE = SIDE * SIDE, RECORD = 1 + 3 * PLANE, BATCHES = 5 };

static const char *const class_names[] = { "airplane", "automobile", "bird",  "cat",  "deer",
                                           "dog",      "frog",       "horse", "ship", "truck" };

/* A record to the pixels [32, 32, 3] of an image. */
static void interleave(const uint8_t *record, uint8_t *pixels)
{
    for (int i = 0; i < PLANE; i++)
        for (int c = 0; c < 3; c++) pixels[3 * i + c] = record[1 + c * PLANE + i];
}

static tr_status read_records(tri_input *in, int64_t count, uint8_t *pixels, int64_t *labels)
{
    uint8_t record[RECORD];
    for (int64_t i = 0; i < count; i++) {
        if (tri_input_read(in, record, RECORD, "a record") != TR_OK) return tr_status_get();
        if (record[0] > 9)
            return tr_fail(TR_ERR_FILE, "%s: label of record %lld is %d, expected 0 to 9", in->path,
                           (long long)i, record[0]);
        labels[i] = record[0];
        interleave(record, pixels + i * 3 * PLANE);
    }
    return TR_OK;
}

/* Opens the files of a split, at most BATCHES, takes memory for all their records, reads them. */
static tr_status read_split(tr_dataset *d, tr_data_split split, tri_input *in, int files)
{
    int64_t total = 0;
    for (int i = 0; i < files; i++) {
        if (in[i].at_most == 0 || in[i].at_most % RECORD != 0)
            return tr_fail(TR_ERR_FILE, "%s: has %lld bytes, expected a multiple of %d", in[i].path,
                           (long long)in[i].at_most, RECORD);
        total += in[i].at_most / RECORD;
    }
    uint8_t *pixels = tri_scratch((uint64_t)total * 3 * PLANE);
    int64_t *labels = tr_scope_alloc((uint64_t)(total > 0 ? total : 1) * sizeof(int64_t));
    if (!labels) return tr_status_get();
    d->source->split[split] = (tri_rows){ .bytes = pixels, .labels = labels };
    for (int i = 0; i < files; i++) {
        int64_t count = in[i].at_most / RECORD;
        if (read_records(&in[i], count, pixels, labels) != TR_OK) return tr_status_get();
        pixels += count * 3 * PLANE;
        labels += count;
    }
    d->count[split] = total;
    return TR_OK;
}

static tr_status open_split(tr_dataset *d, const char *folder, tr_data_split split,
                            bool allow_partial)
{
    tri_input in[BATCHES];
    char path[BATCHES][TRI_PATH_SIZE], file[32];
    int files = 0, batches = split == TR_TRAIN ? BATCHES : 1;
    for (int i = 0; i < batches && !tri_failed(); i++) {
        snprintf(file, sizeof file, split == TR_TRAIN ? "data_batch_%d.bin" : "test_batch.bin",
                 i + 1);
        tr_status found = tri_find_file(d->name, folder, file, false, path[files]);
        if (found == TR_OK && tri_input_open(&in[files], path[files]) == TR_OK)
            files++;
        else if (found != TR_OK && allow_partial)
            tr_error_clear();
    }
    if (!tri_failed()) read_split(d, split, in, files);
    for (int i = 0; i < files; i++) tri_input_close(&in[i]);
    return tr_status_get();
}

tr_status tri_open_cifar10(tr_dataset *d, const char *argument, const tr_dataset_options *options)
{
    const char *const places[] = { "cifar10", "cifar-10-batches-bin", "", NULL };
    char folder[TRI_PATH_SIZE];
    if (tri_find_folder(d->name, argument, places, "data_batch_1.bin", false, folder) != TR_OK)
        return tr_status_get();
    if (folder[0] != '/') tri_set_place(d, folder);
    d->height = d->width = SIDE;
    d->channels = 3;
    d->classes = 10;
    d->class_names = class_names;
    if (open_split(d, folder, TR_TRAIN, options->allow_partial) != TR_OK) return tr_status_get();
    return open_split(d, folder, TR_TEST, options->allow_partial);
}
