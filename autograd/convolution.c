/* convolution.c: conv2d, its gradients, and what is made of them: transposed and one-dimensional
 * convolution.
 *
 * Let x [N, H, W, C] be images, w [KH, KW, C, K] a kernel and g [N, OH, OW, K] a weight for each
 * element of the result. With stride st, dilation di, padding p, and x = 0 outside of the image,
 *
 *     T(x, w, g) = sum_{n,i,j,k,r,s,c}  g[n, i, j, k]
 *                                       x[n, i st + r di - p, j st + s di - p, c]
 *                                       w[r, s, c, k]
 *
 * is linear in each of x, w and g. The operations of this file are its three partial gradients:
 *
 *     conv2d(x, w) = dT/dg          conv2d_dx(g, w) = dT/dx          conv2d_dw(x, g) = dT/dw
 *
 * so the gradient of each is made of the other two. With u the cotangent of the result:
 *
 *     y  = conv2d(x, w)             gx = conv2d_dx(u, w)             gw = conv2d_dw(x, u)
 *     dx = conv2d_dx(g, w)          gg = conv2d(u, w)                gw = conv2d_dw(u, g)
 *     dw = conv2d_dw(x, g)          gx = conv2d_dx(g, u)             gg = conv2d(x, u)
 *
 * The table is closed: derivatives of any order are convolutions again. conv2d and conv2d_dx take
 * a bias and an activation along, as layers want it. With groups, input and
 * output channels are cut into as many equal parts, part q of the output sees part q of the input
 * only, and w is [KH, KW, C / groups, K]. The numbers are computed in tensor/conv.c.
 * Read next: pooling.c.                                                                        */
#include "autograd/registry.h"
#include "autograd/window.h"

#include <string.h>

typedef struct conv_attributes {
    tri_conv      conv;      /* complete: no 0 that stands for a default */
    int64_t       image[2];  /* H, W of the result: conv2d_dx only */
    int64_t       kernel[2]; /* KH, KW of the result: conv2d_dw only */
    tr_activation act;       /* of the result: conv2d and conv2d_dx */
} conv_attributes;

/* --- Shapes, for all three -------------------------------------------------------------------- */

static bool check_ranks(const tr_call *c)
{
    return (c->in[0]->rank == 4 && c->in[1]->rank == 4) ||
           tri_bad_shape(c, "four axes each are needed",
                         "images are [N, H, W, C], kernels [KH, KW, C / groups, K]");
}

/* The shape of conv2d's result for images of shape x and a kernel of shape w. */
static bool result_shape(const tr_call *c, tr_shape x, tr_shape w, tr_shape *y)
{
    const tri_conv *conv = &((const conv_attributes *)c->attributes)->conv;
    if (x.dim[3] % conv->groups != 0 || w.dim[3] % conv->groups != 0)
        return tri_bad_shape(c, "groups do not divide the channels", NULL);
    if (x.dim[3] / conv->groups != w.dim[2])
        return tri_bad_shape(c, "channels differ", "kernels are [KH, KW, C / groups, K]");
    *y = TR_SHAPE(x.dim[0], 0, 0, w.dim[3]);
    for (int axis = 0; axis < 2; axis++) {
        y->dim[1 + axis] = tri_window_count(x.dim[1 + axis], w.dim[axis], conv->stride[axis],
                                            conv->pad[axis], conv->dilation[axis], false);
        if (w.dim[axis] == 0) return tri_bad_shape(c, "the kernel is empty", NULL);
        if (y->dim[1 + axis] == 0)
            return tri_bad_shape(c, "the kernel is larger than the padded image", NULL);
    }
    return true;
}

/* Whether g can be the cotangent of a result of shape y. */
static bool check_cotangent(const tr_call *c, const tr_tensor *g, tr_shape y)
{
    if (tri_shape_equal(tr_shape_of(g), y)) return true;
    char problem[240], text[200];
    snprintf(problem, sizeof problem, "such a convolution gives %s, which is not the shape of g",
             tri_describe_shape(y, text, sizeof text));
    return tri_bad_shape(c, problem, NULL);
}

