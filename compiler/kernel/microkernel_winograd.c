/* microkernel_winograd.c: the text of the transforms of Winograd's convolutions F(4x4, 3x3) and
 * F(2x2, 5x5), and of the products of a weight gradient at the points.
 *
 * A tile of 4 x 4 results of 3 x 3 taps needs 6 x 6 pixels, and so does one of 2 x 2 results of
 * 5 x 5 taps; a convolution becomes 36 products instead of 144, or 100. Every transform is the same
 * small matrix (microkernel_winograd_points.h) applied to columns, then to rows. With samples
 * innermost no transform shuffles. */
#include "microkernel_winograd_points.h"

#include <stdio.h>
#include <string.h>

enum { STRIP = 8 }; /* tiles that keep their columns in L1 */

#define NAME(...) arena_format(f->text->arena, __VA_ARGS__)

static struct winograd_form form_of(struct text *text, int lanes, bool is_vector, bool is_plain,
                                    int taps) {
    struct winograd_form f = {text,   lanes, is_vector, is_plain, taps, POINTS + 1 - taps,
                              "real", "    "};
    if (is_vector) snprintf(f.type, sizeof f.type, "vector%d", lanes);
    return f;
}

/* "*(const memory16 *)(x + 16)", or "(x + 16)[lane]" */
static const char *read(const struct winograd_form *f, const char *address) {
    return f->is_vector ? arena_format(f->text->arena, "*(const memory%d *)(%s)", f->lanes, address)
                        : arena_format(f->text->arena, "(%s)[lane]", address);
}

static void store(const struct winograd_form *f, const char *address, const char *value) {
    if (f->is_vector)
        text_add(f->text, "%s*(memory%d *)(%s) = %s;\n", f->indent, f->lanes, address, value);
    else
        text_add(f->text, "%s(%s)[lane] = %s;\n", f->indent, address, value);
}

static void open_lanes(const struct winograd_form *f) {
    text_put(f->text, f->indent + 4);
    if (f->is_vector)
        text_put(f->text, "{\n");
    else
        text_add(f->text, "for (long lane = 0; lane < %d; lane++) {\n", f->lanes);
}

/* From a pixel, or tile, to the next: a parameter, or the lanes of a block. */
static const char *step(const struct winograd_form *f, const char *parameter) {
    return f->is_plain ? parameter : NAME("%d", f->lanes);
}

/* "a0_2" ... "a5_2", or "a2_0" ... along the rows. */
static void column_names(const struct winograd_form *f, const char *names[], const char *prefix,
                         int count, int column) {
    for (int i = 0; i < count; i++) names[i] = NAME("%s%d_%d", prefix, i, column);
}

static void row_names(const struct winograd_form *f, const char *names[], const char *prefix,
                      int count, int row) {
    for (int i = 0; i < count; i++) names[i] = NAME("%s%d_%d", prefix, row, i);
}

/* x0 ... of the rows inside the image, and of one zero outside. */
static void row_pointers(const struct winograd_form *f, char name, int count, const char *is_inside,
                         const char *row) {
    struct text *text = f->text;
    for (int i = 0; i < count; i++) {
        text_add(text, "%sconst real *const %c%d = ", f->indent, name, i);
        text_add(text, is_inside, i, i);
        text_add(text, " ? %c + ", name);
        text_add(text, row, i);
        text_put(text, " : nothing;\n");
        text_add(text, "%sconst long s%d = %c%d == nothing ? 0 : %s;\n", f->indent, i, name, i,
                 step(f, "x_step"));
    }
}

