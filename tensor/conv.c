/* conv.c: conv2d and its gradient for x, as matrix products that read the picture in place.
 *
 * The register block of the matrix product takes tables of offsets. So a row of output pixels times
 * K channels is one block: its rows are neighbouring pixels, a fixed step apart in memory, and its
 * k runs over the window elements and channels, each at a fixed offset from the pixel. There is no
 * column buffer and nothing is packed but the weights; a padded copy ("frame") of the image at
 * hand, which stays in the second cache, makes every offset valid.
 *
 * The gradient for x has the same form with g as the picture; with a stride it falls apart into
 * stride^2 convolutions, one for each phase of the pixel, which share the window elements among
 * them.
 *
 * A convolution to very few channels would leave most columns of the block empty. There the window
 * elements become columns too: each pixel of the frame is multiplied by all weights of its
 * channels, and the output pixels collect their terms from the result (multiply_few, collect).
 *
 * Work is cut into items (an image, or rows of it); each is computed by one task in one order.
 * Read next: frame.h (positions), conv_dw.c (the gradient for w), gemm.h. */
#include "tensor/frame.h"
#include "tensor/gemm.h"
#include "tensor/winograd.h"

#include <assert.h>
#include <string.h>

enum {
    FRAME_BYTES = 1 << 18,  /* aimed at for a frame: an eighth of the second cache */
    FINISH_BYTES = 1 << 14, /* of results that get bias and activation together */
    SLOTS = 32,             /* tasks at most, each with memory for its frame */
    ITEMS = 16,             /* at least, where work and rows of the picture allow */
    PACK_GRAIN = 1 << 14,   /* weights that a task packs at least */
    RESULT_WORK = 32,       /* multiply-adds that take as long as to fetch and store a result */
    IN_PLACE_PIXELS = 1024  /* of all results: fewer do not repay packing the weights */
};

/* The output pixels of one phase. Offsets count elements. */
typedef struct pass {
    int64_t  rows, cols;            /* of output pixels */
    int64_t  out, out_row, out_col; /* the first one, the way to the next row and column */
    int64_t  k;                     /* window elements of this phase times channels */
    int64_t *at;                    /* [k]: offsets in the frame */
    char    *b;                     /* packed weights: [groups][panels][k][block.cols] */
    int64_t  elements;              /* window elements of this phase */
    int64_t *terms; /* few: [elements]: offsets from a pixel's products to its terms */
} pass;

/* An element of the window: the phase it belongs to, and its first row of that one's weights. */
typedef struct element {
    const pass *pass;
    int64_t     k;
} element;

typedef struct conv {
    tri_block     block;
    tri_conv_axis h, w;
    tri_image     source; /* the first image */
    tri_frame     frame;  /* for the first row of output pixels */
    char         *result;
    int64_t       images, source_step, result_step; /* bytes, elements: from image to image */
    int64_t       groups, in, out;                  /* channels of a group */
    int64_t       panels;
    const char   *weights;     /* [window elements][w_in][w_out] */
    int64_t       w_in, w_out; /* of all groups together: w_out */
    element      *elements;    /* of the window */
    bool          in_place;    /* the weights are read where they lie */
    const char   *bias;
    tri_epilogue  epilogue;
    pass         *passes;
    int64_t       pass_count;
    int64_t       height, width;      /* of the result */
    int64_t  rows, item_rows, blocks; /* rows of pixels: of a phase, of an item; items an image */
    int64_t  grain;                   /* items a task */
    char    *slots;
    int64_t  slot_bytes, frame_bytes;
    int64_t *b_at;
    bool     few;        /* channels: see multiply_few */
    char    *few_b;      /* their packed weights, of all phases: [panels][in][block.cols] */
    int64_t  few_pitch;  /* products of a pixel, filled up to whole blocks */
    int64_t *channel_at; /* [in]: 0, 1, 2, ... */
} conv;

/* --- Weights
 * -------------------------------------------------------------------------------------- */

/* Where the elements of the window that belong to a phase lie in the frame, and among its weights.
 */
static void note_offsets(conv *s, pass *p, int64_t ph, int64_t pw)
{
    const int64_t pitch = s->in * s->groups;
    int64_t       k = 0;
    for (int64_t r = 0; r < s->h.window; r++)
        for (int64_t t = 0; t < s->w.window; t++) {
            if (tri_conv_phase(&s->h, r) != ph || tri_conv_phase(&s->w, t) != pw) continue;
            const int64_t y = tri_conv_shift(&s->h, r) - s->h.low;
            const int64_t x = tri_conv_shift(&s->w, t) - s->w.low;
            for (int64_t c = 0; c < s->in; c++) p->at[k + c] = (y * s->frame.cols + x) * pitch + c;
            s->elements[r * s->w.window + t] = (element){ p, k };
            k += s->in;
        }
}

