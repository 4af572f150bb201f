/* variational.h: what models with a distribution over codes share: q(z|x) a normal distribution
 * with two linear heads, z drawn from it, p(z) standard normal, p(x|z) one of three laws of pixels.
 * The models vae, conv-vae, cvae and iwae differ in networks, in conditions and in the bound. Not
 * installed. Read next: vae.c, the plainest of them. */
#ifndef TENREC_VARIATIONAL_H
#define TENREC_VARIATIONAL_H

#include "models/zoo.h"

/* The raw output r of the decoder, a number for each pixel, with m = sigmoid(r):
 *   BERNOULLI  a pixel is on with probability m; grays count as shares of both
 *   GAUSSIAN   N(m, scale^2)
 *   LOGISTIC   the mass that a logistic distribution of mean m and that scale gives to the gray's
 *              cell, 1/255 wide, the outermost cells open (Kingma et al. 2016, section 5) */
typedef enum tri_law { TRI_BERNOULLI, TRI_GAUSSIAN, TRI_LOGISTIC } tri_law;

typedef struct tri_variational {
    tr_module *body, *mean, *log_variance; /* the encoder: features, then two heads */
    tr_module *decoder;
    int64_t    latent;
    tri_law    law;
    double     scale;
    tr_tensor *log_scale; /* a parameter [1]; NULL: the scale is fixed */
} tri_variational;

typedef struct tri_posterior {
    tr_tensor *mu, *log_variance; /* [N, D] */
} tri_posterior;

/* Makes m->net of the encoder's body, which gives rows [N, features], two heads and the decoder,
 * and m->self from the options "latent", "likelihood", "scale", "learn_scale". */
tr_status tri_variational_build(tr_model *m, tr_module *body, int64_t features, tr_module *decoder);

/* q(z|x) of what the body takes. */
tri_posterior tri_posterior_of(const tr_model *m, tr_tensor *input);

/* sum_j KL(q_j || N(0, 1)) apart: [N, D]. */
tr_tensor *tri_posterior_kl(tri_posterior q);

/* ln p(x|raw) summed over the last axis, the pixels; raw and rows broadcast. */
tr_tensor *tri_log_pixels(const tr_model *m, tr_tensor *raw, tr_tensor *rows);

/* Codes [N, D], with the condition [N, C] beside them if it is not NULL, through the decoder: [N,
 * pixels] */
tr_tensor *tri_decode_rows(const tr_model *m, tr_tensor *z, tr_tensor *condition);

/* The negative bound, with the options "beta", "free_bits" and "warmup". rows are the pictures. */
tr_terms tri_variational_loss(tr_model *m, tr_tensor *input, tr_tensor *condition, tr_tensor *rows,
                              tr_rng *rng);

/* ln p(x, z) - ln q(z|x) of k codes for each picture: [k, N]. */
tr_tensor *tri_log_weights(const tr_model *m, tr_tensor *input, tr_tensor *condition,
                           tr_tensor *rows, int64_t k, tr_rng *rng);

/* For tr_model_type: models whose body takes rows, without condition. */
tr_status  tri_variational_mlp(tr_model *m);
tr_tensor *tri_mean_code(tr_model *m, tr_tensor *x);
tr_tensor *tri_mean_pictures(tr_model *m, tr_tensor *z);
tr_tensor *tri_prior_pictures(tr_model *m, int64_t count, tr_rng *rng);
tr_tensor *tri_rows_log_weights(tr_model *m, tr_tensor *x, tr_tensor *labels, int64_t samples,
                                tr_rng *rng);

#define TRI_OPTIONS_BOUND                                                                          \
    { "beta", TR_OPTION_FLOAT, "1", 0, 1e6, NULL, "weight of the KL term" },                       \
        { "free_bits",                                                                             \
          TR_OPTION_FLOAT,                                                                         \
          "0",                                                                                     \
          0,                                                                                       \
          1e3,                                                                                     \
          NULL,                                                                                    \
          "nats of KL that cost nothing, for each number of the code" },                           \
    {                                                                                              \
        "warmup", TR_OPTION_FLOAT, "0", 0, 1e6, NULL,                                              \
            "epochs in which the weight of the KL term rises from 0 to beta"                       \
    }
#define TRI_OPTIONS_LIKELIHOOD                                                                     \
    { "likelihood",                                                                                \
      TR_OPTION_CHOICE,                                                                            \
      "bernoulli",                                                                                 \
      0,                                                                                           \
      0,                                                                                           \
      "bernoulli|gaussian|logistic",                                                               \
      "distribution of pixels" },                                                                  \
        { "scale",                                                                                 \
          TR_OPTION_FLOAT,                                                                         \
          "0.1",                                                                                   \
          1e-6,                                                                                    \
          1e3,                                                                                     \
          NULL,                                                                                    \
          "gaussian: standard deviation; logistic: scale" },                                       \
    {                                                                                              \
        "learn_scale", TR_OPTION_BOOL, "false", 0, 0, NULL,                                        \
            "learn the scale, one for all pixels, from there"                                      \
    }

#endif
