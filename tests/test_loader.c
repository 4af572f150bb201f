/* The loader: each image once an epoch, partial batches, ranges, order by (seed, epoch), resuming.
 */
#include "datasets/datasets.h"
#include "tensor/core.h"
#include "tests/suite.h"

#include <string.h>

static tr_dataset *digits;

static void setup(void)
{
    digits = tr_dataset_open("digits", NULL);
    ck_assert_ptr_nonnull(digits);
}

static tr_loader *loader_of(tr_loader_options options)
{
    tr_loader *loader = tr_loader_new(digits, &options);
    ck_assert_msg(loader != NULL, "%s", tr_error());
    return loader;
}

/* The positions of one epoch in the order given; returns how many, and checks each batch. */
static int64_t epoch_of(tr_loader *loader, tr_data_split split, int64_t *index, int64_t *batches)
{
    int64_t n = 0;
    *batches = 0;
    for (tr_batch b; tr_loader_next(loader, &b); ++*batches) {
        int64_t size = tr_dim(b.index, 0);
        tr_tensor *all = NULL;
        ck_assert_int_eq(tr_dim(b.x, 0), size);
        ck_assert_int_eq(tr_dim(b.labels, 0), size);
        for (int64_t i = 0; i < size; i++) {
            int64_t k = index[n++] = ((int64_t *)b.index->data)[i];
            tr_scope *scope = tr_scope_push();
            all = tr_dataset_images(digits, split, k, k + 1);
            ck_assert_mem_eq((float *)b.x->data + 784 * i, all->data, 784 * sizeof(float));
            tr_scope_pop(scope);
            ck_assert_int_eq(((int64_t *)b.labels->data)[i], k % 10);
        }
    }
    ck_assert_int_eq(tr_status_get(), TR_OK);
    return n;
}

START_TEST(in_order)
{
    tr_loader *loader = loader_of((tr_loader_options){ .split = TR_TEST, .limit = 300 });
    int64_t index[300], batches;
    ck_assert_int_eq(tr_loader_images(loader), 300);
    ck_assert_int_eq(tr_loader_batches(loader), 3);
    for (int epoch = 0; epoch < 2; epoch++) {
        ck_assert_int_eq(tr_loader_epoch(loader), epoch);
        ck_assert_int_eq(epoch_of(loader, TR_TEST, index, &batches), 300);
        ck_assert_int_eq(batches, 3); /* 128, 128, 44 */
        for (int i = 0; i < 300; i++) ck_assert_int_eq(index[i], i);
    }
}
END_TEST

START_TEST(shuffled_covers)
{
    tr_loader *loader = loader_of(
        (tr_loader_options){ .batch = 64, .shuffle = true, .seed = 3, .begin = 1000, .end = 1500 });
    int64_t first[500], index[500], batches;
    for (int epoch = 0; epoch < 3; epoch++) {
        int seen[500] = { 0 }, moved = 0, same = 0;
        ck_assert_int_eq(epoch_of(loader, TR_TRAIN, index, &batches), 500);
        ck_assert_int_eq(batches, 8);
        if (epoch == 0) memcpy(first, index, sizeof first);
        for (int i = 0; i < 500; i++) {
            ck_assert(index[i] >= 1000 && index[i] < 1500);
            seen[index[i] - 1000]++;
            moved += index[i] != 1000 + i;
            same += index[i] == first[i];
        }
        for (int i = 0; i < 500; i++) ck_assert_int_eq(seen[i], 1);
        ck_assert_int_gt(moved, 450);
        if (epoch > 0) ck_assert_int_lt(same, 50); /* another order each epoch */
    }
}
END_TEST

START_TEST(order_is_the_permutation)
{
    tr_loader *loader = loader_of((tr_loader_options){ .shuffle = true, .seed = 11, .limit = 100 });
    int64_t index[100], batches;
    for (uint64_t epoch = 0; epoch < 2; epoch++) {
        tr_rng rng = tr_rng_stream(11, epoch);
        tr_tensor *expected = tr_permutation(100, &rng);
        epoch_of(loader, TR_TRAIN, index, &batches);
        ck_assert_mem_eq(index, expected->data, sizeof index);
    }
}
END_TEST

START_TEST(drop_last)
{
    tr_loader *loader = loader_of(
        (tr_loader_options){ .batch = 64, .shuffle = true, .drop_last = true, .limit = 500 });
    int64_t index[500], batches;
    ck_assert_int_eq(tr_loader_images(loader), 448);
    ck_assert_int_eq(tr_loader_batches(loader), 7);
    ck_assert_int_eq(epoch_of(loader, TR_TRAIN, index, &batches), 448);
    ck_assert_int_eq(batches, 7);
}
END_TEST

START_TEST(whole_batches)
{
    int64_t index[128], batches;
    tr_loader *even = loader_of((tr_loader_options){ .batch = 64, .limit = 128 });
    ck_assert_int_eq(epoch_of(even, TR_TRAIN, index, &batches), 128);
    ck_assert_int_eq(batches, 2);
    tr_loader *small = loader_of((tr_loader_options){ .batch = 1000, .limit = 5 });
    ck_assert_int_eq(epoch_of(small, TR_TRAIN, index, &batches), 5);
    ck_assert_int_eq(batches, 1);
}
END_TEST

