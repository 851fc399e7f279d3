/* layers.c: the table of layers, and what all layers share. */
#include "families.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct layer_type *const types[] = {
    &layer_input,          &layer_dense,
    &layer_conv2d,         &layer_max_pool2d,
    &layer_average_pool2d, &layer_global_average_pool2d,
    &layer_flatten,        &layer_reshape,
    &layer_dropout,        &layer_batch_norm,
    &layer_activation,     &layer_add,
    &layer_concatenate,    NULL,
};

const struct layer_type *layer_type_find(const char *name) {
    for (int i = 0; types[i]; i++)
        if (strcmp(types[i]->name, name) == 0) return types[i];
    return NULL;
}

const struct layer_type *const *layer_types(void) {
    return types;
}

bool layer_error(const struct layer *layer, struct error *error, const char *format, ...) {
    char message[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return error_set(error, "%s:%d: %s \"%s\": %s", layer->file, layer->line, layer->type->name,
                     layer->name, message);
}

struct shape shape_with_batch(const struct shape *shape, long batch) {
    struct shape result = {.rank = shape->rank + 1, .size = {batch}};
    for (int i = 0; i < shape->rank; i++) result.size[i + 1] = shape->size[i];
    return result;
}

void shape_write(char *text, size_t size, const struct shape *shape) {
    size_t length = (size_t)snprintf(text, size, "{");
    for (int i = 0; i < shape->rank && length < size; i++)
        length +=
            (size_t)snprintf(text + length, size - length, "%s%ld", i ? ", " : " ", shape->size[i]);
    if (length < size) snprintf(text + length, size - length, shape->rank ? " }" : "}");
}

static struct tensor *declare(const struct layer *layer, struct graph *graph, const char *part,
                              struct shape shape, enum space space,
                              const struct initializer *initializer) {
    const char *name = arena_format(graph->arena, "%s/%s", layer->name, part);
    enum initializer_kind kind;
    double scale;
    initializer_resolve(initializer, &shape, &kind, &scale);
    return graph_variable(graph, name, shape, space, kind, scale);
}

struct tensor *layer_weight(const struct layer *layer, struct graph *graph, const char *part,
                            struct shape shape, const struct initializer *initializer) {
    return declare(layer, graph, part, shape, layer->trainable ? SPACE_TRAINABLE : SPACE_STATE,
                   initializer);
}

struct tensor *layer_state(const struct layer *layer, struct graph *graph, const char *part,
                           struct shape shape, const struct initializer *initializer) {
    return declare(layer, graph, part, shape, SPACE_STATE, initializer);
}

bool check_image(const struct layer *layer, struct error *error) {
    const struct shape *shape = &layer->inputs[0]->output;
    if (shape->rank == 3) return true;
    char text[160];
    shape_write(text, sizeof text, shape);
    return layer_error(layer, error,
                       "its input has the shape %s; it takes images { height, width, channels }: "
                       "put a reshape before it, or input { 28, 28, 1 } for gray images",
                       text);
}

bool check_elements(const struct layer *layer, const long *size, int count, const char *what,
                    struct error *error) {
    const long most = 0x7fffffff;
    long elements = 1;
    for (int i = 0; i < count; i++) {
        if (size[i] > most / elements)
            return layer_error(layer, error, "it has more than %ld %s; make it smaller", most,
                               what);
        elements *= size[i];
    }
    return true;
}

const struct expression *valid_row(struct arena *arena, int samples,
                                   const struct expression *value) {
    const struct expression *valid = expression_binary(
        arena, EXPRESSION_LESS, expression_index(arena, 0), expression_operand(arena, samples));
    return expression_select(arena, valid, value, expression_constant(arena, 0));
}
