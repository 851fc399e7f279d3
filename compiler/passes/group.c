/* group.c: kernels that touch only their own block of samples run together, block by block: what
 * one writes the next one finds in the cache, and threads meet once for all of them.
 *
 * From each such kernel on, those that follow join it if nothing that stays behind comes between
 * them; what they need of other kernels, packed weights mostly, moves ahead. A group has one
 * convolution at most: the weights of several would push each other out of the cache (all of A1's
 * together took 12 % longer on one thread). Images of a block that do not fit the L2 cache are no
 * reason to leave a contraction behind: nothing would be gained, and it would find its own images
 * less often in the L3.
 *
 * Both do not count where the images of the whole batch would come from memory: then a block goes
 * through as many convolutions as there are (on Zen 4 a step of A3 takes 12 % less, of A2 and B6 4
 * to 5). */
#include "kernels.h"

#include <string.h>

enum { LOOK_AHEAD = 64, MOST_USES = 64 };
/* Bytes of all images of a kernel that a core hardly finds in its share of the L3 cache. */
enum { FAR_BYTES = 8 << 20 };

struct memory_use {
    const struct view *view;
    bool is_write;
};

/* What a kernel reads and writes; all that does not fit is a conflict with everything. */
struct memory_uses {
    const struct program_plan *plan;
    struct memory_use use[MOST_USES];
    int count;
};

static void add_use(void *context, const struct view *view, bool is_write) {
    struct memory_uses *uses = context;
    if (view->buffer == uses->plan->scratch) return; /* a slot for each thread */
    if (uses->count < MOST_USES) uses->use[uses->count] = (struct memory_use){view, is_write};
    uses->count++;
}

static bool same_memory(const struct view *a, const struct view *b) {
    bool is_arena = a->buffer->storage == STORAGE_ARENA;
    return is_arena ? a->buffer == b->buffer : views_overlap(a, b);
}

static bool conflict(const struct memory_uses *a, const struct memory_uses *b) {
    if (a->count > MOST_USES || b->count > MOST_USES) return true;
    for (int i = 0; i < a->count; i++)
        for (int j = 0; j < b->count; j++)
            if ((a->use[i].is_write || b->use[j].is_write) &&
                same_memory(a->use[i].view, b->use[j].view))
                return true;
    return false;
}

static bool conflicts(const struct memory_uses *uses, int kernel, const int *others, int count) {
    for (int i = 0; i < count; i++)
        if (conflict(&uses[kernel], &uses[others[i]])) return true;
    return false;
}

/* A loop's units are its blocks, unless it sums over them. */
static bool goes_by_block(const struct program_plan *plan, const struct kernel *kernel) {
    if (kernel->is_prepared) return false;
    if (kernel->kind != KERNEL_LOOP)
        return kernel->by_block && kernel->units == plan->rows / plan->lanes;
    const struct loop_kernel *loop = &kernel->loop;
    if (loop->layout != LAYOUT_BLOCKED) return false;
    for (int i = 0; i < loop->statement_count; i++)
        if (loop->statements[i].block_sums) return true;
    return !(loop->axes & 1);
}

static void add_image(void *context, const struct view *view, bool is_write) {
    (void)is_write;
    if (view->layout == LAYOUT_BLOCKED) *(long *)context += view->stride[0];
}

/* Of one block of samples. */
static long image_bytes(const struct program_plan *plan, const struct kernel *kernel) {
    long reals = 0;
    kernel_visit_views(plan, kernel, add_image, &reals);
    return reals * (plan->use_double ? 8 : 4);
}

static bool images_fit(const struct program_plan *plan, const struct kernel *kernel) {
    return image_bytes(plan, kernel) <= plan->target->l2;
}

static bool images_are_far(const struct program_plan *plan, const struct kernel *kernel) {
    return image_bytes(plan, kernel) * (plan->rows / plan->lanes) > FAR_BYTES;
}

