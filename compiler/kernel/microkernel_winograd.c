/* microkernel_winograd.c: the text of the transforms of Winograd's convolutions F(4x4, 3x3) and
 * F(2x2, 5x5).
 *
 * A tile of 4 x 4 results of 3 x 3 taps needs 6 x 6 pixels, and so does one of 2 x 2 results of
 * 5 x 5 taps; all are polynomials' values at the points 0, +-a, +-b and infinity, so that a
 * convolution becomes 36 products instead of 144, or 100. Every transform is the same small matrix
 * applied to columns, then to rows. With samples innermost no transform shuffles.
 *
 *   result = A' [(G weights G') * (B' image B)] A       gradient of weights = G' [...] G
 *
 * The points 0.75 and 1.5 keep the rounding errors near those of the direct sums; 1 and 2, the
 * usual choice, have up to four times more. */
#include "microkernel_text.h"

#include <stdio.h>
#include <string.h>

enum { POINTS = 6, STRIP = 8 }; /* STRIP tiles keep their columns in L1 */
enum { TILE = 4, TAPS = 3, MOST_TAPS = 5 }; /* TILE, TAPS: of weight gradients */

static const double point[2] = {0.75, 1.5};

/* How one value is written: a vector over the lanes, or the number of one lane. */
struct form {
    struct text *text;
    int lanes;
    bool is_vector;
    bool is_plain; /* lanes are channels of a row-major image, else samples */
    int taps, tile; /* along an axis */
    char type[16];
    const char *indent;
};

static struct form form_of(struct text *text, int lanes, bool is_vector, bool is_plain, int taps) {
    struct form f = {text, lanes, is_vector, is_plain, taps, POINTS + 1 - taps, "real", "    "};
    if (is_vector) snprintf(f.type, sizeof f.type, "vector%d", lanes);
    return f;
}

/* "*(const memory16 *)(x + 16)", or "(x + 16)[lane]" */
static const char *read(const struct form *f, const char *address) {
    return f->is_vector ? arena_format(f->text->arena, "*(const memory%d *)(%s)", f->lanes, address)
                        : arena_format(f->text->arena, "(%s)[lane]", address);
}

static void store(const struct form *f, const char *address, const char *value) {
    if (f->is_vector)
        text_add(f->text, "%s*(memory%d *)(%s) = %s;\n", f->indent, f->lanes, address, value);
    else
        text_add(f->text, "%s(%s)[lane] = %s;\n", f->indent, address, value);
}

static void declare(const struct form *f, const char *name, const char *value) {
    text_add(f->text, "%sconst %s %s = %s;\n", f->indent, f->type, name, value);
}

static void open_lanes(const struct form *f) {
    text_put(f->text, f->indent + 4);
    if (f->is_vector)
        text_put(f->text, "{\n");
    else
        text_add(f->text, "for (long lane = 0; lane < %d; lane++) {\n", f->lanes);
}

#define NAME(...) arena_format(f->text->arena, __VA_ARGS__)

/* From a pixel, or tile, to the next: a parameter, or the lanes of a block. */
static const char *step(const struct form *f, const char *parameter) {
    return f->is_plain ? parameter : NAME("%d", f->lanes);
}

/* ---- one dimension: in[] and out[] are C expressions; out[] are new names ----
 *
 * A compiler may fuse any product with a sum. That it has no choice, whatever the function is
 * inlined into, no sum has two products: what all terms have in common is left to the end of both
 * dimensions (the scales). */

/* B': pixels to points. */
static void image_points(const struct form *f, const char *const in[], const char *const out[]) {
    const double a = point[0] * point[0], b = point[1] * point[1];
    declare(f, out[0],
            NAME("%s + %s * (real)%.17g - %s * (real)%.17g", in[4], in[0], a * b, in[2], a + b));
    for (int i = 0; i < 2; i++) {
        const double other = i ? a : b;
        const char *even = NAME("%s_even", out[1 + 2 * i]), *odd = NAME("%s_odd", out[1 + 2 * i]);
        declare(f, even, NAME("%s - %s * (real)%.17g", in[4], in[2], other));
        declare(f, odd, NAME("%s - %s * (real)%.17g", in[3], in[1], other));
        declare(f, out[1 + 2 * i], NAME("%s + %s * (real)%.17g", even, odd, point[i]));
        declare(f, out[2 + 2 * i], NAME("%s - %s * (real)%.17g", even, odd, point[i]));
    }
    declare(f, out[5],
            NAME("%s + %s * (real)%.17g - %s * (real)%.17g", in[5], in[1], a * b, in[3], a + b));
}