/* Packs the weights of some elements of the window. */
static void pack_elements(void *context, int64_t begin, int64_t end)
{
    const conv   *s = context;
    const int64_t size = s->block.size, width = s->block.cols, all = s->w_out;
    const int64_t columns = s->h.turned ? s->in : s->out; /* of w, in a group */
    for (int64_t index = begin; index < end; index++) {
        const element *e = &s->elements[index];
        for (int64_t i = 0; i < s->groups * s->panels; i++) {
            const int64_t     group = i / s->panels, j = i % s->panels * width;
            const char       *from = s->weights + (index * s->w_in * all + group * columns) * size;
            const tri_operand b = { from, (size_t)size, s->h.turned ? all : 1,
                                    s->h.turned ? 1 : all };
            const int64_t     count = s->out - j < width ? s->out - j : width;
            tri_pack(&b, j, count, 0, s->in, width,
                     e->pass->b + (i * e->pass->k + e->k) * width * size);
        }
    }
}

/* The same for few output channels and all phases: [channel][window element, output channel]. */
static bool pack_few(conv *s, const tr_tensor *w)
{
    const int64_t size = s->block.size, width = s->block.cols, all = w->shape[3];
    const size_t  bytes = (size_t)(s->few_pitch * s->in * size);
    s->few_b = tri_scratch(bytes);
    if (!s->few_b) return false;
    memset(s->few_b, 0, bytes);
    for (int64_t column = 0; column < s->h.window * s->w.window * s->out; column++) {
        const int64_t k = column % s->out;
        const char   *from = (const char *)w->data + column / s->out * w->shape[2] * all * size;
        char         *to = s->few_b + (column / width * s->in * width + column % width) * size;
        for (int64_t c = 0; c < s->in; c++)
            memcpy(to + c * width * size, from + (s->h.turned ? k * all + c : c * all + k) * size,
                   (size_t)size);
    }
    return true;
}

/* Where a pixel of the phase finds its terms among the products of few channels. */
static void note_terms(const conv *s, pass *p, int64_t ph, int64_t pw)
{
    int64_t count = 0;
    for (int64_t r = 0; r < s->h.window; r++)
        for (int64_t t = 0; t < s->w.window; t++) {
            if (tri_conv_phase(&s->h, r) != ph || tri_conv_phase(&s->w, t) != pw) continue;
            const int64_t y = tri_conv_shift(&s->h, r) - s->h.low;
            const int64_t x = tri_conv_shift(&s->w, t) - s->w.low;
            p->terms[count++] =
                (y * s->frame.cols + x) * s->few_pitch + (r * s->w.window + t) * s->out;
        }
}

static int64_t count_elements(const tri_conv_axis *a, int64_t phase)
{
    int64_t count = 0;
    for (int64_t r = 0; r < a->window; r++) count += tri_conv_phase(a, r) == phase;
    return count;
}

static bool make_pass(conv *s, pass *p, const int64_t *shape, int64_t ph, int64_t pw)
{
    const int64_t channels = s->out * s->groups;
    p->rows = shape[1] > ph ? tri_ceil_div(shape[1] - ph, s->h.phases) : 0;
    p->cols = shape[2] > pw ? tri_ceil_div(shape[2] - pw, s->w.phases) : 0;
    p->out = (ph * shape[2] + pw) * channels;
    p->out_row = s->h.phases * shape[2] * channels;
    p->out_col = s->w.phases * channels;
    p->elements = count_elements(&s->h, ph) * count_elements(&s->w, pw);
    p->k = p->elements * s->in;
    if (s->few) {
        p->terms = tri_scratch((uint64_t)p->elements * sizeof *p->terms);
        if (p->terms) note_terms(s, p, ph, pw);
        return p->terms != NULL;
    }
    const uint64_t bytes = (uint64_t)(s->groups * s->panels * p->k * s->block.cols * s->block.size);
    p->at = tri_scratch((uint64_t)p->k * sizeof *p->at);
    if (!s->in_place) p->b = tri_scratch(bytes);
    if (!p->at || (!s->in_place && !p->b)) return false;
    if (!s->in_place && s->out % s->block.cols) memset(p->b, 0, (size_t)bytes);
    note_offsets(s, p, ph, pw);
    return true;
}

/* --- One item
 * ------------------------------------------------------------------------------------- */

