/* emit_toolchain.h: for tests of emitted models: the compilers, and what their programs print. */
#ifndef LATHE_EMIT_TOOLCHAIN_H
#define LATHE_EMIT_TOOLCHAIN_H

#include <ctype.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

enum { MOST_NUMBERS = 8192, MOST_COMMAND = 2048 };

/* The folder of the emitted files and of what is made of them. */
static char folder[64];

/* If not NULL: what programs printed is kept in this folder, under a digest of all that it comes
 * from: sources, weights, commands, versions, processor. Then it is not built and run again. */
static const char *kept_outputs;

/* A compiler with its flags, and what runs its programs ("": this machine). */
struct toolchain {
    const char *name, *command, *emulator;
};

#define STRICT "-std=c99 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror "
#define STRICT_TOOLCHAIN(compiler, flags) \
    { compiler " " flags, compiler " " STRICT flags, "" }
/* The first ones are the cross-section of the normal run. */
static const struct toolchain host_toolchains[] = {
    STRICT_TOOLCHAIN("gcc", "-O2"),
    STRICT_TOOLCHAIN("gcc", "-O0"),
    STRICT_TOOLCHAIN("clang", "-O2"),
    STRICT_TOOLCHAIN("clang", "-O0"),
    STRICT_TOOLCHAIN("gcc", "-O3 -ffast-math"),
    {"tcc", "tcc -std=c99 -Wall -Werror", ""},
    STRICT_TOOLCHAIN("gcc", "-O3"),
    STRICT_TOOLCHAIN("gcc", "-O3 -march=native"),
    STRICT_TOOLCHAIN("gcc", "-Os"),
    STRICT_TOOLCHAIN("clang", "-O3"),
    STRICT_TOOLCHAIN("clang", "-O3 -ffast-math"),
};
enum { USUAL_TOOLCHAINS = 6, ALL_TOOLCHAINS = sizeof host_toolchains / sizeof *host_toolchains };

static const char *upper(const char *name) {
    static char text[64];
    size_t i = 0;
    for (; name[i] && i < sizeof text - 1; i++) text[i] = (char)toupper((unsigned char)name[i]);
    text[i] = '\0';
    return text;
}

static void run_command(const char *command) {
    if (system(command) != 0) fail_msg("failed: %s", command);
}

/* The source alone, so that a compiler cache can keep the object. */
static void compile_emitted(const struct toolchain *toolchain, const char *name) {
    char command[MOST_COMMAND];
    snprintf(command, sizeof command, "%s -c %s/%s.c -o %s/%s.o", toolchain->command, folder, name,
             folder, name);
    run_command(command);
}

/* Builds a program of tests/emit/ around the model; what it prints goes to the file. */
static void build_and_run(const struct toolchain *toolchain, const char *program, const char *name,
                          const char *options, const char *output) {
    char command[MOST_COMMAND];
    compile_emitted(toolchain, name);
    snprintf(command, sizeof command,
             "%s -Itests/emit -DNAME=%s -DUPPER=%s %s -include %s/%s.h tests/emit/%s %s/%s.o "
             "-o %s/program -lm",
             toolchain->command, name, upper(name), options, folder, name, program, folder, name,
             folder);
    run_command(command);
    snprintf(command, sizeof command, "%s %s/program >%s.new", toolchain->emulator, folder, output);
    int status = system(command);
    if (status != 0) fail_msg("%s built by %s ended with status %d", name, toolchain->name, status);
    snprintf(command, sizeof command, "%s.new", output);
    assert_int_equal(rename(command, output), 0);
}

/* Writes the path of what the program printed, or will print. */
static void output_path(const struct toolchain *toolchain, const char *program, const char *name,
                        const char *options, char *path, size_t size) {
    char command[MOST_COMMAND], weights[160] = "", digest[65] = "";
    snprintf(path, size, "%s/output", folder);
    if (!kept_outputs) return;
    if (strstr(options, "-DWEIGHTS"))
        snprintf(weights, sizeof weights, "%s/%s.weights", folder, name);
    snprintf(command, sizeof command,
             "{ echo %s %s %s %s; grep -m 1 'model name' /proc/cpuinfo; %s -v; %s %s; "
             "cat tests/emit/* %s/%s.h %s/%s.c %s; } 2>&1 | sha256sum",
             program, name, toolchain->command, options, toolchain->command,
             *toolchain->emulator ? toolchain->emulator : ":", "--version", folder, name, folder,
             name, weights);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    assert_int_equal(fscanf(pipe, "%64[0-9a-f]", digest), 1);
    pclose(pipe);
    snprintf(path, size, "%s/%.32s", kept_outputs, digest);
}

/* Builds the program with one compiler, runs it and reads the numbers that it prints. */
static int run_emitted(const struct toolchain *toolchain, const char *program, const char *name,
                       const char *options, double *numbers) {
    char path[160];
    int count = 0;
    output_path(toolchain, program, name, options, path, sizeof path);
    if (!kept_outputs || access(path, R_OK) != 0)
        build_and_run(toolchain, program, name, options, path);
    FILE *output = fopen(path, "r");
    assert_non_null(output);
    while (count < MOST_NUMBERS && fscanf(output, "%lf", &numbers[count]) == 1) count++;
    fclose(output);
    return count;
}

/* The difference of floats that roundings may explain, relative above 1; beyond 1e-5 doubles
 * decide. The process's own roundings do not bound another's: ten steps of models/relu_cnn.lua by
 * gcc -O3 -ffast-math part by 5e-4, where the process in float and in double part by 1e-7. Without
 * Winograd's 5x5 convolutions it is 1e-5. Supposedly a unit of ReLU lies within a rounding of zero;
 * that was not traced, and doubles do not use Winograd. */
static double allowed_for(double expected, const double *noise) {
    return noise ? fmax(1e-5, 32 * *noise / fmax(1.0, fabs(expected))) : 1e-5;
}

/* noise: how far each number of the process is from exact arithmetic; NULL: not known. Returns the
 * largest difference, relative above 1. */
static double compare_noisy(const struct toolchain *toolchain, const char *name,
                            const double *numbers, int count, const double *expected,
                            int expected_count, const double *noise) {
    double largest = 0.0;
    if (count != expected_count)
        fail_msg("%s built by %s printed %d numbers instead of %d", name, toolchain->name, count,
                 expected_count);
    for (int i = 0; i < count; i++) {
        double scale = fmax(1.0, fabs(expected[i]));
        double difference = fabs(numbers[i] - expected[i]) / scale;
        double allowed = allowed_for(expected[i], noise ? &noise[i] : NULL);
        if (!(difference <= allowed))
            fail_msg("%s built by %s: number %d is %.9g, in the process %.9g; allowed: %.2g", name,
                     toolchain->name, i, numbers[i], expected[i], allowed);
        largest = fmax(largest, difference);
    }
    return largest;
}

__attribute__((unused)) static double compare(const struct toolchain *toolchain, const char *name,
                                              const double *numbers, int count,
                                              const double *expected, int expected_count) {
    return compare_noisy(toolchain, name, numbers, count, expected, expected_count, NULL);
}

/* Hears of every comparison that held: which toolchain of the case, the largest difference, and the
 * largest that was allowed. */
static void (*record)(const char *mode, int toolchain, double difference, double allowed);

#endif
