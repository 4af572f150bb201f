/* conv_dw.c: the gradient of conv2d for w: dw[r, s, c, k] = sum over pixels of x[pixel + (r, s), c]
 * g[pixel, k], as matrix products that read the picture in place.
 *
 * As in conv.c the register block gets a table of offsets, here from pixel to pixel of a
 * zero-padded copy ("frame") of x: its rows are neighbouring (s, c) of dw, its k runs over the
 * pixels. Where K is too small to fill the block's columns the two factors change places. The sum
 * over pixels is cut into pieces by shape alone; each piece adds up its items in order, and the
 * pieces are added in order. Read next: conv.c, frame.h. */
#include "tensor/frame.h"
#include "tensor/gemm.h"
#include "tensor/winograd.h"

#include <assert.h>
#include <string.h>

enum {
    FRAME_BYTES = 1 << 18, /* aimed at for the frames of an item */
    PIXELS = 256,          /* aimed at for an item: long against the cost of a block's result */
    PIECES = 16,
    PIXEL_WORK = 512, /* multiply-adds that take as long as to fetch and copy a pixel's windows */
    PARTS_MAX = 1 << 24, /* elements of all partial results */
    CHUNK = 1 << 14,     /* elements of dw that a task adds up */
    FEW_BYTES = 1 << 19, /* of all frames together */
    FEW_PANELS = 6       /* of dw, for threads to share */
};

/* Neighbouring rows of dw whose inputs are neighbours in the frame. */
typedef struct run {
    int64_t offset, length, row;
} run;

/* An item: so many pixels of g, and the frame where x is found for them. */
typedef struct view {
    int64_t     pixels;
    const char *frame, *g;
} view;

typedef struct gradient {
    tri_block     block;
    tri_conv_axis h, w;
    tri_image     x;
    tri_frame     frame; /* of the first row of pixels */
    const char   *g;
    int64_t       images, rows, cols; /* output pixels */
    int64_t       groups, in, out;    /* channels of a group */
    bool          swapped;            /* the block's rows are output channels */
    bool          packed;             /* g is copied: its rows do not end where blocks end */
    run          *runs;
    int64_t       run_count, dw_rows; /* KH KW C / groups */
    int64_t       item_images, item_rows, blocks, items;
    int64_t       frame_pixels; /* of one image, in an item */
    int64_t      *x_at, *g_at;  /* offsets of an item's pixels */
    int64_t       g_pitch;      /* elements from pixel to pixel of g, packed or in place */
    int64_t       grain, pieces;
    char         *parts, *slots;
    int64_t       slot_bytes, frame_bytes;
    view         *filled; /* few pixels: all items, each with a slot; NULL otherwise */
} gradient;

/* --- One item
 * ------------------------------------------------------------------------------------- */

/* The group's channels of g, each pixel filled up to whole panels. */
static void pack_g(const gradient *s, const char *g, int64_t pixels, char *out)
{
    const int64_t size = s->block.size, pitch = s->g_pitch * size, used = s->out * size;
    for (int64_t i = 0; i < pixels; i++) {
        memcpy(out + i * pitch, g + i * s->groups * used, (size_t)used);
        memset(out + i * pitch + used, 0, (size_t)(pitch - used));
    }
}

/* Adds an item's product for one run of rows, and one panel of columns, to dw. */
static void multiply_panel(const gradient *s, const run *r, int64_t group, int64_t j, const view *p,
                           char *dw, bool accumulate)
{
    const int64_t size = s->block.size, all = s->out * s->groups;
    const int64_t m = s->swapped ? s->out : r->length, n = s->swapped ? r->length : s->out;
    const int64_t height = tri_even_part(m, s->block.rows);
    const int64_t cols = n - j < s->block.cols ? n - j : s->block.cols;
    const char   *x = p->frame + (r->offset + group * s->in) * size;
    const char   *g = s->packed ? p->g : p->g + group * s->out * size;
    for (int64_t i = 0; i < m; i += height) {
        const int64_t rows = m - i < height ? m - i : height;
        if (s->swapped)
            tri_multiply(&s->block, rows, cols, p->pixels, g + i * size, 1, s->g_at, x + j * size,
                         s->x_at, dw + ((group * s->out + i) * s->dw_rows + r->row + j) * size,
                         s->dw_rows, accumulate);
        else
            tri_multiply(&s->block, rows, cols, p->pixels, x + i * size, 1, s->x_at, g + j * size,
                         s->g_at, dw + ((r->row + i) * all + group * s->out + j) * size, all,
                         accumulate);
    }
}

