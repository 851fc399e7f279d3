/* winograd.c: writes the drivers of convolutions and weight gradients by Winograd's F(4x4, 3x3): a
 * chunk of tiles goes to points, then the products at each point, then to results. */
#include "../kernel/winograd.h"
#include "writer.h"

/* unit u's sample blocks: from u * blocks / units */
static void open_blocks(struct writer *w, const struct kernel *kernel) {
    long blocks = w->plan->rows / w->plan->lanes;
    write_open(w, "for (long unit = begin; unit < end; unit++)");
    write_line(w, "const long block_end = (unit + 1) * %ld / %ld;", blocks, kernel->units);
    write_line(w, "long block = unit * %ld / %ld;", blocks, kernel->units);
}

/* ---- the products at one point ---- */

static void write_product(struct writer *w, const struct kernel *kernel, long outs, long pixels) {
    const struct convolution_kernel *c = &kernel->convolution;
    long tile = c->winograd->chunk[0] * c->winograd->chunk[1] * w->plan->lanes;
    const char *name = use_tile(w, MICROKERNEL_CONVOLUTION, (int)outs, (int)pixels, w->plan->lanes);
    write_line(w, "%s(vk + first * %ld + q * %d, uk + o * %ld + first * %ld, 0,", name, tile,
               w->plan->lanes, c->winograd->padded_in, outs);
    write_line(w, "    mk + o * %ld + q * %d, 0, tap, 1, channels, %ld, %ld, %d, %d, %ld, flags);",
               tile, w->plan->lanes, tile, outs, w->plan->lanes, w->plan->lanes, tile);
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

static void write_pixel_tiles(struct writer *w, const struct kernel *kernel) {
    const struct convolution_kernel *c = &kernel->convolution;
    long tiles = c->winograd->chunk[0] * c->winograd->chunk[1];
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

static void write_products(struct writer *w, const struct kernel *kernel) {
    const struct convolution_kernel *c = &kernel->convolution;
    struct split blocks = split_evenly(c->in_channels, c->channel_block);
    long count = blocks.big + blocks.small;
    write_open(w, "for (long k = 0; k < %d; k++)", WINOGRAD_POINTS);
    write_line(w, "const real *const vk = v + k * %ld, *const uk = u + k * %ld;",
               c->winograd->image_point, c->winograd->weights_point);
    write_line(w, "real *const mk = m + k * %ld;", c->winograd->result_point);
    if (count > 1) {
        write_open(w, "for (long part = 0; part < %ld; part++)", count);
        write_line(w, "const long first = part * %ld + (part < %ld ? part : %ld);", blocks.size,
                   blocks.big, blocks.big);
        write_line(w, "const long channels = part < %ld ? %ld : %ld;", blocks.big, blocks.size + 1,
                   blocks.size);
        write_line(w, "const long flags = part == 0 ? %d : 0;", MICROKERNEL_FIRST);
    } else {
        write_line(w, "const long first = 0, channels = %ld, flags = %d;", c->in_channels,
                   MICROKERNEL_FIRST);
    }
    write_pixel_tiles(w, kernel);
    if (count > 1) write_close(w);
    write_close(w);
}

/* ---- convolution ---- */

static void write_image(struct writer *w, const struct kernel *kernel) {
    const struct convolution_kernel *c = &kernel->convolution;
    const struct winograd *g = c->winograd;
    long lanes = w->plan->lanes, tiles = g->chunk[0] * g->chunk[1];
    long plane = c->in_size[0] * c->in_size[1] * lanes;
    write_open(w, "for (long i = 0; i < %ld; i++)", c->in_channels);
    write_open(w, "for (long r = 0; r < %ld; r++)", g->chunk[0]);
    write_line(w, "%s(x + (block * %ld + i) * %ld, v + (i * %ld + r * %ld) * %ld, %ld, %ld,",
               use_symbol(w, "winograd_image"), c->in_channels, plane, tiles, g->chunk[1], lanes,
               g->image_point, g->chunk[1]);
    write_line(w, "    (row + r) * %d - %ld, column * %d - %ld, %ld, %ld);", WINOGRAD_TILE,
               g->pad[0], WINOGRAD_TILE, g->pad[1], c->in_size[0], c->in_size[1]);
    write_close(w);
    write_close(w);
}

static void write_result(struct writer *w, const struct kernel *kernel) {
    const struct convolution_kernel *c = &kernel->convolution;
    const struct winograd *g = c->winograd;
    long lanes = w->plan->lanes, tiles = g->chunk[0] * g->chunk[1];
    int flags =
        (c->epilogue.relu ? MICROKERNEL_RELU : 0) | (c->epilogue.mask ? MICROKERNEL_MASK : 0);
    write_open(w, "for (long o = 0; o < %ld; o++)", c->out_channels);
    write_open(w, "for (long r = 0; r < %ld; r++)", g->chunk[0]);
    write_line(w,
               "const long at = (((block * %ld + o) * %ld + (row + r) * %d) * %ld + column * %d) * "
               "%ld;",
               c->out_channels, c->out_size[0], WINOGRAD_TILE, c->out_size[1], WINOGRAD_TILE,
               lanes);
    write_line(w, "%s(m + (o * %ld + r * %ld) * %ld, %ld, %s, y + at, %s, %ld,",
               use_symbol(w, "winograd_result"), tiles, g->chunk[1], lanes, g->result_point,
               c->epilogue.bias ? "bias + o" : "0", c->epilogue.mask ? "mask + at" : "0",
               g->chunk[1]);
    write_line(w, "    %ld - (row + r) * %d, %ld - column * %d, %ld, %d);", c->out_size[0],
               WINOGRAD_TILE, c->out_size[1], WINOGRAD_TILE, c->out_size[1] * lanes, flags);
    write_close(w);
    write_close(w);
}

void write_winograd(struct writer *w, struct kernel *kernel) {
    const struct convolution_kernel *c = &kernel->convolution;
    const struct winograd *g = c->winograd;
    const struct program_plan *plan = w->plan;
    write_kernel_open(w, kernel);
    write_pointer(w, "x", plan->views[c->image->number], true);
    write_pointer(w, "y", kernel->out, false);
    write_pointer(w, "u", c->packed, true);
    if (c->epilogue.bias) write_pointer(w, "bias", plan->views[c->epilogue.bias->number], true);
    if (c->epilogue.mask) write_pointer(w, "mask", plan->views[c->epilogue.mask->number], true);
    write_pointer(w, "points", g->scratch, false);
    write_line(w, "real *const v = points + begin * %ld, *const m = v + %ld;", g->slot,
               WINOGRAD_POINTS * g->image_point);
    write_line(w, "static const long tap[] = {0, 0};");
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
    long start = c->is_backward ? 2 * (c->w_tap[0] + c->w_tap[1]) : 0;
    write_kernel_open(w, kernel);
    write_pointer(w, "w", w->plan->views[c->weights->number], true);
    write_pointer(w, "u", kernel->out, false);
    write_open(w, "for (long unit = begin; unit < end; unit++)");
    write_line(w, "const long o = unit * %ld + (unit < %ld ? unit : %ld);", outs.size, outs.big,
               outs.big);
    write_line(w, "const long outs = unit < %ld ? %ld : %ld;", outs.big, outs.size + 1, outs.size);
    write_line(w, "%s(w + %ld + o * %ld, u + o * %ld, %ld, %ld, %ld, outs,",
               use_symbol(w, "winograd_weights"), start, c->w_out, g->padded_in, g->weights_point,
               c->in_channels, c->w_in);
    write_line(w, "    %ld, %ld, %ld);", c->w_out, sign * c->w_tap[0], sign * c->w_tap[1]);
    write_close(w);
    write_close(w);
}

/* ---- weight gradient ---- */

void write_winograd_gradient(struct writer *w, struct kernel *kernel) {
    (void)w, (void)kernel;
}

void write_winograd_sums(struct writer *w, struct kernel *kernel) {
    (void)w, (void)kernel;
}
