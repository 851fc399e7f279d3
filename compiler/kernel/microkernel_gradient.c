/* microkernel_gradient.c: the text of gradient_tile_OxI.
 *
 * O x I accumulators, each a vector over samples, stay in registers while the loops run over a
 * rectangle of pixels; a pixel reads O output gradients and I inputs. The lanes are summed once, at
 * the end of all pixels and batches (lane_sum). */
#include "microkernel_text.h"

#include <stdio.h>

/* One vector of the pixel: `g2` at `gc + 2 * g_plane`. */
static void print_load(struct text *text, int lanes, char name, int i, int uses) {
    char variable[16], address[48];
    snprintf(variable, sizeof variable, "%c%d", name, i);
    if (i == 0)
        snprintf(address, sizeof address, "%cc", name);
    else if (i == 1)
        snprintf(address, sizeof address, "%cc + %c_plane", name, name);
    else
        snprintf(address, sizeof address, "%cc + %d * %c_plane", name, i, name);
    text_put(text, "            ");
    microkernel_print_load(text, lanes, variable, address, uses);
}

static void print_pixel(struct text *text, const struct microkernel *kernel) {
    int out = kernel->a, in = kernel->b;
    bool hold_x = in < out; /* the smaller side is held, the other streams */
    int held = hold_x ? in : out, streamed = hold_x ? out : in;
    for (int i = 0; i < held; i++) print_load(text, kernel->lanes, hold_x ? 'x' : 'g', i, streamed);
    for (int s = 0; s < streamed; s++) {
        print_load(text, kernel->lanes, hold_x ? 'g' : 'x', s, held);
        text_put(text, "           ");
        for (int h = 0; h < held; h++) {
            int o = hold_x ? s : h, i = hold_x ? h : s;
            text_add(text, " a%d_%d += g%d * x%d;", o, i, o, i);
        }
        text_put(text, "\n");
    }
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
    text_put(text, "    for (long row = 0; row < rows; row++, x += x_row, g += g_row) {\n"
                   "        const real *xc = x, *gc = g;\n"
                   "        for (long column = 0; column < columns;\n"
                   "             column++, xc += x_column, gc += g_column) {\n");
    print_pixel(text, kernel);
    text_put(text, "        }\n    }\n");
    for (int o = 0; o < kernel->a; o++)
        for (int i = 0; i < kernel->b; i++)
            text_add(text, "    *(memory%d *)(acc + %d) = a%d_%d;\n", lanes,
                     (o * kernel->b + i) * lanes, o, i);
    text_put(text, "#else\n");
    print_plain(text, kernel);
    text_put(text, "#endif\n}\n\n");
}
