/* pool.c: writes max pooling and its gradient: one call a plane of a channel of a block, or a
 * row of a plain image. */
#include "writer.h"

static const char *geometry(struct writer *w, const struct pool_kernel *p) {
    return arena_format(w->arena, "%ld, %ld, %ld, %ld, %ld, %ld, %ld, %ld, %ld, %ld", p->in_size[0],
                        p->in_size[1], p->out_size[0], p->out_size[1], p->window.kernel_size[0],
                        p->window.kernel_size[1], p->window.strides[0], p->window.strides[1],
                        p->window.pad[0], p->window.pad[1]);
}

/* Channel c of block `unit`. */
static const char *plane(struct writer *w, const char *name, const struct view *view, long size) {
    return arena_format(w->arena, "%s + unit * %ld + c * %ld", name, view->stride[0], size);
}

static void write_plain_pool(struct writer *w, struct kernel *kernel) {
    const struct pool_kernel *p = &kernel->pool;
    write_kernel_open(w, kernel);
    write_pointer(w, "x", w->plan->views[p->x->number], true);
    write_pointer(w, "y", kernel->out, false);
    write_open(w, "for (long unit = begin; unit < end; unit++)");
    write_line(w, "%s(x + unit / %ld * %ld, y + unit * %ld, unit %% %ld, %ld,",
               use_symbol(w, "max_pool_row"), p->out_size[0],
               p->in_size[0] * p->in_size[1] * p->channels, p->out_size[1] * p->channels,
               p->out_size[0], p->channels);
    write_line(w, "    %ld, %ld, %ld, %ld, %ld, %ld, %ld, %ld, %ld);", p->in_size[0], p->in_size[1],
               p->out_size[1], p->window.kernel_size[0], p->window.kernel_size[1],
               p->window.strides[0], p->window.strides[1], p->window.pad[0], p->window.pad[1]);
    write_close(w);
    write_close(w);
}

void write_pool(struct writer *w, struct kernel *kernel) {
    const struct pool_kernel *p = &kernel->pool;
    struct view *const *views = w->plan->views;
    long large = p->in_size[0] * p->in_size[1] * w->plan->lanes;
    long small = p->out_size[0] * p->out_size[1] * w->plan->lanes;
    bool is_gradient = kernel->kind == KERNEL_MAX_POOL_GRADIENT;
    if (!plan_is_blocked(w->plan, p->x)) {
        write_plain_pool(w, kernel);
        return;
    }
    write_kernel_open(w, kernel);
    write_pointer(w, "x", views[p->x->number], true);
    if (is_gradient) {
        write_pointer(w, "y", views[p->y->number], true);
        write_pointer(w, "dy", views[p->gradient->number], true);
        write_pointer(w, "dx", kernel->out, false);
    } else {
        write_pointer(w, "y", kernel->out, false);
    }
    write_open(w, "for (long unit = begin; unit < end; unit++)");
    write_open(w, "for (long c = 0; c < %ld; c++)", p->channels);
    const char *x = plane(w, "x", views[p->x->number], large);
    if (is_gradient)
        write_line(w, "%s(%s, %s, %s, %s, %s, %d);", use_symbol(w, "max_pool_gradient_plane"), x,
                   plane(w, "y", views[p->y->number], small),
                   plane(w, "dy", views[p->gradient->number], small),
                   plane(w, "dx", kernel->out, large), geometry(w, p), p->mask);
    else
        write_line(w, "%s(%s, %s, %s);", use_symbol(w, "max_pool_plane"), x,
                   plane(w, "y", kernel->out, small), geometry(w, p));
    write_close(w);
    write_close(w);
    write_close(w);
}
