/* test_soak.c: a long training of a small model takes the same memory throughout, to the page, but
 * for the rows of its log, and what is in its checkpoint is what is in memory, to the bit. 20,000
 * steps; TENREC_TEST_STEPS sets another number, and the target `soak` takes 1,000,000. */
#include "tests/files.h"
#include "tests/small.h"
#include "tests/suite.h"

enum { MOST_EPOCHS = 20, WARM_UP = 4, LOOKS = 4 };

static int64_t     resident[MOST_EPOCHS + 1][LOOKS + 1];

/* Pages of this process that are in memory. */
static int64_t resident_pages(void)
{
    long long total = 0, pages = 0;
    FILE     *f = fopen("/proc/self/statm", "r");
    if (f != NULL && fscanf(f, "%lld %lld", &total, &pages) != 2) pages = 0;
    if (f != NULL) fclose(f);
    return pages;
}

static void assert_same_tensor(const tr_tensor *a, const tr_tensor *b, const char *name)
{
    ck_assert_msg(a != NULL && b != NULL && tr_same_shape(a, b) && a->dtype == b->dtype, "%s",
                  name);
    ck_assert_msg(memcmp(a->data, b->data, (size_t)tr_numel(a) * tr_dtype_size(a->dtype)) == 0,
                  "%s: the checkpoint is not what is in memory", name);
}

static void assert_saved(const tr_named_list *saved, const char *prefix, const tr_named_list *live)
{
    char name[512];
    for (int64_t i = 0; i < live->count; i++) {
        snprintf(name, sizeof name, "%s%s", prefix, live->items[i].name);
        assert_same_tensor(tr_named_find(saved, name), live->items[i].tensor, name);
    }
}

/* After an epoch. */
static void look(void *context, const tr_run *run, const tr_epoch *row)
{
    (void)context;
    tr_scope     *scope = tr_scope_push();
    tr_named_list saved = { 0 }, optimizer = { 0 };
    const char   *path = "run/checkpoint/checkpoint.safetensors";
    ck_assert_int_eq(tr_load_safetensors(path, &saved), TR_OK);
    const tr_named_list model = tr_module_state(run->model->net);
    tr_optimizer_state(run->training->optimizer, &optimizer);
    ck_assert(model.count > 0 && optimizer.count > 0);
    assert_saved(&saved, "model.", &model);
    assert_saved(&saved, "", &optimizer);
    tr_scope_pop(scope);
    printf("epoch %2lld: %lld pages, loss %.5f, %.0f steps/s\n", (long long)row->epoch,
           (long long)resident[row->epoch][LOOKS], row->train.value[0], row->images_per_second);
    fflush(stdout);
}

/* At each quarter of an epoch. */
static void weigh(void *context, const tr_progress *p)
{
    (void)context;
    if (p->step % (p->steps / LOOKS) == 0)
        resident[p->epoch][p->step / (p->steps / LOOKS)] = resident_pages();
}

START_TEST(memory_is_flat_and_the_checkpoint_is_true)
{
    const char   *text = getenv("TENREC_TEST_STEPS");
    const int64_t steps = text != NULL ? atoll(text) : 20000;
    const int64_t epochs = steps > 500000 ? MOST_EPOCHS : 10; /* an epoch has 60,000 pictures */
    tr_set_threads(1);
    tr_run *run = small_run(
        tr_model_find("vae"), "run",
        &(tr_train_options){
            .epochs = epochs, .batch = 1, .limit = steps / epochs, .val_limit = 20, .seed = 1 });
    tr_run_train(run, &(tr_callbacks){ .step = weigh, .epoch = look });
    ck_assert_msg(tr_status_get() == TR_OK, "%s", tr_error());
    for (int64_t e = WARM_UP + 1; e <= epochs; e++)
        for (int i = 2; i <= LOOKS; i++)
            ck_assert_msg(resident[e][i] == resident[e][1], "epoch %d: %d pages, then %d", (int)e,
                          (int)resident[e][1], (int)resident[e][i]);
    /* What grows is the log, in memory and in the buffers it is written from: a row an epoch. */
    const int64_t grown = resident[epochs][LOOKS] - resident[WARM_UP + 1][LOOKS];
    ck_assert_msg(grown * 4096 <= (epochs + 4) * 4 * (int64_t)sizeof(tr_epoch),
                  "%d pages more after %d epochs", (int)grown, (int)epochs);
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { memory_is_flat_and_the_checkpoint_is_true },
        { 0 },
    };
    return run_tests("soak", enter_folder, leave_folder, tests);
}
