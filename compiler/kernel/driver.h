/* driver.h: loops around microkernels, compiled once with lathe. The C compiler's form of a kernel
 * has its own loops, with the kernel's numbers in them; libtcc's form hands the numbers to one of
 * these: less text for libtcc, and no calls from its slow code. They run the same schedule, tile by
 * tile in the same order. */
#ifndef LATHE_DRIVER_H
#define LATHE_DRIVER_H

/* A declaration for this file, and its text for libtcc. */
#define DRIVER_TEXT(...) DRIVER_TEXT_OF(__VA_ARGS__)
#define DRIVER_TEXT_OF(...) #__VA_ARGS__

/** The type of convolution_tile_TxP (microkernel.h). */
typedef void convolution_tile(const float *x, const float *w, const float *bias, float *y,
                              const float *mask, const long *taps, long tap_count, long channels,
                              long x_plane, long w_channel, long x_step, long y_step, long y_plane,
                              long flags);

/** The type of row_tile_KxP (microkernel.h). */
typedef void row_tile(const float *x, const float *w, const float *bias, float *y,
                      const float *mask, const long *taps, long tap_count, long rows, long outside,
                      long w_tap, long x_row, long y_row, long flags);

/** The type of point_tile_TxP (microkernel.h). */
typedef void point_tile(const float *x, const float *w, float *y, long channels, long x_plane,
                        long y_plane, long is_first);

/* Direct convolution over blocks of `lanes` samples; x_block, y_block, mask_block: from one block
 * to the next, in numbers. in, out: height and width. flags: what the last block of channels does
 * (MICROKERNEL_RELU, MICROKERNEL_MASK). rows, columns: so many classes of positions, each: start,
 * count, step, in_step, run, lowest tap (kernel.h: axis_class), number of taps, and for each tap its
 * kernel index and the input position that the first one reads. tiles: [of the larger, of the
 * smaller number of channels][pixels - 1]. row_tiles: of one channel,
 * [pixels - 1], NULL where there is none; or NULL. */
#define CONVOLUTION_DRIVER                                                       \
    struct convolution_driver {                                                  \
        long lanes, groups, in_channels, out_channels, in[2], out[2], kernel[2]; \
        long tile_channels, tile_pixels, channel_block, has_weights, flags;      \
        long prefetches, blocks_at_once, outside;                                \
        long row_classes, column_classes;                                        \
        long x_block, y_block, mask_block;                                       \
        const long *rows, *columns;                                              \
        convolution_tile *const *tiles;                                          \
        row_tile *const *row_tiles;                                              \
    }
CONVOLUTION_DRIVER;

/** Runs the units from `begin` to before `end`: sample blocks, or some at once. w: packed (without weights: a one); bias
 * and mask may be NULL; taps: room for 4 longs for each tap of a pixel. */
#define CONVOLUTION_DRIVE                                                                          \
    void convolution_drive(const struct convolution_driver *c, const float *x, const float *w,     \
                           const float *bias, float *y, const float *mask, long *taps, long begin, \
                           long end)
CONVOLUTION_DRIVE;

/* Convolution by Winograd's algorithm over blocks of samples, which lie x_block, y_block and
 * mask_block numbers apart: the numbers of struct winograd (winograd.h) and of its products' tiles;
 * `blocks` sample blocks are shared by `units`. */
#define WINOGRAD_DRIVER                                                                        \
    struct winograd_driver {                                                                   \
        long lanes, blocks, units, tile_size, first_missing, in_channels, out_channels, in[2], \
            out[2];                                                                            \
        long tile_channels, tile_pixels, channel_block, flags, prefetches;                     \
        long pad[2], tiles[2], chunk[2], image_point, result_point, padded_in, weights_point,  \
            x_block, y_block, mask_block;                                                      \
        point_tile *const *tile;                                                               \
        void (*image)(const float *x, float *v, long v_point, long tiles, long top, long left, \
                      long height, long width, long rows, long columns, long row);             \
        void (*result)(const float *m, long m_point, const float *bias, float *y,              \
                       const float *mask, long tiles, long rows, long columns, long y_row,     \
                       long flags, long row);                                                  \
    }
WINOGRAD_DRIVER;

/** Runs the units from `begin` to before `end`. u: the weights at the points; points: the
 * calling thread's slot of scratch memory; bias and mask may be NULL. */
#define WINOGRAD_DRIVE                                                                             \
    void winograd_drive(const struct winograd_driver *c, const float *x, const float *u,           \
                        const float *bias, float *y, const float *mask, float *points, long begin, \
                        long end)
WINOGRAD_DRIVE;

#endif
