/* microkernel_gradient_row.c: the text of gradient_row_tile_RxK.
 *
 * With one channel of each a product of gradient_tile reads a pixel or two, as many as the processor
 * can. The taps of a kernel row read neighbors: here each pixel is read once for all of them, and the
 * columns at both ends of a row, which not all taps reach, are part of it. With all rows of the kernel
 * at once the gradient is read once, too. */
#include "microkernel_text.h"

enum { FULL = 100 };

/* Few sums are not enough to hide the latency of a product: the pixels then have several sets. */
static int set_count(const struct microkernel *kernel) {
    return kernel->a > 1 ? 1 : 11 / kernel->b;
}

/* Pixels that are read together: with all sums they stay in the registers. */
static int pixel_count(const struct microkernel *kernel) {
    return kernel->a == 1 ? 5 : kernel->lanes == 16 ? 4 : 3;
}

static const char *sum_name(const struct text *text, int row, int tap, int set) {
    return arena_format(text->arena, "a%d_%d_%d", row, tap, set);
}

/* `count` columns from gc on; tap 0 of the first reads the pixel at xc. Of the pixels, those before
 * `first` and from `end` on are not in the image. */
static void print_columns(struct text *text, const struct microkernel *kernel, const char *indent,
                          int count, int first, int end) {
    int taps = kernel->b, sets = set_count(kernel);
    for (int column = 0; column < count; column++) {
        text_add(text, "%s", indent);
        microkernel_print_load(text, kernel->lanes, arena_format(text->arena, "g%d", column),
                               arena_format(text->arena, "gc + %d * g_column", column), taps);
    }
    for (int r = 0; r < kernel->a; r++)
        for (int i = first; i < count + taps - 1 && i < end; i++) {
            const char *x = arena_format(text->arena, "x%d_%d", r, i);
            text_add(text, "%s", indent);
            microkernel_print_load(
                text, kernel->lanes, x,
                arena_format(text->arena, "xc + %d * x_row + %d * x_column", r, i), taps);
            text_add(text, "%s   ", indent);
            for (int k = taps - 1; k >= 0; k--)
                if (i - k >= 0 && i - k < count)
                    text_add(text, " %s += g%d * %s;", sum_name(text, r, k, (i - k) % sets), i - k,
                             x);
            text_put(text, "\n");
        }
}

static void print_row(struct text *text, const struct microkernel *kernel) {
    int border = kernel->b / 2, pixels = pixel_count(kernel);
    text_put(text, "        const real *xc = x - border * x_column, *gc = g;\n"
                   "        long column = border;\n"
                   "        if (border) {\n");
    print_columns(text, kernel, "            ", border, border, FULL);
    text_add(text,
             "            xc += %d * x_column;\n"
             "            gc += %d * g_column;\n"
             "        }\n",
             border, border);
    text_add(text,
             "        for (; column + %d < columns - border;\n"
             "             column += %d, xc += %d * x_column, gc += %d * g_column) {\n",
             pixels - 1, pixels, pixels, pixels);
    print_columns(text, kernel, "            ", pixels, 0, FULL);
    text_put(text, "        }\n"
                   "        for (; column < columns - border; column++, xc += x_column, gc += g_column) {\n");
    print_columns(text, kernel, "            ", 1, 0, FULL);
    text_put(text, "        }\n"
                   "        if (border) {\n");
    print_columns(text, kernel, "            ", border, 0, 2 * border);
    text_put(text, "        }\n");
}

static void print_plain(struct text *text, const struct microkernel *kernel) {
    text_add(text,
             "    for (long row = 0; row < rows; row++)\n"
             "        for (long column = 0; column < columns; column++)\n"
             "            for (long k = 0; k < %d; k++) {\n"
             "                const long at = column + k %% %d - border;\n"
             "                const real *xk = x + (row + k / %d) * x_row + at * x_column;\n"
             "                const real *gk = g + row * g_row + column * g_column;\n"
             "                if (border && (at < 0 || at >= columns)) continue;\n"
             "                for (long n = 0; n < %d; n++) acc[k * %d + n] += gk[n] * xk[n];\n"
             "            }\n",
             kernel->a * kernel->b, kernel->b, kernel->b, kernel->lanes, kernel->lanes);
}

/* All sums: from memory, or, with those of the other sets, to it. */
static void print_sums(struct text *text, const struct microkernel *kernel, bool is_end) {
    const int lanes = kernel->lanes, sets = set_count(kernel);
    for (int i = 0; i < kernel->a * kernel->b; i++) {
        const int r = i / kernel->b, k = i % kernel->b;
        const char *memory = arena_format(text->arena, "*(%smemory%d *)(acc + %d)",
                                          is_end ? "" : "const ", lanes, i * lanes);
        if (!is_end) {
            for (int set = 1; set < sets; set++)
                text_add(text, "    vector%d %s = {0};\n", lanes, sum_name(text, r, k, set));
            text_add(text, "    vector%d %s = %s;\n", lanes, sum_name(text, r, k, 0), memory);
            continue;
        }
        text_add(text, "    %s = %s", memory, sum_name(text, r, k, 0));
        for (int set = 1; set < sets; set++) text_add(text, " + %s", sum_name(text, r, k, set));
        text_put(text, ";\n");
    }
}

void microkernel_print_gradient_row(struct text *text, const struct microkernel *kernel,
                                    const char *qualifiers) {
    text_add(text,
             "/* Weight gradient of %d x %d taps of one channel: acc[%d][%d] += g * x over rows x columns\n"
             " * pixels of %d samples; with a border, taps stay inside the row. */\n",
             kernel->a, kernel->b, kernel->a * kernel->b, kernel->lanes, kernel->lanes);
    text_add(text, "%s%sLATHE_FUSED ", qualifiers, *qualifiers ? " " : "");
    microkernel_print_head(text, kernel);
    text_put(text, " {\n    LATHE_FUSE\n#ifdef LATHE_VECTORS\n");
    print_sums(text, kernel, false);
    text_put(text, "    for (long row = 0; row < rows; row++, x += x_row, g += g_row) {\n");
    print_row(text, kernel);
    text_put(text, "    }\n");
    print_sums(text, kernel, true);
    text_put(text, "#else\n");
    print_plain(text, kernel);
    text_put(text, "#endif\n}\n\n");
}