static void print_image(struct winograd_form *f) {
    const char *in[POINTS], *out[POINTS];
    struct text *text = f->text;
    const int tile = f->tile, width = STRIP * tile + f->taps - 1;
    f->indent = "        ";
    open_lanes(f);
    text_add(text, "        const %s zero = {0};\n        %s space[%d];\n", f->type, f->type,
             POINTS * width);
    row_pointers(f, 'x', POINTS, "top + %d >= 0 && top + %d < height",
                 NAME("(top + %%d) * width * %s", step(f, "x_step")));
    text_add(text,
             "        for (long first = 0; first < tiles; first += %d) {\n"
             "            const long count = tiles - first < %d ? tiles - first : %d;\n"
             "            for (long c = 0; c < %d * count + %d; c++) {\n"
             "                const long column = left + %d * first + c;\n"
             "                %s *const to = space + c;\n"
             "                if (column < 0 || column >= width) {\n"
             "                    for (long r = 0; r < %d; r++) to[r * %d] = zero;\n"
             "                    continue;\n"
             "                }\n",
             STRIP, STRIP, STRIP, tile, f->taps - 1, tile, f->type, POINTS, width);
    f->indent = "                ";
    for (int i = 0; i < POINTS; i++) {
        in[i] = NAME("d%d", i);
        out[i] = NAME("t%d", i);
        winograd_declare(f, in[i], read(f, NAME("x%d + column * s%d", i, i)));
    }
    winograd_image_points(f, in, out);
    for (int i = 0; i < POINTS; i++) text_add(text, "%sto[%d] = t%d;\n", f->indent, i * width, i);
    text_add(text,
             "            }\n"
             "            for (long q = 0; q < count; q++)\n"
             "                for (long r = 0; r < %d; r++) {\n"
             "                    const %s *const from = space + r * %d + %d * q;\n"
             "                    real *const to = v + %d * r * v_point + (first + q) * %s;\n",
             POINTS, f->type, width, tile, POINTS, step(f, "v_step"));
    f->indent = "                    ";
    for (int i = 0; i < POINTS; i++) winograd_declare(f, in[i], NAME("from[%d]", i));
    winograd_image_points(f, in, out);
    for (int i = 0; i < POINTS; i++) store(f, NAME("to + %d * v_point", i), out[i]);
    text_put(text, "                }\n        }\n    }\n");
}

static void print_result_column(struct winograd_form *f, int column) {
    const char *in[POINTS], *out[MOST_TILE];
    struct text *text = f->text;
    column_names(f, in, "t", POINTS, column);
    column_names(f, out, "sum", f->tile, column);
    text_add(text, "            if (valid > %d) {\n", column);
    f->indent = "                ";
    winograd_result_pixels(f, in, out);
    text_add(text, "                %s ", f->type);
    for (int i = 0; i < f->tile; i++)
        text_add(text, "%sy%d = %s * (real)%.17g + shift", i ? ", " : "", i, out[i],
                 winograd_result_scale(i) * winograd_result_scale(column));
    text_add(text, ";\n                if (flags & %d) {\n", MICROKERNEL_RELU);
    int lanes = f->is_vector ? f->lanes : 1;
    for (int i = 0; i < f->tile; i++) {
        text_put(text, "                    ");
        microkernel_print_select(text, lanes, NAME("y%d", i), NAME("y%d", i));
        text_put(text, "\n");
    }
    text_put(text, "                }\n");
    for (int i = 0; i < f->tile; i++) {
        const char *at = NAME("at + %d * y_row + %d * %s", i, column, step(f, "y_step"));
        text_add(text, "                if (rows > %d) {\n                    if (flags & %d) ", i,
                 MICROKERNEL_MASK);
        microkernel_print_select(text, lanes, NAME("y%d", i), read(f, NAME("mask + %s", at)));
        text_put(text, "\n    ");
        store(f, NAME("y + %s", at), NAME("y%d", i));
        text_put(text, "                }\n");
    }
    text_put(text, "            }\n");
}

static void print_result(struct winograd_form *f) {
    const char *in[POINTS], *out[MOST_TILE];
    struct text *text = f->text;
    f->indent = "        ";
    open_lanes(f);
    text_add(text,
             "        const %s zero = {0};\n"
             "        %s shift = zero;\n"
             "        if (bias) shift %s;\n"
             "        for (long q = 0; q < tiles; q++) {\n"
             "            const long valid = columns - %d * q, at = %d * q * %s;\n"
             "            const real *const mq = m + q * %s;\n",
             f->type, f->type, f->is_plain ? NAME("= %s", read(f, "bias")) : "+= *bias", f->tile,
             f->tile, step(f, "y_step"), step(f, "m_step"));
    for (int r = 0; r < POINTS; r++) {
        f->indent = "            ";
        for (int i = 0; i < POINTS; i++) {
            in[i] = NAME("m%d_%d", r, i);
            winograd_declare(f, in[i], read(f, NAME("mq + %d * m_point", r * POINTS + i)));
        }
        row_names(f, out, "t", f->tile, r);
        winograd_result_pixels(f, in, out);
    }
    for (int column = 0; column < f->tile; column++) print_result_column(f, column);
    text_put(text, "        }\n    }\n");
}

