/* csv_logger.c: the figures of each epoch in a CSV file with Keras's columns: epochs from 0, then
 * the metrics in the order of their names. It is written whole each time: what a stop cut off is
 * there again after a resume. */
#include "callback_type.h"
#include "files.h"

#include <stdio.h>
#include <stdlib.h>

static void print_rows(FILE *file, const struct history *history, char separator) {
    bool accuracy = history->has_accuracy, validation = history->has_validation;
    const struct {
        const char *name;
        bool present;
    } columns[] = {{"accuracy", accuracy},
                   {"learning_rate", true},
                   {"loss", true},
                   {"val_accuracy", accuracy && validation},
                   {"val_loss", validation}};

    fputs("epoch", file);
    for (int i = 0; i < 5; i++)
        if (columns[i].present) fprintf(file, "%c%s", separator, columns[i].name);
    fputc('\n', file);
    for (long row = 0; row < history->count; row++) {
        const struct history_epoch *epoch = &history->epochs[row];
        const double values[] = {epoch->accuracy, epoch->learning_rate, epoch->loss,
                                 epoch->validation_accuracy, epoch->validation_loss};
        fprintf(file, "%ld", epoch->epoch - 1);
        for (int i = 0; i < 5; i++)
            if (columns[i].present) fprintf(file, "%c%.17g", separator, values[i]);
        fputc('\n', file);
    }
}

static bool epoch_end(struct callback *callback, struct callback_epoch *epoch,
                      struct error *error) {
    char *text = NULL, *path = files_join(callback->directory, callback->options->path);
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    bool written = false;

    if (file) print_rows(file, epoch->history, callback->options->separator);
    bool complete = file && fclose(file) == 0;
    if (path && complete)
        written = files_write(path, &(struct file_part){text, size}, 1, error);
    else
        error_set(error, "out of memory");
    free(text);
    free(path);
    return written;
}

const struct callback_type callback_csv_logger = {
    .name = "csv_logger", .writes = true, .epoch_end = epoch_end};