static double result_scale(int k) {
    double scale = 1;
    while (k-- > 0) scale *= point[0];
    return scale;
}

/* A': points to results; result k is to be multiplied by result_scale(k). */
static void result_pixels(const struct form *f, const char *const in[], const char *const out[]) {
    const char *sum[2], *difference[2];
    for (int i = 0; i < 2; i++) {
        sum[i] = NAME("%s_sum%d", out[0], i);
        difference[i] = NAME("%s_difference%d", out[0], i);
        declare(f, sum[i], NAME("%s + %s", in[1 + 2 * i], in[2 + 2 * i]));
        declare(f, difference[i], NAME("%s - %s", in[1 + 2 * i], in[2 + 2 * i]));
    }
    declare(f, out[0], NAME("%s + %s + %s", in[0], sum[0], sum[1]));
    double power = 1;
    for (int k = 1; k < f->tile; k++) {
        const char *const *term = k % 2 ? difference : sum;
        power *= point[1] / point[0];
        const char *value = NAME("%s + %s * (real)%.17g", term[0], term[1], power);
        if (k == f->tile - 1) value = NAME("%s + %s * (real)%.17g", value, in[5], 1 / result_scale(k));
        declare(f, out[k], value);
    }
}

/* A: the gradient of results to points. */
static void gradient_points(const struct form *f, const char *const in[], const char *const out[]) {
    declare(f, out[0], in[0]);
    for (int i = 0; i < 2; i++) {
        const double p = point[i];
        const char *even = NAME("%s_even", out[1 + 2 * i]), *odd = NAME("%s_odd", out[1 + 2 * i]);
        declare(f, even, NAME("%s + %s * (real)%.17g", in[0], in[2], p * p));
        declare(f, odd, NAME("%s + %s * (real)%.17g", in[1], in[3], p * p));
        declare(f, out[1 + 2 * i], NAME("%s + %s * (real)%.17g", even, odd, p));
        declare(f, out[2 + 2 * i], NAME("%s - %s * (real)%.17g", even, odd, p));
    }
    declare(f, out[5], in[3]);
}

/* The derivative of the points' polynomial at 0 and at point i: what interpolation divides by. */
static double slope(int i) {
    const double a = point[0] * point[0], b = point[1] * point[1];
    if (i < 0) return a * b;
    return i ? 2 * b * (b - a) : 2 * a * (a - b);
}

/* G: weights to points; point k is to be multiplied by weight_scale(k). */
static void weight_points(const struct form *f, const char *const in[], const char *const out[]) {
    declare(f, out[0], in[0]);
    for (int i = 0; i < 2; i++) {
        const double p = point[i];
        const char *even = NAME("%s_even", out[1 + 2 * i]), *odd = in[1];
        const char *sum = NAME("%s + %s * (real)%.17g", in[0], in[2], p * p);
        if (f->taps == MOST_TAPS) {
            odd = NAME("%s_odd", out[1 + 2 * i]);
            declare(f, odd, NAME("%s + %s * (real)%.17g", in[1], in[3], p * p));
            sum = NAME("%s + %s * (real)%.17g", sum, in[4], p * p * p * p);
        }
        declare(f, even, sum);
        declare(f, out[1 + 2 * i], NAME("%s + %s * (real)%.17g", even, odd, p));
        declare(f, out[2 + 2 * i], NAME("%s - %s * (real)%.17g", even, odd, p));
    }
    declare(f, out[5], in[f->taps - 1]);
}

static double weight_scale(int k) {
    return k == 0 ? 1 / slope(-1) : k == POINTS - 1 ? 1 : 1 / slope((k - 1) / 2);
}

