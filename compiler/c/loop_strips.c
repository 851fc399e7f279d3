/* loop_strips.c: the strip of a loop kernel in the tcc dialect: libtcc makes slow scalar code, so
 * each operator of an expression becomes one call of a vector operation of the library, on pieces
 * that stay in the L1 cache. */
#include "loop.h"

#include "../tensor/expression_list.h"

#include <string.h>

enum { PIECE = 1024 };

/* Where a value of the current piece is: C text of its first element, and its step (0 or 1). */
struct place {
    const char *address;
    int step;
    int slot; /* a temporary of ours, or -1 */
};

struct strips {
    struct writer *w;
    const struct nest *nest;
    struct place *values; /* by statement */
    bool *is_used;        /* slots */
    int slot_count, slot_capacity;
    /* the statement being written */
    const struct statement *statement;
    struct expression_list nodes;
    int *uses; /* by node: reads that are still to come */
    struct place *places;
    bool *is_placed;
};

static const char *variable_index(const struct strips *s) {
    return s->nest->strip < 0 ? "0" : "i";
}

static struct place new_slot(struct strips *s) {
    int slot = 0;
    while (slot < s->slot_count && s->is_used[slot]) slot++;
    if (slot == s->slot_capacity) {
        bool *is_used = ARENA_ARRAY(s->w->arena, bool, 2 * slot + 16);
        if (slot) memcpy(is_used, s->is_used, sizeof *is_used * (size_t)slot);
        s->is_used = is_used;
        s->slot_capacity = 2 * slot + 16;
    }
    if (slot == s->slot_count) s->slot_count++;
    s->is_used[slot] = true;
    return (struct place){arena_format(s->w->arena, "strip[%d]", slot), 1, slot};
}

static int find_node(struct strips *s, const struct expression *e) {
    return expression_list_add(&s->nodes, e);
}

static struct place memory_place(struct strips *s, int a) {
    const struct address *address = &s->nest->addresses[a];
    const char *row = loop_row(s->w, s->nest, a);
    int step = s->nest->strip >= 0 && address->stride[s->nest->strip] != 0;
    const char *text = step ? arena_format(s->w->arena, "%s + %s", row, variable_index(s)) : row;
    return (struct place){text, step, -1};
}

static struct place operand_place(struct strips *s, int index) {
    const struct loop_operand *operand = &s->statement->operands[index];
    if (operand->statement >= 0) {
        struct place place = s->values[operand->statement];
        place.slot = -1; /* not ours to free */
        return place;
    }
    return memory_place(s, nest_find(s->nest, s->nest->plan_views[operand->tensor->number]));
}

static struct place evaluate(struct strips *s, const struct expression *e,
                             const struct place *destination);

static void release(struct strips *s, const struct expression *e) {
    int i = find_node(s, e);
    if (--s->uses[i] == 0 && s->is_placed[i] && s->places[i].slot >= 0)
        s->is_used[s->places[i].slot] = false;
}

static const char *position(struct strips *s, int a, bool is_unsigned) {
    const struct address *address = &s->nest->addresses[a];
    long stride = s->nest->strip < 0 ? 0 : address->stride[s->nest->strip];
    if (!stride) return address->name;
    return arena_format(s->w->arena, is_unsigned ? "%s + (unsigned)(%s * %ld)" : "%s + %s * %ld",
                        address->name, variable_index(s), stride);
}

static long position_step(const struct strips *s, int a) {
    return s->nest->strip < 0 ? 0 : s->nest->addresses[a].stride[s->nest->strip];
}

static void generate(struct strips *s, const struct expression *e, const char *to) {
    if (e->op == EXPRESSION_INDEX) {
        int a = s->nest->index_address[e->index];
        write_line(s->w, "%s(%s, %s, %ld, n);", use_symbol(s->w, "vector_index"), to,
                   position(s, a, false), position_step(s, a));
    } else {
        int a = s->nest->element_address;
        write_line(s->w, "%s(%s, %s, %s, %ld, n);", use_symbol(s->w, "vector_random"), to,
                   loop_random_key(s->w, e->index), position(s, a, true), position_step(s, a));
    }
}

