/* gemm.c: the matrix product, blocked for caches and cut into tasks for threads.
 *
 * b is packed once, in parallel, into panels as wide as the register block, or read where it lies
 * if its rows are adjacent and a is too short to repay the packing. A task then computes a
 * rectangle of c: for each block of k it packs one tile of a (a few rows) on the stack, where it
 * stays in the first cache, and multiplies it by all of its panels of b, which stream from the
 * second cache. A sum too long for that is cut into pieces along k, whose results are added in
 * order. Where a has only a few rows the order is another one (multiply_short), and where b is
 * transposed as well c^T is computed (multiply_turned). Blocks, tasks and pieces depend on the
 * shape only, and each element of c is computed by one task: same bits on any number of threads.
 * Read next: gemm.h (operands), kernels_gemm.inc (the register block). */
#include "tensor/gemm.h"

#include <assert.h>
#include <string.h>

enum {
    TILE_BYTES = 22 * 1024, /* of a tile of a: half of the first cache */
    PANEL_BYTES = 1 << 20,  /* of a block of b: half of the second cache */
    SHORT_BYTES = 5 * 1024, /* of a panel of b that all of a short a is multiplied by in turn */
    INLINE_WORK = 1 << 16,  /* multiply-adds below which threads do not pay */
    TASKS = 16              /* aimed at: enough for the threads of a desktop to share evenly */
};

typedef struct plan {
    const tri_product *p;
    tri_block          block;
    size_t             size;          /* of an element */
    int64_t            height, width; /* of the register block as used here */
    int64_t            tiles, panels; /* of all of c */
    int64_t            task_tiles, task_panels;
    int64_t            row_tasks, column_tasks, pieces, batches;
    int64_t            depth;  /* of a block of k */
    int64_t            piece;  /* length of a piece of k */
    int64_t            direct; /* panels of b, from the left, that are not packed */
    bool               a_in_place;
    bool               is_short; /* a has a few tiles, and b is read where it lies */
    /* Offsets of one block of k, as the register block wants them. */
    int64_t *a_at, *packed_at, *direct_at;
    char    *b;     /* packed panels: [batches][panels - direct][k][width] */
    char    *parts; /* results of pieces: [pieces][batches][m][n]; NULL for one */
} plan;

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

int64_t tri_ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

int64_t tri_even_part(int64_t total, int64_t limit)
{
    return total == 0 ? limit : tri_ceil_div(total, tri_ceil_div(total, limit));
}

/* --- The register block
 * ---------------------------------------------------------------------------- */

tri_block tri_block_of(tr_dtype dtype)
{
    const tri_kernels *table = tri_kernel_table();
    assert(dtype == TR_F32 || dtype == TR_F64);
    if (dtype == TR_F32)
        return (tri_block){ table, dtype, sizeof(float), table->f32.gemm_mr, table->f32.gemm_nr };
    return (tri_block){ table, dtype, sizeof(double), table->f64.gemm_mr, table->f64.gemm_nr };
}

void tri_multiply(const tri_block *block, int64_t rows, int64_t cols, int64_t k, const void *a,
                  int64_t a_row, const int64_t *a_at, const void *b, const int64_t *b_at, void *c,
                  int64_t c_row, bool accumulate)
{
    if (block->dtype == TR_F32)
        block->table->f32.gemm((int)rows, (int)cols, k, a, a_row, a_at, b, b_at, c, c_row,
                               accumulate);
    else
        block->table->f64.gemm((int)rows, (int)cols, k, a, a_row, a_at, b, b_at, c, c_row,
                               accumulate);
}

static void activate(const tri_block *block, tri_epilogue epilogue, void *c, int64_t count)
{
    static const tri_unary_id unary[] = { [TRI_E_IDENTITY] = TRI_U_copy,
                                          [TRI_E_RELU] = TRI_U_relu,
                                          [TRI_E_SIGMOID] = TRI_U_sigmoid,
                                          [TRI_E_TANH] = TRI_U_tanh };
    if (block->dtype == TR_F32)
        block->table->f32.unary[unary[epilogue]](count, c, c, NULL);
    else
        block->table->f64.unary[unary[epilogue]](count, c, c, NULL);
}

