/* uses.h: what a trained model is good for: walks through its codes, anomalies, missing values,
 * compression, features for a classifier; and the numbers that say how good. Included by train.h.
 *
 * Functions of a model work in the mode that it is in (a run that was opened is in evaluation mode)
 * and record nothing. x is always f32 [N, H, W, C], a code is a row [D]. Errors as everywhere: NULL
 * or a status, and a message. The commands of the same names write the pictures. */
#ifndef TENREC_USES_H
#define TENREC_USES_H

#include "datasets/datasets.h"
#include "models/models.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- Figures (score.c) -------------------------------------------------------------------- */

/* The probability that a positive has a higher score than a negative, equal scores counting half
 * (Mann-Whitney): the area under the ROC curve. NaN without a positive or without a negative. */
TR_API double tr_roc_auc(const double *score, const bool *positive, int64_t count);

/* Sum over thresholds of (recall step) x precision, equal scores taken together (as scikit-learn's
 * average_precision_score). NaN without a positive. */
TR_API double tr_average_precision(const double *score, const bool *positive, int64_t count);

/* The q-quantile, 0 <= q <= 1, between neighbours on a straight line (NumPy's default). NaN for
 * count 0. */
TR_API double tr_quantile(const double *values, int64_t count, double q);

/* -10 log10(mean (a - b)^2) in dB, for values in [0, 1]; infinite for equal ones. */
TR_API double tr_psnr(tr_tensor *a, tr_tensor *b);

/* x with P(N(0, 1) < x) = p; infinite for p = 0 and 1. */
TR_API double tr_normal_quantile(double p);

/* --- Principal components (pca.c): the linear baseline ------------------------------------ */

typedef struct tr_pca {
    tr_tensor *mean;       /* f32 [D] */
    tr_tensor *components; /* f32 [D, K], orthonormal columns, largest variance first */
    tr_tensor *variance;   /* f32 [K] */
} tr_pca;

/* The first K components of rows x [N, D], K <= D, by an eigen-decomposition of their covariance
 * (D <= 4096). */
TR_API tr_status  tr_pca_fit(tr_tensor *x, int64_t components, tr_pca *pca);
TR_API tr_tensor *tr_pca_encode(const tr_pca *pca, tr_tensor *x); /* [N, D] -> [N, K] */
TR_API tr_tensor *tr_pca_decode(const tr_pca *pca, tr_tensor *z); /* [N, K] -> [N, D] */

/* --- Walks through the codes (latent.c) --------------------------------------------------- */

/* The shape of a code of the model for one image, [1, ...]; rank 0 on error. */
TR_API tr_shape tr_code_shape(tr_model *model);

/* Codes given as rows [N, D] as pictures, in batches. */
TR_API tr_tensor *tr_decode_rows(tr_model *model, tr_tensor *codes);

/* The range that a walk along each latent covers: low[D] and high[D] f64. Of generative models -3
 * and 3, where all but 0.3 % of the prior lies; of others the 1 % and 99 % quantiles of codes [N,
 * D].
 */
TR_API tr_status tr_code_range(const tr_model *model, tr_tensor *codes, double *low, double *high);

/* Row i decodes `code` [D] with latent[i] at `steps` >= 2 evenly spaced places from low[latent[i]]
 * to high[latent[i]]: [count steps, H, W, C]. */
TR_API tr_tensor *tr_traverse(tr_model *model, tr_tensor *code, const int64_t *latent,
                              int64_t count, int64_t steps, const double *low, const double *high);

/* A grid of size x size decodings of a code of two numbers, the first to the right, the second
 * upwards: [size size, H, W, C], from the upper left. Of generative models the places are normal
 * quantiles (i + 1/2) / size, equally probable under the prior (Kingma & Welling 2014, figure 4);
 * of others they are evenly spaced between low and high. Error: a code of another size. */
TR_API tr_tensor *tr_manifold(tr_model *model, int64_t size, const double *low, const double *high);