/* The frames of an item's pictures, in its slot, and where its g lies. */
static view fill_item(const gradient *s, int64_t item, char *slot)
{
    const int64_t first = item % s->blocks * s->item_rows;
    const int64_t rows = s->rows - first < s->item_rows ? s->rows - first : s->item_rows;
    const int64_t n0 = item / s->blocks * s->item_images;
    const int64_t n1 = s->images - n0 < s->item_images ? s->images : n0 + s->item_images;
    tri_frame     frame = s->frame;
    frame.row += first * s->h.step;
    frame.rows = (rows - 1) * s->h.step + s->h.reach;
    for (int64_t n = n0; n < n1; n++) {
        tri_image image = s->x;
        image.data += n * image.h * image.w * image.pixel;
        tri_frame_fill(&frame, &image, slot + (n - n0) * s->frame_pixels * image.pixel);
    }
    return (view){ (n1 - n0) * rows * s->cols, slot,
                   s->g + (n0 * s->rows + first) * s->cols * s->out * s->groups * s->block.size };
}

/* Panels of a run's columns. */
static int64_t panels_of(const gradient *s, const run *r)
{
    return tri_ceil_div(s->swapped ? r->length : s->out, s->block.cols);
}

static void add_item(const gradient *s, int64_t item, char *slot, char *part, bool accumulate)
{
    const view lying = fill_item(s, item, slot);
    for (int64_t group = 0; group < s->groups; group++) {
        view p = lying;
        if (s->packed) {
            p.g = slot + s->frame_bytes;
            pack_g(s, lying.g + group * s->out * s->block.size, p.pixels, slot + s->frame_bytes);
        }
        for (const run *r = s->runs; r < s->runs + s->run_count; r++)
            for (int64_t panel = 0; panel < panels_of(s, r); panel++)
                multiply_panel(s, r, group, panel * s->block.cols, &p, part, accumulate);
    }
}

static void add_items(void *context, int64_t begin, int64_t end)
{
    const gradient *s = context;
    const int64_t   piece = begin / s->grain;
    char           *slot = s->slots + piece * s->slot_bytes;
    char           *part = s->parts + piece * s->dw_rows * s->out * s->groups * s->block.size;
    memset(slot, 0, (size_t)s->slot_bytes); /* blocks may read beyond the last pixel */
    for (int64_t item = begin; item < end; item++) add_item(s, item, slot, part, item > begin);
}

/* --- Few pixels: threads share the panels of dw, each of which is summed at once
 * ---------------------------------------------------------------------------- */

static void fill_items(void *context, int64_t begin, int64_t end)
{
    const gradient *s = context;
    for (int64_t item = begin; item < end; item++) {
        char *slot = s->slots + item * s->slot_bytes;
        memset(slot, 0, (size_t)s->slot_bytes);
        s->filled[item] = fill_item(s, item, slot);
    }
}

static void sum_panels(void *context, int64_t begin, int64_t end)
{
    const gradient *s = context;
    for (int64_t task = begin; task < end; task++) {
        const run    *r = &s->runs[task % s->run_count];
        const int64_t j = task / s->run_count * s->block.cols;
        for (int64_t item = 0; item < s->items; item++)
            multiply_panel(s, r, 0, j, &s->filled[item], s->parts, item > 0);
    }
}

/* --- Adding the pieces
 * ---------------------------------------------------------------------------- */

/* In order, into the first. */
static void add_pieces(void *context, int64_t begin, int64_t end)
{
    const gradient *s = context;
    const int64_t   total = s->dw_rows * s->out * s->groups;
    for (int64_t piece = 1; piece < s->pieces; piece++) {
        if (s->block.dtype == TR_F32) {
            float *sum = (float *)(void *)s->parts;
            s->block.table->f32.binary[TRI_B_add](end - begin, sum + begin, sum + begin,
                                                  sum + piece * total + begin);
        } else {
            double *sum = (double *)(void *)s->parts;
            s->block.table->f64.binary[TRI_B_add](end - begin, sum + begin, sum + begin,
                                                  sum + piece * total + begin);
        }
    }
}

static tr_status deliver(const gradient *s, tr_tensor *dw)
{
    const int64_t all = s->out * s->groups, rows = s->dw_rows;
    if (s->parts == dw->data) return TR_OK;
    if (!s->swapped) {
        memcpy(dw->data, s->parts, (size_t)(rows * all * s->block.size));
        return TR_OK;
    }
    const tri_operand turned = { s->parts, (size_t)s->block.size, rows, 1 };
    for (int64_t k = 0; k < all; k += TRI_PACK_MAX) {
        const int64_t count = all - k < TRI_PACK_MAX ? all - k : TRI_PACK_MAX;
        tri_pack(&turned, k, count, 0, rows, all, (char *)dw->data + k * s->block.size);
    }
    return TR_OK;
}

