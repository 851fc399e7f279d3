/* weight_gradient.c: writes the driver of a convolution's weight gradient: each unit owns some
 * tiles of output x input channels and some taps; it sums over samples and pixels in vectors over
 * samples, and adds the lanes at the end. With joined columns (kernel.h) a tap is a row of the
 * kernel. */
#include "writer.h"

/* The positions of the output at which a tap stays inside the input. */
static void write_tap_range(struct writer *w, const struct weight_gradient_kernel *g, int axis,
                            const char *name) {
    struct text begin = {.arena = w->arena}, end = {.arena = w->arena};
    for (long k = 0; k < g->window.kernel_size[axis]; k++) {
        long low = g->out_size[axis], high = 0;
        for (long o = 0; o < g->out_size[axis]; o++) {
            long in = o * g->window.strides[axis] + k * g->window.dilation_rate[axis] -
                      g->window.pad[axis];
            if (in < 0 || in >= g->in_size[axis]) continue;
            if (o < low) low = o;
            high = o + 1;
        }
        if (high == 0) low = 0;
        text_add(&begin, "%s%ld", k ? ", " : "", low);
        text_add(&end, "%s%ld", k ? ", " : "", high);
    }
    write_line(w, "static const long %s_begin[] = {%s};", name, text_string(&begin));
    write_line(w, "static const long %s_end[] = {%s};", name, text_string(&end));
}

/* Channel tiles of two sizes: how many there are in all, and at most in a unit. */
struct tiles {
    const char *name, *tile; /* of channels, "outs"; of their tiles, "out" */
    struct split channels, tiles;
    bool is_joined; /* a tile is the joined columns of one channel */
};

static struct tiles tiles_of(const char *name, const char *tile, long channels, long size,
                             long at_once) {
    struct tiles t = {.name = name, .tile = tile, .channels = split_evenly(channels, size)};
    t.tiles = split_evenly(t.channels.big + t.channels.small, at_once);
    return t;
}

static long most_tiles(const struct tiles *t) {
    return t->tiles.size + (t->tiles.big > 0);
}

/* `begin` and `count` (each NULL: not needed) of part number `index` of a split. */
static void write_part(struct writer *w, const char *begin, const char *count, const char *index,
                       struct split split) {
    if (begin && split.big)
        write_line(w, "const long %s = %s * %ld + (%s < %ld ? %s : %ld);", begin, index, split.size,
                   index, split.big, index, split.big);
    else if (begin)
        write_line(w, "const long %s = %s * %ld;", begin, index, split.size);
    if (!count) return;
    if (split.big)
        write_line(w, "const long %s = %s < %ld ? %ld : %ld;", count, index, split.big,
                   split.size + 1, split.size);
    else
        write_line(w, "const long %s = %ld;", count, split.size);
}

/* A loop over the unit's tiles; in it, the first channel of one, and how many they are. */
static void open_tiles(struct writer *w, const struct tiles *t, bool needs_count) {
    write_open(w, "for (long %s = %s_tile; %s < %s_tile + %s_tiles; %s++)", t->tile, t->tile,
               t->tile, t->tile, t->tile, t->tile);
    write_part(w, t->is_joined ? NULL : arena_format(w->arena, "%s_begin", t->name),
               needs_count ? t->name : NULL, t->tile, t->channels);
}

/* In pixels: the next input channel, or joined column. */
static long next_input(const struct weight_gradient_kernel *g) {
    return g->joins_columns ? g->window.dilation_rate[1] : g->in_size[0] * g->in_size[1];
}

static long sums_of_tap(const struct weight_gradient_kernel *g) {
    return (long)g->tile_out * g->tile_in;
}

/* Distances between the blocks of samples. */
static long image_block(const struct writer *w, const struct weight_gradient_kernel *g) {
    return w->plan->views[g->image->number]->stride[0];
}

static long gradient_block(const struct writer *w, const struct weight_gradient_kernel *g) {
    return w->plan->views[g->gradient->number]->stride[0];
}

/* Of a unit: "blocks", or their number. */
static const char *block_count(const struct writer *w, const struct weight_gradient_kernel *g) {
    return g->block_parts > 1 ? "blocks"
                              : arena_format(w->arena, "%ld", w->plan->rows / w->plan->lanes);
}

