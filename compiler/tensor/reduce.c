/* reduce.c: sums and maxima over axes, which stay with size 1. */
#include "primitive.h"
#include "iterate.h"

#include <math.h>

bool reduce_check(const struct graph *graph, const struct tensor *tensor, struct error *error) {
    (void)graph;
    const struct shape *in = &tensor->in[0]->shape;
    if (tensor->axes >> in->rank)
        return error_set(error, "axes %#x are reduced, the input has rank %d", tensor->axes,
                         in->rank);
    struct shape expected = *in;
    for (int i = 0; i < in->rank; i++)
        if (tensor->axes >> i & 1) expected.size[i] = 1;
    if (shape_equal(&expected, &tensor->shape)) return true;
    return error_set(error, "the shape is not the input's with 1 for the reduced axes");
}

void reduce_gradient(struct graph *graph, struct tensor *tensor, struct tensor *dy,
                     const bool *wanted, struct tensor **in_gradient) {
    (void)wanted;
    struct arena *arena = graph->arena;
    struct tensor *x = tensor->in[0];
    const struct expression *gradient = expression_operand(arena, 0);
    if (tensor->reduction == REDUCTION_MAXIMUM) {
        const struct expression *chosen = expression_binary(
            arena, EXPRESSION_EQUAL, expression_operand(arena, 1), expression_operand(arena, 2));
        gradient = expression_select(arena, chosen, gradient, expression_constant(arena, 0));
    }
    struct tensor *in[] = {dy, x, tensor};
    in_gradient[0] = graph_map_shaped(graph, gradient, in, 3, x->shape);
}

void reduce_reference(const struct tensor *tensor, const struct evaluation *evaluation) {
    const struct shape *in = &tensor->in[0]->shape;
    bool sum = tensor->reduction == REDUCTION_SUM;
    long position[MAX_RANK] = {0}, element = 0, elements = shape_elements(&tensor->shape);
    for (long i = 0; i < elements; i++) evaluation->out[i] = sum ? 0 : -INFINITY;
    do {
        double *out = &evaluation->out[broadcast_element(&tensor->shape, position, in->rank)];
        double value = evaluation->in[0][element++];
        *out = sum ? *out + value : fmax(*out, value);
    } while (next_position(in->size, in->rank, position));
}

void reduce_print(struct text *text, const struct tensor *tensor) {
    text_add(text, "%s %%%d over axes", tensor->reduction == REDUCTION_SUM ? "sum" : "maximum",
             tensor->in[0]->number);
    for (int i = 0; i < tensor->in[0]->shape.rank; i++)
        if (tensor->axes >> i & 1) text_add(text, " %d", i);
}
