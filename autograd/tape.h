/* tape.h: a recorded call, and what apply.c, engine.c and the operations share. Not installed. */
#ifndef TENREC_TAPE_H
#define TENREC_TAPE_H

#include "autograd/autograd.h"
#include "tensor/compute.h"

/* A recorded call. Lives in the memory of the scope that was innermost at the call. */
typedef struct tr_node {
    tr_call         call;
    struct tr_node *previous; /* the call recorded before this one in this thread */
    uint64_t        serial;   /* its number, counted from the start of the thread */
    const char     *module;   /* path of the module that was applied, for messages; or NULL */
    uint32_t       *versions; /* of the storage of inputs and result at the call */
} tr_node;

/* A function to be called with a tensor's gradient; the list is in the order of the calls. */
typedef struct tri_hook {
    tr_hook          hook;
    void            *context;
    struct tri_hook *next;
} tri_hook;

/* The shape that `count` shapes broadcast to; false if they do not. */
bool tri_broadcast_shape(const tr_shape *shapes, int count, tr_shape *result);

/* False and an error where t, the `what` of this call, holds NaN or Inf. `serial` is the call's. */
bool tri_check_finite(const tr_call *c, const tr_tensor *t, const char *what, uint64_t serial,
                      const char *module);

/* Applies an operation of one or two arguments that has no attributes. */
tr_tensor *tri_apply_unary(const tr_op *op, tr_tensor *x);
tr_tensor *tri_apply_binary(const tr_op *op, tr_tensor *a, tr_tensor *b);

/* A value of the dtype of `like`, rank 0; NULL where like is. */
tr_tensor *tri_constant(const tr_tensor *like, double value);

/* tr_clamp with derivative 0 at the bounds, as hardtanh and relu6 have it. */
tr_tensor *tri_clamp_open(tr_tensor *x, double low, double high);

/* Whether a product applies the activation to its own result; the others are applied afterwards. */
bool tri_activation_fused(tr_activation act);

/* For fused ones: g act'(z), the derivative taken from the result y = act(z). */
tr_tensor *tri_activation_vjp(tr_activation act, tr_tensor *g, tr_tensor *y);
/* The same, recording nothing, and in *sum its sums over all axes but the last, for the bias; unless
 * sum is NULL. */
tr_tensor *tri_activation_bias_vjp(tr_activation act, tr_tensor *g, tr_tensor *y, tr_tensor **sum);

/* Examples shared by elementwise operations. */
extern const tr_example tri_examples_any[];      /* one argument, any values */
extern const tr_example tri_examples_smooth[];   /* one argument, away from kinks and ties */
extern const tr_example tri_examples_positive[]; /* one argument above 0 */
extern const tr_example tri_examples_unit[];     /* one argument in (0, 1) */
extern const tr_example tri_examples_pair[];     /* two arguments that broadcast in all ways */
extern const tr_example tri_examples_pair_positive[];
extern const tr_example tri_examples_pair_distinct[]; /* away from kinks and ties */

#define TRI_ATTRIBUTES(type, ...) &(const type){ __VA_ARGS__ }, sizeof(type)

/* For rules of shapes: fails with TR_ERR_SHAPE as tr_fail_call does, and returns false. */
bool tri_bad_shape(const tr_call *c, const char *problem, const char *hint);

#endif
