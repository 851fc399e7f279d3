/* part.c: forward, backward-data or weight gradient (see part.h). */
#include "part.h"

enum { LABELS = 1 }; /* the number of that input */

const bool *graph_backward(const struct graph *graph, struct arena *arena) {
    bool *backward = ARENA_ARRAY(arena, bool, graph->tensor_count);
    for (int i = 0; i < graph->tensor_count; i++) {
        const struct tensor *tensor = graph->tensors[i];
        backward[i] = tensor->primitive == PRIMITIVE_INPUT && tensor->index == LABELS;
        for (int k = 0; k < tensor->in_count && !backward[i]; k++)
            backward[i] = backward[tensor->in[k]->number];
    }
    return backward;
}

bool tensor_is_weights(const struct tensor *tensor) {
    while (tensor->primitive == PRIMITIVE_RESHAPE || tensor->primitive == PRIMITIVE_SLICE)
        tensor = tensor->in[0];
    bool is_scaled = tensor->primitive == PRIMITIVE_MAP && tensor->in_count > 0;
    for (int k = 0; k < tensor->in_count && is_scaled; k++)
        is_scaled = tensor_is_weights(tensor->in[k]);
    return is_scaled || tensor->primitive == PRIMITIVE_VARIABLE;
}

enum part contraction_part(const struct tensor *tensor, const bool *backward) {
    if (tensor->in_count != 2 || !tensor->origin.layer) return PART_OTHER;
    if (!backward[tensor->number]) return PART_FORWARD;
    return tensor_is_weights(tensor->in[0]) || tensor_is_weights(tensor->in[1])
               ? PART_BACKWARD_DATA
               : PART_WEIGHT_GRADIENT;
}
