/* test_nn.c: the module tree, layers, initialisers, saving and loading. */
#include "nn/module.h"
#include "tests/files.h"
#include "tests/suite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static tr_module *small_net(uint64_t seed)
{
    tr_module *net =
        tr_nn_sequential(tr_nn_sequential(tr_nn_linear(6, 4, TR_RELU), tr_nn_batch_norm(4), NULL),
                         tr_nn_linear(4, 6, TR_SIGMOID), NULL);
    tr_module_init(net, seed);
    return net;
}

START_TEST(names_parameters)
{
    const char *const   expected[] = { "0.0.weight",       "0.0.bias",
                                       "0.1.weight",       "0.1.bias",
                                       "0.1.running_mean", "0.1.running_var",
                                       "1.weight",         "1.bias" };
    tr_module          *net = small_net(1);
    const tr_named_list state = tr_module_state(net);
    ck_assert_int_eq(state.count, 8);
    for (int i = 0; i < 8; i++) ck_assert_str_eq(state.items[i].name, expected[i]);
    ck_assert_int_eq(tr_module_parameters(net).count, 6);
    ck_assert_int_eq(tr_module_parameter_count(net), 6 * 4 + 4 + 4 + 4 + 4 * 6 + 6);
    ck_assert_str_eq(net->first_child->first_child->next->path, "0.1");
}
END_TEST

START_TEST(init_is_a_function_of_the_seed)
{
    tr_tensor *a = tr_module_parameters(small_net(5)).items[0].tensor;
    tr_tensor *b = tr_module_parameters(small_net(5)).items[0].tensor;
    tr_tensor *c = tr_module_parameters(small_net(6)).items[0].tensor;
    ck_assert_int_eq(memcmp(a->data, b->data, 24 * sizeof(float)), 0);
    ck_assert_int_ne(memcmp(a->data, c->data, 24 * sizeof(float)), 0);
}
END_TEST

/* Mean and deviation of a large parameter against the formula of each initialiser. */
START_TEST(initialisers_have_their_spread)
{
    static const struct {
        tr_initializer how;
        double         variance;
    } cases[] = { { TR_INIT_GLOROT_UNIFORM, 2.0 / 500 },
                  { TR_INIT_GLOROT_NORMAL, 2.0 / 500 },
                  { TR_INIT_HE_UNIFORM, 2.0 / 300 },
                  { TR_INIT_HE_NORMAL, 2.0 / 300 } };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        tr_rng     rng = tr_rng_seed(k);
        tr_tensor *p = tr_zeros(TR_F32, TR_SHAPE(300, 200));
        ck_assert_int_eq(tr_initialize(p, cases[k].how, &rng), TR_OK);
        double mean = 0, square = 0;
        for (int64_t i = 0; i < 60000; i++) {
            const double v = (double)((const float *)p->data)[i];
            mean += v / 60000;
            square += v * v / 60000;
        }
        ck_assert_double_lt(fabs(mean), 4 * sqrt(cases[k].variance / 60000));
        ck_assert_double_lt(fabs(square / cases[k].variance - 1), 0.03);
    }
    tr_rng     any = tr_rng_seed(1);
    tr_tensor *constant = tr_full(TR_F32, TR_SHAPE(3), 5);
    ck_assert_int_eq(tr_initialize(constant, TR_INIT_ONES, &any), TR_OK);
    ck_assert_double_eq(tr_item(tr_sum(constant, TR_ALL_AXES, false)), 3);
    ck_assert_int_eq(tr_initialize(constant, TR_INIT_ZEROS, &any), TR_OK);
    ck_assert_double_eq(tr_item(tr_sum(constant, TR_ALL_AXES, false)), 0);
    /* A kernel's fans count its window: [3, 3, 8, 16] has fan_in 72, fan_out 144. */
    tr_rng     rng = tr_rng_seed(9);
    tr_tensor *kernel = tr_zeros(TR_F32, TR_SHAPE(3, 3, 8, 16));
    tr_initialize(kernel, TR_INIT_GLOROT_UNIFORM, &rng);
    const double limit = sqrt(6.0 / 216), most = tr_item(tr_amax(kernel, TR_ALL_AXES, false));
    ck_assert_double_le(most, limit);
    ck_assert_double_gt(most, 0.97 * limit);
}
END_TEST

