/* test_ops.c: what every operation must satisfy, run over the list in ops.def and each operation's
 * examples: described in full, right gradients of order 1 and 2, the same values in f32 and f64,
 * for any layout of the inputs, on any number of threads and instruction set, and a fast rule
 * equal to the readable one. Values against obvious loops are in the test_ops_*.c beside this
 * file. */
#include "autograd/example.h"
#include "autograd/tape.h"
#include "tests/numeric.h"
#include "tests/suite.h"

#include <math.h>
#include <stdio.h>

/* The result of one example and the gradients of the sum of its values, one after the other. */
typedef struct outcome {
    int64_t count, result_count;
    bool    floating;
    double *values;
} outcome;

typedef struct variant {
    tr_dtype   dtype;
    tri_layout layout;
    bool       create_graph;
} variant;

static void append(outcome *o, const tr_tensor *t)
{
    double       *values = tr_scope_alloc((size_t)(o->count + tr_numel(t)) * sizeof *values);
    const int64_t n = tr_numel(t);
    tr_tensor    *plain = tr_empty(t->dtype, tr_shape_of(t));
    ck_assert_int_eq(tr_assign(plain, t), TR_OK);
    for (int64_t i = 0; i < o->count; i++) values[i] = o->values[i];
    for (int64_t i = 0; i < n; i++) values[o->count + i] = get(plain, i);
    o->values = values;
    o->count += n;
}

static outcome run(const tr_op *op, const tr_example *e, const variant *v)
{
    tr_tensor *in[TRI_MAX_EXAMPLE_INPUTS], *gradients[TRI_MAX_EXAMPLE_INPUTS];
    tr_tensor *variables[TRI_MAX_EXAMPLE_INPUTS];
    const int  n = tri_example_inputs(e, v->dtype, v->layout, 7, in);
    int        wanted = 0;
    ck_assert_msg(n > 0, "%s: %s", op->name, tr_error());
    for (int i = 0; i < n; i++)
        if (in[i]->dtype == v->dtype) variables[wanted++] = tr_variable(in[i]);
    outcome         o = { 0 };
    const tr_scope *scope = tri_this_thread()->scope;
    tr_tensor      *y = tr_apply(op, in, n, e->attributes, e->attribute_bytes);
    ck_assert_msg(y != NULL, "%s of %s: %s", op->name, e->inputs, tr_error());
    ck_assert_msg(tri_this_thread()->scope == scope, "%s leaves a scope open", op->name);
    append(&o, y);
    o.result_count = o.count;
    o.floating = y->dtype == v->dtype;
    if (!y->requires_grad) return o;
    const tr_grad_options options = { .cotangents =
                                          (tr_tensor *[]){ tr_ones(y->dtype, tr_shape_of(y)) },
                                      .create_graph = v->create_graph };
    ck_assert_msg(tr_grad(&y, 1, variables, wanted, gradients, &options) == TR_OK, "%s of %s: %s",
                  op->name, e->inputs, tr_error());
    ck_assert_msg(tri_this_thread()->scope == scope, "%s: a rule leaves a scope open", op->name);
    for (int i = 0; i < wanted; i++) append(&o, gradients[i]);
    return o;
}

/* Equal to `tolerance`, relative to the largest value, and to 1 where all are smaller. */
static void expect_close(const tr_op *op, const tr_example *e, const outcome *a, const outcome *b,
                         double tolerance, const char *what)
{
    double largest = 1;
    ck_assert_msg(a->count == b->count, "%s of %s: %s: %d values, not %d", op->name, e->inputs,
                  what, (int)a->count, (int)b->count);
    for (int64_t i = 0; i < b->count; i++)
        if (isfinite(b->values[i])) largest = fmax(largest, fabs(b->values[i]));
    for (int64_t i = 0; i < a->count; i++) {
        const double x = a->values[i], y = b->values[i];
        ck_assert_msg(x == y || (isnan(x) && isnan(y)) || fabs(x - y) <= tolerance * largest,
                      "%s of %s: %s: %s %d is %.17g, not %.17g", op->name, e->inputs, what,
                      i < a->result_count ? "value" : "gradient", (int)i, x, y);
    }
}

static void for_every_example(void (*body)(const tr_op *op, const tr_example *e))
{
    int                 count;
    const tr_op *const *ops = tr_ops(&count);
    tr_error_clear(); /* of the test before */
    for (int i = 0; i < count; i++)
        for (const tr_example *e = ops[i]->examples; e != NULL && e->inputs != NULL; e++) {
            tr_scope *scope = tr_scope_push();
            body(ops[i], e);
            tr_scope_pop(scope);
        }
}

START_TEST(every_operation_is_described)
{
    int                 count;
    const tr_op *const *ops = tr_ops(&count);
    for (int i = 0; i < count; i++) {
        const tr_op *op = ops[i];
        ck_assert_ptr_nonnull(op->name);
        ck_assert_msg(op->arguments[0] != NULL, "%s: arguments have no names", op->name);
        ck_assert_msg(op->formula != NULL && op->formula[0] != '\0', "%s: no formula", op->name);
        ck_assert_msg(op->gradient != NULL && op->gradient[0] != '\0', "%s: no gradient text",
                      op->name);
        ck_assert_msg(op->file != NULL && op->line > 0, "%s: no place", op->name);
        ck_assert_msg(op->forward != NULL, "%s: no forward", op->name);
        ck_assert_msg(op->vjp != NULL || (op->flags & TR_OP_NO_GRADIENT) != 0, "%s: no rule",
                      op->name);
        ck_assert_msg(op->examples != NULL && op->examples[0].inputs != NULL, "%s: no example",
                      op->name);
        ck_assert_ptr_eq(tr_op_find(op->name), op);
    }
    ck_assert_ptr_null(tr_op_find("no_such_operation"));
}
END_TEST

