/* plot_comparison.c: the gnuplot script of several runs' learning curves (see plots.h). */
#include "gnuplot.h"
#include "plots.h"

#include <math.h>

static const char *const colors[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                     "#e69f00", "#56b4e9", "#999999", "#000000"};
enum { COLORS = sizeof colors / sizeof *colors, PANEL_WIDTH = 520, PANEL_HEIGHT = 380 };

struct picture {
    const struct compared_run *runs;
    int count;
};

/* A line of its own: an empty row ends it. */
static void put_history(FILE *script, const struct history *history) {
    bool validation = history->has_validation;
    for (long i = 0; i < history->count; i++) {
        const struct history_epoch *epoch = &history->epochs[i];
        fprintf(script, "%ld %.9g %.9g\n", epoch->epoch,
                validation ? epoch->validation_loss : epoch->loss,
                validation ? epoch->validation_accuracy : epoch->accuracy);
    }
    fputs("\n", script);
}

static void put_histories(FILE *script, const struct picture *picture) {
    for (int i = 0; i < picture->count; i++) {
        fprintf(script, "$run%d << END\n", i);
        for (int k = 0; k < picture->runs[i].count; k++)
            put_history(script, picture->runs[i].histories[k]);
        fputs("END\n", script);
    }
}

static long most_epochs(const struct compared_run *run) {
    long most = 0;
    for (int i = 0; i < run->count; i++)
        if (run->histories[i]->count > most) most = run->histories[i]->count;
    return most;
}

/* Every run as a line; names only in the one panel that has the key. */
static void put_panel(FILE *script, const struct picture *picture, const char *what, int column,
                      bool names) {
    fprintf(script, "set ylabel '%s' textcolor rgb '" GNUPLOT_TEXT "'\nplot ", what);
    for (int i = 0; i < picture->count; i++) {
        const struct compared_run *run = &picture->runs[i];
        fprintf(script, "%s$run%d using 1:%d with %s linewidth %s pointtype 7 pointsize 0.5 ",
                i ? ", " : "", i, column, most_epochs(run) > 40 ? "lines" : "linespoints",
                run->count > 1 ? "1" : "2");
        fprintf(script, "dashtype %d linecolor rgb '%s' ", 1 + i / COLORS % 4, colors[i % COLORS]);
        if (names) {
            fputs("title ", script);
            gnuplot_quote(script, picture->runs[i].name);
        } else {
            fputs("notitle", script);
        }
    }
    fputs("\n", script);
}

static void write_comparison(FILE *script, const char *path, const char *output,
                             const void *context) {
    const struct picture *picture = context;
    bool accuracy = true, validation = true;
    double last = 1;

    for (int i = 0; i < picture->count; i++) {
        const struct compared_run *run = &picture->runs[i];
        for (int k = 0; k < run->count; k++) {
            const struct history *history = run->histories[k];
            accuracy = accuracy && history->has_accuracy;
            validation = validation && history->has_validation;
            last = fmax(last, (double)history->epochs[history->count - 1].epoch);
        }
    }
    /* The names stand below the panels: one line for two of them. */
    int key = 20 * ((picture->count + 1) / 2) + 24;
    int height = PANEL_HEIGHT + key;
    gnuplot_head(script, path, output, PANEL_WIDTH * (accuracy ? 2 : 1), height);
    put_histories(script, picture);
    fprintf(script,
            "set border 3 linecolor rgb '" GNUPLOT_TEXT "'\n"
            "set tics nomirror textcolor rgb '" GNUPLOT_TEXT "'\n"
            "set grid ytics linecolor rgb '" GNUPLOT_GRID "' linewidth 0.5 linetype 1\n"
            "set xlabel 'epoch' textcolor rgb '" GNUPLOT_TEXT "'\nset xrange [%s:%g]\n"
            "set xtics %d\nset multiplot\n",
            last > 1 ? "1" : "0", last > 1 ? last : 2.0,
            last <= 10   ? 1
            : last <= 25 ? 2
            : last <= 60 ? 5
                         : 20);
    double bottom = (double)key / height;
    const char *prefix = validation ? "validation " : "";
    char what[40];
    fprintf(script, "unset key\nset origin 0,%.4f\nset size %s,%.4f\n", bottom,
            accuracy ? "0.5" : "1", 1 - bottom);
    snprintf(what, sizeof what, "%sloss", prefix);
    put_panel(script, picture, what, 2, false);
    if (accuracy) {
        fprintf(script, "set origin 0.5,%.4f\n", bottom);
        snprintf(what, sizeof what, "%saccuracy", prefix);
        put_panel(script, picture, what, 3, false);
    }
    /* The key: a panel that shows nothing else. */
    fprintf(script,
            "set origin 0,0\nset size 1,%.4f\nunset border\nunset tics\nunset xlabel\nunset grid\n"
            "set lmargin 1\nset rmargin 1\nset tmargin 0\nset bmargin 0\nset yrange [0:1]\n"
            "set key center center maxcolumns 2 samplen 3 textcolor rgb '" GNUPLOT_TEXT "'\n"
            "set xrange [-2:-1]\n",
            bottom);
    put_panel(script, picture, "", 2, true);
    fputs("unset multiplot\n", script);
}

bool plot_comparison(const char *path, const struct compared_run *runs, int count,
                     struct error *error) {
    struct picture picture = {runs, count};

    for (int i = 0; i < count; i++)
        for (int k = 0; k < runs[i].count; k++)
            if (runs[i].histories[k]->count == 0)
                return error_set(error, "%s: the run %s has no epoch", path, runs[i].name);
    if (count == 0) return error_set(error, "%s: there is nothing to draw", path);
    return gnuplot_draw(path, &picture, write_comparison, error);
}
