/* pooling.c: the largest or the average of windows that slide over pictures, and unpooling.
 *
 * Max-pooling picks one element of each window. With `index` the picks' positions, h W + w in x's
 * plane, it is pool_gather(x, index), linear in x, whose adjoint max_unpool2d puts values back
 * where they were picked; the two are each other's gradient. The positions carry no gradient.
 * Average pooling is linear too; avg_pool2d_dx is its adjoint. So both families are closed under
 * differentiation. The numbers are computed in tensor/pool.c. Read next: resizing.c. */
#include "autograd/registry.h"
#include "autograd/window.h"

#include <string.h>

typedef struct pool_attributes {
    tri_pool pool; /* complete: no 0 that stands for a default */
    bool     ceil;
    int64_t  image[2]; /* H, W of the result: the adjoints only */
} pool_attributes;

/* --- Shapes ----------------------------------------------------------------------------------- */

/* Whether each of `count` windows along an axis has a cell inside: there is no maximum of none. */
static bool all_windows_inside(const tri_pool *p, int axis, int64_t length, int64_t count)
{
    const int64_t dilation = p->dilation[axis];
    for (int64_t i = 0; i < count; i++) {
        const int64_t start = i * p->stride[axis] - p->pad[axis][0];
        const int64_t first = start >= 0 ? 0 : (-start + dilation - 1) / dilation;
        if (first >= p->window[axis] || start + first * dilation >= length) return false;
    }
    return true;
}

/* The shape of the pooled pictures for pictures of shape x. */
static bool pooled_shape(const tr_call *c, tr_shape x, tr_shape *y)
{
    const pool_attributes *a = c->attributes;
    const tri_pool        *p = &a->pool;
    int64_t                pixels;
    *y = x;
    if (!tri_mul_size(x.dim[1], x.dim[2], &pixels) || pixels > INT32_MAX)
        return tri_bad_shape(c, "a picture has more than 2^31 - 1 pixels", NULL);
    for (int axis = 0; axis < 2; axis++) {
        const int64_t length = x.dim[1 + axis];
        const int64_t count = tri_window_count(length, p->window[axis], p->stride[axis],
                                               p->pad[axis], p->dilation[axis], a->ceil);
        if (count == 0)
            return tri_bad_shape(c, "the window is larger than the padded picture", NULL);
        if (!all_windows_inside(p, axis, length, count))
            return tri_bad_shape(c, "a window lies in the padding only",
                                 "pad less than the window's size");
        y->dim[1 + axis] = count;
    }
    return true;
}

static bool check_picture(const tr_call *c)
{
    return c->in[0]->rank == 4 ||
           tri_bad_shape(c, "four axes are needed", "pictures are [N, H, W, C]");
}

static bool pool_shape(tr_call *c)
{
    return check_picture(c) && pooled_shape(c, tr_shape_of(c->in[0]), &c->out_shape);
}

/* The result of an adjoint: as in[0], with the height and width of the attributes. */
static void set_image(tr_call *c)
{
    const pool_attributes *a = c->attributes;
    c->out_shape.dim[1] = a->image[0];
    c->out_shape.dim[2] = a->image[1];
}

/* --- Positions: pool_gather and max_unpool2d -------------------------------------------------- */

static bool check_index(const tr_call *c, int64_t pixels)
{
    const tr_tensor *index = c->in[1];
    int64_t          bad = 0;
    if ((c->in[0]->dtype != TR_F32 && c->in[0]->dtype != TR_F64) || index->dtype != TR_I64) {
        tr_fail_call(c, TR_ERR_DTYPE, "values are f32 or f64, positions i64",
                     "convert with tr_cast");
        return false;
    }
    if (tri_index_in_range(index, pixels, &bad)) return true;
    char problem[120];
    snprintf(problem, sizeof problem, "position %lld is not in a picture of %lld pixels",
             (long long)bad, (long long)pixels);
    tr_fail_call(c, TR_ERR_VALUE, problem, NULL);
    return false;
}

static tr_tensor *unpool(tr_tensor *g, tr_tensor *index, int64_t height, int64_t width)
{
    const pool_attributes a = { .image = { height, width } };
    return tr_apply(&tri_op_max_unpool2d, (tr_tensor *[]){ g, index }, 2, &a, sizeof a);
}

