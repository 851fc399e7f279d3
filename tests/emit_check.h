/* emit_check.h: for tests of emitted models: a model in the process, its standalone form written
 * into a folder, built by a compiler as a program of tests/emit/ and run, and the two compared. */
#ifndef LATHE_EMIT_CHECK_H
#define LATHE_EMIT_CHECK_H

#include "compiler/jit/jit.h"
#include "runtime/memory.h"
#include "runtime/parallel.h"
#include "runtime/weights.h"
#include "tests/emit/values.h"

#include <ctype.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

enum { STEPS = 10, SEED = 5, MOST_NUMBERS = 8192 };

static char folder[64];

/* ---- a model under test ---- */

struct fixture {
    struct arena arena;
    struct model *model;
    struct jit *jit;
    const struct program *program;
    struct program_memory memory;
};

static struct model *read_model(struct arena *arena, const char *path) {
    struct error error = {""};
    struct model *model = model_read(arena, path, &error);
    if (!model) fail_msg("%s", error.text);
    return model;
}

/* The model in the process, with initial values. Statistics are moved away from 0 and 1, so that
 * they show in predictions. */
static void set_up(struct fixture *f, const char *path, long batch, bool moved) {
    struct error error = {""};
    arena_init(&f->arena);
    if (setjmp(f->arena.exhausted)) fail_msg("out of memory");
    f->model = read_model(&f->arena, path);
    struct jit_options options = {
        .backend = BACKEND_TCC,
        .compile = {.target = target_native(),
                    .batch = batch,
                    .training = true,
                    .evaluation = true,
                    .prediction = true},
    };
    f->jit = jit_new(f->model, &options, &error);
    if (!f->jit) fail_msg("%s", error.text);
    f->program = jit_program(f->jit);
    if (!program_memory_new(f->program, &f->memory, &error)) fail_msg("%s", error.text);
    program_initialize(f->program, SEED, f->memory.space);
    for (long i = 0; moved && i < f->program->space_size[PROGRAM_STATE]; i++)
        f->memory.space[PROGRAM_STATE][i] += 0.5f * emit_value((unsigned long)i);
}

static void tear_down(struct fixture *f) {
    program_memory_free(&f->memory);
    jit_free(f->jit);
    arena_free(&f->arena);
}

static const struct standalone *emit_with(struct fixture *f, enum mode mode,
                                          const struct compile_options *options,
                                          const float *const *weights) {
    struct error error = {""};
    const struct standalone *standalone =
        compile_standalone(&f->arena, f->model, mode, options, weights, &error);
    if (!standalone) fail_msg("%s", error.text);
    return standalone;
}

__attribute__((unused)) static const struct standalone *emit(struct fixture *f, enum mode mode,
                                                             long batch, const char *target,
                                                             const float *const *weights) {
    struct compile_options options = {.target = target_find(target), .batch = batch};
    return emit_with(f, mode, &options, weights);
}

