/* summary.c: `lathe summary`: layers, shapes, parameters, work and memory of a model. */
#include "commands.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

struct summary_options {
    const char *point, *dump, *target;
    long batch_size;
    bool json;
};

static const struct command_option options[] = {
    POINT_OPTION(struct summary_options, point),
    {"batch-size", 0, COMMAND_COUNT, offsetof(struct summary_options, batch_size), "N", NULL,
     "samples of one step, for the memory (default: the model's)"},
    {"target", 0, COMMAND_TEXT, offsetof(struct summary_options, target), "NAME", NULL,
     "instruction set (default: this processor's)"},
    {"dump", 0, COMMAND_TEXT, offsetof(struct summary_options, dump), "PASS", NULL,
     "print the intermediate form after a pass instead; `--dump help` lists the passes"},
    {"json", 0, COMMAND_FLAG, offsetof(struct summary_options, json), NULL, NULL,
     "print one line of JSON instead of the tables"},
};

static const struct command_line line = {
    .name = "summary",
    .usage = "MODEL.lua [options]",
    .purpose =
        "Shows the layers of a model with output shapes, parameters and multiply-adds (MACs)\n"
        "for one sample, and the memory that training and prediction take.",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .positional = "MODEL.lua",
    .least = 1,
    .most = 1,
};

/* What is summarized. */
struct summary {
    const struct model *model;
    const struct layer_cost *costs;
    struct layer_cost total;
    const struct compilation *compilation;
    long batch;
};

static const char *const mode_names[] = {"training", "evaluation", "prediction"};

/* How far above the lower bound, in percent. */
static double overhead(const struct memory_report *memory) {
    if (memory->lower_bound <= 0) return 0;
    return 100.0 * (double)(memory->arena_bytes - memory->lower_bound) /
           (double)memory->lower_bound;
}

static const char *layer_shape(const struct layer *layer, char *text, size_t size) {
    return dataset_shape_text(layer->output.rank, layer->output.size, text, size);
}

static int wider(int width, const char *text) {
    int length = (int)strlen(text);
    return length > width ? length : width;
}

static void print_layers(const struct summary *summary) {
    const struct model *model = summary->model;
    char shape[128], number[40], macs[40];
    int name_width = 5, type_width = 4, shape_width = 12;

    for (int i = 0; i < model->layer_count; i++) {
        const struct layer *layer = model->layers[i];
        name_width = wider(name_width, layer->name);
        type_width = wider(type_width, layer->type->name);
        shape_width = wider(shape_width, layer_shape(layer, shape, sizeof shape));
    }
    printf("%-*s  %-*s  %-*s  %12s  %14s\n", name_width, "layer", type_width, "type", shape_width,
           "output shape", "parameters", "MACs");
    for (int i = 0; i < model->layer_count; i++) {
        const struct layer *layer = model->layers[i];
        const struct layer_cost *cost = &summary->costs[layer->number];
        printf("%-*s  %-*s  %-*s  %12s  %14s\n", name_width, layer->name, type_width,
               layer->type->name, shape_width, layer_shape(layer, shape, sizeof shape),
               command_grouped((double)(cost->trainable + cost->frozen), number),
               command_grouped(cost->macs, macs));
    }
}

static void print_memory(const struct summary *summary, enum mode mode) {
    const struct memory_report *memory = &summary->compilation->memory[mode];
    char bytes[40], bound[40];

    printf("%-10s  %12s KB  lower bound %12s KB  (+%.1f %%), %ld buffers\n", mode_names[mode],
           command_grouped((double)memory->arena_bytes / 1024, bytes),
           command_grouped((double)memory->lower_bound / 1024, bound), overhead(memory),
           memory->buffers);
}

static void print_summary(const struct summary *summary) {
    const struct layer_cost *total = &summary->total;
    char all[40], trainable[40], frozen[40], macs[40];

    printf("model \"%s\" (%s)\n\n", summary->model->name, summary->model->file);
    print_layers(summary);
    printf("\n%s parameters: %s trainable, %s not; %s MACs for one sample\n",
           command_grouped((double)(total->trainable + total->frozen), all),
           command_grouped((double)total->trainable, trainable),
           command_grouped((double)total->frozen, frozen), command_grouped(total->macs, macs));
    printf("\nworking memory, batch %ld (weights and data not counted):\n", summary->batch);
    if (summary->model->training.file) print_memory(summary, MODE_TRAINING);
    print_memory(summary, MODE_PREDICTION);
}

/* --- JSON --- */

