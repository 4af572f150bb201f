/* activation.c: the nonlinear functions of networks, each by itself and by name.
 *
 * Those that training spends time in (sigmoid, softplus, relu, leaky_relu; tanh in function.c)
 * have kernels; the others are composed, and so are their derivatives. Where a kink lies inside,
 * `where` selects between branches that are both finite, because 0 times infinity would spoil a
 * gradient. */
#include "autograd/registry.h"

#include <math.h>
#include <string.h>

/* --- With kernels ----------------------------------------------------------------------------- */

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
    return tri_apply_unary(&tri_op_sigmoid, x);
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
    return tri_apply_unary(&tri_op_softplus, x);
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
    return tri_apply_unary(&tri_op_relu, x);
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
    .examples = (const tr_example[]){
        { .inputs = "x[2,3] d[2,3]" }, { .inputs = "x[4] d[2,4]" },
        { .inputs = "x[2,1] d[1,3]" }, { .inputs = "x[] d[]" },
        { .inputs = "x[0,3] d[3]" },   { 0 } },
};

tr_tensor *tr_relu_mask(tr_tensor *g, tr_tensor *x)
{
    return tri_apply_binary(&tri_op_relu_mask, g, x);
}

/* y = x > 0 ? x : s x      gx = x > 0 ? g : s g */
typedef struct leaky_relu_attributes {
    double slope[2]; /* as the kernel wants it; slope[1] is not used */
} leaky_relu_attributes;

static tr_status leaky_relu_forward(tr_call *c)
{
    const leaky_relu_attributes *a = c->attributes;
    return tri_unary(TRI_U_leaky_relu, c->out, c->in[0], a->slope);
}

static tr_tensor *is_positive(tr_tensor *x)
{
    return tr_greater(x, tri_constant(x, 0));
}

static void leaky_relu_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    const leaky_relu_attributes *a = c->attributes;
    gin[0] = tr_where(is_positive(c->in[0]), g, tr_scale(g, a->slope[0]));
}

const tr_op tri_op_leaky_relu = {
    .name = "leaky_relu", .arguments = { "x" }, TR_OP_PLACE,
    .formula = "y = x > 0 ? x : s x, for a number s", .gradient = "gx = x > 0 ? g : s g",
    .forward = leaky_relu_forward, .vjp = leaky_relu_vjp,
    .examples = (const tr_example[]){
        { "d[2,3]", TRI_ATTRIBUTES(leaky_relu_attributes, { 0.01 }) },
        { "d[37]", TRI_ATTRIBUTES(leaky_relu_attributes, { 0.3 }) },
        { "d[5,1,2]", TRI_ATTRIBUTES(leaky_relu_attributes, { -0.5 }) },
        { "d[]", TRI_ATTRIBUTES(leaky_relu_attributes, { 0.2 }) },
        { "d[0,3]", TRI_ATTRIBUTES(leaky_relu_attributes, { 0.2 }) },
        { 0 } },
};

tr_tensor *tr_leaky_relu(tr_tensor *x, double slope)
{
    const leaky_relu_attributes a = { { slope } };
    return tr_apply(&tri_op_leaky_relu, &x, 1, &a, sizeof a);
}

/* --- Composed --------------------------------------------------------------------------------- */

tr_tensor *tr_prelu(tr_tensor *x, tr_tensor *slope)
{
    TRI_FUNCTION("prelu", x, slope);
    return tr_where(is_positive(x), x, tr_mul(slope, x));
}

tr_tensor *tr_celu(tr_tensor *x, double alpha)
{
    TRI_FUNCTION("celu", x);
    if (!tri_failed() && !(alpha > 0))
        tr_fail(TR_ERR_VALUE, "celu: alpha is %g, not above 0", alpha);
    tr_tensor *below = tr_clamp(x, -(double)INFINITY, 0);
    return tr_where(is_positive(x), x, tr_scale(tr_expm1(tr_scale(below, 1 / alpha)), alpha));
}

