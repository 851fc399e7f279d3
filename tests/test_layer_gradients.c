/* test_layer_gradients.c: the gradient of each layer, activation and loss against central
 * differences, in double, over random shapes. */
#include "tests/reference_model.h"

static unsigned long draws;

/* A whole number in [low, high], the same in each run. */
static int pick(int low, int high) {
    return low + (int)(expression_random_value(11, 0, 3, draws++) * (high - low + 1));
}

static const char *pick_name(const char *const *names, int count) {
    return names[pick(0, count - 1)];
}

static double difference(struct reference_model *m, long i, double step) {
    double *w = &m->spaces[SPACE_TRAINABLE][i], kept = *w;
    *w = kept + step;
    double above = reference_loss(m, MODE_TRAINING);
    *w = kept - step;
    double below = reference_loss(m, MODE_TRAINING);
    *w = kept;
    return (above - below) / (2 * step);
}

/* Checks some weights of each variable. Where a kink (of relu, of a maximum) lies between the two
 * points, a shorter step looks beside it. */
static void check_gradient(struct reference_model *m, const char *text) {
    double *gradient = reference_gradient(m), largest = 1e-3;
    const struct graph *graph = m->graph[MODE_TRAINING];
    for (long i = 0; i < graph->space_size[SPACE_TRAINABLE]; i++)
        largest = fmax(largest, fabs(gradient[i]));
    for (int v = 0; v < graph->variable_count; v++) {
        const struct variable *variable = &graph->variables[v];
        if (variable->space != SPACE_TRAINABLE) continue;
        long elements = shape_elements(&variable->shape);
        for (int k = 0; k < 6; k++) {
            long i = variable->offset + pick(0, (int)elements - 1);
            double expected = 0;
            bool good = false;
            for (double step = 1e-4; step > 5e-7 && !good; step /= 10) {
                expected = difference(m, i, step);
                good = fabs(gradient[i] - expected) <= 1e-6 * largest;
            }
            if (!good)
                fail_msg("%s\n%s[%ld]: gradient %.12g, by differences %.12g", text, variable->name,
                         i - variable->offset, gradient[i], expected);
        }
    }
    free(gradient);
}

static void check_text(const char *text, long batch, long samples, bool binary) {
    struct reference_model m;
    reference_open(&m, text, batch);
    reference_classes(&m, binary);
    m.scalars[SCALAR_SAMPLES] = (double)samples;
    check_gradient(&m, text);
    reference_close(&m);
}

/* Checks a chain of layers that ends in a classifier of three classes. */
static void check_layers(const char *shape, const char *layers) {
    char text[1500];
    int batch = pick(2, 4);
    snprintf(text, sizeof text,
             "return model 'm' { input { %s }, %s, flatten {},\n"
             "  dense { 3, activation = 'softmax' },\n"
             "  training = { loss = 'sparse_categorical_crossentropy', optimizer = sgd {} } }",
             shape, layers);
    check_text(text, batch, pick(1, batch), false);
}

static void test_activations(void **state) {
    (void)state;
    for (int i = 0; activation_names()[i]; i++) {
        char layers[200];
        snprintf(layers, sizeof layers, "dense { 5, activation = '%s' }, activation { '%s' }",
                 activation_names()[i], activation_names()[i]);
        check_layers("7", layers);
    }
}

static void test_traced_activations(void **state) {
    (void)state;
    static const char *const bodies[] = {
        "x * sigmoid(x)",
        "x ^ 2 / (1 + exp(-x))",
        "where(less(x, 0.1), sin(x), x ^ 3)",
        "max(x, -0.2, min(0.3, cos(x)))",
        "log(1 + abs(x)) + sqrt(2 + x) - erf(x) * tanh(x)",
        "2 ^ x - (3 + x) ^ -1.5 + floor(x)",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        char layers[300];
        snprintf(layers, sizeof layers,
                 "dense { 4, activation = function(x) return %s end }, dense { 4 }", bodies[i]);
        check_layers("6", layers);
    }
}