static struct place evaluate(struct strips *s, const struct expression *e,
                             const struct place *destination) {
    int node = find_node(s, e);
    if (s->is_placed[node]) return s->places[node];
    struct place result = {0};
    if (e->op == EXPRESSION_OPERAND) {
        result = operand_place(s, e->index);
    } else if (e->op == EXPRESSION_CONSTANT) {
        result = new_slot(s);
        write_line(s->w, "%s[0] = %s;", result.address, literal(s->w, e->value, false));
        result.step = 0;
    } else if (e->op == EXPRESSION_INDEX || e->op == EXPRESSION_RANDOM) {
        result = destination ? *destination : new_slot(s);
        generate(s, e, result.address);
    } else {
        struct place in[3];
        struct text arguments = {.arena = s->w->arena};
        for (int k = 0; k < 3 && e->in[k]; k++) {
            in[k] = evaluate(s, e->in[k], NULL);
            text_add(&arguments, ", %s, %d", in[k].address, in[k].step);
        }
        /* A slot that is free now may take the result: the operations run element by element. A
         * single number must not: the operation would overwrite it. */
        for (int k = 0; k < 3 && e->in[k]; k++)
            if (in[k].step) release(s, e->in[k]);
        result = destination ? *destination : new_slot(s);
        for (int k = 0; k < 3 && e->in[k]; k++)
            if (!in[k].step) release(s, e->in[k]);
        write_line(s->w, "%s(%s%s, n);", use_symbol(s->w, microkernel_vector_name(e->op)), result.address,
                   text_string(&arguments));
    }
    s->places[node] = result;
    s->is_placed[node] = true;
    return result;
}

/* Do two views lie in the same memory, at least in part? */
static bool overlap(const struct view *a, const struct view *b) {
    const struct buffer *x = a->buffer, *y = b->buffer;
    if (x->storage != y->storage || x->index != y->index) return false;
    if (x->storage == STORAGE_ARENA) return x->offset == y->offset; /* merged, or alive in turn */
    return a->offset < b->offset + shape_elements(&b->shape) &&
           b->offset < a->offset + shape_elements(&a->shape);
}

static bool same_place(const struct view *a, const struct view *b) {
    return a->offset == b->offset && shape_elements(&a->shape) == shape_elements(&b->shape);
}

/* A stored value goes right to its memory, unless a later statement still reads what is there, or
 * this one reads it elsewhere than at the place of the element. */
static bool can_store_at_once(const struct strips *s, int number) {
    const struct loop_kernel *loop = &s->nest->kernel->loop;
    const struct view *out = loop_view(s->nest, &loop->statements[number]);
    for (int i = number; i < loop->statement_count; i++)
        for (int j = 0; j < loop->statements[i].operand_count; j++) {
            const struct loop_operand *operand = &loop->statements[i].operands[j];
            if (operand->statement >= 0) continue;
            const struct view *in = s->nest->plan_views[operand->tensor->number];
            if (overlap(out, in) && (i > number || !same_place(out, in))) return false;
        }
    return true;
}

static void write_sum(struct strips *s, int number, struct place value) {
    const struct nest *nest = s->nest;
    bool inner = nest->strip < 0 || nest->is_reduced[nest->strip];
    bool is_sum = s->statement->kind == STATEMENT_SUM;
    if (!inner) {
        write_line(s->w, "%s(sum%d, %s, %d, n);",
                   use_symbol(s->w, is_sum ? "vector_accumulate" : "vector_accumulate_maximum"),
                   number, value.address, value.step);
        return;
    }
    if (!value.step) {
        struct place copy = new_slot(s);
        write_line(s->w, "%s(%s, %s, 0, n);", use_symbol(s->w, "vector_copy"), copy.address,
                   value.address);
        s->is_used[copy.slot] = false;
        value = copy;
    }
    write_line(s->w, "%s(sum%d, %s, n);",
               use_symbol(s->w, is_sum ? "vector_sum_into" : "vector_maximum_into"), number,
               value.address);
}

