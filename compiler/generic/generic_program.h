/* generic_program.h: a model run tensor by tensor with generic kernels: the baseline of `lathe
 * bench`.
 *
 * Nothing here is specialized: each tensor of the graph (after the graph passes, before any fusion)
 * is computed on its own, row-major, by the kernels of runtime/generic.h: textbook loops, or im2col
 * and OpenBLAS. It fills a struct program as the jit does, so that the trainer can run it too. */
#ifndef LATHE_GENERIC_PROGRAM_H
#define LATHE_GENERIC_PROGRAM_H

#include "../../runtime/generic.h"
#include "../compile.h"

enum { MAX_GENERIC_PROGRAMS = 4 };

struct generic_program;

/** Prepares the modes for which `like` has an entry point. `like` is the same model compiled: its
 * batch, rows and spaces are taken over; it must stay. At most MAX_GENERIC_PROGRAMS at a time (an
 * entry point has no context, so each has a place in a table). NULL + message on failure. */
struct generic_program *generic_program_new(const struct model *model, enum generic_method method,
                                            const struct program *like, struct error *error);

/** The program: sizes, variables, entry points. */
const struct program *generic_program_get(const struct generic_program *generic);

/** How many contractions of a mode run as convolutions, as matrix products, and as neither. */
void generic_program_contractions(const struct generic_program *generic, enum mode mode,
                                  int *convolutions, int *products, int *others);

/** The steps of a mode, in the order they run. */
const struct kernel_summary *generic_program_kernels(const struct generic_program *generic,
                                                     enum mode mode, int *count);

/** From now on a call adds the seconds of its i-th step to seconds[i]; NULL: no more. */
void generic_program_profile(struct generic_program *generic, double *seconds);

/** From now on the calls look for the first tensor that has a value which is not finite. */
void generic_program_watch(struct generic_program *generic);

/** That tensor; NULL: there was none. *backward: it is computed from gradients. */
const struct tensor *generic_program_not_finite(const struct generic_program *generic,
                                                bool *backward);

/** generic may be NULL. */
void generic_program_free(struct generic_program *generic);

#endif
