/* conv.c: conv2d and its two partial gradients as implicit matrix products.
 *
 * Written as a product, y [pixels, K] = patches [pixels, KH KW C] w [KH KW C, K], where row (n, i,
 * j) of `patches` is the window of x under output pixel (i, j). The matrix is never built: the
 * product asks for small packed tiles of it (gemm.h), which are gathered here from x, whole channel
 * vectors at a time. The gradient for x is the same form with windows of g, and the gradient for w
 * is patches^T [KH KW C, pixels] g [pixels, K]. Groups are a batch axis of the product.
 *
 * Invariants: both images are contiguous, channels last; a window element outside of its image is
 * 0. Read next: gemm.c. */
#include "tensor/gemm.h"

#include <assert.h>
#include <string.h>

/* Along one axis, window element r of pixel i looks at position (i step + r reach + origin) /
 * divisor of the image; there is nothing there if the division leaves a rest or the position is
 * outside. */
typedef struct axis_map {
    int64_t pixels, window, image;
    int64_t step, reach, origin, divisor;
} axis_map;

typedef struct windows {
    axis_map h, w;
    int64_t channels; /* of the group: those of a window */
    int64_t pitch;    /* elements from one image pixel to the next */
} windows;

typedef struct pixel {
    int64_t n, i, j;
} pixel;

enum { ZERO_BYTES = 2048 };

static const _Alignas(64) char zeros[ZERO_BYTES];

static pixel pixel_at(const windows *v, int64_t index)
{
    const int64_t row = index / v->w.pixels;
    return (pixel){ row / v->h.pixels, row % v->h.pixels, index % v->w.pixels };
}

static pixel pixel_next(const windows *v, pixel p)
{
    if (++p.j < v->w.pixels) return p;
    p.j = 0;
    if (++p.i < v->h.pixels) return p;
    p.i = 0;
    p.n++;
    return p;
}

/* Position in the image, or -1. */
static inline int64_t position(const axis_map *m, int64_t pixel_index, int64_t r)
{
    int64_t at = pixel_index * m->step + r * m->reach + m->origin;
    if (at < 0) return -1;
    if (m->divisor != 1) {
        if (at % m->divisor != 0) return -1;
        at /= m->divisor;
    }
    return at < m->image ? at : -1;
}

/* The channel vector that element (r, s) of the pixel's window looks at; NULL outside of the image.
 */
static inline const char *look_at(const tri_operand *x, pixel p, int64_t r, int64_t s)
{
    const windows *v = x->context;
    const int64_t h = position(&v->h, p.i, r), w = position(&v->w, p.j, s);
    if (h < 0 || w < 0) return NULL;
    const int64_t at = ((p.n * v->h.image + h) * v->w.image + w) * v->pitch;
    return (const char *)x->data + at * (int64_t)x->size;
}

/* Packs pixels (outer) by window elements (inner: r, s, channel). */
static void pack_patches(const tri_operand *x, int64_t o0, int64_t count, int64_t k0, int64_t k1,
                         int64_t width, void *out)
{
    const windows *v = x->context;
    const int64_t size = (int64_t)x->size, limit = ZERO_BYTES / size;
    pixel pixels[TRI_PACK_MAX];
    const char *rows[TRI_PACK_MAX];
    pixel p = pixel_at(v, o0);
    for (int64_t i = 0; i < count; i++, p = pixel_next(v, p)) pixels[i] = p;
    for (int64_t k = k0; k < k1;) {
        const int64_t place = k / v->channels, c = k % v->channels;
        const int64_t r = place / v->w.window, s = place % v->w.window;
        int64_t length = v->channels - c;
        if (length > k1 - k) length = k1 - k;
        if (length > limit) length = limit;
        for (int64_t i = 0; i < count; i++) {
            const char *from = look_at(x, pixels[i], r, s);
            rows[i] = from ? from + c * size : zeros;
        }
        tri_pack_rows(x->size, count, rows, length, width, (char *)out + (k - k0) * width * size);
        k += length;
    }
}

