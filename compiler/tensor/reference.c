/* reference.c: evaluates a graph in double, one tensor after the other (see graph.h). */
#include "primitive.h"

#include <string.h>

void graph_reference_some(const struct graph *graph, const bool *wanted,
                          const struct reference_call *call, struct arena *arena, double **value) {
    for (int t = 0; t < graph->tensor_count; t++) {
        const struct tensor *tensor = graph->tensors[t];
        if (wanted && !wanted[t]) continue;
        const double **in = ARENA_ARRAY(arena, const double *, tensor->in_count);
        for (int k = 0; k < tensor->in_count; k++) in[k] = value[tensor->in[k]->number];
        value[t] = ARENA_ARRAY(arena, double, shape_elements(&tensor->shape)); /* zeros */
        struct evaluation evaluation = {.arena = arena, .call = call, .in = in, .out = value[t]};
        primitive_rules(tensor->primitive)->reference(tensor, &evaluation);
    }
}

void graph_reference(const struct graph *graph, struct reference_call *call, struct arena *arena,
                     double **value) {
    graph_reference_some(graph, NULL, call, arena, value);
    for (int i = 0; i < graph->update_count; i++) {
        const struct update *update = &graph->updates[i];
        memcpy(call->spaces[update->space] + update->offset, value[update->value->number],
               sizeof(double) * (size_t)shape_elements(&update->value->shape));
    }
}