static bool check_bias(const tr_call *c, int64_t channels)
{
    if (c->input_count < 3 || (c->in[2]->rank == 1 && c->in[2]->shape[0] == channels)) return true;
    return tri_bad_shape(c, "the bias needs one value per channel of the result", NULL);
}

bool tri_check_plain_conv(const tr_call *c)
{
    const tr_tensor *x = c->in[0], *w = c->in[1];
    if (x->rank != 4 || w->rank != 4)
        return tri_bad_shape(c, "four axes each are needed",
                             "images are [N, H, W, C], kernels [KH, KW, C, K]");
    if (x->shape[3] != w->shape[2])
        return tri_bad_shape(c, "channels differ", "kernels are [KH, KW, C, K]");
    if (w->shape[0] == 0 || w->shape[1] == 0) return tri_bad_shape(c, "the kernel is empty", NULL);
    return check_bias(c, w->shape[3]);
}

/* --- The family, by the numbers that the rules pass on ---------------------------------------- */

static tr_tensor *conv2d(tr_tensor *x, tr_tensor *w, const tri_conv *conv)
{
    const conv_attributes a = { .conv = *conv };
    return tr_apply(&tri_op_conv2d, (tr_tensor *[]){ x, w }, 2, &a, sizeof a);
}

static tr_tensor *conv2d_dx(tr_tensor *g, tr_tensor *w, int64_t height, int64_t width,
                            const tri_conv *conv)
{
    const conv_attributes a = { .conv = *conv, .image = { height, width } };
    return tr_apply(&tri_op_conv2d_dx, (tr_tensor *[]){ g, w }, 2, &a, sizeof a);
}

static tr_tensor *conv2d_dw(tr_tensor *x, tr_tensor *g, int64_t kh, int64_t kw,
                            const tri_conv *conv)
{
    const conv_attributes a = { .conv = *conv, .kernel = { kh, kw } };
    return tr_apply(&tri_op_conv2d_dw, (tr_tensor *[]){ x, g }, 2, &a, sizeof a);
}

/* --- Geometries for the examples: x, w and g of each name fit together ------------------------ */

/* x [2,5,4,3]  w [3,3,3,2]  g [2,5,4,2] */
static const conv_attributes padded = {
    .conv = { { 1, 1 }, { { 1, 1 }, { 1, 1 } }, .dilation = { 1, 1 }, .groups = 1 },
    .image = { 5, 4 }, .kernel = { 3, 3 },
};
/* x [1,6,5,2]  w [3,2,2,3]  g [1,3,5,3] */
static const conv_attributes uneven = {
    .conv = { { 2, 1 }, { { 0, 1 }, { 2, 0 } }, .dilation = { 1, 2 }, .groups = 1 },
    .image = { 6, 5 }, .kernel = { 3, 2 }, .act = TR_SIGMOID,
};
/* x [2,5,4,4]  w [2,2,2,6]  g [2,2,2,6]: one row of x is never used */
static const conv_attributes grouped = {
    .conv = { { 2, 2 }, { { 0, 0 }, { 0, 0 } }, .dilation = { 1, 1 }, .groups = 2 },
    .image = { 5, 4 }, .kernel = { 2, 2 }, .act = TR_RELU,
};
/* x [1,5,5,3]  w [3,3,1,3]  g [1,5,5,3]: depthwise */
static const conv_attributes depthwise = {
    .conv = { { 1, 1 }, { { 1, 1 }, { 1, 1 } }, .dilation = { 1, 1 }, .groups = 3 },
    .image = { 5, 5 }, .kernel = { 3, 3 }, .act = TR_TANH,
};
/* x [n,2,2,c]  w [1,1,c,k]  g [n,2,2,k]: a matrix product */
static const conv_attributes pointwise = {
    .conv = { { 1, 1 }, { { 0, 0 }, { 0, 0 } }, .dilation = { 1, 1 }, .groups = 1 },
    .image = { 2, 2 }, .kernel = { 1, 1 },
};

