/* pool_first.c: max pooling goes before what raises all pixels of a channel alike.
 *
 *   max(f(x)) = f(max(x))                     where f never falls, for each channel
 *   max(x * a + b) = max(x * s) * s * a + b   s = the sign of a, exact in floating point
 *
 * So a normalization before the pool is computed for the pooled image only, and the sums that its
 * gradient needs are sums over that one. */
#include "families.h"

#include <string.h>

enum { MOST_MAPS = 8 };

/* A map of one image and of numbers that are the same for all pixels of a channel. */
struct step {
    struct tensor *map;
    int image;                       /* the operand */
    const struct expression *factor; /* that the image is multiplied by, or NULL */
};

static bool is_operand(const struct expression *e, int index) {
    return e->op == EXPRESSION_OPERAND && e->index == index;
}

/* Is the map x * a, x + a, x - a or max(x, a), a a number of the channel? */
static bool match_step(struct tensor *map, struct step *step) {
    const struct expression *e = map->expression;
    *step = (struct step){map, -1, NULL};
    if (map->primitive != PRIMITIVE_MAP) return false;
    for (int i = 0; i < map->in_count; i++) {
        if (tensor_is_by_channel(map->in[i])) continue;
        if (step->image >= 0 || !shape_equal(&map->in[i]->shape, &map->shape)) return false;
        step->image = i;
    }
    bool is_first = e->in[0] && is_operand(e->in[0], step->image);
    bool is_second = e->in[1] && is_operand(e->in[1], step->image);
    if (step->image < 0 || is_first == is_second) return false;
    const struct expression *other = e->in[is_first];
    if (!other || (other->op != EXPRESSION_OPERAND && other->op != EXPRESSION_CONSTANT))
        return false;
    if (e->op == EXPRESSION_MULTIPLY) step->factor = other;
    return e->op == EXPRESSION_MULTIPLY || e->op == EXPRESSION_ADD || e->op == EXPRESSION_MAXIMUM ||
           (e->op == EXPRESSION_SUBTRACT && is_first);
}

/* The maps that go behind the pool, last one first: down to the first product, and the difference
 * that it scales. What is before stays where it is: bias and relu are free in a convolution. */
static int find_steps(struct tensor *image, struct step *steps) {
    int count = 0;
    for (int i = 0; i < MOST_MAPS && match_step(image, &steps[i]); i++) {
        bool is_scaled = i > 0 && steps[i - 1].factor;
        if (steps[i].factor || (is_scaled && image->expression->op == EXPRESSION_SUBTRACT))
            count = i + 1;
        image = image->in[steps[i].image];
    }
    return count;
}

/* a / sqrt(b) */
static bool is_by_root(const struct tensor *t) {
    if (t->primitive != PRIMITIVE_MAP || t->expression->op != EXPRESSION_DIVIDE) return false;
    const struct expression *below = t->expression->in[1];
    if (below->op != EXPRESSION_OPERAND) return false;
    const struct tensor *root = t->in[below->index];
    return root->primitive == PRIMITIVE_MAP && root->expression->op == EXPRESSION_SQRT;
}

/* 1 or -1 for each channel; NULL: it is 1. The sign of gamma / sqrt(variance) is gamma's, which is
 * known before the statistics: one pass over the image can take both. */
static struct tensor *sign_of(struct graph *graph, const struct step *step) {
    struct arena *arena = graph->arena;
    const struct tensor *owner = step->map;
    const struct expression *factor = step->factor;
    if (factor->op == EXPRESSION_OPERAND && is_by_root(owner->in[factor->index])) {
        owner = owner->in[factor->index];
        factor = owner->expression->in[0];
    }
    if (factor->op == EXPRESSION_CONSTANT && factor->value >= 0) return NULL;
    const struct expression *is_negative =
        expression_binary(arena, EXPRESSION_LESS, factor, expression_constant(arena, 0));
    const struct expression *sign = expression_select(
        arena, is_negative, expression_constant(arena, -1), expression_constant(arena, 1));
    struct shape channels = step->map->shape;
    for (int i = 0; i + 1 < channels.rank; i++) channels.size[i] = 1;
    return graph_map_shaped(graph, sign, owner->in, owner->in_count, channels);
}

struct tensor *lower_max_pool(struct graph *graph, const struct window *window, long out_height,
                              long out_width, struct tensor *image) {
    struct step steps[MOST_MAPS];
    struct origin origin = graph->origin;
    struct tensor *sign = NULL;
    int count = find_steps(image, steps);
    for (int i = 0; i < count; i++) {
        if (!steps[i].factor) continue;
        struct tensor *of_step = sign_of(graph, &steps[i]);
        if (!of_step) continue;
        sign = sign ? graph_binary(graph, EXPRESSION_MULTIPLY, sign, of_step) : of_step;
    }
    if (count > 0) image = steps[count - 1].map->in[steps[count - 1].image];
    if (sign) image = graph_binary(graph, EXPRESSION_MULTIPLY, image, sign);
    struct tensor *pooled = graph_max_pool(graph, window, out_height, out_width, image);
    if (sign) pooled = graph_binary(graph, EXPRESSION_MULTIPLY, pooled, sign);
    for (int i = count - 1; i >= 0; i--) {
        struct tensor *map = steps[i].map;
        struct tensor **in = ARENA_ARRAY(graph->arena, struct tensor *, map->in_count);
        memcpy(in, map->in, sizeof(struct tensor *) * (size_t)map->in_count);
        in[steps[i].image] = pooled;
        graph->origin = map->origin;
        pooled = graph_map(graph, map->expression, in, map->in_count);
    }
    graph->origin = origin;
    return pooled;
}
