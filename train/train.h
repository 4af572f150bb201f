/* train.h: fit any model to any dataset, remember how it went, show it.
 *
 *     tr_run *run = tr_run_new("runs/mine", model, dataset, &(tr_train_options){ .epochs = 10 });
 *     tr_run_train(run, NULL);
 *     tr_run_report(run);
 *
 * A run directory holds, each written whole or not at all:
 *
 *     config.json                        all that is needed to repeat the run
 *     table.json                         of runs on tables: columns, scales, categories
 *     log.csv                            a row an epoch, a column a metric
 *     steps.csv                          a row every log_every steps, where they are asked for
 *     model.safetensors                  the weights to use (see tr_train_options)
 *     checkpoint/checkpoint.safetensors  all that is needed to go on
 *     report.html, *.png                 the report and its pictures
 *
 * What is trained is a function of model, data and options alone: to the bit, for any number of
 * threads, interrupted or not. The order of the images comes from (seed, epoch), the noise of a
 * step from (seed, step), so a place in the training is two numbers, epoch and batch. The library
 * prints nothing: progress goes to callbacks. docs/training.md tells what can be asked for. */
#ifndef TENREC_TRAIN_H
#define TENREC_TRAIN_H

#include "datasets/datasets.h"
#include "models/models.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- Metrics ------------------------------------------------------------------------------ */

/* Averages over images: the loss that is minimised, then the model's terms, in the model's unit. */
enum { TR_MAX_METRICS = TR_MAX_TERMS + 1, TR_METRIC_NAME = 32 };
typedef struct tr_metrics {
    int    count;                                /* 0: nothing was measured */
    char   name[TR_MAX_METRICS][TR_METRIC_NAME]; /* "loss", "reconstruction", ... */
    double value[TR_MAX_METRICS];
} tr_metrics;

/* A row of the log. */
typedef struct tr_epoch {
    int64_t    epoch;      /* from 1 */
    tr_metrics train, val; /* train: over the steps of the epoch, as the weights change */
    double     lr;
    double     seconds;           /* of the epoch, validation included */
    double     images_per_second; /* of the training steps */
} tr_epoch;

/* A row of steps.csv: averages over the images of the steps since the row before. */
typedef struct tr_step {
    int64_t    step;  /* taken in all */
    double     epoch; /* the same in epochs: 1.5 is the middle of the second */
    tr_metrics train;
    double     lr;
} tr_step;

typedef struct tr_evaluate_options {
    tr_data_split split;
    int64_t       batch;      /* 0: the model type's */
    int64_t       begin, end; /* images begin .. end - 1; end 0: to the last one */
    int64_t       limit;      /* at most this many; 0: all */
    uint64_t      seed;       /* of the model's own noise */
} tr_evaluate_options;

/* The model's metrics over a part of a dataset, in evaluation mode; the model is left in the mode
 * it was in. The same numbers each time for the same seed. */
TR_API tr_status tr_evaluate(tr_model *model, const tr_dataset *data,
                             const tr_evaluate_options *options, tr_metrics *metrics);

/* The value of a metric, or NaN where there is none of this name. */
TR_API double tr_metric(const tr_metrics *metrics, const char *name);

/* --- Runs --------------------------------------------------------------------------------- */

/* How the learning rate changes over time. Steps count from 0 over the whole training; after a
 * warm-up t counts from its end. */
typedef enum tr_rate_schedule {
    TR_RATE_CONSTANT,    /* lr */
    TR_RATE_STEP,        /* lr_factor times as much after every lr_every epochs */
    TR_RATE_EXPONENTIAL, /* lr_factor times as much after each epoch, a little at each step */
    TR_RATE_COSINE,      /* from lr to lr_min along half a cosine that ends with the last epoch */
    TR_RATE_PLATEAU      /* lr_factor times as much after lr_every epochs without a lower validation
                            loss (by 1e-4 of it at least) */
} tr_rate_schedule;

/* Every option but overwrite is kept in config.json and holds when the run goes on. A step is one
 * change of the weights; it takes `accumulate` batches. Of a model that finds its weights in one
 * pass (type->fit) the options of steps are an error. 0 stands for the default. */
