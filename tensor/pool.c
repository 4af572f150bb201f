/* pool.c: maximum and average over windows of pictures [N, H, W, C], and their adjoints.
 *
 * Everything moves whole channel vectors. Work is cut by image and row (and by channel where a
 * result is scattered over a whole plane), so that each element of a result is written by one task,
 * in one order, for any number of threads. Read next: resize.c (the way back up), channels.h (the
 * inner loops).                             */
#include "tensor/channels.h"
#include "tensor/kernels.h"

#include <assert.h>
#include <string.h>

enum {
    GRAIN_WORK = 1 << 14, /* elements worth giving to a thread */
    CHANNEL_BLOCK = 128
};

/* A picture as memory: [n, h, w, c], contiguous. */
typedef struct picture {
    char *data;
    int64_t n, h, w, c;
} picture;

typedef struct job {
    tr_dtype dtype;
    int64_t size; /* bytes of an element */
    picture x, y; /* the side with the whole plane, the side with a pixel per window */
    int64_t *index;
    const tri_pool *pool;
} job;

static picture picture_of(const tr_tensor *t)
{
    return (picture){ t->data, t->shape[0], t->shape[1], t->shape[2], t->shape[3] };
}

static job job_of(const tr_tensor *x, const tr_tensor *y, const tr_tensor *index, const tri_pool *p)
{
    assert(x->rank == 4 && y->rank == 4 && x->shape[0] == y->shape[0] &&
           x->shape[3] == y->shape[3]);
    assert(!index || tr_same_shape(index, y));
    return (job){ .dtype = x->dtype,
                  .size = (int64_t)tr_dtype_size(x->dtype),
                  .x = picture_of(x),
                  .y = picture_of(y),
                  .index = index ? index->data : NULL,
                  .pool = p };
}

static char *pixel(const job *s, const picture *p, int64_t n, int64_t h, int64_t w)
{
    return p->data + ((n * p->h + h) * p->w + w) * p->c * s->size;
}

/* Rows of a picture that make a piece of work. */
static int64_t grain_rows(int64_t elements_a_row)
{
    return elements_a_row >= GRAIN_WORK ? 1 : GRAIN_WORK / (elements_a_row + 1) + 1;
}

/* First and last window element along an axis that lies inside of the image, for output index i. */
static void inside(const tri_pool *p, int axis, int64_t i, int64_t image, int64_t *first,
                   int64_t *end)
{
    const int64_t d = p->dilation[axis], origin = i * p->stride[axis] - p->pad[axis][0];
    int64_t r0 = 0, r1 = p->window[axis];
    while (r0 < r1 && origin + r0 * d < 0) r0++;
    while (r1 > r0 && origin + (r1 - 1) * d >= image) r1--;
    *first = r0;
    *end = r1;
}

/* --- Maximum
 * -------------------------------------------------------------------------------------- */

/* Where x is larger than best, or is the first NaN, it replaces best, and `at` replaces where. */
static void keep_larger(tr_dtype dtype, int64_t n, void *best, int32_t *where, const void *x,
                        int32_t at)
{
    if (dtype == TR_F32) {
        float *y = best;
        const float *from = x;
        for (int64_t c = 0; c < n; c++) {
            const int better = (from[c] > y[c]) | ((from[c] != from[c]) & (y[c] == y[c]));
            y[c] = better ? from[c] : y[c];
            where[c] = better ? at : where[c];
        }
    } else {
        double *y = best;
        const double *from = x;
        for (int64_t c = 0; c < n; c++) {
            const int better = (from[c] > y[c]) | ((from[c] != from[c]) & (y[c] == y[c]));
            y[c] = better ? from[c] : y[c];
            where[c] = better ? at : where[c];
        }
    }
}

/* Callers allow no window that lies wholly inside the padding. */
static void maximum_of_window(const job *s, int64_t n, int64_t i, int64_t j)
{
    const tri_pool *p = s->pool;
    const int64_t channels = s->y.c;
    int64_t r0, r1, s0, s1, *index = NULL;
    char *y = pixel(s, &s->y, n, i, j);
    if (s->index) index = s->index + ((n * s->y.h + i) * s->y.w + j) * channels;
    inside(p, 0, i, s->x.h, &r0, &r1);
    inside(p, 1, j, s->x.w, &s0, &s1);
    assert(r0 < r1 && s0 < s1);
    const int64_t top = i * p->stride[0] - p->pad[0][0], left = j * p->stride[1] - p->pad[1][0];
    const int64_t base = (top + r0 * p->dilation[0]) * s->x.w + left + s0 * p->dilation[1];
    const char *plane = pixel(s, &s->x, n, 0, 0);
    for (int64_t c = 0; c < channels; c += CHANNEL_BLOCK) {
        const int64_t count = channels - c < CHANNEL_BLOCK ? channels - c : CHANNEL_BLOCK;
        int32_t where[CHANNEL_BLOCK] = { 0 }; /* relative to base: narrow, like the values */
        memcpy(y + c * s->size, plane + (base * channels + c) * s->size, (size_t)(count * s->size));
        for (int64_t r = r0; r < r1; r++)
            for (int64_t t = s0; t < s1; t++) {
                const int64_t at = (r - r0) * p->dilation[0] * s->x.w + (t - s0) * p->dilation[1];
                if (at == 0) continue;
                keep_larger(s->dtype, count, y + c * s->size, where,
                            plane + ((base + at) * channels + c) * s->size, (int32_t)at);
            }
        for (int64_t k = 0; index && k < count; k++) index[c + k] = base + where[k];
    }
}

