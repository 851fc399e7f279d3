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

#endif
