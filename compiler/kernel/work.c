/* work.c: which kernels of a small batch are too short to share between threads. */
#include "winograd.h"

/* Waking a thread and waiting for it takes about as long as this many cycles of work. */
static const double worth_sharing = 30000;

static double convolution_products(const struct convolution_kernel *c, double outputs) {
    double taps = (double)(c->kernel_size[0] * c->kernel_size[1]);
    if (c->winograd) taps /= 3;
    return outputs * taps * (double)c->in_channels;
}

/* Cycles, roughly: a vector of products or of other numbers in one. */
static double kernel_cycles(const struct program_plan *plan, const struct kernel *kernel) {
    double outputs = (double)shape_elements(&kernel->tensor->shape);
    double lanes = (double)plan->target->lanes;
    switch (kernel->kind) {
    case KERNEL_LOOP:
        return (double)(shape_elements(&kernel->loop.domain) * kernel->loop.statement_count) / 4;
    case KERNEL_CONVOLUTION: return convolution_products(&kernel->convolution, outputs) / lanes;
    case KERNEL_MATMUL:
        return (double)(kernel->matmul.rows * kernel->matmul.columns * kernel->matmul.depth) /
               lanes;
    case KERNEL_MAX_POOL:
        return outputs *
               (double)(kernel->pool.window.kernel_size[0] * kernel->pool.window.kernel_size[1]) /
               lanes;
    case KERNEL_HALO:
    case KERNEL_COPY: return (double)shape_elements(&kernel->out->shape) / lanes;
    case KERNEL_WEIGHT_GRADIENT:
    case KERNEL_MAX_POOL_GRADIENT:
    case KERNEL_WINOGRAD_WEIGHTS:
    case KERNEL_WINOGRAD_SUMS:
    case KERNEL_NAIVE: break;
    }
    return worth_sharing;
}

bool kernel_is_short(const struct program_plan *plan, const struct kernel *kernel) {
    return plan->plain_images && kernel_cycles(plan, kernel) < worth_sharing;
}
