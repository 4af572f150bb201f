/* test_variational.c: distributions over codes: the laws of pixels, the bound and its schedule, the
 * likelihood against an integral over the code, labels. Gradients, memory and picture sizes of
 * these models are in test_models.c. */
#include "models/variational.h"
#include "tests/suite.h"

#include <math.h>
#include <string.h>

/* "name value name value ..." */
static tr_model *model(const char *name, tr_shape input, const char *const *options)
{
    const tr_model_type *type = tr_model_find(name);
    tr_settings         *s = tr_settings_new(type->options);
    for (; *options != NULL; options += 2)
        ck_assert_int_eq(tr_settings_set(s, options[0], options[1]), TR_OK);
    return tr_model_new(type, s, input, 3, 5);
}

#define MODEL(name, input, ...) model(name, input, (const char *const[]){ __VA_ARGS__, NULL })

static tr_tensor *pictures(tr_shape shape)
{
    tr_rng rng = tr_rng_seed(11);
    return tr_uniform(TR_F32, shape, &rng);
}

static tr_tensor *labels_of(const int64_t *values, int64_t n)
{
    return tr_from(TR_I64, TR_SHAPE(n), values);
}

/* The masses of the 256 grays add up to 1, wherever the mean lies and however narrow the law. */
START_TEST(logistic_masses_add_up)
{
    const char *const scales[] = { "0.3", "0.01", "0.0005" };
    tr_model  *m = MODEL("vae", TR_SHAPE(1, 1, 1), "likelihood", "logistic", "scale", scales[_i]);
    tr_tensor *grays = tr_zeros(TR_F64, TR_SHAPE(256, 1));
    for (int64_t i = 0; i < 256; i++) ((double *)grays->data)[i] = (double)i / 255;
    for (double raw = -9; raw <= 9; raw += 1.5) {
        tr_tensor *log_p = tri_log_pixels(m, tr_full(TR_F64, TR_SHAPE(256, 1), raw), grays);
        ck_assert_double_lt(fabs(tr_item(tr_logsumexp(log_p, TR_ALL_AXES, false))), 1e-9);
        tr_tensor *far = tr_amin(log_p, TR_ALL_AXES, false); /* a tail, not the logarithm of 0 */
        ck_assert(isfinite(tr_item(far)));
    }
}
END_TEST

START_TEST(gaussian_is_the_density)
{
    tr_model    *m = MODEL("vae", TR_SHAPE(1, 1, 2), "likelihood", "gaussian", "scale", "0.5");
    const double raw[] = { 0, 2 }, x[] = { 0.25, 0.75 };
    double       expected = 0;
    for (int i = 0; i < 2; i++) {
        const double d = (x[i] - 1 / (1 + exp(-raw[i]))) / 0.5;
        expected -= d * d / 2 + log(0.5 * sqrt(2 * M_PI));
    }
    tr_tensor *log_p =
        tri_log_pixels(m, tr_from(TR_F64, TR_SHAPE(1, 2), raw), tr_from(TR_F64, TR_SHAPE(1, 2), x));
    ck_assert_double_lt(fabs(tr_item(log_p) - expected), 1e-12);
}
END_TEST

/* The weight of KL rises over the first epochs of training; evaluation has it whole. */
START_TEST(kl_warms_up)
{
    tr_model    *m = MODEL("vae", TR_SHAPE(4, 4, 1), "beta", "3", "warmup", "2");
    tr_tensor   *x = pictures(TR_SHAPE(3, 4, 4, 1));
    const double epochs[] = { 0, 0.5, 1, 2, 7, 0 }, weights[] = { 0, 0.75, 1.5, 3, 3, 3 };
    for (int i = 0; i < 6; i++) {
        tr_rng rng = tr_rng_seed(1);
        m->epoch = epochs[i];
        tr_module_set_training(m->net, i < 5);
        const tr_terms t = tr_model_loss(m, x, NULL, &rng);
        const double   kl = tr_item(t.value[1]);
        ck_assert_double_gt(kl, 0.01);
        ck_assert_double_lt(fabs(tr_item(t.loss) - tr_item(t.value[0]) - weights[i] * kl), 1e-4);
    }
}
END_TEST

