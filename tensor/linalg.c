/* linalg.c: factorisations of dense matrices, the last two axes of a tensor; the leading axes are a
 * stack, one matrix a piece of work. Everything is computed in f64, whatever the dtype of the
 * tensors: these matrices are covariances and Jacobians, a few hundred rows at most, and accuracy
 * matters more than speed. All inner loops run along rows.
 *
 * Read next: autograd/linalg.c, where the gradients are. */
#include "tensor/compute.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- Stacks of matrices as f64 memory --------------------------------------------------------- */

typedef struct stack {
    double      *a;         /* count of [n, n] */
    double      *x;         /* count of [n, m], or NULL */
    int64_t      count, n, m;
    bool         upper;     /* tri_solve_triangular */
    atomic_llong bad;       /* first matrix that could not be factored; count if none */
} stack;

static int64_t stack_count(const tr_tensor *t)
{
    int64_t count = 1;
    for (int i = 0; i < t->rank - 2; i++) count *= t->shape[i];
    return count;
}

/* A contiguous f64 copy in the innermost scope. */
static tr_tensor *load(const tr_tensor *t)
{
    tr_tensor *copy = tri_new(TR_F64, tr_shape_of(t));
    return copy != NULL && tri_copy(copy, t) == TR_OK ? copy : NULL;
}

/* Matrices that fail are found by several threads; the first in order is reported. */
static void note_bad(stack *s, int64_t index)
{
    long long seen = atomic_load(&s->bad);
    while (index < seen && !atomic_compare_exchange_weak(&s->bad, &seen, index)) {
    }
}

/* Runs `body` on copies of a and of x, matrix by matrix; x may be NULL. Then y is what the body
 * left in the one or the other. */
static tr_status run(stack *s, tr_tensor *y, const tr_tensor *a, const tr_tensor *x,
                     bool result_is_x, void (*body)(void *context, int64_t begin, int64_t end),
                     int64_t *bad)
{
    tr_tensor *matrices = load(a), *right = x != NULL ? load(x) : NULL;
    if (matrices == NULL || (x != NULL && right == NULL)) return tr_status_get();
    assert(a->rank >= 2 && a->shape[a->rank - 1] == a->shape[a->rank - 2]);
    s->a = matrices->data;
    s->x = right != NULL ? right->data : NULL;
    s->count = stack_count(a);
    s->n = a->shape[a->rank - 1];
    s->m = x != NULL ? x->shape[x->rank - 1] : 0;
    atomic_init(&s->bad, s->count);
    tri_parallel_for(s->count, 1, body, s);
    if (bad != NULL) *bad = atomic_load(&s->bad) < s->count ? (int64_t)atomic_load(&s->bad) : -1;
    return tri_copy(y, result_is_x ? right : matrices);
}

/* --- Rows ------------------------------------------------------------------------------------- */

static double dot(int64_t n, const double *x, const double *y)
{
    double sum[4] = { 0, 0, 0, 0 };
    int64_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (int k = 0; k < 4; k++) sum[k] += x[i + k] * y[i + k];
    for (; i < n; i++) sum[0] += x[i] * y[i];
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

static void add_scaled(int64_t n, double *y, double factor, const double *x)
{
    for (int64_t i = 0; i < n; i++) y[i] += factor * x[i];
}

/* --- Triangular systems ----------------------------------------------------------------------- */

/* x [n, m] becomes t^-1 x, t lower triangular; a unit diagonal is not read. */
static void solve_lower(int64_t n, int64_t m, const double *t, double *x, bool unit)
{
    for (int64_t i = 0; i < n; i++) {
        for (int64_t k = 0; k < i; k++) add_scaled(m, x + i * m, -t[i * n + k], x + k * m);
        for (int64_t j = 0; j < m && !unit; j++) x[i * m + j] /= t[i * n + i];
    }
}

static void solve_upper(int64_t n, int64_t m, const double *t, double *x)
{
    for (int64_t i = n - 1; i >= 0; i--) {
        for (int64_t k = i + 1; k < n; k++) add_scaled(m, x + i * m, -t[i * n + k], x + k * m);
        for (int64_t j = 0; j < m; j++) x[i * m + j] /= t[i * n + i];
    }
}

static void solve_body(void *context, int64_t begin, int64_t end)
{
    const stack *s = context;
    for (int64_t k = begin; k < end; k++) {
        const double *t = s->a + k * s->n * s->n;
        double       *x = s->x + k * s->n * s->m;
        if (s->upper)
            solve_upper(s->n, s->m, t, x);
        else
            solve_lower(s->n, s->m, t, x, false);
    }
}

tr_status tri_solve_triangular(tr_tensor *y, const tr_tensor *a, const tr_tensor *b, bool upper)
{
    tr_scope *scope = tr_scope_push();
    stack     s = { .upper = upper };
    run(&s, y, a, b, true, solve_body, NULL);
    tr_scope_pop(scope);
    return tr_status_get();
}

/* --- Cholesky --------------------------------------------------------------------------------- */

/* a = l l^T, l in the place of a, from a's symmetric part; false unless a is positive definite. */
static bool cholesky(int64_t n, double *a)
{
    for (int64_t i = 0; i < n; i++) {
        double *row = a + i * n;
        for (int64_t j = 0; j <= i; j++) {
            const double *other = a + j * n;
            const double  symmetric = 0.5 * (row[j] + a[j * n + i]);
            const double  rest = symmetric - dot(j, row, other);
            if (j < i) {
                row[j] = rest / other[j];
            } else {
                if (!(rest > 0) || rest > DBL_MAX) return false;
                row[i] = sqrt(rest);
            }
        }
    }
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = i + 1; j < n; j++) a[i * n + j] = 0;
    return true;
}

