/* microkernel.c: names, heads, the prelude, and which tiles the library holds (see microkernel.h).
 */
#include "microkernel_text.h"

#include <string.h>

void microkernel_name(struct text *text, const struct microkernel *kernel) {
    switch (kernel->kind) {
    case MICROKERNEL_CONVOLUTION:
        text_add(text, "convolution_tile_%dx%d", kernel->a, kernel->b);
        return;
    case MICROKERNEL_POINT: text_add(text, "point_tile_%dx%d", kernel->a, kernel->b); return;
    case MICROKERNEL_ROW: text_add(text, "row_tile_%dx%d", kernel->a, kernel->b); return;
    case MICROKERNEL_GRADIENT: text_add(text, "gradient_tile_%dx%d", kernel->a, kernel->b); return;
    case MICROKERNEL_GRADIENT_ROW:
        text_add(text, "gradient_row_tile_%dx%d", kernel->a, kernel->b);
        return;
    case MICROKERNEL_MATMUL:
        text_add(text, "matmul_tile_%dx%dx%d", kernel->a, kernel->b, kernel->lanes);
        return;
    case MICROKERNEL_PIXEL:
        text_add(text, "pixel_tile_%dx%dx%d", kernel->a, kernel->b, kernel->lanes);
        return;
    }
}

static const char *parameters(enum microkernel_kind kind) {
    switch (kind) {
    case MICROKERNEL_CONVOLUTION:
        return "const real *x, const real *w, const real *bias, real *y,\n"
               "        const real *mask, const long *taps, long tap_count, long channels,\n"
               "        long x_plane, long w_channel, long x_step, long y_step, long y_plane,\n"
               "        long flags";
    case MICROKERNEL_POINT:
        return "const real *x, const real *w, real *y, long channels,\n"
               "        long x_plane, long y_plane, long is_first";
    case MICROKERNEL_ROW:
        return "const real *x, const real *w, const real *bias, real *y,\n"
               "        const real *mask, const long *taps, long tap_count, long rows, long outside,\n"
               "        long w_tap, long x_row, long y_row, long flags";
    case MICROKERNEL_GRADIENT_ROW:
        return "const real *x, const real *g, real *acc, long rows, long columns,\n"
               "        long x_row, long x_column, long g_row, long g_column, long border";
    case MICROKERNEL_GRADIENT:
        return "const real *x, const real *g, real *acc, long rows, long columns,\n"
               "        long x_row, long x_column, long x_plane, long g_row, long g_column,\n"
               "        long g_plane";
    case MICROKERNEL_MATMUL:
        return "const real *a, const real *b, const real *bias, real *c,\n"
               "        const real *mask, long depth, long a_row, long a_depth, long b_depth,\n"
               "        long c_row, long last, long flags, const real *ahead, long ahead_step";
    case MICROKERNEL_PIXEL:
        return "const real *a, const real *b, const real *bias, real *c,\n"
               "        const long *taps, long tap_count, long depth, long a_row, long b_depth,\n"
               "        long c_row, long last, long flags";
    }
    return "void";
}

void microkernel_print_head(struct text *text, const struct microkernel *kernel) {
    text_put(text, "void ");
    microkernel_name(text, kernel);
    text_add(text, "(%s)", parameters(kernel->kind));
}

const char *microkernel_type(enum microkernel_kind kind) {
    switch (kind) {
    case MICROKERNEL_CONVOLUTION: return "convolution_tile";
    case MICROKERNEL_POINT: return "point_tile";
    case MICROKERNEL_ROW: return "row_tile";
    case MICROKERNEL_GRADIENT: return "gradient_tile";
    case MICROKERNEL_GRADIENT_ROW: return "gradient_row_tile";
    case MICROKERNEL_MATMUL: return "matmul_tile";
    case MICROKERNEL_PIXEL: return "pixel_tile";
    }
    return "";
}

