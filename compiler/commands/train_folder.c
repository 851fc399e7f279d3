/* train_folder.c: the folder that a run is saved to belongs to one process at a time. */
#include "train.h"
#include "../../runtime/lock.h"

bool train_take_folder(struct run *run, struct error *error) {
    const struct train_options *o = run->options;

    if (!o->save) return true;
    if (o->resume && !files_is_folder(o->save)) return true; /* to resume, there is nothing */
    return files_make_folder(o->save, error) && lock_folder(o->save, &run->lock, error);
}

void train_release_folder(struct run *run) {
    lock_release(run->lock);
    run->lock = -1;
}