/* G': points to the gradient of weights; tap k is to be multiplied by gradient_scale(k). */
static void weight_gradients(const struct form *f, const char *const in[],
                             const char *const out[]) {
    const double p = point[0], q = point[1], s = 1 / slope(0), t = 1 / slope(1);
    const char *sum[2], *difference[2];
    for (int i = 0; i < 2; i++) {
        sum[i] = NAME("%s_sum%d", out[0], i);
        difference[i] = NAME("%s_difference%d", out[0], i);
        declare(f, sum[i], NAME("%s + %s", in[1 + 2 * i], in[2 + 2 * i]));
        declare(f, difference[i], NAME("%s - %s", in[1 + 2 * i], in[2 + 2 * i]));
    }
    declare(f, out[0],
            NAME("%s + %s * (real)%.17g + %s * (real)%.17g", in[0], sum[0], s * slope(-1), sum[1],
                 t * slope(-1)));
    declare(f, out[1],
            NAME("%s + %s * (real)%.17g", difference[0], difference[1], q * t / (p * s)));
    declare(f, out[2],
            NAME("%s + %s * (real)%.17g + %s * (real)%.17g", in[5], sum[0], p * p * s, sum[1],
                 q * q * t));
}

static double gradient_scale(int k) {
    return k == 0 ? 1 / slope(-1) : k == 1 ? point[0] / slope(0) : 1;
}

/* ---- two dimensions ---- */

/* "a0_2" ... "a5_2", or "a2_0" ... along the rows. */
static void column_names(const struct form *f, const char *names[], const char *prefix, int count,
                         int column) {
    for (int i = 0; i < count; i++) names[i] = NAME("%s%d_%d", prefix, i, column);
}

static void row_names(const struct form *f, const char *names[], const char *prefix, int count,
                      int row) {
    for (int i = 0; i < count; i++) names[i] = NAME("%s%d_%d", prefix, row, i);
}

/* x0 ... of the rows inside the image, and of one zero outside. */
static void row_pointers(const struct form *f, char name, int count, const char *is_inside,
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

static void print_image(struct form *f) {
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
        declare(f, in[i], read(f, NAME("x%d + column * s%d", i, i)));
    }
    image_points(f, in, out);
    for (int i = 0; i < POINTS; i++) text_add(text, "%sto[%d] = t%d;\n", f->indent, i * width, i);
    text_add(text,
             "            }\n"
             "            for (long q = 0; q < count; q++)\n"
             "                for (long r = 0; r < %d; r++) {\n"
             "                    const %s *const from = space + r * %d + %d * q;\n"
             "                    real *const to = v + %d * r * v_point + (first + q) * %s;\n",
             POINTS, f->type, width, tile, POINTS, step(f, "v_step"));
    f->indent = "                    ";
    for (int i = 0; i < POINTS; i++) declare(f, in[i], NAME("from[%d]", i));
    image_points(f, in, out);
    for (int i = 0; i < POINTS; i++) store(f, NAME("to + %d * v_point", i), out[i]);
    text_put(text, "                }\n        }\n    }\n");
}

static void print_result_column(struct form *f, int column) {
    const char *in[POINTS], *out[TILE];
    struct text *text = f->text;
    column_names(f, in, "t", POINTS, column);
    column_names(f, out, "sum", f->tile, column);
    text_add(text, "            if (valid > %d) {\n", column);
    f->indent = "                ";
    result_pixels(f, in, out);
    text_add(text, "                %s ", f->type);
    for (int i = 0; i < f->tile; i++)
        text_add(text, "%sy%d = %s * (real)%.17g + shift", i ? ", " : "", i, out[i],
                 result_scale(i) * result_scale(column));
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

static void print_result(struct form *f) {
    const char *in[POINTS], *out[TILE];
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
             f->tile,
             step(f, "y_step"), step(f, "m_step"));
    for (int r = 0; r < POINTS; r++) {
        f->indent = "            ";
        for (int i = 0; i < POINTS; i++) {
            in[i] = NAME("m%d_%d", r, i);
            declare(f, in[i], read(f, NAME("mq + %d * m_point", r * POINTS + i)));
        }
        row_names(f, out, "t", f->tile, r);
        result_pixels(f, in, out);
    }
    for (int column = 0; column < f->tile; column++) print_result_column(f, column);
    text_put(text, "        }\n    }\n");
}

