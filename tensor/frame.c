/* frame.c: copying a rectangle of an image with zeros around it, and the arithmetic of window
 * positions that says which rectangle a convolution needs. All bounds of conv.c and conv_dw.c are
 * decided here. Read next: conv.c. */
#include "tensor/frame.h"

#include <string.h>

static int64_t clamp(int64_t x, int64_t low, int64_t high)
{
    return x < low ? low : x > high ? high : x;
}

/* Zeros everywhere at once, then the rows of the image: one call a row, where clearing the borders
 * only would take three, and rows are often short. */
void tri_frame_fill(const tri_frame *f, const tri_image *image, char *out)
{
    const int64_t first = clamp(-f->col, 0, f->cols); /* columns of the frame inside of the image */
    const int64_t end = clamp(image->w - f->col, first, f->cols);
    const int64_t top = clamp(-f->row, 0, f->rows); /* and rows */
    const int64_t bottom = clamp(image->h - f->row, top, f->rows);
    const int64_t line = f->cols * image->pixel, used = (end - first) * image->pixel;
    if (bottom - top < f->rows || used < line) memset(out, 0, (size_t)(f->rows * line));
    if (used == 0) return;
    for (int64_t i = top; i < bottom; i++)
        memcpy(out + i * line + first * image->pixel,
               image->data + ((f->row + i) * image->w + f->col + first) * image->pixel,
               (size_t)used);
}

tri_conv_axis tri_conv_axis_of(int64_t window, int64_t stride, int64_t pad, int64_t dilation,
                               bool turned)
{
    tri_conv_axis a = { .window = window,
                        .stride = stride,
                        .pad = pad,
                        .dilation = dilation,
                        .turned = turned,
                        .step = turned ? 1 : stride,
                        .phases = turned ? stride : 1,
                        .reach = 0 };
    for (int64_t r = 0; r < window; r++) {
        const int64_t shift = tri_conv_shift(&a, r), end = a.low + a.reach;
        if (r == 0 || shift < a.low) a.low = shift;
        a.reach = (r == 0 || shift >= end ? shift + 1 : end) - a.low;
    }
    return a;
}

int64_t tri_conv_phase(const tri_conv_axis *a, int64_t r)
{
    if (!a->turned) return 0;
    const int64_t rest = (r * a->dilation - a->pad) % a->stride;
    return rest < 0 ? rest + a->stride : rest;
}

/* Turned: x's position is h = i s + r d - p, so i = (h + p - r d) / s; with h = phase + s t, i = t
 * + shift. */
int64_t tri_conv_shift(const tri_conv_axis *a, int64_t r)
{
    const int64_t at = r * a->dilation - a->pad;
    return a->turned ? (tri_conv_phase(a, r) - at) / a->stride : at;
}