static void cholesky_body(void *context, int64_t begin, int64_t end)
{
    stack *s = context;
    for (int64_t k = begin; k < end; k++)
        if (!cholesky(s->n, s->a + k * s->n * s->n)) note_bad(s, k);
}

tr_status tri_cholesky(tr_tensor *l, const tr_tensor *a, int64_t *bad)
{
    tr_scope *scope = tr_scope_push();
    stack     s = { 0 };
    *bad = -1;
    run(&s, l, a, NULL, false, cholesky_body, bad);
    tr_scope_pop(scope);
    return tr_status_get();
}

/* --- Inverse and log-determinant -------------------------------------------------------------- */

static void swap_rows(int64_t n, double *x, double *y)
{
    for (int64_t i = 0; i < n; i++) {
        const double t = x[i];
        x[i] = y[i];
        y[i] = t;
    }
}

/* a becomes l and u with l u = a, its rows exchanged so that each pivot is the largest of its
 * column; the exchanges are also made in x [n, m] (m may be 0). False where a pivot is 0 or NaN. */
static bool lu(int64_t n, double *a, int64_t m, double *x)
{
    for (int64_t k = 0; k < n; k++) {
        int64_t best = k;
        for (int64_t i = k + 1; i < n; i++)
            if (fabs(a[i * n + k]) > fabs(a[best * n + k])) best = i;
        const double pivot = a[best * n + k];
        if (!(fabs(pivot) > 0) || fabs(pivot) > DBL_MAX) return false;
        if (best != k) {
            swap_rows(n, a + k * n, a + best * n);
            swap_rows(m, x + k * m, x + best * m);
        }
        for (int64_t i = k + 1; i < n; i++) {
            double *row = a + i * n;
            row[k] /= pivot;
            add_scaled(n - k - 1, row + k + 1, -row[k], a + k * n + k + 1);
        }
    }
    return true;
}

static void inverse_body(void *context, int64_t begin, int64_t end)
{
    stack *s = context;
    for (int64_t k = begin; k < end; k++) {
        double *a = s->a + k * s->n * s->n, *x = s->x + k * s->n * s->n;
        for (int64_t i = 0; i < s->n * s->n; i++) x[i] = i % (s->n + 1) == 0 ? 1 : 0;
        if (!lu(s->n, a, s->n, x)) {
            note_bad(s, k);
            continue;
        }
        solve_lower(s->n, s->n, a, x, true);
        solve_upper(s->n, s->n, a, x);
    }
}

tr_status tri_inverse(tr_tensor *y, const tr_tensor *a, int64_t *bad)
{
    tr_scope *scope = tr_scope_push();
    stack     s = { 0 };
    *bad = -1;
    run(&s, y, a, a, true, inverse_body, bad);
    tr_scope_pop(scope);
    return tr_status_get();
}

