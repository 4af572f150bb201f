/* variational.c: distributions over codes and over pixels; the evidence lower bound. Everything is
 * kept per picture, [N] or [k, N] nats, until a loss averages: importance weights need it so. */
#include "models/variational.h"

#include <math.h>

tr_status tri_variational_build(tr_model *m, tr_module *body, int64_t features, tr_module *decoder)
{
    tri_variational *v = m->self = tr_scope_alloc(sizeof *v);
    if (v == NULL) return tr_status_get();
    v->latent = tr_settings_int(m->settings, "latent");
    v->body = body;
    v->mean = tr_nn_linear(features, v->latent, TR_IDENTITY);
    v->log_variance = tr_nn_linear(features, v->latent, TR_IDENTITY);
    v->decoder = decoder;
    m->net = tri_parts();
    tr_module_add(m->net, "encoder", v->body);
    tr_module_add(m->net, "mean", v->mean);
    tr_module_add(m->net, "log_variance", v->log_variance);
    tr_module_add(m->net, "decoder", v->decoder);
    v->law = tr_settings_is(m->settings, "likelihood", "gaussian")   ? TRI_GAUSSIAN
             : tr_settings_is(m->settings, "likelihood", "logistic") ? TRI_LOGISTIC
                                                                     : TRI_BERNOULLI;
    v->scale = tr_settings_float(m->settings, "scale");
    if (v->law != TRI_BERNOULLI && tr_settings_bool(m->settings, "learn_scale")) {
        v->log_scale = tr_module_add_parameter(m->net, "log_scale", TR_SHAPE(1));
        if (v->log_scale != NULL) tr_fill(v->log_scale, log(v->scale));
    }
    return tr_status_get();
}

tr_status tri_variational_mlp(tr_model *m)
{
    int64_t       hidden[TR_MAX_SIZES];
    const int     count = tr_settings_sizes(m->settings, "hidden", hidden);
    const int64_t latent = tr_settings_int(m->settings, "latent");
    if (count < 1)
        return tr_fail(TR_ERR_VALUE, "option hidden: the %s needs at least one hidden layer",
                       m->type->name);
    const int64_t features = hidden[count - 1];
    return tri_variational_build(
        m, tri_mlp(m->pixels, hidden, count - 1, features, TR_RELU, TR_RELU), features,
        tri_mlp_mirror(latent, hidden, count, m->pixels, TR_RELU, TR_IDENTITY));
}

/* --- Distributions ---------------------------------------------------------------------------- */

tri_posterior tri_posterior_of(const tr_model *m, tr_tensor *input)
{
    const tri_variational *v = m->self;
    tr_tensor             *features = tr_forward(v->body, input); /* [N, F] */
    return (tri_posterior){ tr_forward(v->mean, features), tr_forward(v->log_variance, features) };
}

tr_tensor *tri_posterior_kl(tri_posterior q)
{
    tr_tensor *variance = tr_exp(q.log_variance);
    tr_tensor *sum = tr_sub(tr_add(tr_square(q.mu), variance), q.log_variance);
    return tr_affine(sum, 0.5, -0.5);
}

/* With the cell's edges a > b in units of the scale, sigmoid(a) - sigmoid(b) is
 * sigmoid(a) sigmoid(-b) (1 - e^(b - a)): a sum of logarithms, none of which cancels. */
static tr_tensor *log_logistic_mass(tr_tensor *mean, tr_tensor *log_scale, tr_tensor *x)
{
    const double half = 0.5 / 255;
    if (mean == NULL || x == NULL) return NULL;
    tr_tensor *one_over = tr_exp(tr_neg(log_scale)), *zero = tr_scalar(x->dtype, 0);
    tr_tensor *distance = tr_sub(x, mean);
    tr_tensor *below = tr_logsigmoid(tr_mul(tr_add_scalar(distance, half), one_over));
    tr_tensor *above = tr_logsigmoid(tr_mul(tr_affine(distance, -1, half), one_over));
    tr_tensor *inside = tr_log(tr_neg(tr_expm1(tr_scale(one_over, -2 * half))));
    tr_tensor *not_white = tr_less(x, tr_scalar(x->dtype, 1 - half));
    tr_tensor *not_black = tr_greater(x, tr_scalar(x->dtype, half));
    tr_tensor *cell = tr_add(tr_where(not_white, below, zero), tr_where(not_black, above, zero));
    return tr_add(cell, tr_where(tr_logical_and(not_white, not_black), inside, zero));
}

tr_tensor *tri_log_pixels(const tr_model *m, tr_tensor *raw, tr_tensor *rows)
{
    const tri_variational *v = m->self;
    tr_tensor             *density;
    if (raw == NULL) return NULL;
    rows = tri_target(m, rows);
    if (v->law == TRI_BERNOULLI) {
        density = tr_bernoulli_log_density(rows, raw);
    } else {
        tr_tensor *log_scale =
            v->log_scale != NULL ? v->log_scale : tr_scalar(raw->dtype, log(v->scale));
        density = v->law == TRI_GAUSSIAN
                      ? tr_normal_log_density(rows, tr_sigmoid(raw), tr_scale(log_scale, 2))
                      : log_logistic_mass(tr_sigmoid(raw), log_scale, rows);
    }
    if (m->known != NULL) density = tr_mul(density, tri_rows(m->known));
    return tr_sum(density, TR_AXES(-1), false);
}

