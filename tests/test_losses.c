/* test_losses.c: what the golden cases do not reach in losses, normalisations and distributions:
 * logits of +-100, probabilities of 0 and 1, tiny variances, second derivatives, running
 * statistics, dropout, the laws that samples follow, and the exact text of every error. */
#include "nn/nn.h"
#include "tests/numeric.h"
#include "tests/suite.h"

#include <math.h>

#define F64(shape, ...) tr_from(TR_F64, shape, (const double[]){ __VA_ARGS__ })
#define I64(shape, ...) tr_from(TR_I64, shape, (const int64_t[]){ __VA_ARGS__ })
#define V(n)            TR_SHAPE(n)

static tr_tensor *numbers(tr_shape shape, uint64_t seed)
{
    tr_rng rng = tr_rng_seed(seed);
    return tr_normal(TR_F64, shape, &rng);
}

static tr_tensor *gradient(tr_tensor *y, tr_tensor *x)
{
    tr_tensor            *g = NULL;
    const tr_grad_options o = { .cotangents =
                                    (tr_tensor *[]){ tr_ones(y->dtype, tr_shape_of(y)) } };
    ck_assert_msg(tr_grad(&y, 1, &x, 1, &g, &o) == TR_OK, "%s", tr_error());
    return g;
}

static double mean_of(tr_tensor *x)
{
    return tr_item(tr_mean(x, TR_ALL_AXES, false));
}

static double variance_of(tr_tensor *x)
{
    return tr_item(tr_var(x, TR_ALL_AXES, 1, false));
}

static double near(double a, double b, double tolerance)
{
    ck_assert_msg(fabs(a - b) <= tolerance, "%.12g is not near %.12g", a, b);
    return a;
}

/* --- Losses ----------------------------------------------------------------------------------- */

/* Against long double, in units of the loss's own terms: no digit is lost to a large logit. */
static void check_logistic_loss(void)
{
    enum { COUNT = 2001 };
    tr_tensor *x = tr_linspace(TR_F64, -100, 100, COUNT);
    for (int kind = 0; kind < 4; kind++) {
        const double target = (double[]){ 0, 1, 0.25, 0.5 }[kind];
        tr_tensor   *t = tr_full(TR_F64, V(COUNT), target);
        tr_tensor   *wide = tr_logistic_loss(x, t);
        tr_tensor   *narrow = tr_logistic_loss(tr_cast(x, TR_F32), tr_cast(t, TR_F32));
        for (int64_t i = 0; i < COUNT; i++) {
            const long double v = get(x, i), tail = log1pl(expl(-fabsl(v)));
            const double      expected = (double)((v > 0 ? v : 0) - v * target + tail);
            near(get(wide, i), expected,
                 4e-16 * (1e-300 + fabs(expected) + fabs(get(x, i) * target)));
            const float       single = (float)get(x, i);
            const double from_single = (single > 0 ? (double)single : 0) - (double)single * target +
                                       log1p(exp(-fabs((double)single)));
            near(get(narrow, i), from_single,
                 4e-7 * (fabs(from_single) + fabs((double)single * target)) + 1e-38);
        }
    }
}

START_TEST(logistic_loss_is_exact)
{
    on_every_isa(check_logistic_loss);
}
END_TEST

