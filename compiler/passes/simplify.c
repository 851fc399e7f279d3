/* simplify.c: views that change nothing go; sums become cheaper (see distribute.c). The builders
 * fold constants and most of the trivial views; here is what needs the whole graph, or looks at
 * more than one tensor. */
#include "rewrite.h"

#include <stddef.h>

/* The range of what a slice, pad or concat along the same axis was made of, or NULL. */
static struct tensor *slice_through(struct graph *graph, int axis, long begin, long end,
                                    struct tensor *in) {
    if (begin == 0 && end == in->shape.size[axis]) return in; /* of a whole space, too */
    if (in->axis != axis) return NULL;
    if (in->primitive == PRIMITIVE_SLICE)
        return graph_slice(graph, axis, in->begin + begin, in->begin + end, in->in[0]);
    if (in->primitive == PRIMITIVE_PAD) {
        long size = in->in[0]->shape.size[axis];
        if (begin >= in->begin && end <= in->begin + size)
            return graph_slice(graph, axis, begin - in->begin, end - in->begin, in->in[0]);
    }
    if (in->primitive == PRIMITIVE_CONCAT) {
        long at = 0;
        for (int k = 0; k < in->in_count; k++) {
            long size = in->in[k]->shape.size[axis];
            if (begin >= at && end <= at + size)
                return graph_slice(graph, axis, begin - at, end - at, in->in[k]);
            at += size;
        }
    }
    return NULL;
}

/* A concatenation of consecutive ranges of one tensor is a range of it. */
static struct tensor *concat_of_slices(struct graph *graph, int axis, struct tensor *const *in,
                                       int count) {
    for (int k = 0; k < count; k++) {
        if (in[k]->primitive != PRIMITIVE_SLICE || in[k]->axis != axis) return NULL;
        if (in[k]->in[0] != in[0]->in[0]) return NULL;
        if (k > 0 && in[k]->begin != in[k - 1]->end) return NULL;
    }
    struct tensor *source = in[0]->in[0];
    long begin = in[0]->begin, end = in[count - 1]->end;
    if (begin == 0 && end == source->shape.size[axis]) return source;
    return graph_slice(graph, axis, begin, end, source);
}

/* True if one tensor alone reads this one. */
static bool has_one_reader(const struct graph *graph, const struct tensor *read) {
    int readers = 0;
    for (int t = 0; t < graph->tensor_count; t++)
        for (int k = 0; k < graph->tensors[t]->in_count; k++)
            readers += graph->tensors[t]->in[k] == read;
    for (int i = 0; i < graph->output_count; i++) readers += graph->outputs[i].tensor == read;
    for (int i = 0; i < graph->update_count; i++) readers += graph->updates[i].value == read;
    return readers == 1;
}

bool is_waited_for(const struct graph *graph, const struct tensor *reduction) {
    bool *depends = ARENA_ARRAY(graph->arena, bool, graph->tensor_count);
    depends[reduction->number] = true;
    for (int t = reduction->number + 1; t < graph->tensor_count; t++) {
        const struct tensor *tensor = graph->tensors[t];
        for (int k = 0; k < tensor->in_count && !depends[t]; k++)
            depends[t] = depends[tensor->in[k]->number];
        if (depends[t] && tensor->primitive == PRIMITIVE_MAP &&
            shape_equal(&tensor->shape, &reduction->in[0]->shape))
            return true;
    }
    return false;
}

/* max_pool_gradient(x, y, dy) * a = max_pool_gradient(x, y, dy * a), a one number a channel: the
 * small image is multiplied instead of the large one. */
static struct tensor *scale_before_unpooling(struct graph *graph, const struct tensor *product,
                                             struct tensor *const *in, const struct graph *old) {
    const struct expression *e = product->expression;
    if (e->op != EXPRESSION_MULTIPLY || e->in[0]->op != EXPRESSION_OPERAND ||
        e->in[1]->op != EXPRESSION_OPERAND)
        return NULL;
    for (int i = 0; i < 2; i++) {
        int pooled = e->in[i]->index;
        struct tensor *t = in[pooled], *number = in[e->in[1 - i]->index];
        if (t->primitive == PRIMITIVE_MAX_POOL_GRADIENT && tensor_is_by_channel(number) &&
            has_one_reader(old, product->in[pooled]))
            return graph_max_pool_gradient(
                graph, &t->window, t->in[0], t->in[1],
                graph_binary(graph, EXPRESSION_MULTIPLY, t->in[2], number));
    }
    return NULL;
}

/* The context is the graph as it was. */
static struct tensor *simplify(struct graph *graph, const struct tensor *tensor,
                               struct tensor *const *in, const void *context) {
    struct tensor *simple = NULL;
    switch (tensor->primitive) {
    case PRIMITIVE_REDUCE:
        if (tensor->reduction == REDUCTION_SUM)
            simple =
                distribute_sum(graph, tensor->axes, in[0], has_one_reader(context, tensor->in[0]),
                               is_waited_for(context, tensor));
        break;
    case PRIMITIVE_MAP: simple = scale_before_unpooling(graph, tensor, in, context); break;
    case PRIMITIVE_RESHAPE:
        if (shape_equal(&tensor->shape, &in[0]->shape)) simple = in[0];
        break;
    case PRIMITIVE_SLICE:
        simple = slice_through(graph, tensor->axis, tensor->begin, tensor->end, in[0]);
        break;
    case PRIMITIVE_CONCAT:
        simple = concat_of_slices(graph, tensor->axis, in, tensor->in_count);
        break;
    default: break;
    }
    return simple ? simple : graph_rebuild(graph, tensor, in);
}

struct graph *pass_simplify(struct graph *graph) {
    return rewrite(graph, simplify, graph);
}
