/* train_folder.c: the folder that a run is saved to belongs to one process at a time. */
#include "train.h"
#include "../base/text.h"
#include "../../runtime/lock.h"

#include <string.h>

/* Files of each training, of a cross-validation those of a fold. */
static const char *const own_files[] = {
    "best.safetensors",     "last.safetensors", "history.csv", "history.json",
    "classes.txt",          "run.json",         "model/*",     "worst_mistakes.safetensors",
    "cross_validation.json"};

/* The path of a callback as a pattern: figures in braces may be anything. */
static const char *path_pattern(struct arena *arena, const char *path) {
    struct text text = {.arena = arena};
    for (; *path; path++) {
        size_t figure = *path == '{' ? strcspn(path, "}") : 0;
        if (strchr("*?[\\", *path)) text_put(&text, "\\");
        if (figure)
            text_put(&text, "*");
        else
            text_add(&text, "%c", *path);
        if (figure) path += path[figure] ? figure : figure - 1;
    }
    return text_string(&text);
}

static void remove_temporary(const struct run *run, const char *folder) {
    for (size_t i = 0; i < sizeof own_files / sizeof *own_files; i++)
        files_remove_temporary(arena_format(run->arena, "%s/%s", folder, own_files[i]));
    for (int i = 0; i < run->callbacks.count; i++)
        if (run->callbacks.options[i].path)
            files_remove_temporary(
                arena_format(run->arena, "%s/%s", folder,
                             path_pattern(run->arena, run->callbacks.options[i].path)));
}

/* What a run that was killed while it wrote has left. */
static void clean_folder(const struct run *run) {
    const struct train_options *o = run->options;

    remove_temporary(run, o->save);
    for (long fold = 1; fold <= o->folds; fold++) {
        const char *folder = arena_format(run->arena, "%s/fold_%ld", o->save, fold);
        if (!files_is_folder(folder)) break;
        remove_temporary(run, folder);
    }
}

bool train_take_folder(struct run *run, struct error *error) {
    const struct train_options *o = run->options;

    if (!o->save) return true;
    if (o->resume && !files_is_folder(o->save)) return true; /* to resume, there is nothing */
    if (!files_make_folder(o->save, error) || !lock_folder(o->save, &run->lock, error))
        return false;
    clean_folder(run);
    return true;
}

void train_release_folder(struct run *run) {
    lock_release(run->lock);
    run->lock = -1;
}
