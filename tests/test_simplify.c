/* test_simplify.c: the passes simplify, common and dead: fewer and cheaper tensors, same values. */
#include "tests/graph_check.h"

static int count_primitive(const struct graph *graph, enum primitive primitive) {
    int count = 0;
    for (int t = 0; t < graph->tensor_count; t++)
        count += graph->tensors[t]->primitive == primitive;
    return count;
}

static const struct expression *binary(struct graph *graph, enum expression_operator op,
                                       const struct expression *a, const struct expression *b) {
    return expression_binary(graph->arena, op, a, b);
}

static struct tensor *multiply(struct graph *graph, struct tensor *a, struct tensor *b) {
    return graph_binary(graph, EXPRESSION_MULTIPLY, a, b);
}

/* Batch normalization as its definition says, over the valid rows of x. */
static struct tensor *batch_norm(struct check *check, struct tensor *x) {
    struct graph *graph = check->graph;
    struct arena *arena = graph->arena;
    int rank = x->shape.rank;
    long channels = x->shape.size[rank - 1], positions = 1;
    for (int i = 1; i < rank - 1; i++) positions *= x->shape.size[i];
    unsigned axes = (1u << (rank - 1)) - 1;
    struct tensor *gamma = check_variable(check, 1, &channels);
    struct tensor *beta = check_variable(check, 1, &channels);
    struct tensor *samples = graph_scalar(graph, SCALAR_SAMPLES);
    struct tensor *count = graph_scale(graph, samples, (double)positions);
    struct shape column = {.rank = rank};
    for (int i = 0; i < rank; i++) column.size[i] = i ? 1 : x->shape.size[0];
    const struct expression *valid =
        binary(graph, EXPRESSION_LESS, expression_index(arena, 0), expression_operand(arena, 0));
    struct tensor *w = graph_map_shaped(graph, valid, &samples, 1, column);
    struct tensor *mean =
        graph_binary(graph, EXPRESSION_DIVIDE,
                     graph_reduce(graph, REDUCTION_SUM, axes, multiply(graph, x, w)), count);
    struct tensor *xc = graph_binary(graph, EXPRESSION_SUBTRACT, x, mean);
    struct tensor *squares = multiply(graph, multiply(graph, xc, xc), w);
    struct tensor *variance = graph_binary(
        graph, EXPRESSION_DIVIDE, graph_reduce(graph, REDUCTION_SUM, axes, squares), count);
    struct tensor *deviation =
        graph_unary(graph, EXPRESSION_SQRT, graph_shift(graph, variance, 1e-3));
    struct tensor *inverse =
        graph_binary(graph, EXPRESSION_DIVIDE, graph_constant(graph, 1), deviation);
    struct tensor *normal = multiply(graph, xc, inverse);
    return graph_binary(graph, EXPRESSION_ADD, multiply(graph, normal, gamma), beta);
}

/* Marks what depends on a tensor. */
static bool *dependents(const struct graph *graph, const struct tensor *tensor) {
    bool *depends = ARENA_ARRAY(graph->arena, bool, graph->tensor_count);
    depends[tensor->number] = true;
    for (int t = tensor->number + 1; t < graph->tensor_count; t++)
        for (int k = 0; k < graph->tensors[t]->in_count; k++)
            depends[t] = depends[t] || depends[graph->tensors[t]->in[k]->number];
    return depends;
}

static bool is_big_sum(const struct tensor *tensor, long elements) {
    return tensor->primitive == PRIMITIVE_REDUCE &&
           shape_elements(&tensor->in[0]->shape) == elements;
}

/* Counts the sums over data as large as x that depend on the output, and asserts that none of them
 * waits for another: they can share one pass over memory. */
