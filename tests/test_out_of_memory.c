/* test_out_of_memory.c: every allocation of the library fails in turn, once, and once more with all
 * that follow it: of every operation with its gradient, of a training of every model from an empty
 * folder to the report, of every use of a trained model, reader of data, optimiser and module. Each
 * time: an error of kind TR_ERR_MEMORY with its message, no memory and no open file left over, and
 * the same call succeeds afterwards. Beside it: test_models (the models' parts),
 * test_composed_memory (functions of many operations), test_files, test_readers, test_optim. */
#include "autograd/example.h"
#include "datasets/table.h"
#include "tests/failing.h"
#include "tests/files.h"
#include "tests/small.h"
#include "train/compare.h"
#include "tests/suite.h"

/* --- Operations ------------------------------------------------------------------------------ */

typedef struct op_example {
    const tr_op      *op;
    const tr_example *example;
} op_example;

static void apply(const void *what)
{
    const op_example *o = what;
    tr_tensor        *in[TRI_MAX_EXAMPLE_INPUTS];
    const int         n = tri_example_inputs(o->example, TR_F64, TRI_CONTIGUOUS, 7, in);
    for (int i = 0; i < n; i++)
        if (in[i]->dtype == TR_F64) tr_variable(in[i]);
    tr_tensor *y =
        n > 0 ? tr_apply(o->op, in, n, o->example->attributes, o->example->attribute_bytes) : NULL;
    if (y != NULL && y->requires_grad) tr_backward(tr_sum(tr_square(y), TR_ALL_AXES, false));
}

START_TEST(operations)
{
    int                 count;
    const tr_op *const *ops = tr_ops(&count);
    for (int i = 0; i < count; i++)
        for (const tr_example *e = ops[i]->examples; e != NULL && e->inputs != NULL; e++)
            fail_everywhere(ops[i]->name, apply, &(op_example){ ops[i], e });
    printf("operations: %d places\n", (int)places);
}
END_TEST

/* --- Trainings ------------------------------------------------------------------------------- */

static void make_folder(void)
{
    uint8_t pictures[16 + 20 * 64] = { 0, 0, 8, 3, 0, 0, 0, 20, 0, 0, 0, 8, 0, 0, 0, 8 };
    uint8_t labels[8 + 20] = { 0, 0, 8, 1, 0, 0, 0, 20 };
    enter_folder();
    for (int i = 0; i < 20 * 64; i++) pictures[16 + i] = (uint8_t)(i * 37 % 251);
    for (int i = 0; i < 20; i++) labels[8 + i] = (uint8_t)(i / 2 % 2);
    write_file("pictures", pictures, sizeof pictures);
    write_file("labels", labels, sizeof labels);
    write_file("t.csv", "a,b,c\n1,2,x\n3,4,y\n5,,x\n", 23);
    write_file("p.ppm", "P3 2 2 255 1 2 3 4 5 6 7 8 9 10 11 12\n", 38);
    tr_set_threads(1);
}

static tr_dataset *open_pictures(void)
{
    return tr_dataset_open("idx:pictures,labels", NULL);
}

static tr_model *new_model(const tr_model_type *type)
{
    return tr_model_new(type, small_settings(type), TR_SHAPE(8, 8, 1), 2, 3);
}

static tr_run *new_run(const tr_model_type *type, const char *dir)
{
    tr_dataset *pictures = open_pictures();
    tr_model   *model = pictures != NULL ? new_model(type) : NULL;
    return tr_run_new(
        dir, model, pictures,
        &(tr_train_options){
            .epochs = 1, .batch = 6, .limit = 12, .val_limit = 2, .overwrite = true });
}

static void train(const void *what)
{
    tr_run *run = new_run(what, NULL);
    if (run != NULL) tr_run_train(run, NULL);
}

START_TEST(trainings)
{
    int                         count;
    const tr_model_type *const *types = tr_model_types(&count);
    places = 0;
    for (int i = 0; i < count; i++) fail_everywhere(types[i]->name, train, types[i]);
    printf("trainings: %d places\n", (int)places);
}
END_TEST

