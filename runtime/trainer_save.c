/* trainer_save.c: what a run keeps: the best weights, and checkpoints to resume from. */
#include "trainer_state.h"
#include "files.h"
#include "weights.h"

#include <stdlib.h>
#include <string.h>

/* A row of the history in a checkpoint. */
enum {
    ROW_EPOCH,
    ROW_STEP,
    ROW_LOSS,
    ROW_ACCURACY,
    ROW_VALIDATION_LOSS,
    ROW_VALIDATION_ACCURACY,
    ROW_LEARNING_RATE,
    ROW_SECONDS,
    ROW_SPEED,
    ROW_SIZE
};

/* --- the best weights --- */

/* The figure that the best epoch is chosen by. */
static double criterion(const struct trainer *trainer, const struct history_epoch *epoch) {
    bool validation = trainer->history.has_validation;

    if (trainer->options.best_by == BEST_ACCURACY && trainer->program->has_accuracy)
        return validation ? epoch->validation_accuracy : epoch->accuracy;
    return validation ? epoch->validation_loss : epoch->loss;
}

bool trainer_is_better(const struct trainer *trainer, const struct history_epoch *epoch) {
    double value = criterion(trainer, epoch);
    if (trainer->state.best_epoch < 0 || trainer->options.best_by == BEST_LATEST) return true;
    if (trainer->options.best_by == BEST_ACCURACY) return value > trainer->best_value;
    return value < trainer->best_value;
}

void trainer_copy_variables(const struct program *program, float *const *to, float *const *from) {
    for (int space = PROGRAM_TRAINABLE; space <= PROGRAM_STATE; space++)
        memcpy(to[space], from[space], (size_t)program->space_size[space] * sizeof(float));
}

bool trainer_keep_best(struct trainer *trainer, const struct history_epoch *epoch,
                       struct error *error) {
    trainer->best_value = trainer->state.best_metric = criterion(trainer, epoch);
    trainer->state.best_epoch = epoch->epoch;
    trainer_copy_variables(trainer->program, trainer->best, trainer->memory.space);
    if (!trainer->best_path) return true;
    return weights_save(trainer->best_path, trainer->program, trainer->memory.space,
                        &trainer->class_names, trainer->class_names.value != NULL, error);
}

void trainer_restore_best(struct trainer *trainer) {
    if (trainer->state.best_epoch >= 0)
        trainer_copy_variables(trainer->program, trainer->memory.space, trainer->best);
}

bool trainer_save_history(const struct trainer *trainer, struct error *error) {
    const char *directory = trainer->options.directory;
    return !directory || !trainer->history.count ||
           history_save(&trainer->history, directory, error);
}

/* --- checkpoints --- */

bool trainer_save_checkpoint(struct trainer *trainer, struct error *error) {
    struct checkpoint *state = &trainer->state;
    long rows = trainer->history.count;

    if (!trainer->checkpoint_path) return true;
    state->history = rows ? malloc((size_t)rows * ROW_SIZE * sizeof(double)) : NULL;
    if (rows && !state->history) return error_set(error, "out of memory");
    for (long i = 0; i < rows; i++) {
        const struct history_epoch *epoch = &trainer->history.epochs[i];
        double *row = state->history + i * ROW_SIZE;
        row[ROW_EPOCH] = (double)epoch->epoch;
        row[ROW_STEP] = (double)epoch->step;
        row[ROW_LOSS] = epoch->loss;
        row[ROW_ACCURACY] = epoch->accuracy;
        row[ROW_VALIDATION_LOSS] = epoch->validation_loss;
        row[ROW_VALIDATION_ACCURACY] = epoch->validation_accuracy;
        row[ROW_LEARNING_RATE] = epoch->learning_rate;
        row[ROW_SECONDS] = epoch->seconds;
        row[ROW_SPEED] = epoch->samples_per_second;
    }
    state->history_rows = rows;
    state->history_columns = ROW_SIZE;
    state->callback_numbers = callbacks_state_size(trainer->callbacks);
    state->callbacks = malloc(((size_t)state->callback_numbers + 1) * sizeof(double));
    if (!state->callbacks) return error_set(error, "out of memory");
    callbacks_save(trainer->callbacks, state->callbacks);
    if (trainer->options.recipe && !(state->recipe = strdup(trainer->options.recipe)))
        return error_set(error, "out of memory");
    bool saved = checkpoint_save(trainer->checkpoint_path, trainer->program, trainer->memory.space,
                                 state, error);
    checkpoint_free(state);
    return saved;
}