/* Windows that neither overlap, nor reach over the edge, nor have gaps or many elements: kernels.
 */
enum { TILED_MAX = 16 };

static bool tiled(const job *s)
{
    const tri_pool *p = s->pool;
    bool            yes = p->window[0] * p->window[1] <= TILED_MAX && s->y.c > 0;
    for (int axis = 0; axis < 2; axis++)
        yes = yes && p->stride[axis] == p->window[axis] && p->dilation[axis] == 1 &&
              p->pad[axis][0] == 0 && p->pad[axis][1] == 0;
    return yes && s->y.h * p->window[0] <= s->x.h && s->y.w * p->window[1] <= s->x.w;
}

/* Offsets of a window's elements from its first. */
static int64_t tile_offsets(const job *s, int64_t at[TILED_MAX])
{
    int64_t count = 0;
    for (int64_t r = 0; r < s->pool->window[0]; r++)
        for (int64_t t = 0; t < s->pool->window[1]; t++) at[count++] = (r * s->x.w + t) * s->x.c;
    return count;
}

static void tiled_maximum_body(void *context, int64_t begin, int64_t end)
{
    const job         *s = context;
    const tri_kernels *table = tri_kernel_table();
    int64_t            at[TILED_MAX];
    const int64_t      count = tile_offsets(s, at), c = s->y.c, step = s->pool->window[1] * c;
    for (int64_t row = begin; row < end; row++) {
        const int64_t n = row / s->y.h, i = row % s->y.h;
        void *y = pixel(s, &s->y, n, i, 0), *x = pixel(s, &s->x, n, i * s->pool->window[0], 0);
        if (s->dtype == TR_F32)
            table->f32.max_at(s->y.w, c, y, c, x, step, at, count);
        else
            table->f64.max_at(s->y.w, c, y, c, x, step, at, count);
    }
}

static void maximum_body(void *context, int64_t begin, int64_t end)
{
    const job *s = context;
    for (int64_t row = begin; row < end; row++)
        for (int64_t j = 0; j < s->y.w; j++) maximum_of_window(s, row / s->y.h, row % s->y.h, j);
}

static int64_t window_work(const job *s)
{
    return s->y.w * s->y.c * s->pool->window[0] * s->pool->window[1];
}

static tr_status on_windows(tr_tensor *y, tr_tensor *index, const tr_tensor *x, const tri_pool *p,
                            void (*body)(void *context, int64_t begin, int64_t end))
{
    if (tri_failed()) return tr_status_get();
    tr_scope *scope = tr_scope_push();
    if (!scope) return tr_status_get();
    x = tri_contiguous(x);
    if (x) {
        job s = job_of(x, y, index, p);
        assert(s.x.h * s.x.w <= INT32_MAX);
        tri_parallel_for(s.y.n * s.y.h, grain_rows(window_work(&s)), body, &s);
    }
    tr_scope_pop(scope);
    return tr_status_get();
}

tr_status tri_max_pool2d(tr_tensor *y, tr_tensor *index, const tr_tensor *x, const tri_pool *p)
{
    const job s = job_of(x, y, index, p);
    return on_windows(y, index, x, p,
                      index == NULL && tiled(&s) ? tiled_maximum_body : maximum_body);
}

typedef struct back_job {
    job   windows;
    char *dx;
} back_job;

static void tiled_back_body(void *context, int64_t begin, int64_t end)
{
    const back_job    *b = context;
    const job         *s = &b->windows;
    const tri_kernels *table = tri_kernel_table();
    int64_t            at[TILED_MAX];
    const int64_t      count = tile_offsets(s, at), c = s->y.c, step = s->pool->window[1] * c;
    for (int64_t row = begin; row < end; row++) {
        const int64_t n = row / s->y.h, i = row % s->y.h;
        char         *x = pixel(s, &s->x, n, i * s->pool->window[0], 0);
        void         *g = pixel(s, &s->y, n, i, 0), *dx = b->dx + (x - s->x.data);
        if (s->dtype == TR_F32)
            table->f32.max_back_at(s->y.w, c, g, c, dx, (void *)x, step, at, count);
        else
            table->f64.max_back_at(s->y.w, c, g, c, dx, (void *)x, step, at, count);
    }
}

