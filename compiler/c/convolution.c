/* convolution.c: writes the driver of a blocked convolution, forward or backward-data: regions of
 * constant taps, then rows, channel blocks, pixel tiles, channel tiles; the tile is a microkernel.
 * For libtcc it writes the numbers of these loops only (kernel/driver.h). */
#include "writer.h"

/* Pixels with the same taps, a rectangle in the output. */
struct region {
    const struct axis_class *rows, *columns;
    bool is_upright; /* tiles run along the columns' direction: down */
    const struct axis_class *outer, *inner;
    long outer_in, inner_in, outer_out, inner_out; /* distances per position, in reals */
    int number;
};

static struct region region_of(const struct convolution_kernel *c, long lanes, int row,
                               int column) {
    struct region r = {.rows = &c->rows[row], .columns = &c->columns[column]};
    r.is_upright = r.columns->count < tile_image_pixels(c) && r.rows->count > r.columns->count;
    long in_row = c->in_size[1] * lanes * r.rows->in_step, in_column = lanes * r.columns->in_step;
    long out_row = c->out_size[1] * lanes * r.rows->step, out_column = lanes * r.columns->step;
    r.outer = r.is_upright ? r.columns : r.rows;
    r.inner = r.is_upright ? r.rows : r.columns;
    r.outer_in = r.is_upright ? in_column : in_row;
    r.inner_in = r.is_upright ? in_row : in_column;
    r.outer_out = r.is_upright ? out_column : out_row;
    r.inner_out = r.is_upright ? out_row : out_column;
    r.number = row * c->column_count + column;
    return r;
}

static struct microkernel row_tile(const struct writer *w, const struct convolution_kernel *c,
                                   long pixels) {
    return (struct microkernel){MICROKERNEL_ROW, (int)c->kernel_size[1], (int)pixels,
                                w->plan->lanes};
}

/* Whether the tiles of a region take a kernel row at once, and all lines of pixels in one call: the
 * taps along them are all of the kernel's and read neighbors. */
static bool takes_rows(const struct writer *w, const struct convolution_kernel *c,
                       const struct region *r) {
    const struct axis_class *columns = r->columns;
    if (!c->by_rows || r->is_upright || !columns->run || columns->step != 1 ||
        columns->in_step != 1 || columns->tap_count != c->kernel_size[1] || !r->rows->tap_count)
        return false;
    struct split pixels = split_evenly(columns->count, tile_image_pixels(c));
    for (int i = 0; i < 2; i++) {
        struct microkernel tile = row_tile(w, c, pixels.size + !i);
        if ((i ? pixels.small : pixels.big) && !microkernel_in_library(&tile, w->target))
            return false;
    }
    return true;
}

static int tap_count(const struct region *r) {
    return r->rows->tap_count * r->columns->tap_count;
}

/* Pairs: offset into the input, offset into the packed weights of one channel. */
static void write_taps(struct writer *w, const struct kernel *kernel, const struct region *r,
                       long tile) {
    const struct convolution_kernel *c = &kernel->convolution;
    struct text list = {.arena = w->arena};
    for (int i = 0; i < r->rows->tap_count; i++)
        for (int j = 0; j < r->columns->tap_count; j++) {
            long in =
                (r->rows->in_start[i] * c->in_size[1] + r->columns->in_start[j]) * w->plan->lanes;
            long tap = r->rows->tap[i] * c->kernel_size[1] + r->columns->tap[j];
            text_add(&list, "%s%ld, %ld", list.length ? ", " : "", in, c->weights ? tap * tile : 0);
        }
    write_line(w, "static const long taps_%d_%ld[] = {%s};", r->number, tile,
               list.length ? text_string(&list) : "0");
}

/* Pairs for row tiles: of the leftmost tap of each kernel row, from the top down, if these read
 * neighbors. */
