/* call.c: what comes from outside: inputs, scalars, the spaces of variables. */
#include "primitive.h"

#include <string.h>

static const char *const scalar_names[] = {
    [SCALAR_LEARNING_RATE] = "learning_rate",
    [SCALAR_STEP] = "step",
    [SCALAR_SAMPLES] = "samples",
    [SCALAR_SEED] = "seed",
};
static const char *const space_names[] = {
    [SPACE_TRAINABLE] = "trainable",
    [SPACE_STATE] = "state",
    [SPACE_OPTIMIZER] = "optimizer",
};

bool input_check(const struct graph *graph, const struct tensor *tensor, struct error *error) {
    (void)graph;
    if (tensor->index >= 0) return true;
    return error_set(error, "the number of an input is negative");
}

void input_reference(const struct tensor *tensor, const struct evaluation *evaluation) {
    const double *input = evaluation->call->inputs[tensor->index];
    memcpy(evaluation->out, input, sizeof *input * (size_t)shape_elements(&tensor->shape));
}

void input_print(struct text *text, const struct tensor *tensor) {
    text_add(text, "input %d", tensor->index);
}

bool scalar_check(const struct graph *graph, const struct tensor *tensor, struct error *error) {
    (void)graph;
    if (tensor->index < 0 || tensor->index >= SCALAR_COUNT)
        return error_set(error, "there is no scalar %d", tensor->index);
    if (tensor->shape.rank != 0) return error_set(error, "a scalar has rank 0");
    return true;
}

void scalar_reference(const struct tensor *tensor, const struct evaluation *evaluation) {
    evaluation->out[0] = evaluation->call->scalars[tensor->index];
}

void scalar_print(struct text *text, const struct tensor *tensor) {
    text_add(text, "scalar %s", scalar_names[tensor->index]);
}

bool variable_check(const struct graph *graph, const struct tensor *tensor, struct error *error) {
    if (tensor->index < 0 || tensor->index >= SPACE_COUNT)
        return error_set(error, "there is no space %d", tensor->index);
    if (tensor->shape.rank != 1 || tensor->shape.size[0] != graph->space_size[tensor->index])
        return error_set(error, "the space of variables has %ld elements",
                         graph->space_size[tensor->index]);
    return true;
}

void variable_reference(const struct tensor *tensor, const struct evaluation *evaluation) {
    const double *space = evaluation->call->spaces[tensor->index];
    memcpy(evaluation->out, space, sizeof *space * (size_t)tensor->shape.size[0]);
}

void variable_print(struct text *text, const struct tensor *tensor) {
    text_add(text, "variables of %s", space_names[tensor->index]);
}
