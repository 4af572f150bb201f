/* convolution.c: layers that look at neighbourhoods of pictures [N, H, W, C]: convolution, its
 * transpose, convolution of an enlarged picture, pooling, upsampling. Without options a convolution
 * keeps the picture's size. */
#include "nn/module.h"

/* --- Convolution and its transpose ------------------------------------------------------------ */

typedef struct convolution {
    tr_tensor      *weight; /* [k, k, in / groups, out]; transposed [k, k, out / groups, in] */
    tr_conv_options options;
    tr_initializer  how;
    int64_t         in, out;
    bool            transposed;
    int64_t         factor; /* the picture is enlarged so many times first; else 0 */
    int64_t         window; /* the largest of so many by as many results; else 0 */
} convolution;

static tr_tensor *convolution_forward(tr_module *m, tr_tensor *x)
{
    const convolution *c = m->self;
    tr_tensor         *weight = m->parameters.items[0].tensor;
    tr_tensor         *bias = m->parameters.count > 1 ? m->parameters.items[1].tensor : NULL;
    if (c->factor > 0) return tr_upsample_conv2d(x, weight, bias, c->factor, c->options.act);
    if (c->window > 0) return tr_conv2d_pool(x, weight, bias, c->window, c->options.act);
    return c->transposed ? tr_conv2d_transpose(x, weight, bias, &c->options)
                         : tr_conv2d(x, weight, bias, &c->options);
}

static void convolution_init(tr_module *m, tr_rng *rng)
{
    const convolution *c = m->self;
    tr_initialize(m->parameters.items[0].tensor, c->how, rng);
    if (m->parameters.count > 1) tr_fill(m->parameters.items[1].tensor, 0);
}

static void convolution_describe(const tr_module *m, char *text, size_t size)
{
    const convolution *c = m->self;
    const int64_t      stride = c->options.stride[0] > 0 ? c->options.stride[0] : 1;
    snprintf(text, size, "%lldx%lld, %lld -> %lld, stride %lld, %s",
             (long long)tr_dim(c->weight, 0), (long long)tr_dim(c->weight, 1), (long long)c->in,
             (long long)c->out, (long long)stride, tr_activation_name(c->options.act));
}

/* Each pixel of the smaller side (the result; of the transpose, the input) meets every weight. */
static int64_t convolution_multiply_adds(const tr_module *m)
{
    const convolution *c = m->self;
    const tr_shape     side = c->transposed ? m->in_shape : m->out_shape;
    const int64_t      own = side.dim[side.rank - 1];
    return own == 0 ? 0 : tri_shape_numel(side) / own * tr_numel(c->weight);
}

/* Each pixel of the input meets every weight, with step 1 and 'same' padding. */
static int64_t conv2d_pool_multiply_adds(const tr_module *m)
{
    const convolution *c = m->self;
    return tri_shape_numel(m->in_shape) / c->in * tr_numel(c->weight);
}

static const tr_module_type conv2d_type = { .name = "conv2d",
                                            .forward = convolution_forward,
                                            .init = convolution_init,
                                            .describe = convolution_describe,
                                            .multiply_adds = convolution_multiply_adds };

static const tr_module_type conv2d_transpose_type = { .name = "conv2d_transpose",
                                                      .forward = convolution_forward,
                                                      .init = convolution_init,
                                                      .describe = convolution_describe,
                                                      .multiply_adds = convolution_multiply_adds };

static void upsample_conv2d_describe(const tr_module *m, char *text, size_t size)
{
    const convolution *c = m->self;
    snprintf(text, size, "enlarged %lldx, %lldx%lld, %lld -> %lld, %s", (long long)c->factor,
             (long long)tr_dim(c->weight, 0), (long long)tr_dim(c->weight, 1), (long long)c->in,
             (long long)c->out, tr_activation_name(c->options.act));
}

static const tr_module_type upsample_conv2d_type = { .name = "upsample_conv2d",
                                                     .forward = convolution_forward,
                                                     .init = convolution_init,
                                                     .describe = upsample_conv2d_describe,
                                                     .multiply_adds = convolution_multiply_adds };

static void conv2d_pool_describe(const tr_module *m, char *text, size_t size)
{
    const convolution *c = m->self;
    snprintf(text, size, "%lldx%lld, %lld -> %lld, largest of %lldx%lld, %s",
             (long long)tr_dim(c->weight, 0), (long long)tr_dim(c->weight, 1), (long long)c->in,
             (long long)c->out, (long long)c->window, (long long)c->window,
             tr_activation_name(c->options.act));
}

static const tr_module_type conv2d_pool_type = { .name = "conv2d_pool",
                                                 .forward = convolution_forward,
                                                 .init = convolution_init,
                                                 .describe = conv2d_pool_describe,
                                                 .multiply_adds = conv2d_pool_multiply_adds };

static tr_module *convolution_new(const tr_module_type *type, int64_t in, int64_t out,
                                  int64_t kernel, tr_activation act, const tr_layer_options *o)
{
    static const tr_layer_options same = { .conv = { .padding = TR_PAD_SAME } };
    if (tri_failed() || !tri_check_activation(act, type->name)) return NULL;
    if (o == NULL) o = &same;
    const int64_t groups = o->conv.groups > 0 ? o->conv.groups : 1;
    if (in < 1 || out < 1 || kernel < 1 || in % groups != 0 || out % groups != 0) {
        tr_fail(TR_ERR_VALUE,
                "%s: channels and kernel must be at least 1, channels divisible by groups: in is "
                "%lld, out is %lld, kernel is %lld, groups is %lld",
                type->name, (long long)in, (long long)out, (long long)kernel, (long long)groups);
        return NULL;
    }
    tr_module *m = tr_module_new(type, sizeof(convolution));
    if (m == NULL) return NULL;
    convolution *c = m->self;
    *c = (convolution){ .options = o->conv,
                        .how = o->init,
                        .in = in,
                        .out = out,
                        .transposed = type == &conv2d_transpose_type };
    c->options.act = act;
    const tr_shape shape = c->transposed ? TR_SHAPE(kernel, kernel, out / groups, in)
                                         : TR_SHAPE(kernel, kernel, in / groups, out);
    c->weight = tr_module_add_parameter(m, "weight", shape);
    if (!o->no_bias) tr_module_add_parameter(m, "bias", TR_SHAPE(out));
    return tri_failed() ? NULL : m;
}

