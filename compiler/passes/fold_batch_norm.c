/* fold_batch_norm.c: for predictions, batch normalization is y = x * scale + shift with numbers of
 * the weights, one of each a channel. Where that is exact it moves into weights:
 *
 *   contraction, bias, normalization:   (x * w + b) * s + t = x * (w s) + (b s + t)
 *   normalization, flatten, contraction: (x * s + t) * w     = x * (s w) + (t * w)
 *
 * the latter where no zeros pad x: t * w would be wrong beside them. The same holds for every map
 * that multiplies and adds numbers of the weights. What stays on its own, behind a ReLU and before
 * padding or pooling, is left to the fusion. Scaled weights are computed ahead of the calls. */
#include "rewrite.h"

#include "../tensor/expression_list.h"

/* One channel of an old tensor is source * scale + shift; scale and shift are flat tensors of the
 * new graph, NULL for 1 and 0. */
struct linear {
    struct tensor *source, *scale, *shift;
    bool is_product; /* the source is a contraction with numbers of the weights */
    bool is_folded;  /* its weights have it all already */
};

struct folding {
    const bool *fixed;     /* by number in the old graph */
    const int *users;      /* the same: readers, outputs included */
    struct linear *linear; /* the same */
};

/* ---- numbers of the weights ---- */

static struct tensor *times(struct graph *graph, struct tensor *a, struct tensor *b) {
    return !a ? b : !b ? a : graph_binary(graph, EXPRESSION_MULTIPLY, a, b);
}

static struct tensor *plus(struct graph *graph, struct tensor *a, struct tensor *b) {
    return !a ? b : !b ? a : graph_binary(graph, EXPRESSION_ADD, a, b);
}

static long last_size(const struct tensor *t) {
    return t->shape.size[t->shape.rank - 1];
}

/* w times one number for each position along an axis, counted anew every size-of-factor positions.
 */
static struct tensor *times_along(struct graph *graph, struct tensor *w, int axis,
                                  struct tensor *factor) {
    if (factor->shape.rank == 0) return graph_binary(graph, EXPRESSION_MULTIPLY, w, factor);
    long channels = factor->shape.size[0], before = 1, behind = 1;
    for (int i = 0; i <= axis; i++) before *= w->shape.size[i];
    for (int i = axis + 1; i < w->shape.rank; i++) behind *= w->shape.size[i];
    struct shape cut = {3, {before / channels, channels, behind}}, column = {2, {channels, 1}};
    struct tensor *scaled = graph_binary(graph, EXPRESSION_MULTIPLY, graph_reshape(graph, cut, w),
                                         graph_reshape(graph, column, factor));
    return graph_reshape(graph, w->shape, scaled);
}

/* ---- what a map does ---- */

/* The value of an expression: x * scale + shift, or a number of the weights. */
struct form {
    bool fits, varies;
    struct tensor *scale, *shift; /* if it varies; NULL: 1, 0 */
    struct tensor *value;         /* if not */
};

static struct form fixed_form(struct graph *graph, const struct expression *e,
                              const struct form *in) {
    struct form form = {.fits = true};
    if (in[2].fits)
        form.value = graph_select(graph, in[0].value, in[1].value, in[2].value);
    else if (in[1].fits)
        form.value = graph_binary(graph, e->op, in[0].value, in[1].value);
    else
        form.value = graph_unary(graph, e->op, in[0].value);
    return form;
}

static struct form varying_form(struct graph *graph, const struct expression *e,
                                const struct form *in) {
    const struct form none = {.fits = false}, *x = in[0].varies ? &in[0] : &in[1];
    struct tensor *other = in[0].varies ? in[1].value : in[0].value;
    struct form form = {.fits = true, .varies = true, .scale = x->scale, .shift = x->shift};
    if (in[0].varies && in[1].varies) return none;
    switch (e->op) {
    case EXPRESSION_ADD: form.shift = plus(graph, x->shift, other); return form;
    case EXPRESSION_SUBTRACT:
        if (in[0].varies) {
            form.shift = plus(graph, x->shift, graph_unary(graph, EXPRESSION_NEGATE, other));
            return form;
        }
        return none;
    case EXPRESSION_DIVIDE:
        if (!in[0].varies) return none;
        other = graph_binary(graph, EXPRESSION_DIVIDE, graph_constant(graph, 1), other);
        break;
    case EXPRESSION_MULTIPLY: break;
    default: return none;
    }
    form.scale = times(graph, x->scale, other);
    if (x->shift) form.shift = times(graph, x->shift, other);
    return form;
}

