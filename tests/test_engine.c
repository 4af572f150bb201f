/* test_engine.c: recording and differentiation: sums over paths, higher orders, what is recorded
 * and what is not, deep graphs, operations of one's own, and every error to the letter. Wrong
 * gradient rules are in test_gradcheck.c. */
#include "tests/numeric.h"
#include "autograd/tape.h"
#include "tests/suite.h"

#include <math.h>
#include <stdio.h>

static tr_tensor *vector(int64_t n, const double *values)
{
    return tr_from(TR_F64, TR_SHAPE(n), values);
}

static tr_tensor *variable(int64_t n, const double *values)
{
    return tr_variable(vector(n, values));
}

static tr_tensor *total(tr_tensor *x)
{
    return tr_sum(x, TR_ALL_AXES, false);
}

static void expect_values(const tr_tensor *t, const double *expected)
{
    double values[16];
    ck_assert_msg(t != NULL, "%s", tr_error());
    ck_assert_int_eq(tr_copy_out(t, values), TR_OK);
    for (int64_t i = 0; i < tr_numel(t); i++)
        ck_assert_double_eq_tol(values[i], expected[i], 1e-12);
}

static const double abc[] = { 1, -2, 3 };

/* --- Sums over paths -------------------------------------------------------------------------- */

START_TEST(sums_the_gradients_of_a_value_used_twice)
{
    tr_tensor *x = variable(3, abc);
    ck_assert_int_eq(tr_backward(total(tr_add(tr_mul(x, x), x))), TR_OK);
    expect_values(x->grad, (double[]){ 3, -3, 7 }); /* 2 x + 1 */
}
END_TEST

START_TEST(sums_the_gradients_of_skip_connections)
{
    tr_tensor *x = variable(3, abc), *h = x;
    for (int i = 0; i < 3; i++) h = tr_add(h, tr_scale(h, 2)); /* h = 27 x */
    tr_tensor *y = tr_add(tr_add(h, x), tr_scale(x, 0.5));
    ck_assert_int_eq(tr_backward(total(y)), TR_OK);
    expect_values(x->grad, (double[]){ 28.5, 28.5, 28.5 });
}
END_TEST

START_TEST(adds_up_over_backward_calls_until_cleared)
{
    tr_tensor *x = variable(3, abc);
    for (int i = 0; i < 3; i++) {
        tr_scope *step = tr_scope_push();
        ck_assert_int_eq(tr_backward(total(tr_square(x))), TR_OK);
        tr_scope_pop(step);
    }
    expect_values(x->grad, (double[]){ 6, -12, 18 });
    tr_clear_grad(x);
    ck_assert_ptr_null(x->grad);
    tr_clear_grad(x);
    tr_clear_grad(NULL);
    ck_assert_int_eq(tr_backward(total(x)), TR_OK);
    expect_values(x->grad, (double[]){ 1, 1, 1 });
}
END_TEST

START_TEST(differentiates_by_intermediate_tensors)
{
    tr_tensor *x = variable(3, abc), *other = variable(3, abc);
    tr_tensor *h = tr_square(x), *y = total(tr_mul(h, h)), *g[3];
    ck_assert_int_eq(tr_grad(&y, 1, (tr_tensor *[]){ h, x, other }, 3, g, NULL), TR_OK);
    expect_values(g[0], (double[]){ 2, 8, 18 });
    expect_values(g[1], (double[]){ 4, -32, 108 });
    expect_values(g[2], (double[]){ 0, 0, 0 });
    ck_assert_ptr_null(x->grad);
    ck_assert(!g[1]->requires_grad);
}
END_TEST

START_TEST(sums_over_outputs_with_their_cotangents)
{
    tr_tensor *x = variable(3, abc), *y[2] = { tr_square(x), tr_scale(x, 3) }, *g;
    tr_tensor *v[2] = { vector(3, (double[]){ 1, 10, 100 }), vector(3, (double[]){ 0, 0, 1 }) };
    const tr_grad_options options = { .cotangents = v };
    ck_assert_int_eq(tr_grad(y, 2, &x, 1, &g, &options), TR_OK);
    expect_values(g, (double[]){ 2, -40, 603 });
}
END_TEST

/* --- Orders ----------------------------------------------------------------------------------- */

