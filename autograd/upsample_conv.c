/* upsample_conv.c: enlarging a picture and convolving the result, as decoders do again and again,
 * in one operation.
 *
 * upsample_conv2d(x, w) = conv2d(upsample_nearest(x), w) by definition, and its rule is written
 * that way. The numbers are computed without the enlarged picture, in tensor/upsample_conv.c, with
 * f f times fewer multiplications; so is the rule's fast form, for gradients that no graph is kept
 * of. Read next: convolution.c, resizing.c. */
#include "autograd/registry.h"
#include "autograd/window.h"

typedef struct upsample_conv_attributes {
    int64_t       factor;
    tr_activation act;
} upsample_conv_attributes;

/* y = act(conv2d(X, w) + bias), X = upsample_nearest(x, f), padding 'same'; with u = g act'(y),
 *   gx = upsample_nearest_dx(conv2d_dx(u, w))    gw = conv2d_dw(X, u)    gbias = sum of u
 * over n, i, j */
static bool upsample_conv2d_shape(tr_call *c)
{
    const upsample_conv_attributes *a = c->attributes;
    const tr_tensor                *x = c->in[0], *w = c->in[1];
    if (!tri_check_plain_conv(c)) return false;
    if (x->shape[1] == 0 || x->shape[2] == 0)
        return tri_bad_shape(c, "the picture has no pixels", NULL);
    c->out_shape = TR_SHAPE(x->shape[0], a->factor * x->shape[1], a->factor * x->shape[2],
                            w->shape[3]);
    return true;
}

static tr_status upsample_conv2d_forward(tr_call *c)
{
    const upsample_conv_attributes *a = c->attributes;
    return tri_upsample_conv2d(c->out, c->in[0], c->in[1], c->input_count > 2 ? c->in[2] : NULL,
                               (tri_epilogue)a->act);
}

static void upsample_conv2d_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    static const tr_conv_options    same = { .padding = TR_PAD_SAME };
    const upsample_conv_attributes *a = c->attributes;
    tr_tensor                      *x = c->in[0], *w = c->in[1];
    const int64_t                   height = tr_dim(g, 1), width = tr_dim(g, 2);
    tr_tensor                      *u = tri_activation_vjp(a->act, g, c->out);
    if (tr_wants(c, 0))
        gin[0] = tri_upsample_adjoint(tr_conv2d_dx(u, w, height, width, &same), tr_dim(x, 1),
                                      tr_dim(x, 2));
    if (tr_wants(c, 1))
        gin[1] = tr_conv2d_dw(tr_upsample_nearest(x, height, width), u, tr_dim(w, 0), tr_dim(w, 1),
                              &same);
    if (tr_wants(c, 2)) gin[2] = tr_sum(u, TR_AXES(0, 1, 2), false);
}

static void upsample_conv2d_fast_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    const upsample_conv_attributes *a = c->attributes;
    tr_tensor                      *x = c->in[0], *w = c->in[1];
    tr_tensor                     **sum = tr_wants(c, 2) ? &gin[2] : NULL;
    tr_tensor                      *u = tri_activation_bias_vjp(a->act, g, c->out, sum);
    if (u == NULL) return;
    if (tr_wants(c, 0) && (gin[0] = tri_new(x->dtype, tr_shape_of(x))) != NULL)
        tri_upsample_conv2d_dx(gin[0], u, w);
    if (tr_wants(c, 1) && (gin[1] = tri_new(w->dtype, tr_shape_of(w))) != NULL)
        tri_upsample_conv2d_dw(gin[1], x, u);
}

static const upsample_conv_attributes twice = { 2, TR_IDENTITY }, thrice = { 3, TR_TANH },
                                      once = { 1, TR_SIGMOID };

const tr_op tri_op_upsample_conv2d = {
    .name = "upsample_conv2d", .arguments = { "x", "w", "bias" }, .required = 2, TR_OP_PLACE,
    .formula = "y = act(conv2d(upsample_nearest(x, f), w) + bias), padding 'same'",
    .gradient = "u = g act'(y); gx = upsample_nearest_dx(conv2d_dx(u, w)), "
                "gw = conv2d_dw(upsample_nearest(x, f), u), gbias = sum of u over n, i, j",
    .shape = upsample_conv2d_shape, .forward = upsample_conv2d_forward,
    .vjp = upsample_conv2d_vjp, .fast_vjp = upsample_conv2d_fast_vjp,
    .examples = (const tr_example[]){ { "x[2,3,2,3] x[3,3,3,2] x[2]", &twice, sizeof twice },
                                      { "x[1,2,3,2] x[2,4,2,3]", &thrice, sizeof thrice },
                                      { "x[1,4,3,2] x[3,3,2,1] x[1]", &once, sizeof once },
                                      { "x[1,1,1,1] x[1,1,1,1]", &twice, sizeof twice },
                                      { "x[0,2,2,3] x[3,3,3,2] x[2]", &twice, sizeof twice },
                                      { 0 } },
};

tr_tensor *tr_upsample_conv2d(tr_tensor *x, tr_tensor *w, tr_tensor *bias, int64_t factor,
                              tr_activation act)
{
    const bool                     fused = tri_activation_fused(act);
    const upsample_conv_attributes a = { factor, fused ? act : TR_IDENTITY };
    if (tri_failed() || !tri_check_extent("upsample_conv2d", "factor", factor, 1)) return NULL;
    tr_tensor *y = tr_apply(&tri_op_upsample_conv2d, (tr_tensor *[]){ x, w, bias },
                            bias != NULL ? 3 : 2, &a, sizeof a);
    return fused ? y : tr_activate(y, act);
}
