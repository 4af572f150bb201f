/* test_golden_structure.c: reductions, shape and index operations, losses, normalisations and
 * densities against values and gradients of PyTorch (golden/structure.py makes
 * golden/structure.h), in f64 to 1e-10, in f32 within four times PyTorch's own error and a few
 * roundings of the largest value. Each case below has its namesake there. */
#include "nn/nn.h"
#include "tests/numeric.h"
#include "tests/suite.h"

#include <math.h>

/* --- The cases -------------------------------------------------------------------------------- */

/* The first of the parts, or the one numbered `which`. */
static tr_tensor *part(tr_tensor *x, bool chunk, int which)
{
    tr_tensor    *parts[3] = { 0 };
    const int64_t sizes[3] = { 1, 2, tr_dim(x, 1) - 3 };
    if (chunk)
        tr_chunk(x, 1, 2, parts);
    else
        tr_split(x, 1, sizes, 3, parts);
    return parts[which];
}

static tr_tensor *position(tr_tensor *(*order)(tr_tensor *, int, bool, tr_tensor **), tr_tensor *x,
                           bool flag)
{
    tr_tensor *index = NULL;
    order(x, 1, flag, &index);
    return index;
}

/* F.pad of PyTorch gives sizes from the last axis on, before and after; here as shapes. */
static tr_tensor *pad3(tr_tensor *x, int64_t before, int64_t after, tr_pad_mode mode)
{
    return tr_pad_with(x, TR_SHAPE(0, 0, before), TR_SHAPE(0, 0, after), mode);
}

static tr_tensor *batch_norm(tr_tensor **x)
{
    const tr_shape channels = TR_SHAPE(tr_dim(x[0], -1));
    tr_tensor     *mean = tr_zeros(x[0]->dtype, channels), *var = tr_ones(x[0]->dtype, channels);
    const tr_batch_norm_state s = { x[1], x[2], mean, var, 0.1, 1e-5 };
    return tr_batch_norm(x[0], &s, true);
}

#define ALL TR_ALL_AXES
#define CLASSES(...) (&(tr_class_options){ __VA_ARGS__ })
#define NLL(...)     (&(tr_nll_options){ __VA_ARGS__ })

static tr_tensor *smooth_weighted(tr_tensor **x, tr_reduction r)
{
    return tr_cross_entropy(x[0], x[1],
                            CLASSES(.weight = tr_detach(x[2]), .label_smoothing = 0.125,
                                    .ignore = true, .ignore_index = 1),
                            r);
}

/* Running values are constants: the shift of this case stands for the running mean. */
static tr_tensor *batch_norm_eval(tr_tensor **x)
{
    const tr_batch_norm_state s = { x[1], x[2], tr_detach(x[2]), tr_detach(x[3]), 0.1, 1e-5 };
    return tr_batch_norm(x[0], &s, false);
}

/* Over two axes; the scale says how many. */
static tr_tensor *layer_norm_2(tr_tensor *x)
{
    tr_tensor *scale = tr_ones(x->dtype, TR_SHAPE(tr_dim(x, 1), tr_dim(x, 2)));
    return tr_layer_norm(x, scale, NULL, 1e-3);
}

