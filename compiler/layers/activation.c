/* activation.c: activations as expressions, softmax, and the activation layer. */
#include "families.h"

#include <stddef.h>
#include <string.h>

typedef const struct expression *expression;

static expression constant(struct arena *arena, double value) {
    return expression_constant(arena, value);
}

static expression relu(struct arena *arena, expression x) {
    return expression_binary(arena, EXPRESSION_MAXIMUM, x, constant(arena, 0));
}

/* x where it is positive, else `negative`. */
static expression piecewise(struct arena *arena, expression x, expression negative) {
    expression positive = expression_binary(arena, EXPRESSION_LESS, constant(arena, 0), x);
    return expression_select(arena, positive, x, negative);
}

static expression leaky_relu(struct arena *arena, expression x) {
    double alpha = 0.3; /* Keras's LeakyReLU */
    return piecewise(arena, x,
                     expression_binary(arena, EXPRESSION_MULTIPLY, x, constant(arena, alpha)));
}

/* exp(min(x, 0)) - 1, so that the side that is not chosen cannot overflow. */
static expression elu(struct arena *arena, expression x) {
    expression bounded = expression_binary(arena, EXPRESSION_MINIMUM, x, constant(arena, 0));
    expression exponential = expression_unary(arena, EXPRESSION_EXP, bounded);
    return piecewise(
        arena, x, expression_binary(arena, EXPRESSION_SUBTRACT, exponential, constant(arena, 1)));
}

/* As tanh: exp(-x) would overflow, and the derivative become inf / inf. */
static expression sigmoid(struct arena *arena, expression x) {
    expression half = constant(arena, 0.5);
    expression t = expression_unary(arena, EXPRESSION_TANH,
                                    expression_binary(arena, EXPRESSION_MULTIPLY, x, half));
    return expression_binary(arena, EXPRESSION_ADD,
                             expression_binary(arena, EXPRESSION_MULTIPLY, t, half), half);
}

static expression hyperbolic_tangent(struct arena *arena, expression x) {
    return expression_unary(arena, EXPRESSION_TANH, x);
}

/* x * (1 + erf(x / sqrt 2)) / 2 */
static expression gelu(struct arena *arena, expression x) {
    double inverse_root_2 = 0.70710678118654752;
    expression scaled =
        expression_binary(arena, EXPRESSION_MULTIPLY, x, constant(arena, inverse_root_2));
    expression sum = expression_binary(arena, EXPRESSION_ADD, constant(arena, 1),
                                       expression_unary(arena, EXPRESSION_ERF, scaled));
    expression half = expression_binary(arena, EXPRESSION_MULTIPLY, x, constant(arena, 0.5));
    return expression_binary(arena, EXPRESSION_MULTIPLY, half, sum);
}

static expression linear(struct arena *arena, expression x) {
    (void)arena;
    return x;
}

static const struct {
    const char *name;
    expression (*build)(struct arena *arena, expression x); /* NULL: not elementwise */
} activations[] = {
    {"relu", relu},    {"leaky_relu", leaky_relu},   {"elu", elu},   {"sigmoid", sigmoid},
    {"softmax", NULL}, {"tanh", hyperbolic_tangent}, {"gelu", gelu}, {"linear", linear},
};
enum { ACTIVATIONS = sizeof activations / sizeof *activations };

const char *const *activation_names(void) {
    static const char *names[ACTIVATIONS + 1];
    for (int i = 0; i < ACTIVATIONS; i++) names[i] = activations[i].name;
    return names;
}

/* For a group of logits along the last axis. Softmax does not change when a number is added to all
 * of them, so any shift close to their maximum keeps exp in range; floor makes it one whose
 * derivative is zero: nothing flows back through the maximum. */
struct softmax lower_softmax(struct graph *graph, struct tensor *logits) {
    unsigned last = 1u << (logits->shape.rank - 1);
    struct softmax softmax;
    struct tensor *maximum = graph_reduce(graph, REDUCTION_MAXIMUM, last, logits);
    softmax.shift = graph_unary(graph, EXPRESSION_FLOOR, maximum);
    softmax.exponential = graph_unary(
        graph, EXPRESSION_EXP, graph_binary(graph, EXPRESSION_SUBTRACT, logits, softmax.shift));
    softmax.sum = graph_reduce(graph, REDUCTION_SUM, last, softmax.exponential);
    return softmax;
}

struct tensor *lower_activation(struct graph *graph, const struct function *activation,
                                struct tensor *x) {
    if (activation->expression) return graph_map(graph, activation->expression, &x, 1);
    for (int i = 0; i < ACTIVATIONS; i++) {
        if (strcmp(activations[i].name, activation->name) != 0) continue;
        if (activations[i].build == linear) return x;
        if (activations[i].build) {
            expression e = activations[i].build(graph->arena, expression_operand(graph->arena, 0));
            return graph_map(graph, e, &x, 1);
        }
    }
    struct softmax softmax = lower_softmax(graph, x);
    return graph_binary(graph, EXPRESSION_DIVIDE, softmax.exponential, softmax.sum);
}

bool check_activation(const struct layer *layer, const struct function *activation,
                      struct error *error) {
    const struct shape *shape = &layer->output;
    if (activation->expression || strcmp(activation->name, "softmax") != 0) return true;
    if (shape->size[shape->rank - 1] > 1) return true;
    return layer_error(layer, error,
                       "softmax of a single value is always 1; use activation = \"sigmoid\", or "
                       "give the layer one output for each class");
}

static bool infer_shape(struct layer *layer, struct error *error) {
    layer->output = layer->inputs[0]->output;
    return check_activation(layer, &layer->activation, error);
}

static struct tensor *lower(const struct layer *layer, struct graph *graph,
                            struct tensor *const *in, bool training) {
    (void)training;
    return lower_activation(graph, &layer->activation, in[0]);
}

static const struct option options[] = {
    {"activation", OPTION_ACTIVATION, offsetof(struct layer, activation), NULL, true},
};

const struct layer_type layer_activation = {
    .name = "activation",
    OPTIONS(options),
    .least_inputs = 1,
    .most_inputs = 1,
    .infer_shape = infer_shape,
    .lower = lower,
};
