/* winograd.h: convolutions of 3 x 3 taps by Winograd's F(4x4, 3x3), 36 products where the direct
 * sums need 144, of 4 x 4 taps by F(3x3, 4x4) and of 5 x 5 by F(2x2, 5x5), 36 for 144 and 100, for
 * some additions before and after (microkernel_winograd.c tells how). It is one more way to compute
 * the same kernels, taken where it is faster.
 *
 * Where rows and columns of tiles end with one of fewer results, that one has fewer points, so that
 * 14 x 14 results cost 22 x 22 products, not 24 x 24. At the points that it does not have, the
 * products are of the other tiles alone. */
#ifndef LATHE_WINOGRAD_H
#define LATHE_WINOGRAD_H

#include "kernel.h"

enum { WINOGRAD_POINTS = 36, WINOGRAD_EDGE = 6 }; /* points of a tile, along an axis */

/* How a convolution or a weight gradient is computed. Unit u works through a part of the sample
 * blocks, chunk by chunk: tiles of pixels to points, products at each point, points to results. */
struct winograd {
    long tile;           /* rows and columns of one tile of results: 4, or 3 or 2 for 4 x 4 or
                            5 x 5 taps */
    long last;           /* rows and columns of the last tile's results where both axes end with
                            equally many, else `tile`: then the border cuts it */
    long pad[2];         /* rows and columns of zeros in front of the image */
    long tiles[2];       /* rows and columns of tiles that cover the results */
    long chunk[2];       /* rows and columns of tiles at a time; gradient: all columns, */
    long blocks_at_once; /* and so many sample blocks */
    long image_point,
        result_point; /* reals from one point to the next: image; result or gradient */
    /* Memory for the points of a chunk: a thread works in the slot of the first unit of its share
     * of the loop. */
    const struct view *scratch;
    long slot;          /* reals */
    long tiles_at_once; /* plain images: at most so many tiles, one after the other */
    /* Convolution: weights [point][output tile][input channel][tile's channels], padded. */
    long padded_in, weights_point;
    /* Weight gradient: behind a slot's points the sums, [point][input tile][output tile][region], of
     * which each unit makes its part of the result, [part][input tile][output tile][tap][region]: a
     * quarter of the numbers for the threads to exchange. */
    long region, sums_point; /* reals of a tile's channels, of all tiles' */
    long parts, part;        /* units, reals of a part */
};

/** Results along an axis of a tile of a convolution that has the form, and is not ruled out; else
 * 0. */
long winograd_tile(const struct program_plan *plan, const struct window *window, long groups);

/** The first point along an axis, from 0, that a last tile does not have: these are the points from
 * there to before the last one. WINOGRAD_EDGE - 1: it has all. */
long winograd_first_missing(const struct winograd *winograd);

/** Chooses this way for a convolution, if it suits, and its schedule; else returns false. */
bool schedule_winograd(struct program_plan *plan, struct kernel *kernel);

/** The same for plain images (winograd_image.c). */
bool schedule_winograd_image(struct program_plan *plan, struct kernel *kernel);

/** The same for a weight gradient. */
bool schedule_winograd_gradient(struct program_plan *plan, struct kernel *kernel);

/** A new kernel: the weights of a convolution at the points. */
struct kernel *winograd_weights_kernel(struct program_plan *plan, const struct kernel *kernel);

/** A new kernel: the gradient from the parts that the weight gradient's units leave; it takes over
 * the result. */
struct kernel *winograd_sums_kernel(struct program_plan *plan, struct kernel *kernel);

#endif
