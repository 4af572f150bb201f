/* test_ops_linalg.c: dense algebra and einsum: against PyTorch (golden/linalg.txt), what the
 * factorisations promise on random and on awkward matrices, derivatives of order 3, error messages.
 */
#include "autograd/tape.h"
#include "tests/golden.h"
#include "tests/suite.h"

/* --- PyTorch ---------------------------------------------------------------------------------- */

/* x + 2 I and x x^T + I: what the generator of the golden data feeds to its functions. */
static tr_tensor *conditioned(tr_tensor *x)
{
    return tr_add(x, tr_scale(tr_eye(x->dtype, tr_dim(x, -1)), 2));
}

static tr_tensor *definite(tr_tensor *x)
{
    return tr_add(tr_matmul(x, tr_transpose(x, -1, -2)), tr_eye(x->dtype, tr_dim(x, -1)));
}

static tr_tensor *run_cholesky(const golden_case *g, tr_tensor **in)
{
    (void)g;
    return tr_cholesky(definite(in[0]));
}

static tr_tensor *run_inverse(const golden_case *g, tr_tensor **in)
{
    (void)g;
    return tr_inverse(conditioned(in[0]));
}

static tr_tensor *run_logdet(const golden_case *g, tr_tensor **in)
{
    (void)g;
    return tr_logdet(tr_scale(conditioned(in[0]), 1.5));
}

static tr_tensor *run_solve_triangular(const golden_case *g, tr_tensor **in)
{
    return tr_solve_triangular(conditioned(in[0]), in[1], g->number[0] != 0);
}

static tr_tensor *run_eigenvalues(const golden_case *g, tr_tensor **in)
{
    tr_tensor *values, *vectors;
    (void)g;
    return tr_eigh(definite(in[0]), &values, &vectors) == TR_OK ? values : NULL;
}

static tr_tensor *run_outer(const golden_case *g, tr_tensor **in)
{
    (void)g;
    return tr_outer(in[0], in[1]);
}

static tr_tensor *run_bilinear(const golden_case *g, tr_tensor **in)
{
    (void)g;
    return tr_bilinear(in[0], in[1], in[2], in[3]);
}

static tr_tensor *run_einsum(const golden_case *g, tr_tensor **in)
{
    return tr_einsum(g->text, in[0], in[1]);
}

START_TEST(equal_to_pytorch)
{
    static const golden_op ops[] = {
        { "cholesky", run_cholesky },       { "inverse", run_inverse },
        { "logdet", run_logdet },           { "solve_triangular", run_solve_triangular },
        { "eigenvalues", run_eigenvalues }, { "outer", run_outer },
        { "bilinear", run_bilinear },       { "einsum", run_einsum },
    };
    ck_assert_int_gt(golden_replay("linalg.txt", ops, sizeof ops / sizeof ops[0]), 240);
}
END_TEST

/* --- What the factorisations promise ---------------------------------------------------------- */

static double largest_difference(tr_tensor *a, tr_tensor *b)
{
    double           largest = 0;
    const tr_tensor *x = tri_contiguous(a), *y = tri_contiguous(b);
    ck_assert(tr_same_shape(x, y));
    for (int64_t i = 0; i < tr_numel(x); i++) {
        const double difference = fabs(get(x, i) - get(y, i));
        if (!(difference <= largest)) largest = difference; /* NaN too */
    }
    return largest;
}

