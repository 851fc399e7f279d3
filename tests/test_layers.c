/* test_layers.c: what layers, losses and metrics compute, against formulas written out here, in
 * double. (Gradients: test_layer_gradients.c; optimizers: test_layer_training.c.) */
#include "tests/reference_model.h"

static const struct variable *variable(const struct reference_model *m, const char *name) {
    const struct graph *graph = m->graph[MODE_PREDICTION];
    for (int i = 0; i < graph->variable_count; i++)
        if (strcmp(graph->variables[i].name, name) == 0) return &graph->variables[i];
    fail_msg("no variable %s", name);
    return NULL;
}

static double *weights(const struct reference_model *m, const char *name) {
    const struct variable *v = variable(m, name);
    return m->spaces[v->space] + v->offset;
}

/* --- convolution and pooling --- */

/* Keras's "same": the output is ceil(in / stride) and the odd zero comes last. */
static long pad_before(long in, long extent, long stride, bool same) {
    long out = (in + stride - 1) / stride, total = (out - 1) * stride + extent - in;
    return same && total > 0 ? total / 2 : 0;
}

struct geometry {
    long height, width, channels, filters, kernel[2], stride[2], dilation[2], groups;
    bool same;
};

static double convolve(const struct geometry *g, const double *x, const double *kernel, long oh,
                       long ow, long filter) {
    long in_per_group = g->channels / g->groups, group = filter / (g->filters / g->groups);
    long top =
        pad_before(g->height, (g->kernel[0] - 1) * g->dilation[0] + 1, g->stride[0], g->same);
    long left =
        pad_before(g->width, (g->kernel[1] - 1) * g->dilation[1] + 1, g->stride[1], g->same);
    double sum = 0;
    for (long i = 0; i < g->kernel[0]; i++)
        for (long j = 0; j < g->kernel[1]; j++)
            for (long c = 0; c < in_per_group; c++) {
                long y = oh * g->stride[0] + i * g->dilation[0] - top;
                long z = ow * g->stride[1] + j * g->dilation[1] - left;
                if (y < 0 || z < 0 || y >= g->height || z >= g->width) continue;
                sum += x[(y * g->width + z) * g->channels + group * in_per_group + c] *
                       kernel[((i * g->kernel[1] + j) * in_per_group + c) * g->filters + filter];
            }
    return sum;
}

static void check_convolution(const struct geometry *g) {
    char text[500];
    struct reference_model m;
    snprintf(
        text, sizeof text,
        "return model 'm' { input { %ld, %ld, %ld }, conv2d { %ld, kernel_size = { %ld, %ld },\n"
        "  strides = { %ld, %ld }, dilation_rate = { %ld, %ld }, groups = %ld,\n"
        "  padding = '%s', activation = 'relu' } }",
        g->height, g->width, g->channels, g->filters, g->kernel[0], g->kernel[1], g->stride[0],
        g->stride[1], g->dilation[0], g->dilation[1], g->groups, g->same ? "same" : "valid");
    reference_open(&m, text, 2);
    reference_run(&m, MODE_PREDICTION);
    const double *kernel = weights(&m, "conv2d/kernel"), *bias = weights(&m, "conv2d/bias");
    const long *out = m.model->output->output.size;
    long sample = g->height * g->width * g->channels, element = 0;
    for (long n = 0; n < 2; n++)
        for (long oh = 0; oh < out[0]; oh++)
            for (long ow = 0; ow < out[1]; ow++)
                for (long f = 0; f < g->filters; f++) {
                    double sum = convolve(g, m.samples + n * sample, kernel, oh, ow, f) + bias[f];
                    assert_close(m.predictions[element++], fmax(sum, 0), 1e-12);
                }
    reference_close(&m);
}

