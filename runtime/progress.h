/* progress.h: shows how training goes: a live bar on a terminal, one line an epoch elsewhere. */
#ifndef LATHE_PROGRESS_H
#define LATHE_PROGRESS_H

#include "trainer.h"

#include <stdio.h>

struct progress {
    FILE *file; /* NULL: silent */
    bool live;  /* redraw a bar in place */
    bool utf8, color;
    int columns;      /* fixed width of the terminal; 0: ask the terminal at each redraw */
    bool drawn;       /* a bar is on the screen */
    double last_draw; /* when, on the clock of the reports */
    double speed;     /* samples per second, smoothed */
    double speed_seconds;
    long speed_samples, speed_epoch; /* where the last measurement of speed ended */
};

/** Prepares the display on a stream: a bar when it is a terminal that can redraw, else plain lines;
 * characters beyond ASCII only when the locale's encoding is UTF-8 (setlocale must have been
 * called). quiet: nothing at all. */
void progress_init(struct progress *progress, FILE *file, bool quiet);

/** Draws the bar, at most about ten times a second. `note` (may be NULL) stands at its end. */
void progress_step(struct progress *progress, const struct training_report *report,
                   const char *note);

/** Replaces the bar by the epoch's line. */
void progress_epoch(struct progress *progress, const struct training_report *report);

/** Takes the bar off the screen, so that something else can be printed. */
void progress_clear(struct progress *progress);

#endif
