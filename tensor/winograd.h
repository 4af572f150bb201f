/* winograd.h: 3x3 convolutions with step 1 in f32 with fewer multiplications. Not installed; conv.c
 * and conv_dw.c ask here first. Read next: winograd.c, winograd_dw.c. */
#ifndef TENREC_WINOGRAD_H
#define TENREC_WINOGRAD_H

#include "tensor/core.h"
#include "tensor/gemm.h"

enum { TRI_WINOGRAD_TILE = 4, TRI_WINOGRAD_WINDOW = 6, TRI_WINOGRAD_POINTS = 36 };

/* Whether a convolution of weights w with result pixels y (both directions: y is conv2d's result or
 * its cotangent) is of the kind that this file computes, and is large enough to gain from it. The
 * answer depends on dtype and shapes only. */
bool tri_winograd_pays(const tr_tensor *w, const tr_tensor *y, const tri_conv *c);

/* As tri_conv2d (turned: as tri_conv2d_dx, x being g), for convolutions where it pays. */
tr_status tri_winograd(tr_tensor *y, const tr_tensor *x, const tr_tensor *w, const tr_tensor *bias,
                       const tri_conv *c, tri_epilogue epilogue, bool turned);
tr_status tri_winograd_dw(tr_tensor *dw, const tr_tensor *x, const tr_tensor *g, const tri_conv *c);

/* Pictures [n, h, w, channels] seen as tiles: tile (i, j) of a picture starts at pixel
 * (4 i - pad[0], 4 j - pad[1]). */
typedef struct tri_tiling {
    int64_t h, w, channels, pad[2];
    int64_t tile_rows, tile_cols; /* of a picture */
} tri_tiling;

/* Where the side * side pixels of a tile start, in elements; -1 outside of the picture. */
void tri_tile_pixels(const tri_tiling *t, int64_t tile, int side, int64_t *at);

/* Transforms tiles first .. first + count - 1 of `pictures` to out[36][point]: tile by tile within
 * a point. `zeros` stands for pixels outside. Source tiles have 6 x 6 pixels, cotangents 4 x 4. */
void tri_transform_tiles(const tri_kernels *table, const tri_tiling *t, const float *pictures,
                         bool cotangent, const float *zeros, int64_t first, int64_t count,
                         int64_t point, float *out);

#endif
