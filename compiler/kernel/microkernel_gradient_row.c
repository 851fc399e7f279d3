/* microkernel_gradient_row.c: the text of gradient_row_tile_1xK.
 *
 * With one channel of each a product of gradient_tile reads a pixel or two, as many as the processor
 * can. The taps of a kernel row read neighbors: here each pixel is read once for all of them, and the
 * columns at both ends of a row, which not all taps reach, are part of it. */
#include "microkernel_text.h"

enum { PIXELS = 5, FULL = 100 };

/* Few sums are not enough to hide the latency of a product: the pixels then have several sets. */
static int set_count(const struct microkernel *kernel) {
    return 11 / kernel->b;
}

static const char *sum_name(const struct text *text, int tap, int set) {
    return arena_format(text->arena, "a%d_%d", tap, set);
}

/* `count` columns from gc on; tap 0 of the first reads the pixel at xc. Of the pixels, those before
 * `first` and from `end` on are not in the image. */
static void print_columns(struct text *text, const struct microkernel *kernel, const char *indent,
                          int count, int first, int end) {
    int taps = kernel->b;
    for (int column = 0; column < count; column++) {
        text_add(text, "%s", indent);
        microkernel_print_load(text, kernel->lanes, arena_format(text->arena, "g%d", column),
                               arena_format(text->arena, "gc + %d * g_column", column), taps);
    }
    for (int i = first; i < count + taps - 1 && i < end; i++) {
        text_add(text, "%s", indent);
        microkernel_print_load(text, kernel->lanes, arena_format(text->arena, "x%d", i),
                               arena_format(text->arena, "xc + %d * x_column", i), taps);
        text_add(text, "%s   ", indent);
        for (int k = taps - 1; k >= 0; k--)
            if (i - k >= 0 && i - k < count)
                text_add(text, " %s += g%d * x%d;",
                         sum_name(text, k, (i - k) % set_count(kernel)), i - k, i);
        text_put(text, "\n");
    }
}

static void print_row(struct text *text, const struct microkernel *kernel) {
    int border = kernel->b / 2;
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
             PIXELS - 1, PIXELS, PIXELS, PIXELS);
    print_columns(text, kernel, "            ", PIXELS, 0, FULL);
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
             "                const long at = column + k - border;\n"
             "                const real *xk = x + row * x_row + at * x_column;\n"
             "                const real *gk = g + row * g_row + column * g_column;\n"
             "                if (border && (at < 0 || at >= columns)) continue;\n"
             "                for (long n = 0; n < %d; n++) acc[k * %d + n] += gk[n] * xk[n];\n"
             "            }\n",
             kernel->b, kernel->lanes, kernel->lanes);
}

void microkernel_print_gradient_row(struct text *text, const struct microkernel *kernel,
                                    const char *qualifiers) {
    int lanes = kernel->lanes, sets = set_count(kernel);
    text_add(text,
             "/* Weight gradient of %d taps of a kernel row of one channel: acc[%d][%d] += g * x over\n"
             " * rows x columns pixels of %d samples; with a border, taps stay inside the row. */\n",
             kernel->b, kernel->b, lanes, lanes);
    text_add(text, "%s%sLATHE_FUSED ", qualifiers, *qualifiers ? " " : "");
    microkernel_print_head(text, kernel);
    text_put(text, " {\n    LATHE_FUSE\n#ifdef LATHE_VECTORS\n");
    for (int k = 0; k < kernel->b; k++)
        for (int set = 0; set < sets; set++)
            text_add(text, set ? "    vector%d %s = {0};\n" : "    vector%d %s;\n", lanes,
                     sum_name(text, k, set));
    for (int k = 0; k < kernel->b; k++)
        text_add(text, "    %s = *(const memory%d *)(acc + %d);\n", sum_name(text, k, 0), lanes,
                 k * lanes);
    text_put(text, "    for (long row = 0; row < rows; row++, x += x_row, g += g_row) {\n");
    print_row(text, kernel);
    text_put(text, "    }\n");
    for (int k = 0; k < kernel->b; k++) {
        text_add(text, "    *(memory%d *)(acc + %d) = %s", lanes, k * lanes, sum_name(text, k, 0));
        for (int set = 1; set < sets; set++) text_add(text, " + %s", sum_name(text, k, set));
        text_put(text, ";\n");
    }
    text_put(text, "#else\n");
    print_plain(text, kernel);
    text_put(text, "#endif\n}\n\n");
}
