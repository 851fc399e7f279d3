/* predict.c: predictions of an emitted model. Compiled with -DNAME=name -DUPPER=NAME
 * -include name.h. */
#include "values.h"

#include <stdio.h>
#include <string.h>

#define JOIN2(a, b) a##_##b
#define JOIN(a, b) JOIN2(a, b)
#define F(function) JOIN(NAME, function)
#define M(macro) JOIN(UPPER, macro)

static double memory[M(BLOCK_BYTES) / sizeof(double) + M(ALIGNMENT)];
static float x[M(BATCH) * M(SAMPLE_SIZE)], predictions[M(BATCH) * M(OUTPUT_SIZE)];

int main(void) {
    char *start = (char *)memory;
    void *block = start + (M(ALIGNMENT) - (size_t)start % M(ALIGNMENT)) % M(ALIGNMENT);
    int call;
    long i;
    memset(block, 0xff, M(BLOCK_BYTES)); /* NaN: nothing may depend on what was there */
#if M(PREPARES)
    F(prepare)(block);
#endif
    for (call = 0; call < 3; call++) {
        emit_fill((unsigned long)call, x, M(BATCH) * M(SAMPLE_SIZE), NULL, 0, 0);
        F(predict)(block, x, predictions);
        for (i = 0; i < M(BATCH) * M(OUTPUT_SIZE); i++) printf("%.9g\n", (double)predictions[i]);
    }
    return 0;
}
