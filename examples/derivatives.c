/* derivatives.c: differentiating twice, three times, and a penalty on a gradient: nothing extra to
 * write, because every gradient rule is made of operations. */
#include <tenrec.h>
#include <stdio.h>

int main(void)
{
    /* y = x^4: 4 x^3, 12 x^2, 24 x at x = 2 are 32, 48, 48. */
    const tr_grad_options again = { .create_graph = true };
    tr_tensor            *x = tr_variable(tr_scalar(TR_F64, 2));
    tr_tensor            *y = tr_square(tr_square(x));
    for (int order = 1; order <= 3; order++) {
        tr_tensor *derivative = NULL;
        tr_grad(&y, 1, &x, 1, &derivative, &again);
        printf("derivative %d at 2: %g\n", order, tr_item(derivative));
        y = derivative;
    }

    /* A loss that contains a gradient: |dh/dx|^2 of a small network, as contractive models use it.
     */
    tr_module *net =
        tr_nn_sequential(tr_nn_linear(3, 4, TR_TANH), tr_nn_linear(4, 1, TR_IDENTITY), NULL);
    tr_module_init(net, 1);
    tr_rng     rng = tr_rng_seed(1);
    tr_tensor *input = tr_variable(tr_normal(TR_F32, TR_SHAPE(5, 3), &rng));
    tr_tensor *output = tr_sum(tr_forward(net, input), TR_ALL_AXES, false);
    tr_tensor *slope = NULL;                                            /* [5, 3] */
    tr_grad(&output, 1, &input, 1, &slope, &again);
    tr_tensor *penalty = tr_mean(tr_square(slope), TR_ALL_AXES, false);
    tr_backward(penalty); /* to the weights, through slope */
    const tr_named_list parameters = tr_module_parameters(net);
    printf("penalty %.6f; its gradient by %s:\n", tr_item(penalty), parameters.items[0].name);
    if (tr_status_get() == TR_OK) tr_print(parameters.items[0].tensor->grad, stdout);
    return tr_status_print();
}
