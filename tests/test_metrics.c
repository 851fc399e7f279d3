/* test_metrics.c: the confusion matrix, its table and its pictures. */
#include "runtime/metrics.h"
#include "runtime/plots.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* 3 classes: 8 + 2, 5, 1 + 4 + 1 samples. */
static void fill(struct confusion *confusion) {
    static const long counts[3][3] = {{8, 2, 0}, {0, 5, 0}, {1, 4, 1}};

    assert_true(confusion_init(confusion, 3));
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            for (long k = 0; k < counts[i][j]; k++) confusion_add(confusion, i, j);
}

static void figures_follow_from_the_counts(void **state) {
    struct confusion confusion;

    (void)state;
    fill(&confusion);
    confusion_add(&confusion, 3, 0); /* outside: not counted */
    confusion_add(&confusion, 0, -1);
    assert_int_equal(confusion_total(&confusion), 21);
    assert_int_equal(confusion_at(&confusion, 2, 1), 4);
    assert_true(fabs(confusion_accuracy(&confusion) - 14.0 / 21) < 1e-12);
    assert_true(fabs(confusion_recall(&confusion, 0) - 0.8) < 1e-12);
    assert_true(fabs(confusion_precision(&confusion, 0) - 8.0 / 9) < 1e-12);
    assert_true(fabs(confusion_precision(&confusion, 1) - 5.0 / 11) < 1e-12);
    assert_true(confusion_precision(&confusion, 2) == 1);
    confusion_free(&confusion);
}

static void empty_classes_give_zero(void **state) {
    struct confusion confusion;

    (void)state;
    assert_false(confusion_init(&confusion, 0));
    assert_true(confusion_init(&confusion, 2));
    assert_true(confusion_accuracy(&confusion) == 0);
    assert_true(confusion_recall(&confusion, 1) == 0);
    assert_true(confusion_precision(&confusion, 1) == 0);
    confusion_free(&confusion);
}

static void check_table(const struct confusion *confusion, const char *const *names,
                        const char *expected) {
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);

    assert_non_null(file);
    confusion_print(file, confusion, names);
    fclose(file);
    assert_string_equal(text, expected);
    free(text);
}

static void the_table_is_aligned(void **state) {
    static const char *const names[] = {"T-shirt/top", "Größe", "a name that is far too long"};
    struct confusion confusion;

    (void)state;
    fill(&confusion);
    check_table(&confusion, NULL,
                "true  0 1 2  recall  precision\n"
                "0     8 2 .  0.8000     0.8889\n"
                "1     . 5 .  1.0000     0.4545\n"
                "2     1 4 1  0.1667     1.0000\n");
    check_table(&confusion, names,
                "true                0 1 2  recall  precision\n"
                "0 T-shirt/top       8 2 .  0.8000     0.8889\n"
                "1 Größe             . 5 .  1.0000     0.4545\n"
                "2 a name that is f  1 4 1  0.1667     1.0000\n");
    confusion_free(&confusion);
}

static void argmax_takes_the_first_of_equals(void **state) {
    static const float values[] = {0.1f, 0.4f, 0.4f, 0.05f};

    (void)state;
    assert_int_equal(argmax(values, 4), 1);
    assert_int_equal(argmax(values, 1), 0);
}

/* --- pictures --- */

static char folder[] = "/tmp/lathe_metrics_XXXXXX";

static int make_folder(void **state) {
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}
static int remove_folder(void **state) {
    (void)state;
    return rmdir(folder); /* fails when a test has left a file behind */
}

/* Width and height stand at bytes 16 and 20 of a PNG, most significant byte first. */
static void check_png(const char *path, long width, long height) {
    unsigned char bytes[24];
    FILE *file = fopen(path, "rb");

    assert_non_null(file);
    assert_int_equal(fread(bytes, 1, sizeof bytes, file), sizeof bytes);
    fclose(file);
    assert_memory_equal(bytes, "\x89PNG\r\n\x1a\n", 8);
    assert_int_equal(bytes[18] << 8 | bytes[19], width);
    assert_int_equal(bytes[22] << 8 | bytes[23], height);
    assert_int_equal(unlink(path), 0);
}

static void pictures_are_drawn(void **state) {
    struct history_epoch epochs[3] = {{.epoch = 1,
                                       .loss = 0.9,
                                       .accuracy = 0.6,
                                       .validation_loss = 0.8,
                                       .validation_accuracy = 0.7},
                                      {.epoch = 2,
                                       .loss = 0.5,
                                       .accuracy = 0.8,
                                       .validation_loss = 0.6,
                                       .validation_accuracy = 0.8},
                                      {.epoch = 3,
                                       .loss = 0.3,
                                       .accuracy = 0.9,
                                       .validation_loss = 0.6,
                                       .validation_accuracy = 0.8}};
    struct history history = {epochs, 3, true, true};
    /* Names that would be commands, or end the string, if they were not quoted. */
    static const char *const names[] = {"it's", "a`touch x`\nb", "$x_{1}"};
    struct confusion confusion;
    struct error error = {.text = ""};
    char path[200];

    (void)state;
    fill(&confusion);
    snprintf(path, sizeof path, "%s/curves.png", folder);
    if (!plot_learning_curves(path, &history, "a 'quoted' title", &error))
        fail_msg("%s", error.text);
    check_png(path, 2080, 800);
    history.has_accuracy = history.has_validation = false;
    if (!plot_learning_curves(path, &history, "loss", &error)) fail_msg("%s", error.text);
    check_png(path, 1040, 800);
    snprintf(path, sizeof path, "%s/matrix.png", folder);
    if (!plot_confusion(path, &confusion, names, "title", &error)) fail_msg("%s", error.text);
    check_png(path, 1320, 1120);
    snprintf(path, sizeof path, "%s/matrix.svg", folder);
    if (!plot_confusion(path, &confusion, names, "title", &error)) fail_msg("%s", error.text);
    assert_int_equal(unlink(path), 0);
    confusion_free(&confusion);
}

