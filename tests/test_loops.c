/* test_loops.c: elementwise loops and sums over short rows, which libtcc's form of a model computes
 * several at a time. */
#include "tests/kernel_case.h"

/* ---- all cases ---- */

/* Sums, maxima and positions along rows; a number for each row. */
static const struct kernel_case softmax = {100, false,
                                           "input { 12 }, dense { 10, activation = 'softmax' }",
                                           "'sparse_categorical_crossentropy'"};
/* Rows that leave a piece of 1024 numbers unfilled, and the last piece shorter than the others. */
static const struct kernel_case narrow = {
    350, false, "input { 4 }, dense { 3, activation = 'softmax' }", "'categorical_crossentropy'"};
/* Rows of two: 512 fill a piece. */
static const struct kernel_case pairs = {520, false,
                                         "input { 3 }, dense { 2, activation = 'softmax' }",
                                         "'sparse_categorical_crossentropy'"};
/* Sums over the rows, the same row for all of them, random numbers. */
static const struct kernel_case normalized = {
    37, false,
    "input { 9 }, dense { 13 }, batch_norm {}, activation { 'elu' }, dropout { 0.3 }, "
    "dense { 21, activation = 'gelu' }, batch_norm {}, dense { 6, activation = 'softmax' }",
    "'sparse_categorical_crossentropy'"};
/* Random numbers and positions in rows with a number each; pieces of an uneven number of rows. */
static const struct kernel_case hidden = {
    70, false,
    "input { 8 }, dense { 17, activation = 'softmax' }, dropout { 0.4 }, "
    "dense { 33, activation = 'softmax' }, dropout { 0.2 }, dense { 5, activation = 'softmax' }",
    "'sparse_categorical_crossentropy'"};
/* Rows too long to repeat what is one number for each, but not too long to be summed together. */
static const struct kernel_case longer = {
    24, false,
    "input { 6 }, dense { 300, activation = 'sigmoid' }, dense { 70, activation = 'softmax' }",
    "'sparse_categorical_crossentropy'"};
/* A loss of the user's own, over rows and not all of them valid. */
static const struct kernel_case squares = {
    33, false, "input { 5 }, dense { 6, activation = 'leaky_relu' }, dense { 7 }",
    "function(y, p) return (y - p) * (y - p) + 0.1 * sin(p) end"};
/* Images: channels in rows where the batch is small, samples where it is not. */
static const struct kernel_case images = {
    6, false,
    "input { 5, 4, 2 }, conv2d { 3, kernel_size = 3, padding = 'same' }, batch_norm {}, "
    "activation { 'tanh' }, average_pool2d { 2, padding = 'same' }, dropout { 0.2 }, flatten {}, "
    "dense { 4, activation = 'softmax' }",
    "'categorical_crossentropy'"};
static const struct kernel_case image_softmax = {
    40, false,
    "input { 3, 3, 2 }, conv2d { 5, kernel_size = 2, activation = 'softmax' }, flatten {}, "
    "dense { 4, activation = 'softmax' }",
    "'sparse_categorical_crossentropy'"};
/* Pooling that leaves the image as it is. */
static const struct kernel_case pool_of_one_pixel = {
    4, false,
    "input { 30 }, dense { 13 }, reshape { 1, 1, 13 }, "
    "max_pool2d { { 3, 2 }, strides = { 3, 2 }, padding = 'same' }, dense { 32, activation = "
    "'sigmoid' }",
    "'mean_squared_error'"};

#define TAIL                                                                              \
    "return model 'm' { inputs = i, outputs = dense { 3, activation = 'softmax' } (x),\n" \
    "  training = { batch_size = 20, loss = 'sparse_categorical_crossentropy' } }\n"
/* One loop reads more tensors than any model of people. */
static const struct kernel_case many_operands = {
    .batch = 20,
    .layers = "local i, all = input { 5 }, {}\n"
              "for k = 1, 120 do all[k] = dense { 4 } (i) end\n"
              "local x = add {} (all)\n" TAIL};
/* The same, of one operand: each value is read by the next ones more than once. */
static const struct kernel_case shared_values = {
    .batch = 20,
    .layers = "local i = input { 5 }\n"
              "local x = dense { 4 } (i)\n"
              "for k = 1, 40 do x = add {} { x, activation { function(x) return 0.1 * sin(x) end } "
              "(x) } end\n" TAIL};
static const struct kernel_case shared_pixels = {
    .batch = 20,
    .layers = "local i = input { 6, 6, 2 }\n"
              "local x = conv2d { 3, kernel_size = 3 } (i)\n"
              "for k = 1, 30 do x = add {} { x, activation { 'tanh' } (x) } end\n"
              "x = flatten {} (max_pool2d { 2 } (x))\n" TAIL};
/* More streams of random numbers than a word has bits. */
static const struct kernel_case many_streams = {
    .batch = 20,
    .layers = "local i = input { 5 }\n"
              "local x = dense { 4 } (i)\n"
              "for k = 1, 70 do x = dropout { 0.1 } (x) end\n" TAIL};

int main(void) {
    const struct CMUnitTest tests[] = {
        KERNEL_CASE(softmax),           KERNEL_CASE(narrow),        KERNEL_CASE(pairs),
        KERNEL_CASE(normalized),        KERNEL_CASE(hidden),        KERNEL_CASE(longer),
        KERNEL_CASE(squares),           KERNEL_CASE(images),        KERNEL_CASE(image_softmax),
        KERNEL_CASE(pool_of_one_pixel), KERNEL_CASE(many_operands), KERNEL_CASE(shared_values),
        KERNEL_CASE(shared_pixels),     KERNEL_CASE(many_streams),
    };
    return cmocka_run_group_tests(tests, start, finish);
}
