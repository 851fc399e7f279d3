/* microkernel_gradient.c: the text of gradient_tile_OxI.
 *
 * O x I accumulators, each a vector over samples, stay in registers while the loops run over a
 * rectangle of pixels; a pixel reads O output gradients and I inputs. The lanes are summed once, at
 * the end of all pixels and batches (lane_sum). */
#include "microkernel_text.h"

/* A product takes four cycles, and two begin in each: with fewer than eight sums several pixels have
 * sums of their own. */
static int pixels_at_once(const struct microkernel *kernel) {
    enum { PRODUCTS = 8 };
    int products = kernel->a * kernel->b;
    return (PRODUCTS + products - 1) / products;
}

/* "a2_1", or "a2_1_3" for the pixel 3 of those at once. */
static const char *sum_name(const struct text *text, int o, int i, int pixel) {
    return pixel ? arena_format(text->arena, "a%d_%d_%d", o, i, pixel)
                 : arena_format(text->arena, "a%d_%d", o, i);
}

/* One vector of a pixel: `g2_1` at `gc + 2 * g_plane + 1 * g_column`. */
static const char *print_load(struct text *text, int lanes, char name, int i, int pixel, int uses) {
    const char *variable = arena_format(text->arena, "%c%d_%d", name, i, pixel);
    struct text address = {.arena = text->arena};
    text_add(&address, "%cc", name);
    if (i == 1) text_add(&address, " + %c_plane", name);
    if (i > 1) text_add(&address, " + %d * %c_plane", i, name);
    if (pixel) text_add(&address, " + %d * %c_column", pixel, name);
    text_put(text, "            ");
    microkernel_print_load(text, lanes, variable, text_string(&address), uses);
    return variable;
}

static void print_pixel(struct text *text, const struct microkernel *kernel, int pixel) {
    int out = kernel->a, in = kernel->b;
    bool hold_x = in < out; /* the smaller side is held, the other streams */
    int held = hold_x ? in : out, streamed = hold_x ? out : in;
    const char *kept[16];
    for (int i = 0; i < held; i++)
        kept[i] = print_load(text, kernel->lanes, hold_x ? 'x' : 'g', i, pixel, streamed);
    for (int s = 0; s < streamed; s++) {
        const char *variable =
            print_load(text, kernel->lanes, hold_x ? 'g' : 'x', s, pixel, held);
        text_put(text, "           ");
        for (int h = 0; h < held; h++) {
            int o = hold_x ? s : h, i = hold_x ? h : s;
            text_add(text, " %s += %s * %s;", sum_name(text, o, i, pixel),
                     hold_x ? variable : kept[h], hold_x ? kept[h] : variable);
        }
        text_put(text, "\n");
    }
}

/* The columns of a row, `pixels` at once. */
static void print_columns(struct text *text, const struct microkernel *kernel, int pixels) {
    if (pixels == 1)
        text_put(text, "        for (; column < columns; column++, xc += x_column, gc += g_column) {\n");
    else
        text_add(text,
                 "        for (; column + %d < columns;\n"
                 "             column += %d, xc += %d * x_column, gc += %d * g_column) {\n",
                 pixels - 1, pixels, pixels, pixels);
    for (int pixel = 0; pixel < pixels; pixel++) print_pixel(text, kernel, pixel);
    text_put(text, "        }\n");
}

static void print_plain(struct text *text, const struct microkernel *kernel) {
    text_add(text,
             "    for (long o = 0; o < %d; o++)\n"
             "        for (long i = 0; i < %d; i++, acc += %d)\n",
             kernel->a, kernel->b, kernel->lanes);
    text_add(text,
             "            for (long row = 0; row < rows; row++)\n"
             "                for (long column = 0; column < columns; column++) {\n"
             "                    const real *xc =\n"
             "                        x + i * x_plane + row * x_row + column * x_column;\n"
             "                    const real *gc =\n"
             "                        g + o * g_plane + row * g_row + column * g_column;\n"
             "                    for (long n = 0; n < %d; n++) acc[n] += gc[n] * xc[n];\n"
             "                }\n",
             kernel->lanes);
}

void microkernel_print_gradient(struct text *text, const struct microkernel *kernel,
                                const char *qualifiers) {
    int lanes = kernel->lanes;
    text_add(text,
             "/* Weight gradient of %d output x %d input channels: acc[%d][%d][%d] += g * x over\n"
             " * rows x columns pixels of %d samples. */\n",
             kernel->a, kernel->b, kernel->a, kernel->b, lanes, lanes);
    text_add(text, "%s%sLATHE_FUSED ", qualifiers, *qualifiers ? " " : "");
    microkernel_print_head(text, kernel);
    text_put(text, " {\n    LATHE_FUSE\n#ifdef LATHE_VECTORS\n");
    if (kernel->a == 1) text_put(text, "    (void)g_plane;\n");
    if (kernel->b == 1) text_put(text, "    (void)x_plane;\n");
    microkernel_print_accumulators(text, kernel);
    for (int o = 0; o < kernel->a; o++)
        for (int i = 0; i < kernel->b; i++)
            text_add(text, "    a%d_%d = *(const memory%d *)(acc + %d);\n", o, i, lanes,
                     (o * kernel->b + i) * lanes);
    int pixels = pixels_at_once(kernel);
    for (int pixel = 1; pixel < pixels; pixel++)
        for (int o = 0; o < kernel->a; o++)
            for (int i = 0; i < kernel->b; i++)
                text_add(text, "    vector%d %s = {0};\n", lanes, sum_name(text, o, i, pixel));
    text_put(text, "    for (long row = 0; row < rows; row++, x += x_row, g += g_row) {\n"
                   "        const real *xc = x, *gc = g;\n"
                   "        long column = 0;\n");
    if (pixels > 1) print_columns(text, kernel, pixels);
    print_columns(text, kernel, 1);
    text_put(text, "    }\n");
    for (int o = 0; o < kernel->a; o++)
        for (int i = 0; i < kernel->b; i++) {
            text_add(text, "    *(memory%d *)(acc + %d) = a%d_%d", lanes,
                     (o * kernel->b + i) * lanes, o, i);
            for (int pixel = 1; pixel < pixels; pixel++)
                text_add(text, " + %s", sum_name(text, o, i, pixel));
            text_put(text, ";\n");
        }
    text_put(text, "#else\n");
    print_plain(text, kernel);
    text_put(text, "#endif\n}\n\n");
}