static bool restore_history(struct trainer *trainer, struct error *error) {
    const struct checkpoint *state = &trainer->state;

    if (state->history_rows && state->history_columns != ROW_SIZE)
        return error_set(error,
                         "%s: its history has %ld columns instead of %d: not a checkpoint of "
                         "this version",
                         trainer->checkpoint_path, state->history_columns, ROW_SIZE);
    for (long i = 0; i < state->history_rows; i++) {
        const double *row = state->history + i * ROW_SIZE;
        struct history_epoch epoch = {
            .epoch = (long)row[ROW_EPOCH],
            .step = (long)row[ROW_STEP],
            .loss = row[ROW_LOSS],
            .accuracy = row[ROW_ACCURACY],
            .validation_loss = row[ROW_VALIDATION_LOSS],
            .validation_accuracy = row[ROW_VALIDATION_ACCURACY],
            .learning_rate = row[ROW_LEARNING_RATE],
            .seconds = row[ROW_SECONDS],
            .samples_per_second = row[ROW_SPEED],
        };
        if (!history_add(&trainer->history, &epoch, error)) return false;
        if (epoch.epoch == state->best_epoch) trainer->best_value = criterion(trainer, &epoch);
    }
    return true;
}

/* Slots of one optimizer mean nothing to another: what decides the training must be the same. Both
 * recipes have their lines in the same order; the first that differs is told. */
static bool check_recipe(const struct trainer *trainer, struct error *error) {
    enum { TOLD = 400 }; /* of a line */
    const char *saved = trainer->state.recipe, *present = trainer->options.recipe;

    if (!saved || !present) return true; /* older versions did not save it */
    while (*saved || *present) {
        size_t length = strcspn(saved, "\n"), other = strcspn(present, "\n");
        if (length != other || strncmp(saved, present, length) != 0)
            return error_set(error,
                             "%s: is of a training with %.*s, but this one has %.*s; a resumed run "
                             "needs the same; without --resume training starts anew",
                             trainer->checkpoint_path, (int)(length < TOLD ? length : TOLD), saved,
                             (int)(other < TOLD ? other : TOLD), present);
        saved += length + (saved[length] == '\n');
        present += other + (present[other] == '\n');
    }
    return true;
}

static bool check_epochs(const struct trainer *trainer, struct error *error) {
    const struct checkpoint *state = &trainer->state;
    long begun = state->epoch + (state->batch > 0), epochs = trainer->options.epochs;

    return begun <= epochs ||
           error_set(error,
                     "%s: has begun %ld epochs already, more than %ld; a resumed run needs as many "
                     "at least",
                     trainer->checkpoint_path, begun, epochs);
}

bool trainer_validates(const struct split_options *split) {
    return split->fraction > 0 || split->folds;
}

bool trainer_load_checkpoint(struct trainer *trainer, struct error *error) {
    struct trainer_options *options = &trainer->options;
    struct checkpoint *state = &trainer->state;

    if (!options->directory)
        return error_set(error, "resuming needs the directory that the run was saved to");
    if (!files_exist(trainer->checkpoint_path))
        return error_set(error, "%s: no such checkpoint; without --resume training starts anew",
                         trainer->checkpoint_path);
    if (!checkpoint_load(trainer->checkpoint_path, trainer->program, trainer->memory.space, state,
                         error) ||
        !check_recipe(trainer, error) || !check_epochs(trainer, error))
        return false;
    options->seed = state->seed;
    options->split = (struct split_options){.fraction = state->validation_split,
                                            .folds = state->folds,
                                            .fold = state->fold,
                                            .stratified = state->stratified != 0};
    trainer->history.has_validation = trainer_validates(&options->split);
    if (!restore_history(trainer, error)) return false;
    if (state->data != dataset_fingerprint(options->data))
        return error_set(error,
                         "%s: was trained on other data than these; a resumed run needs the "
                         "same",
                         trainer->checkpoint_path);
    /* A run that was killed may have left the files of the epoch before its checkpoint. */
    if (!trainer_save_history(trainer, error)) return false;
    if (state->best_epoch < 0) return true;
    return weights_load(trainer->best_path, trainer->program, trainer->best, error);
}

bool trainer_restore_callbacks(struct trainer *trainer, struct error *error) {
    struct checkpoint *state = &trainer->state;
    bool restored = callbacks_restore(trainer->callbacks, state->callbacks, state->callback_numbers,
                                      state->step, error);
    checkpoint_free(state);
    return restored;
}
