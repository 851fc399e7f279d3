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

/* Each contraction of the step has run and is told apart, though masks and biases are fused. */
static void check_parts(const struct variant *v, const struct bench *bench) {
    static const struct {
        const char *layer;
        bool is_first;
    } layers[] = {{"conv2d", true}, {"conv2d_1", false}, {"dense", false}, {"dense_1", false}};
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        const struct row_times *row = &v->rows[bench_row(bench->model, layers[i].layer)];
        bool trains = bench->mode == MODE_TRAINING;
        assert_true(row->ms.median > 0);
        assert_true(row->part_ms[PART_FORWARD] > 0);
        assert_int_equal(row->part_ms[PART_WEIGHT_GRADIENT] > 0, trains);
        assert_int_equal(row->part_ms[PART_BACKWARD_DATA] > 0, trains && !layers[i].is_first);
    }
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
        check_parts(&v[kind], &bench);
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

static void check_machine(const cJSON *json) {
    const cJSON *machine = cJSON_GetObjectItem(json, "machine");
    double p90 = number_at(machine, "gflops", "p90");
    assert_true(number_at(machine, "gflops", "p10") > 0 && p90 < 1e5);
    const cJSON *streams = cJSON_GetObjectItem(machine, "streams"), *stream;
    assert_int_equal(cJSON_GetArraySize(streams), WORKING_SETS);
    cJSON_ArrayForEach(stream, streams)
        assert_true(number_at(stream, "gigabytes_per_second", "median") > 0);
    /* No step does more operations a second than the machine can, Winograd's fewer ones aside. */
    assert_true(number_at(json, NULL, "gflops") > 0 && number_at(json, NULL, "gflops") < 5 * p90);
}

static void check_share(const cJSON *json) {
    double share = number_at(json, NULL, "share");
    const char *bound = cJSON_GetObjectItem(json, "bound")->valuestring;
    assert_true(share > 0 && share < 100); /* tiny layers' data never leave the first cache */
    assert_true(strcmp(bound, "compute") == 0 || strcmp(bound, "bandwidth") == 0);
}

static void check_layers(const cJSON *json) {
    static const char *const parts[] = {"forward", "backward_data", "weight_gradient"};
    const cJSON *layer;
    double sum = 0, kinds = 0;
    int contractions = 0;
    cJSON_ArrayForEach(layer, cJSON_GetObjectItem(json, "layers")) {
        const char *name = cJSON_GetObjectItem(layer, "name")->valuestring;
        double ms = number_at(layer, "ms", "median");
        assert_true(ms == number_at(json, "layer_ms", name));
        assert_true(number_at(layer, "ms", "p10") <= ms && ms <= number_at(layer, "ms", "p90"));
        sum += ms;
        if (!cJSON_HasObjectItem(layer, "gflops")) continue;
        contractions++;
        check_share(layer);
        for (int i = 0; i < 3; i++) {
            const cJSON *part = cJSON_GetObjectItem(layer, parts[i]);
            assert_int_equal(part == NULL, i == 1 && strcmp(name, "conv2d") == 0);
            if (!part) continue;
            assert_true(number_at(part, NULL, "gflops") > 0);
            check_share(part);
        }
    }
    assert_int_equal(contractions, 4);
    cJSON_ArrayForEach(layer, cJSON_GetObjectItem(json, "kind_ms")) kinds += layer->valuedouble;
    assert_float_equal(kinds, sum, 1e-6 * sum);
}

static void check_ratio(const cJSON *json) {
    const cJSON *generic = cJSON_GetObjectItem(json, "generic");
    bool is_openblas = strcmp(cJSON_GetObjectItem(json, "backend")->valuestring, "openblas") == 0;
    assert_int_equal(generic == NULL, is_openblas);
    if (!generic) return;
    assert_string_equal(generic->valuestring, "openblas");
    assert_true(number_at(json, NULL, "ratio") > 0);
    assert_true(cJSON_IsBool(cJSON_GetObjectItem(json, "tie")));
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
        if (count <= VARIANT_TCC + 1) { /* cc and tcc are built, the others are not */
            assert_true(number_at(json, NULL, "generate_ms") > 0);
            assert_true(number_at(json, NULL, "compile_ms") >= 0);
        }
        assert_true(number_at(json, "layer_ms", "conv2d") > 0);
        check_machine(json);
        check_layers(json);
        check_ratio(json);
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
    assert_null(strstr(output, "weight gradient"));
    assert_non_null(strstr(output, "\npooling, normalization, dropout "));
    assert_non_null(strstr(output, "--chart FILE.svg")); /* nothing was written */
}

