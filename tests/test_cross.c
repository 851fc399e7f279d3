/* test_cross.c: emitted models on other processors: built by Debian's cross compilers, run by
 * qemu's user mode, compared with the process here. The whole matrix is cross/targets.c. */
#include "tests/emit_check.h"

#include <glob.h>

struct cross_case {
    const char *path, *name;
};

/* ---- targets ---- */

struct cross_target {
    const char *name, *compiler, *emulator, *what;
    double predictions, training; /* the largest differences */
    int models;
};

static struct cross_target targets_tested[] = {
    {"s390x", "s390x-linux-gnu-gcc", "qemu-s390x", "64 bits, big-endian", 0, 0, 0},
    {"armhf", "arm-linux-gnueabihf-gcc", "qemu-arm", "32 bits, VFP", 0, 0, 0},
#ifdef ALL_TARGETS
    {"armhf, NEON", "arm-linux-gnueabihf-gcc -mfpu=neon", "qemu-arm", "32 bits, vectors", 0, 0, 0},
    {"aarch64", "aarch64-linux-gnu-gcc", "qemu-aarch64", "64 bits, vectors", 0, 0, 0},
    {"riscv64", "riscv64-linux-gnu-gcc", "qemu-riscv64", "64 bits, no vectors", 0, 0, 0},
    {"i386", "i686-linux-gnu-gcc", "qemu-i386", "32 bits, x87", 0, 0, 0},
    {"ppc64le", "powerpc64le-linux-gnu-gcc", "qemu-ppc64le", "64 bits, vectors", 0, 0, 0},
#endif
};
enum { TARGETS = sizeof targets_tested / sizeof targets_tested[0] };

static bool is_installed(const struct cross_target *target) {
    char command[256];
    int length = (int)strcspn(target->compiler, " ");
    snprintf(command, sizeof command, "command -v %.*s >/dev/null && command -v %s >/dev/null",
             length, target->compiler, target->emulator);
    return system(command) == 0;
}

/* What the process gives. Training can make much of a rounding: `other` is the same of the process
 * without fused multiply-adds. */
struct expected_numbers {
    double numbers[MOST_NUMBERS], other[MOST_NUMBERS];
    int count;
};

static double relative_difference(double a, double b) {
    return fabs(a - b) / fmax(1.0, fabs(b));
}

/* A number may differ by 1e-5, or by four times as much as the two runs of the process up to it do.
 * Returns the largest difference. */
static double compare_with_both(const char *target, const char *name, const double *numbers,
                                int count, const struct expected_numbers *expected) {
    double largest = 0.0, tolerance = 1e-5;
    if (count != expected->count)
        fail_msg("%s on %s printed %d numbers instead of %d", name, target, count, expected->count);
    for (int i = 0; i < count; i++) {
        double wanted = expected->numbers[i];
        tolerance = fmax(tolerance, 4.0 * relative_difference(expected->other[i], wanted));
        double difference = relative_difference(numbers[i], wanted);
        if (!(difference <= tolerance))
            fail_msg("%s on %s: number %d is %.9g, in the process %.9g, without FMA %.9g", name,
                     target, i, numbers[i], wanted, expected->other[i]);
        largest = fmax(largest, difference);
    }
    return largest;
}

/* Builds and runs a program of tests/emit/ on a target; returns the largest difference. */
static double run_on(const struct cross_target *target, const char *program, const char *name,
                     const char *options, const struct expected_numbers *expected) {
    static double numbers[MOST_NUMBERS];
    char compiler[256];
    snprintf(compiler, sizeof compiler, "%s -static " STRICT "-O2", target->compiler);
    emulator = target->emulator;
    int count = run_emitted(compiler, program, name, options, numbers);
    return compare_with_both(target->name, name, numbers, count, expected);
}

/* Runs a model in the process twice, with FMA (where this processor has it) and without, and leaves
 * it set up for emission. */
static void run_in_process(struct fixture *f, struct expected_numbers *expected,
                           const struct cross_case *test, long batch, bool trains) {
    for (int pass = 0; pass < 2; pass++) {
        double *numbers = pass ? expected->numbers : expected->other;
        if (pass) tear_down(f);
        process_target = pass ? NULL : target_find("generic");
        *f = (struct fixture){0};
        set_up(f, test->path, batch, !trains);
        expected->count = trains ? train_in_process(f, numbers) : predict_in_process(f, numbers);
    }
}

/* ---- models ---- */

