/* test_generic.c: the generic kernels, loops and OpenBLAS, against the definitions in double.
 *
 * The references here gather: each element is computed from the formula alone, where the kernels
 * scatter or unroll. */
#include "runtime/generic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned long random_state = 1;

static double uniform(void) {
    random_state = random_state * 6364136223846793005ul + 1442695040888963407ul;
    return (double)(random_state >> 40) / (double)(1 << 24);
}

static long between(long least, long most) {
    return least + (long)(uniform() * (double)(most - least + 1));
}

static float *random_floats(long count) {
    float *values = malloc(sizeof *values * (size_t)(count + 1));
    assert_non_null(values);
    for (long i = 0; i <= count; i++) values[i] = (float)(2 * uniform() - 1);
    return values;
}

/* One more element than asked for, to see whether a kernel writes behind the end. */
static const float guard = 12345.0f;

static float *guarded(long count) {
    float *values = random_floats(count);
    values[count] = guard;
    return values;
}

static void check(const char *what, float *got, const double *expected, long count, double terms) {
    assert_true(got[count] == guard);
    for (long i = 0; i < count; i++)
        if (!(fabs(got[i] - expected[i]) <= 1e-6 * (4 + terms)))
            fail_msg("%s: element %ld is %g, not %g", what, i, (double)got[i], expected[i]);
    free(got);
}

/* --- convolution --- */

/* The output pixel that reads input pixel `at` through tap k along an axis, or -1. */
static long reader(const struct generic_window *v, int axis, long at, long k, long out) {
    long shifted = at + v->pad[axis] - k * v->dilation_rate[axis];
    if (shifted < 0 || shifted % v->strides[axis] != 0) return -1;
    shifted /= v->strides[axis];
    return shifted < out ? shifted : -1;
}

struct tensors {
    float *x, *w, *dy;
    long x_count, w_count, y_count;
};

static double *reference(const struct generic_convolution *c, const struct tensors *t, char of) {
    const struct generic_window *v = &c->window;
    long depth = c->channels / c->groups, filters = c->filters / c->groups;
    long count = of == 'y' ? t->y_count : of == 'x' ? t->x_count : t->w_count;
    double *result = calloc((size_t)count, sizeof *result);
    assert_non_null(result);
    for (long n = 0; n < c->batch; n++)
        for (long ih = 0; ih < c->height; ih++)
            for (long iw = 0; iw < c->width; iw++)
                for (long i = 0; i < v->kernel_size[0]; i++)
                    for (long j = 0; j < v->kernel_size[1]; j++) {
                        long oh = reader(v, 0, ih, i, c->out_height);
                        long ow = reader(v, 1, iw, j, c->out_width);
                        if (oh < 0 || ow < 0) continue;
                        for (long f = 0; f < c->filters; f++)
                            for (long k = 0; k < depth; k++) {
                                long x = ((n * c->height + ih) * c->width + iw) * c->channels +
                                         f / filters * depth + k;
                                long w = ((i * v->kernel_size[1] + j) * depth + k) * c->filters + f;
                                long y =
                                    ((n * c->out_height + oh) * c->out_width + ow) * c->filters + f;
                                if (of == 'y') result[y] += (double)t->x[x] * (double)t->w[w];
                                if (of == 'x') result[x] += (double)t->dy[y] * (double)t->w[w];
                                if (of == 'w') result[w] += (double)t->dy[y] * (double)t->x[x];
                            }
                    }
    return result;
}

static struct generic_convolution random_convolution(void) {
    struct generic_convolution c = {.batch = between(1, 5),
                                    .height = between(1, 11),
                                    .width = between(1, 11),
                                    .groups = between(1, 3)};
    c.channels = c.groups * between(1, 5);
    c.filters = c.groups * between(1, 5);
    for (int axis = 0; axis < 2; axis++) {
        long size = axis == 0 ? c.height : c.width, out;
        do {
            c.window.kernel_size[axis] = between(1, 4);
            c.window.strides[axis] = between(1, 3);
            c.window.dilation_rate[axis] = between(1, 2);
            c.window.pad[axis] = between(0, 3);
            long reach = (c.window.kernel_size[axis] - 1) * c.window.dilation_rate[axis];
            out = (size + c.window.pad[axis] + between(0, 2) - reach - 1) / c.window.strides[axis] +
                  1;
            if (size + c.window.pad[axis] <= reach) out = 0;
        } while (out < 1);
        if (axis == 0)
            c.out_height = out;
        else
            c.out_width = out;
    }
    return c;
}

