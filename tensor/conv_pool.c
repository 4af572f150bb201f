/* conv_pool.c: a convolution with step 1 and 'same' padding, of its results the largest of each
 * window, bias and activation, in one; and the gradients, without ever holding all the results.
 *
 * The largest result plus the bias is the largest of the results plus the bias, to the last bit,
 * and a growing activation keeps it the largest. So bias and activation wait until the windows have
 * made the numbers few. The results themselves are made for some pictures at a time, as many as the
 * second cache holds, and overwritten by the next ones. All that backward needs of them is where in
 * its window each largest stood: a byte. It puts g back to these places, again for some pictures at
 * a time, and hands that to the convolution's gradients.
 *
 * How many pictures make a part depends on the shape only, and the parts of dw are added in order.
 * Read next: conv.c, pool.c. */
#include "tensor/gemm.h"

#include <assert.h>
#include <string.h>

enum {
    PART_BYTES = 1 << 20, /* aimed at for the results of a part: half of the second cache */
    GRAIN_WORK = 1 << 15  /* elements worth giving to a thread */
};

typedef struct pooled {
    tri_block    block;
    int64_t      size;                /* of an element */
    int64_t      window, count;       /* the side, and the elements, of a window */
    int64_t      h, w, channels;      /* of a result of the convolution */
    int64_t      rows, cols;          /* of a pooled picture */
    int64_t      at[TRI_POOL_PLACES]; /* offsets of a window's elements */
    char        *large, *small;       /* results, or their gradients; y, or g */
    uint8_t     *place;
    const void  *bias;
    tri_epilogue epilogue;
    tri_conv     conv;
    int64_t      images, part; /* of all, at a time */
} pooled;

static pooled plan_of(const tr_tensor *x, const tr_tensor *w, const tr_tensor *y,
                      const tr_tensor *place, int64_t window)
{
    pooled s = { .block = tri_block_of(x->dtype),
                 .window = window,
                 .count = window * window,
                 .h = x->shape[1],
                 .w = x->shape[2],
                 .channels = w->shape[3],
                 .rows = y->shape[1],
                 .cols = y->shape[2],
                 .place = place->data,
                 .images = x->shape[0] };
    assert(s.count <= TRI_POOL_PLACES && s.rows == s.h / window && s.cols == s.w / window);
    assert(tr_same_shape(place, y) && place->dtype == TR_U8);
    s.size = s.block.size;
    for (int64_t t = 0; t < s.count; t++) s.at[t] = (t / window * s.w + t % window) * s.channels;
    s.conv = (tri_conv){ .stride = { 1, 1 }, .dilation = { 1, 1 }, .groups = 1 };
    for (int axis = 0; axis < 2; axis++) {
        s.conv.pad[axis][0] = (w->shape[axis] - 1) / 2;
        s.conv.pad[axis][1] = w->shape[axis] / 2;
    }
    const int64_t bytes = s.h * s.w * s.channels * s.size;
    s.part = tri_even_part(s.images, PART_BYTES / bytes > 1 ? PART_BYTES / bytes : 1);
    return s;
}

/* Pictures first .. first + count - 1 of t [N, ...]. */
static tr_tensor *pictures(const tr_tensor *t, int64_t first, int64_t count)
{
    tr_shape shape = tr_shape_of(t);
    shape.dim[0] = count;
    return tri_view(t, shape, t->stride, first * t->stride[0]);
}

static void in_parts(pooled *s, int64_t count, void (*body)(void *, int64_t, int64_t))
{
    const int64_t row = s->window * s->w * s->channels;
    tri_parallel_for(count * s->rows, GRAIN_WORK / (row + 1) + 1, body, s);
}

/* --- Forward ---------------------------------------------------------------------------------- */

static void pool_rows(void *context, int64_t begin, int64_t end)
{
    const pooled *s = context;
    const int64_t c = s->channels, step = s->window * c, line = s->cols * c;
    for (int64_t row = begin; row < end; row++) {
        const int64_t from = (row / s->rows * s->h + row % s->rows * s->window) * s->w * c;
        const void   *x = s->large + from * s->size;
        void         *y = s->small + row * line * s->size;
        uint8_t      *place = s->place + row * line;
        if (s->block.dtype == TR_F32)
            s->block.table->f32.max_place_at(s->cols, c, y, place, x, step, s->at, s->count);
        else
            s->block.table->f64.max_place_at(s->cols, c, y, place, x, step, s->at, s->count);
        tri_finish(&s->block, s->epilogue, s->bias, y, c, s->cols, c);
    }
}

static tr_status convolve(pooled *s, tr_tensor *y, const tr_tensor *x, const tr_tensor *w)
{
    tr_tensor *large = tri_new(x->dtype, TR_SHAPE(s->part, s->h, s->w, s->channels));
    if (large == NULL) return tr_status_get();
    s->large = large->data;
    s->small = y->data;
    for (int64_t first = 0; first < s->images; first += s->part) {
        const int64_t rest = s->images - first, count = rest < s->part ? rest : s->part;
        tr_tensor    *some = pictures(x, first, count), *results = pictures(large, 0, count);
        if (some == NULL || results == NULL ||
            tri_conv2d(results, some, w, NULL, &s->conv, TRI_E_IDENTITY) != TR_OK)
            break;
        in_parts(s, count, pool_rows);
        s->small += count * s->rows * s->cols * s->channels * s->size;
        s->place += count * s->rows * s->cols * s->channels;
    }
    return tr_status_get();
}

