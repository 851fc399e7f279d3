/* driver_convolution.c: the loops of a direct convolution, for libtcc (see driver.h). What they do
 * is what c/convolution.c writes for a C compiler. */
#include "driver.h"
#include "kernel.h"
#include "microkernel.h"

/* Of a class of positions: where its numbers are. */
enum { START, COUNT, STEP, IN_STEP, RUN, LOWEST, TAP_COUNT, TAPS };

/* A group of channels of a block of samples. */
struct block {
    const float *x, *w, *bias, *mask;
    float *y;
};

/* Pixels with the same taps. Tiles run along the inner direction. */
struct region {
    long start;        /* where it begins in the output */
    long outer, inner; /* pixels */
    long outer_in, inner_in, outer_out, inner_out;
    long tap_count;
    const long *taps[2];        /* for tiles of the larger and of the smaller number of channels */
    row_tile *const *row_tiles; /* by pixels - 1; or NULL: these have other tiles */
    const long *row_taps;
    long row_tap_count, run;
    long ahead, rows_ahead; /* rows that only the next line of pixels reads: where, and how many */
};

static const long *next_class(const long *class) {
    return class + TAPS + 2 * class[TAP_COUNT];
}

/* Pairs: offset into the input, offset into the packed weights of one channel. */
static void find_taps(const struct convolution_driver *c, const long *row, const long *column,
                      long tile, long *taps) {
    for (long i = 0; i < row[TAP_COUNT]; i++)
        for (long j = 0; j < column[TAP_COUNT]; j++) {
            const long *of_row = row + TAPS + 2 * i, *of_column = column + TAPS + 2 * j;
            *taps++ = (of_row[1] * c->in[1] + of_column[1]) * c->lanes;
            *taps++ = c->has_weights ? (of_row[0] * c->kernel[1] + of_column[0]) * tile : 0;
        }
}

/* Pixels of an image that a tile holds at most. */
static long image_pixels(const struct convolution_driver *c) {
    return c->blocks_at_once > 1 ? 1 : c->tile_pixels;
}

/* Whether there are row tiles for all pixels of a region's rows. */
static bool are_row_tiles(const struct convolution_driver *c, const struct region *r) {
    struct split pixels = split_evenly(r->inner, image_pixels(c));
    return (!pixels.big || c->row_tiles[pixels.size]) &&
           (!pixels.small || c->row_tiles[pixels.size - 1]);
}

/* Where one channel's tiles reach all taps of a kernel row, and these read neighbors: pairs of the
 * leftmost one of each kernel row, from the top down, if these read neighbors. */
static void find_rows(const struct convolution_driver *c, const long *row, const long *column,
                      bool is_upright, struct region *r, long *taps) {
    const long *leftmost = column + TAPS + 2 * column[LOWEST];
    if (!c->row_tiles || is_upright || !column[RUN] || column[STEP] != 1 || column[IN_STEP] != 1 ||
        column[TAP_COUNT] != c->kernel[1] || !row[TAP_COUNT] || !are_row_tiles(c, r))
        return;
    r->row_tiles = c->row_tiles;
    r->row_taps = taps;
    r->row_tap_count = row[TAP_COUNT];
    r->run = column[RUN];
    for (long i = 0; i < row[TAP_COUNT]; i++) {
        const long *of_row = row + TAPS + 2 * (row[LOWEST] ? row[LOWEST] - i : i);
        *taps++ = (of_row[1] * c->in[1] + leftmost[1]) * c->lanes;
        *taps++ = of_row[0] * c->kernel[1] + leftmost[0];
    }
}

