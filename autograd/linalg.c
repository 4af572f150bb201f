/* linalg.c: factorisations of square matrices, and products that are told by index letters.
 *
 * A matrix is the last two axes [n, n]; leading axes are a stack. The gradients are products with
 * inverses, never formed where a triangular system does (Giles 2008, "Collected matrix derivative
 * results for forward and reverse mode algorithmic differentiation"; Murray 2016, "Differentiation
 * of the Cholesky decomposition"). The numbers are computed in tensor/linalg.c, in f64. */
#include "autograd/registry.h"

#include <string.h>

static bool check_square(const tr_call *c)
{
    const tr_tensor *a = c->in[0];
    return (a->rank >= 2 && tr_dim(a, -1) == tr_dim(a, -2)) ||
           tri_bad_shape(c, "a square matrix is needed", NULL);
}

/* The result has a's shape. */
static bool square_shape(tr_call *c)
{
    return check_square(c);
}

/* Turns the driver's complaint about one matrix of the stack into an error. */
static tr_status check_factored(const tr_call *c, int64_t bad, const char *what)
{
    if (tri_failed() || bad < 0) return tr_status_get();
    char problem[120];
    if (c->in[0]->rank > 2)
        snprintf(problem, sizeof problem, "matrix %lld of the stack is %s", (long long)bad, what);
    else
        snprintf(problem, sizeof problem, "the matrix is %s", what);
    return tr_fail_call(c, TR_ERR_VALUE, problem, NULL);
}

static tr_tensor *transposed(tr_tensor *a)
{
    return tr_transpose(a, -1, -2);
}

/* [n, n]: 1 on one side of the diagonal, `diagonal` on it, 0 on the other side. A constant. */
static tr_tensor *triangle(tr_dtype dtype, int64_t n, bool upper, double diagonal)
{
    tr_tensor *mask = tr_zeros(dtype, TR_SHAPE(n, n));
    for (int64_t i = 0; i < n && mask != NULL; i++) {
        for (int64_t j = upper ? i : 0; j < (upper ? n : i + 1); j++) {
            const double value = i == j ? diagonal : 1;
            if (dtype == TR_F32)
                ((float *)mask->data)[i * n + j] = (float)value;
            else
                ((double *)mask->data)[i * n + j] = value;
        }
    }
    return mask;
}

/* --- Triangular systems ----------------------------------------------------------------------- */

typedef struct triangular_attributes {
    bool upper;
} triangular_attributes;

/* y = a^-1 b, from one triangle of a [..., n, n], b [..., n, m]
 * gb = a^-T g, ga = -gb y^T on that triangle */
static bool solve_triangular_shape(tr_call *c)
{
    const tr_tensor *a = c->in[0], *b = c->in[1];
    if (!check_square(c)) return false;
    bool fits = a->rank == b->rank;
    for (int i = 0; fits && i < a->rank - 1; i++) fits = a->shape[i] == b->shape[i];
    if (!fits) return tri_bad_shape(c, "b needs a's rows and leading axes", "b is [..., n, m]");
    c->out_shape = tr_shape_of(b);
    return true;
}

static tr_status solve_triangular_forward(tr_call *c)
{
    const triangular_attributes *a = c->attributes;
    return tri_solve_triangular(c->out, c->in[0], c->in[1], a->upper);
}

static void solve_triangular_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    const bool upper = ((const triangular_attributes *)c->attributes)->upper;
    tr_tensor *gb = tr_solve_triangular(transposed(c->in[0]), g, !upper);
    gin[1] = gb;
    if (!tr_wants(c, 0)) return;
    tr_tensor *ga = tr_neg(tr_matmul(gb, transposed(c->out)));
    gin[0] = tr_mul(ga, triangle(g->dtype, tr_dim(c->in[0], -1), upper, 1));
}

static const triangular_attributes lower_triangle = { false }, upper_triangle = { true };

const tr_op tri_op_solve_triangular = {
    .name = "solve_triangular", .arguments = { "a", "b" }, TR_OP_PLACE,
    .formula = "y = a^-1 b, from one triangle of a",
    .gradient = "gb = a^-T g, ga = -triangle(gb y^T)",
    .shape = solve_triangular_shape, .forward = solve_triangular_forward,
    .vjp = solve_triangular_vjp,
    .examples = (const tr_example[]){
        { "w[3,3] x[3,2]", &lower_triangle, sizeof lower_triangle },
        { "w[3,3] x[3,2]", &upper_triangle, sizeof upper_triangle },
        { "w[2,4,4] x[2,4,1]", &lower_triangle, sizeof lower_triangle },
        { "w[1,1] x[1,1]", &upper_triangle, sizeof upper_triangle },
        { "w[3,3] w[3,3]", &lower_triangle, sizeof lower_triangle },
        { "w[0,2,2] x[0,2,3]", &upper_triangle, sizeof upper_triangle },
        { 0 } },
};

