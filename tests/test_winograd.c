/* test_winograd.c: convolutions by Winograd's F(4x4, 3x3), F(3x3, 4x4) and F(2x2, 5x5) against the
 * naive reference in double, both dialects, beside the direct sums: outputs, and gradients by data
 * and by weights. */
#include "compiler/jit/jit.h"
#include "runtime/parallel.h"
#include "tests/reference_model.h"

/* Large, so that the weights before the step are small beside what it takes from them. */
enum { LEARNING_RATE = 4096 };

/* One training step (SGD) and one prediction of a compiled model. */
struct run {
    float *weights[SPACE_COUNT];
    float *predictions;
    const char *text; /* of the C module */
};

static float *floats(long count, const double *values) {
    size_t bytes = (sizeof(float) * (size_t)(count + 1) + 63) / 64 * 64;
    float *copy = aligned_alloc(64, bytes);
    assert_non_null(copy);
    memset(copy, 0, bytes);
    for (long i = 0; values && i < count; i++) copy[i] = (float)values[i];
    return copy;
}

static void run_compiled(struct reference_model *m, struct jit_options options, int threads,
                         struct run *run) {
    struct error error = {""};
    if (!options.compile.target) options.compile.target = target_native();
    options.compile.batch = m->batch;
    options.compile.training = options.compile.prediction = options.compile.prepare = true;
    struct jit *jit = jit_new(m->model, &options, &error);
    if (!jit) fail_msg("%s", error.text);
    const struct program *program = jit_program(jit);
    struct pool *pool = pool_new(threads, &error);
    assert_true(pool || threads == 1);
    struct program_call call = {
        .parallel = pool_parallel, .pool = pool, .range_start = pool_range_start};
    for (int i = 0; i < SPACE_COUNT; i++)
        call.space[i] = run->weights[i] = floats(program->space_size[i], m->spaces[i]);
    float *samples = floats(program->rows * program->sample_size, NULL);
    for (long i = 0; i < m->batch * program->sample_size; i++) samples[i] = (float)m->samples[i];
    float *labels = floats(program->rows * program->label_size, NULL);
    for (long i = 0; i < m->batch * program->label_size; i++) labels[i] = (float)m->labels[i];
    call.arena = floats((long)program->arena_bytes / 4, NULL);
    /* No kernel may read memory that nobody wrote. */
    memset(call.arena, 0xff, program->arena_bytes);
    call.inputs[0] = samples;
    call.inputs[1] = labels;
    call.predictions = run->predictions = floats(program->rows * program->output_size, NULL);
    call.scalars[0] = LEARNING_RATE;
    call.scalars[1] = 1;
    call.scalars[2] = (double)m->batch;
    call.scalars[3] = 5;
    call.prepared = floats((long)program->prepared_bytes / 4, NULL);
    if (program->prepare) program->prepare(&call);
    memset(call.arena, 0xff, program->arena_bytes);
    program->predict(&call);
    memset(call.arena, 0xff, program->arena_bytes);
    program->train(&call);
    free(call.arena), free(call.prepared), free(samples), free(labels);
    pool_free(pool);
    jit_free(jit);
}

static void run_free(struct run *run) {
    for (int i = 0; i < SPACE_COUNT; i++) free(run->weights[i]);
    free(run->predictions);
}

/* The largest difference, relative to the largest value. */
static double relative_error(const float *got, const double *start, const double *expected,
                             long count) {
    double error = 0, largest = 1e-30;
    for (long i = 0; i < count; i++) {
        double change = start ? (start[i] - (double)got[i]) / LEARNING_RATE : (double)got[i];
        if (!isfinite(change)) return INFINITY;
        error = fmax(error, fabs(change - expected[i]));
        largest = fmax(largest, fabs(expected[i]));
    }
    return error / largest;
}

struct expected {
    double *gradient, *predictions;
};

/* By variable, and for the predictions: no worse than `times` the direct sums' error. */
static void compare(struct reference_model *m, const struct expected *expected,
                    const struct run *direct, const struct run *winograd, const char *what) {
    const struct graph *graph = m->graph[MODE_TRAINING];
    long outputs = m->batch * shape_elements(&m->model->output->output);
    double a = relative_error(direct->predictions, NULL, expected->predictions, outputs);
    double b = relative_error(winograd->predictions, NULL, expected->predictions, outputs);
    if (!(b <= 6 * a + 1e-6)) fail_msg("%s: outputs: error %g, direct %g", what, b, a);
    for (int v = 0; v < graph->variable_count; v++) {
        const struct variable *variable = &graph->variables[v];
        if (variable->space != SPACE_TRAINABLE) continue;
        long count = shape_elements(&variable->shape), offset = variable->offset;
        const double *start = m->spaces[SPACE_TRAINABLE] + offset;
        a = relative_error(direct->weights[0] + offset, start, expected->gradient + offset, count);
        b = relative_error(winograd->weights[0] + offset, start, expected->gradient + offset,
                           count);
        if (!(a <= 5e-5)) fail_msg("%s: %s: direct error %g", what, variable->name, a);
        if (!(b <= 20 * a + 4e-6))
            fail_msg("%s: %s: error %g, direct %g", what, variable->name, b, a);
    }
}

