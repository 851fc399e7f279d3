/* winograd.c: which convolutions are computed by Winograd's F(4x4, 3x3), F(3x3, 4x4) or
 * F(2x2, 5x5), and their schedules. */
#include "winograd.h"

enum { REAL_SIZE = 4 };
/* Of the sums of all units, and of their slots of scratch memory, of which threads touch one each.
 */
enum { MOST_SUM_BYTES = 16 << 20, MOST_SLOT_BYTES = 64 << 20 };

static long smaller(long a, long b) {
    return a < b ? a : b;
}

static long larger(long a, long b) {
    return a > b ? a : b;
}

static long parts_of(long n, long size) {
    return (n + size - 1) / size;
}

/* ---- where it is taken ---- */

/* What the ways cost, in cycles of one vector product, measured on Zen 4. Of a tile: the transforms
 * of one channel (their loads and stores take the time), the products of a pair of channels. Of a
 * pair: transforming its weights, adding up the lanes of its sums, its gradient from the sums.
 * Waiting for memory is not in them, but in least_gain. */
static const double image_cost = 190, result_cost = 130, gradient_cost = 160, products_cost = 38;
static const double weights_cost = 60, lanes_cost = 3, sums_cost = 25, direct_cost = 1.05;
static const double least_gain = 1.1;

long winograd_tile(const struct program_plan *plan, const struct window *window, long groups) {
    long taps = window->kernel_size[0];
    bool fits = !plan->no_winograd && !plan->use_double && plan->lanes >= 4 && groups == 1 &&
                window->kernel_size[1] == taps && window->strides[0] == 1 &&
                window->strides[1] == 1 && window->dilation_rate[0] == 1 &&
                window->dilation_rate[1] == 1;
    return fits && taps >= 3 && taps <= 5 ? WINOGRAD_EDGE + 1 - taps : 0;
}

/* The tiles that cover the results. */
static void set_tiles(struct winograd *winograd, long tile, const long out_size[2]) {
    winograd->tile = tile;
    for (int i = 0; i < 2; i++) winograd->tiles[i] = parts_of(out_size[i], tile);
    long last[2];
    for (int i = 0; i < 2; i++) last[i] = out_size[i] - (winograd->tiles[i] - 1) * tile;
    winograd->last = last[0] == last[1] ? last[0] : tile;
}

long winograd_first_missing(const struct winograd *winograd) {
    return WINOGRAD_EDGE - 1 - (winograd->tile - winograd->last);
}

/* Of a plane, in tiles that have all points. */
static double tiles_of_products(const struct winograd *winograd) {
    double product = 1;
    for (int i = 0; i < 2; i++)
        product *=
            (double)winograd->tiles[i] - (double)(winograd->tile - winograd->last) / WINOGRAD_EDGE;
    return product;
}

/* Products of a plane's direct sums: taps that stay inside. */
static double direct_products(const struct axis_class *classes, int count) {
    double products = 0;
    for (int i = 0; i < count; i++) products += (double)(classes[i].count * classes[i].tap_count);
    return products;
}

/* For each sample block: direct sums, and products at the points with all that belongs to them. */
static bool is_faster(double direct, const struct winograd *winograd, double in, double out,
                      double out_cost, double pair_overhead) {
    double tiles = (double)(winograd->tiles[0] * winograd->tiles[1]);
    double cost = tiles_of_products(winograd) * products_cost * in * out +
                  tiles * (image_cost * in + out_cost * out) + pair_overhead * in * out;
    return direct_cost * direct * in * out > least_gain * cost;
}

/* ---- schedules ---- */

/* An odd number of vectors: the 36 lines of one tile must not fall into one set of the cache. */
static long point_stride(const struct program_plan *plan, long channels, long tiles) {
    return (channels * tiles | 1) * plan->lanes;
}

/* Fewer units where each needs much memory, down to four. */
static long units_that_fit(long units, long reals_each, long most) {
    while (units > 4 && units * reals_each * REAL_SIZE > most) units = parts_of(units, 2);
    return units;
}

/* A chunk is a rectangle that divides the tiles evenly: a row of tiles if its points fit in a few
 * times the L2 cache, several rows where one has fewer than four tiles. */
static void choose_chunk(const struct program_plan *plan, const struct convolution_kernel *c,
                         struct winograd *winograd) {
    const long *tiles = winograd->tiles;
    long bytes = WINOGRAD_POINTS * (c->in_channels + c->out_channels) * plan->lanes * REAL_SIZE;
    long most = smaller(8, larger(4, 4 * plan->target->l2 / bytes));
    winograd->chunk[0] = winograd->chunk[1] = 1;
    for (long columns = 1; columns <= tiles[1] && columns <= most; columns++)
        if (tiles[1] % columns == 0) winograd->chunk[1] = columns;
    if (winograd->chunk[1] < tiles[1]) return;
    for (long rows = 1; rows <= tiles[0] && rows * tiles[1] <= smaller(4, most); rows++)
        if (tiles[0] % rows == 0) winograd->chunk[0] = rows;
}

