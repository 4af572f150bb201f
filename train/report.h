/* report.h: the parts of a report. Not installed.
 *
 * report.c writes the page, show.c the cards with pictures, chart.c the charts, style.c its look.
 */
#ifndef TENREC_REPORT_H
#define TENREC_REPORT_H

#include "train/chart.h"
#include "train/run.h"

extern const char tri_style[];

/* The cards with what the model does: pictures, also as files of their own, and the map of the
 * codes. */
tr_status tri_show_write(tri_writer *w, const tr_run *run);

/* Of a table: errors of its columns, and examples of rows. */
tr_status tri_show_table(tri_writer *w, const tr_run *run);

/* What an image of the run's data is called: "image", or of a table "row". */
const char *tri_show_noun(const tr_run *run);

#endif
