/* test_bench_numbers.c: what `lathe bench` reckons with: operations and bytes of layers, the
 * machine's speed, and when a difference is noise. */
#include "compiler/commands/bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- costs --- */

enum { BATCH = 3 };

static void open_model(struct bench *bench, struct arena *arena, const char *text, enum mode mode) {
    char path[] = "/tmp/test_bench_numbers-XXXXXX";
    struct error error = {""};
    int file = mkstemp(path);
    assert_true(file >= 0 && write(file, text, strlen(text)) == (ssize_t)strlen(text));
    close(file);
    arena_init(arena);
    if (setjmp(arena->exhausted)) fail_msg("out of memory");
    *bench = (struct bench){.arena = arena, .mode = mode, .batch = BATCH};
    bench->model = model_read(arena, path, &error);
    unlink(path);
    assert_string_equal(error.text, "");
    assert_true(bench_count_costs(bench, &error));
}

static void check_cost(const struct bench *bench, const char *layer, enum part part,
                       double operations, double floats) {
    const struct cost *cost = &bench->costs[bench_row(bench->model, layer)][part];
    if (cost->operations != operations || cost->bytes != 4 * floats)
        fail_msg("%s, part %d: %g operations, %g bytes; expected %g and %g", layer ? layer : "last",
                 part, cost->operations, cost->bytes, operations, 4 * floats);
}

#define TRAINING                                                                                  \
    "training = { loss = 'sparse_categorical_crossentropy', optimizer = adam {}, batch_size = 3 " \
    "} }"

/* All numbers below are counted by hand. */
static void counts_operations_and_bytes(void **state) {
    (void)state;
    static const char text[] =
        "return model 'm' { input { 8, 8, 2 },"
        " conv2d { 4, kernel_size = 3, padding = 'same', activation = 'relu' },"
        " max_pool2d { 2 }, conv2d { 5, kernel_size = { 1, 3 } }, dropout { 0.5 }, flatten {},"
        " dense { 10, activation = 'softmax' }, " TRAINING;
    const double first = 2.0 * BATCH * 8 * 8 * 4 * 2 * 9, second = 2.0 * BATCH * 4 * 2 * 5 * 4 * 3,
                 dense = 2.0 * BATCH * 40 * 10;
    const double x = BATCH * 8 * 8 * 2, y = BATCH * 8 * 8 * 4, w = 9 * 2 * 4,
                 pooled = BATCH * 4 * 4 * 4, y1 = BATCH * 4 * 2 * 5, w1 = 3 * 4 * 5;
    struct arena arena;
    struct bench bench;
    open_model(&bench, &arena, text, MODE_TRAINING);
    check_cost(&bench, "conv2d", PART_FORWARD, first, x + y + w);
    check_cost(&bench, "conv2d", PART_BACKWARD_DATA, 0, 0); /* nobody wants the samples' gradient */
    check_cost(&bench, "conv2d", PART_WEIGHT_GRADIENT, first, x + y + w);
    check_cost(&bench, "conv2d_1", PART_FORWARD, second, pooled + y1 + w1);
    check_cost(&bench, "conv2d_1", PART_BACKWARD_DATA, second, pooled + y1 + w1);
    check_cost(&bench, "conv2d_1", PART_WEIGHT_GRADIENT, second, pooled + y1 + w1);
    check_cost(&bench, "dense", PART_BACKWARD_DATA, dense, BATCH * 40 + BATCH * 10 + 40 * 10);
    check_cost(&bench, "max_pool2d", PART_OTHER, 0, 2 * (y + pooled));
    check_cost(&bench, "dropout", PART_OTHER, 0, 4 * y1);
    check_cost(&bench, "flatten", PART_OTHER, 0, 0);
    /* Adam: weights and two slots read and written, the gradient read. */
    const double parameters = w + 4 + w1 + 5 + 40 * 10 + 10;
    const struct cost *optimizer = &bench.costs[bench.model->layer_count][PART_OTHER];
    assert_true(optimizer->bytes >= 4 * 7 * parameters && optimizer->bytes < 4 * 7.2 * parameters);
    arena_free(&arena);

    open_model(&bench, &arena, text, MODE_PREDICTION);
    check_cost(&bench, "conv2d_1", PART_FORWARD, second, pooled + y1 + w1);
    check_cost(&bench, "conv2d_1", PART_WEIGHT_GRADIENT, 0, 0);
    check_cost(&bench, "max_pool2d", PART_OTHER, 0, y + pooled);
    check_cost(&bench, "dropout", PART_OTHER, 0, 0);
    check_cost(&bench, NULL, PART_OTHER, 0, 0);
    arena_free(&arena);
}

