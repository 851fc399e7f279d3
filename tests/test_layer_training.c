/* test_layer_training.c: initializers, optimizers and the whole training step, against formulas
 * written out here, in double. */
#include "tests/reference_model.h"

static const struct variable *variable(const struct reference_model *m, const char *name) {
    const struct graph *graph = m->graph[MODE_PREDICTION];
    for (int i = 0; i < graph->variable_count; i++)
        if (strcmp(graph->variables[i].name, name) == 0) return &graph->variables[i];
    fail_msg("no variable %s", name);
    return NULL;
}

/* --- initializers --- */

static void check_initializer(const char *name, enum initializer_kind kind, double kernel,
                              double dense) {
    char text[500];
    struct reference_model m;
    snprintf(text, sizeof text,
             "return model 'm' { input { 8, 8, 4 },\n"
             "  conv2d { 6, kernel_size = { 3, 5 }, groups = 2, kernel_initializer = %s },\n"
             "  flatten {}, dense { 7, kernel_initializer = %s } }",
             name, name);
    reference_open(&m, text, 1);
    assert_int_equal(variable(&m, "conv2d/kernel")->initializer, kind);
    assert_int_equal(variable(&m, "conv2d/bias")->initializer, INITIALIZER_ZEROS);
    if (kind != INITIALIZER_ZEROS && kind != INITIALIZER_ONES) {
        assert_close(variable(&m, "conv2d/kernel")->scale, kernel, 1e-15);
        assert_close(variable(&m, "dense/kernel")->scale, dense, 1e-15);
    }
    reference_close(&m);
}

static void test_initializers(void **state) {
    (void)state;
    const double cut = 0.87962566103423978;   /* deviation of a normal cut at 2 */
    const double in = 30, out = 90;           /* 3 * 5 * 4 / 2 groups, 3 * 5 * 6 */
    const double wide = 6 * 4 * 6, units = 7; /* 6 x 4 pixels of 6 channels */
    check_initializer("'glorot_uniform'", INITIALIZER_UNIFORM, sqrt(6 / (in + out)),
                      sqrt(6 / (wide + units)));
    check_initializer("'glorot_normal'", INITIALIZER_TRUNCATED_NORMAL, sqrt(2 / (in + out)) / cut,
                      sqrt(2 / (wide + units)) / cut);
    check_initializer("'he_uniform'", INITIALIZER_UNIFORM, sqrt(6 / in), sqrt(6 / wide));
    check_initializer("'he_normal'", INITIALIZER_TRUNCATED_NORMAL, sqrt(2 / in) / cut,
                      sqrt(2 / wide) / cut);
    check_initializer("'random_uniform'", INITIALIZER_UNIFORM, 0.05, 0.05);
    check_initializer("'random_normal'", INITIALIZER_NORMAL, 0.05, 0.05);
    check_initializer("'zeros'", INITIALIZER_ZEROS, 0, 0);
    check_initializer("'ones'", INITIALIZER_ONES, 0, 0);
    check_initializer("constant { 0.25 }", INITIALIZER_CONSTANT, 0.25, 0.25);
}

/* --- optimizers --- */

struct slots {
    double a, b, c; /* of one weight */
    double product; /* nadam's */
};

typedef double rule(struct slots *s, double g, double rate, int step);

static double sgd_rule(struct slots *s, double g, double rate, int step) {
    (void)s, (void)step;
    return rate * g;
}

static double momentum_rule(struct slots *s, double g, double rate, int step) {
    (void)step;
    return s->a = 0.9 * s->a + rate * g;
}

static double nesterov_rule(struct slots *s, double g, double rate, int step) {
    (void)step;
    s->a = 0.9 * s->a + rate * g;
    return 0.9 * s->a + rate * g;
}

static double rmsprop_rule(struct slots *s, double g, double rate, int step) {
    (void)step;
    s->a = 0.9 * s->a + 0.1 * g * g;
    return rate * g / (sqrt(s->a) + 1e-7);
}

static double centered_rule(struct slots *s, double g, double rate, int step) {
    (void)step;
    s->a = 0.8 * s->a + 0.2 * g * g;
    s->b = 0.8 * s->b + 0.2 * g;
    return s->c = 0.5 * s->c + rate * g / (sqrt(s->a - s->b * s->b) + 1e-3);
}

static double adagrad_rule(struct slots *s, double g, double rate, int step) {
    if (step == 1) s->a = 0.1;
    s->a += g * g;
    return rate * g / (sqrt(s->a) + 1e-7);
}

static double adagrad_from_zero_rule(struct slots *s, double g, double rate, int step) {
    (void)step;
    s->a += g * g;
    return rate * g / (sqrt(s->a) + 1e-2);
}

