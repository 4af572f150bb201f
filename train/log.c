/* log.c: the rows of a run, in memory and as log.csv.
 *
 * The file is written whole from memory each time, so it always agrees with the checkpoint it is
 * written beside: a run that goes on from an older checkpoint drops the rows after it.
 * Read next: checkpoint.c. */
#include "train/run.h"

#include <string.h>

tr_status tri_history_push(tr_run *run, const tr_epoch *row)
{
    tri_training *t = run->training;
    if (tri_failed()) return tr_status_get();
    if (run->epochs_done == t->capacity) {
        const int64_t more = t->capacity == 0 ? 32 : 2 * t->capacity;
        tr_epoch     *rows = tri_block_new((uint64_t)more * sizeof *rows);
        if (rows == NULL) return tr_status_get();
        if (run->epochs_done > 0)
            memcpy(rows, run->history, (size_t)run->epochs_done * sizeof *rows);
        tri_block_free(run->history, (size_t)t->capacity * sizeof *rows);
        run->history = rows;
        t->capacity = more;
    }
    run->history[run->epochs_done++] = *row;
    if (row->val.count == 0) return TR_OK;
    if (run->best_epoch == 0 || row->val.value[0] < run->history[run->best_epoch - 1].val.value[0])
        run->best_epoch = row->epoch;
    return TR_OK;
}

bool tri_patience_spent(const tr_run *run)
{
    return run->options.early_stop > 0 && run->best_epoch > 0 &&
           run->epochs_done - run->best_epoch >= run->options.early_stop;
}

const tr_epoch *tr_run_last(const tr_run *run)
{
    return run->epochs_done > 0 ? &run->history[run->epochs_done - 1] : NULL;
}

static void write_names(tri_writer *w, const char *split, const tr_metrics *m)
{
    for (int i = 0; i < m->count; i++) tri_writer_printf(w, ",%s_%s", split, m->name[i]);
}

static void write_values(tri_writer *w, const tr_metrics *m)
{
    for (int i = 0; i < m->count; i++) tri_writer_printf(w, ",%.9g", m->value[i]);
}

tr_status tri_log_write(const tr_run *run)
{
    if (run->dir == NULL || tri_failed()) return tr_status_get();
    tr_scope  *scope = tr_scope_push();
    tri_writer w;
    if (tri_writer_open(&w, tri_run_path(run, "log.csv")) == TR_OK) {
        tri_writer_printf(&w, "epoch");
        if (run->epochs_done > 0) {
            write_names(&w, "train", &run->history[0].train);
            write_names(&w, "val", &run->history[0].val);
        }
        tri_writer_printf(&w, ",lr,seconds,images_per_second\n");
        for (int64_t i = 0; i < run->epochs_done; i++) {
            const tr_epoch *row = &run->history[i];
            tri_writer_printf(&w, "%lld", (long long)row->epoch);
            write_values(&w, &row->train);
            write_values(&w, &row->val);
            tri_writer_printf(&w, ",%g,%.3f,%.0f\n", row->lr, row->seconds, row->images_per_second);
        }
        tri_writer_close(&w);
    }
    tr_scope_pop(scope);
    return tr_status_get();
}