/* --- conv2d ----------------------------------------------------------------------------------- */

/* y = act(conv2d(x, w) + bias); with u = g act'(y), the derivative taken from the result:
 *   gx = conv2d_dx(u, w)      gw = conv2d_dw(x, u)      gbias = sum of u over n, i, j */
static bool conv2d_shape(tr_call *c)
{
    return check_ranks(c) &&
           result_shape(c, tr_shape_of(c->in[0]), tr_shape_of(c->in[1]), &c->out_shape) &&
           check_bias(c, c->out_shape.dim[3]);
}

static tr_status conv2d_forward(tr_call *c)
{
    const conv_attributes *a = c->attributes;
    return tri_conv2d(c->out, c->in[0], c->in[1], c->input_count > 2 ? c->in[2] : NULL, &a->conv,
                      (tri_epilogue)a->act);
}

static void conv2d_gradients(tr_call *c, tr_tensor *u, tr_tensor **gin)
{
    const conv_attributes *a = c->attributes;
    tr_tensor             *x = c->in[0], *w = c->in[1];
    if (tr_wants(c, 0)) gin[0] = conv2d_dx(u, w, tr_dim(x, 1), tr_dim(x, 2), &a->conv);
    if (tr_wants(c, 1)) gin[1] = conv2d_dw(x, u, tr_dim(w, 0), tr_dim(w, 1), &a->conv);
}

static void conv2d_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    const conv_attributes *a = c->attributes;
    tr_tensor             *u = tri_activation_vjp(a->act, g, c->out);
    conv2d_gradients(c, u, gin);
    if (tr_wants(c, 2)) gin[2] = tr_sum(u, TR_AXES(0, 1, 2), false);
}

static void conv2d_fast_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    const conv_attributes *a = c->attributes;
    tr_tensor            **sum = tr_wants(c, 2) ? &gin[2] : NULL;
    conv2d_gradients(c, tri_activation_bias_vjp(a->act, g, c->out, sum), gin);
}

const tr_op tri_op_conv2d = {
    .name = "conv2d", .arguments = { "x", "w", "bias" }, .required = 2, TR_OP_PLACE,
    .formula = "y[n,i,j,k] = act(bias[k] + "
               "sum_rsc x[n, i st + r di - p, j st + s di - p, c] w[r,s,c,k])",
    .gradient = "u = g act'(y); gx = conv2d_dx(u, w), gw = conv2d_dw(x, u), "
                "gbias = sum of u over n, i, j",
    .shape = conv2d_shape, .forward = conv2d_forward, .vjp = conv2d_vjp,
    .fast_vjp = conv2d_fast_vjp,
    .examples = (const tr_example[]){
        { "x[2,5,4,3] x[3,3,3,2] x[2]", &padded, sizeof padded },
        { "x[2,5,4,3] x[3,3,3,2]", &padded, sizeof padded },
        { "x[1,6,5,2] x[3,2,2,3] x[3]", &uneven, sizeof uneven },
        { "x[2,5,4,4] x[2,2,2,6] x[6]", &grouped, sizeof grouped },
        { "x[1,5,5,3] x[3,3,1,3] x[3]", &depthwise, sizeof depthwise },
        { "x[1,2,2,1] x[1,1,1,1]", &pointwise, sizeof pointwise },
        { "x[0,2,2,3] x[1,1,3,2] x[2]", &pointwise, sizeof pointwise },
        { "x[1,2,2,0] x[1,1,0,2] x[2]", &pointwise, sizeof pointwise },
        { 0 } },
};

/* --- conv2d_dx -------------------------------------------------------------------------------- */

