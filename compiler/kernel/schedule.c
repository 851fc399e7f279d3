/* schedule.c: chooses register tiles, cache blocks and parallel units by fixed rules over the shape
 * and the target. The rules come from measurements; where they are not obvious the reason is said.
 */
#include "winograd.h"

enum { REAL_SIZE = 4 };

static long larger(long a, long b) {
    return a > b ? a : b;
}

static long smaller(long a, long b) {
    return a < b ? a : b;
}

static bool tile_exists(const struct program_plan *plan, enum microkernel_kind kind, long a, long b,
                        int lanes) {
    struct microkernel tile = {kind, (int)a, (int)b, lanes};
    return microkernel_in_library(&tile, plan->target);
}

bool schedule_tiles_exist(const struct program_plan *plan, enum microkernel_kind kind,
                          struct split a, struct split b, int lanes) {
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++) {
            if (!(i ? a.big : a.small) || !(j ? b.big : b.small)) continue;
            if (!tile_exists(plan, kind, a.size + i, b.size + j, lanes)) return false;
        }
    return true;
}

struct split schedule_split(const struct target *target, long n, long most) {
    while (target->even_tiles && most > 1 && split_evenly(n, most).big) most--;
    return split_evenly(n, most);
}

/* Cycles for one tile, per channel and tap: products, at least their latency, plus loads. */
static double tile_cost(long a, long b) {
    return (double)larger(a * b, 4) + 0.2 * (double)(a + b) + 0.3;
}

static double split_cost(struct split a, struct split b) {
    double cost = 0;
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++)
            cost += (double)((i ? a.big : a.small) * (j ? b.big : b.small)) *
                    tile_cost(a.size + i, b.size + j);
    return cost;
}

/* The longer side of the largest region of constant taps: tiles run along it; row tiles, along rows
 * of neighbors. */
static long main_length(const struct convolution_kernel *c) {
    long height = 1, width = 1;
    for (int i = 0; c->by_rows && i < c->column_count; i++) {
        const struct axis_class *class = &c->columns[i];
        bool is_whole = class->tap_count == c->kernel_size[1] && class->run;
        if (is_whole && class->step == 1 && class->in_step == 1) return class->count;
    }
    for (int i = 0; i < c->row_count; i++) height = larger(height, c->rows[i].count);
    for (int i = 0; i < c->column_count; i++) width = larger(width, c->columns[i].count);
    return larger(height, width);
}

/* A depthwise tile has few products: the longer the row, the less its call counts. */
static long most_row_pixels(const struct program_plan *plan, const struct convolution_kernel *c,
                            long taps) {
    long most = 14;
    if (c->by_rows && tile_exists(plan, MICROKERNEL_ROW, taps, 2, plan->lanes))
        while (!tile_exists(plan, MICROKERNEL_ROW, taps, most, plan->lanes)) most--;
    return most;
}

void schedule_convolution_tile(const struct program_plan *plan, struct convolution_kernel *c,
                               long length, const long kernel_size[2]) {
    const struct target *target = plan->target;
    long most_products = target->tile_channels * target->tile_pixels;
    double best = -1;
    long most_pixels = c->out_channels == 1 ? most_row_pixels(plan, c, kernel_size[1]) : 8;
    for (long t = 1; t <= 8; t++)
        for (long p = 1; p <= most_pixels; p++) {
            if (t * p > most_products) continue;
            struct split channels = split_evenly(c->out_channels, t);
            struct split pixels = split_evenly(length, p);
            if (target->even_tiles && (channels.big || pixels.big)) continue;
            if (!schedule_tiles_exist(plan, MICROKERNEL_CONVOLUTION, channels, pixels, plan->lanes))
                continue;
            double cost = split_cost(channels, pixels);
            if (best >= 0 && cost >= best) continue;
            best = cost;
            c->tile_channels = (int)(channels.size + (channels.big > 0));
            c->tile_pixels = (int)(pixels.size + (pixels.big > 0));
        }
    /* The pixels that a row of tiles reads stay in half of the L1 cache while the output tiles
     * pass over them; the rest is for the streaming weights. */
    long pixel_bytes =
        (c->tile_pixels + kernel_size[1] - 1) * kernel_size[0] * plan->lanes * REAL_SIZE;
    long most = larger(1, target->l1 * 3 / 4 / pixel_bytes);
    struct split blocks = split_evenly(c->in_channels, most);
    c->channel_block = blocks.size + (blocks.big > 0);
}