static void add_row(const tri_block *block, void *c, const void *x, int64_t count)
{
    if (block->dtype == TR_F32)
        block->table->f32.binary[TRI_B_add](count, c, c, x);
    else
        block->table->f64.binary[TRI_B_add](count, c, c, x);
}

/* Adds the bias to adjacent short rows, many at a time. */
static void add_short_rows(const tri_block *block, const void *bias, char *c, int64_t rows,
                           int64_t cols)
{
    char          repeated[2048];
    const int64_t bytes = cols * block->size, count = (int64_t)sizeof repeated / bytes;
    for (int64_t i = 0; i < count && i < rows; i++)
        memcpy(repeated + i * bytes, bias, (size_t)bytes);
    for (int64_t i = 0; i < rows; i += count)
        add_row(block, c + i * bytes, repeated, least(count, rows - i) * cols);
}

void tri_finish(const tri_block *block, tri_epilogue epilogue, const void *bias, void *c,
                int64_t c_row, int64_t rows, int64_t cols)
{
    char         *row = c;
    const int64_t step = c_row * block->size;
    if (bias && c_row == cols && cols <= 64)
        add_short_rows(block, bias, c, rows, cols);
    else
        for (int64_t i = 0; bias && i < rows; i++) add_row(block, row + i * step, bias, cols);
    if (epilogue == TRI_E_IDENTITY) return;
    if (c_row == cols)
        activate(block, epilogue, c, rows * cols);
    else
        for (int64_t i = 0; i < rows; i++) activate(block, epilogue, row + i * step, cols);
}

/* The operands and the result of one product of the batch. */
static tri_product select_batch(const tri_product *p, int64_t index)
{
    tri_product q = *p;
    int64_t     a = 0, b = 0, c = 0, bias = 0, size = (int64_t)p->a.size;
    for (int i = p->batch_rank - 1; i >= 0; i--) {
        const tri_batch_axis *axis = &p->batch[i];
        int64_t               at = index % axis->size;
        index /= axis->size;
        a += at * axis->a;
        b += at * axis->b;
        c += at * axis->c;
        bias += at * axis->bias;
    }
    q.a.data = (const char *)p->a.data + a * size;
    q.b.data = (const char *)p->b.data + b * size;
    q.c = (char *)p->c + c * size;
    if (p->bias) q.bias = (const char *)p->bias + bias * size;
    return q;
}

/* --- The plan: depends on shapes and kernel table only ------------------------------------------
 */

static void plan_tasks(plan *s)
{
    const tri_product *p = s->p;
    int64_t            block = most(1, PANEL_BYTES / (s->depth * s->width * (int64_t)s->size));
    s->task_panels = tri_even_part(s->panels, block);
    s->task_tiles = most(1, least(8, s->tiles / (s->a_in_place ? 4 : TASKS)));
    s->pieces = 1;
    s->piece = p->k;
    int64_t work = p->m * p->n * p->k;
    if (s->is_short && work * s->batches > INLINE_WORK) {
        s->task_tiles = s->tiles;
        s->task_panels = tri_even_part(s->panels, least(8, tri_ceil_div(s->panels, 2)));
    } else if (work * s->batches <= INLINE_WORK) {
        s->task_tiles = s->tiles;
        s->task_panels = s->panels;
    } else if (p->k >= 8 * s->depth && p->m * p->n <= 1 << 18 && p->k > 8 * most(p->m, p->n)) {
        s->task_tiles = s->tiles;
        s->pieces = least(TASKS, p->k / (2 * s->depth));
        s->piece = tri_ceil_div(p->k, s->pieces);
        s->pieces = tri_ceil_div(p->k, s->piece);
    } else {
        int64_t others = tri_ceil_div(s->tiles, s->task_tiles) * s->batches;
        if (others < TASKS)
            s->task_panels = least(s->task_panels,
                                   most(1, tri_ceil_div(s->panels, tri_ceil_div(TASKS, others))));
    }
    s->row_tasks = tri_ceil_div(s->tiles, s->task_tiles);
    s->column_tasks = tri_ceil_div(s->panels, s->task_panels);
}

