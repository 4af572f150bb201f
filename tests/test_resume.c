/* test_resume.c: trainings that are killed (SIGKILL) at random moments and gone on with, until they
 * are done: of every model, on one thread and on two. The weights and the log must be those of a
 * training that nobody disturbed, to the bit, and at most the steps since the last checkpoint are
 * taken again.
 *
 * A training is a child process; it writes the number of each step that it takes into memory that
 * it shares with this one. This process computes nothing, so that its children start afresh.
 * TENREC_TEST_RUNS sets the number of trainings: 2 of each model by default; the target resume-long
 * takes 200.                                                                                     */
#include "tests/files.h"
#include "tests/small.h"
#include "tests/suite.h"

#include <math.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

enum { BATCH = 16, IMAGES = 96, STEPS = IMAGES / BATCH, EPOCHS = 3, EVERY = 2, MOST_KILLS = 30 };

typedef struct shared {
    volatile int64_t first, last; /* steps of the process at work, from 1; 0: none yet */
    volatile int64_t taken;       /* by all processes together */
} shared;

static shared     *steps;
static int64_t     kills, repeated, trainings;

/* --- The child ------------------------------------------------------------------------------ */

static void count_step(void *context, const tr_progress *p)
{
    (void)context;
    const int64_t step = (p->epoch - 1) * STEPS + p->step;
    if (steps->first == 0) steps->first = step;
    steps->last = step;
    steps->taken++;
}

/* Begins or goes on; ends the process with 0 where the training is done. */
static void train(const tr_model_type *type, const char *dir, uint64_t seed, int threads)
{
    char config[600];
    tr_set_threads(threads);
    snprintf(config, sizeof config, "%s/config.json", dir);
    const bool begun = !tri_file_missing(config);
    tr_run    *run =
        begun ? tr_run_open(dir, NULL, TR_OPEN_RESUME)
                 : small_run(type, dir,
                             &(tr_train_options){
                                 .epochs = EPOCHS,
                                 .batch = BATCH,
                                 .limit = IMAGES,
                                 .val_limit = 20,
                                 .seed = seed,
                                 .early_stop = seed % 2 == 0 ? EPOCHS : 0,
                                 .schedule = type->fit != NULL ? 0 : (tr_rate_schedule)(seed % 5),
                                 .ema = type->fit == NULL && seed % 3 == 0 ? 0.9 : 0,
                                 .checkpoint_every = EVERY });
    if (run != NULL && begun) tr_run_use_data(run, NULL);
    if (run != NULL) tr_run_train(run, &(tr_callbacks){ .step = count_step });
    _exit(tr_status_print() == 0 && run->state >= TR_RUN_FINISHED ? 0 : 1);
}

/* --- The parent ----------------------------------------------------------------------------- */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Trains in a child that is killed after so many seconds (below 0: never). True where it was done.
 */
static bool attempt(const tr_model_type *type, const char *dir, uint64_t seed, int threads,
                    double seconds)
{
    steps->first = steps->last = 0;
    const pid_t child = fork();
    if (child == 0) train(type, dir, seed, threads);
    if (seconds >= 0) {
        const struct timespec wait = { (time_t)seconds, (long)(fmod(seconds, 1) * 1e9) };
        nanosleep(&wait, NULL);
        kill(child, SIGKILL);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status)) {
        ck_assert_int_eq(WTERMSIG(status), SIGKILL);
        return false;
    }
    ck_assert_msg(WEXITSTATUS(status) == 0, "%s: the training failed", type->name);
    return true;
}

static uint64_t state = 1;

/* In [0, 1): splitmix64. */
static double random_share(void)
{
    uint64_t z = state += 0x9E3779B97F4A7C15U;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

/* One training, killed again and again. `last` is the last step known to be taken: the next process
 * begins at the earliest after the checkpoint before it. */
static void disturb(const tr_model_type *type, uint64_t seed, int threads, const char *whole,
                    double seconds)
{
    const char *dir = "parts";
    int64_t     last = 0;
    steps->taken = 0;
    bool done = false;
    for (int i = 0; !done; i++) {
        done = attempt(type, dir, seed, threads,
                       i < MOST_KILLS ? seconds * (0.1 + random_share()) : -1);
        kills += !done;
        if (steps->first > 0)
            ck_assert_msg(steps->first > last - EVERY, "%s: step %d was done, and %d again",
                          type->name, (int)last, (int)steps->first);
        if (steps->last > last) last = steps->last;
    }
    trainings++;
    repeated += type->fit == NULL ? steps->taken - EPOCHS * STEPS : 0;
    assert_same_run(whole, dir);
    ck_assert_int_eq(system("rm -rf parts"), 0);
}

START_TEST(killed_trainings_end_with_the_same_bits)
{
    int                         count;
    const tr_model_type *const *types = tr_model_types(&count);
    const char                 *runs_text = getenv("TENREC_TEST_RUNS");
    const int                   runs = runs_text != NULL ? atoi(runs_text) : 2 * count;
    steps = mmap(NULL, sizeof *steps, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert(steps != MAP_FAILED);
    for (int m = 0; m < count; m++) {
        const uint64_t seed = (uint64_t)(m + 1);
        const char    *whole = types[m]->name;
        const double   from = now();
        ck_assert(attempt(types[m], whole, seed, 1, -1));
        const double seconds = now() - from;
        for (int run = m; run < runs; run += count)
            disturb(types[m], seed, 1 + run / count % 2, whole, seconds);
    }
    printf("%d trainings, killed %d times, took %d steps twice\n", (int)trainings, (int)kills,
           (int)repeated);
    ck_assert(trainings == runs && kills > runs / 2);
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { killed_trainings_end_with_the_same_bits },
        { 0 },
    };
    return run_tests("resume", enter_folder, leave_folder, tests);
}
