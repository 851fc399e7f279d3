/* microkernel_winograd_products.c: the text of the products of a weight gradient at one of
 * Winograd's points: winograd_products_OxI for O output x I input channels. */
#include "microkernel_text.h"

#include <stdio.h>

static void print_load(struct text *text, int lanes, char name, int i, int uses) {
    const char *address = i ? arena_format(text->arena, "%c + %d * %c_plane", name, i, name)
                            : arena_format(text->arena, "%c", name);
    text_put(text, "        ");
    microkernel_print_load(text, lanes, arena_format(text->arena, "%c%d", name, i), address, uses);
}

/* The smaller side is held, the other streams. */
static void print_products(struct text *text, int outs, int ins, int lanes) {
    bool hold_x = ins < outs;
    int held = hold_x ? ins : outs, streamed = hold_x ? outs : ins;
    text_add(text, "    for (long q = 0; q < tiles; q++, x += %d, g += %d) {\n", lanes, lanes);
    for (int h = 0; h < held; h++) print_load(text, lanes, hold_x ? 'x' : 'g', h, streamed);
    for (int s = 0; s < streamed; s++) {
        print_load(text, lanes, hold_x ? 'g' : 'x', s, held);
        text_put(text, "       ");
        for (int h = 0; h < held; h++) {
            int o = hold_x ? s : h, i = hold_x ? h : s;
            text_add(text, " a%d_%d += g%d * x%d;", o, i, o, i);
        }
        text_put(text, "\n");
    }
    text_put(text, "    }\n");
}

static void print_vector_products(struct text *text, int outs, int ins, int lanes) {
    struct microkernel tile = {MICROKERNEL_GRADIENT, outs, ins, lanes};
    text_add(text, "    const vector%d zero = {0};\n", lanes);
    if (outs == 1) text_put(text, "    (void)g_plane;\n");
    if (ins == 1) text_put(text, "    (void)x_plane;\n");
    microkernel_print_accumulators(text, &tile);
    for (int o = 0; o < outs; o++) {
        text_put(text, "    ");
        for (int i = 0; i < ins; i++) text_add(text, "a%d_%d = ", o, i);
        text_put(text, "zero;\n");
    }
    print_products(text, outs, ins, lanes);
    for (int first = 0; first < outs * ins; first += lanes) {
        const char **s = ARENA_ARRAY(text->arena, const char *, lanes);
        for (int i = 0; i < lanes && first + i < outs * ins; i++)
            s[i] = arena_format(text->arena, "a%d_%d", (first + i) / ins, (first + i) % ins);
        microkernel_print_lane_sums(text, s, lanes);
        text_add(text,
                 "    *(memory%d *)(to + %d) =\n"
                 "        is_first ? %s : %s + *(const memory%d *)(to + %d);\n",
                 lanes, first, s[0], s[0], lanes, first);
    }
}

static const char products_parameters[] =
    "real *to, const real *x, const real *g, long tiles, long x_plane,\n"
    "        long g_plane, long is_first";

static void print_products_function(struct text *text, int outs, int ins, int lanes,
                                    const char *qualifiers) {
    text_add(
        text,
        "/* At one point: to[%d][%d] = (or +=) g * x of %d output x %d input channels, over the\n"
        " * tiles and samples. It writes whole vectors. */\n"
        "%s%sLATHE_FUSED void winograd_products_%dx%d(%s) {\n"
        "    LATHE_FUSE\n"
        "#if defined(LATHE_VECTORS) && (defined(__clang__) || __GNUC__ >= 12)\n",
        outs, ins, outs, ins, qualifiers, *qualifiers ? " " : "", outs, ins, products_parameters);
    print_vector_products(text, outs, ins, lanes);
    text_add(text,
             "#else\n"
             "    for (long n = 0; n < %d; n++) {\n"
             "        const real *xn = x + n %% %d * x_plane, *gn = g + n / %d * g_plane;\n"
             "        real lanes[%d] = {0};\n"
             "        for (long q = 0; q < tiles; q++, xn += %d, gn += %d)\n"
             "            for (long i = 0; i < %d; i++) lanes[i] += gn[i] * xn[i];\n"
             "        to[n] = (is_first ? 0 : to[n]) + lane_sum_%d(lanes);\n"
             "    }\n"
             "#endif\n}\n\n",
             outs * ins, ins, ins, lanes, lanes, lanes, lanes, lanes);
}

static bool is_products(const char *name, int *outs, int *ins) {
    return sscanf(name, "winograd_products_%dx%d", outs, ins) == 2;
}

bool microkernel_print_winograd_products(struct text *text, const char *name, int lanes,
                                         const char *qualifiers) {
    int outs, ins;
    if (!is_products(name, &outs, &ins)) return false;
    print_products_function(text, outs, ins, lanes, qualifiers);
    return true;
}

bool microkernel_print_winograd_products_prototype(struct text *text, const char *name) {
    int outs, ins;
    if (!is_products(name, &outs, &ins)) return false;
    text_add(text, "void %s(%s);\n", name, products_parameters);
    return true;
}
