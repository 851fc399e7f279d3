/* kernel_check.h: for tests of the generated code: a model compiled and run beside the naive
 * reference in double.
 *
 * What a run computes is written down as one list of numbers, a trace: losses, accuracies,
 * predictions, and all variables and optimizer slots after each step, in named segments. How close
 * a compiled run must come to the reference is found by running the reference again with all
 * intermediate values changed a little, as rounding would. */
#ifndef LATHE_KERNEL_CHECK_H
#define LATHE_KERNEL_CHECK_H

#include "compiler/compile.h"
#include "compiler/jit/cc.h"
#include "compiler/jit/tcc.h"
#include "compiler/kernel/microkernel.h"
#include "compiler/tensor/iterate.h"
#include "compiler/tensor/primitive.h"
#include "runtime/parallel.h"
#include "tests/random_model.h"
#include "tests/reference_model.h"

#include <float.h>
#include <sys/mman.h>

enum { CHECK_STEPS = 2, CHECK_NOISE_RUNS = 3, MOST_COMPARISONS = 32 };

/* Models whose comparisons (relu, pooling, ...) are closer than this, relative to the largest value
 * compared, are filled again: rounding could decide otherwise. */
static const double least_margin = 2e-6;

struct segment {
    const char *name;
    long begin, count;
    double scale; /* errors are measured by the largest value, or by this */
};

struct trace_layout {
    struct segment *segments;
    int count, capacity;
    long total;
};

/* A model beside its reference. */
struct kernel_check {
    struct random_model random;
    struct reference_model m; /* the model, its graphs, data, initial values */
    long partial;             /* valid samples of the second step and of the evaluation */
    struct trace_layout layout;
    double *expected;  /* the trace of the reference, */
    double *noise;     /* and by segment: how far rounding moves it */
    const char *title; /* for messages: the test and the model's number */
};

static int check_failures;

/* Reports a failure and goes on; the test fails at its end. */
__attribute__((format(printf, 2, 3))) static inline void
check_complain(const struct kernel_check *check, const char *format, ...) {
    va_list arguments;
    fprintf(stderr, "%s: ", check->title);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n");
    check_failures++;
}

/* ---- the trace ---- */

static inline void segment_add(struct arena *arena, struct trace_layout *layout, long count,
                               const char *step, const char *name) {
    if (layout->count == layout->capacity) {
        int capacity = layout->capacity ? 2 * layout->capacity : 64;
        struct segment *grown = ARENA_ARRAY(arena, struct segment, capacity);
        if (layout->count) memcpy(grown, layout->segments, sizeof *grown * (size_t)layout->count);
        layout->segments = grown;
        layout->capacity = capacity;
    }
    struct segment *segment = &layout->segments[layout->count++];
    segment->begin = layout->total;
    segment->count = count;
    segment->name = arena_format(arena, "%s, %s", step, name);
    layout->total += count;
}

/* Losses and predictions: what comes from sums with 1 is as precise as the 1. */
static inline void result_add(struct arena *arena, struct trace_layout *layout, long count,
                              const char *step, const char *name) {
    segment_add(arena, layout, count, step, name);
    layout->segments[layout->count - 1].scale = 1;
}

/* The variables of a space, and what of it has no name. */
static inline void space_add(struct arena *arena, struct trace_layout *layout,
                             const struct graph *graph, enum space space, const char *step) {
    long end = 0, weights = graph->space_size[SPACE_TRAINABLE];
    long copies = space == SPACE_OPTIMIZER && weights ? graph->space_size[space] / weights : 1;
    enum space named = space == SPACE_OPTIMIZER ? SPACE_TRAINABLE : space;
    for (long copy = 0; copy < copies; copy++)
        for (int i = 0; i < graph->variable_count; i++) {
            const struct variable *variable = &graph->variables[i];
            if (variable->space != named) continue;
            const char *name = variable->name;
            if (space == SPACE_OPTIMIZER) name = arena_format(arena, "%s, slot %ld", name, copy);
            segment_add(arena, layout, shape_elements(&variable->shape), step, name);
            end += shape_elements(&variable->shape);
        }
    if (end < graph->space_size[space])
        segment_add(arena, layout, graph->space_size[space] - end, step, "rest");
}

