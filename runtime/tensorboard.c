/* tensorboard.c: writes the figures of each epoch, and histograms of the weights, for TensorBoard.
 * Folders and names are those of Keras: train/ and validation/, epoch_loss, epoch_accuracy, ...;
 * epochs count from 0. With update_freq also the means over the epoch so far, batch_loss and
 * batch_accuracy; steps count from 1. */
#include "callback_type.h"
#include "event_file.h"
#include "files.h"

#include <stdio.h>
#include <stdlib.h>

struct tensorboard {
    struct event_file *train, *validation; /* the second one may be NULL */
};

static struct event_file *open_part(const struct callback *callback, const char *part,
                                    int64_t first_epoch, struct error *error) {
    char *folder = files_join(callback->directory, callback->options->path);
    char *path = folder ? files_join(folder, part) : NULL;
    struct event_file *file = NULL;

    if (path)
        file = event_file_new(path, first_epoch, error);
    else
        error_set(error, "out of memory");
    free(folder);
    free(path);
    return file;
}

/* The first epoch or step of a process opens the files. A resumed run tells readers to forget the
 * epochs that it trains again, but not when there are figures of steps: they would be forgotten by
 * the number of the epoch. */
static struct tensorboard *open_files(struct callback *callback, bool has_validation, long epoch,
                                      struct error *error) {
    long first = callback->resumed_step && !callback->options->update_freq ? epoch : 0;

    if (callback->resource) return callback->resource;
    struct tensorboard *files = callback->resource = calloc(1, sizeof *files);
    if (!files) error_set(error, "out of memory");
    if (!files) return NULL;
    files->train = open_part(callback, "train", first, error);
    if (!files->train) return NULL;
    if (!has_validation) return files;
    files->validation = open_part(callback, "validation", first, error);
    return files->validation ? files : NULL;
}

static bool write_histograms(struct event_file *file, int64_t step,
                             const struct callback_epoch *epoch, struct error *error) {
    const struct program *program = epoch->program;

    for (int i = 0; i < program->variable_count; i++) {
        const struct program_variable *variable = &program->variables[i];
        char tag[200];
        snprintf(tag, sizeof tag, "%s/histogram", variable->name);
        if (!event_file_histogram(file, step, tag, epoch->space[variable->space] + variable->offset,
                                  variable->elements, error))
            return false;
    }
    return true;
}

static bool write_figures(struct event_file *file, int64_t step, bool has_accuracy, double loss,
                          double accuracy, struct error *error) {
    return event_file_scalar(file, step, "epoch_loss", loss, error) &&
           (!has_accuracy || event_file_scalar(file, step, "epoch_accuracy", accuracy, error));
}

/* As Keras does: every update_freq steps, counted over all epochs. */
static bool step_end(struct callback *callback, const struct callback_step *step,
                     struct error *error) {
    long frequency = callback->options->update_freq;

    if (!frequency || step->step % frequency != 0) return true;
    struct tensorboard *files = open_files(callback, step->has_validation, 0, error);
    return files && event_file_scalar(files->train, step->step, "batch_loss", step->loss, error) &&
           (!step->has_accuracy ||
            event_file_scalar(files->train, step->step, "batch_accuracy", step->accuracy, error));
}

static bool epoch_end(struct callback *callback, struct callback_epoch *epoch,
                      struct error *error) {
    const struct history_epoch *last = callback_last(epoch);
    bool has_accuracy = epoch->history->has_accuracy;
    long frequency = callback->options->histogram_freq, step = last->epoch - 1;

    struct tensorboard *files = open_files(callback, epoch->history->has_validation, step, error);
    if (!files) return false;
    if (!write_figures(files->train, step, has_accuracy, last->loss, last->accuracy, error) ||
        !event_file_scalar(files->train, step, "epoch_learning_rate", last->learning_rate, error))
        return false;
    if (frequency && step % frequency == 0 && !write_histograms(files->train, step, epoch, error))
        return false;
    if (!event_file_flush(files->train, error)) return false;
    if (!files->validation) return true;
    return write_figures(files->validation, step, has_accuracy, last->validation_loss,
                         last->validation_accuracy, error) &&
           event_file_flush(files->validation, error);
}

static void close_files(struct callback *callback) {
    struct tensorboard *files = callback->resource;

    if (!files) return;
    event_file_close(files->train);
    event_file_close(files->validation);
    free(files);
}

const struct callback_type callback_tensorboard = {.name = "tensorboard",
                                                   .writes = true,
                                                   .writes_folder = true,
                                                   .epoch_end = epoch_end,
                                                   .step_end = step_end,
                                                   .close = close_files};
