/* test_allocation.c: every way from a model file to code, with the n-th allocation of an arena
 * failing, for n = 1, 2, ...: each ends with a clean message or with the right code, and frees what
 * it took (the sanitizers' run looks for leaks). */
#include "compiler/generic/generic_program.h"
#include "compiler/jit/jit.h"
#include "tests/kernel_run.h"

#include <limits.h>
#include <malloc.h>

static const char *const files[][2] = {
    {"model.lua",
     "local blocks = require 'blocks'\n"
     "local x = input { 6, 5, 2 }\n"
     "local y = blocks.convolution(x, function(x) return x * sigmoid(x) end)\n"
     "local z = add {} { y, conv2d { 3, kernel_size = 1, trainable = false } (x) }\n"
     "local v = flatten {} (max_pool2d { 2 } (batch_norm {} (z)))\n"
     "return model 'm' { inputs = x, outputs = dense { 4, activation = 'softmax' } (dropout { 0.2 }"
     " (v)),\n"
     "  training = { loss = 'sparse_categorical_crossentropy', optimizer = adam {\n"
     "    learning_rate = function(step) return 0.1 / (1 + step) end }, batch_size = 5 } }\n"},
    {"blocks.lua", "return { convolution = function(x, f)\n"
                   "  return conv2d { 3, kernel_size = 3, padding = 'same', activation = f } (x)\n"
                   "end }\n"},
    {"wrong.lua", "return model 'm' { input { 6 }, dense { unit = 3 } }\n"},
};
static char folder[] = "/tmp/lathe-test-allocation-XXXXXX";

static const char *path_of(const char *name) {
    static char path[100];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static int start(void **state) {
    (void)state;
    if (!mkdtemp(folder)) return -1;
    mallopt(M_TRIM_THRESHOLD, 1 << 28); /* arenas come and go: keep their pages */
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        FILE *file = fopen(path_of(files[i][0]), "w");
        if (!file) return -1;
        fputs(files[i][1], file);
        fclose(file);
    }
    return 0;
}

static int finish(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) unlink(path_of(files[i][0]));
    return rmdir(folder);
}

/* ---- walking ---- */

enum outcome { DONE, SAID_WHY, EXHAUSTED };
typedef enum outcome work(void *context, struct error *error);

/* All of the first allocations, then ever larger steps. */
static long next_number(long n) {
    return n < 120 ? n + 1 : n + 1 + n / 31;
}

/* True if the n-th allocation has not come yet. */
static bool failure_waits(long n) {
    struct arena arena;
    arena_init(&arena);
    volatile bool waits = true;
    if (!setjmp(arena.exhausted)) {
        for (long i = 0; i < n && i < 10000000; i++) arena_alloc(&arena, 1);
        waits = false;
    }
    arena_free(&arena);
    return waits;
}

/* Lets allocations fail until the work gets through untouched. Returns how often it failed. */
static int walk(work *function, void *context) {
    int failed = 0;
    for (long n = 1;; n = next_number(n)) {
        struct error error = {""};
        arena_fail_after(n);
        enum outcome outcome = function(context, &error);
        bool untouched = failure_waits(n);
        arena_fail_after(0);
        if (outcome == SAID_WHY && !strstr(error.text, "out of memory"))
            fail_msg("allocation %ld: the message is \"%s\"", n, error.text);
        if (outcome != SAID_WHY && *error.text)
            fail_msg("allocation %ld: done, with the message \"%s\"", n, error.text);
        failed += outcome != DONE;
        if (untouched) {
            assert_int_equal(outcome, DONE);
            return failed;
        }
    }
}

/* ---- the ways ---- */

static enum outcome read_model(void *context, struct error *error) {
    struct arena arena;
    volatile enum outcome outcome = EXHAUSTED;
    arena_init(&arena);
    if (!setjmp(arena.exhausted))
        outcome = model_read(&arena, path_of(context), error) ? DONE : SAID_WHY;
    arena_free(&arena);
    return outcome;
}

static void test_model_read(void **state) {
    (void)state;
    assert_true(walk(read_model, "model.lua") > 20);
}

/* A message about the model is not lost, nor taken for one about memory. */
static void test_model_with_a_mistake(void **state) {
    (void)state;
    for (long n = 1; n < 3000; n = next_number(n)) {
        struct error error = {""};
        arena_fail_after(n);
        enum outcome outcome = read_model("wrong.lua", &error);
        arena_fail_after(0);
        if (outcome == EXHAUSTED) continue;
        assert_int_equal(outcome, SAID_WHY);
        assert_non_null(strstr(error.text, "unit"));
    }
}

/* What is compiled, and what comes out of it when memory suffices. */
struct compiling {
    struct kernel_check check;
    struct compile_options options;
    const char *text;
    int others; /* texts that differ: something was decided without the memory to look closer */
};

/* The queries of expressions have memory of their own; without it they give an answer that may cost
 * speed, so that the text may differ. It must compute the same. */
