/* test_random.c: the counter-based generator and initial values, against numbers that a Python
 * script computed from the definition in random.h, and against what the distributions must be. */
#include "../runtime/program.h"
#include "../runtime/random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void bits_follow_the_definition(void **state) {
    (void)state;
    static const struct {
        uint32_t seed, step, stream, key, bits[4]; /* of the elements 0, 1, 2, 2^32 - 1 */
    } cases[] = {
        {0, 0, 0, 0, {0, 0x2fef5c8f, 0xb5d455e1, 0xe2f916b5}},
        {42, 0, 3, 0x7a0faaa6, {0xdb06f5a4, 0x42cd5ece, 0xfd565e2f, 0x01ebda18}},
        {42, 7, 3, 0xa94e959d, {0xcba268f4, 0x23e4b0bf, 0xa9e38dcc, 0xdb40049a}},
        {0xffffffff,
         123456,
         0x7fffffff,
         0x3b80f546,
         {0x1f2ad58e, 0x01df6387, 0x5890a892, 0x95f3391e}},
    };
    static const uint32_t elements[] = {0, 1, 2, 0xffffffff};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t key = random_key(cases[i].seed, cases[i].step, cases[i].stream);
        assert_int_equal(key, cases[i].key);
        for (int e = 0; e < 4; e++)
            assert_int_equal(random_bits(key, elements[e]), cases[i].bits[e]);
    }
}

static void assert_near(double a, double b, double tolerance) {
    if (!(fabs(a - b) <= tolerance)) fail_msg("%.17g is not near %.17g", a, b);
}

static void values_follow_the_definition(void **state) {
    (void)state;
    uint32_t key = random_key(42, 0, 3);
    assert_true(random_uniform(key, 0) == 0.855574905872345);
    assert_true(random_uniform(key, 1) == 0.2609461545944214);
    assert_near(random_normal(key, 5), -1.251681716640813, 1e-14);
    assert_near(random_normal(random_key(0, 0, 0), 5), 0.6919389311761616, 1e-14);
    key = random_key(1, 0, 2);
    assert_near(random_normal(key, 41), -2.826421605310653, 1e-14);
    assert_near(random_truncated_normal(key, 41, 200), 0.9615622814413792, 1e-14);
    assert_near(random_truncated_normal(key, 72, 200), 0.7503997173302493, 1e-14);
    assert_true(fabs(random_truncated_normal(key, 0, 0)) <= 2.0);
}

static void distributions_are_what_they_claim(void **state) {
    (void)state;
    enum { COUNT = 200000 };
    uint32_t key = random_key(5, 0, 1), other = random_key(5, 0, 2);
    double mean = 0, square = 0, neighbours = 0, streams = 0, normal = 0, normal_square = 0;
    double cut_square = 0, last = 0;
    for (uint32_t e = 0; e < COUNT; e++) {
        double u = random_uniform(key, e) - 0.5, n = random_normal(key, e);
        double cut = random_truncated_normal(key, e, COUNT);
        assert_true(u >= -0.5 && u < 0.5 && fabs(cut) <= 2.0);
        mean += u / COUNT;
        square += u * u / COUNT;
        neighbours += u * last / COUNT;
        streams += u * (random_uniform(other, e) - 0.5) / COUNT;
        normal += n / COUNT;
        normal_square += n * n / COUNT;
        cut_square += cut * cut / COUNT;
        last = u;
    }
    assert_near(mean, 0, 0.004);
    assert_near(square, 1.0 / 12, 0.001);
    assert_near(neighbours, 0, 0.001);
    assert_near(streams, 0, 0.001);
    assert_near(normal, 0, 0.012);
    assert_near(normal_square, 1, 0.02);
    assert_near(cut_square, 0.8796 * 0.8796, 0.01);
}