int tile_image_pixels(const struct convolution_kernel *c) {
    return c->blocks_at_once > 1 ? 1 : c->tile_pixels;
}

/* Where no two pixels have the same taps, as in images of 3 x 3, a tile of one pixel waits for its
 * weights: one of two blocks reads them half as often (A1's last convolution: 0.79 -> 0.50 ms). Two
 * units at least remain. */
static void choose_blocks(const struct program_plan *plan, struct convolution_kernel *c) {
    enum { BLOCKS = 2 };
    c->blocks_at_once = 1;
    if (c->tile_pixels > 1 || c->by_rows || c->epilogue.mask || c->prefetches || !c->weights ||
        plan->rows % (2 * BLOCKS * plan->lanes))
        return;
    schedule_convolution_tile(plan, c, BLOCKS, c->kernel_size);
    if (c->tile_pixels == BLOCKS) c->blocks_at_once = BLOCKS;
}

/* The class of positions along an axis that all taps reach, if a tile can take those at both edges
 * along: they read the same, but for the taps that lie outside. */
static struct axis_class *inner_class(struct axis_class *classes, int count, long size,
                                      long in_size, long taps) {
    for (int i = 0; i < count; i++) {
        struct axis_class *class = &classes[i];
        if (class->tap_count == taps && class->step == 1 && class->in_step == 1 && class->run &&
            class->start == taps / 2 && class->count == size - taps / 2 * 2)
            return taps % 2 && in_size == size ? class : NULL;
    }
    return NULL;
}

static struct axis_class *take_edges(struct axis_class *class) {
    for (int i = 0; i < class->tap_count; i++) class->in_start[i] -= class->start;
    class->count += 2 * class->start;
    class->start = 0;
    return class;
}

/* The columns at the edges would be tiles of their own, with a fifth of the products of a depthwise
 * row of seven pixels, and the rows at the edges calls of their own. */
static bool take_whole_rows(const struct program_plan *plan, struct convolution_kernel *c) {
    const long taps = c->kernel_size[1], width = c->out_size[1];
    struct axis_class *rows =
        inner_class(c->rows, c->row_count, c->out_size[0], c->in_size[0], c->kernel_size[0]);
    struct axis_class *columns =
        inner_class(c->columns, c->column_count, width, c->in_size[1], taps);
    if (!c->by_rows || !columns) return false;
    struct split pixels = split_evenly(width, most_row_pixels(plan, c, taps));
    for (int i = 0; i < 2; i++)
        if ((i ? pixels.small : pixels.big) &&
            (pixels.size + !i < taps / 2 ||
             !tile_exists(plan, MICROKERNEL_ROW, taps, pixels.size + !i, plan->lanes)))
            return false;
    c->columns = take_edges(columns);
    c->column_count = 1;
    c->outside = MICROKERNEL_LEFT | MICROKERNEL_RIGHT;
    if (rows) {
        c->rows = take_edges(rows);
        c->row_count = 1;
        c->outside |= MICROKERNEL_ABOVE | MICROKERNEL_BELOW;
    }
    c->tile_channels = 1;
    c->tile_pixels = (int)(pixels.size + (pixels.big > 0));
    c->channel_block = 1;
    return true;
}

