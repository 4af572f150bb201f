/* document.c: docs/ops.md, made from the descriptors, so that it cannot say anything else than they
 * do. `cmake --build build/release --target docs` writes it; a test compares it. */
#include "autograd/registry.h"

#include <string.h>

/* A formula as code in a table cell, where a bar would end the cell. */
static void write_code(tri_writer *w, const char *text)
{
    tri_writer_printf(w, "`");
    for (const char *c = text; *c != '\0'; c++)
        tri_writer_printf(w, "%s%c", *c == '|' ? "\\" : "", *c);
    tri_writer_printf(w, "`");
}

static void write_arguments(tri_writer *w, const tr_op *op)
{
    const int required = op->required > 0 ? op->required : TR_OP_MAX_ARGUMENTS;
    for (int i = 0; i < TR_OP_MAX_ARGUMENTS && op->arguments[i] != NULL; i++)
        tri_writer_printf(w, "%s%s%s", i > 0 ? ", " : "", op->arguments[i],
                          i >= required ? "?" : "");
    if (op->required < 0) tri_writer_printf(w, ", ...");
}

static void write_row(tri_writer *w, const tr_op *op)
{
    const char *slash = strrchr(op->file, '/'), *file = slash != NULL ? slash + 1 : op->file;
    tri_writer_printf(w, "| %s | ", op->name);
    write_arguments(w, op);
    tri_writer_printf(w, " | ");
    write_code(w, op->formula);
    tri_writer_printf(w, " | ");
    if (strncmp(op->gradient, "none", 4) == 0)
        tri_writer_printf(w, "%s", op->gradient);
    else
        write_code(w, op->gradient);
    tri_writer_printf(w, " | [%s:%d](../%s#L%d) |\n", file, op->line, op->file, op->line);
}

tr_status tri_write_ops_markdown(const char *path)
{
    int count;
    const tr_op *const *ops = tr_ops(&count);
    tri_writer w;
    if (tri_writer_open(&w, path) != TR_OK) return tr_status_get();
    tri_writer_printf(
        &w, "# Operations\n\n"
            "Made from the descriptors in `autograd/`; do not edit. After a change:\n"
            "`cmake --build build/release --target docs`.\n\n"
            "In a gradient, `g` is the cotangent of the result `y`, and `gx` that of the "
            "argument `x`.\nA `?` marks an argument that may be left out. Functions that are "
            "composed of these\noperations (`tr_mean`, `tr_silu`, ...) are in "
            "`autograd/ops.h` and\n`autograd/ops_image.h`.\n");
    for (int i = 0; i < count; i++) {
        if (i == 0 || strcmp(ops[i]->file, ops[i - 1]->file) != 0)
            tri_writer_printf(&w,
                              "\n## %s\n\n| Operation | Arguments | Formula | Gradient | Place |\n"
                              "|---|---|---|---|---|\n",
                              ops[i]->file);
        write_row(&w, ops[i]);
    }
    return tri_writer_close(&w);
}
