/* test_tensor.c: tensor primitives: values against loops written here, gradients against central
 * differences over random shapes. */
#include "compiler/layers/families.h"
#include "tests/graph_check.h"

enum { SEEDS = 12 };

/* Runs a builder of losses with several seeds and checks the gradients of each. */
static void each_seed(struct tensor *(*build)(struct check *check), long most) {
    for (uint32_t seed = 1; seed <= SEEDS; seed++) {
        struct check check;
        check_begin(&check, seed);
        struct tensor *loss = build(&check);
        check_gradients(&check, loss, most);
        check_end(&check);
    }
}

static struct tensor *dense_loss(struct check *check) {
    long size[] = {check_random(1, 4), check_random(1, 3), check_random(1, 3), check_random(1, 5)};
    long kernel_size[] = {0, check_random(1, 6)};
    int rank = (int)check_random(1, 4);
    kernel_size[0] = size[rank - 1];
    struct tensor *x = check_variable(check, rank, size);
    struct tensor *kernel = check_variable(check, 2, kernel_size);
    return check_as_loss(check->graph, graph_dense(check->graph, x, kernel));
}

static void test_dense(void **unused) {
    (void)unused;
    each_seed(dense_loss, 20);
}

/* A random window on an image with at least one tap of each window inside. */
static struct window random_window(const long *image, long *out_size) {
    struct window window;
    for (int axis = 0; axis < 2; axis++) {
        long span;
        do {
            window.kernel_size[axis] = check_random(1, 4);
            window.dilation_rate[axis] = check_random(1, 2);
            span = (window.kernel_size[axis] - 1) * window.dilation_rate[axis] + 1;
        } while (span > image[axis]);
        window.strides[axis] = check_random(1, 3);
        window.pad[axis] = check_random(0, window.kernel_size[axis] > 1 ? 1 : 0);
        out_size[axis] = (image[axis] + 2 * window.pad[axis] - span) / window.strides[axis] + 1;
    }
    return window;
}

struct convolution {
    long n, image[2], out[2], in_channels, filters, groups;
    struct window window;
};

static struct convolution random_convolution(void) {
    struct convolution c = {.n = check_random(1, 3), .groups = check_random(1, 3)};
    c.image[0] = check_random(3, 7);
    c.image[1] = check_random(3, 7);
    c.in_channels = c.groups * check_random(1, 3);
    c.filters = c.groups * check_random(1, 3);
    c.window = random_window(c.image, c.out);
    return c;
}

static struct tensor *build_convolution(struct check *check, const struct convolution *c) {
    const long *k = c->window.kernel_size;
    struct tensor *x =
        check_variable(check, 4, (long[]){c->n, c->image[0], c->image[1], c->in_channels});
    struct tensor *kernel =
        check_variable(check, 4, (long[]){k[0], k[1], c->in_channels / c->groups, c->filters});
    return graph_convolution(check->graph, x, kernel, &c->window, c->groups, c->out[0], c->out[1]);
}

static struct tensor *convolution_loss(struct check *check) {
    struct convolution c = random_convolution();
    return check_as_loss(check->graph, build_convolution(check, &c));
}

static void test_convolution_gradients(void **unused) {
    (void)unused;
    each_seed(convolution_loss, 15);
}

/* One output element of a convolution, from Keras's description. */
static double convolution_element(const struct convolution *c, const double *x, const double *w,
                                  long n, long oh, long ow, long filter) {
    long ci = c->in_channels / c->groups, group = filter / (c->filters / c->groups);
    const struct window *window = &c->window;
    double sum = 0;
    for (long kh = 0; kh < window->kernel_size[0]; kh++)
        for (long kw = 0; kw < window->kernel_size[1]; kw++) {
            long h = oh * window->strides[0] - window->pad[0] + kh * window->dilation_rate[0];
            long v = ow * window->strides[1] - window->pad[1] + kw * window->dilation_rate[1];
            if (h < 0 || h >= c->image[0] || v < 0 || v >= c->image[1]) continue;
            for (long i = 0; i < ci; i++) {
                long channel = group * ci + i;
                sum += x[((n * c->image[0] + h) * c->image[1] + v) * c->in_channels + channel] *
                       w[((kh * window->kernel_size[1] + kw) * ci + i) * c->filters + filter];
            }
        }
    return sum;
}

