/* vector_name.c: which vector operation of the library computes an operator of expressions. */
#include "microkernel.h"

#include <stddef.h>

const char *microkernel_vector_name(enum expression_operator op) {
    switch (op) {
    case EXPRESSION_RANDOM: return "vector_random";
    case EXPRESSION_ADD: return "vector_add";
    case EXPRESSION_SUBTRACT: return "vector_subtract";
    case EXPRESSION_MULTIPLY: return "vector_multiply";
    case EXPRESSION_DIVIDE: return "vector_divide";
    case EXPRESSION_MAXIMUM: return "vector_maximum";
    case EXPRESSION_MINIMUM: return "vector_minimum";
    case EXPRESSION_POWER: return "vector_power";
    case EXPRESSION_NEGATE: return "vector_negate";
    case EXPRESSION_ABSOLUTE: return "vector_absolute";
    case EXPRESSION_EXP: return "vector_exp";
    case EXPRESSION_LOG: return "vector_log";
    case EXPRESSION_SQRT: return "vector_sqrt";
    case EXPRESSION_TANH: return "vector_tanh";
    case EXPRESSION_ERF: return "vector_erf";
    case EXPRESSION_SIN: return "vector_sin";
    case EXPRESSION_COS: return "vector_cos";
    case EXPRESSION_FLOOR: return "vector_floor";
    case EXPRESSION_NEGATIVE_ZERO: return "vector_is_negative_zero";
    case EXPRESSION_LESS: return "vector_less";
    case EXPRESSION_LESS_EQUAL: return "vector_less_equal";
    case EXPRESSION_EQUAL: return "vector_equal";
    case EXPRESSION_SELECT: return "vector_select";
    case EXPRESSION_CONSTANT:
    case EXPRESSION_OPERAND: return "vector_copy";
    case EXPRESSION_INDEX:
    case EXPRESSION_OPERATOR_COUNT: break;
    }
    return NULL;
}
