/* memory.h: the memory that calls of a program work in. */
#ifndef LATHE_MEMORY_H
#define LATHE_MEMORY_H

#include "error.h"
#include "program.h"

/* Every block is aligned to 64 bytes and starts as zeros, but for the arena: its pages are touched
 * only when a call uses them. */
struct program_memory {
    float *space[PROGRAM_SPACES];
    float *arena;
    float *prepared;
    float *samples, *labels; /* one batch: [rows][sample_size], [rows][label_size] */
    float *predictions;      /* [rows][output_size] */
};

/** Allocates all blocks; false + message when memory is out (nothing is kept then). */
bool program_memory_new(const struct program *program, struct program_memory *memory,
                        struct error *error);

/** Frees all blocks; zeroed or freed memory is fine. */
void program_memory_free(struct program_memory *memory);

/** Allocates size zeroed bytes (at least 1), aligned to 64; free() releases them. NULL when memory
 * is out. */
void *memory_aligned(size_t size);

/** A call that works in this memory; the scalars are zero. */
struct program_call program_memory_call(const struct program_memory *memory,
                                        program_parallel *parallel, void *pool);

#endif
