/* test_emit.c: standalone C: it builds without a warning under three compilers, gives what the
 * process gives, has no symbols but its own, and the same bytes each time. */
#include "runtime/class_names.h"
#include "tests/emit_training.h"

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
    const struct toolchain *toolchain = &host_toolchains[0];
    double with[MOST_NUMBERS], without[MOST_NUMBERS];
    set_up(&f, "tests/emit/emit_branches.lua", 0, false);
    const float *const weights[] = {f.memory.space[0], f.memory.space[1], f.memory.space[2]};
    write_standalone("emit_branches", emit(&f, MODE_TRAINING, 0, "generic", weights));
    int count = run_emitted(toolchain, "train.c", "emit_branches", "-DACCURACY", with);
    write_standalone("emit_branches", emit(&f, MODE_TRAINING, 0, "generic", NULL));
    assert_int_equal(run_emitted(toolchain, "train.c", "emit_branches", "-DACCURACY", without),
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
    const struct compile_options options = {
        .target = target_find("generic"),
        .batch = 1,
        .form = {.class_names = class_names_known("fashion-mnist").names}};
    const struct standalone *tiny = emit_with(&f, MODE_PREDICTION, &options, weights);
    check_generated("fashion_tiny", ".h", tiny->header);
    check_generated("fashion_tiny", ".c", tiny->source);
    f.model = read_model(&f.arena, "models/fashion_micro.lua");
    const struct standalone *micro = emit(&f, MODE_TRAINING, 0, "generic", NULL);
    check_generated("fashion_micro", ".h", micro->header);
    check_generated("fashion_micro", ".c", micro->source);
    tear_down(&f);
}

/* ---- */

#define FIRST(count) host_toolchains, count
#define USUAL FIRST(USUAL_TOOLCHAINS)

static struct training_case trainings[] = {
    {"tests/emit/emit_dense.lua", "emit_dense", 0, USUAL, false, 0},
    {"tests/emit/emit_images.lua", "emit_images", 0, USUAL, false, 0},
    {"tests/emit/emit_branches.lua", "emit_branches", 0, USUAL, false, 0},
    {"tests/emit/emit_regression.lua", "emit_regression", 0, USUAL, false, 0},
    {"tests/emit/emit_adagrad.lua", "emit_adagrad", 0, USUAL, false, 0},
    {"tests/emit/emit_adadelta.lua", "emit_adadelta", 0, USUAL, false, 0},
    {"models/mnist_mlp.lua", "mnist_mlp", 0, FIRST(1), false, 0},
};

static struct inference_case inferences[] = {
    {"tests/emit/emit_dense.lua", "emit_dense", "generic", 1, USUAL},
    {"tests/emit/emit_images.lua", "emit_images", "generic", 1, USUAL},
    {"tests/emit/emit_images.lua", "emit_images", "generic", 6, USUAL},
    {"tests/emit/emit_images.lua", "emit_images", "x86-64-v4", 3, USUAL},
    {"tests/emit/emit_branches.lua", "emit_branches", "generic", 1, USUAL},
    {"tests/emit/emit_batch_norm.lua", "emit_batch_norm", "generic", 1, FIRST(2)},
    {"tests/emit/emit_batch_norm.lua", "emit_batch_norm", "x86-64-v3", 9, FIRST(1)},
    {"tests/emit/emit_regression.lua", "emit_regression", "x86-64-v3", 2, USUAL},
    {"tests/emit/emit_wide.lua", "emit_wide", "generic", 1, USUAL},
    {"tests/emit/emit_wide.lua", "emit_wide", "x86-64-v4", 3, USUAL},
    {"models/cnn_small.lua", "cnn_small", "generic", 1, FIRST(1)},
    {"models/branches.lua", "branches", "generic", 1, FIRST(1)},
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
