/* example.h: example inputs of an operation, and checks of an operation on them. Used by the tests
 * and by `tenrec check`. Not installed. */
#ifndef TENREC_EXAMPLE_H
#define TENREC_EXAMPLE_H

#include "autograd/autograd.h"

enum { TRI_MAX_EXAMPLE_INPUTS = 16 };

/* How the inputs of an example lie in memory. */
typedef enum tri_layout {
    TRI_CONTIGUOUS,
    TRI_PERMUTED, /* the axes in reverse order */
    TRI_STEPPED,  /* every second element of a larger tensor */
    TRI_REPEATED, /* inputs with the same description are one tensor */
    TRI_LAYOUT_COUNT
} tri_layout;

const char *tri_layout_name(tri_layout layout);

/* Whether the layout makes a difference for this example. */
bool tri_layout_applies(const tr_example *e, tri_layout layout);

/* Builds the inputs that e->inputs describes (see tr_example) in the innermost scope: floating
 * ones in the given dtype, none a variable. The values are a function of seed, position and
 * description, and the same in f32 and f64. Returns their number, 0 and an error where the
 * description is malformed. */
int tri_example_inputs(const tr_example *e, tr_dtype dtype, tri_layout layout, uint64_t seed,
                       tr_tensor *inputs[TRI_MAX_EXAMPLE_INPUTS]);

/* The gradient check of one example in one layout. */
typedef struct tri_example_check {
    int                 example; /* its index in op->examples */
    tri_layout          layout;
    tr_gradcheck_result result;
} tri_example_check;

typedef struct tri_op_check {
    int                count, failed;
    tri_example_check *checks;      /* count of them, in the innermost scope */
    int                worst;       /* index of the largest error, failed ones first */
} tri_op_check;

/* Checks the gradients of an operation up to the given order (1 .. 3) on every example in every
 * layout that applies. Operations without gradient are only run. A wrong gradient counts in
 * result->failed; an example that the operation refuses is an error. `table` as in
 * tr_gradcheck_options. */
tr_status tri_check_op(const tr_op *op, int order, void *table, tri_op_check *result);

#endif
