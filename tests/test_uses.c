/* test_uses.c: the uses of a trained model: figures of merit, components, walks, against slow
 * loops and known values. */
#include "train/train.h"
#include "train/plot.h"
#include "tests/suite.h"

#include <math.h>
#include <stdlib.h>

enum { SCORES = 200 };

/* Scores with many ties, of which every third or so is positive. */
static void make_scores(double score[SCORES], bool positive[SCORES])
{
    tr_rng           rng = tr_rng_seed(5);
    const tr_tensor *draw = tr_randint(TR_SHAPE(SCORES, 2), 20, &rng);
    const int64_t   *v = draw->data;
    for (int i = 0; i < SCORES; i++) {
        positive[i] = v[2 * i + 1] < 7;
        score[i] = (double)(v[2 * i] + (positive[i] ? 4 : 0));
    }
}

START_TEST(auc_counts_pairs)
{
    double score[SCORES], won = 0, pairs = 0;
    bool   positive[SCORES];
    make_scores(score, positive);
    for (int i = 0; i < SCORES; i++)
        for (int j = 0; j < SCORES; j++) {
            if (!positive[i] || positive[j]) continue;
            pairs++;
            won += score[i] > score[j] ? 1 : score[i] < score[j] ? 0 : 0.5;
        }
    ck_assert_double_eq_tol(tr_roc_auc(score, positive, SCORES), won / pairs, 1e-12);
    ck_assert_double_eq(tr_roc_auc((double[]){ 1, 2, 3 }, (bool[]){ false, false, true }, 3), 1);
    ck_assert_double_eq(tr_roc_auc((double[]){ 1, 1 }, (bool[]){ false, true }, 2), 0.5);
    ck_assert(isnan(tr_roc_auc(score, (bool[]){ true, true }, 2)));
    ck_assert(isnan(tr_roc_auc(score, (bool[]){ false }, 1)));
}
END_TEST

/* The definition, threshold by threshold. */
START_TEST(average_precision_sums_recall_steps)
{
    double score[SCORES], sum = 0, all = 0, before = 0;
    bool   positive[SCORES];
    make_scores(score, positive);
    for (int i = 0; i < SCORES; i++) all += positive[i];
    for (int threshold = 30; threshold >= 0; threshold--) {
        double hits = 0, taken = 0;
        for (int i = 0; i < SCORES; i++) {
            taken += score[i] >= threshold;
            hits += score[i] >= threshold && positive[i];
        }
        if (taken > 0) sum += (hits - before) / all * hits / taken;
        before = hits;
    }
    ck_assert_double_eq_tol(tr_average_precision(score, positive, SCORES), sum, 1e-12);
    /* scikit-learn's documentation: 0.83 for this one. */
    ck_assert_double_eq_tol(tr_average_precision((double[]){ 0.1, 0.4, 0.35, 0.8 },
                                                 (bool[]){ false, false, true, true }, 4),
                            0.8333333333333333, 1e-12);
}
END_TEST

START_TEST(quantiles)
{
    const double values[] = { 4, 1, 3, 2 };
    ck_assert_double_eq(tr_quantile(values, 4, 0), 1);
    ck_assert_double_eq(tr_quantile(values, 4, 1), 4);
    ck_assert_double_eq(tr_quantile(values, 4, 0.5), 2.5);
    ck_assert_double_eq_tol(tr_quantile(values, 4, 0.95), 3.85, 1e-12); /* numpy.quantile */
    ck_assert(isnan(tr_quantile(values, 0, 0.5)));
    ck_assert_double_eq_tol(tr_normal_quantile(0.975), 1.959963984540054, 1e-12);
    ck_assert_double_eq_tol(tr_normal_quantile(1e-10), -6.361340902404056, 1e-9);
    ck_assert_double_eq_tol(tr_normal_quantile(0.5), 0, 1e-12);
    ck_assert(isinf(tr_normal_quantile(0)) && isinf(tr_normal_quantile(1)));
}
END_TEST

START_TEST(psnr)
{
    tr_tensor *a = tr_full(TR_F32, TR_SHAPE(2, 3), 0.5), *b = tr_full(TR_F32, TR_SHAPE(2, 3), 0.6);
    ck_assert_double_eq_tol(tr_psnr(a, b), 20, 1e-4);
    ck_assert(isinf(tr_psnr(a, a)));
}
END_TEST

