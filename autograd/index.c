/* index.c: values by index. gather and scatter_sum are each other's gradient along one axis: what
 * gather reads from a place, scatter_sum adds back to it. index_select, embedding, masked_select
 * and the like are gathers with an index made up for them.
 *
 * Indices are i64, count from 0 and are checked before anything is read; they carry no gradient. */
#include "autograd/compose.h"
#include "autograd/registry.h"

typedef struct index_attributes {
    int     axis;
    int64_t size; /* of the axis that is indexed into */
} index_attributes;

/* Checks in[1], an index along the axis whose other sizes equal those of in[0]. */
static bool check_index(tr_call *c, int axis, int64_t bound)
{
    const tr_tensor *x = c->in[0], *index = c->in[1];
    char             problem[120];
    int64_t          bad;
    if (index->dtype != TR_I64) {
        tr_fail_call(c, TR_ERR_DTYPE, "the index must be i64", "convert it with tr_cast");
        return false;
    }
    bool fits = index->rank == x->rank;
    for (int i = 0; fits && i < x->rank; i++) fits = i == axis || index->shape[i] == x->shape[i];
    if (!fits) {
        snprintf(problem, sizeof problem, "the sizes of x and index differ beside axis %d", axis);
        tr_fail_call(c, TR_ERR_SHAPE, problem, NULL);
        return false;
    }
    if (!tri_index_in_range(index, bound, &bad)) {
        snprintf(problem, sizeof problem, "index %lld is not below %lld, the size of axis %d",
                 (long long)bad, (long long)bound, axis);
        if (bad < 0) snprintf(problem, sizeof problem, "index %lld is negative", (long long)bad);
        tr_fail_call(c, TR_ERR_VALUE, problem, NULL);
        return false;
    }
    return true;
}

/* --- Gather ----------------------------------------------------------------------------------- */

/* y[.., i, ..] = x[.., index[.., i, ..], ..]      gx = scatter_sum(g, index) */
static bool gather_shape(tr_call *c)
{
    const index_attributes *a = c->attributes;
    if (!check_index(c, a->axis, a->size)) return false;
    c->out_shape = tr_shape_of(c->in[1]);
    return true;
}

static tr_status gather_forward(tr_call *c)
{
    const index_attributes *a = c->attributes;
    return tri_gather(c->out, c->in[0], c->in[1], a->axis);
}

static void gather_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_apply(&tri_op_scatter_sum, (tr_tensor *[]){ g, c->in[1] }, 2, c->attributes,
                      sizeof(index_attributes));
}

const tr_op tri_op_gather = {
    .name = "gather", .arguments = { "x", "index" }, .flags = TR_OP_ANY_DTYPE, TR_OP_PLACE,
    .formula = "y[.., i, ..] = x[.., index[.., i, ..], ..]",
    .gradient = "gx = scatter_sum(g, index)",
    .shape = gather_shape, .forward = gather_forward, .vjp = gather_vjp,
    .examples = (const tr_example[]){
        { "x[3,4] i3[2,4]", TRI_ATTRIBUTES(index_attributes, 0, 3) },
        { "x[3,4] i4[3,7]", TRI_ATTRIBUTES(index_attributes, 1, 4) },
        { "x[2,3,2] i3[2,3,2]", TRI_ATTRIBUTES(index_attributes, 1, 3) },
        { "x[1] i1[3]", TRI_ATTRIBUTES(index_attributes, 0, 1) },
        { "x[3,2] i3[0,2]", TRI_ATTRIBUTES(index_attributes, 0, 3) },
        { 0 } },
};

/* --- Scatter, adding -------------------------------------------------------------------------- */

/* y = 0, then y[.., index[.., i, ..], ..] += x[.., i, ..]      gx = gather(g, index) */
static bool scatter_sum_shape(tr_call *c)
{
    const index_attributes *a = c->attributes;
    if (!check_index(c, a->axis, a->size)) return false;
    if (!tr_same_shape(c->in[0], c->in[1])) {
        tr_fail_call(c, TR_ERR_SHAPE, "x and index need one shape", NULL);
        return false;
    }
    c->out_shape = tri_with_size(c->in[0], a->axis, a->size);
    return tri_check_shape(c->out_shape, "scatter_sum");
}