static void test_convolution_values(void **unused) {
    (void)unused;
    for (uint32_t seed = 1; seed <= 30; seed++) {
        struct check check;
        check_begin(&check, seed);
        struct convolution c = random_convolution();
        struct tensor *y = build_convolution(&check, &c);
        check_verified(check.graph, "building");
        check_fill(&check);
        double **value = check_evaluate(&check, check.graph, &check.arena, check.trainable);
        const double *x = value[y->in[0]->number], *w = value[y->in[1]->number];
        long at = 0;
        for (long n = 0; n < c.n; n++)
            for (long oh = 0; oh < c.out[0]; oh++)
                for (long ow = 0; ow < c.out[1]; ow++)
                    for (long f = 0; f < c.filters; f++, at++)
                        check_close(value[y->number][at],
                                    convolution_element(&c, x, w, n, oh, ow, f), 1, "convolution",
                                    at);
        assert_int_equal(at, shape_elements(&y->shape));
        check_end(&check);
    }
}

/* Loops, in order, and the exchange of roles: later passes recognize contractions by them. */
static void test_convolution_form(void **unused) {
    (void)unused;
    struct check check;
    check_begin(&check, 1);
    struct convolution c = {2, {5, 6}, {3, 4}, 3, 4, 1, {{3, 3}, {1, 1}, {1, 1}, {0, 0}}};
    struct tensor *y = build_convolution(&check, &c), *gradient[2];
    graph_gradients(check.graph, check_as_loss(check.graph, y), check.variables, 2, gradient);
    static const char *const names[] = {"n", "oh", "ow", "co", "kh", "kw", "ci"};
    assert_int_equal(y->contract->loop_count, 7);
    for (int l = 0; l < 7; l++) assert_string_equal(y->contract->loop_name[l], names[l]);
    for (int v = 0; v < 2; v++) {
        assert_int_equal(gradient[v]->primitive, PRIMITIVE_CONTRACT);
        for (int l = 0; l < 7; l++)
            assert_string_equal(gradient[v]->contract->loop_name[l], names[l]);
    }
    assert_ptr_equal(gradient[0]->in[1], check.variables[1]); /* dy, kernel */
    assert_ptr_equal(gradient[1]->in[0], check.variables[0]); /* x, dy */
    assert_ptr_equal(gradient[0]->in[0], gradient[1]->in[1]);
    check_end(&check);
}

static struct tensor *random_image(struct check *check, long *image) {
    image[0] = check_random(3, 7);
    image[1] = check_random(3, 7);
    return check_variable(check, 4,
                          (long[]){check_random(1, 3), image[0], image[1], check_random(1, 3)});
}

static struct tensor *window_sum_loss(struct check *check) {
    long image[2], out[2];
    struct tensor *x = random_image(check, image);
    struct window window = random_window(image, out);
    return check_as_loss(check->graph, graph_window_sum(check->graph, x, &window, out[0], out[1]));
}

static void test_window_sum(void **unused) {
    (void)unused;
    each_seed(window_sum_loss, 30);
}

static struct tensor *max_pool_loss(struct check *check) {
    long image[2], out[2];
    struct tensor *x = random_image(check, image);
    struct window window = random_window(image, out);
    return check_as_loss(check->graph, graph_max_pool(check->graph, &window, out[0], out[1], x));
}

static void test_max_pool_gradients(void **unused) {
    (void)unused;
    each_seed(max_pool_loss, 30);
}

static struct tensor *max_pool_gather_loss(struct check *check) {
    long image[2], out[2];
    struct tensor *x = random_image(check, image);
    struct tensor *v = check_variable(check, 4, x->shape.size);
    struct window window = random_window(image, out);
    struct tensor *y = graph_max_pool_gather(check->graph, &window, out[0], out[1], x, v);
    return check_as_loss(check->graph, graph_unary(check->graph, EXPRESSION_SIN, y));
}

static void test_max_pool_gather_gradients(void **unused) {
    (void)unused;
    each_seed(max_pool_gather_loss, 30);
}

