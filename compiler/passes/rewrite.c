/* rewrite.c: builds a graph anew, tensor by tensor (see rewrite.h). */
#include "rewrite.h"

struct graph *rewrite(const struct graph *graph, rewrite_rule *rule, const void *context) {
    struct graph *result = graph_like(graph);
    struct tensor **image = ARENA_ARRAY(graph->arena, struct tensor *, graph->tensor_count);
    for (int t = 0; t < graph->tensor_count; t++) {
        const struct tensor *tensor = graph->tensors[t];
        struct tensor **in = ARENA_ARRAY(graph->arena, struct tensor *, tensor->in_count);
        for (int k = 0; k < tensor->in_count; k++) in[k] = image[tensor->in[k]->number];
        result->origin = tensor->origin;
        image[t] = rule(result, tensor, in, context);
        if (!image[t]->name) image[t]->name = tensor->name;
    }
    for (int i = 0; i < graph->output_count; i++)
        graph_output(result, graph->outputs[i].name, image[graph->outputs[i].tensor->number]);
    for (int i = 0; i < graph->update_count; i++) {
        const struct update *update = &graph->updates[i];
        graph_update(result, update->space, update->offset, image[update->value->number]);
    }
    result->origin = graph->origin;
    result->name = graph->name;
    return result;
}
