/* test_checkpoint.c: checkpoints: same bits after a stop, damaged and foreign files. */
#include "../runtime/checkpoint.h"
#include "../runtime/files.h"
#include "../runtime/random.h"
#include "../runtime/weights.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[64], path[128];
static struct error error;

enum { WEIGHTS = 5, SAMPLES = 12, BATCH = 4, BATCHES = SAMPLES / BATCH };

static const struct program_variable variables[] = {
    {"w", PROGRAM_TRAINABLE, 0, WEIGHTS, 1, {WEIGHTS}, PROGRAM_NORMAL, 1},
    {"mean", PROGRAM_STATE, 0, 1, 0, {0}, PROGRAM_ZEROS, 0},
};
static const struct program program = {.name = "small",
                                       .batch = BATCH,
                                       .space_size = {WEIGHTS, 1, WEIGHTS + 1},
                                       .variables = variables,
                                       .variable_count = 2};

static int make_folder(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/lathe_test_checkpoint_XXXXXX");
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof path, "%s/last.safetensors", folder);
    return 0;
}

static int remove_folder(void **state) {
    (void)state;
    unlink(path);
    return rmdir(folder);
}

/* A run of a toy: it draws on everything that a checkpoint keeps. */
struct run {
    struct checkpoint progress;
    float trainable[WEIGHTS], state[1], optimizer[WEIGHTS + 1];
    float *space[PROGRAM_SPACES];
};

static void begin(struct run *run, uint32_t seed) {
    memset(run, 0, sizeof *run);
    run->space[PROGRAM_TRAINABLE] = run->trainable;
    run->space[PROGRAM_STATE] = run->state;
    run->space[PROGRAM_OPTIMIZER] = run->optimizer;
    run->progress.seed = seed;
    run->progress.best_epoch = -1;
    program_initialize(&program, seed, run->space);
}

static void end_epoch(struct checkpoint *progress) {
    double mean = progress->loss_sum / (double)progress->sample_count;
    if (progress->best_epoch < 0 || mean < progress->best_metric) {
        progress->best_metric = mean;
        progress->best_epoch = progress->epoch;
    }
    progress->history_columns = 2;
    progress->history =
        realloc(progress->history, sizeof(double) * 2 * (size_t)(progress->history_rows + 1));
    assert_non_null(progress->history);
    progress->history[2 * progress->history_rows] = mean;
    progress->history[2 * progress->history_rows + 1] = progress->best_metric / 3;
    progress->history_rows++;
    progress->loss_sum = 0;
    progress->sample_count = 0;
    progress->batch = 0;
    progress->epoch++;
}

static void train_step(struct run *run) {
    struct checkpoint *progress = &run->progress;
    long order[SAMPLES];
    random_permutation(progress->seed, (uint32_t)progress->epoch, order, SAMPLES);
    uint32_t key = random_key(progress->seed, (uint32_t)++progress->step, 0);
    for (int i = 0; i < BATCH; i++) {
        long sample = order[progress->batch * BATCH + i];
        int w = (int)(sample % WEIGHTS);
        float gradient = run->trainable[w] - (float)sample / 3 * (float)random_uniform(key, w);
        run->optimizer[w] = 0.9f * run->optimizer[w] + gradient;
        run->trainable[w] -= 0.1f * run->optimizer[w];
        run->state[0] = 0.99f * run->state[0] + 0.01f * gradient;
        run->optimizer[WEIGHTS] += 1;
        progress->loss_sum += (double)gradient * gradient;
        progress->sample_count++;
    }
    if (++progress->batch == BATCHES) end_epoch(progress);
}

static void save(const struct run *run) {
    if (!checkpoint_save(path, &program, run->space, &run->progress, &error))
        fail_msg("%s", error.text);
}

static void assert_same_runs(const struct run *a, const struct run *b) {
    assert_memory_equal(a->trainable, b->trainable, sizeof a->trainable);
    assert_memory_equal(a->state, b->state, sizeof a->state);
    assert_memory_equal(a->optimizer, b->optimizer, sizeof a->optimizer);
    const struct checkpoint *p = &a->progress, *q = &b->progress;
    assert_true(p->seed == q->seed && p->data == q->data && p->epoch == q->epoch);
    assert_true(p->batch == q->batch && p->step == q->step && p->sample_count == q->sample_count);
    assert_true(p->validation_split == q->validation_split && p->loss_sum == q->loss_sum);
    assert_true(p->folds == q->folds && p->fold == q->fold && p->stratified == q->stratified);
    assert_true(p->accuracy_sum == q->accuracy_sum && p->best_metric == q->best_metric);
    assert_true(p->best_epoch == q->best_epoch && p->seconds == q->seconds);
    assert_int_equal(p->history_columns, q->history_columns);
    assert_int_equal(a->progress.history_rows, b->progress.history_rows);
    if (a->progress.history_rows)
        assert_memory_equal(a->progress.history, b->progress.history,
                            sizeof(double) * 2 * (size_t)a->progress.history_rows);
}