/* The maxima of an image are what lies at its maxima; of equal ones it is the first. */
static void test_max_pool_gather_values(void **unused) {
    (void)unused;
    struct check check;
    check_begin(&check, 1);
    struct tensor *x = check_variable(&check, 4, (long[]){1, 2, 3, 1});
    struct tensor *v = check_variable(&check, 4, (long[]){1, 2, 3, 1});
    struct window window = {{2, 2}, {1, 1}, {1, 1}, {1, 0}};
    struct tensor *y = graph_max_pool_gather(check.graph, &window, 2, 2, x, v);
    struct tensor *self = graph_max_pool_gather(check.graph, &window, 2, 2, x, x);
    struct tensor *top = graph_max_pool(check.graph, &window, 2, 2, x);
    double trainable[] = {-2, -1, -1, -3, 4, -5, 10, 20, 30, 40, 50, 60};
    double **value = check_evaluate(&check, check.graph, &check.arena, trainable);
    const double expected[] = {20, 20, 50, 50};
    for (int i = 0; i < 4; i++) assert_true(value[y->number][i] == expected[i]);
    for (int i = 0; i < 4; i++) assert_true(value[self->number][i] == value[top->number][i]);
    check_end(&check);
}

/* Of equal maxima the first one gets the gradient; padding never wins. */
static void test_max_pool_values(void **unused) {
    (void)unused;
    struct check check;
    check_begin(&check, 1);
    struct tensor *x = check_variable(&check, 4, (long[]){1, 2, 3, 1});
    struct window window = {{2, 2}, {1, 1}, {1, 1}, {1, 0}};
    struct tensor *y = graph_max_pool(check.graph, &window, 2, 2, x), *gradient;
    struct tensor *sum = graph_reduce(check.graph, REDUCTION_SUM, 15, y);
    graph_gradients(check.graph, graph_reshape(check.graph, (struct shape){.rank = 0}, sum), &x, 1,
                    &gradient);
    double trainable[] = {-2, -1, -1, -3, -1, -5};
    double **value = check_evaluate(&check, check.graph, &check.arena, trainable);
    const double expected[] = {-1, -1, -1, -1}, expected_gradient[] = {0, 4, 0, 0, 0, 0};
    for (int i = 0; i < 4; i++) assert_true(value[y->number][i] == expected[i]);
    for (int i = 0; i < 6; i++) assert_true(value[gradient->number][i] == expected_gradient[i]);
    check_end(&check);
}

/* A broadcast map of tensors of different ranks, with a kink, an index and a random number. */
static struct tensor *map_loss(struct check *check) {
    struct graph *graph = check->graph;
    struct arena *arena = graph->arena;
    long a = check_random(1, 3), b = check_random(1, 3), c = check_random(1, 3);
    struct tensor *in[] = {check_variable(check, 3, (long[]){a, b, c}),
                           check_variable(check, 2, (long[]){b, 1}),
                           check_variable(check, 1, (long[]){c}), check_variable(check, 0, NULL)};
    const struct expression *x[4];
    for (int i = 0; i < 4; i++) x[i] = expression_operand(arena, i);
    const struct expression *relu =
        expression_binary(arena, EXPRESSION_MAXIMUM, x[0], expression_constant(arena, 0));
    const struct expression *e = expression_binary(
        arena, EXPRESSION_ADD, expression_binary(arena, EXPRESSION_MULTIPLY, relu, x[1]),
        expression_binary(arena, EXPRESSION_MULTIPLY, expression_unary(arena, EXPRESSION_EXP, x[2]),
                          expression_unary(arena, EXPRESSION_SIN, x[3])));
    e = expression_binary(arena, EXPRESSION_MULTIPLY, e, expression_random(arena, 9));
    e = expression_binary(
        arena, EXPRESSION_ADD, e,
        expression_binary(arena, EXPRESSION_MULTIPLY, expression_index(arena, 1), x[0]));
    return check_as_loss(graph, graph_map(graph, e, in, 4));
}

static void test_map(void **unused) {
    (void)unused;
    each_seed(map_loss, 30);
}

