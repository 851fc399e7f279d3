/* points.h: the points of a sweep's space that are to be trained. */
#ifndef LATHE_SWEEP_POINTS_H
#define LATHE_SWEEP_POINTS_H

#include "../frontend/sweep.h"

enum { SWEEP_MOST_POINTS = 10000 };

/* A value for each parameter; json NULL where a condition leaves it out. */
struct sweep_point {
    struct sweep_value *values;
};

/** The points of the sweep's strategy, in order: the whole grid (the last parameter changes
 * fastest), or as many as it asks for, drawn with its seed: different ones, a function of file and
 * seed alone. NULL + message when there are too many, or not enough. */
struct sweep_point *sweep_points(struct arena *arena, const struct sweep *sweep, int *count,
                                 struct error *error);

/** The point as a JSON object, as model_read_point takes it. */
const char *sweep_point_json(struct arena *arena, const struct sweep *sweep,
                             const struct sweep_point *point);

/** The point for people: `rate=0.2 units=64`. */
const char *sweep_point_label(struct arena *arena, const struct sweep *sweep,
                              const struct sweep_point *point);

#endif