static int backward_sums(const struct graph *graph, const struct tensor *output) {
    bool *backward = dependents(graph, output);
    long elements = shape_elements(&output->shape);
    int sums = 0;
    for (int t = 0; t < graph->tensor_count; t++) {
        if (!backward[t] || !is_big_sum(graph->tensors[t], elements)) continue;
        sums++;
        bool *after = dependents(graph, graph->tensors[t]);
        for (int u = t + 1; u < graph->tensor_count; u++)
            if (is_big_sum(graph->tensors[u], elements)) assert_false(after[u]);
    }
    return sums;
}

static void check_batch_norm(uint32_t seed, int rank) {
    struct check check;
    check_begin(&check, seed);
    long size[] = {check_random(4, 6), check_random(2, 4), check_random(2, 4), check_random(2, 3)};
    size[rank - 1] = size[3];
    check.samples = (double)check_random(3, size[0]);
    struct tensor *x = check_variable(&check, rank, size);
    struct tensor *y = graph_name(check.graph, batch_norm(&check, x), "normalized");
    /* sin makes dy a tensor of its own; y as an output is how its image is found again below. */
    graph_output(check.graph, "y", y);
    struct tensor *loss = check_as_loss(check.graph, graph_unary(check.graph, EXPRESSION_SIN, y));
    struct graph *graph = check_gradients(&check, loss, 25);
    int sums = backward_sums(graph, graph->outputs[0].tensor);
    /* sum(dy), sum(dy * xc), and the loss; sum(xc * w) does not depend on y. */
    assert_int_equal(sums, 3);
    int all = 0;
    for (int t = 0; t < graph->tensor_count; t++)
        all += is_big_sum(graph->tensors[t], shape_elements(&x->shape));
    assert_true(all <= 6); /* and the forward ones: sum(x * w), sum(xc * xc * w) */
    check_end(&check);
}

static void test_batch_norm(void **unused) {
    (void)unused;
    for (uint32_t seed = 1; seed <= 6; seed++) {
        check_batch_norm(seed, 4);
        check_batch_norm(seed, 2);
    }
}

/* Normalization before max pooling: its gradient waits for sums over the small image only, and what
 * they read of the large one is gathered where the maxima are. */
static void test_sums_over_pooling(void **unused) {
    (void)unused;
    for (uint32_t seed = 1; seed <= 8; seed++) {
        struct check check;
        check_begin(&check, seed);
        long pad = seed % 2, size = check_random(4, 7), out = (size + pad + 1) / 2;
        if (seed % 4 > 1) out = (size + pad) / 2; /* leaves pixels out */
        struct tensor *x = check_variable(&check, 4, (long[]){4, size, size, 2});
        check.samples = (double)check_random(3, 4);
        struct tensor *y = batch_norm(&check, x);
        struct window window = {{2, 2}, {2, 2}, {1, 1}, {pad, pad}};
        y = graph_max_pool(check.graph, &window, out, out, y);
        graph_output(check.graph, "y", y);
        struct tensor *loss =
            check_as_loss(check.graph, graph_unary(check.graph, EXPRESSION_SIN, y));
        struct graph *graph = check_gradients(&check, loss, 40);
        bool *backward = dependents(graph, graph->outputs[0].tensor);
        for (int t = 0; t < graph->tensor_count; t++)
            if (is_big_sum(graph->tensors[t], 4 * size * size * 2)) assert_false(backward[t]);
        assert_int_equal(count_primitive(graph, PRIMITIVE_MAX_POOL_GATHER), 1);
        check_end(&check);
    }
}

/* The gradient of a bias in front of a normalization is one sum over the gradient that is there:
 * taking it apart would save no pass. */
