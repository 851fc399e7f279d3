/* expression_text.c: scalar expressions as C. A value that is used twice becomes a temporary. */
#include "writer.h"

#include "../tensor/expression_list.h"

#include <math.h>

struct printer {
    struct writer *w;
    const struct expression_names *names;
    struct expression_list nodes;
    const char **text; /* what stands for a node, once written */
    int temporaries;
};

static int find(struct printer *p, const struct expression *e) {
    return expression_list_add(&p->nodes, e);
}

static bool is_leaf(const struct expression *e) {
    return e->op == EXPRESSION_CONSTANT || e->op == EXPRESSION_OPERAND || e->op == EXPRESSION_INDEX;
}

static const char *call(struct printer *p, const char *function, const char *a, const char *b) {
    const char *mathematics = p->w->mathematics ? p->w->mathematics : "";
    const char *kind = p->names->is_double ? mathematics : "real_";
    if (b) return arena_format(p->w->arena, "%s%s(%s, %s)", kind, function, a, b);
    return arena_format(p->w->arena, "%s%s(%s)", kind, function, a);
}

static const char *print(struct printer *p, const struct expression *e);

const char *write_random_key(struct writer *w, int stream) {
    return arena_format(w->arena, "key%d", stream);
}

/* random < constant, as whole numbers: all but one operation less; NULL: that is another form. The
 * random number is 24 of its bits / 2^24 (tensor/expression.h). */
static const char *random_below(struct printer *p, const struct expression *e) {
    const struct expression *random = e->in[0], *limit = e->in[1];
    if (p->names->is_double || e->op != EXPRESSION_LESS || random->op != EXPRESSION_RANDOM ||
        limit->op != EXPRESSION_CONSTANT)
        return NULL;
    double value = p->w->plan->use_double ? limit->value : (double)(float)limit->value;
    double least = ceil(value * 0x1p24); /* that is not below */
    if (!(least >= 0 && least < 0x1p24)) return NULL;
    return arena_format(p->w->arena, "real_random_bits(%s, %s) < %luu",
                        write_random_key(p->w, random->index), p->names->element,
                        (unsigned long)least << 8);
}

static const char *comparison(struct printer *p, const struct expression *e) {
    const char *random = random_below(p, e);
    if (random) return random;
    if (e->op == EXPRESSION_NEGATIVE_ZERO)
        return arena_format(p->w->arena, "real_is_negative_zero(%s%s)",
                            p->names->is_double ? "(real)" : "", print(p, e->in[0]));
    const char *sign = e->op == EXPRESSION_LESS ? "<" : e->op == EXPRESSION_EQUAL ? "==" : "<=";
    return arena_format(p->w->arena, "%s %s %s", print(p, e->in[0]), sign, print(p, e->in[1]));
}

static bool is_comparison(const struct expression *e) {
    return e->op == EXPRESSION_LESS || e->op == EXPRESSION_LESS_EQUAL ||
           e->op == EXPRESSION_EQUAL || e->op == EXPRESSION_NEGATIVE_ZERO;
}

/* max and min name their operands twice. */
static const char *simple(struct printer *p, const struct expression *e) {
    const char *text = print(p, e);
    if (is_leaf(e) || p->text[find(p, e)]) return text;
    const char *name = arena_format(p->w->arena, "%s%d", p->names->prefix, p->temporaries++);
    write_line(p->w, "const %s %s = %s;", p->names->is_double ? "double" : "real", name, text);
    return name;
}