static struct tensor *reduce_loss(struct check *check) {
    struct graph *graph = check->graph;
    long size[] = {check_random(1, 3), check_random(1, 3), check_random(1, 4)};
    struct tensor *x = check_variable(check, 3, size);
    unsigned axes = (unsigned)check_random(0, 7);
    struct tensor *sum = graph_reduce(graph, REDUCTION_SUM, axes, x);
    struct tensor *maximum = graph_reduce(graph, REDUCTION_MAXIMUM, axes, x);
    struct tensor *y = graph_binary(graph, EXPRESSION_MULTIPLY, sum, maximum);
    return check_as_loss(graph, graph_binary(graph, EXPRESSION_SUBTRACT, y, x));
}

static void test_reduce(void **unused) {
    (void)unused;
    each_seed(reduce_loss, 30);
}

static struct tensor *view_loss(struct check *check) {
    struct graph *graph = check->graph;
    long a = check_random(1, 3), b = check_random(2, 4), c = check_random(1, 3);
    struct tensor *x = check_variable(check, 3, (long[]){a, b, c});
    struct tensor *other = check_variable(check, 3, (long[]){a, 2, c});
    long begin = check_random(0, b - 1), end = check_random(begin + 1, b);
    struct tensor *part = graph_slice(graph, 1, begin, end, x);
    struct tensor *padded = graph_pad(graph, 1, check_random(0, 2), check_random(0, 2), other);
    struct tensor *joined = graph_concat(graph, 1, (struct tensor *[]){part, padded, x}, 3);
    long half = check_random(1, joined->shape.size[1] - 1);
    struct tensor *low = graph_slice(graph, 1, 0, half, joined);
    struct tensor *high = graph_slice(graph, 1, half, joined->shape.size[1], joined);
    struct tensor *turned = graph_concat(graph, 1, (struct tensor *[]){high, low}, 2);
    struct shape flat = shape_of(1, (long[]){shape_elements(&turned->shape)});
    struct tensor *squares = graph_unary(graph, EXPRESSION_SIN, graph_reshape(graph, flat, turned));
    return check_as_loss(graph, squares);
}

static void test_views(void **unused) {
    (void)unused;
    each_seed(view_loss, 30);
}

/* log of softmax at a label, summed over the first SCALAR_SAMPLES rows. */
static struct tensor *crossentropy_loss(struct check *check) {
    struct graph *graph = check->graph;
    struct arena *arena = graph->arena;
    long rows = check_random(3, 5), classes = check_random(2, 6);
    struct tensor *logits = check_variable(check, 2, (long[]){rows, classes});
    struct tensor *maximum = graph_reduce(graph, REDUCTION_MAXIMUM, 2, logits);
    struct tensor *shifted = graph_binary(graph, EXPRESSION_SUBTRACT, logits, maximum);
    struct tensor *sum =
        graph_reduce(graph, REDUCTION_SUM, 2, graph_unary(graph, EXPRESSION_EXP, shifted));
    struct tensor *in[] = {shifted, sum, graph_scalar(graph, SCALAR_SAMPLES)};
    const struct expression *difference =
        expression_binary(arena, EXPRESSION_SUBTRACT,
                          expression_unary(arena, EXPRESSION_LOG, expression_operand(arena, 1)),
                          expression_operand(arena, 0));
    const struct expression *is_label = expression_binary(
        arena, EXPRESSION_EQUAL, expression_index(arena, 1), expression_constant(arena, 1));
    const struct expression *valid = expression_binary(
        arena, EXPRESSION_LESS, expression_index(arena, 0), expression_operand(arena, 2));
    const struct expression *e = expression_select(
        arena, valid, expression_binary(arena, EXPRESSION_MULTIPLY, is_label, difference),
        expression_constant(arena, 0));
    struct tensor *total = graph_reduce(graph, REDUCTION_SUM, 3, graph_map(graph, e, in, 3));
    return graph_reshape(graph, (struct shape){.rank = 0}, total);
}

static void test_crossentropy(void **unused) {
    (void)unused;
    each_seed(crossentropy_loss, 40);
}

