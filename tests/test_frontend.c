/* test_frontend.c: what model files in Lua say: names, options, shapes, graphs, traced functions.
 */
#include "tests/model_fixture.h"

/* cmocka compares floats; these are doubles. */
static void assert_close(double a, double b, double tolerance) {
    if (!(fabs(a - b) <= tolerance)) fail_msg("%.17g is not %.17g", a, b);
}

static const char *name_of(const struct model *model, int i) {
    return model->layers[i]->name;
}

static void test_names(void **state) {
    struct model *model = read_text(*state, "return model 'm' {\n"
                                            "  input { 8 },\n"
                                            "  dense { 4 },\n"
                                            "  dense { 4, name = 'dense_2' },\n"
                                            "  dense { 4, name = 'middle' },\n"
                                            "  dense { 4 },\n"
                                            "  activation 'relu',\n"
                                            "}\n");
    const char *const names[] = {"input", "dense", "dense_2", "middle", "dense_3", "activation"};
    for (int i = 0; i < 6; i++) {
        assert_string_equal(name_of(model, i), names[i]);
        assert_int_equal(model->layers[i]->line, i + 2);
    }
    assert_string_equal(model->name, "m");
    assert_int_equal(model->line, 1);
    assert_null(model->training.file);
}

static void test_defaults(void **state) {
    struct model *model = read_text(
        *state,
        "return model 'm' {\n"
        "  input { 28, 28, 4 }, conv2d { 8, kernel_size = { 3, 5 } }, max_pool2d {},\n"
        "  average_pool2d { pool_size = 3, strides = 1, padding = 'same' }, batch_norm {},\n"
        "  dense { 2 * 8 / 4, trainable = false, bias_initializer = constant { -0.5 } },\n"
        "  training = { loss = 'mse' }\n"
        "}\n");
    const struct layer *conv = model->layers[1], *pool = model->layers[2];
    const struct layer *average = model->layers[3], *norm = model->layers[4];
    assert_int_equal(conv->filters, 8);
    assert_int_equal(conv->kernel_size[0] * 10 + conv->kernel_size[1], 35);
    assert_int_equal(conv->strides[0] + conv->strides[1] + conv->dilation_rate[0] + conv->groups,
                     4);
    assert_int_equal(conv->padding, PADDING_VALID);
    assert_true(conv->use_bias && conv->trainable);
    assert_string_equal(conv->activation.name, "linear");
    assert_string_equal(conv->kernel_initializer.name, "glorot_uniform");
    assert_string_equal(conv->bias_initializer.name, "zeros");
    assert_int_equal(pool->kernel_size[1] * 10 + pool->strides[0], 22);
    assert_int_equal(average->kernel_size[1] * 10 + average->strides[0], 31);
    assert_int_equal(average->padding, PADDING_SAME);
    assert_close(norm->momentum, 0.99, 0);
    assert_close(norm->epsilon, 1e-3, 0);
    assert_true(norm->center && norm->scale);
    assert_int_equal(model->output->units, 4);
    assert_false(model->output->trainable);
    assert_close(model->output->bias_initializer.value, -0.5, 0);
    const struct training *training = &model->training;
    assert_int_equal(training->batch_size, 32);
    assert_int_equal(training->epochs, 1);
    assert_close(training->validation_split, 0, 0);
    assert_false(training->accuracy);
    assert_int_equal(training->optimizer.kind, OPTIMIZER_RMSPROP);
    assert_close(training->optimizer.rho, 0.9, 0);
    assert_close(optimizer_learning_rate(&training->optimizer, 0), 1e-3, 0);
}