static void check_orthonormal(tr_shape shape)
{
    tr_rng     rng = tr_rng_seed(3);
    tr_tensor *p = tr_zeros(TR_F64, shape);
    ck_assert_int_eq(tr_initialize(p, TR_INIT_ORTHOGONAL, &rng), TR_OK);
    tr_tensor *a = tr_reshape(p, TR_SHAPE(-1, tr_dim(p, -1)));
    const bool wide = a->shape[0] <= a->shape[1];
    tr_tensor *gram =
        wide ? tr_matmul(a, tr_transpose(a, 0, 1)) : tr_matmul(tr_transpose(a, 0, 1), a);
    const int64_t n = tr_dim(gram, 0);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++)
            ck_assert_double_lt(fabs(tr_at(gram, TR_SHAPE(i, j)) - (i == j)), 1e-12);
}

START_TEST(orthogonal_is_orthogonal)
{
    check_orthonormal(TR_SHAPE(5, 9));
    check_orthonormal(TR_SHAPE(9, 5));
    check_orthonormal(TR_SHAPE(3, 3, 2, 4));
}
END_TEST

START_TEST(linear_layer_is_the_formula)
{
    tr_module *layer = tr_nn_linear(3, 2, TR_TANH);
    tr_module_init(layer, 4);
    tr_rng     rng = tr_rng_seed(1);
    tr_tensor *x = tr_normal(TR_F32, TR_SHAPE(5, 3), &rng), *y = tr_forward(layer, x);
    tr_tensor *w = layer->parameters.items[0].tensor;
    for (int64_t i = 0; i < 5; i++)
        for (int64_t j = 0; j < 2; j++) {
            double sum = 0;
            for (int64_t k = 0; k < 3; k++)
                sum += tr_at(x, TR_SHAPE(i, k)) * tr_at(w, TR_SHAPE(k, j));
            ck_assert_double_lt(fabs(tr_at(y, TR_SHAPE(i, j)) - tanh(sum)), 1e-6);
        }
}
END_TEST

START_TEST(tied_weights_share_their_gradient)
{
    tr_module *a = tr_nn_linear(4, 4, TR_IDENTITY), *b = tr_nn_linear(4, 4, TR_IDENTITY);
    tr_module *net = tr_nn_sequential(a, b, NULL);
    ck_assert_int_eq(tr_module_tie(b, "weight", a->parameters.items[0].tensor), TR_OK);
    tr_module_init(net, 2);
    ck_assert_int_eq(tr_module_parameters(net).count, 3); /* listed once */
    tr_rng     rng = tr_rng_seed(1);
    tr_tensor *x = tr_normal(TR_F32, TR_SHAPE(1, 4), &rng), *w = a->parameters.items[0].tensor;
    tr_backward(tr_sum(tr_forward(net, x), TR_ALL_AXES, false));
    /* y = x W W, d sum / dW = x^T (W 1)^T + (x W)^T 1^T */
    tr_tensor *ones = tr_ones(TR_F32, TR_SHAPE(1, 4));
    tr_tensor *first = tr_matmul(tr_transpose(x, 0, 1), tr_matmul(ones, tr_transpose(w, 0, 1)));
    tr_tensor *second = tr_matmul(tr_transpose(tr_matmul(x, w), 0, 1), ones);
    tr_tensor *wrong = tr_abs(tr_sub(w->grad, tr_add(first, second)));
    ck_assert_double_lt(tr_item(tr_amax(wrong, TR_ALL_AXES, false)), 1e-5);
    ck_assert_int_eq(tr_module_tie(b, "weight", tr_zeros(TR_F32, TR_SHAPE(4, 5))), TR_ERR_SHAPE);
    expect_error(TR_ERR_SHAPE,
                 "module_tie: \"weight\" is f32[4, 4], the other parameter is f32[4, 5]");
}
END_TEST

START_TEST(batch_norm_follows_its_mode)
{
    tr_module *layer = tr_nn_batch_norm(2);
    tr_module_init(layer, 1);
    const float values[6] = { 1, 10, 2, 20, 3, 60 };
    tr_tensor  *x = tr_from(TR_F32, TR_SHAPE(3, 2), values), *y = tr_forward(layer, x);
    /* channel 0: mean 2, variance 2/3; unbiased 1: running 0.1 of it */
    ck_assert_double_lt(fabs(tr_at(y, TR_SHAPE(0, 0)) + 1 / sqrt(2.0 / 3 + 1e-5)), 1e-5);
    ck_assert_double_lt(fabs(tr_at(layer->buffers.items[0].tensor, TR_SHAPE(1)) - 3), 1e-5);
    ck_assert_double_lt(fabs(tr_at(layer->buffers.items[1].tensor, TR_SHAPE(0)) - (0.9 + 0.1)),
                        1e-5);
    tr_module_set_training(layer, false);
    y = tr_forward(layer, x);
    ck_assert_double_lt(fabs(tr_at(y, TR_SHAPE(0, 1)) - (10 - 3) / sqrt(0.9 + 70 + 1e-5)), 1e-4);
}
END_TEST

