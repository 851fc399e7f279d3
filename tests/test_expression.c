/* test_expression.c: scalar expressions: values, folding, derivatives, text, random numbers. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "compiler/tensor/expression.h"

typedef const struct expression *expression;

static struct arena arena;

static int set_up(void **unused) {
    (void)unused;
    arena_init(&arena);
    return setjmp(arena.exhausted);
}

static int tear_down(void **unused) {
    (void)unused;
    arena_free(&arena);
    return 0;
}

static expression number(double value) {
    return expression_constant(&arena, value);
}
static expression x(int i) {
    return expression_operand(&arena, i);
}
static expression unary(enum expression_operator op, expression a) {
    return expression_unary(&arena, op, a);
}
static expression binary(enum expression_operator op, expression a, expression b) {
    return expression_binary(&arena, op, a, b);
}

static double value(expression e, double a, double b) {
    double operands[] = {a, b, 0.75};
    long position[] = {3, 5};
    struct expression_context context = {position, 17, 1, 2};
    return expression_value(e, operands, &context);
}

/* Five-point central difference by operand `which`: error of order h^4. */
static double difference(expression e, double a, double b, int which) {
    double h = 1e-3, f[4];
    const double step[] = {-2, -1, 1, 2};
    for (int i = 0; i < 4; i++)
        f[i] = which == 0 ? value(e, a + step[i] * h, b) : value(e, a, b + step[i] * h);
    return (f[0] - 8 * f[1] + 8 * f[2] - f[3]) / (12 * h);
}

static void check_derivatives(expression e, double a, double b) {
    for (int which = 0; which < 2; which++) {
        double expected = difference(e, a, b, which);
        double derived = value(expression_derivative(&arena, e, which), a, b);
        if (!(fabs(derived - expected) <= 1e-6 * (1 + fabs(expected)))) {
            struct text text = {.arena = &arena};
            expression_print(&text, e, NULL);
            fail_msg("d%d of %s at %g, %g: %.12g, by differences %.12g", which, text_string(&text),
                     a, b, derived, expected);
        }
    }
}

/* Every operator, alone and inside and outside of others, at points away from its kinks. */
static void test_derivatives(void **unused) {
    (void)unused;
    static const double points[][2] = {{0.37, 1.61}, {2.25, 0.63}, {1.13, 1.57}, {0.81, 3.41}};
    static const int arity[] = {
#define X(enumerator, name, arity) arity,
        EXPRESSION_OPERATORS(X)
#undef X
    };
    int checked = 0;
    for (int op = 0; op < EXPRESSION_OPERATOR_COUNT; op++) {
        enum expression_operator o = (enum expression_operator)op;
        expression inner = binary(EXPRESSION_ADD, binary(EXPRESSION_MULTIPLY, x(0), x(1)), x(0));
        expression e, nested;
        if (arity[op] == 1) {
            e = unary(o, x(0));
            nested = unary(o, inner);
        } else if (arity[op] == 2) {
            e = binary(o, x(0), x(1));
            nested = binary(o, inner, binary(EXPRESSION_DIVIDE, x(1), x(0)));
        } else if (op == EXPRESSION_SELECT) {
            expression less = binary(EXPRESSION_LESS, x(0), x(1));
            e = expression_select(&arena, less, x(0), binary(EXPRESSION_MULTIPLY, x(1), x(1)));
            nested = expression_select(&arena, less, inner, x(1));
        } else {
            e = o == EXPRESSION_CONSTANT  ? number(2)
                : o == EXPRESSION_OPERAND ? x(1)
                : o == EXPRESSION_INDEX   ? expression_index(&arena, 1)
                                          : expression_random(&arena, 3);
            nested = binary(EXPRESSION_MULTIPLY, e, inner);
        }
        for (size_t p = 0; p < sizeof points / sizeof *points; p++) {
            double a = points[p][0], b = points[p][1];
            check_derivatives(e, a, b);
            check_derivatives(nested, a, b);
            check_derivatives(binary(EXPRESSION_MULTIPLY, nested, unary(EXPRESSION_TANH, e)), a, b);
            if (o != EXPRESSION_LOG && o != EXPRESSION_SQRT && o != EXPRESSION_POWER)
                check_derivatives(e, -a, b);
            checked++;
        }
    }
    assert_int_equal(checked, 4 * EXPRESSION_OPERATOR_COUNT);
}

