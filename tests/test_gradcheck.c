/* test_gradcheck.c: the gradient check itself. A right rule passes to order 3; rules that are
 * wrong in the ways in which rules go wrong are caught, at the order where the mistake shows. */
#include "autograd/example.h"
#include "tests/numeric.h"

#include "autograd/tape.h"
#include "tests/suite.h"
#include <stdio.h>

/* --- Rules of y = x x + x, right and wrong ---------------------------------------------------- */

static tr_status polynomial_forward(tr_call *c)
{
    tr_tensor *y = tr_add(tr_square(tr_detach(c->in[0])), tr_detach(c->in[0]));
    return y != NULL ? tr_assign(c->out, y) : tr_status_get();
}

static void right_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_mul(g, tr_affine(c->in[0], 2, 1));
}

static void missing_factor_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_mul(g, tr_affine(c->in[0], 1, 1));
}

static void wrong_sign_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_mul(g, tr_affine(c->in[0], 2, -1));
}

static void overwritten_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = g;
    gin[0] = tr_mul(g, tr_scale(c->in[0], 2)); /* instead of adding to it */
}

static void forgotten_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    (void)c, (void)g, (void)gin;
}

static void slightly_wrong_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_mul(g, tr_affine(c->in[0], 2.00001, 1));
}

static void detached_factor_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_mul(g, tr_affine(tr_detach(c->in[0]), 2, 1));
}

static void detached_cotangent_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_mul(tr_detach(g), tr_affine(c->in[0], 2, 1));
}

static void one_element_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    right_vjp(c, g, gin);
    gin[0] = tr_mul(gin[0], tr_from(TR_F64, TR_SHAPE(4), (double[]){ 1, 1, 0, 1 }));
}

static void nan_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_log(tr_affine(tr_square(tr_mul(g, c->in[0])), -1, -1));
}

/* --- Rules of y = x + row, x [4, 3], row [3], and of y = a b ---------------------------------- */

static tr_status add_row_forward(tr_call *c)
{
    tr_tensor *y = tr_add(tr_detach(c->in[0]), tr_detach(c->in[1]));
    return y != NULL ? tr_assign(c->out, y) : tr_status_get();
}

static void mean_instead_of_sum_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    (void)c;
    gin[0] = g;
    gin[1] = tr_mean(g, TR_AXES(0), false);
}

static tr_status product_forward(tr_call *c)
{
    tr_tensor *y = tr_mul(tr_detach(c->in[0]), tr_detach(c->in[1]));
    return y != NULL ? tr_assign(c->out, y) : tr_status_get();
}

static void one_input_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_mul(g, c->in[1]);
}

static void swapped_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_mul(g, c->in[0]);
    gin[1] = tr_mul(g, c->in[1]);
}

typedef struct wrong_rule {
    const char *name;
    tr_status (*forward)(tr_call *c);
    void (*vjp)(tr_call *c, tr_tensor *g, tr_tensor **gin);
    const char *inputs;
    int         order; /* at which the mistake shows */
    int         input; /* where it is worst, -1: anywhere */
} wrong_rule;

static const wrong_rule wrong_rules[] = {
    { "missing factor", polynomial_forward, missing_factor_vjp, "x[4]", 1, 0 },
    { "wrong sign", polynomial_forward, wrong_sign_vjp, "x[4]", 1, 0 },
    { "overwritten", polynomial_forward, overwritten_vjp, "x[4]", 1, 0 },
    { "forgotten", polynomial_forward, forgotten_vjp, "x[4]", 1, 0 },
    { "slightly wrong", polynomial_forward, slightly_wrong_vjp, "x[4]", 1, 0 },
    { "one element wrong", polynomial_forward, one_element_vjp, "x[4]", 1, 0 },
    { "NaN", polynomial_forward, nan_vjp, "x[4]", 1, 0 },
    { "mean instead of sum", add_row_forward, mean_instead_of_sum_vjp, "x[4,3] x[3]", 1, 1 },
    { "forgotten input", product_forward, one_input_vjp, "x[4] x[4]", 1, 1 },
    { "swapped inputs", product_forward, swapped_vjp, "x[4] x[4]", 1, -1 },
    { "detached factor", polynomial_forward, detached_factor_vjp, "x[4]", 2, 0 },
    { "detached cotangent", polynomial_forward, detached_cotangent_vjp, "x[4]", 2, 1 },
};