/* y[n,i,j,c] = x[n, index[n,i,j,c], c]      gx = max_unpool2d(g, index) */
static bool pool_gather_shape(tr_call *c)
{
    const tr_tensor *x = c->in[0], *index = c->in[1];
    if (!check_picture(c)) return false;
    if (index->rank != 4 || index->shape[0] != x->shape[0] || index->shape[3] != x->shape[3])
        return tri_bad_shape(c, "pictures or channels differ", "positions are [N, OH, OW, C]");
    c->out_shape = tr_shape_of(index);
    return check_index(c, x->shape[1] * x->shape[2]);
}

static tr_status pool_gather_forward(tr_call *c)
{
    return tri_pool_gather(c->out, c->in[0], c->in[1]);
}

static void pool_gather_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = unpool(g, c->in[1], tr_dim(c->in[0], 1), tr_dim(c->in[0], 2));
}

const tr_op tri_op_pool_gather = {
    .name = "pool_gather", .arguments = { "x", "index" }, .flags = TR_OP_ANY_DTYPE, TR_OP_PLACE,
    .formula = "y[n,i,j,c] = x[n, index[n,i,j,c], c]", .gradient = "gx = max_unpool2d(g, index)",
    .shape = pool_gather_shape, .forward = pool_gather_forward, .vjp = pool_gather_vjp,
    .examples = (const tr_example[]){ { .inputs = "x[2,3,4,2] i12[2,2,2,2]" },
                                      { .inputs = "x[1,1,1,1] i1[1,3,3,1]" },
                                      { .inputs = "x[0,2,2,1] i4[0,1,1,1]" },
                                      { .inputs = "x[1,2,2,0] i4[1,1,2,0]" },
                                      { 0 } },
};

tr_tensor *tr_pool_gather(tr_tensor *x, tr_tensor *index)
{
    return tr_apply(&tri_op_pool_gather, (tr_tensor *[]){ x, index }, 2, NULL, 0);
}

/* y[n, index[n,i,j,c], c] = sum of x[n,i,j,c] put there, 0 elsewhere
 * gx = pool_gather(g, index) */
static bool max_unpool2d_shape(tr_call *c)
{
    if (!check_picture(c)) return false;
    if (!tr_same_shape(c->in[0], c->in[1]))
        return tri_bad_shape(c, "one position per value is needed", NULL);
    set_image(c);
    return check_index(c, c->out_shape.dim[1] * c->out_shape.dim[2]);
}

static tr_status max_unpool2d_forward(tr_call *c)
{
    return tri_max_unpool2d(c->out, c->in[0], c->in[1]);
}

static void max_unpool2d_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = tr_pool_gather(g, c->in[1]);
}

static const pool_attributes image_3x4 = { .image = { 3, 4 } };

const tr_op tri_op_max_unpool2d = {
    .name = "max_unpool2d", .arguments = { "x", "index" }, .flags = TR_OP_ANY_DTYPE, TR_OP_PLACE,
    .formula = "y[n, index[n,i,j,c], c] = sum of the x[n,i,j,c] put there; 0 elsewhere",
    .gradient = "gx = pool_gather(g, index)",
    .shape = max_unpool2d_shape, .forward = max_unpool2d_forward, .vjp = max_unpool2d_vjp,
    .examples = (const tr_example[]){
        { "x[2,2,2,2] i12[2,2,2,2]", &image_3x4, sizeof image_3x4 },
        { "x[1,4,4,1] i12[1,4,4,1]", &image_3x4, sizeof image_3x4 },
        { "x[1,1,1,1] i12[1,1,1,1]", &image_3x4, sizeof image_3x4 },
        { "x[0,2,2,3] i12[0,2,2,3]", &image_3x4, sizeof image_3x4 },
        { 0 } },
};

tr_tensor *tr_max_unpool2d(tr_tensor *x, tr_tensor *index, int64_t height, int64_t width)
{
    if (tri_failed() || !tri_check_extent("max_unpool2d", "height", height, 0) ||
        !tri_check_extent("max_unpool2d", "width", width, 0))
        return NULL;
    return unpool(x, index, height, width);
}

/* --- Max-pooling ------------------------------------------------------------------------------ */

/* y[n,i,j,c] = max over the window of x[n, i st + r di - p, j st + s di - p, c]
 * gx = max_unpool2d(g, index): all to the first of equals */
