/* dead.c: drops what no output and no update needs. */
#include "passes.h"

struct graph *pass_dead(struct graph *graph) {
    bool *live = ARENA_ARRAY(graph->arena, bool, graph->tensor_count);
    for (int i = 0; i < graph->output_count; i++) live[graph->outputs[i].tensor->number] = true;
    for (int i = 0; i < graph->update_count; i++) live[graph->updates[i].value->number] = true;
    for (int t = graph->tensor_count - 1; t >= 0; t--)
        for (int k = 0; live[t] && k < graph->tensors[t]->in_count; k++)
            live[graph->tensors[t]->in[k]->number] = true;
    int count = 0;
    for (int t = 0; t < graph->tensor_count; t++) {
        if (!live[t]) continue;
        graph->tensors[count] = graph->tensors[t];
        graph->tensors[count]->number = count;
        count++;
    }
    graph->tensor_count = count;
    graph->table = NULL; /* it has the dead ones, and those left with their old numbers */
    return graph;
}
