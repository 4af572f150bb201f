/* clip.c: bounds on gradients between the backward pass and the step. Gradients of two parameters,
 * or a gradient and a tensor of the caller's, may share memory: what is changed gets new memory
 * first.
 *
 * The norm is summed in double over pieces of fixed size, which are added in order: the same bits
 * on any number of threads. */
#include "optim/rule.h"

#include <math.h>

enum { PIECE = 4096 };

/* --- Norm ------------------------------------------------------------------------------------- */

typedef struct square_pass {
    const tr_tensor *g;
    double *sums; /* one for each piece */
} square_pass;

static void square_piece(void *context, int64_t begin, int64_t end)
{
    const square_pass *p = context;
    double sum = 0;
    if (p->g->dtype == TR_F32) {
        const float *g = p->g->data;
        for (int64_t i = begin; i < end; i++) sum += (double)g[i] * (double)g[i];
    } else {
        const double *g = p->g->data;
        for (int64_t i = begin; i < end; i++) sum += g[i] * g[i];
    }
    p->sums[begin / PIECE] = sum;
}

static double sum_of_squares(const tr_tensor *g)
{
    tr_scope *scratch = tr_scope_push();
    const int64_t pieces = (tr_numel(g) + PIECE - 1) / PIECE;
    square_pass   pass = { g, tri_scratch((uint64_t)pieces * sizeof(double)) };
    double sum = 0;
    if (pass.sums != NULL) {
        tri_parallel_for(tr_numel(g), PIECE, square_piece, &pass);
        for (int64_t i = 0; i < pieces; i++) sum += pass.sums[i];
    }
    tr_scope_pop(scratch);
    return sum;
}

/* --- Change ----------------------------------------------------------------------------------- */

typedef struct change_pass {
    const tr_tensor *from;
    void *to;
    double scale, limit; /* scaled, or clamped where there is a limit */
} change_pass;

static inline double changed(const change_pass *p, double g)
{
    if (p->limit == 0) return g * p->scale;
    return g > p->limit ? p->limit : g < -p->limit ? -p->limit : g;
}

static void change_piece(void *context, int64_t begin, int64_t end)
{
    const change_pass *p = context;
    if (p->from->dtype == TR_F32) {
        const float *from = p->from->data;
        float *to = p->to;
        for (int64_t i = begin; i < end; i++) to[i] = (float)changed(p, (double)from[i]);
    } else {
        const double *from = p->from->data;
        double *to = p->to;
        for (int64_t i = begin; i < end; i++) to[i] = changed(p, from[i]);
    }
}

/* The gradient of parameter i; NULL where there is none, or where an earlier name had it. */
static tr_tensor *gradient(tr_named_list parameters, int64_t i)
{
    tr_tensor *g = parameters.items[i].tensor->grad;
    for (int64_t k = 0; k < i && g != NULL; k++)
        if (parameters.items[k].tensor->grad == g) g = NULL;
    return g;
}

static bool check_alive(tr_named_list parameters, const char *what)
{
    if (tri_failed()) return false;
    for (int64_t i = 0; i < parameters.count; i++)
        if (!tri_check_alive(parameters.items[i].tensor, what)) return false;
    return true;
}

/* Gives each gradient new memory with its changed values. */
static tr_status change_gradients(tr_named_list parameters, double scale, double limit)
{
    for (int64_t i = 0; i < parameters.count; i++) {
        tr_tensor *g = gradient(parameters, i);
        if (g == NULL) continue;
        tri_storage *fresh = tri_storage_new((uint64_t)tr_numel(g) * tr_dtype_size(g->dtype));
        if (fresh == NULL) return tr_status_get();
        change_pass pass = { g, fresh->data, scale, limit };
        tri_parallel_for(tr_numel(g), TRI_RULE_GRAIN, change_piece, &pass);
        tri_storage_unref(g->storage);
        g->storage = fresh;
        g->data = fresh->data;
    }
    return TR_OK;
}

double tr_clip_grad_norm(tr_named_list parameters, double max_norm)
{
    if (!check_alive(parameters, "clip_grad_norm")) return (double)NAN;
    if (!(max_norm > 0)) {
        tr_fail(TR_ERR_VALUE, "clip_grad_norm: max_norm is %g; it must be above 0", max_norm);
        return (double)NAN;
    }
    double sum = 0;
    for (int64_t i = 0; i < parameters.count; i++) {
        const tr_tensor *g = gradient(parameters, i);
        if (g != NULL) sum += sum_of_squares(g);
    }
    const double norm = sqrt(sum), scale = max_norm / (norm + 1e-6);
    if (isfinite(norm) && scale < 1) change_gradients(parameters, scale, 0);
    return tri_failed() ? (double)NAN : norm;
}

tr_status tr_clip_grad_value(tr_named_list parameters, double limit)
{
    if (!check_alive(parameters, "clip_grad_value")) return tr_status_get();
    if (!(limit > 0))
        return tr_fail(TR_ERR_VALUE, "clip_grad_value: the limit is %g; it must be above 0", limit);
    return change_gradients(parameters, 1, limit);
}
