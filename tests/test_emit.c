/* test_emit.c: standalone C: it builds without a warning under three compilers, gives what the
 * process gives, has no symbols but its own, and the same bytes each time. */
#include "compiler/jit/jit.h"
#include "runtime/memory.h"
#include "runtime/parallel.h"
#include "runtime/weights.h"
#include "tests/emit/values.h"

#include <ctype.h>
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

enum { STEPS = 10, SEED = 5, MOST_NUMBERS = 8192 };

static char folder[64];

/* ---- a model under test ---- */

struct fixture {
    struct arena arena;
    struct model *model;
    struct jit *jit;
    const struct program *program;
    struct program_memory memory;
};

static struct model *read_model(struct arena *arena, const char *path) {
    struct error error = {""};
    struct model *model = model_read(arena, path, &error);
    if (!model) fail_msg("%s", error.text);
    return model;
}

/* The model in the process, with initial values. Statistics are moved away from 0 and 1, so that
 * they show in predictions. */
static void set_up(struct fixture *f, const char *path, long batch, bool moved) {
    struct error error = {""};
    arena_init(&f->arena);
    if (setjmp(f->arena.exhausted)) fail_msg("out of memory");
    f->model = read_model(&f->arena, path);
    struct jit_options options = {
        .backend = BACKEND_TCC,
        .compile = {.target = target_native(),
                    .batch = batch,
                    .training = true,
                    .evaluation = true,
                    .prediction = true},
    };
    f->jit = jit_new(f->model, &options, &error);
    if (!f->jit) fail_msg("%s", error.text);
    f->program = jit_program(f->jit);
    if (!program_memory_new(f->program, &f->memory, &error)) fail_msg("%s", error.text);
    program_initialize(f->program, SEED, f->memory.space);
    for (long i = 0; moved && i < f->program->space_size[PROGRAM_STATE]; i++)
        f->memory.space[PROGRAM_STATE][i] += 0.5f * emit_value((unsigned long)i);
}

static void tear_down(struct fixture *f) {
    program_memory_free(&f->memory);
    jit_free(f->jit);
    arena_free(&f->arena);
}

static const struct standalone *emit(struct fixture *f, enum mode mode, long batch,
                                     const char *target, const float *const *weights) {
    struct error error = {""};
    struct compile_options options = {.target = target_find(target), .batch = batch};
    const struct standalone *standalone =
        compile_standalone(&f->arena, f->model, mode, &options, weights, &error);
    if (!standalone) fail_msg("%s", error.text);
    return standalone;
}

