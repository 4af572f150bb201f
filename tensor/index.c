/* index.c: gather, scatter-add, sorting, and the check that indices are in range.
 *
 * Tensors are seen as [outer, along, inner] around the axis. Where one index serves a whole row of
 * `inner` values (the index tensor repeats along those axes: rows of a table, images of a set),
 * rows are moved whole. Scatter-add splits outer and inner among threads, never the axis, so that
 * sums run in the order of the indices. Read next: compute.h. */
#include "tensor/compute.h"
#include "tensor/walk.h"

#include <assert.h>
#include <string.h>

enum { GRAIN = 16384, STRIP = 256 };

/* --- Gather and scatter-add
 * ------------------------------------------------------------------------ */

typedef struct indexed {
    char *y;
    const char *x;
    const int64_t *index;
    bool by_row; /* index is [outer, along], else [outer, along, inner] */
    tr_dtype dtype;
    size_t size;
    int64_t outer, along, inner, bound; /* bound: length of the axis that indices point into */
    int64_t strips;                     /* of the inner axis */
} indexed;

/* Index in row-major order, without the inner axes where it repeats along them. */
static const int64_t *index_values(const tr_tensor *index, int axis, bool *by_row)
{
    tr_shape shape = tr_shape_of(index);
    *by_row = true;
    for (int a = axis + 1; a < index->rank; a++) {
        *by_row = *by_row && (index->stride[a] == 0 || index->shape[a] == 1);
        shape.dim[a] = 1;
    }
    const tr_tensor *values = index;
    if (*by_row) values = tri_view(index, shape, index->stride, 0);
    if (values != NULL) values = tri_contiguous(values);
    return values != NULL ? values->data : NULL;
}

static indexed around_axis(const tr_tensor *index, int axis, tr_dtype dtype, int64_t bound)
{
    indexed c = { .outer = 1,
                  .inner = 1,
                  .along = index->shape[axis],
                  .bound = bound,
                  .dtype = dtype,
                  .size = tr_dtype_size(dtype) };
    for (int a = 0; a < axis; a++) c.outer *= index->shape[a];
    for (int a = axis + 1; a < index->rank; a++) c.inner *= index->shape[a];
    return c;
}

/* Tasks are rows of y: o * along + i. */
static void gather_rows(void *context, int64_t begin, int64_t end)
{
    const indexed *c = context;
    const int64_t size = (int64_t)c->size, row = c->inner * size;
    for (int64_t task = begin; task < end; task++) {
        const char *x = c->x + task / c->along * c->bound * row;
        char *y = c->y + task * row;
        if (c->by_row) {
            memcpy(y, x + c->index[task] * row, (size_t)row);
            continue;
        }
        const int64_t *index = c->index + task * c->inner;
        for (int64_t j = 0; j < c->inner; j++) {
            memcpy(y + j * size, x + index[j] * row + j * size, c->size);
        }
    }
}

tr_status tri_gather(tr_tensor *y, const tr_tensor *x, const tr_tensor *index, int axis)
{
    assert(index->dtype == TR_I64 && y->dtype == x->dtype && tr_is_contiguous(y));
    if (tr_numel(y) == 0) return TR_OK;
    indexed c = around_axis(index, axis, x->dtype, x->shape[axis]);
    tr_scope *scope = tr_scope_push();
    const tr_tensor *from = tri_contiguous(x);
    c.index = index_values(index, axis, &c.by_row);
    if (from != NULL && c.index != NULL) {
        c.x = from->data;
        c.y = y->data;
        const int64_t grain = c.inner < GRAIN ? (GRAIN + c.inner - 1) / c.inner : 1;
        tri_parallel_for(c.outer * c.along, grain, gather_rows, &c);
    }
    tr_scope_pop(scope);
    return tr_status_get();
}

static void add_value(tr_dtype dtype, void *y, const void *x)
{
    switch (dtype) {
    case TR_F32: *(float *)y += *(const float *)x; break;
    case TR_F64: *(double *)y += *(const double *)x; break;
    case TR_I64: *(int64_t *)y += *(const int64_t *)x; break;
    case TR_U8: *(uint8_t *)y = (uint8_t)(*(uint8_t *)y + *(const uint8_t *)x); break;
    }
}

static void add_row(tr_dtype dtype, int64_t n, void *y, const void *x)
{
    if (dtype == TR_F32) {
        float *to = y;
        const float *from = x;
        for (int64_t i = 0; i < n; i++) to[i] += from[i];
    } else {
        const int64_t size = (int64_t)tr_dtype_size(dtype);
        for (int64_t i = 0; i < n; i++) {
            add_value(dtype, (char *)y + i * size, (const char *)x + i * size);
        }
    }
}

/* Tasks are strips: o * strips + strip; each walks the whole axis. */
static void scatter_strips(void *context, int64_t begin, int64_t end)
{
    const indexed *c = context;
    const int64_t size = (int64_t)c->size, row = c->inner * size;
    for (int64_t task = begin; task < end; task++) {
        const int64_t o = task / c->strips, first = task % c->strips * STRIP;
        const int64_t width = c->inner - first < STRIP ? c->inner - first : STRIP;
        char *y = c->y + o * c->bound * row + first * size;
        const char *x = c->x + o * c->along * row + first * size;
        for (int64_t i = 0; i < c->along; i++, x += row) {
            const int64_t at = o * c->along + i;
            if (c->by_row) {
                add_row(c->dtype, width, y + c->index[at] * row, x);
                continue;
            }
            const int64_t *index = c->index + at * c->inner + first;
            for (int64_t j = 0; j < width; j++) {
                add_value(c->dtype, y + index[j] * row + j * size, x + j * size);
            }
        }
    }
}

