/* shape.c: layers that only say how values are arranged: input, flatten, reshape. */
#include "families.h"

#include <stddef.h>

static bool infer_input(struct layer *layer, struct error *error) {
    (void)error;
    layer->output = layer->target_shape;
    return true;
}

/* The batch of samples is the graph's input: lower.c binds it. */
static struct tensor *lower_input(const struct layer *layer, struct graph *graph,
                                  struct tensor *const *in, bool training) {
    (void)layer, (void)graph, (void)training;
    return in[0];
}

static bool infer_flatten(struct layer *layer, struct error *error) {
    (void)error;
    long elements = shape_elements(&layer->inputs[0]->output);
    layer->output = shape_of(1, &elements);
    return true;
}

static bool infer_reshape(struct layer *layer, struct error *error) {
    long elements = shape_elements(&layer->inputs[0]->output), known = 1;
    char from[160], to[160];
    shape_write(from, sizeof from, &layer->inputs[0]->output);
    shape_write(to, sizeof to, &layer->target_shape);
    layer->output = layer->target_shape;
    int open = -1;
    for (int i = 0; i < layer->output.rank; i++) {
        if (layer->output.size[i] == -1)
            open = i;
        else if (known <= elements) /* beyond that it cannot fit, and must not overflow */
            known *= layer->output.size[i];
    }
    if (open >= 0 ? known > elements || elements % known != 0 : known != elements)
        return layer_error(layer, error,
                           "%s has not as many elements as its input %s; the product of the sizes "
                           "must be %ld",
                           to, from, elements);
    if (open >= 0) layer->output.size[open] = elements / known;
    return true;
}

static struct tensor *lower_reshape(const struct layer *layer, struct graph *graph,
                                    struct tensor *const *in, bool training) {
    (void)training;
    return graph_reshape(graph, shape_with_batch(&layer->output, in[0]->shape.size[0]), in[0]);
}

static const struct option input_options[] = {
    {"shape", OPTION_SHAPE, offsetof(struct layer, target_shape), NULL, true},
};
static const struct option reshape_options[] = {
    {"target_shape", OPTION_SHAPE_FREE, offsetof(struct layer, target_shape), NULL, true},
};

const struct layer_type layer_input = {
    .name = "input",
    OPTIONS(input_options),
    .infer_shape = infer_input,
    .lower = lower_input,
};

const struct layer_type layer_flatten = {
    .name = "flatten",
    .least_inputs = 1,
    .most_inputs = 1,
    .infer_shape = infer_flatten,
    .lower = lower_reshape,
};

const struct layer_type layer_reshape = {
    .name = "reshape",
    OPTIONS(reshape_options),
    .least_inputs = 1,
    .most_inputs = 1,
    .infer_shape = infer_reshape,
    .lower = lower_reshape,
};
