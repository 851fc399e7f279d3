/* test_products.c: dense layers whose products are cut in a special way. */
#include "tests/compiled_file.h"
#include "tests/kernel_case.h"

#define LOSS "'sparse_categorical_crossentropy'"
#define LAST "dense { 3, activation = 'softmax' }"

/* One sample: rows of one number each. */
static const struct kernel_case one_row = {
    1, false,
    "input { 70 }, dense { 300, activation = 'tanh' }, dense { 3, activation = 'softmax' }", LOSS};

/* Few columns behind the last vector (kernel.h: tail), of 16 lanes and of 8. Rows of two tile
 * sizes, forward, and of two sizes of units, weight gradient. */
static const struct kernel_case tail_of_two = {
    100, false, "input { 144 }, dense { 50, activation = 'relu' }, " LAST, LOSS};
/* One column has wider units. */
static const struct kernel_case tail_of_one = {
    37, false, "input { 240 }, dense { 33, activation = 'tanh' }, " LAST, LOSS};
/* Of 16 lanes only; no bias. */
static const struct kernel_case tail_of_four = {
    50, false, "input { 80 }, dense { 36, use_bias = false, activation = 'relu' }, " LAST, LOSS};
/* A depth that vectors do not fill: the weight gradient alone, its last vector over the one before.
 */
static const struct kernel_case tail_of_gradient = {
    19, false, "input { 30 }, dense { 99, activation = 'relu' }, dense { 34 }, " LAST, LOSS};

/* A weight gradient's rows, laid side by side some at a time (kernel.h: row_panel): several times
 * in a unit, the last one short; and with columns behind the last vector. */
static const struct kernel_case gathered = {
    21, false, "input { 1640 }, dense { 75, activation = 'relu' }, " LAST, LOSS};
static const struct kernel_case gathered_tail = {
    24, false, "input { 200 }, dense { 130, activation = 'tanh' }, " LAST, LOSS};
/* Weights that are more than half of the L2 cache, in blocks of the depth; the last vector reaches
 * back over its neighbor. */
static const struct kernel_case depth_blocks = {
    20, false, "input { 330 }, dense { 410, activation = 'relu' }, dense { 340 }, " LAST, LOSS};

/* Weight gradients of fewer columns than lanes: all in vectors of rows, in parts; a tile is short.
 */
static const struct kernel_case narrow = {
    30, false, "input { 171 }, dense { 13, activation = 'relu' }, dense { 77 }, dense { 7 }, " LAST,
    LOSS};

/* Large weights in halves of their depth (halves.c): units of rows, the last vector over the one
 * before, and of columns, without relu. */
static const struct kernel_case halves_of_rows = {
    27, false, "input { 1100 }, dense { 66, activation = 'relu' }, " LAST, LOSS};
static const struct kernel_case halves_of_columns = {
    6, false, "input { 420 }, dense { 170, activation = 'tanh' }, dense { 400 }, " LAST, LOSS};

/* Of a model's training step. */
static int halves_of(const char *path) {
    struct arena arena;
    const struct compilation *compilation =
        compile_file(&arena, path, (struct compile_options){.training = true, .prediction = true});
    int count[MODE_COUNT] = {0};
    for (int mode = 0; mode < MODE_COUNT; mode++)
        for (int i = 0; i < compilation->kernel_count[mode]; i++) {
            const char *name = compilation->kernels[mode][i].name;
            size_t length = strlen(name);
            count[mode] += length > 11 && !strcmp(name + length - 11, "_output_sum");
        }
    assert_int_equal(count[MODE_PREDICTION], 0);
    arena_free(&arena);
    return count[MODE_TRAINING];
}

/* Five large layers; none of d0, whose weights are few. */
static void test_halves(void **state) {
    (void)state;
    assert_int_equal(halves_of("models/mnist_deep_mlp.lua"), 5);
    assert_int_equal(halves_of("models/mnist_mlp.lua"), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        KERNEL_CASE(one_row),        KERNEL_CASE(tail_of_two),       KERNEL_CASE(tail_of_one),
        KERNEL_CASE(tail_of_four),   KERNEL_CASE(tail_of_gradient),  KERNEL_CASE(gathered),
        KERNEL_CASE(gathered_tail),  KERNEL_CASE(depth_blocks),      KERNEL_CASE(narrow),
        KERNEL_CASE(halves_of_rows), KERNEL_CASE(halves_of_columns), cmocka_unit_test(test_halves),
    };
    return cmocka_run_group_tests(tests, start, finish);
}