static void test_convolution(void **state) {
    (void)state;
    static const char *const paddings[] = {"valid", "same"};
    for (int trial = 0; trial < 12; trial++) {
        char shape[60], layers[500];
        int groups = pick(1, 2), channels = groups * pick(1, 2);
        snprintf(shape, sizeof shape, "%d, %d, %d", pick(7, 9), pick(7, 9), channels);
        snprintf(layers, sizeof layers,
                 "conv2d { %d, kernel_size = { %d, %d }, strides = { %d, %d }, padding = '%s',\n"
                 "  dilation_rate = { %d, %d }, groups = %d, activation = 'tanh' },\n"
                 "conv2d { 2, kernel_size = %d, padding = 'same', use_bias = %s }",
                 groups * pick(1, 2), pick(1, 3), pick(1, 3), pick(1, 3), pick(1, 2),
                 pick_name(paddings, 2), pick(1, 2), pick(1, 3), groups, pick(1, 4),
                 pick(0, 1) ? "true" : "false");
        check_layers(shape, layers);
    }
}

static void test_pooling(void **state) {
    (void)state;
    static const char *const kinds[] = {"max_pool2d", "average_pool2d"};
    static const char *const paddings[] = {"valid", "same"};
    for (int trial = 0; trial < 12; trial++) {
        char shape[60], layers[500];
        snprintf(shape, sizeof shape, "%d, %d, 2", pick(5, 8), pick(5, 8));
        snprintf(layers, sizeof layers,
                 "conv2d { 3, kernel_size = 1, activation = 'elu' },\n"
                 "%s { { %d, %d }, strides = { %d, %d }, padding = '%s' }, dense { 2 }",
                 kinds[trial % 2], pick(1, 3), pick(2, 4), pick(1, 3), pick(1, 3),
                 pick_name(paddings, 2));
        check_layers(shape, layers);
    }
    check_layers("4, 3, 2", "conv2d { 3, kernel_size = 2 }, global_average_pool2d {}");
}

static void test_batch_norm(void **state) {
    (void)state;
    check_layers("4, 5, 2", "conv2d { 3, kernel_size = 2 }, batch_norm {}, activation 'gelu'");
    check_layers("5", "dense { 4 }, batch_norm { epsilon = 0.1 }, activation 'tanh'");
    check_layers("4, 5", "dense { 3 }, batch_norm { axis = 1 }, dense { 2 }");
    check_layers("6", "dense { 4 }, batch_norm { scale = false }, dense { 2 }");
    check_layers("6", "dense { 4 }, batch_norm { center = false }, dense { 2 }");
    check_layers("6", "dense { 4 }, batch_norm { trainable = false }, dense { 2 }");
}

/* Means far from zero: the variance must not cancel, nor its gradient. */
static void test_batch_norm_far_from_zero(void **state) {
    (void)state;
    check_layers("6", "dense { 4, bias_initializer = constant { 50 } },\n"
                      "activation { function(x) return 1000 + x end }, batch_norm {}, dense { 2 }");
}

/* The pool goes before the maps that raise a channel's pixels alike: gradients through both. */
static void test_pooled_batch_norm(void **state) {
    (void)state;
    static const char *const pools[] = {"2", "{ 2, 3 }, padding = 'same'",
                                        "3, strides = 2, padding = 'same'"};
    for (size_t i = 0; i < sizeof pools / sizeof *pools; i++) {
        char layers[400];
        snprintf(layers, sizeof layers,
                 "conv2d { 3, kernel_size = 2 },\n"
                 "batch_norm { gamma_initializer = 'random_normal' }, %s\n"
                 "max_pool2d { %s }, dense { 2 }",
                 i == 1 ? "" : "activation 'relu',", pools[i]);
        check_layers("6, 7, 2", layers);
    }
    check_layers("6, 6, 1", "conv2d { 2, kernel_size = 1 }, batch_norm { scale = false },\n"
                            "batch_norm {}, max_pool2d { 2 }, dropout { 0.3 }");
}

