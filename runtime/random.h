/* random.h: random numbers without state.
 *
 * A counter-based generator (Salmon et al., 2011, "Parallel random numbers: as easy as 1, 2, 3"):
 * a number is a function of its place, so that no order of evaluation, number of threads or point
 * of resumption changes it. The definition is that of the generated code:
 *   mix(h) = h ^= h>>16, h *= 0x85ebca6b, h ^= h>>13, h *= 0xc2b2ae35, h ^= h>>16
 *   key    = mix(mix(mix(seed) + step) + stream)           (all modulo 2^32)
 *   bits   = mix(mix(element + key) ^ key)
 *   value  = (bits >> 8) / 2^24 */
#ifndef LATHE_RANDOM_H
#define LATHE_RANDOM_H

#include <stdint.h>

/* Streams that the runtime uses; variables and layers count theirs from 0. */
enum {
    RANDOM_STREAM_SHUFFLE = 0x7fffffff,
    RANDOM_STREAM_SPLIT = 0x7ffffffe,
    RANDOM_STREAM_AUGMENTATION = 0x7ffffffd
};

/** The key of a stream at a step. */
uint32_t random_key(uint32_t seed, uint32_t step, uint32_t stream);

/** 32 random bits for an element. */
uint32_t random_bits(uint32_t key, uint32_t element);

/** Uniform in [0, 1), a multiple of 2^-24. */
double random_uniform(uint32_t key, uint32_t element);

/** Standard normal by Box and Muller, from elements 2 * counter and 2 * counter + 1:
 * sqrt(-2 log(1 - u)) * cos(2 pi v). */
double random_normal(uint32_t key, uint32_t counter);

/** Standard normal cut at two standard deviations: the first of random_normal(key, counter),
 * random_normal(key, counter + stride), random_normal(key, counter + 2 * stride), ... within
 * [-2, 2]. With stride = the number of elements no two elements share a counter. */
double random_truncated_normal(uint32_t key, uint32_t counter, uint32_t stride);

/** Fills order with a permutation of 0 .. count - 1 that depends on seed and epoch alone. */
void random_permutation(uint32_t seed, uint32_t epoch, long *order, long count);

/** Fisher and Yates over any list: for i = count - 1 .. 1, swaps i and
 * (random_bits(key, i) * (i + 1)) >> 32. */
void random_shuffle(uint32_t key, long *list, long count);

#endif
