/* constants.c: with weights that never change again, what they alone decide is computed by the
 * compiler. Parameters that only served for it, those of a normalization that has moved into the
 * weights of a convolution for one, are gone. */
#include "rewrite.h"

#include <string.h>

struct constants {
    const struct graph *graph; /* as it was */
    const bool *fixed;         /* by number in it */
    const bool *remains;       /* the same: fixed, and read by what is not */
    double *const *value;      /* the same: of what is no variable as it stands; else NULL */
    const float *const *weights;
    float *values; /* all that remains, in the order of the graph */
};

/* The variable that a tensor is, whole, or NULL. */
static const struct variable *find_variable(const struct graph *graph, const struct tensor *t) {
    const struct tensor *slice = t->primitive == PRIMITIVE_RESHAPE ? t->in[0] : t;
    if (slice->primitive != PRIMITIVE_SLICE || slice->in[0]->primitive != PRIMITIVE_VARIABLE)
        return NULL;
    for (int i = 0; i < graph->variable_count; i++) {
        const struct variable *v = &graph->variables[i];
        if ((int)v->space == slice->in[0]->index && v->offset == slice->begin &&
            v->offset + shape_elements(&v->shape) == slice->end)
            return v;
    }
    return NULL;
}

static void mark(bool *wanted, const struct tensor *t) {
    if (wanted[t->number]) return;
    wanted[t->number] = true;
    for (int k = 0; k < t->in_count; k++) mark(wanted, t->in[k]);
}

static double *widen(struct arena *arena, const float *from, long count) {
    double *to = ARENA_ARRAY(arena, double, count);
    for (long i = 0; i < count; i++) to[i] = (double)from[i];
    return to;
}

/* The values of all that remains and is no variable as it stands. */
static double **evaluate(const struct graph *graph, const bool *remains,
                         const float *const *weights) {
    struct arena *arena = graph->arena;
    double **value = ARENA_ARRAY(arena, double *, graph->tensor_count);
    bool *wanted = ARENA_ARRAY(arena, bool, graph->tensor_count);
    for (int i = 0; i < graph->tensor_count; i++)
        if (remains[i] && !find_variable(graph, graph->tensors[i])) mark(wanted, graph->tensors[i]);
    struct reference_call call = {.inputs = NULL};
    for (int i = 0; i < graph->tensor_count; i++) {
        const struct tensor *t = graph->tensors[i];
        if (wanted[i] && t->primitive == PRIMITIVE_VARIABLE)
            call.spaces[t->index] = widen(arena, weights[t->index], t->shape.size[0]);
    }
    graph_reference_some(graph, wanted, &call, arena, value);
    return value;
}

/* Declares what remains as a variable of the new graph. */
static struct tensor *declare(const struct constants *c, struct graph *graph,
                              const struct tensor *t) {
    const struct variable *v = find_variable(c->graph, t);
    const char *name = v         ? v->name
                       : t->name ? t->name
                                 : arena_format(graph->arena, "constant_%d", t->number);
    float *to = c->values + graph->space_size[SPACE_TRAINABLE];
    long count = shape_elements(&t->shape);
    if (v)
        memcpy(to, c->weights[v->space] + v->offset, sizeof *to * (size_t)count);
    else
        for (long i = 0; i < count; i++) to[i] = (float)c->value[t->number][i];
    return graph_variable(graph, name, t->shape, SPACE_TRAINABLE, INITIALIZER_ZEROS, 0);
}

static struct tensor *replace(struct graph *graph, const struct tensor *tensor,
                              struct tensor *const *in, const void *context) {
    const struct constants *c = context;
    if (c->remains[tensor->number]) return declare(c, graph, tensor);
    /* nothing reads what else is fixed */
    if (c->fixed[tensor->number]) return graph_constant(graph, 0);
    return graph_rebuild(graph, tensor, in);
}

struct graph *pass_constants(struct graph *graph, const float *const *weights, float **values) {
    struct arena *arena = graph->arena;
    const bool *fixed = graph_fixed(graph, arena);
    bool *remains = ARENA_ARRAY(arena, bool, graph->tensor_count);
    for (int t = 0; t < graph->tensor_count; t++)
        for (int k = 0; !fixed[t] && k < graph->tensors[t]->in_count; k++)
            remains[graph->tensors[t]->in[k]->number] = fixed[graph->tensors[t]->in[k]->number];
    for (int i = 0; i < graph->output_count; i++) {
        int number = graph->outputs[i].tensor->number;
        remains[number] = fixed[number];
    }
    long count = 0;
    for (int t = 0; t < graph->tensor_count; t++)
        if (remains[t]) count += shape_elements(&graph->tensors[t]->shape);
    *values = ARENA_ARRAY(arena, float, count + 1);
    struct constants c = {graph,   fixed,  remains, evaluate(graph, remains, weights),
                          weights, *values};
    struct graph bare = *graph;
    bare.variables = NULL;
    bare.variable_count = bare.variable_capacity = 0;
    memset(bare.space_size, 0, sizeof bare.space_size);
    return pass_dead(rewrite(&bare, replace, &c));
}
