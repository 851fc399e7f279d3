/* compose.c: a map that only one other map of the same shape uses becomes part of that one's
 * expression: a chain of elementwise operations is one pass over memory. */
#include "kernels.h"

enum { MOST_OPERANDS = 12, MOST_COST = 80 };

static int *count_users(const struct graph *graph) {
    int *users = ARENA_ARRAY(graph->arena, int, graph->tensor_count);
    for (int i = 0; i < graph->tensor_count; i++)
        for (int j = 0; j < graph->tensors[i]->in_count; j++)
            users[graph->tensors[i]->in[j]->number]++;
    for (int i = 0; i < graph->output_count; i++) users[graph->outputs[i].tensor->number] += 2;
    for (int i = 0; i < graph->update_count; i++) users[graph->updates[i].value->number] += 2;
    return users;
}

/* Adds a tensor to the operands, or finds it there. */
static int add_operand(struct tensor **in, int *count, struct tensor *t) {
    for (int i = 0; i < *count; i++)
        if (in[i] == t) return i;
    in[*count] = t;
    return (*count)++;
}

static bool can_absorb(const struct tensor *t, const struct tensor *operand, const int *users) {
    return operand->primitive == PRIMITIVE_MAP && users[operand->number] == 1 &&
           shape_equal(&operand->shape, &t->shape) &&
           t->in_count + operand->in_count <= MOST_OPERANDS &&
           expression_cost(t->expression) <= MOST_COST - expression_cost(operand->expression);
}

/* Substitutes operand `which` of t by its expression. */
static void absorb(struct arena *arena, struct tensor *t, int which, int *users) {
    struct tensor *inner = t->in[which];
    struct tensor **in = ARENA_ARRAY(arena, struct tensor *, t->in_count + inner->in_count);
    const struct expression **outer =
        ARENA_ARRAY(arena, const struct expression *, t->in_count + 1);
    const struct expression **within =
        ARENA_ARRAY(arena, const struct expression *, inner->in_count + 1);
    int count = 0;
    for (int i = 0; i < inner->in_count; i++)
        within[i] = expression_operand(arena, add_operand(in, &count, inner->in[i]));
    for (int i = 0; i < t->in_count; i++)
        outer[i] = i == which
                       ? expression_substitute(arena, inner->expression, within, inner->in_count)
                       : expression_operand(arena, add_operand(in, &count, t->in[i]));
    for (int i = 0; i < inner->in_count; i++) users[inner->in[i]->number]--;
    for (int i = 0; i < t->in_count; i++) users[t->in[i]->number]--;
    for (int i = 0; i < count; i++) users[in[i]->number]++;
    t->expression = expression_substitute(arena, t->expression, outer, t->in_count);
    t->in = in;
    t->in_count = count;
}

void pass_compose(struct graph *graph) {
    int *users = count_users(graph);
    for (int i = 0; i < graph->tensor_count; i++) {
        struct tensor *t = graph->tensors[i];
        if (t->primitive != PRIMITIVE_MAP) continue;
        for (int j = 0; j < t->in_count; j++)
            if (can_absorb(t, t->in[j], users)) {
                absorb(graph->arena, t, j, users);
                j = -1;
            }
    }
}