START_TEST(catches_wrong_rules)
{
    for (size_t i = 0; i < sizeof wrong_rules / sizeof wrong_rules[0]; i++) {
        const wrong_rule *w = &wrong_rules[i];
        const tr_example  examples[] = { { .inputs = w->inputs }, { 0 } };
        const tr_op  op = { .name = "wrong", .arguments = { "a", "b" }, .required = 1,
                            .forward = w->forward, .vjp = w->vjp, .examples = examples };
        tr_scope    *scope = tr_scope_push();
        tri_op_check check;
        ck_assert_msg(tri_check_op(&op, 2, NULL, &check) == TR_OK, "%s: %s", w->name, tr_error());
        ck_assert_msg(check.count > 0 && check.checks[0].layout == TRI_CONTIGUOUS, "%s", w->name);
        for (int k = 0; k < check.count; k++) {
            const tr_gradcheck_result *r = &check.checks[k].result;
            if (check.checks[k].layout == TRI_REPEATED)
                continue; /* swapping equals is no mistake */
            ck_assert_msg(!r->passed, "%s is not caught", w->name);
            ck_assert_msg(r->order == w->order, "%s: order %d", w->name, r->order);
            ck_assert_msg(w->input < 0 || r->input == w->input, "%s: input %d", w->name, r->input);
            ck_assert(r->worst_error > 1e-6);
        }
        ck_assert_msg(check.failed > 0 && !check.checks[check.worst].result.passed, "%s", w->name);
        tr_scope_pop(scope);
    }
}
END_TEST

START_TEST(passes_a_right_rule)
{
    const tr_example examples[] = {
        { .inputs = "x[4]" }, { .inputs = "x[0]" }, { .inputs = "x[]" }, { 0 }
    };
    const tr_op  op = { .name = "right", .arguments = { "x" }, .forward = polynomial_forward,
                        .vjp = right_vjp, .examples = examples };
    tri_op_check check;
    ck_assert_msg(tri_check_op(&op, 3, NULL, &check) == TR_OK, "%s", tr_error());
    ck_assert_int_eq(check.failed, 0);
    ck_assert_int_eq(check.count, 5); /* stepped too, where there is an axis */
    ck_assert_int_eq(check.checks[check.worst].result.order, 3);
    ck_assert(check.checks[check.worst].result.worst_error < 1e-6);
}
END_TEST

/* --- As a function of one's own --------------------------------------------------------------- */

static tr_tensor *square_of(void *context, tr_tensor *const *inputs)
{
    (void)context;
    return tr_square(inputs[0]);
}

static tr_tensor *detached(void *context, tr_tensor *const *inputs)
{
    (void)context;
    return tr_square(tr_detach(inputs[0]));
}

static tr_tensor *noisy(void *context, tr_tensor *const *inputs)
{
    return tr_add(inputs[0], tr_normal(TR_F64, tr_shape_of(inputs[0]), context));
}

static tr_tensor *broken(void *context, tr_tensor *const *inputs)
{
    return tr_matmul(inputs[0], context);
}

START_TEST(restores_the_inputs_and_the_recording_flag)
{
    const double values[] = { 0.1, -1e-30, 1e30 };
    tr_tensor   *x = tr_variable(tr_from(TR_F64, TR_SHAPE(3), values));
    tr_gradcheck_result result;
    tr_set_recording(false);
    ck_assert_int_eq(tr_gradcheck(square_of, NULL, &x, 1, NULL, &result), TR_OK);
    ck_assert(!tr_set_recording(true));
    ck_assert(memcmp(x->data, values, sizeof values) == 0);
    ck_assert_ptr_null(x->grad);
}
END_TEST

