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

#endif
