/* test_golden_elementwise.c: elementwise operations, activations, comparisons, reductions along one
 * axis, losses, normalisations and densities against PyTorch (golden/elementwise.py makes
 * golden/elementwise.txt and says what its numbers are). Each case below has its namesake there. */
#include "nn/nn.h"
#include "tests/golden.h"
#include "tests/suite.h"

/* --- The cases -------------------------------------------------------------------------------- */

/* Input s 2^exponent + shift / 8; rounded to quarters, the gradient kept, if quantum says so. */
static tr_tensor *prepared(const golden_case *g, int s, tr_tensor *x)
{
    const double factor = ldexp(1, (int)g->number[1 + 2 * s]);
    tr_tensor   *y = tr_affine(x, factor, (double)g->number[2 + 2 * s] / 8);
    if (g->number[0] == 0) return y;
    tr_tensor *quarters = tr_scale(tr_round(tr_scale(tr_detach(y), 4)), 0.25);
    return tr_add(quarters, tr_sub(y, tr_detach(y)));
}

/* A comparison as 0 and 1 of x's dtype. */
static tr_tensor *truth(tr_tensor *flags, const tr_tensor *x)
{
    return tr_cast(flags, x->dtype);
}

static tr_tensor *positive(tr_tensor *x)
{
    return tr_greater(x, tr_scalar(x->dtype, 0));
}

static tr_tensor *batch_norm(tr_tensor **x)
{
    const tr_shape channels = TR_SHAPE(tr_dim(x[0], -1));
    tr_tensor     *mean = tr_zeros(x[0]->dtype, channels), *var = tr_ones(x[0]->dtype, channels);
    const tr_batch_norm_state s = { x[1], x[2], mean, var, 0.1, 1e-5 };
    return tr_batch_norm(x[0], &s, true);
}

/* clang-format off */
#define AXIS         TR_AXES((int)n[0])
#define REDUCTION    (tr_reduction) n[0]
#define EIGHTHS(k)   ((double)n[k] / 8)
#define UNARY(name)  X(name, tr_##name(x[0]))
#define BINARY(name) X(name, tr_##name(x[0], x[1]))
#define TRUTH(name)  X(name, truth(tr_##name(x[0], x[1]), x[0]))

/* X(name, the function of inputs x and parameters n) for every case. */
#define ARITHMETIC                                                                              \
    UNARY(neg) UNARY(abs) UNARY(sign) UNARY(square) UNARY(sqrt) UNARY(rsqrt)                    \
    UNARY(reciprocal) UNARY(floor) UNARY(ceil) UNARY(round) UNARY(trunc)                        \
    UNARY(exp) UNARY(expm1) UNARY(exp2) UNARY(log) UNARY(log1p) UNARY(log2)                     \
    UNARY(sin) UNARY(cos) UNARY(tan) UNARY(asin) UNARY(acos) UNARY(atan)                        \
    UNARY(sinh) UNARY(cosh) UNARY(tanh) UNARY(erf) UNARY(erfc) UNARY(lgamma)                    \
    UNARY(digamma)                                                                              \
    X(polygamma, tr_polygamma((int)n[0], x[0]))                                                 \
    X(scale, tr_scale(x[0], EIGHTHS(0)))                                                        \
    X(add_scalar, tr_add_scalar(x[0], EIGHTHS(0)))                                              \
    X(pow_scalar, tr_pow_scalar(x[0], EIGHTHS(0)))                                              \
    BINARY(add) BINARY(sub) BINARY(mul) BINARY(div) BINARY(pow) BINARY(atan2)                   \
    BINARY(hypot) BINARY(maximum) BINARY(minimum)                                               \
    TRUTH(equal) TRUTH(not_equal) TRUTH(less) TRUTH(less_equal) TRUTH(greater)                  \
    TRUTH(greater_equal) TRUTH(logical_and) TRUTH(logical_or)                                   \
    TRUTH(logical_xor)                                                                          \
    X(logical_not, truth(tr_logical_not(x[0]), x[0]))                                           \
    X(where, tr_where(positive(x[2]), x[0], x[1]))                                              \
    X(masked_fill, tr_masked_fill(x[0], positive(x[1]), -2.5))                                  \
    X(lerp, tr_lerp(x[0], x[1], x[2]))

#define ACTIVATIONS                                                                             \
    UNARY(sigmoid) UNARY(relu) UNARY(selu) UNARY(silu) UNARY(mish)                              \
    UNARY(softplus) UNARY(logsigmoid) UNARY(softsign) UNARY(relu6) UNARY(gelu)                  \
    UNARY(gelu_tanh) UNARY(hardsigmoid) UNARY(hardswish)                                        \
    X(leaky_relu, tr_leaky_relu(x[0], EIGHTHS(0)))                                              \
    X(elu, tr_elu(x[0], EIGHTHS(0)))                                                            \
    X(celu, tr_celu(x[0], EIGHTHS(0)))                                                          \
    X(clamp, tr_clamp(x[0], EIGHTHS(0), EIGHTHS(1)))                                            \
    X(hardtanh, tr_hardtanh(x[0], EIGHTHS(0), EIGHTHS(1)))                                      \
    BINARY(prelu)