static void add_memory(cJSON *json, const struct summary *summary, enum mode mode) {
    const struct memory_report *memory = &summary->compilation->memory[mode];
    cJSON *object = cJSON_AddObjectToObject(json, mode_names[mode]);

    cJSON_AddNumberToObject(object, "arena_bytes", (double)memory->arena_bytes);
    cJSON_AddNumberToObject(object, "lower_bound", (double)memory->lower_bound);
    cJSON_AddNumberToObject(object, "overhead_percent", overhead(memory));
    cJSON_AddNumberToObject(object, "buffers", (double)memory->buffers);
}

static void print_json(const struct summary *summary) {
    cJSON *json = cJSON_CreateObject();

    cJSON_AddStringToObject(json, "model", summary->model->name);
    cJSON_AddNumberToObject(json, "parameters",
                            (double)(summary->total.trainable + summary->total.frozen));
    cJSON_AddNumberToObject(json, "trainable", (double)summary->total.trainable);
    cJSON_AddNumberToObject(json, "non_trainable", (double)summary->total.frozen);
    cJSON_AddNumberToObject(json, "macs", summary->total.macs);
    cJSON_AddNumberToObject(json, "batch", (double)summary->batch);
    cJSON *layers = cJSON_AddArrayToObject(json, "layers");
    for (int i = 0; i < summary->model->layer_count; i++) {
        const struct layer *layer = summary->model->layers[i];
        const struct layer_cost *cost = &summary->costs[layer->number];
        cJSON *object = cJSON_CreateObject();
        cJSON_AddStringToObject(object, "name", layer->name);
        cJSON_AddStringToObject(object, "type", layer->type->name);
        cJSON *shape = cJSON_AddArrayToObject(object, "shape");
        for (int axis = 0; axis < layer->output.rank; axis++)
            cJSON_AddItemToArray(shape, cJSON_CreateNumber((double)layer->output.size[axis]));
        cJSON_AddNumberToObject(object, "trainable", (double)cost->trainable);
        cJSON_AddNumberToObject(object, "non_trainable", (double)cost->frozen);
        cJSON_AddNumberToObject(object, "macs", cost->macs);
        cJSON_AddItemToArray(layers, object);
    }
    cJSON *memory = cJSON_AddObjectToObject(json, "memory");
    if (summary->model->training.file) add_memory(memory, summary, MODE_TRAINING);
    add_memory(memory, summary, MODE_PREDICTION);
    command_print_json(json);
}

/* --- the command --- */

/* Checks the name of a pass before any work. */
static bool check_pass(const char *name, struct error *error) {
    const char *const *names = compile_pass_names();
    char list[512] = "";

    for (int i = 0; names[i]; i++) {
        size_t used = strlen(list);
        if (strcmp(name, names[i]) == 0) return true;
        snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", names[i]);
    }
    const char *nearest = options_nearest(name, names);
    if (nearest)
        return error_set(error,
                         "lathe summary: --dump: there is no pass \"%s\"; did you mean "
                         "\"%s\"?",
                         name, nearest);
    return error_set(error, "lathe summary: --dump: there is no pass \"%s\"; the passes are: %s",
                     name, list);
}

static int list_passes(void) {
    for (const char *const *name = compile_pass_names(); *name; name++) puts(*name);
    return STATUS_OK;
}

static int work(struct arena *arena, const struct arguments *arguments, void *values,
                struct error *error) {
    const struct summary_options *o = values;
    struct summary summary = {.batch = o->batch_size};
    struct compile_options compile = {.prediction = true, .prepare = true, .dump = o->dump};

    if (o->dump && strcmp(o->dump, "help") == 0) return list_passes();
    if (o->dump && !check_pass(o->dump, error)) return STATUS_BAD_INPUT;
    summary.model = model_read_point(arena, arguments->positional[0], o->point, error);
    if (!summary.model) return STATUS_BAD_INPUT;
    compile.target = command_target(o->target, error);
    if (!compile.target) return STATUS_BAD_INPUT;
    if (!summary.batch) summary.batch = command_batch(summary.model);
    compile.batch = summary.batch;
    compile.training = summary.model->training.file != NULL;
    summary.costs = model_costs(arena, summary.model, &summary.total, error);
    if (!summary.costs) return STATUS_BAD_INPUT;
    summary.compilation = compile_model(arena, summary.model, &compile, error);
    if (!summary.compilation) return STATUS_BAD_INPUT;
    if (o->dump)
        fputs(summary.compilation->dumped ? summary.compilation->dumped : "", stdout);
    else if (o->json)
        print_json(&summary);
    else
        print_summary(&summary);
    return STATUS_OK;
}

int command_summary(int argc, char **argv) {
    struct summary_options values = {.dump = NULL};
    return command_run(&line, argc, argv, &values, work);
}
