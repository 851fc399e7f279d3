/* driver_winograd.c: the loops of a convolution by Winograd's algorithm, for libtcc (see
 * driver.h). What they do is what c/winograd.c writes for a C compiler. */
#include "driver.h"
#include "microkernel.h"
#include "winograd.h"

/* A chunk of tiles of a sample block: its first row and column of tiles. */
struct chunk {
    long block, row, column;
};

/* The products' parts. Divisions take as long as a tile of few channels, so these are kept. */
struct product_parts {
    struct split outs, channels;
    long tiles; /* that `pixels` are the parts of */
    struct split pixels;
};

/* Asks for the rows of the next channel that the tiles above did not read. */
static void prefetch_rows(const struct winograd_driver *c, const float *x, long top, long left) {
    long row = c->in[1] * c->lanes, first = top + WINOGRAD_EDGE - c->tile_size;
    for (long r = first; r < first + c->tile_size; r++)
        for (long i = 0; i < c->chunk[1] * c->tile_size * c->lanes; i += LINE)
            __builtin_prefetch(x + r * row + left * c->lanes + i);
}

static void transform_image(const struct winograd_driver *c, const struct chunk *chunk,
                            const float *x, float *v) {
    long plane = c->in[0] * c->in[1] * c->lanes;
    for (long i = 0; i < c->in_channels; i++)
        for (long r = 0; r < c->chunk[0]; r++) {
            const float *const image = x + chunk->block * c->x_block + i * plane;
            long top = (chunk->row + r) * c->tile_size - c->pad[0];
            long left = chunk->column * c->tile_size;
            if (c->prefetches) prefetch_rows(c, image + plane, top, left);
            c->image(image, v + (i * c->chunk[0] + r) * c->chunk[1] * c->lanes, c->image_point,
                     c->chunk[1], top, left - c->pad[1], c->in[0], c->in[1],
                     c->out[0] - (chunk->row + r) * c->tile_size, c->out[1] - left, r);
        }
}

/* The rows (axis 0) or columns of a chunk's tiles, from `first` on, that have a point along it. */
static long tiles_with_point(const struct winograd_driver *c, int axis, long first, long point) {
    bool is_missing = point >= c->first_missing && point < WINOGRAD_EDGE - 1;
    return c->chunk[axis] - (is_missing && first + c->chunk[axis] == c->tiles[axis]);
}

/* The products of so many tiles and some input channels at a point: v to m, with the weights u. */
static void multiply_channels(const struct winograd_driver *c, const struct product_parts *parts,
                              const float *v, const float *u, float *m, long first, long channels) {
    long plane = c->chunk[0] * c->chunk[1] * c->lanes;
    struct split pixels = parts->pixels, outs = parts->outs;
    long wide_pixels = pixels.big * (pixels.size + 1), wide_outs = outs.big * (outs.size + 1);
    for (long q = 0, p; q < parts->tiles; q += p) {
        p = pixels.size + (q < wide_pixels);
        for (long o = 0, t; o < c->out_channels; o += t) {
            bool is_small = o >= wide_outs;
            t = outs.size + !is_small;
            c->tile[is_small * c->tile_pixels + p - 1](
                v + first * plane + q * c->lanes, u + o * c->padded_in + first * t,
                m + o * plane + q * c->lanes, channels, plane, plane, first == 0);
        }
    }
}

static void multiply(const struct winograd_driver *c, struct product_parts *parts,
                     const struct chunk *chunk, const float *v, const float *u, float *m) {
    for (long k = 0; k < WINOGRAD_POINTS; k++) {
        long tiles = tiles_with_point(c, 0, chunk->row, k / WINOGRAD_EDGE) *
                     tiles_with_point(c, 1, chunk->column, k % WINOGRAD_EDGE);
        if (!tiles) continue;
        if (tiles != parts->tiles) parts->pixels = split_evenly(tiles, c->tile_pixels);
        parts->tiles = tiles;
        for (long part = 0, first = 0; first < c->in_channels; part++) {
            long channels = parts->channels.size + (part < parts->channels.big);
            multiply_channels(c, parts, v + k * c->image_point, u + k * c->weights_point,
                              m + k * c->result_point, first, channels);
            first += channels;
        }
    }
}

static void transform_result(const struct winograd_driver *c, const struct chunk *chunk,
                             const float *m, const float *bias, float *y, const float *mask) {
    for (long o = 0; o < c->out_channels; o++)
        for (long r = 0; r < c->chunk[0]; r++) {
            long row = (chunk->row + r) * c->tile_size, column = chunk->column * c->tile_size;
            long at = ((o * c->out[0] + row) * c->out[1] + column) * c->lanes;
            c->result(m + (o * c->chunk[0] + r) * c->chunk[1] * c->lanes, c->result_point,
                      bias ? bias + o : NULL, y + chunk->block * c->y_block + at,
                      mask ? mask + chunk->block * c->mask_block + at : NULL, c->chunk[1],
                      c->out[0] - row, c->out[1] - column, c->out[1] * c->lanes, c->flags, r);
        }
}

WINOGRAD_DRIVE {
    float *v = points, *m = v + WINOGRAD_POINTS * c->image_point;
    struct product_parts parts = {.outs = split_evenly(c->out_channels, c->tile_channels),
                                  .channels = split_evenly(c->in_channels, c->channel_block)};
    struct chunk chunk;
    for (chunk.block = begin * c->blocks / c->units; chunk.block < end * c->blocks / c->units;
         chunk.block++)
        for (chunk.row = 0; chunk.row < c->tiles[0]; chunk.row += c->chunk[0])
            for (chunk.column = 0; chunk.column < c->tiles[1]; chunk.column += c->chunk[1]) {
                transform_image(c, &chunk, x, v);
                multiply(c, &parts, &chunk, v, u, m);
                transform_result(c, &chunk, m, bias, y, mask);
            }
}
