/* test_export.c: models written for PyTorch give the same codes and pictures there; NumPy reads
 * .npz. Skipped where there is no Python with these packages. */
#include "train/train.h"
#include "tests/files.h"
#include "tests/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void setup(void)
{
    enter_folder();
    tr_set_threads(1);
    tr_set_recording(false);
}

/* A Python that imports the package, or NULL. */
static const char *find_python(const char *package)
{
    static const char *const pythons[] = { "python3", "/usr/bin/python3" };
    for (int i = 0; i < 2; i++) {
        char command[160];
        snprintf(command, sizeof command, "%s -c 'import %s' 2>/dev/null", pythons[i], package);
        if (system(command) == 0) return pythons[i];
    }
    printf("skipped: no Python with %s\n", package);
    return NULL;
}

/* compare.py FOLDER NAME...: each module against the codes and pictures beside it. */
static const char compare[] =
    "import importlib, sys; folder = sys.argv[1]; sys.path.insert(0, folder)\n"
    "import numpy as np, torch; torch.set_num_threads(1)\n"
    "for name in sys.argv[2:]:\n"
    "    load = lambda part: torch.from_numpy(np.load(folder + '/' + name + part + '.npy'))\n"
    "    module = importlib.import_module(name); model = module.Model()\n"
    "    model.load_state_dict(module.load_weights(folder + '/' + name + '.safetensors'))\n"
    "    with torch.no_grad():\n"
    "        z = model.encode(load('-x').permute(0, 3, 1, 2))\n"
    "        y = model.decode(z).permute(0, 2, 3, 1)\n"
    "    z = z.permute(0, 2, 3, 1) if z.dim() == 4 else z\n"
    "    off = max((z - load('-z')).abs().max().item(), (y - load('-y')).abs().max().item())\n"
    "    if not off < 1e-5: sys.exit('%s is off by %g' % (name, off))\n";

/* Biases are not left at zero. */
static void shake(tr_model *m)
{
    tr_rng              rng = tr_rng_seed(2);
    const tr_named_list parameters = tr_module_parameters(m->net);
    for (int64_t i = 0; i < parameters.count; i++) {
        tr_tensor *p = parameters.items[i].tensor;
        tr_assign(p, tr_add(p, tr_scale(tr_normal_like(p, &rng), 0.05)));
    }
    tr_module_set_training(m->net, false);
}

static void save(const char *name, const char *part, const tr_tensor *t)
{
    char file[80];
    snprintf(file, sizeof file, "%s-%s.npy", name, part);
    tr_save_npy(file, t);
}

/* Settings beside the defaults, "name=value" at most. */
static const struct {
    const char *name, *type, *set, *value;
} variants[] = {
    { "stacked_tied", "stacked", "tied", "true" },
    { "stacked_concat", "stacked", "variant", "concat" },
    { "stochastic_gaussian", "stochastic", "likelihood", "gaussian" },
    { "sparse_wta", "sparse", "penalty", "wta" },
    { "sparse_topk", "sparse", "penalty", "topk" },
    { "cvae_gaussian", "cvae", "likelihood", "gaussian" },
};
enum { VARIANTS = sizeof variants / sizeof variants[0] };

/* True where the model was written, beside a batch with its codes and pictures. */
static bool write_model(const char *name, const tr_model_type *type, tr_settings *settings)
{
    tr_rng    rng = tr_rng_seed(3);
    tr_model *m = tr_model_new(type, settings, TR_SHAPE(16, 16, 3), 10, 1);
    ck_assert_msg(m != NULL, "%s: %s", name, tr_error());
    shake(m);
    tr_tensor *x = tr_uniform(TR_F32, TR_SHAPE(3, 16, 16, 3), &rng), *z = tr_model_encode(m, x);
    save(name, "x", x);
    save(name, "z", z);
    save(name, "y", tr_model_decode(m, z));
    ck_assert_msg(tr_status_get() == TR_OK, "%s: %s", name, tr_error());
    if (tr_export_torch(m, name) == TR_OK) return true;
    ck_assert_msg(strstr(tr_error(), "cannot be written for torch") != NULL, "%s", tr_error());
    tr_error_clear();
    return false;
}

/* A module's name: "conv-vae" is none in Python. */
static const char *module_name(const char *model)
{
    char *name = tr_scope_alloc(strlen(model) + 1);
    for (size_t i = 0; model[i] != '\0'; i++) name[i] = model[i] == '-' ? '_' : model[i];
    return name;
}

