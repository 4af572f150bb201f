/* nn.h: modules (a tree of named parameters), layers, initialisers. Losses are in nn/loss.h,
 * normalisation as functions in nn/norm.h, distributions in nn/distribution.h; this header includes
 * them.
 *
 *     tr_module *net = tr_nn_sequential(tr_nn_linear(784, 32, TR_RELU),
 *                                       tr_nn_linear(32, 784, TR_SIGMOID), NULL);
 *     tr_module_init(net, 7);
 *     tr_tensor *y = tr_forward(net, x);
 *
 * A module belongs to the scope that is innermost when it is made, and so do its parameters: make
 * networks outside the scope of a training step. A free-form network needs no module type of its
 * own: make its parts and call tr_forward on them in any order, with loops and branches. Read next:
 * optim/optim.h. */
#ifndef TENREC_NN_H
#define TENREC_NN_H

#include "autograd/autograd.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- Modules ---------------------------------------------------------------------------------- */

typedef struct tr_module tr_module;

/* What a kind of module does. `self` of the module holds the kind's own data. */
typedef struct tr_module_type {
    const char *name; /* "linear" */
    tr_tensor *(*forward)(tr_module *m, tr_tensor *x);
    /* Fills the module's own parameters; children are visited by tr_module_init. NULL: nothing to
     * fill. */
    void (*init)(tr_module *m, tr_rng *rng);
    /* Its settings as text for the summary, "784 -> 32, relu". NULL: none. */
    void (*describe)(const tr_module *m, char *text, size_t size);
    /* Multiply-adds of one call, from in_shape and out_shape. NULL: none worth counting. */
    int64_t (*multiply_adds)(const tr_module *m);
} tr_module_type;

/* Read-only for users. */
struct tr_module {
    const tr_module_type *type;
    const char           *name; /* in its parent; "" for a root */
    const char           *path; /* "encoder.0", from the root; set by tr_module_init */
    tr_module            *parent, *first_child, *next;
    tr_named_list         parameters, buffers; /* its own, without its children's */
    bool                  training;            /* dropout and batch norm look here */
    tr_shape              in_shape, out_shape; /* of the last tr_forward */
    void                 *self;
};

/* A module of a type of your own, with `self_bytes` zeroed bytes at self. NULL on error. */
TR_API tr_module *tr_module_new(const tr_module_type *type, size_t self_bytes);

/* Adds a part under a name (letters, digits, _); returns the part. A part has one parent. */
TR_API tr_module *tr_module_add(tr_module *m, const char *name, tr_module *part);

/* Adds a parameter (a variable of zeros, f32) or a buffer (state that is saved but not trained). */
TR_API tr_tensor *tr_module_add_parameter(tr_module *m, const char *name, tr_shape shape);
TR_API tr_tensor *tr_module_add_buffer(tr_module *m, const char *name, tr_dtype dtype,
                                       tr_shape shape);

/* Makes this parameter and another module's one and the same tensor: tied weights. The shapes must
 * be equal. It keeps its first name and is listed once. */
TR_API tr_status tr_module_tie(tr_module *m, const char *name, tr_tensor *parameter);

/* Fills all parameters from the seed, each module from a stream of its own, and sets paths. */
TR_API tr_status tr_module_init(tr_module *m, uint64_t seed);

TR_API tr_tensor *tr_forward(tr_module *m, tr_tensor *x);

/* Training mode (the default) or evaluation mode, for the whole tree. */
TR_API void tr_module_set_training(tr_module *m, bool training);

/* Converts parameters and buffers in place to f32 or f64. Before an optimiser is made. */
TR_API tr_status tr_module_cast(tr_module *m, tr_dtype dtype);

/* All parameters of the tree, or parameters and buffers, under names such as "encoder.0.weight". */
TR_API tr_named_list tr_module_parameters(tr_module *m);
TR_API tr_named_list tr_module_state(tr_module *m);
TR_API int64_t       tr_module_parameter_count(tr_module *m);

/* Weights and buffers as safetensors. Loading wants exactly the module's names, dtypes and shapes;
 * on error the module is unchanged and the message names the first tensor that does not fit. */
TR_API tr_status tr_module_save(tr_module *m, const char *path, const char *const *metadata);
TR_API tr_status tr_module_load(tr_module *m, const char *path);
TR_API tr_status tr_module_load_state(tr_module *m, const tr_named_list *state, const char *origin);

/* One line per leaf: path, kind, output shape, parameters, multiply-adds of one image. */
typedef struct tr_summary_row {
    const char *path, *kind;
    char        settings[96];
    tr_shape    out_shape; /* of the last tr_forward */
    int64_t     parameters, multiply_adds;
} tr_summary_row;

/* Rows of all leaves, in the innermost scope; run tr_forward once before. */
TR_API tr_summary_row *tr_module_summary(tr_module *m, int64_t *count);

/* --- Initialisers ----------------------------------------------------------------------------- */

