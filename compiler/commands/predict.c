/* predict.c: `lathe predict`: classes and probabilities of images and arrays. */
#include "commands.h"
#include "../../runtime/evaluation.h"
#include "../../runtime/weights.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct predict_options {
    const char *point, *weights, *data, *output;
    struct backend_options backend;
    long top;
    bool json;
};

static const struct command_option options[] = {
    POINT_OPTION(struct predict_options, point),
    {"weights", 0, COMMAND_TEXT, offsetof(struct predict_options, weights), "FILE", NULL,
     "weights or checkpoint (.safetensors)"},
    {"top", 0, COMMAND_COUNT, offsetof(struct predict_options, top), "K", "3",
     "how many classes to show, most probable first"},
    {"output", 'o', COMMAND_TEXT, offsetof(struct predict_options, output), "FILE.npy", NULL,
     "write all predictions as an array [samples][classes]"},
    DATA_OPTION(struct predict_options, data,
                "take the names of the classes from this data set (default: from the weights)"),
    BACKEND_OPTIONS(struct predict_options, backend, "tcc"),
    {"json", 0, COMMAND_FLAG, offsetof(struct predict_options, json), NULL, NULL,
     "print one line of JSON for each sample"},
};

static const struct command_line line = {
    .name = "predict",
    .usage = "MODEL.lua --weights FILE INPUT... [options]",
    .purpose = "Predicts images (PNG) or arrays (.npy, IDX, plain or gzipped); an array may hold "
               "many samples.",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .positional = "INPUT (an image or an array)",
    .least = 2,
    .most = -1,
};

/* An input file and its predictions. */
struct input {
    const char *path;
    struct dataset data;
    float *predictions; /* [count][output_size] */
};

struct run {
    const struct predict_options *options;
    const struct model *model;
    struct layer_cost cost;
    struct input *inputs; /* in the arena */
    int input_count;
    long samples, largest; /* of all inputs; of the largest */
    struct jit *jit;
    struct pool *pool;
    struct program_memory memory;
    struct dataset_pair pair;     /* for its class names */
    struct class_names own_names; /* or those of the weights */
    const char *const *names;     /* of the classes; NULL: none known */
};

/* --- names of the classes --- */

/* One value is that of two classes, unless it is a number that was to be fitted. */
static bool predicts_classes(const struct model *model) {
    return shape_elements(&model->output->output) > 1 ||
           (model->training.file && model->training.accuracy);
}

/* Those of the data set, when one is given; else those that training left in the weights. */
static bool find_names(struct run *run, struct error *error) {
    const struct predict_options *o = run->options;
    int classes = evaluation_classes(jit_program(run->jit));

    if (!o->data) {
        if (class_names_from_weights(o->weights, classes, &run->own_names))
            run->names = run->own_names.names;
        return true;
    }
    if (!dataset_open(o->data, &run->pair, error)) return false;
    if (run->pair.test.classes == classes)
        run->names = run->pair.test.class_names;
    else if (predicts_classes(run->model))
        return error_set(error,
                         "lathe predict: --data %s: the data has %d classes, but the model %s "
                         "predicts %d",
                         o->data, run->pair.test.classes, run->model->name, classes);
    return true;
}

/* --- setting up --- */

static bool load_inputs(struct run *run, struct arena *arena, const struct arguments *arguments,
                        struct error *error) {
    const struct shape *shape = &run->model->input->output;

    run->inputs = ARENA_ARRAY(arena, struct input, arguments->count);
    for (int i = 1; i < arguments->count; i++) {
        struct input *input = &run->inputs[run->input_count];
        input->path = arguments->positional[i];
        if (!dataset_load_array(input->path, shape->rank, shape->size, &input->data, error))
            return false;
        run->input_count++;
        run->samples += input->data.count;
        if (input->data.count > run->largest) run->largest = input->data.count;
    }
    return true;
}

static bool set_up(struct run *run, struct arena *arena, const struct arguments *arguments,
                   struct error *error) {
    const struct predict_options *o = run->options;
    struct compile_options compile = {.prediction = true};
    int threads;

    if (!o->weights)
        return error_set(error,
                         "lathe predict: --weights FILE is missing: what `lathe train` saved");
    run->model = model_read_point(arena, arguments->positional[0], o->point, error);
    if (!run->model || !load_inputs(run, arena, arguments, error)) return false;
    compile.batch = run->largest < 64 ? run->largest : 64;
    if (!model_costs(arena, run->model, &run->cost, error)) return false;
    run->jit = command_jit(run->model, &o->backend, compile, error);
    if (!run->jit) return false;
    const struct program *program = jit_program(run->jit);
    if (!program_memory_new(program, &run->memory, error)) return false;
    if (!weights_load(o->weights, program, run->memory.space, error)) return false;
    return find_names(run, error) &&
           command_pool(o->backend.threads, forward_operations(&run->cost, compile.batch),
                        &run->pool, &threads, error);
}

/* --- results --- */

/* Fills order with the numbers of the `top` largest values, largest first. */
static void sort_classes(const float *values, long count, int *order, long top) {
    for (long i = 0; i < count; i++) {
        long place = i < top ? i : top;
        while (place > 0 && values[i] > values[order[place - 1]]) {
            if (place < top) order[place] = order[place - 1];
            place--;
        }
        if (place < top) order[place] = (int)i;
    }
}

