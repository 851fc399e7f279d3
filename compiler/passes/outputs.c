/* outputs.c: prepares both ends of the graph for the kernels. Each output and update gets a map of
 * its own, which can be written straight to its destination; composition removes the map again
 * where its operand is one. A reshaped input is the caller's memory in another shape. */
#include "kernels.h"

static struct tensor *identity(struct graph *graph, struct tensor *t) {
    struct tensor *copy = ARENA_NEW(graph->arena, struct tensor);
    if (graph->tensor_count == graph->tensor_capacity) {
        int capacity = graph->tensor_capacity * 2 + 16;
        struct tensor **more = ARENA_ARRAY(graph->arena, struct tensor *, capacity);
        for (int i = 0; i < graph->tensor_count; i++) more[i] = graph->tensors[i];
        graph->tensors = more;
        graph->tensor_capacity = capacity;
    }
    copy->primitive = PRIMITIVE_MAP;
    copy->number = graph->tensor_count;
    copy->shape = t->shape;
    copy->name = t->name;
    copy->origin = t->origin;
    copy->in = ARENA_ARRAY(graph->arena, struct tensor *, 1);
    copy->in[0] = t;
    copy->in_count = 1;
    copy->expression = expression_operand(graph->arena, 0);
    graph->tensors[graph->tensor_count++] = copy;
    return copy;
}

void pass_outputs(struct graph *graph) {
    for (int i = 0; i < graph->tensor_count; i++) {
        struct tensor *t = graph->tensors[i];
        if (t->primitive != PRIMITIVE_RESHAPE || t->in[0]->primitive != PRIMITIVE_INPUT) continue;
        t->primitive = PRIMITIVE_INPUT;
        t->index = t->in[0]->index;
        t->in_count = 0;
    }
    for (int i = 0; i < graph->output_count; i++) {
        struct tensor *t = graph->outputs[i].tensor;
        if (t->shape.rank > 2) {
            long rows = t->shape.size[0];
            struct shape flat = {2, {rows, shape_elements(&t->shape) / rows}};
            t = graph_reshape(graph, flat, t);
        }
        graph->outputs[i].tensor = identity(graph, t);
    }
    for (int i = 0; i < graph->update_count; i++)
        graph->updates[i].value = identity(graph, graph->updates[i].value);
}

static const char *kind_of(const struct tensor *t) {
    switch (t->primitive) {
    case PRIMITIVE_REDUCE: return t->reduction == REDUCTION_SUM ? "sum" : "maximum";
    case PRIMITIVE_CONTRACT: return "product";
    case PRIMITIVE_MAX_POOL_GRADIENT: return "gradient";
    case PRIMITIVE_RESHAPE:
    case PRIMITIVE_SLICE: return "view";
    default: return "value";
    }
}

void pass_name(struct graph *graph) {
    for (int i = 0; i < graph->tensor_count; i++) {
        struct tensor *t = graph->tensors[i];
        if (t->name) continue;
        t->name = t->origin.layer
                      ? arena_format(graph->arena, "%s_%s_%d", t->origin.layer, kind_of(t), i)
                      : arena_format(graph->arena, "%s_%d", kind_of(t), i);
    }
}