/* With a generous allowance the KL term is constant: latent times free_bits. */
START_TEST(free_bits_are_free)
{
    tr_model      *m = MODEL("vae", TR_SHAPE(4, 4, 1), "latent", "6", "free_bits", "50");
    tr_rng         rng = tr_rng_seed(1);
    const tr_terms t = tr_model_loss(m, pictures(TR_SHAPE(3, 4, 4, 1)), NULL, &rng);
    ck_assert_double_lt(fabs(tr_item(t.loss) - tr_item(t.value[0]) - 300), 1e-3);
    ck_assert_double_lt(tr_item(t.value[1]), 100);
}
END_TEST

/* ln p(x) of a model with one latent number: the integral of p(x|z) N(z; 0, 1) over a fine grid. */
static double integral(tr_model *m, tr_tensor *x, int64_t n)
{
    enum { POINTS = 2001 };
    double     sum = 0;
    tr_tensor *z = tr_zeros(TR_F32, TR_SHAPE(POINTS, 1));
    for (int i = 0; i < POINTS; i++) ((float *)z->data)[i] = (float)(i - POINTS / 2) * 0.008F;
    tr_tensor *y = tr_flatten(tr_model_decode(m, z), 1), *row = tr_flatten(x, 1);
    for (int i = 0; i < POINTS; i++) {
        const double at = (double)((float *)z->data)[i];
        double       log_p = -at * at / 2 - log(sqrt(2 * M_PI));
        for (int64_t p = 0; p < tr_dim(row, 1); p++) {
            const double t = tr_at(row, TR_SHAPE(n, p)), q = tr_at(y, TR_SHAPE(i, p));
            log_p += t * log(q) + (1 - t) * log(1 - q);
        }
        sum += exp(log_p) * 0.008;
    }
    return log(sum);
}

START_TEST(likelihood_is_the_integral)
{
    tr_model  *m = MODEL(_i == 0 ? "vae" : "iwae", TR_SHAPE(3, 3, 1), "latent", "1", "hidden", "8");
    tr_tensor *x = pictures(TR_SHAPE(4, 3, 3, 1));
    tr_module *decoder_last = m->net->first_child->next->next->next->first_child->next;
    tr_set_recording(false); /* a decoder that the code matters to */
    tr_assign(decoder_last->parameters.items[0].tensor,
              tr_scale(decoder_last->parameters.items[0].tensor, 4));
    tr_set_recording(true);
    tr_rng     rng = tr_rng_seed(3), again = rng;
    tr_tensor *found = tr_model_log_likelihood(m, x, NULL, 20000, &rng);
    tr_tensor *one = tr_model_log_likelihood(m, x, NULL, 1, &again);
    ck_assert(tr_same_shape(found, tr_zeros(TR_F32, TR_SHAPE(4))));
    for (int64_t n = 0; n < 4; n++)
        ck_assert_double_lt(fabs(tr_at(found, TR_SHAPE(n)) - integral(m, x, n)), 0.02);
    ck_assert_double_lt(tr_item(tr_sum(one, TR_ALL_AXES, false)),
                        tr_item(tr_sum(found, TR_ALL_AXES, false)));
    tr_model_log_likelihood(m, x, NULL, 0, &rng);
    expect_error(TR_ERR_VALUE, "log_likelihood: samples is 0; at least 1 is needed");
}
END_TEST

/* Jensen's inequality, sample by sample, and equality for k = 1. */
START_TEST(iwae_bound_is_tighter)
{
    const char *const samples[] = { "1", "5", "50" };
    tr_tensor        *x = pictures(TR_SHAPE(6, 4, 4, 1));
    for (int i = 0; i < 3; i++) {
        tr_model      *m = MODEL("iwae", TR_SHAPE(4, 4, 1), "samples", samples[i]);
        tr_rng         rng = tr_rng_seed(2);
        const tr_terms t = tr_model_loss(m, x, NULL, &rng);
        const double   gap = tr_item(t.value[1]) - tr_item(t.value[0]);
        if (i == 0)
            ck_assert_double_lt(fabs(gap), 1e-5);
        else
            ck_assert_double_gt(gap, 1e-3);
    }
}
END_TEST

