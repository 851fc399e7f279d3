/* schedule_gradient.c: chooses how a weight gradient by direct sums is cut into register tiles,
 * units and pieces of rows, by reckoning what the candidates would cost. */
#include "kernel.h"

#include <math.h>

enum { REAL_SIZE = 4 };

static long smaller(long a, long b) {
    return a < b ? a : b;
}

static long larger(long a, long b) {
    return a > b ? a : b;
}

static long parts(long n, long size) {
    return (n + size - 1) / size;
}

/* Without taps to either side it does not matter where rows end: short rows suit the L1 cache. */
static void shorten_rows(struct weight_gradient_kernel *w) {
    for (int i = 0; i < 2; i++)
        if (w->window.kernel_size[i] > 1 || w->window.strides[i] > 1 || w->window.pad[i] > 0 ||
            w->in_size[i] != w->out_size[i])
            return;
    long pixels = w->in_size[0] * w->in_size[1], width = smaller(pixels, 16);
    while (pixels % width) width--;
    if (width < 4) return;
    w->in_size[0] = w->out_size[0] = pixels / width;
    w->in_size[1] = w->out_size[1] = width;
}

/* The output columns from which all taps of a kernel row reach the input. */
static void find_full_columns(struct weight_gradient_kernel *w) {
    long reach = (w->window.kernel_size[1] - 1) * w->window.dilation_rate[1];
    long stride = w->window.strides[1], pad = w->window.pad[1];
    w->full_begin = parts(pad, stride);
    w->full_end = w->full_begin;
    while (w->full_end < w->out_size[1] && w->full_end * stride - pad + reach < w->in_size[1])
        w->full_end++;
}

static void find_rows(const struct program_plan *plan, struct weight_gradient_kernel *w) {
    long columns = w->window.kernel_size[1], stride = w->window.strides[1];
    struct microkernel tile = {MICROKERNEL_GRADIENT_ROW, 1, (int)columns, plan->lanes};
    w->by_rows = w->joins_columns && w->in_channels == 1 && w->out_channels == 1 &&
                 stride == w->window.dilation_rate[1] &&
                 microkernel_in_library(&tile, plan->target);
    if (!w->by_rows || stride > 1 || w->in_size[1] != w->out_size[1]) return;
    bool is_same = w->window.pad[1] == columns / 2 && w->full_begin == columns / 2 &&
                   w->full_end == w->out_size[1] - columns / 2;
    if (is_same) w->border = columns / 2;
}

/* All columns are part of the rows. */
static bool rows_are_whole(const struct weight_gradient_kernel *w) {
    return w->border || (w->full_begin == 0 && w->full_end == w->out_size[1]);
}

static void find_kernel(const struct program_plan *plan, struct weight_gradient_kernel *w) {
    const int taps = (int)w->window.kernel_size[1];
    const struct microkernel tile = {MICROKERNEL_GRADIENT_ROW, taps, taps, plan->lanes};
    w->takes_kernel = w->by_rows && rows_are_whole(w) && w->window.kernel_size[0] == taps &&
                      w->window.strides[0] == 1 && w->window.dilation_rate[0] == 1 &&
                      w->in_size[0] >= taps && microkernel_in_library(&tile, plan->target);
}

/* One input channel, or two, give a register tile little to do with each gradient that it reads. */
static void join_columns(const struct program_plan *plan, struct weight_gradient_kernel *w) {
    enum { FEW_CHANNELS = 2 };
    long columns = w->window.kernel_size[1];
    w->ins = w->in_channels;
    if (w->in_channels > FEW_CHANNELS || columns <= w->in_channels || plan->target->even_tiles)
        return;
    find_full_columns(w);
    struct split one = {columns, 0, 1};
    struct split outs = split_evenly(w->out_channels, smaller(w->out_channels, 2));
    w->joins_columns = w->full_end > w->full_begin &&
                       schedule_tiles_exist(plan, MICROKERNEL_GRADIENT, outs, one, plan->lanes);
    if (w->joins_columns) w->ins = columns * w->in_channels;
    find_rows(plan, w);
    find_kernel(plan, w);
}

/* The joined columns of an input channel are one tile. */
static long smallest_in(const struct weight_gradient_kernel *w) {
    return w->joins_columns ? w->window.kernel_size[1] : 1;
}

