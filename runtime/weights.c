/* weights.c: a model's variables in a safetensors file (see weights.h). */
#include "weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_saved(const struct program_variable *variable) {
    return variable->space == PROGRAM_TRAINABLE || variable->space == PROGRAM_STATE;
}

struct tensor_view *weights_tensors(const struct program *program,
                                    float *const space[PROGRAM_SPACES], int *count) {
    struct tensor_view *tensors = calloc((size_t)program->variable_count + 1, sizeof *tensors);
    *count = 0;
    for (int i = 0; tensors && i < program->variable_count; i++) {
        const struct program_variable *variable = &program->variables[i];
        if (!is_saved(variable)) continue;
        struct tensor_view *tensor = &tensors[(*count)++];
        tensor->name = variable->name;
        tensor->rank = variable->rank;
        memcpy(tensor->size, variable->size, sizeof tensor->size);
        tensor->data = space[variable->space] + variable->offset;
        tensor->elements = variable->elements;
    }
    return tensors;
}

bool weights_save(const char *path, const struct program *program,
                  float *const space[PROGRAM_SPACES], const struct metadata *metadata,
                  int metadata_count, struct error *error) {
    int count;
    struct tensor_view *tensors = weights_tensors(program, space, &count);
    struct metadata *all = malloc(sizeof *all * (size_t)(metadata_count + 2));
    bool fine;
    if (tensors && all) {
        all[0] = (struct metadata){"format", "lathe weights"};
        all[1] = (struct metadata){"model", program->name};
        for (int i = 0; i < metadata_count; i++) all[i + 2] = metadata[i];
        fine = safetensors_write(path, tensors, count, all, metadata_count + 2, error);
    } else {
        fine = error_set(error, "%s: out of memory", path);
    }
    free(tensors);
    free(all);
    return fine;
}

/* --- comparing a file with a program --- */

enum { MENTIONED = 4 };

/* A growing list "a, b, c and 5 more" for a message. */
struct list {
    char text[700];
    size_t used;
    int count;
};

static void list_add(struct list *list, const char *item) {
    list->count++;
    size_t room = sizeof list->text - list->used;
    if (list->count > MENTIONED) return;
    int wrote =
        snprintf(list->text + list->used, room, "%s%.160s", list->count > 1 ? ", " : "", item);
    if (wrote > 0 && (size_t)wrote < room) list->used += (size_t)wrote;
}

/* Appends "; <what>: a, b and 3 more" to the message. */
static void list_tell(const struct list *list, const char *what, char *message, size_t size) {
    if (list->count == 0) return;
    size_t used = strlen(message);
    char more[40] = "";
    if (list->count > MENTIONED)
        snprintf(more, sizeof more, " and %d more", list->count - MENTIONED);
    snprintf(message + used, size - used, "%s%s %s%s", used ? "; " : "", what, list->text, more);
}

static const char *shape_text(int rank, const long *size, char *text, size_t room) {
    size_t used = (size_t)snprintf(text, room, "[");
    for (int axis = 0; axis < rank && used < room; axis++)
        used += (size_t)snprintf(text + used, room - used, "%s%ld", axis ? ", " : "", size[axis]);
    if (used < room) snprintf(text + used, room - used, "]");
    return text;
}

static bool same_shape(const struct tensor_view *tensor, const struct program_variable *variable) {
    if (tensor->rank != variable->rank) return false;
    for (int axis = 0; axis < tensor->rank; axis++)
        if (tensor->size[axis] != variable->size[axis]) return false;
    return true;
}

static bool has_variable(const struct program *program, const char *name) {
    for (int i = 0; i < program->variable_count; i++)
        if (is_saved(&program->variables[i]) && !strcmp(program->variables[i].name, name))
            return true;
    return false;
}

static void compare_variable(const struct safetensors *file,
                             const struct program_variable *variable, struct list *missing,
                             struct list *different) {
    int index = safetensors_find(file, variable->name);
    if (index < 0) {
        list_add(missing, variable->name);
        return;
    }
    struct tensor_view tensor = safetensors_tensor(file, index);
    if (same_shape(&tensor, variable)) return;
    char have[80], want[80], text[400];
    snprintf(text, sizeof text, "%.100s is %s instead of %s", variable->name,
             shape_text(tensor.rank, tensor.size, have, sizeof have),
             shape_text(variable->rank, variable->size, want, sizeof want));
    list_add(different, text);
}

bool weights_check(const char *path, const struct safetensors *file, const struct program *program,
                   struct error *error) {
    struct list missing = {.count = 0}, different = {.count = 0}, extra = {.count = 0};
    for (int i = 0; i < program->variable_count; i++)
        if (is_saved(&program->variables[i]))
            compare_variable(file, &program->variables[i], &missing, &different);
    for (int i = 0; i < safetensors_count(file); i++) {
        const char *name = safetensors_tensor(file, i).name;
        if (strcmp(name, "optimizer") != 0 && !has_variable(program, name)) list_add(&extra, name);
    }
    if (missing.count + different.count + extra.count == 0) return true;
    char message[1800] = "";
    list_tell(&different, "of another shape:", message, sizeof message);
    list_tell(&missing, "missing in the file:", message, sizeof message);
    list_tell(&extra, "not in the model:", message, sizeof message);
    return error_set(error, "%s: the weights do not fit the model %s: %s", path, program->name,
                     message);
}

void weights_copy(const struct safetensors *file, const struct program *program,
                  float *const space[PROGRAM_SPACES]) {
    for (int i = 0; i < program->variable_count; i++) {
        const struct program_variable *variable = &program->variables[i];
        if (!is_saved(variable)) continue;
        safetensors_copy(file, safetensors_find(file, variable->name),
                         space[variable->space] + variable->offset);
    }
}

bool weights_load(const char *path, const struct program *program,
                  float *const space[PROGRAM_SPACES], struct error *error) {
    struct safetensors *file = safetensors_open(path, error);
    if (!file) return false;
    bool fine = weights_check(path, file, program, error);
    if (fine) weights_copy(file, program, space);
    safetensors_close(file);
    return fine;
}
