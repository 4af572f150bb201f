/* operation.c: an operation of your own, y = x^3, checked against differences and differentiated
 * twice. */
#include <tenrec.h>
#include <stdio.h>

/* y = x^3        gx = 3 g x^2 */
static tr_status cube_forward(tr_call *c)
{
    return tr_assign(c->out, tr_mul(c->in[0], tr_square(c->in[0])));
}

static void cube_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_scale(tr_mul(g, tr_square(c->in[0])), 3);
}

static const tr_op op_cube = {
    .name = "cube", .arguments = { "x" }, TR_OP_PLACE,
    .formula = "y = x^3", .gradient = "gx = 3 g x^2", .forward = cube_forward, .vjp = cube_vjp,
};

static tr_tensor *cube(tr_tensor *x)
{
    return tr_apply(&op_cube, &x, 1, NULL, 0);
}

static tr_tensor *function(void *context, tr_tensor *const *inputs)
{
    (void)context;
    return cube(inputs[0]);
}

int main(void)
{
    tr_rng              rng = tr_rng_seed(1);
    tr_tensor          *x = tr_variable(tr_normal(TR_F64, TR_SHAPE(2, 3), &rng));
    tr_gradcheck_result result;
    tr_gradcheck(function, NULL, &x, 1, &(tr_gradcheck_options){ .order = 2 }, &result);
    printf("gradient check to order %d: %s, worst error %.1e\n", result.order,
           result.passed ? "passed" : "FAILED", result.worst_error);
    tr_tensor *hessian =
        tr_hvp(function, NULL, tr_ones(TR_F64, TR_SCALAR), tr_ones(TR_F64, TR_SCALAR));
    printf("second derivative at 1: %g\n", tr_item(hessian));
    return tr_status_print() != 0 || !result.passed;
}