START_TEST(torch_computes_the_same)
{
    const char *python = find_python("torch, numpy");
    int         count;
    char        command[1024];
    if (python == NULL) return;
    write_file("compare.py", compare, strlen(compare));
    const tr_model_type *const *types = tr_model_types(&count);
    size_t used = (size_t)snprintf(command, sizeof command, "OMP_NUM_THREADS=1 %s -B compare.py .",
                                   python);
    for (int i = 0; i < count + VARIANTS; i++) {
        const int            v = i - count;
        const char          *name = v < 0 ? module_name(types[i]->name) : variants[v].name;
        const tr_model_type *type = v < 0 ? types[i] : tr_model_find(variants[v].type);
        tr_scope            *scope = tr_scope_push();
        tr_settings         *settings = tr_settings_new(type->options);
        if (v >= 0) tr_settings_set(settings, variants[v].set, variants[v].value);
        const bool written = write_model(name, type, settings);
        const bool beyond = v >= VARIANTS - 2; /* the last two have no short form */
        ck_assert_msg(written == !beyond, "%s", name);
        if (written) used += (size_t)snprintf(command + used, sizeof command - used, " %s", name);
        tr_scope_pop(scope);
    }
    ck_assert_uint_lt(used, sizeof command);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

/* --- A model of one's own, of layers that the zoo does not use -------------------------------- */

enum { GROUPS, DILATION, HARDSWISH, LAYER_NORM, WRITABLE, KINDS };
static int kind; /* of its first layer */

static tr_tensor *in_turn(tr_module *m, tr_tensor *x)
{
    for (tr_module *part = m->first_child; part != NULL; part = part->next) x = tr_forward(part, x);
    return x;
}

static tr_status own_build(tr_model *m)
{
    static const tr_module_type type = { .name = "own", .forward = in_turn };
    const tr_layer_options      grouped = { .conv = { .groups = 3, .padding = TR_PAD_SAME } };
    const tr_layer_options dilated = { .conv = { .dilation = { 1, 2 }, .padding = TR_PAD_SAME } };
    const tr_layer_options unpadded = { .no_bias = true, .conv = { .stride = { 2, 2 } } };
    tr_module             *first = kind == GROUPS       ? tr_nn_conv2d(3, 3, 3, TR_RELU, &grouped)
                                   : kind == DILATION   ? tr_nn_conv2d(3, 3, 3, TR_RELU, &dilated)
                                   : kind == HARDSWISH  ? tr_nn_activation(TR_HARDSWISH)
                                   : kind == LAYER_NORM ? tr_nn_layer_norm(3)
                                                        : tr_nn_activation(TR_SILU);
    m->net = tr_module_new(&type, 0);
    tr_module_add(m->net, "encoder",
                  tr_nn_sequential(first, tr_nn_conv2d(3, 4, 3, TR_ELU, NULL), tr_nn_avg_pool2d(2),
                                   tr_nn_max_pool2d(2), tr_nn_dropout(0.5), tr_nn_flatten(),
                                   tr_nn_linear(64, 6, TR_TANH), NULL));
    tr_module_add(m->net, "decoder",
                  tr_nn_sequential(tr_nn_linear(6, 64, TR_LEAKY_RELU),
                                   tr_nn_reshape(TR_SHAPE(4, 4, 4)), tr_nn_upsample(2),
                                   tr_nn_conv2d_transpose(4, 5, 2, TR_MISH, &unpadded),
                                   tr_nn_conv2d(5, 3, 4, TR_IDENTITY, NULL), NULL));
    return tr_status_get();
}

static tr_tensor *own_encode(tr_model *m, tr_tensor *x)
{
    return tr_forward(m->net->first_child, x);
}

static tr_tensor *own_decode(tr_model *m, tr_tensor *z)
{
    return tr_sigmoid(tr_forward(m->net->first_child->next, z));
}

static tr_terms own_loss(tr_model *m, tr_tensor *x, tr_tensor *labels, tr_rng *rng)
{
    (void)labels, (void)rng;
    return (tr_terms){ .loss = tr_mse(own_decode(m, own_encode(m, x)), x, TR_MEAN) };
}

static const tr_option     own_options[] = { { 0 } };
static const tr_model_type own = { .name = "own",
                                   .summary = "layers that the zoo does not use",
                                   .options = own_options,
                                   .batch = 8,
                                   .epochs = 1,
                                   .lr = 1e-3,
                                   .build = own_build,
                                   .loss = own_loss,
                                   .encode = own_encode,
                                   .decode = own_decode };

START_TEST(layers_of_ones_own)
{
    kind = WRITABLE;
    ck_assert(write_model("own", &own, NULL));
    const char *python = find_python("torch, numpy");
    if (python == NULL) return;
    write_file("compare.py", compare, strlen(compare));
    char command[300];
    snprintf(command, sizeof command, "OMP_NUM_THREADS=1 %s -B compare.py . own", python);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

START_TEST(what_torch_has_no_layer_for)
{
    static const char *const message[KINDS] = {
        "export: layer encoder.0 (conv2d) cannot be written for torch: it has groups or dilation",
        "export: layer encoder.0 (conv2d) cannot be written for torch: it has groups or dilation",
        "export: layer encoder.0 (activation) cannot be written for torch: hardswish",
        "export: layer encoder.0 (layer_norm) cannot be written for torch: there is no rule for "
        "its "
        "kind"
    };
    for (kind = 0; kind < WRITABLE; kind++) {
        tr_model *m = tr_model_new(&own, NULL, TR_SHAPE(16, 16, 3), 0, 1);
        ck_assert_int_eq(tr_export_torch(m, "refused"), TR_ERR_VALUE);
        ck_assert_str_eq(tr_error(), message[kind]);
        tr_error_clear();
        ck_assert_ptr_null(fopen("refused.py", "r"));
    }
}
END_TEST

START_TEST(npz_is_read_by_numpy)
{
    const char *python = find_python("numpy");
    if (python == NULL) return;
    tr_model *m = tr_model_new(tr_model_find("vae"), NULL, TR_SHAPE(4, 4, 1), 0, 1);
    ck_assert_int_eq(tr_export_npz(m, "m.npz"), TR_OK);
    const tr_named_list state = tr_module_state(m->net);
    tr_save_npy("first.npy", state.items[0].tensor);
    char command[500];
    snprintf(command, sizeof command,
             "%s -c \"import numpy as np; z = np.load('%s'); assert len(z.files) == %d; "
             "assert (z['%s'] == np.load('%s')).all()\"",
             python, "m.npz", (int)state.count, state.items[0].name, "first.npy");
    ck_assert_int_eq(system(command), 0);
    ck_assert_int_eq(tr_export_npz(m, "none/m.npz"), TR_ERR_FILE);
    tr_error_clear();
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { torch_computes_the_same },
        { layers_of_ones_own },
        { what_torch_has_no_layer_for },
        { npz_is_read_by_numpy },
        { 0 },
    };
    return run_tests("export", setup, leave_folder, tests);
}