tr_module *tr_nn_conv2d(int64_t in, int64_t out, int64_t kernel, tr_activation act,
                        const tr_layer_options *o)
{
    return convolution_new(&conv2d_type, in, out, kernel, act, o);
}

tr_module *tr_nn_conv2d_transpose(int64_t in, int64_t out, int64_t kernel, tr_activation act,
                                  const tr_layer_options *o)
{
    return convolution_new(&conv2d_transpose_type, in, out, kernel, act, o);
}

/* Of the options, what a convolution with step 1 and 'same' padding leaves to choose. */
static tr_layer_options same_padding(const tr_layer_options *o)
{
    return (tr_layer_options){ .no_bias = o != NULL && o->no_bias,
                               .init = o != NULL ? o->init : TR_INIT_GLOROT_UNIFORM,
                               .conv = { .padding = TR_PAD_SAME } };
}

tr_module *tr_nn_upsample_conv2d(int64_t in, int64_t out, int64_t kernel, int64_t factor,
                                 tr_activation act, const tr_layer_options *o)
{
    if (!tri_failed() && (factor < 1 || factor > 1 << 20)) {
        tr_fail(TR_ERR_VALUE, "upsample_conv2d: factor %lld is not in 1 .. %d", (long long)factor,
                1 << 20);
        return NULL;
    }
    const tr_layer_options plain = same_padding(o);
    tr_module             *m = convolution_new(&upsample_conv2d_type, in, out, kernel, act, &plain);
    if (m != NULL) ((convolution *)m->self)->factor = factor;
    return m;
}

tr_module *tr_nn_conv2d_pool(int64_t in, int64_t out, int64_t kernel, int64_t window,
                             tr_activation act, const tr_layer_options *o)
{
    if (!tri_failed() && (window < 1 || window > 16)) {
        tr_fail(TR_ERR_VALUE, "conv2d_pool: window %lld is not in 1 .. 16", (long long)window);
        return NULL;
    }
    const tr_layer_options plain = same_padding(o);
    tr_module             *m = convolution_new(&conv2d_pool_type, in, out, kernel, act, &plain);
    if (m != NULL) ((convolution *)m->self)->window = window;
    return m;
}

const tr_conv_options *tri_convolution_options(const tr_module *m)
{
    const bool is = m->type == &conv2d_type || m->type == &conv2d_transpose_type ||
                    m->type == &upsample_conv2d_type || m->type == &conv2d_pool_type;
    return is ? &((const convolution *)m->self)->options : NULL;
}

int64_t tri_convolution_window(const tr_module *m)
{
    return ((const convolution *)m->self)->window;
}

/* --- Pooling and upsampling ------------------------------------------------------------------- */

typedef struct window {
    int64_t size;
} window;

static tr_pool_options window_options(const tr_module *m)
{
    const window *w = m->self;
    return (tr_pool_options){ .window = { w->size, w->size } };
}

static tr_tensor *max_pool2d_forward(tr_module *m, tr_tensor *x)
{
    const tr_pool_options options = window_options(m);
    return tr_max_pool2d(x, &options);
}

static tr_tensor *avg_pool2d_forward(tr_module *m, tr_tensor *x)
{
    const tr_pool_options options = window_options(m);
    return tr_avg_pool2d(x, &options);
}

static tr_tensor *upsample_forward(tr_module *m, tr_tensor *x)
{
    const window *w = m->self;
    return tr_upsample_nearest(x, tr_dim(x, 1) * w->size, tr_dim(x, 2) * w->size);
}

static void window_describe(const tr_module *m, char *text, size_t size)
{
    const window *w = m->self;
    snprintf(text, size, "%lldx%lld", (long long)w->size, (long long)w->size);
}

static const tr_module_type max_pool2d_type = { .name = "max_pool2d",
                                                .forward = max_pool2d_forward,
                                                .describe = window_describe };
static const tr_module_type avg_pool2d_type = { .name = "avg_pool2d",
                                                .forward = avg_pool2d_forward,
                                                .describe = window_describe };
static const tr_module_type upsample_type = { .name = "upsample",
                                              .forward = upsample_forward,
                                              .describe = window_describe };

static tr_module *window_new(const tr_module_type *type, int64_t size)
{
    if (tri_failed()) return NULL;
    if (size < 1 || size > 1 << 20) {
        tr_fail(TR_ERR_VALUE, "%s: size %lld is not in 1 .. %d", type->name, (long long)size,
                1 << 20);
        return NULL;
    }
    tr_module *m = tr_module_new(type, sizeof(window));
    if (m != NULL) ((window *)m->self)->size = size;
    return m;
}

tr_module *tr_nn_max_pool2d(int64_t size)
{
    return window_new(&max_pool2d_type, size);
}

tr_module *tr_nn_avg_pool2d(int64_t size)
{
    return window_new(&avg_pool2d_type, size);
}

tr_module *tr_nn_upsample(int64_t factor)
{
    return window_new(&upsample_type, factor);
}
