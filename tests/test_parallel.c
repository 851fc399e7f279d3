/* test_parallel.c: the thread pool: every unit runs once, in any sequence of loops. */
#include "../runtime/parallel.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { UNITS = 1000 };

struct counted {
    int times[UNITS];
    double squares[UNITS];
    atomic_int calls;
};

static void count_unit(const void *context, long begin, long end) {
    struct counted *counted = (struct counted *)context;
    atomic_fetch_add(&counted->calls, 1);
    for (long i = begin; i < end; i++) {
        counted->times[i]++;
        counted->squares[i] = (double)i * (double)i;
    }
}

static void each_unit_runs_once(void **state) {
    (void)state;
    for (int threads = 1; threads <= 8; threads++) {
        struct error error;
        struct pool *pool = pool_new(threads, &error);
        assert_non_null(pool);
        for (long count = 0; count <= 40; count++) {
            static struct counted counted;
            memset(&counted, 0, sizeof counted);
            pool_parallel(pool, count_unit, &counted, count);
            for (long i = 0; i < UNITS; i++) assert_int_equal(counted.times[i], i < count);
            assert_true(counted.calls <= count); /* no empty calls */
        }
        pool_free(pool);
    }
}

static void sums_do_not_depend_on_threads(void **state) {
    (void)state;
    double expected = (double)(UNITS - 1) * UNITS * (2 * UNITS - 1) / 6;
    for (int threads = 1; threads <= 8; threads++) {
        struct pool *pool = pool_new(threads, NULL);
        assert_non_null(pool);
        static struct counted counted;
        memset(&counted, 0, sizeof counted);
        pool_parallel(pool, count_unit, &counted, UNITS);
        double sum = 0;
        for (int i = 0; i < UNITS; i++) sum += counted.squares[i];
        assert_true(sum == expected);
        pool_free(pool);
    }
}

enum { SHARE_UNITS = 37 };

/* Who works in which share: no two at the same time, and each in one share alone. */
struct shares {
    struct pool *pool;
    atomic_int workers[SHARE_UNITS];
    atomic_int mistakes;
};

static void note_share(const void *context, long begin, long end) {
    static _Thread_local long share_of_loop = -1;
    struct shares *shares = (struct shares *)context;
    long share = pool_range_start(shares->pool);
    (void)end;
    if (share < 0 || share >= SHARE_UNITS) {
        atomic_fetch_add(&shares->mistakes, 1);
        return;
    }
    if (atomic_fetch_add(&shares->workers[share], 1) != 0) atomic_fetch_add(&shares->mistakes, 1);
    if (begin == share) share_of_loop = share; /* the thread's first piece, unless it was taken */
    if (share_of_loop >= 0 && share_of_loop != share) atomic_fetch_add(&shares->mistakes, 1);
    for (volatile int i = 0; i < 2000; i++) continue;
    atomic_fetch_sub(&shares->workers[share], 1);
}

static void no_two_threads_have_one_share(void **state) {
    (void)state;
    for (int threads = 1; threads <= 8; threads++) {
        struct shares shares = {.pool = pool_new(threads, NULL)};
        assert_non_null(shares.pool);
        for (int loop = 0; loop < 200; loop++)
            pool_parallel(shares.pool, note_share, &shares, SHARE_UNITS);
        assert_int_equal(shares.mistakes, 0);
        assert_int_equal(pool_range_start(shares.pool), 0);
        pool_free(shares.pool);
    }
}

static void fewer_units_than_threads(const void *context, long begin, long end) {
    atomic_int *mistakes = (atomic_int *)context;
    (void)begin, (void)end;
    if (pool_range_start(NULL) >= 3) atomic_fetch_add(mistakes, 1);
}

static void loop_within(const void *context, long begin, long end) {
    (void)begin, (void)end;
    const struct shares *shares = context;
    long outer = pool_range_start(shares->pool);
    pool_parallel(shares->pool, fewer_units_than_threads, &shares->mistakes, 1);
    pool_parallel(shares->pool, fewer_units_than_threads, &shares->mistakes, 3);
    if (pool_range_start(shares->pool) != outer)
        atomic_fetch_add(&((struct shares *)context)->mistakes, 1);
}

/* A loop of one thread has its memory for itself: it starts at 0. */
static void shares_stay_within_the_loop(void **state) {
    (void)state;
    struct shares shares = {.pool = pool_new(8, NULL)};
    assert_non_null(shares.pool);
    for (int loop = 0; loop < 200; loop++) {
        pool_parallel(shares.pool, fewer_units_than_threads, &shares.mistakes, 3);
        pool_parallel(shares.pool, loop_within, &shares, SHARE_UNITS);
    }
    assert_int_equal(shares.mistakes, 0);
    pool_free(shares.pool);
}

struct beginnings {
    struct pool *pool;
    long loop; /* 1, 2, ... */
    atomic_int mistakes;
};

static void one_call(const void *context, long begin, long end) {
    struct beginnings *beginnings = (struct beginnings *)context;
    (void)begin, (void)end;
    if (!pool_begins(beginnings->pool)) atomic_fetch_add(&beginnings->mistakes, 1);
}

static void note_beginning(const void *context, long begin, long end) {
    static _Thread_local long last_loop;
    struct beginnings *beginnings = (struct beginnings *)context;
    (void)end;
    bool is_first = last_loop != beginnings->loop;
    last_loop = beginnings->loop;
    if (begin % 2) pool_parallel(beginnings->pool, one_call, beginnings, 5);
    if (pool_begins(beginnings->pool) != is_first) atomic_fetch_add(&beginnings->mistakes, 1);
}

