/* table.h: the ranked results of a sweep, for people and for programs. */
#ifndef LATHE_SWEEP_TABLE_H
#define LATHE_SWEEP_TABLE_H

#include "../base/text.h"
#include "plan.h"

/** Appends the ranking as a table of at most `most` points (0: all), a line each: rank, number of
 * the point, score, spread over repeats, best epoch, parameters, values; failed points with their
 * message. Times are not in it: the same sweep gives the same table. */
void table_text(struct text *text, const struct sweep_plan *plan, int most);

/** The same for all points as CSV. */
void table_csv(struct text *text, const struct sweep_plan *plan);

/** The same as JSON, with times. The caller deletes it. */
struct cJSON;
struct cJSON *table_json(const struct sweep_plan *plan);

/** Draws the score against each parameter (.png or .svg). */
bool table_plot(const char *path, const struct sweep_plan *plan, struct error *error);

#endif