/* Backward-data reads the result of the layer before, too, whose activation it goes on through. */
static void counts_activations(void **state) {
    (void)state;
    static const char text[] =
        "return model 'm' { input { 8, 8, 2 },"
        " conv2d { 4, kernel_size = 3, padding = 'same', activation = 'relu' },"
        " conv2d { 5, kernel_size = 3, activation = 'sigmoid' }, flatten {},"
        " dense { 10, activation = 'relu' }, dense { 7, activation = 'softmax' }, " TRAINING;
    const double y = BATCH * 8 * 8 * 4, y1 = BATCH * 6 * 6 * 5, w1 = 9 * 4 * 5;
    struct arena arena;
    struct bench bench;
    open_model(&bench, &arena, text, MODE_TRAINING);
    check_cost(&bench, "conv2d_1", PART_BACKWARD_DATA, 2.0 * BATCH * 6 * 6 * 9 * 4 * 5,
               y + y1 + w1 + y);
    check_cost(&bench, "dense_1", PART_BACKWARD_DATA, 2.0 * BATCH * 10 * 7,
               BATCH * 10 + BATCH * 7 + 10 * 7 + BATCH * 10);
    arena_free(&arena);
}

static void counts_nothing_for_frozen_layers(void **state) {
    (void)state;
    struct arena arena;
    struct bench bench;
    open_model(&bench, &arena,
               "return model 'm' { input { 6 }, dense { 7, trainable = false },"
               " dense { 8, trainable = false }, dense { 10, activation = 'softmax' }, " TRAINING,
               MODE_TRAINING);
    check_cost(&bench, "dense_1", PART_FORWARD, 2.0 * BATCH * 7 * 8, BATCH * 7 + BATCH * 8 + 7 * 8);
    check_cost(&bench, "dense_1", PART_BACKWARD_DATA, 0, 0);
    check_cost(&bench, "dense_1", PART_WEIGHT_GRADIENT, 0, 0);
    check_cost(&bench, "dense_2", PART_BACKWARD_DATA, 0, 0);
    assert_true(bench.costs[bench_row(bench.model, "dense_2")][PART_WEIGHT_GRADIENT].operations >
                0);
    arena_free(&arena);
}

static void sorts_layers_by_kind(void **state) {
    (void)state;
    struct arena arena;
    struct bench bench;
    open_model(&bench, &arena,
               "return model 'm' { input { 8, 8, 2 }, conv2d { 4, kernel_size = 3 }, batch_norm {},"
               " average_pool2d { 2 }, flatten {}, dense { 10, activation = 'softmax' }, " TRAINING,
               MODE_TRAINING);
    const enum kind expected[] = {KIND_OTHER, KIND_CONVOLUTION, KIND_POOL,     KIND_POOL,
                                  KIND_OTHER, KIND_DENSE,       KIND_OPTIMIZER};
    assert_int_equal(bench.model->layer_count + 1, 7);
    for (int row = 0; row < 7; row++) assert_int_equal(bench_kind(bench.model, row), expected[row]);
    arena_free(&arena);
}

/* The backward pass of pooling and normalization ends in the gradient of the convolution's output:
 * its time is not the convolution's. */
