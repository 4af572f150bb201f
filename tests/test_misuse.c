/* test_misuse.c: what a program does wrong is an error with a message, and nothing else happens.
 * Every public function is called with arguments that it cannot take: the tables misuse*.def hold
 * the calls and the messages, and a function that a public header declares and no table calls fails
 * the test. Run under the sanitizers (preset asan) it shows that nothing undefined happens. */
#include <tenrec.h>

#include "tests/files.h"
#include "tests/suite.h"

#include <math.h>

#pragma GCC diagnostic ignored "-Wunused-result"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* --- What the calls of the tables use --------------------------------------------------------- */

static tr_rng              rng;
static tr_tensor          *x, *images, *kernel, *labels, *f64, *variable, *closed, *out;
static tr_named_list       list, none, bad, gone;
static char                text[256];
static int64_t             sizes[TR_MAX_SIZES];
static double              factors[64];
static tr_gradcheck_result check;
static tr_activation       act;
static tr_module          *net;
static tr_batch_norm_state norm;
static tr_optimizer       *adam;
static tr_dataset         *data;
static tr_batch            batch;
static tr_settings        *settings;
static tr_model           *model, *vae;
static tr_metrics          metrics;
static tr_run             *run;
static tr_pca              pca;
static tr_features         features;
static tr_compared         compared;
static tr_column           column;
static tr_table            table;

static tr_tensor *identity(void *context, tr_tensor *const *in)
{
    (void)context;
    return tr_scale(in[0], 1);
}

static tr_tensor *total(void *context, tr_tensor *const *in)
{
    (void)context;
    return tr_sum(tr_square(in[0]), TR_ALL_AXES, false);
}

static tr_tensor *failing(void *context, tr_tensor *const *in)
{
    (void)context, (void)in;
    tr_fail(TR_ERR_VALUE, "the callback fails");
    return NULL;
}

static tr_tensor *hook(void *context, tr_tensor *gradient)
{
    (void)context, (void)gradient;
    return NULL;
}

static tr_tensor *next(void *context)
{
    (void)context;
    return NULL;
}

/* A segment that gives no result and says no reason. */
static tr_tensor *nothing(void *context, tr_tensor *const *in)
{
    (void)context, (void)in;
    return NULL;
}

static tr_tensor *ones(tr_shape shape)
{
    return tr_ones(TR_F32, shape);
}

static tr_tensor *ints(tr_shape shape)
{
    return tr_zeros(TR_I64, shape);
}

static tr_module *twice_named(void)
{
    tr_module *whole = tr_nn_sequential(tr_nn_flatten(), NULL);
    return tr_module_add(whole, "0", tr_nn_flatten());
}

/* A model with two of its options set; NULL: at their defaults. */
static tr_model *with_options(const char *name, const char *a, const char *first, const char *b,
                              const char *second)
{
    const tr_model_type *type = tr_model_find(name);
    tr_settings         *s = tr_settings_new(type->options);
    tr_settings_set(s, a, first);
    if (b != NULL) tr_settings_set(s, b, second);
    return tr_model_new(type, s, TR_SHAPE(28, 28, 1), 10, 7);
}

static tr_model *with_option(const char *name, const char *option, const char *value)
{
    return with_options(name, option, value, NULL, NULL);
}

static tr_model *without_labels(const char *name)
{
    return tr_model_new(tr_model_find(name), NULL, TR_SHAPE(28, 28, 1), 0, 7);
}

static void prepare(void)
{
    rng = tr_rng_seed(7);
    x = tr_uniform(TR_F32, TR_SHAPE(2, 3), &rng);
    images = tr_uniform(TR_F32, TR_SHAPE(2, 28, 28, 1), &rng);
    kernel = ones(TR_SHAPE(3, 3, 1, 1));
    labels = tr_zeros(TR_I64, TR_SHAPE(2));
    f64 = tr_variable(tr_ones(TR_F64, TR_SHAPE(2)));
    variable = tr_variable(tr_ones(TR_F32, TR_SHAPE(2)));
    out = NULL;
    list = none = bad = gone = (tr_named_list){ 0 };
    tr_named_push(&list, "w", variable);
    tr_named_push(&bad, "i", labels);
    tr_named_push(&gone, "g", x);
    net = tr_nn_linear(3, 2, TR_RELU);
    tr_module_init(net, 7);
    norm = (tr_batch_norm_state){ 0 };
    adam = tr_adam(list, NULL);
    data = tr_dataset_open("digits", NULL);
    settings = tr_settings_new(tr_model_find("undercomplete")->options);
    tr_settings_set(settings, "latent", "3");
    model = tr_model_new(tr_model_find("undercomplete"), settings, TR_SHAPE(28, 28, 1), 0, 7);
    vae = tr_model_new(tr_model_find("vae"), NULL, TR_SHAPE(2, 2, 1), 0, 7);
    run = tr_run_new(NULL, model, data, &(tr_train_options){ .limit = 8, .epochs = 1 });
    features = (tr_features){ x, labels };
    memset(sizes, 0, sizeof sizes);
    sizes[0] = 2;
    memset(factors, 0, sizeof factors);
    metrics = (tr_metrics){ 0 };
    pca = (tr_pca){ 0 };
    tr_scope *scope = tr_scope_push();
    tr_scope_alloc(
        2000); /* so that the next scope's first handle does not lie where this one was */
    closed = tr_ones(TR_F32, TR_SHAPE(2, 3));
    tr_scope_pop(scope);
    gone.items[0].tensor = closed;
}

