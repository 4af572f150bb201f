/* peak.c: what the processor could do at best, in arithmetic and in reading memory.
 *
 * Arithmetic: chains of fused multiply-adds on registers, enough of them at once to hide their
 * latency, nothing read and nothing written. The same loop is compiled for each instruction set;
 * the one that the kernels use runs, so that a percentage is of what those kernels could reach.
 * Reading: each thread adds up numbers of its own, too many for the second cache. */
#include "bench/bench.h"

#include "tensor/core.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CHAINS = 12, ROUNDS = 1 << 20, WORDS = 1 << 20 /* of 8 bytes */ };

/* Defines a function of that name; bytes is the width of a register. Every chain starts elsewhere,
 * or the compiler would see that they are all the same and keep one. */
#define CHAIN_LOOP(name, bytes, target)                                                            \
    typedef float       name##_vector __attribute__((vector_size(bytes)));                         \
    target static float name(void)                                                                 \
    {                                                                                              \
        name##_vector x[CHAINS], scale = { 0 }, shift = { 0 };                                     \
        scale += 0.5F;                                                                             \
        shift += 0.25F;                                                                            \
        for (int j = 0; j < CHAINS; j++) x[j] = shift * (float)(j + 3);                            \
        for (int64_t i = 0; i < ROUNDS; i++)                                                       \
            for (int j = 0; j < CHAINS; j++) x[j] = x[j] * scale + shift;                          \
        float sum = 0;                                                                             \
        for (int j = 0; j < CHAINS; j++) sum += x[j][0];                                           \
        return sum;                                                                                \
    }

CHAIN_LOOP(chains_16, 16, )
#if defined(__x86_64__)
CHAIN_LOOP(chains_32, 32, __attribute__((target("avx2,fma"))))
CHAIN_LOOP(chains_64, 64, __attribute__((target("avx512f,fma"))))
#endif

typedef struct chains {
    float (*run)(void);
    int   lanes;
    float sum[256]; /* of each thread, so that the loops have a use */
} chains;

static chains chains_of(const char *isa)
{
#if defined(__x86_64__)
    if (strcmp(isa, "avx512") == 0) return (chains){ .run = chains_64, .lanes = 16 };
    if (strcmp(isa, "avx2") == 0) return (chains){ .run = chains_32, .lanes = 8 };
#endif
    (void)isa;
    return (chains){ .run = chains_16, .lanes = 4 };
}

static void run_chains(void *context, int64_t begin, int64_t end)
{
    chains *c = context;
    for (int64_t i = begin; i < end; i++) c->sum[i] = c->run();
}

double bench_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The highest rate of `work` units, done by the body once for each thread, in about `seconds`. */
static double best_rate(double work, double seconds, int threads,
                        void (*body)(void *, int64_t, int64_t), void *context)
{
    double best = 0;
    for (const double start = bench_now(); bench_now() - start < seconds;) {
        const double from = bench_now();
        tri_parallel_for(threads, 1, body, context);
        const double rate = work / (bench_now() - from);
        if (rate > best) best = rate;
    }
    return best;
}

double bench_peak(int threads, double seconds)
{
    chains c = chains_of(tr_isa());
    return best_rate(2.0 * CHAINS * ROUNDS * c.lanes * threads, seconds, threads, run_chains, &c);
}

/* Each thread's words; the sum goes to the first, so that the loop has a use. */
static void read_words(void *context, int64_t begin, int64_t end)
{
    for (int64_t i = begin; i < end; i++) {
        uint64_t *words = (uint64_t *)context + i * WORDS, sum = 0;
        for (int64_t j = 0; j < WORDS; j++) sum += words[j];
        words[0] = sum;
    }
}

double bench_reading(int threads, double seconds)
{
    const size_t bytes = (size_t)threads * WORDS * sizeof(uint64_t);
    uint64_t    *words = malloc(bytes);
    if (words == NULL) return 0;
    memset(words, 1, bytes);
    const double rate = best_rate((double)bytes, seconds, threads, read_words, words);
    free(words);
    return rate;
}