static void write_row_taps(struct writer *w, const struct kernel *kernel, const struct region *r) {
    const struct convolution_kernel *c = &kernel->convolution;
    struct text list = {.arena = w->arena};
    const struct axis_class *rows = r->rows, *columns = r->columns;
    for (int i = 0; i < rows->tap_count; i++) {
        int row = rows->lowest ? rows->lowest - i : i, column = columns->lowest;
        long in =
            (rows->in_start[row] * c->in_size[1] + columns->in_start[column]) * w->plan->lanes;
        text_add(&list, "%s%ld, %ld", i ? ", " : "", in,
                 rows->tap[row] * c->kernel_size[1] + columns->tap[column]);
    }
    write_line(w, "static const long row_taps_%d[] = {%s};", r->number, text_string(&list));
}

/* The edges of the image that a tile of so many pixels from pixel `q` on goes to. */
static const char *outside_text(struct writer *w, const struct convolution_kernel *c,
                                const struct region *r, long pixels) {
    enum { SIDES = MICROKERNEL_LEFT | MICROKERNEL_RIGHT };
    long sides = c->outside & SIDES, others = c->outside - sides;
    if (!sides || pixels == r->inner->count) return arena_format(w->arena, "%ld", c->outside);
    return arena_format(w->arena, "%ld | (q == 0 ? %d : 0) | (q == %ld ? %d : 0)", others,
                        MICROKERNEL_LEFT, r->inner->count - pixels, MICROKERNEL_RIGHT);
}

/* Pixels from pixel `q` on of all rows of a region. */
static void write_row_call(struct writer *w, const struct kernel *kernel, const struct region *r,
                           long pixels) {
    const struct convolution_kernel *c = &kernel->convolution;
    struct microkernel tile = row_tile(w, c, pixels);
    const char *name = use_tile(w, tile.kind, tile.a, tile.b, tile.lanes);
    write_line(w, "%s(xc + q * %ld, wc, %s, yc + q * %ld,", name, r->inner_in,
               c->epilogue.bias ? "bc" : "0", r->inner_out);
    const char *mask =
        c->epilogue.mask ? arena_format(w->arena, "mc + q * %ld", r->inner_out) : "0";
    write_line(w, "    %s, row_taps_%d, %d, %ld, %s,", mask, r->number, r->rows->tap_count,
               r->rows->count, outside_text(w, c, r, pixels));
    write_line(w, "    %ld, %ld, %ld, flags%s);", r->columns->run, r->outer_in, r->outer_out,
               c->prefetches ? arena_format(w->arena, " | %d", MICROKERNEL_AHEAD) : "");
}

/* One call of a microkernel: `t` channels from channel variable `o`, `p` pixels from pixel `q`, or
 * that pixel of some blocks. */
static void write_call(struct writer *w, const struct kernel *kernel, const struct region *r,
                       long t, long p) {
    const struct convolution_kernel *c = &kernel->convolution;
    long lanes = w->plan->lanes, taps = c->kernel_size[0] * c->kernel_size[1];
    long in_plane = c->in_size[0] * c->in_size[1] * lanes;
    long out_plane = c->out_size[0] * c->out_size[1] * lanes;
    long in_pixel = r->inner_in, out_pixel = r->inner_out;
    if (c->blocks_at_once > 1) {
        p = c->blocks_at_once;
        in_pixel = w->plan->views[c->image->number]->stride[0];
        out_pixel = kernel->out->stride[0];
    }
    const char *name = use_tile(w, MICROKERNEL_CONVOLUTION, (int)t, (int)p, (int)lanes);
    const char *weights =
        c->weights ? arena_format(w->arena, "wc + o * channels * %ld", taps) : "ones";
    write_line(w, "%s(xc + q * %ld, %s, %s, yc + o * %ld + q * %ld,", name, r->inner_in, weights,
               c->epilogue.bias ? "bc + o" : "0", out_plane, r->inner_out);
    const char *mask =
        c->epilogue.mask ? arena_format(w->arena, "mc + o * %ld + q * %ld", out_plane, r->inner_out)
                         : "0";
    write_line(w, "    %s, taps_%d_%ld, %d, channels, %ld, %ld, %ld, %ld, %ld, flags);", mask,
               r->number, t, tap_count(r), in_plane, taps * t, in_pixel, out_pixel, out_plane);
}