/* Rows that lie a multiple of 4096 bytes apart share few places of the first cache. */
static bool rows_collide(const tri_operand *x)
{
    return x->outer * (int64_t)x->size % 4096 == 0;
}

static plan plan_product(const tri_product *p)
{
    plan          s = { .p = p, .block = tri_block_of(p->dtype), .size = p->a.size, .batches = 1 };
    const int64_t mr = s.block.rows, size = (int64_t)s.size;
    s.width = s.block.cols;
    assert(s.width <= TRI_PACK_MAX);
    for (int i = 0; i < p->batch_rank; i++) s.batches *= p->batch[i].size;
    s.panels = tri_ceil_div(p->n, s.width);
    const bool rows = p->a.inner == 1, few = s.panels <= 2 || p->m <= 4 * mr;
    s.a_in_place = few || rows;
    s.height = tri_even_part(p->m, rows && rows_collide(&p->a) ? least(mr, 8) : mr);
    s.tiles = tri_ceil_div(p->m, s.height);
    if (p->b.outer == 1 && p->n > 1 && (p->m <= 4 * mr || p->b.inner * size <= 512)) {
        s.direct = p->n / s.width;
        if (p->n % s.width == s.width / 2) s.direct++;
    }
    s.is_short = s.direct > 0 && p->m <= 4 * mr;
    s.depth = s.is_short ? SHORT_BYTES / (s.width * size) : TILE_BYTES / (mr * size);
    s.depth = most(1, tri_even_part(p->k, s.depth));
    plan_tasks(&s);
    return s;
}

/* --- Packing b ----------------------------------------------------------------------------------
 */

enum { PACK_DEPTH = 256 };

static char *packed_panel(const plan *s, int64_t batch, int64_t panel)
{
    int64_t index = batch * (s->panels - s->direct) + panel - s->direct;
    return s->b + index * s->p->k * s->width * (int64_t)s->size;
}

static void pack_body(void *context, int64_t begin, int64_t end)
{
    const plan *s = context;
    int64_t     steps = tri_ceil_div(s->p->k, PACK_DEPTH), packed = s->panels - s->direct;
    for (int64_t task = begin; task < end; task++) {
        int64_t     k0 = task % steps * PACK_DEPTH, k1 = least(s->p->k, k0 + PACK_DEPTH);
        int64_t     panel = s->direct + task / steps % packed, batch = task / steps / packed;
        int64_t     j = panel * s->width, cols = least(s->width, s->p->n - j);
        tri_product q = select_batch(s->p, batch);
        char       *out = packed_panel(s, batch, panel) + k0 * s->width * (int64_t)s->size;
        if (cols < s->width) memset(out, 0, (size_t)((k1 - k0) * s->width) * s->size);
        tri_pack(&q.b, j, cols, k0, k1, s->width, out);
    }
}

static tr_status pack_b(plan *s)
{
    int64_t packed = (s->panels - s->direct) * s->batches, count, bytes;
    if (packed == 0 || s->p->k == 0) return TR_OK;
    if (!tri_mul_size(packed * s->width, s->p->k, &count) ||
        !tri_mul_size(count, (int64_t)s->size, &bytes))
        return tr_fail(TR_ERR_MEMORY, "matmul: the packed operand does not fit the address space");
    s->b = tri_scratch((uint64_t)bytes);
    if (!s->b) return tr_status_get();
    int64_t tasks = packed * tri_ceil_div(s->p->k, PACK_DEPTH);
    int64_t grain = most(1, INLINE_WORK / (PACK_DEPTH * s->width));
    tri_parallel_for(tasks, grain, pack_body, s);
    return TR_OK;
}

/* --- Multiplying --------------------------------------------------------------------------------
 */

