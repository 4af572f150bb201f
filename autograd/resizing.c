/* resizing.c: pictures of another size, and pictures as columns of patches. All of it is linear, so
 * each operation comes with its adjoint as an operation, and each is the other's gradient:
 *
 *     upsample_nearest <-> upsample_nearest_dx     upsample_bilinear <-> upsample_bilinear_dx
 *     im2col <-> col2im                            pixel_shuffle: a permutation of axes
 *
 * The numbers are computed in tensor/resize.c and tensor/columns.c. */
#include "autograd/registry.h"
#include "autograd/window.h"

#include <string.h>

/* --- Upsampling ------------------------------------------------------------------------------- */

typedef struct resize_attributes {
    int64_t size[2]; /* H, W of the result */
    bool    align_corners;
} resize_attributes;

/* Both ways: [N, H, W, C] -> [N, size[0], size[1], C]. */
static bool resize_shape(tr_call *c)
{
    const resize_attributes *a = c->attributes;
    const tr_tensor         *x = c->in[0];
    if (x->rank != 4) return tri_bad_shape(c, "four axes are needed", "pictures are [N, H, W, C]");
    if (x->shape[1] == 0 || x->shape[2] == 0)
        return tri_bad_shape(c, "the picture has no pixels", NULL);
    c->out_shape.dim[1] = a->size[0];
    c->out_shape.dim[2] = a->size[1];
    return true;
}

static tr_tensor *resize(const tr_op *op, tr_tensor *x, int64_t height, int64_t width,
                         bool align_corners)
{
    const resize_attributes a = { { height, width }, align_corners };
    if (tri_failed() || !tri_check_extent(op->name, "height", height, 1) ||
        !tri_check_extent(op->name, "width", width, 1))
        return NULL;
    return tr_apply(op, &x, 1, &a, sizeof a);
}

/* The result of `op` on g, of the size of in[0]. */
static tr_tensor *resize_back(const tr_op *op, const tr_call *c, tr_tensor *g)
{
    const resize_attributes *a = c->attributes;
    return resize(op, g, tr_dim(c->in[0], 1), tr_dim(c->in[0], 2), a->align_corners);
}

static const resize_attributes to_6x8 = { { 6, 8 }, false }, to_3x5 = { { 3, 5 }, false },
                               to_1x1 = { { 1, 1 }, false }, to_5x7_aligned = { { 5, 7 }, true },
                               to_1x3_aligned = { { 1, 3 }, true };

static const tr_example resize_examples[] = {
    { "x[2,3,4,2]", &to_6x8, sizeof to_6x8 }, { "x[1,2,3,3]", &to_3x5, sizeof to_3x5 },
    { "x[1,5,7,1]", &to_3x5, sizeof to_3x5 }, { "x[2,1,1,1]", &to_1x1, sizeof to_1x1 },
    { "x[1,1,2,2]", &to_6x8, sizeof to_6x8 }, { "x[0,2,2,1]", &to_3x5, sizeof to_3x5 },
    { 0 },
};
static const tr_example aligned_examples[] = {
    { "x[2,3,4,2]", &to_6x8, sizeof to_6x8 }, { "x[1,5,7,1]", &to_3x5, sizeof to_3x5 },
    { "x[2,1,1,1]", &to_1x1, sizeof to_1x1 }, { "x[0,2,2,1]", &to_3x5, sizeof to_3x5 },
    { "x[1,3,3,2]", &to_5x7_aligned, sizeof to_5x7_aligned },
    { "x[1,2,1,2]", &to_5x7_aligned, sizeof to_5x7_aligned },
    { "x[1,3,4,1]", &to_1x3_aligned, sizeof to_1x3_aligned },
    { 0 },
};

/* y[n,i,j,c] = x[n, floor(i H / OH), floor(j W / OW), c]      gx = upsample_nearest_dx(g) */
static tr_status upsample_nearest_forward(tr_call *c)
{
    return tri_upsample_nearest(c->out, c->in[0]);
}

static void upsample_nearest_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = resize_back(&tri_op_upsample_nearest_dx, c, g);
}

const tr_op tri_op_upsample_nearest = {
    .name = "upsample_nearest", .arguments = { "x" }, TR_OP_PLACE,
    .formula = "y[n,i,j,c] = x[n, floor(i H / OH), floor(j W / OW), c]",
    .gradient = "gx = upsample_nearest_dx(g)",
    .shape = resize_shape, .forward = upsample_nearest_forward, .vjp = upsample_nearest_vjp,
    .examples = resize_examples,
};

/* dx[n,h,w,c] = sum of the g[n,i,j,c] with floor(i H / OH) = h, floor(j W / OW) = w
 * gg = upsample_nearest(u) */
