/* test_every_function.c: the public functions that test_out_of_memory and the programs it names do
 * not call, each with every allocation failing in turn. test_every_function.sh tells which public
 * function none of them calls. */
#include "datasets/table.h"
#include "tests/failing.h"
#include "tests/files.h"
#include "tests/small.h"
#include "tests/suite.h"

/* f64, in [0, 1), different for each seed. */
static tr_tensor *values(uint64_t seed, tr_shape shape)
{
    tr_rng rng = tr_rng_seed(seed);
    return tr_variable(tr_uniform(TR_F64, shape, &rng));
}

static void differentiate(tr_tensor *y)
{
    if (y != NULL && y->requires_grad) tr_backward(tr_sum(y, TR_ALL_AXES, false));
}

static void activations(const void *what)
{
    static tr_tensor *(*const functions[])(tr_tensor *) = {
        tr_gelu,  tr_gelu_tanh, tr_hardsigmoid, tr_hardswish, tr_logsigmoid, tr_mish,
        tr_relu6, tr_selu,      tr_silu,        tr_softsign,  tr_detach,     tr_logical_not
    };
    tr_activation act;
    (void)what;
    tr_tensor *x = values(1, TR_SHAPE(4, 6)), *slope = values(2, TR_SHAPE(6));
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
        differentiate(functions[i](x));
    if (tr_activation_find("silu", &act) == TR_OK) differentiate(tr_activate(x, act));
    differentiate(tr_celu(x, 0.5));
    differentiate(tr_elu(x, 0.5));
    differentiate(tr_hardtanh(x, 0, 0.5));
    differentiate(tr_prelu(x, slope));
}

static void arrange(const void *what)
{
    const int64_t where[4] = { 0, 2, 1, 5 }, sizes[2] = { 1, 5 };
    tr_tensor    *parts[2], *index, *x = values(1, TR_SHAPE(4, 6)), *y = values(2, TR_SHAPE(4, 6));
    tr_tensor    *t = tr_from(TR_I64, TR_SHAPE(4), where);
    (void)what;
    differentiate(tr_add_scalar(x, 2));
    differentiate(tr_flip(x, TR_AXES(1)));
    differentiate(tr_index_select(x, 1, t));
    differentiate(tr_lerp(x, y, y));
    differentiate(tr_mean(x, TR_AXES(0), true));
    differentiate(tr_min(x, 1, false, &index));
    differentiate(tr_narrow(x, 1, 1, 3));
    differentiate(tr_outer(tr_select(x, 0, 0), tr_select(x, 0, 1)));
    differentiate(tr_pad(x, TR_SHAPE(1, 1), TR_SHAPE(0, 2), 3));
    differentiate(tr_scatter_add(x, 1, tr_reshape(t, TR_SHAPE(4, 1)), y));
    if (tr_split(x, 1, sizes, 2, parts) == TR_OK) differentiate(parts[1]);
    differentiate(tr_squeeze(tr_unsqueeze(x, 1), TR_AXES(1)));
    differentiate(tr_straight_through(x, y));
    differentiate(tr_sum_to(x, TR_SHAPE(1, 6)));
    differentiate(tr_transpose(x, 0, 1));
    differentiate(tr_triu(x, 1));
    if (x != NULL) tr_is_contiguous(x), tr_shape_of(x);
}

static void masks(const void *what)
{
    const int64_t where[4] = { 0, 2, 1, 5 };
    tr_tensor    *x = values(1, TR_SHAPE(4, 6)), *y = values(2, TR_SHAPE(4, 6));
    tr_tensor    *mask = tr_greater_equal(x, y);
    tr_rng        rng = tr_rng_seed(3);
    (void)what;
    differentiate(tr_masked_fill(x, mask, 2));
    tr_nonzero(mask);
    tr_all(tr_logical_and(mask, tr_logical_xor(mask, mask)), TR_ALL_AXES, false);
    tr_any(tr_logical_or(mask, mask), TR_ALL_AXES, false);
    tr_one_hot(tr_from(TR_I64, TR_SHAPE(4), where), 6, TR_F32);
    tr_permutation(9, &rng);
    tr_uniform_like(x, &rng);
}

