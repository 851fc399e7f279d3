/* kernels.c: runs the steps of a generic program. */
#include "step.h"

#include "../tensor/iterate.h"

#include <math.h>
#include <string.h>

float *place_floats(const struct place *place, const struct program_call *call) {
    switch (place->kind) {
    case PLACE_INPUT: return (float *)call->inputs[place->index] + place->offset;
    case PLACE_SPACE: return call->space[place->index] + place->offset;
    case PLACE_ARENA: break;
    }
    return call->arena + place->offset;
}

double place_number(const struct place *place, const struct program_call *call) {
    const float *floats = place_floats(place, call);
    double number = (double)*floats;
    if (place->is_double) memcpy(&number, floats - 2, sizeof number);
    return number;
}

void step_parallel(const struct step *step, struct program_call *call, program_task *task,
                   long units) {
    struct step_call context = {step, call};
    if (call->parallel)
        call->parallel(call->pool, task, &context, units);
    else
        task(&context, 0, units);
}

float *step_scratch(const struct step *step, const struct program_call *call, long unit) {
    return call->arena + step->scratch + unit * step->scratch_unit;
}

static float *out_of(const struct step_call *c) {
    return place_floats(&c->step->out, c->call);
}

static const float *in_of(const struct step_call *c, int i) {
    return place_floats(&c->step->in[i], c->call);
}

static size_t bytes(long elements) {
    return sizeof(float) * (size_t)elements;
}

/* --- contractions --- */

/* Unit u has samples [u * batch / units, (u + 1) * batch / units). */
static void convolve_samples(const void *context, long first, long last) {
    const struct step_call *c = context;
    const struct step *step = c->step;
    const struct convolution_step *v = &step->convolution;
    const float *p = in_of(c, v->first), *q = in_of(c, v->second);
    long weights = shape_elements(&step->tensor->shape);
    for (long u = first; u < last; u++) {
        long begin = u * v->shape.batch / STEP_UNITS, end = (u + 1) * v->shape.batch / STEP_UNITS;
        float *scratch = step_scratch(step, c->call, u), *out = out_of(c);
        switch (v->pass) {
        case PASS_FORWARD:
            generic_convolution_forward(step->method, &v->shape, begin, end, p, q, out, scratch);
            break;
        case PASS_DATA:
            generic_convolution_backward_data(step->method, &v->shape, begin, end, p, q, out,
                                              scratch);
            break;
        case PASS_WEIGHTS: /* into a sum of its own, in front of the scratch */
            memset(scratch, 0, bytes(weights));
            generic_convolution_backward_weights(step->method, &v->shape, begin, end, p, q, scratch,
                                                 scratch + weights);
            break;
        }
    }
}

void run_convolution(const struct step *step, struct program_call *call) {
    step_parallel(step, call, convolve_samples, STEP_UNITS);
    if (step->convolution.pass != PASS_WEIGHTS) return;
    float *out = place_floats(&step->out, call);
    long weights = shape_elements(&step->tensor->shape);
    memcpy(out, step_scratch(step, call, 0), bytes(weights));
    for (long u = 1; u < STEP_UNITS; u++) {
        const float *part = step_scratch(step, call, u);
        for (long i = 0; i < weights; i++) out[i] += part[i];
    }
}

static void multiply_rows(const void *context, long first, long last) {
    const struct step_call *c = context;
    const struct product_step *p = &c->step->product;
    long begin = first * p->m / STEP_UNITS, end = last * p->m / STEP_UNITS;
    generic_product(c->step->method, end - begin, p->n, p->depth, in_of(c, p->a) + begin * p->a_row,
                    p->a_row, p->a_depth, in_of(c, p->b), p->b_depth, p->b_column,
                    out_of(c) + begin * p->c_row, p->c_row, 0);
}

void run_product(const struct step *step, struct program_call *call) {
    step_parallel(step, call, multiply_rows, STEP_UNITS);
}

/* The element at which an access stands, or -1 outside. */
static long element_at(const struct access *access, const struct shape *shape, const long *loop) {
    long element = 0;
    for (int i = 0; i < shape->rank; i++) {
        const struct affine *axis = &access->axis[i];
        long at = axis->offset;
        for (int t = 0; t < axis->term_count; t++)
            at += axis->term[t].coefficient * loop[axis->term[t].loop];
        if (at < 0 || at >= shape->size[i]) return -1;
        element = element * shape->size[i] + at;
    }
    return element;
}