/* --- The tables ------------------------------------------------------------------------------- */

static tr_scope *scope;

static void begin(void)
{
    tr_error_clear();
    scope = tr_scope_push();
    prepare();
    ck_assert_msg(tr_error() == NULL, "%s", tr_error());
}

static void verify(const char *call, const char *which, const char *message)
{
    const char *got = tr_error();
    if (message == NULL)
        ck_assert_msg(got == NULL, "%s, %s: %s", call, which, got);
    else
        ck_assert_msg(got != NULL && strcmp(got, message) == 0, "%s, %s: \"%s\", expected \"%s\"",
                      call, which, got != NULL ? got : "no error", message);
    tr_error_clear();
    tr_scope_pop(scope);
}

#define CALL(call, message) begin(), (void)(call), verify(#call, "", message);
#define TENSOR(call, if_null, if_closed, if_i64)                                                   \
    begin(), T = NULL, (void)(call), verify(#call, "T is NULL", if_null);                          \
    begin(), T = closed, (void)(call), verify(#call, "T of a closed scope", if_closed);            \
    begin(), T = tr_ones(TR_I64, TR_SHAPE(2, 3)), (void)(call), verify(#call, "T is i64", if_i64);

START_TEST(operations)
{
    tr_tensor *T;
#include "tests/misuse_ops.def"
}
END_TEST

START_TEST(losses_and_pictures)
{
    tr_tensor *T;
#include "tests/misuse_nn.def"
}
END_TEST

START_TEST(everything_else)
{
    tr_tensor *T;
#include "tests/misuse.def"
}
END_TEST

START_TEST(arguments_that_do_not_go_together)
{
#include "tests/misuse_sizes.def"
}
END_TEST

#undef CALL
#undef TENSOR

/* --- No public function is left out ----------------------------------------------------------- */

#define CALL(call, message)                      #call,
#define TENSOR(call, if_null, if_closed, if_i64) #call,
static const char *const calls[] = {
#include "tests/misuse.def"
#include "tests/misuse_nn.def"
#include "tests/misuse_ops.def"
#include "tests/misuse_sizes.def"
};

/* Take no argument that could be wrong, or are called by every test here. */
static const char *const harmless[] = {
    "tr_status_get", "tr_error",    "tr_error_clear", "tr_status_print",          "tr_scope_push",
    "tr_memory",     "tr_rng_seed", "tr_rng_stream",  "tr_set_allocator",         "tr_memory_trim",
    "tr_threads",    "tr_isa",      "tr_version",     "tr_set_recording",         "tr_nn_flatten",
    "tr_fail_call",  "tr_wants",    "tr_set_isa",     "tr_set_anomaly_detection", "tr_scope_alloc",
};

static bool is_called(const char *name, size_t length)
{
    for (size_t i = 0; i < COUNT(calls); i++)
        if (strncmp(calls[i], name, length) == 0 && calls[i][length] == '(') return true;
    for (size_t i = 0; i < COUNT(harmless); i++)
        if (strlen(harmless[i]) == length && memcmp(harmless[i], name, length) == 0) return true;
    return false;
}

/* The first "tr_name(" after each TR_API of a header. */
static int check_header(const char *path)
{
    static char source[1 << 18];
    FILE       *f = fopen(path, "rb");
    ck_assert_msg(f != NULL, "%s", path);
    source[fread(source, 1, sizeof source - 1, f)] = '\0';
    fclose(f);
    int functions = 0;
    for (const char *at = source; (at = strstr(at, "TR_API ")) != NULL; at++) {
        const char *name = at + 7;
        size_t      length = 0;
        do {
            name = strstr(name + length, "tr_");
            ck_assert_ptr_nonnull(name);
            length = strspn(name, "abcdefghijklmnopqrstuvwxyz_0123456789");
        } while (name[length] != '(');
        ck_assert_msg(is_called(name, length), "%s: no table calls %.*s", path, (int)length, name);
        functions++;
    }
    return functions;
}

START_TEST(no_function_is_left_out)
{
    static const char *const headers[] = {
        "tensor/tensor.h", "autograd/autograd.h", "autograd/ops.h",  "autograd/ops_image.h",
        "nn/nn.h",         "nn/loss.h",           "nn/norm.h",       "nn/distribution.h",
        "optim/optim.h",   "datasets/datasets.h", "models/models.h", "train/train.h",
        "train/uses.h",    "train/compare.h",     "datasets/table.h",
    };
    int functions = 0;
    for (size_t i = 0; i < COUNT(headers); i++) {
        char path[1024];
        snprintf(path, sizeof path, "%s/%s", TENREC_SOURCE_DIR, headers[i]);
        functions += check_header(path);
    }
    ck_assert_int_gt(functions, 400);
}
END_TEST

/* --- Stories ---------------------------------------------------------------------------------- */

/* The first error stays, whatever is called after it, and clearing it makes all well. */
START_TEST(the_first_error_sticks)
{
    begin();
    tr_matmul(x, x);
    char first[256];
    snprintf(first, sizeof first, "%s", tr_error());
    ck_assert_ptr_null(tr_add(x, NULL));
    ck_assert_int_eq(tr_backward(NULL), TR_ERR_SHAPE);
    ck_assert_ptr_null(tr_load_npy("/nowhere"));
    ck_assert_str_eq(tr_error(), first);
    tr_error_clear();
    ck_assert_ptr_nonnull(tr_add(x, x));
    verify("tr_add(x, x)", "after an error", NULL);
}
END_TEST

START_TEST(backward_wants_one_value)
{
    begin();
    tr_backward(tr_scale(variable, 2));
    verify("tr_backward", "of two values",
           "backward: f32[2] does not hold one value; reduce it (tr_mean, tr_sum)");
}
END_TEST

START_TEST(an_optimiser_of_another_model)
{
    begin();
    tr_module    *other = tr_nn_linear(3, 1, TR_IDENTITY);
    tr_optimizer *wrong = tr_adam(tr_module_parameters(other), NULL);
    tr_backward(tr_sum(tr_forward(net, x), TR_ALL_AXES, false));
    ck_assert_int_eq(tr_optimizer_step(wrong), TR_ERR_STATE);
    verify("tr_optimizer_step", "of another model",
           "optimizer_step: none of the 2 parameters has a gradient; are they those of the model "
           "whose loss went through tr_backward?");
}
END_TEST

START_TEST(an_optimiser_that_outlives_its_model)
{
    begin();
    tr_scope *inner = tr_scope_push();
    tr_scope_alloc(2000);
    tr_named_list theirs = { 0 };
    tr_tensor    *w = tr_variable(tr_ones(TR_F32, TR_SHAPE(2)));
    tr_named_push(&theirs, "w", w);
    tr_optimizer *sgd = tr_sgd(theirs, NULL);
    ck_assert_ptr_nonnull(sgd);
    tr_scope_pop(inner);
    tr_clip_grad_norm((tr_named_list){ &(tr_named){ "w", w }, 1, 1 }, 1);
    verify("tr_clip_grad_norm", "of a closed scope",
           "clip_grad_norm: tensor from a closed scope; hand it out with tr_scope_keep");
}
END_TEST

START_TEST(a_hundred_thousand_scopes)
{
    enum { MANY = 100000 };
    const int64_t before = tr_memory().live_bytes;
    tr_scope     *first = tr_scope_push();
    for (int i = 1; i < MANY; i++) ck_assert_ptr_nonnull(tr_scope_push());
    ck_assert_ptr_nonnull(tr_ones(TR_F32, TR_SHAPE(3)));
    tr_scope_pop(first);
    ck_assert_int_eq(tr_memory().live_bytes, before);
    ck_assert_ptr_null(tr_error());
    tr_memory_trim();
}
END_TEST

static tr_tensor *failing_hook(void *context, tr_tensor *gradient)
{
    (void)gradient;
    return failing(context, NULL);
}

static void failing_step(void *context, const tr_progress *p)
{
    (void)p;
    failing(context, NULL);
}

static void failing_epoch(void *context, const tr_run *r, const tr_epoch *row)
{
    (void)r, (void)row;
    failing(context, NULL);
}

static bool failing_stop(void *context)
{
    failing(context, NULL);
    return false;
}

START_TEST(a_callback_that_fails)
{
    const tr_callbacks bad_calls[] = { { .step = failing_step },
                                       { .epoch = failing_epoch },
                                       { .stop = failing_stop } };
    for (size_t i = 0; i < COUNT(bad_calls); i++) {
        begin();
        ck_assert_int_eq(tr_run_train(run, &bad_calls[i]), TR_ERR_VALUE);
        verify("tr_run_train", "with a callback that fails", "the callback fails");
    }
    begin();
    tr_add_hook(variable, failing_hook, NULL);
    tr_backward(tr_sum(variable, TR_ALL_AXES, false));
    verify("tr_backward", "with a hook that fails", "the callback fails");
    begin();
    tr_jacobian(failing, NULL, variable);
    verify("tr_jacobian", "of a function that fails", "the callback fails");
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { operations },
        { losses_and_pictures },
        { everything_else },
        { arguments_that_do_not_go_together },
        { no_function_is_left_out },
        { the_first_error_sticks },
        { backward_wants_one_value },
        { an_optimiser_of_another_model },
        { an_optimiser_that_outlives_its_model },
        { a_hundred_thousand_scopes },
        { a_callback_that_fails },
        { 0 },
    };
    return run_tests("misuse", NULL, NULL, tests);
}
