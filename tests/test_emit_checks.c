/* test_emit_checks.c: what tools say about emitted C: nm, the sanitizers, GCC's analyzer and
 * cppcheck, GCC's account of the stack; the workspace beside its bound; and a program that trains
 * an emitted model on real images without lathe. cross/checks.c is the same for all models. */
#include "tests/emit_training.h"
#include "tests/emit_stack.h"

#include <glob.h>

struct checked_model {
    const char *path, *name;
    enum mode mode;
};

/* ---- symbols ---- */

/* Prints what a symbol of the object must not be, and fails if there is any. */
static void check_symbols(const char *name) {
    char command[1024];
    snprintf(command, sizeof command,
             "nm -P %s/%s.o | awk -v prefix=%s_ '"
             "$2 == \"U\" && $1 !~ /^(mem(cpy|set|move)|(exp|log|sqrt|tanh|erf|sin|cos|pow|floor|"
             "fabs)f?|_GLOBAL_OFFSET_TABLE_)$/ { print $1 \" is needed\"; bad = 1 } "
             "$2 ~ /^[bBdDC]$/ { print $1 \" can change\"; bad = 1 } "
             "$2 ~ /^[A-TV-Z]$/ && index($1, prefix) != 1 { print $1 \" is global\"; bad = 1 } "
             "$2 == \"T\" { functions++ } "
             "END { exit bad || !functions }' >&2",
             folder, name, name);
    run_command(command);
}

/* ---- the stack ---- */

static const char *const stack_compilers[] = {
    "gcc -O2",
    "gcc -Os",
#ifdef ALL_MODELS
    "gcc -O1",
    "gcc -O3",
    "gcc -O3 -march=native",
    "arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16 -O2",
    "arm-linux-gnueabihf-gcc -mfpu=neon -O2",
#endif
};

static long stated_stack(const char *name) {
    char path[160], line[256], macro[96];
    long bytes = -1;
    snprintf(path, sizeof path, "%s/%s.h", folder, name);
    snprintf(macro, sizeof macro, "#define %s_STACK_BYTES %%ld", upper(name));
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (bytes < 0 && fgets(line, sizeof line, file)) sscanf(line, macro, &bytes);
    fclose(file);
    return bytes;
}

static void check_stack(const char *name) {
    char command[512];
    long stated = stated_stack(name);
    assert_true(stated > 0);
    for (size_t i = 0; i < sizeof stack_compilers / sizeof stack_compilers[0]; i++) {
        snprintf(command, sizeof command, "%s -std=c99 -fcallgraph-info=su -c %s/%s.c -o %s/%s.o",
                 stack_compilers[i], folder, name, folder, name);
        run_command(command);
        snprintf(command, sizeof command, "%s/%s.ci", folder, name);
        long needed = stack_of_call_graph(command);
        if (needed <= 0) fail_msg("%s, %s: the stack has no bound", name, stack_compilers[i]);
        if (needed > stated)
            fail_msg("%s, %s: needs %ld bytes of stack, the header says %ld", name,
                     stack_compilers[i], needed, stated);
        printf("%s, %s: %ld of %ld bytes of stack\n", name, stack_compilers[i], needed, stated);
    }
}

/* ---- models ---- */

#ifdef ALL_MODELS
#define IS_NOISY true
enum {
    CHECKED_STEPS = 3,          /* the third one has a sample less */
    MOST_CHECKED_WEIGHTS = 1000 /* more numbers in the source take cppcheck minutes */
};
#else
#define IS_NOISY false
enum { CHECKED_STEPS = USUAL_STEPS, MOST_CHECKED_WEIGHTS = MOST_EMBEDDED };
#endif

static const struct toolchain sanitizers[] = {
    {"gcc with sanitizers",
     "gcc -std=c99 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all", ""}};

/* What the process gives, under the sanitizers. */
static void check_with_sanitizers(const struct checked_model *test) {
    struct training_case training = {test->path, test->name,   4, sanitizers, 1,
                                     IS_NOISY,   CHECKED_STEPS};
    struct inference_case inference = {test->path, test->name, "generic", 1, sanitizers, 1};
    bool trains = test->mode == MODE_TRAINING;
    void *state = trains ? (void *)&training : (void *)&inference;
    (trains ? training_agrees : inference_agrees)(&state);
}

/* The source that the other tools read. */
static void write_source(const struct checked_model *test) {
    bool trains = test->mode == MODE_TRAINING;
    struct fixture f = {0};
    set_up(&f, test->path, trains ? 4 : 1, !trains);
    if (trains)
        write_standalone(test->name, emit(&f, MODE_TRAINING, 4, "generic", NULL));
    else
        write_inference(&f, test->name, "generic", 1, MOST_CHECKED_WEIGHTS);
    tear_down(&f);
}

static void check_emitted(void **state) {
    const struct checked_model *test = *state;
    char command[512];
    check_with_sanitizers(test);
    write_source(test);
    check_stack(test->name);
    snprintf(command, sizeof command, "gcc -std=c99 -O1 -fanalyzer -Werror -c %s/%s.c -o %s/%s.o",
             folder, test->name, folder, test->name);
    run_command(command);
    check_symbols(test->name);
#ifdef ALL_MODELS
    snprintf(command, sizeof command,
             "cppcheck -q --std=c99 --enable=warning,portability,performance --error-exitcode=1 "
             "%s/%s.c",
             folder, test->name);
    run_command(command);
#endif
}

