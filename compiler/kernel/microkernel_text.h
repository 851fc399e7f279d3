/* microkernel_text.h: the parts of a microkernel's text, shared by the files of this room. */
#ifndef LATHE_MICROKERNEL_TEXT_H
#define LATHE_MICROKERNEL_TEXT_H

#include "microkernel.h"

/** The definitions, one file a kind: `#ifdef LATHE_VECTORS` text with named accumulators, `#else`
 * plain loops over the lanes. */
void microkernel_print_convolution(struct text *text, const struct microkernel *kernel,
                                   const char *qualifiers);
void microkernel_print_point(struct text *text, const struct microkernel *kernel,
                             const char *qualifiers);
void microkernel_print_row(struct text *text, const struct microkernel *kernel,
                           const struct target *target, const char *qualifiers);
void microkernel_print_gradient(struct text *text, const struct microkernel *kernel,
                                const char *qualifiers);
void microkernel_print_gradient_row(struct text *text, const struct microkernel *kernel,
                                    const char *qualifiers);
void microkernel_print_matmul(struct text *text, const struct microkernel *kernel,
                              const char *qualifiers);

void microkernel_print_pixel(struct text *text, const struct microkernel *kernel,
                             const char *qualifiers);

/** The function's head, `void name(parameters)`, without what follows. */
void microkernel_print_head(struct text *text, const struct microkernel *kernel);

/** Declares the accumulators a0_0 ... of a tile, a line per row: `    vector16 a0_0, a0_1;` */
void microkernel_print_accumulators(struct text *text, const struct microkernel *kernel);

/** Declares a vector read from memory, `const vector16 x1 = *(const memory16 *)(address);`, kept in
 * a register when it is used more than once. */
void microkernel_print_load(struct text *text, int lanes, const char *name, const char *address,
                            int uses);

/** Appends what ends a tile's plain loops over channels and pixels: relu, mask and store of `sum`
 * (microkernel_convolution.c). */
void microkernel_close_plain(struct text *text, int lanes);

/** Appends `acc = condition > 0 ? acc : 0` for a vector; condition may be the accumulator. */
void microkernel_print_select(struct text *text, int lanes, const char *accumulator,
                              const char *condition);

/** Appends strided_transpose (microkernel_transpose.c). */
void microkernel_print_transpose(struct text *text, const struct target *target,
                                 const char *qualifiers);

/** Appends lane_sum_L and gradient_store (microkernel_lane_sum.c). */
void microkernel_print_lane_sum(struct text *text, int lanes, const char *qualifiers);

/** Appends sums of the lanes of the vectors named in s, of which there are so many as lanes, in
 * lane_sum's order, halves of two vectors at a time. NULL is a vector of zeros; all from one on are
 * NULL then. s[0] becomes the name of the vector whose lane i is the sum of vector i. */
void microkernel_print_lane_sums(struct text *text, const char *s[], int lanes);

/** Appends the scalar mathematics: real_exp, real_log, ... (microkernel_math.c).
 * library: the prefix of the functions of math.h, "" or "own_". */
void microkernel_print_math(struct text *text, const char *qualifiers, const char *library);

/** Appends own_exp, own_sqrtf, ...: what the above needs of math.h (microkernel_own_math.c). */
void microkernel_print_own_math(struct text *text);

/** Appends the library's operations on strips, vector_add ... (microkernel_strips.c). */
void microkernel_print_strips(struct text *text);

/** Appends the library's operations on rows, after its strips (microkernel_rows.c). */
void microkernel_print_rows(struct text *text);

/** Appends the library's chains of operations, after its strips (microkernel_chain.c). */
void microkernel_print_chains(struct text *text);

/** Appends what measures the processor: measure_multiply_add and measure_triad
 * (microkernel_measure.c). */
void microkernel_print_measure(struct text *text, const struct target *target);

/** Calls visit with the name of each library function other than the tiles and lane_sum. */
void microkernel_each_function(void (*visit)(void *context, const char *name), void *context,
                               struct arena *arena);

/** Appends a weight gradient's products at one of Winograd's points, or its prototype, if the name is
 * that of such a function (microkernel_winograd_products.c); else returns false. */
bool microkernel_print_winograd_products(struct text *text, const char *name, int lanes,
                                         const char *qualifiers);
bool microkernel_print_winograd_products_prototype(struct text *text, const char *name);

/** Calls visit with the name of each function of microkernel_winograd.c. */
void microkernel_each_winograd(const struct target *target,
                               void (*visit)(void *context, const char *name), void *context,
                               struct arena *arena);

/** Appends the library's operations on rows of windows (microkernel_window.c). */
void microkernel_print_windows(struct text *text, int lanes, const char *qualifiers);

/** A text with the number of lanes in place of each '$'. */
const char *microkernel_with_lanes(struct arena *arena, const char *source, int lanes);

/** Appends a text with the qualifiers in place of each '@'. */
void microkernel_put(struct text *text, const char *source, const char *qualifiers);

/** Calls visit for each tile that the library holds for the target. */
void microkernel_each(const struct target *target,
                      void (*visit)(void *context, const struct microkernel *kernel),
                      void *context);

#endif
