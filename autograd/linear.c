/* linear.c: matrix products. matmul is closed under differentiation: its gradients are products
 * with a transposed operand, which the driver packs without copying. */
#include "autograd/registry.h"

/* --- Matrix product --------------------------------------------------------------------------- */

/* y = a b, a [..., M, K], b [..., K, N]      ga = g b^T, gb = a^T g */
static bool matmul_shape(tr_call *c)
{
    const tr_tensor *a = c->in[0], *b = c->in[1];
    if (tr_dim(a, -1) != tr_dim(b, -2)) {
        tr_fail_call(c, TR_ERR_SHAPE, "inner dimensions differ", NULL);
        return false;
    }
    c->out_shape.dim[a->rank - 1] = tr_dim(b, -1);
    return true;
}

static tr_status matmul_forward(tr_call *c)
{
    return tri_matmul(c->out, c->in[0], c->in[1], NULL, TRI_E_IDENTITY);
}

static void matmul_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    if (tr_wants(c, 0)) gin[0] = tr_matmul(g, tr_transpose(c->in[1], -1, -2));
    if (tr_wants(c, 1)) gin[1] = tr_matmul(tr_transpose(c->in[0], -1, -2), g);
}

const tr_op tri_op_matmul = {
    .name = "matmul", .arguments = { "a", "b" }, TR_OP_PLACE,
    .formula = "y = a b, a [..., M, K], b [..., K, N]", .gradient = "ga = g b^T, gb = a^T g",
    .shape = matmul_shape, .forward = matmul_forward, .vjp = matmul_vjp,
    .examples = (const tr_example[]){ { .inputs = "x[2,3] x[3,4]" },
                                      { .inputs = "x[2,3,4] x[2,4,2]" },
                                      { .inputs = "x[1,1] x[1,1]" },
                                      { .inputs = "x[3,3] x[3,3]" },
                                      { .inputs = "x[2,0] x[0,3]" },
                                      { .inputs = "x[0,2] x[2,3]" },
                                      { .inputs = "x[5,7] x[7,3]" },
                                      { 0 } },
};

/* The shape with its last two axes replaced by those of t. */
static tr_shape with_matrix(tr_shape leading, const tr_tensor *t)
{
    leading.dim[leading.rank++] = tr_dim(t, -2);
    leading.dim[leading.rank++] = tr_dim(t, -1);
    return leading;
}

static tr_tensor *broadcast_matmul(tr_tensor *a, tr_tensor *b)
{
    tr_shape leading[2] = { tr_shape_of(a), tr_shape_of(b) }, common;
    leading[0].rank -= 2;
    leading[1].rank -= 2;
    if (!tri_broadcast_shape(leading, 2, &common)) {
        tr_call c = { .op = &tri_op_matmul, .input_count = 2, .in = (tr_tensor *[]){ a, b } };
        tr_fail_call(&c, TR_ERR_SHAPE, "leading dimensions do not broadcast", NULL);
        return NULL;
    }
    if (!tri_shape_equal(leading[0], common)) a = tr_expand(a, with_matrix(common, a));
    if (!tri_shape_equal(leading[1], common)) b = tr_expand(b, with_matrix(common, b));
    return tr_apply(&tri_op_matmul, (tr_tensor *[]){ a, b }, 2, NULL, 0);
}

tr_tensor *tr_matmul(tr_tensor *a, tr_tensor *b)
{
    if (tri_failed() || !tri_check_alive(a, "matmul") || !tri_check_alive(b, "matmul")) return NULL;
    if (a->rank == 0 || b->rank == 0) {
        tr_call c = { .op = &tri_op_matmul, .input_count = 2, .in = (tr_tensor *[]){ a, b } };
        tr_fail_call(&c, TR_ERR_SHAPE, "a scalar is no matrix", "use tr_mul");
        return NULL;
    }
    const bool row = a->rank == 1, column = b->rank == 1;
    if (row) a = tr_reshape(a, TR_SHAPE(1, tr_dim(a, 0)));
    if (column) b = tr_reshape(b, TR_SHAPE(tr_dim(b, 0), 1));
    tr_tensor *y = a != NULL && b != NULL ? broadcast_matmul(a, b) : NULL;
    if (y == NULL || (!row && !column)) return y;
    tr_shape shape = tr_shape_of(y);
    if (column) shape.rank--;
    if (row) {
        if (!column) shape.dim[shape.rank - 2] = shape.dim[shape.rank - 1];
        shape.rank--;
    }
    return tr_reshape(y, shape);
}

/* --- Affine map with activation --------------------------------------------------------------- */

typedef struct linear_attributes {
    tr_activation act;
} linear_attributes;

/* y = act(x w + bias), x [..., in], w [in, out]. With u = g act'(y), the derivative taken from the
 * result: gx = u w^T, gw = x^T u, gbias = sum of u over all but the last axis */
