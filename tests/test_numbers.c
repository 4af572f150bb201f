/* test_numbers.c: numbers at the ends of their range. Losses and log-densities agree with long
 * double where a formula written down naively would overflow or lose every digit (logits of +-100,
 * variances of 1e-12, probabilities of 0 and 1), in f32 and f64; empty batches and batches of one;
 * denormals survive; a training whose numbers overflow stops and says where it began. */
#include "tensor/core.h"
#include "tests/files.h"
#include "train/train.h"
#include "tests/suite.h"

#include <float.h>
#include <math.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static tr_scope *scope;

static void setup(void)
{
    tr_set_threads(1);
    scope = tr_scope_push();
}

static void teardown(void)
{
    tr_error_clear();
    tr_scope_pop(scope);
}

/* --- Against long double ---------------------------------------------------------------------- */

/* The value at (a, b, c) and in *terms the size of the largest term that it is a sum of. */
typedef long double (*reference)(long double a, long double b, long double c, long double *terms);
typedef tr_tensor *(*loss)(tr_tensor *a, tr_tensor *b, tr_tensor *c);

static long double softplus(long double x)
{
    return fmaxl(x, 0) + log1pl(expl(-fabsl(x)));
}

static long double ref_logits(long double x, long double t, long double c, long double *terms)
{
    (void)c, (void)terms;
    return t * softplus(-x) + (1 - t) * softplus(x);
}

static tr_tensor *loss_logits(tr_tensor *x, tr_tensor *t, tr_tensor *c)
{
    (void)c;
    return tr_bce_with_logits(x, t, TR_NONE);
}

static tr_tensor *density_bernoulli(tr_tensor *x, tr_tensor *t, tr_tensor *c)
{
    (void)c;
    return tr_neg(tr_bernoulli_log_density(t, x));
}

static long double ref_bce(long double p, long double t, long double c, long double *terms)
{
    (void)c;
    *terms = 1; /* 1 - p is rounded once */
    return -t * fmaxl(logl(p), -100) - (1 - t) * fmaxl(log1pl(-p), -100);
}

static tr_tensor *loss_bce(tr_tensor *p, tr_tensor *t, tr_tensor *c)
{
    (void)c;
    return tr_bce(p, t, TR_NONE);
}

static long double ref_gaussian(long double x, long double t, long double v, long double *terms)
{
    *terms = fabsl(logl(v));
    return 0.5L * (logl(v) + (x - t) * (x - t) / v);
}

static tr_tensor *loss_gaussian(tr_tensor *x, tr_tensor *t, tr_tensor *v)
{
    return tr_gaussian_nll(x, t, v, &(tr_nll_options){ .epsilon = 1e-13 }, TR_NONE);
}

static long double ref_normal(long double x, long double mu, long double lv, long double *terms)
{
    *terms = fabsl(lv) + 2;
    return -0.5L * (logl(2 * acosl(-1)) + lv + (x - mu) * (x - mu) * expl(-lv));
}

static long double ref_standard_kl(long double mu, long double lv, long double c,
                                   long double *terms)
{
    (void)c;
    *terms = fabsl(lv) + 1;
    return 0.5L * (mu * mu + expl(lv) - lv - 1);
}

static tr_tensor *standard_kl(tr_tensor *mu, tr_tensor *lv, tr_tensor *c)
{
    (void)c;
    return tr_kl_standard_normal(tr_unsqueeze(mu, -1), tr_unsqueeze(lv, -1));
}

static long double ref_bernoulli_kl(long double p, long double q, long double c, long double *terms)
{
    (void)c;
    *terms = fabsl(p) + fabsl(q) + 1;
    const long double on = 1 / (1 + expl(-p)), off = 1 / (1 + expl(p));
    return on * (softplus(-q) - softplus(-p)) + off * (softplus(q) - softplus(p));
}

static tr_tensor *bernoulli_kl(tr_tensor *p, tr_tensor *q, tr_tensor *c)
{
    (void)c;
    return tr_bernoulli_kl(p, q);
}

