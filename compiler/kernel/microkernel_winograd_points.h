/* microkernel_winograd_points.h: the text of Winograd's transforms along one axis: between pixels,
 * results or weights and their values at six points, 0, +-a, +-b and infinity. F(4x4, 3x3) and
 * F(2x2, 5x5) share the points, and with them the transform of images.
 *
 *   result = A' [(G weights G') * (B' image B)] A       gradient of weights = G' [...] G
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
    char type[16];
    const char *indent;
};

/** "const vector16 NAME = VALUE;" */
void winograd_declare(const struct winograd_form *f, const char *name, const char *value);

/** B': pixels to points. */
void winograd_image_points(const struct winograd_form *f, const char *const in[],
                           const char *const out[]);

/** A': points to results; result k is to be multiplied by winograd_result_scale(k). */
void winograd_result_pixels(const struct winograd_form *f, const char *const in[],
                            const char *const out[]);
double winograd_result_scale(int k);

/** A: the gradient of results to points. */
void winograd_gradient_points(const struct winograd_form *f, const char *const in[],
                              const char *const out[]);

/** G: weights to points; point k is to be multiplied by winograd_weight_scale(k). */
void winograd_weight_points(const struct winograd_form *f, const char *const in[],
                            const char *const out[]);
double winograd_weight_scale(int k);

/** G': points to the gradient of weights; tap k is to be multiplied by winograd_gradient_scale(f,
 * k). */
void winograd_weight_gradients(const struct winograd_form *f, const char *const in[],
                               const char *const out[]);
double winograd_gradient_scale(const struct winograd_form *f, int k);

#endif
