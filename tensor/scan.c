/* scan.c: what looks along one axis: argmax, running sums and products, softmax.
 *
 * A tensor is seen as lines along the axis, counted by the other axes in order. Sums run in double
 * for both floating types.
 * Read next: reduce.c. */
#include "tensor/kernels.h"
#include "tensor/walk.h"

#include <assert.h>
#include <math.h>

enum { GRAIN = 16384 };

/* Lines along an axis: element i of line j of x is x[start(j) + i * stride]. */
typedef struct lines {
    const tr_tensor *x;
    int axis;
    int64_t count, length, stride;
} lines;

static lines lines_of(const tr_tensor *x, int axis)
{
    lines l = { .x = x, .axis = axis, .length = x->shape[axis], .stride = x->stride[axis] };
    l.count = 1;
    for (int a = 0; a < x->rank; a++) l.count *= a == axis ? 1 : x->shape[a];
    return l;
}

static int64_t line_start(const lines *l, int64_t line)
{
    int64_t start = 0;
    for (int a = l->x->rank - 1; a >= 0; a--) {
        if (a == l->axis) continue;
        start += line % l->x->shape[a] * l->x->stride[a];
        line /= l->x->shape[a];
    }
    return start;
}

static int64_t line_grain(int64_t length)
{
    return length >= GRAIN ? 1 : (GRAIN + length) / (length + 1);
}

static double value_at(const tr_tensor *x, int64_t offset)
{
    return x->dtype == TR_F32 ? (double)((const float *)x->data)[offset]
                              : ((const double *)x->data)[offset];
}

/* --- argmax
 * ------------------------------------------------------------------------------------------ */

typedef struct argmax_call {
    lines x;
    int64_t *y;
    lines to;
    bool smallest;
} argmax_call;

static void argmax_lines(void *context, int64_t begin, int64_t end)
{
    const argmax_call *c = context;
    for (int64_t line = begin; line < end; line++) {
        const int64_t start = line_start(&c->x, line);
        int64_t best = 0;
        double best_value = value_at(c->x.x, start);
        for (int64_t i = 1; i < c->x.length && best_value == best_value; i++) {
            const double v = value_at(c->x.x, start + i * c->x.stride);
            const bool wins = c->smallest ? v < best_value : v > best_value;
            if (wins || v != v) {
                best = i;
                best_value = v;
            }
        }
        c->y[line_start(&c->to, line)] = best;
    }
}

tr_status tri_argmax(tr_tensor *y, const tr_tensor *x, int axis, bool smallest)
{
    assert(y->dtype == TR_I64 && (x->dtype == TR_F32 || x->dtype == TR_F64));
    assert(x->shape[axis] > 0 || tr_numel(y) == 0);
    argmax_call c = { lines_of(x, axis), y->data, lines_of(y, axis), smallest };
    if (tr_numel(y) > 0) {
        tri_parallel_for(c.x.count, line_grain(c.x.length), argmax_lines, &c);
    }
    return TR_OK;
}

/* --- Running sums and products
 * --------------------------------------------------------------------------- */

typedef struct cumulate_call {
    lines x, y;
    bool product, reverse;
} cumulate_call;

static void cumulate_lines(void *context, int64_t begin, int64_t end)
{
    const cumulate_call *c = context;
    for (int64_t line = begin; line < end; line++) {
        const int64_t from = line_start(&c->x, line), to = line_start(&c->y, line);
        double running = c->product ? 1 : 0;
        for (int64_t k = 0; k < c->x.length; k++) {
            const int64_t i = c->reverse ? c->x.length - 1 - k : k;
            const double v = value_at(c->x.x, from + i * c->x.stride);
            running = c->product ? running * v : running + v;
            const int64_t at = to + i * c->y.stride;
            if (c->y.x->dtype == TR_F32)
                ((float *)c->y.x->data)[at] = (float)running;
            else
                ((double *)c->y.x->data)[at] = running;
        }
    }
}

tr_status tri_cumulate(tr_tensor *y, const tr_tensor *x, int axis, bool product, bool reverse)
{
    assert(y->dtype == x->dtype && (x->dtype == TR_F32 || x->dtype == TR_F64));
    cumulate_call c = { lines_of(x, axis), lines_of(y, axis), product, reverse };
    if (tr_numel(x) > 0) {
        tri_parallel_for(c.x.count, line_grain(c.x.length), cumulate_lines, &c);
    }
    return TR_OK;
}

/* --- Softmax ---------------------------------------------------------------------------------- */

typedef struct softmax_call {
    const tri_kernels *table;
    tr_dtype dtype;
    int64_t length;
    char *y;
    const char *x;
    bool log;
} softmax_call;

static void softmax_f32(const softmax_call *c, float *y, const float *x)
{
    const tri_kernels_f32 *k = &c->table->f32;
    const float max = k->max(c->length, x);
    const double sum = (double)k->exp_sum(c->length, y, x, max);
    if (!c->log) {
        k->unary[TRI_U_affine](c->length, y, y, (const double[]){ 1 / sum, 0 });
        return;
    }
    k->unary[TRI_U_affine](c->length, y, x, (const double[]){ 1, -(double)max });
    k->unary[TRI_U_affine](c->length, y, y, (const double[]){ 1, -log(sum) });
}

static void softmax_f64(const softmax_call *c, double *y, const double *x)
{
    const tri_kernels_f64 *k = &c->table->f64;
    const double max = k->max(c->length, x);
    const double sum = k->exp_sum(c->length, y, x, max);
    if (!c->log) {
        k->unary[TRI_U_affine](c->length, y, y, (const double[]){ 1 / sum, 0 });
        return;
    }
    k->unary[TRI_U_affine](c->length, y, x, (const double[]){ 1, -max });
    k->unary[TRI_U_affine](c->length, y, y, (const double[]){ 1, -log(sum) });
}

static void softmax_rows(void *context, int64_t begin, int64_t end)
{
    const softmax_call *c = context;
    const int64_t bytes = c->length * (int64_t)tr_dtype_size(c->dtype);
    for (int64_t row = begin; row < end; row++) {
        void *y = c->y + row * bytes;
        const void *x = c->x + row * bytes;
        if (c->dtype == TR_F32)
            softmax_f32(c, y, x);
        else
            softmax_f64(c, y, x);
    }
}

static void run_softmax(tr_tensor *y, const tr_tensor *x, int64_t length, bool log)
{
    softmax_call c = { tri_kernel_table(), x->dtype, length, y->data, x->data, log };
    tri_parallel_for(tr_numel(x) / length, line_grain(length), softmax_rows, &c);
}

tr_status tri_softmax(tr_tensor *y, const tr_tensor *x, int axis, bool log)
{
    assert(y->dtype == x->dtype && tr_is_contiguous(y));
    if (tr_numel(x) == 0) return TR_OK;
    const int64_t length = x->shape[axis];
    if (axis == x->rank - 1 && tr_is_contiguous(x)) {
        run_softmax(y, x, length, log);
        return TR_OK;
    }
    tr_scope *scope = tr_scope_push();
    const tr_tensor *view = tri_axis_last(x, axis), *from = view ? tri_contiguous(view) : NULL;
    tr_tensor *to = tri_axis_last(y, axis),
              *rows = from ? tri_new(x->dtype, tr_shape_of(from)) : NULL;
    tr_status status = tr_status_get();
    if (rows != NULL && to != NULL) {
        run_softmax(rows, from, length, log);
        status = tri_copy(to, rows);
    }
    tr_scope_pop(scope);
    return status;
}
