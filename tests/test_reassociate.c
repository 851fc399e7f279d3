/* test_reassociate.c: products with numbers that the pixels of a channel share are gathered,
 * without a change of what is computed. */
#include "compiler/passes/kernels.h"
#include "tests/kernel_case.h"

/* ---- expressions: operands 0 and 1 are pixels, 2 and 3 numbers, 4 a sign ---- */

enum { VARYING = 3, SIGNS = 1 << 4, OPERANDS = 5, TRIALS = 50 };

static struct arena arena;

static const struct expression *operand(int index) {
    return expression_operand(&arena, index);
}

static const struct expression *op(enum expression_operator op, const struct expression *a,
                                   const struct expression *b) {
    return expression_binary(&arena, op, a, b);
}

static const struct expression *add(const struct expression *a, const struct expression *b) {
    return op(EXPRESSION_ADD, a, b);
}

static const struct expression *multiply(const struct expression *a, const struct expression *b) {
    return op(EXPRESSION_MULTIPLY, a, b);
}

static const struct expression *subtract(const struct expression *a, const struct expression *b) {
    return op(EXPRESSION_SUBTRACT, a, b);
}

/* The new form reads as `text`, and has the value of the old one. */
static void expect_in(bool by_window, const struct expression *e, const char *text) {
    static const char *const names[] = {"x", "y", "a", "b", "s"};
    const struct expression *gathered = reassociate(&arena, e, VARYING, SIGNS, by_window);
    struct text printed = {.arena = &arena};
    struct expression_context context = {0};
    expression_print(&printed, gathered, names);
    assert_string_equal(text_string(&printed), text);
    for (int trial = 0; trial < TRIALS; trial++) {
        double values[OPERANDS];
        context.position = (const long[]){trial % 5, 0, 0, 0};
        for (int i = 0; i < OPERANDS; i++) values[i] = uniform(5, trial * OPERANDS + i) * 4 - 2;
        values[4] = trial % 2 ? 1 : -1;
        double old = expression_value(e, values, &context);
        double new = expression_value(gathered, values, &context);
        assert_true(fabs(old - new) <= 1e-12 * (1 + fabs(old)));
    }
}

static void expect(const struct expression *e, const char *text) {
    expect_in(false, e, text);
    expect_in(true, e, text);
}

static void test_products(void **state) {
    arena_init(&arena);
    const struct expression *x = operand(0), *y = operand(1), *a = operand(2), *b = operand(3);
    (void)state;
    if (setjmp(arena.exhausted)) fail();
    expect(multiply(multiply(x, a), b), "x * (a * b)");
    expect(multiply(b, multiply(a, x)), "x * (a * b)");
    expect(multiply(multiply(multiply(x, y), a), b), "x * y * (a * b)");
    expect(multiply(add(multiply(a, x), b), a), "x * (a * a) + b * a");
    expect(multiply(b, add(x, x)), "x * (b + b)");
    expect(multiply(add(x, y), a), "(x + y) * a");
    /* what would cancel stays */
    expect(multiply(subtract(x, a), b), "(x - a) * b");
    expect(multiply(subtract(multiply(x, a), b), a), "(x * a - b) * a");
    arena_free(&arena);
}

static void test_signs(void **state) {
    arena_init(&arena);
    const struct expression *x = operand(0), *a = operand(2), *b = operand(3), *s = operand(4);
    (void)state;
    if (setjmp(arena.exhausted)) fail();
    expect(subtract(multiply(x, s), a), "(x - a * s) * s");
    expect(multiply(subtract(multiply(s, x), a), b), "(x - a * s) * (s * b)");
    arena_free(&arena);
}

