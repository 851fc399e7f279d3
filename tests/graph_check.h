/* graph_check.h: for tests of tensor graphs: random shapes, the naive reference, gradients against
 * central differences, and graphs before and after a pass. */
#ifndef LATHE_GRAPH_CHECK_H
#define LATHE_GRAPH_CHECK_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compiler/passes/passes.h"
#include "compiler/tensor/graph.h"

static uint32_t check_state;

/* An integer in [least, most]. */
static inline long check_random(long least, long most) {
    check_state = check_state * 1664525u + 1013904223u;
    return least + (long)(check_state >> 8) % (most - least + 1);
}

/* A graph under test with its memory: variables, one input, scalars. */
struct check {
    struct arena arena;
    struct graph *graph;
    struct tensor *variables[8]; /* of SPACE_TRAINABLE */
    int variable_count;
    long input_size;
    double *trainable, *input;
    double samples;
};

static inline void check_begin(struct check *check, uint32_t seed) {
    memset(check, 0, sizeof *check);
    check_state = seed * 2654435761u + 1;
    arena_init(&check->arena);
    if (setjmp(check->arena.exhausted)) abort();
    check->graph = graph_new(&check->arena);
    check->samples = 3;
}

static inline void check_end(struct check *check) {
    free(check->trainable);
    free(check->input);
    arena_free(&check->arena);
}

static inline struct tensor *check_variable(struct check *check, int rank, const long *size) {
    char name[16];
    snprintf(name, sizeof name, "v%d", check->variable_count);
    struct tensor *tensor = graph_variable(check->graph, name, shape_of(rank, size),
                                           SPACE_TRAINABLE, INITIALIZER_ZEROS, 0);
    return check->variables[check->variable_count++] = tensor;
}

/* Fills variables and input: all different, at least 0.004 apart and away from 0, so that no
 * difference steps over a kink of relu, of a maximum or of pooling. */
static inline void check_fill(struct check *check) {
    long trainable = check->graph->space_size[SPACE_TRAINABLE];
    long total = trainable + check->input_size;
    check->trainable = calloc((size_t)trainable + 1, sizeof(double));
    check->input = calloc((size_t)check->input_size + 1, sizeof(double));
    assert_non_null(check->trainable);
    assert_non_null(check->input);
    long *order = calloc((size_t)total + 1, sizeof(long));
    assert_non_null(order);
    for (long i = 0; i < total; i++) {
        long j = check_random(0, i);
        order[i] = order[j];
        order[j] = i;
    }
    double step = total > 400 ? 0.004 : 1.6 / (double)total;
    for (long i = 0; i < total; i++) {
        double value = ((double)order[i] - (double)(total / 2) + 0.5) * step;
        if (i < trainable)
            check->trainable[i] = value;
        else
            check->input[i - trainable] = value;
    }
    free(order);
}

/* Evaluates a graph for given variables; value[i] receives the value of tensor i. */
static inline double **check_evaluate(struct check *check, const struct graph *graph,
                                      struct arena *arena, double *trainable) {
    double **value = ARENA_ARRAY(arena, double *, graph->tensor_count);
    const double *inputs[] = {check->input};
    struct reference_call call = {.inputs = inputs, .spaces = {trainable, NULL, NULL}};
    call.scalars[SCALAR_SAMPLES] = check->samples;
    call.scalars[SCALAR_LEARNING_RATE] = 0.01;
    call.scalars[SCALAR_STEP] = 2;
    call.scalars[SCALAR_SEED] = 11;
    graph_reference(graph, &call, arena, value);
    return value;
}

static inline double check_loss(struct check *check, const struct tensor *loss) {
    struct arena arena;
    arena_init(&arena);
    if (setjmp(arena.exhausted)) abort();
    double value = check_evaluate(check, check->graph, &arena, check->trainable)[loss->number][0];
    arena_free(&arena);
    return value;
}

/* Reduces any tensor to a rank-0 loss that depends on each element in its own way:
 * the sum of (r + 0.5) * y + y * y / 4 with random r. */