static bool text_has(struct reference_model *m, bool no_winograd, enum dialect dialect,
                     const char *name) {
    struct error error = {""};
    struct compile_options options = {.target = target_native(),
                                      .dialect = dialect,
                                      .batch = m->batch,
                                      .training = true,
                                      .prediction = true,
                                      .prepare = true,
                                      .no_winograd = no_winograd};
    struct compilation *compilation = compile_model(&m->arena, m->model, &options, &error);
    if (!compilation) fail_msg("%s", error.text);
    return strstr(compilation->c_text, name) != NULL;
}

/* A model of these layers, and what the reference makes of it. */
static void open_model(struct reference_model *m, struct expected *expected, const char *layers,
                       const char *shape, long batch) {
    char text[1000];
    snprintf(text, sizeof text,
             "return model 'm' { input { %s }, %s,\n"
             "  global_average_pool2d {}, dense { 3 },\n"
             "  training = { loss = 'mean_squared_error', optimizer = sgd {} } }",
             shape, layers);
    reference_open(m, text, batch);
    for (long i = 0; i < batch * 3; i++) m->labels[i] = uniform(13, i);
    /* The weights as floats hold them, so that rounding them is no error of the kernels. */
    for (long i = 0; i < m->graph[MODE_TRAINING]->space_size[SPACE_TRAINABLE]; i++)
        m->spaces[SPACE_TRAINABLE][i] = (double)(float)m->spaces[SPACE_TRAINABLE][i];
    for (long i = 0; i < batch * shape_elements(&m->model->input->output); i++)
        m->samples[i] = (double)(float)m->samples[i];
    reference_run(m, MODE_PREDICTION);
    expected->predictions = m->predictions;
    m->predictions = NULL;
    expected->gradient = reference_gradient(m);
}

static void close_model(struct reference_model *m, struct expected *expected) {
    free(expected->predictions), free(expected->gradient);
    reference_close(m);
}

static void check_backends(struct reference_model *m, const struct expected *expected,
                           const struct target *target, const char *what) {
    static const enum backend backends[] = {BACKEND_TCC, BACKEND_CC};
    size_t size = sizeof(float) * (size_t)(m->batch * shape_elements(&m->model->output->output));
    struct run direct;
    struct jit_options options = {.backend = BACKEND_TCC, .compile.target = target};
    options.compile.no_winograd = true;
    run_compiled(m, options, 1, &direct);
    options.compile.no_winograd = false;
    float *predictions = NULL; /* of libtcc */
    for (int i = 0; i < 2; i++) {
        struct run winograd, threaded;
        options.backend = backends[i];
        run_compiled(m, options, 1, &winograd);
        run_compiled(m, options, 3, &threaded);
        compare(m, expected, &direct, &winograd, what);
        long weights = m->graph[MODE_TRAINING]->space_size[SPACE_TRAINABLE];
        assert_memory_equal(winograd.weights[0], threaded.weights[0],
                            sizeof(float) * (size_t)weights);
        assert_memory_equal(winograd.predictions, threaded.predictions, size);
        if (predictions) assert_memory_equal(winograd.predictions, predictions, size);
        if (!predictions)
            memcpy(predictions = floats((long)size / 4, NULL), winograd.predictions, size);
        run_free(&winograd), run_free(&threaded);
    }
    run_free(&direct);
    free(predictions);
}

/* Both dialects call these functions, and none with --no-winograd. */
static void check_calls(struct reference_model *m, const char *const calls[]) {
    for (int i = 0; calls[i]; i++) {
        if (!text_has(m, false, DIALECT_CC, calls[i])) fail_msg("there is no %s)", calls[i]);
        assert_true(text_has(m, false, DIALECT_TCC, calls[i]));
        assert_false(text_has(m, true, DIALECT_CC, calls[i]));
    }
}