static void test_kinks(void **unused) {
    (void)unused;
    expression zero = number(0);
    expression relu = binary(EXPRESSION_MAXIMUM, x(0), zero);
    expression relu_turned = binary(EXPRESSION_MAXIMUM, zero, x(0));
    assert_true(value(expression_derivative(&arena, relu, 0), 0, 0) == 0);
    assert_true(value(expression_derivative(&arena, relu, 0), 1e-30, 0) == 1);
    assert_true(value(expression_derivative(&arena, relu_turned, 0), 0, 0) == 0);
    expression absolute = expression_derivative(&arena, unary(EXPRESSION_ABSOLUTE, x(0)), 0);
    assert_true(value(absolute, 0, 0) == 0);
    assert_true(value(absolute, -2, 0) == -1);
    expression both = binary(EXPRESSION_MAXIMUM, x(0), x(1));
    assert_true(value(expression_derivative(&arena, both, 0), 3, 3) == 0.5);
    assert_true(value(expression_derivative(&arena, both, 1), 3, 3) == 0.5);
    expression square = binary(EXPRESSION_POWER, x(0), number(2));
    assert_true(value(expression_derivative(&arena, square, 0), 0, 0) == 0);
    assert_true(value(expression_derivative(&arena, square, 0), -3, 0) == -6);
    expression power = binary(EXPRESSION_POWER, x(0), x(1));
    assert_true(value(expression_derivative(&arena, power, 0), 0, 0) == 0);
    assert_true(value(expression_derivative(&arena, power, 1), 0, 2) == 0);
}

static void test_folding(void **unused) {
    (void)unused;
    expression a = x(0), zero = number(0), one = number(1);
    assert_ptr_equal(binary(EXPRESSION_ADD, a, zero), a);
    assert_ptr_equal(binary(EXPRESSION_ADD, zero, a), a);
    assert_ptr_equal(binary(EXPRESSION_SUBTRACT, a, zero), a);
    assert_ptr_equal(binary(EXPRESSION_MULTIPLY, one, a), a);
    assert_ptr_equal(binary(EXPRESSION_DIVIDE, a, one), a);
    assert_ptr_equal(unary(EXPRESSION_NEGATE, unary(EXPRESSION_NEGATE, a)), a);
    assert_ptr_equal(expression_select(&arena, one, a, zero), a);
    assert_ptr_equal(expression_select(&arena, zero, a, one), one);
    expression product = binary(EXPRESSION_MULTIPLY, a, zero);
    assert_true(product->op == EXPRESSION_CONSTANT && product->value == 0);
    expression constant = binary(EXPRESSION_POWER, number(2), number(10));
    assert_true(constant->op == EXPRESSION_CONSTANT && constant->value == 1024);
    /* What may differ for some x stays. */
    assert_true(binary(EXPRESSION_DIVIDE, a, a)->op == EXPRESSION_DIVIDE);
    assert_true(binary(EXPRESSION_DIVIDE, zero, a)->op == EXPRESSION_DIVIDE);
}

static void test_queries(void **unused) {
    (void)unused;
    expression e = binary(EXPRESSION_ADD, unary(EXPRESSION_EXP, x(0)),
                          binary(EXPRESSION_MULTIPLY, x(2), unary(EXPRESSION_EXP, x(0))));
    assert_true(expression_uses(e, 0));
    assert_false(expression_uses(e, 1));
    assert_true(expression_uses(e, 2));
    assert_true(expression_contains(e, EXPRESSION_EXP));
    assert_false(expression_contains(e, EXPRESSION_LOG));
    assert_int_equal(expression_cost(e), 3);
    assert_int_equal(expression_cost(x(0)), 0);
    expression same = binary(EXPRESSION_ADD, unary(EXPRESSION_EXP, x(0)),
                             binary(EXPRESSION_MULTIPLY, x(2), unary(EXPRESSION_EXP, x(0))));
    expression other = binary(EXPRESSION_ADD, unary(EXPRESSION_EXP, x(0)),
                              binary(EXPRESSION_MULTIPLY, x(2), unary(EXPRESSION_EXP, x(1))));
    assert_true(expression_equal(e, same));
    assert_false(expression_equal(e, other));
    assert_false(expression_equal(number(1), number(2)));
    expression replacement[] = {number(0), NULL, x(1)};
    expression substituted = expression_substitute(&arena, e, replacement, 3);
    assert_true(expression_equal(substituted, binary(EXPRESSION_ADD, number(1), x(1))));
    /* What a product of replaced operands folds to is not replaced again. */
    expression exchange[] = {x(1), number(1)};
    substituted =
        expression_substitute(&arena, binary(EXPRESSION_MULTIPLY, x(0), x(1)), exchange, 2);
    assert_true(expression_equal(substituted, x(1)));
}

