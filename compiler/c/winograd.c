/* winograd.c: writes the drivers of convolutions and weight gradients by Winograd's algorithm: a
 * chunk of tiles goes to points, then the products at each point, then to results. For libtcc it
 * writes the numbers of a convolution's loops only (kernel/driver.h). */
#include "../kernel/winograd.h"
#include "writer.h"

/* unit u's sample blocks: from u * blocks / units */
static void open_blocks(struct writer *w, const struct kernel *kernel) {
    long blocks = w->plan->rows / w->plan->lanes;
    write_open(w, "for (long unit = begin; unit < end; unit++)");
    write_line(w, "const long block_end = (unit + 1) * %ld / %ld;", blocks, kernel->units);
    write_line(w, "long block = unit * %ld / %ld;", blocks, kernel->units);
}

/* The transform for the taps, where the last tiles have so many results. */
static const char *use_transform(struct writer *w, const char *transform, const struct winograd *g,
                                 long last) {
    long taps = WINOGRAD_EDGE + 1 - g->tile;
    return use_symbol(w, winograd_transform_name(w->arena, transform, taps, last));
}

const char *use_winograd(struct writer *w, const char *transform, const struct winograd *g) {
    return use_transform(w, transform, g, g->last);
}

/* Of weights, which have all points; those of images of one tile may have as few as that. */
static const char *use_weights(struct writer *w, const struct winograd *g) {
    bool is_one_tile = g->tiles[0] == 1 && g->tiles[1] == 1;
    return use_transform(w, "winograd_weights", g, is_one_tile ? g->last : g->tile);
}

/* "4 - (column + 4 == 8 && k % 6 >= 3 && k % 6 < 5)": the rows, or columns, of a chunk's tiles that
 * have point k. `start`: the chunk's first, or NULL: it has them all. */
static const char *tiles_with_point(struct writer *w, const struct winograd *g, int axis,
                                    const char *start, const char *count) {
    const char *point = axis ? "k % 6" : "k / 6", *has_last = "";
    if (g->last == g->tile) return count;
    if (start)
        has_last = arena_format(w->arena, "%s + %s == %ld && ", start, count, g->tiles[axis]);
    return arena_format(w->arena, "%s - (%s%s >= %ld && %s < %d)", count, has_last, point,
                        winograd_first_missing(g), point, WINOGRAD_EDGE - 1);
}

/* How many tiles of a chunk may have a point: different numbers above 0. */
static int tile_counts(const struct winograd *g, long counts[4]) {
    int count = 0;
    for (int rows = 0; rows <= (g->last < g->tile); rows++)
        for (int columns = 0; columns <= (g->last < g->tile); columns++) {
            long tiles = (g->chunk[0] - rows) * (g->chunk[1] - columns);
            bool is_new = tiles > 0;
            for (int i = 0; i < count; i++) is_new = is_new && counts[i] != tiles;
            if (is_new) counts[count++] = tiles;
        }
    return count;
}

/* ---- the products at one point ---- */

static void write_product(struct writer *w, const struct kernel *kernel, long outs, long pixels) {
    const struct convolution_kernel *c = &kernel->convolution;
    long tile = c->winograd->chunk[0] * c->winograd->chunk[1] * w->plan->lanes;
    const char *name = use_tile(w, MICROKERNEL_POINT, (int)outs, (int)pixels, w->plan->lanes);
    write_line(w, "%s(vk + first * %ld + q * %d, uk + o * %ld + first * %ld,", name, tile,
               w->plan->lanes, c->winograd->padded_in, outs);
    write_line(w, "    mk + o * %ld + q * %d, channels, %ld, %ld, first == 0);", tile,
               w->plan->lanes, tile, tile);
}

static void write_channel_tiles(struct writer *w, const struct kernel *kernel, long pixels) {
    const struct convolution_kernel *c = &kernel->convolution;
    struct split outs = split_evenly(c->out_channels, c->tile_channels);
    long big = outs.big * (outs.size + 1);
    if (outs.big) {
        write_open(w, "for (long o = 0; o < %ld; o += %ld)", big, outs.size + 1);
        write_product(w, kernel, outs.size + 1, pixels);
        write_close(w);
    }
    if (outs.small) {
        write_open(w, "for (long o = %ld; o < %ld; o += %ld)", big, c->out_channels, outs.size);
        write_product(w, kernel, outs.size, pixels);
        write_close(w);
    }
}