static long double ref_poisson(long double x, long double t, long double c, long double *terms)
{
    (void)c;
    *terms = fabsl(t * x);
    return expl(x) - t * x;
}

static tr_tensor *loss_poisson(tr_tensor *x, tr_tensor *t, tr_tensor *c)
{
    (void)c;
    return tr_poisson_nll(x, t, NULL, TR_NONE);
}

static long double ref_laplace(long double x, long double mu, long double ls, long double *terms)
{
    *terms = fabsl(ls) + 1;
    return -logl(2) - ls - fabsl(x - mu) * expl(-ls);
}

static long double ref_logistic(long double x, long double mu, long double ls, long double *terms)
{
    const long double z = (x - mu) * expl(-ls);
    *terms = fabsl(ls) + fabsl(z);
    return -z - ls - 2 * softplus(-z);
}

static long double ref_classes(long double a, long double b, long double c, long double *terms)
{
    const long double most = fmaxl(a, fmaxl(b, c));
    *terms = fabsl(a) + fabsl(most);
    return most + logl(expl(a - most) + expl(b - most) + expl(c - most)) - a;
}

static tr_tensor *loss_classes(tr_tensor *a, tr_tensor *b, tr_tensor *c)
{
    tr_tensor *logits = tr_stack((tr_tensor *[]){ a, b, c }, 3, 1);
    return tr_cross_entropy(logits, tr_zeros(TR_I64, TR_SHAPE(tr_dim(a, 0))), NULL, TR_NONE);
}

static const struct {
    const char *name;
    loss        call;
    reference   exact;
    double      a[12], b[6], c[6]; /* a NaN ends each */
} hard[] = {
#define LOGITS                                                                                     \
    {                                                                                              \
        -100, -88.8, -20, -1e-7, 0, 1e-30, 1e-7, 0.5, 17, 88.8, 100, NAN                           \
    }
#define UNIT                                                                                       \
    {                                                                                              \
        0, 1e-6, 0.3, 1, NAN                                                                       \
    }
#define ONE                                                                                        \
    {                                                                                              \
        1, NAN                                                                                     \
    }
    { "bce_with_logits", loss_logits, ref_logits, LOGITS, UNIT, ONE },
    { "bernoulli_log_density", density_bernoulli, ref_logits, LOGITS, UNIT, ONE },
    { "bernoulli_kl", bernoulli_kl, ref_bernoulli_kl, LOGITS, { -100, -1, 0, 100, NAN }, ONE },
    { "bce", loss_bce, ref_bce, { 0, 1e-38, 1e-12, 1e-3, 0.5, 0.9999999, 1, NAN }, UNIT, ONE },
    { "gaussian_nll",
      loss_gaussian,
      ref_gaussian,
      { -100, -1e-6, 0, 1e-3, 100, NAN },
      { 0, 0.5, 100, NAN },
      { 1e-12, 1e-6, 1, 1e12, NAN } },
    { "normal_log_density",
      tr_normal_log_density,
      ref_normal,
      { -100, -1e-6, 0, 1e-3, 100, NAN },
      { 0, 0.5, 100, NAN },
      { -27.6, -1, 0, 27.6, NAN } },
    { "kl_standard_normal",
      standard_kl,
      ref_standard_kl,
      LOGITS,
      { -27.6, -1, 0, 20, 80, NAN },
      ONE },
    { "poisson_nll", loss_poisson, ref_poisson, LOGITS, { 0, 1, 1000, NAN }, ONE },
    { "laplace_log_density",
      tr_laplace_log_density,
      ref_laplace,
      { -100, 0, 1e-6, 100, NAN },
      { 0, 100, NAN },
      { -27.6, 0, 27.6, NAN } },
    { "logistic_log_density",
      tr_logistic_log_density,
      ref_logistic,
      { -100, 0, 1e-6, 100, NAN },
      { 0, 100, NAN },
      { -10, 0, 27.6, NAN } },
    { "cross_entropy",
      loss_classes,
      ref_classes,
      LOGITS,
      { -100, 0, 100, NAN },
      { -100, 99, NAN } },
};