static tr_status scatter_sum_forward(tr_call *c)
{
    const index_attributes *a = c->attributes;
    if (tri_fill(c->out, 0) != TR_OK) return tr_status_get();
    return tri_scatter_add(c->out, c->in[0], c->in[1], a->axis);
}

static void scatter_sum_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_apply(&tri_op_gather, (tr_tensor *[]){ g, c->in[1] }, 2, c->attributes,
                      sizeof(index_attributes));
}

const tr_op tri_op_scatter_sum = {
    .name = "scatter_sum", .arguments = { "x", "index" }, .flags = TR_OP_ANY_DTYPE, TR_OP_PLACE,
    .formula = "y[.., index[.., i, ..], ..] += x[.., i, ..], from 0",
    .gradient = "gx = gather(g, index)",
    .shape = scatter_sum_shape, .forward = scatter_sum_forward, .vjp = scatter_sum_vjp,
    .examples = (const tr_example[]){
        { "x[2,4] i3[2,4]", TRI_ATTRIBUTES(index_attributes, 0, 3) },
        { "x[3,7] i4[3,7]", TRI_ATTRIBUTES(index_attributes, 1, 4) },
        { "x[2,3,2] i3[2,3,2]", TRI_ATTRIBUTES(index_attributes, 1, 3) },
        { "x[3] i1[3]", TRI_ATTRIBUTES(index_attributes, 0, 1) },
        { "x[0,2] i3[0,2]", TRI_ATTRIBUTES(index_attributes, 0, 3) },
        { 0 } },
};

/* --- Public forms ----------------------------------------------------------------------------- */

/* x cut, beside the axis if one is given (not -1), to the sizes of an index that is smaller. */
static tr_tensor *cut_to(tr_tensor *x, const tr_tensor *index, int axis)
{
    if (x == NULL || x->rank != index->rank) return x;
    for (int i = 0; i < index->rank && x != NULL; i++)
        if (i != axis && index->shape[i] < x->shape[i]) x = tr_narrow(x, i, 0, index->shape[i]);
    return x;
}

tr_tensor *tr_gather(tr_tensor *x, int axis, tr_tensor *index)
{
    if (!tri_usable(x, "gather") || !tri_usable(index, "gather")) return NULL;
    const int k = tri_axis(axis, x->rank, "gather");
    if (k < 0) return NULL;
    const index_attributes a = { k, x->shape[k] };
    return tr_apply(&tri_op_gather, (tr_tensor *[]){ cut_to(x, index, k), index }, 2, &a, sizeof a);
}

tr_tensor *tr_scatter_sum(tr_tensor *x, int axis, tr_tensor *index, int64_t size)
{
    if (!tri_usable(x, "scatter_sum")) return NULL;
    const int k = tri_axis(axis, x->rank, "scatter_sum");
    if (k < 0) return NULL;
    const index_attributes a = { k, size };
    return tr_apply(&tri_op_scatter_sum, (tr_tensor *[]){ x, index }, 2, &a, sizeof a);
}

/* values scattered over a tensor of x's shape; the index may be smaller than x beside the axis. */
static tr_tensor *scattered(tr_tensor *x, int axis, tr_tensor *index, tr_tensor *values)
{
    tr_tensor *y = tr_scatter_sum(cut_to(values, index, -1), axis, index, x->shape[axis]);
    if (y == NULL || tr_same_shape(x, y)) return y;
    tr_shape before = { .rank = x->rank }, after = { .rank = x->rank };
    if (y->rank != x->rank)
        return tri_refuse(TR_ERR_SHAPE, "scatter", x, "the index has another number of axes");
    for (int i = 0; i < x->rank; i++) {
        after.dim[i] = x->shape[i] - y->shape[i];
        if (after.dim[i] < 0)
            return tri_refuse(TR_ERR_SHAPE, "scatter", x, "the index is larger along axis %d", i);
    }
    return tr_pad(y, before, after, 0);
}