/* The rows that the next line of pixels reads and this one does not: a part of their channels with
 * each tile of so many output channels, in the middle of the columns that the pixel tile reads. */
static void write_rows_ahead(struct writer *w, const struct kernel *kernel, const struct region *r,
                             long outs, long pixels) {
    const struct convolution_kernel *c = &kernel->convolution;
    long lanes = w->plan->lanes, row = c->in_size[1] * lanes, plane = c->in_size[0] * row;
    const struct axis_class *rows = r->rows, *columns = r->columns;
    if (r->is_upright || rows->count < 2) return;
    long bottom = 0, left = 0, right = 0;
    for (int i = 0; i < rows->tap_count; i++)
        if (rows->in_start[i] > bottom) bottom = rows->in_start[i];
    for (int i = 0; i < columns->tap_count; i++) {
        if (i == 0 || columns->in_start[i] < left) left = columns->in_start[i];
        if (columns->in_start[i] > right) right = columns->in_start[i];
    }
    const char *begin = "0", *end = "channels";
    if (outs < c->out_channels) {
        begin = arena_format(w->arena, "o * channels / %ld", c->out_channels);
        end = arena_format(w->arena, "(o + %ld) * channels / %ld", outs, c->out_channels);
    }
    write_line(w, "%s(xc + %ld + q * %ld, %s, %s, 1, %ld, %ld, %ld, %ld);",
               use_symbol(w, "prefetch_planes"), (bottom + 1) * row + (left + right) / 2 * lanes,
               r->inner_in, begin, end, plane, rows->in_step, row, pixels * r->inner_in);
}

/* Pixels that the end of a tile reads. */
static void write_pixels_ahead(struct writer *w, const struct kernel *kernel,
                               const struct region *r, const char *image, long outs, long pixels) {
    const struct convolution_kernel *c = &kernel->convolution;
    long out_plane = c->out_size[0] * c->out_size[1] * w->plan->lanes;
    write_line(w, "%s(%s + %sq * %ld, 0, %ld, 1, %ld, %ld, %ld, %d);",
               use_symbol(w, "prefetch_planes"), image,
               outs < c->out_channels ? arena_format(w->arena, "o * %ld + ", out_plane) : "",
               r->inner_out, outs, out_plane, pixels, r->inner_out, w->plan->lanes);
}

/* What a tile, or those of the next line, will wait for otherwise. */
static void write_prefetches(struct writer *w, const struct kernel *kernel, const struct region *r,
                             long outs, long pixels) {
    enum { FEW_TAPS = 4 };
    const struct convolution_kernel *c = &kernel->convolution;
    if (!c->prefetches) return;
    write_rows_ahead(w, kernel, r, outs, pixels);
    if (c->epilogue.mask) write_pixels_ahead(w, kernel, r, "mc", outs, pixels);
    if (tap_count(r) > 1 && tap_count(r) <= FEW_TAPS)
        write_pixels_ahead(w, kernel, r, "yc", outs, pixels);
}

/* Channel tiles of both sizes. */
static void write_channel_tiles(struct writer *w, const struct kernel *kernel,
                                const struct region *r, long pixels) {
    const struct convolution_kernel *c = &kernel->convolution;
    struct split tiles = split_evenly(c->out_channels, c->tile_channels);
    long big = tiles.big * (tiles.size + 1);
    if (takes_rows(w, c, r)) {
        write_row_call(w, kernel, r, pixels);
        return;
    }
    if (tiles.big) {
        write_open(w, "for (long o = 0; o < %ld; o += %ld)", big, tiles.size + 1);
        write_prefetches(w, kernel, r, tiles.size + 1, pixels);
        write_call(w, kernel, r, tiles.size + 1, pixels);
        write_close(w);
    }
    if (tiles.small) {
        write_open(w, "for (long o = %ld; o < %ld; o += %ld)", big, c->out_channels, tiles.size);
        write_prefetches(w, kernel, r, tiles.size, pixels);
        write_call(w, kernel, r, tiles.size, pixels);
        write_close(w);
    }
}