/* The mean code [D] of the images of a class; an error where it has none. */
TR_API tr_tensor *tr_mean_code(tr_tensor *codes, const tr_tensor *labels, int64_t label);

/* --- Anomalies (anomaly.c) ---------------------------------------------------------------- */

typedef enum tr_score_kind {
    TR_SCORE_AUTO,  /* by the negative ELBO where the model has a likelihood, else by the error */
    TR_SCORE_ERROR, /* mean over known pixels of (x - reconstruction)^2 */
    TR_SCORE_ELBO   /* -ELBO in nats, averaged over `samples` codes of the image */
} tr_score_kind;

typedef struct tr_anomaly_options {
    tr_score_kind kind;
    int64_t       samples; /* of the ELBO; 0: 8 */
    uint64_t      seed;
} tr_anomaly_options;

/* How badly the model explains each of the images begin .. end - 1 of a split: score[end - begin],
 * higher for stranger ones. Error: the ELBO of a model that has no likelihood. */
TR_API tr_status tr_anomaly_scores(tr_model *model, const tr_dataset *data, tr_data_split split,
                                   int64_t begin, int64_t end, const tr_anomaly_options *options,
                                   double *score);

/* --- Missing values (impute.c) ------------------------------------------------------------ */

/* The mean train image [H, W, C] of the first `limit` (0: all). */
TR_API tr_tensor *tr_dataset_mean(const tr_dataset *data, int64_t limit);

/* x where missing (u8, of x's shape or broadcast to it) is 0; elsewhere filled in: at first with
 * `start` (f32 [H, W, C]), then `steps` times with the reconstruction of what is there. */
TR_API tr_tensor *tr_impute(tr_model *model, tr_tensor *x, tr_tensor *missing, tr_tensor *start,
                            int64_t steps);
TR_API tr_tensor *tr_impute_pca(const tr_pca *pca, tr_tensor *x, tr_tensor *missing,
                                tr_tensor *start, int64_t steps);

/* Mean of (a - b)^2 where mask is not 0; NaN where it is 0 everywhere. */
TR_API double tr_masked_mse(tr_tensor *a, tr_tensor *b, tr_tensor *mask);

/* --- Tables (columns.c) ------------------------------------------------------------------- */

/* How far rows y are from the true rows x, both f32 [N, 1, values, 1], in the cells whose values
 * mask has 1 for: column[columns] gets the root mean square of each column of numbers in its own
 * unit, and of each column of categories the share of cells whose largest value is another
 * category's; overall[0] the root mean square of all numbers in units of their column's range,
 * overall[1] the share of all categories. NaN where no cell counts. */
TR_API tr_status tr_table_errors(const tr_table *table, const tr_tensor *y, const tr_tensor *x,
                                 const tr_tensor *mask, double *column, double overall[2]);

/* --- Ratings (ratings.c) ------------------------------------------------------------------ */

/* Root mean squared errors of the ratings that are held out, in their own unit. */
typedef struct tr_rating_errors {
    double  model, item_mean, user_mean; /* user_mean: of the ratings that are shown */
    int64_t ratings;                     /* how many were held out */
} tr_rating_errors;

TR_API tr_status tr_rate(tr_model *model, const tr_dataset *data, tr_rating_errors *errors);

/* Up to `count` items that the user has not rated, by falling predicted rating, in the ratings'
 * unit; returns how many. */
TR_API int64_t tr_recommend(tr_model *model, const tr_dataset *data, int64_t user, int64_t count,
                            int64_t *item, double *rating);

/* --- Features (probe.c) ------------------------------------------------------------------- */

typedef struct tr_features {
    tr_tensor *x;      /* f32 [N, D] */
    tr_tensor *labels; /* i64 [N] */
} tr_features;

/* The share of test rows whose class most of their k nearest train rows have (Euclidean; of equally
 * many votes the class of the nearest wins). NaN on error. */
