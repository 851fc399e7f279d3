/* work.c: how long a kernel takes on one core, roughly: is it worth waking other threads for? */
#include "kernel.h"

/* Measured on Zen 4 with AVX-512, where the data is in a cache, and taken to go with the lanes:
 * what one core does in a nanosecond. */
static const double products_per_lane = 5, operations_per_lane = 2;
static const double copied = 2, pooled = 12, transformed = 2, summed = 1;

/* Two threads that meet lose about a microsecond, and as much again because half of the data lies
 * in the other one's cache. */
static const double least_nanoseconds = 12000;

static double out_elements(const struct kernel *kernel) {
    return (double)shape_elements(&kernel->tensor->shape);
}

/* An addition or product counts as a quarter of reading or writing the element. */
static double loop_operations(const struct loop_kernel *loop) {
    double sum = 0;
    for (int i = 0; i < loop->statement_count; i++) {
        const struct statement *s = &loop->statements[i];
        const struct shape *domain = s->is_pooled ? &loop->pooling->small : &loop->domain;
        sum += (1 + expression_cost(s->expression) / 4.0) * (double)shape_elements(domain);
    }
    return sum;
}

static double convolution_products(const struct program_plan *plan,
                                   const struct convolution_kernel *c) {
    return (double)(plan->rows * c->out_size[0] * c->out_size[1]) *
           (double)(c->kernel_size[0] * c->kernel_size[1]) *
           (double)(c->groups * c->in_channels * c->out_channels);
}

static double gradient_products(const struct program_plan *plan,
                                const struct weight_gradient_kernel *g) {
    return (double)(plan->rows * g->out_size[0] * g->out_size[1]) *
           (double)(g->window.kernel_size[0] * g->window.kernel_size[1]) *
           (double)(g->groups * g->in_channels * g->out_channels);
}

/* Of a 3x3 kernel. */
static double weights_of(long in_channels, long out_channels) {
    return 9.0 * (double)in_channels * (double)out_channels;
}

static double copied_elements(const struct copy_kernel *copy) {
    double sum = 0;
    for (int i = 0; i < copy->part_count; i++) {
        double elements = 1;
        for (int d = 0; d < 5; d++) elements *= (double)copy->parts[i].size[d];
        sum += elements;
    }
    return sum;
}

static double added_elements(const struct block_sums_kernel *kernel) {
    double sum = 0;
    for (int i = 0; i < kernel->count; i++)
        sum += (double)shape_elements(&kernel->sums[i].from->shape);
    return sum;
}

double kernel_work(const struct program_plan *plan, const struct kernel *kernel) {
    double lanes = plan->target->lanes, products = products_per_lane * lanes;
    double operations = operations_per_lane * lanes;
    const struct matmul_kernel *m = &kernel->matmul;
    switch (kernel->kind) {
    case KERNEL_LOOP: return loop_operations(&kernel->loop) / operations;
    case KERNEL_CONVOLUTION: return convolution_products(plan, &kernel->convolution) / products;
    case KERNEL_WEIGHT_GRADIENT:
        return gradient_products(plan, &kernel->weight_gradient) / products;
    case KERNEL_MATMUL:
        return (double)(m->rows * m->columns) * (double)(m->depth * (m->in_halves ? 2 : 1)) /
                   products +
               (m->update ? loop_operations(&m->update->loop) / operations : 0);
    case KERNEL_MAX_POOL:
    case KERNEL_MAX_POOL_GRADIENT:
        return (double)(plan->rows * kernel->pool.channels) *
               (double)(kernel->pool.in_size[0] * kernel->pool.in_size[1]) / pooled;
    case KERNEL_WINOGRAD_WEIGHTS:
        return weights_of(kernel->owner->convolution.in_channels,
                          kernel->owner->convolution.out_channels) /
               transformed;
    case KERNEL_WINOGRAD_SUMS: return out_elements(kernel) / summed;
    case KERNEL_HALVES_SUM: return out_elements(kernel) / copied;
    case KERNEL_BLOCK_SUMS: return added_elements(&kernel->block_sums) / copied;
    case KERNEL_HALO: return (double)shape_elements(&kernel->out->shape) / copied;
    case KERNEL_COPY: return copied_elements(&kernel->copy) / copied;
    case KERNEL_NAIVE: break; /* any contraction, by plain loops */
    }
    return 1e3 * out_elements(kernel);
}

long kernel_loop_units(const struct program_plan *plan, const struct kernel *kernel) {
    return plan->kernels[kernel->number + kernel->together - 1]->units;
}

bool kernel_is_shared(const struct program_plan *plan, const struct kernel *kernel) {
    double work = kernel_work(plan, kernel);
    for (int i = 1; i < kernel->together; i++)
        work += kernel_work(plan, plan->kernels[kernel->number + i]);
    return kernel_loop_units(plan, kernel) > 1 && work >= least_nanoseconds;
}
