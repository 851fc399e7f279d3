/* options.h: what a program around an emitted model adapts to: the type of numbers, the order of
 * the axes, threads, a file of weights. Included where F and M are defined. */
#ifndef EMIT_OPTIONS_H
#define EMIT_OPTIONS_H

#include <stdio.h>
#include <string.h>

#ifndef NUMBER
#define NUMBER float
#endif

static void take(NUMBER *to, const float *from, long count) {
    long i;
    for (i = 0; i < count; i++) to[i] = (NUMBER)from[i];
}

#ifdef CHANNELS_FIRST
/* Images come as [pixels][channels] and become [channels][pixels]. */
static void take_images(NUMBER *to, const float *from, long count, long pixels, long channels) {
    long n, c, p;
    for (n = 0; n < count; n++, from += pixels * channels)
        for (c = 0; c < channels; c++)
            for (p = 0; p < pixels; p++) *to++ = (NUMBER)from[p * channels + c];
}
#endif

static void take_samples(NUMBER *to, const float *from, long samples) {
#ifdef CHANNELS_FIRST
    take_images(to, from, samples, M(HEIGHT) * M(WIDTH), M(CHANNELS));
    (void)take;
#else
    take(to, from, samples * M(SAMPLE_SIZE));
#endif
}

/* Where number i of the outputs, channels last, is in the caller's order. -DOUTPUT_CHANNELS: the
 * outputs, and the labels, are images with so many channels. */
static long output_place(long i) {
#if defined(CHANNELS_FIRST) && defined(OUTPUT_CHANNELS)
    long in_sample = i % M(OUTPUT_SIZE), pixel = in_sample / OUTPUT_CHANNELS;
    return i - in_sample + in_sample % OUTPUT_CHANNELS * (M(OUTPUT_SIZE) / OUTPUT_CHANNELS) + pixel;
#else
    return i;
#endif
}

#ifdef THREADS
/* Uneven pieces, the last one first: nothing may depend on the order. */
static void run_pieces(void *pool, F(task) * task, const void *context, long count) {
    long end = count;
    *(int *)pool += 1;
    while (end > 0) {
        long begin = end - (end + 1) / 2;
        task(context, begin, end);
        end = begin;
    }
}
static int runs;
static const struct F(threads) threads = {run_pieces, &runs};
#define THREADS_ARGUMENT , &threads
#else
#define THREADS_ARGUMENT
#endif

#ifdef WEIGHTS
/* Refuses a file with one bit changed, and takes the right one, into the place it belongs. */
static int load_weights(void *block) {
    unsigned char *bytes = (unsigned char *)block + M(WEIGHTS_OFFSET);
    FILE *file = fopen(WEIGHTS, "rb");
    if (!file || fread(bytes, 1, M(WEIGHTS_BYTES), file) != M(WEIGHTS_BYTES)) return 0;
    fclose(file);
    bytes[5] ^= 1;
    if (F(load)(block, bytes, M(WEIGHTS_BYTES)) || F(load)(block, bytes, 4)) return 0;
    bytes[5] ^= 1;
    return F(load)(block, bytes, M(WEIGHTS_BYTES));
}
#endif

#endif
