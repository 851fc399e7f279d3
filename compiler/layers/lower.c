/* lower.c: from the layer graph to the tensor graph: forward, loss, gradients, updates. */
#include "families.h"

#include <stddef.h>

static void enter_layer(struct graph *graph, const struct layer *layer) {
    graph->origin = (struct origin){layer->name, layer->file, layer->line, false};
    graph->name = layer->name;
}

static void enter_training(struct graph *graph, const char *name, const char *file, int line) {
    graph->origin = (struct origin){NULL, file, line, false};
    graph->name = name;
}

static struct tensor *lower_layer(const struct layer *layer, struct graph *graph,
                                  struct tensor *const *values, bool training) {
    struct tensor **in = ARENA_ARRAY(graph->arena, struct tensor *, layer->input_count);
    for (int i = 0; i < layer->input_count; i++) in[i] = values[layer->inputs[i]->number];
    enter_layer(graph, layer);
    return layer->type->lower(layer, graph, in, training);
}

struct ends {
    struct tensor *logits, *predictions; /* the output before and after its activation */
};

static struct ends lower_forward(const struct model *model, struct graph *graph, long batch,
                                 bool training) {
    struct tensor **values = ARENA_ARRAY(graph->arena, struct tensor *, model->layer_count);
    values[model->input->number] =
        graph_input(graph, "samples", 0, shape_with_batch(&model->input->output, batch));
    struct ends ends;
    for (int i = 0; i < model->layer_count; i++) {
        const struct layer *layer = model->layers[i];
        if (layer == model->input || layer == model->output) continue;
        struct tensor *value = lower_layer(layer, graph, values, training);
        values[i] = graph_name(graph, value, "output");
    }
    struct layer last = *model->output;
    const struct function *activation = output_activation(model);
    if (activation) last.activation = (struct function){.name = "linear"};
    ends.logits = model->output == model->input ? values[model->input->number]
                                                : lower_layer(&last, graph, values, training);
    ends.predictions = ends.logits;
    if (activation) ends.predictions = lower_activation(graph, activation, ends.logits);
    return ends;
}

/* The gradients of the loss by the trainable weights, each flat, in the order of their space. */
struct gradients {
    struct tensor **of;
    struct shape *shape; /* of the weight */
    int count;
};

static struct gradients lower_gradients(struct graph *graph, struct tensor *loss) {
    struct arena *arena = graph->arena;
    struct tensor **weights = ARENA_ARRAY(arena, struct tensor *, graph->variable_count);
    const char **names = ARENA_ARRAY(arena, const char *, graph->variable_count);
    struct gradients gradients = {
        .of = ARENA_ARRAY(arena, struct tensor *, graph->variable_count),
        .shape = ARENA_ARRAY(arena, struct shape, graph->variable_count),
    };
    for (int i = 0; i < graph->variable_count; i++) {
        const struct variable *variable = &graph->variables[i];
        if (variable->space != SPACE_TRAINABLE) continue;
        long elements = shape_elements(&variable->shape);
        struct tensor *flat = graph_space(graph, SPACE_TRAINABLE, variable->offset, elements);
        names[gradients.count] = variable->name;
        gradients.shape[gradients.count] = variable->shape;
        weights[gradients.count++] = graph_reshape(graph, variable->shape, flat);
    }
    graph_gradients(graph, loss, weights, gradients.count, gradients.of);
    graph->name = NULL;
    for (int i = 0; i < gradients.count; i++) {
        struct shape flat = shape_of(1, (long[]){shape_elements(&gradients.shape[i])});
        const char *name = arena_format(arena, "%s_gradient", names[i]);
        gradients.of[i] = graph_reshape(graph, flat, graph_name(graph, gradients.of[i], name));
    }
    return gradients;
}

static void enter_optimizer(struct graph *graph, const struct training *training) {
    enter_training(graph, "optimizer", training->optimizer.file, training->optimizer.line);
    graph->origin.is_optimizer = true;
}

/* A dense layer's weights have a step of their own: it can go with the sums of their gradient,
 * which is then nowhere as a whole (passes/update.c). Few weights are not worth another loop. */
static bool has_own_step(const struct shape *weight) {
    enum { FEW = 4096 };
    return weight->rank == 2 && shape_elements(weight) >= FEW;
}

static void lower_training(const struct model *model, struct graph *graph, struct tensor *loss) {
    const struct training *training = &model->training;
    if (graph->space_size[SPACE_TRAINABLE] == 0) return;
    struct gradients gradients = lower_gradients(graph, loss);
    enter_optimizer(graph, training);
    long offset = 0;
    for (int i = 0, end; i < gradients.count; i = end) {
        end = i + 1;
        while (end < gradients.count && !has_own_step(&gradients.shape[i]) &&
               !has_own_step(&gradients.shape[end]))
            end++;
        struct tensor *gradient = gradients.of[i];
        if (end - i > 1) gradient = graph_concat(graph, 0, &gradients.of[i], end - i);
        lower_optimizer(&training->optimizer, graph, graph_name(graph, gradient, "gradient"),
                        offset);
        offset += gradient->shape.size[0];
    }
}

