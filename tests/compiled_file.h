/* compiled_file.h: for tests of what a model file compiles to. */
#ifndef LATHE_COMPILED_FILE_H
#define LATHE_COMPILED_FILE_H

#include "compiler/compile.h"
#include "compiler/frontend/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

/* For AVX-512; the caller frees the arena. */
static inline const struct compilation *compile_file(struct arena *arena, const char *path,
                                                     struct compile_options options) {
    struct error error = {{0}};
    arena_init(arena);
    options.target = target_find("x86-64-v4");
    struct model *model = model_read(arena, path, &error);
    if (!model) fail_msg("%s", error.text);
    struct compilation *compilation = compile_model(arena, model, &options, &error);
    if (!compilation) fail_msg("%s", error.text);
    return compilation;
}

#endif
