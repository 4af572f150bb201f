/* run.h: what the files of train/ share about a run. Not installed.
 *
 * run.c makes and opens runs, config.c reads and writes config.json, fit.c is the loop, evaluate.c
 * measures, checkpoint.c keeps the place, log.c the history; report.c and the files it names show
 * it. */
#ifndef TENREC_RUN_H
#define TENREC_RUN_H

#include "optim/optim.h"
#include "tensor/core.h"
#include "train/train.h"

#define TRI_CHECKPOINT "checkpoint/checkpoint.safetensors"

/* Sums of values times images, from which averages over images follow. */
typedef struct tri_meter {
    tr_metrics sums;
    double     images;
} tri_meter;

/* The model's loss of a batch, as far as its values are known. */
tr_terms tri_batch_loss(tr_model *model, const tr_batch *b, tr_rng *rng);

tr_status  tri_meter_add(tri_meter *m, const tr_terms *terms, int64_t images);
tr_metrics tri_meter_average(const tri_meter *m);

/* Where a training stands: all that a checkpoint adds to weights and options. */
typedef struct tri_training {
    tr_optimizer *optimizer;
    int64_t       epoch, position;        /* the next batch: epochs from 0 */
    tri_meter     meter;                  /* of this epoch so far */
    double        seconds, train_seconds; /* of this epoch so far; the second without validation */
    int64_t       capacity;               /* rows of history */
    int           lock;                   /* descriptor of the lock file; -1: not locked */
    tr_named_list best;       /* early stopping: weights and buffers of the best epoch */
    bool          best_shown; /* the model has them, and `best` has the last ones */
} tri_training;

/* The text in the innermost scope; NULL for NULL, and on error. */
char *tri_run_text(const char *text);

/* "DIR/NAME" in the innermost scope. */
char *tri_run_path(const tr_run *run, const char *name);

/* Makes the folder and those above it, where they are not there. */
tr_status tri_make_folders(const char *path);

/* config.json. Reading fills options, data, and gives a model that is built but has fresh weights.
 */
tr_status tri_config_write(const tr_run *run);
tr_status tri_config_read(tr_run *run, const tr_model_type *type);

/* Fills defaults in and checks ranges. */
tr_status tri_options_resolve(tr_train_options *o, const tr_model_type *type);

/* history and log.csv. The log is written whole from memory, so that it always agrees with the
 * checkpoint. */
tr_status tri_history_push(tr_run *run, const tr_epoch *row);
tr_status tri_log_write(const tr_run *run);

/* The weights of the best epoch, kept beside the present ones where a run may stop early: made,
 * filled from the model after an epoch that is the best so far, exchanged with the model's. */
void tri_best_make(tr_run *run);
void tri_best_keep(tr_run *run);
void tri_best_swap(tr_run *run);

tr_status tri_weights_write(const tr_run *run);
tr_status tri_checkpoint_write(const tr_run *run);
tr_status tri_checkpoint_read(tr_run *run, const char *path);

/* True where early stopping has had its epochs without a better one. */
bool tri_patience_spent(const tr_run *run);

/* Image numbers of the two parts. */
void                tri_train_range(const tr_run *run, int64_t *begin, int64_t *end);
tr_evaluate_options tri_val_part(const tr_run *run);

#endif