static void test_convolution(void **state) {
    (void)state;
    const struct geometry cases[] = {
        {5, 6, 2, 3, {3, 3}, {1, 1}, {1, 1}, 1, false},
        {5, 6, 2, 3, {3, 2}, {1, 1}, {1, 1}, 1, true},
        {7, 8, 1, 2, {4, 4}, {2, 3}, {1, 1}, 1, true},
        {7, 8, 4, 6, {3, 1}, {1, 2}, {2, 1}, 2, true},
        {9, 4, 3, 3, {2, 2}, {1, 1}, {3, 2}, 3, false},
        {4, 4, 1, 1, {1, 1}, {3, 3}, {1, 1}, 1, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check_convolution(&cases[i]);
}

/* The maximum and the mean of the part of each window that lies inside the image. */
static void check_pooling(long height, long width, long size, long stride, bool same,
                          bool average) {
    char text[300];
    struct reference_model m;
    snprintf(
        text, sizeof text,
        "return model 'm' { input { %ld, %ld, 2 }, %s { %ld, strides = %ld, padding = '%s' } }",
        height, width, average ? "average_pool2d" : "max_pool2d", size, stride,
        same ? "same" : "valid");
    reference_open(&m, text, 2);
    reference_run(&m, MODE_PREDICTION);
    const long *out = m.model->output->output.size;
    long top = pad_before(height, size, stride, same), left = pad_before(width, size, stride, same);
    for (long e = 0; e < 2 * out[0] * out[1] * 2; e++) {
        long c = e % 2, ow = e / 2 % out[1], oh = e / 2 / out[1] % out[0],
             n = e / 2 / out[1] / out[0];
        double sum = 0, largest = -INFINITY;
        int count = 0;
        for (long y = oh * stride - top; y < oh * stride - top + size; y++)
            for (long z = ow * stride - left; z < ow * stride - left + size; z++) {
                if (y < 0 || z < 0 || y >= height || z >= width) continue;
                double value = m.samples[((n * height + y) * width + z) * 2 + c];
                sum += value;
                largest = fmax(largest, value);
                count++;
            }
        assert_close(m.predictions[e], average ? sum / count : largest, 1e-14);
    }
    reference_close(&m);
}

static void test_pooling(void **state) {
    (void)state;
    for (int average = 0; average < 2; average++) {
        check_pooling(6, 7, 2, 2, false, average);
        check_pooling(7, 5, 2, 2, true, average);
        check_pooling(7, 8, 3, 1, true, average);
        check_pooling(5, 5, 4, 3, true, average);
        check_pooling(8, 8, 3, 2, false, average);
    }
}

static void test_global_average(void **state) {
    (void)state;
    struct reference_model m;
    reference_open(&m, "return model 'm' { input { 3, 2, 2 }, global_average_pool2d {} }", 1);
    reference_run(&m, MODE_PREDICTION);
    for (int c = 0; c < 2; c++) {
        double sum = 0;
        for (int i = 0; i < 6; i++) sum += m.samples[2 * i + c];
        assert_close(m.predictions[c], sum / 6, 1e-15);
    }
    reference_close(&m);
}

/* --- activations --- */

static void test_activations(void **state) {
    (void)state;
    static const char *const names[] = {"relu", "leaky_relu", "elu",   "sigmoid",
                                        "tanh", "gelu",       "linear"};
    const double inputs[] = {-90, -2, -0.3, 0, 0.4, 3, 90};
    for (int i = 0; i < 7; i++) {
        char text[200];
        struct reference_model m;
        snprintf(text, sizeof text, "return model 'm' { input { 7 }, activation '%s' }", names[i]);
        reference_open(&m, text, 1);
        memcpy(m.samples, inputs, sizeof inputs);
        reference_run(&m, MODE_PREDICTION);
        for (int k = 0; k < 7; k++) {
            double x = inputs[k];
            const double expected[] = {x > 0 ? x : 0,
                                       x > 0 ? x : 0.3 * x,
                                       x > 0 ? x : expm1(x),
                                       1 / (1 + exp(-x)),
                                       tanh(x),
                                       x * 0.5 * (1 + erf(x / sqrt(2))),
                                       x};
            assert_close(m.predictions[k], expected[i], 1e-14);
        }
        reference_close(&m);
    }
}

static void test_softmax(void **state) {
    (void)state;
    struct reference_model m;
    reference_open(&m, "return model 'm' { input { 3 }, activation 'softmax' }", 2);
    const double logits[] = {1000, 1001, 999.5, -1000, -1000, -1000.25};
    memcpy(m.samples, logits, sizeof logits);
    reference_run(&m, MODE_PREDICTION);
    double sum = exp(-1) + 1 + exp(-1.5), other = 2 + exp(-0.25);
    assert_close(m.predictions[0], exp(-1) / sum, 1e-15);
    assert_close(m.predictions[1], 1 / sum, 1e-15);
    assert_close(m.predictions[4], 1 / other, 1e-15);
    reference_close(&m);
}

/* --- batch normalization --- */

/* Mean and biased variance of a channel over the first `rows` rows of [.., channels]. */
static void moments(const double *x, long rows, long channels, long c, double *mean,
                    double *variance) {
    *mean = *variance = 0;
    for (long i = 0; i < rows; i++) *mean += x[i * channels + c] / (double)rows;
    for (long i = 0; i < rows; i++) *variance += pow(x[i * channels + c] - *mean, 2) / (double)rows;
}

static void check_batch_norm(const char *shape, long positions, bool image) {
    char text[400];
    struct reference_model m;
    snprintf(text, sizeof text,
             "return model 'm' { input { %s }, batch_norm { momentum = 0.75, epsilon = 0.01 },\n"
             "  training = { loss = 'mse', optimizer = sgd {} } }",
             shape);
    reference_open(&m, text, 4);
    m.scalars[SCALAR_SAMPLES] = 3;
    double expected_mean[2], expected_variance[2], loss = 0;
    for (int c = 0; c < 2; c++) {
        double mean, variance;
        moments(m.samples, 3 * positions, 2, c, &mean, &variance);
        double count = (double)(3 * positions), unbiased = variance * count / (count - 1);
        expected_mean[c] = 0.75 * weights(&m, "batch_norm/moving_mean")[c] + 0.25 * mean;
        expected_variance[c] = 0.75 * weights(&m, "batch_norm/moving_variance")[c] +
                               0.25 * (image ? unbiased : variance);
        for (long i = 0; i < 3 * positions; i++) {
            double y = (m.samples[i * 2 + c] - mean) / sqrt(variance + 0.01) *
                           weights(&m, "batch_norm/gamma")[c] +
                       weights(&m, "batch_norm/beta")[c];
            loss += y * y / (double)(6 * positions);
        }
    }
    reference_run(&m, MODE_TRAINING);
    assert_close(m.loss, loss, 1e-13);
    for (int c = 0; c < 2; c++) {
        assert_close(weights(&m, "batch_norm/moving_mean")[c], expected_mean[c], 1e-14);
        assert_close(weights(&m, "batch_norm/moving_variance")[c], expected_variance[c], 1e-14);
    }
    reference_run(&m, MODE_PREDICTION); /* now with the moving statistics */
    double y = (m.samples[1] - expected_mean[1]) / sqrt(expected_variance[1] + 0.01);
    y = y * weights(&m, "batch_norm/gamma")[1] + weights(&m, "batch_norm/beta")[1];
    assert_close(m.predictions[1], y, 1e-13);
    reference_close(&m);
}

static void test_batch_norm(void **state) {
    (void)state;
    check_batch_norm("2, 3, 2", 6, true);
    check_batch_norm("2", 1, false);
}

/* Statistics are taken around what the middle rows of the images tell: far from zero, and where
 * that row is unlike the others, nothing may cancel. */
static void test_batch_norm_of_large_means(void **state) {
    (void)state;
    enum { ROWS = 3, COLUMNS = 2, SAMPLES = 4 };
    for (int trial = 0; trial < 2; trial++) {
        struct reference_model m;
        reference_open(&m,
                       "return model 'm' { input { 3, 2, 2 }, batch_norm {},\n"
                       "  training = { loss = 'mse', optimizer = sgd {} } }",
                       SAMPLES);
        for (long i = 0; i < SAMPLES * ROWS * COLUMNS * 2; i++) {
            bool is_middle = i / (COLUMNS * 2) % ROWS == 1;
            m.samples[i] += trial == 0 ? 1e6 : is_middle ? 1e4 : 0;
        }
        double mean, variance;
        moments(m.samples, SAMPLES * ROWS * COLUMNS, 2, 1, &mean, &variance);
        double before = weights(&m, "batch_norm/moving_variance")[1];
        double count = SAMPLES * ROWS * COLUMNS;
        double expected = 0.99 * before + 0.01 * variance * count / (count - 1);
        reference_run(&m, MODE_TRAINING);
        double value = weights(&m, "batch_norm/moving_variance")[1];
        assert_close(value, expected, 1e-12 * variance + (trial == 0 ? 1e-11 : 0));
        reference_close(&m);
    }
}

/* Max pooling goes before a normalization, whatever the signs of gamma: the values are those of
 * pooling after it. */
static void test_pooled_batch_norm(void **state) {
    (void)state;
    enum { SIDE = 4, SAMPLES = 3 };
    struct reference_model m;
    reference_open(&m,
                   "return model 'm' { input { 4, 4, 2 }, batch_norm {}, activation 'relu',\n"
                   "  max_pool2d { 2 }, training = { loss = 'mse', optimizer = sgd {} } }",
                   SAMPLES);
    double gamma[2] = {-1.25, 0.5}, beta[2] = {0.1, -0.2}, loss = 0;
    for (int c = 0; c < 2; c++) {
        double mean, variance;
        weights(&m, "batch_norm/gamma")[c] = gamma[c];
        weights(&m, "batch_norm/beta")[c] = beta[c];
        moments(m.samples, SAMPLES * SIDE * SIDE, 2, c, &mean, &variance);
        for (long window = 0; window < SAMPLES * 4; window++) {
            double top = 0; /* relu */
            for (long p = 0; p < 4; p++) {
                long row = window / 2 * 2 + p / 2, column = window % 2 * 2 + p % 2;
                double x = m.samples[(row * SIDE + column) * 2 + c];
                top = fmax(top, (x - mean) / sqrt(variance + 1e-3) * gamma[c] + beta[c]);
            }
            loss += top * top / (SAMPLES * 4 * 2);
        }
    }
    for (int i = 0; i < SAMPLES * 4 * 2; i++) m.labels[i] = 0;
    reference_run(&m, MODE_TRAINING);
    assert_close(m.loss, loss, 1e-13);
    reference_close(&m);
}

/* A frozen layer works as in inference, and nothing of it changes. */
static void test_frozen_batch_norm(void **state) {
    (void)state;
    struct reference_model m;
    reference_open(
        &m,
        "return model 'm' { input { 2 }, batch_norm { trainable = false }, dense { 1 },\n"
        "  training = { loss = 'mse', optimizer = sgd {} } }",
        4);
    assert_int_equal(m.graph[MODE_TRAINING]->space_size[SPACE_STATE], 8);
    double before[8];
    memcpy(before, m.spaces[SPACE_STATE], sizeof before);
    double training = reference_loss(&m, MODE_TRAINING);
    assert_close(reference_loss(&m, MODE_EVALUATION), training, 1e-15);
    m.scalars[SCALAR_LEARNING_RATE] = 0.1;
    reference_run(&m, MODE_TRAINING);
    assert_memory_equal(before, m.spaces[SPACE_STATE], sizeof before);
    reference_close(&m);
}

/* --- dropout --- */

static void test_dropout(void **state) {
    (void)state;
    struct reference_model m;
    reference_open(&m,
                   "return model 'm' { input { 1000 }, dropout { 0.3 },\n"
                   "  training = { loss = function(y, p) return p end, optimizer = sgd {} } }",
                   20);
    for (long i = 0; i < 20000; i++) m.samples[i] = 1;
    double first = reference_loss(&m, MODE_TRAINING);
    assert_close(first, 1, 0.02); /* the mean is kept; 5 standard deviations */
    assert_true(fabs(first - 1) > 1e-9);
    assert_close(reference_loss(&m, MODE_TRAINING), first, 0);
    m.scalars[SCALAR_STEP] = 2;
    assert_true(fabs(reference_loss(&m, MODE_TRAINING) - first) > 1e-9);
    assert_close(reference_loss(&m, MODE_EVALUATION), 1, 1e-14);
    reference_close(&m);
}

/* --- losses and accuracy --- */

#define CLASSIFIER(activation, loss)                                                         \
    "return model 'm' { input { 4 }, activation '" activation "', training = { loss = " loss \
    ", optimizer = sgd {} } }"

/* The loss and the accuracy over the first three of four rows; the fourth is padding. */
static void check_loss(const char *text, bool binary,
                       double (*loss)(const double *, const double *), double accuracy) {
    struct reference_model m;
    reference_open(&m, text, 4);
    reference_classes(&m, binary);
    m.scalars[SCALAR_SAMPLES] = 3;
    for (int i = 12; i < 16; i++) m.samples[i] = 1e6; /* padding must not be seen */
    double expected = 0;
    struct shape label = label_shape(m.model);
    for (int n = 0; n < 3; n++)
        expected += loss(m.labels + n * shape_elements(&label), m.samples + 4 * n) / 3;
    assert_close(reference_loss(&m, MODE_TRAINING), expected, 1e-13);
    assert_close(reference_loss(&m, MODE_EVALUATION), expected, 1e-13);
    if (accuracy >= 0) assert_close(m.accuracy, accuracy, 1e-15);
    reference_close(&m);
}

static double crossentropy(const double *logits, int class) {
    double sum = 0;
    for (int k = 0; k < 4; k++) sum += exp(logits[k]);
    return log(sum) - logits[class];
}

static double sparse(const double *label, const double *x) {
    return crossentropy(x, (int)*label);
}

static double categorical(const double *label, const double *x) {
    double sum = 0;
    for (int k = 0; k < 4; k++) sum += label[k] * crossentropy(x, k);
    return sum;
}

static double binary(const double *label, const double *x) {
    double sum = 0;
    for (int k = 0; k < 4; k++) {
        double p = 1 / (1 + exp(-x[k]));
        sum -= (label[k] * log(p) + (1 - label[k]) * log(1 - p)) / 4;
    }
    return sum;
}

static double squared(const double *label, const double *x) {
    double sum = 0;
    for (int k = 0; k < 4; k++) sum += pow(label[k] - x[k], 2) / 4;
    return sum;
}

static double absolute(const double *label, const double *x) {
    double sum = 0;
    for (int k = 0; k < 4; k++) sum += fabs(label[k] - x[k]) / 4;
    return sum;
}

static void test_losses(void **state) {
    (void)state;
    check_loss(CLASSIFIER("softmax", "'sparse_categorical_crossentropy'"), false, sparse, -1);
    check_loss(CLASSIFIER("linear", "'sparse_categorical_crossentropy', from_logits = true"), false,
               sparse, -1);
    check_loss(CLASSIFIER("softmax", "'categorical_crossentropy'"), false, categorical, -1);
    check_loss(CLASSIFIER("sigmoid", "'binary_crossentropy'"), true, binary, -1);
    check_loss(CLASSIFIER("linear", "'binary_crossentropy', from_logits = true"), true, binary, -1);
    check_loss(CLASSIFIER("linear", "'mean_squared_error'"), true, squared, -1);
    check_loss(CLASSIFIER("linear", "function(y, p) return abs(y - p) end"), true, absolute, -1);
}

/* Very sure and wrong: the loss is the distance of the logits, not infinite. */
static void test_loss_of_large_logits(void **state) {
    (void)state;
    struct reference_model m;
    reference_open(&m, CLASSIFIER("softmax", "'sparse_categorical_crossentropy'"), 1);
    const double logits[] = {-1e4, 2e4, 0, 1};
    memcpy(m.samples, logits, sizeof logits);
    m.labels[0] = 0;
    assert_close(reference_loss(&m, MODE_EVALUATION), 3e4, 1e-9);
    reference_close(&m);
}

static double accuracy_of(const char *text, const double *samples, const double *labels,
                          long label_size) {
    struct reference_model m;
    reference_open(&m, text, 4);
    memcpy(m.samples, samples, 16 * sizeof(double));
    memcpy(m.labels, labels, (size_t)(4 * label_size) * sizeof(double));
    m.scalars[SCALAR_SAMPLES] = 3;
    reference_run(&m, MODE_EVALUATION);
    double accuracy = m.accuracy;
    reference_run(&m, MODE_TRAINING);
    assert_close(m.accuracy, accuracy, 0);
    reference_close(&m);
    return accuracy;
}

static void test_accuracy(void **state) {
    (void)state;
    /* first largest: 1, 0 (a tie with 2), 3, 0 */
    const double x[] = {0, 3, 1, 2, 5, 1, 5, 0, -4, -3, -2, -1, 9, 0, 0, 0};
    const double classes[] = {1, 2, 3, 0}, tie[] = {1, 0, 3, 1};
    const double rows[] = {0, 1, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0};
    const char *text = CLASSIFIER("softmax", "'sparse_categorical_crossentropy'");
    assert_close(accuracy_of(text, x, classes, 1), 2.0 / 3, 1e-15);
    assert_close(accuracy_of(text, x, tie, 1), 1, 1e-15);
    text = CLASSIFIER("softmax", "'categorical_crossentropy'");
    assert_close(accuracy_of(text, x, rows, 4), 2.0 / 3, 1e-15);
    text = CLASSIFIER("linear", "'mse', metrics = 'accuracy'");
    assert_close(accuracy_of(text, x, rows, 4), 2.0 / 3, 1e-15);
    /* above 0: 0111 1110 0000 */
    text = CLASSIFIER("sigmoid", "'binary_crossentropy'");
    assert_close(accuracy_of(text, x, rows, 4), (2.0 + 2 + 3) / 12, 1e-15);
    text = CLASSIFIER("linear", "'binary_crossentropy', from_logits = true");
    assert_close(accuracy_of(text, x, rows, 4), (2.0 + 2 + 3) / 12, 1e-15);
}

static void test_label_shapes(void **state) {
    (void)state;
    struct reference_model m;
    reference_open(&m, CLASSIFIER("softmax", "'sparse_categorical_crossentropy'"), 1);
    assert_int_equal(label_shape(m.model).rank, 0);
    reference_close(&m);
    reference_open(&m, CLASSIFIER("softmax", "'categorical_crossentropy'"), 1);
    struct shape shape = label_shape(m.model);
    assert_int_equal(shape.rank * 10 + shape.size[0], 14);
    reference_close(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_convolution),
        cmocka_unit_test(test_pooling),
        cmocka_unit_test(test_global_average),
        cmocka_unit_test(test_activations),
        cmocka_unit_test(test_softmax),
        cmocka_unit_test(test_batch_norm),
        cmocka_unit_test(test_batch_norm_of_large_means),
        cmocka_unit_test(test_pooled_batch_norm),
        cmocka_unit_test(test_frozen_batch_norm),
        cmocka_unit_test(test_dropout),
        cmocka_unit_test(test_losses),
        cmocka_unit_test(test_loss_of_large_logits),
        cmocka_unit_test(test_accuracy),
        cmocka_unit_test(test_label_shapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
