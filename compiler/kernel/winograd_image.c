/* winograd_image.c: Winograd's convolutions on plain images: the lanes of a vector are channels.
 * Its weights are made once: for the few pixels of a small batch they cost more than they save. */
#include "winograd.h"

enum { REAL_SIZE = 4, MOST_TILES = 32 };

/* Cycles to transform some channels (a vector) of a tile, measured on Zen 5; bytes of weights that
 * come from beyond the L2 cache in one, when others use the memory too. */
static const double image_cost = 110, result_cost = 90, weight_bytes = 10;
/* What it must gain, and the least cycles of the direct sums that are worth the memory. */
static const double least_gain = 1.15, least_cycles = 12000;

static long smaller(long a, long b) {
    return a < b ? a : b;
}

static long larger(long a, long b) {
    return a > b ? a : b;
}

static long parts_of(long n, long size) {
    return (n + size - 1) / size;
}

static long all_tiles(const struct winograd *winograd) {
    return winograd->tiles[0] * winograd->tiles[1];
}

/* Tiles whose points stay in half of the L2 cache; enough of them that weights which do not stay
 * there are read for many at once. */
static void choose_tiles(const struct program_plan *plan, const struct convolution_kernel *c,
                         struct winograd *winograd) {
    long bytes = WINOGRAD_POINTS * (c->in_channels + c->out_channels) * REAL_SIZE;
    long weights = WINOGRAD_POINTS * c->in_channels * c->out_channels * REAL_SIZE;
    long least = weights > plan->target->l2 ? 16 : 8;
    long most = smaller(MOST_TILES, larger(least, plan->target->l2 / 2 / bytes));
    struct split chunks = split_evenly(all_tiles(winograd), smaller(most, all_tiles(winograd)));
    winograd->tiles_at_once = chunks.size + (chunks.big > 0);
}

static double winograd_cycles(const struct program_plan *plan, struct convolution_kernel *c,
                              struct image_tiles *tiles, const struct winograd *winograd) {
    double count = (double)all_tiles(winograd);
    double chunks = (double)parts_of(all_tiles(winograd), winograd->tiles_at_once);
    double products = WINOGRAD_POINTS * chunks *
                      schedule_pixel_tile(plan, c, tiles, winograd->tiles_at_once, c->in_channels);
    double bytes = (double)(WINOGRAD_POINTS * c->in_channels * c->out_channels * REAL_SIZE);
    double reading = bytes > (double)(plan->target->l2 / 2) ? chunks * bytes / weight_bytes : 0;
    double transforms = count * (image_cost * (double)parts_of(c->in_channels, tiles->lanes) +
                                 result_cost * (double)parts_of(c->out_channels, tiles->lanes));
    return (products > reading ? products : reading) + transforms;
}

/* An odd number of lines of the cache: the points of a tile must not fall into one set. */
static long point_stride(long numbers) {
    return (parts_of(numbers, LINE) | 1) * LINE;
}

static void add_buffers(struct program_plan *plan, struct kernel *kernel,
                        struct winograd *winograd) {
    struct convolution_kernel *c = &kernel->convolution;
    winograd->image_point = point_stride(winograd->tiles_at_once * c->in_channels);
    winograd->result_point = point_stride(winograd->tiles_at_once * c->out_channels);
    winograd->slot = WINOGRAD_POINTS * (winograd->image_point + winograd->result_point);
    /* The transform writes whole vectors: room behind the last. */
    winograd->padded_in = c->in_channels;
    winograd->weights_point = point_stride(c->in_channels * c->out_channels + plan->target->lanes);
    struct shape weights = {1, {WINOGRAD_POINTS * winograd->weights_point}};
    const char *name = arena_format(plan->arena, "%s_packed", kernel->name);
    c->packed =
        view_new(plan, buffer_new(plan, name, weights.size[0], false), 0, &weights, LAYOUT_PLAIN);
    winograd->scratch = scratch_new(plan, kernel, winograd->slot);
}

bool schedule_winograd_image(struct program_plan *plan, struct kernel *kernel) {
    struct convolution_kernel *c = &kernel->convolution;
    long lanes = plan->target->lanes, tile = winograd_tile(plan, &c->window, c->groups);
    if (plan->lanes != lanes || !c->weights || !plan_is_prepared(plan, c->weights) || !tile ||
        c->in_channels < lanes || c->out_channels < lanes)
        return false;
    struct winograd *winograd = ARENA_NEW(plan->arena, struct winograd);
    struct image_tiles *tiles = ARENA_NEW(plan->arena, struct image_tiles);
    winograd->tile = winograd->last = tile;
    for (int i = 0; i < 2; i++) {
        winograd->pad[i] = c->window.pad[i];
        winograd->tiles[i] = parts_of(c->out_size[i], tile);
    }
    double direct = (double)c->out_size[0] *
                    schedule_pixel_tile(plan, c, tiles, c->out_size[1],
                                        c->kernel_size[0] * c->kernel_size[1] * c->in_channels);
    choose_tiles(plan, c, winograd);
    if (direct < least_cycles || direct < least_gain * winograd_cycles(plan, c, tiles, winograd))
        return false;
    c->tile_channels = (int)c->out_channels; /* its weights are in one piece */
    kernel->units = plan->rows * parts_of(all_tiles(winograd), winograd->tiles_at_once);
    add_buffers(plan, kernel, winograd);
    c->plain = tiles;
    c->winograd = winograd;
    return true;
}
