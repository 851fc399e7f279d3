/* microkernel.h: the inner loops, as C text: one source with two ends.
 *
 * A microkernel is printed by this room and used in two ways. The cc dialect pastes its text in
 * front of a module as a `static inline` function: the driver's constants propagate into it. For
 * libtcc, which has no vectors, the same text is compiled when lathe is built, one set per target
 * (build/microkernels_<target>.c, printed by the build tool compiler/kernel/print_microkernels.c),
 * and the module calls it. The drivers around are the same C text in both dialects.
 *
 * `real` is float (double with --double). L = lanes of the target. Images are blocked by samples:
 * [batch / L][channels][height][width][L], so a pixel is a vector of L samples of one channel.
 * Distances (planes, steps) are in reals. Every pointer to a vector is aligned to its size, but for
 * matmul tiles, which read and write at any float.
 *
 * Signatures (T, P, O, I, R, V and L are part of the name):
 *
 *   void convolution_tile_TxP(const real *x, const real *w, const real *bias, real *y,
 *       const real *mask, const long *taps, long tap_count, long channels, long x_plane,
 *       long w_channel, long x_step, long y_step, long y_plane, long flags);
 *     T output channels x P pixels: for each c < channels, each tap k:
 *       acc[t][p] += w[c * w_channel + taps[2k+1] + t] * x[c * x_plane + taps[2k] + p * x_step]
 *     y[t * y_plane + p * y_step] = epilogue(acc). mask is addressed as y.
 *
 *   void point_tile_TxP(const real *x, const real *w, real *y, long channels, long x_plane,
 *       long y_plane, long is_first);
 *     T output channels x P tiles at one of Winograd's points: for each c < channels:
 *       acc[t][p] += w[c * T + t] * x[c * x_plane + p * L]
 *     y[t * y_plane + p * L] = acc, which starts at 0 if is_first, else at the stored y.
 *
 *   void row_tile_KxP(const real *x, const real *w, const real *bias, real *y,
 *       const real *mask, const long *taps, long tap_count, long rows, long outside,
 *       long w_tap, long x_row, long y_row, long flags);
 *     K taps of a kernel row, which read neighbors, x P pixels of one channel:
 *     for each row < rows, each kernel row r < tap_count:
 *       acc[p] += w[taps[2r+1] + k * w_tap] * x[row * x_row + taps[2r] + (p + k) * L]
 *     y[row * y_row + p * L] = epilogue(acc), which starts at the bias whatever the flags.
 *     It reads each pixel once for all K taps. `outside` says at which edges of the image, LEFT, RIGHT,
 *     ABOVE or BELOW, the first or last pixels (or rows) are: the K / 2 (tap_count / 2) pixels beyond
 *     are left out. With the flag AHEAD it asks for pixels of later rows.
 *
 *   void gradient_tile_OxI(const real *x, const real *g, real *acc, long rows, long columns,
 *       long x_row, long x_column, long x_plane, long g_row, long g_column, long g_plane);
 *     O output channels x I input channels of a weight gradient, over a rectangle of pixels:
 *       acc[(o * I + i) * L + lane] += g[o * g_plane + ...][lane] * x[i * x_plane + ...][lane]
 *
 *   void gradient_row_tile_RxK(const real *x, const real *g, real *acc, long rows, long columns,
 *       long x_row, long x_column, long g_row, long g_column, long border);
 *     The K taps of a kernel row of one channel, which read neighbors; each pixel is read once. R is 1
 *     or K, the rows of the kernel, which read rows of x one behind the other:
 *       acc[(r * K + k) * L + lane] += g[row * g_row + column * g_column ...][lane] *
 *           x[(row + r) * x_row + (column + k - border) * x_column ...]
 *     border is 0, or K / 2: then taps that reach out of a row of `columns` pixels are left out.
 *
 *   void matmul_tile_RxVxL(const real *a, const real *b, const real *bias, real *c,
 *       const real *mask, long depth, long a_row, long a_depth, long b_depth, long c_row,
 *       long last, long flags, const real *ahead, long ahead_step);
 *     R rows x V vectors of L columns, the last vector starting at column `last` (it may overlap the
 *     one before, so that any number of columns from L up needs no remainder):
 *       acc[r][v] += a[r * a_row + k * a_depth] * b[k * b_depth + column(v) ...]
 *     bias is indexed by column; mask is addressed as c. Unless ahead is NULL, the cache line at
 *     ahead + k * ahead_step, anywhere in memory or outside, is asked for with each k.
 *
 *   void pixel_tile_PxVxL(const real *a, const real *b, const real *bias, real *c, const long *taps,
 *       long tap_count, long depth, long a_row, long b_depth, long c_row, long last, long flags);
 *     P pixels x V vectors of L output channels of row-major images, the last vector as above: for
 *     each tap t, each k < depth (the channels of one pixel, or of the pixels side by side that a
 *     row of the kernel covers):
 *       acc[p][v] += a[taps[2t] + p * a_row + k] * b[taps[2t+1] + k * b_depth + column(v) ...]
 *     It starts at bias, always; no mask.
 *
 *   flags: MICROKERNEL_FIRST: acc starts at bias (or 0 where bias is NULL), else at the stored y;
 *          MICROKERNEL_RELU: y = max(acc, 0);  MICROKERNEL_MASK: y = mask > 0 ? acc : 0.
 *
 *   void strided_copy(real *to, const real *from, const long *size, const long *to_stride,
 *       const long *from_stride);                    five loops, innermost last
 *   void prefetch_planes(const real *x, long begin, long end, long step, long plane, long rows,
 *       long row, long count);
 *       brings `count` reals of each row of every step-th plane from begin to before end nearer
 *   real lane_sum_L(const real *x);                  the sum of L lanes in a fixed order
 *   void sum_blocks(real *to, const real *from, long blocks, long count);
 *       to[i] = from[i] + from[count + i] + ..., in this order
 *   void sum_halves(real *to, const real *from, const real *bias, long rows, long count,
 *       long columns, long relu);
 *       `count` columns of to[rows][columns] = from[0] + from[1] + bias, and relu
 *   void gradient_store(real *to, const real *sums, long outs, long ins, long to_out, long to_in);
 *       to[o * to_out + i * to_in] = the sum of the lanes of gradient_tile's acc[o][i]
 *
 *   void max_pool_plane(const real *x, real *y, long height, long width, long out_height,
 *       long out_width, long kernel_height, long kernel_width, long stride_y, long stride_x,
 *       long pad_y, long pad_x);                     one plane [height][width][L]
 *   void max_pool_gradient_plane(const real *x, const real *y, const real *dy, real *dx, ...,
 *       long mask);                                  the same geometry; mask: 0 where y <= 0
 *
 * and, for maps in the tcc dialect, vector operations on contiguous strips of n reals; an operand
 * with step 0 is one number, with step 1 a strip:
 *   void vector_add(real *to, const real *a, long a_step, const real *b, long b_step, long n);
 *   (add subtract multiply divide maximum minimum power less less_equal equal)
 *   void vector_exp(real *to, const real *a, long a_step, long n);
 *   (negate absolute exp log sqrt tanh erf sin cos floor is_negative_zero copy)
 *   void vector_select(real *to, const real *c, long c_step, const real *a, long a_step,
 *       const real *b, long b_step, long n);
 *   void vector_multiply_add(real *to, const real *a, long a_step, const real *b, long b_step,
 *       const real *c, long c_step, long n);                  and the other chains below
 *   void vector_random(real *to, unsigned key, unsigned first, long element_step, long n);
 *       to[i] = random number of element first + i * element_step (see tensor/expression.h)
 *   void vector_index(real *to, long first, long step, long n);
 *   void vector_accumulate(real *to, const real *a, long a_step, long n);  to[i] += a[i]
 *   void vector_accumulate_maximum(real *to, const real *a, long a_step, long n);
 *   void vector_sum_begin(real *sum);       void vector_maximum_begin(real *top);
 *   real vector_sum_end(const real *sum);   real vector_maximum_end(const real *top);
 *       sixteen partial sums (maxima) before and after the functions that follow
 *   void vector_sum_into(real *sum, const real *a, long n);       sum[i % 16] += a[i]
 *   void vector_maximum_into(real *top, const real *a, long n);   the same with the maximum
 *   real vector_sum_of(const real *a, long n), vector_maximum_of: begin, into and end in one
 *
 * and on strips of n reals that are rows of `row` reals one after the other:
 *   void vector_random_rows(real *to, unsigned key, unsigned first, long element_step, long row,
 *                           long row_step, long n);
 *   void vector_index_rows(real *to, long first, long step, long row, long row_step, long n);
 *       as above; the first positions of two rows are row_step apart
 *   void vector_repeat_row(real *to, const real *a, long row, long n);     to[i] = a[i % row]
 *   void vector_repeat_each(real *to, const real *a, long a_step, long row, long n);
 *       to[i] = a[i / row * a_step]
 *   void vector_row_sums(real *to, const real *a, long row, long n);
 *   void vector_row_maxima(real *to, const real *a, long row, long n);
 *       to[r] = vector_sum_of (vector_maximum_of) row r
 *   void vector_accumulate_rows(real *to, const real *a, long row, long n);
 *   void vector_accumulate_maximum_rows(real *to, const real *a, long row, long n);
 *       vector_accumulate(to, row r) for all rows in order
 */
