/* digits.c: the built-in handwritten-looking digits. Image i of a split is a pure function of
 * (seed, split, i), and drawing it takes some ten microseconds.
 *
 * A glyph is chosen, its points are jittered and joined by a smooth path (the hand), the path is
 * bent by a few slow waves (elastic wobble), slanted, rotated and stretched (the writer's style),
 * brought to MNIST's format (largest side about 20 pixels, centre of mass in the middle) and drawn
 * with a pen whose thickness differs between writers and a little along the stroke. Labels go 0, 1,
 * ... 9, 0, 1, ...: every stretch of the set is balanced. Read next: glyphs.c (the shapes),
 * stroke.c (the drawing). */
#include "datasets/source.h"
#include "datasets/stroke.h"

/* --- Numbers --------------------------------------------------------------------------- */

/* The random numbers of one image: Philox blocks 0, 1, ... of a counter made of split and index. */
typedef struct dice {
    uint32_t counter[4], key[2], block[4];
    int used;
} dice;

static dice dice_of(uint64_t seed, tr_data_split split, int64_t index)
{
    dice d = { .used = 4 };
    d.counter[1] = (uint32_t)split;
    d.counter[2] = (uint32_t)index;
    d.counter[3] = (uint32_t)((uint64_t)index >> 32);
    d.key[0] = (uint32_t)seed;
    d.key[1] = (uint32_t)(seed >> 32);
    return d;
}

static uint32_t dice_bits(dice *d)
{
    if (d->used == 4) {
        tr_rng_philox(d->counter, d->key, d->block);
        d->counter[0]++;
        d->used = 0;
    }
    return d->block[d->used++];
}

/* In [from, to). */
static float dice_uniform(dice *d, float from, float to)
{
    return from + (to - from) * (float)(dice_bits(d) >> 8) * (1.0f / 16777216.0f);
}

/* Nearly normal, mean 0 and variance 1, never beyond 3.5: the sum of the four bytes of a number. */
static float dice_normal(dice *d)
{
    uint32_t bits = dice_bits(d);
    int sum = (int)((bits & 255) + (bits >> 8 & 255) + (bits >> 16 & 255) + (bits >> 24));
    return (float)(sum - 510) * (1.0f / 147.8f);
}

/* A sine of t turns, from two parabolas: the libraries' sines differ in the last bit. */
static float wave(float t)
{
    t -= (float)(int)t;
    t += t < 0 ? 1.0f : 0.0f;
    return t < 0.5f ? 16 * t * (0.5f - t) : -16 * (t - 0.5f) * (1 - t);
}

static float bounded(float x, float low, float high)
{
    return x < low ? low : x > high ? high : x;
}

/* --- The hand -------------------------------------------------------------------------- */

static const tri_glyph *choose_glyph(dice *d, int digit)
{
    int first = 0, last = 0, total = 0;
    while (tri_glyphs[first].digit != digit) first++;
    for (last = first; last < tri_glyph_count && tri_glyphs[last].digit == digit; last++)
        total += tri_glyphs[last].weight;
    int pick = (int)dice_uniform(d, 0, (float)total);
    while (pick >= tri_glyphs[first].weight) pick -= tri_glyphs[first++].weight;
    return &tri_glyphs[first];
}

/* The glyph's points, each a little off its place, neighbours in a similar direction: a hand drifts
 * rather than trembles. The glyph is about 1 high. */
static void write_points(dice *d, const tri_glyph *glyph, tri_path *path)
{
    float x[TRI_GLYPH_POINTS], y[TRI_GLYPH_POINTS];
    uint8_t pen[TRI_GLYPH_POINTS];
    float care = dice_uniform(d, 0.015f, 0.045f);
    float dx = care * dice_normal(d), dy = care * dice_normal(d);
    for (int i = 0; i < glyph->count; i++) {
        dx = 0.7f * (dx + care * dice_normal(d));
        dy = 0.7f * (dy + care * dice_normal(d));
        x[i] = 0.01f * (float)glyph->point[i].x + dx;
        y[i] = 0.01f * (float)glyph->point[i].y + dy;
        pen[i] = glyph->point[i].pen;
    }
    tri_path_from_points(path, x, y, pen, glyph->count, 5);
}

