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

static struct tensor *simplify(struct graph *graph, const struct tensor *tensor,
                               struct tensor *const *in) {
    struct tensor *simple = NULL;
    switch (tensor->primitive) {
    case PRIMITIVE_REDUCE:
        if (tensor->reduction == REDUCTION_SUM) simple = distribute_sum(graph, tensor->axes, in[0]);
        break;
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
    return rewrite(graph, simplify);
}
