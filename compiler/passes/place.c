/* place.c: lifetimes of the arena's buffers, in-place updates, and offsets. */
#include "kernels.h"
#include "memory.h"

#include <string.h>

enum { ALIGNMENT = 64 }; /* bytes */
enum { MOST_GAPS_PERCENT = 5 };

static struct buffer *root(struct buffer *buffer) {
    while (buffer->merged) buffer = buffer->merged;
    return buffer;
}

struct lifetime {
    const struct program_plan *plan;
    int kernel;
};

/* One block of samples after the other, or a piece of each, and nothing else. */
static bool is_by_block(const struct program_plan *plan, const struct view *view) {
    if (!plan->has_shares || plan->rows <= plan->lanes || view->layout != LAYOUT_BLOCKED)
        return false;
    return view->stride[0] * (plan->rows / plan->lanes) == view->buffer->elements &&
           view->offset < view->stride[0];
}

static void extend(void *context, const struct view *view, bool is_write) {
    const struct lifetime *lifetime = context;
    struct buffer *buffer = root(view->buffer);
    (void)is_write;
    if (buffer->storage != STORAGE_ARENA) return;
    if (buffer->first < 0) {
        buffer->first = lifetime->kernel;
        buffer->by_block = true;
    }
    if (!is_by_block(lifetime->plan, view)) buffer->by_block = false;
    buffer->last = lifetime->kernel;
}

static int group_begin(const struct program_plan *plan, int kernel) {
    while (!plan->kernels[kernel]->together) kernel--;
    return kernel;
}

/* Kernels that run together do so for each block: what is not by block is alive for all of them. */
static void find_lifetimes(struct program_plan *plan) {
    for (int i = 0; i < plan->kernel_count; i++) {
        struct lifetime lifetime = {plan, i};
        kernel_visit_views(plan, plan->kernels[i], extend, &lifetime);
    }
    for (int i = 0; i < plan->buffer_count; i++) {
        struct buffer *buffer = plan->buffers[i];
        if (buffer->by_block || buffer->first < 0) continue;
        buffer->first = group_begin(plan, buffer->first);
        int last = group_begin(plan, buffer->last);
        buffer->last = last + plan->kernels[last]->together - 1;
    }
}

static bool is_whole(const struct view *view) {
    return view->buffer->storage == STORAGE_ARENA && view->offset == 0 &&
           !view->buffer->is_double && shape_elements(&view->shape) == view->buffer->elements;
}

static bool same_places(const struct view *a, const struct view *b) {
    return a->layout == b->layout && a->rank == b->rank &&
           !memcmp(a->stride, b->stride, sizeof(long) * (size_t)a->rank) &&
           shape_equal(&a->shape, &b->shape);
}

/* Memory that dies in this kernel, and that it reads only where it writes the result. */
static bool can_overwrite(const struct view *out, const struct view *in, int kernel) {
    return is_whole(in) && same_places(out, in) && root(in->buffer) != root(out->buffer) &&
           root(in->buffer)->last == kernel && root(in->buffer)->first < kernel &&
           root(in->buffer)->elements == out->buffer->elements &&
           root(in->buffer)->by_block == root(out->buffer)->by_block;
}

static void merge(const struct view *out, const struct view *in) {
    struct buffer *memory = root(in->buffer), *merged = root(out->buffer);
    if (merged->last > memory->last) memory->last = merged->last;
    merged->merged = memory;
}

/* Every read of the operand's memory in the loop must be at the place of its element. */
static bool reads_only_in_place(const struct program_plan *plan, const struct loop_kernel *loop,
                                const struct view *in) {
    for (int i = 0; i < loop->statement_count; i++)
        for (int j = 0; j < loop->statements[i].operand_count; j++) {
            const struct loop_operand *operand = &loop->statements[i].operands[j];
            if (operand->statement >= 0) continue;
            const struct view *view = plan->views[operand->tensor->number];
            if (root(view->buffer) == root(in->buffer) &&
                (!same_places(view, in) || view->offset != in->offset))
                return false;
        }
    return true;
}

