/* block_sums.c: sums over samples, block by block. Units of channels would read the blocks that
 * other threads have written, and where those have caches of their own the lines go to and fro: so
 * each unit sums a block, and a kernel behind adds the blocks up, always in the same order. A
 * serial program has nothing to gain. */
#include "kernel.h"

enum { SAMPLES_AND_PIXELS = 7 }; /* axes 0 to 2 of an image */

static bool suits(const struct program_plan *plan, const struct kernel *kernel) {
    if (plan->is_serial || kernel->kind != KERNEL_LOOP || plan->rows <= plan->lanes) return false;
    const struct loop_kernel *loop = &kernel->loop;
    if (loop->layout != LAYOUT_BLOCKED || loop->axes != SAMPLES_AND_PIXELS) return false;
    for (int i = 0; i < loop->statement_count; i++) {
        const struct statement *s = &loop->statements[i];
        if (s->kind == STATEMENT_VALUE) continue;
        const struct view *view = plan->views[s->tensor->number];
        if (s->kind != STATEMENT_SUM || view->layout != LAYOUT_PLAIN || view->buffer->is_double)
            return false;
    }
    return true;
}

static struct kernel *sums_kernel(struct program_plan *plan, const struct kernel *kernel,
                                  int capacity) {
    struct kernel *sums =
        kernel_new(plan, KERNEL_BLOCK_SUMS, arena_format(plan->arena, "%s_sums", kernel->name),
                   kernel->tensor);
    sums->block_sums.owner = kernel;
    sums->block_sums.sums = ARENA_ARRAY(plan->arena, struct block_sum, capacity);
    return sums;
}

/* Memory for the sums of the blocks that `kernel` adds up to `to`: [blocks][1][1][elements]. */
static const struct view *add_sum(struct program_plan *plan, struct kernel *kernel,
                                  const struct view *to, const char *name, long blocks) {
    long elements = shape_elements(&to->shape);
    struct shape shape = {4, {blocks, 1, 1, elements}};
    struct buffer *buffer =
        buffer_new(plan, arena_format(plan->arena, "%s_blocks", name), blocks * elements, false);
    const struct view *from = view_new(plan, buffer, 0, &shape, LAYOUT_PLAIN);
    kernel->block_sums.sums[kernel->block_sums.count++] = (struct block_sum){to, from};
    return from;
}

struct kernel *block_sums_kernel(struct program_plan *plan, struct kernel *kernel) {
    if (kernel->kind == KERNEL_WEIGHT_GRADIENT && kernel->weight_gradient.block_parts > 1) {
        struct kernel *sums = sums_kernel(plan, kernel, 1);
        kernel->out =
            add_sum(plan, sums, kernel->out, kernel->name, kernel->weight_gradient.block_parts);
        return sums;
    }
    if (!suits(plan, kernel)) return NULL;
    struct kernel *sums = sums_kernel(plan, kernel, kernel->loop.statement_count);
    for (int i = 0; i < kernel->loop.statement_count; i++) {
        struct statement *s = &kernel->loop.statements[i];
        if (s->kind == STATEMENT_SUM)
            s->block_sums = add_sum(plan, sums, plan->views[s->tensor->number], s->tensor->name,
                                    plan->rows / plan->lanes);
    }
    return sums;
}