START_TEST(losses_stay_finite_in_f32)
{
    const float logits[] = { 100, -100, 100, -100, 0 }, targets[] = { 0, 1, 1, 0, 0.5f };
    tr_tensor  *x = tr_variable(tr_from(TR_F32, V(5), logits)), *t = tr_from(TR_F32, V(5), targets);
    tr_tensor  *p = tr_variable(tr_from(TR_F32, V(4), (const float[]){ 0, 1, 0, 1 }));
    tr_tensor  *q = tr_from(TR_F32, V(4), (const float[]){ 0, 0, 1, 1 });
    tr_tensor  *v = tr_variable(tr_from(TR_F32, V(3), (const float[]){ 0, 1e-30f, 1e30f }));
    tr_tensor  *losses[] = {
        tr_bce_with_logits(x, t, TR_SUM),
        tr_bce_with_logits_weighted(x, t, tr_full(TR_F32, V(1), 3), TR_SUM),
        tr_cross_entropy(tr_reshape(x, TR_SHAPE(1, 5)), I64(V(1), 1), NULL, TR_SUM),
        tr_bernoulli_kl(x, tr_neg(x)),
        tr_logistic_log_density(x, tr_neg(x), t),
    };
    for (size_t i = 0; i < sizeof losses / sizeof losses[0]; i++) {
        ck_assert_msg(isfinite(mean_of(losses[i])), "loss %d", (int)i);
        ck_assert_msg(isfinite(mean_of(gradient(losses[i], x))), "gradient of loss %d", (int)i);
    }
    near(tr_item(losses[0]), 200 + log(2), 1e-4);
    tr_tensor *bce = tr_bce(p, q, TR_NONE);
    near(get(bce, 0), 0, 0);
    near(get(bce, 1), 100, 0);
    near(get(bce, 2), 100, 0);
    near(get(bce, 3), 0, 0);
    ck_assert(isfinite(mean_of(gradient(bce, p))));
    tr_tensor *nll =
        tr_gaussian_nll(tr_ones(TR_F32, V(3)), tr_zeros(TR_F32, V(3)), v, NULL, TR_SUM);
    ck_assert(isfinite(tr_item(nll)) && isfinite(mean_of(gradient(nll, v))));
}
END_TEST

static tr_tensor *loss_bce(tr_tensor *a, tr_tensor *b)
{
    return tr_bce(tr_sigmoid(a), tr_sigmoid(b), TR_MEAN);
}
static tr_tensor *loss_weighted(tr_tensor *a, tr_tensor *b)
{
    return tr_bce_with_logits_weighted(a, tr_sigmoid(b), tr_exp(b), TR_MEAN);
}
static tr_tensor *loss_smooth(tr_tensor *a, tr_tensor *b)
{
    return tr_smooth_l1(a, b, 0.5, TR_SUM);
}
static tr_tensor *loss_cosine(tr_tensor *a, tr_tensor *b) { return tr_cosine_similarity(a, b, 1); }
static tr_tensor *loss_triplet(tr_tensor *a, tr_tensor *b)
{
    return tr_triplet(a, b, tr_neg(b), 2, TR_SUM);
}
static tr_tensor *loss_info(tr_tensor *a, tr_tensor *b) { return tr_info_nce(a, b, 0.5, TR_MEAN); }
static tr_tensor *loss_classes(tr_tensor *a, tr_tensor *b)
{
    const tr_class_options o = { .weight = tr_select(tr_exp(b), 0, 0), .label_smoothing = 0.2 };
    return tr_cross_entropy(a, I64(V(3), 0, 3, 1), &o, TR_MEAN);
}
static tr_tensor *loss_gaussian(tr_tensor *a, tr_tensor *b)
{
    return tr_gaussian_nll(a, tr_square(a), tr_exp(b), NULL, TR_MEAN);
}
static tr_tensor *norm_group(tr_tensor *a, tr_tensor *b)
{
    tr_tensor *scale = tr_select(b, 0, 0), *shift = tr_select(b, 0, 1);
    return tr_group_norm(tr_reshape(a, TR_SHAPE(1, 3, 4)), 2, scale, shift, 1e-2);
}
static tr_tensor *norm_batch(tr_tensor *a, tr_tensor *b)
{
    const tr_batch_norm_state s = { tr_select(b, 0, 0), tr_select(b, 0, 1), tr_zeros(TR_F64, V(4)),
                                    tr_ones(TR_F64, V(4)), 0.1, 1e-2 };
    return tr_batch_norm(a, &s, true);
}
static tr_tensor *norm_rms(tr_tensor *a, tr_tensor *b)
{
    return tr_rms_norm(a, tr_select(b, 0, 0), 1e-2);
}
static tr_tensor *sample_normal(tr_tensor *a, tr_tensor *b)
{
    return tr_normal_sample(a, b, &(tr_rng){ .seed = 3 });
}
static tr_tensor *sample_laplace(tr_tensor *a, tr_tensor *b)
{
    return tr_laplace_sample(a, b, &(tr_rng){ .seed = 3 });
}
static tr_tensor *sample_logistic(tr_tensor *a, tr_tensor *b)
{
    return tr_logistic_sample(a, b, &(tr_rng){ .seed = 3 });
}
static tr_tensor *sample_gumbel(tr_tensor *a, tr_tensor *b)
{
    return tr_mul(tr_gumbel_softmax(a, 0.7, false, &(tr_rng){ .seed = 3 }), b);
}
static tr_tensor *divergence_logistic(tr_tensor *a, tr_tensor *b)
{
    return tr_logistic_kl(a, tr_scale(b, 0.2), b, tr_scale(a, 0.2));
}

