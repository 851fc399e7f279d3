/* norm.c: batch normalization. */
#include "families.h"

#include <math.h>
#include <stddef.h>

enum { X, SHIFT }; /* operands of the centered maps */

static int norm_axis(const struct layer *layer) { /* with the batch as axis 0 */
    return (int)(layer->axis < 0 ? layer->axis + layer->output.rank + 1 : layer->axis);
}

static bool infer_shape(struct layer *layer, struct error *error) {
    layer->output = layer->inputs[0]->output;
    int axis = norm_axis(layer);
    if (axis >= 1 && axis <= layer->output.rank) return true;
    return layer_error(layer, error,
                       "its input has no axis %ld; use -1 for the last one, or 1 to %d (0 is the "
                       "batch)",
                       layer->axis, layer->output.rank);
}

/* Statistics of a batch, one for each channel, shaped to broadcast over it. */
struct statistics {
    struct tensor *shift;    /* close to the mean */
    struct tensor *distance; /* mean - shift */
    struct tensor *mean, *variance;
    struct tensor *count; /* rank 0: values that the mean is of */
};

/* The sum of an image's rows that stand for all: the middle one of each sample; of other shapes,
 * all. Returns its values' number for one sample. */
static long lower_pilot(struct graph *graph, struct tensor *x, unsigned axes, struct tensor **sum) {
    long positions = 1, middle = x->shape.size[1] / 2;
    if (x->shape.rank == 4 && (axes & 2)) x = graph_slice(graph, 1, middle, middle + 1, x);
    for (int i = 1; i < x->shape.rank; i++)
        if (axes >> i & 1) positions *= x->shape.size[i];
    struct tensor *in[] = {x, graph_scalar(graph, SCALAR_SAMPLES)};
    const struct expression *valid =
        valid_row(graph->arena, 1, expression_operand(graph->arena, X));
    *sum = graph_reduce(graph, REDUCTION_SUM, axes, graph_map(graph, valid, in, 2));
    return positions;
}

/* Sums of x - s and of (x - s)^2 are taken in one pass over x, with a shift s near the mean:
 * variance = E (x - s)^2 - (E (x - s))^2 does not cancel, because the mean m of a share f of the
 * values differs from that of all by at most sqrt(variance (1 - f) / f), and s from m by the square
 * root of epsilon. floor makes the shift a number without derivative, so that the backward pass
 * needs two sums over x only. (A shift of each sample's own would let the pass run right behind the
 * convolution, block by block: measured on Zen 5, cnn_batch_norm takes as long on one thread,
 * because the pass does not wait for memory, and 1 % longer on two, because what adds the samples
 * up reads lines that the other thread has written.) */
static struct statistics lower_statistics(const struct layer *layer, struct graph *graph,
                                          struct tensor *x, unsigned axes) {
    struct arena *arena = graph->arena;
    struct statistics s;
    struct tensor *sum, *samples = graph_scalar(graph, SCALAR_SAMPLES);
    long positions = 1;
    for (int i = 1; i < x->shape.rank; i++)
        if (axes >> i & 1) positions *= x->shape.size[i];
    s.count = graph_scale(graph, samples, (double)positions);
    long pilot = lower_pilot(graph, x, axes, &sum);
    struct tensor *near =
        graph_binary(graph, EXPRESSION_DIVIDE, sum, graph_scale(graph, samples, (double)pilot));
    double step = sqrt(layer->epsilon);
    s.shift = graph_scale(
        graph, graph_unary(graph, EXPRESSION_FLOOR, graph_scale(graph, near, 1 / step)), step);
    struct tensor *in[] = {x, s.shift, samples};
    const struct expression *centered = expression_binary(
        arena, EXPRESSION_SUBTRACT, expression_operand(arena, X), expression_operand(arena, SHIFT));
    struct tensor *valid = graph_map(graph, valid_row(arena, 2, centered), in, 3);
    s.distance = graph_binary(graph, EXPRESSION_DIVIDE,
                              graph_reduce(graph, REDUCTION_SUM, axes, valid), s.count);
    s.mean = graph_binary(graph, EXPRESSION_ADD, s.shift, s.distance);
    struct tensor *squares = graph_reduce(graph, REDUCTION_SUM, axes,
                                          graph_binary(graph, EXPRESSION_MULTIPLY, valid, valid));
    s.variance =
        graph_binary(graph, EXPRESSION_MAXIMUM,
                     graph_binary(graph, EXPRESSION_SUBTRACT,
                                  graph_binary(graph, EXPRESSION_DIVIDE, squares, s.count),
                                  graph_binary(graph, EXPRESSION_MULTIPLY, s.distance, s.distance)),
                     graph_constant(graph, 0));
    return s;
}

/* moving = moving * momentum + value * (1 - momentum) */
static void update_moving(const struct layer *layer, struct graph *graph, long offset,
                          struct tensor *moving, struct tensor *value) {
    value = graph_reshape(graph, moving->shape, value);
    value = graph_binary(graph, EXPRESSION_ADD, graph_scale(graph, moving, layer->momentum),
                         graph_scale(graph, value, 1 - layer->momentum));
    struct shape flat = shape_of(1, (long[]){shape_elements(&value->shape)});
    graph_update(graph, SPACE_STATE, offset, graph_reshape(graph, flat, value));
}

