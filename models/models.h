/* models.h: the zoo. A model is an idea (how the code is made, what is minimised) with options,
 * built for pictures of any size. Networks come from nn/, the loop from train/; a model file holds
 * its idea.
 *
 *     tr_settings *s = tr_settings_new(tr_model_find("vae")->options);
 *     tr_settings_set(s, "latent", "2");
 *     tr_model *vae = tr_model_new(tr_model_find("vae"), s, TR_SHAPE(28, 28, 1), 0, 7);
 *     tr_terms terms = tr_model_loss(vae, x, NULL, &rng);     terms.loss is what tr_backward takes
 *
 * Add a model: one file with a tr_model_type, one line in models/zoo.c. The options drive `--set`,
 * `--help`, config.json and the documentation. */
#ifndef TENREC_MODELS_H
#define TENREC_MODELS_H

#include "nn/nn.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- Options and settings
 * -------------------------------------------------------------------------------- */

typedef enum tr_option_kind {
    TR_OPTION_INT,
    TR_OPTION_FLOAT,
    TR_OPTION_BOOL,   /* true or false */
    TR_OPTION_CHOICE, /* one of `choices`, separated by | */
    TR_OPTION_SIZES   /* whole numbers separated by commas, each in [least, most]; may be empty */
} tr_option_kind;

enum { TR_MAX_SIZES = 32 };

/* A list of options ends with one whose name is NULL. */
typedef struct tr_option {
    const char    *name;
    tr_option_kind kind;
    const char    *standard; /* the default, as text */
    double         least, most;
    const char    *choices;
    const char    *help; /* one line */
} tr_option;

/* Values for a list of options, kept as text and checked when set. */
typedef struct tr_settings tr_settings;

TR_API tr_settings *tr_settings_new(const tr_option *options); /* all at their defaults */
/* Errors name the option, the value, what is allowed; an unknown name lists the known ones. */
TR_API tr_status   tr_settings_set(tr_settings *s, const char *name, const char *value);
TR_API const char *tr_settings_text(const tr_settings *s,
                                    const char        *name); /* any kind; also of choices */
TR_API int64_t     tr_settings_int(const tr_settings *s, const char *name);
TR_API double      tr_settings_float(const tr_settings *s, const char *name);
TR_API bool        tr_settings_bool(const tr_settings *s, const char *name);
TR_API bool        tr_settings_is(const tr_settings *s, const char *name, const char *choice);
TR_API int tr_settings_sizes(const tr_settings *s, const char *name, int64_t sizes[TR_MAX_SIZES]);
TR_API const tr_option *tr_settings_options(const tr_settings *s);

/* --- Models
 * ------------------------------------------------------------------------------------------------
 */

/* What a loss consists of. `loss` is minimised; the named terms are what logs and reports show,
 * each a tensor of one value, in the model's unit, unweighted. */
enum { TR_MAX_TERMS = 8 };
typedef struct tr_terms {
    tr_tensor  *loss;
    int         count;
    const char *name[TR_MAX_TERMS];
    tr_tensor  *value[TR_MAX_TERMS];
} tr_terms;

/* The unit that losses are reported in. */
typedef enum tr_loss_unit {
    TR_PER_PIXEL, /* averaged over pixels and images, as Keras does */
    TR_PER_IMAGE  /* nats: summed over pixels and latent dimensions, averaged over images */
} tr_loss_unit;

typedef struct tr_model tr_model;

/* Hands out the training images a batch after another, [N, H, W, C]; NULL after the last one, and
 * on error. A batch holds its values until the next call. */
typedef tr_tensor *(*tr_next_batch)(void *context);

typedef struct tr_model_type {
    const char      *name;
    const char      *summary; /* one line */
    const char      *source;  /* paper or section, equation */
    tr_loss_unit     unit;
    const tr_option *options;
    int              batch, epochs; /* the source's settings */
    double           lr;

    /* Makes model->net, with parts named encoder, decoder, ..., from settings and input shape. */
    tr_status (*build)(tr_model *model);

    /* x is [N, H, W, C] in [0, 1]; labels i64 [N], or NULL where there are none. */
    tr_terms (*loss)(tr_model *model, tr_tensor *x, tr_tensor *labels, tr_rng *rng);

    tr_tensor *(*encode)(tr_model  *model,
                         tr_tensor *x); /* [N, ...]: the code; of a distribution, its mean */
    tr_tensor *(*decode)(tr_model *model, tr_tensor *z); /* [N, H, W, C] in [0, 1] for display */
    tr_tensor *(*corrupt)(tr_model *model, tr_tensor *x,
                          tr_rng *rng); /* denoising's noise; NULL: none */
    tr_tensor *(*sample)(tr_model *model, int64_t count,
                         tr_rng *rng); /* new pictures; NULL: not generative */

    /* Optional: finds all weights in one pass over the images; the trainer then takes no steps. */
    tr_status (*fit)(tr_model *model, tr_next_batch next, void *context);

    /* Optional, of likelihood models: ln p(x, z) - ln q(z|x) for `samples` codes z that are drawn
     * from q(z|x) for each image: [samples, N]. */
    tr_tensor *(*log_weights)(tr_model *model, tr_tensor *x, tr_tensor *labels, int64_t samples,
                              tr_rng *rng);

    /* Optional, of models that do more than their parts in turn: encode, or decode, as PyTorch puts
     * it, for tr_export_torch: lines of a Python method that make the code of rows x [N, pixels],
     * or the pixels of codes x. self.PART(x) is a part, self.PART_0 its first layer without
     * activation, buffers go by their names. NULL: there is no such form of these settings. */
    const char *(*torch)(const tr_model *model, bool decode);
} tr_model_type;

