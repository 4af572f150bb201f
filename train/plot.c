/* plot.c: charts drawn on a canvas. Axes run between round numbers; a legend names what is shown.
 * Read next: canvas.h. */
#include "train/plot.h"

#include "train/canvas.h"
#include "train/chart.h"

#include <math.h>

enum {
    GAP = 2,
    PAD = 8,
    ROW_HEIGHT = 14,
    WIDTH = 560,
    HEIGHT = 360,
    LEFT = 64,
    TOP = 28,
    BOTTOM = 40
};

static const uint32_t INK = 0x1F2328, FAINT = 0xE4E6EA, SOFT = 0x6B7280;

/* Told apart by hue and by lightness; the first ones serve lines as well. */
static const uint32_t colours[] = { 0x2563EB, 0xDC2626, 0x16A34A, 0xD97706, 0x7C3AED,
                                    0x0891B2, 0xDB2777, 0x65A30D, 0x92400E, 0x475569 };

static uint32_t colour_of(int64_t i)
{
    return colours[i % (int64_t)(sizeof colours / sizeof colours[0])];
}

/* --- Rows of images ----------------------------------------------------------------------- */

static const char *label_at(const char *const *labels, int64_t i)
{
    return labels != NULL && labels[i] != NULL ? labels[i] : "";
}

static int64_t widest(const char *const *labels, int64_t count)
{
    int64_t most = 0;
    for (int64_t i = 0; i < count; i++) {
        const int64_t width = tri_text_width(label_at(labels, i));
        if (width > most) most = width;
    }
    return most;
}

tr_tensor *tri_plot_rows(const tri_rows_plot *p)
{
    if (tri_failed()) return NULL; /* labels may be missing then, here and below */
    const tr_tensor *images = p->images != NULL ? tri_contiguous(p->images) : NULL;
    if (images == NULL) return NULL;
    const int64_t n = images->shape[0], h = images->shape[1], w = images->shape[2];
    const int64_t columns = p->columns, rows = (n + columns - 1) / columns;
    if (images->shape[3] != 1 && images->shape[3] != 3) {
        tr_fail(TR_ERR_SHAPE, "picture: images have %lld channels; 1 or 3 can be drawn",
                (long long)images->shape[3]);
        return NULL;
    }
    const int64_t    zoom = p->zoom > 0 ? p->zoom : h < 40 ? 2 : 1;
    const int64_t    label = widest(p->column_labels, p->column_labels != NULL ? columns : 0);
    const int64_t    cell_w = (w * zoom > label ? w * zoom : label) + GAP, cell_h = h * zoom + GAP;
    const int64_t    row_label = widest(p->row_labels, p->row_labels != NULL ? rows : 0);
    const int64_t    left = PAD + (row_label > 0 ? row_label + PAD : 0);
    const int64_t    top = PAD + (label > 0 ? ROW_HEIGHT : 0);
    const tri_canvas c = tri_canvas_new(top + rows * cell_h + PAD, left + columns * cell_w + PAD);
    for (int64_t j = 0; j < columns && label > 0; j++) {
        const char *text = label_at(p->column_labels, j);
        tri_canvas_text(&c, left + j * cell_w + (w * zoom - tri_text_width(text)) / 2, PAD, SOFT,
                        text);
    }
    for (int64_t i = 0; i < n; i++) {
        const int64_t y = top + i / columns * cell_h;
        if (i % columns == 0)
            tri_canvas_text(&c, PAD, y + (h * zoom - TRI_LETTER_HEIGHT) / 2, INK,
                            label_at(p->row_labels, i / columns));
        tri_canvas_image(&c, left + i % columns * cell_w, y, zoom, images, i);
    }
    return c.picture;
}

/* --- Axes --------------------------------------------------------------------------------- */

typedef struct axis {
    double from, to, step;
    bool   log;
} axis;

/* A whole number of round steps around the values; with `log` whole powers of ten. */
static axis fit(double least, double most, bool log_scale)
{
    axis a = { .log = log_scale, .step = 1 };
    if (log_scale) {
        a.from = floor(log10(least) + 1e-9);
        a.to = fmax(a.from + 1, ceil(log10(most) - 1e-9));
        return a;
    }
    if (!(most > least)) most = least + fmax(1e-6, fabs(least));
    a.step = tri_round_step(most - least, 6);
    a.from = floor(least / a.step + 1e-9) * a.step;
    a.to = ceil(most / a.step - 1e-9) * a.step;
    return a;
}

