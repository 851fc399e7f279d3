/* emitted_training.c: times training steps of an emitted model (`lathe emit --mode training
 * --weights-as none`) on random samples, and prints the milliseconds of each turn. Built by emitted.py
 * with -DNAME=name -DUPPER=NAME -DHEADER="name.h". program SECONDS */
#define _POSIX_C_SOURCE 200112L
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include HEADER

#define JOIN2(a, b) a##_##b
#define JOIN(a, b) JOIN2(a, b)
#define F(function) JOIN(NAME, function)
#define M(macro) JOIN(UPPER, macro)

enum { TURN_NANOSECONDS = 20000000, MOST_CALLS = 1 << 16 };

static float x[M(BATCH)][M(SAMPLE_SIZE)], y[M(BATCH)];

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int compare_numbers(const void *a, const void *b) {
    const double p = *(const double *)a, q = *(const double *)b;
    return (p > q) - (p < q);
}

/* The median time of a step, in nanoseconds, of those that fit into a turn. */
static double turn(void *block) {
    static double times[MOST_CALLS];
    const double start = now();
    double last = start;
    int count = 0;
    do {
        F(train_step)(block, x[0], y, M(BATCH), F(learning_rate)(block), NULL);
        const double time = now();
        times[count++] = time - last;
        last = time;
    } while (count < MOST_CALLS && (count < 3 || last - start < TURN_NANOSECONDS));
    qsort(times, (size_t)count, sizeof *times, compare_numbers);
    return times[count / 2];
}

int main(int argc, char **argv) {
    const double seconds = argc > 1 ? atof(argv[1]) : 1.0;
    void *block;
    long i, k;
    if (posix_memalign(&block, 4096, M(BLOCK_BYTES))) return 1;
    for (i = 0; i < M(BATCH); i++) {
        for (k = 0; k < M(SAMPLE_SIZE); k++) x[i][k] = (float)rand() / (float)RAND_MAX;
        y[i] = (float)(rand() % M(OUTPUT_SIZE));
    }
    F(init)(block, 1);
    turn(block);
    const double end = now() + seconds * 1e9;
    do printf("%.6f\n", turn(block) / 1e6);
    while (now() < end);
    free(block);
    return 0;
}