/* In the middle of the columns that the taps of a pixel read. */
static void find_rows_ahead(const struct convolution_driver *c, const long *row, const long *column,
                            bool is_upright, struct region *r) {
    long bottom = 0, left = 0, right = 0;
    if (!c->prefetches || is_upright || row[COUNT] < 2) return;
    for (long i = 0; i < row[TAP_COUNT]; i++) {
        long at = row[TAPS + 2 * i + 1];
        if (at > bottom) bottom = at;
    }
    for (long i = 0; i < column[TAP_COUNT]; i++) {
        long at = column[TAPS + 2 * i + 1];
        if (i == 0 || at < left) left = at;
        if (at > right) right = at;
    }
    r->ahead = ((bottom + 1) * c->in[1] + (left + right) / 2) * c->lanes;
    r->rows_ahead = row[IN_STEP];
}

static struct region region_of(const struct convolution_driver *c, const long *row,
                               const long *column, long *taps) {
    long in_row = c->in[1] * c->lanes * row[IN_STEP], in_column = c->lanes * column[IN_STEP];
    long out_row = c->out[1] * c->lanes * row[STEP], out_column = c->lanes * column[STEP];
    long tap_count = row[TAP_COUNT] * column[TAP_COUNT];
    bool is_upright = column[COUNT] < image_pixels(c) && row[COUNT] > column[COUNT];
    struct region r = {(row[START] * c->out[1] + column[START]) * c->lanes,
                       row[COUNT],
                       column[COUNT],
                       in_row,
                       in_column,
                       out_row,
                       out_column,
                       tap_count,
                       {taps, taps + 2 * tap_count},
                       NULL,
                       NULL,
                       0,
                       0,
                       0,
                       0};
    if (is_upright) {
        r.outer = column[COUNT], r.inner = row[COUNT];
        r.outer_in = in_column, r.inner_in = in_row;
        r.outer_out = out_column, r.inner_out = out_row;
    }
    find_rows_ahead(c, row, column, is_upright, &r);
    find_rows(c, row, column, is_upright, &r, taps);
    if (r.row_tiles) return r;
    struct split outs = split_evenly(c->out_channels, c->tile_channels);
    if (outs.big) find_taps(c, row, column, outs.size + 1, taps);
    if (outs.small) find_taps(c, row, column, outs.size, taps + 2 * tap_count);
    return r;
}

/* The edges of the image that a tile of so many pixels from q on goes to. */
static long outside_of(const struct convolution_driver *c, const struct region *r, long q,
                       long pixels) {
    return c->outside &
           ~((q > 0 ? MICROKERNEL_LEFT : 0) | (q + pixels < r->inner ? MICROKERNEL_RIGHT : 0));
}

/* Row tiles: over all rows in one call. */
static void run_rows(const struct convolution_driver *c, const struct region *r,
                     const struct block *b) {
    struct split pixels = split_evenly(r->inner, c->tile_pixels);
    long wide_pixels = pixels.big * (pixels.size + 1);
    long flags = c->flags | (c->prefetches ? MICROKERNEL_AHEAD : 0);
    for (long q = 0, p; q < r->inner; q += p) {
        p = pixels.size + (q < wide_pixels);
        r->row_tiles[p - 1](b->x + q * r->inner_in, b->w, b->bias, b->y + q * r->inner_out,
                            b->mask ? b->mask + q * r->inner_out : NULL, r->row_taps,
                            r->row_tap_count, r->outer, outside_of(c, r, q, p), r->run, r->outer_in,
                            r->outer_out, flags);
    }
}

