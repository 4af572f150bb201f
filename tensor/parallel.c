/* parallel.c: the one place where threads are used. Work is cut into pieces that depend on its size
 * only, so results are the same bits for any number of threads.
 *
 * There is one team of workers in a process. Who calls tri_parallel_for leads it; each member has a
 * run of the pieces of its own, so that data stays in its cache from loop to loop, and takes over
 * others' when it is done. A member that the system does not let run is not waited for, unless it
 * has begun. Between loops workers spin for a while, since the next loop is microseconds away, and
 * then sleep. Where the team is led already, the caller does all pieces itself: loops within loops,
 * several host threads at a time. A forked child starts a team of its own.
 * Read next: core.h (the contract), gemm.c (a user). */
#include "tensor/core.h"

#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    MAX_THREADS = 256,
    SPINS = 4000 /* of a waiting worker before it sleeps: about 0.1 ms */
};

/* The pieces of one member: the next one to do, and the end. */
typedef struct run {
    _Alignas(64) atomic_llong next;
    long long end;
} run;

static struct team {
    pthread_mutex_t lead; /* held by the caller whose loop the team works at */
    int             workers;
    pthread_t       thread[MAX_THREADS];

    /* The loop at work. Its number is published last, and taken back before the loop is changed:
     * who finds it after having entered may read the rest. */
    void (*body)(void *context, int64_t begin, int64_t end);
    void   *context;
    int64_t n, grain;
    int     members;
    run     runs[MAX_THREADS];
    _Alignas(64) atomic_llong number; /* of the loop; 0: none, -1: the process ends */
    _Alignas(64) atomic_int inside;   /* workers that have entered */
    long long loops;

    pthread_mutex_t mutex; /* for sleeping */
    pthread_cond_t  wake;
    atomic_int      asleep;
} team = { .lead = PTHREAD_MUTEX_INITIALIZER,
           .mutex = PTHREAD_MUTEX_INITIALIZER,
           .wake = PTHREAD_COND_INITIALIZER };

static void pause_briefly(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* --- How many ---------------------------------------------------------------------------------- */

static int default_threads(void)
{
    const char *wish = getenv("OMP_NUM_THREADS"); /* the name that numeric programs share */
    const long  asked = wish != NULL ? strtol(wish, NULL, 10) : 0;
    if (asked >= 1) return asked < MAX_THREADS ? (int)asked : MAX_THREADS;
    long count = sysconf(_SC_NPROCESSORS_ONLN);
#ifdef CPU_COUNT
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) count = CPU_COUNT(&set);
#endif
    return count < 1 ? 1 : count < MAX_THREADS ? (int)count : MAX_THREADS;
}

tr_status tr_set_threads(int threads)
{
    if (threads < 1 || threads > MAX_THREADS)
        return tr_fail(TR_ERR_VALUE, "set_threads: %d is not in 1 .. %d", threads, MAX_THREADS);
    tri_this_thread()->threads = threads;
    return TR_OK;
}

int tr_threads(void)
{
    tri_thread *state = tri_this_thread();
    if (state->threads == 0) state->threads = default_threads();
    return state->threads;
}

/* --- Workers ------------------------------------------------------------------------------------ */

/* Does pieces until none is left, a member's own first. */
static void work(int member)
{
    for (int i = 0; i < team.members; i++) {
        run *r = &team.runs[(member + i) % team.members];
        for (;;) {
            const int64_t piece = atomic_fetch_add_explicit(&r->next, 1, memory_order_relaxed);
            if (piece >= r->end) break;
            const int64_t begin = piece * team.grain, left = team.n - begin;
            team.body(team.context, begin, begin + (left < team.grain ? left : team.grain));
        }
    }
}

static void sleep_until_other(long long seen)
{
    pthread_mutex_lock(&team.mutex);
    atomic_fetch_add(&team.asleep, 1);
    long long number;
    while ((number = atomic_load(&team.number)) == 0 || number == seen)
        pthread_cond_wait(&team.wake, &team.mutex);
    atomic_fetch_sub(&team.asleep, 1);
    pthread_mutex_unlock(&team.mutex);
}

static void *serve(void *index)
{
    const int member = (int)(intptr_t)index;
    long long seen = 0;
    for (;;) {
        long long number = atomic_load(&team.number);
        for (int spin = 0; (number == 0 || number == seen) && spin < SPINS; spin++) {
            pause_briefly();
            number = atomic_load(&team.number);
        }
        if (number == -1) return NULL;
        if (number == 0 || number == seen) {
            sleep_until_other(seen);
            continue;
        }
        atomic_fetch_add(&team.inside, 1);
        if (atomic_load(&team.number) == number && member < team.members) work(member);
        atomic_fetch_sub(&team.inside, 1);
        seen = number;
    }
}