static tr_tensor *apply_two(void *context, tr_tensor *const *inputs)
{
    return (*(tr_tensor * (**)(tr_tensor *, tr_tensor *)) context)(inputs[0], inputs[1]);
}

START_TEST(second_derivatives)
{
    tr_tensor *(*const functions[])(tr_tensor *, tr_tensor *) = {
        loss_bce,       loss_weighted,   loss_smooth,   loss_cosine,
        loss_triplet,   loss_info,       loss_classes,  loss_gaussian,
        norm_group,     norm_batch,      norm_rms,      sample_normal,
        sample_laplace, sample_logistic, sample_gumbel, divergence_logistic,
    };
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        tr_scope            *scope = tr_scope_push();
        tr_tensor *in[2] = { tr_variable(numbers(TR_SHAPE(3, 4), 1)),
                             tr_variable(numbers(TR_SHAPE(3, 4), 2)) };
        tr_gradcheck_result  result;
        tr_gradcheck_options options = { .order = 2, .table = stderr };
        tr_tensor *(*function)(tr_tensor *, tr_tensor *) = functions[i];
        ck_assert_msg(tr_gradcheck(apply_two, &function, in, 2, &options, &result) == TR_OK,
                      "%d: %s", (int)i, tr_error());
        ck_assert_msg(result.passed, "function %d, order %d: error %g", (int)i, result.order,
                      result.worst_error);
        tr_scope_pop(scope);
    }
}
END_TEST

START_TEST(kinks_follow_pytorch)
{
    tr_tensor *x = tr_variable(F64(V(3), 1, 2, 0)), *t = F64(V(3), 1, 1, 1);
    near(tr_item(tr_l1(x, t, TR_SUM)), 2, 0);
    near(get(gradient(tr_l1(x, t, TR_SUM), x), 0), 0, 0);
    near(get(gradient(tr_hinge(x, t, TR_SUM), x), 0), 0, 0);
    near(get(gradient(tr_hinge(x, t, TR_SUM), x), 2), -1, 0);
    near(tr_item(tr_huber(x, t, 1, TR_SUM)), 1, 0);
}
END_TEST

/* --- Normalisation and dropout ---------------------------------------------------------------- */

START_TEST(batch_norm_remembers)
{
    tr_tensor *x = F64(TR_SHAPE(4, 1), 1, 2, 3, 6);
    const tr_batch_norm_state s = { NULL, NULL, tr_zeros(TR_F64, V(1)), tr_ones(TR_F64, V(1)),
                                    0.1,  1e-5 };
    tr_tensor *y = tr_batch_norm(x, &s, true);
    near(mean_of(y), 0, 1e-15);
    near(get(s.running_mean, 0), 0.3, 1e-15);
    near(get(s.running_var, 0), 0.9 + 0.1 * 14 / 3, 1e-15);
    y = tr_batch_norm(x, &s, false);
    near(get(y, 3), (6 - 0.3) / sqrt(0.9 + 0.1 * 14 / 3 + 1e-5), 1e-14);
    near(get(s.running_mean, 0), 0.3, 1e-15);
}
END_TEST

