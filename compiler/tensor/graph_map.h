/* graph_map.h: between graph.c and graph_map.c. */
#ifndef LATHE_GRAPH_MAP_H
#define LATHE_GRAPH_MAP_H

#include "graph.h"

/** Adds a map as it is: constants, repeated and unread operands are out already. */
struct tensor *graph_add_map(struct graph *graph, const struct expression *expression,
                             struct tensor *const *in, int in_count, struct shape shape);

#endif