static int length(const double *list)
{
    int n = 0;
    while (!isnan(list[n])) n++;
    return n;
}

static tr_tensor *column(tr_dtype dtype, const double *list, int64_t n, int64_t every)
{
    tr_tensor *t = tr_empty(TR_F64, TR_SHAPE(n));
    for (int64_t i = 0; i < n; i++) ((double *)t->data)[i] = list[i / every % length(list)];
    return tr_cast(t, dtype);
}

static void ck_hard(size_t k, tr_dtype dtype)
{
    const int64_t nc = length(hard[k].c), nb = length(hard[k].b), n = nc * nb * length(hard[k].a);
    tr_tensor    *c = column(dtype, hard[k].c, n, 1), *b = column(dtype, hard[k].b, n, nc);
    tr_tensor    *a = column(dtype, hard[k].a, n, nc * nb), *y = hard[k].call(a, b, c);
    const long double unit = dtype == TR_F32 ? FLT_EPSILON : DBL_EPSILON;
    ck_assert_msg(tr_error() == NULL, "%s", tr_error());
    for (int64_t i = 0; i < n; i++) {
        const double v[] = { tr_at(a, TR_SHAPE(i)), tr_at(b, TR_SHAPE(i)), tr_at(c, TR_SHAPE(i)) };
        long double  terms = 0;
        const long double exact = hard[k].exact(v[0], v[1], v[2], &terms);
        const double      got = tr_at(y, TR_SHAPE(i));
        if (fabsl(exact) > (dtype == TR_F32 ? FLT_MAX : DBL_MAX)) {
            ck_assert_msg(isinf(got), "%s(%g, %g, %g) = %g", hard[k].name, v[0], v[1], v[2], got);
            continue;
        }
        const long double allowed =
            16 * unit * (fabsl(exact) + terms) + (dtype == TR_F32 ? FLT_MIN : DBL_MIN);
        ck_assert_msg(fabsl(got - exact) <= allowed, "%s %s(%g, %g, %g) is %.17g, not %.17Lg",
                      tr_dtype_name(dtype), hard[k].name, v[0], v[1], v[2], got, exact);
    }
}

START_TEST(losses_agree_with_long_double)
{
    for (size_t k = 0; k < COUNT(hard); k++) {
        ck_hard(k, TR_F32);
        ck_hard(k, TR_F64);
    }
}
END_TEST

/* --- Nothing, and one ------------------------------------------------------------------------- */

START_TEST(an_empty_batch)
{
    tr_tensor *none = tr_variable(tr_zeros(TR_F32, TR_SHAPE(0, 3)));
    tr_tensor *sum = tr_mse(none, tr_zeros(TR_F32, TR_SHAPE(0, 3)), TR_SUM);
    ck_assert_double_eq(tr_item(sum), 0);
    ck_assert_msg(tr_backward(sum) == TR_OK, "%s", tr_error());
    ck_assert_int_eq(tr_numel(none->grad), 0);
    ck_assert_int_eq(tr_numel(tr_cross_entropy(none, tr_zeros(TR_I64, TR_SHAPE(0)), NULL, TR_NONE)),
                     0);
    ck_assert_ptr_null(tr_error());
    ck_assert_ptr_null(tr_mse(none, none, TR_MEAN)); /* 0 / 0 */
    expect_error(TR_ERR_SHAPE, "mse: of no values: x is f32[0, 3]");
}
END_TEST

START_TEST(a_batch_of_one)
{
    tr_module *norm = tr_nn_batch_norm(3);
    tr_module_init(norm, 1);
    ck_assert_ptr_null(tr_forward(norm, tr_ones(TR_F32, TR_SHAPE(1, 3))));
    expect_error(TR_ERR_SHAPE,
                 "batch_norm: training needs more than one value per channel: x is f32[1, 3]");
    tr_module_set_training(norm, false);
    ck_assert_ptr_nonnull(tr_forward(norm, tr_ones(TR_F32, TR_SHAPE(1, 3))));
    tr_tensor *y = tr_layer_norm(tr_full(TR_F32, TR_SHAPE(1, 1), 1e30), NULL, NULL, 1e-5);
    ck_assert_double_eq(tr_item(y), 0);
}
END_TEST