/* Data on a plane in five dimensions: two components hold all of it, in the right order. */
START_TEST(pca_finds_a_plane)
{
    tr_rng     rng = tr_rng_seed(3);
    tr_tensor *u = tr_normal(TR_F32, TR_SHAPE(500, 2), &rng);
    tr_tensor *axes = tr_from(TR_F32, TR_SHAPE(2, 5), (float[]){ 3, 0, 4, 0, 0, 0, 1, 0, 0, 0 });
    tr_tensor *x = tr_add_scalar(tr_matmul(u, axes), 2);
    tr_pca     pca;
    ck_assert_int_eq(tr_pca_fit(x, 2, &pca), TR_OK);
    ck_assert_double_eq_tol(fabs(tr_at(pca.components, TR_SHAPE(2, 0))), 0.8, 0.02);
    ck_assert_double_eq_tol(fabs(tr_at(pca.components, TR_SHAPE(1, 1))), 1, 0.02);
    ck_assert_double_gt(tr_at(pca.variance, TR_SHAPE(0)), tr_at(pca.variance, TR_SHAPE(1)));
    tr_tensor *z = tr_pca_encode(&pca, x), *again = tr_pca_decode(&pca, z);
    ck_assert_double_lt(tr_item(tr_mse(again, x, TR_MEAN)), 1e-9);
    const tr_tensor *spread = tr_var(z, TR_AXES(0), 0, false);
    for (int k = 0; k < 2; k++)
        ck_assert_double_eq_tol(tr_at(spread, TR_SHAPE(k)), tr_at(pca.variance, TR_SHAPE(k)), 1e-3);
    ck_assert_int_eq(tr_pca_fit(x, 6, &pca), TR_ERR_VALUE);
    ck_assert_str_eq(tr_error(), "pca: components is 6, expected 1 .. 5");
    tr_error_clear();
}
END_TEST

/* Fewer rows than columns, and columns that never vary: the covariance is singular. */
START_TEST(pca_of_few_rows)
{
    tr_rng     rng = tr_rng_seed(6);
    tr_tensor *x =
        tr_pad(tr_uniform(TR_F32, TR_SHAPE(40, 90), &rng), TR_SHAPE(0, 30), TR_SHAPE(0, 30), 0);
    tr_pca pca;
    ck_assert_int_eq(tr_pca_fit(x, 60, &pca), TR_OK);
    tr_tensor *again = tr_pca_decode(&pca, tr_pca_encode(&pca, x));
    ck_assert_double_lt(tr_item(tr_mse(again, x, TR_MEAN)), 1e-10);
    ck_assert_double_lt(fabs(tr_at(pca.variance, TR_SHAPE(40))), 1e-10);
}
END_TEST

static tr_model *small_model(const char *name, const char *latent)
{
    const tr_model_type *type = tr_model_find(name);
    tr_settings         *s = tr_settings_new(type->options);
    tr_settings_set(s, "latent", latent);
    tr_settings_set(s, "hidden", "8");
    tr_model *m = tr_model_new(type, s, TR_SHAPE(4, 5, 1), 0, 1);
    ck_assert_ptr_nonnull(m);
    tr_set_recording(false);
    return m;
}

START_TEST(traverse_changes_one_number)
{
    tr_model    *m = small_model("vae", "3");
    const float  values[] = { 0.1f, 0.2f, 0.3f };
    const double low[] = { -3, -3, -3 }, high[] = { 3, 3, 3 };
    tr_tensor   *code = tr_from(TR_F32, TR_SHAPE(3), values);
    tr_tensor   *x = tr_traverse(m, code, (int64_t[]){ 2, 0 }, 2, 5, low, high);
    ck_assert_int_eq(tr_dim(x, 0), 10);
    const float third[] = { 0.1f, 0.2f, -1.5f }, last[] = { 3, 0.2f, 0.3f };
    tr_tensor  *one = tr_model_decode(m, tr_from(TR_F32, TR_SHAPE(1, 3), third));
    ck_assert_double_lt(tr_item(tr_mse(tr_narrow(x, 0, 1, 1), one, TR_MEAN)), 1e-12);
    one = tr_model_decode(m, tr_from(TR_F32, TR_SHAPE(1, 3), last));
    ck_assert_double_lt(tr_item(tr_mse(tr_narrow(x, 0, 9, 1), one, TR_MEAN)), 1e-12);
    ck_assert_ptr_null(tr_traverse(m, code, (int64_t[]){ 3 }, 1, 5, low, high));
    ck_assert_str_eq(tr_error(), "traverse: latent 3; the code has 0 .. 2");
    tr_error_clear();
}
END_TEST

