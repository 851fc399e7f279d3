/* live.h: shows how a sweep goes: a table that is redrawn on a terminal, a line for each training
 * elsewhere. */
#ifndef LATHE_SWEEP_LIVE_H
#define LATHE_SWEEP_LIVE_H

#include "training.h"

#include <stdio.h>

struct live {
    FILE *file;   /* NULL: silent */
    bool redraw;  /* a table in place */
    int lines;    /* of the table, that are on the screen */
    double begun; /* the sweep, and the last drawing, in seconds of a clock */
    double drawn;
    long ended, ended_before; /* trainings, in all and before this process */
};

/** Prepares the display on a stream; quiet: nothing at all. */
void live_init(struct live *live, FILE *file, bool quiet);

/** A training has ended. */
void live_ended(struct live *live, const struct training_setup *setup, const struct trial *trial);

/** Redraws the table, at most about twice a second: what is running, and the best so far. */
void live_draw(struct live *live, const struct training_setup *setup);

/** Takes the table off the screen. */
void live_clear(struct live *live);

#endif
