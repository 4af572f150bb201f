/* derivative.c: Jacobians, Hessians and products with them, made of tr_grad; and checkpoints, which
 * trade time for memory. */
#include "autograd/registry.h"

#include <string.h>

/* --- Jacobian and Hessian --------------------------------------------------------------------- */

/* x as a variable without history. */
static tr_tensor *fresh_variable(tr_tensor *x, const char *what)
{
    if (tri_failed() || !tri_check_alive(x, what)) return NULL;
    return tr_variable(tr_detach(x));
}

static bool join_shapes(tr_shape a, tr_shape b, tr_shape *joined, const char *what)
{
    if (a.rank + b.rank > TR_MAX_RANK) {
        tr_fail(TR_ERR_SHAPE, "%s: the result would have %d axes; at most %d fit", what,
                a.rank + b.rank, TR_MAX_RANK);
        return false;
    }
    *joined = a;
    for (int i = 0; i < b.rank; i++) joined->dim[joined->rank++] = b.dim[i];
    return tri_check_shape(*joined, what);
}

/* Rows dy_i / dx of y, which is on the tape, for the variable x. */
static tr_tensor *rows_of_jacobian(tr_tensor *y, tr_tensor *x, const char *what)
{
    tr_shape shape;
    if (y == NULL || !join_shapes(tr_shape_of(y), tr_shape_of(x), &shape, what)) return NULL;
    tr_tensor *result = tr_zeros(x->dtype, shape);
    if (result == NULL || !y->requires_grad) return result; /* y does not depend on x: zeros */
    const int64_t columns = tr_numel(x);
    const size_t  bytes = (size_t)columns * tr_dtype_size(x->dtype);
    for (int64_t i = 0; i < tr_numel(y) && !tri_failed(); i++) {
        tr_scope  *scope = tr_scope_push();
        tr_tensor *one = tr_zeros(y->dtype, TR_SHAPE(tr_numel(y)));
        if (one != NULL && y->dtype == TR_F32) ((float *)one->data)[i] = 1;
        if (one != NULL && y->dtype == TR_F64) ((double *)one->data)[i] = 1;
        tr_tensor *cotangent = tr_reshape(one, tr_shape_of(y)), *row = NULL;
        tr_grad(&y, 1, &x, 1, &row, &(tr_grad_options){ .cotangents = &cotangent });
        if (row != NULL) tr_copy_out(row, (char *)result->data + (size_t)i * bytes);
        tr_scope_pop(scope);
    }
    return tri_failed() ? NULL : result;
}

/* Runs body with recording on in a scope of its own and hands its result out. */
typedef tr_tensor *(*derivative_body)(tr_function f, void *context, tr_tensor *x, tr_tensor *v);

static tr_tensor *in_scope(derivative_body body, tr_function f, void *context, tr_tensor *x,
                           tr_tensor *v, const char *what)
{
    if (tri_failed() || !tri_check_alive(x, what)) return NULL;
    tr_scope  *scope = tr_scope_push();
    const bool recording = tr_set_recording(true);
    tr_tensor *variable = fresh_variable(x, what);
    tr_tensor *result = variable != NULL ? body(f, context, variable, v) : NULL;
    if (result != NULL) result = tr_scope_keep(result);
    tr_set_recording(recording);
    tr_scope_pop(scope);
    return tri_failed() ? NULL : result;
}

static tr_tensor *jacobian_body(tr_function f, void *context, tr_tensor *x, tr_tensor *v)
{
    (void)v;
    return rows_of_jacobian(f(context, &x), x, "jacobian");
}

tr_tensor *tr_jacobian(tr_function f, void *context, tr_tensor *x)
{
    if (f == NULL && !tri_given(NULL, "jacobian: the function")) return NULL;
    return in_scope(jacobian_body, f, context, x, NULL, "jacobian");
}

/* The gradient of f at x, recorded; zeros where f is constant. */
static tr_tensor *recorded_gradient(tr_function f, void *context, tr_tensor *x)
{
    tr_tensor *y = f(context, &x), *gradient = NULL;
    if (y == NULL) return NULL;
    if (!y->requires_grad) return tr_zeros(x->dtype, tr_shape_of(x));
    tr_grad(&y, 1, &x, 1, &gradient, &(tr_grad_options){ .create_graph = true });
    return gradient;
}

static tr_tensor *hessian_body(tr_function f, void *context, tr_tensor *x, tr_tensor *v)
{
    (void)v;
    return rows_of_jacobian(recorded_gradient(f, context, x), x, "hessian");
}

tr_tensor *tr_hessian(tr_function f, void *context, tr_tensor *x)
{
    if (f == NULL && !tri_given(NULL, "hessian: the function")) return NULL;
    return in_scope(hessian_body, f, context, x, NULL, "hessian");
}

/* --- Products with them ----------------------------------------------------------------------- */

static bool check_direction(const tr_tensor *x, const tr_tensor *v, const char *what)
{
    if (!tri_check_alive(v, what)) return false;
    if (v->dtype == x->dtype && tr_same_shape(x, v)) return true;
    char a[240], b[240];
    tr_fail(TR_ERR_SHAPE, "%s: the direction is %s, x is %s", what, tr_describe(v, a, sizeof a),
            tr_describe(x, b, sizeof b));
    return false;
}

