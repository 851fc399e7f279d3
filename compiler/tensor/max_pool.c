/* max_pool.c: the maximum over windows of an image, its gradient, and the pixels of another image
 * where the maxima are. Padding never wins. */
#include "primitive.h"

#include <math.h>

static bool window_check(const struct tensor *tensor, const struct shape *image,
                         const struct shape *pooled, struct error *error) {
    const struct window *window = &tensor->window;
    if (image->rank != 4 || pooled->rank != 4)
        return error_set(error, "pooling goes from images of rank 4 to images of rank 4");
    if (image->size[0] != pooled->size[0] || image->size[3] != pooled->size[3])
        return error_set(error, "pooling keeps the numbers of samples and of channels");
    for (int axis = 0; axis < 2; axis++) {
        if (window->kernel_size[axis] < 1 || window->strides[axis] < 1 ||
            window->dilation_rate[axis] < 1)
            return error_set(error, "window size, strides and dilation are at least 1");
        for (long out = 0; out < pooled->size[axis + 1]; out++) {
            bool inside = false;
            for (long k = 0; k < window->kernel_size[axis] && !inside; k++) {
                long at = out * window->strides[axis] + k * window->dilation_rate[axis] -
                          window->pad[axis];
                inside = at >= 0 && at < image->size[axis + 1];
            }
            if (!inside) return error_set(error, "window %ld of axis %d is empty", out, axis + 1);
        }
    }
    return true;
}

bool max_pool_check(const struct graph *graph, const struct tensor *tensor, struct error *error) {
    (void)graph;
    return window_check(tensor, &tensor->in[0]->shape, &tensor->shape, error);
}

bool max_pool_gather_check(const struct graph *graph, const struct tensor *tensor,
                           struct error *error) {
    if (!shape_equal(&tensor->in[0]->shape, &tensor->in[1]->shape))
        return error_set(error, "what is gathered has the shape of what is pooled");
    return max_pool_check(graph, tensor, error);
}

/* Windows of more pixels are loops, not unrolled; longer rows of windows leave the L1 cache. */
enum { MOST_PIXELS = 9, MOST_ROW_PIXELS = 256 };

bool window_is_side_by_side(const struct window *window, const struct shape *large) {
    for (int i = 0; i < 2; i++)
        if (window->strides[i] != window->kernel_size[i] || window->dilation_rate[i] != 1 ||
            window->pad[i] >= window->kernel_size[i])
            return false;
    long pixels = window->kernel_size[0] * window->kernel_size[1];
    return pixels > 1 && pixels <= MOST_PIXELS &&
           window->kernel_size[0] * large->size[2] <= MOST_ROW_PIXELS;
}

bool max_pool_gradient_check(const struct graph *graph, const struct tensor *tensor,
                             struct error *error) {
    (void)graph;
    if (!shape_equal(&tensor->shape, &tensor->in[0]->shape))
        return error_set(error, "the gradient has the shape of what was pooled");
    if (!shape_equal(&tensor->in[1]->shape, &tensor->in[2]->shape))
        return error_set(error, "the incoming gradient has the shape of the pooled image");
    return window_check(tensor, &tensor->shape, &tensor->in[1]->shape, error);
}

void max_pool_gradient(struct graph *graph, struct tensor *tensor, struct tensor *dy,
                       const bool *wanted, struct tensor **in_gradient) {
    (void)wanted;
    in_gradient[0] = graph_max_pool_gradient(graph, &tensor->window, tensor->in[0], tensor, dy);
}

/* By the gathered image only: where the maxima are has no derivative. */
void max_pool_gather_gradient(struct graph *graph, struct tensor *tensor, struct tensor *dy,
                              const bool *wanted, struct tensor **in_gradient) {
    if (!wanted[1]) return;
    struct tensor *x = tensor->in[0];
    struct tensor *y =
        graph_max_pool(graph, &tensor->window, tensor->shape.size[1], tensor->shape.size[2], x);
    in_gradient[1] = graph_max_pool_gradient(graph, &tensor->window, x, y, dy);
}

/* The element of an image; a row or column outside gives -1. */
static long pixel(const struct shape *image, long n, long h, long w, long c) {
    const long *size = image->size;
    if (h < 0 || h >= size[1] || w < 0 || w >= size[2]) return -1;
    return ((n * size[1] + h) * size[2] + w) * size[3] + c;
}

/* The element of the image with the first maximum of a window. */
static long first_maximum(const struct window *window, const struct shape *image, const double *x,
                          long n, long oh, long ow, long c) {
    long best = -1;
    for (long kh = 0; kh < window->kernel_size[0]; kh++) {
        for (long kw = 0; kw < window->kernel_size[1]; kw++) {
            long h = oh * window->strides[0] + kh * window->dilation_rate[0] - window->pad[0];
            long w = ow * window->strides[1] + kw * window->dilation_rate[1] - window->pad[1];
            long at = pixel(image, n, h, w, c);
            if (at >= 0 && (best < 0 || x[at] > x[best])) best = at;
        }
    }
    return best;
}

/* For each window, the value of `from` where the image has its first maximum; `missing` for a window
 * without pixels. */
static void gather_at_maxima(const struct tensor *tensor, const struct evaluation *evaluation,
                             const double *from, double missing) {
    const long *size = tensor->shape.size;
    const struct shape *image = &tensor->in[0]->shape;
    double *out = evaluation->out;
    for (long n = 0; n < size[0]; n++)
        for (long oh = 0; oh < size[1]; oh++)
            for (long ow = 0; ow < size[2]; ow++)
                for (long c = 0; c < size[3]; c++) {
                    long at =
                        first_maximum(&tensor->window, image, evaluation->in[0], n, oh, ow, c);
                    *out++ = at < 0 ? missing : from[at];
                }
}

void max_pool_reference(const struct tensor *tensor, const struct evaluation *evaluation) {
    gather_at_maxima(tensor, evaluation, evaluation->in[0], -INFINITY);
}

void max_pool_gather_reference(const struct tensor *tensor, const struct evaluation *evaluation) {
    gather_at_maxima(tensor, evaluation, evaluation->in[1], 0);
}

void max_pool_gradient_reference(const struct tensor *tensor, const struct evaluation *evaluation) {
    const long *size = tensor->in[1]->shape.size;
    const double *dy = evaluation->in[2];
    for (long n = 0; n < size[0]; n++)
        for (long oh = 0; oh < size[1]; oh++)
            for (long ow = 0; ow < size[2]; ow++)
                for (long c = 0; c < size[3]; c++, dy++) {
                    long at = first_maximum(&tensor->window, &tensor->shape, evaluation->in[0], n,
                                            oh, ow, c);
                    if (at >= 0) evaluation->out[at] += *dy;
                }
}

void max_pool_print(struct text *text, const struct tensor *tensor) {
    const struct window *window = &tensor->window;
    text_put(text, primitive_rules(tensor->primitive)->name);
    for (int i = 0; i < tensor->in_count; i++) text_add(text, " %%%d", tensor->in[i]->number);
    text_add(text, " window %ldx%ld strides %ldx%ld dilation %ldx%ld pad %ldx%ld",
             window->kernel_size[0], window->kernel_size[1], window->strides[0], window->strides[1],
             window->dilation_rate[0], window->dilation_rate[1], window->pad[0], window->pad[1]);
}
