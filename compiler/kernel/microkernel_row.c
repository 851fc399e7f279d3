/* microkernel_row.c: the text of row_tile_KxP.
 *
 * With one channel each product of convolution_tile would read a pixel, as many as the processor
 * can: a row tile gives each pixel that it reads to all K taps of a kernel row. It goes over all
 * rows of an image in one call, because the products of one are no more than a few times its
 * overhead; where the registers hold the weights of all kernel rows, these are read once. */
#include "microkernel_text.h"

#include <stdlib.h>

/* The sums, the weights of K kernel rows, a pixel, the bias and a zero. */
static bool holds_kernel(const struct microkernel *kernel, const struct target *target) {
    return kernel->a * kernel->a + kernel->b + 3 <= target->registers;
}

/* The weights of kernel row r, `w` its offset in them. */
static void print_weights(struct text *text, const struct microkernel *kernel, const char *indent,
                          const char *declares, const char *r, const char *w) {
    for (int k = 0; k < kernel->a; k++)
        text_add(text, "%s%sw%s_%d = w[%s + %d * w_tap] - zero;\n", indent, declares, r, k, w, k);
}

/* "xk + 32" */
static const char *pixel_of(struct text *text, const struct microkernel *kernel, const char *base,
                            int p) {
    if (p == 0) return base;
    return arena_format(text->arena, "%s %c %d", base, p < 0 ? '-' : '+', abs(p) * kernel->lanes);
}

/* The pixels that kernel row r reads, from x + at on, each times all weights. */
static void print_products(struct text *text, const struct microkernel *kernel, const char *indent,
                           const char *r, const char *at) {
    int taps = kernel->a, pixels = kernel->b, inside = taps / 2;
    text_add(text, "%sconst real *xk = x + (%s + %d);\n", indent, at, inside * kernel->lanes);
    for (int i = 0; i < pixels + taps - 1; i++) {
        int edge = i < inside ? MICROKERNEL_LEFT : i >= pixels + inside ? MICROKERNEL_RIGHT : 0;
        if (edge) text_add(text, "%sif (!(outside & %d)) {\n", indent, edge);
        text_add(text, "%s%s", indent, edge ? "    " : "");
        microkernel_print_load(text, kernel->lanes, arena_format(text->arena, "x%d", i),
                               pixel_of(text, kernel, "xk", i - inside), taps);
        text_add(text, "%s%s", indent, edge ? "   " : "");
        for (int k = taps - 1; k >= 0; k--)
            if (i - k >= 0 && i - k < pixels)
                text_add(text, " a%d += x%d * w%s_%d;", i - k, i, r, k);
        text_put(text, "\n");
        if (edge) text_add(text, "%s}\n", indent);
    }
}

/* The pixels of a later row, and those of the mask. Measured with 256 channels of 7 x 7: from 76 to
 * 82 % of the peak, and no more with those of y, too; with a mask and 128 channels of 28 x 28: 78
 * to 90 % of the bandwidth. */
static void print_ahead(struct text *text, const struct microkernel *kernel) {
    enum { ROWS = 6 };
    for (int is_mask = 0; is_mask < 2; is_mask++) {
        int flags = MICROKERNEL_AHEAD | (is_mask ? MICROKERNEL_MASK : 0);
        const char *rows = is_mask ? arena_format(text->arena, "mask + (row + %d) * y_row", ROWS)
                                   : arena_format(text->arena, "x + %d * x_row", ROWS);
        text_add(text,
                 "        if ((flags & %d) == %d) {\n"
                 "            const real *ahead = %s;\n",
                 flags, flags, rows);
        for (int p = 0; p < kernel->b; p++)
            text_add(text, "            LATHE_PREFETCH(%s);\n", pixel_of(text, kernel, "ahead", p));
        text_put(text, "        }\n");
    }
}

/* Where the kernel has K rows, too: their weights and offsets into x, all but the loop over rows.
 */
static void print_kernel(struct text *text, const struct microkernel *kernel) {
    for (int r = 0; r < kernel->a; r++) {
        text_add(text, "    long at%d = 0;\n    vector%d ", r, kernel->lanes);
        for (int k = 0; k < kernel->a; k++) text_add(text, "%sw%d_%d = zero", k ? ", " : "", r, k);
        text_put(text, ";\n");
    }
    text_add(text, "    if (tap_count == %d) {\n", kernel->a);
    for (int r = 0; r < kernel->a; r++) {
        text_add(text, "        at%d = taps[%d];\n", r, 2 * r);
        print_weights(text, kernel, "        ", "", arena_format(text->arena, "%d", r),
                      arena_format(text->arena, "taps[%d]", 2 * r + 1));
    }
    text_put(text, "    }\n");
}

static void print_held_rows(struct text *text, const struct microkernel *kernel) {
    text_add(text, "        if (tap_count == %d) {\n", kernel->a);
    for (int r = 0; r < kernel->a; r++) {
        if (r < kernel->a / 2)
            text_add(text, "            if (first <= %d) {\n", r);
        else
            text_add(text, "            if (last >= %d) {\n", r);
        print_products(text, kernel, "                ", arena_format(text->arena, "%d", r),
                       arena_format(text->arena, "at%d", r));
        text_put(text, "            }\n");
    }
    text_put(text, "        } else\n");
}