/* `rows` rows of pixels of a pass, from a frame, to c. Tiles run along the longer axis. */
static void convolve(const conv *s, const pass *p, const char *frame, int64_t rows, char *c)
{
    const int64_t size = s->block.size, pixel = s->in * s->groups;
    int64_t outer = rows, outer_in = s->h.step * s->frame.cols * pixel, outer_out = p->out_row;
    int64_t inner = p->cols, inner_in = s->w.step * pixel, inner_out = p->out_col;
    if (inner < rows && inner < s->block.rows / 2) {
        outer = p->cols, outer_in = s->w.step * pixel, outer_out = p->out_col;
        inner = rows, inner_in = s->h.step * s->frame.cols * pixel, inner_out = p->out_row;
    }
    const int64_t height = tri_even_part(inner, s->block.rows);
    for (int64_t i = 0; i < s->groups * s->panels; i++) {
        const int64_t group = i / s->panels, j = i % s->panels * s->block.cols;
        const int64_t cols = s->out - j < s->block.cols ? s->out - j : s->block.cols;
        const char   *b =
            s->in_place ? s->weights + j * size : p->b + i * p->k * s->block.cols * size;
        for (int64_t v = 0; v < outer; v++)
            for (int64_t u = 0; u < inner; u += height) {
                const int64_t from = v * outer_in + u * inner_in + group * s->in;
                const int64_t to = v * outer_out + u * inner_out + group * s->out + j;
                tri_multiply(&s->block, inner - u < height ? inner - u : height, cols, p->k,
                             frame + from * size, inner_in, p->at, b, s->b_at, c + to * size,
                             inner_out, false);
            }
    }
}

/* Few output channels: all products of the frame's pixels, to z. */
static void multiply_few(const conv *s, const char *frame, int64_t pixels, char *z)
{
    const int64_t size = s->block.size, width = s->block.cols, height = s->block.rows;
    const int64_t columns = s->h.window * s->w.window * s->out;
    for (int64_t i = 0; i < pixels; i += height)
        for (int64_t j = 0; j < columns; j += width)
            tri_multiply(&s->block, pixels - i < height ? pixels - i : height,
                         columns - j <= width / 2 ? width / 2 : width, s->in,
                         frame + i * s->in * size, s->in, s->channel_at,
                         s->few_b + j * s->in * size, s->b_at, z + (i * s->few_pitch + j) * size,
                         s->few_pitch, false);
}

/* Each pixel of `rows` rows of a pass is the sum of its terms in z. */
static void collect(const conv *s, const pass *p, const char *z, int64_t rows, char *c)
{
    const int64_t line = s->frame.cols * s->few_pitch;
    for (int64_t i = 0; i < rows; i++) {
        void       *y = c + i * p->out_row * s->block.size;
        const void *x = z + i * line * s->block.size;
        if (s->block.dtype == TR_F32)
            s->block.table->f32.sum_at(p->cols, s->out, y, p->out_col, x, s->few_pitch, p->terms,
                                       p->elements);
        else
            s->block.table->f64.sum_at(p->cols, s->out, y, p->out_col, x, s->few_pitch, p->terms,
                                       p->elements);
    }
}

/* Bias and activation, of as many pixels at a time as stay in the first cache. */
static void finish(const conv *s, char *c, int64_t pixels)
{
    const int64_t channels = s->out * s->groups, bytes = channels * s->block.size;
    const int64_t together = FINISH_BYTES / bytes + 1;
    for (int64_t i = 0; i < pixels; i += together)
        tri_finish(&s->block, s->epilogue, s->bias, c + i * bytes, channels,
                   pixels - i < together ? pixels - i : together, channels);
}

/* Rows first .. last - 1 of every phase of one image: together, adjacent rows of the result. */
static void convolve_rows(const conv *s, int64_t n, int64_t first, int64_t last, char *slot)
{
    const int64_t line = s->width * s->out * s->groups, top = first * s->h.phases;
    const int64_t bottom = last * s->h.phases < s->height ? last * s->h.phases : s->height;
    char     *result = s->result + n * s->result_step * s->block.size, *z = slot + s->frame_bytes;
    tri_image image = s->source;
    tri_frame frame = s->frame;
    image.data += n * s->source_step;
    frame.row += first * s->h.step;
    frame.rows = (last - first - 1) * s->h.step + s->h.reach;
    tri_frame_fill(&frame, &image, slot);
    if (s->few) multiply_few(s, slot, frame.rows * frame.cols, z);
    for (int64_t i = 0; i < s->pass_count; i++) {
        const pass   *p = &s->passes[i];
        const int64_t rows = (p->rows < last ? p->rows : last) - first;
        char         *c = result + (p->out + first * p->out_row) * s->block.size;
        if (rows <= 0) continue;
        if (s->few)
            collect(s, p, z, rows, c);
        else
            convolve(s, p, slot, rows, c);
    }
    finish(s, result + top * line * s->block.size, (bottom - top) * s->width);
}