/* All three passes by one method, in two parts of the batch. */
static void check_convolution(enum generic_method method, const struct generic_convolution *c,
                              const struct tensors *t) {
    long middle = c->batch / 2;
    double taps = (double)(c->window.kernel_size[0] * c->window.kernel_size[1]);
    float *scratch = random_floats(generic_convolution_scratch(method, c));
    float *y = guarded(t->y_count), *dx = guarded(t->x_count), *dw = guarded(t->w_count);
    memset(dw, 0, sizeof *dw * (size_t)t->w_count);
    for (int part = 0; part < 2; part++) {
        long begin = part ? middle : 0, end = part ? c->batch : middle;
        generic_convolution_forward(method, c, begin, end, t->x, t->w, y, scratch);
        generic_convolution_backward_data(method, c, begin, end, t->w, t->dy, dx, scratch);
        generic_convolution_backward_weights(method, c, begin, end, t->x, t->dy, dw, scratch);
    }
    double *expected[3] = {reference(c, t, 'y'), reference(c, t, 'x'), reference(c, t, 'w')};
    check("y", y, expected[0], t->y_count, taps * (double)c->channels);
    check("dx", dx, expected[1], t->x_count, taps * (double)c->filters);
    check("dw", dw, expected[2], t->w_count, (double)(c->batch * c->out_height * c->out_width));
    for (int i = 0; i < 3; i++) free(expected[i]);
    free(scratch);
}

static void check_shape(const struct generic_convolution *c) {
    struct tensors t = {.x_count = c->batch * c->height * c->width * c->channels,
                        .w_count = c->window.kernel_size[0] * c->window.kernel_size[1] *
                                   c->channels / c->groups * c->filters,
                        .y_count = c->batch * c->out_height * c->out_width * c->filters};
    t.x = random_floats(t.x_count);
    t.w = random_floats(t.w_count);
    t.dy = random_floats(t.y_count);
    check_convolution(GENERIC_NAIVE, c, &t);
    check_convolution(GENERIC_OPENBLAS, c, &t);
    free(t.x);
    free(t.w);
    free(t.dy);
}

static void convolutions_agree(void **state) {
    (void)state;
    for (int i = 0; i < 200; i++) {
        struct generic_convolution c = random_convolution();
        check_shape(&c);
    }
}

/* Shapes with a path of their own: 1x1 (no unrolling), several pieces of the batch, depthwise. */
static void special_convolutions_agree(void **state) {
    (void)state;
    struct generic_window one = {{1, 1}, {1, 1}, {1, 1}, {0, 0}};
    struct generic_window three = {{3, 3}, {1, 1}, {1, 1}, {1, 1}};
    check_shape(&(struct generic_convolution){4, 6, 5, 6, 6, 5, 4, 2, one});
    check_shape(&(struct generic_convolution){4, 6, 5, 6, 6, 5, 4, 1, one});
    check_shape(&(struct generic_convolution){11, 28, 28, 6, 28, 28, 3, 1, three});
    check_shape(&(struct generic_convolution){3, 7, 7, 6, 7, 7, 12, 6, three});
}

/* --- products --- */

static double *product_reference(long m, long n, long depth, const float *a, long a_row,
                                 long a_depth, const float *b, long b_depth, long b_column,
                                 const float *c) {
    double *result = malloc(sizeof *result * (size_t)(m * n));
    assert_non_null(result);
    for (long i = 0; i < m * n; i++) {
        result[i] = c ? (double)c[i] : 0;
        for (long k = 0; k < depth; k++)
            result[i] +=
                (double)a[i / n * a_row + k * a_depth] * (double)b[k * b_depth + i % n * b_column];
    }
    return result;
}

static void products_agree(void **state) {
    (void)state;
    for (int i = 0; i < 200; i++) {
        long m = between(1, 20), n = between(1, 20), depth = between(1, 20);
        /* As it is, transposed, with gaps in both directions. */
        long gap = between(0, 2), a_form = between(0, 2), b_form = between(0, 2);
        long a_row = a_form == 0 ? depth + gap : a_form == 1 ? 1 : 2 * depth;
        long a_depth = a_form == 0 ? 1 : a_form == 1 ? m + gap : 2;
        long b_depth = b_form == 0 ? n + gap : b_form == 1 ? 1 : 3 * n;
        long b_column = b_form == 0 ? 1 : b_form == 1 ? depth + gap : 3;
        float *a = random_floats(3 * (m + 3) * (depth + 3)),
              *b = random_floats(4 * (n + 3) * (depth + 3));
        for (int accumulate = 0; accumulate < 2; accumulate++)
            for (int method = 0; method < 2; method++) {
                float *c = guarded(m * n);
                double *expected = product_reference(m, n, depth, a, a_row, a_depth, b, b_depth,
                                                     b_column, accumulate ? c : NULL);
                generic_product((enum generic_method)method, m, n, depth, a, a_row, a_depth, b,
                                b_depth, b_column, c, n, accumulate);
                check("c", c, expected, m * n, (double)depth);
                free(expected);
            }
        free(a);
        free(b);
    }
}