static void training_agrees_on_targets(void **state) {
    static struct expected_numbers expected;
    const struct cross_case *test = *state;
    struct fixture f;
    run_in_process(&f, &expected, test, 4, true);
    write_standalone(test->name, emit(&f, MODE_TRAINING, 4, "generic", NULL));
    const char *options = f.program->has_accuracy ? "-DACCURACY" : "";
    for (int i = 0; i < TARGETS; i++) {
        struct cross_target *target = &targets_tested[i];
        double difference = run_on(target, "train.c", test->name, options, &expected);
        target->training = fmax(target->training, difference);
        target->models++;
    }
    tear_down(&f);
}

static void predictions_agree_on_targets(void **state) {
    static struct expected_numbers expected;
    const struct cross_case *test = *state;
    struct fixture f;
    run_in_process(&f, &expected, test, 1, false);
    const float *const weights[] = {f.memory.space[0], f.memory.space[1], f.memory.space[2]};
    write_standalone(test->name, emit(&f, MODE_PREDICTION, 1, "generic", weights));
    for (int i = 0; i < TARGETS; i++) {
        struct cross_target *target = &targets_tested[i];
        double difference = run_on(target, "predict.c", test->name, "", &expected);
        target->predictions = fmax(target->predictions, difference);
    }
    tear_down(&f);
}

/* ---- the two runs ---- */

#ifdef ALL_TARGETS
static const char *const usual_paths[] = {"models/*.lua", "tests/emit/*.lua"};
#define TABLE "build/cross/targets.md"
#else
static const char *const usual_paths[] = {"models/fashion_tiny.lua",
                                          "tests/emit/emit_branches.lua"};
#endif
enum { USUAL_PATHS = sizeof usual_paths / sizeof usual_paths[0], MOST_CASES = 64 };

static int find_cases(struct cross_case *cases, const char *const *paths, int path_count) {
    int count = 0;
    for (int p = 0; p < path_count; p++) {
        glob_t found;
        if (glob(paths[p], 0, NULL, &found) != 0) continue;
        for (size_t i = 0; i < found.gl_pathc && count < MOST_CASES; i++) {
            const char *file = strrchr(found.gl_pathv[i], '/') + 1;
            if (!strcmp(file, "blocks.lua")) continue; /* a module, not a model */
            cases[count].path = strdup(found.gl_pathv[i]);
            cases[count++].name = strndup(file, strlen(file) - strlen(".lua"));
        }
        globfree(&found);
    }
    return count;
}

/* The table for the README. */
static int write_table(void **state) {
#ifdef TABLE
    FILE *file = system("mkdir -p build/cross") == 0 ? fopen(TABLE, "w") : NULL;
    if (!file) return -1;
    fputs("| target | | models | predictions differ by | ten steps of training differ by |\n"
          "|---|---|---|---|---|\n",
          file);
    for (int i = 0; i < TARGETS; i++) {
        const struct cross_target *target = &targets_tested[i];
        fprintf(file, "| %s | %s | %d | %.1e | %.1e |\n", target->name, target->what,
                target->models, target->predictions, target->training);
    }
    if (fclose(file) != 0) return -1;
#endif
    return finish(state);
}

int main(int argc, char **argv) {
    static struct CMUnitTest tests[2 * MOST_CASES];
    static struct cross_case cases[MOST_CASES];
    static char names[2 * MOST_CASES][96];
    size_t count = 0;
    for (int i = 0; i < TARGETS; i++) {
        if (is_installed(&targets_tested[i])) continue;
        fprintf(stderr, "no compiler or emulator for %s: sh tests/setup.sh cross\n",
                targets_tested[i].name);
        return 1;
    }
    int models = argc > 1 ? find_cases(cases, (const char *const *)argv + 1, argc - 1)
                          : find_cases(cases, usual_paths, USUAL_PATHS);
    for (int i = 0; i < models; i++) {
        snprintf(names[count], sizeof names[count], "predictions of %s agree", cases[i].name);
        tests[count] =
            (struct CMUnitTest){names[count], predictions_agree_on_targets, NULL, NULL, &cases[i]};
        count++;
        snprintf(names[count], sizeof names[count], "training of %s agrees", cases[i].name);
        tests[count] =
            (struct CMUnitTest){names[count], training_agrees_on_targets, NULL, NULL, &cases[i]};
        count++;
    }
    return _cmocka_run_group_tests("other processors", tests, count, start, write_table);
}
