/* history.h: the figures of each epoch, and their files. */
#ifndef LATHE_HISTORY_H
#define LATHE_HISTORY_H

#include "error.h"

#include <stdbool.h>

struct history_epoch {
    long epoch, step; /* both from 1: the epoch, and the number of steps at its end */
    double loss, accuracy;
    double validation_loss, validation_accuracy; /* NAN: no validation samples */
    double learning_rate;
    double seconds, samples_per_second;
};

struct history {
    struct history_epoch *epochs;
    long count;
    bool has_accuracy, has_validation;
};

/** Appends an epoch. */
bool history_add(struct history *history, const struct history_epoch *epoch, struct error *error);
void history_free(struct history *history);

/** Writes directory/history.csv and directory/history.json, each atomically. */
bool history_save(const struct history *history, const char *directory, struct error *error);

/** Reads directory/history.json back; the caller frees it. */
bool history_load(struct history *history, const char *directory, struct error *error);

#endif