/* The vector-Jacobian product of y for x; zeros where y does not depend on x. */
static tr_tensor *product(tr_tensor *y, tr_tensor *x, tr_tensor *cotangent, bool create_graph)
{
    if (y == NULL) return NULL;
    tr_tensor *result = NULL;
    if (!y->requires_grad) return tr_zeros(x->dtype, tr_shape_of(x));
    tr_grad(&y, 1, &x, 1, &result,
            &(tr_grad_options){ .cotangents = &cotangent, .create_graph = create_graph });
    return result;
}

static tr_tensor *hvp_body(tr_function f, void *context, tr_tensor *x, tr_tensor *v)
{
    return check_direction(x, v, "hvp") ? product(recorded_gradient(f, context, x), x, v, false)
                                        : NULL;
}

tr_tensor *tr_hvp(tr_function f, void *context, tr_tensor *x, tr_tensor *v)
{
    if ((f == NULL && !tri_given(NULL, "hvp: the function")) || !tri_check_alive(v, "hvp"))
        return NULL;
    return in_scope(hvp_body, f, context, x, v, "hvp");
}

/* u -> u^T J is linear; its own transposed Jacobian, applied to v, is J v. */
static tr_tensor *jvp_body(tr_function f, void *context, tr_tensor *x, tr_tensor *v)
{
    if (!check_direction(x, v, "jvp")) return NULL;
    tr_tensor *y = f(context, &x);
    if (y == NULL) return NULL;
    tr_tensor *u = tr_variable(tr_zeros(y->dtype, tr_shape_of(y)));
    return u != NULL ? product(product(y, x, u, true), u, v, false) : NULL;
}

tr_tensor *tr_jvp(tr_function f, void *context, tr_tensor *x, tr_tensor *v)
{
    if ((f == NULL && !tri_given(NULL, "jvp: the function")) || !tri_check_alive(v, "jvp"))
        return NULL;
    return in_scope(jvp_body, f, context, x, v, "jvp");
}

/* --- Checkpoint ------------------------------------------------------------------------------- */

typedef struct checkpoint_attributes {
    tr_function segment;
    void       *context;
} checkpoint_attributes;

/* y = segment(inputs), computed without recording: nothing but y is kept. */
static tr_status checkpoint_forward(tr_call *c)
{
    const checkpoint_attributes *a = c->attributes;
    tr_scope                    *scope = tr_scope_push();
    const bool                   recording = tr_set_recording(false);
    tr_tensor                   *y = a->segment(a->context, c->in);
    if (y != NULL) y = tr_scope_keep(y);
    tr_set_recording(recording);
    tr_scope_pop(scope);
    c->out = y;
    if (y == NULL && !tri_failed())
        tr_fail(TR_ERR_STATE, "checkpoint: the segment returned NULL without an error");
    return tr_status_get();
}

/* Computes the segment again, recorded, and differentiates it. Where the gradient itself is
 * recorded this happens on the inputs themselves, else on copies without history. A variable stays
 * itself: the segment may reach it by another way than its arguments, as modules do with their
 * weights. */
static void checkpoint_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    const checkpoint_attributes *a = c->attributes;
    const bool                   create_graph = tr_set_recording(true);
    const size_t                 count = (size_t)c->input_count;
    tr_tensor                  **in = tr_scope_alloc(count * sizeof *in);
    for (size_t i = 0; in != NULL && i < count; i++) {
        const bool detach = !create_graph && c->in[i]->node != NULL;
        in[i] = detach ? tr_variable(tr_detach(c->in[i])) : c->in[i];
    }
    tr_tensor *y = in != NULL && !tri_failed() ? a->segment(a->context, in) : NULL;
    if (y != NULL && y->requires_grad)
        tr_grad(&y, 1, in, c->input_count, gin,
                &(tr_grad_options){ .cotangents = &g, .create_graph = create_graph });
    tr_set_recording(create_graph);
}

static tr_tensor *example_segment(void *context, tr_tensor *const *inputs)
{
    (void)context;
    return tr_tanh(tr_mul(inputs[0], tr_exp(inputs[0])));
}

const tr_op tri_op_checkpoint = {
    .name = "checkpoint", .arguments = { "inputs" }, .required = -1,
    .flags = TR_OP_VIEW | TR_OP_ANY_DTYPE, TR_OP_PLACE,
    .formula = "y = segment(inputs), computed again by backward",
    .gradient = "the segment's own",
    .forward = checkpoint_forward, .vjp = checkpoint_vjp,
    .examples = (const tr_example[]){
        { "x[2,3]", TRI_ATTRIBUTES(checkpoint_attributes, example_segment, NULL) },
        { "x[]", TRI_ATTRIBUTES(checkpoint_attributes, example_segment, NULL) },
        { "x[0,3]", TRI_ATTRIBUTES(checkpoint_attributes, example_segment, NULL) },
        { "x[5,1,2]", TRI_ATTRIBUTES(checkpoint_attributes, example_segment, NULL) },
        { "x[7]", TRI_ATTRIBUTES(checkpoint_attributes, example_segment, NULL) },
        { 0 } },
};

tr_tensor *tr_checkpoint(tr_function segment, void *context, tr_tensor *const *inputs,
                         int input_count)
{
    if ((segment == NULL && !tri_given(NULL, "checkpoint: the function")) ||
        !tri_given(inputs, "checkpoint: the list of inputs"))
        return NULL;
    const checkpoint_attributes a = { segment, context };
    return tr_apply(&tri_op_checkpoint, inputs, input_count, &a, sizeof a);
}
