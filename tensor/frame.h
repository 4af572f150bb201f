/* frame.h: a rectangle of an image with zeros where it sticks out: what a convolution reads in
 * place of the image, so that no inner loop tests a bound. Not installed; used by conv.c and
 * conv_dw.c.     */
#ifndef TENREC_FRAME_H
#define TENREC_FRAME_H

#include "tensor/core.h"

/* Its first pixel is the image's pixel (row, col); both may be negative or beyond the image. */
typedef struct tri_frame {
    int64_t row, col, rows, cols;
} tri_frame;

/* A contiguous image [h, w, pixels of `pixel` bytes]. */
typedef struct tri_image {
    const char *data;
    int64_t h, w, pixel;
} tri_image;

/* Writes the frame's rows * cols pixels to out. */
void tri_frame_fill(const tri_frame *f, const tri_image *image, char *out);

/* Where an axis of a convolution looks. Output position i, element r of the window: source position
 * i step + shift(r). The gradient for the source of a convolution with stride s is s convolutions
 * with step 1, one for each phase of the position modulo s; each window element belongs to one of
 * them. */
typedef struct tri_conv_axis {
    int64_t window, stride, pad, dilation;
    bool turned;          /* the gradient for x */
    int64_t step, phases; /* stride and 1; turned: 1 and stride */
    int64_t low, reach;   /* shifts lie in low <= shift < low + reach, of all phases */
} tri_conv_axis;

tri_conv_axis tri_conv_axis_of(int64_t window, int64_t stride, int64_t pad, int64_t dilation,
                               bool turned);
int64_t tri_conv_phase(const tri_conv_axis *a, int64_t r);
int64_t tri_conv_shift(const tri_conv_axis *a, int64_t r);

#endif
