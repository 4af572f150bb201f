/* chart.c: line charts and scatter plots as SVG.
 *
 * An axis runs between round numbers (1, 2 or 5 times a power of ten) around the data. Every point
 * of a line carries its values as a tooltip. Sizes are in the units of the view box, which is about
 * as wide as a chart is on the page, so that letters keep their size. Read next: report.c. */
#include "train/chart.h"

#include <math.h>

enum {
    CLASS_COLOURS = 10,
    WIDTH = 380,
    HEIGHT = 250,
    SQUARE = 380,
    LEFT = 58,
    RIGHT = 14,
    TOP = 14,
    BOTTOM = 42
};

typedef struct axis {
    double from, to;    /* the range that is drawn */
    double first, step; /* ticks */
    int    decimals;    /* of their numbers */
} axis;

/* --- Text --------------------------------------------------------------------------------- */

void tri_write_html(tri_writer *w, const char *text)
{
    for (; *text != '\0'; text++) switch (*text) {
        case '&': tri_writer_printf(w, "&amp;"); break;
        case '<': tri_writer_printf(w, "&lt;"); break;
        case '>': tri_writer_printf(w, "&gt;"); break;
        case '"': tri_writer_printf(w, "&quot;"); break;
        default: tri_writer_write(w, text, 1);
        }
}

static void open_svg(tri_writer *w, int height, const char *description)
{
    tri_writer_printf(w, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"", WIDTH, height);
    tri_write_html(w, description);
    tri_writer_printf(w, "\">\n");
}

/* --- Axes --------------------------------------------------------------------------------- */

double tri_round_step(double range, int ticks)
{
    const double raw = range / ticks, power = pow(10, floor(log10(raw))), lead = raw / power;
    return power * (lead <= 1 ? 1 : lead <= 2 ? 2 : lead <= 5 ? 5 : 10);
}

static void set_ticks(axis *a, double step)
{
    const int digits = (int)-floor(log10(step) + 1e-9);
    a->step = step;
    a->first = ceil(a->from / step - 1e-9) * step;
    a->decimals = digits > 0 ? digits : 0;
}

/* Round numbers at both ends. */
static axis fit_axis(double least, double most)
{
    if (!(most > least)) {
        const double margin = least > 0 || least < 0 ? 0.5 * fabs(least) : 1;
        least -= margin;
        most += margin;
    }
    const double step = tri_round_step(most - least, 5);
    axis a = { .from = floor(least / step + 1e-9) * step, .to = ceil(most / step - 1e-9) * step };
    set_ticks(&a, step);
    return a;
}

/* Counts of epochs or steps, which fill the whole width. */
static axis count_axis(double least, double most)
{
    axis a = { .from = least, .to = most };
    if (!(most > least)) a = (axis){ .from = least - 1, .to = least + 1 };
    set_ticks(&a, fmax(1, tri_round_step(a.to - a.from, 6)));
    return a;
}

static double place_x(const axis *a, double x)
{
    return LEFT + (x - a->from) / (a->to - a->from) * (WIDTH - LEFT - RIGHT);
}

static double place_y(const axis *a, int height, double y)
{
    return height - BOTTOM - (y - a->from) / (a->to - a->from) * (height - TOP - BOTTOM);
}

static int tick_count(const axis *a)
{
    return (int)floor((a->to - a->first) / a->step + 1e-9) + 1;
}

static void write_axes(tri_writer *w, const axis *x, const axis *y, int height, const char *x_label,
                       const char *y_label)
{
    const double bottom = height - BOTTOM, right = WIDTH - RIGHT;
    for (int i = 0; i < tick_count(y); i++) {
        const double v = y->first + i * y->step, at = place_y(y, height, v);
        tri_writer_printf(w,
                          "<line class=\"grid\" x1=\"%d\" x2=\"%g\" y1=\"%.1f\" y2=\"%.1f\"/>"
                          "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.*f</text>\n",
                          LEFT, right, at, at, LEFT - 7, at + 4, y->decimals,
                          fabs(v) < 1e-9 * y->step ? 0.0 : v);
    }
    for (int i = 0; i < tick_count(x); i++) {
        const double v = x->first + i * x->step, at = place_x(x, v);
        tri_writer_printf(w,
                          "<line class=\"axis\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%g\" y2=\"%g\"/>"
                          "<text x=\"%.1f\" y=\"%g\" text-anchor=\"middle\">%.*f</text>\n",
                          at, at, bottom, bottom + 4, at, bottom + 17, x->decimals,
                          fabs(v) < 1e-9 * x->step ? 0.0 : v);
    }
    tri_writer_printf(w, "<line class=\"axis\" x1=\"%d\" x2=\"%g\" y1=\"%g\" y2=\"%g\"/>\n", LEFT,
                      right, bottom, bottom);
    tri_writer_printf(w, "<text class=\"label\" x=\"%g\" y=\"%d\" text-anchor=\"middle\">",
                      0.5 * (LEFT + right), height - 6);
    tri_write_html(w, x_label);
    tri_writer_printf(w,
                      "</text><text class=\"label\" x=\"%g\" y=\"12\" text-anchor=\"middle\" "
                      "transform=\"rotate(-90)\">",
                      -0.5 * (TOP + bottom));
    tri_write_html(w, y_label);
    tri_writer_printf(w, "</text>\n");
}

/* --- Lines -------------------------------------------------------------------------------- */

static double x_of(const tri_series *s, int64_t i)
{
    return s->x != NULL ? s->x[i] : (double)i + 1;
}

static void widen(double v, double range[2])
{
    if (!isfinite(v)) return;
    range[0] = fmin(range[0], v);
    range[1] = fmax(range[1], v);
}

