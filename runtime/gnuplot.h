/* gnuplot.h: pictures drawn by gnuplot as a child process; what the scripts have in common. */
#ifndef LATHE_GNUPLOT_H
#define LATHE_GNUPLOT_H

#include "error.h"

#include <stdio.h>

/* Colours that people with colour-blindness tell apart (Okabe and Ito). */
#define GNUPLOT_BLUE_DIGITS "0072b2"
#define GNUPLOT_BLUE "#" GNUPLOT_BLUE_DIGITS
#define GNUPLOT_ORANGE "#d55e00"
#define GNUPLOT_TEXT "#333333"
#define GNUPLOT_GRID "#dddddd"

/** Writes text as a gnuplot string. */
void gnuplot_quote(FILE *script, const char *text);

/** Chooses the terminal by the name of the file (.png or .svg), its size and the output. */
void gnuplot_head(FILE *script, const char *path, const char *output, int width, int height);

/* Writes the script of a picture: gnuplot_head, then the rest. */
typedef void gnuplot_script(FILE *script, const char *path, const char *output,
                            const void *picture);

/** Draws into a file beside `path` and renames it when gnuplot has done well. False + message when
 * gnuplot is missing or fails. */
bool gnuplot_draw(const char *path, const void *picture, gnuplot_script *write,
                  struct error *error);

#endif
