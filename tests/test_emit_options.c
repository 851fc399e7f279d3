/* test_emit_options.c: what `lathe emit` can be asked for: every option gives the model that the
 * process runs; the program around it; what frozen layers cost. */
#include "tests/emit_training.h"

/* ---- options, and what the process gives ---- */

struct variant {
    const char *title, *path, *name;
    long batch;
    const char *flags;   /* for tests/emit/train.c or predict.c */
    const char *command; /* of the compiler */
    bool has_weights;
    struct compile_options options;
};
#define GCC "gcc " STRICT "-O2"
#define CLANG "clang " STRICT "-O1"
#define TCC "tcc -std=c99 -Wall -Werror"

#define IMAGES "tests/emit/emit_images.lua", "emit_images"
#define DENSE "tests/emit/emit_dense.lua", "emit_dense"
#define BRANCHES "tests/emit/emit_branches.lua", "emit_branches"
#define REGRESSION "tests/emit/emit_regression.lua", "emit_regression"
#define WIDE "tests/emit/emit_wide.lua", "emit_wide"
#define UPDATES "tests/emit/emit_updates.lua", "emit_updates"
#define FROZEN "tests/emit/emit_frozen.lua", "emit_frozen"
#define PIXELS "tests/emit/emit_pixels.lua", "emit_pixels"
#define IMAGE_OUTPUT "tests/emit/emit_image_output.lua", "emit_image_output"

static void note(const struct variant *v) {
    if (!getenv("VERBOSE")) return;
    fprintf(stderr, "%s: %s\n", v->name, v->title);
}

/* Flags with %s for the folder; the object of linked weights is made first. */
static const char *flags_of(const struct variant *v, const struct standalone *standalone) {
    static char flags[512];
    char command[512];
    int length = snprintf(flags, sizeof flags, "%s", v->flags);
    if (standalone->assembly) {
        snprintf(command, sizeof command, "cd %s && gcc -c %s_weights.S -o weights.o", folder,
                 v->name);
        run_command(command);
        snprintf(flags + length, sizeof flags - (size_t)length, " %s/weights.o", folder);
    } else if (standalone->weights) {
        snprintf(flags + length, sizeof flags - (size_t)length, " -DWEIGHTS='\"%s/%s.weights\"'",
                 folder, v->name);
    }
    return flags;
}

static struct compile_options options_of(const struct variant *v) {
    struct compile_options options = v->options;
    if (!options.target) options.target = target_find("generic");
    options.batch = v->batch;
    return options;
}

static void training_variant_agrees(void **state) {
    static double expected[MOST_NUMBERS], numbers[MOST_NUMBERS];
    const struct variant *v = *state;
    const struct toolchain toolchain = {v->title, v->command, ""};
    struct compile_options options = options_of(v);
    struct fixture f = {0};
    note(v);
    set_up(&f, v->path, v->batch, false);
    const float *const weights[] = {f.memory.space[0], f.memory.space[1], f.memory.space[2]};
    const struct standalone *standalone =
        emit_with(&f, MODE_TRAINING, &options, v->has_weights ? weights : NULL);
    write_standalone(v->name, standalone);
    int expected_count = train_in_process(&f, USUAL_STEPS, 1.0, expected);
    int count = run_emitted(&toolchain, "train.c", v->name, flags_of(v, standalone), numbers);
    compare(&toolchain, v->name, numbers, count, expected, expected_count);
    tear_down(&f);
}

/* Other widths of vectors have other tails, panels and tiles. */
static void updates_agree_on_all_targets(void **state) {
    (void)state;
    for (const struct target *const *target = targets(); *target; target++)
        for (long batch = 0; batch <= 2; batch += 2) {
            struct variant v = {(*target)->name,    UPDATES, batch, "-DACCURACY", GCC, false,
                                {.target = *target}};
            void *variant = &v;
            training_variant_agrees(&variant);
        }
}

