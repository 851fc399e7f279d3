/* slow_emit.c: every model of models/ and models/variants/, emitted in both modes: no warning, and
 * what the process gives, ten steps of training included. Those of models/ by every compiler of the
 * table; their variants, which consist of the same layers, by the first six of it (EMIT_ALL=1:
 * all). Training has small batches: the scalar forms are slow.
 * Training is held to 1e-5 in double; in float too, but where Adam amplifies roundings
 * (emit_training.h).
 *
 * build/tests/slow_emit MODEL.lua... takes single models; a child process for each, one a
 * processor (EMIT_JOBS=n: n at once). Differences, and what the programs print, are kept in
 * build/emitted/: the tables may be made in pieces, and only what has changed is built again. */
#include "tests/emit_training.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { MOST_PATH = 192 };

#define RESULTS "build/emitted"
#define OUTPUTS RESULTS "/outputs"
#define TABLES RESULTS "/tables.md"

static const char *model_name(const char *path) {
    static char name[96];
    const char *file = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    snprintf(name, sizeof name, "%.*s", (int)strcspn(file, "."), file);
    return name;
}

/* ---- one model, in a process of its own ---- */

/* Of a model that passed; `.new` while it is at work. */
static void result_path(const char *name, const char *suffix, char path[MOST_PATH]) {
    snprintf(path, MOST_PATH, RESULTS "/%s.differences%s", name, suffix);
}

static const char *current;

static void keep_difference(const char *mode, int toolchain, double difference, double allowed) {
    char path[MOST_PATH];
    result_path(current, ".new", path);
    FILE *file = fopen(path, "a");
    assert_non_null(file);
    fprintf(file, "%s %d %.2e %.2e\n", mode, toolchain, difference, allowed);
    assert_int_equal(fclose(file), 0);
}

/* A model of 229 million weights: ten steps would need static arrays of 8 GB. */
static bool is_too_large_to_train(const char *name) {
    return !strcmp(name, "mnist_mlp_ten_layers");
}

static void training_compiles(void **state) {
    const struct training_case *test = *state;
    struct fixture f = {0};
    arena_init(&f.arena);
    if (setjmp(f.arena.exhausted)) fail_msg("out of memory");
    f.model = read_model(&f.arena, test->path);
    write_standalone(test->name, emit(&f, MODE_TRAINING, test->batch, "generic", NULL));
    for (int i = 0; i < test->toolchain_count; i++)
        compile_emitted(&test->toolchains[i], test->name);
    arena_free(&f.arena);
}

static int test_model(const char *path) {
    char name[96], titles[2][128], result[MOST_PATH], unfinished[MOST_PATH];
    snprintf(name, sizeof name, "%s", model_name(path));
    snprintf(folder, sizeof folder, RESULTS "/%.40s", name);
    current = name;
    record = keep_difference;
    kept_outputs = OUTPUTS;
    result_path(name, "", result);
    result_path(name, ".new", unfinished);
    remove(result);
    remove(unfinished);
    if (mkdir(folder, 0777) != 0 && errno != EEXIST) return 1;
    bool is_large = is_too_large_to_train(name);
    bool is_variant = strstr(path, "variants/") && !getenv("EMIT_ALL");
    int used = is_variant ? USUAL_TOOLCHAINS : ALL_TOOLCHAINS;
    struct inference_case inference = {path, name, "generic", 1, host_toolchains, used};
    long batch = multiply_adds(path) > HEAVY_MODEL ? 2 : 4;
    struct training_case training = {path, name, batch, host_toolchains, used, true, 0};
    snprintf(titles[0], sizeof titles[0], "predictions of %s agree", name);
    snprintf(titles[1], sizeof titles[1], "training of %s %s", name,
             is_large ? "compiles" : "agrees");
    const struct CMUnitTest tests[] = {
        {titles[0], inference_agrees, NULL, NULL, &inference},
        {titles[1], is_large ? training_compiles : training_agrees, NULL, NULL, &training},
    };
    int failed = _cmocka_run_group_tests(name, tests, 2, NULL, NULL);
    finish(NULL);
    if (!failed && rename(unfinished, result) != 0) return 1;
    return failed;
}

/* ---- all of them ---- */

static void start_model(const char *path) {
    char log[MOST_PATH];
    snprintf(log, sizeof log, RESULTS "/%s.log", model_name(path));
    fflush(NULL);
    if (fork() != 0) return;
    int file = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (file < 0 || dup2(file, 1) < 0 || dup2(file, 2) < 0) _exit(1);
    exit(test_model(path) != 0);
}

