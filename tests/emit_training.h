/* emit_training.h: for tests of emitted models that train: steps in the process, and those of the
 * emitted model. */
#ifndef LATHE_EMIT_TRAINING_H
#define LATHE_EMIT_TRAINING_H

#include "compiler/commands/commands.h"
#include "tests/emit_check.h"

enum { USUAL_STEPS = 10, MOST_TOOLCHAINS = 16 };

struct training_case {
    const char *path, *name;
    long batch; /* 0: the model's */
    const struct toolchain *toolchains;
    int toolchain_count;
    bool is_noisy; /* roundings of float may take it further than 1e-5 */
    int steps;     /* 0: USUAL_STEPS */
};

/* Above so many multiply-adds for a sample, tests train less: scalar and emulated code is slow. */
static const double HEAVY_MODEL = 5e7;

/* Of a sample, forward. */
__attribute__((unused)) static double multiply_adds(const char *path) {
    struct arena arena;
    struct error error = {""};
    struct layer_cost total;
    arena_init(&arena);
    if (setjmp(arena.exhausted)) fail_msg("out of memory");
    if (!model_costs(&arena, read_model(&arena, path), &total, &error)) fail_msg("%s", error.text);
    arena_free(&arena);
    return total.macs;
}

/* ---- in the process ---- */

/* Numbers of the process's memory. */
static double load_number(const struct fixture *f, const float *place, long i) {
    return f->is_double ? ((const double *)(const void *)place)[i] : (double)place[i];
}

static void store_numbers(const struct fixture *f, float *place, const float *from, long count) {
    for (long i = 0; i < count; i++)
        if (f->is_double)
            ((double *)(void *)place)[i] = (double)from[i];
        else
            place[i] = from[i];
}

/* What a process starts from, by space, in floats that live in the fixture's arena. */
static float *const *initial_values(struct fixture *f) {
    float **space = ARENA_ARRAY(&f->arena, float *, PROGRAM_SPACES);
    for (int i = 0; i < PROGRAM_SPACES; i++)
        space[i] = ARENA_ARRAY(&f->arena, float, f->program->space_size[i] + 1);
    program_initialize(f->program, SEED, space);
    return space;
}

static int steps_of(const struct training_case *test) {
    return test->steps ? test->steps : USUAL_STEPS;
}

static void fill_memory(struct fixture *f, unsigned long step, long samples) {
    const struct program *p = f->program;
    long classes = p->sparse_labels ? p->output_size : p->label_size == 1 ? 2 : 0;
    long sample_count = p->rows * p->sample_size, label_count = p->rows * p->label_size;
    float *x = calloc((size_t)sample_count, sizeof *x), *y = calloc((size_t)label_count, sizeof *y);
    assert_non_null(x);
    assert_non_null(y);
    emit_fill(step, x, samples * p->sample_size, y, samples * p->label_size, classes);
    store_numbers(f, f->memory.samples, x, sample_count);
    store_numbers(f, f->memory.labels, y, label_count);
    free(x);
    free(y);
}

/* Float takes steps of a small rate, at which roundings stay what they are: at their own rates,
 * which are made for real data and larger batches, random samples make some models diverge
 * (relu_cnn: losses of 12,000), and then one unit of ReLU that parts from the others decides
 * digits. Double takes the models' own rate. */
static double rate_factor(bool is_double) {
    return is_double ? 1.0 : 1.0 / 256;
}

/* What tests/emit/train.c prints. */
static int train_in_process(struct fixture *f, int steps, double factor, double *expected) {
    const struct program *p = f->program;
    struct program_call call = program_memory_call(&f->memory, pool_parallel, NULL);
    int count = 0;
    for (long step = 0; step <= steps; step++) {
        bool is_evaluation = step == steps;
        long samples = p->batch - (step == 2 && !is_evaluation);
        fill_memory(f, is_evaluation ? 100 : (unsigned long)step, samples);
        call.scalars[0] = factor * optimizer_learning_rate(&f->model->training.optimizer, step);
        call.scalars[1] = (double)(step + 1);
        call.scalars[2] = (double)samples;
        call.scalars[3] = SEED;
        (is_evaluation ? p->evaluate : p->train)(&call);
        expected[count++] = call.results[0];
        expected[count++] = p->has_accuracy ? call.results[1] : 0.0;
    }
    p->predict(&call);
    for (long i = 0; i < p->batch * p->output_size; i++)
        expected[count++] = load_number(f, f->memory.predictions, i);
    for (int i = 0; i < p->variable_count; i++) {
        const struct program_variable *v = &p->variables[i];
        const float *space = f->memory.space[v->space];
        double sum = 0.0;
        for (long k = 0; k < v->elements; k++) sum += load_number(f, space, v->offset + k);
        expected[count++] = sum;
        for (long k = 0; k < v->elements; k += v->elements / EMIT_SHOWN + 1)
            expected[count++] = load_number(f, space, v->offset + k);
    }
    return count;
}

/* The same in double, from the floats that the process starts from. */
static int train_doubles_in_process(const struct training_case *test, double factor,
                                    double *exact) {
    struct fixture f = {0};
    set_up_memory(&f, test->path, test->batch, true);
    float *const *values = initial_values(&f);
    for (int i = 0; i < PROGRAM_SPACES; i++)
        store_numbers(&f, f.memory.space[i], values[i], f.program->space_size[i]);
    int count = train_in_process(&f, steps_of(test), factor, exact);
    tear_down(&f);
    return count;
}

