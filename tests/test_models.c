/* test_models.c: every model of the zoo: its gradient against differences in f64, memory in a
 * training step, overfitting a batch, any picture size, settings and their messages. */
#include "models/models.h"
#include "optim/optim.h"
#include "tensor/core.h"

#include "tests/limited.h"
#include "tests/suite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Sizes that make a gradient check quick. */
static tr_settings *small_settings(const tr_model_type *type)
{
    tr_settings *s = tr_settings_new(type->options);
    for (const tr_option *o = type->options; o->name != NULL; o++) {
        if (strcmp(o->name, "latent") == 0) tr_settings_set(s, "latent", "3");
        if (strcmp(o->name, "hidden") == 0 && o->standard[0] != '\0')
            tr_settings_set(s, "hidden", "5,4");
        if (strcmp(o->name, "channels") == 0) tr_settings_set(s, "channels", "2,3");
    }
    return s;
}

static const tr_model_type *type_at(int i)
{
    int count;
    return tr_model_types(&count)[i];
}

static int type_count(void)
{
    int count;
    tr_model_types(&count);
    return count;
}

/* Pixels in [0.05, 0.95], smooth enough that no ReLU or maximum sits at its kink. */
static tr_tensor *pictures(tr_dtype dtype, tr_shape shape)
{
    tr_rng rng = tr_rng_seed(11);
    return tr_affine(tr_uniform(dtype, shape, &rng), 0.9, 0.05);
}

/* Classes 0, 1, 2, 0, ... */
static tr_tensor *classes(int64_t n)
{
    tr_tensor *labels = tr_zeros(TR_I64, TR_SHAPE(n));
    for (int64_t i = 0; labels != NULL && i < n; i++) ((int64_t *)labels->data)[i] = i % 3;
    return labels;
}

typedef struct loss_context {
    tr_model  *model;
    tr_tensor *x;
} loss_context;

/* The parameters are the inputs: gradcheck moves them in place. The noise is the same at each call.
 */
static tr_tensor *loss_of_parameters(void *context, tr_tensor *const *inputs)
{
    const loss_context *c = context;
    tr_rng              rng = tr_rng_seed(5);
    (void)inputs;
    return tr_model_loss(c->model, c->x, classes(tr_dim(c->x, 0)), &rng).loss;
}

static void check_gradient(tr_model *m)
{
    ck_assert_msg(m != NULL, "%s", tr_error());
    const tr_model_type *type = m->type;
    tr_module_cast(m->net, TR_F64);
    const tr_named_list parameters = tr_module_parameters(m->net);
    if (type->fit != NULL) return; /* no gradient is taken */
    tr_tensor          *inputs[32];
    for (int64_t i = 0; i < parameters.count; i++) {
        inputs[i] = parameters.items[i].tensor;
        tr_rng rng =
            tr_rng_stream(8, (uint64_t)i); /* biases off zero, so that no unit is at its kink */
        tr_tensor *noise = tr_scale(tr_normal_like(inputs[i], &rng), 0.1);
        tr_set_recording(false);
        tr_assign(inputs[i], tr_add(inputs[i], noise));
        tr_set_recording(true);
    }
    loss_context        context = { m, pictures(TR_F64, TR_SHAPE(3, 4, 4, 2)) };
    tr_gradcheck_result result;
    ck_assert_int_eq(tr_gradcheck(loss_of_parameters, &context, inputs, (int)parameters.count,
                                  &(tr_gradcheck_options){ .order = 1, .seed = 2 }, &result),
                     TR_OK);
    ck_assert_msg(result.passed, "%s: %s[%lld]: rule %.12g, differences %.12g", type->name,
                  parameters.items[result.input].name, (long long)result.element, result.analytic,
                  result.numeric);
}

START_TEST(gradient_is_right)
{
    const tr_model_type *type = type_at(_i);
    check_gradient(tr_model_new(type, small_settings(type), TR_SHAPE(4, 4, 2), 3, 3));
}
END_TEST

