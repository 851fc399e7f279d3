/* test_own_math.c: the mathematics that `lathe emit --no-libm` brings along: its errors stay within
 * the bounds that its text states, against libm in long double; special values. */
#include "compiler/kernel/microkernel.h"
#include "runtime/random.h"

#include <dlfcn.h>
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

enum { POINTS = 200000 };

static const char *const one_argument[] = {"exp", "log", "sqrt", "tanh",
                                           "erf", "sin", "cos",  "floor"};
enum { FUNCTIONS = sizeof one_argument / sizeof one_argument[0] };

typedef double function(double x);
typedef double function_of_two(double x, double y);
typedef float function_single(float x);

struct library {
    void *handle;
    function *of_one[FUNCTIONS];
    function_of_two *pow;
    function_single *sqrtf, *floorf;
};

/* POSIX's way from dlsym to a function. */
static void find(void *handle, const char *name, void *to) {
    void *symbol = dlsym(handle, name);
    if (!symbol) fail_msg("no %s", name);
    memcpy(to, &symbol, sizeof symbol);
}

static void write_source(const char *path) {
    struct arena arena;
    arena_init(&arena);
    if (setjmp(arena.exhausted)) fail_msg("out of memory");
    struct text text = {.arena = &arena};
    text_put(&text, "#include <stdint.h>\n#include <string.h>\n");
    microkernel_prelude(&text, target_find("generic"));
    microkernel_print_helpers_without_libm(&text, target_find("generic"), "LATHE_INLINE");
    for (int i = 0; i < FUNCTIONS; i++)
        text_add(&text, "double test_%s(double x) { return own_%s(x); }\n", one_argument[i],
                 one_argument[i]);
    text_put(&text, "double test_pow(double x, double y) { return own_pow(x, y); }\n"
                    "float test_sqrtf(float x) { return own_sqrtf(x); }\n"
                    "float test_floorf(float x) { return own_floorf(x); }\n");
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text_string(&text), file);
    assert_int_equal(fclose(file), 0);
    arena_free(&arena);
}

static int build(void **state) {
    static struct library library;
    char folder[] = "/tmp/test_own_math-XXXXXX", path[64], object[64], command[256], name[32];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/math.c", folder);
    snprintf(object, sizeof object, "%s/math.so", folder);
    write_source(path);
    snprintf(command, sizeof command, "gcc -std=c99 -O2 -shared -fPIC -nostdlib %s -o %s", path,
             object);
    assert_int_equal(system(command), 0);
    library.handle = dlopen(object, RTLD_NOW);
    if (!library.handle) fail_msg("%s", dlerror());
    for (int i = 0; i < FUNCTIONS; i++) {
        snprintf(name, sizeof name, "test_%s", one_argument[i]);
        find(library.handle, name, &library.of_one[i]);
    }
    find(library.handle, "test_pow", &library.pow);
    find(library.handle, "test_sqrtf", &library.sqrtf);
    find(library.handle, "test_floorf", &library.floorf);
    remove(path);
    remove(object);
    rmdir(folder);
    *state = &library;
    return 0;
}

static int close_library(void **state) {
    struct library *library = *state;
    return dlclose(library->handle);
}

static function *own(const struct library *library, const char *name) {
    for (int i = 0; i < FUNCTIONS; i++)
        if (!strcmp(one_argument[i], name)) return library->of_one[i];
    fail();
    return NULL;
}

/* Between low and high; over many magnitudes if both are positive. */
static double point(uint32_t i, double low, double high) {
    double u = random_uniform(7, i) + random_uniform(8, i) / 16777216.0;
    if (low > 0) return exp(log(low) + u * (log(high) - log(low)));
    return low + u * (high - low);
}

static void check_relative(const struct library *library, const char *name,
                           long double exact(long double), double low, double high, double bound) {
    function *f = own(library, name);
    for (uint32_t i = 0; i < POINTS; i++) {
        double x = point(i, low, high), y = f(x);
        long double right = exact(x), error = fabsl(y - right);
        if (!(error <= bound * fabsl(right)))
            fail_msg("%s(%.17g) is %.17g, relative error %Lg", name, x, y, error / fabsl(right));
    }
}

static void relative_errors(void **state) {
    const struct library *library = *state;
    check_relative(library, "exp", expl, -700, 709, 2e-15);
    check_relative(library, "exp", expl, -1, 1, 2e-15);
    check_relative(library, "log", logl, 1e-300, 1e300, 2e-15);
    check_relative(library, "log", logl, 0.5, 2, 2e-15);
    check_relative(library, "sqrt", sqrtl, 1e-305, 1e305, 2e-15);
    check_relative(library, "tanh", tanhl, 1e-12, 20, 2e-15);
    check_relative(library, "tanh", tanhl, -1, 0, 2e-15);
    check_relative(library, "erf", erfl, 1e-12, 7, 2e-15);
    check_relative(library, "erf", erfl, -3, 0, 2e-15);
}

