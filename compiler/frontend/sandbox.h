/* sandbox.h: a Lua state for model files, which are untrusted input.
 *
 * Real Lua 5.4 without io, os, debug, package and loading of code; limits on memory and on the work
 * done; require only for files beside the model file or in the folder above it. */
#ifndef LATHE_SANDBOX_H
#define LATHE_SANDBOX_H

#include "../base/arena.h"
#include "../../runtime/error.h"

#include <lua.h>
#include <stddef.h>

enum {
    SANDBOX_MEGABYTES = 256,             /* of memory that a model file may hold */
    SANDBOX_MILLIONS = 200,              /* of Lua instructions that it may run */
    SANDBOX_FILE_BYTES = 4 * 1024 * 1024 /* of a model file or module */
};

struct sandbox;

/* A file that the model is made of: its path as given, and its text. */
struct source_file {
    const char *path, *text;
};

/** A fresh state for the model file of this path (none of it runs yet). The sandbox itself lives in
 * the arena; sandbox_free closes the Lua state. NULL + message on failure. */
struct sandbox *sandbox_new(struct arena *arena, const char *path, struct error *error);
void sandbox_free(struct sandbox *sandbox);

/** Runs function(L) with data as light userdata 1 and with the libraries opened, in protected mode;
 * false + message `file:line: ...` if it, or the Lua code that it calls, raises an error. */
bool sandbox_run(struct sandbox *sandbox, lua_CFunction function, void *data, struct error *error);

/** For functions that sandbox_run runs: each may raise a Lua error. */

/** Opens the libraries and makes them safe; leaves the table of host functions on the stack. */
void sandbox_open(lua_State *L);

/** Pushes the main function of an embedded Lua file. */
void sandbox_load_module(lua_State *L, const char *text);

/** Pushes the main function of the model file. */
void sandbox_load_model(struct sandbox *sandbox, lua_State *L);

/** Pushes the main function of a text in the language of model files; path is what messages call
 * it. The text must stay. */
void sandbox_load_text(struct sandbox *sandbox, lua_State *L, const char *path, const char *text,
                       size_t size);

/** The file and line of the model's code that is running; a path that lives in the arena. */
const char *sandbox_where(struct sandbox *sandbox, lua_State *L, int *line);

/** The first line from `line` on of a file of the model on which `key =` stands; else `line`. */
int sandbox_find_key(const struct sandbox *sandbox, const char *file, int line, const char *key);

/** The files read so far, in their order: the model file, then what it requires. In the arena. */
struct source_file *sandbox_sources(const struct sandbox *sandbox, int *count);

#endif