/* How far roundings of float take the trajectory, up to each number. Adam's steps are of one size
 * whatever the gradient, so for weights without one (biases before batch normalization) roundings
 * decide the direction. Then float says nothing of which samples are right. */
static const double *rounding_noise(const double *expected, const double *exact, int count,
                                    int steps) {
    static double noise[MOST_NUMBERS];
    double largest = 0;
    for (int i = 0; i < count; i++) {
        double scale = fmax(1.0, fabs(expected[i])), difference = fabs(expected[i] - exact[i]);
        bool is_accuracy = i < 2 * (steps + 1) && i % 2;
        if (!is_accuracy) largest = fmax(largest, difference / scale);
        noise[i] = largest * scale;
        if (is_accuracy && largest > 1e-5) noise[i] = 0.25; /* any: see doubles_agree */
    }
    return noise;
}

__attribute__((unused)) static double largest_allowed(const double *expected, int count,
                                                      const double *noise) {
    double largest = 0;
    for (int i = 0; i < count; i++)
        largest = fmax(largest, allowed_for(expected[i], noise ? &noise[i] : NULL));
    return largest;
}

/* ---- emitted ---- */

static const char *train_flags(const struct fixture *f, const struct training_case *test,
                               double factor, const char *more) {
    static char flags[256];
    snprintf(flags, sizeof flags, "%s -DSTEPS=%d -DRATE_FACTOR=%.17g%s",
             f->program->has_accuracy ? "-DACCURACY" : "", steps_of(test), factor, more);
    return flags;
}

/* What the emitted model prints, by toolchain of the case. */
static double printed[MOST_TOOLCHAINS][MOST_NUMBERS];

/* The first toolchain that gave the same bits. */
static int first_alike(int toolchain, int count) {
    int i = 0;
    while (memcmp(printed[i], printed[toolchain], sizeof **printed * (size_t)count) != 0) i++;
    return i;
}

/* The emitted model by each toolchain. */
static void floats_agree(struct fixture *f, const struct training_case *test,
                         const double *expected, int expected_count, const double *noise) {
    double allowed = largest_allowed(expected, expected_count, noise);
    assert_true(test->toolchain_count <= MOST_TOOLCHAINS);
    write_standalone(test->name, emit(f, MODE_TRAINING, test->batch, "generic", NULL));
    for (int i = 0; i < test->toolchain_count; i++) {
        const struct toolchain *toolchain = &test->toolchains[i];
        int count = run_emitted(toolchain, "train.c", test->name,
                                train_flags(f, test, rate_factor(false), ""), printed[i]);
        double difference = compare_noisy(toolchain, test->name, printed[i], count, expected,
                                          expected_count, noise);
        if (record) record("training", i, difference, allowed);
    }
}

/* The model emitted in double, beside the process in double: to 1e-5. Of toolchains whose floats
 * have the same bits, the first one speaks for all. */
static void doubles_agree(struct fixture *f, const struct training_case *test, const double *exact,
                          int expected_count) {
    static double numbers[MOST_NUMBERS], differences[MOST_TOOLCHAINS];
    char more[192];
    const struct compile_options options = {.target = target_find("generic"),
                                            .batch = test->batch,
                                            .use_double = true,
                                            .form = {.weights_form = WEIGHTS_FILE}};
    float *const *values = initial_values(f);
    const float *const weights[] = {values[0], values[1], values[2]};
    write_standalone(test->name, emit_with(f, MODE_TRAINING, &options, weights));
    snprintf(more, sizeof more, " -DNUMBER=double -DWEIGHTS='\"%s/%s.weights\"'", folder,
             test->name);
    for (int i = 0; i < test->toolchain_count; i++) {
        const struct toolchain *toolchain = &test->toolchains[i];
        int alike = first_alike(i, expected_count);
        if (alike == i) {
            int count = run_emitted(toolchain, "train.c", test->name,
                                    train_flags(f, test, rate_factor(true), more), numbers);
            differences[i] = compare(toolchain, test->name, numbers, count, exact, expected_count);
        }
        if (record) record("double", i, differences[alike], 1e-5);
    }
}

/* Floats agree to 1e-5. A noisy case, where they may differ as roundings let them (allowed_for), is
 * held to that in double, at the model's own rate. */
__attribute__((unused)) static void training_agrees(void **state) {
    static double expected[MOST_NUMBERS], exact[MOST_NUMBERS];
    const struct training_case *test = *state;
    const double *noise = NULL;
    struct fixture f = {0};
    set_up(&f, test->path, test->batch, false);
    int count = train_in_process(&f, steps_of(test), rate_factor(false), expected);
    if (test->is_noisy) {
        assert_int_equal(train_doubles_in_process(test, rate_factor(false), exact), count);
        noise = rounding_noise(expected, exact, count, steps_of(test));
    }
    floats_agree(&f, test, expected, count, noise);
    if (test->is_noisy) {
        assert_int_equal(train_doubles_in_process(test, rate_factor(true), exact), count);
        doubles_agree(&f, test, exact, count);
    }
    tear_down(&f);
}

#endif
