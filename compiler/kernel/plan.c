/* plan.c: building blocks of a program plan: buffers, views, kernels (see kernel.h). */
#include "winograd.h"

#include <ctype.h>
#include <string.h>

static void grow(struct arena *arena, void **items, int *capacity, int count, size_t size) {
    if (count < *capacity) return;
    int larger = *capacity ? *capacity * 2 : 64;
    void *copy = arena_alloc(arena, size * (size_t)larger);
    if (count) memcpy(copy, *items, size * (size_t)count);
    *items = copy;
    *capacity = larger;
}

bool plan_is_blocked(const struct program_plan *plan, const struct tensor *tensor) {
    return plan->layouts[tensor->number] == LAYOUT_BLOCKED;
}

bool plan_image_is_far(const struct program_plan *plan, long channels, const long size[2]) {
    long bytes = channels * size[0] * size[1] * plan->lanes * (long)sizeof(float);
    return plan->lanes > 1 && bytes > plan->target->l2 / 2;
}

bool plan_is_prepared(const struct program_plan *plan, const struct tensor *tensor) {
    return plan->prepares && plan->fixed[tensor->number];
}

struct view *view_new(struct program_plan *plan, struct buffer *buffer, long offset,
                      const struct shape *shape, enum layout layout) {
    struct view *view = ARENA_NEW(plan->arena, struct view);
    view->buffer = buffer;
    view->offset = offset;
    view->layout = layout;
    view->shape = *shape;
    if (layout == LAYOUT_PLAIN) {
        view->rank = shape->rank;
        long stride = 1;
        for (int i = shape->rank - 1; i >= 0; i--) {
            view->stride[i] = shape->size[i] == 1 ? 0 : stride;
            stride *= shape->size[i];
        }
        return view;
    }
    long height = shape->size[1], width = shape->size[2], channels = shape->size[3];
    long lanes = plan->lanes;
    view->rank = 5;
    view->stride[4] = 1;
    view->stride[3] = width == 1 ? 0 : lanes;
    view->stride[2] = height == 1 ? 0 : lanes * width;
    view->stride[1] = channels == 1 ? 0 : lanes * width * height;
    view->stride[0] = lanes * width * height * channels;
    return view;
}

bool views_overlap(const struct view *a, const struct view *b) {
    return a->buffer->storage != STORAGE_ARENA && a->buffer->storage == b->buffer->storage &&
           a->buffer->index == b->buffer->index &&
           a->offset < b->offset + shape_elements(&b->shape) &&
           b->offset < a->offset + shape_elements(&a->shape);
}

struct buffer *buffer_new(struct program_plan *plan, const char *name, long elements,
                          bool is_double) {
    struct buffer *buffer = ARENA_NEW(plan->arena, struct buffer);
    grow(plan->arena, (void **)&plan->buffers, &plan->buffer_capacity, plan->buffer_count,
         sizeof *plan->buffers);
    plan->buffers[plan->buffer_count++] = buffer;
    buffer->storage = STORAGE_ARENA;
    buffer->name = name;
    buffer->elements = elements;
    buffer->is_double = is_double;
    buffer->first = -1;
    return buffer;
}

const struct view *scratch_new(struct program_plan *plan, const struct kernel *kernel, long reals) {
    long units = plan->is_serial ? 1 : kernel->units;
    struct shape shape = {2, {units, reals}};
    struct buffer *buffer = plan->scratch;
    if (plan->is_serial || !buffer)
        buffer = buffer_new(plan, arena_format(plan->arena, "%s_points", kernel->name), 0, false);
    if (!plan->is_serial) {
        plan->scratch = buffer;
        buffer->name = "scratch";
    }
    if (buffer->elements < units * reals) buffer->elements = units * reals;
    return view_new(plan, buffer, 0, &shape, LAYOUT_PLAIN);
}

/* Where the name is in the table, or would go. */
static int name_place(const struct program_plan *plan, const char *name) {
    unsigned hash = 2166136261u; /* FNV-1a */
    for (const char *c = name; *c; c++) hash = (hash ^ (unsigned char)*c) * 16777619u;
    int place = (int)(hash & (unsigned)(plan->name_size - 1));
    while (plan->names[place] && strcmp(plan->names[place], name))
        place = (place + 1) & (plan->name_size - 1);
    return place;
}

static bool name_is_taken(const struct program_plan *plan, const char *name) {
    return plan->name_size && plan->names[name_place(plan, name)];
}

static void take_name(struct program_plan *plan, const char *name) {
    if (2 * (plan->name_count + 1) > plan->name_size) {
        const char **old = plan->names;
        int old_size = plan->name_size;
        plan->name_size = old_size ? 2 * old_size : 64;
        plan->names = ARENA_ARRAY(plan->arena, const char *, plan->name_size);
        for (int i = 0; i < old_size; i++)
            if (old[i]) plan->names[name_place(plan, old[i])] = old[i];
    }
    plan->names[name_place(plan, name)] = name;
    plan->name_count++;
}

struct kernel *kernel_new(struct program_plan *plan, enum kernel_kind kind, const char *name,
                          struct tensor *tensor) {
    struct kernel *kernel = ARENA_NEW(plan->arena, struct kernel);
    char *clean = arena_string(plan->arena, name); /* it becomes part of a C identifier */
    for (char *c = clean; *c; c++)
        if (!isalnum((unsigned char)*c)) *c = '_';
    name = clean;
    grow(plan->arena, (void **)&plan->kernels, &plan->kernel_capacity, plan->kernel_count,
         sizeof *plan->kernels);
    const char *unique = name;
    for (int i = 2; name_is_taken(plan, unique); i++)
        unique = arena_format(plan->arena, "%s_%d", name, i);
    take_name(plan, unique);
    kernel->kind = kind;
    kernel->name = unique;
    kernel->tensor = tensor;
    kernel->number = plan->kernel_count;
    kernel->units = 1;
    kernel->together = 1;
    plan->kernels[plan->kernel_count++] = kernel;
    return kernel;
}

