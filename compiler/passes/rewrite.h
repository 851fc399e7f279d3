/* rewrite.h: passes that build a graph anew, tensor by tensor. */
#ifndef LATHE_REWRITE_H
#define LATHE_REWRITE_H

#include "passes.h"

/** A rule: what stands for `tensor` of the old graph in the new one, given the tensors that stand
 * for its inputs. */
typedef struct tensor *rewrite_rule(struct graph *graph, const struct tensor *tensor,
                                    struct tensor *const *in);

/** The graph with each tensor replaced by what the rule makes of it. */
struct graph *rewrite(const struct graph *graph, rewrite_rule *rule);

/** The sum over axes of a map in another, cheaper form; NULL if there is none. (distribute.c) */
struct tensor *distribute_sum(struct graph *graph, unsigned axes, struct tensor *in);

#endif
