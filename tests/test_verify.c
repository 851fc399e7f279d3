/* test_verify.c: the verifier finds every kind of broken graph; the dump is readable. */
#include "tests/graph_check.h"

/* A graph with one tensor of each primitive; tensors are found by name. */
static struct graph *sample(struct check *check) {
    check_begin(check, 1);
    struct graph *graph = check->graph;
    graph->name = "net";
    long n = 2;
    struct tensor *x = graph_input(graph, "x", 0, shape_of(4, (long[]){n, 4, 5, 3}));
    struct tensor *kernel = check_variable(check, 4, (long[]){3, 3, 3, 4});
    struct window window = {{3, 3}, {1, 1}, {1, 1}, {1, 1}};
    struct tensor *y = graph_convolution(graph, x, kernel, &window, 1, 4, 5);
    graph_name(graph, y, "convolution");
    struct window pool = {{2, 2}, {2, 2}, {1, 1}, {0, 0}};
    struct tensor *pooled = graph_name(graph, graph_max_pool(graph, &pool, 2, 2, y), "pool");
    struct tensor *sum = graph_name(graph, graph_reduce(graph, REDUCTION_SUM, 6, pooled), "sum");
    struct tensor *ratio = graph_name(
        graph, graph_binary(graph, EXPRESSION_DIVIDE, sum, graph_scalar(graph, SCALAR_SAMPLES)),
        "ratio");
    struct tensor *flat =
        graph_name(graph, graph_reshape(graph, shape_of(2, (long[]){n, 4}), ratio), "flat");
    struct tensor *part = graph_name(graph, graph_slice(graph, 1, 1, 3, flat), "part");
    struct tensor *both =
        graph_name(graph, graph_concat(graph, 1, (struct tensor *[]){flat, part}, 2), "both");
    struct tensor *padded = graph_name(graph, graph_pad(graph, 1, 1, 2, both), "padded");
    struct tensor *gradient =
        graph_name(graph, graph_max_pool_gradient(graph, &pool, y, pooled, pooled), "gradient");
    graph_output(graph, "padded", padded);
    graph_output(graph, "gradient", gradient);
    graph_update(graph, SPACE_TRAINABLE, 0, graph_scale(graph, kernel->in[0], 0.5));
    return graph;
}

static struct tensor *named(const struct graph *graph, const char *name) {
    for (int t = 0; t < graph->tensor_count; t++)
        if (graph->tensors[t]->name && strcmp(graph->tensors[t]->name, name) == 0)
            return graph->tensors[t];
    fail_msg("no tensor %s", name);
    return NULL;
}

static void break_graph(struct graph *graph, int how) {
    struct arena *arena = graph->arena;
    switch (how) {
    case 0: named(graph, "net_pool")->number = 0; break;
    case 1: named(graph, "net_pool")->in[0] = named(graph, "net_padded"); break;
    case 2: named(graph, "net_pool")->in_count = 0; break;
    case 3: named(graph, "net_pool")->shape.size[1] = 4; break;
    case 4: named(graph, "net_pool")->window.strides[0] = 0; break;
    case 5: named(graph, "net_sum")->axes = 1; break;
    case 6: named(graph, "net_sum")->axes = 1u << 5; break;
    case 7: named(graph, "net_flat")->shape.size[1] = 5; break;
    case 8: named(graph, "net_part")->end = 9; break;
    case 9: named(graph, "net_part")->axis = 2; break;
    case 10: named(graph, "net_part")->shape.size[1] = 1; break;
    case 11: named(graph, "net_both")->shape.size[1] = 7; break;
    case 12: named(graph, "net_padded")->begin = 2; break;
    case 13: named(graph, "net_padded")->begin = -1; break;
    case 14: named(graph, "net_ratio")->expression = expression_operand(arena, 7); break;
    case 15: named(graph, "net_ratio")->expression = expression_index(arena, 4); break;
    case 16: named(graph, "net_ratio")->expression = NULL; break;
    case 17: named(graph, "net_ratio")->shape.size[3] = 5; break;
    case 18: named(graph, "net_gradient")->shape.size[3] = 5; break;
    case 19: named(graph, "x")->shape.rank = MAX_RANK + 1; break;
    case 20: named(graph, "x")->shape.size[1] = 0; break;
    case 21: graph->outputs[0].tensor = ARENA_NEW(arena, struct tensor); break;
    case 22: graph->updates[0].offset = 1; break;
    case 23:
        graph_update(graph, SPACE_TRAINABLE, 5, graph_space(graph, SPACE_TRAINABLE, 0, 1));
        break;
    case 24: graph->variables[0].offset = 4; break;
    case 25: graph->space_size[SPACE_TRAINABLE]++; break;
    case 26: named(graph, "x")->primitive = PRIMITIVE_COUNT; break;
    case 27: named(graph, "x")->index = -1; break;
    case 28: graph->tensors[1] = NULL; break;
    default: {
        struct tensor *y = named(graph, "net_convolution");
        struct contract *contract = ARENA_NEW(arena, struct contract);
        *contract = *y->contract;
        y->contract = contract;
        if (how == 29) contract->out.axis[0].term[0].loop = 7;
        if (how == 30) contract->extent[0] = 0;
        if (how == 31) contract->a.axis[5].offset = 1;
        if (how == 32) contract->loop_count = MAX_LOOPS + 1;
    }
    }
}

