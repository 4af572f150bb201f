/* upsample_conv.c: nearest upsampling followed by a convolution with step 1 and 'same' padding, in
 * one, and its gradients, without ever making the larger picture.
 *
 * After upsampling by f, f x f neighbours are one pixel p of x. So the product of every window
 * element with every pixel of x, z[p, (r, s, k)] = sum_c x[p, c] w[r, s, c, k], is computed once: f
 * f times fewer multiplications. Output pixel u collects its KH KW terms:
 *
 *     y[u, k] = sum_rs z[floor((u + (r, s) - pad) / f), (r, s, k)]
 *
 * Backwards, G[p, (r, s, k)] is the sum of the f f values of g that saw z there; dx = G w^T and dw
 * = x^T G are matrix products. Blocks of rows of a picture go through both steps in the second
 * cache. A border of zeros around z and g makes every offset valid. Items and the order of sums
 * depend on shapes only. Read next: conv.c (convolutions in general), frame.h. */
#include "tensor/frame.h"
#include "tensor/gemm.h"

#include <assert.h>
#include <string.h>

enum {
    BLOCK_BYTES = 1 << 18, /* aimed at for a block of z or G */
    TASKS = 32,
    ITEMS = 4,   /* at least, if the pictures have that many rows */
    PIECES = 16, /* of the sum over pixels in dw */
    CHUNK = 1 << 12
};

typedef struct folded {
    tri_block   block;
    int64_t     size; /* of an element */
    int64_t     factor, kh, kw;
    int64_t     pad[2];       /* before */
    int64_t     images, h, w; /* of x */
    int64_t     in, out;
    int64_t     columns, pitch; /* KH KW K, filled up to whole register blocks */
    int64_t     item_rows, blocks, items, grain;
    int64_t     table_bytes, border_bytes; /* of a slot: offsets; then z, or g with its border; G */
    char       *x, *y;                     /* y: the result or its cotangent g */
    char       *weights;                   /* forward [in][pitch], dx [panels][columns][width] */
    bool        in_place;                  /* forward: w as it is */
    const char *bias;
    tri_epilogue epilogue;
    int64_t     *a_at, *b_at;
    char        *parts; /* dw: [pieces][in][pitch] */
    tri_slots    slots;
} folded;

/* A block of rows of a picture of x. */
typedef struct item {
    int64_t n, first, end;
} item;

static item item_of(const folded *s, int64_t index)
{
    const int64_t first = index % s->blocks * s->item_rows, end = first + s->item_rows;
    return (item){ index / s->blocks, first, end < s->h ? end : s->h };
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a >= 0 ? a / b : -((-a + b - 1) / b);
}

/* Pixels of x that the window of output pixels f first .. f end - 1 reaches: low .. high - 1. */
static int64_t reach(const folded *s, int axis, int64_t first, int64_t end, int64_t *low)
{
    const int64_t last = s->factor * end - 1 + (axis == 0 ? s->kh : s->kw) - 1 - s->pad[axis];
    *low = floor_div(s->factor * first - s->pad[axis], s->factor);
    return floor_div(last, s->factor) + 1;
}

static void sum_at(const folded *s, int64_t pixels, void *y, int64_t y_step, const void *x,
                   int64_t x_step, const int64_t *at, int64_t count)
{
    if (s->block.dtype == TR_F32)
        s->block.table->f32.sum_at(pixels, s->out, y, y_step, x, x_step, at, count);
    else
        s->block.table->f64.sum_at(pixels, s->out, y, y_step, x, x_step, at, count);
}

/* [rows x depth] times [depth x cols], both read where they lie or packed: b has `width` columns.
 */
static void multiply_rows(const folded *s, int64_t rows, int64_t cols, int64_t depth, const char *a,
                          int64_t a_row, const char *b, char *c, int64_t c_row)
{
    const int64_t height = tri_even_part(rows, s->block.rows);
    for (int64_t i = 0; i < rows; i += height)
        tri_multiply(&s->block, rows - i < height ? rows - i : height, cols, depth,
                     a + i * a_row * s->size, a_row, s->a_at, b, s->b_at, c + i * c_row * s->size,
                     c_row, false);
}