static void test_bias_before_batch_norm(void **unused) {
    (void)unused;
    for (uint32_t seed = 1; seed <= 4; seed++) {
        struct check check;
        check_begin(&check, seed);
        struct graph *graph = check.graph;
        struct tensor *v = check_variable(&check, 4, (long[]){4, 3, 2, 3});
        struct tensor *bias = check_variable(&check, 1, (long[]){3});
        struct tensor *x = graph_binary(graph, EXPRESSION_ADD, v, bias);
        x = graph_binary(graph, EXPRESSION_MAXIMUM, x, graph_constant(graph, 0));
        struct tensor *y = batch_norm(&check, x);
        graph_output(graph, "y", y);
        struct tensor *loss = check_as_loss(graph, graph_unary(graph, EXPRESSION_SIN, y));
        struct tensor *gradient[4];
        graph_gradients(graph, loss, check.variables, 4, gradient);
        for (int i = 0; i < 4; i++) graph_output(graph, "gradient", gradient[i]);
        check_fill(&check);
        graph = check_passes(&check, graph);
        int sums = 0;
        for (int t = 0; t < graph->tensor_count; t++)
            sums += is_big_sum(graph->tensors[t], shape_elements(&v->shape));
        assert_int_equal(sums, 6); /* x * w, xc * xc * w, xc * w, dy, dy * xc, the bias */
        check_end(&check);
    }
}

/* Builds sum over axes 0 and 1 of an expression over x [3, 4, 2], c [2] and s []; returns what the
 * passes leave. */
static struct graph *simplified_sum(struct check *check, const struct expression *e) {
    struct graph *graph = check->graph;
    struct tensor *in[] = {check->variables[0], check->variables[1], check->variables[2]};
    struct tensor *sum = graph_reduce(graph, REDUCTION_SUM, 3, graph_map(graph, e, in, 3));
    graph_output(graph, "sum", sum);
    check_fill(check);
    return check_passes(check, graph);
}

static void begin_sum(struct check *check) {
    check_begin(check, 3);
    check_variable(check, 3, (long[]){3, 4, 2});
    check_variable(check, 1, (long[]){2});
    check_variable(check, 0, NULL);
}

static const struct tensor *find(const struct graph *graph, enum primitive primitive) {
    for (int t = 0; t < graph->tensor_count; t++)
        if (graph->tensors[t]->primitive == primitive) return graph->tensors[t];
    return NULL;
}

static void test_factors_leave_sums(void **unused) {
    (void)unused;
    for (int form = 0; form < 5; form++) {
        struct check check;
        begin_sum(&check);
        struct graph *graph = check.graph;
        struct arena *arena = graph->arena;
        const struct expression *x = expression_operand(arena, 0), *e = x;
        const struct expression *c = expression_operand(arena, 1),
                                *s = expression_operand(arena, 2);
        if (form == 0) e = binary(graph, EXPRESSION_MULTIPLY, c, x);
        if (form == 1) e = binary(graph, EXPRESSION_DIVIDE, x, binary(graph, EXPRESSION_ADD, c, s));
        if (form == 2) e = expression_unary(arena, EXPRESSION_NEGATE, x);
        if (form == 3)
            e = binary(graph, EXPRESSION_MULTIPLY, binary(graph, EXPRESSION_MULTIPLY, s, x),
                       expression_constant(arena, 3));
        if (form == 4) e = binary(graph, EXPRESSION_MULTIPLY, c, s); /* nothing to sum */
        struct graph *after = simplified_sum(&check, e);
        const struct tensor *reduce = find(after, PRIMITIVE_REDUCE);
        if (form < 4) {
            assert_non_null(reduce);
            assert_int_equal(reduce->in[0]->primitive, PRIMITIVE_RESHAPE); /* x itself */
        } else {
            assert_null(reduce);
        }
        check_end(&check);
    }
}

/* Of products of several factors the constant ones leave, whatever stands around them. */
static void test_products(void **unused) {
    (void)unused;
    struct check check;
    begin_sum(&check);
    struct graph *graph = check.graph;
    struct arena *arena = graph->arena;
    const struct expression *x = expression_operand(arena, 0), *c = expression_operand(arena, 1);
    const struct expression *s = expression_operand(arena, 2);
    const struct expression *left =
        expression_unary(arena, EXPRESSION_NEGATE, binary(graph, EXPRESSION_MULTIPLY, c, x));
    const struct expression *mask =
        binary(graph, EXPRESSION_LESS, expression_index(arena, 0), expression_constant(arena, 2));
    const struct expression *right = expression_select(
        arena, mask, binary(graph, EXPRESSION_DIVIDE, x, s), expression_constant(arena, 0));
    struct graph *after = simplified_sum(&check, binary(graph, EXPRESSION_MULTIPLY, left, right));
    const struct tensor *reduce = find(after, PRIMITIVE_REDUCE);
    assert_non_null(reduce);
    assert_int_equal(reduce->in[0]->in_count, 1); /* x only */
    check_end(&check);
}