static void write_text(const char *name, const char *suffix, const char *text) {
    char path[160];
    snprintf(path, sizeof path, "%s/%s%s", folder, name, suffix);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void write_standalone(const char *name, const struct standalone *standalone) {
    write_text(name, ".h", standalone->header);
    write_text(name, ".c", standalone->source);
}

/* ---- compilers ---- */

#define STRICT "-std=c99 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror "
static const char *const compilers[] = {
    "gcc " STRICT "-O2",
    "gcc " STRICT "-O0",
    "clang " STRICT "-O2",
    "clang " STRICT "-O0",
    "gcc " STRICT "-O3 -ffast-math",
    "tcc -std=c99 -Wall -Werror",
};
enum { COMPILERS = sizeof compilers / sizeof compilers[0] };

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

/* Builds the program with one compiler, runs it and reads the numbers that it prints. */
static int run_emitted(const char *compiler, const char *program, const char *name,
                       const char *options, double *numbers) {
    char command[1024];
    int count = 0;
    snprintf(command, sizeof command,
             "%s -I%s -Itests/emit -DNAME=%s -DUPPER=%s %s -include %s/%s.h tests/emit/%s "
             "%s/%s.c -o %s/program -lm",
             compiler, folder, name, upper(name), options, folder, name, program, folder, name,
             folder);
    run_command(command);
    snprintf(command, sizeof command, "%s/program", folder);
    FILE *output = popen(command, "r");
    assert_non_null(output);
    while (count < MOST_NUMBERS && fscanf(output, "%lf", &numbers[count]) == 1) count++;
    int status = pclose(output);
    if (status != 0) fail_msg("%s built by %s ended with status %d", name, compiler, status);
    return count;
}

static void compare(const char *compiler, const char *name, const double *numbers, int count,
                    const double *expected, int expected_count) {
    if (count != expected_count)
        fail_msg("%s built by %s printed %d numbers instead of %d", name, compiler, count,
                 expected_count);
    for (int i = 0; i < count; i++)
        if (!(fabs(numbers[i] - expected[i]) <= 1e-5 * fmax(1.0, fabs(expected[i]))))
            fail_msg("%s built by %s: number %d is %.9g, in the process %.9g", name, compiler, i,
                     numbers[i], expected[i]);
}

/* ---- training ---- */

struct training_case {
    const char *path, *name;
    bool all_compilers;
};

static void fill_memory(struct fixture *f, unsigned long step, long samples) {
    const struct program *p = f->program;
    long classes = p->sparse_labels ? p->output_size : p->label_size == 1 ? 2 : 0;
    memset(f->memory.samples, 0, sizeof(float) * (size_t)(p->rows * p->sample_size));
    memset(f->memory.labels, 0, sizeof(float) * (size_t)(p->rows * p->label_size));
    emit_fill(step, f->memory.samples, samples * p->sample_size, f->memory.labels,
              samples * p->label_size, classes);
}

/* What tests/emit/train.c prints. */
static int train_in_process(struct fixture *f, double *expected) {
    const struct program *p = f->program;
    struct program_call call = program_memory_call(&f->memory, pool_parallel, NULL);
    int count = 0;
    for (long step = 0; step <= STEPS; step++) {
        bool is_evaluation = step == STEPS;
        long samples = p->batch - (step == 2);
        fill_memory(f, is_evaluation ? 100 : (unsigned long)step, samples);
        call.scalars[0] = optimizer_learning_rate(&f->model->training.optimizer, step);
        call.scalars[1] = (double)(step + 1);
        call.scalars[2] = (double)samples;
        call.scalars[3] = SEED;
        (is_evaluation ? p->evaluate : p->train)(&call);
        expected[count++] = call.results[0];
        expected[count++] = p->has_accuracy ? call.results[1] : 0.0;
    }
    p->predict(&call);
    for (long i = 0; i < p->batch * p->output_size; i++)
        expected[count++] = f->memory.predictions[i];
    for (int i = 0; i < p->variable_count; i++) {
        const struct program_variable *v = &p->variables[i];
        double sum = 0.0;
        for (long k = 0; k < v->elements; k++) sum += f->memory.space[v->space][v->offset + k];
        expected[count++] = sum;
    }
    return count;
}

static void training_agrees(void **state) {
    static double expected[MOST_NUMBERS], numbers[MOST_NUMBERS];
    const struct training_case *test = *state;
    struct fixture f = {0};
    set_up(&f, test->path, 0, false);
    write_standalone(test->name, emit(&f, MODE_TRAINING, 0, "generic", NULL));
    int expected_count = train_in_process(&f, expected);
    const char *options = f.program->has_accuracy ? "-DACCURACY" : "";
    for (int i = 0; i < (test->all_compilers ? COMPILERS : 1); i++) {
        int count = run_emitted(compilers[i], "train.c", test->name, options, numbers);
        compare(compilers[i], test->name, numbers, count, expected, expected_count);
    }
    tear_down(&f);
}

/* ---- inference ---- */

struct inference_case {
    const char *path, *name, *target;
    long batch;
    bool all_compilers;
};

static int predict_in_process(struct fixture *f, double *expected) {
    const struct program *p = f->program;
    struct program_call call = program_memory_call(&f->memory, pool_parallel, NULL);
    int count = 0;
    for (unsigned long step = 0; step < 3; step++) {
        memset(f->memory.samples, 0, sizeof(float) * (size_t)(p->rows * p->sample_size));
        emit_fill(step, f->memory.samples, p->batch * p->sample_size, NULL, 0, 0);
        p->predict(&call);
        for (long i = 0; i < p->batch * p->output_size; i++)
            expected[count++] = f->memory.predictions[i];
    }
    return count;
}

static void inference_agrees(void **state) {
    static double expected[MOST_NUMBERS], numbers[MOST_NUMBERS];
    const struct inference_case *test = *state;
    struct fixture f = {0};
    set_up(&f, test->path, test->batch, true);
    const float *const weights[] = {f.memory.space[0], f.memory.space[1], f.memory.space[2]};
    write_standalone(test->name, emit(&f, MODE_PREDICTION, test->batch, test->target, weights));
    int expected_count = predict_in_process(&f, expected);
    for (int i = 0; i < (test->all_compilers ? COMPILERS : 1); i++) {
        int count = run_emitted(compilers[i], "predict.c", test->name, "", numbers);
        compare(compilers[i], test->name, numbers, count, expected, expected_count);
    }
    tear_down(&f);
}

/* ---- symbols ---- */

static bool is_mathematics(const char *symbol) {
    static const char *const known[] = {"memcpy",  "memset",
                                        "memmove", "exp",
                                        "log",     "sqrt",
                                        "tanh",    "erf",
                                        "sin",     "cos",
                                        "pow",     "floor",
                                        "fabs",    "expf",
                                        "logf",    "sqrtf",
                                        "sinf",    "cosf",
                                        "powf",    "floorf",
                                        "fabsf",   "_GLOBAL_OFFSET_TABLE_"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(symbol, known[i]) == 0) return true;
    return false;
}

static void check_symbols(const char *name, const char *compiler) {
    char command[512], line[256], prefix[64];
    int functions = 0;
    snprintf(prefix, sizeof prefix, "%s_", name);
    snprintf(command, sizeof command, "%s -c %s/%s.c -o %s/%s.o", compiler, folder, name, folder,
             name);
    run_command(command);
    snprintf(command, sizeof command, "nm -P %s/%s.o", folder, name);
    FILE *output = popen(command, "r");
    assert_non_null(output);
    while (fgets(line, sizeof line, output)) {
        char symbol[128], kind;
        assert_int_equal(sscanf(line, "%127s %c", symbol, &kind), 2);
        if (strchr("bBdDC", kind)) fail_msg("%s, %s: %s can change", name, compiler, symbol);
        if (kind == 'U' && !is_mathematics(symbol))
            fail_msg("%s, %s: needs %s", name, compiler, symbol);
        if (kind == 'U' || !isupper((unsigned char)kind)) continue;
        if (strncmp(symbol, prefix, strlen(prefix)) != 0)
            fail_msg("%s, %s: %s is global", name, compiler, symbol);
        functions += kind == 'T';
    }
    assert_int_equal(pclose(output), 0);
    assert_true(functions >= 1);
}

static void symbols_are_its_own(void **state) {
    (void)state;
    struct fixture f = {0};
    set_up(&f, "tests/emit/emit_images.lua", 0, true);
    const float *const weights[] = {f.memory.space[0], f.memory.space[1], f.memory.space[2]};
    write_standalone("emit_images", emit(&f, MODE_TRAINING, 0, "generic", NULL));
    check_symbols("emit_images", "gcc -std=c99 -O0");
    check_symbols("emit_images", "gcc -std=c99 -O2");
    check_symbols("emit_images", "clang -std=c99 -O2");
    write_standalone("emit_images", emit(&f, MODE_PREDICTION, 0, "generic", weights));
    check_symbols("emit_images", "gcc -std=c99 -O0");
    tear_down(&f);
}

static void two_models_link(void **state) {
    (void)state;
    static const char program[] = "#include \"emit_dense.h\"\n"
                                  "#include \"emit_images.h\"\n"
                                  "int main(void) {\n"
                                  "    return emit_dense_parameter_size(0) != 13 * 17 ||\n"
                                  "           emit_images_parameter_size(0) != 9 * 2 * 5;\n"
                                  "}\n";
    char command[512];
    struct fixture f = {0};
    set_up(&f, "tests/emit/emit_dense.lua", 0, false);
    write_standalone("emit_dense", emit(&f, MODE_TRAINING, 0, "generic", NULL));
    f.model = read_model(&f.arena, "tests/emit/emit_images.lua");
    write_standalone("emit_images", emit(&f, MODE_TRAINING, 0, "generic", NULL));
    write_text("two", ".c", program);
    snprintf(command, sizeof command,
             "cd %s && gcc " STRICT "two.c emit_dense.c emit_images.c -o two -lm && ./two", folder);
    run_command(command);
    tear_down(&f);
}

/* ---- weights, bytes ---- */

static void training_goes_on_from_weights(void **state) {
    (void)state;
    struct fixture f = {0};
    double with[MOST_NUMBERS], without[MOST_NUMBERS];
    set_up(&f, "tests/emit/emit_branches.lua", 0, false);
    const float *const weights[] = {f.memory.space[0], f.memory.space[1], f.memory.space[2]};
    write_standalone("emit_branches", emit(&f, MODE_TRAINING, 0, "generic", weights));
    int count = run_emitted(compilers[0], "train.c", "emit_branches", "-DACCURACY", with);
    write_standalone("emit_branches", emit(&f, MODE_TRAINING, 0, "generic", NULL));
    assert_int_equal(run_emitted(compilers[0], "train.c", "emit_branches", "-DACCURACY", without),
                     count);
    for (int i = 0; i < count; i++) assert_true(with[i] == without[i]);
    tear_down(&f);
}

static void refuses_infinite_weights(void **state) {
    (void)state;
    struct fixture f = {0};
    struct error error = {""};
    set_up(&f, "tests/emit/emit_dense.lua", 0, false);
    const float *const weights[] = {f.memory.space[0], f.memory.space[1], f.memory.space[2]};
    const struct compile_options options = {.target = target_find("generic")};
    f.memory.space[0][13 * 17 + 2] = INFINITY;
    assert_null(compile_standalone(&f.arena, f.model, MODE_PREDICTION, &options, weights, &error));
    assert_string_equal(error.text,
                        "the weights \"dense/bias\" hold a number that is not finite; a "
                        "model like that cannot be emitted");
    tear_down(&f);
}

static void same_model_same_bytes(void **state) {
    (void)state;
    struct fixture f = {0};
    set_up(&f, "tests/emit/emit_images.lua", 0, false);
    const struct standalone *first = emit(&f, MODE_TRAINING, 0, "generic", NULL);
    f.model = read_model(&f.arena, "tests/emit/emit_images.lua");
    const struct standalone *second = emit(&f, MODE_TRAINING, 0, "generic", NULL);
    assert_string_equal(first->header, second->header);
    assert_string_equal(first->source, second->source);
    tear_down(&f);
}

/* ---- generated/ ---- */

static char *read_text(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) fail_msg("%s cannot be read", path);
    size_t size = 0, capacity = 1 << 20;
    char *text = malloc(capacity);
    assert_non_null(text);
    size = fread(text, 1, capacity - 1, file);
    text[size] = '\0';
    fclose(file);
    return text;
}