/* A directory from its beginning to the report, and opened in each way. */
static void keep(const void *what)
{
    const char *dir = "run";
    tr_scope   *scope = tr_scope_push(); /* the lock goes with it */
    tr_run     *run = new_run(what, dir);
    if (run != NULL && tr_run_train(run, NULL) == TR_OK) tr_run_report(run);
    if (run != NULL && tr_run_last(run) != NULL) tr_metric(&tr_run_last(run)->val, "loss");
    if (run != NULL) tr_run_command(run);
    tr_scope_pop(scope);
    for (tr_open_mode mode = TR_OPEN_WEIGHTS; mode <= TR_OPEN_RESUME; mode++) {
        tr_run    *again = tr_run_open(dir, NULL, mode);
        tr_metrics metrics;
        if (again == NULL || tr_run_use_data(again, NULL) != TR_OK) return;
        if (mode == TR_OPEN_RESUME) tr_run_set_epochs(again, 2);
        tr_run_use_rows(again, NULL);
        tr_evaluate(again->model, again->dataset, NULL, &metrics);
    }
}

START_TEST(directories)
{
    places = 0;
    fail_everywhere("a run directory", keep, tr_model_find("vae"));
    ck_assert_msg(system("ls run run/checkpoint | grep -q '[.]tmp-'") != 0,
                  "a temporary file is left");
    printf("directories: %d places\n", (int)places);
}
END_TEST

static void compare(const void *what)
{
    tr_compared run = { 0 };
    (void)what;
    if (tr_compare_run("run", &(tr_compare_options){ .probe = 10 }, &run) != TR_OK) return;
    tr_compare_page("page.html", "One", &run, 1);
    tr_compare_markdown("page.md", "One", &run, 1);
}

START_TEST(comparisons)
{
    places = 0;
    tr_scope *scope = tr_scope_push();
    keep(tr_model_find("vae"));
    tr_scope_pop(scope);
    fail_everywhere("a comparison", compare, NULL);
    printf("comparisons: %d places\n", (int)places);
}
END_TEST

/* --- Uses of a trained model ------------------------------------------------------------------ */

static void use_codes(tr_model *m, const tr_dataset *d)
{
    double     low[8], high[8], bits, share, step[8] = { 0.1, 0.1, 0.1, 0.1 };
    tr_rng     rng = tr_rng_seed(1);
    tr_tensor *codes = tr_encode_images(m, d, TR_TRAIN, 12);
    tr_tensor *x = tr_show_images(d, 4), *labels = tr_dataset_labels(d, TR_TRAIN, 0, 12);
    tr_code_shape(m);
    tr_code_range(m, codes, low, high);
    if (tr_status_get() != TR_OK) return;
    tr_decode_rows(m, codes);
    tr_traverse(m, tr_mean_code(codes, labels, 1), (int64_t[]){ 0, 2 }, 2, 3, low, high);
    tr_interpolate(m, x, x, 3, true);
    tr_project_plane(codes, &share);
    tr_quantise(codes, step, &bits);
    tr_model_sample(m, 3, &rng);
    tr_model_log_likelihood(m, x, NULL, 3, &rng);
    tr_export_torch(m, "torch");
    tr_export_npz(m, "all.npz");
    const tr_features features = { codes, labels };
    tr_knn_accuracy(&features, &features, 3);
}

static void use_pictures(tr_model *m, const tr_dataset *d)
{
    double     score[2];
    tr_pca     pca = { 0 };
    tr_tensor *x = tr_dataset_images(d, TR_TRAIN, 0, 10), *start = tr_dataset_mean(d, 0);
    tr_tensor *missing = tr_cast(tr_greater(x, tr_scalar(TR_F32, 0.7)), TR_U8);
    tr_tensor *rows = tr_flatten(x, 1);
    tr_anomaly_scores(m, d, TR_TEST, 0, 2, &(tr_anomaly_options){ .samples = 2 }, score);
    tr_tensor *filled = tr_impute(m, x, missing, start, 2);
    tr_pca_fit(rows, 3, &pca);
    if (tr_status_get() != TR_OK) return;
    tr_pca_decode(&pca, tr_pca_encode(&pca, rows));
    tr_impute_pca(&pca, x, missing, start, 2);
    tr_masked_mse(x, filled, missing);
    tr_psnr(x, filled);
    tr_model_reconstruct(m, x);
}

static void use(const void *what)
{
    const tr_dataset *d = open_pictures();
    tr_model         *m = d != NULL ? new_model(what) : NULL;
    if (m == NULL) return;
    tr_module_set_training(m->net, false);
    tr_scope *scope = tr_scope_push();
    use_codes(m, d);
    tr_scope_pop(scope);
    use_pictures(m, d);
}

