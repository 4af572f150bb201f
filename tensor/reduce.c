/* reduce.c: sums, products, extremes along axes; argmax; running sums; softmax.
 *
 * A tensor is seen as [outer, reduced, inner]. Where it does not lie in memory like that, the
 * reduced axes are brought last in a contiguous copy. With inner = 1 a kernel reduces rows;
 * otherwise rows of `inner` values are added up as vectors. Long reductions are cut in pieces whose
 * size depends on the shape only, and the partial results meet in a binary tree: the same bits for
 * any number of threads, and rounding errors that grow with the logarithm of the count. Read next:
 * kernels_simple.inc.                                                                   */
#include "tensor/kernels.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum {
    ROW_PIECE = 4096,    /* values of a row that one kernel call reduces */
    COLUMN_PIECE = 128,  /* rows that are accumulated one after the other */
    COLUMN_FOLD = 128,   /* values that narrow rows are joined to */
    COLUMN_WIDTH = 2048, /* columns that a task keeps in the first-level cache */
    GRAIN = 16384        /* values that make a piece of work for a thread */
};

static int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* So many tasks of `size` values each make one piece of work. */
static int64_t grain_of(int64_t size)
{
    return size >= GRAIN ? 1 : ceil_div(GRAIN, size > 0 ? size : 1);
}

/* --- The operations
 * ------------------------------------------------------------------------------- */

typedef struct reducer {
    const tri_kernels *table;
    tri_reduce_id id;
    tr_dtype dtype;
    size_t size;
} reducer;

static tri_binary_id pair_operation(tri_reduce_id id)
{
    switch (id) {
    case TRI_R_SUM: return TRI_B_add;
    case TRI_R_PROD: return TRI_B_mul;
    case TRI_R_MAX: return TRI_B_maximum;
    default: return TRI_B_minimum;
    }
}

/* y = y op x, elementwise. */
static void combine(const reducer *r, int64_t n, void *y, const void *x)
{
    const tri_binary_id id = pair_operation(r->id);
    if (r->dtype == TR_F32)
        r->table->f32.binary[id](n, y, y, x);
    else
        r->table->f64.binary[id](n, y, y, x);
}

/* No kernel for products: in double, so that f32 neither over- nor underflows on the way. */
static double product(const reducer *r, int64_t n, const void *x)
{
    double p = 1;
    for (int64_t i = 0; i < n; i++) {
        p *= r->dtype == TR_F32 ? (double)((const float *)x)[i] : ((const double *)x)[i];
    }
    return p;
}

static void reduce_row(const reducer *r, int64_t n, void *y, const void *x)
{
    const tri_kernels_f32 *f32 = &r->table->f32;
    const tri_kernels_f64 *f64 = &r->table->f64;
    if (r->dtype == TR_F32) {
        float *to = y;
        switch (r->id) {
        case TRI_R_SUM: *to = f32->sum(n, x); break;
        case TRI_R_PROD: *to = (float)product(r, n, x); break;
        case TRI_R_MAX: *to = f32->max(n, x); break;
        case TRI_R_MIN: *to = f32->min(n, x); break;
        }
    } else {
        double *to = y;
        switch (r->id) {
        case TRI_R_SUM: *to = f64->sum(n, x); break;
        case TRI_R_PROD: *to = product(r, n, x); break;
        case TRI_R_MAX: *to = f64->max(n, x); break;
        case TRI_R_MIN: *to = f64->min(n, x); break;
        }
    }
}

/* --- [outer, count, inner] -> [outer, pieces, inner]
 * -------------------------------------------------- */

typedef struct pieces {
    const reducer *reducer;
    const char *x;
    char *y;
    int64_t outer, count, inner, outer_stride, row_stride; /* of x, in elements */
    int64_t per_piece, pieces, strips;                     /* strips of COLUMN_WIDTH columns */
} pieces;

