/* expression_list.c: distinct nodes of an expression, in order (see expression_list.h). */
#include "expression_list.h"

#include <stdint.h>
#include <string.h>

void expression_list_init(struct expression_list *list, struct arena *arena) {
    memset(list, 0, sizeof *list);
    list->arena = arena;
    list->nodes = list->small_nodes;
    list->capacity = EXPRESSION_LIST_SMALL;
    list->seen = list->small_seen;
    list->table = list->small_table;
    list->seen_size = list->table_size = 2 * EXPRESSION_LIST_SMALL;
}

static uint64_t mix(uint64_t hash, uint64_t value) {
    hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
    return hash ^ (hash >> 29);
}

static uint64_t value_bits(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* The place of a source pointer in the table of seen ones: its entry, or the free one. */
static struct expression_seen *seen_place(const struct expression_list *list,
                                          const struct expression *source) {
    size_t mask = (size_t)list->seen_size - 1;
    size_t i = (size_t)mix(0, (uint64_t)(uintptr_t)source) & mask;
    while (list->seen[i].source && list->seen[i].source != source) i = (i + 1) & mask;
    return &list->seen[i];
}

static void see(struct expression_list *list, const struct expression *source, int number) {
    if (2 * (list->seen_count + 1) > list->seen_size) {
        struct expression_seen *old = list->seen;
        int size = list->seen_size;
        list->seen_size *= 2;
        list->seen = ARENA_ARRAY(list->arena, struct expression_seen, list->seen_size);
        for (int i = 0; i < size; i++)
            if (old[i].source) *seen_place(list, old[i].source) = old[i];
    }
    struct expression_seen *place = seen_place(list, source);
    place->source = source;
    place->number = number;
    list->seen_count++;
}

static bool same_node(const struct expression_node *a, const struct expression_node *b) {
    bool is_operand = a->source->op == EXPRESSION_OPERAND;
    return a->source->op == b->source->op && a->operand == b->operand &&
           (is_operand || a->source->index == b->source->index) &&
           value_bits(a->source->value) == value_bits(b->source->value) && a->in[0] == b->in[0] &&
           a->in[1] == b->in[1] && a->in[2] == b->in[2];
}

/* The place of an equal node in the table (which holds numbers + 1), or the free one. */
static int *node_place(const struct expression_list *list, const struct expression_node *node) {
    bool is_operand = node->source->op == EXPRESSION_OPERAND;
    uint64_t index = (uint64_t)(is_operand ? node->operand : node->source->index);
    uint64_t hash = mix((uint64_t)node->source->op, index);
    hash = mix(hash, value_bits(node->source->value));
    for (int k = 0; k < 3; k++) hash = mix(hash, (uint64_t)node->in[k]);
    size_t mask = (size_t)list->table_size - 1, i = (size_t)hash & mask;
    while (list->table[i] && !same_node(&list->nodes[list->table[i] - 1], node)) i = (i + 1) & mask;
    return &list->table[i];
}

static void grow(struct expression_list *list) {
    if (list->count == list->capacity) {
        struct expression_node *old = list->nodes;
        list->capacity *= 2;
        list->nodes = ARENA_ARRAY(list->arena, struct expression_node, list->capacity);
        memcpy(list->nodes, old, sizeof *old * (size_t)list->count);
    }
    if (2 * (list->count + 1) > list->table_size) {
        list->table_size *= 2;
        list->table = ARENA_ARRAY(list->arena, int, list->table_size);
        for (int i = 0; i < list->count; i++) *node_place(list, &list->nodes[i]) = i + 1;
    }
}

/* Adds a node whose inputs are in the list. */
static int add_node(struct expression_list *list, const struct expression *source) {
    struct expression_node node = {.source = source};
    if (source->op == EXPRESSION_OPERAND)
        node.operand = list->operands ? list->operands[source->index] : source->index;
    int arity = expression_arity(source->op);
    for (int k = 0; k < arity; k++) node.in[k] = seen_place(list, source->in[k])->number;
    grow(list);
    int *place = node_place(list, &node);
    if (!*place) {
        list->nodes[list->count++] = node;
        *place = list->count;
        for (int k = 0; k < arity; k++) list->nodes[node.in[k]].uses++;
    }
    return *place - 1;
}

/* The same expression may be added for another owner: it is not seen yet with these operands. */
void expression_list_number_operands(struct expression_list *list, const int *operands) {
    memset(list->seen, 0, sizeof *list->seen * (size_t)list->seen_size);
    list->seen_count = 0;
    list->operands = operands;
}

int expression_list_add(struct expression_list *list, const struct expression *e) {
    const struct expression_seen *place = seen_place(list, e);
    if (place->source) return place->number;
    /* An own stack: traced functions can be deep. Each node pushes its unseen inputs and is visited
     * again once they are in the list. */
    enum { SHALLOW = 64 };
    const struct expression *shallow[SHALLOW], **stack = shallow;
    int capacity = SHALLOW, depth = 0;
    stack[depth++] = e;
    while (depth) {
        const struct expression *top = stack[depth - 1];
        if (seen_place(list, top)->source) {
            depth--;
            continue;
        }
        if (depth + 3 > capacity) {
            const struct expression **old = stack;
            stack = ARENA_ARRAY(list->arena, const struct expression *, 2 * capacity);
            memcpy(stack, old, sizeof *old * (size_t)capacity);
            capacity *= 2;
        }
        int before = depth;
        for (int k = expression_arity(top->op) - 1; k >= 0; k--)
            if (!seen_place(list, top->in[k])->source) stack[depth++] = top->in[k];
        if (depth > before) continue;
        see(list, top, add_node(list, top));
        depth--;
    }
    return seen_place(list, e)->number;
}

double expression_list_value(const struct expression_list *list, double *values,
                             const double *operands, const struct expression_context *context) {
    for (int i = 0; i < list->count; i++) {
        const struct expression_node *node = &list->nodes[i];
        const struct expression *e = node->source;
        switch (e->op) {
        case EXPRESSION_CONSTANT: values[i] = e->value; break;
        case EXPRESSION_OPERAND: values[i] = operands[e->index]; break;
        case EXPRESSION_INDEX: values[i] = (double)context->position[e->index]; break;
        case EXPRESSION_RANDOM:
            values[i] =
                expression_random_value(context->seed, context->step, e->index, context->element);
            break;
        default:
            values[i] = expression_operator_value(e->op, values[node->in[0]], values[node->in[1]],
                                                  values[node->in[2]]);
        }
    }
    return values[list->count - 1];
}