static void write_pixel_tiles(struct writer *w, const struct kernel *kernel, long tiles) {
    const struct convolution_kernel *c = &kernel->convolution;
    struct split pixels = split_evenly(tiles, c->tile_pixels);
    long big = pixels.big * (pixels.size + 1);
    if (pixels.big) {
        write_open(w, "for (long q = 0; q < %ld; q += %ld)", big, pixels.size + 1);
        write_channel_tiles(w, kernel, pixels.size + 1);
        write_close(w);
    }
    if (pixels.small) {
        write_open(w, "for (long q = %ld; q < %ld; q += %ld)", big, tiles, pixels.size);
        write_channel_tiles(w, kernel, pixels.size);
        write_close(w);
    }
}

/* For each number of tiles that have the point. */
static void write_tile_counts(struct writer *w, const struct kernel *kernel) {
    const struct winograd *g = kernel->convolution.winograd;
    long counts[4];
    int count = tile_counts(g, counts);
    for (int i = 0; i < count; i++) {
        if (g->last < g->tile) write_open(w, "if (tiles == %ld)", counts[i]);
        write_pixel_tiles(w, kernel, counts[i]);
        if (g->last < g->tile) write_close(w);
    }
}

static void write_tiles(struct writer *w, const struct winograd *g) {
    if (g->last == g->tile) return;
    const char *rows = arena_format(w->arena, "%ld", g->chunk[0]);
    const char *columns = arena_format(w->arena, "%ld", g->chunk[1]);
    write_line(w, "const long tiles = (%s)", tiles_with_point(w, g, 0, "row", rows));
    write_line(w, "    * (%s);", tiles_with_point(w, g, 1, "column", columns));
}

static void write_products(struct writer *w, const struct kernel *kernel) {
    const struct convolution_kernel *c = &kernel->convolution;
    struct split blocks = split_evenly(c->in_channels, c->channel_block);
    long count = blocks.big + blocks.small;
    write_open(w, "for (long k = 0; k < %d; k++)", WINOGRAD_POINTS);
    write_line(w, "const real *const vk = v + k * %ld, *const uk = u + k * %ld;",
               c->winograd->image_point, c->winograd->weights_point);
    write_line(w, "real *const mk = m + k * %ld;", c->winograd->result_point);
    write_tiles(w, c->winograd);
    if (count > 1) {
        write_open(w, "for (long part = 0; part < %ld; part++)", count);
        write_line(w, "const long first = part * %ld + (part < %ld ? part : %ld);", blocks.size,
                   blocks.big, blocks.big);
        write_line(w, "const long channels = part < %ld ? %ld : %ld;", blocks.big, blocks.size + 1,
                   blocks.size);
    } else {
        write_line(w, "const long first = 0, channels = %ld;", c->in_channels);
    }
    write_tile_counts(w, kernel);
    if (count > 1) write_close(w);
    write_close(w);
}

/* Asks for the rows that the transform of the next channel reads and that of the tiles above it did
 * not: `rows` from `first` on, of whole tiles. */
static void write_rows_ahead(struct writer *w, const char *first, const char *channel, long plane,
                             long rows, long row, long tiles) {
    write_line(w, "%s(%s, %s + 1, %s + 2, 1, %ld, %ld, %ld, %ld);",
               use_symbol(w, "prefetch_planes"), first, channel, channel, plane, rows, row,
               tiles * rows * w->plan->lanes);
}

/* ---- convolution ---- */

