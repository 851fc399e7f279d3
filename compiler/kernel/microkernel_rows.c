/* microkernel_rows.c: the text of the library's operations on strips that are rows one after the
 * other, vector_row_sums and so on: where rows are short, one call serves many of them. */
#include "microkernel_text.h"

/* Each row is written in whole vectors, as far as there is room: what they write too much is
 * overwritten by the rows behind it. */
static const char *const generation =
    "/* Positions, the first ones of the rows row_step apart; n may end within a row. */\n"
    "static void vector_random_rows(real *to, unsigned key, unsigned first, long element_step,\n"
    "        long row, long row_step, long n) {\n"
    "    const unsigned step = (unsigned)element_step;\n"
    "    for (long i = 0; i < n; i += row, first += (unsigned)row_step) {\n"
    "        long j = 0;\n"
    "        for (; j < row && i + j + 16 <= n; j += 16)\n"
    "            for (unsigned k = 0; k < 16; k++)\n"
    "                to[i + j + k] = real_random_once(key, first + ((unsigned)j + k) * step);\n"
    "        for (; j < row && i + j < n; j++)\n"
    "            to[i + j] = real_random_once(key, first + (unsigned)j * step);\n"
    "    }\n"
    "}\n\n"
    "static void vector_index_rows(real *to, long first, long step, long row, long row_step,\n"
    "        long n) {\n"
    "    for (long i = 0; i < n; i += row, first += row_step) {\n"
    "        long j = 0;\n"
    "        for (; j < row && i + j + 16 <= n; j += 16) {\n"
    "            const int begin = (int)(first + j * step);\n"
    "            for (int k = 0; k < 16; k++) to[i + j + k] = (real)(begin + k * (int)step);\n"
    "        }\n"
    "        for (; j < row && i + j < n; j++) to[i + j] = (real)(int)(first + j * step);\n"
    "    }\n"
    "}\n\n";

static const char *const repetition =
    "/* The same row again and again: what is there is doubled. */\n"
    "static void vector_repeat_row(real *to, const real *a, long row, long n) {\n"
    "    for (long j = 0; j < row; j++) to[j] = a[j];\n"
    "    for (long done = row; done < n; done += done) {\n"
    "        const long count = done < n - done ? done : n - done;\n"
    "        INDEPENDENT\n"
    "        for (long j = 0; j < count; j++) to[done + j] = to[j];\n"
    "    }\n"
    "}\n\n"
    "/* Each number as often as a row is long. Whole vectors: what they write too much is "
    "overwritten. */\n"
    "static void vector_repeat_each(real *to, const real *a, long a_step, long row, long n) {\n"
    "    for (long i = 0; i < n; i += row, a += a_step) {\n"
    "        const real number = *a;\n"
    "        long j = 0;\n"
    "        for (; j < row && i + j + 16 <= n; j += 16)\n"
    "            for (int k = 0; k < 16; k++) to[i + j + k] = number;\n"
    "        for (; j < row; j++) to[i + j] = number;\n"
    "    }\n"
    "}\n\n";

/* Short rows are read in whole vectors, too, as far as there is something to read. */
static const char *const reduction =
    "static void vector_row_sums(real *to, const real *a, long row, long n) {\n"
    "    long i = 0;\n"
    "    for (; row < 16 && i + 16 <= n; i += row) {\n"
    "        real s[16];\n"
    "        for (int k = 0; k < 16; k++) {\n"
    "            const real x = a[i + k];\n"
    "            s[k] = (k < row ? x : 0) + (real)0;\n"
    "        }\n"
    "        *to++ = vector_sum_end(s);\n"
    "    }\n"
    "    for (; i < n; i += row) *to++ = vector_sum_of(a + i, row);\n"
    "}\n\n"
    "static void vector_row_maxima(real *to, const real *a, long row, long n) {\n"
    "    const real least = -(real)3.4028234663852886e38;\n"
    "    long i = 0;\n"
    "    for (; row < 16 && i + 16 <= n; i += row) {\n"
    "        real t[16];\n"
    "        for (int k = 0; k < 16; k++) {\n"
    "            const real x = a[i + k], within = k < row ? x : least;\n"
    "            t[k] = within > least ? within : least;\n"
    "        }\n"
    "        *to++ = vector_maximum_end(t);\n"
    "    }\n"
    "    for (; i < n; i += row) *to++ = vector_maximum_of(a + i, row);\n"
    "}\n\n"
    "/* To each place of the row its sum over the rows, in their order. */\n"
    "static void vector_accumulate_rows(real *to, const real *a, long row, long n) {\n"
    "    for (long j = 0; j < row; j += 16) {\n"
    "        const long count = row - j < 16 ? row - j : 16;\n"
    "        long i = j;\n"
    "        real s[16] = {0};\n"
    "        for (long k = 0; k < count; k++) s[k] = to[j + k];\n"
    "        for (; i + 16 <= n; i += row)\n"
    "            for (int k = 0; k < 16; k++) s[k] += a[i + k];\n"
    "        for (; i < n; i += row)\n"
    "            for (long k = 0; k < count; k++) s[k] += a[i + k];\n"
    "        for (long k = 0; k < count; k++) to[j + k] = s[k];\n"
    "    }\n"
    "}\n\n"
    "static void vector_accumulate_maximum_rows(real *to, const real *a, long row, long n) {\n"
    "    for (long i = 0; i < n; i += row) vector_maximum(to, to, 1, a + i, 1, row);\n"
    "}\n\n";

void microkernel_print_rows(struct text *text) {
    text_put(text, generation);
    text_put(text, repetition);
    text_put(text, reduction);
}
