/* graph.c: `graph`: the tape of one training step as a picture in DOT: parameters and images flow
 * down to the loss. Draw it with graphviz: dot -Tsvg. Read next: autograd/tape.h. */
#include "cli/cli.h"

#include "autograd/tape.h"

#include <string.h>

/* clang-format off */
const arg_option graph_options[] = {
    { "out", 0, ARG_TEXT, "FILE", 0, 0, "where to [MODEL.dot]" },
    { "input", 0, ARG_TEXT, "HxWxC", 0, 0, "size of the images [28x28x1]" },
    { "set", 0, ARG_TEXT, "KEY=VALUE", 0, 0, "an option of the model; may be given several times" },
    { 0 },
};
/* clang-format on */

/* Boxes are named by numbers, so that the file is the same each time: calls by their place on the
 * tape, leaves by the order in which they are met. */
typedef struct picture {
    tri_text             text;
    const tr_tensor     *images;
    const tr_named_list *parameters;
    tr_named_list        leaves; /* met so far */
} picture;

static void add_box(picture *p, const char *id, const char *style, const char *name,
                    const tr_tensor *shape)
{
    char text[240], label[320];
    snprintf(label, sizeof label, "%s\n%s", name, tr_describe(shape, text, sizeof text));
    tri_text_add(&p->text, "  %s [%slabel=", id, style);
    tri_text_string(&p->text, label);
    tri_text_add(&p->text, "];\n");
}

/* What no recorded operation made: a parameter, the images, or a constant such as noise. */
static void add_leaf(picture *p, const char *id, tr_tensor *leaf)
{
    const char *name = leaf == p->images ? "images" : "constant", *style = "style=dashed,";
    for (int64_t i = 0; i < p->parameters->count; i++)
        if (p->parameters->items[i].tensor == leaf) {
            name = p->parameters->items[i].name;
            style = "style=filled,fillcolor=lightblue,";
        }
    tr_named_push(&p->leaves, id, leaf);
    add_box(p, id, style, name, leaf);
}

/* The name of the box of a tensor; that of a leaf is drawn when it is met first. */
static const char *box_of(picture *p, tr_tensor *t, char id[32])
{
    if (t->node != NULL) {
        snprintf(id, 32, "op%llu", (unsigned long long)t->node->serial);
        return id;
    }
    for (int64_t i = 0; i < p->leaves.count; i++)
        if (p->leaves.items[i].tensor == t) return p->leaves.items[i].name;
    snprintf(id, 32, "leaf%lld", (long long)p->leaves.count);
    add_leaf(p, id, t);
    return id;
}

static void add_tape(picture *p)
{
    char from[32], to[32];
    for (const tr_node *n = tri_this_thread()->tape; n != NULL; n = n->previous) {
        const tr_call *c = &n->call;
        const char    *box = box_of(p, c->out, to);
        add_box(p, box, "", c->op->name, c->out);
        for (int i = 0; i < c->input_count; i++) {
            const char *source = box_of(p, c->in[i], from);
            tri_text_add(&p->text, "  %s -> %s;\n", source, box);
        }
    }
}

int run_graph(const args *a)
{
    tr_shape input;
    if (!read_size(text_of(a, "input", "28x28x1"), &input))
        return usage_error(a, "--input is %s; it must be HxWxC, such as 28x28x1",
                           text_of(a, "input", ""));
    tr_model *model = make_model(a, a->words[0], input, 10, 0);
    if (model == NULL) return end_setup();
    char standard[96];
    snprintf(standard, sizeof standard, "%s.dot", a->words[0]);
    const char         *path = text_of(a, "out", standard);
    tr_rng              rng = tr_rng_seed(0);
    tr_tensor          *x = tr_zeros(TR_F32, TR_SHAPE(1, input.dim[0], input.dim[1], input.dim[2]));
    const tr_terms      terms = tr_model_loss(model, x, tr_zeros(TR_I64, TR_SHAPE(1)), &rng);
    const tr_named_list parameters = tr_module_parameters(model->net);
    if (terms.loss == NULL) return end_run();
    picture p = { .images = x, .parameters = &parameters };
    tri_text_add(&p.text, "digraph step {\n  node [shape=box, fontname=\"sans-serif\"];\n");
    add_tape(&p);
    tri_text_add(&p.text, "}\n");
    tri_writer w;
    if (tri_writer_open(&w, path) == TR_OK) {
        tri_writer_write(&w, p.text.bytes, p.text.count);
        tri_writer_close(&w);
    }
    if (tr_status_get() != TR_OK) return end_run();
    if (has(a, "json")) {
        tri_text line = { 0 };
        tri_text_add(&line, "{\"event\":\"graph\",\"out\":");
        tri_text_string(&line, path);
        tri_text_add(&line, "}");
        print_json(&line);
    } else if (!has(a, "quiet")) {
        printf("%s\n", path);
    }
    return EXIT_OK;
}
