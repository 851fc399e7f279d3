/* match.c: recognizes the contractions for which there is a fast kernel, from their accesses and
 * layouts alone: a layer's forward pass and both gradients are the same contraction with the roles
 * exchanged. */
#include "kernel.h"

#include <string.h>

/* Which loops an access reads. */
static unsigned loops_of(const struct access *access, int rank) {
    unsigned loops = 0;
    for (int i = 0; i < rank; i++)
        for (int j = 0; j < access->axis[i].term_count; j++)
            loops |= 1u << access->axis[i].term[j].loop;
    return loops;
}

static unsigned loops_of_axis(const struct affine *affine) {
    unsigned loops = 0;
    for (int j = 0; j < affine->term_count; j++) loops |= 1u << affine->term[j].loop;
    return loops;
}

static int only_loop(unsigned loops) {
    return loops && !(loops & (loops - 1)) ? __builtin_ctz(loops) : -1;
}

static long coefficient_of(const struct affine *affine, int loop) {
    for (int j = 0; j < affine->term_count; j++)
        if (affine->term[j].loop == loop) return affine->term[j].coefficient;
    return 0;
}

/* Distance in memory, row-major, when a loop of a contraction advances by one. */
static long plain_stride(const struct access *access, int loop, const struct shape *shape) {
    long stride = 0, size = 1;
    for (int i = shape->rank - 1; i >= 0; i--) {
        stride += coefficient_of(&access->axis[i], loop) * size;
        size *= shape->size[i];
    }
    return stride;
}

/* One spatial axis: `windowed` = position * stride + tap * dilation - pad, `single` = position. */
static bool match_axis(const struct contract *contract, const struct affine *windowed,
                       const struct affine *single, long *stride, long *dilation, long *pad,
                       int *tap_loop) {
    if (single->offset || single->term_count > 1) return false;
    int position = only_loop(loops_of_axis(single));
    if (single->term_count && coefficient_of(single, position) != 1) return false;
    unsigned taps = loops_of_axis(windowed);
    *stride = 1;
    if (position >= 0) {
        *stride = coefficient_of(windowed, position);
        if (*stride < 1) return false;
        taps &= ~(1u << position);
    }
    *tap_loop = only_loop(taps);
    if (taps && *tap_loop < 0) return false;
    *dilation = taps ? coefficient_of(windowed, *tap_loop) : 1;
    *pad = -windowed->offset;
    (void)contract;
    return *dilation >= 1;
}

/* A convolution's three tensors by role, whichever of them the contraction computes. */
struct roles {
    const struct access *image, *result, *weights; /* x, y, w of the forward pass */
};

struct convolution_match {
    struct window window;
    int tap_loop[2];
    int group, in, out; /* loops over groups, channels of x and of y in a group; -1: one */
    long groups, in_channels, out_channels;
};

static long extent_of(const struct contract *contract, int loop) {
    return loop < 0 ? 1 : contract->extent[loop];
}

static bool match_channels(const struct contract *contract, const struct roles *roles,
                           struct convolution_match *match) {
    unsigned x = loops_of_axis(&roles->image->axis[3]), y = loops_of_axis(&roles->result->axis[3]);
    unsigned group = x & y;
    match->group = only_loop(group);
    match->in = only_loop(x & ~group);
    match->out = only_loop(y & ~group);
    if ((group && match->group < 0) || ((x & ~group) && match->in < 0) ||
        ((y & ~group) && match->out < 0))
        return false;
    match->groups = extent_of(contract, match->group);
    match->in_channels = extent_of(contract, match->in);
    match->out_channels = extent_of(contract, match->out);
    const struct affine *ax = &roles->image->axis[3], *ay = &roles->result->axis[3];
    if (ax->offset || ay->offset) return false;
    if (match->group >= 0 && (coefficient_of(ax, match->group) != match->in_channels ||
                              coefficient_of(ay, match->group) != match->out_channels))
        return false;
    return (match->in < 0 || coefficient_of(ax, match->in) == 1) &&
           (match->out < 0 || coefficient_of(ay, match->out) == 1);
}

