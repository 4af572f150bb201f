/* test_concurrency.c: independent trainings in several threads of one process give the bits that
 * each gives alone, whatever the number of threads that each of them uses; the same in a build with
 * the thread sanitizer (preset tsan). A process that has computed may fork, and its child compute.
 */
#include "tests/files.h"
#include "tests/small.h"
#include "tests/suite.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

enum { TRAININGS = 6 };

static const char *const models[TRAININGS] = { "vae",  "denoising", "vae",
                                               "conv", "stacked",   "conv-vae" };

typedef struct job {
    int  index, threads;
    char dir[200], error[300];
} job;

static void *train(void *context)
{
    job *j = context;
    tr_set_threads(j->threads);
    tr_run *run = small_run(
        tr_model_find(models[j->index]), j->dir,
        &(tr_train_options){
            .epochs = 2, .batch = 24, .limit = 72, .val_limit = 20, .seed = (uint64_t)j->index });
    if (run != NULL) tr_run_train(run, NULL);
    if (run != NULL) tr_run_report(run);
    if (tr_error() != NULL) snprintf(j->error, sizeof j->error, "%s", tr_error());
    return NULL;
}

static void make_job(job *j, const char *kind, int index, int threads)
{
    *j = (job){ .index = index, .threads = threads };
    snprintf(j->dir, sizeof j->dir, "%s-%d", kind, index);
}

START_TEST(threads_do_not_disturb_each_other)
{
    job       alone[TRAININGS], together[TRAININGS];
    pthread_t threads[TRAININGS];
    for (int i = 0; i < TRAININGS; i++) {
        make_job(&alone[i], "alone", i, 1);
        ck_assert_int_eq(pthread_create(&threads[i], NULL, train, &alone[i]), 0);
        pthread_join(threads[i], NULL);
        ck_assert_str_eq(alone[i].error, "");
    }
    for (int i = 0; i < TRAININGS; i++) {
        make_job(&together[i], "together", i, 1 + i % 2);
        ck_assert_int_eq(pthread_create(&threads[i], NULL, train, &together[i]), 0);
    }
    for (int i = 0; i < TRAININGS; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_str_eq(together[i].error, "");
        assert_same_run(alone[i].dir, together[i].dir);
    }
}
END_TEST

/* A sum of products that is large enough for several threads. */
static double compute(void)
{
    tr_scope    *scope = tr_scope_push();
    tr_rng       rng = tr_rng_seed(5);
    tr_tensor   *a = tr_normal(TR_F32, TR_SHAPE(300, 300), &rng);
    const double sum = tr_item(tr_sum(tr_matmul(a, a), TR_ALL_AXES, false));
    tr_scope_pop(scope);
    return sum;
}

START_TEST(a_forked_child_computes)
{
    tr_set_threads(2);
    const double sum = compute();
    ck_assert(tr_status_get() == TR_OK);
    for (int i = 0; i < 3; i++) {
        const pid_t child = fork();
        if (child == 0) {
            alarm(20); /* a child that waits for threads which it does not have */
            signal(SIGALRM, SIG_DFL);
            _exit(compute() == sum ? 0 : 1);
        }
        int status = 0;
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_msg(!WIFSIGNALED(status), "the child was killed by signal %d", WTERMSIG(status));
        ck_assert_int_eq(WEXITSTATUS(status), 0);
        ck_assert(compute() == sum); /* and so does its parent, still */
    }
}
END_TEST

/* Of this process, where the system tells; else 0. */
static int running_threads(void)
{
    int  count = 0;
    DIR *tasks = opendir("/proc/self/task");
    if (tasks == NULL) return 0;
    for (struct dirent *e; (e = readdir(tasks)) != NULL;) count += e->d_name[0] != '.';
    closedir(tasks);
    return count;
}

static void *do_nothing(void *nothing)
{
    return nothing;
}

START_TEST(no_more_threads_than_were_asked_for)
{
    pthread_t first; /* with which a sanitizer starts a thread of its own */
    ck_assert_int_eq(pthread_create(&first, NULL, do_nothing, NULL), 0);
    pthread_join(first, NULL);
    const int before = running_threads();
    tr_set_threads(2);
    compute();
    ck_assert_int_le(running_threads() - before, 1);
}
END_TEST

START_TEST(signals_are_left_to_the_program)
{
    sigset_t one, after, pending;
    int      number = 0;
    sigemptyset(&one);
    sigaddset(&one, SIGUSR1);
    pthread_sigmask(SIG_SETMASK, &one, NULL);
    tr_set_threads(3);
    compute();
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    ck_assert(sigismember(&after, SIGUSR1) && !sigismember(&after, SIGINT) &&
              !sigismember(&after, SIGTERM));
    kill(getpid(), SIGUSR1);
    sigpending(&pending);
    ck_assert(sigismember(&pending, SIGUSR1)); /* no thread of the library has taken it */
    sigwait(&one, &number);
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { no_more_threads_than_were_asked_for },
        { a_forked_child_computes },
        { signals_are_left_to_the_program },
        { threads_do_not_disturb_each_other },
        { 0 },
    };
    return run_tests("concurrency", enter_folder, leave_folder, tests);
}
