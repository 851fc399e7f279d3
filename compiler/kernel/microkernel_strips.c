/* microkernel_strips.c: the text of the library's operations on strips, vector_add and so on.
 *
 * The tcc dialect has no vectors of its own: it computes maps strip by strip with these. An operand
 * with step 0 is one number; the result may be one of the operands itself. */
#include "microkernel_text.h"

#include <stddef.h>

struct strip_operation {
    const char *name, *expression;
};
static const struct strip_operation unary[] = {
    {"negate", "-x"},
    {"absolute", "x < 0 ? -x : x"},
    {"exp", "real_exp(x)"},
    {"log", "real_log(x)"},
    {"sqrt", "real_sqrt(x)"},
    {"tanh", "real_tanh(x)"},
    {"erf", "real_erf(x)"},
    {"sin", "real_sin(x)"},
    {"cos", "real_cos(x)"},
    {"floor", "real_floor(x)"},
    {"is_negative_zero", "real_is_negative_zero(x) ? (real)1 : (real)0"},
    {"copy", "x"},
};
static const struct strip_operation binary[] = {
    {"add", "x + y"},
    {"subtract", "x - y"},
    {"multiply", "x * y"},
    {"divide", "x / y"},
    {"maximum", "x > y ? x : y"},
    {"minimum", "x < y ? x : y"},
    {"power", "real_pow(x, y)"},
    {"less", "x < y ? (real)1 : (real)0"},
    {"less_equal", "x <= y ? (real)1 : (real)0"},
    {"equal", "x == y ? (real)1 : (real)0"},
};
enum { UNARY = sizeof unary / sizeof *unary, BINARY = sizeof binary / sizeof *binary };

static const char *const macros =
    "/* Element i of the result depends on element i of the operands only, even in place. */\n"
    "#if defined(__GNUC__) && !defined(__clang__) && !defined(__TINYC__)\n"
    "#define INDEPENDENT _Pragma(\"GCC ivdep\")\n"
    "#else\n"
    "#define INDEPENDENT\n"
    "#endif\n\n";

/* A loop of its own for each pair of steps: with steps in variables it would not be vectorized. */
static const char *const selection_begin =
    "static void vector_select(real *to, const real *c, long c_step, const real *a, long a_step,\n"
    "        const real *b, long b_step, long n) {\n"
    "    if (!c_step) {\n"
    "        const long is_a = *c != 0;\n"
    "        vector_copy(to, is_a ? a : b, is_a ? a_step : b_step, n);\n"
    "        return;\n"
    "    }\n"
    "    const real first_a = *a, first_b = *b;\n";
static const char *const selection_end = "}\n\n";

static void print_selection(struct text *text) {
    text_put(text, selection_begin);
    for (int a = 1; a >= 0; a--)
        for (int b = 1; b >= 0; b--)
            text_add(text,
                     "    if (%sa_step && %sb_step) {\n"
                     "        INDEPENDENT\n"
                     "        for (long i = 0; i < n; i++) {\n"
                     "            const real x = %s, y = %s;\n"
                     "            to[i] = c[i] != 0 ? x : y;\n"
                     "        }\n"
                     "        return;\n"
                     "    }\n",
                     a ? "" : "!", b ? "" : "!", a ? "a[i]" : "first_a", b ? "b[i]" : "first_b");
    text_put(text, selection_end);
}

static const char *const generation =
    "static void vector_random(real *to, unsigned key, unsigned first, long element_step,\n"
    "        long n) {\n"
    "    const unsigned step = (unsigned)element_step;\n"
    "    for (long i = 0; i < n; i++) to[i] = real_random_once(key, first + (unsigned)i * step);\n"
    "}\n\n"
    "static void vector_index(real *to, long first, long step, long n) {\n"
    "    for (long i = 0; i < n; i++) to[i] = (real)(first + i * step);\n"
    "}\n\n";

