/* test_convolutions.c: convolutions by direct sums whose register tiles are special: weight
 * gradients of one input channel or two, which take a kernel row at once (kernel.h: joins_columns),
 * depthwise ones, and those of one tap. */
#include "tests/kernel_case.h"

#define TAIL "flatten {}, dense { 3, activation = 'softmax' }"
#define LOSS "'sparse_categorical_crossentropy'"

/* Columns at both borders that not all taps reach; tiles of two sizes; the last block is not full.
 */
static const struct kernel_case same = {
    40, false, "input { 9, 7, 1 }, conv2d { 13, kernel_size = 3, padding = 'same' }, " TAIL, LOSS};
/* No border. */
static const struct kernel_case valid = {
    16, false, "input { 12, 11, 1 }, conv2d { 7, kernel_size = 5, activation = 'tanh' }, " TAIL,
    LOSS};
/* A border at one side only. */
static const struct kernel_case even = {
    20, false, "input { 6, 9, 1 }, conv2d { 5, kernel_size = { 3, 2 }, padding = 'same' }, " TAIL,
    LOSS};
static const struct kernel_case strides = {
    33, false,
    "input { 11, 12, 1 }, conv2d { 6, kernel_size = 3, strides = 2, padding = 'same' }, " TAIL,
    LOSS};
static const struct kernel_case dilation = {
    17, false,
    "input { 10, 9, 1 }, conv2d { 4, kernel_size = 3, dilation_rate = 2, padding = 'same' }, " TAIL,
    LOSS};
/* A kernel as wide as the image: no column that all taps reach. */
static const struct kernel_case narrow = {
    16, false, "input { 8, 2, 1 }, conv2d { 5, kernel_size = 3, padding = 'same' }, " TAIL, LOSS};
/* Wider than a tile. */
static const struct kernel_case wide = {
    16, false, "input { 5, 14, 1 }, conv2d { 9, kernel_size = { 1, 9 }, padding = 'same' }, " TAIL,
    LOSS};
static const struct kernel_case depthwise = {
    35, false,
    "input { 15, 16, 1 }, conv2d { 6, kernel_size = 1 }, "
    "conv2d { 6, kernel_size = 3, groups = 6, padding = 'same', activation = 'relu' }, "
    "conv2d { 12, kernel_size = 5, groups = 6, padding = 'same' }, max_pool2d { 4 }, " TAIL,
    LOSS};
/* Kernel rows at once (row_tile): of five and seven taps, along rows and, where the image is
 * narrow, along columns, behind ReLU; the last tile of a row is a pixel wide. */
static const struct kernel_case depthwise_rows = {
    19, false,
    "input { 17, 9, 1 }, conv2d { 3, kernel_size = 1 }, "
    "conv2d { 3, kernel_size = { 3, 5 }, groups = 3, padding = 'same', activation = 'relu' }, "
    "conv2d { 3, kernel_size = { 5, 3 }, groups = 3, activation = 'relu' }, "
    "conv2d { 3, kernel_size = 7, groups = 3, padding = 'same' }, " TAIL,
    LOSS};
/* Tiles that are whole rows, as wide as there are and as narrow, of which the border is left out.
 */
static const struct kernel_case depthwise_whole_rows = {
    21, false,
    "input { 6, 14, 1 }, conv2d { 4, kernel_size = 1 }, "
    "conv2d { 4, kernel_size = 3, groups = 4, padding = 'same', activation = 'relu' }, "
    "conv2d { 4, kernel_size = { 2, 5 }, groups = 4, padding = 'same', use_bias = false }, "
    "max_pool2d { { 1, 2 } }, "
    "conv2d { 4, kernel_size = 7, groups = 4, padding = 'same', activation = 'relu' }, "
    "max_pool2d { 2 }, conv2d { 4, kernel_size = 3, groups = 4, padding = 'same' }, " TAIL,
    LOSS};
/* Images of one row to three: kernels that reach out above and below, at once too; rows of two
 * tiles, each at one edge; a kernel wider than half a tile's pixels. */
static const struct kernel_case depthwise_one_row = {
    18, false,
    "input { 1, 10, 1 }, conv2d { 3, kernel_size = 1, activation = 'relu' }, "
    "conv2d { 3, kernel_size = 3, groups = 3, padding = 'same', activation = 'relu' }, "
    "conv2d { 3, kernel_size = { 1, 7 }, groups = 3, padding = 'same' }, " TAIL,
    LOSS};
static const struct kernel_case depthwise_two_rows = {
    16, false,
    "input { 2, 16, 1 }, conv2d { 2, kernel_size = 1, activation = 'relu' }, "
    "conv2d { 2, kernel_size = 3, groups = 2, padding = 'same', activation = 'relu' }, "
    "conv2d { 2, kernel_size = 5, groups = 2, padding = 'same', activation = 'relu' }, "
    "conv2d { 2, kernel_size = { 2, 3 }, groups = 2 }, " TAIL,
    LOSS};