static inline struct tensor *check_as_loss(struct graph *graph, struct tensor *y) {
    struct arena *arena = graph->arena;
    const struct expression *x = expression_operand(arena, 0);
    const struct expression *r = expression_random(arena, graph_random_stream(graph));
    const struct expression *quarter = expression_binary(
        arena, EXPRESSION_MULTIPLY, expression_binary(arena, EXPRESSION_MULTIPLY, x, x),
        expression_constant(arena, 0.25));
    const struct expression *factor =
        expression_binary(arena, EXPRESSION_ADD, r, expression_constant(arena, 0.5));
    const struct expression *e = expression_binary(
        arena, EXPRESSION_ADD, expression_binary(arena, EXPRESSION_MULTIPLY, factor, x), quarter);
    y = graph_map(graph, e, &y, 1);
    y = graph_reduce(graph, REDUCTION_SUM, (1u << y->shape.rank) - 1, y);
    return graph_reshape(graph, (struct shape){.rank = 0}, y);
}

static inline void check_verified(const struct graph *graph, const char *when) {
    struct error error = {{0}};
    if (!graph_verify(graph, when, &error)) fail_msg("%s", error.text);
}

static inline void check_close(double a, double b, double scale, const char *what, long i) {
    if (!(fabs(a - b) <= 1e-6 * (scale + fabs(b))))
        fail_msg("%s, element %ld: %.12g, expected %.12g", what, i, a, b);
}

/* The derivative of the loss by element i of the variables, by a five-point difference. */
static inline double check_difference(struct check *check, const struct tensor *loss, long i) {
    static const double step[] = {-2, -1, 1, 2};
    double h = 2e-4, f[4], x = check->trainable[i];
    for (int k = 0; k < 4; k++) {
        check->trainable[i] = x + step[k] * h;
        f[k] = check_loss(check, loss);
    }
    check->trainable[i] = x;
    return (f[0] - 8 * f[1] + 8 * f[2] - f[3]) / (12 * h);
}

/* The values of outputs and the variables after updates must be what they were. */
static inline void check_same_values(struct check *check, const struct graph *after,
                                     double *const *expected, struct arena *arena) {
    double **value = check_evaluate(check, after, arena, check->trainable);
    for (int o = 0; o < after->output_count; o++) {
        const struct tensor *tensor = after->outputs[o].tensor;
        for (long i = 0; i < shape_elements(&tensor->shape); i++) {
            double a = value[tensor->number][i], b = expected[o][i];
            if (!(fabs(a - b) <= 1e-10 * (1 + fabs(b))))
                fail_msg("output %d, element %ld: %.15g, before the pass %.15g", o, i, a, b);
        }
    }
}

/* Runs each pass; after each, the graph is well formed and its outputs are the same. */
static inline struct graph *check_passes(struct check *check, struct graph *graph) {
    struct graph *(*const passes[])(struct graph *) = {
        pass_dead,     pass_simplify,  pass_common, pass_pool_sums,
        pass_simplify, pass_pool_sums, pass_common, pass_dead};
    double **value = check_evaluate(check, graph, &check->arena, check->trainable);
    double **expected = ARENA_ARRAY(&check->arena, double *, graph->output_count);
    for (int o = 0; o < graph->output_count; o++)
        expected[o] = value[graph->outputs[o].tensor->number];
    for (size_t p = 0; p < sizeof passes / sizeof *passes; p++) {
        graph = passes[p](graph);
        check_verified(graph, "a pass");
        check_same_values(check, graph, expected, &check->arena);
    }
    return graph;
}

/* Checks the gradients of `loss` (rank 0) by all variables, at up to `most` elements of each, then
 * that the passes keep loss and gradients. Returns the graph after the passes. */
static inline struct graph *check_gradients(struct check *check, struct tensor *loss, long most) {
    struct tensor *gradient[8];
    int count = check->variable_count;
    graph_gradients(check->graph, loss, check->variables, count, gradient);
    graph_output(check->graph, "loss", loss);
    for (int v = 0; v < count; v++) graph_output(check->graph, "gradient", gradient[v]);
    check_verified(check->graph, "autodiff");
    check_fill(check);
    double **value = check_evaluate(check, check->graph, &check->arena, check->trainable);
    double scale = 1e-3 * fabs(value[loss->number][0]) + 1e-2;
    for (int v = 0; v < count; v++) {
        assert_true(shape_equal(&gradient[v]->shape, &check->variables[v]->shape));
        long offset = check->graph->variables[v].offset;
        long elements = shape_elements(&gradient[v]->shape), stride = elements / most + 1;
        for (long i = elements > most ? check_random(0, stride - 1) : 0; i < elements; i += stride)
            check_close(value[gradient[v]->number][i], check_difference(check, loss, offset + i),
                        scale, check->graph->variables[v].name, i);
    }
    return check_passes(check, check->graph);
}

#endif
