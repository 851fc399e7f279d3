/* test_pytorch.c: whole trajectories against PyTorch.
 *
 * tests/pytorch/trajectories.txt holds ten training steps of four models with up to nine
 * optimizers, as PyTorch computes them in float64 (tests/pytorch/trajectories.py says how). Here
 * the same models are read from Lua, compiled by each backend and run on the same weights and data,
 * both of which come from the counter-based generator. */
#include "compiler/jit/jit.h"
#include "runtime/memory.h"
#include "runtime/parallel.h"
#include "runtime/random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { STEPS = 10, SIDE = 28, BLOCK = 7, MOST_VARIABLES = 40, MOST_TRAJECTORIES = 32 };
enum { WEIGHT_SEED = 7, DIRECTION_SEED = 99 };

struct variable_sums {
    long elements;
    double absolute, change, projection; /* as trajectories.py defines them */
};

struct trajectory {
    char model[16], optimizer[16];
    int batch, variable_count;
    double rate, losses[STEPS];
    double loss_rounding, change_rounding; /* what float32 alone changes in PyTorch */
    struct variable_sums variables[MOST_VARIABLES];
};

static struct trajectory trajectories[MOST_TRAJECTORIES];
static int trajectory_count;

struct run {
    const struct trajectory *trajectory;
    enum backend backend;
};

/* --- the reference --- */

static bool read_trajectory(FILE *file, struct trajectory *t) {
    if (fscanf(file, " trajectory %15s %15s batch %d rate %lf variables %d losses", t->model,
               t->optimizer, &t->batch, &t->rate, &t->variable_count) != 5)
        return false;
    if (t->variable_count < 1 || t->variable_count > MOST_VARIABLES) return false;
    for (int i = 0; i < STEPS; i++)
        if (fscanf(file, "%lf", &t->losses[i]) != 1) return false;
    if (fscanf(file, " rounding %lf %lf", &t->loss_rounding, &t->change_rounding) != 2)
        return false;
    for (int i = 0; i < t->variable_count; i++) {
        struct variable_sums *v = &t->variables[i];
        int number;
        if (fscanf(file, "%d %ld %lf %lf %lf", &number, &v->elements, &v->absolute, &v->change,
                   &v->projection) != 5 ||
            number != i)
            return false;
    }
    return true;
}

static bool read_trajectories(const char *path) {
    FILE *file = fopen(path, "r");
    if (!file) return false;
    while (trajectory_count < MOST_TRAJECTORIES &&
           read_trajectory(file, &trajectories[trajectory_count]))
        trajectory_count++;
    bool complete = feof(file);
    fclose(file);
    return complete;
}

/* --- the model under test --- */

static const char *model_path(const char *name) {
    static const char *const paths[][2] = {{"a1", "models/cnn_increasing.lua"},
                                           {"c7", "models/cnn_batch_norm.lua"},
                                           {"d0", "models/mnist_mlp.lua"},
                                           {"e1", "models/cnn_small.lua"}};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        if (strcmp(paths[i][0], name) == 0) return paths[i][1];
    fail_msg("no model for %s", name);
    return NULL;
}

static struct optimizer optimizer_of(const struct trajectory *t, struct optimizer optimizer) {
    static const struct named {
        const char *name;
        struct optimizer optimizer;
    } all[] = {
        {"sgd", {.kind = OPTIMIZER_SGD}},
        {"momentum", {.kind = OPTIMIZER_SGD, .momentum = 0.9}},
        {"nesterov", {.kind = OPTIMIZER_SGD, .momentum = 0.9, .nesterov = true}},
        {"rmsprop", {.kind = OPTIMIZER_RMSPROP, .rho = 0.9}},
        {"adagrad", {.kind = OPTIMIZER_ADAGRAD, .initial_accumulator_value = 0.1}},
        {"adadelta", {.kind = OPTIMIZER_ADADELTA, .rho = 0.95}},
        {"adam", {.kind = OPTIMIZER_ADAM, .beta_1 = 0.9, .beta_2 = 0.999}},
        {"amsgrad", {.kind = OPTIMIZER_ADAM, .beta_1 = 0.9, .beta_2 = 0.5, .amsgrad = true}},
        {"nadam", {.kind = OPTIMIZER_NADAM, .beta_1 = 0.9, .beta_2 = 0.999}},
    };
    size_t i = 0, count = sizeof all / sizeof *all;
    while (i < count && strcmp(all[i].name, t->optimizer) != 0) i++;
    if (i == count) fail_msg("no optimizer %s", t->optimizer);
    struct optimizer result = all[i].optimizer;
    result.file = optimizer.file;
    result.line = optimizer.line;
    result.learning_rate = optimizer.learning_rate; /* the calls bring their own */
    result.epsilon = 1e-7;
    return result;
}

static struct jit *compile(struct arena *arena, const struct run *run) {
    const struct trajectory *t = run->trajectory;
    struct error error = {""};
    struct model *model = model_read(arena, model_path(t->model), &error);
    if (!model) fail_msg("%s", error.text);
    model->training.optimizer = optimizer_of(t, model->training.optimizer);
    for (int i = 0; i < model->layer_count; i++)
        if (strcmp(model->layers[i]->type->name, "dropout") == 0) model->layers[i]->rate = 0.0;
    struct jit_options options = {
        .backend = run->backend,
        .compile = {.target = target_native(), .batch = t->batch, .training = true},
    };
    struct jit *jit = jit_new(model, &options, &error);
    if (!jit) fail_msg("%s", error.text);
    return jit;
}

/* --- data and comparison --- */

