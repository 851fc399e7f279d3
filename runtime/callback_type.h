/* callback_type.h: what a kind of callback is; shared by the files that implement one. */
#ifndef LATHE_CALLBACK_TYPE_H
#define LATHE_CALLBACK_TYPE_H

#include "callbacks.h"

enum { CALLBACK_STATE = 4 };

struct callback {
    const struct callback_options *options;
    const char *directory;        /* of the run */
    double state[CALLBACK_STATE]; /* all that it remembers; zeros at first */
    void *resource;               /* open files */
    long resumed_step;            /* steps done when the run was resumed; else 0 */
};

struct callback_type {
    const char *name;      /* Keras's, as in Lua */
    bool monitors, writes; /* uses options->monitor; needs the directory */
    bool writes_folder;    /* options->path is a folder */
    /** At the end of an epoch; NULL: nothing. */
    bool (*epoch_end)(struct callback *callback, struct callback_epoch *epoch, struct error *error);
    /** At the end of a step; NULL: nothing. */
    bool (*step_end)(struct callback *callback, const struct callback_step *step,
                     struct error *error);
    /** The learning rate for a scheduled one; NULL: the same. */
    double (*learning_rate)(const struct callback *callback, double scheduled);
    /** Gives the resource back; NULL: there is none. */
    void (*close)(struct callback *callback);
};

extern const struct callback_type callback_early_stopping, callback_reduce_lr_on_plateau,
    callback_model_checkpoint, callback_csv_logger, callback_tensorboard;

/** The epoch that has ended. */
const struct history_epoch *callback_last(const struct callback_epoch *epoch);

/** True if a monitored value is better than another by more than min_delta. */
bool monitor_improves(const struct monitor *monitor, double value, double than);

/** The value that any other improves. */
double monitor_worst(const struct monitor *monitor);

/** Begins a message: `file:line: kind: `. Returns false. */
bool callback_error(const struct callback_options *options, struct error *error, const char *format,
                    ...) __attribute__((format(printf, 3, 4)));

#endif
