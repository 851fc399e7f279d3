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
    struct cJSON *record; /* run.json */
    struct history history;
    bool has_confusion; /* tested, with accuracy */
    struct confusion confusion;
    struct class_names names; /* of the classes; names NULL: not known */
};

/** Reads a run's folder. On failure (a message tells which file) there is nothing to close. */
bool run_folder_open(struct run_folder *run, struct arena *arena, const char *path,
                     struct error *error);
void run_folder_close(struct run_folder *run);

/** A text or a number of run.json, `group` one of its objects (NULL: run.json itself); "" and NAN
 * where there is none. */
const char *run_text(const struct run_folder *run, const char *group, const char *name);
double run_number(const struct run_folder *run, const char *group, const char *name);

/** The name of a class, or its number. */
const char *run_class(const struct run_folder *run, int class_number);

/* --- run_pictures.c --- */

/** Draw into a .png or .svg file. False without a message where the run has no such thing: the test
 * was perfect or left out, the first layer has no pictures to show. */
bool run_draw_curves(const struct run_folder *run, const char *path, struct error *error);
bool run_draw_confusion(const struct run_folder *run, const char *path, struct error *error);
bool run_draw_mistakes(const struct run_folder *run, const char *path, struct error *error);
bool run_draw_filters(const struct run_folder *run, const char *path, struct error *error);

#endif
