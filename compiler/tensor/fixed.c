/* fixed.c: which tensors do not change from call to call as long as the weights stay as they are.
 */
#include "graph.h"

/* A map that reads nothing, or a constant along with weights. */
static bool is_neutral(const struct tensor *t) {
    return t->primitive == PRIMITIVE_MAP && t->in_count == 0;
}

const bool *graph_fixed(const struct graph *graph, struct arena *arena) {
    bool *fixed = ARENA_ARRAY(arena, bool, graph->tensor_count);
    for (int i = 0; i < graph->tensor_count; i++) {
        const struct tensor *t = graph->tensors[i];
        bool is_variable = t->primitive == PRIMITIVE_VARIABLE, any = false, all = true;
        for (int k = 0; k < t->in_count; k++) {
            any = any || fixed[t->in[k]->number];
            all = all && (fixed[t->in[k]->number] || is_neutral(t->in[k]));
        }
        bool draws = t->expression && expression_contains(t->expression, EXPRESSION_RANDOM);
        fixed[i] = t->shape.rank > 0 && (is_variable || (any && all && !draws));
    }
    return fixed;
}