static const struct kernel_case depthwise_three_rows = {
    17, false,
    "input { 3, 15, 1 }, conv2d { 2, kernel_size = 1, activation = 'relu' }, "
    "conv2d { 2, kernel_size = 3, groups = 2, padding = 'same', activation = 'relu' }, "
    "conv2d { 2, kernel_size = { 3, 7 }, groups = 2, padding = 'same', activation = 'relu' }, "
    "conv2d { 2, kernel_size = { 3, 1 }, groups = 2, padding = 'same', activation = 'relu' }, "
    "max_pool2d { { 1, 5 } }, "
    "conv2d { 2, kernel_size = 3, groups = 2, padding = 'same' }, " TAIL,
    LOSS};
/* Three tiles a row: the middle one is at no edge. Whole rows of a kernel without a border. */
static const struct kernel_case depthwise_wide = {
    16, false,
    "input { 9, 31, 1 }, conv2d { 2, kernel_size = 1, activation = 'relu' }, "
    "conv2d { 2, kernel_size = 3, groups = 2, padding = 'same', activation = 'relu' }, "
    "conv2d { 2, kernel_size = { 7, 5 }, groups = 2, padding = 'same', activation = 'relu' }, "
    "conv2d { 2, kernel_size = 3, groups = 2, activation = 'relu' }, "
    "conv2d { 2, kernel_size = { 5, 3 }, groups = 2, padding = 'same' }, max_pool2d { 3 }, " TAIL,
    LOSS};
/* Higher than wide, and of a width of one tile less the border. */
static const struct kernel_case depthwise_high = {
    16, false,
    "input { 17, 6, 1 }, conv2d { 2, kernel_size = 1, activation = 'relu' }, "
    "conv2d { 2, kernel_size = { 5, 3 }, groups = 2, activation = 'relu' }, "
    "conv2d { 2, kernel_size = 3, groups = 2, padding = 'same', activation = 'relu' }, "
    "conv2d { 2, kernel_size = 3, groups = 2, strides = { 2, 1 }, padding = 'same' }, " TAIL,
    LOSS};
/* Backwards, strides leave every second tap; a dilated kernel's taps are no neighbors, but for
 * strides as wide. */
static const struct kernel_case depthwise_strides = {
    16, false,
    "input { 31, 16, 1 }, conv2d { 2, kernel_size = 1 }, "
    "conv2d { 2, kernel_size = 5, groups = 2, strides = 2, padding = 'same' }, "
    "conv2d { 2, kernel_size = 3, groups = 2, dilation_rate = 2, padding = 'same' }, "
    "conv2d { 2, kernel_size = 7, groups = 2, strides = { 2, 1 }, padding = 'same' }, " TAIL,
    LOSS};
/* The last rows are read by no result: backward-data has nothing to sum there. */
static const struct kernel_case depthwise_unread = {
    21, false,
    "input { 8, 7, 1 }, conv2d { 6, kernel_size = 1 }, "
    "conv2d { 6, kernel_size = { 1, 3 }, strides = { 2, 1 }, groups = 6 }, "
    "conv2d { 6, kernel_size = { 1, 2 }, strides = { 3, 1 }, groups = 6 }, " TAIL,
    LOSS};
static const struct kernel_case pointwise = {
    18, false,
    "input { 6, 5, 3 }, conv2d { 14, kernel_size = 1, activation = 'relu' }, "
    "conv2d { 9, kernel_size = 1 }, " TAIL,
    LOSS};

/* Joined columns of two input channels: borders, strides, groups, taps that miss the image. */
static const struct kernel_case two_channels = {
    33, false,
    "input { 9, 7, 2 }, conv2d { 13, kernel_size = 3, padding = 'same', activation = 'relu' }, "
    "conv2d { 2, kernel_size = 1 }, conv2d { 5, kernel_size = { 2, 5 }, strides = { 1, 2 }, "
    "padding = 'same' }, " TAIL,
    LOSS};
static const struct kernel_case pairs_in_groups = {
    20, false,
    "input { 8, 9, 3 }, conv2d { 8, kernel_size = 1, activation = 'relu' }, "
    "conv2d { 8, kernel_size = 3, groups = 4, padding = 'same', activation = 'relu' }, "
    "conv2d { 12, kernel_size = { 3, 4 }, groups = 4, dilation_rate = 2, padding = 'same' }, " TAIL,
    LOSS};
/* One output channel of two: its tile is the columns of one channel, not of both. */
static const struct kernel_case two_channels_to_one = {
    18, false,
    "input { 6, 9, 2 }, conv2d { 1, kernel_size = { 4, 3 }, padding = 'same', activation = 'elu' "
    "}, "
    "conv2d { 6, kernel_size = 1, activation = 'relu' }, "
    "conv2d { 3, kernel_size = 3, groups = 3, padding = 'same' }, " TAIL,
    LOSS};
