/* elementwise.c: arithmetic and activations. The simplest blocks: formula and gradient as a comment,
 * forward (one call of a kernel driver), rule, descriptor, public function.
 *
 * Rules never mention shapes: operations of two arguments carry TR_OP_BROADCAST, so tr_apply expands
 * their inputs first, and the rule of `expand` does the summing.                                       */
#include "autograd/registry.h"

static tr_tensor *unary(const tr_op *op, tr_tensor *x)
{
    return tr_apply(op, &x, 1, NULL, 0);
}

static tr_tensor *binary(const tr_op *op, tr_tensor *a, tr_tensor *b)
{
    return tr_apply(op, (tr_tensor *[]){ a, b }, 2, NULL, 0);
}

/* --- Arithmetic --------------------------------------------------------------------------------------- */

/* y = a + b      ga = g, gb = g */
static tr_status add_forward(tr_call *c)
{
    return tri_binary(TRI_B_add, c->out, c->in[0], c->in[1]);
}

static void add_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    (void)c;
    gin[0] = g;
    gin[1] = g;
}

const tr_op tri_op_add = {
    .name = "add", .arguments = { "a", "b" }, .flags = TR_OP_BROADCAST, TR_OP_PLACE,
    .formula = "y = a + b", .gradient = "ga = g, gb = g",
    .forward = add_forward, .vjp = add_vjp, .examples = tri_examples_pair,
};

tr_tensor *tr_add(tr_tensor *a, tr_tensor *b)
{
    return binary(&tri_op_add, a, b);
}

/* y = a - b      ga = g, gb = -g */
static tr_status sub_forward(tr_call *c)
{
    return tri_binary(TRI_B_sub, c->out, c->in[0], c->in[1]);
}

static void sub_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = g;
    if (tr_wants(c, 1)) gin[1] = tr_neg(g);
}

const tr_op tri_op_sub = {
    .name = "sub", .arguments = { "a", "b" }, .flags = TR_OP_BROADCAST, TR_OP_PLACE,
    .formula = "y = a - b", .gradient = "ga = g, gb = -g",
    .forward = sub_forward, .vjp = sub_vjp, .examples = tri_examples_pair,
};

tr_tensor *tr_sub(tr_tensor *a, tr_tensor *b)
{
    return binary(&tri_op_sub, a, b);
}

/* y = a b        ga = g b, gb = g a */
static tr_status mul_forward(tr_call *c)
{
    return tri_binary(TRI_B_mul, c->out, c->in[0], c->in[1]);
}

static void mul_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    if (tr_wants(c, 0)) gin[0] = tr_mul(g, c->in[1]);
    if (tr_wants(c, 1)) gin[1] = tr_mul(g, c->in[0]);
}

const tr_op tri_op_mul = {
    .name = "mul", .arguments = { "a", "b" }, .flags = TR_OP_BROADCAST, TR_OP_PLACE,
    .formula = "y = a b", .gradient = "ga = g b, gb = g a",
    .forward = mul_forward, .vjp = mul_vjp, .examples = tri_examples_pair,
};

tr_tensor *tr_mul(tr_tensor *a, tr_tensor *b)
{
    return binary(&tri_op_mul, a, b);
}

/* y = a / b      ga = g / b, gb = -g y / b */
static tr_status div_forward(tr_call *c)
{
    return tri_binary(TRI_B_div, c->out, c->in[0], c->in[1]);
}

static void div_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    tr_tensor *ga = tr_div(g, c->in[1]);
    gin[0] = ga;
    if (tr_wants(c, 1)) gin[1] = tr_neg(tr_mul(ga, c->out));
}

const tr_op tri_op_div = {
    .name = "div", .arguments = { "a", "b" }, .flags = TR_OP_BROADCAST, TR_OP_PLACE,
    .formula = "y = a / b", .gradient = "ga = g / b, gb = -g y / b",
    .forward = div_forward, .vjp = div_vjp, .examples = tri_examples_pair_positive,
};

tr_tensor *tr_div(tr_tensor *a, tr_tensor *b)
{
    return binary(&tri_op_div, a, b);
}

/* y = -x         gx = -g */
static tr_status neg_forward(tr_call *c)
{
    return tri_unary(TRI_U_neg, c->out, c->in[0], NULL);
}

static void neg_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    (void)c;
    gin[0] = tr_neg(g);
}

const tr_op tri_op_neg = {
    .name = "neg", .arguments = { "x" }, TR_OP_PLACE, .formula = "y = -x", .gradient = "gx = -g",
    .forward = neg_forward, .vjp = neg_vjp, .examples = tri_examples_any,
};