static void write_image(struct writer *w, const struct kernel *kernel) {
    const struct convolution_kernel *c = &kernel->convolution;
    const struct winograd *g = c->winograd;
    long lanes = w->plan->lanes, tiles = g->chunk[0] * g->chunk[1];
    long plane = c->in_size[0] * c->in_size[1] * lanes;
    write_open(w, "for (long i = 0; i < %ld; i++)", c->in_channels);
    write_open(w, "for (long r = 0; r < %ld; r++)", g->chunk[0]);
    if (c->prefetches)
        write_rows_ahead(
            w,
            arena_format(w->arena,
                         "x + block * %ld + (((row + r) * %ld + %ld) * %ld + column * %ld) * %ld",
                         w->plan->views[c->image->number]->stride[0], g->tile,
                         c->kernel_size[0] - 1 - g->pad[0], c->in_size[1], g->tile, lanes),
            "i", plane, g->tile, c->in_size[1] * lanes, g->chunk[1]);
    write_line(w, "%s(x + block * %ld + i * %ld, v + (i * %ld + r * %ld) * %ld, %ld, %ld,",
               use_winograd(w, "winograd_image", g), w->plan->views[c->image->number]->stride[0],
               plane, tiles, g->chunk[1], lanes, g->image_point, g->chunk[1]);
    write_line(w, "    (row + r) * %ld - %ld, column * %ld - %ld, %ld, %ld,", g->tile, g->pad[0],
               g->tile, g->pad[1], c->in_size[0], c->in_size[1]);
    write_line(w, "    %ld - (row + r) * %ld, %ld - column * %ld, r);", c->out_size[0], g->tile,
               c->out_size[1], g->tile);
    write_close(w);
    write_close(w);
}

static void write_result(struct writer *w, const struct kernel *kernel) {
    const struct convolution_kernel *c = &kernel->convolution;
    const struct winograd *g = c->winograd;
    long lanes = w->plan->lanes, tiles = g->chunk[0] * g->chunk[1];
    const char *mask = "0";
    if (c->epilogue.mask)
        mask = arena_format(w->arena, "mask + block * %ld + at",
                            w->plan->views[c->epilogue.mask->number]->stride[0]);
    write_open(w, "for (long o = 0; o < %ld; o++)", c->out_channels);
    write_open(w, "for (long r = 0; r < %ld; r++)", g->chunk[0]);
    write_line(w, "const long at = ((o * %ld + (row + r) * %ld) * %ld + column * %ld) * %ld;",
               c->out_size[0], g->tile, c->out_size[1], g->tile, lanes);
    write_line(w, "%s(m + (o * %ld + r * %ld) * %ld, %ld, %s, y + block * %ld + at, %s, %ld,",
               use_winograd(w, "winograd_result", g), tiles, g->chunk[1], lanes, g->result_point,
               c->epilogue.bias ? "bias + o" : "0", kernel->out->stride[0], mask, g->chunk[1]);
    write_line(w, "    %ld - (row + r) * %ld, %ld - column * %ld, %ld, %d, r);", c->out_size[0],
               g->tile, c->out_size[1], g->tile, c->out_size[1] * lanes, epilogue_flags(c));
    write_close(w);
    write_close(w);
}

/* For libtcc: the numbers of the loops. */
static void write_drive(struct writer *w, const struct kernel *kernel) {
    const struct convolution_kernel *c = &kernel->convolution;
    const struct epilogue *e = &c->epilogue;
    const struct winograd *g = c->winograd;
    struct view *const *views = w->plan->views;
    bool *is_used = ARENA_ARRAY(w->arena, bool, c->tile_pixels + 1);
    long counts[4];
    for (int i = tile_counts(g, counts) - 1; i >= 0; i--) {
        struct split pixels = split_evenly(counts[i], c->tile_pixels);
        if (pixels.big) is_used[pixels.size + 1] = true;
        if (pixels.small) is_used[pixels.size] = true;
    }
    write_tile_table(w, c, MICROKERNEL_POINT, is_used);
    write_line(
        w,
        "static const struct winograd_driver c={%d,%ld,%ld,%ld,%ld,%ld,%ld,{%ld,%ld},{%ld,%ld},%d,"
        "%d,%ld,%d,%d,",
        w->plan->lanes, w->plan->rows / w->plan->lanes, kernel->units, g->tile,
        winograd_first_missing(g), c->in_channels, c->out_channels, c->in_size[0], c->in_size[1],
        c->out_size[0], c->out_size[1], c->tile_channels, c->tile_pixels, c->channel_block,
        epilogue_flags(c), c->prefetches);
    write_line(w, "{%ld,%ld},{%ld,%ld},{%ld,%ld},%ld,%ld,%ld,%ld,%ld,%ld,%ld,tiles,%s,%s};",
               g->pad[0], g->pad[1], g->tiles[0], g->tiles[1], g->chunk[0], g->chunk[1],
               g->image_point, g->result_point, g->padded_in, g->weights_point,
               views[c->image->number]->stride[0], kernel->out->stride[0],
               e->mask ? views[e->mask->number]->stride[0] : 0,
               use_winograd(w, "winograd_image", g), use_winograd(w, "winograd_result", g));
    write_scratch(w, "v", g->scratch);
    write_line(w, "%s(&c,%s,%s,%s,%s,%s,v,begin,end);", use_symbol(w, "winograd_drive"),
               view_address(w, views[c->image->number]), view_address(w, c->packed),
               e->bias ? view_address(w, views[e->bias->number]) : "0",
               view_address(w, kernel->out),
               e->mask ? view_address(w, views[e->mask->number]) : "0");
}