#define REDUCTIONS(X)                                                                           \
    X(sum_02, tr_sum(x[0], TR_AXES(0, 2), false))                                               \
    X(mean_1, tr_mean(x[0], TR_AXES(1), true))                                                  \
    X(prod_all, tr_prod(x[0], ALL, false))                                                      \
    X(prod_1, tr_prod(x[0], TR_AXES(1), false))                                                 \
    X(amax_02, tr_amax(x[0], TR_AXES(0, 2), false))                                             \
    X(amin_1, tr_amin(x[0], TR_AXES(1), true))                                                  \
    X(max_1, tr_max(x[0], 1, false, NULL))                                                      \
    X(min_1, tr_min(x[0], 1, true, NULL))                                                       \
    X(max_index, position(tr_max, x[0], false))                                                 \
    X(argmax_m1, tr_argmax(x[0], -1, false))                                                    \
    X(argmin_0, tr_argmin(x[0], 0, true))                                                       \
    X(var_02, tr_var(x[0], TR_AXES(0, 2), 1, false))                                            \
    X(var_biased, tr_var(x[0], TR_AXES(1), 0, true))                                            \
    X(std_all, tr_std(x[0], ALL, 1, false))                                                     \
    X(norm2_1, tr_norm(x[0], 2, TR_AXES(1), false))                                             \
    X(norm1_all, tr_norm(x[0], 1, ALL, false))                                                  \
    X(norm_inf, tr_norm(x[0], (double)INFINITY, TR_AXES(1), false))                             \
    X(norm3, tr_norm(x[0], 3, TR_AXES(1, 2), false))                                            \
    X(norm_1_5, tr_norm(x[0], 1.5, TR_AXES(1, 2), false))                                       \
    X(logsumexp_02, tr_logsumexp(x[0], TR_AXES(0, 2), false))                                   \
    X(any_1, tr_any(x[0], TR_AXES(1), false))                                                   \
    X(all_1, tr_all(x[0], TR_AXES(1), false))                                                   \
    X(cumsum_1, tr_cumsum(x[0], 1, false))                                                      \
    X(cumprod_1, tr_cumprod(x[0], 1))                                                           \
    X(sort_1, tr_sort(x[0], 1, false, NULL))                                                    \
    X(sort_index, position(tr_sort, x[0], true))                                                \
    X(topk_2, tr_topk(x[0], 2, 1, true, NULL))                                                  \
    X(topk_smallest, tr_topk(x[0], 2, 1, false, NULL))                                          \
    X(softmax_1, tr_softmax(x[0], 1))                                                           \
    X(softmax_m1, tr_softmax(x[0], -1))                                                         \
    X(log_softmax_1, tr_log_softmax(x[0], 1))                                                   \
    X(log_softmax_m1, tr_log_softmax(x[0], -1))

#define SHAPES(X)                                                                               \
    X(squeeze_1, tr_squeeze(x[0], TR_AXES(1)))                                                  \
    X(squeeze_all, tr_squeeze(x[0], ALL))                                                       \
    X(unsqueeze_1, tr_unsqueeze(tr_permute(x[0], TR_AXES(2, 0, 1)), 1))                         \
    X(permuted_reshape,                                                                         \
      tr_reshape(tr_permute(x[0], TR_AXES(1, 0, 2)), TR_SHAPE(tr_dim(x[0], 1), -1)))            \
    X(repeat_213, tr_repeat(x[0], TR_SHAPE(2, 1, 3)))                                           \
    X(slice_step, tr_slice(x[0], 1, 1, TR_END, 2))                                              \
    X(slice_back, tr_slice(x[0], 2, TR_END, 0, -2))                                             \
    X(narrow_0, tr_narrow(x[0], 0, 1, 2))                                                       \
    X(select_1, tr_select(x[0], 1, -1))                                                         \
    X(concat_1, tr_concat((tr_tensor *[]){ x[0], x[1], x[0] }, 3, 1))                           \
    X(stack_1, tr_stack((tr_tensor *[]){ x[0], x[1] }, 2, 1))                                   \
    X(split_last, part(x[0], false, 2))                                                         \
    X(chunk_first, part(x[0], true, 0))                                                         \
    X(pad_constant, tr_pad(x[0], TR_SHAPE(2, 0, 1), TR_SHAPE(0, 3, 2), 1.5))                    \
    X(pad_negative, tr_pad(x[0], TR_SHAPE(3, -1), TR_SHAPE(-1, 2), -0.5))                       \
    X(pad_reflect, pad3(x[0], 2, 1, TR_PAD_REFLECT))                                            \
    X(pad_replicate, pad3(x[0], 3, 2, TR_PAD_REPLICATE))                                        \
    X(pad_circular, pad3(x[0], 2, 3, TR_PAD_CIRCULAR))                                          \
    X(flip_02, tr_flip(x[0], TR_AXES(0, 2)))                                                    \
    X(roll_1, tr_roll(x[0], 2, 1))                                                              \
    X(roll_back, tr_roll(x[0], -3, 2))                                                          \
    X(tril_0, tr_tril(x[0], 0))                                                                 \
    X(tril_m1, tr_tril(x[0], -1))                                                               \
    X(triu_1, tr_triu(x[0], 1))                                                                 \
    X(diagonal_0, tr_diagonal(x[0], 0))                                                         \
    X(diagonal_1, tr_diagonal(x[0], 1))                                                         \
    X(diagonal_m1, tr_diagonal(x[0], -1))                                                       \
    X(gather_0, tr_gather(x[0], 0, x[1]))                                                       \
    X(gather_1, tr_gather(x[0], 1, x[1]))                                                       \
    X(scatter_add_0, tr_scatter_add(x[0], 0, x[1], x[2]))                                       \
    X(scatter_1, tr_scatter(x[0], 1, x[1], x[2]))                                               \
    X(index_select_1, tr_index_select(x[0], 1, x[1]))                                           \
    X(take_along_axis, tr_take_along_axis(x[0], x[1], 1))                                       \
    X(embedding, tr_embedding(x[0], x[1]))                                                      \
    X(masked_fill, tr_masked_fill(x[0], x[1], -2.5))                                            \
    X(masked_select, tr_masked_select(x[0], x[1]))                                              \
    X(one_hot, tr_one_hot(x[0], 5, TR_F64))

