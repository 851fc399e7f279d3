/* winograd_image.c: writes the driver of a convolution of plain images by Winograd's algorithm: a
 * unit takes some tiles of one image to points, then the products at each point, then to results.
 */
#include "../kernel/winograd.h"
#include "writer.h"

static const char *last_vector(struct writer *w, const struct image_tiles *plain, long channels,
                               long vectors) {
    long lanes = plain->lanes;
    if (channels % lanes == 0) return arena_format(w->arena, "%ld", (vectors - 1) * lanes);
    return arena_format(w->arena, "o + %ld < %ld ? %ld : %ld - o", vectors * lanes, channels,
                        (vectors - 1) * lanes, channels - lanes);
}

static void write_product(struct writer *w, const struct convolution_kernel *c, long tiles,
                          long vectors) {
    const char *name = use_tile(w, MICROKERNEL_PIXEL, (int)tiles, (int)vectors, c->plain->lanes);
    write_line(w, "%s(vk + q * %ld, uk + o, 0, mk + q * %ld + o, tap, 1, %ld, %ld, %ld,", name,
               c->in_channels, c->out_channels, c->in_channels, c->in_channels, c->out_channels);
    write_line(w, "    %ld, %s, 0);", c->out_channels,
               last_vector(w, c->plain, c->out_channels, vectors));
}

static void write_pixel_tiles(struct writer *w, const struct convolution_kernel *c, long count,
                              long vectors) {
    struct split tiles = split_evenly(count, c->tile_pixels);
    long big = tiles.big * (tiles.size + 1);
    if (tiles.big) {
        write_open(w, "for (long q = 0; q < %ld; q += %ld)", big, tiles.size + 1);
        write_product(w, c, tiles.size + 1, vectors);
        write_close(w);
    }
    if (tiles.small) {
        write_open(w, "for (long q = %ld; q < %ld; q += %ld)", big, count, tiles.size);
        write_product(w, c, tiles.size, vectors);
        write_close(w);
    }
}

/* Channel tiles outside: their weights at a point stay in the L1 cache. */
static void write_products(struct writer *w, const struct convolution_kernel *c, long count) {
    const struct winograd *g = c->winograd;
    long lanes = c->plain->lanes;
    struct split tiles = split_evenly((c->out_channels + lanes - 1) / lanes, c->plain->vectors);
    write_open(w, "for (long k = 0; k < %d; k++)", WINOGRAD_POINTS);
    write_line(w, "const real *const vk = v + k * %ld, *const uk = u + k * %ld;", g->image_point,
               g->weights_point);
    write_line(w, "real *const mk = m + k * %ld;", g->result_point);
    for (int i = 0; i < 2; i++) {
        long vectors = i ? tiles.small : tiles.big, size = tiles.size + !i;
        long first = i ? tiles.big * (tiles.size + 1) : 0;
        if (!vectors) continue;
        write_open(w, "for (long o = %ld; o < %ld; o += %ld)", first * lanes,
                   (first + vectors * size) * lanes, size * lanes);
        write_pixel_tiles(w, c, count, size);
        write_close(w);
    }
    write_close(w);
}

/* Tiles side by side in one row of tiles, `run` of them from number `t` of the unit. */
static void open_runs(struct writer *w, const struct winograd *g, long count, long channels,
                      long lanes) {
    write_open(w, "for (long t = 0, run; t < %ld; t += run)", count);
    write_line(w, "const long row = (first + t) / %ld, column = (first + t) %% %ld;", g->tiles[1],
               g->tiles[1]);
    write_line(w, "run = %ld - column < %ld - t ? %ld - column : %ld - t;", g->tiles[1], count,
               g->tiles[1], count);
    write_open(w, "for (long i = 0; i < %ld; i += %ld)", channels, lanes);
    write_line(w, "const long c = i < %ld ? i : %ld;", channels - lanes, channels - lanes);
}

static void write_image(struct writer *w, const struct convolution_kernel *c, long count) {
    const struct winograd *g = c->winograd;
    open_runs(w, g, count, c->in_channels, c->plain->lanes);
    write_line(w, "%s(xs + c, v + t * %ld + c, %ld, run, row * %ld - %ld, column * %ld - %ld,",
               use_winograd(w, "winograd_plain_image", g), c->in_channels, g->image_point, g->tile,
               g->pad[0], g->tile, g->pad[1]);
    write_line(w, "    %ld, %ld, %ld, %ld);", c->in_size[0], c->in_size[1], c->in_channels,
               c->in_channels);
    write_close(w);
    write_close(w);
}

static void write_result(struct writer *w, const struct convolution_kernel *c, long count) {
    const struct winograd *g = c->winograd;
    open_runs(w, g, count, c->out_channels, c->plain->lanes);
    write_line(w, "real *const to = ys + (row * %ld + column) * %ld + c;", c->out_size[1],
               g->tile * c->out_channels);
    write_line(w, "%s(m + t * %ld + c, %ld, %s, to, 0, run, %ld - row * %ld,",
               use_winograd(w, "winograd_plain_result", g), c->out_channels, g->result_point,
               c->epilogue.bias ? "bias + c" : "0", c->out_size[0], g->tile);
    write_line(w, "    %ld - column * %ld, %ld, %d, %ld, %ld);", c->out_size[1], g->tile,
               c->out_size[1] * c->out_channels, c->epilogue.relu ? MICROKERNEL_RELU : 0,
               c->out_channels, c->out_channels);
    write_close(w);
    write_close(w);
}

/* Chunks of tiles come in two sizes. */
static void write_chunks(struct writer *w, const struct convolution_kernel *c) {
    const struct winograd *g = c->winograd;
    struct split chunks = split_evenly(g->tiles[0] * g->tiles[1], g->tiles_at_once);
    write_line(w, "const long sample = unit / %ld, chunk = unit %% %ld;", chunks.big + chunks.small,
               chunks.big + chunks.small);
    write_line(w, "const long first = chunk * %ld + (chunk < %ld ? chunk : %ld);", chunks.size,
               chunks.big, chunks.big);
    write_line(w, "const real *const xs = x + sample * %ld;",
               c->in_size[0] * c->in_size[1] * c->in_channels);
    write_line(w, "real *const ys = y + sample * %ld;",
               c->out_size[0] * c->out_size[1] * c->out_channels);
    for (int i = 0; i < 2; i++) {
        long count = chunks.size + !i;
        if (!(i ? chunks.small : chunks.big)) continue;
        write_open(w, "if (chunk %s %ld)", i ? ">=" : "<", chunks.big);
        write_image(w, c, count);
        write_products(w, c, count);
        write_result(w, c, count);
        write_close(w);
    }
}

void write_winograd_image(struct writer *w, struct kernel *kernel) {
    const struct convolution_kernel *c = &kernel->convolution;
    const struct winograd *g = c->winograd;
    struct view *const *views = w->plan->views;
    write_kernel_open(w, kernel);
    write_pointer(w, "x", views[c->image->number], true);
    write_pointer(w, "y", kernel->out, false);
    write_pointer(w, "u", c->packed, true);
    if (c->epilogue.bias) write_pointer(w, "bias", views[c->epilogue.bias->number], true);
    write_scratch(w, "v", g->scratch);
    write_line(w, "real *const m = v + %ld;", WINOGRAD_POINTS * g->image_point);
    write_line(w, "static const long tap[] = {0, 0};");
    write_open(w, "for (long unit = begin; unit < end; unit++)");
    write_chunks(w, c);
    write_close(w);
    write_close(w);
}
