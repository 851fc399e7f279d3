/* generic.c: kernels for any shape: textbook loops, and im2col with OpenBLAS. */
#include "generic.h"
#include "blas.h"

#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

/* im2col unrolls as many samples at once as fit: large products, and a buffer that caches hold. */
enum { UNROLLED_FLOATS = 1 << 18 };

static long smaller(long a, long b) {
    return a < b ? a : b;
}

static long larger(long a, long b) {
    return a > b ? a : b;
}

static void product_naive(long m, long n, long depth, const float *a, long a_row, long a_depth,
                          const float *b, long b_depth, long b_column, float *c, long c_row,
                          long accumulate) {
    for (long i = 0; i < m; i++)
        for (long j = 0; j < n; j++) {
            float sum = accumulate ? c[i * c_row + j] : 0.0f;
            for (long k = 0; k < depth; k++)
                sum += a[i * a_row + k * a_depth] * b[k * b_depth + j * b_column];
            c[i * c_row + j] = sum;
        }
}

/* How BLAS sees a strided matrix of rows x columns: 1 as it is, 2 transposed, 0 not at all. */
static int blas_form(long rows, long columns, long row, long column, long *leading) {
    if ((column == 1 || columns == 1) && (row >= columns || rows == 1)) {
        *leading = rows == 1 ? larger(columns, 1) : row;
        return *leading <= INT_MAX ? 1 : 0;
    }
    if ((row == 1 || rows == 1) && (column >= rows || columns == 1)) {
        *leading = columns == 1 ? larger(rows, 1) : column;
        return *leading <= INT_MAX ? 2 : 0;
    }
    return 0;
}

void lathe_sgemm(long m, long n, long depth, const float *a, long a_row, long a_depth,
                 const float *b, long b_depth, long b_column, float *c, long c_row,
                 long accumulate) {
    long lda, ldb, ldc = m == 1 ? larger(c_row, n) : c_row;
    int a_form = blas_form(m, depth, a_row, a_depth, &lda);
    int b_form = blas_form(depth, n, b_depth, b_column, &ldb);
    if (m <= 0 || n <= 0) return;
    bool fits = depth > 0 && a_form && b_form && ldc >= n &&
                larger(larger(m, n), larger(depth, ldc)) <= INT_MAX;
    if (fits && blas_sgemm(a_form == 2, b_form == 2, (int)m, (int)n, (int)depth, a, (int)lda, b,
                           (int)ldb, accumulate ? 1.0f : 0.0f, c, (int)ldc))
        return;
    product_naive(m, n, depth, a, a_row, a_depth, b, b_depth, b_column, c, c_row, accumulate);
}

void generic_product(enum generic_method method, long m, long n, long depth, const float *a,
                     long a_row, long a_depth, const float *b, long b_depth, long b_column,
                     float *c, long c_row, long accumulate) {
    if (method == GENERIC_OPENBLAS)
        lathe_sgemm(m, n, depth, a, a_row, a_depth, b, b_depth, b_column, c, c_row, accumulate);
    else
        product_naive(m, n, depth, a, a_row, a_depth, b, b_depth, b_column, c, c_row, accumulate);
}

/* Textbook convolution. */

/* What the three convolution loops do at one point: out (n, oh, ow, f), tap (i, j, c). */
enum convolution_role { FORWARD, BACKWARD_DATA, BACKWARD_WEIGHTS };

/* Calls the innermost loop, over the channels of filter f's group, for every tap inside. */
static inline void convolve_naive(enum convolution_role role, const struct generic_convolution *c,
                                  long begin, long end, const float *x, const float *w,
                                  const float *dy, float *out) {
    const struct generic_window *v = &c->window;
    long depth = c->channels / c->groups, group_filters = c->filters / c->groups;
    for (long n = begin; n < end; n++)
        for (long oh = 0; oh < c->out_height; oh++)
            for (long ow = 0; ow < c->out_width; ow++)
                for (long f = 0; f < c->filters; f++) {
                    long y = ((n * c->out_height + oh) * c->out_width + ow) * c->filters + f;
                    float sum = 0.0f;
                    for (long i = 0; i < v->kernel_size[0]; i++)
                        for (long j = 0; j < v->kernel_size[1]; j++) {
                            long ih = oh * v->strides[0] + i * v->dilation_rate[0] - v->pad[0];
                            long iw = ow * v->strides[1] + j * v->dilation_rate[1] - v->pad[1];
                            if (ih < 0 || ih >= c->height || iw < 0 || iw >= c->width) continue;
                            long at = ((n * c->height + ih) * c->width + iw) * c->channels +
                                      f / group_filters * depth;
                            long tap = (i * v->kernel_size[1] + j) * depth * c->filters + f;
                            for (long k = 0; k < depth; k++, tap += c->filters) {
                                if (role == FORWARD) sum += x[at + k] * w[tap];
                                if (role == BACKWARD_DATA) out[at + k] += dy[y] * w[tap];
                                if (role == BACKWARD_WEIGHTS) out[tap] += dy[y] * x[at + k];
                            }
                        }
                    if (role == FORWARD) out[y] = sum;
                }
}

