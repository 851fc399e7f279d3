/* strip_operations.c: the expressions of a strip as calls of the library: one for each operator, or
 * for a chain of them. What several statements compute is computed once. */
#include "loop_strips.h"

#include <string.h>

/* ---- the values of all statements ---- */

/* Each statement numbers its operands by itself; here they are addresses or statements. */
static int operand_number(const struct strips *s, const struct loop_operand *operand) {
    if (operand->statement >= 0) return s->nest->address_count + operand->statement;
    return nest_find(s->nest, s->nest->plan_views[operand->tensor->number]);
}

static const int *operand_numbers(const struct strips *s) {
    int count = s->statement->operand_count, *numbers = ARENA_ARRAY(s->w->arena, int, count);
    for (int k = 0; k < count; k++) numbers[k] = operand_number(s, &s->statement->operands[k]);
    return numbers;
}

static void select_statement(struct strips *s, int number) {
    s->number = number;
    s->statement = &s->nest->kernel->loop.statements[number];
    s->own = &s->values[s->statement->is_pooled];
}

/* Counts how often the statement reads each value; what made one that is there is not read again.
 */
static void count_reads(struct strips *s) {
    struct value *of = s->own->of;
    int root = s->roots[s->number];
    for (int i = 0; i < root; i++) of[i].uses = 0;
    of[root].uses = 1;
    for (int i = root; i >= 0; i--) {
        if (!of[i].uses || of[i].is_placed) continue;
        const struct expression_node *node = &s->own->list.nodes[i];
        for (int k = 0; k < expression_arity(node->source->op); k++) of[node->in[k]].uses++;
    }
}

void strip_enter(struct strips *s, int number) {
    select_statement(s, number);
    count_reads(s);
}

void strip_list_values(struct strips *s) {
    const struct loop_kernel *loop = &s->nest->kernel->loop;
    s->roots = ARENA_ARRAY(s->w->arena, int, loop->statement_count);
    for (int k = 0; k < 2; k++) expression_list_init(&s->values[k].list, s->w->arena);
    for (int i = 0; i < loop->statement_count; i++) {
        select_statement(s, i);
        expression_list_number_operands(&s->own->list, operand_numbers(s));
        s->roots[i] = expression_list_add(&s->own->list, s->statement->expression);
    }
    for (int k = 0; k < 2; k++) {
        s->values[k].of = ARENA_ARRAY(s->w->arena, struct value, s->values[k].list.count);
        strip_find_constants(s, &s->values[k]);
    }
    for (int i = 0; i < loop->statement_count; i++) {
        strip_enter(s, i);
        for (int node = 0; node <= s->roots[i]; node++)
            if (s->own->of[node].uses) s->own->of[node].last_statement = i;
    }
}

static void free_slot(struct strips *s, struct value *value) {
    if (value->is_placed && value->place.slot >= 0) s->is_used[value->place.slot] = false;
    value->place.slot = -1;
}

static void release(struct strips *s, int node) {
    struct value *value = &s->own->of[node];
    if (--value->uses == 0 && value->last_statement == s->number) free_slot(s, value);
}

void strip_leave(struct strips *s) {
    bool is_kept = s->statement->kind == STATEMENT_VALUE && s->results[s->number].slot >= 0;
    if (is_kept) s->own->of[s->roots[s->number]].place.slot = -1;
    for (int node = 0; node <= s->roots[s->number]; node++)
        if (s->own->of[node].last_statement == s->number) free_slot(s, &s->own->of[node]);
}

/* ---- calls ---- */

const char *strip_arguments(struct strips *s, const int *in, int count) {
    struct text arguments = {.arena = s->w->arena};
    for (int k = 0; k < count; k++) {
        struct place place = strip_evaluate(s, in[k], NULL);
        text_add(&arguments, ", %s, %d", place.address, place.step);
    }
    return text_string(&arguments);
}

static struct place operate(struct strips *s, int node, const struct place *destination) {
    struct operation operation = strip_find_operation(s, node);
    const char *arguments = strip_arguments(s, operation.in, operation.count);
    /* A slot that is free now may take the result: the operations run element by element. */
    for (int k = 0; k < operation.count; k++) release(s, operation.in[k]);
    struct place result = destination ? *destination : strip_new(s);
    write_line(s->w, "%s(%s%s, %s);", use_symbol(s->w, operation.name), result.address, arguments,
               strip_length(s));
    return result;
}

static struct place operand_place(struct strips *s, int number) {
    if (number < s->nest->address_count)
        return strip_is_number_each(s, number) ? strip_number_each(s, number)
                                               : strip_memory(s, number);
    struct place place = s->results[number - s->nest->address_count];
    place.slot = -1; /* not the operand's to free */
    return place;
}

struct place strip_operand(struct strips *s, int k) {
    return operand_place(s, operand_number(s, &s->statement->operands[k]));
}

struct place strip_evaluate(struct strips *s, int node, const struct place *destination) {
    struct value *value = &s->own->of[node];
    const struct expression_node *n = &s->own->list.nodes[node];
    enum expression_operator op = n->source->op;
    if (value->is_placed) return value->place;
    if (value->constancy == REPEATS ||
        (value->constancy == IS_NUMBER && op != EXPRESSION_OPERAND)) {
        value->place = strip_ahead(s, node, strip_arguments(s, n->in, expression_arity(op)));
    } else if (op == EXPRESSION_OPERAND) {
        value->place = operand_place(s, n->operand);
    } else if (op == EXPRESSION_INDEX || op == EXPRESSION_RANDOM) {
        value->place = destination ? *destination : strip_new(s);
        strip_generate(s, n->source, value->place.address, strip_length(s));
    } else {
        value->place = operate(s, node, destination);
    }
    value->is_placed = true;
    return value->place;
}
