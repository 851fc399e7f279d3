/* dataset_folder.c: finding and opening a data set of four IDX files (see dataset.h). */
#include "dataset.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TRAIN_SAMPLES, TRAIN_LABELS, TEST_SAMPLES, TEST_LABELS, FILES };

/* A '-' or a '.' stands between the beginning and an ending. What a file holds is told by its
 * content: the other endings are those that one-hot labels would have. */
enum { ENDINGS = 3 };
static const struct {
    const char *beginning, *endings[ENDINGS];
} file_names[FILES] = {{"train-images", {"idx3-ubyte"}},
                       {"train-labels", {"idx1-ubyte", "idx2-ubyte", "idx2-float"}},
                       {"t10k-images", {"idx3-ubyte"}},
                       {"t10k-labels", {"idx1-ubyte", "idx2-ubyte", "idx2-float"}}};

/* --- one half: samples and labels --- */

static bool set_samples(const char *path, const struct array *array, struct dataset *dataset,
                        struct error *error) {
    if (array->rank < 2 || array->rank > 4)
        return error_set(error,
                         "%s: samples must have 2 to 4 axes (samples, height, width, "
                         "channels), not %d",
                         path, array->rank);
    if (array->elements == 0) return error_set(error, "%s: holds no samples", path);
    dataset->count = array->size[0];
    dataset->sample_size = array->elements / array->size[0];
    dataset->rank = array->rank - 1;
    for (int axis = 0; axis < dataset->rank; axis++) dataset->shape[axis] = array->size[axis + 1];
    if (dataset->rank == 2) dataset->shape[dataset->rank++] = 1; /* gray images */
    if (array->type == ARRAY_U8) {
        dataset->bytes = array->data;
        return true;
    }
    dataset->floats = dataset->owned[0] = array_floats(array);
    if (!dataset->floats) return error_set(error, "%s: out of memory", path);
    return samples_are_finite(path, dataset->floats, dataset->count, dataset->sample_size, error);
}

static bool open_samples(const char *path, struct dataset *dataset, struct error *error) {
    struct array array;
    return files_view(path, &dataset->view, error) &&
           idx_parse(path, &dataset->view, &array, error) &&
           set_samples(path, &array, dataset, error);
}

void dataset_unload(struct dataset *dataset) {
    if (!dataset->path) return;
    files_view_close(&dataset->view);
    free(dataset->owned[0]);
    dataset->owned[0] = NULL;
    dataset->bytes = NULL;
    dataset->floats = NULL;
}

bool dataset_load(struct dataset *dataset, struct error *error) {
    if (!dataset->path || dataset->bytes || dataset->floats) return true;
    struct dataset now = {0};
    bool fine = open_samples(dataset->path, &now, error);
    if (fine && (now.count != dataset->count || now.rank != dataset->rank ||
                 memcmp(now.shape, dataset->shape, sizeof now.shape)))
        fine = error_set(error, "%s: is no longer the file that it was when the work began",
                         dataset->path);
    if (!fine) {
        dataset_close(&now);
        return false;
    }
    dataset->view = now.view;
    dataset->owned[0] = now.owned[0];
    dataset->bytes = now.bytes;
    dataset->floats = now.floats;
    return true;
}

/* --- labels: class numbers, or one-hot rows, which become class numbers --- */

/* One byte a sample. */
static bool read_numbers(const char *path, const struct array *array, int *labels,
                         struct error *error) {
    if (array->type != ARRAY_U8)
        return error_set(error, "%s: labels of one axis are class numbers: bytes", path);
    for (long i = 0; i < array->size[0]; i++) labels[i] = array->data[i];
    return true;
}

/* The class of a row: where its 1 is; -1 unless all else is 0. values: floats or bytes. */
static int class_of_row(const float *floats, const uint8_t *bytes, long classes) {
    int found = -1;
    for (long k = 0; k < classes; k++) {
        bool one = floats ? floats[k] == 1 : bytes[k] == 1;
        bool zero = floats ? floats[k] == 0 : bytes[k] == 0;
        if (zero) continue;
        if (!one || found >= 0) return -1;
        found = (int)k;
    }
    return found;
}

static bool read_one_hot(const char *path, const struct array *array, int *labels,
                         struct error *error) {
    long classes = array->size[1];
    float *floats = array->type == ARRAY_U8 ? NULL : array_floats(array);
    bool good = array->type == ARRAY_U8 || floats;

    if (!good) error_set(error, "%s: out of memory", path);
    for (long i = 0; good && i < array->size[0]; i++) {
        labels[i] =
            class_of_row(floats ? floats + i * classes : NULL, array->data + i * classes, classes);
        if (labels[i] < 0)
            good = error_set(error,
                             "%s: row %ld (from 0) is no one-hot label: a row has a 1 at its class "
                             "and %ld times 0",
                             path, i, classes - 1);
    }
    free(floats);
    return good;
}

