/* expression_list.h: an expression as a list of its distinct nodes, inputs first.
 *
 * Expressions are DAGs: a walk along the edges visits shared parts again and again. Whatever looks
 * at all of an expression (evaluates it, prints it, derives it) walks this list instead. Equal
 * nodes get one place in the list, so that it is also the expression without repeated work. */
#ifndef LATHE_EXPRESSION_LIST_H
#define LATHE_EXPRESSION_LIST_H

#include "expression.h"

struct expression_node {
    const struct expression *source; /* op, value and index are read there */
    int operand;                     /* OPERAND: which one, as the list counts them */
    int in[3];                       /* numbers of the inputs, smaller than this node's */
    int uses;                        /* how often other nodes of the list read it */
};

struct expression_seen {
    const struct expression *source;
    int number;
};

enum { EXPRESSION_LIST_SMALL = 16 };

/* Not to be copied: while it is small it points into itself. */
struct expression_list {
    struct arena *arena;
    struct expression_node *nodes;
    int count, capacity;
    /* Hash tables with open addressing: seen source pointers, and nodes by what they are. */
    struct expression_seen *seen;
    int *table;
    int seen_count, seen_size, table_size; /* sizes are powers of 2 */
    const int *operands;                   /* the number of each operand here; NULL: its own */
    /* Most expressions are small, and a compilation lists thousands: these need no memory. */
    struct expression_node small_nodes[EXPRESSION_LIST_SMALL];
    struct expression_seen small_seen[2 * EXPRESSION_LIST_SMALL];
    int small_table[2 * EXPRESSION_LIST_SMALL];
};

/** The arity of an operator. */
int expression_arity(enum expression_operator op);

/** The operator's name in dumps. */
const char *expression_operator_name(enum expression_operator op);

/** An operator's value for given inputs; not for CONSTANT, OPERAND, INDEX, RANDOM. */
double expression_operator_value(enum expression_operator op, double a, double b, double c);

/** An empty list, which grows in the arena. */
void expression_list_init(struct expression_list *list, struct arena *arena);

/** Expressions of several owners in one list: from now on operand i of what is added is number
 * operands[i] of the list, which keeps the pointer. */
void expression_list_number_operands(struct expression_list *list, const int *operands);

/** Adds an expression with all its inputs; returns its number. The root of a list made from one
 * expression is its last node. */
int expression_list_add(struct expression_list *list, const struct expression *e);

/** Evaluates all nodes; values has room for list->count numbers. Returns the last one. */
double expression_list_value(const struct expression_list *list, double *values,
                             const double *operands, const struct expression_context *context);

#endif