static tr_status upsample_nearest_dx_forward(tr_call *c)
{
    return tri_upsample_nearest_dx(c->out, c->in[0]);
}

static void upsample_nearest_dx_vjp(tr_call *c, tr_tensor *u, tr_tensor **gin)
{
    gin[0] = resize_back(&tri_op_upsample_nearest, c, u);
}

const tr_op tri_op_upsample_nearest_dx = {
    .name = "upsample_nearest_dx", .arguments = { "g" }, TR_OP_PLACE,
    .formula = "dx = d <upsample_nearest(x), g> / dx", .gradient = "gg = upsample_nearest(u)",
    .shape = resize_shape, .forward = upsample_nearest_dx_forward, .vjp = upsample_nearest_dx_vjp,
    .examples = resize_examples,
};

/* y = mean of the four nearest pixels, weighted by distance      gx = upsample_bilinear_dx(g) */
static tr_status upsample_bilinear_forward(tr_call *c)
{
    const resize_attributes *a = c->attributes;
    return tri_upsample_bilinear(c->out, c->in[0], a->align_corners);
}

static void upsample_bilinear_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = resize_back(&tri_op_upsample_bilinear_dx, c, g);
}

const tr_op tri_op_upsample_bilinear = {
    .name = "upsample_bilinear", .arguments = { "x" }, TR_OP_PLACE,
    .formula = "y[n,i,j,c] = (1-a)(1-b) x[n,h,w,c] + (1-a) b x[n,h,w+1,c] "
               "+ a (1-b) x[n,h+1,w,c] + a b x[n,h+1,w+1,c]",
    .gradient = "gx = upsample_bilinear_dx(g)",
    .shape = resize_shape, .forward = upsample_bilinear_forward, .vjp = upsample_bilinear_vjp,
    .examples = aligned_examples,
};

/* dx = each g shared out over those four, weighted alike      gg = upsample_bilinear(u) */
static tr_status upsample_bilinear_dx_forward(tr_call *c)
{
    const resize_attributes *a = c->attributes;
    return tri_upsample_bilinear_dx(c->out, c->in[0], a->align_corners);
}

static void upsample_bilinear_dx_vjp(tr_call *c, tr_tensor *u, tr_tensor **gin)
{
    gin[0] = resize_back(&tri_op_upsample_bilinear, c, u);
}

const tr_op tri_op_upsample_bilinear_dx = {
    .name = "upsample_bilinear_dx", .arguments = { "g" }, TR_OP_PLACE,
    .formula = "dx = d <upsample_bilinear(x), g> / dx", .gradient = "gg = upsample_bilinear(u)",
    .shape = resize_shape, .forward = upsample_bilinear_dx_forward, .vjp = upsample_bilinear_dx_vjp,
    .examples = aligned_examples,
};

tr_tensor *tri_upsample_adjoint(tr_tensor *g, int64_t height, int64_t width)
{
    return resize(&tri_op_upsample_nearest_dx, g, height, width, false);
}

tr_tensor *tr_upsample_nearest(tr_tensor *x, int64_t height, int64_t width)
{
    return resize(&tri_op_upsample_nearest, x, height, width, false);
}

tr_tensor *tr_upsample_bilinear(tr_tensor *x, int64_t height, int64_t width, bool align_corners)
{
    return resize(&tri_op_upsample_bilinear, x, height, width, align_corners);
}

/* --- Pixel shuffle ---------------------------------------------------------------------------- */

/* Checks x and r, which must divide the channels (r times r) or height and width. */
static bool check_shuffle(const char *name, tr_tensor *x, int64_t r, bool channels)
{
    int64_t product;
    if (tri_failed() || !tri_check_alive(x, name) || !tri_check_extent(name, "r", r, 1))
        return false;
    const tr_op   op = { .name = name, .arguments = { "x" } };
    const tr_call c = { .op = &op, .input_count = 1, .in = &x };
    if (x->rank != 4) return tri_bad_shape(&c, "four axes are needed", "pictures are [N, H, W, C]");
    if (channels && x->shape[3] % (r * r) != 0)
        return tri_bad_shape(&c, "r r does not divide the channels", NULL);
    if (!channels && (x->shape[1] % r != 0 || x->shape[2] % r != 0))
        return tri_bad_shape(&c, "r does not divide height and width", NULL);
    const int64_t grown = channels ? x->shape[1] * x->shape[2] : x->shape[3];
    return tri_mul_size(grown, r * r, &product) || tri_bad_shape(&c, "r is too large", NULL);
}