static void times_sets_of_variants(void **state) {
    (void)state;
    char *output = run_bench(
        STATUS_OK, (const char *const[]){"--backend", "generic", "--json", "--seconds", "1", NULL});
    assert_null(strstr(output, "\"backend\":\"cc\""));
    assert_non_null(strstr(output, "\"backend\":\"openblas\""));
    assert_non_null(strstr(output, "\"backend\":\"naive\""));
    output = run_bench(STATUS_OK,
                       (const char *const[]){"--backend", "specialized", "--json", "--seconds", "1",
                                             "--no-layers", "--no-winograd", NULL});
    assert_non_null(strstr(output, "\"backend\":\"cc\""));
    assert_non_null(strstr(output, "\"backend\":\"tcc\""));
    assert_null(strstr(output, "\"generic\""));
    assert_null(strstr(output, "layer"));
}

/* --- the chart --- */

static const char *skip_past(const char *text, const char *end) {
    const char *found = strstr(text, end);
    if (!found) fail_msg("the file ends before %s", end);
    return found + strlen(end);
}

/* Behind a tag: names are kept on a stack until they are closed. */
static const char *read_tag(const char *text, char names[][32], int *depth) {
    bool closes = text[1] == '/';
    const char *name = text + 1 + closes, *end = name + strcspn(name, " \t\r\n/>");
    int length = (int)(end - name);
    assert_true(length > 0 && length < 32);
    while (*end && *end != '>') { /* attributes: quoted, without < */
        if (*end != '"' && *end != '\'') {
            end++;
            continue;
        }
        const char *close = strchr(end + 1, *end), *open = strchr(end + 1, '<');
        assert_true(close && (!open || open > close));
        end = close + 1;
    }
    assert_true(*end == '>');
    if (closes) {
        assert_true(*depth > 0);
        --*depth;
        assert_true(strncmp(names[*depth], name, (size_t)length) == 0 && !names[*depth][length]);
    } else if (end[-1] != '/') {
        assert_true(*depth < 64);
        snprintf(names[(*depth)++], 32, "%.*s", length, name);
    }
    return end + 1;
}

/* Fails unless the text is well-formed XML whose root is <svg>. */
static void check_svg(const char *text) {
    char names[64][32];
    int depth = 0, roots = 0;
    while (*text) {
        if (strncmp(text, "<?", 2) == 0) {
            text = skip_past(text, "?>");
        } else if (strncmp(text, "<!--", 4) == 0) {
            text = skip_past(text, "-->");
        } else if (strncmp(text, "<!DOCTYPE", 9) == 0) {
            text = skip_past(text, ">");
        } else if (strncmp(text, "<![CDATA[", 9) == 0) {
            text = skip_past(text, "]]>");
        } else if (*text == '<') {
            if (depth == 0) roots++;
            if (depth == 0) assert_true(strncmp(text, "<svg", 4) == 0);
            text = read_tag(text, names, &depth);
        } else {
            if (*text == '&') assert_true(strcspn(text, ";") < strcspn(text, " <"));
            if (depth == 0) assert_true(strchr(" \t\r\n", *text) != NULL);
            text++;
        }
    }
    assert_int_equal(depth, 0);
    assert_int_equal(roots, 1);
}

static void draws_a_chart(void **state) {
    (void)state;
    static char svg[1 << 20];
    char chart[96], line[112];
    snprintf(chart, sizeof chart, "%s/chart.svg", folder);
    snprintf(line, sizeof line, "\nchart: %s\n", chart);
    char *output =
        run_bench(STATUS_OK, (const char *const[]){"--backend", "tcc", "--seconds", "1", "--mode",
                                                   "inference", "--chart", chart, NULL});
    assert_true(strlen(output) > strlen(line));
    assert_string_equal(output + strlen(output) - strlen(line), line); /* the last line */
    FILE *file = fopen(chart, "r");
    assert_non_null(file);
    size_t length = fread(svg, 1, sizeof svg - 1, file);
    fclose(file);
    svg[length] = '\0';
    check_svg(svg);
    assert_non_null(strstr(svg, "whole step"));
    assert_non_null(strstr(svg, "conv2d_1"));
    assert_non_null(strstr(svg, ">tcc<"));
    assert_null(strstr(svg, ">naive<"));
    /* Where it cannot be written the figures are printed all the same. */
    snprintf(chart, sizeof chart, "%s/missing/chart.svg", folder);
    output = run_bench(STATUS_FAILED,
                       (const char *const[]){"--backend", "tcc", "--seconds", "1", "--mode",
                                             "inference", "--no-layers", "--chart", chart, NULL});
    assert_non_null(strstr(output, "\ntcc  "));
    assert_null(strstr(output, "conv2d"));
    assert_non_null(strstr(output, chart));
}

