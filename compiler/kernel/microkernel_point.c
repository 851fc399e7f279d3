/* microkernel_point.c: the text of point_tile_TxP: the products of a convolution at one of
 * Winograd's points. All distances but those of planes are constant, so that a call has little to
 * do before its products, which for few channels are few. */
#include "microkernel_text.h"

static const char *print_load(struct text *text, const struct microkernel *kernel, int p) {
    const char *variable = arena_format(text->arena, "x%d", p);
    text_put(text, "        ");
    microkernel_print_load(text, kernel->lanes, variable,
                           arena_format(text->arena, "x + %d", p * kernel->lanes), kernel->a);
    return variable;
}

/* The smaller side is held, the other streams. */
static void print_products(struct text *text, const struct microkernel *kernel) {
    bool hold_x = kernel->b <= kernel->a;
    for (int p = 0; p < kernel->b; p++) {
        print_load(text, kernel, p);
        if (hold_x) continue;
        text_put(text, "       ");
        for (int t = 0; t < kernel->a; t++) text_add(text, " a%d_%d += x%d * w[%d];", t, p, p, t);
        text_put(text, "\n");
    }
    for (int t = 0; hold_x && t < kernel->a; t++) {
        text_put(text, "       ");
        for (int p = 0; p < kernel->b; p++) text_add(text, " a%d_%d += x%d * w[%d];", t, p, p, t);
        text_put(text, "\n");
    }
}

/* "*(memory16 *)(y + 2 * y_plane + 48)" */
static const char *place(struct text *text, const struct microkernel *kernel, int t, int p,
                         const char *type) {
    return arena_format(text->arena, "*(%smemory%d *)(y + %d * y_plane + %d)", type, kernel->lanes,
                        t, p * kernel->lanes);
}

static void print_start(struct text *text, const struct microkernel *kernel) {
    text_put(text, "    if (is_first) {\n");
    for (int t = 0; t < kernel->a; t++) {
        text_put(text, "        ");
        for (int p = 0; p < kernel->b; p++) text_add(text, "a%d_%d = ", t, p);
        text_put(text, "zero;\n");
    }
    text_put(text, "    } else {\n");
    for (int t = 0; t < kernel->a; t++)
        for (int p = 0; p < kernel->b; p++)
            text_add(text, "        a%d_%d = %s;\n", t, p, place(text, kernel, t, p, "const "));
    text_put(text, "    }\n");
}

static void print_plain(struct text *text, const struct microkernel *kernel) {
    text_add(text,
             "    for (long t = 0; t < %d; t++)\n"
             "        for (long i = 0; i < %d; i++) {\n"
             "            real sum = is_first ? 0 : y[t * y_plane + i];\n"
             "            for (long c = 0; c < channels; c++)\n"
             "                sum += w[c * %d + t] * x[c * x_plane + i];\n"
             "            y[t * y_plane + i] = sum;\n"
             "        }\n",
             kernel->a, kernel->b * kernel->lanes, kernel->a);
}

void microkernel_print_point(struct text *text, const struct microkernel *kernel,
                             const char *qualifiers) {
    text_add(text,
             "/* %d output channels x %d tiles of %d samples at one point: y = (or +=) w * x over\n"
             " * input channels. */\n"
             "%s%sLATHE_FUSED ",
             kernel->a, kernel->b, kernel->lanes, qualifiers, *qualifiers ? " " : "");
    microkernel_print_head(text, kernel);
    text_add(text, " {\n    LATHE_FUSE\n#ifdef LATHE_VECTORS\n    const vector%d zero = {0};\n",
             kernel->lanes);
    microkernel_print_accumulators(text, kernel);
    print_start(text, kernel);
    text_add(text, "    for (long c = 0; c < channels; c++, x += x_plane, w += %d) {\n", kernel->a);
    print_products(text, kernel);
    text_put(text, "    }\n");
    for (int t = 0; t < kernel->a; t++)
        for (int p = 0; p < kernel->b; p++)
            text_add(text, "    %s = a%d_%d;\n", place(text, kernel, t, p, ""), t, p);
    text_put(text, "#else\n");
    print_plain(text, kernel);
    text_put(text, "#endif\n}\n\n");
}
