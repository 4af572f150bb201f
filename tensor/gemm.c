/* gemm.c: the matrix product, blocked for caches and cut into tasks for threads.
 *
 * A task computes a rectangle of c. For each block of k it packs its columns of b into panels as
 * wide as the register block, in memory of its own, or reads them where they lie if their rows are
 * adjacent and a is too short to repay the packing. Then it takes a few rows of a at a time, packed
 * on the stack, where they stay in the first cache while all panels of b stream past them from the
 * second. Threads share no memory that one of them writes: fetching such lines from another core
 * costs more than packing. A sum too long for one task is cut into pieces along k, whose results
 * are added in order. Where a has only a few rows the order is another one (multiply_short), and
 * where b is transposed as well c^T is computed (multiply_turned). An element's sum is taken in an
 * order that depends on the shape only, and by one task: same bits on any number of threads.
 * Read next: gemm.h (operands), kernels_gemm.inc (the register block). */
#include "tensor/gemm.h"

#include <assert.h>
#include <string.h>

enum {
    PANEL_BYTES = 1 << 20,  /* of a block of b: half of the second cache */
    SHORT_BYTES = 5 * 1024, /* of a panel of b that all of a short a is multiplied by in turn */
    SMALL_DEPTH = 256, /* of k: packing b again costs less than fetching the other's rows of c */
    INLINE_WORK = 1 << 16,    /* multiply-adds below which threads do not pay */
    HALVED_WEIGHTS = 1 << 13, /* elements of b, and rows, that repay two sums for a short a */
    HALVED_DEPTH = 64,
    MOST_PIECES = 16,      /* of k: enough for the threads of a desktop to share evenly */
    SHARED_WORK = 1 << 19, /* multiply-adds that repay a second thread: some microseconds */
    TASK_WORK = 1 << 15    /* of a task, where they do: enough tasks to share evenly */
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
    tri_slots *packed; /* for each task at work: panels [..][depth][width] of b; NULL for none */
    char      *parts;  /* results of pieces: [pieces][batches][m][n]; NULL for one */
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

int64_t tri_tasks_for(double work, int64_t most)
{
    if (work < SHARED_WORK) return 1;
    return work < (double)most * TASK_WORK ? (int64_t)(work / TASK_WORK) : most;
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
        block->table->f32.gemm_at((int)rows, (int)cols, k, a, a_row, a_at, b, b_at, c, c_row,
                                  accumulate);
    else
        block->table->f64.gemm_at((int)rows, (int)cols, k, a, a_row, a_at, b, b_at, c, c_row,
                                  accumulate);
}

void tri_pack(const tri_operand *x, int64_t o0, int64_t count, int64_t k0, int64_t k1,
              int64_t width, void *out)
{
    const tri_kernels *table = tri_kernel_table();
    const int64_t      at = o0 * x->outer + k0 * x->inner;
    if (x->size == sizeof(float))
        table->f32.pack((const float *)x->data + at, x->outer, x->inner, count, k1 - k0, width,
                        out);
    else
        table->f64.pack((const double *)x->data + at, x->outer, x->inner, count, k1 - k0, width,
                        out);
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

void tri_combine(const tri_block *block, tri_epilogue epilogue, const void *bias, void *c,
                 const char *parts, int64_t pieces, int64_t step, int64_t n)
{
    memcpy(c, parts, (size_t)(n * block->size));
    for (int64_t i = 1; i < pieces; i++) add_row(block, c, parts + i * step, n);
    tri_finish(block, epilogue, bias, c, n, 1, n);
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

/* --- The plan ---------------------------------------------------------------------------------
 * Blocks and pieces of k depend on shapes and kernel table only; rectangles also on the threads. */

/* Cuts c into one rectangle for each thread, the largest of them as small as can be, and rather by
 * columns than by rows, which share b, but not where b is small; and these by columns again, so
 * that a block of b fits the cache. A few columns that are left over make a rectangle more, if the
 * others are smaller for it. */
static void plan_rectangles(plan *s, int64_t threads)
{
    const int64_t halves = tri_ceil_div(2 * s->p->n, s->width); /* of panels */
    int64_t       best = INT64_MAX, columns = s->panels;
    for (int64_t i = 0; i < 2 * threads; i++) {
        const int64_t parts = s->p->k <= SMALL_DEPTH ? i / 2 + 1 : threads - i / 2;
        const int64_t tiles = tri_ceil_div(s->tiles, threads / parts);
        const int64_t panels = i % 2 ? s->panels / parts : tri_ceil_div(s->panels, parts);
        int64_t       rest = most(0, halves - 2 * parts * panels);
        if (rest > 0 && s->p->a.inner != 1) rest += 2; /* its tiles of a are turned once more */
        if (panels == 0 || tiles * (2 * panels + rest) >= best) continue;
        best = tiles * (2 * panels + rest);
        s->task_tiles = tiles;
        columns = panels;
    }
    const int64_t block = PANEL_BYTES / (s->depth * s->width * (int64_t)s->size);
    s->task_panels = tri_even_part(columns, most(1, block));
}

static void plan_tasks(plan *s)
{
    const tri_product *p = s->p;
    const int64_t      work = p->m * p->n * p->k * s->batches;
    s->pieces = 1;
    s->piece = p->k;
    if (work <= INLINE_WORK) {
        s->task_tiles = s->tiles;
        s->task_panels = s->panels;
    } else if (s->is_short) {
        s->task_tiles = s->tiles;
        s->task_panels = tri_even_part(s->panels, least(4, tri_ceil_div(s->panels, 2)));
        if (p->k * p->n >= HALVED_WEIGHTS && p->k >= HALVED_DEPTH) {
            s->pieces = 2; /* each thread gets the rows of b that it has updated */
            s->piece = tri_ceil_div(p->k, 2);
        }
    } else if (p->k >= 8 * s->depth && p->m * p->n <= 1 << 18 && p->k > 8 * most(p->m, p->n)) {
        s->task_tiles = s->tiles;
        s->task_panels = s->panels;
        s->pieces = least(MOST_PIECES, p->k / (2 * s->depth));
        s->piece = tri_ceil_div(p->k, s->pieces);
        s->pieces = tri_ceil_div(p->k, s->piece);
    } else {
        plan_rectangles(s, tri_ceil_div(tr_threads(), s->batches));
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
    s.a_in_place = s.panels <= 2 || p->m <= 4 * mr;
    s.height = tri_even_part(p->m, s.a_in_place && rows_collide(&p->a) ? least(mr, 8) : mr);
    s.tiles = tri_ceil_div(p->m, s.height);
    if (p->b.outer == 1 && p->n > 1 && (p->m <= 4 * mr || p->b.inner * size <= 512)) {
        s.direct = p->n / s.width;
        if (p->n % s.width == s.width / 2) s.direct++;
    }
    s.is_short = s.direct > 0 && p->m <= 4 * mr;
    s.depth = s.is_short ? SHORT_BYTES / (s.width * size) : TRI_TILE_ROW_BYTES / size;
    s.depth = most(1, tri_even_part(p->k, s.depth));
    plan_tasks(&s);
    return s;
}

/* --- Multiplying --------------------------------------------------------------------------------
 */

/* A rectangle of the result, and the part of k that goes into it. */
typedef struct task {
    tri_product q; /* of this batch, c redirected where k is in pieces */
    int64_t     tile0, tile1, panel0, panel1, k0, k1;
    bool        finish;
    char       *packed; /* columns of b for the current block of k */
} task;

static task task_of(const plan *s, int64_t index)
{
    task    t;
    int64_t column = index % s->column_tasks, rest = index / s->column_tasks;
    int64_t row = rest % s->row_tasks;
    rest /= s->row_tasks;
    int64_t       piece = rest % s->pieces;
    const int64_t batch = rest / s->pieces;
    t.q = select_batch(s->p, batch);
    t.tile0 = row * s->task_tiles;
    t.tile1 = least(s->tiles, t.tile0 + s->task_tiles);
    t.panel0 = column * s->task_panels;
    t.panel1 = least(s->panels, t.panel0 + s->task_panels);
    t.k0 = piece * s->piece;
    t.k1 = least(s->p->k, t.k0 + s->piece);
    t.finish = !s->parts;
    if (s->parts) {
        t.q.c = s->parts + (piece * s->batches + batch) * s->p->m * s->p->n * (int64_t)s->size;
        t.q.c_row = s->p->n;
    }
    return t;
}

/* Packs the task's columns of b for one block of k; the last panel is filled up with zeros. */
static void pack_panels(const plan *s, const task *t, int64_t k0, int64_t k1)
{
    /* Reading follows the rows of b: a few of them from panel to panel, or whole ones. */
    const int64_t rows = t->q.b.outer == 1 ? 16 : k1 - k0;
    const int64_t row = s->width * (int64_t)s->size, first = most(t->panel0, s->direct);
    for (int64_t k = k0; k < k1; k += rows)
        for (int64_t panel = first; panel < t->panel1; panel++) {
            const int64_t end = least(k1, k + rows), j = panel * s->width;
            const int64_t cols = least(s->width, s->p->n - j);
            char         *out = t->packed + ((panel - first) * (k1 - k0) + k - k0) * row;
            if (cols < s->width) memset(out, 0, (size_t)((end - k) * row));
            tri_pack(&t->q.b, j, cols, k, end, s->width, out);
        }
}

/* A few rows of a, for one block of k. */
typedef struct left {
    const char *data;
    int64_t     row, step; /* from row to row, along k */
} left;

/* One block of c: rows from i on, of which `a` has the factors, times a panel of b. */
static void multiply_block(const plan *s, const task *t, int64_t i, int64_t panel, left a,
                           int64_t k0, int64_t k1)
{
    const tri_product *q = &t->q;
    const int64_t      size = (int64_t)s->size, j = panel * s->width;
    const int     rows = (int)least(s->height, q->m - i), cols = (int)least(s->width, q->n - j);
    const bool    direct = panel < s->direct;
    const int64_t b_step = direct ? q->b.inner : s->width;
    const char   *b = NULL;
    char         *c = (char *)q->c + (i * q->c_row + j) * size;
    if (direct)
        b = (const char *)q->b.data + (j + k0 * q->b.inner) * size;
    else
        b = t->packed + (panel - most(t->panel0, s->direct)) * (k1 - k0) * s->width * size;
    const tri_kernels *table = s->block.table;
    if (s->block.dtype == TR_F32)
        table->f32.gemm(rows, cols, k1 - k0, (const float *)a.data, a.row, a.step, (const float *)b,
                        b_step, (float *)c, q->c_row, k0 > t->k0);
    else
        table->f64.gemm(rows, cols, k1 - k0, (const double *)a.data, a.row, a.step,
                        (const double *)b, b_step, (double *)c, q->c_row, k0 > t->k0);
}

static left rows_in_place(const task *t, int64_t i, int64_t k0)
{
    const tri_operand *a = &t->q.a;
    const int64_t      at = (i * a->outer + k0 * a->inner) * (int64_t)a->size;
    return (left){ (const char *)a->data + at, a->outer, a->inner };
}

/* Copies a tile of a: rows as they are where they run along k, side by side otherwise. */
static left copy_rows(const plan *s, const task *t, int64_t i, int64_t k0, int64_t k1, char *tile)
{
    const int64_t count = least(s->height, t->q.m - i), bytes = (k1 - k0) * (int64_t)s->size;
    if (t->q.a.inner != 1) {
        tri_pack(&t->q.a, i, count, k0, k1, s->height, tile);
        return (left){ tile, 1, s->height };
    }
    const left rows = rows_in_place(t, i, k0);
    for (int64_t r = 0; r < count && bytes > 0; r++)
        memcpy(tile + r * TRI_TILE_ROW_BYTES, rows.data + r * rows.row * (int64_t)s->size,
               (size_t)bytes);
    return (left){ tile, TRI_TILE_ROW_BYTES / (int64_t)s->size, 1 };
}

/* One tile of a times the task's panels of b, for one block of k. */
static void multiply_tile(const plan *s, const task *t, int64_t i, int64_t k0, int64_t k1)
{
    _Alignas(64) char tile[TRI_TILE_ROWS * TRI_TILE_ROW_BYTES];
    const left a = s->a_in_place ? rows_in_place(t, i, k0) : copy_rows(s, t, i, k0, k1, tile);
    for (int64_t panel = t->panel0; panel < t->panel1; panel++)
        multiply_block(s, t, i, panel, a, k0, k1);
}

/* The same for all of the task's tiles, where they are few: a panel of b is read where it lies, a
 * short piece of each of its rows, and stays in the first cache while the tiles take their turns.
 * The next panel goes on in the same rows, which are few, so the processor reads ahead. */
static void multiply_short(const plan *s, const task *t, int64_t k0, int64_t k1)
{
    for (int64_t panel = t->panel0; panel < t->panel1; panel++)
        for (int64_t tile = t->tile0; tile < t->tile1; tile++) {
            const int64_t i = tile * s->height;
            multiply_block(s, t, i, panel, rows_in_place(t, i, k0), k0, k1);
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
        task    t = task_of(s, index);
        int64_t k0 = t.k0;
        t.packed = s->packed ? tri_slot_take(s->packed) : NULL;
        do { /* once for k = 0 too: that writes the zeros */
            const int64_t k1 = least(t.k1, k0 + s->depth);
            const bool    finish = k1 == t.k1 && t.finish;
            pack_panels(s, &t, k0, k1);
            if (s->is_short) multiply_short(s, &t, k0, k1);
            for (int64_t tile = t.tile0; tile < t.tile1; tile++) {
                if (!s->is_short) multiply_tile(s, &t, tile * s->height, k0, k1);
                if (finish) finish_tile(s, &t, tile);
            }
            k0 = k1;
        } while (k0 < t.k1);
        if (s->packed) tri_slot_give(s->packed, t.packed);
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
        tri_combine(&s->block, p->epilogue, q.bias, c, s->parts + row * row_bytes, s->pieces,
                    s->batches * p->m * row_bytes, n);
    }
}

static tr_status run(plan *s)
{
    const tri_product *p = s->p;
    const int64_t      panels = least(s->task_panels, s->panels - s->direct);
    tri_slots          packed;
    if (panels > 0) {
        s->packed = &packed;
        if (!tri_slots_make(&packed, (uint64_t)(panels * s->width * s->depth) * s->size))
            return tr_status_get();
    }
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
    if (tri_is_row_product(p)) return tri_row_product(p);
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