START_TEST(a_function_without_graph_has_gradient_zero)
{
    tr_tensor          *x = tr_variable(tr_ones(TR_F64, TR_SHAPE(2)));
    tr_gradcheck_result result;
    ck_assert_int_eq(tr_gradcheck(detached, NULL, &x, 1, NULL, &result), TR_OK);
    ck_assert(!result.passed);
    ck_assert_double_eq(result.analytic, 0);
    ck_assert_double_eq_tol(result.worst_error, 1, 1e-6);
}
END_TEST

/* x + x x, without the gradient of the second term: the larger x, the larger its part. */
static tr_tensor *half_detached(void *context, tr_tensor *const *inputs)
{
    return tr_add(inputs[0], detached(context, inputs));
}

START_TEST(lists_the_worst_elements_in_order)
{
    FILE  *stream = tmpfile();
    char   line[200] = "";
    double values[40];
    for (int i = 0; i < 40; i++) values[i] = 1 + i * 7 % 40;
    tr_tensor                 *x = tr_variable(tr_from(TR_F64, TR_SHAPE(40), values));
    const tr_gradcheck_options options = { .table = stream };
    tr_gradcheck_result        result;
    ck_assert_int_eq(tr_gradcheck(half_detached, NULL, &x, 1, &options, &result), TR_OK);
    rewind(stream);
    for (int i = 0; i < 2; i++) ck_assert_ptr_nonnull(fgets(line, sizeof line, stream));
    for (int i = 0; i < 10; i++) {
        int    input, element;
        double analytic, numeric;
        ck_assert_ptr_nonnull(fgets(line, sizeof line, stream));
        ck_assert_int_eq(sscanf(line, "%d %d %lf %lf", &input, &element, &analytic, &numeric), 4);
        ck_assert_msg(input == 0 && element >= 0 && element < 40 && values[element] == 40 - i, "%s",
                      line);
        ck_assert_double_eq_tol(numeric / analytic, 1 + 2 * values[element], 1e-4);
    }
    fclose(stream);
    ck_assert_double_eq_tol(result.worst_error, 80 / 81.0, 1e-6);
}
END_TEST

START_TEST(prints_a_table_of_the_worst_elements)
{
    FILE                      *stream = tmpfile();
    char                       text[4000] = "";
    tr_tensor                 *x = tr_variable(tr_ones(TR_F64, TR_SHAPE(40)));
    const tr_gradcheck_options options = { .table = stream };
    tr_gradcheck_result        result;
    ck_assert_int_eq(tr_gradcheck(detached, NULL, &x, 1, &options, &result), TR_OK);
    rewind(stream);
    text[fread(text, 1, sizeof text - 1, stream)] = '\0';
    fclose(stream);
    const char *expected = "gradient check of order 1, tolerance 1e-06; the worst elements:\n"
                           "     input  element                 analytic                  numeric";
    ck_assert_msg(strncmp(text, expected, strlen(expected)) == 0, "%s", text);
    int lines = 0;
    for (const char *c = text; *c != '\0'; c++) lines += *c == '\n';
    ck_assert_int_eq(lines, 12); /* two of heading, the ten worst */
}
END_TEST