START_TEST(differentiates_three_times)
{
    tr_tensor            *x = variable(3, abc), *y = total(tr_square(tr_square(x))), *g;
    const tr_grad_options keep = { .create_graph = true };
    const double          expected[3][3] = { { 4, -32, 108 }, { 12, 48, 108 }, { 24, -48, 72 } };
    for (int order = 0; order < 3; order++) {
        ck_assert_int_eq(tr_grad(&y, 1, &x, 1, &g, &keep), TR_OK);
        expect_values(g, expected[order]);
        y = total(g);
    }
}
END_TEST

START_TEST(a_gradient_without_graph_is_not_differentiated)
{
    tr_tensor *x = variable(3, abc), *y = total(tr_square(x)), *g;
    ck_assert_int_eq(tr_grad(&y, 1, &x, 1, &g, NULL), TR_OK);
    tr_tensor *sum = total(g);
    ck_assert_int_eq(tr_grad(&sum, 1, &x, 1, &g, NULL), TR_ERR_STATE);
    ck_assert_ptr_null(g);
    expect_error(TR_ERR_STATE,
                 "grad: f64[] carries no graph: no variable is involved, recording was off, "
                 "or it is a gradient computed without create_graph");
}
END_TEST

/* --- What is recorded ------------------------------------------------------------------------- */

START_TEST(records_nothing_when_told_so)
{
    tr_tensor *x = variable(3, abc);
    ck_assert(tr_set_recording(false));
    tr_tensor *y = total(x);
    ck_assert(!tr_set_recording(true));
    ck_assert(!y->requires_grad);
    ck_assert_ptr_null(y->node);
    ck_assert_int_eq(tr_backward(y), TR_ERR_STATE);
    expect_error(TR_ERR_STATE,
                 "backward: f64[] carries no graph: no variable is involved, recording was "
                 "off, or it is a gradient computed without create_graph");
}
END_TEST

START_TEST(stops_at_detached_values)
{
    tr_tensor *x = variable(3, abc);
    ck_assert_int_eq(tr_backward(total(tr_mul(tr_detach(tr_square(x)), x))), TR_OK);
    expect_values(x->grad, (double[]){ 1, 4, 9 });
}
END_TEST

START_TEST(a_scope_forgets_its_part_of_the_tape)
{
    tr_tensor *x = variable(3, abc), *h = tr_square(x);
    tr_scope  *scope = tr_scope_push();
    tr_tensor *lost = tr_exp(h);
    tr_scope_pop(scope);
    ck_assert_ptr_null(tr_neg(lost));
    expect_error(TR_ERR_STATE, "neg: tensor from a closed scope; hand it out with tr_scope_keep");
    ck_assert_int_eq(tr_backward(total(h)), TR_OK);
    expect_values(x->grad, (double[]){ 2, -4, 6 });
}
END_TEST

START_TEST(differentiates_a_graph_of_a_million_operations)
{
    tr_scope  *scope = tr_scope_push();
    tr_tensor *x = tr_variable(tr_scalar(TR_F64, 2)), *y = x;
    for (int i = 0; i < 1000000; i++) y = tr_neg(y);
    ck_assert_int_eq(tr_backward(y), TR_OK);
    ck_assert_double_eq(tr_item(x->grad), 1);
    tr_scope_pop(scope);
    tr_memory_trim();
}
END_TEST

/* --- Errors ----------------------------------------------------------------------------------- */

START_TEST(notices_changes_in_place)
{
    tr_tensor *x = variable(3, abc), *loss = total(tr_square(x));
    ck_assert_int_eq(tr_fill(x, 0), TR_OK);
    ck_assert_int_eq(tr_backward(loss), TR_ERR_STATE);
    expect_error(
        TR_ERR_STATE,
        "backward: input 0 of square was changed in place after it was used; assign to a copy");
    ck_assert_ptr_null(x->grad);

    tr_tensor *y = tr_exp(tr_variable(tr_scalar(TR_F64, 1)));
    ck_assert_int_eq(tr_fill(y, 0), TR_ERR_STATE);
    expect_error(TR_ERR_STATE,
                 "fill: the tensor is part of a graph; change a copy of it (tr_detach)");
    tr_fill(tr_detach(y), 0); /* the same memory */
    ck_assert_int_eq(tr_backward(y), TR_ERR_STATE);
    expect_error(
        TR_ERR_STATE,
        "backward: the result of exp was changed in place after it was used; assign to a copy");
}
END_TEST

