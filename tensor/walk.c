/* walk.c: the loop of walk.h. A task is a part of a row, at most TRI_WALK_GRAIN long; a piece for a
 * thread is as many tasks as make about TRI_WALK_GRAIN elements. Both depend on shapes only.
 * Read next: map.c, which is the loop's main user. */
#include "tensor/walk.h"

#include <assert.h>

/* True when axes a and a + 1 lie in memory like one axis, for every operand. */
static bool axes_merge(const tri_walk *w, int a)
{
    for (int k = 0; k < w->operands; k++) {
        if (w->stride[k][a] != w->stride[k][a + 1] * w->shape[a + 1]) return false;
    }
    return true;
}

static void remove_axis(tri_walk *w, int axis)
{
    for (int a = axis; a + 1 < w->rank; a++) {
        w->shape[a] = w->shape[a + 1];
        for (int k = 0; k < w->operands; k++) w->stride[k][a] = w->stride[k][a + 1];
    }
    w->rank--;
}

void tri_walk_init(tri_walk *w, int operands, const tr_tensor *const tensors[])
{
    *w = (tri_walk){ .operands = operands, .rank = tensors[0]->rank };
    for (int k = 0; k < operands; k++) {
        assert(tensors[k]->rank == w->rank);
        w->size[k] = tr_dtype_size(tensors[k]->dtype);
        w->data[k] = tensors[k]->data;
        for (int a = 0; a < w->rank; a++) {
            assert(tensors[k]->shape[a] == tensors[0]->shape[a]);
            w->stride[k][a] = tensors[k]->stride[a];
        }
    }
    for (int a = 0; a < w->rank; a++) w->shape[a] = tensors[0]->shape[a];
    for (int a = w->rank - 1; a >= 0; a--) {
        if (w->shape[a] == 1) remove_axis(w, a);
    }
    for (int a = w->rank - 2; a >= 0; a--) {
        if (axes_merge(w, a)) {
            w->shape[a + 1] *= w->shape[a];
            remove_axis(w, a);
        }
    }
    if (w->rank == 0) {
        w->rank = 1;
        w->shape[0] = 1;
        for (int k = 0; k < operands; k++) w->stride[k][0] = 1;
    }
}

static int64_t parts_of_row(const tri_walk *w)
{
    return (w->shape[w->rank - 1] + TRI_WALK_GRAIN - 1) / TRI_WALK_GRAIN;
}

/* Tasks are numbered row by row; `at` counts rows like an odometer. */
static void run_tasks(void *context, int64_t begin, int64_t end)
{
    const tri_walk *w = context;
    const int last = w->rank - 1;
    const int64_t parts = parts_of_row(w);
    int64_t at[TR_MAX_RANK] = { 0 }, stride[TRI_WALK_MAX], row = begin / parts;
    char *data[TRI_WALK_MAX];
    for (int a = last - 1; a >= 0; a--) {
        at[a] = row % w->shape[a];
        row /= w->shape[a];
    }
    for (int k = 0; k < w->operands; k++) stride[k] = w->stride[k][last];
    for (int64_t task = begin, part = begin % parts; task < end; task++) {
        const int64_t first = part * TRI_WALK_GRAIN, left = w->shape[last] - first;
        for (int k = 0; k < w->operands; k++) {
            int64_t offset = first * stride[k];
            for (int a = 0; a < last; a++) offset += at[a] * w->stride[k][a];
            data[k] = w->data[k] + offset * (int64_t)w->size[k];
        }
        w->row(w->context, left < TRI_WALK_GRAIN ? left : TRI_WALK_GRAIN, data, stride);
        if (++part < parts) continue;
        part = 0;
        for (int a = last - 1; a >= 0 && ++at[a] == w->shape[a]; a--) at[a] = 0;
    }
}

void tri_walk_run(tri_walk *w)
{
    int64_t rows = 1;
    for (int a = 0; a + 1 < w->rank; a++) rows *= w->shape[a];
    const int64_t length = w->shape[w->rank - 1];
    if (rows == 0 || length == 0) return;
    const int64_t task = length < TRI_WALK_GRAIN ? length : TRI_WALK_GRAIN;
    tri_parallel_for(rows * parts_of_row(w), (TRI_WALK_GRAIN + task - 1) / task, run_tasks, w);
}

tr_tensor *tri_axis_last(const tr_tensor *t, int axis)
{
    tr_shape shape = tr_shape_of(t);
    int64_t stride[TR_MAX_RANK];
    int rank = 0;
    for (int a = 0; a < t->rank; a++) {
        if (a == axis) continue;
        shape.dim[rank] = t->shape[a];
        stride[rank++] = t->stride[a];
    }
    shape.dim[rank] = t->shape[axis];
    stride[rank] = t->stride[axis];
    return tri_view(t, shape, stride, 0);
}
