/* update.c: the optimizer's step of a dense layer's weights goes with the rows of their gradient:
 * when some rows of the sums are there, the loop over their weights runs. The gradient of all of
 * them is never in memory: a quarter less of what the weights and Adam take. So in emitted models
 * that run serially, whose memory counts.
 *
 * In the process it is done where weights and slots come from memory, since then the tiles can ask
 * for those of the next rows while they multiply: on Zen 5 a step of mnist_deep_mlp takes 5 % less,
 * with one thread and with two, which would share the memory's bandwidth in the loop alone. From
 * the L3 cache they come soon enough: a step of fashion_mlp would take 1 % more. */
#include "kernels.h"

bool update_goes_with_rows(const struct program_plan *plan, const struct shape *gradient) {
    bool is_far = plan->weights_are_far && gradient->rank == 2 &&
                  shape_elements(gradient) * (long)sizeof(float) > plan->target->l2;
    return plan->is_serial || is_far;
}

/* Elements are independent, in the order of memory. */
static bool is_elementwise(const struct loop_kernel *loop) {
    if (loop->domain.rank != 1 || loop->axes || loop->pooling || loop->layout != LAYOUT_PLAIN)
        return false;
    for (int i = 0; i < loop->statement_count; i++) {
        const struct expression *e = loop->statements[i].expression;
        if (expression_contains(e, EXPRESSION_RANDOM) || expression_contains(e, EXPRESSION_INDEX))
            return false;
    }
    return true;
}

struct use {
    const struct buffer *buffer;
    bool is_found;
};

static void find_use(void *context, const struct view *view, bool is_write) {
    struct use *use = context;
    (void)is_write;
    use->is_found = use->is_found || view->buffer == use->buffer;
}

static bool uses(const struct program_plan *plan, const struct kernel *kernel,
                 const struct buffer *buffer) {
    struct use use = {buffer, false};
    kernel_visit_views(plan, kernel, find_use, &use);
    return use.is_found;
}

/* Is the product's result read by this loop alone, element by element? */
static bool is_read_by(const struct program_plan *plan, const struct kernel *product,
                       const struct kernel *loop) {
    const struct buffer *result = product->out->buffer;
    if (result->storage != STORAGE_ARENA || product->out->offset ||
        result->elements != loop->loop.domain.size[0] || !uses(plan, loop, result))
        return false;
    for (int i = 0; i < plan->kernel_count; i++) {
        const struct kernel *other = plan->kernels[i];
        if (other != product && other != loop && uses(plan, other, result)) return false;
    }
    return true;
}

static bool is_update(const struct program_plan *plan, const struct kernel *product,
                      const struct kernel *loop) {
    const struct epilogue *e = &product->matmul.epilogue;
    return product->kind == KERNEL_MATMUL && loop->kind == KERNEL_LOOP && !product->by_block &&
           !e->bias && !e->relu && !e->mask && is_elementwise(&loop->loop) &&
           is_read_by(plan, product, loop);
}

/* What the loop reads of the product is the scratch now. */
static void redirect(struct program_plan *plan, const struct buffer *result,
                     const struct kernel *loop) {
    for (int i = 0; i < loop->loop.statement_count; i++) {
        const struct statement *s = &loop->loop.statements[i];
        for (int j = 0; j < s->operand_count; j++) {
            struct view **view = &plan->views[s->operands[j].tensor->number];
            if (s->operands[j].statement < 0 && (*view)->buffer == result)
                *view = loop->loop.update_rows;
        }
    }
}

void pass_update(struct program_plan *plan) {
    int count = 0;
    for (int i = 0; i < plan->kernel_count; i++) {
        struct kernel *kernel = plan->kernels[i];
        struct kernel *next = i + 1 < plan->kernel_count ? plan->kernels[i + 1] : NULL;
        plan->kernels[count] = kernel;
        kernel->number = count++;
        if (!next || !is_update(plan, kernel, next)) continue;
        if (!update_goes_with_rows(plan, &kernel->tensor->shape)) continue;
        const struct buffer *result = kernel->out->buffer;
        if (!schedule_update(plan, kernel, next)) continue;
        redirect(plan, result, next);
        i++;
    }
    plan->kernel_count = count;
}