START_TEST(manifold_goes_right_and_up)
{
    tr_model  *m = small_model("vae", "2");
    tr_tensor *x = tr_manifold(m, 3, NULL, NULL);
    ck_assert_int_eq(tr_dim(x, 0), 9);
    const float q = (float)tr_normal_quantile(5.0 / 6), corner[] = { q, q };
    tr_tensor  *one = tr_model_decode(m, tr_from(TR_F32, TR_SHAPE(1, 2), corner));
    ck_assert_double_lt(tr_item(tr_mse(tr_narrow(x, 0, 2, 1), one, TR_MEAN)), 1e-12);
    m = small_model("undercomplete", "2");
    const double low[] = { 0, 10 }, high[] = { 2, 20 };
    x = tr_manifold(m, 3, low, high);
    const float middle[] = { 0, 15 };
    one = tr_model_decode(m, tr_from(TR_F32, TR_SHAPE(1, 2), middle));
    ck_assert_double_lt(tr_item(tr_mse(tr_narrow(x, 0, 3, 1), one, TR_MEAN)), 1e-12);
    ck_assert_ptr_null(tr_manifold(small_model("vae", "3"), 3, NULL, NULL));
    ck_assert_int_eq(tr_status_get(), TR_ERR_SHAPE);
    tr_error_clear();
}
END_TEST

START_TEST(mean_codes)
{
    tr_tensor       *codes = tr_from(TR_F32, TR_SHAPE(3, 2), (float[]){ 1, 2, 3, 4, 5, 8 });
    const tr_tensor *labels = tr_from(TR_I64, TR_SHAPE(3), (int64_t[]){ 1, 0, 1 });
    const tr_tensor *mean = tr_mean_code(codes, labels, 1);
    ck_assert_double_eq(tr_at(mean, TR_SHAPE(0)), 3);
    ck_assert_double_eq(tr_at(mean, TR_SHAPE(1)), 5);
    ck_assert_ptr_null(tr_mean_code(codes, labels, 2));
    tr_error_clear();
}
END_TEST

/* --- Missing values, anomalies, features ----------------------------------------------------- */

START_TEST(imputation_keeps_what_is_known)
{
    tr_rng     rng = tr_rng_seed(3);
    tr_tensor *u = tr_normal(TR_F32, TR_SHAPE(400, 2), &rng);
    tr_tensor *x = tr_matmul(u, tr_normal(TR_F32, TR_SHAPE(2, 20), &rng)); /* rank 2 */
    tr_pca     pca;
    tr_pca_fit(x, 2, &pca);
    x = tr_reshape(tr_narrow(x, 0, 0, 50), TR_SHAPE(50, 4, 5, 1));
    tr_tensor *missing = tr_less(tr_uniform_like(x, &rng), tr_full(TR_F32, TR_SCALAR, 0.3));
    tr_tensor *start = tr_zeros(TR_F32, TR_SHAPE(4, 5, 1));
    tr_tensor *filled = tr_impute_pca(&pca, x, missing, start, 100);
    ck_assert_double_eq(tr_masked_mse(filled, x, tr_logical_not(missing)), 0);
    ck_assert_double_lt(tr_masked_mse(filled, x, missing), 1e-3); /* the plane tells the rest */
    ck_assert_double_gt(tr_masked_mse(tr_impute_pca(&pca, x, missing, start, 0), x, missing), 0.5);
    tr_model *m = small_model("undercomplete", "3");
    filled = tr_impute(m, x, missing, start, 1);
    tr_tensor *known = tr_masked_fill(x, missing, 0), *y = tr_model_reconstruct(m, known);
    ck_assert_double_eq(tr_masked_mse(filled, x, tr_logical_not(missing)), 0);
    ck_assert_double_eq(tr_masked_mse(filled, y, missing), 0);
}
END_TEST