struct visitor {
    const struct program_plan *plan;
    void (*visit)(void *context, const struct view *view, bool is_write);
    void *context;
};

static void visit_tensor(struct visitor *v, const struct tensor *tensor, bool is_write) {
    if (!tensor) return;
    const struct view *view = v->plan->views[tensor->number];
    if (view) v->visit(v->context, view, is_write);
}

static void visit_view(struct visitor *v, const struct view *view, bool is_write) {
    if (view) v->visit(v->context, view, is_write);
}

static void visit_loop(struct visitor *v, const struct loop_kernel *loop) {
    for (int i = 0; i < loop->statement_count; i++) {
        const struct statement *statement = &loop->statements[i];
        for (int j = 0; j < statement->operand_count; j++)
            if (statement->operands[j].statement < 0)
                visit_tensor(v, statement->operands[j].tensor, false);
        if (statement->block_sums)
            visit_view(v, statement->block_sums, true);
        else if (statement->is_stored)
            visit_tensor(v, statement->tensor, true);
    }
}

static void visit_block_sums(struct visitor *v, const struct block_sums_kernel *kernel) {
    for (int i = 0; i < kernel->count; i++) {
        visit_view(v, kernel->sums[i].from, false);
        visit_view(v, kernel->sums[i].to, true);
    }
}

static void visit_epilogue(struct visitor *v, const struct epilogue *epilogue) {
    visit_tensor(v, epilogue->bias, false);
    visit_tensor(v, epilogue->mask, false);
}

static void visit_plain_convolution(struct visitor *v, const struct convolution_kernel *c) {
    if (c->plain->halo)
        visit_view(v, c->plain->halo, false);
    else
        visit_tensor(v, c->image, false);
    if (c->winograd) {
        visit_view(v, c->packed, false);
        visit_view(v, c->winograd->scratch, true);
    } else if (c->packed) {
        visit_view(v, c->packed, false);
    } else {
        visit_tensor(v, c->weights, false);
    }
    visit_epilogue(v, &c->epilogue);
}

void kernel_visit_views(const struct program_plan *plan, const struct kernel *kernel,
                        void (*visit)(void *context, const struct view *view, bool is_write),
                        void *context) {
    struct visitor v = {plan, visit, context};
    switch (kernel->kind) {
    case KERNEL_LOOP: visit_loop(&v, &kernel->loop); break;
    case KERNEL_CONVOLUTION:
        if (kernel->convolution.plain) {
            visit_plain_convolution(&v, &kernel->convolution);
            break;
        }
        visit_tensor(&v, kernel->convolution.image, false);
        visit_view(&v, kernel->convolution.packed, false);
        visit_epilogue(&v, &kernel->convolution.epilogue);
        if (kernel->convolution.winograd)
            visit_view(&v, kernel->convolution.winograd->scratch, true);
        break;
    case KERNEL_WEIGHT_GRADIENT:
        visit_tensor(&v, kernel->weight_gradient.image, false);
        visit_tensor(&v, kernel->weight_gradient.gradient, false);
        if (kernel->weight_gradient.winograd)
            visit_view(&v, kernel->weight_gradient.winograd->scratch, true);
        break;
    case KERNEL_HALO: visit_tensor(&v, kernel->owner->convolution.image, false); break;
    case KERNEL_WINOGRAD_WEIGHTS:
        visit_tensor(&v, kernel->owner->convolution.weights, false);
        break;
    case KERNEL_WINOGRAD_SUMS: visit_view(&v, kernel->owner->out, false); break;
    case KERNEL_HALVES_SUM:
        visit_view(&v, kernel->owner->out, false);
        visit_epilogue(&v, &kernel->owner->matmul.sum_epilogue);
        break;
    case KERNEL_BLOCK_SUMS: visit_block_sums(&v, &kernel->block_sums); break;
    case KERNEL_MATMUL:
        visit_tensor(&v, kernel->matmul.a, false);
        if (kernel->matmul.transposed)
            visit_view(&v, kernel->matmul.transposed, false);
        else
            visit_tensor(&v, kernel->matmul.b, false);
        visit_view(&v, kernel->matmul.tail_columns, false);
        visit_view(&v, kernel->matmul.panel, true);
        visit_view(&v, kernel->matmul.row_panel, true);
        visit_epilogue(&v, &kernel->matmul.epilogue);
        break;
    case KERNEL_NAIVE:
        visit_tensor(&v, kernel->naive.a, false);
        visit_tensor(&v, kernel->naive.b, false);
        break;
    case KERNEL_MAX_POOL:
    case KERNEL_MAX_POOL_GRADIENT:
        visit_tensor(&v, kernel->pool.x, false);
        visit_tensor(&v, kernel->pool.y, false);
        visit_tensor(&v, kernel->pool.gradient, false);
        break;
    case KERNEL_COPY:
        visit_tensor(&v, kernel->copy.from, false);
        visit_view(&v, kernel->copy.from_view, false);
        break;
    }
    visit_view(&v, kernel->out, true);
    if (kernel->kind == KERNEL_MATMUL && kernel->matmul.update)
        visit_loop(&v, &kernel->matmul.update->loop);
}

struct split split_evenly(long n, long most) {
    long parts = (n + most - 1) / most;
    struct split split = {n / parts, n % parts, parts - n % parts};
    return split;
}