static tr_status max_pool2d_forward(tr_call *c)
{
    const pool_attributes *a = c->attributes;
    return tri_max_pool2d(c->out, NULL, c->in[0], &a->pool);
}

static void max_pool2d_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    tr_tensor *index =
        tr_apply(&tri_op_max_pool2d_index, c->in, 1, c->attributes, sizeof(pool_attributes));
    gin[0] = unpool(g, index, tr_dim(c->in[0], 1), tr_dim(c->in[0], 2));
}

static void max_pool2d_fast_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    const pool_attributes *a = c->attributes;
    gin[0] = tri_new(g->dtype, tr_shape_of(c->in[0]));
    if (gin[0] != NULL) tri_max_pool2d_dx(gin[0], g, c->in[0], &a->pool);
}

static const pool_attributes halves = { /* [n,4,6,c] -> [n,2,3,c] */
    .pool = { .window = { 2, 2 }, .stride = { 2, 2 }, .dilation = { 1, 1 }, .count_padding = true },
    .image = { 4, 6 },
};
static const pool_attributes overlapping = { /* [n,5,4,c] -> [n,3,4,c] */
    .pool = { { 3, 2 }, { 2, 1 }, { { 1, 1 }, { 1, 0 } }, { 1, 1 }, .count_padding = true },
    .image = { 5, 4 },
};
static const pool_attributes overhanging = { /* [n,5,4,c] -> [n,3,3,c]; windows reach out */
    .pool = { { 2, 3 }, { 2, 2 }, { { 0, 0 }, { 1, 1 } }, { 1, 1 }, .count_padding = false },
    .ceil = true, .image = { 5, 4 },
};
static const pool_attributes dilated = { /* [n,5,5,c] -> [n,3,3,c] */
    .pool = { { 2, 2 }, { 1, 1 }, { { 0, 0 }, { 0, 0 } }, { 2, 2 }, .count_padding = true },
    .image = { 5, 5 },
};

const tr_op tri_op_max_pool2d = {
    .name = "max_pool2d", .arguments = { "x" }, TR_OP_PLACE,
    .formula = "y = the largest x of each window",
    .gradient = "gx = max_unpool2d(g, index of the first largest)",
    .shape = pool_shape, .forward = max_pool2d_forward, .vjp = max_pool2d_vjp,
    .fast_vjp = max_pool2d_fast_vjp,
    .examples = (const tr_example[]){ { "d[2,4,6,3]", &halves, sizeof halves },
                                      { "d[2,5,4,2]", &overlapping, sizeof overlapping },
                                      { "d[1,5,4,2]", &overhanging, sizeof overhanging },
                                      { "d[1,5,5,2]", &dilated, sizeof dilated },
                                      { "d[1,2,2,1]", &halves, sizeof halves },
                                      { "d[0,4,4,2]", &halves, sizeof halves },
                                      { "d[1,4,4,0]", &halves, sizeof halves },
                                      { 0 } },
};

/* index[n,i,j,c] = position h W + w of max_pool2d's pick */
static bool max_pool2d_index_shape(tr_call *c)
{
    c->out_dtype = TR_I64;
    return pool_shape(c);
}

static tr_status max_pool2d_index_forward(tr_call *c)
{
    const pool_attributes *a = c->attributes;
    tr_tensor             *largest = tri_new(c->in[0]->dtype, c->out_shape);
    return largest != NULL ? tri_max_pool2d(largest, c->out, c->in[0], &a->pool) : tr_status_get();
}

const tr_op tri_op_max_pool2d_index = {
    .name = "max_pool2d_index", .arguments = { "x" }, .flags = TR_OP_NO_GRADIENT, TR_OP_PLACE,
    .formula = "y = h W + w, the position of the first largest x of each window",
    .gradient = "none",
    .shape = max_pool2d_index_shape, .forward = max_pool2d_index_forward,
    .examples = (const tr_example[]){ { "d[2,4,6,3]", &halves, sizeof halves },
                                      { "d[1,5,4,2]", &overlapping, sizeof overlapping },
                                      { 0 } },
};

/* --- Average pooling -------------------------------------------------------------------------- */

static tr_tensor *average(tr_tensor *x, const pool_attributes *a)
{
    return tr_apply(&tri_op_avg_pool2d, &x, 1, a, sizeof *a);
}

