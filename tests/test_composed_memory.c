/* test_composed_memory.c: functions composed of many operations, with every allocation failing
 * once: each failure must be an error of kind TR_ERR_MEMORY, never a crash, and leave nothing
 * allocated. */
#include "nn/nn.h"
#include "tests/numeric.h"
#include "tests/suite.h"

static int64_t allowed; /* allocations that still succeed */

static void *limited_alloc(void *context, size_t alignment, size_t bytes)
{
    (void)context;
    return allowed-- > 0 ? aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment)
                         : NULL;
}

static void limited_release(void *context, void *block, size_t bytes)
{
    (void)context;
    (void)bytes;
    free(block);
}

static void differentiate(tr_tensor *y)
{
    if (y != NULL && y->requires_grad) tr_backward(tr_sum(tr_square(y), TR_ALL_AXES, false));
}

static void use_statistics(tr_tensor *x, tr_tensor *z, tr_rng *rng)
{
    const tr_batch_norm_state norm = {
        NULL, NULL, tr_zeros(TR_F64, TR_SHAPE(6)), tr_ones(TR_F64, TR_SHAPE(6)), 0.1, 1e-5
    };
    differentiate(tr_group_norm(x, 2, NULL, NULL, 1e-5));
    differentiate(tr_layer_norm(x, NULL, NULL, 1e-5));
    differentiate(tr_rms_norm(x, NULL, 1e-5));
    differentiate(tr_dropout(x, 0.5, rng));
    differentiate(tr_channel_dropout(x, 0.5, rng));
    differentiate(tr_batch_norm(x, &norm, true));
    differentiate(tr_normal_sample(x, z, rng));
    differentiate(tr_laplace_sample(x, z, rng));
    differentiate(tr_logistic_sample(x, z, rng));
    differentiate(tr_logistic_kl(x, z, z, x));
    differentiate(tr_gumbel_softmax(x, 1, true, rng));
    differentiate(tr_categorical_kl(x, z));
    differentiate(tr_bernoulli_kl(x, z));
    differentiate(tr_cast(tr_bernoulli_sample(x, rng), TR_F64));
}

static void use_everything(void)
{
    tr_scope     *scope = tr_scope_push();
    tr_rng        rng = tr_rng_seed(1);
    const int64_t places[4] = { 0, 1, 2, 5 };
    tr_tensor    *x = tr_variable(tr_normal(TR_F64, TR_SHAPE(4, 6), &rng));
    tr_tensor *z = tr_normal(TR_F64, TR_SHAPE(4, 6), &rng),
              *t = tr_from(TR_I64, TR_SHAPE(4), places);
    tr_tensor    *column = tr_reshape(t, TR_SHAPE(4, 1)), *index, *mean, *var, *parts[3];
    tr_chunk(x, 1, 3, parts);
    const tr_class_options    classes = { tr_select(z, 0, 0), 0.1, true, 2 };
    differentiate(tr_prod(x, TR_AXES(1), false));
    differentiate(tr_cumprod(x, 1));
    differentiate(tr_var(x, TR_AXES(0), 1, true));
    differentiate(tr_std(x, TR_AXES(1), 1, false));
    differentiate(tr_norm(x, 3, TR_AXES(1), false));
    differentiate(tr_logsumexp(x, TR_AXES(1), false));
    differentiate(tr_amax(x, TR_AXES(0), true));
    differentiate(tr_max(x, 1, false, &index));
    differentiate(tr_sort(x, 1, true, &index));
    differentiate(tr_topk(x, 2, 1, true, &index));
    differentiate(tr_pad_with(x, TR_SHAPE(1, 1), TR_SHAPE(2, 2), TR_PAD_REFLECT));
    differentiate(tr_repeat(x, TR_SHAPE(2, 2)));
    differentiate(tr_roll(x, 1, 1));
    differentiate(tr_tril(x, 0));
    differentiate(tr_diagonal(x, 1));
    differentiate(tr_scatter(x, 1, column, z));
    differentiate(tr_embedding(x, tr_randint(TR_SHAPE(3), 4, &rng)));
    differentiate(tr_masked_select(x, tr_less(x, z)));
    differentiate(tr_concat(parts, 3, 0));
    differentiate(tr_stack(parts, 3, 0));
    differentiate(tr_mse(x, z, TR_MEAN));
    differentiate(tr_bce_with_logits(x, tr_sigmoid(z), TR_MEAN));
    differentiate(tr_bce(tr_sigmoid(x), z, TR_MEAN));
    differentiate(tr_smooth_l1(x, z, 1, TR_SUM));
    differentiate(tr_kl_div(x, tr_sigmoid(z), TR_SUM));
    differentiate(tr_gaussian_nll(x, z, tr_exp(z), NULL, TR_SUM));
    differentiate(tr_poisson_nll(x, z, &(tr_nll_options){ .full = true }, TR_SUM));
    differentiate(tr_cross_entropy(x, t, &classes, TR_MEAN));
    differentiate(tr_cosine_similarity(x, z, 1));
    differentiate(tr_triplet(x, z, tr_neg(z), 1, TR_SUM));
    differentiate(tr_info_nce(x, z, 0.5, TR_SUM));
    differentiate(tr_standardize(x, TR_AXES(0), 1e-5, &mean, &var));
    differentiate(tr_take_along_axis(x, column, 1));
    use_statistics(x, z, &rng);
    tr_scope_pop(scope);
}

START_TEST(every_failed_allocation_is_an_error)
{
    const tr_allocator limited = { limited_alloc, limited_release, NULL };
    const int64_t      plenty = INT64_MAX;
    tr_memory_trim();
    tr_set_allocator(&limited);
    allowed = plenty;
    use_everything();
    ck_assert_msg(tr_status_get() == TR_OK, "%s", tr_error());
    const int64_t count = plenty - allowed, live = tr_memory().live_bytes;
    ck_assert(count > 300);
    for (int64_t n = 0; n < count; n++) {
        tr_memory_trim();
        allowed = n;
        use_everything();
        ck_assert_msg(tr_status_get() == TR_ERR_MEMORY, "allocation %d: %s", (int)n,
                      tr_error() != NULL ? tr_error() : "no error");
        tr_error_clear();
        ck_assert_int_eq(tr_memory().live_bytes, live);
    }
    tr_memory_trim();
    tr_set_allocator(NULL);
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { every_failed_allocation_is_an_error },
        { 0 },
    };
    return run_tests("composed memory", NULL, NULL, tests);
}
