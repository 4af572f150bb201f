/* jacobian.c: how much a code moves when the picture does: the norm of the encoder's Jacobian. Each
 * number of the code needs a walk back through the graph of its own, from which its derivatives by
 * all pixels come at once; pictures of a batch do not mix, so one walk serves them all. Read next:
 * contractive.c, which makes this norm small. */
#include "models/zoo.h"

tr_tensor *tri_squared_slope(tr_tensor *projection, tr_tensor *x, bool differentiable)
{
    tr_tensor *total = tr_sum(projection, TR_ALL_AXES, false), *g = NULL;
    tr_grad(&total, 1, &x, 1, &g, &(tr_grad_options){ .create_graph = differentiable });
    return tr_sum(tr_square(tr_flatten(g, 1)), TR_AXES(1), false);
}

tr_tensor *tri_jacobian_squares(tr_tensor *h, tr_tensor *x, bool differentiable)
{
    tr_tensor *sum = NULL;
    for (int64_t j = 0; h != NULL && j < tr_dim(h, 1); j++) {
        tr_tensor *square = tri_squared_slope(tr_narrow(h, 1, j, 1), x, differentiable);
        sum = sum != NULL ? tr_add(sum, square) : square;
    }
    return sum;
}

/* The walk needs a recorded encoder, whatever the caller records. */
tr_tensor *tr_model_jacobian(tr_model *m, tr_tensor *x)
{
    if (!tri_given(m, "model_jacobian: the model") || !tri_check_alive(x, "model_jacobian") ||
        tri_failed())
        return NULL;
    const bool recording = tr_set_recording(true);
    tr_tensor *input = tr_variable(tr_detach(x));
    tr_tensor *squares =
        tri_jacobian_squares(tr_flatten(tr_model_encode(m, input), 1), input, false);
    tr_set_recording(recording);
    return tr_sqrt(tr_detach(squares));
}
