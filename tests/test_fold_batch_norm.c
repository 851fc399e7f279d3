/* test_fold_batch_norm.c: batch normalization in predictions: where it moves into weights, that
 * nothing of it is left there, that it stays where moving it would be wrong, and that the values
 * are those of the graph before, by naive loops in double. */
#include "compiler/compile.h"
#include "compiler/passes/passes.h"
#include "tests/graph_check.h"

#define MODEL "tests/emit/emit_batch_norm.lua"
/* What has work of its own left: normalizations before pooling, before padding. */
static const char *const remaining[] = {"batch_norm_1", "batch_norm_5"};
enum { NORMALIZATIONS = 9 };

struct fixture {
    struct arena arena;
    struct model *model;
    struct graph *graph; /* of predictions */
    double *spaces[SPACE_COUNT], *samples;
    float *weights[SPACE_COUNT];
};

static double uniform(void) {
    return (double)check_random(-1000, 1000) / 1000;
}

/* Factors of both signs, means away from 0, variances away from 1. */
static void fill(struct fixture *f) {
    for (int i = 0; i < SPACE_COUNT; i++) {
        f->spaces[i] = ARENA_ARRAY(&f->arena, double, f->graph->space_size[i] + 1);
        f->weights[i] = ARENA_ARRAY(&f->arena, float, f->graph->space_size[i] + 1);
    }
    for (int i = 0; i < f->graph->variable_count; i++) {
        const struct variable *v = &f->graph->variables[i];
        bool is_variance = strstr(v->name, "variance") != NULL;
        for (long k = 0; k < shape_elements(&v->shape); k++) {
            float value = (float)(is_variance ? 1.2 + uniform() : uniform());
            f->weights[v->space][v->offset + k] = value;
            f->spaces[v->space][v->offset + k] = (double)value;
        }
    }
}

static void set_up(struct fixture *f, const char *path, long batch) {
    struct error error = {""};
    memset(f, 0, sizeof *f);
    check_state = 7;
    arena_init(&f->arena);
    if (setjmp(f->arena.exhausted)) fail_msg("out of memory");
    f->model = model_read(&f->arena, path, &error);
    if (!f->model) fail_msg("%s", error.text);
    f->graph = lower_model(f->model, MODE_PREDICTION, batch, &f->arena, &error);
    if (!f->graph) fail_msg("%s", error.text);
    fill(f);
    long count = batch * shape_elements(&f->model->input->output);
    f->samples = ARENA_ARRAY(&f->arena, double, count);
    for (long i = 0; i < count; i++) f->samples[i] = uniform();
}

static const double *predictions(struct fixture *f, const struct graph *graph,
                                 double *const *spaces) {
    const double *inputs[] = {f->samples};
    struct reference_call call = {.inputs = inputs};
    for (int i = 0; i < SPACE_COUNT; i++) call.spaces[i] = spaces[i];
    double **value = ARENA_ARRAY(&f->arena, double *, graph->tensor_count);
    graph_reference(graph, &call, &f->arena, value);
    return value[graph->outputs[0].tensor->number];
}

static void compare(const struct graph *graph, const double *values, const double *expected,
                    double tolerance) {
    long count = shape_elements(&graph->outputs[0].tensor->shape);
    double least = 1, most = 0;
    for (long i = 0; i < count; i++) {
        if (!(fabs(values[i] - expected[i]) <= tolerance))
            fail_msg("prediction %ld: %.15g, before %.15g", i, values[i], expected[i]);
        least = fmin(least, values[i]), most = fmax(most, values[i]);
    }
    assert_true(most - least > 0.05); /* the network has not died away */
}

/* The graph as the compiler folds it. */
static struct graph *fold(struct fixture *f) {
    struct graph *graph = pass_dead(pass_simplify(pass_dead(f->graph)));
    graph = pass_fold_batch_norm(pass_dead(pass_common(graph)));
    check_verified(graph, "fold");
    return graph;
}