/* Columns of a register block: whole vectors. */
static int64_t whole_columns(const folded *s, int64_t rest)
{
    return rest <= s->block.cols / 2 ? s->block.cols / 2 : s->block.cols;
}

/* --- Forward ---------------------------------------------------------------------------------- */

/* Whether output pixels of the item see row i of x through window elements of the panel at j. */
static bool is_seen(const folded *s, item t, int64_t i, int64_t j)
{
    const int64_t row = s->kw * s->out, last = j + s->block.cols - 1,
                  at = s->factor * i + s->pad[0];
    return last / row >= at - (s->factor * t.end - 1) &&
           j / row <= at + s->factor - 1 - s->factor * t.first;
}

/* The weights of the panel at j. */
static const char *weights_at(const folded *s, int64_t j)
{
    if (s->in_place) j = j / s->out * s->in * s->out + j % s->out;
    return s->weights + j * s->size;
}

/* z of the pixels low .. high - 1, as far as the item sees it, with zeros beside the picture. */
static void make_z(const folded *s, item t, const int64_t low[2], const int64_t high[2], char *z)
{
    const int64_t cols = high[1] - low[1], pixel = s->pitch * s->size;
    for (int64_t i = low[0]; i < high[0]; i++) {
        char         *line = z + (i - low[0]) * cols * pixel;
        const int64_t right = s->w - low[1];
        if (i < 0 || i >= s->h) {
            memset(line, 0, (size_t)(cols * pixel));
            continue;
        }
        memset(line, 0, (size_t)(-low[1] * pixel));
        memset(line + right * pixel, 0, (size_t)((cols - right) * pixel));
    }
    const int64_t first = low[0] > 0 ? low[0] : 0, end = high[0] < s->h ? high[0] : s->h;
    for (int64_t j = 0; j < s->columns; j += s->block.cols)
        for (int64_t i = first; i < end; i++)
            if (is_seen(s, t, i, j))
                multiply_rows(
                    s, s->w, whole_columns(s, s->columns - j), s->in,
                    s->x + (t.n * s->h + i) * s->w * s->in * s->size, s->in, weights_at(s, j),
                    z + (((i - low[0]) * cols - low[1]) * s->pitch + j) * s->size, s->pitch);
}

/* Columns of z, from `low`, that the window's columns see from output columns 0 .. factor - 1. */
static void find_columns(const folded *s, int64_t low, int64_t *column)
{
    for (int64_t phase = 0; phase < s->factor; phase++)
        for (int64_t t = 0; t < s->kw; t++)
            *column++ = floor_div(phase + t - s->pad[1], s->factor) - low;
}

/* Collects output row u of a picture. */
static void collect_row(const folded *s, int64_t u, const int64_t low[2], int64_t cols,
                        const int64_t *column, const char *z, int64_t *at, char *y)
{
    for (int64_t phase = 0; phase < s->factor; phase++, column += s->kw) {
        for (int64_t r = 0, e = 0; r < s->kh; r++) {
            const int64_t line = (floor_div(u + r - s->pad[0], s->factor) - low[0]) * cols;
            for (int64_t t = 0; t < s->kw; t++, e++)
                at[e] = (line + column[t]) * s->pitch + e * s->out;
        }
        sum_at(s, s->w, y + phase * s->out * s->size, s->factor * s->out, z, s->pitch, at,
               s->kh * s->kw);
    }
}

static void convolve_items(void *context, int64_t begin, int64_t end)
{
    folded  *s = context;
    char    *slot = tri_slot_take(&s->slots), *z = slot + s->table_bytes;
    int64_t *at = (int64_t *)(void *)slot, *column = at + s->kh * s->kw;
    for (int64_t index = begin; index < end; index++) {
        const item t = item_of(s, index);
        int64_t    low[2], high[2];
        high[0] = reach(s, 0, t.first, t.end, &low[0]);
        high[1] = reach(s, 1, 0, s->w, &low[1]);
        make_z(s, t, low, high, z);
        find_columns(s, low[1], column);
        const int64_t row = s->factor * s->w, rows = s->factor * (t.end - t.first);
        char         *y = s->y + (t.n * s->h + t.first) * s->factor * row * s->out * s->size;
        for (int64_t u = 0; u < rows; u++)
            collect_row(s, s->factor * t.first + u, low, high[1] - low[1], column, z, at,
                        y + u * row * s->out * s->size);
        tri_finish(&s->block, s->epilogue, s->bias, y, s->out, rows * row, s->out);
    }
    tri_slot_give(&s->slots, slot);
}