tr_tensor *tr_pixel_shuffle(tr_tensor *x, int64_t r)
{
    if (!check_shuffle("pixel_shuffle", x, r, true)) return NULL;
    const int64_t n = x->shape[0], h = x->shape[1], w = x->shape[2];
    const int64_t channels = x->shape[3] / (r * r);
    tr_tensor    *parts = tr_reshape(x, TR_SHAPE(n, h, w, channels, r, r));
    parts = tr_permute(parts, TR_AXES(0, 1, 4, 2, 5, 3)); /* [N, H, r, W, r, C] */
    return tr_reshape(parts, TR_SHAPE(n, h * r, w * r, channels));
}

tr_tensor *tr_pixel_unshuffle(tr_tensor *x, int64_t r)
{
    if (!check_shuffle("pixel_unshuffle", x, r, false)) return NULL;
    const int64_t n = x->shape[0], h = x->shape[1] / r, w = x->shape[2] / r, channels = x->shape[3];
    tr_tensor    *parts = tr_reshape(x, TR_SHAPE(n, h, r, w, r, channels));
    parts = tr_permute(parts, TR_AXES(0, 1, 3, 5, 2, 4)); /* [N, H/r, W/r, C, r, r] */
    return tr_reshape(parts, TR_SHAPE(n, h, w, channels * r * r));
}

/* --- Patches as columns ----------------------------------------------------------------------- */

typedef struct columns_attributes {
    tri_conv conv; /* complete; groups = 1 */
    int64_t  kernel[2];
    int64_t  image[2]; /* H, W of the result: col2im only */
} columns_attributes;

/* The shape of the patches of pictures of shape x. */
static bool columns_shape(const tr_call *c, tr_shape x, tr_shape *y)
{
    const columns_attributes *a = c->attributes;
    const tri_conv           *conv = &a->conv;
    *y = x;
    for (int axis = 0; axis < 2; axis++) {
        y->dim[1 + axis] = tri_window_count(x.dim[1 + axis], a->kernel[axis], conv->stride[axis],
                                            conv->pad[axis], conv->dilation[axis], false);
        if (y->dim[1 + axis] == 0)
            return tri_bad_shape(c, "the window is larger than the padded picture", NULL);
        if (!tri_mul_size(y->dim[3], a->kernel[axis], &y->dim[3]))
            return tri_bad_shape(c, "patches have too many values", NULL);
    }
    return true;
}

static tr_tensor *columns_apply(const tr_op *op, tr_tensor *x, const columns_attributes *a,
                                const tr_tensor *image)
{
    columns_attributes own = *a;
    if (image != NULL) {
        own.image[0] = tr_dim(image, 1);
        own.image[1] = tr_dim(image, 2);
    }
    return tr_apply(op, &x, 1, &own, sizeof own);
}

static const columns_attributes same_3x3 = { /* [n,4,3,c] <-> [n,4,3,9c] */
    { { 1, 1 }, { { 1, 1 }, { 1, 1 } }, { 1, 1 }, 1 }, { 3, 3 }, { 4, 3 },
};
static const columns_attributes spread_2x3 = { /* [n,6,7,c] <-> [n,3,3,6c] */
    { { 2, 1 }, { { 0, 1 }, { 0, 0 } }, { 1, 2 }, 1 }, { 2, 3 }, { 6, 7 },
};
static const columns_attributes one_cell = { /* [n,1,1,c] <-> [n,1,1,c] */
    { { 1, 1 }, { { 0, 0 }, { 0, 0 } }, { 1, 1 }, 1 }, { 1, 1 }, { 1, 1 },
};

/* y[n,i,j, (r KW + s) C + c] = x[n, i st + r di - p, j st + s di - p, c], 0 outside
 * gx = col2im(g) */
static bool im2col_shape(tr_call *c)
{
    if (c->in[0]->rank != 4)
        return tri_bad_shape(c, "four axes are needed", "pictures are [N, H, W, C]");
    return columns_shape(c, tr_shape_of(c->in[0]), &c->out_shape);
}

static tr_status im2col_forward(tr_call *c)
{
    const columns_attributes *a = c->attributes;
    return tri_im2col(c->out, c->in[0], a->kernel, &a->conv);
}

static void im2col_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    gin[0] = columns_apply(&tri_op_col2im, g, c->attributes, c->in[0]);
}