/* y = act(dx + bias), where dx[n,y,x,c] = sum of g[n,i,j,k] w[r,s,c,k] over k, all i, r with
 * i st + r di - p = y, and all j, s with j st + s di - p = x. With v = u act'(y):
 *   gg = conv2d(v, w)         gw = conv2d_dw(v, g)         gbias = sum of v over n, y, x */
static bool conv2d_dx_shape(tr_call *c)
{
    const conv_attributes *a = c->attributes;
    const tr_tensor       *g = c->in[0], *w = c->in[1];
    tr_shape               y;
    if (!check_ranks(c)) return false;
    c->out_shape = TR_SHAPE(tr_dim(g, 0), a->image[0], a->image[1], tr_dim(w, 2) * a->conv.groups);
    return result_shape(c, c->out_shape, tr_shape_of(w), &y) && check_cotangent(c, g, y) &&
           check_bias(c, c->out_shape.dim[3]);
}

static tr_status conv2d_dx_forward(tr_call *c)
{
    const conv_attributes *a = c->attributes;
    return tri_conv2d_dx(c->out, c->in[0], c->in[1], c->input_count > 2 ? c->in[2] : NULL, &a->conv,
                         (tri_epilogue)a->act);
}

static void conv2d_dx_gradients(tr_call *c, tr_tensor *v, tr_tensor **gin)
{
    const conv_attributes *a = c->attributes;
    tr_tensor             *g = c->in[0], *w = c->in[1];
    if (tr_wants(c, 0)) gin[0] = conv2d(v, w, &a->conv);
    if (tr_wants(c, 1)) gin[1] = conv2d_dw(v, g, tr_dim(w, 0), tr_dim(w, 1), &a->conv);
}

static void conv2d_dx_vjp(tr_call *c, tr_tensor *u, tr_tensor **gin)
{
    const conv_attributes *a = c->attributes;
    tr_tensor             *v = tri_activation_vjp(a->act, u, c->out);
    conv2d_dx_gradients(c, v, gin);
    if (tr_wants(c, 2)) gin[2] = tr_sum(v, TR_AXES(0, 1, 2), false);
}

static void conv2d_dx_fast_vjp(tr_call *c, tr_tensor *u, tr_tensor **gin)
{
    const conv_attributes *a = c->attributes;
    tr_tensor            **sum = tr_wants(c, 2) ? &gin[2] : NULL;
    conv2d_dx_gradients(c, tri_activation_bias_vjp(a->act, u, c->out, sum), gin);
}

const tr_op tri_op_conv2d_dx = {
    .name = "conv2d_dx", .arguments = { "g", "w", "bias" }, .required = 2, TR_OP_PLACE,
    .formula = "y = act(dx + bias), dx = d <conv2d(x, w), g> / dx (transposed convolution)",
    .gradient = "v = u act'(y); gg = conv2d(v, w), gw = conv2d_dw(v, g), "
                "gbias = sum of v over n, y, x",
    .shape = conv2d_dx_shape, .forward = conv2d_dx_forward, .vjp = conv2d_dx_vjp,
    .fast_vjp = conv2d_dx_fast_vjp,
    .examples = (const tr_example[]){
        { "x[2,5,4,2] x[3,3,3,2]", &padded, sizeof padded },
        { "x[2,5,4,2] x[3,3,3,2] x[3]", &padded, sizeof padded },
        { "x[1,3,5,3] x[3,2,2,3] x[2]", &uneven, sizeof uneven },
        { "x[2,2,2,6] x[2,2,2,6] x[4]", &grouped, sizeof grouped },
        { "x[1,5,5,3] x[3,3,1,3]", &depthwise, sizeof depthwise },
        { "x[1,2,2,1] x[1,1,1,1]", &pointwise, sizeof pointwise },
        { "x[0,2,2,2] x[1,1,3,2] x[3]", &pointwise, sizeof pointwise },
        { 0 } },
};

/* --- conv2d_dw -------------------------------------------------------------------------------- */

