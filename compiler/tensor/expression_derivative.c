/* expression_derivative.c: derivatives of scalar expressions (see expression.h). */
#include "expression.h"
#include "expression_list.h"

#include <stddef.h>

/* An input of an operator: its expression and its derivative; derivative NULL = zero. */
struct term {
    const struct expression *e, *d;
};

static const struct expression *constant(struct arena *arena, double value) {
    return expression_constant(arena, value);
}

static const struct expression *binary(struct arena *arena, enum expression_operator op,
                                       const struct expression *a, const struct expression *b) {
    return expression_binary(arena, op, a, b);
}

static const struct expression *multiply(struct arena *arena, const struct expression *a,
                                         const struct expression *b) {
    return binary(arena, EXPRESSION_MULTIPLY, a, b);
}

static const struct expression *or_zero(struct arena *arena, const struct expression *d) {
    return d ? d : constant(arena, 0);
}

static const struct expression *sum(struct arena *arena, const struct expression *a,
                                    const struct expression *b) {
    if (!a || !b) return a ? a : b;
    return binary(arena, EXPRESSION_ADD, a, b);
}

/* (a / b)' = a' / b - (a / b) / b * b', where e = a / b */
static const struct expression *derive_divide(struct arena *arena, const struct expression *e,
                                              struct term a, struct term b) {
    const struct expression *first = NULL, *second = NULL;
    if (a.d) first = binary(arena, EXPRESSION_DIVIDE, a.d, b.e);
    if (b.d) second = multiply(arena, binary(arena, EXPRESSION_DIVIDE, e, b.e), b.d);
    if (!second) return first;
    if (!first) return expression_unary(arena, EXPRESSION_NEGATE, second);
    return binary(arena, EXPRESSION_SUBTRACT, first, second);
}

/* max and min: the chosen side's derivative. Where both are equal, a constant side wins
 * (relu'(0) = 0), and two variable ones share evenly. */
static const struct expression *derive_choice(struct arena *arena, struct term a, struct term b,
                                              const struct expression *a_chosen,
                                              const struct expression *b_chosen) {
    const struct expression *zero = constant(arena, 0);
    if (b.e->op == EXPRESSION_CONSTANT) return expression_select(arena, a_chosen, a.d, zero);
    if (a.e->op == EXPRESSION_CONSTANT) return expression_select(arena, b_chosen, b.d, zero);
    const struct expression *half = multiply(arena, constant(arena, 0.5), sum(arena, a.d, b.d));
    return expression_select(arena, a_chosen, or_zero(arena, a.d),
                             expression_select(arena, b_chosen, or_zero(arena, b.d), half));
}

/* a^n for the small n that derivatives of squares and cubes lead to. */
static const struct expression *power(struct arena *arena, const struct expression *a,
                                      const struct expression *n) {
    if (n->op == EXPRESSION_CONSTANT && n->value == 0) return constant(arena, 1);
    if (n->op == EXPRESSION_CONSTANT && n->value == 1) return a;
    if (n->op == EXPRESSION_CONSTANT && n->value == 2) return multiply(arena, a, a);
    return binary(arena, EXPRESSION_POWER, a, n);
}

/* (a^b)' = b a^(b-1) a' + a^b log(a) b'. As PyTorch, the first is 0 where b is 0 and the second
 * where a is 0: there a^(b-1) and log(a) may be infinite. */
static const struct expression *derive_power(struct arena *arena, const struct expression *e,
                                             struct term a, struct term b) {
    const struct expression *zero = constant(arena, 0), *first = NULL, *second = NULL;
    if (a.d) {
        const struct expression *less = binary(arena, EXPRESSION_SUBTRACT, b.e, constant(arena, 1));
        first = multiply(arena, multiply(arena, b.e, power(arena, a.e, less)), a.d);
        first = expression_select(arena, binary(arena, EXPRESSION_EQUAL, b.e, zero), zero, first);
    }
    if (b.d) {
        second = multiply(arena, e, expression_unary(arena, EXPRESSION_LOG, a.e));
        second = multiply(arena, second, b.d);
        second = expression_select(arena, binary(arena, EXPRESSION_EQUAL, a.e, zero), zero, second);
    }
    return sum(arena, first, second);
}

static const struct expression *derive_absolute(struct arena *arena, struct term a) {
    const struct expression *zero = constant(arena, 0);
    const struct expression *negative = expression_unary(arena, EXPRESSION_NEGATE, a.d);
    return expression_select(
        arena, binary(arena, EXPRESSION_LESS, zero, a.e), a.d,
        expression_select(arena, binary(arena, EXPRESSION_LESS, a.e, zero), negative, zero));
}