/* A hundred squarings: as a tree it would have 2^100 nodes. */
static void test_shared_nodes(void **unused) {
    (void)unused;
    expression e = x(0), same = x(0);
    for (int i = 0; i < 100; i++) {
        e = binary(EXPRESSION_MULTIPLY, e, e);
        same = binary(EXPRESSION_MULTIPLY, same, same);
    }
    assert_int_equal(expression_cost(e), 100);
    assert_true(expression_equal(e, same));
    assert_true(value(e, 1, 0) == 1);
    assert_true(value(expression_derivative(&arena, e, 0), 1, 0) == 0x1p100);
    assert_true(expression_uses(e, 0) && !expression_uses(e, 1));
    struct text text = {.arena = &arena};
    expression_print(&text, e, NULL);
    assert_true(text.length < 10000);
    expression shifted = x(0);
    for (int i = 0; i < 200000; i++) shifted = binary(EXPRESSION_ADD, shifted, number(1));
    assert_int_equal(expression_cost(shifted), 200000);
    assert_true(value(shifted, 0, 0) == 200000);
}

static void check_text(expression e, const char *expected) {
    static const char *const names[] = {"x", "y"};
    struct text text = {.arena = &arena};
    expression_print(&text, e, names);
    assert_string_equal(text_string(&text), expected);
}

static void test_print(void **unused) {
    (void)unused;
    expression a = x(0), b = x(1), sum = binary(EXPRESSION_ADD, a, b);
    check_text(binary(EXPRESSION_MAXIMUM, sum, number(0)), "max(x + y, 0)");
    check_text(binary(EXPRESSION_SUBTRACT, a, binary(EXPRESSION_SUBTRACT, b, number(0.1))),
               "x - (y - 0.1)");
    check_text(binary(EXPRESSION_MULTIPLY, unary(EXPRESSION_NEGATE, sum), b), "-(x + y) * y");
    expression e = unary(EXPRESSION_EXP, a);
    check_text(binary(EXPRESSION_DIVIDE, e, binary(EXPRESSION_ADD, number(1), e)),
               "t1 = exp(x); t1 / (1 + t1)");
    expression less = binary(EXPRESSION_LESS, expression_index(&arena, 0), b);
    check_text(expression_select(&arena, less, a, expression_random(&arena, 2)),
               "select(index(0) < y, x, random(2))");
    struct text text = {.arena = &arena};
    expression_print(&text, binary(EXPRESSION_ADD, x(3), number(1.0 / 3)), NULL);
    assert_string_equal(text_string(&text), "x3 + 0.33333333333333331");
}

/* Computed by the definition in expression.h with Python's unbounded integers. */
static void test_random_values(void **unused) {
    (void)unused;
    assert_true(expression_random_value(0, 0, 0, 0) == 0);
    assert_true(expression_random_value(1, 0, 0, 0) == 12001745 / 0x1p24);
    assert_true(expression_random_value(1, 2, 3, 4) == 13902924 / 0x1p24);
    assert_true(expression_random_value(4294967295, 7, 1, 123456789) == 5026526 / 0x1p24);
    assert_true(expression_random_value(42, 1000, 5, 4294967305) == 7882538 / 0x1p24);
    /* expression_value takes seed 1, step 2 and element 17 here. */
    assert_true(value(expression_random(&arena, 3), 0, 0) == expression_random_value(1, 2, 3, 17));
    assert_true(value(expression_index(&arena, 1), 0, 0) == 5);
}

static void test_random_distribution(void **unused) {
    (void)unused;
    enum { CELLS = 64, DRAWS = 64000 };
    long cells[CELLS] = {0};
    double mean = 0, product = 0, last = 0.5;
    for (unsigned long i = 0; i < DRAWS; i++) {
        double u = expression_random_value(7, 3, 1, i);
        assert_true(u >= 0 && u < 1);
        cells[(int)(u * CELLS)]++;
        mean += u / DRAWS;
        product += (u - 0.5) * (last - 0.5) / DRAWS;
        last = u;
    }
    double chi_squared = 0;
    for (int i = 0; i < CELLS; i++) chi_squared += (cells[i] - 1000.0) * (cells[i] - 1000.0) / 1000;
    assert_true(fabs(mean - 0.5) < 0.005);
    assert_true(fabs(product) < 0.0015); /* neighbours are not correlated */
    assert_true(chi_squared < 110);      /* 63 degrees of freedom: 1 in 5000 is above */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_derivatives, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_kinks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_folding, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_queries, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_shared_nodes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_print, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_random_values, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_random_distribution, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