static tr_status maximum_back(tr_tensor *dx, const tr_tensor *g, const tr_tensor *x,
                              const tri_pool *p)
{
    back_job b = { job_of(x, g, NULL, p), dx->data };
    const picture *large = &b.windows.x, *small = &b.windows.y;
    if (tiled(&b.windows)) {
        if (small->h * p->window[0] < large->h || small->w * p->window[1] < large->w)
            memset(dx->data, 0, (size_t)(tr_numel(dx) * b.windows.size));
        tri_parallel_for(small->n * small->h, grain_rows(window_work(&b.windows)), tiled_back_body,
                         &b);
        return TR_OK;
    }
    tr_tensor *largest = tri_new(x->dtype, tr_shape_of(g));
    tr_tensor *index = tri_new(TR_I64, tr_shape_of(g));
    if (!largest || !index || tri_max_pool2d(largest, index, x, p) != TR_OK) return tr_status_get();
    return tri_max_unpool2d(dx, g, index);
}

tr_status tri_max_pool2d_dx(tr_tensor *dx, const tr_tensor *g, const tr_tensor *x,
                            const tri_pool *p)
{
    if (tri_failed()) return tr_status_get();
    tr_scope *scope = tr_scope_push();
    if (!scope) return tr_status_get();
    g = tri_contiguous(g);
    x = tri_contiguous(x);
    if (g && x) maximum_back(dx, g, x, p);
    tr_scope_pop(scope);
    return tr_status_get();
}

/* A task is one image and one block of channels: all of the plane's elements that it may add to. */
static void unpool_body(void *context, int64_t begin, int64_t end)
{
    const job *s = context;
    const int64_t channels = s->x.c, blocks = (channels + CHANNEL_BLOCK - 1) / CHANNEL_BLOCK;
    const int64_t inputs = s->x.h * s->x.w, outputs = s->y.h * s->y.w;
    for (int64_t task = begin; task < end; task++) {
        const int64_t n = task / blocks, c0 = task % blocks * CHANNEL_BLOCK;
        const int64_t c1 = channels - c0 < CHANNEL_BLOCK ? channels : c0 + CHANNEL_BLOCK;
        char *plane = pixel(s, &s->x, n, 0, 0);
        const char *g = pixel(s, &s->y, n, 0, 0);
        for (int64_t at = 0; at < inputs; at++)
            memset(plane + (at * channels + c0) * s->size, 0, (size_t)((c1 - c0) * s->size));
        for (int64_t at = 0; at < outputs; at++) {
            const int64_t *index = s->index + (n * outputs + at) * channels;
            for (int64_t c = c0; c < c1; c++) {
                const int64_t to = index[c] * channels + c, from = at * channels + c;
                if (s->dtype == TR_F32)
                    ((float *)(void *)plane)[to] += ((const float *)(const void *)g)[from];
                else
                    ((double *)(void *)plane)[to] += ((const double *)(const void *)g)[from];
            }
        }
    }
}

static void gather_body(void *context, int64_t begin, int64_t end)
{
    const job *s = context;
    const int64_t channels = s->y.c;
    for (int64_t row = begin; row < end; row++) {
        const char *plane = pixel(s, &s->x, row / s->y.h, 0, 0);
        for (int64_t at = row * s->y.w * channels; at < (row + 1) * s->y.w * channels; at++) {
            const int64_t from = s->index[at] * channels + at % channels;
            memcpy(s->y.data + at * s->size, plane + from * s->size, (size_t)s->size);
        }
    }
}

tr_status tri_max_unpool2d(tr_tensor *dx, const tr_tensor *g, const tr_tensor *index)
{
    if (tri_failed()) return tr_status_get();
    tr_scope *scope = tr_scope_push();
    if (!scope) return tr_status_get();
    g = tri_contiguous(g);
    index = tri_contiguous(index);
    if (g && index) {
        job s = job_of(dx, g, index, NULL);
        const int64_t blocks = (s.x.c + CHANNEL_BLOCK - 1) / CHANNEL_BLOCK;
        tri_parallel_for(s.x.n * blocks, grain_rows(s.x.h * s.x.w * s.x.c), unpool_body, &s);
    }
    tr_scope_pop(scope);
    return tr_status_get();
}

tr_status tri_pool_gather(tr_tensor *y, const tr_tensor *x, const tr_tensor *index)
{
    if (tri_failed()) return tr_status_get();
    tr_scope *scope = tr_scope_push();
    if (!scope) return tr_status_get();
    x = tri_contiguous(x);
    index = tri_contiguous(index);
    if (x && index) {
        job s = job_of(x, y, index, NULL);
        tri_parallel_for(s.y.n * s.y.h, grain_rows(s.y.w * s.y.c), gather_body, &s);
    }
    tr_scope_pop(scope);
    return tr_status_get();
}