START_TEST(dropout_keeps_the_mean)
{
    tr_rng     rng = tr_rng_seed(4);
    tr_tensor *x = tr_variable(tr_ones(TR_F32, TR_SHAPE(100, 4, 5, 50)));
    tr_tensor *y = tr_dropout(x, 0.2, &rng);
    near(mean_of(y), 1, 6 * 0.5 / sqrt(100000.0));
    for (int64_t i = 0; i < tr_numel(y); i++) ck_assert(get(y, i) == 0 || get(y, i) == 1.25);
    expect_equal(gradient(y, x), y, "gradient of dropout", 0);
    tr_tensor *z = tr_channel_dropout(x, 0.5, &rng), *maps = tr_mean(z, TR_AXES(1, 2), false);
    near(mean_of(z), 1, 6 / sqrt(5000.0));
    for (int64_t i = 0; i < tr_numel(maps); i++) ck_assert(get(maps, i) == 0 || get(maps, i) == 2);
    near(mean_of(tr_dropout(x, 0, &rng)), 1, 0);
    near(mean_of(tr_dropout(x, 1, &rng)), 0, 0);
}
END_TEST

/* --- Distributions ---------------------------------------------------------------------------- */

START_TEST(samples_have_the_right_moments)
{
    enum { COUNT = 100000 };
    tr_rng       rng = tr_rng_seed(11);
    const double noise = 6 / sqrt((double)COUNT), scale = exp(0.3);
    tr_tensor   *mu = tr_full(TR_F64, V(COUNT), 2), *log_scale = tr_scalar(TR_F64, 0.3);
    tr_tensor   *y = tr_normal_sample(mu, log_scale, &rng);
    near(mean_of(y), 2, noise * sqrt(scale));
    near(variance_of(y), scale, noise * scale * sqrt(2.0));
    y = tr_laplace_sample(mu, log_scale, &rng);
    near(mean_of(y), 2, noise * 2 * scale);
    near(variance_of(y), 2 * scale * scale, noise * scale * scale * sqrt(20.0));
    near(mean_of(tr_abs(tr_add_scalar(y, -2))), scale, noise * scale);
    y = tr_logistic_sample(mu, log_scale, &rng);
    const double pi = acos(-1.0), variance = scale * scale * pi * pi / 3;
    near(mean_of(y), 2, noise * sqrt(variance));
    near(variance_of(y), variance, noise * variance * 2);
    near(mean_of(tr_bernoulli_sample(tr_full(TR_F64, V(COUNT), log(0.2 / 0.8)), &rng)), 0.2,
         noise * 0.4);
}
END_TEST

START_TEST(categorical_samples_have_the_right_frequencies)
{
    enum { COUNT = 60000 };
    tr_rng       rng = tr_rng_seed(12);
    const double p[3] = { 0.5, 0.3, 0.2 };
    tr_tensor *logits =
        tr_variable(tr_expand(tr_log(F64(V(3), p[0], p[1], p[2])), TR_SHAPE(COUNT, 3)));
    tr_tensor   *index = tr_categorical_sample(logits, &rng);
    tr_rng       again = rng;
    tr_tensor   *hard = tr_gumbel_softmax(logits, 0.5, true, &rng);
    tr_tensor   *soft = tr_gumbel_softmax(logits, 0.5, false, &again);
    ck_assert_int_eq(index->dtype, TR_I64);
    for (int k = 0; k < 3; k++) {
        int64_t drawn = 0;
        for (int64_t i = 0; i < COUNT; i++) drawn += get(index, i) == k;
        near((double)drawn / COUNT, p[k], 6 * 0.5 / sqrt((double)COUNT));
        near(mean_of(tr_select(hard, 1, k)), p[k], 6 * 0.5 / sqrt((double)COUNT));
    }
    for (int64_t i = 0; i < tr_numel(hard); i++) ck_assert(get(hard, i) == 0 || get(hard, i) == 1);
    expect_equal(gradient(tr_square(tr_add_scalar(hard, 0)), hard), tr_scale(hard, 2),
                 "by the sample", 0);
    tr_tensor *weight = tr_arange(TR_F64, 3);
    expect_equal(gradient(tr_mul(hard, weight), logits), gradient(tr_mul(soft, weight), logits),
                 "straight through", 0);
}
END_TEST