/* With the first operand of a statement whose memory can take the result. */
static void merge_with_operand(const struct program_plan *plan, const struct kernel *kernel,
                               const struct statement *reader, const struct view *out) {
    for (int k = 0; k < reader->operand_count && !out->buffer->merged; k++) {
        if (reader->operands[k].statement >= 0) continue;
        const struct view *in = plan->views[reader->operands[k].tensor->number];
        if (can_overwrite(out, in, kernel->number) && reads_only_in_place(plan, &kernel->loop, in))
            merge(out, in);
    }
}

static void update_loop_in_place(struct program_plan *plan, struct kernel *kernel) {
    const struct loop_kernel *loop = &kernel->loop;
    for (int i = 0; i < loop->statement_count; i++) {
        const struct statement *statement = &loop->statements[i];
        const struct view *out = plan->views[statement->tensor->number];
        if (!statement->is_stored || statement->kind != STATEMENT_VALUE || !is_whole(out) ||
            out->buffer->merged || out->buffer->first != kernel->number)
            continue;
        for (int j = 0; j < loop->statement_count && !out->buffer->merged; j++)
            merge_with_operand(plan, kernel, &loop->statements[j], out);
    }
}

/* A masked result may take the place of its mask, unless partial sums are stored before the mask is
 * read, or the mask is read again behind the result. */
static void update_masked_in_place(struct program_plan *plan, struct kernel *kernel) {
    bool is_convolution = kernel->kind == KERNEL_CONVOLUTION;
    const struct epilogue *epilogue =
        is_convolution ? &kernel->convolution.epilogue : &kernel->matmul.epilogue;
    if (!epilogue->mask || !is_whole(kernel->out) || kernel->out->buffer->merged) return;
    if (is_convolution && kernel->convolution.channel_block < kernel->convolution.in_channels)
        return;
    if (!is_convolution && (matmul_tiles_overlap(&kernel->matmul) ||
                            kernel->matmul.depth_block < kernel->matmul.depth))
        return;
    const struct tensor *input = is_convolution ? kernel->convolution.image : kernel->matmul.a;
    const struct view *in = plan->views[epilogue->mask->number];
    if (root(plan->views[input->number]->buffer) == root(in->buffer)) return;
    if (can_overwrite(kernel->out, in, kernel->number)) merge(kernel->out, in);
}

/* The gradient of max pooling may take the place of the pooling's input where the windows lie side
 * by side and leave out nothing: each place is read once, then written once. */
static void update_pool_in_place(struct program_plan *plan, struct kernel *kernel) {
    const struct pool_kernel *pool = &kernel->pool;
    const struct window *window = &pool->window;
    const struct view *in = plan->views[pool->x->number];
    if (!is_whole(kernel->out) || kernel->out->buffer->merged) return;
    for (int i = 0; i < 2; i++)
        if (window->strides[i] != window->kernel_size[i] || window->pad[i] ||
            pool->out_size[i] * window->strides[i] < pool->in_size[i])
            return;
    if (root(plan->views[pool->y->number]->buffer) == root(in->buffer) ||
        root(plan->views[pool->gradient->number]->buffer) == root(in->buffer))
        return;
    if (can_overwrite(kernel->out, in, kernel->number)) merge(kernel->out, in);
}

/* ---- offsets ---- */

/* Some of the buffers, as the planner takes them. */
struct placement {
    struct memory_buffer *memory;
    struct buffer **buffers;
    int count;
};

static void placement_add(struct placement *p, const struct program_plan *plan,
                          struct buffer *buffer, long blocks) {
    long size = buffer->is_double || plan->use_double ? 8 : 4;
    p->memory[p->count] =
        (struct memory_buffer){buffer->elements / blocks * size, buffer->first, buffer->last, 0};
    p->buffers[p->count++] = buffer;
}

/* Buffers by whose they are: one block's, of which it takes that of one block; all blocks'; one
 * thread's. `shared` are the first two, whole. */
struct placements {
    struct placement shared, by_block, rest, by_thread;
};

static void collect(struct program_plan *plan, long blocks, struct placements *p) {
    struct placement *const each[] = {&p->shared, &p->by_block, &p->rest, &p->by_thread};
    for (int i = 0; i < 4; i++) {
        each[i]->memory = ARENA_ARRAY(plan->arena, struct memory_buffer, plan->buffer_count);
        each[i]->buffers = ARENA_ARRAY(plan->arena, struct buffer *, plan->buffer_count);
        each[i]->count = 0;
    }
    for (int i = 0; i < plan->buffer_count; i++) {
        struct buffer *buffer = plan->buffers[i];
        if (buffer->merged || buffer->first < 0) continue;
        if (buffer->by_thread) {
            placement_add(&p->by_thread, plan, buffer, 1);
            continue;
        }
        placement_add(&p->shared, plan, buffer, 1);
        if (buffer->by_block)
            placement_add(&p->by_block, plan, buffer, blocks);
        else
            placement_add(&p->rest, plan, buffer, 1);
    }
}