/* A rectangle of the result, and the part of k that goes into it. */
typedef struct task {
    tri_product q; /* of this batch, c redirected where k is in pieces */
    int64_t     batch, tile0, tile1, panel0, panel1, k0, k1;
    bool        finish;
} task;

static task task_of(const plan *s, int64_t index)
{
    task    t;
    int64_t column = index % s->column_tasks, rest = index / s->column_tasks;
    int64_t row = rest % s->row_tasks;
    rest /= s->row_tasks;
    int64_t piece = rest % s->pieces;
    t.batch = rest / s->pieces;
    t.q = select_batch(s->p, t.batch);
    t.tile0 = row * s->task_tiles;
    t.tile1 = least(s->tiles, t.tile0 + s->task_tiles);
    t.panel0 = column * s->task_panels;
    t.panel1 = least(s->panels, t.panel0 + s->task_panels);
    t.k0 = piece * s->piece;
    t.k1 = least(s->p->k, t.k0 + s->piece);
    t.finish = !s->parts;
    if (s->parts) {
        t.q.c = s->parts + (piece * s->batches + t.batch) * s->p->m * s->p->n * (int64_t)s->size;
        t.q.c_row = s->p->n;
    }
    return t;
}

/* One block of c: rows from i on, of which `a` has the factors, times a panel of b. */
static void multiply_block(const plan *s, const task *t, int64_t i, int64_t panel, const char *a,
                           int64_t a_row, int64_t k0, int64_t k1)
{
    const tri_product *q = &t->q;
    const int64_t      size = (int64_t)s->size, j = panel * s->width;
    const bool         direct = panel < s->direct;
    const char        *b = NULL;
    if (direct)
        b = (const char *)q->b.data + (j + k0 * q->b.inner) * size;
    else if (k1 > k0)
        b = packed_panel(s, t->batch, panel) + k0 * s->width * size;
    tri_multiply(&s->block, least(s->height, q->m - i), least(s->width, q->n - j), k1 - k0, a,
                 a_row, s->a_at, b, direct ? s->direct_at : s->packed_at,
                 (char *)q->c + (i * q->c_row + j) * size, q->c_row, k0 > t->k0);
}

static const char *a_in_place(const plan *s, const task *t, int64_t i, int64_t k0)
{
    const tri_operand *a = &t->q.a;
    return (const char *)a->data + (i * a->outer + k0 * a->inner) * (int64_t)s->size;
}

/* One tile of a times the task's panels of b, for one block of k. */
static void multiply_tile(const plan *s, const task *t, int64_t i, int64_t k0, int64_t k1)
{
    _Alignas(64) char tile[TILE_BYTES];
    int64_t           a_row = 1;
    const char       *a = tile;
    if (s->a_in_place) {
        a_row = t->q.a.outer;
        a = a_in_place(s, t, i, k0);
    } else {
        tri_pack(&t->q.a, i, least(s->height, t->q.m - i), k0, k1, s->height, tile);
    }
    for (int64_t panel = t->panel0; panel < t->panel1; panel++)
        multiply_block(s, t, i, panel, a, a_row, k0, k1);
}

/* The same for all of the task's tiles, where they are few: a panel of b is read where it lies, a
 * short piece of each of its rows, and stays in the first cache while the tiles take their turns.
 * The next panel goes on in the same rows, which are few, so the processor reads ahead. */
static void multiply_short(const plan *s, const task *t, int64_t k0, int64_t k1)
{
    for (int64_t panel = t->panel0; panel < t->panel1; panel++)
        for (int64_t tile = t->tile0; tile < t->tile1; tile++) {
            const int64_t i = tile * s->height;
            multiply_block(s, t, i, panel, a_in_place(s, t, i, k0), t->q.a.outer, k0, k1);
        }
}

static void finish_tile(const plan *s, const task *t, int64_t tile)
{
    const tri_product *q = &t->q;
    const int64_t      i = tile * s->height, j = t->panel0 * s->width, size = (int64_t)s->size;
    const char        *bias = q->bias ? (const char *)q->bias + j * size : NULL;
    tri_finish(&s->block, q->epilogue, bias, (char *)q->c + (i * q->c_row + j) * size, q->c_row,
               least(s->height, q->m - i), least(q->n, t->panel1 * s->width) - j);
}