/* All tiles of some input channels over a line of pixels. */
static void run_line(const struct convolution_driver *c, const struct region *r, struct block b,
                     long channels, long flags) {
    struct split pixels = split_evenly(r->inner, image_pixels(c));
    bool is_one_block = c->blocks_at_once == 1;
    long in_pixel = is_one_block ? r->inner_in : c->x_block;
    long out_pixel = is_one_block ? r->inner_out : c->y_block;
    struct split outs = split_evenly(c->out_channels, c->tile_channels);
    long in_plane = c->in[0] * c->in[1] * c->lanes, out_plane = c->out[0] * c->out[1] * c->lanes;
    long taps = c->kernel[0] * c->kernel[1];
    long wide_pixels = pixels.big * (pixels.size + 1), wide_outs = outs.big * (outs.size + 1);
    for (long q = 0, p; q < r->inner; q += p) {
        p = pixels.size + (q < wide_pixels);
        for (long o = 0, t; o < c->out_channels; o += t) {
            bool is_small = o >= wide_outs;
            long at = o * out_plane + q * r->inner_out;
            t = outs.size + !is_small;
            const float *next = b.x + r->ahead + q * r->inner_in;
            for (long k = o * channels / c->out_channels; k < (o + t) * channels / c->out_channels;
                 k++)
                for (long row = 0; row < r->rows_ahead; row++)
                    for (long i = 0; i < p * r->inner_in; i += LINE)
                        __builtin_prefetch(next + k * in_plane + row * c->in[1] * c->lanes + i);
            c->tiles[is_small * c->tile_pixels + (is_one_block ? p : c->blocks_at_once) - 1](
                b.x + q * r->inner_in, c->has_weights ? b.w + o * channels * taps : b.w,
                b.bias ? b.bias + o : NULL, b.y + at, b.mask ? b.mask + at : NULL,
                r->taps[is_small], r->tap_count, channels, in_plane, taps * t, in_pixel, out_pixel,
                out_plane, flags);
        }
    }
}

static void run_region(const struct convolution_driver *c, const struct region *r,
                       struct block block) {
    block.y += r->start;
    if (block.mask) block.mask += r->start;
    if (r->row_tiles) {
        run_rows(c, r, &block);
        return;
    }
    struct split parts = split_evenly(c->in_channels, c->channel_block);
    long count = parts.big + parts.small, in_plane = c->in[0] * c->in[1] * c->lanes;
    for (long i = 0; i < r->outer; i++)
        for (long part = 0, first = 0, channels; part < count; part++, first += channels) {
            struct block b = block;
            channels = parts.size + (part < parts.big);
            b.x += first * in_plane + i * r->outer_in;
            if (c->has_weights) b.w += first * c->out_channels * c->kernel[0] * c->kernel[1];
            b.y += i * r->outer_out;
            if (b.mask) b.mask += i * r->outer_out;
            run_line(c, r, b, channels,
                     (part == 0 ? MICROKERNEL_FIRST : 0) | (part == count - 1 ? c->flags : 0));
        }
}

/* All regions of a block. */
static void run_block(const struct convolution_driver *c, const struct block *block, long *taps) {
    const long *row = c->rows;
    for (long i = 0; i < c->row_classes; i++, row = next_class(row)) {
        const long *column = c->columns;
        for (long j = 0; j < c->column_classes; j++, column = next_class(column)) {
            struct region r = region_of(c, row, column, taps);
            run_region(c, &r, *block);
        }
    }
}

/* With one region its numbers are found once for all: they took longer than the products of a
 * channel of 7 x 7. */
CONVOLUTION_DRIVE {
    long in = c->in_channels * c->in[0] * c->in[1] * c->lanes;
    long out = c->out_channels * c->out[0] * c->out[1] * c->lanes;
    long weights = c->in_channels * c->out_channels * c->kernel[0] * c->kernel[1];
    bool is_one = c->row_classes * c->column_classes == 1;
    struct region all = {0};
    if (is_one) all = region_of(c, c->rows, c->columns, taps);
    for (long n = begin * c->blocks_at_once; n < end * c->blocks_at_once; n += c->blocks_at_once)
        for (long group = 0; group < c->groups; group++) {
            struct block b = {x + n * c->x_block + group * in,
                              c->has_weights ? w + group * weights : w,
                              bias ? bias + group * c->out_channels : NULL,
                              mask ? mask + n * c->mask_block + group * out : NULL,
                              y + n * c->y_block + group * out};
            if (is_one)
                run_region(c, &all, b);
            else
                run_block(c, &b, taps);
        }
}
