/* test_tsne.c: t-SNE against its definition: the perplexity that was asked for, a divergence that
 * falls, clusters that stay together, the same bits on any number of threads. */
#include "train/train.h"
#include "tests/suite.h"

#include <math.h>
#include <string.h>

enum { CLUSTERS = 4, EACH = 40, N = CLUSTERS * EACH, D = 10 };

/* Clusters around far corners of a cube in ten dimensions. */
static tr_tensor *clusters(void)
{
    tr_rng rng = tr_rng_seed(4);
    tr_set_recording(false);
    tr_tensor *x = tr_normal(TR_F32, TR_SHAPE(N, D), &rng);
    for (int64_t i = 0; i < N; i++) ((float *)x->data)[i * D + i / EACH] += 12;
    return x;
}

/* p_j|i sums to 1 over the row, has no part of i itself, and 2^entropy is the perplexity. */
START_TEST(rows_have_the_perplexity)
{
    const double perplexities[] = { 2, 10, 60 };
    for (int k = 0; k < 3; k++) {
        const tr_tensor *p = tr_tsne_affinities(clusters(), perplexities[k]);
        ck_assert_ptr_nonnull(p);
        for (int64_t i = 0; i < N; i++) {
            const float *row = (const float *)p->data + i * N;
            double       sum = 0, entropy = 0;
            for (int64_t j = 0; j < N; j++) {
                sum += (double)row[j];
                if (row[j] > 0) entropy -= (double)row[j] * log((double)row[j]);
            }
            ck_assert_double_eq_tol(sum, 1, 1e-5);
            ck_assert_double_eq(row[i], 0);
            ck_assert_double_eq_tol(exp(entropy), perplexities[k], 1e-4 * perplexities[k]);
        }
    }
}
END_TEST

/* Equal distances share equally: of a simplex every p_j|i is 1 / (N - 1) at the perplexity N - 1.
 */
START_TEST(a_nearer_row_weighs_more)
{
    const float      v[] = { 0, 0.5F, 1, 10 };
    const tr_tensor *p = tr_tsne_affinities(tr_from(TR_F32, TR_SHAPE(4, 1), v), 2);
    const float     *row = p->data;
    ck_assert(row[1] > row[2] && row[2] > row[3]);
    /* with b from the first ratio, the second one follows: exp(-b (1 - 0.25)), exp(-b (100 - 1)) */
    const double b = log((double)row[1] / (double)row[2]) / 0.75;
    ck_assert_double_eq_tol((double)row[3], (double)row[2] * exp(-b * 99), 1e-6);
}
END_TEST

START_TEST(divergence_falls_and_clusters_separate)
{
    double           before, after;
    tr_tensor       *x = clusters();
    const tr_tensor *y =
        tr_tsne(x, &(tr_tsne_options){ .perplexity = 15, .iterations = 4 }, &before);
    y = tr_tsne(x, &(tr_tsne_options){ .perplexity = 15, .iterations = 300 }, &after);
    ck_assert_ptr_nonnull(y);
    ck_assert_double_lt(after, 0.5 * before);
    ck_assert_double_gt(after, 0);
    const float *v = y->data; /* each point's nearest is of its own cluster */
    for (int64_t i = 0; i < N; i++) {
        int64_t best = -1;
        double  least = 1e300;
        for (int64_t j = 0; j < N; j++) {
            const double off =
                hypot((double)(v[2 * i] - v[2 * j]), (double)(v[2 * i + 1] - v[2 * j + 1]));
            if (j == i || off >= least) continue;
            least = off;
            best = j;
        }
        ck_assert_int_eq(best / EACH, i / EACH);
    }
}
END_TEST

START_TEST(the_same_on_any_number_of_threads)
{
    const tr_tsne_options o = { .perplexity = 12, .iterations = 40 };
    tr_set_threads(1);
    const tr_tensor *one = tr_tsne(clusters(), &o, NULL);
    tr_set_threads(3);
    const tr_tensor *three = tr_tsne(clusters(), &o, NULL);
    tr_set_threads(1);
    ck_assert_int_eq(memcmp(one->data, three->data, 2 * N * sizeof(float)), 0);
}
END_TEST

START_TEST(what_cannot_be_is_said)
{
    ck_assert_ptr_null(tr_tsne(clusters(), &(tr_tsne_options){ .perplexity = N }, NULL));
    ck_assert_str_eq(tr_error(), "tsne: perplexity is 160; of 160 points it must be in [1, 159)");
    tr_error_clear();
    ck_assert_ptr_null(tr_tsne(tr_zeros(TR_F32, TR_SHAPE(3, 2)), NULL, NULL));
    ck_assert_str_eq(tr_error(), "tsne: x is f32[3, 2], expected f32 [N, D], N at least 4");
    tr_error_clear();
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { rows_have_the_perplexity },
        { a_nearer_row_weighs_more },
        { divergence_falls_and_clusters_separate },
        { the_same_on_any_number_of_threads },
        { what_cannot_be_is_said },
        { 0 },
    };
    return run_tests("tsne", NULL, NULL, tests);
}