static void log_determinant_body(void *context, int64_t begin, int64_t end)
{
    const stack *s = context;
    for (int64_t k = begin; k < end; k++) {
        double *a = s->a + k * s->n * s->n, sum = 0;
        bool    number = true;
        for (int64_t i = 0; i < s->n * s->n && number; i++) number = a[i] == a[i];
        if (!number)
            sum = (double)NAN;
        else if (!lu(s->n, a, 0, s->x))
            sum = -(double)INFINITY;
        else
            for (int64_t i = 0; i < s->n; i++) sum += log(fabs(a[i * (s->n + 1)]));
        s->x[k] = sum;
    }
}

tr_status tri_log_determinant(tr_tensor *y, const tr_tensor *a)
{
    tr_scope  *scope = tr_scope_push();
    tr_tensor *matrices = load(a), *sums = tri_new(TR_F64, tr_shape_of(y));
    if (matrices != NULL && sums != NULL) {
        stack s = { .a = matrices->data, .x = sums->data, .n = a->shape[a->rank - 1] };
        tri_parallel_for(stack_count(a), 1, log_determinant_body, &s);
        tri_copy(y, sums);
    }
    tr_scope_pop(scope);
    return tr_status_get();
}

/* --- Symmetric eigenvalues -------------------------------------------------------------------- */

/* Below this a length counts as 0, in a matrix whose largest element is 1: its square is lost. */
static const double TINY = 1e-150;

/* Householder: reflections h_0, h_1, ... turn symmetric a into q^T a q, tridiagonal, with diagonal
 * d and e beside it; z becomes q^T. a is destroyed; v and p hold n numbers. */
static void tridiagonalise(int64_t n, double *a, double *z, double *d, double *e, double *v,
                           double *p)
{
    for (int64_t i = 0; i < n * n; i++) z[i] = i % (n + 1) == 0 ? 1 : 0;
    for (int64_t k = 0; k + 2 < n; k++) {
        const double *column = a + k * n; /* of a symmetric matrix: its row */
        const double  length = sqrt(dot(n - k - 1, column + k + 1, column + k + 1));
        const double  head = column[k + 1], image = head > 0 ? -length : length;
        d[k] = column[k];
        e[k] = image;
        if (length < TINY) continue;
        memcpy(v + k + 1, column + k + 1, (size_t)(n - k - 1) * sizeof *v);
        v[k + 1] -= image;
        const double beta = 1 / (length * (length + fabs(head))); /* 2 / |v|^2 */
        for (int64_t i = k + 1; i < n; i++)
            p[i] = beta * dot(n - k - 1, a + i * n + k + 1, v + k + 1);
        const double half = 0.5 * beta * dot(n - k - 1, p + k + 1, v + k + 1);
        add_scaled(n - k - 1, p + k + 1, -half, v + k + 1);
        for (int64_t i = k + 1; i < n; i++) { /* a -= v p^T + p v^T */
            add_scaled(n - k - 1, a + i * n + k + 1, -v[i], p + k + 1);
            add_scaled(n - k - 1, a + i * n + k + 1, -p[i], v + k + 1);
        }
        memset(p, 0, (size_t)n * sizeof *p); /* z -= beta v (v^T z) */
        for (int64_t i = k + 1; i < n; i++) add_scaled(n, p, v[i], z + i * n);
        for (int64_t i = k + 1; i < n; i++) add_scaled(n, z + i * n, -beta * v[i], p);
    }
    for (int64_t k = n > 2 ? n - 2 : 0; k < n; k++) {
        d[k] = a[k * n + k];
        e[k] = k + 1 < n ? a[k * n + k + 1] : 0;
    }
}

/* x, y = c x - s y, s x + c y */
static void rotate(int64_t n, double c, double s, double *x, double *y)
{
    for (int64_t i = 0; i < n; i++) {
        const double t = y[i];
        y[i] = s * x[i] + c * t;
        x[i] = c * x[i] - s * t;
    }
}

/* One implicit QL step on rows l .. m of the tridiagonal matrix: a shift near the eigenvalue at the
 * top, and rotations that chase the bulge from the bottom up. z's rows turn along. */
static void ql_step(int64_t n, int64_t l, int64_t m, double *d, double *e, double *z)
{
    const double slope = (d[l + 1] - d[l]) / (2 * e[l]);
    double       g = d[m] - d[l] + e[l] / (slope + copysign(hypot(slope, 1), slope));
    double       s = 1, c = 1, shift = 0;
    for (int64_t i = m - 1; i >= l; i--) {
        const double f = s * e[i], b = c * e[i], r = hypot(f, g);
        e[i + 1] = r;
        if (r == 0) { /* the matrix falls apart here */
            d[i + 1] -= shift;
            e[m] = 0;
            return;
        }
        s = f / r;
        c = g / r;
        const double low = d[i + 1] - shift, t = (d[i] - low) * s + 2 * c * b;
        shift = s * t;
        d[i + 1] = low + shift;
        g = c * t - b;
        rotate(n, c, s, z + i * n, z + (i + 1) * n);
    }
    d[l] -= shift;
    e[l] = g;
    e[m] = 0;
}

