/* compare_page.c: runs side by side as a page (HTML) and as a table (Markdown), from the same
 * cells. Read next: compare.c (what is measured), chart.c. */
#include "tensor/json.h"
#include "train/plot.h"
#include "train/report.h"

#include <math.h>
#include <string.h>

/* --- Cells of the table ------------------------------------------------------------------- */

enum { CELLS = 10 };
static const char *const head[CELLS] = { "run", "options", "parameters",  "code",  "MSE",
                                         "BCE", "PSNR",    "other terms", "probe", "time" };

static const char note[] =
    "MSE, BCE and PSNR (dB) are those of reconstructed test images, averaged over pixels. Other "
    "terms of the loss are in the model's own unit, as its validation measured them. Code is how "
    "many numbers a code has, probe the accuracy of a linear classifier on codes of test images, "
    "time that of the training.";

/* "kl 25.1, loss 105 nats": what is not the reconstruction, with the loss where terms are summed.
 */
static void describe_terms(const tr_compared *c, tri_text *t)
{
    const tr_metrics *m = &c->metrics;
    for (int i = 1; i < m->count; i++)
        if (strcmp(m->name[i], "reconstruction") != 0)
            tri_text_add(t, "%s%s %.4g", t->count > 0 ? ", " : "", m->name[i], m->value[i]);
    if (m->count > 0 && c->type->unit == TR_PER_IMAGE)
        tri_text_add(t, "%sloss %.4g nats", t->count > 0 ? ", " : "", m->value[0]);
}

static const char *text_of(const tri_text *t)
{
    return t->bytes != NULL ? t->bytes : "";
}

/* Texts of the innermost scope. */
static tr_status fill_cells(const tr_compared *c, const char *cell[CELLS])
{
    tri_text t[CELLS] = { 0 };
    char     number[32];
    tri_text_add(&t[0], "%s", c->name);
    tri_text_add(&t[1], "%s", c->options);
    tri_text_add(&t[2], "%s", tri_group_digits(c->parameters, number));
    tri_text_add(&t[3], "%s", tri_group_digits(c->code_size, number));
    tri_text_add(&t[4], "%.4f", c->mse);
    tri_text_add(&t[5], "%.4f", c->bce);
    tri_text_add(&t[6], "%.2f", c->psnr);
    describe_terms(c, &t[7]);
    if (isfinite(c->accuracy)) tri_text_add(&t[8], "%.1f %%", 100 * c->accuracy);
    tri_text_add(&t[9], "%s", tri_describe_time(c->seconds, number));
    for (int i = 0; i < CELLS; i++) cell[i] = text_of(&t[i]);
    return tr_status_get();
}

/* --- Page --------------------------------------------------------------------------------- */

/* Options and terms are prose, the others numbers. */
static const char *open_cell(int i)
{
    return i == 1 || i == 7 ? "<td class=\"text\">" : "<td>";
}

static void write_table(tri_writer *w, const tr_compared *runs, int count)
{
    tri_writer_printf(w, "<div class=\"card wide\"><table class=\"numbers\">\n<tr>");
    for (int i = 0; i < CELLS; i++) tri_writer_printf(w, "%s%s</td>", open_cell(i), head[i]);
    tri_writer_printf(w, "</tr>\n");
    for (int r = 0; r < count && !tri_failed(); r++) {
        tr_scope   *scope = tr_scope_push();
        const char *cell[CELLS];
        if (fill_cells(&runs[r], cell) == TR_OK) {
            tri_writer_printf(w, "<tr>");
            for (int i = 0; i < CELLS; i++) {
                tri_writer_printf(w, "%s", open_cell(i));
                if (i == 0) tri_writer_printf(w, "<a href=\"#run-%d\">", r);
                tri_write_html(w, cell[i]);
                tri_writer_printf(w, i == 0 ? "</a></td>" : "</td>");
            }
            tri_writer_printf(w, "</tr>\n");
        }
        tr_scope_pop(scope);
    }
    tri_writer_printf(w, "</table></div>\n<p class=\"soft\">%s</p>\n", note);
}

