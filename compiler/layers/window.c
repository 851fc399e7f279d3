/* window.c: the windows of convolution and pooling layers, with Keras's padding. */
#include "families.h"

/* The extent of a window along an axis, holes of the dilation included. */
static long window_extent(const struct layer *layer, int axis) {
    return (layer->kernel_size[axis] - 1) * layer->dilation_rate[axis] + 1;
}

struct window layer_window(const struct layer *layer) {
    struct window window;
    for (int i = 0; i < 2; i++) {
        long in = layer->inputs[0]->output.size[i], out = layer->output.size[i];
        window.kernel_size[i] = layer->kernel_size[i];
        window.strides[i] = layer->strides[i];
        window.dilation_rate[i] = layer->dilation_rate[i];
        window.pad[i] = 0;
        if (layer->padding == PADDING_SAME) { /* the odd zero comes after, as in Keras */
            long total = (out - 1) * layer->strides[i] + window_extent(layer, i) - in;
            window.pad[i] = total > 0 ? total / 2 : 0;
        }
    }
    return window;
}

bool infer_window(struct layer *layer, struct error *error) {
    enum { MOST_EXTENT = 1 << 16 }; /* else padded rows could take all memory */
    const struct shape *in = &layer->inputs[0]->output;
    for (int i = 0; i < 2; i++) {
        long extent = window_extent(layer, i);
        if (extent > MOST_EXTENT)
            return layer_error(layer, error,
                               "its window of %ldx%ld is longer than %d pixels; use a smaller one",
                               window_extent(layer, 0), window_extent(layer, 1), MOST_EXTENT);
        if (layer->padding == PADDING_SAME) {
            layer->output.size[i] = (in->size[i] + layer->strides[i] - 1) / layer->strides[i];
            continue;
        }
        if (extent > in->size[i])
            return layer_error(layer, error,
                               "its window of %ldx%ld does not fit its input of %ldx%ld; use "
                               "padding = \"same\", or a smaller window",
                               window_extent(layer, 0), window_extent(layer, 1), in->size[0],
                               in->size[1]);
        layer->output.size[i] = (in->size[i] - extent) / layer->strides[i] + 1;
    }
    return true;
}
