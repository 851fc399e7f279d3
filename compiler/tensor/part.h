/* part.h: which part of a layer's work a contraction is, for profiles. */
#ifndef LATHE_PART_H
#define LATHE_PART_H

#include "graph.h"

enum part { PART_OTHER, PART_FORWARD, PART_BACKWARD_DATA, PART_WEIGHT_GRADIENT, PART_COUNT };

/** By tensor number: it belongs to the backward pass, the loss or the optimizer, that is, it
 * depends on the labels. */
const bool *graph_backward(const struct graph *graph, struct arena *arena);

/** True if the tensor is weights: a piece of a space, in any shape, or a map of such alone. */
bool tensor_is_weights(const struct tensor *tensor);

/** The part of a contraction of two operands; of any other contraction, PART_OTHER. */
enum part contraction_part(const struct tensor *tensor, const bool *backward);

#endif
