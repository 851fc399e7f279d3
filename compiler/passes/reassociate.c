/* reassociate.c: products with numbers that all pixels of a channel share are gathered, so that the
 * numbers meet once a channel and not once a pixel:
 *
 *   (x * a) * b       = x * (a * b)
 *   (x * a + b) * c   = x * (a * c) + b * c
 *   (x + x) * a       = x * (a + a)
 *   x * s - a         = (x - a * s) * s         where s is 1 or -1
 *   (x + a) - -0.0    = x + (a - -0.0)          which is what makes 0 of -0.0
 *   select(c, x * a + b, 0) = x * select(c, a, 0) + select(c, b, 0)      where the sample decides c
 *
 * The last one only in loops that go window by window, which keep numbers of a channel and sample
 * (c/loop_windows.c).
 *
 * A difference to a number is never taken apart: it would cancel. Before that, a statement that
 * only one other reads becomes part of it, and what is chosen under a condition that holds anyway
 * is chosen. */
#include "kernels.h"

#include "../tensor/expression_list.h"

#include <limits.h>
#include <math.h>
#include <string.h>

/* Of an expression: expression.operands has a bit for each. */
enum { MOST_OPERANDS = (int)(CHAR_BIT * sizeof(unsigned long)) - 2 };

/* ---- statements that one other reads ---- */

static bool reads(const struct statement *s, int number) {
    for (int k = 0; k < s->operand_count; k++)
        if (s->operands[k].statement == number) return true;
    return false;
}

/* The only statement that reads this one, if it can compute it itself; else -1. */
static int only_reader(const struct loop_kernel *loop, int number) {
    const struct statement *s = &loop->statements[number];
    int reader = -1;
    if (s->kind != STATEMENT_VALUE || s->is_stored || s->window) return -1;
    for (int i = number + 1; i < loop->statement_count; i++) {
        if (!reads(&loop->statements[i], number)) continue;
        if (reader >= 0) return -1;
        reader = i;
    }
    if (reader < 0) return -1;
    const struct statement *to = &loop->statements[reader];
    bool fits = to->kind == STATEMENT_VALUE && !to->window && to->is_pooled == s->is_pooled &&
                shape_equal(&to->tensor->shape, &s->tensor->shape) &&
                to->operand_count + s->operand_count <= MOST_OPERANDS;
    return fits ? reader : -1;
}

static int add_operand(struct loop_operand *operands, int *count,
                       const struct loop_operand *operand) {
    for (int i = 0; i < *count; i++)
        if (operands[i].statement == operand->statement &&
            (operand->statement >= 0 || operands[i].tensor == operand->tensor))
            return i;
    operands[*count] = *operand;
    return (*count)++;
}

/* Puts statement `number` into the one that reads it. */
static void absorb(struct arena *arena, struct loop_kernel *loop, int number, int reader) {
    const struct statement *from = &loop->statements[number];
    struct statement *to = &loop->statements[reader];
    int most = from->operand_count + to->operand_count, count = 0;
    struct loop_operand *operands = ARENA_ARRAY(arena, struct loop_operand, most);
    const struct expression **outer = ARENA_ARRAY(arena, const struct expression *, most);
    const struct expression **inner = ARENA_ARRAY(arena, const struct expression *, most);
    for (int k = 0; k < from->operand_count; k++)
        inner[k] = expression_operand(arena, add_operand(operands, &count, &from->operands[k]));
    for (int k = 0; k < to->operand_count; k++)
        outer[k] = to->operands[k].statement == number
                       ? expression_substitute(arena, from->expression, inner, from->operand_count)
                       : expression_operand(arena, add_operand(operands, &count, &to->operands[k]));
    to->expression = expression_substitute(arena, to->expression, outer, to->operand_count);
    to->operands = operands;
    to->operand_count = count;
}

static void remove_statement(struct loop_kernel *loop, int number) {
    loop->statement_count--;
    memmove(&loop->statements[number], &loop->statements[number + 1],
            sizeof *loop->statements * (size_t)(loop->statement_count - number));
    for (int i = number; i < loop->statement_count; i++)
        for (int k = 0; k < loop->statements[i].operand_count; k++)
            loop->statements[i].operands[k].statement -=
                loop->statements[i].operands[k].statement > number;
}

static void absorb_statements(struct arena *arena, struct loop_kernel *loop) {
    for (int i = loop->statement_count - 1; i >= 0; i--) {
        int reader = only_reader(loop, i);
        if (reader < 0) continue;
        absorb(arena, loop, i, reader);
        remove_statement(loop, i);
    }
}

/* ---- numbers ---- */

struct numbers {
    struct arena *arena;
    unsigned long varying, signs; /* bits of operands */
    bool by_window;
};

static bool is_number(const struct numbers *n, const struct expression *e) {
    return !(e->operands & n->varying) && !expression_contains(e, EXPRESSION_RANDOM) &&
           !expression_contains(e, EXPRESSION_INDEX);
}

static bool is_sign(const struct numbers *n, const struct expression *e) {
    return e->op == EXPRESSION_OPERAND && (n->signs >> e->index & 1);
}

/* True if e is x * a with a number a. */
static bool is_scaled(const struct numbers *n, const struct expression *e) {
    return e->op == EXPRESSION_MULTIPLY && is_number(n, e->in[1]) && !is_number(n, e->in[0]);
}

static const struct expression *binary(const struct numbers *n, enum expression_operator op,
                                       const struct expression *a, const struct expression *b) {
    return expression_binary(n->arena, op, a, b);
}

