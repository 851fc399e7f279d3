/* tcc.h: C text compiled by libtcc, inside this process. */
#ifndef LATHE_TCC_H
#define LATHE_TCC_H

#include "../../runtime/error.h"

/* Something the text may use: a function or an object of this process. */
struct tcc_symbol {
    const char *name;
    const void *address;
};

struct tcc_module;

/** Compiles the text and links it to the symbols (the list ends with a NULL name), besides memcpy,
 * memset, the functions of libm and lathe_sgemm, which are always there. The text brings its own
 * prototypes: there are no headers. Whatever libtcc warns of (an implicit declaration above all)
 * is an error. NULL + message on failure.
 *
 * The text must reach objects of this process through pointers: libtcc 0.9.27 compiles `x + object`
 * wrongly where object is an extern float. Its own static objects are fine. */
struct tcc_module *tcc_module_new(const char *text, const struct tcc_symbol *symbols,
                                  struct error *error);

/** The address of a function or object of the module, or NULL. */
void *tcc_module_find(const struct tcc_module *module, const char *name);

/** Unmaps the module's code. module may be NULL. */
void tcc_module_free(struct tcc_module *module);

#endif
