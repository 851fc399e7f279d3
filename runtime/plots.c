/* plots.c: writes gnuplot scripts and runs gnuplot on them, without a shell. */
#include "plots.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Colours that people with colour-blindness tell apart (Okabe and Ito). */
#define TRAINING_COLOR "#0072b2"
#define VALIDATION_COLOR "#d55e00"
#define TEXT_COLOR "#333333"
#define GRID_COLOR "#dddddd"

/* Writes text as a gnuplot string. Single quotes keep everything as it is, save the quote itself;
 * control characters could end the line. */
static void put_quoted(FILE *script, const char *text) {
    fputc('\'', script);
    for (; *text; text++) {
        if (*text == '\'') fputc('\'', script);
        fputc((unsigned char)*text < ' ' || *text == 0x7f ? ' ' : *text, script);
    }
    fputc('\'', script);
}

/* The terminal of a file name, the output, and what both pictures have in common. */
static void put_head(FILE *script, const char *path, const char *output, int width, int height) {
    size_t length = strlen(path);
    bool svg = length > 4 && strcmp(path + length - 4, ".svg") == 0;
    int scale = svg ? 1 : 2; /* twice the pixels for sharp text on today's screens */

    if (svg)
        fprintf(script,
                "set terminal svg noenhanced size %d,%d font 'sans,13' "
                "background '#ffffff'\n",
                width, height);
    else
        fprintf(script,
                "set terminal pngcairo noenhanced size %d,%d font 'sans,11' fontscale %d "
                "linewidth %d background '#ffffff'\n",
                width * scale, height * scale, scale, scale);
    fputs("set encoding utf8\nset output ", script);
    put_quoted(script, output);
    fputs("\n", script);
}

/* --- running gnuplot --- */

/* Finds the reason in what gnuplot printed: the line behind `line 3:`; the script stands before. */
static void read_complaint(FILE *complaints, char *text, size_t size) {
    char line[256];

    snprintf(text, size, "no reason given");
    rewind(complaints);
    while (fgets(line, sizeof line, complaints)) {
        const char *reason = strstr(line, "line ");
        reason = reason ? strchr(reason, ':') : NULL;
        if (!reason) continue;
        line[strcspn(line, "\n")] = '\0';
        snprintf(text, size, "%s", reason + 1 + strspn(reason + 1, " "));
        return;
    }
}

