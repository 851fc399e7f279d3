/* test_memory.c: the arena planner: nothing overlaps, and little is wasted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compiler/passes/memory.h"

enum { MOST = 1000, ALIGNMENT = 64 };

static uint32_t state;

static long random_below(long n) {
    state = state * 1664525u + 1013904223u;
    return (long)(state >> 8) % n;
}

struct trace {
    struct memory_buffer buffers[MOST];
    int count;
};

static int add(struct trace *trace, long bytes, int first, int last) {
    assert_true(trace->count < MOST);
    trace->buffers[trace->count] = (struct memory_buffer){bytes, first, last, -1};
    return trace->count++;
}

static bool overlap(long a, long a_end, long b, long b_end) {
    return a < b_end && b < a_end;
}

/* The sum of sizes alive at each moment, the slow and obvious way. */
static long bound_by_moments(const struct trace *trace) {
    long most = 0;
    for (int moment = 0; moment < 5000; moment++) {
        long sum = 0;
        for (int i = 0; i < trace->count; i++)
            if (trace->buffers[i].first <= moment && moment <= trace->buffers[i].last)
                sum += (trace->buffers[i].bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        if (sum > most) most = sum;
    }
    return most;
}

/* Plans and checks; returns arena / lower bound. */
static double plan(struct trace *trace) {
    struct arena arena;
    arena_init(&arena);
    if (setjmp(arena.exhausted)) fail();
    long size = memory_plan(&arena, trace->buffers, trace->count, ALIGNMENT);
    arena_free(&arena);
    for (int i = 0; i < trace->count; i++) {
        const struct memory_buffer *a = &trace->buffers[i];
        assert_true(a->offset >= 0 && a->offset % ALIGNMENT == 0);
        assert_true(a->offset + a->bytes <= size);
        for (int j = 0; j < i; j++) {
            const struct memory_buffer *b = &trace->buffers[j];
            if (a->first > b->last || b->first > a->last) continue;
            assert_false(overlap(a->offset, a->offset + a->bytes, b->offset, b->offset + b->bytes));
        }
    }
    long bound = memory_lower_bound(trace->buffers, trace->count, ALIGNMENT);
    assert_int_equal(bound, bound_by_moments(trace));
    assert_true(size >= bound);
    return bound ? (double)size / (double)bound : 1;
}

/* Kernel numbers of a training step: forward 0.., then the loss, then backward. Every layer keeps
 * its output until its backward kernels; gradients flow from one layer to the one before; weight
 * gradients wait for the optimizer; each kernel may need a scratch buffer. */
static void training_trace(struct trace *trace, int layers, const long *activation,
                           const long *weights) {
    trace->count = 0;
    int end = 3 * layers + 2;
    for (int i = 0; i < layers; i++) {
        int backward = 3 * layers + 1 - 2 * (i + 1);
        add(trace, activation[i], i, backward + 1);
        add(trace, activation[i], backward - 1, backward + 1); /* its gradient */
        add(trace, weights[i], backward, end);
        if (random_below(2)) add(trace, 1 + random_below(200000), i, i);
        if (random_below(2)) add(trace, 1 + random_below(200000), backward, backward);
        if (random_below(3) == 0) add(trace, activation[i] / 4, i, backward); /* a mask */
    }
}

static void test_training_traces(void **unused) {
    (void)unused;
    double worst = 1;
    for (uint32_t seed = 1; seed <= 60; seed++) {
        state = seed * 7919;
        struct trace trace;
        long activation[40], weights[40], size = 128 * 28 * 28 * 32 * 4, channels = 8;
        int layers = 3 + (int)random_below(seed > 50 ? 37 : 15);
        for (int i = 0; i < layers; i++) {
            activation[i] = size + random_below(size);
            weights[i] = channels * channels * 36 + random_below(5000);
            if (random_below(3) == 0) size = size / 4 + 1000;
            channels += random_below(16);
        }
        training_trace(&trace, layers, activation, weights);
        double ratio = plan(&trace);
        if (ratio > worst) worst = ratio;
        assert_true(ratio <= 1.05);
    }
    print_message("worst training trace: %.4f of the lower bound\n", worst);
}

/* Branches that are added: the shortcut's activation lives across the block. */
static void test_residual_trace(void **unused) {
    (void)unused;
    struct trace trace = {.count = 0};
    int blocks = 12, forward = 3 * blocks, end = 4 * forward;
    for (int block = 0; block < blocks; block++) {
        long size = 4000000 >> block / 4;
        for (int k = 0; k < 3; k++) {
            int at = 3 * block + k, back = end - 3 * at;
            add(&trace, size + 64 * k, at, back);
            add(&trace, size + 64 * k, back - 3, back + (k == 0 ? 6 : 1));
            add(&trace, 60000 + 1000 * k, back, end + 1);
        }
    }
    assert_true(plan(&trace) <= 1.05);
}

static void test_inference_trace(void **unused) {
    (void)unused;
    struct trace trace = {.count = 0};
    for (int i = 0; i < 100; i++) add(&trace, 1000 + 37 * ((i * 29) % 41), i, i + 1);
    assert_true(plan(&trace) <= 1.05);
}

static void test_random_traces(void **unused) {
    (void)unused;
    for (uint32_t seed = 1; seed <= 300; seed++) {
        state = seed;
        struct trace trace = {.count = 0};
        int count = (int)random_below(seed % 10 ? 60 : 500), kernels = 1 + (int)random_below(200);
        for (int i = 0; i < count; i++) {
            int first = (int)random_below(kernels);
            long most = 1L << random_below(24);
            add(&trace, random_below(most + 1), first, first + (int)random_below(kernels));
        }
        assert_true(plan(&trace) <= 1.5);
    }
}

static void test_special_cases(void **unused) {
    (void)unused;
    struct trace trace = {.count = 0};
    assert_true(plan(&trace) == 1);
    add(&trace, 0, 0, 3); /* nothing */
    assert_true(plan(&trace) == 1);
    add(&trace, 1, 2, 2);
    add(&trace, 65, 2, 2);
    add(&trace, 64, 3, 3);
    assert_true(plan(&trace) == 1);
    assert_int_equal(memory_lower_bound(trace.buffers, trace.count, ALIGNMENT), 192);
}

static void test_same_plan_twice(void **unused) {
    (void)unused;
    state = 5;
    struct trace trace = {.count = 0}, again;
    for (int i = 0; i < 200; i++) {
        int first = (int)random_below(100);
        add(&trace, random_below(100000), first, first + (int)random_below(30));
    }
    again = trace;
    plan(&trace);
    plan(&again);
    for (int i = 0; i < trace.count; i++)
        assert_int_equal(trace.buffers[i].offset, again.buffers[i].offset);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_training_traces), cmocka_unit_test(test_residual_trace),
        cmocka_unit_test(test_inference_trace), cmocka_unit_test(test_random_traces),
        cmocka_unit_test(test_special_cases),   cmocka_unit_test(test_same_plan_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
