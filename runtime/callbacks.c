/* callbacks.c: the callbacks of a run: the table of their kinds, and what they share. */
#include "callback_type.h"
#include "files.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct callback_type terminate_on_nan = {.name = "terminate_on_nan"};

static const struct callback_type *const types[CALLBACK_KINDS] = {
    [CALLBACK_EARLY_STOPPING] = &callback_early_stopping,
    [CALLBACK_REDUCE_LR_ON_PLATEAU] = &callback_reduce_lr_on_plateau,
    [CALLBACK_MODEL_CHECKPOINT] = &callback_model_checkpoint,
    [CALLBACK_CSV_LOGGER] = &callback_csv_logger,
    [CALLBACK_TENSORBOARD] = &callback_tensorboard,
    [CALLBACK_TERMINATE_ON_NAN] = &terminate_on_nan,
};

struct callbacks {
    struct callback *list;
    int count;
};

static const struct callback_type *type_of(const struct callback *callback) {
    return types[callback->options->kind];
}

/* --- metrics --- */

const char *metric_name(enum metric metric) {
    static const char *const names[METRICS] = {"loss", "accuracy", "val_loss", "val_accuracy"};
    return names[metric];
}

double metric_value(enum metric metric, const struct history_epoch *epoch) {
    const double values[METRICS] = {epoch->loss, epoch->accuracy, epoch->validation_loss,
                                    epoch->validation_accuracy};
    return values[metric];
}

static bool more_is_better(const struct monitor *monitor) {
    if (monitor->mode != MONITOR_AUTO) return monitor->mode == MONITOR_MAX;
    return monitor->metric == METRIC_ACCURACY || monitor->metric == METRIC_VAL_ACCURACY;
}

bool monitor_improves(const struct monitor *monitor, double value, double than) {
    if (more_is_better(monitor)) return value - monitor->min_delta > than;
    return value + monitor->min_delta < than;
}

double monitor_worst(const struct monitor *monitor) {
    return more_is_better(monitor) ? -INFINITY : INFINITY;
}

const struct history_epoch *callback_last(const struct callback_epoch *epoch) {
    return &epoch->history->epochs[epoch->history->count - 1];
}

bool callback_error(const struct callback_options *options, struct error *error, const char *format,
                    ...) {
    char message[900];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return error_set(error, "%s:%d: %s: %s", options->file, options->line,
                     types[options->kind]->name, message);
}

/* --- the callbacks of a run --- */

/* Makes the folder that a callback writes into, so that what is in the way is told before the
 * training. Where figures are part of its name it is made when they are known. */
static bool prepare_path(const struct callback_options *options, const char *directory,
                         struct error *error) {
    bool is_folder = types[options->kind]->writes_folder;
    const char *slash = strrchr(options->path, '/');
    size_t length = is_folder ? strlen(options->path) : slash ? (size_t)(slash - options->path) : 0;
    char *name = strndup(options->path, length),
         *folder = name ? files_join(directory, name) : NULL;
    char *path = files_join(directory, options->path);
    struct error reason = {.text = ""};

    if (!folder || !path)
        error_set(&reason, "out of memory");
    else if (length && !strchr(name, '{'))
        files_make_folder(folder, &reason);
    if (path && !is_folder && files_is_folder(path))
        error_set(&reason, "%s: cannot write: it is a folder", path);
    free(name);
    free(folder);
    free(path);
    return !reason.text[0] || callback_error(options, error, "%s", reason.text);
}

static bool check(const struct callback_options *options, bool has_validation, bool has_accuracy,
                  const char *directory, struct error *error) {
    const struct callback_type *type = types[options->kind];
    enum metric metric = options->monitor.metric;
    bool of_validation = metric == METRIC_VAL_LOSS || metric == METRIC_VAL_ACCURACY;
    bool of_accuracy = metric == METRIC_ACCURACY || metric == METRIC_VAL_ACCURACY;
    if (type->monitors && of_validation && !has_validation)
        return callback_error(options, error,
                              "it monitors %s, but no validation data are set aside; give "
                              "validation_split = 0.1, or monitor = \"%s\"",
                              metric_name(metric),
                              metric_name(of_accuracy ? METRIC_ACCURACY : METRIC_LOSS));
    if (type->monitors && of_accuracy && !has_accuracy)
        return callback_error(options, error,
                              "it monitors %s, but the model has no accuracy; give metrics = { "
                              "\"accuracy\" }, or monitor = \"%s\"",
                              metric_name(metric),
                              metric_name(of_validation ? METRIC_VAL_LOSS : METRIC_LOSS));
    if (type->writes && !directory)
        return callback_error(options, error,
                              "it writes \"%s\" into the directory of the run; give --save DIR",
                              options->path);
    return !type->writes || prepare_path(options, directory, error);
}