/* E_p[ln p - ln q] by a fine midpoint rule, of densities that are operations themselves. */
static double integrate(tr_tensor *(*density)(tr_tensor *, tr_tensor *, tr_tensor *),
                        const double p[2], const double q[2])
{
    enum { COUNT = 200000 };
    const double width = 200;
    tr_tensor *x =
        tr_affine(tr_arange(TR_F64, COUNT), width / COUNT, 0.5 * width / COUNT - width / 2);
    tr_tensor   *log_p = density(x, tr_scalar(TR_F64, p[0]), tr_scalar(TR_F64, p[1]));
    tr_tensor   *log_q = density(x, tr_scalar(TR_F64, q[0]), tr_scalar(TR_F64, q[1]));
    near(mean_of(tr_exp(log_p)) * width, 1, 1e-6);
    return mean_of(tr_mul(tr_exp(log_p), tr_sub(log_p, log_q))) * width;
}

START_TEST(divergences_equal_integrals)
{
    struct {
        tr_tensor *(*density)(tr_tensor *, tr_tensor *, tr_tensor *);
        tr_tensor *(*divergence)(tr_tensor *, tr_tensor *, tr_tensor *, tr_tensor *);
    } const laws[] = { { tr_normal_log_density, tr_normal_kl },
                       { tr_laplace_log_density, tr_laplace_kl },
                       { tr_logistic_log_density, tr_logistic_kl } };
    const double cases[][4] = { { 0, 0, 0, 0 },       { 1, 0.5, -0.5, 0 },  { -2, -1, 1, 1 },
                                { 0.3, 1.386, 0, 0 }, { 4, 0, -4, 0.2 },    { 0, -1.5, 0.1, 0 } };
    for (size_t law = 0; law < 3; law++)
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            tr_scope     *scope = tr_scope_push();
            const double *c = cases[i];
            tr_tensor *kl = laws[law].divergence(tr_scalar(TR_F64, c[0]), tr_scalar(TR_F64, c[1]),
                                                 tr_scalar(TR_F64, c[2]), tr_scalar(TR_F64, c[3]));
            near(tr_item(kl), integrate(laws[law].density, c, c + 2), law == 2 ? 1e-6 : 1e-5);
            tr_scope_pop(scope);
        }
}
END_TEST

START_TEST(samples_repeat_and_differ)
{
    tr_rng     a = tr_rng_seed(1), b = tr_rng_seed(1);
    tr_tensor *mu = tr_zeros(TR_F32, TR_SHAPE(3, 5)), *logvar = tr_zeros(TR_F32, V(5));
    tr_tensor *first = tr_normal_sample(mu, logvar, &a), *second = tr_normal_sample(mu, logvar, &a);
    expect_equal(tr_normal_sample(mu, logvar, &b), first, "sample", 0);
    for (int64_t i = 0; i < 15; i++) ck_assert(get(first, i) != get(second, i));
}
END_TEST

/* --- Errors ----------------------------------------------------------------------------------- */

