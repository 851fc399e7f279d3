/* prefetch.h: gathers and changes the batches to come on other threads, while a step computes. */
#ifndef LATHE_PREFETCH_H
#define LATHE_PREFETCH_H

#include "augmentation.h"

struct prefetch;

/** Starts the threads. What it is given must stay; the batches are of program->batch samples and
 * padded with zeros to program->rows. NULL + message on failure. */
struct prefetch *prefetch_new(const struct augmentation *augmentation,
                              const struct dataset *dataset, const struct program *program,
                              uint32_t seed, struct error *error);

/** Begins an epoch at a batch: order[0 .. count) are its samples, which stay as they are until
 * prefetch_pause. */
void prefetch_epoch(struct prefetch *prefetch, uint32_t epoch, const long *order, long count,
                    long first_batch);

/** Waits for a batch of the epoch, and gives its samples and labels; they stay until the next call.
 * Any batch may be asked for; those that follow each other are ready soonest. */
void prefetch_batch(struct prefetch *prefetch, long batch, const float *inputs[2]);

/** Returns once no thread works on the epoch any more. */
void prefetch_pause(struct prefetch *prefetch);

/** Ends the threads; prefetch may be NULL. */
void prefetch_free(struct prefetch *prefetch);

#endif
