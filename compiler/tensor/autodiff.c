/* autodiff.c: gradients by reverse accumulation over the tensor graph (see graph.h). */
#include "primitive.h"

/* Marks the tensors (below `count`) that depend on one of `by`; only through them gradients flow.
 */
static bool *depending(const struct graph *graph, struct tensor *const *by, int by_count,
                       int count) {
    bool *depends = ARENA_ARRAY(graph->arena, bool, count);
    for (int i = 0; i < by_count; i++)
        if (by[i]->number < count) depends[by[i]->number] = true;
    for (int t = 0; t < count; t++) {
        const struct tensor *tensor = graph->tensors[t];
        for (int k = 0; k < tensor->in_count && !depends[t]; k++)
            depends[t] = depends[tensor->in[k]->number];
    }
    return depends;
}

static struct tensor *sum(struct graph *graph, struct tensor *a, struct tensor *b) {
    return a ? graph_binary(graph, EXPRESSION_ADD, a, b) : b;
}

/* Hands the gradient dy of a tensor on to its inputs. */
static void propagate(struct graph *graph, struct tensor *tensor, struct tensor *dy,
                      const bool *depends, struct tensor **gradients) {
    const struct primitive_rules *rules = primitive_rules(tensor->primitive);
    if (!rules->gradient) return;
    bool *wanted = ARENA_ARRAY(graph->arena, bool, tensor->in_count), any = false;
    for (int k = 0; k < tensor->in_count; k++) {
        wanted[k] = depends[tensor->in[k]->number];
        any = any || wanted[k];
    }
    if (!any) return;
    struct tensor **parts = ARENA_ARRAY(graph->arena, struct tensor *, tensor->in_count);
    rules->gradient(graph, tensor, dy, wanted, parts);
    for (int k = 0; k < tensor->in_count; k++) {
        int number = tensor->in[k]->number;
        if (wanted[k] && parts[k]) gradients[number] = sum(graph, gradients[number], parts[k]);
    }
}

static struct tensor *constant_of_shape(struct graph *graph, double value, struct shape shape) {
    return graph_map_shaped(graph, expression_constant(graph->arena, value), NULL, 0, shape);
}

void graph_gradients(struct graph *graph, struct tensor *loss, struct tensor *const *by, int count,
                     struct tensor **gradient) {
    struct origin origin = graph->origin;
    int last = loss->number;
    bool *depends = depending(graph, by, count, last + 1);
    struct tensor **gradients = ARENA_ARRAY(graph->arena, struct tensor *, last + 1);
    if (depends[last]) gradients[last] = constant_of_shape(graph, 1, loss->shape);
    for (int t = last; t >= 0; t--) {
        struct tensor *tensor = graph->tensors[t];
        if (!gradients[t]) continue;
        graph->origin = tensor->origin;
        propagate(graph, tensor, gradients[t], depends, gradients);
    }
    graph->origin = origin;
    for (int i = 0; i < count; i++) {
        gradient[i] = by[i]->number <= last ? gradients[by[i]->number] : NULL;
        if (!gradient[i]) gradient[i] = constant_of_shape(graph, 0, by[i]->shape);
    }
}