static void find_ranges(const tri_chart *c, double x[2], double y[2])
{
    x[0] = y[0] = (double)INFINITY;
    x[1] = y[1] = -(double)INFINITY;
    for (int s = 0; s < c->series_count; s++)
        for (int64_t i = 0; i < c->count; i++) {
            widen(x_of(&c->series[s], i), x);
            widen(c->series[s].y[i], y);
        }
    if (!(y[0] <= y[1])) y[0] = y[1] = 0;
    if (!(x[0] <= x[1])) x[0] = x[1] = 1;
}

static void write_series(tri_writer *w, const tri_chart *c, const tri_series *s, const axis *x,
                         const axis *y)
{
    tri_writer_printf(w, "<path class=\"line %s\" d=\"", s->class_name);
    bool drawing = false;
    for (int64_t i = 0; i < c->count; i++) {
        if (isfinite(s->y[i]))
            tri_writer_printf(w, "%c%.1f %.1f", drawing ? 'L' : 'M', place_x(x, x_of(s, i)),
                              place_y(y, HEIGHT, s->y[i]));
        drawing = isfinite(s->y[i]);
    }
    tri_writer_printf(w, "\"/>\n");
    const double radius = c->count <= 40 ? 3 : 1.5;
    for (int64_t i = 0; i < c->count; i++) {
        if (!isfinite(s->y[i])) continue;
        tri_writer_printf(
            w, "<circle class=\"dot %s\" cx=\"%.1f\" cy=\"%.1f\" r=\"%g\"><title>%s %.10g, ",
            s->class_name, place_x(x, x_of(s, i)), place_y(y, HEIGHT, s->y[i]), radius, c->x_label,
            x_of(s, i));
        tri_write_html(w, s->name);
        tri_writer_printf(w, ": %.6g</title></circle>\n", s->y[i]);
    }
}

void tri_chart_write(tri_writer *w, const tri_chart *c)
{
    double across[2], up[2];
    find_ranges(c, across, up);
    const axis x = count_axis(across[0], across[1]), y = fit_axis(up[0], up[1]);
    char       description[160];
    snprintf(description, sizeof description, "%s over %ss", c->title, c->x_label);
    open_svg(w, HEIGHT, description);
    write_axes(w, &x, &y, HEIGHT, c->x_label, c->y_label);
    for (int s = 0; s < c->series_count; s++) write_series(w, c, &c->series[s], &x, &y);
    tri_writer_printf(w, "</svg>\n");
    tri_writer_printf(w, "<p class=\"legend\">");
    for (int s = 0; s < c->series_count; s++) {
        tri_writer_printf(w, "<span><i class=\"%s\"></i>", c->series[s].class_name);
        tri_write_html(w, c->series[s].name);
        tri_writer_printf(w, "</span>");
    }
    tri_writer_printf(w, "</p>\n");
}

/* --- Points ------------------------------------------------------------------------------- */

/* Both axes with the same unit, so that distances are true; the plot keeps its shape. */
static void fit_square(const tr_tensor *points, axis *x, axis *y)
{
    const float *p = points->data;
    double       least[2] = { (double)INFINITY, (double)INFINITY },
           most[2] = { -(double)INFINITY, -(double)INFINITY };
    for (int64_t i = 0; i < 2 * points->shape[0]; i++) {
        least[i % 2] = fmin(least[i % 2], (double)p[i]);
        most[i % 2] = fmax(most[i % 2], (double)p[i]);
    }
    const double ratio = (double)(WIDTH - LEFT - RIGHT) / (SQUARE - TOP - BOTTOM);
    const double span = fmax(fmax((most[0] - least[0]) / ratio, most[1] - least[1]), 1e-9) * 1.06;
    for (int i = 0; i < 2; i++) {
        axis        *a = i == 0 ? x : y;
        const double middle = 0.5 * (least[i] + most[i]), half = 0.5 * span * (i == 0 ? ratio : 1);
        *a = (axis){ .from = middle - half, .to = middle + half };
        set_ticks(a, tri_round_step(span, 5));
    }
}

static void write_points(tri_writer *w, const tri_scatter *s, const axis *x, const axis *y)
{
    const float   *p = s->points->data;
    const int64_t *label = s->labels != NULL ? s->labels->data : NULL;
    for (int64_t i = 0; i < s->points->shape[0]; i++)
        tri_writer_printf(w, "<circle class=\"c%lld\" cx=\"%.1f\" cy=\"%.1f\" r=\"2\"/>\n",
                          label != NULL ? (long long)(label[i] % CLASS_COLOURS) : 0LL,
                          place_x(x, (double)p[2 * i]), place_y(y, SQUARE, (double)p[2 * i + 1]));
}

void tri_scatter_write(tri_writer *w, const tri_scatter *s)
{
    axis x, y;
    fit_square(s->points, &x, &y);
    open_svg(w, SQUARE, s->description);
    write_axes(w, &x, &y, SQUARE, s->x_label, s->y_label);
    tri_writer_printf(w, "<g class=\"points\">\n");
    write_points(w, s, &x, &y);
    tri_writer_printf(w, "</g></svg>\n");
    if (s->labels == NULL) return;
    tri_writer_printf(w, "<p class=\"legend\">");
    for (int64_t k = 0; k < s->classes; k++) {
        char number[24];
        snprintf(number, sizeof number, "%lld", (long long)k);
        tri_writer_printf(w, "<span><i class=\"c%lld\"></i>", (long long)(k % CLASS_COLOURS));
        tri_write_html(w, s->class_names != NULL ? s->class_names[k] : number);
        tri_writer_printf(w, "</span>");
    }
    tri_writer_printf(w, "</p>\n");
}