bool callbacks_new(const struct callback_options *options, int count, bool has_validation,
                   bool has_accuracy, const char *directory, struct callbacks **callbacks,
                   struct error *error) {
    *callbacks = calloc(1, sizeof **callbacks);
    struct callback *list = calloc((size_t)count + 1, sizeof *list);
    if (*callbacks) (*callbacks)->list = list;
    if (!*callbacks || !list) {
        if (!*callbacks) free(list);
        return error_set(error, "out of memory");
    }
    (*callbacks)->count = count;
    for (int i = 0; i < count; i++)
        list[i] = (struct callback){&options[i], directory, {0}, NULL, 0};
    for (int i = 0; i < count; i++)
        if (!check(&options[i], has_validation, has_accuracy, directory, error)) return false;
    return true;
}

void callbacks_free(struct callbacks *callbacks) {
    if (!callbacks) return;
    for (int i = 0; i < callbacks->count; i++) {
        struct callback *callback = &callbacks->list[i];
        if (type_of(callback)->close) type_of(callback)->close(callback);
    }
    free(callbacks->list);
    free(callbacks);
}

double callbacks_learning_rate(const struct callbacks *callbacks, double scheduled) {
    for (int i = 0; i < callbacks->count; i++) {
        const struct callback *callback = &callbacks->list[i];
        if (type_of(callback)->learning_rate)
            scheduled = type_of(callback)->learning_rate(callback, scheduled);
    }
    return scheduled;
}

bool callbacks_step_end(struct callbacks *callbacks, const struct callback_step *step,
                        struct error *error) {
    for (int i = 0; i < callbacks->count; i++) {
        struct callback *callback = &callbacks->list[i];
        if (type_of(callback)->step_end && !type_of(callback)->step_end(callback, step, error))
            return false;
    }
    return true;
}

bool callbacks_epoch_end(struct callbacks *callbacks, struct callback_epoch *epoch,
                         struct error *error) {
    for (int i = 0; i < callbacks->count; i++) {
        struct callback *callback = &callbacks->list[i];
        if (type_of(callback)->epoch_end && !type_of(callback)->epoch_end(callback, epoch, error))
            return false;
    }
    return true;
}

/* --- checkpoints: of each callback its kind and what it remembers --- */

int callbacks_state_size(const struct callbacks *callbacks) {
    return callbacks->count * (1 + CALLBACK_STATE);
}

void callbacks_save(const struct callbacks *callbacks, double *state) {
    for (int i = 0; i < callbacks->count; i++, state += 1 + CALLBACK_STATE) {
        const struct callback *callback = &callbacks->list[i];
        state[0] = (double)callback->options->kind;
        memcpy(state + 1, callback->state, sizeof callback->state);
    }
}

bool callbacks_restore(struct callbacks *callbacks, const double *state, long size, long step,
                       struct error *error) {
    bool same = size == callbacks_state_size(callbacks);
    for (int i = 0; same && i < callbacks->count; i++)
        same = state[i * (1 + CALLBACK_STATE)] == (double)callbacks->list[i].options->kind;
    if (!same)
        return error_set(error, "the run was begun with other callbacks than these; a resumed run "
                                "needs the same, in the same order");
    for (int i = 0; i < callbacks->count; i++) {
        struct callback *callback = &callbacks->list[i];
        memcpy(callback->state, state + i * (1 + CALLBACK_STATE) + 1, sizeof callback->state);
        callback->resumed_step = step;
    }
    return true;
}
