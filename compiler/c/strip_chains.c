/* strip_chains.c: which call of the library computes an expression: one for its last operator, for
 * a chain of operators, or for several statements. */
#include "loop_strips.h"

#include <string.h>

/* A pattern (see struct microkernel_chain) laid over the statements. */
struct match {
    const struct strips *s;
    struct operation operation;
};

static enum expression_operator pattern_operator(char c) {
    switch (c) {
    case '+': return EXPRESSION_ADD;
    case '-': return EXPRESSION_SUBTRACT;
    case '*': return EXPRESSION_MULTIPLY;
    case '/': return EXPRESSION_DIVIDE;
    case '<': return EXPRESSION_LESS;
    case '=': return EXPRESSION_EQUAL;
    case '?': return EXPRESSION_SELECT;
    default: return EXPRESSION_SQRT;
    }
}

/* What lies inside a chain must be of no use to the rest of the statement, and not be there
 * already. */
static bool can_be_inside(const struct value *value) {
    return value->uses == 1 && !value->is_placed && value->constancy == VARIES;
}

/* A letter that comes again stands for the same operand. */
static bool match_operand(struct operation *operation, char letter, int node) {
    int k = letter - 'a';
    if (k < operation->count) return operation->in[k] == node;
    operation->in[operation->count++] = node;
    return true;
}

/* The statement whose value this one only copies, or itself. */
static int source_of(const struct strips *s, int number) {
    const struct statement *statement = &s->nest->kernel->loop.statements[number];
    const struct expression *e = statement->expression;
    if (statement->kind != STATEMENT_VALUE || statement->window || e->op != EXPRESSION_OPERAND)
        return number;
    int source = statement->operands[e->index].statement;
    return source < 0 ? number : source_of(s, source);
}

static bool is_result(const struct match *match, const struct expression_node *n, char letter) {
    const int addresses = match->s->nest->address_count;
    if (n->source->op != EXPRESSION_OPERAND || n->operand < addresses) return false;
    return source_of(match->s, n->operand - addresses) ==
           match->operation.results[letter - 'A'];
}

/* Does the expression have the form of the pattern? Returns the rest of the pattern, or NULL. */
static const char *match_pattern(struct match *match, const char *pattern, int node,
                                 bool is_inside) {
    const struct values *own = match->s->own;
    const struct expression_node *n = &own->list.nodes[node];
    struct operation *operation = &match->operation;
    enum expression_operator op = n->source->op;
    char c = *pattern++;
    if (microkernel_is_operand(c)) return match_operand(operation, c, node) ? pattern : NULL;
    if (c >= 'A' && c <= 'Z') return is_result(match, n, c) ? pattern : NULL;
    if (op != pattern_operator(c)) return NULL;
    if (is_inside && !can_be_inside(&own->of[node])) return NULL;
    int arity = expression_arity(op);
    if (arity != 2) {
        for (int k = 0; k < arity && pattern; k++)
            pattern = match_pattern(match, pattern, n->in[k], true);
        return pattern;
    }
    bool commutes = op == EXPRESSION_ADD || op == EXPRESSION_MULTIPLY;
    for (int order = 0, count = operation->count; order < (commutes ? 2 : 1); order++) {
        operation->count = count;
        const char *rest = match_pattern(match, pattern, n->in[order], true);
        if (rest) rest = match_pattern(match, rest, n->in[1 - order], true);
        if (rest) return rest;
    }
    return NULL;
}

struct operation strip_find_operation(const struct strips *s, int node) {
    const struct expression_node *n = &s->own->list.nodes[node];
    for (const struct microkernel_chain *chain = microkernel_chains(); chain->name; chain++) {
        struct match match = {s, {.name = chain->name}};
        const char *rest = match_pattern(&match, chain->pattern, node, false);
        if (rest && !*rest) return match.operation;
    }
    struct operation operation = {.name = microkernel_vector_name(n->source->op),
                                  .count = expression_arity(n->source->op)};
    memcpy(operation.in, n->in, sizeof n->in);
    return operation;
}

/* ---- several statements ---- */

/* Is it there without a call in each piece? */
static bool is_at_hand(const struct strips *s, int node) {
    int number = s->own->list.nodes[node].operand;
    if (s->own->of[node].constancy != VARIES) return true;
    return s->own->list.nodes[node].source->op == EXPRESSION_OPERAND && number < s->nest->address_count &&
           !strip_is_number_each(s, number);
}

static bool is_free_value(const struct strips *s) {
    return s->statement->kind == STATEMENT_VALUE && !s->statement->window &&
           !s->own->of[s->roots[s->number]].is_placed;
}

/* Enters the next statement that is no copy of a result; false if there is none. */
static bool enter_next(struct strips *s, const struct operation *operation) {
    bool is_copy = true;
    while (is_copy && s->number + 1 < s->nest->kernel->loop.statement_count) {
        strip_enter(s, s->number + 1);
        is_copy = false;
        for (int k = 0; k < operation->result_count; k++)
            is_copy = is_copy || source_of(s, s->number) == operation->results[k];
    }
    return !is_copy;
}

/* Do the patterns of a chain fit the statements from this one on? The last one is entered. */
static bool match_statements(struct strips *s, const char *pattern, struct match *match) {
    const struct values *own = s->own;
    struct operation *operation = &match->operation;
    do {
        if (s->own != own || !is_free_value(s)) return false;
        pattern = match_pattern(match, pattern, s->roots[s->number], false);
        if (!pattern) return false;
        operation->results[operation->result_count++] = s->number;
        if (!*pattern) return true;
    } while (*pattern++ == ';' && enter_next(s, operation));
    return false;
}

bool strip_find_statements(struct strips *s, struct operation *operation) {
    int first = s->number;
    for (const struct microkernel_chain *chain = microkernel_chains(); chain->name; chain++) {
        if (!strchr(chain->pattern, ';')) continue;
        struct match match = {s, {.name = chain->name}};
        bool fits = match_statements(s, chain->pattern, &match);
        if (s->number != first) strip_enter(s, first);
        for (int k = 0; k < match.operation.count; k++)
            fits = fits && is_at_hand(s, match.operation.in[k]);
        *operation = match.operation;
        if (fits) return true;
    }
    return false;
}
