/* test_generic_program.c: models run tensor by tensor with generic kernels, against the naive
 * reference in double. */
#include "compiler/generic/generic_program.h"
#include "reference_model.h"
#include "runtime/memory.h"
#include "runtime/parallel.h"

#include <math.h>

#define TRAINING(loss, optimizer) ", training = { loss = '" loss "', optimizer = " optimizer "} }"

static const char *const texts[] = {
    /* convolutions of many kinds, normalization, pooling, dropout */
    "return model 'images' { input { 9, 8, 2 },"
    "  conv2d { 4, kernel_size = 3, padding = 'same', activation = 'relu' }, batch_norm {},"
    "  conv2d { 6, kernel_size = { 3, 2 }, strides = 2, groups = 2, padding = 'same' },"
    "  max_pool2d { 2 }, dropout { 0.25 }, conv2d { 3, kernel_size = 1, activation = 'elu' },"
    "  flatten {}, dense { 10, activation = 'tanh' }, dense { 5, activation = 'softmax' }" TRAINING(
        "sparse_categorical_crossentropy", "sgd { momentum = 0.9 }"),
    /* a graph; averages; dilation; no padding */
    "local x = input { 7, 7, 3 }"
    "local a = conv2d { 4, kernel_size = 3, dilation_rate = 2, padding = 'same' } (x)"
    "local b = conv2d { 4, kernel_size = 1, activation = 'gelu' } (x)"
    "local c = concatenate {} { add {} { a, b }, average_pool2d { 3, strides = 1, padding = 'same' "
    "} "
    "(x) }"
    "local d = global_average_pool2d {} (max_pool2d { 3, strides = 2 } (c))"
    "return model 'graph' { inputs = x, outputs = dense { 4, activation = 'softmax' } (d)" TRAINING(
        "categorical_crossentropy", "nadam {}"),
    /* dense layers */
    "return model 'dense' { input { 13 }, dense { 11, activation = 'sigmoid' },"
    "  dense { 7, activation = 'leaky_relu' }, dense { 3, activation = 'sigmoid' }" TRAINING(
        "binary_crossentropy", "sgd { momentum = 0.9, nesterov = true }"),
    "return model 'values' { input { 6 }, dense { 4, trainable = false }, dense { 2 }" TRAINING(
        "mean_squared_error",
        "rmsprop { learning_rate = exponential_decay { "
        "initial_learning_rate = 0.1, decay_steps = 10, decay_rate = 0.9 } }"),
};
enum { MODELS = sizeof texts / sizeof *texts, BATCH = 7 };

/* Stands for the compiled program: sizes, and which entry points there are. */
static void no_entry(struct program_call *call) {
    (void)call;
}

static struct program like_program(const struct reference_model *m) {
    struct shape label = label_shape(m->model);
    struct program p = {.name = m->model->name,
                        .batch = BATCH,
                        .rows = BATCH,
                        .sample_size = shape_elements(&m->model->input->output),
                        .label_size = shape_elements(&label),
                        .output_size = shape_elements(&m->model->output->output),
                        .has_accuracy = m->model->training.accuracy,
                        .train = no_entry,
                        .evaluate = no_entry,
                        .predict = no_entry};
    for (int i = 0; i < SPACE_COUNT; i++) p.space_size[i] = m->graph[MODE_TRAINING]->space_size[i];
    return p;
}

static void check_close(const char *what, const float *got, const double *expected, long count) {
    for (long i = 0; i < count; i++)
        if (!(fabs((double)got[i] - expected[i]) <= 2e-5 * (1 + fabs(expected[i]))))
            fail_msg("%s: element %ld is %g, not %g", what, i, (double)got[i], expected[i]);
}

static void copy_floats(float *to, const double *from, long count) {
    for (long i = 0; i < count; i++) to[i] = (float)from[i];
}

static void open_model(struct reference_model *m, int which) {
    reference_open(m, texts[which], BATCH);
    if (which == 3)
        for (long i = 0; i < 2 * BATCH; i++) m->labels[i] = uniform(96, i);
    else
        reference_classes(m, which == 2);
}