/* dw[r,s,c,k] = sum_nij g[n,i,j,k] x[n, i st + r di - p, j st + s di - p, c].
 *   gx = conv2d_dx(g, u)      gg = conv2d(x, u) */
static bool conv2d_dw_shape(tr_call *c)
{
    const conv_attributes *a = c->attributes;
    const tr_tensor       *x = c->in[0], *g = c->in[1];
    tr_shape               y;
    if (!check_ranks(c)) return false;
    c->out_shape =
        TR_SHAPE(a->kernel[0], a->kernel[1], tr_dim(x, 3) / a->conv.groups, tr_dim(g, 3));
    return result_shape(c, tr_shape_of(x), c->out_shape, &y) && check_cotangent(c, g, y);
}

static tr_status conv2d_dw_forward(tr_call *c)
{
    const conv_attributes *a = c->attributes;
    return tri_conv2d_dw(c->out, c->in[0], c->in[1], &a->conv);
}

static void conv2d_dw_vjp(tr_call *c, tr_tensor *u, tr_tensor **gin)
{
    const conv_attributes *a = c->attributes;
    tr_tensor             *x = c->in[0], *g = c->in[1];
    if (tr_wants(c, 0)) gin[0] = conv2d_dx(g, u, tr_dim(x, 1), tr_dim(x, 2), &a->conv);
    if (tr_wants(c, 1)) gin[1] = conv2d(x, u, &a->conv);
}

const tr_op tri_op_conv2d_dw = {
    .name = "conv2d_dw", .arguments = { "x", "g" }, TR_OP_PLACE,
    .formula = "dw = d <conv2d(x, w), g> / dw",
    .gradient = "gx = conv2d_dx(g, u), gg = conv2d(x, u)",
    .shape = conv2d_dw_shape, .forward = conv2d_dw_forward, .vjp = conv2d_dw_vjp,
    .examples = (const tr_example[]){
        { "x[2,5,4,3] x[2,5,4,2]", &padded, sizeof padded },
        { "x[1,6,5,2] x[1,3,5,3]", &uneven, sizeof uneven },
        { "x[2,5,4,4] x[2,2,2,6]", &grouped, sizeof grouped },
        { "x[1,5,5,3] x[1,5,5,3]", &depthwise, sizeof depthwise },
        { "x[1,2,2,1] x[1,2,2,1]", &pointwise, sizeof pointwise },
        { "x[0,2,2,3] x[0,2,2,2]", &pointwise, sizeof pointwise },
        { 0 } },
};

/* --- Public functions ------------------------------------------------------------------------- */

/* The numbers that options stand for; 'same' padding depends on the sizes of image and kernel. */
static bool resolve(const char *op, const tr_conv_options *o, const int64_t image[2],
                    const int64_t kernel[2], tri_conv *conv)
{
    static const tr_conv_options defaults = { 0 };
    if (o == NULL) o = &defaults;
    *conv = (tri_conv){ .groups = o->groups == 0 ? 1 : o->groups };
    memcpy(conv->stride, o->stride, sizeof conv->stride);
    memcpy(conv->pad, o->pad, sizeof conv->pad);
    memcpy(conv->dilation, o->dilation, sizeof conv->dilation);
    if (!tri_window_options(op, conv->stride, o->pad, conv->dilation, o->padding) ||
        !tri_check_extent(op, "groups", conv->groups, 1))
        return false;
    for (int axis = 0; axis < 2 && o->padding == TR_PAD_SAME; axis++)
        tri_same_padding(image[axis], kernel[axis], conv->stride[axis], conv->dilation[axis],
                         conv->pad[axis]);
    return true;
}