void microkernel_print_type(struct text *text, enum microkernel_kind kind) {
    text_add(text, "typedef void %s(%s);\n", microkernel_type(kind), parameters(kind));
}

void microkernel_print_prototype(struct text *text, const struct microkernel *kernel) {
    text_add(text, "%s ", microkernel_type(kernel->kind));
    microkernel_name(text, kernel);
    text_put(text, ";\n");
}

void microkernel_print_accumulators(struct text *text, const struct microkernel *kernel) {
    for (int i = 0; i < kernel->a; i++) {
        text_add(text, "    vector%d ", kernel->lanes);
        for (int j = 0; j < kernel->b; j++) text_add(text, "%sa%d_%d", j ? ", " : "", i, j);
        text_put(text, ";\n");
    }
}

void microkernel_print_select(struct text *text, int lanes, const char *accumulator,
                              const char *condition) {
    if (lanes == 1)
        text_add(text, "%s = %s > 0 ? %s : 0;", accumulator, condition, accumulator);
    else
        text_add(text, "%s = (vector%d)((mask%d)%s & (%s > zero));", accumulator, lanes, lanes,
                 accumulator, condition);
}

void microkernel_print_load(struct text *text, int lanes, const char *name, const char *address,
                            int uses) {
    bool keep = lanes > 4 && uses > 1; /* narrower ones fold no unaligned operands */
    text_add(text, "%svector%d %s = *(const memory%d *)(%s);", keep ? "" : "const ", lanes, name,
             lanes, address);
    if (keep) text_add(text, " LATHE_KEEP(%s);", name);
    text_put(text, "\n");
}

const char *microkernel_with_lanes(struct arena *arena, const char *source, int lanes) {
    struct text text = {.arena = arena};
    for (; *source; source++) {
        if (*source == '$')
            text_add(&text, "%d", lanes);
        else
            text_add(&text, "%c", *source);
    }
    return text_string(&text);
}

void microkernel_put(struct text *text, const char *source, const char *qualifiers) {
    while (*source) {
        size_t span = strcspn(source, "@");
        text_add(text, "%.*s", (int)span, source);
        source += span;
        if (*source == '@') {
            text_add(text, "%s%s", qualifiers, *qualifiers ? " " : "");
            source++;
        }
    }
}

static const char *const prelude_start =
    "/* The type of all numbers. */\n"
    "#ifdef LATHE_DOUBLE\n"
    "typedef double real;\n"
    "#else\n"
    "typedef float real;\n"
    "#endif\n\n"
    "/* LATHE_INLINE: into each caller, so that its constants propagate. */\n"
    "#if defined(__GNUC__) && !defined(__TINYC__)\n"
    "#define LATHE_INLINE static inline __attribute__((always_inline, unused))\n"
    "#define LATHE_FUNCTION static __attribute__((unused))\n"
    "#else\n"
    "#define LATHE_INLINE static inline\n"
    "#define LATHE_FUNCTION static\n"
    "#endif\n\n"
    "/* Vectors of GCC and Clang; other compilers take plain loops over the lanes.\n"
    " * vector<N> is a value, memory<N> one in memory at the address of any float. Where floats "
    "are\n"
    " * calculated in a wider type (GCC for s390x and x87), they do not mix with vectors of "
    "floats. */\n"
    "#if defined(__GNUC__) && !defined(__TINYC__) && !defined(LATHE_DOUBLE) && \\\n"
    "    __FLT_EVAL_METHOD__ != 1 && __FLT_EVAL_METHOD__ != 2\n"
    "#define LATHE_VECTORS 1\n";

static const char *const prelude_keep =
    "/* Reads a vector once: without this GCC reads it again at each of two or three uses, and\n"
    " * then the loads, not the arithmetic, take the time. */\n"
    "#if defined(%s) && !defined(__clang__)\n"
    "#define LATHE_KEEP(vector) __asm__(\"\" : \"+v\"(vector))\n"
    "#else\n"
    "#define LATHE_KEEP(vector) (void)(vector)\n"
    "#endif\n";