static tr_tensor *average_dx(tr_tensor *g, const pool_attributes *a, int64_t height, int64_t width)
{
    const pool_attributes adjoint = { a->pool, a->ceil, { height, width } };
    return tr_apply(&tri_op_avg_pool2d_dx, &g, 1, &adjoint, sizeof adjoint);
}

/* y[n,i,j,c] = sum over the window of x[n, i st + r di - p, j st + s di - p, c] / cells that count
 * gx = avg_pool2d_dx(g) */
static tr_status avg_pool2d_forward(tr_call *c)
{
    const pool_attributes *a = c->attributes;
    return tri_avg_pool2d(c->out, c->in[0], &a->pool);
}

static void avg_pool2d_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = average_dx(g, c->attributes, tr_dim(c->in[0], 1), tr_dim(c->in[0], 2));
}

const tr_op tri_op_avg_pool2d = {
    .name = "avg_pool2d", .arguments = { "x" }, TR_OP_PLACE,
    .formula = "y = the mean x of each window", .gradient = "gx = avg_pool2d_dx(g)",
    .shape = pool_shape, .forward = avg_pool2d_forward, .vjp = avg_pool2d_vjp,
    .examples = (const tr_example[]){ { "x[2,4,6,3]", &halves, sizeof halves },
                                      { "x[2,5,4,2]", &overlapping, sizeof overlapping },
                                      { "x[1,5,4,2]", &overhanging, sizeof overhanging },
                                      { "x[1,5,5,1]", &dilated, sizeof dilated },
                                      { "x[1,2,2,1]", &halves, sizeof halves },
                                      { "x[0,4,4,2]", &halves, sizeof halves },
                                      { 0 } },
};

/* dx = d <avg_pool2d(x), g> / dx: each g shared out over its window      gg = avg_pool2d(u) */
static bool avg_pool2d_dx_shape(tr_call *c)
{
    tr_shape y;
    if (!check_picture(c)) return false;
    set_image(c);
    if (!pooled_shape(c, c->out_shape, &y)) return false;
    return tri_shape_equal(y, tr_shape_of(c->in[0])) ||
           tri_bad_shape(c, "the windows of such a picture are not as many as g has", NULL);
}

static tr_status avg_pool2d_dx_forward(tr_call *c)
{
    const pool_attributes *a = c->attributes;
    return tri_avg_pool2d_dx(c->out, c->in[0], &a->pool);
}

static void avg_pool2d_dx_vjp(tr_call *c, tr_tensor *u, tr_tensor **gin)
{
    gin[0] = average(u, c->attributes);
}

const tr_op tri_op_avg_pool2d_dx = {
    .name = "avg_pool2d_dx", .arguments = { "g" }, TR_OP_PLACE,
    .formula = "dx = d <avg_pool2d(x), g> / dx", .gradient = "gg = avg_pool2d(u)",
    .shape = avg_pool2d_dx_shape, .forward = avg_pool2d_dx_forward, .vjp = avg_pool2d_dx_vjp,
    .examples = (const tr_example[]){ { "x[2,2,3,3]", &halves, sizeof halves },
                                      { "x[2,3,4,2]", &overlapping, sizeof overlapping },
                                      { "x[1,3,3,2]", &overhanging, sizeof overhanging },
                                      { "x[1,3,3,1]", &dilated, sizeof dilated },
                                      { "x[0,2,3,2]", &halves, sizeof halves },
                                      { 0 } },
};

/* --- Public functions ------------------------------------------------------------------------- */

/* The numbers that options stand for, on pictures like x. */
static bool resolve(const char *op, const tr_tensor *x, const tr_pool_options *o,
                    pool_attributes *a)
{
    if (tri_failed()) return false;
    if (o == NULL) {
        tr_fail(TR_ERR_VALUE, "%s: options are needed: they give the window", op);
        return false;
    }
    tri_pool *p = &a->pool;
    *a = (pool_attributes){ .ceil = o->ceil };
    p->count_padding = !o->skip_padding && o->padding != TR_PAD_SAME;
    memcpy(p->window, o->window, sizeof p->window);
    memcpy(p->stride, o->stride, sizeof p->stride);
    memcpy(p->pad, o->pad, sizeof p->pad);
    memcpy(p->dilation, o->dilation, sizeof p->dilation);
    for (int axis = 0; axis < 2; axis++) {
        if (!tri_check_extent(op, "window", p->window[axis], 1)) return false;
        if (p->stride[axis] == 0) p->stride[axis] = p->window[axis];
    }
    if (!tri_window_options(op, p->stride, o->pad, p->dilation, o->padding)) return false;
    for (int axis = 0; axis < 2 && o->padding == TR_PAD_SAME; axis++)
        tri_same_padding(tr_dim(x, 1 + axis), p->window[axis], p->stride[axis], p->dilation[axis],
                         p->pad[axis]);
    return true;
}