static double adadelta_rule(struct slots *s, double g, double rate, int step) {
    (void)step;
    s->a = 0.95 * s->a + 0.05 * g * g;
    double update = sqrt(s->b + 1e-7) / sqrt(s->a + 1e-7) * g;
    s->b = 0.95 * s->b + 0.05 * update * update;
    return rate * update;
}

static double adam_rule(struct slots *s, double g, double rate, int step) {
    s->a = 0.9 * s->a + 0.1 * g;
    s->b = 0.999 * s->b + 0.001 * g * g;
    return rate * s->a / (1 - pow(0.9, step)) / (sqrt(s->b / (1 - pow(0.999, step))) + 1e-7);
}

/* beta_2 = 0.5 forgets fast: the largest second moment often is an old one. */
static double amsgrad_rule(struct slots *s, double g, double rate, int step) {
    s->a = 0.9 * s->a + 0.1 * g;
    s->b = 0.5 * s->b + 0.5 * g * g;
    s->c = fmax(s->c, s->b);
    return rate * s->a / (1 - pow(0.9, step)) / (sqrt(s->c / (1 - pow(0.5, step))) + 1e-7);
}

static double nadam_rule(struct slots *s, double g, double rate, int step) {
    double now = 0.9 * (1 - 0.5 * pow(0.96, 0.004 * step));
    double next = 0.9 * (1 - 0.5 * pow(0.96, 0.004 * (step + 1)));
    s->product = (step == 1 ? 1 : s->product) * now;
    s->a = 0.9 * s->a + 0.1 * g;
    s->b = 0.999 * s->b + 0.001 * g * g;
    double m = next * s->a / (1 - s->product * next) + (1 - now) * g / (1 - s->product);
    return rate * m / (sqrt(s->b / (1 - pow(0.999, step))) + 1e-7);
}

/* Ten steps; the gradients come from the same model under sgd {} at the same weights. */
static void check_optimizer(const char *name, rule *update, long slot_count, long numbers) {
    const char *format = "return model 'm' { input { 5 }, dense { 4, activation = 'tanh' },\n"
                         "  dense { 3, activation = 'softmax' },\n"
                         "  training = { loss = 'categorical_crossentropy', optimizer = %s } }";
    char text[500];
    struct reference_model m, plain;
    snprintf(text, sizeof text, format, name);
    reference_open(&m, text, 6);
    snprintf(text, sizeof text, format, "sgd {}");
    reference_open(&plain, text, 6);
    reference_classes(&m, false);
    reference_classes(&plain, false);
    enum { WEIGHTS = 5 * 4 + 4 + 4 * 3 + 3 };
    assert_int_equal(m.graph[MODE_PREDICTION]->space_size[SPACE_TRAINABLE], WEIGHTS);
    for (enum mode mode = MODE_TRAINING; mode <= MODE_PREDICTION; mode++)
        assert_int_equal(m.graph[mode]->space_size[SPACE_OPTIMIZER],
                         slot_count * WEIGHTS + numbers);
    struct slots slots[WEIGHTS] = {0};
    double *w = plain.spaces[SPACE_TRAINABLE];
    for (int step = 1; step <= 10; step++) {
        double rate = 0.05 / step, *gradient = reference_gradient(&plain);
        for (int i = 0; i < WEIGHTS; i++) w[i] -= update(&slots[i], gradient[i], rate, step);
        free(gradient);
        m.scalars[SCALAR_LEARNING_RATE] = rate;
        m.scalars[SCALAR_STEP] = step;
        reference_run(&m, MODE_TRAINING);
        for (int i = 0; i < WEIGHTS; i++)
            if (fabs(m.spaces[SPACE_TRAINABLE][i] - w[i]) > 1e-11)
                fail_msg("%s, step %d, weight %d: %.15g, expected %.15g", name, step, i,
                         m.spaces[SPACE_TRAINABLE][i], w[i]);
    }
    reference_close(&m);
    reference_close(&plain);
}

static void test_optimizers(void **state) {
    (void)state;
    check_optimizer("sgd {}", sgd_rule, 0, 0);
    check_optimizer("sgd { momentum = 0.9 }", momentum_rule, 1, 0);
    check_optimizer("sgd { momentum = 0.9, nesterov = true }", nesterov_rule, 1, 0);
    check_optimizer("rmsprop {}", rmsprop_rule, 1, 0);
    check_optimizer("rmsprop { centered = true, rho = 0.8, momentum = 0.5, epsilon = 1e-3 }",
                    centered_rule, 3, 0);
    check_optimizer("adagrad {}", adagrad_rule, 1, 0);
    check_optimizer("adagrad { initial_accumulator_value = 0, epsilon = 1e-2 }",
                    adagrad_from_zero_rule, 1, 0);
    check_optimizer("adadelta {}", adadelta_rule, 2, 0);
    check_optimizer("adam {}", adam_rule, 2, 0);
    check_optimizer("adam { beta_2 = 0.5, amsgrad = true }", amsgrad_rule, 3, 0);
    check_optimizer("nadam {}", nadam_rule, 2, 1);
}