/* Packs window elements (outer: r, s, channel) by pixels (inner). */
static void pack_patches_turned(const tri_operand *x, int64_t o0, int64_t count, int64_t k0,
                                int64_t k1, int64_t width, void *out)
{
    const windows *v = x->context;
    const int64_t size = (int64_t)x->size;
    for (int64_t o = o0; o < o0 + count;) {
        const int64_t place = o / v->channels, c = o % v->channels;
        const int64_t r = place / v->w.window, s = place % v->w.window;
        int64_t length = v->channels - c;
        if (length > o0 + count - o) length = o0 + count - o;
        char *to = (char *)out + (o - o0) * size;
        pixel p = pixel_at(v, k0);
        for (int64_t k = k0; k < k1; k++, p = pixel_next(v, p), to += width * size) {
            const char *from = look_at(x, p, r, s);
            if (from)
                tri_copy_run(to, from + c * size, length * size);
            else
                memset(to, 0, (size_t)(length * size));
        }
        o += length;
    }
}

/* Packs w [KH, KW, C, K] as the right factor of the gradient for x: channels (outer) by (r, s, k).
 */
typedef struct filters {
    int64_t channels, outputs; /* of the group */
    int64_t pitch;             /* K of all groups */
} filters;

static void pack_filters_turned(const tri_operand *w, int64_t o0, int64_t count, int64_t k0,
                                int64_t k1, int64_t width, void *out)
{
    const filters *f = w->context;
    const int64_t size = (int64_t)w->size;
    const char *rows[TRI_PACK_MAX];
    for (int64_t k = k0; k < k1;) {
        const int64_t place = k / f->outputs, first = k % f->outputs;
        int64_t length = f->outputs - first;
        if (length > k1 - k) length = k1 - k;
        for (int64_t i = 0; i < count; i++)
            rows[i] =
                (const char *)w->data + ((place * f->channels + o0 + i) * f->pitch + first) * size;
        tri_pack_rows(w->size, count, rows, length, width, (char *)out + (k - k0) * width * size);
        k += length;
    }
}

/* --- The three products
 * --------------------------------------------------------------------------- */

/* Output pixels over x. */
static windows windows_of_x(const tr_tensor *x, const tr_tensor *w, const int64_t *out,
                            const tri_conv *c)
{
    windows v = { .channels = w->shape[2], .pitch = x->shape[3] };
    v.h = (axis_map){ out[1], w->shape[0], x->shape[1], c->stride[0], c->dilation[0], -c->pad[0][0],
                      1 };
    v.w = (axis_map){ out[2], w->shape[1], x->shape[2], c->stride[1], c->dilation[1], -c->pad[1][0],
                      1 };
    return v;
}

/* Pixels of x over g: the output pixels whose windows hold the pixel. */
static windows windows_of_g(const tr_tensor *g, const tr_tensor *w, const int64_t *in,
                            const tri_conv *c)
{
    windows v = { .channels = g->shape[3] / c->groups, .pitch = g->shape[3] };
    v.h = (axis_map){ in[1],           w->shape[0],  g->shape[1], 1,
                      -c->dilation[0], c->pad[0][0], c->stride[0] };
    v.w = (axis_map){ in[2],           w->shape[1],  g->shape[2], 1,
                      -c->dilation[1], c->pad[1][0], c->stride[1] };
    return v;
}

static tr_status forward(tr_tensor *y, const tr_tensor *x, const tr_tensor *w,
                         const tr_tensor *bias, const tri_conv *c, tri_epilogue epilogue)
{
    x = tri_contiguous(x);
    w = tri_contiguous(w);
    if (bias) bias = tri_contiguous(bias);
    if (tri_failed()) return tr_status_get();
    const windows v = windows_of_x(x, w, y->shape, c);
    const size_t size = tr_dtype_size(y->dtype);
    const int64_t outputs = w->shape[3], each = outputs / c->groups;
    tri_product p = { .dtype = y->dtype,
                      .n = each,
                      .c = y->data,
                      .c_row = outputs,
                      .bias = bias ? bias->data : NULL,
                      .epilogue = epilogue,
                      .batch_rank = 1 };
    p.m = y->shape[0] * y->shape[1] * y->shape[2];
    p.k = w->shape[0] * w->shape[1] * v.channels;
    p.a = (tri_operand){ .data = x->data, .size = size, .pack = pack_patches, .context = &v };
    p.b = (tri_operand){ .data = w->data, .size = size, .outer = 1, .inner = outputs };
    p.batch[0] = (tri_batch_axis){ c->groups, v.channels, each, each, each };
    return tri_gemm(&p);
}