typedef struct tr_train_options {
    int64_t  epochs, batch;    /* 0: the model type's, from its source */
    double   lr;               /* of Adam; 0: the model type's */
    uint64_t seed;             /* of order and noise; at most 2^53 */
    int64_t  limit, val_limit; /* use at most so many images of either part; 0: all */
    double   val_split; /* validate on this share of the train split, its end, which is not trained
                           on; 0: validate on the test split */

    tr_rate_schedule schedule;
    int64_t          warmup;    /* the rate rises to lr over so many steps first; 0: none */
    int64_t          lr_every;  /* epochs; 0: step: a third of them, plateau: 3 */
    double           lr_factor; /* below 1; 0: step, plateau: 0.1, exponential: 0.95 */
    double           lr_min;    /* not below this, warm-up apart */

    double clip_value; /* each element of a gradient into [-clip_value, clip_value]; 0: off */
    double clip_norm;  /* then the norm of all gradients to at most this; 0: off */
    double ema; /* decay, below 1, of a moving average of the weights (optim/optim.h). The average
                   is what is validated, shown, and written to model.safetensors; steps go on from
                   the weights themselves, which the checkpoint has too. 0: off */
    int64_t accumulate; /* batches in a step: its gradient is that of their images as one batch
                           (where a loss is a mean over images and the model draws no noise: to the
                           last bits). The last step of an epoch takes what is left. 0: 1 */

    int64_t early_stop; /* stop after so many epochs without a lower validation loss, and keep the
                           best weights; 0: never */
    bool keep_best;     /* model.safetensors has the weights of the best epoch, not of the last */

    int64_t checkpoint_every;   /* a checkpoint after each so many steps, too; 0: each epoch only */
    double  checkpoint_minutes; /* and after so many minutes without one; 0: off */
    int64_t log_every; /* a row of steps.csv every so many steps; written with each checkpoint */
    bool    watch;     /* report.html is written again as the training goes, so that a browser shows
                          it; it takes a tenth of the time at most */
    bool overwrite;    /* tr_run_new: replace a run that is in the directory */
} tr_train_options;

/* "constant", "step", "exponential", "cosine", "plateau"; NULL for what there is not. And back;
 * the error lists them. */
TR_API const char *tr_rate_schedule_name(tr_rate_schedule schedule);
TR_API tr_status   tr_rate_schedule_find(const char *name, tr_rate_schedule *schedule);

typedef enum tr_run_state {
    TR_RUN_NEW,         /* no step was taken */
    TR_RUN_INTERRUPTED, /* a callback asked to stop; a checkpoint is there */
    TR_RUN_FINISHED,    /* all epochs are done */
    TR_RUN_STOPPED_EARLY
} tr_run_state;

struct tri_training;

/* Read-only for users. */
typedef struct tr_run {
    const char       *dir;     /* NULL: nothing is written */
    const char       *data;    /* the dataset's place: opens it from any folder */
    const char       *classes; /* that it was trained on, as in tr_dataset_options; NULL: all */
    const tr_table   *table;   /* what the columns of its table mean (RUN/table.json); NULL: none */
    tr_model         *model;
    const tr_dataset *dataset; /* NULL until tr_run_use_data, in a run that was opened */
    tr_train_options  options; /* with defaults filled in */
    tr_run_state      state;
    tr_epoch         *history;
    int64_t           epochs_done;  /* rows of history */
    int64_t           best_epoch;   /* with the lowest validation loss, from 1; 0: none yet */
    tr_step          *steps;        /* with log_every */
    int64_t           steps_logged; /* rows of steps */
    struct tri_training *training;
} tr_run;

/* A run that starts at the beginning. With a directory: makes and locks it, writes config.json. The
 * model may be one of your own type. Errors: options out of range; a directory that is not empty
 * (TR_ERR_FILE), or in use by another process (TR_ERR_STATE). */
TR_API tr_run *tr_run_new(const char *dir, tr_model *model, const tr_dataset *data,
                          const tr_train_options *options);

typedef enum tr_open_mode {
    TR_OPEN_WEIGHTS, /* model.safetensors: to use the model */
    TR_OPEN_HISTORY, /* and the rows of the log: to report on it */
    TR_OPEN_RESUME   /* locks the directory and goes to the checkpoint, or to the beginning where
                        there is   none yet: to go on training */
} tr_open_mode;

