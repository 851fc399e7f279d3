/* optimizer.c: the optimizers, as maps over all weights at once. Names and defaults are Keras's;
 * the formulas are those on which tf.keras and PyTorch agree. Where they place epsilon differently
 * it stands beside the square root of the corrected second moment, as in the Adam paper. */
#include "families.h"

#include <stddef.h>

#define FIELD(name) offsetof(struct optimizer, name)
static const struct option sgd_options[] = {
    {"learning_rate", OPTION_LEARNING_RATE, FIELD(learning_rate), "0.01", true},
    {"momentum", OPTION_FRACTION, FIELD(momentum), "0", false},
    {"nesterov", OPTION_BOOLEAN, FIELD(nesterov), "false", false},
};
static const struct option rmsprop_options[] = {
    {"learning_rate", OPTION_LEARNING_RATE, FIELD(learning_rate), "0.001", true},
    {"rho", OPTION_FRACTION, FIELD(rho), "0.9", false},
    {"momentum", OPTION_FRACTION, FIELD(momentum), "0", false},
    {"epsilon", OPTION_POSITIVE, FIELD(epsilon), "1e-7", false},
    {"centered", OPTION_BOOLEAN, FIELD(centered), "false", false},
};
static const struct option adagrad_options[] = {
    {"learning_rate", OPTION_LEARNING_RATE, FIELD(learning_rate), "0.001", true},
    {"initial_accumulator_value", OPTION_NOT_NEGATIVE, FIELD(initial_accumulator_value), "0.1",
     false},
    {"epsilon", OPTION_POSITIVE, FIELD(epsilon), "1e-7", false},
};
static const struct option adadelta_options[] = {
    {"learning_rate", OPTION_LEARNING_RATE, FIELD(learning_rate), "0.001", true},
    {"rho", OPTION_FRACTION, FIELD(rho), "0.95", false},
    {"epsilon", OPTION_POSITIVE, FIELD(epsilon), "1e-7", false},
};
static const struct option nadam_options[] = {
    {"learning_rate", OPTION_LEARNING_RATE, FIELD(learning_rate), "0.001", true},
    {"beta_1", OPTION_FRACTION, FIELD(beta_1), "0.9", false},
    {"beta_2", OPTION_FRACTION, FIELD(beta_2), "0.999", false},
    {"epsilon", OPTION_POSITIVE, FIELD(epsilon), "1e-7", false},
};
static const struct option adam_options[] = {
    {"learning_rate", OPTION_LEARNING_RATE, FIELD(learning_rate), "0.001", true},
    {"beta_1", OPTION_FRACTION, FIELD(beta_1), "0.9", false},
    {"beta_2", OPTION_FRACTION, FIELD(beta_2), "0.999", false},
    {"epsilon", OPTION_POSITIVE, FIELD(epsilon), "1e-7", false},
    {"amsgrad", OPTION_BOOLEAN, FIELD(amsgrad), "false", false},
};

const struct optimizer_type *optimizer_types(void) {
    static const struct optimizer_type types[] = {
        {"sgd", OPTIMIZER_SGD, OPTIONS(sgd_options)},
        {"rmsprop", OPTIMIZER_RMSPROP, OPTIONS(rmsprop_options)},
        {"adagrad", OPTIMIZER_ADAGRAD, OPTIONS(adagrad_options)},
        {"adadelta", OPTIMIZER_ADADELTA, OPTIONS(adadelta_options)},
        {"adam", OPTIMIZER_ADAM, OPTIONS(adam_options)},
        {"nadam", OPTIMIZER_NADAM, OPTIONS(nadam_options)},
        {NULL, OPTIMIZER_SGD, NULL, 0},
    };
    return types;
}

double optimizer_learning_rate(const struct optimizer *optimizer, long step) {
    double operand = (double)step;
    struct expression_context context = {0};
    return expression_value(optimizer->learning_rate.expression, &operand, &context);
}

/* Slots are as long as the weights; one optimizer keeps a number besides. */
static int slot_count(const struct optimizer *optimizer) {
    switch (optimizer->kind) {
    case OPTIMIZER_SGD: return optimizer->momentum > 0;
    case OPTIMIZER_RMSPROP: return 1 + optimizer->centered + (optimizer->momentum > 0);
    case OPTIMIZER_ADAGRAD: return 1;
    case OPTIMIZER_ADADELTA: return 2;
    case OPTIMIZER_ADAM: return 2 + optimizer->amsgrad;
    case OPTIMIZER_NADAM: return 2;
    }
    return 0;
}

long optimizer_space(const struct optimizer *optimizer, long weights) {
    if (weights == 0) return 0;
    return slot_count(optimizer) * weights + (optimizer->kind == OPTIMIZER_NADAM);
}

static struct tensor *add(struct graph *graph, struct tensor *a, struct tensor *b) {
    return graph_binary(graph, EXPRESSION_ADD, a, b);
}

static struct tensor *subtract(struct graph *graph, struct tensor *a, struct tensor *b) {
    return graph_binary(graph, EXPRESSION_SUBTRACT, a, b);
}

