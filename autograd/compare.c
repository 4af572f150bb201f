/* compare.c: comparisons, logic and selection. Results of comparisons are u8, 0 or 1, and
 * constants: no gradient flows through a condition. Arguments may be of any dtype, one for both. */
#include "autograd/registry.h"

/* --- Comparisons ------------------------------------------------------------------------------ */

static bool compare_shape(tr_call *c)
{
    if (c->in[0]->dtype != c->in[1]->dtype) {
        tr_fail_call(c, TR_ERR_DTYPE, "dtypes differ", "convert one with tr_cast");
        return false;
    }
    c->out_dtype = TR_U8;
    return true;
}

static const tr_example compare_examples[] = {
    { .inputs = "d[2,3] d[2,3]" }, { .inputs = "i3[4,5] i3[4,5]" }, { .inputs = "b[2,1] b[3]" },
    { .inputs = "d[] d[4]" },      { .inputs = "d[0,3] d[3]" },     { 0 },
};

/* y = a == b */
static tr_status equal_forward(tr_call *c)
{
    return tri_compare(TRI_C_equal, c->out, c->in[0], c->in[1]);
}

const tr_op tri_op_equal = {
    .name = "equal", .arguments = { "a", "b" }, TR_OP_PLACE,
    .flags = TR_OP_BROADCAST | TR_OP_ANY_DTYPE | TR_OP_NO_GRADIENT,
    .formula = "y = a == b, as u8", .gradient = "none: piecewise constant",
    .shape = compare_shape, .forward = equal_forward, .examples = compare_examples,
};

tr_tensor *tr_equal(tr_tensor *a, tr_tensor *b)
{
    return tri_apply_binary(&tri_op_equal, a, b);
}

/* y = a != b */
static tr_status not_equal_forward(tr_call *c)
{
    return tri_compare(TRI_C_not_equal, c->out, c->in[0], c->in[1]);
}

const tr_op tri_op_not_equal = {
    .name = "not_equal", .arguments = { "a", "b" }, TR_OP_PLACE,
    .flags = TR_OP_BROADCAST | TR_OP_ANY_DTYPE | TR_OP_NO_GRADIENT,
    .formula = "y = a != b, as u8", .gradient = "none: piecewise constant",
    .shape = compare_shape, .forward = not_equal_forward, .examples = compare_examples,
};

tr_tensor *tr_not_equal(tr_tensor *a, tr_tensor *b)
{
    return tri_apply_binary(&tri_op_not_equal, a, b);
}

/* y = a < b */
static tr_status less_forward(tr_call *c)
{
    return tri_compare(TRI_C_less, c->out, c->in[0], c->in[1]);
}

const tr_op tri_op_less = {
    .name = "less", .arguments = { "a", "b" }, TR_OP_PLACE,
    .flags = TR_OP_BROADCAST | TR_OP_ANY_DTYPE | TR_OP_NO_GRADIENT,
    .formula = "y = a < b, as u8", .gradient = "none: piecewise constant",
    .shape = compare_shape, .forward = less_forward, .examples = compare_examples,
};

tr_tensor *tr_less(tr_tensor *a, tr_tensor *b)
{
    return tri_apply_binary(&tri_op_less, a, b);
}

/* y = a <= b */
static tr_status less_equal_forward(tr_call *c)
{
    return tri_compare(TRI_C_less_equal, c->out, c->in[0], c->in[1]);
}

const tr_op tri_op_less_equal = {
    .name = "less_equal", .arguments = { "a", "b" }, TR_OP_PLACE,
    .flags = TR_OP_BROADCAST | TR_OP_ANY_DTYPE | TR_OP_NO_GRADIENT,
    .formula = "y = a <= b, as u8", .gradient = "none: piecewise constant",
    .shape = compare_shape, .forward = less_equal_forward, .examples = compare_examples,
};