/* Runs gnuplot with the script as its standard input. */
static bool run_gnuplot(const char *path, FILE *script, FILE *complaints, struct error *error) {
    char *arguments[] = {"gnuplot", "-", NULL};
    posix_spawn_file_actions_t actions;
    pid_t child;
    int status;

    if (fflush(script) != 0) return error_set(error, "cannot write a script for gnuplot");
    rewind(script);
    if (posix_spawn_file_actions_init(&actions) != 0) return error_set(error, "out of memory");
    posix_spawn_file_actions_adddup2(&actions, fileno(script), STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, fileno(complaints), STDERR_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    int failure = posix_spawnp(&child, arguments[0], &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failure == ENOENT)
        return error_set(error, "gnuplot is not installed (on Debian: apt install gnuplot-nox)");
    if (failure) return error_set(error, "cannot start gnuplot: %s", strerror(failure));
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return error_set(error, "cannot wait for gnuplot: %s", strerror(errno));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
    char complaint[256];
    read_complaint(complaints, complaint, sizeof complaint);
    return error_set(error, "%s: gnuplot failed: %s", path, complaint);
}

/* What a picture shows, for the function that writes its script. */
struct picture {
    const struct history *history;
    const struct confusion *confusion;
    const char *const *names;
    const struct bar_chart *bars;
    const char *title;
};

/* Draws into a file beside `path` and renames it when gnuplot has done well. */
static bool draw(const char *path, const struct picture *picture,
                 void (*write)(FILE *script, const char *path, const char *output,
                               const struct picture *picture),
                 struct error *error) {
    size_t size = strlen(path) + 32;
    char *output = malloc(size);
    FILE *script = tmpfile(), *complaints = tmpfile();
    bool drawn = false;
    struct stat made;

    if (output && script && complaints) {
        snprintf(output, size, "%s.partial-%ld", path, (long)getpid());
        write(script, path, output, picture);
        drawn = run_gnuplot(path, script, complaints, error);
        if (drawn && (stat(output, &made) != 0 || made.st_size == 0 || rename(output, path) != 0))
            drawn = error_set(error, "%s: cannot be written", path);
        if (!drawn) unlink(output);
    } else {
        error_set(error, "cannot make a temporary file: %s", strerror(errno));
    }
    if (script) fclose(script);
    if (complaints) fclose(complaints);
    free(output);
    return drawn;
}

/* --- learning curves --- */

/* One panel: the columns `training` and `training + 1` of $history. */
static void put_panel(FILE *script, const struct history *history, const char *what, int training,
                      const char *key) {
    const char *style = history->count > 40 ? "lines" : "linespoints";

    fprintf(script, "set ylabel '%s'\nset key %s\n", what, key);
    fprintf(script, "plot $history using 1:%d with %s linestyle 1 title 'training'", training,
            style);
    if (history->has_validation)
        fprintf(script, ", '' using 1:%d with %s linestyle 2 title 'validation'", training + 1,
                style);
    fputs("\n", script);
}

static void write_learning_curves(FILE *script, const char *path, const char *output,
                                  const struct picture *picture) {
    const struct history *history = picture->history;
    int panels = history->has_accuracy ? 2 : 1;
    double last = history->count ? (double)history->epochs[history->count - 1].epoch : 1;

    put_head(script, path, output, 520 * panels, 400);
    fputs("$history << END\n", script);
    for (long i = 0; i < history->count; i++) {
        const struct history_epoch *epoch = &history->epochs[i];
        fprintf(script, "%ld %.9g %.9g %.9g %.9g\n", epoch->epoch, epoch->loss,
                epoch->validation_loss, epoch->accuracy, epoch->validation_accuracy);
    }
    fputs("END\n"
          "set style line 1 linecolor rgb '" TRAINING_COLOR "' linewidth 2 pointtype 7 "
          "pointsize 0.6\n"
          "set style line 2 linecolor rgb '" VALIDATION_COLOR "' linewidth 2 pointtype 7 "
          "pointsize 0.6\n"
          "set border 3 linecolor rgb '" TEXT_COLOR "'\n"
          "set tics nomirror textcolor rgb '" TEXT_COLOR "'\n"
          "set grid ytics linecolor rgb '" GRID_COLOR "' linewidth 0.5 linetype 1\n"
          "set xlabel 'epoch' textcolor rgb '" TEXT_COLOR "'\n"
          "set key samplen 2 spacing 1.2 textcolor rgb '" TEXT_COLOR "'\n"
          "set bmargin 4\nset tmargin 3\n",
          script);
    if (last > 1)
        fprintf(script, "set xrange [1:%g]\n", last);
    else
        fputs("set xrange [0:2]\n", script);
    fprintf(script, "set xtics %d\n", last <= 10 ? 1 : last <= 25 ? 2 : last <= 60 ? 5 : 20);
    fprintf(script, "set multiplot layout 1,%d title ", panels);
    put_quoted(script, picture->title);
    fputs("\nset yrange [0:*]\n", script);
    put_panel(script, history, "loss", 2, "top right");
    if (panels == 2) {
        fputs("set yrange [*:*]\n", script);
        put_panel(script, history, "accuracy", 4, "bottom right");
    }
    fputs("unset multiplot\n", script);
}

bool plot_learning_curves(const char *path, const struct history *history, const char *title,
                          struct error *error) {
    struct picture picture = {.history = history, .title = title};

    if (history->count == 0) return error_set(error, "%s: no epoch to draw", path);
    return draw(path, &picture, write_learning_curves, error);
}

/* --- the confusion matrix --- */

static void put_class_tics(FILE *script, const char *axis, const struct picture *picture) {
    fprintf(script, "set %stics (", axis);
    for (int i = 0; i < picture->confusion->classes; i++) {
        char number[16];
        snprintf(number, sizeof number, "%d", i);
        put_quoted(script, picture->names ? picture->names[i] : number);
        fprintf(script, " %d%s", i, i + 1 < picture->confusion->classes ? ", " : ")");
    }
    fprintf(script, " %s\n", picture->names && *axis == 'x' ? "rotate by 35 right" : "");
}

static void write_confusion(FILE *script, const char *path, const char *output,
                            const struct picture *picture) {
    const struct confusion *confusion = picture->confusion;
    int classes = confusion->classes;
    bool counts = classes <= 24; /* more cells are too small for numbers */
    int side = classes <= 12 ? 560 : 800;

    put_head(script, path, output, side + 100, side);
    fputs("$cells << END\n", script);
    for (int i = 0; i < classes; i++)
        for (int j = 0; j < classes; j++) {
            double all = 0;
            for (int k = 0; k < classes; k++) all += (double)confusion_at(confusion, i, k);
            double count = (double)confusion_at(confusion, i, j);
            fprintf(script, "%d %d %.6f %.0f\n", j, i, all > 0 ? count / all : 0, count);
        }
    fputs("END\n", script);
    put_class_tics(script, "x", picture);
    put_class_tics(script, "y", picture);
    fprintf(script, "set xrange [-0.5:%d.5]\nset yrange [%d.5:-0.5]\n", classes - 1, classes - 1);
    fputs("set tics scale 0 textcolor rgb '" TEXT_COLOR "'\n"
          "set border 15 linecolor rgb '" GRID_COLOR "'\n"
          "set xlabel 'predicted class' textcolor rgb '" TEXT_COLOR "'\n"
          "set ylabel 'true class' textcolor rgb '" TEXT_COLOR "'\n"
          "set cblabel 'share of the true class' textcolor rgb '" TEXT_COLOR "'\n"
          "set cbrange [0:1]\nset cbtics 0.2\n"
          "set palette defined (0 '#ffffff', 0.02 '#edf4fb', 0.1 '#c3dcf0', 0.4 '#7fb5dc', "
          "0.75 '#2b7bba', 1 '#08407f')\n"
          "set size ratio 1\nunset key\nset title ",
          script);
    char title[256];
    snprintf(title, sizeof title, "%s: accuracy %.4f", picture->title,
             confusion_accuracy(confusion));
    put_quoted(script, title);
    fputs(" textcolor rgb '" TEXT_COLOR "'\nplot $cells using 1:2:3 with image", script);
    if (counts) /* dark numbers on light cells, white ones on dark cells; none for zero */
        fputs(", '' using 1:2:($4 > 0 && $3 < 0.5 ? sprintf('%d', $4) : '') with labels "
              "font ',9' textcolor rgb '" TEXT_COLOR "'"
              ", '' using 1:2:($3 >= 0.5 ? sprintf('%d', $4) : '') with labels "
              "font ',9' textcolor rgb '#ffffff'",
              script);
    fputs("\n", script);
}

bool plot_confusion(const char *path, const struct confusion *confusion, const char *const *names,
                    const char *title, struct error *error) {
    struct picture picture = {.confusion = confusion, .names = names, .title = title};
    return draw(path, &picture, write_confusion, error);
}

/* --- bars --- */

static const char *const bar_colors[] = {"#0072b2", "#d55e00", "#009e73",
                                         "#999999", "#cc79a7", "#56b4e9"};

static void put_bar_series(FILE *script, const struct bar_chart *bars) {
    const double width = 0.8 / bars->series;

    fputs("plot ", script);
    for (int i = 0; i < bars->series; i++) {
        fprintf(script,
                "%s$bars using ($1 + %g):%d with boxes linecolor rgb '%s' fill solid 1 title ",
                i ? ", " : "", (i + 0.5) * width - 0.4, i + 2,
                bar_colors[i % (int)(sizeof bar_colors / sizeof *bar_colors)]);
        put_quoted(script, bars->series_names[i]);
    }
    fputs("\n", script);
}

static void write_bars(FILE *script, const char *path, const char *output,
                       const struct picture *picture) {
    const struct bar_chart *bars = picture->bars;
    int width = 160 + bars->groups * (20 + 10 * bars->series);

    put_head(script, path, output, width > 480 ? width : 480, 420);
    fputs("$bars << END\n", script);
    for (int i = 0; i < bars->groups; i++) {
        fprintf(script, "%d", i);
        for (int j = 0; j < bars->series; j++) {
            double value = bars->values[i * bars->series + j];
            if (value > 0)
                fprintf(script, " %.9g", value);
            else
                fputs(" NaN", script);
        }
        fputs("\n", script);
    }
    fputs("END\nset logscale y\nset xtics (", script);
    for (int i = 0; i < bars->groups; i++) {
        put_quoted(script, bars->group_names[i]);
        fprintf(script, " %d%s", i, i + 1 < bars->groups ? ", " : ")");
    }
    fprintf(script,
            " rotate by 45 right\nset xrange [-0.6:%d.6]\nset boxwidth %g\n"
            "set border 3 linecolor rgb '" TEXT_COLOR "'\n"
            "set tics nomirror textcolor rgb '" TEXT_COLOR "'\nset format y '%%g'\n"
            "set grid ytics linecolor rgb '" GRID_COLOR "' linewidth 0.5 linetype 1\n"
            "set key outside top right textcolor rgb '" TEXT_COLOR "'\nset ylabel ",
            bars->groups - 1, 0.75 / bars->series);
    put_quoted(script, bars->axis);
    fputs(" textcolor rgb '" TEXT_COLOR "'\nset title ", script);
    put_quoted(script, picture->title);
    fputs(" textcolor rgb '" TEXT_COLOR "'\n", script);
    put_bar_series(script, bars);
}

bool plot_bars(const char *path, const struct bar_chart *chart, const char *title,
               struct error *error) {
    struct picture picture = {.bars = chart, .title = title};
    bool is_empty = true;

    for (int i = 0; i < chart->groups * chart->series; i++)
        is_empty = is_empty && !(chart->values[i] > 0);
    if (is_empty) return error_set(error, "%s: there is nothing to draw", path);
    return draw(path, &picture, write_bars, error);
}