/* Validation losses over each other, where they are of one kind. */
static void write_common_chart(tri_writer *w, const tr_compared *runs, int count)
{
    static const char *const colour[TRI_MAX_SERIES] = { "c0", "c1", "c2", "c3", "c4",
                                                        "c5", "c6", "c7", "c8", "c9" };
    tri_chart                chart = { .title = "Validation loss",
                                       .x_label = "epoch",
                                       .y_label = tr_unit_name(runs[0].type->unit),
                                       .series_count = count };
    if (count < 2 || count > TRI_MAX_SERIES) return;
    for (int i = 0; i < count; i++) {
        if (runs[i].type != runs[0].type || runs[i].val == NULL) return;
        if (runs[i].epochs > chart.count) chart.count = runs[i].epochs;
    }
    for (int i = 0; i < count; i++) {
        double *y = tr_scope_alloc((uint64_t)chart.count * sizeof *y);
        if (y == NULL) return;
        for (int64_t k = 0; k < chart.count; k++)
            y[k] = k < runs[i].epochs ? ((const double *)runs[i].val->data)[k] : (double)NAN;
        chart.series[i] = (tri_series){ runs[i].name, colour[i], y, NULL };
    }
    tri_writer_printf(w, "<h2>Validation loss</h2>\n<figure class=\"card narrow\">\n");
    tri_chart_write(w, &chart);
    tri_writer_printf(w, "</figure>\n");
}

static void write_loss(tri_writer *w, const tr_compared *c)
{
    if (c->epochs < 2) return;
    tri_chart chart = { .title = "Loss",
                        .x_label = "epoch",
                        .y_label = tr_unit_name(c->type->unit),
                        .series = { { "training", "train", c->train->data, NULL } },
                        .series_count = 1,
                        .count = c->epochs };
    if (c->val != NULL)
        chart.series[chart.series_count++] =
            (tri_series){ "validation", "val", c->val->data, NULL };
    tri_chart_write(w, &chart);
}

static void write_card(tri_writer *w, const tr_compared *c, int number)
{
    tri_writer_printf(w, "<figure class=\"card\" id=\"run-%d\"><h3>", number);
    tri_write_html(w, c->name);
    tri_writer_printf(w, "</h3>\n<p class=\"soft\">");
    tri_write_html(w, c->options[0] != '\0' ? c->options : c->type->summary);
    tri_writer_printf(w, "</p>\n");
    if (c->images != NULL) {
        tri_rows rows = { .images = c->images, .count = c->row_count };
        for (int i = 0; i < rows.count; i++) rows.name[i] = c->row_names[i];
        tri_write_rows(w, &rows, tri_draw_rows(&rows));
    }
    write_loss(w, c);
    tri_writer_printf(w, "<figcaption>PSNR %.2f dB.</figcaption><pre>tenrec ", c->psnr);
    tri_write_html(w, c->command);
    tri_writer_printf(w, "</pre></figure>\n");
}

/* What both kinds of pages are given. */
static bool check(const char *path, const char *title, const tr_compared *runs, int count)
{
    if (!tri_given(path, "compare: the path") || !tri_given(title, "compare: the title") ||
        !tri_given(runs, "compare: the list of runs"))
        return false;
    if (count < 0) tr_fail(TR_ERR_VALUE, "compare: the number of runs is %d", count);
    return !tri_failed();
}

