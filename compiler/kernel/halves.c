/* halves.c: forward products of large weights in halves of their depth, the rows of the weights.
 *
 * The optimizer updates these rows in order, the first half on one of two threads, and the gradient
 * that goes on to the layer before needs them so, too. Only the forward product reads them column
 * by column: by both threads. Then each line that the optimizer writes has to be taken away from
 * the other core, and where the cores share no cache that takes longer than the product itself. In
 * halves a thread reads what it has updated. Always two, so that the bits do not depend on the
 * threads. */
#include "kernel.h"

enum { LEAST_WEIGHTS = 1 << 16, MOST_UNITS = 8 };

void product_take_halves(const struct program_plan *plan, struct matmul_kernel *m) {
    const struct epilogue *e = &m->epilogue;
    bool is_trained = plan->has_shares && !plan->is_serial && plan->graph->update_count > 0 &&
                      tensor_is_weights(m->b);
    bool is_forward =
        m->a_depth == 1 && m->b_column == 1 && m->c_row == m->columns && e->bias && !e->mask;
    /* the sums are little beside the weights */
    bool is_large = m->depth * m->columns >= LEAST_WEIGHTS && m->depth >= 4 * m->rows;
    if (!is_trained || !is_forward || !is_large || m->depth % 2 || plan->target->even_tiles ||
        m->columns < 2 * plan->target->lanes || plan->generic_products)
        return;
    m->in_halves = true;
    m->depth /= 2;
    m->sum_epilogue = *e;
    m->epilogue = (struct epilogue){0};
}

long halves_sum_columns(const struct matmul_kernel *m) {
    long lines = (m->columns + LINE - 1) / LINE;
    return (lines + MOST_UNITS - 1) / MOST_UNITS * LINE;
}

struct kernel *halves_sum_kernel(struct program_plan *plan, struct kernel *kernel) {
    const struct matmul_kernel *m = &kernel->matmul;
    if (kernel->kind != KERNEL_MATMUL || !m->in_halves) return NULL;
    struct kernel *sum = kernel_new(
        plan, KERNEL_HALVES_SUM, arena_format(plan->arena, "%s_sum", kernel->name), kernel->tensor);
    struct shape shape = {3, {2, m->rows, m->columns}};
    const char *name = arena_format(plan->arena, "%s_halves", kernel->name);
    sum->owner = kernel;
    sum->out = kernel->out;
    sum->units = (m->columns + halves_sum_columns(m) - 1) / halves_sum_columns(m);
    kernel->out = view_new(plan, buffer_new(plan, name, shape_elements(&shape), false), 0, &shape,
                           LAYOUT_PLAIN);
    return sum;
}