tr_tensor *tr_elu(tr_tensor *x, double alpha)
{
    TRI_FUNCTION("elu", x);
    tr_tensor *below = tr_clamp(x, -(double)INFINITY, 0);
    return tr_where(is_positive(x), x, tr_scale(tr_expm1(below), alpha));
}

tr_tensor *tr_selu(tr_tensor *x)
{
    TRI_FUNCTION("selu", x);
    return tr_scale(tr_elu(x, 1.6732632423543772848170429916717),
                    1.0507009873554804934193349852946);
}

tr_tensor *tr_gelu(tr_tensor *x)
{
    TRI_FUNCTION("gelu", x);
    return tr_mul(tr_scale(x, 0.5), tr_erfc(tr_scale(x, -0.70710678118654752440)));
}

/* (1 + tanh u) / 2 = sigmoid(2 u) */
tr_tensor *tr_gelu_tanh(tr_tensor *x)
{
    TRI_FUNCTION("gelu_tanh", x);
    tr_tensor *u = tr_mul(x, tr_affine(tr_square(x), 0.044715, 1)); /* x + 0.044715 x^3 */
    return tr_mul(x, tr_sigmoid(tr_scale(u, 1.59576912160573071176))); /* 2 sqrt(2 / pi) */
}

tr_tensor *tr_silu(tr_tensor *x)
{
    TRI_FUNCTION("silu", x);
    return tr_mul(x, tr_sigmoid(x));
}

tr_tensor *tr_mish(tr_tensor *x)
{
    TRI_FUNCTION("mish", x);
    return tr_mul(x, tr_tanh(tr_softplus(x)));
}

tr_tensor *tr_logsigmoid(tr_tensor *x)
{
    TRI_FUNCTION("logsigmoid", x);
    return tr_neg(tr_softplus(tr_neg(x)));
}

tr_tensor *tr_softsign(tr_tensor *x)
{
    TRI_FUNCTION("softsign", x);
    return tr_div(x, tr_add_scalar(tr_abs(x), 1));
}

tr_tensor *tr_hardtanh(tr_tensor *x, double low, double high)
{
    TRI_FUNCTION("hardtanh", x);
    return tri_clamp_open(x, low, high);
}

tr_tensor *tr_relu6(tr_tensor *x)
{
    TRI_FUNCTION("relu6", x);
    return tri_clamp_open(x, 0, 6);
}

tr_tensor *tr_hardsigmoid(tr_tensor *x)
{
    TRI_FUNCTION("hardsigmoid", x);
    return tr_scale(tri_clamp_open(tr_add_scalar(x, 3), 0, 6), 1.0 / 6);
}

tr_tensor *tr_hardswish(tr_tensor *x)
{
    TRI_FUNCTION("hardswish", x);
    return tr_scale(tr_mul(x, tr_clamp(tr_add_scalar(x, 3), 0, 6)), 1.0 / 6);
}

/* --- By name ---------------------------------------------------------------------------------- */

static tr_tensor *identity(tr_tensor *x)
{
    return x;
}

static tr_tensor *usual_leaky_relu(tr_tensor *x)
{
    return tr_leaky_relu(x, 0.01);
}

static tr_tensor *usual_elu(tr_tensor *x)
{
    return tr_elu(x, 1);
}

static tr_tensor *usual_hardtanh(tr_tensor *x)
{
    return tr_hardtanh(x, -1, 1);
}

