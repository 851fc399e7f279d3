/* pool_sums.c: sums over the gradient of max pooling, taken over the small image instead.
 *
 *   sum(max_pool_gradient(x, y, dy) * v) = sum(dy * max_pool_gather(x, v))
 *
 * because the gradient is dy at the first maximum of each window, else 0. What is gathered, v at
 * the maxima, can be stored by the loop that pools. So the sums that the gradient of batch
 * normalization waits for need no pass over the large image. */
#include "rewrite.h"

/* How an expression depends on the gradient: the only forms that are 0 where it is 0. */
static bool is_factor(const struct expression *e, int gradient) {
    switch (e->op) {
    case EXPRESSION_OPERAND: return e->index == gradient;
    case EXPRESSION_NEGATE: return is_factor(e->in[0], gradient);
    case EXPRESSION_DIVIDE:
        return is_factor(e->in[0], gradient) && !expression_uses(e->in[1], gradient);
    case EXPRESSION_MULTIPLY:
        return (!expression_uses(e->in[1], gradient) && is_factor(e->in[0], gradient)) ||
               (!expression_uses(e->in[0], gradient) && is_factor(e->in[1], gradient));
    case EXPRESSION_SELECT:
        return e->in[2]->op == EXPRESSION_CONSTANT && e->in[2]->value == 0 &&
               is_factor(e->in[1], gradient) && !expression_uses(e->in[0], gradient);
    default: return false;
    }
}

/* Does the value depend on where in the image it is, other than by its operands? */
static bool reads_position(const struct expression *e) {
    return expression_contains(e, EXPRESSION_RANDOM) || expression_reads_axis(e, 1) ||
           expression_reads_axis(e, 2);
}

static int find_gradient(const struct tensor *map) {
    for (int i = 0; i < map->in_count; i++) {
        const struct tensor *t = map->in[i];
        if (t->primitive == PRIMITIVE_MAX_POOL_GRADIENT && shape_equal(&t->shape, &map->shape) &&
            window_is_side_by_side(&t->window, &t->shape) && is_factor(map->expression, i))
            return i;
    }
    return -1;
}

static bool is_same_for_pixels(const struct tensor *t) {
    for (int axis = 1; axis <= 2; axis++) {
        int own = axis - (4 - t->shape.rank);
        if (own >= 0 && t->shape.size[own] != 1) return false;
    }
    return true;
}

/* The map with the small image's gradient in place of the large one's, and all else where the
 * maxima are. Operands that are the same for all pixels stay. */
static struct tensor *pooled_map(struct graph *graph, const struct tensor *map, int which) {
    struct arena *arena = graph->arena;
    const struct tensor *gradient = map->in[which];
    struct tensor *dy = gradient->in[2];
    const struct expression **factor = ARENA_ARRAY(arena, const struct expression *, map->in_count);
    struct tensor **in = ARENA_ARRAY(arena, struct tensor *, map->in_count);
    bool is_same_everywhere = true;
    factor[which] = expression_constant(arena, 1);
    for (int i = 0; i < map->in_count; i++) {
        in[i] = i == which ? dy : map->in[i];
        if (i != which) is_same_everywhere = is_same_everywhere && is_same_for_pixels(map->in[i]);
    }
    if (is_same_everywhere)
        return graph_map_shaped(graph, map->expression, in, map->in_count, dy->shape);
    const struct expression *rest =
        expression_substitute(arena, map->expression, factor, map->in_count);
    struct tensor *large = graph_map_shaped(graph, rest, map->in, map->in_count, map->shape);
    struct tensor *found = graph_max_pool_gather(graph, &gradient->window, dy->shape.size[1],
                                                 dy->shape.size[2], gradient->in[0], large);
    return graph_binary(graph, EXPRESSION_MULTIPLY, dy, found);
}

static struct tensor *pool_sum(struct graph *graph, unsigned axes, struct tensor *in) {
    if (in->shape.rank != 4 || (axes & 6) != 6) return NULL; /* over rows and columns */
    if (in->primitive == PRIMITIVE_MAX_POOL_GRADIENT) {
        if (!window_is_side_by_side(&in->window, &in->shape)) return NULL;
        return graph_reduce(graph, REDUCTION_SUM, axes, in->in[2]);
    }
    if (in->primitive != PRIMITIVE_MAP || reads_position(in->expression)) return NULL;
    int gradient = find_gradient(in);
    if (gradient < 0) return NULL;
    return graph_reduce(graph, REDUCTION_SUM, axes, pooled_map(graph, in, gradient));
}

/* A sum that no pass over the large image waits for is free in the pass that computes what it sums.
 */
static struct tensor *rule(struct graph *graph, const struct tensor *tensor,
                           struct tensor *const *in, const void *context) {
    struct tensor *sum = NULL;
    if (tensor->primitive == PRIMITIVE_REDUCE && tensor->reduction == REDUCTION_SUM &&
        is_waited_for(context, tensor))
        sum = pool_sum(graph, tensor->axes, in[0]);
    return sum ? sum : graph_rebuild(graph, tensor, in);
}

struct graph *pass_pool_sums(struct graph *graph) {
    return rewrite(graph, rule, graph);
}