tr_tensor *tr_neg(tr_tensor *x)
{
    return unary(&tri_op_neg, x);
}

/* y = p x + q with numbers p, q      gx = p g */
typedef struct affine_attributes {
    double pq[2];
} affine_attributes;

static tr_status affine_forward(tr_call *c)
{
    const affine_attributes *a = c->attributes;
    return tri_unary(TRI_U_affine, c->out, c->in[0], a->pq);
}

static void affine_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    const affine_attributes *a = c->attributes;
    gin[0] = tr_scale(g, a->pq[0]);
}

const tr_op tri_op_affine = {
    .name = "affine", .arguments = { "x" }, TR_OP_PLACE,
    .formula = "y = p x + q, for numbers p and q (scale, add_scalar)", .gradient = "gx = p g",
    .forward = affine_forward, .vjp = affine_vjp,
    .examples = (const tr_example[]){ { "x[2,3]", TRI_ATTRIBUTES(affine_attributes, { -1.5, 0.25 }) },
                                      { "x[]", TRI_ATTRIBUTES(affine_attributes, { 0, 2 }) },
                                      { "x[0,2]", TRI_ATTRIBUTES(affine_attributes, { 3, 0 }) },
                                      { 0 } },
};

tr_tensor *tr_affine(tr_tensor *x, double factor, double term)
{
    const affine_attributes a = { { factor, term } };
    return tr_apply(&tri_op_affine, &x, 1, &a, sizeof a);
}

tr_tensor *tr_scale(tr_tensor *x, double factor)
{
    return tr_affine(x, factor, 0);
}

tr_tensor *tr_add_scalar(tr_tensor *x, double term)
{
    return tr_affine(x, 1, term);
}

/* y = x x        gx = 2 g x */
static tr_status square_forward(tr_call *c)
{
    return tri_unary(TRI_U_square, c->out, c->in[0], NULL);
}

static void square_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_scale(tr_mul(g, c->in[0]), 2);
}

const tr_op tri_op_square = {
    .name = "square", .arguments = { "x" }, TR_OP_PLACE, .formula = "y = x x", .gradient = "gx = 2 g x",
    .forward = square_forward, .vjp = square_vjp, .examples = tri_examples_any,
};

tr_tensor *tr_square(tr_tensor *x)
{
    return unary(&tri_op_square, x);
}

/* y = sqrt(x)    gx = g / (2 y) */
static tr_status sqrt_forward(tr_call *c)
{
    return tri_unary(TRI_U_sqrt, c->out, c->in[0], NULL);
}

static void sqrt_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_scale(tr_div(g, c->out), 0.5);
}

const tr_op tri_op_sqrt = {
    .name = "sqrt", .arguments = { "x" }, TR_OP_PLACE,
    .formula = "y = sqrt(x)", .gradient = "gx = g / (2 y)",
    .forward = sqrt_forward, .vjp = sqrt_vjp, .examples = tri_examples_positive,
};

tr_tensor *tr_sqrt(tr_tensor *x)
{
    return unary(&tri_op_sqrt, x);
}

/* y = e^x        gx = g y */
static tr_status exp_forward(tr_call *c)
{
    return tri_unary(TRI_U_exp, c->out, c->in[0], NULL);
}

static void exp_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_mul(g, c->out);
}

const tr_op tri_op_exp = {
    .name = "exp", .arguments = { "x" }, TR_OP_PLACE, .formula = "y = e^x", .gradient = "gx = g y",
    .forward = exp_forward, .vjp = exp_vjp, .examples = tri_examples_any,
};

tr_tensor *tr_exp(tr_tensor *x)
{
    return unary(&tri_op_exp, x);
}

/* y = ln x       gx = g / x */
static tr_status log_forward(tr_call *c)
{
    return tri_unary(TRI_U_log, c->out, c->in[0], NULL);
}

static void log_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_div(g, c->in[0]);
}

const tr_op tri_op_log = {
    .name = "log", .arguments = { "x" }, TR_OP_PLACE, .formula = "y = ln x", .gradient = "gx = g / x",
    .forward = log_forward, .vjp = log_vjp, .examples = tri_examples_positive,
};

tr_tensor *tr_log(tr_tensor *x)
{
    return unary(&tri_op_log, x);
}

/* --- Activations --------------------------------------------------------------------------------------- */

/* y = 1 / (1 + e^-x)      gx = g y (1 - y) */
static tr_status sigmoid_forward(tr_call *c)
{
    return tri_unary(TRI_U_sigmoid, c->out, c->in[0], NULL);
}

