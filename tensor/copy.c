/* copy.c: copies between any strides, conversions between dtypes, fill.
 *
 * A conversion is a C cast, made total: from floating to integer NaN becomes 0 and what is out of
 * range the nearest end of the range. A transposing copy (the source is contiguous along another
 * axis than the result) goes in square tiles, so that both sides use whole cache lines. Read next:
 * walk.h.                                                                               */
#include "tensor/compute.h"
#include "tensor/walk.h"

#include <assert.h>
#include <string.h>

/* --- Same dtype
 * ------------------------------------------------------------------------------------- */

static void copy_strided(int64_t n, size_t size, char *dst, int64_t to, const char *src,
                         int64_t from)
{
    if (size == 4) {
        uint32_t *d = (uint32_t *)(void *)dst;
        const uint32_t *s = (const uint32_t *)(const void *)src;
        for (int64_t i = 0; i < n; i++) d[i * to] = s[i * from];
    } else if (size == 8) {
        uint64_t *d = (uint64_t *)(void *)dst;
        const uint64_t *s = (const uint64_t *)(const void *)src;
        for (int64_t i = 0; i < n; i++) d[i * to] = s[i * from];
    } else {
        for (int64_t i = 0; i < n; i++) dst[i * to] = src[i * from];
    }
}

static void copy_row(const void *context, int64_t n, char *const data[], const int64_t stride[])
{
    const size_t size = *(const size_t *)context;
    if (stride[0] == 1 && stride[1] == 1)
        memmove(data[0], data[1], (size_t)n * size);
    else
        copy_strided(n, size, data[0], stride[0], data[1], stride[1]);
}

/* --- Transposing copies
 * -------------------------------------------------------------------------------- */

enum { TILE = 32 };

/* The axis along which the source is contiguous where the last one is not and the result's is; or
 * -1. */
static int transposed_axis(const tri_walk *w)
{
    const int last = w->rank - 1;
    if (w->stride[0][last] != 1 || w->stride[1][last] <= 1 || w->shape[last] < 4) return -1;
    for (int a = 0; a < last; a++) {
        if (w->stride[1][a] == 1 && w->shape[a] >= 4) return a;
    }
    return -1;
}

typedef struct transpose {
    const tri_walk *walk;
    int axis;
    int64_t bands; /* groups of TILE along the axis */
} transpose;

/* A band: TILE rows of the result (source columns), the whole last axis. */
static void copy_band(const transpose *t, char *dst, const char *src, int64_t rows)
{
    const tri_walk *w = t->walk;
    const int last = w->rank - 1;
    const int64_t n = w->shape[last], to = w->stride[0][t->axis], from = w->stride[1][last];
    const int64_t size = (int64_t)w->size[0];
    for (int64_t first = 0; first < n; first += TILE) {
        const int64_t count = n - first < TILE ? n - first : TILE;
        for (int64_t r = 0; r < rows; r++) {
            copy_strided(count, w->size[0], dst + (r * to + first) * size, 1,
                         src + (r + first * from) * size, from);
        }
    }
}

/* A task is a band of one of the matrices that the other axes count. */
static void copy_bands(void *context, int64_t begin, int64_t end)
{
    const transpose *t = context;
    const tri_walk *w = t->walk;
    for (int64_t task = begin; task < end; task++) {
        const int64_t first = task % t->bands * TILE, left = w->shape[t->axis] - first;
        int64_t matrix = task / t->bands;
        int64_t to = first * w->stride[0][t->axis], from = first * w->stride[1][t->axis];
        for (int a = w->rank - 2; a >= 0; a--) {
            if (a == t->axis) continue;
            to += matrix % w->shape[a] * w->stride[0][a];
            from += matrix % w->shape[a] * w->stride[1][a];
            matrix /= w->shape[a];
        }
        copy_band(t, w->data[0] + to * (int64_t)w->size[0], w->data[1] + from * (int64_t)w->size[0],
                  left < TILE ? left : TILE);
    }
}

static void run_transpose(const tri_walk *w, int axis)
{
    transpose t = { w, axis, (w->shape[axis] + TILE - 1) / TILE };
    int64_t matrices = 1;
    for (int a = 0; a + 1 < w->rank; a++) matrices *= a == axis ? 1 : w->shape[a];
    const int64_t band = TILE * w->shape[w->rank - 1];
    const int64_t grain = band < TRI_WALK_GRAIN ? (TRI_WALK_GRAIN + band - 1) / band : 1;
    tri_parallel_for(matrices * t.bands, grain, copy_bands, &t);
}

/* --- Conversions
 * -------------------------------------------------------------------------------------------- */

static int64_t to_i64(double x)
{
    if (x != x) return 0;
    if (x >= 0x1p63) return INT64_MAX;
    return x < -0x1p63 ? INT64_MIN : (int64_t)x;
}

static uint8_t to_u8(double x)
{
    return !(x > 0) ? 0 : x >= 255 ? 255 : (uint8_t)x;
}

typedef struct conversion {
    tr_dtype to, from;
} conversion;