static bool match_convolution(const struct contract *contract, const struct roles *roles,
                              struct convolution_match *match) {
    unsigned batch = loops_of_axis(&roles->image->axis[0]);
    if (only_loop(batch) < 0 || batch != loops_of_axis(&roles->result->axis[0])) return false;
    if (roles->weights && (loops_of(roles->weights, MAX_RANK) & batch)) return false;
    unsigned known = batch;
    for (int i = 0; i < 2; i++) {
        const struct affine *windowed = &roles->image->axis[1 + i];
        const struct affine *single = &roles->result->axis[1 + i];
        if (!match_axis(contract, windowed, single, &match->window.strides[i],
                        &match->window.dilation_rate[i], &match->window.pad[i],
                        &match->tap_loop[i]))
            return false;
        match->window.kernel_size[i] = extent_of(contract, match->tap_loop[i]);
        known |= loops_of_axis(windowed) | loops_of_axis(single);
    }
    if (!match_channels(contract, roles, match)) return false;
    known |= loops_of_axis(&roles->image->axis[3]) | loops_of_axis(&roles->result->axis[3]);
    return known == (1u << contract->loop_count) - 1;
}

static void fill_weight_strides(const struct convolution_match *match, const struct access *weights,
                                const struct shape *shape, long *group, long *in, long *out,
                                long tap[2]) {
    *group = match->group < 0 ? 0 : plain_stride(weights, match->group, shape);
    *in = match->in < 0 ? 0 : plain_stride(weights, match->in, shape);
    *out = match->out < 0 ? 0 : plain_stride(weights, match->out, shape);
    for (int i = 0; i < 2; i++)
        tap[i] = match->tap_loop[i] < 0 ? 0 : plain_stride(weights, match->tap_loop[i], shape);
}

/* On plain images: forward, with the weights of an input channel side by side. */
static bool fits_plain(const struct convolution_kernel *c) {
    if (c->is_backward) return false;
    if (!c->weights) return c->in_channels == 1 && c->out_channels == 1;
    return (c->out_channels == 1 || c->w_out == 1) &&
           (c->groups == 1 || c->w_group == c->out_channels);
}

static bool match_image_output(const struct program_plan *plan, const struct tensor *t,
                               struct kernel *kernel) {
    const struct contract *contract = t->contract;
    const struct tensor *image = t->in[0], *weights = t->in_count > 1 ? t->in[1] : NULL;
    if (plan_is_blocked(plan, image) != plan_is_blocked(plan, t) || image->shape.rank != 4 ||
        t->shape.rank != 4 || !plan->batched[image->number] ||
        (weights && plan->batched[weights->number]))
        return false;
    const struct access *b = weights ? &contract->b : NULL;
    struct roles forward = {&contract->a, &contract->out, b};
    struct roles backward = {&contract->out, &contract->a, b};
    struct convolution_match match = {0};
    bool is_backward = false;
    if (!match_convolution(contract, &forward, &match)) {
        if (!match_convolution(contract, &backward, &match)) return false;
        is_backward = true;
    }
    struct convolution_kernel *c = &kernel->convolution;
    kernel->kind = KERNEL_CONVOLUTION;
    c->is_backward = is_backward;
    c->window = match.window;
    c->groups = match.groups;
    c->in_channels = is_backward ? match.out_channels : match.in_channels;
    c->out_channels = is_backward ? match.in_channels : match.out_channels;
    c->image = image;
    c->weights = weights;
    long in, out;
    if (weights) {
        fill_weight_strides(&match, b, &weights->shape, &c->w_group, &in, &out, c->w_tap);
        c->w_in = is_backward ? out : in;
        c->w_out = is_backward ? in : out;
    }
    int *counts[2] = {&c->row_count, &c->column_count};
    struct axis_class **classes[2] = {&c->rows, &c->columns};
    for (int i = 0; i < 2; i++) {
        c->in_size[i] = image->shape.size[1 + i];
        c->out_size[i] = t->shape.size[1 + i];
        c->kernel_size[i] = match.window.kernel_size[i];
        *classes[i] = axis_classes(plan->arena, is_backward, c->out_size[i], c->in_size[i],
                                   c->kernel_size[i], match.window.strides[i],
                                   match.window.dilation_rate[i], match.window.pad[i], counts[i]);
    }
    return plan_is_blocked(plan, t) || fits_plain(c);
}

static bool match_weight_gradient(const struct program_plan *plan, const struct tensor *t,
                                  struct kernel *kernel) {
    const struct contract *contract = t->contract;
    if (t->in_count != 2 || plan->batched[t->number]) return false;
    if (!plan_is_blocked(plan, t->in[0]) || !plan_is_blocked(plan, t->in[1])) return false;
    struct roles roles[2] = {{&contract->a, &contract->b, &contract->out},
                             {&contract->b, &contract->a, &contract->out}};
    struct convolution_match match = {0};
    int image = 0;
    if (!match_convolution(contract, &roles[0], &match)) {
        if (!match_convolution(contract, &roles[1], &match)) return false;
        image = 1;
    }
    struct weight_gradient_kernel *w = &kernel->weight_gradient;
    kernel->kind = KERNEL_WEIGHT_GRADIENT;
    w->image = t->in[image];
    w->gradient = t->in[1 - image];
    w->groups = match.groups;
    w->in_channels = match.in_channels;
    w->out_channels = match.out_channels;
    w->window = match.window;
    for (int i = 0; i < 2; i++) {
        w->in_size[i] = w->image->shape.size[1 + i];
        w->out_size[i] = w->gradient->shape.size[1 + i];
    }
    fill_weight_strides(&match, &contract->out, &t->shape, &w->w_group, &w->w_in, &w->w_out,
                        w->w_tap);
    return true;
}