static void products(const void *what)
{
    tr_tensor *x = values(1, TR_SHAPE(4, 6)), *w = values(2, TR_SHAPE(6, 3)), *roots, *vectors;
    tr_tensor *row = values(3, TR_SHAPE(2, 5, 3)), *picture = values(4, TR_SHAPE(1, 4, 4, 4));
    tr_tensor *k1 = values(5, TR_SHAPE(3, 3, 2)), *k2 = values(6, TR_SHAPE(3, 3, 4, 4));
    (void)what;
    differentiate(tr_affine_map(x, w, NULL, TR_RELU));
    differentiate(tr_bilinear(x, x, values(7, TR_SHAPE(6, 6, 2)), NULL));
    differentiate(tr_einsum("ij,jk->ik", x, w));
    differentiate(tr_conv1d(row, k1, NULL, NULL));
    differentiate(tr_conv1d_transpose(row, values(8, TR_SHAPE(3, 2, 3)), NULL, NULL));
    differentiate(tr_conv2d_transpose(picture, k2, NULL, NULL));
    differentiate(tr_adaptive_avg_pool2d(picture, 2, 2));
    differentiate(tr_global_avg_pool2d(picture));
    differentiate(tr_global_max_pool2d(picture));
    differentiate(tr_pixel_unshuffle(tr_pixel_shuffle(picture, 2), 2));
    differentiate(tr_instance_norm(picture, NULL, NULL, 1e-5));
    tr_eigh(tr_matmul(x, tr_transpose(x, 0, 1)), &roots, &vectors);
}

static void losses(const void *what)
{
    const int64_t classes[4] = { 0, 2, 1, 5 };
    tr_tensor    *x = values(1, TR_SHAPE(4, 6)), *y = values(2, TR_SHAPE(4, 6));
    tr_tensor *t = tr_from(TR_I64, TR_SHAPE(4), classes), *signs = tr_ones(TR_F64, TR_SHAPE(4, 6));
    tr_rng     rng = tr_rng_seed(3);
    (void)what;
    differentiate(tr_bce_with_logits_weighted(x, tr_detach(y), tr_detach(y), TR_MEAN));
    differentiate(tr_bernoulli_log_density(tr_detach(y), x));
    differentiate(tr_categorical_log_density(t, x));
    tr_categorical_sample(x, &rng);
    differentiate(tr_hinge(x, signs, TR_MEAN));
    differentiate(tr_huber(x, y, 0.1, TR_MEAN));
    differentiate(tr_l1(x, y, TR_MEAN));
    differentiate(tr_nll(tr_log_softmax(x, 1), t, NULL, TR_MEAN));
    differentiate(tr_reduce_loss(x, TR_SUM));
    differentiate(tr_kl_standard_normal(x, y));
    differentiate(tr_laplace_kl(x, y, y, x));
    differentiate(tr_laplace_log_density(x, y, x));
    differentiate(tr_logistic_log_density(x, y, x));
    differentiate(tr_normal_kl(x, y, y, x));
    differentiate(tr_normal_log_density(x, y, x));
    for (int kind = 0; tr_noise_name((tr_noise)kind) != NULL; kind++)
        tr_add_noise(x, (tr_noise)kind, 0.1, &rng);
}

static tr_tensor *sum_of_cubes(void *context, tr_tensor *const *inputs)
{
    (void)context;
    return tr_sum(tr_mul(inputs[0], tr_square(inputs[0])), TR_ALL_AXES, false);
}

static tr_tensor *same_gradient(void *context, tr_tensor *g)
{
    (void)context;
    return g;
}

static void derivatives(const void *what)
{
    tr_tensor *x = values(1, TR_SHAPE(3)), *v = tr_ones(TR_F64, TR_SHAPE(3)), *y, *gradient;
    (void)what;
    if (x == NULL || v == NULL) return;
    tr_jacobian(sum_of_cubes, NULL, x);
    tr_hessian(sum_of_cubes, NULL, x);
    tr_hvp(sum_of_cubes, NULL, x, v);
    tr_jvp(sum_of_cubes, NULL, x, v);
    const bool before = tr_set_anomaly_detection(true);
    tr_add_hook(x, same_gradient, NULL);
    y = sum_of_cubes(NULL, &x);
    if (y != NULL) tr_grad(&y, 1, &x, 1, &gradient, NULL);
    tr_gradcheck_result result;
    tr_gradcheck(sum_of_cubes, NULL, &x, 1, NULL, &result);
    tr_set_anomaly_detection(before);
}

static void own_module(const void *what)
{
    static const tr_module_type type = { .name = "own" };
    tr_module *own = tr_module_new(&type, 8), *linear = tr_nn_linear(4, 3, TR_RELU);
    tr_rng     rng = tr_rng_seed(3);
    (void)what;
    if (own == NULL || linear == NULL) return;
    tr_tensor *w = tr_module_add_parameter(own, "w", TR_SHAPE(3, 4));
    tr_module_add_parameter(own, "tied", TR_SHAPE(3, 4));
    tr_module_add_buffer(own, "b", TR_F32, TR_SHAPE(2));
    tr_module_tie(own, "tied", w);
    tr_module_add(own, "linear", linear);
    if (w != NULL) tr_initialize(w, TR_INIT_HE_NORMAL, &rng);
    tr_optimizer *o = tr_adam(tr_module_parameters(own), NULL);
    tr_module    *more = tr_nn_linear(2, 2, TR_RELU);
    if (o == NULL || more == NULL) return;
    tr_optimizer_add_group(o, tr_module_parameters(more), &(tr_group_options){ .lr_factor = 0.1 });
    tr_optimizer_set_lr(o, tr_optimizer_lr(o) / 2);
    tr_optimizer_clear(o);
    tr_optimizer_steps(o);
}