static void convolve_items(void *context, int64_t begin, int64_t end)
{
    const conv *s = context;
    char       *slot = s->slots + begin / s->grain * s->slot_bytes;
    for (int64_t item = begin; item < end; item++) {
        const int64_t first = item % s->blocks * s->item_rows, last = first + s->item_rows;
        convolve_rows(s, item / s->blocks, first, last < s->rows ? last : s->rows, slot);
    }
}

/* --- The plan
 * ------------------------------------------------------------------------------------- */

/* Columns of the block are worth filling with window elements if that at least halves the work. */
static void plan_few(conv *s)
{
    const int64_t half = s->block.cols / 2, elements = s->h.window * s->w.window;
    const int64_t columns = elements * s->out;
    s->few_pitch = tri_ceil_div(columns, s->block.cols) * s->block.cols;
    s->few = s->groups == 1 && s->out <= 4 && s->h.step == 1 && s->w.step == 1 &&
             2 * tri_ceil_div(columns, half) <= elements * tri_ceil_div(s->out, half);
}

/* In multiply-adds. Few channels cost as much as a quarter of a block. */
static double work_of(const conv *s)
{
    const double k = (double)(s->in * s->h.window * s->w.window) / (double)s->pass_count;
    const double results = (double)(s->images * s->height) * (double)s->width;
    return results * (double)(s->few ? s->block.cols / 4 : s->out * s->groups) * (k + RESULT_WORK);
}

/* How many rows make an item: its frame fits the second cache, and there are enough items to share.
 */
static void plan_items(conv *s)
{
    const int64_t tasks = tri_tasks_for(work_of(s), SLOTS);
    const int64_t pixel =
        s->source.pixel > 0 ? s->source.pixel : 1; /* pictures may have no channels */
    const int64_t row_bytes = s->frame.cols * pixel;
    int64_t       rows = (FRAME_BYTES / row_bytes - s->h.reach) / s->h.step + 1;
    const int64_t share = tri_ceil_div(s->rows * s->images, tasks < ITEMS ? tasks : ITEMS);
    if (rows > share) rows = share;
    if (rows < 1) rows = 1;
    s->item_rows = tri_even_part(s->rows, rows);
    s->blocks = tri_ceil_div(s->rows, s->item_rows);
    s->grain = tri_ceil_div(s->images * s->blocks, tasks);
    const int64_t frame = ((s->item_rows - 1) * s->h.step + s->h.reach) * s->frame.cols;
    s->frame_bytes = tri_ceil_div(frame * s->source.pixel, 64) * 64;
    s->slot_bytes = s->frame_bytes;
    if (s->few) s->slot_bytes += tri_ceil_div(frame * s->few_pitch * s->block.size, 64) * 64;
}

static bool make_passes(conv *s, const tr_tensor *w, const int64_t *shape)
{
    s->passes = tri_scratch((uint64_t)s->pass_count * sizeof *s->passes);
    s->b_at = tri_scratch((uint64_t)(s->h.window * s->w.window * s->in) * sizeof *s->b_at);
    s->channel_at = tri_scratch((uint64_t)s->in * sizeof *s->channel_at);
    s->elements = tri_scratch((uint64_t)(s->h.window * s->w.window) * sizeof *s->elements);
    if (!s->passes || !s->b_at || !s->channel_at || !s->elements) return false;
    for (int64_t c = 0; c < s->in; c++) s->channel_at[c] = c;
    for (int64_t k = 0; k < s->h.window * s->w.window * s->in; k++)
        s->b_at[k] = k * (s->in_place ? s->w_out : s->block.cols);
    if (s->few && !pack_few(s, w)) return false;
    for (int64_t i = 0; i < s->pass_count; i++)
        if (!make_pass(s, &s->passes[i], shape, i / s->w.phases, i % s->w.phases)) return false;
    if (!s->few && !s->in_place)
        tri_parallel_for(s->h.window * s->w.window, PACK_GRAIN / (s->w_in * s->w_out + 1) + 1,
                         pack_elements, s);
    return true;
}