/* Where x lies on the axis, 0 .. 1. */
static double share(const axis *a, double x)
{
    return ((a->log ? log10(x) : x) - a->from) / (a->to - a->from);
}

typedef struct frame {
    tri_canvas canvas;
    axis       x, y;
    double     left, top, width, height; /* of the space for data */
} frame;

static double at_x(const frame *f, double x)
{
    return f->left + share(&f->x, x) * f->width;
}

static double at_y(const frame *f, double y)
{
    return f->top + (1 - share(&f->y, y)) * f->height;
}

static void tick_text(const axis *a, double v, char text[32])
{
    if (fabs(v) < 1e-9 * a->step) v = 0;
    snprintf(text, 32, "%.6g", a->log ? pow(10, v) : v);
}

static void draw_axes(const frame *f, const char *title, const char *x_label, const char *y_label)
{
    const tri_canvas *c = &f->canvas;
    char              text[32];
    for (double v = f->y.from; v <= f->y.to + 0.5 * f->y.step; v += f->y.step) {
        const double y = at_y(f, v);
        tri_canvas_line(c, f->left, y, f->left + f->width, y, 1, FAINT);
        tick_text(&f->y, v, text);
        tri_canvas_text(c, (int64_t)f->left - 6 - tri_text_width(text), (int64_t)y - 3, SOFT, text);
    }
    for (double v = f->x.from; v <= f->x.to + 0.5 * f->x.step; v += f->x.step) {
        const double x = f->left + (v - f->x.from) / (f->x.to - f->x.from) * f->width;
        tri_canvas_line(c, x, f->top, x, f->top + f->height, 1, FAINT);
        tick_text(&f->x, v, text);
        tri_canvas_text(c, (int64_t)x - tri_text_width(text) / 2, (int64_t)(f->top + f->height) + 6,
                        SOFT, text);
    }
    tri_canvas_text(c, (int64_t)f->left, 10, INK, title);
    tri_canvas_text(c, (int64_t)(f->left + 0.5 * f->width) - tri_text_width(x_label) / 2,
                    (int64_t)(f->top + f->height) + 22, INK, x_label);
    tri_canvas_text_up(c, 6, (int64_t)(f->top + 0.5 * f->height) + tri_text_width(y_label) / 2, INK,
                       y_label);
}

/* A mark and a name, `row` lines below the top, right of the data. */
static void draw_legend(const frame *f, int64_t row, uint32_t colour, const char *name)
{
    const int64_t x = (int64_t)(f->left + f->width) + 12, y = (int64_t)f->top + row * ROW_HEIGHT;
    tri_canvas_box(&f->canvas, x, y, 8, 8, colour);
    tri_canvas_text(&f->canvas, x + 13, y, INK, name);
}

/* --- Lines -------------------------------------------------------------------------------- */

static void draw_line(const frame *f, const tri_line *l, uint32_t colour)
{
    for (int64_t i = 0; i < l->count; i++) {
        if (!isfinite(l->x[i]) || !isfinite(l->y[i])) continue;
        const double x = at_x(f, l->x[i]), y = at_y(f, l->y[i]);
        if (i + 1 < l->count && isfinite(l->x[i + 1]) && isfinite(l->y[i + 1]))
            tri_canvas_line(&f->canvas, x, y, at_x(f, l->x[i + 1]), at_y(f, l->y[i + 1]),
                            l->thin ? 1 : 2, colour);
        tri_canvas_dot(&f->canvas, x, y, l->count == 1 ? 5 : l->thin ? 2 : 3, colour);
    }
}

tr_tensor *tri_plot_lines(const tri_line_plot *p)
{
    if (tri_failed()) return NULL;
    double low[2] = { (double)INFINITY, (double)INFINITY },
           high[2] = { -(double)INFINITY, -(double)INFINITY };
    int64_t legend = 0;
    for (int k = 0; k < p->count; k++) {
        const tri_line *l = &p->line[k];
        if (tri_text_width(l->name) > legend) legend = tri_text_width(l->name);
        for (int64_t i = 0; i < l->count; i++) {
            if (!isfinite(l->x[i]) || !isfinite(l->y[i])) continue;
            low[0] = fmin(low[0], l->x[i]);
            high[0] = fmax(high[0], l->x[i]);
            low[1] = fmin(low[1], l->y[i]);
            high[1] = fmax(high[1], l->y[i]);
        }
    }
    if (!(low[0] <= high[0])) {
        tr_fail(TR_ERR_VALUE, "picture: \"%s\" has no finite value to draw", p->title);
        return NULL;
    }
    const frame f = { .canvas = tri_canvas_new(HEIGHT, WIDTH + legend + 24),
                      .x = fit(low[0], high[0], p->log_x),
                      .y = fit(low[1], high[1], false),
                      .left = LEFT,
                      .top = TOP,
                      .width = WIDTH - LEFT,
                      .height = HEIGHT - TOP - BOTTOM };
    draw_axes(&f, p->title, p->x_label, p->y_label);
    for (int k = 0; k < p->count; k++) {
        draw_line(&f, &p->line[k], colour_of(k));
        draw_legend(&f, k, colour_of(k), p->line[k].name);
    }
    return f.canvas.picture;
}

