/* optimizer.c: the optimizers, as maps over a range of the weights. Names and defaults are Keras's;
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

/* A step of a range of the weights. */
struct step {
    const struct optimizer *optimizer;
    struct graph *graph;
    struct tensor *gradient; /* of the range, flat */
    struct tensor *rate;
    long first, count; /* of the range, in SPACE_TRAINABLE */
};

/* The range in a slot. */
static long slot_offset(const struct step *s, int slot) {
    return slot * s->graph->space_size[SPACE_TRAINABLE] + s->first;
}

static struct tensor *slot_value(const struct step *s, int slot) {
    return graph_space(s->graph, SPACE_OPTIMIZER, slot_offset(s, slot), s->count);
}

/* The slot's value after slot = decay * slot + value; the update is added. */
static struct tensor *decaying(const struct step *s, int slot, double decay, struct tensor *value) {
    struct tensor *old = slot_value(s, slot);
    struct tensor *new = add(s->graph, graph_scale(s->graph, old, decay), value);
    graph_update(s->graph, SPACE_OPTIMIZER, slot_offset(s, slot), new);
    return new;
}

/* The same for a moving average: slot = decay * slot + (1 - decay) * value. */
static struct tensor *average(const struct step *s, int slot, double decay, struct tensor *value) {
    return decaying(s, slot, decay, graph_scale(s->graph, value, 1 - decay));
}

static struct tensor *square(struct graph *graph, struct tensor *x) {
    return multiply(graph, x, x);
}

/* root(second) + epsilon */
static struct tensor *deviation(const struct step *s, struct tensor *second) {
    return graph_shift(s->graph, graph_unary(s->graph, EXPRESSION_SQRT, second),
                       s->optimizer->epsilon);
}

/* velocity = momentum * velocity + rate * gradient; the step is the velocity, or with Nesterov
 * momentum * velocity + rate * gradient. */
static struct tensor *sgd_step(const struct step *s) {
    struct tensor *step = multiply(s->graph, s->rate, s->gradient);
    if (s->optimizer->momentum == 0) return step;
    struct tensor *velocity = decaying(s, 0, s->optimizer->momentum, step);
    if (!s->optimizer->nesterov) return velocity;
    return add(s->graph, graph_scale(s->graph, velocity, s->optimizer->momentum), step);
}

/* The gradient divided by the root of the moving average of its square (or of its variance). */
static struct tensor *rmsprop_step(const struct step *s) {
    const struct optimizer *optimizer = s->optimizer;
    struct graph *graph = s->graph;
    int slot = 0;
    struct tensor *second = average(s, slot++, optimizer->rho, square(graph, s->gradient));
    if (optimizer->centered) { /* rounding could make the variance of a steady gradient negative */
        struct tensor *mean = average(s, slot++, optimizer->rho, s->gradient);
        second =
            graph_binary(graph, EXPRESSION_MAXIMUM, subtract(graph, second, square(graph, mean)),
                         graph_constant(graph, 0));
    }
    struct tensor *step =
        divide(graph, multiply(graph, s->rate, s->gradient), deviation(s, second));
    if (optimizer->momentum == 0) return step;
    return decaying(s, slot, optimizer->momentum, step);
}

/* The gradient divided by the root of the sum of all its squares. The slot starts as zeros, so it
 * holds the accumulator less its initial value. */
static struct tensor *adagrad_step(const struct step *s) {
    struct graph *graph = s->graph;
    struct tensor *sum = decaying(s, 0, 1, square(graph, s->gradient));
    struct tensor *accumulator = graph_shift(graph, sum, s->optimizer->initial_accumulator_value);
    return divide(graph, multiply(graph, s->rate, s->gradient), deviation(s, accumulator));
}

/* root(square + epsilon): Adadelta's root mean square, epsilon within as in Zeiler's paper */
static struct tensor *root_mean_square(const struct step *s, struct tensor *mean_square) {
    return graph_unary(s->graph, EXPRESSION_SQRT,
                       graph_shift(s->graph, mean_square, s->optimizer->epsilon));
}

/* The gradient times the root mean square of the last updates, by that of the gradients; the
 * learning rate scales what is subtracted, not what is averaged. */
static struct tensor *adadelta_step(const struct step *s) {
    struct graph *graph = s->graph;
    struct tensor *second = average(s, 0, s->optimizer->rho, square(graph, s->gradient));
    struct tensor *ratio =
        divide(graph, root_mean_square(s, slot_value(s, 1)), root_mean_square(s, second));
    struct tensor *update = multiply(graph, ratio, s->gradient);
    average(s, 1, s->optimizer->rho, square(graph, update));
    return multiply(graph, s->rate, update);
}

/* base^exponent of rank 0 */
static struct tensor *power(struct graph *graph, double base, struct tensor *exponent) {
    return graph_binary(graph, EXPRESSION_POWER, graph_constant(graph, base), exponent);
}

/* The largest that a second moment has been, kept in slot 2: never below zero, where it starts. */
static struct tensor *largest(const struct step *s, struct tensor *second) {
    struct tensor *new = graph_binary(s->graph, EXPRESSION_MAXIMUM, slot_value(s, 2), second);
    graph_update(s->graph, SPACE_OPTIMIZER, slot_offset(s, 2), new);
    return new;
}