static const char *const reduction =
    "static void vector_accumulate(real *to, const real *a, long a_step, long n) {\n"
    "    vector_add(to, to, 1, a, a_step, n);\n"
    "}\n\n"
    "static void vector_accumulate_maximum(real *to, const real *a, long a_step, long n) {\n"
    "    vector_maximum(to, to, 1, a, a_step, n);\n"
    "}\n\n"
    "static void vector_sum_begin(real *sum) {\n"
    "    for (int k = 0; k < 16; k++) sum[k] = 0;\n"
    "}\n\n"
    "static void vector_maximum_begin(real *top) {\n"
    "    for (int k = 0; k < 16; k++) top[k] = -(real)3.4028234663852886e38;\n"
    "}\n\n"
    "/* Halves on halves, as modules for a C compiler add them. */\n"
    "static real vector_sum_end(const real *sum) {\n"
    "    real s[8];\n"
    "    for (int k = 0; k < 8; k++) s[k] = sum[k] + sum[k + 8];\n"
    "    for (int k = 0; k < 4; k++) s[k] += s[k + 4];\n"
    "    return (s[0] + s[2]) + (s[1] + s[3]);\n"
    "}\n\n"
    "static real vector_maximum_end(const real *top) {\n"
    "    real t[8];\n"
    "    for (int k = 0; k < 8; k++) t[k] = top[k + 8] > top[k] ? top[k + 8] : top[k];\n"
    "    for (int k = 0; k < 4; k++) t[k] = t[k + 4] > t[k] ? t[k + 4] : t[k];\n"
    "    for (int k = 0; k < 2; k++) t[k] = t[k + 2] > t[k] ? t[k + 2] : t[k];\n"
    "    t[0] = t[1] > t[0] ? t[1] : t[0];\n"
    "    if (t[0] != 0) return t[0];\n"
    "    t[0] = top[0]; /* the sign of a zero is that of the first one */\n"
    "    for (int k = 1; k < 16; k++) t[0] = top[k] > t[0] ? top[k] : t[0];\n"
    "    return t[0];\n"
    "}\n\n"
    "/* Sixteen partial sums on every target, as modules for a C compiler have: the same bits. */\n"
    "static void vector_sum_into(real *sum, const real *a, long n) {\n"
    "    real s[16];\n"
    "    long i = 0;\n"
    "    for (int k = 0; k < 16; k++) s[k] = sum[k];\n"
    "    for (; i + 16 <= n; i += 16)\n"
    "        for (int k = 0; k < 16; k++) s[k] += a[i + k];\n"
    "    for (int k = 0; i < n; i++, k++) s[k] += a[i];\n"
    "    for (int k = 0; k < 16; k++) sum[k] = s[k];\n"
    "}\n\n"
    "static void vector_maximum_into(real *top, const real *a, long n) {\n"
    "    long i = 0;\n"
    "    for (; i + 16 <= n; i += 16)\n"
    "        for (int k = 0; k < 16; k++) top[k] = a[i + k] > top[k] ? a[i + k] : top[k];\n"
    "    for (int k = 0; i < n; i++, k++) top[k] = a[i] > top[k] ? a[i] : top[k];\n"
    "}\n\n"
    "static real vector_sum_of(const real *a, long n) {\n"
    "    real sum[16];\n"
    "    if (n <= 16) { /* vectors under a mask, where the target has them */\n"
    "        for (int k = 0; k < 16; k++) sum[k] = (k < n ? a[k] : 0) + (real)0;\n"
    "        return vector_sum_end(sum);\n"
    "    }\n"
    "    vector_sum_begin(sum);\n"
    "    vector_sum_into(sum, a, n);\n"
    "    return vector_sum_end(sum);\n"
    "}\n\n"
    "static real vector_maximum_of(const real *a, long n) {\n"
    "    real top[16];\n"
    "    vector_maximum_begin(top);\n"
    "    if (n <= 16) {\n"
    "        for (int k = 0; k < 16; k++) top[k] = k < n && a[k] > top[k] ? a[k] : top[k];\n"
    "        return vector_maximum_end(top);\n"
    "    }\n"
    "    vector_maximum_into(top, a, n);\n"
    "    return vector_maximum_end(top);\n"
    "}\n\n";