#ifndef LATHE_MICROKERNEL_H
#define LATHE_MICROKERNEL_H

#include "../base/text.h"
#include "../tensor/expression.h"
#include "target.h"

#include <stdbool.h>

enum { MICROKERNEL_FIRST = 1, MICROKERNEL_RELU = 2, MICROKERNEL_MASK = 4 };

/* Of a row tile's flags: images come from memory. */
enum { MICROKERNEL_AHEAD = 8 };

/* `outside` of a row tile. */
enum {
    MICROKERNEL_LEFT = 1,
    MICROKERNEL_RIGHT = 2,
    MICROKERNEL_ABOVE = 4,
    MICROKERNEL_BELOW = 8
};

enum microkernel_kind {
    MICROKERNEL_CONVOLUTION, /* a = T, b = P */
    MICROKERNEL_POINT,       /* a = T, b = P */
    MICROKERNEL_ROW,         /* a = K, b = P */
    MICROKERNEL_GRADIENT,    /* a = O, b = I */
    MICROKERNEL_GRADIENT_ROW, /* a = R, b = K */
    MICROKERNEL_MATMUL,      /* a = R, b = V */
    MICROKERNEL_PIXEL        /* a = P, b = V */
};

struct microkernel {
    enum microkernel_kind kind;
    int a, b;  /* the register tile */
    int lanes; /* of the vectors; for MATMUL and PIXEL a divisor of the target's lanes is allowed */
};

