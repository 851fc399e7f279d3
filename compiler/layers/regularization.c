/* regularization.c: dropout. */
#include "families.h"

#include <stddef.h>

static bool infer_shape(struct layer *layer, struct error *error) {
    (void)error;
    layer->output = layer->inputs[0]->output;
    return true;
}

/* random < rate ? -0 : x / (1 - rate) - -0. What is dropped is -0.0, and what is kept never is
 * (-0 - -0 = 0): so the result tells the backward pass which is which (tensor/map.c), without a
 * mask and without drawing the numbers again. */
static struct tensor *lower(const struct layer *layer, struct graph *graph,
                            struct tensor *const *in, bool training) {
    if (!training || layer->rate == 0) return in[0];
    struct arena *arena = graph->arena;
    const struct expression *dropped = expression_binary(
        arena, EXPRESSION_LESS, expression_random(arena, graph_random_stream(graph)),
        expression_constant(arena, layer->rate));
    const struct expression *kept =
        expression_binary(arena, EXPRESSION_MULTIPLY, expression_operand(arena, 0),
                          expression_constant(arena, 1 / (1 - layer->rate)));
    const struct expression *zero = expression_constant(arena, -0.0);
    const struct expression *e = expression_select(
        arena, dropped, zero, expression_binary(arena, EXPRESSION_SUBTRACT, kept, zero));
    return graph_map(graph, e, in, 1);
}

static const struct option options[] = {
    {"rate", OPTION_FRACTION, offsetof(struct layer, rate), NULL, true},
};

const struct layer_type layer_dropout = {
    .name = "dropout",
    OPTIONS(options),
    .least_inputs = 1,
    .most_inputs = 1,
    .infer_shape = infer_shape,
    .lower = lower,
};