void write_winograd(struct writer *w, struct kernel *kernel) {
    const struct convolution_kernel *c = &kernel->convolution;
    const struct winograd *g = c->winograd;
    const struct program_plan *plan = w->plan;
    write_kernel_open(w, kernel);
    if (w->dialect == DIALECT_TCC) {
        write_drive(w, kernel);
        write_close(w);
        return;
    }
    write_pointer(w, "x", plan->views[c->image->number], true);
    write_pointer(w, "y", kernel->out, false);
    write_pointer(w, "u", c->packed, true);
    if (c->epilogue.bias) write_pointer(w, "bias", plan->views[c->epilogue.bias->number], true);
    if (c->epilogue.mask) write_pointer(w, "mask", plan->views[c->epilogue.mask->number], true);
    write_scratch(w, "v", g->scratch);
    write_line(w, "real *const m = v + %ld;", WINOGRAD_POINTS * g->image_point);
    open_blocks(w, kernel);
    write_open(w, "for (; block < block_end; block++)");
    write_open(w, "for (long row = 0; row < %ld; row += %ld)", g->tiles[0], g->chunk[0]);
    write_open(w, "for (long column = 0; column < %ld; column += %ld)", g->tiles[1], g->chunk[1]);
    write_image(w, kernel);
    write_products(w, kernel);
    write_result(w, kernel);
    for (int i = 0; i < 5; i++) write_close(w);
}

/* Backward-data sums over the taps in the opposite order. */
void write_winograd_weights(struct writer *w, struct kernel *kernel) {
    const struct convolution_kernel *c = &kernel->owner->convolution;
    const struct winograd *g = c->winograd;
    struct split outs = split_evenly(c->out_channels, c->tile_channels);
    long sign = c->is_backward ? -1 : 1;
    long start = c->is_backward ? (c->kernel_size[0] - 1) * (c->w_tap[0] + c->w_tap[1]) : 0;
    write_kernel_open(w, kernel);
    write_pointer(w, "w", w->plan->views[c->weights->number], true);
    write_pointer(w, "u", kernel->out, false);
    write_open(w, "for (long unit = begin; unit < end; unit++)");
    write_line(w, "const long o = unit * %ld + (unit < %ld ? unit : %ld);", outs.size, outs.big,
               outs.big);
    write_line(w, "const long outs = unit < %ld ? %ld : %ld;", outs.big, outs.size + 1, outs.size);
    write_line(w, "%s(w + %ld + o * %ld, u + o * %ld, %ld, %ld, %ld, outs,", use_weights(w, g),
               start, c->w_out, g->padded_in, g->weights_point, c->in_channels, c->w_in);
    write_line(w, "    %ld, %ld, %ld);", c->w_out, sign * c->w_tap[0], sign * c->w_tap[1]);
    write_close(w);
    write_close(w);
}

/* ---- weight gradient ---- */

/* `name`_begin of the part `index`, and how many `name`s it has. */
static void write_begin(struct writer *w, const char *name, const char *index, struct split split) {
    if (split.big && split.small)
        write_line(w, "const long %s_begin = %s * %ld + (%s < %ld ? %s : %ld);", name, index,
                   split.size, index, split.big, index, split.big);
    else
        write_line(w, "const long %s_begin = %s * %ld;", name, index, split.size + (split.big > 0));
}

static void write_size(struct writer *w, const char *name, const char *index, struct split split) {
    if (split.big && split.small)
        write_line(w, "const long %ss = %s < %ld ? %ld : %ld;", name, index, split.big,
                   split.size + 1, split.size);
    else
        write_line(w, "const long %ss = %ld;", name, split.size + (split.big > 0));
}

