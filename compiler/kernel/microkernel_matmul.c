/* microkernel_matmul.c: the text of matmul_tile_RxVxL and pixel_tile_PxVxL.
 *
 * R rows x V vectors of columns stay in registers while the loop runs over the depth: V vectors of
 * b are read, R scalars of a broadcast. Nothing is aligned: columns are the numbers of one row.
 * For pixels the depth is cut into taps, which begin anywhere in a and b. */
#include "microkernel_text.h"

#include <stdio.h>

static void print_qualifiers(struct text *text, const struct microkernel *kernel,
                             const char *qualifiers) {
    text_add(text, "%s%sLATHE_FUSED%s ", qualifiers, *qualifiers ? " " : "",
             kernel->lanes == 1 ? "_SCALAR" : "");
}

/* The column of vector v: nothing, " + 16", or " + last". */
static void print_column(struct text *text, const struct microkernel *kernel, int v) {
    if (v == kernel->b - 1)
        text_put(text, " + last");
    else if (v > 0)
        text_add(text, " + %d", v * kernel->lanes);
}

/* Vector v of a row in memory: "*(const memory16 *)(c + 2 * c_row + last)" */
static void print_vector(struct text *text, const struct microkernel *kernel, const char *base,
                         int r, int v, bool store) {
    text_add(text, "*(%smemory%d *)(", store ? "" : "const ", kernel->lanes);
    text_put(text, base);
    if (r == 1) text_put(text, " + c_row");
    if (r > 1) text_add(text, " + %d * c_row", r);
    print_column(text, kernel, v);
    text_put(text, ")");
}

static void print_stored(struct text *text, const struct microkernel *kernel) {
    text_add(text, "    if (!(flags & %d)) {\n", MICROKERNEL_FIRST);
    for (int r = 0; r < kernel->a; r++)
        for (int v = 0; v < kernel->b; v++) {
            text_add(text, "        a%d_%d = ", r, v);
            print_vector(text, kernel, "c", r, v, false);
            text_put(text, ";\n");
        }
    text_put(text, "    } else if (bias) {\n");
}

static void print_start(struct text *text, const struct microkernel *kernel) {
    if (kernel->kind == MICROKERNEL_MATMUL)
        print_stored(text, kernel);
    else
        text_put(text, "    if (bias) {\n");
    for (int v = 0; v < kernel->b; v++) {
        text_put(text, "        ");
        for (int r = 0; r < kernel->a; r++) text_add(text, "a%d_%d = ", r, v);
        print_vector(text, kernel, "bias", 0, v, false);
        text_put(text, ";\n");
    }
    text_put(text, "    } else {\n");
    for (int r = 0; r < kernel->a; r++) {
        text_put(text, "        ");
        for (int v = 0; v < kernel->b; v++) text_add(text, "a%d_%d = ", r, v);
        text_put(text, "zero;\n");
    }
    text_put(text, "    }\n");
}

/* The products of one step of the depth, and the end of its loop. */
static void print_products(struct text *text, const struct microkernel *kernel,
                           const char *indent) {
    for (int v = 0; v < kernel->b; v++) {
        char name[16];
        struct text address = {.arena = text->arena};
        snprintf(name, sizeof name, "b%d", v);
        text_put(&address, "b");
        print_column(&address, kernel, v);
        text_add(text, "%s    ", indent);
        microkernel_print_load(text, kernel->lanes, name, text_string(&address), kernel->a);
    }
    for (int r = 0; r < kernel->a; r++) {
        text_add(text, "%s    const real s%d = a[", indent, r);
        text_put(text, r == 0 ? "0" : r == 1 ? "a_row" : "");
        if (r > 1) text_add(text, "%d * a_row", r);
        text_add(text, "];\n%s   ", indent);
        for (int v = 0; v < kernel->b; v++) text_add(text, " a%d_%d += b%d * s%d;", r, v, v, r);
        text_put(text, "\n");
    }
    text_add(text, "%s}\n", indent);
}

static void print_relu(struct text *text, const struct microkernel *kernel) {
    char name[32];
    text_add(text, "    if (flags & %d) {\n", MICROKERNEL_RELU);
    for (int r = 0; r < kernel->a; r++)
        for (int v = 0; v < kernel->b; v++) {
            snprintf(name, sizeof name, "a%d_%d", r, v);
            text_put(text, "        ");
            microkernel_print_select(text, kernel->lanes, name, name);
            text_put(text, "\n");
        }
    text_put(text, "    }\n");
}

static void print_mask(struct text *text, const struct microkernel *kernel) {
    char name[32];
    text_add(text, "    if (flags & %d) {\n", MICROKERNEL_MASK);
    for (int r = 0; r < kernel->a; r++)
        for (int v = 0; v < kernel->b; v++) {
            struct text condition = {.arena = text->arena};
            print_vector(&condition, kernel, "mask", r, v, false);
            snprintf(name, sizeof name, "a%d_%d", r, v);
            text_put(text, "        ");
            microkernel_print_select(text, kernel->lanes, name, text_string(&condition));
            text_put(text, "\n");
        }
    text_put(text, "    }\n");
}

