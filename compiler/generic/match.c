/* match.c: recognizes contractions as convolutions (forward, by data, by weights) and as matrix
 * products, from their accesses. */
#include "step.h"

/* The loop of `index = loop`, or -1. */
static int single_loop(const struct affine *affine) {
    return affine->term_count == 1 && affine->offset == 0 && affine->term[0].coefficient == 1
               ? affine->term[0].loop
               : -1;
}

/* index = position * stride + tap * dilation - pad */
static bool match_window(const struct affine *x, int position, int tap, int axis,
                         struct generic_window *window) {
    if (position < 0 || tap < 0 || x->term_count != 2) return false;
    int first = x->term[0].loop == position ? 0 : 1;
    if (x->term[first].loop != position || x->term[1 - first].loop != tap) return false;
    window->strides[axis] = x->term[first].coefficient;
    window->dilation_rate[axis] = x->term[1 - first].coefficient;
    window->pad[axis] = -x->offset;
    return window->strides[axis] > 0 && window->dilation_rate[axis] > 0;
}

/* index = inner, or group * extent(inner) + inner */
static bool match_channel(const struct contract *contract, const struct affine *axis, int *group,
                          int *inner) {
    *group = -1;
    *inner = single_loop(axis);
    if (*inner >= 0) return true;
    if (axis->term_count != 2 || axis->offset != 0) return false;
    int outer = axis->term[0].coefficient == 1 ? 1 : 0;
    *group = axis->term[outer].loop;
    *inner = axis->term[1 - outer].loop;
    return axis->term[1 - outer].coefficient == 1 &&
           axis->term[outer].coefficient == contract->extent[*inner];
}

/* An operand of the contraction, whichever it is: the result or an input. */
struct role {
    const struct access *access;
    const struct shape *shape;
};

/* x, w and y of the forward convolution. */
static bool match_convolution(const struct contract *contract, const struct role *x,
                              const struct role *w, const struct role *y,
                              struct generic_convolution *c) {
    if (x->shape->rank != 4 || w->shape->rank != 4 || y->shape->rank != 4) return false;
    const struct affine *ax = x->access->axis, *aw = w->access->axis, *ay = y->access->axis;
    int batch = single_loop(&ax[0]), in = single_loop(&aw[2]);
    int group, out, x_group, x_in, w_group, w_out;
    if (batch < 0 || batch != single_loop(&ay[0]) || in < 0) return false;
    for (int i = 0; i < 2; i++) {
        if (!match_window(&ax[1 + i], single_loop(&ay[1 + i]), single_loop(&aw[i]), i, &c->window))
            return false;
        c->window.kernel_size[i] = w->shape->size[i];
    }
    if (!match_channel(contract, &ay[3], &group, &out) ||
        !match_channel(contract, &ax[3], &x_group, &x_in) ||
        !match_channel(contract, &aw[3], &w_group, &w_out))
        return false;
    if (x_group != group || w_group != group || x_in != in || w_out != out) return false;
    if (contract->loop_count != (group < 0 ? 7 : 8)) return false;
    c->batch = x->shape->size[0];
    c->height = x->shape->size[1];
    c->width = x->shape->size[2];
    c->channels = x->shape->size[3];
    c->out_height = y->shape->size[1];
    c->out_width = y->shape->size[2];
    c->filters = y->shape->size[3];
    c->groups = group < 0 ? 1 : contract->extent[group];
    return true;
}

static bool prepare_convolution(struct step *step) {
    const struct tensor *t = step->tensor;
    if (t->in_count != 2) return false;
    const struct contract *k = t->contract;
    struct role out = {&k->out, &t->shape}, a = {&k->a, &t->in[0]->shape},
                b = {&k->b, &t->in[1]->shape};
    const struct {
        const struct role *x, *w, *y;
        enum convolution_pass pass;
        int first, second;
    } candidates[] = {
        {&a, &b, &out, PASS_FORWARD, 0, 1}, {&b, &a, &out, PASS_FORWARD, 1, 0},
        {&out, &b, &a, PASS_DATA, 1, 0},    {&out, &a, &b, PASS_DATA, 0, 1},
        {&a, &out, &b, PASS_WEIGHTS, 0, 1}, {&b, &out, &a, PASS_WEIGHTS, 1, 0},
    };
    for (size_t i = 0; i < sizeof candidates / sizeof *candidates; i++) {
        struct convolution_step c = {
            candidates[i].pass, {0}, candidates[i].first, candidates[i].second};
        if (!match_convolution(k, candidates[i].x, candidates[i].w, candidates[i].y, &c.shape))
            continue;
        step->convolution = c;
        step->run = run_convolution;
        step->scratch_unit = generic_convolution_scratch(step->method, &c.shape);
        if (c.pass == PASS_WEIGHTS) step->scratch_unit += shape_elements(&t->shape);
        return true;
    }
    return false;
}