#define LOSSES(X)                                                                               \
    X(mse_none, tr_mse(x[0], x[1], TR_NONE))                                                    \
    X(mse_mean, tr_mse(x[0], x[1], TR_MEAN))                                                    \
    X(mse_sum, tr_mse(x[0], x[1], TR_SUM))                                                      \
    X(l1, tr_l1(x[0], x[1], TR_MEAN))                                                           \
    X(huber, tr_huber(x[0], x[1], 0.75, TR_MEAN))                                               \
    X(smooth_l1, tr_smooth_l1(x[0], x[1], 0.5, TR_SUM))                                         \
    X(bce, tr_bce(x[0], tr_detach(x[1]), TR_NONE))                                              \
    X(bce_with_logits, tr_bce_with_logits(x[0], x[1], TR_NONE))                                 \
    X(bce_weighted, tr_bce_with_logits_weighted(x[0], x[1], tr_detach(x[2]), TR_NONE))          \
    X(kl_div, tr_kl_div(x[0], x[1], TR_NONE))                                                   \
    X(kl_div_zeros, tr_kl_div(x[0], tr_detach(x[1]), TR_NONE))                                  \
    X(gaussian_nll, tr_gaussian_nll(x[0], x[1], x[2], NULL, TR_NONE))                           \
    X(gaussian_nll_full, tr_gaussian_nll(x[0], x[1], x[2], NLL(.full = true), TR_MEAN))         \
    X(poisson_nll, tr_poisson_nll(x[0], tr_detach(x[1]), NULL, TR_NONE))                        \
    X(poisson_nll_rate,                                                                         \
      tr_poisson_nll(x[0], tr_detach(x[1]), NLL(.full = true, .rate = true), TR_NONE))          \
    X(hinge, tr_hinge(x[0], tr_detach(x[1]), TR_MEAN))                                          \
    X(nll_none, tr_nll(x[0], x[1], NULL, TR_NONE))                                              \
    X(nll_mean, tr_nll(x[0], x[1], NULL, TR_MEAN))                                              \
    X(nll_sum, tr_nll(x[0], x[1], NULL, TR_SUM))                                                \
    X(nll_weighted, tr_nll(x[0], x[1], CLASSES(.weight = tr_detach(x[2]), .ignore = true,       \
                                               .ignore_index = 2), TR_MEAN))                    \
    X(cross_entropy_none, tr_cross_entropy(x[0], x[1], NULL, TR_NONE))                          \
    X(cross_entropy_mean, tr_cross_entropy(x[0], x[1], NULL, TR_MEAN))                          \
    X(cross_entropy_sum, tr_cross_entropy(x[0], x[1], NULL, TR_SUM))                            \
    X(cross_entropy_smooth_none,                                                                \
      tr_cross_entropy(x[0], x[1], CLASSES(.label_smoothing = 0.25), TR_NONE))                  \
    X(cross_entropy_smooth_mean,                                                                \
      tr_cross_entropy(x[0], x[1], CLASSES(.label_smoothing = 0.25), TR_MEAN))                  \
    X(cross_entropy_smooth_sum,                                                                 \
      tr_cross_entropy(x[0], x[1], CLASSES(.label_smoothing = 0.25), TR_SUM))                   \
    X(cross_entropy_all_none, smooth_weighted(x, TR_NONE))                                      \
    X(cross_entropy_all_mean, smooth_weighted(x, TR_MEAN))                                      \
    X(cross_entropy_all_sum, smooth_weighted(x, TR_SUM))                                        \
    X(cosine, tr_cosine_similarity(x[0], x[1], 1))                                              \
    X(triplet, tr_triplet(x[0], x[1], x[2], 0.5, TR_NONE))                                      \
    X(info_nce, tr_info_nce(x[0], x[1], 0.125, TR_MEAN))

