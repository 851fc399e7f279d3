/* class_names.h: what the classes of a data set are called.
 *
 * Names come from the data set (known sets, or classes.txt in its folder), go into the weights that
 * training saves, and are shown wherever a class is. As text they are one name a line, class 0
 * first: UTF-8, no name twice. */
#ifndef LATHE_CLASS_NAMES_H
#define LATHE_CLASS_NAMES_H

#include "error.h"

struct class_names {
    int count;
    const char *const *names; /* NULL: not known */
    void *owned;              /* their memory; NULL when they are constant. Private */
};

/** The names of a well-known data set: "mnist", "fashion-mnist". Names NULL: it is none. Nothing to
 * free. */
struct class_names class_names_known(const char *dataset);

/** Reads a text of one name a line; `where` begins messages: `classes.txt:3: ...`. */
bool class_names_parse(const char *text, const char *where, struct class_names *names,
                       struct error *error);

/** Reads such a file. */
bool class_names_read(const char *path, struct class_names *names, struct error *error);

/** The names that training left in a file of weights (.safetensors). False: there are none, or not
 * as many as `count`. */
bool class_names_from_weights(const char *path, int count, struct class_names *names);

/** The text of names, which the caller frees; NULL when memory is out. */
char *class_names_text(const char *const *names, int count);

/** Writes directory/classes.txt, as class_names_read takes it. */
bool class_names_save(const char *directory, const char *const *names, int count,
                      struct error *error);

void class_names_free(struct class_names *names);

#endif