/* Image and gradient of a chunk, of each block and row of tiles, at the points. */
static void write_gradient_points(struct writer *w, const struct weight_gradient_kernel *g) {
    const struct winograd *winograd = g->winograd;
    long lanes = w->plan->lanes, all = winograd->image_point;
    long tiles = winograd->chunk[0] * winograd->chunk[1] * winograd->blocks_at_once;
    write_open(w, "for (long b = 0; b < blocks; b++)");
    write_open(w, "for (long r = 0; r < rows; r++)");
    write_line(w, "const long tile_row = r * blocks + b, top = (row + r) * %ld;", winograd->tile);
    write_line(w, "const long at = tile_row * %ld;", winograd->tiles[1] * lanes);
    write_open(w, "for (long i = 0; i < %ld; i++)", g->in_channels);
    if (g->prefetches)
        write_rows_ahead(w,
                         arena_format(w->arena, "x + (block + b) * %ld + (top + %ld) * %ld",
                                      w->plan->views[g->image->number]->stride[0],
                                      g->window.kernel_size[0] - 1 - winograd->pad[0],
                                      g->in_size[1] * lanes),
                         "i", g->in_size[0] * g->in_size[1] * lanes, winograd->tile,
                         g->in_size[1] * lanes, winograd->tiles[1]);
    write_line(w, "%s(x + (block + b) * %ld + i * %ld, v + i * %ld + at, %ld, %ld,",
               use_winograd(w, "winograd_image", winograd),
               w->plan->views[g->image->number]->stride[0], g->in_size[0] * g->in_size[1] * lanes,
               tiles * lanes, all, winograd->tiles[1]);
    write_line(w, "    top - %ld, %ld, %ld, %ld, %ld - top, %ld, tile_row);", winograd->pad[0],
               -winograd->pad[1], g->in_size[0], g->in_size[1], g->out_size[0], g->out_size[1]);
    write_close(w);
    write_open(w, "for (long o = 0; o < %ld; o++)", g->out_channels);
    if (g->prefetches)
        write_rows_ahead(w,
                         arena_format(w->arena, "g + (block + b) * %ld + top * %ld",
                                      w->plan->views[g->gradient->number]->stride[0],
                                      g->out_size[1] * lanes),
                         "o", g->out_size[0] * g->out_size[1] * lanes, winograd->tile,
                         g->out_size[1] * lanes, winograd->tiles[1]);
    write_line(w, "%s(g + (block + b) * %ld + (o * %ld + top) * %ld, d + o * %ld + at, %ld, %ld,",
               use_winograd(w, "winograd_gradient", winograd),
               w->plan->views[g->gradient->number]->stride[0], g->out_size[0],
               g->out_size[1] * lanes, tiles * lanes, winograd->result_point, winograd->tiles[1]);
    write_line(w, "    %ld - top, %ld, %ld, tile_row);", g->out_size[0], g->out_size[1],
               g->out_size[1] * lanes);
    write_close(w);
    write_close(w);
    write_close(w);
}

static void write_gradient_call(struct writer *w, const struct weight_gradient_kernel *g, long outs,
                                long ins, bool is_only) {
    const struct winograd *winograd = g->winograd;
    long plane =
        winograd->chunk[0] * winograd->chunk[1] * winograd->blocks_at_once * w->plan->lanes;
    const char *name = arena_format(w->arena, "winograd_products_%ldx%ld", outs, ins);
    if (!is_only) write_open(w, "if (outs == %ld && ins == %ld)", outs, ins);
    write_line(w, "%s(to, vk + in_begin * %ld, dk + out_begin * %ld, tiles, %ld, %ld, is_first);",
               use_symbol(w, name), plane, plane, plane, plane);
    if (!is_only) write_close(w);
}

