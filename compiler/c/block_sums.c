/* block_sums.c: writes the kernel that adds up the sums of the blocks of samples: a loop's, or
 * those of the parts of a weight gradient. */
#include "writer.h"

static void write_sum(struct writer *w, const struct view *to, const struct view *from) {
    long blocks = from->shape.size[0];
    write_line(w, "%s(%s, %s, %ld, %ld);", use_symbol(w, "sum_blocks"), view_address(w, to),
               view_address(w, from), blocks, shape_elements(&from->shape) / blocks);
}

void write_block_sums(struct writer *w, struct kernel *kernel) {
    const struct kernel *owner = kernel->owner;
    write_kernel_open(w, kernel);
    write_line(w, "(void)begin, (void)end;");
    if (owner->kind == KERNEL_WEIGHT_GRADIENT) write_sum(w, kernel->out, owner->out);
    for (int i = 0; owner->kind == KERNEL_LOOP && i < owner->loop.statement_count; i++) {
        const struct statement *s = &owner->loop.statements[i];
        if (s->block_sums) write_sum(w, w->plan->views[s->tensor->number], s->block_sums);
    }
    write_close(w);
}
