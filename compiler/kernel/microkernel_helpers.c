/* microkernel_helpers.c: the text of strided_copy and of small helpers, beside the scalar mathematics.
 *
 * strided_copy changes layouts: row-major [n][features] to and from blocks of samples, and the
 * packing of weights. */
#include "microkernel_text.h"

#include <string.h>

static const char *const copy =
    "/* to[sum of i * to_stride] = from[sum of i * from_stride] over five loops, innermost\n"
    " * last. */\n"
    "@void strided_copy(real *to, const real *from, const long *size, const long *to_stride,\n"
    "        const long *from_stride) {\n"
    "    int inner = 4; /* the innermost loop that is one */\n"
    "    while (inner > 0 && size[inner] == 1) inner--;\n"
    "    const long n = size[inner], t4 = to_stride[inner], f4 = from_stride[inner];\n"
    "    int across = inner; /* dense on the other side than the innermost: transpose both */\n"
    "    for (int d = inner - 1; d >= 0 && (t4 == 1) != (f4 == 1); d--)\n"
    "        if (across == inner && (t4 == 1 ? from_stride[d] : to_stride[d]) == 1 && size[d] > "
    "1)\n"
    "            across = d;\n"
    "    long count[4] = {1, 1, 1, 1}; /* of the loops around those two */\n"
    "    for (int d = 0; d < inner; d++)\n"
    "        if (d != across) count[d] = size[d];\n"
    "    for (long i0 = 0; i0 < count[0]; i0++)\n"
    "        for (long i1 = 0; i1 < count[1]; i1++)\n"
    "            for (long i2 = 0; i2 < count[2]; i2++)\n"
    "                for (long i3 = 0; i3 < count[3]; i3++) {\n"
    "                    real *t = to + i0 * to_stride[0] + i1 * to_stride[1] +\n"
    "                        i2 * to_stride[2] + i3 * to_stride[3];\n"
    "                    const real *f = from + i0 * from_stride[0] + i1 * from_stride[1] +\n"
    "                        i2 * from_stride[2] + i3 * from_stride[3];\n"
    "                    if (across < inner && t4 == 1)\n"
    "                        strided_transpose(t, f, size[across], n, to_stride[across], f4);\n"
    "                    else if (across < inner)\n"
    "                        strided_transpose(t, f, n, size[across], t4, from_stride[across]);\n"
    "                    else if (t4 == 1 && f4 == 1)\n"
    "                        for (long i = 0; i < n; i++) t[i] = f[i];\n"
    "                    else\n"
    "                        for (long i = 0; i < n; i++) t[i * t4] = f[i * f4];\n"
    "                }\n"
    "}\n\n";

static const char *const prefetch =
    "/* Asks for `count` reals of each of some rows of every step-th plane from begin to before "
    "end. */\n"
    "@void prefetch_planes(const real *x, long begin, long end, long step, long plane, long rows,\n"
    "        long row, long count) {\n"
    "    (void)x, (void)plane, (void)row;\n"
    "    for (long c = begin; c < end; c += step)\n"
    "        for (long r = 0; r < rows; r++)\n"
    "            for (long i = 0; i < count; i += 64 / (long)sizeof(real))\n"
    "                LATHE_PREFETCH(x + c * plane + r * row + i);\n"
    "}\n\n";

static const char *const block_sums =
    "/* to[i] = the sum of from[i], from[count + i], ... of so many blocks, in this order. */\n"
    "@void sum_blocks(real *to, const real *from, long blocks, long count) {\n"
    "    for (long i = 0; i < count; i++) {\n"
    "        real sum = from[i];\n"
    "        for (long block = 1; block < blocks; block++) sum += from[block * count + i];\n"
    "        to[i] = sum;\n"
    "    }\n"
    "}\n\n";

static const char *const halves =
    "/* `count` columns of to[rows][columns] = from[0] + from[1] + bias, and relu. */\n"
    "@void sum_halves(real *to, const real *from, const real *bias, long rows, long count,\n"
    "        long columns, long relu) {\n"
    "    const real *more = from + rows * columns;\n"
    "    for (long r = 0; r < rows; r++, to += columns, from += columns, more += columns) {\n"
    "        if (relu) {\n"
    "            LATHE_INDEPENDENT\n"
    "            for (long i = 0; i < count; i++) {\n"
    "                const real sum = from[i] + more[i] + bias[i];\n"
    "                to[i] = sum > 0 ? sum : 0;\n"
    "            }\n"
    "        } else {\n"
    "            LATHE_INDEPENDENT\n"
    "            for (long i = 0; i < count; i++) to[i] = from[i] + more[i] + bias[i];\n"
    "        }\n"
    "    }\n"
    "}\n\n";

static void print_helpers(struct text *text, const struct target *target, const char *qualifiers,
                          const char *library) {
    /* Too large to go into each caller. */
    const char *outline = strcmp(qualifiers, "LATHE_INLINE") == 0 ? "LATHE_FUNCTION" : qualifiers;
    microkernel_print_transpose(text, target, outline);
    microkernel_put(text, copy, outline);
    microkernel_print_lane_sum(text, target->block_lanes, qualifiers);
    microkernel_put(text, prefetch, qualifiers); /* GCC drops calls of what only prefetches */
    microkernel_put(text, block_sums, outline);
    microkernel_put(text, halves, outline);
    microkernel_print_math(text, qualifiers, library);
}

void microkernel_print_helpers(struct text *text, const struct target *target,
                               const char *qualifiers) {
    text_put(text, "#include <math.h>\n\n");
    print_helpers(text, target, qualifiers, "");
}

void microkernel_print_helpers_without_libm(struct text *text, const struct target *target,
                                            const char *qualifiers) {
    microkernel_print_own_math(text);
    print_helpers(text, target, qualifiers, "own_");
}