static bool is_contraction(const struct kernel *kernel) {
    return kernel->kind == KERNEL_CONVOLUTION || kernel->kind == KERNEL_WEIGHT_GRADIENT ||
           kernel->kind == KERNEL_MATMUL || kernel->kind == KERNEL_NAIVE;
}

struct grouping {
    struct program_plan *plan;
    struct memory_uses *uses; /* by kernel */
    bool *is_taken;           /* by kernel: it has its place in the new order */
    struct kernel **order;
    int ordered;
};

static void take(struct grouping *g, int kernel) {
    g->is_taken[kernel] = true;
    g->order[g->ordered++] = g->plan->kernels[kernel];
}

/* Of the kernels that could move ahead, those that members of the group need. */
static int needed(const struct grouping *g, int *ahead, int ahead_count, const int *group,
                  int group_count) {
    int kept[LOOK_AHEAD], count = 0;
    for (int i = ahead_count - 1; i >= 0; i--)
        if (conflicts(g->uses, ahead[i], group, group_count) ||
            conflicts(g->uses, ahead[i], kept, count))
            kept[count++] = ahead[i];
    for (int i = 0; i < count; i++) ahead[i] = kept[count - 1 - i];
    return count;
}

static void form_group(struct grouping *g, int first) {
    int group[LOOK_AHEAD + 1] = {first}, ahead[LOOK_AHEAD], behind[LOOK_AHEAD];
    int group_count = 1, ahead_count = 0, behind_count = 0;
    bool has_convolution = g->plan->kernels[first]->kind == KERNEL_CONVOLUTION;
    bool leaves_contraction = false;
    for (int k = first + 1; k < g->plan->kernel_count && k <= first + LOOK_AHEAD; k++) {
        const struct kernel *kernel = g->plan->kernels[k];
        if (g->is_taken[k] || kernel->is_prepared) continue;
        bool is_free = !conflicts(g->uses, k, behind, behind_count);
        bool is_convolution = kernel->kind == KERNEL_CONVOLUTION;
        bool is_near = !(is_convolution && has_convolution) &&
                       (!leaves_contraction || images_fit(g->plan, kernel));
        if (is_free && goes_by_block(g->plan, kernel) &&
            (is_near || images_are_far(g->plan, kernel))) {
            group[group_count++] = k;
            has_convolution = has_convolution || is_convolution;
        } else if (is_free && !conflicts(g->uses, k, group, group_count)) {
            ahead[ahead_count++] = k;
        } else {
            behind[behind_count++] = k;
            leaves_contraction = leaves_contraction || is_contraction(kernel);
        }
    }
    if (group_count > 1) ahead_count = needed(g, ahead, ahead_count, group, group_count);
    for (int i = 0; i < ahead_count && group_count > 1; i++) take(g, ahead[i]);
    for (int i = 0; i < group_count; i++) {
        struct kernel *kernel = g->plan->kernels[group[i]];
        kernel->together = i ? 0 : group_count;
        if (group_count > 1) kernel->by_block = true;
        take(g, group[i]);
    }
}

void pass_group(struct program_plan *plan) {
    int count = plan->kernel_count;
    if (!plan->has_shares || plan->rows <= plan->lanes) return;
    struct grouping g = {
        .plan = plan,
        .uses = ARENA_ARRAY(plan->arena, struct memory_uses, count),
        .is_taken = ARENA_ARRAY(plan->arena, bool, count),
        .order = ARENA_ARRAY(plan->arena, struct kernel *, count),
    };
    for (int i = 0; i < count; i++) {
        g.uses[i].plan = plan;
        kernel_visit_views(plan, plan->kernels[i], add_use, &g.uses[i]);
    }
    for (int i = 0; i < count; i++) {
        if (g.is_taken[i]) continue;
        if (goes_by_block(plan, plan->kernels[i]))
            form_group(&g, i);
        else
            take(&g, i);
    }
    plan->kernels = g.order;
    plan->kernel_capacity = count;
    for (int i = 0; i < count; i++) g.order[i]->number = i;
}