/* --- Backward --------------------------------------------------------------------------------- */

/* G of an item: [rows, w][pitch], from g with a border of zeros. */
static char *make_g(const folded *s, item t, char *slot)
{
    const int64_t   rows = s->factor * s->h, cols = s->factor * s->w, pixel = s->out * s->size;
    const int64_t   border = cols + s->kw - 1;
    int64_t        *at = (int64_t *)(void *)slot;
    char           *frame = slot + s->table_bytes, *all = frame + s->border_bytes;
    const tri_image image = { s->y + t.n * rows * cols * pixel, rows, cols, pixel };
    const tri_frame area = { s->factor * t.first - (s->kh - 1) + s->pad[0], s->pad[1] - (s->kw - 1),
                             s->factor * (t.end - t.first) + s->kh - 1, border };
    tri_frame_fill(&area, &image, frame);
    if (s->pitch > s->columns)
        memset(all, 0, (size_t)((t.end - t.first) * s->w * s->pitch * s->size));
    for (int64_t e = 0; e < s->kh * s->kw; e++) {
        for (int64_t q = 0; q < s->factor * s->factor; q++)
            at[q] = ((s->kh - 1 - e / s->kw + q / s->factor) * border + s->kw - 1 - e % s->kw +
                     q % s->factor) *
                    s->out;
        for (int64_t i = 0; i < t.end - t.first; i++)
            sum_at(s, s->w, all + (i * s->w * s->pitch + e * s->out) * s->size, s->pitch,
                   frame + i * s->factor * border * pixel, s->factor * s->out, at,
                   s->factor * s->factor);
    }
    return all;
}

static void differentiate_x(void *context, int64_t begin, int64_t end)
{
    folded *s = context;
    char   *slot = tri_slot_take(&s->slots);
    for (int64_t index = begin; index < end; index++) {
        const item    t = item_of(s, index);
        const char   *g = make_g(s, t, slot);
        char         *dx = s->x + (t.n * s->h + t.first) * s->w * s->in * s->size;
        const int64_t width = s->block.cols;
        for (int64_t j = 0; j < s->in; j += width)
            multiply_rows(s, (t.end - t.first) * s->w, s->in - j < width ? s->in - j : width,
                          s->columns, g, s->pitch, s->weights + j * s->columns * s->size,
                          dx + j * s->size, s->in);
    }
    tri_slot_give(&s->slots, slot);
}

static void differentiate_w(void *context, int64_t begin, int64_t end)
{
    folded       *s = context;
    char         *slot = tri_slot_take(&s->slots);
    char         *part = s->parts + begin / s->grain * s->in * s->pitch * s->size;
    const int64_t height = tri_even_part(s->in, s->block.rows);
    for (int64_t index = begin; index < end; index++) {
        const item  t = item_of(s, index);
        const char *g = make_g(s, t, slot);
        const char *x = s->x + (t.n * s->h + t.first) * s->w * s->in * s->size;
        for (int64_t j = 0; j < s->columns; j += s->block.cols)
            for (int64_t i = 0; i < s->in; i += height)
                tri_multiply(&s->block, s->in - i < height ? s->in - i : height,
                             whole_columns(s, s->columns - j), (t.end - t.first) * s->w,
                             x + i * s->size, 1, s->a_at, g + j * s->size, s->b_at,
                             part + (i * s->pitch + j) * s->size, s->pitch, index > begin);
    }
    tri_slot_give(&s->slots, slot);
}

/* The pieces are added in order, into the first. */
static void add_pieces(void *context, int64_t begin, int64_t end)
{
    const folded *s = context;
    const int64_t total = s->in * s->pitch;
    for (int64_t piece = 1; piece * s->grain < s->items; piece++) {
        char *to = s->parts + begin * s->size, *from = to + piece * total * s->size;
        if (s->block.dtype == TR_F32)
            s->block.table->f32.binary[TRI_B_add](end - begin, (void *)to, (void *)to,
                                                  (void *)from);
        else
            s->block.table->f64.binary[TRI_B_add](end - begin, (void *)to, (void *)to,
                                                  (void *)from);
    }
}