/* Adam's denominator: root(v / (1 - beta_2^t)) + epsilon, with AMSGrad of the largest v so far */
static struct tensor *adam_deviation(const struct step *s) {
    struct graph *graph = s->graph;
    double beta_2 = s->optimizer->beta_2;
    struct tensor *second = average(s, 1, beta_2, square(graph, s->gradient));
    if (s->optimizer->amsgrad) second = largest(s, second);
    struct tensor *correction =
        complement(graph, power(graph, beta_2, graph_scalar(graph, SCALAR_STEP)));
    /* The factor is of rank 0: computed once, in double. */
    struct tensor *factor = divide(graph, graph_constant(graph, 1), correction);
    return deviation(s, multiply(graph, second, factor));
}

static struct tensor *adam_step(const struct step *s) {
    struct graph *graph = s->graph;
    double beta_1 = s->optimizer->beta_1;
    struct tensor *first = average(s, 0, beta_1, s->gradient);
    struct tensor *correction =
        complement(graph, power(graph, beta_1, graph_scalar(graph, SCALAR_STEP)));
    struct tensor *scaled = multiply(graph, divide(graph, s->rate, correction), first);
    return divide(graph, scaled, adam_deviation(s));
}

/* beta_1 * (1 - 0.5 * 0.96^(0.004 t)): Dozat's schedule of the momentum. */
static struct tensor *nadam_momentum(const struct step *s, struct tensor *number) {
    struct graph *graph = s->graph;
    struct tensor *decay = power(graph, 0.96, graph_scale(graph, number, 0.004));
    return graph_scale(graph, complement(graph, graph_scale(graph, decay, 0.5)),
                       s->optimizer->beta_1);
}

/* Behind the slots: 1 less the product of all momenta, so that zero is the right beginning. */
static long nadam_offset(const struct step *s) {
    return 2 * s->graph->space_size[SPACE_TRAINABLE];
}

/* The product of all momenta up to this step. */
static struct tensor *nadam_product(const struct step *s, struct tensor *momentum) {
    struct tensor *kept = graph_reshape(s->graph, (struct shape){.rank = 0},
                                        graph_space(s->graph, SPACE_OPTIMIZER, nadam_offset(s), 1));
    return multiply(s->graph, complement(s->graph, kept), momentum);
}

static struct tensor *nadam_step(const struct step *s) {
    struct graph *graph = s->graph;
    struct tensor *number = graph_scalar(graph, SCALAR_STEP);
    struct tensor *now = nadam_momentum(s, number);
    struct tensor *next = nadam_momentum(s, graph_shift(graph, number, 1));
    struct tensor *product = nadam_product(s, now);
    struct tensor *rest = complement(graph, product);
    struct tensor *rest_next = complement(graph, multiply(graph, product, next));
    struct tensor *first = average(s, 0, s->optimizer->beta_1, s->gradient);
    struct tensor *by_gradient =
        multiply(graph, s->rate, divide(graph, complement(graph, now), rest));
    struct tensor *by_first = multiply(graph, s->rate, divide(graph, next, rest_next));
    struct tensor *scaled =
        add(graph, multiply(graph, by_gradient, s->gradient), multiply(graph, by_first, first));
    return divide(graph, scaled, adam_deviation(s));
}

/* What is kept for all weights, once none needs the old value any more. */
static void nadam_end(const struct step *s) {
    struct tensor *now = nadam_momentum(s, graph_scalar(s->graph, SCALAR_STEP));
    struct tensor *rest = complement(s->graph, nadam_product(s, now));
    graph_update(s->graph, SPACE_OPTIMIZER, nadam_offset(s),
                 graph_reshape(s->graph, shape_of(1, (long[]){1}), rest));
}

void lower_optimizer(const struct optimizer *optimizer, struct graph *graph,
                     struct tensor *gradient, long offset) {
    const struct step s = {optimizer, graph,
                           gradient,  graph_scalar(graph, SCALAR_LEARNING_RATE),
                           offset,    gradient->shape.size[0]};
    struct tensor *weights = graph_space(graph, SPACE_TRAINABLE, s.first, s.count), *step = NULL;
    switch (optimizer->kind) {
    case OPTIMIZER_SGD: step = sgd_step(&s); break;
    case OPTIMIZER_RMSPROP: step = rmsprop_step(&s); break;
    case OPTIMIZER_ADAGRAD: step = adagrad_step(&s); break;
    case OPTIMIZER_ADADELTA: step = adadelta_step(&s); break;
    case OPTIMIZER_ADAM: step = adam_step(&s); break;
    case OPTIMIZER_NADAM: step = nadam_step(&s); break;
    }
    graph_update(graph, SPACE_TRAINABLE, s.first, subtract(graph, weights, step));
    bool is_last = s.first + s.count == graph->space_size[SPACE_TRAINABLE];
    if (optimizer->kind == OPTIMIZER_NADAM && is_last) nadam_end(&s);
}
