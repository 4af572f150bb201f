/* chart.h: pictures of numbers as SVG, inline in a page that defines the colours. Not installed.
 *
 * Texts and strokes take their colours from the style sheet of report.c (classes), so that a chart
 * follows the reader's light or dark setting. Charts scale with their column. */
#ifndef TENREC_CHART_H
#define TENREC_CHART_H

#include "tensor/core.h"

/* One line: y[i] over x[i], or over i + 1 where x is NULL; not-finite values leave a gap. The class
 * gives the colour: train, val, c0 .. c9. */
typedef struct tri_series {
    const char   *name, *class_name;
    const double *y, *x;
} tri_series;

/* x_label is also what tooltips call a point: "epoch 3". */
enum { TRI_MAX_SERIES = 10 };
typedef struct tri_chart {
    const char *title, *x_label, *y_label;
    tri_series  series[TRI_MAX_SERIES];
    int         series_count;
    int64_t     count;
} tri_chart;

void tri_chart_write(tri_writer *w, const tri_chart *chart);

/* Points [N, 2] f32 with a class each (i64 [N], or NULL) as a scatter plot with square units. */
typedef struct tri_scatter {
    const char        *x_label, *y_label, *description;
    const tr_tensor   *points, *labels;
    int64_t            classes;
    const char *const *class_names; /* NULL: the numbers */
} tri_scatter;

void tri_scatter_write(tri_writer *w, const tri_scatter *scatter);

/* The round number (1, 2 or 5 times a power of ten) that cuts a range into at most so many steps.
 */
double tri_round_step(double range, int ticks);

/* & < > " as HTML has them. */
void tri_write_html(tri_writer *w, const char *text);

#endif