/* --- The plan
 * ------------------------------------------------------------------------------------- */

static int64_t block_cost(const gradient *s, int64_t rows, int64_t cols)
{
    const int64_t tiles = tri_ceil_div(rows, s->block.rows);
    const int64_t steps =
        rows > 4 * tiles ? rows : 4 * tiles; /* short blocks wait for their sums */
    return steps * tri_ceil_div(cols, s->block.cols / 2);
}

static bool make_runs(gradient *s, int64_t dilation)
{
    const bool    merged = dilation == 1 && s->groups == 1;
    const int64_t each = merged ? s->w.window * s->in : s->in, pixel = s->in * s->groups;
    s->run_count = s->h.window * (merged ? 1 : s->w.window);
    s->runs = tri_scratch((uint64_t)s->run_count * sizeof *s->runs);
    if (!s->runs) return false;
    for (int64_t i = 0; i < s->run_count; i++) {
        const int64_t r = merged ? i : i / s->w.window, t = merged ? 0 : i % s->w.window;
        const int64_t y = tri_conv_shift(&s->h, r) - s->h.low;
        const int64_t x = tri_conv_shift(&s->w, t) - s->w.low;
        s->runs[i] = (run){ (y * s->frame.cols + x) * pixel, each, i * each };
    }
    s->swapped = block_cost(s, s->out, each) < block_cost(s, each, s->out);
    s->packed =
        !s->swapped && s->out % (s->block.cols / 2) != 0; /* blocks read half rows or whole */
    return true;
}

/* Few pixels: partial results would be larger than all that they are made from. */
static bool are_few(const gradient *s)
{
    const int64_t rows = (s->rows - 1) * s->h.step + s->h.reach;
    return s->groups == 1 && !s->packed && s->run_count * panels_of(s, s->runs) >= FEW_PANELS &&
           s->images * rows * s->frame.cols * s->x.pixel <= FEW_BYTES;
}

static void plan_items(gradient *s)
{
    const double  pixels = (double)(s->images * s->rows) * (double)s->cols;
    const double  work = pixels * ((double)s->dw_rows * (double)(s->out * s->groups) + PIXEL_WORK);
    const int64_t row_bytes = s->frame.cols * s->x.pixel;
    const int64_t least = are_few(s) ? 1 : tri_tasks_for(work, PIECES);
    int64_t       rows = (FRAME_BYTES / row_bytes - s->h.reach) / s->h.step + 1;
    const int64_t share = tri_ceil_div(s->rows * s->images, least);
    if (rows > share) rows = share;
    if (rows < 1) rows = 1;
    s->item_rows = tri_even_part(s->rows, rows);
    s->blocks = tri_ceil_div(s->rows, s->item_rows);
    s->item_images = 1;
    if (s->blocks == 1) {
        const int64_t wanted = tri_ceil_div(PIXELS, s->rows * s->cols);
        const int64_t limit = tri_ceil_div(s->images, least);
        s->item_images = wanted < limit ? wanted : limit;
    }
    s->items = tri_ceil_div(s->images, s->item_images) * s->blocks;
    s->frame_pixels = ((s->item_rows - 1) * s->h.step + s->h.reach) * s->frame.cols;
    int64_t pieces = PARTS_MAX / (s->dw_rows * s->out * s->groups);
    if (pieces > least) pieces = least;
    if (pieces < 1) pieces = 1;
    s->grain = tri_ceil_div(s->items, pieces);
    s->pieces = tri_ceil_div(s->items, s->grain);
}

