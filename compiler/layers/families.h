/* families.h: what the files of this room share. The table of layers.c lists every layer_*. */
#ifndef LATHE_FAMILIES_H
#define LATHE_FAMILIES_H

#include "layer.h"

extern const struct layer_type layer_input, layer_dense, layer_conv2d, layer_max_pool2d,
    layer_average_pool2d, layer_global_average_pool2d, layer_flatten, layer_reshape, layer_dropout,
    layer_batch_norm, layer_activation, layer_add, layer_concatenate;

#define OPTIONS(table) table, (int)(sizeof(table) / sizeof *(table))

/* Declares the weight "layer/part" and returns the tensor that reads it. The weights of a layer
 * with trainable = false live in SPACE_STATE. */
struct tensor *layer_weight(const struct layer *layer, struct graph *graph, const char *part,
                            struct shape shape, const struct initializer *initializer);

/* The same for what no gradient changes: moving statistics. */
struct tensor *layer_state(const struct layer *layer, struct graph *graph, const char *part,
                           struct shape shape, const struct initializer *initializer);

/* The kind and scale of an initializer for a weight of this shape. initializer.c */
void initializer_resolve(const struct initializer *initializer, const struct shape *shape,
                         enum initializer_kind *kind, double *scale);

/* Checks that the one input is an image { height, width, channels }. */
bool check_image(const struct layer *layer, struct error *error);

/* Checks that the product of the sizes, the number of `what` the layer has, is within reason. */
bool check_elements(const struct layer *layer, const long *size, int count, const char *what,
                    struct error *error);

/* Checks that an activation fits an output: softmax needs more than one value. activation.c */
bool check_activation(const struct layer *layer, const struct function *activation,
                      struct error *error);

/* Max pooling of an image, before the maps that make the image where that changes nothing: those
 * that multiply each channel by a number, add one, or take the larger of both. For training: what
 * is left to do is done for the pooled image only. pool_first.c */
struct tensor *lower_max_pool(struct graph *graph, const struct window *window, long out_height,
                              long out_width, struct tensor *image);

/* "{ 28, 28, 1 }", as it is written in Lua; text has room for size characters. */
void shape_write(char *text, size_t size, const struct shape *shape);

/* The window of a convolution or pooling layer over its input, with Keras's rules for padding. */
struct window layer_window(const struct layer *layer);

/* Fills height and width of the output from the window; says when the window does not fit. */
bool infer_window(struct layer *layer, struct error *error);

/* softmax and the loss that follows it share these (equal tensors are merged): see activation.c. */
struct softmax {
    struct tensor *shift;       /* [..., 1]: close to the largest logit */
    struct tensor *exponential; /* exp(logits - shift) */
    struct tensor *sum;         /* [..., 1]: of the exponentials */
};
struct softmax lower_softmax(struct graph *graph, struct tensor *logits);

/* 1 where the row (along axis 0) is a valid sample of the batch: value, else 0. A map's expression:
 * `samples` is the number of the operand that holds SCALAR_SAMPLES. */
const struct expression *valid_row(struct arena *arena, int samples,
                                   const struct expression *value);

#endif
