/* test_block_sums.c: what is summed block of samples by block, and added up afterwards
 * (kernel/block_sums.c): statistics of batch normalization, gradients of biases and weights. */
#include "tests/kernel_case.h"

#define TAIL "flatten {}, dense { 3, activation = 'softmax' }"
#define LOSS "'sparse_categorical_crossentropy'"

/* Window by window; the last block is not full. */
static const struct kernel_case windows = {
    40, false,
    "input { 8, 6, 1 }, conv2d { 5, kernel_size = 3, padding = 'same', activation = 'relu' }, "
    "batch_norm {}, max_pool2d { 2 }, dropout { 0.3 }, " TAIL,
    LOSS};
static const struct kernel_case plain_loops = {
    33, false,
    "input { 7, 5, 2 }, conv2d { 6, kernel_size = 3, activation = 'tanh' }, batch_norm {}, " TAIL,
    LOSS};
/* One channel: blocks and channels are one loop. */
static const struct kernel_case one_channel = {48, false,
                                               "input { 6, 6, 1 }, conv2d { 1, kernel_size = 3, "
                                               "activation = 'sigmoid' }, batch_norm {}, " TAIL,
                                               LOSS};
/* Nothing to add up. */
static const struct kernel_case one_block = {
    4, false, "input { 6, 6, 1 }, conv2d { 4, kernel_size = 3 }, batch_norm {}, " TAIL, LOSS};

int main(void) {
    const struct CMUnitTest tests[] = {
        KERNEL_CASE(windows),
        KERNEL_CASE(plain_loops),
        KERNEL_CASE(one_channel),
        KERNEL_CASE(one_block),
    };
    return cmocka_run_group_tests(tests, start, finish);
}