tr_tensor *tr_scatter_add(tr_tensor *x, int axis, tr_tensor *index, tr_tensor *values)
{
    TRI_FUNCTION("scatter_add", x, index, values);
    if (!tri_usable(x, "scatter_add") || !tri_usable(index, "scatter_add") ||
        !tri_usable(values, "scatter_add"))
        return NULL;
    const int k = tri_axis(axis, x->rank, "scatter_add");
    return k < 0 ? NULL : tr_add(x, scattered(x, k, index, values));
}

/* For each value whether it is the last one that goes to its place: u8 of the index's shape.
 * Indices are in range. Walks each line along the axis from its end and remembers places met in
 * `taken`. */
static tr_tensor *last_writers(const tr_tensor *index, int axis, int64_t size)
{
    tr_tensor       *last = tr_zeros(TR_U8, tr_shape_of(index));
    tr_scope        *scope = tr_scope_push();
    const tr_tensor *rows = last != NULL ? tri_contiguous(index) : NULL;
    const int64_t    n = index->shape[axis];
    int64_t          inner = 1, lines = n > 0 ? tr_numel(index) / n : 0;
    for (int i = axis + 1; i < index->rank; i++) inner *= index->shape[i];
    int64_t *taken = rows != NULL ? tri_scratch((uint64_t)(size + 1) * sizeof *taken) : NULL;
    for (int64_t i = 0; taken != NULL && i < size; i++) taken[i] = -1;
    for (int64_t line = 0; taken != NULL && line < lines; line++) {
        const int64_t  base = line / inner * inner * n + line % inner;
        const int64_t *place = (const int64_t *)rows->data + base;
        uint8_t       *flag = (uint8_t *)last->data + base;
        for (int64_t i = n - 1; i >= 0; i--) {
            flag[i * inner] = taken[place[i * inner]] != line;
            taken[place[i * inner]] = line;
        }
    }
    tr_scope_pop(scope);
    return tri_failed() ? NULL : last;
}

tr_tensor *tr_scatter(tr_tensor *x, int axis, tr_tensor *index, tr_tensor *values)
{
    TRI_FUNCTION("scatter", x, index, values);
    if (!tri_usable(x, "scatter") || !tri_usable(index, "scatter") ||
        !tri_usable(values, "scatter"))
        return NULL;
    const int k = tri_axis(axis, x->rank, "scatter");
    if (k < 0) return NULL;
    tr_tensor *ones = tr_expand(tr_scalar(x->dtype, 1), tr_shape_of(index));
    tr_tensor *hits = tr_detach(scattered(x, k, index, ones)); /* also checks the index */
    if (hits == NULL) return NULL;
    tr_tensor *last = last_writers(index, k, x->shape[k]);
    tr_tensor *kept = tr_where(last, cut_to(values, index, -1), tr_scalar(values->dtype, 0));
    return tr_where(tr_not_equal(hits, tr_scalar(x->dtype, 0)), scattered(x, k, index, kept), x);
}

tr_tensor *tr_index_select(tr_tensor *x, int axis, tr_tensor *index)
{
    TRI_FUNCTION("index_select", x, index);
    if (!tri_usable(x, "index_select") || !tri_usable(index, "index_select")) return NULL;
    const int k = tri_axis(axis, x->rank, "index_select");
    if (k < 0) return NULL;
    if (index->rank != 1)
        return tri_refuse(TR_ERR_SHAPE, "index_select", x, "the index has %d axes, 1 is needed",
                          index->rank);
    tr_shape column = { .rank = x->rank };
    for (int i = 0; i < x->rank; i++) column.dim[i] = i == k ? index->shape[0] : 1;
    return tr_gather(x, k,
                     tr_expand(tr_reshape(index, column), tri_with_size(x, k, index->shape[0])));
}

