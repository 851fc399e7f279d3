/* image_convolution.c: writes the driver of a convolution of plain images: a unit is one row of the
 * result and one tile of output channels; along the row go tiles of pixels, which are microkernels.
 * The rows of the kernel that stay inside the image are the same for a class of rows of the result.
 */
#include "writer.h"

/* Numbers from one row of the image that is read to the next. */
static long row_length(const struct convolution_kernel *c) {
    return (c->in_size[1] + c->plain->before + c->plain->after) * c->in_channels * c->groups;
}

/* The distance of the weights of a row of the kernel, and of one of its columns. */
static long tap_distance(const struct convolution_kernel *c, int axis) {
    if (!c->plain->panel) return c->w_tap[axis];
    return (axis ? 1 : c->kernel_size[1]) * c->in_channels * c->plain->panel;
}

/* Pairs: offset into the image from the first tap's row on, offset into the weights. */
static void write_taps(struct writer *w, const struct convolution_kernel *c, int class) {
    const struct axis_class *rows = &c->rows[class];
    struct text list = {.arena = w->arena};
    long columns = c->plain->is_row_dense && !c->plain->by_channel ? 1 : c->kernel_size[1];
    for (int i = 0; i < rows->tap_count; i++)
        for (long j = 0; j < columns; j++) {
            long in = (rows->in_start[i] - rows->in_start[0]) * row_length(c) +
                      j * c->window.dilation_rate[1] * c->in_channels * c->groups;
            text_add(&list, "%s%ld, %ld", list.length ? ", " : "", in,
                     rows->tap[i] * tap_distance(c, 0) + j * tap_distance(c, 1));
        }
    write_line(w, "static const long taps_%d[] = {%s};", class,
               list.length ? text_string(&list) : "0");
}

static long taps_of(const struct convolution_kernel *c, int class) {
    bool one = c->plain->is_row_dense && !c->plain->by_channel;
    return c->rows[class].tap_count * (one ? 1 : c->kernel_size[1]);
}

/* Sets `taps`, `tap_count` and `top`, the first row of the image that is read, for `row`. */
static void write_row_class(struct writer *w, const struct convolution_kernel *c) {
    const struct axis_class *first = &c->rows[0];
    write_line(w, "const long *taps = taps_0;");
    write_line(w, "long tap_count = %ld, top = %ld + row * %ld;", taps_of(c, 0),
               first->tap_count ? first->in_start[0] : 0, first->tap_count ? first->in_step : 0);
    for (int i = 1; i < c->row_count; i++) {
        const struct axis_class *rows = &c->rows[i];
        write_open(w, "if (row >= %ld)", rows->start);
        write_line(w, "taps = taps_%d;", i);
        write_line(w, "tap_count = %ld;", taps_of(c, i));
        if (rows->tap_count)
            write_line(w, "top = %ld + (row - %ld) * %ld;", rows->in_start[0], rows->start,
                       rows->in_step);
        else
            write_line(w, "top = 0;");
        write_close(w);
    }
}

/* What a unit works on, from its number within the units of its size of channel tile. */
static void write_unit(struct writer *w, const struct convolution_kernel *c, const char *line) {
    long out_channels = c->out_channels * c->groups;
    write_line(w, "const long line = %s, sample = line / %ld, row = line %% %ld;", line,
               c->out_size[0], c->out_size[0]);
    write_row_class(w, c);
    write_line(w, "const real *const xr = x + (sample * %ld + top) * %ld;", c->in_size[0],
               row_length(c));
    write_line(w, "real *const yr = y + line * %ld;", c->out_size[1] * out_channels);
}

/* One call: `pixels` pixels from q, `vectors` vectors of channels from o. */
static void write_call(struct writer *w, const struct convolution_kernel *c, long pixels,
                       long vectors) {
    const struct image_tiles *plain = c->plain;
    long all = (c->out_channels + plain->lanes - 1) / plain->lanes;
    bool is_dense = plain->is_row_dense;
    long depth = is_dense ? c->in_channels * c->kernel_size[1] : c->in_channels;
    long b_depth = plain->panel                      ? plain->panel
                   : is_dense && c->in_channels == 1 ? c->w_tap[1]
                                                     : c->w_in;
    long x_step = c->window.strides[1] * c->in_channels * c->groups;
    long y_step = c->out_channels * c->groups;
    const char *group = c->groups > 1 ? " + group" : "";
    const char *x_group =
        c->groups > 1 ? arena_format(w->arena, " + group * %ld", c->in_channels) : "";
    const char *o = c->groups > 1 ? arena_format(w->arena, " * %ld + o", c->out_channels) : " + o";
    const char *name = use_tile(w, MICROKERNEL_PIXEL, (int)pixels, (int)vectors, plain->lanes);
    const char *bias = c->epilogue.bias ? arena_format(w->arena, "bias%s%s", group, o) : "0";
    /* the last vector ends with the last channel, over its neighbour if need be */
    const char *last =
        all * plain->lanes == c->out_channels
            ? arena_format(w->arena, "%ld", (vectors - 1) * plain->lanes)
            : arena_format(w->arena, "o + %ld < %ld ? %ld : %ld - o", vectors * plain->lanes,
                           c->out_channels, (vectors - 1) * plain->lanes,
                           c->out_channels - plain->lanes);
    const char *weights = plain->panel ? "" : arena_format(w->arena, "%s%s", group, o);
    write_line(w, "%s(xr + q * %ld%s, w%s, %s, yr + q * %ld%s%s,", name, x_step, x_group, weights,
               bias, y_step, group, o);
    write_line(w, "    taps, tap_count, %ld, %ld, %ld, %ld, %s, %d);", depth, x_step, b_depth,
               y_step, last, c->epilogue.relu ? MICROKERNEL_RELU : 0);
}