tr_status tr_compare_page(const char *path, const char *title, const tr_compared *runs, int count)
{
    if (!check(path, title, runs, count)) return tr_status_get();
    tr_scope  *scope = tr_scope_push();
    tri_writer w;
    if (tri_writer_open(&w, path) == TR_OK) {
        tri_write_head(&w, title, 0);
        tri_writer_printf(&w, "<h1>");
        tri_write_html(&w, title);
        tri_writer_printf(&w, "</h1>\n");
        write_table(&w, runs, count);
        if (count > 0) write_common_chart(&w, runs, count);
        tri_writer_printf(&w, "<h2>Each by itself</h2>\n<div class=\"cards\">\n");
        for (int i = 0; i < count && !tri_failed(); i++) {
            tr_scope *card = tr_scope_push();
            write_card(&w, &runs[i], i);
            tr_scope_pop(card);
        }
        tri_writer_printf(&w, "</div>\n</main>\n</body>\n</html>\n");
        tri_writer_close(&w);
    }
    tr_scope_pop(scope);
    return tr_status_get();
}

/* --- Markdown ----------------------------------------------------------------------------- */

/* Saves the run's picture as FOLDER/NAME.png; false where it has none. */
static bool save_picture(const char *folder, const tr_compared *c)
{
    char file[640];
    if (c->images == NULL) return false;
    const int n = snprintf(file, sizeof file, "%s/%s%s", folder, c->name, TRI_PICTURE_SUFFIX);
    if (n < 0 || (size_t)n >= sizeof file) {
        tr_fail(TR_ERR_FILE, "%s: is too long a path", folder);
        return false;
    }
    const tri_rows_plot plot = { .images = c->images,
                                 .columns = tr_dim(c->images, 0) / c->row_count,
                                 .zoom = 1,
                                 .row_labels = c->row_names };
    const tr_tensor    *picture = tri_plot_rows(&plot);
    return picture != NULL && tr_save_image(file, picture) == TR_OK;
}

static void write_markdown_row(tri_writer *w, const char *folder, const tr_compared *c)
{
    const char *cell[CELLS], *slash = strrchr(folder, '/');
    tr_scope   *scope = tr_scope_push();
    if (fill_cells(c, cell) == TR_OK) {
        for (int i = 0; i < CELLS; i++) tri_writer_printf(w, "| %s ", cell[i]);
        if (save_picture(folder, c))
            tri_writer_printf(w, "| ![%s](%s/%s%s) |\n", c->name,
                              slash != NULL ? slash + 1 : folder, c->name, TRI_PICTURE_SUFFIX);
        else
            tri_writer_printf(w, "| |\n");
    }
    tr_scope_pop(scope);
}

static void write_markdown(tri_writer *w, const char *folder, const char *title,
                           const tr_compared *runs, int count)
{
    tri_writer_printf(w, "# %s\n\n", title);
    for (int i = 0; i < CELLS; i++) tri_writer_printf(w, "| %s ", head[i]);
    tri_writer_printf(w, "| picture |\n|");
    for (int i = 0; i <= CELLS; i++) tri_writer_printf(w, "---|");
    tri_writer_printf(w, "\n");
    for (int i = 0; i < count && !tri_failed(); i++) write_markdown_row(w, folder, &runs[i]);
    tri_writer_printf(w, "\n%s\n\nThe commands:\n\n```sh\n", note);
    for (int i = 0; i < count; i++)
        tri_writer_printf(w, "tenrec %s --out %s\n", runs[i].command, runs[i].name);
    tri_writer_printf(w, "```\n");
}

tr_status tr_compare_markdown(const char *path, const char *title, const tr_compared *runs,
                              int count)
{
    if (!check(path, title, runs, count)) return tr_status_get();
    const size_t length = strlen(path);
    if (length < 4 || strcmp(path + length - 3, ".md") != 0)
        return tr_fail(TR_ERR_VALUE, "compare: %s must end in .md", path);
    tr_scope *scope = tr_scope_push();
    char     *folder = tr_scope_alloc(length);
    if (folder != NULL) {
        memcpy(folder, path, length - 3);
        tri_writer w;
        if (tri_make_folders(folder) == TR_OK && tri_writer_open(&w, path) == TR_OK) {
            write_markdown(&w, folder, title, runs, count);
            tri_writer_close(&w);
        }
    }
    tr_scope_pop(scope);
    return tr_status_get();
}