/** Appends the name: "convolution_tile_6x4", "matmul_tile_6x4x16". */
void microkernel_name(struct text *text, const struct microkernel *kernel);

/** Appends the text that must precede any microkernel: real, the vector types and helpers, under
 * `#if` with a scalar fallback for compilers without vector extensions. `#define LATHE_DOUBLE` before
 * it makes real double (and all code scalar). It defines two qualifiers that warn nowhere:
 * LATHE_INLINE (static, always inlined) and LATHE_FUNCTION (static). */
void microkernel_prelude(struct text *text, const struct target *target);

/** Appends the definition; `qualifiers` stand in front ("static inline", or "" in the library). The
 * scalar fallback is in the text, so that it compiles as strict C99 everywhere. */
void microkernel_print(struct text *text, const struct microkernel *kernel,
                       const struct target *target, const char *qualifiers);

/** Appends strided_copy, lane_sum_L and the scalar functions that maps use in the cc dialect:
 * `real real_exp(real)`, real_log, real_tanh, real_erf, real_pow, real_random_once(key, element), and
 * `unsigned real_random_bits(key, element)`, the first 24 of which are the number: branch free, so
 * that the compiler vectorizes loops over them (with qualifiers LATHE_INLINE: GCC leaves a loop scalar
 * when it does not inline); the library's vector_* use the same. */