/* The factor f'(a) of the unary operators with a smooth derivative; e = f(a). */
static const struct expression *unary_factor(struct arena *arena, const struct expression *e,
                                             const struct expression *a) {
    switch (e->op) {
    case EXPRESSION_EXP: return e;
    case EXPRESSION_SQRT: return binary(arena, EXPRESSION_DIVIDE, constant(arena, 0.5), e);
    case EXPRESSION_TANH:
        return binary(arena, EXPRESSION_SUBTRACT, constant(arena, 1), multiply(arena, e, e));
    case EXPRESSION_ERF: {
        const struct expression *exponent =
            expression_unary(arena, EXPRESSION_NEGATE, multiply(arena, a, a));
        return multiply(arena, constant(arena, 1.1283791670955126), /* 2 / sqrt(pi) */
                        expression_unary(arena, EXPRESSION_EXP, exponent));
    }
    case EXPRESSION_SIN: return expression_unary(arena, EXPRESSION_COS, a);
    default: /* COS */
        return expression_unary(arena, EXPRESSION_NEGATE,
                                expression_unary(arena, EXPRESSION_SIN, a));
    }
}

static const struct expression *derive(struct arena *arena, const struct expression *e, int operand,
                                       struct term a, struct term b, struct term c) {
    switch (e->op) {
    case EXPRESSION_OPERAND: return e->index == operand ? constant(arena, 1) : NULL;
    case EXPRESSION_CONSTANT:
    case EXPRESSION_INDEX:
    case EXPRESSION_RANDOM:
    case EXPRESSION_FLOOR:
    case EXPRESSION_NEGATIVE_ZERO:
    case EXPRESSION_LESS:
    case EXPRESSION_LESS_EQUAL:
    case EXPRESSION_EQUAL:
    case EXPRESSION_OPERATOR_COUNT: return NULL;
    default: break;
    }
    if (!a.d && !b.d && !c.d) return NULL;
    switch (e->op) {
    case EXPRESSION_ADD: return sum(arena, a.d, b.d);
    case EXPRESSION_SUBTRACT:
        if (!b.d) return a.d;
        return binary(arena, EXPRESSION_SUBTRACT, or_zero(arena, a.d), b.d);
    case EXPRESSION_MULTIPLY:
        return sum(arena, a.d ? multiply(arena, a.d, b.e) : NULL,
                   b.d ? multiply(arena, a.e, b.d) : NULL);
    case EXPRESSION_DIVIDE: return derive_divide(arena, e, a, b);
    case EXPRESSION_MAXIMUM:
        return derive_choice(arena, a, b, binary(arena, EXPRESSION_LESS, b.e, a.e),
                             binary(arena, EXPRESSION_LESS, a.e, b.e));
    case EXPRESSION_MINIMUM:
        return derive_choice(arena, a, b, binary(arena, EXPRESSION_LESS, a.e, b.e),
                             binary(arena, EXPRESSION_LESS, b.e, a.e));
    case EXPRESSION_POWER: return derive_power(arena, e, a, b);
    case EXPRESSION_NEGATE: return expression_unary(arena, EXPRESSION_NEGATE, a.d);
    case EXPRESSION_ABSOLUTE: return derive_absolute(arena, a);
    case EXPRESSION_LOG: return binary(arena, EXPRESSION_DIVIDE, a.d, a.e);
    case EXPRESSION_SELECT:
        if (!b.d && !c.d) return NULL;
        return expression_select(arena, a.e, or_zero(arena, b.d), or_zero(arena, c.d));
    default: return multiply(arena, unary_factor(arena, e, a.e), a.d);
    }
}

const struct expression *expression_derivative(struct arena *arena, const struct expression *e,
                                               int operand) {
    struct expression_list list;
    expression_list_init(&list, arena);
    expression_list_add(&list, e);
    struct term *terms = ARENA_ARRAY(arena, struct term, list.count);
    for (int i = 0; i < list.count; i++) {
        const struct expression_node *node = &list.nodes[i];
        struct term in[3] = {{NULL, NULL}, {NULL, NULL}, {NULL, NULL}};
        for (int k = 0; k < expression_arity(node->source->op); k++) in[k] = terms[node->in[k]];
        terms[i].e = node->source;
        terms[i].d = derive(arena, node->source, operand, in[0], in[1], in[2]);
    }
    return or_zero(arena, terms[list.count - 1].d);
}