/* Waits for one child; 0 if it passed, 1 if not or if it crashed. */
static int wait_for_one(void) {
    int status;
    if (wait(&status) < 0) return 1;
    return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

static int test_models(char *const *paths, int count) {
    const char *jobs = getenv("EMIT_JOBS");
    long processors = jobs ? strtol(jobs, NULL, 10) : sysconf(_SC_NPROCESSORS_ONLN);
    int running = 0, failed = 0;
    for (int i = 0; i < count; i++) {
        if (running >= processors && running) failed += wait_for_one(), running--;
        start_model(paths[i]);
        running++;
    }
    while (running--) failed += wait_for_one();
    for (int i = 0; i < count; i++) {
        char command[MOST_PATH + 16];
        snprintf(command, sizeof command, "cat " RESULTS "/%s.log", model_name(paths[i]));
        if (system(command) != 0) failed++;
    }
    return failed;
}

/* ---- tables ---- */

struct differences {
    double largest[3][ALL_TOOLCHAINS]; /* of predictions, training, training in double; -1: none */
    double allowed;                    /* of training */
};

static void add_differences(struct differences *d, const char *path) {
    FILE *file = fopen(path, "r");
    char mode[16];
    int toolchain;
    double difference, allowed;
    if (!file) return;
    while (fscanf(file, "%15s %d %lf %lf", mode, &toolchain, &difference, &allowed) == 4) {
        if (toolchain < 0 || toolchain >= ALL_TOOLCHAINS) continue;
        int row = !strcmp(mode, "training") ? 1 : !strcmp(mode, "double") ? 2 : 0;
        d->largest[row][toolchain] = fmax(d->largest[row][toolchain], difference);
        if (row == 1) d->allowed = fmax(d->allowed, allowed);
    }
    fclose(file);
}

static struct differences no_differences(void) {
    struct differences d = {.allowed = 0};
    for (int i = 0; i < ALL_TOOLCHAINS; i++)
        d.largest[0][i] = d.largest[1][i] = d.largest[2][i] = -1;
    return d;
}

static void print_cell(FILE *file, double difference) {
    if (difference < 0)
        fprintf(file, " |");
    else
        fprintf(file, " %.1e |", difference);
}

/* One line a model, one column a compiler. */
static void print_models(FILE *file, const glob_t *results, int mode) {
    static const char *const titles[] = {"predictions", "ten steps of training",
                                         "ten steps in double"};
    bool has_limit = mode == 1;
    fprintf(file, "\n| %s |", titles[mode]);
    for (int i = 0; i < ALL_TOOLCHAINS; i++) fprintf(file, " %s |", host_toolchains[i].name);
    fprintf(file, "%s\n|---|", has_limit ? " allowed |" : "");
    for (int i = 0; i < ALL_TOOLCHAINS + has_limit; i++) fprintf(file, "---|");
    fprintf(file, "\n");
    for (size_t i = 0; i < results->gl_pathc; i++) {
        struct differences d = no_differences();
        add_differences(&d, results->gl_pathv[i]);
        fprintf(file, "| %s |", model_name(results->gl_pathv[i]));
        for (int k = 0; k < ALL_TOOLCHAINS; k++) print_cell(file, d.largest[mode][k]);
        if (has_limit) print_cell(file, d.allowed);
        fprintf(file, "\n");
    }
}

/* One line a compiler: predictions, training in float of the models that agree to 1e-5 by all
 * compilers, training in double. */
static void print_compilers(FILE *file, const glob_t *results) {
    static const char *const titles[] = {"predictions", "ten steps of training in float",
                                         "in double"};
    int models[3][ALL_TOOLCHAINS] = {{0}};
    struct differences total = no_differences();
    for (size_t i = 0; i < results->gl_pathc; i++) {
        struct differences d = no_differences();
        add_differences(&d, results->gl_pathv[i]);
        bool is_noisy = false; /* roundings are amplified */
        for (int k = 0; k < ALL_TOOLCHAINS; k++) is_noisy |= d.largest[1][k] > 1e-5;
        for (int mode = 0; mode < 3; mode++)
            for (int k = 0; k < ALL_TOOLCHAINS; k++) {
                if (d.largest[mode][k] < 0 || (mode == 1 && is_noisy)) continue;
                total.largest[mode][k] = fmax(total.largest[mode][k], d.largest[mode][k]);
                models[mode][k]++;
            }
    }
    fprintf(file, "\n| compiler |");
    for (int mode = 0; mode < 3; mode++) fprintf(file, " models | %s |", titles[mode]);
    fprintf(file, "\n|---|---|---|---|---|---|---|\n");
    for (int k = 0; k < ALL_TOOLCHAINS; k++) {
        fprintf(file, "| %s |", host_toolchains[k].name);
        for (int mode = 0; mode < 3; mode++) {
            fprintf(file, " %d |", models[mode][k]);
            print_cell(file, total.largest[mode][k]);
        }
        fprintf(file, "\n");
    }
}

/* The tables, into a file and onto the screen. Returns 0, or 1 if that fails. */
static int print_tables(void) {
    glob_t results;
    FILE *file = fopen(TABLES, "w");
    if (!file || glob(RESULTS "/*.differences", 0, NULL, &results) != 0) return 1;
    for (int mode = 0; mode < 3; mode++) print_models(file, &results, mode);
    print_compilers(file, &results);
    globfree(&results);
    return fclose(file) != 0 || system("cat " TABLES) != 0;
}

static bool is_module(const char *path) {
    return !strcmp(path, "models/blocks.lua");
}

int main(int argc, char **argv) {
    glob_t models;
    int count = argc - 1;
    char **paths = argv + 1;
    if (system("mkdir -p " OUTPUTS) != 0) return 1;
    if (argc == 1) {
        if (glob("models/*.lua", 0, NULL, &models) != 0 ||
            glob("models/variants/*.lua", GLOB_APPEND, NULL, &models) != 0)
            return 1;
        paths = models.gl_pathv;
        for (size_t i = 0; i < models.gl_pathc; i++)
            if (!is_module(paths[i])) paths[count++] = paths[i];
    }
    int failed = test_models(paths, count);
    return print_tables() || failed != 0;
}