static void multiply_body(void *context, int64_t begin, int64_t end)
{
    const plan *s = context;
    for (int64_t index = begin; index < end; index++) {
        const task t = task_of(s, index);
        int64_t    k0 = t.k0;
        do { /* once for k = 0 too: that writes the zeros */
            const int64_t k1 = least(t.k1, k0 + s->depth);
            const bool    finish = k1 == t.k1 && t.finish;
            if (s->is_short) multiply_short(s, &t, k0, k1);
            for (int64_t tile = t.tile0; tile < t.tile1; tile++) {
                if (!s->is_short) multiply_tile(s, &t, tile * s->height, k0, k1);
                if (finish) finish_tile(s, &t, tile);
            }
            k0 = k1;
        } while (k0 < t.k1);
    }
}

/* Adds the pieces of each row in order. */
static void combine_body(void *context, int64_t begin, int64_t end)
{
    const plan        *s = context;
    const tri_product *p = s->p;
    int64_t            n = p->n, row_bytes = n * (int64_t)s->size;
    for (int64_t row = begin; row < end; row++) {
        tri_product q = select_batch(p, row / p->m);
        char       *c = (char *)q.c + row % p->m * p->c_row * (int64_t)s->size;
        memcpy(c, s->parts + row * row_bytes, (size_t)row_bytes);
        for (int64_t piece = 1; piece < s->pieces; piece++) {
            const void *x = s->parts + (piece * s->batches * p->m + row) * row_bytes;
            add_row(&s->block, c, x, n);
        }
        tri_finish(&s->block, p->epilogue, q.bias, c, p->c_row, 1, n);
    }
}

static tr_status make_offsets(plan *s)
{
    s->a_at = tri_scratch((uint64_t)s->depth * 3 * sizeof(int64_t));
    if (!s->a_at) return tr_status_get();
    s->packed_at = s->a_at + s->depth;
    s->direct_at = s->packed_at + s->depth;
    for (int64_t k = 0; k < s->depth; k++) {
        s->a_at[k] = k * (s->a_in_place ? s->p->a.inner : s->height);
        s->packed_at[k] = k * s->width;
        s->direct_at[k] = k * s->p->b.inner;
    }
    return TR_OK;
}

static tr_status run(plan *s)
{
    const tri_product *p = s->p;
    if (make_offsets(s) != TR_OK || pack_b(s) != TR_OK) return tr_status_get();
    if (s->pieces > 1) {
        s->parts = tri_scratch((uint64_t)(s->pieces * s->batches * p->m * p->n) * s->size);
        if (!s->parts) return tr_status_get();
    }
    tri_parallel_for(s->batches * s->pieces * s->row_tasks * s->column_tasks, 1, multiply_body, s);
    if (s->parts)
        tri_parallel_for(s->batches * p->m, most(1, INLINE_WORK / (p->n * s->pieces)), combine_body,
                         s);
    return TR_OK;
}

/* --- A short a times a transposed b: g w^T
 * --------------------------------------------------------
 */

/* To pack all of b for a few rows of a would cost more than the product. Of c^T = b^T a^T the left
 * factor is read where it lies, the right one is small, and so is c^T, which is turned at the end.
 */
static bool is_better_turned(const tri_product *p)
{
    return p->batch_rank == 0 && p->b.inner == 1 && p->b.outer > 1 && !p->bias &&
           p->epilogue == TRI_E_IDENTITY && p->m <= 2 * tri_block_of(p->dtype).cols &&
           p->n > 2 * p->m;
}

static tr_status multiply(const tri_product *p)
{
    plan      s = plan_product(p);
    tr_scope *scope = tr_scope_push();
    if (!scope) return tr_status_get();
    tr_status status = run(&s);
    tr_scope_pop(scope);
    return status;
}

