/* test_thread_choice.c: all threads or one: the decision, with times made up, and that training
 * does not mind it. */
#include "runtime/evaluation.h"
#include "runtime/thread_choice.h"
#include "runtime/trainer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

/* A machine on which a step takes the one time with all threads, and the other with one. */
struct machine {
    struct thread_choice choice;
    double now, all, one;
    double lost; /* seconds that a step took longer than it could have */
    long steps, steps_alone;
};

static struct pool *pool;

static void step(struct machine *m, double noise) {
    struct pool *used = thread_choice_begin(&m->choice, m->now);
    double seconds = used ? m->all : m->one, best = m->all < m->one ? m->all : m->one;
    assert_true(!used || used == pool);
    m->steps++;
    m->steps_alone += !used;
    m->lost += seconds - best;
    m->now += seconds * (1 + noise);
    thread_choice_end(&m->choice, m->now);
    m->now += 1e-6;
}

static void run(struct machine *m, double seconds) {
    m->lost = 0;
    m->steps = m->steps_alone = 0;
    for (double end = m->now + seconds; m->now < end;) step(m, 0);
}

static struct machine machine_of(double all, double one) {
    struct machine m = {.now = 1000, .all = all, .one = one};
    thread_choice_init(&m.choice, pool);
    return m;
}

static void the_faster_way_is_kept(void **state) {
    (void)state;
    static const double step_seconds[] = {20e-6, 1e-3, 15e-3, 30e-3, 0.5, 4};
    static const double gains[] = {0.5, 0.9, 1.1, 1.9};
    for (size_t i = 0; i < sizeof step_seconds / sizeof *step_seconds; i++)
        for (size_t k = 0; k < sizeof gains / sizeof *gains; k++) {
            struct machine m = machine_of(step_seconds[i] / gains[k], step_seconds[i]);
            run(&m, 60 * step_seconds[i]);
            assert_true(m.choice.alone == (gains[k] < 1));
            /* From then on trials cost little, but there are some. */
            run(&m, 1000 * step_seconds[i] > 20 ? 1000 * step_seconds[i] : 20);
            assert_true(m.choice.alone == (gains[k] < 1));
            assert_true(m.lost < 0.015 * 20 || m.lost < 0.015 * 1000 * step_seconds[i]);
            assert_true(m.steps_alone > 0 && m.steps_alone < m.steps);
        }
}

static void it_follows_the_machine(void **state) {
    (void)state;
    struct machine m = machine_of(1.6e-3, 2.7e-3);
    for (int change = 0; change < 6; change++) {
        run(&m, 5);
        assert_true(m.choice.alone == (change % 2 == 1));
        m.all = change % 2 ? 1.6e-3 : 3e-3; /* the host moves the processors */
    }
}

/* The other processors were asleep, or busy, when it began. */
static void a_bad_beginning_is_soon_forgotten(void **state) {
    (void)state;
    struct machine m = machine_of(20e-3, 1.8e-3);
    run(&m, 0.3);
    assert_true(m.choice.alone);
    m.all = 1e-3;
    run(&m, 0.5);
    assert_false(m.choice.alone);
}

static void threads_that_gain_nothing_rest(void **state) {
    (void)state;
    struct machine m = machine_of(1e-3, 1.02e-3);
    run(&m, 10);
    assert_true(m.choice.alone);
    m = machine_of(1e-3, 1.04e-3);
    run(&m, 10);
    assert_false(m.choice.alone);
    /* Single slow steps, whoever makes them, decide nothing. */
    m = machine_of(1e-3, 1.2e-3);
    for (int i = 0; i < 5000; i++) step(&m, i % 5 == 0 ? 3 : 0);
    assert_false(m.choice.alone);
}

static void new_code_is_tried_again(void **state) {
    (void)state;
    struct machine m = machine_of(2e-3, 1e-3);
    run(&m, 0.2);
    assert_true(m.choice.alone);
    m.all = 0.4e-3;
    thread_choice_restart(&m.choice);
    run(&m, 0.2);
    assert_false(m.choice.alone);
}

static void without_a_pool_nothing_is_chosen(void **state) {
    (void)state;
    struct thread_choice choice;
    thread_choice_init(&choice, NULL);
    for (int i = 0; i < 100; i++) {
        assert_null(thread_choice_begin(&choice, i));
        thread_choice_end(&choice, i + 0.5);
    }
    assert_false(choice.is_trial);
}

/* --- a training in which it changes its mind --- */

enum { SAMPLES = 4000, SIZE = 50, BATCH = 5, WEIGHTS = SIZE };

