/* costs.c: parameters and multiply-adds of each layer, counted in the tensor graph. */
#include "commands.h"

#include <string.h>

/* The layer of that name; a tensor's origin names one. */
static const struct layer *find_layer(const struct model *model, const char *name) {
    for (int i = 0; name && i < model->layer_count; i++)
        if (strcmp(model->layers[i]->name, name) == 0) return model->layers[i];
    return NULL;
}

struct layer_cost *model_costs(struct arena *arena, const struct model *model,
                               struct layer_cost *total, struct error *error) {
    struct layer_cost *costs = ARENA_ARRAY(arena, struct layer_cost, model->layer_count);
    struct graph *graph = lower_model(model, MODE_PREDICTION, 1, arena, error);

    *total = (struct layer_cost){0};
    if (!graph) return NULL;
    for (int i = 0; i < graph->variable_count; i++) {
        const struct variable *variable = &graph->variables[i];
        const struct layer *layer = find_layer(model, variable->origin.layer);
        long elements = shape_elements(&variable->shape);
        if (!layer || variable->space == SPACE_OPTIMIZER) continue;
        if (variable->space == SPACE_TRAINABLE)
            costs[layer->number].trainable += elements;
        else
            costs[layer->number].frozen += elements;
    }
    for (int i = 0; i < graph->tensor_count; i++) {
        const struct tensor *tensor = graph->tensors[i];
        const struct layer *layer = find_layer(model, tensor->origin.layer);
        if (!layer || tensor->primitive != PRIMITIVE_CONTRACT || tensor->in_count != 2) continue;
        double points = 1;
        for (int loop = 0; loop < tensor->contract->loop_count; loop++)
            points *= (double)tensor->contract->extent[loop];
        costs[layer->number].macs += points;
    }
    for (int i = 0; i < model->layer_count; i++) {
        total->trainable += costs[i].trainable;
        total->frozen += costs[i].frozen;
        total->macs += costs[i].macs;
    }
    return costs;
}

double forward_operations(const struct layer_cost *total, long batch) {
    return 2 * total->macs * (double)batch;
}

/* Backward computes two products of the forward one's size. */
double training_operations(const struct layer_cost *total, long batch) {
    return 3 * forward_operations(total, batch);
}