static void fill_batch(int step, int batch, float *samples, float *labels) {
    uint32_t seed = 1 + (uint32_t)step, blocks_of_row = SIDE / BLOCK;
    uint32_t noise = random_key(seed, 0, 0), label = random_key(seed, 0, 1);
    uint32_t block = random_key(seed, 0, 2);
    for (uint32_t n = 0; n < (uint32_t)batch; n++) {
        for (uint32_t y = 0; y < SIDE; y++)
            for (uint32_t x = 0; x < SIDE; x++) {
                uint32_t pixel = (n * SIDE + y) * SIDE + x;
                uint32_t of = (n * blocks_of_row + y / BLOCK) * blocks_of_row + x / BLOCK;
                samples[pixel] = (float)(0.25 * random_uniform(noise, pixel) +
                                         0.75 * floor(2.0 * random_uniform(block, of)));
            }
        double u = random_uniform(label, n);
        for (int i = 0; i < 3; i++) u *= u;
        labels[n] = (float)floor(10.0 * u);
    }
}

static struct variable_sums sums_of(const struct program_variable *variable, int number,
                                    const float *final, const float *initial) {
    struct variable_sums sums = {.elements = variable->elements};
    uint32_t key = random_key(DIRECTION_SEED, 0, (uint32_t)number);
    for (long e = 0; e < variable->elements; e++) {
        double value = final[variable->offset + e];
        double change = value - initial[variable->offset + e];
        sums.absolute += fabs(value);
        sums.change += fabs(change);
        sums.projection += change * (2.0 * random_uniform(key, (uint32_t)e) - 1.0);
    }
    return sums;
}

static void check_close(const char *what, const char *name, double value, double expected,
                        double tolerance) {
    if (!(fabs(value - expected) <= tolerance))
        fail_msg("%s of %s: %.9g, PyTorch has %.9g; allowed difference %.2g", what, name, value,
                 expected, tolerance);
}

static void check_variables(const struct trajectory *t, const struct program *program,
                            float *const *final, float *const *initial) {
    /* Where float32 rounding alone moves a variable in PyTorch, allow for the same here. */
    double relative = fmax(5e-3, 5.0 * t->change_rounding);
    assert_int_equal(program->variable_count, t->variable_count);
    for (int i = 0; i < t->variable_count; i++) {
        const struct program_variable *variable = &program->variables[i];
        const struct variable_sums *expected = &t->variables[i];
        assert_int_equal(variable->elements, expected->elements);
        struct variable_sums sums =
            sums_of(variable, i, final[variable->space], initial[variable->space]);
        double tolerance = relative * expected->change + 1e-9;
        check_close("change", variable->name, sums.change, expected->change, tolerance);
        check_close("projection", variable->name, sums.projection, expected->projection, tolerance);
        check_close("absolute sum", variable->name, sums.absolute, expected->absolute,
                    1e-4 * expected->absolute + tolerance);
    }
}

static void run_trajectory(const struct trajectory *t, const struct program *program) {
    struct program_memory memory = {0}, initial = {0};
    struct error error = {""};
    assert_int_equal(program->batch, t->batch);
    assert_int_equal(program->sample_size, SIDE * SIDE);
    assert_true(program->sparse_labels);
    if (!program_memory_new(program, &memory, &error)) fail_msg("%s", error.text);
    if (!program_memory_new(program, &initial, &error)) fail_msg("%s", error.text);
    program_initialize(program, WEIGHT_SEED, memory.space);
    program_initialize(program, WEIGHT_SEED, initial.space);
    for (int step = 0; step < STEPS; step++) {
        fill_batch(step, t->batch, memory.samples, memory.labels);
        struct program_call call = program_memory_call(&memory, pool_parallel, NULL);
        call.scalars[SCALAR_LEARNING_RATE] = t->rate;
        call.scalars[SCALAR_STEP] = step + 1;
        call.scalars[SCALAR_SAMPLES] = t->batch;
        call.scalars[SCALAR_SEED] = 1;
        program->train(&call);
        char name[32];
        snprintf(name, sizeof name, "step %d", step + 1);
        check_close("loss", name, call.results[0], t->losses[step], 1e-4 * t->losses[step]);
    }
    check_variables(t, program, memory.space, initial.space);
    program_memory_free(&memory);
    program_memory_free(&initial);
}

static void agrees_with_pytorch(void **state) {
    const struct run *run = *state;
    struct arena arena;
    arena_init(&arena);
    if (setjmp(arena.exhausted)) fail_msg("out of memory");
    struct jit *jit = compile(&arena, run);
    run_trajectory(run->trajectory, jit_program(jit));
    jit_free(jit);
    arena_free(&arena);
}

int main(void) {
    static struct CMUnitTest tests[2 * MOST_TRAJECTORIES];
    static struct run runs[2 * MOST_TRAJECTORIES];
    static char names[2 * MOST_TRAJECTORIES][48];
    size_t count = 0;
    if (!read_trajectories("tests/pytorch/trajectories.txt") || trajectory_count != 30) {
        fprintf(stderr, "tests/pytorch/trajectories.txt: not the 30 trajectories expected; run "
                        "from the top of the tree\n");
        return 1;
    }
    for (int i = 0; i < trajectory_count; i++)
        for (int cc = 0; cc < 2; cc++, count++) {
            runs[count] = (struct run){&trajectories[i], cc ? BACKEND_CC : BACKEND_TCC};
            snprintf(names[count], sizeof names[count], "%.15s %.15s %s", trajectories[i].model,
                     trajectories[i].optimizer, cc ? "cc" : "tcc");
            tests[count] =
                (struct CMUnitTest){names[count], agrees_with_pytorch, NULL, NULL, &runs[count]};
        }
    return _cmocka_run_group_tests("pytorch", tests, count, NULL, NULL);
}