/* The number of failed checks; a table of each goes to stderr. */
static int check_gradients(const tr_op *op, int order)
{
    tr_scope *scope = tr_scope_push();
    tri_op_check check;
    ck_assert_msg(tri_check_op(op, order, stderr, &check) == TR_OK, "%s: %s", op->name, tr_error());
    if ((op->flags & TR_OP_NO_GRADIENT) == 0)
        ck_assert_msg(check.count >= 10, "%s: %d examples and layouts; 10 are wanted", op->name,
                      check.count);
    tr_scope_pop(scope);
    return check.failed;
}

START_TEST(gradients_equal_differences_to_order_2)
{
    int count, failed = 0;
    const tr_op *const *ops = tr_ops(&count);
    for (int i = 0; i < count; i++) failed += check_gradients(ops[i], 2);
    ck_assert_msg(failed == 0, "%d gradient checks failed", failed);
}
END_TEST

START_TEST(some_gradients_equal_differences_to_order_3)
{
    static const char *const names[] = { "mul", "div", "pow", "atan2", "tanh", "sigmoid",
                                         "softplus", "erf", "lgamma", "asin", "clamp", "where",
                                         "sum", "matmul", "linear", "rsqrt" };
    int failed = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        ck_assert_msg(tr_op_find(names[i]) != NULL, "%s", names[i]);
        failed += check_gradients(tr_op_find(names[i]), 3);
    }
    ck_assert_msg(failed == 0, "%d gradient checks failed", failed);
}
END_TEST

static void compare_dtypes(const tr_op *op, const tr_example *e)
{
    const outcome f32 = run(op, e, &(variant){ .dtype = TR_F32 });
    const outcome f64 = run(op, e, &(variant){ .dtype = TR_F64 });
    if (f32.floating == f64.floating) expect_close(op, e, &f32, &f64, 1e-5, "f32 against f64");
}

START_TEST(f32_equals_f64)
{
    for_every_example(compare_dtypes);
}
END_TEST

static void compare_layouts(const tr_op *op, const tr_example *e)
{
    const outcome plain = run(op, e, &(variant){ .dtype = TR_F64 });
    for (int layout = TRI_PERMUTED; layout <= TRI_STEPPED; layout++) {
        const outcome o = run(op, e, &(variant){ .dtype = TR_F64, .layout = (tri_layout)layout });
        expect_close(op, e, &o, &plain, 1e-13, tri_layout_name((tri_layout)layout));
    }
}

START_TEST(layout_of_inputs_does_not_matter)
{
    for_every_example(compare_layouts);
}
END_TEST

static void compare_rules(const tr_op *op, const tr_example *e)
{
    if (op->fast_vjp == NULL) return;
    const outcome fast = run(op, e, &(variant){ .dtype = TR_F64 });
    const outcome slow = run(op, e, &(variant){ .dtype = TR_F64, .create_graph = true });
    expect_close(op, e, &fast, &slow, 1e-13, "fast rule against rule");
}

START_TEST(fast_rules_equal_rules)
{
    for_every_example(compare_rules);
}
END_TEST

static void compare_threads(const tr_op *op, const tr_example *e)
{
    for (tr_dtype dtype = TR_F32; dtype <= TR_F64; dtype++) {
        tr_set_threads(1);
        const outcome one = run(op, e, &(variant){ .dtype = dtype });
        tr_set_threads(2);
        const outcome two = run(op, e, &(variant){ .dtype = dtype });
        tr_set_threads(1);
        ck_assert_int_eq(one.count, two.count);
        ck_assert_msg(one.count == 0 || memcmp(one.values, two.values,
                                               (size_t)one.count * sizeof(double)) == 0,
                      "%s of %s: %s: other bits on two threads", op->name, e->inputs, tr_isa());
    }
}

static void compare_isa(const tr_op *op, const tr_example *e)
{
    const char   *isa = tr_isa();
    const outcome own = run(op, e, &(variant){ .dtype = TR_F64 });
    ck_assert_int_eq(tr_set_isa("portable"), TR_OK);
    const outcome portable = run(op, e, &(variant){ .dtype = TR_F64 });
    ck_assert_int_eq(tr_set_isa(isa), TR_OK);
    expect_close(op, e, &own, &portable, 1e-13, isa);
}

static void on_this_isa(void)
{
    for_every_example(compare_threads);
    for_every_example(compare_isa);
}

START_TEST(threads_and_instruction_sets_do_not_matter)
{
    on_every_isa(on_this_isa);
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { every_operation_is_described },
        { gradients_equal_differences_to_order_2 },
        { some_gradients_equal_differences_to_order_3 },
        { f32_equals_f64 },
        { layout_of_inputs_does_not_matter },
        { fast_rules_equal_rules },
        { threads_and_instruction_sets_do_not_matter },
        { 0 },
    };
    tr_set_threads(1); /* tiny tensors: a team would only wait */
    return run_tests("ops", NULL, NULL, tests);
}