static void test_values(void **unused) {
    (void)unused;
    for (long batch = 1; batch <= 3; batch++) {
        struct fixture f;
        set_up(&f, MODEL, batch);
        const double *expected = predictions(&f, f.graph, f.spaces);
        struct graph *graph = fold(&f);
        compare(graph, predictions(&f, graph, f.spaces), expected, 1e-12);
        arena_free(&f.arena);
    }
}

/* Computed ahead by the compiler: values rounded to float once. */
static void test_constants(void **unused) {
    (void)unused;
    struct fixture f;
    set_up(&f, MODEL, 2);
    const double *expected = predictions(&f, f.graph, f.spaces);
    float *values = NULL;
    struct graph *graph = pass_constants(fold(&f), (const float *const *)f.weights, &values);
    check_verified(graph, "constants");
    long count = graph->space_size[SPACE_TRAINABLE];
    assert_int_equal(graph->space_size[SPACE_STATE], 0);
    double *wide = ARENA_ARRAY(&f.arena, double, count), *spaces[SPACE_COUNT] = {wide};
    for (long i = 0; i < count; i++) wide[i] = (double)values[i];
    compare(graph, predictions(&f, graph, spaces), expected, 1e-5);
    /* of each layer's weights one kernel and one bias, of the remaining normalizations factor,
     * beta and mean, and what the variance comes to */
    assert_int_equal(graph->variable_count, 8 + 8 + 6);
    arena_free(&f.arena);
}

static bool remains(const char *layer) {
    for (size_t i = 0; i < sizeof remaining / sizeof *remaining; i++)
        if (!strcmp(layer, remaining[i])) return true;
    return false;
}

/* Kernels of a call that work for a normalization; with or without the entry point that prepares. */
static int normalization_kernels(struct fixture *f, long batch, bool prepare) {
    struct error error = {""};
    struct compile_options options = {
        .target = target_find("x86-64-v3"), .batch = batch, .prediction = true, .prepare = prepare};
    const struct compilation *c = compile_model(&f->arena, f->model, &options, &error);
    if (!c) fail_msg("%s", error.text);
    assert_int_equal(c->program.prepared_bytes > 0, prepare);
    int count = 0;
    for (int i = 0; i < c->kernel_count[MODE_PREDICTION]; i++) {
        const struct kernel_summary *kernel = &c->kernels[MODE_PREDICTION][i];
        if (!kernel->layer || strncmp(kernel->layer, "batch_norm", 10)) continue;
        if (prepare && !remains(kernel->layer)) fail_msg("%s is left", kernel->name);
        count++;
    }
    return count;
}

static void test_no_work_is_left(void **unused) {
    (void)unused;
    struct fixture f;
    set_up(&f, MODEL, 1);
    for (long batch = 1; batch <= 32; batch += 31) {
        assert_true(normalization_kernels(&f, batch, true) <= 2);
        assert_true(normalization_kernels(&f, batch, false) >= NORMALIZATIONS);
    }
    arena_free(&f.arena);
}

/* The emitted model has neither the parameters of a folded normalization nor a square root. */
static void test_emitted(void **unused) {
    (void)unused;
    struct fixture f;
    struct error error = {""};
    set_up(&f, MODEL, 1);
    struct compile_options options = {.target = target_find("generic"), .batch = 1};
    const struct standalone *s = compile_standalone(&f.arena, f.model, MODE_PREDICTION, &options,
                                                    (const float *const *)f.weights, &error);
    if (!s) fail_msg("%s", error.text);
    assert_null(strstr(s->source, "gamma"));
    assert_null(strstr(s->source, "moving_variance"));
    assert_null(strstr(s->source, "sqrt("));
    assert_null(strstr(s->header, "_prepare("));
    s = compile_standalone(&f.arena, f.model, MODE_PREDICTION, &options, NULL, &error);
    if (!s) fail_msg("%s", error.text);
    assert_non_null(strstr(s->source, "sqrt(")); /* parameters are not known yet */
    assert_non_null(strstr(s->header, "_prepare("));
    arena_free(&f.arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_constants),
        cmocka_unit_test(test_no_work_is_left),
        cmocka_unit_test(test_emitted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