static void layers(const void *what)
{
    tr_module *parts[] = { tr_nn_conv2d_pool(1, 2, 3, 2, TR_RELU, NULL),
                           tr_nn_conv2d(2, 2, 3, TR_RELU, NULL),
                           tr_nn_max_pool2d(2),
                           tr_nn_upsample(2),
                           tr_nn_upsample_conv2d(2, 2, 3, 2, TR_RELU, NULL),
                           tr_nn_avg_pool2d(2),
                           tr_nn_dropout(0.5),
                           tr_nn_conv2d_transpose(2, 1, 3, TR_IDENTITY, NULL),
                           tr_nn_activation(TR_TANH) };
    (void)what;
    tr_module *net = tr_nn_sequence(parts, sizeof parts / sizeof parts[0]);
    if (net == NULL) return;
    tr_nn_append(net, tr_nn_flatten());
    tr_module_init(net, 3);
    tr_tensor *y = tr_forward(net, tr_zeros(TR_F32, TR_SHAPE(2, 8, 8, 1)));
    differentiate(y);
    if (tr_status_get() != TR_OK) return;
    tr_module *last = tr_nn_linear_with(tr_dim(y, 1), 6, TR_IDENTITY, NULL);
    tr_module *tail =
        tr_nn_sequential(last, tr_nn_layer_norm(6), tr_nn_reshape(TR_SHAPE(2, 3)), NULL);
    if (tail != NULL && tr_module_init(tail, 3) == TR_OK) differentiate(tr_forward(tail, y));
    const tr_named_list state = tr_module_state(net);
    tr_module_load_state(net, &state, "test");
}

static void small_things(const void *what)
{
    const double   score[3] = { 1, 2, 3 };
    const bool     positive[3] = { false, true, true };
    const uint32_t counter[4] = { 0 }, key[2] = { 0 };
    uint32_t       out[4];
    tr_plateau     plateau = { 0 };
    (void)what;
    tr_roc_auc(score, positive, 3);
    tr_average_precision(score, positive, 3);
    tr_quantile(score, 3, 0.5);
    tr_normal_quantile(0.5);
    tr_rng_philox(counter, key, out);
    tr_schedule_at(&(tr_schedule){ .lr = 1 }, 3);
    tr_schedule_name(TR_SCHEDULE_COSINE);
    tr_plateau_step(&plateau, 1, 2);
    tr_unit_name(TR_PER_IMAGE);
    tr_rate_schedule schedule;
    tr_rate_schedule_find(tr_rate_schedule_name(TR_RATE_COSINE), &schedule);
    tr_activation_name(TR_RELU);
    tr_column_kind_name(TR_COLUMN_NUMBER);
    tr_op_find("add");
    tr_set_isa(tr_isa());
    tr_version();
    tr_threads();
    tr_dataset_kind_at(0);
}

static void settings(const void *what)
{
    tr_settings *s = tr_settings_new(tr_model_find("vae")->options);
    (void)what;
    for (const tr_option *o = s != NULL ? tr_settings_options(s) : NULL;
         o != NULL && o->name != NULL; o++) {
        tr_settings_text(s, o->name);
        if (o->kind == TR_OPTION_BOOL) tr_settings_bool(s, o->name);
        if (o->kind == TR_OPTION_FLOAT) tr_settings_float(s, o->name);
        if (o->kind == TR_OPTION_CHOICE) tr_settings_is(s, o->name, "x");
    }
}

static void use_table(const tr_dataset *d)
{
    char             text[32];
    const tr_shape   all = TR_SHAPE(d->count[TR_TRAIN] + d->count[TR_TEST], d->table->values);
    const tr_tensor *x = tr_dataset_images(d, TR_TRAIN, 0, 1);
    const tr_tensor *mask = x != NULL ? tr_ones(TR_F32, tr_shape_of(x)) : NULL;
    double *errors = tr_scope_alloc((size_t)d->table->columns * sizeof *errors), overall[2];
    if (errors == NULL || mask == NULL) return;
    tr_column_text(&d->table->column[0], x->data, text);
    tr_table_errors(d->table, x, x, mask, errors, overall);
    tr_table_save(d->table, "table.json");
    tr_table_load("table.json");
    tr_table_write(d, tr_zeros(TR_F32, all), "out.csv");
}