/* What defaults leave out: a model and "name=value name=value". */
static const char *const variants[][2] = {
    { "sparse", "penalty=l1" },
    { "sparse", "penalty=topk k=2" },
    { "sparse", "penalty=wta rate=0.5" },
    { "contractive", "penalty=exact" },
    { "contractive", "penalty=random" },
    { "stochastic", "likelihood=gaussian" },
    { "stacked", "pretrain=false" },
    { "stacked", "pretrain=false tied=true" },
    { "stacked", "pretrain=false variant=concat tied=true" },
    { "vae", "free_bits=0.01 beta=2" },
    { "vae", "likelihood=gaussian learn_scale=true" },
    { "vae", "likelihood=logistic learn_scale=true" },
    { "conv-vae", "likelihood=logistic" },
};
enum { VARIANTS = sizeof variants / sizeof variants[0] };

static tr_model *variant_model(int i, tr_shape input)
{
    const tr_model_type *type = tr_model_find(variants[i][0]);
    tr_settings         *s = type != NULL ? small_settings(type) : NULL;
    char                 text[200], *rest = text;
    snprintf(text, sizeof text, "%s", variants[i][1]);
    for (char *word; s != NULL && (word = strtok_r(rest, " ", &rest)) != NULL;) {
        char *equals = strchr(word, '=');
        *equals = '\0';
        tr_settings_set(s, word, equals + 1);
    }
    return s != NULL ? tr_model_new(type, s, input, 3, 3) : NULL;
}

START_TEST(gradient_of_variant_is_right)
{
    check_gradient(variant_model(_i, TR_SHAPE(4, 4, 2)));
}
END_TEST

static double train_steps(tr_model *m, tr_optimizer *optimizer, tr_tensor *x, int steps)
{
    double last = NAN;
    for (int i = 0; i < steps && tr_error() == NULL; i++) {
        tr_scope *scope = tr_scope_push();
        tr_rng    rng = tr_rng_stream(1, 0);
        tr_terms  terms = tr_model_loss(m, x, classes(tr_dim(x, 0)), &rng);
        tr_backward(terms.loss);
        tr_optimizer_step(optimizer);
        last = terms.loss != NULL ? tr_item(terms.loss) : NAN;
        tr_scope_pop(scope);
    }
    return last;
}

/* Gives one batch, then none. */
static tr_tensor *once(void *context)
{
    tr_tensor **slot = context, *x = *slot;
    *slot = NULL;
    return x;
}

static double loss_of(tr_model *m, tr_tensor *x)
{
    tr_rng rng = tr_rng_seed(1);
    return tr_item(tr_model_loss(m, x, NULL, &rng).loss);
}

static void check_fit(const tr_model_type *type)
{
    tr_model    *m = tr_model_new(type, small_settings(type), TR_SHAPE(8, 8, 1), 3, 3);
    tr_tensor   *x = pictures(TR_F32, TR_SHAPE(40, 8, 8, 1)), *batch = x;
    const double before = loss_of(m, x);
    ck_assert_int_eq(tr_model_fit(m, once, &batch), TR_OK);
    ck_assert_double_lt(loss_of(m, x), before);
    ck_assert_int_ne(tr_model_fit(m, once, &batch), TR_OK); /* no pictures left */
    expect_error(TR_ERR_VALUE, "pca: there are no pictures to fit to");
}

START_TEST(overfits_a_batch)
{
    const tr_model_type *type = type_at(_i);
    if (type->fit != NULL) {
        check_fit(type);
        return;
    }
    tr_model            *m = tr_model_new(type, NULL, TR_SHAPE(8, 8, 1), 3, 3);
    tr_tensor           *x = pictures(TR_F32, TR_SHAPE(4, 8, 8, 1));
    tr_optimizer *adam = tr_adam(tr_module_parameters(m->net), &(tr_adam_options){ .lr = 3e-3 });
    const double         first = train_steps(m, adam, x, 1), last = train_steps(m, adam, x, 150);
    ck_assert_msg(last < first, "%s: %g, then %g; %s", type->name, first, last,
                  tr_error() != NULL ? tr_error() : "");
    const int64_t before = tr_memory().allocations;
    train_steps(m, adam, x, 3);
    ck_assert_int_eq(tr_memory().allocations,
                     before); /* a step after the first asks malloc for nothing */
}
END_TEST

