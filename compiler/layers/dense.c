/* dense.c: the fully connected layer. */
#include "families.h"

#include <stddef.h>

static bool infer_shape(struct layer *layer, struct error *error) {
    layer->output = layer->inputs[0]->output;
    long *last = &layer->output.size[layer->output.rank - 1];
    long size[] = {*last, layer->units};
    if (!check_elements(layer, size, 2, "weights", error)) return false;
    *last = layer->units;
    return check_activation(layer, &layer->activation, error);
}

static struct tensor *lower(const struct layer *layer, struct graph *graph,
                            struct tensor *const *in, bool training) {
    (void)training;
    const struct shape *shape = &in[0]->shape;
    struct shape kernel_shape = shape_of(2, (long[]){shape->size[shape->rank - 1], layer->units});
    struct tensor *kernel =
        layer_weight(layer, graph, "kernel", kernel_shape, &layer->kernel_initializer);
    struct tensor *y = graph_dense(graph, in[0], kernel);
    if (layer->use_bias) {
        struct tensor *bias = layer_weight(layer, graph, "bias", shape_of(1, &layer->units),
                                           &layer->bias_initializer);
        y = graph_binary(graph, EXPRESSION_ADD, y, bias);
    }
    return lower_activation(graph, &layer->activation, y);
}

#define FIELD(name) offsetof(struct layer, name)
static const struct option options[] = {
    {"units", OPTION_COUNT, FIELD(units), NULL, true},
    {"activation", OPTION_ACTIVATION, FIELD(activation), "'linear'", false},
    {"use_bias", OPTION_BOOLEAN, FIELD(use_bias), "true", false},
    {"kernel_initializer", OPTION_INITIALIZER, FIELD(kernel_initializer), "'glorot_uniform'",
     false},
    {"bias_initializer", OPTION_INITIALIZER, FIELD(bias_initializer), "'zeros'", false},
};

const struct layer_type layer_dense = {
    .name = "dense",
    OPTIONS(options),
    .least_inputs = 1,
    .most_inputs = 1,
    .infer_shape = infer_shape,
    .lower = lower,
};
