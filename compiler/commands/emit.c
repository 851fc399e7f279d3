/* emit.c: `lathe emit`: writes a model as one .c and one .h that compile alone. */
#include "commands.h"
#include "../../runtime/class_names.h"
#include "../../runtime/memory.h"
#include "../../runtime/weights.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct emit_options {
    const char *point, *weights, *target, *prefix, *output, *class_names;
    long mode, batch_size, micro_batches, optimize, layout, form;
    bool use_double, no_libm, threads, main, no_winograd, json;
};
enum { EMIT_INFERENCE, EMIT_TRAINING };
enum { OPTIMIZE_DEFAULT = -1, OPTIMIZE_SPEED, OPTIMIZE_SIZE };
enum { FORM_AUTO, FORM_EMBED, FORM_FILE, FORM_ASSEMBLY, FORM_NONE };
enum { LAYOUT_NHWC, LAYOUT_NCHW };

/* A weight is about four bytes in a file and sixteen in C: up to the first limit weights go into
 * the source unless asked otherwise, above the second they never do. */
enum { MOST_WEIGHTS_EMBEDDED_BY_DEFAULT = 262144, MOST_WEIGHTS_EMBEDDED = 4194304 };

#define FIELD(name) offsetof(struct emit_options, name)
static const struct command_option options[] = {
    POINT_OPTION(struct emit_options, point),
    {"mode", 0, COMMAND_CHOICE, FIELD(mode), "inference|training", "inference",
     "what the emitted model can do"},
    {"weights", 0, COMMAND_TEXT, FIELD(weights), "FILE", NULL,
     "weights or checkpoint (.safetensors) to emit with it"},
    {"weights-as", 0, COMMAND_CHOICE, FIELD(form), "auto|embed|file|assembly|none", "auto",
     "constants of the source; NAME.weights, to be read at run time; NAME.weights and a .S that "
     "links it; none: random ones, drawn on the device (auto: embed up to 262,144 numbers, else "
     "file)"},
    {"target", 0, COMMAND_TEXT, FIELD(target), "NAME", "generic",
     "instruction set to choose the schedule for (x86-64-v4, x86-64-v3, aarch64, armv7, riscv64, "
     "cortex-m, generic); any compiler takes the result"},
    {"optimize", 0, COMMAND_CHOICE, FIELD(optimize), "speed|size", NULL,
     "fast tiles, or small loops (default: speed; size for cortex-m)"},
    {"layout", 0, COMMAND_CHOICE, FIELD(layout), "nhwc|nchw", "nhwc",
     "order of the axes of the caller's images: channels last or first"},
    {"batch-size", 0, COMMAND_COUNT, FIELD(batch_size), "N", NULL,
     "samples of one call (default: 1 for inference, the model's for training)"},
    {"micro-batches", 0, COMMAND_COUNT, FIELD(micro_batches), "N", "1",
     "training steps sum the gradient over N pieces of the batch, in the memory of one"},
    {"double", 0, COMMAND_FLAG, FIELD(use_double), NULL, NULL, "all numbers are double, not float"},
    {"no-libm", 0, COMMAND_FLAG, FIELD(no_libm), NULL, NULL,
     "bring exp, log, sqrt, ... along instead of using math.h"},
    {"threads", 0, COMMAND_FLAG, FIELD(threads), NULL, NULL,
     "calls take a loop of the caller that may run its range in parallel"},
    {"class-names", 0, COMMAND_TEXT, FIELD(class_names), "A,B,...", NULL,
     "names of the outputs (default: those in the weights)"},
    {"main", 0, COMMAND_FLAG, FIELD(main), NULL, NULL,
     "also write NAME_main.c, a program that reads samples from a file"},
    {"no-winograd", 0, COMMAND_FLAG, FIELD(no_winograd), NULL, NULL,
     "sum 3x3 convolutions directly, with fewer roundings and more operations"},
    {"prefix", 0, COMMAND_TEXT, FIELD(prefix), "NAME", NULL,
     "of every symbol and of the files (default: the model's name)"},
    {"output", 'o', COMMAND_TEXT, FIELD(output), "DIR", ".", "where the files go"},
    {"json", 0, COMMAND_FLAG, FIELD(json), NULL, NULL,
     "print the memory that the model needs as one line of JSON, not the names of the files"},
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

/* ---- checks ---- */

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

/* Headers of C, and those that they include on common systems. */
static bool is_system_header(const char *name) {
    static const char *const headers[] = {
        "assert",      "complex",   "ctype",     "errno",    "fenv",      "float",     "inttypes",
        "iso646",      "limits",    "locale",    "math",     "setjmp",    "signal",    "stdalign",
        "stdarg",      "stdatomic", "stdbool",   "stddef",   "stdint",    "stdio",     "stdlib",
        "stdnoreturn", "string",    "tgmath",    "threads",  "time",      "uchar",     "wchar",
        "wctype",      "alloca",    "endian",    "features", "newlib",    "pthread",   "sched",
        "strings",     "unistd",    "emmintrin", "mmintrin", "mm_malloc", "xmmintrin",
    };
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        if (strcasecmp(headers[i], name) == 0) return true; /* some disks do not tell case apart */
    return false;
}

/* With -I of its folder, the header that is written would be taken for the system's. */
static bool check_header(const struct emit_options *o, const struct model *model,
                         struct error *error) {
    if (!is_system_header(o->prefix ? o->prefix : model->name)) return true;
    if (o->prefix)
        return error_set(error,
                         "lathe emit: --prefix %s: %s.h would hide the system's header; choose "
                         "another name",
                         o->prefix, o->prefix);
    return error_set(error,
                     "%s:%d: model \"%s\": %s.h would hide the system's header; choose another "
                     "name, or emit it with --prefix NAME",
                     model->file, model->line, model->name, model->name);
}

/* Options that contradict each other. */
static bool check_options(const struct emit_options *o, struct error *error) {
    if (o->prefix && !check_prefix(o->prefix, error)) return false;
    if (o->form == FORM_NONE && o->weights)
        return error_set(error, "lathe emit: --weights-as none leaves the weights out, but "
                                "--weights names some; give one of the two");
    if (o->form != FORM_NONE && o->form != FORM_AUTO && !o->weights)
        return error_set(error, "lathe emit: --weights-as needs --weights FILE, or none");
    if (o->mode == EMIT_INFERENCE && !o->weights && o->form != FORM_NONE)
        return error_set(error,
                         "lathe emit: --weights FILE is missing: inference needs what `lathe "
                         "train` saved (or --weights-as none, to fill them in on the device)");
    if (o->micro_batches > 1 && o->mode != EMIT_TRAINING)
        return error_set(error, "lathe emit: --micro-batches is for --mode training");
    return true;
}

/* How the weights are brought along, or -1 + message. */
static int choose_form(const struct emit_options *o, const struct program *program,
                       struct error *error) {
    long numbers = program->space_size[PROGRAM_TRAINABLE] + program->space_size[PROGRAM_STATE];

    if (o->form == FORM_FILE) return WEIGHTS_FILE;
    if (o->form == FORM_ASSEMBLY) return WEIGHTS_LINKED;
    if (o->form == FORM_AUTO && numbers > MOST_WEIGHTS_EMBEDDED_BY_DEFAULT) return WEIGHTS_FILE;
    if (numbers <= MOST_WEIGHTS_EMBEDDED) return WEIGHTS_EMBEDDED;
    error_set(error,
              "lathe emit: --weights-as embed: %ld weights would be about %ld MB of C; use "
              "--weights-as file or assembly (%ld MB)",
              numbers, (numbers * 16 + 500000) / 1000000,
              (numbers * (o->use_double ? 8 : 4) + 500000) / 1000000);
    return -1;
}

/* Splits --class-names at its commas; the rules are those of classes.txt. */
static bool split_names(struct arena *arena, const char *list, long classes,
                        struct class_names *names, struct error *error) {
    char *lines = arena_format(arena, "%s\n", list);

    for (char *c = lines; *c; c++)
        if (*c == ',') *c = '\n';
    if (!class_names_parse(lines, "lathe emit: --class-names", names, error)) return false;
    return names->count == classes ||
           error_set(error, "lathe emit: --class-names has %d names; the model has %ld outputs",
                     names->count, classes);
}

/* ---- work ---- */

/* Loads the weights into spaces of the model's sizes, which the caller frees. */
static bool load_weights(const char *path, const struct program *program,
                         float *space[PROGRAM_SPACES], struct error *error) {
    for (int i = 0; i < PROGRAM_SPACES; i++) {
        space[i] = memory_aligned((size_t)program->space_size[i] * sizeof(float));
        if (!space[i]) return error_set(error, "out of memory");
    }
    return weights_load(path, program, space, error);
}

/* A block that no machine has is a mistake in the options. */
static bool is_possible(const struct standalone *s, struct error *error) {
    double terabytes = (double)s->block_bytes / 1e12;
    return terabytes <= 1 ||
           error_set(error,
                     "lathe emit: the block of this model would take %.3g TB (at most 1 TB); "
                     "choose a smaller --batch-size",
                     terabytes);
}

/* Adds a file unless it has no content. */
static void add_file(struct arena *arena, struct file_content *files, int *count, const char *name,
                     const char *suffix, const void *data, size_t size) {
    struct file_part *part = ARENA_NEW(arena, struct file_part);
    if (!data) return;
    *part = (struct file_part){data, size};
    files[(*count)++] = (struct file_content){arena_format(arena, "%s%s", name, suffix), part, 1};
}

static void add_text(struct arena *arena, struct file_content *files, int *count, const char *name,
                     const char *suffix, const char *text) {
    add_file(arena, files, count, name, suffix, text, text ? strlen(text) : 0);
}

/* All files or none; then their names go to the standard output. */
static bool write_files(struct arena *arena, const struct emit_options *o, const char *name,
                        const struct standalone *s, struct error *error) {
    struct file_content files[5];
    int count = 0;
    char *path = files_join(o->output, name);
    if (!path) return error_set(error, "out of memory");
    add_file(arena, files, &count, path, ".weights", s->weights, s->weights_bytes);
    add_text(arena, files, &count, path, "_weights.S", s->assembly);
    add_text(arena, files, &count, path, ".h", s->header);
    add_text(arena, files, &count, path, ".c", s->source);
    add_text(arena, files, &count, path, "_main.c", s->main);
    free(path);
    if (!files_make_folder(o->output, error)) return false;
    if (!files_write_together(files, count, error)) return false;
    for (int i = 0; i < count && !o->json; i++) printf("%s\n", files[i].path);
    return true;
}

/* Bytes: of the caller's block, of what must be kept of it (training), of its part for what comes
 * and goes in a call beside the least that this could be, of stack. */
static void print_memory(const struct standalone *s, bool is_training) {
    cJSON *json = cJSON_CreateObject();
    cJSON_AddNumberToObject(json, "block_bytes", (double)s->block_bytes);
    if (is_training) cJSON_AddNumberToObject(json, "state_bytes", (double)s->state_bytes);
    cJSON_AddNumberToObject(json, "workspace_bytes", (double)s->memory.arena_bytes);
    cJSON_AddNumberToObject(json, "workspace_lower_bound", (double)s->memory.lower_bound);
    cJSON_AddNumberToObject(json, "stack_bytes", (double)s->stack_bytes);
    cJSON_AddNumberToObject(json, "weights_file_bytes", (double)s->weights_bytes);
    char *text = cJSON_PrintUnformatted(json);
    if (text) puts(text);
    cJSON_free(text);
    cJSON_Delete(json);
}

/* The pieces must be equal. */
static bool check_pieces(const struct emit_options *o, const struct model *model,
                         struct error *error) {
    long batch = o->batch_size ? o->batch_size : command_batch(model);
    if (batch % o->micro_batches == 0) return true;
    return error_set(error,
                     "lathe emit: --micro-batches %ld does not divide the batch of %ld samples",
                     o->micro_batches, batch);
}

/* What the options say about the source, once the target is known. */
static struct compile_options compile_options_of(const struct emit_options *o,
                                                 const struct model *model,
                                                 const struct target *target) {
    bool training = o->mode == EMIT_TRAINING;
    bool small = o->optimize == OPTIMIZE_DEFAULT ? target->is_small : o->optimize == OPTIMIZE_SIZE;

    return (struct compile_options){
        .target = target,
        .dialect = DIALECT_CC,
        .batch = o->batch_size ? o->batch_size
                 : training    ? command_batch(model)
                               : 1,
        .training = training,
        .evaluation = training,
        .prediction = true,
        .use_double = o->use_double,
        .own_mathematics = o->no_libm,
        .no_winograd = o->no_winograd,
        .prefix = o->prefix,
        .form = {.small_code = small,
                 .channels_first = o->layout == LAYOUT_NCHW,
                 .threads = o->threads,
                 .main = o->main,
                 .micro_batches = o->micro_batches},
    };
}

/* The names of the outputs: given, or left in the weights; `names` gets their memory. */
static bool name_classes(struct arena *arena, const struct emit_options *o, long outputs,
                         struct class_names *names, const char *const **list, struct error *error) {
    *list = NULL;
    if (o->class_names && !split_names(arena, o->class_names, outputs, names, error)) return false;
    if (!o->class_names && o->weights) class_names_from_weights(o->weights, (int)outputs, names);
    *list = names->names;
    return true;
}

/* Reads the weights into space, and decides how they are brought along. */
static bool take_weights(struct arena *arena, const struct model *model,
                         const struct emit_options *o, struct compile_options *compile,
                         float *space[PROGRAM_SPACES], struct error *error) {
    const struct compilation *compilation = compile_model(arena, model, compile, error);
    if (!compilation) return false;
    int form = choose_form(o, &compilation->program, error);
    compile->form.weights_form = (enum weights_form)form;
    return form >= 0 && load_weights(o->weights, &compilation->program, space, error);
}

/* Compiles and writes; space has the weights when o->weights is set. */
static bool emit(struct arena *arena, const struct model *model, const struct emit_options *o,
                 float *space[PROGRAM_SPACES], struct class_names *names, struct error *error) {
    const struct target *target = command_target(o->target, error);
    enum mode mode = o->mode == EMIT_TRAINING ? MODE_TRAINING : MODE_PREDICTION;
    long outputs = shape_elements(&model->output->output);
    if (!target) return false;
    struct compile_options compile = compile_options_of(o, model, target);

    if (!name_classes(arena, o, outputs, names, &compile.form.class_names, error)) return false;
    if (o->weights && !take_weights(arena, model, o, &compile, space, error)) return false;
    const float *const *weights = o->weights ? (const float *const *)space : NULL;
    const struct standalone *standalone =
        compile_standalone(arena, model, mode, &compile, weights, error);
    if (!standalone || !is_possible(standalone, error)) return false;
    if (!write_files(arena, o, o->prefix ? o->prefix : model->name, standalone, error))
        return false;
    if (o->json) print_memory(standalone, mode == MODE_TRAINING);
    return true;
}

static int work(struct arena *arena, const struct arguments *arguments, void *values,
                struct error *error) {
    const struct emit_options *o = values;
    float *space[PROGRAM_SPACES] = {NULL};
    struct class_names names = {0, NULL, NULL};

    if (!check_options(o, error)) return STATUS_BAD_INPUT;
    const struct model *model = model_read_point(arena, arguments->positional[0], o->point, error);
    if (!model || !check_header(o, model, error)) return STATUS_BAD_INPUT;
    if (o->mode == EMIT_TRAINING && !command_needs_training(model, "--mode training", error))
        return STATUS_BAD_INPUT;
    if (o->mode == EMIT_TRAINING && !check_pieces(o, model, error)) return STATUS_BAD_INPUT;
    bool emitted = emit(arena, model, o, space, &names, error);
    class_names_free(&names);
    for (int i = 0; i < PROGRAM_SPACES; i++) free(space[i]);
    return emitted ? STATUS_OK : STATUS_BAD_INPUT;
}

int command_emit(int argc, char **argv) {
    struct emit_options values = {.optimize = OPTIMIZE_DEFAULT};
    return command_run(&line, argc, argv, &values, work);
}
