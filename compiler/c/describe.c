/* describe.c: what a kernel does, in one line for readers of the C text and of --dump. */
#include "writer.h"
#include "../kernel/winograd.h"

static const char *shape_text(struct writer *w, const struct shape *shape) {
    struct text text = {.arena = w->arena};
    shape_print(&text, shape);
    return text_string(&text);
}

static void describe_loop(struct writer *w, const struct loop_kernel *loop, struct text *text) {
    text_add(text, "over %s:", shape_text(w, &loop->domain));
    for (int i = 0; i < loop->statement_count; i++) {
        const struct statement *s = &loop->statements[i];
        text_add(text, "%s %s%s", i ? "," : "",
                 s->kind == STATEMENT_SUM       ? "sum of "
                 : s->kind == STATEMENT_MAXIMUM ? "maximum of "
                 : s->window                    ? "by windows "
                                                : "",
                 s->tensor->name ? s->tensor->name : "a value");
    }
}

static void describe_epilogue(struct text *text, const struct epilogue *epilogue) {
    if (epilogue->bias) text_put(text, ", plus bias");
    if (epilogue->relu) text_put(text, ", relu");
    if (epilogue->mask) text_put(text, ", masked");
}

static void describe_convolution(struct writer *w, const struct kernel *kernel, struct text *text) {
    const struct convolution_kernel *c = &kernel->convolution;
    text_add(text, "%s %s -> %s, kernel %ldx%ld", c->is_backward ? "backward-data" : "convolution",
             shape_text(w, &c->image->shape), shape_text(w, &kernel->tensor->shape),
             c->kernel_size[0], c->kernel_size[1]);
    if (c->groups > 1) text_add(text, ", %ld groups", c->groups);
    describe_epilogue(text, &c->epilogue);
    if (c->winograd && c->plain)
        text_add(text, "; Winograd, %ld tiles at once", c->winograd->tiles_at_once);
    else if (c->winograd)
        text_add(text, "; Winograd, %ld x %ld tiles at once", c->winograd->chunk[0],
                 c->winograd->chunk[1]);
    if (c->plain && c->plain->by_channel) return;
    if (c->plain) {
        text_add(text, "; tiles of %d pixels x %d vectors of %d channels", c->tile_pixels,
                 c->plain->vectors, c->plain->lanes);
        return;
    }
    text_add(text, "; tiles of %d channels x %d %s", c->tile_channels, c->tile_pixels,
             c->blocks_at_once > 1 ? "blocks" : "pixels");
}

const char *describe_kernel(struct writer *w, const struct kernel *kernel) {
    struct text text = {.arena = w->arena};
    const struct tensor *t = kernel->tensor;
    switch (kernel->kind) {
    case KERNEL_LOOP: describe_loop(w, &kernel->loop, &text); break;
    case KERNEL_CONVOLUTION: describe_convolution(w, kernel, &text); break;
    case KERNEL_WEIGHT_GRADIENT:
        text_add(&text, "weight gradient %s from %s and %s; tiles of %d x %d channels",
                 shape_text(w, &t->shape), shape_text(w, &kernel->weight_gradient.image->shape),
                 shape_text(w, &kernel->weight_gradient.gradient->shape),
                 kernel->weight_gradient.tile_out, kernel->weight_gradient.tile_in);
        if (kernel->weight_gradient.winograd)
            text_put(&text, ", Winograd");
        else
            text_add(&text, ", %ld x %ld of them in a unit, %ld rows at once",
                     kernel->weight_gradient.tiles_out, kernel->weight_gradient.tiles_in,
                     kernel->weight_gradient.rows_at_once);
        break;
    case KERNEL_HALO: text_put(&text, "rows with zeros beside them"); break;
    case KERNEL_WINOGRAD_WEIGHTS: text_put(&text, "weights at Winograd's points"); break;
    case KERNEL_WINOGRAD_SUMS:
        text_put(&text, "weight gradient from its parts");
        break;
    case KERNEL_BLOCK_SUMS: text_put(&text, "sums of the blocks of samples"); break;
    case KERNEL_MATMUL:
        text_add(&text, "product [%ld, %ld] x [%ld, %ld]", kernel->matmul.rows,
                 kernel->matmul.depth, kernel->matmul.depth, kernel->matmul.columns);
        describe_epilogue(&text, &kernel->matmul.epilogue);
        if (kernel->matmul.in_halves) text_put(&text, ", for each half of the depth");
        break;
    case KERNEL_HALVES_SUM:
        text_put(&text, "product from those of the halves of its depth");
        describe_epilogue(&text, &kernel->owner->matmul.sum_epilogue);
        break;
    case KERNEL_MAX_POOL:
    case KERNEL_MAX_POOL_GRADIENT:
        text_add(&text, "%s %ldx%ld, result %s",
                 kernel->kind == KERNEL_MAX_POOL ? "max pooling" : "gradient of max pooling",
                 kernel->pool.window.kernel_size[0], kernel->pool.window.kernel_size[1],
                 shape_text(w, &t->shape));
        break;
    case KERNEL_COPY:
        text_add(&text, "copy into %s",
                 kernel->out->buffer->name ? kernel->out->buffer->name : "memory");
        break;
    case KERNEL_NAIVE: text_add(&text, "contraction %s", shape_text(w, &t->shape)); break;
    }
    if (t->origin.layer) text_add(&text, " (%s, line %d)", t->origin.layer, t->origin.line);
    return text_string(&text);
}

void plan_print(struct text *text, const struct program_plan *plan) {
    struct writer w = {.arena = plan->arena, .text = {.arena = plan->arena}, .plan = plan};
    for (int i = 0; i < plan->kernel_count; i++) {
        const struct kernel *kernel = plan->kernels[i];
        text_add(text, "%3d %s%s%s: %s\n", i,
                 kernel->is_prepared ? "once, ahead of the calls: " : "",
                 kernel->by_thread       ? "each thread for itself: "
                 : kernel->together == 0 ? "by block with it: "
                                         : "",
                 kernel->name, describe_kernel(&w, kernel));
    }
    for (int i = 0; i < plan->buffer_count; i++) {
        const struct buffer *buffer = plan->buffers[i];
        if (buffer->first < 0) continue;
        text_add(text, "    %8ld elements at %8ld, kernels %d to %d%s: %s\n", buffer->elements,
                 buffer->offset, buffer->first, buffer->last, buffer->merged ? ", in place" : "",
                 buffer->name ? buffer->name : "");
    }
}
