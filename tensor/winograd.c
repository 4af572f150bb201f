/* winograd.c: conv2d and its gradient for x by Winograd's minimal filtering, F(4x4, 3x3).
 *
 * A row of four results of a window of three takes six inputs, d. Seen as a product of polynomials,
 * known by its values at six points 0, a, -a, b, -b and infinity, it costs 6 multiplications in
 * place of 12 (Winograd 1980; Lavin & Gray 2016):  y = A^T ((G w) . (B^T d)),
 *
 *         [aabb   0  -aa-bb   0   1 0]       [1/aabb  0    0  ]         [1 1   1  1   1  0]
 *         [ 0   -abb   -bb    a   1 0]       [  p    p a  p aa]         [0 a  -a  b  -b  0]
 *   B^T = [ 0    abb   -bb   -a   1 0]   G = [  p   -p a  p aa]   A^T = [0 aa aa  bb bb  0]
 *         [ 0   -aab   -aa    b   1 0]       [  q    q b  q bb]         [0 a3 -a3 b3 -b3 1]
 *         [ 0    aab   -aa   -b   1 0]       [  q   -q b  q bb]
 *         [ 0   aabb    0  -aa-bb 0 1]       [  0     0    1  ]
 *
 * p = 1 / (2 aa (aa - bb)), q = 1 / (2 bb (bb - aa)). With a = 3/4, b = 3/2 the numbers in A and B
 * are exact, and the error is a third of that of the customary 1 and 2.
 *
 * Along both axes: 36 products for 16 pixels in place of 144. Summed over input channels, they are
 * 36 small matrix products, [tiles x C] by [C x K], one for each pair of points. A task takes a
 * block of tiles through all three steps while it stays in the second cache. The gradient for x is
 * the same convolution of g with the window turned about its middle and channels exchanged.
 *
 * Rounding: relative to sqrt(terms) max|x| max|w|, the size of a sum of as many random terms, the
 * largest error stays below 1.2e-6, two to four times that of direct summation; tests/test_winograd.c
 * holds it to that. Small integers do not give exact results. So f64, which is for truth, and small
 * convolutions, which gain nothing, are computed directly. A NaN or infinity in x spreads over its
 * tile. Read next: kernels_winograd.inc (the transforms), winograd_dw.c. */
#include "tensor/winograd.h"

#include <assert.h>
#include <string.h>

enum {
    TILE = TRI_WINOGRAD_TILE,
    WINDOW = TRI_WINOGRAD_WINDOW,
    POINTS = TRI_WINOGRAD_POINTS,
    BLOCK_BYTES =
        3 << 18,         /* aimed at for a block's transformed tiles: they share the second cache */
    LEAST_TILES = 8,     /* of a block: two rows of sums hide the latency of a multiply-add */
    FEW_BYTES = 1 << 20, /* of transformed tiles that are one block */
    TRANSFORM_GRAIN = 4, /* of those */
    BLOCKS = 8,          /* a multiple of so many, for threads to share evenly */
    LEAST_CHANNELS = 16, /* below, the transforms cost what the products save */
    LEAST_ALL_TILES = 16 /* below, the transform of the weights does */
};

bool tri_winograd_pays(const tr_tensor *w, const tr_tensor *y, const tri_conv *c)
{
    const int64_t tiles =
        y->shape[0] * tri_ceil_div(y->shape[1], TILE) * tri_ceil_div(y->shape[2], TILE);
    return w->dtype == TR_F32 && w->shape[0] == 3 && w->shape[1] == 3 && c->groups == 1 &&
           c->stride[0] == 1 && c->stride[1] == 1 && c->dilation[0] == 1 && c->dilation[1] == 1 &&
           w->shape[2] >= LEAST_CHANNELS && w->shape[3] >= LEAST_CHANNELS &&
           tiles >= LEAST_ALL_TILES;
}

/* --- Tiles ------------------------------------------------------------------------------------ */

void tri_tile_pixels(const tri_tiling *t, int64_t tile, int side, int64_t *at)
{
    const int64_t n = tile / t->tile_cols / t->tile_rows;
    const int64_t top = tile / t->tile_cols % t->tile_rows * TILE - t->pad[0];
    const int64_t left = tile % t->tile_cols * TILE - t->pad[1];
    for (int64_t i = top; i < top + side; i++)
        for (int64_t j = left; j < left + side; j++) {
            const bool inside = i >= 0 && i < t->h && j >= 0 && j < t->w;
            *at++ = inside ? ((n * t->h + i) * t->w + j) * t->channels : -1;
        }
}

void tri_transform_tiles(const tri_kernels *table, const tri_tiling *t, const float *pictures,
                         bool cotangent, const float *zeros, int64_t first, int64_t count,
                         int64_t point, float *out)
{
    const int    side = cotangent ? TILE : WINDOW;
    int64_t      at[WINDOW * WINDOW];
    const float *pixels[WINDOW * WINDOW];
    for (int64_t tile = first; tile < first + count; tile++, out += t->channels) {
        tri_tile_pixels(t, tile, side, at);
        for (int i = 0; i < side * side; i++) pixels[i] = at[i] < 0 ? zeros : pictures + at[i];
        (cotangent ? table->winograd.cotangent : table->winograd.source)(t->channels, pixels, out,
                                                                         point);
    }
}

