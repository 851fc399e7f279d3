/* test_progress.c: the progress display, into a pipe and on a terminal. */
#include "runtime/progress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static struct training_report halfway(void) {
    return (struct training_report){.epoch = 2,
                                    .epochs = 5,
                                    .step = 235,
                                    .steps = 469,
                                    .total_step = 704,
                                    .samples = 30000,
                                    .epoch_samples = 60000,
                                    .loss = 0.31234,
                                    .accuracy = 0.88712,
                                    .has_accuracy = true,
                                    .seconds = 1.5,
                                    .timed_samples = 30000,
                                    .elapsed = 4.5};
}

static struct training_report at_the_end(void) {
    struct training_report report = halfway();
    report.step = 469;
    report.samples = report.timed_samples = 60000;
    report.seconds = 3;
    report.has_validation = true;
    report.validation_loss = 0.3;
    report.validation_accuracy = 0.9;
    return report;
}

static void a_pipe_gets_one_line_an_epoch(void **state) {
    struct training_report report = halfway();
    struct progress progress;
    int ends[2];
    char text[1024] = "";

    (void)state;
    assert_int_equal(pipe(ends), 0);
    FILE *file = fdopen(ends[1], "w");
    setenv("TERM", "xterm", 1);
    progress_init(&progress, file, false);
    progress_step(&progress, &report, "tcc");
    report = at_the_end();
    progress_epoch(&progress, &report);
    report.has_validation = report.has_accuracy = false;
    progress_epoch(&progress, &report);
    progress_clear(&progress);
    fclose(file);
    assert_true(read(ends[0], text, sizeof text - 1) > 0);
    close(ends[0]);
    assert_string_equal(text, "epoch 2/5  loss 0.3123  accuracy 0.8871  validation loss 0.3000  "
                              "accuracy 0.9000  20,000 samples/s  3.0 s\n"
                              "epoch 2/5  loss 0.3123  20,000 samples/s  3.0 s\n");
}

static void quiet_prints_nothing(void **state) {
    struct training_report report = at_the_end();
    struct progress progress;
    char *text = NULL;
    size_t size = 0;

    (void)state;
    FILE *file = open_memstream(&text, &size);
    progress_init(&progress, file, true);
    progress_step(&progress, &report, NULL);
    progress_epoch(&progress, &report);
    progress_clear(&progress);
    fclose(file);
    assert_int_equal(size, 0);
    free(text);
}

/* Opens a pseudo terminal of so many columns; returns its two ends. */
static FILE *open_terminal(int columns, int *master) {
    struct winsize size = {.ws_row = 24, .ws_col = (unsigned short)columns};

    *master = posix_openpt(O_RDWR | O_NOCTTY);
    assert_true(*master >= 0);
    assert_int_equal(grantpt(*master), 0);
    assert_int_equal(unlockpt(*master), 0);
    int slave = open(ptsname(*master), O_RDWR | O_NOCTTY);
    assert_true(slave >= 0);
    assert_int_equal(ioctl(slave, TIOCSWINSZ, &size), 0);
    return fdopen(slave, "w");
}

/* What a report draws on a terminal of so many columns. */
static void draw(int columns, const char *note, bool color, char text[1024]) {
    struct training_report report = halfway();
    struct progress progress;
    int master;
    FILE *file = open_terminal(columns, &master);

    if (color)
        unsetenv("NO_COLOR");
    else
        setenv("NO_COLOR", "1", 1);
    progress_init(&progress, file, false);
    assert_true(progress.live);
    progress_step(&progress, &report, note);
    ssize_t length = read(master, text, 1023);
    assert_true(length > 0);
    text[length] = '\0';
    fclose(file);
    close(master);
}

static void a_terminal_gets_a_bar(void **state) {
    char text[1024];

    (void)state;
    setenv("TERM", "xterm", 1);
    draw(100, "tcc", false, text);
    assert_string_equal(text,
                        "\repoch 2/5  [########........]  50 %  loss 0.3123  accuracy 0.8871  "
                        "20,000 samples/s  0:11 left  tcc\033[K");
    assert_int_equal(strlen(text), 1 + 99 + 3); /* one column stays free */
    draw(300, NULL, false, text);
    assert_non_null(strstr(text, "[####################....................]"));
    draw(80, "tcc", false, text); /* narrower: shorter figures */
    assert_string_equal(text, "\repoch 2/5  [####.....]  50 %  loss 0.3123  accuracy 0.8871  "
                              "20,000/s  0:11 left\033[K");
    draw(70, "tcc", false, text);
    assert_string_equal(text, "\repoch 2/5  [####.....]  50 %  loss 0.3123  accuracy 0.8871  "
                              "0:11 left\033[K");
    draw(50, NULL, false, text); /* too narrow for a bar: cut */
    assert_string_equal(text, "\repoch 2/5    50 %  loss 0.3123  accuracy 0.8871  \033[K");
}

static void utf8_only_if_the_locale_says_so(void **state) {
    char text[1024];

    (void)state;
    setenv("TERM", "xterm", 1);
    if (!setlocale(LC_CTYPE, "C.UTF-8")) skip();
    draw(100, NULL, true, text);
    setlocale(LC_CTYPE, "C");
    assert_non_null(strstr(text, "\033[36m━━━"));
    assert_non_null(strstr(text, "\033[90m─"));
    assert_null(strchr(text, '#'));
}

static void redraws_are_rare(void **state) {
    struct training_report report = halfway();
    struct progress progress;
    char *text = NULL;
    size_t size = 0;
    int drawn = 0;

    (void)state;
    FILE *file = open_memstream(&text, &size);
    progress_init(&progress, file, false);
    progress.live = true;
    progress.columns = 100;
    for (int i = 0; i < 1000; i++) { /* a second */
        report.elapsed = 4 + 0.001 * i;
        progress_step(&progress, &report, NULL);
    }
    progress_clear(&progress);
    fclose(file);
    for (size_t i = 0; i < size; i++) drawn += text[i] == '\r';
    assert_in_range(drawn, 9, 12);
    free(text);
}

static void dumb_terminals_get_lines(void **state) {
    struct progress progress;
    int master;
    FILE *file = open_terminal(80, &master);

    (void)state;
    setenv("TERM", "dumb", 1);
    progress_init(&progress, file, false);
    assert_false(progress.live);
    fclose(file);
    close(master);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pipe_gets_one_line_an_epoch),
        cmocka_unit_test(quiet_prints_nothing),
        cmocka_unit_test(a_terminal_gets_a_bar),
        cmocka_unit_test(utf8_only_if_the_locale_says_so),
        cmocka_unit_test(redraws_are_rare),
        cmocka_unit_test(dumb_terminals_get_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