START_TEST(takes_any_picture)
{
    const tr_model_type *type = type_at(_i);
    tr_tensor           *x = pictures(TR_F32, TR_SHAPE(3, 12, 8, 3));
    tr_model            *m = tr_model_new(type, NULL, TR_SHAPE(12, 8, 3), 3, 3);
    tr_rng               rng = tr_rng_seed(1);
    tr_tensor           *y = tr_model_reconstruct(m, x);
    ck_assert_msg(tr_same_shape(x, y), "%s: %s", type->name, tr_error());
    ck_assert(tr_item(tr_amin(y, TR_ALL_AXES, false)) >= 0 &&
              tr_item(tr_amax(y, TR_ALL_AXES, false)) <= 1);
    const tr_terms terms = tr_model_loss(m, x, classes(3), &rng);
    ck_assert(isfinite(tr_item(terms.loss)) && terms.count >= 1);
    if (type->sample != NULL) ck_assert_int_eq(tr_dim(tr_model_sample(m, 5, &rng), 0), 5);
    if (type->corrupt != NULL) ck_assert(tr_same_shape(x, tr_model_corrupt(m, x, &rng)));
    ck_assert_ptr_null(tr_error());
    ck_assert_ptr_null(tr_model_encode(m, pictures(TR_F32, TR_SHAPE(3, 8, 12, 3))));
    char message[200];
    snprintf(message, sizeof message,
             "%s: built for pictures [12, 8, 3], got a batch f32[3, 8, 12, 3]", type->name);
    expect_error(TR_ERR_SHAPE, message);
}
END_TEST

/* --- Out of memory at every place ------------------------------------------------------------- */

START_TEST(survives_every_failing_allocation)
{
    const int variant = _i - type_count();
    const tr_allocator   limited = { limited_alloc, limited_release, NULL };
    tr_set_threads(1);
    tr_set_allocator(&limited);
    int64_t n = 0;
    for (bool failed = true; failed; n++) {
        tr_scope *scope = tr_scope_push();
        allowed = n;
        const tr_model_type *type = type_at(variant < 0 ? _i : 0);
        tr_model *m = variant < 0
                          ? tr_model_new(type, small_settings(type), TR_SHAPE(4, 4, 1), 3, 3)
                          : variant_model(variant, TR_SHAPE(4, 4, 1));
        tr_tensor    *x = m != NULL ? pictures(TR_F32, TR_SHAPE(2, 4, 4, 1)) : NULL;
        tr_optimizer *adam = m != NULL ? tr_adam(tr_module_parameters(m->net), NULL) : NULL;
        if (x != NULL && m->type->fit != NULL)
            tr_model_fit(m, once, &x);
        else if (adam != NULL)
            train_steps(m, adam, x, 2);
        failed = tr_error() != NULL;
        if (failed) ck_assert_int_eq(tr_status_get(), TR_ERR_MEMORY);
        tr_error_clear();
        tr_scope_pop(scope);
        tr_scope_pop(tri_this_thread()->scope);
        tr_memory_trim();
        ck_assert_int_eq(held, 0);
    }
    ck_assert_int_gt(n, 20);
    tr_set_allocator(NULL);
}
END_TEST

/* --- Settings --------------------------------------------------------------------------------- */

