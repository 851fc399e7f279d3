/* schedule_image.c: tiles of the convolutions of plain images. A tile holds some pixels of one row
 * and some vectors of output channels; the numbers under one row of the kernel are one stretch of
 * an image whose rows have their zeros beside them. */
#include "winograd.h"

static long larger(long a, long b) {
    return a > b ? a : b;
}

static bool tile_exists(const struct program_plan *plan, long pixels, long vectors, int lanes) {
    struct microkernel tile = {MICROKERNEL_PIXEL, (int)pixels, (int)vectors, lanes};
    return microkernel_in_library(&tile, plan->target);
}

/* Half cycles of a tile: products, at least their latency, and the loads, of which weights are the
 * dearer ones; then its start and end. */
static double tile_cost(long pixels, long vectors, long depth) {
    double once =
        (double)larger(pixels * vectors, 8) + 0.2 * (double)pixels + 0.5 * (double)vectors;
    return (double)depth * once + 1.5 * (double)(pixels * vectors) + 20;
}

/* False if a size that the even splits need is not in the library. */
static bool split_cost(const struct program_plan *plan, struct split pixels, struct split vectors,
                       int lanes, long depth, double *cost) {
    *cost = 0;
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++) {
            long count = (i ? pixels.big : pixels.small) * (j ? vectors.big : vectors.small);
            if (!count) continue;
            if (!tile_exists(plan, pixels.size + i, vectors.size + j, lanes)) return false;
            *cost += (double)count * tile_cost(pixels.size + i, vectors.size + j, depth);
        }
    return true;
}

double schedule_pixel_tile(const struct program_plan *plan, struct convolution_kernel *c,
                           struct image_tiles *tiles, long row, long depth) {
    enum { MOST = 16 };
    double best = -1, cost;
    tiles->lanes = plan->target->lanes;
    while (tiles->lanes > c->out_channels) tiles->lanes /= 2;
    long all = (c->out_channels + tiles->lanes - 1) / tiles->lanes;
    for (long p = 1; p <= MOST; p++)
        for (long v = 1; v <= MOST; v++) {
            struct split pixels = split_evenly(row, p), vectors = split_evenly(all, v);
            if (plan->target->even_tiles && (pixels.big || vectors.big)) continue;
            if (!split_cost(plan, pixels, vectors, tiles->lanes, depth, &cost)) continue;
            if (best >= 0 && cost >= best) continue;
            best = cost;
            c->tile_pixels = (int)(pixels.size + (pixels.big > 0));
            tiles->vectors = (int)(vectors.size + (vectors.big > 0));
        }
    return best / 2;
}

/* Zeros beside the image as far as the kernel reaches. */
static void choose_halo(struct program_plan *plan, const struct kernel *kernel,
                        struct image_tiles *tiles) {
    const struct convolution_kernel *c = &kernel->convolution;
    long reach = (c->out_size[1] - 1) * c->window.strides[1] +
                 (c->kernel_size[1] - 1) * c->window.dilation_rate[1] + 1;
    tiles->before = c->window.pad[1];
    tiles->after = larger(0, reach - c->window.pad[1] - c->in_size[1]);
    if (!tiles->before && !tiles->after) return;
    struct shape shape = c->image->shape;
    shape.size[2] += tiles->before + tiles->after;
    const char *name = arena_format(plan->arena, "%s_halo", kernel->name);
    tiles->halo = view_new(plan, buffer_new(plan, name, shape_elements(&shape), false), 0, &shape,
                           LAYOUT_PLAIN);
}

/* The weights of a tile of channels stay in the cache while the rows of the image pass; but where
 * they are, as part of rows of all channels, they would fall into few of its sets. Packed once for
 * all predictions they also come from memory as one stream (Emerald Rapids: 256 to 512 channels of
 * 7 x 7 in 1.0 ms instead of 1.7). */