tr_tensor *tr_conv2d(tr_tensor *x, tr_tensor *w, tr_tensor *bias, const tr_conv_options *options)
{
    const tr_activation act = options != NULL ? options->act : TR_IDENTITY;
    const bool          fused = tri_activation_fused(act);
    const int64_t       image[2] = { tr_dim(x, 1), tr_dim(x, 2) };
    const int64_t       kernel[2] = { tr_dim(w, 0), tr_dim(w, 1) };
    tr_tensor          *in[3] = { x, w, bias };
    conv_attributes     a = { .act = fused ? act : TR_IDENTITY };
    if (tri_failed() || !resolve("conv2d", options, image, kernel, &a.conv)) return NULL;
    tr_tensor *y = tr_apply(&tri_op_conv2d, in, bias != NULL ? 3 : 2, &a, sizeof a);
    return fused ? y : tr_activate(y, act);
}

tr_tensor *tr_conv2d_dx(tr_tensor *g, tr_tensor *w, int64_t height, int64_t width,
                        const tr_conv_options *options)
{
    tri_conv      conv;
    const int64_t image[2] = { height, width }, kernel[2] = { tr_dim(w, 0), tr_dim(w, 1) };
    if (tri_failed() || !resolve("conv2d_dx", options, image, kernel, &conv)) return NULL;
    if (!tri_check_extent("conv2d_dx", "height", height, 0) ||
        !tri_check_extent("conv2d_dx", "width", width, 0))
        return NULL;
    return conv2d_dx(g, w, height, width, &conv);
}

tr_tensor *tr_conv2d_dw(tr_tensor *x, tr_tensor *g, int64_t kh, int64_t kw,
                        const tr_conv_options *options)
{
    tri_conv      conv;
    const int64_t image[2] = { tr_dim(x, 1), tr_dim(x, 2) }, kernel[2] = { kh, kw };
    if (tri_failed() || !resolve("conv2d_dw", options, image, kernel, &conv)) return NULL;
    if (!tri_check_extent("conv2d_dw", "kh", kh, 1) || !tri_check_extent("conv2d_dw", "kw", kw, 1))
        return NULL;
    return conv2d_dw(x, g, kh, kw, &conv);
}

/* --- Transposed convolution ------------------------------------------------------------------- */

/* The images that a convolution with these options would turn into images of the given size: the
 * smallest and output_padding more. 0, perhaps with an error, where there is none. */
static int64_t transposed_size(int64_t size, int64_t kernel, int axis, tri_conv *conv,
                               const tr_conv_options *o)
{
    const int64_t stride = conv->stride[axis], dilation = conv->dilation[axis];
    const int64_t extra = o != NULL ? o->output_padding[axis] : 0;
    int64_t      *pad = conv->pad[axis];
    if (extra < 0 || extra >= stride) {
        tr_fail(TR_ERR_VALUE,
                "conv2d_transpose: output_padding is %lld, not in 0 .. %lld (below the stride)",
                (long long)extra, (long long)stride - 1);
        return 0;
    }
    if (size > INT32_MAX || kernel > INT32_MAX || kernel < 1 || size < 1) return 0;
    if (o != NULL && o->padding == TR_PAD_SAME) {
        tri_same_padding(size * stride, kernel, stride, dilation, pad);
        return size * stride;
    }
    return (size - 1) * stride + (kernel - 1) * dilation + 1 - pad[0] - pad[1] + extra;
}