START_TEST(settings_are_checked)
{
    tr_settings *s = tr_settings_new(tr_model_find("denoising")->options);
    ck_assert_int_eq(tr_settings_int(s, "latent"), 32);
    int64_t sizes[TR_MAX_SIZES];
    ck_assert_int_eq(tr_settings_sizes(s, "hidden", sizes), 2);
    ck_assert_int_eq(sizes[1], 64);
    tr_settings_set(s, "latents", "3");
    expect_error(TR_ERR_VALUE,
                 "unknown option \"latents\"; there are noise, level, hidden, latent, loss");
    tr_settings_set(s, "latent", "0");
    expect_error(TR_ERR_VALUE, "option latent: \"0\" is not a whole number in 1 .. 65536");
    tr_settings_set(s, "latent", "3.5");
    expect_error(TR_ERR_VALUE, "option latent: \"3.5\" is not a whole number in 1 .. 65536");
    tr_settings_set(s, "level", "much");
    expect_error(TR_ERR_VALUE, "option level: \"much\" is not a number in 0 .. 10");
    tr_settings_set(s, "level", "nan");
    expect_error(TR_ERR_VALUE, "option level: \"nan\" is not a number in 0 .. 10");
    tr_settings_set(s, "hidden", "128,,64");
    expect_error(
        TR_ERR_VALUE,
        "option hidden: \"128,,64\" is not whole numbers separated by commas, each in 1 .. 65536");
    tr_settings_set(s, "noise", "salt");
    expect_error(TR_ERR_VALUE, "option noise: \"salt\" is not one of gaussian|mask|salt-pepper");
    ck_assert_int_eq(tr_settings_set(s, "hidden", ""), TR_OK);
    ck_assert_int_eq(tr_settings_sizes(s, "hidden", sizes), 0);
    tr_settings_set(s, "noise", "mask");
    tr_settings_set(s, "level", "1.5");
    ck_assert_ptr_null(tr_model_new(tr_model_find("denoising"), s, TR_SHAPE(4, 4, 1), 3, 1));
    expect_error(TR_ERR_VALUE, "option level: 1.5 is no probability; noise=mask needs 0 .. 1");
    ck_assert_ptr_null(tr_model_find("vea"));
    ck_assert_int_eq(tr_status_get(), TR_ERR_VALUE);
    ck_assert_ptr_nonnull(strstr(tr_error(), "unknown model \"vea\"; there are undercomplete, "));
    tr_error_clear();
    ck_assert_ptr_null(tr_model_new(tr_model_find("conv"), NULL, TR_SHAPE(30, 28, 1), 3, 1));
    expect_error(TR_ERR_SHAPE,
                 "conv: pictures of 30 x 28 cannot be halved 2 times; the sides must be "
                 "divisible by 4");
}
END_TEST

/* --- Formulas --------------------------------------------------------------------------------- */

/* The closed form of the contractive penalty and the one by second derivatives, in f64. */
START_TEST(contractive_penalties_agree)
{
    const char *const kinds[] = { "closed", "exact" };
    const tr_model_type *type = tr_model_find("contractive");
    double norm[2];
    for (int i = 0; i < 2; i++) {
        tr_settings *s = small_settings(type);
        tr_settings_set(s, "penalty", kinds[i]);
        tr_settings_set(s, "latent", "7");
        tr_model *m = tr_model_new(type, s, TR_SHAPE(4, 4, 2), 0, 3);
        tr_module_cast(m->net, TR_F64);
        tr_rng rng = tr_rng_seed(1);
        const bool recording = tr_set_recording(false); /* as in evaluation */
        const tr_terms terms = tr_model_loss(m, pictures(TR_F64, TR_SHAPE(5, 4, 4, 2)), NULL, &rng);
        tr_set_recording(recording);
        ck_assert_str_eq(terms.name[1], "jacobian");
        norm[i] = tr_item(terms.value[1]);
    }
    ck_assert_double_gt(norm[0], 1e-3);
    ck_assert_double_lt(fabs(norm[0] - norm[1]), 1e-10 * norm[0]);
}
END_TEST

/* The norm of each picture alone: their mean square is the penalty. */
START_TEST(jacobian_of_each_picture)
{
    const tr_model_type *type = tr_model_find("contractive");
    tr_model *m = tr_model_new(type, small_settings(type), TR_SHAPE(4, 4, 2), 0, 3);
    tr_module_cast(m->net, TR_F64);
    tr_tensor *x = pictures(TR_F64, TR_SHAPE(5, 4, 4, 2));
    tr_rng rng = tr_rng_seed(1);
    const bool recording = tr_set_recording(false);
    tr_tensor *norm = tr_model_jacobian(m, x); /* [5] */
    ck_assert_int_eq(tr_numel(norm), 5);
    const double penalty = tr_item(tr_model_loss(m, x, NULL, &rng).value[1]);
    const double square = tr_item(tr_mean(tr_square(norm), TR_ALL_AXES, false));
    ck_assert_double_lt(fabs(square - penalty), 1e-10 * penalty);
    tr_tensor *alone = tr_model_jacobian(m, tr_narrow(x, 0, 2, 1));
    ck_assert_double_lt(fabs(tr_item(alone) - ((const double *)norm->data)[2]), 1e-12);
    tr_set_recording(recording);
}
END_TEST

