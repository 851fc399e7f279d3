/* model_checkpoint.c: saves the weights at the end of each epoch, or of each that is better than
 * all before. The path may hold figures of the epoch: "{epoch:02d}-{val_loss:.2f}.safetensors". */
#include "callback_type.h"
#include "files.h"
#include "weights.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BEST, BEGUN };
enum { LONGEST_PATH = 400 };

/* Prints the figure that stands between braces: NAME, NAME:02d or NAME:.4f. False: it is none. */
static bool print_figure(const char *text, size_t length, const struct history_epoch *epoch,
                         char *out, size_t room) {
    size_t name = strcspn(text, ":}");
    int width = 0, digits = -1, used = 0;
    char letter = '\0', format[40] = "";

    if (name > length || length >= sizeof format) return false;
    if (text[name] == ':')
        snprintf(format, sizeof format, "%.*s", (int)(length - name - 1), text + name + 1);
    if (*format && sscanf(format, "%2d%c%n", &width, &letter, &used) != 2 &&
        sscanf(format, ".%1d%c%n", &digits, &letter, &used) != 2)
        return false;
    if (*format && format[used]) return false;
    if (name == 5 && strncmp(text, "epoch", 5) == 0) {
        if (*format && (letter != 'd' || width < 0)) return false;
        return snprintf(out, room, format[0] == '0' ? "%0*ld" : "%*ld", width, epoch->epoch) <
               (int)room;
    }
    for (int metric = 0; metric < METRICS; metric++) {
        const char *known = metric_name((enum metric)metric);
        if (strlen(known) != name || strncmp(text, known, name) != 0) continue;
        if (*format && (letter != 'f' || digits < 0)) return false;
        return snprintf(out, room, "%.*f", digits < 0 ? 6 : digits,
                        metric_value((enum metric)metric, epoch)) < (int)room;
    }
    return false;
}

bool model_checkpoint_path(const char *pattern, const struct history_epoch *epoch, char *path,
                           size_t size) {
    size_t used = 0;

    while (*pattern) {
        size_t length = strcspn(pattern, "{");
        if (used + length + 1 > size) return false;
        memcpy(path + used, pattern, length);
        used += length;
        pattern += length;
        if (*pattern != '{') break;
        length = strcspn(++pattern, "}");
        if (!pattern[length] || !print_figure(pattern, length, epoch, path + used, size - used))
            return false;
        used += strlen(path + used);
        pattern += length + 1;
    }
    path[used] = '\0';
    return true;
}

/* Makes the folder that the file is to stand in. */
static bool make_folder_of(const char *path, struct error *error) {
    char folder[4096];
    const char *slash = strrchr(path, '/');

    if (!slash || (size_t)(slash - path) >= sizeof folder) return true;
    snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
    return files_make_folder(folder, error);
}

static bool save(const struct callback *callback, const struct callback_epoch *epoch,
                 struct error *error) {
    char name[LONGEST_PATH];

    if (!model_checkpoint_path(callback->options->path, callback_last(epoch), name, sizeof name))
        return callback_error(callback->options, error,
                              "filepath \"%s\" is too long with its figures",
                              callback->options->path);
    char *path = files_join(callback->directory, name);
    if (!path) return error_set(error, "out of memory");
    bool saved =
        make_folder_of(path, error) && weights_save(path, epoch->program, epoch->space,
                                                    epoch->metadata, epoch->metadata_count, error);
    free(path);
    return saved;
}

static bool epoch_end(struct callback *callback, struct callback_epoch *epoch,
                      struct error *error) {
    const struct callback_options *options = callback->options;
    double *state = callback->state;

    if (!state[BEGUN])
        state[BEST] =
            options->has_threshold ? options->threshold : monitor_worst(&options->monitor);
    state[BEGUN] = 1;
    if (!options->save_best_only) return save(callback, epoch, error);
    double value = metric_value(options->monitor.metric, callback_last(epoch));
    if (!monitor_improves(&options->monitor, value, state[BEST])) return true;
    state[BEST] = value;
    return save(callback, epoch, error);
}

const struct callback_type callback_model_checkpoint = {
    .name = "model_checkpoint", .monitors = true, .writes = true, .epoch_end = epoch_end};