static void a_resumed_run_gives_the_same_bits(void **state) {
    (void)state;
    enum { STEPS = 10 };
    struct run straight;
    begin(&straight, 77);
    for (int i = 0; i < STEPS; i++) train_step(&straight);
    for (int stop = 0; stop <= STEPS; stop++) {
        struct run first, second;
        begin(&first, 77);
        for (int i = 0; i < stop; i++) train_step(&first);
        save(&first);
        begin(&second, 1234); /* other weights, which the checkpoint must replace */
        if (!checkpoint_load(path, &program, second.space, &second.progress, &error))
            fail_msg("%s", error.text);
        assert_same_runs(&first, &second);
        for (int i = stop; i < STEPS; i++) train_step(&second);
        assert_same_runs(&straight, &second);
        checkpoint_free(&first.progress);
        checkpoint_free(&second.progress);
    }
    checkpoint_free(&straight.progress);
}

static void every_number_comes_back(void **state) {
    (void)state;
    double history[6] = {0.1, -1.0 / 3, DBL_MIN / 8, DBL_MAX, INFINITY, -0.0};
    struct run run;
    begin(&run, 0xffffffff);
    run.progress.validation_split = 0.1;
    run.progress.folds = 5;
    run.progress.fold = 3;
    run.progress.stratified = 1;
    run.progress.data = 0xdeadbeef;
    run.progress.accuracy_sum = 1e-300;
    run.progress.best_metric = -INFINITY;
    run.progress.seconds = 12.345;
    run.progress.step = 2147483647;
    run.progress.history = history;
    run.progress.history_rows = 3;
    run.progress.history_columns = 2;
    save(&run);
    struct run loaded;
    begin(&loaded, 1);
    if (!checkpoint_load(path, &program, loaded.space, &loaded.progress, &error))
        fail_msg("%s", error.text);
    assert_same_runs(&run, &loaded);
    checkpoint_free(&loaded.progress);
}

static void expect_failure(const struct program *other, const char *text) {
    struct run run, before;
    begin(&run, 3);
    before = run;
    if (checkpoint_load(path, other, run.space, &run.progress, &error))
        fail_msg("the checkpoint was loaded");
    assert_string_equal(error.text + strlen(path) + 2, text);
    assert_memory_equal(run.trainable, before.trainable, sizeof run.trainable);
    assert_memory_equal(&run.progress, &before.progress, sizeof run.progress);
}

static void other_programs_are_refused(void **state) {
    (void)state;
    struct run run;
    begin(&run, 3);
    save(&run);
    struct program other = program;
    other.space_size[PROGRAM_OPTIMIZER] = 2 * WEIGHTS;
    expect_failure(&other, "the checkpoint has 6 values of optimizer state, but the model small "
                           "needs 10 (another optimizer?)");
    other = program;
    other.batch = 8;
    expect_failure(&other, "the checkpoint was made with batch size 4, not 8");
    struct program_variable changed[2] = {variables[0], variables[1]};
    changed[0].name = "v";
    other = program;
    other.variables = changed;
    expect_failure(&other, "the weights do not fit the model small: missing in the file: v; not in "
                           "the model: w");
    /* A checkpoint serves as weights, but weights are no checkpoint. */
    struct run loaded;
    begin(&loaded, 4);
    assert_true(weights_load(path, &program, loaded.space, &error));
    assert_memory_equal(run.trainable, loaded.trainable, sizeof run.trainable);
    assert_true(weights_save(path, &program, run.space, NULL, 0, &error));
    expect_failure(&program, "not a checkpoint (its format is \"lathe weights\", not \"lathe "
                             "checkpoint 2\")");
}

static void write_bytes(const void *bytes, size_t size) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* A damaged checkpoint is refused, or loads the very same run. */
static void damaged_files_never_load_another_run(void **state) {
    (void)state;
    struct run saved, loaded;
    begin(&saved, 5);
    for (int i = 0; i < 7; i++) train_step(&saved);
    save(&saved);
    size_t size;
    char *bytes = files_read(path, &size, &error);
    assert_non_null(bytes);
    for (size_t cut = 0; cut < size; cut += 3) {
        write_bytes(bytes, cut);
        begin(&loaded, 5);
        assert_false(checkpoint_load(path, &program, loaded.space, &loaded.progress, &error));
    }
    int refused = 0;
    for (size_t bit = 0; bit < size * 8; bit++) {
        bytes[bit / 8] ^= (char)(1 << bit % 8);
        write_bytes(bytes, size);
        bytes[bit / 8] ^= (char)(1 << bit % 8);
        begin(&loaded, 5);
        if (checkpoint_load(path, &program, loaded.space, &loaded.progress, &error)) {
            assert_same_runs(&saved, &loaded);
            checkpoint_free(&loaded.progress);
        } else {
            refused++;
        }
    }
    assert_true(refused > (int)size * 7);
    free(bytes);
    checkpoint_free(&saved.progress);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_resumed_run_gives_the_same_bits),
        cmocka_unit_test(every_number_comes_back),
        cmocka_unit_test(other_programs_are_refused),
        cmocka_unit_test(damaged_files_never_load_another_run),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