tr_tensor *tr_max_pool2d(tr_tensor *x, const tr_pool_options *options)
{
    pool_attributes a;
    if (!resolve("max_pool2d", x, options, &a)) return NULL;
    return tr_apply(&tri_op_max_pool2d, &x, 1, &a, sizeof a);
}

tr_tensor *tr_max_pool2d_index(tr_tensor *x, const tr_pool_options *options)
{
    pool_attributes a;
    if (!resolve("max_pool2d_index", x, options, &a)) return NULL;
    return tr_apply(&tri_op_max_pool2d_index, &x, 1, &a, sizeof a);
}

tr_tensor *tr_avg_pool2d(tr_tensor *x, const tr_pool_options *options)
{
    pool_attributes a;
    return resolve("avg_pool2d", x, options, &a) ? average(x, &a) : NULL;
}

static bool is_picture(const char *op, const tr_tensor *x)
{
    if (tri_failed() || !tri_check_alive(x, op)) return false;
    if (x->rank == 4 && x->shape[1] > 0 && x->shape[2] > 0) return true;
    char text[240];
    tr_fail(TR_ERR_SHAPE, "%s: pictures [N, H, W, C] with pixels are needed: x is %s", op,
            tr_describe(x, text, sizeof text));
    return false;
}

tr_tensor *tr_global_avg_pool2d(tr_tensor *x)
{
    return is_picture("global_avg_pool2d", x) ? tr_mean(x, TR_AXES(1, 2), false) : NULL;
}

tr_tensor *tr_global_max_pool2d(tr_tensor *x)
{
    if (!is_picture("global_max_pool2d", x)) return NULL;
    const tr_pool_options whole = { .window = { x->shape[1], x->shape[2] } };
    return tr_reshape(tr_max_pool2d(x, &whole), TR_SHAPE(x->shape[0], x->shape[3]));
}

/* [to, from]: row i averages over from i / to .. from (i + 1) / to, rounded outwards. */
static tr_tensor *averaging_matrix(tr_dtype dtype, int64_t to, int64_t from)
{
    tr_tensor *m = tr_zeros(dtype, TR_SHAPE(to, from));
    for (int64_t i = 0; i < to && m != NULL; i++) {
        const int64_t begin = i * from / to, end = ((i + 1) * from + to - 1) / to;
        const double  weight = 1.0 / (double)(end - begin);
        for (int64_t k = begin; k < end; k++) {
            if (dtype == TR_F32)
                ((float *)m->data)[i * from + k] = (float)weight;
            else
                ((double *)m->data)[i * from + k] = weight;
        }
    }
    return m;
}

/* Rows, then columns: the averages are products with two matrices, [OH, H] and [OW, W]. */
tr_tensor *tr_adaptive_avg_pool2d(tr_tensor *x, int64_t height, int64_t width)
{
    const char *op = "adaptive_avg_pool2d";
    if (!is_picture(op, x) || !tri_check_extent(op, "height", height, 1) ||
        !tri_check_extent(op, "width", width, 1))
        return NULL;
    const int64_t n = x->shape[0], h = x->shape[1], w = x->shape[2], channels = x->shape[3];
    tr_tensor    *rows = tr_reshape(x, TR_SHAPE(n, h, w * channels));
    rows = tr_matmul(averaging_matrix(x->dtype, height, h), rows); /* [N, OH, W C] */
    tr_tensor *columns = tr_reshape(rows, TR_SHAPE(n * height, w, channels));
    columns = tr_matmul(averaging_matrix(x->dtype, width, w), columns); /* [N OH, OW, C] */
    return tr_reshape(columns, TR_SHAPE(n, height, width, channels));
}