static void write_gradient_products(struct writer *w, const struct weight_gradient_kernel *g) {
    const struct winograd *winograd = g->winograd;
    struct split outs = split_evenly(g->out_channels, g->tile_out);
    struct split ins = split_evenly(g->in_channels, g->tile_in);
    bool is_only = !(outs.big && outs.small) && !(ins.big && ins.small);
    const char *columns = arena_format(w->arena, "%ld", winograd->tiles[1]);
    write_open(w, "for (long k = 0; k < %d; k++)", WINOGRAD_POINTS);
    write_line(w, "const long tiles = blocks * (%s)",
               tiles_with_point(w, winograd, 0, "row", "rows"));
    write_line(w, "    * (%s);", tiles_with_point(w, winograd, 1, NULL, columns));
    if (winograd->last < winograd->tile) write_line(w, "if (!tiles && !is_first) continue;");
    write_line(w, "const real *const vk = v + k * %ld, *const dk = d + k * %ld;",
               winograd->image_point, winograd->result_point);
    write_line(w, "real *to = sums + k * %ld;", winograd->sums_point);
    write_open(w, "for (long in_tile = 0; in_tile < %ld; in_tile++)", ins.big + ins.small);
    write_begin(w, "in", "in_tile", ins);
    if (!is_only) write_size(w, "in", "in_tile", ins);
    write_open(w, "for (long out_tile = 0; out_tile < %ld; out_tile++, to += %ld)",
               outs.big + outs.small, winograd->region);
    write_begin(w, "out", "out_tile", outs);
    if (!is_only) write_size(w, "out", "out_tile", outs);
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++)
            if ((i ? outs.small : outs.big) && (j ? ins.small : ins.big))
                write_gradient_call(w, g, outs.size + !i, ins.size + !j, is_only);
    write_close(w);
    write_close(w);
    write_close(w);
}

void write_winograd_gradient(struct writer *w, struct kernel *kernel) {
    const struct weight_gradient_kernel *g = &kernel->weight_gradient;
    const struct winograd *winograd = g->winograd;
    const struct program_plan *plan = w->plan;
    write_kernel_open(w, kernel);
    write_pointer(w, "x", plan->views[g->image->number], true);
    write_pointer(w, "g", plan->views[g->gradient->number], true);
    write_pointer(w, "parts", kernel->out, false);
    write_scratch(w, "v", winograd->scratch);
    write_line(w, "real *const d = v + %ld, *const sums = d + %ld;",
               WINOGRAD_POINTS * winograd->image_point, WINOGRAD_POINTS * winograd->result_point);
    open_blocks(w, kernel);
    write_line(w, "long is_first = 1;");
    write_open(w, "for (; block < block_end; block += %ld)", winograd->blocks_at_once);
    write_line(w, "const long blocks = block_end - block < %ld ? block_end - block : %ld;",
               winograd->blocks_at_once, winograd->blocks_at_once);
    write_open(w, "for (long row = 0; row < %ld; row += %ld)", winograd->tiles[0],
               winograd->chunk[0]);
    write_line(w, "const long rows = %ld - row < %ld ? %ld - row : %ld;", winograd->tiles[0],
               winograd->chunk[0], winograd->tiles[0], winograd->chunk[0]);
    write_gradient_points(w, g);
    write_gradient_products(w, g);
    write_line(w, "is_first = 0;");
    write_close(w);
    write_close(w);
    write_line(w, "%s(parts + unit * %ld, sums, %ld, %ld);",
               use_transform(w, "winograd_weight_gradient", winograd, winograd->tile),
               winograd->part, winograd->sums_point / winograd->region, winograd->region);
    write_close(w);
    write_close(w);
}

void write_winograd_sums(struct writer *w, struct kernel *kernel) {
    const struct weight_gradient_kernel *g = &kernel->owner->weight_gradient;
    const struct winograd *winograd = g->winograd;
    struct split outs = split_evenly(g->out_channels, g->tile_out);
    struct split ins = split_evenly(g->in_channels, g->tile_in);
    long out_tiles = outs.big + outs.small;
    write_kernel_open(w, kernel);
    write_pointer(w, "parts", kernel->owner->out, true);
    write_pointer(w, "dw", kernel->out, false);
    write_open(w, "for (long unit = begin; unit < end; unit++)");
    write_begin(w, "in", "unit", ins);
    write_size(w, "in", "unit", ins);
    write_open(w, "for (long out_tile = 0; out_tile < %ld; out_tile++)", out_tiles);
    write_begin(w, "out", "out_tile", outs);
    write_size(w, "out", "out_tile", outs);
    write_line(w,
               "%s(dw + out_begin * %ld + in_begin * %ld, parts + (unit * %ld + out_tile) * %ld,",
               use_transform(w, "winograd_weight_sums", winograd, winograd->tile), g->w_out,
               g->w_in, out_tiles, winograd->part / winograd->sums_point * winograd->region);
    write_line(w, "    %ld, %ld, %ld, outs, ins, %ld, %ld, %ld, %ld);", winograd->region,
               winograd->parts, winograd->part, g->w_out, g->w_in, g->w_tap[0], g->w_tap[1]);
    write_close(w);
    write_close(w);
    write_close(w);
}