static void check_generated(const char *name, const char *suffix, const char *expected) {
    char path[128];
    snprintf(path, sizeof path, "generated/%s%s", name, suffix);
    if (getenv("LATHE_UPDATE")) {
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        fputs(expected, file);
        assert_int_equal(fclose(file), 0);
    }
    char *text = read_text(path);
    size_t i = 0, line = 1;
    while (text[i] && text[i] == expected[i]) line += text[i++] == '\n';
    bool equal = text[i] == expected[i];
    free(text);
    if (!equal)
        fail_msg("%s:%zu is not what is emitted now; if the change is meant, run "
                 "LATHE_UPDATE=1 build/tests/test_emit",
                 path, line);
}

static void generated_files_are_up_to_date(void **state) {
    (void)state;
    struct fixture f = {0};
    struct error error = {""};
    set_up(&f, "models/fashion_tiny.lua", 1, false);
    if (!weights_load("generated/fashion_tiny.safetensors", f.program, f.memory.space, &error))
        fail_msg("%s", error.text);
    const float *const weights[] = {f.memory.space[0], f.memory.space[1], f.memory.space[2]};
    const struct standalone *tiny = emit(&f, MODE_PREDICTION, 1, "generic", weights);
    check_generated("fashion_tiny", ".h", tiny->header);
    check_generated("fashion_tiny", ".c", tiny->source);
    f.model = read_model(&f.arena, "models/fashion_micro.lua");
    const struct standalone *micro = emit(&f, MODE_TRAINING, 0, "generic", NULL);
    check_generated("fashion_micro", ".h", micro->header);
    check_generated("fashion_micro", ".c", micro->source);
    tear_down(&f);
}

