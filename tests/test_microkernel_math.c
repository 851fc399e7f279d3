/* test_microkernel_math.c: the mathematics, random numbers and strip operations of every library
 * that this processor can run, against libm in double and plain loops. */
#include "compiler/kernel/microkernel.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static float x_memory[1000], y_memory[1000];
static unsigned long random_state = 1;

/* A library under test: its functions by name. */
struct library {
    const struct target *target;
    microkernel_function *(*find)(const struct target *target, const char *name);
};

static unsigned long random_below(unsigned long n) {
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (random_state >> 33) % n;
}

static float random_float(void) {
    return (float)((double)random_below(1u << 24) / (1u << 23) - 1);
}

/* Calls test for the library of each target that this processor runs. */
static void for_libraries(void (*test)(const struct library *library)) {
    for (const struct target *const *target = targets(); *target; target++) {
        struct library library = {*target, microkernel_symbol};
        if (target_runs(*target)) test(&library);
    }
}

/* Distance in units of the last place of the correctly rounded result. */
static double ulps(float got, double exact) {
    float rounded = (float)exact;
    if (isnan(exact)) return isnan(got) ? 0 : INFINITY;
    if (isinf(rounded) || isinf(got)) return rounded == got ? 0 : INFINITY;
    int exponent;
    frexp(exact, &exponent);
    double unit = ldexp(1, (exponent < -125 ? -125 : exponent) - 24);
    return fabs(got - exact) / unit;
}

struct function_case {
    const char *name;
    double (*exact)(double);
    double low, high;
    double bound; /* in units of the last place */
};

static void try_function(const struct library *library, const struct function_case *c) {
    enum { STRIP = 1000, STRIPS = 200 };
    static const float special[] = {0.0f,   -0.0f,  1.0f,    -1.0f, 1e-40f, -1e-40f, 88.72284f,
                                    88.8f,  -87.4f, -103.9f, -200,  1000,   -1000,   3e38f,
                                    -3e38f, 1e-45f, 0.625f,  4.2f,  1e-20f, -1e-20f, 0.70710678f};
    float strip[STRIP], result[STRIP];
    char name[32];
    void (*strip_function)(float *, const float *, long, long);
    float (*scalar)(float);
    snprintf(name, sizeof name, "vector_%s", c->name);
    strip_function =
        (void (*)(float *, const float *, long, long))library->find(library->target, name);
    snprintf(name, sizeof name, "real_%s", c->name);
    scalar = (float (*)(float))library->find(library->target, name);
    assert_non_null(strip_function);
    assert_non_null(scalar);
    double worst = 0, at = 0;
    for (int s = 0; s < STRIPS; s++) {
        for (int i = 0; i < STRIP; i++) {
            double u = (double)random_below(1u << 30) / (1u << 30);
            strip[i] = (float)(c->low + u * (c->high - c->low));
            if (i % 4 == 0) strip[i] = (float)ldexp(strip[i], -(int)random_below(40));
        }
        if (s == 0) {
            memcpy(strip, special, sizeof special);
            strip[sizeof special / sizeof *special] = INFINITY;
            strip[sizeof special / sizeof *special + 1] = -INFINITY;
            strip[sizeof special / sizeof *special + 2] = NAN;
        }
        strip_function(result, strip, 1, STRIP);
        for (int i = 0; i < STRIP; i++) {
            double error = ulps(result[i], c->exact(strip[i]));
            if (error > worst) worst = error, at = strip[i];
            if (ulps(scalar(strip[i]), c->exact(strip[i])) > c->bound)
                fail_msg("%s: real_%s(%.9g) is off", library->target->name, c->name, strip[i]);
        }
    }
    print_message("%s: %s: %.2f ulp at %.9g\n", library->target->name, c->name, worst, at);
    if (!(worst <= c->bound))
        fail_msg("%s: %s(%.9g) is %.1f ulp off", library->target->name, c->name, at, worst);
}