static void counts_fused_loops_for_their_first_layer(void **state) {
    (void)state;
    struct arena arena;
    struct bench bench;
    struct error error = {""};
    open_model(&bench, &arena,
               "return model 'm' { input { 8, 8, 2 },"
               " conv2d { 4, kernel_size = 3, activation = 'relu' }, batch_norm {},"
               " max_pool2d { 2 }, flatten {}, dense { 10, activation = 'softmax' }, " TRAINING,
               MODE_TRAINING);
    const struct compile_options options = {
        .training = true, .target = target_find("x86-64-v4"), .batch = 16};
    const struct compilation *c = compile_model(&arena, bench.model, &options, &error);
    assert_non_null(c);
    int of_convolution = 0, of_pool = 0;
    for (int i = 0; i < c->kernel_count[MODE_TRAINING]; i++) {
        const struct kernel_summary *kernel = &c->kernels[MODE_TRAINING][i];
        if (kernel->part != PART_OTHER || !kernel->layer) continue;
        if (strcmp(kernel->layer, "conv2d") == 0) of_convolution++;
        if (bench_kind(bench.model, bench_row(bench.model, kernel->layer)) == KIND_POOL &&
            strstr(kernel->name, "conv2d"))
            of_pool++;
    }
    assert_int_equal(of_convolution, 0);
    assert_int_equal(of_pool, 1);
    arena_free(&arena);
}

/* --- the machine --- */

/* Multiplications that each wait for the one before take three or four cycles: the clock, in GHz,
 * within a third. The fastest of several attempts: others may use the processor too. */
static double clock_gigahertz(void) {
    enum { COUNT = 3000000 };
    double best = 0;
    for (int attempt = 0; attempt < 20; attempt++) {
        unsigned long x = 3;
        double start = bench_seconds();
        for (int i = 0; i < COUNT; i++) {
            x *= x;
            __asm__ volatile("" : "+r"(x));
        }
        double rate = 3.0 * COUNT / (bench_seconds() - start) * 1e-9;
        if (rate > best) best = rate;
    }
    return best;
}

static double copy_gigabytes(long bytes) {
    char *from = malloc((size_t)bytes), *to = malloc((size_t)bytes);
    double best = 0;
    assert_true(from && to);
    memset(from, 1, (size_t)bytes);
    memset(to, 2, (size_t)bytes);
    for (int attempt = 0; attempt < 5; attempt++) {
        double start = bench_seconds();
        memcpy(to, from, (size_t)bytes);
        __asm__ volatile("" : : "r"(to) : "memory");
        double rate = 2.0 * (double)bytes / (bench_seconds() - start) * 1e-9;
        if (rate > best) best = rate;
    }
    free(from);
    free(to);
    return best;
}

static void check_machine(const struct target *target, int threads) {
    static struct machine machine;
    struct error error = {""};
    struct pool *pool = threads > 1 ? pool_new(threads, &error) : NULL;
    double clock = clock_gigahertz(), copied = copy_gigabytes(96L << 20);
    if (!machine_open(&machine, target, pool, threads, &error)) fail_msg("%s", error.text);
    for (int i = 0; i < 20; i++) machine_measure(&machine);
    machine_finish(&machine);
    /* From half of one unit to somewhat more than two, or to four that do not fuse. */
    double cycle = machine.gflops.p90 / clock / target->lanes / 2;
    if (!(cycle > 0.25 && cycle < 3.0 * threads))
        fail_msg("%s: %.1f GFLOP/s at %.2f GHz", target->name, machine.gflops.p90, clock);
    double streamed = machine.gigabytes[WORKING_SETS - 1].p90;
    if (!(streamed > copied / 8 && streamed < copied * 8 * threads))
        fail_msg("%.1f GB/s in memory; memcpy makes %.1f", streamed, copied);
    assert_true(machine.gigabytes[0].p90 > streamed / 2); /* a cache is no slower than memory */
    machine_close(&machine);
    pool_free(pool);
}

static void measures_the_machine(void **state) {
    (void)state;
    check_machine(target_native(), 1);
    check_machine(target_native(), 2);
    check_machine(target_find("generic"), 1);
}

