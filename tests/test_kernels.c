/* test_kernels.c: the generated code against the naive reference in double: small random models,
 * trained, evaluated and used by the code for libtcc on every target that runs here, and by the
 * code for C compilers in float and in double, with gradients against central differences.
 *
 * usage: test_kernels [FIRST [COUNT [STEP]]]    checks these models only */
#include "tests/kernel_pools.h"
#include "tests/kernel_run.h"

/* How many models, from which number on; slow_kernels.c says otherwise. */
#ifndef TCC_MODELS
#define FIRST_MODEL 1
#ifdef __SANITIZE_ADDRESS__
enum { TCC_MODELS = 40, CC_MODELS = 3, DOUBLE_MODELS = 3 };
#else
enum { TCC_MODELS = 150, CC_MODELS = 10, DOUBLE_MODELS = 8 };
#endif
#endif

static const double most_cost = 2e6; /* multiplications of a step of the reference */

/* ---- libtcc, every target ---- */

static struct compile_options random_options(struct kernel_check *check, enum dialect dialect,
                                             const struct target *target) {
    return (struct compile_options){.target = target,
                                    .dialect = dialect,
                                    .no_winograd = random_chance(&check->random, 30),
                                    .prepare = random_chance(&check->random, 70),
                                    .generic_products = random_chance(&check->random, 30)};
}

static double check_tcc(struct kernel_check *check) {
    double worst = 0;
    for (const struct target *const *target = targets(); *target; target++) {
        struct built built;
        if (!target_runs(*target)) continue;
        struct compile_options options = random_options(check, DIALECT_TCC, *target);
        if (!build(check, options, NULL, &built)) continue;
        worst =
            fmax(worst, check_built(check, &built, pools, 10, 4 * FLT_EPSILON, (*target)->name));
        built_free(&built);
    }
    return worst;
}

/* Compiled twice, the text is the same; every pass can be dumped, which changes nothing. */
static void check_text(struct kernel_check *check, enum dialect dialect) {
    struct error error = {""};
    struct compile_options options = random_options(check, dialect, target_native());
    options.training = options.evaluation = options.prediction = true;
    struct compilation *first = compile_model(&check->m.arena, check->m.model, &options, &error);
    if (!first) return; /* check_tcc has complained */
    for (const char *const *pass = compile_pass_names(); *pass; pass++) {
        options.dump = *pass;
        struct compilation *next = compile_model(&check->m.arena, check->m.model, &options, &error);
        if (!next || strcmp(first->c_text, next->c_text) != 0)
            check_complain(check, "compiled again, its text differs");
        if (!next || !next->dumped || strlen(next->dumped) < 50)
            check_complain(check, "the dump of %s is missing", *pass);
    }
}

static void test_tcc(void **state) {
    (void)state;
    double worst = 0;
    int checked = 0;
    check_failures = 0;
    for (uint64_t seed = FIRST_MODEL; seed < FIRST_MODEL + TCC_MODELS; seed++) {
        struct kernel_check check;
        if (!check_open(&check, seed, false, most_cost)) continue;
        worst = fmax(worst, check_tcc(&check));
        if (seed % 4 == 0) check_text(&check, seed % 8 ? DIALECT_CC : DIALECT_TCC);
        check_close_all(&check);
        checked++;
    }
    print_message("%d models, largest error %.2f of what is allowed\n", checked, worst);
    assert_int_equal(check_failures, 0);
    assert_true(checked > TCC_MODELS / 2);
}

/* ---- a C compiler ---- */

static void test_cc(void **state) {
    (void)state;
    double worst = 0;
    int checked = 0;
    check_failures = 0;
    for (uint64_t seed = FIRST_MODEL + 2000; seed < FIRST_MODEL + 2000 + CC_MODELS; seed++) {
        struct kernel_check check;
        struct built built;
        if (!check_open(&check, seed, false, most_cost)) continue;
        struct compile_options options = random_options(&check, DIALECT_CC, target_native());
        if (build(&check, options, NULL, &built)) {
            worst = fmax(worst, check_built(&check, &built, pools, 10, 4 * FLT_EPSILON, "cc"));
            built_free(&built);
            checked++;
        }
        check_close_all(&check);
    }
    print_message("%d models, largest error %.2g of what is allowed\n", checked, worst);
    assert_int_equal(check_failures, 0);
    assert_true(checked > CC_MODELS / 2);
}

/* ---- in double, gradients against central differences ---- */

