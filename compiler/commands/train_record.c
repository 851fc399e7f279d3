/* train_record.c: what a run's folder holds besides weights and history, for `lathe report` and
 * `lathe compare`: run.json, the model's files and the worst mistakes. */
#include "train.h"
#include "../frontend/recipe.h"
#include "../frontend/sandbox.h"
#include "../base/text.h"
#include "../layers/layer.h"
#include "../../runtime/safetensors.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool save(const struct run *run, const char *name, const void *data, size_t size,
                 struct error *error) {
    char *path = files_join(run->directory, name);
    bool saved = path && files_write(path, &(struct file_part){data, size}, 1, error);
    if (!path) error_set(error, "out of memory");
    free(path);
    return saved;
}

/* --- the model --- */

static const char *file_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* A copy of the files that the model is made of: they may change, the run has not. */
static bool save_model(const struct run *run, struct error *error) {
    const struct model *model = run->model;
    char *folder = files_join(run->directory, "model");
    bool saved = folder && files_make_folder(folder, error);

    free(folder);
    for (int i = 0; saved && i < model->source_count; i++) {
        char name[300];
        const char *text = model->sources[i].text;
        snprintf(name, sizeof name, "model/%s", file_name(model->sources[i].path));
        saved = save(run, name, text, strlen(text), error);
    }
    return saved;
}

static cJSON *shape_json(const struct shape *shape) {
    cJSON *json = cJSON_CreateArray();
    for (int i = 0; i < shape->rank; i++)
        cJSON_AddItemToArray(json, cJSON_CreateNumber((double)shape->size[i]));
    return json;
}

static void add_layers(cJSON *json, const struct run *run) {
    cJSON *layers = cJSON_AddArrayToObject(json, "layers");
    for (int i = 0; i < run->model->layer_count; i++) {
        const struct layer *layer = run->model->layers[i];
        const struct layer_cost *cost = &run->layer_costs[layer->number];
        cJSON *item = cJSON_CreateObject();
        cJSON_AddStringToObject(item, "name", layer->name);
        cJSON_AddStringToObject(item, "type", layer->type->name);
        cJSON_AddItemToObject(item, "shape", shape_json(&layer->output));
        cJSON_AddNumberToObject(item, "parameters", (double)(cost->trainable + cost->frozen));
        cJSON_AddItemToArray(layers, item);
    }
}

static void add_files(cJSON *json, const struct model *model) {
    cJSON *files = cJSON_AddArrayToObject(json, "files");
    for (int i = 0; i < model->source_count; i++)
        cJSON_AddItemToArray(files, cJSON_CreateString(file_name(model->sources[i].path)));
    if (model->point) cJSON_AddItemToObject(json, "point", cJSON_Parse(model->point));
}

/* --- the training --- */

static void add_recipe(cJSON *json, const struct run *run) {
    cJSON *recipe = cJSON_AddObjectToObject(json, "recipe");
    static const char *const best[] = {"latest", "loss", "accuracy"};

    recipe_add(recipe, &run->model->training, &run->callbacks);
    cJSON_AddNumberToObject(recipe, "batch_size", (double)run->batch);
    cJSON_AddNumberToObject(recipe, "epochs", (double)run->epochs);
    cJSON_AddNumberToObject(recipe, "validation_split", run->split.fraction);
    cJSON_AddBoolToObject(recipe, "stratified", run->split.stratified);
    cJSON_AddStringToObject(recipe, "best", best[run->options->best]);
    if (run->options->folds) cJSON_AddNumberToObject(recipe, "folds", (double)run->options->folds);
    if (run->fold) cJSON_AddNumberToObject(recipe, "fold", (double)run->fold);
    cJSON_AddNumberToObject(recipe, "seed", trainer_seed(run->trainer));
}

static void add_data(cJSON *json, const struct run *run) {
    const struct dataset *train = &run->data.train;
    cJSON *data = cJSON_AddObjectToObject(json, "data");
    cJSON *shape = cJSON_CreateArray();

    for (int i = 0; i < train->rank; i++)
        cJSON_AddItemToArray(shape, cJSON_CreateNumber((double)train->shape[i]));
    cJSON_AddStringToObject(data, "name", run->options->data);
    cJSON_AddStringToObject(data, "folder", run->data.folder);
    cJSON_AddItemToObject(data, "shape", shape);
    cJSON_AddNumberToObject(data, "training_samples", (double)train->count);
    cJSON_AddNumberToObject(data, "test_samples", (double)run->data.test.count);
}

static void add_mistakes(cJSON *json, const struct run *run) {
    cJSON *list = cJSON_AddArrayToObject(json, "worst_mistakes");
    for (int i = 0; i < run->mistakes.count; i++) {
        const struct mistake *mistake = &run->mistakes.list[i];
        cJSON *item = cJSON_CreateObject();
        cJSON_AddNumberToObject(item, "sample", (double)mistake->sample);
        cJSON_AddNumberToObject(item, "true", mistake->true_class);
        cJSON_AddNumberToObject(item, "predicted", mistake->predicted_class);
        cJSON_AddNumberToObject(item, "true_value", (double)mistake->true_value);
        cJSON_AddNumberToObject(item, "predicted_value", (double)mistake->predicted_value);
        cJSON_AddItemToArray(list, item);
    }
}