/* --- The plan --------------------------------------------------------------------------------- */

/* At least `items` items, if there are as many rows. */
static folded plan_of(const tr_tensor *x, const tr_tensor *w, const tr_tensor *y, int64_t items)
{
    folded s = { .block = tri_block_of(x->dtype),
                 .images = x->shape[0],
                 .h = x->shape[1],
                 .w = x->shape[2],
                 .in = x->shape[3],
                 .kh = w->shape[0],
                 .kw = w->shape[1],
                 .out = w->shape[3],
                 .x = x->data,
                 .y = y->data };
    s.size = s.block.size;
    s.factor = y->shape[1] / s.h;
    assert(w->shape[2] == s.in && y->shape[3] == s.out && y->shape[0] == s.images);
    assert(y->shape[1] == s.factor * s.h && y->shape[2] == s.factor * s.w);
    s.pad[0] = (s.kh - 1) / 2;
    s.pad[1] = (s.kw - 1) / 2;
    s.columns = s.kh * s.kw * s.out;
    s.pitch = tri_ceil_div(s.columns, s.block.cols) * s.block.cols;
    const int64_t row_bytes = (s.w + s.kw + 1) * s.pitch * s.size;
    const int64_t share = tri_ceil_div(s.h * s.images, items);
    int64_t       most = BLOCK_BYTES / row_bytes - s.kh;
    if (most > share) most = share;
    s.item_rows = tri_even_part(s.h, most > 1 ? most : 1);
    s.blocks = tri_ceil_div(s.h, s.item_rows);
    s.items = s.images * s.blocks;
    s.grain = tri_ceil_div(s.items, TASKS);
    return s;
}

/* The slots, and offsets for a product that sums over `depth` places. */
static bool make_memory(folded *s, bool backward, int64_t depth, int64_t a_step, int64_t b_step)
{
    const int64_t window = s->kh * s->kw, copies = s->factor * s->factor;
    const int64_t places = backward ? copies : window + s->factor * s->kw;
    const int64_t table = places * (int64_t)sizeof(int64_t);
    s->table_bytes = tri_ceil_div(table, 64) * 64;
    int64_t bytes = s->table_bytes;
    if (backward) {
        const int64_t rows = s->factor * s->item_rows + s->kh - 1;
        const int64_t border = rows * (s->factor * s->w + s->kw - 1) * s->out * s->size;
        s->border_bytes = tri_ceil_div(border, 64) * 64;
        bytes += s->border_bytes + s->item_rows * s->w * s->pitch * s->size;
    } else {
        bytes += (s->item_rows + s->kh + 1) * (s->w + s->kw + 1) * s->pitch * s->size;
    }
    s->a_at = tri_scratch((uint64_t)depth * 2 * sizeof *s->a_at);
    if (!s->a_at || !tri_slots_make(&s->slots, (uint64_t)bytes)) return false;
    s->b_at = s->a_at + depth;
    for (int64_t k = 0; k < depth; k++) {
        s->a_at[k] = k * a_step;
        s->b_at[k] = k * b_step;
    }
    return true;
}

/* The weights of each input channel side by side: [in][pitch]. */
static char *pack_weights(const folded *s, const char *w)
{
    const uint64_t bytes = (uint64_t)(s->in * s->pitch * s->size);
    char          *packed = tri_scratch(bytes);
    if (!packed) return NULL;
    memset(packed, 0, (size_t)bytes);
    for (int64_t e = 0; e < s->kh * s->kw; e++)
        for (int64_t c = 0; c < s->in; c++)
            memcpy(packed + (c * s->pitch + e * s->out) * s->size,
                   w + (e * s->in + c) * s->out * s->size, (size_t)(s->out * s->size));
    return packed;
}

static tr_status convolve(folded *s, const tr_tensor *w)
{
    s->in_place = s->out % s->block.cols == 0;
    s->weights = s->in_place ? w->data : pack_weights(s, w->data);
    if (!s->weights || !make_memory(s, false, s->in, 1, s->in_place ? s->out : s->pitch))
        return tr_status_get();
    tri_parallel_for(s->items, s->grain, convolve_items, s);
    return TR_OK;
}

