/* profile.c: what profiles need to know of a kernel. */
#include "kernel.h"

/* The kernel that a copy packs for: it computes the same tensor. */
static const struct kernel *packed_for(const struct program_plan *plan, const struct kernel *copy) {
    for (int i = 0; i < plan->kernel_count; i++)
        if (plan->kernels[i]->kind != KERNEL_COPY && plan->kernels[i]->kind != KERNEL_HALO &&
            plan->kernels[i]->tensor == copy->tensor)
            return plan->kernels[i];
    return NULL;
}

/* The kernel that does the work that this one prepares or finishes; itself if it is no such. */
static const struct kernel *served(const struct program_plan *plan, const struct kernel *kernel) {
    const struct kernel *owner = NULL;
    if (kernel->kind == KERNEL_COPY) owner = packed_for(plan, kernel);
    if (kernel->kind == KERNEL_WINOGRAD_WEIGHTS || kernel->kind == KERNEL_WINOGRAD_SUMS ||
        kernel->kind == KERNEL_HALO || kernel->kind == KERNEL_HALVES_SUM)
        owner = kernel->owner;
    if (kernel->kind == KERNEL_BLOCK_SUMS) owner = kernel->block_sums.owner;
    return owner ? owner : kernel;
}

/* The weights that a contraction reads, or NULL. */
static const struct tensor *weights_of(const struct kernel *kernel) {
    const struct tensor *a = NULL, *b = NULL;
    if (kernel->kind == KERNEL_CONVOLUTION) return kernel->convolution.weights;
    if (kernel->kind == KERNEL_MATMUL) a = kernel->matmul.a, b = kernel->matmul.b;
    if (kernel->kind == KERNEL_NAIVE) a = kernel->naive.a, b = kernel->naive.b;
    if (b && tensor_is_weights(b)) return b;
    return a && tensor_is_weights(a) ? a : NULL;
}

enum part kernel_part(const struct program_plan *plan, const struct kernel *kernel,
                      const bool *backward) {
    kernel = served(plan, kernel);
    if (weights_of(kernel))
        return backward[kernel->tensor->number] ? PART_BACKWARD_DATA : PART_FORWARD;
    bool is_contraction = kernel->kind == KERNEL_WEIGHT_GRADIENT || kernel->kind == KERNEL_MATMUL ||
                          (kernel->kind == KERNEL_NAIVE && kernel->naive.b);
    return is_contraction && kernel->tensor->origin.layer ? PART_WEIGHT_GRADIENT : PART_OTHER;
}

const char *kernel_layer(const struct program_plan *plan, const struct kernel *kernel) {
    kernel = served(plan, kernel);
    /* An epilogue may be another layer's: the contraction is that of its weights. */
    const struct tensor *weights = weights_of(kernel);
    if (weights && weights->origin.layer) return weights->origin.layer;
    /* A loop's statements come in the order of the calculation. A gradient passes the later layers
     * first: their pooling or normalization is most of such a loop, not the relu at its end. */
    if (kernel->kind == KERNEL_LOOP && kernel->loop.first->origin.layer)
        return kernel->loop.first->origin.layer;
    return kernel->tensor ? kernel->tensor->origin.layer : NULL;
}