bool schedule_winograd(struct program_plan *plan, struct kernel *kernel) {
    struct convolution_kernel *c = &kernel->convolution;
    long tile = winograd_tile(plan, &c->window, c->groups);
    if (!c->weights || !tile) return false;
    struct winograd *winograd = ARENA_NEW(plan->arena, struct winograd);
    set_tiles(winograd, tile, c->out_size);
    for (int i = 0; i < 2; i++) {
        long pad = c->window.pad[i];
        winograd->pad[i] = c->is_backward ? c->kernel_size[i] - 1 - pad : pad;
    }
    double direct =
        direct_products(c->rows, c->row_count) * direct_products(c->columns, c->column_count);
    double blocks = (double)(plan->rows / plan->lanes);
    if (!is_faster(direct, winograd, (double)c->in_channels, (double)c->out_channels, result_cost,
                   weights_cost / blocks))
        return false;
    choose_chunk(plan, c, winograd);
    long tiles = winograd->chunk[0] * winograd->chunk[1];
    static const long one_tap[2] = {1, 1};
    schedule_convolution_tile(plan, c, tiles, one_tap);
    winograd->image_point = point_stride(plan, c->in_channels, tiles);
    winograd->result_point = point_stride(plan, c->out_channels, tiles);
    struct split outs = split_evenly(c->out_channels, c->tile_channels);
    /* The transform writes a whole vector for each input channel of a tile: room behind the last.
     */
    winograd->padded_in =
        c->in_channels + parts_of(plan->lanes, outs.small ? outs.size : outs.size + 1);
    winograd->weights_point = winograd->padded_in * c->out_channels;
    struct shape shape = {1, {WINOGRAD_POINTS * winograd->weights_point}};
    const char *name = arena_format(plan->arena, "%s_packed", kernel->name);
    c->packed =
        view_new(plan, buffer_new(plan, name, shape.size[0], false), 0, &shape, LAYOUT_PLAIN);
    winograd->slot = WINOGRAD_POINTS * (winograd->image_point + winograd->result_point);
    kernel->units =
        units_that_fit(smaller(plan->rows / plan->lanes, 16), winograd->slot, MOST_SLOT_BYTES);
    kernel->by_block = kernel->units == plan->rows / plan->lanes;
    winograd->scratch = scratch_new(plan, kernel, winograd->slot);
    /* Where the L3 cache is slow or busy, the transforms wait for the next channel (Emerald Rapids:
     * six tenths of their time beside other work; a step of cnn_hourglass then took 15 % less with
     * this, on a quiet machine 2). */
    c->prefetches = plan_image_is_far(plan, c->in_channels, c->in_size);
    c->winograd = winograd;
    return true;
}

/* Cycles to add up the lanes of n vectors, by halves of two at a time. */
static double lane_sums_cost(long n, long lanes) {
    long steps = 0;
    for (; n > 0; n -= lanes)
        for (long half = lanes / 2, left = smaller(n, lanes); half >= 1; half /= 2)
            steps += left = smaller(left, half);
    return 3 * (double)steps;
}

/* Register tiles of so many tiles of pixels; adding up the lanes prefers full vectors of sums.
 * (Turning the points of the image, so that vectors hold channels and no lanes are added up, made
 * steps of most models 1 to 4 % longer, measured on Zen 4.) */
static void choose_gradient_tile(const struct program_plan *plan, struct weight_gradient_kernel *w,
                                 long tiles) {
    double best = -1;
    for (long o = 1; o <= plan->target->gradient_out; o++)
        for (long i = 1; i <= plan->target->gradient_in; i++) {
            struct split outs = split_evenly(w->out_channels, o);
            struct split ins = split_evenly(w->in_channels, i);
            long out = outs.size + (outs.big > 0), in = ins.size + (ins.big > 0);
            double once = (double)larger(out * in, 4) + 0.2 * (double)(out + in) + 0.3;
            double cost = (double)((outs.big + outs.small) * (ins.big + ins.small)) *
                          ((double)tiles * once + lane_sums_cost(out * in, plan->lanes) + 25);
            if (best >= 0 && cost >= best) continue;
            best = cost;
            w->tile_out = (int)out;
            w->tile_in = (int)in;
        }
}

/* Each unit keeps its own sums: enough units for the threads, but enough tiles in each chunk that
 * adding up the lanes, once a chunk, costs little. One unit would leave a second thread idle: not
 * where it would work for long (the last layer of c7, 4 x 4 pixels: a step on one thread 1 %
 * longer, on two 12 % shorter). */
