/* values.h: numbers that the tests of emitted models and the emitted models both work on. */
#ifndef EMIT_VALUES_H
#define EMIT_VALUES_H

/* So many values of each parameter are compared one by one, evenly spread over it. */
enum { EMIT_SHOWN = 50 };

/* In [0, 1), a multiple of 2^-16: a hash of the place. */
static float emit_value(unsigned long place) {
    unsigned long h = (place + 1) * 2654435761UL & 0xffffffffUL;
    h ^= h >> 15;
    h = h * 2246822519UL & 0xffffffffUL;
    h ^= h >> 13;
    return (float)(h & 0xffffUL) / 65536.0f;
}

/* The samples and labels of a step. classes > 1: class numbers, one for each sample. */
static void emit_fill(unsigned long step, float *x, long x_count, float *y, long y_count,
                      long classes) {
    long i;
    for (i = 0; i < x_count; i++) x[i] = emit_value(step * 7919UL + (unsigned long)i);
    for (i = 0; i < y_count; i++) {
        float value = emit_value(step * 104729UL + 99991UL + (unsigned long)i);
        y[i] = classes > 1 ? (float)(int)(value * (float)classes) : value;
    }
}

#endif
