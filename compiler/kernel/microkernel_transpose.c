/* microkernel_transpose.c: the text of strided_transpose, which strided_copy uses where one side is
 * dense along one loop and the other side along another: batches to blocks of samples and back. */
#include "microkernel_text.h"

/* A square of L x L numbers: L vectors are read, mixed in log2(L) rounds, and L vectors written.
 * Each round lays vectors i and i + L / 2 into each other, number by number. */
static void print_square(struct text *text, int lanes) {
    char from = 'a';
    text_add(text,
             "/* to[i * to_i + j] = from[j * from_j + i] for %d x %d numbers. */\n"
             "LATHE_INLINE void transpose_square(real *to, const real *from, long to_i,\n"
             "        long from_j) {\n",
             lanes, lanes);
    for (int i = 0; i < lanes; i++)
        text_add(text, "    const vector%d a%d = *(const memory%d *)(from + %d * from_j);\n", lanes,
                 i, lanes, i);
    for (int round = 1; round < lanes; round *= 2, from++)
        for (int i = 0; i < lanes; i++) {
            int pair = i / 2;
            text_add(text, "    const vector%d %c%d = LATHE_MIX_%s(%c%d, %c%d);\n", lanes, from + 1,
                     i, i % 2 ? "HIGH" : "LOW", from, pair, from, pair + lanes / 2);
        }
    for (int i = 0; i < lanes; i++)
        text_add(text, "    *(memory%d *)(to + %d * to_i) = %c%d;\n", lanes, i, from, i);
    text_put(text, "}\n");
}

static void print_mix(struct text *text, int lanes, const char *name, int first) {
    text_add(text, "#define LATHE_MIX_%s(a, b) __builtin_shufflevector(a, b", name);
    for (int i = 0; i < lanes; i++)
        text_add(text, ",%s%d", i % 8 ? " " : " \\\n    ", first + i / 2 + i % 2 * lanes);
    text_put(text, ")\n");
}

static const char *const transposition =
    "/* to[i * to_i + j] = from[i + j * from_j]: both sides have one dense direction. Sixteen streams\n"
    " * are read side by side, and whole lines written. */\n"
    "@void strided_transpose(real *to, const real *from, long rows, long columns, long to_i,\n"
    "        long from_j) {\n"
    "    for (long j = 0; j < columns; j += 16) {\n"
    "        const long j_end = j + 16 < columns ? j + 16 : columns;\n"
    "        long i = 0;\n"
    "#ifdef LATHE_SQUARE\n"
    "        if (j_end == j + 16)\n"
    "            for (; i + LATHE_SQUARE <= rows; i += LATHE_SQUARE)\n"
    "                for (long s = j; s < j_end; s += LATHE_SQUARE)\n"
    "                    transpose_square(to + i * to_i + s, from + i + s * from_j, to_i, from_j);\n"
    "#endif\n"
    "        if (j_end == j + 16)\n"
    "            for (; i < rows; i++)\n"
    "                for (long s = 0; s < 16; s++) to[i * to_i + j + s] = from[i + (j + s) * from_j];\n"
    "        else\n"
    "            for (; i < rows; i++)\n"
    "                for (long s = j; s < j_end; s++) to[i * to_i + s] = from[i + s * from_j];\n"
    "    }\n"
    "}\n\n";

void microkernel_print_transpose(struct text *text, const struct target *target,
                                 const char *qualifiers) {
    int lanes = target->lanes;
    if (lanes >= 4) {
        text_put(text, "#if defined(LATHE_VECTORS) && defined(__has_builtin)\n"
                       "#if __has_builtin(__builtin_shufflevector)\n");
        text_add(text, "#define LATHE_SQUARE %d\n", lanes);
        print_mix(text, lanes, "LOW", 0);
        print_mix(text, lanes, "HIGH", lanes / 2);
        print_square(text, lanes);
        text_put(text, "#endif\n#endif\n\n");
    }
    microkernel_put(text, transposition, qualifiers);
}