static void tables(const void *what)
{
    tr_batch b;
    (void)what;
    tr_dataset *d = tr_dataset_open("csv:t.csv", NULL);
    tr_loader  *l = d != NULL ? tr_loader_new(d, NULL) : NULL;
    if (l == NULL) return;
    tr_loader_batches(l), tr_loader_images(l), tr_loader_epoch(l), tr_loader_position(l);
    tr_dataset_read(d, TR_TRAIN, 0, 2, &b);
    tr_dataset_row(d, TR_TRAIN, 0);
    tr_dataset_has_class(d, 0);
    use_table(d);
    tr_load_image("p.ppm");
}

static void ratings(const void *what)
{
    int64_t          item[2];
    double           rating[2];
    tr_rating_errors errors;
    (void)what;
    const tr_model_type *type = tr_model_find("undercomplete");
    tr_dataset *d = tr_dataset_open("ratings:r.csv", &(tr_dataset_options){ .test_fraction = 0.5 });
    tr_settings         *s = tr_settings_new(type->options);
    if (d == NULL || s == NULL || tr_settings_set(s, "latent", "2") != TR_OK ||
        tr_settings_set(s, "loss", "mse") != TR_OK)
        return;
    tr_model *m = tr_model_new(type, s, TR_SHAPE(d->height, d->width, d->channels), 0, 1);
    if (m == NULL) return;
    tr_module_set_training(m->net, false);
    tr_rate(m, d, &errors);
    tr_recommend(m, d, 0, 2, item, rating);
}

static void codes(const void *what)
{
    double             shade[8];
    tr_disentanglement scores;
    tr_rng             rng = tr_rng_seed(3);
    tr_tensor         *x = tr_uniform(TR_F32, TR_SHAPE(8, 3), &rng);
    (void)what;
    for (int i = 0; i < 8; i++) shade[i] = i % 3;
    tr_tsne(x, &(tr_tsne_options){ .perplexity = 2, .iterations = 3 }, NULL);
    tr_tsne_affinities(x, 2);
    tr_disentanglement_scores(x, shade, &(tr_factor){ .name = "shade" }, 1, &scores);
}

static void models(const void *what)
{
    double               low[2] = { -1, -1 }, high[2] = { 1, 1 };
    const tr_model_type *type = tr_model_find("vae");
    tr_settings         *s = tr_settings_new(type->options);
    (void)what;
    if (s == NULL || tr_settings_set(s, "latent", "2") != TR_OK ||
        tr_settings_set(s, "hidden", "3") != TR_OK)
        return;
    tr_model *m = tr_model_new(type, s, TR_SHAPE(4, 4, 1), 2, 1);
    if (m == NULL) return;
    tr_model_set_target(m, NULL, NULL);
    tr_module_set_training(m->net, false);
    tr_manifold(m, 2, low, high);
    tr_dataset *d = tr_dataset_open("digits", NULL);
    tr_tensor  *x = d != NULL ? tr_flatten(tr_dataset_images(d, TR_TRAIN, 0, 6), 1) : NULL;
    if (x == NULL) return;
    const tr_features features = { tr_narrow(x, 1, 0, 9), tr_dataset_labels(d, TR_TRAIN, 0, 6) };
    if (tr_status_get() == TR_OK) tr_linear_accuracy(&features, &features, 10, 1);
}

START_TEST(functions)
{
    static const struct {
        const char *name;
        work        does;
    } works[] = { { "activations", activations },
                  { "arrange", arrange },
                  { "masks", masks },
                  { "products", products },
                  { "losses", losses },
                  { "own", own_module },
                  { "layers", layers },
                  { "derivatives", derivatives },
                  { "small", small_things },
                  { "settings", settings },
                  { "tables", tables },
                  { "models", models },
                  { "ratings", ratings },
                  { "codes", codes } };
    write_file("t.csv", "a,b,c\n1,2,x\n3,4,y\n5,,x\n", 23);
    write_file("p.ppm", "P3 2 2 255 1 2 3 4 5 6 7 8 9 10 11 12\n", 38);
    const char *rows = "u,i,r\na,x,1\na,y,2\na,z,4\nb,x,3\nb,y,5\nb,z,1\nc,x,2\nc,y,2\nc,z,3\n"
                       "d,x,1\nd,y,3\nd,z,5\n";
    write_file("r.csv", rows, strlen(rows));
    tr_set_threads(1);
    for (size_t i = 0; i < sizeof works / sizeof works[0]; i++)
        fail_everywhere(works[i].name, works[i].does, NULL);
    printf("%d places\n", (int)places);
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { functions },
        { 0 },
    };
    return run_tests("every function", enter_folder, leave_folder, tests);
}