/* A map that something else reads stays what is summed: it is there anyway. */
static void test_shared_maps_stay(void **unused) {
    (void)unused;
    struct check check;
    begin_sum(&check);
    struct graph *graph = check.graph;
    struct tensor *product = multiply(graph, check.variables[0], check.variables[1]);
    graph_output(graph, "product", product);
    graph_output(graph, "sum", graph_reduce(graph, REDUCTION_SUM, 3, product));
    check_fill(&check);
    struct graph *after = check_passes(&check, graph);
    assert_ptr_equal(find(after, PRIMITIVE_REDUCE)->in[0], after->outputs[0].tensor);
    check_end(&check);
}

/* What cannot leave, or does not save a pass, stays one sum. */
static void test_other_sums_stay(void **unused) {
    (void)unused;
    for (int form = 0; form < 3; form++) {
        struct check check;
        begin_sum(&check);
        struct graph *graph = check.graph;
        struct arena *arena = graph->arena;
        const struct expression *x = expression_operand(arena, 0), *e;
        const struct expression *c = expression_operand(arena, 1);
        if (form == 0)
            e = expression_unary(arena, EXPRESSION_EXP, binary(graph, EXPRESSION_MULTIPLY, c, x));
        else if (form == 1)
            e = binary(graph, EXPRESSION_ADD, expression_unary(arena, EXPRESSION_EXP, x), c);
        else
            e = binary(graph, EXPRESSION_MULTIPLY, expression_random(arena, 0),
                       expression_index(arena, 0));
        struct tensor *in[] = {check.variables[0], check.variables[1]};
        struct shape shape = check.variables[0]->shape;
        struct tensor *map = graph_map_shaped(graph, e, in, 2, shape);
        graph_output(graph, "sum", graph_reduce(graph, REDUCTION_SUM, 3, map));
        check_fill(&check);
        struct graph *after = check_passes(&check, graph);
        assert_int_equal(count_primitive(after, PRIMITIVE_REDUCE), 1);
        assert_int_equal(count_primitive(after, PRIMITIVE_MAP), 1);
        check_end(&check);
    }
}

/* A tree of sums and products too wide to take apart stays as it is, and takes no time. */
static void test_wide_expressions(void **unused) {
    (void)unused;
    struct check check;
    begin_sum(&check);
    struct graph *graph = check.graph;
    const struct expression *e = expression_operand(graph->arena, 0);
    const struct expression *c = expression_operand(graph->arena, 1);
    for (int i = 0; i < 60; i++)
        e = binary(
            graph, i % 2 ? EXPRESSION_ADD : EXPRESSION_MULTIPLY, e,
            i % 3 ? binary(graph, EXPRESSION_MULTIPLY, e, expression_constant(graph->arena, 0.01))
                  : c);
    simplified_sum(&check, e);
    check_end(&check);
}