static void choose_register_tile(const struct program_plan *plan,
                                 struct weight_gradient_kernel *w) {
    enum { ALONE = 8 }; /* sums of a tile with one channel on the other side */
    long most_in = w->out_channels == 1 ? ALONE : plan->target->gradient_in;
    long in = w->joins_columns ? smallest_in(w) : smaller(w->ins, most_in);
    long out = smaller(w->out_channels, w->ins == 1 ? ALONE : plan->target->gradient_out);
    struct split outs = schedule_split(plan->target, w->out_channels, out);
    struct split ins = schedule_split(plan->target, w->ins, in);
    while (!schedule_tiles_exist(plan, MICROKERNEL_GRADIENT, outs, ins, plan->lanes)) {
        if (out > 1)
            outs = schedule_split(plan->target, w->out_channels, --out);
        else if (in > smallest_in(w))
            ins = schedule_split(plan->target, w->ins, --in);
        else
            break;
    }
    w->tile_out = (int)(outs.size + (outs.big > 0));
    w->tile_in = (int)(ins.size + (ins.big > 0));
}

/* What does not change between the candidates. */
struct gradient_shape {
    long out_tiles, in_tiles, tap_parts;
    long taps;                      /* passes over the pixels: joined columns are one */
    long planes;                    /* input channels of a tile */
    double out_vectors, in_vectors; /* of a channel of all samples */
    double far_cycles;              /* for a vector from where the images are; 0: the L2 cache */
    double weights;                 /* all of them */
};

/* Of the samples, that a piece is of. */
static long blocks_at_once(const struct program_plan *plan,
                           const struct weight_gradient_kernel *w) {
    return w->across_blocks ? parts(plan->rows / plan->lanes, w->block_parts) : 1;
}

/* Vectors of x and g that come from the L2 cache to the L1 cache, of all units. Tiles of a unit
 * share the piece of x if it stays in the L1 cache; so do the taps of a tile, at least those of a
 * row. */
static double near_vectors(const struct program_plan *plan, const struct weight_gradient_kernel *w,
                           const struct gradient_shape *shape) {
    const long *kernel_size = w->window.kernel_size;
    const long blocks = blocks_at_once(plan, w);
    const long room = plan->target->l1 * 3 / 4 / (blocks * plan->lanes * REAL_SIZE);
    long rows = w->rows_at_once * w->window.strides[0];
    long halo = (kernel_size[0] - 1) * w->window.dilation_rate[0];
    long g = w->tile_out * w->rows_at_once * w->out_size[1];
    long x = smaller(w->in_size[0], rows + halo) * w->in_size[1];
    bool holds_unit = g + w->tiles_in * shape->planes * x <= room;
    bool holds_tile =
        w->takes_kernel || g + shape->planes * x <= room; /* its rows follow each other */
    bool holds_row = g + shape->planes * w->rows_at_once * w->in_size[1] <= room;
    /* one pass for each tap, or row of taps; with strides a pass reads a part of the rows */
    double passes = (double)(holds_row ? kernel_size[0] : shape->taps);
    double x_times = fmax(passes / (double)w->window.strides[0], (double)shape->tap_parts);
    if (holds_tile) x_times = (double)shape->tap_parts;
    double g_times = (double)(holds_row ? shape->tap_parts : shape->taps);
    x_times *= (double)(holds_unit ? parts(shape->out_tiles, w->tiles_out) : shape->out_tiles);
    g_times *= (double)(holds_row ? parts(shape->in_tiles, w->tiles_in) : shape->in_tiles);
    return x_times * shape->in_vectors * (double)w->in_channels +
           g_times * shape->out_vectors * (double)w->out_channels;
}

/* About how many cycles of one core a group takes: products; sums that come and go with each call;
 * pixels that come from the L2 cache for each tile, and from far for each unit; the results of each
 * part of the sample blocks. Few units cannot be shared well by several threads. -1: not possible.
 */