/* KL(rate || r) and the statistics against a loop over the code. */
START_TEST(sparse_terms_are_the_formula)
{
    const tr_model_type *type = tr_model_find("sparse");
    tr_settings *s = small_settings(type);
    tr_settings_set(s, "latent", "6");
    tr_model  *m = tr_model_new(type, s, TR_SHAPE(4, 4, 1), 0, 3);
    tr_tensor *x =
        tr_scale(pictures(TR_F32, TR_SHAPE(5, 4, 4, 1)), 8); /* so that some are inactive */
    tr_rng     rng = tr_rng_seed(1);
    const tr_terms terms = tr_model_loss(m, x, NULL, &rng);
    tr_tensor *h = tr_model_encode(m, x);
    double kl = 0, dead = 0, l0 = 0, sum = 0;
    for (int64_t j = 0; j < 6; j++) {
        double r = 0, active = 0;
        for (int64_t n = 0; n < 5; n++) {
            const double v = tr_at(h, TR_SHAPE(n, j));
            r += v / 5;
            active += v > 0.1;
        }
        kl += 0.05 * log(0.05 / r) + 0.95 * log(0.95 / (1 - r));
        dead += active == 0;
        l0 += active / 5;
        sum += r;
    }
    ck_assert_double_gt(l0, 0);
    ck_assert_double_lt(l0, 6);
    ck_assert_double_lt(fabs(tr_item(terms.value[1]) - kl), 1e-5 * kl);
    ck_assert_double_lt(fabs(tr_item(terms.value[2]) - sum / 6), 1e-6);
    ck_assert_double_lt(fabs(tr_item(terms.value[3]) - dead / 6), 1e-6);
    ck_assert_double_lt(fabs(tr_item(terms.value[4]) - l0), 1e-5);
}
END_TEST

/* k-sparse keeps exactly k units of a picture, winner-take-all as many pictures of a unit. */
START_TEST(sparse_code_has_its_size)
{
    const tr_model_type *type = tr_model_find("sparse");
    for (int i = 0; i < 2; i++) {
        tr_settings *s = small_settings(type);
        tr_settings_set(s, "penalty", i == 0 ? "topk" : "wta");
        tr_settings_set(s, "k", "4");
        tr_settings_set(s, "latent", "20");
        tr_settings_set(s, "rate", "0.2");
        tr_model  *m = tr_model_new(type, s, TR_SHAPE(4, 4, 1), 0, 3);
        tr_tensor *h = tr_model_encode(m, pictures(TR_F32, TR_SHAPE(10, 4, 4, 1)));
        tr_tensor *count = tr_sum(tr_cast(tr_greater(h, tr_scalar(TR_F32, 0)), TR_F32),
                                  TR_AXES(i == 0 ? 1 : 0), false);
        ck_assert_double_eq(tr_item(tr_amax(count, TR_ALL_AXES, false)), i == 0 ? 4 : 2);
    }
}
END_TEST

/* Noise and dropout are for training; without any means the loss is the same in both modes. */
START_TEST(overcomplete_means_can_be_off)
{
    const tr_model_type *type = tr_model_find("overcomplete");
    for (int off = 0; off < 2; off++) {
        tr_settings *s = small_settings(type);
        for (int i = 0; off && i < 3; i++)
            tr_settings_set(s, (const char *const[]){ "noise", "dropout", "weight_decay" }[i], "0");
        tr_model  *m = tr_model_new(type, s, TR_SHAPE(4, 4, 1), 0, 3);
        tr_tensor *x = pictures(TR_F32, TR_SHAPE(5, 4, 4, 1));
        tr_rng     rng = tr_rng_seed(1);
        const double training = tr_item(tr_model_loss(m, x, NULL, &rng).loss);
        tr_module_set_training(m->net, false);
        const tr_terms terms = tr_model_loss(m, x, NULL, &rng);
        ck_assert_int_eq(training == tr_item(terms.loss), off);
        ck_assert_int_eq(tr_item(terms.value[0]) == tr_item(terms.loss), off);
    }
}
END_TEST

/* The squared error is the variance that the components leave; the first one against power
 * iteration. */
