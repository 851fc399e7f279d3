/* parallel.h: a pool of threads for the parallel loops of a program.
 *
 * A worker spins briefly for the next loop and then parks on a futex, so that short loops follow
 * each other fast and an idle pool costs nothing. Results never depend on the number of threads:
 * each unit of a loop computes its own outputs. */
#ifndef LATHE_PARALLEL_H
#define LATHE_PARALLEL_H

#include "error.h"
#include "program.h"

struct pool;

/** Starts threads - 1 workers (the caller is the first thread). NULL + message on failure. */
struct pool *pool_new(int threads, struct error *error);

/** Stops and joins the workers. pool may be NULL. */
void pool_free(struct pool *pool);

/** A program_parallel: splits [0, count) into one range per thread; idle threads help the others. With pool NULL or
 * one thread it just calls the task. */
void pool_parallel(void *pool, program_task *task, const void *context, long count);

/** A program_range_start; outside of loops 0. */
long pool_range_start(void *pool);

/** A program_begins. */
bool pool_begins(void *pool);

/** The number of processors this process may use. */
int pool_processors(void);

#endif
