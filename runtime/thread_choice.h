/* thread_choice.h: all threads, or one?
 *
 * What a second thread gains depends on the model, and on where the host has put the processors at
 * the moment: they share a cache now, and in a minute a line takes half a microsecond from one to
 * the other. No rule over the work can know that, but results have the same bits on any number of
 * threads, so it is tried: a few steps with all threads and a few with one, in turn. The faster way
 * is kept, and tried against the other again after a while. */
#ifndef LATHE_THREAD_CHOICE_H
#define LATHE_THREAD_CHOICE_H

#include "parallel.h"

enum { TRIAL_ROUNDS = 3, TRIAL_STEPS = 4 };

/* Of the steps of one kind. The caller owns it; all is private but to tests. */
struct thread_choice {
    struct pool *pool;       /* NULL: there is one thread, and nothing to choose */
    bool alone;              /* one thread was faster in the last trial */
    int first_steps;         /* of a model: they meet fresh memory, and are not compared */
    double next_trial;       /* seconds */
    double longest_interval; /* from this trial to the next */

    /* A trial: blocks of steps, of one way and of the other in turn. */
    bool is_trial, trial_alone; /* trial_alone: the way of the present block */
    int blocks, block_steps;
    double block_seconds, trial_seconds;
    struct {
        double compared[TRIAL_ROUNDS * TRIAL_STEPS]; /* seconds of steps */
        int compared_count, steps;
        double seconds; /* of all its steps */
    } way[2];           /* all threads, one thread */

    double step_began;
};

/** Begins with all threads of the pool (NULL: one), and a trial after the first steps. */
void thread_choice_init(struct thread_choice *choice, struct pool *pool);

/** The pool for the step that begins now, on a clock that counts seconds; NULL: one thread. */
struct pool *thread_choice_begin(struct thread_choice *choice, double now);

/** The step is over. */
void thread_choice_end(struct thread_choice *choice, double now);

/** The steps will take other times from now on (they are compiled anew): what is known is void. */
void thread_choice_restart(struct thread_choice *choice);

/** Seconds on a clock that never goes back. */
double thread_choice_clock(void);

#endif
