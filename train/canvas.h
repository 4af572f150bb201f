/* canvas.h: a picture to draw on: boxes, lines, dots, letters, images. Not installed.
 *
 * Coordinates are pixels from the upper left corner; what lies outside is not drawn. Colours are
 * 0xRRGGBB. canvas.c draws, font.c has the letters; plot.h makes whole charts. */
#ifndef TENREC_CANVAS_H
#define TENREC_CANVAS_H

#include "tensor/core.h"

enum { TRI_LETTER_ROWS = 9, TRI_LETTER_WIDTH = 6, TRI_LETTER_HEIGHT = 7 };

typedef struct tri_canvas {
    int64_t    height, width;
    uint8_t   *rgb;     /* NULL after an error: nothing is drawn */
    tr_tensor *picture; /* u8 [H, W, 3] */
} tri_canvas;

/* White. */
tri_canvas tri_canvas_new(int64_t height, int64_t width);

void tri_canvas_box(const tri_canvas *c, int64_t x, int64_t y, int64_t width, int64_t height,
                    uint32_t colour);
/* One pixel wide at least, with soft edges. */
void tri_canvas_line(const tri_canvas *c, double x0, double y0, double x1, double y1, double width,
                     uint32_t colour);
void tri_canvas_dot(const tri_canvas *c, double x, double y, double radius, uint32_t colour);
/* From its upper left corner. */
void tri_canvas_text(const tri_canvas *c, int64_t x, int64_t y, uint32_t colour, const char *text);
/* Upwards, from its lower left corner. */
void    tri_canvas_text_up(const tri_canvas *c, int64_t x, int64_t y, uint32_t colour,
                           const char *text);
int64_t tri_text_width(const char *text);

/* Image `index` of images f32 [N, H, W, C], contiguous, C = 1 or 3, each pixel zoom x zoom. */
void tri_canvas_image(const tri_canvas *c, int64_t x, int64_t y, int64_t zoom,
                      const tr_tensor *images, int64_t index);

/* The rows of a letter. */
const uint8_t *tri_letter(char letter);

#endif