/* --- the whole step --- */

static void test_training_learns(void **state) {
    (void)state;
    struct reference_model m;
    reference_open(
        &m,
        "return model 'm' { input { 6, 6, 1 },\n"
        "  conv2d { 4, kernel_size = 3, activation = 'relu' }, batch_norm {},\n"
        "  max_pool2d {}, flatten {}, dense { 3, activation = 'softmax' },\n"
        "  training = { loss = 'sparse_categorical_crossentropy', optimizer = adam {} } }",
        8);
    reference_classes(&m, false);
    m.scalars[SCALAR_LEARNING_RATE] = 0.05;
    reference_run(&m, MODE_TRAINING);
    double first = m.loss;
    for (int step = 2; step <= 60; step++) {
        m.scalars[SCALAR_STEP] = step;
        reference_run(&m, MODE_TRAINING);
    }
    assert_true(m.loss < 0.1 * first);
    assert_close(m.accuracy, 1, 0);
    reference_close(&m);
}

/* Padding rows change nothing: a batch of 5 with 3 valid rows is a batch of 3. */
static void test_padding_rows(void **state) {
    (void)state;
    const char *text = "return model 'm' { input { 4, 4, 2 }, conv2d { 3, kernel_size = 2 },\n"
                       "  batch_norm {}, activation 'elu', flatten {},\n"
                       "  dense { 4, activation = 'softmax' },\n"
                       "  training = { loss = 'sparse_categorical_crossentropy',\n"
                       "               optimizer = sgd {} } }";
    struct reference_model padded, whole;
    reference_open(&padded, text, 5);
    reference_open(&whole, text, 3);
    reference_classes(&padded, false);
    reference_classes(&whole, false);
    for (int i = 3 * 32; i < 5 * 32; i++) padded.samples[i] = 1e3;
    padded.labels[4] = 77;
    padded.scalars[SCALAR_SAMPLES] = 3;
    double *a = reference_gradient(&padded), *b = reference_gradient(&whole);
    assert_close(padded.loss, whole.loss, 1e-13);
    assert_close(padded.accuracy, whole.accuracy, 0);
    for (long i = 0; i < whole.graph[MODE_TRAINING]->space_size[SPACE_TRAINABLE]; i++)
        assert_close(a[i], b[i], 1e-13);
    for (int i = 0; i < 6; i++)
        assert_close(padded.spaces[SPACE_STATE][i], whole.spaces[SPACE_STATE][i], 1e-13);
    free(a);
    free(b);
    reference_close(&padded);
    reference_close(&whole);
}

/* Below the first trainable layer no gradient is computed; with none at all, nothing is updated. */
static void test_frozen_layers(void **state) {
    (void)state;
    const char *format = "return model 'm' { input { 8, 8, 1 },\n"
                         "  conv2d { 4, kernel_size = 3, trainable = %s }, flatten {},\n"
                         "  dense { 3, activation = 'softmax', trainable = %s },\n"
                         "  training = { loss = 'sparse_categorical_crossentropy' } }";
    int contractions[3];
    for (int frozen = 0; frozen < 3; frozen++) {
        char text[500];
        struct reference_model m;
        snprintf(text, sizeof text, format, frozen >= 1 ? "false" : "true",
                 frozen >= 2 ? "false" : "true");
        reference_open(&m, text, 2);
        const struct graph *graph = m.graph[MODE_TRAINING];
        contractions[frozen] = 0;
        for (int i = 0; i < graph->tensor_count; i++)
            contractions[frozen] += graph->tensors[i]->primitive == PRIMITIVE_CONTRACT;
        if (frozen == 2) assert_int_equal(graph->update_count, 0);
        reference_close(&m);
    }
    assert_int_equal(contractions[0], 5); /* two forward, one by data, two by weights */
    assert_int_equal(contractions[1], 3);
    assert_int_equal(contractions[2], 2);
}

static void test_model_without_training(void **state) {
    (void)state;
    struct reference_model m;
    struct error error;
    reference_open(&m, "\nreturn model 'plain' { input { 2 } }", 1);
    assert_null(lower_model(m.model, MODE_TRAINING, 1, &m.arena, &error));
    assert_non_null(strstr(error.text,
                           ":2: model \"plain\": it has no training table; add training "
                           "= { loss = \"...\", optimizer = adam {} } to it"));
    reference_run(&m, MODE_PREDICTION);
    assert_close(m.predictions[1], m.samples[1], 0);
    reference_close(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_initializers),    cmocka_unit_test(test_optimizers),
        cmocka_unit_test(test_training_learns), cmocka_unit_test(test_padding_rows),
        cmocka_unit_test(test_frozen_layers),   cmocka_unit_test(test_model_without_training),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
