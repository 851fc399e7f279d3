/* train_non_finite.c: which layer was the first whose values are not finite: runs a step tensor by
 * tensor, with kernels that keep all of them apart. */
#include "train.h"
#include "../generic/generic_program.h"

#include <stdio.h>

/* "the output of dense_1 (m.lua:7)" */
static void describe(const struct tensor *tensor, bool backward, char *text, size_t size) {
    const struct origin *origin = &tensor->origin;

    if (origin->layer)
        snprintf(text, size, "%s of the layer %s (%s:%d)", backward ? "a gradient" : "the output",
                 origin->layer, origin->file, origin->line);
    else if (origin->is_optimizer)
        snprintf(text, size, "a value of the optimizer (%s:%d)", origin->file, origin->line);
    else
        snprintf(text, size, "%s (%s:%d)",
                 backward ? "the gradient of the loss" : "the loss itself",
                 origin->file ? origin->file : "model", origin->line);
}

bool train_explain(void *context, const struct program_call *call, char *text, size_t size) {
    const struct run *run = context;
    const struct program *like = jit_program(run->jit);
    struct error error;
    struct generic_program *generic = generic_program_new(run->model, GENERIC_NAIVE, like, &error);
    struct program_memory memory = {.arena = NULL};
    bool backward = false;
    const struct tensor *first = NULL;

    if (!generic) return false;
    if (program_memory_new(generic_program_get(generic), &memory, &error)) {
        struct program_call step = *call;
        step.arena = memory.arena;
        generic_program_watch(generic);
        generic_program_get(generic)->train(&step);
        first = generic_program_not_finite(generic, &backward);
    }
    if (first) describe(first, backward, text, size);
    program_memory_free(&memory);
    generic_program_free(generic);
    return first != NULL;
}