static void wake_sleepers(void)
{
    if (atomic_load(&team.asleep) == 0) return;
    pthread_mutex_lock(&team.mutex);
    pthread_cond_broadcast(&team.wake);
    pthread_mutex_unlock(&team.mutex);
}

static void before_fork(void)
{
    pthread_mutex_lock(&team.lead);
    pthread_mutex_lock(&team.mutex);
}

static void after_fork(void)
{
    pthread_mutex_unlock(&team.mutex);
    pthread_mutex_unlock(&team.lead);
}

/* The child has no workers. */
static void after_fork_in_child(void)
{
    team.workers = 0;
    atomic_store(&team.inside, 0);
    atomic_store(&team.asleep, 0);
    pthread_cond_init(&team.wake, NULL);
    after_fork();
}

static void watch_forks(void)
{
    pthread_atfork(before_fork, after_fork, after_fork_in_child);
}

/* Signals are for the program's own threads. A thread that cannot be had is done without. */
static void hire(int members)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    sigset_t              all, before;
    pthread_once(&once, watch_forks);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (team.workers < members - 1) {
        const intptr_t member = team.workers + 1;
        if (pthread_create(&team.thread[team.workers], NULL, serve, (void *)member) != 0) break;
        team.workers++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

__attribute__((destructor)) static void dismiss(void)
{
    if (team.workers == 0 || pthread_mutex_trylock(&team.lead) != 0) return;
    atomic_store(&team.number, -1);
    wake_sleepers();
    for (int i = 0; i < team.workers; i++) pthread_join(team.thread[i], NULL);
    team.workers = 0;
    pthread_mutex_unlock(&team.lead);
}

/* --- Loops -------------------------------------------------------------------------------------- */

static void lead(int64_t n, int64_t grain, int64_t pieces, int members,
                 void (*body)(void *context, int64_t begin, int64_t end), void *context)
{
    team.body = body;
    team.context = context;
    team.n = n;
    team.grain = grain;
    team.members = members;
    for (int i = 0; i < members; i++) {
        atomic_store_explicit(&team.runs[i].next, pieces * i / members, memory_order_relaxed);
        team.runs[i].end = pieces * (i + 1) / members;
    }
    atomic_store(&team.number, ++team.loops);
    wake_sleepers();
    work(0);
    atomic_store(&team.number, 0);
    for (int spin = 0; atomic_load(&team.inside) != 0; spin++) {
        pause_briefly();
        if (spin > SPINS) sched_yield();
    }
}

void tri_parallel_for(int64_t n, int64_t grain, void (*body)(void *context, int64_t, int64_t),
                      void *context)
{
    if (n <= 0) return;
    const int64_t pieces = (n - 1) / grain + 1;
    const int     threads = tr_threads();
    const int     members = pieces < threads ? (int)pieces : threads;
    if (members > 1 && pthread_mutex_trylock(&team.lead) == 0) {
        if (team.workers < members - 1) hire(members);
        lead(n, grain, pieces, members, body, context);
        pthread_mutex_unlock(&team.lead);
        return;
    }
    for (int64_t begin = 0; begin < n; begin += grain)
        body(context, begin, grain < n - begin ? begin + grain : n);
}

/* --- Slots -------------------------------------------------------------------------------------- */

bool tri_slots_make(tri_slots *s, uint64_t bytes)
{
    s->count = tr_threads();
    bytes = (bytes + 63) / 64 * 64;
    s->memory = tri_scratch((uint64_t)s->count * bytes);
    s->bytes = (size_t)bytes;
    s->taken = tri_scratch((uint64_t)s->count * sizeof *s->taken);
    if (!s->memory || !s->taken) return false;
    for (int i = 0; i < s->count; i++) atomic_init(&s->taken[i], false);
    return true;
}

void *tri_slot_take(tri_slots *s)
{
    for (int i = 0;; i = (i + 1) % s->count)
        if (!atomic_exchange(&s->taken[i], true)) return s->memory + (size_t)i * s->bytes;
}

void tri_slot_give(tri_slots *s, void *slot)
{
    atomic_store(&s->taken[(size_t)((char *)slot - s->memory) / s->bytes], false);
}