static void check_other_text(struct compiling *c, const struct compilation *compilation) {
    struct built built = {.program = compilation->program};
    struct error error = {""};
    if (++c->others > 40 || c->options.dialect != DIALECT_TCC) return;
    if (!load_tcc_text(&built, compilation, c->options.target, &error)) fail_msg("%s", error.text);
    assert_true(set_entry(&built, "m_train", &built.program.train));
    assert_true(set_entry(&built, "m_evaluate", &built.program.evaluate));
    assert_true(set_entry(&built, "m_predict", &built.program.predict));
    check_built(&c->check, &built, NULL, 10, 4 * FLT_EPSILON, "with little memory");
    built_free(&built);
}

static enum outcome compile_in(struct arena *arena, struct compiling *c, struct error *error) {
    struct compilation *compilation = compile_model(arena, c->check.m.model, &c->options, error);
    if (!compilation) return SAID_WHY;
    bool waits = failure_waits(LONG_MAX);
    arena_fail_after(0);
    if (strcmp(compilation->c_text, c->text) != 0) check_other_text(c, compilation);
    if (waits) arena_fail_after(1); /* as walk will find it */
    return DONE;
}

static enum outcome compile(void *context, struct error *error) {
    struct arena arena;
    volatile enum outcome outcome = EXHAUSTED;
    arena_init(&arena);
    if (!setjmp(arena.exhausted)) outcome = compile_in(&arena, context, error);
    arena_free(&arena);
    return outcome;
}

/* Some random model: which seeds give models that are small and far from kinks is left to
 * check_open, for it changes with what random models are. */
static void check_compiling(struct compiling *c) {
    struct error error = {""};
    c->options = (struct compile_options){.target = target_native(), .dialect = DIALECT_TCC};
    c->options.training = c->options.evaluation = c->options.prediction = true;
    c->options.prefix = "m";
    struct compilation *compilation =
        compile_model(&c->check.m.arena, c->check.m.model, &c->options, &error);
    assert_non_null(compilation);
    c->text = compilation->c_text;
    int failed = walk(compile, c);
    print_message("%d compilations failed, %d gave another text\n", failed, c->others);
    assert_true(failed > 100);
}

static void test_compile_model(void **state) {
    (void)state;
    int models = 0;
    for (uint64_t seed = 1; models < 3 && seed < 100; seed++) {
        struct compiling c = {.text = NULL};
        if (!check_open(&c.check, seed, false, 1e7)) continue;
        check_compiling(&c);
        check_close_all(&c.check);
        models++;
    }
    assert_int_equal(models, 3);
    assert_int_equal(check_failures, 0);
}

/* From here on the functions own their arenas: what they cannot do they say. */

static enum outcome load_jit(void *model, struct error *error) {
    struct jit_options options = {.backend = BACKEND_TCC,
                                  .compile = {.training = true, .prediction = true}};
    struct jit *jit = jit_new(model, &options, error);
    enum outcome outcome = jit ? DONE : SAID_WHY;
    if (jit && (!jit_program(jit)->train || !jit_program(jit)->predict)) fail();
    jit_free(jit);
    return outcome;
}

/* Stands for the compiled entry point: there is one. */
static void generic_stand_in(struct program_call *call) {
    (void)call;
}

static enum outcome load_generic(void *model, struct error *error) {
    const struct model *m = model;
    struct program like = {.batch = 5, .rows = 16, .predict = generic_stand_in};
    struct generic_program *program = generic_program_new(m, GENERIC_NAIVE, &like, error);
    generic_program_free(program);
    return program ? DONE : SAID_WHY;
}

static void walk_with_model(work *function) {
    struct arena arena;
    struct error error = {""};
    arena_init(&arena);
    if (setjmp(arena.exhausted)) abort();
    struct model *model = model_read(&arena, path_of("model.lua"), &error);
    if (!model) fail_msg("%s", error.text);
    assert_true(walk(function, model) > 100);
    arena_free(&arena);
}

static void test_jit(void **state) {
    (void)state;
    walk_with_model(load_jit);
}

static void test_generic_program(void **state) {
    (void)state;
    walk_with_model(load_generic);
}

static enum outcome write_standalone(struct arena *arena, void *model, struct error *error) {
    struct compile_options options = {.target = target_find("generic"), .batch = 3};
    return compile_standalone(arena, model, MODE_TRAINING, &options, NULL, error) ? DONE : SAID_WHY;
}

static enum outcome emit(void *model, struct error *error) {
    struct arena arena;
    volatile enum outcome outcome = EXHAUSTED;
    arena_init(&arena);
    if (!setjmp(arena.exhausted)) outcome = write_standalone(&arena, model, error);
    arena_free(&arena);
    return outcome;
}

static void test_standalone(void **state) {
    (void)state;
    walk_with_model(emit);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model_read),      cmocka_unit_test(test_model_with_a_mistake),
        cmocka_unit_test(test_compile_model),   cmocka_unit_test(test_jit),
        cmocka_unit_test(test_generic_program), cmocka_unit_test(test_standalone),
    };
    return cmocka_run_group_tests(tests, start, finish);
}