static double gradient_cost(const struct program_plan *plan, const struct weight_gradient_kernel *w,
                            const struct gradient_shape *shape) {
    const double call_cycles = 20, near_cycles = 2, part_cycles = 12, idle = 1;
    const struct target *target = plan->target;
    long vector = plan->lanes * REAL_SIZE, products = w->tile_out * w->tile_in;
    long sums = w->tiles_out * w->tiles_in * w->taps_at_once * products * vector;
    if (w->takes_kernel) products *= w->window.kernel_size[0];
    long out_parts = parts(shape->out_tiles, w->tiles_out);
    long in_parts = parts(shape->in_tiles, w->tiles_in);
    long pixels = w->rows_at_once * w->out_size[1];
    long piece = w->tiles_out * w->tile_out * pixels + w->tiles_in * shape->planes *
                                                           w->rows_at_once * w->window.strides[0] *
                                                           w->in_size[1];
    const long blocks = blocks_at_once(plan, w);
    piece *= blocks;
    if (sums > target->l2 / 8 || piece * vector > target->l2 / 2) return -1;
    double vectors =
        (double)(shape->out_tiles * shape->in_tiles * shape->taps) * shape->out_vectors;
    long call_pixels = w->across_blocks ? blocks * w->out_size[1] : pixels;
    double calls = vectors / (double)call_pixels;
    double sum_cycles = (double)products * (sums <= target->l1 / 2 ? 1.5 : 4);
    double cycles = vectors * (double)larger(products, 8) / 2 + calls * (call_cycles + sum_cycles);
    cycles += near_cycles * near_vectors(plan, w, shape);
    cycles += shape->far_cycles * (double)shape->tap_parts *
              (shape->in_vectors * (double)(w->in_channels * out_parts) +
               shape->out_vectors * (double)(w->out_channels * in_parts));
    long units = w->groups * out_parts * in_parts * shape->tap_parts * w->block_parts;
    if (w->block_parts > 1)
        cycles += part_cycles * shape->weights * (double)w->block_parts / (double)w->groups;
    return cycles * (1 + idle / (double)units);
}

/* The next smaller number of parts' size: n, n / 2, n / 3, ..., 1. */
static long next_size(long n, long size) {
    long count = parts(n, size);
    while (count < n && parts(n, count) >= size) count++;
    return parts(n, count);
}

/* What all of the kernel takes is read once, in one piece, unless the next one is to be asked for
 * meanwhile. */
static long most_rows(const struct program_plan *plan, const struct weight_gradient_kernel *w) {
    long bytes = (w->in_size[1] + w->out_size[1]) * plan->lanes * REAL_SIZE;
    if (!w->takes_kernel || !w->prefetches) return w->out_size[0];
    return larger(1, plan->target->l1 / 4 / bytes);
}

/* Tiles of a unit and rows of a piece. */
static double choose_unit(const struct program_plan *plan, struct weight_gradient_kernel *w,
                          const struct gradient_shape *shape) {
    struct weight_gradient_kernel best = *w;
    double least = -1;
    best.tiles_out = best.tiles_in = best.rows_at_once = 1;
    for (long out = shape->out_tiles;; out = next_size(shape->out_tiles, out)) {
        for (long in = shape->in_tiles;; in = next_size(shape->in_tiles, in)) {
            for (long rows = w->out_size[0];; rows = next_size(w->out_size[0], rows)) {
                if (rows > most_rows(plan, w)) continue;
                w->tiles_out = out, w->tiles_in = in, w->rows_at_once = rows;
                for (int across = 0; across <= (rows == w->out_size[0] && !w->joins_columns);
                     across++) {
                    w->across_blocks = across;
                    double cost = gradient_cost(plan, w, shape);
                    if (cost >= 0 && (least < 0 || cost < least)) least = cost, best = *w;
                }
                if (rows == 1) break;
            }
            if (in == 1) break;
        }
        if (out == 1) break;
    }
    *w = best;
    return least;
}

/* Parts of the sample blocks let units own more channels, so that fewer read the same images, and
 * threads work on the blocks that they have written. */