/* A call that may set errno keeps its loop scalar: steps of small models took eight times as long.
 */
static void roots_are_no_calls(void **state) {
    static const char *const compilers[] = {GCC, CLANG, "gcc " STRICT "-O3"};
    struct fixture f = {0};
    char command[512];
    (void)state;
    set_up(&f, "tests/emit/emit_dense.lua", 0, false);
    write_standalone("emit_dense", emit(&f, MODE_TRAINING, 0, "generic", NULL));
    for (size_t i = 0; i < sizeof compilers / sizeof *compilers; i++) {
        snprintf(command, sizeof command,
                 "cd %s && %s -c emit_dense.c -o roots.o && ! nm -u roots.o | grep sqrtf", folder,
                 compilers[i]);
        run_command(command);
    }
    tear_down(&f);
}

static void inference_variant_agrees(void **state) {
    static double expected[MOST_NUMBERS], numbers[MOST_NUMBERS];
    const struct variant *v = *state;
    const struct toolchain toolchain = {v->title, v->command, ""};
    struct compile_options options = options_of(v);
    struct fixture f = {0};
    note(v);
    set_up(&f, v->path, v->batch, v->has_weights);
    const float *const weights[] = {f.memory.space[0], f.memory.space[1], f.memory.space[2]};
    const struct standalone *standalone =
        emit_with(&f, MODE_PREDICTION, &options, v->has_weights ? weights : NULL);
    write_standalone(v->name, standalone);
    int expected_count = predict_in_process(&f, expected);
    int count = run_emitted(&toolchain, "predict.c", v->name, flags_of(v, standalone), numbers);
    compare(&toolchain, v->name, numbers, count, expected, expected_count);
    tear_down(&f);
}

static struct variant trainings[] = {
    {"double", DENSE, 0, "-DACCURACY -DNUMBER=double", GCC, false, {.use_double = true}},
    /* With AVX-512 GCC 12 writes addresses here that it takes for null ones. */
    {"every optimization",
     PIXELS,
     0,
     "-DNUMBER=double",
     GCC " -O3 -march=native",
     false,
     {.use_double = true}},
    {"no libm", IMAGES, 0, "-DACCURACY", GCC, false, {.own_mathematics = true}},
    {"no libm", REGRESSION, 0, "", TCC, false, {.own_mathematics = true}},
    {"no libm, double",
     BRANCHES,
     0,
     "-DACCURACY -DNUMBER=double",
     CLANG,
     false,
     {.own_mathematics = true, .use_double = true}},
    {"threads", IMAGES, 0, "-DACCURACY -DTHREADS", GCC, false, {.form = {.threads = true}}},
    {"channels first",
     IMAGES,
     0,
     "-DACCURACY -DCHANNELS_FIRST",
     GCC,
     false,
     {.form = {.channels_first = true}}},
    {"channels first, image output",
     IMAGE_OUTPUT,
     0,
     "-DCHANNELS_FIRST -DOUTPUT_CHANNELS=2",
     GCC,
     false,
     {.form = {.channels_first = true}}},
    {"small code", IMAGES, 0, "-DACCURACY", GCC, false, {.form = {.small_code = true}}},
    {"small code", BRANCHES, 0, "-DACCURACY", TCC, false, {.form = {.small_code = true}}},
    {"micro-batches", DENSE, 6, "-DACCURACY", GCC, false, {.form = {.micro_batches = 3}}},
    {"micro-batches of images", WIDE, 6, "-DACCURACY", GCC, false, {.form = {.micro_batches = 2}}},
    {"micro-batches of frozen layers",
     FROZEN,
     0,
     "-DACCURACY",
     GCC,
     false,
     {.form = {.micro_batches = 3}}},
    {"micro-batches of everything",
     IMAGE_OUTPUT,
     6,
     "-DTHREADS -DNUMBER=double -DCHANNELS_FIRST -DOUTPUT_CHANNELS=2",
     TCC,
     false,
     {.use_double = true,
      .form = {.micro_batches = 3, .threads = true, .channels_first = true, .small_code = true}}},
    {"updates by rows", UPDATES, 0, "-DACCURACY", GCC, false, {.form = {0}}},
    {"updates by rows, two samples", UPDATES, 2, "-DACCURACY", CLANG, false, {.form = {0}}},
    {"updates by rows, small code",
     UPDATES,
     5,
     "-DACCURACY",
     TCC,
     false,
     {.form = {.small_code = true}}},
    {"updates, threads",
     UPDATES,
     0,
     "-DACCURACY -DTHREADS",
     GCC,
     false,
     {.form = {.threads = true}}},
    {"a file of weights",
     BRANCHES,
     0,
     "-DACCURACY",
     GCC,
     true,
     {.form = {.weights_form = WEIGHTS_FILE}}},
    {"linked weights",
     BRANCHES,
     0,
     "-DACCURACY",
     GCC,
     true,
     {.form = {.weights_form = WEIGHTS_LINKED}}},
};

