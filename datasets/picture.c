/* picture.c: pictures to and from files, grids of images, and bytes that a browser shows.
 *
 * Whatever comes in is first made plain: contiguous bytes, one or three channels (tri_picture).
 * PGM, PPM and BMP are written here, byte by byte; PNG is png.c's. Read next: png.c. */
#include "datasets/picture.h"
#include "datasets/datasets.h"

#include "tensor/core.h"

#include <stdio.h>
#include <string.h>

/* --- Plain bytes ----------------------------------------------------------------------- */

static uint8_t to_byte(double value)
{
    if (!(value > 0)) return 0; /* NaN too */
    return value >= 1 ? 255 : (uint8_t)(value * 255 + 0.5);
}

static uint8_t byte_at(const tr_tensor *t, int64_t offset)
{
    switch (t->dtype) {
    case TR_U8: return ((const uint8_t *)t->data)[offset];
    case TR_F32: return to_byte((double)((const float *)t->data)[offset]);
    case TR_F64: return to_byte(((const double *)t->data)[offset]);
    case TR_I64: break;
    }
    return 0;
}

/* Writes the [H, W, C] values that begin at `offset` of t, with t's strides of axes h, h + 1, h + 2
 * (no channel axis where t ends before it), row after row of `bytes` that are `pitch` apart. */
static void plain_rows(const tr_tensor *t, int h, int64_t offset, uint8_t *bytes, int64_t pitch)
{
    int64_t channels = t->rank > h + 2 ? t->shape[h + 2] : 1;
    int64_t step = t->rank > h + 2 ? t->stride[h + 2] : 0;
    for (int64_t i = 0; i < t->shape[h]; i++)
        for (int64_t j = 0; j < t->shape[h + 1]; j++)
            for (int64_t c = 0; c < channels; c++)
                bytes[i * pitch + j * channels + c] =
                    byte_at(t, offset + i * t->stride[h] + j * t->stride[h + 1] + c * step);
}

/* Checks that t, from axis h on, is [H, W] or [H, W, C] with values and one or three channels. */
static bool check_picture(const tr_tensor *t, int h, const char *what, const char *expected)
{
    char text[128];
    if (tri_failed() || !tri_check_alive(t, what)) return false;
    bool fits = t->rank == h + 3 || (h == 0 && t->rank == 2);
    if (fits && t->rank == h + 3) fits = t->shape[h + 2] == 1 || t->shape[h + 2] == 3;
    if (!fits || tr_numel(t) == 0) {
        tr_fail(TR_ERR_SHAPE, "%s: got %s, expected %s with C = 1 or 3 and no size 0", what,
                tr_describe(t, text, sizeof text), expected);
        return false;
    }
    if (t->dtype == TR_I64) {
        tr_fail(TR_ERR_DTYPE, "%s: got %s, expected u8, f32 or f64", what,
                tr_describe(t, text, sizeof text));
        return false;
    }
    return true;
}

static bool make_plain(const tr_tensor *t, const char *what, tri_picture *p)
{
    if (!check_picture(t, 0, what, "[H, W] or [H, W, C]")) return false;
    *p = (tri_picture){ t->shape[0], t->shape[1], t->rank == 3 ? t->shape[2] : 1, NULL };
    uint8_t *bytes = tri_scratch((uint64_t)tr_numel(t));
    if (!bytes) return false;
    plain_rows(t, 0, 0, bytes, p->width * p->channels);
    p->bytes = bytes;
    return true;
}

/* --- Grid ------------------------------------------------------------------------------ */

/* Makes each pixel of a plain image a square of zoom x zoom at `out`, whose rows are `pitch` apart.
 */
static void paste(const tri_picture *p, int64_t zoom, uint8_t *out, int64_t pitch)
{
    for (int64_t i = 0; i < p->height * zoom; i++)
        for (int64_t j = 0; j < p->width * zoom; j++)
            memcpy(out + i * pitch + j * p->channels,
                   p->bytes + ((i / zoom) * p->width + j / zoom) * p->channels,
                   (size_t)p->channels);
}