static void choose_gradient_chunk(const struct program_plan *plan, const struct kernel *kernel,
                                  struct winograd *winograd) {
    const double long_work = 100e3; /* nanoseconds of direct sums */
    const struct weight_gradient_kernel *w = &kernel->weight_gradient;
    const long least = !plan->is_serial && kernel_work(plan, kernel) >= long_work ? 2 : 1;
    const long *tiles = winograd->tiles;
    long blocks = plan->rows / plan->lanes, all = tiles[0] * tiles[1];
    long bytes = WINOGRAD_POINTS * (w->in_channels + w->out_channels) * plan->lanes * REAL_SIZE;
    long most = smaller(64, larger(16, plan->target->l2 / bytes));
    winograd->parts = smaller(blocks, larger(least, smaller(8, blocks * all / 8)));
    winograd->parts = units_that_fit(
        winograd->parts, WINOGRAD_POINTS * w->in_channels * w->out_channels, MOST_SUM_BYTES);
    winograd->chunk[1] = tiles[1];
    struct split rows = split_evenly(tiles[0], smaller(tiles[0], larger(1, most / tiles[1])));
    winograd->chunk[0] = rows.size + (rows.big > 0);
    winograd->blocks_at_once = winograd->chunk[0] == tiles[0] ? larger(1, most / all) : 1;
    winograd->parts =
        units_that_fit(winograd->parts,
                       WINOGRAD_POINTS * (w->in_channels + w->out_channels) * plan->lanes *
                           winograd->chunk[0] * winograd->chunk[1] * winograd->blocks_at_once,
                       MOST_SLOT_BYTES);
    winograd->blocks_at_once = smaller(winograd->blocks_at_once, parts_of(blocks, winograd->parts));
}

bool schedule_winograd_gradient(struct program_plan *plan, struct kernel *kernel) {
    struct weight_gradient_kernel *w = &kernel->weight_gradient;
    long tile = winograd_tile(plan, &w->window, w->groups);
    if (!tile) return false;
    struct winograd *winograd = ARENA_NEW(plan->arena, struct winograd);
    set_tiles(winograd, tile, w->out_size);
    double direct = 1;
    for (int i = 0; i < 2; i++) {
        int count;
        struct axis_class *classes =
            axis_classes(plan->arena, false, w->out_size[i], w->in_size[i],
                         w->window.kernel_size[i], 1, 1, w->window.pad[i], &count);
        direct *= direct_products(classes, count);
        winograd->pad[i] = w->window.pad[i];
    }
    choose_gradient_chunk(plan, kernel, winograd);
    double chunks =
        (double)parts_of(winograd->tiles[0], winograd->chunk[0]) / (double)winograd->blocks_at_once;
    double blocks = (double)(plan->rows / plan->lanes);
    if (!is_faster(direct, winograd, (double)w->in_channels, (double)w->out_channels, gradient_cost,
                   WINOGRAD_POINTS * lanes_cost * chunks +
                       sums_cost * (double)winograd->parts / blocks))
        return false;
    long tiles = winograd->chunk[0] * winograd->chunk[1] * winograd->blocks_at_once;
    choose_gradient_tile(plan, w, tiles);
    winograd->image_point = point_stride(plan, w->in_channels, tiles);
    winograd->result_point = point_stride(plan, w->out_channels, tiles);
    long outs = parts_of(w->out_channels, w->tile_out), ins = parts_of(w->in_channels, w->tile_in);
    winograd->region = parts_of(w->tile_out * w->tile_in, plan->lanes) * plan->lanes;
    winograd->sums_point = outs * ins * winograd->region;
    winograd->part = w->window.kernel_size[0] * w->window.kernel_size[1] * winograd->sums_point;
    winograd->slot =
        WINOGRAD_POINTS * (winograd->image_point + winograd->result_point + winograd->sums_point);
    kernel->units = winograd->parts;
    kernel->by_block = kernel->units == plan->rows / plan->lanes;
    winograd->scratch = scratch_new(plan, kernel, winograd->slot);
    w->prefetches = plan_image_is_far(plan, w->in_channels, w->in_size) ||
                    plan_image_is_far(plan, w->out_channels, w->out_size);
    w->winograd = winograd;
    return true;
}

/* ---- the kernels beside them ---- */

struct kernel *winograd_weights_kernel(struct program_plan *plan, const struct kernel *kernel) {
    const struct convolution_kernel *c = &kernel->convolution;
    struct kernel *weights =
        kernel_new(plan, KERNEL_WINOGRAD_WEIGHTS,
                   arena_format(plan->arena, "%s_weights", kernel->name), kernel->tensor);
    struct split outs = split_evenly(c->out_channels, c->tile_channels);
    weights->out = c->packed;
    weights->owner = kernel;
    weights->units = outs.big + outs.small;
    return weights;
}

struct kernel *winograd_sums_kernel(struct program_plan *plan, struct kernel *kernel) {
    const struct weight_gradient_kernel *w = &kernel->weight_gradient;
    struct kernel *sums =
        kernel_new(plan, KERNEL_WINOGRAD_SUMS, arena_format(plan->arena, "%s_result", kernel->name),
                   kernel->tensor);
    struct shape shape = {1, {w->winograd->parts * w->winograd->part}};
    const char *name = arena_format(plan->arena, "%s_parts", kernel->name);
    sums->owner = kernel;
    sums->out = kernel->out;
    /* Rows of Keras's weights are input channels: units share hardly a line of them. */
    sums->units = parts_of(w->in_channels, w->tile_in);
    kernel->out =
        view_new(plan, buffer_new(plan, name, shape.size[0], false), 0, &shape, LAYOUT_PLAIN);
    return sums;
}
