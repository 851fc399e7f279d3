/* emitted_training.c: times training steps of an emitted model (`lathe emit --mode training
 * --weights-as none`) on random samples, and prints the milliseconds of each turn. Built by
 * emitted.py. program SECONDS */
#include "emitted_turn.h"

#include <stdio.h>

static float x[M(BATCH)][M(SAMPLE_SIZE)], y[M(BATCH)];
static void *block;

static void run_step(void) {
    F(train_step)(block, x[0], y, M(BATCH), F(learning_rate)(block), NULL);
}

int main(int argc, char **argv) {
    const double seconds = argc > 1 ? atof(argv[1]) : 1.0;
    long i, k;
    if (posix_memalign(&block, 4096, M(BLOCK_BYTES))) return 1;
    for (i = 0; i < M(BATCH); i++) {
        for (k = 0; k < M(SAMPLE_SIZE); k++) x[i][k] = (float)rand() / (float)RAND_MAX;
        y[i] = (float)(rand() % M(OUTPUT_SIZE));
    }
    F(init)(block, 1);
    turn(run_step);
    const double end = now() + seconds * 1e9;
    do printf("%.6f\n", turn(run_step) / 1e6);
    while (now() < end);
    free(block);
    return 0;
}