static bool check_labels(const char *path, const char *samples_path, const struct array *array,
                         const struct class_names *names, const char *named_by, long samples,
                         struct error *error) {
    if (array->rank > 2 || (array->rank == 2 && (array->size[1] < 2 || array->size[1] > INT_MAX)))
        return error_set(error,
                         "%s: labels must be one axis of class numbers, or one-hot: two axes, "
                         "samples x classes, of at least 2 classes",
                         path);
    if (array->size[0] != samples)
        return error_set(error, "%s: holds %ld labels, but %s holds %ld samples", path,
                         array->size[0], samples_path, samples);
    if (array->rank == 2 && names->names && array->size[1] != names->count)
        return error_set(error, "%s: one-hot labels of %ld classes, but %s has %d", path,
                         array->size[1], named_by, names->count);
    return true;
}

static bool set_labels(const char *path, const char *samples_path, const struct array *array,
                       const struct class_names *names, const char *named_by,
                       struct dataset *dataset, struct error *error) {
    if (!check_labels(path, samples_path, array, names, named_by, dataset->count, error))
        return false;
    int *labels = malloc(sizeof *labels * (size_t)dataset->count);
    if (!labels) return error_set(error, "%s: out of memory", path);
    dataset->labels = dataset->owned[1] = labels;
    if (!(array->rank == 1 ? read_numbers : read_one_hot)(path, array, labels, error)) return false;
    if (array->rank == 2) dataset->classes = (int)array->size[1];
    for (long i = 0; i < dataset->count; i++) {
        if (labels[i] >= dataset->classes) dataset->classes = labels[i] + 1;
        if (names->names && labels[i] >= names->count)
            return error_set(error, "%s: label %d of sample %ld: %s has the classes 0 to %d", path,
                             labels[i], i, named_by, names->count - 1);
    }
    if (names->names) {
        dataset->classes = names->count;
        dataset->class_names = names->names;
    }
    return true;
}

static bool open_half(const char *samples, const char *labels, const struct class_names *names,
                      const char *named_by, struct dataset *dataset, struct error *error) {
    if (!open_samples(samples, dataset, error)) return false;
    dataset->path = files_join("", samples);
    if (!dataset->path) return error_set(error, "%s: out of memory", samples);
    struct file_view view;
    struct array array;
    if (!files_view(labels, &view, error)) return false;
    bool fine = idx_parse(labels, &view, &array, error) &&
                set_labels(labels, samples, &array, names, named_by, dataset, error);
    files_view_close(&view);
    return fine;
}

/* --- a folder --- */

/* The names of the classes: those of classes.txt, else those that go with the name of the data set.
 * *named_by, for messages, is to be freed. */
static bool find_class_names(const char *folder, const char *name, struct class_names *names,
                             char **named_by, struct error *error) {
    char *path = files_join(folder, "classes.txt");
    if (!path) return error_set(error, "out of memory");
    *named_by = path;
    if (files_exist(path)) return class_names_read(path, names, error);
    free(path);
    size_t length = strlen(name);
    while (length > 0 && name[length - 1] == '/') length--;
    size_t start = length;
    while (start > 0 && name[start - 1] != '/') start--;
    *named_by = strndup(name + start, length - start);
    if (!*named_by) return error_set(error, "out of memory");
    *names = class_names_known(*named_by);
    return true;
}

/* The path of a file in any of its spellings; plain ones first. NULL: not there. */
static char *find_file(const char *folder, int file) {
    for (int i = 0; i < 4 * ENDINGS; i++) {
        char name[64];
        const char *ending = file_names[file].endings[i / 4];
        if (!ending) break;
        snprintf(name, sizeof name, "%s%c%s%s", file_names[file].beginning, i % 2 ? '.' : '-',
                 ending, i % 4 < 2 ? "" : ".gz");
        char *path = files_join(folder, name);
        if (!path || files_exist(path)) return path;
        free(path);
    }
    return NULL;
}