/* The first row at or after l where the matrix falls into two parts: what stands beside the
 * diagonal is rounding noise of the whole, whose size is `norm`. Against its own neighbours it may
 * be large where the matrix is singular and they are noise too. */
static int64_t split(int64_t n, int64_t l, const double *e, double norm)
{
    int64_t m = l;
    while (m + 1 < n && !(fabs(e[m]) <= DBL_EPSILON * norm)) m++;
    return m;
}

static bool diagonalise(int64_t n, double *d, double *e, double *z)
{
    enum { MAX_STEPS = 60 }; /* two or three are usual */
    double norm = 0;
    for (int64_t l = 0; l < n; l++) norm = fmax(norm, fabs(d[l]) + fabs(e[l]));
    for (int64_t l = 0; l < n; l++) {
        int     steps = 0;
        int64_t m;
        while ((m = split(n, l, e, norm)) != l) {
            if (steps++ == MAX_STEPS) return false;
            ql_step(n, l, m, d, e, z);
        }
    }
    return true;
}

typedef struct pair {
    double  value;
    int64_t row;
} pair;

static int by_value(const void *a, const void *b)
{
    const pair *x = a, *y = b;
    if (x->value != y->value) return x->value < y->value ? -1 : 1;
    return x->row < y->row ? -1 : 1;
}

/* Ascending values; row order[i] of z as column i of vectors, its largest component positive. */
static void write_sorted(int64_t n, const double *d, const double *z, pair *order, double *values,
                         double *vectors)
{
    for (int64_t i = 0; i < n; i++) order[i] = (pair){ d[i], i };
    qsort(order, (size_t)n, sizeof *order, by_value);
    for (int64_t i = 0; i < n; i++) {
        const double *row = z + order[i].row * n;
        int64_t       largest = 0;
        for (int64_t k = 1; k < n; k++)
            if (fabs(row[k]) > fabs(row[largest])) largest = k;
        const double sign = row[largest] < 0 ? -1 : 1;
        values[i] = order[i].value;
        for (int64_t k = 0; k < n; k++) vectors[k * n + i] = sign * row[k];
    }
}

/* a becomes its symmetric part, divided by its largest element, which is returned. */
static double prepare(int64_t n, double *a)
{
    double scale = 0;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j <= i; j++) {
            a[i * n + j] = a[j * n + i] = 0.5 * a[i * n + j] + 0.5 * a[j * n + i];
            scale = fmax(scale, fabs(a[i * n + j]));
        }
    }
    for (int64_t i = 0; i < n * n && scale > 0; i++) a[i] /= scale;
    return scale;
}

tr_status tri_eigh(tr_tensor *values, tr_tensor *vectors, const tr_tensor *a, int64_t *bad)
{
    const int64_t n = a->shape[a->rank - 1], count = stack_count(a);
    *bad = -1;
    if (count * n == 0) return tr_status_get();
    tr_scope  *scope = tr_scope_push();
    tr_tensor *matrices = load(a), *w = tri_new(TR_F64, tr_shape_of(values));
    double    *z = tri_scratch((uint64_t)(n * n + 4 * n) * sizeof *z);
    pair      *order = tri_scratch((uint64_t)n * sizeof *order);
    if (matrices != NULL && w != NULL && z != NULL && order != NULL) {
        double *d = z + n * n, *e = d + n, *v = e + n, *p = v + n;
        for (int64_t k = 0; k < count && *bad < 0; k++) {
            double *m = (double *)matrices->data + k * n * n;
            const double scale = prepare(n, m);
            tridiagonalise(n, m, z, d, e, v, p);
            if (!diagonalise(n, d, e, z)) *bad = k;
            write_sorted(n, d, z, order, (double *)w->data + k * n, m);
            for (int64_t i = 0; i < n; i++) ((double *)w->data)[k * n + i] *= scale;
        }
        tri_copy(values, w);
        tri_copy(vectors, matrices);
    }
    tr_scope_pop(scope);
    return tr_status_get();
}