/* What dropout keeps is never -0.0. */
static void test_negative_zero(void **state) {
    arena_init(&arena);
    (void)state;
    if (setjmp(arena.exhausted)) fail();
    const struct expression *negative = expression_constant(&arena, -0.0);
    const struct expression *e =
        subtract(add(multiply(operand(0), operand(2)), operand(3)), negative);
    const struct expression *gathered = reassociate(&arena, e, VARYING, SIGNS, false);
    expect(e, "x * a + (b - -0)");
    static const double zeros[] = {0.0, -0.0, 1, -1};
    struct expression_context context = {.position = (const long[]){0, 0, 0, 0}};
    for (int i = 0; i < 64; i++) {
        const double values[OPERANDS] = {zeros[i % 4], 0, zeros[i / 4 % 4], zeros[i / 16], 1};
        double old = expression_value(e, values, &context);
        double new = expression_value(gathered, values, &context);
        assert_true(old == new && !signbit(old) == !signbit(new));
        assert_false(new == 0 && signbit(new));
    }
    arena_free(&arena);
}

static void test_choices(void **state) {
    arena_init(&arena);
    const struct expression *x = operand(0), *y = operand(1), *a = operand(2);
    (void)state;
    if (setjmp(arena.exhausted)) fail();
    const struct expression *zero = expression_constant(&arena, 0);
    const struct expression *condition = op(EXPRESSION_LESS, y, a);
    const struct expression *inner = expression_select(&arena, condition, x, zero);
    expect(expression_select(&arena, condition, multiply(inner, a), zero),
           "select(y < a, x * a, 0)");
    const struct expression *other = op(EXPRESSION_LESS, x, a);
    expect(expression_select(&arena, other, multiply(inner, a), zero),
           "select(x < a, select(y < a, x, 0) * a, 0)");
    arena_free(&arena);
}

static void test_samples(void **state) {
    arena_init(&arena);
    const struct expression *x = operand(0), *a = operand(2), *b = operand(3);
    (void)state;
    if (setjmp(arena.exhausted)) fail();
    const struct expression *zero = expression_constant(&arena, 0);
    const struct expression *valid =
        op(EXPRESSION_LESS, expression_index(&arena, 0), expression_constant(&arena, 3));
    const struct expression *e =
        expression_select(&arena, valid, add(multiply(subtract(x, a), b), a), zero);
    expect_in(false, e, "select(index(0) < 3, (x - a) * b + a, 0)");
    expect_in(true, e, "t5 = index(0) < 3; (x - a) * select(t5, b, 0) + select(t5, a, 0)");
    expect_in(true, expression_select(&arena, valid, multiply(x, b), zero),
              "x * select(index(0) < 3, b, 0)");
    expect(expression_select(&arena, valid, subtract(x, a), zero),
           "select(index(0) < 3, x - a, 0)");
    arena_free(&arena);
}

/* ---- models: the last batch is short ---- */

static const struct kernel_case pooled = {
    40, false,
    "input { 8, 8, 2 }, conv2d { 5, kernel_size = 3, padding = 'same', activation = 'relu' }, "
    "batch_norm { gamma_initializer = 'random_uniform' }, max_pool2d { 2 }, dropout { 0.2 }, "
    "conv2d { 3, kernel_size = 3, padding = 'same', activation = 'relu' }, "
    "batch_norm { gamma_initializer = 'random_uniform' }, max_pool2d { 3, padding = 'same' }, "
    "dropout { 0.4 }, flatten {}, dense { 4, activation = 'softmax' }",
    "'sparse_categorical_crossentropy'"};
static const struct kernel_case not_pooled = {
    24, false,
    "input { 5, 5, 1 }, conv2d { 3, kernel_size = 3, activation = 'relu' }, batch_norm {}, "
    "dropout { 0.3 }, conv2d { 4, kernel_size = 2 }, batch_norm { scale = false }, "
    "activation { 'tanh' }, flatten {}, dense { 3, activation = 'softmax' }",
    "'categorical_crossentropy'"};

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_products),
        cmocka_unit_test(test_signs),
        cmocka_unit_test(test_negative_zero),
        cmocka_unit_test(test_choices),
        cmocka_unit_test(test_samples),
        KERNEL_CASE(pooled),
        KERNEL_CASE(not_pooled),
    };
    return cmocka_run_group_tests(tests, start, finish);
}