static void schedule_convolution(struct program_plan *plan, struct kernel *kernel) {
    struct convolution_kernel *c = &kernel->convolution;
    c->by_rows =
        c->in_channels == 1 && c->out_channels == 1 && c->weights && !plan->target->even_tiles;
    if (!take_whole_rows(plan, c))
        schedule_convolution_tile(plan, c, main_length(c), c->kernel_size);
    /* A tile's few pixels of each channel are as many streams, and hardware does not follow so
     * many. */
    c->prefetches = plan_image_is_far(plan, c->groups * c->in_channels, c->in_size) ||
                    plan_image_is_far(plan, c->groups * c->out_channels, c->out_size);
    choose_blocks(plan, c);
    kernel->units = plan->rows / plan->lanes / c->blocks_at_once;
    kernel->by_block = c->blocks_at_once == 1;
    long packed =
        c->groups * c->in_channels * c->out_channels * c->kernel_size[0] * c->kernel_size[1];
    struct shape shape = {1, {packed}};
    const char *name = arena_format(plan->arena, "%s_packed", kernel->name);
    c->packed = view_new(plan, buffer_new(plan, name, packed, false), 0, &shape, LAYOUT_PLAIN);
}

long packed_offset(const struct convolution_kernel *c, long block_start, long block_channels,
                   long out_channel) {
    long taps = c->kernel_size[0] * c->kernel_size[1];
    return (block_start * c->out_channels + out_channel * block_channels) * taps;
}

/* One part: equal blocks of equal tiles. The taps are one loop if that is possible. */
static void add_packing(const struct convolution_kernel *c, struct copy_kernel *copy,
                        const long block[3], const long tile[3], long group) {
    long block_start = block[0], block_size = block[1], blocks = block[2];
    long tile_start = tile[0], tile_size = tile[1], tiles = tile[2];
    if (!blocks || !tiles) return;
    long taps = c->kernel_size[0] * c->kernel_size[1];
    long per_group = c->in_channels * c->out_channels * taps;
    for (long row = 0; row < c->kernel_size[0]; row++) {
        bool is_one_loop = c->w_tap[0] == c->w_tap[1] * c->kernel_size[1] || c->kernel_size[1] == 1;
        long tap_count = is_one_loop ? taps : c->kernel_size[1];
        long tap_stride = c->kernel_size[1] == 1 ? c->w_tap[0] : c->w_tap[1];
        copy->parts[copy->part_count++] = (struct copy_part){
            .size = {blocks, tiles, block_size, tap_count, tile_size},
            .to_stride = {block_size * c->out_channels * taps, tile_size * block_size * taps,
                          taps * tile_size, tile_size, 1},
            .from_stride = {block_size * c->w_in, tile_size * c->w_out, c->w_in, tap_stride,
                            c->w_out},
            .to_offset = group * per_group + packed_offset(c, block_start, block_size, tile_start) +
                         row * c->kernel_size[1] * tile_size,
            .from_offset = group * c->w_group + block_start * c->w_in + tile_start * c->w_out +
                           row * c->w_tap[0]};
        if (is_one_loop) break;
    }
}

/* Groups of one block and one tile each are one loop. */
static bool pack_groups_at_once(const struct convolution_kernel *c, struct copy_kernel *copy) {
    if (c->groups == 1 || c->channel_block < c->in_channels || c->tile_channels < c->out_channels)
        return false;
    long one_block[3] = {0, c->in_channels, 1}, one_tile[3] = {0, c->out_channels, 1};
    add_packing(c, copy, one_block, one_tile, 0);
    for (int i = 0; i < copy->part_count; i++) {
        struct copy_part *part = &copy->parts[i];
        part->size[0] = c->groups;
        part->to_stride[0] =
            c->in_channels * c->out_channels * c->kernel_size[0] * c->kernel_size[1];
        part->from_stride[0] = c->w_group;
    }
    return true;
}

void schedule_packing(struct program_plan *plan, const struct convolution_kernel *c,
                      struct copy_kernel *copy) {
    copy->from = c->weights;
    if (c->plain) {
        schedule_panels(plan, c, copy);
        return;
    }
    copy->parts = ARENA_ARRAY(plan->arena, struct copy_part, c->groups * 4 * c->kernel_size[0]);
    if (pack_groups_at_once(c, copy)) return;
    struct split blocks = split_evenly(c->in_channels, c->channel_block);
    struct split tiles = split_evenly(c->out_channels, c->tile_channels);
    for (long group = 0; group < c->groups; group++)
        for (int i = 0; i < 4; i++) {
            long block[3] = {0, blocks.size + 1, blocks.big},
                 tile[3] = {0, tiles.size + 1, tiles.big};
            if (i & 1) {
                block[0] = blocks.big * (blocks.size + 1);
                block[1] = blocks.size, block[2] = blocks.small;
            }
            if (i & 2) {
                tile[0] = tiles.big * (tiles.size + 1);
                tile[1] = tiles.size, tile[2] = tiles.small;
            }
            add_packing(c, copy, block, tile, group);
        }
}