static const struct expression *scale(const struct numbers *n, const struct expression *x,
                                      const struct expression *a) {
    if (is_scaled(n, x)) return scale(n, x->in[0], binary(n, EXPRESSION_MULTIPLY, x->in[1], a));
    if (x->op == EXPRESSION_ADD && expression_equal(x->in[0], x->in[1]))
        return scale(n, x->in[0], binary(n, EXPRESSION_ADD, a, a));
    if (x->op == EXPRESSION_ADD && is_scaled(n, x->in[0]) && is_number(n, x->in[1]))
        return binary(n, EXPRESSION_ADD, scale(n, x->in[0], a),
                      binary(n, EXPRESSION_MULTIPLY, x->in[1], a));
    return binary(n, EXPRESSION_MULTIPLY, x, a);
}

/* The context is a condition that holds. */
static const struct expression *assume(const void *context, const struct expression *e) {
    bool is_chosen = e->op == EXPRESSION_SELECT && expression_equal(e->in[0], context);
    return is_chosen ? e->in[1] : e;
}

static bool is_zero(const struct expression *e) {
    return e->op == EXPRESSION_CONSTANT && e->value == 0 && !signbit(e->value);
}

static bool is_negative_zero(const struct expression *e) {
    return e->op == EXPRESSION_CONSTANT && e->value == 0 && signbit(e->value);
}

/* True if the number of the sample decides it, and numbers. */
static bool is_by_sample(const struct numbers *n, const struct expression *e) {
    const unsigned long of_sample = 1;
    return e->axes == of_sample && !(e->operands & n->varying) &&
           !expression_contains(e, EXPRESSION_RANDOM);
}

/* select(c, x * a + b, 0), b or 0 */
static const struct expression *choose_numbers(const struct numbers *n, const struct expression *c,
                                               const struct expression *x,
                                               const struct expression *zero) {
    bool is_sum = x->op == EXPRESSION_ADD && is_number(n, x->in[1]);
    const struct expression *product = is_sum ? x->in[0] : x;
    if (!is_scaled(n, product)) return NULL;
    const struct expression *factor = expression_select(n->arena, c, product->in[1], zero);
    product = binary(n, EXPRESSION_MULTIPLY, product->in[0], factor);
    if (!is_sum) return product;
    return binary(n, EXPRESSION_ADD, product, expression_select(n->arena, c, x->in[1], zero));
}

static const struct expression *gather_choice(const struct numbers *n, const struct expression *e) {
    const struct expression *c = e->in[0], *zero = e->in[2], *of_numbers = NULL;
    const struct expression *x = expression_rewrite(n->arena, e->in[1], assume, c);
    if (n->by_window && is_zero(zero) && is_by_sample(n, c))
        of_numbers = choose_numbers(n, c, x, zero);
    return of_numbers ? of_numbers : expression_select(n->arena, c, x, zero);
}

/* Its inputs are gathered already. */
static const struct expression *gather(const void *context, const struct expression *e) {
    const struct numbers *n = context;
    const struct expression *a = e->in[0], *b = e->in[1];
    if (is_number(n, e)) return e;
    if (e->op == EXPRESSION_SELECT) return gather_choice(n, e);
    if (e->op == EXPRESSION_MULTIPLY && is_number(n, b)) return scale(n, a, b);
    if (e->op == EXPRESSION_MULTIPLY && is_number(n, a)) return scale(n, b, a);
    if (e->op == EXPRESSION_SUBTRACT && is_negative_zero(b) && a->op == EXPRESSION_ADD &&
        is_number(n, a->in[1]))
        return binary(n, EXPRESSION_ADD, a->in[0], binary(n, EXPRESSION_SUBTRACT, a->in[1], b));
    if (e->op == EXPRESSION_SUBTRACT && is_number(n, b) && is_scaled(n, a) && is_sign(n, a->in[1]))
        return binary(
            n, EXPRESSION_MULTIPLY,
            binary(n, EXPRESSION_SUBTRACT, a->in[0], binary(n, EXPRESSION_MULTIPLY, b, a->in[1])),
            a->in[1]);
    return e;
}

/* select(.., -1, 1) */
static bool chooses_sign(const struct tensor *t) {
    if (t->primitive != PRIMITIVE_MAP || t->expression->op != EXPRESSION_SELECT) return false;
    for (int i = 1; i <= 2; i++) {
        const struct expression *e = t->expression->in[i];
        if (e->op != EXPRESSION_CONSTANT || e->value * e->value != 1) return false;
    }
    return true;
}

const struct expression *reassociate(struct arena *arena, const struct expression *e,
                                     unsigned long varying, unsigned long signs, bool by_window) {
    struct numbers n = {arena, varying, signs, by_window};
    return expression_rewrite(arena, e, gather, &n);
}

static void gather_numbers(struct arena *arena, struct statement *s, bool by_window) {
    unsigned long varying = 0, signs = 0;
    if (s->operand_count > MOST_OPERANDS) return;
    for (int k = 0; k < s->operand_count; k++) {
        const struct loop_operand *operand = &s->operands[k];
        bool is_same = operand->statement < 0 && tensor_is_by_channel(operand->tensor);
        if (!is_same) varying |= 1ul << k;
        if (is_same && chooses_sign(operand->tensor)) signs |= 1ul << k;
    }
    s->expression = reassociate(arena, s->expression, varying, signs, by_window);
}

void pass_reassociate(struct program_plan *plan) {
    for (int i = 0; i < plan->kernel_count; i++) {
        struct kernel *kernel = plan->kernels[i];
        if (kernel->kind != KERNEL_LOOP || kernel->loop.layout != LAYOUT_BLOCKED) continue;
        absorb_statements(plan->arena, &kernel->loop);
        for (int j = 0; j < kernel->loop.statement_count; j++)
            gather_numbers(plan->arena, &kernel->loop.statements[j], kernel->loop.pooling);
    }
}
