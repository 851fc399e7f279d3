/* block_sums.c: writes the kernel that adds up a loop's sums of the blocks of samples. */
#include "writer.h"

void write_block_sums(struct writer *w, struct kernel *kernel) {
    const struct loop_kernel *loop = &kernel->owner->loop;
    write_kernel_open(w, kernel);
    write_line(w, "(void)begin, (void)end;");
    for (int i = 0; i < loop->statement_count; i++) {
        const struct statement *s = &loop->statements[i];
        if (!s->block_sums) continue;
        const struct shape *shape = &s->block_sums->shape;
        write_line(w, "%s(%s, %s, %ld, %ld);", use_symbol(w, "sum_blocks"),
                   view_address(w, w->plan->views[s->tensor->number]),
                   view_address(w, s->block_sums), shape->size[0], shape->size[3]);
    }
    write_close(w);
}
