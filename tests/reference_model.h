/* reference_model.h: for tests: a model written as Lua text, run in double by the naive reference.
 */
#ifndef LATHE_REFERENCE_MODEL_H
#define LATHE_REFERENCE_MODEL_H

#include "compiler/layers/layer.h"
#include "runtime/random.h"
#include "tests/model_text.h"

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

struct reference_model {
    struct arena arena; /* the model and its graphs */
    struct model *model;
    struct graph *graph[3]; /* by enum mode; evaluation and training only with a training table */
    long batch;
    double *spaces[SPACE_COUNT];
    double *samples, *labels;
    double scalars[SCALAR_COUNT];
    /* of the last run */
    double loss, accuracy;
    double *predictions; /* NULL in training */
};

/* cmocka compares floats; these are doubles. */
#define assert_close(a, b, tolerance) close_to((a), (b), (tolerance), __FILE__, __LINE__)
static inline void close_to(double a, double b, double tolerance, const char *file, int line) {
    if (fabs(a - b) <= tolerance) return;
    print_error("%.17g is not %.17g\n", a, b);
    _fail(file, line);
}

/* Uniform in [0, 1), the same in each run of the test. */
static inline double uniform(unsigned long seed, long element) {
    return random_uniform(random_key((uint32_t)seed, 0, 77), (uint32_t)element);
}

static inline void reference_out_of_memory(struct arena *arena) {
    arena_free(arena);
    fail_msg("out of memory");
}

/* Weights: small random numbers (positive where they are variances); optimizer: zeros. */
static inline void reference_fill(struct reference_model *m, unsigned long seed) {
    const struct graph *graph = m->graph[MODE_PREDICTION];
    for (int i = 0; i < graph->variable_count; i++) {
        const struct variable *v = &graph->variables[i];
        bool variance = strstr(v->name, "variance") != NULL;
        for (long k = 0; k < shape_elements(&v->shape); k++) {
            double u = uniform(seed + (unsigned long)i, k);
            m->spaces[v->space][v->offset + k] = variance ? 0.5 + u : u - 0.5;
        }
    }
}

static inline void reference_open(struct reference_model *m, const char *text, long batch) {
    struct error error = {""};
    memset(m, 0, sizeof *m);
    arena_init(&m->arena);
    if (setjmp(m->arena.exhausted)) reference_out_of_memory(&m->arena);
    m->model = model_of_text(&m->arena, text);
    m->batch = batch;
    for (enum mode mode = MODE_TRAINING; mode <= MODE_PREDICTION; mode++) {
        if (mode != MODE_PREDICTION && !m->model->training.file) continue;
        m->graph[mode] = lower_model(m->model, mode, batch, &m->arena, &error);
        if (!m->graph[mode]) fail_msg("%s", error.text);
    }
    for (int i = 0; i < SPACE_COUNT; i++) {
        const long *size = m->graph[MODE_PREDICTION]->space_size;
        m->spaces[i] = ARENA_ARRAY(&m->arena, double, size[i] + 1);
    }
    struct shape label = label_shape(m->model);
    long values = batch * shape_elements(&m->model->input->output);
    m->samples = ARENA_ARRAY(&m->arena, double, values);
    m->labels = ARENA_ARRAY(&m->arena, double, batch *shape_elements(&label));
    for (long i = 0; i < values; i++) m->samples[i] = 2 * uniform(99, i) - 1;
    m->scalars[SCALAR_STEP] = 1;
    m->scalars[SCALAR_SAMPLES] = (double)batch;
    m->scalars[SCALAR_SEED] = 5;
    reference_fill(m, 1);
}

static inline void reference_close(struct reference_model *m) {
    free(m->predictions);
    arena_free(&m->arena);
}

/* Class numbers, or one-hot rows, or for `binary` zeros and ones. */
static inline void reference_classes(struct reference_model *m, bool binary) {
    struct shape label = label_shape(m->model);
    long size = shape_elements(&label), classes = shape_elements(&m->model->output->output);
    for (long n = 0; n < m->batch; n++) {
        long class = (long)(uniform(98, n) * (double)classes);
        if (label.rank == 0) m->labels[n] = (double)class;
        for (long k = 0; k < size && label.rank; k++)
            m->labels[n * size + k] = binary ? uniform(97, n * size + k) < 0.5 : k == class;
    }
}

static inline double *reference_output(const struct graph *graph, double **value,
                                       const char *name) {
    for (int i = 0; i < graph->output_count; i++)
        if (strcmp(graph->outputs[i].name, name) == 0)
            return value[graph->outputs[i].tensor->number];
    return NULL;
}

/* Runs one mode; updates the spaces. */
static inline void reference_run(struct reference_model *m, enum mode mode) {
    const struct graph *graph = m->graph[mode];
    struct arena arena;
    arena_init(&arena);
    if (setjmp(arena.exhausted)) reference_out_of_memory(&arena);
    struct reference_call call = {
        .inputs = (const double *const[]){m->samples, m->labels},
        .spaces = {m->spaces[0], m->spaces[1], m->spaces[2]},
    };
    memcpy(call.scalars, m->scalars, sizeof call.scalars);
    double **value = ARENA_ARRAY(&arena, double *, graph->tensor_count);
    graph_reference(graph, &call, &arena, value);
    const double *loss = reference_output(graph, value, "loss");
    const double *accuracy = reference_output(graph, value, "accuracy");
    const double *predictions = reference_output(graph, value, "predictions");
    m->loss = loss ? *loss : 0;
    m->accuracy = accuracy ? *accuracy : -1;
    free(m->predictions);
    m->predictions = NULL;
    if (predictions) {
        size_t size =
            sizeof(double) * (size_t)(m->batch * shape_elements(&m->model->output->output));
        m->predictions = malloc(size);
        assert_non_null(m->predictions);
        memcpy(m->predictions, predictions, size);
    }
    arena_free(&arena);
}

/* The loss of a training step at the weights as they are; nothing is updated. */
static inline double reference_loss(struct reference_model *m, enum mode mode) {
    double *saved[SPACE_COUNT];
    for (int i = 0; i < SPACE_COUNT; i++) {
        size_t size = sizeof(double) * (size_t)(m->graph[mode]->space_size[i] + 1);
        saved[i] = malloc(size);
        assert_non_null(saved[i]);
        memcpy(saved[i], m->spaces[i], size);
    }
    reference_run(m, mode);
    for (int i = 0; i < SPACE_COUNT; i++) {
        memcpy(m->spaces[i], saved[i],
               sizeof(double) * (size_t)(m->graph[mode]->space_size[i] + 1));
        free(saved[i]);
    }
    return m->loss;
}

/* The gradient of the loss: what a step of SGD with learning rate 1 subtracts. The model's
 * optimizer must be sgd {}. The caller frees it. */
static inline double *reference_gradient(struct reference_model *m) {
    long size = m->graph[MODE_TRAINING]->space_size[SPACE_TRAINABLE];
    double *gradient = malloc(sizeof(double) * (size_t)(size + 1));
    double *weights = malloc(sizeof(double) * (size_t)(size + 1));
    assert_true(gradient && weights);
    memcpy(weights, m->spaces[SPACE_TRAINABLE], sizeof(double) * (size_t)size);
    m->scalars[SCALAR_LEARNING_RATE] = 1;
    reference_run(m, MODE_TRAINING);
    for (long i = 0; i < size; i++) gradient[i] = weights[i] - m->spaces[SPACE_TRAINABLE][i];
    memcpy(m->spaces[SPACE_TRAINABLE], weights, sizeof(double) * (size_t)size);
    free(weights);
    return gradient;
}

#endif
