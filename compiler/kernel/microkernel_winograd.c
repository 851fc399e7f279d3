/* microkernel_winograd.c: the text of the transforms of images, results and gradients of Winograd's
 * convolutions F(4x4, 3x3), F(3x3, 4x4) and F(2x2, 5x5).
 *
 * A tile of 4 x 4 results of 3 x 3 taps needs 6 x 6 pixels, and so do 3 x 3 results of 4 x 4 taps
 * and 2 x 2 of 5 x 5; a convolution becomes 36 products instead of 144, or 100. Every transform is
 * the same small matrix (microkernel_winograd_points.h) applied to columns, then to rows. With
 * samples innermost no transform shuffles.
 *
 * Where both axes end with a tile of fewer results, it has fewer points: `last` of them, "_last2"
 * in the names. The points of a chunk's tiles then lie close together, row by row: a row has a tile
 * less at the points that its last one does not have. */
#include "microkernel_winograd_points.h"

#include <stdio.h>
#include <string.h>

enum { STRIP = 8 }; /* tiles that keep their columns in L1 */

static struct winograd_form form_of(struct text *text, int lanes, bool is_vector, bool is_plain,
                                    int taps, int last) {
    struct winograd_form f = {text, lanes,  is_vector, is_plain, taps, POINTS + 1 - taps,
                              last, "real", "    "};
    if (is_vector) snprintf(f.type, sizeof f.type, "vector%d", lanes);
    return f;
}