/* A tile that the border cuts is copied, with zeros: its transform has no conditions in between,
 * which would decide what a compiler fuses. */
static void print_cut_tile(struct winograd_form *f) {
    struct text *text = f->text;
    const int tile = f->tile;
    for (int i = 0; i < tile; i++)
        text_add(text,
                 "            const real *c%d = g%d + at * s%d;\n            long d%d = s%d;\n", i,
                 i, i, i, i);
    text_add(text, "            if (valid < %d) {\n", tile);
    f->indent = "                ";
    for (int i = 0; i < tile; i++) {
        for (int column = 0; column < tile; column++)
            store(f, NAME("cut + %d", (i * tile + column) * f->lanes),
                  column
                      ? read(f, NAME("valid > %d ? c%d + %d * d%d : nothing", column, i, column, i))
                      : read(f, NAME("c%d", i)));
        text_add(text, "                c%d = cut + %d, d%d = %d;\n", i, i * tile * f->lanes, i,
                 f->lanes);
    }
    text_put(text, "            }\n");
}

static void print_gradient(struct winograd_form *f) {
    const char *in[MOST_TILE], *out[POINTS];
    struct text *text = f->text;
    const int tile = f->tile;
    f->indent = "        ";
    open_lanes(f);
    row_pointers(f, 'g', tile, "rows > %d", "%d * g_row");
    text_add(text,
             "        real cut[%d];\n"
             "        for (long q = 0; q < tiles; q++) {\n"
             "            const long valid = columns - %d * q, at = %d * q;\n"
             "            real *const to = v + q * %d;\n",
             tile * tile * f->lanes, tile, tile, f->lanes);
    print_cut_tile(f);
    f->indent = "            ";
    for (int column = 0; column < tile; column++) {
        for (int i = 0; i < tile; i++) {
            in[i] = NAME("g%d_%d", i, column);
            winograd_declare(f, in[i], read(f, NAME("c%d + %d * d%d", i, column, i)));
        }
        column_names(f, out, "t", POINTS, column);
        winograd_gradient_points(f, in, out);
    }
    for (int r = 0; r < POINTS; r++) {
        row_names(f, in, "t", tile, r);
        row_names(f, out, "v", POINTS, r);
        winograd_gradient_points(f, in, out);
        for (int i = 0; i < POINTS; i++)
            store(f, NAME("to + %d * v_point", r * POINTS + i), out[i]);
    }
    text_put(text, "        }\n    }\n");
}

static void print_weights(struct winograd_form *f) {
    const char *in[MOST_TAPS], *out[POINTS];
    struct text *text = f->text;
    const int taps = f->taps;
    text_add(text,
             "    real taps[%d] = {0};\n"
             "    for (long c = 0; c < channels; c++, w += w_channel, u += outs)\n"
             "    for (long first = 0; first < outs; first += %d) {\n"
             "        const long count = outs - first < %d ? outs - first : %d;\n"
             "        for (long k = 0; k < %d; k++) {\n"
             "            const real *const from =\n"
             "                w + first * w_out + k / %d * w_row + k %% %d * w_column;\n"
             "            for (long o = 0; o < count; o++) taps[k * %d + o] = from[o * w_out];\n"
             "        }\n",
             taps * taps * f->lanes, f->lanes, f->lanes, f->lanes, taps * taps, taps, taps,
             f->lanes);
    f->indent = "            ";
    open_lanes(f);
    for (int column = 0; column < taps; column++) {
        for (int i = 0; i < taps; i++) {
            in[i] = NAME("w%d_%d", i, column);
            winograd_declare(f, in[i], read(f, NAME("taps + %d", (i * taps + column) * f->lanes)));
        }
        column_names(f, out, "t", POINTS, column);
        winograd_weight_points(f, in, out);
    }
    for (int r = 0; r < POINTS; r++) {
        row_names(f, in, "t", taps, r);
        row_names(f, out, "u", POINTS, r);
        winograd_weight_points(f, in, out);
        for (int i = 0; i < POINTS; i++)
            store(f, NAME("u + first + %d * u_point", r * POINTS + i),
                  NAME("%s * (real)%.17g", out[i],
                       winograd_weight_scale(r) * winograd_weight_scale(i)));
    }
    text_put(text, "        }\n    }\n");
}

