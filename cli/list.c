/* list.c: what there is: `models`, `datasets`, `ops`. */
#include "cli/uses.h"

#include <string.h>

/* --- models ------------------------------------------------------------------------------- */

static const char *kind_name(tr_option_kind kind)
{
    static const char *const names[] = { "int", "float", "bool", "choice", "sizes" };
    return names[kind];
}

static void write_model_json(const tr_model_type *m)
{
    tri_text t = { 0 };
    tri_text_add(&t, "{\"name\":");
    tri_text_string(&t, m->name);
    tri_text_add(&t, ",\"summary\":");
    tri_text_string(&t, m->summary);
    tri_text_add(&t, ",\"source\":");
    tri_text_string(&t, m->source);
    tri_text_add(&t, ",\"unit\":");
    tri_text_string(&t, tr_unit_name(m->unit));
    tri_text_add(&t, ",\"generative\":%s,\"epochs\":%d,\"batch\":%d,\"lr\":",
                 m->sample != NULL ? "true" : "false", m->epochs, m->batch);
    tri_text_number(&t, m->lr);
    tri_text_add(&t, ",\"options\":[");
    for (const tr_option *o = m->options; o->name != NULL; o++) {
        tri_text_add(&t, "%s{\"name\":", o > m->options ? "," : "");
        tri_text_string(&t, o->name);
        tri_text_add(&t, ",\"kind\":\"%s\",\"default\":", kind_name(o->kind));
        tri_text_string(&t, o->standard);
        if (o->kind == TR_OPTION_CHOICE) {
            tri_text_add(&t, ",\"choices\":");
            tri_text_string(&t, o->choices);
        }
        tri_text_add(&t, ",\"help\":");
        tri_text_string(&t, o->help);
        tri_text_add(&t, "}");
    }
    tri_text_add(&t, "]}");
    print_json(&t);
}

int run_models(const args *a)
{
    int                         count;
    const tr_model_type *const *types = tr_model_types(&count);
    for (int i = 0; i < count; i++) {
        if (has(a, "json"))
            write_model_json(types[i]);
        else if (!has(a, "quiet"))
            printf("%s%-14s%s %s\n", bold(), types[i]->name, plain(), types[i]->summary);
    }
    return end_run();
}

/* --- datasets ----------------------------------------------------------------------------- */

const arg_option datasets_options[] = {
    { "show", 0, ARG_TEXT, "D", 0, 0, "draw a grid of this one; of a table tell its columns" },
    { "out", 0, ARG_TEXT, "FILE", 0, 0, "where to; .png, .pgm or .ppm [NAME.png]" },
    { "count", 'n', ARG_INT, "N", 1, 100, "images in a row [10]" },
    { 0 },
};

int run_datasets(const args *a)
{
    const tr_dataset_kind *kind;
    if (has(a, "show")) return show_dataset(a);
    for (int i = 0; (kind = tr_dataset_kind_at(i)) != NULL; i++) {
        if (has(a, "json")) {
            tri_text t = { 0 };
            tri_text_add(&t, "{\"name\":");
            tri_text_string(&t, kind->name);
            tri_text_add(&t, ",\"usage\":");
            tri_text_string(&t, kind->usage);
            tri_text_add(&t, ",\"help\":");
            tri_text_string(&t, kind->help);
            tri_text_add(&t, "}");
            print_json(&t);
        } else if (!has(a, "quiet")) {
            printf("%s%-22s%s %s\n", bold(), kind->usage, plain(), kind->help);
        }
    }
    return end_run();
}

/* --- ops ---------------------------------------------------------------------------------- */

static void write_op_json(const tr_op *op)
{
    tri_text t = { 0 };
    tri_text_add(&t, "{\"name\":");
    tri_text_string(&t, op->name);
    tri_text_add(&t, ",\"formula\":");
    tri_text_string(&t, op->formula);
    tri_text_add(&t, ",\"gradient\":");
    tri_text_string(&t, op->gradient);
    tri_text_add(&t, ",\"differentiable\":%s,\"file\":",
                 (op->flags & TR_OP_NO_GRADIENT) != 0 ? "false" : "true");
    tri_text_string(&t, op->file);
    tri_text_add(&t, ",\"line\":%d}", op->line);
    print_json(&t);
}

int run_ops(const args *a)
{
    int                 count;
    const tr_op *const *ops = tr_ops(&count);
    for (int i = 0; i < count; i++) {
        const tr_op *op = ops[i];
        if (has(a, "json"))
            write_op_json(op);
        else if (!has(a, "quiet"))
            printf("%s%-20s%s %s;  %s  (%s:%d)\n", bold(), op->name, plain(), op->formula,
                   op->gradient != NULL ? op->gradient : "no gradient", op->file, op->line);
    }
    return end_run();
}
