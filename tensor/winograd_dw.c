/* winograd_dw.c: the gradient of conv2d for w by Winograd's minimal filtering.
 *
 * With y = A^T ((G w) . (B^T d)) the result of a tile (winograd.c), the gradient of <y, g> is
 *
 *     dw = G^T ((A g) . (B^T d)) G      along both axes: (A g A^T), (B^T d B)
 *
 * so tiles of g, 4 x 4 pixels, and of x, 6 x 6, are transformed to 36 points; at each point the sum
 * over tiles is a matrix product, [C x tiles] by [tiles x K]; and the 36 sums become nine weights
 * at the end, once. The tiles are cut into pieces by shape alone. Each piece adds up its blocks of
 * tiles in order, and the pieces are added in order: same bits on any number of threads. Read next:
 * winograd.c. */
#include "tensor/winograd.h"

#include <string.h>

enum {
    POINTS = TRI_WINOGRAD_POINTS,
    BLOCK_BYTES = 1 << 20, /* aimed at for a block's transformed tiles: half of the second cache */
    LEAST_TILES = 64,      /* of a block: long against the cost of fetching and storing the sums */
    TRANSFORM_GRAIN = 4,
    PIECES = 8,
    PARTS_MAX = 1 << 21 /* elements of all partial results */
};

typedef struct gradient {
    tri_block    block;
    tri_tiling   source, cotangent;
    const float *x, *g;
    float       *dw;
    int64_t      tiles, piece_tiles, block_tiles, pieces;
    int64_t      x_point, g_point; /* elements of a block's tiles at one point */
    int64_t      part;             /* elements of a piece's sums: 36 C K */
    float       *parts, *zeros;
    float       *few; /* NULL, or all tiles: those of x at each point, and then those of g */
    tri_slots    slots;
} gradient;

/* Adds a block of tiles to the sums [36][C][K] at a point, or starts them with it. */
static void add_point(const gradient *s, int64_t point, int64_t tiles, const float *x,
                      const float *g, float *sums, bool accumulate)
{
    const int64_t in = s->source.channels, out = s->cotangent.channels;
    const int64_t height = tri_even_part(in, s->block.rows), width = s->block.cols;
    x += point * s->x_point;
    g += point * s->g_point;
    sums += point * in * out;
    for (int64_t j = 0; j < out; j += width)
        for (int64_t i = 0; i < in; i += height)
            s->block.table->f32.gemm((int)(in - i < height ? in - i : height),
                                     (int)(out - j < width ? out - j : width), tiles, x + i, 1, in,
                                     g + j, out, sums + i * out + j, out, accumulate);
}

static void add_piece(void *context, int64_t begin, int64_t end)
{
    gradient *s = context;
    float    *x = tri_slot_take(&s->slots), *g = x + POINTS * s->x_point;
    float    *sums = s->parts + begin / s->piece_tiles * s->part;
    for (int64_t first = begin; first < end; first += s->block_tiles) {
        const int64_t rest = end - first, count = rest < s->block_tiles ? rest : s->block_tiles;
        tri_transform_tiles(s->block.table, &s->source, s->x, false, s->zeros, first, count,
                            s->x_point, x);
        tri_transform_tiles(s->block.table, &s->cotangent, s->g, true, s->zeros, first, count,
                            s->g_point, g);
        for (int64_t p = 0; p < POINTS; p++) add_point(s, p, count, x, g, sums, first > begin);
    }
    tri_slot_give(&s->slots, x);
}

/* Few tiles are one block: threads share its tiles, and then its points. */

static void transform_few(void *context, int64_t begin, int64_t end)
{
    const gradient    *s = context;
    const tri_kernels *table = s->block.table;
    tri_transform_tiles(table, &s->source, s->x, false, s->zeros, begin, end - begin, s->x_point,
                        s->few + begin * s->source.channels);
    tri_transform_tiles(table, &s->cotangent, s->g, true, s->zeros, begin, end - begin, s->g_point,
                        s->few + POINTS * s->x_point + begin * s->cotangent.channels);
}

static void add_few(void *context, int64_t begin, int64_t end)
{
    const gradient *s = context;
    for (int64_t p = begin; p < end; p++)
        add_point(s, p, s->tiles, s->few, s->few + POINTS * s->x_point, s->parts, false);
}