static void each_thread_begins_once(void **state) {
    (void)state;
    for (int threads = 1; threads <= 8; threads++) {
        struct beginnings beginnings = {.pool = pool_new(threads, NULL)};
        assert_non_null(beginnings.pool);
        for (int loop = 1; loop <= 200; loop++) {
            beginnings.loop = threads * 1000 + loop;
            pool_parallel(beginnings.pool, note_beginning, &beginnings, SHARE_UNITS);
            assert_true(pool_begins(beginnings.pool));
            assert_true(pool_begins(beginnings.pool));
        }
        assert_int_equal(beginnings.mistakes, 0);
        pool_free(beginnings.pool);
    }
}

static void add_units(const void *context, long begin, long end) {
    atomic_fetch_add((atomic_long *)context, end - begin);
}

static void pause_for(long microseconds) {
    struct timespec time = {0, microseconds * 1000};
    nanosleep(&time, NULL);
}

/* Loops back to back, and after pauses around the moment when workers park. */
static void many_loops_of_all_lengths(void **state) {
    (void)state;
    for (int threads = 2; threads <= 5; threads++) {
        struct pool *pool = pool_new(threads, NULL);
        assert_non_null(pool);
        atomic_long total = 0;
        long expected = 0;
        uint32_t random = 1;
        for (int loop = 0; loop < 3000; loop++) {
            random = random * 1664525u + 1013904223u;
            long count = random >> 29;
            expected += count;
            pool_parallel(pool, add_units, &total, count);
            assert_int_equal(total, expected);
            if (loop % 50 == 0) pause_for((random >> 8) % 2000);
        }
        pool_free(pool);
    }
}

static void slow_last_unit(const void *context, long begin, long end) {
    if (end == 4) pause_for(3000);
    add_units(context, begin, end);
}

static void the_caller_waits_for_slow_workers(void **state) {
    (void)state;
    struct pool *pool = pool_new(4, NULL);
    assert_non_null(pool);
    atomic_long total = 0;
    for (int loop = 1; loop <= 20; loop++) {
        pool_parallel(pool, slow_last_unit, &total, 4);
        assert_int_equal(total, 4 * loop);
    }
    pool_free(pool);
}

struct nested {
    struct pool *pool;
    atomic_long *total;
};

static void run_inner(const void *context, long begin, long end) {
    const struct nested *nested = context;
    for (long i = begin; i < end; i++) pool_parallel(nested->pool, add_units, nested->total, 10);
}

static void loops_inside_loops(void **state) {
    (void)state;
    struct pool *pool = pool_new(3, NULL);
    assert_non_null(pool);
    atomic_long total = 0;
    struct nested nested = {pool, &total};
    for (int loop = 1; loop <= 200; loop++) {
        pool_parallel(pool, run_inner, &nested, 7);
        assert_int_equal(total, 70 * loop);
    }
    pool_free(pool);
}

static void *run_loops(void *argument) {
    const struct nested *nested = argument;
    for (int loop = 0; loop < 500; loop++) pool_parallel(nested->pool, add_units, nested->total, 8);
    return NULL;
}

static void two_callers_at_once(void **state) {
    (void)state;
    struct pool *pool = pool_new(3, NULL);
    assert_non_null(pool);
    atomic_long total = 0;
    struct nested nested = {pool, &total};
    pthread_t other;
    assert_int_equal(pthread_create(&other, NULL, run_loops, &nested), 0);
    run_loops(&nested);
    pthread_join(other, NULL);
    assert_int_equal(total, 2 * 500 * 8);
    pool_free(pool);
}

struct visit {
    pthread_t caller;
    int by_caller, by_others;
};

static void note_visit(const void *context, long begin, long end) {
    struct visit *visit = (struct visit *)context;
    bool caller = pthread_equal(visit->caller, pthread_self());
    *(caller ? &visit->by_caller : &visit->by_others) += (int)(end - begin);
}

static void one_unit_stays_on_the_caller(void **state) {
    (void)state;
    struct pool *pool = pool_new(4, NULL);
    assert_non_null(pool);
    struct visit visit = {pthread_self(), 0, 0};
    pool_parallel(pool, note_visit, &visit, 1);
    pool_free(pool);
    pool_parallel(NULL, note_visit, &visit, 9);
    assert_int_equal(visit.by_caller, 10);
    assert_int_equal(visit.by_others, 0);
}

static void pools_come_and_go(void **state) {
    (void)state;
    for (int i = 0; i < 100; i++) {
        struct pool *pool = pool_new(1 + i % 6, NULL);
        assert_non_null(pool);
        atomic_long total = 0;
        if (i % 3) pool_parallel(pool, add_units, &total, 6);
        assert_int_equal(total, i % 3 ? 6 : 0);
        pool_free(pool);
    }
    pool_free(NULL);
}

static void bad_numbers_of_threads(void **state) {
    (void)state;
    struct error error;
    assert_null(pool_new(0, &error));
    assert_string_equal(error.text, "0 threads: must be 1 to 1024");
    assert_null(pool_new(-3, &error));
    assert_null(pool_new(1000000, &error));
    assert_true(pool_processors() >= 1);
}

int main(void) {
    alarm(120); /* a deadlock fails the test */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_unit_runs_once),
        cmocka_unit_test(sums_do_not_depend_on_threads),
        cmocka_unit_test(no_two_threads_have_one_share),
        cmocka_unit_test(shares_stay_within_the_loop),
        cmocka_unit_test(each_thread_begins_once),
        cmocka_unit_test(many_loops_of_all_lengths),
        cmocka_unit_test(the_caller_waits_for_slow_workers),
        cmocka_unit_test(loops_inside_loops),
        cmocka_unit_test(two_callers_at_once),
        cmocka_unit_test(one_unit_stays_on_the_caller),
        cmocka_unit_test(pools_come_and_go),
        cmocka_unit_test(bad_numbers_of_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
