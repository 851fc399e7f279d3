/* weights.h: a model's variables in a safetensors file. */
#ifndef LATHE_WEIGHTS_H
#define LATHE_WEIGHTS_H

#include "safetensors.h"

/** Writes the variables of the spaces TRAINABLE and STATE, with their names and shapes, atomically.
 * The metadata gets "format" = "lathe weights" and "model" = the program's name besides the
 * caller's entries (metadata may be NULL). */
bool weights_save(const char *path, const struct program *program,
                  float *const space[PROGRAM_SPACES], const struct metadata *metadata,
                  int metadata_count, struct error *error);

/** Reads them back. The file must hold exactly the program's variables; else the message says what
 * is missing, too much or of another shape, and the spaces are untouched. A tensor "optimizer" (of
 * a checkpoint) is ignored, so that a checkpoint serves as weights. */
bool weights_load(const char *path, const struct program *program,
                  float *const space[PROGRAM_SPACES], struct error *error);

/* --- shared with checkpoint.c --- */

/** The tensors of a program, in the order of its variables, followed by room for one more. Freed by
 * the caller; NULL when memory is out. */
struct tensor_view *weights_tensors(const struct program *program,
                                    float *const space[PROGRAM_SPACES], int *count);

/** Compares the file's tensors with the program's variables, all but "optimizer". */
bool weights_check(const char *path, const struct safetensors *file, const struct program *program,
                   struct error *error);

/** Copies the variables of a file that weights_check has passed. */
void weights_copy(const struct safetensors *file, const struct program *program,
                  float *const space[PROGRAM_SPACES]);

#endif
