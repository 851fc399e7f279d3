/* matmul.c: writes the driver of a plain product: row tiles x column tiles of a microkernel, or a
 * call of the runtime's sgemm. */
#include "writer.h"

/* Without those of the tail. */
static long column_count(const struct matmul_kernel *m) {
    return m->columns - m->tail;
}

static long vector_count(const struct matmul_kernel *m) {
    return (column_count(m) + m->lanes - 1) / m->lanes;
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

/* What is read after this column tile, or block of it: columns of the next one, or rows of b that
 * its panel is made of; the first again behind the last. Each row tile asks for one part, a line
 * for each k. */
static void write_ahead(struct writer *w, const struct matmul_kernel *m, long width) {
    if (!m->prefetches) return;
    const char *next =
        arena_format(w->arena, "(q + %ld < %ld ? q + %ld : 0)", width, column_count(m), width);
    if (m->panel)
        write_line(w, "const real *const ahead = b + %s * %ld%s;", next, m->b_column,
                   has_blocks(m) ? arena_format(w->arena, " + k * %ld", width) : "");
    else if (has_blocks(m))
        write_line(
            w, "const real *const ahead = k + depth < %ld ? b + q + (k + depth) * %ld : b + %s;",
            m->depth, m->b_depth, next);
    else
        write_line(w, "const real *const ahead = b + %s;", next);
}

static bool asks_for_slots(const struct matmul_kernel *m) {
    return m->update && m->prefetches;
}

/* Weights and slots that an update changes: views of one element for each of the gradient's. */
static void write_slots(struct writer *w, const struct matmul_kernel *m) {
    struct text list = {.arena = w->arena};
    if (!asks_for_slots(m)) return;
    for (int i = 0; i < m->update->loop.statement_count; i++) {
        const struct statement *s = &m->update->loop.statements[i];
        const struct view *view = s->is_stored ? w->plan->views[s->tensor->number] : NULL;
        if (view && shape_elements(&view->shape) == m->rows * m->columns)
            text_add(&list, "%s, ", view_address(w, view));
    }
    write_line(w, "const real *const slots[] = {%s0};", text_string(&list));
}

/* A panel's tiles ask for what the update of the next panel reads, a line for each k: first some of
 * them for the weights, then as many for each slot. */
static long tiles_of_slot(const struct matmul_kernel *m) {
    long lines = (m->panel_rows * m->columns + LINE - 1) / LINE;
    return (lines + m->depth - 1) / m->depth;
}

static void write_slots_ahead(struct writer *w, const struct matmul_kernel *m, long count) {
    if (!asks_for_slots(m)) return;
    write_line(w, "const long next = (first + %ld) * %ld;", count, m->columns);
    write_line(w, "const real *const *slot = slots;");
    write_line(w, "long part = 0;");
}

/* Counts without a division, which libtcc's code would do for each tile. */
static void write_next_slot(struct writer *w, const struct matmul_kernel *m) {
    if (!asks_for_slots(m)) return;
    write_line(w, "if (++part == %ld) slot += *slot != 0, part = 0;", tiles_of_slot(m));
}

/* The part of it that belongs to the tile at row r. */
static const char *ahead_of_tile(struct writer *w, const struct matmul_kernel *m, long rows,
                                 long vectors) {
    if (!m->prefetches) return "0, 0";
    if (asks_for_slots(m))
        return arena_format(w->arena, "*slot ? *slot + next + part * %ld : 0, %d", m->depth * LINE,
                            LINE);
    long parts = (vectors * m->lanes + LINE - 1) / LINE + (!m->panel && m->b_depth % LINE != 0);
    const char *depth = has_blocks(m) ? "depth" : arena_format(w->arena, "%ld", m->depth);
    const char *distance = m->panel ? arena_format(w->arena, "%d * %s", LINE, depth)
                                    : arena_format(w->arena, "%d", LINE);
    return arena_format(w->arena, "r < %ld ? ahead + r / %ld * %s : 0, %ld", parts * rows, rows,
                        distance, m->panel ? LINE : m->b_depth);
}

/* The row of c where the sums of row r go. */
static const char *result_row(const struct matmul_kernel *m) {
    return m->update ? "(r - first)" : "r";
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
    const char *a =
        m->row_panel ? "row_panel + (r - first)" : arena_format(w->arena, "a + r * %ld", m->a_row);
    write_line(w, "%s(%s%s, %s%s, %s, c + %s * %ld + q,", name, a, a_block, b, b_block,
               m->epilogue.bias ? "bias + q" : "0", result_row(m), m->c_row);
    const char *mask =
        m->epilogue.mask ? arena_format(w->arena, "mask + r * %ld + q", m->c_row) : "0";
    const char *depth = has_blocks(m) ? "depth" : arena_format(w->arena, "%ld", m->depth);
    const char *flags =
        has_blocks(m) ? "flags" : arena_format(w->arena, "%d", MICROKERNEL_FIRST | last_flags(m));
    write_line(w, "    %s, %s, %ld, %ld, %ld, %ld, q + %ld < %ld ? %ld : %ld - q, %s, %s);", mask,
               depth, m->a_row, m->row_panel ? m->panel_rows : m->a_depth, b_depth, m->c_row,
               vectors * m->lanes, column_count(m), (vectors - 1) * m->lanes,
               column_count(m) - m->lanes, flags, ahead_of_tile(w, m, rows, vectors));
    write_next_slot(w, m);
}

/* The last columns of the rows from r on, in vectors along the depth: the products of a weight
 * gradient, whose samples are the numbers of a row. */
static void write_tail_along_depth(struct writer *w, const struct matmul_kernel *m, long rows) {
    struct split parts = split_evenly(rows, w->plan->target->gradient_out);
    write_line(w, "real sums[%ld] = {0};", rows * m->tail * m->lanes);
    for (long i = 0, row = 0; i < parts.big + parts.small; i++) {
        long size = parts.size + (i < parts.big);
        const char *name = use_tile(w, MICROKERNEL_GRADIENT, (int)size, (int)m->tail, m->lanes);
        write_line(w, "%s(tail, a + (r + %ld) * %ld, sums + %ld, 1, %ld,", name, row, m->a_row,
                   row * m->tail * m->lanes, m->depth / m->lanes);
        write_line(w, "    0, %d, %ld, 0, %d, %ld);", m->lanes, m->depth, m->lanes, m->a_row);
        row += size;
    }
    const char *lane_sum = use_symbol(w, arena_format(w->arena, "lane_sum_%d", m->lanes));
    write_open(w, "for (long i = 0; i < %ld; i++)", rows * m->tail);
    write_line(w, "const long j = %ld + i %% %ld;", column_count(m), m->tail);
    write_line(w, "const real sum = %s(sums + i * %d)%s;", lane_sum, m->lanes,
               m->epilogue.bias ? " + bias[j]" : "");
    write_line(w,
               m->epilogue.relu ? "c[(r + i / %ld) * %ld + j] = sum > 0 ? sum : 0;"
                                : "c[(r + i / %ld) * %ld + j] = sum;",
               m->tail, m->c_row);
    write_close(w);
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

/* The last columns, or all, of rows from `first` on in vectors of rows: a product with both sides
 * exchanged, whose result is laid down across. The last vector may begin before its tile. Units are
 * those behind the others, if the loop is parallel. */
static void write_tail_along_rows(struct writer *w, const struct matmul_kernel *m, long rows,
                                  bool is_parallel) {
    struct split tiles = matmul_tail_tiles(m, rows);
    const char *end = arena_format(w->arena, is_parallel ? "%ld" : "first + %ld", rows);
    for (int i = 0; i < 2; i++) {
        long tile_count = i ? tiles.small : tiles.big, vectors = tiles.size + !i;
        if (!tile_count) continue;
        long width = vectors * m->lanes, distance = width + m->lanes;
        long first = i ? tiles.big * (tiles.size + 1) * m->lanes : 0;
        if (is_parallel)
            open_tiles(w, "r", first, tile_count, width, true, m->tail_unit + (i ? tiles.big : 0));
        else
            write_open(w, "for (long r = first + %ld; r < first + %ld; r += %ld)", first,
                       first + tile_count * width, width);
        write_line(w, "real space[%ld], *const sums = space + %d;", m->tail * distance, m->lanes);
        write_line(w, "const long count = r + %ld < %s ? %ld : %s - r;", width, end, width, end);
        struct split parts = split_evenly(m->tail, w->target->matmul_rows);
        for (long part = 0, column = 0; part < parts.big + parts.small; part++) {
            long size = parts.size + (part < parts.big);
            const char *name = use_tile(w, MICROKERNEL_MATMUL, (int)size, (int)vectors, m->lanes);
            write_line(w, "%s(b + %ld, a + r, 0, sums + %ld, 0, %ld, 1, %ld, %ld, %ld,", name,
                       column_count(m) + column, column * distance, m->depth, m->b_depth,
                       m->a_depth, distance);
            write_line(w, "    count - %d, %d, 0, 0);", m->lanes, MICROKERNEL_FIRST);
            column += size;
        }
        write_open(w, "for (long i = 0; i < count; i++)");
        write_line(w, "real *const to = c + (%s + i) * %ld + %ld;", result_row(m), m->c_row,
                   column_count(m));
        write_line(w, "for (long j = 0; j < %ld; j++) to[j] = sums[j * %ld + i];", m->tail,
                   distance);
        write_close(w);
        write_close(w);
    }
}

/* ---- panels of rows ---- */

static void write_panel_tiles(struct writer *w, const struct matmul_kernel *m, long count) {
    struct split tiles[] = {split_evenly(count, m->tile_rows),
                            split_evenly(vector_count(m), m->tile_vectors)};
    for (int i = 0; i < 4; i++) {
        long row_count = i / 2 ? tiles[0].small : tiles[0].big, rows = tiles[0].size + !(i / 2);
        long tile_count = i % 2 ? tiles[1].small : tiles[1].big, vectors = tiles[1].size + !(i % 2);
        long row = i / 2 ? tiles[0].big * (tiles[0].size + 1) : 0;
        long column = i % 2 ? tiles[1].big * (tiles[1].size + 1) * m->lanes : 0;
        if (!row_count || !tile_count) continue;
        write_open(w, "for (long r = first + %ld; r < first + %ld; r += %ld)", row,
                   row + row_count * rows, rows);
        open_tiles(w, "q", column, tile_count, vectors * m->lanes, false, 0);
        write_call(w, m, rows, vectors);
        write_close(w);
        write_close(w);
    }
}

/* Lays `count` rows from `first` on side by side, if they lie across; computes their tiles, and
 * updates the weights. */
static void write_rows_of_panel(struct writer *w, const struct matmul_kernel *m, long count) {
    if (m->row_panel) {
        write_line(w, "static const long size[] = {1, 1, 1, %ld, %ld};", m->depth, count);
        write_line(w, "%s(row_panel, a + first, size, panel_stride, a_stride);",
                   use_symbol(w, "strided_copy"));
    }
    write_slots_ahead(w, m, count);
    if (column_count(m) > 0) write_panel_tiles(w, m, count);
    if (!m->update) return;
    if (m->tail) write_tail_along_rows(w, m, count, false);
    write_line(w, "%s_%s(call, c, first * %ld, (first + %ld) * %ld);", w->prefix, m->update->name,
               m->columns, count, m->columns);
}

static void write_panels(struct writer *w, const struct kernel *kernel) {
    const struct matmul_kernel *m = &kernel->matmul;
    struct split panels = split_evenly(m->rows, m->panel_rows);
    long count = panels.big + panels.small;
    long units = m->tail && !m->update ? m->tail_unit : kernel->units;
    bool has_both = panels.big && panels.small;
    write_open(w, "for (long unit = begin; unit < end && unit < %ld; unit++)", units);
    write_open(w, "for (long p = unit * %ld / %ld; p < (unit + 1) * %ld / %ld; p++)", count, units,
               count, units);
    if (has_both)
        write_line(w, "const long first = p * %ld + (p < %ld ? p : %ld);", panels.size, panels.big,
                   panels.big);
    else
        write_line(w, "const long first = p * %ld;", panels.size + (panels.big > 0));
    if (has_both) write_open(w, "if (p < %ld)", panels.big);
    if (panels.big) write_rows_of_panel(w, m, panels.size + 1);
    if (has_both) {
        write_close(w);
        write_open(w, "else");
    }
    if (panels.small) write_rows_of_panel(w, m, panels.size);
    if (has_both) write_close(w);
    write_close(w);
    write_close(w);
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
        write_ahead(w, m, size * m->lanes);
        for (int j = 0; j < 2; j++) {
            long inner_count = j ? inner.small : inner.big, inner_size = inner.size + !j;
            if (!inner_count) continue;
            long inner_first = j ? inner.big * (inner.size + 1) * inner_unit : 0;
            open_tiles(w, inner_name, inner_first, inner_count, inner_size * inner_unit, false, 0);
            write_call(w, m, m->by_columns ? inner_size : size, m->by_columns ? size : inner_size);
            write_close(w);
        }
        if (m->tail_columns) write_tail_along_depth(w, m, size);
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

/* ---- halves of the depth ---- */

/* The loop over the halves: in it all is as if there were that half only. */
static void open_halves(struct writer *w, const struct kernel *kernel) {
    const struct matmul_kernel *m = &kernel->matmul;
    long units = kernel->units / 2;
    write_line(w, "const long from = begin, until = end;");
    write_line(w, "const real *const rows_of_a = a, *const rows_of_b = b;");
    write_line(w, "real *const halves = c;");
    write_open(w, "for (long half = 0; half < 2; half++)");
    write_line(w, "const long begin = from > half * %ld ? from - half * %ld : 0;", units, units);
    write_line(w, "const long end = until - half * %ld < %ld ? until - half * %ld : %ld;", units,
               units, units, units);
    write_line(w, "const real *const a = rows_of_a + half * %ld;", m->depth * m->a_depth);
    write_line(w, "const real *const b = rows_of_b + half * %ld;", m->depth * m->b_depth);
    write_line(w, "real *const c = halves + half * %ld;", m->rows * m->columns);
}

/* A unit adds up some columns: those that the next layer reads on the same thread. */
void write_halves_sum(struct writer *w, struct kernel *kernel) {
    const struct matmul_kernel *m = &kernel->owner->matmul;
    const struct epilogue *e = &m->sum_epilogue;
    long width = halves_sum_columns(m);
    write_kernel_open(w, kernel);
    write_pointer(w, "from", kernel->owner->out, true);
    write_pointer(w, "bias", w->plan->views[e->bias->number], true);
    write_pointer(w, "to", kernel->out, false);
    write_open(w, "for (long unit = begin; unit < end; unit++)");
    write_line(w, "const long q = unit * %ld, count = q + %ld < %ld ? %ld : %ld - q;", width, width,
               m->columns, width, m->columns);
    write_line(w, "%s(to + q, from + q, bias + q, %ld, count, %ld, %d);",
               use_symbol(w, "sum_halves"), m->rows, m->columns, e->relu);
    write_close(w);
    write_close(w);
}

void write_matmul(struct writer *w, struct kernel *kernel) {
    const struct matmul_kernel *m = &kernel->matmul;
    struct view *const *views = w->plan->views;
    if (m->update) write_update(w, m->update);
    write_kernel_open(w, kernel);
    write_pointer(w, "a", views[m->a->number], true);
    write_pointer(w, "b", m->transposed ? m->transposed : views[m->b->number], true);
    if (!m->update) write_pointer(w, "c", kernel->out, false);
    if (m->panel) {
        write_scratch(w, "panel", m->panel);
        write_line(w, "static const long panel_stride[] = {0, 0, 0, %ld, 1};", panel_width(m));
        write_line(w, "static const long b_stride[] = {0, 0, 0, 1, %ld};", m->b_column);
    }
    if (m->row_panel) {
        write_scratch(w, "row_panel", m->row_panel);
        write_line(w, "static const long panel_stride[] = {0, 0, 0, %ld, 1};", m->panel_rows);
        write_line(w, "static const long a_stride[] = {0, 0, 0, %ld, 1};", m->a_depth);
    }
    if (m->update && m->row_panel)
        write_line(w, "real *const c = row_panel + %ld;", kernel->out->offset);
    else if (m->update)
        write_scratch(w, "c", kernel->out);
    write_slots(w, m);
    if (m->tail_columns) write_pointer(w, "tail", m->tail_columns, true);
    if (m->epilogue.bias) write_pointer(w, "bias", views[m->epilogue.bias->number], true);
    if (m->epilogue.mask) write_pointer(w, "mask", views[m->epilogue.mask->number], true);
    if (m->in_halves) open_halves(w, kernel);
    if (m->use_generic)
        write_generic(w, kernel);
    else if (m->panel_rows)
        write_panels(w, kernel);
    else if (column_count(m) > 0)
        write_tiles(w, m);
    if (m->tail && !m->tail_columns && !m->update) write_tail_along_rows(w, m, m->rows, true);
    if (m->in_halves) write_close(w);
    write_close(w);
}