/* Going to (epoch, batch) gives the same rest as having come there. */
START_TEST(seek)
{
    tr_loader_options options = { .batch = 32, .shuffle = true, .seed = 5, .limit = 200 };
    tr_loader *straight = loader_of(options), *resumed = loader_of(options);
    tr_batch a, b;
    for (int i = 0; i < 8 + 3; i++)
        tr_loader_next(straight, &a); /* 7 batches, the end, 3 batches */
    ck_assert_int_eq(tr_loader_epoch(straight), 1);
    ck_assert_int_eq(tr_loader_position(straight), 3);
    ck_assert_int_eq(tr_loader_seek(resumed, 1, 3), TR_OK);
    for (int i = 0; i < 12; i++) {
        bool more = tr_loader_next(straight, &a);
        ck_assert_int_eq(tr_loader_next(resumed, &b), more);
        if (!more) continue;
        ck_assert_int_eq(tr_dim(a.x, 0), tr_dim(b.x, 0));
        ck_assert_mem_eq(a.index->data, b.index->data, (size_t)tr_dim(a.x, 0) * sizeof(int64_t));
        ck_assert_mem_eq(a.x->data, b.x->data, (size_t)tr_numel(a.x) * sizeof(float));
    }
    ck_assert_int_eq(tr_loader_seek(resumed, 4, 7), TR_OK); /* the end of an epoch */
    ck_assert(!tr_loader_next(resumed, &b));
    ck_assert_int_eq(tr_loader_epoch(resumed), 5);
}
END_TEST

START_TEST(same_for_any_threads)
{
    float *x[3];
    for (int t = 0; t < 3; t++) {
        tr_set_threads(t + 1);
        tr_batch b;
        tr_dataset *fresh = tr_dataset_open("digits", NULL);
        tr_loader *loader =
            tr_loader_new(fresh, &(tr_loader_options){ .batch = 200, .shuffle = true });
        ck_assert(tr_loader_next(loader, &b));
        x[t] = b.x->data;
        ck_assert_mem_eq(x[t], x[0], 200 * 784 * sizeof(float));
    }
}
END_TEST

START_TEST(takes_no_memory_later)
{
    tr_loader *loader = loader_of((tr_loader_options){ .shuffle = true, .limit = 1000 });
    tr_batch b;
    while (tr_loader_next(loader, &b)) {
    }
    int64_t before = tr_memory().allocations;
    for (int epoch = 0; epoch < 3; epoch++)
        while (tr_loader_next(loader, &b)) {
        }
    ck_assert_int_eq(tr_memory().allocations, before);
}
END_TEST

/* The tensors are reused: a record made of the old values can tell that they changed. */
START_TEST(marks_changes)
{
    tr_loader *loader = loader_of((tr_loader_options){ .limit = 200 });
    tr_batch b;
    ck_assert(tr_loader_next(loader, &b));
    uint32_t version = b.x->storage->version;
    ck_assert(tr_loader_next(loader, &b));
    ck_assert_uint_ne(b.x->storage->version, version);
}
END_TEST

static void expect_loader_error(tr_loader_options options, const char *message)
{
    expect_null(tr_loader_new(digits, &options), message);
}

START_TEST(errors)
{
    expect_loader_error((tr_loader_options){ .batch = -1 },
                        "loader: batch is -1, expected 1 or more, or 0 for the default");
    expect_loader_error((tr_loader_options){ .limit = -7 },
                        "loader: limit is -7, expected 1 or more, or 0 for the default");
    expect_loader_error((tr_loader_options){ .begin = 10, .end = 60001 },
                        "loader: images 10 to 60001 of digits's train split, which has 60000");
    expect_loader_error(
        (tr_loader_options){ .split = TR_TEST, .begin = 10000 },
        "loader: no image of digits's test split is chosen: begin and end are 10000");
    expect_loader_error((tr_loader_options){ .limit = 5, .batch = 6, .drop_last = true },
                        "loader: 5 images make no full batch of 6, and drop_last is set");
    ck_assert_ptr_null(tr_loader_new(NULL, NULL));
    ck_assert_str_eq(tr_error(), "loader: the dataset is NULL");
    tr_error_clear();
    tr_loader *loader = loader_of((tr_loader_options){ .limit = 5 });
    tr_batch b;
    ck_assert_int_eq(tr_loader_seek(loader, 0, 2), TR_ERR_VALUE);
    ck_assert_str_eq(tr_error(), "loader_seek: epoch 0, batch 2: an epoch has 1 batches");
    ck_assert(!tr_loader_next(loader, &b)); /* an error sticks */
    tr_error_clear();
    ck_assert(tr_loader_next(loader, &b));
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { in_order },
        { shuffled_covers },
        { order_is_the_permutation },
        { drop_last },
        { whole_batches },
        { seek },
        { same_for_any_threads },
        { takes_no_memory_later },
        { marks_changes },
        { errors },
        { 0 },
    };
    return run_tests("loader", setup, NULL, tests);
}
