/* random.c: generators, and tensors of random numbers.
 *
 * Every number is a pure function of (seed, stream, block): see docs/random.md, which fixes the
 * format. Pieces for threads begin at whole blocks, so no result depends on their number. The loops
 * over floating values are kernels (kernels_random.inc); integers are drawn here. */
#include "tensor/kernels.h"

#include <assert.h>

enum { GRAIN = 16384 }; /* values; a multiple of the values in a block */

/* --- Generators
 * ------------------------------------------------------------------------------------ */

tr_rng tr_rng_seed(uint64_t seed)
{
    return (tr_rng){ .seed = seed };
}

tr_rng tr_rng_stream(uint64_t seed, uint64_t stream)
{
    return (tr_rng){ .seed = seed, .stream = stream };
}

void tr_rng_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    if (!tri_given(counter, "rng_philox: the counter") || !tri_given(key, "rng_philox: the key") ||
        !tri_given(out, "rng_philox: the result"))
        return;
    uint32_t c[4] = { counter[0], counter[1], counter[2], counter[3] };
    uint32_t key0 = key[0], key1 = key[1];
    for (int round = 0; round < 10; round++) {
        const uint64_t p0 = (uint64_t)c[0] * 0xD2511F53u, p1 = (uint64_t)c[2] * 0xCD9E8D57u;
        c[0] = (uint32_t)(p1 >> 32) ^ c[1] ^ key0;
        c[1] = (uint32_t)p1;
        c[2] = (uint32_t)(p0 >> 32) ^ c[3] ^ key1;
        c[3] = (uint32_t)p0;
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    for (int i = 0; i < 4; i++) out[i] = c[i];
}

/* --- Floating values
 * --------------------------------------------------------------------------------- */

typedef struct draw {
    const tri_kernels *table;
    tr_tensor *y;
    tr_rng rng;
    bool normal;
} draw;

static void draw_piece(void *context, int64_t begin, int64_t end)
{
    const draw *d = context;
    const int64_t n = end - begin, per_block = d->y->dtype == TR_F32 ? 4 : 2;
    const uint64_t block = d->rng.block + (uint64_t)(begin / per_block);
    if (d->y->dtype == TR_F32) {
        const tri_kernels_f32 *k = &d->table->f32;
        (d->normal ? k->normal : k->uniform)(n, (float *)d->y->data + begin, d->rng.seed,
                                             d->rng.stream, block);
    } else {
        const tri_kernels_f64 *k = &d->table->f64;
        (d->normal ? k->normal : k->uniform)(n, (double *)d->y->data + begin, d->rng.seed,
                                             d->rng.stream, block);
    }
}

static void fill(tr_tensor *y, tr_rng *rng, bool normal)
{
    assert((y->dtype == TR_F32 || y->dtype == TR_F64) && tr_is_contiguous(y));
    const int64_t per_block = y->dtype == TR_F32 ? 4 : 2, n = tr_numel(y);
    draw d = { tri_kernel_table(), y, *rng, normal };
    tri_parallel_for(n, GRAIN, draw_piece, &d);
    rng->block += (uint64_t)((n + per_block - 1) / per_block);
}

static tr_tensor *random_tensor(const char *op, tr_dtype dtype, tr_shape shape, tr_rng *rng,
                                bool normal)
{
    if (tri_failed()) return NULL;
    if (rng == NULL) {
        tr_fail(TR_ERR_VALUE, "%s: rng is NULL; pass the address of a tr_rng", op);
        return NULL;
    }
    if (dtype != TR_F32 && dtype != TR_F64) {
        tr_fail(TR_ERR_DTYPE, "%s: dtype must be f32 or f64; use tr_randint for integers", op);
        return NULL;
    }
    if (!tri_check_shape(shape, op)) return NULL;
    tr_tensor *y = tri_new(dtype, shape);
    if (y != NULL) fill(y, rng, normal);
    return y;
}

tr_tensor *tr_uniform(tr_dtype dtype, tr_shape shape, tr_rng *rng)
{
    return random_tensor("uniform", dtype, shape, rng, false);
}

tr_tensor *tr_normal(tr_dtype dtype, tr_shape shape, tr_rng *rng)
{
    return random_tensor("normal", dtype, shape, rng, true);
}

tr_tensor *tr_uniform_like(const tr_tensor *x, tr_rng *rng)
{
    if (tri_failed() || !tri_check_alive(x, "uniform_like")) return NULL;
    return random_tensor("uniform_like", x->dtype, tr_shape_of(x), rng, false);
}

