/* resize.c: nearest and bilinear upsampling of pictures [N, H, W, C] by any factor, and the
 * adjoints.
 *
 * Both are separable and linear. For each axis a table says which two source positions an output
 * position mixes, and how; the adjoint walks the same table the other way, gathering for each
 * source pixel from the block of outputs that touch it: each element is written by one task, in one
 * order. Read next: channels.h (the inner loops), pool.c. */
#include "tensor/channels.h"
#include "tensor/compute.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { GRAIN_WORK = 1 << 14 };

/* Output position i is (1 - weight) source[low] + weight source[high]. */
typedef struct mix {
    int64_t low, high;
    double weight;
} mix;

typedef struct range {
    int64_t first, end;
} range;

typedef struct axis {
    mix *mixes;    /* per output position */
    range *ranges; /* per source position: the outputs that may touch it */
} axis;

typedef struct job {
    tr_dtype dtype;
    int64_t size, channels;
    int64_t h, w, oh, ow;
    char *x, *y; /* small side, large side */
    axis rows, cols;
} job;

static mix nearest_at(int64_t i, int64_t in, int64_t out)
{
    const int64_t at = i * in / out;
    return (mix){ at, at, 0 };
}

static mix bilinear_at(int64_t i, int64_t in, int64_t out, bool align_corners)
{
    double at;
    if (align_corners)
        at = out > 1 ? (double)i * (double)(in - 1) / (double)(out - 1) : 0;
    else
        at = fmax(0, ((double)i + 0.5) * (double)in / (double)out - 0.5);
    int64_t low = (int64_t)at;
    if (low > in - 1) low = in - 1;
    return (mix){ low, low + 1 < in ? low + 1 : low, at - (double)low };
}

typedef enum method { NEAREST, BILINEAR, BILINEAR_ALIGNED } method;

static bool make_axis(axis *a, int64_t in, int64_t out, method how)
{
    a->mixes = tri_scratch((uint64_t)out * sizeof *a->mixes);
    a->ranges = tri_scratch((uint64_t)in * sizeof *a->ranges);
    if (!a->mixes || !a->ranges) return false;
    for (int64_t h = 0; h < in; h++) a->ranges[h] = (range){ out, 0 };
    for (int64_t i = 0; i < out; i++) {
        const mix m = how == NEAREST ? nearest_at(i, in, out)
                                     : bilinear_at(i, in, out, how == BILINEAR_ALIGNED);
        a->mixes[i] = m;
        for (int64_t h = m.low; h <= m.high; h++) {
            if (i < a->ranges[h].first) a->ranges[h].first = i;
            a->ranges[h].end = i + 1;
        }
    }
    return true;
}

/* How much of source position h output position i holds. */
static double share(const mix *m, int64_t h)
{
    return (m->low == h ? 1 - m->weight : 0) + (m->high == h ? m->weight : 0);
}

/* --- Forward
 * -------------------------------------------------------------------------------------- */

static void nearest_body(void *context, int64_t begin, int64_t end)
{
    const job *s = context;
    const int64_t bytes = s->channels * s->size;
    for (int64_t row = begin; row < end; row++) {
        const int64_t n = row / s->oh, h = s->rows.mixes[row % s->oh].low;
        const char *x = s->x + (n * s->h + h) * s->w * bytes;
        char *y = s->y + row * s->ow * bytes;
        for (int64_t j = 0; j < s->ow; j++)
            memcpy(y + j * bytes, x + s->cols.mixes[j].low * bytes, (size_t)bytes);
    }
}

/* y = the mix of four channel vectors: two rows (top, bottom), two positions in each. */
static void mix_pixels(const job *s, void *y, const char *top, const char *bottom, const mix *col,
                       double down)
{
    const int64_t bytes = s->channels * s->size;
    const double right = col->weight;
    const void *a = top + col->low * bytes, *b = top + col->high * bytes;
    const void *c = bottom + col->low * bytes, *d = bottom + col->high * bytes;
    if (s->dtype == TR_F32) {
        const float *pa = a, *pb = b, *pc = c, *pd = d;
        const float wa = (float)((1 - down) * (1 - right)), wb = (float)((1 - down) * right);
        const float wc = (float)(down * (1 - right)), wd = (float)(down * right);
        float *to = y;
        for (int64_t k = 0; k < s->channels; k++)
            to[k] = (wa * pa[k] + wb * pb[k]) + (wc * pc[k] + wd * pd[k]);
    } else {
        const double *pa = a, *pb = b, *pc = c, *pd = d;
        const double wa = (1 - down) * (1 - right), wb = (1 - down) * right;
        const double wc = down * (1 - right), wd = down * right;
        double *to = y;
        for (int64_t k = 0; k < s->channels; k++)
            to[k] = (wa * pa[k] + wb * pb[k]) + (wc * pc[k] + wd * pd[k]);
    }
}

