/* map.c: elementwise drivers: one or two arguments, comparisons, where.
 *
 * walk.h turns tensors into rows. Kernels want unit strides: an argument whose row is strided, or
 * repeats one element, goes through a small buffer on the stack. Comparisons of integers and
 * `where` are plain loops over strides. Read next: walk.h, kernels.h; copy.c for copies and
 * conversions.                                 */
#include "tensor/kernels.h"
#include "tensor/walk.h"

#include <assert.h>
#include <string.h>

enum { BUFFER = 512 }; /* elements */

/* --- Rows in unit stride
 * -------------------------------------------------------------------------- */

/* A row's elements in groups of at most BUFFER, as the kernels want them. */
typedef struct unit_row {
    const char *data;
    int64_t stride;
    size_t size;
    bool repeated; /* the buffer holds the one element many times already */
    _Alignas(64) char buffer[BUFFER * 8];
} unit_row;

static void gather(unit_row *r, const char *from, int64_t n)
{
    if (r->size == 4) {
        uint32_t *to = (uint32_t *)(void *)r->buffer;
        const uint32_t *x = (const uint32_t *)(const void *)from;
        for (int64_t i = 0; i < n; i++) to[i] = x[i * r->stride];
    } else {
        uint64_t *to = (uint64_t *)(void *)r->buffer;
        const uint64_t *x = (const uint64_t *)(const void *)from;
        for (int64_t i = 0; i < n; i++) to[i] = x[i * r->stride];
    }
}

static void unit_row_init(unit_row *r, const char *data, int64_t stride, size_t size, int64_t n)
{
    r->data = data;
    r->stride = stride;
    r->size = size;
    r->repeated = stride == 0;
    if (r->repeated) gather(r, data, n < BUFFER ? n : BUFFER);
}

/* Elements i .. i + n of the row, n <= BUFFER where the row is not in unit stride. */
static const void *unit_row_at(unit_row *r, int64_t i, int64_t n)
{
    const char *from = r->data + i * r->stride * (int64_t)r->size;
    if (r->stride == 1) return from;
    if (!r->repeated) gather(r, from, n);
    return r->buffer;
}

/* --- One argument
 * ----------------------------------------------------------------------------------- */

typedef struct unary_call {
    void (*f32)(int64_t n, float *y, const float *x, const double *p);
    void (*f64)(int64_t n, double *y, const double *x, const double *p);
    const double *p;
} unary_call;

static void unary_row(const void *context, int64_t n, char *const data[], const int64_t stride[])
{
    const unary_call *call = context;
    const size_t size = call->f32 != NULL ? sizeof(float) : sizeof(double);
    const int64_t group = stride[1] == 1 || n < BUFFER ? n : BUFFER;
    unit_row x;
    unit_row_init(&x, data[1], stride[1], size, n);
    for (int64_t i = 0; i < n; i += group) {
        const int64_t count = n - i < group ? n - i : group;
        const void *from = unit_row_at(&x, i, count);
        void *to = data[0] + i * (int64_t)size;
        if (call->f32 != NULL)
            call->f32(count, to, from, call->p);
        else
            call->f64(count, to, from, call->p);
    }
}

tr_status tri_unary(tri_unary_id id, tr_tensor *y, const tr_tensor *x, const double p[2])
{
    assert(y->dtype == x->dtype && tr_is_contiguous(y));
    const tri_kernels *table = tri_kernel_table();
    unary_call call = { .p = p };
    if (x->dtype == TR_F32)
        call.f32 = table->f32.unary[id];
    else
        call.f64 = table->f64.unary[id];
    tri_walk w;
    tri_walk_init(&w, 2, (const tr_tensor *[]){ y, x });
    w.row = unary_row;
    w.context = &call;
    tri_walk_run(&w);
    return TR_OK;
}

/* --- Two arguments, and comparisons of floating ones
 * ------------------------------------------------- */

typedef struct binary_call {
    void (*f32)(int64_t n, float *z, const float *a, const float *b);
    void (*f64)(int64_t n, double *z, const double *a, const double *b);
    void (*compare_f32)(int64_t n, uint8_t *z, const float *a, const float *b);
    void (*compare_f64)(int64_t n, uint8_t *z, const double *a, const double *b);
    size_t size, result_size;
} binary_call;

static void binary_row(const void *context, int64_t n, char *const data[], const int64_t stride[])
{
    const binary_call *call = context;
    const bool direct = stride[1] == 1 && stride[2] == 1;
    const int64_t group = direct || n < BUFFER ? n : BUFFER;
    unit_row a, b;
    unit_row_init(&a, data[1], stride[1], call->size, n);
    unit_row_init(&b, data[2], stride[2], call->size, n);
    for (int64_t i = 0; i < n; i += group) {
        const int64_t count = n - i < group ? n - i : group;
        const void *from_a = unit_row_at(&a, i, count), *from_b = unit_row_at(&b, i, count);
        void *to = data[0] + i * (int64_t)call->result_size;
        if (call->f32 != NULL)
            call->f32(count, to, from_a, from_b);
        else if (call->f64 != NULL)
            call->f64(count, to, from_a, from_b);
        else if (call->compare_f32 != NULL)
            call->compare_f32(count, to, from_a, from_b);
        else
            call->compare_f64(count, to, from_a, from_b);
    }
}

