/* plan.c: rounds and ranking (see plan.h). */
#include "plan.h"

#include <math.h>
#include <stdlib.h>

static void add_trials(struct sweep_plan *plan, int point, long epochs) {
    for (int repeat = 0; repeat < plan->sweep->repeats; repeat++) {
        if (plan->trial_count == plan->capacity) {
            int capacity = 2 * plan->capacity + 64;
            plan->trials =
                arena_grow(plan->arena, plan->trials, (size_t)plan->capacity * sizeof *plan->trials,
                           (size_t)capacity * sizeof *plan->trials);
            plan->capacity = capacity;
        }
        plan->trials[plan->trial_count++] = (struct trial){
            .point = point, .repeat = repeat, .round = plan->round, .epochs = epochs};
    }
}

/* Epochs of a round: more and more, but no more than the sweep's; 0: the model's own number. */
static long round_epochs(const struct sweep *sweep, int round) {
    double epochs = (double)sweep->first_epochs * pow((double)sweep->factor, round);
    if (sweep->strategy != SWEEP_HALVING) return sweep->epochs;
    if (sweep->epochs && epochs > (double)sweep->epochs) return sweep->epochs;
    return epochs < 1e9 ? (long)epochs : 1000000000;
}

/* How many of `count` points come into the round behind `round`; 0: it was the last. */
static int survivors(const struct sweep *sweep, int count, int round) {
    if (sweep->strategy != SWEEP_HALVING) return 0;
    if (round_epochs(sweep, round + 1) == round_epochs(sweep, round)) return 0;
    return (int)(count / sweep->factor);
}

bool plan_start(struct sweep_plan *plan, struct arena *arena, const struct sweep *sweep,
                struct error *error) {
    *plan = (struct sweep_plan){.arena = arena, .sweep = sweep};
    plan->points = sweep_points(arena, sweep, &plan->point_count, error);
    if (!plan->points) return false;
    plan->ranking = ARENA_ARRAY(arena, struct standing, plan->point_count);
    for (int i = 0; i < plan->point_count; i++) add_trials(plan, i, round_epochs(sweep, 0));
    return true;
}

bool plan_next_round(struct sweep_plan *plan) {
    int before = plan->round, end = plan->trial_count;
    int count = (int)((end - plan->first_of_round) / plan->sweep->repeats);
    int left = survivors(plan->sweep, count, before);
    const struct standing *ranking = plan_ranking(plan);

    if (left == 0 || !ranking[0].done) return false;
    plan->round++;
    plan->first_of_round = end;
    /* Those of the last round that have a score stand first. */
    for (int i = 0; i < left && ranking[i].done && ranking[i].round == before; i++)
        add_trials(plan, ranking[i].point, round_epochs(plan->sweep, plan->round));
    return true;
}

long plan_total(const struct sweep_plan *plan) {
    long total = 0;
    for (int count = plan->point_count, round = 0; count > 0; round++) {
        total += count * plan->sweep->repeats;
        count = survivors(plan->sweep, count, round);
    }
    return total;
}

struct trial *plan_find(const struct sweep_plan *plan, int point, int repeat, int round) {
    for (int i = 0; i < plan->trial_count; i++) {
        struct trial *trial = &plan->trials[i];
        if (trial->point == point && trial->repeat == repeat && trial->round == round) return trial;
    }
    return NULL;
}

/* --- the ranking --- */

/* Takes one training of the point's last round in; the sums become mean and spread below. */
static void add_result(struct standing *standing, const struct trial *trial) {
    const struct trial_result *result = &trial->result;
    if (trial->state == TRIAL_FAILED && !standing->error) standing->error = result->error;
    if (trial->state != TRIAL_DONE) {
        standing->done = false;
        return;
    }
    if (trial->repeat == 0) {
        standing->epochs = result->epochs;
        standing->best_epoch = result->best_epoch;
        standing->parameters = result->parameters;
    }
    standing->score += result->score;
    standing->squares += result->score * result->score;
    standing->spread = result->spread;
}

static void finish(struct standing *standing, double count) {
    double mean = standing->score / count;
    double variance = standing->squares / count - mean * mean;
    standing->score = standing->done ? mean : NAN;
    if (count > 1) standing->spread = variance > 0 ? sqrt(variance * count / (count - 1)) : 0;
}

static int by_number(const struct standing *a, const struct standing *b) {
    return a->point < b->point ? -1 : 1;
}

static int compare(const struct standing *a, const struct standing *b, bool is_loss) {
    if (a->done != b->done) return a->done ? -1 : 1;
    if (!a->done) return by_number(a, b);
    if (a->round != b->round) return a->round > b->round ? -1 : 1;
    if (a->score != b->score) return (a->score > b->score) != is_loss ? -1 : 1;
    return by_number(a, b);
}

static int best_accuracy_first(const void *a, const void *b) {
    return compare(a, b, false);
}

static int lowest_loss_first(const void *a, const void *b) {
    return compare(a, b, true);
}

const struct standing *plan_ranking(const struct sweep_plan *plan) {
    struct standing *ranking = plan->ranking;
    for (int i = 0; i < plan->point_count; i++)
        ranking[i] = (struct standing){.point = i, .round = -1};
    for (int i = 0; i < plan->trial_count; i++) { /* in the order of their rounds */
        const struct trial *trial = &plan->trials[i];
        struct standing *standing = &ranking[trial->point];
        double seconds = standing->seconds;
        if (trial->round > standing->round)
            *standing =
                (struct standing){.point = trial->point, .round = trial->round, .done = true};
        standing->seconds = seconds + trial->result.seconds;
        add_result(standing, trial);
    }
    for (int i = 0; i < plan->point_count; i++) finish(&ranking[i], (double)plan->sweep->repeats);
    qsort(ranking, (size_t)plan->point_count, sizeof *ranking,
          plan->sweep->score_is_loss ? lowest_loss_first : best_accuracy_first);
    return ranking;
}
