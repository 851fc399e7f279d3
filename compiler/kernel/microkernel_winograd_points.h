/* microkernel_winograd_points.h: the text of Winograd's transforms along one axis: between pixels,
 * results or weights and their values at six points, 0, +-a, +-b and infinity. F(4x4, 3x3),
 * F(3x3, 4x4) and F(2x2, 5x5) share the points, and with them the transform of images.
 *
 *   result = A' [(G weights G') * (B' image B)] A       gradient of weights = G' [...] G
 *
 * Where an axis ends with a tile of fewer results, that tile is taken to as many points fewer, the
 * first ones and infinity. Weights at a point are the same for all tiles: that interpolation through
 * fewer points divides by other numbers is made up for in the image's transform.
 *
 * A compiler may fuse any product with a sum. That it has no choice, whatever the function is
 * inlined into, no sum has two products: what all terms have in common is left to the end of both
 * dimensions (the scales).
 *
 * in[]: C expressions; out[]: names that the text declares. */
#ifndef LATHE_MICROKERNEL_WINOGRAD_POINTS_H
#define LATHE_MICROKERNEL_WINOGRAD_POINTS_H

#include "microkernel_text.h"

enum { POINTS = 6, MOST_TILE = 4, FEWEST_TAPS = 3, MOST_TAPS = 5 }; /* along an axis */

/* How one value is written: a vector over the lanes, or the number of one lane. */
struct winograd_form {
    struct text *text;
    int lanes;
    bool is_vector;
    bool is_plain;  /* lanes are channels of a row-major image, else samples */
    int taps, tile; /* along an axis */
    int last;       /* results of an axis's last tile */
    char type[16];
    const char *indent;
};

#define NAME(...) arena_format(f->text->arena, __VA_ARGS__)

/** What the lanes at an address are: "*(const memory16 *)(x + 16)", or "(x + 16)[lane]". */
const char *winograd_read(const struct winograd_form *f, const char *address);

/** A line that stores them. */
void winograd_store(const struct winograd_form *f, const char *address, const char *value);

/** Opens a block for all lanes at once, or the loop over them, four columns left of the indent. */
void winograd_open_lanes(const struct winograd_form *f);

/** "t0_2", "t1_2", ... of a column, or "t2_0", "t2_1", ... of a row. */
void winograd_column_names(const struct winograd_form *f, const char *names[], const char *prefix,
                           int count, int column);
void winograd_row_names(const struct winograd_form *f, const char *names[], const char *prefix,
                        int count, int row);

/** "const vector16 NAME = VALUE;" */
void winograd_declare(const struct winograd_form *f, const char *name, const char *value);

/** Points, and pixels, of a tile of so many results. */
int winograd_point_count(const struct winograd_form *f, int results);

/** Whether such a tile has the point of index i, from 0 to POINTS - 1. */
bool winograd_has_point(const struct winograd_form *f, int results, int i);

/** B': pixels to the points that a tile of so many results has. */
void winograd_image_points(const struct winograd_form *f, int results, const char *const in[],
                           const char *const out[]);

/** A': its points to results; result k is to be multiplied by winograd_result_scale(k). */
void winograd_result_pixels(const struct winograd_form *f, int results, const char *const in[],
                            const char *const out[]);
double winograd_result_scale(int k);

/** A: the gradient of its results to its points. */
void winograd_gradient_points(const struct winograd_form *f, int results, const char *const in[],
                              const char *const out[]);

/** G: weights to points; point k is to be multiplied by winograd_weight_scale(k). */
void winograd_weight_points(const struct winograd_form *f, int results, const char *const in[],
                            const char *const out[]);
double winograd_weight_scale(int k);

/** G': points to the gradient of weights; tap k is to be multiplied by winograd_gradient_scale(f,
 * k). */
void winograd_weight_gradients(const struct winograd_form *f, const char *const in[],
                               const char *const out[]);
double winograd_gradient_scale(const struct winograd_form *f, int k);

/** The bodies of winograd_weights, winograd_weight_gradient and winograd_weight_sums
 * (microkernel_winograd_weights.c). */
void winograd_print_weights(struct winograd_form *f);
void winograd_print_weight_gradient(struct winograd_form *f);
void winograd_print_weight_sums(struct winograd_form *f);

#endif
