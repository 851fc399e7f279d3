/* expression_print.c: expressions for people (see expression.h). */
#include "expression.h"
#include "expression_list.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Binding strength of the operators that stand between their inputs. */
static int precedence(enum expression_operator op) {
    switch (op) {
    case EXPRESSION_EQUAL: return 1;
    case EXPRESSION_LESS:
    case EXPRESSION_LESS_EQUAL: return 2;
    case EXPRESSION_ADD:
    case EXPRESSION_SUBTRACT: return 3;
    case EXPRESSION_MULTIPLY:
    case EXPRESSION_DIVIDE: return 4;
    case EXPRESSION_NEGATE: return 5;
    default: return 6;
    }
}

static void print_constant(struct text *text, double value) {
    char digits[32];
    snprintf(digits, sizeof digits, "%.9g", value);
    if (strtod(digits, NULL) != value && !isnan(value))
        snprintf(digits, sizeof digits, "%.17g", value);
    text_put(text, digits);
}

struct printer {
    struct text *text;
    const struct expression_list *list;
    const char *const *names;
};

static void print_node(const struct printer *printer, int number, int least);

static void print_reference(const struct printer *printer, int number, int least) {
    const struct expression_node *node = &printer->list->nodes[number];
    if (node->uses > 1 && expression_arity(node->source->op) > 0)
        text_add(printer->text, "t%d", number);
    else
        print_node(printer, number, least);
}

static void print_call(const struct printer *printer, const struct expression_node *node) {
    text_add(printer->text, "%s(", expression_operator_name(node->source->op));
    for (int k = 0; k < expression_arity(node->source->op); k++) {
        if (k) text_put(printer->text, ", ");
        print_reference(printer, node->in[k], 0);
    }
    text_put(printer->text, ")");
}

static void print_leaf(const struct printer *printer, const struct expression *e) {
    struct text *text = printer->text;
    if (e->op == EXPRESSION_CONSTANT)
        print_constant(text, e->value);
    else if (e->op == EXPRESSION_OPERAND && printer->names)
        text_put(text, printer->names[e->index]);
    else if (e->op == EXPRESSION_OPERAND)
        text_add(text, "x%d", e->index);
    else
        text_add(text, "%s(%d)", expression_operator_name(e->op), e->index);
}

/* Prints a node, in parentheses if it binds less than `least`. */
static void print_node(const struct printer *printer, int number, int least) {
    const struct expression_node *node = &printer->list->nodes[number];
    enum expression_operator op = node->source->op;
    int strength = precedence(op);
    if (expression_arity(op) == 0) {
        print_leaf(printer, node->source);
    } else if (strength == 6) {
        print_call(printer, node);
    } else {
        if (strength < least) text_put(printer->text, "(");
        if (op == EXPRESSION_NEGATE) {
            text_put(printer->text, "-");
            print_reference(printer, node->in[0], strength + 1);
        } else {
            print_reference(printer, node->in[0], strength);
            text_add(printer->text, " %s ", expression_operator_name(op));
            print_reference(printer, node->in[1], strength + 1);
        }
        if (strength < least) text_put(printer->text, ")");
    }
}

/* What several nodes read is printed once, in front: `t3 = exp(x0); t3 / (1 + t3)`. */
void expression_print(struct text *text, const struct expression *e, const char *const *names) {
    struct expression_list list;
    expression_list_init(&list, text->arena);
    expression_list_add(&list, e);
    struct printer printer = {.text = text, .list = &list, .names = names};
    for (int i = 0; i + 1 < list.count; i++) {
        if (list.nodes[i].uses < 2 || expression_arity(list.nodes[i].source->op) == 0) continue;
        text_add(text, "t%d = ", i);
        print_node(&printer, i, 0);
        text_put(text, "; ");
    }
    print_node(&printer, list.count - 1, 0);
}
