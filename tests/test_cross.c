/* test_cross.c: emitted models on other processors: built by Debian's cross compilers, run by
 * qemu's user mode, compared with the process here. The whole matrix is cross/targets.c. */
#include "tests/emit_check.h"

#include <glob.h>

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

/* Builds and runs a program of tests/emit/ on a target; returns the largest difference. */
static double run_on(const struct cross_target *target, const char *program, const char *name,
                     const char *options, const double *expected, int expected_count,
                     const double *noise) {
    static double numbers[MOST_NUMBERS];
    char compiler[256];
    snprintf(compiler, sizeof compiler, "%s -static " STRICT "-O2", target->compiler);
    emulator = target->emulator;
    int count = run_emitted(compiler, program, name, options, numbers);
    emulator = "";
    return compare_noisy(target->name, name, numbers, count, expected, expected_count, noise);
}

/* ---- models ---- */

static void training_agrees_on_targets(void **state) {
    static double expected[MOST_NUMBERS], exact[MOST_NUMBERS];
    const struct training_case *test = *state;
    const double *noise = NULL;
    struct fixture f = {0};
    set_up(&f, test->path, test->batch, false);
    int count = train_in_process(&f, expected);
    if (test->is_noisy) noise = rounding_noise(&f, test, expected, count, exact);
    write_standalone(test->name, emit(&f, MODE_TRAINING, test->batch, "generic", NULL));
    const char *options = f.program->has_accuracy ? "-DACCURACY" : "";
    for (int i = 0; i < TARGETS; i++) {
        struct cross_target *target = &targets_tested[i];
        double difference = run_on(target, "train.c", test->name, options, expected, count, noise);
        target->training = fmax(target->training, difference);
        target->models++;
    }
    tear_down(&f);
}

static void predictions_agree_on_targets(void **state) {
    static double expected[MOST_NUMBERS];
    const struct training_case *test = *state;
    struct fixture f = {0};
    set_up(&f, test->path, 1, true);
    const char *flags = write_inference(&f, test->name, "generic", 1);
    int count = predict_in_process(&f, expected);
    for (int i = 0; i < TARGETS; i++) {
        struct cross_target *target = &targets_tested[i];
        double difference = run_on(target, "predict.c", test->name, flags, expected, count, NULL);
        target->predictions = fmax(target->predictions, difference);
    }
    tear_down(&f);
}

/* ---- the two runs ---- */

#ifdef ALL_TARGETS
static const char *const usual_paths[] = {"models/*.lua", "tests/emit/*.lua"};
#define IS_NOISY true /* training may amplify roundings */
#define TABLE "build/cross/targets.md"
#else
#define IS_NOISY false
static const char *const usual_paths[] = {"models/fashion_tiny.lua",
                                          "tests/emit/emit_branches.lua"};
#endif
enum { USUAL_PATHS = sizeof usual_paths / sizeof usual_paths[0], MOST_CASES = 64 };

static int find_cases(struct training_case *cases, const char *const *paths, int path_count) {
    int count = 0;
    for (int p = 0; p < path_count; p++) {
        glob_t found;
        if (glob(paths[p], 0, NULL, &found) != 0) continue;
        for (size_t i = 0; i < found.gl_pathc && count < MOST_CASES; i++) {
            const char *file = strrchr(found.gl_pathv[i], '/') + 1;
            if (!strcmp(file, "blocks.lua")) continue; /* a module, not a model */
            cases[count++] = (struct training_case){strdup(found.gl_pathv[i]),
                                                    strndup(file, strlen(file) - strlen(".lua")), 4,
                                                    0, IS_NOISY};
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
    static struct training_case cases[MOST_CASES];
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
