/* verify.c: the rules that every graph keeps, checked between passes (see graph.h). */
#include "primitive.h"

static bool contains(const struct graph *graph, const struct tensor *tensor) {
    return tensor && tensor->number >= 0 && tensor->number < graph->tensor_count &&
           graph->tensors[tensor->number] == tensor;
}

static bool shape_check(const struct tensor *tensor, struct error *error) {
    if (tensor->shape.rank < 0 || tensor->shape.rank > MAX_RANK)
        return error_set(error, "the rank is %d, at most %d is possible", tensor->shape.rank,
                         MAX_RANK);
    for (int i = 0; i < tensor->shape.rank; i++)
        if (tensor->shape.size[i] < 1)
            return error_set(error, "axis %d has size %ld", i, tensor->shape.size[i]);
    return true;
}

static bool tensor_check(const struct graph *graph, int number, struct error *error) {
    const struct tensor *tensor = graph->tensors[number];
    if (!tensor) return error_set(error, "it is missing");
    if (tensor->number != number) return error_set(error, "it is numbered %d", tensor->number);
    if ((unsigned)tensor->primitive >= PRIMITIVE_COUNT)
        return error_set(error, "there is no primitive %d", (int)tensor->primitive);
    const struct primitive_rules *rules = primitive_rules(tensor->primitive);
    if (tensor->in_count < rules->least_inputs ||
        (rules->most_inputs >= 0 && tensor->in_count > rules->most_inputs))
        return error_set(error, "it has %d inputs", tensor->in_count);
    for (int k = 0; k < tensor->in_count; k++) {
        if (!contains(graph, tensor->in[k]))
            return error_set(error, "input %d is not in the graph", k);
        if (tensor->in[k]->number >= number) return error_set(error, "input %d comes later", k);
    }
    return shape_check(tensor, error) && rules->check(graph, tensor, error);
}

static bool variables_check(const struct graph *graph, struct error *error) {
    for (int i = 0; i < graph->variable_count; i++) {
        const struct variable *variable = &graph->variables[i];
        if (variable->offset < 0 || variable->offset + shape_elements(&variable->shape) >
                                        graph->space_size[variable->space])
            return error_set(error, "variable %s leaves its space", variable->name);
    }
    return true;
}

static long update_end(const struct update *update) {
    return update->offset + shape_elements(&update->value->shape);
}

/* Updates write to disjoint ranges, so that their order means nothing. */
static bool updates_check(const struct graph *graph, struct error *error) {
    for (int i = 0; i < graph->update_count; i++) {
        const struct update *a = &graph->updates[i];
        if (!contains(graph, a->value))
            return error_set(error, "the value of update %d is not in the graph", i);
        if (a->offset < 0 || update_end(a) > graph->space_size[a->space])
            return error_set(error, "update %d leaves its space", i);
        for (int j = 0; j < i; j++) {
            const struct update *b = &graph->updates[j];
            if (a->space == b->space && a->offset < update_end(b) && b->offset < update_end(a))
                return error_set(error, "updates %d and %d overlap", j, i);
        }
    }
    return true;
}

bool graph_verify(const struct graph *graph, const char *when, struct error *error) {
    struct error detail = {{0}};
    for (int t = 0; t < graph->tensor_count; t++) {
        if (tensor_check(graph, t, &detail)) continue;
        const struct tensor *tensor = graph->tensors[t];
        bool known = tensor && (unsigned)tensor->primitive < PRIMITIVE_COUNT;
        return error_set(error, "internal error after %s: tensor %d (%s %s): %s", when, t,
                         known ? primitive_rules(tensor->primitive)->name : "?",
                         tensor && tensor->name ? tensor->name : "without name", detail.text);
    }
    for (int i = 0; i < graph->output_count; i++)
        if (!contains(graph, graph->outputs[i].tensor))
            return error_set(error, "internal error after %s: output %s is not in the graph", when,
                             graph->outputs[i].name);
    if (variables_check(graph, &detail) && updates_check(graph, &detail)) return true;
    return error_set(error, "internal error after %s: %s", when, detail.text);
}