static void write_pixel_tiles(struct writer *w, const struct convolution_kernel *c, long vectors) {
    struct split tiles = split_evenly(c->out_size[1], c->tile_pixels);
    long big = tiles.big * (tiles.size + 1);
    if (c->groups > 1) write_open(w, "for (long group = 0; group < %ld; group++)", c->groups);
    if (tiles.big) {
        write_open(w, "for (long q = 0; q < %ld; q += %ld)", big, tiles.size + 1);
        write_call(w, c, tiles.size + 1, vectors);
        write_close(w);
    }
    if (tiles.small) {
        write_open(w, "for (long q = %ld; q < %ld; q += %ld)", big, c->out_size[1], tiles.size);
        write_call(w, c, tiles.size, vectors);
        write_close(w);
    }
    if (c->groups > 1) write_close(w);
}

/* Channel tiles outside of the rows: the weights of one stay in the cache while the rows pass. */
static void write_channel_tiles(struct writer *w, const struct kernel *kernel) {
    const struct convolution_kernel *c = &kernel->convolution;
    long lanes = c->plain->lanes, lines = w->plan->rows * c->out_size[0];
    struct split tiles = split_evenly((c->out_channels + lanes - 1) / lanes, c->plain->vectors);
    for (int i = 0; i < 2; i++) {
        long count = i ? tiles.small : tiles.big, size = tiles.size + !i;
        if (!count) continue;
        long first = i ? tiles.big * lines : 0, channel = i ? tiles.big * (tiles.size + 1) : 0;
        write_open(w,
                   "for (long unit = begin > %ld ? begin : %ld; unit < end && unit < %ld; unit++)",
                   first, first, first + count * lines);
        write_line(w, "const long tile = (unit - %ld) / %ld, o = %ld + tile * %ld;", first, lines,
                   channel * lanes, size * lanes);
        if (c->plain->panel)
            write_line(w, "const real *const w = panels + (%ld + tile) * %ld;", i ? tiles.big : 0L,
                       c->kernel_size[0] * tap_distance(c, 0));
        write_unit(w, c, arena_format(w->arena, "(unit - %ld) %% %ld", first, lines));
        write_pixel_tiles(w, c, size);
        write_close(w);
    }
}

static void write_window_sums(struct writer *w, const struct convolution_kernel *c) {
    write_open(w, "for (long unit = begin; unit < end; unit++)");
    write_unit(w, c, "unit");
    write_line(w, "%s(xr, %s, %s, yr, taps, tap_count, %ld, %ld, %ld, %ld, %d);",
               use_symbol(w, "window_sum_row"), c->weights ? "w" : "0",
               c->epilogue.bias ? "bias" : "0", c->out_size[1], c->groups,
               c->window.strides[1] * c->groups, c->groups, c->epilogue.relu);
    write_close(w);
}

void write_image_convolution(struct writer *w, struct kernel *kernel) {
    const struct convolution_kernel *c = &kernel->convolution;
    struct view *const *views = w->plan->views;
    write_kernel_open(w, kernel);
    write_pointer(w, "x", c->plain->halo ? c->plain->halo : views[c->image->number], true);
    if (c->plain->panel)
        write_pointer(w, "panels", c->packed, true);
    else if (c->weights)
        write_pointer(w, "w", views[c->weights->number], true);
    if (c->epilogue.bias) write_pointer(w, "bias", views[c->epilogue.bias->number], true);
    write_pointer(w, "y", kernel->out, false);
    for (int i = 0; i < c->row_count; i++) write_taps(w, c, i);
    if (c->plain->by_channel)
        write_window_sums(w, c);
    else
        write_channel_tiles(w, kernel);
    write_close(w);
}

void write_halo(struct writer *w, struct kernel *kernel) {
    const struct convolution_kernel *c = &kernel->owner->convolution;
    long channels = c->in_channels * c->groups, length = c->in_size[1] * channels;
    write_kernel_open(w, kernel);
    write_pointer(w, "x", w->plan->views[c->image->number], true);
    write_pointer(w, "to", kernel->out, false);
    write_line(w, "%s(to + begin * %ld, x + begin * %ld, end - begin, %ld, %ld, %ld);",
               use_symbol(w, "halo_rows"), row_length(c), length, c->plain->before * channels,
               length, c->plain->after * channels);
    write_close(w);
}