/* A run of a directory: the model is built from config.json and its weights are read. `type` is
 * NULL for models of the zoo; give it for one of your own. Errors: no or a damaged config.json, an
 * unknown model, weights that do not fit it, another process at work (TR_ERR_STATE). */
TR_API tr_run *tr_run_open(const char *dir, const tr_model_type *type, tr_open_mode mode);

/* Opens the run's dataset, with the classes that it was trained on, or the one that `spec` names
 * instead, with all; the images must have the model's size. A table is read as the run's was: its
 * columns must be the same. */
TR_API tr_status tr_run_use_data(tr_run *run, const char *spec);

/* The same of data to be looked at as a whole: all rows of a table that `spec` names are test rows,
 * in the order of the file. */
TR_API tr_status tr_run_use_rows(tr_run *run, const char *spec);

/* Trains to this many epochs instead, at least those that are done. Recorded in config.json when
 * the training goes on. */
TR_API tr_status tr_run_set_epochs(tr_run *run, int64_t epochs);

typedef struct tr_progress {
    int64_t epoch, epochs; /* from 1 */
    int64_t step, steps;   /* of this epoch; step counts from 1 */
    int64_t images;        /* trained in this call */
    double  loss;          /* average of the epoch so far */
    double  images_per_second, seconds,
        seconds_left; /* of this call; the last two with validation */
} tr_progress;

/* Hooks. Each may be NULL. They may look at everything; what they draw, print or measure does not
 * change the training. In `epoch` the model has the weights that were validated: with ema their
 * average. An error that a hook records (tr_fail) stops the training. */
typedef struct tr_callbacks {
    void *context;
    void (*step)(void *context, const tr_progress *progress);          /* after each step */
    void (*log)(void *context, const tr_run *run, const tr_step *row); /* every log_every steps */
    void (*epoch)(void *context, const tr_run *run, const tr_epoch *row); /* after each epoch */
    bool (*stop)(void *context); /* asked after each step; true: write a checkpoint and return */
} tr_callbacks;

/* Trains to the last epoch, validates after each, and writes log, weights and checkpoint as it
 * goes. run->state tells how it ended. A loss that is not finite is an error (TR_ERR_VALUE) that
 * names the operation that first gave such a value; the last checkpoint stays. Errors stop the
 * training; with a directory it can go on from its last checkpoint. */
TR_API tr_status tr_run_train(tr_run *run, const tr_callbacks *callbacks);

/* Metrics of the last row, or NULL. */
TR_API const tr_epoch *tr_run_last(const tr_run *run);

/* "BCE"-style name of the unit: "average per value" or "nats per image". */
TR_API const char *tr_unit_name(tr_loss_unit unit);

/* The arguments of `tenrec` that repeat the run, "train vae --data ...", in the innermost scope. */
TR_API char *tr_run_command(const tr_run *run);

/* --- Report ------------------------------------------------------------------------------- */

/* Writes report.html, which needs no other file, and its pictures as PNG into the run's directory.
 * The run must have its data (tr_run_use_data). */
TR_API tr_status tr_run_report(tr_run *run);

/* `count` test images, or as many as there are, such that classes take turns where there are
 * labels: f32 [count, H, W, C]. */
TR_API tr_tensor *tr_show_images(const tr_dataset *data, int64_t count);

/* Pictures between the images a and b [N, H, W, C]: decodings of `steps` >= 2 codes on the straight
 * line, or the great circle (Shoemake 1985, "slerp"), from a's code to b's, both ends included: [N
 * steps, H, W, C], a row after a row. */
TR_API tr_tensor *tr_interpolate(tr_model *model, tr_tensor *a, tr_tensor *b, int64_t steps,
                                 bool spherical);

/* The codes of the first `count` images of a split as rows: f32 [count, D]. */
TR_API tr_tensor *tr_encode_images(tr_model *model, const tr_dataset *data, tr_data_split split,
                                   int64_t count);

/* x [N, D] as points [N, 2] of f32: itself for D = 2, else the first two principal components,
 * scaled to the data's own unit; for D = 1 the second coordinate is 0. *share is the share of the
 * variance that they hold, in [0, 1]. */
TR_API tr_tensor *tr_project_plane(tr_tensor *x, double *share);

#ifdef __cplusplus
}
#endif

#include "train/compare.h"
#include "train/uses.h"

#endif