START_TEST(uses)
{
    places = 0;
    fail_everywhere("uses", use, tr_model_find("vae"));
    printf("uses: %d places\n", (int)places);
}
END_TEST

/* --- Data ------------------------------------------------------------------------------------- */

static void read_data(const void *what)
{
    char        text[100];
    tr_dataset *d = tr_dataset_open(what, NULL);
    tr_loader  *loader =
        d != NULL
             ? tr_loader_new(d, &(tr_loader_options){ .batch = 2, .limit = 6, .shuffle = true })
             : NULL;
    if (loader == NULL) return;
    for (tr_batch b; tr_loader_next(loader, &b);) tr_image_grid(b.x, NULL);
    tr_loader_seek(loader, 1, 0);
    const char *type;
    int64_t     bytes;
    tr_tensor  *picture = tr_image_grid(tr_dataset_images(d, TR_TRAIN, 0, 1), NULL);
    if (d->channels == 1 || d->channels == 3) tr_encode_image(picture, &bytes, &type);
    tr_describe(picture, text, sizeof text);
}

START_TEST(data)
{
    static const char *const specs[] = { "digits",    "shapes",   "idx:pictures",
                                         "csv:t.csv", "images:.", "npy:x.npy" };
    tr_rng                   rng = tr_rng_seed(1);
    tr_save_npy("x.npy", tr_uniform(TR_F32, TR_SHAPE(20, 6), &rng));
    places = 0;
    for (int i = 0; i < 6; i++) fail_everywhere(specs[i], read_data, specs[i]);
    printf("data: %d places\n", (int)places);
}
END_TEST

/* --- Optimisers and averages -------------------------------------------------------------------
 */

static void optimise(const void *what)
{
    static tr_optimizer *(*const adaptive[])(tr_named_list, const tr_adam_options *) = { tr_adam,
                                                                                         tr_adamw };
    const int  kind = *(const int *)what;
    tr_module *net = tr_nn_sequential(tr_nn_linear(4, 3, TR_RELU), tr_nn_batch_norm(3),
                                      tr_nn_linear(3, 4, TR_IDENTITY), NULL);
    if (net == NULL || tr_module_init(net, 3) != TR_OK) return;
    tr_named_list list = tr_module_parameters(net), state = { 0 };
    tr_optimizer *o = kind < 2   ? adaptive[kind](list, NULL)
                      : kind < 3 ? tr_sgd(list, NULL)
                                 : tr_rmsprop(list, NULL);
    tr_ema       *ema = tr_ema_new(list, 0.9);
    tr_plateau    plateau = { 0 };
    if (o == NULL || ema == NULL) return;
    tr_rng rng = tr_rng_seed(1);
    tr_backward(tr_mse(tr_forward(net, tr_normal(TR_F32, TR_SHAPE(5, 4), &rng)),
                       tr_zeros(TR_F32, TR_SHAPE(5, 4)), TR_MEAN));
    tr_clip_grad_norm(list, 0.1);
    tr_clip_grad_value(list, 0.01);
    tr_optimizer_step(o);
    tr_ema_update(ema);
    tr_ema_swap(ema);
    tr_optimizer_state(o, &state);
    tr_ema_state(ema, &state);
    tr_plateau_state(&plateau, &state);
    tr_optimizer_load(o, &state);
    tr_ema_load(ema, &state);
    tr_plateau_load(&plateau, &state);
    tr_module_save(net, "net", NULL);
    tr_module_load(net, "net");
    int64_t count;
    tr_module_set_training(net, false);
    tr_forward(net, tr_zeros(TR_F32, TR_SHAPE(1, 4)));
    tr_module_summary(net, &count);
    tr_module_cast(net, TR_F64);
}

START_TEST(optimisers)
{
    places = 0;
    for (int kind = 0; kind < 4; kind++) fail_everywhere("optimisers", optimise, &kind);
    printf("optimisers: %d places\n", (int)places);
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { operations },
        { trainings },
        { directories },
        { comparisons },
        { uses },
        { data },
        { optimisers },
        { 0 },
    };
    make_folder();
    const int failed = run_tests("out of memory", NULL, NULL, tests);
    leave_folder();
    return failed;
}
