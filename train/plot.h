/* plot.h: charts as pictures, for commands: rows of images with labels, lines, points. Not
 * installed. The result is u8 [H, W, 3] for tr_save_image. The charts of the report are SVG
 * (chart.h). */
#ifndef TENREC_PLOT_H
#define TENREC_PLOT_H

#include "tensor/core.h"

/* Images f32 [N, H, W, C], C = 1 or 3, `columns` in a row; a label left of each row and above each
 * column; NULL lists, and NULL or empty labels, for none. */
typedef struct tri_rows_plot {
    tr_tensor         *images;
    int64_t            columns, zoom; /* zoom 0: so that small images are easy to see */
    const char *const *row_labels, *const *column_labels;
} tri_rows_plot;
tr_tensor *tri_plot_rows(const tri_rows_plot *p);

/* A line through points with marks. */
typedef struct tri_line {
    const char   *name;
    const double *x, *y;
    int64_t       count; /* 1: drawn as a single mark */
    bool          thin;
} tri_line;

enum { TRI_PLOT_LINES = 8 };
typedef struct tri_line_plot {
    const char *title, *x_label, *y_label;
    tri_line    line[TRI_PLOT_LINES];
    int         count;
    bool        log_x; /* x > 0, on a logarithmic axis */
} tri_line_plot;
tr_tensor *tri_plot_lines(const tri_line_plot *p);

/* Rows of bars that begin at 0, `bars` for each row, in the order of names. */
enum { TRI_PLOT_BARS = 4 };
typedef struct tri_bar_plot {
    const char        *title;
    const char *const *labels, *const *names; /* [rows], [bars] */
    const double      *values;                /* [rows, bars], not negative; NaN: no bar */
    int                rows, bars;
} tri_bar_plot;
tr_tensor *tri_plot_bars(const tri_bar_plot *p);

/* Points [N, 2] f32 with a class each (i64 [N], or NULL) in the class's colour. */
typedef struct tri_point_plot {
    const char        *title, *x_label, *y_label;
    const tr_tensor   *points, *labels;
    int64_t            classes;
    const char *const *class_names; /* NULL: the numbers */
} tri_point_plot;
tr_tensor *tri_plot_points(const tri_point_plot *p);

#endif
