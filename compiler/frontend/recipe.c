/* recipe.c: writes as JSON, or as text, what read_options read (see recipe.h). */
#include "recipe.h"
#include "reader.h"
#include "../base/text.h"

#include <cjson/cJSON.h>
#include <string.h>

static void add_numbers(cJSON *json, const char *name, const struct number_list *numbers) {
    cJSON *list = cJSON_AddArrayToObject(json, name);
    for (int i = 0; i < numbers->count; i++)
        cJSON_AddItemToArray(list, cJSON_CreateNumber(numbers->value[i]));
}

static void add_pair(cJSON *json, const char *name, const long *pair) {
    cJSON *list = cJSON_AddArrayToObject(json, name);
    for (int i = 0; i < 2; i++) cJSON_AddItemToArray(list, cJSON_CreateNumber((double)pair[i]));
}

static void add_option(cJSON *json, const struct option *option, const void *record) {
    const void *field = (const char *)record + option->field;
    const char letter[] = {*(const char *)field, '\0'};
    /* What may be left out and has not been given: no value that could be given is 0. */
    bool may_be_absent = option->default_value && !*option->default_value;

    switch (option->kind) {
    case OPTION_COUNT:
    case OPTION_WHOLE:
        if (!may_be_absent || *(const long *)field)
            cJSON_AddNumberToObject(json, option->name, (double)*(const long *)field);
        return;
    case OPTION_FRACTION:
    case OPTION_NUMBER:
    case OPTION_POSITIVE:
    case OPTION_NOT_NEGATIVE:
    case OPTION_PART:
        if (!may_be_absent || option->kind != OPTION_POSITIVE || *(const double *)field > 0)
            cJSON_AddNumberToObject(json, option->name, *(const double *)field);
        return;
    case OPTION_BOOLEAN: cJSON_AddBoolToObject(json, option->name, *(const bool *)field); return;
    case OPTION_METRIC:
        cJSON_AddStringToObject(json, option->name, metric_name(*(const enum metric *)field));
        return;
    case OPTION_MONITOR_MODE:
        cJSON_AddStringToObject(json, option->name,
                                monitor_mode_names()[*(const enum monitor_mode *)field]);
        return;
    case OPTION_FILL_MODE:
        cJSON_AddStringToObject(json, option->name,
                                fill_mode_names()[*(const enum fill_mode *)field]);
        return;
    case OPTION_FILE:
        cJSON_AddStringToObject(json, option->name, *(const char *const *)field);
        return;
    case OPTION_UPDATE_FREQ:
        if (*(const long *)field == 0)
            cJSON_AddStringToObject(json, option->name, "epoch");
        else
            cJSON_AddNumberToObject(json, option->name, (double)*(const long *)field);
        return;
    case OPTION_AXIS:
        cJSON_AddNumberToObject(json, option->name, (double)*(const long *)field);
        return;
    case OPTION_PAIR: add_pair(json, option->name, field); return;
    case OPTION_PADDING:
        cJSON_AddStringToObject(json, option->name,
                                *(const enum padding *)field == PADDING_SAME ? "same" : "valid");
        return;
    case OPTION_LETTER: cJSON_AddStringToObject(json, option->name, letter); return;
    case OPTION_NUMBERS: add_numbers(json, option->name, field); return;
    default: return; /* told below, or without a meaning once training has begun */
    }
}

static void add_options(cJSON *json, const struct option *options, int count, const void *record) {
    for (int i = 0; i < count; i++) add_option(json, &options[i], record);
}

static void add_optimizer(cJSON *json, const struct optimizer *optimizer) {
    const struct optimizer_type *type = optimizer_types();
    const struct learning_rate *rate = &optimizer->learning_rate;

    while (type->kind != optimizer->kind) type++;
    cJSON_AddStringToObject(json, "optimizer", type->name);
    cJSON *options = cJSON_AddObjectToObject(json, "optimizer_options");
    add_options(options, type->options, type->option_count, optimizer);
    cJSON_AddNumberToObject(json, "learning_rate", optimizer_learning_rate(optimizer, 0));
    if (rate->type) {
        cJSON *schedule = cJSON_AddObjectToObject(json, "schedule");
        cJSON_AddStringToObject(schedule, "name", rate->type->name);
        add_options(schedule, rate->type->options, rate->type->option_count, rate->schedule);
    } else if (rate->expression->op != EXPRESSION_CONSTANT) {
        cJSON *schedule = cJSON_AddObjectToObject(json, "schedule");
        cJSON_AddStringToObject(schedule, "name", "function");
    }
}