static inline void trace_layout_make(struct kernel_check *check) {
    struct arena *arena = &check->m.arena;
    struct trace_layout *layout = &check->layout;
    long size = shape_elements(&check->m.model->output->output);
    for (int step = 0; step < CHECK_STEPS; step++) {
        const char *name = arena_format(arena, "step %d", step + 1);
        result_add(arena, layout, 1, name, "loss");
        result_add(arena, layout, 1, name, "accuracy");
        for (int space = 0; space < SPACE_COUNT; space++)
            space_add(arena, layout, check->m.graph[MODE_TRAINING], (enum space)space, name);
    }
    result_add(arena, layout, 1, "evaluation", "loss");
    result_add(arena, layout, 1, "evaluation", "accuracy");
    result_add(arena, layout, check->partial * size, "evaluation", "predictions");
    result_add(arena, layout, check->m.batch * size, "prediction", "predictions");
}

/* Samples of a step, from 0; the steps are followed by an evaluation. */
static inline long step_samples(const struct kernel_check *check, int step) {
    return step == 0 ? check->m.batch : check->partial;
}

/* ---- the reference ---- */

/* How close comparisons come. */
struct margin {
    double least; /* relative, over all tensors */
};

static inline bool is_comparison(const struct expression *e) {
    switch (e->op) {
    case EXPRESSION_MAXIMUM:
    case EXPRESSION_MINIMUM:
    case EXPRESSION_LESS:
    case EXPRESSION_LESS_EQUAL:
    case EXPRESSION_EQUAL:
    case EXPRESSION_ABSOLUTE: return true;
    default: return false;
    }
}

static inline int find_comparisons(const struct expression *e, const struct expression **found,
                                   int count) {
    if (is_comparison(e)) {
        for (int i = 0; i < count; i++)
            if (found[i] == e) return count;
        if (count < MOST_COMPARISONS) found[count++] = e;
    }
    for (int i = 0; i < 3; i++)
        if (e->in[i]) count = find_comparisons(e->in[i], found, count);
    return count;
}

/* Values that are equal in double come from equal floats, too (zeros of relu, of padding). */
static inline void margin_add(struct margin *margin, double least, double largest) {
    if (least > 0 && least < margin->least * largest) margin->least = least / largest;
}

static inline void map_margin(const struct tensor *tensor, const struct reference_call *call,
                              double *const *value, struct margin *margin) {
    const struct expression *found[MOST_COMPARISONS];
    int count = find_comparisons(tensor->expression, found, 0);
    for (int k = 0; k < count; k++) {
        long position[MAX_RANK] = {0}, element = 0;
        double operands[16], least = INFINITY, largest = 0;
        do {
            struct expression_context context = {position, (unsigned long)element++,
                                                 (unsigned long)call->scalars[SCALAR_SEED],
                                                 (unsigned long)call->scalars[SCALAR_STEP]};
            for (int i = 0; i < tensor->in_count && i < 16; i++) {
                const struct tensor *in = tensor->in[i];
                operands[i] =
                    value[in->number][broadcast_element(&in->shape, position, tensor->shape.rank)];
            }
            double a = expression_value(found[k]->in[0], operands, &context), b = 0;
            if (found[k]->in[1]) b = expression_value(found[k]->in[1], operands, &context);
            if (a != b) least = fmin(least, fabs(a - b));
            largest = fmax(largest, fmax(fabs(a), fabs(b)));
        } while (next_position(tensor->shape.size, tensor->shape.rank, position));
        margin_add(margin, least, largest);
    }
}

