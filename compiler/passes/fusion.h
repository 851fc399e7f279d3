/* fusion.h: what the files that form kernels share: fuse.c (loops, contractions), fuse_windows.c
 * (pooling in loops), fuse_copies.c (copies) and fuse_updates.c (when updates come). */
#ifndef LATHE_FUSION_H
#define LATHE_FUSION_H

#include "kernels.h"

/* The optimizer's step of some weights: its updates are first to `of`, that of the weights. */
struct weight_step {
    int first;
    const struct update *of;
    struct tensor **readers; /* of the weights' old values */
    int reader_count;
};

struct fusion {
    struct program_plan *plan;
    const struct graph *graph;
    struct tensor ***users;
    int *user_count;
    bool *is_external; /* an output, or the value of an update */
    bool *is_late;     /* only updates need it: computed behind what reads the old values */
    bool *is_virtual;  /* has no kernel of its own: recomputed by its users */
    bool *is_absorbed; /* a contraction or pool that its only user's kernel computes */
    bool *is_windowed; /* computed in loops that go window by window, for sure */
    bool *is_placed;   /* its kernel, if it has one, is in the list */
    struct weight_step *steps;
    int step_count;
    int *position;     /* kernel that computes the tensor; -1: there from the start */
};

/** Makes the kernel of a tensor, or lets one take it in, unless that is done. */
void fusion_place(struct fusion *f, struct tensor *t);

/** The name of the kernel that computes a tensor. */
const char *fusion_kernel_name(struct fusion *f, const struct tensor *t);

/** True if a tensor is computed in loops: maps, reductions, pooling with windows side by side. */
bool fusion_is_loop(const struct fusion *f, const struct tensor *t);

/** What the loop that computes a tensor runs over. */
const struct shape *fusion_domain(const struct tensor *t);

/* ---- fuse_windows.c ---- */

/** True if a tensor pools, or is the gradient of it, in a way that loops can: fills the pooling. */
bool fusion_pools(const struct fusion *f, const struct tensor *t, struct pooling *pooling);

/** The same for a tensor with the virtual ones that are recomputed for it. */
bool fusion_needs_pooling(const struct fusion *f, const struct tensor *t, struct pooling *pooling);

/** True if a loop that goes window by window can compute the tensor, and the virtual ones for it.
 */
bool fusion_fits_windows(const struct fusion *f, const struct tensor *t);

/** True if a gradient of pooling can be recomputed by all that read it. */
bool fusion_gradient_is_virtual(const struct fusion *f, const struct tensor *t,
                                const struct pooling *pooling);

/** Notes that all loops that read a virtual tensor go window by window. */
void fusion_mark_windowed(struct fusion *f, const struct tensor *t);

bool pooling_equal(const struct pooling *a, const struct pooling *b);

/* ---- fuse_updates.c ---- */

/** Finds what only updates need, and the steps of the optimizer. */
void fusion_find_updates(struct fusion *f);

/** Places the steps whose weights no kernel to come reads. */
void fusion_place_updates(struct fusion *f);

/* ---- fuse_copies.c: each makes the kernels of one tensor ---- */

/** Samples into blocks: the caller's are row-major. */
void fusion_place_input(struct fusion *f, struct tensor *t);

/** A reshape that moves data. */
void fusion_place_reshape(struct fusion *f, struct tensor *t);
void fusion_place_slice(struct fusion *f, struct tensor *t);
void fusion_place_pad(struct fusion *f, struct tensor *t);
void fusion_place_concat(struct fusion *f, struct tensor *t);

#endif
