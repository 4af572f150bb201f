/* report.h: the parts of a report. Not installed.
 *
 * report.c writes the page of a run, compare_page.c the one of several; show.c makes the cards with
 * pictures, chart.c the charts, style.c the look. */
#ifndef TENREC_REPORT_H
#define TENREC_REPORT_H

#include "train/chart.h"
#include "train/run.h"

#ifdef TENREC_HAVE_PNG
#define TRI_PICTURE_SUFFIX ".png"
#else
#define TRI_PICTURE_SUFFIX ".ppm"
#endif

extern const char tri_style[];

/* The beginning of a page: head and style sheet, <body> and <main>. A page that changes loads itself
 * again every `refresh` seconds; 0: never. */
void tri_write_head(tri_writer *w, const char *title, int refresh);

/* "12,345" and "1 min 05 s" into text. */
char *tri_group_digits(int64_t n, char text[32]);
char *tri_describe_time(double seconds, char text[32]);

/* The epoch whose weights are the run's: the best one with early stopping, else the last; NULL
 * where there is none. */
const tr_epoch *tri_shown_row(const tr_run *run);

/* What the model is given and what it makes of it, rows of pictures below each other: original,
 * noisy (of models that restore), decoded, and new ones where `samples` is set and the model makes
 * some. */
enum { TRI_MAX_ROWS = 4 };
typedef struct tri_rows {
    tr_tensor  *images; /* f32 [count columns, H, W, C]; NULL on error */
    const char *name[TRI_MAX_ROWS];
    int         count;
} tri_rows;
tri_rows tri_show_rows(const tr_run *run, tr_tensor *images, bool samples);

/* The rows as one picture; the picture with the rows' names at its left into a page. */
tr_tensor *tri_draw_rows(const tri_rows *rows);
void       tri_write_rows(tri_writer *w, const tri_rows *rows, const tr_tensor *picture);

/* A picture as part of a page. */
void tri_write_image(tri_writer *w, const char *description, const tr_tensor *picture);

/* The cards with what the model does: pictures, also as files of their own, and the map of the
 * codes. */
tr_status tri_show_write(tri_writer *w, const tr_run *run);

/* Of a table: errors of its columns, and examples of rows. */
tr_status tri_show_table(tri_writer *w, const tr_run *run);

/* What an image of the run's data is called: "image", or of a table "row". */
const char *tri_show_noun(const tr_run *run);

#endif