static void to_f32_row(tr_dtype dtype, int64_t n, float *restrict y, int64_t to, const void *x,
                       int64_t from)
{
    const double *f64 = x;
    const int64_t *i64 = x;
    const uint8_t *u8 = x;
    if (dtype == TR_F64) {
        for (int64_t i = 0; i < n; i++) y[i * to] = (float)f64[i * from];
    } else if (dtype == TR_I64) {
        for (int64_t i = 0; i < n; i++) y[i * to] = (float)i64[i * from];
    } else {
        for (int64_t i = 0; i < n; i++) y[i * to] = (float)u8[i * from];
    }
}

static void to_f64_row(tr_dtype dtype, int64_t n, double *restrict y, int64_t to, const void *x,
                       int64_t from)
{
    const float *f32 = x;
    const int64_t *i64 = x;
    const uint8_t *u8 = x;
    if (dtype == TR_F32) {
        for (int64_t i = 0; i < n; i++) y[i * to] = (double)f32[i * from];
    } else if (dtype == TR_I64) {
        for (int64_t i = 0; i < n; i++) y[i * to] = (double)i64[i * from];
    } else {
        for (int64_t i = 0; i < n; i++) y[i * to] = (double)u8[i * from];
    }
}

static void to_i64_row(tr_dtype dtype, int64_t n, int64_t *restrict y, int64_t to, const void *x,
                       int64_t from)
{
    const float *f32 = x;
    const double *f64 = x;
    const uint8_t *u8 = x;
    if (dtype == TR_F32) {
        for (int64_t i = 0; i < n; i++) y[i * to] = to_i64((double)f32[i * from]);
    } else if (dtype == TR_F64) {
        for (int64_t i = 0; i < n; i++) y[i * to] = to_i64(f64[i * from]);
    } else {
        for (int64_t i = 0; i < n; i++) y[i * to] = u8[i * from];
    }
}

static void to_u8_row(tr_dtype dtype, int64_t n, uint8_t *restrict y, int64_t to, const void *x,
                      int64_t from)
{
    const float *f32 = x;
    const double *f64 = x;
    const int64_t *i64 = x;
    if (dtype == TR_F32) {
        for (int64_t i = 0; i < n; i++) y[i * to] = to_u8((double)f32[i * from]);
    } else if (dtype == TR_F64) {
        for (int64_t i = 0; i < n; i++) y[i * to] = to_u8(f64[i * from]);
    } else {
        for (int64_t i = 0; i < n; i++) y[i * to] = (uint8_t)i64[i * from];
    }
}

static void convert_row(const void *context, int64_t n, char *const data[], const int64_t stride[])
{
    const conversion *c = context;
    void *y = data[0], *x = data[1];
    switch (c->to) {
    case TR_F32: to_f32_row(c->from, n, y, stride[0], x, stride[1]); break;
    case TR_F64: to_f64_row(c->from, n, y, stride[0], x, stride[1]); break;
    case TR_I64: to_i64_row(c->from, n, y, stride[0], x, stride[1]); break;
    case TR_U8: to_u8_row(c->from, n, y, stride[0], x, stride[1]); break;
    }
}

tr_status tri_copy(tr_tensor *dst, const tr_tensor *src)
{
    const size_t size = tr_dtype_size(dst->dtype);
    const conversion convert = { dst->dtype, src->dtype };
    tri_walk w;
    tri_walk_init(&w, 2, (const tr_tensor *[]){ dst, src });
    if (dst->dtype != src->dtype) {
        w.row = convert_row;
        w.context = &convert;
    } else {
        const int axis = transposed_axis(&w);
        if (axis >= 0) {
            run_transpose(&w, axis);
            return TR_OK;
        }
        w.row = copy_row;
        w.context = &size;
    }
    tri_walk_run(&w);
    return TR_OK;
}

/* --- Fill ------------------------------------------------------------------------------------- */

typedef struct filling {
    uint64_t value; /* the bits of one element, in the low bytes */
    size_t size;
} filling;

static void fill_row(const void *context, int64_t n, char *const data[], const int64_t stride[])
{
    const filling *f = context;
    const int64_t s = stride[0];
    if (f->value == 0 && s == 1) {
        memset(data[0], 0, (size_t)n * f->size);
    } else if (f->size == 4) {
        uint32_t *y = (uint32_t *)(void *)data[0];
        for (int64_t i = 0; i < n; i++) y[i * s] = (uint32_t)f->value;
    } else if (f->size == 8) {
        uint64_t *y = (uint64_t *)(void *)data[0];
        for (int64_t i = 0; i < n; i++) y[i * s] = f->value;
    } else {
        uint8_t *y = (uint8_t *)data[0];
        for (int64_t i = 0; i < n; i++) y[i * s] = (uint8_t)f->value;
    }
}

tr_status tri_fill(tr_tensor *dst, double value)
{
    const float f32 = (float)value;
    uint32_t bits;
    memcpy(&bits, &f32, sizeof bits);
    filling f = { 0, tr_dtype_size(dst->dtype) };
    switch (dst->dtype) {
    case TR_F32: f.value = bits; break;
    case TR_F64: memcpy(&f.value, &value, sizeof value); break;
    case TR_I64: f.value = (uint64_t)to_i64(value); break;
    case TR_U8: f.value = to_u8(value); break;
    }
    tri_walk w;
    tri_walk_init(&w, 1, (const tr_tensor *[]){ dst });
    w.row = fill_row;
    w.context = &f;
    tri_walk_run(&w);
    return TR_OK;
}