static void mathematics_of(const struct library *library) {
    static const struct function_case cases[] = {
        {"exp", exp, -110, 95, 2},  {"log", log, 0, 1e6, 2},  {"log", log, 0, 2, 2},
        {"tanh", tanh, -12, 12, 4}, {"erf", erf, -5, 5, 4},   {"sqrt", sqrt, 0, 1e9, 1},
        {"sin", sin, -20, 20, 1},   {"cos", cos, -20, 20, 1}, {"floor", floor, -9, 9, 0},
        {"exp", exp, -1, 1, 2},     {"tanh", tanh, -1, 1, 4}, {"erf", erf, -1.2, 1.2, 4},
        {"log", log, 0.9, 1.1, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) try_function(library, &cases[i]);
}

static void test_mathematics(void **state) {
    (void)state;
    for_libraries(mathematics_of);
}

static uint32_t mix(uint32_t h) {
    h ^= h >> 16;
    h *= 0x85ebca6bu;
    h ^= h >> 13;
    h *= 0xc2b2ae35u;
    return h ^ (h >> 16);
}

static float random_value(uint32_t key, uint32_t number) {
    uint32_t h = number + key;
    h = ((h ^ h >> 16) * 0x85ebca6bu) ^ key;
    h = (h ^ h >> 13) * 0xc2b2ae35u;
    return (float)(h >> 8) / 16777216.0f;
}

/* Rows of positions: element i is at row i / row, place i % row. */
static void positions_of(const struct library *library, unsigned key, long row) {
    void (*random)(float *, unsigned, unsigned, long, long, long, long) =
        (void (*)(float *, unsigned, unsigned, long, long, long, long))library->find(
            library->target, "vector_random_rows");
    void (*index)(float *, long, long, long, long, long) =
        (void (*)(float *, long, long, long, long, long))library->find(library->target,
                                                                       "vector_index_rows");
    assert_true(random && index);
    for (long n = 1; n < 200; n += 33) {
        y_memory[n] = 77;
        random(y_memory, key, 17, 49, row, 5, n);
        for (long i = 0; i < n; i++) {
            uint32_t number = (uint32_t)(17 + i % row * 49 + i / row * 5);
            assert_true(y_memory[i] == random_value(key, number));
        }
        index(y_memory, 3, 2, row, -7, n);
        for (long i = 0; i < n; i++)
            assert_true(y_memory[i] == (float)(3 + i % row * 2 - i / row * 7));
        assert_true(y_memory[n] == 77); /* nothing is written behind the end */
    }
}

static void random_of(const struct library *library) {
    unsigned (*key)(unsigned, unsigned, unsigned) =
        (unsigned (*)(unsigned, unsigned, unsigned))library->find(library->target,
                                                                  "real_random_key");
    float (*element)(unsigned, unsigned) =
        (float (*)(unsigned, unsigned))library->find(library->target, "real_random_once");
    void (*strip)(float *, unsigned, unsigned, long, long) =
        (void (*)(float *, unsigned, unsigned, long, long))library->find(library->target,
                                                                         "vector_random");
    assert_true(key && element && strip);
    for (unsigned seed = 0; seed < 5; seed++) {
        unsigned k = key(seed, 7, 3), first = 0xffffff00u + seed;
        long step = (long)seed - 1;
        assert_int_equal(k, mix(mix(mix(seed) + 7) + 3));
        for (long row = 1; row < 50; row += row % 16 ? 3 : 16) positions_of(library, k, row);
        strip(y_memory, k, first, step, 999);
        for (long i = 0; i < 999; i++) {
            uint32_t number = first + (uint32_t)(i * step);
            float value = random_value(k, number);
            assert_true(y_memory[i] == value && element(k, number) == value);
        }
    }
}

static void test_random(void **state) {
    (void)state;
    for_libraries(random_of);
}

static double add(double a, double b) {
    return a + b;
}
static double subtract(double a, double b) {
    return a - b;
}
static double multiply(double a, double b) {
    return a * b;
}
static double divide(double a, double b) {
    return a / b;
}
static double maximum(double a, double b) {
    return a > b ? a : b;
}
static double minimum(double a, double b) {
    return a < b ? a : b;
}
static double less(double a, double b) {
    return a < b;
}
static double less_equal(double a, double b) {
    return a <= b;
}
static double equal(double a, double b) {
    return a == b;
}
static double power(double a, double b) {
    return pow(a, b);
}
static double negate(double a) {
    return -a;
}
static double copy(double a) {
    return a;
}

typedef void unary_strip(float *, const float *, long, long);
typedef void binary_strip(float *, const float *, long, const float *, long, long);

static void binary_of(const struct library *library, const char *name,
                      double (*exact)(double, double)) {
    char full[48];
    snprintf(full, sizeof full, "vector_%s", name);
    binary_strip *function = (binary_strip *)library->find(library->target, full);
    assert_non_null(function);
    for (int c = 0; c < 24; c++) {
        long a_step = c & 1, b_step = c >> 1 & 1, n = c < 8 ? c : 70 + c;
        float a[100], b[100], to[100];
        for (int i = 0; i < 100; i++) {
            a[i] = (float)random_below(9) / 4 + (exact == power ? 0.25f : -1);
            b[i] = (float)random_below(9) / 4 - 0.9f + (float)random_below(2) * 0.15f;
            if (exact == equal || exact == less || exact == less_equal) b[i] = roundf(4 * b[i]) / 4;
        }
        float *result = c < 8 || !a_step ? to : a; /* in place too */
        float first = a[0], kept[100];
        memcpy(kept, a, sizeof kept);
        to[n] = 7;
        function(result, a, a_step, b, b_step, n);
        for (long i = 0; i < n; i++) {
            double value = exact(a_step ? kept[i] : first, b[i * b_step]);
            if (fabs(result[i] - value) > 1e-6 * (fabs(value) + 1e-3))
                fail_msg("%s: %ld is %g, not %g", full, i, result[i], value);
        }
        assert_true(result[n] == (result == to ? 7 : kept[n]));
    }
}

static void unary_of(const struct library *library, const char *name, double (*exact)(double)) {
    char full[48];
    snprintf(full, sizeof full, "vector_%s", name);
    unary_strip *function = (unary_strip *)library->find(library->target, full);
    assert_non_null(function);
    for (long n = 0; n < 70; n += 23)
        for (long step = 0; step < 2; step++) {
            float a[80], to[80];
            for (int i = 0; i < 80; i++) a[i] = to[i] = random_float();
            function(to, a, step, n);
            for (long i = 0; i < n; i++) assert_true(to[i] == (float)exact(a[i * step]));
            for (long i = n; i < 80; i++) assert_true(to[i] == a[i]);
        }
}

static void select_of(const struct library *library) {
    void (*function)(float *, const float *, long, const float *, long, const float *, long, long) =
        (void (*)(float *, const float *, long, const float *, long, const float *, long,
                  long))library->find(library->target, "vector_select");
    assert_non_null(function);
    for (int c = 0; c < 16; c++) {
        float condition[50], a[50], b[50], to[50];
        long steps[3] = {c & 1, c >> 1 & 1, c >> 2 & 1};
        for (int i = 0; i < 50; i++) {
            condition[i] = (float)random_below(2);
            a[i] = random_float();
            b[i] = random_float();
        }
        function(to, condition, steps[0], a, steps[1], b, steps[2], 50);
        for (long i = 0; i < 50; i++)
            assert_true(to[i] ==
                        (condition[i * steps[0]] != 0 ? a[i * steps[1]] : b[i * steps[2]]));
    }
}

typedef void strip_reduction(float *to, const float *a, long n);

/* What a reduction leaves in its sixteen places, put together. */
static double total_of(strip_reduction *sum, long n) {
    float parts[16] = {0};
    double total = 0;
    sum(parts, x_memory, n);
    for (int k = 0; k < 16; k++) total += parts[k];
    return total;
}

static float largest_of(strip_reduction *top, long n) {
    float parts[16], largest = -INFINITY;
    for (int k = 0; k < 16; k++) parts[k] = -INFINITY;
    top(parts, x_memory, n);
    for (int k = 0; k < 16; k++) largest = parts[k] > largest ? parts[k] : largest;
    return largest;
}

static void reductions_of(const struct library *library) {
    strip_reduction *sum = (strip_reduction *)library->find(library->target, "vector_sum_into");
    strip_reduction *top = (strip_reduction *)library->find(library->target, "vector_maximum_into");
    void (*index)(float *, long, long, long) =
        (void (*)(float *, long, long, long))library->find(library->target, "vector_index");
    unary_strip *accumulate = (unary_strip *)library->find(library->target, "vector_accumulate");
    unary_strip *accumulate_maximum =
        (unary_strip *)library->find(library->target, "vector_accumulate_maximum");
    assert_true(sum && top && index && accumulate && accumulate_maximum);
    for (int i = 0; i < 1000; i++) x_memory[i] = random_float();
    for (long n = 1; n < 200; n += 13) {
        double exact = 0, largest = -INFINITY;
        for (long i = 0; i < n; i++) {
            exact += x_memory[i];
            if (x_memory[i] > largest) largest = x_memory[i];
        }
        assert_true(fabs(total_of(sum, n) - exact) < 1e-5);
        assert_true(largest_of(top, n) == (float)largest);
        index(y_memory, 5, -3, n);
        for (long i = 0; i < n; i++) assert_true(y_memory[i] == (float)(5 - 3 * i));
        memcpy(y_memory, x_memory + 300, (size_t)n * sizeof *y_memory);
        accumulate(y_memory, x_memory, 1, n);
        for (long i = 0; i < n; i++) assert_true(y_memory[i] == x_memory[300 + i] + x_memory[i]);
        memcpy(y_memory, x_memory + 300, (size_t)n * sizeof *y_memory);
        accumulate_maximum(y_memory, x_memory, 1, n);
        for (long i = 0; i < n; i++)
            assert_true(y_memory[i] == fmaxf(x_memory[300 + i], x_memory[i]));
    }
    assert_true(total_of(sum, 0) == 0);
}

/* Partial sums and maxima from beginning to end, in the order of modules for a C compiler. */
static void ends_of(const struct library *library) {
    void (*sum_begin)(float *) =
        (void (*)(float *))library->find(library->target, "vector_sum_begin");
    void (*top_begin)(float *) =
        (void (*)(float *))library->find(library->target, "vector_maximum_begin");
    float (*sum_end)(const float *) =
        (float (*)(const float *))library->find(library->target, "vector_sum_end");
    float (*top_end)(const float *) =
        (float (*)(const float *))library->find(library->target, "vector_maximum_end");
    assert_true(sum_begin && top_begin && sum_end && top_end);
    for (int round = 0; round < 200; round++) {
        float s[16], t[16], parts[16];
        sum_begin(s);
        top_begin(t);
        for (int k = 0; k < 16; k++) assert_true(s[k] == 0 && t[k] == -3.4028234663852886e38f);
        for (int k = 0; k < 16; k++) parts[k] = s[k] = t[k] = random_float();
        if (round % 2) /* a zero is the largest: the first one, whatever its sign */
            for (int k = 0; k < 16; k++)
                parts[k] = t[k] = random_below(2) ? -0.0f : random_below(2) ? 0.0f : -1.0f;
        for (int half = 8; half; half /= 2)
            for (int k = 0; k < half; k++) s[k] += s[k + half];
        for (int k = 1; k < 16; k++) t[0] = t[k] > t[0] ? t[k] : t[0];
        float top = top_end(parts), sum = sum_end(parts);
        assert_memory_equal(&top, t, sizeof top);
        if (round % 2 == 0) assert_memory_equal(&sum, s, sizeof sum);
    }
}

/* All in one call: the bits of beginning, adding and ending. */
static void whole_of(const struct library *library) {
    strip_reduction *sum = (strip_reduction *)library->find(library->target, "vector_sum_into");
    strip_reduction *top = (strip_reduction *)library->find(library->target, "vector_maximum_into");
    float (*sum_end)(const float *) =
        (float (*)(const float *))library->find(library->target, "vector_sum_end");
    float (*top_end)(const float *) =
        (float (*)(const float *))library->find(library->target, "vector_maximum_end");
    float (*sum_of)(const float *, long) =
        (float (*)(const float *, long))library->find(library->target, "vector_sum_of");
    float (*top_of)(const float *, long) =
        (float (*)(const float *, long))library->find(library->target, "vector_maximum_of");
    assert_true(sum && top && sum_end && top_end && sum_of && top_of);
    for (long n = 0; n < 70; n++) {
        float *x = y_memory + 1000 - n; /* nothing is read beyond the end */
        float s[16] = {0}, t[16];
        for (int k = 0; k < 16; k++) t[k] = -3.4028234663852886e38f;
        for (long i = 0; i < n; i++) x[i] = n % 3 ? random_float() : -0.0f;
        sum(s, x, n);
        top(t, x, n);
        float pairs[4] = {sum_end(s), top_end(t), sum_of(x, n), top_of(x, n)};
        assert_memory_equal(pairs, pairs + 2, 2 * sizeof *pairs);
    }
}

typedef void repeat_row(float *, const float *, long, long);
typedef void repeat_each(float *, const float *, long, long, long);

enum { MOST = 512 * 25 };

/* Whole rows at once: the bits of one after the other, and nothing behind the last one. */
static void rows_of(const struct library *library, long row, long rows) {
    static float memory[MOST], to[MOST + 1], expected[MOST], other[MOST];
    const struct target *target = library->target;
    repeat_row *repeat = (repeat_row *)library->find(target, "vector_repeat_row");
    repeat_each *each = (repeat_each *)library->find(target, "vector_repeat_each");
    repeat_row *sums = (repeat_row *)library->find(target, "vector_row_sums");
    repeat_row *maxima = (repeat_row *)library->find(target, "vector_row_maxima");
    repeat_row *accumulate = (repeat_row *)library->find(target, "vector_accumulate_rows");
    repeat_row *largest = (repeat_row *)library->find(target, "vector_accumulate_maximum_rows");
    float (*sum_of)(const float *, long) =
        (float (*)(const float *, long))library->find(target, "vector_sum_of");
    float (*maximum_of)(const float *, long) =
        (float (*)(const float *, long))library->find(target, "vector_maximum_of");
    assert_true(repeat && each && sums && maxima && accumulate && largest && sum_of && maximum_of);
    long n = row * rows;
    float *x = memory + MOST - n;
    for (long i = 0; i < n; i++) x[i] = random_below(5) ? random_float() : -0.0f;
    to[n] = 77;
    repeat(to, x, row, n);
    for (long i = 0; i < n; i++) assert_true(to[i] == x[i % row]);
    each(to, x, 1, row, n);
    for (long i = 0; i < n; i++) assert_true(to[i] == x[i / row]);
    each(to, memory, 3, row, n);
    for (long i = 0; i < n; i++) assert_true(to[i] == memory[i / row * 3]);
    assert_true(to[n] == 77);
    for (long r = 0; r < rows; r++) {
        expected[r] = sum_of(x + r * row, row);
        other[r] = maximum_of(x + r * row, row);
    }
    to[rows] = 77;
    sums(to, x, row, n);
    assert_memory_equal(to, expected, (size_t)rows * sizeof *to);
    maxima(to, x, row, n);
    assert_memory_equal(to, other, (size_t)rows * sizeof *to);
    assert_true(to[rows] == 77);
    for (long j = 0; j < row; j++) expected[j] = to[j] = other[j] = (float)j / 7;
    for (long i = 0; i < n; i++) {
        expected[i % row] += x[i];
        other[i % row] = fmaxf(other[i % row], x[i]);
    }
    to[row] = 77;
    accumulate(to, x, row, n);
    assert_memory_equal(to, expected, (size_t)row * sizeof *to);
    for (long j = 0; j < row; j++) to[j] = (float)j / 7;
    largest(to, x, row, n);
    for (long j = 0; j < row; j++) assert_true(to[j] == other[j]);
    assert_true(to[row] == 77);
}

static void all_rows_of(const struct library *library) {
    static const long lengths[] = {1, 2, 3, 5, 8, 10, 15, 16, 17, 31, 32, 33, 50, 64, 100, 512};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
        for (long rows = 1; rows <= 25; rows += 6) rows_of(library, lengths[i], rows);
}

static void test_rows(void **state) {
    (void)state;
    for_libraries(all_rows_of);
}

static void strips_of(const struct library *library) {
    static const struct {
        const char *name;
        double (*exact)(double, double);
    } binary[] = {{"add", add},       {"subtract", subtract},     {"multiply", multiply},
                  {"divide", divide}, {"maximum", maximum},       {"minimum", minimum},
                  {"less", less},     {"less_equal", less_equal}, {"equal", equal},
                  {"power", power}};
    for (size_t i = 0; i < sizeof binary / sizeof *binary; i++)
        binary_of(library, binary[i].name, binary[i].exact);
    unary_of(library, "negate", negate);
    unary_of(library, "absolute", fabs);
    unary_of(library, "copy", copy);
    select_of(library);
    reductions_of(library);
    ends_of(library);
    whole_of(library);
}

static void test_strips(void **state) {
    (void)state;
    for_libraries(strips_of);
}

/* What a chain's pattern says, in single precision; the operands are at element i, the results
 * before this one in `results`. */
static float pattern_value(const char **pattern, const float *const *operands, const long *steps,
                           const float *results, long i) {
    char op = *(*pattern)++;
    if (op >= 'A' && op <= 'Z') return results[op - 'A'];
    if (microkernel_is_operand(op)) return operands[op - 'a'][i * steps[op - 'a']];
    float x = pattern_value(pattern, operands, steps, results, i);
    if (op == 'r') return sqrtf(x);
    float y = pattern_value(pattern, operands, steps, results, i);
    if (op == '?') {
        float z = pattern_value(pattern, operands, steps, results, i);
        return x != 0 ? y : z;
    }
    switch (op) {
    case '+': return x + y;
    case '-': return x - y;
    case '*': return x * y;
    case '<': return x < y;
    case '=': return x == y;
    default: assert_int_equal(op, '/'); return x / y;
    }
}

#define OPERAND const float *, long
#define IN(k) in[k], step[k]
typedef void chain3(float *, OPERAND, OPERAND, OPERAND, long);
typedef void chain4(float *, OPERAND, OPERAND, OPERAND, OPERAND, long);
typedef void chain5(float *, OPERAND, OPERAND, OPERAND, OPERAND, OPERAND, long);
typedef void chain6(float *, OPERAND, OPERAND, OPERAND, OPERAND, OPERAND, OPERAND, long);
typedef void momentum(float *, float *, OPERAND, OPERAND, OPERAND, OPERAND, OPERAND, long);
typedef void rmsprop(float *, float *, OPERAND, OPERAND, OPERAND, OPERAND, OPERAND, OPERAND,
                     OPERAND, long);
typedef void adam(float *, float *, float *, OPERAND, OPERAND, OPERAND, OPERAND, OPERAND, OPERAND,
                  OPERAND, OPERAND, OPERAND, OPERAND, OPERAND, long);

static void call_chain(microkernel_function *f, int results, int count, float *const *to,
                       const float *const *in, const long *step, long n) {
    switch (10 * count + results) {
    case 31: ((chain3 *)f)(to[0], IN(0), IN(1), IN(2), n); break;
    case 41: ((chain4 *)f)(to[0], IN(0), IN(1), IN(2), IN(3), n); break;
    case 51: ((chain5 *)f)(to[0], IN(0), IN(1), IN(2), IN(3), IN(4), n); break;
    case 61: ((chain6 *)f)(to[0], IN(0), IN(1), IN(2), IN(3), IN(4), IN(5), n); break;
    case 52: ((momentum *)f)(to[0], to[1], IN(0), IN(1), IN(2), IN(3), IN(4), n); break;
    case 72:
        ((rmsprop *)f)(to[0], to[1], IN(0), IN(1), IN(2), IN(3), IN(4), IN(5), IN(6), n);
        break;
    default:
        assert_int_equal(10 * count + results, 113);
        ((adam *)f)(to[0], to[1], to[2], IN(0), IN(1), IN(2), IN(3), IN(4), IN(5), IN(6), IN(7),
                    IN(8), IN(9), IN(10), n);
    }
}

/* Every form of the steps, lengths around whole vectors, results apart or in operands. */
static void try_chain(const struct library *library, const struct microkernel_chain *chain) {
    enum { LENGTH = 80, RESULTS = MICROKERNEL_CHAIN_RESULTS };
    static float memory[MICROKERNEL_CHAIN_OPERANDS][LENGTH], to[RESULTS][LENGTH],
        expected[RESULTS][LENGTH];
    microkernel_function *function = library->find(library->target, chain->name);
    int count = 0, results = 1;
    for (const char *c = chain->pattern; *c; c++) {
        results += *c == ';';
        if (microkernel_is_operand(*c) && *c - 'a' >= count) count = *c - 'a' + 1;
    }
    assert_non_null(function);
    for (int form = 0; form < 1 << count; form++)
        for (long n = 0; n < LENGTH; n += 13) {
            const float *in[MICROKERNEL_CHAIN_OPERANDS];
            long steps[MICROKERNEL_CHAIN_OPERANDS];
            float *result[RESULTS];
            for (int r = 0; r < results; r++) result[r] = to[r];
            for (int k = 0, r = 0; k < count; k++) {
                for (int i = 0; i < LENGTH; i++) memory[k][i] = (float)random_below(9) / 7 + 2;
                in[k] = memory[k];
                steps[k] = form >> k & 1;
                if (steps[k] && r < results && random_below(3) == 0) result[r++] = memory[k];
            }
            for (int r = 0; r < results; r++) memcpy(expected[r], result[r], sizeof expected[r]);
            for (long i = 0; i < n; i++) {
                const char *pattern = chain->pattern;
                float values[RESULTS];
                for (int r = 0; r < results; r++) {
                    values[r] = pattern_value(&pattern, in, steps, values, i);
                    expected[r][i] = values[r];
                    assert_int_equal(*pattern, r + 1 < results ? ';' : 0);
                    pattern += r + 1 < results;
                }
            }
            call_chain(function, results, count, result, in, steps, n);
            for (int r = 0; r < results; r++)
                assert_memory_equal(result[r], expected[r], sizeof expected[r]);
        }
}

static void chains_of(const struct library *library) {
    for (const struct microkernel_chain *chain = microkernel_chains(); chain->name; chain++)
        try_chain(library, chain);
}

static void test_chains(void **state) {
    (void)state;
    for_libraries(chains_of);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mathematics), cmocka_unit_test(test_random),
        cmocka_unit_test(test_strips),      cmocka_unit_test(test_rows),
        cmocka_unit_test(test_chains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
