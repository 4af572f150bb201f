/* stroke.h: pen strokes: from points to a smooth path, from a path to grey pixels. Not installed.
 *
 * Used by digits.c (which glyph, how it is bent) and tested by tests/test_digits.c. Everything here
 * is a pure function made of + - * / and sqrtf, which IEEE 754 rounds the same way everywhere: the
 * same bits on every machine. */
#ifndef TENREC_DATASETS_STROKE_H
#define TENREC_DATASETS_STROKE_H

#include <stdbool.h>
#include <stdint.h>

enum { TRI_CANVAS = 28, TRI_GLYPH_POINTS = 20, TRI_PATH_POINTS = 160 };

/* How the pen goes through a point: on smoothly, around a corner, or lifted after it. */
typedef enum tri_pen { TRI_SMOOTH, TRI_CORNER, TRI_LIFT } tri_pen;

/* A point that the pen passes; x to the right, y down, in hundredths of the glyph's height. */
typedef struct tri_glyph_point {
    int8_t x, y;
    uint8_t pen;
} tri_glyph_point;

/* One way to write a digit; `weight` is how often it is chosen among those of its digit. */
typedef struct tri_glyph {
    uint8_t digit, weight, count;
    tri_glyph_point point[TRI_GLYPH_POINTS];
} tri_glyph;

/* The glyphs, sorted by digit (glyphs.c). */
extern const tri_glyph tri_glyphs[];
extern const int tri_glyph_count;

/* A path: straight pieces from point i to i + 1, except where lift[i] is set. */
typedef struct tri_path {
    int count;
    float x[TRI_PATH_POINTS], y[TRI_PATH_POINTS];
    float radius[TRI_PATH_POINTS]; /* of the pen, in pixels */
    uint8_t lift[TRI_PATH_POINTS];
} tri_path;

/* A Catmull-Rom spline through the points x, y (n of them, at most TRI_GLYPH_POINTS), cut into
 * `pieces` straight pieces between neighbours; radius is left unset. */
void tri_path_from_points(tri_path *path, const float *x, const float *y, const uint8_t *pen, int n,
                          int pieces);

/* Draws the path in pixels, centre of pixel (i, j) at (j + 0.5, i + 0.5): 255 inside the pen,
 * falling to 0 over `softness` pixels across its edge. */
void tri_path_draw(const tri_path *path, float softness, uint8_t pixels[TRI_CANVAS * TRI_CANVAS]);

#endif