static bool linear_shape(tr_call *c)
{
    const tr_tensor *x = c->in[0], *w = c->in[1];
    const char      *problem = NULL, *hint = NULL;
    if (x->rank < 1 || w->rank != 2) {
        problem = "x needs at least one axis and w two";
    } else if (tr_dim(x, -1) != tr_dim(w, 0)) {
        problem = "inner dimensions differ";
        hint = "weights are [in, out]";
    } else if (c->input_count > 2 && (c->in[2]->rank != 1 || tr_dim(c->in[2], 0) != tr_dim(w, 1))) {
        problem = "the bias needs one value per column of w";
    }
    if (problem != NULL) {
        tr_fail_call(c, TR_ERR_SHAPE, problem, hint);
        return false;
    }
    c->out_shape.dim[x->rank - 1] = tr_dim(w, 1);
    return true;
}

/* t [..., F] as a matrix [rows, F]: a view of the same values, without graph. */
static tr_tensor *as_matrix(const tr_tensor *t)
{
    const tr_tensor *rows = tri_contiguous(t);
    if (rows == NULL) return NULL;
    const int64_t  columns = tr_dim(rows, -1);
    int64_t        count = 1, stride[2];
    for (int i = 0; i < rows->rank - 1; i++) count *= rows->shape[i];
    const tr_shape shape = TR_SHAPE(count, columns);
    tri_contiguous_strides(shape, stride);
    return tri_view(rows, shape, stride, 0);
}

static tr_status linear_forward(tr_call *c)
{
    const linear_attributes *a = c->attributes;
    const tr_tensor         *x = c->in[0]->rank == 2 ? c->in[0] : as_matrix(c->in[0]);
    tr_tensor               *y = c->out->rank == 2 ? c->out : as_matrix(c->out);
    if (x == NULL || y == NULL) return tr_status_get();
    return tri_matmul(y, x, c->in[1], c->input_count > 2 ? c->in[2] : NULL, (tri_epilogue)a->act);
}

static void linear_gradients(tr_call *c, tr_tensor *u, tr_tensor **gin)
{
    tr_tensor *x = c->in[0], *w = c->in[1];
    if (u == NULL) return;
    tr_tensor *u2 = u->rank == 2 ? u : tr_reshape(u, TR_SHAPE(-1, tr_dim(u, -1)));
    if (tr_wants(c, 0)) {
        gin[0] = tr_matmul(u2, tr_transpose(w, 0, 1));
        if (x->rank != 2) gin[0] = tr_reshape(gin[0], tr_shape_of(x));
    }
    if (tr_wants(c, 1)) {
        tr_tensor *x2 = x->rank == 2 ? x : tr_reshape(x, TR_SHAPE(-1, tr_dim(x, -1)));
        gin[1] = tr_matmul(tr_transpose(x2, 0, 1), u2);
    }
    if (tr_wants(c, 2) && gin[2] == NULL) gin[2] = tr_sum(u2, TR_AXES(0), false);
}

static void linear_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    const linear_attributes *a = c->attributes;
    linear_gradients(c, tri_activation_vjp(a->act, g, c->out), gin);
}

static void linear_fast_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    const linear_attributes *a = c->attributes;
    tr_tensor *u = tri_activation_bias_vjp(a->act, g, c->out, tr_wants(c, 2) ? &gin[2] : NULL);
    linear_gradients(c, u, gin);
}

const tr_op tri_op_linear = {
    .name = "linear", .arguments = { "x", "w", "bias" }, .required = 2, TR_OP_PLACE,
    .formula = "y = act(x w + bias), x [..., in], w [in, out]",
    .gradient = "u = g act'(y); gx = u w^T, gw = x^T u, gbias = sum of u over rows",
    .shape = linear_shape, .forward = linear_forward, .vjp = linear_vjp,
    .fast_vjp = linear_fast_vjp,
    .examples = (const tr_example[]){
        { "x[4,3] x[3,2] x[2]", TRI_ATTRIBUTES(linear_attributes, TR_IDENTITY) },
        { "x[4,3] x[3,2] x[2]", TRI_ATTRIBUTES(linear_attributes, TR_RELU) },
        { "x[2,2,3] x[3,2] x[2]", TRI_ATTRIBUTES(linear_attributes, TR_SIGMOID) },
        { "x[3] x[3,2] x[2]", TRI_ATTRIBUTES(linear_attributes, TR_TANH) },
        { "x[4,3] x[3,2]", TRI_ATTRIBUTES(linear_attributes, TR_IDENTITY) },
        { "x[0,3] x[3,2] x[2]", TRI_ATTRIBUTES(linear_attributes, TR_TANH) },
        { 0 } },
};

tr_tensor *tr_affine_map(tr_tensor *x, tr_tensor *w, tr_tensor *bias, tr_activation act)
{
    const bool              fused = tri_activation_fused(act);
    const linear_attributes a = { fused ? act : TR_IDENTITY };
    tr_tensor              *y =
        tr_apply(&tri_op_linear, (tr_tensor *[]){ x, w, bias }, bias != NULL ? 3 : 2, &a, sizeof a);
    return fused ? y : tr_activate(y, act);
}