static void write_pixel_tiles(struct writer *w, const struct kernel *kernel,
                              const struct region *r) {
    struct split tiles = split_evenly(r->inner->count, tile_image_pixels(&kernel->convolution));
    long big = tiles.big * (tiles.size + 1);
    if (tiles.big) {
        write_open(w, "for (long q = 0; q < %ld; q += %ld)", big, tiles.size + 1);
        write_channel_tiles(w, kernel, r, tiles.size + 1);
        write_close(w);
    }
    if (tiles.small) {
        write_open(w, "for (long q = %ld; q < %ld; q += %ld)", big, r->inner->count, tiles.size);
        write_channel_tiles(w, kernel, r, tiles.size);
        write_close(w);
    }
}

int epilogue_flags(const struct convolution_kernel *c) {
    return (c->epilogue.relu ? MICROKERNEL_RELU : 0) | (c->epilogue.mask ? MICROKERNEL_MASK : 0);
}

static const char *flags_text(struct writer *w, const struct convolution_kernel *c, long blocks) {
    int last = epilogue_flags(c);
    if (blocks == 1) return arena_format(w->arena, "%d", MICROKERNEL_FIRST | last);
    return arena_format(w->arena, "(block == 0 ? %d : 0) | (block == %ld ? %d : 0)",
                        MICROKERNEL_FIRST, blocks - 1, last);
}

/* `channels` input channels from `first`; for most layers one block. */
static void write_channel_blocks(struct writer *w, const struct kernel *kernel,
                                 const struct region *r) {
    const struct convolution_kernel *c = &kernel->convolution;
    struct split blocks = split_evenly(c->in_channels, c->channel_block);
    long count = blocks.big + blocks.small, taps = c->kernel_size[0] * c->kernel_size[1];
    long in_plane = c->in_size[0] * c->in_size[1] * w->plan->lanes;
    long out_start = (r->rows->start * c->out_size[1] + r->columns->start) * w->plan->lanes;
    if (count > 1) {
        write_open(w, "for (long block = 0; block < %ld; block++)", count);
        write_line(w, "const long first = block * %ld + (block < %ld ? block : %ld);", blocks.size,
                   blocks.big, blocks.big);
        write_line(w, "const long channels = block < %ld ? %ld : %ld;", blocks.big, blocks.size + 1,
                   blocks.size);
    } else {
        write_line(w, "const long first = 0, channels = %ld;", c->in_channels);
        if (c->by_rows) write_line(w, "(void)channels;");
    }
    write_line(w, "const long flags = %s;", flags_text(w, c, count));
    write_line(w, "const real *const xc = xg + first * %ld + i * %ld;", in_plane, r->outer_in);
    if (c->weights)
        write_line(w, "const real *const wc = wg + first * %ld;", c->out_channels * taps);
    write_line(w, "real *const yc = yg + %ld + i * %ld;", out_start, r->outer_out);
    if (c->epilogue.mask)
        write_line(w, "const real *const mc = mg + %ld + i * %ld;", out_start, r->outer_out);
    if (c->epilogue.bias) write_line(w, "const real *const bc = bg;");
    write_pixel_tiles(w, kernel, r);
    if (count > 1) write_close(w);
}

static void write_region(struct writer *w, const struct kernel *kernel, const struct region *r) {
    const struct convolution_kernel *c = &kernel->convolution;
    struct split tiles = split_evenly(c->out_channels, c->tile_channels);
    write_comment(w, "%ld x %ld pixels from row %ld, column %ld: %d taps", r->rows->count,
                  r->columns->count, r->rows->start, r->columns->start, tap_count(r));
    bool is_by_rows = takes_rows(w, c, r);
    write_open(w, "for (long i = 0; i < %ld; i++)", is_by_rows ? 1 : r->outer->count);
    if (is_by_rows)
        write_row_taps(w, kernel, r);
    else if (tiles.big)
        write_taps(w, kernel, r, tiles.size + 1);
    if (!is_by_rows && tiles.small) write_taps(w, kernel, r, tiles.size);
    write_channel_blocks(w, kernel, r);
    write_close(w);
}

