/* memory.h: where the buffers of a program lie in its arena. */
#ifndef LATHE_PASSES_MEMORY_H
#define LATHE_PASSES_MEMORY_H

#include "../base/arena.h"

struct memory_buffer {
    long bytes;
    int first, last; /* the kernel that first writes it, the one that last reads it: inclusive */
    long offset;     /* filled by memory_plan */
};

/** Gives every buffer an offset, a multiple of alignment, so that buffers alive at the same time
 * do not overlap; returns the bytes of the arena. The same buffers always get the same offsets.
 * Offline placement is NP-hard: this is a search of bounded effort. */
long memory_plan(struct arena *arena, struct memory_buffer *buffers, int count, long alignment);

/** The largest sum of aligned sizes alive at one time: no plan is smaller. */
long memory_lower_bound(const struct memory_buffer *buffers, int count, long alignment);

#endif