#define REDUCTIONS                                                                              \
    X(softmax, tr_softmax(x[0], (int)n[0]))                                                     \
    X(log_softmax, tr_log_softmax(x[0], (int)n[0]))                                             \
    X(logsumexp, tr_logsumexp(x[0], AXIS, false))                                               \
    X(cumsum, tr_cumsum(x[0], (int)n[0], false))                                                \
    X(cumprod, tr_cumprod(x[0], (int)n[0]))                                                     \
    X(prod, tr_prod(x[0], AXIS, false))                                                         \
    X(var, tr_var(x[0], AXIS, 1, false))                                                        \
    X(std, tr_std(x[0], AXIS, 1, false))                                                        \
    X(sum, tr_sum(x[0], AXIS, false))                                                           \
    X(mean, tr_mean(x[0], AXIS, false))                                                         \
    X(norm, tr_norm(x[0], 2, AXIS, false))                                                      \
    X(amax, tr_amax(x[0], AXIS, false))

#define LOSSES                                                                                  \
    X(mse, tr_mse(x[0], x[1], REDUCTION))                                                       \
    X(l1, tr_l1(x[0], x[1], REDUCTION))                                                         \
    X(huber, tr_huber(x[0], x[1], EIGHTHS(1), REDUCTION))                                       \
    X(smooth_l1, tr_smooth_l1(x[0], x[1], EIGHTHS(1), REDUCTION))                               \
    X(bce, tr_bce(x[0], tr_detach(x[1]), REDUCTION))                                            \
    X(bce_with_logits, tr_bce_with_logits(x[0], x[1], REDUCTION))                               \
    X(bce_weighted, tr_bce_with_logits_weighted(x[0], x[1], tr_detach(x[2]), REDUCTION))        \
    X(kl_div, tr_kl_div(x[0], x[1], REDUCTION))                                                 \
    X(gaussian_nll, tr_gaussian_nll(x[0], x[1], x[2], &full, REDUCTION))                        \
    X(poisson_nll, tr_poisson_nll(x[0], tr_detach(x[1]), NULL, REDUCTION))                      \
    X(hinge, tr_hinge(x[0], x[1], REDUCTION))                                                   \
    X(triplet, tr_triplet(x[0], x[1], x[2], 0.5, REDUCTION))                                    \
    X(cosine, tr_cosine_similarity(x[0], x[1], (int)n[0]))

#define STATISTICS                                                                              \
    X(layer_norm, tr_layer_norm(x[0], x[1], x[2], 1e-5))                                        \
    X(rms_norm, tr_rms_norm(x[0], x[1], 1e-5))                                                  \
    X(group_norm, tr_group_norm(x[0], n[0], x[1], x[2], 1e-5))                                  \
    X(instance_norm, tr_instance_norm(x[0], x[1], x[2], 1e-5))                                  \
    X(batch_norm, batch_norm(x))                                                                \
    X(normal_density, tr_normal_log_density(x[0], x[1], x[2]))                                  \
    X(normal_kl, tr_normal_kl(x[0], x[1], x[2], x[3]))                                          \
    X(standard_kl, tr_kl_standard_normal(x[0], x[1]))                                           \
    X(bernoulli_density, tr_bernoulli_log_density(x[0], x[1]))                                  \
    X(bernoulli_kl, tr_bernoulli_kl(x[0], x[1]))                                                \
    X(categorical_kl, tr_categorical_kl(x[0], x[1]))                                            \
    X(laplace_density, tr_laplace_log_density(x[0], x[1], x[2]))                                \
    X(laplace_kl, tr_laplace_kl(x[0], x[1], x[2], x[3]))                                        \
    X(logistic_density, tr_logistic_log_density(x[0], x[1], x[2]))

#define ALL_CASES ARITHMETIC ACTIVATIONS REDUCTIONS LOSSES STATISTICS

static const tr_nll_options full = { .full = true };

#define X(name, ...)                                                                            \
    static tr_tensor *run_##name(const golden_case *g, tr_tensor **in)                          \
    {                                                                                           \
        const int64_t *n = g->number + 1 + 2 * g->inputs;                                       \
        tr_tensor     *x[GOLDEN_INPUTS] = { 0 };                                                \
        for (int s = 0; s < g->inputs; s++) x[s] = prepared(g, s, in[s]);                       \
        (void)n;                                                                                \
        return __VA_ARGS__;                                                                     \
    }
ALL_CASES
#undef X
/* clang-format on */

/* --- The tests -------------------------------------------------------------------------------- */

START_TEST(equal_to_pytorch)
{
    static const golden_op ops[] = {
#define X(name, ...) { #name, run_##name }, /* clang-format off */
        ALL_CASES /* clang-format on */
#undef X
    };
    ck_assert_int_gt(golden_replay("elementwise.txt", ops, sizeof ops / sizeof ops[0]), 600);
}
END_TEST

/* Lines of a file of tests/golden that begin with `first`, or with anything if that is 0. */
static int lines_of(const char *file, char first)
{
    char path[512], line[1 << 16];
    int  count = 0;
    bool fresh = true;
    snprintf(path, sizeof path, "%s/tests/golden/%s", TENREC_SOURCE_DIR, file);
    FILE *stream = fopen(path, "r");
    ck_assert_msg(stream != NULL, "%s is missing", path);
    while (fgets(line, sizeof line, stream) != NULL) {
        if (fresh && (first == 0 || line[0] == first)) count++;
        fresh = strchr(line, '\n') != NULL;
    }
    fclose(stream);
    return count;
}

/* What test_ops_images.c, test_ops_linalg.c, test_golden_structure.c and this program replay. */
START_TEST(two_thousand_cases)
{
    const int cases = lines_of("images.txt", 0) + lines_of("linalg.txt", 0) +
                      lines_of("elementwise.txt", 0) + lines_of("structure.h", '{');
    printf("%d cases of values and gradients by PyTorch\n", cases);
    ck_assert_int_ge(cases, 2000);
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { equal_to_pytorch },
        { two_thousand_cases },
        { 0 },
    };
    return run_tests("golden elementwise", NULL, NULL, tests);
}
