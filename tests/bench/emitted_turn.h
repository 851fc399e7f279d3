/* emitted_turn.h: what emitted.c and emitted_training.c share: the names of the emitted model, and
 * turns of calls. They are built by emitted.py with -DNAME=name -DUPPER=NAME -DHEADER="name.h". */
#ifndef LATHE_EMITTED_TURN_H
#define LATHE_EMITTED_TURN_H

#define _POSIX_C_SOURCE 200112L
#include <stdlib.h>
#include <time.h>

#include HEADER

#define JOIN2(a, b) a##_##b
#define JOIN(a, b) JOIN2(a, b)
#define F(function) JOIN(NAME, function)
#define M(macro) JOIN(UPPER, macro)

enum { TURN_NANOSECONDS = 20000000, MOST_CALLS = 1 << 20 };

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int compare_numbers(const void *a, const void *b) {
    const double p = *(const double *)a, q = *(const double *)b;
    return (p > q) - (p < q);
}

/* The median time of a call, in nanoseconds, of those that fit into a turn. */
static double turn(void (*run)(void)) {
    static double times[MOST_CALLS];
    const double start = now();
    double last = start;
    int count = 0;
    do {
        run();
        const double time = now();
        times[count++] = time - last;
        last = time;
    } while (count < MOST_CALLS && (count < 3 || last - start < TURN_NANOSECONDS));
    qsort(times, (size_t)count, sizeof *times, compare_numbers);
    return times[count / 2];
}

#endif