static void print_sample(const struct run *run, const struct input *input, long sample,
                         const float *values, const int *order, long top) {
    printf("%s", input->path);
    if (input->data.count > 1) printf("[%ld]", sample);
    printf(":");
    if (jit_program(run->jit)->output_size == 1) {
        int found = evaluation_class(jit_program(run->jit), values);
        printf(" %.6g", (double)values[0]);
        if (run->names) printf(" %s", run->names[found]);
        printf("\n");
        return;
    }
    for (long i = 0; i < top; i++) {
        printf("%s %d", i ? "," : "", order[i]);
        if (run->names) printf(" %s", run->names[order[i]]);
        printf(" %.4f", (double)values[order[i]]);
    }
    printf("\n");
}

static cJSON *json_class(const struct run *run, const float *values, int class_number) {
    cJSON *json = cJSON_CreateObject();

    cJSON_AddNumberToObject(json, "class", class_number);
    if (run->names) cJSON_AddStringToObject(json, "name", run->names[class_number]);
    cJSON_AddNumberToObject(json, "probability", (double)values[class_number]);
    return json;
}

static void print_sample_json(const struct run *run, const struct input *input, long sample,
                              const float *values, const int *order, long top) {
    const struct program *program = jit_program(run->jit);
    cJSON *json = cJSON_CreateObject();
    int found = evaluation_class(program, values);

    cJSON_AddStringToObject(json, "input", input->path);
    cJSON_AddNumberToObject(json, "sample", (double)sample);
    if (program->output_size == 1) {
        cJSON_AddNumberToObject(json, "value", (double)values[0]);
    } else {
        cJSON_AddNumberToObject(json, "class", found);
        if (run->names) cJSON_AddStringToObject(json, "name", run->names[found]);
        cJSON_AddNumberToObject(json, "probability", (double)values[found]);
        cJSON *best = cJSON_AddArrayToObject(json, "top");
        for (long i = 0; i < top; i++)
            cJSON_AddItemToArray(best, json_class(run, values, order[i]));
        cJSON *all = cJSON_AddArrayToObject(json, "probabilities");
        for (long i = 0; i < program->output_size; i++)
            cJSON_AddItemToArray(all, cJSON_CreateNumber((double)values[i]));
    }
    command_print_json(json);
}

static void print_predictions(const struct run *run, struct arena *arena) {
    long classes = jit_program(run->jit)->output_size;
    long top = run->options->top < classes ? run->options->top : classes;
    int *order = ARENA_ARRAY(arena, int, top);

    for (int i = 0; i < run->input_count; i++) {
        const struct input *input = &run->inputs[i];
        for (long sample = 0; sample < input->data.count; sample++) {
            const float *values = input->predictions + sample * classes;
            sort_classes(values, classes, order, top);
            (run->options->json ? print_sample_json : print_sample)(run, input, sample, values,
                                                                    order, top);
        }
    }
}

/* Writes all predictions as a NumPy array; version 1.0 of the format, padded as it asks. */
static bool save_predictions(const struct run *run, struct arena *arena, struct error *error) {
    const uint16_t probe = 1;
    char order = *(const uint8_t *)&probe ? '<' : '>', header[128];
    long classes = jit_program(run->jit)->output_size;
    struct file_part *parts = ARENA_ARRAY(arena, struct file_part, run->input_count + 1);

    if (!run->options->output) return true;
    memset(header, ' ', sizeof header);
    memcpy(header, "\x93NUMPY\x01\x00\x76\x00", 10); /* 0x76 = 118 = 128 - 10 */
    int length = snprintf(header + 10, sizeof header - 10,
                          "{'descr': '%cf4', 'fortran_order': False, 'shape': (%ld, %ld), }", order,
                          run->samples, classes);
    header[10 + length] = ' ';
    header[sizeof header - 1] = '\n';
    parts[0] = (struct file_part){header, sizeof header};
    for (int i = 0; i < run->input_count; i++)
        parts[i + 1] = (struct file_part){
            run->inputs[i].predictions,
            (size_t)(run->inputs[i].data.count * classes) * sizeof(float),
        };
    return files_write(run->options->output, parts, run->input_count + 1, error);
}

static int predict(struct run *run, struct arena *arena, struct error *error) {
    const struct program *program = jit_program(run->jit);

    for (int i = 0; i < run->input_count; i++) {
        struct input *input = &run->inputs[i];
        struct evaluation_input evaluation = {
            .program = program,
            .memory = &run->memory,
            .pool = run->pool,
            .data = &input->data,
            .count = input->data.count,
        };
        size_t size = (size_t)(input->data.count * program->output_size) * sizeof(float);
        input->predictions = memory_aligned(size);
        if (!input->predictions) {
            error_set(error, "out of memory");
            return STATUS_FAILED;
        }
        if (!evaluation_predict(&evaluation, input->predictions, error)) return STATUS_FAILED;
    }
    print_predictions(run, arena);
    return save_predictions(run, arena, error) ? STATUS_OK : STATUS_FAILED;
}

static int work(struct arena *arena, const struct arguments *arguments, void *values,
                struct error *error) {
    struct run run = {.options = values};
    int status = STATUS_BAD_INPUT;

    if (set_up(&run, arena, arguments, error)) status = predict(&run, arena, error);
    for (int i = 0; i < run.input_count; i++) {
        dataset_close(&run.inputs[i].data);
        free(run.inputs[i].predictions);
    }
    program_memory_free(&run.memory);
    pool_free(run.pool);
    jit_free(run.jit);
    dataset_pair_close(&run.pair);
    class_names_free(&run.own_names);
    return status;
}

int command_predict(int argc, char **argv) {
    struct predict_options values = {.backend = {.cc = -1}};
    return command_run(&line, argc, argv, &values, work);
}
