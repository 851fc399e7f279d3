/* plot_scores.c: the gnuplot script of scores against hyperparameters (see plots.h). */
#include "gnuplot.h"
#include "plots.h"

#include <math.h>
#include <string.h>

enum { PANELS_IN_A_ROW = 3, PANEL_WIDTH = 380, PANEL_HEIGHT = 340, TITLE_HEIGHT = 50 };

struct picture {
    const struct score_chart *chart;
    const char *title;
};

/* Points of one name would hide each other: they stand side by side, in an order that is fixed. */
static double beside(int point) {
    return (double)(point * 7 % 11 - 5) * 0.028;
}

static void put_points(FILE *script, const struct score_chart *chart) {
    fputs("$scores << END\n", script);
    for (int i = 0; i < chart->count; i++) {
        fprintf(script, "%.9g", chart->scores[i]);
        for (int k = 0; k < chart->axis_count; k++) {
            const struct score_axis *axis = &chart->axes[k];
            double position = axis->positions[i];
            if (isnan(position))
                fputs(" NaN", script);
            else
                fprintf(script, " %.9g", axis->names ? position + beside(i) : position);
        }
        fputs("\n", script);
    }
    fputs("END\n", script);
}

/* One range of scores for all panels. */
static void put_score_range(FILE *script, const struct score_chart *chart) {
    double least = INFINITY, most = -INFINITY;

    for (int i = 0; i < chart->count; i++) {
        least = fmin(least, chart->scores[i]);
        most = fmax(most, chart->scores[i]);
    }
    double room = most > least ? (most - least) * 0.06 : fmax(fabs(most) / 20, 1e-3);
    fprintf(script, "set yrange [%.9g:%.9g]\n", least - room, most + room);
}

/* Room beside the first and the last value; one value alone stands in the middle. */
static void put_range(FILE *script, const struct score_chart *chart,
                      const struct score_axis *axis) {
    double least = INFINITY, most = -INFINITY;

    for (int i = 0; i < chart->count; i++) {
        least = fmin(least, axis->positions[i]); /* ignores NAN */
        most = fmax(most, axis->positions[i]);
    }
    if (!(least <= most)) least = most = 1;
    if (axis->logarithmic) {
        double room = most > least ? pow(most / least, 0.08) : 2;
        fprintf(script, "set logscale x\nset xrange [%.9g:%.9g]\n", least / room, most * room);
        return;
    }
    double room = most > least ? (most - least) * 0.08 : fmax(fabs(most) / 2, 0.5);
    fprintf(script, "unset logscale x\nset xrange [%.9g:%.9g]\n", least - room, most + room);
}

static void put_tics(FILE *script, const struct score_axis *axis) {
    for (int i = 0; i < axis->tic_count; i++)
        fprintf(script, "%s%.9g%s", i ? ", " : "set xtics (", axis->tics[i],
                i + 1 < axis->tic_count ? "" : ")\n");
}

/* Names that do not fit beside each other stand at an angle. */
static bool needs_angle(const struct score_axis *axis) {
    size_t characters = 0;
    for (int i = 0; i < axis->name_count; i++) characters += strlen(axis->names[i]) + 2;
    return characters > 28;
}

static void put_axis(FILE *script, const struct score_chart *chart, const struct score_axis *axis) {
    fputs("set xlabel ", script);
    gnuplot_quote(script, axis->name);
    fputs(" textcolor rgb '" GNUPLOT_TEXT "'\n", script);
    if (!axis->names) {
        fputs("set xtics autofreq norotate autojustify\nset format x '%g'\n", script);
        put_range(script, chart, axis);
        put_tics(script, axis);
        return;
    }
    fprintf(script, "unset logscale x\nset xrange [-0.5:%d.5]\nset xtics (", axis->name_count - 1);
    for (int i = 0; i < axis->name_count; i++) {
        gnuplot_quote(script, axis->names[i]);
        fprintf(script, " %d%s", i, i + 1 < axis->name_count ? ", " : ")");
    }
    fputs(needs_angle(axis) ? " rotate by 35 right\n" : " norotate autojustify\n", script);
}

static void write_scores(FILE *script, const char *path, const char *output, const void *context) {
    const struct picture *picture = context;
    const struct score_chart *chart = picture->chart;
    int columns = chart->axis_count < PANELS_IN_A_ROW ? chart->axis_count : PANELS_IN_A_ROW;
    int rows = (chart->axis_count + columns - 1) / columns;

    gnuplot_head(script, path, output, PANEL_WIDTH * columns, PANEL_HEIGHT * rows + TITLE_HEIGHT);
    put_points(script, chart);
    fputs("set border 3 linecolor rgb '" GNUPLOT_TEXT "'\n"
          "set tics nomirror textcolor rgb '" GNUPLOT_TEXT "'\n"
          "set grid ytics linecolor rgb '" GNUPLOT_GRID "' linewidth 0.5 linetype 1\n"
          "unset key\nset bmargin 6.5\n",
          script);
    put_score_range(script, chart);
    fprintf(script, "set multiplot layout %d,%d title ", rows, columns);
    gnuplot_quote(script, picture->title);
    fputs("\n", script);
    for (int i = 0; i < chart->axis_count; i++) {
        fputs("set ylabel ", script);
        gnuplot_quote(script, i % columns ? "" : chart->score);
        fputs(" textcolor rgb '" GNUPLOT_TEXT "'\n", script);
        put_axis(script, chart, &chart->axes[i]);
        fprintf(script,
                "plot $scores using %d:1 with points pointtype 7 pointsize 1 linecolor rgb "
                "'#60" GNUPLOT_BLUE_DIGITS
                "', '' every ::0::0 using %d:1 with points pointtype 7 pointsize "
                "1.3 linecolor rgb '" GNUPLOT_ORANGE "'\n",
                i + 2, i + 2);
    }
    fputs("unset multiplot\n", script);
}

bool plot_scores(const char *path, const struct score_chart *chart, const char *title,
                 struct error *error) {
    struct picture picture = {chart, title};

    if (chart->count == 0 || chart->axis_count == 0)
        return error_set(error, "%s: there is nothing to draw", path);
    return gnuplot_draw(path, &picture, write_scores, error);
}
