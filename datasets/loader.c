/* loader.c: batches of a dataset, in order or shuffled, resumable at any batch.
 *
 * All tensors are made when the loader is: one set for full batches and, where the last batch of an
 * epoch is smaller, views of their first rows. So a call of tr_loader_next takes no memory, but for
 * the permutation at the start of an epoch, whose block is recycled.
 * The order of epoch e is a function of (seed, e), so a place in the data is two numbers, epoch and
 * batch, and going back to it is tr_loader_seek.
 * Read next: dataset.c. */
#include "datasets/source.h"

#include "tensor/core.h"

#include <string.h>

struct tr_loader {
    const tr_dataset *dataset;
    tr_loader_options options; /* with defaults filled in; the images are begin .. end - 1 */
    int64_t batches;
    int64_t epoch, position;
    int64_t ordered_epoch; /* whose permutation is in `order`; -1: none */
    int64_t *order;        /* [images], only where shuffled */
    tr_batch full, last;   /* last: the epoch's last batch, where it is smaller */
};

/* --- Make ------------------------------------------------------------------------------ */

/* Fills in the defaults and makes [begin, end) the range used; false and an error for a bad option.
 */
static bool resolve(const tr_dataset *d, tr_loader_options *o)
{
    const char *split = o->split == TR_TEST ? "test" : "train";
    int64_t count = d->count[o->split];
    if (o->batch == 0) o->batch = 128;
    if (o->end == 0) o->end = count;
    if (o->batch < 0 || o->limit < 0) {
        tr_fail(TR_ERR_VALUE, "loader: %s is %lld, expected 1 or more, or 0 for the default",
                o->batch < 0 ? "batch" : "limit", (long long)(o->batch < 0 ? o->batch : o->limit));
        return false;
    }
    if (o->begin < 0 || o->end < o->begin || o->end > count) {
        tr_fail(TR_ERR_VALUE, "loader: images %lld to %lld of %s's %s split, which has %lld",
                (long long)o->begin, (long long)o->end, d->name, split, (long long)count);
        return false;
    }
    if (o->limit > 0 && o->limit < o->end - o->begin) o->end = o->begin + o->limit;
    if (o->end == o->begin) {
        tr_fail(TR_ERR_VALUE, "loader: no image of %s's %s split is chosen: begin and end are %lld",
                d->name, split, (long long)o->begin);
        return false;
    }
    if (o->drop_last && o->end - o->begin < o->batch) {
        tr_fail(TR_ERR_VALUE,
                "loader: %lld images make no full batch of %lld, and drop_last is set",
                (long long)(o->end - o->begin), (long long)o->batch);
        return false;
    }
    return true;
}

/* The first `rows` rows of a tensor. */
static tr_tensor *first_rows(const tr_tensor *t, int64_t rows)
{
    if (!t) return NULL;
    tr_shape shape = tr_shape_of(t);
    shape.dim[0] = rows;
    return tri_view(t, shape, t->stride, 0);
}

static tr_status make_tensors(tr_loader *loader)
{
    const tr_dataset *d = loader->dataset;
    const tr_loader_options *o = &loader->options;
    int64_t images = o->end - o->begin, rest = images % o->batch;
    int64_t batch = images < o->batch ? images : o->batch;
    tri_batch_make(d, o->split, batch, &loader->full);
    loader->last = loader->full;
    if (!tri_failed() && rest != 0 && rest != batch) {
        loader->last.x = first_rows(loader->full.x, rest);
        loader->last.known = first_rows(loader->full.known, rest);
        loader->last.target = first_rows(loader->full.target, rest);
        loader->last.index = first_rows(loader->full.index, rest);
        loader->last.labels = first_rows(loader->full.labels, rest);
    }
    return tr_status_get();
}

tr_loader *tr_loader_new(const tr_dataset *dataset, const tr_loader_options *options)
{
    if (tri_failed()) return NULL;
    if (!dataset) {
        tr_fail(TR_ERR_VALUE, "loader: the dataset is NULL");
        return NULL;
    }
    tr_loader_options o = options ? *options : (tr_loader_options){ 0 };
    if (o.split != TR_TRAIN && o.split != TR_TEST) {
        tr_fail(TR_ERR_VALUE, "loader: there is no split %d", (int)o.split);
        return NULL;
    }
    if (!resolve(dataset, &o)) return NULL;
    tr_loader *loader = tr_scope_alloc(sizeof *loader);
    if (!loader) return NULL;
    int64_t images = o.end - o.begin;
    loader->dataset = dataset;
    loader->options = o;
    loader->batches = o.drop_last ? images / o.batch : (images - 1) / o.batch + 1;
    loader->ordered_epoch = -1;
    if (o.shuffle) loader->order = tr_scope_alloc(sizeof(int64_t) * (uint64_t)images);
    if (tri_source_prepare(dataset, o.split) != TR_OK) return NULL;
    return make_tensors(loader) == TR_OK ? loader : NULL;
}

