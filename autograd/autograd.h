/* autograd.h: how an operation is described, applied and differentiated. The operations themselves
 * are declared in autograd/ops.h and autograd/ops_image.h, which this header includes.
 *
 * Operations run at once. While recording, tr_apply appends each call whose inputs want a gradient
 * to the tape; tr_backward and tr_grad walk the tape from its newest end and ask each call's rule
 * for the vector-Jacobian products. Rules are written in operations, so that they can be
 * differentiated again: derivatives of any order need nothing extra.
 *
 * Add an operation: write one block (see autograd/arithmetic.c for the pattern), one line in
 * autograd/ops.def, one declaration. Your own program can apply its own tr_op in the same way. */
#ifndef TENREC_AUTOGRAD_H
#define TENREC_AUTOGRAD_H

#include "tensor/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- Variables -------------------------------------------------------------------------------- */

/* Marks a leaf (f32 or f64, not computed by a recorded operation) as wanting a gradient; returns
 * it. tr_backward then sums gradients into t->grad. */
TR_API tr_tensor *tr_variable(tr_tensor *t);

/* The same values without history: gradients stop here. */
TR_API tr_tensor *tr_detach(tr_tensor *t);

/* Turns recording on or off for the calling thread; returns what it was. Evaluation: without. */
TR_API bool tr_set_recording(bool on);

/* Forgets the gradient that tr_backward left in a variable. */
TR_API void tr_clear_grad(tr_tensor *t);

/* --- Derivatives ------------------------------------------------------------------------------ */

/* Adds d loss / d v to v->grad for every variable v that loss depends on. The loss holds one value.
 * Errors: not one value; no variable was involved; a recorded value was changed in place since. */
TR_API tr_status tr_backward(tr_tensor *loss);

typedef struct tr_grad_options {
    tr_tensor *const
        *cotangents;   /* one per output, of its shape; NULL: ones, for outputs of one value */
    bool create_graph; /* record the gradients' own computation, to differentiate again */
} tr_grad_options;

/* gradients[i] = sum_o cotangent_o . d output_o / d input_i, in the innermost scope. An input may
 * be any tensor on the tape, not only a variable; zeros where no output depends on it. t->grad is
 * not touched. Errors as tr_backward, and outputs that carry no graph (computed without recording,
 * or by tr_grad without create_graph). */
TR_API tr_status tr_grad(tr_tensor *const *outputs, int output_count, tr_tensor *const *inputs,
                         int input_count, tr_tensor **gradients, const tr_grad_options *options);

/* Called with the complete gradient of a tensor, when backward or grad has it: returns a
 * replacement of the same shape and dtype, made of operations, or NULL to leave it. */
typedef tr_tensor *(*tr_hook)(void *context, tr_tensor *gradient);

/* Hooks run in the order in which they were added; they live as long as the innermost scope. */
TR_API tr_status tr_add_hook(tr_tensor *t, tr_hook hook, void *context);

/* A function of tensors; returns NULL on error. Must give the same result each time. */
typedef tr_tensor *(*tr_function)(void *context, tr_tensor *const *inputs);

/* With y = f(x), f of one input; x is taken as a variable of its own, its history plays no part.
 *   jacobian [y's axes, x's axes]  dy_i / dx_j: one walk per element of y
 *   hessian  [x's axes, x's axes]  d2y / dx_i dx_j, y one value
 *   hvp      [x's axes]            hessian times v, without the hessian (Pearlmutter 1994)
 *   jvp      [y's axes]            jacobian times v, by differentiating the vjp, which is linear,
 * by its cotangent */
TR_API tr_tensor *tr_jacobian(tr_function f, void *context, tr_tensor *x);
TR_API tr_tensor *tr_hessian(tr_function f, void *context, tr_tensor *x);
TR_API tr_tensor *tr_hvp(tr_function f, void *context, tr_tensor *x, tr_tensor *v);
TR_API tr_tensor *tr_jvp(tr_function f, void *context, tr_tensor *x, tr_tensor *v);

/* segment(inputs), keeping only the result: backward computes the rest again. First
 * derivatives have the same bits as without, as long as the segment takes randomness from a copy of
 * a tr_rng; higher ones may sum in another order. Gradients go to the listed inputs only: list the
 * weights that it uses too. */
TR_API tr_tensor *tr_checkpoint(tr_function segment, void *context, tr_tensor *const *inputs,
                                int input_count);

/* While on, every result, forward or backward, is searched for NaN and Inf; the first found is an
 * error that names the operation, its inputs and its place on the tape. Slow. Gives what it was. */
TR_API bool tr_set_anomaly_detection(bool on);

/* --- Operations ------------------------------------------------------------------------------- */

typedef struct tr_op tr_op;

/* One call of an operation, on the stack during tr_apply, on the tape when recorded. */
typedef struct tr_call {
    const tr_op *op;
    int          input_count;
    tr_tensor  **in;
    const void
              *attributes; /* the operation's own struct, copied at the call; NULL if it has none */
    tr_dtype   out_dtype;  /* set by the shape rule; defaults: those of in[0] */
    tr_shape   out_shape;
    tr_tensor *out;
    tr_tensor
        *saved[2];     /* constants that forward keeps for the rule, such as positions of maxima */
    const bool *wants; /* during a rule: which inputs want a gradient */
} tr_call;

