/* evaluate.c: `lathe evaluate`: what trained weights are worth on a data set. */
#include "commands.h"
#include "../../runtime/evaluation.h"
#include "../../runtime/plots.h"
#include "../../runtime/weights.h"

#include <cjson/cJSON.h>
#include <stdio.h>

struct evaluate_options {
    const char *point, *weights, *data, *plot;
    struct backend_options backend;
    long batch_size, part;
    bool json;
};

static const struct command_option options[] = {
    POINT_OPTION(struct evaluate_options, point),
    {"weights", 0, COMMAND_TEXT, offsetof(struct evaluate_options, weights), "FILE", NULL,
     "weights or checkpoint (.safetensors)"},
    DATA_OPTION(struct evaluate_options, data, "the data set: a folder of IDX files, or a name"),
    {"part", 0, COMMAND_CHOICE, offsetof(struct evaluate_options, part), "test|train", "test",
     "which part of the data set"},
    BACKEND_OPTIONS(struct evaluate_options, backend, "tcc"),
    {"batch-size", 0, COMMAND_COUNT, offsetof(struct evaluate_options, batch_size), "N", NULL,
     "samples of one call (default: the model's)"},
    {"plot", 0, COMMAND_TEXT, offsetof(struct evaluate_options, plot), "FILE", NULL,
     "draw the confusion matrix (.png or .svg)"},
    {"json", 0, COMMAND_FLAG, offsetof(struct evaluate_options, json), NULL, NULL,
     "print one line of JSON instead of the table"},
};

static const struct command_line line = {
    .name = "evaluate",
    .usage = "MODEL.lua --weights FILE --data NAME|DIR [options]",
    .purpose = "Prints loss, accuracy and the confusion matrix of trained weights.",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .positional = "MODEL.lua",
    .least = 1,
    .most = 1,
};

struct run {
    const struct evaluate_options *options;
    const struct model *model;
    struct layer_cost cost;
    struct dataset_pair pair;
    const struct dataset *data; /* the part asked for */
    struct jit *jit;
    struct pool *pool;
    int threads;
    struct program_memory memory;
    struct confusion confusion;
    struct class_names own_names; /* of the weights */
    const char *const *names;     /* of the classes, from the data or the weights; NULL: unknown */
};

static bool set_up(struct run *run, struct arena *arena, const char *path, struct error *error) {
    const struct evaluate_options *o = run->options;
    struct compile_options compile = {.evaluation = true, .batch = o->batch_size};

    if (!o->weights)
        return error_set(error, "lathe evaluate: --weights FILE is missing: what `lathe train` "
                                "saved");
    if (!command_check_picture("evaluate", "plot", o->plot, error)) return false;
    run->model = model_read_point(arena, path, o->point, error);
    if (!run->model || !command_needs_training(run->model, "evaluation", error)) return false;
    if (!compile.batch) compile.batch = run->model->training.batch_size;
    if (!command_open_data("evaluate", o->data, &run->pair, error)) return false;
    run->data = o->part ? &run->pair.train : &run->pair.test;
    if (!model_costs(arena, run->model, &run->cost, error)) return false;
    run->jit = command_jit(run->model, &o->backend, compile, error);
    if (!run->jit) return false;
    const struct program *program = jit_program(run->jit);
    if (!dataset_check(run->data, program, error)) return false;
    if (!program_memory_new(program, &run->memory, error)) return false;
    if (!weights_load(o->weights, program, run->memory.space, error)) return false;
    if (!confusion_init(&run->confusion, evaluation_classes(program)))
        return error_set(error, "out of memory");
    run->names = run->data->class_names;
    if (!run->names &&
        class_names_from_weights(o->weights, run->confusion.classes, &run->own_names))
        run->names = run->own_names.names;
    return command_pool(o->backend.threads, forward_operations(&run->cost, compile.batch),
                        &run->pool, &run->threads, error);
}

static void print_json(const struct run *run, const struct evaluation *result, double seconds) {
    cJSON *json = cJSON_CreateObject();

    cJSON_AddStringToObject(json, "model", run->model->name);
    cJSON_AddNumberToObject(json, "loss", result->loss);
    if (result->has_accuracy) cJSON_AddNumberToObject(json, "accuracy", result->accuracy);
    cJSON_AddNumberToObject(json, "samples", (double)result->samples);
    cJSON_AddNumberToObject(json, "seconds", seconds);
    cJSON_AddStringToObject(json, "backend", jit_backend(run->jit));
    if (result->has_accuracy) command_json_classes(json, &run->confusion, run->names);
    command_print_json(json);
}

static int evaluate(struct run *run, struct error *error) {
    const struct evaluate_options *o = run->options;
    const char *const *names = run->names;
    struct evaluation result;
    struct evaluation_input input = {
        .program = jit_program(run->jit),
        .memory = &run->memory,
        .pool = run->pool,
        .data = run->data,
        .count = run->data->count,
    };
    double begin = command_process_milliseconds();

    if (!evaluation_run(&input, &result, &run->confusion, error)) return STATUS_FAILED;
    double seconds = (command_process_milliseconds() - begin) / 1000;
    if (o->json)
        print_json(run, &result, seconds);
    else
        command_print_evaluation(o->part ? "train" : "test", &result, &run->confusion, names);
    if (o->plot && !plot_confusion(o->plot, &run->confusion, names, run->model->name, error))
        return STATUS_FAILED;
    return STATUS_OK;
}

static int work(struct arena *arena, const struct arguments *arguments, void *values,
                struct error *error) {
    struct run run = {.options = values};
    int status = STATUS_BAD_INPUT;

    if (set_up(&run, arena, arguments->positional[0], error)) status = evaluate(&run, error);
    program_memory_free(&run.memory);
    pool_free(run.pool);
    jit_free(run.jit);
    dataset_pair_close(&run.pair);
    confusion_free(&run.confusion);
    class_names_free(&run.own_names);
    return status;
}

int command_evaluate(int argc, char **argv) {
    struct evaluate_options values = {.backend = {.cc = -1}};
    return command_run(&line, argc, argv, &values, work);
}
