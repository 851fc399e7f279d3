/* expression.h: scalar expressions, the body of every elementwise operation.
 *
 * An expression is a small DAG over scalars: what one element of a map's output is, given the
 * elements of its operands at the same place. Layers, losses and optimizers are written in it, the
 * compiler differentiates it, the writers print it. Comparisons give 1 or 0. */
#ifndef LATHE_EXPRESSION_H
#define LATHE_EXPRESSION_H

#include "../base/arena.h"
#include "../base/text.h"

#include <stdbool.h>

/* X(ENUMERATOR, name as dumped, arity). Everything else about an operator (value, derivative, C
 * text) stands in switches over this list, so that the compiler's warnings find what is missing. */
#define EXPRESSION_OPERATORS(X)                                                                    \
    X(CONSTANT, "constant", 0)   /* value */                                                       \
    X(OPERAND, "operand", 0)     /* the index-th operand of the map */                             \
    X(INDEX, "index", 0)         /* this element's position along axis index of the output */      \
    X(RANDOM, "random", 0)       /* uniform in [0,1): f(seed, step, stream = index, element) */    \
    X(ADD, "+", 2)                                                                                 \
    X(SUBTRACT, "-", 2)                                                                            \
    X(MULTIPLY, "*", 2)                                                                            \
    X(DIVIDE, "/", 2)                                                                              \
    X(MAXIMUM, "max", 2)                                                                           \
    X(MINIMUM, "min", 2)                                                                           \
    X(POWER, "pow", 2)                                                                             \
    X(NEGATE, "neg", 1)                                                                            \
    X(ABSOLUTE, "abs", 1)                                                                          \
    X(EXP, "exp", 1)                                                                               \
    X(LOG, "log", 1)                                                                               \
    X(SQRT, "sqrt", 1)                                                                             \
    X(TANH, "tanh", 1)                                                                             \
    X(ERF, "erf", 1)                                                                               \
    X(SIN, "sin", 1)                                                                               \
    X(COS, "cos", 1)                                                                               \
    X(FLOOR, "floor", 1)                                                                           \
    X(NEGATIVE_ZERO, "is_negative_zero", 1) /* 1 for -0.0, else 0 */                               \
    X(LESS, "<", 2)                                                                                \
    X(LESS_EQUAL, "<=", 2)                                                                         \
    X(EQUAL, "==", 2)                                                                              \
    X(SELECT, "select", 3) /* select(c, a, b): a where c is not 0, else b */

enum expression_operator {
#define X(enumerator, name, arity) EXPRESSION_##enumerator,
    EXPRESSION_OPERATORS(X)
#undef X
        EXPRESSION_OPERATOR_COUNT
};

struct expression {
    enum expression_operator op;
    double value;                    /* CONSTANT */
    int index;                       /* OPERAND, INDEX, RANDOM */
    const struct expression *in[3];
    unsigned long operands;          /* bit i: reads operand i; the last bit: one beyond the others */
    unsigned long operators;         /* bit i: contains operator i */
    unsigned long axes;              /* bit i: contains INDEX of axis i */
};

/** Builders. They fold constants and the identities x+0, x-0, x*1, x*0, x/1, neg(neg x),
 * select with constant condition; nothing that changes the value for finite x. */
const struct expression *expression_constant(struct arena *arena, double value);
const struct expression *expression_operand(struct arena *arena, int index);
const struct expression *expression_index(struct arena *arena, int axis);
const struct expression *expression_random(struct arena *arena, int stream);
const struct expression *expression_unary(struct arena *arena, enum expression_operator op,
                                          const struct expression *a);
const struct expression *expression_binary(struct arena *arena, enum expression_operator op,
                                           const struct expression *a, const struct expression *b);
const struct expression *expression_select(struct arena *arena, const struct expression *condition,
                                           const struct expression *a, const struct expression *b);

/** The derivative of e by its operand-th operand. At a kink (relu, abs, max of equals) it is the
 * value PyTorch uses (relu'(0) = 0, abs'(0) = 0). Comparisons and FLOOR have derivative 0. */
const struct expression *expression_derivative(struct arena *arena, const struct expression *e,
                                               int operand);

/** What takes the place of a node, whose inputs have been replaced already: the node, or another. */
typedef const struct expression *expression_rule(const void *context, const struct expression *e);

/** Applies the rule to every node, inputs first. */
const struct expression *expression_rewrite(struct arena *arena, const struct expression *e,
                                            expression_rule *rule, const void *context);

/** Replaces operand i by replacement[i] (an entry may be NULL: the operand stays as it is). */
const struct expression *expression_substitute(struct arena *arena, const struct expression *e,
                                               const struct expression *const *replacement,
                                               int count);

/** True if e is seen at once to read no operand numbered `count` or more. */
bool expression_reads_below(const struct expression *e, int count);

/** True if e reads operand i. */
bool expression_uses(const struct expression *e, int operand);

/** True if e contains an operator of this kind. */
bool expression_contains(const struct expression *e, enum expression_operator op);

/** Structural equality. */
bool expression_equal(const struct expression *a, const struct expression *b);

/** True if e reads its position along the axis. */
bool expression_reads_axis(const struct expression *e, int axis);

/** Number of operators evaluated for one element (shared nodes count once). */
int expression_cost(const struct expression *e);

/** What expression_value needs besides the operands. */
struct expression_context {
    const long *position;      /* along each axis of the output (INDEX) */
    unsigned long element;     /* the output's row-major element number (RANDOM) */
    unsigned long seed, step;  /* (RANDOM) */
};

/** The value in double: the naive reference of every map. */
double expression_value(const struct expression *e, const double *operands,
                        const struct expression_context *context);

/** Appends e as a person reads it: `max(x0 + x1, 0)`. names may be NULL (x0, x1, ...). */
void expression_print(struct text *text, const struct expression *e, const char *const *names);

/** The uniform random number in [0,1) with 24 bits: the definition that generated code follows.
 * A counter-based generator (Salmon et al., 2011, "Parallel random numbers: as easy as 1, 2, 3");
 * the mixing function is MurmurHash3's 32-bit finalizer (all modulo 2^32):
 *   mix(h) = h ^= h>>16, h *= 0x85ebca6b, h ^= h>>13, h *= 0xc2b2ae35, h ^= h>>16
 *   key    = mix(mix(mix(seed) + step) + stream)
 *   h      = element + key, h ^= h>>16, h *= 0x85ebca6b, h ^= key, h ^= h>>13, h *= 0xc2b2ae35
 *   value  = (h >> 8) / 2^24
 * The runtime's numbers (runtime/random.h: initial weights, shuffles) mix the element twice; drawn for
 * each pixel of each step, that took a quarter of dropout's, pooling's and normalization's time. */
double expression_random_value(unsigned long seed, unsigned long step, int stream,
                               unsigned long element);

#endif