static void absolute_errors_of_sin_and_cos(void **state) {
    const struct library *library = *state;
    function *own_sin = own(library, "sin"), *own_cos = own(library, "cos");
    for (uint32_t i = 0; i < POINTS; i++) {
        double x = point(i, -1e6, 1e6), y = i % 2 ? x : x / 1e5;
        assert_true(fabsl(own_sin(y) - sinl(y)) <= 1e-15L);
        assert_true(fabsl(own_cos(y) - cosl(y)) <= 1e-15L);
    }
}

static void errors_of_pow(void **state) {
    const struct library *library = *state;
    for (uint32_t i = 0; i < POINTS; i++) {
        double x = point(i, 1e-30, 1e30), y = point(i + POINTS, -8, 8);
        long double right = powl(x, y), bound = 1e-15L * (1 + fabsl(logl(right)));
        assert_true(fabsl(library->pow(x, y) - right) <= bound * right);
    }
    assert_true(fabs(library->pow(0.999, 1e5) - pow(0.999, 1e5)) <= 1e-12 * pow(0.999, 1e5));
    assert_true(library->pow(-2, 3) == -8 && library->pow(-2, 2) == 4 &&
                isnan(library->pow(-2, 0.5)));
    assert_true(library->pow(0, 2) == 0 && library->pow(0, 0) == 1 && isinf(library->pow(0, -1)));
}

static void single_square_roots(void **state) {
    const struct library *library = *state;
    for (uint32_t i = 0; i < POINTS; i++) {
        float x = (float)point(i, 1.2e-38, 3.4e38);
        double right = sqrt((double)x);
        assert_true(fabs((double)library->sqrtf(x) - right) <= 1.5e-7 * right);
    }
    assert_true(library->sqrtf(0) == 0 && isinf(library->sqrtf(INFINITY)));
    assert_true(isnan(library->sqrtf(-1)) && isnan(library->sqrtf(NAN)));
    assert_true(library->sqrtf(4) == 2 && library->sqrtf(1e-40f) > 0.99e-20f);
}

static void floors(void **state) {
    const struct library *library = *state;
    static const double values[] = {0,    0.5,  -0.5,  1,          -1,   1.999999, -1.999999,
                                    1e15, 1e17, -1e17, 4e15 + 0.5, -3.0, -7.25};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        assert_true(own(library, "floor")(values[i]) == floor(values[i]));
        assert_true(library->floorf((float)values[i]) == floorf((float)values[i]));
    }
    for (uint32_t i = 0; i < POINTS; i++) {
        double x = point(i, -1e4, 1e4);
        assert_true(own(library, "floor")(x) == floor(x));
        assert_true(library->floorf((float)x) == floorf((float)x));
    }
}

static void special_values(void **state) {
    const struct library *library = *state;
    function *own_exp = own(library, "exp"), *own_log = own(library, "log"),
             *own_sqrt = own(library, "sqrt"), *own_tanh = own(library, "tanh");
    assert_true(own_exp(0) == 1 && own_exp(-1000) == 0 && isinf(own_exp(1000)));
    assert_true(isinf(own_exp(INFINITY)) && own_exp(-INFINITY) == 0 && isnan(own_exp(NAN)));
    assert_true(own_exp(-740) > 0 && own_exp(-740) < DBL_MIN);
    assert_true(own_log(1) == 0 && isinf(own_log(0)) && own_log(0) < 0 && isnan(own_log(-1)));
    assert_true(isinf(own_log(INFINITY)) && isnan(own_log(NAN)));
    assert_true(fabs(own_log(5e-324) - log(5e-324)) < 1e-12);
    assert_true(own_sqrt(0) == 0 && own_sqrt(4) == 2 && isnan(own_sqrt(-1)));
    assert_true(isinf(own_sqrt(INFINITY)) && isnan(own_sqrt(NAN)));
    assert_true(fabs(own_sqrt(1e-310) / sqrt(1e-310) - 1) < 1e-12);
    assert_true(own_tanh(0) == 0 && own_tanh(1000) == 1 && own_tanh(-1000) == -1);
    assert_true(isnan(own_tanh(NAN)) && own(library, "erf")(INFINITY) == 1);
    assert_true(own(library, "erf")(0) == 0 && isnan(own(library, "sin")(INFINITY)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(relative_errors), cmocka_unit_test(absolute_errors_of_sin_and_cos),
        cmocka_unit_test(errors_of_pow),   cmocka_unit_test(single_square_roots),
        cmocka_unit_test(floors),          cmocka_unit_test(special_values),
    };
    return cmocka_run_group_tests(tests, build, close_library);
}