static void write_call(struct writer *w, const struct weight_gradient_kernel *g, long out, long in,
                       bool is_only) {
    long lanes = w->plan->lanes;
    const char *name = use_tile(w, MICROKERNEL_GRADIENT, (int)out, (int)in, (int)lanes);
    if (!is_only) write_open(w, "if (outs == %ld && ins == %ld)", out, in);
    write_line(w, "%s(xt, gt, tile_sums + tap * %ld, %s, columns,", name, sums_of_tap(g) * lanes,
               g->across_blocks ? block_count(w, g) : "rows");
    write_line(w, "    %ld, %ld, %ld, %ld, %ld, %ld);",
               g->across_blocks ? image_block(w, g) : g->window.strides[0] * g->in_size[1] * lanes,
               g->window.strides[1] * lanes, next_input(g) * lanes,
               g->across_blocks ? gradient_block(w, g) : g->out_size[1] * lanes, lanes,
               g->out_size[0] * g->out_size[1] * lanes);
    if (!is_only) write_close(w);
}

/* All tiles are of one size. */
static bool is_even(struct split outs, struct split ins) {
    return !(outs.big && outs.small) && !(ins.big && ins.small);
}

static void write_calls(struct writer *w, const struct weight_gradient_kernel *g, struct split outs,
                        struct split ins) {
    bool is_only = is_even(outs, ins);
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++)
            if ((i ? outs.small : outs.big) && (j ? ins.small : ins.big))
                write_call(w, g, outs.size + !i, ins.size + !j, is_only);
}

/* Is a tap of a kernel row at an output column that not all of the row reach? */
static bool is_border(const struct weight_gradient_kernel *g, long k, long column) {
    long in = column * g->window.strides[1] + k * g->window.dilation_rate[1] - g->window.pad[1];
    return in >= 0 && in < g->in_size[1] && (column < g->full_begin || column >= g->full_end);
}

static int border_count(const struct weight_gradient_kernel *g) {
    int count = 0;
    if (g->border) return 0;
    for (long k = 0; g->joins_columns && k < g->window.kernel_size[1]; k++)
        for (long column = 0; column < g->out_size[1]; column++) count += is_border(g, k, column);
    return count;
}

static long sums_of_tile(const struct weight_gradient_kernel *g) {
    return g->taps_at_once * sums_of_tap(g);
}

/* Of all tiles of a unit. */
static long sums_of_unit(const struct weight_gradient_kernel *g, const struct tiles *outs,
                         const struct tiles *ins) {
    return most_tiles(outs) * most_tiles(ins) * sums_of_tile(g);
}

/* Where the sums of the tile (out, in) are; those of its border follow behind all of them. */
static void write_tile_sums(struct writer *w, const struct weight_gradient_kernel *g,
                            const struct tiles *outs, const struct tiles *ins) {
    long lanes = w->plan->lanes;
    write_line(w, "real *const tile_sums = sums + ((out - out_tile) * %ld + in - in_tile) * %ld;",
               most_tiles(ins), sums_of_tile(g) * lanes);
    if (border_count(g))
        write_line(w, "real *const border_sums = tile_sums + %ld;",
                   sums_of_unit(g, outs, ins) * lanes);
}

/* The rows of a piece at which the tap's kernel row stays inside the input. */
static void write_row_range(struct writer *w, const struct weight_gradient_kernel *g) {
    write_line(w, "const long row = row_begin[ky] > top ? row_begin[ky] : top;");
    write_line(w, "const long bottom = row_end[ky] < top + %ld ? row_end[ky] : top + %ld;",
               g->rows_at_once, g->rows_at_once);
}

/* ---- joined columns ---- */

static void write_border_list(struct writer *w, const struct weight_gradient_kernel *g) {
    struct text list = {.arena = w->arena};
    for (long k = 0; k < g->window.kernel_size[1]; k++)
        for (long column = 0; column < g->out_size[1]; column++)
            if (is_border(g, k, column))
                text_add(&list, "%s{%ld, %ld}", list.length ? ", " : "", k, column);
    write_line(w, "static const long border[][2] = {%s};", text_string(&list));
}

