/* rewrite.h: passes that build a graph anew, tensor by tensor. */
#ifndef LATHE_REWRITE_H
#define LATHE_REWRITE_H

#include "passes.h"

/** A rule: what stands for `tensor` of the old graph in the new one, given the tensors that stand
 * for its inputs. context is the pass's own. */
typedef struct tensor *rewrite_rule(struct graph *graph, const struct tensor *tensor,
                                    struct tensor *const *in, const void *context);

/** The graph with each tensor replaced by what the rule makes of it. */
struct graph *rewrite(const struct graph *graph, rewrite_rule *rule, const void *context);

/** True if a map of the shape that a reduction reads depends on its result. (simplify.c) */
bool is_waited_for(const struct graph *graph, const struct tensor *reduction);

/** The sum over axes of a map in another, cheaper form; NULL if there is none. is_only_reader:
 * nothing else reads the map; is_waited_for: an elementwise operation on data of this shape needs
 * the result. (distribute.c) */
struct tensor *distribute_sum(struct graph *graph, unsigned axes, struct tensor *in,
                              bool is_only_reader, bool is_waited_for);

#endif