/* --- Backward --------------------------------------------------------------------------------- */

static void unpool_rows(void *context, int64_t begin, int64_t end)
{
    const pooled *s = context;
    const int64_t c = s->channels, step = s->window * c, line = s->cols * c;
    for (int64_t row = begin; row < end; row++) {
        const int64_t  to = (row / s->rows * s->h + row % s->rows * s->window) * s->w * c;
        void          *u = s->large + to * s->size;
        const void    *g = s->small + row * line * s->size;
        const uint8_t *place = s->place + row * line;
        if (s->block.dtype == TR_F32)
            s->block.table->f32.put_place_at(s->cols, c, g, place, u, step, s->at, s->count);
        else
            s->block.table->f64.put_place_at(s->cols, c, g, place, u, step, s->at, s->count);
    }
}

/* The gradients of one part, whose results have the gradients u. */
static tr_status add_part(const pooled *s, tr_tensor *dx, tr_tensor *dw, tr_tensor *dw_part,
                          const tr_tensor *x, const tr_tensor *w, const tr_tensor *u, int64_t first)
{
    const int64_t count = u->shape[0];
    if (dw != NULL) {
        tr_tensor *some = pictures(x, first, count), *to = first > 0 ? dw_part : dw;
        if (some == NULL || tri_conv2d_dw(to, some, u, &s->conv) != TR_OK) return tr_status_get();
        if (first > 0) tri_binary(TRI_B_add, dw, dw, dw_part);
    }
    if (dx == NULL) return tr_status_get();
    tr_tensor *some = pictures(dx, first, count);
    return some != NULL ? tri_conv2d_dx(some, u, w, NULL, &s->conv, TRI_E_IDENTITY)
                        : tr_status_get();
}

static tr_status differentiate(pooled *s, tr_tensor *dx, tr_tensor *dw, const tr_tensor *x,
                               const tr_tensor *w, const tr_tensor *g)
{
    tr_tensor *large = tri_new(g->dtype, TR_SHAPE(s->part, s->h, s->w, s->channels));
    tr_tensor *dw_part = dw != NULL ? tri_new(dw->dtype, tr_shape_of(dw)) : NULL;
    if (large == NULL || (dw != NULL && dw_part == NULL)) return tr_status_get();
    s->large = large->data;
    s->small = g->data;
    if (s->rows * s->window < s->h || s->cols * s->window < s->w) /* no window sees the rest */
        memset(large->data, 0, (size_t)(tr_numel(large) * s->size));
    for (int64_t first = 0; first < s->images; first += s->part) {
        const int64_t rest = s->images - first, count = rest < s->part ? rest : s->part;
        tr_tensor    *u = pictures(large, 0, count);
        if (u == NULL) break;
        in_parts(s, count, unpool_rows);
        if (add_part(s, dx, dw, dw_part, x, w, u, first) != TR_OK) break;
        s->small += count * s->rows * s->cols * s->channels * s->size;
        s->place += count * s->rows * s->cols * s->channels;
    }
    return tr_status_get();
}

/* --- Entry points ----------------------------------------------------------------------------- */

tr_status tri_conv2d_pool(tr_tensor *y, tr_tensor *place, const tr_tensor *x, const tr_tensor *w,
                          const tr_tensor *bias, int64_t window, tri_epilogue epilogue)
{
    tr_scope *scope = tri_failed() ? NULL : tr_scope_push();
    if (!scope) return tr_status_get();
    x = tri_contiguous(x);
    if (bias) bias = tri_contiguous(bias);
    if (!tri_failed() && tr_numel(y) > 0) {
        pooled s = plan_of(x, w, y, place, window);
        s.bias = bias ? bias->data : NULL;
        s.epilogue = epilogue;
        convolve(&s, y, x, w);
    }
    tr_scope_pop(scope);
    return tr_status_get();
}

tr_status tri_conv2d_pool_gradients(tr_tensor *dx, tr_tensor *dw, const tr_tensor *x,
                                    const tr_tensor *w, const tr_tensor *g, const tr_tensor *place,
                                    int64_t window)
{
    tr_scope *scope = tri_failed() ? NULL : tr_scope_push();
    if (!scope) return tr_status_get();
    x = tri_contiguous(x);
    g = tri_contiguous(g);
    if (!tri_failed() && tr_numel(g) > 0) {
        pooled s = plan_of(x, w, g, place, window);
        differentiate(&s, dx, dw, x, w, g);
    } else if (!tri_failed()) {
        if (dx) tri_fill(dx, 0);
        if (dw) tri_fill(dw, 0);
    }
    tr_scope_pop(scope);
    return tr_status_get();
}
