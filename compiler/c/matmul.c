/* matmul.c: writes the driver of a plain product: row tiles x column tiles of a microkernel, or a
 * call of the runtime's sgemm. */
#include "writer.h"

static long vector_count(const struct matmul_kernel *m) {
    return (m->columns + m->lanes - 1) / m->lanes;
}

static bool has_blocks(const struct matmul_kernel *m) {
    return m->depth_block < m->depth;
}

static int last_flags(const struct matmul_kernel *m) {
    return (m->epilogue.relu ? MICROKERNEL_RELU : 0) | (m->epilogue.mask ? MICROKERNEL_MASK : 0);
}

static long panel_width(const struct matmul_kernel *m) {
    return m->tile_vectors * m->lanes;
}

/* The columns of b of the tile at q, side by side; its last vector may begin before it. */
static void write_panel(struct writer *w, const struct matmul_kernel *m) {
    if (!m->panel) return;
    long last = m->columns - m->lanes;
    write_line(w, "const long first = q < %ld ? q : %ld;", last, last);
    write_line(w, "const long size[] = {1, 1, 1, %ld, first + %ld < %ld ? %ld : %ld - first};",
               m->depth, panel_width(m), m->columns, panel_width(m), m->columns);
    write_line(w, "%s(panel, b + first * %ld, size, panel_stride, b_stride);",
               use_symbol(w, "strided_copy"), m->b_column);
}

/* Blocks of the depth: each goes on with the sums that the one before has stored. */
static void open_blocks(struct writer *w, const struct matmul_kernel *m) {
    if (!has_blocks(m)) return;
    write_open(w, "for (long k = 0; k < %ld; k += %ld)", m->depth, m->depth_block);
    write_line(w, "const long depth = %ld - k < %ld ? %ld - k : %ld;", m->depth, m->depth_block,
               m->depth, m->depth_block);
    write_line(w, "const long flags = (k == 0 ? %d : 0) | (k + depth == %ld ? %d : 0);",
               MICROKERNEL_FIRST, m->depth, last_flags(m));
}

static void write_call(struct writer *w, const struct matmul_kernel *m, long rows, long vectors) {
    const char *name = use_tile(w, MICROKERNEL_MATMUL, (int)rows, (int)vectors, m->lanes);
    /* the last vector of the last tile ends with the last column, over its neighbour if need be */
    const char *a_block = "", *b_block = "", *b = m->panel ? "panel + (q - first)" : "b + q";
    long b_depth = m->panel ? panel_width(m) : m->b_depth;
    if (has_blocks(m)) {
        a_block = arena_format(w->arena, " + k * %ld", m->a_depth);
        b_block = arena_format(w->arena, " + k * %ld", b_depth);
    }
    write_line(w, "%s(a + r * %ld%s, %s%s, %s, c + r * %ld + q,", name, m->a_row, a_block, b,
               b_block, m->epilogue.bias ? "bias + q" : "0", m->c_row);
    const char *mask =
        m->epilogue.mask ? arena_format(w->arena, "mask + r * %ld + q", m->c_row) : "0";
    const char *depth = has_blocks(m) ? "depth" : arena_format(w->arena, "%ld", m->depth);
    const char *flags =
        has_blocks(m) ? "flags" : arena_format(w->arena, "%d", MICROKERNEL_FIRST | last_flags(m));
    write_line(w, "    %s, %s, %ld, %ld, %ld, %ld, q + %ld < %ld ? %ld : %ld - q, %s);", mask,
               depth, m->a_row, m->a_depth, b_depth, m->c_row, vectors * m->lanes, m->columns,
               (vectors - 1) * m->lanes, m->columns - m->lanes, flags);
}