START_TEST(says_what_it_cannot_check)
{
    tr_gradcheck_result result;
    tr_tensor          *x = tr_variable(tr_ones(TR_F32, TR_SHAPE(2)));
    tr_gradcheck(square_of, NULL, &x, 1, NULL, &result);
    expect_error(TR_ERR_DTYPE, "gradcheck: input 0 is f32[2]; variables must be f64");
    const int64_t stride[] = { 0 };
    x = tr_variable(tri_view(tr_scalar(TR_F64, 1), TR_SHAPE(2), stride, 0));
    tr_gradcheck(square_of, NULL, &x, 1, NULL, &result);
    expect_error(TR_ERR_VALUE, "gradcheck: input 0, f64[2], repeats one element; give a copy");
    x = tr_variable(tr_ones(TR_F64, TR_SHAPE(2)));
    tr_rng rng = tr_rng_seed(1);
    tr_gradcheck(noisy, &rng, &x, 1, NULL, &result);
    expect_error(TR_ERR_VALUE, "gradcheck: the function gave two results for the same inputs; draw "
                               "random numbers outside it");
    tr_gradcheck(square_of, NULL, &x, 1, &(tr_gradcheck_options){ .order = 4 }, &result);
    expect_error(TR_ERR_VALUE, "gradcheck: order 4 is not in 1 .. 3");
    tr_gradcheck(broken, tr_ones(TR_F64, TR_SHAPE(3, 1)), &x, 1, NULL, &result);
    expect_error(TR_ERR_SHAPE, "matmul: inner dimensions differ: a is f64[1, 2], b is f64[3, 1]");
    ck_assert(!result.passed);
}
END_TEST

/* --- Examples --------------------------------------------------------------------------------- */

START_TEST(builds_the_inputs_that_an_example_describes)
{
    const tr_example e = { .inputs = "x[2,3] p[] i5[4,0] b[7] d[6] s[2,2] w[3,3] u[50]" };
    tr_tensor       *plain[TRI_MAX_EXAMPLE_INPUTS], *other[TRI_MAX_EXAMPLE_INPUTS];
    ck_assert_int_eq(tri_example_inputs(&e, TR_F32, TRI_CONTIGUOUS, 3, plain), 8);
    const char *expected[] = { "f32[2, 3]", "f32[]",     "i64[4, 0]", "u8[7]",
                               "f32[6]",    "f32[2, 2]", "f32[3, 3]", "f32[50]" };
    for (int i = 0; i < 8; i++) {
        char text[100];
        ck_assert_str_eq(tr_describe(plain[i], text, sizeof text), expected[i]);
    }
    for (int layout = TRI_PERMUTED; layout <= TRI_STEPPED; layout++) {
        ck_assert_int_eq(tri_example_inputs(&e, TR_F64, (tri_layout)layout, 3, other), 8);
        ck_assert(!tr_is_contiguous(other[0]));
        for (int i = 0; i < 8; i++) {
            tr_tensor *copy = tr_empty(plain[i]->dtype, tr_shape_of(plain[i]));
            ck_assert_int_eq(tr_assign(copy, other[i]), TR_OK);
            expect_equal(copy, plain[i], "example", i);
        }
    }
    for (int64_t i = 0; i < 50; i++)
        ck_assert(get(plain[7], i) > 0.049 && get(plain[7], i) < 0.951);
    const tr_example pair = { .inputs = "x[2] x[2]" };
    ck_assert_int_eq(tri_example_inputs(&pair, TR_F64, TRI_REPEATED, 3, other), 2);
    ck_assert_ptr_eq(other[0], other[1]);
    const tr_example odd = { .inputs = "x[2] y[3]" };
    ck_assert_int_eq(tri_example_inputs(&odd, TR_F64, TRI_CONTIGUOUS, 3, other), 0);
    expect_error(TR_ERR_VALUE, "example: \"y[3]\" does not start with a tensor like x[2,3]");
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { catches_wrong_rules },
        { passes_a_right_rule },
        { restores_the_inputs_and_the_recording_flag },
        { a_function_without_graph_has_gradient_zero },
        { lists_the_worst_elements_in_order },
        { prints_a_table_of_the_worst_elements },
        { says_what_it_cannot_check },
        { builds_the_inputs_that_an_example_describes },
        { 0 },
    };
    return run_tests("gradcheck", NULL, NULL, tests);
}
