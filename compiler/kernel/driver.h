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

/* Direct convolution over blocks of `lanes` samples; x_block, y_block, mask_block: from one block
 * to the next, in numbers. in, out: height and width. flags: what the last block of channels does
 * (MICROKERNEL_RELU, MICROKERNEL_MASK). rows, columns: so many classes of positions, each: start,
 * count, step, in_step, number of taps, and for each tap its kernel index and the input position
 * that the first one reads. tiles: [of the larger, of the smaller number of channels][pixels - 1].
 */
#define CONVOLUTION_DRIVER                                                       \
    struct convolution_driver {                                                  \
        long lanes, groups, in_channels, out_channels, in[2], out[2], kernel[2]; \
        long tile_channels, tile_pixels, channel_block, has_weights, flags;      \
        long row_classes, column_classes;                                        \
        long x_block, y_block, mask_block;                                       \
        const long *rows, *columns;                                              \
        convolution_tile *const *tiles;                                          \
    }
CONVOLUTION_DRIVER;

/** Runs the sample blocks from `begin` to before `end`. w: packed (without weights: a one); bias
 * and mask may be NULL; taps: room for 4 longs a tap of the kernel. */
#define CONVOLUTION_DRIVE                                                                          \
    void convolution_drive(const struct convolution_driver *c, const float *x, const float *w,     \
                           const float *bias, float *y, const float *mask, long *taps, long begin, \
                           long end)
CONVOLUTION_DRIVE;

#endif
