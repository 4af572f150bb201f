/* normalize.c: values brought to mean 0 and variance 1, the heart of batch, layer, group and
 * instance normalisation (nn/norm.c). One operation instead of a chain of ten: its rule needs
 * the result and the deviation only, and activations are large. */
#include "autograd/compose.h"
#include "autograd/registry.h"

typedef struct standardize_attributes {
    tr_shape   axes;
    double     epsilon;
    tr_tensor *mean, *variance; /* where forward leaves the statistics, in keepdim form; or NULL */
} standardize_attributes;

/* With mean and var (of n values, not corrected) over the axes and r = 1 / sqrt(var + epsilon):
 * y = (x - mean) r      gx = r (g - mean(g) - y mean(g y))      Ioffe & Szegedy 2015, section 3 */
static tr_shape statistics_shape(const tr_call *c, bool reduced[TR_MAX_RANK])
{
    const standardize_attributes *a = c->attributes;
    tr_shape                      shape = tr_shape_of(c->in[0]);
    tri_axes_flags(a->axes, shape.rank, reduced, "standardize");
    for (int i = 0; i < shape.rank; i++)
        if (reduced[i]) shape.dim[i] = 1;
    return shape;
}

static bool standardize_shape(tr_call *c)
{
    const standardize_attributes *a = c->attributes;
    bool                          reduced[TR_MAX_RANK];
    return tri_axes_flags(a->axes, c->in[0]->rank, reduced, "standardize");
}

/* t, in keepdim form, repeated over x's shape: a view. */
static tr_tensor *repeated(const tr_tensor *t, const tr_tensor *x)
{
    int64_t stride[TR_MAX_RANK];
    for (int i = 0; i < x->rank; i++) stride[i] = t->shape[i] == x->shape[i] ? t->stride[i] : 0;
    return tri_view(t, tr_shape_of(x), stride, 0);
}

/* mean = the mean of t over the reduced axes; false on error. */
static bool average(tr_tensor *mean, const tr_tensor *t, const bool *reduced)
{
    const double count = tr_numel(t) > 0 ? (double)tr_numel(t) : 1;
    const double factor[2] = { (double)tr_numel(mean) / count, 0 };
    return tri_reduce(TRI_R_SUM, mean, t, reduced) == TR_OK &&
           tri_unary(TRI_U_affine, mean, mean, factor) == TR_OK;
}

static tr_status standardize_forward(tr_call *c)
{
    const standardize_attributes *a = c->attributes;
    bool                          reduced[TR_MAX_RANK];
    tr_tensor      *x = c->in[0], *y = c->out;
    const tr_shape  shape = statistics_shape(c, reduced);
    const double    shift[2] = { 1, a->epsilon };
    tr_tensor      *r = tri_new(x->dtype, shape);
    tr_scope       *scope = tr_scope_push();
    tr_tensor      *mean = a->mean != NULL ? a->mean : tri_new(x->dtype, shape);
    tr_tensor      *variance = a->variance != NULL ? a->variance : tri_new(x->dtype, shape);
    tr_tensor      *squares = tri_new(x->dtype, tr_shape_of(x));
    if (r != NULL && mean != NULL && variance != NULL && squares != NULL &&
        average(mean, x, reduced) && tri_binary(TRI_B_sub, y, x, repeated(mean, x)) == TR_OK &&
        tri_unary(TRI_U_square, squares, y, NULL) == TR_OK && average(variance, squares, reduced) &&
        tri_unary(TRI_U_affine, r, variance, shift) == TR_OK &&
        tri_unary(TRI_U_rsqrt, r, r, NULL) == TR_OK)
        tri_binary(TRI_B_mul, y, y, repeated(r, x));
    tr_scope_pop(scope);
    c->saved[0] = r;
    return tr_status_get();
}

static void standardize_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    const standardize_attributes *a = c->attributes;
    tr_tensor *x = c->in[0], *y = c->out;
    if (tr_numel(x) == 0) return;
    tr_tensor *r = tr_rsqrt(tr_add_scalar(tr_var(x, a->axes, 0, true), a->epsilon));
    tr_tensor *along = tr_mul(y, tr_mean(tr_mul(g, y), a->axes, true));
    gin[0] = tr_mul(r, tr_sub(tr_sub(g, tr_mean(g, a->axes, true)), along));
}

static void standardize_fast_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    bool            reduced[TR_MAX_RANK];
    tr_tensor      *y = c->out, *r = c->saved[0];
    const tr_shape  shape = statistics_shape(c, reduced);
    tr_tensor      *mean = tri_new(g->dtype, shape), *slope = tri_new(g->dtype, shape);
    tr_tensor      *gx = tri_new(g->dtype, tr_shape_of(g));
    if (mean == NULL || slope == NULL || gx == NULL || tri_binary(TRI_B_mul, gx, g, y) != TR_OK ||
        !average(slope, gx, reduced) || !average(mean, g, reduced) ||
        tri_binary(TRI_B_mul, gx, y, repeated(slope, y)) != TR_OK ||
        tri_binary(TRI_B_sub, gx, g, gx) != TR_OK ||
        tri_binary(TRI_B_sub, gx, gx, repeated(mean, y)) != TR_OK)
        return;
    if (tri_binary(TRI_B_mul, gx, gx, repeated(r, y)) == TR_OK) gin[0] = gx;
}

const tr_op tri_op_standardize = {
    .name = "standardize", .arguments = { "x" }, TR_OP_PLACE,
    .formula = "y = (x - mean) / sqrt(var + epsilon) over axes",
    .gradient = "gx = (g - mean(g) - y mean(g y)) / sqrt(var + epsilon)",
    .shape = standardize_shape, .forward = standardize_forward, .vjp = standardize_vjp,
    .fast_vjp = standardize_fast_vjp,
    .examples = (const tr_example[]){
        { "x[4,3]", TRI_ATTRIBUTES(standardize_attributes, { 1, { 0 } }, 1e-2, NULL, NULL) },
        { "x[2,5]", TRI_ATTRIBUTES(standardize_attributes, { 1, { -1 } }, 1e-3, NULL, NULL) },
        { "x[2,3,2]", TRI_ATTRIBUTES(standardize_attributes, { 2, { 0, 1 } }, 1e-2, NULL, NULL) },
        { "x[2,3,2,2]", TRI_ATTRIBUTES(standardize_attributes, { 2, { 1, 3 } }, 1, NULL, NULL) },
        { "x[1,1]", TRI_ATTRIBUTES(standardize_attributes, { 1, { 0 } }, 1, NULL, NULL) },
        { "x[0,3]", TRI_ATTRIBUTES(standardize_attributes, { 1, { 0 } }, 1, NULL, NULL) },
        { 0 } },
};

tr_tensor *tr_standardize(tr_tensor *x, tr_shape axes, double epsilon, tr_tensor **mean,
                          tr_tensor **variance)
{
    bool reduced[TR_MAX_RANK];
    if (!tri_usable(x, "standardize") || !tri_axes_flags(axes, x->rank, reduced, "standardize"))
        return NULL;
    const standardize_attributes a = { .axes = axes, .epsilon = epsilon };
    const tr_call                c = { .in = &x, .attributes = &a };
    const tr_shape               shape = statistics_shape(&c, reduced);
    standardize_attributes       with = a;
    if (mean != NULL) *mean = with.mean = tri_new(x->dtype, shape);
    if (variance != NULL) *variance = with.variance = tri_new(x->dtype, shape);
    return tr_apply(&tri_op_standardize, &x, 1, &with, sizeof with);
}