START_TEST(wants_one_value_or_a_cotangent)
{
    tr_tensor *x = variable(3, abc), *y = tr_square(x), *g;
    tr_backward(y);
    expect_error(TR_ERR_SHAPE,
                 "backward: f64[3] does not hold one value; reduce it (tr_mean, tr_sum)");
    tr_grad(&y, 1, &x, 1, &g, NULL);
    expect_error(TR_ERR_SHAPE,
                 "grad: f64[3] does not hold one value; reduce it (tr_mean, tr_sum) or give "
                 "a cotangent");
    tr_tensor            *v = tr_ones(TR_F64, TR_SHAPE(2));
    const tr_grad_options options = { .cotangents = &v };
    tr_grad(&y, 1, &x, 1, &g, &options);
    expect_error(TR_ERR_SHAPE, "grad: the cotangent is f64[2], its output is f64[3]");
    tr_backward(NULL);
    expect_error(TR_ERR_VALUE, "backward: the tensor is NULL");
    tr_tensor *none = NULL;
    y = total(y);
    tr_grad(&y, 1, &none, 1, &g, NULL);
    expect_error(TR_ERR_VALUE, "grad: the tensor is NULL");
}
END_TEST

START_TEST(refuses_what_cannot_be_a_variable)
{
    ck_assert_ptr_null(tr_variable(tr_neg(variable(3, abc))));
    expect_error(TR_ERR_STATE,
                 "variable: f64[3] was computed by a recorded operation; only f32 and f64 "
                 "leaves can be variables");
    ck_assert_ptr_null(tr_variable(tr_arange(TR_I64, 4)));
    expect_error(TR_ERR_STATE,
                 "variable: i64[4] has no derivative; only f32 and f64 leaves can be variables");
    ck_assert_ptr_null(tr_variable(NULL));
    expect_error(TR_ERR_VALUE, "variable: the tensor is NULL");
}
END_TEST

START_TEST(names_operation_and_arguments)
{
    tr_tensor *a = tr_ones(TR_F64, TR_SHAPE(2, 3)), *b = tr_ones(TR_F64, TR_SHAPE(2));
    ck_assert_ptr_null(tr_add(a, b));
    expect_error(TR_ERR_SHAPE,
                 "add: shapes do not broadcast: a is f64[2, 3], b is f64[2]; sizes must be "
                 "equal or 1, counted from the last axis");
    tr_mul(a, tr_ones(TR_F32, TR_SHAPE(3)));
    expect_error(TR_ERR_DTYPE,
                 "mul: dtypes differ: a is f64[2, 3], b is f32[3]; convert one with tr_cast");
    tr_exp(tr_arange(TR_I64, 2));
    expect_error(TR_ERR_DTYPE, "exp: f32 or f64 is needed: x is i64[2]; convert with tr_cast");
    tr_add(a, NULL);
    expect_error(TR_ERR_VALUE, "add: b is NULL");
    tr_apply(tr_op_find("add"), &a, 1, NULL, 0);
    expect_error(TR_ERR_VALUE, "add: 1 inputs were given, 2 are needed");
    tr_fail(TR_ERR_VALUE, "first");
    ck_assert_ptr_null(tr_add(a, a)); /* after an error nothing runs */
    expect_error(TR_ERR_VALUE, "first");
}
END_TEST

/* --- Anomalies -------------------------------------------------------------------------------- */

START_TEST(names_the_first_operation_that_gives_nan_or_inf)
{
    tr_tensor *x = variable(3, abc);
    char expected[200];
    ck_assert(!tr_set_anomaly_detection(true));
    ck_assert_ptr_null(tr_add(tr_exp(x), tr_log(x)));
    snprintf(expected, sizeof expected,
             "log: the result has NaN at element 1, operation %llu of the tape: x is f64[3]",
             (unsigned long long)tri_this_thread()->counter);
    expect_error(TR_ERR_VALUE, expected);
    tr_tensor *root = tr_sqrt(tr_variable(tr_scalar(TR_F64, 0)));
    snprintf(expected, sizeof expected,
             "sqrt: the gradient has Inf at element 0, operation %llu of the tape: x is f64[]",
             (unsigned long long)root->node->serial);
    ck_assert_int_eq(tr_backward(tr_scale(root, 3)), TR_ERR_VALUE);
    expect_error(TR_ERR_VALUE, expected);
    ck_assert(tr_set_anomaly_detection(false));
}
END_TEST