/* vectors diag(values) vectors^T = a, vectors orthogonal, values ascending, signs as promised. */
static void expect_eigenvectors(tr_tensor *a, double scale)
{
    tr_tensor    *values, *vectors;
    const int64_t n = tr_dim(a, -1);
    const tr_scope *scope = tri_this_thread()->scope;
    ck_assert_msg(tr_eigh(a, &values, &vectors) == TR_OK, "%s", tr_error());
    ck_assert_ptr_eq(tri_this_thread()->scope, scope); /* its own is closed */
    tr_tensor   *vt = tr_transpose(vectors, 0, 1);
    const double limit = 1e-14 * (double)(n + 1);
    ck_assert_double_le(largest_difference(tr_matmul(tr_mul(vectors, values), vt), a),
                        limit * scale);
    ck_assert_double_le(largest_difference(tr_matmul(vt, vectors), tr_eye(TR_F64, n)), limit);
    for (int64_t i = 0; i < n; i++) {
        double largest = 0;
        for (int64_t k = 0; k < n; k++)
            if (fabs(get(vectors, k * n + i)) > fabs(largest)) largest = get(vectors, k * n + i);
        ck_assert_double_gt(largest, 0);
        if (i > 0) ck_assert_double_le(get(values, i - 1), get(values, i));
    }
}

START_TEST(eigenvectors_rebuild_the_matrix)
{
    static const int64_t sizes[] = { 1, 2, 3, 4, 7, 20, 61 };
    tr_rng               rng = tr_rng_seed(5);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        tr_scope     *scope = tr_scope_push();
        const int64_t n = sizes[i];
        tr_tensor    *x = tr_normal(TR_F64, TR_SHAPE(n, n), &rng),
                  *symmetric = tr_add(x, tr_transpose(x, 0, 1));
        tr_tensor *thin = tr_normal(TR_F64, TR_SHAPE(n, 1), &rng);
        expect_eigenvectors(symmetric, 4 * (double)n);
        expect_eigenvectors(tr_matmul(thin, tr_transpose(thin, 0, 1)), (double)n); /* n - 1 zeros */
        expect_eigenvectors(tr_zeros(TR_F64, TR_SHAPE(n, n)), 1);
        expect_eigenvectors(tr_eye(TR_F64, n), 1);
        expect_eigenvectors(tr_ones(TR_F64, TR_SHAPE(n, n)), (double)n);
        expect_eigenvectors(tr_scale(symmetric, 1e-200), 4e-200 * (double)n);
        expect_eigenvectors(tr_scale(symmetric, 1e200), 4e200 * (double)n);
        tr_scope_pop(scope);
    }
}
END_TEST

START_TEST(factors_multiply_back)
{
    tr_rng rng = tr_rng_seed(6);
    for (int64_t n = 0; n <= 40; n += n < 5 ? 1 : 7) {
        tr_scope  *scope = tr_scope_push();
        tr_tensor *x = tr_normal(TR_F64, TR_SHAPE(2, n, n), &rng), *a = definite(x),
                  *l = tr_cholesky(a);
        tr_tensor *one = tr_expand(tr_eye(TR_F64, n), TR_SHAPE(2, n, n));
        ck_assert_msg(l != NULL, "%s", tr_error());
        ck_assert_double_le(largest_difference(tr_matmul(l, tr_transpose(l, 1, 2)), a), 1e-12);
        ck_assert_double_le(largest_difference(tr_matmul(tr_inverse(x), x), one), 1e-9);
        tr_tensor *y = tr_solve_triangular(l, x, false);
        ck_assert_double_le(largest_difference(tr_matmul(l, y), x), 1e-12);
        y = tr_solve_triangular(tr_transpose(l, 1, 2), x, true);
        ck_assert_double_le(largest_difference(tr_matmul(tr_transpose(l, 1, 2), y), x), 1e-12);
        tr_scope_pop(scope);
    }
}
END_TEST

START_TEST(determinants_that_have_no_logarithm)
{
    tr_scope    *scope = tr_scope_push();
    const double singular[] = { 1, 2, 2, 4 }, negative[] = { 0, 2, 3, 0 };
    ck_assert(isinf(tr_item(tr_logdet(tr_from(TR_F64, TR_SHAPE(2, 2), singular)))));
    ck_assert_double_eq_tol(tr_item(tr_logdet(tr_from(TR_F64, TR_SHAPE(2, 2), negative))), log(6.0),
                            1e-15);
    ck_assert(isnan(tr_item(tr_logdet(tr_full(TR_F64, TR_SHAPE(2, 2), (double)NAN)))));
    ck_assert_double_eq(tr_item(tr_logdet(tr_zeros(TR_F64, TR_SHAPE(0, 0)))), 0);
    tr_scope_pop(scope);
}
END_TEST