tr_tensor *tr_take_along_axis(tr_tensor *x, tr_tensor *index, int axis)
{
    TRI_FUNCTION("take_along_axis", x, index);
    if (!tri_usable(x, "take_along_axis") || !tri_usable(index, "take_along_axis")) return NULL;
    const int k = tri_axis(axis, x->rank, "take_along_axis");
    if (k < 0) return NULL;
    if (index->rank != x->rank)
        return tri_refuse(TR_ERR_SHAPE, "take_along_axis", x,
                          "the index has %d axes, %d are needed", index->rank, x->rank);
    tr_shape shapes[2] = { tri_with_size(x, k, 1), tri_with_size(index, k, 1) }, common;
    if (!tri_broadcast_shape(shapes, 2, &common))
        return tri_refuse(TR_ERR_SHAPE, "take_along_axis", x,
                          "the index does not broadcast beside axis %d", k);
    tr_shape from = common, to = common;
    from.dim[k] = x->shape[k];
    to.dim[k] = index->shape[k];
    return tr_gather(tr_expand(x, from), k, tr_expand(index, to));
}

tr_tensor *tr_embedding(tr_tensor *table, tr_tensor *index)
{
    TRI_FUNCTION("embedding", table, index);
    if (!tri_usable(table, "embedding") || !tri_usable(index, "embedding")) return NULL;
    if (table->rank != 2)
        return tri_refuse(TR_ERR_SHAPE, "embedding", table,
                          "the table needs two axes, [entries, size]");
    tr_shape shape = tr_shape_of(index);
    if (shape.rank == TR_MAX_RANK)
        return tri_refuse(TR_ERR_SHAPE, "embedding", index,
                          "an index of %d axes leaves none for the entry", TR_MAX_RANK);
    shape.dim[shape.rank++] = table->shape[1];
    return tr_reshape(tr_index_select(table, 0, tr_reshape(index, TR_SHAPE(tr_numel(index)))),
                      shape);
}

/* --- Masks ------------------------------------------------------------------------------------ */

tr_tensor *tr_masked_fill(tr_tensor *x, tr_tensor *mask, double value)
{
    TRI_FUNCTION("masked_fill", x, mask);
    if (!tri_usable(x, "masked_fill")) return NULL;
    return tr_where(mask, tr_scalar(x->dtype, value), x);
}

tr_tensor *tr_nonzero(tr_tensor *mask)
{
    if (!tri_usable(mask, "nonzero")) return NULL;
    if (mask->dtype != TR_U8) return tri_refuse(TR_ERR_DTYPE, "nonzero", mask, "a mask must be u8");
    const tr_tensor *flags = tri_contiguous(mask);
    if (flags == NULL) return NULL;
    const uint8_t *flag = flags->data;
    int64_t        count = 0, n = tr_numel(flags);
    for (int64_t i = 0; i < n; i++) count += flag[i] != 0;
    tr_tensor *places = tr_empty(TR_I64, TR_SHAPE(count));
    if (places == NULL) return NULL;
    int64_t *place = places->data;
    for (int64_t i = 0; i < n; i++)
        if (flag[i] != 0) *place++ = i;
    return places;
}

tr_tensor *tr_masked_select(tr_tensor *x, tr_tensor *mask)
{
    TRI_FUNCTION("masked_select", x, mask);
    if (!tri_usable(x, "masked_select") || !tri_usable(mask, "masked_select")) return NULL;
    tr_shape shapes[2] = { tr_shape_of(x), tr_shape_of(mask) }, common;
    if (!tri_broadcast_shape(shapes, 2, &common))
        return tri_refuse(TR_ERR_SHAPE, "masked_select", x, "the mask does not broadcast");
    const int64_t n = tri_shape_numel(common);
    return tr_index_select(tr_reshape(tr_expand(x, common), TR_SHAPE(n)), 0,
                           tr_nonzero(tr_expand(mask, common)));
}

tr_tensor *tr_one_hot(tr_tensor *index, int64_t classes, tr_dtype dtype)
{
    TRI_FUNCTION("one_hot", index);
    int64_t bad;
    if (!tri_usable(index, "one_hot")) return NULL;
    if (index->dtype != TR_I64)
        return tri_refuse(TR_ERR_DTYPE, "one_hot", index, "the index must be i64");
    if (classes < 0 || !tri_index_in_range(index, classes, &bad))
        return tri_refuse(TR_ERR_VALUE, "one_hot", index, "%lld is not one of %lld classes",
                          (long long)(classes < 0 ? classes : bad), (long long)classes);
    return tr_cast(tr_equal(tr_unsqueeze(index, -1), tr_arange(TR_I64, classes)), dtype);
}