static struct tensor *multiply(struct graph *graph, struct tensor *a, struct tensor *b) {
    return graph_binary(graph, EXPRESSION_MULTIPLY, a, b);
}

static struct tensor *divide(struct graph *graph, struct tensor *a, struct tensor *b) {
    return graph_binary(graph, EXPRESSION_DIVIDE, a, b);
}

/* 1 - x */
static struct tensor *complement(struct graph *graph, struct tensor *x) {
    return subtract(graph, graph_constant(graph, 1), x);
}

/* The slot's value after slot = decay * slot + value; the update is added. */
static struct tensor *decaying(struct graph *graph, int slot, double decay, struct tensor *value) {
    long weights = value->shape.size[0];
    struct tensor *old = graph_space(graph, SPACE_OPTIMIZER, slot * weights, weights);
    struct tensor *new = add(graph, graph_scale(graph, old, decay), value);
    graph_update(graph, SPACE_OPTIMIZER, slot * weights, new);
    return new;
}

/* The same for a moving average: slot = decay * slot + (1 - decay) * value. */
static struct tensor *average(struct graph *graph, int slot, double decay, struct tensor *value) {
    return decaying(graph, slot, decay, graph_scale(graph, value, 1 - decay));
}

/* root(second) + epsilon */
static struct tensor *deviation(const struct optimizer *optimizer, struct graph *graph,
                                struct tensor *second) {
    return graph_shift(graph, graph_unary(graph, EXPRESSION_SQRT, second), optimizer->epsilon);
}

/* velocity = momentum * velocity + rate * gradient; the step is the velocity, or with Nesterov
 * momentum * velocity + rate * gradient. */
static struct tensor *sgd_step(const struct optimizer *optimizer, struct graph *graph,
                               struct tensor *gradient, struct tensor *rate) {
    struct tensor *step = multiply(graph, rate, gradient);
    if (optimizer->momentum == 0) return step;
    struct tensor *velocity = decaying(graph, 0, optimizer->momentum, step);
    if (!optimizer->nesterov) return velocity;
    return add(graph, graph_scale(graph, velocity, optimizer->momentum), step);
}

/* The gradient divided by the root of the moving average of its square (or of its variance). */
static struct tensor *rmsprop_step(const struct optimizer *optimizer, struct graph *graph,
                                   struct tensor *gradient, struct tensor *rate) {
    int slot = 0;
    struct tensor *square = multiply(graph, gradient, gradient);
    struct tensor *second = average(graph, slot++, optimizer->rho, square);
    if (optimizer->centered) { /* rounding could make the variance of a steady gradient negative */
        struct tensor *mean = average(graph, slot++, optimizer->rho, gradient);
        second = graph_binary(graph, EXPRESSION_MAXIMUM,
                              subtract(graph, second, multiply(graph, mean, mean)),
                              graph_constant(graph, 0));
    }
    struct tensor *step =
        divide(graph, multiply(graph, rate, gradient), deviation(optimizer, graph, second));
    if (optimizer->momentum == 0) return step;
    return decaying(graph, slot, optimizer->momentum, step);
}

/* The gradient divided by the root of the sum of all its squares. The slot starts as zeros, so it
 * holds the accumulator less its initial value. */
static struct tensor *adagrad_step(const struct optimizer *optimizer, struct graph *graph,
                                   struct tensor *gradient, struct tensor *rate) {
    struct tensor *sum = decaying(graph, 0, 1, multiply(graph, gradient, gradient));
    struct tensor *accumulator = graph_shift(graph, sum, optimizer->initial_accumulator_value);
    return divide(graph, multiply(graph, rate, gradient), deviation(optimizer, graph, accumulator));
}

/* root(square + epsilon): Adadelta's root mean square, epsilon within as in Zeiler's paper */
static struct tensor *root_mean_square(const struct optimizer *optimizer, struct graph *graph,
                                       struct tensor *square) {
    return graph_unary(graph, EXPRESSION_SQRT, graph_shift(graph, square, optimizer->epsilon));
}

/* The gradient times the root mean square of the last updates, by that of the gradients; the
 * learning rate scales what is subtracted, not what is averaged. */
static struct tensor *adadelta_step(const struct optimizer *optimizer, struct graph *graph,
                                    struct tensor *gradient, struct tensor *rate) {
    long weights = gradient->shape.size[0];
    struct tensor *square = multiply(graph, gradient, gradient);
    struct tensor *second = average(graph, 0, optimizer->rho, square);
    struct tensor *updates = graph_space(graph, SPACE_OPTIMIZER, weights, weights);
    struct tensor *ratio = divide(graph, root_mean_square(optimizer, graph, updates),
                                  root_mean_square(optimizer, graph, second));
    struct tensor *update = multiply(graph, ratio, gradient);
    average(graph, 1, optimizer->rho, multiply(graph, update, update));
    return multiply(graph, rate, update);
}

/* base^exponent of rank 0 */
static struct tensor *power(struct graph *graph, double base, struct tensor *exponent) {
    return graph_binary(graph, EXPRESSION_POWER, graph_constant(graph, base), exponent);
}