static void run_binary(binary_call *call, tr_tensor *z, const tr_tensor *a, const tr_tensor *b)
{
    assert(a->dtype == b->dtype && tr_is_contiguous(z));
    call->size = tr_dtype_size(a->dtype);
    call->result_size = tr_dtype_size(z->dtype);
    tri_walk w;
    tri_walk_init(&w, 3, (const tr_tensor *[]){ z, a, b });
    w.row = binary_row;
    w.context = call;
    tri_walk_run(&w);
}

tr_status tri_binary(tri_binary_id id, tr_tensor *z, const tr_tensor *a, const tr_tensor *b)
{
    if (b == NULL) return tr_status_get(); /* a view that found no memory */
    assert(z->dtype == a->dtype);
    const tri_kernels *table = tri_kernel_table();
    binary_call call = { 0 };
    if (a->dtype == TR_F32)
        call.f32 = table->f32.binary[id];
    else
        call.f64 = table->f64.binary[id];
    run_binary(&call, z, a, b);
    return TR_OK;
}

/* --- Comparisons
 * ----------------------------------------------------------------------------------------- */

typedef struct integer_compare {
    tri_compare_id id;
    tr_dtype dtype;
} integer_compare;

static bool holds(tri_compare_id id, int64_t a, int64_t b)
{
    switch (id) {
    case TRI_C_equal: return a == b;
    case TRI_C_not_equal: return a != b;
    case TRI_C_less: return a < b;
    default: return a <= b;
    }
}

static void integer_compare_row(const void *context, int64_t n, char *const data[],
                                const int64_t stride[])
{
    const integer_compare *c = context;
    uint8_t *z = (uint8_t *)data[0];
    for (int64_t i = 0; i < n; i++) {
        const int64_t at_a = i * stride[1], at_b = i * stride[2];
        if (c->dtype == TR_U8) {
            z[i] = holds(c->id, ((const uint8_t *)data[1])[at_a], ((const uint8_t *)data[2])[at_b]);
        } else {
            z[i] = holds(c->id, ((const int64_t *)(void *)data[1])[at_a],
                         ((const int64_t *)(void *)data[2])[at_b]);
        }
    }
}

tr_status tri_compare(tri_compare_id id, tr_tensor *z, const tr_tensor *a, const tr_tensor *b)
{
    assert(z->dtype == TR_U8 && a->dtype == b->dtype && tr_is_contiguous(z));
    const tri_kernels *table = tri_kernel_table();
    binary_call call = { 0 };
    if (a->dtype == TR_F32) call.compare_f32 = table->f32.compare[id];
    if (a->dtype == TR_F64) call.compare_f64 = table->f64.compare[id];
    if (a->dtype == TR_F32 || a->dtype == TR_F64) {
        run_binary(&call, z, a, b);
        return TR_OK;
    }
    const integer_compare compare = { id, a->dtype };
    tri_walk w;
    tri_walk_init(&w, 3, (const tr_tensor *[]){ z, a, b });
    w.row = integer_compare_row;
    w.context = &compare;
    tri_walk_run(&w);
    return TR_OK;
}

/* --- Where ------------------------------------------------------------------------------------ */

/* Values are moved, not computed with: the size of an element is all that matters. Both sides are
 * read whatever the condition, which lets the compiler use vectors. */
static void where_row(const void *context, int64_t n, char *const data[], const int64_t stride[])
{
    const size_t size = *(const size_t *)context;
    const uint8_t *condition = (const uint8_t *)data[1];
    const int64_t sc = stride[1], sa = stride[2], sb = stride[3];
    if (size == 4) {
        uint32_t *z = (uint32_t *)(void *)data[0];
        const uint32_t *a = (const uint32_t *)(void *)data[2],
                       *b = (const uint32_t *)(void *)data[3];
        for (int64_t i = 0; i < n; i++) {
            const uint32_t yes = a[i * sa], no = b[i * sb];
            z[i] = condition[i * sc] ? yes : no;
        }
    } else if (size == 8) {
        uint64_t *z = (uint64_t *)(void *)data[0];
        const uint64_t *a = (const uint64_t *)(void *)data[2],
                       *b = (const uint64_t *)(void *)data[3];
        for (int64_t i = 0; i < n; i++) {
            const uint64_t yes = a[i * sa], no = b[i * sb];
            z[i] = condition[i * sc] ? yes : no;
        }
    } else {
        uint8_t *z = (uint8_t *)data[0];
        const uint8_t *a = (const uint8_t *)data[2], *b = (const uint8_t *)data[3];
        for (int64_t i = 0; i < n; i++) {
            const uint8_t yes = a[i * sa], no = b[i * sb];
            z[i] = condition[i * sc] ? yes : no;
        }
    }
}

tr_status tri_where(tr_tensor *z, const tr_tensor *condition, const tr_tensor *a,
                    const tr_tensor *b)
{
    assert(condition->dtype == TR_U8 && z->dtype == a->dtype && z->dtype == b->dtype &&
           tr_is_contiguous(z));
    const size_t size = tr_dtype_size(z->dtype);
    tri_walk w;
    tri_walk_init(&w, 4, (const tr_tensor *[]){ z, condition, a, b });
    w.row = where_row;
    w.context = &size;
    tri_walk_run(&w);
    return TR_OK;
}