/* y from x and w; turned: the gradient for y, which has x's place, from g and w. */
static tr_status run(tr_tensor *y, const tr_tensor *x, const tr_tensor *w, const tr_tensor *bias,
                     const tri_conv *c, tri_epilogue epilogue, bool turned)
{
    x = tri_contiguous(x);
    w = tri_contiguous(w);
    if (bias) bias = tri_contiguous(bias);
    if (tri_failed()) return tr_status_get();
    if (tr_numel(y) == 0) return TR_OK;
    conv s = { .block = tri_block_of(y->dtype),
               .images = y->shape[0],
               .result = y->data,
               .weights = w->data,
               .w_in = w->shape[2],
               .w_out = w->shape[3],
               .bias = bias ? bias->data : NULL,
               .epilogue = epilogue,
               .groups = c->groups };
    s.h = tri_conv_axis_of(w->shape[0], c->stride[0], c->pad[0][0], c->dilation[0], turned);
    s.w = tri_conv_axis_of(w->shape[1], c->stride[1], c->pad[1][0], c->dilation[1], turned);
    s.in = x->shape[3] / c->groups;
    s.out = y->shape[3] / c->groups;
    s.panels = tri_ceil_div(s.out, s.block.cols);
    s.height = y->shape[1];
    s.width = y->shape[2];
    s.rows = tri_ceil_div(s.height, s.h.phases);
    s.source = (tri_image){ x->data, x->shape[1], x->shape[2], x->shape[3] * s.block.size };
    s.source_step = x->shape[1] * x->shape[2] * s.source.pixel;
    s.result_step = y->shape[1] * y->shape[2] * y->shape[3];
    s.pass_count = s.h.phases * s.w.phases;
    s.frame = (tri_frame){ s.h.low, s.w.low, 0,
                           (tri_ceil_div(y->shape[2], s.w.phases) - 1) * s.w.step + s.w.reach };
    plan_few(&s);
    s.in_place = !turned && !s.few && s.groups == 1 && s.out % (s.block.cols / 2) == 0 &&
                 s.images * s.height * s.width <= IN_PLACE_PIXELS;
    plan_items(&s);
    const int64_t items = s.images * s.blocks;
    s.slots = tri_scratch((uint64_t)(tri_ceil_div(items, s.grain) * s.slot_bytes));
    if (!s.slots || !make_passes(&s, w, y->shape)) return tr_status_get();
    tri_parallel_for(items, s.grain, convolve_items, &s);
    return TR_OK;
}

/* --- Entry points: a scope for the scratch memory
 * -------------------------------------------------- */

typedef tr_status convolution(tr_tensor *y, const tr_tensor *x, const tr_tensor *w,
                              const tr_tensor *bias, const tri_conv *c, tri_epilogue epilogue,
                              bool turned);

static tr_status run_in_scope(convolution *compute, tr_tensor *y, const tr_tensor *x,
                              const tr_tensor *w, const tr_tensor *bias, const tri_conv *c,
                              tri_epilogue epilogue, bool turned)
{
    assert(x->rank == 4 && w->rank == 4 && y->rank == 4 && x->shape[0] == y->shape[0]);
    assert((turned ? y : x)->shape[3] == w->shape[2] * c->groups);
    assert((turned ? x : y)->shape[3] == w->shape[3]);
    if (tri_failed()) return tr_status_get();
    tr_scope *scope = tr_scope_push();
    if (!scope) return tr_status_get();
    const tr_status status = compute(y, x, w, bias, c, epilogue, turned);
    tr_scope_pop(scope);
    return status;
}

tr_status tri_conv2d_direct(tr_tensor *y, const tr_tensor *x, const tr_tensor *w,
                            const tr_tensor *bias, const tri_conv *c, tri_epilogue epilogue)
{
    return run_in_scope(run, y, x, w, bias, c, epilogue, false);
}

tr_status tri_conv2d_dx_direct(tr_tensor *y, const tr_tensor *g, const tr_tensor *w,
                               const tr_tensor *bias, const tri_conv *c, tri_epilogue epilogue)
{
    return run_in_scope(run, y, g, w, bias, c, epilogue, true);
}

tr_status tri_conv2d(tr_tensor *y, const tr_tensor *x, const tr_tensor *w, const tr_tensor *bias,
                     const tri_conv *c, tri_epilogue epilogue)
{
    convolution *compute = tri_winograd_pays(w, y, c) ? tri_winograd : run;
    return run_in_scope(compute, y, x, w, bias, c, epilogue, false);
}

tr_status tri_conv2d_dx(tr_tensor *y, const tr_tensor *g, const tr_tensor *w, const tr_tensor *bias,
                        const tri_conv *c, tri_epilogue epilogue)
{
    convolution *compute = tri_winograd_pays(w, y, c) ? tri_winograd : run;
    return run_in_scope(compute, y, g, w, bias, c, epilogue, true);
}
