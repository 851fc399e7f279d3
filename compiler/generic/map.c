/* map.c: elementwise expressions, one operator after the other over strips of elements, by the
 * vector operations of the microkernel library. */
#include "step.h"

#include "../../runtime/random.h"
#include "../kernel/microkernel.h"
#include "../tensor/expression_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef void unary_function(float *to, const float *a, long a_step, long n);
typedef void binary_function(float *to, const float *a, long a_step, const float *b, long b_step,
                             long n);
typedef void select_function(float *to, const float *c, long c_step, const float *a, long a_step,
                             const float *b, long b_step, long n);
typedef void random_function(float *to, unsigned key, unsigned first, long element_step, long n);

/* --- preparation --- */

/* Registers in use, and how often each node will still be read. */
struct registers {
    struct arena *arena;
    bool *used;
    int count, *uses;
};

static int take_register(struct registers *r) {
    for (int i = 0; i < r->count; i++)
        if (!r->used[i]) {
            r->used[i] = true;
            return i;
        }
    r->used[r->count] = true;
    return r->count++;
}

/* What reads a node: a constant, an operand in memory, or the register that holds it. */
static struct source source_of(const struct step *step, const struct expression *e,
                               const int *node_register, int node) {
    const struct tensor *t = step->tensor;
    if (e->op == EXPRESSION_CONSTANT) return (struct source){SOURCE_CONSTANT, 0, (float)e->value};
    if (node_register[node] >= 0) return (struct source){SOURCE_REGISTER, node_register[node], 0};
    bool number = shape_elements(&t->in[e->index]->shape) == 1;
    return (struct source){number ? SOURCE_NUMBER : SOURCE_STRIP, e->index, 0};
}

/* Constants, single numbers and operands with all the map's elements are read where they are. */
static bool needs_operation(const struct step *step, const struct expression *e) {
    if (e->op == EXPRESSION_CONSTANT) return false;
    if (e->op != EXPRESSION_OPERAND) return true;
    long elements = shape_elements(&step->tensor->in[e->index]->shape);
    return elements != 1 && elements != shape_elements(&step->tensor->shape);
}

void prepare_map(struct step *step, struct arena *arena, const struct target *target) {
    struct expression_list list;
    struct map_step *map = &step->map;
    expression_list_init(&list, arena);
    int root = expression_list_add(&list, step->tensor->expression);
    int *node_register = ARENA_ARRAY(arena, int, list.count);
    struct registers r = {arena, ARENA_ARRAY(arena, bool, list.count + 1), 0,
                          ARENA_ARRAY(arena, int, list.count)};
    map->operations = ARENA_ARRAY(arena, struct strip_operation, list.count + 1);
    for (int i = 0; i < list.count; i++) {
        r.uses[i] = list.nodes[i].uses;
        node_register[i] = -1;
    }
    for (int i = 0; i <= root; i++) {
        const struct expression_node *node = &list.nodes[i];
        const struct expression *e = node->source;
        if (!needs_operation(step, e)) continue;
        struct strip_operation *o = &map->operations[map->operation_count++];
        o->op = e->op;
        o->index = e->index;
        if (e->op != EXPRESSION_INDEX && e->op != EXPRESSION_OPERAND)
            o->function = microkernel_symbol(target, microkernel_vector_name(e->op));
        int arity = expression_arity(e->op);
        for (int k = 0; k < arity; k++)
            o->in[k] = source_of(step, list.nodes[node->in[k]].source, node_register, node->in[k]);
        for (int k = 0; k < arity; k++) {
            int in = node->in[k];
            if (--r.uses[in] == 0 && node_register[in] >= 0) r.used[node_register[in]] = false;
        }
        /* An operation may write the register it reads: element by element, in order. */
        o->to = i == root ? -1 : take_register(&r);
        node_register[i] = o->to;
    }
    if (!needs_operation(step, list.nodes[root].source)) {
        struct strip_operation *o = &map->operations[map->operation_count++];
        o->op = EXPRESSION_CONSTANT;
        o->to = -1;
        o->in[0] = source_of(step, list.nodes[root].source, node_register, root);
        o->function = microkernel_symbol(target, "vector_copy");
    }
    map->register_count = r.count;
    step->scratch_unit = (long)r.count * STRIP;
}

/* --- a strip --- */

/* The elements [first, first + n) of the map, and where they go. */
struct strip {
    const struct step *step;
    struct program_call *call;
    float *registers, *out;
    long first, n;
};

