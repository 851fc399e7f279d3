/* test_groups.c: kernels that run together, block of samples by block (passes/group.c): models
 * where much can be moved, and not all of it may, against the reference. */
#include "tests/compiled_file.h"
#include "tests/kernel_case.h"

#define TAIL "flatten {}, dense { 3, activation = 'softmax' }"
#define LOSS "'sparse_categorical_crossentropy'"

/* Convolutions one behind the other, pooling and sums over samples between them. */
static const struct kernel_case chain = {
    40, false,
    "input { 9, 8, 2 }, conv2d { 5, kernel_size = 3, padding = 'same', activation = 'relu' }, "
    "conv2d { 6, kernel_size = 3, activation = 'tanh' }, batch_norm {}, max_pool2d { 2 }, "
    "conv2d { 4, kernel_size = 2, padding = 'same', activation = 'sigmoid' }, dropout { 0.2 "
    "}, " TAIL,
    LOSS};
/* Images of other sizes, pieces of them and rows of samples lie between. */
static const struct kernel_case shapes = {
    33, false,
    "input { 8, 8, 1 }, conv2d { 4, kernel_size = 3, padding = 'same', activation = 'relu' }, "
    "average_pool2d { 2 }, reshape { 8, 2, 4 }, conv2d { 3, kernel_size = { 3, 1 } }, "
    "activation { 'elu' }, max_pool2d { { 2, 1 } }, global_average_pool2d {}, "
    "dense { 3, activation = 'softmax' }",
    LOSS};
/* Padded samples in the last block, groups and strides. */
static const struct kernel_case strides = {
    50, false,
    "input { 10, 6, 4 }, batch_norm { axis = 1 }, conv2d { 6, kernel_size = 3, strides = 2, "
    "groups = 2, padding = 'same' }, batch_norm { scale = false }, activation { 'relu' }, " TAIL,
    LOSS};

/* Branches that meet: each layer of the one lies between those of the other. */
static const struct kernel_case branches = {
    .batch = 40,
    .layers = "local x = input { 6, 6, 2 }\n"
              "local a = conv2d { 4, kernel_size = 3, padding = 'same', activation = 'relu' } (x)\n"
              "local b = conv2d { 4, kernel_size = 1, activation = 'tanh' } (x)\n"
              "local c = add {} { batch_norm {} (a), b }\n"
              "local d = concatenate {} { max_pool2d { 2 } (c), average_pool2d { 2 } (a) }\n"
              "local e = dense { 3, activation = 'softmax' } (flatten {} (dropout { 0.3 } (d)))\n"
              "return model 'm' { inputs = x, outputs = e, training = { batch_size = 40,\n"
              "  loss = 'sparse_categorical_crossentropy', optimizer = adam {} } }\n"};

/* Images that would come from memory: several convolutions run together. */
static const struct kernel_case far = {
    .batch = 48,
    .layers = "input { 67, 67, 1 }, conv2d { 5, kernel_size = 2, padding = 'same', activation = "
              "'tanh' }, conv2d { 5, kernel_size = 2, padding = 'same', activation = 'tanh' }, "
              "average_pool2d { 4 }, conv2d { 4, kernel_size = 3, strides = 2 }, " TAIL,
    .loss = LOSS};
/* The training step of a model file; the caller frees the arena. */
static const struct compilation *compile_step(struct arena *arena, const char *path) {
    return compile_file(arena, path, (struct compile_options){.training = true});
}

static bool ends_with(const char *name, const char *end) {
    size_t length = strlen(name), end_length = strlen(end);
    return length >= end_length && !strcmp(name + length - end_length, end);
}