void run_loops(const struct step *step, struct program_call *call) {
    const struct tensor *t = step->tensor;
    const struct contract *contract = t->contract;
    const struct loops_step *l = &step->loops;
    static const float one = 1.0f;
    const float *a = place_floats(&step->in[0], call), *b = &one;
    float *out = place_floats(&step->out, call);
    long loop[MAX_LOOPS] = {0}, extent[MAX_LOOPS], inner = 1;
    if (t->in_count > 1) b = place_floats(&step->in[1], call);
    memcpy(extent, contract->extent, sizeof extent);
    if (l->inner >= 0) {
        inner = extent[l->inner];
        extent[l->inner] = 1;
    }
    memset(out, 0, bytes(shape_elements(&t->shape)));
    do {
        long at = element_at(&contract->out, &t->shape, loop);
        long at_a = element_at(&contract->a, &t->in[0]->shape, loop), at_b = 0;
        if (t->in_count > 1) at_b = element_at(&contract->b, &t->in[1]->shape, loop);
        if (at < 0 || at_a < 0 || at_b < 0) continue;
        for (long i = 0; i < inner; i++)
            out[at + i * l->out_step] += a[at_a + i * l->a_step] * b[at_b + i * l->b_step];
    } while (next_position(extent, contract->loop_count, loop));
}

/* --- max pooling --- */

static struct generic_pool pool_shape(const struct tensor *x, const struct tensor *y,
                                      const struct window *w) {
    struct generic_pool p = {.batch = x->shape.size[0],
                             .height = x->shape.size[1],
                             .width = x->shape.size[2],
                             .channels = x->shape.size[3],
                             .out_height = y->shape.size[1],
                             .out_width = y->shape.size[2]};
    memcpy(p.window.kernel_size, w->kernel_size, sizeof w->kernel_size);
    memcpy(p.window.strides, w->strides, sizeof w->strides);
    memcpy(p.window.dilation_rate, w->dilation_rate, sizeof w->dilation_rate);
    memcpy(p.window.pad, w->pad, sizeof w->pad);
    return p;
}

static void pool_samples(const void *context, long first, long last) {
    const struct step_call *c = context;
    const struct tensor *t = c->step->tensor;
    struct generic_pool p = pool_shape(t->in[0], t, &t->window);
    generic_max_pool_forward(&p, first, last, in_of(c, 0), out_of(c));
}

void run_max_pool(const struct step *step, struct program_call *call) {
    step_parallel(step, call, pool_samples, step->tensor->shape.size[0]);
}

static void gather_samples(const void *context, long first, long last) {
    const struct step_call *c = context;
    const struct tensor *t = c->step->tensor;
    struct generic_pool p = pool_shape(t->in[0], t, &t->window);
    generic_max_pool_gather(&p, first, last, in_of(c, 0), in_of(c, 1), out_of(c));
}

void run_max_pool_gather(const struct step *step, struct program_call *call) {
    step_parallel(step, call, gather_samples, step->tensor->shape.size[0]);
}

static void unpool_samples(const void *context, long first, long last) {
    const struct step_call *c = context;
    const struct tensor *t = c->step->tensor;
    struct generic_pool p = pool_shape(t->in[0], t->in[1], &t->window);
    generic_max_pool_backward(&p, first, last, in_of(c, 0), in_of(c, 1), in_of(c, 2), out_of(c));
}

void run_max_pool_gradient(const struct step *step, struct program_call *call) {
    step_parallel(step, call, unpool_samples, step->tensor->shape.size[0]);
}

/* --- reductions --- */

/* Rows of the last axis, one after the other: each adds to one number or to a row. */
static void reduce_row(enum reduction reduction, double *sum, long sum_step, const float *in,
                       long n) {
    if (sum_step == 0) {
        double value = *sum;
        if (reduction == REDUCTION_SUM)
            for (long i = 0; i < n; i++) value += (double)in[i];
        else
            for (long i = 0; i < n; i++) value = (double)in[i] > value ? (double)in[i] : value;
        *sum = value;
    } else if (reduction == REDUCTION_SUM) {
        for (long i = 0; i < n; i++) sum[i] += (double)in[i];
    } else {
        for (long i = 0; i < n; i++) sum[i] = (double)in[i] > sum[i] ? (double)in[i] : sum[i];
    }
}

