/* run_folder.h: the folder of a run, as `lathe train --save` leaves it, read again; and its
 * pictures.
 */
#ifndef LATHE_RUN_FOLDER_H
#define LATHE_RUN_FOLDER_H

#include "../base/arena.h"
#include "../../runtime/class_names.h"
#include "../../runtime/history.h"
#include "../../runtime/metrics.h"

struct run_folder {
    struct arena *arena;
    const char *path;
    struct cJSON *record;     /* run.json */
    struct history history;   /* empty where there are folds */
    struct run_folder *folds; /* of a cross-validation, each a run of its own */
    int fold_count;           /* 0: a single training */
    bool has_confusion;       /* tested, with accuracy */
    struct confusion confusion;
    struct class_names names; /* of the classes; names NULL: not known */
};

/** Reads a run's folder, of a cross-validation those of its folds too. On failure (a message tells
 * which file) there is nothing to close. */
bool run_folder_open(struct run_folder *run, struct arena *arena, const char *path,
                     struct error *error);
void run_folder_close(struct run_folder *run);

/** A text or a number of run.json, `group` one of its objects (NULL: run.json itself); "" and NAN
 * where there is none. */
const char *run_text(const struct run_folder *run, const char *group, const char *name);
double run_number(const struct run_folder *run, const char *group, const char *name);

/** Mean seconds of an epoch, over all folds; NAN when there is none. */
double run_epoch_seconds(const struct run_folder *run);

/** Its histories, one for each fold: a list of run_history_count(run), from the arena. */
int run_history_count(const struct run_folder *run);
const struct history *const *run_histories(const struct run_folder *run);

/** The name of a class, or its number. */
const char *run_class(const struct run_folder *run, int class_number);

/* --- run_pictures.c --- */

/** Whether the files that pictures are drawn from can be read, as far as the run has them; else a
 * message. */
bool run_check_pictures(const struct run_folder *run, struct error *error);

/** Draw into a .png or .svg file. False without a message where the run has no such thing: the test
 * was perfect or left out, the first layer has no pictures to show. */
bool run_draw_curves(const struct run_folder *run, const char *path, struct error *error);
bool run_draw_confusion(const struct run_folder *run, const char *path, struct error *error);
bool run_draw_mistakes(const struct run_folder *run, const char *path, struct error *error);
bool run_draw_filters(const struct run_folder *run, const char *path, struct error *error);

#endif