static void write_group_pointers(struct writer *w, const struct kernel *kernel) {
    const struct convolution_kernel *c = &kernel->convolution;
    struct view *const *views = w->plan->views;
    long lanes = w->plan->lanes;
    long in = c->in_channels * c->in_size[0] * c->in_size[1] * lanes;
    long out = c->out_channels * c->out_size[0] * c->out_size[1] * lanes;
    long weights = c->in_channels * c->out_channels * c->kernel_size[0] * c->kernel_size[1];
    bool grouped = c->groups > 1;
    if (grouped) write_open(w, "for (long group = 0; group < %ld; group++)", c->groups);
    const char *in_group = grouped ? arena_format(w->arena, " + group * %ld", in) : "";
    const char *out_group = grouped ? arena_format(w->arena, " + group * %ld", out) : "";
    write_line(w, "const real *const xg = x + unit * %ld%s;",
               views[c->image->number]->stride[0] * c->blocks_at_once, in_group);
    write_line(w, "real *const yg = y + unit * %ld%s;", kernel->out->stride[0] * c->blocks_at_once,
               out_group);
    if (c->weights)
        write_line(w, "const real *const wg = w%s;",
                   grouped ? arena_format(w->arena, " + group * %ld", weights) : "");
    if (c->epilogue.mask)
        write_line(w, "const real *const mg = mask + unit * %ld%s;",
                   views[c->epilogue.mask->number]->stride[0], out_group);
    if (c->epilogue.bias)
        write_line(w, "const real *const bg = bias%s;",
                   grouped ? arena_format(w->arena, " + group * %ld", c->out_channels) : "");
}

/* ---- for libtcc: numbers for a driver ---- */

static void write_classes(struct writer *w, const char *name, const struct axis_class *classes,
                          int count) {
    struct text list = {.arena = w->arena};
    for (int i = 0; i < count; i++) {
        const struct axis_class *c = &classes[i];
        text_add(&list, "%s%ld,%ld,%ld,%ld,%ld,%d,%d", i ? "," : "", c->start, c->count, c->step,
                 c->in_step, c->run, c->lowest, c->tap_count);
        for (int k = 0; k < c->tap_count; k++)
            text_add(&list, ",%ld,%ld", c->tap[k], c->in_start[k]);
    }
    write_line(w, "static const long %s[]={%s};", name, text_string(&list));
}

void write_tile_table(struct writer *w, const struct convolution_kernel *c,
                      enum microkernel_kind kind, const bool *is_used) {
    struct split outs = split_evenly(c->out_channels, c->tile_channels);
    struct text list = {.arena = w->arena};
    for (int small = 0; small < 2; small++)
        for (int p = 1; p <= c->tile_pixels; p++) {
            bool has_tile = is_used[p] && (small ? outs.small : outs.big);
            text_add(&list, "%s%s", list.length ? "," : "",
                     has_tile ? use_tile(w, kind, (int)outs.size + !small, p, w->plan->lanes)
                              : "0");
        }
    write_line(w, "static %s *const tiles[]={%s};", microkernel_type(kind), text_string(&list));
}

/* [pixels - 1] */
static void write_row_tile_table(struct writer *w, const struct convolution_kernel *c) {
    struct text list = {.arena = w->arena};
    for (int p = 1; p <= c->tile_pixels; p++) {
        struct microkernel tile = row_tile(w, c, p);
        bool has_tile = microkernel_in_library(&tile, w->target);
        text_add(&list, "%s%s", list.length ? "," : "",
                 has_tile ? use_tile(w, tile.kind, tile.a, tile.b, tile.lanes) : "0");
    }
    write_line(w, "static row_tile *const row_tiles[]={%s};", text_string(&list));
}