static bool open_files(char *const path[FILES], const char *named_by, struct dataset_pair *pair,
                       struct error *error) {
    struct dataset *train = &pair->train, *test = &pair->test;
    const struct class_names *names = &pair->class_names;
    if (!open_half(path[TRAIN_SAMPLES], path[TRAIN_LABELS], names, named_by, train, error) ||
        !open_half(path[TEST_SAMPLES], path[TEST_LABELS], names, named_by, test, error))
        return false;
    if (train->rank != test->rank || memcmp(train->shape, test->shape, sizeof train->shape)) {
        char one[128], other[128];
        return error_set(
            error, "%s: its samples are %s, but those of %s are %s", path[TEST_SAMPLES],
            dataset_shape_text(test->rank, test->shape, one, sizeof one), path[TRAIN_SAMPLES],
            dataset_shape_text(train->rank, train->shape, other, sizeof other));
    }
    int classes = train->classes > test->classes ? train->classes : test->classes;
    train->classes = test->classes = classes;
    return true;
}

enum outcome { OPENED, FAILED, NOT_THERE };

/* Opens the files of a folder; NOT_THERE when it has none of them. */
static enum outcome open_folder(const char *folder, const char *name, struct dataset_pair *pair,
                                struct error *error) {
    char *path[FILES];
    int found = 0, present = 0, missing = 0;
    for (int i = 0; i < FILES; i++) {
        path[i] = find_file(folder, i);
        found += path[i] != NULL;
        *(path[i] ? &present : &missing) = i;
    }
    enum outcome outcome = NOT_THERE;
    if (found == FILES) {
        char *named_by = NULL;
        bool opened = find_class_names(folder, name, &pair->class_names, &named_by, error) &&
                      open_files(path, named_by, pair, error);
        outcome = opened ? OPENED : FAILED;
        free(named_by);
    } else if (found > 0) {
        error_set(error, "%s: holds %s-%s, but not %s-%s[.gz]", folder,
                  file_names[present].beginning, file_names[present].endings[0],
                  file_names[missing].beginning, file_names[missing].endings[0]);
        outcome = FAILED;
    }
    for (int i = 0; i < FILES; i++) free(path[i]);
    if (outcome == OPENED) pair->folder = files_join(folder, "");
    if (outcome == OPENED && !pair->folder) {
        error_set(error, "out of memory");
        outcome = FAILED;
    }
    if (outcome != OPENED) dataset_pair_close(pair);
    return outcome;
}

/* --- the search --- */

struct search {
    const char *name;
    struct dataset_pair *pair;
    struct error *error;
    enum outcome outcome;
    char places[1200]; /* for the message */
    size_t used;
};

static void add_place(struct search *search, const char *place, const char *remark) {
    size_t room = sizeof search->places - search->used;
    int wrote = snprintf(search->places + search->used, room, "%s%s%s", search->used ? ", " : "",
                         place, remark);
    if (wrote > 0 && (size_t)wrote < room) search->used += (size_t)wrote;
}

/* Looks into base/middle/name, unless the search is over. */
static void look_into(struct search *search, const char *base, const char *middle) {
    if (search->outcome != NOT_THERE) return;
    char *upper = files_join(base, middle);
    char *folder = upper ? files_join(upper, search->name) : NULL;
    if (folder) {
        search->outcome = open_folder(folder, search->name, search->pair, search->error);
        add_place(search, folder, files_is_folder(folder) ? " (no such files)" : "");
    } else {
        error_set(search->error, "out of memory");
        search->outcome = FAILED;
    }
    free(upper);
    free(folder);
}

static void look_everywhere(struct search *search) {
    const char *data = getenv("LATHE_DATA"), *user = getenv("XDG_DATA_HOME");
    const char *home = getenv("HOME");
    look_into(search, "", "");
    if (strchr(search->name, '/')) return; /* a path, not a name */
    if (data && *data)
        look_into(search, data, "");
    else
        add_place(search, "$LATHE_DATA", " (not set)");
    look_into(search, "/usr/share/datasets", "");
    if (user && *user == '/')
        look_into(search, user, "lathe");
    else if (home && *home)
        look_into(search, home, ".local/share/lathe");
}

bool dataset_open(const char *name, struct dataset_pair *pair, struct error *error) {
    *pair = (struct dataset_pair){0};
    if (!*name) return error_set(error, "the name of the data set is empty");
    struct search search = {
        .name = name, .pair = pair, .error = error, .outcome = NOT_THERE, .used = 0};
    look_everywhere(&search);
    if (search.outcome != NOT_THERE) return search.outcome == OPENED;
    return error_set(
        error,
        "data set \"%s\" not found; searched: %s; needed is a folder that holds "
        "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and "
        "t10k-labels-idx1-ubyte, plain or gzipped (.gz)%s",
        name, search.places,
        strcmp(name, "fashion-mnist") ? "" : "; on Debian: apt install dataset-fashion-mnist");
}