static void add_callbacks(cJSON *json, const struct callback_list *callbacks) {
    cJSON *list = cJSON_AddArrayToObject(json, "callbacks");
    for (int i = 0; i < callbacks->count; i++) {
        const struct callback_options *callback = &callbacks->options[i];
        const struct callback_type_options *type = callback_types();
        cJSON *item = cJSON_CreateObject();
        while (type->kind != callback->kind) type++;
        cJSON_AddStringToObject(item, "name", type->name);
        add_options(item, type->options, type->option_count, callback);
        if (!callback->has_threshold) {
            cJSON_DeleteItemFromObject(item, "baseline");
            cJSON_DeleteItemFromObject(item, "initial_value_threshold");
        }
        cJSON_AddItemToArray(list, item);
    }
}

void recipe_add(cJSON *json, const struct training *training,
                const struct callback_list *callbacks) {
    cJSON_AddStringToObject(json, "loss", training->loss.name);
    if (training->from_logits) cJSON_AddBoolToObject(json, "from_logits", true);
    cJSON *metrics = cJSON_AddArrayToObject(json, "metrics");
    if (training->accuracy) cJSON_AddItemToArray(metrics, cJSON_CreateString("accuracy"));
    add_optimizer(json, &training->optimizer);
    add_callbacks(json, callbacks);
    if (training->augmentation.file) {
        int count;
        const struct option *options = augmentation_options(&count);
        add_options(cJSON_AddObjectToObject(json, "augmentation"), options, count,
                    &training->augmentation);
    }
}

/* --- as text --- */

/* Appends the options in one line of JSON. */
static void put_options(struct text *text, const struct option *options, int count,
                        const void *record) {
    cJSON *json = cJSON_CreateObject();
    add_options(json, options, count, record);
    char *line = cJSON_PrintUnformatted(json);
    if (line && strcmp(line, "{}") != 0) text_add(text, " %s", line);
    cJSON_free(line);
    cJSON_Delete(json);
}

static void put_function(struct text *text, const struct function *function) {
    if (function->expression)
        expression_print(text, function->expression, NULL);
    else
        text_put(text, function->name);
}

static void put_optimizer(struct text *text, const struct optimizer *optimizer) {
    const struct optimizer_type *type = optimizer_types();
    const struct learning_rate *rate = &optimizer->learning_rate;

    while (type->kind != optimizer->kind) type++;
    text_add(text, "optimizer: %s", type->name);
    put_options(text, type->options, type->option_count, optimizer);
    text_put(text, "\nlearning rate: ");
    if (rate->type) {
        text_put(text, rate->type->name);
        put_options(text, rate->type->options, rate->type->option_count, rate->schedule);
    } else {
        expression_print(text, rate->expression, (const char *const[]){"step"});
    }
}

static void put_training(struct text *text, const struct training *training) {
    put_optimizer(text, &training->optimizer);
    text_put(text, "\nloss: ");
    put_function(text, &training->loss);
    if (training->from_logits) text_put(text, " from logits");
    text_add(text, "\nmetrics: %s\naugmentation:", training->accuracy ? "accuracy" : "none");
    if (training->augmentation.file) {
        int count;
        const struct option *options = augmentation_options(&count);
        put_options(text, options, count, &training->augmentation);
    } else {
        text_put(text, " none");
    }
}

static void put_split(struct text *text, const struct split_options *split) {
    if (split->folds)
        text_add(text, "\nvalidation: %ld folds", split->folds);
    else
        text_add(text, "\nvalidation: split %.17g", split->fraction);
    if (split->folds || split->fraction > 0)
        text_put(text, split->stratified ? ", stratified" : ", not stratified");
}

static void put_layer(struct text *text, const struct layer *layer) {
    const struct layer_type *type = layer->type;

    text_add(text, "\nlayer %s: %s", layer->name, type->name);
    for (int i = 0; i < type->option_count; i++) {
        const struct option *option = &type->options[i];
        if (option->kind != OPTION_ACTIVATION) continue;
        text_put(text, " ");
        put_function(text, (const void *)((const char *)layer + option->field));
    }
    put_options(text, type->options, type->option_count, layer);
    for (int i = 0; i < layer->input_count; i++)
        text_add(text, "%s %s", i ? "," : " of", layer->inputs[i]->name);
}

const char *recipe_text(struct arena *arena, const struct model *model,
                        const struct split_options *split) {
    struct text text = {.arena = arena};

    put_training(&text, &model->training);
    put_split(&text, split);
    for (int i = 0; i < model->layer_count; i++) put_layer(&text, model->layers[i]);
    return text_string(&text);
}