static struct variant inferences[] = {
    {"a file of weights", IMAGES, 1, "", TCC, true, {.form = {.weights_form = WEIGHTS_FILE}}},
    {"a file of weights in double",
     IMAGES,
     2,
     "-DNUMBER=double",
     GCC,
     true,
     {.use_double = true, .form = {.weights_form = WEIGHTS_FILE}}},
    {"linked weights", IMAGES, 1, "", GCC, true, {.form = {.weights_form = WEIGHTS_LINKED}}},
    {"weights from a seed", DENSE, 2, "-DINIT", GCC, false, {.own_mathematics = true}},
    {"prepared, a file of weights, threads",
     WIDE,
     1,
     "-DTHREADS",
     GCC,
     true,
     {.form = {.weights_form = WEIGHTS_FILE, .threads = true}}},
    {"channels first",
     IMAGES,
     3,
     "-DCHANNELS_FIRST",
     CLANG,
     true,
     {.form = {.channels_first = true}}},
    {"channels first, image output",
     IMAGE_OUTPUT,
     1,
     "-DCHANNELS_FIRST -DOUTPUT_CHANNELS=2",
     GCC,
     true,
     {.form = {.channels_first = true}}},
    {"small code", IMAGES, 1, "", GCC, true, {.form = {.small_code = true}}},
    {"small code", WIDE, 1, "", TCC, true, {.form = {.small_code = true}}},
    {"small code of two samples", BRANCHES, 2, "", GCC, true, {.form = {.small_code = true}}},
};

/* ---- targets ---- */

static void every_target_agrees(void **state) {
    (void)state;
    for (const struct target *const *target = targets(); *target; target++) {
        struct variant training = {(*target)->name,    IMAGES, 0, "-DACCURACY", GCC, false,
                                   {.target = *target}};
        struct variant inference = {(*target)->name, IMAGES, 1, "", GCC, true, {.target = *target}};
        void *variant = &training;
        training_variant_agrees(&variant);
        variant = &inference;
        inference_variant_agrees(&variant);
    }
}

static long code_bytes(struct fixture *f, enum mode mode, bool small) {
    const struct compile_options options = {.target = target_find("cortex-m"),
                                            .form = {.small_code = small}};
    char command[256];
    long bytes = 0;
    write_standalone("emit_images", emit_with(f, mode, &options, NULL));
    snprintf(command, sizeof command,
             "cd %s && gcc -std=c99 -Os -c emit_images.c && size -A emit_images.o | awk '$1 ~ "
             "/text/ { n += $2 } END { print n }'",
             folder);
    FILE *output = popen(command, "r");
    assert_non_null(output);
    assert_int_equal(fscanf(output, "%ld", &bytes), 1);
    assert_int_equal(pclose(output), 0);
    return bytes;
}

