/* callbacks.h: what is decided and written at the end of an epoch: Keras's callbacks, with Keras's
 * names and rules. One file each: early_stopping.c, reduce_lr_on_plateau.c, model_checkpoint.c,
 * csv_logger.c, tensorboard.c.
 *
 * What a callback remembers is a few numbers that the checkpoint keeps, so that a resumed run
 * decides as one that never stopped. */
#ifndef LATHE_CALLBACKS_H
#define LATHE_CALLBACKS_H

#include "error.h"
#include "history.h"
#include "program.h"
#include "safetensors.h"

#include <stdbool.h>

enum callback_kind {
    CALLBACK_EARLY_STOPPING,
    CALLBACK_REDUCE_LR_ON_PLATEAU,
    CALLBACK_MODEL_CHECKPOINT,
    CALLBACK_CSV_LOGGER,
    CALLBACK_TENSORBOARD,
    CALLBACK_TERMINATE_ON_NAN, /* what the trainer always does */
    CALLBACK_KINDS
};

enum metric { METRIC_LOSS, METRIC_ACCURACY, METRIC_VAL_LOSS, METRIC_VAL_ACCURACY, METRICS };
enum monitor_mode { MONITOR_AUTO, MONITOR_MIN, MONITOR_MAX };

/* The figure that a callback watches. */
struct monitor {
    enum metric metric;
    enum monitor_mode mode; /* what is better; auto: less of a loss, more of an accuracy */
    double min_delta;       /* at least 0: less is no improvement */
};

/* A callback as a model asks for it; which options a kind has is in frontend/read_callbacks.c. */
struct callback_options {
    enum callback_kind kind;
    const char *file; /* where it stands */
    int line;
    struct monitor monitor;
    long patience, cooldown, start_from_epoch; /* epochs */
    double factor, min_lr;
    bool has_threshold;
    double threshold; /* baseline of early_stopping, initial_value_threshold of model_checkpoint */
    bool restore_best_weights, save_best_only;
    const char *path; /* below the directory of the run */
    char separator;
    long histogram_freq; /* epochs; 0: no histograms */
    long update_freq;    /* steps; 0: figures of epochs only */
};

/* The end of an epoch, as callbacks see it, and what they ask for. */
struct callback_epoch {
    const struct history *history; /* its last row is this epoch */
    const struct program *program;
    float *const *space;
    const struct metadata *metadata; /* of saved weights */
    int metadata_count;
    bool stop; /* out: end the training */
    bool keep; /* out: these weights are to be restored in the end */
};

/* The end of a step, as callbacks see it: the means over the epoch so far. */
struct callback_step {
    long step; /* from 1, over all epochs */
    double loss, accuracy;
    bool has_accuracy, has_validation;
};

struct callbacks;

/** Makes the callbacks of a run. directory: where they write; NULL: nowhere. The options and the
 * directory must stay. False + message `file:line: kind: ...` when one of them needs validation
 * data, an accuracy or a directory that is not there, or cannot write where it is to;
 * *callbacks is to be freed also then. */
bool callbacks_new(const struct callback_options *options, int count, bool has_validation,
                   bool has_accuracy, const char *directory, struct callbacks **callbacks,
                   struct error *error);

/** callbacks may be NULL. */
void callbacks_free(struct callbacks *callbacks);

/** The number of numbers that callbacks_save writes. */
int callbacks_state_size(const struct callbacks *callbacks);

/** What all callbacks remember, for a checkpoint. */
void callbacks_save(const struct callbacks *callbacks, double *state);

/** Takes it back; step is that of the checkpoint. False + message when they are others than those
 * that were saved. */
bool callbacks_restore(struct callbacks *callbacks, const double *state, long size, long step,
                       struct error *error);

/** The learning rate that a step gets for the one of its schedule. */
double callbacks_learning_rate(const struct callbacks *callbacks, double scheduled);

/** Tells them of a step. False + message when a file cannot be written. */
bool callbacks_step_end(struct callbacks *callbacks, const struct callback_step *step,
                        struct error *error);

/** Runs them all, in their order. False + message when a file cannot be written. */
bool callbacks_epoch_end(struct callbacks *callbacks, struct callback_epoch *epoch,
                         struct error *error);

/** The path of model_checkpoint for an epoch: figures in braces, as {epoch:02d} or {val_loss:.4f},
 * become text. False when it is too long or what stands in braces is none. */
bool model_checkpoint_path(const char *pattern, const struct history_epoch *epoch, char *path,
                           size_t size);

/** "val_loss": Keras's name of a metric. */
const char *metric_name(enum metric metric);

/** A figure of an epoch. */
double metric_value(enum metric metric, const struct history_epoch *epoch);

#endif
