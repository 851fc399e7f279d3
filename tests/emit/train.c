/* train.c: trains an emitted model and prints what the test compares. Compiled with
 * -DNAME=name -DUPPER=NAME -include name.h, and -DACCURACY when the model measures it; -DSTEPS=n
 * for other than ten steps, -DRATE_FACTOR=f to multiply the learning rate. -DNUMBER=double,
 * -DTHREADS and -DCHANNELS_FIRST if it was emitted so; -DWEIGHTS="file" to load its weights. */
#include "values.h"

#include <stdio.h>
#include <string.h>

#define JOIN2(a, b) a##_##b
#define JOIN(a, b) JOIN2(a, b)
#define F(function) JOIN(NAME, function)
#define M(macro) JOIN(UPPER, macro)

#ifndef STEPS
#define STEPS 10
#endif
#ifndef RATE_FACTOR
#define RATE_FACTOR 1
#endif
#ifdef ACCURACY
#define ACCURACY_OF(a) , a
#else
#define ACCURACY_OF(a)
#endif
#include "options.h"

static double blocks[2][M(BLOCK_BYTES) / sizeof(double) + M(ALIGNMENT)];
static float xs[M(BATCH) * M(SAMPLE_SIZE)], ys[M(BATCH) * M(LABEL_SIZE)];
static NUMBER x[M(BATCH) * M(SAMPLE_SIZE)], y[M(BATCH) * M(LABEL_SIZE)];
static NUMBER predictions[M(BATCH) * M(OUTPUT_SIZE)];

static void *aligned(double *block) {
    char *start = (char *)block;
    return start + (M(ALIGNMENT) - (size_t)start % M(ALIGNMENT)) % M(ALIGNMENT);
}

static void fill(unsigned long step) {
    emit_fill(step, xs, M(BATCH) * M(SAMPLE_SIZE), ys, M(BATCH) * M(LABEL_SIZE),
              M(LABEL_SIZE) == 1 && M(OUTPUT_SIZE) > 1 ? M(OUTPUT_SIZE)
              : M(LABEL_SIZE) == 1                     ? 2
                                                       : 0);
    take_samples(x, xs, M(BATCH));
#if defined(CHANNELS_FIRST) && defined(OUTPUT_CHANNELS)
    take_images(y, ys, M(BATCH), M(LABEL_SIZE) / OUTPUT_CHANNELS, OUTPUT_CHANNELS);
#else
    take(y, ys, M(BATCH) * M(LABEL_SIZE));
#endif
}

/* The third step has one sample less than the others. */
static NUMBER train(void *block, unsigned long step, NUMBER *accuracy) {
    long samples = M(BATCH) - (step == 2);
    (void)accuracy;
    fill(step);
    return F(train_step)(block, x, y, samples,
                         F(learning_rate)(block) * (NUMBER)RATE_FACTOR ACCURACY_OF(accuracy)
                                                       THREADS_ARGUMENT);
}

int main(void) {
    void *block = aligned(blocks[0]), *second = aligned(blocks[1]);
    NUMBER accuracy = 0, loss;
    unsigned long step;
    long i;
    int p;
    memset(block, 0xff, M(BLOCK_BYTES)); /* NaN: nothing may depend on what was there */
    memset(second, 0xff, M(BLOCK_BYTES));
    F(init)(block, 5);
#ifdef WEIGHTS
    if (!load_weights(block)) return 3;
#endif
    for (step = 0; step < STEPS; step++) {
        loss = train(block, step, &accuracy);
        printf("%.9g %.9g\n", (double)loss, (double)accuracy);
    }
    fill(100);
    loss = F(evaluate)(block, x, y, M(BATCH) ACCURACY_OF(&accuracy) THREADS_ARGUMENT);
    printf("%.9g %.9g\n", (double)loss, (double)accuracy);
    F(predict)(block, x, M(BATCH), predictions THREADS_ARGUMENT);
    for (i = 0; i < M(BATCH) * M(OUTPUT_SIZE); i++)
        printf("%.9g\n", (double)predictions[output_place(i)]);
    for (p = 0; p < M(PARAMETERS); p++) {
        const NUMBER *values = F(parameter)(block, p);
        double sum = 0.0;
        for (i = 0; i < F(parameter_size)(p); i++) sum += (double)values[i];
        printf("%.9g\n", sum);
        for (i = 0; i < F(parameter_size)(p); i += F(parameter_size)(p) / EMIT_SHOWN + 1)
            printf("%.9g\n", (double)values[i]);
    }
    if (F(parameter)(block, M(PARAMETERS)) || F(parameter_size)(-1)) return 1;
    /* The state alone goes on as the block does. */
    memcpy(second, block, M(STATE_BYTES));
    loss = train(block, STEPS, &accuracy);
    return loss == train(second, STEPS, &accuracy) ? 0 : 2;
}