static bool make_memory(gradient *s, tr_tensor *dw)
{
    const int64_t size = s->block.size, pixels = s->item_images * s->item_rows * s->cols;
    const int64_t tail = s->block.cols * size;
    s->g_pitch =
        s->packed ? tri_ceil_div(s->out, s->block.cols) * s->block.cols : s->out * s->groups;
    s->frame_bytes = s->item_images * s->frame_pixels * s->x.pixel + tail;
    s->frame_bytes = (s->frame_bytes + 63) / 64 * 64;
    s->slot_bytes = s->frame_bytes + (s->packed ? pixels * s->g_pitch * size : 0);
    s->slot_bytes = (s->slot_bytes + 63) / 64 * 64;
    const bool few = are_few(s);
    s->slots = tri_scratch((uint64_t)((few ? s->items : s->pieces) * s->slot_bytes));
    if (few) s->filled = tri_scratch((uint64_t)s->items * sizeof *s->filled);
    s->parts = dw->data;
    if (s->pieces > 1 || s->swapped)
        s->parts = tri_scratch((uint64_t)(s->pieces * s->dw_rows * s->out * s->groups * size));
    s->x_at = tri_scratch((uint64_t)pixels * sizeof *s->x_at);
    s->g_at = tri_scratch((uint64_t)pixels * sizeof *s->g_at);
    if (!s->slots || !s->parts || !s->x_at || !s->g_at || (few && !s->filled)) return false;
    for (int64_t k = 0; k < pixels; k++) {
        const int64_t j = k % s->cols, i = k / s->cols % s->item_rows;
        const int64_t n = k / s->cols / s->item_rows;
        const int64_t at = n * s->frame_pixels + i * s->h.step * s->frame.cols + j * s->w.step;
        s->x_at[k] = at * s->in * s->groups;
        s->g_at[k] = k * s->g_pitch;
    }
    return true;
}

static tr_status run_gradient(tr_tensor *dw, const tr_tensor *x, const tr_tensor *g,
                              const tri_conv *c)
{
    x = tri_contiguous(x);
    g = tri_contiguous(g);
    if (tri_failed()) return tr_status_get();
    if (tr_numel(dw) == 0) return TR_OK;
    if (tr_numel(g) == 0) {
        memset(dw->data, 0, (size_t)tr_numel(dw) * tr_dtype_size(dw->dtype));
        return TR_OK;
    }
    gradient s = { .block = tri_block_of(dw->dtype),
                   .g = g->data,
                   .images = g->shape[0],
                   .rows = g->shape[1],
                   .cols = g->shape[2],
                   .groups = c->groups,
                   .in = dw->shape[2],
                   .out = dw->shape[3] / c->groups };
    s.h = tri_conv_axis_of(dw->shape[0], c->stride[0], c->pad[0][0], c->dilation[0], false);
    s.w = tri_conv_axis_of(dw->shape[1], c->stride[1], c->pad[1][0], c->dilation[1], false);
    s.x = (tri_image){ x->data, x->shape[1], x->shape[2], x->shape[3] * s.block.size };
    s.frame = (tri_frame){ s.h.low, s.w.low, 0, (s.cols - 1) * s.w.step + s.w.reach };
    s.dw_rows = s.h.window * s.w.window * s.in;
    if (!make_runs(&s, c->dilation[1])) return tr_status_get();
    plan_items(&s);
    if (!make_memory(&s, dw)) return tr_status_get();
    if (s.filled) {
        tri_parallel_for(s.items, 1, fill_items, &s);
        tri_parallel_for(s.run_count * panels_of(&s, s.runs), 1, sum_panels, &s);
    } else {
        tri_parallel_for(s.items, s.grain, add_items, &s);
        tri_parallel_for(s.dw_rows * s.out * s.groups, CHUNK, add_pieces, &s);
    }
    return deliver(&s, dw);
}

typedef tr_status weight_gradient(tr_tensor *dw, const tr_tensor *x, const tr_tensor *g,
                                  const tri_conv *c);

static tr_status run_in_scope(weight_gradient *compute, tr_tensor *dw, const tr_tensor *x,
                              const tr_tensor *g, const tri_conv *c)
{
    assert(x->rank == 4 && g->rank == 4 && dw->rank == 4 && x->shape[0] == g->shape[0]);
    assert(x->shape[3] == dw->shape[2] * c->groups && dw->shape[3] == g->shape[3]);
    if (tri_failed()) return tr_status_get();
    tr_scope *scope = tr_scope_push();
    if (!scope) return tr_status_get();
    const tr_status status = compute(dw, x, g, c);
    tr_scope_pop(scope);
    return status;
}

tr_status tri_conv2d_dw_direct(tr_tensor *dw, const tr_tensor *x, const tr_tensor *g,
                               const tri_conv *c)
{
    return run_in_scope(run_gradient, dw, x, g, c);
}

tr_status tri_conv2d_dw(tr_tensor *dw, const tr_tensor *x, const tr_tensor *g, const tri_conv *c)
{
    return run_in_scope(tri_winograd_pays(dw, g, c) ? tri_winograd_dw : run_gradient, dw, x, g, c);
}
