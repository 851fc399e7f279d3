/* test_experiments.c: the published experiments: their models have the parameters that they should,
 * and tests/experiments/experiments.json, whose rows are run, forgets none. */
#include "compiler/layers/layer.h"
#include "runtime/files.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <cjson/cJSON.h>

#define ROWS "tests/experiments/experiments.json"

static struct arena arena;
static struct error error;

/* What the publications of the experiments say, and for the others the sums over their layers. */
#define VARIANT(name) "models/variants/" name ".lua"
static const struct {
    const char *path;
    long trainable, state_size;
} published[] = {
    {"models/cnn_small.lua", 47898, 0},
    {"models/cnn_batch_norm.lua", 27194, 240},
    {"models/cnn_batch_norm_wide.lua", 1560330, 1792},
    {"models/sigmoid_cnn.lua", 1666282, 0},
    {"models/relu_cnn.lua", 154474, 0},
    {"models/fashion_mlp.lua", 610570, 0},
    {"models/mnist_mlp.lua", 785 * 50 + 51 * 50 + 51 * 10, 0},
    {"models/mnist_mlp_batch_1.lua", 785 * 50 + 51 * 50 + 51 * 10, 0},
    {"models/mnist_deep_mlp.lua", 785 * 1000 + 4 * 1001 * 1000 + 10010, 0},
    {"models/cnn_increasing.lua", 239145, 0},
    {"models/cnn_decreasing.lua", 210850, 0},
    {"models/cnn_hourglass.lua", 176990, 0},
    {VARIANT("sigmoid_conv"), 185162, 0},
    {VARIANT("sigmoid_conv_dense"), 2361546, 0},
    {VARIANT("sigmoid_three_convs"), 1102090, 0},
    {VARIANT("sigmoid_two_convs_decay"), 1666282, 0},
    {VARIANT("relu_two_convs_adam"), 154474, 0},
    {VARIANT("relu_two_convs_pooled"), 26 * 32 + 801 * 32 + 513 * 10, 0},
    {VARIANT("fashion_softmax"), 7850, 0},
    {VARIANT("fashion_mlp_32"), 785 * 32 + 33 * 10, 0},
    {VARIANT("fashion_mlp_128"), 785 * 128 + 129 * 10, 0},
    {VARIANT("fashion_mlp_256"), 785 * 256 + 257 * 10, 0},
    {VARIANT("fashion_mlp_128_64"), 785 * 128 + 129 * 64 + 65 * 10, 0},
    {VARIANT("fashion_mlp_256_128"), 785 * 256 + 257 * 128 + 129 * 10, 0},
    {VARIANT("fashion_conv"), 80 + 1569 * 10, 0},
    {VARIANT("fashion_conv_norm"), 80 + 16 + 1569 * 10, 16},
    {VARIANT("fashion_conv_norm_dropout"), 80 + 16 + 1569 * 10, 16},
    {VARIANT("fashion_two_blocks"), 80 + 16 + 73 * 16 + 32 + 785 * 10, 48},
    {VARIANT("fashion_three_blocks"), 80 + 16 + 73 * 16 + 32 + 145 * 32 + 64 + 513 * 10, 112},
    {VARIANT("fashion_four_blocks_augmented"), 27194, 240},
    {VARIANT("fashion_four_blocks_adagrad"), 27194, 240},
    {VARIANT("fashion_four_blocks_adadelta"), 27194, 240},
    {VARIANT("fashion_four_blocks_rmsprop"), 27194, 240},
    {VARIANT("fashion_four_blocks_amsgrad"), 27194, 240},
    {VARIANT("fashion_wide_blocks_augmented"), 1560330, 1792},
    {VARIANT("mnist_mlp_500"), 785 * 500 + 501 * 500 + 501 * 10, 0},
    {VARIANT("mnist_mlp_200"), 785 * 200 + 201 * 200 + 201 * 10, 0},
    {VARIANT("mnist_mlp_four_layers"), 785 * 50 + 3 * 51 * 50 + 51 * 10, 0},
    {VARIANT("mnist_mlp_sigmoid"), 42310, 0},
    {VARIANT("mnist_mlp_softmax"), 42310, 0},
    {VARIANT("mnist_mlp_relu_tanh"), 42310, 0},
    {VARIANT("mnist_mlp_batch_10000"), 42310, 0},
    {VARIANT("mnist_mlp_batch_30000"), 42310, 0},
    {VARIANT("mnist_mlp_batch_50000"), 42310, 0},
    {VARIANT("mnist_mlp_rate_1"), 42310, 0},
    {VARIANT("mnist_mlp_rate_0_02"), 42310, 0},
    {VARIANT("mnist_mlp_rate_0_0001"), 42310, 0},
    {VARIANT("mnist_mlp_rate_0_00001"), 42310, 0},
    {VARIANT("mnist_mlp_ten_layers"), 785 * 5000 + 9 * 5001L * 5000 + 5001 * 10, 0},
};

