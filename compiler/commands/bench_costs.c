/* bench_costs.c: the work of each layer in one step, counted in the tensor graph: direct
 * operations, and the bytes of inputs, outputs and weights, once each; backward-data goes on
 * through the activation of the layer before. What is not computed (the gradient of the samples, of
 * frozen weights) is not counted. */
#include "../passes/passes.h"
#include "bench.h"

#include <string.h>

int bench_row(const struct model *model, const char *layer) {
    for (int i = 0; layer && i < model->layer_count; i++)
        if (strcmp(model->layers[i]->name, layer) == 0) return i;
    return model->layer_count;
}

static double bytes_of(const struct shape *shape) {
    return (double)sizeof(float) * (double)shape_elements(shape);
}

static void add_contraction(struct bench *bench, const struct tensor *tensor,
                            const bool *backward) {
    enum part part = contraction_part(tensor, backward);
    if (part == PART_OTHER) return;
    struct cost *cost = &bench->costs[bench_row(bench->model, tensor->origin.layer)][part];
    double points = 1;
    for (int loop = 0; loop < tensor->contract->loop_count; loop++)
        points *= (double)tensor->contract->extent[loop];
    cost->operations += 2 * points;
    cost->bytes += bytes_of(&tensor->shape) + bytes_of(&tensor->in[0]->shape) +
                   bytes_of(&tensor->in[1]->shape);
}

/* The gradient of a layer's input goes on through the activation of the convolution or dense layer
 * that made it, which reads its result. */
static void add_activation(struct bench *bench, const struct tensor *tensor, const bool *backward) {
    const struct tensor *gradient = NULL, *image = NULL;
    for (int i = 0; i < tensor->in_count; i++) {
        const struct tensor *in = tensor->in[i];
        bool is_gradient = in->primitive == PRIMITIVE_CONTRACT &&
                           contraction_part(in, backward) == PART_BACKWARD_DATA;
        if (is_gradient)
            gradient = in;
        else if (shape_equal(&in->shape, &tensor->shape) && !backward[in->number])
            image = in;
    }
    if (!gradient || !image) return;
    const struct cost *made = bench->costs[bench_row(bench->model, image->origin.layer)];
    if (made[PART_FORWARD].operations == 0) return;
    bench->costs[bench_row(bench->model, gradient->origin.layer)][PART_BACKWARD_DATA].bytes +=
        bytes_of(&image->shape);
}

/* Layers that move data, or nothing at all. */
static bool is_free(const struct layer *layer, enum mode mode) {
    static const char *const names[] = {"input", "flatten", "reshape"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(layer->type->name, names[i]) == 0) return true;
    return mode == MODE_PREDICTION && strcmp(layer->type->name, "dropout") == 0;
}

/* A layer without contractions reads its inputs and writes its output; training does the same with
 * their gradients. */
static void add_streams(struct bench *bench, const struct layer *layer) {
    struct cost *costs = bench->costs[layer->number];
    if (is_free(layer, bench->mode)) return;
    for (int part = PART_FORWARD; part < PART_COUNT; part++)
        if (costs[part].operations > 0) return;
    double bytes = bytes_of(&layer->output);
    for (int i = 0; i < layer->input_count; i++) bytes += bytes_of(&layer->inputs[i]->output);
    costs[PART_OTHER].bytes = bytes * (double)bench->batch * (bench->mode == MODE_TRAINING ? 2 : 1);
}

/* The optimizer reads weights and slots, writes them, and reads the gradients. */
static void add_updates(struct bench *bench, const struct graph *graph) {
    struct cost *cost = &bench->costs[bench->model->layer_count][PART_OTHER];
    if (bench->mode != MODE_TRAINING) return;
    for (int i = 0; i < graph->update_count; i++) {
        const struct update *update = &graph->updates[i];
        int readings = update->space == SPACE_TRAINABLE ? 3 : 2;
        if (update->space != SPACE_STATE) cost->bytes += readings * bytes_of(&update->value->shape);
    }
}

bool bench_count_costs(struct bench *bench, struct error *error) {
    const struct model *model = bench->model;
    struct graph *graph = lower_model(model, bench->mode, bench->batch, bench->arena, error);
    if (!graph) return false;
    graph = pass_dead(pass_common(pass_simplify(pass_dead(graph))));
    const bool *backward = graph_backward(graph, bench->arena);
    bench->costs =
        arena_alloc(bench->arena, sizeof *bench->costs * (size_t)(model->layer_count + 1));
    for (int i = 0; i < graph->tensor_count; i++)
        if (graph->tensors[i]->primitive == PRIMITIVE_CONTRACT)
            add_contraction(bench, graph->tensors[i], backward);
    for (int i = 0; i < graph->tensor_count; i++)
        if (graph->tensors[i]->primitive == PRIMITIVE_MAP)
            add_activation(bench, graph->tensors[i], backward);
    for (int i = 0; i < model->layer_count; i++) add_streams(bench, model->layers[i]);
    add_updates(bench, graph);
    return true;
}

/* --- kinds of layers --- */

const char *const kind_names[KINDS] = {"convolution", "dense", "pooling, normalization, dropout",
                                       "other layers", "loss, optimizer"};

enum kind bench_kind(const struct model *model, int row) {
    static const struct {
        const char *type;
        enum kind kind;
    } kinds[] = {{"conv2d", KIND_CONVOLUTION},
                 {"dense", KIND_DENSE},
                 {"max_pool2d", KIND_POOL},
                 {"average_pool2d", KIND_POOL},
                 {"global_average_pool2d", KIND_POOL},
                 {"batch_norm", KIND_POOL},
                 {"dropout", KIND_POOL}};
    if (row == model->layer_count) return KIND_OPTIMIZER;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(model->layers[row]->type->name, kinds[i].type) == 0) return kinds[i].kind;
    return KIND_OTHER;
}
