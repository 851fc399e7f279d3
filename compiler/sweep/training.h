/* training.h: one training of a sweep as a process: `lathe train FILE --point ... --save FOLDER`.
 */
#ifndef LATHE_SWEEP_TRAINING_H
#define LATHE_SWEEP_TRAINING_H

#include "plan.h"

#include <sys/types.h>

/* What all trainings of a sweep have in common. */
struct training_setup {
    struct arena *arena;
    const struct sweep_plan *plan;
    const char *file, *data, *directory; /* of the sweep */
    const char *backend;
    int threads; /* of each */
};

/** The folder of a training's run: directory/runs/0012, or 0012-seed-3 for a repeat. */
const char *training_folder(const struct training_setup *setup, const struct trial *trial);

/** The command that repeats a training by hand. */
const char *training_command(const struct training_setup *setup, const struct trial *trial);

/** Starts the process, which ends with this one. Where the folder has a checkpoint already, it goes
 * on from there. False + message. */
bool training_start(const struct training_setup *setup, const struct trial *trial, pid_t *process,
                    struct error *error);

/** Fills in state and result of a training whose process has ended, from what it left. */
void training_collect(const struct training_setup *setup, struct trial *trial, int wait_status);

/* How far a training is. */
struct training_progress {
    long epoch;   /* done; 0: none yet */
    double score; /* of the last one; NAN: not known */
};
struct training_progress training_look(const struct training_setup *setup,
                                       const struct trial *trial);

#endif