/* --- The plan --------------------------------------------------------------------------------- */

typedef struct winograd {
    tri_block    block; /* of the matrix product */
    tri_tiling   source, result;
    const float *x, *bias;
    float       *y;
    tri_epilogue epilogue;
    int64_t      tiles, block_tiles;         /* of all pictures, of a block */
    int64_t      source_point, result_point; /* elements of a block's tiles at one point */
    int64_t      panels;                     /* of the weights: as wide as the register block */
    const float *w;                          /* [3][3][source channels][result channels] */
    float       *weights;       /* transformed: [36] [panels][source channels][width] */
    int64_t      weights_point; /* from one of the 36 to the next */
    float       *few;           /* NULL, or all tiles: at each point, sources and then results */
    float       *zeros;
    tri_slots    slots;
} winograd;

/* Transforms the weights of input channels begin .. end - 1 into panels. */
static void transform_weights(void *context, int64_t begin, int64_t end)
{
    const winograd *s = context;
    const int64_t   in = s->source.channels, out = s->result.channels, width = s->block.cols;
    for (int64_t c = begin; c < end; c++)
        for (int64_t panel = 0; panel < s->panels; panel++) {
            const int64_t j = panel * width, cols = out - j < width ? out - j : width;
            s->block.table->winograd.weights(cols, s->w + c * out + j, in * out,
                                             s->weights + (panel * in + c) * width,
                                             s->weights_point);
        }
}

/* The window turned about its middle, with input and output channels exchanged. */
typedef struct turning {
    const float *w; /* [9][in][out] */
    float       *turned;
    int64_t      in, out;
} turning;

static void turn_elements(void *context, int64_t begin, int64_t end)
{
    const turning *s = context;
    const int64_t  size = s->in * s->out;
    for (int64_t e = begin; e < end; e++) {
        const tri_operand columns = { s->w + e * size, sizeof(float), s->out, 1 };
        for (int64_t c = 0; c < s->in; c += TRI_PACK_MAX)
            tri_pack(&columns, c, s->in - c < TRI_PACK_MAX ? s->in - c : TRI_PACK_MAX, 0, s->out,
                     s->in, s->turned + (8 - e) * size + c);
    }
}

static const float *turn_weights(const tr_tensor *w)
{
    turning s = { .w = w->data, .in = w->shape[2], .out = w->shape[3] };
    s.turned = tri_scratch((uint64_t)(9 * s.in * s.out) * sizeof *s.turned);
    if (s.turned) tri_parallel_for(9, 1, turn_elements, &s);
    return s.turned;
}

/* Blocks that fit the cache, of equal size, and enough of them. Where the tiles of a point would
 * lie a power of two apart they would share few places in the first cache: 16 elements more. */
static void plan_blocks(winograd *s)
{
    const int64_t each =
        POINTS * (s->source.channels + s->result.channels) * (int64_t)sizeof(float);
    int64_t most = BLOCK_BYTES / each;
    if (most < LEAST_TILES) most = LEAST_TILES;
    int64_t blocks = tri_ceil_div(tri_ceil_div(s->tiles, most), BLOCKS) * BLOCKS;
    if (s->tiles * each <= FEW_BYTES) blocks = 1;
    if (s->tiles / blocks < LEAST_TILES) blocks = s->tiles / LEAST_TILES;
    s->block_tiles = tri_ceil_div(s->tiles, blocks);
    s->source_point = s->block_tiles * s->source.channels + 16;
    s->result_point = s->block_tiles * s->result.channels + 16;
}

static bool make_memory(winograd *s)
{
    const int64_t in = s->source.channels, out = s->result.channels, width = s->block.cols;
    plan_blocks(s);
    s->weights_point = s->panels * in * width + 16;
    const uint64_t bytes = (uint64_t)(POINTS * s->weights_point) * sizeof(float);
    s->weights = tri_scratch(bytes);
    s->zeros = tri_scratch((uint64_t)in * sizeof(float));
    const int64_t floats = POINTS * (s->source_point + s->result_point);
    const bool    few = s->block_tiles == s->tiles;
    if (few) s->few = tri_scratch((uint64_t)floats * sizeof(float));
    if (!s->weights || !s->zeros || (few && !s->few) ||
        !tri_slots_make(&s->slots, (uint64_t)((few ? 0 : floats) + out) * sizeof(float)))
        return false;
    if (out % width) memset(s->weights, 0, (size_t)bytes);
    memset(s->zeros, 0, (size_t)in * sizeof(float));
    return true;
}

/* --- A block of tiles ------------------------------------------------------------------------- */

