/* compare.h: several runs side by side, whatever their models: measured in the same way, as a page
 * and as a table. Included by train.h.
 *
 *     tr_compared runs[2] = { 0 };
 *     for (int i = 0; i < 2; i++) tr_compare_run(directories[i], NULL, &runs[i]);
 *     tr_compare_page("comparison.html", "Two models", runs, 2);                          */
#ifndef TENREC_COMPARE_H
#define TENREC_COMPARE_H

#include "train/train.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tr_compare_options {
    int64_t limit; /* measure on the first N test images; 0: all */
    int64_t probe; /* classify by the codes of the first N train images; 0: do not */
} tr_compare_options;

enum { TR_COMPARED_TEXT = 512 };
typedef struct tr_compared {
    char                 name[128]; /* the last part of the run's directory */
    const tr_model_type *type;
    char       options[TR_COMPARED_TEXT]; /* those not at their defaults: "latent=2 beta=4" */
    char       command[TR_COMPARED_TEXT]; /* the arguments of `tenrec` that repeat the run */
    int64_t    parameters, code_size;     /* numbers in the model, numbers in a code */
    int64_t    epochs;
    double     seconds;     /* of training, validation included */
    tr_tensor *train, *val; /* f64 [epochs]: the loss; val is NULL where nothing was validated */

    /* Of the epoch whose weights the run has: the validation metrics, in the model's own unit. */
    tr_metrics metrics;

    /* Of reconstructions of test images, clean ones also for models that restore: averages over
     * pixels. BCE clamps pixels to [1e-7, 1 - 1e-7], as Keras does; PSNR is -10 log10 MSE. */
    double mse, bce, psnr;
    double accuracy; /* of softmax regression on codes of test images; NaN: not measured, no labels
                      */

    /* Rows of pictures, `columns` in each, named from the top; NULL where data are no pictures. */
    tr_tensor  *images; /* f32 [rows columns, H, W, C] */
    const char *row_names[4];
    int         row_count;
} tr_compared;

/* Measures a run on the test split of its data. What *run points to lives in the innermost scope;
 * the model and its data are freed again. Errors: as tr_run_open's and tr_run_use_data's; data
 * without a test split. */
TR_API tr_status tr_compare_run(const char *dir, const tr_compare_options *options,
                                tr_compared *run);

/* Writes a page that needs no other file: a table, and for each run its pictures and its loss over
 * epochs. Where all runs are of one type, and so minimise the same thing, a chart has all their
 * validation losses. */
TR_API tr_status tr_compare_page(const char *path, const char *title, const tr_compared *runs,
                                 int count);

/* Writes PATH, which ends in .md: a title, the table and the commands; and the pictures as files of
 * a folder beside it that has its name without .md, which is made where there is none. */
TR_API tr_status tr_compare_markdown(const char *path, const char *title, const tr_compared *runs,
                                     int count);

#ifdef __cplusplus
}
#endif
#endif