START_TEST(dropout_follows_its_mode)
{
    tr_module *layer = tr_nn_dropout(0.25);
    tr_module_init(layer, 1);
    tr_tensor   *x = tr_ones(TR_F32, TR_SHAPE(100, 100)), *y = tr_forward(layer, x);
    const double kept = tr_item(tr_sum(y, TR_ALL_AXES, false)) * 0.75 / 10000;
    ck_assert_double_lt(fabs(kept - 0.75), 0.02);
    ck_assert(tr_item(tr_amax(y, TR_ALL_AXES, false)) == (double)(float)(1 / 0.75));
    const double again = tr_item(tr_sum(tr_sub(y, tr_forward(layer, x)), TR_ALL_AXES, false));
    ck_assert(again != 0); /* another draw */
    tr_module_set_training(layer, false);
    ck_assert_int_eq(memcmp(tr_forward(layer, x)->data, x->data, 40000), 0);
    ck_assert_ptr_null(tr_nn_dropout(1));
    expect_error(TR_ERR_VALUE, "dropout: rate 1 is not in [0, 1)");
}
END_TEST

START_TEST(convolution_layers_have_their_shapes)
{
    const tr_layer_options strided = { .conv = { .stride = { 2, 2 }, .padding = TR_PAD_SAME } };
    tr_module             *net = tr_nn_sequential(
                    tr_nn_conv2d(1, 4, 3, TR_RELU, NULL), tr_nn_max_pool2d(2),
                    tr_nn_conv2d(4, 8, 3, TR_GELU, &strided),
                    tr_nn_conv2d_transpose(8, 4, 3, TR_RELU, &strided), tr_nn_upsample(2), tr_nn_avg_pool2d(4),
                    tr_nn_flatten(), tr_nn_reshape(TR_SHAPE(4, 4)), tr_nn_activation(TR_SIGMOID), NULL);
    tr_module_init(net, 1);
    tr_tensor *y = tr_forward(net, tr_ones(TR_F32, TR_SHAPE(2, 8, 8, 1)));
    ck_assert_msg(y != NULL, "%s", tr_error());
    ck_assert(tri_shape_equal(tr_shape_of(y), TR_SHAPE(2, 4, 4)));
    int64_t         count;
    tr_summary_row *rows = tr_module_summary(net, &count);
    ck_assert_int_eq(count, 9);
    ck_assert_str_eq(rows[2].kind, "conv2d");
    ck_assert_str_eq(rows[2].settings, "3x3, 4 -> 8, stride 2, gelu");
    ck_assert(tri_shape_equal(rows[2].out_shape, TR_SHAPE(2, 2, 2, 8)));
    ck_assert_int_eq(rows[2].parameters, 3 * 3 * 4 * 8 + 8);
    ck_assert_int_eq(rows[2].multiply_adds, 2 * 2 * 2 * 3 * 3 * 4 * 8);
    ck_assert_int_eq(rows[3].multiply_adds, 2 * 2 * 2 * 3 * 3 * 4 * 8);
}
END_TEST

START_TEST(an_enlarging_convolution_is_its_two_layers)
{
    tr_module *one = tr_nn_upsample_conv2d(3, 5, 3, 2, TR_SILU, NULL);
    tr_module *two =
        tr_nn_sequential(tr_nn_upsample(2), tr_nn_conv2d(3, 5, 3, TR_SILU, NULL), NULL);
    tr_module_init(one, 4);
    tr_rng        rng = tr_rng_seed(8);
    tr_tensor    *x = tr_normal(TR_F32, TR_SHAPE(2, 4, 3, 3), &rng);
    tr_named_list from = tr_module_parameters(one), to = tr_module_parameters(two);
    for (int i = 0; i < 2; i++) tr_assign(to.items[i].tensor, from.items[i].tensor);
    tr_tensor *difference = tr_sub(tr_forward(one, x), tr_forward(two, x));
    ck_assert_msg(difference != NULL, "%s", tr_error());
    ck_assert_double_lt(tr_item(tr_amax(tr_abs(difference), TR_ALL_AXES, false)), 1e-6);
    int64_t count;
    ck_assert_str_eq(tr_module_summary(one, &count)->settings, "enlarged 2x, 3x3, 3 -> 5, silu");
    ck_assert_ptr_null(tr_nn_upsample_conv2d(3, 5, 3, 0, TR_RELU, NULL));
    expect_error(TR_ERR_VALUE, "upsample_conv2d: factor 0 is not in 1 .. 1048576");
}
END_TEST