static void small_code_is_smaller(void **state) {
    (void)state;
    struct fixture f = {0};
    set_up(&f, "tests/emit/emit_images.lua", 0, false);
    for (int i = 0; i < 2; i++) {
        enum mode mode = i ? MODE_TRAINING : MODE_PREDICTION;
        long small = code_bytes(&f, mode, true), fast = code_bytes(&f, mode, false);
        if (small >= fast * (i ? 95 : 80) / 100)
            fail_msg("%ld bytes of small code, %ld of fast", small, fast);
    }
    tear_down(&f);
}

/* ---- denormal numbers ---- */

static void training_counts_denormals_as_zero(void **state) {
#ifdef __SSE__
    static const struct toolchain toolchains[] = {{"gcc", "gcc " STRICT "-O2", ""},
                                                  {"clang", "clang " STRICT "-O2", ""}};
    (void)state;
    for (int threads = 0; threads < 2; threads++)
        for (int pieces = 1; pieces <= 4; pieces += 3) {
            double numbers[MOST_NUMBERS];
            struct fixture f = {0};
            const struct compile_options options = {
                .target = target_find("generic"),
                .form = {.threads = threads, .micro_batches = pieces}};
            set_up(&f, "models/fashion_micro.lua", 0, false);
            write_standalone("fashion_micro", emit_with(&f, MODE_TRAINING, &options, NULL));
            for (int i = 0; i < 2; i++) {
                int count = run_emitted(&toolchains[i], "denormals.c", "fashion_micro",
                                        threads ? "-DTHREADS" : "", numbers);
                assert_int_equal(count, 3);
                assert_true(numbers[0] > 9e-41 && numbers[0] < 1.1e-40);
                assert_true(numbers[1] == 0);
                assert_true(numbers[2] == 1);
            }
            tear_down(&f);
        }
#else
    (void)state;
    skip();
#endif
}

/* ---- frozen layers ---- */

static const char frozen_model[] =
    "return model \"frozen\" {\n"
    "  input { 16, 16, 3 },\n"
    "  conv2d { 16, kernel_size = 3, padding = \"same\", activation = \"relu\", name = \"first\","
    " trainable = %s },\n"
    "  conv2d { 16, kernel_size = 3, padding = \"same\", activation = \"relu\", name = \"second\","
    " trainable = %s },\n"
    "  flatten {},\n"
    "  dense { 10, activation = \"softmax\" },\n"
    "  training = { loss = \"sparse_categorical_crossentropy\", optimizer = adam {}, batch_size = "
    "16 "
    "},\n"
    "}\n";

static const struct compilation *compile_frozen(struct arena *arena, const char *trainable) {
    char text[1024], path[128];
    struct error error = {""};
    const struct compile_options options = {
        .target = target_find("generic"), .dialect = DIALECT_CC, .training = true};
    snprintf(text, sizeof text, frozen_model, trainable, trainable);
    write_text("frozen", ".lua", text);
    snprintf(path, sizeof path, "%s/frozen.lua", folder);
    const struct compilation *compilation =
        compile_model(arena, read_model(arena, path), &options, &error);
    if (!compilation) fail_msg("%s", error.text);
    return compilation;
}

/* How many kernels go backward through the convolutions. */
static int backward_kernels(const struct compilation *compilation) {
    int count = 0;
    for (int i = 0; i < compilation->kernel_count[MODE_TRAINING]; i++) {
        const struct kernel_summary *kernel = &compilation->kernels[MODE_TRAINING][i];
        bool is_backward =
            kernel->part == PART_BACKWARD_DATA || kernel->part == PART_WEIGHT_GRADIENT;
        count += is_backward && kernel->layer &&
                 (!strcmp(kernel->layer, "first") || !strcmp(kernel->layer, "second"));
    }
    return count;
}

/* Two convolutions of 16 x 16 x 16 outputs for 16 samples: with gradients, those of the second
 * one's outputs and the outputs themselves live at the same time. */
