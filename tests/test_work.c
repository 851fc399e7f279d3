/* test_work.c: which kernels go to the threads: of small steps none, of large ones those that take
 * the time. */
#include "compiler/frontend/model.h"
#include "compiler/jit/jit.h"
#include "runtime/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

static int shared; /* kernels of the step under way that were given to `parallel` */

static void count_and_run(void *pool, program_task *task, const void *context, long count) {
    (void)pool;
    shared++;
    task(context, 0, count);
}

/* Trains one step on zeros; returns how many of its kernels were shared. */
static int shared_kernels(const char *file, long batch) {
    struct arena arena;
    struct error error = {.text = ""};
    arena_init(&arena);
    if (setjmp(arena.exhausted)) fail_msg("out of memory");
    const struct model *model = model_read(&arena, file, &error);
    if (!model) fail_msg("%s", error.text);
    struct jit_options options = {.backend = BACKEND_TCC,
                                  .compile = {.training = true, .batch = batch}};
    struct jit *jit = jit_new(model, &options, &error);
    if (!jit) fail_msg("%s", error.text);
    const struct program *program = jit_program(jit);
    struct program_memory memory;
    assert_true(program_memory_new(program, &memory, &error));
    program_initialize(program, 1, memory.space);
    struct program_call call = program_memory_call(&memory, count_and_run, NULL);
    call.scalars[0] = 1e-3;
    call.scalars[1] = 1;
    call.scalars[2] = (double)batch;
    shared = 0;
    program->train(&call);
    program_memory_free(&memory);
    jit_free(jit);
    arena_free(&arena);
    return shared;
}

static void small_steps_stay_on_one_thread(void **state) {
    (void)state;
    assert_int_equal(shared_kernels("models/mnist_mlp_batch_1.lua", 1), 0);
    assert_int_equal(shared_kernels("models/fashion_micro.lua", 1), 0);
}

static void large_kernels_are_shared(void **state) {
    (void)state;
    int some = shared_kernels("models/mnist_mlp.lua", 100);
    int more = shared_kernels("models/mnist_mlp.lua", 4000);
    assert_true(some >= 2); /* the product of the first layer and its gradient */
    assert_true(more > some);
    assert_true(shared_kernels("models/cnn_increasing.lua", 64) > 30); /* of 30 convolutions */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_steps_stay_on_one_thread),
        cmocka_unit_test(large_kernels_are_shared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
