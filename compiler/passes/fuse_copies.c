/* fuse_copies.c: the kernels that only move data: changes of layout, pieces, zeros. */
#include "fusion.h"

#include <string.h>

/* Loops over [block][lane][pixel][channel], the outermost of them parallel. */
static struct copy_part layout_part(const struct program_plan *plan, const struct shape *image,
                                    bool to_blocked) {
    long lanes = plan->lanes, pixels = image->size[1] * image->size[2], c = image->size[3];
    struct copy_part part = {.size = {plan->rows / lanes, 1, lanes, pixels, c}};
    long blocked[5] = {lanes * pixels * c, 0, 1, lanes, lanes * pixels};
    long plain[5] = {lanes * pixels * c, 0, pixels * c, c, 1};
    memcpy(to_blocked ? part.to_stride : part.from_stride, blocked, sizeof blocked);
    memcpy(to_blocked ? part.from_stride : part.to_stride, plain, sizeof plain);
    return part;
}

static struct kernel *copy_new(struct fusion *f, struct tensor *t, const struct tensor *from,
                               struct copy_part part) {
    struct kernel *kernel = kernel_new(f->plan, KERNEL_COPY, fusion_kernel_name(f, t), t);
    kernel->copy.from = from;
    kernel->copy.parts = ARENA_NEW(f->plan->arena, struct copy_part);
    kernel->copy.parts[0] = part;
    kernel->copy.part_count = 1;
    kernel->units = part.size[0];
    f->position[t->number] = kernel->number;
    return kernel;
}

/* The caller's samples are row-major. */
void fusion_place_input(struct fusion *f, struct tensor *t) {
    struct kernel *kernel = copy_new(f, t, NULL, layout_part(f->plan, &t->shape, true));
    struct buffer *buffer = ARENA_NEW(f->plan->arena, struct buffer);
    buffer->storage = STORAGE_INPUT;
    buffer->index = t->index;
    buffer->name = t->name;
    kernel->copy.from_view = view_new(f->plan, buffer, 0, &t->shape, LAYOUT_PLAIN);
    kernel->by_block = true;
}

void fusion_place_reshape(struct fusion *f, struct tensor *t) {
    struct program_plan *plan = f->plan;
    const struct tensor *from = t->in[0];
    bool from_blocked = plan_is_blocked(plan, from), to_blocked = plan_is_blocked(plan, t);
    if (!from_blocked || !to_blocked) {
        const struct shape *image = to_blocked ? &t->shape : &from->shape;
        struct kernel *kernel = copy_new(f, t, from, layout_part(plan, image, to_blocked));
        kernel->by_block = true;
        return;
    }
    /* between two images of different sizes: by way of rows */
    struct shape rows = {1, {shape_elements(&t->shape)}};
    const char *name = arena_format(plan->arena, "%s_rows", fusion_kernel_name(f, t));
    struct view *view =
        view_new(plan, buffer_new(plan, name, rows.size[0], false), 0, &rows, LAYOUT_PLAIN);
    struct kernel *first = copy_new(f, t, from, layout_part(plan, &from->shape, false));
    first->out = view;
    struct kernel *second = copy_new(f, t, NULL, layout_part(plan, &t->shape, true));
    second->copy.from_view = view;
}

/* The loops over `piece`, a range of the tensor `whole` along one axis; strides in whole. */
static struct copy_part piece_part(struct program_plan *plan, const struct tensor *piece,
                                   const struct tensor *whole, int axis, long begin,
                                   long piece_stride[5], long whole_stride[5], long *offset) {
    enum layout layout = plan->layouts[whole->number];
    struct view *small = view_new(plan, NULL, 0, &piece->shape, layout);
    struct view *large = view_new(plan, NULL, 0, &whole->shape, layout);
    struct copy_part part = {.size = {1, 1, 1, 1, 1}};
    int skip = 5 - small->rank;
    for (int i = 0; i < small->rank; i++) {
        piece_stride[skip + i] = small->stride[i];
        whole_stride[skip + i] = large->stride[i];
        if (layout == LAYOUT_PLAIN) part.size[skip + i] = piece->shape.size[i];
    }
    if (layout == LAYOUT_BLOCKED) {
        part.size[0] = plan->rows / plan->lanes;
        for (int i = 1; i < 4; i++) part.size[blocked_dimension(i)] = piece->shape.size[i];
        part.size[4] = plan->lanes;
        axis = blocked_dimension(axis);
    }
    *offset = begin * large->stride[axis];
    return part;
}

static void place_piece(struct fusion *f, struct tensor *t, const struct tensor *piece,
                        const struct tensor *whole, int axis, long begin, bool into_whole) {
    long piece_stride[5] = {0}, whole_stride[5] = {0}, offset;
    struct copy_part part =
        piece_part(f->plan, piece, whole, axis, begin, piece_stride, whole_stride, &offset);
    memcpy(into_whole ? part.from_stride : part.to_stride, piece_stride, sizeof piece_stride);
    memcpy(into_whole ? part.to_stride : part.from_stride, whole_stride, sizeof whole_stride);
    *(into_whole ? &part.to_offset : &part.from_offset) = offset;
    copy_new(f, t, into_whole ? piece : whole, part);
}

void fusion_place_slice(struct fusion *f, struct tensor *t) {
    place_piece(f, t, t, t->in[0], t->axis, t->begin, false);
}

void fusion_place_pad(struct fusion *f, struct tensor *t) {
    struct copy_part fill = {.size = {1, 1, 1, 1, shape_elements(&t->shape)},
                             .to_stride = {0, 0, 0, 0, 1}};
    copy_new(f, t, NULL, fill);
    place_piece(f, t, t->in[0], t, t->axis, t->begin, true);
}

/* Lets the kernel that computes a part of a flat vector write it in place. */
static bool pin_part(struct fusion *f, const struct tensor *part, struct view *whole, long begin) {
    struct program_plan *plan = f->plan;
    while (tensor_is_alias(plan, part) && part->primitive == PRIMITIVE_RESHAPE) part = part->in[0];
    bool is_computed = part->primitive == PRIMITIVE_MAP || part->primitive == PRIMITIVE_REDUCE ||
                       part->primitive == PRIMITIVE_CONTRACT;
    if (!is_computed || plan_is_blocked(plan, part) || f->is_external[part->number] ||
        f->is_absorbed[part->number] || plan->views[part->number] || part->shape.rank == 0)
        return false;
    plan->views[part->number] = view_new(plan, whole->buffer, begin, &part->shape, LAYOUT_PLAIN);
    return true;
}

void fusion_place_concat(struct fusion *f, struct tensor *t) {
    struct program_plan *plan = f->plan;
    long begin = 0;
    if (tensor_is_flat_concat(t))
        plan->views[t->number] =
            view_new(plan, buffer_new(plan, fusion_kernel_name(f, t), t->shape.size[0], false), 0,
                     &t->shape, LAYOUT_PLAIN);
    for (int i = 0; i < t->in_count; i++) {
        int position = f->position[t->in[i]->number];
        if (!plan->views[t->number] || !pin_part(f, t->in[i], plan->views[t->number], begin))
            place_piece(f, t, t->in[i], t, t->axis, begin, true);
        else if (position > f->position[t->number])
            f->position[t->number] = position;
        begin += t->in[i]->shape.size[t->axis];
    }
}