/* A vector on the left is a row, one on the right a column, and its axis is not in the result. */
START_TEST(products_with_vectors)
{
    tr_scope    *scope = tr_scope_push();
    const double stack[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 }, three[] = { 1, 10, 100 },
                 two[] = { 1, 10 };
    tr_tensor *a = tr_from(TR_F64, TR_SHAPE(2, 3), stack), *v = tr_from(TR_F64, TR_SHAPE(3), three);
    tr_tensor *u = tr_from(TR_F64, TR_SHAPE(2), two);
    tr_tensor *s = tr_from(TR_F64, TR_SHAPE(2, 2, 3), stack);
    expect_equal(tr_matmul(a, v), tr_from(TR_F64, TR_SHAPE(2), (double[]){ 321, 654 }), "a v", 0);
    expect_equal(tr_matmul(u, a), tr_from(TR_F64, TR_SHAPE(3), (double[]){ 41, 52, 63 }), "u a", 0);
    expect_equal(tr_matmul(v, v), tr_scalar(TR_F64, 10101), "v v", 0);
    expect_equal(tr_matmul(s, v),
                 tr_from(TR_F64, TR_SHAPE(2, 2), (double[]){ 321, 654, 987, 1320 }), "s v", 0);
    expect_equal(tr_matmul(u, s),
                 tr_from(TR_F64, TR_SHAPE(2, 3), (double[]){ 41, 52, 63, 107, 118, 129 }), "u s",
                 0);
    tr_tensor *product = tr_matmul(tr_variable(a), tr_reshape(v, TR_SHAPE(3, 1)));
    ck_assert_str_eq(product->node->call.op->name, "matmul"); /* and nothing around it */
    expect_null(tr_matmul(tr_scalar(TR_F64, 2), v),
                "matmul: a scalar is no matrix: a is f64[], b is f64[3]; use tr_mul");
    expect_null(tr_matmul(v, tr_scalar(TR_F64, 2)),
                "matmul: a scalar is no matrix: a is f64[3], b is f64[]; use tr_mul");
    tr_scope_pop(scope);
}
END_TEST

START_TEST(any_number_of_threads)
{
    tr_scope  *scope = tr_scope_push();
    tr_rng     rng = tr_rng_seed(8);
    tr_tensor *x = tr_normal(TR_F32, TR_SHAPE(9, 12, 12), &rng), *first[3];
    for (int threads = 1; threads <= 2; threads++) {
        ck_assert_int_eq(tr_set_threads(threads), TR_OK);
        tr_tensor *y[3] = { tr_cholesky(definite(x)), tr_inverse(x), tr_logdet(x) };
        for (int i = 0; i < 3; i++) {
            ck_assert_ptr_nonnull(y[i]);
            if (threads == 1)
                first[i] = y[i];
            else
                expect_equal(y[i], first[i], "linalg", i);
        }
    }
    tr_scope_pop(scope);
}
END_TEST

START_TEST(third_derivatives)
{
    expect_third_derivatives("cholesky", 0);
    expect_third_derivatives("solve_triangular", 0);
    expect_third_derivatives("inverse", 0);
    expect_third_derivatives("logdet", 0);
}
END_TEST

/* --- Errors ----------------------------------------------------------------------------------- */

