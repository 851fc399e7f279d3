/* progress.c: draws the progress of training. */
#include "progress.h"

#include <langinfo.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { LINE = 512, MAX_BAR = 40, MIN_BAR = 8 };
static const double redraw_seconds = 0.1, speed_seconds = 0.5;

/* A line under construction; columns counts what the terminal will show. */
struct line {
    char text[LINE];
    size_t length;
    int columns;
};

static void add_columns(struct line *line, int columns, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Appends text that takes `columns` columns; -1: as many as it has bytes. */
static void add_columns(struct line *line, int columns, const char *format, ...) {
    va_list arguments;

    va_start(arguments, format);
    int length = vsnprintf(line->text + line->length, LINE - line->length, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= LINE - line->length) {
        line->text[line->length] = '\0'; /* what does not fit is left out */
        return;
    }
    line->length += (size_t)length;
    line->columns += columns < 0 ? length : columns;
}
#define ADD(line, ...) add_columns(line, -1, __VA_ARGS__)

void progress_init(struct progress *progress, FILE *file, bool quiet) {
    const char *terminal = getenv("TERM"), *no_color = getenv("NO_COLOR");

    memset(progress, 0, sizeof *progress);
    progress->file = quiet ? NULL : file;
    if (quiet) return;
    progress->live = isatty(fileno(file)) && terminal && *terminal && strcmp(terminal, "dumb") != 0;
    progress->color = progress->live && !(no_color && *no_color);
    progress->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

static int terminal_columns(const struct progress *progress) {
    struct winsize size;

    if (progress->columns > 0) return progress->columns;
    if (ioctl(fileno(progress->file), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return 80;
}

/* 12345 as "12,345". */
static void add_grouped(struct line *line, double number) {
    char digits[32];
    int count = snprintf(digits, sizeof digits, "%.0f", number);

    for (int i = 0; i < count; i++)
        ADD(line, "%c%s", digits[i], (count - i) % 3 == 1 && i + 1 < count ? "," : "");
}

static void add_duration(struct line *line, double seconds) {
    long whole = (long)(seconds + 0.5);

    if (whole >= 3600)
        ADD(line, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
    else
        ADD(line, "%ld:%02ld", whole / 60, whole % 60);
}

/* A bar of `width` columns; with UTF-8 its end moves in half columns. */
static void add_bar(struct line *line, const struct progress *progress, int width, double part) {
    int halves = (int)(part * 2 * width), full = halves / 2;

    if (progress->color) add_columns(line, 0, "\033[36m");
    if (!progress->utf8) ADD(line, "[");
    for (int i = 0; i < full; i++) add_columns(line, 1, progress->utf8 ? "━" : "#");
    if (progress->utf8 && halves % 2) {
        add_columns(line, 1, "╸");
        full++;
    }
    if (progress->color) add_columns(line, 0, "\033[90m");
    for (int i = full; i < width; i++) add_columns(line, 1, progress->utf8 ? "─" : ".");
    if (!progress->utf8) ADD(line, "]");
    if (progress->color) add_columns(line, 0, "\033[0m");
}

/* Speed over the last half second or more, smoothed: a switch to faster code shows soon. */
static void measure_speed(struct progress *progress, const struct training_report *report) {
    if (progress->speed_epoch != report->epoch) {
        progress->speed_epoch = report->epoch;
        progress->speed_seconds = 0;
        progress->speed_samples = 0;
    }
    double seconds = report->seconds - progress->speed_seconds;
    if (seconds <= 0) return;
    double speed = (double)(report->timed_samples - progress->speed_samples) / seconds;
    if (progress->speed <= 0) progress->speed = speed;
    if (seconds < speed_seconds) return;
    progress->speed = 0.5 * progress->speed + 0.5 * speed;
    progress->speed_seconds = report->seconds;
    progress->speed_samples = report->timed_samples;
}

static void add_epoch_number(struct line *line, const struct training_report *report) {
    int width = snprintf(NULL, 0, "%ld", report->epochs);
    ADD(line, "epoch %*ld/%ld  ", width, report->epoch, report->epochs);
}

/* What stands behind the bar; each detail less makes it shorter: note and unit, then speed. */
static void add_figures(struct line *line, const struct progress *progress,
                        const struct training_report *report, double part, int details,
                        const char *note) {
    double left = (double)(report->epochs - report->epoch + 1) * (double)report->epoch_samples -
                  (double)report->samples;

    ADD(line, " %3.0f %%  loss %.4f", floor(part * 100), report->loss);
    if (report->has_accuracy) ADD(line, "  accuracy %.4f", report->accuracy);
    if (details >= 1) {
        ADD(line, "  ");
        add_grouped(line, progress->speed);
        ADD(line, details >= 2 ? " samples/s" : "/s");
    }
    if (progress->speed > 0) {
        ADD(line, "  ");
        add_duration(line, left / progress->speed);
        ADD(line, " left");
    }
    if (details >= 2 && note) ADD(line, "  %s", note);
}

void progress_step(struct progress *progress, const struct training_report *report,
                   const char *note) {
    struct line head = {.length = 0}, tail;

    if (!progress->file || !progress->live) return;
    if (progress->drawn && report->elapsed - progress->last_draw < redraw_seconds) return;
    progress->last_draw = report->elapsed;
    measure_speed(progress, report);

    double part =
        report->epoch_samples ? (double)report->samples / (double)report->epoch_samples : 0;
    /* One column stays free: a full line would wrap on some terminals. */
    int columns = terminal_columns(progress) - 1, room = 0;
    add_epoch_number(&head, report);
    for (int details = 2; details >= 0 && room < MIN_BAR; details--) {
        tail = (struct line){.length = 0};
        add_figures(&tail, progress, report, part, details, note);
        room = columns - head.columns - tail.columns - (progress->utf8 ? 0 : 2);
    }
    if (room >= MIN_BAR)
        add_bar(&head, progress, room < MAX_BAR ? room : MAX_BAR, part);
    else if (columns < head.columns)
        return;
    else if (head.columns + tail.columns > columns)
        tail.text[columns - head.columns] = '\0';
    fprintf(progress->file, "\r%s%s\033[K", head.text, tail.text);
    fflush(progress->file);
    progress->drawn = true;
}

void progress_clear(struct progress *progress) {
    if (!progress->file || !progress->drawn) return;
    fputs("\r\033[K", progress->file);
    fflush(progress->file);
    progress->drawn = false;
}

void progress_epoch(struct progress *progress, const struct training_report *report) {
    struct line line = {.length = 0};

    if (!progress->file) return;
    progress_clear(progress);
    add_epoch_number(&line, report);
    ADD(&line, "loss %.4f", report->loss);
    if (report->has_accuracy) ADD(&line, "  accuracy %.4f", report->accuracy);
    if (report->has_validation) {
        ADD(&line, "  validation loss %.4f", report->validation_loss);
        if (report->has_accuracy) ADD(&line, "  accuracy %.4f", report->validation_accuracy);
    }
    if (report->seconds > 0) {
        ADD(&line, "  ");
        add_grouped(&line, (double)report->timed_samples / report->seconds);
        ADD(&line, " samples/s");
    }
    ADD(&line, "  %.1f s", report->seconds);
    fprintf(progress->file, "%s\n", line.text);
    fflush(progress->file);
}