/* A tile that the border cuts is copied, with zeros: its transform has no conditions in between,
 * which would decide what a compiler fuses. */
static void print_cut_tile(struct form *f) {
    struct text *text = f->text;
    for (int i = 0; i < TILE; i++)
        text_add(text,
                 "            const real *c%d = g%d + at * s%d;\n            long d%d = s%d;\n", i,
                 i, i, i, i);
    text_add(text, "            if (valid < %d) {\n", TILE);
    f->indent = "                ";
    for (int i = 0; i < TILE; i++) {
        for (int column = 0; column < TILE; column++)
            store(f, NAME("cut + %d", (i * TILE + column) * f->lanes),
                  column
                      ? read(f, NAME("valid > %d ? c%d + %d * d%d : nothing", column, i, column, i))
                      : read(f, NAME("c%d", i)));
        text_add(text, "                c%d = cut + %d, d%d = %d;\n", i, i * TILE * f->lanes, i,
                 f->lanes);
    }
    text_put(text, "            }\n");
}

static void print_gradient(struct form *f) {
    const char *in[TILE], *out[POINTS];
    struct text *text = f->text;
    f->indent = "        ";
    open_lanes(f);
    row_pointers(f, 'g', TILE, "rows > %d", "%d * g_row");
    text_add(text,
             "        real cut[%d];\n"
             "        for (long q = 0; q < tiles; q++) {\n"
             "            const long valid = columns - %d * q, at = %d * q;\n"
             "            real *const to = v + q * %d;\n",
             TILE * TILE * f->lanes, TILE, TILE, f->lanes);
    print_cut_tile(f);
    f->indent = "            ";
    for (int column = 0; column < TILE; column++) {
        for (int i = 0; i < TILE; i++) {
            in[i] = NAME("g%d_%d", i, column);
            declare(f, in[i], read(f, NAME("c%d + %d * d%d", i, column, i)));
        }
        column_names(f, out, "t", POINTS, column);
        gradient_points(f, in, out);
    }
    for (int r = 0; r < POINTS; r++) {
        row_names(f, in, "t", TILE, r);
        row_names(f, out, "v", POINTS, r);
        gradient_points(f, in, out);
        for (int i = 0; i < POINTS; i++)
            store(f, NAME("to + %d * v_point", r * POINTS + i), out[i]);
    }
    text_put(text, "        }\n    }\n");
}

static void print_weights(struct form *f) {
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
            declare(f, in[i], read(f, NAME("taps + %d", (i * taps + column) * f->lanes)));
        }
        column_names(f, out, "t", POINTS, column);
        weight_points(f, in, out);
    }
    for (int r = 0; r < POINTS; r++) {
        row_names(f, in, "t", taps, r);
        row_names(f, out, "u", POINTS, r);
        weight_points(f, in, out);
        for (int i = 0; i < POINTS; i++)
            store(f, NAME("u + first + %d * u_point", r * POINTS + i),
                  NAME("%s * (real)%.17g", out[i], weight_scale(r) * weight_scale(i)));
    }
    text_put(text, "        }\n    }\n");
}

