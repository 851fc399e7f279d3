/* expression.c: scalar expressions: builders, queries, values (see expression.h). */
#include "expression.h"
#include "expression_list.h"

#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

int expression_arity(enum expression_operator op) {
    static const int arity[] = {
#define X(enumerator, name, arity) arity,
        EXPRESSION_OPERATORS(X)
#undef X
    };
    return arity[op];
}

const char *expression_operator_name(enum expression_operator op) {
    static const char *const names[] = {
#define X(enumerator, name, arity) name,
        EXPRESSION_OPERATORS(X)
#undef X
    };
    return names[op];
}

double expression_operator_value(enum expression_operator op, double a, double b, double c) {
    switch (op) {
    case EXPRESSION_ADD: return a + b;
    case EXPRESSION_SUBTRACT: return a - b;
    case EXPRESSION_MULTIPLY: return a * b;
    case EXPRESSION_DIVIDE: return a / b;
    case EXPRESSION_MAXIMUM: return a < b ? b : a;
    case EXPRESSION_MINIMUM: return b < a ? b : a;
    case EXPRESSION_POWER: return pow(a, b);
    case EXPRESSION_NEGATE: return -a;
    case EXPRESSION_ABSOLUTE: return fabs(a);
    case EXPRESSION_EXP: return exp(a);
    case EXPRESSION_LOG: return log(a);
    case EXPRESSION_SQRT: return sqrt(a);
    case EXPRESSION_TANH: return tanh(a);
    case EXPRESSION_ERF: return erf(a);
    case EXPRESSION_SIN: return sin(a);
    case EXPRESSION_COS: return cos(a);
    case EXPRESSION_FLOOR: return floor(a);
    case EXPRESSION_NEGATIVE_ZERO: return a == 0 && signbit(a);
    case EXPRESSION_LESS: return a < b;
    case EXPRESSION_LESS_EQUAL: return a <= b;
    case EXPRESSION_EQUAL: return a == b;
    case EXPRESSION_SELECT: return a != 0 ? b : c;
    case EXPRESSION_CONSTANT:
    case EXPRESSION_OPERAND:
    case EXPRESSION_INDEX:
    case EXPRESSION_RANDOM:
    case EXPRESSION_OPERATOR_COUNT: break;
    }
    return NAN;
}

enum { LAST_BIT = (int)(CHAR_BIT * sizeof(unsigned long)) - 1 };

_Static_assert((int)EXPRESSION_OPERATOR_COUNT <= (int)LAST_BIT, "a bit for each operator");

static unsigned long bit(int number) {
    return 1ul << (number >= 0 && number < LAST_BIT ? number : LAST_BIT);
}

static struct expression *make(struct arena *arena, enum expression_operator op,
                               const struct expression *a, const struct expression *b,
                               const struct expression *c) {
    struct expression *e = ARENA_NEW(arena, struct expression);
    e->op = op;
    e->in[0] = a;
    e->in[1] = b;
    e->in[2] = c;
    e->operators = bit((int)op);
    for (int k = 0; k < 3 && e->in[k]; k++) {
        e->operands |= e->in[k]->operands;
        e->operators |= e->in[k]->operators;
        e->axes |= e->in[k]->axes;
    }
    return e;
}

const struct expression *expression_constant(struct arena *arena, double value) {
    struct expression *e = make(arena, EXPRESSION_CONSTANT, NULL, NULL, NULL);
    e->value = value;
    return e;
}

static struct expression *make_indexed(struct arena *arena, enum expression_operator op,
                                       int index) {
    struct expression *e = make(arena, op, NULL, NULL, NULL);
    e->index = index;
    return e;
}

const struct expression *expression_operand(struct arena *arena, int index) {
    struct expression *e = make_indexed(arena, EXPRESSION_OPERAND, index);
    e->operands = bit(index);
    return e;
}

const struct expression *expression_index(struct arena *arena, int axis) {
    struct expression *e = make_indexed(arena, EXPRESSION_INDEX, axis);
    e->axes = bit(axis);
    return e;
}

const struct expression *expression_random(struct arena *arena, int stream) {
    return make_indexed(arena, EXPRESSION_RANDOM, stream);
}

static bool is_constant(const struct expression *e) {
    return e->op == EXPRESSION_CONSTANT;
}