static void print_results(struct text *text, const struct microkernel *kernel) {
    for (int r = 0; r < kernel->a; r++)
        for (int v = 0; v < kernel->b; v++) {
            text_put(text, "    ");
            print_vector(text, kernel, "c", r, v, true);
            text_add(text, " = a%d_%d;\n", r, v);
        }
}

/* Without vectors. A column that two vectors share is computed once, by the one before the last:
 * its stored value may be both start and result. */
static void print_plain(struct text *text, const struct microkernel *kernel) {
    text_add(text,
             "    const long columns = last + %d;\n"
             "    (void)ahead, (void)ahead_step;\n"
             "    for (long r = 0; r < %d; r++)\n"
             "        for (long j = %s; j < columns; j++) {\n",
             kernel->lanes, kernel->a, kernel->b == 1 ? "last" : "0");
    text_add(text,
             "            const long at = r * c_row + j;\n"
             "            real sum = !(flags & %d) ? c[at] : bias ? bias[j] : 0;\n"
             "            for (long k = 0; k < depth; k++)\n"
             "                sum += a[r * a_row + k * a_depth] * b[k * b_depth + j];\n",
             MICROKERNEL_FIRST);
    text_add(text,
             "            if ((flags & %d) && !(sum > 0)) sum = 0;\n"
             "            if ((flags & %d) && !(mask[at] > 0)) sum = 0;\n"
             "            c[at] = sum;\n"
             "        }\n",
             MICROKERNEL_RELU, MICROKERNEL_MASK);
}

void microkernel_print_matmul(struct text *text, const struct microkernel *kernel,
                              const char *qualifiers) {
    text_add(text,
             "/* %d rows x %d vectors of %d columns, the last at column `last`: c += a * b. */\n",
             kernel->a, kernel->b, kernel->lanes);
    print_qualifiers(text, kernel, qualifiers);
    microkernel_print_head(text, kernel);
    text_put(text, " {\n    LATHE_FUSE\n");
    text_add(text, "#ifdef LATHE_VECTORS\n    const vector%d zero = {0};\n", kernel->lanes);
    if (kernel->a == 1) text_put(text, "    (void)a_row, (void)c_row;\n");
    microkernel_print_accumulators(text, kernel);
    print_start(text, kernel);
    text_put(text, "    for (long k = 0; k < depth; k++, a += a_depth, b += b_depth) {\n"
                   "        if (ahead) LATHE_PREFETCH(ahead + k * ahead_step);\n");
    print_products(text, kernel, "    ");
    print_relu(text, kernel);
    print_mask(text, kernel);
    print_results(text, kernel);
    text_put(text, "#else\n");
    print_plain(text, kernel);
    text_put(text, "#endif\n}\n\n");
}

static void print_plain_pixels(struct text *text, const struct microkernel *kernel) {
    text_add(text,
             "    const long columns = last + %d;\n"
             "    for (long p = 0; p < %d; p++)\n"
             "        for (long j = %s; j < columns; j++) {\n",
             kernel->lanes, kernel->a, kernel->b == 1 ? "last" : "0");
    text_add(text,
             "            real sum = bias ? bias[j] : 0;\n"
             "            for (long t = 0; t < tap_count; t++)\n"
             "                for (long k = 0; k < depth; k++)\n"
             "                    sum += a[taps[2 * t] + p * a_row + k] *\n"
             "                        b[taps[2 * t + 1] + k * b_depth + j];\n"
             "            c[p * c_row + j] = (flags & %d) && !(sum > 0) ? 0 : sum;\n"
             "        }\n",
             MICROKERNEL_RELU);
}

void microkernel_print_pixel(struct text *text, const struct microkernel *kernel,
                             const char *qualifiers) {
    text_add(text,
             "/* %d pixels x %d vectors of %d output channels, the last at `last`: c = a * b over\n"
             " * taps (pairs: offset into a, offset into b) and `depth` numbers at each. */\n",
             kernel->a, kernel->b, kernel->lanes);
    print_qualifiers(text, kernel, qualifiers);
    microkernel_print_head(text, kernel);
    text_put(text, " {\n    LATHE_FUSE\n");
    text_add(text, "#ifdef LATHE_VECTORS\n    const vector%d zero = {0};\n", kernel->lanes);
    text_put(text, "    const real *const a_start = a, *const b_start = b;\n");
    if (kernel->a == 1) text_put(text, "    (void)a_row, (void)c_row;\n");
    microkernel_print_accumulators(text, kernel);
    print_start(text, kernel);
    text_put(text, "    for (long t = 0; t < tap_count; t++) {\n"
                   "        a = a_start + taps[2 * t];\n"
                   "        b = b_start + taps[2 * t + 1];\n"
                   "        for (long k = 0; k < depth; k++, a++, b += b_depth) {\n");
    print_products(text, kernel, "        ");
    text_put(text, "    }\n");
    print_relu(text, kernel);
    print_results(text, kernel);
    text_put(text, "#else\n");
    print_plain_pixels(text, kernel);
    text_put(text, "#endif\n}\n\n");
}
