/* summary.c: `summary`: the layers of a model, before any training. */
#include "cli/cli.h"

#include <string.h>

/* clang-format off */
const arg_option summary_options[] = {
    { "input", 0, ARG_TEXT, "HxWxC", 0, 0, "size of the images [28x28x1]" },
    { "set", 0, ARG_TEXT, "KEY=VALUE", 0, 0, "an option of the model; may be given several times" },
    { 0 },
};
/* clang-format on */

static void write_row_json(const tr_summary_row *row)
{
    tri_text t = { 0 };
    tri_text_add(&t, "{\"name\":");
    tri_text_string(&t, row->path);
    tri_text_add(&t, ",\"kind\":");
    tri_text_string(&t, row->kind);
    tri_text_add(&t, ",\"settings\":");
    tri_text_string(&t, row->settings);
    tri_text_add(&t, ",\"output\":[");
    for (int i = 1; i < row->out_shape.rank; i++)
        tri_text_add(&t, "%s%lld", i > 1 ? "," : "", (long long)row->out_shape.dim[i]);
    tri_text_add(&t, "],\"parameters\":%lld,\"multiply_adds\":%lld}", (long long)row->parameters,
                 (long long)row->multiply_adds);
    print_json(&t);
}

static void write_row(const tr_summary_row *row)
{
    char shape[96] = "", count[32], work[32];
    for (int i = 1; i < row->out_shape.rank; i++)
        snprintf(shape + strlen(shape), sizeof shape - strlen(shape), "%s%lld", i > 1 ? " x " : "",
                 (long long)row->out_shape.dim[i]);
    printf("%-16s %-12s %-34s %-14s %12s %14s\n", row->path, row->kind, row->settings, shape,
           show_count((double)row->parameters, count),
           show_count((double)row->multiply_adds, work));
}

int run_summary(const args *a)
{
    tr_shape input;
    if (!read_size(text_of(a, "input", "28x28x1"), &input))
        return usage_error(a, "--input is %s; it must be HxWxC, such as 28x28x1",
                           text_of(a, "input", ""));
    tr_model *model = make_model(a, a->words[0], input, 10, 0);
    if (model == NULL) return end_setup();
    tr_set_recording(false);
    tr_rng     rng = tr_rng_seed(0);
    tr_tensor *x = tr_zeros(TR_F32, TR_SHAPE(1, input.dim[0], input.dim[1], input.dim[2]));
    (void)tr_model_loss(model, x, tr_zeros(TR_I64, TR_SHAPE(1)),
                        &rng); /* so that shapes are known */
    int64_t         count = 0, parameters = tr_module_parameter_count(model->net), work = 0;
    tr_summary_row *rows = tr_module_summary(model->net, &count);
    if (rows == NULL) return end_run();
    if (!has(a, "json"))
        printf("%s%-16s %-12s %-34s %-14s %12s %14s%s\n", bold(), "layer", "kind", "", "output",
               "parameters", "multiply-adds", plain());
    for (int64_t i = 0; i < count; i++) {
        work += rows[i].multiply_adds;
        if (has(a, "json"))
            write_row_json(&rows[i]);
        else
            write_row(&rows[i]);
    }
    char total[32], adds[32];
    if (!has(a, "json"))
        printf("%s%-16s %-12s %-34s %-14s %12s %14s%s\n", bold(), "total", "", "", "",
               show_count((double)parameters, total), show_count((double)work, adds), plain());
    return end_run();
}