/* The largest that a second moment has been, kept in slot 2: never below zero, where it starts. */
static struct tensor *largest(struct graph *graph, struct tensor *second) {
    long weights = second->shape.size[0];
    struct tensor *old = graph_space(graph, SPACE_OPTIMIZER, 2 * weights, weights);
    struct tensor *new = graph_binary(graph, EXPRESSION_MAXIMUM, old, second);
    graph_update(graph, SPACE_OPTIMIZER, 2 * weights, new);
    return new;
}

/* Adam's denominator: root(v / (1 - beta_2^t)) + epsilon, with AMSGrad of the largest v so far */
static struct tensor *adam_deviation(const struct optimizer *optimizer, struct graph *graph,
                                     struct tensor *gradient) {
    struct tensor *square = multiply(graph, gradient, gradient);
    struct tensor *second = average(graph, 1, optimizer->beta_2, square);
    if (optimizer->amsgrad) second = largest(graph, second);
    struct tensor *correction =
        complement(graph, power(graph, optimizer->beta_2, graph_scalar(graph, SCALAR_STEP)));
    /* The factor is of rank 0: computed once, in double. */
    struct tensor *factor = divide(graph, graph_constant(graph, 1), correction);
    return deviation(optimizer, graph, multiply(graph, second, factor));
}

static struct tensor *adam_step(const struct optimizer *optimizer, struct graph *graph,
                                struct tensor *gradient, struct tensor *rate) {
    struct tensor *first = average(graph, 0, optimizer->beta_1, gradient);
    struct tensor *correction =
        complement(graph, power(graph, optimizer->beta_1, graph_scalar(graph, SCALAR_STEP)));
    struct tensor *scaled = multiply(graph, divide(graph, rate, correction), first);
    return divide(graph, scaled, adam_deviation(optimizer, graph, gradient));
}

/* beta_1 * (1 - 0.5 * 0.96^(0.004 t)): Dozat's schedule of the momentum. */
static struct tensor *nadam_momentum(const struct optimizer *optimizer, struct graph *graph,
                                     struct tensor *step) {
    struct tensor *decay = power(graph, 0.96, graph_scale(graph, step, 0.004));
    return graph_scale(graph, complement(graph, graph_scale(graph, decay, 0.5)), optimizer->beta_1);
}

/* Kept from step to step: 1 - the product of all momenta, so that zero is the right beginning. */
static struct tensor *nadam_step(const struct optimizer *optimizer, struct graph *graph,
                                 struct tensor *gradient, struct tensor *rate) {
    long offset = 2 * gradient->shape.size[0];
    struct tensor *step = graph_scalar(graph, SCALAR_STEP);
    struct tensor *now = nadam_momentum(optimizer, graph, step);
    struct tensor *next = nadam_momentum(optimizer, graph, graph_shift(graph, step, 1));
    struct tensor *kept = graph_reshape(graph, (struct shape){.rank = 0},
                                        graph_space(graph, SPACE_OPTIMIZER, offset, 1));
    struct tensor *product = multiply(graph, complement(graph, kept), now);
    struct tensor *rest = complement(graph, product);
    struct tensor *rest_next = complement(graph, multiply(graph, product, next));
    struct tensor *first = average(graph, 0, optimizer->beta_1, gradient);
    struct tensor *by_gradient = multiply(graph, rate, divide(graph, complement(graph, now), rest));
    struct tensor *by_first = multiply(graph, rate, divide(graph, next, rest_next));
    struct tensor *scaled =
        add(graph, multiply(graph, by_gradient, gradient), multiply(graph, by_first, first));
    struct tensor *result = divide(graph, scaled, adam_deviation(optimizer, graph, gradient));
    graph_update(graph, SPACE_OPTIMIZER, offset,
                 graph_reshape(graph, shape_of(1, (long[]){1}), rest));
    return result;
}

void lower_optimizer(const struct optimizer *optimizer, struct graph *graph,
                     struct tensor *gradient) {
    struct tensor *rate = graph_scalar(graph, SCALAR_LEARNING_RATE), *step = NULL;
    struct tensor *weights = graph_space(graph, SPACE_TRAINABLE, 0, gradient->shape.size[0]);
    switch (optimizer->kind) {
    case OPTIMIZER_SGD: step = sgd_step(optimizer, graph, gradient, rate); break;
    case OPTIMIZER_RMSPROP: step = rmsprop_step(optimizer, graph, gradient, rate); break;
    case OPTIMIZER_ADAGRAD: step = adagrad_step(optimizer, graph, gradient, rate); break;
    case OPTIMIZER_ADADELTA: step = adadelta_step(optimizer, graph, gradient, rate); break;
    case OPTIMIZER_ADAM: step = adam_step(optimizer, graph, gradient, rate); break;
    case OPTIMIZER_NADAM: step = nadam_step(optimizer, graph, gradient, rate); break;
    }
    graph_update(graph, SPACE_TRAINABLE, 0, subtract(graph, weights, step));
}
