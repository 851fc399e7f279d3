/* plots.h: pictures of a training run, drawn by gnuplot as a child process. */
#ifndef LATHE_PLOTS_H
#define LATHE_PLOTS_H

#include "history.h"
#include "metrics.h"

/** Draws loss and accuracy over the epochs, training and validation, into a .png or .svg file (told
 * apart by its name). The file appears when it is complete. False + message when gnuplot is missing
 * or fails. */
bool plot_learning_curves(const char *path, const struct history *history, const char *title,
                          struct error *error);

/** Draws a confusion matrix: shares of each true class in colour, counts in the cells. names may be
 * NULL (numbers). */
bool plot_confusion(const char *path, const struct confusion *confusion, const char *const *names,
                    const char *title, struct error *error);

/* Bars in groups, side by side, of values that differ by powers of ten. */
struct bar_chart {
    int groups, series;
    const char *const *group_names, *const *series_names;
    const double *values; /* [group][series], above 0; else there is no bar */
    const char *axis;     /* what the values are */
};

/** Draws a bar chart with a logarithmic axis. */
bool plot_bars(const char *path, const struct bar_chart *chart, const char *title,
               struct error *error);

/* A hyperparameter and its value at each point. */
struct score_axis {
    const char *name;
    const double *positions;  /* [count]; NAN: the point has none */
    const char *const *names; /* not numbers, but names at 0, 1, ...; NULL: numbers */
    int name_count;
    const double *tics; /* of numbers: where the axis is labelled; NULL: gnuplot decides */
    int tic_count;
    bool logarithmic;
};

/* Scores of points against each of their hyperparameters; the first point is the best. */
struct score_chart {
    const char *score; /* what it is: "validation_accuracy" */
    int count, axis_count;
    const double *scores;
    const struct score_axis *axes;
};

/** Draws a panel for each hyperparameter (plot_scores.c). */
bool plot_scores(const char *path, const struct score_chart *chart, const char *title,
                 struct error *error);

/* Small pictures in rows. */
struct image_grid {
    int count, columns;
    long height, width, channels; /* of each; 1 channel: gray, 3: red, green, blue */
    const float *pixels;          /* [count][height][width][channels], 0 to 1 */
    const char *const *captions;  /* two lines for each picture */
};

/** Draws samples with a caption below each other (plot_images.c). */
bool plot_images(const char *path, const struct image_grid *grid, const char *title,
                 struct error *error);

/** Draws the weights of a first layer as pictures, without captions: one channel from blue (below
 * 0) over white to red, three channels as colours around gray (plot_images.c). */
bool plot_filters(const char *path, const struct image_grid *grid, const char *title,
                  struct error *error);

/* A run among others. */
struct compared_run {
    const char *name;
    const struct history *const *histories; /* one, or those of its folds */
    int count;
};

/** Draws the loss and, where every run has it, the accuracy of several runs over their epochs:
 * validation where a run has it, else training; folds of a run in its colour (plot_comparison.c).
 */
bool plot_comparison(const char *path, const struct compared_run *runs, int count,
                     struct error *error);

#endif
