/* axis_class.c: peels borders: the positions along one axis of a convolution's output fall into
 * classes that have the same taps, so that no inner loop tests for padding. */
#include "kernel.h"

struct taps {
    int count;
    long *tap, *in;
};

static long clamp(long value, long least, long most) {
    return value < least ? least : value > most ? most : value;
}

/* The taps of one position, and the input position each reads. A kernel may reach far beyond the
 * input: only taps near it are looked at. */
static void find_taps(struct taps *taps, bool is_backward, long position, long in_size,
                      long kernel_size, long stride, long dilation, long pad) {
    const long zero = is_backward ? position + pad : pad - position * stride; /* tap at input 0 */
    const long reach = is_backward ? (in_size - 1) * stride : in_size - 1;
    const long first = (is_backward ? zero - reach : zero) / dilation;
    const long last = (is_backward ? zero : zero + reach) / dilation;
    taps->count = 0;
    for (long k = clamp(first, 0, kernel_size); k <= clamp(last, -1, kernel_size - 1); k++) {
        long in =
            is_backward ? position + pad - k * dilation : position * stride + k * dilation - pad;
        if (is_backward) {
            if (in < 0 || in % stride) continue;
            in /= stride;
        }
        if (in < 0 || in >= in_size) continue;
        taps->tap[taps->count] = k;
        taps->in[taps->count++] = in;
    }
}

static bool continues(const struct axis_class *class, const struct taps *taps) {
    if (class->tap_count != taps->count) return false;
    for (int i = 0; i < taps->count; i++)
        if (class->tap[i] != taps->tap[i] ||
            class->in_start[i] + class->count * class->in_step != taps->in[i])
            return false;
    return true;
}

static void find_run(struct axis_class *class) {
    long step = class->tap_count > 1 ? class->in_start[1] - class->in_start[0] : 0;
    if (step != class->in_step && step != -class->in_step) return;
    long run = class->tap[1] - class->tap[0];
    for (int i = 1; i < class->tap_count; i++)
        if (class->in_start[i] - class->in_start[i - 1] != step ||
            class->tap[i] - class->tap[i - 1] != run)
            return;
    class->run = step > 0 ? run : -run;
    class->lowest = step > 0 ? 0 : class->tap_count - 1;
}

struct axis_class *axis_classes(struct arena *arena, bool is_backward, long out_size, long in_size,
                                long kernel_size, long stride, long dilation, long pad,
                                int *count) {
    struct axis_class *classes = ARENA_ARRAY(arena, struct axis_class, out_size);
    const long most = clamp(kernel_size, 0, in_size); /* each reads another position */
    struct taps taps = {0, ARENA_ARRAY(arena, long, most), ARENA_ARRAY(arena, long, most)};
    long step = is_backward ? stride : 1;
    *count = 0;
    for (long residue = 0; residue < step && residue < out_size; residue++) {
        struct axis_class *class = NULL;
        for (long position = residue; position < out_size; position += step) {
            find_taps(&taps, is_backward, position, in_size, kernel_size, stride, dilation, pad);
            if (class && continues(class, &taps)) {
                class->count++;
                continue;
            }
            class = &classes[(*count)++];
            class->start = position;
            class->count = 1;
            class->step = step;
            class->in_step = is_backward ? 1 : stride;
            class->tap_count = taps.count;
            class->tap = taps.tap;
            class->in_start = taps.in;
            find_run(class);
            taps.tap = ARENA_ARRAY(arena, long, most);
            taps.in = ARENA_ARRAY(arena, long, most);
        }
    }
    return classes;
}