tr_tensor *tr_conv2d_transpose(tr_tensor *x, tr_tensor *w, tr_tensor *bias,
                               const tr_conv_options *options)
{
    static const tr_op   op = { .name = "conv2d_transpose", .arguments = { "x", "w", "bias" } };
    static const int64_t none[2] = { 0, 0 };
    const tr_activation  act = options != NULL ? options->act : TR_IDENTITY;
    const bool           fused = tri_activation_fused(act);
    tr_tensor           *in[3] = { x, w, bias };
    const tr_call        c = { .op = &op, .input_count = bias != NULL ? 3 : 2, .in = in };
    tri_conv             conv;
    if (tri_failed() || !tri_check_alive(x, op.name) || !tri_check_alive(w, op.name)) return NULL;
    if ((bias != NULL && !tri_check_alive(bias, op.name)) || !check_ranks(&c)) return NULL;
    if (!resolve(op.name, options, none, none, &conv)) return NULL;
    const int64_t height = transposed_size(tr_dim(x, 1), tr_dim(w, 0), 0, &conv, options);
    const int64_t width = transposed_size(tr_dim(x, 2), tr_dim(w, 1), 1, &conv, options);
    if (tri_failed()) return NULL;
    bool ok = true;
    if (tr_dim(x, 3) != tr_dim(w, 3))
        ok = tri_bad_shape(&c, "channels differ",
                           "kernels of a transposed convolution are [KH, KW, out / groups, in]");
    else if (height < 1 || width < 1)
        ok = tri_bad_shape(&c, "the result would have no pixels", NULL);
    else
        ok = check_bias(&c, tr_dim(w, 2) * conv.groups);
    if (!ok) return NULL;
    const conv_attributes a = { .conv = conv, .image = { height, width },
                                .act = fused ? act : TR_IDENTITY };
    tr_tensor *y = tr_apply(&tri_op_conv2d_dx, in, c.input_count, &a, sizeof a);
    return fused ? y : tr_activate(y, act);
}

/* --- One axis --------------------------------------------------------------------------------- */

/* Signals are images of one row: the numbers of axis 0 belong to the columns. */
static tr_conv_options along_columns(const tr_conv_options *o)
{
    tr_conv_options row = o != NULL ? *o : (tr_conv_options){ 0 };
    row.stride[1] = row.stride[0];
    row.dilation[1] = row.dilation[0];
    row.output_padding[1] = row.output_padding[0];
    memcpy(row.pad[1], row.pad[0], sizeof row.pad[1]);
    row.stride[0] = row.dilation[0] = 1;
    row.output_padding[0] = row.pad[0][0] = row.pad[0][1] = 0;
    return row;
}

/* [N, L, C] -> [N, 1, L, C], and a kernel [KW, C, K] -> [1, KW, C, K]. */
static tr_tensor *with_row(tr_tensor *t, int axis)
{
    tr_shape shape = { .rank = 4 };
    for (int i = 0; i < 4; i++)
        shape.dim[i] = i < axis ? t->shape[i] : i == axis ? 1 : t->shape[i - 1];
    return tr_reshape(t, shape);
}

typedef tr_tensor *(*convolution)(tr_tensor *, tr_tensor *, tr_tensor *, const tr_conv_options *);

static tr_tensor *on_signals(const char *name, convolution apply, tr_tensor *x, tr_tensor *w,
                             tr_tensor *bias, const tr_conv_options *options)
{
    if (tri_failed() || !tri_check_alive(x, name) || !tri_check_alive(w, name)) return NULL;
    if (x->rank != 3 || w->rank != 3) {
        const tr_op   op = { .name = name, .arguments = { "x", "w" } };
        const tr_call c = { .op = &op, .input_count = 2, .in = (tr_tensor *[]){ x, w } };
        tri_bad_shape(&c, "three axes each are needed",
                      "signals are [N, L, C], kernels [KW, C / groups, K]");
        return NULL;
    }
    const tr_conv_options row = along_columns(options);
    tr_tensor            *y = apply(with_row(x, 1), with_row(w, 0), bias, &row);
    return y != NULL ? tr_reshape(y, TR_SHAPE(y->shape[0], y->shape[2], y->shape[3])) : NULL;
}

tr_tensor *tr_conv1d(tr_tensor *x, tr_tensor *w, tr_tensor *bias, const tr_conv_options *options)
{
    return on_signals("conv1d", tr_conv2d, x, w, bias, options);
}

tr_tensor *tr_conv1d_transpose(tr_tensor *x, tr_tensor *w, tr_tensor *bias,
                               const tr_conv_options *options)
{
    return on_signals("conv1d_transpose", tr_conv2d_transpose, x, w, bias, options);
}