/* The variance that the moving average takes: Keras's fused kernel for images, as PyTorch, takes
 * the unbiased one; for other shapes Keras takes the biased one. */
static struct tensor *moving_value(struct graph *graph, const struct tensor *x,
                                   const struct statistics *s) {
    if (x->shape.rank != 4) return s->variance;
    struct tensor *less = graph_binary(graph, EXPRESSION_MAXIMUM, graph_shift(graph, s->count, -1),
                                       graph_constant(graph, 1));
    return graph_binary(graph, EXPRESSION_MULTIPLY, s->variance,
                        graph_binary(graph, EXPRESSION_DIVIDE, s->count, less));
}

/* (x - shift) * scale + (beta - distance * scale), scale = gamma / sqrt(variance + epsilon);
 * gamma, beta and distance may be NULL. */
static struct tensor *normalize(const struct layer *layer, struct graph *graph, struct tensor *x,
                                struct tensor *shift, struct tensor *distance,
                                struct tensor *variance, struct tensor *gamma,
                                struct tensor *beta) {
    struct tensor *deviation =
        graph_unary(graph, EXPRESSION_SQRT, graph_shift(graph, variance, layer->epsilon));
    struct tensor *scale =
        graph_binary(graph, EXPRESSION_DIVIDE, gamma ? gamma : graph_constant(graph, 1), deviation);
    struct tensor *y = graph_binary(graph, EXPRESSION_MULTIPLY,
                                    graph_binary(graph, EXPRESSION_SUBTRACT, x, shift), scale);
    struct tensor *rest = beta ? beta : graph_constant(graph, 0);
    if (distance)
        rest = graph_binary(graph, EXPRESSION_SUBTRACT, rest,
                            graph_binary(graph, EXPRESSION_MULTIPLY, distance, scale));
    return graph_binary(graph, EXPRESSION_ADD, y, rest);
}

static struct tensor *lower(const struct layer *layer, struct graph *graph,
                            struct tensor *const *in, bool training) {
    struct tensor *x = in[0];
    int axis = norm_axis(layer);
    struct shape channels = shape_of(1, &x->shape.size[axis]), broadcast = x->shape;
    unsigned axes = (1u << x->shape.rank) - 1 - (1u << axis);
    for (int i = 0; i < x->shape.rank; i++)
        if (i != axis) broadcast.size[i] = 1;
    static const struct initializer zeros = {.name = "zeros"}, ones = {.name = "ones"};
    struct tensor *gamma = NULL, *beta = NULL;
    if (layer->scale)
        gamma =
            graph_reshape(graph, broadcast,
                          layer_weight(layer, graph, "gamma", channels, &layer->gamma_initializer));
    if (layer->center)
        beta =
            graph_reshape(graph, broadcast,
                          layer_weight(layer, graph, "beta", channels, &layer->beta_initializer));
    long mean_offset = graph->space_size[SPACE_STATE];
    struct tensor *moving_mean = layer_state(layer, graph, "moving_mean", channels, &zeros);
    long variance_offset = graph->space_size[SPACE_STATE];
    struct tensor *moving_variance = layer_state(layer, graph, "moving_variance", channels, &ones);
    if (!training || !layer->trainable) /* frozen: as in inference, which is Keras's rule */
        return normalize(layer, graph, x, graph_reshape(graph, broadcast, moving_mean), NULL,
                         graph_reshape(graph, broadcast, moving_variance), gamma, beta);
    struct statistics s = lower_statistics(layer, graph, x, axes);
    update_moving(layer, graph, mean_offset, moving_mean, s.mean);
    update_moving(layer, graph, variance_offset, moving_variance, moving_value(graph, x, &s));
    return normalize(layer, graph, x, s.shift, s.distance, s.variance, gamma, beta);
}

#define FIELD(name) offsetof(struct layer, name)
static const struct option options[] = {
    {"axis", OPTION_AXIS, FIELD(axis), "-1", true},
    {"momentum", OPTION_FRACTION, FIELD(momentum), "0.99", false},
    {"epsilon", OPTION_POSITIVE, FIELD(epsilon), "1e-3", false},
    {"center", OPTION_BOOLEAN, FIELD(center), "true", false},
    {"scale", OPTION_BOOLEAN, FIELD(scale), "true", false},
    {"beta_initializer", OPTION_INITIALIZER, FIELD(beta_initializer), "'zeros'", false},
    {"gamma_initializer", OPTION_INITIALIZER, FIELD(gamma_initializer), "'ones'", false},
};

const struct layer_type layer_batch_norm = {
    .name = "batch_norm",
    OPTIONS(options),
    .least_inputs = 1,
    .most_inputs = 1,
    .infer_shape = infer_shape,
    .lower = lower,
};