/* Convolution as a matrix product over unrolled windows. */

static long window_depth(const struct generic_convolution *c) {
    return c->window.kernel_size[0] * c->window.kernel_size[1] * (c->channels / c->groups);
}

static long samples_at_once(const struct generic_convolution *c) {
    long one = c->out_height * c->out_width * window_depth(c);
    return larger(1, smaller(c->batch, UNROLLED_FLOATS / larger(one, 1)));
}

/* A 1x1 convolution at stride 1 needs no unrolling: the image is the matrix. */
static int is_product(const struct generic_convolution *c) {
    const struct generic_window *v = &c->window;
    return v->kernel_size[0] * v->kernel_size[1] == 1 && v->strides[0] * v->strides[1] == 1 &&
           v->pad[0] == 0 && v->pad[1] == 0 && c->height == c->out_height &&
           c->width == c->out_width;
}

long generic_convolution_scratch(enum generic_method method, const struct generic_convolution *c) {
    if (method == GENERIC_NAIVE || is_product(c)) return 0;
    return samples_at_once(c) * c->out_height * c->out_width * window_depth(c);
}

/* rows[pixel][tap][channel of the group] = x there, or zero outside; `add` goes back: x += rows. */
static void unroll(const struct generic_convolution *c, long begin, long end, long group, float *x,
                   float *rows, int add) {
    const struct generic_window *v = &c->window;
    long depth = c->channels / c->groups;
    for (long n = begin; n < end; n++)
        for (long oh = 0; oh < c->out_height; oh++)
            for (long ow = 0; ow < c->out_width; ow++)
                for (long i = 0; i < v->kernel_size[0]; i++)
                    for (long j = 0; j < v->kernel_size[1]; j++, rows += depth) {
                        long ih = oh * v->strides[0] + i * v->dilation_rate[0] - v->pad[0];
                        long iw = ow * v->strides[1] + j * v->dilation_rate[1] - v->pad[1];
                        int inside = ih >= 0 && ih < c->height && iw >= 0 && iw < c->width;
                        float *at = !inside
                                        ? NULL
                                        : x + ((n * c->height + ih) * c->width + iw) * c->channels +
                                              group * depth;
                        if (add)
                            for (long k = 0; inside && k < depth; k++) at[k] += rows[k];
                        else if (inside)
                            for (long k = 0; k < depth; k++) rows[k] = at[k];
                        else
                            memset(rows, 0, sizeof *rows * (size_t)depth);
                    }
}

static void convolve_unrolled(enum convolution_role role, const struct generic_convolution *c,
                              long begin, long end, float *x, float *w, float *y, float *scratch) {
    long depth = window_depth(c), filters = c->filters / c->groups, step = samples_at_once(c);
    long pixels = c->out_height * c->out_width, channels = c->channels / c->groups;
    int product = is_product(c);
    for (long n = begin; n < end; n += step) {
        long last = smaller(n + step, end), rows = (last - n) * pixels;
        for (long group = 0; group < c->groups; group++) {
            float *matrix = product ? x + n * pixels * c->channels + group * channels : scratch;
            long row = product ? c->channels : depth;
            float *kernel = w + group * filters,
                  *out = y + n * pixels * c->filters + group * filters;
            if (!product && role != BACKWARD_DATA) unroll(c, n, last, group, x, scratch, 0);
            if (role == FORWARD)
                lathe_sgemm(rows, filters, depth, matrix, row, 1, kernel, c->filters, 1, out,
                            c->filters, 0);
            if (role == BACKWARD_DATA)
                lathe_sgemm(rows, depth, filters, out, c->filters, 1, kernel, 1, c->filters, matrix,
                            row, 0);
            if (role == BACKWARD_WEIGHTS)
                lathe_sgemm(depth, filters, rows, matrix, 1, row, out, c->filters, 1, kernel,
                            c->filters, 1);
            if (!product && role == BACKWARD_DATA) unroll(c, n, last, group, x, scratch, 1);
        }
    }
}

