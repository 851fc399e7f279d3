/* iterate.h: walking over the elements of shapes, for the naive references. */
#ifndef LATHE_ITERATE_H
#define LATHE_ITERATE_H

#include "graph.h"

/** Moves on to the next position in row-major order; false after the last (then all are 0). */
static inline bool next_position(const long *size, int rank, long *position) {
    for (int i = rank - 1; i >= 0; i--) {
        if (++position[i] < size[i]) return true;
        position[i] = 0;
    }
    return false;
}

/** The element number of a position of `rank` axes in a tensor that is broadcast to them: aligned
 * at the last axis, axes of size 1 repeat. */
static inline long broadcast_element(const struct shape *shape, const long *position, int rank) {
    long element = 0;
    for (int i = 0; i < shape->rank; i++) {
        long at = position[rank - shape->rank + i];
        element = element * shape->size[i] + (shape->size[i] == 1 ? 0 : at);
    }
    return element;
}

/** True if a tensor of shape `from` can be broadcast to `to`. */
static inline bool broadcasts_to(const struct shape *from, const struct shape *to) {
    int shift = to->rank - from->rank;
    if (shift < 0) return false;
    for (int i = 0; i < from->rank; i++)
        if (from->size[i] != 1 && from->size[i] != to->size[i + shift]) return false;
    return true;
}

#endif
