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
 * The weights of such a convolution are packed by each thread for itself, in memory of its own:
 * where two cores do not share a cache, they would wait longer for what the other one has packed
 * (on Zen 5 a1 takes 6 to 8 % less so, c7 11; near cores are level). Where the packing would take
 * long, or does not fit a cache, it is a kernel of its own.
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

enum { NONE = -1 };

struct grouping {
    struct program_plan *plan;
    struct memory_uses *uses; /* by kernel */
    int *packing;             /* by kernel: which one packs its weights for each thread; or NONE */
    bool *is_taken; /* by kernel: it has its place in the new order, or goes with its group */
    struct kernel **order;
    int ordered;
};

static void take(struct grouping *g, int kernel) {
    g->is_taken[kernel] = true;
    g->order[g->ordered++] = g->plan->kernels[kernel];
}

/* These kernels, behind what packs weights for them. */
static void take_together(struct grouping *g, const int *kernels, int count) {
    const int begin = g->ordered;
    for (int i = 0; i < count; i++)
        if (g->packing[kernels[i]] != NONE) take(g, g->packing[kernels[i]]);
    for (int i = 0; i < count; i++) take(g, kernels[i]);
    for (int i = begin; i < g->ordered; i++)
        g->order[i]->together = i == begin ? g->ordered - begin : 0;
}

static bool is_light(const struct program_plan *plan, const struct kernel *packing,
                     const struct kernel *kernel) {
    enum { MOST_CACHES = 2, LEAST_GAIN = 8 }; /* so many threads do not work longer for it */
    long bytes = packing->out->buffer->elements * (plan->use_double ? 8 : 4);
    return bytes <= MOST_CACHES * plan->target->l2 &&
           kernel_work(plan, packing) * LEAST_GAIN <= kernel_work(plan, kernel);
}

/* The kernel that packs the weights of a convolution, if it can do so right before it. */
static int packing_of(const struct grouping *g, int convolution) {
    struct kernel *const *kernels = g->plan->kernels;
    const struct kernel *kernel = kernels[convolution];
    if (kernel->kind != KERNEL_CONVOLUTION || !kernel->convolution.packed ||
        !goes_by_block(g->plan, kernel))
        return NONE;
    int packing = convolution - 1;
    while (packing >= 0 && kernels[packing]->out != kernel->convolution.packed) packing--;
    if (packing < 0 || kernels[packing]->is_prepared ||
        !is_light(g->plan, kernels[packing], kernel))
        return NONE;
    for (int i = packing + 1; i < convolution; i++)
        if (conflict(&g->uses[packing], &g->uses[i])) return NONE;
    return packing;
}

/* From here on a convolution counts as reading the weights that are packed for it. */
static void find_packing(struct grouping *g) {
    for (int i = 0; i < g->plan->kernel_count; i++) {
        g->packing[i] = packing_of(g, i);
        if (g->packing[i] == NONE) continue;
        struct kernel *packing = g->plan->kernels[g->packing[i]];
        packing->by_thread = packing->out->buffer->by_thread = true;
        g->is_taken[g->packing[i]] = true;
        kernel_visit_views(g->plan, packing, add_use, &g->uses[i]);
    }
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
    for (int i = 0; i < ahead_count && group_count > 1; i++) take_together(g, &ahead[i], 1);
    for (int i = 0; i < group_count && group_count > 1; i++)
        g->plan->kernels[group[i]]->by_block = true;
    take_together(g, group, group_count);
}

void pass_group(struct program_plan *plan) {
    int count = plan->kernel_count;
    if (!plan->has_shares || plan->rows <= plan->lanes) return;
    struct grouping g = {
        .plan = plan,
        .uses = ARENA_ARRAY(plan->arena, struct memory_uses, count),
        .packing = ARENA_ARRAY(plan->arena, int, count),
        .is_taken = ARENA_ARRAY(plan->arena, bool, count),
        .order = ARENA_ARRAY(plan->arena, struct kernel *, count),
    };
    for (int i = 0; i < count; i++) {
        g.uses[i].plan = plan;
        kernel_visit_views(plan, plan->kernels[i], add_use, &g.uses[i]);
    }
    find_packing(&g);
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
