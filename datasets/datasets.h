/* datasets.h: images and their labels: built-in sets, readers, the loader of batches, pictures.
 * A row of a table is an image of height 1, whose pixels are the row's values (table.h).
 *
 *     tr_dataset *digits = tr_dataset_open("digits", NULL);
 *     tr_loader  *loader = tr_loader_new(digits, &(tr_loader_options){ .shuffle = true });
 *     for (tr_batch b; tr_loader_next(loader, &b); )
 *         ...                                        b.x is f32 [N, H, W, C] in [0, 1]
 *
 * Datasets and loaders belong to the scope that is innermost when they are made, like every object.
 * A dataset and its loaders are used by one thread at a time.
 * Read next: train/train.h, which feeds models from loaders. */
#ifndef TENREC_DATASETS_H
#define TENREC_DATASETS_H

#include "datasets/table.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- Datasets -------------------------------------------------------------------------------- */

typedef enum tr_data_split { TR_TRAIN, TR_TEST } tr_data_split;

struct tri_source;

/* Read-only for users. */
typedef struct tr_dataset {
    const char        *name;         /* the kind: "mnist" */
    const char        *spec;         /* what it was opened with: "mnist:/some/folder" */
    const char        *place;        /* the same with relative paths made absolute, those that were
                                        found in data/ too: it opens this set from any folder */
    int64_t            height, width, channels;
    int64_t            classes;      /* labels are 0 .. classes - 1; 0: the set has no labels */
    const char *const *class_names;  /* [classes], or NULL where the numbers are the names */
    int64_t            count[2];     /* images of [TR_TRAIN] and of [TR_TEST] */
    const char *classes_kept; /* the train split has only these, as in the options; NULL: all */
    bool        has_missing;  /* some values are unknown: batches tell which are known */
    bool        has_target;   /* what test images should give is not what they show: ratings */
    tr_tensor  *blank;        /* f32 [H, W, C]: what x has where a value is missing; NULL: no
                                 table */
    const tr_table *table;    /* csv, ratings: what the values of x mean; NULL: no table */
    const char *const *row_names; /* ratings: the users, of either split; else NULL */
    struct tri_source *source;       /* where the images come from */
} tr_dataset;

typedef struct tr_dataset_options {
    uint64_t seed;          /* of the procedural sets: another seed gives other images; of ratings:
                               holds out others */
    double   test_fraction; /* of sets that come in one piece (idx, npy, csv, images): this share,
                               evenly spaced, is the test split; in (0, 1], 1 for all rows in the
                               order of the file; 0 stands for 0.1. Of ratings: the share of each
                               user's that is held out, 1 for none */
    bool     allow_partial; /* cifar10: take the batches that are there */
    int64_t  height, width; /* images: the size that pictures are brought to; 0 stands for 64 */
    bool     gray;          /* images: one channel instead of three */
    const char *classes;    /* keep these classes only in the train split: numbers or names with
                               commas between, "0,1"; after a '!' all but these, "!9". NULL: all */
    const tr_table *table;  /* csv: columns mean what they mean here, so that a model sees this file
                               as it saw that one; NULL: learn it from the train split */
} tr_dataset_options;

