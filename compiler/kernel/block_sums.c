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

static struct kernel *sums_kernel(struct program_plan *plan, const struct kernel *kernel) {
    struct kernel *sums =
        kernel_new(plan, KERNEL_BLOCK_SUMS, arena_format(plan->arena, "%s_sums", kernel->name),
                   kernel->tensor);
    sums->owner = kernel;
    return sums;
}

static struct kernel *gradient_sums(struct program_plan *plan, struct kernel *kernel) {
    struct kernel *sums = sums_kernel(plan, kernel);
    long parts = kernel->weight_gradient.block_parts;
    long weights = shape_elements(&kernel->tensor->shape);
    struct shape shape = {2, {parts, weights}};
    const char *name = arena_format(plan->arena, "%s_parts", kernel->name);
    sums->out = kernel->out;
    kernel->out =
        view_new(plan, buffer_new(plan, name, parts * weights, false), 0, &shape, LAYOUT_PLAIN);
    return sums;
}

struct kernel *block_sums_kernel(struct program_plan *plan, struct kernel *kernel) {
    if (kernel->kind == KERNEL_WEIGHT_GRADIENT && kernel->weight_gradient.block_parts > 1)
        return gradient_sums(plan, kernel);
    if (!suits(plan, kernel)) return NULL;
    long blocks = plan->rows / plan->lanes;
    struct kernel *sums = sums_kernel(plan, kernel);
    for (int i = 0; i < kernel->loop.statement_count; i++) {
        struct statement *s = &kernel->loop.statements[i];
        if (s->kind == STATEMENT_VALUE) continue;
        long channels = shape_elements(&s->tensor->shape);
        struct shape shape = {4, {blocks, 1, 1, channels}};
        const char *name = arena_format(plan->arena, "%s_blocks", s->tensor->name);
        struct buffer *buffer = buffer_new(plan, name, blocks * channels, false);
        s->block_sums = view_new(plan, buffer, 0, &shape, LAYOUT_PLAIN);
        sums->out = plan->views[s->tensor->number];
    }
    return sums;
}