tr_tensor *tr_less_equal(tr_tensor *a, tr_tensor *b)
{
    return tri_apply_binary(&tri_op_less_equal, a, b);
}

tr_tensor *tr_greater(tr_tensor *a, tr_tensor *b)
{
    TRI_FUNCTION("greater", a, b);
    return tr_less(b, a);
}

tr_tensor *tr_greater_equal(tr_tensor *a, tr_tensor *b)
{
    TRI_FUNCTION("greater_equal", a, b);
    return tr_less_equal(b, a);
}

/* --- Selection -------------------------------------------------------------------------------- */

/* y = condition ? a : b      ga = condition ? g : 0, gb = condition ? 0 : g */
static bool where_shape(tr_call *c)
{
    if (c->in[0]->dtype != TR_U8) {
        tr_fail_call(c, TR_ERR_DTYPE, "the condition must be u8",
                     "compare first, as in tr_not_equal");
        return false;
    }
    if (c->in[1]->dtype != c->in[2]->dtype) {
        tr_fail_call(c, TR_ERR_DTYPE, "dtypes differ", "convert one with tr_cast");
        return false;
    }
    c->out_dtype = c->in[1]->dtype;
    return true;
}

static tr_status where_forward(tr_call *c)
{
    return tri_where(c->out, c->in[0], c->in[1], c->in[2]);
}

static void where_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    tr_tensor *zero = tri_constant(g, 0);
    if (tr_wants(c, 1)) gin[1] = tr_where(c->in[0], g, zero);
    if (tr_wants(c, 2)) gin[2] = tr_where(c->in[0], zero, g);
}

const tr_op tri_op_where = {
    .name = "where", .arguments = { "condition", "a", "b" }, TR_OP_PLACE,
    .flags = TR_OP_BROADCAST | TR_OP_ANY_DTYPE,
    .formula = "y = condition ? a : b",
    .gradient = "ga = condition ? g : 0, gb = condition ? 0 : g",
    .shape = where_shape, .forward = where_forward, .vjp = where_vjp,
    .examples = (const tr_example[]){
        { .inputs = "b[2,3] x[2,3] x[2,3]" }, { .inputs = "b[3] x[2,3] x[]" },
        { .inputs = "b[2,1] x[3] x[1,3]" },   { .inputs = "b[] x[2] x[2]" },
        { .inputs = "b[5,4] x[4] x[5,4]" },   { .inputs = "b[0,3] x[3] x[3]" },
        { .inputs = "b[4] i9[4] i9[4]" },     { 0 } },
};

tr_tensor *tr_where(tr_tensor *condition, tr_tensor *a, tr_tensor *b)
{
    return tr_apply(&tri_op_where, (tr_tensor *[]){ condition, a, b }, 3, NULL, 0);
}

/* --- Logic: what is not 0 is true ------------------------------------------------------------- */

static tr_tensor *is_true(tr_tensor *x)
{
    return tr_not_equal(x, tri_constant(x, 0));
}

tr_tensor *tr_logical_not(tr_tensor *x)
{
    TRI_FUNCTION("logical_not", x);
    return tr_equal(x, tri_constant(x, 0));
}

tr_tensor *tr_logical_and(tr_tensor *a, tr_tensor *b)
{
    TRI_FUNCTION("logical_and", a, b);
    tr_tensor *truth = is_true(a);
    return tr_where(truth, is_true(b), tri_constant(truth, 0));
}

tr_tensor *tr_logical_or(tr_tensor *a, tr_tensor *b)
{
    TRI_FUNCTION("logical_or", a, b);
    tr_tensor *truth = is_true(a);
    return tr_where(truth, tri_constant(truth, 1), is_true(b));
}

tr_tensor *tr_logical_xor(tr_tensor *a, tr_tensor *b)
{
    TRI_FUNCTION("logical_xor", a, b);
    tr_tensor *truth = is_true(a);
    return tr_not_equal(truth, is_true(b));
}
