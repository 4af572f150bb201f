/* canvas.c: drawing into a picture of bytes. Lines and dots cover a pixel by how far its centre is
 * from them, which gives soft edges. Read next: plot.c. */
#include "train/canvas.h"

#include <math.h>
#include <string.h>

tri_canvas tri_canvas_new(int64_t height, int64_t width)
{
    tri_canvas c = { .height = height, .width = width };
    c.picture = tr_empty(TR_U8, TR_SHAPE(height, width, 3));
    if (c.picture == NULL) return c;
    c.rgb = c.picture->data;
    memset(c.rgb, 255, (size_t)(height * width * 3));
    return c;
}

/* The pixel becomes colour by this share, 0 .. 1. */
static void blend(const tri_canvas *c, int64_t x, int64_t y, uint32_t colour, double share)
{
    if (c->rgb == NULL || x < 0 || y < 0 || x >= c->width || y >= c->height || share <= 0) return;
    uint8_t *pixel = c->rgb + 3 * (y * c->width + x);
    if (share > 1) share = 1;
    for (int k = 0; k < 3; k++) {
        const double wanted = (double)(colour >> (16 - 8 * k) & 255), old = (double)pixel[k];
        pixel[k] = (uint8_t)(old + share * (wanted - old) + 0.5);
    }
}

void tri_canvas_box(const tri_canvas *c, int64_t x, int64_t y, int64_t width, int64_t height,
                    uint32_t colour)
{
    for (int64_t j = y; j < y + height; j++)
        for (int64_t i = x; i < x + width; i++) blend(c, i, j, colour, 1);
}

void tri_canvas_line(const tri_canvas *c, double x0, double y0, double x1, double y1, double width,
                     uint32_t colour)
{
    const double dx = x1 - x0, dy = y1 - y0, square = dx * dx + dy * dy, reach = 0.5 * width + 1;
    for (int64_t j = (int64_t)(fmin(y0, y1) - reach); (double)j <= fmax(y0, y1) + reach; j++)
        for (int64_t i = (int64_t)(fmin(x0, x1) - reach); (double)i <= fmax(x0, x1) + reach; i++) {
            const double px = (double)i - x0, py = (double)j - y0;
            double       t = square > 0 ? (px * dx + py * dy) / square : 0;
            t = t < 0 ? 0 : t > 1 ? 1 : t;
            blend(c, i, j, colour, 0.5 * width + 0.5 - hypot(px - t * dx, py - t * dy));
        }
}

void tri_canvas_dot(const tri_canvas *c, double x, double y, double radius, uint32_t colour)
{
    tri_canvas_line(c, x, y, x, y, 2 * radius, colour);
}

int64_t tri_text_width(const char *text)
{
    return (int64_t)strlen(text) * TRI_LETTER_WIDTH;
}

void tri_canvas_text(const tri_canvas *c, int64_t x, int64_t y, uint32_t colour, const char *text)
{
    for (; *text != '\0'; text++, x += TRI_LETTER_WIDTH)
        for (int j = 0; j < TRI_LETTER_ROWS; j++)
            for (int i = 0; i < 5; i++)
                if (tri_letter(*text)[j] >> (4 - i) & 1) blend(c, x + i, y + j, colour, 1);
}

void tri_canvas_text_up(const tri_canvas *c, int64_t x, int64_t y, uint32_t colour,
                        const char *text)
{
    for (; *text != '\0'; text++, y -= TRI_LETTER_WIDTH)
        for (int j = 0; j < TRI_LETTER_ROWS; j++)
            for (int i = 0; i < 5; i++)
                if (tri_letter(*text)[j] >> (4 - i) & 1) blend(c, x + j, y - i, colour, 1);
}

void tri_canvas_image(const tri_canvas *c, int64_t x, int64_t y, int64_t zoom,
                      const tr_tensor *images, int64_t index)
{
    if (c->rgb == NULL || images == NULL) return;
    const int64_t h = images->shape[1], w = images->shape[2], channels = images->shape[3];
    const float  *pixel = (const float *)images->data + index * h * w * channels;
    for (int64_t j = 0; j < h; j++)
        for (int64_t i = 0; i < w; i++, pixel += channels) {
            uint32_t colour = 0;
            for (int k = 0; k < 3; k++) {
                const float value = pixel[channels == 3 ? k : 0];
                const float shown = value > 0 ? (value < 1 ? value : 1) : 0;
                colour = colour << 8 | (uint32_t)(shown * 255 + 0.5f);
            }
            tri_canvas_box(c, x + i * zoom, y + j * zoom, zoom, zoom, colour);
        }
}