static const char prelude_fuse[] =
    "/* Products and sums are fused in the tiles alone. Elsewhere each rounds, so that all "
    "compilers\n"
    " * and both ways to run a model give the same bits. GCC would compute the products of a sum of\n"
    " * single numbers in vectors, rounded, and then add them one by one: not in LATHE_FUSED_SCALAR. A\n"
    " * product that two branches share, computed ahead of both (hoisting), would not be fused either.\n"
    " */\n"
    "#if defined(LATHE_VECTORS) && defined(__clang__)\n"
    "#define LATHE_FUSED\n"
    "#define LATHE_FUSED_SCALAR\n"
    "#define LATHE_FUSE _Pragma(\"clang fp contract(fast)\")\n"
    "#elif defined(LATHE_VECTORS)\n"
    "#define LATHE_FUSED __attribute__((optimize(\"fp-contract=fast\", \"no-code-hoisting\")))\n"
    "#define LATHE_FUSED_SCALAR \\\n"
    "    __attribute__((optimize(\"fp-contract=fast\", \"no-code-hoisting\", \"no-tree-vectorize\")))\n"
    "#define LATHE_FUSE\n"
    "#else\n"
    "#define LATHE_FUSED\n"
    "#define LATHE_FUSED_SCALAR\n"
    "#define LATHE_FUSE\n"
    "#endif\n\n";

static const char prelude_independent[] =
    "/* The iterations of the next loop do not depend on each other. */\n"
    "#if defined(__clang__)\n"
    "#pragma clang diagnostic ignored \"-Wpass-failed\" /* short loops stay loops */\n"
    "#define LATHE_INDEPENDENT _Pragma(\"clang loop vectorize(assume_safety)\")\n"
    "#elif defined(__GNUC__) && !defined(__TINYC__)\n"
    "#define LATHE_INDEPENDENT _Pragma(\"GCC ivdep\")\n"
    "#else\n"
    "#define LATHE_INDEPENDENT\n"
    "#endif\n\n"
    "/* Brings the cache line of an address nearer. */\n"
    "#if defined(__GNUC__) && !defined(__TINYC__)\n"
    "#define LATHE_PREFETCH(address) __builtin_prefetch(address)\n"
    "#define LATHE_PREFETCH_WRITE(address) __builtin_prefetch(address, 1)\n"
    "#else\n"
    "#define LATHE_PREFETCH(address) (void)0\n"
    "#define LATHE_PREFETCH_WRITE(address) (void)0\n"
    "#endif\n\n";

void microkernel_prelude(struct text *text, const struct target *target) {
    text_put(text, prelude_start);
    for (int lanes = target->lanes; lanes > 1; lanes /= 2) {
        text_add(text, "typedef float vector%d __attribute__((vector_size(%d)));\n", lanes,
                 4 * lanes);
        text_add(
            text,
            "typedef float memory%d __attribute__((vector_size(%d), aligned(4), may_alias));\n",
            lanes, 4 * lanes);
        text_add(text, "typedef int mask%d __attribute__((vector_size(%d)));\n", lanes, 4 * lanes);
    }
    text_put(text, "typedef float vector1, memory1;\n");
    if (target->lanes > 8) text_add(text, prelude_keep, "__AVX512VL__");
    if (target->lanes == 8) text_add(text, prelude_keep, "__AVX__");
    text_put(text, "#endif\n\n");
    text_put(text, prelude_fuse);
    text_put(text, prelude_independent);
}