START_TEST(knn_against_a_slow_loop)
{
    enum { N = 60, M = 40, D = 3, K = 1 };
    tr_rng            rng = tr_rng_seed(9);
    const tr_features train = { tr_normal(TR_F32, TR_SHAPE(N, D), &rng),
                                tr_randint(TR_SHAPE(N), 3, &rng) };
    const tr_features test = { tr_normal(TR_F32, TR_SHAPE(M, D), &rng),
                               tr_randint(TR_SHAPE(M), 3, &rng) };
    int               right = 0;
    for (int i = 0; i < M; i++) {
        double  least = INFINITY;
        int64_t label = -1;
        for (int j = 0; j < N; j++) {
            double distance = 0;
            for (int k = 0; k < D; k++)
                distance += pow(tr_at(test.x, TR_SHAPE(i, k)) - tr_at(train.x, TR_SHAPE(j, k)), 2);
            if (distance < least) {
                least = distance;
                label = (int64_t)tr_at(train.labels, TR_SHAPE(j));
            }
        }
        right += label == (int64_t)tr_at(test.labels, TR_SHAPE(i));
    }
    ck_assert_double_eq_tol(tr_knn_accuracy(&train, &test, K), (double)right / M, 1e-12);
    /* Two votes of three beat the nearest. */
    const tr_features line = { tr_from(TR_F32, TR_SHAPE(3, 1), (float[]){ 1, 2, 3 }),
                               tr_from(TR_I64, TR_SHAPE(3), (int64_t[]){ 0, 1, 1 }) };
    const tr_features zero = { tr_zeros(TR_F32, TR_SHAPE(1, 1)), tr_ones(TR_I64, TR_SHAPE(1)) };
    ck_assert_double_eq(tr_knn_accuracy(&line, &zero, 3), 1);
    ck_assert_double_eq(tr_knn_accuracy(&line, &zero, 2), 0);
    ck_assert(isnan(tr_knn_accuracy(&(tr_features){ line.x, zero.labels }, &zero, 1)));
    tr_error_clear();
}
END_TEST

START_TEST(softmax_regression_separates)
{
    tr_rng      rng = tr_rng_seed(4);
    tr_features f[2];
    for (int s = 0; s < 2; s++) {
        f[s].labels = tr_randint(TR_SHAPE(300), 3, &rng);
        tr_tensor *centre = tr_scale(tr_one_hot(f[s].labels, 3, TR_F32), 100);
        f[s].x = tr_add(centre, tr_scale(tr_normal(TR_F32, TR_SHAPE(300, 3), &rng), 10));
    }
    ck_assert_double_gt(tr_linear_accuracy(&f[0], &f[1], 3, 1), 0.99);
}
END_TEST

START_TEST(quantised_codes)
{
    tr_tensor *z = tr_from(TR_F32, TR_SHAPE(4, 2), (float[]){ 0.1f, 5, 0.9f, 5, 1.1f, 5, 2.6f, 5 });
    double     bits = 0;
    const tr_tensor *q = tr_quantise(z, (double[]){ 1, 0 }, &bits);
    const float      wanted[] = { 0, 5, 1, 5, 1, 5, 3, 5 };
    for (int i = 0; i < 8; i++) ck_assert_float_eq(((const float *)q->data)[i], wanted[i]);
    ck_assert_double_eq_tol(bits, 1.5, 1e-12); /* frequencies 1/4, 1/2, 1/4 */
}
END_TEST

/* A row of images lands where it should; labels leave ink beside it. */
START_TEST(rows_plot)
{
    tr_tensor *images = tr_ones(TR_F32, TR_SHAPE(4, 5, 6, 1));
    tr_fill(images, 0);
    const char      *labels[] = { "a", NULL };
    const tr_tensor *p = tri_plot_rows(
        &(tri_rows_plot){ .images = images, .columns = 2, .zoom = 3, .row_labels = labels });
    ck_assert_int_eq(tr_dim(p, 2), 3);
    int64_t        black = 0;
    const uint8_t *v = p->data;
    for (int64_t i = 0; i < tr_numel(p); i += 3) black += v[i] == 0;
    ck_assert_int_eq(black, 4 * 5 * 6 * 9);
    images = tr_ones(TR_F32, TR_SHAPE(1, 5, 6, 2));
    ck_assert_ptr_null(tri_plot_rows(&(tri_rows_plot){ .images = images, .columns = 1 }));
    ck_assert_str_eq(tr_error(), "picture: images have 2 channels; 1 or 3 can be drawn");
    tr_error_clear();
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { auc_counts_pairs },
        { average_precision_sums_recall_steps },
        { quantiles },
        { psnr },
        { pca_finds_a_plane },
        { pca_of_few_rows },
        { traverse_changes_one_number },
        { manifold_goes_right_and_up },
        { mean_codes },
        { rows_plot },
        { imputation_keeps_what_is_known },
        { knn_against_a_slow_loop },
        { quantised_codes },
        { softmax_regression_separates },
        { 0 },
    };
    return run_tests("uses", NULL, NULL, tests);
}
