/* source.h: what dataset.c, loader.c and the readers share. Not installed.
 *
 * An open dataset is a tr_dataset (what users see) with a tri_source behind it: rows in memory, or
 * a function that draws image i of a procedural set when it is first asked for. A reader is one
 * function: it fills the tri_source and the sizes and counts in the tr_dataset, and returns a
 * status. Everything it allocates with tr_scope_alloc lives as long as the dataset. Read next:
 * dataset.c (the table of kinds), then idx.c as an example of a reader.              */
#ifndef TENREC_DATASETS_SOURCE_H
#define TENREC_DATASETS_SOURCE_H

#include "datasets/csv.h"
#include "datasets/datasets.h"

/* The rows of one split: image i is row[i] (or i where row is NULL) of `bytes` or of `values`, or
 * of what `draw` draws. */
typedef struct tri_rows {
    const uint8_t *bytes;  /* [rows, H * W * C], shown as value / 255; NULL: see values */
    const float *values;   /* [rows, H * W * C], shown as they are; NaN: missing */
    const int64_t *labels; /* [rows], or NULL */
    const int64_t *row;
} tri_rows;

/* A table: what its columns mean, and its cells (table.c). */
typedef struct tri_table {
    tr_table   face;
    tr_column *column; /* face.column */
    tri_csv    csv;
} tri_table;

/* Lists of ratings (ratings.c). */
typedef struct tri_ratings tri_ratings;

typedef struct tri_source {
    tri_rows split[2];
    tri_table         *table;   /* NULL: no table */
    const tri_ratings *ratings; /* NULL: no ratings */

    /* Makes what depends on the rows that are left to train on, once classes are chosen; or NULL.
     */
    tr_status (*settle)(tr_dataset *dataset, const tr_dataset_options *options);

    /* Procedural sets: pure functions of (seed, split, index). Drawn images are kept in `cache`,
     * whose image i is valid where drawn[i] is set; allocated when a split is first used. */
    void (*draw)(uint64_t seed, tr_data_split split, int64_t index, uint8_t *pixels);
    int64_t (*label)(uint64_t seed, tr_data_split split, int64_t index);
    int (*factors)(uint64_t seed, tr_data_split split, int64_t index, double factors[8]);
    uint64_t seed;
    uint8_t *cache[2], *drawn[2];
    size_t cache_bytes[2], drawn_bytes[2];

    bool *kept; /* [classes]: which ones the train split has; NULL: all */
} tri_source;

/* `argument` is what follows the colon of the specification, or NULL. */
typedef struct tri_kind {
    tr_dataset_kind face;
    tr_status (*open)(tr_dataset *dataset, const char *argument, const tr_dataset_options *options);
} tri_kind;

/* --- The readers ----------------------------------------------------------------------- */

tr_status tri_open_digits(tr_dataset *d, const char *argument, const tr_dataset_options *options);
tr_status tri_open_mnist(tr_dataset *d, const char *argument, const tr_dataset_options *options);
tr_status tri_open_idx(tr_dataset *d, const char *argument, const tr_dataset_options *options);
tr_status tri_open_shapes(tr_dataset *d, const char *argument, const tr_dataset_options *options);
tr_status tri_open_cifar10(tr_dataset *d, const char *argument, const tr_dataset_options *options);
tr_status tri_open_npy(tr_dataset *d, const char *argument, const tr_dataset_options *options);
tr_status tri_open_csv(tr_dataset *d, const char *argument, const tr_dataset_options *options);
tr_status tri_open_ratings(tr_dataset *d, const char *argument, const tr_dataset_options *options);
tr_status tri_open_images(tr_dataset *d, const char *argument, const tr_dataset_options *options);

/* --- Choosing classes (classes.c) ------------------------------------------------------ */

/* Leaves only the chosen classes in the train split; before an image of it is read. */
tr_status tri_keep_classes(tr_dataset *d, const char *classes);

/* --- Using a source (dataset.c) -------------------------------------------------------- */

/* Takes the memory that reading a split needs; call once before the functions below. */
tr_status tri_source_prepare(const tr_dataset *d, tr_data_split split);

/* A user's ratings that are held out, or those that are not; NaN for all other items. */
void tri_ratings_read(const tri_ratings *r, int64_t user, bool held_out, float *x);

/* The tensors of a batch of n images of a split, empty, in the innermost scope. */
tr_status tri_batch_make(const tr_dataset *d, tr_data_split split, int64_t n, tr_batch *batch);

/* Puts image `index` of a split in place i of such a batch. Several threads may do so at once for
 * different images. */
void    tri_batch_read(const tr_dataset *d, tr_data_split split, int64_t index,
                       const tr_batch *batch, int64_t i);
int64_t tri_source_label(const tr_dataset *d, tr_data_split split, int64_t index);

/* How many images a thread should take at a time: few where they are drawn, and so many where they
 * are only copied that the copying outweighs starting a thread. */
int64_t tri_source_grain(const tr_dataset *d);

/* --- Help for readers (dataset.c, places.c) -------------------------------------------- */

/* Cuts rows that came in one piece into both splits: each 1/fraction-th row goes to the test split.
 */
tr_status tri_split_rows(tr_dataset *d, tri_rows rows, int64_t count, double test_fraction);

enum { TRI_PATH_SIZE = 1024 };

/* Puts the folder that holds `file` (or, with `gzip`, file.gz) into folder. With `directory` only
 * that one is looked at; else the usual places, with each of `names` below them ("" is the place
 * itself). The error names every place and the command scripts/download NAME. */
tr_status tri_find_folder(const char *name, const char *directory, const char *const *names,
                          const char *file, bool gzip, char folder[TRI_PATH_SIZE]);

/* Puts folder/file (or, with `gzip`, folder/file.gz where that is what exists) into path; the error
 * says that the set is not complete. */
tr_status tri_find_file(const char *name, const char *folder, const char *file, bool gzip,
                        char path[TRI_PATH_SIZE]);

/* Makes the place KIND:PATH[,SECOND] with absolute paths: a relative one is below the working
 * directory. tr_dataset_open does so with the argument, if there is one; a reader that found its
 * files in a relative folder does it with that. */
tr_status tri_set_place(tr_dataset *d, const char *argument);

/* The path below the working directory, or itself if it is absolute; in the innermost scope. */
char *tri_absolute_path(const char *path);

/* A copy of text in the innermost scope. */
char *tri_copy_text(const char *text);

#endif