/* Fan-in and fan-out are taken from the shape: [in, out] for weights, [KH, KW, in, out] for
 * kernels. */
typedef enum tr_initializer {
    TR_INIT_GLOROT_UNIFORM, /* U(-a, a), a = sqrt(6 / (fan_in + fan_out)): Glorot & Bengio 2010, eq.
                               16 */
    TR_INIT_GLOROT_NORMAL,  /* N(0, 2 / (fan_in + fan_out)) */
    TR_INIT_HE_UNIFORM,     /* U(-a, a), a = sqrt(6 / fan_in): He et al. 2015, eq. 10 */
    TR_INIT_HE_NORMAL,      /* N(0, 2 / fan_in) */
    TR_INIT_ORTHOGONAL,     /* orthonormal rows or columns: Saxe et al. 2014 */
    TR_INIT_ZEROS,
    TR_INIT_ONES
} tr_initializer;

TR_API tr_status tr_initialize(tr_tensor *parameter, tr_initializer how, tr_rng *rng);

/* --- Layers ----------------------------------------------------------------------------------- */

/* Options are shared by the layers with weights; NULL: Glorot-uniform weights, zero bias, as in
 * Keras. */
typedef struct tr_layer_options {
    bool            no_bias;
    tr_initializer  init;
    tr_conv_options conv; /* stride, padding, dilation, groups of convolutions */
} tr_layer_options;

/* Parts are applied in turn; named "0", "1", ... The list ends with NULL. A NULL part is an error
 * that was reported when the part was made; the result is NULL then. */
TR_API tr_module *tr_nn_sequential(tr_module *first, ...) __attribute__((sentinel));
TR_API tr_module *tr_nn_sequence(tr_module *const *parts, int count);
TR_API tr_status  tr_nn_append(tr_module *sequential, tr_module *part);

/* y = act(x weight + bias): x [..., in], weight [in, out], y [..., out]. */
TR_API tr_module *tr_nn_linear(int64_t in, int64_t out, tr_activation act);
TR_API tr_module *tr_nn_linear_with(int64_t in, int64_t out, tr_activation act,
                                    const tr_layer_options *o);

/* y = act(x weight^T + bias), with the weight of another linear layer and a bias of its own: a
 * decoder that is tied to its encoder. The weight is listed, filled and saved with its owner, which
 * must live as long, and gets the gradients of both uses. */
TR_API tr_module *tr_nn_linear_transposed(tr_module *linear_layer, tr_activation act);

/* y = act(conv2d(x, weight) + bias): x [N, H, W, in], weight [k, k, in / groups, out]. Without
 * options the stride is 1 and the padding 'same'. */
TR_API tr_module *tr_nn_conv2d(int64_t in, int64_t out, int64_t kernel, tr_activation act,
                               const tr_layer_options *o);
/* conv2d of the picture enlarged by `factor` (nearest), 'same' padding, in one pass; of the
 * options, no_bias and init count. */
TR_API tr_module *tr_nn_upsample_conv2d(int64_t in, int64_t out, int64_t kernel, int64_t factor,
                                        tr_activation act, const tr_layer_options *o);
/* act(max_pool2d(conv2d(x, weight), window) + bias): the layer and the pooling after it in one pass,
 * 'same' padding; of the options, no_bias and init count. */
TR_API tr_module *tr_nn_conv2d_pool(int64_t in, int64_t out, int64_t kernel, int64_t window,
                                    tr_activation act, const tr_layer_options *o);
/* The transposed convolution: upsamples by the stride. weight [k, k, out / groups, in]. */
TR_API tr_module *tr_nn_conv2d_transpose(int64_t in, int64_t out, int64_t kernel, tr_activation act,
                                         const tr_layer_options *o);

TR_API tr_module *tr_nn_max_pool2d(int64_t window); /* window x window, stride the same */
TR_API tr_module *tr_nn_avg_pool2d(int64_t window);
TR_API tr_module *tr_nn_upsample(int64_t factor); /* nearest */
TR_API tr_module *tr_nn_activation(tr_activation act);
TR_API tr_module *tr_nn_flatten(void); /* [N, ...] -> [N, product] */
TR_API tr_module *tr_nn_reshape(tr_shape shape); /* [N, ...] -> [N, shape] */

/* In training zeroes each value with probability `rate` and scales the others by 1 / (1 - rate). */
TR_API tr_module *tr_nn_dropout(double rate);

/* (x - mean) / sqrt(var + 1e-5) scale + shift over all axes but the last; running averages
 * (momentum 0.1, unbiased variance, as PyTorch) in evaluation mode. Ioffe & Szegedy 2015. */
TR_API tr_module *tr_nn_batch_norm(int64_t channels);

/* The same over the last axis of each row: Ba et al. 2016. */
TR_API tr_module *tr_nn_layer_norm(int64_t features);

#ifdef __cplusplus
}
#endif

#include "nn/loss.h"
#include "nn/norm.h"
#include "nn/distribution.h"

#endif