static void print_weight_gradient(struct winograd_form *f) {
    const char *in[POINTS], *out[MOST_TAPS];
    struct text *text = f->text;
    const int taps = f->taps;
    text_add(text,
             "    real taps[%d] = {0};\n"
             "    for (long first = 0; first < outs * ins; first += %d, sums += %d) {\n",
             taps * taps * f->lanes, f->lanes, f->lanes);
    f->indent = "            ";
    open_lanes(f);
    text_add(text,
             "            %s u[%d];\n"
             "            for (long k = 0; k < %d; k++) {\n"
             "                u[k] = %s;\n"
             "                for (long part = 1; part < parts; part++)\n"
             "                    u[k] += %s;\n"
             "            }\n",
             f->type, POINTS * POINTS, POINTS * POINTS, read(f, "sums + k * s_point"),
             read(f, "sums + k * s_point + part * s_part"));
    for (int column = 0; column < POINTS; column++) {
        for (int i = 0; i < POINTS; i++) in[i] = NAME("u[%d]", i * POINTS + column);
        column_names(f, out, "t", taps, column);
        winograd_weight_gradients(f, in, out);
    }
    for (int r = 0; r < taps; r++) {
        row_names(f, in, "t", POINTS, r);
        row_names(f, out, "w", taps, r);
        winograd_weight_gradients(f, in, out);
        for (int i = 0; i < taps; i++)
            store(f, NAME("taps + %d", (r * taps + i) * f->lanes),
                  NAME("%s * (real)%.17g", out[i],
                       winograd_gradient_scale(f, r) * winograd_gradient_scale(f, i)));
    }
    text_add(text,
             "        }\n"
             "        for (long i = 0; i < %d && first + i < outs * ins; i++) {\n"
             "            real *const to =\n"
             "                w + (first + i) / ins * w_out + (first + i) %% ins * w_in;\n"
             "            for (long k = 0; k < %d; k++)\n"
             "                to[k / %d * w_row + k %% %d * w_column] = taps[k * %d + i];\n"
             "        }\n"
             "    }\n",
             f->lanes, taps * taps, taps, taps, f->lanes);
}

/* ---- the products of a weight gradient at one point ---- */

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

/* Adds the lanes of `count` vectors (names in s) in lane_sum's order, halves of two vectors at a
 * time: lane i of the last vector is the sum of vector i. NULL: zeros. */