/* What repeats the run: the command as it was typed, but for what it shows and where it begins. */
static void add_command(cJSON *json, const struct run *run) {
    static const char *const left_out[] = {"--resume", "--json", "--quiet", "--no-plots"};
    const struct train_options *o = run->options;
    struct text text = {.arena = run->arena};

    text_put(&text, "lathe train");
    for (int i = 0; i < o->word_count; i++) {
        bool is_left_out = false;
        for (size_t k = 0; k < sizeof left_out / sizeof *left_out; k++)
            is_left_out = is_left_out || strcmp(o->words[i], left_out[k]) == 0;
        if (is_left_out) continue;
        text_put(&text, " ");
        text_put_word(&text, o->words[i]);
    }
    if (o->resume && o->seed < 0) text_add(&text, " --seed %u", trainer_seed(run->trainer));
    cJSON_AddStringToObject(json, "command", text_string(&text));
}

double train_epoch_seconds(const struct history *history) {
    double sum = 0;
    for (long i = 0; i < history->count; i++) sum += history->epochs[i].seconds;
    return sum;
}

/* What came out of the present training. */
static cJSON *result_json(const struct run *run) {
    const struct history *history = trainer_history(run->trainer);
    const struct history_epoch *kept = trainer_kept_epoch(run->trainer);
    cJSON *result = cJSON_CreateObject();

    if (run->tested) {
        cJSON_AddNumberToObject(result, "test_loss", run->test.loss);
        if (run->test.has_accuracy)
            cJSON_AddNumberToObject(result, "test_accuracy", run->test.accuracy);
    }
    cJSON_AddNumberToObject(result, "epochs", (double)history->count);
    if (kept) train_add_epoch(result, history, kept);
    cJSON_AddNumberToObject(result, "seconds", train_epoch_seconds(history));
    return result;
}

static void add_time(cJSON *json) {
    char text[40];
    time_t now = time(NULL);
    struct tm utc;
    if (gmtime_r(&now, &utc) && strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &utc))
        cJSON_AddStringToObject(json, "finished", text);
}

static bool save_run(const struct run *run, cJSON *result, struct error *error) {
    cJSON *json = cJSON_CreateObject();

    cJSON_AddStringToObject(json, "lathe", LATHE_VERSION);
    add_time(json);
    cJSON_AddStringToObject(json, "model", run->model->name);
    add_files(json, run->model);
    cJSON_AddNumberToObject(json, "parameters", (double)(run->cost.trainable + run->cost.frozen));
    add_layers(json, run);
    add_data(json, run);
    add_recipe(json, run);
    cJSON_AddStringToObject(result, "backend", jit_backend(run->jit));
    cJSON_AddNumberToObject(result, "threads", run->threads);
    cJSON_AddItemToObject(json, "result", result);
    if (run->tested && run->test.has_accuracy) {
        command_json_classes(json, &run->confusion, run->data.test.class_names);
        add_mistakes(json, run);
    }
    add_command(json, run);
    char *text = cJSON_Print(json);
    cJSON_Delete(json);
    bool saved =
        text ? save(run, "run.json", text, strlen(text), error) : error_set(error, "out of memory");
    cJSON_free(text);
    return saved;
}

/* The samples of the worst mistakes as one tensor "samples" [count][shape ...]. */
static bool save_samples(const struct run *run, struct error *error) {
    const struct dataset *data = &run->data.test;
    long indices[MISTAKES_KEPT], count = run->mistakes.count;

    if (count == 0) return true;
    for (long i = 0; i < count; i++) indices[i] = run->mistakes.list[i].sample;
    float *samples = ARENA_ARRAY(run->arena, float, count * data->sample_size);
    dataset_gather(data, indices, count, samples, NULL, 1);
    struct tensor_view tensor = {.name = "samples",
                                 .rank = data->rank + 1,
                                 .size = {count},
                                 .data = samples,
                                 .elements = count * data->sample_size};
    for (int i = 0; i < data->rank; i++) tensor.size[i + 1] = data->shape[i];
    char *path = files_join(run->directory, "worst_mistakes.safetensors");
    bool saved = path && safetensors_write(path, &tensor, 1, NULL, 0, error);
    free(path);
    return saved;
}

bool train_save_record(const struct run *run, struct error *error) {
    return !run->directory || (save_model(run, error) && save_samples(run, error) &&
                               save_run(run, result_json(run), error));
}

bool train_save_folds_record(const struct run *run, cJSON *result, struct error *error) {
    if (save_model(run, error)) return save_run(run, result, error);
    cJSON_Delete(result);
    return false;
}