static void write_border_call(struct writer *w, const struct weight_gradient_kernel *g, long out,
                              bool is_only) {
    long lanes = w->plan->lanes;
    const char *name = use_tile(w, MICROKERNEL_GRADIENT, (int)out, 1, (int)lanes);
    if (!is_only) write_open(w, "if (outs == %ld)", out);
    write_line(w, "%s(xt + border[i][0] * %ld + (border[i][1] - %ld) * %ld,", name,
               g->window.dilation_rate[1] * lanes, g->full_begin, g->window.strides[1] * lanes);
    write_line(w, "    gt + (border[i][1] - %ld) * %ld, border_sums + tap * %ld +", g->full_begin,
               lanes, sums_of_tap(g) * lanes);
    write_line(w, "    border[i][0] * %ld, 1, rows, 0, %ld, 0, 0, %ld, %ld);",
               (long)g->tile_out * lanes, g->window.strides[0] * g->in_size[1] * lanes,
               g->out_size[1] * lanes, g->out_size[0] * g->out_size[1] * lanes);
    if (!is_only) write_close(w);
}

/* Column by column, each as a row of the tile. */
static void write_border(struct writer *w, const struct weight_gradient_kernel *g,
                         struct split outs) {
    if (!border_count(g)) return;
    write_border_list(w, g);
    write_open(w, "for (long i = 0; i < %d; i++)", border_count(g));
    for (int i = 0; i < 2; i++)
        if (i ? outs.small : outs.big)
            write_border_call(w, g, outs.size + !i, !(outs.big && outs.small));
    write_close(w);
}

/* Adds the sums of the border, which are by tap and output channel, to those of the tile. */
static void write_border_sums(struct writer *w, const struct weight_gradient_kernel *g) {
    long lanes = w->plan->lanes;
    write_open(w, "for (long o = 0; o < outs; o++)");
    write_open(w, "for (long k = 0; k < %d; k++)", g->tile_in);
    write_line(w, "real *const sum = tile_sums + (tap * %ld + o * %d + k) * %ld;", sums_of_tap(g),
               g->tile_in, lanes);
    write_line(w, "const real *const more = border_sums + (tap * %ld + k * %d + o) * %ld;",
               sums_of_tap(g), g->tile_out, lanes);
    write_line(w, "for (long n = 0; n < %ld; n++) sum[n] += more[n];", lanes);
    write_close(w);
    write_close(w);
}

static void write_row_call(struct writer *w, const struct weight_gradient_kernel *g,
                           bool is_kernel) {
    long lanes = w->plan->lanes, taps = g->window.kernel_size[1];
    const char *name =
        use_tile(w, MICROKERNEL_GRADIENT_ROW, is_kernel ? (int)taps : 1, (int)taps, (int)lanes);
    const char *sums = "tile_sums";
    if (!is_kernel) sums = arena_format(w->arena, "tile_sums + tap * %ld", sums_of_tap(g) * lanes);
    write_line(w, "%s(xt, gt, %s, rows, columns,", name, sums);
    write_line(w, "    %ld, %ld, %ld, %ld, %ld);", g->window.strides[0] * g->in_size[1] * lanes,
               g->window.strides[1] * lanes, g->out_size[1] * lanes, lanes, g->border);
}

/* Of a kernel row: what it reads for the rows of pixels from `row` to `bottom`. */
static void write_row_pointers(struct writer *w, const struct weight_gradient_kernel *g,
                               const char *ky, long first) {
    long lanes = w->plan->lanes;
    write_line(w, "const long rows = bottom - row;");
    write_line(w, "if (rows <= 0) continue;");
    write_line(w, "const real *const xt = xb + ((row * %ld + %s * %ld - %ld) * %ld + %ld) * %ld;",
               g->window.strides[0], ky, g->window.dilation_rate[0], g->window.pad[0],
               g->in_size[1], g->full_begin * g->window.strides[1] - g->window.pad[1], lanes);
    write_line(w, "const real *const gt = gb + (row * %ld + %ld) * %ld;", g->out_size[1], first,
               lanes);
}

