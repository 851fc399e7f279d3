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

/* Bytes of text for a model's training step on AVX-512. */
static size_t text_bytes(const char *path) {
    struct error error = {{0}};
    struct arena arena;
    arena_init(&arena);
    struct model *model = model_read(&arena, path, &error);
    if (!model) fail_msg("%s", error.text);
    struct compile_options options = {
        .target = target_find("x86-64-v4"), .dialect = DIALECT_TCC, .training = true};
    assert_non_null(options.target);
    struct compilation *compilation = compile_model(&arena, model, &options, &error);
    if (!compilation) fail_msg("%s", error.text);
    size_t bytes = strlen(compilation->c_text);
    arena_free(&arena);
    print_message("%s: %zu bytes\n", path, bytes);
    return bytes;
}

/* Written out, the loops of A1's convolutions would take another 60,000. */
static void convolutions_are_numbers(void **state) {
    (void)state;
    assert_in_range(text_bytes("models/cnn_increasing.lua"), 10000, 100000);
}

/* Four blocks are mostly elementwise loops, 3,000 bytes each. */
static void blocks_are_short(void **state) {
    (void)state;
    assert_in_range(text_bytes("models/cnn_batch_norm.lua"), 10000, 130000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolutions_are_numbers),
        cmocka_unit_test(blocks_are_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