static void test_optimizers(void **state) {
    static const struct {
        const char *text;
        double learning_rate;
        struct optimizer expected;
    } cases[] = {
        {"sgd {}", 0.01, {.kind = OPTIMIZER_SGD}},
        {"sgd { 0.5, momentum = 0.9, nesterov = true }",
         0.5,
         {.kind = OPTIMIZER_SGD, .momentum = 0.9, .nesterov = true}},
        {"rmsprop { centered = true, momentum = 0.5 }",
         1e-3,
         {.kind = OPTIMIZER_RMSPROP,
          .rho = 0.9,
          .momentum = 0.5,
          .epsilon = 1e-7,
          .centered = true}},
        {"adam { learning_rate = 2e-3, beta_1 = 0.8, beta_2 = 0.99, epsilon = 1e-5 }",
         2e-3,
         {.kind = OPTIMIZER_ADAM, .beta_1 = 0.8, .beta_2 = 0.99, .epsilon = 1e-5}},
        {"adam { amsgrad = true }",
         1e-3,
         {.kind = OPTIMIZER_ADAM,
          .beta_1 = 0.9,
          .beta_2 = 0.999,
          .epsilon = 1e-7,
          .amsgrad = true}},
        {"adagrad { 0.01, initial_accumulator_value = 0 }",
         0.01,
         {.kind = OPTIMIZER_ADAGRAD, .epsilon = 1e-7}},
        {"'adagrad'",
         1e-3,
         {.kind = OPTIMIZER_ADAGRAD, .epsilon = 1e-7, .initial_accumulator_value = 0.1}},
        {"adadelta {}", 1e-3, {.kind = OPTIMIZER_ADADELTA, .rho = 0.95, .epsilon = 1e-7}},
        {"'nadam'",
         1e-3,
         {.kind = OPTIMIZER_NADAM, .beta_1 = 0.9, .beta_2 = 0.999, .epsilon = 1e-7}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[400];
        snprintf(text, sizeof text,
                 "return model 'm' { input { 4 },\n training = { loss = 'mse', optimizer = %s } }",
                 cases[i].text);
        struct model *model = read_text(*state, text);
        struct optimizer got = model->training.optimizer, expected = cases[i].expected;
        assert_int_equal(got.line, 2);
        assert_int_equal(got.kind, expected.kind);
        assert_int_equal(got.nesterov * 2 + got.centered + got.amsgrad * 4,
                         expected.nesterov * 2 + expected.centered + expected.amsgrad * 4);
        assert_close(got.initial_accumulator_value, expected.initial_accumulator_value, 0);
        assert_close(optimizer_learning_rate(&got, 1000), cases[i].learning_rate, 0);
        assert_close(got.momentum, expected.momentum, 0);
        assert_close(got.rho, expected.rho, 0);
        assert_close(got.beta_1, expected.beta_1, 0);
        assert_close(got.beta_2, expected.beta_2, 0);
        assert_close(got.epsilon, expected.epsilon, 0);
    }
}

static double rate_at(void **state, const char *learning_rate, long step) {
    char text[400];
    snprintf(text, sizeof text,
             "return model 'm' { input { 4 },\n"
             "  training = { loss = 'mse', optimizer = sgd { learning_rate = %s } } }",
             learning_rate);
    return optimizer_learning_rate(&read_text(*state, text)->training.optimizer, step);
}

static void test_schedules(void **state) {
    const char *decay = "exponential_decay { 0.5, decay_steps = 100, decay_rate = 0.9 }";
    const char *stairs =
        "exponential_decay { 0.5, decay_steps = 100, decay_rate = 0.9, staircase = true }";
    const char *warm =
        "function(step) return where(less(step, 10), 0.1 * step, 1 / sqrt(step)) end";
    assert_close(rate_at(state, "0.25", 1000), 0.25, 0);
    assert_close(rate_at(state, decay, 0), 0.5, 0);
    assert_close(rate_at(state, decay, 250), 0.5 * pow(0.9, 2.5), 1e-15);
    assert_close(rate_at(state, stairs, 250), 0.5 * 0.81, 1e-15);
    assert_close(rate_at(state, warm, 5), 0.5, 1e-15);
    assert_close(rate_at(state, warm, 16), 0.25, 1e-15);
}

/* Against Keras's documentation of each class. */
static void test_more_schedules(void **state) {
    static const struct {
        const char *schedule;
        long step;
        double expected;
    } cases[] = {
        {"inverse_time_decay { 1, decay_steps = 10, decay_rate = 0.5 }", 5, 1 / 1.25},
        {"inverse_time_decay { 1, decay_steps = 10, decay_rate = 0.5, staircase = true }", 25, 0.5},
        {"piecewise_constant_decay { boundaries = { 10, 20 }, values = { 3, 2, 1 } }", 0, 3},
        {"piecewise_constant_decay { boundaries = { 10, 20 }, values = { 3, 2, 1 } }", 10, 3},
        {"piecewise_constant_decay { boundaries = { 10, 20 }, values = { 3, 2, 1 } }", 11, 2},
        {"piecewise_constant_decay { boundaries = { 10, 20 }, values = { 3, 2, 1 } }", 20, 2},
        {"piecewise_constant_decay { boundaries = { 10, 20 }, values = { 3, 2, 1 } }", 21, 1},
        {"polynomial_decay { 0.5, decay_steps = 10 }", 5, 0.25005},
        {"polynomial_decay { 0.5, decay_steps = 10 }", 99, 1e-4},
        {"polynomial_decay { 0.5, decay_steps = 10, end_learning_rate = 0.1, power = 2, cycle = "
         "true }",
         15, 0.4 * 0.0625 + 0.1},
        {"polynomial_decay { 0.5, decay_steps = 10, end_learning_rate = 0, cycle = true }", 0, 0.5},
        {"cosine_decay { 0.5, decay_steps = 100 }", 50, 0.25},
        {"cosine_decay { 0.5, decay_steps = 100, alpha = 0.2 }", 50, 0.3},
        {"cosine_decay { 0.5, decay_steps = 100, alpha = 0.2 }", 5000, 0.1},
        {"cosine_decay { 0.1, decay_steps = 100, warmup_target = 1, warmup_steps = 10 }", 5, 0.55},
        {"cosine_decay { 0.1, decay_steps = 100, warmup_target = 1, warmup_steps = 10 }", 10, 1},
        {"cosine_decay { 0.1, decay_steps = 100, warmup_target = 1, warmup_steps = 10 }", 60, 0.5},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_close(rate_at(state, cases[i].schedule, cases[i].step), cases[i].expected, 1e-15);
}

static void test_metrics(void **state) {
    static const struct {
        const char *options;
        bool accuracy;
    } cases[] = {
        {"loss = 'categorical_crossentropy'", true},
        {"loss = 'categorical_crossentropy', metrics = {}", false},
        {"loss = 'mean_squared_error'", false},
        {"loss = 'mean_squared_error', metrics = { 'accuracy' }", true},
        {"loss = function(y, p) return abs(y - p) end", false},
        {"loss = function(y, p) return abs(y - p) end, metrics = 'accuracy'", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[400];
        snprintf(text, sizeof text,
                 "return model 'm' { input { 4 }, activation 'softmax', training = { %s } }",
                 cases[i].options);
        assert_int_equal(read_text(*state, text)->training.accuracy, cases[i].accuracy);
    }
}

/* height, width, channels after one layer on a 28x27x6 image */
static void test_shapes(void **state) {
    static const struct {
        const char *layer;
        int rank;
        long size[3];
    } cases[] = {
        {"conv2d { 8, kernel_size = 3 }", 3, {26, 25, 8}},
        {"conv2d { 8, kernel_size = 4, padding = 'same' }", 3, {28, 27, 8}},
        {"conv2d { 8, kernel_size = 3, strides = 2 }", 3, {13, 13, 8}},
        {"conv2d { 8, kernel_size = 3, strides = { 2, 3 }, padding = 'same' }", 3, {14, 9, 8}},
        {"conv2d { 8, kernel_size = 3, dilation_rate = { 1, 4 } }", 3, {26, 19, 8}},
        {"conv2d { 9, kernel_size = 1, groups = 3 }", 3, {28, 27, 9}},
        {"max_pool2d { 3 }", 3, {9, 9, 6}},
        {"max_pool2d { 2, padding = 'same' }", 3, {14, 14, 6}},
        {"average_pool2d { { 2, 3 }, strides = 1 }", 3, {27, 25, 6}},
        {"global_average_pool2d {}", 1, {6}},
        {"flatten {}", 1, {4536}},
        {"reshape { 14, -1 }", 2, {14, 324}},
        {"reshape { target_shape = { 4536 } }", 1, {4536}},
        {"dense { 5 }", 3, {28, 27, 5}},
        {"dropout { 0.5 }", 3, {28, 27, 6}},
        {"batch_norm {}", 3, {28, 27, 6}},
        {"activation { 'softmax' }", 3, {28, 27, 6}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[300];
        snprintf(text, sizeof text, "return model 'm' { input { 28, 27, 6 }, %s }", cases[i].layer);
        const struct shape got = read_text(*state, text)->output->output;
        const struct shape expected = shape_of(cases[i].rank, cases[i].size);
        if (!shape_equal(&got, &expected)) fail_msg("%s: wrong shape", cases[i].layer);
    }
}

static void test_graph(void **state) {
    struct model *model = read_text(
        *state,
        "local tail = dense { 3, name = 'tail' }\n"
        "local x = input { 8, 8, 3 }\n"
        "local a, b = conv2d { 4, kernel_size = 1 } (x), conv2d { 4, kernel_size = 1 } (x)\n"
        "local unused = flatten {} (a)\n"
        "local y = concatenate {} { add {} { a, b }, b, x }\n"
        "return model 'm' { inputs = { x }, outputs = tail(flatten { } (y)) }\n");
    const char *const names[] = {"input",       "conv2d",  "conv2d_1", "add",
                                 "concatenate", "flatten", "tail"};
    assert_int_equal(model->layer_count, 7);
    for (int i = 0; i < 7; i++) {
        assert_string_equal(name_of(model, i), names[i]);
        for (int k = 0; k < model->layers[i]->input_count; k++)
            assert_true(model->layers[i]->inputs[k]->number < i);
    }
    const struct layer *joined = model->layers[4];
    assert_int_equal(joined->input_count, 3);
    assert_ptr_equal(joined->inputs[0], model->layers[3]);
    assert_ptr_equal(joined->inputs[1], model->layers[2]);
    assert_ptr_equal(joined->inputs[2], model->input);
    assert_int_equal(joined->output.size[2], 11);
    assert_int_equal(model->output->line, 1);
}

/* --- parameters --- */

static void check_parameters(void **state, const char *text, long trainable, long state_size) {
    struct fixture *f = *state;
    struct model *model = read_text(f, text);
    if (!model) fail_msg("%s", f->error.text);
    for (enum mode mode = MODE_TRAINING; mode <= MODE_PREDICTION; mode++) {
        struct graph *graph = lower_model(model, mode, 2, &f->arena, &f->error);
        if (!graph) fail_msg("%s", f->error.text);
        assert_int_equal(graph->space_size[SPACE_TRAINABLE], trainable);
        assert_int_equal(graph->space_size[SPACE_STATE], state_size);
    }
    arena_free(&f->arena);
}

static void test_parameters_of_frozen_layers(void **state) {
#define IMAGE "return model 'm' { input { 28, 28, 1 }, "
#define RECIPE \
    "training = { loss = 'categorical_crossentropy', optimizer = sgd {}, batch_size = 128 } }"
#define SOFTMAX "dense { 10, activation = 'softmax' }, "
    const char *frozen = IMAGE "flatten {}, dense { 10, trainable = false }, "
                               "batch_norm { trainable = false }, " SOFTMAX RECIPE;
    check_parameters(state, frozen, 110, 7850 + 40);
    const char *bare = IMAGE "conv2d { 4, kernel_size = 3, groups = 1, use_bias = false }, "
                             "batch_norm { scale = false }, flatten {}, " SOFTMAX RECIPE;
    check_parameters(state, bare, 36 + 4 + 26 * 26 * 4 * 10 + 10, 8);
}

/* --- traced functions --- */

static double traced(void **state, const char *body, double x) {
    char text[500];
    snprintf(text, sizeof text,
             "return model 'm' { input { 4 }, activation { function(x) return %s end } }", body);
    struct model *model = read_text(*state, text);
    struct expression_context context = {0};
    return expression_value(model->output->activation.expression, &x, &context);
}

static void test_traced_functions(void **state) {
    const double x = 0.7;
    static const struct {
        const char *body;
        double at_0_7;
    } cases[] = {
        {"x + 1", 1.7},
        {"2 - x * 3 / 4", 2 - 0.7 * 3 / 4},
        {"-x ^ 2", -0.49},
        {"x ^ 3 + x ^ 0.5", 0.343 + 0.83666002653407556},
        {"2 ^ x", 1.6245047927124712},
        {"x // 0.3", 2},
        {"x % 0.3", 0.1},
        {"math.exp(x) - exp(x)", 0},
        {"log(x) + sqrt(x)", -0.35667494393873245 + 0.83666002653407556},
        {"log(x, 2) + math.log(8, x)", -0.5145731728297583 - 5.830074629624194},
        {"log(x + 1, x + 2)", 0.5342333791702948},
        {"tanh(x) + sin(x) + cos(x)",
         0.60436777711716361 + 0.64421768723769105 + 0.7648421872844885},
        {"abs(-x) + erf(x) + floor(x)", 0.7 + 0.67780119383741847},
        {"max(x, 0.5, 0.9) + min(0.1, x)", 1.0},
        {"where(less(x, 1), 3, x)", 3},
        {"where(greater_equal(x, 1), 3, x)", 0.7},
        {"less_equal(x, x) + greater(x, 2) + equal(x, x)", 2},
        {"sigmoid(x) + relu(-x)", 0.66818777216816616},
        {"x * sigmoid(x)", 0.7 * 0.66818777216816616},
        {"5", 5},
        {"math.pi + x", 3.1415926535897931 + 0.7},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double value = traced(state, cases[i].body, x);
        if (fabs(value - cases[i].at_0_7) > 1e-14)
            fail_msg("%s: %.17g, expected %.17g", cases[i].body, value, cases[i].at_0_7);
    }
}

/* The same functions on plain numbers. */
static void test_functions_of_numbers(void **state) {
    read_text(*state,
              "assert(exp(0) == 1 and max(1, 2) == 2 and where(true, 1, 2) == 1)\n"
              "assert(where(0, 1, 2) == 2 and less(1, 2) == 1 and equal(1, 2) == 0)\n"
              "assert(sigmoid(0) == 0.5 and relu(-1) == 0 and tanh(0) == 0 and erf(0) == 0)\n"
              "return model 'm' { input { 1 } }\n");
}

/* --- running out of memory --- */

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_names),
        TEST(test_defaults),
        TEST(test_optimizers),
        TEST(test_schedules),
        TEST(test_more_schedules),
        TEST(test_metrics),
        TEST(test_shapes),
        TEST(test_graph),
        TEST(test_parameters_of_frozen_layers),
        TEST(test_traced_functions),
        TEST(test_functions_of_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