tr_tensor *tr_image_grid(const tr_tensor *images, const tr_image_grid_options *options)
{
    if (!check_picture(images, 1, "image_grid", "images [N, H, W, C]")) return NULL;
    tr_image_grid_options o = options ? *options : (tr_image_grid_options){ 0 };
    int64_t n = images->shape[0], c = images->shape[3];
    if (o.columns == 0)
        while (o.columns * o.columns < n) o.columns++;
    o.gap = o.gap == 0 ? 2 : o.gap == -1 ? 0 : o.gap;
    if (o.zoom == 0) o.zoom = 1;
    if (o.columns < 1 || o.gap < 0 || o.zoom < 1 || o.zoom > 64 || o.gap > 1024) {
        tr_fail(TR_ERR_VALUE,
                "image_grid: columns %lld, gap %lld, zoom %lld: expected columns >= 0, "
                "gap -1 to 1024, zoom 0 to 64",
                (long long)o.columns, (long long)o.gap, (long long)o.zoom);
        return NULL;
    }
    if (o.columns > n) o.columns = n;
    int64_t rows = (n - 1) / o.columns + 1;
    int64_t cell_h = images->shape[1] * o.zoom + o.gap, cell_w = images->shape[2] * o.zoom + o.gap;
    tr_tensor *grid =
        tr_empty(TR_U8, TR_SHAPE(rows * cell_h + o.gap, o.columns * cell_w + o.gap, c));
    if (!grid) return NULL;
    memset(grid->data, o.background, (size_t)tr_numel(grid));
    tr_scope *scope = tr_scope_push();
    tri_picture p = { images->shape[1], images->shape[2], c, NULL };
    uint8_t    *bytes = tri_scratch((uint64_t)(p.height * p.width * c));
    int64_t pitch = grid->shape[1] * c;
    p.bytes = bytes;
    for (int64_t k = 0; bytes && k < n; k++) {
        plain_rows(images, 1, k * images->stride[0], bytes, p.width * c);
        int64_t top = o.gap + k / o.columns * cell_h, left = o.gap + k % o.columns * cell_w;
        paste(&p, o.zoom, (uint8_t *)grid->data + top * pitch + left * c, pitch);
    }
    tr_scope_pop(scope);
    return bytes ? grid : NULL;
}

/* --- Bytes for a browser --------------------------------------------------------------- */

static void put_u32(uint8_t *at, int64_t value)
{
    for (int i = 0; i < 4; i++) at[i] = (uint8_t)(value >> 8 * i);
}

/* BMP, 24 bits: a header of 14 + 40 bytes, then rows from the bottom up, blue first, each row
 * filled up to a multiple of four bytes. */
static void *encode_bmp(const tri_picture *p, int64_t *bytes)
{
    int64_t pitch = (3 * p->width + 3) / 4 * 4;
    *bytes = 54 + pitch * p->height;
    if (*bytes > INT32_MAX) {
        tr_fail(TR_ERR_VALUE, "encode_image: %lld x %lld pixels are too many for a BMP",
                (long long)p->height, (long long)p->width);
        return NULL;
    }
    uint8_t *file = tr_scope_alloc((uint64_t)*bytes);
    if (!file) return NULL;
    memcpy(file, "BM", 2);
    put_u32(file + 2, *bytes);
    put_u32(file + 10, 54);
    put_u32(file + 14, 40);
    put_u32(file + 18, p->width);
    put_u32(file + 22, p->height);
    put_u32(file + 26, 1 | 24 << 16); /* one plane, 24 bits a pixel */
    put_u32(file + 34, pitch * p->height);
    for (int64_t i = 0; i < p->height; i++) {
        uint8_t *row = file + 54 + (p->height - 1 - i) * pitch;
        for (int64_t j = 0; j < p->width; j++) {
            const uint8_t *pixel = p->bytes + (i * p->width + j) * p->channels;
            for (int k = 0; k < 3; k++) row[3 * j + k] = pixel[p->channels == 3 ? 2 - k : 0];
        }
    }
    return file;
}

void *tr_encode_image(const tr_tensor *picture, int64_t *bytes, const char **media_type)
{
    if (!tri_given(bytes, "encode_image: the place for the size") ||
        !tri_given(media_type, "encode_image: the place for the type"))
        return NULL;
    tri_picture p;
    if (!make_plain(picture, "encode_image", &p)) return NULL;
    *media_type = tri_png_built() ? "image/png" : "image/bmp";
    return tri_png_built() ? tri_png_encode(&p, "encode_image", bytes) : encode_bmp(&p, bytes);
}

/* --- Save ------------------------------------------------------------------------------ */

static bool ends_in(const char *path, const char *ending)
{
    size_t n = strlen(path), k = strlen(ending);
    return n > k && strcmp(path + n - k, ending) == 0;
}

/* Grey as P5; anything in a .ppm as P6. */
static tr_status save_pnm(const char *path, const tri_picture *p, bool colour)
{
    tri_writer w;
    if (tri_writer_open(&w, path) != TR_OK) return tr_status_get();
    tri_writer_printf(&w, "P%c\n%lld %lld\n255\n", colour ? '6' : '5', (long long)p->width,
                      (long long)p->height);
    int64_t pixels = p->height * p->width;
    if (!colour || p->channels == 3) {
        tri_writer_write(&w, p->bytes, (size_t)(pixels * p->channels));
    } else {
        for (int64_t i = 0; i < pixels; i++) {
            uint8_t grey[3] = { p->bytes[i], p->bytes[i], p->bytes[i] };
            tri_writer_write(&w, grey, 3);
        }
    }
    return tri_writer_close(&w);
}