/* --- Bars --------------------------------------------------------------------------------- */

tr_tensor *tri_plot_bars(const tri_bar_plot *p)
{
    enum { BAR = 9, SPACE = 8, LEGEND = 80 };
    const int64_t label = widest(p->labels, p->rows), left = PAD + label + PAD;
    const int64_t row = p->bars * BAR + SPACE, height = p->rows * row;
    double        most = 0;
    for (int i = 0; i < p->rows * p->bars; i++)
        if (isfinite(p->values[i])) most = fmax(most, p->values[i]);
    const frame f = { .canvas = tri_canvas_new(TOP + height + BOTTOM, left + WIDTH + LEGEND),
                      .x = fit(0, most, false),
                      .y = { .from = 0, .to = -1, .step = 1 }, /* no lines across */
                      .left = (double)left,
                      .top = TOP,
                      .width = WIDTH - LEFT,
                      .height = (double)height };
    draw_axes(&f, p->title, "", "");
    for (int i = 0; i < p->rows; i++) {
        const int64_t y = TOP + i * row + SPACE / 2;
        tri_canvas_text(&f.canvas, PAD, y + (p->bars * BAR - TRI_LETTER_HEIGHT) / 2, INK,
                        p->labels[i]);
        for (int k = 0; k < p->bars; k++) {
            const double value = p->values[i * p->bars + k];
            if (isfinite(value))
                tri_canvas_box(&f.canvas, left, y + k * BAR, (int64_t)(at_x(&f, value) - f.left),
                               BAR - 1, colour_of(k));
        }
    }
    for (int k = 0; k < p->bars; k++) draw_legend(&f, k, colour_of(k), p->names[k]);
    return f.canvas.picture;
}

/* --- Points ------------------------------------------------------------------------------- */

tr_tensor *tri_plot_points(const tri_point_plot *p)
{
    enum { SQUARE = 480, LEGEND = 120 };
    if (tri_failed()) return NULL;
    const tr_tensor *points = tri_contiguous(p->points);
    if (points == NULL) return NULL;
    const float  *v = points->data;
    const int64_t n = points->shape[0], *label = p->labels != NULL ? p->labels->data : NULL;
    double        low[2] = { (double)INFINITY, (double)INFINITY },
           high[2] = { -(double)INFINITY, -(double)INFINITY };
    for (int64_t i = 0; i < 2 * n; i++) {
        low[i % 2] = fmin(low[i % 2], (double)v[i]);
        high[i % 2] = fmax(high[i % 2], (double)v[i]);
    }
    const int64_t classes = label != NULL ? p->classes : 0;
    const frame   f = { .canvas = tri_canvas_new(SQUARE + TOP + BOTTOM,
                                                 LEFT + SQUARE + (classes > 0 ? LEGEND : PAD)),
                        .x = fit(low[0], high[0], false),
                        .y = fit(low[1], high[1], false),
                        .left = LEFT,
                        .top = TOP,
                        .width = SQUARE,
                        .height = SQUARE };
    draw_axes(&f, p->title, p->x_label, p->y_label);
    for (int64_t i = 0; i < n; i++)
        tri_canvas_dot(&f.canvas, at_x(&f, (double)v[2 * i]), at_y(&f, (double)v[2 * i + 1]), 1.6,
                       colour_of(label != NULL ? label[i] : 0));
    for (int64_t k = 0; k < classes && k < 30; k++) {
        char number[24];
        snprintf(number, sizeof number, "%lld", (long long)k);
        draw_legend(&f, k, colour_of(k), p->class_names != NULL ? p->class_names[k] : number);
    }
    return f.canvas.picture;
}