tr_tensor *tr_solve_triangular(tr_tensor *a, tr_tensor *b, bool upper)
{
    const triangular_attributes t = { upper };
    return tr_apply(&tri_op_solve_triangular, (tr_tensor *[]){ a, b }, 2, &t, sizeof t);
}

/* --- Cholesky --------------------------------------------------------------------------------- */

/* l l^T = (a + a^T) / 2, l lower triangular. From dl = l phi(l^-1 da l^-T), where phi takes the
 * lower triangle and halves the diagonal:
 *   s = l^-T phi(l^T g) l^-1, ga = (s + s^T) / 2 */
static tr_status cholesky_forward(tr_call *c)
{
    int64_t bad;
    tri_cholesky(c->out, c->in[0], &bad);
    return check_factored(c, bad, "not positive definite");
}

static void cholesky_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    tr_tensor *lt = transposed(c->out);
    tr_tensor *phi = tr_mul(tr_matmul(lt, g), triangle(g->dtype, tr_dim(g, -1), false, 0.5));
    tr_tensor *left = tr_solve_triangular(lt, phi, true);              /* l^-T phi */
    tr_tensor *s = tr_solve_triangular(lt, transposed(left), true);    /* (l^-T phi l^-1)^T */
    gin[0] = tr_scale(tr_add(s, transposed(s)), 0.5);
}

const tr_op tri_op_cholesky = {
    .name = "cholesky", .arguments = { "a" }, TR_OP_PLACE,
    .formula = "y y^T = (a + a^T) / 2, y lower triangular",
    .gradient = "s = y^-T phi(y^T g) y^-1, ga = (s + s^T) / 2, "
                "phi: lower triangle, diagonal halved",
    .shape = square_shape, .forward = cholesky_forward, .vjp = cholesky_vjp,
    .examples = (const tr_example[]){ { .inputs = "s[3,3]" },
                                      { .inputs = "s[2,4,4]" },
                                      { .inputs = "s[1,1]" },
                                      { .inputs = "s[6,6]" },
                                      { .inputs = "s[0,2,2]" },
                                      { 0 } },
};

tr_tensor *tr_cholesky(tr_tensor *a)
{
    return tr_apply(&tri_op_cholesky, &a, 1, NULL, 0);
}

/* --- Inverse and log-determinant -------------------------------------------------------------- */

/* y = a^-1      ga = -y^T g y^T */
static tr_status inverse_forward(tr_call *c)
{
    int64_t bad;
    tri_inverse(c->out, c->in[0], &bad);
    return check_factored(c, bad, "singular");
}

static void inverse_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    tr_tensor *yt = transposed(c->out);
    gin[0] = tr_neg(tr_matmul(yt, tr_matmul(g, yt)));
}

const tr_op tri_op_inverse = {
    .name = "inverse", .arguments = { "a" }, TR_OP_PLACE,
    .formula = "y = a^-1", .gradient = "ga = -y^T g y^T",
    .shape = square_shape, .forward = inverse_forward, .vjp = inverse_vjp,
    .examples = (const tr_example[]){ { .inputs = "w[3,3]" },
                                      { .inputs = "w[2,4,4]" },
                                      { .inputs = "w[1,1]" },
                                      { .inputs = "w[2,2,2,2]" },
                                      { .inputs = "w[0,2,2]" },
                                      { 0 } },
};

tr_tensor *tr_inverse(tr_tensor *a)
{
    return tr_apply(&tri_op_inverse, &a, 1, NULL, 0);
}

/* y = ln |det a|      ga = g a^-T */
static bool logdet_shape(tr_call *c)
{
    if (!check_square(c)) return false;
    c->out_shape.rank -= 2;
    return true;
}

static tr_status logdet_forward(tr_call *c)
{
    return tri_log_determinant(c->out, c->in[0]);
}

static void logdet_vjp(tr_call *c, tr_tensor *g, tr_tensor **gin)
{
    tr_shape matrices = tr_shape_of(g);
    matrices.dim[matrices.rank++] = 1;
    matrices.dim[matrices.rank++] = 1;
    gin[0] = tr_mul(tr_reshape(g, matrices), transposed(tr_inverse(c->in[0])));
}

