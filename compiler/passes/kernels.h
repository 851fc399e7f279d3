/* kernels.h: the passes that turn a tensor graph into the kernels of one entry point. */
#ifndef LATHE_KERNELS_H
#define LATHE_KERNELS_H

#include "../kernel/kernel.h"

/** Names the tensors that the layers left without a name, for the C text. (outputs.c) */
void pass_name(struct graph *graph);

/** Puts maps into the maps that alone use them, so that a chain is one expression. (compose.c) */
void pass_compose(struct graph *graph);

/** Gives each output and update a map of its own. (outputs.c) */
void pass_outputs(struct graph *graph);

/** Finds the batch axis and the layout of every tensor. (layout.c) */
void pass_layout(struct program_plan *plan);

/** Forms the kernels: maps and reductions over one domain share a loop, what follows a contraction
 * moves into its epilogue, cheap maps are recomputed where they are used. (fuse.c) */
void pass_fuse(struct program_plan *plan);

/** Gives every tensor that needs memory its buffer and view. (storage.c) */
void pass_storage(struct program_plan *plan);

/** In loops over blocked images, gathers products with numbers that all pixels of a channel share.
 * (reassociate.c) */
void pass_reassociate(struct program_plan *plan);

/** The same for one expression of few operands (each has a bit of its own in expression.operands): bit
 * i of `varying` tells that operand i is not a number that the pixels share, bit i of `signs` that it
 * is one, 1 or -1. by_window: of a loop that goes window by window. */
const struct expression *reassociate(struct arena *arena, const struct expression *e,
                                     unsigned long varying, unsigned long signs, bool by_window);

/** Chooses tiles, blocks and units; adds the packing of weights. (tile.c) */
void pass_tile(struct program_plan *plan);

/** Lets the optimizer's step of a dense layer's weights go with the rows of their gradient where
 * that saves memory or time. (update.c) */
void pass_update(struct program_plan *plan);

/** True if it does for a gradient of this shape. (update.c) */
bool update_goes_with_rows(const struct program_plan *plan, const struct shape *gradient);

/** Lets kernels that touch only their own block of samples run together, block by block. (group.c)
 */
void pass_group(struct program_plan *plan);

/** Lifetimes, in-place updates and the offsets in the arena. (place.c) */
void pass_place(struct program_plan *plan);

/** Checks the kernels and their memory after pass_place; false + message if a rule is broken: that
 * is a bug of lathe. (verify_plan.c) */
bool verify_plan(const struct program_plan *plan, struct error *error);

/* Shared between fuse.c and storage.c. */

/** True if the tensor is just another view of in[0]'s memory. */
bool tensor_is_alias(const struct program_plan *plan, const struct tensor *tensor);

/** True for a concatenation whose parts are written right into its memory: flat vectors. */
bool tensor_is_flat_concat(const struct tensor *tensor);

#endif