START_TEST(pca_is_exact)
{
    enum { N = 30, P = 16, K = 5 };
    tr_settings *s = tr_settings_new(tr_model_find("pca")->options);
    tr_settings_set(s, "latent", "5");
    tr_model  *m = tr_model_new(tr_model_find("pca"), s, TR_SHAPE(4, 4, 1), 0, 1);
    tr_tensor *x = pictures(TR_F32, TR_SHAPE(N, 4, 4, 1)), *batch = x;
    tr_model_fit(m, once, &batch);
    double mean[P] = { 0 }, c[P][P] = { { 0 } }, v[P], total = 0, kept = 0, length = 0;
    const float *value = x->data;
    for (int i = 0; i < N * P; i++) mean[i % P] += (double)value[i] / N;
    for (int n = 0; n < N; n++)
        for (int i = 0; i < P; i++)
            for (int j = 0; j < P; j++)
                c[i][j] += ((double)value[n * P + i] - mean[i]) *
                           ((double)value[n * P + j] - mean[j]) / N;
    for (int i = 0; i < P; i++) {
        total += c[i][i];
        v[i] = 1 + i;
    }
    for (int step = 0; step < 3000; step++) {
        double next[P] = { 0 };
        length = 0;
        for (int i = 0; i < P; i++)
            for (int j = 0; j < P; j++) next[i] += c[i][j] * v[j];
        for (int i = 0; i < P; i++) length += next[i] * next[i];
        length = sqrt(length);
        for (int i = 0; i < P; i++) v[i] = next[i] / length;
    }
    const tr_named_list state = tr_module_state(m->net);
    tr_tensor *variance = tr_named_find(&state, "variance");
    tr_tensor *components = tr_named_find(&state, "components");
    for (int64_t k = 0; k < K; k++) kept += tr_at(variance, TR_SHAPE(k));
    ck_assert_double_lt(fabs(tr_at(variance, TR_SHAPE(0)) - length), 1e-6 * length);
    double cosine = 0;
    for (int64_t i = 0; i < P; i++) cosine += v[i] * tr_at(components, TR_SHAPE(i, 0));
    ck_assert_double_lt(fabs(fabs(cosine) - 1), 1e-6);
    ck_assert_double_lt(fabs(loss_of(m, x) * P - (total - kept)), 1e-6);
}
END_TEST

/* A few large pictures, part of them black: the covariance is rounding nearly everywhere. */
START_TEST(pca_takes_few_pictures)
{
    tr_model  *m = tr_model_new(tr_model_find("pca"), NULL, TR_SHAPE(20, 20, 1), 0, 1);
    tr_tensor *x = pictures(TR_F32, TR_SHAPE(25, 20, 20, 1));
    tr_tensor *row = tr_zeros(TR_F32, TR_SHAPE(1, 20, 1, 1));
    for (int i = 0; i < 10; i++) ((float *)row->data)[i] = 1;
    x = tr_mul(x, row);
    tr_tensor *batch = x;
    ck_assert_msg(tr_model_fit(m, once, &batch) == TR_OK, "%s", tr_error());
    ck_assert_double_lt(loss_of(m, x), 1e-10); /* 24 components are all that there is */
}
END_TEST

/* In each phase the layers of that phase have gradients, and no others. */
START_TEST(stacked_trains_in_phases)
{
    const char *const variant = _i == 0 ? "plain" : "concat";
    const tr_model_type *type = tr_model_find("stacked");
    tr_settings *s = tr_settings_new(type->options);
    tr_settings_set(s, "hidden", "6,5,4");
    tr_settings_set(s, "layer_epochs", "2");
    tr_settings_set(s, "variant", variant);
    tr_model  *m = tr_model_new(type, s, TR_SHAPE(4, 4, 1), 0, 1);
    tr_tensor *x = pictures(TR_F32, TR_SHAPE(3, 4, 4, 1));
    const double epochs[] = { 0, 1.9, 2, 5.5, 6, 20 };
    const int    phases[] = { 1, 1, 2, 3, 4, 4 };
    for (int i = 0; i < 6; i++) {
        m->epoch = epochs[i];
        tr_rng         rng = tr_rng_seed(1);
        const tr_terms terms = tr_model_loss(m, x, NULL, &rng);
        ck_assert_double_eq(tr_item(terms.value[1]), phases[i]);
        ck_assert_int_eq(tr_backward(terms.loss), TR_OK);
        int k = 1;
        for (tr_module *e = m->net->first_child->first_child; e != NULL; e = e->next, k++) {
            tr_tensor *weight = e->parameters.items[0].tensor;
            ck_assert_int_eq(weight->grad != NULL, phases[i] == 4 || k == phases[i]);
            tr_clear_grad(weight);
        }
    }
    m->epoch = 0;
    tr_module_set_training(m->net, false); /* evaluation is of the whole */
    tr_rng rng = tr_rng_seed(1);
    ck_assert_double_eq(tr_item(tr_model_loss(m, x, NULL, &rng).value[1]), 4);
}
END_TEST