static inline void pool_margin(const struct tensor *tensor, const double *x, const double *y,
                               struct margin *margin) {
    const struct window *w = &tensor->window;
    const struct shape *in = &tensor->in[0]->shape, *out = &tensor->shape;
    long position[MAX_RANK] = {0}, element = 0;
    double least = INFINITY, largest = 0;
    do {
        double maximum = y[element++];
        largest = fmax(largest, fabs(maximum));
        for (long k = 0; k < w->kernel_size[0] * w->kernel_size[1]; k++) {
            long row = position[1] * w->strides[0] + k / w->kernel_size[1] - w->pad[0];
            long column = position[2] * w->strides[1] + k % w->kernel_size[1] - w->pad[1];
            if (row < 0 || row >= in->size[1] || column < 0 || column >= in->size[2]) continue;
            double other =
                x[((position[0] * in->size[1] + row) * in->size[2] + column) * in->size[3] +
                  position[3]];
            if (other != maximum) least = fmin(least, maximum - other);
        }
    } while (next_position(out->size, 4, position));
    margin_add(margin, least, largest);
}

/* Terms of a sum for one element. */
static inline double summed_terms(const struct tensor *tensor) {
    double terms = 1;
    if (tensor->primitive == PRIMITIVE_CONTRACT)
        for (int i = 0; i < tensor->contract->loop_count; i++)
            terms *= (double)tensor->contract->extent[i];
    else
        terms = (double)shape_elements(&tensor->in[0]->shape);
    return terms / (double)shape_elements(&tensor->shape);
}

/* Changes a value as much as rounding to floats may: sums more than single operations. */
static inline void add_noise(const struct tensor *tensor, double *value, uint64_t seed) {
    double size = 1;
    switch (tensor->primitive) {
    case PRIMITIVE_MAP:
        if (tensor->shape.rank == 0) return; /* computed in double */
        break;
    case PRIMITIVE_CONTRACT: size = 1 + sqrt(summed_terms(tensor)) / 8; break;
    case PRIMITIVE_REDUCE:
        if (tensor->reduction == REDUCTION_MAXIMUM) return;
        size = 1 + sqrt(summed_terms(tensor)) / 8;
        break;
    default: return; /* exact */
    }
    long count = shape_elements(&tensor->shape);
    struct random_model random = {.state = seed * 1000003 + (uint64_t)tensor->number};
    double largest = 0;
    for (long i = 0; i < count; i++) largest = fmax(largest, fabs(value[i]));
    for (long i = 0; i < count; i++) {
        if (value[i] == floor(value[i])) continue; /* a zero, a comparison, an index: exact */
        double noise = FLT_EPSILON * size * (fabs(value[i]) + 0.25 * largest);
        noise = fmin(noise, 0.5 * fabs(value[i])); /* keeps the sign, for sqrt */
        value[i] += random_chance(&random, 50) ? noise : -noise;
    }
}

/* Evaluates a graph; updates the spaces. noise_seed 0: exactly, and watches the comparisons. */
static inline void reference_evaluate(const struct graph *graph, struct reference_call *call,
                                      struct arena *arena, double **value, uint64_t noise_seed,
                                      struct margin *margin) {
    for (int t = 0; t < graph->tensor_count; t++) {
        const struct tensor *tensor = graph->tensors[t];
        const double **in = ARENA_ARRAY(arena, const double *, tensor->in_count);
        for (int k = 0; k < tensor->in_count; k++) in[k] = value[tensor->in[k]->number];
        value[t] = ARENA_ARRAY(arena, double, shape_elements(&tensor->shape));
        struct evaluation evaluation = {.arena = arena, .call = call, .in = in, .out = value[t]};
        primitive_rules(tensor->primitive)->reference(tensor, &evaluation);
        if (noise_seed)
            add_noise(tensor, value[t], noise_seed);
        else if (tensor->primitive == PRIMITIVE_MAP)
            map_margin(tensor, call, value, margin);
        else if (tensor->primitive == PRIMITIVE_MAX_POOL)
            pool_margin(tensor, in[0], value[t], margin);
    }
    for (int i = 0; i < graph->update_count; i++) {
        const struct update *update = &graph->updates[i];
        memcpy(call->spaces[update->space] + update->offset, value[update->value->number],
               sizeof(double) * (size_t)shape_elements(&update->value->shape));
    }
}

