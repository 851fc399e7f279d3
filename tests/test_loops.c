/* test_loops.c: elementwise loops and sums over short rows, which libtcc's form of a model computes
 * several at a time: against the naive reference in double on every target that runs here, and with
 * the bits of the C compiler's form. */
#include "tests/kernel_pools.h"
#include "tests/kernel_run.h"

static const double most_cost = 1e8;

struct loop_case {
    long batch;
    bool binary; /* labels are zeros and ones */
    const char *layers, *loss;
};

/* ---- all cases ---- */

/* Sums, maxima and positions along rows; a number for each row. */
static const struct loop_case softmax = {100, false,
                                         "input { 12 }, dense { 10, activation = 'softmax' }",
                                         "'sparse_categorical_crossentropy'"};
/* Rows that leave a piece of 1024 numbers unfilled, and the last piece shorter than the others. */
static const struct loop_case narrow = {
    350, false, "input { 4 }, dense { 3, activation = 'softmax' }", "'categorical_crossentropy'"};
/* Rows of two: 512 fill a piece. */
static const struct loop_case pairs = {520, false,
                                       "input { 3 }, dense { 2, activation = 'softmax' }",
                                       "'sparse_categorical_crossentropy'"};
/* Sums over the rows, the same row for all of them, random numbers. */
static const struct loop_case normalized = {
    37, false,
    "input { 9 }, dense { 13 }, batch_norm {}, activation { 'elu' }, dropout { 0.3 }, "
    "dense { 21, activation = 'gelu' }, batch_norm {}, dense { 6, activation = 'softmax' }",
    "'sparse_categorical_crossentropy'"};
/* Random numbers and positions in rows with a number each; pieces of an uneven number of rows. */
static const struct loop_case hidden = {
    70, false,
    "input { 8 }, dense { 17, activation = 'softmax' }, dropout { 0.4 }, "
    "dense { 33, activation = 'softmax' }, dropout { 0.2 }, dense { 5, activation = 'softmax' }",
    "'sparse_categorical_crossentropy'"};
/* Rows too long to repeat what is one number for each, but not too long to be summed together. */
static const struct loop_case longer = {
    24, false,
    "input { 6 }, dense { 300, activation = 'sigmoid' }, dense { 70, activation = 'softmax' }",
    "'sparse_categorical_crossentropy'"};
/* A loss of the user's own, over rows and not all of them valid. */
static const struct loop_case squares = {
    33, false, "input { 5 }, dense { 6, activation = 'leaky_relu' }, dense { 7 }",
    "function(y, p) return (y - p) * (y - p) + 0.1 * sin(p) end"};
/* Images: channels in rows where the batch is small, samples where it is not. */
static const struct loop_case images = {
    6, false,
    "input { 5, 4, 2 }, conv2d { 3, kernel_size = 3, padding = 'same' }, batch_norm {}, "
    "activation { 'tanh' }, average_pool2d { 2, padding = 'same' }, dropout { 0.2 }, flatten {}, "
    "dense { 4, activation = 'softmax' }",
    "'categorical_crossentropy'"};
static const struct loop_case image_softmax = {
    40, false,
    "input { 3, 3, 2 }, conv2d { 5, kernel_size = 2, activation = 'softmax' }, flatten {}, "
    "dense { 4, activation = 'softmax' }",
    "'sparse_categorical_crossentropy'"};

static void open_case(struct kernel_check *check, const struct loop_case *c) {
    memset(check, 0, sizeof *check);
    check->random.batch = c->batch;
    check->random.binary = c->binary;
    snprintf(
        check->random.text, sizeof check->random.text,
        "return model 'm' { %s, training = { batch_size = %ld, loss = %s, optimizer = adam {} } "
        "}\n",
        c->layers, c->batch, c->loss);
    assert_true(check_open_text(check, (uint64_t)c->batch, most_cost));
}

/* The trace of the form for this processor. */
static double *trace_of(struct kernel_check *check, enum dialect dialect,
                        const struct target *target) {
    struct compile_options options = {.target = target, .dialect = dialect};
    struct built built;
    double *trace = trace_new(check);
    if (!build(check, options, NULL, &built)) return trace;
    const char *name = dialect == DIALECT_TCC ? "tcc" : "cc";
    check_built(check, &built, pools, 10, 4 * FLT_EPSILON, name);
    run_trace(check, &built, NULL, trace);
    built_free(&built);
    return trace;
}

static void test_case(void **state) {
    struct kernel_check check;
    check_failures = 0;
    open_case(&check, *state);
    for (const struct target *const *target = targets(); *target; target++)
        if (target_runs(*target) && *target != target_native())
            free(trace_of(&check, DIALECT_TCC, *target));
    double *tcc = trace_of(&check, DIALECT_TCC, target_native());
    double *cc = trace_of(&check, DIALECT_CC, target_native());
    assert_memory_equal(tcc, cc, sizeof *tcc * (size_t)check.layout.total);
    free(tcc);
    free(cc);
    check_close_all(&check);
    assert_int_equal(check_failures, 0);
}

#define LOOP_CASE(c) \
    { #c, test_case, NULL, NULL, (void *)&(c) }

int main(void) {
    const struct CMUnitTest tests[] = {
        LOOP_CASE(softmax),    LOOP_CASE(narrow), LOOP_CASE(pairs),
        LOOP_CASE(normalized), LOOP_CASE(hidden), LOOP_CASE(longer),
        LOOP_CASE(squares),    LOOP_CASE(images), LOOP_CASE(image_softmax),
    };
    return cmocka_run_group_tests(tests, start, finish);
}