static void test_views(void **unused) {
    (void)unused;
    struct check check;
    check_begin(&check, 2);
    struct graph *graph = check.graph;
    struct tensor *x = check_variable(&check, 2, (long[]){4, 6});
    struct tensor *y = check_variable(&check, 2, (long[]){4, 3});
    struct tensor *joined = graph_concat(graph, 1, (struct tensor *[]){x, y}, 2);
    graph_output(graph, "whole part", graph_slice(graph, 1, 6, 9, joined));
    graph_output(graph, "inside a part", graph_slice(graph, 1, 1, 5, joined));
    struct tensor *slice = graph_slice(graph, 1, 2, 6, x);
    graph_output(graph, "slice of slice", graph_slice(graph, 1, 1, 3, slice));
    struct tensor *padded = graph_pad(graph, 0, 2, 1, y);
    graph_output(graph, "slice of pad", graph_slice(graph, 0, 3, 5, padded));
    struct tensor *low = graph_slice(graph, 0, 0, 1, x), *high = graph_slice(graph, 0, 1, 4, x);
    graph_output(graph, "joined again", graph_concat(graph, 0, (struct tensor *[]){low, high}, 2));
    graph_output(graph, "all", graph_space(graph, SPACE_TRAINABLE, 0, 36));
    struct shape turned = shape_of(3, (long[]){2, 6, 2});
    graph_output(graph, "reshaped back",
                 graph_reshape(graph, x->shape, graph_reshape(graph, turned, x)));
    check_fill(&check);
    graph = check_passes(&check, graph);
    assert_int_equal(count_primitive(graph, PRIMITIVE_CONCAT), 0);
    assert_int_equal(count_primitive(graph, PRIMITIVE_PAD), 0);
    assert_int_equal(count_primitive(graph, PRIMITIVE_RESHAPE), 2); /* the variables */
    assert_ptr_equal(graph->outputs[0].tensor->in[0]->primitive == PRIMITIVE_SLICE, true);
    assert_ptr_equal(graph->outputs[4].tensor, graph->outputs[6].tensor);
    assert_int_equal(graph->outputs[5].tensor->primitive, PRIMITIVE_VARIABLE);
    for (int o = 1; o < 4; o++)
        assert_int_equal(graph->outputs[o].tensor->in[0]->primitive, PRIMITIVE_RESHAPE);
    check_end(&check);
}

/* A pass that changes tensors in place may leave equal ones behind, and unused ones. */
static void test_common_and_dead(void **unused) {
    (void)unused;
    struct check check;
    check_begin(&check, 2);
    struct graph *graph = check.graph;
    struct tensor *x = check_variable(&check, 2, (long[]){4, 6});
    struct tensor *a = graph_unary(graph, EXPRESSION_EXP, x);
    struct tensor *b = graph_unary(graph, EXPRESSION_SIN, x);
    struct tensor *sum_a = graph_reduce(graph, REDUCTION_SUM, 2, a);
    struct tensor *sum_b = graph_reduce(graph, REDUCTION_SUM, 2, b);
    struct tensor *product = multiply(graph, sum_a, sum_b);
    b->expression = a->expression;
    graph_output(graph, "product", product);
    graph_unary(graph, EXPRESSION_LOG, x);
    const struct expression *random = expression_random(graph->arena, 4);
    struct tensor *noise = graph_map_shaped(graph, random, NULL, 0, x->shape);
    struct tensor *noise_again =
        graph_map_shaped(graph, expression_random(graph->arena, 5), NULL, 0, x->shape);
    graph_output(graph, "noise", noise);
    graph_output(graph, "noise again", noise_again);
    noise_again->expression = random;
    check_fill(&check);
    int before = graph->tensor_count;
    graph = check_passes(&check, graph);
    assert_int_equal(count_primitive(graph, PRIMITIVE_REDUCE), 1);
    assert_ptr_equal(graph->outputs[1].tensor, graph->outputs[2].tensor);
    assert_int_equal(graph->tensor_count, before - 5); /* and the slice of a whole space */
    assert_int_equal(graph->variable_count, 1);
    check_end(&check);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batch_norm),         cmocka_unit_test(test_bias_before_batch_norm),
        cmocka_unit_test(test_products),           cmocka_unit_test(test_shared_maps_stay),
        cmocka_unit_test(test_factors_leave_sums), cmocka_unit_test(test_other_sums_stay),
        cmocka_unit_test(test_wide_expressions),   cmocka_unit_test(test_views),
        cmocka_unit_test(test_common_and_dead),    cmocka_unit_test(test_sums_over_pooling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