static inline double *trace_append(double *to, const double *from, long count) {
    for (long i = 0; i < count; i++) to[i] = from[i];
    return to + count;
}

/* Runs one mode of the reference and appends its part of the trace. */
static inline double *reference_step(const struct kernel_check *check, enum mode mode,
                                     struct reference_call *call, uint64_t noise_seed,
                                     struct margin *margin, struct arena *arena, double *trace) {
    const struct graph *graph = check->m.graph[mode];
    double **value = ARENA_ARRAY(arena, double *, graph->tensor_count);
    reference_evaluate(graph, call, arena, value, noise_seed, margin);
    const double zero = 0, *accuracy = reference_output(graph, value, "accuracy");
    const double *predictions = reference_output(graph, value, "predictions");
    if (mode != MODE_PREDICTION) {
        trace = trace_append(trace, reference_output(graph, value, "loss"), 1);
        trace = trace_append(trace, accuracy ? accuracy : &zero, 1);
    }
    for (int i = 0; i < SPACE_COUNT && mode == MODE_TRAINING; i++)
        trace = trace_append(trace, call->spaces[i], graph->space_size[i]);
    long rows = mode == MODE_PREDICTION ? check->m.batch : check->partial;
    if (mode != MODE_TRAINING)
        trace = trace_append(trace, predictions,
                             rows * shape_elements(&check->m.model->output->output));
    return trace;
}

/* The steps, the evaluation and the prediction; changes the spaces of the call. */
static inline void reference_steps(const struct kernel_check *check, struct reference_call *call,
                                   uint64_t noise_seed, struct margin *margin, struct arena *arena,
                                   double *trace) {
    static const enum mode modes[] = {MODE_TRAINING, MODE_TRAINING, MODE_EVALUATION,
                                      MODE_PREDICTION};
    for (int step = 0; step < CHECK_STEPS + 2; step++) {
        call->scalars[SCALAR_STEP] = step + 1;
        call->scalars[SCALAR_SAMPLES] = (double)step_samples(check, step);
        trace = reference_step(check, modes[step], call, noise_seed, margin, arena, trace);
        arena_free(arena);
    }
}

static inline void reference_trace(const struct kernel_check *check, uint64_t noise_seed,
                                   struct margin *margin, double *trace) {
    struct reference_call call = {.inputs =
                                      (const double *const[]){check->m.samples, check->m.labels}};
    for (int i = 0; i < SPACE_COUNT; i++) {
        size_t size = sizeof(double) * (size_t)check->m.graph[MODE_TRAINING]->space_size[i];
        call.spaces[i] = malloc(size + 1);
        assert_non_null(call.spaces[i]);
        memcpy(call.spaces[i], check->m.spaces[i], size);
    }
    memcpy(call.scalars, check->m.scalars, sizeof call.scalars);
    struct arena arena;
    arena_init(&arena);
    if (setjmp(arena.exhausted)) abort();
    reference_steps(check, &call, noise_seed, margin, &arena, trace);
    for (int i = 0; i < SPACE_COUNT; i++) free(call.spaces[i]);
}

/* ---- a model and its data ---- */

static inline double as_float(double value) {
    return (double)(float)value;
}

/* Weights that keep the size of what passes through; positive variances; values that floats hold.
 */
static inline void check_fill(struct kernel_check *check, unsigned long seed) {
    struct reference_model *m = &check->m;
    const struct graph *graph = m->graph[MODE_TRAINING];
    for (int i = 0; i < graph->variable_count; i++) {
        const struct variable *v = &graph->variables[i];
        bool positive = strstr(v->name, "variance") || strstr(v->name, "gamma");
        long elements = shape_elements(&v->shape);
        double scale = 1;
        if (v->shape.rank > 1)
            scale = 2.4 * sqrt((double)v->shape.size[v->shape.rank - 1] / (double)elements * 3);
        for (long k = 0; k < elements; k++) {
            double u = uniform(seed + (unsigned long)i, k);
            m->spaces[v->space][v->offset + k] = as_float(positive ? 0.5 + u : scale * (u - 0.5));
        }
    }
    for (long i = 0; i < m->batch * shape_elements(&m->model->input->output); i++)
        m->samples[i] = as_float(2 * uniform(seed + 1000, i) - 1);
    struct shape label = label_shape(m->model);
    if (strstr(check->random.text, "crossentropy"))
        reference_classes(m, check->random.binary);
    else
        for (long i = 0; i < m->batch * shape_elements(&label); i++)
            m->labels[i] = as_float(2 * uniform(seed + 1001, i) - 1);
}

