/* journal.h: what happened in a sweep, one JSON object a line, each on the disk before the sweep
 * goes on: from it a killed sweep is resumed. */
#ifndef LATHE_SWEEP_JOURNAL_H
#define LATHE_SWEEP_JOURNAL_H

#include "plan.h"

struct journal;

/** Opens directory/journal.jsonl for a sweep. The first line tells what sweep it is: `identity`, a
 * JSON object. Without resume there must be no journal yet; with resume it must be of this sweep,
 * and a last line that was cut off is removed. While it is open no other process can open it.
 * NULL + message. */
struct journal *journal_open(const char *directory, const char *identity, bool resume,
                             struct error *error);
void journal_close(struct journal *journal);

/** Tells that a training begins, or what came of it. */
bool journal_write(struct journal *journal, const struct trial *trial, struct error *error);

/** Fills in what the journal knows of the trainings of the plan's present round: those that ended
 * are not run again. Texts go to the plan's arena. */
void journal_replay(const struct journal *journal, struct sweep_plan *plan);

#endif