/* At a point: [tiles x source channels] times [source channels x result channels]. */
static void multiply_point(const winograd *s, int64_t point, int64_t tiles, const float *x,
                           float *y)
{
    const int64_t in = s->source.channels, out = s->result.channels, width = s->block.cols;
    const int64_t height = tri_even_part(tiles, s->block.rows);
    x += point * s->source_point;
    y += point * s->result_point;
    for (int64_t panel = 0; panel < s->panels; panel++) {
        const int64_t j = panel * width, cols = out - j < width ? out - j : width;
        const float  *w = s->weights + point * s->weights_point + panel * in * width;
        for (int64_t i = 0; i < tiles; i += height)
            s->block.table->f32.gemm((int)(tiles - i < height ? tiles - i : height), (int)cols, in,
                                     x + i * in, in, 1, w, width, y + i * out + j, out, false);
    }
}

static void write_tiles(const winograd *s, int64_t first, int64_t count, const float *m,
                        float *outside)
{
    const int64_t out = s->result.channels;
    const bool    relu = s->epilogue == TRI_E_RELU, plain = s->epilogue == TRI_E_IDENTITY;
    int64_t       at[TILE * TILE];
    float        *pixels[TILE * TILE];
    for (int64_t tile = first; tile < first + count; tile++, m += out) {
        tri_tile_pixels(&s->result, tile, TILE, at);
        for (int i = 0; i < TILE * TILE; i++) pixels[i] = at[i] < 0 ? outside : s->y + at[i];
        s->block.table->winograd.result(out, m, s->result_point, s->bias, relu, pixels);
        for (int i = 0; i < TILE * TILE && !relu && !plain; i++)
            if (at[i] >= 0) tri_finish(&s->block, s->epilogue, NULL, pixels[i], out, 1, out);
    }
}

static void convolve_blocks(void *context, int64_t begin, int64_t end)
{
    winograd *s = context;
    float    *x = tri_slot_take(&s->slots), *y = x + POINTS * s->source_point;
    for (int64_t first = begin; first < end; first += s->block_tiles) {
        const int64_t rest = end - first, count = rest < s->block_tiles ? rest : s->block_tiles;
        tri_transform_tiles(s->block.table, &s->source, s->x, false, s->zeros, first, count,
                            s->source_point, x);
        for (int64_t p = 0; p < POINTS; p++) multiply_point(s, p, count, x, y);
        write_tiles(s, first, count, y, y + POINTS * s->result_point);
    }
    tri_slot_give(&s->slots, x);
}

/* Few tiles are one block, for whose weights tasks would compete: there, threads share the points.
 */

static void transform_few(void *context, int64_t begin, int64_t end)
{
    const winograd *s = context;
    tri_transform_tiles(s->block.table, &s->source, s->x, false, s->zeros, begin, end - begin,
                        s->source_point, s->few + begin * s->source.channels);
}

static void multiply_few(void *context, int64_t begin, int64_t end)
{
    const winograd *s = context;
    for (int64_t p = begin; p < end; p++)
        multiply_point(s, p, s->tiles, s->few, s->few + POINTS * s->source_point);
}

static void write_few(void *context, int64_t begin, int64_t end)
{
    winograd    *s = context;
    float       *outside = tri_slot_take(&s->slots);
    const float *m = s->few + POINTS * s->source_point + begin * s->result.channels;
    write_tiles(s, begin, end - begin, m, outside);
    tri_slot_give(&s->slots, outside);
}

tr_status tri_winograd(tr_tensor *y, const tr_tensor *x, const tr_tensor *w, const tr_tensor *bias,
                       const tri_conv *c, tri_epilogue epilogue, bool turned)
{
    x = tri_contiguous(x);
    w = tri_contiguous(w);
    if (bias) bias = tri_contiguous(bias);
    if (tri_failed()) return tr_status_get();
    winograd      s = { .block = tri_block_of(TR_F32),
                        .x = x->data,
                        .y = y->data,
                        .bias = bias ? bias->data : NULL,
                        .epilogue = epilogue };
    const int64_t rows = tri_ceil_div(y->shape[1], TILE), cols = tri_ceil_div(y->shape[2], TILE);
    s.source = (tri_tiling){ .h = x->shape[1],
                             .w = x->shape[2],
                             .channels = x->shape[3],
                             .pad = { c->pad[0][0], c->pad[1][0] },
                             .tile_rows = rows,
                             .tile_cols = cols };
    s.result = (tri_tiling){ .h = y->shape[1],
                             .w = y->shape[2],
                             .channels = y->shape[3],
                             .tile_rows = rows,
                             .tile_cols = cols };
    for (int axis = 0; axis < 2 && turned; axis++) s.source.pad[axis] = 2 - c->pad[axis][0];
    s.tiles = y->shape[0] * rows * cols;
    s.panels = tri_ceil_div(y->shape[3], s.block.cols);
    s.w = turned ? turn_weights(w) : w->data;
    if (!s.w || !make_memory(&s)) return tr_status_get();
    tri_parallel_for(s.source.channels, LEAST_CHANNELS, transform_weights, &s);
    if (s.few) {
        tri_parallel_for(s.tiles, TRANSFORM_GRAIN, transform_few, &s);
        tri_parallel_for(POINTS, 1, multiply_few, &s);
        tri_parallel_for(s.tiles, TRANSFORM_GRAIN, write_few, &s);
    } else {
        tri_parallel_for(s.tiles, s.block_tiles, convolve_blocks, &s);
    }
    return TR_OK;
}