static void check_model(const char *layers, const char *shape, long batch) {
    struct reference_model m;
    struct expected expected;
    open_model(&m, &expected, layers, shape, batch);
    static const char *const calls[] = {"winograd_image", "winograd_result",
                                        "winograd_weight_gradient(", NULL};
    check_calls(&m, calls);
    check_backends(&m, &expected, target_native(), layers);
    close_model(&m, &expected);
}

static void test_same_padding(void **state) {
    (void)state;
    check_model("conv2d { 24, kernel_size = 3, padding = 'same', activation = 'relu' },\n"
                "conv2d { 17, kernel_size = 3, padding = 'same', activation = 'relu' },\n"
                "conv2d { 20, kernel_size = 3, padding = 'same' }",
                "7, 7, 16", 40);
}

static void test_odd_shapes(void **state) {
    (void)state;
    check_model("conv2d { 26, kernel_size = 3, padding = 'same', activation = 'tanh' },\n"
                "conv2d { 33, kernel_size = 3, padding = 'valid', activation = 'relu' },\n"
                "conv2d { 40, kernel_size = 3, padding = 'same', use_bias = false }",
                "7, 11, 19", 20);
}

static void test_wide(void **state) {
    (void)state;
    check_model("conv2d { 16, kernel_size = 1, activation = 'relu' },\n"
                "conv2d { 70, kernel_size = 3, padding = 'same', activation = 'relu' },\n"
                "conv2d { 21, kernel_size = 3, padding = 'same', activation = 'relu' },\n"
                "max_pool2d { 2 },\n"
                "conv2d { 130, kernel_size = 3, padding = 'same', activation = 'relu' },\n"
                "conv2d { 16, kernel_size = 3, padding = 'same' }",
                "14, 14, 2", 16);
}

static void test_large_images(void **state) {
    (void)state;
    check_model("conv2d { 16, kernel_size = 1 },\n"
                "conv2d { 16, kernel_size = 3, padding = 'valid', activation = 'relu' },\n"
                "conv2d { 18, kernel_size = 3, padding = 'same' }",
                "28, 43, 1", 3);
}

/* Row-major images: lanes are channels, the weights are prepared once. */
static void test_small_batch(void **state) {
    (void)state;
    struct reference_model m;
    struct expected expected;
    const char *layers = "conv2d { 29, kernel_size = 3, padding = 'same', activation = 'relu' },\n"
                         "conv2d { 65, kernel_size = 3, padding = 'same', activation = 'tanh' },\n"
                         "conv2d { 33, kernel_size = 3, padding = 'valid', use_bias = false }";
    open_model(&m, &expected, layers, "19, 34, 16", 2);
    static const char *const calls[] = {"winograd_plain_image(", "winograd_plain_result(", NULL};
    check_calls(&m, calls);
    for (const struct target *const *target = targets(); *target; target++)
        if (target_runs(*target)) check_backends(&m, &expected, *target, (*target)->name);
    close_model(&m, &expected);
}

/* Layers on images of this shape, through functions of these names; on all targets or this one. */
static void check_layers(const char *layers, const char *shape, long batch,
                         const char *const calls[], bool everywhere) {
    struct reference_model m;
    struct expected expected;
    open_model(&m, &expected, layers, shape, batch);
    check_calls(&m, calls);
    for (const struct target *const *target = targets(); *target; target++)
        if (*target == target_native() || (everywhere && target_runs(*target)))
            check_backends(&m, &expected, *target, shape);
    close_model(&m, &expected);
}

/* F(2x2, 5x5) in all three passes; borders of odd width, with and without padding. */
static void test_five_taps(void **state) {
    (void)state;
    static const char layers[] =
        "conv2d { 32, kernel_size = 5, padding = 'same', activation = 'relu' },\n"
        "conv2d { 27, kernel_size = 5, padding = 'valid', activation = 'relu' },\n"
        "conv2d { 30, kernel_size = 5, padding = 'same', use_bias = false }";
    static const char *const calls[] = {"winograd_image_5x5(", "winograd_result_5x5(",
                                        "winograd_weights_5x5(", "winograd_weight_gradient_5x5(",
                                        NULL};
    check_layers(layers, "12, 11, 21", 20, calls, true);
    static const char *const last[] = {"winograd_image_5x5_last1(", "winograd_result_5x5_last1(",
                                       "winograd_gradient_5x5_last1(", NULL};
    check_layers(layers, "11, 9, 21", 20, last, false);
}

/* Images that end with a tile of fewer results, alike along both axes: it alone, one row of tiles
 * or several, and more columns than a chunk has. */
