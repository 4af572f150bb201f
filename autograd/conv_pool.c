/* conv_pool.c: a convolution and the pooling of its result, as encoders do again and again, in one
 * operation.
 *
 * conv2d_pool(x, w) = max_pool2d(conv2d(x, w)) by definition, and its rule is written that way: it
 * computes the convolution again to find the largest. The numbers come from tensor/conv_pool.c,
 * which never holds all of the convolution's result, and the rule's fast form from the places of
 * the largest that forward kept. Read next: convolution.c, pooling.c, upsample_conv.c. */
#include "autograd/registry.h"
#include "autograd/window.h"

typedef struct conv_pool_attributes {
    int64_t       window;
    tr_activation act;
} conv_pool_attributes;

static const tr_conv_options same = { .padding = TR_PAD_SAME };

/* y = act(max_pool2d(z, p) + bias), z = conv2d(x, w), padding 'same'; with v = g act'(y) and
 * u = max_unpool2d(v, index of the first largest z),
 *   gx = conv2d_dx(u, w)    gw = conv2d_dw(x, u)    gbias = sum of v over n, i, j */
static bool conv2d_pool_shape(tr_call *c)
{
    const conv_pool_attributes *a = c->attributes;
    const tr_tensor            *x = c->in[0], *w = c->in[1];
    if (!tri_check_plain_conv(c)) return false;
    if (x->shape[1] < a->window || x->shape[2] < a->window)
        return tri_bad_shape(c, "the window is larger than the picture", NULL);
    c->out_shape =
        TR_SHAPE(x->shape[0], x->shape[1] / a->window, x->shape[2] / a->window, w->shape[3]);
    return true;
}

static tr_status conv2d_pool_forward(tr_call *c)
{
    const conv_pool_attributes *a = c->attributes;
    c->saved[0] = tri_new(TR_U8, c->out_shape);
    if (c->saved[0] == NULL) return tr_status_get();
    return tri_conv2d_pool(c->out, c->saved[0], c->in[0], c->in[1],
                           c->input_count > 2 ? c->in[2] : NULL, a->window, (tri_epilogue)a->act);
}

static void conv2d_pool_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    const conv_pool_attributes *a = c->attributes;
    const tr_pool_options       windows = { .window = { a->window, a->window } };
    tr_tensor                  *x = c->in[0], *w = c->in[1];
    const int64_t               height = tr_dim(x, 1), width = tr_dim(x, 2);
    tr_tensor                  *v = tri_activation_vjp(a->act, g, c->out);
    tr_tensor                  *index = tr_max_pool2d_index(tr_conv2d(x, w, NULL, &same), &windows);
    tr_tensor                  *u = tr_max_unpool2d(v, index, height, width);
    if (tr_wants(c, 0)) gin[0] = tr_conv2d_dx(u, w, height, width, &same);
    if (tr_wants(c, 1)) gin[1] = tr_conv2d_dw(x, u, tr_dim(w, 0), tr_dim(w, 1), &same);
    if (tr_wants(c, 2)) gin[2] = tr_sum(v, TR_AXES(0, 1, 2), false);
}

static void conv2d_pool_fast_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    const conv_pool_attributes *a = c->attributes;
    tr_tensor                  *x = c->in[0], *w = c->in[1];
    tr_tensor                 **sum = tr_wants(c, 2) ? &gin[2] : NULL;
    tr_tensor                  *v = tri_activation_bias_vjp(a->act, g, c->out, sum);
    if (v == NULL) return;
    if (tr_wants(c, 0)) gin[0] = tri_new(x->dtype, tr_shape_of(x));
    if (tr_wants(c, 1)) gin[1] = tri_new(w->dtype, tr_shape_of(w));
    if (!tri_failed()) tri_conv2d_pool_gradients(gin[0], gin[1], x, w, v, c->saved[0], a->window);
}

static const conv_pool_attributes by_two = { 2, TR_IDENTITY }, by_two_relu = { 2, TR_RELU },
                                  by_three = { 3, TR_TANH }, by_one = { 1, TR_SIGMOID };

const tr_op tri_op_conv2d_pool = {
    .name = "conv2d_pool",
    .arguments = { "x", "w", "bias" },
    .required = 2,
    TR_OP_PLACE,
    .formula = "y = act(max_pool2d(conv2d(x, w), p) + bias), padding 'same'",
    .gradient = "v = g act'(y), u = max_unpool2d(v, index of the first largest conv2d(x, w)); "
                "gx = conv2d_dx(u, w), gw = conv2d_dw(x, u), gbias = sum of v over n, i, j",
    .shape = conv2d_pool_shape,
    .forward = conv2d_pool_forward,
    .vjp = conv2d_pool_vjp,
    .fast_vjp = conv2d_pool_fast_vjp,
    .examples =
        (const tr_example[]){ { "x[2,4,6,3] x[3,3,3,2] x[2]", &by_two, sizeof by_two },
                              { "x[2,5,4,2] x[3,3,2,3] x[3]", &by_two_relu, sizeof by_two_relu },
                              { "x[1,6,7,2] x[2,4,2,3]", &by_three, sizeof by_three },
                              { "x[1,2,3,2] x[3,3,2,1] x[1]", &by_one, sizeof by_one },
                              { "x[1,2,2,1] x[1,1,1,1]", &by_two, sizeof by_two },
                              { "x[0,4,4,3] x[3,3,3,2] x[2]", &by_two, sizeof by_two },
                              { 0 } },
};

tr_tensor *tr_conv2d_pool(tr_tensor *x, tr_tensor *w, tr_tensor *bias, int64_t window,
                          tr_activation act)
{
    enum { MOST = 16 }; /* a window's places are counted in bytes */
    const bool                 fused = tri_activation_fused(act);
    const conv_pool_attributes a = { window, fused ? act : TR_IDENTITY };
    if (tri_failed()) return NULL;
    if (window < 1 || window > MOST) {
        tr_fail(TR_ERR_VALUE, "conv2d_pool: window is %lld, not in 1 .. %d", (long long)window,
                MOST);
        return NULL;
    }
    tr_tensor *y = tr_apply(&tri_op_conv2d_pool, (tr_tensor *[]){ x, w, bias },
                            bias != NULL ? 3 : 2, &a, sizeof a);
    return fused ? y : tr_activate(y, act);
}