static void bilinear_body(void *context, int64_t begin, int64_t end)
{
    const job *s = context;
    const int64_t bytes = s->channels * s->size;
    for (int64_t row = begin; row < end; row++) {
        const mix *m = &s->rows.mixes[row % s->oh];
        const char *plane = s->x + row / s->oh * s->h * s->w * bytes;
        const char *top = plane + m->low * s->w * bytes, *bottom = plane + m->high * s->w * bytes;
        char *y = s->y + row * s->ow * bytes;
        for (int64_t j = 0; j < s->ow; j++)
            mix_pixels(s, y + j * bytes, top, bottom, &s->cols.mixes[j], m->weight);
    }
}

/* --- Adjoint, of both
 * ----------------------------------------------------------------------------- */

static void adjoint_body(void *context, int64_t begin, int64_t end)
{
    const job *s = context;
    const int64_t bytes = s->channels * s->size;
    for (int64_t at = begin * s->w; at < end * s->w; at++) {
        const int64_t w = at % s->w, h = at / s->w % s->h, n = at / s->w / s->h;
        const range rows = s->rows.ranges[h], cols = s->cols.ranges[w];
        char *dx = s->x + at * bytes;
        memset(dx, 0, (size_t)bytes);
        for (int64_t i = rows.first; i < rows.end; i++) {
            const double down = share(&s->rows.mixes[i], h);
            const char *g = s->y + (n * s->oh + i) * s->ow * bytes;
            for (int64_t j = cols.first; j < cols.end; j++)
                channels_add(s->dtype, s->channels, dx, down * share(&s->cols.mixes[j], w),
                             g + j * bytes);
        }
    }
}

/* --- Entry points
 * --------------------------------------------------------------------------------- */

static tr_status make_job(job *s, const tr_tensor *small, const tr_tensor *large, method how)
{
    assert(small->rank == 4 && large->rank == 4 && small->shape[0] == large->shape[0] &&
           small->shape[3] == large->shape[3]);
    *s = (job){ .dtype = small->dtype,
                .size = (int64_t)tr_dtype_size(small->dtype),
                .channels = small->shape[3],
                .h = small->shape[1],
                .w = small->shape[2],
                .oh = large->shape[1],
                .ow = large->shape[2],
                .x = small->data,
                .y = large->data };
    if (tr_numel(small) == 0) return TR_OK; /* and so is large: each has pixels */
    if (!make_axis(&s->rows, s->h, s->oh, how) || !make_axis(&s->cols, s->w, s->ow, how))
        return tr_status_get();
    return TR_OK;
}

static int64_t grain_rows(const job *s)
{
    const int64_t a_row = s->ow * s->channels;
    return a_row >= GRAIN_WORK ? 1 : GRAIN_WORK / (a_row + 1) + 1;
}

static tr_status upsample(tr_tensor *y, const tr_tensor *x, method how)
{
    if (tri_failed()) return tr_status_get();
    tr_scope *scope = tr_scope_push();
    if (!scope) return tr_status_get();
    x = tri_contiguous(x);
    job s;
    if (x && make_job(&s, x, y, how) == TR_OK && tr_numel(x) > 0)
        tri_parallel_for(x->shape[0] * s.oh, grain_rows(&s),
                         how == NEAREST ? nearest_body : bilinear_body, &s);
    tr_scope_pop(scope);
    return tr_status_get();
}

static tr_status adjoint(tr_tensor *dx, const tr_tensor *g, method how)
{
    if (tri_failed()) return tr_status_get();
    tr_scope *scope = tr_scope_push();
    if (!scope) return tr_status_get();
    g = tri_contiguous(g);
    job s;
    if (g && make_job(&s, dx, g, how) == TR_OK && tr_numel(dx) > 0)
        tri_parallel_for(dx->shape[0] * s.h, grain_rows(&s), adjoint_body, &s);
    tr_scope_pop(scope);
    return tr_status_get();
}

tr_status tri_upsample_nearest(tr_tensor *y, const tr_tensor *x)
{
    return upsample(y, x, NEAREST);
}

tr_status tri_upsample_nearest_dx(tr_tensor *dx, const tr_tensor *g)
{
    return adjoint(dx, g, NEAREST);
}

tr_status tri_upsample_bilinear(tr_tensor *y, const tr_tensor *x, bool align_corners)
{
    return upsample(y, x, align_corners ? BILINEAR_ALIGNED : BILINEAR);
}

tr_status tri_upsample_bilinear_dx(tr_tensor *dx, const tr_tensor *g, bool align_corners)
{
    return adjoint(dx, g, align_corners ? BILINEAR_ALIGNED : BILINEAR);
}
