/* map.c: an expression, elementwise, over broadcast operands. */
#include "primitive.h"
#include "expression_list.h"
#include "iterate.h"

#include <math.h>

static bool node_check(const struct tensor *tensor, const struct expression *e,
                       struct error *error) {
    if (e->op == EXPRESSION_OPERAND && (e->index < 0 || e->index >= tensor->in_count))
        return error_set(error, "the expression reads operand %d of %d", e->index,
                         tensor->in_count);
    if (e->op == EXPRESSION_INDEX && (e->index < 0 || e->index >= tensor->shape.rank))
        return error_set(error, "the expression reads axis %d of %d", e->index, tensor->shape.rank);
    return true;
}

bool map_check(const struct graph *graph, const struct tensor *tensor, struct error *error) {
    for (int i = 0; i < tensor->in_count; i++)
        if (!broadcasts_to(&tensor->in[i]->shape, &tensor->shape))
            return error_set(error, "operand %d cannot be broadcast to the map's shape", i);
    if (!tensor->expression) return error_set(error, "the map has no expression");
    if (expression_reads_below(tensor->expression, tensor->in_count) &&
        !expression_contains(tensor->expression, EXPRESSION_INDEX))
        return true;
    struct expression_list list;
    expression_list_init(&list, graph->arena);
    expression_list_add(&list, tensor->expression);
    for (int i = 0; i < list.count; i++)
        if (!node_check(tensor, list.nodes[i].source, error)) return false;
    return true;
}

/* dy * d, with dy inside of selections that choose a constant: the mask of a relu becomes
 * select(0 < x, dy, 0), which needs no multiplication. */
static const struct expression *scaled(struct arena *arena, const struct expression *dy,
                                       const struct expression *d) {
    if (d->op == EXPRESSION_SELECT &&
        (d->in[1]->op == EXPRESSION_CONSTANT || d->in[2]->op == EXPRESSION_CONSTANT))
        return expression_select(arena, d->in[0], scaled(arena, dy, d->in[1]),
                                 scaled(arena, dy, d->in[2]));
    return expression_binary(arena, EXPRESSION_MULTIPLY, dy, d);
}

/* The sum of what reached all the places an operand was broadcast to. */
static struct tensor *sum_to_shape(struct graph *graph, struct tensor *tensor,
                                   const struct shape *shape) {
    unsigned axes = 0;
    int shift = tensor->shape.rank - shape->rank;
    for (int i = 0; i < tensor->shape.rank; i++)
        if (i < shift || shape->size[i - shift] == 1) axes |= 1u << i;
    return graph_reshape(graph, *shape, graph_reduce(graph, REDUCTION_SUM, axes, tensor));
}

static bool is_constant(const struct expression *e, double value) {
    return e->op == EXPRESSION_CONSTANT && e->value == value;
}

/* A part of the outermost expression is the variable of an activation; the derivative by it is a
 * function of the output y alone: then the input need not be kept for the backward pass. Returns
 * the derivative and sets *inner, or returns NULL. */