/* ---- a step in pieces ---- */

/* Where the summed gradient begins: behind the optimizer's slots. */
static long sum_offset(const struct model *model, const struct graph *graph) {
    return optimizer_space(&model->training.optimizer, graph->space_size[SPACE_TRAINABLE]);
}

/* Times the piece's samples, because its loss is the mean over them. */
static void lower_accumulation(const struct model *model, struct graph *graph,
                               struct tensor *loss) {
    long weights = graph->space_size[SPACE_TRAINABLE], offset = sum_offset(model, graph);
    if (weights == 0) return;
    struct gradients gradients = lower_gradients(graph, loss);
    enter_optimizer(graph, &model->training);
    struct tensor *gradient = graph_concat(graph, 0, gradients.of, gradients.count);
    struct tensor *sum = graph_space(graph, SPACE_OPTIMIZER, offset, weights);
    struct tensor *piece =
        graph_binary(graph, EXPRESSION_MULTIPLY, graph_name(graph, gradient, "gradient"),
                     graph_scalar(graph, SCALAR_SAMPLES));
    graph_update(graph, SPACE_OPTIMIZER, offset, graph_binary(graph, EXPRESSION_ADD, sum, piece));
}

/* The optimizer's step by the mean gradient; SCALAR_SAMPLES is that of all pieces. */
static void lower_update(const struct model *model, struct graph *graph) {
    long weights = graph->space_size[SPACE_TRAINABLE], offset = sum_offset(model, graph);
    if (weights == 0) return;
    enter_optimizer(graph, &model->training);
    struct tensor *sum = graph_space(graph, SPACE_OPTIMIZER, offset, weights);
    struct tensor *gradient =
        graph_binary(graph, EXPRESSION_DIVIDE, sum, graph_scalar(graph, SCALAR_SAMPLES));
    lower_optimizer(&model->training.optimizer, graph, graph_name(graph, gradient, "gradient"), 0);
    struct tensor *zeros =
        graph_map_shaped(graph, expression_constant(graph->arena, 0), NULL, 0, sum->shape);
    graph_update(graph, SPACE_OPTIMIZER, offset, zeros);
}

static const char *const mode_names[MODE_COUNT] = {"training", "evaluation", "prediction",
                                                   "gradient", "update"};

struct graph *lower_model(const struct model *model, enum mode mode, long batch,
                          struct arena *arena, struct error *error) {
    const struct training *training = &model->training;
    if (mode != MODE_PREDICTION && !training->file) {
        error_set(error,
                  "%s:%d: model \"%s\": it has no training table; add training = { loss = \"...\", "
                  "optimizer = adam {} } to it",
                  model->file, model->line, model->name);
        return NULL;
    }
    struct graph *graph = graph_new(arena);
    bool in_pieces = mode == MODE_GRADIENT || mode == MODE_UPDATE;
    struct ends ends =
        lower_forward(model, graph, batch, mode == MODE_TRAINING || mode == MODE_GRADIENT);
    if (training->file)
        graph->space_size[SPACE_OPTIMIZER] =
            optimizer_space(&training->optimizer, graph->space_size[SPACE_TRAINABLE]) +
            (in_pieces ? graph->space_size[SPACE_TRAINABLE] : 0);
    if (mode == MODE_UPDATE) {
        lower_update(model, graph);
    } else if (mode != MODE_PREDICTION) {
        enter_training(graph, "loss", training->file, training->line);
        struct shape shape = label_shape(model);
        struct tensor *labels = graph_input(graph, "labels", 1, shape_with_batch(&shape, batch));
        struct tensor *loss = lower_loss(model, graph, labels, ends.logits, ends.predictions);
        graph_output(graph, "loss", loss);
        if (training->accuracy) {
            enter_training(graph, "accuracy", training->file, training->line);
            graph_output(graph, "accuracy",
                         lower_accuracy(model, graph, labels, ends.logits, ends.predictions));
        }
        if (mode == MODE_TRAINING) lower_training(model, graph, loss);
        if (mode == MODE_GRADIENT) lower_accumulation(model, graph, loss);
    }
    if (mode == MODE_EVALUATION || mode == MODE_PREDICTION)
        graph_output(graph, "predictions", ends.predictions);
    graph->origin = (struct origin){NULL, NULL, 0, false};
    graph->name = NULL;
    if (!graph_verify(graph, mode_names[mode], error)) return NULL;
    return graph;
}
