/* run_folder.c: reads run.json and the files beside it (see run_folder.h). */
#include "run_folder.h"
#include "../../runtime/files.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>

enum { MOST_CLASSES = 10000 };

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
    const cJSON *value = item(run, group, name);
    return cJSON_IsNumber(value) ? value->valuedouble : NAN;
}

const char *run_class(const struct run_folder *run, int class_number) {
    if (class_number >= 0 && class_number < run->names.count) return run->names.names[class_number];
    return arena_format(run->arena, "%d", class_number);
}

static bool read_record(struct run_folder *run, struct error *error) {
    char *path = files_join(run->path, "run.json");
    char *text = NULL;

    if (path && files_is_folder(run->path) && !files_exist(path))
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

bool run_folder_open(struct run_folder *run, struct arena *arena, const char *path,
                     struct error *error) {
    *run = (struct run_folder){.arena = arena, .path = path};
    if (read_record(run, error) && history_load(&run->history, path, error) &&
        read_confusion(run, error) && read_names(run, error))
        return true;
    run_folder_close(run);
    return false;
}

void run_folder_close(struct run_folder *run) {
    cJSON_Delete(run->record);
    history_free(&run->history);
    confusion_free(&run->confusion);
    class_names_free(&run->names);
    *run = (struct run_folder){0};
}