/* Multiplications of a training step of the reference: how long it takes. */
static inline double check_cost(const struct kernel_check *check) {
    const struct graph *graph = check->m.graph[MODE_TRAINING];
    double cost = 0;
    for (int t = 0; t < graph->tensor_count; t++) {
        const struct tensor *tensor = graph->tensors[t];
        double points = (double)shape_elements(&tensor->shape);
        if (tensor->primitive == PRIMITIVE_CONTRACT) points *= summed_terms(tensor);
        cost += points;
    }
    return cost;
}

static inline void check_close_all(struct kernel_check *check) {
    free(check->expected);
    free(check->noise);
    reference_close(&check->m);
}

/* Models whose values grow without bound tell nothing. */
static inline bool stays_small(const struct kernel_check *check) {
    for (long i = 0; i < check->layout.total; i++)
        if (!(fabs(check->expected[i]) < 1e4)) return false;
    return true;
}

/* How far rounding moves each segment of the trace. */
static inline void check_noise(struct kernel_check *check) {
    const struct trace_layout *layout = &check->layout;
    double *trace = malloc(sizeof *trace * (size_t)layout->total);
    check->noise = calloc((size_t)layout->count, sizeof *check->noise);
    assert_true(trace && check->noise);
    for (uint64_t seed = 1; seed <= CHECK_NOISE_RUNS; seed++) {
        reference_trace(check, seed, NULL, trace);
        for (int s = 0; s < layout->count; s++)
            for (long i = 0; i < layout->segments[s].count; i++) {
                long at = layout->segments[s].begin + i;
                assert_true(isfinite(trace[at]));
                check->noise[s] = fmax(check->noise[s], fabs(trace[at] - check->expected[at]));
            }
    }
    free(trace);
}

/* Runs the reference of the model in check->random, with data by seed. False, with nothing to
 * close: the model is too large, or its data always close to a kink. */
static inline bool check_open_text(struct kernel_check *check, uint64_t seed, double most_cost) {
    check->title = "";
    reference_open(&check->m, check->random.text, check->random.batch);
    check->title = arena_format(&check->m.arena, "model %lu", (unsigned long)seed);
    check->m.scalars[SCALAR_LEARNING_RATE] =
        optimizer_learning_rate(&check->m.model->training.optimizer, 0);
    check->partial = random_pick(&check->random, (check->m.batch + 1) / 2, check->m.batch);
    if (check_cost(check) > most_cost * (check->random.is_wide ? 10 : 1)) {
        reference_close(&check->m);
        return false;
    }
    trace_layout_make(check);
    check->expected = malloc(sizeof(double) * (size_t)check->layout.total);
    assert_non_null(check->expected);
    for (int attempt = 0; attempt < 8; attempt++) {
        struct margin margin = {.least = 1};
        check_fill(check, seed * 100 + (unsigned long)attempt);
        reference_trace(check, 0, &margin, check->expected);
        if (margin.least < least_margin || !stays_small(check)) continue;
        check_noise(check);
        return true;
    }
    check_close_all(check);
    return false;
}

/* The same for the random model of a seed. */
static inline bool check_open(struct kernel_check *check, uint64_t seed, bool gradient,
                              double most_cost) {
    memset(check, 0, sizeof *check);
    random_model(&check->random, seed, gradient);
    return check_open_text(check, seed, most_cost);
}

#endif