/* tri_pack, which turns panels of b, turns any matrix. */
static void turn_body(void *context, int64_t begin, int64_t end)
{
    const tri_product *p = ((const tri_product *const *)context)[0];
    const tri_product *turned = ((const tri_product *const *)context)[1];
    const tri_operand  rows = { turned->c, p->a.size, turned->c_row, 1 };
    tri_pack(&rows, begin, end - begin, 0, p->m, p->c_row,
             (char *)p->c + begin * (int64_t)p->a.size);
}

static tr_status multiply_turned(const tri_product *p)
{
    tri_product turned = *p;
    turned.m = p->n;
    turned.n = p->m;
    turned.a = p->b;
    turned.b = p->a;
    turned.c_row = p->m;
    tr_scope *scope = tr_scope_push();
    if (!scope) return tr_status_get();
    turned.c = tri_scratch((uint64_t)(p->m * p->n) * p->a.size);
    if (turned.c && multiply(&turned) == TR_OK)
        tri_parallel_for(p->n, TRI_PACK_MAX, turn_body, (const tri_product *[]){ p, &turned });
    tr_scope_pop(scope);
    return tr_status_get();
}

tr_status tri_gemm(const tri_product *p)
{
    if (tri_failed()) return tr_status_get();
    if (p->m == 0 || p->n == 0) return TR_OK;
    for (int i = 0; i < p->batch_rank; i++)
        if (p->batch[i].size == 0) return TR_OK;
    return is_better_turned(p) ? multiply_turned(p) : multiply(p);
}

/* --- tri_matmul ---------------------------------------------------------------------------------
 */

/* One b for all of a's matrices, whose rows follow each other at one stride: a single tall product.
 */
static bool rows_merge(tri_product *p, const tr_tensor *a, const tr_tensor *b)
{
    int64_t rows = 1, stride = 0;
    for (int i = a->rank - 2; i >= 0; i--) {
        if (a->shape[i] == 1) continue;
        if (i < a->rank - 2 && b->stride[i] != 0) return false;
        if (rows == 1) stride = a->stride[i];
        if (a->stride[i] != stride * rows) return false;
        rows *= a->shape[i];
    }
    p->m = rows;
    p->a.outer = stride;
    return true;
}

static tr_status matmul(tr_tensor *y, const tr_tensor *a, const tr_tensor *b, const tr_tensor *bias,
                        tri_epilogue epilogue)
{
    const int    row = a->rank - 2, column = a->rank - 1;
    const size_t size = tr_dtype_size(y->dtype);
    tri_product  p = { .dtype = y->dtype,
                       .m = y->shape[row],
                       .n = y->shape[column],
                       .k = a->shape[column],
                       .c = y->data,
                       .c_row = y->shape[column],
                       .epilogue = epilogue };
    p.a = (tri_operand){ a->data, size, a->stride[row], a->stride[column] };
    p.b = (tri_operand){ b->data, size, b->stride[column], b->stride[row] };
    if (bias) {
        bias = tri_contiguous(bias);
        if (!bias) return tr_status_get();
        p.bias = bias->data;
    }
    if (rows_merge(&p, a, b)) return tri_gemm(&p);
    int64_t step = p.m * p.n;
    p.batch_rank = row;
    for (int i = row - 1; i >= 0; i--) {
        p.batch[i] = (tri_batch_axis){ y->shape[i], a->stride[i], b->stride[i], step, 0 };
        step *= y->shape[i];
    }
    return tri_gemm(&p);
}

tr_status tri_matmul(tr_tensor *y, const tr_tensor *a, const tr_tensor *b, const tr_tensor *bias,
                     tri_epilogue epilogue)
{
    assert(a->rank >= 2 && b->rank == a->rank && y->rank == a->rank);
    assert(a->shape[a->rank - 1] == b->shape[a->rank - 2]);
    if (tri_failed()) return tr_status_get();
    tr_scope *scope = tr_scope_push();
    if (!scope) return tr_status_get();
    tr_status status = matmul(y, a, b, bias, epilogue);
    tr_scope_pop(scope);
    return status;
}