static void *many_products(void *failed) {
    float a[64], b[64], c[64];
    for (int i = 0; i < 64; i++) a[i] = (float)(i % 7), b[i] = (float)(i % 5);
    for (int round = 0; round < 2000; round++) {
        lathe_sgemm(8, 8, 8, a, 8, 1, b, 8, 1, c, 8, 0);
        for (int i = 0; i < 64; i++) {
            float sum = 0;
            for (int k = 0; k < 8; k++) sum += a[i / 8 * 8 + k] * b[k * 8 + i % 8];
            if (c[i] != sum) *(bool *)failed = true;
        }
    }
    return NULL;
}

static void sgemm_runs_on_many_threads(void **state) {
    (void)state;
    pthread_t threads[4];
    bool failed[4] = {false};
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, many_products, &failed[i]), 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_false(failed[i]);
    }
}

/* --- max pooling --- */

/* Values from a small set, so that maxima are often equal. */
static void max_pools_agree(void **state) {
    (void)state;
    for (int i = 0; i < 100; i++) {
        struct generic_convolution s = random_convolution();
        struct generic_pool p = {s.batch,      s.height,    s.width, s.channels,
                                 s.out_height, s.out_width, s.window};
        for (int axis = 0; axis < 2; axis++) { /* a window must meet the image: pad < its reach */
            long most = (p.window.kernel_size[axis] - 1) * p.window.dilation_rate[axis];
            if (p.window.pad[axis] > most) p.window.pad[axis] = most;
            long size = axis == 0 ? p.height : p.width;
            long out = (size + p.window.pad[axis] - most - 1) / p.window.strides[axis] + 1;
            if (size + p.window.pad[axis] <= most || p.window.dilation_rate[axis] > 1)
                p.window.dilation_rate[axis] = p.window.kernel_size[axis] = out = 1,
                p.window.pad[axis] = 0;
            *(axis == 0 ? &p.out_height : &p.out_width) = out;
        }
        long x_count = p.batch * p.height * p.width * p.channels;
        long y_count = p.batch * p.out_height * p.out_width * p.channels;
        float *x = random_floats(x_count), *dy = random_floats(y_count);
        for (long k = 0; k < x_count; k++) x[k] = floorf(x[k] * 3);
        float *v = random_floats(x_count);
        double *y = calloc((size_t)y_count, sizeof *y), *found = calloc((size_t)y_count, sizeof *y);
        double *dx = calloc((size_t)x_count, sizeof *dx);
        for (long o = 0; o < y_count; o++) {
            long k = o % p.channels, ow = o / p.channels % p.out_width;
            long oh = o / p.channels / p.out_width % p.out_height;
            long n = o / p.channels / p.out_width / p.out_height, best = -1;
            for (long at = 0; at < p.height * p.width; at++) { /* in the order of the window */
                long ih = at / p.width - oh * p.window.strides[0] + p.window.pad[0];
                long iw = at % p.width - ow * p.window.strides[1] + p.window.pad[1];
                if (ih < 0 || iw < 0 || ih >= p.window.kernel_size[0] ||
                    iw >= p.window.kernel_size[1])
                    continue;
                long e = (n * p.height * p.width + at) * p.channels + k;
                if (best < 0 || x[e] > x[best]) best = e;
            }
            assert_true(best >= 0);
            y[o] = (double)x[best];
            found[o] = (double)v[best];
            dx[best] += (double)dy[o];
        }
        float *got_y = guarded(y_count), *got_dx = guarded(x_count);
        float *got_found = guarded(y_count);
        for (int part = 0; part < 2; part++) {
            long begin = part ? p.batch / 2 : 0, end = part ? p.batch : p.batch / 2;
            generic_max_pool_forward(&p, begin, end, x, got_y);
            generic_max_pool_gather(&p, begin, end, x, v, got_found);
            generic_max_pool_backward(&p, begin, end, x, got_y, dy, got_dx);
        }
        check("y", got_y, y, y_count, 0);
        check("found", got_found, found, y_count, 0);
        check("dx", got_dx, dx, x_count, 16);
        free(x), free(dy), free(y), free(dx), free(v), free(found);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolutions_agree),
        cmocka_unit_test(special_convolutions_agree),
        cmocka_unit_test(products_agree),
        cmocka_unit_test(max_pools_agree),
        cmocka_unit_test(sgemm_runs_on_many_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