/* The rows that all of the kernel reaches, at once. */
static void write_whole_kernel(struct writer *w, const struct weight_gradient_kernel *g,
                               long first) {
    write_open(w, "do");
    write_line(w, "const long row = row_begin[0] > top ? row_begin[0] : top;");
    write_line(w, "const long bottom = row_end[%ld] < top + %ld ? row_end[%ld] : top + %ld;",
               g->window.kernel_size[0] - 1, g->rows_at_once, g->window.kernel_size[0] - 1,
               g->rows_at_once);
    write_row_pointers(w, g, "0", first);
    write_row_call(w, g, true);
    w->depth--;
    write_line(w, "} while (0);");
}

/* The rows above and below, a kernel row at a time. */
static void write_edges(struct writer *w, const struct weight_gradient_kernel *g, long first) {
    long last = g->window.kernel_size[0] - 1;
    write_open(w, "for (long tap = 0; tap <= %ld; tap++)", last);
    write_open(w, "for (long below = 0; below < 2; below++)");
    write_line(w, "const long edge = below ? row_end[%ld] : row_begin[tap];", last);
    write_line(w, "const long edge_end = below ? row_end[tap] : row_begin[0];");
    write_line(w, "const long row = edge > top ? edge : top;");
    write_line(w, "const long bottom = edge_end < top + %ld ? edge_end : top + %ld;",
               g->rows_at_once, g->rows_at_once);
    write_row_pointers(w, g, "tap", first);
    write_row_call(w, g, false);
    write_close(w);
    write_close(w);
}

/* The rows of the kernel of a tile over some rows of pixels. */
static void write_joined_taps(struct writer *w, const struct weight_gradient_kernel *g,
                              const struct tiles *outs, const struct tiles *ins) {
    long first = g->border ? 0 : g->full_begin, end = g->border ? g->out_size[1] : g->full_end;
    write_line(w, "const long columns = %ld;", end - first);
    if (g->takes_kernel) {
        write_whole_kernel(w, g, first);
        if (g->window.pad[0]) write_edges(w, g, first);
        return;
    }
    write_open(w, "for (long tap = 0; tap < taps; tap++)");
    write_line(w, "const long ky = tap_begin + tap;");
    write_row_range(w, g);
    write_row_pointers(w, g, "ky", first);
    if (g->by_rows)
        write_row_call(w, g, false);
    else
        write_calls(w, g, outs->channels, ins->channels);
    write_border(w, g, outs->channels);
    write_close(w);
}

/* ---- the loops ---- */

/* The taps of a tile over some rows of pixels. */
static void write_taps(struct writer *w, const struct weight_gradient_kernel *g,
                       const struct tiles *outs, const struct tiles *ins) {
    long lanes = w->plan->lanes;
    write_open(w, "for (long tap = 0; tap < taps; tap++)");
    write_line(w, "const long ky = (tap_begin + tap) / %ld, kx = (tap_begin + tap) %% %ld;",
               g->window.kernel_size[1], g->window.kernel_size[1]);
    if (!g->across_blocks) {
        write_row_range(w, g);
        write_line(w, "const long rows = bottom - row;");
        write_line(w, "if (rows <= 0) continue;");
    }
    write_line(w, "const long column = column_begin[kx], columns = column_end[kx] - column;");
    write_line(w, "if (columns <= 0) continue;");
    if (g->across_blocks) write_open(w, "for (long row = row_begin[ky]; row < row_end[ky]; row++)");
    write_line(w,
               "const real *const xt = xb + ((row * %ld + ky * %ld - %ld) * %ld + column * %ld + "
               "kx * %ld - %ld) * %ld;",
               g->window.strides[0], g->window.dilation_rate[0], g->window.pad[0], g->in_size[1],
               g->window.strides[1], g->window.dilation_rate[1], g->window.pad[1], lanes);
    write_line(w, "const real *const gt = gb + (row * %ld + column) * %ld;", g->out_size[1], lanes);
    write_calls(w, g, outs->channels, ins->channels);
    if (g->across_blocks) write_close(w);
    write_close(w);
}

/* Asks for the rows that the next piece reads and this one does not. A pair of tiles asks for a
 * part of the channels of each. */
