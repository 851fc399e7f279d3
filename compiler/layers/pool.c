/* pool.c: maximum, average and global average pooling. */
#include "families.h"

#include <stddef.h>

static bool infer_shape(struct layer *layer, struct error *error) {
    if (!check_image(layer, error)) return false;
    for (int i = 0; i < 2; i++) {
        layer->dilation_rate[i] = 1;
        if (!layer->strides[i]) layer->strides[i] = layer->kernel_size[i];
    }
    layer->output = layer->inputs[0]->output;
    return infer_window(layer, error);
}

static struct tensor *lower_maximum(const struct layer *layer, struct graph *graph,
                                    struct tensor *const *in, bool training) {
    struct window window = layer_window(layer);
    const long *out = layer->output.size;
    return training ? lower_max_pool(graph, &window, out[0], out[1], in[0])
                    : graph_max_pool(graph, &window, out[0], out[1], in[0]);
}

/* How many rows (or columns) of a window lie inside the image, as an expression of the output's
 * position: min(begin + kernel_size, size) - max(begin, 0), where begin = position * stride - pad.
 */
static const struct expression *rows_inside(struct arena *arena, const struct window *window,
                                            int axis, long size, long out) {
    long last = (out - 1) * window->strides[axis] - window->pad[axis];
    const struct expression *kernel = expression_constant(arena, (double)window->kernel_size[axis]);
    if (window->pad[axis] == 0 && last + window->kernel_size[axis] <= size) return kernel;
    const struct expression *begin = expression_binary(
        arena, EXPRESSION_SUBTRACT,
        expression_binary(arena, EXPRESSION_MULTIPLY, expression_index(arena, axis + 1),
                          expression_constant(arena, (double)window->strides[axis])),
        expression_constant(arena, (double)window->pad[axis]));
    const struct expression *end = expression_binary(
        arena, EXPRESSION_MINIMUM, expression_binary(arena, EXPRESSION_ADD, begin, kernel),
        expression_constant(arena, (double)size));
    return expression_binary(
        arena, EXPRESSION_SUBTRACT, end,
        expression_binary(arena, EXPRESSION_MAXIMUM, begin, expression_constant(arena, 0)));
}

static struct tensor *lower_average(const struct layer *layer, struct graph *graph,
                                    struct tensor *const *in, bool training) {
    (void)training;
    struct arena *arena = graph->arena;
    struct window window = layer_window(layer);
    const long *size = layer->inputs[0]->output.size, *out = layer->output.size;
    struct tensor *sum = graph_window_sum(graph, in[0], &window, out[0], out[1]);
    const struct expression *count = expression_binary(
        arena, EXPRESSION_MULTIPLY, rows_inside(arena, &window, 0, size[0], out[0]),
        rows_inside(arena, &window, 1, size[1], out[1]));
    const struct expression *share =
        expression_binary(arena, EXPRESSION_DIVIDE, expression_constant(arena, 1), count);
    return graph_map(
        graph, expression_binary(arena, EXPRESSION_MULTIPLY, expression_operand(arena, 0), share),
        &sum, 1);
}

static bool infer_global(struct layer *layer, struct error *error) {
    if (!check_image(layer, error)) return false;
    layer->output = shape_of(1, &layer->inputs[0]->output.size[2]);
    return true;
}

static struct tensor *lower_global(const struct layer *layer, struct graph *graph,
                                   struct tensor *const *in, bool training) {
    (void)training;
    const long *size = in[0]->shape.size;
    struct tensor *sum = graph_reduce(graph, REDUCTION_SUM, 1u << 1 | 1u << 2, in[0]);
    sum = graph_reshape(graph, shape_with_batch(&layer->output, size[0]), sum);
    return graph_scale(graph, sum, 1 / ((double)size[1] * (double)size[2]));
}

/* Without strides, windows lie side by side: "" leaves zeros, which infer_shape replaces. */
static const struct option options[] = {
    {"pool_size", OPTION_PAIR, offsetof(struct layer, kernel_size), "2", true},
    {"strides", OPTION_PAIR, offsetof(struct layer, strides), "", false},
    {"padding", OPTION_PADDING, offsetof(struct layer, padding), "'valid'", false},
};

const struct layer_type layer_max_pool2d = {
    .name = "max_pool2d",
    OPTIONS(options),
    .least_inputs = 1,
    .most_inputs = 1,
    .infer_shape = infer_shape,
    .lower = lower_maximum,
};

const struct layer_type layer_average_pool2d = {
    .name = "average_pool2d",
    OPTIONS(options),
    .least_inputs = 1,
    .most_inputs = 1,
    .infer_shape = infer_shape,
    .lower = lower_average,
};

const struct layer_type layer_global_average_pool2d = {
    .name = "global_average_pool2d",
    .least_inputs = 1,
    .most_inputs = 1,
    .infer_shape = infer_global,
    .lower = lower_global,
};