static void write_tiles(struct writer *w, const struct convolution_kernel *c) {
    bool *is_used = ARENA_ARRAY(w->arena, bool, c->tile_pixels + 1);
    for (int i = 0; i < c->row_count; i++)
        for (int j = 0; j < c->column_count; j++) {
            struct region r = region_of(c, w->plan->lanes, i, j);
            struct split pixels = split_evenly(r.inner->count, tile_image_pixels(c));
            if (c->blocks_at_once > 1) {
                is_used[c->blocks_at_once] = true;
                continue;
            }
            if (pixels.big) is_used[pixels.size + 1] = true;
            if (pixels.small) is_used[pixels.size] = true;
        }
    write_tile_table(w, c, MICROKERNEL_CONVOLUTION, is_used);
    if (c->by_rows) write_row_tile_table(w, c);
}

static long most_taps(const struct axis_class *classes, int count) {
    long most = 0;
    for (int i = 0; i < count; i++)
        if (classes[i].tap_count > most) most = classes[i].tap_count;
    return most;
}

/* Numbers for the driver: 4 for each tap of a pixel, on the stack. */
static long driver_numbers(const struct convolution_kernel *c) {
    return 4 * most_taps(c->rows, c->row_count) * most_taps(c->columns, c->column_count);
}

static void write_drive(struct writer *w, const struct kernel *kernel) {
    const struct convolution_kernel *c = &kernel->convolution;
    struct view *const *views = w->plan->views;
    const struct epilogue *e = &c->epilogue;
    write_classes(w, "rows", c->rows, c->row_count);
    write_classes(w, "columns", c->columns, c->column_count);
    write_tiles(w, c);
    if (!c->weights) write_line(w, "static const real ones[]={1};");
    write_line(w,
               "static const struct convolution_driver c={%d,%ld,%ld,%ld,{%ld,%ld},{%ld,%ld},{%ld,"
               "%ld},%d,%d,%ld,%d,%d,%d,%ld,%ld,%d,%d,%ld,%ld,%ld,rows,columns,tiles,%s};",
               w->plan->lanes, c->groups, c->in_channels, c->out_channels, c->in_size[0],
               c->in_size[1], c->out_size[0], c->out_size[1], c->kernel_size[0], c->kernel_size[1],
               c->tile_channels, c->tile_pixels, c->channel_block, c->weights != NULL,
               epilogue_flags(c), c->prefetches, c->blocks_at_once, c->outside, c->row_count,
               c->column_count, views[c->image->number]->stride[0], kernel->out->stride[0],
               e->mask ? views[e->mask->number]->stride[0] : 0, c->by_rows ? "row_tiles" : "0");
    write_line(w, "long taps[%ld];", driver_numbers(c));
    write_line(
        w, "%s(&c,%s,%s,%s,%s,%s,taps,begin,end);", use_symbol(w, "convolution_drive"),
        view_address(w, views[c->image->number]), c->weights ? view_address(w, c->packed) : "ones",
        e->bias ? view_address(w, views[e->bias->number]) : "0", view_address(w, kernel->out),
        e->mask ? view_address(w, views[e->mask->number]) : "0");
}

void write_convolution(struct writer *w, struct kernel *kernel) {
    enum { MOST_NUMBERS = 16384 };
    const struct convolution_kernel *c = &kernel->convolution;
    const struct program_plan *plan = w->plan;
    write_kernel_open(w, kernel);
    if (w->dialect == DIALECT_TCC && driver_numbers(c) <= MOST_NUMBERS) {
        write_drive(w, kernel);
        write_close(w);
        return;
    }
    write_pointer(w, "x", plan->views[c->image->number], true);
    write_pointer(w, "y", kernel->out, false);
    if (c->weights)
        write_pointer(w, "w", c->packed, true);
    else
        write_line(w, "static const real ones[] = {1};");
    if (c->epilogue.bias) write_pointer(w, "bias", plan->views[c->epilogue.bias->number], true);
    if (c->epilogue.mask) write_pointer(w, "mask", plan->views[c->epilogue.mask->number], true);
    write_open(w, "for (long unit = begin; unit < end; unit++)");
    write_group_pointers(w, kernel);
    for (int i = 0; i < c->row_count; i++)
        for (int j = 0; j < c->column_count; j++) {
            struct region region = region_of(c, plan->lanes, i, j);
            write_region(w, kernel, &region);
        }
    if (c->groups > 1) write_close(w);
    write_close(w);
    write_close(w);
}