struct tr_model {
    const tr_model_type *type;
    tr_settings         *settings;
    tr_shape             input;   /* [H, W, C] */
    int64_t              pixels;  /* H W C */
    int64_t              classes; /* labels are 0 .. classes - 1; 0: there are none */
    double epoch; /* how many epochs it was trained, with the fraction of the one under
                     way; whoever trains it sets this before each step. Schedules such
                     as a KL warm-up follow it, in training mode */
    tr_tensor *target, *known; /* tr_model_set_target */
    tr_tensor *blank;          /* [H, W, C]: what x has where a value is missing; noise that hides
                                  values puts it there. NULL: 0 */
    tr_module *net;
    void      *self; /* the type's own */
};

TR_API const tr_model_type *const *tr_model_types(int *count);
/* NULL and an error that lists the known names. */
TR_API const tr_model_type *tr_model_find(const char *name);

/* Builds and initialises; settings may be NULL for defaults. Models that use no labels take any
 * number of classes, 0 too. */
TR_API tr_model *tr_model_new(const tr_model_type *type, tr_settings *settings, tr_shape input,
                              int64_t classes, uint64_t seed);

/* What losses and likelihoods of the next batch are about, where it is not simply all of x: the
 * values that the model must give, [N, H, W, C] (NULL: x itself), and those that count, of the same
 * shape and dtype, 1 or 0 (NULL: all). Averages are over the values that count; a sum for each
 * picture leaves the others out. Holds until it is set again; NULL, NULL is the beginning. */
TR_API void tr_model_set_target(tr_model *m, tr_tensor *target, tr_tensor *known);

/* These check shapes and call the type's functions. In evaluation mode turn recording off around
 * them. */
TR_API tr_terms   tr_model_loss(tr_model *m, tr_tensor *x, tr_tensor *labels, tr_rng *rng);
TR_API tr_tensor *tr_model_encode(tr_model *m, tr_tensor *x);
TR_API tr_tensor *tr_model_decode(tr_model *m, tr_tensor *z);
TR_API tr_tensor *tr_model_reconstruct(tr_model *m, tr_tensor *x); /* decode(encode(x)) */
/* An error names the model where it cannot. */
TR_API tr_tensor *tr_model_corrupt(tr_model *m, tr_tensor *x, tr_rng *rng);
TR_API tr_tensor *tr_model_sample(tr_model *m, int64_t count, tr_rng *rng);
TR_API tr_status  tr_model_fit(tr_model *m, tr_next_batch next, void *context);

/* |dz/dx|_F of each image, [N]: how much its code moves when the image does (Rifai et al. 2011).
 * One walk through the graph for each number of the code. */
TR_API tr_tensor *tr_model_jacobian(tr_model *m, tr_tensor *x);

/* Noise on pictures in [0, 1]; level is the standard deviation of gaussian noise, the probability
 * of the others. */
typedef enum tr_noise {
    TR_NOISE_GAUSSIAN,    /* clip(x + level N(0, 1), 0, 1) */
    TR_NOISE_MASK,        /* 0 with probability level, else x */
    TR_NOISE_SALT_PEPPER, /* 0 or 1, equally often, with probability level, else x */
    TR_NOISES
} tr_noise;
TR_API tr_tensor  *tr_add_noise(tr_tensor *x, tr_noise kind, double level, tr_rng *rng);
TR_API const char *tr_noise_name(tr_noise kind); /* "gaussian", "mask", "salt-pepper" */

/* ln p(x) of each image, [N] in nats, estimated from below by importance sampling with `samples`
 * codes: ln of the mean of p(x, z) / q(z|x), z from q(z|x) (Burda et al. 2016, eq. 8). More samples
 * come nearer: 5,000 are usual for figures. For models that know a likelihood; others are an error.
 * Of a labelled model it is ln p(x | label). */
TR_API tr_tensor *tr_model_log_likelihood(tr_model *m, tr_tensor *x, tr_tensor *labels,
                                          int64_t samples, tr_rng *rng);

#ifdef __cplusplus
}
#endif
#endif