/* A loop over tiles of one of two sizes; `name` is the first row, or column, of a tile. */
static void open_tiles(struct writer *w, const char *name, long first, long count, long size,
                       bool is_parallel, long first_unit) {
    if (is_parallel) {
        write_open(w,
                   "for (long unit = begin > %ld ? begin : %ld; unit < end && unit < %ld; unit++)",
                   first_unit, first_unit, first_unit + count);
        write_line(w, "const long %s = %ld + (unit - %ld) * %ld;", name, first, first_unit, size);
    } else {
        write_open(w, "for (long %s = %ld; %s < %ld; %s += %ld)", name, first, name,
                   first + count * size, name, size);
    }
}

static void write_tiles(struct writer *w, const struct matmul_kernel *m) {
    struct split rows = split_evenly(m->rows, m->tile_rows);
    struct split vectors = split_evenly(vector_count(m), m->tile_vectors);
    struct split outer = m->by_columns ? vectors : rows, inner = m->by_columns ? rows : vectors;
    const char *outer_name = m->by_columns ? "q" : "r", *inner_name = m->by_columns ? "r" : "q";
    long outer_unit = m->by_columns ? m->lanes : 1, inner_unit = m->by_columns ? 1 : m->lanes;
    for (int i = 0; i < 2; i++) {
        long count = i ? outer.small : outer.big, size = outer.size + !i;
        if (!count) continue;
        long first = i ? outer.big * (outer.size + 1) * outer_unit : 0;
        open_tiles(w, outer_name, first, count, size * outer_unit, true, i ? outer.big : 0);
        write_panel(w, m);
        open_blocks(w, m);
        for (int j = 0; j < 2; j++) {
            long inner_count = j ? inner.small : inner.big, inner_size = inner.size + !j;
            if (!inner_count) continue;
            long inner_first = j ? inner.big * (inner.size + 1) * inner_unit : 0;
            open_tiles(w, inner_name, inner_first, inner_count, inner_size * inner_unit, false, 0);
            write_call(w, m, m->by_columns ? inner_size : size, m->by_columns ? size : inner_size);
            write_close(w);
        }
        if (has_blocks(m)) write_close(w);
        write_close(w);
    }
}

/* Units are ranges of rows, so that the bits do not depend on the number of threads. */
static void write_generic(struct writer *w, const struct kernel *kernel) {
    const struct matmul_kernel *m = &kernel->matmul;
    w->uses_sgemm = true;
    use_symbol(w, "lathe_sgemm");
    write_open(w, "for (long unit = begin; unit < end; unit++)");
    write_line(w, "const long row = unit * %ld / %ld;", m->rows, kernel->units);
    write_line(w, "const long next = (unit + 1) * %ld / %ld;", m->rows, kernel->units);
    write_line(w, "lathe_sgemm(next - row, %ld, %ld, a + row * %ld, %ld, %ld, b, %ld, %ld,",
               m->columns, m->depth, m->a_row, m->a_row, m->a_depth, m->b_depth, m->b_column);
    write_line(w, "    c + row * %ld, %ld, 0);", m->c_row, m->c_row);
    write_close(w);
}

void write_matmul(struct writer *w, struct kernel *kernel) {
    const struct matmul_kernel *m = &kernel->matmul;
    struct view *const *views = w->plan->views;
    write_kernel_open(w, kernel);
    write_pointer(w, "a", views[m->a->number], true);
    write_pointer(w, "b", m->transposed ? m->transposed : views[m->b->number], true);
    write_pointer(w, "c", kernel->out, false);
    if (m->panel) {
        write_scratch(w, "panel", m->panel);
        write_line(w, "static const long panel_stride[] = {0, 0, 0, %ld, 1};", panel_width(m));
        write_line(w, "static const long b_stride[] = {0, 0, 0, 1, %ld};", m->b_column);
    }
    if (m->epilogue.bias) write_pointer(w, "bias", views[m->epilogue.bias->number], true);
    if (m->epilogue.mask) write_pointer(w, "mask", views[m->epilogue.mask->number], true);
    if (m->use_generic)
        write_generic(w, kernel);
    else
        write_tiles(w, m);
    write_close(w);
}
