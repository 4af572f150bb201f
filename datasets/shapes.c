/* shapes.c: one white shape on black, in the manner of dSprites (Matthey et al. 2017): a square, an
 * ellipse or a heart at a random scale, angle and place. Made to ask which of these factors a
 * latent variable has found, so the factors can be had for each image.
 *
 * Image i of a split is a pure function of (seed, split, i). A pixel's grey is the share of its 4 x
 * 4 sample points that lie inside the shape. Unlike in dSprites the factors are continuous. Read
 * next: digits.c, the other procedural set. */
#include "datasets/source.h"

#include <string.h>

enum { SIDE = 32, SAMPLES = 4, SHAPES = 3 };

static const char *const shape_names[SHAPES] = { "square", "ellipse", "heart" };

static const double two_pi = 6.283185307179586,
                    reach = 9.0; /* pixels from the centre, at scale 1 */

/* The sine of t turns, t in [0, 2): by series, so that it has the same bits with every libm. */
static double sine_of_turns(double t)
{
    t -= t >= 1 ? 1 : 0;
    t = t < 0.25 ? t : t < 0.75 ? 0.5 - t : t - 1; /* into [-1/4, 1/4) */
    double x = two_pi * t, square = x * x, term = x, sum = x;
    for (int k = 2; k < 20; k += 2) {
        term *= -square / (k * (k + 1));
        sum += term;
    }
    return sum;
}

/* Shape, scale, angle in turns, x and y. */
static void draw_factors(uint64_t seed, tr_data_split split, int64_t index, double f[5])
{
    uint32_t counter[4] = { (uint32_t)split, 1, (uint32_t)index,
                            (uint32_t)((uint64_t)index >> 32) };
    uint32_t key[2] = { (uint32_t)seed, (uint32_t)(seed >> 32) }, bits[4];
    tr_rng_philox(counter, key, bits);
    f[0] = (double)(index % SHAPES);
    for (int k = 0; k < 4; k++) f[1 + k] = bits[k] / 4294967296.0;
    f[1] = 0.5 + 0.5 * f[1];
}

static int shape_factors(uint64_t seed, tr_data_split split, int64_t index, double factors[8])
{
    draw_factors(seed, split, index, factors);
    factors[2] *= two_pi;
    return 5;
}

static int64_t shape_label(uint64_t seed, tr_data_split split, int64_t index)
{
    (void)seed, (void)split;
    return index % SHAPES;
}

/* Whether (x, y), in units of `reach`, y upwards, lies inside the upright shape around the origin.
 */
static bool inside(int shape, double x, double y)
{
    if (shape == 0) return x > -0.66 && x < 0.66 && y > -0.66 && y < 0.66;
    if (shape == 1) return x * x / (0.95 * 0.95) + y * y / (0.5 * 0.5) < 1;
    x *= 1.4, y = 1.4 * y + 0.1; /* (x^2 + y^2 - 1)^3 < x^2 y^3 */
    double round = x * x + y * y - 1;
    return round * round * round < x * x * y * y * y;
}

static void draw_shape(uint64_t seed, tr_data_split split, int64_t index, uint8_t *pixels)
{
    double f[5];
    draw_factors(seed, split, index, f);
    double sine = sine_of_turns(f[2]), cosine = sine_of_turns(f[2] + 0.25);
    double unit = 1 / (f[1] * reach);
    double cx = reach + f[3] * (SIDE - 2 * reach), cy = reach + f[4] * (SIDE - 2 * reach);
    double extent = f[1] * reach; /* whole pixels outside are black */
    memset(pixels, 0, SIDE * SIDE);
    for (int i = (int)(cy - extent); i < cy + extent; i++) {
        for (int j = (int)(cx - extent); j < cx + extent; j++) {
            int hits = 0;
            for (int k = 0; k < SAMPLES * SAMPLES; k++) {
                double x = (j + (k % SAMPLES + 0.5) / SAMPLES - cx) * unit;
                double y = (cy - i - (k / SAMPLES + 0.5) / SAMPLES) * unit;
                hits += inside((int)f[0], cosine * x + sine * y, cosine * y - sine * x);
            }
            pixels[i * SIDE + j] = (uint8_t)((hits * 255 + 8) / (SAMPLES * SAMPLES));
        }
    }
}

tr_status tri_open_shapes(tr_dataset *d, const char *argument, const tr_dataset_options *options)
{
    if (argument)
        return tr_fail(TR_ERR_VALUE, "shapes: takes no argument, got shapes:%s", argument);
    d->height = d->width = SIDE;
    d->channels = 1;
    d->classes = SHAPES;
    d->class_names = shape_names;
    d->count[TR_TRAIN] = 60000;
    d->count[TR_TEST] = 10000;
    d->source->draw = draw_shape;
    d->source->label = shape_label;
    d->source->factors = shape_factors;
    d->source->seed = options->seed;
    return tr_status_get();
}