enum { PERIOD = 50 }; /* steps from one compiled program to the next */

static long calls[2], slow_calls; /* calls: with all threads, with one */
static bool slow_alone;           /* which way is slow */

static void add_to_weights(const void *context, long begin, long end) {
    const struct program_call *call = context;
    float *weights = call->space[PROGRAM_TRAINABLE];
    for (long i = begin; i < end; i++)
        for (long n = 0; n < BATCH; n++)
            weights[i] = 0.9f * weights[i] + 0.1f * call->inputs[0][n * SIZE + i];
}

/* Stands for a compiled step: like one it goes through `parallel`. */
static void train_entry(struct program_call *call) {
    bool alone = !call->pool;
    call->parallel(call->pool, add_to_weights, call, WEIGHTS);
    call->results[0] = 1;
    calls[alone]++;
    if (alone != slow_alone) return;
    nanosleep(&(struct timespec){0, 200000}, NULL);
    slow_calls++;
}

/* Changes between two copies of the program, and with it which way is slow. */
static const struct program *program_of(void *context) {
    const struct program *copies = context;
    long number = (calls[0] + calls[1]) / PERIOD % 2;
    slow_alone = number != 0;
    return &copies[number];
}

static double rate_of(void *context, long at) {
    (void)context;
    (void)at;
    return 0.1;
}

static void train(struct pool *threads, float weights[WEIGHTS]) {
    static float samples[SAMPLES * SIZE];
    static int labels[SAMPLES];
    static const struct program_variable variable = {
        .name = "w", .elements = WEIGHTS, .rank = 1, .size = {WEIGHTS}};
    struct program copies[2] = {{
        .name = "m",
        .batch = BATCH,
        .rows = BATCH,
        .sample_size = SIZE,
        .sample_rank = 1,
        .sample_shape = {SIZE},
        .label_size = 1,
        .output_size = 2,
        .sparse_labels = 1,
        .space_size = {WEIGHTS, 0, 0},
        .variables = &variable,
        .variable_count = 1,
        .train = train_entry,
    }};
    copies[1] = copies[0];
    memset(calls, 0, sizeof calls);
    slow_calls = 0;
    for (long i = 0; i < SAMPLES * SIZE; i++) samples[i] = (float)(i * 7919 % 1000) / 1000;
    struct dataset data = {.floats = samples,
                           .count = SAMPLES,
                           .sample_size = SIZE,
                           .rank = 1,
                           .shape = {SIZE},
                           .labels = labels,
                           .classes = 2};
    struct trainer_options options = {.program = program_of,
                                      .program_context = copies,
                                      .learning_rate = rate_of,
                                      .data = &data,
                                      .epochs = 2,
                                      .seed = 3,
                                      .pool = threads};
    struct error error = {.text = ""};
    struct trainer *trainer = trainer_new(&options, &error);
    if (!trainer) fail_msg("%s", error.text);
    assert_int_equal(trainer_run(trainer, &error), TRAINING_FINISHED);
    memcpy(weights, trainer_spaces(trainer)[PROGRAM_TRAINABLE], sizeof(float) * WEIGHTS);
    trainer_free(trainer);
}

static void changes_during_training_leave_no_mark(void **state) {
    (void)state;
    float expected[WEIGHTS], weights[WEIGHTS];
    train(NULL, expected);
    assert_int_equal(calls[0], 0);
    train(pool, weights);
    assert_memory_equal(weights, expected, sizeof weights);
    /* Of each period about half is trial, and the rest goes the faster way. */
    long steps = calls[0] + calls[1];
    assert_int_equal(steps, 2 * SAMPLES / BATCH);
    assert_in_range(calls[0], steps / 4, 3 * steps / 4);
    assert_true(slow_calls < 0.45 * (double)steps);
}

static int open_pool(void **state) {
    (void)state;
    pool = pool_new(3, NULL);
    return pool ? 0 : -1;
}

static int close_pool(void **state) {
    (void)state;
    pool_free(pool);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_faster_way_is_kept),
        cmocka_unit_test(it_follows_the_machine),
        cmocka_unit_test(a_bad_beginning_is_soon_forgotten),
        cmocka_unit_test(threads_that_gain_nothing_rest),
        cmocka_unit_test(new_code_is_tried_again),
        cmocka_unit_test(without_a_pool_nothing_is_chosen),
        cmocka_unit_test(changes_during_training_leave_no_mark),
    };
    return cmocka_run_group_tests(tests, open_pool, close_pool);
}