START_TEST(a_pooling_convolution_is_its_two_layers)
{
    tr_module *one = tr_nn_conv2d_pool(3, 5, 3, 2, TR_RELU, NULL);
    tr_module *two =
        tr_nn_sequential(tr_nn_conv2d(3, 5, 3, TR_RELU, NULL), tr_nn_max_pool2d(2), NULL);
    tr_module_init(one, 4);
    tr_rng        rng = tr_rng_seed(8);
    tr_tensor    *x = tr_normal(TR_F32, TR_SHAPE(2, 5, 4, 3), &rng);
    tr_named_list from = tr_module_parameters(one), to = tr_module_parameters(two);
    for (int i = 0; i < 2; i++) tr_assign(to.items[i].tensor, from.items[i].tensor);
    tr_tensor *difference = tr_sub(tr_forward(one, x), tr_forward(two, x));
    ck_assert_msg(difference != NULL, "%s", tr_error());
    ck_assert_double_lt(tr_item(tr_amax(tr_abs(difference), TR_ALL_AXES, false)), 1e-6);
    int64_t               count;
    const tr_summary_row *row = tr_module_summary(one, &count);
    ck_assert_str_eq(row->settings, "3x3, 3 -> 5, largest of 2x2, relu");
    ck_assert_int_eq(row->multiply_adds, 2 * 5 * 4 * 3 * 3 * 3 * 5);
    ck_assert_ptr_null(tr_nn_conv2d_pool(3, 5, 3, 17, TR_RELU, NULL));
    expect_error(TR_ERR_VALUE, "conv2d_pool: window 17 is not in 1 .. 16");
}
END_TEST

START_TEST(the_summary_counts)
{
    tr_module *first = tr_nn_linear(5, 3, TR_RELU);
    tr_module *net = tr_nn_sequential(first, tr_nn_dropout(0.25),
                                      tr_nn_linear_transposed(first, TR_SIGMOID), NULL);
    tr_module_init(net, 1);
    ck_assert_ptr_nonnull(tr_forward(net, tr_ones(TR_F32, TR_SHAPE(1, 5))));
    int64_t               count;
    const tr_summary_row *row = tr_module_summary(net, &count);
    ck_assert_int_eq(count, 3);
    ck_assert_str_eq(row[1].settings, "rate 0.25");
    ck_assert_str_eq(row[2].path, "2");
    ck_assert_str_eq(row[2].settings, "3 -> 5, sigmoid, tied");
    ck_assert_int_eq(row[0].multiply_adds, 15);
    ck_assert_int_eq(row[1].multiply_adds, 0);
    ck_assert_int_eq(row[2].multiply_adds, 15);
    ck_assert_int_eq(row[0].parameters, 18);
    ck_assert_int_eq(row[2].parameters, 5); /* its bias; the weight is the first layer's */
}
END_TEST

START_TEST(saves_and_loads)
{
    enter_folder();
    tr_module *net = small_net(1), *other = small_net(2);
    ck_assert_int_eq(tr_module_save(net, "net", NULL), TR_OK);
    ck_assert_int_eq(tr_module_load(other, "net"), TR_OK);
    const tr_named_list a = tr_module_state(net), b = tr_module_state(other);
    for (int64_t i = 0; i < a.count; i++)
        ck_assert_int_eq(memcmp(a.items[i].tensor->data, b.items[i].tensor->data,
                                4 * (size_t)tr_numel(a.items[i].tensor)),
                         0);
    tr_module *wider = tr_nn_sequential(tr_nn_linear(6, 5, TR_RELU), NULL);
    ck_assert_int_eq(tr_module_load(wider, "net"), TR_ERR_FILE);
    expect_error(TR_ERR_FILE, "net: tensor \"0.weight\" is missing; the model needs f32[6, 5]");
    tr_module *narrow =
        tr_nn_sequential(tr_nn_sequential(tr_nn_linear(6, 3, TR_RELU), tr_nn_batch_norm(3), NULL),
                         tr_nn_linear(3, 6, TR_SIGMOID), NULL);
    ck_assert_int_eq(tr_module_load(narrow, "net"), TR_ERR_FILE);
    expect_error(TR_ERR_FILE,
                 "net: tensor \"0.0.weight\" is f32[6, 4], the model needs f32[6, 3]");
    leave_folder();
}
END_TEST

