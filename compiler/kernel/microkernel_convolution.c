/* microkernel_convolution.c: the text of convolution_tile_TxP.
 *
 * T output channels x P pixels stay in registers while the loops run over input channels and taps;
 * each tap reads P pixels and broadcasts T weights. The smaller side is held, the other streams. */
#include "microkernel_text.h"

#include <stdio.h>

/* "y + 2 * y_plane + 3 * y_step" */
static void print_address(struct text *text, const char *base, int t, int p) {
    text_put(text, base);
    if (t == 1) text_put(text, " + y_plane");
    if (t > 1) text_add(text, " + %d * y_plane", t);
    if (p == 1) text_put(text, " + y_step");
    if (p > 1) text_add(text, " + %d * y_step", p);
}

static void print_pixel(struct text *text, const struct microkernel *kernel, int p) {
    char variable[16], address[32];
    snprintf(variable, sizeof variable, "x%d", p);
    snprintf(address, sizeof address,
             p == 0   ? "xk"
             : p == 1 ? "xk + x_step"
                      : "xk + %d * x_step",
             p);
    microkernel_print_load(text, kernel->lanes, variable, address, kernel->a);
}

static void print_start(struct text *text, const struct microkernel *kernel) {
    text_add(text, "    if (flags & %d) {\n", MICROKERNEL_FIRST);
    for (int t = 0; t < kernel->a; t++) {
        text_put(text, "        ");
        for (int p = 0; p < kernel->b; p++) text_add(text, "a%d_%d = ", t, p);
        text_add(text, "(bias ? bias[%d] : 0) - zero;\n", t);
    }
    text_put(text, "    } else {\n");
    for (int t = 0; t < kernel->a; t++)
        for (int p = 0; p < kernel->b; p++) {
            text_add(text, "        a%d_%d = *(const memory%d *)(", t, p, kernel->lanes);
            print_address(text, "y", t, p);
            text_put(text, ");\n");
        }
    text_put(text, "    }\n");
}

static void print_tap(struct text *text, const struct microkernel *kernel) {
    text_put(text, "            const real *xk = x + taps[2 * k], *wk = w + taps[2 * k + 1];\n");
    if (kernel->b <= kernel->a) {
        for (int p = 0; p < kernel->b; p++) {
            text_put(text, "            ");
            print_pixel(text, kernel, p);
        }
        for (int t = 0; t < kernel->a; t++) {
            text_put(text, "           ");
            for (int p = 0; p < kernel->b; p++)
                text_add(text, " a%d_%d += x%d * wk[%d];", t, p, p, t);
            text_put(text, "\n");
        }
        return;
    }
    for (int p = 0; p < kernel->b; p++) {
        text_put(text, "            ");
        print_pixel(text, kernel, p);
        text_put(text, "           ");
        for (int t = 0; t < kernel->a; t++) text_add(text, " a%d_%d += x%d * wk[%d];", t, p, p, t);
        text_put(text, "\n");
    }
}

static void print_finish(struct text *text, const struct microkernel *kernel) {
    char name[32];
    text_add(text, "    if (flags & %d) {\n", MICROKERNEL_RELU);
    for (int t = 0; t < kernel->a; t++)
        for (int p = 0; p < kernel->b; p++) {
            snprintf(name, sizeof name, "a%d_%d", t, p);
            text_put(text, "        ");
            microkernel_print_select(text, kernel->lanes, name, name);
            text_put(text, "\n");
        }
    text_add(text, "    }\n    if (flags & %d) {\n", MICROKERNEL_MASK);
    for (int t = 0; t < kernel->a; t++)
        for (int p = 0; p < kernel->b; p++) {
            struct text condition = {.arena = text->arena};
            text_add(&condition, "*(const memory%d *)(", kernel->lanes);
            print_address(&condition, "mask", t, p);
            text_put(&condition, ")");
            snprintf(name, sizeof name, "a%d_%d", t, p);
            text_put(text, "        ");
            microkernel_print_select(text, kernel->lanes, name, text_string(&condition));
            text_put(text, "\n");
        }
    text_put(text, "    }\n");
    for (int t = 0; t < kernel->a; t++)
        for (int p = 0; p < kernel->b; p++) {
            text_add(text, "    *(memory%d *)(", kernel->lanes);
            print_address(text, "y", t, p);
            text_add(text, ") = a%d_%d;\n", t, p);
        }
}

