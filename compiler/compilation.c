/* compilation.c: what is kept of a compilation once its text is compiled (see compile.h). */
#include "compile.h"

#include <string.h>

static void *copy_of(struct arena *arena, const void *array, size_t size) {
    return size ? memcpy(arena_alloc(arena, size), array, size) : NULL;
}

static const struct kernel_summary *copy_kernels(struct arena *arena,
                                                 const struct kernel_summary *kernels, int count) {
    struct kernel_summary *copy = copy_of(arena, kernels, sizeof *copy * (size_t)count);
    for (int i = 0; i < count; i++) {
        copy[i].name = arena_string(arena, copy[i].name);
        if (copy[i].layer) copy[i].layer = arena_string(arena, copy[i].layer);
    }
    return copy;
}

struct compilation *compilation_without_text(struct arena *arena,
                                             const struct compilation *compilation) {
    struct compilation *copy = copy_of(arena, compilation, sizeof *copy);
    struct program *program = &copy->program;
    struct program_variable *variables =
        copy_of(arena, program->variables, sizeof *variables * (size_t)program->variable_count);
    for (int i = 0; i < program->variable_count; i++)
        variables[i].name = arena_string(arena, variables[i].name);
    program->variables = variables;
    for (int mode = 0; mode < MODE_COUNT; mode++)
        copy->kernels[mode] = copy_kernels(arena, copy->kernels[mode], copy->kernel_count[mode]);
    copy->c_text = NULL;
    copy->symbols = NULL;
    copy->dumped = NULL;
    return copy;
}