/* Adds the pieces in order, into the first, and makes weights of the sums: input channels begin ..
 * end - 1. */
static void deliver(void *context, int64_t begin, int64_t end)
{
    const gradient *s = context;
    const int64_t   out = s->cotangent.channels, all = s->source.channels * out;
    for (int64_t c = begin; c < end; c++) {
        for (int64_t p = 0; p < POINTS; p++) {
            float *sum = s->parts + p * all + c * out;
            for (int64_t piece = 1; piece < s->pieces; piece++)
                s->block.table->f32.binary[TRI_B_add](out, sum, sum, sum + piece * s->part);
        }
        s->block.table->winograd.gradient(out, s->parts + c * out, all, s->dw + c * out, all);
    }
}

static void plan_pieces(gradient *s)
{
    const int64_t in = s->source.channels, out = s->cotangent.channels;
    const int64_t each = POINTS * (in + out) * (int64_t)sizeof(float);
    s->part = POINTS * in * out;
    int64_t pieces = PIECES, most = BLOCK_BYTES / each;
    while (pieces > 1 && (pieces * s->part > PARTS_MAX || s->tiles / pieces < LEAST_TILES))
        pieces /= 2;
    if (most < LEAST_TILES) most = LEAST_TILES;
    s->piece_tiles = tri_ceil_div(s->tiles, pieces);
    s->pieces = tri_ceil_div(s->tiles, s->piece_tiles);
    s->block_tiles = tri_even_part(s->piece_tiles, most);
    s->x_point = s->block_tiles * in + 16; /* as in winograd.c */
    s->g_point = s->block_tiles * out + 16;
}

static bool make_memory(gradient *s)
{
    const int64_t  in = s->source.channels, out = s->cotangent.channels;
    const int64_t  tail = s->block.cols; /* the last block of columns may read so far */
    const uint64_t zero_bytes = (uint64_t)(in > out ? in : out) * sizeof(float);
    plan_pieces(s);
    s->parts = tri_scratch((uint64_t)(s->pieces * s->part) * sizeof(float));
    s->zeros = tri_scratch(zero_bytes);
    const int64_t floats = POINTS * (s->x_point + s->g_point) + tail;
    const bool    few = s->block_tiles == s->tiles;
    if (few) s->few = tri_scratch((uint64_t)floats * sizeof(float));
    if (!s->parts || !s->zeros || (few && !s->few) ||
        (!few && !tri_slots_make(&s->slots, (uint64_t)floats * sizeof(float))))
        return false;
    memset(s->zeros, 0, (size_t)zero_bytes);
    return true;
}

tr_status tri_winograd_dw(tr_tensor *dw, const tr_tensor *x, const tr_tensor *g, const tri_conv *c)
{
    x = tri_contiguous(x);
    g = tri_contiguous(g);
    if (tri_failed()) return tr_status_get();
    gradient      s = { .block = tri_block_of(TR_F32), .x = x->data, .g = g->data, .dw = dw->data };
    const int64_t rows = tri_ceil_div(g->shape[1], TRI_WINOGRAD_TILE);
    const int64_t cols = tri_ceil_div(g->shape[2], TRI_WINOGRAD_TILE);
    s.source = (tri_tiling){ .h = x->shape[1],
                             .w = x->shape[2],
                             .channels = x->shape[3],
                             .pad = { c->pad[0][0], c->pad[1][0] },
                             .tile_rows = rows,
                             .tile_cols = cols };
    s.cotangent = (tri_tiling){ .h = g->shape[1],
                                .w = g->shape[2],
                                .channels = g->shape[3],
                                .tile_rows = rows,
                                .tile_cols = cols };
    s.tiles = g->shape[0] * rows * cols;
    if (!make_memory(&s)) return tr_status_get();
    if (s.few) {
        tri_parallel_for(s.tiles, TRANSFORM_GRAIN, transform_few, &s);
        tri_parallel_for(POINTS, 1, add_few, &s);
    } else {
        tri_parallel_for(s.tiles, s.piece_tiles, add_piece, &s);
    }
    tri_parallel_for(s.source.channels, 4, deliver, &s);
    return TR_OK;
}