/* Trains two steps, evaluates and predicts, beside the reference; the last rows are padding. */
static void check_model(int which, enum generic_method method, struct pool *pool) {
    struct reference_model m;
    struct error error = {""};
    struct program_memory memory;
    open_model(&m, which);
    struct program like = like_program(&m);
    struct generic_program *generic = generic_program_new(m.model, method, &like, &error);
    assert_string_equal(error.text, "");
    const struct program *p = generic_program_get(generic);
    assert_true(program_memory_new(p, &memory, &error));
    memset(memory.arena, 0x7f, p->arena_bytes); /* nothing may count on zeros */
    for (int i = 0; i < SPACE_COUNT; i++)
        copy_floats(memory.space[i], m.spaces[i], p->space_size[i]);
    copy_floats(memory.samples, m.samples, BATCH * p->sample_size);
    copy_floats(memory.labels, m.labels, BATCH * p->label_size);
    struct program_call call = program_memory_call(&memory, pool ? pool_parallel : NULL, pool);
    m.scalars[SCALAR_LEARNING_RATE] = 0.01;
    for (int step = 1; step <= 3; step++) {
        enum mode mode = step < 3 ? MODE_TRAINING : MODE_EVALUATION;
        m.scalars[SCALAR_STEP] = step;
        m.scalars[SCALAR_SAMPLES] = step == 1 ? BATCH : BATCH - 2;
        memcpy(call.scalars, m.scalars, sizeof call.scalars);
        reference_run(&m, mode);
        (mode == MODE_TRAINING ? p->train : p->evaluate)(&call);
        if (!(fabs(call.results[0] - m.loss) < 2e-5 * (1 + m.loss)))
            fail_msg("model %d, step %d: the loss is %g, not %g", which, step, call.results[0],
                     m.loss);
        if (p->has_accuracy) assert_true(fabs(call.results[1] - m.accuracy) < 1e-6);
        for (int i = 0; i < SPACE_COUNT; i++)
            check_close("a space", memory.space[i], m.spaces[i], p->space_size[i]);
    }
    check_close("predictions", memory.predictions, m.predictions, BATCH * p->output_size);
    memset(memory.predictions, 0, sizeof(float) * (size_t)(BATCH * p->output_size));
    p->predict(&call);
    check_close("predictions", memory.predictions, m.predictions, BATCH * p->output_size);
    program_memory_free(&memory);
    generic_program_free(generic);
    reference_close(&m);
}

static void models_agree_with_the_reference(void **state) {
    (void)state;
    for (int which = 0; which < MODELS; which++) {
        check_model(which, GENERIC_NAIVE, NULL);
        check_model(which, GENERIC_OPENBLAS, NULL);
    }
}

static void threads_agree_with_the_reference(void **state) {
    (void)state;
    struct error error;
    struct pool *pool = pool_new(3, &error);
    assert_non_null(pool);
    for (int which = 0; which < MODELS; which++) check_model(which, GENERIC_OPENBLAS, pool);
    pool_free(pool);
}

/* The baseline must be the fast generic kernels, not the loops for the rest. */
static void contractions_are_recognized(void **state) {
    (void)state;
    static const int expected[MODELS][3] = {
        /* three convolutions: forward, by weights, by data but for the first; two dense layers */
        {8, 6, 0},
        {4, 3, 1}, /* the average is neither */
        {0, 8, 0},
        {0, 3, 0}, /* the first layer is frozen */
    };
    for (int which = 0; which < MODELS; which++) {
        struct reference_model m;
        struct error error = {""};
        int found[3];
        open_model(&m, which);
        struct program like = like_program(&m);
        struct generic_program *generic =
            generic_program_new(m.model, GENERIC_OPENBLAS, &like, &error);
        assert_non_null(generic);
        generic_program_contractions(generic, MODE_TRAINING, &found[0], &found[1], &found[2]);
        print_message("model %d: %d convolutions, %d products, %d others\n", which, found[0],
                      found[1], found[2]);
        for (int i = 0; i < 3; i++)
            if (expected[which][i] >= 0) assert_int_equal(found[i], expected[which][i]);
        generic_program_free(generic);
        reference_close(&m);
    }
}

static void places_are_limited(void **state) {
    (void)state;
    struct reference_model m;
    struct error error = {""};
    struct generic_program *generic[MAX_GENERIC_PROGRAMS];
    open_model(&m, 3);
    struct program like = like_program(&m);
    like.train = like.evaluate = NULL;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < MAX_GENERIC_PROGRAMS; i++) {
            generic[i] = generic_program_new(m.model, GENERIC_NAIVE, &like, &error);
            assert_non_null(generic[i]);
            assert_null(generic_program_get(generic[i])->train);
            assert_non_null(generic_program_get(generic[i])->predict);
        }
        assert_null(generic_program_new(m.model, GENERIC_NAIVE, &like, &error));
        assert_string_equal(error.text, "more than 4 generic programs at a time");
        for (int i = 0; i < MAX_GENERIC_PROGRAMS; i++) generic_program_free(generic[i]);
    }
    arena_fail_after(20);
    assert_null(generic_program_new(m.model, GENERIC_NAIVE, &like, &error));
    arena_fail_after(0);
    assert_non_null(strstr(error.text, "out of memory"));
    generic_program_free(NULL);
    reference_close(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models_agree_with_the_reference),
        cmocka_unit_test(threads_agree_with_the_reference),
        cmocka_unit_test(contractions_are_recognized),
        cmocka_unit_test(places_are_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
