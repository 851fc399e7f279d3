/* graph.c: the tensor graph: shapes, tensors, variables, outputs (see graph.h). */
#include "graph.h"
#include "graph_map.h"

#include <string.h>

struct graph *graph_new(struct arena *arena) {
    struct graph *graph = ARENA_NEW(arena, struct graph);
    graph->arena = arena;
    return graph;
}

struct graph *graph_like(const struct graph *graph) {
    struct graph *like = graph_new(graph->arena);
    like->variables = graph->variables;
    like->variable_count = graph->variable_count;
    like->variable_capacity = graph->variable_count; /* a further one must not touch the original */
    memcpy(like->space_size, graph->space_size, sizeof like->space_size);
    like->random_streams = graph->random_streams;
    return like;
}

struct shape shape_of(int rank, const long *size) {
    struct shape shape = {.rank = rank};
    for (int i = 0; i < rank; i++) shape.size[i] = size[i];
    return shape;
}

long shape_elements(const struct shape *shape) {
    long elements = 1;
    for (int i = 0; i < shape->rank; i++) elements *= shape->size[i];
    return elements;
}

bool shape_equal(const struct shape *a, const struct shape *b) {
    if (a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; i++)
        if (a->size[i] != b->size[i]) return false;
    return true;
}

void shape_print(struct text *text, const struct shape *shape) {
    text_put(text, "[");
    for (int i = 0; i < shape->rank; i++) text_add(text, "%s%ld", i ? ", " : "", shape->size[i]);
    text_put(text, "]");
}

/* Room for one more element of a growing array of the arena. */
static void *grow(struct arena *arena, void *array, int count, int *capacity, size_t size) {
    if (count < *capacity) return array;
    *capacity = *capacity > 8 ? 2 * *capacity : 16;
    if (*capacity <= count) *capacity = 2 * count;
    void *larger = arena_alloc(arena, size * (size_t)*capacity);
    if (count) memcpy(larger, array, size * (size_t)count);
    return larger;
}
#define GROW(graph, array, count, capacity) \
    ((array) = grow((graph)->arena, (array), (count), &(capacity), sizeof *(array)))

static bool affine_equal(const struct affine *a, const struct affine *b) {
    if (a->term_count != b->term_count || a->offset != b->offset) return false;
    for (int t = 0; t < a->term_count; t++)
        if (a->term[t].loop != b->term[t].loop || a->term[t].coefficient != b->term[t].coefficient)
            return false;
    return true;
}

static bool access_equal(const struct access *a, const struct access *b) {
    for (int i = 0; i < MAX_RANK; i++)
        if (!affine_equal(&a->axis[i], &b->axis[i])) return false;
    return true;
}

static bool contract_equal(const struct contract *a, const struct contract *b) {
    if (a->loop_count != b->loop_count) return false;
    for (int l = 0; l < a->loop_count; l++)
        if (a->extent[l] != b->extent[l]) return false;
    return access_equal(&a->out, &b->out) && access_equal(&a->a, &b->a) &&
           access_equal(&a->b, &b->b);
}

static bool window_equal(const struct window *a, const struct window *b) {
    for (int i = 0; i < 2; i++)
        if (a->kernel_size[i] != b->kernel_size[i] || a->strides[i] != b->strides[i] ||
            a->dilation_rate[i] != b->dilation_rate[i] || a->pad[i] != b->pad[i])
            return false;
    return true;
}

bool tensor_equal(const struct tensor *a, const struct tensor *b) {
    if (a->primitive != b->primitive || a->in_count != b->in_count) return false;
    for (int i = 0; i < a->in_count; i++)
        if (a->in[i] != b->in[i]) return false;
    if (a->index != b->index || !shape_equal(&a->shape, &b->shape)) return false;
    if (a->reduction != b->reduction || a->axes != b->axes || a->axis != b->axis) return false;
    if (a->begin != b->begin || a->end != b->end || !window_equal(&a->window, &b->window))
        return false;
    if (a->contract && !contract_equal(a->contract, b->contract)) return false;
    return !a->expression || expression_equal(a->expression, b->expression);
}

