/* plan.h: the trainings of a sweep: which there are, what came of each, and who wins.
 *
 * Trainings come in rounds. A grid and random points have one; halving trains all points for a few
 * epochs and the best part of each round longer in the next, going on from its checkpoints. What
 * comes in a round depends on the scores of the one before alone, so that a sweep that is resumed
 * goes the same way. */
#ifndef LATHE_SWEEP_PLAN_H
#define LATHE_SWEEP_PLAN_H

#include "points.h"

enum trial_state { TRIAL_WAITING, TRIAL_RUNNING, TRIAL_DONE, TRIAL_FAILED };

/* What a training gave. */
struct trial_result {
    double score;      /* the best of all epochs, or the test's; of folds the mean */
    double spread;     /* over the folds: standard deviation; 0 for one training */
    long best_epoch;   /* where it was reached */
    long epochs;       /* done in all */
    long parameters;   /* of the model */
    double seconds;    /* of training */
    const char *error; /* of a failed one */
};

/* One training of one point. */
struct trial {
    int point, repeat, round; /* each from 0 */
    long epochs;              /* to train in all; 0: as many as the model says */
    enum trial_state state;
    struct trial_result result;
};

/* How a point did: over its repeats, in its last round. */
struct standing {
    int point;
    int round;            /* its last one */
    bool done;            /* all its repeats are */
    const char *error;    /* it failed */
    double squares;       /* sum of the squares of its scores; private */
    double score, spread; /* mean, and sample standard deviation over repeats or folds */
    long epochs, best_epoch, parameters; /* of its first repeat */
    double seconds;                      /* of all its trainings */
};

struct sweep_plan {
    struct arena *arena;
    const struct sweep *sweep;
    const struct sweep_point *points;
    int point_count;
    struct trial *trials; /* those of the last round stand at the end */
    int trial_count, capacity;
    int round, first_of_round;
    struct standing *ranking; /* what plan_ranking fills */
};

/** The plan with its first round. False + message. */
bool plan_start(struct sweep_plan *plan, struct arena *arena, const struct sweep *sweep,
                struct error *error);

/** When all trainings of the round are done: adds those of the next one. False: there is none, the
 * sweep is over. */
bool plan_next_round(struct sweep_plan *plan);

/** The number of trainings when all go well. */
long plan_total(const struct sweep_plan *plan);

/** The training of this point, repeat and round; NULL: it is not (yet) in the plan. */
struct trial *plan_find(const struct sweep_plan *plan, int point, int repeat, int round);

/** All points, best first: later rounds before earlier ones, then by score; those without a score
 * are last. The next call changes the answer. */
const struct standing *plan_ranking(const struct sweep_plan *plan);

#endif