START_TEST(casts_in_place)
{
    tr_module *net = small_net(1);
    ck_assert_int_eq(tr_module_cast(net, TR_F64), TR_OK);
    tr_rng     rng = tr_rng_seed(1);
    tr_tensor *x = tr_normal(TR_F64, TR_SHAPE(3, 6), &rng);
    ck_assert_int_eq(tr_backward(tr_mean(tr_forward(net, x), TR_ALL_AXES, false)), TR_OK);
    ck_assert_int_eq(tr_module_parameters(net).items[0].tensor->grad->dtype, TR_F64);
    ck_assert_int_eq(tr_module_cast(net, TR_I64), TR_ERR_DTYPE);
    expect_error(TR_ERR_DTYPE, "module_cast: i64 has no derivative; f32 or f64 is needed");
}
END_TEST

/* The module is named, in forward and in backward: its input is 0, where sqrt has no slope. */
static tr_tensor *root_forward(tr_module *m, tr_tensor *x)
{
    (void)m;
    return tr_sqrt(x);
}

START_TEST(anomalies_name_their_module)
{
    static const tr_module_type root_type = { .name = "root", .forward = root_forward };
    tr_module                  *net =
        tr_nn_sequential(tr_nn_activation(TR_RELU), tr_module_new(&root_type, 0), NULL);
    tr_module_init(net, 1);
    tr_set_anomaly_detection(true);
    tr_tensor *x = tr_variable(tr_zeros(TR_F32, TR_SHAPE(2)));
    ck_assert_int_eq(tr_backward(tr_sum(tr_forward(net, x), TR_ALL_AXES, false)), TR_ERR_VALUE);
    expect_error(TR_ERR_VALUE,
                 "sqrt: the gradient has Inf at element 0, operation 2 of the tape: x is "
                 "f32[2]; in module 1");
    ck_assert_ptr_null(tr_forward(net->first_child->next, tr_full(TR_F32, TR_SHAPE(2), -1)));
    expect_error(TR_ERR_VALUE,
                 "sqrt: the result has NaN at element 0, operation 3 of the tape: x is "
                 "f32[2]; in module 1");
}
END_TEST

START_TEST(refuses_misuse)
{
    ck_assert_ptr_null(tr_nn_linear(0, 3, TR_RELU));
    expect_error(TR_ERR_VALUE, "linear: sizes must be at least 1: in is 0, out is 3");
    tr_module *part = tr_nn_linear(2, 2, TR_RELU), *a = tr_nn_sequential(part, NULL);
    ck_assert_int_ne(tr_nn_append(a, part), TR_OK);
    expect_error(TR_ERR_STATE, "module_add: \"1\" is already a part of another module");
    ck_assert_ptr_null(tr_forward(NULL, tr_zeros(TR_F32, TR_SHAPE(1))));
    expect_error(TR_ERR_VALUE, "forward: the module is NULL");
    ck_assert_ptr_null(tr_forward(a, tr_zeros(TR_F32, TR_SHAPE(4, 3))));
    expect_error(TR_ERR_SHAPE,
                 "linear: inner dimensions differ: x is f32[4, 3], w is f32[2, 2], bias is "
                 "f32[2]; weights are [in, out]");
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { names_parameters },
        { init_is_a_function_of_the_seed },
        { initialisers_have_their_spread },
        { orthogonal_is_orthogonal },
        { linear_layer_is_the_formula },
        { tied_weights_share_their_gradient },
        { batch_norm_follows_its_mode },
        { dropout_follows_its_mode },
        { convolution_layers_have_their_shapes },
        { an_enlarging_convolution_is_its_two_layers },
        { a_pooling_convolution_is_its_two_layers },
        { the_summary_counts },
        { saves_and_loads },
        { casts_in_place },
        { anomalies_name_their_module },
        { refuses_misuse },
        { 0 },
    };
    return run_tests("nn", NULL, NULL, tests);
}