static const struct expression *derivative_by_output(struct arena *arena,
                                                     const struct expression *e,
                                                     const struct expression *y,
                                                     const struct expression **inner) {
    const struct expression *zero = expression_constant(arena, 0);
    const struct expression *one = expression_constant(arena, 1);
    const struct expression *positive = expression_binary(arena, EXPRESSION_LESS, zero, y);
    if (e->op == EXPRESSION_MAXIMUM && (is_constant(e->in[0], 0) || is_constant(e->in[1], 0))) {
        *inner = is_constant(e->in[0], 0) ? e->in[1] : e->in[0]; /* relu */
        return expression_select(arena, positive, one, zero);
    }
    if (e->op == EXPRESSION_SELECT && is_constant(e->in[1], 0) && signbit(e->in[1]->value) &&
        e->in[2]->op == EXPRESSION_SUBTRACT && is_constant(e->in[2]->in[1], 0)) {
        *inner = e->in[2]->in[0]; /* dropout */
        return expression_select(arena, expression_unary(arena, EXPRESSION_NEGATIVE_ZERO, y), zero,
                                 one);
    }
    if (e->op == EXPRESSION_TANH) {
        *inner = e->in[0];
        return expression_binary(arena, EXPRESSION_SUBTRACT, one,
                                 expression_binary(arena, EXPRESSION_MULTIPLY, y, y));
    }
    if (e->op == EXPRESSION_EXP) {
        *inner = e->in[0];
        return y;
    }
    /* sigmoid = tanh(x / 2) / 2 + 1 / 2 */
    if (e->op == EXPRESSION_ADD && is_constant(e->in[1], 0.5) &&
        e->in[0]->op == EXPRESSION_MULTIPLY && is_constant(e->in[0]->in[1], 0.5) &&
        e->in[0]->in[0]->op == EXPRESSION_TANH &&
        e->in[0]->in[0]->in[0]->op == EXPRESSION_MULTIPLY &&
        is_constant(e->in[0]->in[0]->in[0]->in[1], 0.5)) {
        *inner = e->in[0]->in[0]->in[0]->in[0];
        return expression_binary(arena, EXPRESSION_MULTIPLY, y,
                                 expression_binary(arena, EXPRESSION_SUBTRACT, one, y));
    }
    return NULL;
}

/* dy times the derivative of the map by operand i; operand `count` is dy, `count` + 1 the map. */
static const struct expression *gradient_product(struct arena *arena, const struct tensor *tensor,
                                                 int i) {
    int count = tensor->in_count;
    const struct expression *dy = expression_operand(arena, count), *inner = NULL;
    const struct expression *outer = derivative_by_output(
        arena, tensor->expression, expression_operand(arena, count + 1), &inner);
    if (!outer) return scaled(arena, dy, expression_derivative(arena, tensor->expression, i));
    return scaled(arena, scaled(arena, dy, outer), expression_derivative(arena, inner, i));
}

void map_gradient(struct graph *graph, struct tensor *tensor, struct tensor *dy, const bool *wanted,
                  struct tensor **in_gradient) {
    struct arena *arena = graph->arena;
    int count = tensor->in_count;
    struct tensor **in = ARENA_ARRAY(arena, struct tensor *, count + 2);
    for (int i = 0; i < count; i++) in[i] = tensor->in[i];
    in[count] = dy;
    in[count + 1] = tensor;
    for (int i = 0; i < count; i++) {
        if (!wanted[i]) continue;
        const struct expression *product = gradient_product(arena, tensor, i);
        if (product->op == EXPRESSION_CONSTANT && product->value == 0) continue;
        struct tensor *full = graph_map_shaped(graph, product, in, count + 2, tensor->shape);
        in_gradient[i] = sum_to_shape(graph, full, &tensor->in[i]->shape);
    }
}

void map_reference(const struct tensor *tensor, const struct evaluation *evaluation) {
    struct arena *arena = evaluation->arena;
    struct expression_list list;
    expression_list_init(&list, arena);
    expression_list_add(&list, tensor->expression);
    double *values = ARENA_ARRAY(arena, double, list.count);
    double *operands = ARENA_ARRAY(arena, double, tensor->in_count);
    long position[MAX_RANK] = {0};
    struct expression_context context = {
        .position = position,
        .seed = (unsigned long)evaluation->call->scalars[SCALAR_SEED],
        .step = (unsigned long)evaluation->call->scalars[SCALAR_STEP],
    };
    if (shape_elements(&tensor->shape) == 0) return;
    do {
        for (int i = 0; i < tensor->in_count; i++)
            operands[i] =
                evaluation
                    ->in[i][broadcast_element(&tensor->in[i]->shape, position, tensor->shape.rank)];
        evaluation->out[context.element] = expression_list_value(&list, values, operands, &context);
        context.element++; /* not above: the value reads it */
    } while (next_position(tensor->shape.size, tensor->shape.rank, position));
}

void map_print(struct text *text, const struct tensor *tensor) {
    const char **names = ARENA_ARRAY(text->arena, const char *, tensor->in_count);
    for (int i = 0; i < tensor->in_count; i++)
        names[i] = arena_format(text->arena, "%%%d", tensor->in[i]->number);
    text_put(text, "map ");
    expression_print(text, tensor->expression, names);
}
