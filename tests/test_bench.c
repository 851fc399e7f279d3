/* test_bench.c: `lathe bench`: all ways to run a model compute the same, and what is printed is
 * what was asked for. */
#include "compiler/commands/bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>
#include <cjson/cJSON.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char model_text[] =
    "return model 'small' { input { 12, 12, 2 },"
    "  conv2d { 5, kernel_size = 3, padding = 'same', activation = 'relu' }, batch_norm {},"
    "  max_pool2d { 2 }, conv2d { 6, kernel_size = 3 }, flatten {},"
    "  dense { 20, activation = 'relu' }, dropout { 0.3 }, dense { 10, activation = 'softmax' },"
    "  training = { loss = 'sparse_categorical_crossentropy', optimizer = sgd { 0.1, momentum = "
    "0.9 "
    "}, batch_size = 20, epochs = 1 } }";
static char folder[64], path[80];

static int start(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/test_bench-XXXXXX");
    if (!mkdtemp(folder)) return -1;
    setenv("LATHE_CACHE", folder, 1);
    snprintf(path, sizeof path, "%s/small.lua", folder);
    FILE *file = fopen(path, "w");
    if (!file) return -1;
    fputs(model_text, file);
    return fclose(file);
}

static int finish(void **state) {
    (void)state;
    char command[96];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

/* --- the variants --- */

static void open_bench(struct bench *bench, struct arena *arena, enum mode mode, int threads) {
    struct error error = {""};
    memset(bench, 0, sizeof *bench);
    bench->arena = arena;
    bench->model = model_read(arena, path, &error);
    assert_string_equal(error.text, "");
    bench->mode = mode;
    bench->batch = 20; /* no multiple of the vectors */
    bench->threads = threads;
    bench->seconds = 0.1;
    bench->pool = threads > 1 ? pool_new(threads, &error) : NULL;
}

static void open_variant(struct variant *v, const struct bench *bench, enum variant_kind kind,
                         const struct program *like) {
    struct error error = {""};
    bool opened = false;
    if (kind == VARIANT_CC || kind == VARIANT_TCC) {
        const struct backend_options options = {
            .backend = kind == VARIANT_CC ? BACKEND_CC : BACKEND_TCC, .cc = -1};
        const struct compile_options compile = {.batch = bench->batch,
                                                .training = bench->mode == MODE_TRAINING,
                                                .prediction = bench->mode == MODE_PREDICTION};
        struct jit *jit = command_jit(bench->model, &options, compile, &error);
        opened = jit && variant_open_jit(v, bench, kind, jit, &error);
    } else {
        opened = variant_open_generic(v, bench, kind, like, &error);
    }
    assert_string_equal(error.text, "");
    assert_true(opened);
}

static void check_mode(enum mode mode, int threads) {
    struct arena arena;
    struct bench bench;
    struct variant v[VARIANTS];
    struct error error = {""};
    arena_init(&arena);
    if (setjmp(arena.exhausted)) fail_msg("out of memory");
    open_bench(&bench, &arena, mode, threads);
    for (int kind = 0; kind < VARIANTS; kind++) {
        open_variant(&v[kind], &bench, (enum variant_kind)kind, v[0].program);
        variant_check(&v[kind], &bench);
        assert_true(isfinite(v[kind].check_loss) && v[kind].check_loss > 0);
        double difference = fabs(v[kind].check_loss - v[0].check_loss);
        if (difference > 1e-5 * v[0].check_loss)
            fail_msg("%s: %.9g, cc: %.9g", variant_names[kind], v[kind].check_loss,
                     v[0].check_loss);
    }
    assert_true(variants_time(v, VARIANTS, &bench, &error));
    if (!variants_profile(v, VARIANTS, &bench, &error)) fail_msg("%s", error.text);
    for (int kind = 0; kind < VARIANTS; kind++) {
        assert_true(v[kind].step_count >= 2);
        assert_true(v[kind].ms.p10 > 0 && v[kind].ms.p10 <= v[kind].ms.median &&
                    v[kind].ms.median <= v[kind].ms.p90);
        double sum = 0;
        for (int i = 0; i <= bench.model->layer_count; i++) sum += v[kind].rows[i].ms.median;
        /* The parts are the whole, but for noise. */
        assert_true(sum > 0.1 * v[kind].ms.p10 && sum < 10 * v[kind].ms.p90);
        for (int i = 0; i < bench.model->layer_count; i++)
            if (strcmp(bench.model->layers[i]->type->name, "conv2d") == 0)
                assert_true(v[kind].rows[i].ms.median > 0);
        variant_close(&v[kind]);
    }
    pool_free(bench.pool);
    arena_free(&arena);
}

static void variants_agree_in_training(void **state) {
    (void)state;
    check_mode(MODE_TRAINING, 1);
}

static void variants_agree_in_inference(void **state) {
    (void)state;
    check_mode(MODE_PREDICTION, 1);
}

static void variants_agree_on_two_threads(void **state) {
    (void)state;
    check_mode(MODE_TRAINING, 2);
}

/* --- the command --- */

/* Runs the command with its output in a file; returns the output. */
static char *run_bench(int expected_status, const char *const *arguments) {
    static char output[1 << 16];
    char *argv[16] = {path}, name[96];
    int argc = 1;
    for (; arguments[argc - 1]; argc++) argv[argc] = (char *)(size_t)arguments[argc - 1];
    snprintf(name, sizeof name, "%s/output", folder);
    fflush(stdout);
    fflush(stderr);
    int saved[2] = {dup(1), dup(2)}, file = open(name, O_CREAT | O_TRUNC | O_RDWR, 0600);
    dup2(file, 1);
    dup2(file, 2);
    int status = command_bench(argc, argv);
    fflush(stdout);
    fflush(stderr);
    dup2(saved[0], 1);
    dup2(saved[1], 2);
    close(saved[0]);
    close(saved[1]);
    ssize_t length = pread(file, output, sizeof output - 1, 0);
    close(file);
    assert_true(length >= 0);
    output[length] = '\0';
    if (status != expected_status) fail_msg("exit status %d: %s", status, output);
    return output;
}

static double number_at(const cJSON *json, const char *object, const char *name) {
    if (object) json = cJSON_GetObjectItem(json, object);
    const cJSON *item = cJSON_GetObjectItem(json, name);
    assert_true(cJSON_IsNumber(item));
    return item->valuedouble;
}

static void prints_json_for_each(void **state) {
    (void)state;
    const char *const arguments[] = {"--json", "--seconds", "1", "--batch",
                                     "8",      "--threads", "2", NULL};
    char *rest, *output = run_bench(STATUS_OK, arguments);
    int count = 0;
    for (char *text = strtok_r(output, "\n", &rest); text; text = strtok_r(NULL, "\n", &rest)) {
        cJSON *json = cJSON_Parse(text);
        assert_non_null(json);
        assert_true(count < VARIANTS);
        assert_string_equal(cJSON_GetObjectItem(json, "backend")->valuestring,
                            variant_names[count++]);
        assert_string_equal(cJSON_GetObjectItem(json, "mode")->valuestring, "training");
        assert_true(number_at(json, NULL, "batch") == 8);
        assert_true(number_at(json, NULL, "threads") == 2);
        double median = number_at(json, "step_ms", "median");
        assert_true(number_at(json, "step_ms", "p10") <= median && median > 0);
        assert_true(number_at(json, "step_ms", "p90") >= median);
        assert_true(number_at(json, "layer_ms", "conv2d") > 0);
        cJSON_Delete(json);
    }
    assert_int_equal(count, VARIANTS);
}

static void prints_tables(void **state) {
    (void)state;
    char *output = run_bench(STATUS_OK, (const char *const[]){"--backend", "tcc", "--mode",
                                                              "inference", "--seconds", "1", NULL});
    assert_non_null(strstr(output, "model \"small\""));
    assert_non_null(strstr(output, "inference, batch 20, 1 thread, random data"));
    assert_non_null(strstr(output, "\ntcc       libtcc"));
    assert_non_null(strstr(output, "\nconv2d_1 "));
    assert_null(strstr(output, "naive"));
}

static void refuses_what_it_does_not_know(void **state) {
    (void)state;
    assert_non_null(
        strstr(run_bench(STATUS_BAD_INPUT, (const char *const[]){"--backend", "fast", NULL}),
               "lathe bench: --backend"));
    assert_non_null(
        strstr(run_bench(STATUS_BAD_INPUT, (const char *const[]){"--target", "pdp-11", NULL}),
               "unknown target \"pdp-11\"; there are: "));
    char *saved = strdup(getenv("PATH"));
    setenv("PATH", folder, 1);
    assert_non_null(
        strstr(run_bench(STATUS_BAD_INPUT, (const char *const[]){"--backend", "cc", NULL}),
               "there is no C compiler in PATH"));
    assert_non_null(strstr(run_bench(STATUS_OK, (const char *const[]){"--seconds", "1", NULL}),
                           "\nno cc: there is no C compiler in PATH"));
    setenv("PATH", saved, 1);
    free(saved);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variants_agree_in_training),
        cmocka_unit_test(variants_agree_in_inference),
        cmocka_unit_test(variants_agree_on_two_threads),
        cmocka_unit_test(prints_json_for_each),
        cmocka_unit_test(prints_tables),
        cmocka_unit_test(refuses_what_it_does_not_know),
    };
    return cmocka_run_group_tests(tests, start, finish);
}
