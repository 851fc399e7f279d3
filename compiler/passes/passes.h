/* passes.h: the passes from tensor graph to tensor graph. Each returns the graph to go on with and
 * leaves one that graph_verify accepts. The passes towards kernels are in kernels.h. */
#ifndef LATHE_PASSES_H
#define LATHE_PASSES_H

#include "../tensor/graph.h"

/** Removes views that change nothing, and makes sums cheaper: a sum of terms becomes a sum for each
 * term, without the factors that are constant along the summed axes. (simplify.c) */
struct graph *pass_simplify(struct graph *graph);

/** Takes sums over the gradient of max pooling over the small image, where an elementwise operation
 * on the large one waits for them. (pool_sums.c) */
struct graph *pass_pool_sums(struct graph *graph);

/** Computes what is equal once. Random numbers are a function of their place: equal too.
 * (common.c) */
struct graph *pass_common(struct graph *graph);

/** Drops what no output and no update needs. (dead.c) */
struct graph *pass_dead(struct graph *graph);

/** For predictions: what multiplies and adds numbers of the weights, batch normalization above all,
 * moves into the weights of the contraction before or behind it, where that is exact.
 * (fold_batch_norm.c) */
struct graph *pass_fold_batch_norm(struct graph *graph);

/** For predictions with weights that are known now: what they alone decide is computed, in double,
 * and only the values that the rest of the graph reads remain as variables of SPACE_TRAINABLE,
 * `values` (constants.c). weights: by space. */
struct graph *pass_constants(struct graph *graph, const float *const *weights, float **values);

#endif