static void print_unary(struct text *text, const struct strip_operation *operation) {
    text_add(text,
             "static void vector_%s(real *to, const real *a, long a_step, long n) {\n"
             "    if (a_step) {\n"
             "        INDEPENDENT\n"
             "        for (long i = 0; i < n; i++) {\n"
             "            const real x = a[i];\n"
             "            to[i] = %s;\n"
             "        }\n"
             "    } else {\n"
             "        const real x = *a, value = %s;\n"
             "        for (long i = 0; i < n; i++) to[i] = value;\n"
             "    }\n"
             "}\n\n",
             operation->name, operation->expression, operation->expression);
}

static void print_binary(struct text *text, const struct strip_operation *operation) {
    const char *expression = operation->expression;
    text_add(
        text,
        "static void vector_%s(real *to, const real *a, long a_step, const real *b, long b_step,\n"
        "        long n) {\n"
        "    if (a_step && b_step) {\n"
        "        INDEPENDENT\n"
        "        for (long i = 0; i < n; i++) {\n"
        "            const real x = a[i], y = b[i];\n"
        "            to[i] = %s;\n"
        "        }\n",
        operation->name, expression);
    text_add(text,
             "    } else if (a_step) {\n"
             "        const real y = *b;\n"
             "        INDEPENDENT\n"
             "        for (long i = 0; i < n; i++) {\n"
             "            const real x = a[i];\n"
             "            to[i] = %s;\n"
             "        }\n"
             "    } else if (b_step) {\n"
             "        const real x = *a;\n"
             "        INDEPENDENT\n"
             "        for (long i = 0; i < n; i++) {\n"
             "            const real y = b[i];\n"
             "            to[i] = %s;\n"
             "        }\n",
             expression, expression);
    text_add(text,
             "    } else {\n"
             "        const real x = *a, y = *b, value = %s;\n"
             "        for (long i = 0; i < n; i++) to[i] = value;\n"
             "    }\n"
             "}\n\n",
             expression);
}

void microkernel_print_strips(struct text *text) {
    text_put(text, macros);
    for (int i = 0; i < UNARY; i++) print_unary(text, &unary[i]);
    for (int i = 0; i < BINARY; i++) print_binary(text, &binary[i]);
    print_selection(text);
    text_put(text, generation);
    text_put(text, reduction);
}

void microkernel_each_function(void (*visit)(void *context, const char *name), void *context,
                               struct arena *arena) {
    static const char *const others[] = {
        "strided_copy",
        "gradient_store",
        "sum_blocks",
        "sum_halves",
        "max_pool_plane",
        "max_pool_gradient_plane",
        "max_pool_row",
        "window_maximum",
        "window_gather",
        "window_gradient",
        "window_sum",
        "window_sum_row",
        "halo_rows",
        "prefetch_planes",
        "real_exp",
        "real_log",
        "real_sqrt",
        "real_tanh",
        "real_erf",
        "real_sin",
        "real_cos",
        "real_floor",
        "real_pow",
        "real_is_negative_zero",
        "real_random_once",
        "real_random_key",
        "vector_select",
        "vector_random",
        "vector_index",
        "vector_random_rows",
        "vector_index_rows",
        "vector_repeat_row",
        "vector_repeat_each",
        "vector_row_sums",
        "vector_row_maxima",
        "vector_accumulate_rows",
        "vector_accumulate_maximum_rows",
        "vector_accumulate",
        "vector_accumulate_maximum",
        "vector_sum_of",
        "vector_maximum_of",
        "vector_sum_begin",
        "vector_maximum_begin",
        "vector_sum_end",
        "vector_maximum_end",
        "vector_sum_into",
        "vector_maximum_into",
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) visit(context, others[i]);
    for (int i = 0; i < UNARY; i++) visit(context, arena_format(arena, "vector_%s", unary[i].name));
    for (int i = 0; i < BINARY; i++)
        visit(context, arena_format(arena, "vector_%s", binary[i].name));
}