tr_status tri_scatter_add(tr_tensor *y, const tr_tensor *x, const tr_tensor *index, int axis)
{
    assert(index->dtype == TR_I64 && y->dtype == x->dtype && tr_is_contiguous(y));
    if (tr_numel(x) == 0) return TR_OK;
    indexed c = around_axis(index, axis, x->dtype, y->shape[axis]);
    tr_scope *scope = tr_scope_push();
    const tr_tensor *from = tri_contiguous(x);
    c.index = index_values(index, axis, &c.by_row);
    if (from != NULL && c.index != NULL) {
        c.x = from->data;
        c.y = y->data;
        c.strips = (c.inner + STRIP - 1) / STRIP;
        const int64_t strip = c.along * (c.inner < STRIP ? c.inner : STRIP);
        const int64_t grain = strip < GRAIN ? (GRAIN + strip - 1) / strip : 1;
        tri_parallel_for(c.outer * c.strips, grain, scatter_strips, &c);
    }
    tr_scope_pop(scope);
    return tr_status_get();
}

/* --- Range
 * --------------------------------------------------------------------------------------------- */

bool tri_index_in_range(const tr_tensor *index, int64_t bound, int64_t *bad)
{
    assert(index->dtype == TR_I64);
    const int64_t *values = index->data;
    int64_t at[TR_MAX_RANK] = { 0 }, offset = 0;
    for (int64_t n = tr_numel(index); n > 0; n--) {
        if (values[offset] < 0 || values[offset] >= bound) {
            *bad = values[offset];
            return false;
        }
        for (int a = index->rank - 1; a >= 0; a--) {
            offset += index->stride[a];
            if (++at[a] < index->shape[a]) break;
            offset -= at[a] * index->stride[a];
            at[a] = 0;
        }
    }
    return true;
}

/* --- Sorting
 * -------------------------------------------------------------------------------------------- */

/* An element's place in the order as an unsigned number: NaN last, -0 equal to 0. */
static uint64_t sort_key(const tr_tensor *x, int64_t i, bool descending)
{
    uint64_t key;
    if (x->dtype == TR_U8) {
        key = ((const uint8_t *)x->data)[i];
    } else if (x->dtype == TR_I64) {
        key = (uint64_t)((const int64_t *)x->data)[i] ^ (UINT64_C(1) << 63);
    } else {
        double v =
            x->dtype == TR_F32 ? (double)((const float *)x->data)[i] : ((const double *)x->data)[i];
        if (v != v) return UINT64_MAX;
        v = v == 0 ? 0 : v;
        memcpy(&key, &v, sizeof key);
        key = key >> 63 ? ~key : key | UINT64_C(1) << 63;
    }
    return descending ? ~key : key;
}

typedef struct keyed {
    uint64_t key;
    int64_t index;
} keyed;

/* Merges the sorted runs [0, middle) and [middle, n) of `from`; the left one goes first among
 * equals. */
static void merge_runs(keyed *to, const keyed *from, int64_t middle, int64_t n)
{
    int64_t left = 0, right = middle;
    for (int64_t i = 0; i < n; i++) {
        const bool take_left = left < middle && (right == n || from[left].key <= from[right].key);
        to[i] = take_left ? from[left++] : from[right++];
    }
}

/* Bottom-up; returns the array that holds the result. */
static keyed *merge_sort(keyed *a, keyed *b, int64_t n)
{
    for (int64_t run = 1; run < n; run *= 2) {
        for (int64_t i = 0; i < n; i += 2 * run) {
            const int64_t left = n - i, length = left < 2 * run ? left : 2 * run;
            merge_runs(b + i, a + i, length < run ? length : run, length);
        }
        keyed *t = a;
        a = b;
        b = t;
    }
    return a;
}

typedef struct sorting {
    const tr_tensor *x; /* contiguous, sorted along its last axis */
    keyed *scratch;
    int64_t *index;
    int64_t length;
    bool descending;
} sorting;

static void sort_lines(void *context, int64_t begin, int64_t end)
{
    const sorting *s = context;
    for (int64_t line = begin; line < end; line++) {
        keyed *a = s->scratch + 2 * line * s->length;
        for (int64_t i = 0; i < s->length; i++) {
            a[i] = (keyed){ sort_key(s->x, line * s->length + i, s->descending), i };
        }
        const keyed *sorted = merge_sort(a, a + s->length, s->length);
        for (int64_t i = 0; i < s->length; i++) s->index[line * s->length + i] = sorted[i].index;
    }
}

tr_status tri_argsort(tr_tensor *index, const tr_tensor *x, int axis, bool descending)
{
    assert(index->dtype == TR_I64);
    if (tr_numel(x) == 0) return TR_OK;
    tr_scope *scope = tr_scope_push();
    const tr_tensor *view = tri_axis_last(x, axis), *from = view ? tri_contiguous(view) : NULL;
    tr_tensor *to = tri_axis_last(index, axis);
    tr_tensor *result = from ? tri_new(TR_I64, tr_shape_of(from)) : NULL;
    keyed    *scratch = result ? tri_scratch(2 * sizeof(keyed) * (uint64_t)tr_numel(x)) : NULL;
    tr_status status = tr_status_get();
    if (scratch != NULL && to != NULL) {
        sorting s = { from, scratch, result->data, x->shape[axis], descending };
        const int64_t grain = s.length < GRAIN ? (GRAIN + s.length - 1) / s.length : 1;
        tri_parallel_for(tr_numel(x) / s.length, grain, sort_lines, &s);
        status = tri_copy(to, result);
    }
    tr_scope_pop(scope);
    return status;
}
