/* emit.c: `lathe emit`: writes a model as one .c and one .h that compile alone. */
#include "commands.h"
#include "../../runtime/memory.h"
#include "../../runtime/weights.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct emit_options {
    const char *point, *weights, *target, *prefix, *output;
    long mode, batch_size;
};
enum { EMIT_INFERENCE, EMIT_TRAINING };

static const struct command_option options[] = {
    POINT_OPTION(struct emit_options, point),
    {"mode", 0, COMMAND_CHOICE, offsetof(struct emit_options, mode), "inference|training",
     "inference", "what the emitted model can do"},
    {"weights", 0, COMMAND_TEXT, offsetof(struct emit_options, weights), "FILE", NULL,
     "weights or checkpoint (.safetensors) to write into the source"},
    {"target", 0, COMMAND_TEXT, offsetof(struct emit_options, target), "NAME", "generic",
     "instruction set to choose the schedule for; any compiler takes the result"},
    {"prefix", 0, COMMAND_TEXT, offsetof(struct emit_options, prefix), "NAME", NULL,
     "of every symbol and of the files (default: the model's name)"},
    {"batch-size", 0, COMMAND_COUNT, offsetof(struct emit_options, batch_size), "N", NULL,
     "samples of one call (default: 1 for inference, the model's for training)"},
    {"output", 'o', COMMAND_TEXT, offsetof(struct emit_options, output), "DIR", ".",
     "where NAME.c and NAME.h go"},
};

static const struct command_line line = {
    .name = "emit",
    .usage = "MODEL.lua --weights FILE -o DIR [options]",
    .purpose = "Writes the model as standalone C99: one source and one header, no allocation, all "
               "state in\na block that the caller provides.",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .positional = "MODEL.lua",
    .least = 1,
    .most = 1,
};

/* The prefix becomes part of C names and of file names. */
static bool check_prefix(const char *prefix, struct error *error) {
    bool fine = prefix[0] == '_' || isalpha((unsigned char)prefix[0]);

    for (const char *c = prefix; *c; c++) fine = fine && (*c == '_' || isalnum((unsigned char)*c));
    if (fine && strlen(prefix) <= 100) return true;
    return error_set(error,
                     "lathe emit: --prefix \"%s\" cannot begin names in C: letters, digits "
                     "and _, no digit first, at most 100",
                     prefix);
}

/* Loads the weights into spaces of the model's sizes, which the caller frees. */
static bool load_weights(const char *path, const struct program *program,
                         float *space[PROGRAM_SPACES], struct error *error) {
    for (int i = 0; i < PROGRAM_SPACES; i++) {
        space[i] = memory_aligned((size_t)program->space_size[i] * sizeof(float));
        if (!space[i]) return error_set(error, "out of memory");
    }
    return weights_load(path, program, space, error);
}

static bool write_file(const char *folder, const char *name, const char *suffix, const char *text,
                       struct error *error) {
    char file[128];

    snprintf(file, sizeof file, "%s%s", name, suffix);
    char *path = files_join(folder, file);
    if (!path) return error_set(error, "out of memory");
    bool written = files_write(path, &(struct file_part){text, strlen(text)}, 1, error);
    if (written) printf("%s\n", path);
    free(path);
    return written;
}

/* Compiles and writes; space has the weights when o->weights is set. */
static bool emit(struct arena *arena, const struct model *model, const struct emit_options *o,
                 float *space[PROGRAM_SPACES], struct error *error) {
    bool training = o->mode == EMIT_TRAINING;
    enum mode mode = training ? MODE_TRAINING : MODE_PREDICTION;
    struct compile_options compile = {
        .target = command_target(o->target, error),
        .dialect = DIALECT_CC,
        .batch = o->batch_size ? o->batch_size
                 : training    ? command_batch(model)
                               : 1,
        .training = training,
        .evaluation = training,
        .prediction = true,
        .prefix = o->prefix,
    };

    if (!compile.target) return false;
    if (o->weights) {
        const struct compilation *compilation = compile_model(arena, model, &compile, error);
        if (!compilation || !load_weights(o->weights, &compilation->program, space, error))
            return false;
    }
    const struct standalone *standalone = compile_standalone(
        arena, model, mode, &compile, o->weights ? (const float *const *)space : NULL, error);
    if (!standalone || !files_make_folder(o->output, error)) return false;
    const char *name = o->prefix ? o->prefix : model->name;
    return write_file(o->output, name, ".h", standalone->header, error) &&
           write_file(o->output, name, ".c", standalone->source, error);
}

static int work(struct arena *arena, const struct arguments *arguments, void *values,
                struct error *error) {
    const struct emit_options *o = values;
    float *space[PROGRAM_SPACES] = {NULL};

    if (o->prefix && !check_prefix(o->prefix, error)) return STATUS_BAD_INPUT;
    if (o->mode == EMIT_INFERENCE && !o->weights) {
        error_set(error,
                  "lathe emit: --weights FILE is missing: inference needs what `lathe train` "
                  "saved");
        return STATUS_BAD_INPUT;
    }
    const struct model *model = model_read_point(arena, arguments->positional[0], o->point, error);
    if (!model) return STATUS_BAD_INPUT;
    if (o->mode == EMIT_TRAINING && !command_needs_training(model, "--mode training", error))
        return STATUS_BAD_INPUT;
    bool emitted = emit(arena, model, o, space, error);
    for (int i = 0; i < PROGRAM_SPACES; i++) free(space[i]);
    return emitted ? STATUS_OK : STATUS_BAD_INPUT;
}

int command_emit(int argc, char **argv) {
    struct emit_options values = {.weights = NULL};
    return command_run(&line, argc, argv, &values, work);
}