/* --- Operations of one's own ------------------------------------------------------------------ */

/* y = x^n by repeated multiplication, with public means only; gx = n g x^(n - 1) */
typedef struct own_attributes {
    int n;
} own_attributes;

static tr_tensor *own_power(tr_tensor *x, int n);

static tr_status own_forward(tr_call *c)
{
    const own_attributes *a = c->attributes;
    double               *y = c->out->data;
    if (tr_copy_out(c->in[0], y) != TR_OK) return tr_status_get();
    for (int64_t i = 0; i < tr_numel(c->out); i++) {
        const double x = y[i];
        y[i] = 1;
        for (int k = 0; k < a->n; k++) y[i] *= x;
    }
    return TR_OK;
}

static void own_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    const own_attributes *a = c->attributes;
    if (a->n > 0) gin[0] = tr_scale(tr_mul(g, own_power(c->in[0], a->n - 1)), a->n);
}

static const tr_op own_op = {
    .name = "own_power", .arguments = { "x" }, TR_OP_PLACE, .formula = "y = x^n",
    .gradient = "gx = n g x^(n - 1)", .forward = own_forward, .vjp = own_vjp,
};

static tr_tensor *own_power(tr_tensor *x, int n)
{
    const own_attributes a = { n };
    return tr_apply(&own_op, &x, 1, &a, sizeof a);
}

static tr_tensor *fourth_power(void *context, tr_tensor *const *inputs)
{
    (void)context;
    return own_power(inputs[0], 4);
}

START_TEST(takes_operations_from_user_code)
{
    tr_tensor            *x = variable(3, abc), *y = total(own_power(x, 3)), *g;
    const tr_grad_options keep = { .create_graph = true };
    ck_assert_int_eq(tr_grad(&y, 1, &x, 1, &g, &keep),
                     TR_OK); /* the attributes outlived the call */
    expect_values(g, (double[]){ 3, 12, 27 });
    y = total(g);
    ck_assert_int_eq(tr_grad(&y, 1, &x, 1, &g, NULL), TR_OK);
    expect_values(g, (double[]){ 6, -12, 18 });

    tr_gradcheck_result        result;
    const tr_gradcheck_options options = { .order = 3 };
    ck_assert_int_eq(tr_gradcheck(fourth_power, NULL, &x, 1, &options, &result), TR_OK);
    ck_assert(result.passed && result.order == 3);
}
END_TEST

static void wrong_shape_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    (void)c;
    gin[0] = tr_sum(g, TR_AXES(0), true);
}

START_TEST(checks_the_shape_that_a_rule_gives)
{
    const tr_op          op = { .name = "odd", .arguments = { "x" }, .forward = own_forward,
                                .vjp = wrong_shape_vjp };
    const own_attributes a = { 1 };
    tr_tensor           *x = variable(3, abc);
    ck_assert_int_eq(tr_backward(total(tr_apply(&op, &x, 1, &a, sizeof a))), TR_ERR_SHAPE);
    expect_error(TR_ERR_SHAPE,
                 "backward of odd: the rule gave f64[1] for input 0, which is f64[3]");
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { sums_the_gradients_of_a_value_used_twice },
        { sums_the_gradients_of_skip_connections },
        { adds_up_over_backward_calls_until_cleared },
        { differentiates_by_intermediate_tensors },
        { sums_over_outputs_with_their_cotangents },
        { differentiates_three_times },
        { a_gradient_without_graph_is_not_differentiated },
        { records_nothing_when_told_so },
        { stops_at_detached_values },
        { a_scope_forgets_its_part_of_the_tape },
        { differentiates_a_graph_of_a_million_operations },
        { notices_changes_in_place },
        { wants_one_value_or_a_cotangent },
        { refuses_what_cannot_be_a_variable },
        { names_operation_and_arguments },
        { names_the_first_operation_that_gives_nan_or_inf },
        { takes_operations_from_user_code },
        { checks_the_shape_that_a_rule_gives },
        { 0 },
    };
    return run_tests("engine", NULL, NULL, tests);
}
