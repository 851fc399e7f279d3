/* test_tcc_text.c: how much text libtcc gets to compile: that, and not the machine, decides how
 * soon a model runs. Loops around microkernels are compiled with lathe and get numbers only
 * (compiler/kernel/driver.h). */
#include "../compiler/compile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* The text of a model's training step on AVX-512: its bytes, and how often `part` is in it. */
struct measure {
    size_t bytes;
    int parts;
};

static struct measure measure_text(const char *path, const char *part) {
    struct error error = {{0}};
    struct arena arena;
    struct measure measure = {0};
    arena_init(&arena);
    struct model *model = model_read(&arena, path, &error);
    if (!model) fail_msg("%s", error.text);
    struct compile_options options = {
        .target = target_find("x86-64-v4"), .dialect = DIALECT_TCC, .training = true};
    assert_non_null(options.target);
    struct compilation *compilation = compile_model(&arena, model, &options, &error);
    if (!compilation) fail_msg("%s", error.text);
    measure.bytes = strlen(compilation->c_text);
    for (const char *at = compilation->c_text; (at = strstr(at, part)); at++) measure.parts++;
    arena_free(&arena);
    print_message("%s: %zu bytes, %d times \"%s\"\n", path, measure.bytes, measure.parts, part);
    return measure;
}

static size_t text_bytes(const char *path) {
    return measure_text(path, "real strip").bytes;
}

/* Written out, the loops of A1's convolutions would take another 60,000. */
static void convolutions_are_numbers(void **state) {
    (void)state;
    assert_in_range(text_bytes("models/cnn_increasing.lua"), 10000, 118000);
}

/* Four blocks are mostly elementwise loops, 3,000 bytes each. */
static void blocks_are_short(void **state) {
    (void)state;
    assert_in_range(text_bytes("models/cnn_batch_norm.lua"), 10000, 136000);
}

/* What passes over the images of a batch takes strips of many pixels: only what has one number a
 * sample or a channel is as short as a vector, a call for each. */
static void strips_are_long(void **state) {
    (void)state;
    assert_in_range(measure_text("models/cnn_batch_norm.lua", " n = 16;").parts, 0, 6);
    assert_in_range(measure_text("models/cnn_batch_norm.lua", " n = 784;").parts, 1, 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolutions_are_numbers),
        cmocka_unit_test(blocks_are_short),
        cmocka_unit_test(strips_are_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