static tr_status gradient_x(tr_tensor *dx, const tr_tensor *g, const tr_tensor *w,
                            const tri_conv *c)
{
    g = tri_contiguous(g);
    w = tri_contiguous(w);
    if (tri_failed()) return tr_status_get();
    const windows v = windows_of_g(g, w, dx->shape, c);
    const filters f = { w->shape[2], v.channels, w->shape[3] };
    const size_t size = tr_dtype_size(dx->dtype);
    tri_product p = {
        .dtype = dx->dtype, .n = f.channels, .c = dx->data, .c_row = dx->shape[3], .batch_rank = 1
    };
    p.m = dx->shape[0] * dx->shape[1] * dx->shape[2];
    p.k = w->shape[0] * w->shape[1] * v.channels;
    p.a = (tri_operand){ .data = g->data, .size = size, .pack = pack_patches, .context = &v };
    p.b =
        (tri_operand){ .data = w->data, .size = size, .pack = pack_filters_turned, .context = &f };
    p.batch[0] = (tri_batch_axis){ c->groups, v.channels, v.channels, f.channels, 0 };
    return tri_gemm(&p);
}

static tr_status gradient_w(tr_tensor *dw, const tr_tensor *x, const tr_tensor *g,
                            const tri_conv *c)
{
    x = tri_contiguous(x);
    g = tri_contiguous(g);
    if (tri_failed()) return tr_status_get();
    const windows v = windows_of_x(x, dw, g->shape, c);
    const size_t size = tr_dtype_size(dw->dtype);
    const int64_t outputs = dw->shape[3], each = outputs / c->groups;
    tri_product p = {
        .dtype = dw->dtype, .n = each, .c = dw->data, .c_row = outputs, .batch_rank = 1
    };
    p.m = dw->shape[0] * dw->shape[1] * v.channels;
    p.k = g->shape[0] * g->shape[1] * g->shape[2];
    p.a =
        (tri_operand){ .data = x->data, .size = size, .pack = pack_patches_turned, .context = &v };
    p.b = (tri_operand){ .data = g->data, .size = size, .outer = 1, .inner = outputs };
    p.batch[0] = (tri_batch_axis){ c->groups, v.channels, each, each, 0 };
    return tri_gemm(&p);
}

/* --- Entry points: a scope for the scratch memory
 * -------------------------------------------------- */

static void check_shapes(const tr_tensor *x, const tr_tensor *w, const tr_tensor *y,
                         const tri_conv *c)
{
    assert(x->rank == 4 && w->rank == 4 && y->rank == 4 && c->groups >= 1);
    assert(x->shape[0] == y->shape[0] && w->shape[3] == y->shape[3]);
    assert(x->shape[3] == w->shape[2] * c->groups && w->shape[3] % c->groups == 0);
    (void)x, (void)w, (void)y, (void)c;
}

tr_status tri_conv2d(tr_tensor *y, const tr_tensor *x, const tr_tensor *w, const tr_tensor *bias,
                     const tri_conv *c, tri_epilogue epilogue)
{
    check_shapes(x, w, y, c);
    if (tri_failed()) return tr_status_get();
    tr_scope *scope = tr_scope_push();
    if (!scope) return tr_status_get();
    const tr_status status = forward(y, x, w, bias, c, epilogue);
    tr_scope_pop(scope);
    return status;
}

tr_status tri_conv2d_dx(tr_tensor *dx, const tr_tensor *g, const tr_tensor *w, const tri_conv *c)
{
    check_shapes(dx, w, g, c);
    if (tri_failed()) return tr_status_get();
    tr_scope *scope = tr_scope_push();
    if (!scope) return tr_status_get();
    const tr_status status = gradient_x(dx, g, w, c);
    tr_scope_pop(scope);
    return status;
}

tr_status tri_conv2d_dw(tr_tensor *dw, const tr_tensor *x, const tr_tensor *g, const tri_conv *c)
{
    check_shapes(x, dw, g, c);
    if (tri_failed()) return tr_status_get();
    tr_scope *scope = tr_scope_push();
    if (!scope) return tr_status_get();
    const tr_status status = gradient_w(dw, x, g, c);
    tr_scope_pop(scope);
    return status;
}