static void test_dropout(void **state) {
    (void)state;
    check_layers("6", "dense { 9 }, dropout { 0.4 }, dense { 5, activation = 'tanh' },\n"
                      "dropout { 0.2 }, dropout { 0 }");
}

static void test_merging(void **state) {
    (void)state;
    check_text("local x = input { 5, 4, 2 }\n"
               "local a = conv2d { 3, kernel_size = 3, padding = 'same' } (x)\n"
               "local b = conv2d { 3, kernel_size = 1, activation = 'elu' } (x)\n"
               "local y = concatenate {} { add {} { a, b, a }, b, x }\n"
               "local z = concatenate { axis = 1 } { y, conv2d { 8, kernel_size = 1 } (x) }\n"
               "return model 'm' { inputs = x,\n"
               "  outputs = dense { 3, activation = 'softmax' } (flatten {} (z)),\n"
               "  training = { loss = 'categorical_crossentropy', optimizer = sgd {} } }",
               3, 2, false);
}

static void test_reshapes_and_frozen_layers(void **state) {
    (void)state;
    check_layers("4, 6", "dense { 3 }, reshape { 2, -1, 2 }, conv2d { 2, kernel_size = 2 }");
    check_layers("5", "dense { 4, trainable = false }, dense { 4, activation = 'tanh' },\n"
                      "dense { 4, trainable = false }");
}

static void test_losses(void **state) {
    (void)state;
    static const struct {
        const char *activation, *loss;
        bool binary;
    } cases[] = {
        {"softmax", "'sparse_categorical_crossentropy'", false},
        {"linear", "'sparse_categorical_crossentropy', from_logits = true", false},
        {"softmax", "'categorical_crossentropy'", false},
        {"linear", "'categorical_crossentropy', from_logits = true", false},
        {"sigmoid", "'binary_crossentropy'", true},
        {"linear", "'binary_crossentropy', from_logits = true", true},
        {"tanh", "'mean_squared_error'", true},
        {"softmax", "'mse'", false},
        {"linear", "function(y, p) return sqrt(1 + (y - p) ^ 2) - 0.1 * p end", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[600];
        snprintf(text, sizeof text,
                 "return model 'm' { input { 5 }, dense { 6, activation = 'tanh' },\n"
                 "  dense { 4, activation = '%s' },\n"
                 "  training = { loss = %s, optimizer = sgd {} } }",
                 cases[i].activation, cases[i].loss);
        check_text(text, 5, 4, cases[i].binary);
    }
    check_text("return model 'm' { input { 5 },\n"
               "  dense { 2, activation = function(x) return 1 / (1 + exp(-x)) end },\n"
               "  training = { loss = 'binary_crossentropy', optimizer = sgd {} } }",
               4, 4, true);
}

/* At zero weights every logit is 0, a kink of |z| in the stable form of the loss. */
static void test_binary_crossentropy_at_zero(void **state) {
    (void)state;
    struct reference_model m;
    reference_open(&m,
                   "return model 'm' { input { 1 }, dense { 1, activation = 'sigmoid' },\n"
                   "  training = { loss = 'binary_crossentropy', optimizer = sgd {} } }",
                   1);
    m.spaces[SPACE_TRAINABLE][0] = m.spaces[SPACE_TRAINABLE][1] = 0;
    m.labels[0] = 1;
    double *gradient = reference_gradient(&m);
    assert_close(gradient[1], -0.5, 1e-15);
    free(gradient);
    reference_close(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_activations),
        cmocka_unit_test(test_traced_activations),
        cmocka_unit_test(test_convolution),
        cmocka_unit_test(test_pooling),
        cmocka_unit_test(test_batch_norm),
        cmocka_unit_test(test_batch_norm_far_from_zero),
        cmocka_unit_test(test_pooled_batch_norm),
        cmocka_unit_test(test_dropout),
        cmocka_unit_test(test_merging),
        cmocka_unit_test(test_reshapes_and_frozen_layers),
        cmocka_unit_test(test_losses),
        cmocka_unit_test(test_binary_crossentropy_at_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