/* --- Bounds ----------------------------------------------------------------------------------- */

tr_tensor *tri_decode_rows(const tr_model *m, tr_tensor *z, tr_tensor *condition)
{
    const tri_variational *v = m->self;
    if (condition != NULL) z = tr_concat((tr_tensor *[]){ z, condition }, 2, 1);
    return tri_rows(tr_forward(v->decoder, z));
}

/* The weight of the KL term at this place of the training; whole in evaluation. */
static double kl_weight(const tr_model *m)
{
    const double beta = tr_settings_float(m->settings, "beta");
    const double warmup = tr_settings_float(m->settings, "warmup");
    return m->net->training && m->epoch < warmup ? beta * m->epoch / warmup : beta;
}

tr_terms tri_variational_loss(tr_model *m, tr_tensor *input, tr_tensor *condition, tr_tensor *rows,
                              tr_rng *rng)
{
    const double        free_bits = tr_settings_float(m->settings, "free_bits");
    const tri_posterior q = tri_posterior_of(m, input);
    tr_tensor          *z = tr_normal_sample(q.mu, q.log_variance, rng); /* [N, D] */
    tr_tensor          *raw = tri_decode_rows(m, z, condition);          /* [N, pixels] */
    tr_tensor          *log_p = tr_mean(tri_log_pixels(m, raw, rows), TR_ALL_AXES, false);
    tr_tensor          *kl = tr_mean(tri_posterior_kl(q), TR_AXES(0), false); /* [D] */
    tr_terms            terms = { 0 };
    if (kl == NULL) return terms;
    tr_tensor *paid = free_bits > 0 ? tr_maximum(kl, tr_scalar(kl->dtype, free_bits)) : kl;
    tri_add_term(&terms, "reconstruction", tr_neg(log_p));
    tri_add_term(&terms, "kl", tr_sum(kl, TR_ALL_AXES, false));
    terms.loss = tr_add(terms.value[0], tr_scale(tr_sum(paid, TR_ALL_AXES, false), kl_weight(m)));
    return terms;
}

/* With z = mu + sigma e, ln p(z) - ln q(z|x) = 1/2 sum_j (e^2 + ln sigma^2 - z^2). */
tr_tensor *tri_log_weights(const tr_model *m, tr_tensor *input, tr_tensor *condition,
                           tr_tensor *rows, int64_t k, tr_rng *rng)
{
    const tri_variational *v = m->self;
    const tri_posterior    q = tri_posterior_of(m, input);
    if (q.mu == NULL || q.log_variance == NULL) return NULL;
    const int64_t n = tr_dim(rows, 0);
    tr_tensor    *e = tr_normal(rows->dtype, TR_SHAPE(k, n, v->latent), rng);
    tr_tensor    *sigma = tr_exp(tr_scale(q.log_variance, 0.5));
    tr_tensor    *z = tr_add(q.mu, tr_mul(sigma, e)); /* [k, N, D] */
    tr_tensor    *prior = tr_sub(tr_add(tr_square(e), q.log_variance), tr_square(z));
    tr_tensor    *log_prior = tr_scale(tr_sum(prior, TR_AXES(-1), false), 0.5); /* [k, N] */
    if (condition != NULL) {
        const int64_t c = tr_dim(condition, 1);
        condition = tr_reshape(tr_expand(condition, TR_SHAPE(k, n, c)), TR_SHAPE(k * n, c));
    }
    tr_tensor *raw = tri_decode_rows(m, tr_reshape(z, TR_SHAPE(k * n, v->latent)), condition);
    raw = tr_reshape(raw, TR_SHAPE(k, n, m->pixels));
    return tr_add(tri_log_pixels(m, raw, rows), log_prior);
}

/* --- Models without condition ----------------------------------------------------------------- */

tr_tensor *tri_mean_code(tr_model *m, tr_tensor *x)
{
    const tri_variational *v = m->self;
    return tr_forward(v->mean, tr_forward(v->body, tri_rows(x)));
}

tr_tensor *tri_mean_pictures(tr_model *m, tr_tensor *z)
{
    return tri_pictures(m, tr_sigmoid(tri_decode_rows(m, z, NULL)));
}

tr_tensor *tri_prior_pictures(tr_model *m, int64_t count, tr_rng *rng)
{
    const tri_variational *v = m->self;
    return m->type->decode(m, tr_normal(TR_F32, TR_SHAPE(count, v->latent), rng));
}

tr_tensor *tri_rows_log_weights(tr_model *m, tr_tensor *x, tr_tensor *labels, int64_t samples,
                                tr_rng *rng)
{
    (void)labels;
    tr_tensor *rows = tri_rows(x);
    return tri_log_weights(m, rows, NULL, rows, samples, rng);
}