/* Moves each point by slow waves that run across the glyph in random directions. */
static void wobble(dice *d, tri_path *path)
{
    enum { WAVES = 3 };
    float fx[WAVES], fy[WAVES], phase[WAVES], ax[WAVES], ay[WAVES];
    for (int k = 0; k < WAVES; k++) {
        fx[k] = dice_uniform(d, -0.9f, 0.9f);
        fy[k] = dice_uniform(d, -0.9f, 0.9f);
        phase[k] = dice_uniform(d, 0, 1);
        ax[k] = 0.045f * dice_normal(d);
        ay[k] = 0.045f * dice_normal(d);
    }
    for (int i = 0; i < path->count; i++) {
        float x = path->x[i], y = path->y[i];
        for (int k = 0; k < WAVES; k++) {
            float w = wave(fx[k] * x + fy[k] * y + phase[k] + 2);
            path->x[i] += ax[k] * w;
            path->y[i] += ay[k] * w;
        }
    }
}

/* --- The writer's style ---------------------------------------------------------------- */

static void slant_and_turn(dice *d, tri_path *path)
{
    float aspect = bounded(1.05f + 0.20f * dice_normal(d), 0.6f, 1.6f);
    float slant = 0.12f + 0.24f * dice_normal(d);
    float turn = 0.12f * dice_normal(d); /* the sine of the angle */
    float cosine = 1 - 0.5f * turn * turn;
    for (int i = 0; i < path->count; i++) {
        float x = (path->x[i] - 0.35f) * aspect, y = path->y[i] - 0.5f;
        x -= slant * y;
        path->x[i] = cosine * x - turn * y;
        path->y[i] = turn * x + cosine * y;
    }
}

static void set_pen(dice *d, tri_path *path)
{
    float radius = bounded(1.3f + 0.33f * dice_normal(d), 0.65f, 2.2f);
    float depth = dice_uniform(d, 0, 0.22f), phase = dice_uniform(d, 0, 1);
    float pace = dice_uniform(d, 0.01f, 0.05f); /* turns per point */
    for (int i = 0; i < path->count; i++)
        path->radius[i] = radius * (1 + depth * wave(phase + pace * (float)i));
}

/* MNIST's format: scaled to a box of 20 pixels, the ink's centre of mass in the middle. */
static void place(dice *d, tri_path *path)
{
    float low[2] = { 1e6f, 1e6f }, high[2] = { -1e6f, -1e6f }, sum[2] = { 0, 0 };
    float radius = 0;
    for (int i = 0; i < path->count; i++) {
        float p[2] = { path->x[i], path->y[i] };
        for (int k = 0; k < 2; k++) {
            low[k] = p[k] < low[k] ? p[k] : low[k];
            high[k] = p[k] > high[k] ? p[k] : high[k];
            sum[k] += p[k];
        }
        radius = path->radius[i] > radius ? path->radius[i] : radius;
    }
    float width = high[0] - low[0], height = high[1] - low[1];
    float box = 20 * bounded(1 + 0.05f * dice_normal(d), 0.85f, 1.1f) - 2 * radius;
    float scale = box / (width > height ? width : height);
    float centre[2], edge = radius + 0.5f;
    for (int k = 0; k < 2; k++) {
        float mass = scale * sum[k] / (float)path->count;
        float at = 0.5f * TRI_CANVAS + 0.6f * dice_normal(d);
        /* Keep the whole stroke on the canvas. */
        centre[k] =
            bounded(at, edge + mass - scale * low[k], TRI_CANVAS - edge + mass - scale * high[k]) -
            mass;
    }
    for (int i = 0; i < path->count; i++) {
        path->x[i] = scale * path->x[i] + centre[0];
        path->y[i] = scale * path->y[i] + centre[1];
    }
}

/* --- The dataset ----------------------------------------------------------------------- */

static int64_t digit_label(uint64_t seed, tr_data_split split, int64_t index)
{
    (void)seed, (void)split;
    return index % 10;
}

static void draw_digit(uint64_t seed, tr_data_split split, int64_t index, uint8_t *pixels)
{
    dice d = dice_of(seed, split, index);
    tri_path path;
    write_points(&d, choose_glyph(&d, (int)digit_label(seed, split, index)), &path);
    wobble(&d, &path);
    slant_and_turn(&d, &path);
    set_pen(&d, &path);
    place(&d, &path);
    tri_path_draw(&path, dice_uniform(&d, 1.1f, 1.7f), pixels);
}

tr_status tri_open_digits(tr_dataset *d, const char *argument, const tr_dataset_options *options)
{
    if (argument)
        return tr_fail(TR_ERR_VALUE, "digits: takes no argument, got digits:%s", argument);
    d->height = d->width = TRI_CANVAS;
    d->channels = 1;
    d->classes = 10;
    d->count[TR_TRAIN] = 60000;
    d->count[TR_TEST] = 10000;
    d->source->draw = draw_digit;
    d->source->label = digit_label;
    d->source->seed = options->seed;
    return tr_status_get();
}
