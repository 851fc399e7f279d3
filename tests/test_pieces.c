/* test_pieces.c: a training step in pieces, for large batches, does what a whole step does. */
#include "compiler/jit/jit.h"
#include "runtime/trainer.h"
#include "tests/model_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Two whole batches of three pieces, and one of a piece and a half of another. */
enum { FEATURES = 20, CLASSES = 5, BATCH = 3072, SAMPLES = 2 * BATCH + 1500, STEPS = 6 };

static float features[SAMPLES][FEATURES];
static int labels[SAMPLES];
static const struct dataset data = {.floats = &features[0][0],
                                    .count = SAMPLES,
                                    .sample_size = FEATURES,
                                    .rank = 1,
                                    .shape = {FEATURES},
                                    .labels = labels,
                                    .classes = CLASSES};

static const char text[] =
    "return model 'pieces' { input { 20 }, dense { 30, activation = 'tanh' },\n"
    "  dense { 5, activation = 'softmax' }, training = { batch_size = 3072,\n"
    "  loss = 'sparse_categorical_crossentropy', optimizer = adam {} } }\n";

static int make_data(void **state) {
    unsigned random = 1;
    (void)state;
    for (int n = 0; n < SAMPLES; n++) {
        labels[n] = n % CLASSES;
        for (int i = 0; i < FEATURES; i++) {
            random = random * 1103515245u + 12345u;
            features[n][i] = (float)((random >> 16) % 1000) / 1000 + (i % CLASSES == labels[n]);
        }
    }
    return 0;
}

static const struct program *the_program(void *context) {
    return jit_program(context);
}

static double rate(void *context, long step) {
    (void)context, (void)step;
    return 1e-3;
}

struct run {
    double losses[STEPS];
    int steps;
    long explained; /* samples of the call that explain got; the one of them that is not finite */
    bool has_nan;
    struct error error;
};

static void keep_loss(void *context, const struct training_report *report) {
    struct run *run = context;
    assert_true(run->steps < STEPS);
    assert_int_equal(report->step, run->steps % (STEPS / 2) + 1);
    assert_int_equal(report->steps, STEPS / 2);
    run->losses[run->steps++] = report->step_loss;
}

static bool explain(void *context, const struct program_call *call, char *words, size_t size) {
    struct run *run = context;
    run->explained = (long)call->scalars[2];
    for (long i = 0; i < run->explained * FEATURES; i++)
        run->has_nan = run->has_nan || isnan(call->inputs[0][i]);
    snprintf(words, size, "a sample");
    return true;
}

/* Two epochs, or up to an error; returns the trained weights, which the caller frees. */
static float *train(long pieces, struct pool *pool, struct run *run) {
    struct arena arena;
    arena_init(&arena);
    if (setjmp(arena.exhausted)) fail_msg("out of memory");
    const struct model *model = model_of_text(&arena, text);
    struct jit_options options = {
        .backend = BACKEND_TCC,
        .compile = {.training = pieces == 1, .pieces = pieces, .batch = BATCH / pieces}};
    struct jit *jit = jit_new(model, &options, &run->error);
    if (!jit) fail_msg("%s", run->error.text);
    const struct program *program = jit_program(jit);
    assert_int_equal(program_step_samples(program), BATCH);
    struct trainer_options training = {.program = the_program,
                                       .program_context = jit,
                                       .learning_rate = rate,
                                       .data = &data,
                                       .epochs = 2,
                                       .seed = 7,
                                       .pool = pool,
                                       .explain = explain,
                                       .explain_context = run,
                                       .on_step = keep_loss,
                                       .report_context = run};
    struct trainer *trainer = trainer_new(&training, &run->error);
    if (!trainer) fail_msg("%s", run->error.text);
    trainer_run(trainer, &run->error);
    size_t bytes = (size_t)program->space_size[PROGRAM_TRAINABLE] * sizeof(float);
    float *weights = malloc(bytes);
    assert_non_null(weights);
    memcpy(weights, trainer_spaces(trainer)[PROGRAM_TRAINABLE], bytes);
    trainer_free(trainer);
    jit_free(jit);
    arena_free(&arena);
    return weights;
}

enum { WEIGHTS = FEATURES * 30 + 30 + 30 * CLASSES + CLASSES };

static void pieces_give_the_whole_step(void **state) {
    struct run whole = {.steps = 0}, pieces = {.steps = 0}, shared = {.steps = 0};
    struct error error;
    (void)state;
    struct pool *pool = pool_new(2, &error);
    assert_non_null(pool);
    float *expected = train(1, NULL, &whole), *weights = train(3, NULL, &pieces);
    float *with_threads = train(3, pool, &shared);
    assert_int_equal(whole.steps, STEPS);
    assert_int_equal(pieces.steps, STEPS);
    assert_true(whole.losses[STEPS - 1] < whole.losses[0] - 0.01);
    for (int i = 0; i < STEPS; i++)
        if (!(fabs(pieces.losses[i] - whole.losses[i]) < 1e-5))
            fail_msg("step %d: loss %.9g, not %.9g", i, pieces.losses[i], whole.losses[i]);
    for (int i = 0; i < WEIGHTS; i++)
        if (!(fabs((double)weights[i] - (double)expected[i]) < 2e-5))
            fail_msg("weight %d is %.9g, not %.9g", i, (double)weights[i], (double)expected[i]);
    assert_memory_equal(weights, with_threads, WEIGHTS * sizeof(float));
    pool_free(pool);
    free(expected);
    free(weights);
    free(with_threads);
}

/* The piece that has the sample is the one that explain gets. */
static void a_piece_that_is_not_finite_is_found(void **state) {
    struct run run = {.steps = 0};
    (void)state;
    float kept = features[4000][3];
    features[4000][3] = NAN;
    free(train(3, NULL, &run));
    features[4000][3] = kept;
    assert_non_null(strstr(run.error.text, "no longer a finite number"));
    assert_non_null(strstr(run.error.text, "the first that was not finite: a sample"));
    assert_true(run.has_nan);
    assert_true(run.explained <= BATCH / 3);
}

static void large_batches_are_cut(void **state) {
    static const char normalized[] =
        "return model 'normalized' { input { 20 }, dense { 5 }, batch_norm {} }\n";
    struct arena arena;
    (void)state;
    arena_init(&arena);
    if (setjmp(arena.exhausted)) fail_msg("out of memory");
    const struct model *model = model_of_text(&arena, text);
    assert_int_equal(compile_pieces(model, 1), 1);
    assert_int_equal(compile_pieces(model, 2048), 1);
    assert_int_equal(compile_pieces(model, 3072), 3);
    assert_int_equal(compile_pieces(model, 50000), 50);
    assert_int_equal(compile_pieces(model, 10007), 1); /* a prime */
    assert_int_equal(compile_pieces(model_of_text(&arena, normalized), 50000), 1);
    arena_free(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_give_the_whole_step),
        cmocka_unit_test(a_piece_that_is_not_finite_is_found),
        cmocka_unit_test(large_batches_are_cut),
    };
    return cmocka_run_group_tests(tests, make_data, NULL);
}