/* Sums are taken in double: one after the other in float, 100,000 terms cost two digits. */
static void run_reduce(const struct step *step, struct program_call *call) {
    const struct reduce_step *r = &step->reduce;
    const float *in = place_floats(&step->in[0], call);
    float *out = place_floats(&step->out, call);
    double *sum = (double *)step_scratch(step, call, 0);
    long elements = shape_elements(&step->tensor->shape), position[MAX_RANK] = {0};
    int last = r->rank - 1;
    for (long i = 0; i < elements; i++)
        sum[i] = step->tensor->reduction == REDUCTION_SUM ? 0.0 : (double)-INFINITY;
    do {
        long at = 0;
        for (int i = 0; i < last; i++) at += position[i] * r->out_stride[i];
        reduce_row(step->tensor->reduction, sum + at, r->out_stride[last], in, r->size[last]);
        in += r->size[last];
    } while (next_position(r->size, last, position));
    for (long i = 0; i < elements; i++) out[i] = (float)sum[i];
}

void prepare_reduce(struct step *step) {
    const struct shape *in = &step->tensor->in[0]->shape;
    struct reduce_step *r = &step->reduce;
    unsigned axes = step->tensor->axes;
    bool reduced[MAX_RANK];
    r->rank = 0;
    for (int i = 0; i < in->rank; i++) {
        bool is_reduced = axes >> i & 1;
        if (r->rank > 0 && reduced[r->rank - 1] == is_reduced) {
            r->size[r->rank - 1] *= in->size[i];
            continue;
        }
        reduced[r->rank] = is_reduced;
        r->size[r->rank++] = in->size[i];
    }
    long stride = 1;
    for (int i = r->rank - 1; i >= 0; i--) {
        r->out_stride[i] = reduced[i] ? 0 : stride;
        if (!reduced[i]) stride *= r->size[i];
    }
    step->run = run_reduce;
    step->scratch_unit = 2 * stride; /* a double for each element; only one unit is used */
}

/* --- views --- */

/* A tensor is [outer][size of the axis][inner]; copies `size` places along the axis. */
static void copy_range(float *to, const struct shape *to_shape, long to_begin, const float *from,
                       const struct shape *from_shape, long from_begin, int axis, long size) {
    long outer = 1, inner = 1;
    for (int i = 0; i < axis; i++) outer *= to_shape->size[i];
    for (int i = axis + 1; i < to_shape->rank; i++) inner *= to_shape->size[i];
    for (long row = 0; row < outer; row++)
        memcpy(to + (row * to_shape->size[axis] + to_begin) * inner,
               from + (row * from_shape->size[axis] + from_begin) * inner, bytes(size * inner));
}

void run_copy(const struct step *step, struct program_call *call) {
    memcpy(place_floats(&step->out, call), place_floats(&step->in[0], call),
           bytes(shape_elements(&step->tensor->shape)));
}

void run_slice(const struct step *step, struct program_call *call) {
    const struct tensor *t = step->tensor;
    copy_range(place_floats(&step->out, call), &t->shape, 0, place_floats(&step->in[0], call),
               &t->in[0]->shape, t->begin, t->axis, t->shape.size[t->axis]);
}

void run_concat(const struct step *step, struct program_call *call) {
    const struct tensor *t = step->tensor;
    long begin = 0;
    for (int i = 0; i < t->in_count; i++) {
        const struct shape *from = &t->in[i]->shape;
        copy_range(place_floats(&step->out, call), &t->shape, begin,
                   place_floats(&step->in[i], call), from, 0, t->axis, from->size[t->axis]);
        begin += from->size[t->axis];
    }
}

void run_pad(const struct step *step, struct program_call *call) {
    const struct tensor *t = step->tensor;
    const struct shape *from = &t->in[0]->shape;
    float *out = place_floats(&step->out, call);
    memset(out, 0, bytes(shape_elements(&t->shape)));
    copy_range(out, &t->shape, t->begin, place_floats(&step->in[0], call), from, 0, t->axis,
               from->size[t->axis]);
}

/* --- numbers --- */

static void store_number(const struct step *step, struct program_call *call, double value) {
    float *out = place_floats(&step->out, call);
    *out = (float)value;
    memcpy(out - 2, &value, sizeof value);
}

/* SCALAR, and maps of rank 0: in double. */
void run_scalar(const struct step *step, struct program_call *call) {
    const struct tensor *t = step->tensor;
    if (t->primitive == PRIMITIVE_SCALAR) {
        store_number(step, call, call->scalars[t->index]);
        return;
    }
    double operands[STEP_OPERANDS];
    struct expression_context context = {
        .seed = (unsigned long)call->scalars[SCALAR_SEED],
        .step = (unsigned long)call->scalars[SCALAR_STEP],
    };
    for (int i = 0; i < t->in_count; i++) operands[i] = place_number(&step->in[i], call);
    store_number(step, call, expression_value(t->expression, operands, &context));
}