/* Blocks of samples that do not fit half of the L2 cache: rows, masks and results are asked for
 * ahead.
 */
static const struct kernel_case far = {
    16, false,
    "input { 24, 24, 1 }, conv2d { 16, kernel_size = 1 }, "
    "conv2d { 16, kernel_size = 3, groups = 16, padding = 'same' }, "
    "conv2d { 14, kernel_size = 3, strides = 2, padding = 'same' }, "
    "global_average_pool2d {}, dense { 3, activation = 'softmax' }",
    LOSS};
/* Row tiles ask ahead by themselves, back for the mask, too (AVX2). */
static const struct kernel_case far_rows = {
    8, false,
    "input { 16, 17, 1 }, conv2d { 16, kernel_size = 1, activation = 'relu' }, "
    "conv2d { 16, kernel_size = 3, groups = 16, padding = 'same' }, "
    "global_average_pool2d {}, dense { 3, activation = 'softmax' }",
    LOSS};
static const struct kernel_case far_masked = {
    8, false,
    "input { 16, 17, 1 }, conv2d { 16, kernel_size = 1, activation = 'relu' }, "
    "conv2d { 5, kernel_size = 3, strides = 2, padding = 'same' }, "
    "global_average_pool2d {}, dense { 3, activation = 'softmax' }",
    LOSS};

/* Images of a batch beyond sixteen times AVX2's L2 cache: so are the pieces of weight gradients. */
static const struct kernel_case far_gradients = {
    64, false,
    "input { 16, 16, 1 }, conv2d { 31, kernel_size = 1 }, "
    "conv2d { 34, kernel_size = 1 }, global_average_pool2d {}, "
    "dense { 3, activation = 'softmax' }",
    LOSS};

/* One image: weights that do not stay in the L2 cache are packed for its rows, in tiles of two
 * widths; the last tile of pixels is shorter. */
static const struct kernel_case panels = {
    1, false,
    "input { 3, 8, 1 }, conv2d { 88, kernel_size = 1 }, "
    "conv2d { 208, kernel_size = { 2, 4 }, activation = 'relu' }, "
    "global_average_pool2d {}, dense { 3, activation = 'softmax' }",
    LOSS};

/* No two pixels have the same taps: tiles take a pixel of two blocks of samples (of 16 lanes: four
 * blocks, of 8 eight); in groups; back without a mask. */
static const struct kernel_case few_pixels = {
    64, false,
    "input { 3, 3, 2 }, conv2d { 20, kernel_size = 3, padding = 'same', activation = 'relu' }, "
    "max_pool2d { 2, strides = 1, padding = 'same' }, "
    "conv2d { 19, kernel_size = 3, padding = 'same', activation = 'tanh' }, "
    "conv2d { 38, kernel_size = { 3, 2 }, strides = 2, padding = 'same' }, "
    "conv2d { 6, kernel_size = 2, groups = 2 }, " TAIL,
    LOSS};

/* Windows that reach far beyond the image: most of their taps read nothing. */
static const struct kernel_case far_reach = {
    33, false,
    "input { 3, 2, 2 }, conv2d { 3, kernel_size = { 20, 71 }, padding = 'same' }, average_pool2d "
    "{ { "
    "300, 5 }, strides = 1, padding = 'same' }, flatten {}, dense { 3, activation = 'softmax' }",
    "'sparse_categorical_crossentropy'"};

int main(void) {
    const struct CMUnitTest tests[] = {
        KERNEL_CASE(same),
        KERNEL_CASE(valid),
        KERNEL_CASE(even),
        KERNEL_CASE(strides),
        KERNEL_CASE(dilation),
        KERNEL_CASE(narrow),
        KERNEL_CASE(wide),
        KERNEL_CASE(depthwise),
        KERNEL_CASE(pointwise),
        KERNEL_CASE(depthwise_rows),
        KERNEL_CASE(depthwise_whole_rows),
        KERNEL_CASE(depthwise_strides),
        KERNEL_CASE(depthwise_unread),
        KERNEL_CASE(depthwise_one_row),
        KERNEL_CASE(depthwise_two_rows),
        KERNEL_CASE(depthwise_three_rows),
        KERNEL_CASE(depthwise_wide),
        KERNEL_CASE(depthwise_high),
        KERNEL_CASE(two_channels),
        KERNEL_CASE(pairs_in_groups),
        KERNEL_CASE(two_channels_to_one),
        KERNEL_CASE(panels),
        KERNEL_CASE(few_pixels),
        KERNEL_CASE(far),
        KERNEL_CASE(far_reach),
        KERNEL_CASE(far_rows),
        KERNEL_CASE(far_masked),
        KERNEL_CASE(far_gradients),
    };
    return cmocka_run_group_tests(tests, start, finish);
}
