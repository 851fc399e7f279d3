/* microkernel_chain.c: operations on strips that compute several operators at once: each call of a
 * simple operation reads and writes a strip, and that is most of its time.
 *
 * Every operator of a chain rounds, as the simple operations do: the bits are the same. */
#include "microkernel_text.h"

#include <string.h>

/* Longer ones first: the first one that fits an expression is taken. */
const struct microkernel_chain *microkernel_chains(void) {
    static const struct microkernel_chain chains[] = {
        {"vector_subtract_quotient_by_root", "-a/*bc+r*def"},
        {"vector_quotient_by_root", "/*ab+rcd"},
        {"vector_add_products", "+*ab**cde"},
        {"vector_multiply_add_multiply", "+*ab*cd"},
        {"vector_subtract_multiply_multiply", "**-abcd"},
        {"vector_multiply_add", "+*abc"},
        {"vector_subtract_multiply", "*-abc"},
        {"vector_subtract_product", "-a*bc"},
        {"vector_select_less_multiply", "?<abc*de"},
        {"vector_select_less", "?<abcd"},
        {"vector_select_equal", "?=abcd"},
        {"vector_multiply_multiply", "**abc"},
        {NULL, NULL},
    };
    return chains;
}

/* Appends what the pattern computes of elements k; returns the rest of the pattern. */
static const char *print_value(struct text *text, const char *pattern) {
    char op = *pattern++;
    if (op >= 'a' && op <= 'f') {
        text_add(text, "%c[k]", op);
        return pattern;
    }
    text_put(text, op == 'r' ? "real_sqrt(" : "(");
    pattern = print_value(text, pattern);
    if (op == '?') {
        text_put(text, " ? ");
        pattern = print_value(text, pattern);
        text_put(text, " : ");
        pattern = print_value(text, pattern);
    } else if (op != 'r') {
        text_add(text, op == '=' ? " == " : " %c ", op);
        pattern = print_value(text, pattern);
    }
    text_put(text, ")");
    return pattern;
}

static char last_operand(const char *pattern) {
    return pattern[strlen(pattern) - 1];
}

static void print_head(struct text *text, const struct microkernel_chain *chain) {
    text_add(text, "void %s(real *to", chain->name);
    for (char c = 'a'; c <= last_operand(chain->pattern); c++)
        text_add(text, ", const real *%c, long %c_step", c, c);
    text_put(text, ", long n)");
}

/* One loop serves all steps: a number is read from sixteen copies of it, again and again. */
static void print_chain(struct text *text, const struct microkernel_chain *chain) {
    const char *pattern = chain->pattern;
    const char last = last_operand(pattern);
    text_put(text, "static ");
    print_head(text, chain);
    text_put(text, " {\n");
    for (char c = 'a'; c <= last; c++)
        text_add(text,
                 "    real %c_copies[16];\n"
                 "    if (!%c_step) %c = copies_of(*%c, %c_copies);\n",
                 c, c, c, c, c);
    text_put(text, "    for (; n >= 16; n -= 16) {\n"
                   "        INDEPENDENT\n"
                   "        for (int k = 0; k < 16; k++) to[k] = ");
    print_value(text, pattern);
    text_put(text, ";\n        to += 16;\n");
    for (char c = 'a'; c <= last; c++) text_add(text, "        %c += 16 * %c_step;\n", c, c);
    text_put(text, "    }\n"
                   "    INDEPENDENT\n"
                   "    for (int k = 0; k < n; k++) to[k] = ");
    print_value(text, pattern);
    text_put(text, ";\n}\n\n");
}

void microkernel_print_chains(struct text *text) {
    text_put(text, "static const real *copies_of(real number, real *copies) {\n"
                   "    for (int k = 0; k < 16; k++) copies[k] = number;\n"
                   "    return copies;\n"
                   "}\n\n");
    for (const struct microkernel_chain *chain = microkernel_chains(); chain->name; chain++)
        print_chain(text, chain);
}

bool microkernel_print_chain_prototype(struct text *text, const char *name) {
    for (const struct microkernel_chain *chain = microkernel_chains(); chain->name; chain++)
        if (!strcmp(chain->name, name)) {
            print_head(text, chain);
            text_put(text, ";\n");
            return true;
        }
    return false;
}
