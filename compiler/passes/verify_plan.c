/* verify_plan.c: checks the kernels and their memory: what is read was written before, variables
 * are not read behind their updates, what is alive at once does not overlap, every view stays
 * inside its buffer. */
#include "kernels.h"

/* Where a kernel has written a variable. */
struct written {
    const struct view *view;
    const struct kernel *by;
};

struct check {
    const struct program_plan *plan;
    const struct kernel *kernel;
    bool *is_written; /* arena buffers, by position in plan->buffers */
    struct written *variables;
    int variable_count;
    struct error *error;
    bool is_broken;
};

static const struct buffer *root_of(const struct buffer *buffer) {
    while (buffer->merged) buffer = buffer->merged;
    return buffer;
}

static int position_of(const struct program_plan *plan, const struct buffer *buffer) {
    for (int i = 0; i < plan->buffer_count; i++)
        if (plan->buffers[i] == buffer) return i;
    return -1;
}

/* Of the first block, where each block has a piece of its own. */
static long last_element(const struct view *view, long lanes) {
    static const int axis_of[5] = {0, 3, 1, 2, 0};
    long last = view->offset;
    for (int i = 0; i < view->rank; i++) {
        if (i == 0 && root_of(view->buffer)->by_block) continue;
        long size = view->shape.size[view->layout == LAYOUT_BLOCKED ? axis_of[i] : i];
        if (view->layout == LAYOUT_BLOCKED && i == 0) size /= lanes;
        if (view->layout == LAYOUT_BLOCKED && i == 4) size = lanes;
        last += (size - 1) * view->stride[i];
    }
    return last;
}

static void fail(struct check *c, const char *what, const struct view *view) {
    c->is_broken = true;
    error_set(c->error, "internal error after placing: kernel %s %s %s", c->kernel->name, what,
              view->buffer->name ? view->buffer->name : "a buffer");
}

/* All reads are of the values before the call, those of the same loop too. */
static void check_variable(struct check *c, const struct view *view, bool is_write) {
    if (is_write) {
        c->variables[c->variable_count++] = (struct written){view, c->kernel};
        return;
    }
    for (int i = 0; i < c->variable_count; i++)
        if (c->variables[i].by != c->kernel && views_overlap(c->variables[i].view, view))
            fail(c, "reads behind its update:", view);
}

static void check_view(void *context, const struct view *view, bool is_write) {
    struct check *c = context;
    const struct buffer *buffer = view->buffer;
    if (buffer->storage == STORAGE_SPACE && !c->is_broken) check_variable(c, view, is_write);
    if (c->is_broken || buffer->storage != STORAGE_ARENA) return;
    long blocks = root_of(buffer)->by_block ? c->plan->rows / c->plan->lanes : 1;
    if (last_element(view, c->plan->lanes) >= buffer->elements / blocks) {
        fail(c, "goes beyond the end of", view);
        return;
    }
    int position = position_of(c->plan, buffer);
    if (is_write)
        c->is_written[position] = true;
    else if (!c->is_written[position])
        fail(c, "reads before it is written:", view);
}

/* Of one block, where each has a piece of its own. */
static long bytes_of(const struct program_plan *plan, const struct buffer *buffer) {
    long blocks = buffer->by_block ? plan->rows / plan->lanes : 1;
    return buffer->elements / blocks * (buffer->is_double || plan->use_double ? 8 : 4);
}

static long end_of_blocks(const struct program_plan *plan) {
    return plan->block_bytes * (plan->rows / plan->lanes);
}

static bool overlap(const struct program_plan *plan, const struct buffer *a,
                    const struct buffer *b) {
    long a_size = bytes_of(plan, a), b_size = bytes_of(plan, b), end = end_of_blocks(plan);
    if (a->by_thread != b->by_thread) {
        const struct buffer *shared = a->by_thread ? b : a;
        long shared_end = shared->by_block ? end : shared->offset + bytes_of(plan, shared);
        return shared_end > plan->thread_offset;
    }
    if (a->by_block != b->by_block) return (a->by_block ? b : a)->offset < end;
    if (a->last < b->first || b->last < a->first) return false;
    return a->offset < b->offset + b_size && b->offset < a->offset + a_size;
}

/* Pooling in a loop needs one that goes window by window. */
static void check_windows(struct check *c) {
    const struct loop_kernel *loop = &c->kernel->loop;
    for (int i = 0; c->kernel->kind == KERNEL_LOOP && i < loop->statement_count; i++)
        if (loop->statements[i].window && !loop->pooling) {
            c->is_broken = true;
            error_set(c->error, "internal error after placing: kernel %s pools without windows",
                      c->kernel->name);
        }
}

bool verify_plan(const struct program_plan *plan, struct error *error) {
    struct check c = {.plan = plan, .error = error};
    c.is_written = ARENA_ARRAY(plan->arena, bool, plan->buffer_count);
    c.variables = ARENA_ARRAY(plan->arena, struct written, plan->graph->update_count);
    for (int i = 0; i < plan->kernel_count && !c.is_broken; i++) {
        c.kernel = plan->kernels[i];
        kernel_visit_views(plan, c.kernel, check_view, &c);
        if (!c.is_broken) check_windows(&c);
    }
    if (c.is_broken) return false;
    for (int i = 0; i < plan->buffer_count; i++)
        for (int j = 0; j < i; j++) {
            const struct buffer *a = plan->buffers[i], *b = plan->buffers[j];
            if (a->first < 0 || b->first < 0 || a->merged || b->merged) continue;
            if (root_of(a) != root_of(b) && overlap(plan, a, b))
                return error_set(error, "internal error after placing: %s and %s overlap",
                                 a->name ? a->name : "a buffer", b->name ? b->name : "a buffer");
        }
    return true;
}
