/* test_updates.c: the optimizer's steps of single weights: right behind what reads the old values
 * (passes/fuse_updates.c), and with the rows of their gradient (passes/update.c) in emitted models,
 * with which it is tested that they are right, and where weights and slots come from memory. */
#include "tests/compiled_file.h"
#include "tests/kernel_case.h"

/* Two weights with steps of their own, and small ones before, between and behind them. */
#define MODEL(optimizer)                                                                 \
    "local x = input { 70 }\n"                                                           \
    "local a = dense { 64, activation = 'tanh' } (dense { 70, use_bias = false } (x))\n" \
    "local b = dense { 5, activation = 'tanh' } (a)\n"                                   \
    "local c = dense { 3, activation = 'softmax' } (concatenate {} { b, a })\n"          \
    "return model 'm' { inputs = x, outputs = c, training = { batch_size = 20,\n"        \
    "  loss = 'sparse_categorical_crossentropy', optimizer = " optimizer " } }\n"

static const struct kernel_case sgd = {.batch = 20, .layers = MODEL("sgd {}")};
static const struct kernel_case nesterov = {
    .batch = 20, .layers = MODEL("sgd { momentum = 0.9, nesterov = true }")};
static const struct kernel_case rmsprop = {
    .batch = 20, .layers = MODEL("rmsprop { momentum = 0.5, epsilon = 1e-3 }")};
static const struct kernel_case adagrad = {.batch = 20, .layers = MODEL("adagrad {}")};
static const struct kernel_case adadelta = {.batch = 20, .layers = MODEL("adadelta {}")};
static const struct kernel_case adam = {.batch = 20, .layers = MODEL("adam {}")};
static const struct kernel_case nadam = {.batch = 20, .layers = MODEL("nadam {}")};

/* Weights and slots of 18 MB: tiles ask for those of the next rows. Of one layer the last columns
 * are summed in vectors of rows, the others' last vector reaches back. */
static const struct kernel_case far_weights = {
    .batch = 6,
    .layers = "local x = input { 60 }\n"
              "local a = dense { 700, activation = 'tanh' } (x)\n"
              "local b = dense { 706, activation = 'tanh' } (a)\n"
              "local c = dense { 700, activation = 'tanh' } (b)\n"
              "local d = dense { 700, activation = 'tanh' } (c)\n"
              "local e = dense { 3, activation = 'softmax' } (d)\n"
              "return model 'm' { inputs = x, outputs = e, training = { batch_size = 6,\n"
              "  loss = 'sparse_categorical_crossentropy', optimizer = adam {} } }\n"};

static long training_workspace(const char *path, bool standalone) {
    struct arena arena;
    const struct compilation *compilation = compile_file(
        &arena, path, (struct compile_options){.training = true, .standalone = standalone});
    long bytes = (long)compilation->program.arena_bytes;
    arena_free(&arena);
    return bytes;
}

/* The gradient of all weights would take 19.2 MB, with those of one layer at a time 10.1 would be
 * taken. fashion_mlp's come from the L3 cache: the first layer's stands in memory. */
static void gradients_share_memory(void **state) {
    (void)state;
    assert_in_range(training_workspace("models/mnist_deep_mlp.lua", false), 1, 7000000);
    assert_in_range(training_workspace("models/fashion_mlp.lua", false), 784 * 768 * 4, 6000000);
}

/* That of the first layer's 157 KB, of the largest 4 MB. */
static void emitted_gradients_are_rows(void **state) {
    (void)state;
    assert_in_range(training_workspace("models/mnist_mlp_batch_1.lua", true), 1, 40000);
    assert_in_range(training_workspace("models/mnist_deep_mlp.lua", true), 1, 3000000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        KERNEL_CASE(sgd),
        KERNEL_CASE(nesterov),
        KERNEL_CASE(rmsprop),
        KERNEL_CASE(adagrad),
        KERNEL_CASE(adadelta),
        KERNEL_CASE(adam),
        KERNEL_CASE(nadam),
        KERNEL_CASE(far_weights),
        cmocka_unit_test(gradients_share_memory),
        cmocka_unit_test(emitted_gradients_are_rows),
    };
    return cmocka_run_group_tests(tests, start, finish);
}
