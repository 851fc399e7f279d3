/* fuse_windows.c: which pooling can run inside loops, and with what. Windows that lie side by side
 * share no pixel: a loop that goes window by window computes maps of the large image, their
 * maximum, its gradient, and maps of the small image in one pass over memory. */
#include "fusion.h"

#include <string.h>

enum { SAMPLES_AND_PIXELS = 7 }; /* axes 0 to 2 */

bool pooling_equal(const struct pooling *a, const struct pooling *b) {
    return !memcmp(&a->window, &b->window, sizeof a->window) && shape_equal(&a->large, &b->large) &&
           shape_equal(&a->small, &b->small);
}

bool fusion_pools(const struct fusion *f, const struct tensor *t, struct pooling *pooling) {
    bool is_gradient = t->primitive == PRIMITIVE_MAX_POOL_GRADIENT;
    if (!is_gradient && t->primitive != PRIMITIVE_MAX_POOL &&
        t->primitive != PRIMITIVE_MAX_POOL_GATHER)
        return false;
    if (!plan_is_blocked(f->plan, t->in[0])) return false;
    pooling->window = t->window;
    pooling->large = t->in[0]->shape;
    pooling->small = is_gradient ? t->in[1]->shape : t->shape;
    return window_is_side_by_side(&pooling->window, &pooling->large);
}

bool fusion_needs_pooling(const struct fusion *f, const struct tensor *t, struct pooling *pooling) {
    if (fusion_pools(f, t, pooling)) return true;
    if (t->primitive != PRIMITIVE_MAP && t->primitive != PRIMITIVE_REDUCE) return false;
    for (int i = 0; i < t->in_count; i++)
        if (f->is_virtual[t->in[i]->number] && fusion_needs_pooling(f, t->in[i], pooling))
            return true;
    return false;
}

/* One number for each channel, or one for all. */
static bool is_by_channel(const struct fusion *f, const struct tensor *t, long channels) {
    if (t->shape.rank == 0) return true;
    return !plan_is_blocked(f->plan, t) && t->shape.size[t->shape.rank - 1] == channels &&
           shape_elements(&t->shape) == channels;
}

static bool reads_pixel_position(const struct expression *e) {
    return expression_reads_axis(e, 1) || expression_reads_axis(e, 2);
}

static bool map_fits(const struct fusion *f, const struct tensor *t) {
    if (!plan_is_blocked(f->plan, t) || reads_pixel_position(t->expression)) return false;
    for (int i = 0; i < t->in_count; i++)
        if (f->plan->is_cut[t->in[i]->number] || (!shape_equal(&t->in[i]->shape, &t->shape) &&
                                                  !is_by_channel(f, t->in[i], t->shape.size[3])))
            return false;
    return true;
}

bool fusion_fits_windows(const struct fusion *f, const struct tensor *t) {
    struct pooling pooling;
    bool fits = fusion_pools(f, t, &pooling);
    if (t->primitive == PRIMITIVE_MAP) fits = map_fits(f, t);
    if (t->primitive == PRIMITIVE_REDUCE)
        fits = t->reduction == REDUCTION_SUM && t->axes == SAMPLES_AND_PIXELS &&
               plan_is_blocked(f->plan, t->in[0]);
    for (int i = 0; i < t->in_count && fits; i++)
        fits = !f->is_virtual[t->in[i]->number] || fusion_fits_windows(f, t->in[i]);
    return fits;
}

bool fusion_gradient_is_virtual(const struct fusion *f, const struct tensor *t,
                                const struct pooling *pooling) {
    for (int i = 0; i < f->user_count[t->number]; i++) {
        const struct tensor *user = f->users[t->number][i];
        struct pooling other;
        if (!fusion_fits_windows(f, user)) return false;
        if (fusion_needs_pooling(f, user, &other) && !pooling_equal(pooling, &other)) return false;
        if (f->is_virtual[user->number] && !fusion_gradient_is_virtual(f, user, pooling))
            return false;
    }
    return true;
}

static void mark_operands(struct fusion *f, const struct tensor *t) {
    f->is_windowed[t->number] = true;
    for (int i = 0; i < t->in_count; i++)
        if (f->is_virtual[t->in[i]->number] && !f->is_windowed[t->in[i]->number])
            mark_operands(f, t->in[i]);
}

void fusion_mark_windowed(struct fusion *f, const struct tensor *t) {
    for (int i = 0; i < f->user_count[t->number]; i++) {
        const struct tensor *user = f->users[t->number][i];
        mark_operands(f, user);
        if (f->is_virtual[user->number]) fusion_mark_windowed(f, user);
    }
}
