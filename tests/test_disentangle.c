/* test_disentangle.c: scores of codes that are known to be perfect, mixed, doubled or unrelated. */
#include "train/train.h"
#include "tests/suite.h"

#include <math.h>

enum { N = 6000, K = 4 };

static const tr_factor lines[K] = { { "a", 0, 0 }, { "b", 0, 0 }, { "c", 0, 0 }, { "d", 0, 0 } };

/* Uniform independent factors [N, K] f64. */
static tr_tensor *draw_factors(void)
{
    tr_rng rng = tr_rng_seed(3);
    tr_set_recording(false);
    return tr_uniform(TR_F64, TR_SHAPE(N, K), &rng);
}

static tr_disentanglement score(tr_tensor *codes, const tr_tensor *factors)
{
    tr_disentanglement s;
    ck_assert_int_eq(tr_disentanglement_scores(codes, factors->data, lines, K, &s), TR_OK);
    return s;
}

START_TEST(a_perfect_code_scores_one)
{
    tr_tensor         *v = draw_factors();
    tr_tensor         *order = tr_from(TR_I64, TR_SHAPE(K), (int64_t[]){ 2, 0, 3, 1 });
    tr_tensor         *codes = tr_affine(tr_index_select(v, 1, order), -3, 0.5);
    tr_disentanglement s = score(tr_cast(codes, TR_F32), v);
    ck_assert_double_gt(s.mig, 0.97); /* chance shares 361 / (2 N) nats of ln 20 */
    ck_assert_double_gt(s.disentanglement, 0.999);
    ck_assert_double_gt(s.completeness, 0.999);
    ck_assert_double_gt(s.informativeness, 0.999);
}
END_TEST

/* Each number is the sum of all factors with signs: a rotation of the perfect code. */
START_TEST(a_rotated_code_tells_all_but_is_entangled)
{
    tr_tensor         *v = draw_factors();
    const double       turn[K * K] = { 1, 1, 1, 1, 1, -1, 1, -1, 1, 1, -1, -1, 1, -1, -1, 1 };
    tr_tensor         *codes = tr_matmul(v, tr_from(TR_F64, TR_SHAPE(K, K), turn));
    tr_disentanglement s = score(codes, v);
    ck_assert_double_lt(s.mig, 0.05);
    ck_assert_double_lt(s.disentanglement, 0.01);
    ck_assert_double_lt(s.completeness, 0.01);
    ck_assert_double_gt(s.informativeness, 0.99);
}
END_TEST

/* Twice the same number: the best two know equally much, though each tells of one factor. */
START_TEST(a_doubled_code_has_no_gap)
{
    tr_tensor         *v = draw_factors();
    tr_tensor         *codes = tr_concat((tr_tensor *[]){ v, tr_scale(v, 2) }, 2, 1);
    tr_disentanglement s = score(codes, v);
    ck_assert_double_lt(s.mig, 1e-9);
    ck_assert_double_gt(s.disentanglement, 0.999);
}
END_TEST

START_TEST(noise_tells_nothing)
{
    tr_tensor         *v = draw_factors();
    tr_rng             rng = tr_rng_seed(9);
    tr_disentanglement s = score(tr_normal(TR_F32, TR_SHAPE(N, 5), &rng), v);
    ck_assert_double_lt(s.mig, 0.02);
    ck_assert_double_lt(s.informativeness, 0.01);
    s = score(tr_zeros(TR_F32, TR_SHAPE(N, 2)), v);
    ck_assert_double_eq(s.mig, 0);
    ck_assert_double_eq(s.disentanglement, 0);
    ck_assert_double_eq(s.informativeness, 0);
}
END_TEST

/* The true factors of shapes as a code: classes as indicators, the angle as cosine and sine. */
START_TEST(classes_and_angles_are_told)
{
    enum { SHAPES = 3000, FACTORS = 5, CODES = 8 };
    const double    circle = 2 * acos(-1);
    const tr_factor factors[] = {
        { "shape", 3, 0 }, { "scale", 0, 0 }, { "angle", 0, circle }, { "x", 0, 0 }, { "y", 0, 0 }
    };
    const tr_dataset *d = tr_dataset_open("shapes", NULL);
    static double     values[SHAPES * FACTORS];
    tr_tensor        *codes = tr_zeros(TR_F64, TR_SHAPE(SHAPES, CODES));
    for (int64_t i = 0; i < SHAPES; i++) {
        double v[8], *z = (double *)codes->data + i * CODES;
        ck_assert_int_eq(tr_dataset_factors(d, TR_TEST, i, v), FACTORS);
        for (int k = 0; k < FACTORS; k++) values[i * FACTORS + k] = v[k];
        z[(int)v[0]] = 1;
        z[3] = v[1];
        z[4] = cos(v[2]);
        z[5] = sin(v[2]);
        z[6] = v[3];
        z[7] = v[4];
    }
    tr_disentanglement s;
    ck_assert_int_eq(tr_disentanglement_scores(codes, values, factors, FACTORS, &s), TR_OK);
    ck_assert_double_gt(s.disentanglement, 0.95);
    ck_assert_double_gt(s.informativeness, 0.99);
    ck_assert_double_gt(s.completeness, 0.75); /* shape and angle take several numbers */
}
END_TEST

START_TEST(codes_are_rows)
{
    tr_disentanglement s;
    ck_assert_int_eq(tr_disentanglement_scores(tr_zeros(TR_F32, TR_SHAPE(3)), NULL, lines, K, &s),
                     TR_ERR_SHAPE);
    ck_assert_str_eq(tr_error(), "disentanglement: codes are f32[3] of 4 factors; expected "
                                 "[N, D], N >= 2, D at most 4096, of 1 .. 8 factors");
    tr_error_clear();
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { a_perfect_code_scores_one },
        { a_rotated_code_tells_all_but_is_entangled },
        { a_doubled_code_has_no_gap },
        { noise_tells_nothing },
        { classes_and_angles_are_told },
        { codes_are_rows },
        { 0 },
    };
    return run_tests("disentangle", NULL, NULL, tests);
}