#define STATISTICS(X)                                                                           \
    X(layer_norm, tr_layer_norm(x[0], x[1], x[2], 1e-5))                                        \
    X(layer_norm_2, layer_norm_2(x[0]))                                                         \
    X(group_norm, tr_group_norm(x[0], 2, x[1], x[2], 1e-5))                                     \
    X(instance_norm, tr_instance_norm(x[0], NULL, NULL, 1e-5))                                  \
    X(rms_norm, tr_rms_norm(x[0], x[1], 1e-5))                                                  \
    X(batch_norm, batch_norm(x))                                                                \
    X(batch_norm_eval, batch_norm_eval(x))                                                      \
    X(normal_density, tr_normal_log_density(x[0], x[1], x[2]))                                  \
    X(normal_kl, tr_normal_kl(x[0], x[1], x[2], x[3]))                                          \
    X(standard_kl, tr_kl_standard_normal(x[0], x[1]))                                           \
    X(bernoulli_density, tr_bernoulli_log_density(x[0], x[1]))                                  \
    X(bernoulli_kl, tr_bernoulli_kl(x[0], x[1]))                                                \
    X(categorical_density, tr_categorical_log_density(x[1], x[0]))                              \
    X(categorical_kl, tr_categorical_kl(x[0], x[1]))                                            \
    X(laplace_density, tr_laplace_log_density(x[0], x[1], x[2]))                                \
    X(laplace_kl, tr_laplace_kl(x[0], x[1], x[2], x[3]))                                        \
    X(logistic_density, tr_logistic_log_density(x[0], x[1], x[2]))

#define FUNCTION(name, ...)                                                                     \
    static tr_tensor *case_##name(tr_tensor **x)                                                \
    {                                                                                           \
        return __VA_ARGS__;                                                                     \
    }
REDUCTIONS(FUNCTION)
SHAPES(FUNCTION)
LOSSES(FUNCTION)
STATISTICS(FUNCTION)

static const struct {
    const char *name;
    tr_tensor *(*function)(tr_tensor **x);
} functions[] = {
#define ENTRY(name, ...) { #name, case_##name },
    REDUCTIONS(ENTRY) SHAPES(ENTRY) LOSSES(ENTRY) STATISTICS(ENTRY)
};

/* --- The data --------------------------------------------------------------------------------- */

typedef struct golden_tensor {
    char          kind; /* f floating, i index, b mask */
    int           rank;
    int64_t       dim[TR_MAX_RANK];
    const double *values;
} golden_tensor;

typedef struct golden {
    const char   *name;
    int           inputs;
    golden_tensor in[4], out;
    const double *gradient[4];
    double        error[5]; /* the largest of PyTorch's f32, in the result and in each gradient */
} golden;

static const golden cases[] = {
#include "tests/golden/structure.h"
};

enum { CASES = sizeof cases / sizeof cases[0], FUNCTIONS = sizeof functions / sizeof functions[0] };

static tr_tensor *build(const golden_tensor *g, tr_dtype floating)
{
    tr_shape shape = { .rank = g->rank };
    memcpy(shape.dim, g->dim, sizeof shape.dim);
    tr_tensor *t = tr_empty(g->kind == 'f' ? floating : g->kind == 'i' ? TR_I64 : TR_U8, shape);
    ck_assert_ptr_nonnull(t);
    for (int64_t k = 0; k < tr_numel(t); k++) set(t, k, g->values[k]);
    return t;
}