/* Of a node whose inputs have the forms `in`. numbers: the map's operands, flat; NULL for x. */
static struct form form_of_node(struct graph *graph, const struct expression *e,
                                const struct form in[3], struct tensor *const *numbers) {
    const struct form none = {.fits = false};
    bool varies = false;
    if (e->op == EXPRESSION_INDEX || e->op == EXPRESSION_RANDOM) return none;
    if (e->op == EXPRESSION_CONSTANT)
        return (struct form){.fits = true, .value = graph_constant(graph, e->value)};
    if (e->op == EXPRESSION_OPERAND)
        return (struct form){
            .fits = true, .varies = !numbers[e->index], .value = numbers[e->index]};
    for (int i = 0; i < expression_arity(e->op); i++) {
        if (!in[i].fits) return none;
        varies = varies || in[i].varies;
    }
    return varies ? varying_form(graph, e, in) : fixed_form(graph, e, in);
}

static struct form form_of(struct graph *graph, const struct expression *e,
                           struct tensor *const *numbers) {
    struct expression_list list;
    expression_list_init(&list, graph->arena);
    int root = expression_list_add(&list, e);
    struct form *forms = ARENA_ARRAY(graph->arena, struct form, list.count);
    for (int i = 0; i < list.count; i++) {
        const struct expression_node *node = &list.nodes[i];
        struct form in[3] = {{.fits = false}};
        for (int k = 0; k < expression_arity(node->source->op); k++) in[k] = forms[node->in[k]];
        forms[i] = form_of_node(graph, node->source, in, numbers);
    }
    return forms[root];
}

/* The operands of a map as flat numbers a channel, NULL for the one that varies. Returns its index,
 * or -1: there are several, or other shapes. */
static int find_numbers(const struct folding *f, struct graph *graph, const struct tensor *map,
                        struct tensor *const *in, struct tensor **numbers) {
    int varying = -1;
    for (int i = 0; i < map->in_count; i++) {
        long elements = shape_elements(&in[i]->shape);
        if (!f->fixed[map->in[i]->number]) {
            if (varying >= 0 || !shape_equal(&map->in[i]->shape, &map->shape)) return -1;
            varying = i;
        } else if (elements == last_size(map) && last_size(in[i]) == elements) {
            numbers[i] = graph_reshape(graph, shape_of(1, &elements), in[i]);
        } else {
            return -1;
        }
    }
    return varying;
}

/* ---- into the contraction before ---- */

static bool affine_equal(const struct affine *a, const struct affine *b) {
    if (a->term_count != b->term_count || a->offset != b->offset) return false;
    for (int i = 0; i < a->term_count; i++)
        if (a->term[i].loop != b->term[i].loop || a->term[i].coefficient != b->term[i].coefficient)
            return false;
    return true;
}

/* The axis of the weights that goes with an axis of the data, or -1. */
static int weights_axis(const struct tensor *contract, const struct affine *data) {
    for (int i = 0; i < contract->in[1]->shape.rank; i++)
        if (affine_equal(&contract->contract->b.axis[i], data)) return i;
    return -1;
}

/* The contraction with other numbers of the weights, plus a bias. */
static struct tensor *with_weights(struct graph *graph, const struct tensor *contract,
                                   struct tensor *x, struct tensor *w, struct tensor *bias) {
    struct tensor *in[] = {x, w};
    if (!w->name) w->name = contract->in[1]->name;
    if (bias && !bias->name && contract->origin.layer)
        bias->name = arena_format(graph->arena, "%s/bias", contract->origin.layer);
    return plus(graph, graph_rebuild(graph, contract, in), bias);
}

/* NULL if the source is no such contraction. */
static struct tensor *fold_into_source(struct graph *graph, struct linear *linear) {
    const struct tensor *product = linear->source;
    if (!linear->is_product) return NULL;
    int axis = weights_axis(product, &product->contract->out.axis[product->shape.rank - 1]);
    if (axis < 0) return NULL;
    struct tensor *w = product->in[1];
    graph->origin = product->origin; /* the work is that layer's now */
    if (linear->scale) w = times_along(graph, w, axis, linear->scale);
    linear->is_folded = true;
    return with_weights(graph, product, product->in[0], w, linear->shift);
}

static struct tensor *fold_map(struct folding *f, struct graph *graph, const struct tensor *map,
                               struct tensor *const *in) {
    struct tensor **numbers = ARENA_ARRAY(graph->arena, struct tensor *, map->in_count);
    int varying = map->shape.rank < 2 ? -1 : find_numbers(f, graph, map, in, numbers);
    if (varying < 0) return NULL;
    struct form form = form_of(graph, map->expression, numbers);
    if (!form.fits || !form.varies) return NULL;
    const struct linear *x = &f->linear[map->in[varying]->number];
    struct linear *own = &f->linear[map->number];
    *own = (struct linear){.source = in[varying]};
    if (f->users[map->in[varying]->number] == 1) *own = *x;
    own->is_folded = false;
    own->scale = times(graph, own->scale, form.scale);
    own->shift = own->shift ? times(graph, own->shift, form.scale) : NULL;
    own->shift = plus(graph, own->shift, form.shift);
    return fold_into_source(graph, own);
}

/* ---- into the contraction behind ---- */