const tr_op tri_op_im2col = {
    .name = "im2col", .arguments = { "x" }, TR_OP_PLACE,
    .formula = "y[n,i,j, (r KW + s) C + c] = x[n, i st + r di - p, j st + s di - p, c]",
    .gradient = "gx = col2im(g)",
    .shape = im2col_shape, .forward = im2col_forward, .vjp = im2col_vjp,
    .examples = (const tr_example[]){ { "x[2,4,3,2]", &same_3x3, sizeof same_3x3 },
                                      { "x[1,6,7,2]", &spread_2x3, sizeof spread_2x3 },
                                      { "x[1,1,1,1]", &one_cell, sizeof one_cell },
                                      { "x[0,4,3,1]", &same_3x3, sizeof same_3x3 },
                                      { 0 } },
};

/* dx[n,y,x,c] = sum of g over all (i,j,r,s) that im2col takes from there      gg = im2col(u) */
static bool col2im_shape(tr_call *c)
{
    const columns_attributes *a = c->attributes;
    const tr_tensor          *g = c->in[0];
    const int64_t             cells = a->kernel[0] * a->kernel[1];
    tr_shape                  columns;
    if (g->rank != 4 || g->shape[3] % cells != 0)
        return tri_bad_shape(c, "patches of such a window are needed",
                             "they are [N, OH, OW, KH KW C]");
    c->out_shape = TR_SHAPE(g->shape[0], a->image[0], a->image[1], g->shape[3] / cells);
    if (!columns_shape(c, c->out_shape, &columns)) return false;
    return tri_shape_equal(columns, tr_shape_of(g)) ||
           tri_bad_shape(c, "such a picture has another number of patches", NULL);
}

static tr_status col2im_forward(tr_call *c)
{
    const columns_attributes *a = c->attributes;
    return tri_col2im(c->out, c->in[0], a->kernel, &a->conv);
}

static void col2im_vjp(tr_call *c, tr_tensor *u, tr_tensor **gin)
{
    gin[0] = columns_apply(&tri_op_im2col, u, c->attributes, NULL);
}

const tr_op tri_op_col2im = {
    .name = "col2im", .arguments = { "g" }, TR_OP_PLACE,
    .formula = "dx = patches added up where im2col took them from", .gradient = "gg = im2col(u)",
    .shape = col2im_shape, .forward = col2im_forward, .vjp = col2im_vjp,
    .examples = (const tr_example[]){ { "x[2,4,3,18]", &same_3x3, sizeof same_3x3 },
                                      { "x[1,3,3,12]", &spread_2x3, sizeof spread_2x3 },
                                      { "x[1,1,1,1]", &one_cell, sizeof one_cell },
                                      { "x[0,4,3,9]", &same_3x3, sizeof same_3x3 },
                                      { 0 } },
};

static bool columns_resolve(const char *op, const int64_t image[2], int64_t kh, int64_t kw,
                            const tr_conv_options *o, columns_attributes *a)
{
    tri_conv *conv = &a->conv;
    *a = (columns_attributes){ { .groups = 1 }, { kh, kw }, { image[0], image[1] } };
    if (!tri_check_extent(op, "kh", kh, 1) || !tri_check_extent(op, "kw", kw, 1)) return false;
    if (o != NULL) {
        memcpy(conv->stride, o->stride, sizeof conv->stride);
        memcpy(conv->pad, o->pad, sizeof conv->pad);
        memcpy(conv->dilation, o->dilation, sizeof conv->dilation);
    }
    const tr_padding padding = o != NULL ? o->padding : TR_PAD_VALID;
    static const int64_t none[2][2] = { { 0 } };
    const int64_t(*pad)[2] = o != NULL ? o->pad : none;
    if (!tri_window_options(op, conv->stride, pad, conv->dilation, padding)) return false;
    for (int axis = 0; axis < 2 && padding == TR_PAD_SAME; axis++)
        tri_same_padding(image[axis], a->kernel[axis], conv->stride[axis], conv->dilation[axis],
                         conv->pad[axis]);
    return true;
}

tr_tensor *tr_im2col(tr_tensor *x, int64_t kh, int64_t kw, const tr_conv_options *options)
{
    columns_attributes a;
    const int64_t      image[2] = { tr_dim(x, 1), tr_dim(x, 2) };
    if (tri_failed() || !columns_resolve("im2col", image, kh, kw, options, &a)) return NULL;
    return columns_apply(&tri_op_im2col, x, &a, NULL);
}

tr_tensor *tr_col2im(tr_tensor *columns, int64_t height, int64_t width, int64_t kh, int64_t kw,
                     const tr_conv_options *options)
{
    columns_attributes a;
    const int64_t      image[2] = { height, width };
    if (tri_failed() || !tri_check_extent("col2im", "height", height, 1) ||
        !tri_check_extent("col2im", "width", width, 1) ||
        !columns_resolve("col2im", image, kh, kw, options, &a))
        return NULL;
    return columns_apply(&tri_op_col2im, columns, &a, NULL);
}
