/* thread_choice.c: all threads or one, by trial (see thread_choice.h). */
#include "thread_choice.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FIRST_STEPS = 2, ALL = 0, ONE = 1 };

/* A step as long as this is compared even if it is the first of its block, whose data are still in
 * the other processors' caches; and no more than one of them makes a block. */
static const double long_step = 20e-3;
/* A trial as long as this ends once both ways had the same number of blocks. */
static const double long_trial = 60e-3;
/* To the next trial: at least so long, and so long that what the slower way cost is below 1 %. Soon
 * where both ways are nearly equal: noise may have decided, and fresh memory in a first trial. */
static const double least_interval = 0.1, cost_factor = 100;
/* Where one thread has won, the first interval is no longer than the least one, whatever the trial
 * cost, and each that follows no longer than so many times more: the other processors may have been
 * busy, or asleep, when a process began. */
static const double interval_growth = 4;
/* All threads must be faster than one by this part: what gains nothing is left to others. */
static const double margin = 0.03;

double thread_choice_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void thread_choice_init(struct thread_choice *choice, struct pool *pool) {
    memset(choice, 0, sizeof *choice);
    choice->pool = pool;
    choice->first_steps = FIRST_STEPS;
    choice->longest_interval = least_interval;
}

void thread_choice_restart(struct thread_choice *choice) {
    bool alone = choice->alone;
    thread_choice_init(choice, choice->pool);
    choice->alone = alone;
}

static void begin_block(struct thread_choice *choice, bool alone) {
    choice->trial_alone = alone;
    choice->block_steps = 0;
    choice->block_seconds = 0;
}

static void begin_trial(struct thread_choice *choice) {
    choice->is_trial = true;
    choice->blocks = 0;
    choice->trial_seconds = 0;
    memset(choice->way, 0, sizeof choice->way);
    begin_block(choice, choice->alone);
}

struct pool *thread_choice_begin(struct thread_choice *choice, double now) {
    if (!choice->pool) return NULL;
    if (!choice->is_trial && choice->first_steps == 0 && now >= choice->next_trial)
        begin_trial(choice);
    choice->step_began = now;
    return (choice->is_trial ? choice->trial_alone : choice->alone) ? NULL : choice->pool;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int count) {
    qsort(values, (size_t)count, sizeof *values, by_value);
    return 0.5 * (values[(count - 1) / 2] + values[count / 2]);
}

static void end_trial(struct thread_choice *choice, double now) {
    double typical[2];
    for (int i = 0; i < 2; i++)
        typical[i] = median(choice->way[i].compared, choice->way[i].compared_count);
    choice->alone = typical[ALL] > (1 - margin) * typical[ONE];
    int faster = choice->alone ? ONE : ALL, slower = 1 - faster;
    double lost = choice->way[slower].seconds - choice->way[slower].steps * typical[faster];
    double interval = cost_factor * lost;
    if (choice->alone) {
        if (interval > choice->longest_interval) interval = choice->longest_interval;
        choice->longest_interval *= interval_growth;
    }
    choice->next_trial = now + (interval > least_interval ? interval : least_interval);
    choice->is_trial = false;
}

void thread_choice_end(struct thread_choice *choice, double now) {
    double seconds = now - choice->step_began;
    if (!choice->pool) return;
    if (choice->first_steps > 0) choice->first_steps--;
    if (!choice->is_trial) return;

    int way = choice->trial_alone ? ONE : ALL;
    choice->way[way].steps++;
    choice->way[way].seconds += seconds;
    if (choice->block_steps > 0 || seconds >= long_step)
        choice->way[way].compared[choice->way[way].compared_count++] = seconds;
    choice->block_steps++;
    choice->block_seconds += seconds;
    choice->trial_seconds += seconds;
    bool compared = choice->block_steps > 1 || seconds >= long_step;
    if (!compared || (choice->block_steps < TRIAL_STEPS && choice->block_seconds < long_step))
        return;
    choice->blocks++;
    if (choice->blocks % 2 == 0 &&
        (choice->blocks == 2 * TRIAL_ROUNDS || choice->trial_seconds >= long_trial))
        end_trial(choice, now);
    else
        begin_block(choice, !choice->trial_alone);
}
