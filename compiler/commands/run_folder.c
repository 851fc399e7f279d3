/* run_folder.c: reads run.json and the files beside it (see run_folder.h). */
#include "run_folder.h"
#include "report_html.h"
#include "../../runtime/files.h"
#include "../../runtime/json.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>

enum { MOST_CLASSES = 10000, MOST_FOLDS = 10000 };

static const cJSON *item(const struct run_folder *run, const char *group, const char *name) {
    const cJSON *object =
        group ? cJSON_GetObjectItemCaseSensitive(run->record, group) : run->record;
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

const char *run_text(const struct run_folder *run, const char *group, const char *name) {
    const char *text = cJSON_GetStringValue(item(run, group, name));
    return text ? text : "";
}

double run_number(const struct run_folder *run, const char *group, const char *name) {
    return json_number(group ? cJSON_GetObjectItemCaseSensitive(run->record, group) : run->record,
                       name);
}

int run_history_count(const struct run_folder *run) {
    return run->fold_count ? run->fold_count : 1;
}

const struct history *const *run_histories(const struct run_folder *run) {
    int count = run_history_count(run);
    const struct history **list = ARENA_ARRAY(run->arena, const struct history *, count);
    for (int i = 0; i < count; i++)
        list[i] = run->fold_count ? &run->folds[i].history : &run->history;
    return list;
}

double run_epoch_seconds(const struct run_folder *run) {
    const struct history *const *histories = run_histories(run);
    double sum = 0;
    long epochs = 0;
    for (int i = 0; i < run_history_count(run); i++)
        for (long k = 0; k < histories[i]->count; k++, epochs++)
            sum += histories[i]->epochs[k].seconds;
    return epochs ? sum / (double)epochs : NAN;
}

const char *run_class(const struct run_folder *run, int class_number) {
    if (class_number >= 0 && class_number < run->names.count) return run->names.names[class_number];
    return arena_format(run->arena, "%d", class_number);
}

static bool read_record(struct run_folder *run, struct error *error) {
    char *path = files_join(run->path, "run.json");
    char *text = NULL;

    if (path && sweep_folder_is(run->arena, run->path))
        error_set(error,
                  "%s: is the folder of a sweep: name runs of it, as %s/runs/0001; `lathe report` "
                  "makes a page of the sweep",
                  run->path, run->path);
    else if (path && files_is_folder(run->path) && !files_exist(path))
        error_set(error,
                  "%s: is not the folder of a finished run: it has no run.json, which `lathe train "
                  "--save` writes at its end",
                  run->path);
    else if (path)
        text = files_read(path, NULL, error);
    run->record = text ? cJSON_Parse(text) : NULL;
    if (text && !cJSON_IsObject(run->record)) {
        error_set(error, "%s: is damaged: not a JSON object", path);
        cJSON_Delete(run->record);
        run->record = NULL;
    }
    free(text);
    free(path);
    return run->record != NULL;
}

static bool damaged(const struct run_folder *run, struct error *error) {
    return error_set(error, "%s/run.json: is damaged: its confusion_matrix is no square of counts",
                     run->path);
}

static bool read_confusion(struct run_folder *run, struct error *error) {
    const cJSON *matrix = item(run, NULL, "confusion_matrix"), *row, *cell;
    int classes = cJSON_GetArraySize(matrix), true_class = 0;

    if (!matrix) return true;
    if (classes < 1 || classes > MOST_CLASSES) return damaged(run, error);
    if (!confusion_init(&run->confusion, classes)) return error_set(error, "out of memory");
    cJSON_ArrayForEach(row, matrix) {
        int predicted = 0;
        if (cJSON_GetArraySize(row) != classes) return damaged(run, error);
        cJSON_ArrayForEach(cell, row) {
            if (!cJSON_IsNumber(cell) || !(cell->valuedouble >= 0 && cell->valuedouble < 1e15))
                return damaged(run, error);
            run->confusion.count[true_class * classes + predicted++] = (long)cell->valuedouble;
        }
        true_class++;
    }
    run->has_confusion = true;
    return true;
}

static bool read_names(struct run_folder *run, struct error *error) {
    char *path = files_join(run->path, "classes.txt");
    bool read = path != NULL;

    if (!path) return error_set(error, "out of memory");
    if (files_exist(path)) read = class_names_read(path, &run->names, error);
    free(path);
    if (read && run->names.names && run->has_confusion && run->names.count < run->confusion.classes)
        return error_set(error, "%s: classes.txt names %d classes, but run.json has %d", run->path,
                         run->names.count, run->confusion.classes);
    return read;
}

/* The parts that a single training and a fold have. */
static bool open_training(struct run_folder *run, struct error *error) {
    return history_load(&run->history, run->path, error) && read_confusion(run, error) &&
           read_names(run, error);
}

static bool open_fold(struct run_folder *run, int number, struct error *error) {
    const char *path = arena_format(run->arena, "%s/fold_%d", run->path, number);
    struct run_folder *fold = &run->folds[run->fold_count++];
    *fold = (struct run_folder){.arena = run->arena, .path = path};
    return read_record(fold, error) && open_training(fold, error);
}

static bool open_folds(struct run_folder *run, int count, struct error *error) {
    run->folds = ARENA_ARRAY(run->arena, struct run_folder, count);
    for (int number = 1; number <= count; number++)
        if (!open_fold(run, number, error)) return false;
    return true;
}

/* How many folds the run has; 0: it is a single training, or one of the folds. */
static int count_folds(const struct run_folder *run) {
    double folds = run_number(run, "recipe", "folds");
    return folds >= 1 && folds <= MOST_FOLDS && isnan(run_number(run, "recipe", "fold"))
               ? (int)folds
               : 0;
}

bool run_folder_open(struct run_folder *run, struct arena *arena, const char *path,
                     struct error *error) {
    *run = (struct run_folder){.arena = arena, .path = path};
    if (read_record(run, error)) {
        int folds = count_folds(run);
        if (folds ? open_folds(run, folds, error) : open_training(run, error)) return true;
    }
    run_folder_close(run);
    return false;
}

void run_folder_close(struct run_folder *run) {
    for (int i = 0; i < run->fold_count; i++) run_folder_close(&run->folds[i]);
    cJSON_Delete(run->record);
    history_free(&run->history);
    confusion_free(&run->confusion);
    class_names_free(&run->names);
    *run = (struct run_folder){0};
}
