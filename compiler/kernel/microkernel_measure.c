/* microkernel_measure.c: the text of two kernels that measure the processor for `lathe bench`: how
 * fast it multiplies and adds in registers, and how fast it streams through memory. They belong to
 * the library of a target because the answer depends on the width of its vectors. */
#include "microkernel_text.h"

/* Independent sums: more than the latency of a fused multiply-add times the units that compute it,
 * and fewer than the registers. */
static int sums(const struct target *target) {
    return target->registers > 16 ? 20 : 12;
}

static void print_multiply_add(struct text *text, const struct target *target) {
    const int lanes = target->lanes, count = sums(target);
    text_add(text,
             "/* Multiplies and adds in registers only; returns the number of operations. */\n"
             "LATHE_FUSED static double measure_multiply_add(real *out, long rounds) {\n"
             "    LATHE_FUSE\n"
             "    vector%d zero = {0}, factor, term, total;\n"
             "    factor = zero + out[0];\n"
             "    term = zero + out[1];\n"
             "    vector%d ",
             lanes, lanes);
    for (int i = 0; i < count; i++) text_add(text, "%ss%d = zero + %d", i ? ", " : "", i, i);
    text_put(text, ";\n    for (long i = 0; i < rounds; i++) {\n");
    for (int i = 0; i < count; i++) text_add(text, "        s%d = s%d * factor + term;\n", i, i);
    text_put(text, "    }\n    total = s0");
    for (int i = 1; i < count; i++) text_add(text, " + s%d", i);
    text_add(text,
             ";\n    *(memory%d *)(out + 2) = total;\n"
             "    return 2.0 * %d * (double)rounds;\n"
             "}\n\n",
             lanes, lanes * count);
}

static void print_triad(struct text *text, const struct target *target) {
    const int lanes = target->lanes;
    text_add(text,
             "/* a = b + 3 c; count: a multiple of %d. Returns the bytes read and written. */\n"
             "static double measure_triad(real *a, const real *b, const real *c, long count) {\n"
             "    for (long i = 0; i < count; i += %d)\n"
             "        *(memory%d *)(a + i) = *(const memory%d *)(b + i) +\n"
             "            3 * *(const memory%d *)(c + i);\n"
             "    return 3.0 * sizeof(real) * (double)count;\n"
             "}\n\n",
             lanes, lanes, lanes, lanes, lanes);
}

void microkernel_print_measure(struct text *text, const struct target *target) {
    print_multiply_add(text, target);
    print_triad(text, target);
}