/* Does no point of the loops leave the data, so that no zeros pad them? */
static bool is_unpadded(const struct tensor *t) {
    for (int i = 0; i < t->in[0]->shape.rank; i++) {
        const struct affine *affine = &t->contract->a.axis[i];
        long least = affine->offset, most = affine->offset;
        for (int k = 0; k < affine->term_count; k++) {
            long reach =
                affine->term[k].coefficient * (t->contract->extent[affine->term[k].loop] - 1);
            *(reach < 0 ? &least : &most) += reach;
        }
        if (least < 0 || most >= t->in[0]->shape.size[i]) return false;
    }
    return true;
}

/* The axis of the weights that is the channel of the result, if all their other axes are summed in
 * full at each place of it; else -1. */
static int summed_axes(const struct tensor *t, unsigned *axes) {
    const struct contract *c = t->contract;
    int channel = weights_axis(t, &c->out.axis[t->shape.rank - 1]);
    *axes = 0;
    for (int i = 0; i < t->in[1]->shape.rank; i++) {
        const struct affine *affine = &c->b.axis[i];
        if (i == channel) continue;
        if (affine->term_count != 1 || affine->offset || affine->term[0].coefficient != 1 ||
            c->extent[affine->term[0].loop] != t->in[1]->shape.size[i])
            return -1;
        *axes |= 1u << i;
    }
    return channel;
}

/* What the linear operand of an old contraction is behind views that keep channels last; the number
 * of the old tensor, or -1. */
static int find_linear(const struct folding *f, const struct tensor *t) {
    const struct tensor *x = t->in[0];
    if (x->shape.rank < 2 || f->users[x->number] != 1) return -1;
    if (x->primitive == PRIMITIVE_RESHAPE) {
        const struct tensor *image = x->in[0];
        if (image->shape.rank < 2 || f->users[image->number] != 1 ||
            last_size(x) % last_size(image))
            return -1;
        x = image;
    }
    const struct linear *linear = &f->linear[x->number];
    return linear->is_folded || (!linear->scale && !linear->shift) ? -1 : x->number;
}

static struct tensor *fold_product(struct folding *f, struct graph *graph, const struct tensor *t,
                                   struct tensor *const *in) {
    if (t->in_count != 2 || f->fixed[t->in[0]->number] || !f->fixed[t->in[1]->number]) return NULL;
    struct linear *own = &f->linear[t->number];
    own->is_product = true;
    int number = find_linear(f, t);
    if (number < 0) return NULL;
    const struct linear *x = &f->linear[number];
    int axis = weights_axis(t, &t->contract->a.axis[t->in[0]->shape.rank - 1]);
    unsigned sums;
    int channel = summed_axes(t, &sums);
    if (axis < 0 || channel < 0 || axis == channel || (x->shift && !is_unpadded(t))) return NULL;
    struct tensor *w = in[1], *bias = NULL;
    if (x->shift) {
        bias = graph_reduce(graph, REDUCTION_SUM, sums, times_along(graph, w, axis, x->shift));
        bias = graph_reshape(graph, shape_of(1, &w->shape.size[channel]), bias);
    }
    if (x->scale) w = times_along(graph, w, axis, x->scale);
    struct tensor *source = graph_reshape(graph, t->in[0]->shape, x->source);
    struct tensor *result = with_weights(graph, t, source, w, bias);
    *own = (struct linear){.source = bias ? result->in[0] : result, .shift = bias};
    own->is_product = own->is_folded = true;
    return result;
}

/* ---- all tensors ---- */

static struct tensor *fold(struct graph *graph, const struct tensor *tensor,
                           struct tensor *const *in, const void *context) {
    struct folding *f = *(struct folding *const *)context;
    struct linear *own = &f->linear[tensor->number];
    struct tensor *folded = NULL;
    if (f->fixed[tensor->number]) return graph_rebuild(graph, tensor, in);
    if (tensor->primitive == PRIMITIVE_MAP) folded = fold_map(f, graph, tensor, in);
    if (tensor->primitive == PRIMITIVE_CONTRACT) folded = fold_product(f, graph, tensor, in);
    if (!folded) folded = graph_rebuild(graph, tensor, in);
    if (!own->source) own->source = folded;
    return folded;
}

struct graph *pass_fold_batch_norm(struct graph *graph) {
    struct arena *arena = graph->arena;
    int *users = ARENA_ARRAY(arena, int, graph->tensor_count);
    for (int t = 0; t < graph->tensor_count; t++)
        for (int k = 0; k < graph->tensors[t]->in_count; k++)
            users[graph->tensors[t]->in[k]->number]++;
    for (int i = 0; i < graph->output_count; i++) users[graph->outputs[i].tensor->number]++;
    struct folding folding = {.fixed = graph_fixed(graph, arena),
                              .users = users,
                              .linear = ARENA_ARRAY(arena, struct linear, graph->tensor_count)};
    struct folding *const context = &folding;
    return pass_dead(rewrite(graph, fold, &context));
}
