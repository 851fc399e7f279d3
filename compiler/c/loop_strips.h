/* loop_strips.h: what the files of the tcc dialect's strips share: loop_strips.c (statements),
 * strip_operations.c (expressions), strip_chains.c (which calls compute them), strip_places.c
 * (where values are), strip_pieces.c (the loops over the pieces of a strip). */
#ifndef LATHE_LOOP_STRIPS_H
#define LATHE_LOOP_STRIPS_H

#include "loop.h"

#include "../tensor/expression_list.h"

/* Where a value of the current piece is: C text of its first element, and its step (0 or 1). */
struct place {
    const char *address;
    int step;
    int slot; /* a temporary of ours, or -1 */
};

/* Does a value change from piece to piece? If not it is a strip of repeated rows, or a number. */
enum constancy { VARIES, REPEATS, IS_NUMBER };

/* A node of the expressions. */
struct value {
    enum constancy constancy;
    struct place place;
    bool is_placed;
    int uses;           /* reads by the statement being written that are still to come */
    int last_statement; /* that may read it */
};

/* The distinct values of all statements over one image: the large one, or the pooled one. Operand
 * numbers are addresses of the nest, and behind them statements. */
struct values {
    struct expression_list list;
    struct value *of; /* by node */
};

struct strips {
    struct writer *w;
    const struct nest *nest;
    long piece;    /* elements of a strip at most */
    bool *is_used; /* slots */
    int slot_count, slot_capacity;
    struct text ahead;             /* what is the same for all pieces: written before them */
    int number_count, ahead_count; /* single numbers and strips made there */
    struct values values[2];       /* [true]: of pooled statements */
    int *roots;                    /* by statement: the node of its expression */
    struct place *results;         /* by statement */
    /* the statement being written, and its values */
    int number;
    const struct statement *statement;
    struct values *own;
};

/* ---- strip_places.c ---- */

/** A strip that nobody uses. */
struct place strip_new(struct strips *s);

/** Is an operand of the nest one number for each row of the piece? Its strip has to be made. */
bool strip_is_number_each(const struct strips *s, int address);

/** The piece in the memory of an address of the nest. */
struct place strip_memory(const struct strips *s, int address);

/** C text of the elements of the current statement in a piece. */
const char *strip_length(const struct strips *s);

/** Finds which values are the same for all pieces. */
void strip_find_constants(struct strips *s, struct values *values);

/** Writes what has no operands, `count` positions or random numbers, to C text of an address. */
void strip_generate(struct strips *s, const struct expression *e, const char *to,
                    const char *count);

/** Writes a value that is the same for all pieces before them; `arguments`: those of its operator.
 */
struct place strip_ahead(struct strips *s, int node, const char *arguments);

/** A strip that holds one number everywhere. */
struct place strip_repeated(struct strips *s, struct place value);

/** A strip that holds the numbers of an address, one for each row of the piece. */
struct place strip_number_each(struct strips *s, int address);

/* ---- strip_chains.c ---- */

/* What one call computes: an operator of an expression, or several. */
struct operation {
    const char *name;
    int in[MICROKERNEL_CHAIN_OPERANDS]; /* nodes */
    int count;
    int results[MICROKERNEL_CHAIN_RESULTS]; /* statements, where it computes several */
    int result_count;
};

/** The call that computes a node of the current statement. */
struct operation strip_find_operation(const struct strips *s, int node);

/** Is there a call that computes the current statement and later ones? Those in between are copies
 * of its results. */
bool strip_find_statements(struct strips *s, struct operation *operation);

/* ---- strip_operations.c ---- */

/** Lists the values of all statements. */
void strip_list_values(struct strips *s);

/** Begins a statement; counts its reads. */
void strip_enter(struct strips *s, int number);

/** Ends it: frees the strips that no later statement reads, but for the result of a VALUE. */
void strip_leave(struct strips *s);

/** Evaluates nodes; returns C text of them as arguments: ", address, step" for each. */
const char *strip_arguments(struct strips *s, const int *in, int count);

/** Where the k-th operand of the statement is. */
struct place strip_operand(struct strips *s, int k);

/** Writes the calls that compute a node, unless it is there; to `destination`, or anywhere if that
 * is NULL. */
struct place strip_evaluate(struct strips *s, int node, const struct place *destination);

/* ---- loop_strips.c ---- */

/** Writes all statements for one piece. */
void strip_write_statements(struct strips *s);

#endif
