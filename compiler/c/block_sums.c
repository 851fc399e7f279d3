/* block_sums.c: writes the kernel that adds up the sums of the blocks of samples. */
#include "writer.h"

void write_block_sums(struct writer *w, struct kernel *kernel) {
    write_kernel_open(w, kernel);
    write_line(w, "(void)begin, (void)end;");
    for (int i = 0; i < kernel->block_sums.count; i++) {
        const struct block_sum *sum = &kernel->block_sums.sums[i];
        write_line(w, "%s(%s, %s, %ld, %ld);", use_symbol(w, "sum_blocks"),
                   view_address(w, sum->to), view_address(w, sum->from), sum->from->shape.size[0],
                   shape_elements(&sum->to->shape));
    }
    write_close(w);
}
