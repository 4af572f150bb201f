/* stroke.c: smooth paths through points, and their anti-aliased picture.
 *
 * A picture is made from distances: for each straight piece of the path, the distance of nearby
 * pixel centres to it minus the pen's radius there; the smallest over all pieces tells how far a
 * pixel is from the ink's edge, and the grey value is a ramp of that. Pieces touch only the pixels
 * of their bounding box, row by row in loops that compilers turn into vector instructions. Read
 * next: digits.c, which makes the paths. */
#include "datasets/stroke.h"

#include <math.h>
#include <string.h>

enum { STRIDE = 32 }; /* of the field of distances: a row of the canvas, rounded up for vectors */

static float least(float a, float b)
{
    return a < b ? a : b;
}

static float most(float a, float b)
{
    return a > b ? a : b;
}

/* The point at t in [0, 1] between p1 and p2 of the Catmull-Rom spline p0 p1 p2 p3. */
static float spline(float p0, float p1, float p2, float p3, float t)
{
    float a = 2 * p1, b = p2 - p0;
    float c = 2 * p0 - 5 * p1 + 4 * p2 - p3, d = 3 * (p1 - p2) + p3 - p0;
    return 0.5f * (a + t * (b + t * (c + t * d)));
}

static void add_point(tri_path *path, float x, float y, bool lift)
{
    path->x[path->count] = x;
    path->y[path->count] = y;
    path->lift[path->count] = lift;
    path->count++;
}

void tri_path_from_points(tri_path *path, const float *x, const float *y, const uint8_t *pen, int n,
                          int pieces)
{
    path->count = 0;
    for (int i = 0; i < n; i++) {
        if (pen[i] == TRI_LIFT || i == n - 1) {
            add_point(path, x[i], y[i], true);
            continue;
        }
        /* At a corner or an end the outer neighbour is the point itself: no tangent comes across.
         */
        int before = i == 0 || pen[i - 1] == TRI_LIFT || pen[i] == TRI_CORNER ? i : i - 1;
        int after = i + 2 >= n || pen[i + 1] != TRI_SMOOTH ? i + 1 : i + 2;
        for (int k = 0; k < pieces; k++) {
            float t = (float)k / (float)pieces;
            add_point(path, spline(x[before], x[i], x[i + 1], x[after], t),
                      spline(y[before], y[i], y[i + 1], y[after], t), false);
        }
    }
}

/* Lowers field to the distance from piece (x0, y0, r0) - (x1, y1, r1), in its bounding box. */
static void add_piece(float *restrict field, const float a[3], const float b[3], float margin)
{
    float reach = most(a[2], b[2]) + margin;
    int top = (int)most(least(a[1], b[1]) - reach, 0);
    int bottom = (int)least(most(a[1], b[1]) + reach + 1, TRI_CANVAS);
    int left = (int)most(least(a[0], b[0]) - reach, 0) & ~3;
    int right = ((int)least(most(a[0], b[0]) + reach + 1, TRI_CANVAS) + 3) & ~3;
    float dx = b[0] - a[0], dy = b[1] - a[1], dr = b[2] - a[2];
    float inverse = 1 / most(dx * dx + dy * dy, 1e-6f);
    for (int i = top; i < bottom; i++) {
        float *row = field + i * STRIDE;
        float py = (float)i + 0.5f - a[1];
        for (int j = left; j < right; j++) {
            float px = (float)j + 0.5f - a[0];
            float t = (px * dx + py * dy) * inverse;
            t = t < 0 ? 0 : t;
            t = t > 1 ? 1 : t;
            float ex = px - t * dx, ey = py - t * dy;
            float distance = sqrtf(ex * ex + ey * ey) - (a[2] + t * dr);
            row[j] = distance < row[j] ? distance : row[j];
        }
    }
}

void tri_path_draw(const tri_path *path, float softness, uint8_t pixels[TRI_CANVAS * TRI_CANVAS])
{
    float field[TRI_CANVAS * STRIDE];
    for (int i = 0; i < TRI_CANVAS * STRIDE; i++) field[i] = 1e6f;
    for (int i = 0; i + 1 < path->count; i++) {
        if (path->lift[i]) continue;
        float a[3] = { path->x[i], path->y[i], path->radius[i] };
        float b[3] = { path->x[i + 1], path->y[i + 1], path->radius[i + 1] };
        add_piece(field, a, b, 0.5f * softness);
    }
    float slope = 1 / softness;
    for (int i = 0; i < TRI_CANVAS; i++) {
        for (int j = 0; j < TRI_CANVAS; j++) {
            float ink = 0.5f - field[i * STRIDE + j] * slope;
            ink = ink < 0 ? 0 : ink;
            ink = ink > 1 ? 1 : ink;
            pixels[i * TRI_CANVAS + j] = (uint8_t)(int)(ink * 255 + 0.5f);
        }
    }
}
