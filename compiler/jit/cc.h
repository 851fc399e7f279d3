/* cc.h: C text built by gcc or clang as a shared object, and loaded into this process. */
#ifndef LATHE_CC_H
#define LATHE_CC_H

#include "../../runtime/error.h"
#include "../kernel/target.h"

struct cc_module;

enum cc_state {
    CC_ABSENT,  /* not in the cache; cc_module_start builds it */
    CC_RUNNING, /* the compiler is at work */
    CC_READY,   /* loaded */
    CC_FAILED
};

/** Finds the compiler (a name in PATH or a path; NULL: gcc, else clang) and loads the text's object
 * if the cache has it. The text must stay until the build is over. NULL + message when there is no
 * such compiler. */
struct cc_module *cc_module_new(const char *text, const char *compiler, const struct target *target,
                                struct error *error);

/** Starts the compiler. In the background it has a process group of its own (Ctrl-C is not for it)
 * and yields to this process. */
bool cc_module_start(struct cc_module *module, bool background, struct error *error);

/** What has become of it; when the compiler has just ended, loads the object. wait: not before the
 * compiler ends. CC_FAILED + message. */
enum cc_state cc_module_poll(struct cc_module *module, bool wait, struct error *error);

/** The address of a function of a loaded module, or NULL. */
void *cc_module_find(const struct cc_module *module, const char *name);

/** The command line of the compiler, without the files: for people. */
const char *cc_module_command(const struct cc_module *module);

/** Ends a running build and unloads the object. module may be NULL. */
void cc_module_free(struct cc_module *module);

#endif