static void write_statement(struct strips *s, int number) {
    const struct loop_kernel *loop = &s->nest->kernel->loop;
    struct arena *arena = s->w->arena;
    s->statement = &loop->statements[number];
    expression_list_init(&s->nodes, arena);
    int root = expression_list_add(&s->nodes, s->statement->expression), count = s->nodes.count;
    s->uses = ARENA_ARRAY(arena, int, count);
    s->places = ARENA_ARRAY(arena, struct place, count);
    s->is_placed = ARENA_ARRAY(arena, bool, count);
    for (int i = 0; i < count; i++) s->uses[i] = s->nodes.nodes[i].uses + (i == root);
    struct place destination;
    bool at_once = s->statement->kind == STATEMENT_VALUE && s->statement->is_stored &&
                   can_store_at_once(s, number);
    if (at_once)
        destination = memory_place(s, nest_find(s->nest, loop_view(s->nest, s->statement)));
    bool is_operator = s->statement->expression->op != EXPRESSION_OPERAND &&
                       s->statement->expression->op != EXPRESSION_CONSTANT;
    struct place value =
        evaluate(s, s->statement->expression, at_once && is_operator ? &destination : NULL);
    if (at_once && !is_operator) {
        write_line(s->w, "%s(%s, %s, %d, n);", use_symbol(s->w, "vector_copy"), destination.address,
                   value.address, value.step);
        value = destination;
    }
    s->values[number] = value;
    if (s->statement->kind != STATEMENT_VALUE) {
        write_sum(s, number, value);
        release(s, s->statement->expression);
    }
}

static void write_piece(struct strips *s) {
    const struct loop_kernel *loop = &s->nest->kernel->loop;
    for (int i = 0; i < loop->statement_count; i++) write_statement(s, i);
    for (int i = 0; i < loop->statement_count; i++) {
        const struct statement *statement = &loop->statements[i];
        if (statement->kind != STATEMENT_VALUE || !statement->is_stored) continue;
        struct place to = memory_place(s, nest_find(s->nest, loop_view(s->nest, statement)));
        if (!strcmp(to.address, s->values[i].address)) continue;
        write_line(s->w, "%s(%s, %s, %d, n);", use_symbol(s->w, "vector_copy"), to.address,
                   s->values[i].address, s->values[i].step);
    }
}

void write_strips(struct writer *w, const struct nest *nest) {
    struct arena *arena = w->arena;
    int statements = nest->kernel->loop.statement_count;
    struct strips s = {.w = w, .nest = nest};
    s.values = ARENA_ARRAY(arena, struct place, statements);
    struct text before = w->text;
    w->text = (struct text){.arena = arena};
    w->depth++;
    if (nest->strip < 0)
        write_line(w, "const long n = 1;");
    else {
        bool chunked = nest->chunk < nest->extent[nest->strip];
        const char *end = chunked ? "last" : arena_format(arena, "%ld", nest->extent[nest->strip]);
        write_open(w, "for (long i = %s; i < %s; i += %d)", chunked ? "first" : "0", end, PIECE);
        write_line(w, "const long n = %s - i < %d ? %s - i : %d;", end, PIECE, end, PIECE);
    }
    write_piece(&s);
    if (nest->strip >= 0) write_close(w);
    w->depth--;
    const char *body = text_string(&w->text);
    w->text = before;
    write_open(w, "%s", "");
    if (s.slot_count) write_line(w, "real strip[%d][%d];", s.slot_count, PIECE);
    text_put(&w->text, body);
    write_close(w);
}
