/* parallel.c: the pool of threads (see parallel.h).
 *
 * Each worker has a mailbox: the caller writes a range into it, then raises its ticket. Only the
 * workers that have something to do are told. The last of them to finish wakes the caller. A wait
 * is a spin, then a park; the parked flag and the value waited for are both sequentially
 * consistent, so that either the waker sees the flag or the sleeper sees the new value. */
#include "parallel.h"

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

enum { SPINS = 5000, MAX_THREADS = 1024, CACHE_LINE = 64 };

/* A number that one thread waits for another to change. */
struct signal_word {
    atomic_uint value;
    atomic_bool parked;
#ifndef __linux__
    pthread_mutex_t mutex;
    pthread_cond_t changed;
#endif
};

struct worker {
    alignas(CACHE_LINE) struct signal_word ticket; /* counts the ranges given to this worker */
    program_task *task;                            /* NULL: end the thread */
    const void *context;
    long begin, end;
    struct pool *pool;
    pthread_t thread;
};

struct pool {
    alignas(CACHE_LINE) struct signal_word pending; /* workers that have not finished the loop */
    alignas(CACHE_LINE) atomic_bool busy;           /* a loop is running */
    int spins;
    int worker_count;
    struct worker *workers;
};

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
    atomic_init(&word->parked, false);
}
static void word_destroy(struct signal_word *word) {
    (void)word;
}

/* Sleeps until the value is not `value` any more; may return early. */
static void word_park(struct signal_word *word, unsigned value) {
    atomic_store(&word->parked, true);
    if (atomic_load(&word->value) == value)
        syscall(SYS_futex, (unsigned *)&word->value, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
    atomic_store(&word->parked, false);
}

/* To be called after each change of the value. */
static void word_wake(struct signal_word *word) {
    if (atomic_load(&word->parked))
        syscall(SYS_futex, (unsigned *)&word->value, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}
#else
static void word_init(struct signal_word *word) {
    atomic_init(&word->value, 0);
    atomic_init(&word->parked, false);
    pthread_mutex_init(&word->mutex, NULL);
    pthread_cond_init(&word->changed, NULL);
}
static void word_destroy(struct signal_word *word) {
    pthread_mutex_destroy(&word->mutex);
    pthread_cond_destroy(&word->changed);
}

static void word_park(struct signal_word *word, unsigned value) {
    pthread_mutex_lock(&word->mutex);
    atomic_store(&word->parked, true);
    if (atomic_load(&word->value) == value) pthread_cond_wait(&word->changed, &word->mutex);
    atomic_store(&word->parked, false);
    pthread_mutex_unlock(&word->mutex);
}

static void word_wake(struct signal_word *word) {
    if (!atomic_load(&word->parked)) return;
    pthread_mutex_lock(&word->mutex);
    pthread_cond_signal(&word->changed);
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

static void *worker_run(void *argument) {
    struct worker *worker = argument;
    struct pool *pool = worker->pool;
    for (unsigned seen = 0;;) {
        seen = word_wait_change(&worker->ticket, seen, pool->spins);
        if (!worker->task) return NULL;
        worker->task(worker->context, worker->begin, worker->end);
        if (atomic_fetch_sub(&pool->pending.value, 1) == 1) word_wake(&pool->pending);
    }
}

static void worker_post(struct worker *worker, program_task *task, const void *context, long begin,
                        long end) {
    worker->task = task;
    worker->context = context;
    worker->begin = begin;
    worker->end = end;
    atomic_fetch_add(&worker->ticket.value, 1);
    word_wake(&worker->ticket);
}

void pool_parallel(void *pool_pointer, program_task *task, const void *context, long count) {
    struct pool *pool = pool_pointer;
    if (count <= 0) return;
    /* A loop inside a loop, or one of another thread meanwhile, runs where it is. */
    if (!pool || !pool->worker_count || count == 1 || atomic_exchange(&pool->busy, true)) {
        task(context, 0, count);
        return;
    }
    long threads = count < pool->worker_count + 1 ? count : pool->worker_count + 1;
    long share = count / threads, longer = count % threads; /* the first `longer` get one more */
    long caller_end = share + (longer > 0);
    atomic_store(&pool->pending.value, (unsigned)(threads - 1));
    for (long thread = 1, begin = caller_end; thread < threads; thread++) {
        long end = begin + share + (thread < longer);
        worker_post(&pool->workers[thread - 1], task, context, begin, end);
        begin = end;
    }
    task(context, 0, caller_end);
    for (unsigned left; (left = atomic_load(&pool->pending.value)) != 0;)
        word_wait_change(&pool->pending, left, pool->spins);
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
    if (!workers) {
        free(pool);
        error_set(error, "out of memory for %d threads", threads);
        return NULL;
    }
    word_init(&pool->pending);
    atomic_init(&pool->busy, false);
    /* Spinning while somebody waits for this very processor would only delay him. */
    pool->spins = threads <= pool_processors() ? SPINS : 0;
    pool->workers = workers;

    /* Signals are for the caller: workers start with all of them blocked. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = 0;
    while (!failure && pool->worker_count < threads - 1) {
        struct worker *worker = &workers[pool->worker_count];
        worker->pool = pool;
        word_init(&worker->ticket);
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
    for (int i = 0; i < pool->worker_count; i++) worker_post(&pool->workers[i], NULL, NULL, 0, 0);
    for (int i = 0; i < pool->worker_count; i++) {
        pthread_join(pool->workers[i].thread, NULL);
        word_destroy(&pool->workers[i].ticket);
    }
    word_destroy(&pool->pending);
    free(pool->workers);
    free(pool);
}