static void print_lane_sums(struct text *text, const char *s[], int lanes) {
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
        print_lane_sums(text, s, lanes);
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

/* ---- the functions ---- */

struct transform {
    const char *name, *parameters, *comment;
    void (*print)(struct winograd_form *f);
    bool needs_nothing, is_plain;
};
static const struct transform transforms[] = {
    {"winograd_image",
     "const real *x, real *v, long v_point, long tiles, long top, long left,\n"
     "        long height, long width",
     "/* v[k] of each tile of a row: 6 x 6 pixels from row `top`, column `left` + 4 q, at 36 "
     "points.\n"
     " * Pixels outside the image are 0. */\n",
     print_image, true, false},
    {"winograd_result",
     "const real *m, long m_point, const real *bias, real *y, const real *mask,\n"
     "        long tiles, long rows, long columns, long y_row, long flags",
     "/* y of each tile of a row: 4 x 4 pixels, as far as there are rows and columns, from the\n"
     " * products m[k] at 36 points; plus bias, relu, masked as the flags say. */\n",
     print_result, false, false},
    {"winograd_weights",
     "const real *w, real *u, long u_point, long channels, long w_channel,\n"
     "        long outs, long w_out, long w_row, long w_column",
     "/* u[k][channel][out] at 36 points for a tile of output channels. It writes whole vectors: "
     "some\n"
     " * numbers behind the end are overwritten. */\n",
     print_weights, false, false},
    {"winograd_gradient",
     "const real *g, real *v, long v_point, long tiles, long rows, long columns,\n"
     "        long g_row",
     "/* v[k] of each tile of a row: the gradient of its 4 x 4 results at 36 points; rows and "
     "columns\n"
     " * that are not there count as 0. */\n",
     print_gradient, true, false},
    {"winograd_weight_gradient",
     "real *w, const real *sums, long s_point, long parts, long s_part, long outs,\n"
     "        long ins, long w_out, long w_in, long w_row, long w_column",
     "/* The weights' gradient of a tile of channels from the sums at 36 points, in parts. */\n",
     print_weight_gradient, false, false},
    {"winograd_plain_image",
     "const real *x, real *v, long v_point, long tiles, long top, long left,\n"
     "        long height, long width, long x_step, long v_step",
     "/* The same for some channels of a row-major image: pixels x_step apart, tiles v_step. */\n",
     print_image, true, true},
    {"winograd_plain_result",
     "const real *m, long m_point, const real *bias, real *y, const real *mask,\n"
     "        long tiles, long rows, long columns, long y_row, long flags, long m_step,\n"
     "        long y_step",
     "/* The same for some channels of a row-major image: tiles m_step apart, pixels y_step. */\n",
     print_result, false, true},
};
enum { TRANSFORMS = sizeof transforms / sizeof *transforms };

/* Each transform exists for 5 x 5 taps as well. */
static const char suffix[] = "_5x5";

/* taps: that the name asks for, along an axis. */
static const struct transform *find_transform(const char *name, int *taps) {
    for (int i = 0; i < TRANSFORMS; i++) {
        size_t length = strlen(transforms[i].name);
        if (strncmp(transforms[i].name, name, length)) continue;
        *taps = name[length] ? MOST_TAPS : FEWEST_TAPS;
        if (!name[length] || !strcmp(name + length, suffix)) return &transforms[i];
    }
    return NULL;
}

static bool is_products(const char *name, int *outs, int *ins) {
    return sscanf(name, "winograd_products_%dx%d", outs, ins) == 2;
}

bool microkernel_print_winograd(struct text *text, const char *name, int lanes,
                                const char *qualifiers) {
    int outs, ins, taps;
    const struct transform *transform = find_transform(name, &taps);
    if (is_products(name, &outs, &ins)) {
        print_products_function(text, outs, ins, lanes, qualifiers);
        return true;
    }
    if (!transform) return false;
    if (taps == MOST_TAPS)
        text_put(text, "/* As for 3 x 3 taps, for 5 x 5 and tiles of 2 x 2 results: */\n");
    text_add(text, "%s%s%sLATHE_FUSED void %s(%s) {\n    LATHE_FUSE\n", transform->comment,
             qualifiers, *qualifiers ? " " : "", name, transform->parameters);
    if (transform->needs_nothing)
        text_add(text, "    static const real nothing[%d] = {0};\n", lanes);
    text_put(text, "#ifdef LATHE_VECTORS\n");
    struct winograd_form vectors = form_of(text, lanes, true, transform->is_plain, taps);
    struct winograd_form numbers = form_of(text, lanes, false, transform->is_plain, taps);
    transform->print(&vectors);
    text_put(text, "#else\n");
    transform->print(&numbers);
    text_put(text, "#endif\n}\n\n");
    return true;
}

bool microkernel_print_winograd_prototype(struct text *text, const char *name) {
    int outs, ins, taps;
    const struct transform *transform = find_transform(name, &taps);
    if (!transform && !is_products(name, &outs, &ins)) return false;
    text_add(text, "void %s(%s);\n", name, transform ? transform->parameters : products_parameters);
    return true;
}

void microkernel_each_winograd(const struct target *target,
                               void (*visit)(void *context, const char *name), void *context,
                               struct arena *arena) {
    for (int i = 0; i < TRANSFORMS; i++) {
        visit(context, transforms[i].name);
        visit(context, arena_format(arena, "%s%s", transforms[i].name, suffix));
    }
    for (int outs = 1; outs <= target->gradient_out; outs++)
        for (int ins = 1; ins <= target->gradient_in; ins++)
            visit(context, arena_format(arena, "winograd_products_%dx%d", outs, ins));
}