void microkernel_print(struct text *text, const struct microkernel *kernel,
                       const struct target *target, const char *qualifiers) {
    struct microkernel tile = *kernel;
    bool any_lanes = tile.kind == MICROKERNEL_MATMUL || tile.kind == MICROKERNEL_PIXEL;
    if (!any_lanes) tile.lanes = target->block_lanes;
    switch (tile.kind) {
    case MICROKERNEL_CONVOLUTION: microkernel_print_convolution(text, &tile, qualifiers); return;
    case MICROKERNEL_POINT: microkernel_print_point(text, &tile, qualifiers); return;
    case MICROKERNEL_ROW: microkernel_print_row(text, &tile, target, qualifiers); return;
    case MICROKERNEL_GRADIENT: microkernel_print_gradient(text, &tile, qualifiers); return;
    case MICROKERNEL_GRADIENT_ROW: microkernel_print_gradient_row(text, &tile, qualifiers); return;
    case MICROKERNEL_MATMUL: microkernel_print_matmul(text, &tile, qualifiers); return;
    case MICROKERNEL_PIXEL: microkernel_print_pixel(text, &tile, qualifiers); return;
    }
}

/* True if the accumulators, the smaller side and one vector of the other stay in registers; without
 * fused multiply-add (SSE2) a product needs one more. */
static bool fits(int a, int b, const struct target *target) {
    int product = target->lanes == 4 && target->registers == 16;
    return a * b + (a < b ? a : b) + 1 + product <= target->registers;
}

enum { MOST_PIXELS = 14, MOST_VECTORS = 6 };

bool microkernel_in_library(const struct microkernel *kernel, const struct target *target) {
    int a = kernel->a, b = kernel->b, lanes = kernel->lanes;
    if (a < 1 || b < 1 || (kernel->kind != MICROKERNEL_ROW && !fits(a, b, target))) return false;
    switch (kernel->kind) {
    case MICROKERNEL_CONVOLUTION:
    case MICROKERNEL_POINT:
        if (lanes != target->block_lanes) return false;
        return (a <= 8 && b <= 8) || (a == 12 && b <= 2) || (a == 1 && b <= MOST_PIXELS);
    case MICROKERNEL_ROW: /* the sums, the weights of a row and a pixel stay in registers */
        if (lanes != target->block_lanes || (a != 3 && a != 5 && a != 7)) return false;
        return b <= MOST_PIXELS && a + b + 2 <= target->registers;
    case MICROKERNEL_GRADIENT:
        if (lanes != target->block_lanes) return false;
        return (a <= target->gradient_out && b <= target->gradient_in) || (a <= 8 && b == 1) ||
               (a == 1 && b <= 8) || (a <= 4 && b == 5); /* five: the columns of a kernel */
    case MICROKERNEL_GRADIENT_ROW:
        if (lanes != target->block_lanes || (b != 3 && b != 5 && b != 7)) return false;
        return a == 1 || (a == 3 && b == 3);
    case MICROKERNEL_MATMUL:
        if (a == 1 && lanes == target->lanes && b <= target_row_vectors(target)) return true;
        return a <= target->matmul_rows && b <= target->matmul_vectors && lanes >= 1 &&
               lanes <= target->lanes && target->lanes % lanes == 0;
    case MICROKERNEL_PIXEL: /* narrower vectors serve fewer channels than lanes: two are enough */
        return a <= MOST_PIXELS && b <= (lanes == target->lanes ? MOST_VECTORS : 2) && lanes >= 1 &&
               lanes <= target->lanes && target->lanes % lanes == 0;
    }
    return false;
}

void microkernel_each(const struct target *target,
                      void (*visit)(void *context, const struct microkernel *kernel),
                      void *context) {
    enum { LARGEST = 16 };
    for (int kind = MICROKERNEL_CONVOLUTION; kind <= MICROKERNEL_PIXEL; kind++)
        for (int lanes = target->lanes; lanes >= 1; lanes /= 2)
            for (int a = 1; a <= LARGEST; a++)
                for (int b = 1; b <= LARGEST; b++) {
                    struct microkernel kernel = {(enum microkernel_kind)kind, a, b, lanes};
                    if (microkernel_in_library(&kernel, target)) visit(context, &kernel);
                }
}
