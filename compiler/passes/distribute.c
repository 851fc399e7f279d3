/* distribute.c: sums over maps, taken apart by the distributive law.
 *
 *   sum(a * x)           = a * sum(x)                 where a is constant along the summed axes
 *   sum(a * x + b * y)   = a * sum(x) + b * sum(y)
 *
 * The first pays where nothing else reads the map that is summed. The second pays where a or b wait
 * for another sum over the same data, and an elementwise operation on that data waits for the
 * result: then both sums can be taken in one pass over memory instead of two, and often they are
 * there already. So the gradient of batch normalization, derived from its definition, needs sums of
 * dy, dy * (x - mean) and (x - mean) only, although the chain rule asks for a sum of what these
 * sums give. A difference to a constant, as x - mean, is never taken apart: sum(x) - n * mean would
 * cancel.
 *
 * Inside of this file, operand i of an expression is tensor i of the graph: expressions of
 * different maps can be mixed. */
#include "rewrite.h"

#include "../tensor/expression_list.h"

#include <stddef.h>

enum { MOST_TERMS = 8, MOST_DEPTH = 10, MOST_COST = 8 };

/* coefficient * sum(body); the body of what does not change along the summed axes is 1. */
struct term {
    const struct expression *coefficient, *body;
};

struct sum {
    struct graph *graph;
    struct arena *arena;
    struct shape shape; /* of the map that is summed */
    unsigned axes;
};

/* The terms of an expression; count 0: it has too many, or is nested too deeply. */
struct terms {
    struct term term[MOST_TERMS];
    int count;
};

/* A map's expression with tensors as operands. */
static const struct expression *over_tensors(struct arena *arena, const struct tensor *map) {
    const struct expression **tensors =
        ARENA_ARRAY(arena, const struct expression *, map->in_count);
    for (int i = 0; i < map->in_count; i++)
        tensors[i] = expression_operand(arena, map->in[i]->number);
    return expression_substitute(arena, map->expression, tensors, map->in_count);
}

/* A map of an expression with tensors as operands. */
static struct tensor *map_over_tensors(const struct sum *sum, const struct expression *e,
                                       struct shape shape) {
    struct expression_list list;
    expression_list_init(&list, sum->arena);
    expression_list_add(&list, e);
    int most = sum->graph->tensor_count, count = 0;
    const struct expression **local = ARENA_ARRAY(sum->arena, const struct expression *, most);
    struct tensor **in = ARENA_ARRAY(sum->arena, struct tensor *, list.count);
    for (int i = 0; i < list.count; i++) {
        const struct expression *node = list.nodes[i].source;
        if (node->op != EXPRESSION_OPERAND) continue;
        local[node->index] = expression_operand(sum->arena, count);
        in[count++] = sum->graph->tensors[node->index];
    }
    e = expression_substitute(sum->arena, e, local, most);
    return graph_map_shaped(sum->graph, e, in, count, shape);
}

/* True if a tensor repeats along all summed axes. */
static bool tensor_is_constant(const struct sum *sum, const struct tensor *tensor) {
    int shift = sum->shape.rank - tensor->shape.rank;
    for (int i = 0; i < tensor->shape.rank; i++)
        if ((sum->axes >> (i + shift) & 1) && tensor->shape.size[i] != 1) return false;
    return true;
}

static bool is_constant(const struct sum *sum, const struct expression *e) {
    struct expression_list list;
    expression_list_init(&list, sum->arena);
    expression_list_add(&list, e);
    for (int i = 0; i < list.count; i++) {
        const struct expression *node = list.nodes[i].source;
        if (node->op == EXPRESSION_INDEX || node->op == EXPRESSION_RANDOM) return false;
        if (node->op == EXPRESSION_OPERAND &&
            !tensor_is_constant(sum, sum->graph->tensors[node->index]))
            return false;
    }
    return true;
}

static const struct expression *one(const struct sum *sum) {
    return expression_constant(sum->arena, 1);
}

static bool is_one(const struct expression *e) {
    return e->op == EXPRESSION_CONSTANT && e->value == 1;
}

static bool is_number(const struct expression *e) {
    return e->op == EXPRESSION_CONSTANT;
}

static bool is_zero(const struct expression *e) {
    return e->op == EXPRESSION_CONSTANT && e->value == 0;
}

static struct terms single(const struct expression *coefficient, const struct expression *body) {
    return (struct terms){.term = {{coefficient, body}}, .count = 1};
}

/* op(coefficient, by) for all terms. */
static struct terms scaled(const struct sum *sum, struct terms terms, enum expression_operator op,
                           const struct expression *by) {
    for (int i = 0; i < terms.count; i++)
        terms.term[i].coefficient =
            expression_binary(sum->arena, op, terms.term[i].coefficient, by);
    return terms;
}

static struct terms negated(const struct sum *sum, struct terms terms) {
    for (int i = 0; i < terms.count; i++)
        terms.term[i].coefficient =
            expression_unary(sum->arena, EXPRESSION_NEGATE, terms.term[i].coefficient);
    return terms;
}

