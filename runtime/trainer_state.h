/* trainer_state.h: a run, for the files that make up the trainer. */
#ifndef LATHE_TRAINER_STATE_H
#define LATHE_TRAINER_STATE_H

#include "callbacks.h"
#include "checkpoint.h"
#include "prefetch.h"
#include "thread_choice.h"
#include "trainer.h"

struct trainer {
    struct trainer_options options;
    const struct program *program; /* of the present step */
    struct program_memory memory;
    struct dataset_split split;
    long *order; /* of this epoch: order[i] = sample number */
    long steps_per_epoch;
    char *directory, *checkpoint_path, *best_path;
    struct metadata class_names; /* of saved weights; value NULL: not known */
    char *class_names_text;      /* the memory of the value */

    struct checkpoint state; /* its lists are filled only while it is saved or loaded */
    struct history history;
    struct callbacks *callbacks;
    struct thread_choice training_threads, evaluation_threads;
    struct pool
        *step_pool; /* for the present piece of a step: the options', or NULL for one thread */
    struct prefetch *prefetch;   /* of samples that are changed; else NULL */
    float *best[PROGRAM_SPACES]; /* a copy of the best variables; no optimizer */
    double best_value;           /* of the present criterion, at state.best_epoch */

    /* Variables and optimizer as they were at the batch snapshot_batch of this epoch: from there a
     * loss that is not finite is traced. NULL where that would take much memory. */
    float *snapshot[PROGRAM_SPACES];
    long snapshot_batch, snapshot_step;

    double started, epoch_started; /* on the clock of now() */
    long timed_samples;
    double step_loss, learning_rate;
};

/* --- trainer.c --- */

/** Loads the samples of a piece of this epoch's data, `batch` of the program each, and returns the
 * call that trains with them. A step has program.pieces of them. step: from 0, since training
 * began. */
struct program_call trainer_piece(struct trainer *trainer, long piece, long step);

/* What a step has done. */
struct trainer_step {
    double loss, accuracy; /* means over its samples; a loss that is not finite ends the step */
    long samples;
    double learning_rate;
};

/** Trains with a batch of this epoch, from 0. step: from 0, since training began. */
struct trainer_step trainer_take_step(struct trainer *trainer, long batch, long step);

/** The first piece of a batch, and the one behind its last. */
long trainer_first_piece(const struct trainer *trainer, long batch);
long trainer_last_piece(const struct trainer *trainer, long batch);

/* --- non_finite.c --- */

/** Remembers variables and optimizer, at the beginning of an epoch or where it is resumed. */
void trainer_take_snapshot(struct trainer *trainer);

/** The message for a loss that is not finite, with the layer that was first. Returns false. What
 * the trainer's variables are afterwards is not defined. */
bool trainer_not_finite(struct trainer *trainer, struct error *error);

/* --- trainer_save.c --- */

/** Keeps the present weights as the best ones: in memory and in the directory. */
bool trainer_keep_best(struct trainer *trainer, const struct history_epoch *epoch,
                       struct error *error);

/** True if the weights of this epoch are better than those kept, by options.best_by. */
bool trainer_is_better(const struct trainer *trainer, const struct history_epoch *epoch);

/** Writes last.safetensors into the directory, if there is one. */
bool trainer_save_checkpoint(struct trainer *trainer, struct error *error);

/** Writes the history's files into the directory, if there is one. */
bool trainer_save_history(const struct trainer *trainer, struct error *error);

/** Loads the checkpoint; its seed and its validation split go before the options. */
bool trainer_load_checkpoint(struct trainer *trainer, struct error *error);

/** Gives the callbacks back what they remembered: once they are made. */
bool trainer_restore_callbacks(struct trainer *trainer, struct error *error);

/** Copies weights and statistics. */
void trainer_copy_variables(const struct program *program, float *const *to, float *const *from);

/** True if samples are set aside for validation. */
bool trainer_validates(const struct split_options *split);

#endif
