/* probability.c: softmax and its kin, and the logistic loss, in forms that neither overflow nor
 * lose digits for logits of any size. */
#include "autograd/compose.h"
#include "autograd/registry.h"

#include <math.h>

typedef struct axis_attributes {
    int axis;
} axis_attributes;

static int axis_of(const tr_call *c)
{
    const axis_attributes *a = c->attributes;
    return tri_axis(a->axis, c->in[0]->rank, c->op->name);
}

static bool axis_shape(tr_call *c)
{
    return axis_of(c) >= 0;
}

static tr_tensor *sum_along(const tr_call *c, tr_tensor *t)
{
    return tr_sum(t, TR_AXES(axis_of(c)), true);
}

static const tr_example axis_examples[] = {
    { "x[2,3]", TRI_ATTRIBUTES(axis_attributes, -1) },
    { "x[2,3]", TRI_ATTRIBUTES(axis_attributes, 0) },
    { "x[2,3,2]", TRI_ATTRIBUTES(axis_attributes, 1) },
    { "x[4,1]", TRI_ATTRIBUTES(axis_attributes, 1) },
    { "x[0,3]", TRI_ATTRIBUTES(axis_attributes, 1) },
    { "x[2,0]", TRI_ATTRIBUTES(axis_attributes, 1) },
    { "x[9]", TRI_ATTRIBUTES(axis_attributes, 0) },
    { 0 },
};

/* --- Softmax ---------------------------------------------------------------------------------- */

/* y = e^x / sum of e^x along the axis      gx = y (g - sum of g y) */
static tr_status softmax_forward(tr_call *c)
{
    return tri_softmax(c->out, c->in[0], axis_of(c), false);
}

static void softmax_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_mul(c->out, tr_sub(g, sum_along(c, tr_mul(g, c->out))));
}

const tr_op tri_op_softmax = {
    .name = "softmax", .arguments = { "x" }, TR_OP_PLACE,
    .formula = "y = e^x / sum of e^x along an axis", .gradient = "gx = y (g - sum(g y))",
    .shape = axis_shape, .forward = softmax_forward, .vjp = softmax_vjp, .examples = axis_examples,
};

tr_tensor *tr_softmax(tr_tensor *x, int axis)
{
    const axis_attributes a = { axis };
    return tr_apply(&tri_op_softmax, &x, 1, &a, sizeof a);
}

/* y = x - ln sum of e^x along the axis      gx = g - e^y sum of g */
static tr_status log_softmax_forward(tr_call *c)
{
    return tri_softmax(c->out, c->in[0], axis_of(c), true);
}

static void log_softmax_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_sub(g, tr_mul(tr_exp(c->out), sum_along(c, g)));
}

const tr_op tri_op_log_softmax = {
    .name = "log_softmax", .arguments = { "x" }, TR_OP_PLACE,
    .formula = "y = x - ln sum of e^x along an axis", .gradient = "gx = g - e^y sum(g)",
    .shape = axis_shape, .forward = log_softmax_forward, .vjp = log_softmax_vjp,
    .examples = axis_examples,
};

tr_tensor *tr_log_softmax(tr_tensor *x, int axis)
{
    const axis_attributes a = { axis };
    return tr_apply(&tri_op_log_softmax, &x, 1, &a, sizeof a);
}

/* --- Logistic loss ---------------------------------------------------------------------------- */

/* y = -t ln sigmoid(x) - (1 - t) ln(1 - sigmoid(x)) = max(x, 0) - x t + ln(1 + e^-|x|)
 * gx = g (sigmoid(x) - t), gt = -g x */
static tr_status logistic_loss_forward(tr_call *c)
{
    return tri_binary(TRI_B_logistic_loss, c->out, c->in[0], c->in[1]);
}

static void logistic_loss_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    tr_tensor *x = c->in[0], *t = c->in[1];
    if (tr_wants(c, 0)) gin[0] = tr_mul(g, tr_sub(tr_sigmoid(x), t));
    if (tr_wants(c, 1)) gin[1] = tr_neg(tr_mul(g, x));
}