static const struct model *read_model(const char *path) {
    if (setjmp(arena.exhausted)) fail_msg("out of memory");
    const struct model *model = model_read(&arena, path, &error);
    if (!model) fail_msg("%s", error.text);
    return model;
}

static void parameters_are_as_published(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof published / sizeof *published; i++) {
        arena_init(&arena);
        const struct model *model = read_model(published[i].path);
        for (enum mode mode = MODE_TRAINING; mode <= MODE_PREDICTION; mode++) {
            struct graph *graph = lower_model(model, mode, 2, &arena, &error);
            if (!graph) fail_msg("%s", error.text);
            assert_int_equal(graph->space_size[SPACE_TRAINABLE], published[i].trainable);
            assert_int_equal(graph->space_size[SPACE_STATE], published[i].state_size);
        }
        arena_free(&arena);
    }
}

/* --- experiments.json --- */

static cJSON *read_rows(void) {
    size_t size;
    char *text = files_read(ROWS, &size, &error);
    if (!text) fail_msg("%s", error.text);
    cJSON *rows = cJSON_ParseWithLength(text, size);
    free(text);
    if (!cJSON_IsArray(rows)) fail_msg(ROWS " is not a list");
    return rows;
}

/* The file of a row below models/, without its ".lua". */
static void row_file(const cJSON *row, char *name, size_t size) {
    const char *model = cJSON_GetStringValue(cJSON_GetObjectItem(row, "model"));
    const char *sweep = cJSON_GetStringValue(cJSON_GetObjectItem(row, "sweep"));
    assert_true((model != NULL) != (sweep != NULL));
    if (model)
        snprintf(name, size, "models/%s.lua", model);
    else
        snprintf(name, size, "models/sweeps/%s.lua", sweep);
}

static void rows_have_their_parameters(void **state) {
    (void)state;
    cJSON *rows = read_rows();
    const cJSON *row;
    cJSON_ArrayForEach(row, rows) {
        char path[300];
        size_t i = 0;
        row_file(row, path, sizeof path);
        if (!files_exist(path)) fail_msg("%s: no such file", path);
        if (!cJSON_GetObjectItem(row, "model")) continue;
        while (i < sizeof published / sizeof *published && strcmp(published[i].path, path) != 0)
            i++;
        if (i == sizeof published / sizeof *published) fail_msg("%s is not in the table", path);
        const double count = cJSON_GetNumberValue(cJSON_GetObjectItem(row, "parameters"));
        assert_int_equal((long)count, published[i].trainable + published[i].state_size);
    }
    cJSON_Delete(rows);
}

static void check_folder(const cJSON *rows, const char *folder) {
    DIR *directory = opendir(folder);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory));) {
        char path[600], at[300] = "";
        const cJSON *row;
        if (!strstr(entry->d_name, ".lua")) continue;
        if (strcmp(entry->d_name, "cnn_shapes.lua") == 0) continue; /* a module */
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        cJSON_ArrayForEach(row, rows) {
            row_file(row, at, sizeof at);
            if (strcmp(at, path) == 0) break;
        }
        if (!row) fail_msg("%s is in no row of " ROWS, path);
    }
    closedir(directory);
}

static void no_file_is_forgotten(void **state) {
    (void)state;
    cJSON *rows = read_rows();
    check_folder(rows, "models/variants");
    check_folder(rows, "models/sweeps");
    cJSON_Delete(rows);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_are_as_published),
        cmocka_unit_test(rows_have_their_parameters),
        cmocka_unit_test(no_file_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