static const char *compute(struct printer *p, const struct expression *e) {
    struct arena *arena = p->w->arena;
    const struct expression_names *names = p->names;
    const char *type = names->is_double ? "double" : "real";
    switch (e->op) {
    case EXPRESSION_CONSTANT: return literal(p->w, e->value, names->is_double);
    case EXPRESSION_OPERAND: return names->operand[e->index];
    case EXPRESSION_INDEX: return arena_format(arena, "(%s)(%s)", type, names->index[e->index]);
    case EXPRESSION_RANDOM:
        return arena_format(arena, "real_random_once(%s, %s)", write_random_key(p->w, e->index),
                            names->element);
    case EXPRESSION_ADD:
    case EXPRESSION_SUBTRACT:
    case EXPRESSION_MULTIPLY:
    case EXPRESSION_DIVIDE: {
        char sign = "+-*/"[e->op - EXPRESSION_ADD];
        const char *a = print(p, e->in[0]);
        return arena_format(arena, "(%s %c %s)", a, sign, print(p, e->in[1]));
    }
    case EXPRESSION_MAXIMUM:
    case EXPRESSION_MINIMUM: {
        const char *a = simple(p, e->in[0]), *b = simple(p, e->in[1]);
        const char *sign = e->op == EXPRESSION_MAXIMUM ? ">" : "<";
        return arena_format(arena, "(%s %s %s ? %s : %s)", a, sign, b, a, b);
    }
    case EXPRESSION_POWER: {
        const char *a = print(p, e->in[0]);
        return call(p, "pow", a, print(p, e->in[1]));
    }
    case EXPRESSION_NEGATE: return arena_format(arena, "(-%s)", print(p, e->in[0]));
    case EXPRESSION_ABSOLUTE: {
        const char *a = simple(p, e->in[0]);
        return arena_format(arena, "(%s < 0 ? -%s : %s)", a, a, a);
    }
    case EXPRESSION_EXP: return call(p, "exp", print(p, e->in[0]), NULL);
    case EXPRESSION_LOG: return call(p, "log", print(p, e->in[0]), NULL);
    case EXPRESSION_SQRT: return call(p, "sqrt", print(p, e->in[0]), NULL);
    case EXPRESSION_TANH: return call(p, "tanh", print(p, e->in[0]), NULL);
    case EXPRESSION_ERF: return call(p, "erf", print(p, e->in[0]), NULL);
    case EXPRESSION_SIN: return call(p, "sin", print(p, e->in[0]), NULL);
    case EXPRESSION_COS: return call(p, "cos", print(p, e->in[0]), NULL);
    case EXPRESSION_FLOOR: return call(p, "floor", print(p, e->in[0]), NULL);
    case EXPRESSION_LESS:
    case EXPRESSION_LESS_EQUAL:
    case EXPRESSION_EQUAL:
    case EXPRESSION_NEGATIVE_ZERO: return arena_format(arena, "(%s)(%s)", type, comparison(p, e));
    case EXPRESSION_SELECT: {
        const char *condition = is_comparison(e->in[0])
                                    ? comparison(p, e->in[0])
                                    : arena_format(arena, "%s != 0", print(p, e->in[0]));
        const char *a = print(p, e->in[1]);
        return arena_format(arena, "(%s ? %s : %s)", condition, a, print(p, e->in[2]));
    }
    case EXPRESSION_OPERATOR_COUNT: break;
    }
    return "0";
}

static const char *print(struct printer *p, const struct expression *e) {
    if (is_leaf(e)) return compute(p, e);
    int i = find(p, e);
    if (p->text[i]) return p->text[i];
    const char *text = compute(p, e);
    if (p->nodes.nodes[i].uses < 2) return text;
    const char *name = arena_format(p->w->arena, "%s%d", p->names->prefix, p->temporaries++);
    write_line(p->w, "const %s %s = %s;", p->names->is_double ? "double" : "real", name, text);
    return p->text[i] = name;
}

const char *write_expression(struct writer *w, const struct expression *e,
                             const struct expression_names *names) {
    struct printer p = {.w = w, .names = names};
    expression_list_init(&p.nodes, w->arena);
    expression_list_add(&p.nodes, e);
    p.text = ARENA_ARRAY(w->arena, const char *, p.nodes.count);
    return print(&p, e);
}