tr_tensor *tr_normal_like(const tr_tensor *x, tr_rng *rng)
{
    if (tri_failed() || !tri_check_alive(x, "normal_like")) return NULL;
    return random_tensor("normal_like", x->dtype, tr_shape_of(x), rng, true);
}

/* --- Integers
 * -------------------------------------------------------------------------------------------- */

/* The upper half of the 128-bit product a b; *low is the lower one. */
static uint64_t multiply_wide(uint64_t a, uint64_t b, uint64_t *low)
{
    const uint64_t mask = 0xFFFFFFFF, a0 = a & mask, a1 = a >> 32, b0 = b & mask, b1 = b >> 32;
    const uint64_t middle = a1 * b0 + (a0 * b0 >> 32); /* at most 2^64 - 2^32: no carry is lost */
    const uint64_t other = a0 * b1 + (middle & mask);
    *low = a * b;
    return a1 * b1 + (middle >> 32) + (other >> 32);
}

/* Value i of a draw, in [0, bound): 64 bits times bound, the upper half (Lemire 2019). The few
 * products whose lower half would favour some values are rejected: then the block's image under the
 * generator takes its place, so that a value never depends on its neighbours. */
static uint64_t bounded(const tr_rng *rng, uint64_t i, uint64_t bound)
{
    const uint64_t block = rng->block + i / 2;
    const uint32_t key[2] = { (uint32_t)rng->seed, (uint32_t)(rng->seed >> 32) };
    uint32_t words[4] = { (uint32_t)block, (uint32_t)(block >> 32), (uint32_t)rng->stream,
                          (uint32_t)(rng->stream >> 32) };
    const uint64_t excess = (0 - bound) % bound; /* 2^64 mod bound */
    for (;;) {
        tr_rng_philox(words, key, words);
        const uint32_t *pair = words + 2 * (i % 2);
        const uint64_t bits = (uint64_t)pair[0] << 32 | pair[1];
        uint64_t        low;
        const uint64_t  high = multiply_wide(bits, bound, &low);
        if (low >= excess) return high;
    }
}

typedef struct integer_draw {
    int64_t *y;
    tr_rng rng;
    uint64_t bound;
} integer_draw;

static void integer_piece(void *context, int64_t begin, int64_t end)
{
    const integer_draw *d = context;
    for (int64_t i = begin; i < end; i++)
        d->y[i] = (int64_t)bounded(&d->rng, (uint64_t)i, d->bound);
}

tr_tensor *tr_randint(tr_shape shape, int64_t bound, tr_rng *rng)
{
    if (tri_failed()) return NULL;
    if (rng == NULL) {
        tr_fail(TR_ERR_VALUE, "randint: rng is NULL; pass the address of a tr_rng");
        return NULL;
    }
    if (bound < 1) {
        tr_fail(TR_ERR_VALUE, "randint: bound is %lld; it must be at least 1", (long long)bound);
        return NULL;
    }
    if (!tri_check_shape(shape, "randint")) return NULL;
    tr_tensor *y = tri_new(TR_I64, shape);
    if (y == NULL) return NULL;
    const int64_t n = tr_numel(y);
    integer_draw d = { y->data, *rng, (uint64_t)bound };
    tri_parallel_for(n, GRAIN, integer_piece, &d);
    rng->block += (uint64_t)((n + 1) / 2);
    return y;
}

/* Fisher and Yates's shuffle of 0 .. n-1, from the end: position i changes places with one of 0 ..
 * i. */
tr_tensor *tr_permutation(int64_t n, tr_rng *rng)
{
    if (tri_failed()) return NULL;
    if (rng == NULL) {
        tr_fail(TR_ERR_VALUE, "permutation: rng is NULL; pass the address of a tr_rng");
        return NULL;
    }
    if (!tri_check_shape(TR_SHAPE(n), "permutation")) return NULL;
    tr_tensor *y = tri_new(TR_I64, TR_SHAPE(n));
    if (y == NULL) return NULL;
    int64_t *values = y->data;
    for (int64_t i = 0; i < n; i++) values[i] = i;
    for (int64_t i = n - 1; i > 0; i--) {
        const int64_t other = (int64_t)bounded(rng, (uint64_t)i, (uint64_t)i + 1);
        const int64_t value = values[i];
        values[i] = values[other];
        values[other] = value;
    }
    rng->block += (uint64_t)((n + 1) / 2);
    return y;
}