/* --- Go through ------------------------------------------------------------------------ */

/* Puts the permutation of the current epoch into loader->order. */
static tr_status order_epoch(tr_loader *loader)
{
    const tr_loader_options *o = &loader->options;
    if (!o->shuffle || loader->ordered_epoch == loader->epoch) return TR_OK;
    tr_scope *scope = tr_scope_push();
    tr_rng rng = tr_rng_stream(o->seed, (uint64_t)loader->epoch);
    tr_status status = tr_copy_out(tr_permutation(o->end - o->begin, &rng), loader->order);
    tr_scope_pop(scope);
    if (status == TR_OK) loader->ordered_epoch = loader->epoch;
    return status;
}

typedef struct fill_job {
    const tr_loader *loader;
    int64_t first; /* position in the epoch of the batch's first image */
    const tr_batch *batch;
} fill_job;

static void fill_piece(void *context, int64_t begin, int64_t end)
{
    const fill_job *job = context;
    const tr_loader *loader = job->loader;
    const tr_dataset *d = loader->dataset;
    for (int64_t i = begin; i < end; i++) {
        int64_t k = job->first + i;
        int64_t index = loader->options.begin + (loader->order ? loader->order[k] : k);
        tri_batch_read(d, loader->options.split, index, job->batch, i);
    }
}

/* Records made with the old values must not be used with the new ones: the engine looks at this. */
static void mark_changed(const tr_batch *batch)
{
    batch->x->storage->version++;
    batch->index->storage->version++;
    if (batch->known) batch->known->storage->version++;
    if (batch->target) batch->target->storage->version++;
    if (batch->labels) batch->labels->storage->version++;
}

bool tr_loader_next(tr_loader *loader, tr_batch *batch)
{
    if (!tri_given(loader, "loader_next: the loader") ||
        !tri_given(batch, "loader_next: the batch"))
        return false;
    if (tri_failed()) return false;
    if (loader->position == loader->batches) {
        loader->epoch++;
        loader->position = 0;
        return false;
    }
    if (order_epoch(loader) != TR_OK) return false;
    bool last = loader->position == loader->batches - 1 && !loader->options.drop_last;
    *batch = last ? loader->last : loader->full;
    fill_job job = { loader, loader->position * loader->options.batch, batch };
    mark_changed(batch);
    tri_parallel_for(batch->x->shape[0], tri_source_grain(loader->dataset), fill_piece, &job);
    loader->position++;
    return true;
}

int64_t tr_loader_images(const tr_loader *loader)
{
    if (!tri_given(loader, "loader_images: the loader")) return 0;
    const tr_loader_options *o = &loader->options;
    return o->drop_last ? loader->batches * o->batch : o->end - o->begin;
}

int64_t tr_loader_batches(const tr_loader *loader)
{
    if (!tri_given(loader, "loader_batches: the loader")) return 0;
    return loader->batches;
}

int64_t tr_loader_epoch(const tr_loader *loader)
{
    if (!tri_given(loader, "loader_epoch: the loader")) return 0;
    return loader->epoch;
}

int64_t tr_loader_position(const tr_loader *loader)
{
    if (!tri_given(loader, "loader_position: the loader")) return 0;
    return loader->position;
}

tr_status tr_loader_seek(tr_loader *loader, int64_t epoch, int64_t position)
{
    if (tri_failed()) return tr_status_get();
    if (!loader) return tr_fail(TR_ERR_VALUE, "loader_seek: the loader is NULL");
    if (epoch < 0 || position < 0 || position > loader->batches)
        return tr_fail(TR_ERR_VALUE,
                       "loader_seek: epoch %lld, batch %lld: an epoch has %lld batches",
                       (long long)epoch, (long long)position, (long long)loader->batches);
    loader->epoch = epoch;
    loader->position = position;
    return TR_OK;
}