static void choose_panels(struct program_plan *plan, const struct kernel *kernel,
                          struct convolution_kernel *c, struct image_tiles *tiles) {
    long taps = c->kernel_size[0] * c->kernel_size[1];
    long weights = taps * c->in_channels * c->out_channels, width = tiles->vectors * tiles->lanes;
    /* Without vectors memory is dearer than time. */
    if (tiles->lanes == 1 || c->groups > 1 || !plan_is_prepared(plan, c->weights) ||
        c->out_channels % tiles->lanes || c->out_channels <= width || c->out_size[0] < 2 ||
        weights * (long)sizeof(float) <= plan->target->l2 / 2)
        return;
    tiles->panel = width;
    struct split split = split_evenly(c->out_channels / tiles->lanes, tiles->vectors);
    struct shape shape = {1, {(split.big + split.small) * taps * c->in_channels * width}};
    const char *name = arena_format(plan->arena, "%s_packed", kernel->name);
    c->packed =
        view_new(plan, buffer_new(plan, name, shape.size[0], false), 0, &shape, LAYOUT_PLAIN);
}

/* Of the tiles of either size. */
static void add_panels(const struct convolution_kernel *c, struct copy_kernel *copy, long first,
                       long channel, long tiles, long width) {
    if (!tiles) return;
    const long panel = c->plain->panel, *size = c->kernel_size, tap = c->in_channels * panel;
    copy->parts[copy->part_count++] = (struct copy_part){
        .size = {tiles, size[0], size[1], c->in_channels, width},
        .to_stride = {size[0] * size[1] * tap, size[1] * tap, tap, panel, 1},
        .from_stride = {width * c->w_out, c->w_tap[0], c->w_tap[1], c->w_in, c->w_out},
        .to_offset = first * size[0] * size[1] * tap,
        .from_offset = channel * c->w_out};
}

void schedule_panels(struct program_plan *plan, const struct convolution_kernel *c,
                     struct copy_kernel *copy) {
    const struct image_tiles *tiles = c->plain;
    struct split split = split_evenly(c->out_channels / tiles->lanes, tiles->vectors);
    long lanes = tiles->lanes, big = (split.size + 1) * lanes;
    copy->parts = ARENA_ARRAY(plan->arena, struct copy_part, 2);
    add_panels(c, copy, 0, 0, split.big, big);
    add_panels(c, copy, split.big, split.big * big, split.small, split.size * lanes);
}

void schedule_image(struct program_plan *plan, struct kernel *kernel) {
    struct convolution_kernel *c = &kernel->convolution;
    struct image_tiles *tiles = ARENA_NEW(plan->arena, struct image_tiles);
    tiles->by_channel = !c->weights || (c->groups > 1 && c->in_channels * c->out_channels == 1);
    tiles->is_row_dense =
        c->window.dilation_rate[1] == 1 && c->groups == 1 &&
        (c->kernel_size[1] == 1 || c->in_channels == 1 || c->w_tap[1] == c->in_channels * c->w_in);
    c->plain = tiles;
    if (schedule_winograd_image(plan, kernel)) return;
    choose_halo(plan, kernel, tiles);
    kernel->units = plan->rows * c->out_size[0];
    if (!tiles->by_channel) {
        schedule_pixel_tile(plan, c, tiles, c->out_size[1],
                            c->kernel_size[0] * c->kernel_size[1] * c->in_channels);
        long all = (c->out_channels + tiles->lanes - 1) / tiles->lanes;
        kernel->units *= (all + tiles->vectors - 1) / tiles->vectors;
        choose_panels(plan, kernel, c, tiles);
    }
}

struct kernel *halo_kernel(struct program_plan *plan, const struct kernel *kernel) {
    const struct convolution_kernel *c = &kernel->convolution;
    struct kernel *halo = kernel_new(
        plan, KERNEL_HALO, arena_format(plan->arena, "%s_halo", kernel->name), kernel->tensor);
    halo->out = c->plain->halo;
    halo->owner = kernel;
    halo->units = plan->rows * c->in_size[0];
    return halo;
}
