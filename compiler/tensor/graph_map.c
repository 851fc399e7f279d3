/* graph_map.c: the builder of maps and its short forms (see graph.h). */
#include "graph.h"
#include "graph_map.h"

#include <stddef.h>

static long longest(long a, long b) {
    return a == 1 ? b : a;
}

/* NumPy's rule. Sizes that do not fit leave one of them: graph_verify reports the map. */
static struct shape broadcast(struct shape a, struct shape b) {
    struct shape wide = a.rank >= b.rank ? a : b, other = a.rank >= b.rank ? b : a;
    int shift = wide.rank - other.rank;
    for (int i = 0; i < other.rank; i++)
        wide.size[i + shift] = longest(wide.size[i + shift], other.size[i]);
    return wide;
}

struct tensor *graph_map(struct graph *graph, const struct expression *expression,
                         struct tensor *const *in, int in_count) {
    struct shape shape = {.rank = 0};
    for (int i = 0; i < in_count; i++) shape = broadcast(shape, in[i]->shape);
    return graph_map_shaped(graph, expression, in, in_count, shape);
}

/* What only repeats another tensor along some axes: reading it is reading that tensor. */
static struct tensor *without_broadcasts(struct tensor *tensor) {
    while (tensor->primitive == PRIMITIVE_MAP && tensor->expression->op == EXPRESSION_OPERAND)
        tensor = tensor->in[tensor->expression->index];
    return tensor;
}

static bool is_constant(const struct tensor *tensor) {
    return tensor->primitive == PRIMITIVE_MAP && tensor->expression->op == EXPRESSION_CONSTANT;
}

struct tensor *graph_map_shaped(struct graph *graph, const struct expression *expression,
                                struct tensor *const *in, int in_count, struct shape shape) {
    /* The operands in their final form: constants become part of the expression, tensors that
     * stand twice and those not read are dropped. */
    struct arena *arena = graph->arena;
    struct tensor **kept = ARENA_ARRAY(arena, struct tensor *, in_count);
    const struct expression **image = ARENA_ARRAY(arena, const struct expression *, in_count);
    struct tensor **source = ARENA_ARRAY(arena, struct tensor *, in_count);
    bool constants = false;
    for (int i = 0; i < in_count; i++) {
        source[i] = without_broadcasts(in[i]);
        if (!is_constant(source[i])) continue;
        image[i] = source[i]->expression;
        constants = true;
    }
    if (constants) expression = expression_substitute(arena, expression, image, in_count);
    int count = 0;
    bool renumbered = false;
    for (int i = 0; i < in_count; i++) {
        image[i] = NULL;
        if (!expression_uses(expression, i)) continue;
        int k = 0;
        while (k < count && kept[k] != source[i]) k++;
        kept[k] = source[i];
        if (k == count) count++;
        if (k == i) continue;
        image[i] = expression_operand(arena, k);
        renumbered = true;
    }
    if (renumbered) expression = expression_substitute(arena, expression, image, in_count);
    if (expression->op == EXPRESSION_OPERAND &&
        shape_equal(&kept[expression->index]->shape, &shape))
        return kept[expression->index];
    return graph_add_map(graph, expression, kept, count, shape);
}

struct tensor *graph_constant(struct graph *graph, double value) {
    return graph_map(graph, expression_constant(graph->arena, value), NULL, 0);
}

struct tensor *graph_unary(struct graph *graph, enum expression_operator op, struct tensor *a) {
    const struct expression *x = expression_operand(graph->arena, 0);
    return graph_map(graph, expression_unary(graph->arena, op, x), &a, 1);
}

struct tensor *graph_binary(struct graph *graph, enum expression_operator op, struct tensor *a,
                            struct tensor *b) {
    struct arena *arena = graph->arena;
    struct tensor *in[] = {a, b};
    return graph_map(
        graph,
        expression_binary(arena, op, expression_operand(arena, 0), expression_operand(arena, 1)),
        in, 2);
}

struct tensor *graph_scale(struct graph *graph, struct tensor *a, double factor) {
    struct arena *arena = graph->arena;
    return graph_map(graph,
                     expression_binary(arena, EXPRESSION_MULTIPLY, expression_operand(arena, 0),
                                       expression_constant(arena, factor)),
                     &a, 1);
}

struct tensor *graph_shift(struct graph *graph, struct tensor *a, double summand) {
    struct arena *arena = graph->arena;
    return graph_map(graph,
                     expression_binary(arena, EXPRESSION_ADD, expression_operand(arena, 0),
                                       expression_constant(arena, summand)),
                     &a, 1);
}

struct tensor *graph_select(struct graph *graph, struct tensor *condition, struct tensor *a,
                            struct tensor *b) {
    struct arena *arena = graph->arena;
    struct tensor *in[] = {condition, a, b};
    return graph_map(graph,
                     expression_select(arena, expression_operand(arena, 0),
                                       expression_operand(arena, 1), expression_operand(arena, 2)),
                     in, 3);
}