/* A set of loops as one loop: its extent, and its stride in each of two row-major tensors. */
static bool merge_loops(const struct contract *contract, unsigned loops,
                        const struct access *access[2], const struct shape *shape[2], long *extent,
                        long stride[2]) {
    *extent = 1;
    stride[0] = stride[1] = 1;
    for (int loop = contract->loop_count - 1; loop >= 0; loop--) {
        if (!(loops & 1u << loop)) continue;
        for (int i = 0; i < 2; i++) {
            long s = plain_stride(access[i], loop, shape[i]);
            if (*extent == 1)
                stride[i] = s;
            else if (contract->extent[loop] > 1 && s != stride[i] * *extent)
                return false;
        }
        *extent *= contract->extent[loop];
    }
    return true;
}

static bool has_only_plain_terms(const struct access *access, int rank) {
    for (int i = 0; i < rank; i++)
        if (access->axis[i].offset || access->axis[i].term_count > 1) return false;
    return true;
}

static bool match_matmul(const struct program_plan *plan, const struct tensor *t,
                         struct kernel *kernel) {
    const struct contract *contract = t->contract;
    if (t->in_count != 2) return false;
    const struct tensor *a = t->in[0], *b = t->in[1];
    const struct access *aa = &contract->a, *ab = &contract->b;
    if (plan_is_blocked(plan, t) || plan_is_blocked(plan, a) || plan_is_blocked(plan, b))
        return false;
    if (!has_only_plain_terms(&contract->out, t->shape.rank) ||
        !has_only_plain_terms(aa, a->shape.rank) || !has_only_plain_terms(ab, b->shape.rank))
        return false;
    unsigned out = loops_of(&contract->out, t->shape.rank);
    unsigned la = loops_of(aa, a->shape.rank), lb = loops_of(ab, b->shape.rank);
    if (out & la & lb) return false;
    unsigned last = loops_of_axis(&contract->out.axis[t->shape.rank - 1]);
    if (last & la & ~lb) { /* the columns of the result must come from b */
        const struct tensor *other = a;
        const struct access *other_access = aa;
        unsigned other_loops = la;
        a = b, aa = ab, la = lb;
        b = other, ab = other_access, lb = other_loops;
    }
    struct matmul_kernel m = {.a = a, .b = b};
    long row[2], column[2], depth[2];
    if (!merge_loops(contract, out & la, (const struct access *[]){&contract->out, aa},
                     (const struct shape *[]){&t->shape, &a->shape}, &m.rows, row) ||
        !merge_loops(contract, out & lb, (const struct access *[]){&contract->out, ab},
                     (const struct shape *[]){&t->shape, &b->shape}, &m.columns, column) ||
        !merge_loops(contract, la & lb, (const struct access *[]){aa, ab},
                     (const struct shape *[]){&a->shape, &b->shape}, &m.depth, depth))
        return false;
    if (m.columns > 1 && column[0] != 1) return false;
    m.c_row = m.rows > 1 ? row[0] : m.columns;
    m.a_row = row[1];
    m.a_depth = depth[0];
    m.b_depth = depth[1];
    m.b_column = m.columns > 1 ? column[1] : 1;
    kernel->kind = KERNEL_MATMUL;
    kernel->matmul = m;
    return true;
}

void match_contract(const struct program_plan *plan, const struct tensor *tensor,
                    struct kernel *kernel) {
    if (plan_is_blocked(plan, tensor) && match_image_output(plan, tensor, kernel)) return;
    if (match_weight_gradient(plan, tensor, kernel)) return;
    if (match_matmul(plan, tensor, kernel)) return;
    if (plan->plain_images && match_image_output(plan, tensor, kernel)) return;
    kernel->kind = KERNEL_NAIVE;
    kernel->naive.contract = tensor->contract;
    kernel->naive.a = tensor->in[0];
    kernel->naive.b = tensor->in_count > 1 ? tensor->in[1] : NULL;
}