/* Loops that an access reads; false if an axis is more than coefficient * loop. */
static bool plain_loops(const struct access *access, int rank, unsigned *loops) {
    *loops = 0;
    for (int i = 0; i < rank; i++) {
        const struct affine *axis = &access->axis[i];
        if (axis->offset || axis->term_count > 1) return false;
        if (axis->term_count) *loops |= 1u << axis->term[0].loop;
    }
    return true;
}

/* How far the element moves when a loop advances by one. */
static long loop_stride(const struct access *access, const struct shape *shape, int loop) {
    long stride = 0, size = 1;
    for (int i = shape->rank - 1; i >= 0; i--) {
        for (int t = 0; t < access->axis[i].term_count; t++)
            if (access->axis[i].term[t].loop == loop)
                stride += access->axis[i].term[t].coefficient * size;
        size *= shape->size[i];
    }
    return stride;
}

/* Several loops as one: its extent and its strides in two operands. */
static bool merge_loops(const struct contract *contract, unsigned loops, const struct role *p,
                        const struct role *q, long *extent, long *p_stride, long *q_stride) {
    *extent = 1;
    *p_stride = *q_stride = 1;
    for (int loop = contract->loop_count - 1; loop >= 0; loop--) {
        if (!(loops >> loop & 1) || contract->extent[loop] == 1) continue;
        long sp = loop_stride(p->access, p->shape, loop);
        long sq = loop_stride(q->access, q->shape, loop);
        if (*extent == 1) {
            *p_stride = sp;
            *q_stride = sq;
        } else if (sp != *p_stride * *extent || sq != *q_stride * *extent) {
            return false;
        }
        *extent *= contract->extent[loop];
    }
    return true;
}

static bool match_product(const struct contract *contract, const struct role *out,
                          const struct role *a, const struct role *b, struct product_step *p) {
    unsigned lo, la, lb, all = (1u << contract->loop_count) - 1;
    long c_column;
    if (!plain_loops(out->access, out->shape->rank, &lo) ||
        !plain_loops(a->access, a->shape->rank, &la) ||
        !plain_loops(b->access, b->shape->rank, &lb))
        return false;
    if ((lo & la & lb) || ((lo & la) | (lo & lb) | (la & lb)) != all) return false;
    if (!merge_loops(contract, lo & la, out, a, &p->m, &p->c_row, &p->a_row) ||
        !merge_loops(contract, lo & lb, out, b, &p->n, &c_column, &p->b_column) ||
        !merge_loops(contract, la & lb, a, b, &p->depth, &p->a_depth, &p->b_depth))
        return false;
    if (p->m == 1) p->c_row = p->n;
    /* Every element of the result is written, and each once. */
    return c_column == 1 && p->m * p->n == shape_elements(out->shape);
}

static bool prepare_product(struct step *step) {
    const struct tensor *t = step->tensor;
    if (t->in_count != 2) return false;
    struct role out = {&t->contract->out, &t->shape};
    struct role in[] = {{&t->contract->a, &t->in[0]->shape}, {&t->contract->b, &t->in[1]->shape}};
    for (int a = 0; a < 2; a++) {
        struct product_step p = {.a = a, .b = 1 - a};
        if (!match_product(t->contract, &out, &in[a], &in[1 - a], &p)) continue;
        step->product = p;
        step->run = run_product;
        return true;
    }
    return false;
}

/* True if the loop alone moves an axis of the access, or none, and never leaves the tensor. */
static bool stays_inside(const struct contract *contract, const struct access *access,
                         const struct shape *shape, int loop) {
    for (int i = 0; i < shape->rank; i++) {
        const struct affine *axis = &access->axis[i];
        for (int t = 0; t < axis->term_count; t++) {
            if (axis->term[t].loop != loop) continue;
            if (single_loop(axis) < 0 || contract->extent[loop] > shape->size[i]) return false;
        }
    }
    return true;
}

static void prepare_loops(struct step *step) {
    const struct tensor *t = step->tensor;
    const struct contract *k = t->contract;
    struct loops_step best = {.inner = -1};
    for (int loop = 0; loop < k->loop_count; loop++) {
        if (!stays_inside(k, &k->out, &t->shape, loop) ||
            !stays_inside(k, &k->a, &t->in[0]->shape, loop) ||
            (t->in_count > 1 && !stays_inside(k, &k->b, &t->in[1]->shape, loop)))
            continue;
        struct loops_step found = {loop, loop_stride(&k->out, &t->shape, loop),
                                   loop_stride(&k->a, &t->in[0]->shape, loop), 0};
        if (t->in_count > 1) found.b_step = loop_stride(&k->b, &t->in[1]->shape, loop);
        /* Neighbours in memory, if there are. */
        if (best.inner < 0 || (found.out_step == 1 && best.out_step != 1)) best = found;
    }
    step->loops = best;
    step->run = run_loops;
}

void prepare_contract(struct step *step) {
    if (!prepare_convolution(step) && !prepare_product(step)) prepare_loops(step);
}