static tr_status x_gradient(folded *s, const tr_tensor *w)
{
    const int64_t  width = s->block.cols, panels = tri_ceil_div(s->in, width);
    const uint64_t bytes = (uint64_t)(panels * width * s->columns * s->size);
    s->weights = tri_scratch(bytes);
    if (!s->weights || !make_memory(s, true, s->columns, 1, width)) return tr_status_get();
    if (s->in % width) memset(s->weights, 0, (size_t)bytes);
    for (int64_t e = 0; e < s->kh * s->kw; e++) {
        const tri_operand rows = { (const char *)w->data + e * s->in * s->out * s->size,
                                   (size_t)s->size, s->out, 1 };
        for (int64_t j = 0; j < s->in; j += width)
            tri_pack(&rows, j, s->in - j < width ? s->in - j : width, 0, s->out, width,
                     s->weights + (j * s->columns + e * s->out * width) * s->size);
    }
    tri_parallel_for(s->items, s->grain, differentiate_x, s);
    return TR_OK;
}

static tr_status w_gradient(folded *s, tr_tensor *dw)
{
    s->grain = tri_ceil_div(s->items, PIECES);
    const int64_t pieces = tri_ceil_div(s->items, s->grain);
    s->parts = tri_scratch((uint64_t)(pieces * s->in * s->pitch * s->size));
    if (!s->parts || !make_memory(s, true, s->item_rows * s->w, s->in, s->pitch))
        return tr_status_get();
    tri_parallel_for(s->items, s->grain, differentiate_w, s);
    tri_parallel_for(s->in * s->pitch, CHUNK, add_pieces, s);
    for (int64_t e = 0; e < s->kh * s->kw; e++)
        for (int64_t c = 0; c < s->in; c++)
            memcpy((char *)dw->data + (e * s->in + c) * s->out * s->size,
                   s->parts + (c * s->pitch + e * s->out) * s->size, (size_t)(s->out * s->size));
    return TR_OK;
}

/* --- Entry points ----------------------------------------------------------------------------- */

tr_status tri_upsample_conv2d(tr_tensor *y, const tr_tensor *x, const tr_tensor *w,
                              const tr_tensor *bias, tri_epilogue epilogue)
{
    tr_scope *scope = tri_failed() ? NULL : tr_scope_push();
    if (!scope) return tr_status_get();
    x = tri_contiguous(x);
    w = tri_contiguous(w);
    if (bias) bias = tri_contiguous(bias);
    if (!tri_failed() && tr_numel(y) > 0) {
        folded s = plan_of(x, w, y, ITEMS);
        s.bias = bias ? bias->data : NULL;
        s.epilogue = epilogue;
        convolve(&s, w);
    }
    tr_scope_pop(scope);
    return tr_status_get();
}

tr_status tri_upsample_conv2d_dx(tr_tensor *dx, const tr_tensor *g, const tr_tensor *w)
{
    tr_scope *scope = tri_failed() ? NULL : tr_scope_push();
    if (!scope) return tr_status_get();
    g = tri_contiguous(g);
    w = tri_contiguous(w);
    if (!tri_failed() && tr_numel(dx) > 0) {
        folded s = plan_of(dx, w, g, ITEMS);
        x_gradient(&s, w);
    }
    tr_scope_pop(scope);
    return tr_status_get();
}

tr_status tri_upsample_conv2d_dw(tr_tensor *dw, const tr_tensor *x, const tr_tensor *g)
{
    tr_scope *scope = tri_failed() ? NULL : tr_scope_push();
    if (!scope) return tr_status_get();
    x = tri_contiguous(x);
    g = tri_contiguous(g);
    if (!tri_failed() && tr_numel(dw) > 0) {
        folded s = plan_of(x, dw, g, 1);
        if (s.items > 0)
            w_gradient(&s, dw);
        else
            memset(dw->data, 0, (size_t)(tr_numel(dw) * s.size));
    }
    tr_scope_pop(scope);
    return tr_status_get();
}