/* Opens a dataset by its specification:
 *
 *   digits              28 x 28 x 1, 10 classes, 60,000 + 10,000: drawn from pen strokes, no file
 *   shapes              32 x 32 x 1, 3 classes, 60,000 + 10,000: square, ellipse, heart at random
 *                       scale, angle and place, with the true factors (tr_dataset_factors)
 *   mnist[:DIR]         28 x 28 x 1, 10 classes, 60,000 + 10,000: four IDX files, plain or .gz
 *   fashion-mnist[:DIR] the same format, clothes
 *   cifar10[:DIR]       32 x 32 x 3, 10 classes, 50,000 + 10,000: the binary batches
 *   idx:IMAGES[,LABELS] u8 IDX files [N, H, W] or [N, H, W, C], and [N]; plain or .gz
 *   npy:FILE            u8 (shown as value / 255), f32 or f64 (taken as it is): [N, D], [N, H, W]
 *                       or [N, H, W, C]; rows of D numbers are images 1 x D x 1
 *   csv:FILE[,label=COLUMN]...  a table of numbers and names, cells may be missing; numbers are
 *                       brought to [0, 1], names become a value for each category: table.h
 *   ratings:FILE        a user, an item and a rating on each line, with , ; tab or :: between, what
 *                       follows is ignored; a header line is optional. A row for each user, a value
 *                       for each item, missing where it was not rated, scaled to [0, 1]. Both splits have all users and show the same ratings, without those that
 *                       are held out, which are the target of the test split.
 *   images:DIR          PNG, PGM and PPM pictures, scaled and centre-cropped to options' size; the
 *                       class is the name of the sub-folder; without sub-folders there are no
 *                       labels. The order is a fixed shuffle of the sorted names.
 *
 * With no DIR these places are searched: data/NAME, data, $TENREC_DATA/NAME, $TENREC_DATA,
 * $XDG_DATA_HOME/tenrec/NAME and $XDG_DATA_HOME/tenrec (or ~/.local/share/tenrec).
 * Fashion-MNIST's files have MNIST's names, so they are found in folders called fashion-mnist only.
 *
 * Errors: TR_ERR_VALUE for an unknown kind (the message lists the known ones) or a bad option;
 * TR_ERR_FILE for a missing file (the message lists the places and the download command) and for
 * one that is cut short, too long, or not what it says it is. Files are trusted in nothing: sizes
 * in headers are checked against the file before memory is taken. */
TR_API tr_dataset *tr_dataset_open(const char *spec, const tr_dataset_options *options);

/* Images begin .. end - 1 of a split: f32 [end - begin, H, W, C], in the innermost scope. Errors: a
 * range outside the split. */
TR_API tr_tensor *tr_dataset_images(const tr_dataset *dataset, tr_data_split split, int64_t begin,
                                    int64_t end);

struct tr_batch;

/* The same with all that belongs to them, as in a batch of a loader, in the innermost scope. */
TR_API tr_status tr_dataset_read(const tr_dataset *dataset, tr_data_split split, int64_t begin,
                                 int64_t end, struct tr_batch *batch);

/* The place in the file, from 0, of image `index` of a split of a set that came in one piece; of
 * other sets, and outside of the split, the index itself. */
TR_API int64_t tr_dataset_row(const tr_dataset *dataset, tr_data_split split, int64_t index);

/* Their labels: i64 [end - begin]. Errors: a range outside the split, a set without labels. */
TR_API tr_tensor *tr_dataset_labels(const tr_dataset *dataset, tr_data_split split, int64_t begin,
                                    int64_t end);

/* Whether an image of this class is in the train split: true for all where the dataset was opened
 * without `classes`. */
TR_API bool tr_dataset_has_class(const tr_dataset *dataset, int64_t label);

/* The numbers that a procedural image was drawn from. `shapes`: shape (0 square, 1 ellipse,
 * 2 heart), scale in [0.5, 1], angle in radians in [0, 2 pi) (a square looks the same after pi / 2,
 * an ellipse after pi), x and y of the centre in [0, 1], y downwards. Writes them to factors (room
 * for 8) and returns how many there are: 5 for shapes, 0 for sets without known factors and for an
 * index outside the split. */
TR_API int tr_dataset_factors(const tr_dataset *dataset, tr_data_split split, int64_t index,
                              double factors[8]);

/* The kinds of datasets, for lists and help. */
typedef struct tr_dataset_kind {
    const char *name;  /* "mnist" */
    const char *usage; /* "mnist[:DIR]" */
    const char *help;  /* one line */
} tr_dataset_kind;

/* The i-th kind, counted from 0; NULL after the last. */
TR_API const tr_dataset_kind *tr_dataset_kind_at(int i);

/* --- Loader ---------------------------------------------------------------------------------- */

typedef struct tr_loader tr_loader;