/* From a pixel, or tile, to the next: a parameter, or the lanes of a block. */
static const char *step(const struct winograd_form *f, const char *parameter) {
    return f->is_plain ? parameter : NAME("%d", f->lanes);
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

/* Along an axis: the tiles in front of the last, and the last. */
static int kinds_of_tile(const struct winograd_form *f) {
    return f->last < f->tile ? 2 : 1;
}

static int results_of(const struct winograd_form *f, int kind) {
    return kind ? f->last : f->tile;
}

/* Opens the text for rows of tiles of one kind. */
static void open_rows(const struct winograd_form *f, int kind) {
    if (kinds_of_tile(f) > 1)
        text_add(f->text, "%sif (rows %s %d) {\n", f->indent, kind ? "<" : ">=", f->tile);
}

static void close_rows(const struct winograd_form *f) {
    if (kinds_of_tile(f) > 1) text_add(f->text, "%s}\n", f->indent);
}

/* Opens the loop over tiles q of one kind, of `count` in a row, the first of which is tile `first`.
 * Each kind has a loop of its own: what a compiler finds in several branches of one it computes
 * ahead, and fuses no more. */
static void open_tiles(const struct winograd_form *f, const char *first, const char *count,
                       int kind) {
    const char *whole = NAME("whole - %s < %s ? whole - %s : %s", first, count, first, count);
    if (kinds_of_tile(f) == 1)
        text_add(f->text, "%sfor (long q = 0; q < %s; q++) {\n", f->indent, count);
    else if (kind == 0)
        text_add(f->text, "%sfor (long q = 0; q < (%s); q++) {\n", f->indent, whole);
    else
        text_add(f->text, "%sfor (long q = %s; q < %s; q++) {\n", f->indent, whole, count);
}

/* A row of tiles begins closer to the first one's at the points that its last tile does not have.
 */
static void declare_gap(const struct winograd_form *f) {
    if (kinds_of_tile(f) == 1) return;
    text_add(f->text, "%sconst long whole = columns < %d * tiles ? tiles - 1 : tiles;\n", f->indent,
             f->tile);
    text_add(f->text, "%sconst long gap = whole < tiles ? row * %d : 0;\n", f->indent, f->lanes);
}

static const char *minus_gap(const struct winograd_form *f, int column) {
    return winograd_has_point(f, f->last, column) ? "" : " - gap";
}

static void ignore(const struct winograd_form *f, const char *parameters) {
    if (kinds_of_tile(f) == 1 && !f->is_plain) text_put(f->text, parameters);
}

/* A column of pixels to points, of `space`. */
static void print_image_column(struct winograd_form *f, int results, int width) {
    const char *in[POINTS], *out[POINTS];
    for (int i = 0; i < POINTS; i++) {
        in[i] = NAME("d%d", i);
        out[i] = NAME("t%d", i);
        if (i < winograd_point_count(f, results))
            winograd_declare(f, in[i], winograd_read(f, NAME("x%d + column * s%d", i, i)));
    }
    winograd_image_points(f, results, in, out);
    for (int i = 0; i < POINTS; i++)
        if (winograd_has_point(f, results, i))
            text_add(f->text, "%sto[%d] = t%d;\n", f->indent, i * width, i);
}

/* A row of pixels at one point of the columns, to points of the rows. */
static void print_image_row(struct winograd_form *f, int results) {
    const char *in[POINTS], *out[POINTS];
    for (int i = 0; i < POINTS; i++) {
        in[i] = NAME("d%d", i);
        out[i] = NAME("t%d", i);
        if (i < winograd_point_count(f, results)) winograd_declare(f, in[i], NAME("from[%d]", i));
    }
    winograd_image_points(f, results, in, out);
    for (int i = 0; i < POINTS; i++)
        if (winograd_has_point(f, results, i))
            winograd_store(f, NAME("to%s + %d * v_point", minus_gap(f, i), i), out[i]);
}

static void print_image(struct winograd_form *f) {
    struct text *text = f->text;
    const int tile = f->tile, width = STRIP * tile + f->taps - 1, kinds = kinds_of_tile(f);
    ignore(f, "    (void)rows, (void)columns, (void)row;\n");
    f->indent = "        ";
    winograd_open_lanes(f);
    text_add(text, "        const %s zero = {0};\n        %s space[%d];\n", f->type, f->type,
             POINTS * width);
    declare_gap(f);
    row_pointers(f, 'x', POINTS, "top + %d >= 0 && top + %d < height",
                 NAME("(top + %%d) * width * %s", step(f, "x_step")));
    text_add(text,
             "        for (long first = 0; first < tiles; first += %d) {\n"
             "            const long count = tiles - first < %d ? tiles - first : %d;\n",
             STRIP, STRIP, STRIP);
    for (int kind = 0; kind < kinds; kind++) {
        f->indent = "            ";
        open_rows(f, kind);
        text_add(text,
                 "            for (long c = 0; c < %d * count + %d; c++) {\n"
                 "                const long column = left + %d * first + c;\n"
                 "                %s *const to = space + c;\n"
                 "                if (column < 0 || column >= width) {\n"
                 "                    for (long r = 0; r < %d; r++) to[r * %d] = zero;\n"
                 "                    continue;\n"
                 "                }\n",
                 tile, f->taps - 1, tile, f->type, POINTS, width);
        f->indent = "                ";
        print_image_column(f, results_of(f, kind), width);
        text_put(text, "            }\n");
        f->indent = "            ";
        close_rows(f);
    }
    for (int kind = 0; kind < kinds; kind++) {
        open_tiles(f, "first", "count", kind);
        text_add(text, "                for (long r = 0; r < %d; r++) {\n", POINTS);
        if (kinds > 1)
            text_add(text, "                    if (rows < %d && r >= %d && r < %d) continue;\n",
                     tile, winograd_point_count(f, f->last) - 1, POINTS - 1);
        text_add(text,
                 "                    const %s *const from = space + r * %d + %d * q;\n"
                 "                    real *const to = v + %d * r * v_point + (first + q) * %s;\n",
                 f->type, width, tile, POINTS, step(f, "v_step"));
        f->indent = "                    ";
        print_image_row(f, results_of(f, kind));
        f->indent = "            ";
        text_put(text, "                }\n            }\n");
    }
    text_put(text, "        }\n    }\n");
}

/* A column of the results: of `results` rows, as far as they are there. */
static void print_result_column(struct winograd_form *f, int column, int results) {
    const char *in[POINTS], *out[MOST_TILE];
    struct text *text = f->text;
    bool is_cut = kinds_of_tile(f) == 1;
    winograd_column_names(f, in, "t", POINTS, column);
    winograd_column_names(f, out, "sum", f->tile, column);
    text_add(text, is_cut ? "            if (valid > %d) {\n" : "            {\n", column);
    f->indent = "                ";
    winograd_result_pixels(f, results, in, out);
    text_add(text, "                %s ", f->type);
    for (int i = 0; i < results; i++)
        text_add(text, "%sy%d = %s * (real)%.17g + shift", i ? ", " : "", i, out[i],
                 winograd_result_scale(i) * winograd_result_scale(column));
    text_add(text, ";\n                if (flags & %d) {\n", MICROKERNEL_RELU);
    int lanes = f->is_vector ? f->lanes : 1;
    for (int i = 0; i < results; i++) {
        text_put(text, "                    ");
        microkernel_print_select(text, lanes, NAME("y%d", i), NAME("y%d", i));
        text_put(text, "\n");
    }
    text_put(text, "                }\n");
    for (int i = 0; i < results; i++) {
        const char *at = NAME("at + %d * y_row + %d * %s", i, column, step(f, "y_step"));
        text_add(text, is_cut ? "                if (rows > %d) {\n" : "                {\n", i);
        text_add(text, "                    if (flags & %d) ", MICROKERNEL_MASK);
        microkernel_print_select(text, lanes, NAME("y%d", i),
                                 winograd_read(f, NAME("mask + %s", at)));
        text_put(text, "\n    ");
        winograd_store(f, NAME("y + %s", at), NAME("y%d", i));
        text_put(text, "                }\n");
    }
    text_put(text, "            }\n");
}

/* A tile of so many rows and columns of results. */
static void print_result_tile(struct winograd_form *f, int rows, int columns) {
    const char *in[POINTS], *out[MOST_TILE];
    for (int r = 0; r < POINTS; r++) {
        if (!winograd_has_point(f, rows, r)) continue;
        f->indent = "            ";
        for (int i = 0; i < POINTS; i++) {
            in[i] = NAME("m%d_%d", r, i);
            if (winograd_has_point(f, columns, i))
                winograd_declare(
                    f, in[i],
                    winograd_read(f, NAME("mq%s + %d * m_point", minus_gap(f, i), r * POINTS + i)));
        }
        winograd_row_names(f, out, "t", f->tile, r);
        winograd_result_pixels(f, columns, in, out);
    }
    for (int column = 0; column < columns; column++) print_result_column(f, column, rows);
}

/* The loops over the tiles of a row, for each kind of tile: what `open` and `print` write. */
static void print_kinds(struct winograd_form *f, void (*open)(struct winograd_form *f, int rows),
                        void (*print)(struct winograd_form *f, int rows, int columns)) {
    const int kinds = kinds_of_tile(f);
    for (int i = 0; i < kinds; i++) {
        f->indent = "        ";
        open_rows(f, i);
        for (int j = 0; j < kinds; j++) {
            open_tiles(f, "0", "tiles", j);
            open(f, results_of(f, i));
            print(f, results_of(f, i), results_of(f, j));
            f->indent = "        ";
            text_put(f->text, "        }\n");
        }
        close_rows(f);
    }
}

static void open_result_tile(struct winograd_form *f, int rows) {
    (void)rows;
    const bool is_cut = kinds_of_tile(f) == 1;
    if (is_cut) text_add(f->text, "            const long valid = columns - %d * q;\n", f->tile);
    text_add(f->text,
             "            const long at = %d * q * %s;\n"
             "            const real *const mq = m + q * %s;\n",
             f->tile, step(f, "y_step"), step(f, "m_step"));
}

static void print_result(struct winograd_form *f) {
    struct text *text = f->text;
    ignore(f, "    (void)row;\n");
    f->indent = "        ";
    winograd_open_lanes(f);
    text_add(text,
             "        const %s zero = {0};\n"
             "        %s shift = zero;\n"
             "        if (bias) shift %s;\n",
             f->type, f->type, f->is_plain ? NAME("= %s", winograd_read(f, "bias")) : "+= *bias");
    declare_gap(f);
    print_kinds(f, open_result_tile, print_result_tile);
    text_put(text, "    }\n");
}

/* A tile that the border cuts is copied, with zeros: its transform has no conditions in between,
 * which would decide what a compiler fuses. */
static void print_cut_tile(struct winograd_form *f) {
    struct text *text = f->text;
    const int tile = f->tile;
    text_add(text, "            if (valid < %d) {\n", tile);
    f->indent = "                ";
    for (int i = 0; i < tile; i++) {
        for (int column = 0; column < tile; column++)
            winograd_store(f, NAME("cut + %d", (i * tile + column) * f->lanes),
                           column ? winograd_read(f, NAME("valid > %d ? c%d + %d * d%d : nothing",
                                                          column, i, column, i))
                                  : winograd_read(f, NAME("c%d", i)));
        text_add(text, "                c%d = cut + %d, d%d = %d;\n", i, i * tile * f->lanes, i,
                 f->lanes);
    }
    text_put(text, "            }\n");
}

static void print_gradient_tile(struct winograd_form *f, int rows, int columns) {
    const char *in[MOST_TILE], *out[POINTS];
    f->indent = "            ";
    for (int column = 0; column < columns; column++) {
        for (int i = 0; i < rows; i++) {
            in[i] = NAME("g%d_%d", i, column);
            winograd_declare(f, in[i], winograd_read(f, NAME("c%d + %d * d%d", i, column, i)));
        }
        winograd_column_names(f, out, "t", POINTS, column);
        winograd_gradient_points(f, rows, in, out);
    }
    for (int r = 0; r < POINTS; r++) {
        if (!winograd_has_point(f, rows, r)) continue;
        winograd_row_names(f, in, "t", f->tile, r);
        winograd_row_names(f, out, "v", POINTS, r);
        winograd_gradient_points(f, columns, in, out);
        for (int i = 0; i < POINTS; i++)
            if (winograd_has_point(f, columns, i))
                winograd_store(f, NAME("to%s + %d * v_point", minus_gap(f, i), r * POINTS + i),
                               out[i]);
    }
}

static void open_gradient_tile(struct winograd_form *f, int rows) {
    struct text *text = f->text;
    const bool is_cut = kinds_of_tile(f) == 1;
    const char *qualifier = is_cut ? "" : "const ";
    if (is_cut) text_add(text, "            const long valid = columns - %d * q;\n", f->tile);
    text_add(text,
             "            const long at = %d * q;\n"
             "            real *const to = v + q * %d;\n",
             f->tile, f->lanes);
    for (int i = 0; i < rows; i++)
        text_add(text,
                 "            const real *%sc%d = g%d + at * s%d;\n"
                 "            %slong d%d = s%d;\n",
                 qualifier, i, i, i, qualifier, i, i);
    if (is_cut) print_cut_tile(f);
}

static void print_gradient(struct winograd_form *f) {
    struct text *text = f->text;
    const int tile = f->tile;
    ignore(f, "    (void)row;\n");
    f->indent = "        ";
    winograd_open_lanes(f);
    row_pointers(f, 'g', tile, "rows > %d", "%d * g_row");
    declare_gap(f);
    if (kinds_of_tile(f) == 1) text_add(text, "        real cut[%d];\n", tile * tile * f->lanes);
    print_kinds(f, open_gradient_tile, print_gradient_tile);
    text_put(text, "    }\n");
}

/* ---- the functions ---- */

struct transform {
    const char *name, *parameters, *comment;
    void (*print)(struct winograd_form *f);
    bool needs_nothing, is_plain, has_last;
};
static const struct transform transforms[] = {
    {"winograd_image",
     "const real *x, real *v, long v_point, long tiles, long top, long left,\n"
     "        long height, long width, long rows, long columns, long row",
     "/* v[k] of each tile of a row: 6 x 6 pixels from row `top`, column `left` + 4 q, at 36 "
     "points.\n"
     " * Pixels outside the image are 0. */\n",
     print_image, true, false, true},
    {"winograd_result",
     "const real *m, long m_point, const real *bias, real *y, const real *mask,\n"
     "        long tiles, long rows, long columns, long y_row, long flags, long row",
     "/* y of each tile of a row: 4 x 4 pixels, as far as there are rows and columns, from the\n"
     " * products m[k] at 36 points; plus bias, relu, masked as the flags say. */\n",
     print_result, false, false, true},
    {"winograd_weights",
     "const real *w, real *u, long u_point, long channels, long w_channel,\n"
     "        long outs, long w_out, long w_row, long w_column",
     "/* u[k][channel][out] at 36 points for a tile of output channels. It writes whole vectors: "
     "some\n"
     " * numbers behind the end are overwritten. */\n",
     winograd_print_weights, false, false, true},
    {"winograd_gradient",
     "const real *g, real *v, long v_point, long tiles, long rows, long columns,\n"
     "        long g_row, long row",
     "/* v[k] of each tile of a row: the gradient of its 4 x 4 results at 36 points; rows and "
     "columns\n"
     " * that are not there count as 0. */\n",
     print_gradient, true, false, true},
    {"winograd_weight_gradient",
     "real *to, const real *sums, long tiles, long region",
     "/* to[tile][tap]: the gradients of a region of weights from their sums[point][tile] at 36 "
     "points. */\n",
     winograd_print_weight_gradient, false, false, false},
    {"winograd_weight_sums",
     "real *w, const real *from, long step, long parts, long part_step, long outs,\n"
     "        long ins, long w_out, long w_in, long w_row, long w_column",
     "/* The gradients of the weights of a tile of channels, the sums of their parts; from one tap "
     "to\n"
     " * the next it is step. */\n",
     winograd_print_weight_sums, false, false, false},
    {"winograd_plain_image",
     "const real *x, real *v, long v_point, long tiles, long top, long left,\n"
     "        long height, long width, long x_step, long v_step",
     "/* The same for some channels of a row-major image: pixels x_step apart, tiles v_step. */\n",
     print_image, true, true, false},
    {"winograd_plain_result",
     "const real *m, long m_point, const real *bias, real *y, const real *mask,\n"
     "        long tiles, long rows, long columns, long y_row, long flags, long m_step,\n"
     "        long y_step",
     "/* The same for some channels of a row-major image: tiles m_step apart, pixels y_step. */\n",
     print_result, false, true, false},
};
enum { TRANSFORMS = sizeof transforms / sizeof *transforms };

/* Each transform exists for 4 x 4 and 5 x 5 taps as well ("_5x5"), and some for last tiles of fewer
 * results ("_last2"): taps and results of the last tile, along an axis, that the name asks for. */
static const struct transform *find_transform(const char *name, int *taps, int *last) {
    for (int i = 0; i < TRANSFORMS; i++) {
        size_t length = strlen(transforms[i].name);
        if (strncmp(transforms[i].name, name, length)) continue;
        const char *rest = name + length;
        int used = 0;
        *taps = FEWEST_TAPS;
        if (sscanf(rest, "_%dx%*d%n", taps, &used) == 1) rest += used;
        *last = POINTS + 1 - *taps;
        if (!*rest || (transforms[i].has_last && sscanf(rest, "_last%d", last) == 1))
            return &transforms[i];
    }
    return NULL;
}

const char *winograd_transform_name(struct arena *arena, const char *transform, long taps,
                                    long last) {
    if (taps > FEWEST_TAPS) transform = arena_format(arena, "%s_%ldx%ld", transform, taps, taps);
    if (last == POINTS + 1 - taps) return arena_string(arena, transform);
    return arena_format(arena, "%s_last%ld", transform, last);
}

bool microkernel_print_winograd(struct text *text, const char *name, int lanes,
                                const char *qualifiers) {
    int taps, last;
    if (microkernel_print_winograd_products(text, name, lanes, qualifiers)) return true;
    const struct transform *transform = find_transform(name, &taps, &last);
    if (!transform) return false;
    if (taps > FEWEST_TAPS)
        text_add(text, "/* As for 3 x 3 taps, for %d x %d and tiles of %d x %d results: */\n", taps,
                 taps, POINTS + 1 - taps, POINTS + 1 - taps);
    if (last < POINTS + 1 - taps)
        text_add(text, "/* The last tile of rows and columns has %d results along them: */\n",
                 last);
    text_add(text, "%s%s%sLATHE_FUSED void %s(%s) {\n    LATHE_FUSE\n", transform->comment,
             qualifiers, *qualifiers ? " " : "", name, transform->parameters);
    if (transform->needs_nothing)
        text_add(text, "    static const real nothing[%d] = {0};\n", lanes);
    text_put(text, "#ifdef LATHE_VECTORS\n");
    struct winograd_form vectors = form_of(text, lanes, true, transform->is_plain, taps, last);
    struct winograd_form numbers = form_of(text, lanes, false, transform->is_plain, taps, last);
    transform->print(&vectors);
    text_put(text, "#else\n");
    transform->print(&numbers);
    text_put(text, "#endif\n}\n\n");
    return true;
}

bool microkernel_print_winograd_prototype(struct text *text, const char *name) {
    int taps, last;
    const struct transform *transform = find_transform(name, &taps, &last);
    if (!transform) return microkernel_print_winograd_products_prototype(text, name);
    text_add(text, "void %s(%s);\n", name, transform->parameters);
    return true;
}

void microkernel_each_winograd(const struct target *target,
                               void (*visit)(void *context, const char *name), void *context,
                               struct arena *arena) {
    for (int i = 0; i < TRANSFORMS; i++)
        for (int taps = FEWEST_TAPS; taps <= MOST_TAPS; taps++)
            for (int last = transforms[i].has_last ? 1 : POINTS + 1 - taps;
                 last <= POINTS + 1 - taps; last++)
                visit(context, winograd_transform_name(arena, transforms[i].name, taps, last));
    for (int outs = 1; outs <= target->gradient_out; outs++)
        for (int ins = 1; ins <= target->gradient_in; ins++)
            visit(context, arena_format(arena, "winograd_products_%dx%d", outs, ins));
}
