/* emitted.c: times predictions of an emitted model (`lathe emit --weights-as none`) and of the same
 * network as textbook loops, in turns, and prints the milliseconds of each turn. Built by
 * emitted.py with textbook.c, which it writes.
 * program SECONDS */
#include "emitted_turn.h"

#include <math.h>
#include <stdio.h>

void textbook(const float *const *parameters, const float *x, float *y);

static float x[M(SAMPLE_SIZE)], emitted_y[M(OUTPUT_SIZE)], textbook_y[M(OUTPUT_SIZE)];
static const float *parameters[M(PARAMETERS)];
static void *block;

static void run_emitted(void) {
    F(predict)(block, x, emitted_y);
}

static void run_textbook(void) {
    textbook(parameters, x, textbook_y);
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
