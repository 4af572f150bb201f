/* check.c: `check`: gradients of operations and models against central differences, in f64, of
 * order 1 and 2. A model is built small, its noise is frozen by its seed, and the loss is checked
 * as a function of a few of its parameters. Read next: autograd/gradcheck.c. */
#include "cli/cli.h"

#include "autograd/example.h"

#include <string.h>

/* clang-format off */
const arg_option check_options[] = {
    { "order", 0, ARG_INT, "N", 1, 3, "highest order of derivative [2]" },
    { 0 },
};
/* clang-format on */

enum { SIDE = 4, IMAGES = 2, MAX_CHECKED = 6 };

typedef struct outcome {
    const char *name, *kind;
    int         checks, failed;
    double      worst;
} outcome;

static void write_outcome(const args *a, const outcome *o)
{
    if (has(a, "json")) {
        tri_text t = { 0 };
        tri_text_add(&t, "{\"name\":");
        tri_text_string(&t, o->name);
        tri_text_add(&t, ",\"kind\":\"%s\",\"checks\":%d,\"failed\":%d,\"worst_error\":", o->kind,
                     o->checks, o->failed);
        tri_text_number(&t, o->worst);
        tri_text_add(&t, "}");
        print_json(&t);
    } else if (!has(a, "quiet")) {
        printf("%-6s %s%-24s%s %3d checks, largest relative error %.1e\n",
               o->failed > 0 ? "FAILED" : "ok", bold(), o->name, plain(), o->checks, o->worst);
    }
}

/* --- Operations --------------------------------------------------------------------------- */

static outcome check_op(const tr_op *op, int order)
{
    tri_op_check result = { 0 };
    outcome      o = { .name = op->name, .kind = "op" };
    tri_check_op(op, order, NULL, &result);
    if (tr_status_get() != TR_OK) return o;
    o.checks = result.count;
    o.failed = result.failed;
    if (result.count > 0) o.worst = result.checks[result.worst].result.worst_error;
    return o;
}

/* --- Models ------------------------------------------------------------------------------- */

typedef struct frozen {
    tr_model  *model;
    tr_tensor *x, *labels;
} frozen;

/* The loss; the parameters that are varied are the model's own tensors, so they need no passing on.
 */
static tr_tensor *frozen_loss(void *context, tr_tensor *const *inputs)
{
    const frozen *f = context;
    tr_rng        rng = tr_rng_seed(11);
    (void)inputs;
    return tr_model_loss(f->model, f->x, f->labels, &rng).loss;
}

/* Sizes that a check can afford; options that a model lacks stay away. */
static tr_settings *small_settings(const tr_model_type *type)
{
    static const char *const small[][2] = {
        { "latent", "2" }, { "hidden", "5,4" }, { "channels", "2,3" }, { NULL, NULL }
    };
    tr_settings *s = tr_settings_new(type->options);
    for (int i = 0; small[i][0] != NULL; i++)
        for (const tr_option *o = type->options; o->name != NULL; o++)
            if (strcmp(o->name, small[i][0]) == 0 && o->standard[0] != '\0')
                tr_settings_set(s, o->name, small[i][1]);
    return s;
}

/* Moves the parameters a little, biases off zero above all: a unit whose inputs are all zero would
 * sit at the kink of its ReLU, where differences say nothing. */
static void leave_kinks(const tr_named_list *parameters)
{
    const bool recording = tr_set_recording(false);
    for (int64_t i = 0; i < parameters->count; i++) {
        tr_tensor *p = parameters->items[i].tensor;
        tr_rng     rng = tr_rng_stream(8, (uint64_t)i);
        tr_assign(p, tr_add(p, tr_scale(tr_normal_like(p, &rng), 0.1)));
    }
    tr_set_recording(recording);
}

static outcome check_model(const tr_model_type *type, int order)
{
    tr_rng  rng = tr_rng_seed(5);
    outcome o = { .name = type->name, .kind = "model" };
    frozen f = { .model = tr_model_new(type, small_settings(type), TR_SHAPE(SIDE, SIDE, 1), 2, 3) };
    tr_tensor *inputs[MAX_CHECKED];
    int        count = 0;
    if (f.model == NULL || tr_module_cast(f.model->net, TR_F64) != TR_OK) return o;
    f.x = tr_uniform(TR_F64, TR_SHAPE(IMAGES, SIDE, SIDE, 1), &rng);
    f.labels = tr_zeros(TR_I64, TR_SHAPE(IMAGES));
    const tr_named_list list = tr_module_parameters(f.model->net);
    leave_kinks(&list);
    for (int64_t i = 0; i < list.count && count < MAX_CHECKED; i++)
        if (tr_numel(list.items[i].tensor) <= 128) inputs[count++] = list.items[i].tensor;
    tr_gradcheck_result result = { 0 };
    tr_gradcheck(frozen_loss, &f, inputs, count, &(tr_gradcheck_options){ .order = order },
                 &result);
    o.checks = count;
    o.failed = result.passed ? 0 : 1;
    o.worst = result.worst_error;
    return o;
}

/* --- The command
 * ---------------------------------------------------------------------------------- */

static bool wanted(const args *a, const char *name)
{
    for (int i = 0; i < a->word_count; i++)
        if (strcmp(a->words[i], name) == 0) return true;
    return a->word_count == 0;
}

static const char *unknown_word(const args *a)
{
    int                         count;
    const tr_model_type *const *types = tr_model_types(&count);
    for (int w = 0; w < a->word_count; w++) {
        bool known = tr_op_find(a->words[w]) != NULL;
        for (int i = 0; i < count; i++) known = known || strcmp(types[i]->name, a->words[w]) == 0;
        if (!known) return a->words[w];
    }
    return NULL;
}

int run_check(const args *a)
{
    int                         op_count, type_count, failed = 0;
    const tr_op *const         *ops = tr_ops(&op_count);
    const tr_model_type *const *types = tr_model_types(&type_count);
    const int                   order = (int)int_of(a, "order", 2);
    if (unknown_word(a) != NULL)
        return usage_error(
            a, "there is no operation or model %s; tenrec ops and tenrec models list them",
            unknown_word(a));
    for (int i = 0; i < op_count + type_count; i++) {
        const char *name = i < op_count ? ops[i]->name : types[i - op_count]->name;
        if (!wanted(a, name)) continue;
        tr_scope     *scope = tr_scope_push();
        const outcome o =
            i < op_count ? check_op(ops[i], order) : check_model(types[i - op_count], order);
        tr_scope_pop(scope);
        if (tr_status_get() != TR_OK) return end_run();
        failed += o.failed > 0;
        write_outcome(a, &o);
    }
    if (failed == 0) return EXIT_OK;
    fprintf(stderr, "error: check: %d of the gradients are wrong\n", failed);
    return EXIT_FAILED;
}