START_TEST(cvae_takes_labels)
{
    tr_model     *m = MODEL("cvae", TR_SHAPE(4, 4, 1), "latent", "2");
    tr_tensor    *x = pictures(TR_SHAPE(4, 4, 4, 1));
    const int64_t given[] = { 0, 2, 1, 2 }, wrong[] = { 0, 1, 2, 3 };
    tr_rng        rng = tr_rng_seed(2);
    ck_assert(isfinite(tr_item(tr_model_loss(m, x, labels_of(given, 4), &rng).loss)));
    ck_assert_int_eq(tr_dim(tr_model_log_likelihood(m, x, labels_of(given, 4), 7, &rng), 0), 4);
    tr_tensor *z = tr_model_encode(m, x); /* [mu, one-hot] */
    ck_assert_int_eq(tr_dim(z, 1), 5);
    tr_tensor *class_part = tr_narrow(z, 1, 2, 3);
    ck_assert_double_eq(tr_item(tr_sum(class_part, TR_ALL_AXES, false)), 4);
    ck_assert_double_eq(tr_item(tr_sum(tr_square(class_part), TR_ALL_AXES, false)), 4);
    ck_assert_ptr_null(tr_error());
    tr_model_loss(m, x, NULL, &rng);
    expect_error(TR_ERR_VALUE, "cvae: the loss needs the pictures' labels; got none");
    tr_model_loss(m, x, labels_of(given, 3), &rng);
    expect_error(TR_ERR_SHAPE, "cvae: labels are i64[3], expected i64[4]");
    tr_model_loss(m, x, labels_of(wrong, 4), &rng);
    ck_assert_int_ne(tr_status_get(), TR_OK);
    tr_error_clear();
    ck_assert_ptr_null(tr_model_new(tr_model_find("cvae"), NULL, TR_SHAPE(4, 4, 1), 0, 1));
    expect_error(TR_ERR_VALUE, "cvae: the pictures have no labels; take data that has, or vae");
}
END_TEST

/* The class that encoding chooses is the one with the lowest loss, noise aside. */
START_TEST(cvae_infers_the_class)
{
    tr_model  *m = MODEL("cvae", TR_SHAPE(4, 4, 1), "latent", "2", "hidden", "6");
    tr_tensor *x = pictures(TR_SHAPE(1, 4, 4, 1));
    for (tr_module *k = m->net->first_child; k != NULL; k = k->next) /* no noise: sigma = e^-20 */
        if (strcmp(k->name, "log_variance") == 0) {
            tr_fill(k->parameters.items[0].tensor, 0);
            tr_fill(k->parameters.items[1].tensor, -40);
        }
    double  best = INFINITY;
    int64_t expected = -1;
    for (int64_t k = 0; k < 3; k++) {
        tr_rng       rng = tr_rng_seed(2);
        const double loss = tr_item(tr_model_loss(m, x, labels_of(&k, 1), &rng).loss);
        if (loss < best) {
            best = loss;
            expected = k;
        }
    }
    tr_tensor *z = tr_model_encode(m, x);
    ck_assert_double_eq(tr_at(z, TR_SHAPE(0, 2 + expected)), 1);
}
END_TEST

START_TEST(others_have_no_likelihood)
{
    tr_model *m = tr_model_new(tr_model_find("deep"), NULL, TR_SHAPE(4, 4, 1), 0, 1);
    tr_rng    rng = tr_rng_seed(1);
    ck_assert_ptr_null(tr_model_log_likelihood(m, pictures(TR_SHAPE(2, 4, 4, 1)), NULL, 5, &rng));
    expect_error(TR_ERR_STATE, "deep: gives pictures no likelihood; vae does");
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { logistic_masses_add_up, 3 },
        { gaussian_is_the_density },
        { kl_warms_up },
        { free_bits_are_free },
        { likelihood_is_the_integral, 2 },
        { iwae_bound_is_tighter },
        { cvae_takes_labels },
        { cvae_infers_the_class },
        { others_have_no_likelihood },
        { 0 },
    };
    return run_tests("variational", NULL, NULL, tests);
}
