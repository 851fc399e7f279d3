/* standalone.h: what the files of the standalone form share: the header, the weights, the public
 * functions. */
#ifndef LATHE_STANDALONE_H
#define LATHE_STANDALONE_H

#include "writer.h"

/* Where the parts of the caller's block begin, in numbers; -1: the block has no such part. */
struct block_layout {
    long space[SPACE_COUNT];
    long arena, prepared, samples, labels, predictions;
    long numbers;       /* of the whole block */
    long state_numbers; /* of what must survive from call to call: the parts up to the arena */
    long alignment;     /* bytes */
};

struct emission {
    struct arena *arena;
    struct text text; /* of the file being written */
    const struct model *model;
    const struct program *program; /* its batch is that of one piece of a training step */
    const struct target *target;
    const struct standalone_options *form;
    const char *name, *upper; /* prefix of every symbol, and of every macro */
    const char *number;       /* the type of all numbers: "float", "double" */
    long number_bytes;
    const char *mathematics;     /* prefix of the functions of math.h: "", or "own_" */
    const float *const *weights; /* by space; NULL: none */
    bool is_training;
    long pieces; /* micro-batches of a training step */
    struct block_layout block;
    struct memory_report memory; /* of the workspace */
    long stack_bytes;            /* that calls need at most */
};

/** Appends a text in which @ stands for the prefix of symbols, $ for that of macros, ~ for the type
 * of numbers and ` for the prefix of mathematical functions. */
void emit_text(struct emission *e, const char *source);

/** Appends by printf's rules; nothing stands for anything else. */
void emit_format(struct emission *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Appends the parameter by which a call takes the caller's loop, or its argument, if it does. */
void emit_threads_parameter(struct emission *e);
void emit_threads_argument(struct emission *e);

/** "28 x 28 x 1", or "one number". */
const char *shape_text(struct arena *arena, int rank, const long *size);

/** True if the weights are constants of the program, which predictions read in place. */
bool has_constant_weights(const struct emission *e);

/** True if the parameters stand in the block and are written by NAME_load. */
bool has_loaded_weights(const struct emission *e);

/** True if the caller's arrays have another order of axes than ours. */
bool swaps_samples(const struct emission *e);
bool swaps_labels(const struct emission *e);
bool swaps_outputs(const struct emission *e);

/** Appends the whole header (standalone_header.c). */
void emit_header(struct emission *e);

/** Appends the weights as constants, one array for each space, or their declaration where they are
 * linked (standalone_weights.c). */
void emit_weights(struct emission *e);

/** Appends NAME_load (standalone_weights.c). */
void emit_load(struct emission *e);

/** The bytes of NAME.weights: weights and statistics as in the block, little-endian. */
const unsigned char *weights_file(struct emission *e, size_t *bytes);

/** The text of NAME_weights.S. */
const char *weights_assembly(struct emission *e);

/** The address of a space's constants, as C. */
const char *constant_space(struct emission *e, int space);

/** Appends the functions that draw initial values, and NAME_init, which fills the block with them,
 * or with the weights of the program (standalone_initial.c). */
void emit_initial_values(struct emission *e);

/** Appends the public functions (standalone_functions.c), those of training from
 * standalone_training.c. */
void emit_functions(struct emission *e);
void emit_training(struct emission *e);

/** Appends what a training step does about denormal numbers, and the header that it needs
 * (standalone_denormals.c). */
void emit_denormals(struct emission *e);
void emit_denormals_include(struct emission *e);

/** The address of a part of the block as C, or NULL. */
const char *block_part(struct emission *e, long begin);

/** The text of NAME_main.c (standalone_main.c). */
const char *main_program(struct emission *e);

/** The text of a module without the helper functions that neither it nor the public functions call
 * (standalone_unused.c). */
const char *without_unused(struct arena *arena, const char *module, const char *functions);

/** True if the line of a standalone source begins the definition of a helper: a function of the
 * prelude, which kernels call. (standalone_unused.c) */
bool starts_helper(const char *line);

/** Bytes of stack that a call of the public functions needs at most when the source is compiled
 * with optimization, without what the functions of math.h use (standalone_stack.c). */
long stack_bytes(const char *source, const struct target *target, long real_bytes);

#endif