static void write_prefetches(struct writer *w, const struct weight_gradient_kernel *g,
                             const struct tiles *outs, const struct tiles *ins, bool needs_count) {
    long lanes = w->plan->lanes, rows = g->rows_at_once, stride = g->window.strides[0];
    long g_row = g->out_size[1] * lanes, x_row = g->in_size[1] * lanes;
    long reach = (g->window.kernel_size[0] - 1) * g->window.dilation_rate[0] - g->window.pad[0];
    const char *out_count = needs_count ? "outs" : arena_format(w->arena, "%d", g->tile_out);
    const char *in_count = g->joins_columns ? "1"
                           : needs_count    ? "ins"
                                            : arena_format(w->arena, "%d", g->tile_in);
    if (!g->prefetches) return;
    const char *name = use_symbol(w, "prefetch_planes");
    write_line(w, "%s(gb + (top + %ld) * %ld, in - in_tile, %s, %ld, %ld, 1, 0, %ld);", name, rows,
               g_row, out_count, most_tiles(ins), g->out_size[0] * g_row, rows * g_row);
    write_line(w,
               "%s(xb + ((top + %ld) * %ld + %ld) * %ld, out - out_tile, %s, %ld, %ld, 1, 0, %ld);",
               name, rows - 1, stride, reach + 1, x_row, in_count, most_tiles(outs),
               g->in_size[0] * x_row, rows * stride * x_row);
}

/* Blocks of samples, and pieces of their rows: a tile goes over all before the next one does, or
 * over each. */
static void open_pieces(struct writer *w, const struct weight_gradient_kernel *g) {
    const char *first = g->block_parts > 1 ? "first_block" : "0";
    if (g->across_blocks) {
        write_line(w, "const long block = %s;", first);
        return;
    }
    write_open(w, "for (long block = %s; block < %s%s; block++)", first,
               g->block_parts > 1 ? "first_block + " : "", block_count(w, g));
    write_open(w, "for (long top = 0; top < %ld; top += %ld)", g->out_size[0], g->rows_at_once);
}

/* All samples and pixels, in pieces whose rows stay in the L1 cache. */
static void write_sums(struct writer *w, const struct weight_gradient_kernel *g,
                       const struct tiles *outs, const struct tiles *ins) {
    long lanes = w->plan->lanes;
    bool needs_count = !is_even(outs->channels, ins->channels);
    open_pieces(w, g);
    open_tiles(w, outs, needs_count);
    write_line(w, "const real *const gb = g + block * %ld + (group * %ld + outs_begin) * %ld;",
               gradient_block(w, g), g->out_channels, g->out_size[0] * g->out_size[1] * lanes);
    open_tiles(w, ins, needs_count);
    long plane = g->in_size[0] * g->in_size[1];
    write_line(w, "const real *const xb = x + block * %ld + group * %ld + %s * %ld;",
               image_block(w, g), g->in_channels * plane * lanes,
               g->joins_columns ? "in" : "ins_begin", plane * lanes);
    write_tile_sums(w, g, outs, ins);
    write_prefetches(w, g, outs, ins, needs_count);
    (g->joins_columns ? write_joined_taps : write_taps)(w, g, outs, ins);
    for (int i = 0; i < (g->across_blocks ? 2 : 4); i++) write_close(w);
}

