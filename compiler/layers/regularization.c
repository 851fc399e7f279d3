/* regularization.c: dropout. */
#include "families.h"

#include <stddef.h>

static bool infer_shape(struct layer *layer, struct error *error) {
    (void)error;
    layer->output = layer->inputs[0]->output;
    return true;
}

/* random < rate ? 0 : x / (1 - rate). The generator is counter based: the derivative of this
 * expression draws the same numbers again, so that no mask is stored. */
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
    const struct expression *e =
        expression_select(arena, dropped, expression_constant(arena, 0), kept);
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