static size_t mix(size_t hash, size_t value) {
    hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
    return hash ^ (hash >> 29);
}

/* Of what never changes while a graph is built: a space's shape does. */
static size_t tensor_hash(const struct tensor *t) {
    size_t hash = mix((size_t)t->primitive, (size_t)t->index);
    for (int i = 0; i < t->in_count; i++) hash = mix(hash, (size_t)t->in[i]->number);
    hash = mix(mix(hash, t->axes + (size_t)t->axis), (size_t)(t->begin ^ t->end));
    if (!t->expression) return hash;
    size_t value = 0;
    memcpy(&value, &t->expression->value, sizeof value);
    return mix(mix(hash, t->expression->operators), value);
}

/* The place of an equal tensor in the table, or the free one. */
static struct tensor **tensor_place(const struct graph *graph, const struct tensor *tensor) {
    size_t mask = (size_t)graph->table_size - 1, i = tensor_hash(tensor) & mask;
    while (graph->table[i] && !tensor_equal(graph->table[i], tensor)) i = (i + 1) & mask;
    return &graph->table[i];
}

static void table_fill(struct graph *graph) {
    graph->table_size = graph->table_size ? graph->table_size : 256;
    while (graph->table_size < 4 * graph->tensor_count) graph->table_size *= 2;
    graph->table = ARENA_ARRAY(graph->arena, struct tensor *, graph->table_size);
    for (int i = 0; i < graph->tensor_count; i++)
        *tensor_place(graph, graph->tensors[i]) = graph->tensors[i];
}

/* Adds a tensor, or finds the equal one that is there. */
static struct tensor *add(struct graph *graph, const struct tensor *model,
                          struct tensor *const *in) {
    struct tensor candidate = *model;
    candidate.in = (struct tensor **)in;
    if (!graph->table || graph->table_size < 2 * (graph->tensor_count + 1)) table_fill(graph);
    struct tensor **place = tensor_place(graph, &candidate);
    if (*place) return *place;
    struct tensor *tensor = ARENA_NEW(graph->arena, struct tensor);
    *place = tensor;
    *tensor = candidate;
    tensor->in = ARENA_ARRAY(graph->arena, struct tensor *, candidate.in_count);
    for (int i = 0; i < candidate.in_count; i++) tensor->in[i] = in[i];
    tensor->origin = graph->origin;
    tensor->number = graph->tensor_count;
    GROW(graph, graph->tensors, graph->tensor_count, graph->tensor_capacity);
    graph->tensors[graph->tensor_count++] = tensor;
    return tensor;
}

struct tensor *graph_input(struct graph *graph, const char *name, int index, struct shape shape) {
    struct tensor model = {.primitive = PRIMITIVE_INPUT, .shape = shape, .index = index};
    struct tensor *tensor = add(graph, &model, NULL);
    if (!tensor->name && name) tensor->name = arena_string(graph->arena, name);
    return tensor;
}

struct tensor *graph_scalar(struct graph *graph, enum scalar scalar) {
    struct tensor model = {.primitive = PRIMITIVE_SCALAR, .index = (int)scalar};
    return add(graph, &model, NULL);
}

/* A space as a whole. There is one tensor a space; it grows with the variables declared. */
static struct tensor *whole_space(struct graph *graph, enum space space) {
    for (int i = 0; i < graph->tensor_count; i++) {
        struct tensor *tensor = graph->tensors[i];
        if (tensor->primitive == PRIMITIVE_VARIABLE && tensor->index == (int)space) return tensor;
    }
    struct tensor model = {.primitive = PRIMITIVE_VARIABLE, .index = (int)space};
    model.shape = shape_of(1, &graph->space_size[space]);
    return add(graph, &model, NULL);
}

struct tensor *graph_space(struct graph *graph, enum space space, long offset, long size) {
    return graph_slice(graph, 0, offset, offset + size, whole_space(graph, space));
}