bool matmul_tiles_overlap(const struct matmul_kernel *m) {
    struct split vectors = split_evenly((m->columns + m->lanes - 1) / m->lanes, m->tile_vectors);
    long last = vectors.small ? vectors.size : vectors.size + 1; /* vectors of the last tile */
    return m->columns % m->lanes && !m->tail && m->columns > m->lanes && last == 1;
}

struct split matmul_tail_tiles(const struct matmul_kernel *m, long rows) {
    return split_evenly((rows + m->lanes - 1) / m->lanes, m->tail_vectors);
}

/* The rows of b that all row tiles of a unit read again stay in the L1 cache, if all of a stays in
 * the L2 cache (measured on Emerald Rapids: 15 % less time for 100 x 1000 x 1000; on Zen 5, with a
 * fast L2 cache, 4 % more, since each block reads and writes the sums), else in a quarter of that:
 * blocks of a should be long. Not where two tiles compute some columns both: each would add to the
 * sums of the other; nor with a mask, whose place the result may take only if no sums stand there
 * before it is read. */
static void block_depth(const struct program_plan *plan, struct matmul_kernel *m, long row_tiles) {
    long columns = m->by_columns ? m->tile_vectors * m->lanes : m->columns;
    const struct target *target = plan->target;
    bool a_stays = m->rows * m->depth * REAL_SIZE <= target->l2 / 2;
    long most = larger(64, (a_stays ? target->l1 : target->l2 / 4) / (columns * REAL_SIZE));
    struct split blocks = split_evenly(m->depth, most);
    bool pays = m->by_columns && row_tiles > 2 && !(a_stays && target->fast_l2) &&
                !matmul_tiles_overlap(m) && !m->epilogue.mask;
    m->depth_block = pays ? blocks.size + (blocks.big > 0) : m->depth;
}

/* Few columns behind the last vector (50 = 3 * 16 + 2) cost as much as a whole vector; where a row
 * of a, or a column, lies in one piece, vectors along it are full. One vector would leave a tile
 * too few sums to hide their latency. */
static void schedule_tail(struct program_plan *plan, struct kernel *kernel) {
    struct matmul_kernel *m = &kernel->matmul;
    const struct target *target = plan->target;
    const struct epilogue *e = &m->epilogue;
    long tail = m->columns % m->lanes;
    if (target->even_tiles || m->lanes < 8 || m->lanes != target->block_lanes || m->b_column != 1)
        return;
    if (m->columns < 2 * m->lanes || tail == 0 || tail > m->lanes / 4 || m->use_generic) return;
    bool is_long = m->depth % m->lanes == 0 && m->depth >= 4 * m->lanes;
    if (m->a_depth == 1 && is_long && m->rows >= target->matmul_rows && !e->mask) {
        struct shape shape = {2, {tail, m->depth}};
        const char *name = arena_format(plan->arena, "%s_tail", kernel->name);
        struct buffer *buffer = buffer_new(plan, name, tail * m->depth, false);
        m->tail_columns = view_new(plan, buffer, 0, &shape, LAYOUT_PLAIN);
        m->tail = tail;
    } else if (m->a_row == 1 && m->rows >= 4 * m->lanes && !e->bias && !e->relu && !e->mask) {
        m->tail = tail;
        m->tail_vectors = tail == 1 ? target_row_vectors(target) : target->matmul_vectors;
    }
}

enum { PANEL_TILES = 8 }; /* tiles of a panel of rows at most */

/* Where the rows of a lie across, as in a weight gradient, a tile reads a few numbers from each of
 * `depth` lines, which are far apart and fall into few sets of the L1 cache. Rows for some tiles
 * are laid side by side first (Emerald Rapids: 14 to 24 % less time, of 12800 x 128 x 128 and 1000
 * x 100 x 1000), unless one tile takes all columns: then each number is read once, as it would be
 * for laying it there (784 x 100 x 50 on Zen 4: 0.081 -> 0.070 ms). */
