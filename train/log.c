/* log.c: the rows of a run, in memory and as log.csv and steps.csv.
 *
 * The files are written whole from memory each time, so they always agree with the checkpoint that
 * they are written beside: a run that goes on from an older checkpoint drops the rows after it.
 * Read next: checkpoint.c. */
#include "train/run.h"

#include <string.h>

/* Rows with room for one more; on error as they were. */
static void *grow(void *rows, int64_t count, int64_t *capacity, size_t size)
{
    if (count < *capacity) return rows;
    const int64_t more = *capacity == 0 ? 32 : 2 * *capacity;
    void         *larger = tri_block_new((uint64_t)more * size);
    if (larger == NULL) return rows;
    if (count > 0) memcpy(larger, rows, (size_t)count * size);
    tri_block_free(rows, (size_t)*capacity * size);
    *capacity = more;
    return larger;
}

tr_status tri_history_push(tr_run *run, const tr_epoch *row)
{
    if (tri_failed()) return tr_status_get();
    run->history =
        grow(run->history, run->epochs_done, &run->training->capacity, sizeof *run->history);
    if (tri_failed()) return tr_status_get();
    run->history[run->epochs_done++] = *row;
    if (row->val.count == 0) return TR_OK;
    if (run->best_epoch == 0 || row->val.value[0] < run->history[run->best_epoch - 1].val.value[0])
        run->best_epoch = row->epoch;
    return TR_OK;
}

tr_status tri_steps_push(tr_run *run, const tr_step *row)
{
    if (tri_failed()) return tr_status_get();
    run->steps =
        grow(run->steps, run->steps_logged, &run->training->step_capacity, sizeof *run->steps);
    if (tri_failed()) return tr_status_get();
    run->steps[run->steps_logged++] = *row;
    return TR_OK;
}

bool tri_patience_spent(const tr_run *run)
{
    return run->options.early_stop > 0 && run->best_epoch > 0 &&
           run->epochs_done - run->best_epoch >= run->options.early_stop;
}

const tr_epoch *tr_run_last(const tr_run *run)
{
    if (!tri_given(run, "run_last: the run")) return NULL;
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

static void write_epochs(const tr_run *run)
{
    tri_writer w;
    if (tri_writer_open(&w, tri_run_path(run, "log.csv")) != TR_OK) return;
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

static void write_steps(const tr_run *run)
{
    tri_writer w;
    if (tri_writer_open(&w, tri_run_path(run, "steps.csv")) != TR_OK) return;
    tri_writer_printf(&w, "step,epoch");
    if (run->steps_logged > 0) write_names(&w, "train", &run->steps[0].train);
    tri_writer_printf(&w, ",lr\n");
    for (int64_t i = 0; i < run->steps_logged; i++) {
        const tr_step *row = &run->steps[i];
        tri_writer_printf(&w, "%lld,%.9g", (long long)row->step, row->epoch);
        write_values(&w, &row->train);
        tri_writer_printf(&w, ",%.9g\n", row->lr);
    }
    tri_writer_close(&w);
}

tr_status tri_log_write(const tr_run *run)
{
    if (run->dir == NULL || tri_failed()) return tr_status_get();
    tr_scope *scope = tr_scope_push();
    write_epochs(run);
    if (run->options.log_every > 0 && !tri_failed()) write_steps(run);
    tr_scope_pop(scope);
    return tr_status_get();
}
