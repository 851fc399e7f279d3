/* emit_check.h: for tests of emitted models: a model in the process, its standalone form written
 * into a folder, built by a compiler as a program of tests/emit/ and run, and the two compared. */
#ifndef LATHE_EMIT_CHECK_H
#define LATHE_EMIT_CHECK_H

#include "compiler/jit/jit.h"
#include "runtime/memory.h"
#include "runtime/parallel.h"
#include "runtime/weights.h"
#include "tests/emit/values.h"
#include "tests/emit_toolchain.h"

enum { SEED = 5 };

/* ---- a model under test ---- */

struct fixture {
    struct arena arena;
    struct model *model;
    struct jit *jit;
    const struct program *program;
    struct program_memory memory;
    bool is_double; /* memory holds doubles */
};

static struct model *read_model(struct arena *arena, const char *path) {
    struct error error = {""};
    struct model *model = model_read(arena, path, &error);
    if (!model) fail_msg("%s", error.text);
    return model;
}

/* Memory of a program whose numbers are doubles. */
static bool double_memory_new(const struct program *program, struct program_memory *memory,
                              struct error *error) {
    struct program doubled = *program;
    for (int i = 0; i < PROGRAM_SPACES; i++) doubled.space_size[i] *= 2;
    doubled.sample_size *= 2, doubled.label_size *= 2, doubled.output_size *= 2;
    return program_memory_new(&doubled, memory, error);
}

/* The model in the process: by libtcc, or in double by a C compiler. */
static void set_up_memory(struct fixture *f, const char *path, long batch, bool is_double) {
    struct error error = {""};
    arena_init(&f->arena);
    if (setjmp(f->arena.exhausted)) fail_msg("out of memory");
    f->model = read_model(&f->arena, path);
    struct jit_options options = {
        .backend = is_double ? BACKEND_CC : BACKEND_TCC,
        .compile = {.target = target_native(),
                    .batch = batch,
                    .training = true,
                    .evaluation = true,
                    .prediction = true,
                    .use_double = is_double},
    };
    f->is_double = is_double;
    f->jit = jit_new(f->model, &options, &error);
    if (!f->jit) fail_msg("%s", error.text);
    f->program = jit_program(f->jit);
    if (!(is_double ? double_memory_new : program_memory_new)(f->program, &f->memory, &error))
        fail_msg("%s", error.text);
}

/* The same with initial values. Statistics are `moved` away from 0 and 1, so that they show in
 * predictions. */
static void set_up(struct fixture *f, const char *path, long batch, bool moved) {
    set_up_memory(f, path, batch, false);
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

/* ---- inference ---- */

struct inference_case {
    const char *path, *name, *target;
    long batch;
    const struct toolchain *toolchains;
    int toolchain_count;
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

enum { MOST_EMBEDDED = 262144 }; /* as many weights `lathe emit` puts into the source */

/* The model with the weights of the process: in the source up to so many, else in a file. Returns
 * the flags that predict.c needs. */
__attribute__((unused)) static const char *write_inference(struct fixture *f, const char *name,
                                                           const char *target, long batch,
                                                           long most_embedded) {
    static char flags[160];
    const float *const weights[] = {f->memory.space[0], f->memory.space[1], f->memory.space[2]};
    struct compile_options options = {.target = target_find(target), .batch = batch};
    if (f->program->space_size[0] + f->program->space_size[1] > most_embedded)
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
    const char *flags = write_inference(&f, test->name, test->target, test->batch, MOST_EMBEDDED);
    int expected_count = predict_in_process(&f, expected);
    for (int i = 0; i < test->toolchain_count; i++) {
        const struct toolchain *toolchain = &test->toolchains[i];
        int count = run_emitted(toolchain, "predict.c", test->name, flags, numbers);
        double difference =
            compare(toolchain, test->name, numbers, count, expected, expected_count);
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
