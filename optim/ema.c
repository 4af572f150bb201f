/* ema.c: an exponential moving average of parameters, beside them in memory of its own. The update
 * is one pass of plain arithmetic; the average of an f32 parameter is f32. */
#include "optim/rule.h"

#include <string.h>

typedef struct average {
    tr_tensor *w, *mean;
    const char *name; /* "ema.encoder.0.weight" */
} average;

struct tr_ema {
    double decay;
    average *averages;
    int64_t count;
};

tr_ema *tr_ema_new(tr_named_list parameters, double decay)
{
    if (tri_failed() || !tri_check_option("ema", "decay", decay, 0, 1, false) ||
        !tri_check_parameters(parameters, "ema"))
        return NULL;
    tr_ema *e = tr_scope_alloc(sizeof *e);
    average *averages = tr_scope_alloc((uint64_t)parameters.count * sizeof *averages);
    if (e == NULL || averages == NULL) return NULL;
    for (int64_t i = 0; i < parameters.count; i++) {
        tr_tensor *w = parameters.items[i].tensor;
        averages[i].w = w;
        averages[i].mean = tr_empty(w->dtype, tr_shape_of(w));
        averages[i].name = tri_state_name("ema", NULL, parameters.items[i].name);
        if (averages[i].mean == NULL || averages[i].name == NULL ||
            tr_assign(averages[i].mean, w) != TR_OK)
            return NULL;
    }
    *e = (tr_ema){ decay, averages, parameters.count };
    return e;
}

/* True if the object and all its parameters are there. */
static bool check_ema(const tr_ema *e, const char *what)
{
    if (tri_failed()) return false;
    if (e == NULL) {
        tr_fail(TR_ERR_VALUE, "%s: the average is NULL", what);
        return false;
    }
    for (int64_t i = 0; i < e->count; i++)
        if (!tri_check_alive(e->averages[i].w, what)) return false;
    return true;
}

typedef struct ema_pass {
    const average *a;
    double decay;
} ema_pass;

static void ema_piece(void *context, int64_t begin, int64_t end)
{
    const ema_pass *p = context;
    const double decay = p->decay;
    if (p->a->w->dtype == TR_F32) {
        const float *w = p->a->w->data;
        float *mean = p->a->mean->data;
        for (int64_t i = begin; i < end; i++)
            mean[i] = (float)(decay * (double)mean[i] + (1 - decay) * (double)w[i]);
    } else {
        const double *w = p->a->w->data;
        double *mean = p->a->mean->data;
        for (int64_t i = begin; i < end; i++) mean[i] = decay * mean[i] + (1 - decay) * w[i];
    }
}

tr_status tr_ema_update(tr_ema *e)
{
    if (!check_ema(e, "ema_update")) return tr_status_get();
    for (int64_t i = 0; i < e->count; i++) {
        ema_pass pass = { &e->averages[i], e->decay };
        tri_parallel_for(tr_numel(pass.a->w), TRI_RULE_GRAIN, ema_piece, &pass);
    }
    return TR_OK;
}

tr_status tr_ema_swap(tr_ema *e)
{
    if (!check_ema(e, "ema_swap")) return tr_status_get();
    for (int64_t i = 0; i < e->count; i++) {
        char *w = e->averages[i].w->data, *mean = e->averages[i].mean->data;
        const size_t size = tr_dtype_size(e->averages[i].w->dtype);
        size_t left = (size_t)tr_numel(e->averages[i].w) * size;
        char block[1024];
        for (size_t count; left > 0; left -= count, w += count, mean += count) {
            count = left < sizeof block ? left : sizeof block;
            memcpy(block, w, count);
            memcpy(w, mean, count);
            memcpy(mean, block, count);
        }
        e->averages[i].w->storage->version++;
    }
    return TR_OK;
}

tr_status tr_ema_state(const tr_ema *e, tr_named_list *list)
{
    if (!tri_given(list, "ema_state: the list")) return tr_status_get();
    if (!check_ema(e, "ema_state")) return tr_status_get();
    for (int64_t i = 0; i < e->count; i++)
        if (tr_named_push(list, e->averages[i].name, e->averages[i].mean) != TR_OK) break;
    return tr_status_get();
}

tr_status tr_ema_load(tr_ema *e, const tr_named_list *list)
{
    if (!tri_given(list, "ema_load: the list")) return tr_status_get();
    if (!check_ema(e, "ema_load")) return tr_status_get();
    for (int64_t i = 0; i < e->count; i++)
        if (!tri_find_state(list, e->averages[i].name, e->averages[i].mean, "ema"))
            return tr_status_get();
    for (int64_t i = 0; i < e->count; i++)
        tr_assign(e->averages[i].mean, tr_named_find(list, e->averages[i].name));
    return tr_status_get();
}