static void refuses_what_it_does_not_know(void **state) {
    (void)state;
    assert_non_null(
        strstr(run_bench(STATUS_BAD_INPUT, (const char *const[]){"--backend", "fast", NULL}),
               "lathe bench: --backend"));
    assert_non_null(
        strstr(run_bench(STATUS_BAD_INPUT, (const char *const[]){"--target", "pdp-11", NULL}),
               "unknown target \"pdp-11\"; there are: "));
    assert_string_equal(
        run_bench(STATUS_BAD_INPUT, (const char *const[]){"--chart", "chart.txt", NULL}),
        "lathe bench: --chart chart.txt: expected a file name that ends in .svg or .png\n");
    assert_string_equal(
        run_bench(STATUS_BAD_INPUT, (const char *const[]){"--mode", "evaluation", NULL}),
        "lathe bench: --mode evaluation: expected one of training|inference\n");
    assert_string_equal(run_bench(STATUS_BAD_INPUT, (const char *const[]){"--seconds", "0", NULL}),
                        "lathe bench: --seconds 0: expected an integer from 1 to 2147483647\n");
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

/* --- the guard --- */

/* The 10th percentile of steps: on a machine that others use too, half of the steps are
 * interrupted. */
static double p10_of(const char *output, const char *backend) {
    char key[64];
    snprintf(key, sizeof key, "\"backend\":\"%s\"", backend);
    const char *at = strstr(output, key);
    assert_non_null(at);
    static const char value[] = "\"step_ms\":{\"p10\":";
    at = strstr(at, value);
    assert_non_null(at);
    return strtod(at + strlen(value), NULL);
}

/* Ratios only, with wide margins, of variants timed in turn: absolute times would test the machine.
 * A busy machine gets two more attempts. */
static void is_no_slower_than_it_was(void **state) {
    (void)state;
    static const char guard[] =
        "return model 'guard' { input { 28, 28, 1 },"
        "  conv2d { 8, kernel_size = 3, padding = 'same', activation = 'relu' },"
        "  conv2d { 12, kernel_size = 3, padding = 'same', activation = 'relu' },"
        "  max_pool2d { 2 },"
        "  conv2d { 24, kernel_size = 3, padding = 'same', activation = 'relu' },"
        "  flatten {}, dense { 10, activation = 'softmax' },"
        "  training = { loss = 'sparse_categorical_crossentropy', optimizer = adam {},"
        "               batch_size = 32, epochs = 1 } }";
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(guard, file);
    fclose(file);
    double naive_by_cc = 0, cc_by_tcc = 0;
    for (int attempt = 0; attempt < 3 && !(naive_by_cc > 4 && cc_by_tcc > 0.5); attempt++) {
        char *output =
            run_bench(STATUS_OK, (const char *const[]){"--json", "--seconds", "1", NULL});
        double cc = p10_of(output, "cc");
        naive_by_cc = p10_of(output, "naive") / cc;
        cc_by_tcc = cc / p10_of(output, "tcc");
    }
    if (!(naive_by_cc > 4)) fail_msg("cc is only %.2f times as fast as naive loops", naive_by_cc);
    if (!(cc_by_tcc > 0.5)) fail_msg("tcc has only %.2f of cc's speed", cc_by_tcc);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variants_agree_in_training),
        cmocka_unit_test(variants_agree_in_inference),
        cmocka_unit_test(variants_agree_on_two_threads),
        cmocka_unit_test(prints_json_for_each),
        cmocka_unit_test(prints_tables),
        cmocka_unit_test(times_sets_of_variants),
        cmocka_unit_test(draws_a_chart),
        cmocka_unit_test(refuses_what_it_does_not_know),
        cmocka_unit_test(is_no_slower_than_it_was), /* the last one: it changes the model */
    };
    return cmocka_run_group_tests(tests, start, finish);
}
