/* test_cross.c: emitted models on other processors: built by Debian's cross compilers, run by
 * qemu's user mode, compared with the process here. The whole matrix is cross/targets.c. */
#include "tests/emit_training.h"

#include <glob.h>

/* ---- targets ---- */

#define STATIC_TOOLCHAIN(name, compiler, emulator) \
    { name, compiler " -static " STRICT "-O2", emulator }

static const struct toolchain targets_tested[] = {
    STATIC_TOOLCHAIN("s390x", "s390x-linux-gnu-gcc", "qemu-s390x"),
    STATIC_TOOLCHAIN("armhf", "arm-linux-gnueabihf-gcc", "qemu-arm"),
#ifdef ALL_TARGETS
    STATIC_TOOLCHAIN("armhf, NEON", "arm-linux-gnueabihf-gcc -mfpu=neon", "qemu-arm"),
    STATIC_TOOLCHAIN("aarch64", "aarch64-linux-gnu-gcc", "qemu-aarch64"),
    STATIC_TOOLCHAIN("riscv64", "riscv64-linux-gnu-gcc", "qemu-riscv64"),
    STATIC_TOOLCHAIN("i386", "i686-linux-gnu-gcc", "qemu-i386"),
    STATIC_TOOLCHAIN("ppc64le", "powerpc64le-linux-gnu-gcc", "qemu-ppc64le"),
#endif
};
enum { TARGETS = sizeof targets_tested / sizeof targets_tested[0] };

static bool is_installed(const struct toolchain *target) {
    char command[256];
    int length = (int)strcspn(target->command, " ");
    snprintf(command, sizeof command, "command -v %.*s >/dev/null && command -v %s >/dev/null",
             length, target->command, target->emulator);
    return system(command) == 0;
}

/* ---- the table ---- */

enum quantity { PREDICTIONS, FLOATS, DOUBLES, QUANTITIES };

/* By target: how many models, and the largest difference. A model whose training amplifies
 * roundings of float counts in double. */
struct column {
    int models;
    double largest;
};
static struct column columns[TARGETS][QUANTITIES];
static double current[TARGETS][QUANTITIES]; /* of the model under test; -1: not there */

static void forget_current(void) {
    for (int i = 0; i < TARGETS; i++)
        for (int q = 0; q < QUANTITIES; q++) current[i][q] = -1;
}

static void keep_difference(const char *mode, int target, double difference, double allowed) {
    (void)allowed;
    enum quantity q = !strcmp(mode, "predictions") ? PREDICTIONS
                      : !strcmp(mode, "training")  ? FLOATS
                                                   : DOUBLES;
    current[target][q] = difference;
}

static void add_current(void) {
    for (int i = 0; i < TARGETS; i++)
        for (int q = 0; q < QUANTITIES; q++) {
            if (current[i][q] < 0 || (q == FLOATS && current[i][q] > 1e-5)) continue;
            columns[i][q].models++;
            columns[i][q].largest = fmax(columns[i][q].largest, current[i][q]);
        }
}

static void training_agrees_on_targets(void **state) {
    forget_current();
    training_agrees(state);
    add_current();
}

static void predictions_agree_on_targets(void **state) {
    const struct training_case *test = *state;
    struct inference_case inference = {test->path, test->name,     "generic",
                                       1,          targets_tested, TARGETS};
    void *inference_state = &inference;
    forget_current();
    inference_agrees(&inference_state);
    add_current();
}

/* ---- the two runs ---- */

#ifdef ALL_TARGETS
static const char *const usual_paths[] = {"models/*.lua", "tests/emit/*.lua"};
#define IS_NOISY true /* training may amplify roundings */
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
            bool is_heavy = multiply_adds(found.gl_pathv[i]) > HEAVY_MODEL;
            cases[count++] =
                (struct training_case){.path = strdup(found.gl_pathv[i]),
                                       .name = strndup(file, strlen(file) - strlen(".lua")),
                                       .batch = is_heavy ? 2 : 4,
                                       .toolchains = targets_tested,
                                       .toolchain_count = TARGETS,
                                       .is_noisy = IS_NOISY,
                                       .steps = is_heavy ? 2 : USUAL_STEPS};
        }
        globfree(&found);
    }
    return count;
}

/* With ALL_TARGETS: what programs print is kept, so that only what has changed runs again. */
static int begin(void **state) {
    record = keep_difference;
#ifdef ALL_TARGETS
    kept_outputs = "build/cross/outputs";
    if (system("mkdir -p build/cross/outputs") != 0) return -1;
#endif
    return start(state);
}

/* The table for the README. */
static int end(void **state) {
#ifdef ALL_TARGETS
    FILE *file = fopen("build/cross/targets.md", "w");
    if (!file) return -1;
    fputs("| target | predictions differ by | ten steps of training in float differ by | in double "
          "|\n"
          "|---|---|---|---|\n",
          file);
    for (int i = 0; i < TARGETS; i++) {
        fprintf(file, "| %s |", targets_tested[i].name);
        for (int q = 0; q < QUANTITIES; q++)
            fprintf(file, " %.1e (%d models) |", columns[i][q].largest, columns[i][q].models);
        fputs("\n", file);
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
    return _cmocka_run_group_tests("other processors", tests, count, begin, end);
}