TR_API double tr_knn_accuracy(const tr_features *train, const tr_features *test, int64_t k);

/* The share of test rows that softmax regression on the train rows classifies right: features
 * scaled to deviation 1, weight decay 1e-4, 1,500 steps of Adam. NaN on error. */
TR_API double tr_linear_accuracy(const tr_features *train, const tr_features *test, int64_t classes,
                                 uint64_t seed);

/* --- A map of neighbours (tsne.c) ---------------------------------------------------------- */

typedef struct tr_tsne_options {
    double  perplexity; /* how many neighbours a row has, in effect: 1 <= it < N - 1; 0: 30 */
    int64_t iterations; /* steps of descent; 0: 500 */
} tr_tsne_options;

/* Places f32 [N, 2] for the rows of x, f32 [N, D], N >= 4, such that neighbours stay neighbours:
 * t-SNE (van der Maaten & Hinton 2008), exact, from the principal plane. Memory and a step's time
 * grow with N^2: 2,000 rows take seconds. *divergence (or NULL) becomes KL(p || q) in nats. */
TR_API tr_tensor *tr_tsne(tr_tensor *x, const tr_tsne_options *options, double *divergence);

/* Its conditional probabilities p_j|i, [N, N]: each row's entropy is ln perplexity. */
TR_API tr_tensor *tr_tsne_affinities(tr_tensor *x, double perplexity);

/* --- Disentanglement (disentangle.c) ------------------------------------------------------- */

/* A number that images were made from. */
typedef struct tr_factor {
    const char *name;
    int64_t     classes; /* values are 0 .. classes - 1; 0: any number */
    double      period;  /* of an angle; 0: none */
} tr_factor;

typedef struct tr_disentanglement {
    double mig;             /* mutual information gap */
    double disentanglement; /* each number of the code tells of one factor only */
    double completeness;    /* each factor is told by one number only */
    double informativeness; /* how much of the factors is told: R^2 of the linear model */
} tr_disentanglement;

/* Scores in 0 .. 1 of codes [N, D] whose images have values[N, count] (at most 8 factors).
 *
 * The gap (Chen, Li, Grosse & Duvenaud 2018, eq. 6) is the mean over factors v of
 * (I(z_a, v) - I(z_b, v)) / H(v), a and b the numbers that share most with v; codes and continuous
 * factors are cut into 20 bins of equal width, as in Locatello et al. 2019. The others (Eastwood &
 * Williams 2018, section 2) rate the importance of number i for factor j by the absolute weights of
 * a lasso (penalty 0.01, everything scaled to deviation 1), fitted on the first half of the rows;
 * the R^2 is of the second half. */
TR_API tr_status tr_disentanglement_scores(tr_tensor *codes, const double *values,
                                           const tr_factor *factors, int count,
                                           tr_disentanglement *scores);

/* --- Compression (compress.c) ------------------------------------------------------------- */

/* Codes [N, D] with column j rounded to multiples of step[j] (0: a column that does not vary, left
 * as it is and free). *bits is what a code costs on average: the sum over columns of the entropy of
 * the multiples' frequencies in these N rows, which is at most log2 N a column. */
TR_API tr_tensor *tr_quantise(tr_tensor *codes, const double *step, double *bits);

/* --- Export (export.c) -------------------------------------------------------------------- */

/* Writes PATH.safetensors, weights in PyTorch's layout (linear [out, in], kernels [out, in, KH,
 * KW]), and PATH.py, a module definition that reads them without other packages and takes pictures
 * [N, C, H, W]. Error: a model that is more than its layers in turn, or a layer that PyTorch's has
 * no short form of; the definition is checked against the model before it is written. */
TR_API tr_status tr_export_torch(tr_model *model, const char *path);

/* Writes all weights and buffers as NumPy's .npz, in the layout and by the names of this library.
 */
TR_API tr_status tr_export_npz(tr_model *model, const char *path);

#ifdef __cplusplus
}
#endif
#endif