static void gather_rows(const struct program_plan *plan, struct kernel *kernel) {
    enum { MOST_UNITS = 32 };
    struct matmul_kernel *m = &kernel->matmul;
    long rows = PANEL_TILES * plan->target->matmul_rows;
    if (m->by_columns || m->use_generic || m->a_row != 1 || m->a_depth == 1 || m->rows < 2 * rows ||
        m->columns - m->tail <= m->tile_vectors * m->lanes ||
        m->rows * m->depth * REAL_SIZE <= plan->target->l1)
        return;
    m->panel_rows = rows;
    kernel->units = smaller(MOST_UNITS, (m->rows + rows - 1) / rows);
}

/* Columns that do not fill a vector, as of a weight gradient of ten classes: all of them are summed
 * in vectors of rows (on Emerald Rapids 784 x 128 x 10: 0.053 -> 0.019 ms, 12800 x 128 x 10: 1.7
 * -> 1.0). */
static bool schedule_narrow(const struct program_plan *plan, struct matmul_kernel *m) {
    const struct target *target = plan->target;
    const struct epilogue *e = &m->epilogue;
    if (target->even_tiles || target->lanes < 8 || target->lanes != target->block_lanes ||
        m->columns >= target->lanes || m->b_column != 1 || m->a_row != 1 || m->a_depth == 1 ||
        m->rows < 4 * target->lanes || m->use_generic || e->bias || e->relu || e->mask)
        return false;
    m->lanes = target->lanes;
    m->tail = m->columns;
    m->tail_vectors = target->matmul_vectors;
    m->by_columns = false;
    return true;
}

static void schedule_matmul(struct program_plan *plan, struct kernel *kernel) {
    struct matmul_kernel *m = &kernel->matmul;
    const struct target *target = plan->target;
    product_take_halves(plan, m);
    m->lanes = target->lanes;
    while (m->lanes > m->columns) m->lanes /= 2;
    struct split rows = schedule_split(target, m->rows, target->matmul_rows);
    m->tile_rows = (int)(rows.size + (rows.big > 0));
    long most = m->rows == 1 && m->lanes == target->lanes ? target_row_vectors(target)
                                                          : target->matmul_vectors;
    struct split vectors = schedule_split(target, (m->columns + m->lanes - 1) / m->lanes, most);
    m->tile_vectors = (int)(vectors.size + (vectors.big > 0));
    /* A large b is read once, column tile by column tile; a small one stays in the L2 cache. */
    bool is_large = m->columns * m->depth * REAL_SIZE > target->l2 / 2;
    m->by_columns = is_large || vectors.big + vectors.small > rows.big + rows.small;
    m->use_generic = plan->generic_products && m->columns * m->depth >= 100000 && m->rows >= 16 &&
                     !m->epilogue.bias && !m->epilogue.relu && !m->epilogue.mask;
    bool is_narrow = schedule_narrow(plan, m);
    m->prefetches = m->by_columns && is_large && !m->use_generic && target->lanes > 1 &&
                    !target->even_tiles && rows.big + rows.small > 1;
    block_depth(plan, m, rows.big + rows.small);
    if (!m->by_columns && !is_narrow && !m->in_halves) schedule_tail(plan, kernel);
    if (m->tail && !is_narrow) {
        vectors = split_evenly(m->columns / m->lanes, target->matmul_vectors);
        m->tile_vectors = (int)(vectors.size + (vectors.big > 0));
    }
    kernel->units = m->by_columns ? vectors.big + vectors.small : rows.big + rows.small;
    if (m->in_halves) kernel->units *= 2;
    if (is_narrow)
        kernel->units = 0;
    else
        gather_rows(plan, kernel);
    if (m->tail && !m->tail_columns) {
        struct split tiles = matmul_tail_tiles(m, m->rows);
        m->tail_unit = kernel->units;
        kernel->units += tiles.big + tiles.small;
    }
    if (m->panel_rows) m->row_panel = scratch_new(plan, kernel, m->depth * m->panel_rows);
    if (m->use_generic) kernel->units = m->rows >= 64 ? 4 : 1;
    if (m->b_column == 1 || m->use_generic) return;
    /* What is read once, column tile by column tile, is transposed so too: the panel stays in the
     * L2 cache, where the whole of a large b would go to memory and come back. */
    if (m->by_columns && m->b_depth == 1 && !plan->prepares) {
        m->panel = scratch_new(plan, kernel, m->depth * m->tile_vectors * m->lanes);
    } else {
        struct shape shape = {2, {m->depth, m->columns}};
        const char *name = arena_format(plan->arena, "%s_transposed", kernel->name);
        struct buffer *buffer = buffer_new(plan, name, m->depth * m->columns, false);
        m->transposed = view_new(plan, buffer, 0, &shape, LAYOUT_PLAIN);
    }
}