static void sigmoid_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_mul(g, tr_mul(c->out, tr_affine(c->out, -1, 1)));
}

static void sigmoid_fast_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tri_new(g->dtype, tr_shape_of(g));
    if (gin[0] != NULL) tri_binary(TRI_B_sigmoid_mul, gin[0], g, c->out);
}

const tr_op tri_op_sigmoid = {
    .name = "sigmoid", .arguments = { "x" }, TR_OP_PLACE,
    .formula = "y = 1 / (1 + e^-x)", .gradient = "gx = g y (1 - y)",
    .forward = sigmoid_forward, .vjp = sigmoid_vjp, .fast_vjp = sigmoid_fast_vjp,
    .examples = tri_examples_any,
};

tr_tensor *tr_sigmoid(tr_tensor *x)
{
    return unary(&tri_op_sigmoid, x);
}

/* y = ln(1 + e^x)         gx = g sigmoid(x) */
static tr_status softplus_forward(tr_call *c)
{
    return tri_unary(TRI_U_softplus, c->out, c->in[0], NULL);
}

static void softplus_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_mul(g, tr_sigmoid(c->in[0]));
}

const tr_op tri_op_softplus = {
    .name = "softplus", .arguments = { "x" }, TR_OP_PLACE,
    .formula = "y = ln(1 + e^x)", .gradient = "gx = g sigmoid(x)",
    .forward = softplus_forward, .vjp = softplus_vjp, .examples = tri_examples_any,
};

tr_tensor *tr_softplus(tr_tensor *x)
{
    return unary(&tri_op_softplus, x);
}

/* y = tanh(x)             gx = g (1 - y y) */
static tr_status tanh_forward(tr_call *c)
{
    return tri_unary(TRI_U_tanh, c->out, c->in[0], NULL);
}

static void tanh_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_mul(g, tr_affine(tr_square(c->out), -1, 1));
}

static void tanh_fast_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tri_new(g->dtype, tr_shape_of(g));
    if (gin[0] != NULL) tri_binary(TRI_B_tanh_mul, gin[0], g, c->out);
}

const tr_op tri_op_tanh = {
    .name = "tanh", .arguments = { "x" }, TR_OP_PLACE,
    .formula = "y = tanh(x)", .gradient = "gx = g (1 - y y)",
    .forward = tanh_forward, .vjp = tanh_vjp, .fast_vjp = tanh_fast_vjp, .examples = tri_examples_any,
};

tr_tensor *tr_tanh(tr_tensor *x)
{
    return unary(&tri_op_tanh, x);
}

/* y = max(x, 0)           gx = x > 0 ? g : 0 (and so 0 at x = 0) */
static tr_status relu_forward(tr_call *c)
{
    return tri_unary(TRI_U_relu, c->out, c->in[0], NULL);
}

static void relu_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_relu_mask(g, c->in[0]);
}

const tr_op tri_op_relu = {
    .name = "relu", .arguments = { "x" }, TR_OP_PLACE,
    .formula = "y = max(x, 0)", .gradient = "gx = relu_mask(g, x)",
    .forward = relu_forward, .vjp = relu_vjp, .examples = tri_examples_smooth,
};

tr_tensor *tr_relu(tr_tensor *x)
{
    return unary(&tri_op_relu, x);
}

/* y = x > 0 ? g : 0       gg = relu_mask(u, x), u the cotangent; piecewise constant in x */
static tr_status relu_mask_forward(tr_call *c)
{
    return tri_binary(TRI_B_step_mul, c->out, c->in[0], c->in[1]);
}

static void relu_mask_vjp(tr_call *c, tr_tensor *u, tr_tensor **gin)
{
    gin[0] = tr_relu_mask(u, c->in[1]);
}

const tr_op tri_op_relu_mask = {
    .name = "relu_mask", .arguments = { "g", "x" }, .flags = TR_OP_BROADCAST, TR_OP_PLACE,
    .formula = "y = x > 0 ? g : 0", .gradient = "gg = relu_mask(u, x), gx = 0",
    .forward = relu_mask_forward, .vjp = relu_mask_vjp,
    .examples = (const tr_example[]){ { .inputs = "x[2,3] d[2,3]" }, { .inputs = "x[4] d[2,4]" }, { 0 } },
};

tr_tensor *tr_relu_mask(tr_tensor *g, tr_tensor *x)
{
    return binary(&tri_op_relu_mask, g, x);
}
