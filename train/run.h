/* run.h: what the files of train/ share about a run. Not installed.
 *
 * run.c makes and opens runs, options.c knows what can be asked for, config.c reads and writes
 * config.json, fit.c is the loop, step.c a step in it, rate.c its learning rate, evaluate.c
 * measures, checkpoint.c keeps the place, log.c the history; report.c and the files it names show
 * it. */
#ifndef TENREC_RUN_H
#define TENREC_RUN_H

#include "optim/optim.h"
#include "tensor/core.h"
#include "train/train.h"

#define TRI_CHECKPOINT "checkpoint/checkpoint.safetensors"

/* Codes as rows, f32 [N, D]; false and an error naming `what` otherwise. */
bool tri_check_codes(const tr_tensor *codes, const char *what);

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
    tr_named_list parameters;
    tr_optimizer *optimizer;
    tr_ema       *ema;                    /* or NULL */
    tri_meter     window;                 /* since the last row of steps.csv */
    int64_t       step_capacity;          /* rows of steps */
    bool          running;                /* within tr_run_train */
    int64_t       epoch, position;        /* the next batch: epochs from 0 */
    tri_meter     meter;                  /* of this epoch so far */
    double        seconds, train_seconds; /* of this epoch so far; the second without validation */
    int64_t       capacity;               /* rows of history */
    int           lock;                   /* descriptor of the lock file; -1: not locked */
    tr_named_list best; /* where it is kept: weights and buffers of the best epoch */
    bool shown; /* the model has the weights to use, and `best` or `ema` those to go on from */
} tri_training;

/* The text in the innermost scope; NULL for NULL, and on error. */
char *tri_run_text(const char *text);

/* "DIR/NAME" in the innermost scope. */
char *tri_run_path(const tr_run *run, const char *name);

/* Makes the folder and those above it, where they are not there. */
tr_status tri_make_folders(const char *path);

/* Removes what a process that was killed while it wrote has left in a folder. Only who holds its
 * lock, or begins a sweep in it, writes there. */
void tri_remove_temporary(const char *path);

/* An error where a folder holds anything but a lock file. */
tr_status tri_check_empty(const char *path);

/* config.json. Reading fills options, data, and gives a model that is built but has fresh weights.
 */
tr_status tri_config_write(const tr_run *run);
tr_status tri_config_read(tr_run *run, const tr_model_type *type);

/* Fills defaults in and checks ranges. */
tr_status tri_options_resolve(tr_train_options *o, const tr_model_type *type);

/* The options as a table, which ends with a NULL name. Values of any kind pass as a double: whole
 * numbers are below 2^53, a flag is 0 or 1, a schedule its number. */
typedef enum tri_train_option_kind {
    TRI_COUNT,
    TRI_NUMBER,
    TRI_FLAG,
    TRI_SCHEDULE
} tri_train_option_kind;
typedef struct tri_train_option {
    const char           *name; /* of the field, and in config.json */
    tri_train_option_kind kind;
    size_t                offset;
    double                least, most; /* once defaults are filled in */
    bool                  of_steps;    /* has no meaning for a model that takes none */
} tri_train_option;
extern const tri_train_option tri_train_options_table[];

double tri_train_option_get(const tr_train_options *o, const tri_train_option *f);
void   tri_train_option_set(tr_train_options *o, const tri_train_option *f, double value);

static inline bool tri_keeps_best(const tr_train_options *o)
{
    return o->keep_best || o->early_stop > 0;
}

/* What the schedule starts from in the present epoch (plateau lowers it), and the rate of a step,
 * counted from 0 over the whole training. */
double tri_rate_base(const tr_run *run);
double tri_rate(const tr_train_options *o, double base, int64_t step, int64_t steps_per_epoch);

/* history, steps and their files. These are written whole from memory, so that they always agree
 * with the checkpoint. */
tr_status tri_history_push(tr_run *run, const tr_epoch *row);
tr_status tri_steps_push(tr_run *run, const tr_step *row);
tr_status tri_log_write(const tr_run *run);

/* The weights of the best epoch, kept beside the present ones where options ask for it: made,
 * filled from the model after an epoch that is the best so far. */
void tri_best_make(tr_run *run);
void tri_best_keep(tr_run *run);

/* Exchanges the weights to go on from and those to use, once trained: of the best epoch, the moving
 * average, or, where there is neither, the same. */
void tri_result_swap(tr_run *run);

tr_status tri_weights_write(const tr_run *run);
tr_status tri_checkpoint_write(const tr_run *run);
tr_status tri_checkpoint_read(tr_run *run, const char *path);

/* True where early stopping has had its epochs without a better one. */
bool tri_patience_spent(const tr_run *run);

/* The loop under way: fit.c makes it, step.c takes its steps. */
typedef struct tri_loop {
    tr_run             *run;
    tr_loader          *loader;
    const tr_callbacks *calls;
    int64_t             images; /* trained in this call */
    double              start, step_seconds;
    double              base_lr; /* of this epoch */
    double              saved;   /* when the last checkpoint was written */
    double watched, watch_cost;  /* when the report was last written, how long that took */
    bool   searching;            /* steps are taken again to find an operation */
} tri_loop;

/* Monotonic, in seconds. */
double tri_now(void);

int64_t tri_steps_per_epoch(const tri_loop *l);
int64_t tri_steps_taken(const tri_loop *l); /* in all; at the start of a step */

/* The loss of one batch at the present place: of training, recorded. */
tr_terms tri_step_loss(const tri_loop *l, const tr_batch *b);

/* Takes the next step of this epoch and moves on, adding to the meters. */
tr_status tri_train_step(tri_loop *l);

/* Image numbers of the two parts. */
void                tri_train_range(const tr_run *run, int64_t *begin, int64_t *end);
tr_evaluate_options tri_val_part(const tr_run *run);

#endif