/* The loss of a training step with weight i changed. */
static double loss_beside(struct run *run, const struct kernel_check *check, long i,
                          double change) {
    set_weights(run, check);
    store(run, SPACE_TRAINABLE, i, check->m.spaces[SPACE_TRAINABLE][i] + change);
    run_entry(run, run->built->program.train, 1, check->m.batch);
    return run->call.results[0];
}

/* Where a kink (of relu, of a maximum) lies between the two points, a shorter step looks beside
 * it. */
static void check_weight(struct run *run, const struct kernel_check *check, long i, double gradient,
                         double largest) {
    double difference = 0;
    for (double step = 1e-4; step > 5e-7; step /= 10) {
        difference =
            (loss_beside(run, check, i, step) - loss_beside(run, check, i, -step)) / (2 * step);
        if (fabs(gradient - difference) <= 1e-6 * largest) return;
    }
    check_complain(check, "weight %ld: gradient %.12g, by differences %.12g, largest %.3g", i,
                   gradient, difference, largest);
}

static void check_differences(struct kernel_check *check, const struct built *built) {
    const struct graph *graph = check->m.graph[MODE_TRAINING];
    long weights = graph->space_size[SPACE_TRAINABLE];
    double *gradient = calloc((size_t)weights + 1, sizeof *gradient), largest = 1e-3;
    assert_non_null(gradient);
    struct run run;
    run_open(&run, check, built, NULL);
    run_entry(&run, built->program.train, 1, check->m.batch);
    for (long i = 0; i < weights; i++) {
        gradient[i] = check->m.spaces[SPACE_TRAINABLE][i] - load(&run, SPACE_TRAINABLE, i);
        largest = fmax(largest, fabs(gradient[i]));
    }
    for (int v = 0; v < graph->variable_count; v++) {
        const struct variable *variable = &graph->variables[v];
        if (variable->space != SPACE_TRAINABLE) continue;
        for (int k = 0; k < 4; k++) {
            long i = variable->offset +
                     random_pick(&check->random, 0, shape_elements(&variable->shape) - 1);
            check_weight(&run, check, i, gradient[i], largest);
        }
    }
    run_close(&run);
    free(gradient);
}

static void test_double(void **state) {
    (void)state;
    double worst = 0;
    int checked = 0;
    check_failures = 0;
    for (uint64_t seed = FIRST_MODEL + 3000; seed < FIRST_MODEL + 3000 + DOUBLE_MODELS; seed++) {
        struct kernel_check check;
        struct built built;
        if (!check_open(&check, seed, true, most_cost)) continue;
        struct compile_options options = random_options(&check, DIALECT_CC, target_native());
        options.use_double = true;
        options.generic_products = false;
        if (build(&check, options, NULL, &built)) {
            worst = fmax(worst, check_built(&check, &built, NULL, 1e-6, 1e-10, "double"));
            check_differences(&check, &built);
            built_free(&built);
            checked++;
        }
        check_close_all(&check);
    }
    print_message("%d models, largest error %.2g of what is allowed\n", checked, worst);
    assert_int_equal(check_failures, 0);
    assert_true(checked > DOUBLE_MODELS / 2);
}

/* ---- by hand ---- */

/* Checks models one by one in every way; shows their text when they are few. */
static int check_by_hand(uint64_t first, uint64_t count, uint64_t step) {
    void *state = NULL;
    double worst = 0;
    int checked = 0;
    if (start(&state)) return 1;
    for (uint64_t seed = first; seed < first + count * step; seed += step) {
        struct kernel_check check;
        struct built built;
        if (!check_open(&check, seed, false, most_cost)) continue;
        if (count < 10) printf("-- model %lu\n%s\n", (unsigned long)seed, check.random.text);
        worst = fmax(worst, check_tcc(&check));
        check_text(&check, DIALECT_CC);
        struct compile_options options = random_options(&check, DIALECT_CC, target_native());
        if (count < 10 && build(&check, options, NULL, &built)) {
            worst = fmax(worst, check_built(&check, &built, pools, 10, 4 * FLT_EPSILON, "cc"));
            built_free(&built);
        }
        check_close_all(&check);
        checked++;
    }
    printf("%d of %lu models, %d failures, largest error %.2f\n", checked, (unsigned long)count,
           check_failures, worst);
    finish(&state);
    return check_failures > 0;
}

static uint64_t number(int argc, char **argv, int i) {
    return argc > i ? strtoull(argv[i], NULL, 10) : 1;
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tcc),
        cmocka_unit_test(test_cc),
        cmocka_unit_test(test_double),
    };
    if (argc > 1)
        return check_by_hand(number(argc, argv, 1), number(argc, argv, 2), number(argc, argv, 3));
    return cmocka_run_group_tests(tests, start, finish);
}