static void test_last_tiles(void **state) {
    (void)state;
    static const struct {
        const char *shape;
        long batch;
        const char *calls[4];
    } cases[] = {
        {"3, 3, 40", 500, {"winograd_image_last3(", "winograd_result_last3("}},
        {"9, 13, 24",
         36,
         {"winograd_image_last1(", "winograd_result_last1(", "winograd_gradient_last1("}},
        {"9, 33, 21",
         36,
         {"winograd_image_last1(", "winograd_result_last1(", "winograd_gradient_last1("}},
        {"6, 14, 24",
         20,
         {"winograd_image_last2(", "winograd_result_last2(", "winograd_gradient_last2("}},
        {"14, 6, 24",
         20,
         {"winograd_image_last2(", "winograd_result_last2(", "winograd_gradient_last2("}},
        {"7, 15, 20",
         20,
         {"winograd_image_last3(", "winograd_result_last3(", "winograd_gradient_last3("}},
        {"15, 7, 20",
         20,
         {"winograd_image_last3(", "winograd_result_last3(", "winograd_gradient_last3("}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_layers("conv2d { 30, kernel_size = 3, padding = 'same', activation = 'relu' },\n"
                     "conv2d { 37, kernel_size = 3, padding = 'same' }",
                     cases[i].shape, cases[i].batch, cases[i].calls, i == 3);
}

/* F(3x3, 4x4): with whole tiles, last ones, and such as the border cuts. */
static void test_four_taps(void **state) {
    (void)state;
    static const char layers[] =
        "conv2d { 20, kernel_size = 4, padding = 'same', activation = 'relu' },\n"
        "conv2d { 25, kernel_size = 4, padding = 'valid', activation = 'relu' },\n"
        "conv2d { 19, kernel_size = 4, padding = 'same', use_bias = false }";
    static const struct {
        const char *shape, *calls[5];
    } cases[] = {
        {"9, 12, 21",
         {"winograd_image_4x4(", "winograd_result_4x4(", "winograd_weights_4x4(",
          "winograd_weight_gradient_4x4("}},
        {"11, 8, 21",
         {"winograd_image_4x4_last2(", "winograd_result_4x4_last2(",
          "winograd_gradient_4x4_last2("}},
        {"13, 10, 21",
         {"winograd_image_4x4_last1(", "winograd_result_4x4_last1(",
          "winograd_gradient_4x4_last1("}},
        {"9, 10, 21", {"winograd_image_4x4(", "winograd_result_4x4("}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_layers(layers, cases[i].shape, 20, cases[i].calls, i == 2);
    static const char *const plain[] = {"winograd_plain_image_4x4(", "winograd_plain_result_4x4(",
                                        NULL};
    check_layers("conv2d { 32, kernel_size = 4, activation = 'relu' },\n"
                 "conv2d { 35, kernel_size = 4, padding = 'same', activation = 'tanh' }",
                 "19, 23, 32", 2, plain, false);
}

static void test_five_taps_of_a_small_batch(void **state) {
    (void)state;
    struct reference_model m;
    struct expected expected;
    open_model(&m, &expected,
               "conv2d { 32, kernel_size = 5, activation = 'relu' },\n"
               "conv2d { 35, kernel_size = 5, padding = 'same', activation = 'tanh' }",
               "19, 23, 32", 2);
    static const char *const calls[] = {"winograd_plain_image_5x5(", "winograd_plain_result_5x5(",
                                        NULL};
    check_calls(&m, calls);
    check_backends(&m, &expected, target_native(), "5x5, small batch");
    close_model(&m, &expected);
}

/* Narrower vectors, in the library and in the C text. */
static void test_other_targets(void **state) {
    (void)state;
    struct reference_model m;
    struct expected expected;
    open_model(&m, &expected,
               "conv2d { 26, kernel_size = 3, padding = 'same', activation = 'relu' },\n"
               "conv2d { 33, kernel_size = 3, padding = 'same', activation = 'relu' }",
               "7, 10, 19", 20);
    for (const struct target *const *target = targets(); *target; target++)
        if (target_runs(*target) && *target != target_native())
            check_backends(&m, &expected, *target, (*target)->name);
    close_model(&m, &expected);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_padding),  cmocka_unit_test(test_odd_shapes),
        cmocka_unit_test(test_wide),          cmocka_unit_test(test_large_images),
        cmocka_unit_test(test_other_targets), cmocka_unit_test(test_small_batch),
        cmocka_unit_test(test_last_tiles),    cmocka_unit_test(test_four_taps),
        cmocka_unit_test(test_five_taps),     cmocka_unit_test(test_five_taps_of_a_small_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
