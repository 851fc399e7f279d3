/* microkernel_transpose.c: the text of strided_transpose, which strided_copy uses where one side is
 * dense along one loop and the other side along another: batches to blocks of samples and back. */
#include "microkernel_text.h"

/* Macro NAME(a, b) of a shuffle: its vectors' numbers by index(lane, lanes), those of b from
 * `lanes` on. */
static void print_shuffle(struct text *text, int lanes, const char *name,
                          int (*index)(int lane, int lanes)) {
    text_add(text, "#define LATHE_%s(a, b) __builtin_shufflevector(a, b", name);
    for (int i = 0; i < lanes; i++)
        text_add(text, ",%s%d", i % 8 ? " " : " \\\n    ", index(i, lanes));
    text_put(text, ")\n");
}

/* In each quad the first, or second, half of that of a, then of b. */
static int low(int i, int lanes) {
    return i / 4 * 4 + i % 2 + i % 4 / 2 * lanes;
}

static int high(int i, int lanes) {
    return low(i, lanes) + 2;
}

/* In each quad every second number of that of a, then of b. */
static int even(int i, int lanes) {
    return i / 4 * 4 + i % 2 * 2 + i % 4 / 2 * lanes;
}

static int odd(int i, int lanes) {
    return even(i, lanes) + 1;
}

/* Every second quad of a, then of b. */
static int even_quads(int i, int lanes) {
    (void)lanes; /* b's quads come behind those of a */
    return i / 4 * 8 + i % 4;
}

static int odd_quads(int i, int lanes) {
    return even_quads(i, lanes) + 4;
}

static void print_mixed(struct text *text, int lanes, char to, int number, const char *name, int a,
                        int b) {
    text_add(text, "    const vector%d %c%d = LATHE_%s(%c%d, %c%d);\n", lanes, to, number, name,
             to - 1, a, to - 1, b);
}

/* A square of L x L numbers. Shuffles within quads are what processors are fastest at: two rounds
 * of them make columns of four numbers, in quads; the others exchange quads. Not inline: in a loop
 * GCC keeps a pointer to each row, most of them on the stack (Zen 5: 80 cycles instead of 30). */
static void print_square(struct text *text, int lanes) {
    char name = 'b';
    text_add(text,
             "/* to[i * to_i + j] = from[j * from_j + i] for %d x %d numbers. */\n"
             "LATHE_OUTLINE void transpose_square(real *to, const real *from, long to_i,\n"
             "        long from_j) {\n",
             lanes, lanes);
    for (int i = 0; i < lanes; i++)
        text_add(text, "    const vector%d a%d = *(const memory%d *)(from + %d * from_j);\n", lanes,
                 i, lanes, i);
    for (int i = 0; i < lanes; i++)
        print_mixed(text, lanes, name, i, i % 2 ? "HIGH" : "LOW", i / 2 * 2, i / 2 * 2 + 1);
    name++;
    for (int i = 0; i < lanes; i++) {
        int first = i / 4 * 4 + i % 4 / 2;
        print_mixed(text, lanes, name, i, i % 2 ? "ODD" : "EVEN", first, first + 2);
    }
    for (int size = 4; size < lanes; size *= 2) { /* vectors of what a column's quads come from */
        name++;
        for (int i = 0; i < lanes; i++) {
            int first = i / (2 * size) * 2 * size + i % size;
            bool is_odd = i / size % 2;
            print_mixed(text, lanes, name, i, is_odd ? "ODD_QUADS" : "EVEN_QUADS", first,
                        first + size);
        }
    }
    for (int i = 0; i < lanes; i++)
        text_add(text, "    *(memory%d *)(to + %d * to_i) = %c%d;\n", lanes, i, name, i);
    text_put(text, "}\n");
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
    "                    transpose_square(to + i * to_i + s, from + i + s * from_j, to_i, "
    "from_j);\n"
    "#endif\n"
    "        if (j_end == j + 16)\n"
    "            for (; i < rows; i++)\n"
    "                for (long s = 0; s < 16; s++) to[i * to_i + j + s] = from[i + (j + s) * "
    "from_j];\n"
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
        text_put(text, "#define LATHE_OUTLINE LATHE_FUNCTION __attribute__((noinline))\n");
        text_add(text, "#define LATHE_SQUARE %d\n", lanes);
        print_shuffle(text, lanes, "LOW", low);
        print_shuffle(text, lanes, "HIGH", high);
        print_shuffle(text, lanes, "EVEN", even);
        print_shuffle(text, lanes, "ODD", odd);
        if (lanes > 4) print_shuffle(text, lanes, "EVEN_QUADS", even_quads);
        if (lanes > 4) print_shuffle(text, lanes, "ODD_QUADS", odd_quads);
        print_square(text, lanes);
        text_put(text, "#endif\n#endif\n\n");
    }
    microkernel_put(text, transposition, qualifiers);
}