static void small_pictures_are_drawn(void **state) {
    static const char *const captions[] = {"is it's", "seen as a`b`", "$x_{1}", "", "\"q\"", "\\n"};
    float pixels[3 * 4 * 5 * 3];
    struct image_grid grid = {.count = 3, .columns = 2, .height = 4, .width = 5, .channels = 1};
    struct error error = {.text = ""};
    char path[200];

    (void)state;
    for (size_t i = 0; i < sizeof pixels / sizeof *pixels; i++)
        pixels[i] = (float)(i % 7) / 6 - 0.2f;
    grid.pixels = pixels;
    grid.captions = captions;
    snprintf(path, sizeof path, "%s/images.png", folder);
    for (grid.channels = 1; grid.channels <= 3; grid.channels += 2) {
        if (!plot_images(path, &grid, "it's", &error)) fail_msg("%s", error.text);
        check_png(path, 2 * 2 * 156, 2 * (2 * 188 + 40));
        if (!plot_filters(path, &grid, "it's", &error)) fail_msg("%s", error.text);
        /* 11 x 9 pixels, gaps included, in a width of 640 */
        check_png(path, 2 * 750, 2 * (640 * 9 / 11 + 60));
    }
    grid.channels = 2;
    assert_false(plot_images(path, &grid, "x", &error));
    assert_non_null(strstr(error.text, "pictures have 1 or 3 channels, not 2"));
    grid.count = 0;
    assert_false(plot_filters(path, &grid, "x", &error));
}

static void runs_and_scores_are_drawn(void **state) {
    struct history_epoch epochs[2] = {{.epoch = 1, .loss = 1, .accuracy = 0.5},
                                      {.epoch = 2, .loss = 0.5, .accuracy = 0.75}};
    struct history history = {epochs, 2, true, false}, shorter = {epochs, 1, true, false};
    const struct history *const lists[] = {&history, &shorter};
    const struct compared_run runs[] = {{"it's", lists, 2}, {"$x_{1}", lists + 1, 1}};
    static const char *const names[] = {"a'b", "c`d`"};
    static const double scores[] = {0.9, 0.8, 0.7}, places[] = {0, 1, 0},
                        numbers[] = {1e-3, NAN, 1}, one[] = {2, 2, 2};
    const struct score_axis axes[] = {
        {.name = "by name", .positions = places, .names = names, .name_count = 2},
        {.name = "rate", .positions = numbers, .logarithmic = true},
        {.name = "one", .positions = one, .tics = one, .tic_count = 1},
        {.name = "four", .positions = numbers}};
    struct score_chart chart = {
        .score = "loss", .count = 3, .axis_count = 4, .scores = scores, .axes = axes};
    struct error error = {.text = ""};
    char path[200];

    (void)state;
    snprintf(path, sizeof path, "%s/runs.png", folder);
    if (!plot_comparison(path, runs, 2, &error)) fail_msg("%s", error.text);
    check_png(path, 2 * 1040, 2 * (380 + 44));
    if (!plot_scores(path, &chart, "it's", &error)) fail_msg("%s", error.text);
    check_png(path, 2 * 3 * 380, 2 * (2 * 340 + 50));
    chart.count = 0;
    assert_false(plot_scores(path, &chart, "x", &error));
}

static void a_missing_gnuplot_is_told(void **state) {
    struct confusion confusion;
    struct error error = {.text = ""};
    char *path = strdup(getenv("PATH"));

    (void)state;
    fill(&confusion);
    setenv("PATH", "/nowhere", 1);
    assert_false(plot_confusion("/tmp/never.png", &confusion, NULL, "title", &error));
    setenv("PATH", path, 1);
    free(path);
    assert_string_equal(error.text,
                        "gnuplot is not installed (on Debian: apt install gnuplot-nox)");
    assert_false(plot_confusion("/nowhere/x.png", &confusion, NULL, "title", &error));
    assert_string_equal(error.text,
                        "/nowhere/x.png: gnuplot failed: cannot open file; output not changed");
    confusion_free(&confusion);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_follow_from_the_counts),
        cmocka_unit_test(empty_classes_give_zero),
        cmocka_unit_test(the_table_is_aligned),
        cmocka_unit_test(argmax_takes_the_first_of_equals),
        cmocka_unit_test(pictures_are_drawn),
        cmocka_unit_test(small_pictures_are_drawn),
        cmocka_unit_test(runs_and_scores_are_drawn),
        cmocka_unit_test(a_missing_gnuplot_is_told),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
