/* microkernel_lane_sum.c: the text of lane_sum_L and gradient_store: where the samples of a block
 * are added up. The order is always that of lane_sum, by halves, however many are summed at once.
 */
#include "microkernel_text.h"

void microkernel_print_lane_sums(struct text *text, const char *s[], int lanes) {
    for (int half = lanes / 2; half >= 1; half /= 2)
        for (int i = 0; i < half; i++) {
            if (!s[i]) continue; /* then s[i + half] is NULL too */
            const char *other = s[i + half] ? s[i + half] : "zero";
            const char *name = arena_format(text->arena, "s%d_%s", half, s[i]);
            text_add(text, "    const vector%d %s =", lanes, name);
            for (int side = 0; side < 2; side++) {
                text_add(text, "%s__builtin_shufflevector(%s, %s",
                         side ? " +\n        " : "\n        ", s[i], other);
                for (int lane = 0; lane < lanes; lane++)
                    text_add(text, ", %d",
                             (lane & half ? lanes : 0) + (side ? lane | half : lane & ~half));
                text_put(text, ")");
            }
            text_put(text, ";\n");
            s[i] = name;
        }
}

static void print_lane_sum(struct text *text, int lanes, const char *qualifiers) {
    text_add(text,
             "/* The sum of %d lanes, by halves: always in this order. */\n"
             "%s%sreal lane_sum_%d(const real *x) {\n",
             lanes, qualifiers, *qualifiers ? " " : "", lanes);
    for (int half = lanes / 2, first = 1; half >= 1; half /= 2, first = 0)
        for (int i = 0; i < half; i++)
            text_add(text,
                     first ? "    const real s%d_%d = x[%d] + x[%d];\n"
                           : "    const real s%d_%d = s%d_%d + s%d_%d;\n",
                     half, i, first ? i : 2 * half, first ? i + half : i, 2 * half, i + half);
    text_put(text, lanes > 1 ? "    return s1_0;\n}\n\n" : "    return x[0];\n}\n\n");
}

/* L sums together take two or three cycles each, one alone ten. */
static void print_square_sums(struct text *text, int lanes) {
    const char **x = ARENA_ARRAY(text->arena, const char *, lanes);
    text_add(text,
             "#if defined(LATHE_VECTORS) && (defined(__clang__) || __GNUC__ >= 12)\n"
             "#define LATHE_LANE_SUMS %d\n"
             "/* to[i] = lane_sum_%d(x + i * %d) for %d vectors. */\n"
             "LATHE_FUNCTION void lane_sums_%d(real *to, const real *x) {\n",
             lanes, lanes, lanes, lanes, lanes);
    for (int i = 0; i < lanes; i++) {
        x[i] = arena_format(text->arena, "x%d", i);
        text_add(text, "    const vector%d x%d = *(const memory%d *)(x + %d);\n", lanes, i, lanes,
                 i * lanes);
    }
    microkernel_print_lane_sums(text, x, lanes);
    text_add(text, "    *(memory%d *)to = %s;\n}\n#endif\n\n", lanes, x[0]);
}

/* In the library because libtcc's own loops are slow. */
static void print_gradient_store(struct text *text, int lanes, const char *qualifiers) {
    text_add(
        text,
        "/* A tile of a weight gradient at one tap: adds the lanes of each sum. */\n"
        "%s%svoid gradient_store(real *to, const real *sums, long outs, long ins, long to_out,\n"
        "        long to_in) {\n",
        qualifiers, *qualifiers ? " " : "");
    if (lanes >= 4)
        text_add(text,
                 "#ifdef LATHE_LANE_SUMS\n"
                 "    const long count = outs * ins;\n"
                 "    if (count >= %d && count <= 32) {\n"
                 "        real all[32];\n"
                 "        for (long n = 0; n < count; n += %d) {\n"
                 "            const long first = n + %d <= count ? n : count - %d;\n"
                 "            lane_sums_%d(all + first, sums + first * %d);\n"
                 "        }\n"
                 "        for (long o = 0; o < outs; o++)\n"
                 "            for (long i = 0; i < ins; i++)\n"
                 "                to[o * to_out + i * to_in] = all[o * ins + i];\n"
                 "        return;\n"
                 "    }\n"
                 "#endif\n",
                 lanes, lanes, lanes, lanes, lanes, lanes);
    text_add(text,
             "    for (long o = 0; o < outs; o++)\n"
             "        for (long i = 0; i < ins; i++, sums += %d)\n"
             "            to[o * to_out + i * to_in] = lane_sum_%d(sums);\n"
             "}\n\n",
             lanes, lanes);
}

void microkernel_print_lane_sum(struct text *text, int lanes, const char *qualifiers) {
    print_lane_sum(text, lanes, qualifiers);
    if (lanes >= 4) print_square_sums(text, lanes);
    print_gradient_store(text, lanes, qualifiers);
}
