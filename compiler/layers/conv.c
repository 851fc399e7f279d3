/* conv.c: the two-dimensional convolution: strides, padding, dilation, groups. */
#include "families.h"

#include <stddef.h>

static bool infer_shape(struct layer *layer, struct error *error) {
    if (!check_image(layer, error)) return false;
    long channels = layer->inputs[0]->output.size[2], groups = layer->groups;
    if (channels % groups != 0)
        return layer_error(layer, error,
                           "%ld groups do not divide its %ld input channels evenly; use a number "
                           "of groups that divides %ld",
                           groups, channels, channels);
    if (layer->filters % groups != 0)
        return layer_error(layer, error,
                           "%ld groups do not divide its %ld filters evenly; use a number of "
                           "filters that is a multiple of %ld",
                           groups, layer->filters, groups);
    long size[] = {layer->kernel_size[0], layer->kernel_size[1], channels / groups, layer->filters};
    if (!check_elements(layer, size, 4, "weights", error)) return false;
    layer->output.rank = 3;
    layer->output.size[2] = layer->filters;
    return infer_window(layer, error) && check_activation(layer, &layer->activation, error);
}

static struct tensor *lower(const struct layer *layer, struct graph *graph,
                            struct tensor *const *in, bool training) {
    (void)training;
    struct window window = layer_window(layer);
    struct shape kernel_shape =
        shape_of(4, (long[]){layer->kernel_size[0], layer->kernel_size[1],
                             in[0]->shape.size[3] / layer->groups, layer->filters});
    struct tensor *kernel =
        layer_weight(layer, graph, "kernel", kernel_shape, &layer->kernel_initializer);
    struct tensor *y = graph_convolution(graph, in[0], kernel, &window, layer->groups,
                                         layer->output.size[0], layer->output.size[1]);
    if (layer->use_bias) {
        struct tensor *bias = layer_weight(layer, graph, "bias", shape_of(1, &layer->filters),
                                           &layer->bias_initializer);
        y = graph_binary(graph, EXPRESSION_ADD, y, bias);
    }
    return lower_activation(graph, &layer->activation, y);
}

#define FIELD(name) offsetof(struct layer, name)
static const struct option options[] = {
    {"filters", OPTION_COUNT, FIELD(filters), NULL, true},
    {"kernel_size", OPTION_PAIR, FIELD(kernel_size), NULL, false},
    {"strides", OPTION_PAIR, FIELD(strides), "1", false},
    {"padding", OPTION_PADDING, FIELD(padding), "'valid'", false},
    {"dilation_rate", OPTION_PAIR, FIELD(dilation_rate), "1", false},
    {"groups", OPTION_COUNT, FIELD(groups), "1", false},
    {"activation", OPTION_ACTIVATION, FIELD(activation), "'linear'", false},
    {"use_bias", OPTION_BOOLEAN, FIELD(use_bias), "true", false},
    {"kernel_initializer", OPTION_INITIALIZER, FIELD(kernel_initializer), "'glorot_uniform'",
     false},
    {"bias_initializer", OPTION_INITIALIZER, FIELD(bias_initializer), "'zeros'", false},
};

const struct layer_type layer_conv2d = {
    .name = "conv2d",
    OPTIONS(options),
    .least_inputs = 1,
    .most_inputs = 1,
    .infer_shape = infer_shape,
    .lower = lower,
};
