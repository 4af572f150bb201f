/* pca.c: principal components (Pearson 1901), the linear autoencoder with the least squared error:
 * the baseline for reconstruction, imputation, compression and features.
 *
 * The covariance X^T X / N of the centred rows is formed in f64 and decomposed by tr_eigh.
 * Read next: impute.c, compress.c. */
#include "train/uses.h"

#include "autograd/autograd.h"
#include "tensor/core.h"

enum { MOST_COLUMNS = 4096, PIECE = 4096 };

/* Sum of x^T x over pieces of rows, centred: f64 [D, D]. */
static tr_tensor *scatter(tr_tensor *x, tr_tensor *mean)
{
    const int64_t n = tr_dim(x, 0), d = tr_dim(x, 1);
    tr_tensor    *sum = tr_zeros(TR_F64, TR_SHAPE(d, d));
    for (int64_t i = 0; i < n && !tri_failed(); i += PIECE) {
        tr_scope  *scope = tr_scope_push();
        tr_tensor *rows = tr_slice(x, 0, i, i + PIECE, 1);
        rows = tr_sub(tr_cast(rows, TR_F64), mean);
        tr_assign(sum, tr_add(sum, tr_matmul(tr_transpose(rows, 0, 1), rows)));
        tr_scope_pop(scope);
    }
    return tri_failed() ? NULL : sum;
}

static void fit(tr_tensor *x, int64_t k, tr_pca *pca)
{
    tr_tensor       *mean = tr_cast(tr_mean(x, TR_AXES(0), false), TR_F64), *values, *vectors;
    const int64_t    n = tr_dim(x, 0);
    const tr_tensor *sum = scatter(x, mean);
    if (sum == NULL || tr_eigh(sum, &values, &vectors) != TR_OK) return;
    const int64_t d = tr_dim(x, 1); /* values ascend */
    vectors = tr_flip(tr_slice(vectors, 1, d - k, TR_END, 1), TR_AXES(1));
    values = tr_flip(tr_slice(values, 0, d - k, TR_END, 1), TR_AXES(0));
    tr_assign(pca->mean, mean);
    tr_assign(pca->components, vectors);
    tr_assign(pca->variance, tr_scale(values, 1 / (double)n));
}

tr_status tr_pca_fit(tr_tensor *x, int64_t components, tr_pca *pca)
{
    if (!tri_given(pca, "pca_fit: the result") || !tri_check_alive(x, "pca_fit"))
        return tr_status_get();
    if (tri_failed()) return tr_status_get();
    const int64_t d = tr_dim(x, 1);
    if (x->rank != 2 || tr_numel(x) == 0 || d > MOST_COLUMNS) {
        char text[240];
        return tr_fail(TR_ERR_SHAPE, "pca: x is %s, expected [N, D], not empty, D at most %d",
                       tr_describe(x, text, sizeof text), MOST_COLUMNS);
    }
    if (components < 1 || components > d)
        return tr_fail(TR_ERR_VALUE, "pca: components is %lld, expected 1 .. %lld",
                       (long long)components, (long long)d);
    *pca = (tr_pca){ .mean = tr_empty(TR_F32, TR_SHAPE(d)),
                     .components = tr_empty(TR_F32, TR_SHAPE(d, components)),
                     .variance = tr_empty(TR_F32, TR_SHAPE(components)) };
    const bool recording = tr_set_recording(false);
    tr_scope  *scope = tr_scope_push();
    if (!tri_failed()) fit(x, components, pca);
    tr_scope_pop(scope);
    tr_set_recording(recording);
    return tr_status_get();
}

tr_tensor *tr_pca_encode(const tr_pca *pca, tr_tensor *x)
{
    if (!tri_given(pca, "pca_encode: the components") ||
        !tri_check_alive(pca->mean, "pca_encode") ||
        !tri_check_alive(pca->components, "pca_encode"))
        return NULL;
    return tr_matmul(tr_sub(x, pca->mean), pca->components);
}

tr_tensor *tr_pca_decode(const tr_pca *pca, tr_tensor *z)
{
    if (!tri_given(pca, "pca_decode: the components") ||
        !tri_check_alive(pca->mean, "pca_decode") ||
        !tri_check_alive(pca->components, "pca_decode"))
        return NULL;
    return tr_add(tr_matmul(z, tr_transpose(pca->components, 0, 1)), pca->mean);
}
