/* walk.h: one loop over tensors of equal shape and any strides, in pieces for threads. Not
 * installed.
 *
 * Axes of size 1 vanish and neighbouring axes merge where every operand's strides allow, so that
 * contiguous operands become one long row. What is left is rows along the last axis; the body gets
 * a row, or a part of a long one, with a pointer and a stride for each operand.
 * Read next: map.c. */
#ifndef TENREC_WALK_H
#define TENREC_WALK_H

#include "tensor/core.h"

enum { TRI_WALK_MAX = 4, TRI_WALK_GRAIN = 16384 };

typedef struct tri_walk {
    int operands, rank; /* rank >= 1 */
    int64_t shape[TR_MAX_RANK];
    int64_t stride[TRI_WALK_MAX][TR_MAX_RANK]; /* in elements */
    size_t size[TRI_WALK_MAX];                 /* of an element, in bytes */
    char *data[TRI_WALK_MAX];

    /* n elements of a row: operand k's lie at data[k], stride[k] elements apart. */
    void (*row)(const void *context, int64_t n, char *const data[], const int64_t stride[]);
    const void *context;
} tri_walk;

/* Describes a loop over tensors of the shape of the first. */
void tri_walk_init(tri_walk *w, int operands, const tr_tensor *const tensors[]);

/* Calls the body over all rows, in parallel; every element is visited once. */
void tri_walk_run(tri_walk *w);

/* t with the axis moved to the end, as a view in the innermost scope; NULL and an error. */
tr_tensor *tri_axis_last(const tr_tensor *t, int axis);

#endif