static void reduce_rows(void *context, int64_t begin, int64_t end)
{
    const pieces *p = context;
    const int64_t size = (int64_t)p->reducer->size;
    for (int64_t task = begin; task < end; task++) {
        const int64_t first = task % p->pieces * p->per_piece, left = p->count - first;
        const char *x = p->x + (task / p->pieces * p->outer_stride + first) * size;
        reduce_row(p->reducer, left < p->per_piece ? left : p->per_piece, p->y + task * size, x);
    }
}

static void reduce_columns(void *context, int64_t begin, int64_t end)
{
    const pieces *p = context;
    const int64_t size = (int64_t)p->reducer->size;
    for (int64_t task = begin; task < end; task++) {
        const int64_t column = task % p->strips * COLUMN_WIDTH, row = task / p->strips;
        const int64_t first = row % p->pieces * p->per_piece, left = p->count - first;
        const int64_t rows = left < p->per_piece ? left : p->per_piece;
        const int64_t width = p->inner - column < COLUMN_WIDTH ? p->inner - column : COLUMN_WIDTH;
        const char *x =
            p->x + (row / p->pieces * p->outer_stride + first * p->row_stride + column) * size;
        char *y = p->y + (row * p->inner + column) * size;
        memcpy(y, x, (size_t)(width * size));
        for (int64_t i = 1; i < rows; i++)
            combine(p->reducer, width, y, x + i * p->row_stride * size);
    }
}

static void run_pieces(pieces *p)
{
    if (p->inner == 1) {
        tri_parallel_for(p->outer * p->pieces, grain_of(p->per_piece), reduce_rows, p);
    } else {
        p->strips = ceil_div(p->inner, COLUMN_WIDTH);
        const int64_t width = p->inner < COLUMN_WIDTH ? p->inner : COLUMN_WIDTH;
        tri_parallel_for(p->outer * p->pieces * p->strips, grain_of(p->per_piece * width),
                         reduce_columns, p);
    }
}

/* Narrow rows that follow each other, as of few channels, are added `fold` at a time, as one row of
 * up to COLUMN_FOLD values: [count, inner] -> [fewer, inner] in scratch memory. False when there is
 * none. */
static bool fold_rows(pieces *p)
{
    const int64_t fold = COLUMN_FOLD / p->inner, rows = p->count / fold, rest = p->count % fold;
    const int64_t size = (int64_t)p->reducer->size, wide = fold * p->inner;
    pieces folded = *p;
    folded.count = rows;
    folded.inner = folded.row_stride = wide;
    folded.per_piece = rows < COLUMN_PIECE ? rows : COLUMN_PIECE;
    folded.pieces = ceil_div(rows, folded.per_piece);
    folded.y = tri_scratch((uint64_t)((folded.pieces * fold + rest) * p->inner * size));
    if (folded.y == NULL) return false;
    run_pieces(&folded);
    memcpy(folded.y + folded.pieces * wide * size, p->x + rows * wide * size,
           (size_t)(rest * p->inner * size));
    p->x = folded.y;
    p->count = folded.pieces * fold + rest;
    return true;
}

/* Partial results until one piece is left; each round divides the count by the length of a piece.
 */
static tr_status reduce_groups(const reducer *r, tr_tensor *y, const void *x,
                               const int64_t count[3], const int64_t stride[2])
{
    const int64_t per_piece = count[2] == 1 ? ROW_PIECE : COLUMN_PIECE;
    pieces p = { .reducer = r,
                 .x = x,
                 .outer = count[0],
                 .count = count[1],
                 .inner = count[2],
                 .outer_stride = stride[0],
                 .row_stride = stride[1] };
    const bool narrow = p.outer == 1 && p.inner > 1 && p.inner <= COLUMN_FOLD / 2;
    while (narrow && p.row_stride == p.inner && p.count >= 4 * COLUMN_FOLD) {
        if (!fold_rows(&p)) return tr_status_get();
    }
    for (;;) {
        p.per_piece = p.count < per_piece ? p.count : per_piece;
        p.pieces = ceil_div(p.count, p.per_piece);
        if (p.pieces == 1) break;
        p.y = tri_scratch((uint64_t)(p.outer * p.pieces * p.inner) * r->size);
        if (p.y == NULL) return tr_status_get();
        run_pieces(&p);
        p.x = p.y;
        p.count = p.pieces;
        p.outer_stride = p.pieces * p.inner;
        p.row_stride = p.inner;
    }
    p.y = y->data;
    run_pieces(&p);
    return TR_OK;
}