static void refuses_a_target_it_cannot_run(void **state) {
    (void)state;
    static struct machine machine;
    struct error error = {""};
    const struct target *const *target = targets();
    while (*target && target_runs(*target)) target++;
    if (!*target) skip();
    assert_false(machine_open(&machine, *target, NULL, 1, &error));
    assert_non_null(strstr(error.text, (*target)->name));
    machine_close(&machine);
}

static void finds_the_bound(void **state) {
    (void)state;
    static struct machine machine;
    double compute;
    machine.threads = 2;
    machine.gflops.median = 100;
    for (int set = 0; set < WORKING_SETS; set++) {
        machine.set_bytes[set] = 1000L << (10 * set);
        machine.gigabytes[set].median = 40 >> set;
    }
    const struct cost much_to_do = {1e9, 1e3}, small = {0, 1999}, larger = {0, 4e3},
                      huge = {1e3, 1e10}, nothing = {0, 0};
    assert_float_equal(machine_limit_ms(&machine, &much_to_do, &compute), 10, 1e-4);
    assert_float_equal(compute, 10, 1e-4);
    /* Two threads: half of the bytes each. */
    assert_float_equal(machine_limit_ms(&machine, &small, &compute), 1999 / 40e6, 1e-9);
    assert_true(compute == 0);
    assert_float_equal(machine_limit_ms(&machine, &larger, &compute), 4e3 / 20e6, 1e-9);
    assert_float_equal(machine_limit_ms(&machine, &huge, &compute), 1e3, 1e-3);
    assert_true(machine_limit_ms(&machine, &nothing, &compute) == 0);
}

/* --- noise --- */

static void finds_quantiles(void **state) {
    (void)state;
    double values[] = {9, 3, 1, 10, 5, 7, 0, 2, 8, 6, 4}, one[] = {2.5};
    struct spread spread = spread_of(values, 11);
    assert_true(spread.p10 == 1 && spread.median == 5 && spread.p90 == 9);
    spread = spread_of(one, 1);
    assert_true(spread.p10 == 2.5 && spread.median == 2.5 && spread.p90 == 2.5);
}

static void tells_noise_from_a_difference(void **state) {
    (void)state;
    enum { ROUNDS = 60 };
    double a[ROUNDS], b[ROUNDS], slower[ROUNDS], little[ROUNDS];
    uint32_t random = 1;
    for (int i = 0; i < ROUNDS; i++) {
        double noise[2], drift = 1 + i * 0.05; /* the machine slows down to a quarter */
        for (int k = 0; k < 2; k++) {
            random = random * 1664525 + 1013904223;
            noise[k] = 1 + 0.2 * (random >> 8) / (1 << 24);
        }
        a[i] = drift * noise[0];
        b[i] = drift * noise[1];
        slower[i] = 1.15 * b[i];
        little[i] = 1.01 * a[i];
    }
    assert_true(is_tie(a, b, ROUNDS));
    assert_true(is_tie(b, a, ROUNDS));
    assert_false(is_tie(a, slower, ROUNDS));
    assert_false(is_tie(slower, a, ROUNDS));
    assert_true(is_tie(a, little, ROUNDS)); /* always slower, by too little to matter */
    assert_true(is_tie(a, slower, 0));
    double twice[3] = {2, 2.1, 2.2}, once[3] = {1, 1, 1}, mixed[3] = {0.9, 1.3, 1.2};
    assert_false(is_tie(twice, once, 3)); /* few rounds, but each says the same */
    assert_true(is_tie(mixed, once, 3));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_operations_and_bytes),
        cmocka_unit_test(counts_activations),
        cmocka_unit_test(counts_nothing_for_frozen_layers),
        cmocka_unit_test(sorts_layers_by_kind),
        cmocka_unit_test(counts_fused_loops_for_their_first_layer),
        cmocka_unit_test(measures_the_machine),
        cmocka_unit_test(refuses_a_target_it_cannot_run),
        cmocka_unit_test(finds_the_bound),
        cmocka_unit_test(finds_quantiles),
        cmocka_unit_test(tells_noise_from_a_difference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