/* --- Average
 * -------------------------------------------------------------------------------------- */

/* Cells along an axis of window i that lie in the image or its padding: all, but for a last window
 * that reaches past them (ceil mode). */
static int64_t padded_cells(const tri_pool *p, int axis, int64_t i, int64_t image)
{
    const int64_t room = image + p->pad[axis][0] + p->pad[axis][1] - i * p->stride[axis];
    const int64_t cells = (room - 1) / p->dilation[axis] + 1;
    return cells < p->window[axis] ? cells : p->window[axis];
}

/* What the sum over the window of output pixel (i, j) is divided by; its elements inside the image.
 */
static int64_t divisor(const job *s, int64_t i, int64_t j, int64_t rows[2], int64_t cols[2])
{
    inside(s->pool, 0, i, s->x.h, &rows[0], &rows[1]);
    inside(s->pool, 1, j, s->x.w, &cols[0], &cols[1]);
    if (s->pool->count_padding)
        return padded_cells(s->pool, 0, i, s->x.h) * padded_cells(s->pool, 1, j, s->x.w);
    const int64_t count = (rows[1] - rows[0]) * (cols[1] - cols[0]);
    return count > 0 ? count : 1;
}

static void average_of_window(const job *s, int64_t n, int64_t i, int64_t j)
{
    const tri_pool *p = s->pool;
    int64_t rows[2], cols[2];
    char *y = pixel(s, &s->y, n, i, j);
    const int64_t by = divisor(s, i, j, rows, cols);
    memset(y, 0, (size_t)(s->y.c * s->size));
    for (int64_t r = rows[0]; r < rows[1]; r++)
        for (int64_t t = cols[0]; t < cols[1]; t++) {
            const int64_t h = i * p->stride[0] + r * p->dilation[0] - p->pad[0][0];
            const int64_t w = j * p->stride[1] + t * p->dilation[1] - p->pad[1][0];
            channels_add(s->dtype, s->y.c, y, 1, pixel(s, &s->x, n, h, w));
        }
    channels_divide(s->dtype, s->y.c, y, (double)by);
}

static void average_body(void *context, int64_t begin, int64_t end)
{
    const job *s = context;
    for (int64_t row = begin; row < end; row++)
        for (int64_t j = 0; j < s->y.w; j++) average_of_window(s, row / s->y.h, row % s->y.h, j);
}

tr_status tri_avg_pool2d(tr_tensor *y, const tr_tensor *x, const tri_pool *p)
{
    return on_windows(y, NULL, x, p, average_body);
}

/* The output index whose window element r stands on image position h; -1 if there is none. */
static int64_t output_at(const tri_pool *p, int axis, int64_t h, int64_t r, int64_t outputs)
{
    const int64_t at = h + p->pad[axis][0] - r * p->dilation[axis];
    if (at < 0 || at % p->stride[axis] != 0 || at / p->stride[axis] >= outputs) return -1;
    return at / p->stride[axis];
}

static void average_dx_body(void *context, int64_t begin, int64_t end)
{
    const job *s = context;
    const tri_pool *p = s->pool;
    for (int64_t at = begin * s->x.w; at < end * s->x.w; at++) {
        const int64_t w = at % s->x.w, h = at / s->x.w % s->x.h, n = at / s->x.w / s->x.h;
        char *dx = pixel(s, &s->x, n, h, w);
        memset(dx, 0, (size_t)(s->x.c * s->size));
        for (int64_t r = 0; r < p->window[0]; r++)
            for (int64_t t = 0; t < p->window[1]; t++) {
                const int64_t i = output_at(p, 0, h, r, s->y.h), j = output_at(p, 1, w, t, s->y.w);
                int64_t rows[2], cols[2];
                if (i < 0 || j < 0) continue;
                channels_add(s->dtype, s->x.c, dx, 1 / (double)divisor(s, i, j, rows, cols),
                             pixel(s, &s->y, n, i, j));
            }
    }
}

tr_status tri_avg_pool2d_dx(tr_tensor *dx, const tr_tensor *g, const tri_pool *p)
{
    if (tri_failed()) return tr_status_get();
    tr_scope *scope = tr_scope_push();
    if (!scope) return tr_status_get();
    g = tri_contiguous(g);
    if (g) {
        job s = job_of(dx, g, NULL, p);
        tri_parallel_for(s.x.n * s.x.h, grain_rows(s.x.w * s.x.c), average_dx_body, &s);
    }
    tr_scope_pop(scope);
    return tr_status_get();
}