static void write_results(struct writer *w, const struct weight_gradient_kernel *g,
                          const struct tiles *outs, const struct tiles *ins, long weights) {
    long lanes = w->plan->lanes;
    const char *part =
        g->block_parts > 1 ? arena_format(w->arena, "block_part * %ld + ", weights) : "";
    if (g->takes_kernel) { /* a row of the kernel in the place of an output channel */
        write_line(w, "%s(dw + %sgroup * %ld, sums, %ld, %d, %ld, %ld);",
                   use_symbol(w, "gradient_store"), part, g->w_group, g->window.kernel_size[0],
                   g->tile_in, g->w_tap[0], g->w_tap[1]);
        return;
    }
    open_tiles(w, outs, true);
    open_tiles(w, ins, true);
    write_tile_sums(w, g, outs, ins);
    write_open(w, "for (long tap = 0; tap < taps; tap++)");
    write_line(w, "real *const to = dw + %sgroup * %ld + outs_begin * %ld +", part, g->w_group,
               g->w_out);
    if (g->joins_columns)
        write_line(w, "    in * %ld + (tap_begin + tap) * %ld;", g->w_in, g->w_tap[0]);
    else
        write_line(w,
                   "    ins_begin * %ld + (tap_begin + tap) / %ld * %ld + (tap_begin + tap) %% %ld "
                   "* %ld;",
                   g->w_in, g->window.kernel_size[1], g->w_tap[0], g->window.kernel_size[1],
                   g->w_tap[1]);
    if (border_count(g)) write_border_sums(w, g);
    write_line(w, "%s(to, tile_sums + tap * %ld, outs, ins, %ld, %ld);",
               use_symbol(w, "gradient_store"), sums_of_tap(g) * lanes, g->w_out,
               g->joins_columns ? g->w_tap[1] : g->w_in);
    for (int i = 0; i < 3; i++) write_close(w);
}

/* The number of a unit is that of its part of the sample blocks, group, output tiles, input tiles
 * and taps. */
static void write_unit(struct writer *w, const struct weight_gradient_kernel *g,
                       const struct tiles *outs, const struct tiles *ins, struct split taps) {
    long tap_parts = taps.big + taps.small, in_parts = ins->tiles.big + ins->tiles.small;
    long out_parts = outs->tiles.big + outs->tiles.small;
    write_line(w, "const long part = unit %% %ld, in_part = unit / %ld %% %ld;", tap_parts,
               tap_parts, in_parts);
    long of_group = tap_parts * in_parts * out_parts;
    write_line(w, "const long out_part = unit / %ld %% %ld, group = unit / %ld%s;",
               tap_parts * in_parts, out_parts, of_group,
               g->block_parts > 1 ? arena_format(w->arena, " %% %ld", g->groups) : "");
    if (g->block_parts > 1) {
        long blocks = w->plan->rows / w->plan->lanes;
        struct split split = {blocks / g->block_parts, blocks % g->block_parts, 0};
        write_line(w, "const long block_part = unit / %ld;", of_group * g->groups);
        write_part(w, "first_block", "blocks", "block_part", split);
    }
    write_part(w, "out_tile", "out_tiles", "out_part", outs->tiles);
    write_part(w, "in_tile", "in_tiles", "in_part", ins->tiles);
    if (g->takes_kernel)
        write_line(w, "(void)part;");
    else
        write_part(w, "tap_begin", "taps", "part", taps);
}

void write_weight_gradient(struct writer *w, struct kernel *kernel) {
    const struct weight_gradient_kernel *g = &kernel->weight_gradient;
    const struct program_plan *plan = w->plan;
    struct tiles outs = tiles_of("outs", "out", g->out_channels, g->tile_out, g->tiles_out);
    struct tiles ins = tiles_of("ins", "in", g->ins, g->tile_in, g->tiles_in);
    ins.is_joined = g->joins_columns;
    long size = sums_of_unit(g, &outs, &ins) * plan->lanes * (border_count(g) ? 2 : 1);
    write_kernel_open(w, kernel);
    write_tap_range(w, g, 0, "row");
    if (!g->joins_columns) write_tap_range(w, g, 1, "column");
    write_pointer(w, "x", plan->views[g->image->number], true);
    write_pointer(w, "g", plan->views[g->gradient->number], true);
    write_pointer(w, "dw", kernel->out, false);
    write_line(w, "real space[%ld];", size + 16);
    write_line(w, "real *const sums = space + (16 - (size_t)space / sizeof(real) %% 16) %% 16;");
    write_open(w, "for (long unit = begin; unit < end; unit++)");
    write_unit(w, g, &outs, &ins, split_evenly(weight_gradient_taps(g), g->taps_at_once));
    write_line(w, "memset(space, 0, sizeof space);"); /* all of it: GCC follows that */
    write_sums(w, g, &outs, &ins);
    write_results(w, g, &outs, &ins, shape_elements(&kernel->tensor->shape));
    write_close(w);
    write_close(w);
}
