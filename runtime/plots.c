/* plots.c: the gnuplot scripts of learning curves, confusion matrices and bars (see plots.h). */
#include "plots.h"
#include "gnuplot.h"

#include <string.h>

/* What a picture shows, for the function that writes its script. */
struct picture {
    const struct history *history;
    const struct confusion *confusion;
    const char *const *names;
    const struct bar_chart *bars;
    const char *title;
};

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
                                  const void *context) {
    const struct picture *picture = context;
    const struct history *history = picture->history;
    int panels = history->has_accuracy ? 2 : 1;
    double last = history->count ? (double)history->epochs[history->count - 1].epoch : 1;

    gnuplot_head(script, path, output, 520 * panels, 400);
    fputs("$history << END\n", script);
    for (long i = 0; i < history->count; i++) {
        const struct history_epoch *epoch = &history->epochs[i];
        fprintf(script, "%ld %.9g %.9g %.9g %.9g\n", epoch->epoch, epoch->loss,
                epoch->validation_loss, epoch->accuracy, epoch->validation_accuracy);
    }
    fputs("END\n"
          "set style line 1 linecolor rgb '" GNUPLOT_BLUE "' linewidth 2 pointtype 7 "
          "pointsize 0.6\n"
          "set style line 2 linecolor rgb '" GNUPLOT_ORANGE "' linewidth 2 pointtype 7 "
          "pointsize 0.6\n"
          "set border 3 linecolor rgb '" GNUPLOT_TEXT "'\n"
          "set tics nomirror textcolor rgb '" GNUPLOT_TEXT "'\n"
          "set grid ytics linecolor rgb '" GNUPLOT_GRID "' linewidth 0.5 linetype 1\n"
          "set xlabel 'epoch' textcolor rgb '" GNUPLOT_TEXT "'\n"
          "set key samplen 2 spacing 1.2 textcolor rgb '" GNUPLOT_TEXT "'\n"
          "set bmargin 4\nset tmargin 3\n",
          script);
    if (last > 1)
        fprintf(script, "set xrange [1:%g]\n", last);
    else
        fputs("set xrange [0:2]\n", script);
    fprintf(script, "set xtics %d\n", last <= 10 ? 1 : last <= 25 ? 2 : last <= 60 ? 5 : 20);
    fprintf(script, "set multiplot layout 1,%d title ", panels);
    gnuplot_quote(script, picture->title);
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
    return gnuplot_draw(path, &picture, write_learning_curves, error);
}

/* --- the confusion matrix --- */

static void put_class_tics(FILE *script, const char *axis, const struct picture *picture) {
    fprintf(script, "set %stics (", axis);
    for (int i = 0; i < picture->confusion->classes; i++) {
        char number[16];
        snprintf(number, sizeof number, "%d", i);
        gnuplot_quote(script, picture->names ? picture->names[i] : number);
        fprintf(script, " %d%s", i, i + 1 < picture->confusion->classes ? ", " : ")");
    }
    fprintf(script, " %s\n", picture->names && *axis == 'x' ? "rotate by 35 right" : "");
}

static void write_confusion(FILE *script, const char *path, const char *output,
                            const void *context) {
    const struct picture *picture = context;
    const struct confusion *confusion = picture->confusion;
    int classes = confusion->classes;
    bool counts = classes <= 24; /* more cells are too small for numbers */
    int side = classes <= 12 ? 560 : 800;

    gnuplot_head(script, path, output, side + 100, side);
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
    fputs("set tics scale 0 textcolor rgb '" GNUPLOT_TEXT "'\n"
          "set border 15 linecolor rgb '" GNUPLOT_GRID "'\n"
          "set xlabel 'predicted class' textcolor rgb '" GNUPLOT_TEXT "'\n"
          "set ylabel 'true class' textcolor rgb '" GNUPLOT_TEXT "'\n"
          "set cblabel 'share of the true class' textcolor rgb '" GNUPLOT_TEXT "'\n"
          "set cbrange [0:1]\nset cbtics 0.2\n"
          "set palette defined (0 '#ffffff', 0.02 '#edf4fb', 0.1 '#c3dcf0', 0.4 '#7fb5dc', "
          "0.75 '#2b7bba', 1 '#08407f')\n"
          "set size ratio 1\nunset key\nset title ",
          script);
    char title[256];
    snprintf(title, sizeof title, "%s: accuracy %.4f", picture->title,
             confusion_accuracy(confusion));
    gnuplot_quote(script, title);
    fputs(" textcolor rgb '" GNUPLOT_TEXT "'\nplot $cells using 1:2:3 with image", script);
    if (counts) /* dark numbers on light cells, white ones on dark cells; none for zero */
        fputs(", '' using 1:2:($4 > 0 && $3 < 0.5 ? sprintf('%d', $4) : '') with labels "
              "font ',9' textcolor rgb '" GNUPLOT_TEXT "'"
              ", '' using 1:2:($3 >= 0.5 ? sprintf('%d', $4) : '') with labels "
              "font ',9' textcolor rgb '#ffffff'",
              script);
    fputs("\n", script);
}

bool plot_confusion(const char *path, const struct confusion *confusion, const char *const *names,
                    const char *title, struct error *error) {
    struct picture picture = {.confusion = confusion, .names = names, .title = title};
    return gnuplot_draw(path, &picture, write_confusion, error);
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
        gnuplot_quote(script, bars->series_names[i]);
    }
    fputs("\n", script);
}

static void write_bars(FILE *script, const char *path, const char *output, const void *context) {
    const struct picture *picture = context;
    const struct bar_chart *bars = picture->bars;
    int width = 160 + bars->groups * (20 + 10 * bars->series);

    gnuplot_head(script, path, output, width > 480 ? width : 480, 420);
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
        gnuplot_quote(script, bars->group_names[i]);
        fprintf(script, " %d%s", i, i + 1 < bars->groups ? ", " : ")");
    }
    fprintf(script,
            " rotate by 45 right\nset xrange [-0.6:%d.6]\nset boxwidth %g\n"
            "set border 3 linecolor rgb '" GNUPLOT_TEXT "'\n"
            "set tics nomirror textcolor rgb '" GNUPLOT_TEXT "'\nset format y '%%g'\n"
            "set grid ytics linecolor rgb '" GNUPLOT_GRID "' linewidth 0.5 linetype 1\n"
            "set key outside top right textcolor rgb '" GNUPLOT_TEXT "'\nset ylabel ",
            bars->groups - 1, 0.75 / bars->series);
    gnuplot_quote(script, bars->axis);
    fputs(" textcolor rgb '" GNUPLOT_TEXT "'\nset title ", script);
    gnuplot_quote(script, picture->title);
    fputs(" textcolor rgb '" GNUPLOT_TEXT "'\n", script);
    put_bar_series(script, bars);
}

bool plot_bars(const char *path, const struct bar_chart *chart, const char *title,
               struct error *error) {
    struct picture picture = {.bars = chart, .title = title};
    bool is_empty = true;

    for (int i = 0; i < chart->groups * chart->series; i++)
        is_empty = is_empty && !(chart->values[i] > 0);
    if (is_empty) return error_set(error, "%s: there is nothing to draw", path);
    return gnuplot_draw(path, &picture, write_bars, error);
}