static void logistic_loss_fast_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    tr_tensor *x = c->in[0], *t = c->in[1];
    if (tr_wants(c, 1)) gin[1] = tr_neg(tr_mul(g, x));
    if (!tr_wants(c, 0)) return;
    gin[0] = tri_new(g->dtype, tr_shape_of(g));
    if (gin[0] != NULL && tri_binary(TRI_B_sigmoid_sub, gin[0], x, t) == TR_OK)
        tri_binary(TRI_B_mul, gin[0], gin[0], g);
}

const tr_op tri_op_logistic_loss = {
    .name = "logistic_loss", .arguments = { "x", "t" }, .flags = TR_OP_BROADCAST, TR_OP_PLACE,
    .formula = "y = max(x, 0) - x t + ln(1 + e^-|x|)",
    .gradient = "gx = g (sigmoid(x) - t), gt = -g x",
    .forward = logistic_loss_forward, .vjp = logistic_loss_vjp, .fast_vjp = logistic_loss_fast_vjp,
    .examples = tri_examples_pair,
};

tr_tensor *tr_logistic_loss(tr_tensor *x, tr_tensor *t)
{
    return tr_apply(&tri_op_logistic_loss, (tr_tensor *[]){ x, t }, 2, NULL, 0);
}

/* --- Cross entropy of probabilities ----------------------------------------------------------- */

/* y = -t L(p) - (1 - t) L(1 - p), L(p) = max(ln p, -100)
 * gp = g (p - t) / max(p (1 - p), 1e-12), gt = g (L(1 - p) - L(p)): the bounds of PyTorch */
static tr_tensor *bounded_log(tr_tensor *p)
{
    return tr_clamp(tr_log(p), -100, (double)INFINITY);
}

static tr_status binary_loss_forward(tr_call *c)
{
    const double bounds[2] = { -100, (double)INFINITY }, other[2] = { -1, 1 };
    tr_tensor   *y = c->out, *p = c->in[0], *t = c->in[1];
    tr_scope    *scope = tr_scope_push();
    tr_tensor   *yes = tri_new(y->dtype, tr_shape_of(y)), *no = tri_new(y->dtype, tr_shape_of(y));
    if (yes != NULL && no != NULL && tri_unary(TRI_U_log, yes, p, NULL) == TR_OK &&
        tri_unary(TRI_U_clamp, yes, yes, bounds) == TR_OK &&
        tri_unary(TRI_U_affine, no, p, other) == TR_OK &&
        tri_unary(TRI_U_log, no, no, NULL) == TR_OK &&
        tri_unary(TRI_U_clamp, no, no, bounds) == TR_OK &&
        tri_binary(TRI_B_sub, yes, no, yes) == TR_OK && tri_binary(TRI_B_mul, yes, yes, t) == TR_OK)
        tri_binary(TRI_B_sub, y, yes, no);
    tr_scope_pop(scope);
    return tr_status_get();
}

static void binary_loss_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    tr_tensor *p = c->in[0], *t = c->in[1], *other = tr_affine(p, -1, 1);
    if (tr_wants(c, 0)) {
        tr_tensor *variance = tr_clamp(tr_mul(p, other), 1e-12, (double)INFINITY);
        gin[0] = tr_div(tr_mul(g, tr_sub(p, t)), variance);
    }
    if (tr_wants(c, 1)) gin[1] = tr_mul(g, tr_sub(bounded_log(other), bounded_log(p)));
}

const tr_op tri_op_binary_loss = {
    .name = "binary_loss", .arguments = { "p", "t" }, .flags = TR_OP_BROADCAST, TR_OP_PLACE,
    .formula = "y = -t ln p - (1 - t) ln(1 - p)",
    .gradient = "gp = g (p - t) / (p (1 - p)), gt = g (ln(1 - p) - ln p)",
    .forward = binary_loss_forward, .vjp = binary_loss_vjp,
    .examples = (const tr_example[]){ { .inputs = "u[2,3] x[2,3]" },
                                      { .inputs = "u[2,1] u[1,3]" },
                                      { .inputs = "u[] x[2]" },
                                      { .inputs = "u[0,3] x[3]" },
                                      { .inputs = "u[1] u[1]" },
                                      { 0 } },
};

tr_tensor *tr_binary_loss(tr_tensor *p, tr_tensor *t)
{
    return tr_apply(&tri_op_binary_loss, (tr_tensor *[]){ p, t }, 2, NULL, 0);
}