START_TEST(factorisation_errors)
{
    tr_scope  *scope = tr_scope_push();
    tr_tensor *wide = tr_zeros(TR_F32, TR_SHAPE(2, 3)), *zero = tr_zeros(TR_F32, TR_SHAPE(2, 2)),
              *v, *w;
    tr_tensor *stack = tr_expand(tr_scale(tr_eye(TR_F32, 2), -1), TR_SHAPE(3, 2, 2));
    expect_null(tr_cholesky(wide), "cholesky: a square matrix is needed: a is f32[2, 3]");
    expect_null(tr_cholesky(zero), "cholesky: the matrix is not positive definite: a is f32[2, 2]");
    expect_null(tr_cholesky(stack),
                "cholesky: matrix 0 of the stack is not positive definite: a is f32[3, 2, 2]");
    expect_null(tr_inverse(zero), "inverse: the matrix is singular: a is f32[2, 2]");
    expect_null(tr_logdet(tr_zeros(TR_F32, TR_SHAPE(3))),
                "logdet: a square matrix is needed: a is f32[3]");
    expect_null(
        tr_solve_triangular(zero, tr_zeros(TR_F32, TR_SHAPE(3, 2)), true),
        "solve_triangular: b needs a's rows and leading axes: a is f32[2, 2], b is f32[3, 2]; b is "
        "[..., n, m]");
    ck_assert_int_eq(tr_eigh(wide, &v, &w), TR_ERR_SHAPE);
    expect_null(v, "eigh: a square matrix is needed: a is f32[2, 3]");
    ck_assert_int_eq(tr_eigh(tr_full(TR_F32, TR_SHAPE(2, 2), (double)NAN), &v, &w), TR_ERR_VALUE);
    expect_null(w, "eigh: the matrix is not finite: a is f32[2, 2]");
    ck_assert_int_eq(tr_eigh(tr_arange(TR_I64, 2), &v, &w), TR_ERR_DTYPE);
    expect_null(v, "eigh: f32 or f64 is needed: a is i64[2]; convert with tr_cast");
    tr_scope_pop(scope);
}
END_TEST

START_TEST(product_errors)
{
    tr_scope  *scope = tr_scope_push();
    tr_tensor *a = tr_zeros(TR_F32, TR_SHAPE(2, 3)), *b = tr_zeros(TR_F32, TR_SHAPE(3, 4));
    expect_null(tr_outer(a, b), "outer: two vectors are needed: a is f32[2, 3], b is f32[3, 4]");
    expect_null(
        tr_bilinear(a, a, b, NULL),
        "bilinear: shapes do not fit: x1 is f32[2, 3], x2 is f32[2, 3], w is f32[3, 4]; x1 is "
        "[..., I], x2 [..., J], w [I, J, K]");
    expect_null(tr_einsum("ij,jk,kl", a, b), "einsum: \"ij,jk,kl\": more operands than tensors");
    expect_null(tr_einsum("ij", a, b), "einsum: \"ij\": fewer operands than tensors");
    expect_null(tr_einsum("ij->i", a, b), "einsum: \"ij->i\": fewer operands than tensors");
    expect_null(
        tr_einsum("i...,jk", a, b),
        "einsum: \"i...,jk\": axes are letters, operands are parted by ',', the result by '->'");
    expect_null(tr_einsum("ii,jk", a, b),
                "einsum: \"ii,jk\": a letter occurs twice in one operand; take the diagonal first");
    expect_null(tr_einsum("ij,jk->im", a, b),
                "einsum: \"ij,jk->im\": a letter of the result is in no operand");
    expect_null(tr_einsum("ijk,jk", a, b),
                "einsum: \"ijk,jk\": operand 1 has 3 letters, its tensor is f32[2, 3]");
    expect_null(tr_einsum("ij,ik", a, b),
                "einsum: \"ij,ik\": 'i' is 2 in operand 1 and 3 in operand 2");
    expect_null(tr_einsum("abcdefghi,j", a, b), "einsum: \"abcdefghi,j\": more than 8 axes");
    tr_scope_pop(scope);
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { equal_to_pytorch },
        { eigenvectors_rebuild_the_matrix },
        { factors_multiply_back },
        { determinants_that_have_no_logarithm },
        { products_with_vectors },
        { any_number_of_threads },
        { third_derivatives },
        { factorisation_errors },
        { product_errors },
        { 0 },
    };
    return run_tests("ops_linalg", NULL, NULL, tests);
}
