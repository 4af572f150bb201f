/* zoo.h: what model files share: networks, reconstruction losses, terms. Not installed. */
#ifndef TENREC_ZOO_H
#define TENREC_ZOO_H

#include "models/models.h"
#include "tensor/core.h"

extern const tr_model_type tri_model_undercomplete, tri_model_deep, tri_model_denoising,
    tri_model_conv, tri_model_vae, tri_model_overcomplete, tri_model_sparse, tri_model_contractive,
    tri_model_contrastive, tri_model_conv_transpose, tri_model_stochastic, tri_model_conv_vae,
    tri_model_cvae, tri_model_iwae, tri_model_pca, tri_model_stacked;

/* Linear layers from `in` through `hidden` to `out`: act after each hidden one, last after the
 * last. */
tr_module *tri_mlp(int64_t in, const int64_t *hidden, int count, int64_t out, tr_activation act,
                   tr_activation last);

/* The same with the hidden sizes taken in reverse order: a decoder for tri_mlp's encoder. */
tr_module *tri_mlp_mirror(int64_t in, const int64_t *hidden, int count, int64_t out,
                          tr_activation act, tr_activation last);

/* A module that only holds parts. */
tr_module *tri_parts(void);

/* Makes m->net with the two parts; they get the names encoder and decoder. */
tr_status tri_autoencoder(tr_model *m, tr_module *encoder, tr_module *decoder);

/* Whether x is a batch of the model's pictures, labels, if any, a class for each, and what was set
 * as the target fits them; else an error. */
bool tri_check_batch(const tr_model *m, const tr_tensor *x, const tr_tensor *labels);

/* Pictures [N, H, W, C] as rows [N, pixels], and back. */
tr_tensor *tri_rows(tr_tensor *x);
tr_tensor *tri_pictures(const tr_model *m, tr_tensor *rows);

/* The parts applied in turn; of the decoder, what comes before its output's sigmoid. */
tr_tensor *tri_encode(tr_model *m, tr_tensor *x);
tr_tensor *tri_decode(tr_model *m, tr_tensor *z);

/* What was set with tr_model_set_target, for a loss that compares with x, [N, ...]: the target in
 * x's place, and values with 0 where they do not count. Where x is pictures several times below
 * each other, so are these. */
tr_tensor *tri_target(const tr_model *m, tr_tensor *x);
tr_tensor *tri_counted(const tr_model *m, tr_tensor *values);

/* Distance between the decoder's raw output and x, or the target that was set, both [N, ...]:
 * binary cross-entropy of sigmoid(raw), or squared error of act(raw). In the model's unit: averaged
 * over what counts, or summed over all but N. */
typedef enum tri_distance { TRI_BCE, TRI_MSE } tri_distance;
tr_tensor *tri_reconstruction_loss(const tr_model *m, tri_distance kind, tr_activation output,
                                   tr_tensor *raw, tr_tensor *x);

/* The option "channels"; 0 and an error where there are too few or too many. */
int tri_channels_setting(const tr_model *m, int64_t channels[TR_MAX_SIZES]);

/* Convolutions 3x3 of stride 2 with ReLU, as many as channels, and their transposes in reverse
 * order, the last without ReLU. */
tr_module *tri_conv_down(const tr_model *m, const int64_t *channels, int count);
tr_module *tri_conv_up(const tr_model *m, const int64_t *channels, int count);

/* An error where the pictures' sides cannot be halved so many times. */
tr_status tri_check_halving(const tr_model *m, int times);

/* x as the options "noise" and "level" spoil it (noise.c); and their check. */
tr_tensor *tri_corrupt(tr_model *m, tr_tensor *x, tr_rng *rng);
tr_status  tri_check_noise(const tr_model *m);

/* Of x and what was computed from it, each picture apart (jacobian.c): the squared norm of the
 * derivative by x of a picture's values, added up; and the sum of that over the columns of h. Both
 * give [N]; differentiable: by the weights, once more. */
tr_tensor *tri_squared_slope(tr_tensor *projection, tr_tensor *x, bool differentiable);
tr_tensor *tri_jacobian_squares(tr_tensor *h, tr_tensor *x, bool differentiable);

/* The activation that a setting names; its choices are names of activations. */
tr_activation tri_activation_setting(const tr_model *m, const char *name);

/* Appends a term to be shown; returns it. */
tr_tensor *tri_add_term(tr_terms *terms, const char *name, tr_tensor *value);

/* An autoencoder whose loss is the reconstruction alone; kept at m->self. The option "loss" chooses
 * the distance; output is what turns the decoder's raw result into pixels. */
typedef struct tri_plain {
    tri_distance  distance;
    tr_activation output;
} tri_plain;
tr_status tri_plain_build(tr_model *m, tr_module *encoder, tr_module *decoder,
                          tr_activation output);
/* The same of linear layers, from the options "hidden" and "latent"; code is the code's activation.
 */
tr_status tri_plain_mlp(tr_model *m, tr_activation code, tr_activation output);
/* The distance of the code's decoding from the target, added to the terms. */
tr_tensor *tri_plain_term(tr_model *m, tr_terms *terms, tr_tensor *code, tr_tensor *target);
tr_terms   tri_plain_loss(tr_model *m, tr_tensor *input, tr_tensor *target);

/* What models of linear layers share: pictures go in as rows. Fit for tr_model_type's members. */
tr_terms   tri_rows_loss(tr_model *m, tr_tensor *x, tr_tensor *labels, tr_rng *rng);
tr_tensor *tri_rows_encode(tr_model *m, tr_tensor *x);
tr_tensor *tri_rows_decode(tr_model *m, tr_tensor *z);

/* The same for plain autoencoders of convolutions: pictures go in as they are. */
tr_terms   tri_pictures_loss(tr_model *m, tr_tensor *x, tr_tensor *labels, tr_rng *rng);
tr_tensor *tri_pictures_decode(tr_model *m, tr_tensor *z);

/* Options that several models have, to be written into their lists. */
#define TRI_NOISES "gaussian|mask|salt-pepper"
#define TRI_OPTION_NOISE(standard_value, help)                                                     \
    {                                                                                              \
        "noise", TR_OPTION_CHOICE, standard_value, 0, 0, TRI_NOISES, help                          \
    }
#define TRI_OPTION_LEVEL(standard_value)                                                           \
    {                                                                                              \
        "level", TR_OPTION_FLOAT, standard_value, 0, 10, NULL,                                     \
            "standard deviation of gaussian noise; probability of the others, at most 1"           \
    }
#define TRI_OPTION_HIDDEN(standard_value)                                                          \
    {                                                                                              \
        "hidden", TR_OPTION_SIZES, standard_value, 1, 65536, NULL,                                 \
            "hidden layers of the encoder, separated by commas; the decoder mirrors them"          \
    }
#define TRI_OPTION_LATENT(standard_value)                                                          \
    {                                                                                              \
        "latent", TR_OPTION_INT, standard_value, 1, 65536, NULL, "size of the code"                \
    }
#define TRI_OPTION_CHANNELS(standard_value)                                                        \
    {                                                                                              \
        "channels", TR_OPTION_SIZES, standard_value, 1, 4096, NULL,                                \
            "channels of the encoder's convolutions; each halves the picture"                      \
    }
#define TRI_OPTION_LOSS(standard_value)                                                            \
    {                                                                                              \
        "loss", TR_OPTION_CHOICE, standard_value, 0, 0, "bce|mse",                                 \
            "distance between picture and reconstruction: binary cross-entropy or squared error"   \
    }

#endif