/* Fills a register with the part of a broadcast operand that the strip reads. */
static void fill_operand(const struct strip *s, float *to, int operand) {
    const struct shape *shape = &s->step->tensor->shape;
    const struct shape *from = &s->step->tensor->in[operand]->shape;
    const float *in = place_floats(&s->step->in[operand], s->call);
    long stride[MAX_RANK] = {0}, position[MAX_RANK], size = 1, at = 0, rest = s->first;
    int shift = shape->rank - from->rank, last = shape->rank - 1;
    for (int i = from->rank - 1; i >= 0; i--) {
        stride[i + shift] = from->size[i] == 1 ? 0 : size;
        size *= from->size[i];
    }
    for (int i = last; i >= 0; i--) {
        position[i] = rest % shape->size[i];
        rest /= shape->size[i];
        at += position[i] * stride[i];
    }
    for (long done = 0; done < s->n;) {
        long run = shape->size[last] - position[last];
        if (run > s->n - done) run = s->n - done;
        for (long i = 0; i < run; i++) to[done + i] = in[at + i * stride[last]];
        done += run;
        at += run * stride[last];
        position[last] += run;
        for (int i = last; i > 0 && position[i] == shape->size[i]; i--) {
            at += stride[i - 1] - position[i] * stride[i];
            position[i] = 0;
            position[i - 1]++;
        }
    }
}

static void fill_index(const struct strip *s, float *to, int axis) {
    const struct shape *shape = &s->step->tensor->shape;
    long inner = 1;
    for (int i = axis + 1; i < shape->rank; i++) inner *= shape->size[i];
    for (long i = 0; i < s->n; i++) to[i] = (float)((s->first + i) / inner % shape->size[axis]);
}

static const float *read_source(const struct strip *s, const struct source *source, long *step) {
    *step = source->kind == SOURCE_REGISTER || source->kind == SOURCE_STRIP;
    switch (source->kind) {
    case SOURCE_REGISTER: return s->registers + (long)source->index * STRIP;
    case SOURCE_CONSTANT: return &source->value;
    case SOURCE_NUMBER: return place_floats(&s->step->in[source->index], s->call);
    case SOURCE_STRIP: break;
    }
    return place_floats(&s->step->in[source->index], s->call) + s->first;
}

static void run_operation(const struct strip *s, const struct strip_operation *o) {
    float *to = o->to < 0 ? s->out : s->registers + (long)o->to * STRIP;
    const float *in[3];
    long step[3];
    if (o->op == EXPRESSION_OPERAND) {
        fill_operand(s, to, o->index);
        return;
    }
    if (o->op == EXPRESSION_INDEX) {
        fill_index(s, to, o->index);
        return;
    }
    if (o->op == EXPRESSION_RANDOM) {
        uint32_t key = random_key((uint32_t)s->call->scalars[SCALAR_SEED],
                                  (uint32_t)s->call->scalars[SCALAR_STEP], (uint32_t)o->index);
        ((random_function *)o->function)(to, key, (unsigned)s->first, 1, s->n);
        return;
    }
    int arity = o->op == EXPRESSION_CONSTANT ? 1 : expression_arity(o->op);
    for (int i = 0; i < arity; i++) in[i] = read_source(s, &o->in[i], &step[i]);
    if (arity == 1)
        ((unary_function *)o->function)(to, in[0], step[0], s->n);
    else if (arity == 2)
        ((binary_function *)o->function)(to, in[0], step[0], in[1], step[1], s->n);
    else
        ((select_function *)o->function)(to, in[0], step[0], in[1], step[1], in[2], step[2], s->n);
}

/* Unit u has the strips [u * strips / units, (u + 1) * strips / units). */
static void run_strips(const void *context, long first, long last) {
    const struct step_call *c = context;
    const struct step *step = c->step;
    long elements = shape_elements(&step->tensor->shape), strips = (elements + STRIP - 1) / STRIP;
    float *out = place_floats(&step->out, c->call);
    for (long u = first; u < last; u++) {
        struct strip s = {step, c->call, step_scratch(step, c->call, u), NULL, 0, STRIP};
        for (long i = u * strips / STEP_UNITS; i < (u + 1) * strips / STEP_UNITS; i++) {
            s.first = i * STRIP;
            s.out = out + s.first;
            s.n = elements - s.first < STRIP ? elements - s.first : STRIP;
            for (int k = 0; k < step->map.operation_count; k++)
                run_operation(&s, &step->map.operations[k]);
        }
    }
}

void run_map(const struct step *step, struct program_call *call) {
    step_parallel(step, call, run_strips, STEP_UNITS);
}
