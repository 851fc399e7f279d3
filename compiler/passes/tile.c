/* tile.c: chooses the tiles of every kernel and puts the packing of weights, which depends on them,
 * in front of the kernel that reads the packed weights. */
#include "kernels.h"
#include "../kernel/winograd.h"

static struct kernel *packing_kernel(struct program_plan *plan, const struct kernel *kernel) {
    const struct convolution_kernel *c = &kernel->convolution;
    if (c->winograd) return winograd_weights_kernel(plan, kernel);
    struct kernel *pack = kernel_new(
        plan, KERNEL_COPY, arena_format(plan->arena, "%s_pack", kernel->name), kernel->tensor);
    pack->out = c->packed;
    schedule_packing(plan, c, &pack->copy);
    for (int i = 0; i < pack->copy.part_count; i++)
        if (pack->copy.parts[i].size[0] > pack->units) pack->units = pack->copy.parts[i].size[0];
    return pack;
}

/* A copy in one part of b of a product, for it to read. */
static struct kernel *copying_kernel(struct program_plan *plan, const struct kernel *kernel,
                                     const char *suffix, const struct view *out,
                                     struct copy_part part) {
    struct kernel *copy =
        kernel_new(plan, KERNEL_COPY, arena_format(plan->arena, "%s_%s", kernel->name, suffix),
                   kernel->tensor);
    copy->out = out;
    copy->copy.from = kernel->matmul.b;
    copy->copy.parts = ARENA_NEW(plan->arena, struct copy_part);
    copy->copy.part_count = 1;
    copy->copy.parts[0] = part;
    copy->units = part.size[0];
    return copy;
}

static struct kernel *transposing_kernel(struct program_plan *plan, const struct kernel *kernel) {
    const struct matmul_kernel *m = &kernel->matmul;
    /* Parallel over pieces of the columns: each reads rows of b from end to end. */
    long pieces = 1;
    while (pieces < 16 && m->columns % (pieces * 2) == 0 && m->columns / pieces > 64) pieces *= 2;
    long piece = m->columns / pieces;
    struct copy_part part = {.size = {pieces, 1, 1, m->depth, piece},
                             .to_stride = {piece, 0, 0, m->columns, 1},
                             .from_stride = {piece * m->b_column, 0, 0, m->b_depth, m->b_column}};
    return copying_kernel(plan, kernel, "transpose", m->transposed, part);
}

static struct kernel *tail_kernel(struct program_plan *plan, const struct kernel *kernel) {
    const struct matmul_kernel *m = &kernel->matmul;
    struct copy_part part = {.size = {1, 1, 1, m->tail, m->depth},
                             .to_stride = {0, 0, 0, m->depth, 1},
                             .from_stride = {0, 0, 0, m->b_column, m->b_depth},
                             .from_offset = (m->columns - m->tail) * m->b_column};
    return copying_kernel(plan, kernel, "columns", m->tail_columns, part);
}

/* ---- what weights alone decide ---- */

struct preparation {
    struct program_plan *plan;
    const struct buffer *buffer; /* whose writers are counted */
    int reads, writers;
    bool is_fixed;
};

static void count_writer(void *context, const struct view *view, bool is_write) {
    struct preparation *p = context;
    p->writers += is_write && view->buffer == p->buffer;
}

/* It reads weights and what is made of them, and is the only one to write its results. */
static void check_view(void *context, const struct view *view, bool is_write) {
    struct preparation *p = context;
    enum storage storage = view->buffer->storage;
    if (!is_write) {
        p->reads++;
        p->is_fixed = p->is_fixed && (storage == STORAGE_SPACE || storage == STORAGE_PREPARED);
        return;
    }
    struct preparation count = {.buffer = view->buffer};
    for (int i = 0; i < p->plan->kernel_count; i++)
        kernel_visit_views(p->plan, p->plan->kernels[i], count_writer, &count);
    p->is_fixed = p->is_fixed && storage == STORAGE_ARENA && !view->buffer->is_double &&
                  view->buffer != p->plan->scratch && count.writers == 1;
}

static void keep(void *context, const struct view *view, bool is_write) {
    struct program_plan *plan = context;
    if (!is_write) return;
    view->buffer->storage = STORAGE_PREPARED;
    view->buffer->offset = plan->prepared_elements;
    plan->prepared_elements += (view->buffer->elements + LINE - 1) / LINE * LINE;
}

/* Made once and kept, if the program can. */
static void prepare_once(struct program_plan *plan, struct kernel *kernel) {
    struct preparation p = {.plan = plan, .is_fixed = plan->prepares};
    if (plan->prepares) kernel_visit_views(plan, kernel, check_view, &p);
    if (!p.is_fixed || !p.reads) return;
    kernel->is_prepared = true;
    kernel_visit_views(plan, kernel, keep, plan);
}

void pass_tile(struct program_plan *plan) {
    int count = plan->kernel_count;
    struct kernel **old = plan->kernels;
    plan->kernels = NULL;
    plan->kernel_count = plan->kernel_capacity = 0;
    struct kernel **order = ARENA_ARRAY(plan->arena, struct kernel *, count * 2);
    int ordered = 0;
    for (int i = 0; i < count; i++) {
        schedule_kernel(plan, old[i]);
        const struct convolution_kernel *c = &old[i]->convolution;
        bool is_plain = old[i]->kind == KERNEL_CONVOLUTION && c->plain;
        if (is_plain && c->plain->halo) order[ordered++] = halo_kernel(plan, old[i]);
        if (old[i]->kind == KERNEL_CONVOLUTION && c->weights && (!is_plain || c->packed))
            order[ordered++] = packing_kernel(plan, old[i]);
        if (old[i]->kind == KERNEL_CONVOLUTION && !old[i]->convolution.weights)
            old[i]->convolution.packed = NULL;
        if (old[i]->kind == KERNEL_MATMUL && old[i]->matmul.transposed) {
            order[ordered++] = transposing_kernel(plan, old[i]);
            old[i]->matmul.b_depth = old[i]->matmul.columns;
            old[i]->matmul.b_column = 1;
        }
        if (old[i]->kind == KERNEL_MATMUL && old[i]->matmul.tail_columns)
            order[ordered++] = tail_kernel(plan, old[i]);
        order[ordered++] = old[i];
        if (old[i]->kind == KERNEL_WEIGHT_GRADIENT && old[i]->weight_gradient.winograd)
            order[ordered++] = winograd_sums_kernel(plan, old[i]);
        struct kernel *halves = halves_sum_kernel(plan, old[i]);
        if (halves) order[ordered++] = halves;
        struct kernel *sums = block_sums_kernel(plan, old[i]);
        if (sums) order[ordered++] = sums;
    }
    plan->kernels = order;
    plan->kernel_count = ordered;
    plan->kernel_capacity = count * 2;
    for (int i = 0; i < ordered; i++) {
        order[i]->number = i;
        prepare_once(plan, order[i]);
    }
}