static tr_status save_png(const char *path, const tri_picture *p)
{
    int64_t bytes = 0;
    void *file = tri_png_encode(p, path, &bytes);
    if (!file) return tr_status_get();
    tri_writer w;
    if (tri_writer_open(&w, path) != TR_OK) return tr_status_get();
    tri_writer_write(&w, file, (size_t)bytes);
    return tri_writer_close(&w);
}

tr_status tr_save_image(const char *path, const tr_tensor *picture)
{
    if (!tri_given(path, "save_image: the path")) return tr_status_get();
    if (tri_failed()) return tr_status_get();
    bool png = ends_in(path, ".png"), ppm = ends_in(path, ".ppm"), pgm = ends_in(path, ".pgm");
    if (!png && !ppm && !pgm)
        return tr_fail(TR_ERR_VALUE,
                       "save_image: %s: expected a name that ends in .png, .pgm or .ppm", path);
    tr_scope *scope = tr_scope_push();
    tri_picture p;
    if (make_plain(picture, "save_image", &p)) {
        if (pgm && p.channels == 3)
            tr_fail(TR_ERR_VALUE, "save_image: %s: a .pgm holds no colours: name it .ppm", path);
        else if (png)
            save_png(path, &p);
        else
            save_pnm(path, &p, ppm);
    }
    tr_scope_pop(scope);
    return tr_status_get();
}

/* --- Load ------------------------------------------------------------------------------ */

typedef struct pnm_text {
    const char *path;
    const uint8_t *at, *end;
} pnm_text;

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The next number, after white space and comments; -1 where there is none up to 2^28. */
static int64_t pnm_number(pnm_text *t)
{
    while (t->at < t->end && (is_space(*t->at) || *t->at == '#')) {
        if (*t->at == '#')
            while (t->at < t->end && *t->at != '\n') t->at++;
        else
            t->at++;
    }
    int64_t value = -1;
    for (; t->at < t->end && *t->at >= '0' && *t->at <= '9'; t->at++)
        if (value <= TRI_PICTURE_LIMIT) value = (value < 0 ? 0 : value) * 10 + (*t->at - '0');
    return value <= TRI_PICTURE_LIMIT ? value : -1;
}

static tr_tensor *load_pnm(pnm_text *t, bool text, int64_t channels)
{
    int64_t width = pnm_number(t), height = pnm_number(t), top = pnm_number(t);
    if (width < 1 || height < 1 || top < 1 || top > 255 ||
        height > TRI_PICTURE_LIMIT / channels / width) {
        tr_fail(TR_ERR_FILE,
                "%s: bad PGM or PPM header: width %lld, height %lld, maximum %lld "
                "(expected 1 to 255)",
                t->path, (long long)width, (long long)height, (long long)top);
        return NULL;
    }
    int64_t count = width * height * channels;
    if (!text) t->at++; /* the one white space before the values */
    int64_t left = t->at < t->end ? t->end - t->at : 0;
    if (left < (text ? 2 * count - 1 : count)) {
        tr_fail(TR_ERR_FILE, "%s: ends inside the pixels: %lld bytes for %lld values", t->path,
                (long long)left, (long long)count);
        return NULL;
    }
    tr_tensor *picture = tr_empty(TR_U8, TR_SHAPE(height, width, channels));
    if (!picture) return NULL;
    uint8_t *out = picture->data;
    for (int64_t i = 0; i < count; i++) {
        int64_t value = text ? pnm_number(t) : *t->at++;
        if (value < 0 || value > top) {
            tr_fail(TR_ERR_FILE, "%s: value %lld of the pixels is %s", t->path, (long long)i,
                    value < 0 ? "missing" : "above the maximum");
            return NULL;
        }
        out[i] = (uint8_t)((value * 255 + top / 2) / top);
    }
    return picture;
}

tr_tensor *tr_load_image(const char *path)
{
    if (!tri_given(path, "load_image: the path")) return NULL;
    if (tri_failed()) return NULL;
    tr_scope *scope = tr_scope_push();
    int64_t bytes = 0;
    uint8_t *file = (uint8_t *)tri_read_file(path, 4LL * TRI_PICTURE_LIMIT, &bytes);
    tr_tensor *picture = NULL;
    if (file && bytes >= 8 && memcmp(file, "\x89PNG\r\n\x1a\n", 8) == 0) {
        picture = tri_png_decode(path, file, bytes);
    } else if (file && bytes >= 3 && file[0] == 'P' && is_space(file[2]) && file[1] &&
               strchr("2356", file[1])) {
        pnm_text text = { path, file + 2, file + bytes };
        picture = load_pnm(&text, file[1] < '5', file[1] == '3' || file[1] == '6' ? 3 : 1);
    } else if (file) {
        tr_fail(TR_ERR_FILE, "%s: is neither PNG nor PGM nor PPM", path);
    }
    if (picture) picture = tr_scope_keep(picture);
    tr_scope_pop(scope);
    return picture;
}