void microkernel_print_helpers(struct text *text, const struct target *target,
                               const char *qualifiers);

/** The same over mathematics of its own instead of math.h: the functions own_exp, own_sqrtf, ... come
 * first. Standalone sources only. */
void microkernel_print_helpers_without_libm(struct text *text, const struct target *target,
                                            const char *qualifiers);

/** Appends the functions on row-major images, their channels in vectors of so many lanes or less
 * (microkernel_image.c): max_pool_row, window_sum_row, halo_rows. */
void microkernel_print_image(struct text *text, int lanes, const char *qualifiers);

/** Appends max_pool_plane and max_pool_gradient_plane for planes of so many lanes. */
void microkernel_print_pool(struct text *text, int lanes, const char *qualifiers);

/** Appends a function of Winograd's convolution (microkernel_winograd.c): winograd_image, _result,
 * _weights, _gradient, _weight_gradient, and _products_OxI for O output x I input channels, up to the
 * target's gradient tile. False if there is none of this name. */
bool microkernel_print_winograd(struct text *text, const char *name, int lanes,
                                const char *qualifiers);

/** The name of a transform, "winograd_image", for so many taps along an axis and where the last tile
 * of both axes has so many results: "winograd_image_last2". */
const char *winograd_transform_name(struct arena *arena, const char *transform, long taps,
                                    long last);

/** Appends the prototype of one of them. */
bool microkernel_print_winograd_prototype(struct text *text, const char *name);

/** The name of the type of all tiles of a kind: "convolution_tile". */
const char *microkernel_type(enum microkernel_kind kind);

/** Appends `typedef void convolution_tile(...);`: that type. */
void microkernel_print_type(struct text *text, enum microkernel_kind kind);

/** Appends the prototype only, behind the type of its kind, for the tcc dialect. */
void microkernel_print_prototype(struct text *text, const struct microkernel *kernel);

/** True if the library for tcc holds this kernel for the target. The schedule asks it, so that both
 * dialects run the same tiles. */
bool microkernel_in_library(const struct microkernel *kernel, const struct target *target);

/** The vector operation that computes an operator ("vector_add"), or NULL: INDEX has parameters of
 * its own. (vector_name.c) */
const char *microkernel_vector_name(enum expression_operator op);

/** An operation on strips that computes several operators at once. The pattern is what it computes
 * in prefix notation: + - * / < = with two inputs, r the square root, ? the selection, a, b, c ... the
 * operands in the order of the parameters: "+*abc" is a * b + c. Where it has several results, their
 * patterns are separated by ';' and may read the ones before as A, B, ...: the functions get as many
 * `real *to`. Each operator rounds. (microkernel_chain.c) */
struct microkernel_chain {
    const char *name, *pattern;
    const char *numbers; /* operands that are numbers in a faster form of their own, or NULL */
};
enum { MICROKERNEL_CHAIN_OPERANDS = 11, MICROKERNEL_CHAIN_RESULTS = 3 };

/** Is it the letter of an operand in a pattern? */
bool microkernel_is_operand(char letter);

/** All chains, the ones to prefer first; ends with a NULL name. */
const struct microkernel_chain *microkernel_chains(void);

/** Appends the prototype of the chain of this name; false if there is none. */
bool microkernel_print_chain_prototype(struct text *text, const char *name);

/* "measure_multiply_add": works in registers only, `rounds` times; out[0] and out[1] are factor and
 * term, what follows (a vector) gets the sum. Returns the number of floating-point operations. */
typedef double measure_multiply_add_function(float *out, long rounds);
/* "measure_triad": a = b + 3 c. Returns the number of bytes read and written. */
typedef double measure_triad_function(float *a, const float *b, const float *c, long count);

/** Address of a library function for the target ("convolution_tile_6x4", "vector_exp", ...), or NULL. */
typedef void microkernel_function(void);
microkernel_function *microkernel_symbol(const struct target *target, const char *name);

#endif
