/* parallel.c: the pool of threads (see parallel.h).
 *
 * A loop is cut into one range per thread; a thread that is through with its own takes what is left
 * of the others'. So each thread mostly works on the same units in every loop (their data is in its
 * cache), and yet a thread that the system keeps from running delays nobody: the caller waits only
 * for units that have been begun. Workers wait for the ticket to change, the caller for the last
 * active worker. A wait is a spin, then a park; the count of the parked and the value waited for
 * are both sequentially consistent, so that either the waker sees the count or the sleeper the new
 * value. */
#include "parallel.h"

#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef __linux__
#include <linux/futex.h>
#include <sys/syscall.h>
#endif

enum { SPINS = 5000, MAX_THREADS = 1024, CACHE_LINE = 64, PIECES = 8 };

static const unsigned OPEN = 1u << 31; /* in pool->state: workers may still join the loop */

/* A number that threads wait for another to change. */
struct signal_word {
    atomic_uint value;
    atomic_int parked; /* threads asleep, or about to be */
#ifndef __linux__
    pthread_mutex_t mutex;
    pthread_cond_t changed;
#endif
};

/* A thread's share of the loop. */
struct range {
    alignas(CACHE_LINE) atomic_long next;
    long begin, end, piece; /* units taken at once */
};

struct worker {
    struct pool *pool;
    int number; /* 1, 2, ...: its range */
    pthread_t thread;
};

struct pool {
    alignas(CACHE_LINE) struct signal_word ticket; /* counts the loops */
    alignas(CACHE_LINE) struct signal_word state;  /* OPEN, and the number of active workers */
    alignas(CACHE_LINE) atomic_bool busy;          /* a loop is running */
    program_task *task;                            /* NULL: end the threads */
    const void *context;
    int spins;
    int worker_count, range_count;
    struct worker *workers;
    struct range *ranges;
};

/* The calling thread's share of the loop that it is in. */
struct share {
    bool is_in_loop, has_begun;
    long start; /* its first unit */
};
static _Thread_local struct share share;

static void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#else
    sched_yield();
#endif
}

#ifdef __linux__
static void word_init(struct signal_word *word) {
    atomic_init(&word->value, 0);
    atomic_init(&word->parked, 0);
}
static void word_destroy(struct signal_word *word) {
    (void)word;
}