/* ---- */

static int start(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/test_emit-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int finish(void **state) {
    (void)state;
    char command[96];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static struct training_case trainings[] = {
    {"tests/emit/emit_dense.lua", "emit_dense", true},
    {"tests/emit/emit_images.lua", "emit_images", true},
    {"tests/emit/emit_branches.lua", "emit_branches", true},
    {"tests/emit/emit_regression.lua", "emit_regression", true},
    {"tests/emit/emit_adagrad.lua", "emit_adagrad", true},
    {"tests/emit/emit_adadelta.lua", "emit_adadelta", true},
    {"models/mnist_mlp.lua", "mnist_mlp", false},
};

static struct inference_case inferences[] = {
    {"tests/emit/emit_dense.lua", "emit_dense", "generic", 1, true},
    {"tests/emit/emit_images.lua", "emit_images", "generic", 1, true},
    {"tests/emit/emit_images.lua", "emit_images", "generic", 6, true},
    {"tests/emit/emit_images.lua", "emit_images", "x86-64-v4", 3, true},
    {"tests/emit/emit_branches.lua", "emit_branches", "generic", 1, true},
    {"tests/emit/emit_regression.lua", "emit_regression", "x86-64-v3", 2, true},
    {"tests/emit/emit_wide.lua", "emit_wide", "generic", 1, true},
    {"tests/emit/emit_wide.lua", "emit_wide", "x86-64-v4", 3, true},
    {"models/cnn_small.lua", "cnn_small", "generic", 1, false},
    {"models/branches.lua", "branches", "generic", 1, false},
};

int main(void) {
    enum {
        TRAININGS = sizeof trainings / sizeof trainings[0],
        INFERENCES = sizeof inferences / sizeof inferences[0]
    };
    static struct CMUnitTest tests[TRAININGS + INFERENCES + 8];
    static char names[TRAININGS + INFERENCES][64];
    size_t count = 0;
    for (size_t i = 0; i < TRAININGS; i++, count++) {
        snprintf(names[count], sizeof names[count], "training of %s agrees", trainings[i].name);
        tests[count] =
            (struct CMUnitTest){names[count], training_agrees, NULL, NULL, &trainings[i]};
    }
    for (size_t i = 0; i < INFERENCES; i++, count++) {
        snprintf(names[count], sizeof names[count], "predictions of %s agree, batch %ld, %s",
                 inferences[i].name, inferences[i].batch, inferences[i].target);
        tests[count] =
            (struct CMUnitTest){names[count], inference_agrees, NULL, NULL, &inferences[i]};
    }
    const struct CMUnitTest others[] = {
        cmocka_unit_test(symbols_are_its_own),
        cmocka_unit_test(two_models_link),
        cmocka_unit_test(training_goes_on_from_weights),
        cmocka_unit_test(refuses_infinite_weights),
        cmocka_unit_test(same_model_same_bytes),
        cmocka_unit_test(generated_files_are_up_to_date),
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) tests[count++] = others[i];
    return _cmocka_run_group_tests("emit", tests, count, start, finish);
}