/* Plans memory from `start`; returns its end. */
static long place_from(struct program_plan *plan, const struct placement *p, long start) {
    long end = start + memory_plan(plan->arena, p->memory, p->count, ALIGNMENT);
    for (int i = 0; i < p->count; i++) p->buffers[i]->offset = start + p->memory[i].offset;
    return end;
}

static void set_strides(void *context, const struct view *view, bool is_write) {
    const struct program_plan *plan = context;
    (void)is_write;
    struct view *own = (struct view *)view; /* the plan's */
    if (view->buffer == plan->scratch)
        own->stride[0] = view->buffer->elements / view->shape.size[0] / LINE * LINE;
    else if (view->buffer->storage == STORAGE_ARENA && root(view->buffer)->by_block)
        own->stride[0] = plan->block_bytes / (plan->use_double ? 8 : 4);
}

/* All share one arena, and each kernel runs alone. */
static void place_together(struct program_plan *plan, struct placements *p) {
    plan->block_bytes = 0;
    for (int i = 0; i < plan->buffer_count; i++)
        plan->buffers[i]->by_block = plan->buffers[i]->by_thread = false;
    for (int i = 0; i < plan->kernel_count; i++) {
        plan->kernels[i]->together = 1;
        plan->kernels[i]->by_thread = false;
    }
    collect(plan, 1, p);
    plan->arena_lower_bound = memory_lower_bound(p->shared.memory, p->shared.count, ALIGNMENT);
    plan->arena_bytes = place_from(plan, &p->shared, 0);
}

/* Behind all else, a piece for each thread; as many as there are blocks, of which each thread has a
 * first one. */
static void place_by_thread(struct program_plan *plan, const struct placement *by_thread,
                            long blocks) {
    plan->thread_bytes = place_from(plan, by_thread, 0);
    plan->thread_offset = plan->arena_bytes;
    plan->arena_bytes += plan->thread_bytes * blocks;
    plan->arena_lower_bound += plan->thread_bytes * blocks;
}

/* Each block of samples has a piece of the arena for its images: the thread that works on the block
 * in every kernel never writes memory that another one has in its cache. The pieces and the rest
 * cannot use each other's gaps: not where that takes more than MOST_GAPS_PERCENT. */
static void place_buffers(struct program_plan *plan) {
    long blocks = plan->rows % plan->lanes ? 1 : plan->rows / plan->lanes;
    struct placements p;
    collect(plan, blocks, &p);
    plan->arena_lower_bound = memory_lower_bound(p.shared.memory, p.shared.count, ALIGNMENT);
    plan->block_bytes = place_from(plan, &p.by_block, 0);
    plan->arena_bytes = place_from(plan, &p.rest, plan->block_bytes * blocks);
    if (plan->arena_bytes > plan->arena_lower_bound / 100 * (100 + MOST_GAPS_PERCENT))
        place_together(plan, &p);
    else
        place_by_thread(plan, &p.by_thread, blocks);
    for (int i = 0; i < plan->kernel_count; i++)
        kernel_visit_views(plan, plan->kernels[i], set_strides, plan);
}

void pass_place(struct program_plan *plan) {
    find_lifetimes(plan);
    for (int i = 0; i < plan->kernel_count; i++) {
        struct kernel *kernel = plan->kernels[i];
        if (kernel->kind == KERNEL_LOOP) update_loop_in_place(plan, kernel);
        if (kernel->kind == KERNEL_CONVOLUTION ||
            (kernel->kind == KERNEL_MATMUL && !kernel->matmul.use_generic))
            update_masked_in_place(plan, kernel);
        if (kernel->kind == KERNEL_MAX_POOL_GRADIENT) update_pool_in_place(plan, kernel);
    }
    place_buffers(plan);
    for (int i = 0; i < plan->buffer_count; i++)
        plan->buffers[i]->offset = root(plan->buffers[i])->offset;
}