static void write_text(const char *name, const char *suffix, const char *text) {
    char path[160];
    snprintf(path, sizeof path, "%s/%s%s", folder, name, suffix);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void write_bytes(const char *name, const char *suffix, const void *bytes, size_t size) {
    char path[160];
    snprintf(path, sizeof path, "%s/%s%s", folder, name, suffix);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void write_standalone(const char *name, const struct standalone *standalone) {
    write_text(name, ".h", standalone->header);
    write_text(name, ".c", standalone->source);
    if (standalone->weights)
        write_bytes(name, ".weights", standalone->weights, standalone->weights_bytes);
    if (standalone->assembly) write_text(name, "_weights.S", standalone->assembly);
    if (standalone->main) write_text(name, "_main.c", standalone->main);
}

/* ---- compilers ---- */

#define STRICT "-std=c99 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror "
/* The first ones are the cross-section of the normal run. */
static const char *const compilers[] = {
    "gcc " STRICT "-O2",
    "gcc " STRICT "-O0",
    "clang " STRICT "-O2",
    "clang " STRICT "-O0",
    "gcc " STRICT "-O3 -ffast-math",
    "tcc -std=c99 -Wall -Werror",
    "gcc " STRICT "-O3",
    "gcc " STRICT "-O3 -march=native",
    "gcc " STRICT "-Os",
    "clang " STRICT "-O3",
    "clang " STRICT "-O3 -ffast-math",
};
enum { USUAL_COMPILERS = 6, ALL_COMPILERS = sizeof compilers / sizeof compilers[0] };

static const char *upper(const char *name) {
    static char text[64];
    size_t i = 0;
    for (; name[i] && i < sizeof text - 1; i++) text[i] = (char)toupper((unsigned char)name[i]);
    text[i] = '\0';
    return text;
}

static void run_command(const char *command) {
    if (system(command) != 0) fail_msg("failed: %s", command);
}

/* What runs programs of another machine. */
static const char *emulator = "";

/* The source alone, so that a compiler cache can keep the object. */
static void compile_emitted(const char *compiler, const char *name) {
    char command[512];
    snprintf(command, sizeof command, "%s -c %s/%s.c -o %s/%s.o", compiler, folder, name, folder,
             name);
    run_command(command);
}

/* Builds the program with one compiler, runs it and reads the numbers that it prints. */
static int run_emitted(const char *compiler, const char *program, const char *name,
                       const char *options, double *numbers) {
    char command[1024];
    int count = 0;
    compile_emitted(compiler, name);
    snprintf(command, sizeof command,
             "%s -Itests/emit -DNAME=%s -DUPPER=%s %s -include %s/%s.h tests/emit/%s %s/%s.o "
             "-o %s/program -lm",
             compiler, name, upper(name), options, folder, name, program, folder, name, folder);
    run_command(command);
    snprintf(command, sizeof command, "%s %s/program", emulator, folder);
    FILE *output = popen(command, "r");
    assert_non_null(output);
    while (count < MOST_NUMBERS && fscanf(output, "%lf", &numbers[count]) == 1) count++;
    int status = pclose(output);
    if (status != 0) fail_msg("%s built by %s ended with status %d", name, compiler, status);
    return count;
}

/* The difference that rounding may make of a number, relative above 1. */
static double allowed_for(double expected, const double *noise) {
    return 1e-5 + (noise ? 4 * *noise / fmax(1.0, fabs(expected)) : 0);
}

/* noise: how far each number of the process is from exact arithmetic; NULL: not known. Returns the
 * largest difference, relative above 1. */
static double compare_noisy(const char *compiler, const char *name, const double *numbers,
                            int count, const double *expected, int expected_count,
                            const double *noise) {
    double largest = 0.0;
    if (count != expected_count)
        fail_msg("%s built by %s printed %d numbers instead of %d", name, compiler, count,
                 expected_count);
    for (int i = 0; i < count; i++) {
        double scale = fmax(1.0, fabs(expected[i]));
        double difference = fabs(numbers[i] - expected[i]) / scale;
        if (!(difference <= allowed_for(expected[i], noise ? &noise[i] : NULL)))
            fail_msg("%s built by %s: number %d is %.9g, in the process %.9g", name, compiler, i,
                     numbers[i], expected[i]);
        largest = fmax(largest, difference);
    }
    return largest;
}

__attribute__((unused)) static double compare(const char *compiler, const char *name,
                                              const double *numbers, int count,
                                              const double *expected, int expected_count) {
    return compare_noisy(compiler, name, numbers, count, expected, expected_count, NULL);
}

__attribute__((unused)) static double largest_allowed(const double *expected, int count,
                                                      const double *noise) {
    double largest = 0;
    for (int i = 0; i < count; i++)
        largest = fmax(largest, allowed_for(expected[i], noise ? &noise[i] : NULL));
    return largest;
}

/* Hears of every comparison that held: which compiler of the table, the largest difference, and the
 * largest that was allowed. */
static void (*record)(const char *mode, int compiler, double difference, double allowed);

/* ---- training ---- */

struct training_case {
    const char *path, *name;
    long batch;    /* 0: the model's */
    int compilers; /* how many of them */
    bool is_noisy; /* rounding may take it further than 1e-5 */
};

static void fill_memory(struct fixture *f, unsigned long step, long samples) {
    const struct program *p = f->program;
    long classes = p->sparse_labels ? p->output_size : p->label_size == 1 ? 2 : 0;
    memset(f->memory.samples, 0, sizeof(float) * (size_t)(p->rows * p->sample_size));
    memset(f->memory.labels, 0, sizeof(float) * (size_t)(p->rows * p->label_size));
    emit_fill(step, f->memory.samples, samples * p->sample_size, f->memory.labels,
              samples * p->label_size, classes);
}

/* What tests/emit/train.c prints. */
static int train_in_process(struct fixture *f, double *expected) {
    const struct program *p = f->program;
    struct program_call call = program_memory_call(&f->memory, pool_parallel, NULL);
    int count = 0;
    for (long step = 0; step <= STEPS; step++) {
        bool is_evaluation = step == STEPS;
        long samples = p->batch - (step == 2);
        fill_memory(f, is_evaluation ? 100 : (unsigned long)step, samples);
        call.scalars[0] = optimizer_learning_rate(&f->model->training.optimizer, step);
        call.scalars[1] = (double)(step + 1);
        call.scalars[2] = (double)samples;
        call.scalars[3] = SEED;
        (is_evaluation ? p->evaluate : p->train)(&call);
        expected[count++] = call.results[0];
        expected[count++] = p->has_accuracy ? call.results[1] : 0.0;
    }
    p->predict(&call);
    for (long i = 0; i < p->batch * p->output_size; i++)
        expected[count++] = f->memory.predictions[i];
    for (int i = 0; i < p->variable_count; i++) {
        const struct program_variable *v = &p->variables[i];
        const float *values = f->memory.space[v->space] + v->offset;
        double sum = 0.0;
        for (long k = 0; k < v->elements; k++) sum += values[k];
        expected[count++] = sum;
        for (long k = 0; k < v->elements; k += v->elements / EMIT_SHOWN + 1)
            expected[count++] = values[k];
    }
    return count;
}

/* The model in double, and the flags for train.c. */
static const char *write_double(struct fixture *f, const struct training_case *test) {
    const struct compile_options options = {
        .target = target_find("generic"), .batch = test->batch, .use_double = true};
    write_standalone(test->name, emit_with(f, MODE_TRAINING, &options, NULL));
    return f->program->has_accuracy ? "-DACCURACY -DNUMBER=double" : "-DNUMBER=double";
}

/* How far rounding takes the trajectory: the emitted model in double, `exact`, beside the process,
 * up to each number. Adam's steps for weights that have hardly a gradient amplify it: from 1e-7 to
 * 1e-3 within ten steps of models/cnn_decreasing.lua. Then float says nothing of which samples are
 * right. */
static const double *rounding_noise(struct fixture *f, const struct training_case *test,
                                    const double *expected, int count, double *exact) {
    static double noise[MOST_NUMBERS];
    double largest = 0;
    const char *flags = write_double(f, test);
    assert_int_equal(run_emitted("gcc " STRICT "-O1", "train.c", test->name, flags, exact), count);
    for (int i = 0; i < count; i++) {
        double scale = fmax(1.0, fabs(expected[i])), difference = fabs(expected[i] - exact[i]);
        bool is_accuracy = i < 2 * (STEPS + 1) && i % 2;
        if (!is_accuracy) largest = fmax(largest, difference / scale);
        noise[i] = largest * scale;
        if (is_accuracy && largest > 1e-5) noise[i] = 0.25; /* any: see doubles_agree */
    }
    return noise;
}

/* Where roundings of float are amplified, the emitted code is held to 1e-5 in double. */
__attribute__((unused)) static void doubles_agree(struct fixture *f,
                                                  const struct training_case *test,
                                                  const double *exact, int expected_count) {
    static double numbers[MOST_NUMBERS];
    const char *flags = write_double(f, test);
    for (int i = 0; i < test->compilers; i++) {
        int count = run_emitted(compilers[i], "train.c", test->name, flags, numbers);
        double difference =
            compare(compilers[i], test->name, numbers, count, exact, expected_count);
        if (record) record("double", i, difference, 1e-5);
    }
}

__attribute__((unused)) static void training_agrees(void **state) {
    static double expected[MOST_NUMBERS], exact[MOST_NUMBERS], numbers[MOST_NUMBERS];
    const struct training_case *test = *state;
    const double *noise = NULL;
    struct fixture f = {0};
    set_up(&f, test->path, test->batch, false);
    int expected_count = train_in_process(&f, expected);
    if (test->is_noisy) noise = rounding_noise(&f, test, expected, expected_count, exact);
    write_standalone(test->name, emit(&f, MODE_TRAINING, test->batch, "generic", NULL));
    const char *options = f.program->has_accuracy ? "-DACCURACY" : "";
    for (int i = 0; i < test->compilers; i++) {
        int count = run_emitted(compilers[i], "train.c", test->name, options, numbers);
        double difference = compare_noisy(compilers[i], test->name, numbers, count, expected,
                                          expected_count, noise);
        if (record)
            record("training", i, difference, largest_allowed(expected, expected_count, noise));
    }
    if (noise && largest_allowed(expected, expected_count, noise) > 2e-5)
        doubles_agree(&f, test, exact, expected_count);
    tear_down(&f);
}

/* ---- inference ---- */

struct inference_case {
    const char *path, *name, *target;
    long batch;
    int compilers; /* how many of them */
};

__attribute__((unused)) static int predict_in_process(struct fixture *f, double *expected) {
    const struct program *p = f->program;
    struct program_call call = program_memory_call(&f->memory, pool_parallel, NULL);
    int count = 0;
    for (unsigned long step = 0; step < 3; step++) {
        memset(f->memory.samples, 0, sizeof(float) * (size_t)(p->rows * p->sample_size));
        emit_fill(step, f->memory.samples, p->batch * p->sample_size, NULL, 0, 0);
        p->predict(&call);
        for (long i = 0; i < p->batch * p->output_size; i++)
            expected[count++] = f->memory.predictions[i];
    }
    return count;
}

/* The model with the weights of the process: in the source as far as `lathe emit` puts them there,
 * else in a file. Returns the flags that predict.c needs. */
__attribute__((unused)) static const char *write_inference(struct fixture *f, const char *name,
                                                           const char *target, long batch) {
    enum { MOST_EMBEDDED = 262144 };
    static char flags[160];
    const float *const weights[] = {f->memory.space[0], f->memory.space[1], f->memory.space[2]};
    struct compile_options options = {.target = target_find(target), .batch = batch};
    if (f->program->space_size[0] + f->program->space_size[1] > MOST_EMBEDDED)
        options.form.weights_form = WEIGHTS_FILE;
    write_standalone(name, emit_with(f, MODE_PREDICTION, &options, weights));
    if (options.form.weights_form != WEIGHTS_FILE) return "";
    snprintf(flags, sizeof flags, "-DWEIGHTS='\"%s/%s.weights\"'", folder, name);
    return flags;
}

__attribute__((unused)) static void inference_agrees(void **state) {
    static double expected[MOST_NUMBERS], numbers[MOST_NUMBERS];
    const struct inference_case *test = *state;
    struct fixture f = {0};
    set_up(&f, test->path, test->batch, true);
    const char *flags = write_inference(&f, test->name, test->target, test->batch);
    int expected_count = predict_in_process(&f, expected);
    for (int i = 0; i < test->compilers; i++) {
        int count = run_emitted(compilers[i], "predict.c", test->name, flags, numbers);
        double difference =
            compare(compilers[i], test->name, numbers, count, expected, expected_count);
        if (record) record("predictions", i, difference, 1e-5);
    }
    tear_down(&f);
}

/* ---- the folder ---- */

__attribute__((unused)) static int start(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/test_emit-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int finish(void **state) {
    (void)state;
    char command[160];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

#endif
