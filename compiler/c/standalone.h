/* standalone.h: what the files of the standalone form share: the header, the embedded weights, the
 * public functions. */
#ifndef LATHE_STANDALONE_H
#define LATHE_STANDALONE_H

#include "writer.h"

/* Where the parts of the caller's block begin, in floats; -1: the block has no such part. */
struct block_layout {
    long space[SPACE_COUNT];
    long arena, prepared, samples, labels, predictions;
    long floats;       /* of the whole block */
    long state_floats; /* of what must survive from call to call: the parts up to the arena */
    long alignment;    /* bytes */
};

struct emission {
    struct arena *arena;
    struct text text; /* of the file being written */
    const struct model *model;
    const struct program *program;
    const struct target *target;
    const char *name, *upper;    /* prefix of every symbol, and of every macro */
    const float *const *weights; /* by space; NULL: none */
    bool is_training;
    struct block_layout block;
};

/** Appends a text in which @ stands for the prefix and $ for the prefix of macros. */
void emit_text(struct emission *e, const char *source);

/** The same by printf's rules; what is formatted in is not searched for @ and $. */
void emit_format(struct emission *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** "28 x 28 x 1", or "one number". */
const char *shape_text(struct arena *arena, int rank, const long *size);

/** True if the weights stand in the C as constants that calls read in place. */
bool has_constant_weights(const struct emission *e);

/** Appends the whole header (standalone_header.c). */
void emit_header(struct emission *e);

/** Appends the weights as constants, one array for each space (standalone_weights.c). */
void emit_weights(struct emission *e);

/** Appends the functions that draw initial values, and the body that fills the block with them, or
 * with the embedded weights (standalone_weights.c). */
void emit_initial_values(struct emission *e);

/** Appends the public functions (standalone_functions.c). */
void emit_functions(struct emission *e);

/** The text of a module without the helper functions that neither it nor the public functions call
 * (standalone_unused.c). */
const char *without_unused(struct arena *arena, const char *module, const char *functions);

#endif