static void test_broken_graphs(void **unused) {
    (void)unused;
    for (int how = -1; how <= 32; how++) {
        struct check check;
        struct graph *graph = sample(&check);
        struct error error = {{0}};
        if (how >= 0) break_graph(graph, how);
        bool well_formed = graph_verify(graph, "testing", &error);
        if (well_formed != (how < 0)) fail_msg("breaking a graph in way %d: %s", how, error.text);
        if (how >= 0) assert_memory_equal(error.text, "internal error after testing: ", 30);
        check_end(&check);
    }
}

static void test_message(void **unused) {
    (void)unused;
    struct check check;
    struct graph *graph = sample(&check);
    struct error error = {{0}};
    break_graph(graph, 8);
    assert_false(graph_verify(graph, "fuse", &error));
    int number = named(graph, "net_part")->number;
    char expected[200];
    snprintf(
        expected, sizeof expected,
        "internal error after fuse: tensor %d (slice net_part): [1, 9) is no range of 4 places",
        number);
    assert_string_equal(error.text, expected);
    check_end(&check);
}

static void test_print(void **unused) {
    (void)unused;
    struct check check;
    struct graph *graph = sample(&check);
    struct text text = {.arena = &check.arena};
    graph_print(&text, graph);
    static const char expected[] =
        "%0 [2, 4, 5, 3] = input 0  # x\n"
        "%1 [108] = variables of trainable\n"
        "%2 [108] = slice %1 axis 0 from 0 to 108\n"
        "%3 [3, 3, 3, 4] = reshape %2  # v0\n"
        "%4 [2, 4, 5, 4] = contract n<2 oh<4 ow<5 co<4 kh<3 kw<3 ci<3: out[n, oh, ow, co] += "
        "%0[n, oh+kh-1, ow+kw-1, ci] * %3[kh, kw, ci, co]  # net_convolution\n"
        "%5 [2, 2, 2, 4] = max_pool %4 window 2x2 strides 2x2 dilation 1x1 pad 0x0  # net_pool\n"
        "%6 [2, 1, 1, 4] = sum %5 over axes 1 2  # net_sum\n"
        "%7 [] = scalar samples\n"
        "%8 [2, 1, 1, 4] = map %6 / %7  # net_ratio\n"
        "%9 [2, 4] = reshape %8  # net_flat\n"
        "%10 [2, 2] = slice %9 axis 1 from 1 to 3  # net_part\n"
        "%11 [2, 6] = concat %9 %10 axis 1  # net_both\n"
        "%12 [2, 9] = pad %11 axis 1 with 1 before, 2 after  # net_padded\n"
        "%13 [2, 4, 5, 4] = max_pool_gradient %4 %5 %5 window 2x2 strides 2x2 dilation 1x1 pad "
        "0x0  # net_gradient\n"
        "%14 [108] = map %2 * 0.5\n"
        "output padded = %12\n"
        "output gradient = %13\n"
        "update trainable[0, 108) = %14\n";
    assert_string_equal(text_string(&text), expected);
    check_end(&check);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_broken_graphs),
        cmocka_unit_test(test_message),
        cmocka_unit_test(test_print),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