/* With one tap the products of a tile take no longer than the lines of y from memory, for which the
 * stores would wait: they are asked for first. Measured with 64 channels at 28 x 28: 1x1 from 69 to
 * 76 % of the peak, its backward-data from 61 to 74. */
static void print_prefetch(struct text *text, const struct microkernel *kernel) {
    text_put(text, "    if (tap_count == 1) {\n");
    for (int t = 0; t < kernel->a; t++)
        for (int p = 0; p < kernel->b; p++) {
            text_put(text, "        LATHE_PREFETCH_WRITE(");
            print_address(text, "y", t, p);
            text_put(text, ");\n");
        }
    text_put(text, "    }\n");
}

/* Without vectors: opens the loops over channels and pixels, and closes them behind the products.
 */
static void open_plain(struct text *text, const struct microkernel *kernel) {
    text_add(text, "    for (long t = 0; t < %d; t++)\n        for (long p = 0; p < %d; p++) {\n",
             kernel->a, kernel->b);
    text_add(text,
             "            const long at = t * y_plane + p * y_step;\n"
             "            real sum[%d];\n"
             "            for (long i = 0; i < %d; i++)\n"
             "                sum[i] = !(flags & %d) ? y[at + i] : bias ? bias[t] : 0;\n",
             kernel->lanes, kernel->lanes, MICROKERNEL_FIRST);
}

void microkernel_close_plain(struct text *text, int lanes) {
    text_add(text,
             "            for (long i = 0; i < %d; i++) {\n"
             "                if ((flags & %d) && !(sum[i] > 0)) sum[i] = 0;\n"
             "                if ((flags & %d) && !(mask[at + i] > 0)) sum[i] = 0;\n"
             "                y[at + i] = sum[i];\n"
             "            }\n"
             "        }\n",
             lanes, MICROKERNEL_RELU, MICROKERNEL_MASK);
}

static void print_plain(struct text *text, const struct microkernel *kernel) {
    open_plain(text, kernel);
    text_add(text,
             "            for (long c = 0; c < channels; c++)\n"
             "                for (long k = 0; k < tap_count; k++) {\n"
             "                    const real *xk = x + c * x_plane + taps[2 * k] + p * x_step;\n"
             "                    const real wk = w[c * w_channel + taps[2 * k + 1] + t];\n"
             "                    for (long i = 0; i < %d; i++) sum[i] += wk * xk[i];\n"
             "                }\n",
             kernel->lanes);
    microkernel_close_plain(text, kernel->lanes);
}

/* The head, and what comes before the sums. */
static void open_tile(struct text *text, const struct microkernel *kernel, const char *qualifiers,
                      const char *unused) {
    text_add(text, "%s%sLATHE_FUSED ", qualifiers, *qualifiers ? " " : "");
    microkernel_print_head(text, kernel);
    text_add(text, " {\n    LATHE_FUSE\n%s", unused);
    text_add(text, "#ifdef LATHE_VECTORS\n    const vector%d zero = {0};\n", kernel->lanes);
}

void microkernel_print_convolution(struct text *text, const struct microkernel *kernel,
                                   const char *qualifiers) {
    text_add(text,
             "/* %d output channels x %d pixels of %d samples: y += w * x over input channels and\n"
             " * taps (pairs: offset into x, offset into w). */\n",
             kernel->a, kernel->b, kernel->lanes);
    open_tile(text, kernel, qualifiers, "");
    if (kernel->a == 1) text_put(text, "    (void)y_plane;\n");
    if (kernel->b == 1) text_put(text, "    (void)x_step, (void)y_step;\n");
    microkernel_print_accumulators(text, kernel);
    print_prefetch(text, kernel);
    print_start(text, kernel);
    text_put(text, "    for (long c = 0; c < channels; c++, x += x_plane, w += w_channel)\n"
                   "        for (long k = 0; k < tap_count; k++) {\n");
    print_tap(text, kernel);
    text_put(text, "        }\n");
    print_finish(text, kernel);
    text_put(text, "#else\n");
    print_plain(text, kernel);
    text_put(text, "#endif\n}\n\n");
}
