/* history.c: the figures of each epoch as CSV and JSON. */
#include "history.h"
#include "files.h"
#include "json.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool history_add(struct history *history, const struct history_epoch *epoch, struct error *error) {
    size_t size = (size_t)(history->count + 1) * sizeof *epoch;
    struct history_epoch *epochs = realloc(history->epochs, size);

    if (!epochs) return error_set(error, "out of memory");
    history->epochs = epochs;
    epochs[history->count++] = *epoch;
    return true;
}

void history_free(struct history *history) {
    free(history->epochs);
    history->epochs = NULL;
    history->count = 0;
}

/* The columns of both files; a column that the run does not have is left out. */
struct column {
    const char *name;
    double value;
    bool present;
};
enum { COLUMNS = 9 };

static void list_columns(const struct history *history, const struct history_epoch *epoch,
                         struct column columns[COLUMNS]) {
    bool accuracy = history->has_accuracy, validation = history->has_validation;
    const struct column list[COLUMNS] = {
        {"epoch", (double)epoch->epoch, true},
        {"step", (double)epoch->step, true},
        {"loss", epoch->loss, true},
        {"accuracy", epoch->accuracy, accuracy},
        {"validation_loss", epoch->validation_loss, validation},
        {"validation_accuracy", epoch->validation_accuracy, validation && accuracy},
        {"learning_rate", epoch->learning_rate, true},
        {"seconds", epoch->seconds, true},
        {"samples_per_second", epoch->samples_per_second, true},
    };
    memcpy(columns, list, sizeof list);
}

/* The shortest text that reads back as the same number. */
static void print_number(FILE *file, const struct column *column, const char *if_not_finite) {
    char text[40];

    if (!isfinite(column->value)) {
        fputs(if_not_finite, file);
        return;
    }
    if (column->value == floor(column->value) && fabs(column->value) < 1e15) {
        fprintf(file, "%.0f", column->value);
        return;
    }
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, column->value);
        if (strtod(text, NULL) == column->value) break;
    }
    fputs(text, file);
}

static void print_csv(FILE *file, const struct history *history) {
    struct column columns[COLUMNS];
    struct history_epoch heading = {0};

    for (long row = -1; row < history->count; row++) {
        list_columns(history, row < 0 ? &heading : &history->epochs[row], columns);
        for (int i = 0, printed = 0; i < COLUMNS; i++) {
            if (!columns[i].present) continue;
            if (printed++) fputc(',', file);
            if (row < 0)
                fputs(columns[i].name, file);
            else
                print_number(file, &columns[i], "");
        }
        fputc('\n', file);
    }
}

static void print_json(FILE *file, const struct history *history) {
    struct column columns[COLUMNS];

    fputs("[\n", file);
    for (long row = 0; row < history->count; row++) {
        list_columns(history, &history->epochs[row], columns);
        fputs("  {", file);
        for (int i = 0, printed = 0; i < COLUMNS; i++) {
            if (!columns[i].present) continue;
            fprintf(file, "%s\"%s\": ", printed++ ? ", " : "", columns[i].name);
            print_number(file, &columns[i], "null");
        }
        fprintf(file, "}%s\n", row + 1 < history->count ? "," : "");
    }
    fputs("]\n", file);
}

static bool save(const struct history *history, const char *directory, const char *name,
                 void (*print)(FILE *, const struct history *), struct error *error) {
    char *text = NULL, *path = files_join(directory, name);
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);

    if (file) print(file, history);
    bool complete = file && fclose(file) == 0;
    bool saved = false;
    if (path && complete)
        saved = files_write(path, &(struct file_part){text, size}, 1, error);
    else
        error_set(error, "out of memory");
    free(text);
    free(path);
    return saved;
}

bool history_save(const struct history *history, const char *directory, struct error *error) {
    return save(history, directory, "history.csv", print_csv, error) &&
           save(history, directory, "history.json", print_json, error);
}

/* --- reading --- */

static bool add_epochs(struct history *history, const cJSON *list, struct error *error) {
    const cJSON *item;
    cJSON_ArrayForEach(item, list) {
        struct history_epoch epoch = {
            .epoch = json_count(item, "epoch"),
            .step = json_count(item, "step"),
            .loss = json_number(item, "loss"),
            .accuracy = json_number(item, "accuracy"),
            .validation_loss = json_number(item, "validation_loss"),
            .validation_accuracy = json_number(item, "validation_accuracy"),
            .learning_rate = json_number(item, "learning_rate"),
            .seconds = json_number(item, "seconds"),
            .samples_per_second = json_number(item, "samples_per_second"),
        };
        history->has_accuracy = history->has_accuracy || cJSON_HasObjectItem(item, "accuracy");
        history->has_validation =
            history->has_validation || cJSON_HasObjectItem(item, "validation_loss");
        if (!history_add(history, &epoch, error)) return false;
    }
    return true;
}

bool history_load(struct history *history, const char *directory, struct error *error) {
    char *path = files_join(directory, "history.json");
    char *text = path ? files_read(path, NULL, error) : NULL;
    cJSON *list = text ? cJSON_Parse(text) : NULL;
    bool loaded = false;

    *history = (struct history){0};
    if (!path)
        error_set(error, "out of memory");
    else if (text && !cJSON_IsArray(list))
        error_set(error, "%s: is not a history of epochs", path);
    else if (text)
        loaded = add_epochs(history, list, error);
    if (!loaded) history_free(history);
    cJSON_Delete(list);
    free(text);
    free(path);
    return loaded;
}
