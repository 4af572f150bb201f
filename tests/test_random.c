/* Random numbers: Random123's known answers, the format of docs/random.md one value at a time, the
 * same numbers on every instruction set and any number of threads, and their statistics. */
#include "cases.h"

#include "tensor/kernels.h"
#include "tests/suite.h"

START_TEST(test_known_answers)
{
    static const uint32_t keys[3][2] = {
        {0,           0         },
        { ~0u,        ~0u       },
        { 0xa4093822, 0x299f31d0}
    };
    static const uint32_t counters[3][4] = {
        {0,           0,          0,          0         },
        { ~0u,        ~0u,        ~0u,        ~0u       },
        { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}
    };
    static const uint32_t results[3][4] = {
        {0x6627e8d5,  0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
        { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
        { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}
    };
    for (int i = 0; i < 3; i++) {
        uint32_t out[4];
        tr_rng_philox(counters[i], keys[i], out);
        ck_assert_mem_eq(out, results[i], sizeof out);
    }
}
END_TEST

static void words_of(const tr_rng *rng, uint64_t block, uint32_t w[4])
{
    const uint32_t key[2] = { (uint32_t)rng->seed, (uint32_t)(rng->seed >> 32) };
    const uint32_t counter[4] = { (uint32_t)block, (uint32_t)(block >> 32), (uint32_t)rng->stream,
                                  (uint32_t)(rng->stream >> 32) };
    tr_rng_philox(counter, key, w);
}

static double fraction(uint32_t high, uint32_t low)
{
    return ((double)(high >> 5) * 67108864.0 + (double)(low >> 6)) / 9007199254740992.0;
}

/* Long enough for several pieces of work, and blocks that carry into the counter's second word. */
static void format(void)
{
    const double pi = acos(-1);
    const int64_t lengths[] = { 0, 1, 2, 3, 5, 255, 256, 257, 1001, 40003 };
    for (int i = 0; i < 10; i++) {
        tr_scope *scope = tr_scope_push();
        const tr_rng start = { 0x123456789abcdef0, 0xfedcba9876543210, 0xfffffff0 + (uint64_t)i };
        tr_rng a = start, b = start, c = start, d = start, e = start;
        const int64_t n = lengths[i];
        const float *u32 = tr_uniform(TR_F32, TR_SHAPE(n), &a)->data;
        const float *n32 = tr_normal(TR_F32, TR_SHAPE(n), &b)->data;
        const double *u64 = tr_uniform(TR_F64, TR_SHAPE(n), &c)->data;
        const double *n64 = tr_normal(TR_F64, TR_SHAPE(n), &d)->data;
        const int64_t *integers = tr_randint(TR_SHAPE(n), 1000, &e)->data;
        for (int64_t k = 0; k < n; k++) {
            uint32_t w[4], v[4];
            words_of(&start, start.block + (uint64_t)k / 4, w);
            words_of(&start, start.block + (uint64_t)k / 2, v);
            const uint32_t *pair = w + 2 * (k % 4 / 2);
            ck_assert_float_eq(u32[k], (float)(w[k % 4] >> 8) / 16777216);
            ck_assert_double_eq(u64[k], fraction(v[2 * (k % 2)], v[2 * (k % 2) + 1]));
            const double u = ((pair[0] >> 8) + 1) / 16777216.0, t = (pair[1] >> 8) / 16777216.0;
            const double r = sqrt(-2 * log(u)), turn = 2 * pi * t;
            const double want = k % 2 ? r * sin(turn) : r * cos(turn);
            ck_assert_double_eq_tol(n32[k], want, 4e-7 * fabs(want) + 1e-15);
            const double r64 = sqrt(-2 * log(fraction(v[0], v[1]) + 0x1p-53)),
                         t64 = fraction(v[2], v[3]);
            const double want64 = r64 * (k % 2 ? sin(2 * pi * t64) : cos(2 * pi * t64));
            ck_assert_double_eq_tol(n64[k], want64, 1e-14);
            const uint64_t bits = (uint64_t)v[2 * (k % 2)] << 32 | v[2 * (k % 2) + 1];
            ck_assert_int_eq(
                integers[k],
                (int64_t)(((bits >> 32) * 1000 + ((bits & 0xFFFFFFFF) * 1000 >> 32)) >> 32));
        }
        ck_assert_uint_eq(a.block, start.block + (uint64_t)(n + 3) / 4);
        ck_assert_uint_eq(b.block, a.block);
        ck_assert_uint_eq(c.block, start.block + (uint64_t)(n + 1) / 2);
        ck_assert_uint_eq(d.block, c.block);
        ck_assert_uint_eq(e.block, c.block);
        tr_scope_pop(scope);
    }
}

START_TEST(test_format)
{
    on_every_machine(format);
}
END_TEST

/* f32 normals: the same bits with one and two threads, on every instruction set. */
static void normal_bits(void)
{
    tr_scope *scope = tr_scope_push();
    tr_tensor *y[2];
    for (int k = 0; k < 2; k++) {
        ck_assert_int_eq(tr_set_threads(k + 1), TR_OK);
        tr_rng rng = tr_rng_seed(3);
        y[k] = tr_normal(TR_F32, TR_SHAPE(100003), &rng);
    }
    ck_assert_mem_eq(y[0]->data, y[1]->data, 100003 * sizeof(float));
    tr_scope_pop(scope);
}

START_TEST(test_normal_bits)
{
    on_every_isa(normal_bits);
}
END_TEST

/* Moments of a million values within five standard errors. */
START_TEST(test_moments)
{
    enum { N = 1000000 };
    tr_rng rng = tr_rng_seed(1);
    const float *u = tr_uniform(TR_F32, TR_SHAPE(N), &rng)->data;
    const float *z = tr_normal(TR_F32, TR_SHAPE(N), &rng)->data;
    double mean = 0, m[5] = { 0 }, lag = 0;
    for (int i = 0; i < N; i++) {
        ck_assert(u[i] >= 0 && u[i] < 1);
        mean += u[i];
        for (int k = 1; k < 5; k++) m[k] += pow(z[i], k);
        if (i > 0) lag += z[i] * z[i - 1];
    }
    ck_assert_double_eq_tol(mean / N, 0.5, 5 * 0.2887e-3);
    ck_assert_double_eq_tol(m[1] / N, 0, 5e-3);
    ck_assert_double_eq_tol(m[2] / N, 1, 5 * 1.42e-3);
    ck_assert_double_eq_tol(m[3] / N, 0, 5 * 3.9e-3);
    ck_assert_double_eq_tol(m[4] / N, 3, 5 * 9.8e-3);
    ck_assert_double_eq_tol(lag / N, 0, 5e-3);
}
END_TEST

/* With this bound a quarter of all draws is rejected; the thirds must come equally often. */
START_TEST(test_rejection)
{
    enum { N = 60000 };
    const int64_t bound = INT64_C(3) << 61;
    tr_rng rng = tr_rng_seed(2);
    const int64_t *x = tr_randint(TR_SHAPE(N), bound, &rng)->data;
    int count[3] = { 0 };
    int odd = 0;
    for (int i = 0; i < N; i++) {
        ck_assert(x[i] >= 0 && x[i] < bound);
        count[x[i] / (bound / 3)]++;
        odd += (int)(x[i] % 3 == 1);
    }
    for (int k = 0; k < 3; k++) ck_assert_double_eq_tol(count[k], N / 3.0, 5 * 116);
    ck_assert_double_eq_tol(odd, N / 3.0, 5 * 116);
}
END_TEST

START_TEST(test_permutation)
{
    for (int64_t n = 0; n < 200; n += n < 10 ? 1 : 63) {
        tr_rng rng = { 9, 9, 9 };
        const int64_t *p = tr_permutation(n, &rng)->data;
        bool seen[200] = { false };
        for (int64_t i = 0; i < n; i++) {
            ck_assert(p[i] >= 0 && p[i] < n && !seen[p[i]]);
            seen[p[i]] = true;
        }
        ck_assert_uint_eq(rng.block, 9 + (uint64_t)(n + 1) / 2);
    }
    int count[6] = { 0 };
    tr_rng rng = tr_rng_seed(4);
    for (int i = 0; i < 12000; i++) {
        tr_scope *scope = tr_scope_push();
        const int64_t *p = tr_permutation(3, &rng)->data;
        count[p[0] * 2 + (p[1] > p[2])]++;
        tr_scope_pop(scope);
    }
    for (int k = 0; k < 6; k++) ck_assert_double_eq_tol(count[k], 2000, 5 * 41);
}
END_TEST

START_TEST(test_errors)
{
    tr_rng rng = tr_rng_seed(0);
    ck_assert_ptr_null(tr_randint(TR_SHAPE(2), 0, &rng));
    ck_assert_str_eq(tr_error(), "randint: bound is 0; it must be at least 1");
    tr_error_clear();
    ck_assert_ptr_null(tr_uniform(TR_I64, TR_SHAPE(2), &rng));
    ck_assert_str_eq(tr_error(), "uniform: dtype must be f32 or f64; use tr_randint for integers");
    tr_error_clear();
    ck_assert_ptr_null(tr_normal(TR_F32, TR_SHAPE(2), NULL));
    ck_assert_str_eq(tr_error(), "normal: rng is NULL; pass the address of a tr_rng");
    tr_error_clear();
    ck_assert_uint_eq(rng.block, 0);
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { test_known_answers },
        { test_format },
        { test_normal_bits },
        { test_moments },
        { test_rejection },
        { test_permutation },
        { test_errors },
        { 0 },
    };
    return run_tests("random", NULL, NULL, tests);
}