static void permutations_are_permutations(void **state) {
    (void)state;
    static const long expected[2][10] = {{3, 7, 0, 4, 2, 9, 6, 8, 5, 1},
                                         {4, 1, 7, 8, 0, 3, 5, 6, 9, 2}};
    long order[1000];
    char seen[1000];
    for (uint32_t epoch = 0; epoch < 2; epoch++) {
        random_permutation(7, epoch, order, 10);
        assert_memory_equal(order, expected[epoch], sizeof expected[epoch]);
    }
    for (long count = 0; count <= 1000; count += count < 20 ? 1 : 98) {
        random_permutation(3, (uint32_t)count, order, count);
        memset(seen, 0, sizeof seen);
        for (long i = 0; i < count; i++) {
            assert_in_range(order[i], 0, count - 1);
            assert_int_equal(seen[order[i]]++, 0);
        }
    }
}

static void permutations_are_fair(void **state) {
    (void)state;
    enum { SIZE = 8, EPOCHS = 16000 };
    int times[SIZE][SIZE] = {{0}};
    for (uint32_t epoch = 0; epoch < EPOCHS; epoch++) {
        long order[SIZE];
        random_permutation(11, epoch, order, SIZE);
        for (int i = 0; i < SIZE; i++) times[order[i]][i]++;
    }
    double expected = (double)EPOCHS / SIZE, chi_square = 0;
    for (int i = 0; i < SIZE * SIZE; i++) {
        double difference = times[i / SIZE][i % SIZE] - expected;
        chi_square += difference * difference / expected;
    }
    assert_true(chi_square < 90); /* 49 degrees of freedom: p < 0.0003 */
}

static void initial_values(void **state) {
    (void)state;
    const struct program_variable variables[] = {
        {"a", PROGRAM_STATE, 2, 3, 1, {3}, PROGRAM_ONES, 0},
        {"b", PROGRAM_TRAINABLE, 0, 40, 1, {40}, PROGRAM_UNIFORM, 0.5},
        {"c", PROGRAM_TRAINABLE, 40, 40, 1, {40}, PROGRAM_NORMAL, 2},
        {"d", PROGRAM_TRAINABLE, 80, 40, 1, {40}, PROGRAM_TRUNCATED_NORMAL, 3},
        {"e", PROGRAM_OPTIMIZER, 0, 2, 1, {2}, PROGRAM_CONSTANT, 0.1},
        {"f", PROGRAM_TRAINABLE, 120, 4, 1, {4}, PROGRAM_ZEROS, 0},
    };
    const struct program program = {
        .name = "m", .space_size = {124, 8, 4}, .variables = variables, .variable_count = 6};
    float trainable[124], other[8], optimizer[4];
    float *space[PROGRAM_SPACES] = {trainable, other, optimizer};
    memset(trainable, 1, sizeof trainable);
    memset(other, 1, sizeof other);
    memset(optimizer, 1, sizeof optimizer);
    program_initialize(&program, 9, space);
    static const float state_values[8] = {0, 0, 1, 1, 1, 0, 0, 0};
    static const float optimizer_values[4] = {0.1f, 0.1f, 0, 0};
    assert_memory_equal(other, state_values, sizeof other);
    assert_memory_equal(optimizer, optimizer_values, sizeof optimizer);
    assert_true(trainable[0] == 0.22115164995193481f && trainable[5] == 0.2975873351097107f);
    assert_near(trainable[40], -2.329012872733703, 1e-6);
    assert_near(trainable[45], -0.04815640663613585, 1e-7);
    assert_near(trainable[80], 1.9986322353098425, 1e-6);
    assert_near(trainable[119], 1.2160954270583375, 1e-6);
    for (int i = 120; i < 124; i++) assert_true(trainable[i] == 0.0f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bits_follow_the_definition),
        cmocka_unit_test(values_follow_the_definition),
        cmocka_unit_test(distributions_are_what_they_claim),
        cmocka_unit_test(permutations_are_permutations),
        cmocka_unit_test(permutations_are_fair),
        cmocka_unit_test(initial_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