/* The gradient is softmax - label on valid rows, 0 on the others. */
static void test_crossentropy_values(void **unused) {
    (void)unused;
    struct check check;
    check_begin(&check, 4);
    struct tensor *loss = crossentropy_loss(&check), *logits = check.variables[0], *gradient;
    graph_gradients(check.graph, loss, &logits, 1, &gradient);
    check_fill(&check);
    double **value = check_evaluate(&check, check.graph, &check.arena, check.trainable);
    long rows = logits->shape.size[0], classes = logits->shape.size[1];
    for (long r = 0; r < rows; r++) {
        double sum = 0;
        for (long c = 0; c < classes; c++) sum += exp(check.trainable[r * classes + c]);
        for (long c = 0; c < classes; c++) {
            double expected = exp(check.trainable[r * classes + c]) / sum - (c == 1);
            check_close(value[gradient->number][r * classes + c], r < 3 ? expected : 0, 1,
                        "gradient", r * classes + c);
        }
    }
    check_end(&check);
}

/* Which values dropout kept, its result tells, zeros of both signs included: the gradient draws no
 * random number. Of 10,000 values the share that is kept is 0.6 by five standard deviations. */
static void test_dropout(void **unused) {
    (void)unused;
    enum { COUNT = 10000 };
    struct check check;
    check_begin(&check, 1);
    struct graph *graph = check.graph;
    struct layer layer = {.rate = 0.4};
    struct tensor *x = check_variable(&check, 1, (long[]){COUNT}), *gradient;
    struct tensor *y = layer_dropout.lower(&layer, graph, &x, true);
    struct tensor *loss =
        graph_reshape(graph, (struct shape){.rank = 0}, graph_reduce(graph, REDUCTION_SUM, 1, y));
    graph_gradients(graph, loss, &x, 1, &gradient);
    static const double of[] = {0.0, -0.0, 3.0, -3.0};
    double *values = ARENA_ARRAY(&check.arena, double, COUNT);
    for (int i = 0; i < COUNT; i++) values[i] = of[i % 4];
    double **value = check_evaluate(&check, graph, &check.arena, values);
    int kept = 0;
    for (int i = 0; i < COUNT; i++) {
        double result = value[y->number][i], by = value[gradient->number][i];
        if (by != 0) {
            kept++;
            check_close(by, 1 / 0.6, 1, "gradient", i);
            check_close(result, values[i] / 0.6, 1, "kept", i);
        }
        assert_true((by == 0) == (result == 0 && signbit(result)));
    }
    assert_true(abs(kept - (int)(0.6 * COUNT)) < 245);
    for (int t = y->number + 1; t < graph->tensor_count; t++)
        if (graph->tensors[t]->expression)
            assert_false(expression_contains(graph->tensors[t]->expression, EXPRESSION_RANDOM));
    check_end(&check);
}

static struct tensor *network_loss(struct check *check) {
    struct graph *graph = check->graph;
    struct convolution c = random_convolution();
    struct tensor *y = build_convolution(check, &c);
    struct tensor *bias = check_variable(check, 1, (long[]){c.filters});
    y = graph_binary(graph, EXPRESSION_ADD, y, bias);
    y = graph_unary(graph, EXPRESSION_TANH, y);
    long size = shape_elements(&y->shape) / c.n;
    struct tensor *flat = graph_reshape(graph, shape_of(2, (long[]){c.n, size}), y);
    struct tensor *kernel = check_variable(check, 2, (long[]){size, 3});
    flat = graph_dense(graph, flat, kernel);
    return check_as_loss(graph, graph_binary(graph, EXPRESSION_MULTIPLY, flat, flat));
}

static void test_network(void **unused) {
    (void)unused;
    each_seed(network_loss, 12);
}