/* The terms of both; those with the same body become one. */
static struct terms joined(const struct sum *sum, struct terms a, struct terms b) {
    static const struct terms too_many = {.count = 0};
    if (!a.count || !b.count) return too_many;
    for (int i = 0; i < b.count; i++) {
        int k = 0;
        while (k < a.count && !expression_equal(a.term[k].body, b.term[i].body)) k++;
        if (k == MOST_TERMS) return too_many;
        if (k < a.count)
            a.term[k].coefficient = expression_binary(sum->arena, EXPRESSION_ADD,
                                                      a.term[k].coefficient, b.term[i].coefficient);
        else
            a.term[a.count++] = b.term[i];
    }
    return a;
}

static struct terms terms_of(const struct sum *sum, const struct expression *e, int depth);

/* Bodies that cost next to nothing may be computed again instead of read. */
static bool is_cheap(const struct expression *e) {
    static const enum expression_operator dear[] = {
        EXPRESSION_RANDOM, EXPRESSION_DIVIDE, EXPRESSION_POWER, EXPRESSION_EXP, EXPRESSION_LOG,
        EXPRESSION_SQRT,   EXPRESSION_TANH,   EXPRESSION_ERF,   EXPRESSION_SIN, EXPRESSION_COS};
    for (size_t i = 0; i < sizeof dear / sizeof *dear; i++)
        if (expression_contains(e, dear[i])) return false;
    return expression_cost(e) <= MOST_COST;
}

/* True if an operand is a map whose expression can stand in its place. */
static bool is_elementwise(const struct sum *sum, const struct tensor *tensor) {
    return tensor->primitive == PRIMITIVE_MAP && shape_equal(&tensor->shape, &sum->shape);
}

static struct term factored(const struct sum *sum, const struct expression *e, int depth);

static struct term factored_binary(const struct sum *sum, const struct expression *e, int depth) {
    struct term a = factored(sum, e->in[0], depth), b = factored(sum, e->in[1], depth);
    return (struct term){expression_binary(sum->arena, e->op, a.coefficient, b.coefficient),
                         expression_binary(sum->arena, e->op, a.body, b.body)};
}

/* An expression as coefficient * body; the body of a constant is 1. */
static struct term factored(const struct sum *sum, const struct expression *e, int depth) {
    struct term whole = {one(sum), e};
    if (depth == 0) return whole;
    depth--;
    if (is_constant(sum, e)) return (struct term){e, one(sum)};
    if (e->op == EXPRESSION_MULTIPLY || e->op == EXPRESSION_DIVIDE)
        return factored_binary(sum, e, depth);
    if (e->op == EXPRESSION_NEGATE) {
        struct term term = factored(sum, e->in[0], depth);
        term.coefficient = expression_unary(sum->arena, EXPRESSION_NEGATE, term.coefficient);
        return term;
    }
    if (e->op == EXPRESSION_SELECT && is_zero(e->in[2])) {
        struct term term = factored(sum, e->in[1], depth);
        term.body = expression_select(sum->arena, e->in[0], term.body, e->in[2]);
        return term;
    }
    if (e->op == EXPRESSION_OPERAND && is_elementwise(sum, sum->graph->tensors[e->index])) {
        const struct tensor *tensor = sum->graph->tensors[e->index];
        struct term term = factored(sum, over_tensors(sum->arena, tensor), depth);
        return is_number(term.coefficient) || !is_cheap(term.body) ? whole : term;
    }
    return whole;
}

static struct terms terms_of_sum(const struct sum *sum, const struct expression *e, int depth) {
    struct terms a = terms_of(sum, e->in[0], depth), b = terms_of(sum, e->in[1], depth);
    return joined(sum, a, e->op == EXPRESSION_SUBTRACT ? negated(sum, b) : b);
}

static struct terms terms_of_product(const struct sum *sum, const struct expression *e, int depth) {
    const struct expression *a = e->in[0], *b = e->in[1];
    if (is_constant(sum, b)) return scaled(sum, terms_of(sum, a, depth), e->op, b);
    if (e->op == EXPRESSION_MULTIPLY && is_constant(sum, a))
        return scaled(sum, terms_of(sum, b, depth), EXPRESSION_MULTIPLY, a);
    struct term term = factored_binary(sum, e, depth);
    return single(term.coefficient, term.body);
}

/* select(c, a, 0) is linear in a. */
static struct terms terms_of_masked(const struct sum *sum, const struct expression *e, int depth) {
    struct terms terms = terms_of(sum, e->in[1], depth);
    for (int i = 0; i < terms.count; i++) {
        struct term *term = &terms.term[i];
        term->body = expression_select(sum->arena, e->in[0], term->body, e->in[2]);
    }
    return terms;
}