static void print_weight_gradient(struct form *f) {
    const char *in[POINTS], *out[TAPS];
    struct text *text = f->text;
    text_add(text,
             "    real taps[%d];\n"
             "    for (long first = 0; first < outs * ins; first += %d, sums += %d) {\n",
             TAPS * TAPS * f->lanes, f->lanes, f->lanes);
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
        column_names(f, out, "t", TAPS, column);
        weight_gradients(f, in, out);
    }
    for (int r = 0; r < TAPS; r++) {
        row_names(f, in, "t", POINTS, r);
        row_names(f, out, "w", TAPS, r);
        weight_gradients(f, in, out);
        for (int i = 0; i < TAPS; i++)
            store(f, NAME("taps + %d", (r * TAPS + i) * f->lanes),
                  NAME("%s * (real)%.17g", out[i], gradient_scale(r) * gradient_scale(i)));
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
             f->lanes, TAPS * TAPS, TAPS, TAPS, f->lanes);
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
    void (*print)(struct form *f);
    bool needs_nothing, is_plain;
    bool is_general; /* there is one for 5 x 5 taps, NAME_5x5 */
};
static const struct transform transforms[] = {
    {"winograd_image",
     "const real *x, real *v, long v_point, long tiles, long top, long left,\n"
     "        long height, long width",
     "/* v[k] of each tile of a row: 6 x 6 pixels from row `top`, column `left` + 4 q, at 36 "
     "points.\n"
     " * Pixels outside the image are 0. */\n",
     print_image, true, false, true},
    {"winograd_result",
     "const real *m, long m_point, const real *bias, real *y, const real *mask,\n"
     "        long tiles, long rows, long columns, long y_row, long flags",
     "/* y of each tile of a row: 4 x 4 pixels, as far as there are rows and columns, from the\n"
     " * products m[k] at 36 points; plus bias, relu, masked as the flags say. */\n",
     print_result, false, false, true},
    {"winograd_weights",
     "const real *w, real *u, long u_point, long channels, long w_channel,\n"
     "        long outs, long w_out, long w_row, long w_column",
     "/* u[k][channel][out] at 36 points for a tile of output channels. It writes whole vectors: "
     "some\n"
     " * numbers behind the end are overwritten. */\n",
     print_weights, false, false, true},
    {"winograd_gradient",
     "const real *g, real *v, long v_point, long tiles, long rows, long columns,\n"
     "        long g_row",
     "/* v[k] of each tile of a row: the gradient of its 4 x 4 results at 36 points; rows and "
     "columns\n"
     " * that are not there count as 0. */\n",
     print_gradient, true, false, false},
    {"winograd_weight_gradient",
     "real *w, const real *sums, long s_point, long parts, long s_part, long outs,\n"
     "        long ins, long w_out, long w_in, long w_row, long w_column",
     "/* The weights' gradient of a tile of channels from the sums at 36 points, in parts. */\n",
     print_weight_gradient, false, false, false},
    {"winograd_plain_image",
     "const real *x, real *v, long v_point, long tiles, long top, long left,\n"
     "        long height, long width, long x_step, long v_step",
     "/* The same for some channels of a row-major image: pixels x_step apart, tiles v_step. */\n",
     print_image, true, true, true},
    {"winograd_plain_result",
     "const real *m, long m_point, const real *bias, real *y, const real *mask,\n"
     "        long tiles, long rows, long columns, long y_row, long flags, long m_step,\n"
     "        long y_step",
     "/* The same for some channels of a row-major image: tiles m_step apart, pixels y_step. */\n",
     print_result, false, true, true},
};
enum { TRANSFORMS = sizeof transforms / sizeof *transforms };

static const char suffix[] = "_5x5";

/* taps: that the name asks for, along an axis. */
static const struct transform *find_transform(const char *name, int *taps) {
    for (int i = 0; i < TRANSFORMS; i++) {
        size_t length = strlen(transforms[i].name);
        if (strncmp(transforms[i].name, name, length)) continue;
        *taps = name[length] ? MOST_TAPS : TAPS;
        if (!name[length] || (transforms[i].is_general && !strcmp(name + length, suffix)))
            return &transforms[i];
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
    struct form vectors = form_of(text, lanes, true, transform->is_plain, taps);
    struct form numbers = form_of(text, lanes, false, transform->is_plain, taps);
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
        if (transforms[i].is_general)
            visit(context, arena_format(arena, "%s%s", transforms[i].name, suffix));
    }
    for (int outs = 1; outs <= target->gradient_out; outs++)
        for (int ins = 1; ins <= target->gradient_in; ins++)
            visit(context, arena_format(arena, "winograd_products_%dx%d", outs, ins));
}