static const struct {
    const char *name;
    tr_tensor *(*apply)(tr_tensor *x);
} activations[] = {
    [TR_IDENTITY] = { "identity", identity },
    [TR_RELU] = { "relu", tr_relu },
    [TR_SIGMOID] = { "sigmoid", tr_sigmoid },
    [TR_TANH] = { "tanh", tr_tanh },
    [TR_LEAKY_RELU] = { "leaky_relu", usual_leaky_relu },
    [TR_ELU] = { "elu", usual_elu },
    [TR_SELU] = { "selu", tr_selu },
    [TR_GELU] = { "gelu", tr_gelu },
    [TR_GELU_TANH] = { "gelu_tanh", tr_gelu_tanh },
    [TR_SILU] = { "silu", tr_silu },
    [TR_MISH] = { "mish", tr_mish },
    [TR_SOFTPLUS] = { "softplus", tr_softplus },
    [TR_SOFTSIGN] = { "softsign", tr_softsign },
    [TR_LOGSIGMOID] = { "logsigmoid", tr_logsigmoid },
    [TR_RELU6] = { "relu6", tr_relu6 },
    [TR_HARDTANH] = { "hardtanh", usual_hardtanh },
    [TR_HARDSIGMOID] = { "hardsigmoid", tr_hardsigmoid },
    [TR_HARDSWISH] = { "hardswish", tr_hardswish },
};
enum { ACTIVATIONS = (int)(sizeof activations / sizeof activations[0]) };

tr_tensor *tr_activate(tr_tensor *x, tr_activation act)
{
    if (!tri_check_alive(x, "activate")) return NULL;
    if (tr_activation_name(act) == NULL) {
        tr_fail(TR_ERR_VALUE, "activate: %d is not an activation", (int)act);
        return NULL;
    }
    return tri_failed() ? NULL : activations[act].apply(x);
}

const char *tr_activation_name(tr_activation act)
{
    const int index = (int)act;
    return index >= 0 && index < ACTIVATIONS ? activations[index].name : NULL;
}

tr_status tr_activation_find(const char *name, tr_activation *act)
{
    if (!tri_given(name, "activation_find: the name") ||
        !tri_given(act, "activation_find: the result"))
        return tr_status_get();
    char   known[400];
    size_t used = 0;
    for (int i = 0; i < ACTIVATIONS; i++) {
        if (strcmp(activations[i].name, name) == 0) {
            *act = (tr_activation)i;
            return TR_OK;
        }
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i > 0 ? ", " : "",
                                 activations[i].name);
    }
    return tr_fail(TR_ERR_VALUE, "activation: \"%.60s\" is not known; there are %s", name, known);
}

bool tri_activation_fused(tr_activation act)
{
    return act <= TR_TANH;
}

tr_tensor *tri_activation_vjp(tr_activation act, tr_tensor *g, tr_tensor *y)
{
    switch (act) {
    case TR_IDENTITY: return g;
    case TR_RELU: return tr_relu_mask(g, y);
    case TR_SIGMOID: return tr_mul(g, tr_mul(y, tr_affine(y, -1, 1)));
    case TR_TANH: return tr_mul(g, tr_affine(tr_square(y), -1, 1));
    default: return NULL; /* never fused */
    }
}

static tr_tensor *fast_activation_vjp(tr_activation act, tr_tensor *g, tr_tensor *y)
{
    if (act == TR_IDENTITY || g == NULL) return g;
    const tri_binary_id id = act == TR_RELU      ? TRI_B_step_mul
                             : act == TR_SIGMOID ? TRI_B_sigmoid_mul
                                                 : TRI_B_tanh_mul;
    tr_tensor          *u = tri_new(g->dtype, tr_shape_of(g));
    return u != NULL && tri_binary(id, u, g, y) == TR_OK ? u : NULL;
}

tr_tensor *tri_activation_bias_vjp(tr_activation act, tr_tensor *g, tr_tensor *y, tr_tensor **sum)
{
    if (sum != NULL && act == TR_RELU && g != NULL) {
        tr_tensor *u = tri_new(g->dtype, tr_shape_of(g));
        *sum = tri_new(g->dtype, TR_SHAPE(tr_dim(g, -1)));
        return u != NULL && *sum != NULL && tri_relu_gradient(u, *sum, g, y) == TR_OK ? u : NULL;
    }
    tr_tensor *u = fast_activation_vjp(act, g, y);
    if (sum != NULL && u != NULL) {
        tr_shape all = { .rank = u->rank - 1 };
        for (int i = 0; i < all.rank; i++) all.dim[i] = i;
        *sum = tr_sum(u, all, false);
    }
    return u;
}