/* Rows of c that the update finds in the L1 cache. A tail in vectors of rows needs as many. */
static long update_panel_rows(const struct program_plan *plan, const struct matmul_kernel *m) {
    const struct target *target = plan->target;
    if (target->even_tiles) return m->tile_rows;
    long tiles = target->l1 / 2 / (m->tile_rows * m->columns * REAL_SIZE);
    long rows = smaller(PANEL_TILES, larger(1, tiles)) * m->tile_rows;
    return m->tail ? larger(rows, 2 * m->lanes) : rows;
}

bool schedule_update(struct program_plan *plan, struct kernel *kernel, struct kernel *update) {
    struct matmul_kernel *m = &kernel->matmul;
    if (m->use_generic || m->c_row != m->columns || m->tail_columns || m->panel || m->transposed ||
        (m->tail && m->rows < 2 * m->lanes))
        return false;
    m->by_columns = false;
    m->depth_block = m->depth;
    m->panel_rows = smaller(m->rows, update_panel_rows(plan, m));
    m->update = update;
    m->prefetches = plan->weights_are_far && !plan->target->even_tiles;
    struct split panels = split_evenly(m->rows, m->panel_rows);
    m->panel_rows = panels.size + (panels.big > 0);
    kernel->units = panels.big + panels.small;
    /* rows of one tile are not worth it: they are read only as often as b has column tiles */
    if (m->panel_rows <= m->tile_rows) m->row_panel = NULL;
    long gathered = m->row_panel ? m->depth * m->panel_rows : 0,
         result = m->panel_rows * m->columns;
    const struct view *scratch = scratch_new(plan, kernel, gathered + result);
    struct shape shape = {2, {scratch->shape.size[0], result}};
    update->loop.update_rows = view_new(plan, scratch->buffer, gathered, &shape, LAYOUT_PLAIN);
    if (m->row_panel) m->row_panel = scratch;
    kernel->out = update->loop.update_rows;
    return true;
}

void schedule_kernel(struct program_plan *plan, struct kernel *kernel) {
    switch (kernel->kind) {
    case KERNEL_CONVOLUTION:
        if (!plan_is_blocked(plan, kernel->convolution.image))
            schedule_image(plan, kernel);
        else if (!schedule_winograd(plan, kernel))
            schedule_convolution(plan, kernel);
        break;
    case KERNEL_WEIGHT_GRADIENT:
        if (!schedule_winograd_gradient(plan, kernel)) schedule_weight_gradient(plan, kernel);
        break;
    case KERNEL_MATMUL: schedule_matmul(plan, kernel); break;
    case KERNEL_MAX_POOL:
    case KERNEL_MAX_POOL_GRADIENT:
        kernel->by_block = plan_is_blocked(plan, kernel->pool.x);
        kernel->units =
            kernel->by_block ? plan->rows / plan->lanes : plan->rows * kernel->pool.out_size[0];
        break;
    case KERNEL_NAIVE:
    case KERNEL_HALO:
    case KERNEL_WINOGRAD_WEIGHTS:
    case KERNEL_WINOGRAD_SUMS:
    case KERNEL_BLOCK_SUMS:
    case KERNEL_HALVES_SUM:
    case KERNEL_LOOP:
    case KERNEL_COPY: break;
    }
}
