/* pca.c: principal component analysis (Pearson 1901, Hotelling 1933), the baseline of every linear
 * code:
 *
 *     z = (x - mean) V,   y = z V^T + mean
 *
 * V [pixels, latent] has the eigenvectors of the covariance with the largest eigenvalues, so that y
 * has the least squared error that any linear code of this size can have (Eckart & Young 1936).
 * Nothing is descended: one pass over the pictures sums x and x^T x in f64, then the eigenvectors
 * are found exactly. Mean, V and eigenvalues are saved as buffers. New pictures come from the
 * normal distribution with this mean and these variances. */
#include "models/zoo.h"

static const tr_option options[] = {
    TRI_OPTION_LATENT("32"),
    { 0 },
};

typedef struct pca {
    tr_tensor *mean, *components, *variance; /* [pixels], [pixels, D], [D], largest first */
} pca;

static tr_status build(tr_model *m)
{
    const int64_t latent = tr_settings_int(m->settings, "latent");
    pca          *p = m->self = tr_scope_alloc(sizeof *p);
    if (p == NULL) return tr_status_get();
    if (latent > m->pixels)
        return tr_fail(TR_ERR_VALUE, "option latent: there are %lld components, not %lld",
                       (long long)m->pixels, (long long)latent);
    m->net = tri_parts();
    p->mean = tr_module_add_buffer(m->net, "mean", TR_F32, TR_SHAPE(m->pixels));
    p->components = tr_module_add_buffer(m->net, "components", TR_F32, TR_SHAPE(m->pixels, latent));
    p->variance = tr_module_add_buffer(m->net, "variance", TR_F32, TR_SHAPE(latent));
    return tr_status_get();
}

/* --- Fitting ---------------------------------------------------------------------------------- */

/* Adds the batches up: their number of pictures, sum x [1, pixels] and sum x^T x [pixels, pixels].
 */
static int64_t add_up(tr_next_batch next, void *context, tr_tensor *sum, tr_tensor *products)
{
    int64_t count = 0;
    for (tr_tensor *x; !tri_failed() && (x = next(context)) != NULL;) {
        tr_scope  *scope = tr_scope_push();
        tr_tensor *rows = tr_cast(tri_rows(x), TR_F64);
        tr_assign(sum, tr_add(sum, tr_sum(rows, TR_AXES(0), true)));
        tr_assign(products, tr_add(products, tr_matmul(tr_transpose(rows, 0, 1), rows)));
        count += tr_dim(x, 0);
        tr_scope_pop(scope);
    }
    return count;
}

/* The eigenvectors of E x^T x - mean^T mean, the last ones first. */
static tr_status solve(const pca *p, tr_tensor *sum, tr_tensor *products, int64_t count)
{
    const tr_dtype dtype = p->mean->dtype;
    const int64_t  n = tr_dim(p->components, 0), k = tr_dim(p->components, 1);
    tr_tensor     *mean = tr_scale(sum, 1 / (double)count), *values = NULL, *vectors = NULL;
    tr_tensor     *outer = tr_matmul(tr_transpose(mean, 0, 1), mean);
    tr_tensor     *covariance = tr_sub(tr_scale(products, 1 / (double)count), outer);
    if (covariance == NULL || tr_eigh(covariance, &values, &vectors) != TR_OK)
        return tr_status_get();
    tr_tensor *best = tr_flip(tr_narrow(vectors, 1, n - k, k), TR_AXES(1));
    tr_assign(p->mean, tr_cast(tr_flatten(mean, 0), dtype));
    tr_assign(p->components, tr_cast(best, dtype));
    return tr_assign(p->variance,
                     tr_cast(tr_flip(tr_narrow(values, 0, n - k, k), TR_AXES(0)), dtype));
}

static tr_status fit(tr_model *m, tr_next_batch next, void *context)
{
    const bool recording = tr_set_recording(false);
    tr_scope  *scope = tr_scope_push();
    tr_tensor *sum = tr_zeros(TR_F64, TR_SHAPE(1, m->pixels));
    tr_tensor *products = tr_zeros(TR_F64, TR_SHAPE(m->pixels, m->pixels));
    if (products != NULL) {
        const int64_t count = add_up(next, context, sum, products);
        if (count > 0)
            solve(m->self, sum, products, count);
        else
            tr_fail(TR_ERR_VALUE, "pca: there are no pictures to fit to");
    }
    tr_scope_pop(scope);
    tr_set_recording(recording);
    return tr_status_get();
}

/* --- Use -------------------------------------------------------------------------------------- */

static tr_tensor *encode(tr_model *m, tr_tensor *x)
{
    const pca *p = m->self;
    return tr_matmul(tr_sub(tri_rows(x), p->mean), p->components);
}

static tr_tensor *decode_rows(const tr_model *m, tr_tensor *z)
{
    const pca *p = m->self;
    return tr_add(tr_matmul(z, tr_transpose(p->components, 0, 1)), p->mean);
}

static tr_tensor *decode(tr_model *m, tr_tensor *z)
{
    return tr_clamp(tri_pictures(m, decode_rows(m, z)), 0, 1);
}

static tr_terms loss(tr_model *m, tr_tensor *x, tr_tensor *labels, tr_rng *rng)
{
    (void)labels;
    (void)rng;
    tr_tensor *raw = decode_rows(m, encode(m, x));
    tr_tensor *error = tri_reconstruction_loss(m, TRI_MSE, TR_IDENTITY, raw, tri_rows(x));
    tr_terms   terms = { 0 };
    terms.loss = tri_add_term(&terms, "reconstruction", error);
    return terms;
}

static tr_tensor *sample(tr_model *m, int64_t count, tr_rng *rng)
{
    const pca *p = m->self;
    tr_tensor *e = tr_normal(p->variance->dtype, TR_SHAPE(count, tr_dim(p->variance, 0)), rng);
    return decode(m, tr_mul(e, tr_sqrt(tr_clamp(p->variance, 0, 1e300))));
}

static const char *torch(const tr_model *m, bool decoding)
{
    (void)m;
    return decoding ? "        x = (x @ self.components.t() + self.mean).clamp(0, 1)\n"
                    : "        x = (x - self.mean) @ self.components\n";
}

const tr_model_type tri_model_pca = {
    .name = "pca",
    .summary = "principal components, exact: the linear baseline",
    .source = "Pearson 1901; Hotelling 1933; Eckart & Young 1936",
    .unit = TR_PER_PIXEL,
    .options = options,
    .batch = 1000,
    .epochs = 1,
    .lr = 1e-3,
    .build = build,
    .loss = loss,
    .encode = encode,
    .decode = decode,
    .sample = sample,
    .fit = fit,
    .torch = torch,
};