/* -0.0 is not 0: adding it changes nothing, but x - -0.0 makes 0 of -0. */
static bool is_value(const struct expression *e, double value) {
    return is_constant(e) && e->value == value && !signbit(e->value) == !signbit(value);
}

const struct expression *expression_unary(struct arena *arena, enum expression_operator op,
                                          const struct expression *a) {
    if (is_constant(a))
        return expression_constant(arena, expression_operator_value(op, a->value, 0, 0));
    if (op == EXPRESSION_NEGATE && a->op == EXPRESSION_NEGATE) return a->in[0];
    return make(arena, op, a, NULL, NULL);
}

/* What a op b is already, or NULL. x*0 is 0 for every finite x. */
static const struct expression *identity(struct arena *arena, enum expression_operator op,
                                         const struct expression *a, const struct expression *b) {
    switch (op) {
    case EXPRESSION_ADD:
        if (is_value(a, 0)) return b;
        if (is_value(b, 0)) return a;
        return NULL;
    case EXPRESSION_SUBTRACT:
        if (is_value(b, 0)) return a;
        if (is_value(a, 0)) return expression_unary(arena, EXPRESSION_NEGATE, b);
        return NULL;
    case EXPRESSION_MULTIPLY:
        if (is_value(a, 0) || is_value(b, 0)) return expression_constant(arena, 0);
        if (is_value(a, 1)) return b;
        if (is_value(b, 1)) return a;
        if (is_value(a, -1)) return expression_unary(arena, EXPRESSION_NEGATE, b);
        if (is_value(b, -1)) return expression_unary(arena, EXPRESSION_NEGATE, a);
        return NULL;
    case EXPRESSION_DIVIDE: return is_value(b, 1) ? a : NULL;
    default: return NULL;
    }
}

const struct expression *expression_binary(struct arena *arena, enum expression_operator op,
                                           const struct expression *a, const struct expression *b) {
    if (is_constant(a) && is_constant(b))
        return expression_constant(arena, expression_operator_value(op, a->value, b->value, 0));
    const struct expression *simple = identity(arena, op, a, b);
    if (simple) return simple;
    return make(arena, op, a, b, NULL);
}

const struct expression *expression_select(struct arena *arena, const struct expression *condition,
                                           const struct expression *a, const struct expression *b) {
    if (is_constant(condition)) return condition->value != 0 ? a : b;
    if (is_constant(a) && is_value(b, a->value)) return a;
    return make(arena, EXPRESSION_SELECT, condition, a, b);
}

/* The operator of e over other inputs, through the builders. */
static const struct expression *rebuild(struct arena *arena, const struct expression *e,
                                        const struct expression *const in[3]) {
    switch (expression_arity(e->op)) {
    case 1: return expression_unary(arena, e->op, in[0]);
    case 2: return expression_binary(arena, e->op, in[0], in[1]);
    case 3: return expression_select(arena, in[0], in[1], in[2]);
    default: return e;
    }
}

/* Node i of a list over the images of its inputs. */
static const struct expression *rebuild_node(struct arena *arena,
                                             const struct expression_list *list, int i,
                                             const struct expression *const *image) {
    const struct expression_node *node = &list->nodes[i];
    const struct expression *source = node->source, *in[3] = {NULL, NULL, NULL};
    bool changed = false;
    for (int k = 0; k < expression_arity(source->op); k++) {
        in[k] = image[node->in[k]];
        changed = changed || in[k] != source->in[k];
    }
    return changed ? rebuild(arena, source, in) : source;
}

const struct expression *expression_rewrite(struct arena *arena, const struct expression *e,
                                            expression_rule *rule, const void *context) {
    struct expression_list list;
    expression_list_init(&list, arena);
    expression_list_add(&list, e);
    const struct expression **image = ARENA_ARRAY(arena, const struct expression *, list.count);
    for (int i = 0; i < list.count; i++)
        image[i] = rule(context, rebuild_node(arena, &list, i, image));
    return image[list.count - 1];
}

