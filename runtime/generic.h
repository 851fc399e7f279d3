/* generic.h: kernels for any shape, in two methods: textbook loops, and OpenBLAS (convolutions
 * through im2col). They are the baseline of `lathe bench`, a reference in tests, and lathe_sgemm is
 * what generated code calls for large matrix products.
 *
 * Images are [batch, height, width, channels], convolution kernels [kernel height, kernel width,
 * channels / groups, filters], dense kernels [depth, units]. A function with a range [begin, end)
 * treats these samples only, so that a caller may split a batch over threads. */
#ifndef LATHE_GENERIC_H
#define LATHE_GENERIC_H

enum generic_method { GENERIC_NAIVE, GENERIC_OPENBLAS };

/* Output pixel o, tap k reads input pixel o * strides + k * dilation_rate - pad; outside is zero
 * (for max pooling: not looked at). Pairs are { height, width }. */
struct generic_window {
    long kernel_size[2], strides[2], dilation_rate[2], pad[2];
};

struct generic_convolution {
    long batch, height, width, channels; /* of the input */
    long out_height, out_width, filters; /* of the output */
    long groups;                         /* divides channels and filters */
    struct generic_window window;
};

struct generic_pool {
    long batch, height, width, channels;
    long out_height, out_width;
    struct generic_window window;
};

/** c[i * c_row + j] (+)= sum over k of a[i * a_row + k * a_depth] * b[k * b_depth + j * b_column]
 * for i < m, j < n, k < depth, by OpenBLAS on the calling thread; adds to c if accumulate, else
 * overwrites it. May be called from several threads at once. Modules that jit makes call it. */
void lathe_sgemm(long m, long n, long depth, const float *a, long a_row, long a_depth,
                 const float *b, long b_depth, long b_column, float *c, long c_row,
                 long accumulate);

/** The same by textbook loops, or by OpenBLAS. */
void generic_product(enum generic_method method, long m, long n, long depth, const float *a,
                     long a_row, long a_depth, const float *b, long b_depth, long b_column,
                     float *c, long c_row, long accumulate);

/** Floats of scratch that each call of a convolution below needs; 0 for the loops. */
long generic_convolution_scratch(enum generic_method method, const struct generic_convolution *c);

/** y = convolution of x with w, for samples [begin, end). */
void generic_convolution_forward(enum generic_method method, const struct generic_convolution *c,
                                 long begin, long end, const float *x, const float *w, float *y,
                                 float *scratch);

/** dx = gradient by the input, given dy, for samples [begin, end). */
void generic_convolution_backward_data(enum generic_method method,
                                       const struct generic_convolution *c, long begin, long end,
                                       const float *w, const float *dy, float *dx, float *scratch);

/** dw += the share of samples [begin, end) in the gradient by the kernel. */
void generic_convolution_backward_weights(enum generic_method method,
                                          const struct generic_convolution *c, long begin, long end,
                                          const float *x, const float *dy, float *dw,
                                          float *scratch);

/** y = the maximum of each window, for samples [begin, end). */
void generic_max_pool_forward(const struct generic_pool *p, long begin, long end, const float *x,
                              float *y);

/** to = the values of v at the first maximum of each window of x. */
void generic_max_pool_gather(const struct generic_pool *p, long begin, long end, const float *x,
                             const float *v, float *to);

/** dx = gradient by the input: the first maximum of each window gets its dy. y is the forward
 * result. */
void generic_max_pool_backward(const struct generic_pool *p, long begin, long end, const float *x,
                               const float *y, const float *dy, float *dx);

#endif
