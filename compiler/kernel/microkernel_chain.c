/* microkernel_chain.c: operations on strips that compute several operators at once: each call of a
 * simple operation reads and writes a strip, and that is most of its time. Those of optimizers have
 * several results: weights come from a cache far away, and divisions take long.
 *
 * Every operator of a chain rounds, as the simple operations do: the bits are the same. */
#include "microkernel_text.h"

#include <string.h>

/* Longer ones first: the first one that fits is taken. Updates of weights are several statements.
 */
const struct microkernel_chain *microkernel_chains(void) {
    static const struct microkernel_chain chains[] = {
        {"vector_adam", "+*ab*cd;+*ef**ccg;-h/*iA+r*Bjk", "bdfgijk"},
        {"vector_rmsprop", "+*ab**ccd;-e/*fc+rAg", "bdfg"},
        {"vector_momentum", "+*ab*cd;-eA", "bc"},
        {"vector_subtract_quotient_by_root", "-a/*bc+r*def", NULL},
        {"vector_quotient_by_root", "/*ab+rcd", NULL},
        {"vector_add_products", "+*ab**cde", NULL},
        {"vector_multiply_add_multiply", "+*ab*cd", NULL},
        {"vector_subtract_multiply_multiply", "**-abcd", NULL},
        {"vector_multiply_add", "+*abc", NULL},
        {"vector_subtract_multiply", "*-abc", NULL},
        {"vector_subtract_product", "-a*bc", NULL},
        {"vector_select_less_multiply", "?<abc*de", NULL},
        {"vector_select_less", "?<abcd", NULL},
        {"vector_select_equal", "?=abcd", NULL},
        {"vector_multiply_multiply", "**abc", NULL},
        {NULL, NULL, NULL},
    };
    return chains;
}

bool microkernel_is_operand(char letter) {
    return letter >= 'a' && letter < 'a' + MICROKERNEL_CHAIN_OPERANDS;
}

/* Appends what the pattern computes of elements x; returns the rest of the pattern. */
static const char *print_value(struct text *text, const char *pattern, const char *numbers) {
    char op = *pattern++;
    if (microkernel_is_operand(op)) {
        text_add(text, strchr(numbers, op) ? "%c_number" : "%c[x]", op);
        return pattern;
    }
    if (op >= 'A' && op <= 'Z') {
        text_add(text, "%c_value", op);
        return pattern;
    }
    text_put(text, op == 'r' ? "real_sqrt(" : "(");
    pattern = print_value(text, pattern, numbers);
    if (op == '?') {
        text_put(text, " ? ");
        pattern = print_value(text, pattern, numbers);
        text_put(text, " : ");
        pattern = print_value(text, pattern, numbers);
    } else if (op != 'r') {
        text_add(text, op == '=' ? " == " : " %c ", op);
        pattern = print_value(text, pattern, numbers);
    }
    text_put(text, ")");
    return pattern;
}

static char last_operand(const char *pattern) {
    char last = 'a';
    for (; *pattern; pattern++)
        if (microkernel_is_operand(*pattern) && *pattern > last) last = *pattern;
    return last;
}

static char last_result(const char *pattern) {
    char last = 'A';
    for (; *pattern; pattern++) last = (char)(last + (*pattern == ';'));
    return last;
}

static void print_head(struct text *text, const struct microkernel_chain *chain) {
    text_add(text, "void %s(", chain->name);
    for (char c = 'A'; c <= last_result(chain->pattern); c++)
        text_add(text, "%sreal *%c", c > 'A' ? ", " : "", c);
    for (char c = 'a'; c <= last_operand(chain->pattern); c++)
        text_add(text, ", const real *%c, long %c_step", c, c);
    text_put(text, ", long n)");
}

/* A loop over elements x. A result may take the place of an operand: all are stored at the end. */
static void print_elements(struct text *text, const char *pattern, const char *numbers,
                           const char *count) {
    const char last = last_result(pattern);
    text_add(text,
             "    INDEPENDENT\n"
             "    for (long x = 0; x < %s; x++) {\n",
             count);
    for (char c = 'A'; c <= last; c++) {
        text_add(text, "        const real %c_value = ", c);
        pattern = print_value(text, pattern, numbers) + 1;
        text_put(text, ";\n");
    }
    for (char c = 'A'; c <= last; c++) text_add(text, "        %c[x] = %c_value;\n", c, c);
    text_put(text, "    }\n");
}

/* A loop of its own where exactly these operands are numbers: fewer addresses than processors have
 * registers. */
static void print_form_with_numbers(struct text *text, const char *pattern, const char *numbers) {
    const char last = last_operand(pattern);
    text_put(text, "    if (");
    for (char c = 'a'; c <= last; c++)
        text_add(text, "%s%s%c_step", c > 'a' ? " && " : "", strchr(numbers, c) ? "!" : "", c);
    text_put(text, ") {\n");
    for (const char *c = numbers; *c; c++)
        text_add(text, "    const real %c_number = *%c;\n", *c, *c);
    print_elements(text, pattern, numbers, "n");
    text_put(text, "    return;\n    }\n");
}

/* One loop serves all steps: a number is read from sixteen copies of it, again and again. */
static void print_chain(struct text *text, const struct microkernel_chain *chain) {
    const char *pattern = chain->pattern;
    const char last = last_operand(pattern);
    text_put(text, "static ");
    print_head(text, chain);
    text_put(text, " {\n");
    if (chain->numbers) print_form_with_numbers(text, pattern, chain->numbers);
    for (char c = 'a'; c <= last; c++)
        text_add(text,
                 "    real %c_copies[16];\n"
                 "    if (!%c_step) %c = copies_of(*%c, %c_copies);\n",
                 c, c, c, c, c);
    text_put(text, "    for (; n >= 16; n -= 16) {\n");
    print_elements(text, pattern, "", "16");
    for (char c = 'A'; c <= last_result(pattern); c++) text_add(text, "        %c += 16;\n", c);
    for (char c = 'a'; c <= last; c++) text_add(text, "        %c += 16 * %c_step;\n", c, c);
    text_put(text, "    }\n");
    print_elements(text, pattern, "", "n");
    text_put(text, "}\n\n");
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
