/* storage.c: gives every tensor that needs memory its buffer and view: outputs and updates at their
 * destinations, aliases within other tensors, all else in the arena. */
#include "kernels.h"

#include <string.h>

struct storage_pass {
    struct program_plan *plan;
    bool *needs;
};

/* The tensor is read from memory. */
static void need(struct storage_pass *s, const struct tensor *t) {
    if (!t || s->needs[t->number]) return;
    s->needs[t->number] = true;
    if (tensor_is_alias(s->plan, t)) need(s, t->in[0]);
    if (tensor_is_flat_concat(t))
        for (int i = 0; i < t->in_count; i++) need(s, t->in[i]);
}

static void need_epilogue(struct storage_pass *s, const struct epilogue *epilogue) {
    need(s, epilogue->bias);
    need(s, epilogue->mask);
}

static void need_operands(struct storage_pass *s, const struct kernel *kernel) {
    switch (kernel->kind) {
    case KERNEL_LOOP:
        for (int i = 0; i < kernel->loop.statement_count; i++) {
            const struct statement *statement = &kernel->loop.statements[i];
            if (statement->kind != STATEMENT_VALUE) need(s, statement->tensor);
            for (int j = 0; j < statement->operand_count; j++)
                if (statement->operands[j].statement < 0) need(s, statement->operands[j].tensor);
        }
        return;
    case KERNEL_CONVOLUTION:
        need(s, kernel->convolution.image);
        need(s, kernel->convolution.weights);
        need_epilogue(s, &kernel->convolution.epilogue);
        break;
    case KERNEL_WEIGHT_GRADIENT:
        need(s, kernel->weight_gradient.image);
        need(s, kernel->weight_gradient.gradient);
        break;
    case KERNEL_MATMUL:
        need(s, kernel->matmul.a);
        need(s, kernel->matmul.b);
        need_epilogue(s, &kernel->matmul.epilogue);
        break;
    case KERNEL_MAX_POOL:
    case KERNEL_MAX_POOL_GRADIENT:
        need(s, kernel->pool.x);
        need(s, kernel->pool.y);
        need(s, kernel->pool.gradient);
        break;
    case KERNEL_HALO:
    case KERNEL_WINOGRAD_WEIGHTS:
    case KERNEL_WINOGRAD_SUMS:
    case KERNEL_HALVES_SUM:
    case KERNEL_BLOCK_SUMS: break; /* made later, from what their owners need */
    case KERNEL_COPY: need(s, kernel->copy.from); break;
    case KERNEL_NAIVE:
        need(s, kernel->naive.a);
        need(s, kernel->naive.b);
        break;
    }
    need(s, kernel->tensor);
}

static struct buffer *outside(struct storage_pass *s, enum storage storage, int index,
                              const char *name) {
    struct buffer *buffer = ARENA_NEW(s->plan->arena, struct buffer);
    buffer->storage = storage;
    buffer->index = index;
    buffer->name = name;
    buffer->is_double = storage == STORAGE_SCALAR || storage == STORAGE_RESULT;
    return buffer;
}

static void pin(struct storage_pass *s, const struct tensor *t, struct buffer *buffer,
                long offset) {
    s->plan->views[t->number] = view_new(s->plan, buffer, offset, &t->shape, LAYOUT_PLAIN);
}

static void pin_outputs(struct storage_pass *s) {
    const struct graph *graph = s->plan->graph;
    for (int i = 0; i < graph->output_count; i++) {
        const struct output *output = &graph->outputs[i];
        bool is_predictions = !strcmp(output->name, "predictions");
        int index = !strcmp(output->name, "accuracy");
        pin(s, output->tensor,
            outside(s, is_predictions ? STORAGE_PREDICTIONS : STORAGE_RESULT, index, output->name),
            0);
        need(s, output->tensor);
    }
    for (int i = 0; i < graph->update_count; i++) {
        const struct update *update = &graph->updates[i];
        pin(s, update->value, outside(s, STORAGE_SPACE, (int)update->space, "update"),
            update->offset);
        need(s, update->value);
    }
}

static struct view *alias_view(struct storage_pass *s, const struct tensor *t) {
    const struct view *base = s->plan->views[t->in[0]->number];
    struct view *view =
        view_new(s->plan, base->buffer, base->offset, &t->shape, s->plan->layouts[t->number]);
    if (t->primitive == PRIMITIVE_SLICE && s->plan->is_cut[t->number]) {
        view->offset += t->begin * base->stride[blocked_dimension(t->axis)];
        for (int i = 0; i < view->rank; i++)
            if (view->stride[i]) view->stride[i] = base->stride[i];
    } else if (t->primitive == PRIMITIVE_SLICE) {
        long row = shape_elements(&t->shape) / t->shape.size[0];
        view->offset += t->begin * row;
        memcpy(view->stride, base->stride, sizeof view->stride);
        for (int i = 0; i < view->rank; i++)
            if (t->shape.size[i] == 1) view->stride[i] = 0;
    }
    return view;
}

static void assign(struct storage_pass *s, const struct tensor *t) {
    struct program_plan *plan = s->plan;
    if (plan->views[t->number] || !s->needs[t->number]) return;
    const char *name = t->name ? t->name : arena_format(plan->arena, "tensor_%d", t->number);
    bool blocked = plan_is_blocked(plan, t);
    if (tensor_is_alias(plan, t)) {
        plan->views[t->number] = alias_view(s, t);
    } else if (t->primitive == PRIMITIVE_SCALAR) {
        pin(s, t, outside(s, STORAGE_SCALAR, t->index, name), 0);
    } else if (t->primitive == PRIMITIVE_VARIABLE) {
        pin(s, t, outside(s, STORAGE_SPACE, t->index, name), 0);
    } else if (t->primitive == PRIMITIVE_INPUT && !blocked) {
        pin(s, t, outside(s, STORAGE_INPUT, t->index, name), 0);
    } else {
        struct buffer *buffer =
            buffer_new(plan, name, shape_elements(&t->shape), t->shape.rank == 0);
        plan->views[t->number] =
            view_new(plan, buffer, 0, &t->shape, blocked ? LAYOUT_BLOCKED : LAYOUT_PLAIN);
    }
}

void pass_storage(struct program_plan *plan) {
    const struct graph *graph = plan->graph;
    struct storage_pass s = {plan, ARENA_ARRAY(plan->arena, bool, graph->tensor_count)};
    pin_outputs(&s);
    for (int i = plan->kernel_count - 1; i >= 0; i--) need_operands(&s, plan->kernels[i]);
    for (int i = 0; i < graph->tensor_count; i++) assign(&s, graph->tensors[i]);
    for (int i = 0; i < plan->kernel_count; i++) {
        struct kernel *kernel = plan->kernels[i];
        if (kernel->kind != KERNEL_LOOP && !kernel->out)
            kernel->out = plan->views[kernel->tensor->number];
        if (kernel->kind != KERNEL_LOOP) continue;
        for (int j = 0; j < kernel->loop.statement_count; j++) {
            struct statement *statement = &kernel->loop.statements[j];
            statement->is_stored = s.needs[statement->tensor->number];
        }
    }
}