static void print_kernel_row(struct text *text, const struct microkernel *kernel) {
    const char *declares = arena_format(text->arena, "const vector%d ", kernel->lanes);
    text_put(text, "        for (long r = first; r <= last; r++) {\n"
                   "            const long at = taps[2 * r];\n");
    print_weights(text, kernel, "            ", declares, "", "taps[2 * r + 1]");
    print_products(text, kernel, "            ", "", "at");
    text_put(text, "        }\n");
}

static void print_finish(struct text *text, const struct microkernel *kernel) {
    for (int is_mask = 0; is_mask < 2; is_mask++) {
        text_add(text, "        if (flags & %d) {\n",
                 is_mask ? MICROKERNEL_MASK : MICROKERNEL_RELU);
        if (is_mask) text_put(text, "            const real *mk = mask + row * y_row;\n");
        for (int p = 0; p < kernel->b; p++) {
            const char *sum = arena_format(text->arena, "a%d", p);
            const char *mask = arena_format(text->arena, "*(const memory%d *)(%s)", kernel->lanes,
                                            pixel_of(text, kernel, "mk", p));
            text_put(text, "            ");
            microkernel_print_select(text, kernel->lanes, sum, is_mask ? mask : sum);
            text_put(text, "\n");
        }
        text_put(text, "        }\n");
    }
    for (int p = 0; p < kernel->b; p++)
        text_add(text, "        *(memory%d *)(%s) = a%d;\n", kernel->lanes,
                 pixel_of(text, kernel, "y", p), p);
}

static void print_rows(struct text *text, const struct microkernel *kernel,
                       const struct target *target) {
    bool holds = holds_kernel(kernel, target);
    text_add(text, "    const vector%d zero = {0}, start = (bias ? bias[0] : 0) - zero;\n",
             kernel->lanes);
    if (holds) print_kernel(text, kernel);
    text_put(text, "    for (long row = 0; row < rows; row++, x += x_row, y += y_row) {\n"
                   "        const long first = row < top ? top - row : 0;\n"
                   "        const long last = tap_count - 1 - (row < end ? 0 : row - end + 1);\n");
    for (int p = 0; p < kernel->b; p++)
        text_add(text, "%s a%d = start%s",
                 p ? "" : arena_format(text->arena, "        vector%d", kernel->lanes), p,
                 p + 1 < kernel->b ? "," : ";\n");
    print_ahead(text, kernel);
    if (holds) print_held_rows(text, kernel);
    print_kernel_row(text, kernel);
    print_finish(text, kernel);
    text_put(text, "    }\n");
}

static void print_plain(struct text *text, const struct microkernel *kernel) {
    int taps = kernel->a, pixels = kernel->b, lanes = kernel->lanes;
    text_add(text,
             "    for (long row = 0; row < rows; row++)\n"
             "        for (long p = 0; p < %d; p++) {\n"
             "            const long first = row < top ? top - row : 0;\n"
             "            const long last = tap_count - 1 - (row < end ? 0 : row - end + 1);\n"
             "            const long at = row * y_row + p * %d;\n"
             "            real sum[%d];\n"
             "            for (long i = 0; i < %d; i++) sum[i] = bias ? bias[0] : 0;\n",
             pixels, lanes, lanes, lanes);
    text_add(text,
             "            for (long r = first; r <= last; r++)\n"
             "                for (long k = 0; k < %d; k++) {\n"
             "                    const long in = taps[2 * r] + row * x_row + (p + k) * %d;\n"
             "                    const real wk = w[taps[2 * r + 1] + k * w_tap];\n"
             "                    if ((outside & %d) && p + k < %d) continue;\n"
             "                    if ((outside & %d) && p + k >= %d) continue;\n"
             "                    for (long i = 0; i < %d; i++) sum[i] += wk * x[in + i];\n"
             "                }\n",
             taps, lanes, MICROKERNEL_LEFT, taps / 2, MICROKERNEL_RIGHT, pixels + taps / 2, lanes);
    microkernel_close_plain(text, lanes);
}

void microkernel_print_row(struct text *text, const struct microkernel *kernel,
                           const struct target *target, const char *qualifiers) {
    text_add(text,
             "/* %d taps of a kernel row x %d pixels of %d samples of one channel, over rows of "
             "pixels:\n"
             " * y = w * x over kernel rows (pairs: offset into x, offset into w). At edges in "
             "`outside`\n"
             " * half of the kernel lies outside of the image. */\n",
             kernel->a, kernel->b, kernel->lanes);
    text_add(text, "%s%sLATHE_FUSED ", qualifiers, *qualifiers ? " " : "");
    microkernel_print_head(text, kernel);
    text_add(text,
             " {\n"
             "    LATHE_FUSE\n"
             "    const long top = outside & %d ? tap_count / 2 : 0;\n"
             "    const long end = rows - (outside & %d ? tap_count / 2 : 0);\n"
             "#ifdef LATHE_VECTORS\n",
             MICROKERNEL_ABOVE, MICROKERNEL_BELOW);
    print_rows(text, kernel, target);
    text_put(text, "#else\n");
    print_plain(text, kernel);
    text_put(text, "#endif\n}\n\n");
}