/* --- The shape
 * ------------------------------------------------------------------------------------------- */

/* Neighbouring axes of the same kind merge where strides allow: at most [outer, reduced, inner] may
 * be left, the last one in unit stride. False where more is left. */
static bool find_groups(const tr_tensor *x, const bool axes[], int64_t count[3], int64_t stride[2])
{
    int64_t n[TR_MAX_RANK + 1], s[TR_MAX_RANK + 1];
    bool reduced[TR_MAX_RANK + 1];
    int groups = 0;
    for (int a = 0; a < x->rank; a++) {
        if (x->shape[a] == 1) continue;
        const bool merges = groups > 0 && reduced[groups - 1] == axes[a] &&
                            s[groups - 1] == x->stride[a] * x->shape[a];
        if (!merges) {
            n[groups] = 1;
            reduced[groups++] = axes[a];
        }
        n[groups - 1] *= x->shape[a];
        s[groups - 1] = x->stride[a];
    }
    if (groups == 0) {
        n[0] = s[0] = 1;
        reduced[groups++] = true;
    }
    if (s[groups - 1] != 1) return false;
    const bool starts_outer = !reduced[0], ends_inner = !reduced[groups - 1];
    const int at = starts_outer ? 1 : 0;
    if (groups == 1 && starts_outer) { /* nothing to reduce: one row */
        count[0] = count[1] = 1;
        count[2] = stride[0] = stride[1] = n[0];
        return true;
    }
    if (groups != 1 + at + (ends_inner ? 1 : 0)) return false;
    count[0] = starts_outer ? n[0] : 1;
    stride[0] = starts_outer ? s[0] : 0;
    count[1] = n[at];
    stride[1] = s[at];
    count[2] = ends_inner ? n[groups - 1] : 1;
    return true;
}

/* The kept axes in order, then the reduced ones, as a contiguous [kept, reduced] copy. */
static const tr_tensor *reduced_last(const tr_tensor *x, const bool axes[])
{
    tr_shape shape = { .rank = x->rank };
    int64_t stride[TR_MAX_RANK];
    int rank = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (int a = 0; a < x->rank; a++) {
            if (axes[a] != (pass == 1)) continue;
            shape.dim[rank] = x->shape[a];
            stride[rank++] = x->stride[a];
        }
    }
    const tr_tensor *view = tri_view(x, shape, stride, 0);
    return view != NULL ? tri_contiguous(view) : NULL;
}

tr_status tri_reduce(tri_reduce_id id, tr_tensor *y, const tr_tensor *x,
                     const bool axes[TR_MAX_RANK])
{
    assert(y->dtype == x->dtype && y->rank == x->rank && tr_is_contiguous(y));
    if (tr_numel(y) == 0) return TR_OK;
    if (tr_numel(x) == 0) return tri_fill(y, id == TRI_R_PROD ? 1 : 0);
    const reducer r = { tri_kernel_table(), id, x->dtype, tr_dtype_size(x->dtype) };
    tr_scope *scope = tr_scope_push();
    int64_t count[3], stride[2];
    const void *data = x->data;
    bool ready = find_groups(x, axes, count, stride);
    if (!ready) {
        const tr_tensor *copy = reduced_last(x, axes);
        if (copy != NULL) {
            ready = true;
            data = copy->data;
            count[0] = tr_numel(y);
            count[1] = stride[0] = tr_numel(x) / count[0];
            count[2] = stride[1] = 1;
        }
    }
    const tr_status status = ready ? reduce_groups(&r, y, data, count, stride) : tr_status_get();
    tr_scope_pop(scope);
    return status;
}