/* Result 0 or gradient `which` - 1 of a case. */
static void expect_values(const tr_tensor *got, const double *expected, int number, int which)
{
    tr_tensor *plain = tr_empty(got->dtype, tr_shape_of(got));
    ck_assert_int_eq(tr_assign(plain, got), TR_OK);
    double largest = 0;
    for (int64_t k = 0; k < tr_numel(got); k++)
        if (isfinite(expected[k])) largest = fmax(largest, fabs(expected[k]));
    const double allowed = got->dtype == TR_F32
                               ? 4 * cases[number].error[which] + 4 * 0x1p-24 * largest
                               : 1e-10 * largest + 1e-14;
    for (int64_t k = 0; k < tr_numel(got); k++) {
        const double a = get(plain, k), b = expected[k];
        ck_assert_msg(a == b || (isnan(a) && isnan(b)) || fabs(a - b) <= allowed,
                      "%s, case %d, %s: %s [%d] is %.17g, not %.17g; PyTorch's f32 is off by %g",
                      cases[number].name, number, tr_dtype_name(got->dtype),
                      which > 0 ? "gradient" : "value", (int)k, a, b, cases[number].error[which]);
    }
}

static void check_gradients(const golden *c, int number, tr_tensor *y, tr_tensor **x,
                            bool create_graph)
{
    tr_tensor *cotangent = tr_empty(y->dtype, tr_shape_of(y)), *gradients[4];
    for (int64_t k = 0; k < tr_numel(y); k++) set(cotangent, k, 1 + (double)k / 8);
    const tr_grad_options options = { .cotangents = &cotangent, .create_graph = create_graph };
    ck_assert_msg(tr_grad(&y, 1, x, c->inputs, gradients, &options) == TR_OK, "%s, case %d: %s",
                  c->name, number, tr_error());
    for (int k = 0; k < c->inputs; k++)
        if (c->gradient[k] != NULL)
            expect_values(gradients[k], c->gradient[k], number, 1 + k);
}

static void check_case(int number, tr_dtype dtype)
{
    const golden *c = &cases[number];
    tr_tensor    *x[4] = { 0 };
    int           f = 0;
    while (f < FUNCTIONS && strcmp(functions[f].name, c->name) != 0) f++;
    ck_assert_msg(f < FUNCTIONS, "%s is not among the functions", c->name);
    for (int k = 0; k < c->inputs; k++) {
        x[k] = build(&c->in[k], dtype);
        if (c->in[k].kind == 'f') tr_variable(x[k]);
    }
    tr_tensor *y = functions[f].function(x);
    ck_assert_msg(y != NULL, "%s, case %d: %s", c->name, number, tr_error());
    ck_assert_msg(y->rank == c->out.rank, "%s, case %d: rank %d", c->name, number, y->rank);
    for (int k = 0; k < y->rank; k++) ck_assert_int_eq(y->shape[k], c->out.dim[k]);
    expect_values(y, c->out.values, number, 0);
    if (!y->requires_grad) return;
    check_gradients(c, number, y, x, false);
    check_gradients(c, number, y, x, true);
}

static void check_all(tr_dtype dtype)
{
    for (int number = 0; number < CASES; number++) {
        tr_scope *scope = tr_scope_push();
        check_case(number, dtype);
        tr_scope_pop(scope);
    }
}

START_TEST(f64_equals_pytorch)
{
    check_all(TR_F64);
}
END_TEST

START_TEST(f32_is_as_good_as_pytorch)
{
    check_all(TR_F32);
}
END_TEST

START_TEST(every_function_has_a_case)
{
    for (int f = 0; f < FUNCTIONS; f++) {
        int number = 0;
        while (number < CASES && strcmp(functions[f].name, cases[number].name) != 0) number++;
        ck_assert_msg(number < CASES, "%s has no golden case", functions[f].name);
    }
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { f64_equals_pytorch },
        { f32_is_as_good_as_pytorch },
        { every_function_has_a_case },
        { 0 },
    };
    return run_tests("golden structure", NULL, NULL, tests);
}
