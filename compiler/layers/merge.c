/* merge.c: layers of several inputs: add, concatenate. */
#include "families.h"

#include <limits.h>
#include <stddef.h>

static bool shapes_differ(const struct layer *layer, const struct layer *other,
                          struct error *error) {
    char first[160], second[160];
    shape_write(first, sizeof first, &layer->inputs[0]->output);
    shape_write(second, sizeof second, &other->output);
    return layer_error(
        layer, error, "its inputs \"%s\" %s and \"%s\" %s do not fit together; %s",
        layer->inputs[0]->name, first, other->name, second,
        layer->type == &layer_add
            ? "their shapes must be equal"
            : "their shapes may differ along one axis only, the one they are joined by");
}

static bool infer_add(struct layer *layer, struct error *error) {
    layer->output = layer->inputs[0]->output;
    for (int i = 1; i < layer->input_count; i++)
        if (!shape_equal(&layer->output, &layer->inputs[i]->output))
            return shapes_differ(layer, layer->inputs[i], error);
    return true;
}

static struct tensor *lower_add(const struct layer *layer, struct graph *graph,
                                struct tensor *const *in, bool training) {
    (void)training;
    struct tensor *sum = in[0];
    for (int i = 1; i < layer->input_count; i++)
        sum = graph_binary(graph, EXPRESSION_ADD, sum, in[i]);
    return sum;
}

/* The axis with the batch as axis 0; Keras counts it so, and negative ones from the end. */
static int concatenate_axis(const struct layer *layer) {
    long rank = layer->output.rank + 1;
    return (int)(layer->axis < 0 ? layer->axis + rank : layer->axis);
}

static bool infer_concatenate(struct layer *layer, struct error *error) {
    struct shape *output = &layer->output;
    *output = layer->inputs[0]->output;
    int axis = concatenate_axis(layer);
    if (axis < 1 || axis > output->rank)
        return layer_error(layer, error,
                           "its inputs have no axis %ld; use -1 for the last one, or 1 to %d (0 is "
                           "the batch)",
                           layer->axis, output->rank);
    for (int i = 1; i < layer->input_count; i++) {
        struct shape other = layer->inputs[i]->output;
        if (other.rank != output->rank) return shapes_differ(layer, layer->inputs[i], error);
        long added = other.size[axis - 1];
        other.size[axis - 1] = output->size[axis - 1];
        if (!shape_equal(&other, output)) return shapes_differ(layer, layer->inputs[i], error);
        output->size[axis - 1] += added;
    }
    return true;
}

static struct tensor *lower_concatenate(const struct layer *layer, struct graph *graph,
                                        struct tensor *const *in, bool training) {
    (void)training;
    return graph_concat(graph, concatenate_axis(layer), in, layer->input_count);
}

static const struct option concatenate_options[] = {
    {"axis", OPTION_AXIS, offsetof(struct layer, axis), "-1", true},
};

const struct layer_type layer_add = {
    .name = "add",
    .least_inputs = 2,
    .most_inputs = INT_MAX,
    .infer_shape = infer_add,
    .lower = lower_add,
};

const struct layer_type layer_concatenate = {
    .name = "concatenate",
    OPTIONS(concatenate_options),
    .least_inputs = 2,
    .most_inputs = INT_MAX,
    .infer_shape = infer_concatenate,
    .lower = lower_concatenate,
};