static void choose_parts(const struct program_plan *plan, struct weight_gradient_kernel *w,
                         const struct gradient_shape *shape) {
    enum { MOST_PARTS = 8 };
    struct weight_gradient_kernel best = *w;
    double least = -1;
    long blocks = plan->is_serial ? 1 : plan->rows / plan->lanes;
    for (long block_parts = 1; block_parts <= smaller(blocks, MOST_PARTS); block_parts *= 2) {
        struct weight_gradient_kernel candidate = *w;
        candidate.block_parts = block_parts;
        double cost = choose_unit(plan, &candidate, shape);
        if (block_parts == 1 || (cost >= 0 && (least < 0 || cost < least)))
            least = cost, best = candidate;
    }
    *w = best;
}

/* One unit for each block of samples, if its images fit the L2 cache and that takes hardly longer:
 * it can run right behind what makes its gradient (passes/group.c), and threads meet once less: a
 * step of cnn_batch_norm takes 2 to 3 % less on two threads. Not where one thread does all: GCC,
 * which makes one function of it, no longer kept all sums in registers (a step of 12 microseconds
 * took 22). */
static bool take_blocks(const struct program_plan *plan, const struct kernel *kernel,
                        struct weight_gradient_kernel *w, const struct gradient_shape *shape) {
    const double least_work = 20e3; /* nanoseconds */
    const double most_longer = 1.05;
    const double blocks = (double)(plan->rows / plan->lanes);
    const double bytes = (shape->out_vectors * (double)w->out_channels +
                          shape->in_vectors * (double)w->in_channels) /
                         blocks * plan->lanes * REAL_SIZE;
    struct weight_gradient_kernel whole = *w;
    if (w->block_parts < 2 || w->block_parts != plan->rows / plan->lanes || w->across_blocks ||
        w->groups > 1 || shape->tap_parts > 1 || bytes > plan->target->l2 ||
        kernel_work(plan, kernel) < least_work)
        return false;
    whole.tiles_out = shape->out_tiles, whole.tiles_in = shape->in_tiles;
    const double cost = gradient_cost(plan, &whole, shape);
    if (cost < 0 || cost > gradient_cost(plan, w, shape) * most_longer) return false;
    *w = whole;
    return true;
}

long weight_gradient_taps(const struct weight_gradient_kernel *w) {
    return w->window.kernel_size[0] * (w->joins_columns ? 1 : w->window.kernel_size[1]);
}

void schedule_weight_gradient(struct program_plan *plan, struct kernel *kernel) {
    struct weight_gradient_kernel *w = &kernel->weight_gradient;
    const struct target *target = plan->target;
    shorten_rows(w);
    join_columns(plan, w);
    choose_register_tile(plan, w);
    const long all_taps = weight_gradient_taps(w);
    struct gradient_shape shape = {.out_tiles = parts(w->out_channels, w->tile_out),
                                   .in_tiles = parts(w->ins, w->tile_in),
                                   .taps = w->takes_kernel ? 1 : all_taps,
                                   .planes = w->joins_columns ? 1 : w->tile_in};
    long sums = w->tile_out * w->tile_in * plan->lanes * REAL_SIZE;
    struct split taps = split_evenly(all_taps, smaller(all_taps, larger(1, target->l1 / 2 / sums)));
    w->taps_at_once = taps.size + (taps.big > 0);
    shape.tap_parts = taps.big + taps.small;
    double blocks = (double)(plan->rows / plan->lanes);
    shape.out_vectors = blocks * (double)(w->out_size[0] * w->out_size[1]);
    shape.in_vectors = blocks * (double)(w->in_size[0] * w->in_size[1]);
    double bytes =
        (double)(w->groups * plan->lanes * REAL_SIZE) *
        (shape.out_vectors * (double)w->out_channels + shape.in_vectors * (double)w->in_channels);
    double l2 = (double)target->l2;
    w->prefetches = plan->lanes > 1 && bytes > 16 * l2; /* from an L3 cache they come soon enough */
    shape.far_cycles = bytes <= l2 / 2 ? 0 : bytes <= 8 * l2 ? 3 : 8;
    shape.weights = (double)shape_elements(&kernel->tensor->shape);
    choose_parts(plan, w, &shape);
    kernel->by_block = take_blocks(plan, kernel, w, &shape);
    if (w->across_blocks) w->prefetches = false; /* there is no next piece */
    kernel->units = w->groups * parts(shape.out_tiles, w->tiles_out) *
                    parts(shape.in_tiles, w->tiles_in) * shape.tap_parts * w->block_parts;
}