/* The terms of a tensor that is read: those of its map, if that helps. */
static struct terms terms_of_tensor(const struct sum *sum, const struct expression *e, int depth) {
    const struct tensor *tensor = sum->graph->tensors[e->index];
    struct terms whole = single(one(sum), e);
    if (!is_elementwise(sum, tensor)) return whole;
    struct terms terms = terms_of(sum, over_tensors(sum->arena, tensor), depth);
    if (!terms.count || (terms.count == 1 && is_number(terms.term[0].coefficient))) return whole;
    for (int i = 0; i < terms.count; i++)
        if (!is_cheap(terms.term[i].body)) return whole;
    return terms;
}

static struct terms terms_of(const struct sum *sum, const struct expression *e, int depth) {
    if (depth == 0) return single(one(sum), e);
    depth--;
    if (is_constant(sum, e)) return single(e, one(sum));
    switch (e->op) {
    case EXPRESSION_ADD:
    case EXPRESSION_SUBTRACT:
        if (is_constant(sum, e->in[0]) || is_constant(sum, e->in[1])) return single(one(sum), e);
        return terms_of_sum(sum, e, depth);
    case EXPRESSION_NEGATE: return negated(sum, terms_of(sum, e->in[0], depth));
    case EXPRESSION_MULTIPLY:
    case EXPRESSION_DIVIDE: return terms_of_product(sum, e, depth);
    case EXPRESSION_SELECT:
        if (is_zero(e->in[2])) return terms_of_masked(sum, e, depth);
        return single(one(sum), e);
    case EXPRESSION_OPERAND: return terms_of_tensor(sum, e, depth);
    default: return single(one(sum), e);
    }
}

/* Marks the tensors an expression reads, and all that those depend on. */
static void mark_sources(const struct sum *sum, const struct expression *e, bool *marks) {
    struct expression_list list;
    expression_list_init(&list, sum->arena);
    expression_list_add(&list, e);
    for (int i = 0; i < list.count; i++)
        if (list.nodes[i].source->op == EXPRESSION_OPERAND)
            marks[list.nodes[i].source->index] = true;
    for (int t = sum->graph->tensor_count - 1; t >= 0; t--) {
        const struct tensor *tensor = sum->graph->tensors[t];
        for (int k = 0; marks[t] && k < tensor->in_count; k++) marks[tensor->in[k]->number] = true;
    }
}

/* True if a coefficient waits for a sum over data of this size that no body waits for. */
static bool waits_for_sum(const struct sum *sum, const struct terms *terms) {
    int count = sum->graph->tensor_count;
    bool *coefficients = ARENA_ARRAY(sum->arena, bool, count);
    bool *bodies = ARENA_ARRAY(sum->arena, bool, count);
    for (int i = 0; i < terms->count; i++) {
        mark_sources(sum, terms->term[i].coefficient, coefficients);
        mark_sources(sum, terms->term[i].body, bodies);
    }
    for (int t = 0; t < count; t++) {
        const struct tensor *tensor = sum->graph->tensors[t];
        if (tensor->primitive == PRIMITIVE_REDUCE && coefficients[t] && !bodies[t] &&
            shape_elements(&tensor->in[0]->shape) >= shape_elements(&sum->shape))
            return true;
    }
    return false;
}

/* coefficient * sum(body), as an expression over tensors. */
static const struct expression *sum_of_term(const struct sum *sum, const struct term *term) {
    long times = 1;
    for (int i = 0; i < sum->shape.rank; i++)
        if (sum->axes >> i & 1) times *= sum->shape.size[i];
    const struct expression *body = expression_constant(sum->arena, (double)times);
    if (!is_one(term->body)) {
        struct tensor *map = map_over_tensors(sum, term->body, sum->shape);
        struct tensor *reduced = graph_reduce(sum->graph, REDUCTION_SUM, sum->axes, map);
        body = expression_operand(sum->arena, reduced->number);
    }
    return expression_binary(sum->arena, EXPRESSION_MULTIPLY, term->coefficient, body);
}

struct tensor *distribute_sum(struct graph *graph, unsigned axes, struct tensor *in,
                              bool is_only_reader, bool is_waited_for) {
    struct sum sum = {.graph = graph, .arena = graph->arena, .shape = in->shape, .axes = axes};
    if (in->primitive != PRIMITIVE_MAP) return NULL;
    const struct expression *e = over_tensors(graph->arena, in);
    struct terms terms = terms_of(&sum, e, MOST_DEPTH);
    if (terms.count != 1 && (terms.count == 0 || !is_waited_for || !waits_for_sum(&sum, &terms))) {
        struct term term = factored(&sum, e, MOST_DEPTH);
        terms = single(term.coefficient, term.body);
    }
    if (terms.count == 1 && (!is_only_reader || is_one(terms.term[0].coefficient))) return NULL;
    const struct expression *result = expression_constant(graph->arena, 0);
    for (int i = 0; i < terms.count; i++)
        result = expression_binary(graph->arena, EXPRESSION_ADD, result,
                                   sum_of_term(&sum, &terms.term[i]));
    struct shape shape = in->shape;
    for (int i = 0; i < shape.rank; i++)
        if (axes >> i & 1) shape.size[i] = 1;
    return map_over_tensors(&sum, result, shape);
}