START_TEST(errors)
{
    tr_tensor *x = tr_zeros(TR_F32, TR_SHAPE(2, 3)), *t = I64(V(2), 0, 3),
              *v = tr_zeros(TR_F32, V(2));
    tr_rng     rng = tr_rng_seed(1);
    expect_null(
        tr_mse(x, tr_zeros(TR_F32, TR_SHAPE(4, 3)), TR_MEAN),
        "mse: shapes do not broadcast: x is f32[2, 3], t is f32[4, 3]; sizes must be equal or 1, "
        "counted from the last axis");
    expect_null(tr_huber(x, x, 0, TR_MEAN), "huber: delta is 0, above 0 is needed");
    expect_null(tr_smooth_l1(x, x, -1, TR_MEAN), "smooth_l1: beta is -1, 0 or more is needed");
    expect_null(
        tr_cross_entropy(x, t, NULL, TR_MEAN),
        "cross_entropy: index 3 is not below 3, the size of axis 1: x is f32[2, 3], index is "
        "i64[2, 1]");
    expect_null(
        tr_cross_entropy(x, v, NULL, TR_MEAN),
        "cross_entropy: x is f32[2, 3], t is f32[2]; x [..., C] and t i64 [...] are needed");
    expect_null(tr_nll(x, t, &(tr_class_options){ .weight = v }, TR_MEAN),
                "nll: x is f32[2, 3], weight is f32[2]; one weight per class is needed");
    expect_null(tr_cross_entropy(x, t, &(tr_class_options){ .label_smoothing = 2 }, TR_MEAN),
                "cross_entropy: label_smoothing is 2, it lies in [0, 1]");
    expect_null(tr_info_nce(x, x, 0, TR_MEAN),
                "info_nce: query is f32[2, 3], key is f32[2, 3], temperature is 0; "
                "both [N, D] and above 0 are needed");
    expect_null(tr_mse(tr_zeros(TR_F32, V(0)), tr_zeros(TR_F32, V(0)), TR_MEAN),
                "mse: of no values: x is f32[0]");
    expect_null(tr_layer_norm(x, v, NULL, 1e-5),
                "layer_norm: the last sizes differ: x is f32[2, 3], scale is f32[2]");
    expect_null(tr_group_norm(x, 2, NULL, NULL, 1e-5),
                "group_norm: 2 groups do not divide 3 channels");
    expect_null(tr_instance_norm(x, NULL, NULL, 1e-5),
                "instance_norm: 3 or more axes are needed: x is f32[2, 3]");
    expect_null(tr_rms_norm(x, v, 1e-5),
                "rms_norm: one value per channel is needed: x is f32[2, 3], scale is f32[2]");
    const tr_batch_norm_state s = { NULL, NULL, tr_zeros(TR_F32, V(3)), tr_ones(TR_F32, V(3)),
                                    0.1,  1e-5 };
    expect_null(tr_batch_norm(tr_narrow(x, 0, 0, 1), &s, true),
                "batch_norm: training needs more than one value per channel: x is f32[1, 3]");
    expect_null(tr_dropout(x, 1.5, &rng), "dropout: the rate is 1.5, it lies in [0, 1]");
    expect_null(tr_gumbel_softmax(x, 0, false, &rng),
                "gumbel_softmax: temperature is 0, above 0 is needed");
    ck_assert(isnan(tr_item(tr_nll(
        x, I64(V(2), 1, 1), &(tr_class_options){ .ignore = true, .ignore_index = 1 }, TR_MEAN))));
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { logistic_loss_is_exact },
        { losses_stay_finite_in_f32 },
        { second_derivatives },
        { kinks_follow_pytorch },
        { batch_norm_remembers },
        { dropout_keeps_the_mean },
        { samples_have_the_right_moments },
        { categorical_samples_have_the_right_frequencies },
        { divergences_equal_integrals },
        { samples_repeat_and_differ },
        { errors },
        { 0 },
    };
    return run_tests("losses", NULL, NULL, tests);
}