const tr_op tri_op_logdet = {
    .name = "logdet", .arguments = { "a" }, TR_OP_PLACE,
    .formula = "y = ln |det a|", .gradient = "ga = g a^-T",
    .shape = logdet_shape, .forward = logdet_forward, .vjp = logdet_vjp,
    .examples = (const tr_example[]){ { .inputs = "w[3,3]" },
                                      { .inputs = "w[2,4,4]" },
                                      { .inputs = "w[1,1]" },
                                      { .inputs = "s[5,5]" },
                                      { .inputs = "w[0,2,2]" },
                                      { 0 } },
};

tr_tensor *tr_logdet(tr_tensor *a)
{
    return tr_apply(&tri_op_logdet, &a, 1, NULL, 0);
}

/* --- Eigenvalues: no gradient ----------------------------------------------------------------- */

tr_status tr_eigh(const tr_tensor *a, tr_tensor **values, tr_tensor **vectors)
{
    if (!tri_given(values, "eigh: the place for values") ||
        !tri_given(vectors, "eigh: the place for vectors") || !tri_check_alive(a, "eigh"))
        return tr_status_get();
    static const tr_op op = { .name = "eigh", .arguments = { "a" } };
    *values = *vectors = NULL;
    if (tri_failed() || !tri_check_alive(a, op.name)) return tr_status_get();
    tr_tensor    *in = (tr_tensor *)(uintptr_t)a; /* only described */
    const tr_call c = { .op = &op, .input_count = 1, .in = &in };
    if (a->dtype != TR_F32 && a->dtype != TR_F64)
        return tr_fail_call(&c, TR_ERR_DTYPE, "f32 or f64 is needed", "convert with tr_cast");
    if (!check_square(&c)) return tr_status_get();
    tr_shape shape = tr_shape_of(a);
    int64_t  bad = -1;
    shape.rank--;
    *values = tri_new(a->dtype, shape);
    *vectors = tri_new(a->dtype, tr_shape_of(a));
    if (*values != NULL && *vectors != NULL) tri_eigh(*values, *vectors, a, &bad);
    if (check_factored(&c, bad, "not finite") != TR_OK) *values = *vectors = NULL;
    return tr_status_get();
}

/* --- Products --------------------------------------------------------------------------------- */

tr_tensor *tr_outer(tr_tensor *a, tr_tensor *b)
{
    TRI_FUNCTION("outer", a, b);
    static const tr_op op = { .name = "outer", .arguments = { "a", "b" } };
    if (tri_failed() || !tri_check_alive(a, op.name) || !tri_check_alive(b, op.name)) return NULL;
    if (a->rank != 1 || b->rank != 1) {
        tri_bad_shape(&(tr_call){ .op = &op, .input_count = 2, .in = (tr_tensor *[]){ a, b } },
                      "two vectors are needed", NULL);
        return NULL;
    }
    return tr_mul(tr_reshape(a, TR_SHAPE(a->shape[0], 1)), b);
}

/* As a linear map of the products of all pairs: x1 x2^T, flattened, times w [I J, K]. */
tr_tensor *tr_bilinear(tr_tensor *x1, tr_tensor *x2, tr_tensor *w, tr_tensor *bias)
{
    TRI_FUNCTION("bilinear", x1, x2, w, bias);
    static const tr_op op = { .name = "bilinear", .arguments = { "x1", "x2", "w", "bias" } };
    if (tri_failed() || !tri_check_alive(x1, op.name) || !tri_check_alive(x2, op.name) ||
        !tri_check_alive(w, op.name))
        return NULL;
    bool fits = x1->rank >= 1 && x1->rank == x2->rank && w->rank == 3;
    for (int i = 0; fits && i < x1->rank - 1; i++) fits = x1->shape[i] == x2->shape[i];
    if (!fits || tr_dim(x1, -1) != w->shape[0] || tr_dim(x2, -1) != w->shape[1]) {
        tri_bad_shape(&(tr_call){ .op = &op, .input_count = 3, .in = (tr_tensor *[]){ x1, x2, w } },
                      "shapes do not fit", "x1 is [..., I], x2 [..., J], w [I, J, K]");
        return NULL;
    }
    const int64_t inner[2] = { w->shape[0], w->shape[1] };
    tr_shape      column = tr_shape_of(x1), row = tr_shape_of(x2), flat = column;
    column.dim[column.rank++] = 1;
    row.dim[row.rank] = row.dim[row.rank - 1];
    row.dim[row.rank++ - 1] = 1;
    flat.dim[flat.rank - 1] = inner[0] * inner[1];
    tr_tensor *pairs = tr_reshape(tr_mul(tr_reshape(x1, column), tr_reshape(x2, row)), flat);
    return tr_affine_map(pairs, tr_reshape(w, TR_SHAPE(inner[0] * inner[1], w->shape[2])), bias,
                         TR_IDENTITY);
}