struct tensor *graph_variable(struct graph *graph, const char *name, struct shape shape,
                              enum space space, enum initializer_kind initializer, double scale) {
    GROW(graph, graph->variables, graph->variable_count, graph->variable_capacity);
    struct variable *variable = &graph->variables[graph->variable_count++];
    *variable = (struct variable){.name = arena_string(graph->arena, name),
                                  .shape = shape,
                                  .space = space,
                                  .offset = graph->space_size[space],
                                  .initializer = initializer,
                                  .scale = scale,
                                  .origin = graph->origin};
    long elements = shape_elements(&shape);
    graph->space_size[space] += elements;
    whole_space(graph, space)->shape.size[0] = graph->space_size[space];
    struct tensor *flat = graph_space(graph, space, variable->offset, elements);
    struct tensor *tensor = graph_reshape(graph, shape, flat);
    if (!tensor->name) tensor->name = variable->name;
    return tensor;
}

struct tensor *graph_contract(struct graph *graph, const struct contract *contract,
                              struct shape shape, struct tensor *a, struct tensor *b) {
    struct contract *copy = ARENA_NEW(graph->arena, struct contract);
    *copy = *contract;
    struct tensor *in[] = {a, b};
    struct tensor model = {
        .primitive = PRIMITIVE_CONTRACT, .shape = shape, .in_count = b ? 2 : 1, .contract = copy};
    return add(graph, &model, in);
}

struct tensor *graph_reduce(struct graph *graph, enum reduction reduction, unsigned axes,
                            struct tensor *in) {
    struct tensor model = {.primitive = PRIMITIVE_REDUCE,
                           .shape = in->shape,
                           .in_count = 1,
                           .reduction = reduction,
                           .axes = axes};
    for (int i = 0; i < in->shape.rank; i++)
        if (axes >> i & 1) model.shape.size[i] = 1;
    if (shape_equal(&model.shape, &in->shape)) return in; /* all its axes have size 1 */
    return add(graph, &model, &in);
}

struct tensor *graph_max_pool(struct graph *graph, const struct window *window, long out_height,
                              long out_width, struct tensor *in) {
    struct tensor model = {
        .primitive = PRIMITIVE_MAX_POOL, .shape = in->shape, .in_count = 1, .window = *window};
    model.shape.size[1] = out_height;
    model.shape.size[2] = out_width;
    return add(graph, &model, &in);
}

struct tensor *graph_max_pool_gather(struct graph *graph, const struct window *window,
                                     long out_height, long out_width, struct tensor *x,
                                     struct tensor *v) {
    struct tensor *in[] = {x, v};
    struct tensor model = {.primitive = PRIMITIVE_MAX_POOL_GATHER,
                           .shape = x->shape,
                           .in_count = 2,
                           .window = *window};
    model.shape.size[1] = out_height;
    model.shape.size[2] = out_width;
    return add(graph, &model, in);
}

struct tensor *graph_max_pool_gradient(struct graph *graph, const struct window *window,
                                       struct tensor *x, struct tensor *y, struct tensor *dy) {
    struct tensor *in[] = {x, y, dy};
    struct tensor model = {.primitive = PRIMITIVE_MAX_POOL_GRADIENT,
                           .shape = x->shape,
                           .in_count = 3,
                           .window = *window};
    return add(graph, &model, in);
}

struct tensor *graph_reshape(struct graph *graph, struct shape shape, struct tensor *in) {
    if (in->primitive == PRIMITIVE_RESHAPE) in = in->in[0];
    if (in->primitive != PRIMITIVE_VARIABLE && shape_equal(&shape, &in->shape)) return in;
    if (in->primitive == PRIMITIVE_MAP && in->expression->op == EXPRESSION_CONSTANT)
        return graph_map_shaped(graph, in->expression, NULL, 0, shape);
    struct tensor model = {.primitive = PRIMITIVE_RESHAPE, .shape = shape, .in_count = 1};
    return add(graph, &model, &in);
}

