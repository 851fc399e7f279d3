/* predict.c: predictions of an emitted model. Compiled with -DNAME=name -DUPPER=NAME
 * -include name.h, and -DNUMBER=double, -DTHREADS and -DCHANNELS_FIRST if it was emitted so;
 * -DWEIGHTS="file" to load its weights, -DINIT for random ones. */
#include "values.h"

#include <stdio.h>
#include <string.h>

#define JOIN2(a, b) a##_##b
#define JOIN(a, b) JOIN2(a, b)
#define F(function) JOIN(NAME, function)
#define M(macro) JOIN(UPPER, macro)
#include "options.h"

static double memory[M(BLOCK_BYTES) / sizeof(double) + M(ALIGNMENT)];
static float xs[M(BATCH) * M(SAMPLE_SIZE)];
static NUMBER x[M(BATCH) * M(SAMPLE_SIZE)], predictions[M(BATCH) * M(OUTPUT_SIZE)];

int main(void) {
    char *start = (char *)memory;
    void *block = start + (M(ALIGNMENT) - (size_t)start % M(ALIGNMENT)) % M(ALIGNMENT);
    int call;
    long i;
    memset(block, 0xff, M(BLOCK_BYTES)); /* NaN: nothing may depend on what was there */
#ifdef INIT
    F(init)(block, 5);
#endif
#ifdef WEIGHTS
    if (!load_weights(block)) return 3;
#endif
#if M(PREPARES)
    F(prepare)(block THREADS_ARGUMENT);
#endif
    for (call = 0; call < 3; call++) {
        emit_fill((unsigned long)call, xs, M(BATCH) * M(SAMPLE_SIZE), NULL, 0, 0);
        take_samples(x, xs, M(BATCH));
        F(predict)(block, x, predictions THREADS_ARGUMENT);
        for (i = 0; i < M(BATCH) * M(OUTPUT_SIZE); i++)
            printf("%.9g\n", (double)predictions[output_place(i)]);
    }
    return 0;
}
