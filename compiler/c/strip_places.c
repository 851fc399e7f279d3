/* strip_places.c: where the values of a strip are: in memory, in a temporary strip, or made before
 * all pieces because they are the same for each. */
#include "loop_strips.h"

#include <string.h>

/* Where the piece begins in the strip; window by window, in the large image or the pooled one. */
static const char *piece_index(const struct strips *s, bool is_pooled) {
    if (s->nest->kernel->loop.pooling) return is_pooled ? "pooled" : "large";
    return s->nest->strip < 0 || s->nest->rows >= 0 ? "0" : "i";
}

const char *strip_length(const struct strips *s) {
    return s->statement->is_pooled ? "pooled_n" : "n";
}

static bool is_pooled_view(const struct strips *s, const struct view *view) {
    const struct pooling *pooling = s->nest->kernel->loop.pooling;
    return pooling && shape_equal(&view->shape, &pooling->small);
}

struct place strip_new(struct strips *s) {
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

static long stride_in_strip(const struct nest *nest, const struct address *address) {
    return nest->strip < 0 ? 0 : address->stride[nest->strip];
}

bool strip_is_number_each(const struct strips *s, int address) {
    return s->nest->rows >= 0 &&
           nest_rows_form(s->nest, &s->nest->addresses[address]) == ROWS_NUMBER_EACH;
}

struct place strip_memory(const struct strips *s, int a) {
    const struct address *address = &s->nest->addresses[a];
    const char *row = loop_row(s->w, s->nest, a);
    int step = stride_in_strip(s->nest, address) != 0 || strip_is_number_each(s, a);
    const char *index = piece_index(s, is_pooled_view(s, address->view));
    bool is_moved = step && strcmp(index, "0");
    return (struct place){is_moved ? arena_format(s->w->arena, "%s + %s", row, index) : row, step,
                          -1};
}

/* ---- the same for all pieces ---- */

static enum constancy operand_constancy(const struct nest *nest, int number) {
    if (number >= nest->address_count) return VARIES; /* a statement's value */
    const struct address *address = &nest->addresses[number];
    if (address->is_written) return VARIES;
    if (nest->rows < 0) return address->stride[nest->strip] ? VARIES : IS_NUMBER;
    switch (nest_rows_form(nest, address)) {
    case ROWS_SAME: return REPEATS;
    case ROWS_NUMBER: return IS_NUMBER;
    default: return VARIES;
    }
}

static enum constancy constancy_of(const struct strips *s, const struct values *values, int node) {
    const struct nest *nest = s->nest;
    const struct expression_node *n = &values->list.nodes[node];
    bool is_pooled = values == &s->values[true];
    enum constancy least = IS_NUMBER;
    switch (n->source->op) {
    case EXPRESSION_CONSTANT: return IS_NUMBER;
    case EXPRESSION_RANDOM: return VARIES;
    case EXPRESSION_INDEX: {
        int a = nest->index_address[is_pooled][n->source->index];
        return nest->row && !nest->addresses[a].row_stride ? REPEATS : VARIES;
    }
    case EXPRESSION_OPERAND: return operand_constancy(nest, n->operand);
    default: break;
    }
    for (int k = 0; k < expression_arity(n->source->op); k++) {
        enum constancy in = values->of[n->in[k]].constancy;
        if (in < least) least = in;
    }
    return least;
}

void strip_find_constants(struct strips *s, struct values *values) {
    for (int i = 0; i < values->list.count; i++) {
        bool is_constant = values->list.nodes[i].source->op == EXPRESSION_CONSTANT;
        values->of[i].constancy = s->nest->strip >= 0 ? constancy_of(s, values, i)
                                  : is_constant       ? IS_NUMBER
                                                      : VARIES;
    }
}

/* Where position `a` is at the beginning of the piece. */
static const char *position(const struct strips *s, int a) {
    const struct nest *nest = s->nest;
    const struct address *address = &nest->addresses[a];
    long stride = stride_in_strip(nest, address);
    bool is_pooled = s->statement->is_pooled;
    bool is_unsigned = a == nest->element_address[is_pooled];
    const char *index = piece_index(s, is_pooled);
    if (nest->rows < 0 && nest->row) {
        stride = address->row_stride;
        index = arena_format(s->w->arena, "%s / %ld", index, nest->row);
    }
    if (!stride || nest->rows >= 0) return address->name;
    return arena_format(s->w->arena, is_unsigned ? "%s + (unsigned)(%s * %ld)" : "%s + %s * %ld",
                        address->name, index, stride);
}

/* How the position goes on from there: step by step, or in rows. */
static const char *position_steps(const struct strips *s, int a) {
    const struct nest *nest = s->nest;
    const struct address *address = &nest->addresses[a];
    long step = stride_in_strip(nest, address);
    if (!nest->row) return arena_format(s->w->arena, "%ld", step);
    return arena_format(s->w->arena, "%ld, %ld, %ld", step, nest->row, address->row_stride);
}

void strip_generate(struct strips *s, const struct expression *e, const char *to,
                    const char *count) {
    bool is_index = e->op == EXPRESSION_INDEX;
    bool is_pooled = s->statement->is_pooled;
    int a = is_index ? s->nest->index_address[is_pooled][e->index]
                     : s->nest->element_address[is_pooled];
    const char *name =
        use_symbol(s->w, arena_format(s->w->arena, "vector_%s%s", is_index ? "index" : "random",
                                      s->nest->row ? "_rows" : ""));
    const char *key =
        is_index ? "" : arena_format(s->w->arena, "%s, ", write_random_key(s->w, e->index));
    write_line(s->w, "%s(%s, %s%s, %s, %s);", name, to, key, position(s, a), position_steps(s, a),
               count);
}

/* The elements of a strip that is made ahead: of the longest piece. */
static const char *ahead_length(const struct strips *s) {
    long length = s->nest->extent[s->nest->strip];
    if (s->nest->rows >= 0) return "most";
    return arena_format(s->w->arena, "%ld", length < s->piece ? length : s->piece);
}

struct place strip_ahead(struct strips *s, int node, const char *arguments) {
    const struct expression_node *n = &s->own->list.nodes[node];
    enum expression_operator op = n->source->op;
    bool is_number = s->own->of[node].constancy == IS_NUMBER;
    const char *count = is_number ? "1" : ahead_length(s);
    struct text piece = s->w->text;
    s->w->text = s->ahead;
    struct place result = {is_number ? arena_format(s->w->arena, "number + %d", s->number_count++)
                                     : arena_format(s->w->arena, "ahead[%d]", s->ahead_count++),
                           !is_number, -1};
    if (op == EXPRESSION_CONSTANT)
        write_line(s->w, "number[%d] = %s;", s->number_count - 1,
                   literal(s->w, n->source->value, false));
    else if (op == EXPRESSION_INDEX)
        strip_generate(s, n->source, result.address, count);
    else if (op == EXPRESSION_OPERAND)
        write_line(s->w, "%s(%s, %s, %ld, %s);", use_symbol(s->w, "vector_repeat_row"),
                   result.address, loop_row(s->w, s->nest, n->operand), s->nest->row, count);
    else
        write_line(s->w, "%s(%s%s, %s);", use_symbol(s->w, microkernel_vector_name(op)),
                   result.address, arguments, count);
    s->ahead = s->w->text;
    s->w->text = piece;
    return result;
}

/* ---- repeated in each piece ---- */

struct place strip_repeated(struct strips *s, struct place value) {
    struct place copy = strip_new(s);
    write_line(s->w, "%s(%s, %s, 0, %s);", use_symbol(s->w, "vector_copy"), copy.address,
               value.address, strip_length(s));
    return copy;
}

struct place strip_number_each(struct strips *s, int address) {
    struct place strip = strip_new(s);
    write_line(s->w, "%s(%s, %s, %ld, %ld, n);", use_symbol(s->w, "vector_repeat_each"),
               strip.address, loop_row(s->w, s->nest, address),
               s->nest->addresses[address].row_stride, s->nest->row);
    return strip;
}