struct tensor *graph_slice(struct graph *graph, int axis, long begin, long end, struct tensor *in) {
    /* A space may still grow: what is all of it now may be a part later. */
    if (in->primitive != PRIMITIVE_VARIABLE && begin == 0 && end == in->shape.size[axis]) return in;
    struct tensor model = {.primitive = PRIMITIVE_SLICE,
                           .shape = in->shape,
                           .in_count = 1,
                           .axis = axis,
                           .begin = begin,
                           .end = end};
    model.shape.size[axis] = end - begin;
    return add(graph, &model, &in);
}

struct tensor *graph_concat(struct graph *graph, int axis, struct tensor *const *in, int in_count) {
    if (in_count == 1) return in[0];
    struct tensor model = {
        .primitive = PRIMITIVE_CONCAT, .shape = in[0]->shape, .in_count = in_count, .axis = axis};
    for (int i = 1; i < in_count; i++) model.shape.size[axis] += in[i]->shape.size[axis];
    return add(graph, &model, in);
}

struct tensor *graph_pad(struct graph *graph, int axis, long before, long after,
                         struct tensor *in) {
    if (before == 0 && after == 0) return in;
    struct tensor model = {.primitive = PRIMITIVE_PAD,
                           .shape = in->shape,
                           .in_count = 1,
                           .axis = axis,
                           .begin = before,
                           .end = after};
    model.shape.size[axis] += before + after;
    return add(graph, &model, &in);
}

/* The tensor of a map whose operands are in their final form (graph_map.c). */
struct tensor *graph_add_map(struct graph *graph, const struct expression *expression,
                             struct tensor *const *in, int in_count, struct shape shape) {
    struct tensor model = {
        .primitive = PRIMITIVE_MAP, .shape = shape, .in_count = in_count, .expression = expression};
    return add(graph, &model, in);
}

struct tensor *graph_rebuild(struct graph *graph, const struct tensor *tensor,
                             struct tensor *const *in) {
    struct origin origin = graph->origin;
    graph->origin = tensor->origin;
    int count = graph->tensor_count;
    struct tensor *built = NULL;
    switch (tensor->primitive) {
    case PRIMITIVE_MAP:
        built = graph_map_shaped(graph, tensor->expression, in, tensor->in_count, tensor->shape);
        break;
    case PRIMITIVE_REDUCE:
        built = graph_reduce(graph, tensor->reduction, tensor->axes, in[0]);
        break;
    case PRIMITIVE_RESHAPE: built = graph_reshape(graph, tensor->shape, in[0]); break;
    case PRIMITIVE_SLICE:
        built = graph_slice(graph, tensor->axis, tensor->begin, tensor->end, in[0]);
        break;
    case PRIMITIVE_CONCAT: built = graph_concat(graph, tensor->axis, in, tensor->in_count); break;
    case PRIMITIVE_PAD:
        built = graph_pad(graph, tensor->axis, tensor->begin, tensor->end, in[0]);
        break;
    default: built = add(graph, tensor, in);
    }
    if (built->number >= count) built->name = tensor->name;
    graph->origin = origin;
    return built;
}

struct tensor *graph_name(struct graph *graph, struct tensor *tensor, const char *name) {
    if (tensor->name) return tensor; /* a tensor that was there before keeps its name */
    tensor->name = graph->name ? arena_format(graph->arena, "%s_%s", graph->name, name)
                               : arena_string(graph->arena, name);
    return tensor;
}

void graph_output(struct graph *graph, const char *name, struct tensor *tensor) {
    GROW(graph, graph->outputs, graph->output_count, graph->output_capacity);
    struct output *output = &graph->outputs[graph->output_count++];
    output->name = arena_string(graph->arena, name);
    output->tensor = tensor;
}

void graph_update(struct graph *graph, enum space space, long offset, struct tensor *value) {
    GROW(graph, graph->updates, graph->update_count, graph->update_capacity);
    graph->updates[graph->update_count++] =
        (struct update){.space = space, .offset = offset, .value = value};
}

int graph_random_stream(struct graph *graph) {
    return graph->random_streams++;
}