/* --- Small and large -------------------------------------------------------------------------- */

START_TEST(denormals_survive)
{
    const float  tiny = 1e-40F;
    tr_tensor   *x = tr_full(TR_F32, TR_SHAPE(67), (double)tiny);
    const double kept = (double)tiny;
    ck_assert_double_eq(tr_at(tr_scale(x, 1), TR_SHAPE(66)), kept);
    ck_assert_double_eq(tr_at(tr_add(x, x), TR_SHAPE(3)), 2 * kept);
    ck_assert_double_eq(tr_at(tr_relu(x), TR_SHAPE(0)), kept);
    ck_assert_double_eq(tr_item(tr_amax(x, TR_ALL_AXES, false)), kept);
    ck_assert_double_eq(tr_item(tr_sum(tr_narrow(x, 0, 0, 2), TR_ALL_AXES, false)), 2 * kept);
    ck_assert_double_eq_tol(tr_at(tr_sqrt(x), TR_SHAPE(1)), sqrt(kept), 1e-26);
    ck_assert_double_eq(tr_item(tr_exp(tr_scalar(TR_F32, -200))), 0);
    ck_assert(isinf(tr_item(tr_exp(tr_scalar(TR_F32, 200)))));
    ck_assert(isnan(tr_item(tr_log(tr_scalar(TR_F32, -1)))));
}
END_TEST

/* --- A training that overflows ---------------------------------------------------------------- */

static tr_run *new_run(double lr)
{
    tr_dataset *digits = tr_dataset_open("digits", NULL);
    tr_model   *m = tr_model_new(tr_model_find("undercomplete"), NULL, TR_SHAPE(28, 28, 1), 10, 7);
    return tr_run_new(
        NULL, m, digits,
        &(tr_train_options){ .epochs = 1, .limit = 64, .val_limit = 8, .batch = 16, .lr = lr });
}

static void ck_stops(double weight)
{
    tr_run *run = new_run(1e-3);
    ck_assert_msg(run != NULL, "%s", tr_error());
    tr_tensor *w = tr_module_parameters(run->model->net).items[0].tensor;
    tr_fill(w, weight);
    ck_assert_int_eq(tr_run_train(run, NULL), TR_ERR_VALUE);
    ck_assert_msg(strncmp(tr_error(), "train: the loss is ", 19) == 0, "%s", tr_error());
    ck_assert_ptr_nonnull(strstr(tr_error(), "in epoch 1, step 1"));
    ck_assert_ptr_null(strchr(tr_error(), '\n'));
    tr_error_clear();
}

START_TEST(weights_that_are_no_numbers)
{
    ck_stops((double)NAN);
    ck_stops((double)INFINITY);
    ck_stops(3e38);
}
END_TEST

/* Pixels that are no numbers never reach a model from a file: the reader refuses them. */
START_TEST(inputs_that_are_no_numbers)
{
    enter_folder();
    tr_save_npy("x.npy", tr_from(TR_F32, TR_SHAPE(2, 2), (float[]){ 0, 1, (float)INFINITY, 1 }));
    ck_assert_ptr_null(tr_dataset_open("npy:x.npy", NULL));
    expect_error(TR_ERR_FILE, "x.npy: value 0 of row 1 is inf, expected finite numbers");
    tr_save_npy("x.npy", tr_from(TR_F64, TR_SHAPE(1, 2), (double[]){ 0, 1e39 }));
    ck_assert_ptr_null(tr_dataset_open("npy:x.npy", NULL));
    expect_error(TR_ERR_FILE, "x.npy: value 1 of row 0 is inf, expected finite numbers");
    leave_folder();
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { losses_agree_with_long_double },
        { an_empty_batch },
        { a_batch_of_one },
        { denormals_survive },
        { weights_that_are_no_numbers },
        { inputs_that_are_no_numbers },
        { 0 },
    };
    return run_tests("numbers", setup, teardown, tests);
}