typedef struct tr_loader_options {
    tr_data_split split;
    int64_t  batch;      /* images in a batch; 0 stands for 128 */
    bool     shuffle;    /* each epoch in its own random order, else in the order of the split */
    uint64_t seed;       /* of the order */
    bool     drop_last;  /* leave out a last batch that is not full */
    int64_t  begin, end; /* use images begin .. end - 1 of the split only; end 0: to the last
                            one. To keep v of n images for validation give one loader
                            .end = n - v and another .begin = n - v */
    int64_t  limit;      /* use at most this many of them, the first; 0: all */
} tr_loader_options;

/* The tensors belong to the loader and hold these values until the next call on it. */
typedef struct tr_batch {
    tr_tensor *x;      /* f32 [N, H, W, C]; the dataset's blank where a value is missing */
    tr_tensor *target; /* f32 [N, H, W, C]: what a model should give; NULL: x */
    tr_tensor *known;  /* f32 [N, H, W, C]: 1, or 0 where what it should give is missing; NULL: all
                          is known */
    tr_tensor *labels; /* i64 [N]; NULL for a set without labels */
    tr_tensor *index;  /* i64 [N]: positions in the split */
} tr_batch;

/* Errors: batch < 0, a range outside the split, no image (with drop_last: no full batch) in it. */
TR_API tr_loader *tr_loader_new(const tr_dataset *dataset, const tr_loader_options *options);

/* The next batch. False at the end of an epoch, and the call after that begins the next one; false
 * as well once an error is recorded (tr_status_get tells). With `shuffle` the order of epoch e is
 * tr_permutation(images, tr_rng_stream(seed, e)): a function of seed and epoch alone. */
TR_API bool tr_loader_next(tr_loader *loader, tr_batch *batch);

TR_API int64_t tr_loader_images(const tr_loader *loader);  /* per epoch */
TR_API int64_t tr_loader_batches(const tr_loader *loader); /* per epoch */

/* Where the loader stands: the epoch, from 0, and the number of its batches already given. */
TR_API int64_t tr_loader_epoch(const tr_loader *loader);
TR_API int64_t tr_loader_position(const tr_loader *loader);

/* Goes to that place: the next call gives batch `position` of `epoch`, as it would have been
 * without interruption. position = tr_loader_batches() is the end of the epoch: the next call
 * returns false. */
TR_API tr_status tr_loader_seek(tr_loader *loader, int64_t epoch, int64_t position);

/* --- Pictures -------------------------------------------------------------------------------- */

/* A picture is a tensor [H, W] or [H, W, C] with C = 1 (grey) or 3 (red, green, blue): u8, or f32
 * or f64 in [0, 1] (values outside are clamped, NaN is black). */

/* Writes .png, or .pgm (grey) and .ppm (colour), by the ending of the path. PNG needs a build with
 * libpng; the message names the package otherwise. */
TR_API tr_status tr_save_image(const char *path, const tr_tensor *picture);

/* Reads .png (8 or 16 bits, palette, transparency over black), .pgm or .ppm (binary or text, 8
 * bits), told apart by content: u8 [H, W, C]. At most 2^28 values. */
TR_API tr_tensor *tr_load_image(const char *path);

typedef struct tr_image_grid_options {
    int64_t columns;    /* 0: nearly square */
    int64_t gap;        /* pixels between and around the images; 0 stands for 2, -1 for none */
    int64_t zoom;       /* each pixel becomes zoom x zoom; 0 stands for 1 */
    uint8_t background; /* grey level of gaps and empty places */
} tr_image_grid_options;

/* images [N, H, W, C], row by row, in one picture: u8 [H', W', C]. */
TR_API tr_tensor *tr_image_grid(const tr_tensor *images, const tr_image_grid_options *options);

/* The picture as the bytes of a file that browsers show, in the innermost scope: PNG, or in builds
 * without libpng an uncompressed 24-bit BMP. *media_type becomes "image/png" or "image/bmp". */
TR_API void *tr_encode_image(const tr_tensor *picture, int64_t *bytes, const char **media_type);

#ifdef __cplusplus
}
#endif
#endif