/* Inputs for tests, documentation and `tenrec check`. `inputs` describes one tensor per word:
 * x[2,3] normal values; p[..] in [0.5, 2]; u[..] in (0.05, 0.95); d[..] distinct values, far from
 * ties; i5[..] indices below 5; b[..] zeros and ones (u8); w[..] well-conditioned square matrices;
 * s[..] symmetric positive definite. An example with NULL inputs ends the list. */
typedef struct tr_example {
    const char *inputs;
    const void *attributes;
    size_t      attribute_bytes;
} tr_example;

enum {
    TR_OP_BROADCAST = 1,    /* forward gets inputs expanded to one shape (NumPy's rule), in
                             out_shape when the shape rule sees them as given */
    TR_OP_VIEW = 2,         /* forward sets out to a view of an input */
    TR_OP_NO_GRADIENT = 4,  /* the result is a constant: integers, signs, random draws */
    TR_OP_ANY_DTYPE = 8,    /* not only f32 and f64, and inputs may differ in dtype */
    TR_OP_MAX_ARGUMENTS = 6 /* named arguments; operations on lists (concat) take any number */
};

struct tr_op {
    const char *name;
    const char
        *arguments[TR_OP_MAX_ARGUMENTS]; /* their names, for messages; the first is required */
    int  required;                       /* how many inputs must be given; 0: as many as named;
                                            -1: a list of any length above 0 */
    unsigned    flags;
    const char *formula;  /* "y = exp(x)" */
    const char *gradient; /* "gx = g y" */
    const char *file;     /* TR_OP_PLACE fills these */
    int         line;

    /* Checks inputs and attributes, calls tr_fail and returns false where they do not fit, and sets
     * out_dtype, out_shape where they are not in[0]'s. NULL: nothing to check. */
    bool (*shape)(tr_call *c);

    /* Computes out, which exists (row-major, indeterminate) unless the operation is a view. Inputs
     * may have any strides. */
    tr_status (*forward)(tr_call *c);

    /* The rule: from the cotangent g of out, sets gin[i] for each i with tr_wants(c, i), of the
     * shape and dtype of in[i]; NULL means zero. Made of operations only. */
    void (*vjp)(tr_call *c, tr_tensor *g, tr_tensor **gin);

    /* Optional: the same values faster; used where the rule's own computation is not recorded. */
    void (*fast_vjp)(tr_call *c, tr_tensor *g, tr_tensor **gin);

    const tr_example *examples; /* at least one, unless the operation takes no floating input */
};

#define TR_OP_PLACE .file = __FILE__, .line = __LINE__

/* Applies an operation: checks, expands, computes, records. `attributes` are copied. NULL and an
 * error on bad inputs. The one door through which every operation goes. */
TR_API tr_tensor *tr_apply(const tr_op *op, tr_tensor *const *inputs, int input_count,
                           const void *attributes, size_t attribute_bytes);

/* Whether a rule has to give the gradient of input i. */
TR_API bool tr_wants(const tr_call *c, int i);

/* Fails with "NAME: problem: x is f32[2, 3], w is ..." (hint, if any, appended after "; "). */
TR_API tr_status tr_fail_call(const tr_call *c, tr_status kind, const char *problem,
                              const char *hint);

/* The built-in operations, in the order of ops.def; *count of them. */
TR_API const tr_op *const *tr_ops(int *count);
TR_API const tr_op        *tr_op_find(const char *name); /* NULL if there is none */

/* --- Gradient check --------------------------------------------------------------------------- */

typedef struct tr_gradcheck_options {
    int      order;     /* 1 .. 3: checks derivatives up to this order; 0: 2 */
    double   step;      /* of the central difference; 0: 1e-5 times the scale of the input */
    double   tolerance; /* of the relative error; 0: 1e-6 */
    uint64_t seed;      /* of the random directions */
    void    *table;     /* a FILE * that gets a table of the worst elements on failure, or NULL */
} tr_gradcheck_options;

typedef struct tr_gradcheck_result {
    bool    passed;
    int     order;       /* that failed, or the highest checked */
    double  worst_error; /* relative */
    int     input;       /* where; input_count stands for the cotangent (from order 2 on) */
    int64_t element;     /* row-major */
    double  analytic, numeric;
} tr_gradcheck_result;

/* Compares the gradients of a function of f64 tensors with central differences, for the inputs that
 * are variables. The function's
 * values are projected on a random direction; order 2 checks the gradient of the projected
 * gradient, and so on. An error of the function itself is the returned status; a wrong gradient is
 * not an error but passed = false. */
TR_API tr_status tr_gradcheck(tr_function function, void *context, tr_tensor *const *inputs,
                              int input_count, const tr_gradcheck_options *options,
                              tr_gradcheck_result *result);

#ifdef __cplusplus
}
#endif

#include "autograd/ops.h"
#include "autograd/ops_image.h"

#endif