/* What no variable asked for needs is not computed, and what the loss ignores has gradient 0. */
static void test_gradients_are_pruned(void **unused) {
    (void)unused;
    struct check check;
    check_begin(&check, 1);
    struct graph *graph = check.graph;
    struct tensor *x = graph_input(graph, "x", 0, shape_of(2, (long[]){4, 5}));
    struct tensor *first = check_variable(&check, 2, (long[]){5, 6});
    struct tensor *second = check_variable(&check, 2, (long[]){6, 3});
    struct tensor *unread = check_variable(&check, 1, (long[]){7});
    struct tensor *hidden = graph_unary(graph, EXPRESSION_TANH, graph_dense(graph, x, first));
    struct tensor *loss = check_as_loss(graph, graph_dense(graph, hidden, second));
    struct tensor *by[] = {second, unread}, *gradient[2];
    int before = graph->tensor_count;
    graph_gradients(graph, loss, by, 2, gradient);
    for (int t = before; t < graph->tensor_count; t++) /* only dL/dy [4, 3] and dL/dsecond */
        assert_false(shape_equal(&graph->tensors[t]->shape, &hidden->shape));
    assert_int_equal(gradient[1]->expression->op, EXPRESSION_CONSTANT);
    assert_true(gradient[1]->expression->value == 0 && gradient[1]->shape.size[0] == 7);
    check_end(&check);
}

static void test_builders_share(void **unused) {
    (void)unused;
    struct check check;
    check_begin(&check, 1);
    struct graph *graph = check.graph;
    struct tensor *a = check_variable(&check, 2, (long[]){4, 5});
    assert_ptr_equal(graph_scalar(graph, SCALAR_STEP), graph_scalar(graph, SCALAR_STEP));
    assert_ptr_equal(graph_unary(graph, EXPRESSION_EXP, a), graph_unary(graph, EXPRESSION_EXP, a));
    assert_ptr_equal(graph_reshape(graph, a->shape, a), a);
    assert_ptr_equal(graph_slice(graph, 0, 0, 4, a), a);
    assert_ptr_equal(graph_binary(graph, EXPRESSION_ADD, a, graph_constant(graph, 0)), a);
    struct tensor *square = graph_binary(graph, EXPRESSION_MULTIPLY, a, a);
    assert_int_equal(square->in_count, 1);
    struct tensor *flat = graph_space(graph, SPACE_TRAINABLE, 0, 20);
    assert_ptr_equal(a->in[0], flat);
    struct tensor *b = check_variable(&check, 1, (long[]){3}); /* the space grows */
    assert_int_equal(flat->in[0]->shape.size[0], 23);
    assert_ptr_equal(b->in[0]->in[0], flat->in[0]);
    assert_string_equal(b->name, "v1");
    assert_string_equal(graph_name(graph, b, "other")->name, "v1");
    check_verified(graph, "building");
    check_end(&check);
}

static void test_updates(void **unused) {
    (void)unused;
    struct check check;
    check_begin(&check, 1);
    struct tensor *a = check_variable(&check, 1, (long[]){2});
    struct tensor *b = check_variable(&check, 1, (long[]){2});
    graph_update(check.graph, SPACE_TRAINABLE, 0, graph_binary(check.graph, EXPRESSION_ADD, a, b));
    graph_update(check.graph, SPACE_TRAINABLE, 2, graph_scale(check.graph, a, 10));
    check_verified(check.graph, "building");
    double trainable[] = {1, 2, 3, 4};
    check_evaluate(&check, check.graph, &check.arena, trainable);
    const double expected[] = {4, 6, 10, 20}; /* both read the values from before the call */
    for (int i = 0; i < 4; i++) assert_true(trainable[i] == expected[i]);
    check_end(&check);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dense),
        cmocka_unit_test(test_convolution_values),
        cmocka_unit_test(test_convolution_gradients),
        cmocka_unit_test(test_convolution_form),
        cmocka_unit_test(test_window_sum),
        cmocka_unit_test(test_max_pool_values),
        cmocka_unit_test(test_max_pool_gradients),
        cmocka_unit_test(test_max_pool_gather_values),
        cmocka_unit_test(test_max_pool_gather_gradients),
        cmocka_unit_test(test_map),
        cmocka_unit_test(test_reduce),
        cmocka_unit_test(test_views),
        cmocka_unit_test(test_crossentropy),
        cmocka_unit_test(test_crossentropy_values),
        cmocka_unit_test(test_dropout),
        cmocka_unit_test(test_network),
        cmocka_unit_test(test_gradients_are_pruned),
        cmocka_unit_test(test_builders_share),
        cmocka_unit_test(test_updates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
