/* random.c: the counter-based generator (see random.h). */
#include "random.h"

#include <math.h>

static uint32_t mix(uint32_t h) {
    h ^= h >> 16;
    h *= 0x85ebca6bu;
    h ^= h >> 13;
    h *= 0xc2b2ae35u;
    h ^= h >> 16;
    return h;
}

uint32_t random_key(uint32_t seed, uint32_t step, uint32_t stream) {
    return mix(mix(mix(seed) + step) + stream);
}

uint32_t random_bits(uint32_t key, uint32_t element) {
    return mix(mix(element + key) ^ key);
}

double random_uniform(uint32_t key, uint32_t element) {
    return (random_bits(key, element) >> 8) * 0x1p-24;
}

double random_normal(uint32_t key, uint32_t counter) {
    double u = random_uniform(key, 2 * counter), v = random_uniform(key, 2 * counter + 1);
    return sqrt(-2.0 * log(1.0 - u)) * cos(2.0 * 3.14159265358979323846 * v);
}

double random_truncated_normal(uint32_t key, uint32_t counter, uint32_t stride) {
    /* A stride of 0 modulo 2^32 would repeat the same draw for ever. */
    if (stride == 0) stride = 1;
    /* Each draw fails with probability 0.0455; the bound only serves a proof of termination. */
    for (int draw = 0; draw < 1000; draw++, counter += stride) {
        double value = random_normal(key, counter);
        if (fabs(value) <= 2.0) return value;
    }
    return 0.0;
}

void random_shuffle(uint32_t key, long *list, long count) {
    for (long i = count - 1; i > 0; i--) {
        uint64_t range = (uint64_t)i + 1;
        long other = (long)((random_bits(key, (uint32_t)i) * range) >> 32);
        long value = list[i];
        list[i] = list[other];
        list[other] = value;
    }
}

void random_permutation(uint32_t seed, uint32_t epoch, long *order, long count) {
    for (long i = 0; i < count; i++) order[i] = i;
    random_shuffle(random_key(seed, epoch, RANDOM_STREAM_SHUFFLE), order, count);
}