void generic_convolution_forward(enum generic_method method, const struct generic_convolution *c,
                                 long begin, long end, const float *x, const float *w, float *y,
                                 float *scratch) {
    if (method == GENERIC_NAIVE)
        convolve_naive(FORWARD, c, begin, end, x, w, NULL, y);
    else
        convolve_unrolled(FORWARD, c, begin, end, (float *)x, (float *)w, y, scratch);
}

void generic_convolution_backward_data(enum generic_method method,
                                       const struct generic_convolution *c, long begin, long end,
                                       const float *w, const float *dy, float *dx, float *scratch) {
    long sample = c->height * c->width * c->channels;
    memset(dx + begin * sample, 0, sizeof *dx * (size_t)((end - begin) * sample));
    if (method == GENERIC_NAIVE)
        convolve_naive(BACKWARD_DATA, c, begin, end, NULL, w, dy, dx);
    else
        convolve_unrolled(BACKWARD_DATA, c, begin, end, dx, (float *)w, (float *)dy, scratch);
}

void generic_convolution_backward_weights(enum generic_method method,
                                          const struct generic_convolution *c, long begin, long end,
                                          const float *x, const float *dy, float *dw,
                                          float *scratch) {
    if (method == GENERIC_NAIVE)
        convolve_naive(BACKWARD_WEIGHTS, c, begin, end, x, NULL, dy, dw);
    else
        convolve_unrolled(BACKWARD_WEIGHTS, c, begin, end, (float *)x, dw, (float *)dy, scratch);
}

/* Max pooling. */

/* The input element that tap (i, j) of output pixel (oh, ow) of sample n reads; -1 outside. */
static long pool_tap(const struct generic_pool *p, long n, long oh, long ow, long i, long j) {
    const struct generic_window *v = &p->window;
    long ih = oh * v->strides[0] + i * v->dilation_rate[0] - v->pad[0];
    long iw = ow * v->strides[1] + j * v->dilation_rate[1] - v->pad[1];
    if (ih < 0 || ih >= p->height || iw < 0 || iw >= p->width) return -1;
    return ((n * p->height + ih) * p->width + iw) * p->channels;
}

void generic_max_pool_forward(const struct generic_pool *p, long begin, long end, const float *x,
                              float *y) {
    y += begin * p->out_height * p->out_width * p->channels;
    for (long n = begin; n < end; n++)
        for (long oh = 0; oh < p->out_height; oh++)
            for (long ow = 0; ow < p->out_width; ow++, y += p->channels) {
                for (long k = 0; k < p->channels; k++) y[k] = -INFINITY;
                for (long i = 0; i < p->window.kernel_size[0]; i++)
                    for (long j = 0; j < p->window.kernel_size[1]; j++) {
                        long at = pool_tap(p, n, oh, ow, i, j);
                        for (long k = 0; at >= 0 && k < p->channels; k++)
                            if (x[at + k] > y[k]) y[k] = x[at + k];
                    }
            }
}

void generic_max_pool_gather(const struct generic_pool *p, long begin, long end, const float *x,
                             const float *v, float *to) {
    long out = begin * p->out_height * p->out_width * p->channels;
    for (long n = begin; n < end; n++)
        for (long oh = 0; oh < p->out_height; oh++)
            for (long ow = 0; ow < p->out_width; ow++)
                for (long k = 0; k < p->channels; k++, out++) {
                    long best = -1;
                    for (long i = 0; i < p->window.kernel_size[0]; i++)
                        for (long j = 0; j < p->window.kernel_size[1]; j++) {
                            long at = pool_tap(p, n, oh, ow, i, j);
                            if (at >= 0 && (best < 0 || x[at + k] > x[best])) best = at + k;
                        }
                    to[out] = best < 0 ? 0 : v[best];
                }
}

void generic_max_pool_backward(const struct generic_pool *p, long begin, long end, const float *x,
                               const float *y, const float *dy, float *dx) {
    long sample = p->height * p->width * p->channels;
    memset(dx + begin * sample, 0, sizeof *dx * (size_t)((end - begin) * sample));
    long taps = p->window.kernel_size[0] * p->window.kernel_size[1];
    long width = p->window.kernel_size[1];
    long out = begin * p->out_height * p->out_width * p->channels;
    for (long n = begin; n < end; n++)
        for (long oh = 0; oh < p->out_height; oh++)
            for (long ow = 0; ow < p->out_width; ow++)
                for (long k = 0; k < p->channels; k++, out++)
                    for (long t = 0; t < taps; t++) {
                        long at = pool_tap(p, n, oh, ow, t / width, t % width);
                        if (at < 0 || x[at + k] != y[out]) continue;
                        dx[at + k] += dy[out];
                        break;
                    }
}