/* Sleeps until the value is not `value` any more; may return early. */
static void word_park(struct signal_word *word, unsigned value) {
    atomic_fetch_add(&word->parked, 1);
    if (atomic_load(&word->value) == value)
        syscall(SYS_futex, (unsigned *)&word->value, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
    atomic_fetch_sub(&word->parked, 1);
}

/* To be called after each change of the value. */
static void word_wake(struct signal_word *word) {
    if (atomic_load(&word->parked))
        syscall(SYS_futex, (unsigned *)&word->value, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}
#else
static void word_init(struct signal_word *word) {
    atomic_init(&word->value, 0);
    atomic_init(&word->parked, 0);
    pthread_mutex_init(&word->mutex, NULL);
    pthread_cond_init(&word->changed, NULL);
}
static void word_destroy(struct signal_word *word) {
    pthread_mutex_destroy(&word->mutex);
    pthread_cond_destroy(&word->changed);
}

static void word_park(struct signal_word *word, unsigned value) {
    pthread_mutex_lock(&word->mutex);
    atomic_fetch_add(&word->parked, 1);
    if (atomic_load(&word->value) == value) pthread_cond_wait(&word->changed, &word->mutex);
    atomic_fetch_sub(&word->parked, 1);
    pthread_mutex_unlock(&word->mutex);
}

static void word_wake(struct signal_word *word) {
    if (!atomic_load(&word->parked)) return;
    pthread_mutex_lock(&word->mutex);
    pthread_cond_broadcast(&word->changed);
    pthread_mutex_unlock(&word->mutex);
}
#endif

/* Returns once the value differs from `value`. */
static unsigned word_wait_change(struct signal_word *word, unsigned value, int spins) {
    for (;;) {
        for (int spin = 0; spin <= spins; spin++) {
            unsigned now = atomic_load_explicit(&word->value, memory_order_acquire);
            if (now != value) return now;
            relax();
        }
        word_park(word, value);
    }
}

/* Runs what is left of the loop: the thread's own range first, then the others'. */
static void run_ranges(struct pool *pool, int first) {
    if (first >= pool->range_count) return; /* there is work for the others alone */
    share = (struct share){.is_in_loop = true, .start = pool->ranges[first].begin};
    for (int i = 0; i < pool->range_count; i++) {
        struct range *range = &pool->ranges[(first + i) % pool->range_count];
        for (;;) {
            if (atomic_load_explicit(&range->next, memory_order_relaxed) >= range->end) break;
            long begin = atomic_fetch_add(&range->next, range->piece);
            if (begin >= range->end) break;
            long end = begin + range->piece < range->end ? begin + range->piece : range->end;
            pool->task(pool->context, begin, end);
        }
    }
    share = (struct share){0};
}

static void run_alone(program_task *task, const void *context, long count) {
    struct share outer = share;
    share = (struct share){0};
    task(context, 0, count);
    share = outer;
}

long pool_range_start(void *pool) {
    (void)pool;
    return share.start;
}

bool pool_begins(void *pool) {
    (void)pool;
    bool is_first = !share.is_in_loop || !share.has_begun;
    share.has_begun = true;
    return is_first;
}

/* Joins the loop unless it is over. */
static bool join_loop(struct pool *pool) {
    unsigned state = atomic_load(&pool->state.value);
    while (state & OPEN)
        if (atomic_compare_exchange_weak(&pool->state.value, &state, state + 1)) return true;
    return false;
}

static void *worker_run(void *argument) {
    struct worker *worker = argument;
    struct pool *pool = worker->pool;
    for (unsigned seen = 0;;) {
        seen = word_wait_change(&pool->ticket, seen, pool->spins);
        if (!join_loop(pool)) continue;
        bool is_end = !pool->task;
        if (!is_end) run_ranges(pool, worker->number);
        if (atomic_fetch_sub(&pool->state.value, 1) == 1) word_wake(&pool->state);
        if (is_end) return NULL;
    }
}

static void announce(struct pool *pool, program_task *task, const void *context) {
    pool->task = task;
    pool->context = context;
    atomic_store(&pool->state.value, OPEN);
    atomic_fetch_add(&pool->ticket.value, 1);
    word_wake(&pool->ticket);
}

void pool_parallel(void *pool_pointer, program_task *task, const void *context, long count) {
    struct pool *pool = pool_pointer;
    if (count <= 0) return;
    /* A loop inside a loop, or one of another thread meanwhile, runs where it is. */
    if (!pool || !pool->worker_count || count == 1 || atomic_exchange(&pool->busy, true)) {
        run_alone(task, context, count);
        return;
    }
    int threads = pool->worker_count + 1;
    pool->range_count = count < threads ? (int)count : threads;
    long share = count / pool->range_count, longer = count % pool->range_count, begin = 0;
    for (int i = 0; i < pool->range_count; i++) {
        struct range *range = &pool->ranges[i];
        long length = share + (i < longer);
        atomic_store_explicit(&range->next, begin, memory_order_relaxed);
        range->begin = begin;
        range->end = begin + length;
        range->piece = length < PIECES ? 1 : length / PIECES;
        begin += length;
    }
    announce(pool, task, context);
    run_ranges(pool, 0);
    unsigned active = atomic_fetch_and(&pool->state.value, ~OPEN) & ~OPEN;
    while (active) active = word_wait_change(&pool->state, active, pool->spins);
    atomic_store(&pool->busy, false);
}

int pool_processors(void) {
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) return CPU_COUNT(&set);
#endif
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    if (online < 1) return 1;
    return online < MAX_THREADS ? (int)online : MAX_THREADS;
}

static void *aligned_zeroed(size_t size) {
    void *memory = aligned_alloc(CACHE_LINE, (size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE);
    return memory ? memset(memory, 0, size) : NULL;
}

struct pool *pool_new(int threads, struct error *error) {
    if (threads < 1 || threads > MAX_THREADS) {
        error_set(error, "%d threads: must be 1 to %d", threads, MAX_THREADS);
        return NULL;
    }
    struct pool *pool = aligned_zeroed(sizeof *pool);
    struct worker *workers = pool ? aligned_zeroed(sizeof *workers * (size_t)threads) : NULL;
    struct range *ranges = workers ? aligned_zeroed(sizeof *ranges * (size_t)threads) : NULL;
    if (!ranges) {
        free(workers);
        free(pool);
        error_set(error, "out of memory for %d threads", threads);
        return NULL;
    }
    word_init(&pool->ticket);
    word_init(&pool->state);
    atomic_init(&pool->busy, false);
    /* Spinning while somebody waits for this very processor would only delay him. */
    pool->spins = threads <= pool_processors() ? SPINS : 0;
    pool->workers = workers;
    pool->ranges = ranges;

    /* Signals are for the caller: workers start with all of them blocked. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = 0;
    while (!failure && pool->worker_count < threads - 1) {
        struct worker *worker = &workers[pool->worker_count];
        worker->pool = pool;
        worker->number = pool->worker_count + 1;
        failure = pthread_create(&worker->thread, NULL, worker_run, worker);
        if (!failure) pool->worker_count++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failure) {
        error_set(error, "cannot start %d threads: %s", threads, strerror(failure));
        pool_free(pool);
        return NULL;
    }
    return pool;
}

void pool_free(struct pool *pool) {
    if (!pool) return;
    if (pool->worker_count) announce(pool, NULL, NULL);
    for (int i = 0; i < pool->worker_count; i++) pthread_join(pool->workers[i].thread, NULL);
    word_destroy(&pool->ticket);
    word_destroy(&pool->state);
    free(pool->ranges);
    free(pool->workers);
    free(pool);
}