/* A group of the model's training step has that many convolutions and weight gradients. */
static void test_far_images(void **state) {
    (void)state;
    struct arena arena;
    const struct compilation *compilation = compile_step(&arena, "models/cnn_hourglass.lua");
    const struct kernel_summary *kernels = compilation->kernels[MODE_TRAINING];
    int most_forward = 0, most_gradients = 0;
    for (int i = 0; i < compilation->kernel_count[MODE_TRAINING]; i += kernels[i].together) {
        int forward = 0, gradients = 0;
        for (int k = 0; k < kernels[i].together; k++) {
            forward +=
                kernels[i + k].part == PART_FORWARD && !ends_with(kernels[i + k].name, "_weights");
            gradients += kernels[i + k].part == PART_WEIGHT_GRADIENT;
        }
        if (forward > most_forward) most_forward = forward;
        if (gradients > most_gradients) most_gradients = gradients;
    }
    assert_in_range(most_forward, 5, 9);
    assert_in_range(most_gradients, 3, 9);
    arena_free(&arena);
}

/* The weight gradient of the first convolution has a unit for each block: it follows the loop that
 * makes its gradient. */
static void test_first_gradient(void **state) {
    (void)state;
    struct arena arena;
    const struct compilation *compilation = compile_step(&arena, "models/cnn_batch_norm.lua");
    const struct kernel_summary *kernels = compilation->kernels[MODE_TRAINING];
    int found = 0;
    for (int i = 0; i < compilation->kernel_count[MODE_TRAINING]; i += kernels[i].together)
        for (int k = 1; k < kernels[i].together; k++)
            found += !strcmp(kernels[i + k].name, "conv2d_kernel_gradient");
    assert_int_equal(found, 1);
    arena_free(&arena);
}

/* Each thread packs the weights of a model's convolutions for itself, forward and back; not those of
 * cnn_batch_norm_wide that do not fit a cache. */
static void test_packing(void **state) {
    static const struct {
        const char *path;
        int alone, by_thread;
    } expected[] = {{"models/cnn_increasing.lua", 0, 19},
                    {"models/cnn_batch_norm_wide.lua", 4, 1},
                    {"models/branches.lua", 0, 7}};
    (void)state;
    for (size_t m = 0; m < sizeof expected / sizeof *expected; m++) {
        struct arena arena;
        const struct compilation *compilation = compile_step(&arena, expected[m].path);
        const struct kernel_summary *kernels = compilation->kernels[MODE_TRAINING];
        int alone = 0, by_thread = 0;
        for (int i = 0; i < compilation->kernel_count[MODE_TRAINING]; i += kernels[i].together)
            for (int k = 0; k < kernels[i].together; k++) {
                const char *name = kernels[i + k].name;
                if (!ends_with(name, "_weights") && !ends_with(name, "_pack")) continue;
                alone += kernels[i].together == 1;
                by_thread += kernels[i].together > 1;
            }
        assert_int_equal(alone, expected[m].alone);
        assert_int_equal(by_thread, expected[m].by_thread);
        arena_free(&arena);
    }
}

/* More than a quarter of this model's kernels are in groups, whose numbers tell the next one. */
static void test_tasks(void **state) {
    (void)state;
    struct arena arena;
    const struct compilation *compilation = compile_step(&arena, "models/cnn_increasing.lua");
    const struct kernel_summary *kernels = compilation->kernels[MODE_TRAINING];
    int count = compilation->kernel_count[MODE_TRAINING], shared = 0, grouped = 0;
    for (int i = 0; i < count; i += kernels[i].together) {
        assert_in_range(kernels[i].together, 1, count - i);
        for (int k = 1; k < kernels[i].together; k++) assert_int_equal(kernels[i + k].together, 0);
        shared += kernels[i].units > 1;
        if (kernels[i].together > 1) grouped += kernels[i].together;
    }
    print_message("%d kernels, %d of them in groups, %d shared tasks\n", count, grouped, shared);
    assert_true(grouped > count / 4);
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        KERNEL_CASE(chain),
        KERNEL_CASE(shapes),
        KERNEL_CASE(strides),
        KERNEL_CASE(branches),
        KERNEL_CASE(far),
        cmocka_unit_test(test_packing),
        cmocka_unit_test(test_first_gradient),
        cmocka_unit_test(test_tasks),
        cmocka_unit_test(test_far_images),
    };
    return cmocka_run_group_tests(tests, start, finish);
}
