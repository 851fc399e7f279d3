/* checkpoint.h: everything a run needs to go on as if it had never stopped.
 *
 * A checkpoint is a safetensors file: the variables, the optimizer's space as the tensor
 * "optimizer", and the numbers below in the metadata. All random numbers are functions of seed,
 * step and place, so that these numbers are the whole random state. */
#ifndef LATHE_CHECKPOINT_H
#define LATHE_CHECKPOINT_H

#include "error.h"
#include "program.h"

#include <stdint.h>

struct checkpoint {
    uint32_t seed;
    long epoch;              /* whole epochs done */
    long batch;              /* batches done of the epoch under way; 0 between epochs */
    long step;               /* optimizer steps done since the beginning */
    double validation_split; /* as the run was started; so are the next three */
    long folds, fold;        /* of struct split_options */
    long stratified;         /* 0 or 1 */
    uint32_t data;           /* dataset_fingerprint of the training data */
    /* Sums over the batches done of the epoch under way. */
    double loss_sum, accuracy_sum;
    long sample_count;
    double best_metric; /* with best_epoch -1: none yet */
    long best_epoch;
    double seconds; /* of training so far */
    long stopped;   /* 1: a callback ended the training */
    /* One row of numbers for each epoch done, for the learning curves; their meaning is the
     * trainer's. NULL when history_rows is 0. */
    double *history;
    long history_rows, history_columns;
    /* What the callbacks remember; its meaning is theirs. NULL when callback_numbers is 0. */
    double *callbacks;
    long callback_numbers;
    /* What decides the training, as its maker describes it: lines of "part: what it is". NULL, and
     * in checkpoints of before there was one: not known. */
    char *recipe;
};

/** Writes a checkpoint atomically. The batch size of the program is kept too. */
bool checkpoint_save(const char *path, const struct program *program,
                     float *const space[PROGRAM_SPACES], const struct checkpoint *checkpoint,
                     struct error *error);

/** Reads one into the spaces and *checkpoint, after checking that the file is whole (CRC-32) and
 * that it belongs to this program: names, shapes, optimizer, batch size. Doubles come back with the
 * same bits. On failure nothing is changed. The caller frees the lists and the recipe with
 * checkpoint_free. */
bool checkpoint_load(const char *path, const struct program *program,
                     float *const space[PROGRAM_SPACES], struct checkpoint *checkpoint,
                     struct error *error);

/** Frees the lists, history and callbacks, and the recipe. */
void checkpoint_free(struct checkpoint *checkpoint);

#endif
