/* microkernel_matmul.c: the text of matmul_tile_RxVxL.
 *
 * R rows x V vectors of columns stay in registers while the loop runs over the depth: V vectors of
 * b are read, R scalars of a broadcast. Nothing is aligned: columns are the numbers of one row. */
#include "microkernel_text.h"

#include <stdio.h>

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

static void print_start(struct text *text, const struct microkernel *kernel) {
    text_add(text, "    if (!(flags & %d)) {\n", MICROKERNEL_FIRST);
    for (int r = 0; r < kernel->a; r++)
        for (int v = 0; v < kernel->b; v++) {
            text_add(text, "        a%d_%d = ", r, v);
            print_vector(text, kernel, "c", r, v, false);
            text_put(text, ";\n");
        }
    text_put(text, "    } else if (bias) {\n");
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

static void print_depth(struct text *text, const struct microkernel *kernel) {
    text_put(text, "    for (long k = 0; k < depth; k++, a += a_depth, b += b_depth) {\n");
    for (int v = 0; v < kernel->b; v++) {
        char name[16];
        struct text address = {.arena = text->arena};
        snprintf(name, sizeof name, "b%d", v);
        text_put(&address, "b");
        print_column(&address, kernel, v);
        text_put(text, "        ");
        microkernel_print_load(text, kernel->lanes, name, text_string(&address), kernel->a);
    }
    for (int r = 0; r < kernel->a; r++) {
        text_add(text, "        const real s%d = a[", r);
        text_put(text, r == 0 ? "0" : r == 1 ? "a_row" : "");
        if (r > 1) text_add(text, "%d * a_row", r);
        text_put(text, "];\n       ");
        for (int v = 0; v < kernel->b; v++) text_add(text, " a%d_%d += b%d * s%d;", r, v, v, r);
        text_put(text, "\n");
    }
    text_put(text, "    }\n");
}

static void print_finish(struct text *text, const struct microkernel *kernel) {
    char name[32];
    text_add(text, "    if (flags & %d) {\n", MICROKERNEL_RELU);
    for (int r = 0; r < kernel->a; r++)
        for (int v = 0; v < kernel->b; v++) {
            snprintf(name, sizeof name, "a%d_%d", r, v);
            text_put(text, "        ");
            microkernel_print_select(text, kernel->lanes, name, name);
            text_put(text, "\n");
        }
    text_add(text, "    }\n    if (flags & %d) {\n", MICROKERNEL_MASK);
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
    text_add(text, "%s%sLATHE_FUSED ", qualifiers, *qualifiers ? " " : "");
    microkernel_print_head(text, kernel);
    text_put(text, " {\n    LATHE_FUSE\n");
    text_add(text, "#ifdef LATHE_VECTORS\n    const vector%d zero = {0};\n", kernel->lanes);
    if (kernel->a == 1) text_put(text, "    (void)a_row, (void)c_row;\n");
    microkernel_print_accumulators(text, kernel);
    print_start(text, kernel);
    print_depth(text, kernel);
    print_finish(text, kernel);
    text_put(text, "#else\n");
    print_plain(text, kernel);
    text_put(text, "#endif\n}\n\n");
}