/* A tied decoder has a bias only, and follows when the encoder's weight changes. */
START_TEST(stacked_ties_weights)
{
    const tr_model_type *type = tr_model_find("stacked");
    tr_settings *s = tr_settings_new(type->options);
    tr_settings_set(s, "hidden", "6");
    tr_settings_set(s, "tied", "true");
    tr_model *m = tr_model_new(type, s, TR_SHAPE(4, 4, 1), 0, 1);
    ck_assert_int_eq(tr_module_parameter_count(m->net), 16 * 6 + 6 + 16);
    tr_tensor *weight = m->net->first_child->first_child->parameters.items[0].tensor;
    tr_fill(weight, 0.5);
    tr_tensor *y = tr_model_decode(m, tr_full(TR_F32, TR_SHAPE(1, 6), 1)); /* sigmoid(6 * 0.5) */
    ck_assert_double_lt(fabs(tr_at(y, TR_SHAPE(0, 2, 1, 0)) - 1 / (1 + exp(-3))), 1e-6);
    ck_assert_ptr_null(tr_nn_linear_transposed(tr_nn_flatten(), TR_RELU));
    expect_error(TR_ERR_VALUE, "linear_transposed: flatten is no linear layer");
}
END_TEST

/* KL and the Bernoulli bound of the vae against a loop in f64. */
START_TEST(vae_terms_are_the_formula)
{
    const tr_model_type *type = tr_model_find("vae");
    tr_model  *m = tr_model_new(type, small_settings(type), TR_SHAPE(4, 4, 1), 3, 3);
    tr_tensor *x = pictures(TR_F32, TR_SHAPE(2, 4, 4, 1));
    tr_rng     rng = tr_rng_seed(7), same = rng;
    tr_terms   terms = tr_model_loss(m, x, NULL, &rng);
    tr_module *encoder = m->net->first_child;
    tr_tensor *features = tr_forward(encoder, tr_flatten(x, 1));
    tr_tensor *mu = tr_forward(encoder->next, features);
    tr_tensor *logvar = tr_forward(encoder->next->next, features);
    tr_tensor *z = tr_add(mu, tr_mul(tr_exp(tr_scale(logvar, 0.5)), tr_normal_like(mu, &same)));
    tr_tensor *y = tr_model_decode(m, z);
    double     kl = 0, bce = 0;
    for (int64_t i = 0; i < 2; i++) {
        for (int64_t j = 0; j < 3; j++) {
            const double u = tr_at(mu, TR_SHAPE(i, j)), v = tr_at(logvar, TR_SHAPE(i, j));
            kl += 0.5 * (u * u + exp(v) - v - 1) / 2;
        }
        for (int64_t p = 0; p < 16; p++) {
            const double t = tr_at(x, TR_SHAPE(i, p / 4, p % 4, 0)),
                         q = tr_at(y, TR_SHAPE(i, p / 4, p % 4, 0));
            bce -= (t * log(q) + (1 - t) * log(1 - q)) / 2;
        }
    }
    ck_assert_str_eq(terms.name[1], "kl");
    ck_assert_double_lt(fabs(tr_item(terms.value[0]) - bce), 1e-4);
    ck_assert_double_lt(fabs(tr_item(terms.value[1]) - kl), 1e-5);
    ck_assert_double_lt(fabs(tr_item(terms.loss) - bce - kl), 1e-4);
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { gradient_is_right, type_count() },
        { gradient_of_variant_is_right, VARIANTS },
        { overfits_a_batch, type_count() },
        { takes_any_picture, type_count() },
        { survives_every_failing_allocation, type_count() + VARIANTS },
        { settings_are_checked },
        { contractive_penalties_agree },
        { jacobian_of_each_picture },
        { sparse_terms_are_the_formula },
        { sparse_code_has_its_size },
        { overcomplete_means_can_be_off },
        { stacked_trains_in_phases, 2 },
        { stacked_ties_weights },
        { pca_is_exact },
        { pca_takes_few_pictures },
        { vae_terms_are_the_formula },
        { 0 },
    };
    return run_tests("models", NULL, NULL, tests);
}