static void frozen_layers_cost_no_backward_work(void **state) {
    enum { OUTPUTS = 16 * 16 * 16 * 16 * 4, WEIGHTS = 3 * 3 * 3 * 16 + 16 + 3 * 3 * 16 * 16 + 16 };
    (void)state;
    struct arena arena;
    arena_init(&arena);
    if (setjmp(arena.exhausted)) fail_msg("out of memory");
    const struct compilation *frozen = compile_frozen(&arena, "false");
    const struct compilation *learning = compile_frozen(&arena, "true");
    assert_int_equal(backward_kernels(frozen), 0);
    assert_true(backward_kernels(learning) >= 3);
    const struct program *program = &frozen->program;
    assert_int_equal(learning->program.space_size[SPACE_OPTIMIZER] -
                         program->space_size[SPACE_OPTIMIZER],
                     2 * WEIGHTS);
    assert_int_equal(program->space_size[SPACE_STATE], WEIGHTS);
    assert_true(frozen->memory[MODE_TRAINING].arena_bytes + OUTPUTS / 2 <
                learning->memory[MODE_TRAINING].arena_bytes);
    arena_free(&arena);
}

/* ---- micro-batches ---- */

static void micro_batches_need_less_memory(void **state) {
    (void)state;
    struct fixture f = {0};
    set_up(&f, "models/cnn_small.lua", 4, false);
    struct compile_options options = {.target = target_find("generic"), .batch = 64};
    options.no_winograd = true; /* whose points take as much for a piece as for the whole batch */
    const struct standalone *whole = emit_with(&f, MODE_TRAINING, &options, NULL);
    options.form.micro_batches = 8;
    const struct standalone *pieces = emit_with(&f, MODE_TRAINING, &options, NULL);
    long weights = 4 * f.program->space_size[PROGRAM_TRAINABLE];
    assert_true(pieces->block_bytes - pieces->state_bytes <
                (whole->block_bytes - whole->state_bytes) / 5);
    assert_in_range(pieces->state_bytes - whole->state_bytes, weights - 64, weights + 64);
    options.form.micro_batches = 5;
    struct error error = {""};
    assert_null(compile_standalone(&f.arena, f.model, MODE_TRAINING, &options, NULL, &error));
    assert_string_equal(error.text,
                        "a batch of 64 samples cannot be split into 5 equal micro-batches");
    tear_down(&f);
}

/* ---- */

int main(void) {
    enum {
        TRAININGS = sizeof trainings / sizeof trainings[0],
        INFERENCES = sizeof inferences / sizeof inferences[0]
    };
    static struct CMUnitTest tests[TRAININGS + INFERENCES + 8];
    static char names[TRAININGS + INFERENCES][96];
    size_t count = 0;
    for (size_t i = 0; i < TRAININGS; i++, count++) {
        snprintf(names[count], sizeof names[count], "training of %s, %s", trainings[i].name,
                 trainings[i].title);
        tests[count] =
            (struct CMUnitTest){names[count], training_variant_agrees, NULL, NULL, &trainings[i]};
    }
    for (size_t i = 0; i < INFERENCES; i++, count++) {
        snprintf(names[count], sizeof names[count], "predictions of %s, %s", inferences[i].name,
                 inferences[i].title);
        tests[count] =
            (struct CMUnitTest){names[count], inference_variant_agrees, NULL, NULL, &inferences[i]};
    }
    const struct CMUnitTest others[] = {
        cmocka_unit_test(updates_agree_on_all_targets),
        cmocka_unit_test(roots_are_no_calls),
        cmocka_unit_test(every_target_agrees),
        cmocka_unit_test(small_code_is_smaller),
        cmocka_unit_test(training_counts_denormals_as_zero),
        cmocka_unit_test(frozen_layers_cost_no_backward_work),
        cmocka_unit_test(micro_batches_need_less_memory),
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) tests[count++] = others[i];
    return _cmocka_run_group_tests("emit options", tests, count, start, finish);
}