/* ---- memory ---- */

#ifndef ALL_MODELS
static void check_workspace(struct arena *arena, const struct model *model, enum mode mode,
                            const struct compile_options *options, const char *what) {
    struct error error = {""};
    const struct standalone *s = compile_standalone(arena, model, mode, options, NULL, &error);
    if (!s) fail_msg("%s: %s", model->name, error.text);
    const struct memory_report *memory = &s->memory;
    assert_true(memory->arena_bytes >= memory->lower_bound);
    /* (Whole cache lines: what tiny models lose by that is no plan's fault.) */
    if ((double)memory->arena_bytes > 1.05 * (double)memory->lower_bound + 64)
        fail_msg("%s, %s: a workspace of %ld bytes, of which %ld are in use at once", model->name,
                 what, memory->arena_bytes, memory->lower_bound);
}

/* Every model, both modes, the options that change the plan: within 5 % of what is alive at once
 * (which test_memory.c reckons moment by moment). */
static void workspaces_are_near_their_bound(void **state) {
    const struct compile_options forms[] = {
        {.target = target_find("generic")},
        {.target = target_find("x86-64-v4")},
        {.target = target_find("cortex-m"), .form = {.small_code = true}},
        {.target = target_find("generic"), .use_double = true},
    };
    glob_t found;
    int checked = 0;
    (void)state;
    assert_int_equal(glob("models/*.lua", 0, NULL, &found), 0);
    assert_int_equal(glob("models/variants/*.lua", GLOB_APPEND, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        const char *path = found.gl_pathv[i];
        if (strstr(path, "/blocks.lua") || strstr(path, "/shared.lua")) continue; /* modules */
        struct arena arena;
        arena_init(&arena);
        if (setjmp(arena.exhausted)) fail_msg("out of memory");
        const struct model *model = read_model(&arena, path);
        for (size_t k = 0; k < sizeof forms / sizeof forms[0]; k++) {
            struct compile_options options = forms[k];
            check_workspace(&arena, model, MODE_TRAINING, &options, "training");
            options.batch = 1;
            check_workspace(&arena, model, MODE_PREDICTION, &options, "predictions");
        }
        arena_free(&arena);
        checked++;
    }
    globfree(&found);
    assert_true(checked > 50);
}
#endif

/* ---- training without lathe ---- */

#ifndef ALL_MODELS
/* tests/train_fashion.c, built as its comment says: 85 % of the test images, and short. */
static void trains_without_lathe(void **state) {
    (void)state;
    char command[512], line[256];
    double accuracy = 0.0;
    struct fixture f = {0};
    set_up(&f, "models/mnist_mlp.lua", 0, false);
    write_standalone("mnist_mlp", emit(&f, MODE_TRAINING, 0, "generic", NULL));
    tear_down(&f);
    snprintf(
        command, sizeof command,
        "test $(wc -l <tests/train_fashion.c) -lt 60 && cp tests/train_fashion.c %s && cd %s && "
        "cc -O2 train_fashion.c mnist_mlp.c -lz -lm && ./a.out "
        "/usr/share/datasets/fashion-mnist 4",
        folder, folder);
    FILE *output = popen(command, "r");
    assert_non_null(output);
    while (fgets(line, sizeof line, output))
        sscanf(line, "epoch %*d: loss %*f, test accuracy %lf", &accuracy);
    assert_int_equal(pclose(output), 0);
    if (accuracy < 0.85) fail_msg("test accuracy %.4f", accuracy);
}
#endif

/* ---- */

#ifdef ALL_MODELS
static const char *const usual_paths[] = {"models/*.lua"};
#else
static const char *const usual_paths[] = {"models/fashion_micro.lua", "tests/emit/emit_images.lua"};
#endif
enum { MOST_MODELS = 64 };

int main(int argc, char **argv) {
    static struct CMUnitTest tests[MOST_MODELS];
    static struct checked_model models[MOST_MODELS];
    static char names[MOST_MODELS][96];
    size_t count = 0;
    const char *const *paths = argc > 1 ? (const char *const *)argv + 1 : usual_paths;
    int path_count = argc > 1 ? argc - 1 : (int)(sizeof usual_paths / sizeof usual_paths[0]);
    for (int p = 0; p < path_count; p++) {
        glob_t found;
        if (glob(paths[p], 0, NULL, &found) != 0) return 1;
        for (size_t i = 0; i < 2 * found.gl_pathc && count < MOST_MODELS - 2; i++) {
            const char *path = found.gl_pathv[i / 2], *file = strrchr(path, '/') + 1;
            if (!strcmp(file, "blocks.lua")) continue; /* a module, not a model */
            struct checked_model *model = &models[count];
            *model = (struct checked_model){strdup(path), strndup(file, strlen(file) - 4),
                                            i % 2 ? MODE_TRAINING : MODE_PREDICTION};
            snprintf(names[count], sizeof names[count], "%s of %s",
                     i % 2 ? "training" : "predictions", model->name);
            tests[count] = (struct CMUnitTest){names[count], check_emitted, NULL, NULL, model};
            count++;
        }
        globfree(&found);
    }
#ifndef ALL_MODELS
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(workspaces_are_near_their_bound);
    tests[count++] = (struct CMUnitTest)cmocka_unit_test(trains_without_lathe);
#endif
    return _cmocka_run_group_tests("checks of emitted C", tests, count, start, finish);
}
