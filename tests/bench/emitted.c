/* emitted.c: times predictions of an emitted model (`lathe emit --weights-as none`) and of the same
 * network as textbook loops, in turns, and prints the milliseconds of each turn. Built by
 * emitted.py with -DNAME=name -DUPPER=NAME -DHEADER="name.h" and textbook.c, which it writes.
 * program SECONDS */
#define _POSIX_C_SOURCE 200112L
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include HEADER

#define JOIN2(a, b) a##_##b
#define JOIN(a, b) JOIN2(a, b)
#define F(function) JOIN(NAME, function)
#define M(macro) JOIN(UPPER, macro)

void textbook(const float *const *parameters, const float *x, float *y);

enum { TURN_NANOSECONDS = 20000000, MOST_CALLS = 1 << 20 };

static float x[M(SAMPLE_SIZE)], emitted_y[M(OUTPUT_SIZE)], textbook_y[M(OUTPUT_SIZE)];
static const float *parameters[M(PARAMETERS)];
static void *block;

static void run_emitted(void) {
    F(predict)(block, x, emitted_y);
}

static void run_textbook(void) {
    textbook(parameters, x, textbook_y);
}

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

/* Initial weights, and biases other than the zeros that they begin with; random pixels. */
static void fill(void) {
    int i;
    long k;
    F(init)(block, 1);
    for (i = 0; i < M(PARAMETERS); i++) {
        float *values = F(parameter)(block, i);
        parameters[i] = values;
        if (F(parameter_size)(i) > 256) continue;
        for (k = 0; k < F(parameter_size)(i); k++) values[k] += (float)(k % 7 - 3) / 64.0f;
    }
    for (k = 0; k < M(SAMPLE_SIZE); k++) x[k] = (float)(k * 7919 % 256) / 255.0f;
#if M(PREPARES)
    F(prepare)(block);
#endif
}

int main(int argc, char **argv) {
    const double end = now() + (argc > 1 ? atof(argv[1]) : 1.0) * 1e9;
    long i;
    if (posix_memalign(&block, 4096, M(BLOCK_BYTES))) return 1;
    fill();
    run_emitted();
    run_textbook();
    for (i = 0; i < M(OUTPUT_SIZE); i++)
        if (!(fabsf(emitted_y[i] - textbook_y[i]) <= 1e-5f)) {
            fprintf(stderr, "output %ld: emitted %.9g, textbook loops %.9g\n", i,
                    (double)emitted_y[i], (double)textbook_y[i]);
            return 1;
        }
    do printf("%.6f %.6f\n", turn(run_emitted) / 1e6, turn(run_textbook) / 1e6);
    while (now() < end);
    free(block);
    return 0;
}