/* No rule of expression_rewrite: an operand that a node folds to has been replaced already. */
const struct expression *expression_substitute(struct arena *arena, const struct expression *e,
                                               const struct expression *const *replacement,
                                               int count) {
    struct expression_list list;
    expression_list_init(&list, arena);
    expression_list_add(&list, e);
    const struct expression **image = ARENA_ARRAY(arena, const struct expression *, list.count);
    for (int i = 0; i < list.count; i++) {
        const struct expression *source = list.nodes[i].source;
        bool is_replaced =
            source->op == EXPRESSION_OPERAND && source->index < count && replacement[source->index];
        image[i] = is_replaced ? replacement[source->index] : rebuild_node(arena, &list, i, image);
    }
    return image[list.count - 1];
}

/* The queries have no arena of the caller's: they list the expression in one of their own. Where
 * even that memory is missing they give the answer that only costs speed. */
static bool list_in_scratch(struct arena *scratch, struct expression_list *list,
                            const struct expression *e) {
    arena_init(scratch);
    if (setjmp(scratch->exhausted)) return false;
    expression_list_init(list, scratch);
    expression_list_add(list, e);
    return true;
}

bool expression_reads_below(const struct expression *e, int count) {
    return count < LAST_BIT && e->operands < bit(count);
}

bool expression_uses(const struct expression *e, int operand) {
    if (!(e->operands & bit(operand))) return false;
    if (operand < LAST_BIT) return true;
    struct arena scratch;
    struct expression_list list;
    bool found = !list_in_scratch(&scratch, &list, e);
    for (int i = 0; !found && i < list.count; i++)
        found = list.nodes[i].source->op == EXPRESSION_OPERAND &&
                list.nodes[i].source->index == operand;
    arena_free(&scratch);
    return found;
}

bool expression_contains(const struct expression *e, enum expression_operator op) {
    return e->operators & bit((int)op);
}

bool expression_reads_axis(const struct expression *e, int axis) {
    return e->axes & bit(axis);
}

int expression_cost(const struct expression *e) {
    struct arena scratch;
    struct expression_list list;
    int cost = 0;
    if (!list_in_scratch(&scratch, &list, e)) {
        arena_free(&scratch);
        return INT_MAX;
    }
    for (int i = 0; i < list.count; i++) cost += expression_arity(list.nodes[i].source->op) > 0;
    arena_free(&scratch);
    return cost;
}

/* In one list, equal expressions have the same number. */
static bool equal_in(struct arena *scratch, const struct expression *a,
                     const struct expression *b) {
    struct expression_list list;
    arena_init(scratch);
    if (setjmp(scratch->exhausted)) return false;
    expression_list_init(&list, scratch);
    int number = expression_list_add(&list, a);
    return expression_list_add(&list, b) == number;
}

bool expression_equal(const struct expression *a, const struct expression *b) {
    if (a == b) return true;
    if (a->op != b->op || a->index != b->index) return false;
    struct arena scratch;
    bool equal = equal_in(&scratch, a, b);
    arena_free(&scratch);
    return equal;
}

static double value_in(struct arena *scratch, const struct expression *e, const double *operands,
                       const struct expression_context *context) {
    struct expression_list list;
    arena_init(scratch);
    if (setjmp(scratch->exhausted)) return NAN;
    expression_list_init(&list, scratch);
    expression_list_add(&list, e);
    double *values = ARENA_ARRAY(scratch, double, list.count);
    return expression_list_value(&list, values, operands, context);
}

double expression_value(const struct expression *e, const double *operands,
                        const struct expression_context *context) {
    struct arena scratch;
    double value = value_in(&scratch, e, operands, context);
    arena_free(&scratch);
    return value;
}

static uint32_t random_mix(uint32_t h) {
    h ^= h >> 16;
    h *= 0x85ebca6bu;
    h ^= h >> 13;
    h *= 0xc2b2ae35u;
    return h ^ (h >> 16);
}

double expression_random_value(unsigned long seed, unsigned long step, int stream,
                               unsigned long element) {
    uint32_t key = random_mix((uint32_t)seed);
    key = random_mix(key + (uint32_t)step);
    key = random_mix(key + (uint32_t)stream);
    uint32_t h = (uint32_t)element + key;
    h = ((h ^ h >> 16) * 0x85ebca6bu) ^ key;
    h = (h ^ h >> 13) * 0xc2b2ae35u;
    return (double)(h >> 8) / 16777216.0;
}
